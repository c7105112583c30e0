//! [`Condvar`].

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::{Duration, Instant};

use crate::facade::{Deadline, const_fn};
use crate::guard::{Access, Guard, Mode as GuardMode, Whole};
use crate::mutex::{Exclusive, MutexGuard};
use crate::observe::{Call, Held, Identity, Kind, Mode};
use crate::raw::condvar::RawCondvar;
use crate::raw::mutex::RawMutex;

/// A condition variable: threads wait, without the lock, for others to change what a [`Mutex`](crate::Mutex)
/// guards.
///
/// Use it when a thread can go on only once the guarded value has become something: a queue non-empty, a
/// counter zero. For a flag that has no other data beside it an [`Event`](crate::Event) is simpler.
///
/// # Examples
///
/// ```
/// use lockwork::{Condvar, Mutex};
/// use std::thread;
///
/// static READY: Mutex<bool> = Mutex::new(false);
/// static CHANGED: Condvar = Condvar::new();
///
/// thread::spawn(|| {
///     *READY.lock() = true;
///     CHANGED.notify_one();
/// });
/// let mut ready = READY.lock();
/// CHANGED.wait_while(&mut ready, |ready| !*ready);
/// assert!(*ready);
/// ```
///
/// Waiting for work with a time-out, in a loop that tests what it waits for (`wait_while_for` is that loop):
///
/// ```
/// use lockwork::{Condvar, Mutex};
/// use std::time::{Duration, Instant};
///
/// let (jobs, added) = (Mutex::new(Vec::<u32>::new()), Condvar::new());
/// let deadline = Instant::now() + Duration::from_millis(10);
///
/// let mut queue = jobs.lock();
/// while queue.is_empty() {
///     if added.wait_until(&mut queue, deadline).timed_out() {
///         break;
///     }
/// }
/// assert!(queue.is_empty(), "no thread added a job");
/// ```
///
/// # Blocking
///
/// A wait queues, unlocks the mutex, spins briefly and [parks](crate#how-a-thread-waits). A notification
/// moves the waiter to the queue of its mutex, so that it wakes up when it can lock, not before. If the mutex
/// is free, a bounded number of waiters is woken at once; if the caller holds it, none is. So a `notify_all`
/// does not send all waiters after one lock: there is no thundering herd.
///
/// # Fairness
///
/// First in, first out, with Mesa semantics: a notification goes to the thread that has waited longest. Of
/// those that one call notifies, the ones that are woken at once for a free mutex compete for it. Once
/// notified, a thread locks by the rules of [`Mutex`](crate::Mutex#fairness), so another may lock first and
/// change the value back: test what you wait for in a loop, or let `wait_while` do it.
///
/// # Memory ordering
///
/// None of its own: what a notifier did before it unlocked the mutex happens before the wait returns with it
/// locked.
///
/// # Reentrancy and deadlock
///
/// A notification that comes while no thread waits is lost. Change the value under the mutex, and the loop
/// above cannot miss it.
///
/// # Panics
///
/// If the predicate of a `wait_while` panics, the guard is locked, as it is whenever the predicate runs.
///
/// # Differences from `std` and `parking_lot`
///
/// From [`std::sync::Condvar`]: no spurious wake-ups; waits borrow the guard instead of taking it;
/// `notify_all` returns how many threads it notified, and `notify_one` whether there was one;
/// [`notify_many`](Self::notify_many). From
/// `parking_lot::Condvar`: waiters with different mutexes may wait at the same time.
///
/// As there, it takes no guard of an [`RwLock`](crate::RwLock), nor a mapped one: what is waited for belongs
/// under a mutex, or into an [`Event`](crate::Event). With the feature `lock_api` it takes the guards of a
/// `lock_api::Mutex<RawMutex, T>`, too.
///
/// # Implementation notes
///
/// One word, which is a queue of waiters on their stacks. With no thread waiting, a notification is a load
/// and a branch.
pub struct Condvar {
    raw: RawCondvar,
    identity: Identity,
}

impl UnwindSafe for Condvar {}
impl RefUnwindSafe for Condvar {}

/// Tells whether a timed wait ended because its time was up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a wait that timed out was not notified"]
pub struct WaitTimeoutResult(pub(crate) bool);

impl WaitTimeoutResult {
    /// Returns whether the time was up before a notification came (or, of a `wait_while`, before the
    /// condition changed).
    #[must_use]
    pub const fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    const_fn! {
        /// Makes a condition variable for which no thread waits.
        #[must_use]
        #[inline]
        pub fn new() -> Self {
            Self { raw: RawCondvar::new(), identity: Identity::NONE }
        }
    }

