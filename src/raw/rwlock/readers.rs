//! The table of visible readers (after Dice and Kogan's BRAVO): where readers are that do not count themselves in their lock's
//! word. There is one for the process, and it never grows.
//!
//! A thread has a line of the table, and a lock has one *slot* in each line, found by the lock's number. A slot holds the
//! number of the lock that a thread reads, or 0. Which threads have a line to themselves is the facade's affair (`lines`).
//!
//! Invariants:
//!
//! 1. A slot goes from 0 to a lock's number by a reader's exchange, and back by a store of the one that is in.
//! 2. A number is one lock's for ever. So what a forgotten guard leaves in its slot keeps no other lock waiting.
//!
//! Ordering: the lock's, which stands on its page.

use crate::facade::atomic::{AtomicU32, Ordering::Relaxed};
use crate::facade::{array, budget, const_fn, lines, per_process};

const SLOTS: usize = budget(32, 1) as usize;

/// Two cache lines, because processors fetch them in pairs.
#[repr(align(128))]
struct Line([AtomicU32; SLOTS]);

impl Line {
    const_fn! {
        fn new() -> Self {
            Self(array![AtomicU32::new(0); SLOTS])
        }
    }

    #[inline]
    #[allow(clippy::modulo_one, reason = "a model has one slot")]
    fn slot(&self, lock: u32) -> &AtomicU32 {
        &self.0[lock as usize % SLOTS]
    }
}

per_process! {
    static TABLE: [Line; lines::COUNT] = array![Line::new(); lines::COUNT];
}

per_process! {
    /// The number of the next lock, or 0 if there are none left.
    static NEXT: AtomicU32 = AtomicU32::new(1);
}

#[inline]
fn table() -> &'static [Line; lines::COUNT] {
    &TABLE
}

/// The calling thread's slot for the lock of this number.
#[inline]
pub(super) fn slot_of_this_thread(lock: u32) -> &'static AtomicU32 {
    table()[lines::mine() % lines::COUNT].slot(lock)
}

/// All slots in which a reader of this lock may be. Behind a `fence_in_order`, none is left out whose reader came first.
pub(super) fn slots(lock: u32) -> impl Iterator<Item = &'static AtomicU32> {
    table()[..lines::used()].iter().map(move |line| line.slot(lock))
}

/// A number that no other lock has or had, or 0 if there are none left.
pub(super) fn new_number() -> u32 {
    // Relaxed: the number is all that matters.
    let mut next = NEXT.load(Relaxed);
    while next != 0 {
        // Relaxed: as above.
        match NEXT.compare_exchange_weak(next, next.wrapping_add(1), Relaxed, Relaxed) {
            Ok(_) => break,
            Err(actual) => next = actual,
        }
    }
    next
}
