//! Locking an [`RwLock`] that is kept alive by its guards.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{ArcRwLockReadGuard, ArcRwLockUpgradableReadGuard, ArcRwLockWriteGuard, RwLock};
use crate::facade::TimeLimit;
use crate::guard::Guard;
use crate::observe::{self, Call, Kind, Mode as How};
use crate::raw::rwlock::{ReadToken, Role, too_many_readers};

impl<T: ?Sized> RwLock<T> {
    /// Locks as [`read`](Self::read) does, with a guard that keeps the lock alive.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn read_arc(self: &Arc<Self>) -> ArcRwLockReadGuard<T> {
        let call = self.call(How::Read).shared();
        let token = self.raw.read(Role::Read, TimeLimit::never(call));
        let token = token.unwrap_or_else(|| too_many_readers("RwLock::read_arc"));
        self.read_guard_arc(token, call)
    }

    /// Attempts to lock as [`try_read`](Self::try_read) does, with a guard that keeps the lock alive.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_read_arc(self: &Arc<Self>) -> Option<ArcRwLockReadGuard<T>> {
        let call = self.call(How::Read).shared();
        self.raw.try_read(Role::Read).map(|token| self.read_guard_arc(token, call))
    }

    /// Attempts to lock as [`try_read_for`](Self::try_read_for) does, with a guard that keeps the lock alive.
    ///
    /// See [time limits](crate#time-limits).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_read_arc_for(self: &Arc<Self>, timeout: Duration) -> Option<ArcRwLockReadGuard<T>> {
        let call = self.call(How::Read).shared();
        let token = self.raw.read(Role::Read, TimeLimit::within(timeout, call));
        token.map(|token| self.read_guard_arc(token, call))
    }

    /// Attempts to lock as [`try_read_until`](Self::try_read_until) does, with a guard that keeps the lock
    /// alive.
    ///
    /// See [time limits](crate#time-limits).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_read_arc_until(self: &Arc<Self>, deadline: Instant) -> Option<ArcRwLockReadGuard<T>> {
        let call = self.call(How::Read).shared();
        let token = self.raw.read(Role::Read, TimeLimit::until(deadline, call));
        token.map(|token| self.read_guard_arc(token, call))
    }

    /// Locks as [`read_recursive`](Self::read_recursive) does, with a guard that keeps the lock alive.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn read_recursive_arc(self: &Arc<Self>) -> ArcRwLockReadGuard<T> {
        let call = self.call(How::ReadRecursive).shared();
        let token = self.raw.read(Role::ReadAgain, TimeLimit::never(call));
        let token = token.unwrap_or_else(|| too_many_readers("RwLock::read_recursive_arc"));
        self.read_guard_arc(token, call)
    }

    /// Attempts to lock as [`try_read_recursive`](Self::try_read_recursive) does, with a guard that keeps the
    /// lock alive.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_read_recursive_arc(self: &Arc<Self>) -> Option<ArcRwLockReadGuard<T>> {
        let call = self.call(How::ReadRecursive).shared();
        self.raw.try_read(Role::ReadAgain).map(|token| self.read_guard_arc(token, call))
    }

    /// Attempts to lock as [`try_read_recursive_for`](Self::try_read_recursive_for) does, with a guard that
    /// keeps the lock alive.
    ///
    /// See [time limits](crate#time-limits).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_read_recursive_arc_for(self: &Arc<Self>, timeout: Duration) -> Option<ArcRwLockReadGuard<T>> {
        let call = self.call(How::ReadRecursive).shared();
        let token = self.raw.read(Role::ReadAgain, TimeLimit::within(timeout, call));
        token.map(|token| self.read_guard_arc(token, call))
    }

    /// Attempts to lock as [`try_read_recursive_until`](Self::try_read_recursive_until) does, with a guard
    /// that keeps the lock alive.
    ///
    /// See [time limits](crate#time-limits).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_read_recursive_arc_until(
        self: &Arc<Self>,
        deadline: Instant,
    ) -> Option<ArcRwLockReadGuard<T>> {
        let call = self.call(How::ReadRecursive).shared();
        let token = self.raw.read(Role::ReadAgain, TimeLimit::until(deadline, call));
        token.map(|token| self.read_guard_arc(token, call))
    }

    /// Locks as [`read_recursive_arc`](Self::read_recursive_arc) does, under the name that `parking_lot` has
    /// for it.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn read_arc_recursive(self: &Arc<Self>) -> ArcRwLockReadGuard<T> {
        self.read_recursive_arc()
    }

    /// Attempts to lock as [`try_read_recursive_arc_for`](Self::try_read_recursive_arc_for) does, under the
    /// name that `parking_lot` has for it.
    ///
    /// See [time limits](crate#time-limits).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_read_arc_recursive_for(self: &Arc<Self>, timeout: Duration) -> Option<ArcRwLockReadGuard<T>> {
        self.try_read_recursive_arc_for(timeout)
    }

    /// Attempts to lock as [`try_read_recursive_arc_until`](Self::try_read_recursive_arc_until) does, under
    /// the name that `parking_lot` has for it.
    ///
    /// See [time limits](crate#time-limits).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_read_arc_recursive_until(
        self: &Arc<Self>,
        deadline: Instant,
    ) -> Option<ArcRwLockReadGuard<T>> {
        self.try_read_recursive_arc_until(deadline)
    }

    /// Locks as [`upgradable_read`](Self::upgradable_read) does, with a guard that keeps the lock alive.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn upgradable_read_arc(self: &Arc<Self>) -> ArcRwLockUpgradableReadGuard<T> {
        let call = self.call(How::Upgradable).shared();
        let locked = self.raw.upgradable(TimeLimit::never(call));
        debug_assert!(locked, "a wait without a deadline ends with the lock");
        self.upgradable_guard_arc(call)
    }

    /// Attempts to lock as [`try_upgradable_read`](Self::try_upgradable_read) does, with a guard that keeps
    /// the lock alive.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_upgradable_read_arc(self: &Arc<Self>) -> Option<ArcRwLockUpgradableReadGuard<T>> {
        let call = self.call(How::Upgradable).shared();
        self.raw.try_upgradable().then(|| self.upgradable_guard_arc(call))
    }

    /// Attempts to lock as [`try_upgradable_read_for`](Self::try_upgradable_read_for) does, with a guard that
    /// keeps the lock alive.
    ///
    /// See [time limits](crate#time-limits).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_upgradable_read_arc_for(
        self: &Arc<Self>,
        timeout: Duration,
    ) -> Option<ArcRwLockUpgradableReadGuard<T>> {
        let call = self.call(How::Upgradable).shared();
        self.raw.upgradable(TimeLimit::within(timeout, call)).then(|| self.upgradable_guard_arc(call))
    }

    /// Attempts to lock as [`try_upgradable_read_until`](Self::try_upgradable_read_until) does, with a guard
    /// that keeps the lock alive.
    ///
    /// See [time limits](crate#time-limits).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_upgradable_read_arc_until(
        self: &Arc<Self>,
        deadline: Instant,
    ) -> Option<ArcRwLockUpgradableReadGuard<T>> {
        let call = self.call(How::Upgradable).shared();
        self.raw.upgradable(TimeLimit::until(deadline, call)).then(|| self.upgradable_guard_arc(call))
    }

    /// Locks as [`write`](Self::write) does, with a guard that keeps the lock alive.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn write_arc(self: &Arc<Self>) -> ArcRwLockWriteGuard<T> {
        let call = self.call(How::Write).shared();
        let locked = self.raw.write(TimeLimit::never(call));
        debug_assert!(locked, "a wait without a deadline ends with the lock");
        self.write_guard_arc(call)
    }

    /// Attempts to lock as [`try_write`](Self::try_write) does, with a guard that keeps the lock alive.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_write_arc(self: &Arc<Self>) -> Option<ArcRwLockWriteGuard<T>> {
        let call = self.call(How::Write).shared();
        self.raw.try_write().then(|| self.write_guard_arc(call))
    }

    /// Attempts to lock as [`try_write_for`](Self::try_write_for) does, with a guard that keeps the lock
    /// alive.
    ///
    /// See [time limits](crate#time-limits).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_write_arc_for(self: &Arc<Self>, timeout: Duration) -> Option<ArcRwLockWriteGuard<T>> {
        let call = self.call(How::Write).shared();
        self.raw.write(TimeLimit::within(timeout, call)).then(|| self.write_guard_arc(call))
    }

    /// Attempts to lock as [`try_write_until`](Self::try_write_until) does, with a guard that keeps the lock
    /// alive.
    ///
    /// See [time limits](crate#time-limits).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_write_arc_until(self: &Arc<Self>, deadline: Instant) -> Option<ArcRwLockWriteGuard<T>> {
        let call = self.call(How::Write).shared();
        self.raw.write(TimeLimit::until(deadline, call)).then(|| self.write_guard_arc(call))
    }

    /// Makes a guard as [`make_write_guard_unchecked`](Self::make_write_guard_unchecked) does, one that keeps
    /// the lock alive.
    ///
    /// # Safety
    ///
    /// As for [`make_write_guard_unchecked`](Self::make_write_guard_unchecked).
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub unsafe fn make_arc_write_guard_unchecked(self: &Arc<Self>) -> ArcRwLockWriteGuard<T> {
        observe::release_forgotten(Kind::RwLock, &self.identity);
        self.write_guard_arc(self.call(How::Write).shared())
    }

    /// Makes a guard as [`make_upgradable_guard_unchecked`](Self::make_upgradable_guard_unchecked) does, one
    /// that keeps the lock alive.
    ///
    /// # Safety
    ///
    /// As for [`make_upgradable_guard_unchecked`](Self::make_upgradable_guard_unchecked).
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub unsafe fn make_upgradable_arc_guard_unchecked(self: &Arc<Self>) -> ArcRwLockUpgradableReadGuard<T> {
        observe::release_forgotten(Kind::RwLock, &self.identity);
        self.upgradable_guard_arc(self.call(How::Upgradable).shared())
    }

    /// Returns the guard for a lock that was just taken; so are those below.
    #[inline]
    fn read_guard_arc(self: &Arc<Self>, token: ReadToken, call: Call<'_>) -> ArcRwLockReadGuard<T> {
        // SAFETY: the callers have just locked for reading.
        ArcRwLockReadGuard { inner: unsafe { Guard::new(Arc::clone(self), token, call) } }
    }

    #[inline]
    fn upgradable_guard_arc(self: &Arc<Self>, call: Call<'_>) -> ArcRwLockUpgradableReadGuard<T> {
        // SAFETY: the callers have just locked as the upgradable reader, or stand for it.
        ArcRwLockUpgradableReadGuard { inner: unsafe { Guard::new(Arc::clone(self), (), call) } }
    }

    #[inline]
    fn write_guard_arc(self: &Arc<Self>, call: Call<'_>) -> ArcRwLockWriteGuard<T> {
        // SAFETY: the callers have just locked for writing, or stand for the writer.
        ArcRwLockWriteGuard { inner: unsafe { Guard::new(Arc::clone(self), (), call) } }
    }
}
