//! How a guard of an [`RwLock`] becomes another: upgrading and downgrading.

use std::time::{Duration, Instant};

use super::guards::{Reader, Upgradable, Writer};
use super::{
    ArcRwLockReadGuard, ArcRwLockUpgradableReadGuard, ArcRwLockWriteGuard, RawRwLock, RwLockReadGuard,
    RwLockUpgradableReadGuard, RwLockWriteGuard,
};
#[cfg(doc)]
use crate::RwLock;
use crate::facade::{ReadAccess, TimeLimit, WriteAccess};
use crate::guard::{Access, Guard, Whole, run_and_lock};
use crate::observe::{Call, Held, Mode as How};
use crate::raw::rwlock::{ReadToken, too_many_readers};

impl<P: Whole<Raw = RawRwLock>> Guard<P, Writer> {
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn downgrade(self) -> Guard<P, Reader> {
        let downgrade = |raw: &RawRwLock, _: Call<'_>| {
            // SAFETY: the guard has the lock as the writer, and is turned into a reader's.
            unsafe { raw.downgrade() };
            Some(ReadToken::COUNTED)
        };
        // SAFETY: there is a counted reader instead of the writer then.
        unsafe { self.into_mode(downgrade) }.unwrap_or_else(|_| unreachable!("it always can be"))
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn downgrade_to_upgradable(self) -> Guard<P, Upgradable> {
        let downgrade = |raw: &RawRwLock, _: Call<'_>| {
            // SAFETY: the guard has the lock as the writer, and is turned into the upgradable reader's.
            unsafe { raw.downgrade_to_upgradable() };
            Some(())
        };
        // SAFETY: there is the upgradable reader instead of the writer then.
        unsafe { self.into_mode(downgrade) }.unwrap_or_else(|_| unreachable!("it always can be"))
    }
}

impl<P: Whole<Raw = RawRwLock>> Guard<P, Upgradable> {
    /// Becomes the writer before the deadline, or stays what it is.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn upgrade(mut self, limit: TimeLimit<'_>) -> Result<Guard<P, Writer>, Self> {
        let (access, place, _) = self.split();
        let call = Self::call(place, How::Upgradable);
        let limit = limit.of_call(call.mode(How::Upgrade));
        access.end();
        // SAFETY: the guard has the lock as the upgradable reader, and is turned into the writer's if that
        // succeeds.
        let upgraded = unsafe { place.raw().upgrade(limit) };
        // SAFETY: there is the writer instead of the upgradable reader if the result says so.
        unsafe { self.into_mode(|_, _| upgraded.then_some(())) }
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn try_upgrade(self) -> Result<Guard<P, Writer>, Self> {
        // SAFETY: as above.
        let upgrade = |raw: &RawRwLock, _: Call<'_>| unsafe { raw.try_upgrade() }.then_some(());
        // SAFETY: as above.
        unsafe { self.into_mode(upgrade) }
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn downgrade(self) -> Guard<P, Reader> {
        // SAFETY: the guard has the lock as the upgradable reader, and is turned into a reader's if that
        // succeeds.
        let downgrade = |raw: &RawRwLock, _: Call<'_>| {
            // SAFETY: as above.
            unsafe { raw.downgrade_upgradable() }.then_some(ReadToken::COUNTED)
        };
        // SAFETY: there is a counted reader instead of the upgradable one if the result says so.
        unsafe { self.into_mode(downgrade) }
            .unwrap_or_else(|_| too_many_readers("RwLockUpgradableReadGuard::downgrade"))
    }

    /// Becomes the writer within the limit, or at once if there is none, runs `f`, and is the upgradable
    /// reader again, also if `f` panics. `None` if it does not become the writer.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn with_upgraded<R>(
        &mut self,
        limit: Option<TimeLimit<'_>>,
        f: impl FnOnce(&mut P::Value) -> R,
    ) -> Option<R> {
        let (access, place, held) = self.split();
        let call = Self::call(place, How::Upgradable);
        access.end();
        // No closure, in which the caller's line would be lost.
        let upgraded = match limit {
            // SAFETY: the guard has the lock as the upgradable reader.
            Some(limit) => unsafe { place.raw().upgrade(limit.of_call(call.mode(How::Upgrade))) },
            // SAFETY: as above.
            None => unsafe { place.raw().try_upgrade() },
        };
        if !upgraded {
            *access = ReadAccess::begin(place.data());
            return None;
        }
        held.release();
        *held = Held::new(call.mode(How::Write));
        let mut writing = WriteAccess::begin(place.data());
        let value = place.value();
        let downgrade = || {
            writing.end();
            // SAFETY: the guard has the lock as the writer, by `upgrade`.
            unsafe { place.raw().downgrade_to_upgradable() };
            held.release();
            *held = Held::new(call);
            *access = ReadAccess::begin(place.data());
        };
        // SAFETY: as above, and no other reference to the value is alive.
        Some(run_and_lock(downgrade, move || f(unsafe { &mut *value })))
    }
}

