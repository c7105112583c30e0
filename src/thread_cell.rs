//! [`ThreadCell`] and its error.

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::ptr::NonNull;

use crate::facade::{Data, ReadAccess, const_fn};
use crate::raw::slots::Slots;
use crate::raw::thread_cell::{Links, Registry};

/// A cell with a value for each thread, which dies with its thread or with the cell, whichever ends first.
///
/// Use it for what each thread has for itself, where [`thread_local!`](std::thread_local) cannot be: as a
/// field, one for each object, with a life shorter than the program's. To collect what the threads have left
/// behind use [`ThreadLocal`](crate::ThreadLocal), which keeps the values of threads that have ended.
///
/// # Examples
///
/// ```
/// use lockwork::ThreadCell;
/// use std::cell::Cell;
/// use std::thread;
///
/// static CALLS: ThreadCell<Cell<u32>> = ThreadCell::with_init(|| Cell::new(0));
///
/// CALLS.with(|calls| calls.set(calls.get() + 1));
/// thread::spawn(|| CALLS.with(|calls| assert_eq!(calls.get(), 0))).join().unwrap();
/// CALLS.with(|calls| assert_eq!(calls.get(), 1));
/// ```
///
/// A scratch buffer for each thread that uses a parser:
///
/// ```
/// use lockwork::ThreadCell;
/// use std::cell::RefCell;
/// use std::thread;
///
/// struct Shouter {
///     scratch: ThreadCell<RefCell<String>>,
/// }
///
/// impl Shouter {
///     fn shout(&self, words: &[&str]) -> usize {
///         self.scratch.with(|scratch| {
///             let mut scratch = scratch.borrow_mut();
///             scratch.clear();
///             words.iter().for_each(|word| scratch.push_str(&word.to_uppercase()));
///             scratch.len()
///         })
///     }
/// }
///
/// let shouter = Shouter { scratch: ThreadCell::with_init(RefCell::default) };
/// thread::scope(|s| {
///     s.spawn(|| assert_eq!(shouter.shout(&["a", "bc"]), 3));
///     s.spawn(|| assert_eq!(shouter.shout(&["d"]), 1));
/// });
/// ```
///
/// # Blocking
///
/// Using a value that is there waits for nothing. Making and removing one take a lock for a few instructions,
/// and so do the end of a thread and the drop of the cell, for each value; no code of the caller's runs under
/// it. The drop of the cell and the end of a thread do not wait for each other's destructors: when one
/// returns, a destructor that the other has begun may still be running.
///
/// A thread keeps a slot of its table, and a few words besides, for each cell that another thread has
/// dropped, until it makes a value in some cell or ends: one that makes none keeps them. The values are gone.
///
/// # Memory ordering
///
/// Each value belongs to one thread. It is dropped by that thread, or by the one that drops the cell, after
/// all that its thread did to it.
///
/// # Reentrancy and deadlock
///
/// * The initializer may use the cell, also [`with`](Self::with), which runs it again. A value that is there
///   when it returns stays, and the one it has made is dropped.
/// * Inside [`with`](Self::with) the cell may be used by further calls of `with` and by [`get`](Self::get).
///   Calls that would replace or remove the value panic.
/// * Destructors may use any cell. A thread that ends drops its values in the order of the cells' first uses;
///   those that are left can be used meanwhile, and values that destructors make are dropped in a further
///   round. After eight rounds, what a destructor sets once more is left for the cell to drop.
/// * When all that is done the thread has no values any more. What comes even later (destructors of
///   `thread_local!` variables that the thread used before its first `ThreadCell`) learns so from an
///   [`AccessError`].
/// * A destructor that panics at the end of its thread is reported by the panic hook, and the other values
///   are dropped.
///
/// # Panics
///
/// [`with`](Self::with) where there is no value and none can be made, [`set`](Self::set) and
/// [`replace`](Self::replace) where none can be kept, and those two and [`take`](Self::take) inside `with`. A
/// panic of the initializer leaves the cell without a value. If a destructor panics in the drop of the cell,
/// the other values are dropped and the panic goes on.
///
/// # Differences from `std`, `thread_local` and Python
///
/// From [`std::thread::LocalKey`]: an object, which may be dropped before the thread; it may be without a
/// value; and a destructor that panics at the end of its thread does not abort the process. From the
/// `thread_local` crate: values die with their threads, and no thread ever gets another's. From Python's
/// `threading.local`: one value and not a dictionary; an initializer is what `__init__` of a subclass is
/// there. `parking_lot` has none.
///
/// The cell drops values of other threads when it goes, so it is shared between threads if `T: Send`; and a
/// thread may end at any time, so `T: 'static`.
///
/// # Implementation notes
///
/// Each thread has a table from ids of objects, which are never used twice, to its values; each cell a list
/// of all its values, from which the first to end takes them out under a lock. `docs/thread_values.md` has
/// the protocol.
pub struct ThreadCell<T: 'static> {
    slots: Slots<Registry>,
    init: Option<fn() -> T>,
    marker: PhantomData<*mut T>,
}

