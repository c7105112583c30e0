//! The guards of an [`RwLock`], and how one becomes another.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{RawRwLock, RwLock};
use crate::facade::{ReadAccess, TimeLimit, WriteAccess};
use crate::guard::{
    Access, Guard, Mode, Part, Whole, gives_value, keeps_lock_alive, maps, run_and_lock, unlocks,
};
use crate::observe::{Call, Held, Kind, Mode as How};
use crate::raw::rwlock::{ReadToken, Role, too_many_readers};

/// How a lock is held by a reader.
pub(crate) struct Reader;

/// How a lock is held by the upgradable reader.
pub(crate) struct Upgradable;

/// How a lock is held by the writer.
pub(crate) struct Writer;

impl Mode for Reader {
    type Raw = RawRwLock;
    type Token = ReadToken;
    type Access = ReadAccess;

    const KIND: Kind = Kind::RwLock;
    const HOW: How = How::Read;

    #[inline]
    fn lock(raw: &RawRwLock, name: &'static str, call: Call<'_>) -> ReadToken {
        let token = raw.read(Role::Read, TimeLimit::again(call));
        token.unwrap_or_else(|| too_many_readers(&format!("RwLockReadGuard::{name}")))
    }

    #[inline]
    unsafe fn unlock(raw: &RawRwLock, token: ReadToken) {
        // SAFETY: this function's contract.
        unsafe { raw.unlock_read(token) };
    }

    unsafe fn unlock_fair(raw: &RawRwLock, token: ReadToken) {
        // SAFETY: this function's contract.
        unsafe { raw.unlock_read_fair(token) };
    }

    unsafe fn has_waiters(raw: &RawRwLock) -> bool {
        raw.has_waiters()
    }
}

impl Mode for Upgradable {
    type Raw = RawRwLock;
    type Token = ();
    type Access = ReadAccess;

    const KIND: Kind = Kind::RwLock;
    const HOW: How = How::Upgradable;

    #[inline]
    fn lock(raw: &RawRwLock, _: &'static str, call: Call<'_>) {
        let locked = raw.upgradable(TimeLimit::again(call));
        debug_assert!(locked, "a wait without a deadline ends with the lock");
    }

    #[inline]
    unsafe fn unlock(raw: &RawRwLock, (): ()) {
        // SAFETY: this function's contract.
        unsafe { raw.unlock_upgradable() };
    }

    unsafe fn unlock_fair(raw: &RawRwLock, (): ()) {
        // SAFETY: this function's contract.
        unsafe { raw.unlock_upgradable_fair() };
    }

    unsafe fn has_waiters(raw: &RawRwLock) -> bool {
        raw.has_waiters()
    }
}

impl Mode for Writer {
    type Raw = RawRwLock;
    type Token = ();
    type Access = WriteAccess;

    const KIND: Kind = Kind::RwLock;
    const HOW: How = How::Write;

    #[inline]
    fn lock(raw: &RawRwLock, _: &'static str, call: Call<'_>) {
        let locked = raw.write(TimeLimit::again(call));
        debug_assert!(locked, "a wait without a deadline ends with the lock");
    }

    #[inline]
    unsafe fn unlock(raw: &RawRwLock, (): ()) {
        // SAFETY: this function's contract.
        unsafe { raw.unlock_write() };
    }

    unsafe fn unlock_fair(raw: &RawRwLock, (): ()) {
        // SAFETY: this function's contract.
        unsafe { raw.unlock_write_fair() };
    }

    unsafe fn has_waiters(raw: &RawRwLock) -> bool {
        raw.has_waiters()
    }
}

/// The right to read the value of a [`RwLock`] beside other readers, given by [`RwLock::read`] and its
/// variants. Dropping it unlocks.
///
/// Not [`Send`]; [`ArcRwLockReadGuard`] is. Its methods are associated functions, called as
/// `RwLockReadGuard::map(guard, ..)`, so that they never hide one of the value's own.
#[must_use = "the lock is released as soon as the guard is dropped"]
#[clippy::has_significant_drop]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    pub(crate) inner: Guard<&'a RwLock<T>, Reader>,
}

/// The right to read the value of a [`RwLock`] beside other readers, and to become its writer, given by
/// [`RwLock::upgradable_read`] and its variants. Dropping it unlocks.
#[must_use = "the lock is released as soon as the guard is dropped"]
#[clippy::has_significant_drop]
pub struct RwLockUpgradableReadGuard<'a, T: ?Sized> {
    pub(super) inner: Guard<&'a RwLock<T>, Upgradable>,
}

