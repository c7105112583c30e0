//! The locks of this module in sets for [`lock_all`](crate::lock_all).

use std::fmt;

use super::{
    LockResult, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError, TryLockResult,
};
use crate::AllLock;
use crate::all::sealed::{Sealed, Until};
use crate::all::{Tried, all_lock};

impl<G> Tried for TryLockResult<G> {
    type Guard = LockResult<G>;

    fn had(self) -> Option<LockResult<G>> {
        match self {
            Ok(guard) => Some(Ok(guard)),
            Err(TryLockError::Poisoned(poisoned)) => Some(Err(poisoned)),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

all_lock!('a, &'a Mutex<T>, LockResult<MutexGuard<'a, T>>, announce, try_lock, lock_before);
all_lock! {
    /// An [`RwLock`] to be read, in a set for [`lock_all`](crate::lock_all): made by [`RwLock::reading`].
    side Reading, 'a, LockResult<RwLockReadGuard<'a, T>>, announce_read, try_read, read_before
}
all_lock! {
    /// An [`RwLock`] to be written, in a set for [`lock_all`](crate::lock_all): made by [`RwLock::writing`].
    side Writing, 'a, LockResult<RwLockWriteGuard<'a, T>>, announce_write, try_write, write_before
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
