//! Iterators that take items from a buffer.

/// Makes the two iterators of a buffer.
macro_rules! iterators {
    ($buffer:ident: $iter:ident, $try_iter:ident; $($bound:ident)?) => {
        #[doc = concat!("Takes items from a [`", stringify!($buffer), "`] and waits for them, see [`iter`](",
            stringify!($buffer), "::iter).")]
        #[must_use = "an iterator takes nothing until it is asked to"]
        pub struct $iter<'a, T> {
            buffer: &'a $buffer<T>,
        }

        #[doc = concat!("Takes items from a [`", stringify!($buffer), "`] and does not wait for them, see [`try_iter`](",
            stringify!($buffer), "::try_iter).")]
        ///
        /// Not a [`FusedIterator`](std::iter::FusedIterator): it goes on when there are items again.
        #[must_use = "an iterator takes nothing until it is asked to"]
        pub struct $try_iter<'a, T> {
            buffer: &'a $buffer<T>,
        }

        impl<T $(: $bound)?> Iterator for $iter<'_, T> {
            type Item = T;

            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            fn next(&mut self) -> Option<T> {
                self.buffer.get().ok()
            }
        }

        impl<T $(: $bound)?> Iterator for $try_iter<'_, T> {
            type Item = T;

            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            fn next(&mut self) -> Option<T> {
                self.buffer.try_get().ok()
            }
        }

        /// A buffer that is closed and empty stays so.
        impl<T $(: $bound)?> std::iter::FusedIterator for $iter<'_, T> {}

        impl<'a, T $(: $bound)?> IntoIterator for &'a $buffer<T> {
            type Item = T;
            type IntoIter = $iter<'a, T>;

            #[doc = concat!("[`iter`](", stringify!($buffer), "::iter).")]
            fn into_iter(self) -> $iter<'a, T> {
                self.iter()
            }
        }

        iterators!(references $iter, $try_iter; $($bound)?);

        impl<T $(: $bound)?> std::fmt::Debug for $buffer<T> {
            /// Shows how full it is.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.core.show(stringify!($buffer), f)
            }
        }
    };

    // They are references with a purpose.
    (references $name:ident, $other:ident; $($bound:ident)?) => {
        iterators!(reference $name; $($bound)?);
        iterators!(reference $other; $($bound)?);
    };
    (reference $name:ident; $($bound:ident)?) => {
        impl<T> Clone for $name<'_, T> {
            fn clone(&self) -> Self {
                Self { buffer: self.buffer }
            }
        }

        impl<T $(: $bound)?> std::fmt::Debug for $name<'_, T> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).field("buffer", self.buffer).finish()
            }
        }
    };
}

pub(super) use iterators;
