//! `lockwork::Semaphore`.

use std::mem;

use lockwork::internals::{semaphore_has_waiters, set_turns};
use lockwork::{OverRelease, Semaphore};

use crate::models::support::{Arc, Duration, Plain, SOON, model, model_bounded, reach, thread};

const THREE: &str = "three threads";

/// Two acquirers, one permit: one at a time, and each sees what the other did.
#[test]
fn two_acquirers_share_one_permit() {
    let states = ["waiter parks", "waiter woken before it parks", "semaphore permits found before queueing"];
    model(&states, || {
        let shared = Arc::new((Semaphore::new(1), Plain::new(0)));
        let other = Arc::clone(&shared);
        let work = |shared: &(Semaphore, Plain)| {
            let permit = shared.0.acquire();
            shared.1.set(shared.1.get() + 1);
            drop(permit);
        };
        let second = thread::spawn(move || work(&other));
        work(&shared);
        second.join().unwrap();
        assert_eq!(shared.1.get(), 2);
        assert!(!semaphore_has_waiters(&shared.0));
        assert!(shared.0.try_acquire().is_some());
        assert_eq!(shared.0.available_permits(), 1);
    });
}

/// `try_acquire` takes a permit with what came before it was given back, or nothing.
#[test]
fn try_acquire_excludes_and_sees() {
    model(&["taken", "not there"], || {
        let shared = Arc::new((Semaphore::new(1), Plain::new(0)));
        let other = Arc::clone(&shared);
        let work = |shared: &(Semaphore, Plain)| {
            let permit = shared.0.try_acquire();
            reach(if permit.is_some() { "taken" } else { "not there" });
            if permit.is_some() {
                shared.1.set(shared.1.get() + 1);
            }
            permit.is_some()
        };
        let second = thread::spawn(move || work(&other));
        let taken = usize::from(work(&shared)) + usize::from(second.join().unwrap());
        assert_ne!(taken, 0);
        assert_eq!(shared.1.get(), taken);
        assert_eq!(shared.0.available_permits(), 1);
    });
}

/// Added permits reach the thread that waits for them, with what came before; too few of them reach none.
#[test]
fn added_permits_publish_and_reach_who_waits() {
    let states = ["waiter parks", "waiter woken before it parks", "semaphore permits found before queueing"];
    model(&states, || {
        let shared = Arc::new((Semaphore::new(0), Plain::new(0)));
        let other = Arc::clone(&shared);
        let waiter = thread::spawn(move || {
            other.0.acquire_many(2).forget();
            assert_eq!(other.1.get(), 2);
        });
        shared.1.set(1);
        shared.0.add_permits(1);
        shared.1.set(2);
        shared.0.add_permits(1);
        waiter.join().unwrap();
        assert_eq!(shared.0.available_permits(), 0);
    });
}

/// A thread that hands a permit over unparks the one behind, which has no permit yet, spins and parks again;
/// it gets the next one.
#[test]
fn waiter_unparked_ahead_of_its_turn_waits_for_it() {
    let states = ["waiter unparked ahead of its turn", "waiter spins ahead of its turn", "waiter parks"];
    model_bounded(3, THREE, &states, || {
        set_turns(true);
        let shared = Arc::new((Semaphore::new(0), Plain::new(0)));
        let acquirers = [(); 2].map(|()| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let permit = shared.0.acquire();
                shared.1.set(shared.1.get() + 1);
                drop(permit);
            })
        });
        shared.0.add_permits(1);
        for acquirer in acquirers {
            acquirer.join().unwrap();
        }
        assert_eq!(shared.1.get(), 2);
        assert!(!semaphore_has_waiters(&shared.0));
        assert_eq!(shared.0.available_permits(), 1);
    });
}

/// One that was unparked ahead of its turn gives up: it leaves, unless its turn has come.
#[test]
fn waiter_unparked_ahead_of_its_turn_gives_up() {
    let states =
        ["waiter unparked ahead of its turn", "waiter spins ahead of its turn", "taken", "timed out"];
    model_bounded(3, THREE, &states, || {
        set_turns(true);
        let shared = Arc::new(Semaphore::new(0));
        let first = Arc::clone(&shared);
        let first = thread::spawn(move || drop(first.acquire()));
        let second = Arc::clone(&shared);
        let second = thread::spawn(move || {
            let taken = second.try_acquire_for(SOON).is_some();
            reach(if taken { "taken" } else { "timed out" });
        });
        shared.add_permits(1);
        first.join().unwrap();
        second.join().unwrap();
        assert!(!semaphore_has_waiters(&shared));
        assert_eq!(shared.available_permits(), 1);
    });
}

