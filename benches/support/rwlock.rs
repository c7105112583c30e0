//! A counter that many may read and one may change.

use std::sync::{self, PoisonError};

/// A lock for readers and writers around a counter.
pub(crate) trait SharedLock: Send + Sync + 'static {
    /// Whose it is.
    const NAME: &'static str;
    /// An unlocked one.
    fn new() -> Self;
    /// Runs `f` together with other readers.
    fn read<R>(&self, f: impl FnOnce(&u64) -> R) -> R;
    /// Runs `f` alone.
    fn write<R>(&self, f: impl FnOnce(&mut u64) -> R) -> R;
}

macro_rules! shared_lock {
    ($name:ident, $type:ty, $label:expr, $result:ident => $guard:expr) => {
        /// A contender.
        pub(crate) struct $name($type);

        impl SharedLock for $name {
            const NAME: &'static str = $label;

            fn new() -> Self {
                Self(<$type>::new(0))
            }

            #[inline]
            fn read<R>(&self, f: impl FnOnce(&u64) -> R) -> R {
                let $result = self.0.read();
                let guard = $guard;
                f(&guard)
            }

            #[inline]
            fn write<R>(&self, f: impl FnOnce(&mut u64) -> R) -> R {
                let $result = self.0.write();
                let mut guard = $guard;
                f(&mut guard)
            }
        }
    };
}

shared_lock!(Ours, lockwork::RwLock<u64>, super::OURS, guard => guard);
shared_lock!(Std, sync::RwLock<u64>, "std", guard => guard.unwrap_or_else(PoisonError::into_inner));
shared_lock!(ParkingLot, parking_lot::RwLock<u64>, "parking_lot", guard => guard);
shared_lock!(Usync, usync::RwLock<u64>, "usync", guard => guard);
shared_lock!(Sharded, crossbeam_utils::sync::ShardedLock<u64>, "ShardedLock",
    guard => guard.unwrap_or_else(PoisonError::into_inner));

/// The expression for each [`SharedLock`].
macro_rules! each_rwlock {
    ($name:ident => $make:expr) => {
        $crate::support::each!($name => $make;
            $crate::support::rwlock::Ours,
            $crate::support::rwlock::Std,
            $crate::support::rwlock::ParkingLot,
            $crate::support::rwlock::Usync,
            $crate::support::rwlock::Sharded,
        )
    };
}
pub(crate) use each_rwlock;
