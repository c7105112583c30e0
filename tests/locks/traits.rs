//! What is made of a value and gives it back, and what is shown.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::{Counter, Held, Lock, Map, Take, Way, assert_free, have, new, obstruct, owned, visit, ways};
use crate::support::{Drops, elsewhere};

pub(super) fn debug_never_blocks<L: Lock>() {
    let lock = new::<L>();
    let show = || format!("{lock:?}");
    assert_eq!(show(), L::debug("0"));
    assert_free::<L>(&lock);
    for way in ways::<L, 2>([Take::Lock, Take::Try]) {
        let held = have::<L>(&lock, way);
        let data = if L::SEEN { "0" } else { "<locked>" };
        assert_eq!(elsewhere(show), L::debug(data));
        drop(held);
        assert_free::<L>(&lock);
    }
    let obstacle = obstruct::<L>(&lock);
    let data = if L::SHARED_OBSTACLE { "0" } else { "<locked>" };
    assert_eq!(elsewhere(show), L::debug(data));
    let part = obstacle.part(Map::Map, || ());
    assert_eq!(elsewhere(show), L::debug(data));
    drop(part);
    assert_eq!(show(), L::debug("0"));
}

pub(super) fn debug_releases_after_a_panic<L: Lock>() {
    let lock = Arc::new(L::Of::from(Counter { shy: true, ..Counter::default() }));
    assert!(catch_unwind(AssertUnwindSafe(|| format!("{lock:?}"))).is_err());
    assert_free::<L>(&lock);
}

pub(super) fn default_and_from<L: Lock>() {
    let lock = new::<L>();
    assert_eq!(have::<L>(&lock, Way::LOCK).counter().get(), 0);
    let counter = Counter::default();
    counter.add();
    let lock = Arc::new(L::Of::from(counter));
    assert_eq!(have::<L>(&lock, Way::LOCK).counter().get(), 1);
    assert_eq!(L::into_inner(Arc::into_inner(lock).expect("no guard is left")).get(), 1);
}

pub(super) fn values_are_dropped_once<L: Lock>() {
    let drops = Drops::new();
    let make = || Arc::new(L::Of::from(Counter { _counted: Some(drops.value()), ..Counter::default() }));
    drop(make());
    assert_eq!(drops.count(), 1);

    let value = L::into_inner(Arc::into_inner(make()).expect("the only one"));
    assert_eq!(drops.count(), 1);
    drop(value);
    assert_eq!(drops.count(), 2);

    let lock = make();
    for way in ways::<L, 2>([Take::Lock, Take::Try]) {
        drop(have::<L>(&lock, way));
        have::<L>(&lock, way).unlock_fair();
        drop(have::<L>(&lock, way).part(Map::Map, || ()));
    }
    assert_eq!(drops.count(), 2, "guards drop no values");
    assert_eq!(Arc::strong_count(&lock), 1);
    drop(lock);
    assert_eq!(drops.count(), 3);

    // Locked or not.
    for &owned in owned::<L>() {
        let lock = make();
        let held = have::<L>(&lock, Way { take: Take::Lock, owned });
        visit::<L>(&held);
        std::mem::forget(held);
        if owned {
            // The guard's share in the lock was forgotten with it.
            unsafe { Arc::decrement_strong_count(Arc::as_ptr(&lock)) };
        }
        let before = drops.count();
        drop(lock);
        assert_eq!(drops.count(), before + 1);
    }
}
