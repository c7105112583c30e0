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
        // The fastest of them is the one that nobody interrupted.
        (0..20).map(once).fold(f64::MAX, f64::min)
    });
    (time.as_secs_f64() / seconds).round() as u32
}

/// Random numbers, one after the other, good enough to mix reads with writes: Marsaglia's xorshift.
pub(crate) struct Random(u64);

impl Random {
    /// Another sequence for each seed.
    pub(crate) fn new(seed: usize) -> Self {
        Self((seed as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    /// True in so many of a thousand cases.
    #[inline]
    pub(crate) fn per_mille(&mut self, share: u32) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 32) * 1000) >> 32 < u64::from(share)
    }
}
