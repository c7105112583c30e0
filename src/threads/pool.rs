//! [`ThreadPool`], its builder, and why it does not take a task.

use std::error::Error;
use std::fmt;
use std::io;
use std::mem;
use std::panic::{self, AssertUnwindSafe, RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ending::Ending;
use super::map::{Map, MapAhead};
use super::queue::Queue;
use super::task::{Cell, Handle, Job, Outcome, Payload, Task, drop_quietly};
use crate::condvar::Condvar;
use crate::event::{AutoResetEvent, Event};
use crate::facade::{Deadline, threads, unique_number};
use crate::mutex::{Mutex, MutexGuard};

/// What the threads of a pool, its handle and its tasks share.
pub(super) struct Shared {
    /// No other pool has or had the same.
    number: u64,
    capacity: usize,
    /// The threads of the pool, those included that have ended: no other thread is ever given their ids.
    workers: Vec<threads::Id>,
    /// Each wakes the thread of the same number, once for each time that this thread is taken out of those that are
    /// idle.
    bells: Vec<AutoResetEvent>,
    state: Mutex<State>,
    /// Notified once for each task that left the queue, and all when the pool is shut down. Submitters wait.
    room: Condvar,
    /// All are notified when there is nothing to do, and when the last thread ends.
    quiet: Condvar,
}

/// What the lock guards.
///
/// No wake-up is lost, because whenever the lock is free, tasks are queued and threads idle, one is coming: who
/// queues a task calls one, who takes a task and leaves others calls the next, and a thread becomes idle only if the
/// queue is empty. So a burst of tasks wakes threads one after the other for as long as there is something for them to
/// do, and while one is on its way, submitting costs no wake-up.
///
/// For room: each task that leaves the queue notifies one submitter; one that reports a time-out was not notified.
struct State {
    queue: Queue<Arc<dyn Job>>,
    /// Shut down: takes no tasks but those of scopes, from its own threads.
    closed: bool,
    /// How many threads have not ended.
    alive: usize,
    /// Of those, the numbers of the threads that wait for work. The last to come is the first to be called: it may
    /// not sleep yet, and its caches are warm.
    idle: Vec<usize>,
    /// A thread was called that has not looked at the queue yet.
    coming: bool,
    /// How often there was nothing to do. Tells a joiner that it was so, even if it is not any more.
    rounds: u64,
    /// A panic of `on_start`.
    broken: Option<Payload>,
}

impl State {
    /// The number of an idle thread whose bell is to be rung, for a task that is queued; nothing if another is
    /// coming, or none is idle.
    #[must_use]
    fn call(&mut self) -> Option<usize> {
        if self.coming {
            return None;
        }
        let called = self.idle.pop();
        self.coming = called.is_some();
        called
    }
}

/// Where a task stands in the queue.
pub(super) struct Place {
    pub(super) ticket: u64,
    /// Nothing is queued that has a smaller one.
    pub(super) oldest: u64,
}

/// Why a task was not taken.
pub(super) enum Refusal {
    Full,
    Shutdown,
}

/// What a submitter does about a full queue.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// Waits; a thread of the pool does not, and exceeds the capacity.
    Wait,
    /// Gives up.
    Refuse,
}

impl Shared {
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// Whether the calling thread is one of the pool.
    pub(super) fn is_worker(&self) -> bool {
        self.workers.contains(&threads::current_id())
    }

    /// Takes a task out of the queue, if it is still there.
    pub(super) fn remove(&self, ticket: u64) -> Option<Arc<dyn Job>> {
        let removed = self.state.lock().queue.remove(ticket);
        if removed.is_some() {
            self.room.notify_one();
        }
        removed
    }

    /// Runs a task here, if it is still in the queue. Says whether it was run.
    pub(super) fn run_ahead(&self, ticket: u64) -> bool {
        self.remove(ticket).is_some_and(|job| job.run())
    }

    fn ring(&self, called: impl IntoIterator<Item = usize>) {
        called.into_iter().for_each(|number| self.bells[number].set());
    }

