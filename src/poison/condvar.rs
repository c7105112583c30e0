//! [`Condvar`].

use std::fmt;
use std::time::{Duration, Instant};

use super::{LockResult, MutexGuard, WaitTimeoutResult, checked};
use crate::condvar;
use crate::facade::{Deadline, const_fn};

/// A condition variable for [`poison::Mutex`](super::Mutex): [`std::sync::Condvar`], with deadlines beside.
///
/// Use it in place of `std`'s: waits take the guard and give it back. With locks that do not poison,
/// [`lockwork::Condvar`](crate::Condvar) borrows the guard instead.
///
/// # Examples
///
/// ```
/// use lockwork::poison::{Condvar, Mutex};
/// use std::thread;
///
/// static READY: Mutex<bool> = Mutex::new(false);
/// static CHANGED: Condvar = Condvar::new();
///
/// thread::spawn(|| {
///     *READY.lock().unwrap() = true;
///     CHANGED.notify_one();
/// });
/// let ready = CHANGED.wait_while(READY.lock().unwrap(), |ready| !*ready).unwrap();
/// assert!(*ready);
/// ```
///
/// Waiting for work with a time-out:
///
/// ```
/// use lockwork::poison::{Condvar, Mutex};
/// use std::time::Duration;
///
/// let (jobs, added) = (Mutex::new(Vec::<u32>::new()), Condvar::new());
/// let (queue, result) = added
///     .wait_timeout_while(jobs.lock().unwrap(), Duration::from_millis(5), |jobs| jobs.is_empty())
///     .unwrap();
/// assert!(result.timed_out() && queue.is_empty());
/// ```
///
/// # Blocking, fairness, memory ordering, reentrancy and deadlock, panics
///
/// Those of [`lockwork::Condvar`](crate::Condvar), which this is. A predicate that panics poisons the mutex.
///
/// # Differences from `std` and `parking_lot`
///
/// From [`std::sync::Condvar`]: no spurious wake-ups; first in, first out; [`wait_until`](Self::wait_until)
/// and [`wait_while_until`](Self::wait_while_until); waiters with different mutexes, one after the other or
/// at once. `parking_lot`'s has no poisoning and borrows the guard.
///
/// # Implementation notes
///
/// A [`lockwork::Condvar`](crate::Condvar), and a look at the mutex's flag after each wait.
#[derive(Default)]
pub struct Condvar {
    inner: condvar::Condvar,
}

impl Condvar {
    const_fn! {
        /// Makes a condition variable for which no thread waits.
        #[must_use]
        #[inline]
        pub fn new() -> Self {
            Self { inner: condvar::Condvar::new() }
        }
    }

