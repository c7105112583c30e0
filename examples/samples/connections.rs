//! A few connections for many threads: a `Semaphore` counts those that are free, a `Mutex` has them.

use std::time::Duration;

use lockwork::{Mutex, Semaphore, SemaphorePermit, StopToken};

/// What takes long to make, and is lent out. Here it is a pause.
#[derive(Debug)]
struct Connection {
    latency: Duration,
    stored: usize,
}

/// Connections that are lent out one by one.
#[derive(Debug)]
pub(crate) struct Connections {
    free: Semaphore,
    idle: Mutex<Vec<Connection>>,
    /// How many are lent now, and were at any one time.
    lent: Mutex<(usize, usize)>,
}

/// A connection for as long as this is kept. Dropping it gives it back, also if the work with it has
/// panicked.
#[derive(Debug)]
pub(crate) struct Lent<'a> {
    all: &'a Connections,
    connection: Option<Connection>,
    /// The last field: the connection is back before another thread may have it.
    _permit: SemaphorePermit<'a>,
}

impl Connections {
    pub(crate) fn new(count: usize, latency: Duration) -> Self {
        Self {
            free: Semaphore::bounded(count),
            idle: Mutex::new((0..count).map(|_| Connection { latency, stored: 0 }).collect()),
            lent: Mutex::new((0, 0)),
        }
    }

    /// Waits until one is free.
    pub(crate) fn lend(&self) -> Lent<'_> {
        let permit = self.free.acquire();
        // As many permits as connections: who has one finds the other.
        let connection = self.idle.lock().pop();
        let mut lent = self.lent.lock();
        lent.0 += 1;
        lent.1 = lent.1.max(lent.0);
        Lent { all: self, connection, _permit: permit }
    }

    pub(crate) fn in_use(&self) -> usize {
        self.lent.lock().0
    }

    /// The most that were in use at any one time, and what all of them have stored.
    pub(crate) fn totals(&self) -> (usize, usize) {
        let stored = self.idle.lock().iter().map(|connection| connection.stored).sum();
        (self.lent.lock().1, stored)
    }
}

impl Lent<'_> {
    /// Stores something. Returns whether it is stored: not if `stop` came before.
    pub(crate) fn store(&mut self, stop: &StopToken) -> bool {
        let Some(connection) = &mut self.connection else { return false };
        // A pause that the stop ends.
        let stored = !stop.wait_for(connection.latency);
        connection.stored += usize::from(stored);
        stored
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.all.lent.lock().0 -= 1;
        self.all.idle.lock().extend(self.connection.take());
    }
}
