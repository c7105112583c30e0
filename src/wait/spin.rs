//! Bounded spinning before a thread parks.
//!
//! The pause between two looks is what matters. A thread that looks all the time takes the lock's cache line from
//! its holder all the time; one that lets sixteen hints pass leaves the holder several short sections in peace, and
//! comes hardly later. `docs/benchmarks.md` has the measurements, and what it costs.

use crate::facade::{Hint, budget, const_fn, spin_hint, yield_now};

/// A budget of looks with a pause before each, first a short one, then as long as others want the processor. Empty from
/// the start in a model, but for [`Habit`].
#[derive(Debug)]
pub(crate) struct Spin {
    looks: u32,
    hints: u32,
    yields: u32,
    /// Whether it is worth knowing how this went.
    telling: bool,
}

impl Spin {
    /// Before a thread queues for a lock.
    pub(crate) const fn for_lock() -> Self {
        Self { looks: budget(8, 0), hints: 16, yields: 0, telling: false }
    }

    /// Before the first thread of a queue parks: nobody else wants that line, so it looks more often.
    pub(crate) const fn for_turn() -> Self {
        Self { looks: budget(30, 0), hints: 4, yields: 0, telling: false }
    }

    /// Before a thread queues for permits. Once it has queued, permits are handed to it and are idle until it runs;
    /// so it also lets others run first, among whom are those that were interrupted while they held permits.
    pub(crate) const fn for_permit() -> Self {
        Self { looks: budget(8, 0), hints: 16, yields: budget(8, 0), telling: false }
    }

    /// None at all.
    pub(crate) const NONE: Self = Self { looks: 0, hints: 0, yields: 0, telling: false };

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
        if self.yields > 0 {
            self.yields -= 1;
            yield_now();
            return true;
        }
        false
    }
}

/// Whether the threads of one barrier do well to spin, or to yield at once, learnt from how it went.
///
/// If all of them run at the same time the last comes within some hundred nanoseconds, and spinning for it is best. If
/// there are more threads than processors, spinning keeps from its processor the very thread it waits for; then each
/// processor goes round its threads by their yielding, which is far cheaper than parking and waking them. Which of the
/// two it is depends on the machine, on what else it does and on the work between two rounds, so nobody is asked: a
/// thread that spun tells those after it whether that was of use, and now and then one tries again.
#[derive(Debug)]
pub(crate) struct Habit {
    pays: Hint,
}

impl Habit {
    /// Every so many rounds spinning is tried again.
    const TRIAL: u64 = 32;

    const_fn! {
        pub(crate) fn new() -> Self {
            Self { pays: Hint::new(true) }
        }
    }

    /// For a thread that waits in this round.
    #[inline]
    pub(crate) fn spin(&self, round: u64) -> Spin {
        let telling = self.pays.get() || round % Self::TRIAL == 0;
        let looks = if telling { budget(10, 1) } else { 0 };
        Spin { looks, hints: budget(4, 0), yields: budget(40, 0), telling }
    }

    /// Learns from what is left of a budget when the wait is over, or the budget.
    #[inline]
    pub(crate) fn learn(&self, spin: &Spin) {
        if spin.telling {
            self.pays.set(spin.looks > 0);
        }
    }
}
