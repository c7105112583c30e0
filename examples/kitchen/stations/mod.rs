//! The stations of the tour. Each is complete in itself: what it needs, what its threads do, and what must
//! come out.

pub(crate) mod locks;
pub(crate) mod queues;
pub(crate) mod signals;
pub(crate) mod threads;

use std::time::Duration;

use crate::Told;

/// Longer than anything here takes, on any machine: a thread that waits that long waits in vain.
const LONG: Duration = Duration::from_secs(30);

fn check(good: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if good { Ok(()) } else { Err(what()) }
}

fn told<const N: usize>(lines: [String; N]) -> Told {
    Ok(lines.into())
}
