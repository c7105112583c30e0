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

/// How a thread waits for what: all that wait so are kept waiting by the same holds.
type Wanted = (Kind, u64, Mode);

/// So many of the writers that wait for a lock a reader is behind: any of them waits for all that the others
/// wait for.
const WRITERS: usize = 8;

/// Why one thread waits for another.
#[derive(Clone, Copy, Debug)]
struct Because<'a> {
    by: usize,
    /// `None`: it is a writer that waits.
    hold: Option<&'a Hold>,
}

/// Who waits for whom, of those that wait themselves: others are part of no cycle.
struct Graph<'a> {
    threads: &'a [ThreadState],
    holders: BTreeMap<Wanted, Vec<Because<'a>>>,
    /// By the number of a reader-writer lock: the threads that wait to write, in the order in which they have
    /// begun to sleep.
    writers: BTreeMap<u64, Vec<usize>>,
}

/// Returns whether what a thread holds keeps others waiting that want the same object in the mode `wanted`.
fn keeps_waiting(hold: &Hold, wanted: Mode) -> bool {
    // There is one upgradable reader, whichever thread has locked it.
    let own = wanted == Mode::Upgrade && hold.mode == Mode::Upgradable;
    match hold.kind {
        Kind::Mutex | Kind::RwLock | Kind::ReentrantMutex => !own && hold.mode.excludes(wanted),
        Kind::Task | Kind::Worker => hold.mode == Mode::Run,
        Kind::Pool => matches!(wanted, Mode::Join | Mode::Wait) && hold.mode == Mode::Run,
        Kind::Stop => wanted == Mode::Join && hold.mode == Mode::Run,
        Kind::Once | Kind::OnceLock | Kind::LazyLock => hold.mode == Mode::Init,
        _ => false,
    }
}

impl<'a> Graph<'a> {
    fn of(threads: &'a [ThreadState]) -> Self {
        let mut holds: BTreeMap<(Kind, u64), Vec<(usize, &Hold)>> = BTreeMap::new();
        let mut writers: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        let waiting = || {
            let all = threads.iter().enumerate();
            all.filter_map(|(at, thread)| thread.waits.as_ref().map(|wait| (at, thread, wait)))
        };
        for (at, thread, wait) in waiting() {
            for hold in thread.holds.iter().filter(|hold| !hold.shared) {
                holds.entry((hold.kind, hold.id)).or_default().push((at, hold));
            }
            if wait.kind == Kind::RwLock && wait.mode.is_exclusive() {
                writers.entry(wait.id).or_default().push(at);
            }
        }
        for writers in writers.values_mut() {
            writers.sort_by_key(|&at| threads[at].waits.as_ref().map(|wait| wait.since));
        }
        let mut holders: BTreeMap<Wanted, Vec<Because<'_>>> = BTreeMap::new();
        for (_, _, &Wait { kind, id, mode, .. }) in waiting() {
            holders.entry((kind, id, mode)).or_insert_with(|| {
                let of_it = holds.get(&(kind, id)).into_iter().flatten();
                let keep = of_it.filter(|(_, hold)| keeps_waiting(hold, mode));
                keep.map(|&(by, hold)| Because { by, hold: Some(hold) }).collect()
            });
        }
        Self { threads, holders, writers }
    }

    /// Returns the threads of what is held that thread number `at` waits for.
    fn holders(&self, at: usize) -> &[Because<'a>] {
        let wait = self.threads[at].waits.as_ref();
        wait.and_then(|wait| self.holders.get(&(wait.kind, wait.id, wait.mode))).map_or(&[], Vec::as_slice)
    }

