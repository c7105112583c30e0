//! What a barrier keeps apart from its count, and how the steps of a wait end.

use super::Action;
use super::state::State;
use crate::facade::atomic::AtomicU64;
use crate::wait::Wakeup;

/// What changes once in a round, or never: apart from what changes with each arrival.
#[repr(align(128))]
pub(super) struct Seldom {
    /// The generation that fills, or [`LOOK`](Self::LOOK): those that spin look at this one. What is
    /// published last may be late, but a generation is published only after the one before it has tripped, or
    /// has broken and has no members any more.
    pub(super) published: AtomicU64,
    /// The count that completes a generation. More parties than fit inside never complete one.
    pub(super) full: u64,
    pub(super) parties: usize,
    pub(super) action: Option<Box<Action>>,
}

impl Seldom {
    /// The state says how it is: the round is broken, or an action runs.
    pub(super) const LOOK: u64 = u64::MAX;
}

/// How a try to arrive ended.
pub(super) enum Arrival {
    /// In the last place; the state is the one before.
    Last(State),
    /// In another place; the state is the one before.
    Early(State),
    /// Not at all: no thread could arrive in this state, which is the present one.
    Closed(State),
}

/// How a sleep ended.
pub(super) enum Slept {
    /// By a waker, which took the node out.
    Woken(Wakeup),
    /// By the deadline: no thread has taken the node out.
    TimedOut,
    /// It did not begin, because there was nothing to wait for in this state.
    NotNow(State),
}

/// Why members leave a round.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The deadline of one has passed: that breaks no complete round (invariant 3).
    Deadline,
    /// The round is broken, or a panic breaks it.
    Broken,
    /// It has not arrived (invariant 7).
    Visit,
}

/// What a member that wanted to leave has found.
pub(super) enum Left {
    /// It is not counted any more, and its round is broken.
    Departed,
    /// Its round has tripped.
    Tripped,
    /// Its round is complete, so it is still a member.
    Complete,
}