    /// The lock, when a task can be queued.
    fn admit(
        &self,
        full: Full,
        deadline: impl FnOnce() -> Deadline,
    ) -> Result<MutexGuard<'_, State>, Refusal> {
        let mut state = self.state.lock();
        let blocked = |state: &State| !state.closed && state.queue.len() >= self.capacity;
        if blocked(&state) && full == Full::Wait {
            if self.is_worker() {
                return Ok(state);
            }
            let deadline = deadline();
            if !deadline.has_passed() {
                // Tests once more when the time is up.
                let _ = self.room.wait_while_deadline(&mut state, |state| blocked(state), &deadline);
            }
        }
        if state.closed {
            Err(Refusal::Shutdown)
        } else if blocked(&state) {
            Err(Refusal::Full)
        } else {
            Ok(state)
        }
    }

    fn push(&self, mut state: MutexGuard<'_, State>, job: Arc<dyn Job>) -> Place {
        let ticket = state.queue.push(job);
        let place = Place { ticket, oldest: state.queue.oldest() };
        let called = state.call();
        drop(state);
        self.ring(called);
        place
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    pub(super) fn submit_by<T, F>(
        self: &Arc<Self>,
        f: F,
        full: Full,
        deadline: impl FnOnce() -> Deadline,
    ) -> Result<Task<T>, (Refusal, F)>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        // Before the lock: it allocates.
        let cell = Arc::new(Cell::new(None, f));
        match self.admit(full, deadline) {
            Ok(state) => {
                let place = self.push(state, Arc::clone(&cell) as Arc<dyn Job>);
                Ok(Task(Handle::new(cell as Arc<dyn Outcome<T>>, self, Some(place.ticket))))
            }
            Err(refusal) => Err((refusal, cell.into_closure())),
        }
    }

    /// Queues a task of a scope, waiting for room. If it does not, there is nobody who would run it.
    pub(super) fn enqueue_scoped(&self, job: Arc<dyn Job>) -> Option<Place> {
        let state = match self.admit(Full::Wait, || Deadline::NEVER) {
            Ok(state) => state,
            // A thread of the pool that is here has not ended, and looks at the queue before it does.
            Err(_) if self.is_worker() => self.state.lock(),
            Err(_) => return None,
        };
        Some(self.push(state, job))
    }

    fn shut_down(&self, how: Shutdown) {
        let mut state = self.state.lock();
        let before = mem::replace(&mut state.closed, true);
        let idle = mem::take(&mut state.idle);
        let cancelled = match how {
            Shutdown::Drain => Vec::new(),
            // Those of scopes are part of calls that are under way.
            Shutdown::Cancel => state.queue.take_all(|job| !job.is_scoped()),
        };
        drop(state);
        self.ring(idle);
        if !before {
            self.room.notify_all();
        }
        for job in cancelled {
            job.cancel();
        }
    }

    /// Of a thread that cannot begin: shuts down, and leaves the first such panic to who joins the pool.
    fn break_down(&self, payload: Payload) {
        let mut state = self.state.lock();
        let spare = if state.broken.is_none() { state.broken.replace(payload) } else { Some(payload) };
        drop(state);
        drop_quietly(spare);
        self.shut_down(Shutdown::Cancel);
    }

    /// What the thread of this number does next; nothing if it is to end.
    fn next(&self, number: usize) -> Option<Arc<dyn Job>> {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.queue.pop() {
                let called = if state.queue.len() == 0 { None } else { state.call() };
                drop(state);
                self.ring(called);
                self.room.notify_one();
                return Some(job);
            }
            if state.closed {
                state.alive -= 1;
                let last = state.alive == 0;
                drop(state);
                if last {
                    self.quiet.notify_all();
                }
                return None;
            }
            state.idle.push(number);
            if state.idle.len() == state.alive {
                state.rounds += 1;
                self.quiet.notify_all();
            }
            drop(state);
            self.bells[number].wait();
            state = self.state.lock();
            state.coming = false;
        }
    }

    /// What the thread of this number does.
    fn work(&self, number: usize, on_start: Option<Hook>) {
        if let Some(on_start) = on_start {
            if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| on_start())) {
                self.break_down(payload);
            }
            drop_quietly(on_start);
        }
        while let Some(job) = self.next(number) {
            job.run();
        }
    }
}

