//! `BoundedBuffer`: every behaviour alone, then races and stress, then random programs against a specification.
//!
//! Where a test is about a blocked thread, it holds in either order: the threads are given the time to block, but
//! nothing depends on it.

use std::cell::Cell;
use std::collections::VecDeque;
use std::error::Error;
use std::iter::{self, FusedIterator};
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{
    BoundedBuffer, GetError, GetTimeoutError, PutAllError, PutError, PutTimeoutError, TaskDoneError,
    TryGetError, TryPutError,
};
use proptest::prelude::*;

use crate::support::{LIMIT, PARTIES, either, eventually, parties, watchdog};

// What these tests need.

const SHORT: Duration = Duration::from_millis(2);
const TINY: Duration = Duration::from_micros(30);

/// Lets others run for so long, if that can be had: nothing may depend on it.
fn pass(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        thread::yield_now();
    }
}

/// Counts threads that are about to make a call that may block.
#[derive(Default)]
struct Arrivals(AtomicUsize);

impl Arrivals {
    fn arrive(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    /// Waits for `n` of them, and gives them the time to block.
    fn wait_for(&self, n: usize) {
        eventually(|| self.0.load(Relaxed) >= n);
        pass(Duration::from_micros(200));
    }
}

/// How often each of the items numbered from 0 was dropped.
#[derive(Clone)]
struct Ledger(Arc<[AtomicUsize]>);

struct Tracked {
    id: usize,
    ledger: Ledger,
}

impl Ledger {
    fn new(items: usize) -> Self {
        Self((0..items).map(|_| AtomicUsize::new(0)).collect())
    }

    fn item(&self, id: usize) -> Tracked {
        Tracked { id, ledger: self.clone() }
    }

    fn items(&self) -> impl ExactSizeIterator<Item = Tracked> {
        (0..self.0.len()).map(|id| self.item(id))
    }

    fn dropped(&self) -> usize {
        self.0.iter().map(|drops| drops.load(Relaxed)).sum()
    }

