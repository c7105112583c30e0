//! [`Once`], [`OnceLock`] and [`LazyLock`].

mod lazy;
mod lock;

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::{Duration, Instant};

use crate::facade::{Deadline, const_fn};
use crate::raw::once::{Kind, Passed, RawOnce, Stage};

pub use self::lazy::LazyLock;
pub use self::lock::OnceLock;

/// Runs a closure once, in the first thread that comes; the others wait until it has returned.
///
/// Use it for something that has to be done once and leaves no value, as initialising a foreign library does.
/// For a value use [`OnceLock`], or [`LazyLock`] where the value is always made in the same way.
///
/// # Examples
///
/// ```
/// use lockwork::{Mutex, Once};
/// use std::thread;
///
/// static PREPARED: Once = Once::new();
/// static LOG: Mutex<Vec<&str>> = Mutex::new(Vec::new());
///
/// thread::scope(|s| {
///     for _ in 0..4 {
///         s.spawn(|| {
///             PREPARED.call_once(|| LOG.lock().push("prepared"));
///             LOG.lock().push("working");
///         });
///     }
/// });
/// let log = LOG.lock();
/// assert_eq!(log[0], "prepared");
/// assert_eq!(log.len(), 5);
/// ```
///
/// # Blocking
///
/// A call parks while another thread runs a closure. Once a closure has returned, every call is one atomic
/// load.
///
/// # Fairness
///
/// First in, first out; all that wait are woken together when the closure has returned.
///
/// # Memory ordering
///
/// What the closure did happens before the return of every call that finds it done. What a closure that
/// panicked did happens before the one that is run by force after it.
///
/// # Reentrancy and deadlock
///
/// A closure that calls or waits for the [`Once`] that is running it would wait for itself. Every such call
/// panics and names itself; if that panic is caught inside the closure, the outer call completes. Two threads
/// whose closures wait for each other's [`Once`] are a deadlock that no call notices.
///
/// # Panics
///
/// A closure that panics poisons the [`Once`]. From then on [`call_once`](Self::call_once),
/// [`wait`](Self::wait) and the timed waits panic, also in threads that are waiting already, until
/// [`call_once_force`](Self::call_once_force) has returned.
///
/// # Differences from `std` and `parking_lot`
///
/// From [`std::sync::Once`]: it has [`state`](Self::state) and timed waits, and a closure that calls its own
/// [`Once`] panics, which `std` documents as a deadlock or a panic. [`OnceState`] is `parking_lot`'s enum,
/// with `std`'s method too. `parking_lot`'s `Once` has no waits, and gives the closure of `call_once_force`
/// the state itself and not a reference to it.
///
/// # Implementation notes
///
/// One word: two bits, and the queue of waiters on their stacks. Each thread lists the closures that it is
/// running, which is how one that waits for itself is noticed. The states stand in `src/raw/once.rs`.
#[doc(alias = "call_once")]
pub struct Once {
    raw: RawOnce,
}

impl Once {
    const_fn! {
        /// Makes one whose closure has not run.
        #[must_use]
        #[inline]
        pub fn new() -> Self {
            Self { raw: RawOnce::new() }
        }
    }

    /// Runs `f` if no closure has returned yet, or blocks until the one that another thread is running has.
    /// When this returns a closure has returned.
    ///
    /// # Panics
    ///
    /// If `f` panics, with its payload; if another closure has panicked or does while this waits; and if it
    /// is called by the closure that this [`Once`] is running.
    ///
    /// ```
    /// let once = lockwork::Once::new();
    /// let mut runs = 0;
    /// once.call_once(|| runs += 1);
    /// once.call_once(|| unreachable!("done already"));
    /// assert_eq!(runs, 1);
    /// ```
    #[inline]
    #[track_caller]
    pub fn call_once<F: FnOnce()>(&self, f: F) {
        if !self.raw.is_done() {
            self.call(Kind::CALL, "Once::call_once", |_| f());
        }
    }

    /// Does the same as [`call_once`](Self::call_once), but runs `f` even if another closure has panicked.
    /// `f` learns so from its argument, which is [`OnceState::New`] or [`OnceState::Poisoned`].
    ///
    /// # Panics
    ///
    /// If `f` panics, with its payload; and if it is called by the closure that this [`Once`] is running.
    ///
    /// ```
    /// use lockwork::Once;
    /// use std::panic;
    ///
    /// let once = Once::new();
    /// let result = panic::catch_unwind(|| once.call_once(|| panic!("half way")));
    /// assert!(result.is_err());
    /// once.call_once_force(|state| assert!(state.is_poisoned()));
    /// once.call_once(|| unreachable!("done by force"));
    /// ```
    #[inline]
    #[track_caller]
    pub fn call_once_force<F: FnOnce(&OnceState)>(&self, f: F) {
        if !self.raw.is_done() {
            self.call(Kind::CALL_FORCE, "Once::call_once_force", f);
        }
    }

    /// Returns whether a closure has returned. Does not block: false says nothing about the next moment.
    #[must_use]
    #[inline]
    pub fn is_completed(&self) -> bool {
        self.raw.is_done_now()
    }

