//! A `Condvar` and the mutexes of its waiters; statics, allocations, what it shows.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use lockwork::{Condvar, Mutex, MutexGuard};

use super::Room;
use crate::support::{allocations_during, either, eventually, parties, repeat, rounds, shown, watchdog};

#[test]
fn waiters_with_different_mutexes_share_a_condvar() {
    watchdog(|| {
        for parties in parties() {
            for held in either("held ") {
                let condvar = shown(Condvar::new());
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
    // Only the waiter knows the mutex, which goes while the notifier may still be at it.
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
        let condvar = shown(Condvar::new());
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
