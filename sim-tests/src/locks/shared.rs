//! Reader-writer locks.

use lockwork::sim;
use lockwork::sim::atomic::{AtomicU32, Ordering::SeqCst};

use super::{Line, Shared, word};

const WRITTEN: u32 = 1 << 31;
const AWAITED: u32 = 1 << 30;
const READERS: u32 = AWAITED - 1;

#[derive(Debug)]
pub(crate) struct Central(Line<AtomicU32>);

impl Central {
    /// Adds `taken` once no bit of `excluded` is set.
    fn lock(&self, excluded: u32, taken: u32) {
        let state = &self.0.0;
        let mut spins = 100;
        loop {
            let seen = state.load(SeqCst);
            if seen & excluded == 0 {
                if state.compare_exchange(seen, seen + taken, SeqCst, SeqCst).is_ok() {
                    return;
                }
            } else if spins > 0 && seen & AWAITED == 0 {
                spins -= 1;
                sim::spin_loop();
            } else if seen & AWAITED != 0
                || state.compare_exchange(seen, seen | AWAITED, SeqCst, SeqCst).is_ok()
            {
                sim::wait(state, seen | AWAITED, None);
                spins = 100;
            }
        }
    }

    /// The last one wakes all that wait.
    fn unlock(&self, taken: u32) {
        let state = &self.0.0;
        if state.fetch_sub(taken, SeqCst) - taken == AWAITED {
            let left = state.compare_exchange(AWAITED, 0, SeqCst, SeqCst);
            if left.is_ok() {
                sim::wake(state, usize::MAX);
            }
        }
    }

    fn read(&self, body: impl FnOnce()) {
        // Those that wait keep new readers out.
        self.lock(WRITTEN | AWAITED, 1);
        body();
        self.unlock(1);
    }

    fn lock_exclusive(&self) {
        self.lock(WRITTEN | READERS, WRITTEN);
    }
}

impl Shared for Central {
    const NAME: &str = "central counter";

    fn new() -> Self {
        Self(word(0))
    }

    fn read(&self, _: usize, body: impl FnOnce()) {
        self.read(body);
    }

    fn write(&self, body: impl FnOnce()) {
        self.lock_exclusive();
        body();
        self.unlock(WRITTEN);
    }
}

#[derive(Debug)]
pub(crate) struct Sharded([Central; 8]);

impl Shared for Sharded {
    const NAME: &str = "sharded";

    fn new() -> Self {
        Self(std::array::from_fn(|_| Central::new()))
    }

    fn read(&self, number: usize, body: impl FnOnce()) {
        self.0[number % self.0.len()].read(body);
    }

    fn write(&self, body: impl FnOnce()) {
        self.0.iter().for_each(Central::lock_exclusive);
        body();
        self.0.iter().for_each(|shard| shard.unlock(WRITTEN));
    }
}
