//! The model's arm: the same names on loom. The table in `facade` says where they differ.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "this is what the fence fences in")]

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::time::Duration;

pub(crate) mod atomic;
mod cell;
mod park;

pub(crate) use cell::{Data, ReadAccess, UnsafeCell, WriteAccess};
#[cfg(feature = "threads")]
pub(crate) use loom::thread;
pub(crate) use loom::thread::LocalKey;
pub(crate) use loom::{lazy_static, thread_local};
pub(crate) use park::{Parker, Unparker};

pub(crate) use super::checked::*;

/// As many threads as a model can afford beside its main thread.
#[cfg(feature = "threads")]
pub(crate) const PARALLELISM: usize = 2;

/// Two lines, by turns.
pub(crate) mod lines {
    use std::sync::atomic::{AtomicUsize, Ordering};

    pub(crate) const COUNT: usize = 2;

    loom::lazy_static! {
        /// Not the model's: threads are numbered in the order in which they first come here, which the
        /// schedule decides.
        static ref THREADS: AtomicUsize = AtomicUsize::new(0);
    }

    loom::thread_local! {
        static LINE: usize = THREADS.fetch_add(1, Ordering::Relaxed) % COUNT;
    }

    pub(crate) fn mine() -> usize {
        LINE.with(|line| *line)
    }

    pub(crate) fn used() -> usize {
        COUNT
    }
}

std::thread_local! {
    /// loom runs all threads of a model as coroutines on the thread of its test, so this is one set for each
    /// test.
    static REACHED: RefCell<BTreeSet<&'static str>> = const { RefCell::new(BTreeSet::new()) };
}

/// Notes that the model on this thread has come to `state`.
pub(crate) fn reached(state: &'static str) {
    REACHED.with_borrow_mut(|reached| reached.insert(state));
}

/// Returns what was noted on this thread since this was asked last.
pub(crate) fn take_notes() -> BTreeSet<&'static str> {
    REACHED.take()
}

/// Returns what the caller expects. A look just before the exchange would tell nothing that the exchange
/// does not, and hide those of other threads. A model that is about the looks asks for them.
pub(crate) fn load_or_expected<T>(look: impl FnOnce() -> T, expected: T) -> T {
    if LOOKS.get() { look() } else { expected }
}

/// Leaves a store out that other threads take as advice, but in a model that is about the looks.
pub(crate) fn store_hint(store: impl FnOnce()) {
    if LOOKS.get() {
        store();
    }
}

/// Sets whether [`load_or_expected`] looks, and [`store_hint`] stores.
pub(crate) fn set_looks(looks: bool) {
    LOOKS.set(looks);
}

/// Returns loom's own number, which begins anew with each interleaving and is not reused in it. It stands in
/// the id's `Debug` and nowhere else.
pub(crate) fn this_thread() -> NonZeroU64 {
    let id = format!("{:?}", loom::thread::current().id());
    let digits = id.trim_start_matches("ThreadId(").trim_end_matches(')');
    let number: u64 = digits.parse().unwrap_or_else(|_| panic!("loom shows thread ids as {id}"));
    NonZeroU64::MIN.saturating_add(number)
}

/// Returns the first, in a model.
pub(crate) const fn draw(_n: usize) -> usize {
    0
}

pub(crate) fn spin_hint() {
    unreachable!("spin budgets are zero in a model");
}

std::thread_local! {
    static ENDLESS_ROUNDS: Cell<bool> = const { Cell::new(false) };
    static TURNS: Cell<bool> = const { Cell::new(false) };
    static LOOKS: Cell<bool> = const { Cell::new(false) };
    static LIVES: Cell<u32> = const { Cell::new(1) };
    static STARVES: Cell<bool> = const { Cell::new(true) };
}

/// Returns what the body of the model on this thread has said, else `false`.
pub(crate) fn turn(_came: bool) -> bool {
    TURNS.get()
}

