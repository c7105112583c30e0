//! Barriers that spin.

use lockwork::sim;
use lockwork::sim::atomic::{AtomicU32, Ordering::SeqCst};

use super::{Line, Meeting, word};

/// The last to come turns the sense round, which the others look at.
#[derive(Debug)]
pub(crate) struct SenseReversing {
    missing: Line<AtomicU32>,
    sense: Line<AtomicU32>,
    parties: u32,
}

impl SenseReversing {
    /// Returns the sense that all wait to end if the caller is not the last.
    fn come(&self) -> Result<(), u32> {
        let sense = self.sense.0.load(SeqCst);
        if self.missing.0.fetch_sub(1, SeqCst) > 1 {
            return Err(sense);
        }
        self.missing.0.store(self.parties, SeqCst);
        Ok(())
    }

    fn turn(&self) {
        self.sense.0.fetch_add(1, SeqCst);
    }

    fn wait(&self, sense: u32) {
        while self.sense.0.load(SeqCst) == sense {
            sim::spin_loop();
        }
    }
}

impl Meeting for SenseReversing {
    const NAME: &str = "sense-reversing, spinning";

    fn new(parties: usize) -> Self {
        let parties = u32::try_from(parties).unwrap();
        Self { missing: word(parties), sense: word(0), parties }
    }

    fn meet(&self, _: usize) {
        match self.come() {
            Ok(()) => self.turn(),
            Err(sense) => self.wait(sense),
        }
    }
}

/// Four meet, and one of them goes on to the next level; on the way back it turns the sense of each.
#[derive(Debug)]
pub(crate) struct Tree(Vec<Vec<SenseReversing>>);

const FAN_IN: usize = 4;

impl Tree {
    fn meet_at(&self, level: usize, number: usize) {
        let Some(node) = self.0.get(level).map(|nodes| &nodes[number / FAN_IN]) else { return };
        match node.come() {
            Ok(()) => {
                self.meet_at(level + 1, number / FAN_IN);
                node.turn();
            }
            Err(sense) => node.wait(sense),
        }
    }
}

impl Meeting for Tree {
    const NAME: &str = "tree, spinning";

    fn new(parties: usize) -> Self {
        let mut levels = Vec::new();
        let mut width = parties;
        while width > 1 {
            let nodes = width.div_ceil(FAN_IN);
            let parties = |node: usize| FAN_IN.min(width - node * FAN_IN);
            levels.push((0..nodes).map(|node| SenseReversing::new(parties(node))).collect());
            width = nodes;
        }
        Self(levels)
    }

    fn meet(&self, number: usize) {
        self.meet_at(0, number);
    }
}

/// The sense-reversing one, at which threads wait by address when they have spun for long.
#[derive(Debug)]
pub(crate) struct Blocking(SenseReversing);

impl Meeting for Blocking {
    const NAME: &str = "sense-reversing, futex";

    fn new(parties: usize) -> Self {
        Self(SenseReversing::new(parties))
    }

    fn meet(&self, _: usize) {
        match self.0.come() {
            Ok(()) => {
                self.0.turn();
                sim::wake(&self.0.sense.0, usize::MAX);
            }
            Err(sense) => {
                for _ in 0..100 {
                    if self.0.sense.0.load(SeqCst) != sense {
                        return;
                    }
                    sim::spin_loop();
                }
                while self.0.sense.0.load(SeqCst) == sense {
                    sim::wait(&self.0.sense.0, sense, None);
                }
            }
        }
    }
}
