//! Reporting work as done, and waiting for it.

use std::iter::{self};
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{BoundedBuffer, TaskDoneError};

use super::{Arrivals, SHORT, full};
use crate::support::{either, parties, watchdog};

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
fn close_now_releases_joiners_if_no_item_is_at_work() {
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

/// CPython: `BaseQueueTestMixin.test_shutdown_get_task_done_join`,
/// `test_shutdown_immediate_get_task_done_join`.
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
