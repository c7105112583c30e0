//! The guards of a [`ReentrantMutex`].

use std::marker::PhantomData;
use std::sync::Arc;

use super::ReentrantMutex;
use crate::facade::ReadAccess;
use crate::guard::{Guard, Mode, Part, gives_value, maps, unlocks};
use crate::observe::{Call, Kind, Mode as How};
use crate::raw::reentrant::RawReentrantMutex;

/// How a reentrant mutex is held: one level of it, by this thread.
pub(crate) struct Level;

impl Mode for Level {
    type Raw = RawReentrantMutex;
    type Token = ();
    type Access = ReadAccess;

    const KIND: Kind = Kind::ReentrantMutex;
    const HOW: How = How::Lock;

    #[inline]
    fn lock(raw: &RawReentrantMutex, name: &'static str, call: Call<'_>) {
        raw.lock(name, call);
    }

    #[inline]
    unsafe fn unlock(raw: &RawReentrantMutex, (): ()) {
        // SAFETY: this function's contract; the guard is this thread's, as it is not `Send`.
        unsafe { raw.unlock() };
    }

    unsafe fn unlock_fair(raw: &RawReentrantMutex, (): ()) {
        // SAFETY: as above.
        unsafe { raw.unlock_fair() };
    }

    unsafe fn has_waiters(raw: &RawReentrantMutex) -> bool {
        // SAFETY: as above.
        unsafe { raw.keeps_others_waiting() }
    }
}

/// The right to read the value of a [`ReentrantMutex`], given by [`ReentrantMutex::lock`] and its `try_`
/// and timed forms.
/// Dropping it unlocks once.
///
/// Not [`Send`]: the lock belongs to the thread. The guards of one thread may be dropped in any order. The
/// methods are associated functions, called as `ReentrantMutexGuard::map(guard, ..)`, so that they never hide
/// one of the value's own. A [`Condvar`](crate::Condvar) does not take it: another guard of the same thread
/// could be looking at the value while the wait lets others in.
///
/// ```compile_fail
/// # use lockwork::{Condvar, ReentrantMutex};
/// let mutex = ReentrantMutex::new(1);
/// Condvar::new().wait(&mut mutex.lock());
/// ```
///
/// ```no_run
/// # use lockwork::{Condvar, Mutex};
/// let mutex = Mutex::new(1);
/// Condvar::new().wait(&mut mutex.lock());
/// ```
#[must_use = "the lock is released as soon as the guard is dropped"]
#[clippy::has_significant_drop]
pub struct ReentrantMutexGuard<'a, T: ?Sized> {
    pub(super) inner: Guard<&'a ReentrantMutex<T>, Level>,
}

/// The right to read a part of the value of a [`ReentrantMutex`], made by [`ReentrantMutexGuard::map`].
/// Dropping it unlocks once.
#[must_use = "the lock is released as soon as the guard is dropped"]
#[clippy::has_significant_drop]
pub struct MappedReentrantMutexGuard<'a, T: ?Sized> {
    inner: Guard<Part<'a, RawReentrantMutex, T>, Level>,
    /// Shared access to the part.
    marker: PhantomData<&'a T>,
}

/// A guard that keeps its [`ReentrantMutex`] alive, given by [`ReentrantMutex::lock_arc`] and its variants.
/// Dropping it unlocks once.
///
/// It borrows nothing, so it can be stored; but it is not [`Send`], unlike
/// [`ArcMutexGuard`](crate::ArcMutexGuard): the lock belongs to the thread.
#[must_use = "the lock is released as soon as the guard is dropped"]
#[clippy::has_significant_drop]
pub struct ArcReentrantMutexGuard<T: ?Sized> {
    pub(super) inner: Guard<Arc<ReentrantMutex<T>>, Level>,
}

// SAFETY: a shared guard gives shared access to the value, and so does the mutex that `remutex` gives: a
// thread that locks it gets a `&T`, for which `T: Sync` is enough. Nothing that unlocks goes by a shared
// guard.
unsafe impl<T: ?Sized + Sync> Sync for ReentrantMutexGuard<'_, T> {}
// SAFETY: a shared guard gives shared access to the part and nothing else.
unsafe impl<T: ?Sized + Sync> Sync for MappedReentrantMutexGuard<'_, T> {}
// SAFETY: a shared guard gives shared access to the value, so `T: Sync`; and clones of the `Arc`, which may
// be the last to go and take the value with them, so `T: Send`.
unsafe impl<T: ?Sized + Send + Sync> Sync for ArcReentrantMutexGuard<T> {}

