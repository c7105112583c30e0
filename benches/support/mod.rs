//! One trait for each family of primitives, implemented once for each contender.
#![allow(dead_code, reason = "each benchmark uses its family")]
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the peers are what this compares with"
)]

use std::hint::black_box;
use std::sync::{self, PoisonError};
use std::time::Duration;

/// A mutual exclusion lock around a counter.
pub(crate) trait Lock: Send + Sync + 'static {
    /// Whose it is.
    const NAME: &'static str;
    /// An unlocked one.
    fn new() -> Self;
    /// Runs `f` in the lock.
    fn with<R>(&self, f: impl FnOnce(&mut u64) -> R) -> R;
}

macro_rules! lock {
    ($name:ident, $type:ty, $label:literal, $guard:ident => $value:expr) => {
        /// A contender.
        pub(crate) struct $name($type);

        impl Lock for $name {
            const NAME: &'static str = $label;

            fn new() -> Self {
                Self(<$type>::new(0))
            }

            #[inline]
            fn with<R>(&self, f: impl FnOnce(&mut u64) -> R) -> R {
                let $guard = self.0.lock();
                let mut guard = $value;
                f(&mut guard)
            }
        }
    };
}

lock!(Ours, lockwork::Mutex<u64>, "lockwork", guard => guard);
lock!(Std, sync::Mutex<u64>, "std", guard => guard.unwrap_or_else(PoisonError::into_inner));
lock!(ParkingLot, parking_lot::Mutex<u64>, "parking_lot", guard => guard);
lock!(Usync, usync::Mutex<u64>, "usync", guard => guard);

/// A flag under a lock, to wait for and to change.
pub(crate) trait Signal: Send + Sync + 'static {
    /// Whose it is.
    const NAME: &'static str;
    /// At 0.
    fn new() -> Self;
    /// Sets the number and tells the other side.
    fn set(&self, to: u64);
    /// Waits until the number is `wanted` or more.
    fn wait_for(&self, wanted: u64);
    /// Notifies although nobody waits.
    fn notify_nobody(&self);
}

/// Condition variable and mutex, of crates whose waits borrow the guard.
macro_rules! condvar {
    ($name:ident, $mutex:ty, $condvar:ty, $label:literal) => {
        /// A contender.
        pub(crate) struct $name($mutex, $condvar);

        impl Signal for $name {
            const NAME: &'static str = $label;

            fn new() -> Self {
                Self(<$mutex>::new(0), <$condvar>::new())
            }

            fn set(&self, to: u64) {
                *self.0.lock() = to;
                self.1.notify_one();
            }

            fn wait_for(&self, wanted: u64) {
                self.1.wait_while(&mut self.0.lock(), |value| *value < wanted);
            }

            fn notify_nobody(&self) {
                black_box(self.1.notify_one());
            }
        }
    };
}

condvar!(OursCondvar, lockwork::Mutex<u64>, lockwork::Condvar, "lockwork");
condvar!(ParkingLotCondvar, parking_lot::Mutex<u64>, parking_lot::Condvar, "parking_lot");

/// Condition variable and mutex.
pub(crate) struct StdCondvar(sync::Mutex<u64>, sync::Condvar);

impl Signal for StdCondvar {
    const NAME: &'static str = "std";

    fn new() -> Self {
        Self(sync::Mutex::new(0), sync::Condvar::new())
    }

    fn set(&self, to: u64) {
        *self.0.lock().unwrap() = to;
        self.1.notify_one();
    }

    fn wait_for(&self, wanted: u64) {
        drop(self.1.wait_while(self.0.lock().unwrap(), |value| *value < wanted).unwrap());
    }

    fn notify_nobody(&self) {
        self.1.notify_one();
    }
}

/// A signal for one thread, as an event that resets itself.
pub(crate) struct OursEvent(lockwork::AutoResetEvent);

impl Signal for OursEvent {
    const NAME: &'static str = "lockwork event";

    fn new() -> Self {
        Self(lockwork::AutoResetEvent::new())
    }

    fn set(&self, _: u64) {
        self.0.set();
    }

    fn wait_for(&self, _: u64) {
        self.0.wait();
    }

    fn notify_nobody(&self) {
        self.0.set();
    }
}

/// A bounded queue of many producers and consumers.
pub(crate) trait Queue: Send + Sync + 'static {
    /// Whose it is.
    const NAME: &'static str;
    /// An empty one.
    fn new(capacity: usize) -> Self;
    /// Waits for room.
    fn put(&self, item: u64);
    /// Waits for an item.
    fn get(&self) -> u64;
}

/// Ours.
pub(crate) struct OursBuffer(lockwork::BoundedBuffer<u64>);

impl Queue for OursBuffer {
    const NAME: &'static str = "lockwork";

    fn new(capacity: usize) -> Self {
        Self(lockwork::BoundedBuffer::new(capacity))
    }

    fn put(&self, item: u64) {
        self.0.put(item).unwrap();
    }

    fn get(&self) -> u64 {
        self.0.get().unwrap()
    }
}

/// A lock-free ring with blocking at both ends.
pub(crate) struct Crossbeam(crossbeam_channel::Sender<u64>, crossbeam_channel::Receiver<u64>);

impl Queue for Crossbeam {
    const NAME: &'static str = "crossbeam";

    fn new(capacity: usize) -> Self {
        let (sender, receiver) = crossbeam_channel::bounded(capacity);
        Self(sender, receiver)
    }

    fn put(&self, item: u64) {
        self.0.send(item).unwrap();
    }

    fn get(&self) -> u64 {
        self.1.recv().unwrap()
    }
}

/// `std`'s channel, whose one receiver stands behind a lock here.
pub(crate) struct StdChannel(sync::mpsc::SyncSender<u64>, sync::Mutex<sync::mpsc::Receiver<u64>>);

impl Queue for StdChannel {
    const NAME: &'static str = "std";

    fn new(capacity: usize) -> Self {
        let (sender, receiver) = sync::mpsc::sync_channel(capacity);
        Self(sender, sync::Mutex::new(receiver))
    }

    fn put(&self, item: u64) {
        self.0.send(item).unwrap();
    }

    fn get(&self) -> u64 {
        self.1.lock().unwrap().recv().unwrap()
    }
}

/// Spends about `iterations` times a third of a nanosecond.
#[inline]
pub(crate) fn work(iterations: u32) {
    for iteration in 0..iterations {
        black_box(iteration);
    }
}

/// How many iterations of [`work`] last that long here.
pub(crate) fn iterations(time: Duration) -> u32 {
    let mut best = f64::MAX;
    for _ in 0..5 {
        let started = std::time::Instant::now();
        work(1_000_000);
        best = best.min(started.elapsed().as_secs_f64());
    }
    (time.as_secs_f64() / best * 1e6) as u32
}
