//! A lock that its holder may take again.

use std::cell::Cell;

/// A reentrant lock around a counter.
pub(crate) trait Reentrant: Send + Sync + 'static {
    /// Whose it is.
    const NAME: &'static str;
    /// An unlocked one.
    fn new() -> Self;
    /// Runs `f` in the lock.
    fn with<R>(&self, f: impl FnOnce(&Cell<u64>) -> R) -> R;
}

macro_rules! reentrant {
    ($name:ident, $type:ty, $label:expr) => {
        /// A contender.
        pub(crate) struct $name($type);

        impl Reentrant for $name {
            const NAME: &'static str = $label;

            fn new() -> Self {
                Self(<$type>::new(Cell::new(0)))
            }

            #[inline]
            fn with<R>(&self, f: impl FnOnce(&Cell<u64>) -> R) -> R {
                f(&self.0.lock())
            }
        }
    };
}

reentrant!(Ours, lockwork::ReentrantMutex<Cell<u64>>, super::OURS);
reentrant!(ParkingLot, parking_lot::ReentrantMutex<Cell<u64>>, "parking_lot");
reentrant!(Usync, usync::ReentrantMutex<Cell<u64>>, "usync");

/// The expression for each [`Reentrant`].
macro_rules! each_reentrant {
    ($name:ident => $make:expr) => {
        $crate::support::each!($name => $make;
            $crate::support::reentrant::Ours,
            $crate::support::reentrant::ParkingLot,
            $crate::support::reentrant::Usync,
        )
    };
}
pub(crate) use each_reentrant;
