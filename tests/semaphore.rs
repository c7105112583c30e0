//! `Semaphore`.

use std::cell::UnsafeCell;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{ArcSemaphorePermit, OverRelease, Semaphore, SemaphorePermit};
use proptest::prelude::*;

use crate::support::{LIMIT, Sleeper, allocations_during, parties, repeat, rounds, shown, watchdog};

const MAX: usize = Semaphore::MAX_PERMITS;

/// Long enough to be measured, short enough to be waited for.
const SHORT: Duration = Duration::from_millis(15);

/// The forms of an acquisition that ends when there are permits.
const ACQUIRES: [for<'a> fn(&'a Semaphore, usize) -> SemaphorePermit<'a>; 5] = [
    |semaphore, n| if n == 1 { semaphore.acquire() } else { semaphore.acquire_many(n) },
    |semaphore, n| semaphore.acquire_many(n),
    |semaphore, n| semaphore.try_acquire_many_for(n, LIMIT).expect("in time"),
    |semaphore, n| semaphore.try_acquire_many_for(n, Duration::MAX).expect("for ever"),
    |semaphore, n| semaphore.try_acquire_many_until(n, Instant::now() + LIMIT).expect("in time"),
];

/// What a panic says.
fn message(panics: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(panics)).expect_err("a panic");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&str>().expect("a text")).to_owned(),
    }
}

/// A small generator of numbers, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % n
    }
}

// --- CPython's list ------------------------------------------------------------------------------------------------

