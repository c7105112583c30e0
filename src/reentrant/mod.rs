//! [`ReentrantMutex`] and its guards.

mod guards;

#[cfg(doc)]
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use self::guards::{ArcReentrantMutexGuard, MappedReentrantMutexGuard, ReentrantMutexGuard};
use crate::facade::{Data, TimeLimit, const_fn};
use crate::guard::{Guard, owns_value};
use crate::observe::{self, Call, Identity, Kind, Mode as How};
use crate::raw::reentrant::RawReentrantMutex;

/// A mutual exclusion lock that the thread which holds it may lock again.
///
/// Each lock gives a guard, and the lock is free for other threads when the holder has dropped all of its
/// guards. As several guards of one thread may be alive at once, they give shared access to the value: put a
/// [`Cell`] or a [`RefCell`] into the lock to change it.
///
/// Use it where code that holds the lock calls code that takes it as well, and the two cannot be told apart:
/// callbacks, a logger that is called while it logs, an interface whose methods call each other. Elsewhere a
/// [`Mutex`](crate::Mutex) is simpler, gives exclusive access to the value, and works with a
/// [`Condvar`](crate::Condvar).
///
/// [`Cell`]: std::cell::Cell
/// [`RefCell`]: std::cell::RefCell
///
/// # Examples
///
/// Methods that lock and call each other. Between the two steps of a transfer no other thread sees the
/// account:
///
/// ```
/// use lockwork::ReentrantMutex;
/// use std::{cell::Cell, thread};
///
/// #[derive(Default)]
/// struct Account {
///     balance: ReentrantMutex<Cell<i64>>,
/// }
///
/// impl Account {
///     fn add(&self, amount: i64) {
///         let balance = self.balance.lock();
///         balance.set(balance.get() + amount);
///     }
///
///     fn add_with_fee(&self, amount: i64) {
///         let _all_of_it = self.balance.lock();
///         self.add(amount);
///         self.add(-1);
///     }
/// }
///
/// let account = Account::default();
/// thread::scope(|s| {
///     for _ in 0..4 {
///         s.spawn(|| account.add_with_fee(100));
///     }
/// });
/// assert_eq!(account.balance.lock().get(), 4 * 99);
/// ```
///
/// # Blocking
///
/// The holder never waits. Another thread waits as for a [`Mutex`](crate::Mutex#blocking).
///
/// # Fairness
///
/// [Barging with bounded hand-off](crate#barging-with-bounded-hand-off) among threads, as of a
/// [`Mutex`](crate::Mutex#fairness). The holder locks again at once, whichever threads wait.
///
/// # Memory ordering
///
/// What a thread did before it unlocked for the last time happens before what the next holder does.
///
/// # Reentrancy and deadlock
///
/// Locking again in the thread that holds it always succeeds. Two threads that each hold what the other wants
/// wait indefinitely: lock in one order everywhere. A guard that is forgotten keeps the lock held by its
/// thread, also when the thread has ended: no later thread is taken for it. Held while a task is joined, it
/// lets the task in, if it runs on the same thread
/// ([how](crate::guide::limits#a-reentrantmutex-held-across-taskjoin)).
///
/// # Panics
///
/// A lock, timed or not, panics in a thread that holds the lock `u32::MAX` times, which takes forgotten
/// guards; nothing has changed then. A panic while a guard is alive unlocks what that guard has locked; there
/// is no poisoning. The [panic hook](crate::guide::limits#a-panic-hook-runs-before-the-guard-is-dropped) runs
/// before the unlock, and may lock again.
///
/// # Differences from `std` and `parking_lot`
///
/// `std` has one that is not stable, without timed forms. From `parking_lot::ReentrantMutex`:
/// [`hold_count`](Self::hold_count); threads are told apart by numbers that are never used again, and not by
/// addresses, which are; the `Arc` guards need no feature.
///
/// # Implementation notes
///
/// The word of a [`Mutex`](crate::Mutex), the number of the thread that holds it, and how often it does. A
/// nested lock compares that number with the thread's own and counts, a nested unlock counts, and neither
/// does so atomically. The argument why that is enough stands at the head of `src/raw/reentrant.rs`.
pub struct ReentrantMutex<T: ?Sized> {
    raw: RawReentrantMutex,
    identity: Identity,
    value: Data<T>,
}

