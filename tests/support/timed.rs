//! What every timed wait for a signal promises.

use std::time::{Duration, Instant};

use super::SHORT;

/// A wait for what does not happen gives up when its time is over, and not before.
#[track_caller]
pub(crate) fn gives_up_in_time(wait_for: impl Fn(Duration) -> bool, wait_until: impl Fn(Instant) -> bool) {
    assert!(!wait_for(Duration::ZERO));
    assert!(!wait_until(Instant::now()));
    let start = Instant::now();
    assert!(!wait_for(SHORT));
    assert!(start.elapsed() >= SHORT);
    let deadline = Instant::now() + SHORT;
    assert!(!wait_until(deadline));
    assert!(Instant::now() >= deadline);
}
