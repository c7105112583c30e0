//! Waits for a `Condvar` that end by themselves.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{Condvar, Mutex};

use super::Room;
use crate::support::{LIMIT, SHORT, eventually, repeat, watchdog};

// CPython: test_timeout.
#[test]
fn timeout_takes_the_time_asked_for() {
    watchdog(|| {
        let (mutex, condvar) = (Mutex::new(0), Condvar::new());
        let mut guard = mutex.lock();
        let start = Instant::now();
        assert!(condvar.wait_for(&mut guard, SHORT).timed_out());
        assert!(start.elapsed() >= SHORT);

        let deadline = Instant::now() + SHORT;
        assert!(condvar.wait_until(&mut guard, deadline).timed_out());
        assert!(Instant::now() >= deadline);

        assert!(mutex.is_locked());
        *guard += 1;
        assert!(mutex.try_lock().is_none());
        drop(guard);
        assert_eq!(condvar.notify_all(), 0, "no waiter is left behind");
        assert_eq!(*mutex.lock(), 1);
    });
}

#[test]
fn zero_and_past_deadlines_time_out() {
    watchdog(|| {
        let (mutex, condvar) = (Mutex::new(0), Condvar::new());
        let past = Instant::now();
        let mut guard = mutex.lock();
        for _ in repeat(100) {
            assert!(condvar.wait_for(&mut guard, Duration::ZERO).timed_out());
            assert!(condvar.wait_until(&mut guard, past).timed_out());
            assert!(mutex.is_locked());
        }
        assert!(!condvar.notify_one());
    });
}

#[test]
fn timed_wait_is_notified_before_its_deadline() {
    watchdog(|| {
        let timeouts =
            [LIMIT, Duration::MAX, Duration::MAX - Duration::from_nanos(1), Duration::from_secs(1 << 60)];
        for timeout in timeouts {
            let (mutex, condvar) = (Mutex::new(()), Condvar::new());
            thread::scope(|s| {
                let waiter = s.spawn(|| condvar.wait_for(&mut mutex.lock(), timeout));
                eventually(|| condvar.notify_one());
                assert!(!waiter.join().unwrap().timed_out());

                let waiter = s.spawn(|| condvar.wait_until(&mut mutex.lock(), Instant::now() + LIMIT));
                eventually(|| condvar.notify_one());
                assert!(!waiter.join().unwrap().timed_out());

                let waiter = s.spawn(|| {
                    let mut tests = 0;
                    let first_only = |_: &mut ()| {
                        tests += 1;
                        tests == 1
                    };
                    let result = condvar.wait_while_for(&mut mutex.lock(), first_only, timeout);
                    (result.timed_out(), tests)
                });
                eventually(|| condvar.notify_one());
                assert_eq!(waiter.join().unwrap(), (false, 2));
            });
        }
    });
}

#[test]
fn notification_before_the_deadline_counts_though_the_lock_comes_later() {
    watchdog(|| {
        let mut timeout = Duration::from_millis(5);
        loop {
            let (mutex, condvar) = (Mutex::new(false), Condvar::new());
            let notified_in_time = thread::scope(|s| {
                let waiter = s.spawn(|| {
                    let mut waits = mutex.lock();
                    *waits = true;
                    condvar.wait_for(&mut waits, timeout)
                });
                eventually(|| *mutex.lock());
                let guard = mutex.lock();
                let notified = condvar.notify_one();
                let deadline = Instant::now() + timeout;
                // It has waited since before, so its deadline has passed before this one.
                eventually(|| Instant::now() > deadline);
                drop(guard);
                assert_eq!(waiter.join().unwrap().timed_out(), !notified);
                notified
            });
            if notified_in_time {
                break;
            }
            // We were too slow.
            timeout *= 2;
        }
    });
}

#[test]
fn timed_out_wait_returns_only_with_the_lock() {
    watchdog(|| {
        let mut timeout = Duration::from_millis(5);
        loop {
            let (mutex, condvar) = (Mutex::new(0), Condvar::new());
            let held_over_the_deadline = thread::scope(|s| {
                let waiter = s.spawn(|| {
                    let mut value = mutex.lock();
                    *value = 1;
                    let deadline = Instant::now() + timeout;
                    assert!(condvar.wait_until(&mut value, deadline).timed_out());
                    assert!(Instant::now() >= deadline);
                    assert!(mutex.try_lock().is_none());
                    *value += 10;
                    *value
                });
                eventually(|| *mutex.lock() != 0);
                let mut value = mutex.lock();
                let waits = *value == 1;
                // It has waited since before, so its deadline has passed well before this one.
                let deadline = Instant::now() + 2 * timeout;
                eventually(|| Instant::now() > deadline);
                *value += 1;
                drop(value);
                assert_eq!(waiter.join().unwrap(), if waits { 12 } else { 11 });
                waits
            });
            if held_over_the_deadline {
                break;
            }
            // We were too slow.
            timeout *= 2;
        }
    });
}

#[test]
fn timed_out_waiters_leave_the_others_in_line() {
    watchdog(|| {
        for skip in 0..3 {
            let (room, gave_up) = (Room::new(), AtomicUsize::new(0));
            thread::scope(|s| {
                for number in 0..9 {
                    let (room, gave_up) = (&room, &gave_up);
                    if number % 3 == skip {
                        s.spawn(move || room.wait(number));
                    } else {
                        s.spawn(move || {
                            let mut log = room.log.lock();
                            log.arrived += 1;
                            assert!(room.condvar.wait_for(&mut log, Duration::from_millis(1)).timed_out());
                            gave_up.fetch_add(1, Relaxed);
                        });
                    }
                    room.until_arrived(number + 1);
                }
                eventually(|| gave_up.load(Relaxed) == 6);
                for turn in 0..3 {
                    assert!(room.condvar.notify_one());
                    room.until_returned(turn + 1);
                }
                assert!(!room.condvar.notify_one());
            });
            assert_eq!(room.returned(), [skip, skip + 3, skip + 6]);
        }
    });
}

/// A guard behind a reference, as `Option::as_mut` gives it.
#[test]
fn guard_behind_a_reference_is_taken() {
    let (mutex, condvar) = (Mutex::new(1), Condvar::new());
    let mut guard = Some(mutex.lock());
    let mut inner = guard.as_mut().unwrap();
    assert!(condvar.wait_for(&mut inner, Duration::from_millis(1)).timed_out());
    assert!(condvar.wait_while_for(&mut inner, |value| *value == 1, Duration::ZERO).timed_out());
    condvar.wait_while(inner, |value| *value != 1);
}
