//! The locks of [`std::sync`], which report a panic: a user of those changes the `use` line and nothing
//! else.
//!
//! A thread that panics while it can change a guarded value may leave it half changed. The locks here
//! remember that, and every later call says so: it returns the guard inside a [`PoisonError`], for the caller
//! to give up (`unwrap`) or to take it nevertheless (`into_inner`). The locks at the crate root do not: there
//! a panic unlocks and that is all.
//!
//! [`Mutex`], [`RwLock`] and [`Condvar`] have the methods of `std`'s, with the same signatures, and return
//! `std`'s own [`LockResult`], [`TryLockResult`], [`PoisonError`] and [`TryLockError`], so results of both
//! kinds can be mixed. Beside them stand the timed forms that `std` has not got. [`Barrier`], [`Once`],
//! [`OnceLock`] and [`LazyLock`] have `std`'s signatures and rules as they are, and are exported here too, so
//! that one `use` line is enough.
//!
//! ```
//! use lockwork::poison::Mutex; // was: use std::sync::Mutex;
//! use std::{sync::Arc, thread};
//!
//! let total = Arc::new(Mutex::new(0));
//! let shared = Arc::clone(&total);
//! let result = thread::spawn(move || {
//!     let mut total = shared.lock().unwrap();
//!     *total += 1;
//!     panic!("half way");
//! })
//! .join();
//! assert!(result.is_err());
//! assert!(total.is_poisoned());
//! let value = *total.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
//! assert_eq!(value, 1);
//! total.clear_poison();
//! assert_eq!(*total.lock().unwrap(), 1);
//! ```
//!
//! Each type is the one of the same name at the crate root with a flag beside it: how it waits, and who is
//! served when, stands there.

mod all;
mod condvar;
mod mutex;
mod owned;
mod rwlock;

use std::ptr::NonNull;
pub use std::sync::{LockResult, PoisonError, TryLockError, TryLockResult};

pub use self::all::{Reading, Writing};
pub use self::condvar::Condvar;
pub use self::mutex::{MappedMutexGuard, Mutex, MutexGuard};
pub use self::rwlock::{
    MappedRwLockReadGuard, MappedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
};
pub use crate::barrier::{Barrier, BarrierWaitResult};
pub use crate::condvar::WaitTimeoutResult;
use crate::facade::Data;
use crate::guard::{Narrow, Place, Whole};
use crate::observe::Identity;
pub use crate::once::{LazyLock, Once, OnceLock, OnceState};
use crate::raw::poison::{Poison, Watch};

/// A place whose lock is poisoned by a panic that begins while a guard is alive.
pub(crate) struct Watched<'a, P> {
    watch: Watch<'a>,
    place: P,
}

impl<'a, P> Watched<'a, P> {
    #[inline]
    fn new(poison: &'a Poison, place: P) -> Self {
        Self { watch: poison.watch(), place }
    }
}

impl<P: Place> Place for Watched<'_, P> {
    type Raw = P::Raw;
    type Value = P::Value;

    #[inline]
    fn raw(&self) -> &P::Raw {
        self.place.raw()
    }

    #[inline]
    fn value(&self) -> *mut P::Value {
        self.place.value()
    }

    #[inline]
    fn before_unlock(&self) {
        self.watch.note();
    }
}

impl<P: Whole> Whole for Watched<'_, P> {
    const IS_ARC: bool = P::IS_ARC;

    #[inline]
    fn data(&self) -> &Data<P::Value> {
        self.place.data()
    }

    #[inline]
    fn identity(&self) -> &Identity {
        self.place.identity()
    }
}

impl<'a, P: Narrow> Narrow for Watched<'a, P> {
    type To<U: ?Sized> = Watched<'a, P::To<U>>;

    #[inline]
    fn narrow<U: ?Sized>(self, part: NonNull<U>) -> Self::To<U> {
        Watched { watch: self.watch, place: self.place.narrow(part) }
    }
}

/// Makes a result that is an error if the value is poisoned.
#[inline]
fn checked<G>(poisoned: bool, guard: G) -> LockResult<G> {
    if poisoned { Err(PoisonError::new(guard)) } else { Ok(guard) }
}

/// Makes a result for a lock that may not have been had.
#[inline]
fn tried<G>(guard: Option<LockResult<G>>) -> TryLockResult<G> {
    match guard {
        None => Err(TryLockError::WouldBlock),
        Some(result) => Ok(result?),
    }
}
