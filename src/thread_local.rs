//! [`ThreadLocal`] and its iterators.

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::ptr::NonNull;

use crate::facade::{Data, const_fn};
use crate::raw::slots::Slots;
use crate::raw::thread_id::ThreadId;
use crate::raw::thread_local::{Link, Pushed};

/// An object with a value for each thread that has asked for one, all of which it keeps until it goes.
///
/// Use it where threads work on something of their own and the results are collected in the end: counters,
/// partial sums, logs. For values that are to die with their thread use [`ThreadCell`](crate::ThreadCell).
///
/// # Examples
///
/// Counting in several threads without sharing anything, and adding up:
///
/// ```
/// use lockwork::ThreadLocal;
/// use std::{cell::Cell, thread};
///
/// let counts = ThreadLocal::new();
/// thread::scope(|s| {
///     for part in [0..10, 10..30, 30..35] {
///         let counts = &counts;
///         s.spawn(move || {
///             for _ in part {
///                 let count = counts.get_or(|| Cell::new(0));
///                 count.set(count.get() + 1);
///             }
///         });
///     }
/// });
/// assert_eq!(counts.into_iter().map(Cell::into_inner).sum::<i32>(), 35);
/// ```
///
/// # Blocking
///
/// No method waits for another thread.
///
/// # Memory ordering
///
/// What a thread did before it inserted its value, and the making of the value, happen before an
/// [`iter`](Self::iter) that returns it.
///
/// # Reentrancy and deadlock
///
/// The closure given to [`get_or`](Self::get_or) may use the object, also to insert a value: then that one
/// stays, the outer call returns it, and what its own closure has made is dropped. Everything can be used
/// from destructors, too, also at the end of a thread, which finds its own value until its last moment. (On
/// platforms whose compiler does not know thread-local variables, it may at that moment get another value.)
///
/// Values of threads that have ended are kept: [what that
/// means](crate::guide::limits#what-a-threadlocal-keeps) in a process with many threads.
///
/// # Panics
///
/// A panic in the closure given to [`get_or`](Self::get_or) leaves no value. If a
/// destructor panics when the object goes, the other values are dropped and the panic goes on.
///
/// # Differences from `std` and `thread_local`
///
/// From [`std::thread::LocalKey`]: an object; the values outlive their threads, and can be iterated over.
/// From the `thread_local` crate, whose methods these are: a new thread never gets a value that a dead one
/// has left, and the object is three words instead of sixty-four. `std` and `parking_lot` have none.
///
/// # Implementation notes
///
/// The values form a list to which threads push. Each thread has a table from ids of objects, which are never
/// used twice, to its values. `docs/thread_values.md` has the protocol.
pub struct ThreadLocal<T: Send> {
    slots: Slots<Pushed>,
    /// Owns values, and takes them by shared reference: so it is invariant in `T`, as a cell is.
    marker: PhantomData<Cell<T>>,
}

// SAFETY: a value is lent to other threads by `iter` alone, which asks for `T: Sync`; it is moved and dropped
// by whichever thread has the object, hence `T: Send`.
unsafe impl<T: Send> Sync for ThreadLocal<T> {}

impl<T: Send + UnwindSafe> UnwindSafe for ThreadLocal<T> {}
impl<T: Send> RefUnwindSafe for ThreadLocal<T> {}
impl<T: Send> Unpin for ThreadLocal<T> {}

/// One thread's value.
#[repr(C)]
struct Value<T> {
    /// First, so that its address is the value's.
    link: Link,
    value: Data<T>,
}

impl<T: Send> ThreadLocal<T> {
    const_fn! {
        /// Makes an object without values. Allocates nothing.
        ///
        /// ```
        /// use lockwork::ThreadLocal;
        ///
        /// static SEEN: ThreadLocal<u32> = ThreadLocal::new();
        /// assert_eq!(*SEEN.get_or_default(), 0);
        /// ```
        #[must_use]
        pub fn new() -> Self {
            Self { slots: Slots::new(), marker: PhantomData }
        }
    }

