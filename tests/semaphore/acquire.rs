//! Taking permits and giving them back, as CPython's list of tests has it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{OverRelease, Semaphore, SemaphorePermit};

use super::{ACQUIRES, MAX};
use crate::support::{SHORT, Sleeper, cases, message_of, parties, repeat, shown, watchdog};

// test_constructor.
#[test]
fn new_takes_any_number_up_to_the_maximum() {
    for new in [Semaphore::new, Semaphore::bounded] {
        for permits in cases([0, 1, 2, 7, MAX - 1, MAX]) {
            assert_eq!(new(permits).available_permits(), permits);
        }
    }
    assert!(message_of(|| drop(Semaphore::new(MAX + 1))).contains("Semaphore::new"));
    assert!(message_of(|| drop(Semaphore::bounded(usize::MAX))).contains("Semaphore::bounded"));
}

// test_default_value.
#[test]
fn default_has_one_permit() {
    let semaphore = Semaphore::default();
    let permit = semaphore.acquire();
    assert!(semaphore.try_acquire().is_none());
    drop(permit);
    assert!(semaphore.try_acquire().is_some());
}

#[test]
fn lives_in_a_static() {
    static PLAIN: Semaphore = Semaphore::new(1);
    static BOUNDED: Semaphore = Semaphore::bounded(1);
    let both: [SemaphorePermit<'static>; 2] = [PLAIN.acquire(), BOUNDED.acquire()];
    assert_eq!(PLAIN.available_permits() + BOUNDED.available_permits(), 0);
    drop(both);
    assert_eq!(PLAIN.available_permits() + BOUNDED.available_permits(), 2);
}

// test_acquire.
#[test]
fn acquire_takes_one_and_drop_returns_it() {
    for semaphore in [Semaphore::new(2), Semaphore::bounded(2)] {
        let first = semaphore.acquire();
        assert_eq!(semaphore.available_permits(), 1);
        let second = semaphore.acquire();
        assert_eq!(semaphore.available_permits(), 0);
        drop(first);
        drop(second);
        assert_eq!(semaphore.available_permits(), 2);
        semaphore.acquire().forget();
        semaphore.add_permits(1);
        assert_eq!(semaphore.available_permits(), 2);
    }
}

// test_acquire_destroy.
#[test]
fn semaphore_may_go_while_permits_are_out() {
    let semaphore = shown(Semaphore::new(1));
    let permit = semaphore.acquire_arc();
    let weak = Arc::downgrade(&semaphore);
    drop(semaphore);
    assert_eq!(permit.semaphore().available_permits(), 0);
    drop(permit);
    assert!(weak.upgrade().is_none(), "the permit was the last to keep it");
    // And one whose permit was forgotten.
    Semaphore::bounded(1).acquire().forget();
}

// test_acquire_contended.
#[test]
fn as_many_get_through_as_there_are_permits() {
    watchdog(|| {
        for parties in parties() {
            let (semaphore, passed) = (Semaphore::new(0), AtomicUsize::new(0));
            let sleepers = Sleeper::several(parties);
            thread::scope(|s| {
                for (sleeper, acquire) in sleepers.iter().zip(ACQUIRES.iter().cycle()) {
                    let (semaphore, passed) = (&semaphore, &passed);
                    s.spawn(move || {
                        sleeper.about_to_block();
                        acquire(semaphore, 1).forget();
                        passed.fetch_add(1, Relaxed);
                    });
                }
                Sleeper::until_all_asleep(&sleepers);
                assert_eq!(passed.load(Relaxed), 0);
                for added in 1..=parties {
                    semaphore.add_permits(1);
                    crate::support::eventually(|| passed.load(Relaxed) == added);
                    assert_eq!(semaphore.available_permits(), 0);
                }
            });
        }
    });
}

// test_multirelease.
#[test]
fn one_call_adds_for_several_waiters() {
    watchdog(|| {
        for parties in parties() {
            let semaphore = Semaphore::new(0);
            let sleepers = Sleeper::several(parties);
            thread::scope(|s| {
                for (sleeper, acquire) in sleepers.iter().zip(ACQUIRES.iter().cycle()) {
                    let semaphore = &semaphore;
                    s.spawn(move || {
                        sleeper.about_to_block();
                        acquire(semaphore, 1).forget();
                    });
                }
                Sleeper::until_all_asleep(&sleepers);
                semaphore.add_permits(parties + 1);
            });
            assert_eq!(semaphore.available_permits(), 1);
        }
    });
}

// test_try_acquire.
#[test]
fn try_acquire_takes_what_is_there() {
    let semaphore = Semaphore::new(2);
    let first = semaphore.try_acquire().unwrap();
    assert!(semaphore.try_acquire_many(2).is_none());
    assert_eq!(semaphore.available_permits(), 1, "a try that fails takes nothing");
    let second = semaphore.try_acquire_many(1).unwrap();
    assert!(semaphore.try_acquire().is_none());
    drop(first);
    assert!(semaphore.try_acquire().is_some());
    drop(second);
    assert_eq!(semaphore.available_permits(), 2);
}

// test_try_acquire_contended.
#[test]
fn tries_of_many_threads_never_take_too_many() {
    watchdog(|| {
        for parties in parties() {
            let (semaphore, held) = (Semaphore::bounded(3), AtomicUsize::new(0));
            thread::scope(|s| {
                for _ in 0..parties {
                    s.spawn(|| {
                        for _ in repeat(2000) {
                            if let Some(permit) = semaphore.try_acquire() {
                                assert!(held.fetch_add(1, Relaxed) < 3);
                                held.fetch_sub(1, Relaxed);
                                drop(permit);
                            }
                        }
                    });
                }
            });
            assert_eq!(semaphore.available_permits(), 3);
        }
    });
}

// test_acquire_timeout.
#[test]
fn timed_acquire_gives_up_and_takes_nothing() {
    watchdog(|| {
        let semaphore = shown(Semaphore::new(2));
        let past = Instant::now();
        let one = semaphore.acquire();
        for n in cases([2, 3]) {
            let start = Instant::now();
            assert!(semaphore.try_acquire_many_for(n, SHORT).is_none());
            assert!(start.elapsed() >= SHORT);
            let deadline = Instant::now() + SHORT;
            assert!(semaphore.try_acquire_many_until(n, deadline).is_none());
            assert!(Instant::now() >= deadline);
            assert!(semaphore.try_acquire_many_arc_for(n, SHORT).is_none());
            assert!(semaphore.try_acquire_many_arc_until(n, Instant::now() + SHORT).is_none());
            assert!(semaphore.try_acquire_many_for(n, Duration::ZERO).is_none());
            assert!(semaphore.try_acquire_many_until(n, past).is_none());
        }
        assert_eq!(semaphore.available_permits(), 1);
        // What is there is taken whatever the time.
        drop(semaphore.try_acquire_for(Duration::ZERO).unwrap());
        drop(semaphore.try_acquire_until(past).unwrap());
        drop(semaphore.try_acquire_arc_for(Duration::MAX).unwrap());
        drop(semaphore.try_acquire_arc_until(past).unwrap());
        drop(one);
        assert!(semaphore.try_acquire_many_for(2, Duration::MAX).is_some());
        assert_eq!(semaphore.available_permits(), 2);
    });
}

// test_with.
#[test]
fn unwinding_returns_exactly_what_was_taken() {
    let semaphore = shown(Semaphore::bounded(3));
    for n in 0..=3 {
        message_of(|| {
            let _permits = semaphore.acquire_many(n);
            panic!("with {n} permits");
        });
        assert_eq!(semaphore.available_permits(), 3);
        message_of(|| {
            let _permits = semaphore.acquire_many_arc(n);
            panic!("with {n} permits");
        });
        assert_eq!(semaphore.available_permits(), 3);
    }
}

// test_release_unacquired, of Semaphore.
#[test]
fn plain_semaphore_takes_more_than_it_began_with() {
    let semaphore = Semaphore::new(1);
    semaphore.add_permits(1);
    assert_eq!(semaphore.try_add_permits(2), Ok(()));
    assert_eq!(semaphore.available_permits(), 4);
    assert!(semaphore.try_acquire_many(4).is_some());
}

// test_release_unacquired, of BoundedSemaphore.
#[test]
fn bounded_semaphore_refuses_more_than_it_began_with() {
    let semaphore = Semaphore::bounded(2);
    assert_eq!(semaphore.try_add_permits(1), Err(OverRelease));
    assert!(message_of(|| semaphore.add_permits(1)).contains("Semaphore::add_permits"));
    assert_eq!(semaphore.available_permits(), 2);
    semaphore.acquire().forget();
    // One would fit, two do not, and then not even one is added.
    assert_eq!(semaphore.try_add_permits(2), Err(OverRelease));
    assert_eq!(semaphore.available_permits(), 1);
    assert!(message_of(|| semaphore.add_permits(usize::MAX)).contains("Semaphore::add_permits"));
    assert_eq!(semaphore.available_permits(), 1);
    semaphore.add_permits(1);
    assert_eq!(semaphore.available_permits(), 2);
    assert_eq!(semaphore.try_add_permits(1), Err(OverRelease));
}

// release(0) is an error in Python.
#[test]
fn adding_none_does_nothing() {
    for semaphore in [Semaphore::new(0), Semaphore::bounded(0), Semaphore::new(MAX), Semaphore::bounded(2)] {
        let before = semaphore.available_permits();
        semaphore.add_permits(0);
        assert_eq!(semaphore.try_add_permits(0), Ok(()));
        assert_eq!(semaphore.available_permits(), before);
    }
}