/// Where threads wait for the pool that they are going to be of, which knows them all from the beginning.
struct Start {
    open: Event,
    /// Nothing if there is to be none.
    pool: Mutex<Option<Arc<Shared>>>,
}

impl Start {
    fn wait(&self) -> Option<Arc<Shared>> {
        self.open.wait();
        self.pool.lock().clone()
    }
}

type Hook = Arc<dyn Fn() + Send + Sync>;

/// What becomes of the tasks that wait in the queue when a [`ThreadPool`] is shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shutdown {
    /// They are run.
    Drain,
    /// They are cancelled. Those that run already run to their end, and those of a [`scope`](ThreadPool::scope) are
    /// run.
    Cancel,
}

/// A fixed number of threads that run tasks from one queue.
///
/// Use it for tasks that wait for something (files, sockets, locks), for background work whose results are wanted
/// later, and wherever a thread for each piece of work would be too many threads. To spread a computation over
/// the processors, many small pieces of it, use `rayon`, whose threads take work from each other without one queue
/// between them; for one long-lived loop use a [`Worker`](crate::Worker).
///
/// # Examples
///
/// ```
/// use lockwork::ThreadPool;
///
/// let pool = ThreadPool::new(4);
/// let task = pool.submit(|| (1..=10).product::<u64>()).unwrap();
/// assert_eq!(task.join().unwrap(), 3_628_800);
/// ```
///
/// A server's pool: named threads, a queue that does not grow without bound, and an end that keeps what was accepted:
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
/// Submitting locks a [`Mutex`] for a few instructions, and waits only if the queue was given a capacity and is full.
/// A thread of the pool never waits for room in its own queue, which it may be the one to make: what a task submits is
/// queued beyond the capacity. Threads of the pool that have nothing to do wait as [`AutoResetEvent`] does. The one that
/// came last is woken first; one that finds more than one task wakes the next.
///
/// # Fairness
///
/// Tasks begin in the order in which they were submitted, except those that a thread of the pool runs while it joins
/// them. Submitters that wait for room are woken in the order in which they came; one that comes by at that moment may
/// be faster.
///
/// # Memory ordering
///
/// What was done before a task was submitted happens before it runs. What tasks did happens before the return of a
/// [`join`](Self::join) of the pool that waited for them.
///
/// # Reentrancy and deadlock
///
/// Tasks may submit tasks, join them, open scopes, shut the pool down, and drop it: a pool that is dropped by one of
/// its own threads is shut down, and its threads end on their own. Tasks that wait for each other by other means than
/// joining need as many threads as wait at once.
/// Two pools that wait for each other, a pool in a static, `fork`: [what the types cannot tell you](crate::guide::limits).
///
/// # Panics
///
/// A panic of a task ends the task and not its thread; it is in what [`Task::join`] returns. [`new`](Self::new) and
/// [`build`](ThreadPoolBuilder::build) panic if there are to be no threads or the system gives none, and
/// [`join`](Self::join) if a thread of the pool calls it.
///
/// # Differences from `std` and Python
///
/// `std` has none. From Python's `ThreadPoolExecutor`: the threads are there from the beginning; the queue may have a
/// capacity; tasks that wait for tasks of the same pool do not hang; what does not go in comes back. `map` begins
/// all of its calls at once and cancels the rest when it is dropped, as there.
///
/// # Implementation notes
///
/// One queue behind a [`Mutex`], an event for each thread, one allocation for each task. Dropping a pool shuts it down by
/// [`Shutdown::Drain`] and joins it. See `docs/guide/threads.md` for how to choose its size.
#[doc(alias = "ThreadPoolExecutor")]
pub struct ThreadPool {
    shared: Arc<Shared>,
    ending: Arc<Ending>,
    threads: usize,
}

impl ThreadPool {
    /// Makes a pool of `threads` threads, with a queue without limit.
    ///
    /// # Panics
    ///
    /// Panics if `threads` is 0, or if the system gives no thread.
    #[must_use]
    #[track_caller]
    pub fn new(threads: usize) -> Self {
        assert!(threads != 0, "ThreadPool::new: the number of threads must not be 0");
        match Self::builder().threads(threads).try_build() {
            Ok(pool) => pool,
            Err(error) => panic!("ThreadPool::new: the system gives no thread: {error}"),
        }
    }

