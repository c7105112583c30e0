//! The guards of an `RwLock`, locking without them, and what they show.

use std::mem;
use std::ptr;
use std::sync::Arc;

use lockwork::{
    ArcRwLockReadGuard, ArcRwLockUpgradableReadGuard, ArcRwLockWriteGuard, MappedRwLockReadGuard,
    MappedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard,
};

use super::{Held, KINDS, Kind, MODES, open_to, take};
use crate::locks::Take;
use crate::support::{cases, either, watchdog};

#[test]
fn map_narrows_and_unlocks_once() {
    for mode in cases(MODES) {
        let lock = mode.lock(((1, 2), "three"));
        let pair = RwLockReadGuard::map(lock.read(), |all| &all.0);
        let second = MappedRwLockReadGuard::map(pair, |pair| &pair.1);
        assert_eq!(*second, 2);
        assert_eq!(open_to(&lock), [true, true, false]);
        let other = lock.read();
        drop(second);
        assert!(lock.is_locked(), "by the other");
        drop(other);
        assert!(!lock.is_locked());

        let pair = RwLockWriteGuard::map(lock.write(), |all| &mut all.0);
        let mut second = MappedRwLockWriteGuard::map(pair, |pair| &mut pair.1);
        *second = 4;
        assert_eq!(open_to(&lock), [false; 3]);
        assert!(lock.is_locked_exclusive());
        drop(second);
        assert!(!lock.is_locked());
        assert_eq!(lock.into_inner(), ((1, 4), "three"));
    }
}

#[test]
fn try_map_gives_the_guard_back() {
    for mode in cases(MODES) {
        let lock = mode.lock(vec![1, 2]);
        let guard = RwLockReadGuard::try_map(lock.read(), |list| list.get(9)).expect_err("no tenth");
        assert!(lock.is_locked());
        let (guard, error) =
            RwLockReadGuard::try_map_or_err(guard, |list| list.get(9).ok_or("no tenth")).expect_err("still");
        assert_eq!((guard.len(), error), (2, "no tenth"));
        let list =
            RwLockReadGuard::try_map_or_err(guard, |list| Ok::<_, ()>(list.as_slice())).expect("it is");
        let list = MappedRwLockReadGuard::try_map(list, |list| list.get(9)).expect_err("no tenth");
        let first = MappedRwLockReadGuard::try_map(list, |list| list.first()).expect("a first");
        assert_eq!(*first, 1);
        drop(first);
        assert!(!lock.is_locked());

        let guard = RwLockWriteGuard::try_map(lock.write(), |list| list.get_mut(9)).expect_err("no tenth");
        assert!(lock.is_locked_exclusive());
        let (guard, error) =
            RwLockWriteGuard::try_map_or_err(guard, |list| list.get_mut(9).ok_or(9)).expect_err("still");
        assert_eq!((guard.len(), error), (2, 9));
        let list =
            RwLockWriteGuard::try_map_or_err(guard, |list| Ok::<_, ()>(list.as_mut_slice())).expect("it is");
        let list = MappedRwLockWriteGuard::try_map(list, |list| list.get_mut(9)).expect_err("no tenth");
        let mut last = MappedRwLockWriteGuard::try_map(list, |list| list.last_mut()).expect("a last");
        *last = 3;
        drop(last);
        assert!(!lock.is_locked());
        assert_eq!(lock.into_inner(), [1, 3]);
    }
}

#[test]
fn guards_know_their_lock() {
    for mode in cases(MODES) {
        let lock = mode.arc(0);
        assert!(ptr::eq(RwLockReadGuard::rwlock(&lock.read()), &raw const *lock));
        assert!(ptr::eq(RwLockUpgradableReadGuard::rwlock(&lock.upgradable_read()), &raw const *lock));
        assert!(ptr::eq(RwLockWriteGuard::rwlock(&lock.write()), &raw const *lock));
        mode.set_up(&lock);
        type Lock = Arc<RwLock<i32>>;
        let backs: [fn(&Lock) -> Lock; 3] = [
            |lock| {
                let guard = lock.read_arc();
                assert!(Arc::ptr_eq(ArcRwLockReadGuard::rwlock(&guard), lock));
                ArcRwLockReadGuard::into_arc(guard)
            },
            |lock| {
                let guard = lock.upgradable_read_arc();
                assert!(Arc::ptr_eq(ArcRwLockUpgradableReadGuard::rwlock(&guard), lock));
                ArcRwLockUpgradableReadGuard::into_arc(guard)
            },
            |lock| {
                let guard = lock.write_arc();
                assert!(Arc::ptr_eq(ArcRwLockWriteGuard::rwlock(&guard), lock));
                ArcRwLockWriteGuard::into_arc(guard)
            },
        ];
        for back in backs {
            let back = back(&lock);
            assert!(!lock.is_locked());
            assert!(Arc::ptr_eq(&back, &lock));
            assert_eq!(Arc::strong_count(&lock), 2);
        }
    }
}

