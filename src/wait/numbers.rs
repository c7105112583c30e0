//! The tuned numbers of waiting, each once. What each was measured to be worth stands in `docs/numbers.md`.
//!
//! In a model budgets are empty: a look that finds nothing is the same transition as the first, and advice
//! that is never followed cannot change what is explored. On the simulated machine a run may have others
//! (`cargo sim study`); there and here 0 leaves the thing out, where it says nothing else.

use std::time::Duration;

use crate::facade::{budget, number};

macro_rules! numbers {
    ($($(#[$meta:meta])* $name:ident = $value:literal, in models $model:expr;)*) => {
        $($(#[$meta])*
        #[inline(always)]
        pub(crate) fn $name() -> u32 {
            number(stringify!($name), budget($value, $model))
        })*
    };
}

numbers! {
    /// Looks of a thread that is about to queue for a lock.
    lock_looks = 2, in models 0;
    /// Hints before the first of them; each pause is twice as long as the one before.
    lock_hints = 4, in models 4;
    /// Looks, one hint each, where sections are long.
    long_section_looks = 40, in models 0;
    /// A lock that is free before this many looks counts as one of short sections: an arriving thread meets a
    /// long section somewhere in its midst.
    short_section_looks = 3, in models 3;
    /// Yields of a thread that is about to queue for a lock.
    lock_yields = 8, in models 0;
    /// Looks of a thread that was woken for a lock, has lost and is the first again.
    handoff_looks = 30, in models 0;
    /// Looks of a thread that is the first to wait for a signal or for permits.
    answer_looks = 30, in models 0;
    /// Hints before each of them.
    answer_hints = 4, in models 4;
    /// Looks of a writer that waits for readers to leave, four hints each.
    drain_looks = 8, in models 0;
    /// Its yields.
    drain_yields = 16, in models 0;
    /// Hints of a buffer's thread before it yields.
    side_hints = 96, in models 0;
    /// The most hints between two of its looks.
    side_pause = 32, in models 32;
    /// Its yields where answers do not come soon.
    side_yields = 10, in models 0;
    /// Looks of a barrier's member.
    barrier_looks = 20, in models 1;
    /// Hints before each of them.
    barrier_hints = 4, in models 0;
    /// Its yields.
    barrier_yields = 100, in models 0;
    /// The longest pause after a failed exchange is 2 to the power of this many hints.
    collision_doublings = 6, in models 0;
    /// Whether a thread that finds others in a lock's queue joins them at once, unless sections are long.
    queue_behind = 1, in models 0;
    /// Whether threads learn that sections are long.
    learn_sections = 1, in models 1;
    /// Past how many designated wakers a thread barges before it asks whether to yield.
    barging_asks = 16, in models u32::MAX;
    /// A thread looks after the first waiter in one of this many unlocks that find a designated waker.
    unlock_turn = 16, in models 16;
    /// How many notified threads may barge for a free lock at once.
    wake_batch = 16, in models 1;
}

/// A yield that takes longer went to a thread that could not have ended the wait.
#[inline(always)]
pub(crate) fn long_yield() -> Duration {
    micros(number("long_yield", 500))
}

/// For how long a thread yields whose signals come about as soon as a thread is woken: about what it takes to
/// wake one on an idle processor.
#[inline(always)]
pub(crate) fn answer_yield_time() -> Duration {
    micros(number("answer_yield_time", 50))
}

/// Half of how long no thread yields after a yield that was long, if the one before it was not.
#[inline(always)]
pub(crate) fn yield_rest() -> Duration {
    micros(number("yield_rest", 8000))
}

/// How often at most that time is doubled.
#[inline(always)]
pub(crate) fn yield_rest_doublings() -> u32 {
    number("yield_rest_doublings", 6)
}

/// Between two yields of a thread that barges.
#[inline(always)]
pub(crate) fn barging_interval() -> Duration {
    micros(number("barging_interval", 200))
}

/// How long a waiter is the first of its queue until it is starving.
#[inline(always)]
pub(crate) fn starving_after() -> Duration {
    micros(number("starving_after", 500))
}

#[inline(always)]
const fn micros(micros: u32) -> Duration {
    Duration::from_micros(micros as u64)
}
