//! A mutex with barging, and a hand-off now and then.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use lockwork::sim::atomic::{AtomicU32, Ordering::SeqCst};
use lockwork::sim::{self, Machine};

use super::{Exclusive, Line, spin::TestAndSet, word};

const LOCKED: u32 = 1;
/// Some thread is in the queue.
const PARKED: u32 = 2;

/// What a waiter is told.
const WAITS: u32 = 0;
const TRY_AGAIN: u32 = 1;
const YOURS: u32 = 2;

#[derive(Debug)]
pub(crate) struct Mutex {
    state: Line<AtomicU32>,
    /// Guards the queue: in parking_lot a bucket of the table of all locks.
    bucket: TestAndSet,
    queue: RefCell<VecDeque<*const Line<AtomicU32>>>,
    /// When the next hand-over is due, and what decides on the one after it.
    fair_at: Cell<u64>,
    random: Cell<u32>,
}

impl Mutex {
    fn lock(&self) {
        let state = &self.state.0;
        if state.compare_exchange(0, LOCKED, SeqCst, SeqCst).is_ok() {
            return;
        }
        let mut spins = 0;
        let mut seen = state.load(SeqCst);
        loop {
            if seen & LOCKED == 0 {
                match state.compare_exchange(seen, seen | LOCKED, SeqCst, SeqCst) {
                    Ok(_) => return,
                    Err(actual) => seen = actual,
                }
                continue;
            }
            if seen & PARKED == 0 && spins < 10 {
                spins += 1;
                if spins <= 3 {
                    (0..1 << spins).for_each(|_| sim::spin_loop());
                } else {
                    sim::yield_now();
                }
                seen = state.load(SeqCst);
                continue;
            }
            if seen & PARKED == 0
                && let Err(actual) = state.compare_exchange(seen, seen | PARKED, SeqCst, SeqCst)
            {
                seen = actual;
                continue;
            }
            if self.park() {
                return;
            }
            spins = 0;
            seen = state.load(SeqCst);
        }
    }

    /// Waits in the queue if there is still a reason to. Returns whether the lock was handed over.
    fn park(&self) -> bool {
        let told = word(WAITS);
        let mut is_queued = false;
        self.bucket.section(|| {
            is_queued = self.state.0.load(SeqCst) == LOCKED | PARKED;
            if is_queued {
                self.queue.borrow_mut().push_back(&told);
            }
        });
        if !is_queued {
            return false;
        }
        while told.0.load(SeqCst) == WAITS {
            sim::wait(&told.0, WAITS, None);
        }
        told.0.load(SeqCst) == YOURS
    }

    fn unlock(&self) {
        if self.state.0.compare_exchange(LOCKED, 0, SeqCst, SeqCst).is_ok() {
            return;
        }
        let mut woken = None;
        self.bucket.section(|| {
            let mut queue = self.queue.borrow_mut();
            let Some(first) = queue.pop_front() else {
                return self.state.0.store(0, SeqCst);
            };
            let now = sim::time();
            let is_fair = now > self.fair_at.get();
            if is_fair {
                self.random.set(self.random.get().wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
                self.fair_at.set(now + u64::from(self.random.get() >> 12) % 1000 * Machine::US);
            }
            let parked = if queue.is_empty() { 0 } else { PARKED };
            self.state.0.store(if is_fair { LOCKED | parked } else { parked }, SeqCst);
            woken = Some((first, if is_fair { YOURS } else { TRY_AGAIN }));
        });
        if let Some((first, outcome)) = woken {
            // SAFETY: its thread waits until it is told something; the address alone is used afterwards.
            let first = unsafe { &(*first).0 };
            first.store(outcome, SeqCst);
            sim::wake(first, 1);
        }
    }
}

impl Exclusive for Mutex {
    const NAME: &str = "barging, timed hand-over";

    fn new() -> Self {
        Self {
            state: word(0),
            bucket: TestAndSet::new(),
            queue: RefCell::default(),
            fair_at: Cell::new(0),
            random: Cell::new(1),
        }
    }

    fn section(&self, body: impl FnOnce()) {
        self.lock();
        body();
        self.unlock();
    }
}