    const_fn! {
        /// Makes an object without values, for about so many threads. The same as [`new`](Self::new): each
        /// value is allocated when its thread inserts it, and none ever moves.
        #[must_use]
        pub fn with_capacity(capacity: usize) -> Self {
            let _ = capacity;
            Self::new()
        }
    }

    /// Returns the calling thread's value, if it has one.
    #[must_use]
    #[inline]
    pub fn get(&self) -> Option<&T> {
        match self.slots.find() {
            // SAFETY: found under this object's id, so inserted by `insert` below.
            Some(value) => Some(unsafe { lend(value.cast()) }),
            None => self.get_late(),
        }
    }

    /// Returns the calling thread's value, which is made now if there is none.
    ///
    /// ```
    /// use lockwork::ThreadLocal;
    /// use std::cell::Cell;
    ///
    /// let local = ThreadLocal::new();
    /// local.get_or(|| Cell::new(1)).set(2);
    /// assert_eq!(local.get_or(|| Cell::new(1)).get(), 2);
    /// ```
    #[inline]
    pub fn get_or<F>(&self, create: F) -> &T
    where
        F: FnOnce() -> T,
    {
        match self.get_or_try(|| Ok::<T, Infallible>(create())) {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }

    /// Returns the calling thread's value, which is made now if there is none and it can be made.
    ///
    /// # Errors
    ///
    /// Returns what `create` returned, and inserts nothing.
    ///
    /// ```
    /// use lockwork::ThreadLocal;
    ///
    /// let local = ThreadLocal::new();
    /// assert!(local.get_or_try(|| "x".parse::<u32>()).is_err());
    /// assert_eq!(local.get_or_try(|| "1".parse::<u32>()), Ok(&1));
    /// ```
    #[inline]
    pub fn get_or_try<F, E>(&self, create: F) -> Result<&T, E>
    where
        F: FnOnce() -> Result<T, E>,
    {
        match self.slots.find() {
            // SAFETY: as in `get`.
            Some(value) => Ok(unsafe { lend(value.cast()) }),
            None => self.make(create),
        }
    }

    /// Returns the calling thread's value, which is the default if there was none.
    #[inline]
    pub fn get_or_default(&self) -> &T
    where
        T: Default,
    {
        self.get_or(T::default)
    }

    /// Returns all threads' values, in no particular order, also while threads insert more: those that were
    /// there when the iteration began.
    ///
    /// ```
    /// use lockwork::ThreadLocal;
    /// use std::thread;
    ///
    /// let local = ThreadLocal::new();
    /// local.get_or(|| 1);
    /// thread::scope(|s| {
    ///     s.spawn(|| local.get_or(|| 2));
    /// });
    /// assert_eq!(local.iter().sum::<i32>(), 3);
    /// ```
    pub fn iter(&self) -> ThreadLocalIter<'_, T>
    where
        T: Sync,
    {
        ThreadLocalIter { next: self.first(), marker: PhantomData }
    }

    /// Returns all threads' values, in no particular order, to be changed.
    pub fn iter_mut(&mut self) -> ThreadLocalIterMut<'_, T> {
        let next = self.first();
        ThreadLocalIterMut { next, left: count(next), marker: PhantomData }
    }

    /// Drops all threads' values.
    ///
    /// ```
    /// use lockwork::ThreadLocal;
    ///
    /// let mut local = ThreadLocal::new();
    /// local.get_or(|| 1);
    /// local.clear();
    /// assert_eq!(local.get(), None);
    /// ```
    pub fn clear(&mut self) {
        let values = self.drain();
        // No thread finds what is dropped now, also if a destructor panics.
        self.slots.reset();
        drop(values);
    }

    /// Returns the value that was inserted last, as far as this thread knows.
    fn first(&self) -> Option<NonNull<Link>> {
        self.slots.owner().and_then(Pushed::first)
    }

    fn drain(&mut self) -> ThreadLocalIntoIter<T> {
        let next = self.slots.owner().and_then(Pushed::take);
        ThreadLocalIntoIter { next, left: count(next), marker: PhantomData }
    }

