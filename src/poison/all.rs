//! The locks of this module in sets for [`lock_all`](crate::lock_all).

use std::fmt;

use super::{
    LockResult, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError, TryLockResult,
};
use crate::AllLock;
use crate::all::sealed::{Sealed, Until};

/// A lock that was had, poisoned or not.
fn had<G>(result: TryLockResult<G>) -> Option<LockResult<G>> {
    match result {
        Ok(guard) => Some(Ok(guard)),
        Err(TryLockError::Poisoned(poisoned)) => Some(Err(poisoned)),
        Err(TryLockError::WouldBlock) => None,
    }
}

impl<T: ?Sized> Sealed for &Mutex<T> {}

impl<'a, T: ?Sized> AllLock for &'a Mutex<T> {
    type Guard = LockResult<MutexGuard<'a, T>>;

    fn all_address(self) -> usize {
        self.address()
    }

    fn all_lock(self, until: Until<'_>) -> Option<Self::Guard> {
        self.lock_before(until.0)
    }

    fn all_try_lock(self) -> Option<Self::Guard> {
        had(self.try_lock())
    }
}

/// A way to lock an [`RwLock`], for `lock_all`.
macro_rules! side {
    ($(#[$meta:meta])* $name:ident, $guard:ident, $try_lock:ident, $lock_before:ident) => {
        $(#[$meta])*
        #[must_use = "it locks nothing by itself: give it to `lock_all`"]
        pub struct $name<'a, T: ?Sized>(&'a RwLock<T>);

        impl<T: ?Sized> Clone for $name<'_, T> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<T: ?Sized> Copy for $name<'_, T> {}

        impl<T: ?Sized + fmt::Debug> fmt::Debug for $name<'_, T> {
            /// Shows the lock. Does not block.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.0).finish()
            }
        }

        impl<T: ?Sized> Sealed for $name<'_, T> {}

        impl<'a, T: ?Sized> AllLock for $name<'a, T> {
            type Guard = LockResult<$guard<'a, T>>;

            fn all_address(self) -> usize {
                self.0.address()
            }

            fn all_lock(self, until: Until<'_>) -> Option<Self::Guard> {
                self.0.$lock_before(until.0)
            }

            fn all_try_lock(self) -> Option<Self::Guard> {
                had(self.0.$try_lock())
            }
        }
    };
}

side! {
    /// An [`RwLock`] to be read, in a set for [`lock_all`](crate::lock_all): made by [`RwLock::reading`].
    Reading, RwLockReadGuard, try_read, read_before
}
side! {
    /// An [`RwLock`] to be written, in a set for [`lock_all`](crate::lock_all): made by [`RwLock::writing`].
    Writing, RwLockWriteGuard, try_write, write_before
}

impl<T: ?Sized> RwLock<T> {
    /// Returns this lock to be read, for a set of [`lock_all`](crate::lock_all). Locks nothing.
    ///
    /// ```
    /// use lockwork::{lock_all, poison::{Mutex, RwLock}};
    ///
    /// let (rate, total) = (RwLock::new(2), Mutex::new(0));
    /// let (rate, total) = lock_all((rate.reading(), &total));
    /// *total.unwrap() += *rate.unwrap();
    /// ```
    #[inline]
    pub const fn reading(&self) -> Reading<'_, T> {
        Reading(self)
    }

    /// Returns this lock to be written, for a set of [`lock_all`](crate::lock_all). Locks nothing.
    #[inline]
    pub const fn writing(&self) -> Writing<'_, T> {
        Writing(self)
    }
}
