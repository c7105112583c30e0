//! The one guard family: what all guards of [`Mutex`], [`RwLock`], [`ReentrantMutex`] and of the locks in
//! [`poison`] do.
//!
//! A [`Guard`] is made of a *place* and a *mode*. The place says which lock is held and where the value is: a
//! borrowed lock, a shared one (`Arc`), a part of a value, or one of these that is watched for panics. The
//! mode says how the lock is held, and so what unlocks it: as a mutex, by a reader, by the upgradable reader,
//! by the writer, by a thread that may lock again.
//!
//! The public guards are wrappers of their own, so that each has a page of its own, and its `Send`, `Sync`
//! and variance stand in its file. Their methods are made by the macros in `methods`, each of which calls a
//! [`Guard`].
//!
//! Invariant: a [`Guard`] has its lock, in its mode, but for the time inside [`Guard::unlocked`] and its like
//! and inside a condition variable's wait.
//!
//! [`Mutex`]: crate::Mutex
//! [`RwLock`]: crate::RwLock
//! [`ReentrantMutex`]: crate::ReentrantMutex
//! [`poison`]: crate::poison

mod methods;
mod owned;

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::sync::Arc;

pub(crate) use self::methods::{gives_value, maps, unlocks};
pub(crate) use self::owned::owns_value;
use crate::facade::{AbortOnUnwind, Data, ReadAccess, WriteAccess};
use crate::observe::{Call, Held, Identity, Kind, Mode as How};

/// A lock and its value.
pub(crate) trait Lock {
    type Raw;
    type Value: ?Sized;

    fn raw(&self) -> &Self::Raw;
    fn data(&self) -> &Data<Self::Value>;
    fn identity(&self) -> &Identity;
}

/// Which lock a guard has, and where the value is that it gives access to.
pub(crate) trait Place {
    type Raw;
    type Value: ?Sized;

    fn raw(&self) -> &Self::Raw;
    fn value(&self) -> *mut Self::Value;

    /// Notes that the lock, which is still held, is about to be given up for good.
    #[inline]
    fn before_unlock(&self) {}
}

/// A place that is the whole value of a lock: the lock can be given up and taken again.
pub(crate) trait Whole: Place {
    /// Whether a guard with it may go to another thread, if its mode does not keep it in its own.
    const IS_ARC: bool;

    fn data(&self) -> &Data<Self::Value>;
    fn identity(&self) -> &Identity;
}

/// A place that can be narrowed to a part of its value.
pub(crate) trait Narrow: Place {
    type To<U: ?Sized>: Place<Raw = Self::Raw, Value = U>;

    fn narrow<U: ?Sized>(self, part: NonNull<U>) -> Self::To<U>;
}

/// A borrowed lock, or one in an `Arc`.
impl<P: Deref<Target: Lock>> Place for P {
    type Raw = <P::Target as Lock>::Raw;
    type Value = <P::Target as Lock>::Value;

    #[inline]
    fn raw(&self) -> &Self::Raw {
        (**self).raw()
    }

    #[inline]
    fn value(&self) -> *mut Self::Value {
        (**self).data().as_ptr()
    }
}

/// A reference to a lock.
pub(crate) trait Reference: Deref {
    const IS_ARC: bool;
}

impl<L: ?Sized> Reference for &L {
    const IS_ARC: bool = false;
}

impl<L: ?Sized> Reference for Arc<L> {
    const IS_ARC: bool = true;
}

impl<P: Reference<Target: Lock>> Whole for P {
    const IS_ARC: bool = P::IS_ARC;

    #[inline]
    fn data(&self) -> &Data<Self::Value> {
        (**self).data()
    }

    #[inline]
    fn identity(&self) -> &Identity {
        (**self).identity()
    }
}

impl<'a, L: Lock + ?Sized> Narrow for &'a L {
    type To<U: ?Sized> = Part<'a, L::Raw, U>;

