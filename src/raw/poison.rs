//! Whether a thread has panicked while it could change a guarded value.
//!
//! | word | meaning |
//! |---|---|
//! | CLEAN | no thread has panicked, or the mark was cleared since |
//! | POISONED | a thread has panicked |
//!
//! Invariant:
//!
//! 1. The word is set by a thread that holds the lock, before it unlocks. So a thread that locks next sees
//!    it.
//!
//! Ordering: none of its own. Between holders the lock orders it; a thread that asks without the lock gets
//! advice.
//!
//! Promised upward: a panic that begins between a [`Watch`] and its note is noticed; one that was under way
//! before is not, because a destructor that locks, changes and unlocks in an orderly way has broken nothing.
//!
//! Limits: it says that there was a panic, and not what it left half changed.

use crate::facade::atomic::AtomicU32;
use crate::facade::atomic::Ordering::Relaxed;
use crate::facade::{const_fn, panicking};

const CLEAN: u32 = 0;
const POISONED: u32 = 1;

#[derive(Debug)]
pub(crate) struct Poison(AtomicU32);

impl Poison {
    const_fn! {
        pub(crate) fn new() -> Self {
            Self(AtomicU32::new(CLEAN))
        }
    }

    #[inline]
    pub(crate) fn is_set(&self) -> bool {
        // Relaxed: ordered by the lock, or advice (invariant 1).
        self.0.load(Relaxed) == POISONED
    }

    pub(crate) fn clear(&self) {
        // Relaxed: as above.
        self.0.store(CLEAN, Relaxed);
    }

    /// Begins to watch for a panic. To be called with the lock held, and asked before it is released.
    #[inline]
    pub(crate) fn watch(&self) -> Watch<'_> {
        Watch { poison: self, was_panicking: panicking() }
    }
}

/// Notices a panic that begins after it was made.
#[derive(Debug)]
#[must_use]
pub(crate) struct Watch<'a> {
    poison: &'a Poison,
    was_panicking: bool,
}

impl Watch<'_> {
    /// Returns whether the value was poisoned already.
    #[inline]
    pub(crate) fn is_set(&self) -> bool {
        self.poison.is_set()
    }

    /// Poisons the value if a panic has begun. To be called with the lock held, when it is about to be
    /// released.
    #[inline]
    pub(crate) fn note(&self) {
        if !self.was_panicking && panicking() {
            // Relaxed: ordered by the lock (invariant 1).
            self.poison.0.store(POISONED, Relaxed);
        }
    }
}
