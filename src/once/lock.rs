//! [`OnceLock`].

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::{Duration, Instant};

use crate::facade::{Data, Deadline, TimeLimit, const_fn};
use crate::observe::Call;
use crate::raw::once::{Kind, Passed, RawOnce};

/// A cell that is written once and read by any number of threads from then on.
///
/// Use it for a value that is made late and then never changes. Where it is always made in the same way,
/// [`LazyLock`] has the function beside it; for a value that changes use a [`Mutex`](crate::Mutex) or an
/// [`RwLock`](crate::RwLock).
///
/// # Examples
///
/// ```
/// use lockwork::OnceLock;
/// use std::thread;
///
/// static CONFIG: OnceLock<Vec<String>> = OnceLock::new();
///
/// fn config() -> &'static [String] {
///     CONFIG.get_or_init(|| vec!["verbose".to_owned()]) // in one thread; the others wait for it
/// }
///
/// let other = thread::spawn(|| config().len());
/// assert_eq!(config(), ["verbose"]);
/// assert_eq!(other.join().unwrap(), 1);
/// ```
///
/// A value that another thread is to bring, waited for with a limit:
///
/// ```
/// use lockwork::OnceLock;
/// use std::{thread, time::Duration};
///
/// static ADDRESS: OnceLock<String> = OnceLock::new();
///
/// thread::spawn(|| ADDRESS.set("[::1]:8080".to_owned()));
/// match ADDRESS.wait_for(Duration::from_secs(10)) {
///     Some(address) => assert_eq!(address, "[::1]:8080"),
///     None => panic!("the server has not started for ten seconds"),
/// }
/// ```
///
/// # Blocking
///
/// A call parks while another thread makes the value. Once the value is there, every call is one atomic load.
///
/// # Fairness
///
/// First in, first out. If making the value fails or panics, the thread that has waited longest to make it
/// tries next.
///
/// # Memory ordering
///
/// What the thread that wrote the value did before happens before the return of every call that returns the
/// value. What a failed initialisation did happens before the next.
///
/// # Reentrancy and deadlock
///
/// A closure that calls [`get_or_init`](Self::get_or_init), [`get_or_try_init`](Self::get_or_try_init),
/// [`set`](Self::set) or a wait of the cell for which it makes the value would wait for itself. Every such
/// call panics and names itself; if that panic is caught inside the closure, the outer call completes.
/// [`get`](Self::get) returns `None` there. Closures that ask the next cell are [nested
/// calls](crate::guide::limits#chains-and-nests-and-the-stack), each of which needs stack.
///
/// # Panics
///
/// Never because another thread has panicked: the cell is not poisoned.
///
/// # Differences from `std` and `parking_lot`
///
/// From [`std::sync::OnceLock`]: it has timed waits, [`get_or_try_init`](Self::get_or_try_init) and
/// [`try_insert`](Self::try_insert) are here, a closure that calls its own cell panics instead of hanging,
/// and the cell runs in models. It is larger by the tag of an `Option` of types that have no spare values, as
/// `once_cell::sync::OnceCell` is. `parking_lot` has none.
///
/// # Implementation notes
///
/// An `Option` beside the word of a [`Once`](crate::Once). The states stand in `src/raw/once.rs`.
///
/// [`LazyLock`]: crate::LazyLock
#[doc(alias = "OnceCell")]
#[doc(alias = "once_cell")]
#[doc(alias = "SetOnce")]
pub struct OnceLock<T> {
    once: RawOnce,
    /// Written by the thread that is initialising, read by others when that is done. An `Option`, and no bare
    /// memory with a `Drop`, so that a value may refer to what is dropped before the cell.
    value: Data<Option<T>>,
}

// SAFETY: it owns a `T`, and moves as that does.
unsafe impl<T: Send> Send for OnceLock<T> {}
// SAFETY: `&OnceLock` gives `&T`, and takes a `T` from one thread that another may drop.
unsafe impl<T: Sync + Send> Sync for OnceLock<T> {}

impl<T> OnceLock<T> {
    const_fn! {
        /// Makes an empty cell.
        #[must_use]
        #[inline]
        pub fn new() -> Self {
            Self { once: RawOnce::new(), value: Data::new(None) }
        }
    }

    /// Returns the value if it is there. Does not block.
    ///
    /// ```
    /// let cell = lockwork::OnceLock::new();
    /// assert_eq!(cell.get(), None);
    /// cell.set(1).unwrap();
    /// assert_eq!(cell.get(), Some(&1));
    /// ```
    #[inline]
    pub fn get(&self) -> Option<&T> {
        if self.once.is_done_now() { Some(self.value()) } else { None }
    }

