//! [`Mutex`] and its guards.

use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use super::owned::owns_value;
use super::{LockResult, PoisonError, TryLockError, TryLockResult, Watched, checked, tried};
use crate::facade::{Deadline, const_fn};
use crate::guard::{Guard, Lock, Part, gives_value, maps};
use crate::mutex::{self, Exclusive};
use crate::observe::Identity;
use crate::raw::mutex::RawMutex;
use crate::raw::poison::Poison;

/// A mutual exclusion lock that reports a panic of its holder: [`std::sync::Mutex`], with time-outs beside.
///
/// Use it in place of `std`'s, or where a value may be left half changed by a panic and others must know.
/// Where that cannot be, [`lockwork::Mutex`](crate::Mutex) needs no `unwrap`.
///
/// # Examples
///
/// A thread panics in the middle of a change, and the next one learns of it:
///
/// ```
/// use lockwork::poison::Mutex;
/// use std::thread;
///
/// static STOCK: Mutex<(u32, u32)> = Mutex::new((0, 0));
///
/// let broken = thread::spawn(|| {
///     let mut stock = STOCK.lock().unwrap();
///     stock.0 += 1;
///     panic!("before the second number was changed");
/// });
/// assert!(broken.join().is_err());
/// let mut stock = STOCK.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
/// stock.1 = stock.0; // made whole again
/// STOCK.clear_poison();
/// ```
///
/// A lock in a static, with a time-out as a way out:
///
/// ```
/// use lockwork::poison::{Mutex, TryLockError};
/// use std::{thread, time::Duration};
///
/// static LOG: Mutex<Vec<u32>> = Mutex::new(Vec::new());
///
/// thread::scope(|s| {
///     for id in 0..4 {
///         s.spawn(move || match LOG.try_lock_for(Duration::from_secs(5)) {
///             Ok(mut log) => log.push(id),
///             Err(TryLockError::WouldBlock) => eprintln!("a thread has held the log for five seconds"),
///             Err(TryLockError::Poisoned(_)) => eprintln!("a thread has panicked with the log"),
///         });
///     }
/// });
/// assert_eq!(LOG.lock().unwrap().len(), 4);
/// ```
///
/// # Blocking, fairness, memory ordering, reentrancy and deadlock
///
/// Those of [`lockwork::Mutex`](crate::Mutex), which this is with a flag beside it.
///
/// # Panics
///
/// As [`lockwork::Mutex`](crate::Mutex#panics). A panic that begins while a guard is alive poisons the mutex;
/// a guard made and dropped by a destructor that runs because of a panic does not. The [panic
/// hook](crate::guide::limits#a-panic-hook-runs-before-the-guard-is-dropped) finds it locked and not yet
/// poisoned.
///
/// # Differences from `std` and `parking_lot`
///
/// From [`std::sync::Mutex`]: it has the timed forms; no waiter starves; and what is not stable there
/// ([`get_cloned`](Self::get_cloned), [`set`](Self::set), [`replace`](Self::replace),
/// [`data_ptr`](Self::data_ptr) and mapped guards) is here. `parking_lot` does not poison.
///
/// # Implementation notes
///
/// A flag and a [`lockwork::Mutex`](crate::Mutex). The flag is set by the guard before it unlocks, so the
/// lock orders it.
pub struct Mutex<T: ?Sized> {
    poison: Poison,
    inner: mutex::Mutex<T>,
}

owns_value! {
    Mutex;
    /// ```
    /// static READY: lockwork::poison::Mutex<bool> = lockwork::poison::Mutex::new(false);
    /// assert!(!*READY.lock().unwrap());
    /// ```
    new
    /// ```
    /// use lockwork::poison::Mutex;
    /// use std::panic;
    ///
    /// let mutex = Mutex::new(1);
    /// let _ = panic::catch_unwind(|| {
    ///     let _guard = mutex.lock();
    ///     panic!("with the lock held");
    /// });
    /// let mut value = mutex.lock().unwrap_or_else(|mut poisoned| {
    ///     **poisoned.get_mut() = 0;
    ///     mutex.clear_poison();
    ///     poisoned.into_inner()
    /// });
    /// *value += 1;
    /// assert!(!mutex.is_poisoned());
    /// ```
    clear_poison
    lock try_lock lock
}