    /// Unlocks, waits for a notification, and locks again.
    ///
    /// # Errors
    ///
    /// If the mutex is poisoned by then; the error has the guard.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn wait<'a, T: ?Sized>(&self, mut guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        self.inner.wait_with(&mut guard.inner, &Deadline::NEVER.of_call(&self.inner.call()));
        guard.checked()
    }

    /// Blocks for as long as `condition` holds. Does not block at all if it does not hold to begin with.
    ///
    /// # Errors
    ///
    /// If the mutex is poisoned after a wait; the error has the guard.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn wait_while<'a, T, F>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: F,
    ) -> LockResult<MutexGuard<'a, T>>
    where
        T: ?Sized,
        F: FnMut(&mut T) -> bool,
    {
        while condition(&mut *guard) {
            guard = self.wait(guard)?;
        }
        Ok(guard)
    }

    /// Blocks as [`wait`](Self::wait) does, for `dur` at most. [`Duration::MAX`] waits indefinitely.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Errors
    ///
    /// If the mutex is poisoned by then; the error has the guard and whether the time was up.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn wait_timeout<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        dur: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        self.wait_deadline(guard, &Deadline::after(dur).of_call(&self.inner.call()))
    }

    /// Blocks as [`wait_timeout`](Self::wait_timeout) does, for so many milliseconds. Returns whether there
    /// was a notification.
    ///
    /// # Errors
    ///
    /// As [`wait_timeout`](Self::wait_timeout).
    #[deprecated(since = "0.1.0", note = "replaced by `wait_timeout`, as in `std`")]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn wait_timeout_ms<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        ms: u32,
    ) -> LockResult<(MutexGuard<'a, T>, bool)> {
        let waited = self.wait_timeout(guard, Duration::from_millis(u64::from(ms)));
        match waited {
            Ok((guard, result)) => Ok((guard, !result.timed_out())),
            Err(poisoned) => {
                let (guard, result) = poisoned.into_inner();
                checked(true, (guard, !result.timed_out()))
            }
        }
    }

    /// Blocks as [`wait_while`](Self::wait_while) does, for `dur` at most. Timed out means that the condition
    /// still held when the time was up: it is tested once more at the end.
    ///
    /// # Errors
    ///
    /// If the mutex is poisoned after a wait; the error has the guard and whether the time was up.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn wait_timeout_while<'a, T, F>(
        &self,
        guard: MutexGuard<'a, T>,
        dur: Duration,
        condition: F,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)>
    where
        T: ?Sized,
        F: FnMut(&mut T) -> bool,
    {
        self.wait_while_deadline(guard, condition, &Deadline::after(dur).of_call(&self.inner.call()))
    }

    /// Blocks as [`wait`](Self::wait) does, until `deadline` at most. Not in `std`.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Errors
    ///
    /// As [`wait_timeout`](Self::wait_timeout).
    ///
    /// ```
    /// use lockwork::poison::{Condvar, Mutex};
    /// use std::time::Instant;
    ///
    /// let (mutex, condvar) = (Mutex::new(()), Condvar::new());
    /// let (_guard, result) = condvar.wait_until(mutex.lock().unwrap(), Instant::now()).unwrap();
    /// assert!(result.timed_out());
    /// ```
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn wait_until<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Instant,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        self.wait_deadline(guard, &Deadline::at(deadline).of_call(&self.inner.call()))
    }

    /// Blocks as [`wait_while`](Self::wait_while) does, until `deadline` at most. Not in `std`.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Errors
    ///
    /// As [`wait_timeout_while`](Self::wait_timeout_while).
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn wait_while_until<'a, T, F>(
        &self,
        guard: MutexGuard<'a, T>,
        condition: F,
        deadline: Instant,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)>
    where
        T: ?Sized,
        F: FnMut(&mut T) -> bool,
    {
        self.wait_while_deadline(guard, condition, &Deadline::at(deadline).of_call(&self.inner.call()))
    }

    /// Wakes the thread that has waited longest, if one waits.
    ///
    /// May be called with or without the mutex locked. A notification with no thread waiting is not kept. It
    /// may spin and yield, and never sleeps, and nor does [`notify_all`](Self::notify_all).
    #[inline]
    pub fn notify_one(&self) {
        self.inner.notify_one();
    }

    /// Wakes all threads that wait just now.
    #[inline]
    pub fn notify_all(&self) {
        self.inner.notify_all();
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn wait_deadline<'a, T: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        deadline: &Deadline,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let notified = self.inner.wait_with(&mut guard.inner, deadline);
        let result = WaitTimeoutResult(!notified);
        match guard.checked() {
            Ok(guard) => Ok((guard, result)),
            Err(poisoned) => checked(true, (poisoned.into_inner(), result)),
        }
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn wait_while_deadline<'a, T: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
        deadline: &Deadline,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let mut over = false;
        loop {
            if !condition(&mut *guard) {
                return Ok((guard, WaitTimeoutResult(false)));
            }
            if over {
                return Ok((guard, WaitTimeoutResult(true)));
            }
            let result;
            (guard, result) = self.wait_deadline(guard, deadline)?;
            // As in `crate::Condvar`: notifications must not prolong it.
            over = result.timed_out() || deadline.has_passed();
        }
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