    /// Returns the value if it is there, to be changed. No locking: the cell is borrowed exclusively.
    #[inline]
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut().as_mut()
    }

    /// Writes the value if the cell is empty. Blocks while another thread makes one.
    ///
    /// # Errors
    ///
    /// Gives `value` back if there is one already.
    ///
    /// # Panics
    ///
    /// If it is called by a closure that makes the value of this cell.
    ///
    /// ```
    /// let cell = lockwork::OnceLock::new();
    /// assert_eq!(cell.set(1), Ok(()));
    /// assert_eq!(cell.set(2), Err(2));
    /// assert_eq!(cell.get(), Some(&1));
    /// ```
    #[inline]
    #[track_caller]
    pub fn set(&self, value: T) -> Result<(), T> {
        self.insert(value, "OnceLock::set").map(drop).map_err(|(_, value)| value)
    }

    /// Writes the value if the cell is empty, and returns a reference to it. Blocks while another thread
    /// makes one. Not stable in `std` yet.
    ///
    /// # Errors
    ///
    /// If there is a value already, with a reference to it and `value`.
    ///
    /// # Panics
    ///
    /// As [`set`](Self::set).
    ///
    /// ```
    /// let cell = lockwork::OnceLock::new();
    /// assert_eq!(cell.try_insert(1), Ok(&1));
    /// assert_eq!(cell.try_insert(2), Err((&1, 2)));
    /// ```
    #[inline]
    #[track_caller]
    pub fn try_insert(&self, value: T) -> Result<&T, (&T, T)> {
        self.insert(value, "OnceLock::try_insert")
    }

    /// Returns the value; if there is none, makes it by `f`, or blocks while another thread makes one.
    ///
    /// # Panics
    ///
    /// If `f` panics, with its payload, and the cell stays empty; and if it is called by a closure that makes
    /// the value of this cell.
    ///
    /// ```
    /// let cell = lockwork::OnceLock::new();
    /// assert_eq!(cell.get_or_init(|| 1), &1);
    /// assert_eq!(cell.get_or_init(|| unreachable!("there already")), &1);
    /// ```
    #[inline]
    #[track_caller]
    pub fn get_or_init<F: FnOnce() -> T>(&self, f: F) -> &T {
        if !self.once.is_done() {
            let mut f = Some(f);
            let passed = self.init("OnceLock::get_or_init", || f.take().map(|f| f()));
            debug_assert_eq!(passed, Passed::Done);
        }
        self.value()
    }

    /// Returns the value; if there is none, makes it by `f`, or blocks while another thread makes one. If `f`
    /// fails the cell stays empty, and the thread that has waited longest tries next. Not stable in `std`
    /// yet.
    ///
    /// # Errors
    ///
    /// Those of `f`.
    ///
    /// # Panics
    ///
    /// As [`get_or_init`](Self::get_or_init).
    ///
    /// ```
    /// let cell = lockwork::OnceLock::new();
    /// assert!(cell.get_or_try_init(|| "x".parse::<u32>()).is_err());
    /// assert_eq!(cell.get_or_try_init(|| "7".parse::<u32>()), Ok(&7));
    /// assert_eq!(cell.get(), Some(&7));
    /// ```
    #[inline]
    #[track_caller]
    pub fn get_or_try_init<F, E>(&self, f: F) -> Result<&T, E>
    where
        F: FnOnce() -> Result<T, E>,
    {
        if !self.once.is_done() {
            let mut f = Some(f);
            let mut error = None;
            let passed = self.init("OnceLock::get_or_try_init", || match f.take()?() {
                Ok(value) => Some(value),
                Err(failure) => {
                    error = Some(failure);
                    None
                }
            });
            if let Some(error) = error {
                return Err(error);
            }
            debug_assert_eq!(passed, Passed::Done);
        }
        Ok(self.value())
    }

    /// Returns the value, if there was one. No locking: the cell is owned.
    #[inline]
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// Takes the value out, and leaves the cell empty. No locking: the cell is borrowed exclusively.
    ///
    /// ```
    /// let mut cell = lockwork::OnceLock::from(1);
    /// assert_eq!(cell.take(), Some(1));
    /// assert_eq!(cell.get(), None);
    /// cell.set(2).unwrap();
    /// ```
    #[inline]
    pub fn take(&mut self) -> Option<T> {
        std::mem::take(self).into_inner()
    }

    /// Blocks until the value is there, and never makes it.
    ///
    /// # Panics
    ///
    /// If it is called by a closure that makes the value of this cell.
    ///
    /// ```
    /// use lockwork::OnceLock;
    /// use std::thread;
    ///
    /// static NAME: OnceLock<&str> = OnceLock::new();
    ///
    /// let waiting = thread::spawn(|| NAME.wait().len());
    /// NAME.set("ada").unwrap();
    /// assert_eq!(waiting.join().unwrap(), 3);
    /// ```
    #[inline]
    #[track_caller]
    pub fn wait(&self) -> &T {
        if !self.once.is_done() {
            let passed = self.once.wait(Kind::WAIT_FORCE, &Deadline::NEVER, "OnceLock::wait");
            debug_assert_eq!(passed, Passed::Done);
        }
        self.value()
    }

    /// Blocks until the value is there, for at most `timeout`, and never makes it.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait), at zero too.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let cell = lockwork::OnceLock::new();
    /// assert_eq!(cell.wait_for(Duration::from_millis(1)), None);
    /// cell.set(1).unwrap();
    /// assert_eq!(cell.wait_for(Duration::ZERO), Some(&1));
    /// ```
    #[inline]
    #[track_caller]
    pub fn wait_for(&self, timeout: Duration) -> Option<&T> {
        self.wait_deadline(TimeLimit::within(timeout, Call::none()), "OnceLock::wait_for")
    }

    /// Blocks until the value is there, until `deadline` at most, and never makes it.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Panics
    ///
    /// As [`wait_for`](Self::wait_for).
    #[inline]
    #[track_caller]
    pub fn wait_until(&self, deadline: Instant) -> Option<&T> {
        self.wait_deadline(TimeLimit::until(deadline, Call::none()), "OnceLock::wait_until")
    }

    crate::facade::only! { model:
        pub(crate) fn has_waiters_now(&self) -> bool {
            self.once.has_waiters_now()
        }
    }

    #[inline]
    #[track_caller]
    fn wait_deadline(&self, limit: TimeLimit<'_>, call: &'static str) -> Option<&T> {
        let there =
            self.once.is_done() || self.once.wait(Kind::WAIT_FORCE, &limit.deadline(), call) == Passed::Done;
        if there { Some(self.value()) } else { None }
    }

    #[inline]
    #[track_caller]
    fn insert(&self, value: T, call: &'static str) -> Result<&T, (&T, T)> {
        let mut value = Some(value);
        if !self.once.is_done() {
            let passed = self.init(call, || value.take());
            debug_assert_eq!(passed, Passed::Done);
        }
        match value {
            None => Ok(self.value()),
            Some(value) => Err((self.value(), value)),
        }
    }

    /// Makes the value by `make`, unless it fails, or waits for the thread that does.
    #[cold]
    #[track_caller]
    fn init(&self, call: &'static str, mut make: impl FnMut() -> Option<T>) -> Passed {
        let mut init = |_| match make() {
            Some(value) => {
                let mut writing = self.value.write();
                // SAFETY: this thread alone is initialising, and no other touches the value before that is
                // done.
                unsafe { *self.value.as_ptr() = Some(value) };
                writing.end();
                true
            }
            None => false,
        };
        self.once.call(Kind::CALL_FORCE, false, &Deadline::NEVER, call, &mut init)
    }

    /// Returns the value, which is there: the caller has found it done, or has made it.
    #[inline]
    fn value(&self) -> &T {
        self.value.read().end();
        // SAFETY: it was written before that was done, which the caller has seen, and is not changed but
        // through `&mut`.
        let value = unsafe { &*self.value.as_ptr() };
        // SAFETY: what was written is a value.
        unsafe { value.as_ref().unwrap_unchecked() }
    }
}

impl<T: UnwindSafe> UnwindSafe for OnceLock<T> {}
// A reference to it may be used to write a value or to read one.
impl<T: RefUnwindSafe + UnwindSafe> RefUnwindSafe for OnceLock<T> {}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> From<T> for OnceLock<T> {
    /// Makes a cell that has its value.
    fn from(value: T) -> Self {
        let cell = Self::new();
        match cell.set(value) {
            Ok(()) => cell,
            Err(_) => unreachable!("no other thread knows the cell"),
        }
    }
}

impl<T: Clone> Clone for OnceLock<T> {
    /// Makes a cell with a clone of the value, or an empty one. Does not block.
    fn clone(&self) -> Self {
        self.get().map_or_else(Self::new, |value| Self::from(value.clone()))
    }
}

impl<T: PartialEq> PartialEq for OnceLock<T> {
    /// Compares the values that are there. Does not block.
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for OnceLock<T> {}

impl<T: fmt::Debug> fmt::Debug for OnceLock<T> {
    /// Shows the value, or `<uninit>`. Does not block.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_tuple("OnceLock");
        match self.get() {
            Some(value) => shown.field(value),
            None => shown.field(&format_args!("<uninit>")),
        };
        shown.finish()
    }
}
