//! The naive way to lock two accounts, and how tellers who got stuck find out.
//!
//! A time-out alone proves nothing: the other teller may be slow. So each teller writes on a blackboard what
//! it holds and what it waits for, and who has waited too long looks there for a circle.
//!
//! A circle on the blackboard is a deadlock. A teller writes its line when it holds the first lock and before
//! it tries the second, and wipes it off before it gives the first one back. So if A's line says that it
//! waits for what B's line says that B holds, B does hold it, and A has not got it. In a circle that is so
//! for all tellers at once.

use std::fmt;
use std::time::Duration;

use lockwork::{Event, Mutex};

use crate::accounts::{Accounts, Transfer, called_away};

/// A line on the blackboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    teller: usize,
    holds: usize,
    wants: usize,
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "teller {} holds account {} and waits for account {}", self.teller, self.holds, self.wants)
    }
}

/// Who waits for what, by the number of the teller.
pub(crate) struct Blackboard {
    lines: Mutex<Vec<Option<Wait>>>,
    /// The first circle that was found.
    circle: Mutex<Option<Vec<Wait>>>,
}

/// The tellers have gone home before the transfer was made.
pub(crate) struct GoneHome;

impl Blackboard {
    pub(crate) fn new(tellers: usize) -> Self {
        Self { lines: Mutex::new(vec![None; tellers]), circle: Mutex::new(None) }
    }

    pub(crate) fn into_circle(self) -> Option<Vec<Wait>> {
        self.circle.into_inner()
    }

    /// Makes a transfer with the locks in the order in which it names the accounts. `stop` is set if that
    /// ends in a deadlock, and `Err` is for each teller that it has caught.
    pub(crate) fn transfer(
        &self,
        accounts: &Accounts,
        teller: usize,
        transfer: Transfer,
        patience: Duration,
        stop: &Event,
    ) -> Result<bool, GoneHome> {
        let (from, to) = (accounts.lock_of(transfer.from), accounts.lock_of(transfer.to));
        let mut from = loop {
            if let Some(from) = from.try_lock_for(patience) {
                break from;
            }
            // It holds nothing, so it is in no circle, but it may wait for one that is.
            self.look(teller, stop);
            if stop.is_set() {
                return Err(GoneHome);
            }
        };
        self.write(teller, Some(Wait { teller, holds: transfer.from, wants: transfer.to }));
        called_away();
        let result = loop {
            if let Some(mut to) = to.try_lock_for(patience) {
                break Ok(transfer.make(&mut from, &mut to));
            }
            self.look(teller, stop);
            if stop.is_set() {
                break Err(GoneHome);
            }
        };
        self.write(teller, None);
        result
    }

    fn write(&self, teller: usize, line: Option<Wait>) {
        self.lines.lock()[teller] = line;
    }

    /// Looks for a circle, and sends all tellers home if there is one.
    fn look(&self, teller: usize, stop: &Event) {
        let lines = self.lines.lock().clone();
        let starts = (0..lines.len()).map(|n| (teller + n) % lines.len());
        if let Some(found) = starts.filter_map(|start| circle(&lines, start)).next() {
            self.circle.lock().get_or_insert(found);
            stop.set();
        }
    }
}

/// The circle that `start` is in, if it is in one: itself first, and then always who holds what the last one
/// wants.
fn circle(lines: &[Option<Wait>], start: usize) -> Option<Vec<Wait>> {
    let mut found = vec![lines[start]?];
    // No circle is longer than there are tellers.
    for _ in lines {
        let wanted = found[found.len() - 1].wants;
        let holder = *lines.iter().flatten().find(|line| line.holds == wanted)?;
        if holder.teller == start {
            return Some(found);
        }
        found.push(holder);
    }
    None
}