    /// Returns those behind which it waits, and which hold nothing.
    fn writers(&self, at: usize) -> impl Iterator<Item = Because<'a>> {
        let wait = self.threads[at].waits.as_ref();
        let of_it = wait.filter(|wait| wait.kind == Kind::RwLock).and_then(|wait| self.writers.get(&wait.id));
        let before = move |by: usize| {
            let other = self.threads[by].waits.as_ref();
            by != at && wait.zip(other).is_some_and(|(wait, other)| wait.is_behind(other))
        };
        let first = of_it.into_iter().flatten().copied().take(WRITERS);
        first.filter(move |&by| before(by)).map(|by| Because { by, hold: None })
    }

    /// Returns all for whom thread number `at` waits, each of whom must let it go before it goes on.
    fn blockers(&self, at: usize) -> impl Iterator<Item = Because<'a>> {
        self.holders(at).iter().copied().chain(self.writers(at))
    }

    /// Returns the shortest cycle through thread number `start`, as the threads in turn.
    fn shortest(&self, start: usize) -> Option<Vec<(usize, Because<'a>)>> {
        let mut came: BTreeMap<usize, (usize, Because<'a>)> = BTreeMap::new();
        let mut next = VecDeque::from([start]);
        // Two that wait in the same way for the same lead to the same threads, which the first of them has.
        let mut seen = BTreeSet::new();
        while let Some(at) = next.pop_front() {
            let wait = self.threads[at].waits.as_ref();
            let is_new = wait.is_some_and(|wait| seen.insert((wait.kind, wait.id, wait.mode)));
            let holders = if is_new { self.holders(at) } else { &[] };
            for because in holders.iter().copied().chain(self.writers(at)) {
                if because.by == start {
                    let mut path = vec![(at, because)];
                    let mut at = at;
                    while at != start {
                        let (before, because) = came[&at];
                        path.push((before, because));
                        at = before;
                    }
                    path.reverse();
                    return Some(path);
                }
                if because.by != at && !came.contains_key(&because.by) {
                    came.insert(because.by, (at, because));
                    next.push_back(because.by);
                }
            }
        }
        None
    }
}

/// Takes out of `threads` what was not there at the `first` look. Waits and holds have numbers that are never
/// used again.
fn keep_seen(threads: &mut [ThreadState], first: &[ThreadState]) {
    let waits: BTreeSet<(u64, u64)> =
        first.iter().filter_map(|thread| Some((thread.id, thread.waits.as_ref()?.number))).collect();
    let holds = |thread: &ThreadState| thread.holds.iter().map(|hold| hold.number).collect::<Vec<_>>();
    let holds: BTreeSet<(u64, u64)> =
        first.iter().flat_map(|thread| holds(thread).into_iter().map(|number| (thread.id, number))).collect();
    for thread in threads {
        thread.holds.retain(|hold| holds.contains(&(thread.id, hold.number)));
        thread.waits.take_if(|wait| !waits.contains(&(thread.id, wait.number)));
    }
}

/// Returns the cycles that two looks agree on.
pub(super) fn cycles() -> Vec<Cycle> {
    let first = states();
    let graph = Graph::of(&first);
    if (0..first.len()).all(|at| graph.blockers(at).next().is_none()) {
        return Vec::new();
    }
    let mut threads = states();
    keep_seen(&mut threads, &first);
    let graph = Graph::of(&threads);
    let mut known = BTreeSet::new();
    let mut cycles = Vec::new();
    for start in 0..threads.len() {
        let Some(path) = graph.shortest(start) else { continue };
        let mut members: Vec<u64> = path.iter().map(|(at, _)| threads[*at].id).collect();
        members.sort_unstable();
        if !known.insert(members) {
            continue;
        }
        // What a thread holds is in the edge that leads to it: that of the thread before.
        let mut links = Vec::new();
        for (turn, (at, _)) in path.iter().enumerate() {
            let thread = &threads[*at];
            let before = path[(turn + path.len() - 1) % path.len()].1;
            let Some(wait) = thread.waits.clone() else { unreachable!("it has an edge") };
            let hold = before.hold.cloned();
            links.push(Link { name: thread.name.clone(), id: thread.id, wait, hold });
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
        let mut found = cycles();
        for _ in 0..LOOKS {
            if found.iter().all(Cycle::is_certain) {
                break;
            }
            nap(APART / LOOKS);
            let was_there = |cycle: &Cycle| found.iter().any(|old| old.waits() == cycle.waits());
            let lasts = |cycle: &Cycle| cycle.is_certain() || was_there(cycle);
            found = cycles().into_iter().filter(lasts).collect();
        }
        found
    })
}

/// So long a cycle has to last in which a thread waits behind another that holds nothing: much longer than a
/// thread that was woken needs until it runs.
const APART: Duration = Duration::from_millis(100);
/// So many looks there are in that time: when the whole process was stopped meanwhile, its threads have run
/// in the time between all of them but two.
const LOOKS: u32 = 5;

/// Cycles that are not certain, by their waits: for how long they have been seen.
#[derive(Default)]
pub(super) struct Suspects(BTreeMap<Vec<(u64, u64)>, Duration>);

