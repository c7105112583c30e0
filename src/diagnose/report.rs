//! [`Report`] and what it is made of.

use std::fmt;
use std::time::Duration;

use super::cycles::Cycle;
use super::order::Inversion;
use super::view::{Age, Hold, Label, ThreadState, Wait};
use crate::facade::{instant_of, nanos};
use crate::observe::{Kind, Mode};

/// Something that a session has found. It is displayed as a message for a person.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Report {
    /// A wait has lasted long.
    Stall(Stall),
    /// Threads wait for each other.
    Deadlock(Cycle),
    /// A thread is about to wait for a lock that it holds itself.
    Relock(RelockReport),
    /// A lock is about to be taken against an order that was seen before, or against the ranks of classes.
    Inversion(Box<Inversion>),
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stall(stall) => stall.fmt(f),
            Self::Deadlock(cycle) => cycle.fmt(f),
            Self::Relock(relock) => relock.fmt(f),
            Self::Inversion(inversion) => inversion.fmt(f),
        }
    }
}

/// A thread that holds what another waits for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Holder {
    /// The thread, with what it waits for itself.
    pub thread: ThreadState,
    /// What it holds.
    pub hold: Hold,
}

/// How many threads a report names of those that hold, and of those that wait to write. Each thread that
/// stalls has a report of its own, so that of many writers each is not to have its state in that of each of
/// many readers.
const SHOWN: usize = 8;

/// A wait that has lasted long.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stall {
    /// The thread that waits, with what it holds.
    pub thread: ThreadState,
    /// What it waits for.
    pub wait: Wait,
    /// For how long it has.
    pub age: Duration,
    /// Those that hold it, if it is known: of a lock the threads that have locked it, of a semaphore those
    /// that have its permits, of a task, a worker or a barrier's action the thread that runs it.
    pub holders: Vec<Holder>,
    /// Of a reader: the threads that came before it and wait to write, which is what holds it back while
    /// others read. Eight of them, if they are more.
    pub writers: Vec<ThreadState>,
    /// How many more writers there are.
    pub more_writers: usize,
    /// Of a barrier: how many threads are there.
    pub arrived: usize,
}