    /// Returns the value of a thread whose table has been given up.
    #[cold]
    fn get_late(&self) -> Option<&T> {
        if !Slots::<Pushed>::is_ending() {
            return None;
        }
        let thread = ThreadId::current();
        let mut next = self.first();
        while let Some(link) = next {
            // SAFETY: in the list of a borrowed object.
            let value = unsafe { link.as_ref() };
            if value.thread() == thread {
                // SAFETY: this thread has inserted it.
                return Some(unsafe { lend(link) });
            }
            next = value.next();
        }
        None
    }

    #[cold]
    fn make<F, E>(&self, create: F) -> Result<&T, E>
    where
        F: FnOnce() -> Result<T, E>,
    {
        if let Some(value) = self.get_late() {
            return Ok(value);
        }
        let value = create()?;
        // `create` may have inserted one, which may be borrowed by now.
        if let Some(inserted) = self.get() {
            return Ok(inserted);
        }
        Ok(self.insert(value))
    }

    /// Inserts the value of a thread that has none yet.
    fn insert(&self, value: T) -> &T {
        let room = self.slots.reserve();
        let value = Value { link: Link::new(ThreadId::current()), value: Data::new(value) };
        let value = NonNull::from(Box::leak(Box::new(value))).cast();
        let (list, made) = self.slots.share(|| Pushed::new(value));
        if !made {
            // SAFETY: just made, and kept until the object is borrowed exclusively. In no list: this one is
            // another's.
            unsafe { list.owner().push(value) };
        }
        // A thread that has given up its table finds it in the list.
        if room.is_ok() {
            self.slots.insert(value.cast(), list);
        }
        // SAFETY: made above.
        unsafe { lend(value) }
    }
}

/// # Safety
///
/// `value` is in the list of an object that is borrowed for `'a`, and its thread is the calling one, or `T:
/// Sync` and it was found in the list.
#[inline]
unsafe fn lend<'a, T>(value: NonNull<Link>) -> &'a T {
    // SAFETY: values are there until their object is borrowed exclusively.
    let value = unsafe { value.cast::<Value<T>>().as_ref() };
    value.value.read().end();
    // SAFETY: as above, and no thread changes it meanwhile but through its own interior mutability.
    unsafe { &*value.value.as_ptr() }
}

fn count(mut next: Option<NonNull<Link>>) -> usize {
    let mut count = 0;
    while let Some(link) = next {
        count += 1;
        // SAFETY: of a list that the caller borrows exclusively, or owns.
        next = unsafe { link.as_ref() }.next();
    }
    count
}

impl<T: Send> Drop for ThreadLocal<T> {
    fn drop(&mut self) {
        drop(self.drain());
    }
}

impl<T: Send> Default for ThreadLocal<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows the calling thread's value.
impl<T: Send + fmt::Debug> fmt::Debug for ThreadLocal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadLocal").field("local_data", &self.get()).finish()
    }
}

impl<T: Send> IntoIterator for ThreadLocal<T> {
    type Item = T;
    type IntoIter = ThreadLocalIntoIter<T>;

    fn into_iter(mut self) -> ThreadLocalIntoIter<T> {
        self.drain()
    }
}

impl<'a, T: Send + Sync> IntoIterator for &'a ThreadLocal<T> {
    type Item = &'a T;
    type IntoIter = ThreadLocalIter<'a, T>;

    fn into_iter(self) -> ThreadLocalIter<'a, T> {
        self.iter()
    }
}

impl<'a, T: Send> IntoIterator for &'a mut ThreadLocal<T> {
    type Item = &'a mut T;
    type IntoIter = ThreadLocalIterMut<'a, T>;

    fn into_iter(self) -> ThreadLocalIterMut<'a, T> {
        self.iter_mut()
    }
}

/// All threads' values, lent. Made by [`ThreadLocal::iter`].
#[derive(Debug)]
#[must_use = "iterators are lazy"]
pub struct ThreadLocalIter<'a, T: Send + Sync> {
    next: Option<NonNull<Link>>,
    marker: PhantomData<&'a T>,
}

