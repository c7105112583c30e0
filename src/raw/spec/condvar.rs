//! What a condition variable promises, as small as it can be said: see `facade::spec`.
//!
//! Waiting and unlocking are one step. A notification takes out the first that wait, which lock as any thread
//! does.

use std::collections::VecDeque;

use crate::facade::Deadline;
use crate::facade::spec::{Gate, Sleep};
use crate::observe::Call;
use crate::raw::mutex::RawMutex;

#[derive(Debug)]
pub(crate) struct RawCondvar {
    gate: Gate<VecDeque<Sleep>>,
}

impl RawCondvar {
    #[track_caller]
    pub(crate) fn new() -> Self {
        Self { gate: Gate::new(VecDeque::new()) }
    }

    /// # Safety
    ///
    /// The caller holds `mutex`.
    #[track_caller]
    pub(crate) unsafe fn wait(&self, mutex: &RawMutex, deadline: &Deadline, relock: Call<'_>) -> bool {
        let own = Sleep::new();
        self.gate.step(|queue| {
            queue.push_back(own.clone());
            // SAFETY: this function's contract.
            unsafe { mutex.unlock() };
        });
        let notified = if deadline.is_never() {
            own.sleep();
            true
        } else {
            self.gate.step(|queue| {
                let before = queue.len();
                queue.retain(|other| !other.is(&own));
                queue.len() == before
            })
        };
        if !notified {
            deadline.pass();
        }
        mutex.lock(relock);
        notified
    }

    #[track_caller]
    pub(crate) fn has_waiters_now(&self) -> bool {
        self.gate.step(|queue| !queue.is_empty())
    }

    #[track_caller]
    pub(crate) fn notify(&self, limit: usize) -> usize {
        self.gate.step(|queue| {
            let notified = limit.min(queue.len());
            for sleep in queue.drain(..notified) {
                sleep.end();
            }
            notified
        })
    }
}