impl Stall {
    /// Returns what `thread` waits for, as `all` threads tell.
    pub(super) fn of(thread: &ThreadState, all: &[ThreadState]) -> Option<Self> {
        let wait = thread.waits.clone()?;
        let before = |other: &&ThreadState| other.waits.as_ref().is_some_and(|other| wait.is_behind(other));
        let mut before = all.iter().filter(before);
        let writers: Vec<ThreadState> = before.by_ref().take(SHOWN).cloned().collect();
        let more_writers = before.count();
        let mut holders = Vec::new();
        for other in all {
            for hold in other.holds.iter().filter(|hold| hold.kind == wait.kind && hold.id == wait.id) {
                let reads = matches!(hold.mode, Mode::Read | Mode::ReadRecursive);
                // There is one, whichever thread has locked it.
                let itself = wait.mode == Mode::Upgrade && hold.mode == Mode::Upgradable;
                // Other readers keep it waiting if a writer waits for them.
                let beside = hold.kind.is_lock() && reads && !hold.mode.excludes(wait.mode);
                if itself || beside && writers.is_empty() {
                    continue;
                }
                holders.push(Holder { thread: other.clone(), hold: hold.clone() });
            }
        }
        let same = |other: &Wait| other.kind == wait.kind && other.id == wait.id;
        let waiting = all.iter().filter_map(|other| other.waits.as_ref()).filter(|other| same(other)).count();
        // Of a barrier the one that runs its action, unless that waits in it and is counted already.
        let runs = |holder: &&Holder| !holder.thread.waits.as_ref().is_some_and(same);
        let running = if wait.kind == Kind::Barrier { holders.iter().filter(runs).count() } else { 0 };
        let arrived = waiting + running;
        let age = instant_of(nanos()).saturating_duration_since(wait.since);
        Some(Self { thread: thread.clone(), wait, age, holders, writers, more_writers, arrived })
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { thread, hold } = self;
        let age = Age(instant_of(nanos()).saturating_duration_since(hold.since));
        let label = thread.label();
        match hold.mode {
            Mode::Run => write!(f, "run by {label}")?,
            Mode::Init => write!(f, "initialised by {label} since {age}, at {}", hold.place)?,
            Mode::Permits => {
                let permits = if hold.permits == 1 { "permit" } else { "permits" };
                write!(
                    f,
                    "{} {permits} held for {age} by {label}, acquired at {}",
                    hold.permits, hold.place
                )?;
            }
            _ => write!(f, "held for {age} by {label}, locked at {}", hold.place)?,
        }
        let permits = hold.mode == Mode::Permits;
        if thread.gone && (hold.shared || permits) {
            let what = if permits { "permits" } else { "`Arc` guard" };
            return write!(
                f,
                ", which has ended: its {what} may have gone to another thread, or been forgotten"
            );
        }
        if thread.gone {
            return f.write_str(", which has ended and will not unlock it: its guard was forgotten");
        }
        if hold.shared && !permits {
            f.write_str(" (by an `Arc` guard, which may have gone to another thread)")?;
        }
        if let Some(wait) = &thread.waits {
            write!(f, ", which waits in `{}` at {}", wait.call(), wait.place)?;
            if let Some(name) = wait.name {
                write!(f, " for \"{name}\"")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { thread, wait, age, holders, writers, more_writers, arrived } = self;
        let call = wait.call();
        // Any thread may end such a wait: it is part of no deadlock, however long it lasts.
        if !wait.kind.has_holder(wait.mode) {
            f.write_str("stalled: ")?;
        }
        write!(f, "{} has waited {} in `{call}` at {}", thread.label(), Age(*age), wait.place)?;
        if let Some(name) = wait.name {
            write!(f, " for \"{name}\"")?;
        }
        if wait.kind == Kind::Semaphore && wait.count != 1 {
            write!(f, " ({} permits)", wait.count)?;
        }
        if wait.kind == Kind::Barrier && holders.is_empty() {
            let parties = wait.count as usize;
            write!(
                f,
                ": {arrived} of {parties} threads are there, {} missing",
                parties.saturating_sub(*arrived)
            )?;
        }
        for (place, writer) in writers.iter().enumerate() {
            write!(f, "{}{}", if place == 0 { ", behind " } else { " and " }, writer.label())?;
            if let Some(wait) = &writer.waits {
                write!(f, ", which waits in `{}` at {}", wait.call(), wait.place)?;
            }
        }
        if *more_writers > 0 {
            write!(f, " and {more_writers} more")?;
        }
        let (shown, rest) = holders.split_at(holders.len().min(SHOWN));
        for (place, holder) in shown.iter().enumerate() {
            write!(f, "{}{holder}", if place == 0 { ", " } else { "; and " })?;
        }
        if !rest.is_empty() {
            write!(f, "; and by {} more", rest.len())?;
        }
        if let Some(until) = wait.until {
            let left = until.saturating_duration_since(instant_of(nanos()));
            write!(f, "; it gives up in {}", Age(left))?;
        }
        Ok(())
    }
}

/// A thread that is about to wait for a lock which it holds itself.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RelockReport {
    /// The thread, with all that it holds.
    pub thread: ThreadState,
    /// What it is about to wait for.
    pub wait: Wait,
    /// What it holds.
    pub hold: Hold,
}

impl fmt::Display for RelockReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { thread, wait, hold } = self;
        let label = Label(thread.name.as_deref(), thread.id);
        write!(f, "{label} waits for itself: `{}` at {}", wait.call(), wait.place)?;
        if let Some(name) = wait.name {
            write!(f, " for \"{name}\"")?;
        }
        write!(f, ", which it has locked by `{}` at {}", hold.mode.name(), hold.place)
    }
}

#[cfg(test)]
mod tests {
    use std::panic::Location;

    use super::super::place::Place;
    use super::{SHOWN, Stall, ThreadState, Wait};
    use crate::facade::{instant_of, nanos};
    use crate::observe::{Kind, Mode};

    /// All of many readers stall, each behind many writers.
    #[test]
    fn reader_behind_many_writers_names_some() {
        let (place, since) = (Place(Location::caller()), instant_of(nanos()));
        let thread = |id: u64, mode| {
            let wait = Wait {
                kind: Kind::RwLock,
                name: None,
                mode,
                place,
                since,
                until: None,
                count: 1,
                id: 7,
                number: id,
            };
            ThreadState { name: None, id, gone: false, holds: Vec::new(), waits: Some(wait) }
        };
        let mut threads = vec![thread(0, Mode::Read)];
        threads.extend((1..=300).map(|id| thread(id, Mode::Write)));
        let stall = Stall::of(&threads[0], &threads).unwrap();
        assert_eq!((stall.writers.len(), stall.more_writers), (SHOWN, 300 - SHOWN));
        assert!(stall.to_string().ends_with(" and 292 more"), "{stall}");
    }
}
