//! [`RwLock`] and its guards.

use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use super::owned::owns_value;
use super::{LockResult, PoisonError, TryLockError, TryLockResult, Watched, checked, tried};
use crate::facade::{Deadline, const_fn};
use crate::guard::{Guard, Lock, Part, gives_value, maps};
use crate::observe::Identity;
use crate::raw::poison::Poison;
use crate::rwlock::{self, RawRwLock, Reader, Writer};

/// A reader-writer lock that reports a panic of a writer: [`std::sync::RwLock`], with time-outs beside.
///
/// Use it in place of `std`'s, or where a value may be left half changed by a panic and others must know.
/// Where that cannot be, [`lockwork::RwLock`](crate::RwLock) needs no `unwrap`, and has an upgradable reader.
///
/// # Examples
///
/// Settings in a static, changed as a whole: a change that panics is not taken for a finished one.
///
/// ```
/// use lockwork::poison::RwLock;
/// use std::thread;
///
/// static SETTINGS: RwLock<Vec<(&str, u32)>> = RwLock::new(Vec::new());
///
/// let changed = thread::spawn(|| {
///     let mut settings = SETTINGS.write().unwrap();
///     settings.push(("limit", 10));
///     let broken: u32 = "ten".parse().unwrap();
///     settings.push(("step", broken));
/// });
/// assert!(changed.join().is_err());
/// assert!(SETTINGS.read().is_err());
/// ```
///
/// # Blocking, fairness, memory ordering, reentrancy and deadlock
///
/// Those of [`lockwork::RwLock`](crate::RwLock), which this is with a flag beside it.
///
/// # Panics
///
/// As [`lockwork::RwLock`](crate::RwLock#panics). A panic that begins while a write guard is alive poisons
/// the lock; readers never do. The [panic
/// hook](crate::guide::limits#a-panic-hook-runs-before-the-guard-is-dropped) finds it locked and not yet
/// poisoned.
///
/// # Differences from `std` and `parking_lot`
///
/// From [`std::sync::RwLock`]: it has the timed forms; one policy everywhere, under which no thread starves;
/// and what is not stable there (`get_cloned`, `set`, `replace`, `data_ptr` and mapped guards) is here.
/// `parking_lot` does not poison.
///
/// # Implementation notes
///
/// A flag and a [`lockwork::RwLock`](crate::RwLock). The flag is set by the write guard before it unlocks, so
/// the lock orders it.
pub struct RwLock<T: ?Sized> {
    poison: Poison,
    inner: rwlock::RwLock<T>,
}

owns_value! {
    RwLock;
    /// ```
    /// static LIMIT: lockwork::poison::RwLock<u32> = lockwork::poison::RwLock::new(10);
    /// assert_eq!(*LIMIT.read().unwrap(), 10);
    /// ```
    new
    clear_poison
    read try_read write
}

