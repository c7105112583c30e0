//! [`Task`] and [`TaskId`], and the handle of a task.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::collector::Watcher;
use super::completion::{Listener, Outcome};
use super::deferred;
use super::error::TaskError;
use super::job::Executor;
use crate::any::AnySource;
use crate::any::sealed::{Handed, Observed, Raw, Sealed};
use crate::facade::{Deadline, TimeLimit, ends};
use crate::observe::{Call, Kind, Mode};

/// The one handle of a task. Dropping it detaches the task.
pub(super) struct Handle<'a, T> {
    completion: Arc<dyn Outcome<T> + 'a>,
    executor: Arc<dyn Executor>,
    /// Of a task that was queued.
    ticket: Option<u64>,
    /// There is no result any more.
    taken: bool,
}

impl<'a, T> Handle<'a, T> {
    pub(super) fn new(
        completion: Arc<dyn Outcome<T> + 'a>,
        executor: Arc<dyn Executor>,
        ticket: Option<u64>,
    ) -> Self {
        Self { completion, executor, ticket, taken: false }
    }

    pub(super) fn is_finished(&self) -> bool {
        self.completion.done().is_set()
    }

    pub(super) fn cancel(&self) -> bool {
        // First, because it makes room. If a thread of the pool was faster it may still be too late to run
        // the task.
        let _ = self.ticket.and_then(|ticket| self.executor.remove(ticket));
        Arc::clone(&self.completion).cancel()
    }

    pub(super) fn listen(&self, listener: Listener) -> Option<Listener> {
        self.completion.listen(listener)
    }

    pub(super) fn unwatch(&self, watcher: &Watcher) {
        self.completion.unwatch(watcher);
    }

    /// Runs the task here if it has not begun and the calling thread is one of its pool: the other threads
    /// may all be waiting like this one. Nothing but the task that is waited for is run, so that whatever
    /// lies above the waiting call on this thread's stack is something that the call waits for.
    pub(super) fn help(&self) -> bool {
        let ahead = |ticket| self.executor.is_worker() && self.executor.run_ahead(ticket);
        !self.is_finished() && self.ticket.is_some_and(ahead)
    }

