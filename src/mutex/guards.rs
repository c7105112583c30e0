//! The guards of a [`Mutex`].

use std::marker::PhantomData;
use std::sync::Arc;

use super::Mutex;
use crate::facade::WriteAccess;
use crate::guard::{Guard, Lock, Mode, Part, gives_value, maps, unlocks};
use crate::observe::{Call, Kind, Mode as How};
use crate::raw::mutex::RawMutex;

/// How a mutex is held.
pub(crate) struct Exclusive;

impl Mode for Exclusive {
    type Raw = RawMutex;
    type Token = ();
    type Access = WriteAccess;

    const KIND: Kind = Kind::Mutex;
    const HOW: How = How::Lock;

    #[inline]
    fn lock(raw: &RawMutex, _: &'static str, call: Call<'_>) {
        raw.lock(call);
    }

    #[inline]
    unsafe fn unlock(raw: &RawMutex, (): ()) {
        // SAFETY: this function's contract.
        unsafe { raw.unlock() };
    }

    unsafe fn unlock_fair(raw: &RawMutex, (): ()) {
        // SAFETY: this function's contract.
        unsafe { raw.unlock_fair() };
    }

    unsafe fn has_waiters(raw: &RawMutex) -> bool {
        raw.has_waiters()
    }
}

/// The right to use the value of a [`Mutex`], given by [`Mutex::lock`] and its variants. Dropping it unlocks.
///
/// Not [`Send`]; [`ArcMutexGuard`] is. Its methods are associated functions, called as
/// `MutexGuard::map(guard, ..)`, so that they never hide one of the value's own.
#[must_use = "the lock is released as soon as the guard is dropped"]
#[clippy::has_significant_drop]
pub struct MutexGuard<'a, T: ?Sized> {
    pub(crate) inner: Guard<&'a Mutex<T>, Exclusive>,
}

/// The right to use a part of the value of a [`Mutex`], made by [`MutexGuard::map`]. Dropping it unlocks.
#[must_use = "the lock is released as soon as the guard is dropped"]
#[clippy::has_significant_drop]
pub struct MappedMutexGuard<'a, T: ?Sized> {
    inner: Guard<Part<'a, RawMutex, T>, Exclusive>,
    /// Exclusive access to the part.
    marker: PhantomData<&'a mut T>,
}

/// A guard that keeps its [`Mutex`] alive, given by [`Mutex::lock_arc`] and its variants. Dropping it
/// unlocks.
///
/// It borrows nothing, so it can be stored and, if `T: Send`, be sent to and dropped in another thread.
#[must_use = "the lock is released as soon as the guard is dropped"]
#[clippy::has_significant_drop]
pub struct ArcMutexGuard<T: ?Sized> {
    pub(super) inner: Guard<Arc<Mutex<T>>, Exclusive>,
}

// SAFETY: a shared guard gives shared access to the value, and `mutex`, which gives more, asks for `T: Send`
// too.
unsafe impl<T: ?Sized + Sync> Sync for MutexGuard<'_, T> {}
// SAFETY: a shared guard gives shared access to the part and nothing else.
unsafe impl<T: ?Sized + Sync> Sync for MappedMutexGuard<'_, T> {}
// SAFETY: any thread may unlock; exclusive access to the value moves along, so `T: Send`.
unsafe impl<T: ?Sized + Send> Send for ArcMutexGuard<T> {}
// SAFETY: a shared guard gives shared access to the value, so `T: Sync`; and clones of the `Arc`, which may
// be locked after the guard is gone, so `T: Send`.
unsafe impl<T: ?Sized + Send + Sync> Sync for ArcMutexGuard<T> {}

