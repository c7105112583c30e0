//! [`ScopeLatch`]: what a scope waits for.

use std::collections::VecDeque;

use super::error::{Payload, drop_quietly};
use super::job::{Executor, Place};
use super::queue::give_back;
use crate::condvar::Condvar;
use crate::facade::Deadline;
use crate::mutex::Mutex;
use crate::observe::Call;

/// Counts the tasks of a scope that have not left it, and opens when there are none.
pub(super) struct ScopeLatch {
    state: Mutex<State>,
    /// Notified when the last has left, and when there is one more for a waiting owner to run.
    changed: Condvar,
}

struct State {
    /// Tasks that were spawned and have not left.
    left: usize,
    /// If the scope's owner is a thread of the pool: the tickets of those that it may run itself while it
    /// waits.
    runnable: Option<VecDeque<u64>>,
    /// The first panic that no joiner took.
    panic: Option<Payload>,
}

impl ScopeLatch {
    pub(super) fn new(owner_runs: bool) -> Self {
        let runnable = owner_runs.then(VecDeque::new);
        Self { state: Mutex::hidden(State { left: 0, runnable, panic: None }), changed: Condvar::new() }
    }

    pub(super) fn enter(&self) {
        self.state.lock().left += 1;
    }

    /// Does the last that a task does with anything that the scope lent it.
    pub(super) fn leave(&self) {
        let mut state = self.state.lock();
        state.left -= 1;
        if state.left == 0 {
            drop(state);
            self.changed.notify_all();
        }
    }

    /// Reports that a task panicked whose panic no joiner takes.
    pub(super) fn report(&self, payload: Payload) {
        let mut state = self.state.lock();
        let spare = if state.panic.is_none() { state.panic.replace(payload) } else { Some(payload) };
        drop(state);
        drop_quietly(spare);
    }

    /// Tells the owner of a queued task that it may run.
    pub(super) fn offer(&self, place: &Place) {
        let mut state = self.state.lock();
        let Some(runnable) = &mut state.runnable else { return };
        // Those that have left the queue are of no use, and a scope may spawn without end.
        while runnable.front().is_some_and(|ticket| *ticket < place.oldest) {
            runnable.pop_front();
        }
        give_back(runnable);
        runnable.push_back(place.ticket);
        drop(state);
        self.changed.notify_all();
    }

    /// Blocks until all have left. If the owner is a thread of the pool, runs those that have not begun.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(super) fn wait(&self, executor: &dyn Executor, call: Call<'_>) {
        let never = Deadline::NEVER.of_call(&call);
        let mut state = self.state.lock();
        while state.left != 0 {
            match state.runnable.as_mut().and_then(VecDeque::pop_front) {
                Some(ticket) => {
                    state.runnable.as_mut().map(give_back);
                    drop(state);
                    executor.run_ahead(ticket);
                    state = self.state.lock();
                }
                None => _ = self.changed.wait_deadline(&mut state, &never),
            }
        }
    }

    /// Takes the first panic that no joiner took.
    pub(super) fn take_panic(&self) -> Option<Payload> {
        self.state.lock().panic.take()
    }
}
