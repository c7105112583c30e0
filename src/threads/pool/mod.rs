//! [`ThreadPool`].

mod builder;
mod error;
pub(super) mod shared;

use std::fmt;
use std::panic::{self, RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use builder::ThreadPoolBuilder;
pub(super) use error::Refusal;
pub use error::{SubmitError, SubmitTimeoutError, TrySubmitError};
pub use shared::Shutdown;

use self::shared::{Full, Shared, State};
use super::ending::Ending;
use super::job::Executor;
use super::task::Task;
use crate::facade::{Deadline, TimeLimit};
use crate::observe::{Call, Kind, Mode};

/// A fixed number of threads that run tasks from one queue.
///
/// Use it for tasks that wait for something (files, sockets, locks), for background work whose results are
/// wanted later, and wherever a thread for each piece of work would be too many threads. To spread a
/// computation over the processors, many small pieces of it, use `rayon`, whose threads take work from each
/// other without one queue between them; for one long-lived loop use a [`Worker`](crate::Worker).
///
/// # Examples
///
/// Results of tasks, in the order in which they were submitted:
///
/// ```
/// use lockwork::ThreadPool;
///
/// let pool = ThreadPool::new(4);
/// let lengths: Vec<_> =
///     ["one", "three"].into_iter().map(|word| pool.submit(move || word.len()).unwrap()).collect();
/// let lengths: Vec<usize> = lengths.into_iter().map(|task| task.join().unwrap()).collect();
/// assert_eq!(lengths, [3, 5]);
/// ```
///
/// A server's pool: named threads, a queue that does not grow without bound, and an end that keeps what was
/// accepted:
///
/// ```
/// use lockwork::{Shutdown, ThreadPool, TrySubmitError};
/// use std::time::Duration;
///
/// let pool = ThreadPool::builder().threads(2).name("request").queue_capacity(64).build();
/// for request in 0..100 {
///     match pool.try_submit(move || request + 1) {
///         Ok(_) => {}
///         Err(TrySubmitError::Full(_)) => println!("503: try again later"),
///         Err(TrySubmitError::Shutdown(_)) => break,
///     }
/// }
/// pool.shutdown(Shutdown::Drain);
/// assert!(pool.join_for(Duration::from_secs(10)), "a request hangs");
/// ```
///
/// # Blocking
///
/// Submitting locks a [`Mutex`](crate::Mutex) for a few instructions, and waits only if the queue was given a
/// capacity and is full. A thread of the pool never waits for room in its own queue, which it may be the one
/// to make: what a task submits is queued beyond the capacity. Threads of the pool that have nothing to do
/// wait as [`AutoResetEvent`](crate::AutoResetEvent) does. The one that came last is woken first; one that
/// finds more than one task wakes the next.
///
/// # Fairness
///
/// Tasks begin in the order in which they were submitted, except those that a thread of the pool runs while
/// it waits for them. Submitters that wait for room are woken in the order in which they came; another that
/// submits at that moment may be faster. One that was woken in vain and has waited for some time has the next
/// place for itself, so no submitter is passed over without end.
///
/// # Memory ordering
///
/// What was done before a task was submitted happens before it runs. What tasks did happens before the return
/// of a [`join`](Self::join) of the pool that waited for them.
///
/// # Reentrancy and deadlock
///
/// Tasks may submit tasks, join them, open scopes, shut the pool down, and drop it: a pool that is dropped by
/// one of its own threads is shut down, and its threads end on their own. Tasks that wait for each other by
/// other means than joining need as many threads as wait at once; so do those that wait for [one of
/// several](crate::wait_first), where one of these waits for what comes after. What happens to [two pools
/// that wait for each other's tasks](crate::guide::limits#two-pools-that-wait-for-each-others-tasks), to a
/// pool [in a static when `main` returns](crate::guide::limits#a-process-ends-with-main) and to one [after
/// `fork`](crate::guide::limits#fork) stands in the guide.
///
/// # Panics
///
/// A panic of a task ends the task and not its thread; it is in what [`Task::join`] returns.
/// [`new`](Self::new) and [`build`](ThreadPoolBuilder::build) panic if there are to be no threads or the
/// system gives none, and [`join`](Self::join) if a thread of the pool calls it.
///
/// # Differences from `std` and Python
///
/// `std` has none. From Python's `ThreadPoolExecutor`: the threads are there from the beginning; the queue
/// may have a capacity; tasks that wait for tasks of the same pool do not hang; a closure that is not queued
/// is given back. `map` begins all of its calls at once and cancels the rest when it is dropped, as there.
///
/// # Implementation notes
///
/// One queue behind a [`Mutex`](crate::Mutex), an event for each thread, one allocation for each task.
/// Dropping a pool shuts it down by [`Shutdown::Drain`] and joins it. [The guide](crate::guide::threads)
/// says how to choose its size.
#[doc(alias = "ThreadPoolExecutor")]
pub struct ThreadPool {
    shared: Arc<Shared>,
    ending: Arc<Ending>,
    threads: usize,
}

impl ThreadPool {
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Queues `f`, blocking while the queue is full. A thread of the pool does not wait, and exceeds the
    /// capacity.
    ///
    /// # Errors
    ///
    /// Gives `f` back if the pool is shut down, or is shut down while the call waits.
    ///
    /// ```
    /// use lockwork::{Shutdown, ThreadPool};
    ///
    /// let pool = ThreadPool::new(1);
    /// assert_eq!(pool.submit(|| 1).unwrap().join().unwrap(), 1);
    /// pool.shutdown(Shutdown::Drain);
    /// let f = pool.submit(|| 2).unwrap_err().into_inner();
    /// assert_eq!(f(), 2);
    /// ```
    #[doc(alias = "execute")]
    #[doc(alias = "spawn")]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn submit<F, T>(&self, f: F) -> Result<Task<T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.shared
            .submit_by(f, Full::Wait, TimeLimit::never(self.call(Mode::Put)))
            .map_err(|(_, f)| SubmitError(f))
    }

    /// Queues `f` if the queue has room just now. A thread of the pool, too, is refused if it has none.
    ///
    /// # Errors
    ///
    /// Gives `f` back if the queue is full or the pool is shut down.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_submit<F, T>(&self, f: F) -> Result<Task<T>, TrySubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.shared.submit_by(f, Full::Refuse, TimeLimit::never(self.call(Mode::Put))).map_err(
            |(refusal, f)| match refusal {
                Refusal::Full => TrySubmitError::Full(f),
                Refusal::Shutdown => TrySubmitError::Shutdown(f),
            },
        )
    }

    /// Queues `f`, blocking for `timeout` at most while the queue is full. A thread of the pool does not
    /// wait, and exceeds the capacity.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Errors
    ///
    /// Gives `f` back if there was no room in time, or if the pool is shut down or is shut down while the
    /// call waits.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn submit_for<F, T>(&self, f: F, timeout: Duration) -> Result<Task<T>, SubmitTimeoutError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.shared
            .submit_by(f, Full::Wait, TimeLimit::within(timeout, self.call(Mode::Put)))
            .map_err(SubmitTimeoutError::new)
    }

    /// Queues `f`, blocking until `deadline` at most while the queue is full. See
    /// [`submit_for`](Self::submit_for).
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Errors
    ///
    /// As [`submit_for`](Self::submit_for).
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn submit_until<F, T>(&self, f: F, deadline: Instant) -> Result<Task<T>, SubmitTimeoutError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.shared
            .submit_by(f, Full::Wait, TimeLimit::until(deadline, self.call(Mode::Put)))
            .map_err(SubmitTimeoutError::new)
    }

    /// Shuts the pool down: it takes no more tasks, and its threads end when they have nothing left to do.
    ///
    /// Does not wait. May be called again; after [`Shutdown::Drain`], [`Shutdown::Cancel`] cancels what is
    /// still queued. Cancelling drops closures and runs callbacks on the calling thread, before this returns;
    /// in a callback and in a destructor with the exceptions of [`Task::cancel`]. So do not wait for them
    /// there, as a join of the pool does if one of its tasks waits for them.
    ///
    /// ```
    /// use lockwork::{Event, Shutdown, ThreadPool};
    /// use std::sync::Arc;
    ///
    /// let (pool, go) = (ThreadPool::new(1), Arc::new(Event::new()));
    /// let running = pool.submit({ let go = Arc::clone(&go); move || go.wait() }).unwrap();
    /// let waiting = pool.submit(|| ()).unwrap();
    /// go.set();
    /// pool.shutdown(Shutdown::Cancel);
    /// pool.join();
    /// assert!(running.is_finished() && waiting.is_finished());
    /// ```
    pub fn shutdown(&self, how: Shutdown) {
        self.shared.shut_down(how);
    }

    /// Returns whether the pool was shut down.
    #[must_use]
    pub fn is_shutdown(&self) -> bool {
        self.shared.is_closed()
    }

    /// Blocks until the pool has nothing to do: no task is queued and none runs. If it was shut down, until
    /// its threads are gone, their thread-local values included. Any number of threads may join a pool at
    /// once.
    ///
    /// # Panics
    ///
    /// Panics if a thread of the pool calls it, which would wait for itself. If `on_start` has panicked,
    /// resumes the first such panic, once.
    ///
    /// ```
    /// use lockwork::{Mutex, ThreadPool};
    /// use std::sync::Arc;
    ///
    /// let (pool, sum) = (ThreadPool::new(2), Arc::new(Mutex::new(0)));
    /// for n in 1..=10 {
    ///     let sum = Arc::clone(&sum);
    ///     pool.submit(move || *sum.lock() += n).unwrap();
    /// }
    /// pool.join();
    /// assert_eq!(*sum.lock(), 55);
    /// ```
    #[track_caller]
    pub fn join(&self) {
        assert!(!self.shared.is_worker(), "ThreadPool::join: called by one of the pool's own threads");
        self.join_by(&Deadline::NEVER.of_call(&self.call(Mode::Join)));
    }

    /// Blocks as [`join`](Self::join) does, for `timeout` at most. Returns whether the pool had nothing to do
    /// by then.
    ///
    /// If the limit passes while the last thread-local values of a pool that was shut down are dropped, the
    /// result is `false`, and a later call may succeed; the first such call may be late by some milliseconds
    /// (`docs/numbers.md` says by how many).
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Panics
    ///
    /// As [`join`](Self::join).
    #[track_caller]
    pub fn join_for(&self, timeout: Duration) -> bool {
        assert!(!self.shared.is_worker(), "ThreadPool::join_for: called by one of the pool's own threads");
        self.join_by(&Deadline::after(timeout).of_call(&self.call(Mode::Join)))
    }

    /// Blocks as [`join`](Self::join) does, until `deadline` at most. Returns whether the pool had nothing to
    /// do by then.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Panics
    ///
    /// As [`join`](Self::join).
    #[track_caller]
    pub fn join_until(&self, deadline: Instant) -> bool {
        assert!(!self.shared.is_worker(), "ThreadPool::join_until: called by one of the pool's own threads");
        self.join_by(&Deadline::at(deadline).of_call(&self.call(Mode::Join)))
    }

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn call(&self, mode: Mode) -> Call<'_> {
        Call::at(Kind::Pool, mode, Arc::as_ptr(&self.shared))
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn join_by(&self, deadline: &Deadline) -> bool {
        let mut state = self.shared.state.lock();
        let epoch = state.epoch;
        let busy = |state: &State| {
            if state.closed {
                state.alive != 0
            } else {
                (state.queue.len() != 0 || state.idle.len() != state.alive) && state.epoch == epoch
            }
        };
        if busy(&state) && !deadline.has_passed() {
            // Tests once more when the time is up.
            let _ = self.shared.quiescent.wait_while_deadline(&mut state, |state| busy(state), deadline);
        }
        if busy(&state) {
            return false;
        }
        let closed = state.closed;
        drop(state);
        if closed && !self.ending.join_by(deadline) {
            return false;
        }
        let broken = self.shared.state.lock().broken.take();
        if let Some(payload) = broken {
            panic::resume_unwind(payload);
        }
        true
    }

    /// Returns the number of the pool's threads, also after it was shut down.
    #[must_use]
    pub const fn threads(&self) -> usize {
        self.threads
    }

    /// Returns the number of tasks that wait in the queue just now.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.shared.state.lock().queue.len()
    }
}

impl Drop for ThreadPool {
    /// Shuts down by [`Shutdown::Drain`], and waits until all tasks are done and the threads are gone; unless
    /// one of these threads is the caller, in which case they see to it on their own.
    fn drop(&mut self) {
        self.shared.shut_down(Shutdown::Drain);
        if !self.shared.is_worker() {
            self.ending.join(&Deadline::NEVER.of_call(&self.call(Mode::Join)));
        }
    }
}

impl UnwindSafe for ThreadPool {}
impl RefUnwindSafe for ThreadPool {}

impl fmt::Debug for ThreadPool {
    /// Shows how busy it is, or `<locked>`: never blocks.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = self.shared.state.try_lock().map(|state| (state.queue.len(), state.closed));
        let mut shown = f.debug_struct("ThreadPool");
        shown.field("threads", &self.threads);
        match seen {
            Some((queued, closed)) => shown.field("queued", &queued).field("is_shutdown", &closed),
            None => shown.field("queued", &format_args!("<locked>")),
        }
        .finish_non_exhaustive()
    }
}