    #[track_caller]
    fn assert_each_dropped_once(&self) {
        for (id, drops) in self.0.iter().enumerate() {
            assert_eq!(drops.load(Relaxed), 1, "drops of item {id}");
        }
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.ledger.0[self.id].fetch_add(1, Relaxed);
    }
}

fn full<T: Clone>(capacity: usize, item: T) -> BoundedBuffer<T> {
    let buffer = BoundedBuffer::new(capacity);
    (0..capacity).for_each(|_| buffer.try_put(item.clone()).unwrap());
    buffer
}

/// A moment that has passed, by a second if the clock goes back that far.
fn past() -> Instant {
    let now = Instant::now();
    now.checked_sub(Duration::from_secs(1)).unwrap_or(now)
}

/// The same items, without a promise of how many there are.
fn unannounced<I: Iterator>(mut items: I) -> impl Iterator<Item = I::Item> {
    iter::from_fn(move || items.next())
}

// Construction.

#[test]
fn static_buffer_is_shared_by_threads() {
    static BUFFER: BoundedBuffer<usize> = BoundedBuffer::new(3);

    const fn doubled(capacity: usize) -> BoundedBuffer<u8> {
        BoundedBuffer::new(2 * capacity)
    }
    static DOUBLED: BoundedBuffer<u8> = doubled(5);
    assert_eq!(DOUBLED.capacity(), 10);

    watchdog(|| {
        let counted = thread::scope(|s| {
            let counters: Vec<_> = PARTIES.iter().map(|_| s.spawn(|| BUFFER.iter().count())).collect();
            let putters = PARTIES.map(|n| s.spawn(move || (0..n).try_for_each(|i| BUFFER.put(i))));
            putters.into_iter().for_each(|putter| putter.join().unwrap().unwrap());
            BUFFER.close();
            counters.into_iter().map(|counter| counter.join().unwrap()).sum::<usize>()
        });
        assert_eq!(counted, PARTIES.iter().sum::<usize>());
    });
}

#[test]
#[should_panic(expected = "BoundedBuffer::new")]
fn new_panics_on_capacity_zero() {
    let _ = BoundedBuffer::<u8>::new(0);
}

#[test]
fn new_takes_any_capacity() {
    let buffer = BoundedBuffer::new(usize::MAX);
    assert_eq!(buffer.capacity(), usize::MAX);
    assert_eq!(buffer.put_all(0..200), Ok(200));
    assert_eq!(buffer.len(), 200);
    let mut all = Vec::new();
    assert_eq!(buffer.get_many(&mut all, usize::MAX), Ok(200));
    assert!(all.into_iter().eq(0..200));
}

#[test]
fn storage_grows_to_the_capacity_and_no_further() {
    for capacity in [1, 3, 5, 70] {
        let buffer = BoundedBuffer::new(capacity);
        (0..capacity).for_each(|i| buffer.put(i).unwrap());
        assert!(buffer.close_now().capacity() <= capacity);
        let buffer = BoundedBuffer::new(capacity);
        buffer.put_all(0..capacity).unwrap();
        assert!(buffer.close_now().capacity() <= capacity);
    }
}

#[test]
fn zero_sized_items_are_counted() {
    let buffer = BoundedBuffer::new(3);
    assert_eq!(buffer.put_all([(), ()]), Ok(2));
    buffer.put(()).unwrap();
    assert_eq!(buffer.try_put(()), Err(TryPutError::Full(())));
    let mut all = Vec::new();
    assert_eq!(buffer.get_many(&mut all, 2), Ok(2));
    assert_eq!(buffer.close_now(), [()]);
}

#[test]
fn items_need_not_be_sync() {
    watchdog(|| {
        let buffer = BoundedBuffer::new(1);
        thread::scope(|s| {
            s.spawn(|| buffer.put(Cell::new(7)).unwrap());
            assert_eq!(buffer.get().unwrap().get(), 7);
        });
    });
}

#[test]
fn debug_shows_how_full_it_is() {
    struct Opaque;
    let buffer = BoundedBuffer::new(3);
    buffer.try_put(Opaque).unwrap_or_else(|_| unreachable!());
    let shown = format!("{buffer:?}");
    assert!(
        shown.contains("len: 1") && shown.contains("capacity: 3") && shown.contains("closed: false"),
        "{shown}"
    );
    buffer.close();
    assert!(format!("{buffer:?}").contains("closed: true"));
    assert!(format!("{:?} {:?}", buffer.iter(), buffer.try_iter()).contains("len: 1"));
}

// Putting and getting.

/// CPython: `SimpleQueueTest.test_order`.
#[test]
fn items_leave_in_the_order_in_which_they_came() {
    let buffer = BoundedBuffer::new(8);
    // Around the end of the storage a few times.
    for round in 0..10 {
        (0..5).for_each(|i| buffer.put((round, i)).unwrap());
        (0..5).for_each(|i| assert_eq!(buffer.get(), Ok((round, i))));
    }
}

/// CPython: `BaseQueueTestMixin.test_basic`.
#[test]
fn queries_follow_puts_and_gets() {
    let buffer = BoundedBuffer::new(3);
    for _ in 0..2 {
        for n in 0..3 {
            assert_eq!((buffer.len(), buffer.is_empty(), buffer.is_full()), (n, n == 0, false));
            buffer.put(n).unwrap();
        }
        assert_eq!((buffer.len(), buffer.is_empty(), buffer.is_full()), (3, false, true));
        for n in 0..3 {
            assert_eq!(buffer.get(), Ok(n));
            assert_eq!(buffer.len(), 2 - n);
        }
    }
    assert_eq!(buffer.capacity(), 3);
}

/// CPython: `QueueTest.test_nowait`.
#[test]
fn try_forms_do_not_wait() {
    watchdog(|| {
        let buffer = full(2, 'a');
        assert_eq!(buffer.try_put('b'), Err(TryPutError::Full('b')));
        assert_eq!(buffer.try_get(), Ok('a'));
        assert_eq!(buffer.try_get(), Ok('a'));
        assert_eq!(buffer.try_get(), Err(TryGetError::Empty));
        let mut out = Vec::new();
        assert_eq!(buffer.try_get_many(&mut out, 2), Err(TryGetError::Empty));
        assert!(out.is_empty());
    });
}

/// CPython: `FailingQueueTest.test_failing_queue`, `BaseQueueTestMixin.test_shrinking_queue`.
#[test]
fn failed_calls_leave_the_buffer_unchanged() {
    watchdog(|| {
        let buffer = BoundedBuffer::new(2);
        for _ in 0..3 {
            assert_eq!(buffer.try_get(), Err(TryGetError::Empty));
            assert_eq!(buffer.get_for(TINY), Err(GetTimeoutError::Timeout));
            assert_eq!((buffer.len(), buffer.unfinished()), (0, 0));
            buffer.put(1).unwrap();
            buffer.put(2).unwrap();
            assert_eq!(buffer.try_put(3), Err(TryPutError::Full(3)));
            assert_eq!(buffer.put_for(4, TINY), Err(PutTimeoutError::Timeout(4)));
            assert_eq!((buffer.len(), buffer.unfinished()), (2, 2));
            assert_eq!(buffer.get(), Ok(1));
            buffer.put(5).unwrap();
            assert_eq!(buffer.get(), Ok(2));
            assert_eq!(buffer.get(), Ok(5));
            (0..3).for_each(|_| buffer.task_done());
        }
    });
}

#[test]
fn put_waits_for_room() {
    watchdog(|| {
        for parties in parties() {
            let (buffer, arrivals) = (full(1, usize::MAX), Arrivals::default());
            thread::scope(|s| {
                for id in 0..parties {
                    let (buffer, arrivals) = (&buffer, &arrivals);
                    s.spawn(move || {
                        arrivals.arrive();
                        buffer.put(id).unwrap();
                    });
                }
                arrivals.wait_for(parties);
                assert_eq!(buffer.len(), 1);
                assert_eq!(buffer.get(), Ok(usize::MAX));
                let mut got: Vec<_> = (0..parties).map(|_| buffer.get().unwrap()).collect();
                got.sort_unstable();
                assert!(got.into_iter().eq(0..parties));
            });
        }
    });
}

#[test]
fn get_waits_for_an_item() {
    watchdog(|| {
        for parties in parties() {
            let (buffer, arrivals) = (BoundedBuffer::new(1), Arrivals::default());
            thread::scope(|s| {
                let getter = || {
                    arrivals.arrive();
                    buffer.get().unwrap()
                };
                let getters: Vec<_> = (0..parties).map(|_| s.spawn(getter)).collect();
                arrivals.wait_for(parties);
                (0..parties).for_each(|i| buffer.put(i).unwrap());
                let mut got: Vec<_> = getters.into_iter().map(|getter| getter.join().unwrap()).collect();
                got.sort_unstable();
                assert!(got.into_iter().eq(0..parties));
            });
        }
    });
}

/// CPython: `SimpleQueueTest.test_references`.
#[test]
fn items_are_dropped_by_whoever_gets_them() {
    let ledger = Ledger::new(6);
    let buffer = BoundedBuffer::new(4);
    for item in ledger.items().take(4) {
        buffer.try_put(item).unwrap();
    }
    assert_eq!(ledger.dropped(), 0);
    drop(buffer.get());
    assert_eq!(ledger.dropped(), 1);
    buffer.put(ledger.item(4)).unwrap();
    drop(buffer.try_put(ledger.item(5)).unwrap_err().into_inner());
    assert_eq!(ledger.dropped(), 2);
    drop(buffer);
    ledger.assert_each_dropped_once();
}

// Time limits. A negative time-out (CPython: `test_negative_timeout_raises_exception`) cannot be written.

#[test]
fn put_for_times_out_and_gives_the_item_back() {
    watchdog(|| {
        let buffer = full(1, String::new());
        let start = Instant::now();
        assert_eq!(buffer.put_for("back".into(), SHORT), Err(PutTimeoutError::Timeout("back".to_owned())));
        assert!(start.elapsed() >= SHORT);
        let error = buffer.put_until("too".into(), start + 2 * SHORT).unwrap_err();
        assert!(start.elapsed() >= 2 * SHORT);
        assert!(error.is_timeout());
        assert_eq!(error.into_inner(), "too");
    });
}

/// CPython: `SimpleQueueTest.test_many_threads_timeout`, of one thread.
#[test]
fn get_for_times_out() {
    watchdog(|| {
        let (buffer, mut out) = (BoundedBuffer::<u8>::new(1), vec![9]);
        let start = Instant::now();
        assert_eq!(buffer.get_for(SHORT), Err(GetTimeoutError::Timeout));
        assert!(start.elapsed() >= SHORT);
        assert_eq!(buffer.get_until(start + 2 * SHORT), Err(GetTimeoutError::Timeout));
        assert!(start.elapsed() >= 2 * SHORT);
        assert_eq!(buffer.get_many_for(&mut out, 3, SHORT), Err(GetTimeoutError::Timeout));
        assert!(start.elapsed() >= 3 * SHORT);
        assert_eq!(buffer.get_many_until(&mut out, 3, start + 4 * SHORT), Err(GetTimeoutError::Timeout));
        assert!(start.elapsed() >= 4 * SHORT);
        assert_eq!(out, [9]);
    });
}

#[test]
fn zero_time_and_past_deadlines_try_once() {
    watchdog(|| {
        let (buffer, mut out) = (BoundedBuffer::new(2), Vec::new());
        assert_eq!(buffer.put_for(1, Duration::ZERO), Ok(()));
        assert_eq!(buffer.put_until(2, past()), Ok(()));
        assert_eq!(buffer.put_for(3, Duration::ZERO), Err(PutTimeoutError::Timeout(3)));
        assert_eq!(buffer.put_until(4, past()), Err(PutTimeoutError::Timeout(4)));
        assert!(!buffer.join_for(Duration::ZERO));
        assert!(!buffer.join_until(past()));
        assert_eq!(buffer.get_for(Duration::ZERO), Ok(1));
        assert_eq!(buffer.get_until(past()), Ok(2));
        assert_eq!(buffer.get_for(Duration::ZERO), Err(GetTimeoutError::Timeout));
        assert_eq!(buffer.get_until(past()), Err(GetTimeoutError::Timeout));
        buffer.put(5).unwrap();
        assert_eq!(buffer.get_many_for(&mut out, 2, Duration::ZERO), Ok(1));
        assert_eq!(buffer.get_many_for(&mut out, 2, Duration::ZERO), Err(GetTimeoutError::Timeout));
        buffer.put(6).unwrap();
        assert_eq!(buffer.get_many_until(&mut out, 2, past()), Ok(1));
        assert_eq!(buffer.get_many_until(&mut out, 2, past()), Err(GetTimeoutError::Timeout));
        assert_eq!(out, [5, 6]);
        (0..4).for_each(|_| buffer.task_done());
        assert!(buffer.join_for(Duration::ZERO));
        assert!(buffer.join_until(past()));
    });
}

#[test]
fn time_without_end_waits_until_it_can() {
    watchdog(|| {
        for forever in [Duration::MAX, Duration::MAX - Duration::from_nanos(1)] {
            let (buffer, arrivals) = (full(1, 0), Arrivals::default());
            thread::scope(|s| {
                s.spawn(|| {
                    arrivals.arrive();
                    assert_eq!(buffer.put_for(1, forever), Ok(()));
                });
                arrivals.wait_for(1);
                assert_eq!(buffer.get(), Ok(0));
                assert_eq!(buffer.get(), Ok(1));
                for _ in 0..2 {
                    s.spawn(|| {
                        arrivals.arrive();
                        let mut out = Vec::new();
                        assert_eq!(buffer.get_many_for(&mut out, 1, forever), Ok(1));
                        arrivals.arrive();
                        assert!(buffer.get_for(forever).is_ok());
                        arrivals.arrive();
                        assert!(buffer.join_for(forever));
                    });
                }
                arrivals.wait_for(3);
                (2..6).for_each(|i| assert_eq!(buffer.put_for(i, forever), Ok(())));
                arrivals.wait_for(7);
                (0..6).for_each(|_| buffer.task_done());
            });
        }
    });
}

#[test]
fn timed_calls_succeed_if_their_turn_comes_in_time() {
    watchdog(|| {
        let (buffer, arrivals) = (full(1, 0), Arrivals::default());
        thread::scope(|s| {
            s.spawn(|| {
                arrivals.arrive();
                assert_eq!(buffer.put_for(1, LIMIT), Ok(()));
            });
            arrivals.wait_for(1);
            assert_eq!(buffer.get_until(Instant::now() + LIMIT), Ok(0));
            assert_eq!(buffer.get_until(Instant::now() + LIMIT), Ok(1));
            s.spawn(|| {
                arrivals.arrive();
                assert_eq!(buffer.get_for(LIMIT), Ok(2));
            });
            arrivals.wait_for(2);
            assert_eq!(buffer.put_until(2, Instant::now() + LIMIT), Ok(()));
        });
    });
}

#[test]
fn timed_out_getter_swallows_no_item() {
    watchdog(|| {
        for round in 0..200 {
            let (buffer, start) = (BoundedBuffer::new(2), Barrier::new(3));
            thread::scope(|s| {
                let hasty = s.spawn(|| {
                    start.wait();
                    buffer.get_for(TINY * (round % 4))
                });
                let patient = s.spawn(|| {
                    start.wait();
                    buffer.get()
                });
                start.wait();
                buffer.put('a').unwrap();
                match hasty.join().unwrap() {
                    Ok('a') => {
                        buffer.put('b').unwrap();
                        assert_eq!(patient.join().unwrap(), Ok('b'));
                    }
                    Err(GetTimeoutError::Timeout) => assert_eq!(patient.join().unwrap(), Ok('a')),
                    other => panic!("{other:?}"),
                }
            });
            assert!(buffer.is_empty());
        }
    });
}

#[test]
fn timed_out_putter_swallows_no_room() {
    watchdog(|| {
        for round in 0..200 {
            let (buffer, start) = (full(1, 'x'), Barrier::new(3));
            thread::scope(|s| {
                let hasty = s.spawn(|| {
                    start.wait();
                    buffer.put_for('h', TINY * (round % 4))
                });
                let patient = s.spawn(|| {
                    start.wait();
                    buffer.put('p')
                });
                start.wait();
                assert_eq!(buffer.get(), Ok('x'));
                match hasty.join().unwrap() {
                    Ok(()) => {
                        let mut both = [buffer.get().unwrap(), buffer.get().unwrap()];
                        both.sort_unstable();
                        assert_eq!(both, ['h', 'p']);
                    }
                    Err(PutTimeoutError::Timeout('h')) => assert_eq!(buffer.get(), Ok('p')),
                    other => panic!("{other:?}"),
                }
                assert_eq!(patient.join().unwrap(), Ok(()));
            });
            assert!(buffer.is_empty());
        }
    });
}

// Putting many.

#[test]
fn put_all_waits_as_often_as_needed() {
    watchdog(|| {
        for capacity in PARTIES {
            let buffer = BoundedBuffer::new(capacity);
            thread::scope(|s| {
                let putter = s.spawn(|| {
                    let put = (buffer.put_all(0..100), buffer.put_all(unannounced(100..200)));
                    buffer.close();
                    put
                });
                assert!(buffer.iter().inspect(|_| assert!(buffer.len() <= capacity)).eq(0..200));
                assert_eq!(putter.join().unwrap(), (Ok(100), Ok(100)));
            });
        }
    });
}

#[test]
fn put_all_of_nothing_succeeds_even_if_closed_or_full() {
    watchdog(|| {
        let buffer = full(1, 0);
        assert_eq!(buffer.put_all([]), Ok(0));
        buffer.close();
        assert_eq!(buffer.put_all([]), Ok(0));
        assert_eq!((buffer.len(), buffer.unfinished()), (1, 1));
    });
}

#[test]
fn put_all_shows_its_items_before_it_waits() {
    watchdog(|| {
        // A getter that waits must be told of what is there when the putter begins to wait for it.
        for _ in 0..100 {
            let (buffer, arrivals) = (BoundedBuffer::new(2), Arrivals::default());
            thread::scope(|s| {
                s.spawn(|| {
                    arrivals.arrive();
                    (0..5).for_each(|i| assert_eq!(buffer.get(), Ok(i)));
                });
                eventually(|| arrivals.0.load(Relaxed) == 1);
                assert_eq!(buffer.put_all(0..5), Ok(5));
            });
        }
    });
}

#[test]
fn put_all_wakes_a_getter_for_each_item() {
    watchdog(|| {
        for parties in parties() {
            let (buffer, arrivals) = (BoundedBuffer::new(parties), Arrivals::default());
            thread::scope(|s| {
                for _ in 0..parties {
                    s.spawn(|| {
                        arrivals.arrive();
                        buffer.get().unwrap()
                    });
                }
                arrivals.wait_for(parties);
                assert_eq!(buffer.put_all(0..parties), Ok(parties));
            });
            assert!(buffer.is_empty());
        }
    });
}

#[test]
fn put_all_takes_announced_items_in_batches() {
    watchdog(|| {
        let (buffer, mut most) = (BoundedBuffer::new(1000), 0);
        let items = (0..500).inspect(|&i| most = most.max(i - buffer.len()));
        assert_eq!(buffer.put_all(items), Ok(500));
        assert!((1..64).contains(&most), "{most} items held while another was taken");

        // No more than there is room for: it makes room itself when there is none.
        let (buffer, mut most, mut got) = (BoundedBuffer::new(4), 0, 0);
        let items = (0..500).inspect(|&i| {
            if buffer.is_full() {
                got += buffer.try_iter().count();
            }
            most = most.max(i - got - buffer.len());
        });
        assert_eq!(buffer.put_all(items), Ok(500));
        assert_eq!(most, 3);
    });
}

#[test]
fn put_all_never_holds_back_unannounced_items() {
    watchdog(|| {
        let buffer = BoundedBuffer::new(1000);
        let items = (0..500).inspect(|&i| assert_eq!(buffer.len(), i));
        assert_eq!(buffer.put_all(unannounced(items)), Ok(500));
    });
}

#[test]
fn put_all_forwards_from_another_buffer() {
    watchdog(|| {
        let (source, target) = (BoundedBuffer::new(2), BoundedBuffer::new(2));
        thread::scope(|s| {
            let forwarder = s.spawn(|| {
                let forwarded = target.put_all(&source);
                target.close();
                forwarded
            });
            for i in 0..100 {
                source.put(i).unwrap();
                // It arrives although the next one has not been put.
                assert_eq!(target.get(), Ok(i));
            }
            source.close();
            assert_eq!(forwarder.join().unwrap(), Ok(100));
            assert_eq!(target.get(), Err(GetError));
        });
    });
}

/// An iterator that makes a promise, and must not be asked again when it has ended.
struct Promise {
    left: usize,
    ended: bool,
    lower: usize,
}

impl Iterator for Promise {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        assert!(!self.ended, "asked again after its end");
        self.ended = self.left == 0;
        self.left = self.left.checked_sub(1)?;
        Some(self.left)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.lower, None)
    }
}

