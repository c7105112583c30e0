//! `parking_lot`'s names: one body that calls every method of its locks and guards, compiled against it,
//! against lockwork, and against `lock_api`'s locks around lockwork's. What is not in the body is left out on
//! purpose, and `docs/guide/from-parking_lot.md` says why.

/// The body with `parking_lot` itself: what it says is what `parking_lot` has.
#[path = "."]
mod of_parking_lot {
    pub(super) use parking_lot as locks;
    #[allow(clippy::duplicate_mod, reason = "this is the point")]
    #[path = "body.rs"]
    mod body;
    #[allow(clippy::duplicate_mod, reason = "this is the point")]
    #[path = "with_condvar.rs"]
    mod with_condvar;
    #[allow(clippy::duplicate_mod, reason = "this is the point")]
    #[path = "with_once.rs"]
    mod with_once;
}

/// The same with ours.
#[path = "."]
mod of_lockwork {
    pub(super) use lockwork as locks;
    #[allow(clippy::duplicate_mod, reason = "this is the point")]
    #[path = "body.rs"]
    mod body;
    #[allow(clippy::duplicate_mod, reason = "this is the point")]
    #[path = "with_condvar.rs"]
    mod with_condvar;
    #[allow(clippy::duplicate_mod, reason = "this is the point")]
    #[path = "with_once.rs"]
    mod with_once;
}

/// The same with `lock_api`'s locks around ours.
#[cfg(feature = "lock_api")]
#[path = "."]
mod of_lock_api {
    pub(super) mod locks {
        use lockwork::{RawMutex, RawRwLock, RawThreadId};

        pub(in super::super) type Mutex<T> = lock_api::Mutex<RawMutex, T>;
        pub(in super::super) type RwLock<T> = lock_api::RwLock<RawRwLock, T>;
        pub(in super::super) type ReentrantMutex<T> = lock_api::ReentrantMutex<RawMutex, RawThreadId, T>;
        pub(in super::super) use lock_api::{
            ArcMutexGuard, ArcReentrantMutexGuard, ArcRwLockReadGuard, ArcRwLockUpgradableReadGuard,
            ArcRwLockWriteGuard, MappedMutexGuard, MappedReentrantMutexGuard, MappedRwLockReadGuard,
            MappedRwLockWriteGuard, MutexGuard, ReentrantMutexGuard, RwLockReadGuard,
            RwLockUpgradableReadGuard, RwLockWriteGuard,
        };

        pub(in super::super) const fn const_mutex<T>(value: T) -> Mutex<T> {
            Mutex::new(value)
        }

        pub(in super::super) const fn const_rwlock<T>(value: T) -> RwLock<T> {
            RwLock::new(value)
        }

        pub(in super::super) const fn const_reentrant_mutex<T>(value: T) -> ReentrantMutex<T> {
            ReentrantMutex::new(value)
        }
    }
    #[allow(clippy::duplicate_mod, reason = "this is the point")]
    #[path = "body.rs"]
    mod body;
}

/// Names that only `lock_api` has, or that `parking_lot` has under another one.
#[test]
fn names_of_ours_stand_beside_those_of_parking_lot() {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    let lock = Arc::new(lockwork::RwLock::new(1));
    drop(lock.read_recursive_arc());
    assert!(lock.try_read_recursive_arc_for(Duration::ZERO).is_some());
    assert!(lock.try_read_recursive_arc_until(Instant::now()).is_some());
    let part = lockwork::RwLockReadGuard::map(lock.read(), |value| value);
    assert!(lockwork::MappedRwLockReadGuard::try_map_or_err(part, |_| Err::<&u8, _>(2)).is_err());
}
