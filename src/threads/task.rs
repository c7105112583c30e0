//! [`Task`], what becomes of it, and the cell that a task and its handle share.
//!
//! A cell's stage, under its lock:
//!
//! | stage | means | next |
//! |---|---|---|
//! | `Queued` | not begun; has the closure | `Running`, `Cancelled` |
//! | `Running` | a thread runs it | `Finished`, or `Taken` if the handle is gone |
//! | `Finished` | has the result | `Taken`, by the handle |
//! | `Cancelled` | never runs; has the closure until it is dropped | |
//! | `Taken` | has neither closure nor result | |
//!
//! 1. Whoever takes the closure out of a queued cell decides its fate, once: run, or cancelled. Who runs it has taken
//!    the task out of the pool's queue before.
//! 2. `done` is set when the stage has become `Finished`, `Cancelled` or `Taken`, under the lock. A listener that found
//!    `done` clear under the lock is therefore found by the thread that sets it. The closure is gone by then, unless it
//!    is that of a task that was cancelled while another closure or result was dropped (see `completion`).
//! 3. A result is in a cell only as long as the handle exists, or until it is dropped, if that was put off; the task has
//!    entered its scope once more then. So when a task has left its scope for the last time, and its handle is gone or
//!    forgotten, nothing that the scope lent is in the cell; the cell itself may go at any time.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::mem;
use std::panic::{self, AssertUnwindSafe, RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::completion::{self, Callback};
use super::pool::Shared;
use super::scope::{Members, outlive};
use super::together::Watcher;
use crate::event::Event;
use crate::facade::Deadline;
use crate::mutex::{Mutex, MutexGuard};

/// What a panic carries.
pub(super) type Payload = Box<dyn Any + Send + 'static>;

/// Runs code of the user's where a panic has nowhere to go: its hook has reported it.
pub(super) fn contain(f: impl FnOnce()) {
    let result = panic::catch_unwind(AssertUnwindSafe(f));
    // The payload's own destructor is the user's code, too; what that panics with is nobody's any more.
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| drop(result))) {
        mem::forget(payload);
    }
}

/// Drops a value of the user's where a panic has nowhere to go.
pub(super) fn drop_quietly<T>(value: T) {
    contain(|| drop(value));
}

/// Why a [`Task`] or a [`Worker`](crate::Worker) has no result.
pub enum TaskError {
    /// It panicked, with this payload.
    Panicked(Box<dyn Any + Send + 'static>),
    /// It was cancelled before it began, and never ran.
    Cancelled,
}

impl TaskError {
    /// Whether it panicked.
    #[must_use]
    pub const fn is_panicked(&self) -> bool {
        matches!(self, Self::Panicked(_))
    }

    /// Whether it was cancelled.
    #[must_use]
    pub const fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled)
    }

    /// The payload of the panic, for [`std::panic::resume_unwind`]; nothing if the task was cancelled.
    ///
    /// ```
    /// let pool = lockwork::ThreadPool::new(1);
    /// let task = pool.submit(|| panic!("no luck")).unwrap();
    /// let payload = task.join().unwrap_err().into_panic().unwrap();
    /// assert_eq!(*payload.downcast::<&str>().unwrap(), "no luck");
    /// ```
    #[must_use]
    pub fn into_panic(self) -> Option<Box<dyn Any + Send + 'static>> {
        match self {
            Self::Panicked(payload) => Some(payload),
            Self::Cancelled => None,
        }
    }

    /// The message of the panic, if it was one with a message.
    fn message(&self) -> Option<&str> {
        let Self::Panicked(payload) = self else { return None };
        let text = payload.downcast_ref::<&str>().copied();
        text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
    }
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.message()) {
            (Self::Cancelled, _) => f.write_str("Cancelled"),
            (Self::Panicked(_), Some(message)) => f.debug_tuple("Panicked").field(&message).finish(),
            (Self::Panicked(_), None) => f.write_str("Panicked(..)"),
        }
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.message()) {
            (Self::Cancelled, _) => f.write_str("the task was cancelled"),
            (Self::Panicked(_), Some(message)) => write!(f, "the task panicked: {message}"),
            (Self::Panicked(_), None) => f.write_str("the task panicked"),
        }
    }
}