impl<T: ?Sized> RwLock<T> {
    /// Locks for reading, blocking while a writer has the lock or waits for it.
    ///
    /// # Errors
    ///
    /// If the lock is poisoned; the error has the guard.
    ///
    /// # Panics
    ///
    /// As [`lockwork::RwLock::read`](crate::RwLock::read).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        self.read_guard(self.inner.read())
    }

    /// Attempts to lock for reading, without blocking.
    ///
    /// # Errors
    ///
    /// [`TryLockError::WouldBlock`] if a writer has the lock or waits for it, [`TryLockError::Poisoned`] with
    /// the guard if the lock is poisoned.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_read(&self) -> TryLockResult<RwLockReadGuard<'_, T>> {
        tried(self.inner.try_read().map(|inner| self.read_guard(inner)))
    }

    /// Attempts to lock for reading, blocking for `timeout` at most. Not in `std`.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Errors
    ///
    /// [`TryLockError::WouldBlock`] if the time is up, [`TryLockError::Poisoned`] with the guard if the lock
    /// is poisoned.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_read_for(&self, timeout: Duration) -> TryLockResult<RwLockReadGuard<'_, T>> {
        tried(self.inner.try_read_for(timeout).map(|inner| self.read_guard(inner)))
    }

    /// Attempts to lock for reading, blocking until `deadline` at most. Not in `std`.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Errors
    ///
    /// As [`try_read_for`](Self::try_read_for).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_read_until(&self, deadline: Instant) -> TryLockResult<RwLockReadGuard<'_, T>> {
        tried(self.inner.try_read_until(deadline).map(|inner| self.read_guard(inner)))
    }

    /// Locks for writing, blocking until all others have left.
    ///
    /// # Errors
    ///
    /// If the lock is poisoned; the error has the guard.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        self.write_guard(self.inner.write())
    }

    /// Attempts to lock for writing, without blocking.
    ///
    /// # Errors
    ///
    /// [`TryLockError::WouldBlock`] if the lock is locked, [`TryLockError::Poisoned`] with the guard if it is
    /// poisoned.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_write(&self) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        tried(self.inner.try_write().map(|inner| self.write_guard(inner)))
    }

    /// Attempts to lock for writing, blocking for `timeout` at most. Not in `std`.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Errors
    ///
    /// [`TryLockError::WouldBlock`] if the time is up, [`TryLockError::Poisoned`] with the guard if the lock
    /// is poisoned.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_write_for(&self, timeout: Duration) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        tried(self.inner.try_write_for(timeout).map(|inner| self.write_guard(inner)))
    }

    /// Attempts to lock for writing, blocking until `deadline` at most. Not in `std`.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Errors
    ///
    /// As [`try_write_for`](Self::try_write_for).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_write_until(&self, deadline: Instant) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        tried(self.inner.try_write_until(deadline).map(|inner| self.write_guard(inner)))
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(super) fn announce_read(&self, timed: bool) {
        self.inner.announce_read(timed);
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(super) fn announce_write(&self, timed: bool) {
        self.inner.announce_write(timed);
    }

    /// Locks to read, for `lock_all`; `None` if the time is up.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(super) fn read_before(&self, deadline: &Deadline) -> Option<LockResult<RwLockReadGuard<'_, T>>> {
        self.inner.read_before(deadline).map(|inner| self.read_guard(inner))
    }

    /// Locks to write, for `lock_all`; `None` if the time is up.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(super) fn write_before(&self, deadline: &Deadline) -> Option<LockResult<RwLockWriteGuard<'_, T>>> {
        self.inner.write_before(deadline).map(|inner| self.write_guard(inner))
    }

    #[inline]
    fn read_guard<'a>(&'a self, inner: rwlock::RwLockReadGuard<'a, T>) -> LockResult<RwLockReadGuard<'a, T>> {
        checked(self.poison.is_set(), RwLockReadGuard::new(inner))
    }

    #[inline]
    fn write_guard<'a>(
        &'a self,
        inner: rwlock::RwLockWriteGuard<'a, T>,
    ) -> LockResult<RwLockWriteGuard<'a, T>> {
        let inner = inner.inner.map_place(|lock| Watched::new(&self.poison, lock));
        checked(self.poison.is_set(), RwLockWriteGuard { inner })
    }
}

/// The right to read the value of a [`RwLock`], given by [`RwLock::read`] and its variants. Dropping it
/// unlocks.
#[must_use = "the lock is released as soon as the guard is dropped"]
#[clippy::has_significant_drop]
pub struct RwLockReadGuard<'a, T: ?Sized + 'a> {
    /// The whole as a part, because that is covariant in `T`, as `std`'s is.
    inner: Guard<Part<'a, RawRwLock, T>, Reader>,
}

/// The right to change the value of a [`RwLock`], given by [`RwLock::write`] and its variants. Dropping it
/// unlocks, and poisons if a panic has begun since it was made.
#[must_use = "the lock is released as soon as the guard is dropped"]
#[clippy::has_significant_drop]
pub struct RwLockWriteGuard<'a, T: ?Sized + 'a> {
    inner: Guard<Watched<'a, &'a rwlock::RwLock<T>>, Writer>,
}

