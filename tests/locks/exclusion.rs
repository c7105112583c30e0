//! Coming in, keeping out, leaving.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use super::{
    Counter, Held, Lock, Map, Take, Way, assert_free, have, new, obstruct, take, visit, visit_obstacle,
    waiting_ways, ways,
};
use crate::support::{SHORT, Sleeper, cases, elsewhere, parties, repeat, unwind};

/// How to part with a guard.
#[derive(Clone, Copy, Debug)]
enum Out {
    Drop,
    Fair,
    Bump,
    Unlocked,
    UnlockedFair,
    Part,
    PartOfPart,
    FairPart,
    Panic,
    PanicWithPart,
}

const OUTS: [Out; 10] = [
    Out::Drop,
    Out::Fair,
    Out::Bump,
    Out::Unlocked,
    Out::UnlockedFair,
    Out::Part,
    Out::PartOfPart,
    Out::FairPart,
    Out::Panic,
    Out::PanicWithPart,
];

fn leave(mut held: impl Held, out: Out) {
    match out {
        Out::Drop => drop(held),
        Out::Fair => held.unlock_fair(),
        Out::Bump => held.bump(),
        Out::Unlocked => _ = held.unlocked(false, || ()),
        Out::UnlockedFair => _ = held.unlocked(true, || ()),
        Out::Part => drop(held.part(Map::Map, || ())),
        Out::PartOfPart => drop(held.part(Map::TryMap, || ()).part(Map::TryMap, || ())),
        Out::FairPart => held.part(Map::Map, || ()).unlock_fair(),
        Out::Panic | Out::PanicWithPart => {
            let unwound = catch_unwind(AssertUnwindSafe(move || {
                let _held = if let Out::PanicWithPart = out { held.part(Map::Map, || ()) } else { held };
                unwind();
            }));
            assert!(unwound.is_err());
        }
    }
}

// CPython: test_acquire_release, test_reacquire, test_with.
pub(super) fn every_way_in_goes_with_every_way_out<L: Lock>() {
    let (lock, mut counted) = (new::<L>(), 0);
    for way in ways::<L, 4>([Take::Lock, Take::Try, Take::For(SHORT), Take::Until(SHORT)]) {
        for out in cases(OUTS) {
            for _ in 0..3 {
                L::set_up(&lock);
                assert!(L::is_free(&lock));
                let held = have::<L>(&lock, way);
                assert!(elsewhere(|| !L::is_free(&lock)));
                counted += visit::<L>(&held);
                assert_eq!(held.counter().get(), counted);
                leave(held, out);
                assert_free::<L>(&lock);
            }
        }
    }
    assert_eq!(have::<L>(&lock, Way::LOCK).counter().get(), counted);
}

// CPython: test_acquire_destroy.
pub(super) fn lock_goes_right_after_its_guard<L: Lock>() {
    for way in waiting_ways::<L>() {
        let lock = new::<L>();
        drop(have::<L>(&lock, way));
        L::into_inner(Arc::into_inner(lock).expect("no guard is left"));
    }
}

// CPython: test_acquire_contended, test_try_acquire_contended.
pub(super) fn held_lock_keeps_others_out<L: Lock>() {
    for way in waiting_ways::<L>() {
        for parties in parties() {
            let (lock, came) = (new::<L>(), AtomicUsize::new(0));
            let sleepers = Sleeper::several(parties);
            thread::scope(|s| {
                let obstacle = obstruct::<L>(&lock);
                for sleeper in &sleepers {
                    let (lock, came) = (&lock, &came);
                    s.spawn(move || {
                        sleeper.about_to_block();
                        let held = have::<L>(lock, way);
                        visit::<L>(&held);
                        came.fetch_add(1, Relaxed);
                    });
                }
                Sleeper::until_all_asleep(&sleepers);
                assert_eq!(came.load(Relaxed), 0);
                assert_eq!(obstacle.counter().get(), 0);
                drop(obstacle);
            });
            assert_eq!(came.load(Relaxed), parties);
            assert_free::<L>(&lock);
            let counted = if L::SHARED { 0 } else { parties };
            assert_eq!(have::<L>(&lock, Way::LOCK).counter().get(), counted);
        }
    }
}

// CPython: test_try_acquire, test_try_acquire_contended, test_different_thread.
pub(super) fn try_does_not_wait<L: Lock>() {
    for way in ways::<L, 1>([Take::Try]) {
        let lock = new::<L>();
        let obstacle = obstruct::<L>(&lock);
        assert!(elsewhere(|| take::<L>(&lock, way).is_none()));
        drop(obstacle);
        let held = take::<L>(&lock, way).expect("it is free");
        assert_eq!(elsewhere(|| take::<L>(&lock, way).is_some()), L::SHARED);
        assert!(elsewhere(|| L::obstruct(&lock, Take::Try).is_none()));
        drop(held);
        assert_free::<L>(&lock);
    }
}

/// The thread that has the lock may free it: an unlock must not touch it afterwards.
pub(super) fn unlock_is_done_with_the_lock_at_once<L: Lock>() {
    for way in waiting_ways::<L>() {
        for _ in repeat(if way.owned { 20 } else { 100 }) {
            let lock = Arc::new(L::Of::from(Counter::default()));
            let other = {
                let lock = Arc::clone(&lock);
                thread::spawn(move || visit::<L>(&have::<L>(&lock, way)))
            };
            let mine = visit_obstacle::<L>(&obstruct::<L>(&lock));
            if let Some(lock) = Arc::into_inner(lock) {
                let counted = L::into_inner(lock).get();
                assert_eq!(counted, mine + other.join().unwrap());
            } else {
                other.join().unwrap();
            }
        }
    }
}
