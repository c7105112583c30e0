//! The state word of the barrier, and what a waiter says of its round.
//!
//! ```text
//!   63                27      26        25       24     23             0
//!  ┌────────────────────┬──────────┬─────────┬────────┬───────────────┐
//!  │ generation         │ SLEEPERS │ ABORTED │ BROKEN │ count         │
//!  └────────────────────┴──────────┴─────────┴────────┴───────────────┘
//! ```
//!
//! What the bits mean together stands in the table of the [module's page](super).

use std::fmt;
use std::ptr;

use crate::wait::Waiter;

/// A value of a barrier's state word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct State(pub(super) u64);

impl State {
    pub(super) const COUNT: u64 = (1 << 24) - 1;
    /// How many may be inside: so few that the additions of others cannot reach the bits above the count.
    pub(super) const MOST: u64 = 1 << 23;
    pub(super) const BROKEN: u64 = 1 << 24;
    pub(super) const ABORTED: u64 = 1 << 25;
    pub(super) const SLEEPERS: u64 = 1 << 26;
    const GENERATION: u64 = 1 << 27;

    /// No thread is inside, in the first generation.
    pub(super) const FRESH: Self = Self(0);

    pub(super) const fn has(self, bits: u64) -> bool {
        self.0 & bits != 0
    }

    pub(super) const fn with(self, bits: u64) -> Self {
        Self(self.0 | bits)
    }

    pub(super) const fn without(self, bits: u64) -> Self {
        Self(self.0 & !bits)
    }

    pub(super) const fn is_broken(self) -> bool {
        self.has(Self::BROKEN)
    }

    pub(super) const fn is_aborted(self) -> bool {
        self.has(Self::ABORTED)
    }

    pub(super) const fn has_sleepers(self) -> bool {
        self.has(Self::SLEEPERS)
    }

    pub(super) const fn count(self) -> u64 {
        self.0 & Self::COUNT
    }

    pub(super) const fn generation(self) -> Generation {
        Generation(self.0 / Self::GENERATION)
    }

    /// Adds one member. There is room for it.
    pub(super) const fn arrived(self) -> Self {
        Self(self.0 + 1)
    }

    /// Takes off one that has not arrived, of a round that is not broken.
    pub(super) const fn without_visitor(self) -> Self {
        Self(self.0 - 1)
    }

    /// Returns a state with no thread inside, one generation later (invariant 1).
    pub(super) const fn next_generation(self) -> Self {
        Self((self.0 & !(Self::GENERATION - 1)).wrapping_add(Self::GENERATION))
    }

    /// Returns it broken if it was not, with so many members fewer; ended if there are none left, unless it
    /// is aborted.
    pub(super) const fn broken_without(self, members: u64) -> Self {
        if self.count() == members && !self.is_aborted() {
            self.next_generation()
        } else {
            Self(self.with(Self::BROKEN).0 - members)
        }
    }
}

const _: () = assert!(State::COUNT & (State::BROKEN | State::ABORTED | State::SLEEPERS) == 0);
const _: () = assert!(State::GENERATION > State::SLEEPERS && State::GENERATION.is_power_of_two());

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("generation", &self.generation().0)
            .field("count", &self.count())
            .field("broken", &self.is_broken())
            .field("aborted", &self.is_aborted())
            .field("sleepers", &self.has_sleepers())
            .finish()
    }
}

/// The number of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Generation(pub(super) u64);

/// What a node in the queue waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// That the present round lets a thread in again.
    Entering = 0,
    /// The end of the round that it is a member of.
    Member = 1,
}

impl Generation {
    /// Returns the one after it, as [`State::next_generation`] counts.
    pub(super) const fn next(self) -> Self {
        Self(State(self.0.wrapping_mul(State::GENERATION)).next_generation().0 / State::GENERATION)
    }

    /// Where a tag has the generation: so high that the difference of two tags overflows as that of the
    /// numbers does.
    const SHIFT: u32 = if usize::BITS > u64::BITS - State::GENERATION.trailing_zeros() {
        usize::BITS - (u64::BITS - State::GENERATION.trailing_zeros())
    } else {
        1
    };

    /// Returns a waiter's tag: the generation, as far as it fits, over the role.
    pub(super) const fn tag(self, role: Role) -> *const () {
        ptr::without_provenance(((self.0 as usize) << Self::SHIFT) | role as usize)
    }

    /// Returns how many generations lie between that of the tag and this one, times a power of two; less than
    /// 0 if that of the tag is later. All nodes in a queue are close together, in a number that begins anew
    /// when it is used up.
    pub(super) fn distance(self, tag: *const ()) -> isize {
        let first = self.tag(Role::Entering).addr();
        first.wrapping_sub(tag.addr() & !(Role::Member as usize)) as isize
    }

    /// Returns whether the waiter queued in an earlier generation.
    pub(super) fn is_after(self, waiter: &Waiter) -> bool {
        self.distance(waiter.tag()) > 0
    }
}

pub(super) fn is_member(waiter: &Waiter) -> bool {
    waiter.tag().addr() & Role::Member as usize != 0
}

#[cfg(test)]
mod tests {
    use super::{Generation, Role, State};

    #[test]
    fn generations_are_compared_past_the_end_of_their_number() {
        let last = State(u64::MAX).generation();
        assert_eq!(State(u64::MAX).next_generation(), State::FRESH);
        for (earlier, later) in
            [(Generation(0), Generation(1)), (last, Generation(0)), (Generation(last.0 - 1), last)]
        {
            for role in [Role::Entering, Role::Member] {
                assert!(later.distance(earlier.tag(role)) > 0);
                assert!(earlier.distance(later.tag(role)) < 0);
                assert_eq!(later.distance(later.tag(role)), 0);
            }
        }
    }

    #[test]
    fn broken_round_ends_with_its_last_member() {
        let two = State::FRESH.arrived().arrived().with(State::SLEEPERS);
        let one = two.broken_without(1);
        assert_eq!((one.count(), one.is_broken(), one.generation()), (1, true, two.generation()));
        assert_eq!(one.broken_without(1), State::FRESH.next_generation());
        let aborted = two.with(State::BROKEN | State::ABORTED).broken_without(2);
        assert_eq!(
            (aborted.count(), aborted.is_aborted(), aborted.generation()),
            (0, true, two.generation())
        );
    }
}
