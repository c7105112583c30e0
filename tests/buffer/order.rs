//! Putting and getting one by one, without a time limit.

use std::thread;

use lockwork::{BoundedBuffer, GetTimeoutError, PutTimeoutError, TryGetError, TryPutError};

use super::{Arrivals, Ledger, TINY, full};
use crate::support::{parties, shown, watchdog};

/// CPython: `SimpleQueueTest.test_order`.
#[test]
fn items_leave_in_the_order_in_which_they_came() {
    let buffer = shown(BoundedBuffer::new(8));
    // Around the end of the storage a few times.
    for round in 0..10 {
        (0..5).for_each(|i| buffer.put((round, i)).unwrap());
        (0..5).for_each(|i| assert_eq!(buffer.get(), Ok((round, i))));
    }
}

/// CPython: `BaseQueueTestMixin.test_basic`.
#[test]
fn queries_follow_puts_and_gets() {
    let buffer = shown(BoundedBuffer::new(3));
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
        let buffer = shown(BoundedBuffer::new(2));
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
fn items_are_dropped_by_their_getters() {
    let ledger = Ledger::new(6);
    let buffer = shown(BoundedBuffer::new(4));
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
