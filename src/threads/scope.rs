//! [`Scope`] and [`ScopedTask`]: tasks that borrow from the thread that waits for them.

use std::fmt;
use std::marker::PhantomData;
use std::panic::{self, AssertUnwindSafe, RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::completion::{Completion, Outcome};
use super::deferred;
use super::error::{TaskError, drop_quietly};
use super::job::{Executor, Job, outlive};
use super::pool::ThreadPool;
use super::pool::shared::Shared;
use super::scope_latch::ScopeLatch;
use super::task::Handle;
use crate::facade::AbortOnUnwind;
use crate::observe::{Call, Kind, Mode};

/// Where tasks that borrow are spawned, see [`ThreadPool::scope`].
///
/// `'scope` is how long the scope lasts, `'env` how long what it may borrow from outside does.
///
/// # Examples
///
/// ```
/// use lockwork::{Scope, ThreadPool};
///
/// fn square_halves<'scope>(scope: &'scope Scope<'scope, '_>, numbers: &'scope mut [u32]) {
///     let (left, right) = numbers.split_at_mut(numbers.len() / 2);
///     scope.spawn(move || left.iter_mut().for_each(|n| *n = n.pow(2)));
///     scope.spawn(move || right.iter_mut().for_each(|n| *n = n.pow(2)));
/// }
///
/// let pool = ThreadPool::new(2);
/// let mut numbers = [1, 2, 3, 4];
/// pool.scope(|s| square_halves(s, &mut numbers));
/// assert_eq!(numbers, [1, 4, 9, 16]);
/// ```
pub struct Scope<'scope, 'env: 'scope> {
    pool: Arc<Shared>,
    latch: Arc<ScopeLatch>,
    /// Invariant in both, so that neither can be made to look longer or shorter than it is.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

impl<'scope> Scope<'scope, '_> {
    /// Gives the pool a task that may borrow whatever outlives the scope.
    ///
    /// Blocks while the pool's queue is full, unless the calling thread is one of the pool: then the task is
    /// added beyond the capacity. A pool that was shut down takes the task only from its own threads;
    /// otherwise the task is run here, before the call returns.
    ///
    /// A scope may be handed to its own tasks, which may spawn more.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn spawn<F, T>(&'scope self, f: F) -> ScopedTask<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let completion = Arc::new(Completion::new(Some(Arc::clone(&self.latch)), f));
        self.latch.enter();
        // SAFETY: `ThreadPool::scope` returns only when all its tasks have left (they have entered before),
        // and a task leaves when its closure has been consumed and its result dropped or left to the handle.
        // The handle is bounded by `'scope`: it is dropped in time, result and all, or never. What other
        // references to the completion find later has neither.
        let job = unsafe { outlive(Arc::clone(&completion) as Arc<dyn Job + 'scope>) };
        let place = self.pool.enqueue_scoped(job);
        match &place {
            Some(place) => self.latch.offer(place),
            None => _ = completion.run(),
        }
        let ticket = place.map(|place| place.ticket);
        ScopedTask(Handle::new(completion as Arc<dyn Outcome<T> + 'scope>, self.pool.clone(), ticket))
    }
}

impl ThreadPool {
    /// Runs `f`, which may spawn tasks that borrow from this thread, and waits until all of them are done.
    ///
    /// ```
    /// let pool = lockwork::ThreadPool::new(2);
    /// let mut halves = [vec![3, 1, 2], vec![6, 5, 4]];
    /// pool.scope(|s| {
    ///     for half in &mut halves {
    ///         s.spawn(|| half.sort());
    ///     }
    /// });
    /// assert_eq!(halves.concat(), [1, 2, 3, 4, 5, 6]);
    /// ```
    ///
    /// A task that is spawned in a scope and not cancelled by its own handle is run: also if the pool is shut
    /// down meanwhile, in either way, and if `f` panics. If the calling thread is one of the pool, it runs
    /// those that have not begun while it waits; so scopes may be nested, on a pool of one thread, too.
    ///
    /// ```
    /// use lockwork::ThreadPool;
    ///
    /// fn sum(pool: &ThreadPool, numbers: &[u64]) -> u64 {
    ///     if numbers.len() < 100 {
    ///         return numbers.iter().sum();
    ///     }
    ///     let (left, right) = numbers.split_at(numbers.len() / 2);
    ///     pool.scope(|s| {
    ///         let left = s.spawn(|| sum(pool, left));
    ///         sum(pool, right) + left.join().unwrap()
    ///     })
    /// }
    ///
    /// let numbers: Vec<u64> = (0..1000).collect();
    /// assert_eq!(sum(&ThreadPool::new(1), &numbers), 499_500);
    /// ```
    ///
    /// The wait at the end has no time limit.
    ///
    /// # Memory ordering
    ///
    /// What a thread did before it spawned a task happens before the task, and what the tasks did happens
    /// before this call returns.
    ///
    /// # Panics
    ///
    /// If `f` panics, so does this, after the wait. Otherwise, if a task panicked and its [`ScopedTask`] was
    /// dropped without a join, the first such panic is resumed here. (The panic of a task whose handle was
    /// forgotten is lost.)
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn scope<'env, F, R>(&'env self, f: F) -> R
    where
        F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> R,
    {
        let latch = Arc::new(ScopeLatch::new(self.shared().is_worker()));
        let call = Call::at(Kind::Pool, Mode::Wait, Arc::as_ptr(&latch));
        deferred::separately(|| self.run_scope(latch, call, f))
    }

    fn run_scope<'env, F, R>(&'env self, latch: Arc<ScopeLatch>, call: Call<'_>, f: F) -> R
    where
        F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> R,
    {
        let pool = Arc::clone(self.shared());
        let scope = Scope { pool, latch, scope: PhantomData, env: PhantomData };
        // Tasks borrow from frames that an unwinding wait would leave.
        let frames = AbortOnUnwind;
        let result = panic::catch_unwind(AssertUnwindSafe(|| f(&scope)));
        scope.latch.wait(&*scope.pool, call);
        frames.disarm();
        let unjoined = scope.latch.take_panic();
        match (result, unjoined) {
            (Ok(_), Some(payload)) | (Err(payload), None) => panic::resume_unwind(payload),
            (Err(payload), Some(spare)) => {
                drop_quietly(spare);
                panic::resume_unwind(payload)
            }
            (Ok(result), None) => result,
        }
    }
}

impl UnwindSafe for Scope<'_, '_> {}
impl RefUnwindSafe for Scope<'_, '_> {}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}

/// A task of a [`Scope`], and the right to its result.
///
/// As [`Task`](crate::Task), for a task that borrows. Dropping it leaves the task to the scope, which waits
/// for it and passes its panic on.
pub struct ScopedTask<'scope, T>(Handle<'scope, T>);

