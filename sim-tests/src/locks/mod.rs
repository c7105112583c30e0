//! Locks from published descriptions, on the machine: what lockwork's results are divided by. Each is written
//! for a run and not for use: what one of them would have to do about panics, time-outs and misuse is left
//! out.
//!
//! | lock | from |
//! |---|---|
//! | [`spin::TestAndSet`] | test-and-test-and-set, Rudolph and Segall 1984 |
//! | [`spin::Ticket`], [`spin::Mcs`] | Mellor-Crummey and Scott, "Algorithms for Scalable Synchronization on Shared-Memory Multiprocessors", 1991 |
//! | [`futex::Mutex`] | the three states of Drepper, "Futexes Are Tricky", 2011, with a hundred spins before, as `std` has on Linux |
//! | [`barging::Mutex`] | WebKit's and parking_lot's: barging, a queue beside the word, a hand-over after half a millisecond on average |
//! | [`shared::Central`] | one word counts the readers, writers keep new ones out |
//! | [`shared::Sharded`] | eight locks, one for each reader, all for a writer: the "big-reader lock" |
//! | [`futex::Condvar`], [`futex::Semaphore`], [`futex::Event`] | a sequence number, a count, a flag to wait at |
//! | [`meeting::SenseReversing`], [`meeting::Tree`] | Mellor-Crummey and Scott again; the tree has a fan-in of 4 |
//! | [`ring::Ring`] | Vyukov's bounded queue, "Bounded MPMC queue", with a sequence number to wait at |
//! | [`deque::Deque`] | the textbook's: a mutex, a deque and a condition variable for each side, all of words to wait at |
//!
//! A thread passes its number where a lock wants to tell threads apart.

pub(crate) mod barging;
pub(crate) mod deque;
pub(crate) mod futex;
pub(crate) mod meeting;
pub(crate) mod ours;
pub(crate) mod ring;
pub(crate) mod shared;
pub(crate) mod spin;

use lockwork::sim;
use lockwork::sim::atomic::{AtomicU32, Ordering::SeqCst};

/// Mutual exclusion.
pub(crate) trait Exclusive {
    const NAME: &str;
    fn new() -> Self;
    fn section(&self, body: impl FnOnce());
}

/// Readers and writers.
pub(crate) trait Shared {
    const NAME: &str;
    fn new() -> Self;
    fn read(&self, number: usize, body: impl FnOnce());
    fn write(&self, body: impl FnOnce());
}

/// Permits.
pub(crate) trait Permits {
    const NAME: &str;
    fn new(permits: u32) -> Self;
    fn with_permit(&self, body: impl FnOnce());
}

/// A mutex and a condition variable, for two threads that take turns, or for one that begins the turn of all
/// others.
pub(crate) trait Turns {
    const NAME: &str;
    fn new() -> Self;
    /// Waits until the turn is `own`, then gives it to `next`.
    fn take(&self, own: u32, next: u32);
    /// Waits until the turn is `turn` or a later one.
    fn wait(&self, turn: u32);
    /// Makes it the turn, and wakes all that wait.
    fn begin(&self, turn: u32);
}

/// A barrier.
pub(crate) trait Meeting {
    const NAME: &str;
    fn new(parties: usize) -> Self;
    fn meet(&self, number: usize);
}

/// Something that happens once, for many.
pub(crate) trait Signal {
    const NAME: &str;
    fn new() -> Self;
    fn wait(&self);
    fn set(&self);
}

/// A queue with room for so many.
pub(crate) trait Queue {
    const NAME: &str;
    fn new(capacity: usize) -> Self;
    fn put(&self, item: u64);
    fn take(&self) -> u64;

    /// Puts so many items, in one go if it can.
    fn put_many(&self, items: usize) {
        (0..items).for_each(|_| self.put(1));
    }

    /// Takes as many as there are, at least one and at most so many, and returns how many; one that can take
    /// only one at a time takes that many.
    fn take_many(&self, most: usize) -> usize {
        (0..most).for_each(|_| _ = self.take());
        most
    }
}

/// On lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Line<T>(pub(crate) T);

/// A word on lines of its own.
pub(crate) fn word(value: u32) -> Line<AtomicU32> {
    Line(AtomicU32::new(value))
}

/// Spins until `word` is `expected`.
fn spin_until(word: &AtomicU32, expected: u32) {
    while word.load(SeqCst) != expected {
        sim::spin_loop();
    }
}
