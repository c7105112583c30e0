//! Threads that do one thing.

use std::thread;
use std::time::{Duration, Instant};

/// What another thread says.
pub(crate) fn elsewhere<R: Send>(body: impl FnOnce() -> R + Send) -> R {
    thread::scope(|s| s.spawn(body).join().unwrap())
}

/// Keeps the thread busy for `time`.
pub(crate) fn spin_for(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}