#[test]
fn force_unlock_ends_a_forgotten_write() {
    let lock = RwLock::new(1);
    for fair in either("fair ") {
        mem::forget(lock.write());
        assert!(lock.is_locked_exclusive());
        if fair {
            unsafe { lock.force_unlock_write_fair() };
        } else {
            unsafe { lock.force_unlock_write() };
        }
        assert!(!lock.is_locked());
    }
    mem::forget(lock.write());
    let mut guard = unsafe { lock.make_write_guard_unchecked() };
    *guard = 2;
    drop(guard);
    assert_eq!(open_to(&lock), [true; 3]);
    assert_eq!(lock.into_inner(), 2);
}

#[test]
fn data_ptr_and_get_mut_point_to_the_value() {
    for mode in cases(MODES) {
        let mut lock = mode.lock(1);
        *lock.get_mut() = 2;
        let reader = lock.read();
        assert!(ptr::eq(lock.data_ptr(), &raw const *reader));
        drop(reader);
        let writer = lock.write();
        unsafe { *lock.data_ptr() = 3 };
        assert_eq!(*writer, 3);
    }
}

#[test]
fn guards_show_their_value() {
    watchdog(|| {
        for mode in cases(MODES) {
            let lock = mode.arc(7);
            assert_eq!(format!("{lock:?}"), "RwLock { data: 7 }");
            assert!(!lock.is_locked());
            for kind in cases(KINDS) {
                for arc in either("arc ") {
                    let mut held = take(&lock, kind, Take::Lock, arc).expect("it is free");
                    for _ in 0..2 {
                        let shown = if kind == Kind::Write { "<locked>" } else { "7" };
                        assert_eq!(format!("{lock:?}"), format!("RwLock {{ data: {shown} }}"));
                        assert_eq!(format!("{lock:#?}"), format!("RwLock {{\n    data: {shown},\n}}"));
                        match &held {
                            Held::Read(guard) => assert_eq!(format!("{guard:?} {guard:>2}"), "7  7"),
                            Held::Upgradable(guard) => assert_eq!(format!("{guard:?} {guard:>2}"), "7  7"),
                            Held::Write(guard) => assert_eq!(format!("{guard:?} {guard:>2}"), "7  7"),
                            Held::MappedRead(guard) => assert_eq!(format!("{guard:?} {guard:>2}"), "7  7"),
                            Held::MappedWrite(guard) => assert_eq!(format!("{guard:?} {guard:>2}"), "7  7"),
                            Held::ArcRead(guard) => assert_eq!(format!("{guard:?} {guard:>2}"), "7  7"),
                            Held::ArcUpgradable(guard) => assert_eq!(format!("{guard:?} {guard:>2}"), "7  7"),
                            Held::ArcWrite(guard) => assert_eq!(format!("{guard:?} {guard:>2}"), "7  7"),
                        }
                        held = held.map();
                    }
                }
            }
            let list: &RwLock<[u8]> = &RwLock::new([1, 2]);
            mode.set_up(list);
            assert_eq!(format!("{list:?}"), "RwLock { data: [1, 2] }");
        }
    });
}

#[test]
#[cfg_attr(feature = "diagnose", ignore = "locks have names, and guards entries")]
fn sizes() {
    const WORD: usize = size_of::<usize>();
    assert_eq!(size_of::<RwLock<()>>(), WORD + 8);
    assert_eq!(size_of::<RwLock<usize>>(), 2 * WORD + 8);
    assert!(size_of::<RwLockReadGuard<'_, u8>>() <= 2 * WORD);
    assert!(size_of::<RwLockUpgradableReadGuard<'_, u8>>() <= WORD);
    assert!(size_of::<RwLockWriteGuard<'_, u8>>() <= WORD);
    assert!(size_of::<Option<RwLockReadGuard<'_, u8>>>() <= 2 * WORD);
    assert!(size_of::<MappedRwLockReadGuard<'_, u8>>() <= 3 * WORD);
    assert!(size_of::<MappedRwLockWriteGuard<'_, u8>>() <= 2 * WORD);
    assert!(size_of::<ArcRwLockReadGuard<u8>>() <= 2 * WORD);
    assert!(size_of::<ArcRwLockUpgradableReadGuard<u8>>() <= WORD);
    assert!(size_of::<ArcRwLockWriteGuard<u8>>() <= WORD);
}
