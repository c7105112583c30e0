//! Many threads: each item arrives once, in its producer's order.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{BoundedBuffer, GetError, PutAllError, PutError};

use super::{Ledger, SHORT, TINY, pass, unannounced};
use crate::support::{LIMIT, PARTIES, eventually, parties, shown, watchdog};

/// The number of an item: who put it, as which of its own.
type Number = (usize, usize);

const EACH: usize = 240;

/// Puts its numbers in order, by every way there is.
fn produce(buffer: &BoundedBuffer<Number>, id: usize) {
    let mut next = 0;
    for way in (id..).map(|way| way % 6) {
        let left = EACH - next;
        let batch = (1 + (next + id) % 9).min(left);
        let items = (next..next + batch).map(|i| (id, i));
        next += match way {
            _ if left == 0 => return,
            0 => buffer.put((id, next)).map(|()| 1).unwrap(),
            1 => usize::from(buffer.put_for((id, next), TINY).is_ok()),
            2 => usize::from(buffer.try_put((id, next)).is_ok()),
            3 => buffer.put_until((id, next), Instant::now() + LIMIT).map(|()| 1).unwrap(),
            4 => buffer.put_all(items).unwrap(),
            _ => buffer.put_all(unannounced(items)).unwrap(),
        };
    }
}

/// Gets numbers, by every way there is, until there are no more.
fn consume(buffer: &BoundedBuffer<Number>, id: usize) -> Vec<Number> {
    let mut got = Vec::new();
    for way in id.. {
        let before = got.len();
        match way % 8 {
            0 => match buffer.get() {
                Ok(item) => got.push(item),
                Err(GetError) => return got,
            },
            1 => got.extend(buffer.get_for(TINY)),
            2 => got.extend(buffer.try_get()),
            3 => got.extend(buffer.get_until(Instant::now() + SHORT)),
            4 => drop(buffer.get_many(&mut got, 1 + way % 5)),
            5 => drop(buffer.get_many_for(&mut got, 3, TINY)),
            6 => got.extend(buffer.iter().next()),
            _ => got.extend(buffer.try_iter().take(2)),
        }
        (before..got.len()).for_each(|_| buffer.task_done());
    }
    unreachable!("it gets all ways in turn")
}

/// Every number once, and to each consumer those of each producer in order.
fn assert_exactly_once(producers: &[usize], consumed: &[Vec<Number>]) {
    let mut all = Vec::new();
    for (consumer, numbers) in consumed.iter().enumerate() {
        let mut next = vec![0; producers.len()];
        for &(producer, i) in numbers {
            assert!(
                i >= next[producer],
                "consumer {consumer} got {i} of {producer} after {}",
                next[producer] - 1
            );
            next[producer] = i + 1;
        }
        all.extend_from_slice(numbers);
    }
    all.sort_unstable();
    let expected = producers.iter().enumerate().flat_map(|(id, &each)| (0..each).map(move |i| (id, i)));
    assert!(all.into_iter().eq(expected), "an item was lost or came twice");
}

/// CPython: `SimpleQueueTest.test_many_threads`, `test_many_threads_nonblock`, `test_many_threads_timeout`.
#[test]
fn every_item_arrives_once_and_in_its_producers_order() {
    watchdog(|| {
        for producers in parties() {
            for (consumers, capacity) in PARTIES.into_iter().zip([1, 7, 2, 64, 3, 1]) {
                let buffer = shown(BoundedBuffer::new(capacity));
                let consumed = thread::scope(|s| {
                    let buffer = &buffer;
                    let consumers: Vec<_> =
                        (0..consumers).map(|id| s.spawn(move || consume(buffer, id))).collect();
                    let producers: Vec<_> =
                        (0..producers).map(|id| s.spawn(move || produce(buffer, id))).collect();
                    producers.into_iter().for_each(|producer| producer.join().unwrap());
                    buffer.join();
                    assert!(buffer.is_empty());
                    buffer.close();
                    consumers.into_iter().map(|consumer| consumer.join().unwrap()).collect::<Vec<_>>()
                });
                assert_exactly_once(&vec![EACH; producers], &consumed);
                assert_eq!(buffer.unfinished(), 0);
            }
        }
    });
}