    /// Begins a pool with other than the usual properties.
    ///
    /// ```
    /// let pool = lockwork::ThreadPool::builder().threads(1).name("disk").build();
    /// let name = pool.submit(|| std::thread::current().name().map(str::to_owned)).unwrap();
    /// assert_eq!(name.join().unwrap().unwrap(), "disk-0");
    /// ```
    pub fn builder() -> ThreadPoolBuilder {
        ThreadPoolBuilder {
            threads: None,
            name: None,
            queue_capacity: None,
            stack_size: None,
            on_start: None,
        }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Queues `f`, waiting while the queue is full. A thread of the pool does not wait, and exceeds the capacity.
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
    pub fn submit<F, T>(&self, f: F) -> Result<Task<T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.shared.submit_by(f, Full::Wait, || Deadline::NEVER).map_err(|(_, f)| SubmitError(f))
    }

    /// Queues `f` if there is room just now. That is so for threads of the pool, too.
    ///
    /// # Errors
    ///
    /// Gives `f` back if the queue is full or the pool is shut down.
    pub fn try_submit<F, T>(&self, f: F) -> Result<Task<T>, TrySubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.shared.submit_by(f, Full::Refuse, || Deadline::NEVER).map_err(|(refusal, f)| match refusal {
            Refusal::Full => TrySubmitError::Full(f),
            Refusal::Shutdown => TrySubmitError::Shutdown(f),
        })
    }

    /// Queues `f`, waiting `timeout` at most while the queue is full. [`Duration::ZERO`] tries once,
    /// [`Duration::MAX`] waits for ever. A thread of the pool does not wait, and exceeds the capacity.
    ///
    /// # Errors
    ///
    /// Gives `f` back if there was no room in time, or if the pool is shut down or is shut down while the call waits.
    pub fn submit_for<F, T>(&self, f: F, timeout: Duration) -> Result<Task<T>, SubmitTimeoutError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.shared.submit_by(f, Full::Wait, || Deadline::after(timeout)).map_err(SubmitTimeoutError::new)
    }

    /// Queues `f`, waiting until `deadline` at most while the queue is full. See [`submit_for`](Self::submit_for).
    ///
    /// # Errors
    ///
    /// As [`submit_for`](Self::submit_for).
    pub fn submit_until<F, T>(&self, f: F, deadline: Instant) -> Result<Task<T>, SubmitTimeoutError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.shared.submit_by(f, Full::Wait, || Deadline::at(deadline)).map_err(SubmitTimeoutError::new)
    }

    /// Calls `f` for each item on the pool's threads, and returns the results in the order of the items.
    ///
    /// All calls are submitted before this returns, waiting for room as often as need be; so the items must come to
    /// an end, unlike those of [`map_ahead`](Self::map_ahead). Dropping the iterator cancels the calls that have not begun.
    ///
    /// The iterator waits for each result in turn. Where `f` panicked, so does it, with the same payload, and goes
    /// on after that; [`Map::next_result`] returns the panic as a value instead.
    ///
    /// ```
    /// let pool = lockwork::ThreadPool::new(3);
    /// let squares: Vec<u32> = pool.map(1..=5, |n| n * n).collect();
    /// assert_eq!(squares, [1, 4, 9, 16, 25]);
    /// ```
    ///
    /// If the pool is shut down before everything was submitted, what was not is cancelled.
    pub fn map<I, F, T>(&self, items: I, f: F) -> Map<T>
    where
        I: IntoIterator,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> T + Send + Sync + 'static,
        T: Send + 'static,
    {
        let f = Arc::new(f);
        // From the beginning, so that a panic of the items' iterator cancels what was submitted.
        let mut map = Map::new();
        for item in items {
            let f = Arc::clone(&f);
            match self.submit(move || f(item)) {
                Ok(task) => map.push(task),
                Err(SubmitError(call)) => {
                    drop(call);
                    map.cut_short();
                    break;
                }
            }
        }
        map
    }

    /// Calls `f` for each item on the pool's threads, `n` calls ahead of the caller at most, and returns the results in the
    /// order of the items.
    ///
    /// Lazy: items are taken, in the thread that asks for results, only when it asks for one, and between two such calls
    /// at most `n` were taken whose results have not been returned. So there may be infinitely many, they may be larger
    /// than memory together, and their iterator need not be [`Send`]. Dropping the iterator cancels the calls that have not
    /// begun, and takes no more items. [`map`](Self::map) begins all calls at once.
    ///
    /// Each result is waited for in turn; submitting waits while the pool's queue is full. Where `f` panicked, so does the
    /// iterator, with the same payload, and goes on after that; [`MapAhead::next_result`] returns the panic as a value
    /// instead.
    ///
    /// ```
    /// let pool = lockwork::ThreadPool::new(3);
    /// let mut squares = pool.map_ahead(6, 1_u64.., |n| n * n);
    /// assert_eq!(squares.find(|square| square % 7 == 2), Some(9));
    /// ```
    ///
    /// After a shutdown the iterator ends: when the results are returned of what was submitted before it, or, after
    /// [`Shutdown::Cancel`], at the first call that was cancelled.
    ///
    /// # Panics
    ///
    /// Panics if `n` is 0.
    #[track_caller]
    pub fn map_ahead<I, F, T>(&self, n: usize, items: I, f: F) -> MapAhead<I::IntoIter, F, T>
    where
        I: IntoIterator,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> T + Send + Sync + 'static,
        T: Send + 'static,
    {
        assert!(n != 0, "ThreadPool::map_ahead: the number of calls ahead must not be 0");
        MapAhead::new(Arc::clone(&self.shared), n, items.into_iter(), f)
    }

    /// Shuts the pool down: it takes no more tasks, and its threads end when they have nothing left to do.
    ///
    /// Does not wait. May be called again; after [`Shutdown::Drain`], [`Shutdown::Cancel`] cancels what is still
    /// queued. Cancelling drops closures and runs callbacks on the calling thread.
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

    /// Whether the pool was shut down.
    #[must_use]
    pub fn is_shutdown(&self) -> bool {
        self.shared.is_closed()
    }

    /// Waits until the pool has nothing to do: no task is queued and none runs. If it was shut down, until its
    /// threads are gone, their thread-local values included. Any number of threads may join a pool at once.
    ///
    /// # Panics
    ///
    /// Panics if a thread of the pool calls it, which would wait for itself. If `on_start` has panicked, resumes the
    /// first such panic, once.
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
        self.join_by(&Deadline::NEVER);
    }

    /// [`join`](Self::join) for `timeout` at most. Returns whether it came to that.
    ///
    /// If the limit passes while the last thread-local values of a pool that was shut down are dropped, the result is
    /// `false`, and a later call may succeed; the first such call may be late by 5 ms.
    ///
    /// [`Duration::ZERO`] does not wait for the pool, [`Duration::MAX`] waits indefinitely.
    ///
    /// # Panics
    ///
    /// As [`join`](Self::join).
    #[track_caller]
    pub fn join_for(&self, timeout: Duration) -> bool {
        assert!(!self.shared.is_worker(), "ThreadPool::join_for: called by one of the pool's own threads");
        self.join_by(&Deadline::after(timeout))
    }

    /// [`join`](Self::join) until `deadline` at most. Says whether it came to that.
    ///
    /// # Panics
    ///
    /// As [`join`](Self::join).
    #[track_caller]
    pub fn join_until(&self, deadline: Instant) -> bool {
        assert!(!self.shared.is_worker(), "ThreadPool::join_until: called by one of the pool's own threads");
        self.join_by(&Deadline::at(deadline))
    }

    fn join_by(&self, deadline: &Deadline) -> bool {
        let mut state = self.shared.state.lock();
        let rounds = state.rounds;
        let busy = |state: &State| {
            if state.closed {
                state.alive != 0
            } else {
                (state.queue.len() != 0 || state.idle.len() != state.alive) && state.rounds == rounds
            }
        };
        if busy(&state) && !deadline.has_passed() {
            // Tests once more when the time is up.
            let _ = self.shared.quiet.wait_while_deadline(&mut state, |state| busy(state), deadline);
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

    /// How many threads it has, or had before it was shut down.
    #[must_use]
    pub const fn threads(&self) -> usize {
        self.threads
    }

    /// How many tasks wait in the queue just now.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.shared.state.lock().queue.len()
    }
}

