//! Random numbers that are the same in every run with the same seed.

/// Marsaglia's xorshift with 64 bits.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The numbers of one teller. Each teller's are different.
    pub(crate) fn new(seed: u64, teller: usize) -> Self {
        let mixed = (seed ^ ((teller as u64 + 1) << 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        // Zero would stay zero.
        let mut random = Self(mixed.max(1));
        // The first ones of similar seeds are similar.
        (0..8).for_each(|_| _ = random.next());
        random
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`, which is not 0. The high bits are the better ones.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 16) % end
    }
}
