//! Time spent without touching anything shared.

use std::hint::black_box;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Spends the time of so many iterations.
#[inline]
pub(crate) fn work(iterations: u32) {
    for iteration in 0..iterations {
        black_box(iteration);
    }
}

/// How many iterations of [`work`] last that long here. The first call measures it.
pub(crate) fn iterations(time: Duration) -> u32 {
    static SECONDS: OnceLock<f64> = OnceLock::new();
    let seconds = SECONDS.get_or_init(|| {
        const ITERATIONS: u32 = 1_000_000;
        let once = |_| {
            let started = Instant::now();
            work(ITERATIONS);
            started.elapsed().as_secs_f64() / f64::from(ITERATIONS)
        };
        // The fastest of them is the one that was not interrupted.
        (0..20).map(once).fold(f64::MAX, f64::min)
    });
    (time.as_secs_f64() / seconds).round() as u32
}

/// Which of a thread's operations are of one kind, mixed at random: 4096 of them, again and again.
///
/// They are laid down before, because making up a random number costs as much as half a lock.
pub(crate) struct Mix {
    bits: [u64; WORDS],
    at: usize,
}

const WORDS: usize = 64;

impl Mix {
    /// So many of a thousand, mixed differently for each seed.
    pub(crate) fn new(per_mille: usize, seed: usize) -> Self {
        const ALL: usize = WORDS * 64;
        let mut mix = Self { bits: [0; WORDS], at: 0 };
        // Marsaglia's xorshift.
        let mut random = (seed as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut left = (ALL * per_mille).div_ceil(1000);
        while left > 0 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let place = (random >> 32) as usize % ALL;
            let (word, bit) = (&mut mix.bits[place / 64], 1 << (place % 64));
            if *word & bit == 0 {
                *word |= bit;
                left -= 1;
            }
        }
        mix
    }

    /// Whether the next one is of that kind.
    #[inline]
    pub(crate) fn next(&mut self) -> bool {
        self.at = self.at.wrapping_add(1);
        self.bits[self.at / 64 % WORDS] >> (self.at % 64) & 1 != 0
    }
}