/// Puts until the buffer is closed. Returns how many it put; the one that came back must be the next.
fn produce_until_closed(buffer: &BoundedBuffer<Number>, id: usize) -> usize {
    let mut next = 0;
    for way in id.. {
        next += match way % 3 {
            0 => match buffer.put((id, next)) {
                Ok(()) => 1,
                Err(PutError(item)) => {
                    assert_eq!(item, (id, next));
                    return next;
                }
            },
            1 => match buffer.put_for((id, next), TINY) {
                Ok(()) => 1,
                Err(error) => {
                    assert_eq!(error.into_inner(), (id, next));
                    0
                }
            },
            _ => match buffer.put_all((next..next + 5).map(|i| (id, i))) {
                Ok(put) => put,
                Err(PutAllError { put, rest }) => {
                    let next = next + put;
                    assert!((1..=5 - put).contains(&rest.len()));
                    assert!(rest.iter().enumerate().all(|(i, &item)| item == (id, next + i)));
                    return next;
                }
            },
        };
    }
    unreachable!("the buffer is closed some day")
}

/// CPython: `BaseQueueTestMixin.test_shutdown_all_methods_in_many_threads` and its immediate form.
#[test]
fn closing_in_the_middle_loses_nothing() {
    watchdog(|| {
        for (round, parties) in (0_u32..60).zip(PARTIES.into_iter().cycle()) {
            let (buffer, at_once) = (BoundedBuffer::new(1 + round as usize % 10), round % 2 == 0);
            let (put, consumed) = thread::scope(|s| {
                let buffer = &buffer;
                let consumers: Vec<_> = (0..parties).map(|id| s.spawn(move || consume(buffer, id))).collect();
                let producers: Vec<_> =
                    (0..parties).map(|id| s.spawn(move || produce_until_closed(buffer, id))).collect();
                pass(Duration::from_micros(5) * round);
                let left = if at_once { buffer.close_now() } else { Vec::new() };
                buffer.close();
                let put: Vec<_> = producers.into_iter().map(|producer| producer.join().unwrap()).collect();
                // All that were taken are done, and no others are left to be.
                buffer.join();
                let mut consumed: Vec<_> = consumers.into_iter().map(|it| it.join().unwrap()).collect();
                consumed.push(left);
                (put, consumed)
            });
            assert_exactly_once(&put, &consumed);
            assert_eq!((buffer.unfinished(), buffer.len()), (0, 0));
        }
    });
}

#[test]
fn no_item_is_dropped_twice_or_never() {
    watchdog(|| {
        for (round, parties) in PARTIES.into_iter().cycle().take(24).enumerate() {
            let ledger = Ledger::new(parties * EACH);
            let buffer = shown(BoundedBuffer::new(1 + round % 5));
            thread::scope(|s| {
                let (buffer, ledger) = (&buffer, &ledger);
                for id in 0..parties {
                    s.spawn(move || {
                        let items = (id * EACH..(id + 1) * EACH).map(|id| ledger.item(id));
                        match id % 3 {
                            0 => drop(buffer.put_all(items)),
                            1 => items.for_each(|item| drop(buffer.put(item))),
                            _ => items.for_each(|item| drop(buffer.put_for(item, TINY))),
                        }
                    });
                    s.spawn(move || {
                        // Not all: some stay for the thread that closes, or for the buffer's own end.
                        buffer.iter().take(EACH / 3).for_each(drop);
                        buffer.close();
                    });
                }
                if round % 2 == 0 {
                    eventually(|| buffer.is_closed());
                    drop(buffer.close_now());
                }
            });
            drop(buffer);
            // Those that an iterator still had when the buffer was closed were never made.
            assert!(ledger.0.iter().all(|drops| drops.load(Relaxed) <= 1));
            assert_eq!(Arc::strong_count(&ledger.0), 1, "an item is still alive");
        }
    });
}
