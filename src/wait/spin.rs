//! Bounded spinning before a thread parks.

use crate::facade::{budget, spin_hint};

/// A budget of spins that doubles its pauses. Empty from the start in a model.
#[derive(Debug)]
pub(crate) struct Spin {
    round: u32,
    rounds: u32,
}

impl Spin {
    /// Before a thread queues for a lock: `2^7 - 1` hints.
    pub(crate) const fn for_lock() -> Self {
        Self { round: 0, rounds: budget(7, 0) }
    }

    /// Before the first thread of a queue parks.
    pub(crate) const fn for_signal() -> Self {
        Self { round: 0, rounds: budget(7, 0) }
    }

    /// None at all.
    pub(crate) const NONE: Self = Self { round: 0, rounds: 0 };

    /// Spins once more, unless the budget is used up.
    #[inline]
    pub(crate) fn again(&mut self) -> bool {
        if self.round == self.rounds {
            return false;
        }
        for _ in 0..1 << self.round {
            spin_hint();
        }
        self.round += 1;
        true
    }
}