impl Error for TaskError {}

/// What a pool's queue knows of a task.
pub(super) trait Job: Send + Sync {
    /// Runs it, if it was not cancelled. Returns whether it was run.
    fn run(&self) -> bool;

    /// Cancels it, if it has not begun. Returns whether it is cancelled now.
    fn cancel(self: Arc<Self>) -> bool;

    /// Drops the closure or the result, which was put off ([`completion::put_off`]).
    fn finish(&self);

    /// Whether it belongs to a scope, which waits for it.
    fn is_scoped(&self) -> bool;
}

/// What a handle knows of a task.
pub(super) trait Outcome<T>: Job {
    fn done(&self) -> &Event;

    /// Tells `listener` when it is done. Gives it back if it is done already.
    fn listen(&self, listener: Listener) -> Option<Listener>;

    /// Forgets this watcher.
    fn unwatch(&self, watcher: &Watcher);

    /// The result of a task that is done, which nobody else takes.
    fn take(&self) -> Result<T, TaskError>;

    /// The handle is gone: drops the result, now or when it is there.
    fn detach(&self);

    /// [`detach`](Self::detach) that puts the drop off.
    fn detach_later(self: Arc<Self>);
}

/// What is to be told that a task is done.
pub(super) enum Listener {
    Callback(Callback),
    Watcher(Watcher),
}

enum Stage<T, F> {
    Queued(F),
    Running,
    Finished(Result<T, TaskError>),
    Cancelled(Option<F>),
    Taken,
}

struct State<T, F> {
    stage: Stage<T, F>,
    /// The handle is gone.
    detached: bool,
    /// In order of registration.
    listeners: Vec<Listener>,
}

/// What a task and its handle share.
pub(super) struct Cell<T, F> {
    members: Option<Arc<Members>>,
    state: Mutex<State<T, F>>,
    done: Event,
}

impl<T, F: FnOnce() -> T> Cell<T, F> {
    pub(super) fn new(members: Option<Arc<Members>>, f: F) -> Self {
        let state = State { stage: Stage::Queued(f), detached: false, listeners: Vec::new() };
        Self { members, state: Mutex::new(state), done: Event::new() }
    }

    /// The closure of a cell that was never queued.
    pub(super) fn into_closure(self: Arc<Self>) -> F {
        match Arc::into_inner(self).map(|cell| cell.state.into_inner().stage) {
            Some(Stage::Queued(f)) => f,
            _ => unreachable!("a cell that nobody else knows"),
        }
    }

    /// Takes the closure out to run it, if it is still there (invariant 1).
    fn claim(&self) -> Option<F> {
        let mut state = self.state.lock();
        if !matches!(state.stage, Stage::Queued(_)) {
            return None;
        }
        match mem::replace(&mut state.stage, Stage::Running) {
            Stage::Queued(f) => Some(f),
            _ => unreachable!("it was queued"),
        }
    }

    /// Runs it and stores the result, or drops it if the handle is gone. Returns the callbacks.
    fn execute(&self, f: F) -> Vec<Callback> {
        let result = panic::catch_unwind(AssertUnwindSafe(f)).map_err(TaskError::Panicked);
        let mut state = self.state.lock();
        if state.detached {
            state.stage = Stage::Taken;
            let mut callbacks = self.settle(state);
            callbacks.append(&mut completion::drop_now(|| self.discard(result)));
            callbacks
        } else {
            state.stage = Stage::Finished(result);
            self.settle(state)
        }
    }
}

impl<T, F> Cell<T, F> {
    /// Ends all waiting for it. Returns the callbacks.
    fn settle(&self, mut state: MutexGuard<'_, State<T, F>>) -> Vec<Callback> {
        // Invariant 2: under the lock.
        self.done.set();
        let listeners = mem::take(&mut state.listeners);
        drop(state);
        let mut callbacks = Vec::new();
        for listener in listeners {
            match listener {
                Listener::Callback(callback) => callbacks.push(callback),
                Listener::Watcher(watcher) => watcher.tell(),
            }
        }
        callbacks
    }

