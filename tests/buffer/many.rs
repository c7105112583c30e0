//! Putting and getting many at once, and iterators.

use std::iter::FusedIterator;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use lockwork::{BoundedBuffer, GetError, PutAllError, PutError};

use super::{Arrivals, Ledger, SHORT, full, pass, past, unannounced};
use crate::support::{LIMIT, Sleeper, cases, either, eventually, parties, shown, unwinds, watchdog};

#[test]
fn put_all_waits_as_often_as_needed() {
    watchdog(|| {
        for capacity in parties() {
            let buffer = shown(BoundedBuffer::new(capacity));
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
        let buffer = shown(BoundedBuffer::new(1000));
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
        for left in cases([0, 1, 3, 64, 65, 200]) {
            for lower in cases([0, 1, 3, 64, 65, 200, usize::MAX]) {
                let buffer = shown(BoundedBuffer::new(1000));
                assert_eq!(buffer.put_all(Promise { left, lower, ended: false }), Ok(left));
                assert!(buffer.try_iter().eq((0..left).rev()));
            }
        }
    });
}

#[test]
fn put_all_runs_the_iterator_without_the_lock() {
    watchdog(|| {
        let buffer = shown(BoundedBuffer::new(3));
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
            let buffer = shown(BoundedBuffer::new(10));
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
        let buffer = shown(BoundedBuffer::new(2));
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

/// However it has waited, and however little room its vector had when it began to.
#[test]
fn get_many_that_has_slept_takes_all_that_is_there() {
    if !Sleeper::SURE {
        return;
    }
    watchdog(|| {
        for capacity in cases([64, 2000]) {
            for long in either("first for long") {
                for timed in either("timed") {
                    let (buffer, sleeper) = (BoundedBuffer::new(capacity), Sleeper::new());
                    thread::scope(|s| {
                        let getter = s.spawn(|| {
                            let mut out = Vec::new();
                            sleeper.about_to_block();
                            if timed {
                                buffer.get_many_for(&mut out, 64, LIMIT).unwrap()
                            } else {
                                buffer.get_many(&mut out, 64).unwrap()
                            }
                        });
                        sleeper.until_asleep();
                        if long {
                            pass(SHORT);
                        }
                        buffer.put_all(0..64).unwrap();
                        assert_eq!(getter.join().unwrap(), 64);
                    });
                }
            }
        }
    });
}

/// All stay, and so does what was handed to the thread.
#[test]
fn get_many_without_room_for_what_it_was_woken_for_loses_nothing() {
    if !Sleeper::SURE {
        return;
    }
    watchdog(|| {
        for long in either("first for long") {
            let (buffer, sleeper) = (BoundedBuffer::new(4), Sleeper::new());
            thread::scope(|s| {
                let getter = s.spawn(|| {
                    // One more fits, and no second.
                    let mut out = Vec::from([(); usize::MAX - 1]);
                    sleeper.about_to_block();
                    unwinds(|| _ = buffer.get_many(&mut out, 4))
                });
                sleeper.until_asleep();
                if long {
                    pass(SHORT);
                }
                buffer.put_all([(), ()]).unwrap();
                assert!(getter.join().unwrap());
            });
            assert_eq!(buffer.try_iter().count(), 2);
        }
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

#[test]
fn iter_ends_when_closed_and_empty() {
    watchdog(|| {
        fn assert_fused<I: FusedIterator>(_: &I) {}
        let buffer = shown(BoundedBuffer::new(3));
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
    let buffer = shown(BoundedBuffer::new(3));
    let mut iter = buffer.try_iter();
    assert_eq!(iter.next(), None);
    buffer.put_all([1, 2]).unwrap();
    assert_eq!((iter.next(), iter.clone().next(), iter.next()), (Some(1), Some(2), None));
    buffer.put(3).unwrap();
    buffer.close();
    assert_eq!((iter.next(), iter.next()), (Some(3), None));
}