gives_value!(ReentrantMutexGuard<'_, T>);
gives_value!(MappedReentrantMutexGuard<'_, T>);
gives_value!(ArcReentrantMutexGuard<T>);

unlocks!(ArcReentrantMutexGuard keeps ReentrantMutex alive, remutex);

maps! {
    ReentrantMutexGuard => MappedReentrantMutexGuard { marker };
    /// ```
    /// use lockwork::{ReentrantMutex, ReentrantMutexGuard};
    ///
    /// let pair = ReentrantMutex::new((1, "one"));
    /// let number = ReentrantMutexGuard::map(pair.lock(), |pair| &pair.0);
    /// assert_eq!(*number, 1);
    /// ```
    map
    /// ```
    /// use lockwork::{ReentrantMutex, ReentrantMutexGuard};
    ///
    /// let list = ReentrantMutex::new(vec![1, 2, 3]);
    /// let last = ReentrantMutexGuard::try_map(list.lock(), |list| list.last());
    /// assert_eq!(*last.unwrap(), 3);
    /// assert!(ReentrantMutexGuard::try_map(list.lock(), |list| list.get(9)).is_err());
    /// ```
    try_map
}
maps! {
    MappedReentrantMutexGuard { marker } => MappedReentrantMutexGuard { marker };
    /// See [`ReentrantMutexGuard::map`].
    map
    /// See [`ReentrantMutexGuard::try_map`].
    try_map
}

unlocks! {
    ['a, T: ?Sized] ReentrantMutexGuard<'a, T>;
    /// Gives up one level, and hands the lock over only if this is the thread's last guard. See
    /// [`MutexGuard::unlock_fair`](crate::MutexGuard::unlock_fair) for what that costs.
    ///
    /// ```
    /// use lockwork::{ReentrantMutex, ReentrantMutexGuard};
    ///
    /// let mutex = ReentrantMutex::new(1);
    /// ReentrantMutexGuard::unlock_fair(mutex.lock());
    /// assert!(!mutex.is_locked());
    /// ```
    unlock_fair
    ///
    /// Other threads get in only if this is the thread's one guard: those further out keep the lock. Whether
    /// that is so [`hold_count`](ReentrantMutex::hold_count) tells beforehand.
    ///
    /// ```
    /// use lockwork::{ReentrantMutex, ReentrantMutexGuard};
    ///
    /// let mutex = ReentrantMutex::new(1);
    /// let mut outer = mutex.lock();
    /// ReentrantMutexGuard::unlocked(&mut outer, || assert!(!mutex.is_locked()));
    ///
    /// let mut inner = mutex.lock();
    /// ReentrantMutexGuard::unlocked(&mut inner, || assert_eq!(mutex.hold_count(), 1));
    /// ```
    unlocked
    /// Nor does it do anything if this is not the thread's one guard: the others keep the lock.
    ///
    /// ```
    /// use lockwork::{ReentrantMutex, ReentrantMutexGuard};
    ///
    /// let mutex = ReentrantMutex::new(vec![1, 2, 3]);
    /// let mut list = mutex.lock();
    /// for i in 0..list.len() {
    ///     println!("{}", list[i]);
    ///     ReentrantMutexGuard::bump(&mut list);
    /// }
    /// ```
    bump
}
unlocks! {
    [T: ?Sized] ArcReentrantMutexGuard<T>;
    /// Gives up one level. See [`ReentrantMutexGuard::unlock_fair`].
    unlock_fair
    /// Gives up one level. See [`ReentrantMutexGuard::unlocked`].
    unlocked
    /// See [`ReentrantMutexGuard::bump`].
    bump
}
unlocks! {
    ['a, T: ?Sized] MappedReentrantMutexGuard<'a, T>;
    /// Gives up one level. See [`ReentrantMutexGuard::unlock_fair`].
    unlock_fair
}

impl<'a, T: ?Sized> ReentrantMutexGuard<'a, T> {
    /// Returns the mutex that this guard has locked.
    #[must_use]
    pub fn remutex(this: &Self) -> &'a ReentrantMutex<T> {
        this.inner.place()
    }
}
