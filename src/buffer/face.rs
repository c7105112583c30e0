//! The methods of the buffers beside [`BoundedBuffer`](super::BoundedBuffer), which has the long form of
//! their pages.

/// Makes a buffer type on a [`Store`](super::wait::Store); or of one its iterators and how it is shown.
macro_rules! face {
    (
        $(#[$meta:meta])*
        struct $name:ident<T>;
        bound: $($bound:ident)?;
        store: $store:ty = $new:path, $empty:expr;
        iterators: $iter:ident, $try_iter:ident;
    ) => {
        $(#[$meta])*
        pub struct $name<T> {
            core: Core<$store>,
        }

        impl<T> $name<T> {
            /// Returns the number of items that it has room for: what was given to [`new`](Self::new).
            #[must_use]
            pub const fn capacity(&self) -> usize {
                self.core.store().capacity()
            }

            /// Returns an item of this buffer to be got, for a set of [`wait_any`](crate::wait_any). Takes
            /// nothing.
            ///
            /// See [`BoundedBuffer::getting`](crate::BoundedBuffer::getting).
            #[inline]
            pub const fn getting(&self) -> crate::Getting<'_, T, Self> {
                crate::Getting::of(self)
            }

            /// Returns room in this buffer for `item`, for a set of [`wait_any`](crate::wait_any). Puts
            /// nothing.
            ///
            /// See [`BoundedBuffer::putting`](crate::BoundedBuffer::putting).
            #[inline]
            pub const fn putting(&self, item: T) -> crate::Putting<'_, T, Self> {
                crate::Putting::of(self, item)
            }
        }

        impl<T $(: $bound)?> $name<T> {
            const_fn! {
                /// Makes an empty, open buffer with room for `capacity` items.
                ///
                /// Allocates nothing yet.
                ///
                /// # Panics
                ///
                /// Panics if `capacity` is 0.
                #[must_use]
                #[track_caller]
                pub fn new(capacity: usize) -> Self {
                    assert!(capacity != 0, concat!(stringify!($name), "::new: the capacity must not be 0"));
                    Self { core: Core::new($new(capacity, $empty), Identity::NONE) }
                }
            }

            const_fn! {
                /// Makes an empty, open buffer with room for `capacity` items and with a name, under which
                /// [diagnosis](crate#diagnosis) shows it.
                ///
                /// # Panics
                ///
                /// Panics if `capacity` is 0.
                #[must_use]
                #[track_caller]
                pub fn named(name: &'static str, capacity: usize) -> Self {
                    assert!(capacity != 0, concat!(stringify!($name), "::named: the capacity must not be 0"));
                    Self { core: Core::new($new(capacity, $empty), Identity::named(name)) }
                }
            }

            /// Puts an item, blocking while the buffer is full.
            ///
            /// # Errors
            ///
            /// Gives the item back if the buffer is closed, or is closed while the call waits.
            #[doc(alias = "send")]
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn put(&self, item: T) -> Result<(), crate::PutError<T>> {
                self.core.put(item, TimeLimit::never(self.core.call(Mode::Put))).map_err(|error| crate::PutError(error.into_inner()))
            }

            /// Puts an item if there is room just now.
            ///
            /// # Errors
            ///
            /// Gives the item back if the buffer is closed, or is full, or has one place left that is [kept
            /// for a thread that has waited for long](crate::BoundedBuffer#fairness).
            pub fn try_put(&self, item: T) -> Result<(), crate::TryPutError<T>> {
                self.core.try_put(item)
            }

            /// Puts an item, blocking for `timeout` at most while the buffer is full.
            ///
            /// See [time limits](crate#time-limits).
            ///
            /// # Errors
            ///
            /// Gives the item back if there was no room in time that was not [kept for another
            /// thread](crate::BoundedBuffer#fairness), or if the buffer is closed or is closed while the call
            /// waits.
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn put_for(&self, item: T, timeout: Duration) -> Result<(), crate::PutTimeoutError<T>> {
                self.core.put(item, TimeLimit::within(timeout, self.core.call(Mode::Put)))
            }

            /// Puts an item, blocking until `deadline` at most while the buffer is full.
            ///
            /// See [time limits](crate#time-limits).
            ///
            /// # Errors
            ///
            /// As [`put_for`](Self::put_for).
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn put_until(&self, item: T, deadline: Instant) -> Result<(), crate::PutTimeoutError<T>> {
                self.core.put(item, TimeLimit::until(deadline, self.core.call(Mode::Put)))
            }

            /// Puts all items of an iterator, blocking as often as there is no room. Returns the number of
            /// items.
            ///
            /// See [`BoundedBuffer::put_all`](crate::BoundedBuffer::put_all).
            ///
            /// # Errors
            ///
            /// Fails if the buffer is closed before everything was put; the error gives back what was taken
            /// and not put.
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn put_all<I>(&self, items: I) -> Result<usize, crate::PutAllError<T>>
            where
                I: IntoIterator<Item = T>,
            {
                self.core.put_all(items)
            }

            /// Takes the next item, blocking while the buffer is empty.
            ///
            /// # Errors
            ///
            /// Fails once the buffer is closed and empty.
            #[doc(alias = "recv")]
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn get(&self) -> Result<T, crate::GetError> {
                self.core.get(TimeLimit::never(self.core.call(Mode::Get))).map_err(|_| crate::GetError)
            }

            /// Takes the next item if there is one just now.
            ///
            /// # Errors
            ///
            /// Fails if the buffer is empty, and says whether it is closed as well; or if it has one item
            /// left that is [kept for a thread that has waited for long](crate::BoundedBuffer#fairness).
            pub fn try_get(&self) -> Result<T, crate::TryGetError> {
                self.core.try_get()
            }

            /// Takes the next item, blocking for `timeout` at most while the buffer is empty.
            ///
            /// See [time limits](crate#time-limits).
            ///
            /// # Errors
            ///
            /// Fails if there was no item in time that was not [kept for another
            /// thread](crate::BoundedBuffer#fairness), or once the buffer is closed and empty.
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn get_for(&self, timeout: Duration) -> Result<T, crate::GetTimeoutError> {
                self.core.get(TimeLimit::within(timeout, self.core.call(Mode::Get)))
            }

            /// Takes the next item, blocking until `deadline` at most while the buffer is empty.
            ///
            /// See [time limits](crate#time-limits).
            ///
            /// # Errors
            ///
            /// As [`get_for`](Self::get_for).
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn get_until(&self, deadline: Instant) -> Result<T, crate::GetTimeoutError> {
                self.core.get(TimeLimit::until(deadline, self.core.call(Mode::Get)))
            }

            /// Blocks while the buffer is empty, then takes what is there, `max` items at most, in the order
            /// in which single gets would, and appends it to `out`. Returns the number of items taken.
            ///
            /// See [`BoundedBuffer::get_many`](crate::BoundedBuffer::get_many).
            ///
            /// # Errors
            ///
            /// Fails once the buffer is closed and empty, and leaves `out` as it was.
            ///
            /// # Panics
            ///
            /// Panics, as [`Vec::reserve`] does, if `out` grew beyond `isize::MAX` bytes; the items stay in
            /// the buffer.
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn get_many(&self, out: &mut Vec<T>, max: usize) -> Result<usize, crate::GetError> {
                self.core.get_many(out, max, TimeLimit::never(self.core.call(Mode::Get))).map_err(|_| crate::GetError)
            }

            /// Takes what is there just now, `max` items at most, and appends it to `out`. Returns the number
            /// of items taken.
            ///
            /// # Errors
            ///
            /// Fails if the buffer is empty, and says whether it is closed as well; or if it has one item
            /// left that is [kept for a thread that has waited for long](crate::BoundedBuffer#fairness).
            /// Leaves `out` as it was.
            ///
            /// # Panics
            ///
            /// Panics, as [`Vec::reserve`] does, if `out` grew beyond `isize::MAX` bytes; the items stay in
            /// the buffer.
            pub fn try_get_many(&self, out: &mut Vec<T>, max: usize) -> Result<usize, crate::TryGetError> {
                self.core.try_get_many(out, max)
            }

            /// Does the same as [`get_many`](Self::get_many), blocking for `timeout` at most for the first
            /// item.
            ///
            /// See [time limits](crate#time-limits).
            ///
            /// # Errors
            ///
            /// Fails if there was no item in time that was not [kept for another
            /// thread](crate::BoundedBuffer#fairness), or once the buffer is closed and empty. Leaves `out`
            /// as it was.
            ///
            /// # Panics
            ///
            /// Panics, as [`Vec::reserve`] does, if `out` grew beyond `isize::MAX` bytes; the items stay in
            /// the buffer.
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn get_many_for(
                &self,
                out: &mut Vec<T>,
                max: usize,
                timeout: Duration,
            ) -> Result<usize, crate::GetTimeoutError> {
                self.core.get_many(out, max, TimeLimit::within(timeout, self.core.call(Mode::Get)))
            }

            /// Does the same as [`get_many`](Self::get_many), blocking until `deadline` at most for the first
            /// item.
            ///
            /// See [time limits](crate#time-limits).
            ///
            /// # Errors
            ///
            /// As [`get_many_for`](Self::get_many_for).
            ///
            /// # Panics
            ///
            /// Panics, as [`Vec::reserve`] does, if `out` grew beyond `isize::MAX` bytes; the items stay in
            /// the buffer.
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn get_many_until(
                &self,
                out: &mut Vec<T>,
                max: usize,
                deadline: Instant,
            ) -> Result<usize, crate::GetTimeoutError> {
                self.core.get_many(out, max, TimeLimit::until(deadline, self.core.call(Mode::Get)))
            }

            /// Closes the buffer: putting fails from now on, getting takes what is there and then fails. It
            /// cannot be opened again. Locks what the items stand behind, for which it may sleep.
            pub fn close(&self) {
                self.core.close();
            }

            /// Closes the buffer and empties it. Returns what was in it, in the order in which gets would
            /// have taken it.
            ///
            /// The items returned count as done. See
            /// [`BoundedBuffer::close_now`](crate::BoundedBuffer::close_now).
            pub fn close_now(&self) -> Vec<T> {
                self.core.close_now()
            }

            /// Returns whether it was closed just now. Once closed it stays closed.
            #[must_use]
            pub fn is_closed(&self) -> bool {
                self.core.is_closed()
            }

            /// Returns the number of items in it just now.
            #[must_use]
            pub fn len(&self) -> usize {
                self.core.len()
            }

            /// Returns whether it was empty just now.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// Returns whether it was full just now.
            #[must_use]
            pub fn is_full(&self) -> bool {
                self.len() == self.capacity()
            }

            /// Returns an iterator that takes items, blocking while the buffer is empty, and ends when it is
            /// closed and empty.
            pub fn iter(&self) -> $iter<'_, T> {
                $iter { buffer: self }
            }

            /// Returns an iterator that takes items and ends, for the time being, whenever
            /// [`try_get`](Self::try_get) fails.
            pub fn try_iter(&self) -> $try_iter<'_, T> {
                $try_iter { buffer: self }
            }

            /// Reports that the work on one item taken from the buffer is done. See [`join`](Self::join).
            ///
            /// # Panics
            ///
            /// Panics if no item is unfinished.
            #[track_caller]
            pub fn task_done(&self) {
                assert!(
                    self.core.task_done().is_ok(),
                    concat!(stringify!($name), "::task_done: called more often than items were put")
                );
            }

            /// Reports as [`task_done`](Self::task_done) does, without the panic.
            ///
            /// # Errors
            ///
            /// Fails, and changes nothing, if no item is unfinished.
            pub fn try_task_done(&self) -> Result<(), crate::TaskDoneError> {
                self.core.task_done()
            }

            /// Returns the number of items that were put and not yet reported done.
            #[must_use]
            pub fn unfinished(&self) -> usize {
                self.core.unfinished()
            }

            /// Blocks until every item that was put has been reported done by [`task_done`](Self::task_done).
            ///
            /// See [`BoundedBuffer::join`](crate::BoundedBuffer::join).
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn join(&self) {
                self.core.join(TimeLimit::never(self.core.call(Mode::Join)));
            }

            /// Blocks as [`join`](Self::join) does, for `timeout` at most. Returns whether everything was
            /// done.
            ///
            /// See [time limits](crate#time-limits).
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn join_for(&self, timeout: Duration) -> bool {
                self.core.join(TimeLimit::within(timeout, self.core.call(Mode::Join)))
            }

            /// Blocks as [`join`](Self::join) does, until `deadline` at most. Returns whether everything was
            /// done.
            ///
            /// See [time limits](crate#time-limits).
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            pub fn join_until(&self, deadline: Instant) -> bool {
                self.core.join(TimeLimit::until(deadline, self.core.call(Mode::Join)))
            }
        }

        face!(rest of $name: $store, $iter, $try_iter; $($bound)?);
    };
    (rest of $name:ident: $store:ty, $iter:ident, $try_iter:ident; $($bound:ident)?) => {
        impl<T $(: $bound)?> $crate::buffer::any::Buffer for $name<T> {
            type Item = T;
            type Store = $store;

            #[inline]
            fn core(&self) -> &Core<$store> {
                &self.core
            }
        }

        #[doc = concat!("Takes items from a [`", stringify!($name), "`] and waits for them, see [`iter`](",
            stringify!($name), "::iter).")]
        #[must_use = "an iterator takes nothing until it is asked to"]
        pub struct $iter<'a, T> {
            buffer: &'a $name<T>,
        }

        #[doc = concat!("Takes items from a [`", stringify!($name), "`] and does not wait for them, see [`try_iter`](",
            stringify!($name), "::try_iter).")]
        ///
        /// Not a [`FusedIterator`](std::iter::FusedIterator): it goes on when there are items again.
        #[must_use = "an iterator takes nothing until it is asked to"]
        pub struct $try_iter<'a, T> {
            buffer: &'a $name<T>,
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

        impl<'a, T $(: $bound)?> IntoIterator for &'a $name<T> {
            type Item = T;
            type IntoIter = $iter<'a, T>;

            #[doc = concat!("[`iter`](", stringify!($name), "::iter).")]
            fn into_iter(self) -> $iter<'a, T> {
                self.iter()
            }
        }

        face!(reference $iter; $($bound)?);
        face!(reference $try_iter; $($bound)?);

        impl<T $(: $bound)?> std::fmt::Debug for $name<T> {
            /// Shows how full it is.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.core.show(stringify!($name), f)
            }
        }
    };

    // An iterator is a reference with a purpose.
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

pub(super) use face;
