//! The guards of an [`RwLock`].

use std::marker::PhantomData;
use std::sync::Arc;

use super::{RawRwLock, RwLock};
use crate::facade::{ReadAccess, TimeLimit, WriteAccess};
use crate::guard::{Guard, Mode, Part, gives_value, maps, unlocks};
use crate::observe::{Call, Kind, Mode as How};
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
///
/// Not [`Send`]; [`ArcRwLockUpgradableReadGuard`] is. What upgrades or downgrades it are methods, which
/// hide the value's own of these names: for `upgrade` of a `Weak` in the lock write `(*guard).upgrade()`. The
/// others are associated functions.
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

unlocks!(ArcRwLockReadGuard keeps RwLock alive, rwlock);
unlocks!(ArcRwLockUpgradableReadGuard keeps RwLock alive, rwlock);
unlocks!(ArcRwLockWriteGuard keeps RwLock alive, rwlock);

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
    ///
    /// May spin and yield for a moment: see [`RwLock`](crate::RwLock#blocking).
    unlock_fair
    /// Locks again as any new reader does, behind writers that wait. So a thread must not call it while it
    /// has another read guard of the same lock. If the lock has [as many
    /// readers](crate::RwLock#panics) as it can count by then, the process is aborted.
    unlocked
    /// Locks again as [`unlocked`](Self::unlocked) does, and may spin and yield for a moment as
    /// [`unlock_fair`](Self::unlock_fair) does.
    bump
}
unlocks! {
    ['a, T: ?Sized] RwLockUpgradableReadGuard<'a, T>;
    /// See [`RwLockReadGuard::unlock_fair`].
    unlock_fair
    unlocked
    bump
}
unlocks! {
    ['a, T: ?Sized] RwLockWriteGuard<'a, T>;
    /// See [`RwLockReadGuard::unlock_fair`].
    unlock_fair
    unlocked
    bump
}
unlocks! {
    [T: ?Sized] ArcRwLockReadGuard<T>;
    /// See [`RwLockReadGuard::unlock_fair`].
    unlock_fair
    /// See [`RwLockReadGuard::unlocked`].
    unlocked
    /// See [`RwLockReadGuard::bump`].
    bump
}
unlocks! {
    [T: ?Sized] ArcRwLockUpgradableReadGuard<T>;
    /// See [`RwLockReadGuard::unlock_fair`].
    unlock_fair
    unlocked
    bump
}
unlocks! {
    [T: ?Sized] ArcRwLockWriteGuard<T>;
    /// See [`RwLockReadGuard::unlock_fair`].
    unlock_fair
    unlocked
    bump
}
unlocks! {
    ['a, T: ?Sized] MappedRwLockReadGuard<'a, T>;
    /// See [`RwLockReadGuard::unlock_fair`].
    unlock_fair
}
unlocks! {
    ['a, T: ?Sized] MappedRwLockWriteGuard<'a, T>;
    /// See [`RwLockReadGuard::unlock_fair`].
    unlock_fair
}

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
