//! The values of a queue's word. What each bit means stands at the head of [`queue`](super::queue).

use std::fmt;
use std::ptr;

use super::list::List;
use super::waiter::Waiter;

/// A value of a queue's word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word(pub(super) *mut Waiter);

impl Word {
    pub(super) const QUEUE_LOCKED: usize = 1;
    pub(super) const OWNER: usize = 0b0110;
    pub(super) const RECHECK: usize = 0b1000;
    const HEAD: usize = !(Self::QUEUE_LOCKED | Self::OWNER | Self::RECHECK);

    /// No waiters, not locked, no bits.
    pub(crate) const EMPTY: Self = Self(ptr::null_mut());

    /// Returns the owner's bit number `n`.
    pub(crate) const fn bit(n: u32) -> usize {
        let bit = 2 << n;
        assert!(bit & Self::OWNER == bit, "the owner has bits 0 and 1");
        bit
    }

    /// Makes a word without waiters, not locked, with these owner's bits.
    pub(crate) const fn of(bits: usize) -> Self {
        Self(ptr::without_provenance_mut(bits))
    }

    /// Returns whether any of these bits is set.
    pub(crate) fn has(self, bits: usize) -> bool {
        self.0.addr() & bits != 0
    }

    pub(crate) fn with(self, bits: usize) -> Self {
        Self(self.0.map_addr(|addr| addr | bits))
    }

    pub(crate) fn without(self, bits: usize) -> Self {
        Self(self.0.map_addr(|addr| addr & !bits))
    }

    /// Returns whether a thread waits; while the queue lock is held, whether one did before it was taken.
    pub(crate) fn has_waiters(self) -> bool {
        self.has(Self::HEAD)
    }

    pub(crate) fn is_queue_locked(self) -> bool {
        self.has(Self::QUEUE_LOCKED)
    }

    /// Returns, in [`unlock_as`](super::queue::LockedQueue::unlock_as), whether work was delegated since the
    /// holder of the queue lock decided last.
    pub(crate) fn is_recheck(self) -> bool {
        self.has(Self::RECHECK)
    }

    /// Returns the first waiter. An exchange compares addresses only: a thread that waits, leaves and waits
    /// again may stand at the same address with a new node, and then a word from before its return is as good
    /// as a new one, but for the pointer's provenance. So the nodes' provenance is exposed, and the address
    /// is what counts.
    pub(super) fn head(self) -> *const Waiter {
        ptr::with_exposed_provenance(self.0.addr() & Self::HEAD)
    }

    /// Returns the owner's bits of this word over another list, not locked.
    pub(super) fn over(self, list: &List<Waiter>) -> Self {
        let bits = self.0.addr() & Self::OWNER;
        Self(list.head().cast_mut().map_addr(|addr| addr | bits))
    }
}

const _: () = assert!(align_of::<Waiter>() > Word::OWNER | Word::QUEUE_LOCKED | Word::RECHECK);
const _: () = assert!(Word::OWNER & (Word::QUEUE_LOCKED | Word::RECHECK) == 0);

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Word")
            .field("has_waiters", &self.has_waiters())
            .field("owner", &format_args!("{:#04b}", (self.0.addr() & Self::OWNER) >> 1))
            .field("locked", &self.is_queue_locked())
            .field("recheck", &self.is_recheck())
            .finish()
    }
}
