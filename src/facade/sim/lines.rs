//! The cache of a machine: which cores have which line, and when it can next be had.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::{Machine, Time};

/// What a thread does to a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Load,
    /// Goes into the core's store buffer: the thread goes on at once, its next exchange waits until the
    /// buffer is empty.
    Store,
    Exchange,
}

/// A set of cores.
#[derive(Clone, Copy, Default)]
struct Cores([u64; Machine::MOST_CORES / 64]);

impl Cores {
    fn one(core: usize) -> Self {
        let mut cores = Self::default();
        cores.add(core);
        cores
    }

    fn add(&mut self, core: usize) {
        self.0[core / 64] |= 1 << (core % 64);
    }

    fn has(&self, core: usize) -> bool {
        self.0[core / 64] & (1 << (core % 64)) != 0
    }

    fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(own, other)| own & other != 0)
    }

    fn is_within(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(own, other)| own & !other == 0)
    }
}

struct Line {
    /// The cores that have a copy.
    sharers: Cores,
    /// Whether the one that has it may write to it.
    exclusive: bool,
    /// Until when it is on its way to a core: what is asked of it meanwhile comes after that.
    busy: Time,
}

/// Those that are near to a core: of its cluster, and of its socket.
struct Neighbours {
    cluster: Cores,
    socket: Cores,
}

pub(super) struct Directory {
    lines: HashMap<usize, Line, BuildHasherDefault<Spread>>,
    neighbours: Vec<Neighbours>,
}

impl Directory {
    pub(super) fn new(machine: &Machine) -> Self {
        let peers = |core: usize, size: usize| {
            let mut cores = Cores::default();
            (0..machine.cores).filter(|other| other / size == core / size).for_each(|other| cores.add(other));
            cores
        };
        let neighbours = (0..machine.cores).map(|core| Neighbours {
            cluster: peers(core, machine.cluster),
            socket: peers(core, machine.socket),
        });
        Self { lines: HashMap::default(), neighbours: neighbours.collect() }
    }

    /// Gives `core` the line of this address for an access at `now`. Returns from when to when the line
    /// travels for that; `None` if it need not.
    pub(super) fn fetch(
        &mut self,
        machine: &Machine,
        core: usize,
        address: usize,
        access: Access,
        now: Time,
        jitter: impl FnOnce(Time) -> Time,
    ) -> Option<(Time, Time)> {
        let own = Cores::one(core);
        // A line that no core has touched is the first one's, as if it had allocated it.
        let line = self.lines.entry(address / Machine::LINE).or_insert(Line {
            sharers: own,
            exclusive: true,
            busy: 0,
        });
        let writes = access != Access::Load;
        if line.sharers.has(core) && (line.exclusive || !writes) {
            return None;
        }
        let near = &self.neighbours[core];
        // A copy comes from the nearest core that has one; for a write the farthest must have given up its
        // own.
        let comes_from = |cores: &Cores| {
            if writes { line.sharers.is_within(cores) } else { line.sharers.meets(cores) }
        };
        let travel = if comes_from(&near.cluster) {
            machine.near
        } else if comes_from(&near.socket) {
            machine.middle
        } else {
            machine.far
        };
        let start = now.max(line.busy);
        let end = start + jitter(travel);
        line.busy = if writes || line.exclusive { end } else { start + machine.serve };
        line.exclusive = writes;
        if writes {
            line.sharers = own;
        } else {
            line.sharers.add(core);
        }
        Some((start, end))
    }
}

/// Hashes an address, the same in each run.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("a line's number is a usize")
    }

    fn write_usize(&mut self, number: usize) {
        self.0 = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(20);
    }
}