    const_fn! {
        /// Makes one with a name, under which [diagnosis](crate#diagnosis) shows it.
        #[must_use]
        #[inline]
        pub fn named(name: &'static str) -> Self {
            Self { raw: RawCondvar::new(), identity: Identity::named(name) }
        }
    }

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn call(&self) -> Call<'_> {
        Call::new(Kind::Condvar, Mode::Wait, &self.identity)
    }

    /// Unlocks, waits for a notification, and locks again.
    ///
    /// Returns only because of a notification. Another thread may have locked in between, so test what you
    /// wait for.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn wait<G: CondvarGuard>(&self, guard: &mut G) {
        self.wait_deadline(guard, &Deadline::NEVER.of_call(&self.call()));
    }

    /// Blocks as [`wait`](Self::wait) does, for `timeout` at most. [`Duration::MAX`] waits indefinitely;
    /// [`Duration::ZERO`] gives others the lock for a moment.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// Locking again is not timed: the call returns once the mutex is locked again.
    ///
    /// ```
    /// use lockwork::{Condvar, Mutex};
    /// use std::time::Duration;
    ///
    /// let (mutex, condvar) = (Mutex::new(()), Condvar::new());
    /// assert!(condvar.wait_for(&mut mutex.lock(), Duration::from_millis(1)).timed_out());
    /// ```
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn wait_for<G: CondvarGuard>(&self, guard: &mut G, timeout: Duration) -> WaitTimeoutResult {
        WaitTimeoutResult(!self.wait_deadline(guard, &Deadline::after(timeout).of_call(&self.call())))
    }

    /// Blocks as [`wait`](Self::wait) does, until `deadline` at most. See [`wait_for`](Self::wait_for).
    ///
    /// See [time limits](crate#time-limits).
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn wait_until<G: CondvarGuard>(&self, guard: &mut G, deadline: Instant) -> WaitTimeoutResult {
        WaitTimeoutResult(!self.wait_deadline(guard, &Deadline::at(deadline).of_call(&self.call())))
    }

    /// Blocks for as long as `condition` holds. Does not block at all if it does not hold to begin with.
    ///
    /// ```
    /// use lockwork::{Condvar, Mutex};
    ///
    /// let (mutex, condvar) = (Mutex::new(3), Condvar::new());
    /// condvar.wait_while(&mut mutex.lock(), |left| *left == 0);
    /// ```
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn wait_while<G, F>(&self, guard: &mut G, condition: F)
    where
        G: CondvarGuard,
        F: FnMut(&mut G::Value) -> bool,
    {
        let _ = self.wait_while_deadline(guard, condition, &Deadline::NEVER.of_call(&self.call()));
    }

    /// Blocks as [`wait_while`](Self::wait_while) does, for `timeout` at most. Timed out means that the
    /// condition still held when the time was up: it is tested once more at the end.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// ```
    /// use lockwork::{Condvar, Mutex};
    /// use std::time::Duration;
    ///
    /// let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    /// let result = condvar.wait_while_for(&mut mutex.lock(), |left| *left == 0, Duration::from_millis(1));
    /// assert!(result.timed_out());
    /// ```
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn wait_while_for<G, F>(&self, guard: &mut G, condition: F, timeout: Duration) -> WaitTimeoutResult
    where
        G: CondvarGuard,
        F: FnMut(&mut G::Value) -> bool,
    {
        self.wait_while_deadline(guard, condition, &Deadline::after(timeout).of_call(&self.call()))
    }

    /// Blocks as [`wait_while`](Self::wait_while) does, until `deadline` at most. See
    /// [`wait_while_for`](Self::wait_while_for).
    ///
    /// See [time limits](crate#time-limits).
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn wait_while_until<G, F>(&self, guard: &mut G, condition: F, deadline: Instant) -> WaitTimeoutResult
    where
        G: CondvarGuard,
        F: FnMut(&mut G::Value) -> bool,
    {
        self.wait_while_deadline(guard, condition, &Deadline::at(deadline).of_call(&self.call()))
    }

    /// Notifies the thread that has waited longest. Returns whether there was one.
    ///
    /// May be called with or without the mutex locked. A notification with no thread waiting is not kept.
    ///
    /// ```
    /// assert!(!lockwork::Condvar::new().notify_one());
    /// ```
    ///
    /// A notification counts the waiters, so it needs the queue to itself for a moment: while another thread
    /// queues or leaves, it spins and yields. It never sleeps.
    #[inline]
    pub fn notify_one(&self) -> bool {
        self.raw.notify(1) != 0
    }

    /// Notifies the `n` threads that have waited longest, or as many as there are. Returns how many.
    ///
    /// As [`notify_one`](Self::notify_one) it may spin and yield, and never sleeps.
    #[inline]
    pub fn notify_many(&self, n: usize) -> usize {
        self.raw.notify(n)
    }

    /// Notifies all threads that wait just now. Returns how many.
    ///
    /// As [`notify_one`](Self::notify_one) it may spin and yield, and never sleeps.
    #[inline]
    pub fn notify_all(&self) -> usize {
        self.raw.notify(usize::MAX)
    }

    crate::facade::only! { model:
        pub(crate) fn has_waiters_now(&self) -> bool {
            self.raw.has_waiters_now()
        }
    }

    /// Waits once. Returns whether it was notified.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn wait_deadline<G: CondvarGuard>(&self, guard: &mut G, deadline: &Deadline) -> bool {
        guard.condvar_wait(Waiting { condvar: self, deadline })
    }

    /// Waits once, with a guard of any kind that can give its mutex up. Returns whether it was notified.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn wait_with<P: Whole<Raw = RawMutex>>(
        &self,
        guard: &mut Guard<P, Exclusive>,
        deadline: &Deadline,
    ) -> bool {
        let (access, place, held) = guard.split();
        let call = Guard::<P, Exclusive>::call(place, Exclusive::HOW);
        call.acquiring_again();
        access.end();
        held.release();
        // SAFETY: the guard has the lock, and has it again when the wait returns.
        let notified = unsafe { self.raw.wait(place.raw(), deadline, call) };
        *held = Held::new(call);
        *access = <Exclusive as GuardMode>::Access::begin(place.data());
        notified
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn wait_while_deadline<G: CondvarGuard>(
        &self,
        guard: &mut G,
        mut condition: impl FnMut(&mut G::Value) -> bool,
        deadline: &Deadline,
    ) -> WaitTimeoutResult {
        let mut over = false;
        loop {
            if !condition(guard.condvar_value()) {
                return WaitTimeoutResult(false);
            }
            if over {
                return WaitTimeoutResult(true);
            }
            // The clock is asked even after a notification: if they come faster than any wait lasts, no wait
            // times out.
            over = !self.wait_deadline(guard, deadline) || deadline.has_passed();
        }
    }
}