#[test]
fn put_all_asks_no_iterator_beyond_its_end_and_believes_no_promise() {
    watchdog(|| {
        for left in [0, 1, 3, 64, 65, 200] {
            for lower in [0, 1, 3, 64, 65, 200, usize::MAX] {
                let buffer = BoundedBuffer::new(1000);
                assert_eq!(buffer.put_all(Promise { left, lower, ended: false }), Ok(left));
                assert!(buffer.try_iter().eq((0..left).rev()));
            }
        }
    });
}

#[test]
fn put_all_runs_the_iterator_without_the_lock() {
    watchdog(|| {
        let buffer = BoundedBuffer::new(3);
        // Makes room for itself: a lock held, or a wait before the iterator had its turn, would be a hang.
        let items = (0..50).inspect(|_| {
            if buffer.is_full() {
                buffer.get().unwrap();
            }
        });
        assert_eq!(buffer.put_all(unannounced(items)), Ok(50));
        assert!(buffer.try_iter().eq(47..50));
        // One that puts by itself.
        let items = (0..3).map(|i| buffer.put(i).map(|()| buffer.get().unwrap()).unwrap());
        assert_eq!(buffer.put_all(items), Ok(3));
    });
}

#[test]
fn put_all_gives_back_what_was_taken_and_leaves_the_rest() {
    watchdog(|| {
        for announced in either("announced ") {
            let buffer = BoundedBuffer::new(10);
            let mut numbers = 0..20;
            let mut closing = numbers.by_ref().inspect(|&i| {
                if i == 5 {
                    buffer.close();
                }
            });
            let error = if announced {
                buffer.put_all(closing.by_ref()).unwrap_err()
            } else {
                buffer.put_all(unannounced(closing.by_ref())).unwrap_err()
            };
            assert_eq!(error.put, if announced { 0 } else { 5 });
            assert!(!error.rest.is_empty());
            assert_eq!(buffer.len(), error.put);
            assert_eq!(buffer.unfinished(), error.put);
            assert!(buffer.iter().chain(error.into_inner()).chain(numbers).eq(0..20));
        }
    });
}

