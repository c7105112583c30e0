//! What threads hold and wait for, as others see it: [`snapshot`].

use std::fmt;
use std::time::{Duration, Instant};

use super::place::Place;
use crate::facade::{instant_of, nanos};
use crate::observe::{self, Called, Holding, Kind, Mode, ThreadView, Waiting};

/// Something that a thread holds: a lock or permits; or a task, a worker or an initialiser that it runs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Hold {
    /// The kind of the object.
    pub kind: Kind,
    /// Its name, or that of its class.
    pub name: Option<&'static str>,
    /// How the thread holds it.
    pub mode: Mode,
    /// Where it was locked.
    pub place: Place,
    /// Since when; too early by a tick of the session's clock at most (`docs/numbers.md` says how long one
    /// is).
    pub since: Instant,
    /// How many permits these are; one, if it is no semaphore.
    pub permits: u32,
    /// Whether it is by an `Arc` guard or an `Arc` permit that may have gone to another thread.
    pub shared: bool,
    pub(super) id: u64,
    pub(super) number: u64,
}

/// What a thread sleeps for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Wait {
    /// The kind of the object.
    pub kind: Kind,
    /// Its name, or that of its class.
    pub name: Option<&'static str>,
    /// What the thread wants of it.
    pub mode: Mode,
    /// Where the call stands.
    pub place: Place,
    /// Since when it has waited: since the call slept first, if it has slept several times because it was
    /// woken in vain.
    pub since: Instant,
    /// When it gives up. `None`: it does not.
    pub until: Option<Instant>,
    /// How many permits it wants, or how many threads meet at a barrier; otherwise one.
    pub count: u32,
    pub(super) id: u64,
    pub(super) number: u64,
}

impl Wait {
    /// Returns the name of the call: `Mutex::lock`, say. Timed forms go by the name of the form without a
    /// limit.
    #[must_use]
    pub fn call(&self) -> String {
        self.kind.call(self.mode)
    }

    /// Returns whether it is a reader's, and `other` that of a writer which holds it back: new readers wait
    /// while a writer does. An upgradable reader may wait for another one alone, so for it the writer must
    /// have slept first. A reader waits for any of the writers: what the writer waits for lets neither in.
    /// When it slept says nothing there: the writer that came first looks for longer.
    pub(super) fn is_behind(&self, other: &Self) -> bool {
        self.kind == Kind::RwLock
            && matches!(self.mode, Mode::Read | Mode::Upgradable)
            && (other.kind, other.id) == (self.kind, self.id)
            && other.mode.is_exclusive()
            && (self.mode == Mode::Read || other.since < self.since)
    }
}

/// A thread, what it holds and what it waits for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ThreadState {
    /// Its name, cut to 48 bytes.
    pub name: Option<String>,
    /// A number that no other thread of the process has or had.
    pub id: u64,
    /// Whether it has ended, and left something locked.
    pub gone: bool,
    /// What it holds, in the order of its list.
    pub holds: Vec<Hold>,
    /// What it sleeps for, if it does.
    pub waits: Option<Wait>,
}

impl ThreadState {
    /// Returns whether it neither holds nor waits for anything.
    fn is_idle(&self) -> bool {
        self.waits.is_none() && self.holds.is_empty()
    }

    /// Returns the thread as a report names it.
    pub(super) fn label(&self) -> Label<'_> {
        Label(self.name.as_deref(), self.id)
    }
}

/// `thread "name"`, or `thread 7` if it has none.
#[derive(Clone, Copy)]
pub(super) struct Label<'a>(pub(super) Option<&'a str>, pub(super) u64);

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(f, "thread \"{name}\""),
            None => write!(f, "thread {}", self.1),
        }
    }
}

/// What all threads held and waited for, one after the other, at about one time. See [`snapshot`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// When it was made.
    pub taken: Instant,
    /// All threads that have held or waited for something and have not ended, and those that have ended and
    /// left something locked. Those that hold or wait for something now come first.
    pub threads: Vec<ThreadState>,
}

fn hold(holding: &Holding) -> Hold {
    let Called { id, kind, mode, count, shared, place, .. } = holding.called;
    Hold {
        kind,
        name: holding.called.name(),
        mode,
        place: Place(place),
        since: instant_of(holding.since),
        permits: count,
        shared,
        id,
        number: holding.number,
    }
}

fn wait(waiting: &Waiting) -> Wait {
    let Called { id, kind, mode, count, place, .. } = waiting.called;
    Wait {
        kind,
        name: waiting.called.name(),
        mode,
        place: Place(place),
        since: instant_of(waiting.since),
        until: waiting.until.map(instant_of),
        count,
        id,
        number: waiting.number,
    }
}

fn state(view: ThreadView) -> ThreadState {
    let ThreadView { number, name, gone, wait: waits, holds } = view;
    ThreadState {
        name,
        id: number,
        gone,
        holds: holds.iter().map(hold).collect(),
        waits: waits.as_ref().map(wait),
    }
}