    /// The last thing that happens to a task: its scope may end.
    ///
    /// Not from a function that has the closure or the result as an argument: what they borrow must live for as long
    /// as such a function runs, used or not, and after this it need not.
    fn leave(&self) {
        if let Some(members) = &self.members {
            members.leave();
        }
    }

    /// Begins a cancellation, if the task has not begun. Otherwise returns whether it was cancelled before.
    fn withdraw(&self) -> Result<MutexGuard<'_, State<T, F>>, bool> {
        let mut state = self.state.lock();
        if !matches!(state.stage, Stage::Queued(_)) {
            return Err(matches!(state.stage, Stage::Cancelled(_)));
        }
        state.stage = match mem::replace(&mut state.stage, Stage::Taken) {
            Stage::Queued(f) => Stage::Cancelled(Some(f)),
            _ => unreachable!("it was queued"),
        };
        Ok(state)
    }

    /// Drops what the handle does not take any more.
    fn drop_rest(&self) {
        let mut state = self.state.lock();
        let detached = state.detached;
        match &mut state.stage {
            Stage::Cancelled(closure) => {
                let closure = closure.take();
                drop(state);
                drop_quietly(closure);
            }
            Stage::Finished(_) if detached => {
                let finished = mem::replace(&mut state.stage, Stage::Taken);
                drop(state);
                if let Stage::Finished(result) = finished {
                    // As it would have been by the thread that ran the task, had it come second.
                    contain(|| self.discard(result));
                }
            }
            _ => {}
        }
    }

    /// Drops a result that is not taken. Its scope passes a panic on.
    fn discard(&self, result: Result<T, TaskError>) {
        match (result, &self.members) {
            (Err(TaskError::Panicked(payload)), Some(members)) => members.report(payload),
            (result, _) => drop(result),
        }
    }
}

impl<T: Send, F: FnOnce() -> T + Send> Job for Cell<T, F> {
    fn run(&self) -> bool {
        let Some(f) = self.claim() else { return false };
        completion::separately(|| {
            let callbacks = self.execute(f);
            completion::call(callbacks);
        });
        self.leave();
        true
    }

    fn cancel(self: Arc<Self>) -> bool {
        let state = match self.withdraw() {
            Ok(state) => state,
            Err(cancelled) => return cancelled,
        };
        if completion::is_dropping() {
            let callbacks = self.settle(state);
            completion::call(callbacks);
            // SAFETY: if it borrows from a scope, it leaves that only in `finish`, which drops the closure before.
            completion::put_off(unsafe { outlive(self) });
        } else {
            drop(state);
            let mut callbacks = completion::drop_now(|| self.drop_rest());
            callbacks.append(&mut self.settle(self.state.lock()));
            completion::call(callbacks);
            self.leave();
        }
        true
    }

    fn finish(&self) {
        self.drop_rest();
        self.leave();
    }

    fn is_scoped(&self) -> bool {
        self.members.is_some()
    }
}

impl<T: Send, F: FnOnce() -> T + Send> Outcome<T> for Cell<T, F> {
    fn done(&self) -> &Event {
        &self.done
    }

    fn listen(&self, listener: Listener) -> Option<Listener> {
        let mut state = self.state.lock();
        if self.done.is_set() {
            return Some(listener);
        }
        state.listeners.push(listener);
        None
    }

    fn unwatch(&self, watcher: &Watcher) {
        let other = |listener: &Listener| !matches!(listener, Listener::Watcher(own) if own.is(watcher));
        self.state.lock().listeners.retain(other);
    }

    fn take(&self) -> Result<T, TaskError> {
        let mut state = self.state.lock();
        if let Stage::Cancelled(_) = state.stage {
            return Err(TaskError::Cancelled);
        }
        match mem::replace(&mut state.stage, Stage::Taken) {
            Stage::Finished(result) => result,
            _ => unreachable!("it is done, and there is one handle"),
        }
    }

    fn detach(&self) {
        let mut state = self.state.lock();
        state.detached = true;
        let finished = matches!(state.stage, Stage::Finished(_));
        drop(state);
        if finished {
            completion::call(completion::drop_now(|| self.drop_rest()));
        }
    }