impl<T> ScopedTask<'_, T> {
    /// Blocks until the task is done, and returns its result. A thread of the pool runs the task itself if it
    /// has not begun.
    ///
    /// # Errors
    ///
    /// Fails if the task panicked, with the panic's payload, or if it was cancelled.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn join(self) -> Result<T, TaskError> {
        self.0.join()
    }

    /// Blocks until the task is done, for `timeout` at most.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Errors
    ///
    /// Gives the task back if it was not done in time. The inner result is that of [`join`](Self::join).
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn join_for(self, timeout: Duration) -> Result<Result<T, TaskError>, Self> {
        self.0.join_for(timeout).map_err(Self)
    }

    /// Blocks until the task is done, until `deadline` at most.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Errors
    ///
    /// As [`join_for`](Self::join_for).
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn join_until(self, deadline: Instant) -> Result<Result<T, TaskError>, Self> {
        self.0.join_until(deadline).map_err(Self)
    }

    /// Returns whether the task is done: has returned, has panicked, or was cancelled.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    /// Cancels the task if it has not begun. Returns whether it is cancelled: `true` also if it was before,
    /// `false` if it runs or has run.
    pub fn cancel(&self) -> bool {
        self.0.cancel()
    }
}

impl<T> UnwindSafe for ScopedTask<'_, T> {}
impl<T> RefUnwindSafe for ScopedTask<'_, T> {}

impl<T> fmt::Debug for ScopedTask<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedTask").field("is_finished", &self.is_finished()).finish_non_exhaustive()
    }
}