/// The right to change the value of a [`RwLock`], given by [`RwLock::write`] and its variants. Dropping it
/// unlocks.
///
/// Not [`Send`]; [`ArcRwLockWriteGuard`] is. Its methods are associated functions, called as
/// `RwLockWriteGuard::map(guard, ..)`, so that they never hide one of the value's own.
#[must_use = "the lock is released as soon as the guard is dropped"]
#[clippy::has_significant_drop]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    pub(crate) inner: Guard<&'a RwLock<T>, Writer>,
}

/// A [`RwLockReadGuard`] that keeps its lock alive, given by [`RwLock::read_arc`] and its variants. It
/// borrows nothing, so it can be stored and, if `T: Send + Sync`, be sent to and dropped in another thread.
#[must_use = "the lock is released as soon as the guard is dropped"]
#[clippy::has_significant_drop]
pub struct ArcRwLockReadGuard<T: ?Sized> {
    pub(super) inner: Guard<Arc<RwLock<T>>, Reader>,
}

/// A [`RwLockUpgradableReadGuard`] that keeps its lock alive, given by [`RwLock::upgradable_read_arc`] and
/// its variants. It borrows nothing, so it can be stored and, if `T: Send + Sync`, be sent to and dropped in
/// another thread.
#[must_use = "the lock is released as soon as the guard is dropped"]
#[clippy::has_significant_drop]
pub struct ArcRwLockUpgradableReadGuard<T: ?Sized> {
    pub(super) inner: Guard<Arc<RwLock<T>>, Upgradable>,
}

/// A [`RwLockWriteGuard`] that keeps its lock alive, given by [`RwLock::write_arc`] and its variants. It
/// borrows nothing, so it can be stored and, if `T: Send + Sync`, be sent to and dropped in another thread.
#[must_use = "the lock is released as soon as the guard is dropped"]
#[clippy::has_significant_drop]
pub struct ArcRwLockWriteGuard<T: ?Sized> {
    pub(super) inner: Guard<Arc<RwLock<T>>, Writer>,
}

/// The right to read a part of the value of a [`RwLock`], made by [`RwLockReadGuard::map`]. Dropping it
/// unlocks.
#[must_use = "the lock is released as soon as the guard is dropped"]
#[clippy::has_significant_drop]
pub struct MappedRwLockReadGuard<'a, T: ?Sized> {
    inner: Guard<Part<'a, RawRwLock, T>, Reader>,
    /// Shared access to the part.
    marker: PhantomData<&'a T>,
}

/// The right to change a part of the value of a [`RwLock`], made by [`RwLockWriteGuard::map`]. Dropping it
/// unlocks.
#[must_use = "the lock is released as soon as the guard is dropped"]
#[clippy::has_significant_drop]
pub struct MappedRwLockWriteGuard<'a, T: ?Sized> {
    inner: Guard<Part<'a, RawRwLock, T>, Writer>,
    /// Exclusive access to the part.
    marker: PhantomData<&'a mut T>,
}

// SAFETY: a shared guard gives shared access to the value, and `rwlock`, which gives more, asks for `T: Send`
// too.
unsafe impl<T: ?Sized + Sync> Sync for RwLockReadGuard<'_, T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Sync> Sync for RwLockUpgradableReadGuard<'_, T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Sync> Sync for RwLockWriteGuard<'_, T> {}
// SAFETY: a shared guard gives shared access to the part and nothing else.
unsafe impl<T: ?Sized + Sync> Sync for MappedRwLockReadGuard<'_, T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Sync> Sync for MappedRwLockWriteGuard<'_, T> {}

// SAFETY: the reader or writer may be any thread; the guard gives access to the value, and to a lock that
// others have clones of, so `T: Send + Sync`, as for sending the `Arc` itself.
unsafe impl<T: ?Sized + Send + Sync> Send for ArcRwLockReadGuard<T> {}
// SAFETY: a shared guard gives shared access to the value and to the lock.
unsafe impl<T: ?Sized + Send + Sync> Sync for ArcRwLockReadGuard<T> {}
// SAFETY: as for the reader's.
unsafe impl<T: ?Sized + Send + Sync> Send for ArcRwLockUpgradableReadGuard<T> {}
// SAFETY: as for the reader's.
unsafe impl<T: ?Sized + Send + Sync> Sync for ArcRwLockUpgradableReadGuard<T> {}
// SAFETY: as for the reader's.
unsafe impl<T: ?Sized + Send + Sync> Send for ArcRwLockWriteGuard<T> {}
// SAFETY: as for the reader's.
unsafe impl<T: ?Sized + Send + Sync> Sync for ArcRwLockWriteGuard<T> {}