/// One that waits for the permits of two others gets what both did, whichever of them grants.
#[test]
fn grant_carries_what_all_releasers_did() {
    model_bounded(3, THREE, &["waiter parks", "granted"], || {
        let shared = Arc::new((Arc::new(Semaphore::new(2)), [Plain::new(0), Plain::new(0)]));
        let [first, second] = [(); 2].map(|()| shared.0.acquire_arc());
        let other = Arc::clone(&shared);
        let waiter = thread::spawn(move || {
            let permits = other.0.acquire_many(2);
            assert_eq!(other.1[0].get() + other.1[1].get(), 2);
            reach("granted");
            mem::forget(permits);
        });
        let other = Arc::clone(&shared);
        let releaser = thread::spawn(move || {
            other.1[0].set(1);
            drop(first);
        });
        shared.1[1].set(1);
        drop(second);
        waiter.join().unwrap();
        releaser.join().unwrap();
    });
}

/// Time-out against release, in both orders: the permits are with the waiter or they are free.
#[test]
fn timed_acquire_takes_or_leaves() {
    let states = ["taken", "timed out", "waiter leaves at its deadline", "waiter is woken at its deadline"];
    model(&states, || {
        let shared = Arc::new((Semaphore::new(0), Plain::new(0)));
        let other = Arc::clone(&shared);
        let waiter = thread::spawn(move || match other.0.try_acquire_many_for(2, SOON) {
            Some(permits) => {
                assert_eq!(other.1.get(), 1);
                reach("taken");
                permits.forget();
                2
            }
            None => {
                reach("timed out");
                0
            }
        });
        shared.1.set(1);
        shared.0.add_permits(3);
        let taken = waiter.join().unwrap();
        assert!(!semaphore_has_waiters(&shared.0));
        assert!(shared.0.try_acquire_many(3 - taken).is_some());
        assert_eq!(shared.0.available_permits(), 3 - taken);
    });
}

/// A large request at the head gives up while a small one behind it waits, for which there is a permit. No
/// other thread does anything: if the one that leaves does not let the other on, no thread does.
#[test]
fn large_request_that_gives_up_lets_the_small_one_behind_it_on() {
    let states = ["waiter leaves at its deadline", "small one waited", "small one passed"];
    model_bounded(3, THREE, &states, || {
        let shared = Arc::new((Semaphore::new(1), Plain::new(0)));
        let other = Arc::clone(&shared);
        let large = thread::spawn(move || {
            assert!(other.0.try_acquire_many_for(2, SOON).is_none());
        });
        let other = Arc::clone(&shared);
        let small = thread::spawn(move || {
            match other.0.try_acquire() {
                Some(permit) => {
                    reach("small one passed");
                    drop(permit);
                }
                None => reach("small one waited"),
            }
            let permit = other.0.acquire();
            assert_eq!(other.0.available_permits(), 0);
            // Not given back: the large one must give up.
            permit.forget();
        });
        large.join().unwrap();
        small.join().unwrap();
        assert!(!semaphore_has_waiters(&shared.0));
        assert_eq!(shared.0.available_permits(), 0);
    });
}

/// The same against a release that makes the large request fit: it is served or gives up, and the small one
/// is served in either case.
#[test]
fn release_against_a_large_request_that_gives_up() {
    let states = ["large", "not large", "waiter leaves at its deadline", "waiter is woken at its deadline"];
    model_bounded(3, THREE, &states, || {
        let semaphore = Arc::new(Semaphore::new(2));
        let held = semaphore.acquire_arc();
        let large = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || {
                let permits = semaphore.try_acquire_many_for(2, SOON);
                reach(if permits.is_some() { "large" } else { "not large" });
            })
        };
        let small = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || mem::forget(semaphore.acquire()))
        };
        drop(held);
        large.join().unwrap();
        small.join().unwrap();
        assert!(!semaphore_has_waiters(&semaphore));
        assert_eq!(semaphore.available_permits(), 1);
    });
}