/// From one way of having the lock to another.
macro_rules! converts {
    ([$($generics:tt)*] $read:ident, $upgradable:ident, $write:ident, [$($arguments:tt)*]) => {
        impl<$($generics)*> $write<$($arguments)*> {
            /// Becomes a reader, without letting another writer in between. Readers that wait come in.
            ///
            /// ```
            /// use lockwork::{RwLock, RwLockWriteGuard};
            ///
            /// let lock = RwLock::new(1);
            /// let mut writer = lock.write();
            /// *writer = 2;
            /// let reader = RwLockWriteGuard::downgrade(writer);
            /// assert_eq!((*reader, *lock.read()), (2, 2));
            /// ```
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn downgrade(this: Self) -> $read<$($arguments)*> {
                $read { inner: this.inner.downgrade() }
            }

            /// Becomes the upgradable reader, without letting another writer in between. Readers that wait
            /// come in.
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn downgrade_to_upgradable(this: Self) -> $upgradable<$($arguments)*> {
                $upgradable { inner: this.inner.downgrade_to_upgradable() }
            }
        }

        impl<$($generics)*> $upgradable<$($arguments)*> {
            /// Becomes the writer, blocking until the other readers have left. No other writer comes in
            /// between.
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn upgrade(self) -> $write<$($arguments)*> {
                match self.inner.upgrade(TimeLimit::never(Call::none())) {
                    Ok(inner) => $write { inner },
                    Err(_) => unreachable!("a wait without a deadline ends with the lock"),
                }
            }

            /// Becomes the writer if there are no other readers. A failure keeps no reader out, not even for
            /// a moment.
            ///
            /// # Errors
            ///
            /// Gives the guard back if there are.
            ///
            /// ```
            /// use lockwork::{RwLock, RwLockUpgradableReadGuard};
            ///
            /// let lock = RwLock::new(1);
            /// let reader = lock.read();
            /// let guard = lock.upgradable_read();
            /// let guard = RwLockUpgradableReadGuard::try_upgrade(guard).unwrap_err();
            /// drop(reader);
            /// *RwLockUpgradableReadGuard::try_upgrade(guard).unwrap() = 2;
            /// ```
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn try_upgrade(self) -> Result<$write<$($arguments)*>, Self> {
                self.inner.try_upgrade().map(|inner| $write { inner }).map_err(|inner| Self { inner })
            }

            /// Becomes the writer, blocking for `timeout` at most for the other readers to leave.
            ///
            /// See [time limits](crate#time-limits).
            ///
            /// # Errors
            ///
            /// Gives the guard back if they have not; those that came to read in the meantime come in then.
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn try_upgrade_for(self, timeout: Duration) -> Result<$write<$($arguments)*>, Self> {
                let upgraded = self.inner.upgrade(TimeLimit::within(timeout, Call::none()));
                upgraded.map(|inner| $write { inner }).map_err(|inner| Self { inner })
            }

            /// Becomes the writer, blocking until `deadline` at most for the other readers to leave.
            ///
            /// See [time limits](crate#time-limits).
            ///
            /// # Errors
            ///
            /// Gives the guard back if they have not; those that came to read in the meantime come in then.
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn try_upgrade_until(self, deadline: Instant) -> Result<$write<$($arguments)*>, Self> {
                let upgraded = self.inner.upgrade(TimeLimit::until(deadline, Call::none()));
                upgraded.map(|inner| $write { inner }).map_err(|inner| Self { inner })
            }

            /// Becomes an ordinary reader. A thread that waits to be the upgradable reader, or the writer
            /// once all readers have left, can be.
            ///
            /// # Panics
            ///
            /// If [as many readers as there may be](RwLock#panics) are in already; the guard is gone then.
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn downgrade(self) -> $read<$($arguments)*> {
                $read { inner: self.inner.downgrade() }
            }

            /// Upgrades, runs `f` with the value, and becomes the upgradable reader again, also if `f`
            /// panics.
            ///
            /// ```
            /// let lock = lockwork::RwLock::new(1);
            /// let mut guard = lock.upgradable_read();
            /// guard.with_upgraded(|value| *value += 1);
            /// assert_eq!(*guard, 2);
            /// ```
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn with_upgraded<R, F>(&mut self, f: F) -> R
            where
                F: FnOnce(&mut T) -> R,
            {
                self.inner
                    .with_upgraded(Some(TimeLimit::never(Call::none())), f)
                    .unwrap_or_else(|| unreachable!("a wait without a deadline ends with the lock"))
            }

            /// Attempts what [`with_upgraded`](Self::with_upgraded) does, without blocking: `None` if there
            /// are other readers.
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn try_with_upgraded<R, F>(&mut self, f: F) -> Option<R>
            where
                F: FnOnce(&mut T) -> R,
            {
                self.inner.with_upgraded(None, f)
            }

            /// Attempts what [`with_upgraded`](Self::with_upgraded) does, blocking for `timeout` at most,
            /// else `None`.
            ///
            /// See [time limits](crate#time-limits).
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn try_with_upgraded_for<R, F>(&mut self, timeout: Duration, f: F) -> Option<R>
            where
                F: FnOnce(&mut T) -> R,
            {
                self.inner.with_upgraded(Some(TimeLimit::within(timeout, Call::none())), f)
            }

            /// Attempts what [`with_upgraded`](Self::with_upgraded) does, blocking until `deadline` at most,
            /// else `None`.
            ///
            /// See [time limits](crate#time-limits).
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn try_with_upgraded_until<R, F>(&mut self, deadline: Instant, f: F) -> Option<R>
            where
                F: FnOnce(&mut T) -> R,
            {
                self.inner.with_upgraded(Some(TimeLimit::until(deadline, Call::none())), f)
            }
        }
    };
}

converts!(['a, T: ?Sized] RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard, ['a, T]);
converts!([T: ?Sized] ArcRwLockReadGuard, ArcRwLockUpgradableReadGuard, ArcRwLockWriteGuard, [T]);
