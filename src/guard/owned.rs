//! What a lock has of the value that it owns, without locking: how it is made of one, gives it back and
//! shows it.

/// A lock that owns its value, in its fields `raw`, `identity` and `value`, and is made by a function `with`
/// of its own. What stands before the names is added to their documentation. `try_lock` is what `Debug` looks
/// through; `values` are the calls by which a lock with a `&mut` to its value copies and replaces that.
macro_rules! owns_value {
    (
        $lock:ident over $raw:ty;
        $(#[$new:meta])* new
        $(#[$named:meta])* named
        $(#[$const_new:meta])* $const_name:ident
        $(#[$shows:meta])* $try_lock:ident
        $(values $read:ident $write:ident)?
    ) => {
        impl<T> $lock<T> {
            $crate::facade::const_fn! {
                /// Makes an unlocked lock that guards `value`.
                ///
                $(#[$new])*
                #[must_use]
                #[inline]
                pub fn new(value: T) -> Self {
                    Self::with($crate::observe::Identity::NONE, value)
                }
            }

            $crate::facade::const_fn! {
                /// Makes an unlocked lock with a name, under which [diagnosis](crate#diagnosis) shows it.
                ///
                $(#[$named])*
                #[must_use]
                #[inline]
                pub fn named(name: &'static str, value: T) -> Self {
                    Self::with($crate::observe::Identity::named(name), value)
                }
            }

            $crate::facade::const_fn! {
                /// Makes an unlocked lock of a [class](crate::LockClass): it has the class's name and rank.
                #[must_use]
                #[inline]
                pub fn of(class: &'static $crate::LockClass, value: T) -> Self {
                    Self::with($crate::observe::Identity::of(class), value)
                }
            }

            /// Takes the value out. No locking: the lock is owned.
            #[must_use]
            #[inline]
            pub fn into_inner(self) -> T {
                self.value.into_inner()
            }
        }

        $(impl<T> $lock<T> {
            /// Returns a copy of the value, made while the lock is locked.
            ///
            /// ```
            #[doc = concat!("let names = lockwork::", stringify!($lock), "::new(vec![\"ada\"]);")]
            /// let copy = names.get_cloned();
            #[doc = concat!("names.", stringify!($write), "().push(\"grace\");")]
            /// assert_eq!(copy, ["ada"]);
            /// ```
            ///
            /// # Panics
            ///
            /// With the panic of [`Clone::clone`], after unlocking.
            #[must_use]
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn get_cloned(&self) -> T
            where
                T: Clone,
            {
                self.$read().clone()
            }

            /// Puts `value` in the place of the present value, which is dropped after unlocking. So its
            /// destructor may use this lock.
            ///
            /// ```
            #[doc = concat!("use lockwork::", stringify!($lock), ";")]
            /// use std::thread;
            ///
            #[doc = concat!("let state = ", stringify!($lock), "::new(\"starting\");")]
            /// thread::scope(|s| {
            ///     s.spawn(|| state.set("ready"));
            /// });
            /// assert_eq!(state.get_cloned(), "ready");
            /// ```
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn set(&self, value: T) {
                drop(self.replace(value));
            }

            /// Puts `value` in the place of the present value, and returns that.
            ///
            /// ```
            #[doc = concat!("let events = lockwork::", stringify!($lock), "::new(vec![1, 2]);")]
            /// assert_eq!(events.replace(Vec::new()), [1, 2]);
            #[doc = concat!("assert_eq!(*events.", stringify!($read), "(), []);")]
            /// ```
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn replace(&self, value: T) -> T {
                std::mem::replace(&mut *self.$write(), value)
            }
        })?

        impl<T: ?Sized> $lock<T> {
            /// Returns the value. No locking: the lock is borrowed exclusively.
            #[inline]
            pub fn get_mut(&mut self) -> &mut T {
                self.value.get_mut()
            }

            /// Returns where the value lives. The caller who dereferences it answers for holding the lock,
            /// and for the references to the value that guards give.
            #[must_use]
            #[inline]
            pub const fn data_ptr(&self) -> *mut T {
                self.value.as_ptr()
            }

            $crate::facade::only! { model:
                pub(crate) fn has_waiters_now(&self) -> bool {
                    self.raw.has_waiters_now()
                }
            }
        }

        $crate::facade::const_fn! {
            $(#[$const_new])*
            #[must_use]
            #[inline]
            pub fn $const_name<T>(value: T) -> $lock<T> {
                $lock::new(value)
            }
        }

        impl<T: Default> Default for $lock<T> {
            fn default() -> Self {
                Self::new(T::default())
            }
        }

        impl<T> From<T> for $lock<T> {
            fn from(value: T) -> Self {
                Self::new(value)
            }
        }

        impl<T: ?Sized + std::fmt::Debug> std::fmt::Debug for $lock<T> {
            $(#[$shows])*
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut shown = f.debug_struct(stringify!($lock));
                match self.$try_lock() {
                    Some(guard) => shown.field("data", &&*guard),
                    None => shown.field("data", &format_args!("<locked>")),
                }
                .finish()
            }
        }

        impl<T: ?Sized> std::panic::UnwindSafe for $lock<T> {}
        impl<T: ?Sized> std::panic::RefUnwindSafe for $lock<T> {}

        impl<T: ?Sized> $crate::guard::Lock for $lock<T> {
            type Raw = $raw;
            type Value = T;

            #[inline]
            fn raw(&self) -> &$raw {
                &self.raw
            }

            #[inline]
            fn data(&self) -> &$crate::facade::Data<T> {
                &self.value
            }

            #[inline]
            fn identity(&self) -> &$crate::observe::Identity {
                &self.identity
            }
        }
    };
}
pub(crate) use owns_value;
