//! A counter that threads count down, and a gate that opens for good when it is zero.
//!
//! | count | event | meaning |
//! |---|---|---|
//! | more than 0 | clear | closed |
//! | 0 | clear | open; the thread that counted down to 0 is about to release those who wait. Or no thread ever had to |
//! | 0 | set | open |
//!
//! Invariants:
//!
//! 1. A count of 0 is final: counting down leaves it, and counting up refuses to begin again.
//! 2. The thread that makes it 0 sets the event, once. So all threads that wait for the event are released,
//!    and later ones need not ask it.
//! 3. It is open when the count is 0, whatever the event says: a deadline competes with the exchange that
//!    makes it 0.
//!
//! Ordering: `latch.count`: every count down is Release, and seeing 0 is Acquire, be it in the count or by
//! the event, whose setter has everything that the others released. Read-modify-writes alone change the
//! count, so each continues the release sequences of those before.
//!
//! Promised upward: counting down and a wait that finds it open are one exchange and one load; no thread is
//! counted after it has opened; no spurious returns.
//!
//! Limits: it opens once. A count is a `usize`, and more is a panic.

use crate::facade::atomic::{
    AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed},
};
use crate::facade::{Deadline, TimeLimit, const_fn, reached};
use crate::raw::event::RawEvent;
use crate::wait::select::{Enqueued, Node, Select, Source};
use crate::wait::{Place, Waiter};

#[derive(Debug)]
pub(crate) struct RawLatch {
    count: AtomicUsize,
    opened: RawEvent,
}

impl RawLatch {
    const_fn! {
        pub(crate) fn new(count: usize) -> Self {
            Self { count: AtomicUsize::new(count), opened: RawEvent::new() }
        }
    }

    #[inline]
    pub(crate) fn count(&self) -> usize {
        // Acquire (latch.count): a thread that finds it open sees what all did before they counted down.
        // proof: latch.count
        self.count.load(Acquire)
    }

    /// Returns whether it is open, for a thread that may have seen so by the event. (An old count would not
    /// be there for long, but in a model for as long as the thread asks.)
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.count() == 0 || self.opened.is_set()
    }

    /// Takes `n` off the count, down to 0.
    #[inline]
    pub(crate) fn count_down(&self, n: usize) {
        if n == 0 {
            return;
        }
        // An expected value: the exchange finds out.
        let mut count = n;
        while count > 0 {
            let left = count.saturating_sub(n);
            // Release (latch.count): what this thread did. Acquire (latch.count): what the others did, for
            // whom the event is to hand over. Relaxed on failure: nothing is taken.
            // proof: latch.count_down
            match self.count.compare_exchange_weak(count, left, AcqRel, Relaxed) {
                Ok(_) => {
                    if left == 0 {
                        self.opened.set();
                    }
                    return;
                }
                Err(actual) => count = actual,
            }
        }
        reached("latch counted down below zero");
    }

    /// Adds one to the count, unless it is 0.
    pub(crate) fn count_up(&self) {
        // An expected value: the exchange finds out.
        let mut count: usize = 1;
        while count > 0 {
            let more = count.checked_add(1).expect("WaitGroup::clone: too many members");
            // Relaxed: nothing is handed over. Relaxed on failure: nothing is taken, and nothing is
            // returned.
            // proof: latch.count_up
            match self.count.compare_exchange_weak(count, more, Relaxed, Relaxed) {
                Ok(_) => return,
                Err(actual) => count = actual,
            }
        }
        reached("latch open before it could be counted up");
    }

    /// Waits until the count is 0, within the limit.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn wait_until(&self, limit: TimeLimit<'_>) -> bool {
        // Invariant 3: a deadline that passes between the last count and the event has come too late.
        self.count() == 0 || self.opened.wait_until(limit) || self.count() == 0
    }
}

/// As the event, whose setter has seen everything that threads did before they counted down.
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

    fn wait_alone(&self, deadline: &Deadline) -> Option<bool> {
        // Invariant 3, as in `wait_until`.
        Some(self.opened.wait_slow(deadline) || self.count() == 0)
    }
}
