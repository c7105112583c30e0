//! [`Worker`]: a thread that can be asked to stop.

use std::fmt;
use std::io;
use std::panic::{self, AssertUnwindSafe, RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ending::Ending;
use super::error::{TaskError, contain, drop_quietly};
use crate::any::AnySource;
use crate::any::sealed::{Handed, Observed, Raw, Sealed};
use crate::event::Event;
use crate::facade::{Deadline, TimeLimit, threads};
use crate::mutex::Mutex;
use crate::observe::{Call, HeldHere, Kind, Mode};
use crate::stop::StopToken;

/// What a worker's thread and its handle share.
struct Shared<T> {
    ended: Event,
    result: Mutex<Option<Result<T, TaskError>>>,
}

/// A thread that can be asked to stop, and whose handle asks it to stop when it is dropped.
///
/// Use it for a loop that lives as long as what it serves: a poller, a flusher, a listener. For many short
/// pieces of work use a [`ThreadPool`](crate::ThreadPool).
///
/// # Examples
///
/// A thread that writes out what has gathered, every so often and once more at the end:
///
/// ```
/// use lockwork::{Mutex, Worker};
/// use std::{sync::Arc, time::Duration};
///
/// let lines = Arc::new(Mutex::new(vec!["first"]));
/// let flusher = Worker::spawn("flusher", {
///     let lines = Arc::clone(&lines);
///     move |stop| {
///         let mut written = 0;
///         loop {
///             let last = stop.wait_for(Duration::from_secs(1));
///             written += lines.lock().drain(..).count();
///             if last {
///                 return written;
///             }
///         }
///     }
/// });
/// lines.lock().push("second");
/// flusher.stop();
/// assert_eq!(flusher.join().unwrap(), 2);
/// ```
///
/// # Blocking
///
/// Stopping is a request: the thread ends when its closure returns. [`StopToken::wait_for`] is a sleep that
/// the request ends. Dropping a worker stops it and waits for its end, without a time limit.
///
/// # Memory ordering
///
/// What was done before [`spawn`](Self::spawn) happens before the thread runs, and what the thread does
/// before the return of a [`join`](Self::join), or of a [`join_for`](Self::join_for) or
/// [`is_alive`](Self::is_alive) that found it ended.
///
/// # Reentrancy and deadlock
///
/// A thread that drops its own worker is stopped and detached: it does not wait for itself. One that joins
/// its own waits indefinitely. A worker in a static is [cut off when `main`
/// returns](crate::guide::limits#a-process-ends-with-main), and is not there [after
/// `fork`](crate::guide::limits#fork).
///
/// # Panics
///
/// [`spawn`](Self::spawn) panics if the system gives no thread or the name has a zero byte in it, and
/// [`stop`](Self::stop) with the panic of a callback of the worker's token; or a join, if callbacks were [put
/// off](crate::StopSource#reentrancy-and-deadlock) until then. A panic of the thread is a value,
/// [`TaskError::Panicked`]; dropping the worker drops that value, and any panic of a callback.
///
/// # Differences from `std` and Python
///
/// From [`std::thread::spawn`]: the thread has a name and can be asked to stop; it can be waited for with a
/// time limit; dropping the handle stops it. From Python's `threading.Thread`: there are no daemons, which
/// end in the middle of something; [`detach`](Self::detach) comes closest.
pub struct Worker<T = ()> {
    shared: Arc<Shared<T>>,
    stop: StopToken,
    /// Which thread it is.
    thread: threads::Id,
    /// None once it is detached, or joined for its result.
    ending: Option<Arc<Ending>>,
}

impl<T: Send + 'static> Worker<T> {
    /// Starts a thread with this name that runs `f`, which is given the token by which it is asked to stop.
    ///
    /// # Panics
    ///
    /// Panics if the name has a zero byte in it, or if the system gives no thread.
    #[track_caller]
    pub fn spawn<F>(name: impl Into<String>, f: F) -> Self
    where
        F: FnOnce(&StopToken) -> T + Send + 'static,
    {
        match Self::start("spawn", name.into(), f) {
            Ok(worker) => worker,
            Err(error) => panic!("Worker::spawn: the system gives no thread: {error}"),
        }
    }

    /// Starts a thread with this name that runs `f`, which is given the token by which it is asked to stop.
    ///
    /// # Errors
    ///
    /// Fails if the system gives no thread.
    ///
    /// # Panics
    ///
    /// Panics if the name has a zero byte in it.
    #[track_caller]
    pub fn try_spawn<F>(name: impl Into<String>, f: F) -> io::Result<Self>
    where
        F: FnOnce(&StopToken) -> T + Send + 'static,
    {
        Self::start("try_spawn", name.into(), f)
    }

    /// Starts the thread. `call` is what the user called, for the panic.
    #[track_caller]
    fn start<F>(call: &str, name: String, f: F) -> io::Result<Self>
    where
        F: FnOnce(&StopToken) -> T + Send + 'static,
    {
        assert!(!name.contains('\0'), "Worker::{call}: a name must not have a zero byte in it");
        let shared = Arc::new(Shared { ended: Event::new(), result: Mutex::hidden(None) });
        let stop = StopToken::new();
        let (own, token) = (Arc::clone(&shared), stop.clone());
        let place = Call::at(Kind::Worker, Mode::Run, Arc::as_ptr(&shared)).subject();
        let handle = threads::Handle::spawn(name, None, move || {
            let _running = HeldHere::always(place);
            let result = panic::catch_unwind(AssertUnwindSafe(|| f(&token))).map_err(TaskError::Panicked);
            *own.result.lock() = Some(result);
            own.ended.set();
        })?;
        Ok(Self { shared, stop, thread: handle.id(), ending: Some(Ending::of(vec![handle])) })
    }
}

