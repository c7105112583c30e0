//! `BoundedBuffer`: every behaviour alone, then races and stress, then random programs against a
//! specification.
//!
//! Where a test is about a blocked thread, it holds in either order: the threads are given the time to block,
//! but nothing depends on it.

mod close;
mod join;
mod many;
mod order;
mod programs;
mod queues;
mod storage;
mod stress;
mod timed;
mod turns;

use std::iter::{self};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::BoundedBuffer;

use crate::support::eventually;

const SHORT: Duration = Duration::from_millis(2);
const TINY: Duration = Duration::from_micros(30);

/// Lets others run for so long, if that can be had: nothing may depend on it.
fn pass(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        thread::yield_now();
    }
}

/// Counts threads that are about to make a call that may block.
#[derive(Default)]
struct Arrivals(AtomicUsize);

impl Arrivals {
    fn arrive(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    /// Waits for `n` of them, and gives them the time to block.
    fn wait_for(&self, n: usize) {
        eventually(|| self.0.load(Relaxed) >= n);
        pass(Duration::from_micros(200));
    }
}

/// How often each of the items numbered from 0 was dropped.
#[derive(Clone)]
struct Ledger(Arc<[AtomicUsize]>);

struct Tracked {
    id: usize,
    ledger: Ledger,
}

impl Ledger {
    fn new(items: usize) -> Self {
        Self((0..items).map(|_| AtomicUsize::new(0)).collect())
    }

    fn item(&self, id: usize) -> Tracked {
        Tracked { id, ledger: self.clone() }
    }

    fn items(&self) -> impl ExactSizeIterator<Item = Tracked> {
        (0..self.0.len()).map(|id| self.item(id))
    }

    fn dropped(&self) -> usize {
        self.0.iter().map(|drops| drops.load(Relaxed)).sum()
    }

    #[track_caller]
    fn assert_each_dropped_once(&self) {
        for (id, drops) in self.0.iter().enumerate() {
            assert_eq!(drops.load(Relaxed), 1, "drops of item {id}");
        }
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.ledger.0[self.id].fetch_add(1, Relaxed);
    }
}

fn full<T: Clone>(capacity: usize, item: T) -> BoundedBuffer<T> {
    let buffer = BoundedBuffer::new(capacity);
    (0..capacity).for_each(|_| buffer.try_put(item.clone()).unwrap());
    buffer
}

/// A moment that has passed, by a second if the clock goes back that far.
fn past() -> Instant {
    let now = Instant::now();
    now.checked_sub(Duration::from_secs(1)).unwrap_or(now)
}

/// The same items, without a promise of how many there are.
fn unannounced<I: Iterator>(mut items: I) -> impl Iterator<Item = I::Item> {
    iter::from_fn(move || items.next())
}
