//! What one thread writes and others read while it may change: some words under one number.
//!
//! | number | meaning | left by |
//! |---|---|---|
//! | 0 | empty | the owner, to a number that it has not used before |
//! | another | the words are those that were published under this number | the party that was to clear it, to 0 |
//!
//! Invariants:
//!
//! 1. The words are written by the owner alone, while the number is 0.
//! 2. A number is published once, and cleared by one party, which may be another thread than the owner.
//! 3. A reader takes the words for consistent if it has seen the same number before and after it read them.
//!
//! Ordering: `record.publish` is Release in the owner and Acquire in a reader, so a reader that sees a number
//! sees its words or later ones. `record.word` is Release in the owner and Acquire in a reader: a reader that
//! sees a word of a later number comes after the owner has found the record empty, and so does not find the
//! earlier number any more. Clearing orders nothing: the owner has seen it in the number itself.

use crate::facade::atomic::{
    AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};
use crate::facade::{array, const_fn};

/// `N` words under one number.
#[derive(Debug)]
pub(crate) struct Record<const N: usize> {
    number: AtomicU64,
    words: [AtomicU64; N],
}

impl<const N: usize> Record<N> {
    const_fn! {
        pub(crate) fn new() -> Self {
            Self { number: AtomicU64::new(0), words: array![AtomicU64::new(0); N] }
        }
    }

    /// Returns whether the owner may [`publish`](Self::publish).
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        // Relaxed: who sees a word that the owner writes next comes after this load, and does not find the
        // number before any more (record.word).
        // proof: record.is_empty
        self.number.load(Relaxed) == 0
    }

    /// Publishes a number and its words. For the owner, while it is empty.
    #[inline]
    pub(crate) fn publish(&self, number: u64, words: [u64; N]) {
        for (place, word) in words.into_iter().enumerate() {
            self.write(place, word);
        }
        self.show(number);
    }

    /// Writes one of the words; those that are not written stay. For the owner, while it is empty.
    #[inline]
    pub(crate) fn write(&self, place: usize, word: u64) {
        // Release (record.word): a thread that sees it comes after that was found empty.
        // proof: record.write
        self.words[place].store(word, Release);
    }

    /// Returns one of the words as the owner has written it last. For the owner.
    #[inline]
    pub(crate) fn word(&self, place: usize) -> u64 {
        // Relaxed: the owner's own store.
        self.words[place].load(Relaxed)
    }

    /// Publishes the words as they are. For the owner, while it is empty.
    #[inline]
    pub(crate) fn show(&self, number: u64) {
        // Release (record.publish): the words.
        // proof: record.show
        self.number.store(number, Release);
    }

    /// Clears what was published. For the one party that may, if no other thread can have published since.
    #[inline]
    pub(crate) fn clear(&self) {
        // Relaxed: nothing travels with it.
        // proof: record.clear
        self.number.store(0, Relaxed);
    }

    /// Clears what was published under `number`, unless another thread has cleared it on behalf of this party
    /// meanwhile. Returns whether it did.
    pub(crate) fn clear_if(&self, number: u64) -> bool {
        // Relaxed: a hint, the exchange decides.
        while self.number.load(Relaxed) == number {
            // Relaxed: nothing travels with it.
            if self.number.compare_exchange_weak(number, 0, Relaxed, Relaxed).is_ok() {
                return true;
            }
        }
        false
    }

    /// Returns the number, if it is not empty.
    pub(crate) fn number(&self) -> Option<u64> {
        // Relaxed: compared, and never followed.
        Some(self.number.load(Relaxed)).filter(|&number| number != 0)
    }

    /// Returns the number and its words. `None` if it is empty, or changes all the time.
    pub(crate) fn read(&self) -> Option<(u64, [u64; N])> {
        const ATTEMPTS: usize = 3;
        for _ in 0..ATTEMPTS {
            // Acquire (record.publish): the words of this number or of later ones.
            // proof: record.read
            let number = self.number.load(Acquire);
            if number == 0 {
                return None;
            }
            let mut words = [0; N];
            for (word, place) in words.iter_mut().zip(&self.words) {
                // Acquire (record.word): a word of a later number shows that this one was cleared.
                // proof: record.read_word
                *word = place.load(Acquire);
            }
            // Relaxed: read after the words, as they are Acquire.
            // proof: record.read_again
            if self.number.load(Relaxed) == number {
                return Some((number, words));
            }
        }
        None
    }
}

/// Tells the owner of records that another party has cleared one of them, for it to look at all of them.
///
/// Ordering: `record.disturbed` is Release in the party and Acquire in the owner, which finds the record
/// empty then.
#[derive(Debug)]
pub(crate) struct Disturbed(AtomicUsize);

impl Disturbed {
    const_fn! {
        pub(crate) fn new() -> Self {
            Self(AtomicUsize::new(0))
        }
    }

    /// Notes that a party has cleared.
    pub(crate) fn note(&self) {
        // Release (record.disturbed): what was cleared. Added, not stored: a store would end the release
        // sequence of a party that was there before, and the owner would not find what that one has cleared.
        // proof: disturbed.note
        self.0.fetch_add(1, Release);
    }

    /// Returns whether a party has cleared since the last call. For the owner.
    #[inline]
    pub(crate) fn take(&self) -> bool {
        // Relaxed: a hint, the exchange decides.
        let noted = self.0.load(Relaxed);
        // Acquire (record.disturbed): what was cleared. A plain store would lose what another party notes
        // just then. Relaxed on failure: one more has come, or not; the next call finds all.
        // proof: disturbed.take
        noted != 0 && self.0.compare_exchange_weak(noted, 0, Acquire, Relaxed).is_ok()
    }
}