    #[inline]
    fn narrow<U: ?Sized>(self, part: NonNull<U>) -> Self::To<U> {
        Part { raw: self.raw(), part }
    }
}

/// A part of a value whose lock is borrowed.
pub(crate) struct Part<'a, R, T: ?Sized> {
    raw: &'a R,
    part: NonNull<T>,
}

impl<R, T: ?Sized> Place for Part<'_, R, T> {
    type Raw = R;
    type Value = T;

    #[inline]
    fn raw(&self) -> &R {
        self.raw
    }

    #[inline]
    fn value(&self) -> *mut T {
        self.part.as_ptr()
    }
}

impl<'a, R, T: ?Sized> Narrow for Part<'a, R, T> {
    type To<U: ?Sized> = Part<'a, R, U>;

    #[inline]
    fn narrow<U: ?Sized>(self, part: NonNull<U>) -> Self::To<U> {
        Part { raw: self.raw, part }
    }
}

/// How a lock is held.
pub(crate) trait Mode {
    type Raw;
    /// What is to be given back by the thread that unlocks.
    type Token: Copy;
    type Access: Access;

    /// What diagnosis notes of a thread that holds it.
    const KIND: Kind;
    const HOW: How;

    /// Locks, blocking until the lock is free. `name` is what the user called, for a panic.
    fn lock(raw: &Self::Raw, name: &'static str, call: Call<'_>) -> Self::Token;

    /// # Safety
    ///
    /// The lock is held in this mode, and given up. `token` is what locking it returned.
    unsafe fn unlock(raw: &Self::Raw, token: Self::Token);

    /// Unlocks as [`unlock`](Self::unlock) does, and hands the lock to the first waiter that can have it.
    ///
    /// # Safety
    ///
    /// As for [`unlock`](Self::unlock).
    unsafe fn unlock_fair(raw: &Self::Raw, token: Self::Token);

    /// Returns whether unlocking would let a waiter in. Advice only.
    ///
    /// # Safety
    ///
    /// The lock is held in this mode.
    unsafe fn has_waiters(raw: &Self::Raw) -> bool;
}

/// The access to a value that is under way while a guard exists.
pub(crate) trait Access {
    fn begin<T: ?Sized>(data: &Data<T>) -> Self;

    /// Ends it: to be called before the lock is released.
    fn end(&mut self);

    /// Moves it out of a guard that is being turned into another.
    fn take(&mut self) -> Self;
}

impl Access for ReadAccess {
    #[inline]
    fn begin<T: ?Sized>(data: &Data<T>) -> Self {
        data.read()
    }

    #[inline]
    fn end(&mut self) {
        self.end();
    }

    #[inline]
    fn take(&mut self) -> Self {
        self.take()
    }
}

impl Access for WriteAccess {
    #[inline]
    fn begin<T: ?Sized>(data: &Data<T>) -> Self {
        data.write()
    }

    #[inline]
    fn end(&mut self) {
        self.end();
    }

    #[inline]
    fn take(&mut self) -> Self {
        self.take()
    }
}

/// A lock that is held. Neither `Send` nor `Sync` by itself.
pub(crate) struct Guard<P: Place<Raw = M::Raw>, M: Mode> {
    access: M::Access,
    token: M::Token,
    place: P,
    held: Held,
    marker: PhantomData<*const ()>,
}

impl<P: Place<Raw = M::Raw>, M: Mode> Guard<P, M> {
    /// Returns the value.
    #[inline]
    pub(crate) fn get(&self) -> &P::Value {
        // SAFETY: the guard has the lock, and is borrowed shared.
        unsafe { &*self.place.value() }
    }

    /// Returns the value, to be changed.
    #[inline]
    pub(crate) fn get_mut(&mut self) -> &mut P::Value
    where
        M: Mode<Access = WriteAccess>,
    {
        // SAFETY: the guard has the lock and excludes all others, and is borrowed exclusively.
        unsafe { &mut *self.place.value() }
    }

