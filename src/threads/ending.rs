//! [`Ending`]: the end of threads, which any number of others may wait for, with a limit or without.
//!
//! A thread has ended when `std`'s join of it has returned: its thread-local destructors have run then, which
//! takes as long as they like, and `std` has no join with a limit. So one thread joins, and the others wait
//! for its word:
//!
//! 1. The thread that takes the handles out joins the threads and sets `gone`. There is one such thread.
//! 2. A joiner without a limit does that itself. One with a limit, which could not stop in time, has a helper
//!    do it.
//! 3. Nothing is set before the last of the threads is gone, so all joiners return after that.

use std::sync::Arc;
use std::time::Duration;

use crate::event::Event;
use crate::facade::{Deadline, TimeLimit, reached, threads::Handle};
use crate::mutex::Mutex;
use crate::observe::{Call, Parked};

/// Threads that have nothing left to do but end.
pub(super) struct Ending {
    /// None once a thread has begun to join them.
    handles: Mutex<Option<Vec<Handle>>>,
    gone: Event,
}

impl Ending {
    /// A joiner with a limit gives the helper that it starts this long, whatever its limit. Otherwise a limit
    /// of zero, which asks and does not wait, would never find at the first time that the threads are gone.
    const GRACE: Duration = Duration::from_millis(5);
    /// How long to wait before the system is asked again for a thread that it did not give.
    const RETRY: Duration = Duration::from_millis(10);

    pub(super) fn of(handles: Vec<Handle>) -> Arc<Self> {
        Arc::new(Self { handles: Mutex::hidden(Some(handles)), gone: Event::new() })
    }

    /// Blocks until the threads are gone. `never` says for which call.
    pub(super) fn join(&self, never: &Deadline) {
        if !self.join_here(never) {
            self.gone.wait_within(TimeLimit::of(never));
        }
    }

    /// Blocks until the threads are gone, until `deadline` at most. Returns whether they are.
    pub(super) fn join_by(self: &Arc<Self>, deadline: &Deadline) -> bool {
        if deadline.is_never() {
            self.join(deadline);
            return true;
        }
        while !self.is_gone() && self.handles.lock().is_some() {
            let helped = self.start_helper();
            let step = if helped { Self::GRACE } else { Self::RETRY };
            let gone = self.gone.wait_within(TimeLimit::within(step, Call::none()));
            if gone || helped || deadline.has_passed() {
                break;
            }
        }
        self.gone.wait_within(TimeLimit::of(deadline))
    }

    /// Returns whether a joiner has found that the threads are gone.
    pub(super) fn is_gone(&self) -> bool {
        self.gone.is_set()
    }

    /// Joins the threads, unless another thread does. Returns whether it did.
    fn join_here(&self, deadline: &Deadline) -> bool {
        let Some(handles) = self.handles.lock().take() else { return false };
        // The one wait that no queue of this crate ends.
        let mut parked = Parked::NONE;
        let _ = parked.begin(deadline);
        handles.into_iter().for_each(Handle::join);
        self.gone.set();
        true
    }

    /// Has another thread join them. If the system gives none just now, the handles are still there for the
    /// next call.
    fn start_helper(self: &Arc<Self>) -> bool {
        let own = Arc::clone(self);
        let helper = move || {
            own.join_here(&Deadline::NEVER);
            reached("helper has joined");
        };
        Handle::spawn(String::from("lockwork-join"), None, helper).is_ok()
    }
}
