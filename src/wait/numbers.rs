//! The tuned numbers of waiting, each once: those that a study can vary (`cargo sim study`), and at the end
//! those that are part of a type or a constant. What each was measured to be worth stands in
//! `docs/numbers.md`.
//!
//! In a model budgets are empty, but for the barrier's one look: a look that finds nothing is the same
//! transition as the first, and advice that is never followed cannot change what is explored. On the
//! simulated machine a run may have others (`cargo sim study`); there and here 0 leaves the thing out, where
//! it says nothing else. Times are in microseconds.

use std::time::Duration;

use super::policy::Adaptive;
use crate::facade::{budget, number};

/// A number, as it is and in models. Its name is for the simulated machine.
pub(crate) struct Number {
    name: &'static str,
    value: u32,
    in_models: u32,
}

impl Number {
    const fn of(name: &'static str, value: u32, in_models: u32) -> Self {
        Self { name, value, in_models }
    }

    #[inline(always)]
    pub(crate) fn get(self) -> u32 {
        number(self.name, budget(self.value, self.in_models))
    }

    #[inline(always)]
    pub(crate) fn micros(self) -> Duration {
        Duration::from_micros(self.get().into())
    }
}

/// Looks of a thread that is about to queue for a lock.
pub(crate) const LOCK_LOOKS: Number = Number::of("lock_looks", 2, 0);
/// Hints before the first of them; each pause is twice as long as the one before.
pub(crate) const LOCK_HINTS: Number = Number::of("lock_hints", 4, 4);
/// Looks, one hint each, where sections are long.
pub(crate) const LONG_SECTION_LOOKS: Number = Number::of("long_section_looks", 40, 0);
/// A lock that is free before this many looks counts as one of short sections: an arriving thread meets a
/// long section somewhere in its midst.
pub(crate) const SHORT_SECTION_LOOKS: Number = Number::of("short_section_looks", 3, 3);
/// Yields of a thread that is about to queue for a lock.
pub(crate) const LOCK_YIELDS: Number = Number::of("lock_yields", 8, 0);
/// Looks of a thread that was woken for a lock, has lost and is the first again.
pub(crate) const HANDOFF_LOOKS: Number = Number::of("handoff_looks", 30, 0);
/// Looks of a thread that is the first to wait for a signal, or among the first to wait for permits.
pub(crate) const ANSWER_LOOKS: Number = Number::of("answer_looks", 30, 0);
/// Hints before each of them.
pub(crate) const ANSWER_HINTS: Number = Number::of("answer_hints", 4, 4);
/// How many of those that wait for permits are kept awake, if their turns come as soon as a thread wakes up.
pub(crate) const PERMITS_AWAKE: Number = Number::of("permits_awake", 3, 1);
/// Looks of a writer that waits for readers to leave, four hints each.
pub(crate) const DRAIN_LOOKS: Number = Number::of("drain_looks", 8, 0);
/// Its yields.
pub(crate) const DRAIN_YIELDS: Number = Number::of("drain_yields", 16, 0);
/// Hints of a buffer's thread before it yields.
pub(crate) const SIDE_HINTS: Number = Number::of("side_hints", 96, 0);
/// The most hints between two of its looks.
pub(crate) const SIDE_PAUSE: Number = Number::of("side_pause", 32, 32);
/// Its yields where answers do not come soon.
pub(crate) const SIDE_YIELDS: Number = Number::of("side_yields", 10, 0);
/// Looks of a barrier's member.
pub(crate) const BARRIER_LOOKS: Number = Number::of("barrier_looks", 20, 1);
/// Hints before each of them.
pub(crate) const BARRIER_HINTS: Number = Number::of("barrier_hints", 4, 0);
/// Its yields.
pub(crate) const BARRIER_YIELDS: Number = Number::of("barrier_yields", 100, 0);
/// Where they are in vain, two of two to the power of this many generations have yields at last.
pub(crate) const BARRIER_REST_DOUBLINGS: Number = Number::of("barrier_rest_doublings", 6, 0);
/// The longest pause after a failed exchange is 2 to the power of this many hints.
pub(crate) const COLLISION_DOUBLINGS: Number = Number::of("collision_doublings", 6, 0);
/// Whether a thread that finds others in a lock's queue joins them at once, unless sections are long.
pub(crate) const QUEUE_BEHIND: Number = Number::of("queue_behind", 1, 0);
/// Whether threads learn that sections are long.
pub(crate) const LEARN_SECTIONS: Number = Number::of("learn_sections", 1, 1);
/// Past how many designated wakers a thread barges before it asks whether to yield.
pub(crate) const BARGING_ASKS: Number = Number::of("barging_asks", 16, u32::MAX);
/// A thread looks after the first waiter in one of this many unlocks that find a designated waker.
pub(crate) const UNLOCK_TURN: Number = Number::of("unlock_turn", 16, 16);
/// How many notified threads may barge for a free lock at once.
pub(crate) const WAKE_BATCH: Number = Number::of("wake_batch", 16, 1);
/// A yield that takes longer went to a thread that could not have ended the wait.
pub(crate) const LONG_YIELD: Number = Number::of("long_yield", 500, 500);
/// For how long a thread yields whose signals come about as soon as a thread is woken: about what it takes to
/// wake one on an idle processor.
pub(crate) const ANSWER_YIELD_TIME: Number = Number::of("answer_yield_time", 50, 50);
/// The back-off of yields: half of how long no thread yields after a yield that was long, if the one before
/// it was not.
pub(crate) const YIELD_REST: Number = Number::of("yield_rest", 8000, 8000);
/// How often at most that time is doubled.
pub(crate) const YIELD_REST_DOUBLINGS: Number = Number::of("yield_rest_doublings", 6, 6);
/// Between two yields of a thread that barges: they are rate-limited.
pub(crate) const BARGING_INTERVAL: Number = Number::of("barging_interval", 200, 200);
/// The hand-off threshold: how long a waiter is the first of its queue until it is starving.
pub(crate) const STARVING_AFTER: Number = Number::of("starving_after", 500, 500);

