//! Panics of those who have a lock, and unlocking it for a while.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;

use super::{
    Held, Lock, Map, Take, Way, assert_free, have, new, obstruct, visit, visit_obstacle, waiting_ways, ways,
};
use crate::support::{Sleeper, cases, either, elsewhere, eventually, parties, repeat, unwind, unwinds};

pub(super) fn panic_while_held_lets_waiters_in<L: Lock>() {
    for way in waiting_ways::<L>() {
        for parties in parties() {
            let (lock, came, sleepers) = (new::<L>(), AtomicUsize::new(0), Sleeper::several(parties));
            let counted = thread::scope(|s| {
                let mut obstacle = obstruct::<L>(&lock);
                for sleeper in &sleepers {
                    let (lock, came) = (&lock, &came);
                    s.spawn(move || {
                        sleeper.about_to_block();
                        visit::<L>(&have::<L>(lock, way));
                        came.fetch_add(1, Relaxed);
                    });
                }
                Sleeper::until_all_asleep(&sleepers);
                if parties % 2 == 0 {
                    obstacle = obstacle.part(Map::Map, || ());
                }
                let counted = visit_obstacle::<L>(&obstacle);
                assert!(unwinds(|| {
                    let _obstacle = obstacle;
                    unwind();
                }));
                counted
            });
            assert_eq!(came.load(Relaxed), parties);
            assert_free::<L>(&lock);
            // The value stays as it was left.
            let counted = counted + if L::SHARED { 0 } else { parties };
            assert_eq!(have::<L>(&lock, Way::LOCK).counter().get(), counted);
        }
    }
}

pub(super) fn panic_while_mapping_releases<L: Lock>() {
    for way in ways::<L, 2>([Take::Lock, Take::Try]) {
        for by in cases([Map::Map, Map::TryMap]) {
            for again in either("again ") {
                let lock = new::<L>();
                assert!(unwinds(|| {
                    let mut held = have::<L>(&lock, way);
                    if again {
                        held = held.part(by, || ());
                    }
                    held.part(by, || unwind());
                }));
                assert_free::<L>(&lock);
            }
        }
    }
}

pub(super) fn unlocked_unlocks_and_locks_again<L: Lock>() {
    for way in ways::<L, 2>([Take::Lock, Take::Try]) {
        for fair in either("fair ") {
            let (lock, mut counted) = (new::<L>(), 0);
            let mut held = have::<L>(&lock, way);
            for panics in either("panics ") {
                let ran = catch_unwind(AssertUnwindSafe(|| {
                    held.unlocked(fair, || {
                        elsewhere(|| assert!(L::is_free(&lock)));
                        counted += elsewhere(|| visit::<L>(&have::<L>(&lock, Way::LOCK)));
                        if panics {
                            unwind();
                        }
                    })
                }));
                assert_eq!(ran.ok(), (!panics).then_some(true));
                assert!(elsewhere(|| !L::is_free(&lock)), "locked again");
                assert!(elsewhere(|| L::obstruct(&lock, Take::Try).is_none()));
                counted += visit::<L>(&held);
                assert_eq!(held.counter().get(), counted);
            }
            drop(held);
            assert_free::<L>(&lock);
        }
    }
}

pub(super) fn unlocked_waits_for_the_lock_before_it_returns<L: Lock>() {
    for way in ways::<L, 1>([Take::Lock]) {
        for fair in either("fair ") {
            for _ in repeat(30) {
                let (lock, taken) = (new::<L>(), AtomicBool::new(false));
                thread::scope(|s| {
                    let mut held = have::<L>(&lock, way);
                    let other = s.spawn(|| {
                        let obstacle = obstruct::<L>(&lock);
                        taken.store(true, Relaxed);
                        thread::yield_now();
                        visit_obstacle::<L>(&obstacle)
                    });
                    held.unlocked(fair, || eventually(|| taken.load(Relaxed)));
                    let seen = held.counter().get();
                    drop(held);
                    assert_eq!(other.join().unwrap(), seen);
                });
            }
        }
    }
}