gives_value!(MutexGuard<'_, T>, mut);
gives_value!(MappedMutexGuard<'_, T>, mut);
gives_value!(ArcMutexGuard<T>, mut);

unlocks!(ArcMutexGuard keeps Mutex alive, mutex);

maps! {
    MutexGuard => MappedMutexGuard { marker }, mut;
    /// The result is of another type, which a condition variable does not take: it could not give the part
    /// back unchanged after the wait.
    ///
    /// ```
    /// use lockwork::{Mutex, MutexGuard};
    ///
    /// let pair = Mutex::new((1, "one"));
    /// let mut number = MutexGuard::map(pair.lock(), |pair| &mut pair.0);
    /// *number = 2;
    /// drop(number);
    /// assert_eq!(*pair.lock(), (2, "one"));
    /// ```
    map
    /// ```
    /// use lockwork::{Mutex, MutexGuard};
    ///
    /// let list = Mutex::new(vec![1, 2, 3]);
    /// let last = MutexGuard::try_map(list.lock(), |list| list.last_mut());
    /// assert_eq!(*last.unwrap(), 3);
    /// assert!(MutexGuard::try_map(list.lock(), |list| list.get_mut(9)).is_err());
    /// ```
    try_map
}
maps! {
    MappedMutexGuard { marker } => MappedMutexGuard { marker }, mut;
    /// See [`MutexGuard::map`].
    map
    /// See [`MutexGuard::try_map`].
    try_map
}

unlocks! {
    ['a, T: ?Sized] MutexGuard<'a, T>;
    /// (A thread that has been woken to try for the lock and has not got to it yet is not in the queue.)
    ///
    /// Costs that thread's time to wake up, during which no thread runs in the lock. For a lock that is held
    /// for long and taken again at once; elsewhere the ordinary unlock is fair enough.
    ///
    /// ```
    /// use lockwork::{Mutex, MutexGuard};
    ///
    /// let mutex = Mutex::new(1);
    /// MutexGuard::unlock_fair(mutex.lock());
    /// assert!(!mutex.is_locked());
    /// ```
    unlock_fair
    ///
    /// ```
    /// use lockwork::{Mutex, MutexGuard};
    ///
    /// let mutex = Mutex::new(1);
    /// let mut guard = mutex.lock();
    /// MutexGuard::unlocked(&mut guard, || *mutex.lock() = 2);
    /// assert_eq!(*guard, 2);
    /// ```
    unlocked
    ///
    /// For a long loop under one lock that is to let others in now and then.
    ///
    /// ```
    /// use lockwork::{Mutex, MutexGuard};
    ///
    /// let mutex = Mutex::new(0);
    /// let mut guard = mutex.lock();
    /// for _ in 0..10 {
    ///     *guard += 1;
    ///     MutexGuard::bump(&mut guard);
    /// }
    /// assert_eq!(*guard, 10);
    /// ```
    bump
}
unlocks! {
    [T: ?Sized] ArcMutexGuard<T>;
    /// See [`MutexGuard::unlock_fair`].
    unlock_fair
    /// See [`MutexGuard::unlocked`].
    unlocked
    /// See [`MutexGuard::bump`].
    bump
}
unlocks! {
    ['a, T: ?Sized] MappedMutexGuard<'a, T>;
    /// See [`MutexGuard::unlock_fair`].
    unlock_fair
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// Returns the mutex that this guard has locked.
    #[must_use]
    pub fn mutex(this: &Self) -> &'a Mutex<T>
    where
        T: Send,
    {
        this.inner.place()
    }

    /// Keeps the lock locked and gives the value for the mutex's life.
    ///
    /// ```
    /// use lockwork::{Mutex, MutexGuard};
    ///
    /// static MUTEX: Mutex<u32> = Mutex::new(1);
    /// let value: &'static mut u32 = MutexGuard::leak(MUTEX.lock());
    /// *value = 2;
    /// assert!(MUTEX.is_locked());
    /// ```
    #[must_use]
    pub fn leak(this: Self) -> &'a mut T {
        // SAFETY: no thread unlocks any more, so the exclusive access lasts as long as the mutex is borrowed.
        unsafe { &mut *this.inner.leak().data().as_ptr() }
    }
}