impl Drop for ThreadPool {
    /// [`Shutdown::Drain`], and waits until all tasks are done and the threads are gone; unless one of these threads
    /// is the caller, in which case they see to it on their own.
    fn drop(&mut self) {
        self.shared.shut_down(Shutdown::Drain);
        if !self.shared.is_worker() {
            self.ending.join();
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

/// Properties of a [`ThreadPool`] to be, see [`ThreadPool::builder`].
#[derive(Clone)]
#[must_use = "a builder makes no pool until it is told to"]
pub struct ThreadPoolBuilder {
    threads: Option<usize>,
    name: Option<String>,
    queue_capacity: Option<usize>,
    stack_size: Option<usize>,
    on_start: Option<Hook>,
}

impl ThreadPoolBuilder {
    /// How many threads. Without this, as many as the system says can run at once.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// What the threads are called: this, a hyphen, and their number from 0. Without this, `pool`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How many tasks may wait in the queue; who submits more waits. Without this, any number.
    pub fn queue_capacity(mut self, capacity: usize) -> Self {
        self.queue_capacity = Some(capacity);
        self
    }

    /// The size of each thread's stack, in bytes. Without this, what `std` gives a thread.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// What each thread does before its first task.
    ///
    /// If it panics, the pool is of no use, and is shut down as by [`Shutdown::Cancel`]: queued tasks are cancelled,
    /// and no more are taken. [`ThreadPool::join`] resumes the panic.
    ///
    /// ```
    /// use lockwork::{Mutex, ThreadPool};
    /// use std::sync::Arc;
    ///
    /// let started = Arc::new(Mutex::new(0));
    /// let hook = { let started = Arc::clone(&started); move || *started.lock() += 1 };
    /// let pool = ThreadPool::builder().threads(3).on_start(hook).build();
    /// pool.join();
    /// assert_eq!(*started.lock(), 3);
    /// ```
    pub fn on_start<F>(mut self, f: F) -> Self
    where
        F: Fn() + Send + Sync + 'static,
    {
        self.on_start = Some(Arc::new(f));
        self
    }

    /// Makes the pool and its threads.
    ///
    /// # Panics
    ///
    /// Panics if the number of threads or the capacity is 0, if the name has a zero byte in it, or if the system
    /// gives no thread.
    #[must_use]
    #[track_caller]
    pub fn build(self) -> ThreadPool {
        match self.try_build() {
            Ok(pool) => pool,
            Err(error) => panic!("ThreadPoolBuilder::build: the system gives no thread: {error}"),
        }
    }

    /// Makes the pool and its threads.
    ///
    /// # Errors
    ///
    /// Fails if the system gives no thread. Those it gave before are gone then.
    ///
    /// # Panics
    ///
    /// Panics if the number of threads or the capacity is 0, or if the name has a zero byte in it.
    #[track_caller]
    pub fn try_build(self) -> io::Result<ThreadPool> {
        let threads = self.threads.unwrap_or_else(threads::parallelism);
        assert!(threads != 0, "ThreadPoolBuilder::threads: the number of threads must not be 0");
        let capacity = self.queue_capacity.unwrap_or(usize::MAX);
        assert!(capacity != 0, "ThreadPoolBuilder::queue_capacity: the capacity must not be 0");
        let name = self.name.as_deref().unwrap_or("pool");
        assert!(!name.contains('\0'), "ThreadPoolBuilder::name: a name must not have a zero byte in it");
        let start = Arc::new(Start { open: Event::new(), pool: Mutex::new(None) });
        let mut handles = Vec::new();
        for number in 0..threads {
            let (called, on_start) = (Arc::clone(&start), self.on_start.clone());
            match threads::Handle::spawn(format!("{name}-{number}"), self.stack_size, move || {
                let pool = called.wait();
                // It has the pool, which should end with its threads.
                drop(called);
                if let Some(pool) = pool {
                    pool.work(number, on_start);
                }
            }) {
                Ok(handle) => handles.push(handle),
                Err(error) => {
                    start.open.set();
                    handles.into_iter().for_each(threads::Handle::join);
                    return Err(error);
                }
            }
        }
        let state = State {
            queue: Queue::new(),
            closed: false,
            // All of them, so that one that is still on its way counts as busy.
            alive: threads,
            idle: Vec::with_capacity(threads),
            coming: false,
            rounds: 0,
            broken: None,
        };
        let shared = Arc::new(Shared {
            number: unique_number(),
            capacity,
            workers: handles.iter().map(threads::Handle::id).collect(),
            bells: (0..threads).map(|_| AutoResetEvent::new()).collect(),
            state: Mutex::new(state),
            room: Condvar::new(),
            quiet: Condvar::new(),
        });
        *start.pool.lock() = Some(Arc::clone(&shared));
        start.open.set();
        Ok(ThreadPool { shared, ending: Ending::of(handles), threads })
    }
}

impl fmt::Debug for ThreadPoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPoolBuilder")
            .field("threads", &self.threads)
            .field("name", &self.name)
            .field("queue_capacity", &self.queue_capacity)
            .field("stack_size", &self.stack_size)
            .finish_non_exhaustive()
    }
}

/// The pool is shut down: what [`ThreadPool::submit`] returns, with the closure.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SubmitError<F>(pub F);

/// Why [`ThreadPool::try_submit`] did not take the task, and the closure.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TrySubmitError<F> {
    /// There was no room in the queue.
    Full(F),
    /// The pool is shut down.
    Shutdown(F),
}