/// After so many consecutive reads the reader bias is enabled.
pub(crate) const BIAS_READS: u32 = budget(3, 1);
/// One generation of a barrier in this many tries spinning again.
pub(crate) const BARRIER_TRIAL: u64 = 256;

/// Whether a thread should look often, because the sections it waits for are long. Of the waits for short
/// ones 8 to 25 in a hundred end [soon](SHORT_SECTION_LOOKS), of those for long ones one.
pub(crate) type LongSections = Adaptive<1, 32, 32, 120>;
/// Whether a thread should yield for as long as a wake-up takes, because the signals it waits for come in
/// that time.
pub(crate) type SoonAnswers = Adaptive<1, 1, 1, 100>;
/// Whether a buffer's thread spins before it yields. One wait in which it was of use outweighs two in vain.
pub(crate) type SideSpins = Adaptive<2, 1, 8, 8>;

/// Doubling pauses of a wait for a few instructions of another thread, up to 64 hints: the other is most
/// likely running, and done before the last.
pub(crate) const BACKOFF_SPINS: u32 = 7;
/// Up to this round it then yields: the other's processor may be running this thread.
pub(crate) const BACKOFF_YIELDS: u32 = 16;
/// Then this thread may outrank the other, so that yielding does nothing: it leaves the processor for a
/// while.
pub(crate) const BACKOFF_SLEEP: Duration = Duration::from_micros(50);
/// So often each sleep is twice as long as the one before: up to 0.8 ms, as the other is off its processor
/// for a time slice.
pub(crate) const BACKOFF_DOUBLINGS: u32 = 4;

/// The first interval of a thread that looks for itself now and then.
pub(crate) const POLL_SHORTEST: Duration = Duration::from_micros(50);
/// Each interval is so many times as long as the one before. What can be missed was on its way when the wait
/// began, and is there by the first look on any processor of today; the others are for the language, which
/// sets no limit. A wait of half a second looks five times, one of a minute seven times.
pub(crate) const POLL_GROWTH: u32 = 8;