#[test]
fn put_all_that_waits_ends_when_the_buffer_is_closed() {
    watchdog(|| {
        let buffer = BoundedBuffer::new(2);
        thread::scope(|s| {
            let putter = s.spawn(|| buffer.put_all(0..10));
            eventually(|| buffer.is_full());
            buffer.close();
            let error = putter.join().unwrap().unwrap_err();
            assert_eq!(error, PutAllError { put: 2, rest: vec![2] });
        });
        assert!(buffer.iter().eq(0..2));
    });
}

#[test]
fn panic_in_the_iterator_loses_nothing_that_was_put() {
    watchdog(|| {
        for announced in either("announced ") {
            let (buffer, ledger) = (BoundedBuffer::new(100), Ledger::new(80));
            let items = ledger.items().inspect(|item| assert!(item.id != 70, "no seventieth"));
            let panicked = panic::catch_unwind(AssertUnwindSafe(|| {
                if announced { buffer.put_all(items) } else { buffer.put_all(unannounced(items)) }
            }));
            assert!(panicked.is_err());
            assert_eq!((buffer.len(), buffer.unfinished()), (70, 70));
            // The one that panicked has been dropped.
            assert_eq!(ledger.dropped(), 1);
            assert!(buffer.try_iter().map(|item| item.id).eq(0..70));
            // And the buffer is in order.
            buffer.put(ledger.item(79)).unwrap();
            assert_eq!(buffer.get().unwrap().id, 79);
        }
    });
}

// Getting many.

#[test]
fn get_many_of_none_neither_waits_nor_fails() {
    watchdog(|| {
        let (buffer, mut out) = (BoundedBuffer::<u8>::new(1), Vec::new());
        for _ in 0..2 {
            assert_eq!(buffer.get_many(&mut out, 0), Ok(0));
            assert_eq!(buffer.try_get_many(&mut out, 0), Ok(0));
            assert_eq!(buffer.get_many_for(&mut out, 0, Duration::MAX), Ok(0));
            assert_eq!(buffer.get_many_until(&mut out, 0, past()), Ok(0));
            buffer.close();
        }
        assert_eq!(out.capacity(), 0);
    });
}

#[test]
fn get_many_appends_what_is_there() {
    let (buffer, mut out) = (BoundedBuffer::new(10), vec![100]);
    buffer.put_all(0..8).unwrap();
    assert_eq!(buffer.get_many(&mut out, 3), Ok(3));
    assert_eq!(out, [100, 0, 1, 2]);
    assert_eq!(buffer.len(), 5);
    assert_eq!(buffer.try_get_many(&mut out, 2), Ok(2));
    assert_eq!(buffer.get_many_for(&mut out, 1, SHORT), Ok(1));
    assert_eq!(buffer.get_many_until(&mut out, usize::MAX, past()), Ok(2));
    assert_eq!(out, [100, 0, 1, 2, 3, 4, 5, 6, 7]);
    assert!(buffer.is_empty());
}

#[test]
fn get_many_waits_for_the_first_item() {
    watchdog(|| {
        let (buffer, arrivals) = (BoundedBuffer::new(10), Arrivals::default());
        thread::scope(|s| {
            let getter = s.spawn(|| {
                let mut out = Vec::new();
                arrivals.arrive();
                (buffer.get_many(&mut out, 5), out)
            });
            arrivals.wait_for(1);
            buffer.put('a').unwrap();
            assert_eq!(getter.join().unwrap(), (Ok(1), vec!['a']));
        });
    });
}

#[test]
fn get_many_wakes_a_putter_for_each_place() {
    watchdog(|| {
        for parties in parties() {
            for closing in either("closing ") {
                let (buffer, arrivals) = (full(parties, usize::MAX), Arrivals::default());
                thread::scope(|s| {
                    for id in 0..parties {
                        let (buffer, arrivals) = (&buffer, &arrivals);
                        s.spawn(move || {
                            arrivals.arrive();
                            let put = buffer.put(id);
                            assert_eq!(put, if closing { Err(PutError(id)) } else { Ok(()) });
                        });
                    }
                    arrivals.wait_for(parties);
                    if closing {
                        assert_eq!(buffer.close_now().len(), parties);
                    } else {
                        let mut out = Vec::new();
                        while out.len() < parties {
                            let missing = parties - out.len();
                            buffer.get_many(&mut out, missing).unwrap();
                        }
                        assert!(out.iter().all(|&item| item == usize::MAX));
                    }
                });
                assert_eq!(buffer.len(), if closing { 0 } else { parties });
            }
        }
    });
}

