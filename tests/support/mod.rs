//! What the tests share: an end to hangs that says which case hung, views of other threads, and counters of
//! drops and of allocations.

use std::time::Duration;

mod allocations;
mod animal;
mod drops;
mod panics;
mod plain;
mod sleeper;
mod threads;
mod timed;
mod watch;

pub(crate) use allocations::{allocations_during, blocks_during, bytes_during};
pub(crate) use animal::{Animal, Dog};
pub(crate) use drops::{Counted, Drops};
pub(crate) use panics::{message_of, unwind, unwinds};
pub(crate) use plain::Plain;
pub(crate) use sleeper::Sleeper;
pub(crate) use threads::{elsewhere, spin_for};
pub(crate) use timed::gives_up_in_time;
pub(crate) use watch::{LIMIT, cases, either, eventually, parties, repeat, shown, watchdog};

/// Long enough to be measured, short enough to be waited for.
pub(crate) const SHORT: Duration = Duration::from_millis(15);

/// The party sizes of every test with several threads: one, even, odd, prime, and more than most machines
/// have cores.
pub(crate) const PARTIES: [usize; 6] = [1, 2, 3, 5, 7, 8];

/// How often to repeat something: fewer times where each costs a thousand times more.
pub(crate) const fn rounds(n: usize) -> usize {
    if cfg!(miri) { n.div_ceil(100) } else { n }
}
