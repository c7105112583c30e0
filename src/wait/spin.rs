//! Bounded spinning before a thread parks.
//!
//! The pause between two looks is what matters. A thread that looks all the time takes the lock's cache line from
//! its holder all the time; one that lets sixteen hints pass leaves the holder several short sections in peace, and
//! comes hardly later. `docs/benchmarks.md` has the measurements, and what it costs.

use crate::facade::{budget, spin_hint, yield_now};

/// A budget of looks with a pause before each. Empty from the start in a model.
#[derive(Debug)]
pub(crate) struct Spin {
    looks: u32,
    hints: u32,
    yields: u32,
}

impl Spin {
    /// Before a thread queues for a lock.
    pub(crate) const fn for_lock() -> Self {
        Self { looks: budget(8, 0), hints: 16, yields: 0 }
    }

    /// Before the first thread of a queue parks: nobody else wants that line, so it looks more often.
    pub(crate) const fn for_turn() -> Self {
        Self { looks: budget(30, 0), hints: 4, yields: 0 }
    }

    /// Before a thread queues for permits. Once it has queued, permits are handed to it and are idle until it runs;
    /// so it also lets others run first, among whom are those that were interrupted while they held permits.
    pub(crate) const fn for_permit() -> Self {
        Self { looks: budget(8, 0), hints: 16, yields: budget(8, 0) }
    }

    /// None at all.
    pub(crate) const NONE: Self = Self { looks: 0, hints: 0, yields: 0 };

    /// Pauses once more, unless the budget is used up.
    #[inline]
    pub(crate) fn again(&mut self) -> bool {
        if self.looks > 0 {
            self.looks -= 1;
            for _ in 0..self.hints {
                spin_hint();
            }
            return true;
        }
        let left = self.yields > 0;
        if left {
            self.yields -= 1;
            yield_now();
        }
        left
    }
}