#[test]
fn get_many_wakes_others_for_what_it_leaves() {
    watchdog(|| {
        for _ in 0..100 {
            let (buffer, arrivals) = (BoundedBuffer::new(4), Arrivals::default());
            thread::scope(|s| {
                for _ in 0..2 {
                    s.spawn(|| {
                        let mut out = Vec::new();
                        arrivals.arrive();
                        while out.len() < 2 {
                            let missing = 2 - out.len();
                            buffer.get_many(&mut out, missing).unwrap();
                        }
                    });
                }
                eventually(|| arrivals.0.load(Relaxed) == 2);
                assert_eq!(buffer.put_all(0..4), Ok(4));
            });
            assert!(buffer.is_empty());
        }
    });
}

// Iterators.

#[test]
fn iter_ends_when_closed_and_empty() {
    watchdog(|| {
        fn assert_fused<I: FusedIterator>(_: &I) {}
        let buffer = BoundedBuffer::new(3);
        buffer.put_all(0..3).unwrap();
        buffer.close();
        let mut iter = buffer.iter();
        assert_fused(&iter);
        assert!(iter.by_ref().eq(0..3));
        assert_eq!((iter.next(), iter.clone().next(), (&buffer).into_iter().next()), (None, None, None));
    });
}

#[test]
fn iter_waits_for_items() {
    watchdog(|| {
        let (buffer, mut sum) = (BoundedBuffer::new(1), 0);
        thread::scope(|s| {
            s.spawn(|| {
                buffer.put_all(unannounced(1..=100)).unwrap();
                buffer.close();
            });
            for item in &buffer {
                sum += item;
            }
        });
        assert_eq!(sum, 5050);
    });
}

#[test]
fn try_iter_goes_on_when_there_are_items_again() {
    let buffer = BoundedBuffer::new(3);
    let mut iter = buffer.try_iter();
    assert_eq!(iter.next(), None);
    buffer.put_all([1, 2]).unwrap();
    assert_eq!((iter.next(), iter.clone().next(), iter.next()), (Some(1), Some(2), None));
    buffer.put(3).unwrap();
    buffer.close();
    assert_eq!((iter.next(), iter.next()), (Some(3), None));
}

// Closing.

/// CPython: `BaseQueueTestMixin.test_shutdown_empty`.
#[test]
fn close_of_an_empty_buffer_ends_puts_and_gets() {
    watchdog(|| {
        let buffer = BoundedBuffer::new(1);
        buffer.close();
        assert_eq!(buffer.put(1), Err(PutError(1)));
        assert_eq!(buffer.get(), Err(GetError));
    });
}

/// CPython: `BaseQueueTestMixin.test_shutdown_nonempty`, `test_shutdown_all_methods_in_one_thread`.
#[test]
fn close_ends_puts_and_drains_gets() {
    watchdog(|| {
        let (buffer, mut out) = (BoundedBuffer::new(8), Vec::new());
        buffer.put_all(0..7).unwrap();
        buffer.close();
        assert_eq!(buffer.put(9), Err(PutError(9)));
        assert_eq!(buffer.try_put(9), Err(TryPutError::Closed(9)));
        assert_eq!(buffer.put_for(9, LIMIT), Err(PutTimeoutError::Closed(9)));
        assert_eq!(buffer.put_until(9, past()), Err(PutTimeoutError::Closed(9)));
        assert_eq!(buffer.put_all([9]), Err(PutAllError { put: 0, rest: vec![9] }));

        assert_eq!(buffer.get(), Ok(0));
        assert_eq!(buffer.try_get(), Ok(1));
        assert_eq!(buffer.get_for(LIMIT), Ok(2));
        assert_eq!(buffer.get_until(past()), Ok(3));
        assert_eq!(buffer.iter().next(), Some(4));
        assert_eq!(buffer.try_iter().next(), Some(5));
        assert_eq!(buffer.get_many(&mut out, 8), Ok(1));

        assert_eq!(buffer.get(), Err(GetError));
        assert_eq!(buffer.try_get(), Err(TryGetError::Closed));
        assert_eq!(buffer.get_for(LIMIT), Err(GetTimeoutError::Closed));
        assert_eq!(buffer.get_until(past()), Err(GetTimeoutError::Closed));
        assert_eq!(buffer.get_many(&mut out, 8), Err(GetError));
        assert_eq!(buffer.try_get_many(&mut out, 8), Err(TryGetError::Closed));
        assert_eq!(buffer.get_many_for(&mut out, 8, LIMIT), Err(GetTimeoutError::Closed));
        assert_eq!(buffer.get_many_until(&mut out, 8, past()), Err(GetTimeoutError::Closed));
        assert_eq!(out, [6]);

        // What was taken is still to be done, and can be.
        (0..7).for_each(|_| buffer.task_done());
        buffer.join();
    });
}

#[test]
fn closed_and_full_is_closed() {
    let buffer = full(1, 0);
    buffer.close();
    assert_eq!(buffer.try_put(1), Err(TryPutError::Closed(1)));
    assert_eq!(buffer.put_for(2, Duration::ZERO), Err(PutTimeoutError::Closed(2)));
}

/// CPython: `BaseQueueTestMixin.test_shutdown_immediate`, `test_shutdown_immediate_all_methods_in_one_thread`.
#[test]
fn close_now_returns_what_was_queued() {
    watchdog(|| {
        let buffer = BoundedBuffer::new(3);
        // Around the end of the storage.
        buffer.put_all([8, 9]).unwrap();
        buffer.get().unwrap();
        buffer.put_all([10, 11]).unwrap();
        assert_eq!(buffer.close_now(), [9, 10, 11]);
        assert!(buffer.is_closed() && buffer.is_empty());
        assert_eq!(buffer.put(1), Err(PutError(1)));
        assert_eq!(buffer.get(), Err(GetError));
        assert_eq!(buffer.try_get(), Err(TryGetError::Closed));
        // The one that was taken is the only one to be done; those that were queued cannot be.
        assert_eq!(buffer.unfinished(), 1);
        buffer.task_done();
        assert_eq!(buffer.try_task_done(), Err(TaskDoneError));
        buffer.join();
    });
}

/// CPython: `BaseQueueTestMixin.test_shutdown_allowed_transitions`.
#[test]
fn closing_again_changes_nothing() {
    let buffer = full(2, 'a');
    assert!(!buffer.is_closed());
    buffer.close();
    assert!(buffer.is_closed());
    buffer.close();
    assert_eq!(buffer.len(), 2);
    assert_eq!(buffer.close_now(), ['a', 'a']);
    assert!(buffer.is_closed());
    assert_eq!(buffer.close_now(), []);
    buffer.close();
    assert!(buffer.is_closed());
    assert_eq!(buffer.unfinished(), 0);
}

