//! What [`lock_all`] takes: locks, ways to lock them, and sets of these.

use std::array;
use std::fmt;

#[cfg(doc)]
use super::lock_all;
use crate::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// What stands behind the two traits, which no other crate can implement or call.
pub(crate) mod sealed {
    /// Makes a trait one of this crate's own.
    #[allow(unnameable_types, reason = "that is what it is for")]
    pub trait Sealed {}

    /// A deadline, to whose type no other crate can refer.
    #[allow(unnameable_types, reason = "as above")]
    #[derive(Debug)]
    pub struct Until<'a>(pub(crate) &'a crate::facade::Deadline);

    /// The locks of a set by place: a tuple of them, or a slice.
    #[allow(unnameable_types, reason = "as above")]
    pub trait Locks {
        /// The guards: a tuple or a `Vec`.
        type Guards;

        /// The guards that are there so far, by place.
        type Held;

        /// Address and place of each lock.
        type Order: AsRef<[(usize, usize)]> + AsMut<[(usize, usize)]>;

        fn order(&self) -> Self::Order;

        fn none(&self) -> Self::Held;

        /// Notes the lock at `place`, which is about to be locked with the others.
        #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
        fn announce_at(&self, place: usize, timed: bool);

        /// Locks the lock at `place`, waiting until a deadline if one is given. Returns whether it did.
        #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
        fn lock_at(&self, place: usize, held: &mut Self::Held, until: Option<Until<'_>>) -> bool;

        fn guards(held: Self::Held) -> Self::Guards;
    }
}

use sealed::{Locks, Sealed, Until};

/// A set of locks for [`lock_all`] and its other forms: a tuple of one to eight, or a slice, an array or a
/// `Vec` by reference. Sealed: it cannot be implemented elsewhere.
pub trait AllSet: Sealed {
    /// The guards: a tuple by place for a tuple, a `Vec` in order for a slice.
    type Guards;

    #[doc(hidden)]
    type Locks: Locks<Guards = Self::Guards>;

    #[doc(hidden)]
    fn locks(self) -> Self::Locks;
}

/// A lock in a set for [`lock_all`]: `&mutex`, `rwlock.reading()` or `rwlock.writing()`, of the crate root or
/// of [`poison`](crate::poison). Sealed: it cannot be implemented elsewhere.
pub trait AllLock: Sealed + Copy {
    /// What its lock gives.
    type Guard;

    #[doc(hidden)]
    fn all_address(self) -> usize;

    #[doc(hidden)]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn all_announce(self, timed: bool);

    /// Locks, waiting until a deadline if one is given.
    #[doc(hidden)]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn all_lock(self, until: Option<Until<'_>>) -> Option<Self::Guard>;
}

/// What came of a try.
pub(crate) trait Tried {
    type Guard;

    /// Returns the guard, if the lock was had; a poisoned lock was.
    fn had(self) -> Option<Self::Guard>;
}

impl<G> Tried for Option<G> {
    type Guard = G;

    fn had(self) -> Self {
        self
    }
}

/// A lock of a set: what it is, its guard, and how it is locked; of what has the lock in a field, that field.
/// Or a side of an [`RwLock`], which becomes a type.
macro_rules! all_lock {
    (
        $a:lifetime, $lock:ty, $guard:ty,
        $announce:ident, $try_lock:ident, $lock_before:ident $(, $field:tt)?
    ) => {
        impl<$a, T: ?Sized> Sealed for $lock {}

        impl<$a, T: ?Sized> AllLock for $lock {
            type Guard = $guard;

            fn all_address(self) -> usize {
                self$(.$field)?.address()
            }

            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            fn all_announce(self, timed: bool) {
                self$(.$field)?.$announce(timed);
            }

            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            fn all_lock(self, until: Option<Until<'_>>) -> Option<Self::Guard> {
                match until {
                    Some(Until(deadline)) => self$(.$field)?.$lock_before(deadline),
                    None => self$(.$field)?.$try_lock().had(),
                }
            }
        }
    };
    (
        $(#[$meta:meta])* side $name:ident, $a:lifetime, $guard:ty,
        $announce:ident, $try_lock:ident, $lock_before:ident
    ) => {
        $(#[$meta])*
        #[must_use = "it locks nothing by itself: give it to `lock_all`"]
        pub struct $name<$a, T: ?Sized>(&$a RwLock<T>);

        impl<T: ?Sized> Clone for $name<'_, T> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<T: ?Sized> Copy for $name<'_, T> {}

        impl<T: ?Sized + fmt::Debug> fmt::Debug for $name<'_, T> {
            /// Shows the lock. Does not block.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.0).finish()
            }
        }

        $crate::all::all_lock!($a, $name<$a, T>, $guard, $announce, $try_lock, $lock_before, 0);
    };
}
pub(crate) use all_lock;