/// While a large request is queued, no thread takes the permits it is short of.
#[test]
fn no_request_passes_a_queued_one() {
    model(&["queued", "not yet"], || {
        let semaphore = Arc::new(Semaphore::new(1));
        let other = Arc::clone(&semaphore);
        let large = thread::spawn(move || other.acquire_many(2).forget());
        if semaphore_has_waiters(&semaphore) {
            reach("queued");
            assert!(semaphore.try_acquire().is_none());
            assert!(semaphore.try_acquire_for(Duration::ZERO).is_none());
            assert!(semaphore.try_acquire_many(0).is_some());
        } else {
            reach("not yet");
        }
        semaphore.add_permits(1);
        large.join().unwrap();
        assert_eq!(semaphore.available_permits(), 0);
    });
}

/// Three sizes against three permits: all get through, and nothing is lost.
#[test]
fn many_sizes_all_get_through() {
    model_bounded(3, THREE, &["waiter parks"], || {
        let semaphore = Arc::new(Semaphore::new(3));
        let others = [2, 3].map(|n| {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || {
                drop(semaphore.acquire_many(n));
            })
        });
        drop(semaphore.acquire());
        for other in others {
            other.join().unwrap();
        }
        assert!(!semaphore_has_waiters(&semaphore));
        assert_eq!(semaphore.available_permits(), 3);
    });
}

/// One release serves two waiters, each of which could be granted by itself.
#[test]
fn one_release_serves_two() {
    model_bounded(3, THREE, &["waiter parks"], || {
        let semaphore = Arc::new(Semaphore::new(2));
        let held = semaphore.acquire_many_arc(2);
        let waiters = [(); 2].map(|()| {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || mem::forget(semaphore.acquire()))
        });
        drop(held);
        for waiter in waiters {
            waiter.join().unwrap();
        }
        assert_eq!(semaphore.available_permits(), 0);
    });
}

/// Taking permits away against a thread that wants them: each permit goes one way.
#[test]
fn forgetting_against_acquiring() {
    model(&["forgotten", "acquired"], || {
        let semaphore = Arc::new(Semaphore::bounded(1));
        let other = Arc::clone(&semaphore);
        let acquirer = thread::spawn(move || {
            let permit = other.try_acquire_for(SOON);
            let acquired = permit.is_some();
            if let Some(permit) = permit {
                permit.forget();
            }
            acquired
        });
        let forgotten = semaphore.forget_permits(2);
        let acquired = acquirer.join().unwrap();
        reach(if acquired { "acquired" } else { "forgotten" });
        assert_eq!(forgotten + usize::from(acquired), 1);
        assert_eq!(semaphore.available_permits(), 0);
        assert!(!semaphore_has_waiters(&semaphore));
        assert_eq!(semaphore.try_add_permits(2), Err(OverRelease));
        assert_eq!(semaphore.try_add_permits(1), Ok(()));
    });
}

/// Taking permits away while a larger request waits and is being served: what is taken away was too little
/// for it, or left over, and the counts stay right.
#[test]
fn forgetting_past_a_queued_request() {
    let states = ["semaphore permits forgotten while a thread waits", "waiter parks", "forgotten", "kept"];
    model_bounded(3, THREE, &states, || {
        let semaphore = Arc::new(Semaphore::new(2));
        let held = semaphore.acquire_arc();
        let waiter = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || mem::forget(semaphore.acquire_many(2)))
        };
        let releaser = thread::spawn(move || drop(held));
        let forgotten = semaphore.forget_permits(1);
        reach(if forgotten == 0 { "kept" } else { "forgotten" });
        releaser.join().unwrap();
        assert_eq!(semaphore.available_permits(), if forgotten == 0 { 0 } else { 1 });
        semaphore.add_permits(forgotten);
        waiter.join().unwrap();
        assert_eq!(semaphore.available_permits(), 0);
    });
}

/// Taking permits away while a request waits that nothing can serve, and gives up: what is taken away is
/// taken once, and may be made again.
#[test]
fn forgetting_against_a_request_that_gives_up() {
    let states = [
        "semaphore permits forgotten while a thread waits",
        "semaphore queue empty before permits could be forgotten",
        "waiter leaves at its deadline",
    ];
    model(&states, || {
        let semaphore = Arc::new(Semaphore::bounded(3));
        let held = semaphore.acquire_arc();
        let other = Arc::clone(&semaphore);
        let waiter = thread::spawn(move || assert!(other.try_acquire_many_for(3, SOON).is_none()));
        assert_eq!(semaphore.forget_permits(1), 1);
        assert_eq!(semaphore.available_permits(), 1);
        waiter.join().unwrap();
        drop(held);
        assert_eq!(semaphore.available_permits(), 2);
        assert_eq!(semaphore.try_add_permits(2), Err(OverRelease));
        assert_eq!(semaphore.try_add_permits(1), Ok(()));
    });
}

