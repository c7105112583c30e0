//! [`Mutex`] and its guards.

mod guards;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) use self::guards::Exclusive;
pub use self::guards::{ArcMutexGuard, MappedMutexGuard, MutexGuard};
use crate::facade::{Data, Deadline, TimeLimit, const_fn};
use crate::guard::{Guard, owns_value};
use crate::observe::{self, Call, Identity, Kind, Mode as How};
use crate::raw::mutex::RawMutex;

/// A mutual exclusion lock that owns the value it guards.
///
/// Use it when several threads change one value and each change is short. Where readers far outnumber writers
/// and hold the lock for long, a reader-writer lock serves better; a single counter or flag is better off as
/// an atomic.
///
/// # Examples
///
/// Threads that gather results in one list:
///
/// ```
/// use lockwork::Mutex;
/// use std::thread;
///
/// let lengths = Mutex::new(Vec::new());
/// thread::scope(|s| {
///     for word in ["ready", "steady", "go"] {
///         let lengths = &lengths;
///         s.spawn(move || lengths.lock().push(word.len()));
///     }
/// });
/// let mut lengths = lengths.into_inner();
/// lengths.sort();
/// assert_eq!(lengths, [2, 5, 6]);
/// ```
///
/// A lock in a static, with a time-out as a way out:
///
/// ```
/// use lockwork::Mutex;
/// use std::{thread, time::Duration};
///
/// static LOG: Mutex<Vec<String>> = Mutex::new(Vec::new());
///
/// thread::scope(|s| {
///     for id in 0..4 {
///         s.spawn(move || match LOG.try_lock_for(Duration::from_secs(5)) {
///             Some(mut log) => log.push(format!("hello from {id}")),
///             None => eprintln!("a thread has held the log for five seconds"),
///         });
///     }
/// });
/// assert_eq!(LOG.lock().len(), 4);
/// ```
///
/// # Blocking
///
/// A thread that finds the lock taken spins briefly, then queues and [parks](crate#how-a-thread-waits).
/// Unlocking never blocks.
///
/// # Fairness
///
/// [Barging with bounded hand-off](crate#barging-with-bounded-hand-off): a thread that finds the lock free
/// takes it, even if others wait, and every waiter gets its turn. [`MutexGuard::unlock_fair`] and
/// [`MutexGuard::bump`] hand the lock over at once. If they meet a thread that gives up at its deadline just
/// then, they leave it to that thread, and the mutex counts as locked until that thread has left.
///
/// # Memory ordering
///
/// What a thread did before it unlocked happens before what the next holder does.
///
/// # Reentrancy and deadlock
///
/// Locking a mutex that the same thread holds already waits indefinitely (the timed forms: until they time
/// out). Two threads that each hold what the other wants wait indefinitely as well: lock in one order
/// everywhere.
///
/// # Panics
///
/// A panic while a guard is alive unlocks the mutex and leaves the value as it is: there is no poisoning. The
/// mutex of [`poison`](crate::poison::Mutex) has it. The [panic
/// hook](crate::guide::limits#a-panic-hook-runs-before-the-guard-is-dropped) runs before the unlock.
///
/// # Differences from `std` and `parking_lot`
///
/// From [`std::sync::Mutex`]: no poisoning, so `lock` returns the guard itself and `try_lock` an `Option`;
/// timed, mapped and [`Arc`] guards. From `parking_lot::Mutex`: no process-wide table of waiters; the `Arc`
/// guards need no feature, and are [`Send`] if `T` is.
///
/// # Implementation notes
///
/// One word beside the value: two state bits, and the queue of waiters, whose nodes live on their stacks. An
/// uncontended lock and unlock are one atomic exchange each.
pub struct Mutex<T: ?Sized> {
    raw: RawMutex,
    identity: Identity,
    value: Data<T>,
}

// SAFETY: a mutex hands its value to one thread at a time, so `T: Send` is enough.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}
// SAFETY: as above; it gives no shared access to the value.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

