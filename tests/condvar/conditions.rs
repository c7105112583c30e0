//! Waiting for a condition.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{Condvar, Mutex};

use crate::support::{LIMIT, SHORT, cases, eventually, watchdog};

// CPython: test_waitfor.
#[test]
fn wait_while_returns_when_the_condition_is_gone() {
    watchdog(|| {
        let (mutex, condvar) = (Mutex::new(0), Condvar::new());
        thread::scope(|s| {
            let waiter = s.spawn(|| {
                let (mut value, mut tests) = (mutex.lock(), 0);
                condvar.wait_while(&mut value, |value| {
                    tests += 1;
                    *value < 4
                });
                assert_eq!(*value, 4);
                tests
            });
            for _ in 0..4 {
                *mutex.lock() += 1;
                // Queued again, hence it has tested in vain until the last.
                eventually(|| condvar.notify_one() || waiter.is_finished());
            }
            // Once at first, and once for each notification; of these the last may have found no thread any
            // more.
            assert!((4..=5).contains(&waiter.join().unwrap()));
        });
    });
}

#[test]
fn wait_while_waits_not_at_all_without_the_condition() {
    let (mutex, condvar) = (Mutex::new(7), Condvar::new());
    let mut guard = mutex.lock();
    let past = Instant::now();
    let mut tests = 0;
    let mut condition = |value: &mut i32| {
        tests += 1;
        assert!(mutex.is_locked());
        *value += 1;
        false
    };
    condvar.wait_while(&mut guard, &mut condition);
    assert!(!condvar.wait_while_for(&mut guard, &mut condition, Duration::ZERO).timed_out());
    assert!(!condvar.wait_while_for(&mut guard, &mut condition, Duration::MAX).timed_out());
    assert!(!condvar.wait_while_until(&mut guard, &mut condition, past).timed_out());
    assert!(!condvar.wait_while_until(&mut guard, &mut condition, past + LIMIT).timed_out());
    assert_eq!(tests, 5);
    assert_eq!(*guard, 12, "the condition may change the value");
}

// CPython: test_waitfor_timeout.
#[test]
fn wait_while_times_out_while_the_condition_holds() {
    watchdog(|| {
        let (mutex, condvar) = (Mutex::new(0), Condvar::new());
        let mut tests = mutex.lock();
        let always = |tests: &mut u32| {
            *tests += 1;
            true
        };
        let start = Instant::now();
        let result = condvar.wait_while_for(&mut tests, always, SHORT);
        assert!(result.timed_out());
        assert!(start.elapsed() >= SHORT);
        assert_eq!(*tests, 2, "at first and at last");

        let deadline = Instant::now() + SHORT;
        let result = condvar.wait_while_until(&mut tests, always, deadline);
        assert!(result.timed_out());
        assert!(Instant::now() >= deadline);
        assert_eq!(*tests, 4);

        let result = condvar.wait_while_for(&mut tests, always, Duration::ZERO);
        assert!(result.timed_out());
        assert_eq!(*tests, 6);
        assert!(mutex.is_locked());
    });
}

#[test]
fn wait_while_tests_once_more_after_the_timeout() {
    watchdog(|| {
        let (mutex, condvar) = (Mutex::new(0), Condvar::new());
        let mut tests = mutex.lock();
        let start = Instant::now();
        let first_only = |tests: &mut u32| {
            *tests += 1;
            *tests % 2 == 1
        };
        assert!(!condvar.wait_while_for(&mut tests, first_only, SHORT).timed_out());
        assert!(start.elapsed() >= SHORT, "no thread has notified");
        assert_eq!(*tests, 2);
        assert!(!condvar.wait_while_until(&mut tests, first_only, Instant::now()).timed_out());
        assert_eq!(*tests, 4);
    });
}

#[test]
fn wait_while_is_not_prolonged_by_notifications() {
    watchdog(|| {
        let (mutex, condvar) = (Mutex::new(()), Condvar::new());
        thread::scope(|s| {
            let waiter = s.spawn(|| {
                let start = Instant::now();
                assert!(condvar.wait_while_for(&mut mutex.lock(), |()| true, SHORT).timed_out());
                assert!(start.elapsed() >= SHORT);
            });
            // On one processor each yield lets the other thread go exactly one wait further.
            while !waiter.is_finished() {
                condvar.notify_all();
                thread::yield_now();
            }
        });
    });
}

#[test]
fn panic_in_a_condition_leaves_the_guard_locked() {
    watchdog(|| {
        let (mutex, condvar) = (Mutex::new(0), Condvar::new());
        let mut guard = mutex.lock();
        // At once, and after a wait.
        for tests_before in cases([0, 1]) {
            let unwound = catch_unwind(AssertUnwindSafe(|| {
                let mut left = tests_before;
                let _ = condvar.wait_while_for(
                    &mut guard,
                    |value| {
                        *value += 1;
                        if left == 0 {
                            resume_unwind(Box::new("on purpose"));
                        }
                        left -= 1;
                        true
                    },
                    Duration::from_millis(1),
                );
            }));
            assert!(unwound.is_err());
            assert!(mutex.is_locked());
            assert!(mutex.try_lock().is_none());
        }
        assert_eq!(*guard, 3);
        assert!(!condvar.notify_one(), "no thread waits");
        drop(guard);
        assert_eq!(*mutex.try_lock().expect("unlocked with its guard"), 3);
    });
}
