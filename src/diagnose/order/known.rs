//! Chains that were checked: which locks a thread held, and which it wanted then, as one number. Asked
//! without a lock, so that a thread that does what threads did before meets no other.
//!
//! A fixed table of sets of numbers, each set on a cache line of its own. A number goes into its set, in the
//! place of another if that is full: a chain that has been driven out is checked once more, which finds
//! nothing new. No number is removed when a lock is gone, because no other lock will have its number.

use crate::facade::atomic::{AtomicU64, Ordering::Relaxed};
use crate::facade::{array, per_process};

/// The numbers in a set.
const WAYS: usize = 8;
/// The sets, as a power of two.
const SETS_BITS: u32 = 11;

#[repr(align(64))]
struct Set([AtomicU64; WAYS]);

per_process! {
    static KNOWN: [Set; 1 << SETS_BITS] = array![Set(array![AtomicU64::new(0); WAYS]); 1 << SETS_BITS];
}

/// The number of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chain(u64);

impl Chain {
    /// Makes the chain of the locks that are `held`, with how they are held, and of the one that is `wanted`,
    /// in the given `way`.
    #[inline]
    pub(super) fn new(held: u64, wanted: u64, way: u64) -> Self {
        // The finishing steps of a common hash, as each bit of each of the three must count in all bits.
        let mut x = held ^ (wanted << 8 | way).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
        x = (x ^ (x >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        x = (x ^ (x >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        // 0 is no chain.
        Self((x ^ (x >> 33)).max(1))
    }

    #[inline]
    fn set(self) -> &'static Set {
        &KNOWN[(self.0 >> (u64::BITS - SETS_BITS)) as usize]
    }

    /// Returns whether it was checked.
    #[inline]
    pub(super) fn is_known(self) -> bool {
        // Relaxed: that it was checked is true whenever it is seen, and nothing travels with it.
        self.set().0.iter().any(|place| place.load(Relaxed) == self.0)
    }

    /// Notes that it was checked. The caller has the lock of the tables.
    pub(super) fn learn(self) {
        let places = &self.set().0;
        // Relaxed: written under the lock of the tables alone.
        let empty = places.iter().find(|place| place.load(Relaxed) == 0);
        // Bits that do not choose the set.
        let other = &places[(self.0 & (WAYS as u64 - 1)) as usize];
        // Relaxed: as in `is_known`.
        empty.unwrap_or(other).store(self.0, Relaxed);
    }
}

/// Forgets all. The caller has the lock of the tables.
pub(super) fn forget_all() {
    // Relaxed: as above.
    KNOWN.iter().flat_map(|set| &set.0).for_each(|place| place.store(0, Relaxed));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Chain;

    #[test]
    fn chains_of_few_locks_have_distinct_numbers() {
        let mut seen = BTreeSet::new();
        for held in 0..50_u64 {
            for wanted in 0..50 {
                for way in 0..8 {
                    assert!(seen.insert(Chain::new(held.wrapping_mul(0x9e37_79b9), wanted, way).0));
                }
            }
        }
    }
}