    /// Returns how far it is. Does not block: only [`OnceState::Done`] is sure to stay.
    ///
    /// ```
    /// use lockwork::{Once, OnceState};
    ///
    /// let once = Once::new();
    /// assert_eq!(once.state(), OnceState::New);
    /// once.call_once(|| assert_eq!(once.state(), OnceState::InProgress));
    /// assert_eq!(once.state(), OnceState::Done);
    /// ```
    #[must_use]
    #[inline]
    pub fn state(&self) -> OnceState {
        OnceState::of(self.raw.stage())
    }

    /// Blocks until a closure has returned, also if none has begun.
    ///
    /// # Panics
    ///
    /// If a closure has panicked or does while this waits, and if it is called by the closure that this
    /// [`Once`] is running.
    ///
    /// ```
    /// use lockwork::Once;
    /// use std::thread;
    ///
    /// static READY: Once = Once::new();
    ///
    /// let waiting = thread::spawn(|| READY.wait());
    /// READY.call_once(|| {});
    /// waiting.join().unwrap();
    /// ```
    #[inline]
    #[track_caller]
    pub fn wait(&self) {
        if !self.raw.is_done() {
            self.wait_slow(Kind::WAIT, &Deadline::NEVER, "Once::wait");
        }
    }

    /// Blocks until a closure has returned, however many have panicked before.
    ///
    /// # Panics
    ///
    /// If it is called by the closure that this [`Once`] is running.
    #[inline]
    #[track_caller]
    pub fn wait_force(&self) {
        if !self.raw.is_done() {
            self.wait_slow(Kind::WAIT_FORCE, &Deadline::NEVER, "Once::wait_force");
        }
    }

    /// Blocks until a closure has returned, for at most `timeout`. Returns whether one has.
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
    /// let once = lockwork::Once::new();
    /// assert!(!once.wait_for(Duration::from_millis(1)));
    /// once.call_once(|| {});
    /// assert!(once.wait_for(Duration::ZERO));
    /// ```
    #[inline]
    #[track_caller]
    pub fn wait_for(&self, timeout: Duration) -> bool {
        self.raw.is_done() || self.wait_slow(Kind::WAIT, &Deadline::after(timeout), "Once::wait_for")
    }

    /// Blocks until a closure has returned, until `deadline` at most. Returns whether one has.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Panics
    ///
    /// As [`wait_for`](Self::wait_for).
    #[inline]
    #[track_caller]
    pub fn wait_until(&self, deadline: Instant) -> bool {
        self.raw.is_done() || self.wait_slow(Kind::WAIT, &Deadline::at(deadline), "Once::wait_until")
    }

    crate::facade::only! { model:
        pub(crate) fn has_waiters_now(&self) -> bool {
            self.raw.has_waiters_now()
        }
    }

    #[track_caller]
    fn call(&self, kind: Kind, call: &'static str, f: impl FnOnce(&OnceState)) {
        let mut f = Some(f);
        let mut init = |stage| {
            let f = f.take().expect("an initialiser is run once");
            f(&OnceState::of(stage));
            true
        };
        match self.raw.call(kind, true, &Deadline::NEVER, call, &mut init) {
            Passed::Poisoned => poisoned(call),
            Passed::Done | Passed::Failed | Passed::TimedOut => {}
        }
    }

    #[track_caller]
    fn wait_slow(&self, kind: Kind, deadline: &Deadline, call: &'static str) -> bool {
        match self.raw.wait(kind, deadline, call) {
            Passed::Poisoned => poisoned(call),
            passed => passed == Passed::Done,
        }
    }
}

/// How far a [`Once`] is: returned by [`Once::state`], and given to the closure of [`Once::call_once_force`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnceState {
    /// No closure has begun.
    New,
    /// A closure is running.
    InProgress,
    /// A closure has panicked, and none has been run by force since.
    Poisoned,
    /// A closure has returned.
    Done,
}

impl OnceState {
    /// Returns whether a closure has panicked and none has been run by force since.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        matches!(self, Self::Poisoned)
    }

    /// Returns the same as [`is_poisoned`](Self::is_poisoned), under `parking_lot`'s name.
    #[must_use]
    pub fn poisoned(self) -> bool {
        self.is_poisoned()
    }

    /// Returns whether a closure has returned.
    ///
    /// ```
    /// let once = lockwork::Once::new();
    /// once.call_once_force(|state| assert!(!state.poisoned() && !state.done()));
    /// assert!(once.state().done());
    /// ```
    #[must_use]
    pub fn done(self) -> bool {
        matches!(self, Self::Done)
    }

    fn of(stage: Stage) -> Self {
        match stage {
            Stage::New => Self::New,
            Stage::Running => Self::InProgress,
            Stage::Poisoned => Self::Poisoned,
            Stage::Done => Self::Done,
        }
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn poisoned(call: &str) -> ! {
    panic!("{call}: poisoned, because an earlier initialisation has panicked")
}

impl UnwindSafe for Once {}
impl RefUnwindSafe for Once {}

impl Default for Once {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").field("state", &self.state()).finish()
    }
}