// SAFETY: the value goes with the mutex, so `T: Send` is needed, and is enough.
unsafe impl<T: ?Sized + Send> Send for ReentrantMutex<T> {}
// SAFETY: a mutex gives its value to one thread at a time, however many guards that thread has, so `T: Send`
// is enough.
unsafe impl<T: ?Sized + Send> Sync for ReentrantMutex<T> {}

owns_value! {
    ReentrantMutex over RawReentrantMutex;
    /// ```
    /// use lockwork::ReentrantMutex;
    /// use std::cell::Cell;
    ///
    /// static CALLS: ReentrantMutex<Cell<u32>> = ReentrantMutex::new(Cell::new(0));
    /// assert_eq!(CALLS.lock().get(), 0);
    /// ```
    new
    named
    /// Makes an unlocked lock: [`ReentrantMutex::new`] under the name that `parking_lot` has for it.
    const_reentrant_mutex
    /// Shows the value, or `<locked>` if another thread holds the lock: never blocks.
    try_lock
}

impl<T> ReentrantMutex<T> {
    const_fn! {
        #[inline]
        fn with(identity: Identity, value: T) -> Self {
            Self { raw: RawReentrantMutex::new(), identity, value: Data::new(value) }
        }
    }
}

impl<T: ?Sized> ReentrantMutex<T> {
    /// Locks, blocking until the mutex is free; at once if this thread holds the lock already.
    ///
    /// # Panics
    ///
    /// If this thread holds the lock `u32::MAX` times already.
    ///
    /// ```
    /// let mutex = lockwork::ReentrantMutex::new("ada");
    /// let outer = mutex.lock();
    /// assert_eq!(*mutex.lock(), *outer);
    /// ```
    #[inline]
    #[track_caller]
    pub fn lock(&self) -> ReentrantMutexGuard<'_, T> {
        let call = self.call();
        call.acquiring(false);
        self.raw.lock("lock", call);
        self.guard(call)
    }

    /// Attempts to lock, without blocking: succeeds if no other thread holds the lock just now.
    ///
    /// # Panics
    ///
    /// If this thread holds the lock `u32::MAX` times already.
    ///
    /// ```
    /// use lockwork::ReentrantMutex;
    /// use std::thread;
    ///
    /// let mutex = ReentrantMutex::new(1);
    /// let guard = mutex.lock();
    /// assert!(mutex.try_lock().is_some());
    /// thread::scope(|s| {
    ///     s.spawn(|| assert!(mutex.try_lock().is_none()));
    /// });
    /// ```
    #[inline]
    #[track_caller]
    pub fn try_lock(&self) -> Option<ReentrantMutexGuard<'_, T>> {
        let call = self.call();
        self.raw.try_lock("try_lock").then(|| self.guard(call))
    }

    /// Attempts to lock, blocking for `timeout` at most. The holder succeeds at once, whatever the timeout.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Panics
    ///
    /// If this thread holds the lock `u32::MAX` times already.
    ///
    /// ```
    /// use lockwork::ReentrantMutex;
    /// use std::{thread, time::Duration};
    ///
    /// let mutex = ReentrantMutex::new(1);
    /// let guard = mutex.lock();
    /// assert!(mutex.try_lock_for(Duration::ZERO).is_some());
    /// thread::scope(|s| {
    ///     s.spawn(|| assert!(mutex.try_lock_for(Duration::from_millis(1)).is_none()));
    /// });
    /// ```
    #[inline]
    #[track_caller]
    pub fn try_lock_for(&self, timeout: Duration) -> Option<ReentrantMutexGuard<'_, T>> {
        let call = self.call();
        self.raw.lock_until(TimeLimit::within(timeout, call), "try_lock_for").then(|| self.guard(call))
    }

    /// Attempts to lock, blocking until `deadline` at most.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Panics
    ///
    /// If this thread holds the lock `u32::MAX` times already.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// let mutex = lockwork::ReentrantMutex::new(1);
    /// assert!(mutex.try_lock_until(Instant::now() + Duration::from_secs(1)).is_some());
    /// ```
    #[inline]
    #[track_caller]
    pub fn try_lock_until(&self, deadline: Instant) -> Option<ReentrantMutexGuard<'_, T>> {
        let call = self.call();
        self.raw.lock_until(TimeLimit::until(deadline, call), "try_lock_until").then(|| self.guard(call))
    }

    /// Locks as [`lock`](Self::lock) does, with a guard that keeps the mutex alive.
    ///
    /// # Panics
    ///
    /// If this thread holds the lock `u32::MAX` times already.
    ///
    /// ```
    /// use lockwork::ReentrantMutex;
    /// use std::sync::Arc;
    ///
    /// let mutex = Arc::new(ReentrantMutex::new(1));
    /// let guard = mutex.lock_arc();
    /// drop(mutex);
    /// assert_eq!(*guard, 1);
    /// ```
    #[inline]
    #[track_caller]
    pub fn lock_arc(self: &Arc<Self>) -> ArcReentrantMutexGuard<T> {
        let call = self.call();
        call.acquiring(false);
        self.raw.lock("lock_arc", call);
        self.guard_arc(call)
    }

    /// Attempts to lock as [`try_lock`](Self::try_lock) does, with a guard that keeps the mutex alive.
    ///
    /// # Panics
    ///
    /// If this thread holds the lock `u32::MAX` times already.
    #[inline]
    #[track_caller]
    pub fn try_lock_arc(self: &Arc<Self>) -> Option<ArcReentrantMutexGuard<T>> {
        let call = self.call();
        self.raw.try_lock("try_lock_arc").then(|| self.guard_arc(call))
    }

    /// Attempts to lock as [`try_lock_for`](Self::try_lock_for) does, with a guard that keeps the mutex
    /// alive.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Panics
    ///
    /// If this thread holds the lock `u32::MAX` times already.
    #[inline]
    #[track_caller]
    pub fn try_lock_arc_for(self: &Arc<Self>, timeout: Duration) -> Option<ArcReentrantMutexGuard<T>> {
        let call = self.call();
        self.raw
            .lock_until(TimeLimit::within(timeout, call), "try_lock_arc_for")
            .then(|| self.guard_arc(call))
    }

    /// Attempts to lock as [`try_lock_until`](Self::try_lock_until) does, with a guard that keeps the mutex
    /// alive.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Panics
    ///
    /// If this thread holds the lock `u32::MAX` times already.
    #[inline]
    #[track_caller]
    pub fn try_lock_arc_until(self: &Arc<Self>, deadline: Instant) -> Option<ArcReentrantMutexGuard<T>> {
        let call = self.call();
        self.raw
            .lock_until(TimeLimit::until(deadline, call), "try_lock_arc_until")
            .then(|| self.guard_arc(call))
    }

    /// Returns whether a thread held the lock just now, this thread included; for others it may be otherwise
    /// by the time the answer is looked at.
    #[must_use]
    #[inline]
    pub fn is_locked(&self) -> bool {
        self.raw.is_locked()
    }

    /// Returns whether this thread holds the lock. Exact: no other thread can change that.
    ///
    /// ```
    /// let mutex = lockwork::ReentrantMutex::new(1);
    /// assert!(!mutex.is_owned_by_current_thread());
    /// let guard = mutex.lock();
    /// assert!(mutex.is_owned_by_current_thread());
    /// ```
    #[must_use]
    #[inline]
    pub fn is_owned_by_current_thread(&self) -> bool {
        self.raw.is_owned_by_current_thread()
    }

    /// Returns how many times this thread holds the lock: another thread can lock it once that many guards
    /// are dropped. 0 if this thread does not hold it, whether or not another does.
    ///
    /// ```
    /// let mutex = lockwork::ReentrantMutex::new(1);
    /// assert_eq!(mutex.hold_count(), 0);
    /// let outer = mutex.lock();
    /// let inner = mutex.lock();
    /// assert_eq!(mutex.hold_count(), 2);
    /// drop(outer);
    /// assert_eq!(mutex.hold_count(), 1);
    /// ```
    #[must_use]
    #[inline]
    pub fn hold_count(&self) -> usize {
        self.raw.hold_count() as usize
    }

    /// Unlocks once without a guard, after the guard was given to [`mem::forget`].
    ///
    /// # Safety
    ///
    /// This thread holds the lock, and gives up one level of it: there is one guard fewer that will be used
    /// or dropped than [`hold_count`](Self::hold_count) says.
    pub unsafe fn force_unlock(&self) {
        observe::release_forgotten(Kind::ReentrantMutex, &self.identity);
        // SAFETY: this function's contract.
        unsafe { self.raw.unlock() };
    }

    /// Unlocks as [`force_unlock`](Self::force_unlock) does, and at the last level hands the lock to the
    /// first waiter, if there is one.
    ///
    /// # Safety
    ///
    /// As for [`force_unlock`](Self::force_unlock).
    pub unsafe fn force_unlock_fair(&self) {
        observe::release_forgotten(Kind::ReentrantMutex, &self.identity);
        // SAFETY: this function's contract.
        unsafe { self.raw.unlock_fair() };
    }

    /// Makes a guard for a level of the lock that is held already, without one.
    ///
    /// # Safety
    ///
    /// This thread holds the lock, and there is one guard fewer that will be used or dropped than
    /// [`hold_count`](Self::hold_count) says.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub unsafe fn make_guard_unchecked(&self) -> ReentrantMutexGuard<'_, T> {
        observe::release_forgotten(Kind::ReentrantMutex, &self.identity);
        self.guard(self.call())
    }

    /// Makes a guard as [`make_guard_unchecked`](Self::make_guard_unchecked) does, one that keeps the mutex
    /// alive.
    ///
    /// # Safety
    ///
    /// As for [`make_guard_unchecked`](Self::make_guard_unchecked).
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub unsafe fn make_arc_guard_unchecked(self: &Arc<Self>) -> ArcReentrantMutexGuard<T> {
        observe::release_forgotten(Kind::ReentrantMutex, &self.identity);
        self.guard_arc(self.call())
    }

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn call(&self) -> Call<'_> {
        Call::new(Kind::ReentrantMutex, How::Lock, &self.identity)
    }

    /// Returns the guard for a level that was just taken.
    #[inline]
    fn guard(&self, call: Call<'_>) -> ReentrantMutexGuard<'_, T> {
        // SAFETY: the callers have just locked, or stand for a level that this thread holds.
        ReentrantMutexGuard { inner: unsafe { Guard::new(self, (), call) } }
    }

    #[inline]
    fn guard_arc(self: &Arc<Self>, call: Call<'_>) -> ArcReentrantMutexGuard<T> {
        // SAFETY: as above.
        ArcReentrantMutexGuard { inner: unsafe { Guard::new(Arc::clone(self), (), call) } }
    }
}