    fn detach_later(self: Arc<Self>) {
        let mut state = self.state.lock();
        state.detached = true;
        let finished = matches!(state.stage, Stage::Finished(_));
        drop(state);
        if finished {
            if let Some(members) = &self.members {
                members.enter();
            }
            // SAFETY: if it borrows from a scope, that has not ended, because there was a handle; so the task has entered
            // it again in time, and leaves it only in `finish`, which drops the result before.
            completion::put_off(unsafe { outlive(self) });
        }
    }
}

/// The one handle of a task. Dropping it detaches the task.
pub(super) struct Handle<'a, T> {
    cell: Arc<dyn Outcome<T> + 'a>,
    pool: Arc<Shared>,
    /// Of a task that was queued.
    ticket: Option<u64>,
    /// There is no result any more.
    taken: bool,
}

impl<'a, T> Handle<'a, T> {
    pub(super) fn new(cell: Arc<dyn Outcome<T> + 'a>, pool: &Arc<Shared>, ticket: Option<u64>) -> Self {
        Self { cell, pool: Arc::clone(pool), ticket, taken: false }
    }

    pub(super) fn is_finished(&self) -> bool {
        self.cell.done().is_set()
    }

    pub(super) fn cancel(&self) -> bool {
        // First, because it makes room. If a thread of the pool was faster it may still be too late to run the task.
        let _ = self.ticket.and_then(|ticket| self.pool.remove(ticket));
        Arc::clone(&self.cell).cancel()
    }

    pub(super) fn listen(&self, listener: Listener) -> Option<Listener> {
        self.cell.listen(listener)
    }

    pub(super) fn unwatch(&self, watcher: &Watcher) {
        self.cell.unwatch(watcher);
    }

    /// Runs the task here if it has not begun and the calling thread is one of its pool: the other threads may all
    /// be waiting like this one. Nothing but the task that is waited for is run, so that whatever lies above the
    /// waiting call on this thread's stack is something that the call waits for.
    pub(super) fn help(&self) -> bool {
        let ahead = |ticket| self.pool.is_worker() && self.pool.run_ahead(ticket);
        !self.is_finished() && self.ticket.is_some_and(ahead)
    }

    pub(super) fn wait(&self) {
        self.help();
        self.cell.done().wait();
    }

    pub(super) fn join(self) -> Result<T, TaskError> {
        self.wait();
        self.take()
    }

    /// Says whether it is done. Runs nothing here, as it could not stop in time; but for ever is no time.
    pub(super) fn wait_for(&self, timeout: Duration) -> bool {
        if timeout == Duration::MAX {
            self.wait();
        }
        self.cell.done().wait_for(timeout)
    }

    pub(super) fn wait_until(&self, deadline: Instant) -> bool {
        self.cell.done().wait_until(deadline)
    }

    pub(super) fn wait_deadline(&self, deadline: &Deadline) -> bool {
        self.cell.done().wait_deadline(deadline)
    }

    pub(super) fn join_for(self, timeout: Duration) -> Result<Result<T, TaskError>, Self> {
        if self.wait_for(timeout) { Ok(self.take()) } else { Err(self) }
    }

    pub(super) fn join_until(self, deadline: Instant) -> Result<Result<T, TaskError>, Self> {
        if self.wait_until(deadline) { Ok(self.take()) } else { Err(self) }
    }

    /// The result of a task that is done.
    fn take(mut self) -> Result<T, TaskError> {
        self.taken = true;
        self.cell.take()
    }
}