    #[inline]
    pub(crate) fn place(&self) -> &P {
        &self.place
    }

    /// Unlocks, and returns the place.
    #[inline]
    pub(crate) fn unlock(self) -> P {
        let (place, token) = self.into_locked();
        // SAFETY: the guard had the lock, and is gone without its drop.
        unsafe { M::unlock(place.raw(), token) };
        place
    }

    /// Unlocks, handing the lock over, and returns the place.
    pub(crate) fn unlock_fair(self) -> P {
        let (place, token) = self.into_locked();
        // SAFETY: as above.
        unsafe { M::unlock_fair(place.raw(), token) };
        place
    }

    /// Ends all that the guard stands for but the lock, which the caller unlocks.
    #[inline]
    fn into_locked(self) -> (P, M::Token) {
        let (place, token, mut access, mut held) = self.into_parts();
        access.end();
        place.before_unlock();
        held.release();
        (place, token)
    }

    /// Keeps the lock locked.
    pub(crate) fn leak(self) -> P {
        // It stays entered.
        let (place, _, mut access, _) = self.into_parts();
        access.end();
        place
    }

    /// Narrows the guard to the part that `find` returns. If `find` panics, the guard is dropped as usual.
    pub(crate) fn narrow<U: ?Sized, E>(
        self,
        find: impl FnOnce(*mut P::Value) -> Result<NonNull<U>, E>,
    ) -> Result<Guard<P::To<U>, M>, (Self, E)>
    where
        P: Narrow,
    {
        match find(self.place.value()) {
            Err(error) => Err((self, error)),
            Ok(part) => {
                let (place, token, access, held) = self.into_parts();
                Ok(Guard { access, token, place: place.narrow(part), held, marker: PhantomData })
            }
        }
    }

    /// Returns the whole value as a part.
    #[inline]
    pub(crate) fn into_part(self) -> Guard<P::To<P::Value>, M>
    where
        P: Narrow,
    {
        // SAFETY: the value's address is not null.
        let (value, whole) = (unsafe { NonNull::new_unchecked(self.place.value()) }, self);
        whole.map_place(|place| place.narrow(value))
    }

    /// Changes the place to another of the same lock and value.
    #[inline]
    pub(crate) fn map_place<Q>(self, change: impl FnOnce(P) -> Q) -> Guard<Q, M>
    where
        Q: Place<Raw = M::Raw, Value = P::Value>,
    {
        let (place, token, access, held) = self.into_parts();
        Guard { access, token, place: change(place), held, marker: PhantomData }
    }

    /// Returns the guard without its drop.
    #[inline]
    fn into_parts(self) -> (P, M::Token, M::Access, Held) {
        let mut this = ManuallyDrop::new(self);
        let (token, access, held) = (this.token, this.access.take(), this.held.take());
        // SAFETY: `this` is neither dropped nor used any more.
        let place = unsafe { ptr::read(&raw const this.place) };
        (place, token, access, held)
    }
}

impl<P: Whole<Raw = M::Raw>, M: Mode> Guard<P, M> {
    /// # Safety
    ///
    /// The lock is held in this mode, and the guard stands for that. `token` is what locking it returned.
    #[inline]
    pub(crate) unsafe fn new(place: P, token: M::Token, call: Call<'_>) -> Self {
        // SAFETY: this function's contract.
        unsafe { Self::with_entry(place, token, Held::new(call)) }
    }

    /// # Safety
    ///
    /// As for [`new`](Self::new).
    #[inline]
    unsafe fn with_entry(place: P, token: M::Token, held: Held) -> Self {
        Self { access: M::Access::begin(place.data()), token, place, held, marker: PhantomData }
    }

