//! [`LazyLock`].

use std::fmt;
use std::hint;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::{Duration, Instant};

use super::poisoned;
use crate::facade::{Data, Deadline, TimeLimit, const_fn};
use crate::observe::Call;
use crate::raw::once::{Kind, Passed, RawOnce};

/// A value that is made when it is first used, by the first thread that does; the others wait for it.
///
/// Use it for a static whose value cannot be a constant. Where different places make the value in different
/// ways, or making it can fail, use [`OnceLock`](crate::OnceLock).
///
/// # Examples
///
/// ```
/// use lockwork::LazyLock;
/// use std::{collections::HashMap, thread};
///
/// static CAPITALS: LazyLock<HashMap<&str, &str>> =
///     LazyLock::new(|| HashMap::from([("France", "Paris"), ("Peru", "Lima")]));
///
/// let other = thread::spawn(|| CAPITALS["France"]);
/// assert_eq!(CAPITALS["Peru"], "Lima");
/// assert_eq!(other.join().unwrap(), "Paris");
/// ```
///
/// # Blocking
///
/// A use parks while another thread makes the value. Once the value is there, a use is one atomic load.
///
/// # Fairness
///
/// The first thread that comes runs the function. The others are released together when it has returned or
/// panicked.
///
/// # Memory ordering
///
/// What the function did happens before every use of the value.
///
/// # Reentrancy and deadlock
///
/// A function that uses the value that it makes would wait for itself. That use panics and names the call; if
/// that panic is caught inside the function, the outer call completes. [`get`](Self::get) returns `None`
/// there.
///
/// # Panics
///
/// A function that panics poisons the value: from then on every use panics, but for [`get`](Self::get) and
/// [`get_mut`](Self::get_mut), which return `None`.
///
/// # Differences from `std` and `parking_lot`
///
/// From [`std::sync::LazyLock`]: it has timed waits, a function that uses its own value panics instead of
/// hanging, and it runs in models. `parking_lot` has none.
///
/// # Implementation notes
///
/// The function or the value, beside the word of a [`Once`](crate::Once). The states stand in
/// `src/raw/once.rs`.
#[doc(alias = "Lazy")]
#[doc(alias = "once_cell")]
#[doc(alias = "lazy_static")]
pub struct LazyLock<T, F = fn() -> T> {
    once: RawOnce,
    /// Changed by the thread that is initialising, read by others when that is done.
    data: Data<Content<T, F>>,
}

enum Content<T, F> {
    Function(F),
    Value(T),
    /// The function is running, or has panicked.
    Taken,
}

// SAFETY: it owns a `T` or an `F`, and moves as they do.
unsafe impl<T: Send, F: Send> Send for LazyLock<T, F> {}
// SAFETY: `&LazyLock` gives `&T`; and any thread may run the function, and another drop what it made. No
// thread gets an `&F`.
unsafe impl<T: Sync + Send, F: Send> Sync for LazyLock<T, F> {}

impl<T, F: FnOnce() -> T> LazyLock<T, F> {
    const_fn! {
        /// Makes one whose value `f` will make.
        #[inline]
        pub fn new(f: F) -> Self {
            Self { once: RawOnce::new(), data: Data::new(Content::Function(f)) }
        }
    }

    /// Returns the value; makes it first, or blocks while another thread makes it.
    ///
    /// # Panics
    ///
    /// If the function panics, with its payload; if it has panicked before; and if it is the function that
    /// calls this.
    ///
    /// ```
    /// use lockwork::LazyLock;
    ///
    /// let lazy = LazyLock::new(|| 6 * 7);
    /// assert_eq!(LazyLock::force(&lazy), &42);
    /// ```
    #[inline]
    #[track_caller]
    pub fn force(this: &Self) -> &T {
        if !this.once.is_done() {
            let passed = this.init(&Deadline::NEVER, "LazyLock::force");
            debug_assert_eq!(passed, Passed::Done);
        }
        this.value()
    }

    /// Returns the value, to be changed; makes it first. No locking: it is borrowed exclusively.
    ///
    /// # Panics
    ///
    /// If the function panics, with its payload, or has panicked before.
    ///
    /// ```
    /// use lockwork::LazyLock;
    ///
    /// let mut lazy = LazyLock::new(|| 6 * 7);
    /// *LazyLock::force_mut(&mut lazy) += 1;
    /// assert_eq!(*lazy, 43);
    /// ```
    #[inline]
    #[track_caller]
    pub fn force_mut(this: &mut Self) -> &mut T {
        if !this.once.is_done() {
            let passed = this.init(&Deadline::NEVER, "LazyLock::force_mut");
            debug_assert_eq!(passed, Passed::Done);
        }
        match this.data.get_mut() {
            Content::Value(value) => value,
            Content::Function(_) | Content::Taken => unreachable!("it is done"),
        }
    }

    /// Returns the value, or what would have made it. No locking: it is owned. Not stable in `std` yet.
    ///
    /// # Errors
    ///
    /// Gives the function back if it has not run.
    ///
    /// # Panics
    ///
    /// If the function has panicked.
    ///
    /// ```
    /// use lockwork::LazyLock;
    ///
    /// let lazy = LazyLock::new(|| 6 * 7);
    /// LazyLock::force(&lazy);
    /// assert_eq!(LazyLock::into_inner(lazy).ok(), Some(42));
    /// ```
    #[doc(alias = "into_value")]
    #[track_caller]
    pub fn into_inner(this: Self) -> Result<T, F> {
        match this.data.into_inner() {
            Content::Value(value) => Ok(value),
            Content::Function(f) => Err(f),
            Content::Taken => poisoned("LazyLock::into_inner"),
        }
    }