/// What stands behind [`CondvarGuard`], which no other crate can implement or call.
pub(crate) mod sealed {
    use super::{Call, Condvar, Deadline, Kind, Mode, RawMutex};

    /// Makes a trait one of this crate's own.
    #[allow(unnameable_types, reason = "that is what it is for")]
    pub trait Sealed {}

    /// A wait that is about to begin.
    #[allow(unnameable_types, reason = "as above")]
    #[derive(Debug)]
    pub struct Waiting<'a> {
        pub(crate) condvar: &'a Condvar,
        pub(crate) deadline: &'a Deadline,
    }

    impl Waiting<'_> {
        /// Returns whether it was notified.
        ///
        /// # Safety
        ///
        /// The caller holds `mutex`.
        #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
        #[allow(dead_code, reason = "with the feature `lock_api` only")]
        pub(crate) unsafe fn on(self, mutex: &RawMutex) -> bool {
            let relock = Call::at(Kind::Mutex, Mode::Lock, mutex);
            relock.acquiring_again();
            // SAFETY: this function's contract.
            unsafe { self.condvar.raw.wait(mutex, self.deadline, relock) }
        }
    }
}

use sealed::{Sealed, Waiting};

/// A guard that a [`Condvar`] takes: a [`MutexGuard`], and with the feature `lock_api` a guard of a
/// `lock_api::Mutex<RawMutex, T>`. Sealed: it cannot be implemented elsewhere.
pub trait CondvarGuard: Sealed {
    /// What its mutex guards.
    type Value: ?Sized;

    #[doc(hidden)]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn condvar_wait(&mut self, waiting: Waiting<'_>) -> bool;

    #[doc(hidden)]
    fn condvar_value(&mut self) -> &mut Self::Value;
}

impl<T: ?Sized> Sealed for MutexGuard<'_, T> {}

impl<T: ?Sized> CondvarGuard for MutexGuard<'_, T> {
    type Value = T;

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    #[inline]
    fn condvar_wait(&mut self, waiting: Waiting<'_>) -> bool {
        waiting.condvar.wait_with(&mut self.inner, waiting.deadline)
    }

    #[inline]
    fn condvar_value(&mut self) -> &mut T {
        self
    }
}

impl<G: CondvarGuard> Sealed for &mut G {}

/// For a guard behind a reference, as `Option::as_mut` gives it.
impl<G: CondvarGuard> CondvarGuard for &mut G {
    type Value = G::Value;

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    #[inline]
    fn condvar_wait(&mut self, waiting: Waiting<'_>) -> bool {
        (**self).condvar_wait(waiting)
    }

    #[inline]
    fn condvar_value(&mut self) -> &mut G::Value {
        (**self).condvar_value()
    }
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").finish_non_exhaustive()
    }
}
