//! What a latch promises, as small as it can be said: see `facade::spec`.
//!
//! The count that becomes 0 opens it in the same step.

use crate::facade::TimeLimit;
use crate::facade::spec::{Edge, Gate};
use crate::raw::event::RawEvent;
use crate::wait::select::{Enqueued, Node, Select, Source};
use crate::wait::{Place, Waiter};

#[derive(Debug)]
pub(crate) struct RawLatch {
    count: Gate<usize>,
    /// latch.count
    counted: Edge,
    opened: RawEvent,
}

impl RawLatch {
    #[track_caller]
    pub(crate) fn new(count: usize) -> Self {
        let opened = RawEvent::new();
        if count == 0 {
            opened.set();
        }
        Self { count: Gate::new(count), counted: Edge::new(), opened }
    }

    #[track_caller]
    pub(crate) fn count(&self) -> usize {
        self.count.step(|count| {
            if *count == 0 {
                self.counted.acquire();
            }
            *count
        })
    }

    #[track_caller]
    pub(crate) fn is_open(&self) -> bool {
        self.count() == 0
    }

    #[track_caller]
    pub(crate) fn count_down(&self, n: usize) {
        self.count.step(|count| {
            if n == 0 || *count == 0 {
                return;
            }
            self.counted.release();
            *count = count.saturating_sub(n);
            if *count == 0 {
                // For the event to hand over.
                self.counted.acquire();
                self.opened.set();
            }
        });
    }

    #[track_caller]
    pub(crate) fn count_up(&self) {
        self.count.step(|count| {
            if *count > 0 {
                *count = count.checked_add(1).expect("WaitGroup::clone: too many members");
            }
        });
    }

    #[track_caller]
    pub(crate) fn wait_until(&self, limit: TimeLimit<'_>) -> bool {
        self.opened.wait_until(limit)
    }
}

/// As the event, whose setter has everything that those did who counted down.
impl Source for RawLatch {
    fn node(&self, select: &Select) -> Waiter {
        self.opened.node(select)
    }

    fn enqueue(&self, node: Node<'_>, place: Place) -> Enqueued {
        self.opened.enqueue(node, place)
    }

    fn leave(&self, node: Node<'_>) {
        self.opened.leave(node);
    }
}