/// Permits that a queued request was short of are the request's as soon as they are there: no thread takes
/// those away.
#[test]
fn forgetting_takes_nothing_from_a_request_that_fits() {
    model_bounded(3, THREE, &["queued", "waiter parks"], || {
        let semaphore = Arc::new(Semaphore::new(1));
        let held = semaphore.acquire_arc();
        let waiter = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || mem::forget(semaphore.acquire()))
        };
        let releaser = thread::spawn(move || drop(held));
        if semaphore_has_waiters(&semaphore) {
            reach("queued");
            assert_eq!(semaphore.forget_permits(1), 0, "none before the release, and none after it");
        }
        releaser.join().unwrap();
        waiter.join().unwrap();
        assert_eq!(semaphore.available_permits(), 0);
    });
}

/// A forgotten permit and one added for it are one after the other, and the bound holds in between.
#[test]
fn forgotten_permit_is_replaced_with_what_its_holder_did() {
    model(&["replaced", "too early"], || {
        let shared = Arc::new((Semaphore::bounded(1), Plain::new(0)));
        let permit = shared.0.acquire_many(1);
        let other = Arc::clone(&shared);
        let replacer = thread::spawn(move || match other.0.try_add_permits(1) {
            Ok(()) => {
                assert_eq!(other.1.get(), 1);
                assert!(other.0.available_permits() <= 1);
                reach("replaced");
                true
            }
            Err(OverRelease) => {
                reach("too early");
                false
            }
        });
        shared.1.set(1);
        permit.forget();
        let replaced = replacer.join().unwrap();
        assert_eq!(shared.0.available_permits(), usize::from(replaced));
        assert_eq!(shared.0.try_add_permits(1).is_ok(), !replaced);
    });
}

/// Two threads that add against room for one: one of them succeeds.
#[test]
fn two_additions_fit_once() {
    model(&["the other", "this one"], || {
        let semaphore = Arc::new(Semaphore::bounded(1));
        semaphore.acquire().forget();
        let other = Arc::clone(&semaphore);
        let adder = thread::spawn(move || other.try_add_permits(1).is_ok());
        let this = semaphore.try_add_permits(1).is_ok();
        let that = adder.join().unwrap();
        assert!(this ^ that);
        reach(if this { "this one" } else { "the other" });
        assert_eq!(semaphore.available_permits(), 1);
    });
}

/// Permits that were split and dropped in two threads are as many as before.
#[test]
fn split_permits_come_back_whole() {
    model(&["waiter parks", "waiter woken before it parks"], || {
        let semaphore = Arc::new(Semaphore::bounded(3));
        let mut permits = semaphore.acquire_many_arc(3);
        let part = permits.split(2).unwrap();
        let other = thread::spawn(move || drop(part));
        drop(permits);
        let all = semaphore.acquire_many(3);
        assert_eq!(semaphore.available_permits(), 0);
        drop(all);
        other.join().unwrap();
        assert_eq!(semaphore.available_permits(), 3);
    });
}

#[test]
#[should_panic(expected = "deadlock")]
fn deadlock_is_a_panic_although_permits_are_dropped_by_it() {
    model(&[], || {
        let semaphore = Semaphore::new(1);
        let _one = semaphore.acquire();
        let _another = semaphore.acquire();
    });
}

/// A release that finds the queue locked leaves the granting to the thread that has it, be it one that queues
/// or one that leaves: the permits are with the waiter, with what came before the release, or they are free.
#[test]
fn release_is_left_to_the_queue_locks_holder() {
    let states =
        ["work left to the holder of the queue lock", "waiter leaves at its deadline", "taken", "timed out"];
    model(&states, || {
        let shared = Arc::new((Semaphore::new(0), Plain::new(0)));
        let other = Arc::clone(&shared);
        let waiter = thread::spawn(move || match other.0.try_acquire_for(SOON) {
            Some(permit) => {
                assert_eq!(other.1.get(), 1);
                reach("taken");
                permit.forget();
                1
            }
            None => {
                reach("timed out");
                0
            }
        });
        shared.1.set(1);
        shared.0.add_permits(1);
        let taken = waiter.join().unwrap();
        assert_eq!(shared.0.available_permits(), 1 - taken);
        assert!(!semaphore_has_waiters(&shared.0));
    });
}