    /// Does the same for a call that needs this task or, unless it is `alone`, another: then not if another
    /// thread is sure to run this one. The task may wait for what comes after the call, so it should not lie
    /// above the call on this stack. It has to where no other thread may ever come to it.
    pub(super) fn help_with_one_of(&self, alone: bool) -> bool {
        let short = |ticket| self.executor.is_worker() && self.executor.is_short_for(ticket);
        (alone || self.ticket.is_some_and(short)) && self.help()
    }

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(super) fn call(&self) -> Call<'_> {
        Call::at(Kind::Task, Mode::Join, Arc::as_ptr(&self.completion))
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(super) fn wait(&self) {
        self.help();
        self.completion.done().wait_within(TimeLimit::never(self.call()));
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(super) fn join(self) -> Result<T, TaskError> {
        self.wait();
        self.take()
    }

    /// Returns whether it is done. Runs nothing here, as it could not stop in time, unless the time is
    /// unlimited.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(super) fn wait_for(&self, timeout: Duration) -> bool {
        if !ends(timeout) {
            self.wait();
        }
        self.completion.done().wait_within(TimeLimit::within(timeout, self.call()))
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(super) fn wait_until(&self, deadline: Instant) -> bool {
        self.completion.done().wait_within(TimeLimit::until(deadline, self.call()))
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(super) fn wait_deadline(&self, deadline: &Deadline) -> bool {
        self.completion.done().wait_within(TimeLimit::before(deadline, self.call()))
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(super) fn join_for(self, timeout: Duration) -> Result<Result<T, TaskError>, Self> {
        if self.wait_for(timeout) { Ok(self.take()) } else { Err(self) }
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(super) fn join_until(self, deadline: Instant) -> Result<Result<T, TaskError>, Self> {
        if self.wait_until(deadline) { Ok(self.take()) } else { Err(self) }
    }

    /// Returns the result of a task that is done.
    fn take(mut self) -> Result<T, TaskError> {
        self.taken = true;
        self.completion.take()
    }
}

impl<T> Drop for Handle<'_, T> {
    fn drop(&mut self) {
        if self.taken {
            return;
        }
        if deferred::is_dropping() {
            Arc::clone(&self.completion).detach_later();
        } else {
            self.completion.detach();
        }
    }
}

/// Identifies a [`Task`] among all tasks of all pools: no other task ever has the same. See [`Task::id`].
///
/// ```
/// use lockwork::ThreadPool;
///
/// let (first, second) = (ThreadPool::new(1), ThreadPool::new(1));
/// let tasks = [first.submit(|| 1).unwrap(), first.submit(|| 2).unwrap(), second.submit(|| 3).unwrap()];
/// assert_ne!(tasks[0].id(), tasks[1].id());
/// assert_ne!(tasks[0].id(), tasks[2].id());
/// assert_eq!(tasks[0].id(), tasks[0].id());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TaskId {
    pool: u64,
    ticket: u64,
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({}.{})", self.pool, self.ticket)
    }
}

/// A task that was given to a [`ThreadPool`](crate::ThreadPool), and the right to its result.
///
/// Made by [`ThreadPool::submit`](crate::ThreadPool::submit). Use it to get at the result, to wait for it
/// with or without a time limit, and to take a task back that has not begun. Dropping it detaches the task,
/// which runs all the same; its result is dropped, and if it panics, or its result does on being dropped,
/// only the panic hook is called.
///
/// # Examples
///
/// ```
/// let pool = lockwork::ThreadPool::new(2);
/// let task = pool.submit(|| 6 * 7).unwrap();
/// assert_eq!(task.join().unwrap(), 42);
/// ```
///
/// Something useful to do until a result is there:
///
/// ```
/// use lockwork::{Event, ThreadPool};
/// use std::{sync::Arc, time::Duration};
///
/// let pool = ThreadPool::new(1);
/// let ready = Arc::new(Event::new());
/// let mut task = pool.submit({ let ready = Arc::clone(&ready); move || ready.wait() }).unwrap();
///
/// let mut dots = String::new();
/// loop {
///     match task.join_for(Duration::from_millis(1)) {
///         Ok(result) => break result.unwrap(),
///         Err(unfinished) => task = unfinished,
///     }
///     dots.push('.');
///     ready.set();
/// }
/// assert!(!dots.is_empty());
/// ```
///
/// # Blocking
///
/// [`join`](Self::join) waits as [`Event`](crate::Event) does. A thread of the pool that joins a task of the
/// same pool which has not begun runs it itself, so a task may submit others and wait for them even if the
/// pool has only one thread. The timed forms do not, because they could not stop in time; they wait for
/// another thread to do it, unless they may wait indefinitely ([`Duration::MAX`]).
///
/// # Fairness
///
/// A task begins in its turn in the [pool's queue](crate::ThreadPool#fairness), or when it is joined. Its
/// callbacks run in the order in which they were registered.
///
/// # Memory ordering
///
/// What was done before a task was submitted happens before it runs, and what it does before its result is
/// seen: by `join`, by [`is_finished`](Self::is_finished) that says `true`, and by a callback.
///
/// # Reentrancy and deadlock
///
/// A task that joins itself, or two that join each other, wait indefinitely. A task runs while the one that
/// joins it waits, possibly on the same thread: a lock that is held across a `join` is held while the joined
/// task runs, and [a `ReentrantMutex` lets it
/// in](crate::guide::limits#a-reentrantmutex-held-across-taskjoin). A long chain of tasks each of which joins
/// the next needs stack like a recursion of that depth.
///
/// # Panics
///
/// Never because the task has panicked: that is a value, [`TaskError::Panicked`].
///
/// # Differences from `std` and Python
///
/// From [`std::thread::JoinHandle`]: it can be cancelled, waited for with a time limit, and has callbacks.
/// From Python's `concurrent.futures.Future`: the result goes to one caller, by value; only the pool
/// completes it.
///
/// # Implementation notes
///
/// One allocation for the closure, the result, a [`Mutex`](crate::Mutex) and an [`Event`](crate::Event).
/// Cancelling takes the task out of the pool's queue at once.
pub struct Task<T>(pub(super) Handle<'static, T>);

impl<T> Task<T> {
    /// Returns the task's id, by which it is known again where tasks come in another order than they were
    /// submitted in: see [`as_completed`](crate::as_completed).
    #[must_use]
    pub fn id(&self) -> TaskId {
        let ticket = self.0.ticket.unwrap_or_else(|| unreachable!("it was queued"));
        TaskId { pool: self.0.executor.number(), ticket }
    }

    /// Blocks until the task is done, and returns its result.
    ///
    /// # Errors
    ///
    /// Fails if the task panicked, with the panic's payload, or if it was cancelled.
    ///
    /// ```
    /// use lockwork::{TaskError, ThreadPool};
    ///
    /// let pool = ThreadPool::new(1);
    /// let task = pool.submit(|| "12x".parse::<u32>().expect("a number")).unwrap();
    /// match task.join() {
    ///     Ok(number) => println!("{number}"),
    ///     Err(error @ TaskError::Panicked(_)) => println!("{error}"),
    ///     Err(TaskError::Cancelled) => unreachable!("it was not cancelled"),
    /// }
    /// ```
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
    ///
    /// A cancelled task leaves the pool's queue, its closure is dropped and its callbacks run before this
    /// returns, unless another thread is cancelling it just then and has not come so far. There are two more
    /// exceptions, which keep a chain of tasks each of which cancels the next from needing stack for each. In
    /// a callback, those of the cancelled task run when that callback returns (see
    /// [`on_done`](Self::on_done)). In the destructor of what a cancelled closure has captured, or of a
    /// result that is dropped, the task is done when this returns, but its closure is dropped after that
    /// destructor, and its callbacks run when the outermost such drop is over: do not wait for either there.
    ///
    /// ```
    /// use lockwork::{Event, ThreadPool};
    /// use std::sync::Arc;
    ///
    /// let (pool, go) = (ThreadPool::new(1), Arc::new(Event::new()));
    /// let first = pool.submit({ let go = Arc::clone(&go); move || go.wait() }).unwrap();
    /// let second = pool.submit(|| unreachable!("the only thread is busy")).unwrap();
    /// assert!(second.cancel());
    /// go.set();
    /// assert!(second.join().unwrap_err().is_cancelled());
    /// first.join().unwrap();
    /// ```
    pub fn cancel(&self) -> bool {
        self.0.cancel()
    }

    /// Calls `f` when the task is done, or at once if it is. Those of one task that are registered before it
    /// is done are called in the order in which they were registered. One that is registered after that does
    /// not wait for them, as in Python.
    ///
    /// It runs on the thread that ran the task, or that cancelled it, before that thread goes on to anything
    /// else; or on the calling thread, if the task is done. A thread that joins the task may be released
    /// before. A panic in it is reported by the panic hook and goes no further. Dropping the task keeps its
    /// callbacks.
    ///
    /// Callbacks are not nested. Those of a task that is completed from within a callback run when that
    /// callback returns, on the same thread, before the outermost call returns (of `cancel`, say); and so
    /// does a callback that is registered from within a callback for a task that is done. So a chain of any
    /// length, each callback of which cancels the next task, needs no more stack than one. (The exception is
    /// a [`scope`](crate::ThreadPool::scope) that a callback opens: what is completed inside runs its
    /// callbacks [there](crate::guide::limits#chains-and-nests-and-the-stack).) A callback must not wait for
    /// one that it has brought about in this way. Nor must the destructor of what a cancelled
    /// closure has captured, or of a result that is dropped: callbacks that it brings about, and one that it
    /// registers for a task that is done, run when the outermost such drop is over.
    ///
    /// ```
    /// use lockwork::{Event, ThreadPool};
    /// use std::sync::Arc;
    ///
    /// let (pool, told) = (ThreadPool::new(1), Arc::new(Event::new()));
    /// let task = pool.submit(|| 1).unwrap();
    /// task.on_done({ let told = Arc::clone(&told); move || told.set() });
    /// told.wait();
    /// assert!(task.is_finished());
    /// ```
    pub fn on_done<F>(&self, f: F)
    where
        F: FnOnce() + Send + 'static,
    {
        if let Some(Listener::Callback(callback)) = self.0.listen(Listener::Callback(Box::new(f))) {
            deferred::call(vec![callback]);
        }
    }
}

impl<T> UnwindSafe for Task<T> {}
impl<T> RefUnwindSafe for Task<T> {}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("is_finished", &self.is_finished()).finish_non_exhaustive()
    }
}

impl<T> Sealed for &Task<T> {}

impl<T> AnySource for &Task<T> {
    type Output = ();

    const ANY_HELPS: bool = true;

    fn any_raw(&self) -> Raw<'_> {
        Raw(self.0.completion.done().raw())
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn any_observed(&self) -> Observed<'_> {
        Observed(self.0.call())
    }

    #[inline]
    fn any_is_ready(&self) -> bool {
        self.is_finished()
    }

    fn any_attempt(&mut self, handed: Handed) -> Option<()> {
        (handed.0 || self.is_finished()).then_some(())
    }

    fn any_help(&self, alone: bool) -> bool {
        self.0.help_with_one_of(alone)
    }
}