// test_constructor.
#[test]
fn new_takes_any_number_up_to_the_maximum() {
    for new in [Semaphore::new, Semaphore::bounded] {
        for permits in [0, 1, 2, 7, MAX - 1, MAX] {
            assert_eq!(new(permits).available_permits(), permits);
        }
    }
    assert!(message(|| drop(Semaphore::new(MAX + 1))).contains("Semaphore::new"));
    assert!(message(|| drop(Semaphore::bounded(usize::MAX))).contains("Semaphore::bounded"));
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
        for n in [2, 3] {
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
        message(|| {
            let _permits = semaphore.acquire_many(n);
            panic!("with {n} permits");
        });
        assert_eq!(semaphore.available_permits(), 3);
        message(|| {
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
    assert!(message(|| semaphore.add_permits(1)).contains("Semaphore::add_permits"));
    assert_eq!(semaphore.available_permits(), 2);
    semaphore.acquire().forget();
    // One would fit, two do not, and then not even one is added.
    assert_eq!(semaphore.try_add_permits(2), Err(OverRelease));
    assert_eq!(semaphore.available_permits(), 1);
    assert!(message(|| semaphore.add_permits(usize::MAX)).contains("Semaphore::add_permits"));
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

// --- the bound -----------------------------------------------------------------------------------------------------

#[test]
fn held_permits_count_against_the_bound() {
    let semaphore = Semaphore::bounded(2);
    let held = semaphore.acquire();
    assert_eq!(semaphore.try_add_permits(1), Err(OverRelease), "it will come back");
    drop(held);
    assert_eq!(semaphore.available_permits(), 2);
    // One forgotten, one held: there is room for one.
    let held = semaphore.acquire();
    semaphore.acquire().forget();
    assert_eq!(semaphore.try_add_permits(2), Err(OverRelease));
    assert_eq!(semaphore.try_add_permits(1), Ok(()));
    assert_eq!(semaphore.try_add_permits(1), Err(OverRelease));
    drop(held);
    assert_eq!(semaphore.available_permits(), 2);
}

#[test]
fn forget_permits_makes_room() {
    let semaphore = Semaphore::bounded(3);
    assert_eq!(semaphore.forget_permits(0), 0);
    assert_eq!(semaphore.forget_permits(2), 2);
    assert_eq!(semaphore.forget_permits(5), 1);
    assert_eq!(semaphore.forget_permits(usize::MAX), 0);
    assert_eq!(semaphore.available_permits(), 0);
    semaphore.add_permits(3);
    assert_eq!(semaphore.try_add_permits(1), Err(OverRelease));
}

#[test]
fn leaked_permits_never_come_back() {
    let semaphore = Semaphore::bounded(1);
    mem::forget(semaphore.acquire());
    assert_eq!(semaphore.try_add_permits(1), Err(OverRelease));
    assert!(semaphore.try_acquire().is_none());
}

#[test]
fn plain_semaphore_is_bounded_by_the_maximum() {
    let full = Semaphore::new(MAX);
    assert!(message(|| full.add_permits(1)).contains("Semaphore::add_permits"));
    assert_eq!(full.available_permits(), MAX);
    let almost = Semaphore::new(MAX - 1);
    almost.add_permits(1);
    assert_eq!(almost.try_add_permits(1), Err(OverRelease));
    let empty = Semaphore::new(0);
    empty.add_permits(MAX);
    assert_eq!(empty.available_permits(), MAX);
    let all = empty.acquire_many(MAX);
    assert_eq!(empty.try_add_permits(1), Err(OverRelease), "they all come back");
    all.forget();
    assert_eq!(empty.try_add_permits(usize::MAX), Err(OverRelease));
    empty.add_permits(MAX);
    assert_eq!(empty.available_permits(), MAX);
}

// --- requests of any size ------------------------------------------------------------------------------------------

#[test]
fn request_for_none_is_granted_at_once() {
    watchdog(|| {
        let semaphore = shown(Semaphore::new(0));
        let sleeper = Sleeper::new();
        thread::scope(|s| {
            s.spawn(|| {
                sleeper.about_to_block();
                semaphore.acquire_many(2).forget();
            });
            sleeper.until_asleep();
            for acquire in ACQUIRES {
                assert_eq!(acquire(&semaphore, 0).num_permits(), 0);
            }
            assert!(semaphore.try_acquire_many(0).is_some());
            assert!(semaphore.try_acquire_many_arc(0).is_some());
            assert_eq!(semaphore.acquire_many_arc(0).num_permits(), 0);
            semaphore.acquire_many(0).forget();
            assert_eq!(semaphore.available_permits(), 0);
            semaphore.add_permits(2);
        });
    });
}

#[test]
fn request_that_can_never_be_granted_fails_at_once() {
    watchdog(|| {
        for (semaphore, limit) in [(Semaphore::bounded(2), 2), (Semaphore::new(2), MAX)] {
            let semaphore = Arc::new(semaphore);
            for n in [limit + 1, usize::MAX / 2 + 1, usize::MAX] {
                assert!(message(|| drop(semaphore.acquire_many(n))).contains("Semaphore::acquire"));
                assert!(message(|| drop(semaphore.acquire_many_arc(n))).contains("Semaphore::acquire"));
                assert!(semaphore.try_acquire_many(n).is_none());
                assert!(semaphore.try_acquire_many_for(n, Duration::MAX).is_none());
                assert!(semaphore.try_acquire_many_until(n, Instant::now() + LIMIT).is_none());
            }
            assert_eq!(semaphore.available_permits(), 2);
            assert!(semaphore.try_acquire_many(2).is_some());
        }
        assert!(message(|| drop(Semaphore::bounded(0).acquire())).contains("Semaphore::acquire"));
    });
}

#[test]
fn everything_can_be_taken_from_a_bounded_semaphore() {
    watchdog(|| {
        for parties in parties() {
            let semaphore = Semaphore::bounded(parties);
            thread::scope(|s| {
                for _ in 0..parties {
                    s.spawn(|| {
                        for _ in repeat(50) {
                            drop(semaphore.acquire());
                        }
                    });
                }
                for _ in repeat(50) {
                    let all = semaphore.acquire_many(parties);
                    assert_eq!(semaphore.available_permits(), 0);
                    drop(all);
                }
            });
        }
    });
}

// --- permits -------------------------------------------------------------------------------------------------------

#[test]
fn split_and_merge_move_permits() {
    let semaphore = Semaphore::bounded(5);
    let mut permits = semaphore.acquire_many(4);
    assert!(permits.split(5).is_none());
    assert_eq!(permits.num_permits(), 4, "a split that fails takes nothing");
    let three = permits.split(3).unwrap();
    let none = permits.split(0).unwrap();
    assert_eq!([permits.num_permits(), three.num_permits(), none.num_permits()], [1, 3, 0]);
    permits.merge(none);
    permits.merge(semaphore.acquire());
    assert_eq!(permits.num_permits(), 2);
    drop(three);
    assert_eq!(semaphore.available_permits(), 3);
    let both = permits.split(2).unwrap();
    drop(permits);
    assert_eq!(semaphore.available_permits(), 3, "it was empty");
    assert!(std::ptr::eq(both.semaphore(), &semaphore));
    drop(both);
    assert_eq!(semaphore.available_permits(), 5);
}

#[test]
fn arc_permits_split_and_merge_as_well() {
    let semaphore = shown(Semaphore::bounded(5));
    let mut permits = semaphore.acquire_many_arc(4);
    assert!(permits.split(5).is_none());
    let mut three = permits.split(3).unwrap();
    three.merge(semaphore.try_acquire_arc().unwrap());
    assert_eq!([permits.num_permits(), three.num_permits()], [1, 4]);
    drop(three);
    assert_eq!(semaphore.available_permits(), 4);
    permits.forget();
    assert_eq!(Arc::strong_count(&semaphore), 1, "a forgotten permit does not keep the semaphore");
    assert_eq!(semaphore.available_permits(), 4);
    semaphore.add_permits(1);
    assert_eq!(semaphore.try_add_permits(1), Err(OverRelease));
}

#[test]
fn permits_of_two_semaphores_do_not_merge() {
    let (one, two) = (shown(Semaphore::new(1)), shown(Semaphore::new(1)));
    let mut permit = one.acquire();
    assert!(message(|| permit.merge(two.acquire())).contains("SemaphorePermit::merge"));
    assert_eq!((permit.num_permits(), two.available_permits()), (1, 1));
    drop(permit);
    let mut permit = one.acquire_arc();
    assert!(message(|| permit.merge(two.acquire_arc())).contains("SemaphorePermit::merge"));
    assert_eq!((permit.num_permits(), two.available_permits()), (1, 1));
    drop(permit);
    assert_eq!(one.available_permits(), 1);
}

#[test]
fn permit_may_be_dropped_by_another_thread() {
    watchdog(|| {
        let semaphore = shown(Semaphore::bounded(1));
        for _ in repeat(100) {
            let permit = semaphore.acquire_arc();
            thread::spawn(move || drop(permit)).join().unwrap();
        }
        let permit: ArcSemaphorePermit = semaphore.acquire_arc();
        drop(permit);
        let permit = semaphore.acquire();
        thread::scope(|s| {
            s.spawn(|| assert_eq!(permit.num_permits(), 1));
            s.spawn(|| assert_eq!(permit.semaphore().available_permits(), 0));
        });
        thread::scope(|s| s.spawn(move || drop(permit)).join().unwrap());
        assert_eq!(semaphore.available_permits(), 1);
    });
}

#[test]
fn debug_tells_the_numbers() {
    let semaphore = shown(Semaphore::new(3));
    let permits = semaphore.acquire_many(2);
    assert_eq!(format!("{semaphore:?}"), "Semaphore { available_permits: 1, .. }");
    assert_eq!(format!("{permits:?}"), "SemaphorePermit { permits: 2, .. }");
    assert_eq!(format!("{:?}", semaphore.acquire_arc()), "ArcSemaphorePermit { permits: 1, .. }");
    assert!(!OverRelease.to_string().is_empty());
}

// --- order ---------------------------------------------------------------------------------------------------------

#[test]
fn permits_are_granted_in_the_order_of_arrival() {
    watchdog(|| {
        for parties in parties() {
            let (semaphore, order) = (Semaphore::new(0), Mutex::new(Vec::new()));
            let sleepers = Sleeper::several(parties);
            thread::scope(|s| {
                for (i, sleeper) in sleepers.iter().enumerate() {
                    let (semaphore, order, acquire) = (&semaphore, &order, ACQUIRES[i % ACQUIRES.len()]);
                    s.spawn(move || {
                        sleeper.about_to_block();
                        // Sizes 1, 2, 3, 1, ..: in order whatever they want.
                        let permits = acquire(semaphore, 1 + i % 3);
                        order.lock().unwrap().push(i);
                        permits.forget();
                    });
                    sleeper.until_asleep();
                }
                for i in 0..parties {
                    for _ in 0..=i % 3 {
                        assert_eq!(order.lock().unwrap().len(), i);
                        semaphore.add_permits(1);
                    }
                    crate::support::eventually(|| order.lock().unwrap().len() == i + 1);
                }
            });
            if Sleeper::SURE {
                assert_eq!(*order.lock().unwrap(), (0..parties).collect::<Vec<_>>());
            }
            assert_eq!(semaphore.available_permits(), 0);
        }
    });
}

#[test]
fn nobody_passes_a_large_request_at_the_head() {
    if !Sleeper::SURE {
        return;
    }
    watchdog(|| {
        let semaphore = shown(Semaphore::new(0));
        let [large, small] = [Sleeper::new(), Sleeper::new()];
        let (large_done, small_done) = (AtomicBool::new(false), AtomicBool::new(false));
        thread::scope(|s| {
            s.spawn(|| {
                large.about_to_block();
                semaphore.acquire_many(3).forget();
                large_done.store(true, Relaxed);
            });
            large.until_asleep();
            s.spawn(|| {
                small.about_to_block();
                semaphore.acquire().forget();
                small_done.store(true, Relaxed);
            });
            small.until_asleep();
            semaphore.add_permits(2);
            assert_eq!(semaphore.available_permits(), 2);
            for _ in repeat(100) {
                assert!(semaphore.try_acquire().is_none());
                assert!(semaphore.try_acquire_arc().is_none());
                assert!(semaphore.try_acquire_for(Duration::ZERO).is_none());
            }
            assert!(semaphore.try_acquire_for(SHORT).is_none());
            assert!(!large_done.load(Relaxed) && !small_done.load(Relaxed));
            semaphore.add_permits(1);
            crate::support::eventually(|| large_done.load(Relaxed));
            assert!(!small_done.load(Relaxed));
            assert!(semaphore.try_acquire().is_none());
            semaphore.add_permits(2);
        });
        assert_eq!(semaphore.available_permits(), 1);
        assert!(semaphore.try_acquire().is_some());
    });
}

#[test]
fn released_permit_belongs_to_the_waiter_at_once() {
    if !Sleeper::SURE {
        return;
    }
    watchdog(|| {
        let semaphore = Semaphore::new(1);
        for _ in repeat(100) {
            let sleeper = Sleeper::new();
            let permit = semaphore.acquire();
            thread::scope(|s| {
                let waiter = s.spawn(|| {
                    sleeper.about_to_block();
                    semaphore.acquire()
                });
                sleeper.until_asleep();
                drop(permit);
                // However long it takes to wake up.
                assert!(semaphore.try_acquire().is_none());
                drop(waiter.join().unwrap());
            });
        }
    });
}

#[test]
fn large_request_that_times_out_lets_the_others_on() {
    watchdog(|| {
        for parties in parties() {
            let semaphore = Semaphore::new(parties);
            let sleepers = Sleeper::several(parties + 1);
            thread::scope(|s| {
                s.spawn(|| {
                    sleepers[parties].about_to_block();
                    assert!(semaphore.try_acquire_many_for(parties + 1, 4 * SHORT).is_none());
                });
                sleepers[parties].until_asleep();
                for (sleeper, acquire) in sleepers[..parties].iter().zip(ACQUIRES.iter().cycle()) {
                    let semaphore = &semaphore;
                    s.spawn(move || {
                        sleeper.about_to_block();
                        // Nobody adds permits: what is there must do.
                        acquire(semaphore, 1).forget();
                    });
                }
            });
            assert_eq!(semaphore.available_permits(), 0);
            semaphore.add_permits(1);
            assert!(semaphore.try_acquire().is_some(), "the queue is empty");
        }
    });
}

#[test]
fn forget_permits_leaves_waiters_waiting() {
    watchdog(|| {
        let semaphore = Semaphore::new(1);
        let sleeper = Sleeper::new();
        thread::scope(|s| {
            s.spawn(|| {
                sleeper.about_to_block();
                semaphore.acquire_many(2).forget();
            });
            sleeper.until_asleep();
            assert_eq!(semaphore.forget_permits(5), 1);
            assert_eq!(semaphore.forget_permits(5), 0);
            semaphore.add_permits(1);
            assert_eq!(semaphore.available_permits(), 1);
            semaphore.add_permits(1);
        });
        assert_eq!(semaphore.available_permits(), 0);
    });
}

// --- all at once ---------------------------------------------------------------------------------------------------

#[test]
fn random_requests_never_exceed_the_permits() {
    const PERMITS: usize = 4;
    watchdog(|| {
        for parties in parties() {
            let semaphore = shown(Semaphore::bounded(PERMITS));
            let (held, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            thread::scope(|s| {
                for party in 0..parties {
                    let (semaphore, held, most) = (&semaphore, &held, &most);
                    s.spawn(move || {
                        let mut numbers = Numbers(party as u64);
                        for _ in repeat(1000) {
                            let n = numbers.below(PERMITS + 1);
                            let soon = Duration::from_micros(numbers.below(200) as u64);
                            let permits = match numbers.below(6) {
                                0 => semaphore.try_acquire_many(n),
                                1 => semaphore.try_acquire_many_for(n, soon),
                                2 => semaphore.try_acquire_many_until(n, Instant::now() + soon),
                                3 => semaphore.try_acquire_many_for(n, Duration::MAX),
                                _ => Some(semaphore.acquire_many(n)),
                            };
                            let Some(mut permits) = permits else { continue };
                            assert_eq!(permits.num_permits(), n);
                            let now = held.fetch_add(n, Relaxed) + n;
                            assert!(now <= PERMITS, "{now} permits of {PERMITS} are held");
                            most.fetch_max(now, Relaxed);
                            if numbers.below(4) == 0 {
                                thread::yield_now();
                            }
                            let part = permits.split(numbers.below(n + 1)).expect("at most all");
                            held.fetch_sub(part.num_permits(), Relaxed);
                            drop(part);
                            held.fetch_sub(permits.num_permits(), Relaxed);
                            if numbers.below(3) == 0 {
                                let left = permits.num_permits();
                                permits.forget();
                                semaphore.add_permits(left);
                            }
                        }
                    });
                }
            });
            assert!(most.load(Relaxed) > 0);
            assert_eq!(semaphore.available_permits(), PERMITS);
            assert_eq!(semaphore.try_add_permits(1), Err(OverRelease));
            assert!(semaphore.try_acquire_many(PERMITS).is_some());
        }
    });
}

#[test]
fn permit_hands_over_what_was_done_under_it() {
    struct Plain(UnsafeCell<usize>);
    /// Its users hold the one permit.
    unsafe impl Sync for Plain {}

    watchdog(|| {
        for parties in parties() {
            let shared = (Semaphore::bounded(1), Plain(UnsafeCell::new(0)));
            thread::scope(|s| {
                for acquire in ACQUIRES.iter().cycle().take(parties) {
                    let shared = &shared;
                    s.spawn(move || {
                        for _ in repeat(500) {
                            let _permit = acquire(&shared.0, 1);
                            let shared = &shared.1;
                            unsafe { *shared.0.get() += 1 };
                        }
                    });
                }
            });
            assert_eq!(shared.1.0.into_inner(), parties * rounds(500));
        }
    });
}

#[test]
fn waiting_allocates_nothing() {
    watchdog(|| {
        let semaphore = Semaphore::new(0);
        // The handle that `std` makes once.
        drop(thread::current());
        assert_eq!(
            allocations_during(|| {
                assert!(semaphore.try_acquire_for(Duration::from_millis(1)).is_none());
                semaphore.add_permits(1);
                drop(semaphore.acquire());
            }),
            0
        );
    });
}

// --- against a specification ---------------------------------------------------------------------------------------

#[derive(Clone, Debug)]
enum Op {
    Acquire(usize),
    TryAcquire(usize),
    TimedAcquire(usize),
    Release(usize),
    Forget(usize),
    Split(usize, usize),
    Merge(usize, usize),
    Add(usize),
    ForgetFree(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let (size, which) = (0..5usize, 0..4usize);
    prop_oneof![
        size.clone().prop_map(Op::Acquire),
        size.clone().prop_map(Op::TryAcquire),
        size.clone().prop_map(Op::TimedAcquire),
        which.clone().prop_map(Op::Release),
        which.clone().prop_map(Op::Forget),
        (which.clone(), size.clone()).prop_map(|(which, n)| Op::Split(which, n)),
        (which.clone(), which).prop_map(|(one, other)| Op::Merge(one, other)),
        size.clone().prop_map(Op::Add),
        size.prop_map(Op::ForgetFree),
    ]
}

proptest! {
    #[test]
    fn permits_are_conserved(
        permits in 0..6usize,
        bounded: bool,
        ops in prop::collection::vec(op(), 0..40),
    ) {
        let semaphore = if bounded { Semaphore::bounded(permits) } else { Semaphore::new(permits) };
        let limit = if bounded { permits } else { MAX };
        let (mut free, mut held) = (permits, Vec::<usize>::new());
        let mut guards = Vec::new();
        for op in ops {
            match op {
                Op::Acquire(n) | Op::TryAcquire(n) | Op::TimedAcquire(n) => {
                    let guard = match op {
                        Op::Acquire(n) if n <= free => Some(semaphore.acquire_many(n)),
                        Op::TimedAcquire(n) => semaphore.try_acquire_many_for(n, Duration::from_nanos(1)),
                        _ => semaphore.try_acquire_many(n),
                    };
                    prop_assert_eq!(guard.is_some(), n <= free);
                    if let Some(guard) = guard {
                        free -= n;
                        held.push(n);
                        guards.push(guard);
                    }
                }
                Op::Release(i) if i < held.len() => {
                    free += held.swap_remove(i);
                    drop(guards.swap_remove(i));
                }
                Op::Forget(i) if i < held.len() => {
                    held.swap_remove(i);
                    guards.swap_remove(i).forget();
                }
                Op::Split(i, n) if i < held.len() => {
                    let part = guards[i].split(n);
                    prop_assert_eq!(part.is_some(), n <= held[i]);
                    if let Some(part) = part {
                        held[i] -= n;
                        held.push(n);
                        guards.push(part);
                    }
                }
                Op::Merge(i, j) if i < j && j < held.len() => {
                    held[i] += held.swap_remove(j);
                    let other = guards.swap_remove(j);
                    guards[i].merge(other);
                }
                Op::Release(_) | Op::Forget(_) | Op::Split(..) | Op::Merge(..) => {}
                Op::Add(n) => {
                    let fits = free + held.iter().sum::<usize>() + n <= limit;
                    prop_assert_eq!(semaphore.try_add_permits(n), if fits { Ok(()) } else { Err(OverRelease) });
                    free += if fits { n } else { 0 };
                }
                Op::ForgetFree(n) => {
                    prop_assert_eq!(semaphore.forget_permits(n), n.min(free));
                    free -= n.min(free);
                }
            }
            prop_assert_eq!(semaphore.available_permits(), free);
            prop_assert_eq!(guards.iter().map(SemaphorePermit::num_permits).collect::<Vec<_>>(), held.clone());
        }
        free += held.iter().sum::<usize>();
        drop(guards);
        prop_assert_eq!(semaphore.available_permits(), free);
    }
}
