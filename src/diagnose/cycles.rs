//! Cycles of threads that wait for each other: [`deadlocks`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::time::{Duration, Instant};

use super::view::{Age, Hold, ThreadState, Wait, states};
use crate::facade::{instant_of, nanos, nap};
use crate::observe::{Kind, Mode};

/// One thread of a [`Cycle`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Link {
    /// The thread's name.
    pub name: Option<String>,
    /// Its number.
    pub id: u64,
    /// What it waits for.
    pub wait: Wait,
    /// What the thread before it in the cycle waits for: what this one holds, or nothing if it is a writer
    /// behind which a reader waits.
    pub hold: Option<Hold>,
}

/// Threads each of which waits for the next, and the last for the first.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Cycle {
    /// The threads: each waits for what the next one holds.
    pub links: Vec<Link>,
    /// When the first of its waits gives up. `None`: none does, so the threads wait without end.
    pub until: Option<Instant>,
}

/// A wait, and what keeps it waiting. Numbers of waits and holds, which are never used again.
type Edge = (u64, u64, u64, u64);

/// Why one thread waits for another.
#[derive(Clone)]
struct Because {
    by: usize,
    hold: Option<Hold>,
    edge: Edge,
}

/// Returns those for whom thread number `at` waits, each of whom must let it go before it goes on.
fn blockers(threads: &[ThreadState], at: usize) -> Vec<Because> {
    let Some(wait) = &threads[at].waits else { return Vec::new() };
    // There is one upgradable reader, whichever thread has locked it.
    let own = |mode: Mode| wait.mode == Mode::Upgrade && mode == Mode::Upgradable;
    let mut found = Vec::new();
    for (by, thread) in threads.iter().enumerate() {
        let blocks = |hold: &&Hold| {
            let same = hold.kind == wait.kind && hold.id == wait.id && !hold.shared && !own(hold.mode);
            same && match wait.kind {
                Kind::Mutex | Kind::RwLock | Kind::ReentrantMutex => hold.mode.excludes(wait.mode),
                Kind::Task | Kind::Worker => hold.mode == Mode::Run,
                Kind::Pool => matches!(wait.mode, Mode::Join | Mode::Wait) && hold.mode == Mode::Run,
                Kind::Stop => wait.mode == Mode::Join && hold.mode == Mode::Run,
                Kind::Once | Kind::OnceLock | Kind::LazyLock => hold.mode == Mode::Init,
                _ => false,
            }
        };
        for hold in thread.holds.iter().filter(blocks) {
            let edge = (threads[at].id, wait.number, thread.id, hold.number);
            found.push(Because { by, hold: Some(hold.clone()), edge });
        }
        let Some(other) = thread.waits.as_ref().filter(|other| by != at && wait.is_behind(other)) else {
            continue;
        };
        let edge = (threads[at].id, wait.number, thread.id, u64::MAX - other.number);
        found.push(Because { by, hold: None, edge });
    }
    found
}

/// Returns the shortest cycle through thread number `start`, as the threads in turn.
fn shortest(edges: &[Vec<Because>], start: usize) -> Option<Vec<(usize, Because)>> {
    let mut came: BTreeMap<usize, (usize, Because)> = BTreeMap::new();
    let mut next = VecDeque::from([start]);
    while let Some(at) = next.pop_front() {
        for because in &edges[at] {
            if because.by == start {
                let mut path = vec![(at, because.clone())];
                let mut at = at;
                while at != start {
                    let (before, because) = came[&at].clone();
                    path.push((before, because));
                    at = before;
                }
                path.reverse();
                return Some(path);
            }
            if because.by != at && !came.contains_key(&because.by) {
                came.insert(because.by, (at, because.clone()));
                next.push_back(because.by);
            }
        }
    }
    None
}

