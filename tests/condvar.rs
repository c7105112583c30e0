//! `Condvar`.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{Condvar, Mutex, MutexGuard};

use crate::support::{
    LIMIT, PARTIES, allocations_during, either, eventually, parties, repeat, rounds, shown, watchdog,
};

/// Long enough to be measured, short enough to be waited for.
const SHORT: Duration = Duration::from_millis(15);

/// Who waits and who has waited.
#[derive(Debug, Default)]
struct Log {
    arrived: usize,
    returned: Vec<usize>,
}

/// A waiting room.
#[derive(Debug)]
struct Room {
    log: Mutex<Log>,
    condvar: Condvar,
}

impl Room {
    const fn new() -> Self {
        Self { log: Mutex::new(Log { arrived: 0, returned: Vec::new() }), condvar: Condvar::new() }
    }

    /// Waits once, as number `number`.
    fn wait(&self, number: usize) {
        let mut log = self.log.lock();
        log.arrived += 1;
        self.condvar.wait(&mut log);
        log.returned.push(number);
    }

    /// Until `n` waits have begun. A waiter unlocks when it is queued, so who sees its arrival knows that it is.
    fn until_arrived(&self, n: usize) {
        eventually(|| self.log.lock().arrived >= n);
    }

    fn until_returned(&self, n: usize) {
        eventually(|| self.log.lock().returned.len() >= n);
    }

    fn returned(&self) -> Vec<usize> {
        self.log.lock().returned.clone()
    }

    /// Runs `body` while `n` threads wait, numbered in the order in which they came. It must wake them all.
    fn with_waiters(&self, n: usize, body: impl FnOnce()) {
        thread::scope(|s| {
            for number in 0..n {
                s.spawn(move || self.wait(number));
                self.until_arrived(number + 1);
            }
            body();
        });
        assert_eq!(self.log.lock().returned.len(), n);
    }
}

// --- Notifications -------------------------------------------------------------------------------------------------

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
fn notification_with_nobody_waiting_is_lost() {
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

// --- Timed waits ---------------------------------------------------------------------------------------------------

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
        assert_eq!(condvar.notify_all(), 0, "nobody is left behind");
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

// --- Waiting for a condition ---------------------------------------------------------------------------------------

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
            // Once at first, and once for each notification; of these the last may have found nobody any more.
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
        assert!(start.elapsed() >= SHORT, "nobody has notified");
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
        for tests_before in [0, 1] {
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
        assert!(!condvar.notify_one(), "nobody waits");
        drop(guard);
        assert_eq!(*mutex.try_lock().expect("unlocked with its guard"), 3);
    });
}

// --- Mutexes -------------------------------------------------------------------------------------------------------

#[test]
fn waiters_with_different_mutexes_share_a_condvar() {
    watchdog(|| {
        for parties in parties() {
            for held in either("held ") {
                let condvar = Condvar::new();
                let mutexes: [Mutex<usize>; 3] = [const { Mutex::new(0) }; 3];
                thread::scope(|s| {
                    for party in 0..parties {
                        let (condvar, mutex) = (&condvar, &mutexes[party % 3]);
                        s.spawn(move || {
                            let mut value = mutex.lock();
                            *value += 1;
                            condvar.wait(&mut value);
                            *value += 100;
                        });
                        eventually(|| *mutex.lock() == party / 3 + 1);
                    }
                    let guards = held.then(|| mutexes.each_ref().map(Mutex::lock));
                    assert_eq!(condvar.notify_all(), parties);
                    if let Some(guards) = guards {
                        let values = guards.each_ref().map(|guard| **guard);
                        assert_eq!(values.iter().sum::<usize>(), parties, "we have the locks: {values:?}");
                    }
                });
                let values = mutexes.map(Mutex::into_inner);
                assert_eq!(values.iter().sum::<usize>(), 101 * parties);
            }
        }
    });
}