// SAFETY: values of any thread are dropped in whichever has the cell, hence `T: Send`; a value is lent to
// none but its own thread.
unsafe impl<T: Send> Send for ThreadCell<T> {}
// SAFETY: as above. No thread gets a reference to another's value, so `T: Sync` is not needed.
unsafe impl<T: Send> Sync for ThreadCell<T> {}

impl<T> UnwindSafe for ThreadCell<T> {}
impl<T> RefUnwindSafe for ThreadCell<T> {}
impl<T> Unpin for ThreadCell<T> {}

/// One thread's value.
#[repr(C)]
struct Value<T> {
    /// First, so that its address is the value's.
    links: Links,
    /// How many calls of `with` are using it.
    uses: Cell<usize>,
    value: Data<T>,
}

/// # Safety
///
/// `links` begins a `Value<T>` that came from a box, and whose owner the caller is.
unsafe fn drop_value<T>(links: NonNull<Links>) {
    // SAFETY: this function's contract, and the thread whose value it is is here, or has ended.
    if unsafe { links.cast::<Value<T>>().as_ref() }.uses.get() != 0 {
        // The thread ends inside `with`: by an exit of the process, which runs the thread's destructors.
        // Other threads run on, and may have been lent what `with` lends. So it is left to the process's
        // end.
        return;
    }
    // SAFETY: this function's contract.
    let value = unsafe { Box::from_raw(links.cast::<Value<T>>().as_ptr()) };
    drop(value.value.into_inner());
}

impl<T> ThreadCell<T> {
    const_fn! {
        /// Makes a cell without an initializer: a thread has no value until it [sets](Self::set) one.
        ///
        /// ```
        /// use lockwork::ThreadCell;
        ///
        /// static NAME: ThreadCell<String> = ThreadCell::new();
        /// assert!(!NAME.is_set());
        /// NAME.set("main".to_owned());
        /// assert_eq!(NAME.with(String::len), 4);
        /// ```
        #[must_use]
        pub fn new() -> Self {
            Self { slots: Slots::new(), init: None, marker: PhantomData }
        }
    }

    const_fn! {
        /// Makes a cell whose value is made by `init` for each thread that asks for it first.
        ///
        /// ```
        /// use lockwork::ThreadCell;
        /// use std::cell::RefCell;
        ///
        /// static LINES: ThreadCell<RefCell<Vec<String>>> = ThreadCell::with_init(|| RefCell::new(Vec::new()));
        /// LINES.with(|lines| lines.borrow_mut().push("first".to_owned()));
        /// ```
        #[must_use]
        pub fn with_init(init: fn() -> T) -> Self {
            Self { slots: Slots::new(), init: Some(init), marker: PhantomData }
        }
    }

