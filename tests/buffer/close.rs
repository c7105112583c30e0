//! Closing.

use std::thread;
use std::time::Duration;

use lockwork::{
    BoundedBuffer, GetError, GetTimeoutError, PutAllError, PutError, PutTimeoutError, TaskDoneError,
    TryGetError, TryPutError,
};

use super::{Arrivals, Ledger, full, past};
use crate::support::{LIMIT, either, parties, shown, watchdog};

/// CPython: `BaseQueueTestMixin.test_shutdown_empty`.
#[test]
fn close_of_an_empty_buffer_ends_puts_and_gets() {
    watchdog(|| {
        let buffer = shown(BoundedBuffer::new(1));
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

/// CPython: `BaseQueueTestMixin.test_shutdown_immediate`,
/// `test_shutdown_immediate_all_methods_in_one_thread`.
#[test]
fn close_now_returns_what_was_queued() {
    watchdog(|| {
        let buffer = shown(BoundedBuffer::new(3));
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

/// CPython: `BaseQueueTestMixin.test_shutdown_get`, `test_shutdown_immediate_get`,
/// `test_shutdown_pending_get`.
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
    let buffer = shown(BoundedBuffer::new(6));
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