#[test]
fn held_mutex_of_one_waiter_does_not_stop_another() {
    watchdog(|| {
        let (held, free, condvar) = (Mutex::new(0), Mutex::new(0), Condvar::new());
        thread::scope(|s| {
            for mutex in [&held, &free, &held] {
                let condvar = &condvar;
                let before = *mutex.lock();
                s.spawn(move || {
                    let mut value = mutex.lock();
                    *value += 1;
                    condvar.wait(&mut value);
                    *value += 10;
                });
                eventually(|| *mutex.lock() > before);
            }
            let guard = held.lock();
            assert_eq!(condvar.notify_all(), 3);
            eventually(|| *free.lock() == 11);
            assert_eq!(*guard, 2);
        });
        assert_eq!(held.into_inner(), 22);
    });
}

#[test]
fn mutex_may_change_from_wait_to_wait() {
    watchdog(|| {
        let condvar = Condvar::new();
        for round in repeat(100) {
            let mutex = Mutex::new(round);
            thread::scope(|s| {
                s.spawn(|| {
                    let mut value = mutex.lock();
                    condvar.wait(&mut value);
                    *value += 1;
                });
                eventually(|| condvar.notify_one());
            });
            assert_eq!(mutex.into_inner(), round + 1);
        }
    });
}

#[test]
fn mutex_may_go_as_soon_as_the_wait_is_over() {
    // Nobody but the waiter knows the mutex, which goes while the notifier may still be at it.
    watchdog(|| {
        for parties in parties() {
            let (condvar, returned) = (Condvar::new(), AtomicUsize::new(0));
            thread::scope(|s| {
                for _ in 0..parties {
                    s.spawn(|| {
                        for round in repeat(200) {
                            let mutex = Box::new(Mutex::new(round));
                            let mut value = mutex.lock();
                            condvar.wait(&mut value);
                            *value += 1;
                            assert_eq!(*value, round + 1);
                        }
                        returned.fetch_add(1, Relaxed);
                    });
                }
                while returned.load(Relaxed) < parties {
                    condvar.notify_many(2);
                    thread::yield_now();
                }
            });
        }
    });
}

#[test]
fn guards_of_unsized_values_wait() {
    watchdog(|| {
        let list: Arc<Mutex<[bool]>> = shown(Mutex::new([false; 3]));
        let condvar = Condvar::new();
        thread::scope(|s| {
            s.spawn(|| {
                list.lock()[1] = true;
                condvar.notify_one();
            });
            let mut guard: MutexGuard<'_, [bool]> = list.lock();
            condvar.wait_while(&mut guard, |list| !list[1]);
            assert_eq!(*guard, [false, true, false]);
            assert!(condvar.wait_for(&mut guard, Duration::ZERO).timed_out());
        });
    });
}

static ROOM: Room = Room::new();

#[test]
fn statics_need_no_setting_up() {
    watchdog(|| {
        ROOM.with_waiters(3, || assert_eq!(ROOM.condvar.notify_all(), 3));
    });
}

#[test]
fn traits() {
    let (mutex, condvar) = (Mutex::new(()), Condvar::default());
    assert_eq!(format!("{condvar:?}"), "Condvar { .. }");
    let result = condvar.wait_for(&mut mutex.lock(), Duration::ZERO);
    let copy = result;
    assert_eq!(copy, result);
    assert_eq!(format!("{result:?}"), "WaitTimeoutResult(true)");
}

#[test]
fn wait_and_notify_never_allocate() {
    watchdog(|| {
        let (turn, condvar) = (Mutex::new(0), Condvar::new());
        let play = |me: usize| {
            let mut guard = turn.lock();
            // The first time warms the thread up.
            let _ = condvar.wait_for(&mut guard, Duration::from_micros(10));
            let allocations = allocations_during(|| {
                for round in repeat(200) {
                    condvar.wait_while(&mut guard, |turn| *turn % 2 != me);
                    *guard += 1;
                    if round % 2 == 0 {
                        condvar.notify_all()
                    } else {
                        condvar.notify_many(1)
                    };
                    let _ = condvar.wait_for(&mut guard, Duration::from_micros(1));
                }
            });
            assert_eq!(allocations, 0);
        };
        thread::scope(|s| {
            s.spawn(|| play(0));
            s.spawn(|| play(1));
        });
        assert_eq!(turn.into_inner(), 2 * rounds(200));
    });
}

// --- Stress --------------------------------------------------------------------------------------------------------

