//! What both locks of this module have of their value and of their flag, beside the ways to lock them.

/// A lock of the crate's root, in the field `inner`, with a flag `poison` beside it. What stands before the
/// names is added to their documentation; the last two are the calls that lock it for reading and for
/// writing.
macro_rules! owns_value {
    (
        $lock:ident;
        $(#[$new:meta])* new
        $(#[$clear_poison:meta])* clear_poison
        $read:ident $try_read:ident $write:ident
    ) => {
        impl<T> $lock<T> {
            const_fn! {
                /// Makes an unlocked lock that guards `t`.
                ///
                $(#[$new])*
                #[must_use]
                #[inline]
                pub fn new(t: T) -> Self {
                    Self { poison: Poison::new(), inner: $crate::$lock::new(t) }
                }
            }

            const_fn! {
                /// Makes an unlocked lock with a name, under which [diagnosis](crate#diagnosis) shows it.
                #[must_use]
                #[inline]
                pub fn named(name: &'static str, t: T) -> Self {
                    Self { poison: Poison::new(), inner: $crate::$lock::named(name, t) }
                }
            }

            const_fn! {
                /// Makes an unlocked lock of a [class](crate::LockClass): it has the class's name and rank.
                #[must_use]
                #[inline]
                pub fn of(class: &'static $crate::LockClass, t: T) -> Self {
                    Self { poison: Poison::new(), inner: $crate::$lock::of(class, t) }
                }
            }

            /// Returns a copy of the value, made while the lock is locked. Not stable in `std` yet.
            ///
            /// # Errors
            ///
            /// If the lock is poisoned.
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn get_cloned(&self) -> Result<T, PoisonError<()>>
            where
                T: Clone,
            {
                match self.$read() {
                    Ok(guard) => Ok((*guard).clone()),
                    Err(_) => Err(PoisonError::new(())),
                }
            }

            /// Puts `value` in the place of the present value, which is dropped after unlocking. Not stable
            /// in `std` yet.
            ///
            /// # Errors
            ///
            /// If the lock is poisoned; the error has `value`.
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn set(&self, value: T) -> Result<(), PoisonError<T>> {
                self.replace(value).map(drop)
            }

            /// Puts `value` in the place of the present value, and returns that. Not stable in `std` yet.
            ///
            /// # Errors
            ///
            /// If the lock is poisoned; the error has `value`.
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn replace(&self, value: T) -> LockResult<T> {
                match self.$write() {
                    Ok(mut guard) => Ok(std::mem::replace(&mut *guard, value)),
                    Err(_) => Err(PoisonError::new(value)),
                }
            }
        }

        impl<T: ?Sized> $lock<T> {
            /// Returns whether the lock is poisoned. Without the lock it may be otherwise by the time the
            /// answer is looked at.
            #[must_use]
            #[inline]
            pub fn is_poisoned(&self) -> bool {
                self.poison.is_set()
            }

            /// Forgets the panic: later calls succeed, until another.
            ///
            $(#[$clear_poison])*
            #[inline]
            pub fn clear_poison(&self) {
                self.poison.clear();
            }

            /// Takes the value out. No locking: the lock is owned.
            ///
            /// # Errors
            ///
            /// If the lock is poisoned; the error has the value.
            pub fn into_inner(self) -> LockResult<T>
            where
                T: Sized,
            {
                checked(self.poison.is_set(), self.inner.into_inner())
            }

            /// Returns the value. No locking: the lock is borrowed exclusively.
            ///
            /// # Errors
            ///
            /// If the lock is poisoned; the error has the reference.
            pub fn get_mut(&mut self) -> LockResult<&mut T> {
                checked(self.poison.is_set(), self.inner.get_mut())
            }

            /// Returns where the value lives. The caller who dereferences it answers for holding the lock.
            /// Not stable in `std` yet.
            #[must_use]
            #[inline]
            pub const fn data_ptr(&self) -> *mut T {
                self.inner.data_ptr()
            }

            pub(crate) fn identity(&self) -> &Identity {
                Lock::identity(&self.inner)
            }

            pub(crate) fn is_locked(&self) -> bool {
                self.inner.is_locked()
            }

            pub(super) fn address(&self) -> usize {
                self.inner.address()
            }
        }

        impl<T> From<T> for $lock<T> {
            fn from(t: T) -> Self {
                Self::new(t)
            }
        }

        impl<T: Default> Default for $lock<T> {
            fn default() -> Self {
                Self::new(T::default())
            }
        }

        impl<T: ?Sized + fmt::Debug> fmt::Debug for $lock<T> {
            /// Shows the value, or `<locked>`, and whether it is poisoned: never blocks.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut shown = f.debug_struct(stringify!($lock));
                match self.$try_read() {
                    Ok(guard) => shown.field("data", &&*guard),
                    Err(TryLockError::Poisoned(poisoned)) => shown.field("data", &&**poisoned.get_ref()),
                    Err(TryLockError::WouldBlock) => shown.field("data", &format_args!("<locked>")),
                };
                shown.field("poisoned", &self.is_poisoned()).finish_non_exhaustive()
            }
        }
    };
}
pub(super) use owns_value;