/// Returns the cycles that two looks agree on.
pub(super) fn cycles() -> Vec<Cycle> {
    let first = states();
    let edges = |threads: &[ThreadState]| -> Vec<Vec<Because>> {
        (0..threads.len()).map(|at| blockers(threads, at)).collect()
    };
    let seen: BTreeSet<Edge> = edges(&first).iter().flatten().map(|because| because.edge).collect();
    if seen.is_empty() {
        return Vec::new();
    }
    let threads = states();
    let mut edges = edges(&threads);
    for because in &mut edges {
        because.retain(|because| seen.contains(&because.edge));
    }
    let mut known = BTreeSet::new();
    let mut cycles = Vec::new();
    for start in 0..threads.len() {
        let Some(path) = shortest(&edges, start) else { continue };
        let mut members: Vec<u64> = path.iter().map(|(at, _)| threads[*at].id).collect();
        members.sort_unstable();
        if !known.insert(members) {
            continue;
        }
        // What a thread holds is in the edge that leads to it: that of the thread before.
        let mut links = Vec::new();
        for (turn, (at, _)) in path.iter().enumerate() {
            let thread = &threads[*at];
            let before = &path[(turn + path.len() - 1) % path.len()].1;
            let Some(wait) = thread.waits.clone() else { unreachable!("it has an edge") };
            links.push(Link { name: thread.name.clone(), id: thread.id, wait, hold: before.hold.clone() });
        }
        let until = links.iter().filter_map(|link| link.wait.until).min();
        cycles.push(Cycle { links, until });
    }
    cycles
}

/// Returns the cycles of threads that wait for each other: deadlocks, and what would be one if none of its
/// waits had a limit.
///
/// Certain ones alone. All threads are looked at, then all again, and a wait counts if it is the same wait,
/// for the same holder's same hold, both times. Where a reader waits behind a writer that waits, which holds
/// nothing yet, that is not enough: the reader may have been let in, and not have run since. Nor is it where
/// a thread waits for a pool's tasks or a source's callbacks, of which there are many in turn. A cycle with
/// such a wait counts if it is still the same a tenth of a second later, for which this call waits then.
///
/// Locks count, and joins of tasks, workers and pools, scopes, callbacks of a stop, and initialisations that
/// others wait for; semaphores, events and condition variables do not, because any thread may end such a
/// wait; nor does what is held by an `Arc` guard, which may have gone to another thread. What threads hold is
/// known of what they have locked while a session ran ([`start`](super::start)).
///
/// # Examples
///
/// Two threads that lock two locks in both orders, with a time-out as a way out:
///
/// ```
/// use lockwork::{Barrier, Mutex, diagnose};
/// use std::{thread, time::Duration};
///
/// static LEFT: Mutex<()> = Mutex::named("left", ());
/// static RIGHT: Mutex<()> = Mutex::named("right", ());
///
/// let _session = diagnose::start(diagnose::Settings::default());
/// let both = Barrier::new(2);
/// thread::scope(|s| {
///     for (one, other) in [(&LEFT, &RIGHT), (&RIGHT, &LEFT)] {
///         let both = &both;
///         s.spawn(move || {
///             let _one = one.lock();
///             both.wait();
///             let _other = other.try_lock_for(Duration::from_secs(1));
///         });
///     }
///     let cycle = loop {
///         if let Some(cycle) = diagnose::deadlocks().pop() {
///             break cycle;
///         }
///     };
///     assert_eq!(cycle.links.len(), 2);
///     assert!(cycle.until.is_some(), "a time-out ends it");
///     println!("{cycle}");
/// });
/// ```
#[must_use]
pub fn deadlocks() -> Vec<Cycle> {
    crate::observe::inside_anyway(|| {
        let found = cycles();
        if found.iter().all(Cycle::is_certain) {
            return found;
        }
        nap(APART);
        let lasts =
            |cycle: &Cycle| cycle.is_certain() || found.iter().any(|old| old.waits() == cycle.waits());
        cycles().into_iter().filter(lasts).collect()
    })
}

/// So long a cycle has to last in which a thread waits behind another that holds nothing: much longer than a
/// thread that was woken needs until it runs.
pub(super) const APART: Duration = Duration::from_millis(100);

impl Cycle {
    /// Returns for how long all of its threads have waited.
    pub(super) fn age(&self, now: Instant) -> Duration {
        let ages = self.links.iter().map(|link| now.saturating_duration_since(link.wait.since));
        ages.min().unwrap_or_default()
    }