    /// Returns the value; makes it first if no other thread does, or else waits for that thread, for at most
    /// `timeout`.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// The limit is one on waiting: the function is run to its end however long it takes. [`Duration::ZERO`]
    /// does not wait for another thread, [`Duration::MAX`] waits indefinitely.
    ///
    /// # Panics
    ///
    /// As [`force`](Self::force), at zero too.
    ///
    /// ```
    /// use lockwork::LazyLock;
    /// use std::time::Duration;
    ///
    /// let lazy = LazyLock::new(|| 6 * 7);
    /// assert_eq!(LazyLock::wait_for(&lazy, Duration::from_secs(1)), Some(&42));
    /// ```
    #[inline]
    #[track_caller]
    pub fn wait_for(this: &Self, timeout: Duration) -> Option<&T> {
        this.wait_deadline(TimeLimit::within(timeout, Call::none()), "LazyLock::wait_for")
    }

    /// Returns the value; makes it first if no other thread does, or else waits for that thread, until
    /// `deadline` at most.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Panics
    ///
    /// As [`wait_for`](Self::wait_for).
    #[inline]
    #[track_caller]
    pub fn wait_until(this: &Self, deadline: Instant) -> Option<&T> {
        this.wait_deadline(TimeLimit::until(deadline, Call::none()), "LazyLock::wait_until")
    }

    #[inline]
    #[track_caller]
    fn wait_deadline(&self, limit: TimeLimit<'_>, call: &'static str) -> Option<&T> {
        let there = self.once.is_done() || self.init(&limit.deadline(), call) == Passed::Done;
        if there { Some(self.value()) } else { None }
    }

    /// Makes the value, or waits for the thread that does.
    #[cold]
    #[track_caller]
    fn init(&self, deadline: &Deadline, call: &'static str) -> Passed {
        let mut init = |_| {
            let mut writing = self.data.write();
            // SAFETY: this thread alone is initialising, and no other touches the data before that is done.
            let function = mem::replace(unsafe { &mut *self.data.as_ptr() }, Content::Taken);
            writing.end();
            let Content::Function(function) = function else { unreachable!("the function is run once") };
            let value = function();
            let mut writing = self.data.write();
            // SAFETY: as above.
            unsafe { *self.data.as_ptr() = Content::Value(value) };
            writing.end();
            true
        };
        match self.once.call(Kind::CALL, true, deadline, call, &mut init) {
            Passed::Poisoned => poisoned(call),
            passed => passed,
        }
    }
}

impl<T, F> LazyLock<T, F> {
    /// Returns the value if it is there. Does not block, and does not make it.
    ///
    /// ```
    /// use lockwork::LazyLock;
    ///
    /// let lazy = LazyLock::new(|| 6 * 7);
    /// assert_eq!(LazyLock::get(&lazy), None);
    /// let _ = LazyLock::force(&lazy);
    /// assert_eq!(LazyLock::get(&lazy), Some(&42));
    /// ```
    #[inline]
    pub fn get(this: &Self) -> Option<&T> {
        if this.once.is_done_now() { Some(this.value()) } else { None }
    }

    /// Returns the value if it is there, to be changed. No locking: it is borrowed exclusively.
    #[inline]
    pub fn get_mut(this: &mut Self) -> Option<&mut T> {
        match this.data.get_mut() {
            Content::Value(value) => Some(value),
            Content::Function(_) | Content::Taken => None,
        }
    }

    /// Returns the value, which is there: the caller has found it done, or has made it.
    #[inline]
    fn value(&self) -> &T {
        self.data.read().end();
        // SAFETY: it was written before that was done, which the caller has seen, and is not changed but
        // through `&mut`.
        let Content::Value(value) = (unsafe { &*self.data.as_ptr() }) else {
            // SAFETY: what was written is a value.
            unsafe { hint::unreachable_unchecked() }
        };
        value
    }
}

impl<T, F: FnOnce() -> T> Deref for LazyLock<T, F> {
    type Target = T;

    /// Returns the value as [`force`](LazyLock::force) does.
    #[inline]
    #[track_caller]
    fn deref(&self) -> &T {
        Self::force(self)
    }
}

impl<T, F: FnOnce() -> T> DerefMut for LazyLock<T, F> {
    /// Returns the value as [`force_mut`](LazyLock::force_mut) does.
    #[inline]
    #[track_caller]
    fn deref_mut(&mut self) -> &mut T {
        Self::force_mut(self)
    }
}

impl<T: UnwindSafe, F: UnwindSafe> UnwindSafe for LazyLock<T, F> {}
impl<T: RefUnwindSafe + UnwindSafe, F: UnwindSafe> RefUnwindSafe for LazyLock<T, F> {}

impl<T: Default> Default for LazyLock<T> {
    /// Makes one whose value [`Default::default`] will make.
    fn default() -> Self {
        Self::new(T::default)
    }
}

impl<T: fmt::Debug, F> fmt::Debug for LazyLock<T, F> {
    /// Shows the value, or `<uninit>`. Does not block, and does not make the value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_tuple("LazyLock");
        match Self::get(self) {
            Some(value) => shown.field(value),
            None => shown.field(&format_args!("<uninit>")),
        };
        shown.finish()
    }
}