/// CPython: `BaseQueueTestMixin.test_shutdown_get`, `test_shutdown_immediate_get`, `test_shutdown_pending_get`.
#[test]
fn close_wakes_all_getters() {
    watchdog(|| {
        for parties in parties() {
            for at_once in either("at_once ") {
                let (buffer, arrivals) = (BoundedBuffer::<u8>::new(1), Arrivals::default());
                thread::scope(|s| {
                    for id in 0..parties {
                        let (buffer, arrivals) = (&buffer, &arrivals);
                        s.spawn(move || {
                            arrivals.arrive();
                            match id % 3 {
                                0 => assert_eq!(buffer.get(), Err(GetError)),
                                1 => assert_eq!(buffer.get_for(Duration::MAX), Err(GetTimeoutError::Closed)),
                                _ => assert_eq!(buffer.get_many(&mut Vec::new(), 9), Err(GetError)),
                            }
                        });
                    }
                    arrivals.wait_for(parties);
                    if at_once {
                        assert!(buffer.close_now().is_empty());
                    } else {
                        buffer.close();
                    }
                });
            }
        }
    });
}

/// CPython: `BaseQueueTestMixin.test_shutdown_put`, `test_shutdown_immediate_put`.
#[test]
fn close_wakes_all_putters_and_gives_their_items_back() {
    watchdog(|| {
        for parties in parties() {
            for at_once in either("at_once ") {
                let (buffer, arrivals) = (full(2, usize::MAX), Arrivals::default());
                thread::scope(|s| {
                    for id in 0..parties {
                        let (buffer, arrivals) = (&buffer, &arrivals);
                        s.spawn(move || {
                            arrivals.arrive();
                            match id % 3 {
                                0 => assert_eq!(buffer.put(id), Err(PutError(id))),
                                1 => {
                                    let put = buffer.put_for(id, Duration::MAX);
                                    assert_eq!(put, Err(PutTimeoutError::Closed(id)));
                                }
                                _ => assert_eq!(
                                    buffer.put_all([id, id]),
                                    Err(PutAllError { put: 0, rest: vec![id; 2] })
                                ),
                            }
                        });
                    }
                    arrivals.wait_for(parties);
                    if at_once {
                        assert_eq!(buffer.close_now(), [usize::MAX; 2]);
                    } else {
                        buffer.close();
                    }
                });
                assert_eq!(buffer.len(), if at_once { 0 } else { 2 });
            }
        }
    });
}

#[test]
fn close_now_drops_nothing_twice() {
    let ledger = Ledger::new(10);
    let buffer = BoundedBuffer::new(6);
    for item in ledger.items().take(6) {
        buffer.try_put(item).unwrap();
    }
    drop(buffer.get());
    drop(buffer.get());
    let left = buffer.close_now();
    assert_eq!(left.len(), 4);
    assert_eq!(ledger.dropped(), 2);
    drop(left);
    assert_eq!(ledger.dropped(), 6);
    for item in (6..10).map(|id| ledger.item(id)) {
        drop(buffer.put(item).unwrap_err());
    }
    drop(buffer);
    ledger.assert_each_dropped_once();
}

// Reporting work as done.

/// CPython: `BaseQueueTestMixin.test_queue_task_done`.
#[test]
#[should_panic(expected = "BoundedBuffer::task_done")]
fn task_done_panics_if_called_too_often() {
    BoundedBuffer::<u8>::new(1).task_done();
}

#[test]
fn task_done_beyond_the_count_changes_nothing() {
    let buffer = full(2, 0);
    assert_eq!(buffer.unfinished(), 2);
    // Python's contract: it counts, whether or not the items have been taken.
    assert_eq!(buffer.try_task_done(), Ok(()));
    buffer.task_done();
    assert_eq!(buffer.try_task_done(), Err(TaskDoneError));
    assert!(panic::catch_unwind(AssertUnwindSafe(|| buffer.task_done())).is_err());
    assert_eq!((buffer.unfinished(), buffer.len()), (0, 2));
    buffer.get().unwrap();
    buffer.put(1).unwrap();
    assert_eq!(buffer.unfinished(), 1);
}

#[test]
fn close_now_counts_what_was_reported_early_once() {
    watchdog(|| {
        let buffer = full(3, 0);
        buffer.task_done();
        buffer.task_done();
        assert_eq!(buffer.close_now(), [0; 3]);
        assert_eq!(buffer.unfinished(), 0);
        buffer.join();
    });
}

/// CPython: `BaseQueueTestMixin.test_queue_join`.
#[test]
fn join_waits_until_everything_is_done() {
    watchdog(|| {
        for parties in parties() {
            let (buffer, done) = (BoundedBuffer::new(4), AtomicUsize::new(0));
            thread::scope(|s| {
                for _ in 0..parties {
                    s.spawn(|| {
                        for item in &buffer {
                            done.fetch_add(item, Relaxed);
                            buffer.task_done();
                        }
                    });
                }
                // A fresh buffer has nothing to wait for; and it can be joined again.
                buffer.join();
                for round in 1..=3 {
                    assert_eq!(buffer.put_all(iter::repeat_n(1, 100)), Ok(100));
                    buffer.join();
                    assert_eq!(done.load(Relaxed), 100 * round);
                    assert_eq!(buffer.unfinished(), 0);
                }
                buffer.close();
                buffer.join();
            });
        }
    });
}

#[test]
fn join_for_times_out_and_leaves_nothing_behind() {
    watchdog(|| {
        let buffer = full(1, 0);
        let start = Instant::now();
        assert!(!buffer.join_for(SHORT));
        assert!(start.elapsed() >= SHORT);
        assert!(!buffer.join_until(start + 2 * SHORT));
        assert!(start.elapsed() >= 2 * SHORT);
        buffer.task_done();
        assert!(buffer.join_for(SHORT));
        assert!(buffer.join_until(start));
    });
}

#[test]
fn all_joiners_are_released() {
    watchdog(|| {
        for parties in parties() {
            let (buffer, arrivals) = (full(2, 0), Arrivals::default());
            thread::scope(|s| {
                for id in 0..parties {
                    let (buffer, arrivals) = (&buffer, &arrivals);
                    s.spawn(move || {
                        arrivals.arrive();
                        if id % 2 == 0 {
                            buffer.join();
                        } else {
                            assert!(buffer.join_for(Duration::MAX));
                        }
                    });
                }
                arrivals.wait_for(parties);
                buffer.task_done();
                buffer.task_done();
            });
        }
    });
}

#[test]
fn join_returns_although_more_is_put_right_after() {
    watchdog(|| {
        let (buffer, joined) = (full(1, 0), AtomicBool::new(false));
        thread::scope(|s| {
            s.spawn(|| {
                buffer.join();
                joined.store(true, Relaxed);
            });
            // Everything is done for a moment only, again and again.
            while !joined.load(Relaxed) {
                buffer.get().unwrap();
                buffer.task_done();
                buffer.put(0).unwrap();
                thread::yield_now();
            }
        });
    });
}

/// CPython: `BaseQueueTestMixin.test_shutdown_join`, `test_shutdown_put_join`.
#[test]
fn close_releases_no_joiner() {
    watchdog(|| {
        let (buffer, arrivals) = (full(2, 0), Arrivals::default());
        thread::scope(|s| {
            let joiner = s.spawn(|| {
                arrivals.arrive();
                buffer.join();
                buffer.unfinished()
            });
            arrivals.wait_for(1);
            buffer.close();
            assert!(!buffer.join_for(SHORT));
            assert!(!joiner.is_finished());
            for _ in &buffer {
                buffer.task_done();
            }
            assert_eq!(joiner.join().unwrap(), 0);
        });
    });
}

