//! Feature `lock_api`: what is not in the body that `tests/parking_lot` runs on all of them.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use lock_api::{
    GetThreadId, GuardNoSend, RawMutex as _, RawMutexFair, RawMutexTimed, RawRwLock as _, RawRwLockDowngrade,
    RawRwLockFair, RawRwLockRecursive, RawRwLockRecursiveTimed, RawRwLockTimed, RawRwLockUpgrade,
    RawRwLockUpgradeDowngrade, RawRwLockUpgradeFair, RawRwLockUpgradeTimed, RwLockReadGuard,
    RwLockUpgradableReadGuard, RwLockWriteGuard,
};
use lockwork::{RawFairMutex, RawMutex, RawRwLock, RawThreadId};
use static_assertions::{assert_impl_all, assert_not_impl_any, assert_type_eq_all};

use crate::support::{Sleeper, parties, rounds, shown, watchdog};

assert_impl_all!(RawMutex: lock_api::RawMutex, RawMutexFair, RawMutexTimed, Send, Sync);
assert_impl_all!(RawFairMutex: lock_api::RawMutex, RawMutexFair, RawMutexTimed, Send, Sync);
assert_impl_all!(
    RawRwLock: lock_api::RawRwLock, RawRwLockFair, RawRwLockDowngrade, RawRwLockTimed, RawRwLockRecursive,
    RawRwLockRecursiveTimed, RawRwLockUpgrade, RawRwLockUpgradeFair, RawRwLockUpgradeDowngrade,
    RawRwLockUpgradeTimed, Send, Sync
);
assert_impl_all!(RawThreadId: GetThreadId, Send, Sync);
assert_type_eq_all!(
    <RawMutex as lock_api::RawMutex>::GuardMarker,
    <RawFairMutex as lock_api::RawMutex>::GuardMarker,
    <RawRwLock as lock_api::RawRwLock>::GuardMarker,
    GuardNoSend
);
assert_not_impl_any!(lock_api::MutexGuard<'static, RawMutex, u8>: Send);

type Mutex<T> = lock_api::Mutex<RawMutex, T>;
type FairMutex<T> = lock_api::Mutex<RawFairMutex, T>;
type RwLock<T> = lock_api::RwLock<RawRwLock, T>;

/// The lock goes to the sleeping thread: the thread that unlocked it cannot have it again at once.
#[test]
fn fair_mutex_hands_over_at_each_unlock() {
    watchdog(|| {
        static LOCK: FairMutex<u32> = FairMutex::new(0);
        let sleeper = Sleeper::new();
        thread::scope(|s| {
            let mut guard = LOCK.lock();
            s.spawn(|| {
                sleeper.about_to_block();
                *LOCK.lock() += 1;
            });
            sleeper.until_asleep();
            *guard += 1;
            drop(guard);
            if Sleeper::SURE {
                assert_eq!(*LOCK.lock(), 2, "the other thread came first");
            }
        });
        assert!(!LOCK.is_locked());
    });
}

/// Readers unlocked by another thread than the one that locked are counted all the same.
#[test]
fn raw_readers_leave_in_any_thread() {
    watchdog(|| {
        static RAW: RawRwLock = RawRwLock::INIT;
        for _ in 0..100 {
            RAW.lock_shared();
        }
        assert!(RAW.is_locked() && !RAW.try_lock_exclusive());
        thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    for _ in 0..25 {
                        unsafe { RAW.unlock_shared() };
                    }
                });
            }
        });
        assert!(!RAW.is_locked() && RAW.try_lock_exclusive() && RAW.is_locked_exclusive());
        unsafe { RAW.unlock_exclusive() };
        static MUTEX: RawMutex = RawMutex::INIT;
        MUTEX.lock();
        thread::spawn(|| unsafe { MUTEX.unlock() }).join().unwrap();
        assert!(!MUTEX.is_locked());
    });
}

#[test]
fn thread_ids_differ_and_stay() {
    let mine = RawThreadId.nonzero_thread_id();
    let mut all: BTreeSet<NonZeroUsize> = BTreeSet::from([mine]);
    for _ in 0..20 {
        let theirs =
            thread::spawn(|| (RawThreadId.nonzero_thread_id(), RawThreadId::INIT.nonzero_thread_id()));
        let (one, again) = theirs.join().unwrap();
        assert_eq!(one, again);
        assert!(all.insert(one), "used again");
    }
    assert_eq!(RawThreadId.nonzero_thread_id(), mine);
}

/// What `lock_api`'s locks have and the crate's own do not.
#[test]
fn locks_of_raw_parts_and_readers_without_guards() {
    static MUTEX: Mutex<u32> = Mutex::const_new(RawMutex::INIT, 1);
    static LOCK: RwLock<u32> = RwLock::const_new(RawRwLock::INIT, 2);
    static REENTRANT: lock_api::ReentrantMutex<RawMutex, RawThreadId, u32> =
        lock_api::ReentrantMutex::const_new(RawMutex::INIT, RawThreadId::INIT, 3);
    assert_eq!(*MUTEX.lock() + *LOCK.read() + *REENTRANT.lock(), 6);
    let reentrant = lock_api::ReentrantMutex::from_raw(RawMutex::INIT, RawThreadId::INIT, 4);
    assert_eq!(*reentrant.lock() + Mutex::from_raw(RawMutex::INIT, 5).into_inner(), 9);

    let lock = shown(RwLock::from_raw(RawRwLock::INIT, 6));
    for leave in [
        |lock| unsafe { RwLock::force_unlock_read(lock) },
        |lock| unsafe { RwLock::force_unlock_read_fair(lock) },
        |lock| drop(unsafe { RwLock::make_read_guard_unchecked(lock) }),
        |lock| drop(unsafe { RwLock::make_arc_read_guard_unchecked(lock) }),
    ] as [fn(&Arc<RwLock<u32>>); 4]
    {
        std::mem::forget(lock.read());
        assert!(lock.try_write().is_none());
        leave(&lock);
        assert!(lock.try_write().is_some());
    }
    assert_eq!(Arc::into_inner(lock).map(RwLock::into_inner), Some(6));
}

