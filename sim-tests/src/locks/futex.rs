//! Locks on nothing but a word to wait at.

use lockwork::sim;
use lockwork::sim::atomic::{AtomicU32, Ordering::SeqCst};

use super::{Exclusive, Line, Permits, Signal, Turns, word};

const FREE: u32 = 0;
const TAKEN: u32 = 1;
/// Taken, and others may wait.
const AWAITED: u32 = 2;

/// How often a thread looks before it waits.
const SPINS: u32 = 100;

/// Spins until the word is something else than `while_it_is`, or for long enough, and returns what it is.
fn spin_while(word: &AtomicU32, while_it_is: impl Fn(u32) -> bool) -> u32 {
    for _ in 0..SPINS {
        let value = word.load(SeqCst);
        if !while_it_is(value) {
            return value;
        }
        sim::spin_loop();
    }
    word.load(SeqCst)
}

#[derive(Debug)]
pub(crate) struct Mutex(Line<AtomicU32>);

impl Mutex {
    pub(super) fn lock(&self) {
        let state = &self.0.0;
        if state.compare_exchange(FREE, TAKEN, SeqCst, SeqCst).is_ok() {
            return;
        }
        let mut seen = spin_while(state, |state| state == TAKEN);
        if seen == FREE {
            match state.compare_exchange(FREE, TAKEN, SeqCst, SeqCst) {
                Ok(_) => return,
                Err(actual) => seen = actual,
            }
        }
        loop {
            if seen != AWAITED && state.swap(AWAITED, SeqCst) == FREE {
                return;
            }
            sim::wait(state, AWAITED, None);
            seen = spin_while(state, |state| state == TAKEN);
        }
    }

    pub(super) fn unlock(&self) {
        if self.0.0.swap(FREE, SeqCst) == AWAITED {
            sim::wake(&self.0.0, 1);
        }
    }
}

impl Exclusive for Mutex {
    const NAME: &str = "three-state futex";

    fn new() -> Self {
        Self(word(FREE))
    }

    fn section(&self, body: impl FnOnce()) {
        self.lock();
        body();
        self.unlock();
    }
}

/// A mutex with one word to wait at, whose number grows with each notification.
#[derive(Debug)]
pub(crate) struct Condvar {
    mutex: Mutex,
    sequence: Line<AtomicU32>,
    turn: Line<AtomicU32>,
}

impl Condvar {
    /// With the mutex, which is unlocked meanwhile.
    fn wait_until(&self, condition: impl Fn(u32) -> bool) {
        let sequence = &self.sequence.0;
        while !condition(self.turn.0.load(SeqCst)) {
            let seen = sequence.load(SeqCst);
            self.mutex.unlock();
            sim::wait(sequence, seen, None);
            self.mutex.lock();
        }
    }

    fn notify(&self, most: usize) {
        self.sequence.0.fetch_add(1, SeqCst);
        sim::wake(&self.sequence.0, most);
    }
}

impl Turns for Condvar {
    const NAME: &str = "futex condvar";

    fn new() -> Self {
        Self { mutex: Mutex::new(), sequence: word(0), turn: word(0) }
    }

    fn take(&self, own: u32, next: u32) {
        self.mutex.lock();
        self.wait_until(|turn| turn == own);
        self.turn.0.store(next, SeqCst);
        self.notify(1);
        self.mutex.unlock();
    }

    fn wait(&self, turn: u32) {
        self.mutex.lock();
        self.wait_until(|now| now >= turn);
        self.mutex.unlock();
    }

    fn begin(&self, turn: u32) {
        self.mutex.lock();
        self.turn.0.store(turn, SeqCst);
        self.notify(usize::MAX);
        self.mutex.unlock();
    }
}

/// A count of permits, and one of those that wait.
#[derive(Debug)]
pub(crate) struct Semaphore {
    permits: Line<AtomicU32>,
    waiters: AtomicU32,
}

impl Permits for Semaphore {
    const NAME: &str = "futex semaphore";

    fn new(permits: u32) -> Self {
        Self { permits: word(permits), waiters: AtomicU32::new(0) }
    }

    fn with_permit(&self, body: impl FnOnce()) {
        let permits = &self.permits.0;
        loop {
            let left = spin_while(permits, |left| left == 0);
            if left == 0 {
                self.waiters.fetch_add(1, SeqCst);
                sim::wait(permits, 0, None);
                self.waiters.fetch_sub(1, SeqCst);
            } else if permits.compare_exchange(left, left - 1, SeqCst, SeqCst).is_ok() {
                break;
            }
        }
        body();
        permits.fetch_add(1, SeqCst);
        if self.waiters.load(SeqCst) > 0 {
            sim::wake(permits, 1);
        }
    }
}

/// A flag to wait at.
#[derive(Debug)]
pub(crate) struct Event(Line<AtomicU32>);

impl Signal for Event {
    const NAME: &str = "futex event";

    fn new() -> Self {
        Self(word(0))
    }

    fn wait(&self) {
        while spin_while(&self.0.0, |set| set == 0) == 0 {
            sim::wait(&self.0.0, 0, None);
        }
    }

    fn set(&self) {
        self.0.0.store(1, SeqCst);
        sim::wake(&self.0.0, usize::MAX);
    }
}