impl<T> Drop for Handle<'_, T> {
    fn drop(&mut self) {
        if self.taken {
            return;
        }
        if completion::is_dropping() {
            Arc::clone(&self.cell).detach_later();
        } else {
            self.cell.detach();
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
/// Made by [`ThreadPool::submit`](crate::ThreadPool::submit). Use it to get at the result, to wait for it with or
/// without a time limit, and to take a task back that has not begun. Dropping it detaches the task, which runs all the
/// same; its result is dropped, and if it panics, or its result does on being dropped, nobody is told but the panic
/// hook.
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
/// [`join`](Self::join) waits as [`Event`] does. A thread of the pool that joins a task of the same pool which has
/// not begun runs it itself, so a task may submit others and wait for them even if the pool has only one thread. The
/// timed forms do not, because they could not stop in time; they wait for another thread to do it, unless they may wait
/// for ever ([`Duration::MAX`]).
///
/// # Memory ordering
///
/// What was done before a task was submitted happens before it runs, and what it does before its result is seen: by
/// `join`, by [`is_finished`](Self::is_finished) that says `true`, and by a callback.
///
/// # Reentrancy and deadlock
///
/// A task that joins itself, or two that join each other, wait for ever. A task runs while the one that joins it
/// waits, possibly on the same thread: a lock that is held across a `join` is held while the joined task runs, and a
/// long chain of tasks each of which joins the next needs stack like a recursion of that depth.
///
/// # Panics
///
/// No method panics. A panic of the task is a value, [`TaskError::Panicked`].
///
/// # Differences from `std` and Python
///
/// From [`std::thread::JoinHandle`]: it can be cancelled, waited for with a time limit, and has callbacks. From
/// Python's `concurrent.futures.Future`: the result goes to one caller, by value; nobody but the pool completes it.
///
/// # Implementation notes
///
/// One allocation for the closure, the result, a [`Mutex`] and an [`Event`] together. Cancelling takes
/// the task out of the pool's queue at once.
pub struct Task<T>(pub(super) Handle<'static, T>);

impl<T> Task<T> {
    /// Returns the task's id, by which it is known again where tasks come in another order than they were submitted in: see
    /// [`as_completed`](crate::as_completed).
    #[must_use]
    pub fn id(&self) -> TaskId {
        let ticket = self.0.ticket.unwrap_or_else(|| unreachable!("it was queued"));
        TaskId { pool: self.0.pool.number(), ticket }
    }

    /// Waits until the task is done, for as long as it takes, and returns its result.
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
    ///     Err(TaskError::Cancelled) => unreachable!("nobody did"),
    /// }
    /// ```
    pub fn join(self) -> Result<T, TaskError> {
        self.0.join()
    }

    /// Waits until the task is done, `timeout` at most. [`Duration::ZERO`] asks once, [`Duration::MAX`] waits for
    /// ever.
    ///
    /// # Errors
    ///
    /// Gives the task back if it was not done in time. The inner result is that of [`join`](Self::join).
    pub fn join_for(self, timeout: Duration) -> Result<Result<T, TaskError>, Self> {
        self.0.join_for(timeout).map_err(Self)
    }

    /// Waits until the task is done, until `deadline` at most. A deadline in the past asks once.
    ///
    /// # Errors
    ///
    /// As [`join_for`](Self::join_for).
    pub fn join_until(self, deadline: Instant) -> Result<Result<T, TaskError>, Self> {
        self.0.join_until(deadline).map_err(Self)
    }

    /// Whether the task is done: has returned, has panicked, or was cancelled.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    /// Cancels the task if it has not begun. Says whether it is cancelled: `true` also if it was before, `false` if
    /// it runs or has run.
    ///
    /// A cancelled task leaves the pool's queue, its closure is dropped and its callbacks run before this returns. There are
    /// two exceptions, which keep a chain of tasks each of which cancels the next from needing stack for each. In a
    /// callback, those of the cancelled task run when that callback returns (see [`on_done`](Self::on_done)). In the
    /// destructor of what a cancelled closure has captured, or of a result that is dropped, the task is done when this
    /// returns, but its closure is dropped after that destructor.
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

    /// Calls `f` when the task is done, or at once if it is. Those of one task are called in the order in which they
    /// were registered.
    ///
    /// It runs on the thread that ran the task, or that cancelled it, before that thread goes on to anything else;
    /// or on the calling thread, if the task is done. A thread that joins the task may be released before. A panic in it
    /// is reported by the panic hook and goes no further. Dropping the task keeps its callbacks.
    ///
    /// Callbacks are not nested. Those of a task that is completed from within a callback run when that callback returns,
    /// on the same thread, before the outermost call returns (of `cancel`, say); and so does a callback that is registered
    /// from within a callback for a task that is done. So a chain of any length, each callback of which cancels the next
    /// task, needs no more stack than one. A callback must not wait for one that it has brought about in this way.
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
            completion::call(vec![callback]);
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
