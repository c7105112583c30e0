//! How long threads waited: a count for each length, about a thirtieth wide.

use std::time::Duration;

/// Each power of two is divided into so many parts.
const PARTS: usize = 32;

/// Up to 2^42 ns, which is more than an hour.
const POWERS: usize = 42;

/// The shares of all waits that are written down. The last ones show the tail.
pub(crate) const SHARES: [f64; 20] = [
    0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995,
    0.9999, 1.0,
];

/// Lengths of waits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waits {
    /// Empty until the first one.
    counts: Vec<u64>,
    samples: u64,
    longest: Duration,
}

impl Waits {
    /// One more.
    pub(crate) fn record(&mut self, wait: Duration) {
        if self.counts.is_empty() {
            self.counts = vec![0; POWERS * PARTS];
        }
        let slot = slot(wait.as_nanos().try_into().unwrap_or(u64::MAX)).min(self.counts.len() - 1);
        self.counts[slot] += 1;
        self.samples += 1;
        self.longest = self.longest.max(wait);
    }

    /// Another thread's, or another round's.
    pub(crate) fn add(&mut self, other: &Self) {
        if self.counts.is_empty() {
            self.counts = other.counts.clone();
        } else {
            self.counts.iter_mut().zip(&other.counts).for_each(|(count, other)| *count += other);
        }
        self.samples += other.samples;
        self.longest = self.longest.max(other.longest);
    }

    /// How many there are.
    pub(crate) const fn samples(&self) -> u64 {
        self.samples
    }

    /// The longest, exactly.
    pub(crate) const fn longest(&self) -> Duration {
        self.longest
    }

    /// That share of them is no longer than this.
    pub(crate) fn at(&self, share: f64) -> Duration {
        let wanted = ((share * self.samples as f64).ceil() as u64).clamp(1, self.samples.max(1));
        let mut seen = 0;
        for (slot, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Duration::from_nanos(upper(slot)).min(self.longest);
            }
        }
        self.longest
    }
}

/// Short ones have a slot for each nanosecond.
fn slot(nanoseconds: u64) -> usize {
    let power = (nanoseconds | PARTS as u64).ilog2() as usize - PARTS.ilog2() as usize;
    power * PARTS + (nanoseconds >> power) as usize
}

/// The longest wait of a slot.
fn upper(slot: usize) -> u64 {
    let power = (slot / PARTS).saturating_sub(1);
    (((slot - power * PARTS + 1) as u64) << power) - 1
}