    /// Returns a call about the lock, of a guard of this kind: whether that may go to another thread is known
    /// by its type. The guard's entry would not do, as there may be none.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    #[inline]
    pub(crate) fn call(place: &P, how: How) -> Call<'_> {
        let call = Call::new(M::KIND, how, place.identity());
        // Those of a `ReentrantMutex` stay in their thread.
        if P::IS_ARC && M::KIND != Kind::ReentrantMutex { call.shared() } else { call }
    }

    /// Unlocks, runs `f`, and locks again, whatever happens. `name` is what the user called.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn unlocked<R>(&mut self, name: &'static str, f: impl FnOnce() -> R) -> R {
        // SAFETY: the guard has the lock, and takes it again afterwards.
        self.run_and_lock(name, |raw, token| unsafe { M::unlock(raw, token) }, f)
    }

    /// Runs `f` as [`unlocked`](Self::unlocked) does, and hands the lock over.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn unlocked_fair<R>(&mut self, name: &'static str, f: impl FnOnce() -> R) -> R {
        // SAFETY: the guard has the lock, and takes it again afterwards.
        self.run_and_lock(name, |raw, token| unsafe { M::unlock_fair(raw, token) }, f)
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn run_and_lock<R>(
        &mut self,
        name: &'static str,
        unlock: impl FnOnce(&M::Raw, M::Token),
        f: impl FnOnce() -> R,
    ) -> R {
        let Self { access, token, place, held, .. } = self;
        let call = Self::call(place, M::HOW);
        call.acquiring_again();
        access.end();
        held.release();
        unlock(place.raw(), *token);
        let lock = || {
            *token = M::lock(place.raw(), name, call);
            *access = M::Access::begin(place.data());
            *held = Held::new(call);
        };
        run_and_lock(lock, f)
    }

    /// Lets the first waiter have the lock and takes it again behind it. Does nothing if no waiter could come
    /// in.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn bump(&mut self) {
        // SAFETY: the guard has the lock.
        if unsafe { M::has_waiters(self.place.raw()) } {
            self.unlocked_fair("bump", || ());
        }
    }

    /// Returns the access, the place and the entry, for a caller that holds the lock in another mode for a
    /// while.
    pub(crate) fn split(&mut self) -> (&mut M::Access, &P, &mut Held) {
        (&mut self.access, &self.place, &mut self.held)
    }

    /// Holds the lock in another mode, if `change` can bring that about.
    ///
    /// # Safety
    ///
    /// If `change` returns a token, the lock is held in the mode `N` then. If it returns `None` or panics, it
    /// is held as before.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) unsafe fn into_mode<N: Mode<Raw = M::Raw>>(
        mut self,
        change: impl FnOnce(&P::Raw, Call<'_>) -> Option<N::Token>,
    ) -> Result<Guard<P, N>, Self> {
        self.access.end();
        let call = Self::call(&self.place, N::HOW);
        let Some(token) = change(self.place.raw(), call) else {
            self.access = M::Access::begin(self.place.data());
            return Err(self);
        };
        self.held.release();
        let held = Held::new(call);
        let (place, ..) = self.into_parts();
        // SAFETY: this function's contract.
        Ok(unsafe { Guard::with_entry(place, token, held) })
    }
}

impl<P: Place<Raw = M::Raw>, M: Mode> Drop for Guard<P, M> {
    #[inline]
    fn drop(&mut self) {
        self.access.end();
        self.place.before_unlock();
        self.held.release();
        // SAFETY: the guard has the lock, and is gone now.
        unsafe { M::unlock(self.place.raw(), self.token) };
    }
}

/// Runs `f` without a lock and takes it afterwards with `lock`, whatever happens.
pub(crate) fn run_and_lock<R>(lock: impl FnMut(), f: impl FnOnce() -> R) -> R {
    struct LockAgain<L: FnMut()>(L);
    impl<L: FnMut()> Drop for LockAgain<L> {
        fn drop(&mut self) {
            // A guard that unlocks what it has not locked would let two threads in, should `lock` ever panic.
            let abort = AbortOnUnwind;
            (self.0)();
            abort.disarm();
        }
    }
    let _lock_again = LockAgain(lock);
    f()
}