impl<T> Worker<T> {
    /// Asks the thread to stop. Does not wait for its end; callbacks of its token run here
    /// ([`StopToken::on_stop`]).
    ///
    /// # Panics
    ///
    /// Resumes the first panic of a callback, when all others have run.
    pub fn stop(&self) {
        self.stop.stop();
    }

    /// Returns the token that the thread was given. A clone of it outlives the worker.
    #[must_use]
    pub const fn stop_token(&self) -> &StopToken {
        &self.stop
    }

    /// Returns whether the thread still runs its closure.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.shared.ended.is_set()
    }

    /// Blocks until the thread has ended, and returns its result. Does not ask it to stop.
    ///
    /// # Errors
    ///
    /// Fails if it panicked, with the panic's payload.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn join(mut self) -> Result<T, TaskError> {
        self.stop.catch_up();
        let deadline = Deadline::NEVER.of_call(&self.call());
        self.shared.ended.wait_within(TimeLimit::before(&deadline, self.call()));
        self.join_thread(&deadline);
        self.ending = None;
        let result = self.shared.result.lock().take();
        result.unwrap_or_else(|| unreachable!("it has ended, and there is one handle"))
    }

    /// Blocks until the thread has ended, for `timeout` at most. Returns whether it has ended;
    /// [`join`](Self::join) then returns its result.
    ///
    /// A thread has ended when its thread-local values have been dropped, too. If the limit passes while they
    /// are, the result is `false`, and a later call may succeed. Where [`is_alive`](Self::is_alive) says
    /// `false` already, the first such call may be late by some milliseconds (`docs/numbers.md` says by how
    /// many). In the thread's own thread-local destructors, which cannot wait for their own end, it is `true`
    /// as soon as the closure has returned.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// ```
    /// use lockwork::Worker;
    /// use std::time::Duration;
    ///
    /// let worker = Worker::spawn("sleeper", |stop| stop.wait());
    /// assert!(!worker.join_for(Duration::from_millis(1)));
    /// worker.stop();
    /// assert!(worker.join_for(Duration::from_secs(10)));
    /// assert!(!worker.is_alive());
    /// ```
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn join_for(&self, timeout: Duration) -> bool {
        self.join_by(&Deadline::after(timeout).of_call(&self.call()))
    }

    /// Blocks until the thread has ended, until `deadline` at most. Returns whether it has ended.
    ///
    /// See [time limits](crate#time-limits).
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn join_until(&self, deadline: Instant) -> bool {
        self.join_by(&Deadline::at(deadline).of_call(&self.call()))
    }

    /// Lets the thread run on without a handle. It is not asked to stop; a clone of its token can do that.
    ///
    /// ```
    /// let worker = lockwork::Worker::spawn("background", |stop| stop.wait());
    /// let stop = worker.stop_token().clone();
    /// worker.detach();
    /// stop.stop();
    /// ```
    pub fn detach(mut self) {
        self.ending = None;
    }

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn call(&self) -> Call<'_> {
        Call::at(Kind::Worker, Mode::Join, Arc::as_ptr(&self.shared))
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn join_by(&self, deadline: &Deadline) -> bool {
        self.stop.catch_up();
        let limit = TimeLimit::before(deadline, self.call());
        self.shared.ended.wait_within(limit) && self.join_thread(deadline)
    }

    /// Waits until the system has a thread back that has nothing left to do but end.
    fn join_thread(&self, deadline: &Deadline) -> bool {
        // A thread's thread-local destructors are part of its end, and one of them may be here.
        let other = self.ending.as_ref().filter(|_| self.thread != threads::current_id());
        other.is_none_or(|ending| ending.join_by(deadline))
    }
}

impl<T> Drop for Worker<T> {
    /// Stops the thread and waits for its end, unless it was joined or detached, or is the calling thread.
    fn drop(&mut self) {
        if self.ending.as_ref().is_some_and(|ending| !ending.is_gone()) {
            // A callback's panic has nowhere to go: the thread must be waited for first, and others may be on
            // their way.
            contain(|| {
                self.stop.stop();
                // The thread may end only when the callbacks have run.
                self.stop.catch_up();
            });
            self.join_thread(&Deadline::NEVER.of_call(&self.call()));
        }
        let result = self.shared.result.lock().take();
        drop_quietly(result);
    }
}

impl<T> UnwindSafe for Worker<T> {}
impl<T> RefUnwindSafe for Worker<T> {}

impl<T> fmt::Debug for Worker<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("is_alive", &self.is_alive())
            .field("is_stopped", &self.stop.is_stopped())
            .finish_non_exhaustive()
    }
}

impl<T> Sealed for &Worker<T> {}

impl<T> AnySource for &Worker<T> {
    type Output = ();

    fn any_raw(&self) -> Raw<'_> {
        Raw(self.shared.ended.raw())
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn any_observed(&self) -> Observed<'_> {
        Observed(self.call())
    }

    #[inline]
    fn any_is_ready(&self) -> bool {
        !self.is_alive()
    }

    fn any_attempt(&mut self, handed: Handed) -> Option<()> {
        (handed.0 || !self.is_alive()).then_some(())
    }
}
