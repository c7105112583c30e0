//! What is to be done once, as small as it can be said: see `facade::spec`.
//!
//! Beginning and ending are one step each. A failed initialisation goes on to the first that waits to run
//! one.

use std::cell::Cell;
use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::rc::Rc;

use crate::facade::spec::{Edge, Gate, Sleep};
use crate::facade::{Deadline, this_thread};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    New,
    Running,
    Poisoned,
    Done,
}

/// What a caller wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    runs: bool,
    forced: bool,
}

impl Kind {
    pub(crate) const CALL: Self = Self { runs: true, forced: false };
    pub(crate) const CALL_FORCE: Self = Self { runs: true, forced: true };
    pub(crate) const WAIT: Self = Self { runs: false, forced: false };
    pub(crate) const WAIT_FORCE: Self = Self { runs: false, forced: true };
}

/// How a call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Passed {
    Done,
    /// The caller's own initialiser has failed.
    Failed,
    Poisoned,
    TimedOut,
}

#[derive(Debug)]
pub(crate) struct RawOnce {
    gate: Gate<Fields>,
    /// once.done
    done: Edge,
    /// once.failed
    failed: Edge,
}

#[derive(Debug)]
struct Fields {
    stage: Stage,
    /// The thread that initialises.
    runner: Option<NonZeroU64>,
    queue: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    kind: Kind,
    thread: NonZeroU64,
    sleep: Sleep,
    outcome: Rc<Cell<Outcome>>,
}

/// What a waiter is woken with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Completed,
    Handed,
    Broken,
}

/// How an [`enter`](RawOnce::enter) went, or goes on.
enum Entered {
    Passed(Passed),
    /// The caller initialises. The state was this.
    Running(Stage),
    Waits(Sleep, Rc<Cell<Outcome>>),
    WouldWaitForItself,
}

impl RawOnce {
    #[track_caller]
    pub(crate) fn new() -> Self {
        let fields = Fields { stage: Stage::New, runner: None, queue: VecDeque::new() };
        Self { gate: Gate::new(fields), done: Edge::new(), failed: Edge::new() }
    }

    /// Returns whether it is done, for a call that goes on to another step if it is not.
    #[track_caller]
    pub(crate) fn is_done(&self) -> bool {
        self.gate.peek(|fields| fields.stage == Stage::Done) && self.is_done_now()
    }

    #[track_caller]
    pub(crate) fn is_done_now(&self) -> bool {
        self.stage() == Stage::Done
    }

    #[track_caller]
    pub(crate) fn stage(&self) -> Stage {
        self.gate.step(|fields| {
            if fields.stage == Stage::Done {
                self.done.acquire();
            }
            fields.stage
        })
    }

    #[track_caller]
    pub(crate) fn has_waiters_now(&self) -> bool {
        self.gate.step(|fields| !fields.queue.is_empty())
    }

    #[track_caller]
    pub(crate) fn call(
        &self,
        kind: Kind,
        poisons: bool,
        deadline: &Deadline,
        call: &'static str,
        init: &mut dyn FnMut(Stage) -> bool,
    ) -> Passed {
        match self.enter(kind, deadline, call) {
            Ok(passed) => passed,
            Err(before) => {
                let mut running =
                    Running { once: self, end: if poisons { Stage::Poisoned } else { Stage::New } };
                let completed = init(before);
                running.end = if completed { Stage::Done } else { Stage::New };
                if completed { Passed::Done } else { Passed::Failed }
            }
        }
    }

    #[track_caller]
    pub(crate) fn wait(&self, kind: Kind, deadline: &Deadline, call: &'static str) -> Passed {
        match self.enter(kind, deadline, call) {
            Ok(passed) => passed,
            Err(_) => unreachable!("a thread that only waits is handed nothing"),
        }
    }

    #[track_caller]
    fn begin(&self, fields: &mut Fields, kind: Kind, deadline: &Deadline) -> Entered {
        let stage = fields.stage;
        match stage {
            Stage::Done => {
                self.done.acquire();
                return Entered::Passed(Passed::Done);
            }
            Stage::Poisoned if !kind.forced => return Entered::Passed(Passed::Poisoned),
            Stage::New | Stage::Poisoned if kind.runs => {
                self.failed.acquire();
                (fields.stage, fields.runner) = (Stage::Running, Some(this_thread()));
                return Entered::Running(stage);
            }
            Stage::Running if fields.runner == Some(this_thread()) => return Entered::WouldWaitForItself,
            Stage::New | Stage::Poisoned | Stage::Running => {}
        }
        if deadline.has_passed() {
            return Entered::Passed(Passed::TimedOut);
        }
        let (sleep, outcome) = (Sleep::new(), Rc::new(Cell::new(Outcome::Broken)));
        let waiting =
            Waiting { kind, thread: this_thread(), sleep: sleep.clone(), outcome: Rc::clone(&outcome) };
        fields.queue.push_back(waiting);
        Entered::Waits(sleep, outcome)
    }

    /// Returns what the state was if the caller is to initialise.
    #[track_caller]
    fn enter(&self, kind: Kind, deadline: &Deadline, call: &'static str) -> Result<Passed, Stage> {
        loop {
            let (own, outcome) = match self.gate.step(|fields| self.begin(fields, kind, deadline)) {
                Entered::Passed(passed) => return Ok(passed),
                Entered::Running(before) => return Err(before),
                Entered::Waits(own, outcome) => (own, outcome),
                Entered::WouldWaitForItself => {
                    panic!("{call}: called by the initialiser that it would wait for")
                }
            };
            if deadline.is_never() {
                own.sleep();
            } else {
                let left = self.gate.step(|fields| {
                    let before = fields.queue.len();
                    fields.queue.retain(|other| !other.sleep.is(&own));
                    let left = fields.queue.len() < before;
                    if !left {
                        own.sleep();
                    }
                    left
                });
                if left {
                    deadline.pass();
                    return Ok(Passed::TimedOut);
                }
            }
            match outcome.get() {
                Outcome::Completed => return Ok(Passed::Done),
                Outcome::Handed => return Err(Stage::New),
                Outcome::Broken if !kind.forced => return Ok(Passed::Poisoned),
                Outcome::Broken => {}
            }
        }
    }

    fn end(&self, end: Stage) {
        self.gate.step(|fields| {
            match end {
                Stage::Done => self.done.release(),
                _ => self.failed.release(),
            }
            if end == Stage::New {
                if let Some(heir) = fields.queue.iter().position(|other| other.kind.runs) {
                    let Some(heir) = fields.queue.remove(heir) else { return };
                    fields.runner = Some(heir.thread);
                    heir.outcome.set(Outcome::Handed);
                    heir.sleep.end();
                    return;
                }
            } else {
                let outcome = if end == Stage::Done { Outcome::Completed } else { Outcome::Broken };
                for other in fields.queue.drain(..) {
                    other.outcome.set(outcome);
                    other.sleep.end();
                }
            }
            (fields.stage, fields.runner) = (end, None);
        });
    }
}

/// An initialiser under way; dropped, by a panic too, when it has ended.
struct Running<'a> {
    once: &'a RawOnce,
    end: Stage,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.once.end(self.end);
    }
}