    /// Runs `f` on the calling thread's value, which the initializer makes if there is none.
    ///
    /// # Panics
    ///
    /// Panics if there is no value and none can be made: see [`try_with`](Self::try_with).
    ///
    /// ```
    /// use lockwork::ThreadCell;
    ///
    /// let cell = ThreadCell::with_init(|| 5);
    /// assert_eq!(cell.with(|value| value + 1), 6);
    /// ```
    #[track_caller]
    #[inline]
    pub fn with<R>(&self, f: impl FnOnce(&T) -> R) -> R {
        match self.try_with(f) {
            Ok(result) => result,
            Err(error) => panic!("ThreadCell::with: {error}"),
        }
    }

    /// Runs `f` on the calling thread's value, which the initializer makes if there is none.
    ///
    /// # Errors
    ///
    /// Fails, without running `f`, if there is no value and none can be made: the cell has no initializer and
    /// nothing was [set](Self::set), or the thread is ending and its values are gone.
    ///
    /// ```
    /// use lockwork::{AccessError, ThreadCell};
    ///
    /// let cell = ThreadCell::new();
    /// assert_eq!(cell.try_with(|&value: &i32| value), Err(AccessError));
    /// cell.set(1);
    /// assert_eq!(cell.try_with(|&value| value), Ok(1));
    /// ```
    #[inline]
    pub fn try_with<R>(&self, f: impl FnOnce(&T) -> R) -> Result<R, AccessError> {
        /// Ends a use, also by a panic.
        struct Use<'a> {
            uses: &'a Cell<usize>,
            access: ReadAccess,
        }
        impl Drop for Use<'_> {
            #[inline]
            fn drop(&mut self) {
                self.access.end();
                self.uses.set(self.uses.get() - 1);
            }
        }

        let value = match self.find() {
            Some(value) => value,
            None => self.make()?,
        };
        value.uses.set(value.uses.get() + 1);
        let _use = Use { uses: &value.uses, access: value.value.read() };
        // SAFETY: it is there until this thread removes it, which it refuses while `uses` is not 0, or ends,
        // or the cell goes, which is borrowed. No thread borrows it exclusively for the same reasons.
        Ok(f(unsafe { &*value.value.as_ptr() }))
    }

    /// Gives the calling thread this value, and drops the one it had. Runs no initializer.
    ///
    /// # Panics
    ///
    /// Panics inside [`with`](Self::with), and if the thread is ending and its values are gone.
    #[track_caller]
    pub fn set(&self, value: T) {
        drop(self.put("ThreadCell::set", value));
    }

    /// Gives the calling thread this value, and returns the one it had. Runs no initializer.
    ///
    /// # Panics
    ///
    /// Panics inside [`with`](Self::with), and if the thread is ending and its values are gone.
    ///
    /// ```
    /// use lockwork::ThreadCell;
    ///
    /// let cell = ThreadCell::new();
    /// assert_eq!(cell.replace('a'), None);
    /// assert_eq!(cell.replace('b'), Some('a'));
    /// ```
    #[track_caller]
    pub fn replace(&self, value: T) -> Option<T> {
        self.put("ThreadCell::replace", value)
    }

    /// Takes the calling thread's value, and leaves none. Runs no initializer.
    ///
    /// # Panics
    ///
    /// Panics inside [`with`](Self::with).
    ///
    /// ```
    /// use lockwork::ThreadCell;
    ///
    /// let cell = ThreadCell::with_init(|| 1);
    /// assert_eq!(cell.take(), None, "no thread has asked for it");
    /// cell.set(2);
    /// assert_eq!(cell.take(), Some(2));
    /// assert_eq!(cell.with(|&value| value), 1);
    /// ```
    #[track_caller]
    pub fn take(&self) -> Option<T> {
        let uses = &self.find()?.uses;
        assert!(uses.get() == 0, "ThreadCell::take: the value is in use by `with` in this thread");
        let value = self.slots.remove()?.cast::<Value<T>>();
        let values = self.slots.owner()?;
        // SAFETY: this thread's table had it, so this thread has linked it and not unlinked it since.
        let open = unsafe { values.unlink(value.cast()) };
        debug_assert!(open, "the cell is borrowed");
        // SAFETY: it is in no list and in no table any more, and it came from a box.
        let value = unsafe { Box::from_raw(value.as_ptr()) };
        Some(value.value.into_inner())
    }

    /// Returns a copy of the calling thread's value, if it has one. Runs no initializer.
    ///
    /// ```
    /// use lockwork::ThreadCell;
    ///
    /// let depth = ThreadCell::new();
    /// assert_eq!(depth.get(), None);
    /// depth.set(3);
    /// assert_eq!(depth.get(), Some(3));
    /// ```
    #[must_use]
    #[inline]
    pub fn get(&self) -> Option<T>
    where
        T: Copy,
    {
        let value = self.find()?;
        let _access = value.value.read();
        // SAFETY: as in `try_with`, for the moment of the copy.
        Some(unsafe { *value.value.as_ptr() })
    }

    /// Returns whether the calling thread has a value.
    #[must_use]
    #[inline]
    pub fn is_set(&self) -> bool {
        self.find().is_some()
    }

    #[inline]
    fn find(&self) -> Option<&Value<T>> {
        // SAFETY: what a thread finds under this cell's id was inserted by `insert` below, and is there as
        // long as the cell is borrowed and the thread does not remove it: the thread that does looks at
        // `uses` first, and keeps no reference.
        self.slots.find().map(|value| unsafe { value.cast::<Value<T>>().as_ref() })
    }

    #[cold]
    fn make(&self) -> Result<&Value<T>, AccessError> {
        if Slots::<Registry>::is_gone() {
            return Err(AccessError);
        }
        let value = self.init.ok_or(AccessError)?();
        // The initializer may have set one: then what it returned is dropped before that is looked for,
        // because its destructor may do anything to the cell, and take the one that was set.
        if self.find().is_some() {
            drop(value);
        } else {
            self.insert(value).map_err(|_| AccessError)?;
        }
        self.find().ok_or(AccessError)
    }

    #[track_caller]
    fn put(&self, call: &str, value: T) -> Option<T> {
        if let Some(old) = self.find() {
            assert!(old.uses.get() == 0, "{call}: the value is in use by `with` in this thread");
            let mut access = old.value.write();
            // SAFETY: this thread's, and no `with` has a reference to it.
            let old = mem::replace(unsafe { &mut *old.value.as_ptr() }, value);
            access.end();
            return Some(old);
        }
        if self.insert(value).is_err() {
            panic!("{call}: {AccessError}");
        }
        None
    }

    /// Inserts the value of a thread that has none yet. Gives it back if it cannot be kept.
    fn insert(&self, value: T) -> Result<(), T> {
        if self.slots.reserve().is_err() {
            return Err(value);
        }
        // SAFETY: what is linked comes from the box below, and has this type; `T` is `Send`, or the cell is
        // in one thread without end.
        let (share, _) = self.slots.share(|| unsafe { Registry::new(drop_value::<T>) });
        let value = Value { links: Links::new(), uses: Cell::new(0), value: Data::new(value) };
        let value = NonNull::from(Box::leak(Box::new(value)));
        // SAFETY: just made, and the cell is borrowed.
        unsafe { share.owner().link(value.cast()) };
        self.slots.insert(value.cast(), share);
        Ok(())
    }
}

impl<T> Drop for ThreadCell<T> {
    fn drop(&mut self) {
        if let Some(values) = self.slots.owner() {
            values.close();
        }
    }
}

impl<T> Default for ThreadCell<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows the calling thread's value.
impl<T: fmt::Debug> fmt::Debug for ThreadCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ThreadCell");
        if self.is_set() {
            let _ = self.try_with(|value| _ = shown.field("value", value));
        }
        shown.finish_non_exhaustive()
    }
}

/// The calling thread has no value of a [`ThreadCell`], and none can be made: the cell has no initializer and
/// nothing was set, or the thread is ending and its values are gone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AccessError;

/// Shows why, for `unwrap`.
impl fmt::Debug for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccessError({self})")
    }
}

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this thread has no value: none was set and no initializer left one, or the thread is ending",
        )
    }
}

impl Error for AccessError {}