owns_value! {
    Mutex over RawMutex;
    /// ```
    /// static READY: lockwork::Mutex<bool> = lockwork::Mutex::new(false);
    /// assert!(!*READY.lock());
    /// ```
    new
    /// ```
    /// use lockwork::Mutex;
    ///
    /// static SESSIONS: Mutex<Vec<u32>> = Mutex::named("sessions", Vec::new());
    /// SESSIONS.lock().push(1);
    /// ```
    named
    /// Makes an unlocked lock: [`Mutex::new`] under the name that `parking_lot` has for it.
    const_mutex
    /// Shows the value, or `<locked>`: never blocks.
    try_lock
    values lock lock
}

impl<T> Mutex<T> {
    const_fn! {
        #[inline]
        fn with(identity: Identity, value: T) -> Self {
            Self { raw: RawMutex::new(), identity, value: Data::new(value) }
        }
    }

    const_fn! {
        /// Makes a mutex inside another object, which diagnosis is not to show.
        #[inline]
        pub(crate) fn hidden(value: T) -> Self {
            Self::with(Identity::HIDDEN, value)
        }
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Locks, blocking until the mutex is free.
    ///
    /// ```
    /// let names = lockwork::Mutex::new(vec!["ada"]);
    /// names.lock().push("grace");
    /// assert_eq!(*names.lock(), ["ada", "grace"]);
    /// ```
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        let call = self.call();
        call.acquiring(false);
        self.raw.lock(call);
        self.guard(call)
    }

