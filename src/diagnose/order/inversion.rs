//! The report of locks that were taken against an order.

use std::collections::BTreeMap;
use std::fmt;

use super::super::Place;
use super::Sight;
use super::graph::Step;
use crate::facade::thread_name;
use crate::observe::{self, Called, Kind, Label, Mode};

/// A lock that is taken against an order that was seen before, or against the ranks of classes: threads that
/// do this at the same time, each in its order, may wait for each other without end.
///
/// ```text
/// inversion: thread "b" wants "log" in `Mutex::lock` at src/b.rs:12, and holds "tax", locked at src/b.rs:11
///   the opposite was seen first in thread "a": "log" was held, locked at src/b.rs:5, and "tax" wanted in ..
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Inversion {
    /// The name of the thread. Empty if it has none.
    pub thread: String,
    /// The lock that it is about to take.
    pub wanted: Acquisition,
    /// The lock that it holds, and should take after that one.
    pub held: Acquisition,
    /// How the opposite order came about, from the wanted lock to the held one: a thread has taken them in
    /// this order, or several have taken others between. Empty if the ranks say it.
    pub opposite: Vec<Opposite>,
    /// The ranks of the held and of the wanted lock's class, if these are what says it.
    pub ranks: Option<(u32, u32)>,
    /// Whether one of these waits has a time-out, which would end a deadlock.
    pub timed: bool,
}

/// A lock that was taken or wanted: how, and where in the source.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Acquisition {
    /// What kind of lock it is.
    pub kind: Kind,
    /// Its own name, or that of its class.
    pub name: Option<&'static str>,
    /// A number that no other lock has or had.
    pub number: u64,
    /// How it was taken or wanted.
    pub mode: Mode,
    /// Where.
    pub place: Place,
}

/// A part of the opposite order: one lock was wanted while another was held.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Opposite {
    /// The name of the thread in which this was seen first, empty if it has none. `None` if it has ended.
    pub thread: Option<String>,
    /// The lock that was held.
    pub held: Acquisition,
    /// The lock that was wanted.
    pub wanted: Acquisition,
}

impl Acquisition {
    fn of(called: &Called) -> Self {
        let Called { kind, id, mode, place, .. } = *called;
        Self { kind, name: called.name(), number: id, mode, place: Place(place) }
    }
}

/// Its name in quotation marks, or its kind and number.
impl fmt::Display for Acquisition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name {
            Some(name) => write!(f, "{name:?}"),
            None => write!(f, "{} #{}", self.kind.name(), self.number),
        }
    }
}

impl Inversion {
    fn new(held: &Called, new: &Called) -> Self {
        Self {
            thread: thread_name(usize::MAX),
            wanted: Acquisition::of(new),
            held: Acquisition::of(held),
            opposite: Vec::new(),
            ranks: None,
            timed: false,
        }
    }

    pub(super) fn of_ranks(held: &Called, new: &Called, of_held: u32, of_new: u32, timed: bool) -> Self {
        Self { ranks: Some((of_held, of_new)), timed, ..Self::new(held, new) }
    }

    pub(super) fn of_cycle(
        held: &Called,
        new: &Called,
        steps: &[Step<Sight>],
        labels: &BTreeMap<u64, (Kind, Label)>,
        timed: bool,
    ) -> Self {
        let threads = observe::threads();
        let acquisition = |id, mode, place| {
            let (kind, label) = labels.get(&id).copied().unwrap_or((Kind::Mutex, Label::None));
            Acquisition { kind, name: label.name(), number: id, mode, place: Place(place) }
        };
        let opposite = |step: &Step<Sight>| {
            let Sight { held_at, wanted_at, held, wanted, thread } = step.sight;
            let thread = threads.iter().find(|view| view.number == thread && !view.gone);
            Opposite {
                thread: thread.map(|view| view.name.clone().unwrap_or_default()),
                held: acquisition(step.from, held, held_at),
                wanted: acquisition(step.to, wanted, wanted_at),
            }
        };
        let timed = timed || steps.iter().any(|step| step.link.timed);
        Self { opposite: steps.iter().map(opposite).collect(), timed, ..Self::new(held, new) }
    }
}

/// Describes a thread by its name, which is empty if it has none.
fn in_words(thread: &str) -> String {
    if thread.is_empty() { "a thread without a name".to_owned() } else { format!("thread {thread:?}") }
}

impl fmt::Display for Inversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { thread, wanted, held, .. } = self;
        write!(f, "inversion: {} wants {wanted}", in_words(thread))?;
        write!(f, " in `{}` at {}", wanted.kind.call(wanted.mode), wanted.place)?;
        write!(f, ", and holds {held}, locked at {}", held.place)?;
        if let Some((of_held, of_wanted)) = self.ranks {
            write!(f, "\n  {wanted} has rank {of_wanted} and comes before {held}, which has {of_held}")?;
        }
        for (number, Opposite { thread, held, wanted }) in self.opposite.iter().enumerate() {
            f.write_str(match (number, self.opposite.len()) {
                (_, 1) => "\n  the opposite was seen first in ",
                (0, _) => "\n  that comes before in this order, seen first in ",
                _ => "\n  and in ",
            })?;
            match thread {
                Some(thread) => f.write_str(&in_words(thread))?,
                None => f.write_str("a thread that has ended")?,
            }
            write!(f, ": {held} was held, locked at {}, and {wanted} wanted", held.place)?;
            write!(f, " in `{}` at {}", wanted.kind.call(wanted.mode), wanted.place)?;
        }
        if self.timed {
            f.write_str("\n  a time-out would end it")?;
        }
        Ok(())
    }
}