all_lock!('a, &'a Mutex<T>, MutexGuard<'a, T>, announce, try_lock, lock_before);
all_lock! {
    /// An [`RwLock`] to be read, in a set for [`lock_all`]: made by [`RwLock::reading`].
    side Reading, 'a, RwLockReadGuard<'a, T>, announce_read, try_read, read_before
}
all_lock! {
    /// An [`RwLock`] to be written, in a set for [`lock_all`]: made by [`RwLock::writing`].
    side Writing, 'a, RwLockWriteGuard<'a, T>, announce_write, try_write, write_before
}

impl<T: ?Sized> RwLock<T> {
    /// Returns this lock to be read, for a set of [`lock_all`]. Locks nothing.
    ///
    /// ```
    /// use lockwork::{RwLock, lock_all};
    ///
    /// let (rates, total) = (RwLock::new(2), RwLock::new(0));
    /// let (rates, mut total) = lock_all((rates.reading(), total.writing()));
    /// *total += *rates;
    /// ```
    #[inline]
    pub const fn reading(&self) -> Reading<'_, T> {
        Reading(self)
    }

    /// Returns this lock to be written, for a set of [`lock_all`]. Locks nothing.
    #[inline]
    pub const fn writing(&self) -> Writing<'_, T> {
        Writing(self)
    }
}

impl<L> Sealed for &[L] {}
impl<L, const N: usize> Sealed for &[L; N] {}
impl<L> Sealed for &Vec<L> {}

impl<L: AllLock> AllSet for &[L] {
    type Guards = Vec<L::Guard>;
    type Locks = Self;

    fn locks(self) -> Self {
        self
    }
}

impl<'a, L: AllLock, const N: usize> AllSet for &'a [L; N] {
    type Guards = Vec<L::Guard>;
    type Locks = &'a [L];

    fn locks(self) -> &'a [L] {
        self
    }
}

impl<'a, L: AllLock> AllSet for &'a Vec<L> {
    type Guards = Vec<L::Guard>;
    type Locks = &'a [L];

    fn locks(self) -> &'a [L] {
        self
    }
}

impl<L: AllLock> Locks for &[L] {
    type Guards = Vec<L::Guard>;
    type Held = Vec<Option<L::Guard>>;
    type Order = Vec<(usize, usize)>;

    fn order(&self) -> Self::Order {
        self.iter().enumerate().map(|(place, lock)| (lock.all_address(), place)).collect()
    }

    fn none(&self) -> Self::Held {
        self.iter().map(|_| None).collect()
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn announce_at(&self, place: usize, timed: bool) {
        // No panic: without the feature there is nothing left of the loop around it.
        if let Some(lock) = self.get(place) {
            lock.all_announce(timed);
        }
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn lock_at(&self, place: usize, held: &mut Self::Held, until: Option<Until<'_>>) -> bool {
        held[place] = self[place].all_lock(until);
        held[place].is_some()
    }

    fn guards(held: Self::Held) -> Self::Guards {
        held.into_iter().map(there).collect()
    }
}

fn there<G>(guard: Option<G>) -> G {
    guard.expect("the guards are handed out when all are there")
}

/// A set that is a tuple of so many locks.
macro_rules! tuples {
    ($($count:literal: $($lock:ident $place:tt),+;)+) => { $(
        impl<$($lock),+> Sealed for ($($lock,)+) {}

        impl<$($lock: AllLock),+> AllSet for ($($lock,)+) {
            type Guards = ($($lock::Guard,)+);
            type Locks = Self;

            fn locks(self) -> Self {
                self
            }
        }

        impl<$($lock: AllLock),+> Locks for ($($lock,)+) {
            type Guards = ($($lock::Guard,)+);
            type Held = ($(Option<$lock::Guard>,)+);
            type Order = [(usize, usize); $count];

            fn order(&self) -> Self::Order {
                let addresses = [$(self.$place.all_address()),+];
                array::from_fn(|place| (addresses[place], place))
            }

            fn none(&self) -> Self::Held {
                ($(None::<$lock::Guard>,)+)
            }

            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            fn announce_at(&self, place: usize, timed: bool) {
                match place {
                    $($place => self.$place.all_announce(timed),)+
                    _ => {}
                }
            }

            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            fn lock_at(&self, place: usize, held: &mut Self::Held, until: Option<Until<'_>>) -> bool {
                match place {
                    $($place => {
                        held.$place = self.$place.all_lock(until);
                        held.$place.is_some()
                    })+
                    _ => unreachable!("no such place"),
                }
            }

            fn guards(held: Self::Held) -> Self::Guards {
                ($(there(held.$place),)+)
            }
        }
    )+ };
}

tuples! {
    1: A 0;
    2: A 0, B 1;
    3: A 0, B 1, C 2;
    4: A 0, B 1, C 2, D 3;
    5: A 0, B 1, C 2, D 3, E 4;
    6: A 0, B 1, C 2, D 3, E 4, F 5;
    7: A 0, B 1, C 2, D 3, E 4, F 5, G 6;
    8: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7;
}
