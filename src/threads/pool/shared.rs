//! What the threads of a pool, its handle and its tasks share: the queue, and the threads that wait for it.

use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use super::error::Refusal;
use crate::condvar::Condvar;
use crate::event::AutoResetEvent;
use crate::facade::{Deadline, Moment, TimeLimit, budget, reached, threads};
use crate::mutex::{Mutex, MutexGuard};
use crate::observe::{Call, HeldHere, Kind, Mode};
use crate::threads::completion::{Completion, Outcome};
use crate::threads::error::{Payload, drop_quietly};
use crate::threads::job::{Executor, Job, Place};
use crate::threads::queue::Queue;
use crate::threads::task::{Handle, Task};

/// How long a submitter waits before a place may be kept for it: as long as a lock's first waiter does until
/// the lock is handed over. In a model each that is notified in vain has waited for long enough.
const STARVING_AFTER: Duration = Duration::from_micros(budget(500, 0) as u64);

/// What the threads of a pool, its handle and its tasks share.
pub(in crate::threads) struct Shared {
    /// No other pool has or had the same.
    pub(super) number: u64,
    pub(super) capacity: usize,
    /// The threads of the pool, those included that have ended: no other thread is ever given their ids.
    pub(super) workers: Vec<threads::Id>,
    /// Each wakes the thread of the same number, once for each time that this thread is taken out of those
    /// that are idle.
    pub(super) wake_events: Vec<AutoResetEvent>,
    pub(super) state: Mutex<State>,
    /// Notified once for each task that left the queue, and all when the pool is shut down. Submitters wait,
    /// all but one at most.
    pub(super) room: Condvar,
    /// The same for the submitter for which a place is kept, which is notified before those.
    pub(super) kept_room: Condvar,
    /// All are notified when there is nothing to do, and when the last thread ends.
    pub(super) quiescent: Condvar,
}

/// What the lock guards.
///
/// No wake-up is lost, because one is pending whenever the lock is free while tasks are queued and threads
/// idle: a thread that queues a task wakes one; a thread that takes a task and leaves others wakes the next;
/// and a thread becomes idle only if the queue is empty. So a burst of tasks wakes threads one after the
/// other for as long as there is something for them to do, and while a wake-up is pending, submitting costs
/// none.
///
/// A thread that is not busy takes the first task of the queue before it does anything else. So if as many
/// threads are not busy as tasks are queued up to a certain one, that one will be begun, whatever those
/// before it wait for: tasks that come later are behind it, and a thread that ends does so with an empty
/// queue.
///
/// For room: each task that leaves the queue notifies one submitter; one that reports a time-out was not
/// notified. Others that submit may be faster than the one that was notified. So one that was notified in
/// vain, and has waited for [`STARVING_AFTER`], has the next place kept for it. It is notified of that place
/// alone, and the place is not lost to it if threads of the pool exceed the capacity meanwhile.
pub(super) struct State {
    pub(super) queue: Queue<Arc<dyn Job>>,
    /// Shut down: takes no tasks but those of scopes, from its own threads.
    pub(super) closed: bool,
    /// For the submitter that waits for `kept_room`.
    pub(super) kept: Kept,
    /// How many threads have not ended. They end when the pool is shut down, the queue is empty, and none
    /// runs a task that could queue one.
    pub(super) alive: usize,
    /// How many of those run a task, or `on_start`, or have not come back from it to the queue.
    pub(super) busy: usize,
    /// Of those that are alive, the numbers of the threads that wait for work. The last to come is the first
    /// to be woken: it may not sleep yet, and its caches are warm.
    pub(super) idle: Vec<usize>,
    /// A thread was woken that has not looked at the queue yet.
    pub(super) wake_pending: bool,
    /// How often the pool was quiescent. Tells a joiner that it was, even if it is not any more.
    pub(super) epoch: u64,
    /// A panic of `on_start`.
    pub(super) broken: Option<Payload>,
}

/// A place that no other submitter takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    None,
    /// The next one.
    Next,
    /// One that is there.
    Now,
}

impl State {
    /// Returns whether submitters for which no place is kept must wait in a queue of that capacity.
    fn is_full(&self, capacity: usize) -> bool {
        !self.closed && self.queue.len() + usize::from(self.kept != Kept::None) >= capacity
    }