#[cfg(test)]
mod tests {
    use std::mem;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;
    use std::time::Duration;

    use super::ReentrantMutex;
    use crate::raw::reentrant::MAX_DEPTH;

    /// 2^32 guards are too many for a test to make: the count begins near its end here.
    #[test]
    fn one_lock_too_many_panics_and_changes_nothing() {
        let mutex = Arc::new(ReentrantMutex::new(7));
        mem::forget(mutex.lock());
        mutex.raw.set_hold_count(MAX_DEPTH - 1);
        let last = mutex.lock();
        assert_eq!(mutex.hold_count(), MAX_DEPTH as usize);

        let calls: [(&str, &dyn Fn()); 6] = [
            ("lock", &|| mem::forget(mutex.lock())),
            ("try_lock", &|| mem::forget(mutex.try_lock())),
            ("try_lock_for", &|| mem::forget(mutex.try_lock_for(Duration::MAX))),
            ("lock_arc", &|| mem::forget(mutex.lock_arc())),
            ("try_lock_arc", &|| mem::forget(mutex.try_lock_arc())),
            ("try_lock_arc_for", &|| mem::forget(mutex.try_lock_arc_for(Duration::ZERO))),
        ];
        for (name, call) in calls {
            let payload = catch_unwind(AssertUnwindSafe(call)).expect_err(name);
            let message = payload.downcast::<String>().expect("a message");
            assert!(message.starts_with(&format!("ReentrantMutex::{name}: ")), "{message}");
            assert_eq!(mutex.hold_count(), MAX_DEPTH as usize);
            assert_eq!(Arc::strong_count(&mutex), 1);
        }
        assert_eq!(*last, 7);
        drop(last);
        assert_eq!(mutex.hold_count(), MAX_DEPTH as usize - 1);
        drop(mutex.lock());
        mutex.raw.set_hold_count(1);
        // SAFETY: one level, whose guard was forgotten.
        unsafe { mutex.force_unlock() };
        assert!(!mutex.is_locked());
    }
}