// SAFETY: it is as good as the references that it gives.
unsafe impl<T: Send + Sync> Send for ThreadLocalIter<'_, T> {}
// SAFETY: a shared iterator gives nothing.
unsafe impl<T: Send + Sync> Sync for ThreadLocalIter<'_, T> {}

impl<T: Send + Sync> Clone for ThreadLocalIter<'_, T> {
    fn clone(&self) -> Self {
        Self { next: self.next, marker: PhantomData }
    }
}

impl<'a, T: Send + Sync> Iterator for ThreadLocalIter<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        let link = self.next?;
        // SAFETY: in the list of the object, which is borrowed for `'a`.
        self.next = unsafe { link.as_ref() }.next();
        // SAFETY: as above, and `T: Sync`.
        Some(unsafe { lend(link) })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::from(self.next.is_some()), None)
    }
}

impl<T: Send + Sync> FusedIterator for ThreadLocalIter<'_, T> {}

/// All threads' values, lent exclusively. Made by [`ThreadLocal::iter_mut`].
#[derive(Debug)]
#[must_use = "iterators are lazy"]
pub struct ThreadLocalIterMut<'a, T: Send> {
    next: Option<NonNull<Link>>,
    left: usize,
    marker: PhantomData<&'a mut T>,
}

// SAFETY: it is as good as the references that it gives, and `T: Send`.
unsafe impl<T: Send> Send for ThreadLocalIterMut<'_, T> {}
// SAFETY: a shared iterator gives nothing but its length.
unsafe impl<T: Send> Sync for ThreadLocalIterMut<'_, T> {}

impl<'a, T: Send> Iterator for ThreadLocalIterMut<'a, T> {
    type Item = &'a mut T;

    fn next(&mut self) -> Option<&'a mut T> {
        let link = self.next?;
        // SAFETY: in the list of the object, which is borrowed for `'a`.
        self.next = unsafe { link.as_ref() }.next();
        self.left -= 1;
        // SAFETY: as above; the link is part of a `Value<T>`, which the pointer is to.
        let value = unsafe { &raw mut (*link.cast::<Value<T>>().as_ptr()).value };
        // SAFETY: borrowed exclusively for `'a`, and given out once.
        Some(unsafe { &mut *value }.get_mut())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T: Send> ExactSizeIterator for ThreadLocalIterMut<'_, T> {}
impl<T: Send> FusedIterator for ThreadLocalIterMut<'_, T> {}

/// All threads' values. Made by [`into_iter`](ThreadLocal::into_iter) of a [`ThreadLocal`].
#[derive(Debug)]
#[must_use = "iterators are lazy"]
pub struct ThreadLocalIntoIter<T: Send> {
    next: Option<NonNull<Link>>,
    left: usize,
    marker: PhantomData<T>,
}

// SAFETY: it owns values of type `T`, which is `Send`.
unsafe impl<T: Send> Send for ThreadLocalIntoIter<T> {}
// SAFETY: a shared iterator gives nothing but its length.
unsafe impl<T: Send> Sync for ThreadLocalIntoIter<T> {}

impl<T: Send> Iterator for ThreadLocalIntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let value = self.next?.cast::<Value<T>>();
        // SAFETY: it came from a box, and the iterator has taken the list.
        let value = unsafe { Box::from_raw(value.as_ptr()) };
        self.next = value.link.next();
        self.left -= 1;
        Some(value.value.into_inner())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T: Send> ExactSizeIterator for ThreadLocalIntoIter<T> {}
impl<T: Send> FusedIterator for ThreadLocalIntoIter<T> {}

impl<T: Send> Drop for ThreadLocalIntoIter<T> {
    fn drop(&mut self) {
        struct Others<'a, T: Send>(&'a mut ThreadLocalIntoIter<T>);
        impl<T: Send> Drop for Others<'_, T> {
            fn drop(&mut self) {
                self.0.by_ref().for_each(drop);
            }
        }
        // If one panics, the others are dropped as the panic leaves; a second panic ends the process.
        let others = Others(self);
        others.0.by_ref().for_each(drop);
    }
}
