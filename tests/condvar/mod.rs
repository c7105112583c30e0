//! `Condvar`.

mod conditions;
mod mutexes;
mod notify;
mod stress;
mod timed;

use std::thread;

use lockwork::{Condvar, Mutex};

use crate::support::eventually;

/// Who waits and who has waited.
#[derive(Debug, Default)]
struct Log {
    arrived: usize,
    returned: Vec<usize>,
}

/// A waiting room.
#[derive(Debug)]
struct Room {
    log: Mutex<Log>,
    condvar: Condvar,
}

impl Room {
    const fn new() -> Self {
        Self { log: Mutex::new(Log { arrived: 0, returned: Vec::new() }), condvar: Condvar::new() }
    }

    /// Waits once, as number `number`.
    fn wait(&self, number: usize) {
        let mut log = self.log.lock();
        log.arrived += 1;
        self.condvar.wait(&mut log);
        log.returned.push(number);
    }

    /// Until `n` waits have begun. A waiter unlocks when it is queued, so who sees its arrival knows that it
    /// is.
    fn until_arrived(&self, n: usize) {
        eventually(|| self.log.lock().arrived >= n);
    }

    fn until_returned(&self, n: usize) {
        eventually(|| self.log.lock().returned.len() >= n);
    }

    fn returned(&self) -> Vec<usize> {
        self.log.lock().returned.clone()
    }

    /// Runs `body` while `n` threads wait, numbered in the order in which they came. It must wake them all.
    fn with_waiters(&self, n: usize, body: impl FnOnce()) {
        thread::scope(|s| {
            for number in 0..n {
                s.spawn(move || self.wait(number));
                self.until_arrived(number + 1);
            }
            body();
        });
        assert_eq!(self.log.lock().returned.len(), n);
    }
}
