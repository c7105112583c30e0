//! Waits without a queue: for a few instructions of another thread, and for what that thread may have failed
//! to tell.
//!
//! Limits: a [`Backoff`] knows no deadline, no order and no number of those that wait. Its sleeps are below a
//! millisecond each, and a thread may lose again and again.

use std::time::Duration;

use crate::facade::{Deadline, nap, spin_hint, stand_by, yield_now};

/// A wait for a few instructions of another thread, such as those under a queue lock.
#[derive(Debug)]
pub(crate) struct Backoff {
    round: u32,
    sleeps: bool,
}

impl Backoff {
    /// Doubling pauses up to 64 hints: the other thread is most likely running, and done before the last.
    const SPINNING: u32 = 7;
    /// Then its processor may be running this thread: let the other in.
    const YIELDING: u32 = 16;
    /// Then this thread may outrank it, so that yielding does nothing: leave the processor for a while.
    const SHORTEST: Duration = Duration::from_micros(50);
    /// So often each sleep is twice as long as the one before: up to 0.8 ms, as the other is off its
    /// processor for a time slice.
    const DOUBLINGS: u32 = 4;

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
        self.round = (round + 1).min(Self::YIELDING + Self::DOUBLINGS);
        stand_by(round, || {
            if round < Self::SPINNING {
                (0..1 << round).for_each(|_| spin_hint());
            } else if round < Self::YIELDING || !self.sleeps {
                yield_now();
            } else {
                nap(Self::SHORTEST * (1 << (round - Self::YIELDING)));
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
    /// Each interval is eight times as long as the one before. What can be missed was on its way when the
    /// wait began, and is there by the first look on any processor of today; the others are for the language,
    /// which sets no limit. A wait of half a second looks five times, one of a minute seven times.
    const GROWTH: u32 = 8;
    const SHORTEST: Duration = Duration::from_micros(50);

    pub(crate) fn new() -> Self {
        Self { round: 0, next: Self::SHORTEST }
    }

    /// Returns the end of the next interval, which is `deadline` if that comes first.
    #[track_caller]
    pub(crate) fn next(&mut self, deadline: &Deadline) -> Deadline {
        let (round, length) = (self.round, self.next);
        self.round = round.saturating_add(1);
        self.next = length.saturating_mul(Self::GROWTH);
        deadline.or_after(length, round).part_of(deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::Backoff;
    use crate::facade::Releasing;

    #[test]
    #[cfg_attr(debug_assertions, should_panic(expected = "a releasing call is about to sleep"))]
    fn releasing_call_that_would_sleep_is_found() {
        let _releasing = Releasing::begin();
        let mut backoff = Backoff::new();
        for _ in 0..=Backoff::YIELDING {
            backoff.wait();
        }
    }

    #[test]
    fn releasing_call_spins_and_yields_for_as_long_as_it_takes() {
        let _releasing = Releasing::begin();
        let mut backoff = Backoff::sleepless();
        for _ in 0..=2 * Backoff::YIELDING {
            backoff.wait();
        }
    }
}