/// CPython: `BaseQueueTestMixin.test_shutdown_immediate_join`, `test_shutdown_immediate_put_join`.
#[test]
fn close_now_releases_joiners_if_nobody_is_at_work() {
    watchdog(|| {
        for parties in parties() {
            for closed_before in either("closed_before ") {
                let (buffer, arrivals) = (full(3, 0), Arrivals::default());
                thread::scope(|s| {
                    for _ in 0..parties {
                        s.spawn(|| {
                            arrivals.arrive();
                            buffer.join();
                        });
                    }
                    arrivals.wait_for(parties);
                    if closed_before {
                        buffer.close();
                    }
                    assert_eq!(buffer.close_now().len(), 3);
                });
            }
        }
    });
}

/// CPython: `BaseQueueTestMixin.test_shutdown_get_task_done_join`, `test_shutdown_immediate_get_task_done_join`.
#[test]
fn close_now_lets_joiners_wait_for_work_under_way() {
    watchdog(|| {
        let (buffer, arrivals) = (full(3, 0), Arrivals::default());
        buffer.get().unwrap();
        buffer.get().unwrap();
        thread::scope(|s| {
            let joiner = s.spawn(|| {
                arrivals.arrive();
                buffer.join();
            });
            arrivals.wait_for(1);
            assert_eq!(buffer.close_now(), [0]);
            assert_eq!(buffer.unfinished(), 2);
            buffer.task_done();
            assert!(!buffer.join_for(SHORT));
            assert!(!joiner.is_finished());
            buffer.task_done();
        });
        assert_eq!(buffer.try_task_done(), Err(TaskDoneError));
    });
}

// The caller's own code.

/// CPython: `SimpleQueueTest.test_reentrancy`.
#[test]
fn destructors_may_use_the_buffer() {
    static BUFFER: BoundedBuffer<Echo> = BoundedBuffer::new(3);

    /// Looks around in the buffer when it goes, and leaves a smaller one behind.
    struct Echo(u32);

    impl Drop for Echo {
        fn drop(&mut self) {
            assert!(BUFFER.len() <= BUFFER.capacity());
            if self.0 > 0 {
                let _ = BUFFER.try_put(Echo(self.0 - 1));
            }
        }
    }

    watchdog(|| {
        BUFFER.put(Echo(3)).unwrap();
        assert_eq!(BUFFER.try_iter().count(), 4);
        assert_eq!(BUFFER.put_all((0..3).map(|_| Echo(1))).unwrap(), 3);
        drop(BUFFER.try_put(Echo(1)).unwrap_err());
        drop(BUFFER.put_for(Echo(1), TINY).unwrap_err());
        let mut out = Vec::new();
        assert_eq!(BUFFER.get_many(&mut out, 2), Ok(2));
        drop(out);
        assert_eq!(BUFFER.len(), 3);
        drop(BUFFER.close_now());
        drop(BUFFER.put_all([Echo(1), Echo(1)]).unwrap_err());
        drop(BUFFER.put(Echo(1)).unwrap_err());
        assert!(BUFFER.is_empty());
    });
}

// Errors.

#[test]
fn errors_give_items_back_and_say_why() {
    struct Opaque;
    let source: [(Box<dyn Error>, &str, &str); 11] = [
        (Box::new(PutError(Opaque)), "the buffer is closed", "PutError(the buffer is closed, ..)"),
        (Box::new(TryPutError::Full(Opaque)), "the buffer is full", "Full(..)"),
        (Box::new(TryPutError::Closed(Opaque)), "the buffer is closed", "Closed(..)"),
        (
            Box::new(PutTimeoutError::Timeout(Opaque)),
            "timed out waiting for room in the buffer",
            "Timeout(..)",
        ),
        (Box::new(PutTimeoutError::Closed(Opaque)), "the buffer is closed", "Closed(..)"),
        (
            Box::new(PutAllError { put: 3, rest: vec![Opaque, Opaque] }),
            "the buffer was closed after 3 items were put",
            "PutAllError { reason: the buffer is closed, put: 3, rest: [..; 2] }",
        ),
        (Box::new(GetError), "the buffer is closed and empty", "GetError(the buffer is closed and empty)"),
        (Box::new(TryGetError::Empty), "the buffer is empty", "Empty"),
        (Box::new(TryGetError::Closed), "the buffer is closed and empty", "Closed"),
        (Box::new(GetTimeoutError::Timeout), "timed out waiting for an item in the buffer", "Timeout"),
        (
            Box::new(TaskDoneError),
            "more tasks reported done than items were put",
            "TaskDoneError(more tasks reported done than items were put)",
        ),
    ];
    for (error, display, debug) in source {
        assert_eq!((error.to_string(), format!("{error:?}")), (display.to_owned(), debug.to_owned()));
    }

    assert_eq!(PutError(1).into_inner(), 1);
    assert_eq!((TryPutError::Full(1).into_inner(), TryPutError::Closed(2).into_inner()), (1, 2));
    assert_eq!((PutTimeoutError::Timeout(1).into_inner(), PutTimeoutError::Closed(2).into_inner()), (1, 2));
    assert_eq!(PutAllError { put: 0, rest: vec![1, 2] }.into_inner(), [1, 2]);
}

#[test]
fn errors_can_be_told_apart() {
    assert!(TryPutError::Full(1).is_full() && !TryPutError::Full(1).is_closed());
    assert!(!TryPutError::Closed(1).is_full() && TryPutError::Closed(1).is_closed());
    assert!(PutTimeoutError::Timeout(1).is_timeout() && !PutTimeoutError::Timeout(1).is_closed());
    assert!(!PutTimeoutError::Closed(1).is_timeout() && PutTimeoutError::Closed(1).is_closed());
    assert!(TryGetError::Empty.is_empty() && !TryGetError::Empty.is_closed());
    assert!(!TryGetError::Closed.is_empty() && TryGetError::Closed.is_closed());
    assert!(GetTimeoutError::Timeout.is_timeout() && !GetTimeoutError::Timeout.is_closed());
    assert!(!GetTimeoutError::Closed.is_timeout() && GetTimeoutError::Closed.is_closed());

    assert_eq!(TryPutError::from(PutError(1)), TryPutError::Closed(1));
    assert_eq!(PutTimeoutError::from(PutError(1)), PutTimeoutError::Closed(1));
    assert_eq!(TryGetError::from(GetError), TryGetError::Closed);
    assert_eq!(GetTimeoutError::from(GetError), GetTimeoutError::Closed);
}

#[test]
fn errors_are_copied_if_their_items_can_be() {
    fn assert_copy<T: Copy>() {}
    assert_copy::<(PutError<u8>, TryPutError<u8>, PutTimeoutError<u8>)>();
    assert_copy::<(GetError, TryGetError, GetTimeoutError, TaskDoneError)>();
    let error = PutAllError { put: 1, rest: vec![String::new()] };
    assert_eq!(error.clone(), error);
}

