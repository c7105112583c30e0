//! Mutual exclusion around a counter.

use std::sync::{self, PoisonError};

/// A lock around a counter.
pub(crate) trait Lock: Send + Sync + 'static {
    /// Whose it is.
    const NAME: &'static str;
    /// An unlocked one.
    fn new() -> Self;
    /// Runs `f` in the lock.
    fn with<R>(&self, f: impl FnOnce(&mut u64) -> R) -> R;
}

macro_rules! lock {
    ($name:ident, $type:ty, $label:expr, $result:ident => $guard:expr) => {
        /// A contender.
        pub(crate) struct $name($type);

        impl Lock for $name {
            const NAME: &'static str = $label;

            fn new() -> Self {
                Self(<$type>::new(0))
            }

            #[inline]
            fn with<R>(&self, f: impl FnOnce(&mut u64) -> R) -> R {
                let $result = self.0.lock();
                let mut guard = $guard;
                f(&mut guard)
            }
        }
    };
}

lock!(Ours, lockwork::Mutex<u64>, super::OURS, guard => guard);
lock!(Std, sync::Mutex<u64>, "std", guard => guard.unwrap_or_else(PoisonError::into_inner));
lock!(ParkingLot, parking_lot::Mutex<u64>, "parking_lot", guard => guard);
lock!(Usync, usync::Mutex<u64>, "usync", guard => guard);

/// The expression for each [`Lock`].
macro_rules! each_mutex {
    ($name:ident => $make:expr) => {
        $crate::support::each!($name => $make;
            $crate::support::mutex::Ours,
            $crate::support::mutex::Std,
            $crate::support::mutex::ParkingLot,
            $crate::support::mutex::Usync,
        )
    };
}
pub(crate) use each_mutex;
