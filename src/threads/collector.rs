//! [`Collector`]: which of several tasks are done, for the one thread that waits for them.

use std::collections::VecDeque;
use std::sync::Arc;

use super::queue::give_back;
use crate::condvar::Condvar;
use crate::facade::Deadline;
use crate::mutex::Mutex;

/// Collects which of the tasks that one call waits for are done.
pub(super) struct Collector {
    /// The indices of those that are done, in the order in which they were.
    done: Mutex<VecDeque<usize>>,
    /// Notified for each, to the one thread that waits.
    changed: Condvar,
}

/// A task's way to a collector.
#[derive(Clone)]
pub(super) struct Watcher {
    collector: Arc<Collector>,
    index: usize,
}

impl Watcher {
    pub(super) fn notify(self) {
        self.collector.done.lock().push_back(self.index);
        self.collector.changed.notify_one();
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.collector, &other.collector) && self.index == other.index
    }
}

impl Collector {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { done: Mutex::hidden(VecDeque::new()), changed: Condvar::new() })
    }

    pub(super) fn watcher(self: &Arc<Self>, index: usize) -> Watcher {
        Watcher { collector: Arc::clone(self), index }
    }

    pub(super) fn try_next(&self) -> Option<usize> {
        let mut done = self.done.lock();
        let next = done.pop_front();
        give_back(&mut done);
        next
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(super) fn next(&self, deadline: &Deadline) -> Option<usize> {
        let mut done = self.done.lock();
        if done.is_empty() && !deadline.has_passed() {
            // Tests once more when the time is up.
            let _ = self.changed.wait_while_deadline(&mut done, |done| done.is_empty(), deadline);
        }
        done.pop_front()
    }
}
