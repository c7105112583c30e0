//! The methods of the public guards, each of which calls a [`Guard`](super::Guard).

/// Guards give access to their value, and show it. With `mut`, they let it be changed.
macro_rules! gives_value {
    ($guard:ty $(, $mut:tt)?) => {
        impl<T: ?Sized> std::ops::Deref for $guard {
            type Target = T;

            #[inline]
            fn deref(&self) -> &T {
                self.inner.get()
            }
        }

        $(
            impl<T: ?Sized> std::ops::DerefMut for $guard {
                #[inline]
                fn deref_mut(&mut self) -> & $mut T {
                    self.inner.get_mut()
                }
            }
        )?

        impl<T: ?Sized + std::fmt::Debug> std::fmt::Debug for $guard {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                (**self).fmt(f)
            }
        }

        impl<T: ?Sized + std::fmt::Display> std::fmt::Display for $guard {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                (**self).fmt(f)
            }
        }
    };
}
pub(crate) use gives_value;

/// Guards that can be narrowed to a part of their value, which another type guards then. What stands before
/// the names is added to their documentation. With `mut`, the part can be changed. `filter_map` is a name of
/// `std`'s.
macro_rules! maps {
    (filter_map $guard:ident => $mapped:ident $(, $mut:tt)?) => {
        impl<'a, T: ?Sized> $guard<'a, T> {
            /// Narrows as [`try_map`](Self::try_map) does, under the name that `std` has for it since Rust
            /// 1.89. Not stable in `std` yet.
            ///
            /// # Errors
            ///
            /// Gives the guard back if `f` returns `None`.
            pub fn filter_map<U: ?Sized, F>(this: Self, f: F) -> Result<$mapped<'a, U>, Self>
            where
                F: FnOnce(& $($mut)? T) -> Option<& $($mut)? U>,
            {
                Self::try_map(this, f)
            }
        }
    };
    (
        $guard:ident $({ $own_marker:ident })? => $mapped:ident $({ $marker:ident })? $(, $mut:tt)?;
        $(#[$map:meta])* map
        $(#[$try_map:meta])* try_map
    ) => {
        impl<'a, T: ?Sized> $guard<'a, T> {
            /// Narrows the guard to a part of the value.
            ///
            $(#[$map])*
            pub fn map<U: ?Sized, F>(this: Self, f: F) -> $mapped<'a, U>
            where
                F: FnOnce(& $($mut)? T) -> & $($mut)? U,
            {
                match Self::try_map(this, |value| Some(f(value))) {
                    Ok(mapped) => mapped,
                    Err(_) => unreachable!("the part is always there"),
                }
            }

            /// Narrows the guard to a part of the value, if there is one.
            ///
            /// # Errors
            ///
            /// Gives the guard back if `f` returns `None`.
            ///
            $(#[$try_map])*
            pub fn try_map<U: ?Sized, F>(this: Self, f: F) -> Result<$mapped<'a, U>, Self>
            where
                F: FnOnce(& $($mut)? T) -> Option<& $($mut)? U>,
            {
                Self::try_map_or_err(this, |value| f(value).ok_or(())).map_err(|(this, ())| this)
            }

            /// Narrows the guard to a part of the value, or returns why there is none.
            ///
            /// # Errors
            ///
            /// Gives the guard back, with what `f` returned.
            pub fn try_map_or_err<U: ?Sized, F, E>(this: Self, f: F) -> Result<$mapped<'a, U>, (Self, E)>
            where
                F: FnOnce(& $($mut)? T) -> Result<& $($mut)? U, E>,
            {
                // SAFETY: the guard has the lock and gives this access, and no other reference to the value
                // is alive, as the guard is owned.
                match this.inner.narrow(|value| f(unsafe { & $($mut)? *value }).map(std::ptr::NonNull::from)) {
                    Ok(inner) => Ok($mapped { inner $(, $marker: std::marker::PhantomData)? }),
                    Err((inner, error)) => {
                        Err((Self { inner $(, $own_marker: std::marker::PhantomData)? }, error))
                    }
                }
            }
        }
    };
}
pub(crate) use maps;

/// Guards that can hand their lock over; but for those of a part, give it up for a while; and, if they keep
/// their lock alive, return it. What stands before the names is added to their documentation.
macro_rules! unlocks {
    ([$($generics:tt)*] $guard:ty; $(#[$unlock_fair:meta])* unlock_fair) => {
        impl<$($generics)*> $guard {
            /// Unlocks, handing the lock to the first waiter that can have it then, if there is one.
            $(#[$unlock_fair])*
            pub fn unlock_fair(this: Self) {
                let _place = this.inner.unlock_fair();
            }
        }
    };
    (
        [$($generics:tt)*] $guard:ty;
        $(#[$unlock_fair:meta])* unlock_fair
        $(#[$unlocked:meta])* unlocked
        $(#[$bump:meta])* bump
    ) => {
        $crate::guard::unlocks! { [$($generics)*] $guard; $(#[$unlock_fair])* unlock_fair }

        impl<$($generics)*> $guard {
            /// Unlocks, runs `f`, and locks again in the same way, also if `f` panics.
            $(#[$unlocked])*
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn unlocked<F, U>(this: &mut Self, f: F) -> U
            where
                F: FnOnce() -> U,
            {
                this.inner.unlocked("unlocked", f)
            }

            /// Runs `f` as [`unlocked`](Self::unlocked) does, and unlocks as
            /// [`unlock_fair`](Self::unlock_fair) does: the first waiter that can have the lock is handed it.
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn unlocked_fair<F, U>(this: &mut Self, f: F) -> U
            where
                F: FnOnce() -> U,
            {
                this.inner.unlocked_fair("unlocked_fair", f)
            }

            /// Hands the lock to the first waiter and locks again behind it. Does nothing if no thread waits;
            /// one that was woken and is on its way does not count.
            $(#[$bump])*
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn bump(this: &mut Self) {
                this.inner.bump();
            }
        }
    };
    ($guard:ident keeps $lock:ident alive, $accessor:ident) => {
        impl<T: ?Sized> $guard<T> {
            /// Returns the lock that this guard has locked.
            #[must_use]
            pub fn $accessor(this: &Self) -> &std::sync::Arc<$lock<T>> {
                this.inner.place()
            }

            /// Unlocks and returns the lock.
            #[must_use]
            pub fn into_arc(this: Self) -> std::sync::Arc<$lock<T>> {
                this.inner.unlock()
            }

            /// Unlocks as [`into_arc`](Self::into_arc) does, and hands the lock to the first waiter that can
            /// have it, if there is one.
            #[must_use]
            pub fn into_arc_fair(this: Self) -> std::sync::Arc<$lock<T>> {
                this.inner.unlock_fair()
            }
        }
    };
}
pub(crate) use unlocks;