    /// Returns whether each of its threads waits for what the next one holds, and for nothing that the next
    /// one may since have let go and taken anew: a join of a pool ends with the tasks that were there, and
    /// what a guard waits for is one callback of several.
    pub(super) fn is_certain(&self) -> bool {
        let anew =
            |link: &Link| matches!((link.wait.kind, link.wait.mode), (Kind::Pool | Kind::Stop, Mode::Join));
        self.links.iter().all(|link| link.hold.is_some() && !anew(link))
    }

    /// Returns its calls, which tell it from other cycles, also if a thread of it is woken in vain.
    pub(super) fn calls(&self) -> Vec<(u64, Instant)> {
        let mut calls: Vec<_> = self.links.iter().map(|link| (link.id, link.wait.since)).collect();
        calls.sort_unstable();
        calls
    }

    /// Returns the numbers of its waits.
    pub(super) fn waits(&self) -> Vec<(u64, u64)> {
        let mut waits: Vec<_> = self.links.iter().map(|link| (link.id, link.wait.number)).collect();
        waits.sort_unstable();
        waits
    }
}

/// Each thread on a line of its own.
impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = instant_of(nanos());
        let threads = match self.links.len() {
            1 => "one thread waits for itself".to_owned(),
            n => format!("{n} threads wait for each other"),
        };
        match self.until {
            None => write!(f, "deadlock: {threads}")?,
            Some(until) => {
                let left = Age(until.saturating_duration_since(now));
                write!(f, "stalled until a time-out in {left}: {threads}")?;
            }
        }
        for (turn, link) in self.links.iter().enumerate() {
            let next = &self.links[(turn + 1) % self.links.len()];
            let Link { name, id, wait, .. } = link;
            let age = Age(now.saturating_duration_since(wait.since));
            write!(
                f,
                "\n  {} has waited {age} in `{}`",
                super::view::Label(name.as_deref(), *id),
                wait.call()
            )?;
            write!(f, " at {}", wait.place)?;
            if let Some(name) = wait.name {
                write!(f, " for \"{name}\"")?;
            }
            let other = super::view::Label(next.name.as_deref(), next.id);
            match &next.hold {
                Some(hold) if hold.mode == Mode::Run || hold.mode == Mode::Init => {
                    write!(f, ", which {other} runs")?;
                }
                Some(hold) => {
                    let age = Age(now.saturating_duration_since(hold.since));
                    write!(f, ", held for {age} by {other}, locked at {}", hold.place)?;
                }
                None => write!(f, ", behind {other}, which waits to write")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::place::Place;
    use super::{Hold, ThreadState, Wait, blockers};
    use crate::facade::{instant_of, nanos};
    use crate::observe::{Kind, Mode};
    use std::panic::Location;
    use std::time::Duration;

    fn thread(id: u64, holds: Vec<Hold>, mode: Mode, slept_after: Duration) -> ThreadState {
        let wait = Wait {
            kind: Kind::RwLock,
            name: None,
            mode,
            place: Place(Location::caller()),
            since: instant_of(nanos()) + slept_after,
            until: None,
            count: 1,
            id: 7,
            number: id,
        };
        ThreadState { name: None, id, gone: false, holds, waits: Some(wait) }
    }

    /// A writer that has come first looks for longer before it sleeps.
    #[test]
    fn reader_waits_for_a_writer_that_slept_later() {
        let read = Hold {
            kind: Kind::RwLock,
            name: None,
            mode: Mode::Read,
            place: Place(Location::caller()),
            since: instant_of(nanos()),
            permits: 1,
            shared: false,
            id: 7,
            number: 1,
        };
        let writer = || thread(2, Vec::new(), Mode::Write, Duration::from_secs(1));
        for (mode, blocked_by) in [(Mode::Read, vec![1]), (Mode::Upgradable, vec![])] {
            let threads = [thread(1, vec![read.clone()], mode, Duration::ZERO), writer()];
            let found: Vec<usize> = blockers(&threads, 0).iter().map(|because| because.by).collect();
            assert_eq!(found, blocked_by, "{mode:?}");
            let found: Vec<usize> = blockers(&threads, 1).iter().map(|because| because.by).collect();
            assert_eq!(found, [0], "{mode:?}");
        }
    }
}