    /// Attempts to lock, without blocking.
    ///
    /// ```
    /// let mutex = lockwork::Mutex::new(1);
    /// let guard = mutex.lock();
    /// assert!(mutex.try_lock().is_none());
    /// drop(guard);
    /// assert!(mutex.try_lock().is_some());
    /// ```
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        let call = self.call();
        self.raw.try_lock().then(|| self.guard(call))
    }

    /// Attempts to lock, blocking for `timeout` at most.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let mutex = lockwork::Mutex::new(1);
    /// let guard = mutex.lock();
    /// assert!(mutex.try_lock_for(Duration::from_millis(1)).is_none());
    /// drop(guard);
    /// assert!(mutex.try_lock_for(Duration::MAX).is_some());
    /// ```
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_lock_for(&self, timeout: Duration) -> Option<MutexGuard<'_, T>> {
        let call = self.call();
        self.raw.lock_until(TimeLimit::within(timeout, call)).then(|| self.guard(call))
    }

    /// Attempts to lock, blocking until `deadline` at most.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// let mutex = lockwork::Mutex::new(1);
    /// assert!(mutex.try_lock_until(Instant::now() + Duration::from_secs(1)).is_some());
    /// ```
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_lock_until(&self, deadline: Instant) -> Option<MutexGuard<'_, T>> {
        let call = self.call();
        self.raw.lock_until(TimeLimit::until(deadline, call)).then(|| self.guard(call))
    }

    /// Notes a call of `lock_all` that is about to lock this, among others.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn announce(&self, timed: bool) {
        self.call().acquiring(timed);
    }

    /// Locks for `lock_all`, which waits for several before one deadline. `None` if it has passed.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn lock_before(&self, deadline: &Deadline) -> Option<MutexGuard<'_, T>> {
        let call = self.call();
        self.raw.lock_until(TimeLimit::again_before(deadline, call)).then(|| self.guard(call))
    }

    /// Returns what tells this lock from every other: the address of its word, which the value never shares.
    pub(crate) fn address(&self) -> usize {
        (&raw const self.raw).addr()
    }

    /// Locks, blocking until the mutex is free; the guard keeps the mutex alive and may go to another thread.
    ///
    /// ```
    /// use lockwork::Mutex;
    /// use std::{sync::Arc, thread};
    ///
    /// let mutex = Arc::new(Mutex::new(1));
    /// let guard = mutex.lock_arc();
    /// thread::spawn(move || drop(guard)).join().unwrap();
    /// assert!(!mutex.is_locked());
    /// ```
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn lock_arc(self: &Arc<Self>) -> ArcMutexGuard<T> {
        let call = self.call().shared();
        call.acquiring(false);
        self.raw.lock(call);
        self.guard_arc(call)
    }

    /// Attempts to lock as [`try_lock`](Self::try_lock) does, with a guard that keeps the mutex alive.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_lock_arc(self: &Arc<Self>) -> Option<ArcMutexGuard<T>> {
        let call = self.call().shared();
        self.raw.try_lock().then(|| self.guard_arc(call))
    }

    /// Attempts to lock as [`try_lock_for`](Self::try_lock_for) does, with a guard that keeps the mutex
    /// alive.
    ///
    /// See [time limits](crate#time-limits).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_lock_arc_for(self: &Arc<Self>, timeout: Duration) -> Option<ArcMutexGuard<T>> {
        let call = self.call().shared();
        self.raw.lock_until(TimeLimit::within(timeout, call)).then(|| self.guard_arc(call))
    }

    /// Attempts to lock as [`try_lock_until`](Self::try_lock_until) does, with a guard that keeps the mutex
    /// alive.
    ///
    /// See [time limits](crate#time-limits).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_lock_arc_until(self: &Arc<Self>, deadline: Instant) -> Option<ArcMutexGuard<T>> {
        let call = self.call().shared();
        self.raw.lock_until(TimeLimit::until(deadline, call)).then(|| self.guard_arc(call))
    }

    /// Returns whether a thread held the lock just now; it may be otherwise by the time the answer is looked
    /// at.
    #[must_use]
    #[inline]
    pub fn is_locked(&self) -> bool {
        self.raw.is_locked()
    }

    /// Unlocks without a guard, after the guard was given to [`mem::forget`](std::mem::forget).
    ///
    /// # Safety
    ///
    /// The lock is held, and the thread that holds it gives it up: no guard of it is alive that will be used
    /// or dropped.
    pub unsafe fn force_unlock(&self) {
        observe::release_forgotten(Kind::Mutex, &self.identity);
        // SAFETY: this function's contract.
        unsafe { self.raw.unlock() };
    }

    /// Unlocks as [`force_unlock`](Self::force_unlock) does, and hands the lock to the first waiter, if there
    /// is one.
    ///
    /// # Safety
    ///
    /// As for [`force_unlock`](Self::force_unlock).
    pub unsafe fn force_unlock_fair(&self) {
        observe::release_forgotten(Kind::Mutex, &self.identity);
        // SAFETY: this function's contract.
        unsafe { self.raw.unlock_fair() };
    }

    /// Makes a guard for a lock that is held already, without one.
    ///
    /// # Safety
    ///
    /// The lock is held, no other guard of it will be used or dropped, and the guard stands in for the
    /// holder.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub unsafe fn make_guard_unchecked(&self) -> MutexGuard<'_, T> {
        observe::release_forgotten(Kind::Mutex, &self.identity);
        self.guard(self.call())
    }

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn call(&self) -> Call<'_> {
        Call::new(Kind::Mutex, How::Lock, &self.identity)
    }

    /// Returns the guard for a lock that was just taken.
    #[inline]
    fn guard(&self, call: Call<'_>) -> MutexGuard<'_, T> {
        // SAFETY: the callers have just locked, or stand for a thread that holds the lock.
        MutexGuard { inner: unsafe { Guard::new(self, (), call) } }
    }

    #[inline]
    fn guard_arc(self: &Arc<Self>, call: Call<'_>) -> ArcMutexGuard<T> {
        // SAFETY: the callers have just locked.
        ArcMutexGuard { inner: unsafe { Guard::new(Arc::clone(self), (), call) } }
    }
}