#[test]
fn every_notification_is_one_return_and_every_return_one_notification() {
    // No time-outs here: a spurious wake-up is a return too many, a lost notification one too few.
    watchdog(|| {
        for parties in parties() {
            let (mutex, condvar) = (Mutex::new(false), Condvar::new());
            let (returns, finished) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let mut notified = 0;
            thread::scope(|s| {
                for _ in 0..parties {
                    s.spawn(|| {
                        let mut stop = mutex.lock();
                        while !*stop {
                            condvar.wait(&mut stop);
                            returns.fetch_add(1, Relaxed);
                        }
                        drop(stop);
                        finished.fetch_add(1, Relaxed);
                    });
                }
                for round in repeat(1000) {
                    let _held = (round % 5 == 0).then(|| mutex.lock());
                    notified += match round % 4 {
                        0 => condvar.notify_all(),
                        1 => condvar.notify_many(round % 3),
                        _ => usize::from(condvar.notify_one()),
                    };
                    if round % 7 == 0 {
                        thread::yield_now();
                    }
                }
                *mutex.lock() = true;
                // Those that were not waiting just now see the end before they wait again.
                notified += condvar.notify_all();
                eventually(|| finished.load(Relaxed) == parties);
            });
            assert_eq!(returns.into_inner(), notified);
        }
    });
}

#[test]
fn notified_and_timed_out_exclude_each_other() {
    watchdog(|| {
        for parties in parties() {
            let (mutex, condvar) = (Mutex::new(0), Condvar::new());
            let (in_time, finished) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let mut notified = 0;
            thread::scope(|s| {
                for party in 0..parties {
                    let (mutex, condvar, in_time, finished) = (&mutex, &condvar, &in_time, &finished);
                    s.spawn(move || {
                        for round in repeat(250) {
                            let timeout = Duration::from_micros(((party * 13 + round) % 60) as u64);
                            let mut guard = mutex.lock();
                            let result = condvar.wait_for(&mut guard, timeout);
                            *guard += 1;
                            in_time.fetch_add(usize::from(!result.timed_out()), Relaxed);
                        }
                        finished.fetch_add(1, Relaxed);
                    });
                }
                let mut turn = 0;
                while finished.load(Relaxed) < parties {
                    let _held = (turn % 3 == 0).then(|| mutex.lock());
                    notified += match turn % 8 {
                        0 => condvar.notify_all(),
                        1 => condvar.notify_many(2),
                        _ => usize::from(condvar.notify_one()),
                    };
                    turn += 1;
                    (0..turn % 50 * 10).for_each(|_| std::hint::spin_loop());
                    thread::yield_now();
                }
            });
            assert_eq!(in_time.into_inner(), notified, "with {parties} parties");
            assert_eq!(mutex.into_inner(), parties * rounds(250));
            assert_eq!(condvar.notify_all(), 0);
        }
    });
}

#[test]
fn producers_and_consumers() {
    watchdog(|| {
        const ROOM_FOR: usize = 3;
        for parties in parties() {
            let each = rounds(600);
            let (queue, not_empty, not_full) = (Mutex::new(VecDeque::new()), Condvar::new(), Condvar::new());
            let sum = AtomicUsize::new(0);
            thread::scope(|s| {
                for party in 0..parties {
                    let (queue, not_empty, not_full, sum) = (&queue, &not_empty, &not_full, &sum);
                    s.spawn(move || {
                        for item in 0..each {
                            let mut queue = queue.lock();
                            while queue.len() == ROOM_FOR {
                                not_full.wait(&mut queue);
                            }
                            queue.push_back(party * each + item);
                            assert!(queue.len() <= ROOM_FOR);
                            drop(queue);
                            not_empty.notify_one();
                        }
                    });
                    s.spawn(move || {
                        for _ in 0..each {
                            let mut queue = queue.lock();
                            not_empty.wait_while(&mut queue, |queue| queue.is_empty());
                            sum.fetch_add(queue.pop_front().expect("not empty"), Relaxed);
                            not_full.notify_one();
                        }
                    });
                }
            });
            let items = parties * each;
            assert_eq!(sum.into_inner(), items * (items - 1) / 2);
            assert!(queue.into_inner().is_empty());
        }
    });
}