/// Returns the state of the calling thread, with what it holds.
pub(super) fn own_state(waits: Option<Wait>) -> ThreadState {
    let id = crate::facade::this_thread().get();
    let name = crate::facade::thread_name(usize::MAX);
    ThreadState {
        name: (!name.is_empty()).then_some(name),
        id,
        gone: false,
        holds: observe::own_holds().map(|holding| hold(&holding)).collect(),
        waits,
    }
}

/// Returns what a call that is about to wait will wait for.
pub(super) fn about_to_wait(called: &Called) -> Wait {
    wait(&Waiting { called: *called, since: nanos(), until: None, number: 0 })
}

/// Returns the threads as they are, by their numbers.
fn all_states() -> Vec<ThreadState> {
    let mut all: Vec<_> = observe::threads().into_iter().map(state).collect();
    all.sort_by_key(|thread| thread.id);
    all
}

/// Returns those of the threads that hold or wait for something, by their numbers.
pub(super) fn states() -> Vec<ThreadState> {
    let mut all = all_states();
    all.retain(|thread| !thread.is_idle());
    all
}

/// Returns what all threads hold and wait for: of each thread what it has locked where and since when, and
/// what it sleeps for. A thread is known from the first time on that it holds or waits for something.
///
/// It takes no lock, and stops no thread. What each thread tells is right for one moment, but the moments
/// differ: [`deadlocks`](super::deadlocks) is for what must be certain. What threads wait for is always
/// known, what they hold is known of what they have locked while a session ran ([`start`](super::start)).
///
/// # Examples
///
/// ```
/// use lockwork::{Mutex, diagnose};
/// use std::thread;
///
/// static SESSIONS: Mutex<u32> = Mutex::named("sessions", 0);
///
/// let _session = diagnose::start(diagnose::Settings::default());
/// let guard = SESSIONS.lock();
/// thread::scope(|s| {
///     s.spawn(|| *SESSIONS.lock() += 1);
///     let waits = |thread: &diagnose::ThreadState| thread.waits.is_some();
///     while !diagnose::snapshot().threads.iter().any(waits) {
///         thread::yield_now();
///     }
///     println!("{}", diagnose::snapshot());
///     drop(guard);
/// });
/// ```
#[must_use]
pub fn snapshot() -> Snapshot {
    let taken = instant_of(nanos());
    let mut threads = all_states();
    // What an ended thread had left is gone, too.
    threads.retain(|thread| !(thread.gone && thread.is_idle()));
    threads.sort_by_key(ThreadState::is_idle);
    Snapshot { taken, threads }
}

/// A time as a person would say it.
pub(super) struct Age(pub(super) Duration);

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        if seconds >= 600.0 {
            write!(f, "{:.0} min", seconds / 60.0)
        } else if seconds >= 9.95 {
            write!(f, "{seconds:.0} s")
        } else if seconds >= 1.0 {
            write!(f, "{seconds:.1} s")
        } else {
            write!(f, "{} ms", self.0.as_millis())
        }
    }
}

/// ` "name"`, or nothing.
pub(super) struct Named(pub(super) Option<&'static str>);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |name| write!(f, " \"{name}\""))
    }
}

/// As a thread dump: each thread, what it holds, and what it waits for.
impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.threads.is_empty() {
            return f.write_str("no thread holds or waits for anything");
        }
        for (place, thread) in self.threads.iter().enumerate() {
            let gap = if place == 0 { "" } else { "\n" };
            let gone = if thread.gone { ", which has ended" } else { "" };
            write!(f, "{gap}{} (number {}){gone}", thread.label(), thread.id)?;
            if thread.is_idle() {
                f.write_str(", holds and waits for nothing")?;
            }
            for hold in &thread.holds {
                let age = Age(self.taken.saturating_duration_since(hold.since));
                let Hold { kind, name, mode, place, permits, shared, .. } = hold;
                write!(f, "\n  holds {}{} by {}", kind.name(), Named(*name), mode.name())?;
                if *permits != 1 {
                    write!(f, " ({permits} permits)")?;
                }
                write!(f, " for {age}, at {place}")?;
                if *shared {
                    f.write_str(", and may have given it to another thread")?;
                }
            }
            if let Some(wait) = &thread.waits {
                let age = Age(self.taken.saturating_duration_since(wait.since));
                write!(f, "\n  waits in `{}` at {}", wait.call(), wait.place)?;
                if wait.kind == Kind::Semaphore && wait.count != 1 {
                    write!(f, " ({} permits)", wait.count)?;
                }
                if let Some(name) = wait.name {
                    write!(f, " for \"{name}\"")?;
                }
                write!(f, ", for {age}")?;
                if let Some(until) = wait.until {
                    write!(f, ", for {} more at most", Age(until.saturating_duration_since(self.taken)))?;
                }
            }
        }
        Ok(())
    }
}