/// Why [`ThreadPool::submit_for`] or [`ThreadPool::submit_until`] did not take the task, and the closure.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SubmitTimeoutError<F> {
    /// There was no room in the queue in time.
    Timeout(F),
    /// The pool is shut down.
    Shutdown(F),
}

impl<F> SubmitError<F> {
    /// The closure.
    #[must_use]
    pub fn into_inner(self) -> F {
        self.0
    }
}

impl<F> TrySubmitError<F> {
    /// The closure.
    #[must_use]
    pub fn into_inner(self) -> F {
        match self {
            Self::Full(f) | Self::Shutdown(f) => f,
        }
    }

    /// Whether there was no room.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }

    /// Whether the pool is shut down.
    #[must_use]
    pub const fn is_shutdown(&self) -> bool {
        matches!(self, Self::Shutdown(_))
    }
}

impl<F> SubmitTimeoutError<F> {
    fn new((refusal, f): (Refusal, F)) -> Self {
        match refusal {
            Refusal::Full => Self::Timeout(f),
            Refusal::Shutdown => Self::Shutdown(f),
        }
    }

    /// The closure.
    #[must_use]
    pub fn into_inner(self) -> F {
        match self {
            Self::Timeout(f) | Self::Shutdown(f) => f,
        }
    }

    /// Whether there was no room in time.
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout(_))
    }

    /// Whether the pool is shut down.
    #[must_use]
    pub const fn is_shutdown(&self) -> bool {
        matches!(self, Self::Shutdown(_))
    }
}

const SHUT_DOWN: &str = "the pool is shut down";

impl<F> fmt::Debug for SubmitError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubmitError({self}, ..)")
    }
}

impl<F> fmt::Debug for TrySubmitError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_full() { "Full(..)" } else { "Shutdown(..)" })
    }
}

impl<F> fmt::Debug for SubmitTimeoutError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_timeout() { "Timeout(..)" } else { "Shutdown(..)" })
    }
}

impl<F> fmt::Display for SubmitError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SHUT_DOWN)
    }
}

impl<F> fmt::Display for TrySubmitError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_full() { "the pool's queue is full" } else { SHUT_DOWN })
    }
}

impl<F> fmt::Display for SubmitTimeoutError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timeout = "timed out waiting for room in the pool's queue";
        f.write_str(if self.is_timeout() { timeout } else { SHUT_DOWN })
    }
}

impl<F> Error for SubmitError<F> {}
impl<F> Error for TrySubmitError<F> {}
impl<F> Error for SubmitTimeoutError<F> {}