/// Sets what [`turn`] returns.
pub(crate) fn set_turns(turns: bool) {
    TURNS.set(turns);
}

/// Gives the others their turn, whatever the step is. Two threads that wait for a third by yielding can yield
/// to each other without end, and each number of times is an interleaving of its own. After some rounds in
/// one place the interleaving is run to its end, with the thread preferred that yielded least, and no others
/// are explored from there.
#[track_caller]
pub(crate) fn stand_by(round: u32, _step: impl FnOnce()) {
    const EXPLORED: u32 = 3;
    if round >= EXPLORED {
        loom::skip_branch();
    }
    loom::thread::yield_now();
}

/// Sets whether a thread's rounds last until it is woken, in the model on this thread.
pub(crate) fn set_endless_rounds(endless: bool) {
    ENDLESS_ROUNDS.set(endless);
}

/// Sets how often a thread with a deadline returns from `park` in the model on this thread, until the
/// deadline has passed: it may outlive each wake-up but the last. Once, unless the model's body has said
/// more: that leaves out the timed waiter that is woken, loses, and waits again, and keeps models small.
pub(crate) fn set_lives(lives: u32) {
    LIVES.set(lives);
}

/// Sets whether a waiter may be starving in the model on this thread: it may, unless the model's body has
/// said otherwise, which keeps models small that are about something else.
pub(crate) fn set_starves(starves: bool) {
    STARVES.set(starves);
}

/// Does nothing: whatever the thread does next gives the others their turn.
pub(crate) fn yield_now() {}

#[derive(Clone, Debug)]
pub(crate) enum Deadline {
    Never,
    /// Passes at a return from `park`: at the latest at the one that is as many as it has lives, see
    /// [`set_lives`].
    Finite {
        passed: Cell<bool>,
        lives: Cell<u32>,
    },
}

impl Deadline {
    pub(super) fn finite(passed: bool) -> Self {
        Self::Finite { passed: Cell::new(passed), lives: Cell::new(LIVES.get()) }
    }

    pub(crate) fn has_passed(&self) -> bool {
        matches!(self, Self::Finite { passed, .. } if passed.get())
    }

    /// Passes now.
    #[cfg(feature = "loom-spec")]
    pub(crate) fn pass(&self) {
        if let Self::Finite { passed, .. } = self {
            passed.set(true);
        }
    }

    /// Returns a deadline that may pass at once or when the others have had their turn; so does this one, in
    /// the first round. In a model that is about the wake-up alone none passes by itself.
    #[track_caller]
    pub(crate) fn or_after(&self, _length: Duration, round: u32) -> Self {
        const EXPLORED: u32 = 1;
        if ENDLESS_ROUNDS.get() {
            return Self::NEVER;
        }
        if round >= EXPLORED {
            loom::skip_branch();
            loom::thread::yield_now();
        }
        self.spend();
        Self::Finite { passed: Cell::new(false), lives: Cell::new(1) }
    }

    /// Takes one of its lives. Without another it passes.
    fn spend(&self) {
        if let Self::Finite { passed, lives } = self {
            match lives.get() {
                0 | 1 => passed.set(true),
                more => lives.set(more - 1),
            }
        }
    }
}

/// Whether a waiter has waited for long, which is a choice: its thread stores that it has as soon as it is
/// queued, and as nothing orders that store before a load by another thread, the load finds it or not.
#[derive(Debug)]
pub(crate) struct Age(loom::sync::atomic::AtomicU32);

impl Age {
    pub(crate) fn new() -> Self {
        Self(loom::sync::atomic::AtomicU32::new(0))
    }

    #[track_caller]
    pub(crate) fn pass(&self) {
        self.0.store(1, atomic::Ordering::Relaxed);
    }

    #[track_caller]
    pub(crate) fn is_over(&self, _: Moment, _: Moment, _: Duration) -> bool {
        STARVES.get() && self.0.load(atomic::Ordering::Relaxed) != 0
    }
}