// Many threads.

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
        for producers in PARTIES {
            for (consumers, capacity) in PARTIES.into_iter().zip([1, 7, 2, 64, 3, 1]) {
                let buffer = BoundedBuffer::new(capacity);
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
            let buffer = BoundedBuffer::new(1 + round % 5);
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
                        // Not all: some stay for whoever closes, or for the buffer's own end.
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

// Random programs.

/// What a buffer is, seen by one thread.
#[derive(Debug)]
struct Specification {
    capacity: usize,
    queue: VecDeque<u8>,
    closed: bool,
    unfinished: usize,
}

impl Specification {
    fn room(&self) -> usize {
        self.capacity - self.queue.len()
    }

    fn put(&mut self, item: u8) -> Result<(), PutTimeoutError<u8>> {
        if self.closed {
            Err(PutTimeoutError::Closed(item))
        } else if self.room() == 0 {
            Err(PutTimeoutError::Timeout(item))
        } else {
            self.queue.push_back(item);
            self.unfinished += 1;
            Ok(())
        }
    }

    fn get(&mut self) -> Result<u8, GetTimeoutError> {
        let nothing = if self.closed { GetTimeoutError::Closed } else { GetTimeoutError::Timeout };
        self.queue.pop_front().ok_or(nothing)
    }

    fn get_many(&mut self, max: usize) -> Result<Vec<u8>, GetTimeoutError> {
        if max == 0 {
            return Ok(Vec::new());
        }
        let first = self.get()?;
        Ok(iter::once(first).chain(iter::from_fn(|| self.queue.pop_front()).take(max - 1)).collect())
    }

    fn close_now(&mut self) -> Vec<u8> {
        self.closed = true;
        self.unfinished = self.unfinished.saturating_sub(self.queue.len());
        self.queue.drain(..).collect()
    }
}

/// Which form of a call: where the plain one would wait, the one that tries once takes its place.
#[derive(Clone, Copy, Debug)]
enum Form {
    Plain,
    Try,
    For,
    Until,
}

#[derive(Clone, Debug)]
enum Step {
    Put(Form, u8),
    PutAll { items: Vec<u8>, announced: bool },
    Get(Form),
    GetMany(Form, usize),
    Iter(usize),
    TaskDone,
    Join(Form),
    Close,
    CloseNow,
}

fn step() -> impl Strategy<Value = Step> {
    let form = || prop_oneof![Just(Form::Plain), Just(Form::Try), Just(Form::For), Just(Form::Until)];
    prop_oneof![
        12 => (form(), any::<u8>()).prop_map(|(form, item)| Step::Put(form, item)),
        6 => (prop::collection::vec(any::<u8>(), 0..100), any::<bool>())
            .prop_map(|(items, announced)| Step::PutAll { items, announced }),
        10 => form().prop_map(Step::Get),
        6 => (form(), 0..12_usize).prop_map(|(form, max)| Step::GetMany(form, max)),
        3 => (0..5_usize).prop_map(Step::Iter),
        8 => Just(Step::TaskDone),
        3 => form().prop_map(Step::Join),
        1 => Just(Step::Close),
        1 => Just(Step::CloseNow),
    ]
}

fn run(step: Step, buffer: &BoundedBuffer<u8>, spec: &mut Specification) {
    let can_wait_for_room = !spec.closed && spec.room() == 0;
    let can_wait_for_item = !spec.closed && spec.queue.is_empty();
    match step {
        Step::Put(form, item) => {
            let put = match form {
                Form::Plain if !can_wait_for_room => buffer.put(item).map_err(PutTimeoutError::from),
                Form::Plain | Form::Try => buffer.try_put(item).map_err(|error| match error {
                    TryPutError::Full(item) => PutTimeoutError::Timeout(item),
                    TryPutError::Closed(item) => PutTimeoutError::Closed(item),
                }),
                Form::For => buffer.put_for(item, Duration::ZERO),
                Form::Until => buffer.put_until(item, past()),
            };
            assert_eq!(put, spec.put(item));
        }
        Step::PutAll { mut items, announced } => {
            if !spec.closed {
                items.truncate(spec.room());
            }
            let mut left = items.iter().copied();
            let put = if announced {
                buffer.put_all(left.by_ref())
            } else {
                buffer.put_all(unannounced(left.by_ref()))
            };
            match put {
                Ok(put) => {
                    assert_eq!(put, items.len());
                    items.iter().for_each(|&item| spec.put(item).unwrap());
                }
                Err(error) => {
                    assert!(spec.closed && error.put == 0 && !error.rest.is_empty());
                    assert!(error.rest.into_iter().chain(left).eq(items.iter().copied()));
                }
            }
        }
        Step::Get(form) => {
            let got = match form {
                Form::Plain if !can_wait_for_item => buffer.get().map_err(GetTimeoutError::from),
                Form::Plain | Form::Try => buffer.try_get().map_err(|error| match error {
                    TryGetError::Empty => GetTimeoutError::Timeout,
                    TryGetError::Closed => GetTimeoutError::Closed,
                }),
                Form::For => buffer.get_for(Duration::ZERO),
                Form::Until => buffer.get_until(past()),
            };
            assert_eq!(got, spec.get());
        }
        Step::GetMany(form, max) => {
            let mut out = Vec::new();
            let got = match form {
                Form::Plain if !can_wait_for_item => {
                    buffer.get_many(&mut out, max).map_err(GetTimeoutError::from)
                }
                Form::Plain | Form::Try => buffer.try_get_many(&mut out, max).map_err(|error| match error {
                    TryGetError::Empty => GetTimeoutError::Timeout,
                    TryGetError::Closed => GetTimeoutError::Closed,
                }),
                Form::For => buffer.get_many_for(&mut out, max, Duration::ZERO),
                Form::Until => buffer.get_many_until(&mut out, max, past()),
            };
            let expected = spec.get_many(max);
            assert_eq!(got, expected.as_ref().map(Vec::len).map_err(|&error| error));
            assert_eq!(out, expected.unwrap_or_default());
        }
        Step::Iter(n) => {
            let expected: Vec<_> = iter::from_fn(|| spec.get().ok()).take(n).collect();
            if spec.closed {
                assert!(buffer.iter().take(n).eq(expected));
            } else {
                assert!(buffer.try_iter().take(n).eq(expected));
            }
        }
        Step::TaskDone => {
            assert_eq!(buffer.try_task_done().is_ok(), spec.unfinished > 0);
            spec.unfinished = spec.unfinished.saturating_sub(1);
        }
        Step::Join(form) => {
            let joined = match form {
                Form::Plain if spec.unfinished == 0 => {
                    buffer.join();
                    true
                }
                Form::Until => buffer.join_until(past()),
                Form::Plain | Form::Try | Form::For => buffer.join_for(Duration::ZERO),
            };
            assert_eq!(joined, spec.unfinished == 0);
        }
        Step::Close => {
            buffer.close();
            spec.closed = true;
        }
        Step::CloseNow => assert_eq!(buffer.close_now(), spec.close_now()),
    }
    assert_eq!(buffer.len(), spec.queue.len());
    assert_eq!(buffer.is_empty(), spec.queue.is_empty());
    assert_eq!(buffer.is_full(), spec.room() == 0);
    assert_eq!(buffer.is_closed(), spec.closed);
    assert_eq!(buffer.unfinished(), spec.unfinished);
}

proptest! {
    #[test]
    fn one_thread_sees_what_the_specification_says(
        capacity in prop_oneof![1..10_usize, 60..150_usize],
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let buffer = BoundedBuffer::new(capacity);
        let mut spec = Specification { capacity, queue: VecDeque::new(), closed: false, unfinished: 0 };
        for step in steps {
            run(step, &buffer, &mut spec);
        }
        prop_assert!(buffer.try_iter().eq(spec.queue));
    }
}