impl<T: ?Sized> Mutex<T> {
    /// Locks, blocking until the mutex is free.
    ///
    /// # Errors
    ///
    /// If the mutex is poisoned; the error has the guard.
    ///
    /// ```
    /// let names = lockwork::poison::Mutex::new(vec!["ada"]);
    /// names.lock().unwrap().push("grace");
    /// assert_eq!(*names.lock().unwrap(), ["ada", "grace"]);
    /// ```
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        self.guard(self.inner.lock())
    }

    /// Attempts to lock, without blocking.
    ///
    /// # Errors
    ///
    /// [`TryLockError::WouldBlock`] if the mutex is locked, [`TryLockError::Poisoned`] with the guard if it
    /// is poisoned.
    ///
    /// ```
    /// use lockwork::poison::{Mutex, TryLockError};
    ///
    /// let mutex = Mutex::new(1);
    /// let guard = mutex.lock().unwrap();
    /// assert!(matches!(mutex.try_lock(), Err(TryLockError::WouldBlock)));
    /// drop(guard);
    /// assert!(mutex.try_lock().is_ok());
    /// ```
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        tried(self.inner.try_lock().map(|inner| self.guard(inner)))
    }

    /// Attempts to lock, blocking for `timeout` at most.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Errors
    ///
    /// [`TryLockError::WouldBlock`] if the time is up, [`TryLockError::Poisoned`] with the guard if the mutex
    /// is poisoned.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let mutex = lockwork::poison::Mutex::new(1);
    /// let guard = mutex.lock().unwrap();
    /// assert!(mutex.try_lock_for(Duration::from_millis(1)).is_err());
    /// ```
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_lock_for(&self, timeout: Duration) -> TryLockResult<MutexGuard<'_, T>> {
        tried(self.inner.try_lock_for(timeout).map(|inner| self.guard(inner)))
    }

    /// Attempts to lock, blocking until `deadline` at most.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Errors
    ///
    /// As [`try_lock_for`](Self::try_lock_for).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_lock_until(&self, deadline: Instant) -> TryLockResult<MutexGuard<'_, T>> {
        tried(self.inner.try_lock_until(deadline).map(|inner| self.guard(inner)))
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(super) fn announce(&self, timed: bool) {
        self.inner.announce(timed);
    }

    /// Locks for `lock_all`; `None` if the time is up.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(super) fn lock_before(&self, deadline: &Deadline) -> Option<LockResult<MutexGuard<'_, T>>> {
        self.inner.lock_before(deadline).map(|inner| self.guard(inner))
    }

    #[inline]
    fn guard<'a>(&'a self, inner: mutex::MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        MutexGuard { inner: inner.inner.map_place(|mutex| Watched::new(&self.poison, mutex)) }.checked()
    }
}

/// The right to use the value of a [`Mutex`], given by [`Mutex::lock`] and its variants. Dropping it unlocks,
/// and poisons if a panic has begun since it was made.
#[must_use = "the lock is released as soon as the guard is dropped"]
#[clippy::has_significant_drop]
pub struct MutexGuard<'a, T: ?Sized + 'a> {
    pub(super) inner: Guard<Watched<'a, &'a mutex::Mutex<T>>, Exclusive>,
}

/// The right to use a part of the value of a [`Mutex`], made by [`MutexGuard::map`]. Dropping it unlocks, and
/// poisons as [`MutexGuard`] does. Not stable in `std` yet.
#[must_use = "the lock is released as soon as the guard is dropped"]
#[clippy::has_significant_drop]
pub struct MappedMutexGuard<'a, T: ?Sized + 'a> {
    inner: Guard<Watched<'a, Part<'a, RawMutex, T>>, Exclusive>,
    /// Exclusive access to the part.
    marker: PhantomData<&'a mut T>,
}

// SAFETY: a shared guard gives shared access to the value and nothing else.
unsafe impl<T: ?Sized + Sync> Sync for MutexGuard<'_, T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Sync> Sync for MappedMutexGuard<'_, T> {}

impl<T: ?Sized> MutexGuard<'_, T> {
    /// Returns the guard, as an error if the mutex is poisoned.
    #[inline]
    pub(super) fn checked(self) -> LockResult<Self> {
        checked(self.inner.place().watch.is_set(), self)
    }
}

gives_value!(MutexGuard<'_, T>, mut);
gives_value!(MappedMutexGuard<'_, T>, mut);

maps! {
    MutexGuard => MappedMutexGuard { marker }, mut;
    /// Not stable in `std` yet.
    map
    /// The name in `std` up to Rust 1.88.
    try_map
}
maps!(filter_map MutexGuard => MappedMutexGuard, mut);
maps! {
    MappedMutexGuard { marker } => MappedMutexGuard { marker }, mut;
    /// Not stable in `std` yet.
    map
    /// The name in `std` up to Rust 1.88.
    try_map
}
maps!(filter_map MappedMutexGuard => MappedMutexGuard, mut);
