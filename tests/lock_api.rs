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

use crate::support::{Sleeper, watchdog};

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

/// The lock goes to the sleeping thread: whoever unlocked it cannot have it again at once.
#[test]
fn fair_mutex_hands_over_at_each_unlock() {
    watchdog("fair", || {
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

#[test]
fn fair_mutex_locks_like_any() {
    let lock = FairMutex::new(1);
    {
        let _guard = lock.lock();
        assert!(lock.try_lock().is_none() && lock.try_lock_for(Duration::from_millis(1)).is_none());
    }
    assert!(lock.try_lock_for(Duration::ZERO).is_some());
    assert!(lock.try_lock_until(std::time::Instant::now()).is_some());
    let mut guard = lock.lock();
    lock_api::MutexGuard::unlocked_fair(&mut guard, || *lock.lock() += 1);
    lock_api::MutexGuard::bump(&mut guard);
    assert_eq!(*guard, 2);
}

/// Each `bump` lets the writer in that waits, and has the lock again after it.
#[test]
fn bump_lets_the_waiter_in() {
    fn let_in<G>(lock: &RwLock<u32>, hold: impl FnOnce() -> G, bump: impl FnOnce(&mut G)) {
        let before = *lock.read();
        let sleeper = Sleeper::new();
        thread::scope(|s| {
            let mut guard = hold();
            s.spawn(|| {
                sleeper.about_to_block();
                *lock.write() += 1;
            });
            sleeper.until_asleep();
            bump(&mut guard);
            drop(guard);
        });
        assert_eq!(*lock.read(), before + 1);
    }
    watchdog("bump", || {
        let lock = RwLock::new(0);
        let_in(&lock, || lock.read(), RwLockReadGuard::bump);
        let_in(&lock, || lock.write(), RwLockWriteGuard::bump);
        let_in(&lock, || lock.upgradable_read(), RwLockUpgradableReadGuard::bump);
        let mutex = Mutex::new(0);
        let sleeper = Sleeper::new();
        thread::scope(|s| {
            let mut guard = mutex.lock();
            s.spawn(|| {
                sleeper.about_to_block();
                *mutex.lock() += 1;
            });
            sleeper.until_asleep();
            lock_api::MutexGuard::bump(&mut guard);
            if Sleeper::SURE {
                assert_eq!(*guard, 1);
            }
        });
    });
}

/// Readers unlocked by another thread than the one that locked are counted all the same.
#[test]
fn raw_readers_leave_in_any_thread() {
    watchdog("raw readers", || {
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

#[test]
fn arc_guards_keep_the_lock() {
    let lock = Arc::new(RwLock::new(1));
    let guard = lock.write_arc();
    drop(lock);
    assert_eq!(*lock_api::ArcRwLockWriteGuard::downgrade(guard), 1);
}

/// A reader too many is an error before anything has changed.
#[test]
fn downgrade_beside_too_many_readers_panics_and_changes_nothing() {
    if cfg!(miri) {
        return;
    }
    watchdog("downgrade_beside_too_many_readers", || {
        static RAW: RawRwLock = RawRwLock::INIT;
        const MOST: usize = (1 << 20) - 1;
        for _ in 0..MOST {
            RAW.lock_shared();
        }
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