/// All ways in and all changes of mind at once. Both numbers are always the same, and each thread comes to
/// its end.
#[test]
fn lock_api_locks_exclude_and_starve_no_thread() {
    for parties in parties() {
        watchdog(move || {
            let rounds = rounds(240);
            let lock = RwLock::new((0, 0));
            let add = |pair: &mut (usize, usize)| {
                pair.0 += 1;
                pair.1 += 1;
            };
            thread::scope(|s| {
                for party in 0..parties {
                    let (lock, add) = (&lock, &add);
                    s.spawn(move || {
                        for round in 0..rounds {
                            match (round + party) % 6 {
                                0 => add(&mut lock.write()),
                                1 => {
                                    let mut guard = lock.upgradable_read();
                                    guard.with_upgraded(add);
                                    RwLockUpgradableReadGuard::bump(&mut guard);
                                    assert_eq!(guard.0, guard.1);
                                }
                                2 => {
                                    let mut guard = lock.write();
                                    add(&mut guard);
                                    let seen = guard.0;
                                    let guard = RwLockWriteGuard::downgrade(guard);
                                    assert_eq!((guard.0, guard.1), (seen, seen));
                                    RwLockReadGuard::unlock_fair(guard);
                                }
                                3 => {
                                    let guard = lock.upgradable_read();
                                    let mut guard = RwLockUpgradableReadGuard::upgrade(guard);
                                    add(&mut guard);
                                    RwLockWriteGuard::bump(&mut guard);
                                    let guard = RwLockWriteGuard::downgrade_to_upgradable(guard);
                                    let guard = RwLockUpgradableReadGuard::downgrade(guard);
                                    assert_eq!(guard.0, guard.1);
                                }
                                4 => {
                                    let mut guard = lock.read();
                                    let again = lock.read_recursive();
                                    assert_eq!(guard.0, again.1);
                                    drop(again);
                                    RwLockReadGuard::bump(&mut guard);
                                    drop(guard);
                                    add(&mut lock.write());
                                }
                                _ => loop {
                                    if let Some(mut guard) = lock.try_write_for(Duration::from_micros(50)) {
                                        add(&mut guard);
                                        break RwLockWriteGuard::unlock_fair(guard);
                                    }
                                },
                            }
                        }
                    });
                }
            });
            assert_eq!(lock.into_inner(), (parties * rounds, parties * rounds));
        });
    }
}

/// A reader too many is an error before anything has changed.
#[test]
fn downgrade_beside_too_many_readers_panics_and_changes_nothing() {
    if cfg!(miri) {
        return;
    }
    watchdog(|| {
        static RAW: RawRwLock = RawRwLock::INIT;
        // As the page of `RwLock` says.
        const MOST: usize = 8_388_607;
        for _ in 0..MOST {
            RAW.lock_shared();
        }
        assert!(!RAW.try_lock_shared());
        assert!(!RAW.try_lock_shared_recursive());
        RAW.lock_upgradable();
        let downgraded = std::panic::catch_unwind(|| unsafe { RAW.downgrade_upgradable() });
        assert!(downgraded.is_err());
        assert!(!unsafe { RAW.try_upgrade() });
        unsafe { RAW.unlock_upgradable() };
        for _ in 0..MOST {
            assert!(RAW.is_locked());
            unsafe { RAW.unlock_shared() };
        }
        assert!(!RAW.is_locked());
    });
}

/// Names at the crate's root, and a condition variable over `lock_api`'s guards.
#[test]
fn condvar_takes_guards_of_lock_api() {
    type Mutex<T> = lockwork::lock_api::Mutex<RawMutex, T>;

    watchdog(|| {
        let shared = Arc::new((Mutex::new(0), lockwork::Condvar::new()));
        let other = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let mut turn = shared.0.lock();
                shared.1.wait_while(&mut turn, |turn| *turn != 1);
                *turn = 2;
                drop(turn);
                shared.1.notify_all();
            })
        };
        let mut turn = shared.0.lock();
        *turn = 1;
        shared.1.notify_all();
        while *turn != 2 {
            shared.1.wait(&mut turn);
        }
        assert!(shared.1.wait_for(&mut turn, Duration::from_millis(1)).timed_out());
        assert!(shared.1.wait_while_for(&mut turn, |turn| *turn == 2, Duration::from_millis(1)).timed_out());
        assert!(shared.0.is_locked());
        drop(turn);
        assert!(!shared.0.is_locked());
        other.join().unwrap();
    });
}

#[test]
fn fair_mutex_has_its_name() {
    let mutex = lockwork::FairMutex::new([1, 2]);
    let guard: lockwork::FairMutexGuard<'_, [i32; 2]> = mutex.lock();
    let first: lockwork::MappedFairMutexGuard<'_, i32> =
        lock_api::MutexGuard::map(guard, |pair| &mut pair[0]);
    assert_eq!(*first, 1);
}
