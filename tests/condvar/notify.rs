//! Notifications: which waiters they wake, and how many.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use lockwork::{Condvar, Mutex};

use super::Room;
use crate::support::{PARTIES, SHORT, either, eventually, parties, repeat, watchdog};

#[test]
fn notify_one_wakes_in_the_order_of_arrival() {
    watchdog(|| {
        for parties in parties() {
            let room = Room::new();
            room.with_waiters(parties, || {
                for number in 0..parties {
                    assert!(room.condvar.notify_one());
                    room.until_returned(number + 1);
                    assert_eq!(room.returned().last(), Some(&number));
                }
                assert!(!room.condvar.notify_one());
            });
        }
    });
}

#[test]
fn notify_many_wakes_n_at_most_and_the_first() {
    watchdog(|| {
        for parties in parties() {
            for n in 0..=parties {
                let room = Room::new();
                room.with_waiters(parties, || {
                    assert_eq!(room.condvar.notify_many(0), 0);
                    assert_eq!(room.condvar.notify_many(n), n);
                    room.until_returned(n);
                    let mut returned = room.returned();
                    returned.sort_unstable();
                    assert!(returned.into_iter().eq(0..n));
                    // The others still wait, and there are no more than these.
                    assert_eq!(room.condvar.notify_many(parties + 1), parties - n);
                    assert_eq!(room.condvar.notify_many(1), 0);
                });
            }
        }
    });
}

#[test]
fn surplus_of_notify_many_is_not_kept() {
    watchdog(|| {
        let room = Room::new();
        room.with_waiters(2, || assert_eq!(room.condvar.notify_many(usize::MAX), 2));
        assert!(room.condvar.wait_for(&mut room.log.lock(), SHORT).timed_out());
    });
}

#[test]
fn notify_all_wakes_all_and_counts_them() {
    watchdog(|| {
        // The last are more than are woken at once for a free mutex.
        for parties in PARTIES.into_iter().chain([40]) {
            for held in either("held ") {
                let room = Room::new();
                room.with_waiters(parties, || {
                    let log = held.then(|| room.log.lock());
                    assert_eq!(room.condvar.notify_all(), parties);
                    assert_eq!(room.condvar.notify_all(), 0, "they wait no more");
                    if let Some(log) = log {
                        assert!(log.returned.is_empty(), "we have the lock");
                    }
                });
            }
        }
    });
}

// CPython: test_unacquired_notify, which is an error there.
#[test]
fn notifying_needs_no_lock() {
    watchdog(|| {
        for held in either("held ") {
            let notifications: [fn(&Condvar) -> usize; 3] = [
                |condvar| usize::from(condvar.notify_one()),
                |condvar| condvar.notify_many(7),
                Condvar::notify_all,
            ];
            for notify in notifications {
                let room = Room::new();
                room.with_waiters(1, || {
                    let _log = held.then(|| room.log.lock());
                    assert_eq!(notify(&room.condvar), 1);
                    assert_eq!(notify(&room.condvar), 0);
                });
            }
        }
    });
}

#[test]
fn notification_without_waiters_is_lost() {
    watchdog(|| {
        let room = Room::new();
        assert!(!room.condvar.notify_one());
        assert_eq!(room.condvar.notify_many(3), 0);
        assert_eq!(room.condvar.notify_all(), 0);
        let mut log = room.log.lock();
        assert!(!room.condvar.notify_one());
        assert!(room.condvar.wait_for(&mut log, SHORT).timed_out());
        assert!(room.condvar.wait_for(&mut log, Duration::ZERO).timed_out());
    });
}

// CPython: test_notify.
#[test]
fn notified_threads_may_wait_again() {
    watchdog(|| {
        let (room, first) = (Room::new(), AtomicUsize::new(0));
        thread::scope(|s| {
            for number in 0..5 {
                let (room, first) = (&room, &first);
                s.spawn(move || {
                    room.wait(number);
                    first.fetch_add(1, Relaxed);
                    room.wait(number + 5);
                });
            }
            room.until_arrived(5);
            assert_eq!(room.condvar.notify_many(3), 3);
            room.until_arrived(8);
            assert_eq!(first.load(Relaxed), 3);
            assert!(room.returned().iter().all(|&number| number < 5));

            // The two that still wait for the first time, and the three that wait for the second.
            assert_eq!(room.condvar.notify_many(5), 5);
            room.until_arrived(10);
            room.until_returned(8);
            assert_eq!(room.returned().iter().filter(|&&number| number < 5).count(), 5);

            assert_eq!(room.condvar.notify_all(), 2);
            room.until_returned(10);
            assert_eq!(room.condvar.notify_all(), 0);
        });
    });
}

// CPython: test_acquire, test_unacquired_wait. That one waits with the lock held is a matter of types.
#[test]
fn wait_unlocks_meanwhile_and_locks_again() {
    watchdog(|| {
        let room = Room::new();
        thread::scope(|s| {
            s.spawn(|| {
                let mut log = room.log.lock();
                log.arrived = 1;
                room.condvar.wait(&mut log);
                assert_eq!(log.arrived, 2);
                assert!(room.log.is_locked());
                assert!(room.log.try_lock().is_none());
            });
            room.until_arrived(1);
            let mut log = room.log.lock();
            assert!(room.condvar.notify_one());
            thread::yield_now();
            log.arrived = 2;
        });
        assert!(!room.log.is_locked());
    });
}

#[test]
fn notified_waiters_get_the_lock_one_by_one() {
    watchdog(|| {
        for parties in parties() {
            for _ in repeat(20) {
                let (mutex, condvar, inside) = (Mutex::new(0), Condvar::new(), AtomicUsize::new(0));
                thread::scope(|s| {
                    for _ in 0..parties {
                        s.spawn(|| {
                            let mut arrived = mutex.lock();
                            *arrived += 1;
                            condvar.wait(&mut arrived);
                            assert_eq!(inside.fetch_add(1, Relaxed), 0);
                            thread::yield_now();
                            assert_eq!(inside.fetch_sub(1, Relaxed), 1);
                        });
                    }
                    eventually(|| *mutex.lock() == parties);
                    assert_eq!(condvar.notify_all(), parties);
                });
            }
        }
    });
}
