//! [`Completion`]: what becomes of a task, shared by the task and its handle.
//!
//! Its stage, under its lock:
//!
//! | stage | means | next |
//! |---|---|---|
//! | `Queued` | not begun; has the closure | `Running`, `Cancelled` |
//! | `Running` | a thread runs it | `Finished`, or `Taken` if the handle is gone |
//! | `Finished` | has the result | `Taken`, by the handle |
//! | `Cancelled` | never runs; has the closure until it is dropped | |
//! | `Taken` | has neither closure nor result | |
//!
//! 1. The thread that takes the closure out of a queued completion decides its fate, once: run, or cancelled.
//!    To run it, the thread has taken the task out of the executor's queue before.
//! 2. `done` is set when the stage has become `Finished`, `Cancelled` or `Taken`, under the lock. A listener
//!    that found `done` clear under the lock is therefore found by the thread that sets it. The closure is
//!    gone by then, unless it is that of a task that was cancelled while another closure or result was
//!    dropped (see `deferred`).
//! 3. A result is in a completion only as long as the handle exists, or until it is dropped, if that was put
//!    off; the task has entered its scope once more then. So when a task has left its scope for the last
//!    time, and its handle is gone or forgotten, nothing that the scope lent is in it; the completion itself
//!    may go at any time.

use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use super::collector::Watcher;
use super::deferred::{self, Callback};
use super::error::{TaskError, contain, drop_quietly};
use super::job::{Job, outlive};
use super::scope_latch::ScopeLatch;
use crate::event::Event;
use crate::mutex::{Mutex, MutexGuard};
use crate::observe::{Call, HeldHere, Kind, Mode};

/// What a handle knows of a task.
pub(super) trait Outcome<T>: Job {
    fn done(&self) -> &Event;

    /// Notifies `listener` when it is done. Gives it back if it is done already.
    fn listen(&self, listener: Listener) -> Option<Listener>;

    /// Forgets this watcher.
    fn unwatch(&self, watcher: &Watcher);

    /// Returns the result of a task that is done. Called once.
    fn take(&self) -> Result<T, TaskError>;

    /// Drops the result, now or when it is there.
    fn detach(&self);

    /// Detaches as [`detach`](Self::detach) does, and puts the drop off.
    fn detach_later(self: Arc<Self>);
}

/// What is to be notified that a task is done.
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

/// What a task and its handle share: the closure, then the result.
pub(super) struct Completion<T, F> {
    latch: Option<Arc<ScopeLatch>>,
    state: Mutex<State<T, F>>,
    done: Event,
}

impl<T, F: FnOnce() -> T> Completion<T, F> {
    pub(super) fn new(latch: Option<Arc<ScopeLatch>>, f: F) -> Self {
        let state = State { stage: Stage::Queued(f), detached: false, listeners: Vec::new() };
        Self { latch, state: Mutex::hidden(state), done: Event::new() }
    }

    /// Returns the closure of a task that was never queued.
    pub(super) fn into_closure(self: Arc<Self>) -> F {
        match Arc::into_inner(self).map(|completion| completion.state.into_inner().stage) {
            Some(Stage::Queued(f)) => f,
            _ => unreachable!("there is no other reference"),
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
        let running = HeldHere::new(Call::at(Kind::Task, Mode::Run, self));
        let result = panic::catch_unwind(AssertUnwindSafe(f)).map_err(TaskError::Panicked);
        // Before it is done: what waits for it does not wait for its callbacks.
        drop(running);
        let mut state = self.state.lock();
        if state.detached {
            state.stage = Stage::Taken;
            let mut callbacks = self.complete(state);
            callbacks.append(&mut deferred::drop_now(|| self.discard(result)));
            callbacks
        } else {
            state.stage = Stage::Finished(result);
            self.complete(state)
        }
    }
}

impl<T, F> Completion<T, F> {
    /// Marks the task done, and ends all waiting for it. Returns the callbacks.
    fn complete(&self, mut state: MutexGuard<'_, State<T, F>>) -> Vec<Callback> {
        // Invariant 2: under the lock.
        self.done.set();
        let listeners = mem::take(&mut state.listeners);
        drop(state);
        let mut callbacks = Vec::new();
        for listener in listeners {
            match listener {
                Listener::Callback(callback) => callbacks.push(callback),
                Listener::Watcher(watcher) => watcher.notify(),
            }
        }
        callbacks
    }

    /// Lets the scope of the task end: the last thing that happens to a task.
    ///
    /// Not from a function that has the closure or the result as an argument: what they borrow must live for
    /// as long as such a function runs, used or not, and after this it need not.
    fn leave(&self) {
        if let Some(latch) = &self.latch {
            latch.leave();
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
        match (result, &self.latch) {
            (Err(TaskError::Panicked(payload)), Some(latch)) => latch.report(payload),
            (result, _) => drop(result),
        }
    }
}

impl<T: Send, F: FnOnce() -> T + Send> Job for Completion<T, F> {
    fn run(&self) -> bool {
        let Some(f) = self.claim() else { return false };
        let of_scope = |latch| HeldHere::new(Call::at(Kind::Pool, Mode::Run, Arc::as_ptr(latch)));
        // What waits for the scope waits for this.
        let running = self.latch.as_ref().map(of_scope);
        deferred::separately(|| {
            let callbacks = self.execute(f);
            deferred::call(callbacks);
        });
        drop(running);
        self.leave();
        true
    }

    fn cancel(self: Arc<Self>) -> bool {
        let state = match self.withdraw() {
            Ok(state) => state,
            Err(cancelled) => return cancelled,
        };
        if deferred::is_dropping() {
            let callbacks = self.complete(state);
            deferred::call(callbacks);
            // SAFETY: if it borrows from a scope, it leaves that only in `finish`, which drops the closure
            // before.
            deferred::put_off(unsafe { outlive(self) });
        } else {
            drop(state);
            let mut callbacks = deferred::drop_now(|| self.drop_rest());
            callbacks.append(&mut self.complete(self.state.lock()));
            deferred::call(callbacks);
            self.leave();
        }
        true
    }

    fn finish(&self) {
        self.drop_rest();
        self.leave();
    }

    fn is_scoped(&self) -> bool {
        self.latch.is_some()
    }
}

impl<T: Send, F: FnOnce() -> T + Send> Outcome<T> for Completion<T, F> {
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
            deferred::call(deferred::drop_now(|| self.drop_rest()));
        }
    }

    fn detach_later(self: Arc<Self>) {
        let mut state = self.state.lock();
        state.detached = true;
        let finished = matches!(state.stage, Stage::Finished(_));
        drop(state);
        if finished {
            if let Some(latch) = &self.latch {
                latch.enter();
            }
            // SAFETY: if it borrows from a scope, that has not ended, because there was a handle; so the task
            // has entered it again in time, and leaves it only in `finish`, which drops the result before.
            deferred::put_off(unsafe { outlive(self) });
        }
    }
}