impl Suspects {
    /// Notes those that are there at a look, `passed` after the last one, and forgets the others. Of the time
    /// between two looks no more counts than there is to be: if it is longer, the process was stopped, its
    /// other threads with it.
    pub(super) fn look(&mut self, cycles: &[Cycle], passed: Duration) {
        let passed = passed.min(APART / LOOKS);
        let uncertain = cycles.iter().filter(|cycle| !cycle.is_certain()).map(Cycle::waits);
        let seen = uncertain.map(|waits| {
            let before = self.0.get(&waits);
            let seen = before.map_or(Duration::ZERO, |&before| before + passed);
            (waits, seen)
        });
        self.0 = seen.collect();
    }

    /// Returns whether it is one, and not to be reported yet.
    pub(super) fn is_new(&self, cycle: &Cycle) -> bool {
        self.0.get(&cycle.waits()).is_some_and(|&seen| seen < APART)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Cycle {
    /// Returns for how long all of its threads have waited.
    pub(super) fn age(&self, now: Instant) -> Duration {
        let ages = self.links.iter().map(|link| now.saturating_duration_since(link.wait.since));
        ages.min().unwrap_or_default()
    }

    /// Returns whether each of its threads waits for what the next one holds, and for nothing that the next
    /// one may since have let go and taken anew: a join of a pool ends with the tasks that were there, and
    /// what a guard waits for is one callback of several.
    fn is_certain(&self) -> bool {
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
    fn waits(&self) -> Vec<(u64, u64)> {
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
    use super::{Cycle, Graph, Hold, Link, Suspects, ThreadState, WRITERS, Wait};
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
            let graph = Graph::of(&threads);
            let blockers = |at| graph.blockers(at).map(|because| because.by).collect::<Vec<usize>>();
            let found = blockers(0);
            assert_eq!(found, blocked_by, "{mode:?}");
            let found = blockers(1);
            assert_eq!(found, [0], "{mode:?}");
        }
    }

    /// A process that was stopped between two looks has not run in that time, nor have its threads.
    #[test]
    fn time_in_which_the_process_was_stopped_does_not_count() {
        let wait = thread(1, Vec::new(), Mode::Read, Duration::ZERO).waits.expect("it waits");
        let cycle = Cycle { links: vec![Link { name: None, id: 1, wait, hold: None }], until: None };
        let cycles = std::slice::from_ref(&cycle);
        let (tick, stopped) = (Duration::from_millis(20), Duration::from_secs(3600));
        let mut suspects = Suspects::default();
        suspects.look(cycles, stopped);
        for passed in [stopped, tick, tick, tick] {
            suspects.look(cycles, passed);
            assert!(suspects.is_new(&cycle));
        }
        suspects.look(cycles, tick);
        assert!(!suspects.is_new(&cycle));
        // One that was away begins anew.
        suspects.look(&[], tick);
        suspects.look(cycles, tick);
        assert!(suspects.is_new(&cycle));
    }

    fn hold(kind: Kind, id: u64, mode: Mode) -> Hold {
        let (place, since) = (Place(Location::caller()), instant_of(nanos()));
        Hold { kind, name: None, mode, place, since, permits: 1, shared: false, id, number: id }
    }

    /// Each of the readers is behind all of the writers, and each writer waits for all that hold.
    #[test]
    fn many_readers_and_writers_have_few_edges() {
        const MANY: u64 = 300;
        let wait = |id, holds, mode| thread(id, holds, mode, Duration::from_nanos(id));
        // Of the readers that hold the lock one waits for the first of those that wait for it.
        let mut threads = vec![wait(0, vec![hold(Kind::Mutex, 9, Mode::Lock)], Mode::Read)];
        threads.extend((1..MANY).map(|id| wait(id, Vec::new(), Mode::Read)));
        threads.extend((MANY..2 * MANY).map(|id| wait(id, Vec::new(), Mode::Write)));
        for id in 2 * MANY..3 * MANY {
            let mut reader = wait(id, vec![hold(Kind::RwLock, 7, Mode::Read)], Mode::Lock);
            let waits = reader.waits.as_mut().unwrap();
            waits.kind = Kind::Mutex;
            waits.id = if id == 2 * MANY { 9 } else { 10 };
            threads.push(reader);
        }
        let graph = Graph::of(&threads);
        let edges = graph.holders.values().map(Vec::len).sum::<usize>()
            + (0..threads.len()).map(|at| graph.writers(at).count()).sum::<usize>();
        assert!(edges <= threads.len() * WRITERS, "{edges}");
        let path = graph.shortest(0).expect("a cycle of three");
        let path: Vec<u64> = path.iter().map(|&(at, _)| threads[at].id).collect();
        assert_eq!(path, [0, MANY, 2 * MANY]);
        assert!(graph.shortest(1).is_none(), "it only leads to one");
    }
}