    /// Returns the number of an idle thread that is to be woken for a task that is queued; none if a wake-up
    /// is pending, or no thread is idle.
    #[must_use]
    fn take_idle(&mut self) -> Option<usize> {
        if self.wake_pending {
            return None;
        }
        let notified = self.idle.pop();
        self.wake_pending = notified.is_some();
        notified
    }
}

/// What a submitter does about a full queue.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::threads) enum Full {
    /// Waits; a thread of the pool does not, and exceeds the capacity.
    Wait,
    /// Gives up.
    Refuse,
}

impl Shared {
    fn wake(&self, notified: impl IntoIterator<Item = usize>) {
        notified.into_iter().for_each(|number| self.wake_events[number].set());
    }

    /// Returns the lock, when a task can be queued.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn admit(&self, full: Full, limit: TimeLimit<'_>) -> Result<MutexGuard<'_, State>, Refusal> {
        let mut state = self.state.lock();
        let mut kept = false;
        if state.is_full(self.capacity) && full == Full::Wait {
            if self.is_worker() {
                return Ok(state);
            }
            let deadline = limit.deadline();
            if !deadline.has_passed() {
                kept = self.wait_for_room(&mut state, &deadline);
            }
        }
        if state.closed {
            Err(Refusal::Shutdown)
        } else if !kept && state.is_full(self.capacity) {
            Err(Refusal::Full)
        } else {
            Ok(state)
        }
    }

    /// Waits for a place, until the deadline. Returns whether one that was kept for this thread is there.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn wait_for_room(&self, state: &mut MutexGuard<'_, State>, deadline: &Deadline) -> bool {
        let start = Moment::now();
        let (mut notified, mut keeps) = (false, false);
        let waits = |state: &mut State| {
            let full = state.is_full(self.capacity);
            // No place is there that a thread has been notified of.
            if full && notified && state.kept == Kept::None && Moment::now().since(start) >= STARVING_AFTER {
                (keeps, state.kept) = (true, Kept::Next);
            }
            notified = true;
            full && !keeps
        };
        // Each tests once more when the time is up.
        let _ = self.room.wait_while_deadline(state, waits, deadline);
        if !keeps {
            return false;
        }
        let waits = |state: &mut State| !state.closed && state.kept == Kept::Next;
        let _ = self.kept_room.wait_while_deadline(state, waits, deadline);
        mem::replace(&mut state.kept, Kept::None) == Kept::Now
    }

    /// Notifies the submitter whose turn it is of the place of a task that has left the queue, and gives the
    /// lock back.
    fn notify_of_room(&self, mut state: MutexGuard<'_, State>) {
        let notified = if state.kept == Kept::Next && state.queue.len() < self.capacity {
            reached("submitter has the place that was kept");
            state.kept = Kept::Now;
            &self.kept_room
        } else {
            &self.room
        };
        drop(state);
        notified.notify_one();
    }

    fn push(&self, mut state: MutexGuard<'_, State>, job: Arc<dyn Job>) -> Place {
        let ticket = state.queue.push(job);
        let place = Place { ticket, oldest: state.queue.oldest() };
        let notified = state.take_idle();
        drop(state);
        self.wake(notified);
        place
    }

    pub(in crate::threads) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(in crate::threads) fn submit_by<T, F>(
        self: &Arc<Self>,
        f: F,
        full: Full,
        limit: TimeLimit<'_>,
    ) -> Result<Task<T>, (Refusal, F)>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        // Before the lock: it allocates.
        let completion = Arc::new(Completion::new(None, f));
        match self.admit(full, limit) {
            Ok(state) => {
                let place = self.push(state, Arc::clone(&completion) as Arc<dyn Job>);
                let executor = Arc::clone(self);
                Ok(Task(Handle::new(completion as Arc<dyn Outcome<T>>, executor, Some(place.ticket))))
            }
            Err(refusal) => Err((refusal, completion.into_closure())),
        }
    }

    /// Queues a task of a scope, waiting for room. Returns `None` if no thread is left that would run it.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(in crate::threads) fn enqueue_scoped(&self, job: Arc<dyn Job>) -> Option<Place> {
        let state = match self.admit(Full::Wait, TimeLimit::never(Call::at(Kind::Pool, Mode::Put, self))) {
            Ok(state) => state,
            // A thread of the pool that runs a task looks at the queue before it ends. One that is here in a
            // destructor after that runs the task itself, when it waits for the scope.
            Err(_) if self.is_worker() => self.state.lock(),
            Err(_) => return None,
        };
        Some(self.push(state, job))
    }

    pub(super) fn shut_down(&self, how: Shutdown) {
        let mut state = self.state.lock();
        let before = mem::replace(&mut state.closed, true);
        // The first to see that all others are idle wakes them.
        let idle = if state.idle.len() == state.alive { state.idle.pop() } else { None };
        let cancelled = match how {
            Shutdown::Drain => Vec::new(),
            // Those of scopes are part of calls that are under way.
            Shutdown::Cancel => state.queue.take_all(|job| !job.is_scoped()),
        };
        drop(state);
        self.wake(idle);
        if !before {
            self.room.notify_all();
            self.kept_room.notify_all();
        }
        for job in cancelled {
            job.cancel();
        }
    }

    /// Shuts down for a thread that cannot begin, and leaves the first such panic to a joiner of the pool.
    fn break_down(&self, payload: Payload) {
        let mut state = self.state.lock();
        let spare = if state.broken.is_none() { state.broken.replace(payload) } else { Some(payload) };
        drop(state);
        drop_quietly(spare);
        self.shut_down(Shutdown::Cancel);
    }

    /// Returns what the thread of this number does next; nothing if it is to end. `was_busy` says whether it
    /// was counted so.
    fn next(&self, number: usize, was_busy: bool) -> Option<Arc<dyn Job>> {
        let mut state = self.state.lock();
        state.busy -= usize::from(was_busy);
        loop {
            if let Some(job) = state.queue.pop() {
                state.busy += 1;
                let notified = if state.queue.len() == 0 { None } else { state.take_idle() };
                self.notify_of_room(state);
                self.wake(notified);
                return Some(job);
            }
            // The first to end finds all others idle: no thread is left that could queue a task of a scope.
            let ends = state.alive < self.workers.len() || state.idle.len() + 1 == state.alive;
            if state.closed && ends {
                state.alive -= 1;
                let (idle, last) = (mem::take(&mut state.idle), state.alive == 0);
                drop(state);
                self.wake(idle);
                if last {
                    self.quiescent.notify_all();
                }
                return None;
            }
            state.idle.push(number);
            if state.idle.len() == state.alive {
                state.epoch += 1;
                self.quiescent.notify_all();
            }
            drop(state);
            let idle = Call::at(Kind::Pool, Mode::Get, self);
            self.wake_events[number].wait_within(TimeLimit::never(idle));
            state = self.state.lock();
            state.wake_pending = false;
        }
    }

    /// Does what the thread of this number does.
    pub(super) fn work(&self, number: usize, on_start: Option<Hook>) {
        let mut busy = on_start.is_some();
        if let Some(on_start) = on_start {
            if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| on_start())) {
                self.break_down(payload);
            }
            drop_quietly(on_start);
        }
        while let Some(job) = self.next(number, mem::replace(&mut busy, true)) {
            let _running = HeldHere::new(Call::at(Kind::Pool, Mode::Run, self));
            job.run();
        }
    }
}

impl Executor for Shared {
    fn number(&self) -> u64 {
        self.number
    }

    fn is_worker(&self) -> bool {
        self.workers.contains(&threads::current_id())
    }

    fn is_short_for(&self, ticket: u64) -> bool {
        let state = self.state.lock();
        !state.queue.is_among_first(state.alive - state.busy, ticket)
    }

    fn remove(&self, ticket: u64) -> Option<Arc<dyn Job>> {
        let mut state = self.state.lock();
        let removed = state.queue.remove(ticket);
        if removed.is_some() {
            self.notify_of_room(state);
        }
        removed
    }
}

pub(super) type Hook = Arc<dyn Fn() + Send + Sync>;

/// What becomes of the tasks that wait in the queue when a [`ThreadPool`](crate::ThreadPool) is shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shutdown {
    /// They are run.
    Drain,
    /// They are cancelled. Those that run already run to their end, and those of a
    /// [`scope`](crate::ThreadPool::scope) are run.
    Cancel,
}