gives_value!(RwLockReadGuard<'_, T>);
gives_value!(RwLockUpgradableReadGuard<'_, T>);
gives_value!(RwLockWriteGuard<'_, T>, mut);
gives_value!(ArcRwLockReadGuard<T>);
gives_value!(ArcRwLockUpgradableReadGuard<T>);
gives_value!(ArcRwLockWriteGuard<T>, mut);
gives_value!(MappedRwLockReadGuard<'_, T>);
gives_value!(MappedRwLockWriteGuard<'_, T>, mut);

keeps_lock_alive!(ArcRwLockReadGuard, RwLock, rwlock);
keeps_lock_alive!(ArcRwLockUpgradableReadGuard, RwLock, rwlock);
keeps_lock_alive!(ArcRwLockWriteGuard, RwLock, rwlock);

maps! {
    RwLockReadGuard => MappedRwLockReadGuard { marker };
    /// ```
    /// use lockwork::{RwLock, RwLockReadGuard};
    ///
    /// let pair = RwLock::new((1, "one"));
    /// let name = RwLockReadGuard::map(pair.read(), |pair| &pair.1);
    /// assert_eq!(*name, "one");
    /// ```
    map
    try_map
}
maps! {
    MappedRwLockReadGuard { marker } => MappedRwLockReadGuard { marker };
    /// See [`RwLockReadGuard::map`].
    map
    /// See [`RwLockReadGuard::try_map`].
    try_map
}
maps! {
    RwLockWriteGuard => MappedRwLockWriteGuard { marker }, mut;
    /// ```
    /// use lockwork::{RwLock, RwLockWriteGuard};
    ///
    /// let pair = RwLock::new((1, "one"));
    /// *RwLockWriteGuard::map(pair.write(), |pair| &mut pair.0) = 2;
    /// assert_eq!(*pair.read(), (2, "one"));
    /// ```
    map
    try_map
}
maps! {
    MappedRwLockWriteGuard { marker } => MappedRwLockWriteGuard { marker }, mut;
    /// See [`RwLockWriteGuard::map`].
    map
    /// See [`RwLockWriteGuard::try_map`].
    try_map
}

unlocks! {
    ['a, T: ?Sized] RwLockReadGuard<'a, T>;
    unlock_fair
    /// It locks like any new reader, behind writers that wait: not for a thread that reads by another guard
    /// as well.
    unlocked
    bump
}
unlocks! {
    ['a, T: ?Sized] RwLockUpgradableReadGuard<'a, T>;
    unlock_fair
    unlocked
    bump
}
unlocks! {
    ['a, T: ?Sized] RwLockWriteGuard<'a, T>;
    unlock_fair
    unlocked
    bump
}
unlocks! {
    [T: ?Sized] ArcRwLockReadGuard<T>;
    unlock_fair
    /// It locks like any new reader, behind writers that wait: not for a thread that reads by another guard
    /// as well.
    unlocked
    bump
}
unlocks! {
    [T: ?Sized] ArcRwLockUpgradableReadGuard<T>;
    unlock_fair
    unlocked
    bump
}
unlocks! {
    [T: ?Sized] ArcRwLockWriteGuard<T>;
    unlock_fair
    unlocked
    bump
}
unlocks! { ['a, T: ?Sized] MappedRwLockReadGuard<'a, T>; unlock_fair }
unlocks! { ['a, T: ?Sized] MappedRwLockWriteGuard<'a, T>; unlock_fair }

impl<'a, T: ?Sized> RwLockReadGuard<'a, T> {
    /// Returns the lock that this guard has locked.
    #[must_use]
    pub fn rwlock(this: &Self) -> &'a RwLock<T>
    where
        T: Send,
    {
        this.inner.place()
    }
}

impl<'a, T: ?Sized> RwLockUpgradableReadGuard<'a, T> {
    /// Returns the lock that this guard has locked.
    #[must_use]
    pub fn rwlock(this: &Self) -> &'a RwLock<T>
    where
        T: Send,
    {
        this.inner.place()
    }
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// Returns the lock that this guard has locked.
    #[must_use]
    pub fn rwlock(this: &Self) -> &'a RwLock<T>
    where
        T: Send,
    {
        this.inner.place()
    }
}

impl<'a, T: ?Sized> MappedRwLockReadGuard<'a, T> {
    /// Narrows as [`try_map_or_err`](Self::try_map_or_err) does, under the name that `parking_lot` has for
    /// it.
    ///
    /// # Errors
    ///
    /// Gives the guard back, with what `f` returned.
    pub fn try_map_or_else<U: ?Sized, F, E>(
        this: Self,
        f: F,
    ) -> Result<MappedRwLockReadGuard<'a, U>, (Self, E)>
    where
        F: FnOnce(&T) -> Result<&U, E>,
    {
        Self::try_map_or_err(this, f)
    }
}

// How a guard becomes another; the public types below say what that means.

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
        let (access, place, held) = self.split();
        let call = Call::new(Kind::RwLock, How::Upgradable, place.identity()).like(held);
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

    /// Becomes the writer by `upgrade`, runs `f`, and is the upgradable reader again, also if `f` panics.
    /// `None` if `upgrade` fails.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn with_upgraded<R>(
        &mut self,
        upgrade: impl FnOnce(&RawRwLock, Call<'_>) -> bool,
        f: impl FnOnce(&mut P::Value) -> R,
    ) -> Option<R> {
        let (access, place, held) = self.split();
        let call = Call::new(Kind::RwLock, How::Upgradable, place.identity()).like(held);
        access.end();
        if !upgrade(place.raw(), call.mode(How::Upgrade)) {
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
            /// Becomes the writer, waiting for the other readers to leave. No other writer comes in between.
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

            /// Becomes the writer, waiting `timeout` at most for the other readers to leave.
            /// [`Duration::ZERO`] tries once, [`Duration::MAX`] waits indefinitely.
            ///
            /// # Errors
            ///
            /// Gives the guard back if they have not; those that came to read in the meantime come in then.
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn try_upgrade_for(self, timeout: Duration) -> Result<$write<$($arguments)*>, Self> {
                let upgraded = self.inner.upgrade(TimeLimit::within(timeout, Call::none()));
                upgraded.map(|inner| $write { inner }).map_err(|inner| Self { inner })
            }

            /// Becomes the writer, waiting until `deadline` at most for the other readers to leave.
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
                self.with_upgraded_by(TimeLimit::never(Call::none()), f)
                    .unwrap_or_else(|| unreachable!("a wait without a deadline ends with the lock"))
            }

            /// Attempts what [`with_upgraded`](Self::with_upgraded) does, without blocking: `None` if there
            /// are other readers.
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn try_with_upgraded<R, F>(&mut self, f: F) -> Option<R>
            where
                F: FnOnce(&mut T) -> R,
            {
                // SAFETY: the guard has the lock as the upgradable reader.
                self.inner.with_upgraded(|raw, _| unsafe { raw.try_upgrade() }, f)
            }

            /// Attempts what [`with_upgraded`](Self::with_upgraded) does, blocking for `timeout` at most,
            /// else `None`.
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn try_with_upgraded_for<R, F>(&mut self, timeout: Duration, f: F) -> Option<R>
            where
                F: FnOnce(&mut T) -> R,
            {
                self.with_upgraded_by(TimeLimit::within(timeout, Call::none()), f)
            }

            /// Attempts what [`with_upgraded`](Self::with_upgraded) does, blocking until `deadline` at most,
            /// else `None`.
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn try_with_upgraded_until<R, F>(&mut self, deadline: Instant, f: F) -> Option<R>
            where
                F: FnOnce(&mut T) -> R,
            {
                self.with_upgraded_by(TimeLimit::until(deadline, Call::none()), f)
            }

            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            fn with_upgraded_by<R>(
                &mut self,
                limit: TimeLimit<'_>,
                f: impl FnOnce(&mut T) -> R,
            ) -> Option<R> {
                // SAFETY: the guard has the lock as the upgradable reader.
                self.inner.with_upgraded(|raw, call| unsafe { raw.upgrade(limit.of_call(call)) }, f)
            }
        }
    };
}

converts!(['a, T: ?Sized] RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard, ['a, T]);
converts!([T: ?Sized] ArcRwLockReadGuard, ArcRwLockUpgradableReadGuard, ArcRwLockWriteGuard, [T]);
