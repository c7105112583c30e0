//! Waits without a queue: for a few instructions of another thread, and for what that thread may have failed
//! to tell.
//!
//! Limits: a [`Backoff`] knows no deadline, no order and no number of those that wait. Its sleeps are below a
//! millisecond each, and a thread may lose again and again.

use std::time::Duration;

use super::numbers::{
    BACKOFF_DOUBLINGS, BACKOFF_SLEEP, BACKOFF_SPINS, BACKOFF_YIELDS, POLL_GROWTH, POLL_SHORTEST,
};
use crate::facade::{Deadline, nap, spin_hint, stand_by, yield_now};

/// A wait for a few instructions of another thread, such as those under a queue lock.
#[derive(Debug)]
pub(crate) struct Backoff {
    round: u32,
    sleeps: bool,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { round: 0, sleeps: true }
    }

    /// Makes one that yields instead of sleeping, for a releasing call.
    pub(crate) fn sleepless() -> Self {
        Self { round: 0, sleeps: false }
    }

    #[track_caller]
    pub(crate) fn wait(&mut self) {
        let round = self.round;
        self.round = (round + 1).min(BACKOFF_YIELDS + BACKOFF_DOUBLINGS);
        stand_by(round, || {
            if round < BACKOFF_SPINS {
                (0..1 << round).for_each(|_| spin_hint());
            } else if round < BACKOFF_YIELDS || !self.sleeps {
                yield_now();
            } else {
                nap(BACKOFF_SLEEP * (1 << (round - BACKOFF_YIELDS)));
            }
        });
    }
}

/// Deadlines of a waiter that looks for itself now and then, because the thread that should wake it may have
/// missed it.
#[derive(Debug)]
pub(crate) struct PollInterval {
    round: u32,
    next: Duration,
}

impl PollInterval {
    pub(crate) fn new() -> Self {
        Self { round: 0, next: POLL_SHORTEST }
    }

    /// Returns the end of the next interval, which is `deadline` if that comes first.
    #[track_caller]
    pub(crate) fn next(&mut self, deadline: &Deadline) -> Deadline {
        let (round, length) = (self.round, self.next);
        self.round = round.saturating_add(1);
        self.next = length.saturating_mul(POLL_GROWTH);
        deadline.or_after(length, round).part_of(deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::{BACKOFF_YIELDS, Backoff};
    use crate::facade::Releasing;

    #[test]
    #[cfg_attr(debug_assertions, should_panic(expected = "a releasing call is about to sleep"))]
    fn releasing_call_that_would_sleep_is_found() {
        let _releasing = Releasing::begin();
        let mut backoff = Backoff::new();
        for _ in 0..=BACKOFF_YIELDS {
            backoff.wait();
        }
    }

    #[test]
    fn releasing_call_spins_and_yields_for_as_long_as_it_takes() {
        let _releasing = Releasing::begin();
        let mut backoff = Backoff::sleepless();
        for _ in 0..=2 * BACKOFF_YIELDS {
            backoff.wait();
        }
    }
}