/// The right to read a part of the value of a [`RwLock`], made by [`RwLockReadGuard::map`]. Dropping it
/// unlocks. Not stable in `std` yet.
#[must_use = "the lock is released as soon as the guard is dropped"]
#[clippy::has_significant_drop]
pub struct MappedRwLockReadGuard<'a, T: ?Sized + 'a> {
    inner: Guard<Part<'a, RawRwLock, T>, Reader>,
    /// Shared access to the part.
    marker: PhantomData<&'a T>,
}

/// The right to change a part of the value of a [`RwLock`], made by [`RwLockWriteGuard::map`]. Dropping it
/// unlocks, and poisons as [`RwLockWriteGuard`] does. Not stable in `std` yet.
#[must_use = "the lock is released as soon as the guard is dropped"]
#[clippy::has_significant_drop]
pub struct MappedRwLockWriteGuard<'a, T: ?Sized + 'a> {
    inner: Guard<Watched<'a, Part<'a, RawRwLock, T>>, Writer>,
    /// Exclusive access to the part.
    marker: PhantomData<&'a mut T>,
}

// SAFETY: a shared guard gives shared access to the value or the part, and nothing else.
unsafe impl<T: ?Sized + Sync> Sync for RwLockReadGuard<'_, T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Sync> Sync for RwLockWriteGuard<'_, T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Sync> Sync for MappedRwLockReadGuard<'_, T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Sync> Sync for MappedRwLockWriteGuard<'_, T> {}

impl<'a, T: ?Sized> RwLockReadGuard<'a, T> {
    #[inline]
    fn new(guard: rwlock::RwLockReadGuard<'a, T>) -> Self {
        Self { inner: guard.inner.into_part() }
    }
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// Becomes a reader, without letting a writer in between. Stable in `std` since 1.92.
    ///
    /// ```
    /// use lockwork::poison::{RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new(1);
    /// let mut writer = lock.write().unwrap();
    /// *writer = 2;
    /// let reader = RwLockWriteGuard::downgrade(writer);
    /// assert_eq!(*reader, 2);
    /// assert!(lock.try_read().is_ok());
    /// ```
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn downgrade(s: Self) -> RwLockReadGuard<'a, T> {
        // Nothing that it has changed is taken for half changed, panic or no panic: the value is to be read
        // now.
        let inner = s.inner.map_place(|watched| watched.place);
        RwLockReadGuard::new(rwlock::RwLockWriteGuard::downgrade(rwlock::RwLockWriteGuard { inner }))
    }
}

gives_value!(RwLockReadGuard<'_, T>);
gives_value!(RwLockWriteGuard<'_, T>, mut);
gives_value!(MappedRwLockReadGuard<'_, T>);
gives_value!(MappedRwLockWriteGuard<'_, T>, mut);

maps! {
    RwLockReadGuard => MappedRwLockReadGuard { marker };
    /// Not stable in `std` yet.
    map
    /// The name in `std` up to Rust 1.88.
    try_map
}
maps!(filter_map RwLockReadGuard => MappedRwLockReadGuard);
maps! {
    MappedRwLockReadGuard { marker } => MappedRwLockReadGuard { marker };
    /// Not stable in `std` yet.
    map
    /// The name in `std` up to Rust 1.88.
    try_map
}
maps!(filter_map MappedRwLockReadGuard => MappedRwLockReadGuard);
maps! {
    RwLockWriteGuard => MappedRwLockWriteGuard { marker }, mut;
    /// Not stable in `std` yet.
    map
    /// The name in `std` up to Rust 1.88.
    try_map
}
maps!(filter_map RwLockWriteGuard => MappedRwLockWriteGuard, mut);
maps! {
    MappedRwLockWriteGuard { marker } => MappedRwLockWriteGuard { marker }, mut;
    /// Not stable in `std` yet.
    map
    /// The name in `std` up to Rust 1.88.
    try_map
}
maps!(filter_map MappedRwLockWriteGuard => MappedRwLockWriteGuard, mut);
