//! What a barrier promises, as small as it can be said: see `facade::spec`.
//!
//! A round that breaks is over at once, and the next may begin. The real one lets no thread in until all
//! threads inside have left. No thread can tell that from threads that come later, but by a wait of no
//! length: it fails there, and succeeds here if it is the only party.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use crate::facade::TimeLimit;
use crate::facade::spec::{Edge, Gate, Past, Sleep};

/// What the last to arrive runs.
pub(crate) type Action = dyn Fn() + Send + Sync;

/// A place in a round that has tripped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Completed {
    /// How many arrived before.
    pub(crate) index: usize,
    /// Whether it was the last.
    pub(crate) last: bool,
}

/// The round did not trip for this thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Broken;

pub(crate) struct RawBarrier {
    gate: Gate<Fields>,
    /// barrier.break, for those that come later
    aborting: Edge,
    parties: usize,
    action: Option<Box<Action>>,
}

impl fmt::Debug for RawBarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawBarrier")
            .field("gate", &self.gate)
            .field("parties", &self.parties)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Fields {
    /// All but the last to arrive.
    members: Vec<Member>,
    /// What the last to arrive does.
    act: Act,
    aborted: bool,
    /// The threads that came while the action runs, and wait for its end.
    entering: Vec<Sleep>,
}

/// How far an action is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    None,
    Runs,
    /// Its round is broken already.
    RunsInVain,
}

#[derive(Debug)]
struct Member {
    own: Own,
    /// What it did before it arrived.
    arrived: Option<Past>,
}

/// What a member has of its round.
#[derive(Clone, Debug)]
struct Own {
    sleep: Sleep,
    tripped: Rc<Cell<bool>>,
}

impl Fields {
    /// Tells all that wait in the round how it ends.
    fn end(&mut self, tripped: bool) {
        for member in self.members.drain(..) {
            member.own.tripped.set(tripped);
            member.own.sleep.end();
        }
    }

    /// Breaks the present round, if there is one.
    fn break_up(&mut self) {
        self.end(false);
        if self.act == Act::Runs {
            self.act = Act::RunsInVain;
        }
    }

    /// Lets those in that waited for the end of the action.
    fn reopen(&mut self) {
        self.act = Act::None;
        self.entering.drain(..).for_each(|thread| thread.end());
    }
}

enum Arrived {
    Aborted,
    TooLate,
    /// The action runs.
    Waits(Sleep),
    Early(usize, Own),
    Last,
}

impl RawBarrier {
    #[track_caller]
    pub(crate) fn new(parties: usize) -> Self {
        let fields = Fields { members: Vec::new(), act: Act::None, aborted: false, entering: Vec::new() };
        Self { gate: Gate::new(fields), aborting: Edge::new(), parties: parties.max(1), action: None }
    }

    #[track_caller]
    pub(crate) fn with_action(parties: usize, action: Box<Action>) -> Self {
        Self { action: Some(action), ..Self::new(parties) }
    }

    pub(crate) const fn parties(&self) -> usize {
        self.parties
    }

    #[track_caller]
    pub(crate) fn waiting(&self) -> usize {
        self.gate.step(|fields| match fields.act {
            Act::None => fields.members.len(),
            Act::Runs => self.parties,
            Act::RunsInVain => 0,
        })
    }

    #[track_caller]
    pub(crate) fn is_aborted(&self) -> bool {
        self.gate.step(|fields| fields.aborted)
    }

    #[track_caller]
    pub(crate) fn wait(&self, limit: TimeLimit<'_>, _: &'static str) -> Result<Completed, Broken> {
        let deadline = limit.deadline();
        loop {
            let arrived = self.gate.step(|fields| {
                if fields.aborted {
                    self.aborting.acquire();
                    Arrived::Aborted
                } else if fields.act != Act::None {
                    if deadline.has_passed() {
                        return Arrived::TooLate;
                    }
                    let own = Sleep::new();
                    fields.entering.push(own.clone());
                    Arrived::Waits(own)
                } else if fields.members.len() + 1 < self.parties {
                    let own = Own { sleep: Sleep::new(), tripped: Rc::default() };
                    fields.members.push(Member { own: own.clone(), arrived: Some(Past::new()) });
                    Arrived::Early(fields.members.len() - 1, own)
                } else {
                    fields.members.iter_mut().filter_map(|member| member.arrived.take()).for_each(Past::take);
                    if self.action.is_some() {
                        fields.act = Act::Runs;
                    } else {
                        fields.end(true);
                    }
                    Arrived::Last
                }
            });
            match arrived {
                Arrived::Aborted | Arrived::TooLate => return Err(Broken),
                Arrived::Waits(own) if deadline.is_never() => own.sleep(),
                Arrived::Waits(own) => {
                    let left = self.gate.step(|fields| {
                        let before = fields.entering.len();
                        fields.entering.retain(|other| !other.is(&own));
                        let left = fields.entering.len() < before;
                        if !left {
                            own.sleep();
                        }
                        left
                    });
                    if left {
                        deadline.pass();
                        return Err(Broken);
                    }
                }
                Arrived::Early(index, own) => {
                    let stays = deadline.is_never() || self.stays(&own);
                    if stays {
                        own.sleep.sleep();
                    } else {
                        deadline.pass();
                    }
                    let completed = Completed { index, last: false };
                    return if stays && own.tripped.get() { Ok(completed) } else { Err(Broken) };
                }
                Arrived::Last => {
                    if let Some(action) = &self.action {
                        self.lead(action)?;
                    }
                    return Ok(Completed { index: self.parties - 1, last: true });
                }
            }
        }
    }

    /// Breaks the round for a member whose time is up, unless it is over, or complete and its action runs.
    /// Then the member stays until it is told. Returns whether it stays.
    #[track_caller]
    fn stays(&self, own: &Own) -> bool {
        self.gate.step(|fields| {
            let place = fields.members.iter().position(|other| other.own.sleep.is(&own.sleep));
            let stays = place.is_none() || fields.act == Act::Runs;
            if let (false, Some(place)) = (stays, place) {
                fields.members.remove(place);
                fields.break_up();
            }
            stays
        })
    }

    /// Runs the action, and then tells the others: for the last to arrive.
    #[track_caller]
    fn lead(&self, action: &Action) -> Result<(), Broken> {
        /// The panic of an action breaks the round.
        struct Lead<'a>(&'a RawBarrier);
        impl Drop for Lead<'_> {
            fn drop(&mut self) {
                self.0.gate.step(|fields| {
                    fields.end(false);
                    fields.reopen();
                });
            }
        }
        let lead = Lead(self);
        action();
        std::mem::forget(lead);
        self.gate.step(|fields| {
            let tripped = fields.act == Act::Runs;
            fields.end(tripped);
            fields.reopen();
            tripped.then_some(()).ok_or(Broken)
        })
    }

    #[track_caller]
    pub(crate) fn abort(&self) {
        self.gate.step(|fields| {
            if !std::mem::replace(&mut fields.aborted, true) {
                self.aborting.release();
                fields.break_up();
                // Those that wait to enter are told when they look.
                fields.entering.drain(..).for_each(|thread| thread.end());
            }
        });
    }

    #[track_caller]
    pub(crate) fn reset(&self) {
        self.gate.step(|fields| {
            if !std::mem::replace(&mut fields.aborted, false) {
                fields.break_up();
            }
        });
    }
}
