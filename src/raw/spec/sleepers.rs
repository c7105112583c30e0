//! The threads of one side of a queue that sleep, as small as it can be said: see `facade::spec`.
//!
//! Announcing and going to sleep are one step, and so is the decision who goes on. Who is woken, who hands on
//! and who is handed its turn is decided as with the real one; whether a sleeper is starving is a choice.

use std::collections::VecDeque;
use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::facade::Deadline;
use crate::facade::spec::{Ages, Edge, Gate, Sleep};
use crate::raw::turn::Turn;
use crate::wait::select::{Enqueued, Node, Select};
use crate::wait::{Place, SpinWait, Stamp, Waiter};

pub(crate) struct RawSleepers {
    gate: Gate<Queue>,
    /// The edge of [`Turn::claim`].
    nodes: Edge,
    ages: Ages,
}

impl UnwindSafe for RawSleepers {}
impl RefUnwindSafe for RawSleepers {}

struct Queue {
    /// Those that wait for this object alone have numbers.
    turns: VecDeque<(Option<usize>, Turn)>,
    numbers: usize,
    /// One of what comes next is kept for the first.
    kept: bool,
    /// Whose turn it is.
    handed: Option<Sleep>,
}

/// How a sleep went.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Slept {
    /// Not at all: there is something.
    Not,
    /// Until it was woken: it hands on when it has looked.
    Woken(Stamp),
    /// Until it was handed its turn, after which it hands off.
    Handed,
    /// Until the deadline.
    TimedOut,
}

/// What the sleepers need of their owner.
pub(crate) trait Owner {
    fn announce(&mut self) -> bool;
    fn keep(&mut self, kept: bool);
}

/// Why it is to be decided who goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    WakeUp,
    Turn,
}

/// The thread that goes on is awake already: it goes on later, as loom likes.
pub(crate) struct HandOff(());

impl HandOff {
    pub(crate) fn wake(self) {}
}

impl Queue {
    fn put(&mut self, number: Option<usize>, turn: Turn, place: Place) {
        match place {
            Place::Front => self.turns.push_front((number, turn)),
            Place::Back => self.turns.push_back((number, turn)),
        }
    }

    /// Returns the number of the first, if it can be handed its turn.
    fn first(&self) -> Option<usize> {
        self.turns.front().and_then(|(number, _)| *number)
    }

    /// Takes the first out of those whose threads can be claimed. Another looks for itself when it has tried
    /// elsewhere.
    fn claim(&mut self, nodes: &Edge) -> Option<Turn> {
        let at = self.turns.iter().position(|(_, turn)| turn.claim(nodes))?;
        self.turns.remove(at).map(|(_, turn)| turn)
    }

    /// Returns how the sleep of a thread that was woken went.
    fn outcome(&self, own: &Sleep) -> Slept {
        if self.handed.as_ref().is_some_and(|handed| handed.is(own)) {
            Slept::Handed
        } else {
            Slept::Woken(Stamp::NONE)
        }
    }
}

impl RawSleepers {
    #[track_caller]
    pub(crate) fn new() -> Self {
        let queue = Queue { turns: VecDeque::new(), numbers: 0, kept: false, handed: None };
        Self { gate: Gate::new(queue), nodes: Edge::new(), ages: Ages::new() }
    }

    #[track_caller]
    pub(crate) fn sleep(
        &self,
        again: Option<Stamp>,
        sleeps: impl FnOnce() -> bool,
        end: impl FnOnce(),
        deadline: &Deadline,
    ) -> Slept {
        let place = if again.is_some() { Place::Front } else { Place::Back };
        let own = self.gate.step(|queue| {
            let own = sleeps().then(Sleep::new);
            if let Some(own) = &own {
                queue.numbers += 1;
                queue.put(Some(queue.numbers), Turn::Alone(own.clone()), place);
            }
            end();
            if own.is_some() {
                self.ages.pass(queue.numbers);
            }
            own
        });
        let Some(own) = own else { return Slept::Not };
        if deadline.is_never() {
            own.sleep();
            return self.gate.peek(|queue| queue.outcome(&own));
        }
        self.gate.step(|queue| {
            let before = queue.turns.len();
            queue.turns.retain(|(_, turn)| !turn.is(&own));
            if queue.turns.len() == before {
                own.sleep();
                queue.outcome(&own)
            } else {
                deadline.pass();
                Slept::TimedOut
            }
        })
    }

    pub(crate) fn node(&self, select: &Select) -> Waiter {
        select.node(std::ptr::null(), std::ptr::null())
    }

    pub(crate) fn enqueue(&self, node: Node<'_>, place: Place, sleeps: impl FnOnce() -> bool) -> Enqueued {
        self.gate.step(|queue| {
            if !sleeps() {
                return Enqueued::Ready;
            }
            if Turn::is_to_be_put(node, queue.turns.iter().map(|(_, turn)| turn)) {
                self.nodes.release();
                queue.put(None, Turn::selecting(node), place);
            }
            Enqueued::Queued { first: false }
        })
    }

    pub(crate) fn leave(&self, node: Node<'_>) {
        self.gate.step(|queue| {
            self.nodes.acquire();
            queue.turns.retain(|(_, turn)| !turn.is_of(node));
        });
    }

    pub(crate) fn keeps(&self) -> bool {
        self.gate.peek(|queue| queue.kept)
    }

    pub(crate) fn has_waiters(&self) -> bool {
        self.gate.peek(|queue| !queue.turns.is_empty())
    }

    /// Returns the number of the first, if it can be handed its turn and has slept for long: a choice.
    #[track_caller]
    fn starving(&self) -> Option<usize> {
        self.gate.peek(|queue| queue.first()).filter(|&number| self.ages.is_over(number))
    }

    #[track_caller]
    pub(crate) fn wake_one(&self) -> bool {
        let starving = self.starving();
        self.gate.step(|queue| {
            if queue.handed.is_some() {
                return true;
            }
            if queue.kept || starving.is_some() && queue.first() == starving {
                return false;
            }
            if let Some(turn) = queue.claim(&self.nodes) {
                turn.notify();
            }
            true
        })
    }

    /// Decides who goes on, and hands the first its turn if it is starving.
    #[track_caller]
    pub(crate) fn hand_off(&self, reason: Reason, owner: &mut impl Owner) -> HandOff {
        let starving = self.starving();
        self.gate.step(|queue| {
            if reason == Reason::WakeUp && queue.handed.is_some() {
                return;
            }
            let keeps = starving.is_some() && queue.first() == starving;
            if keeps || queue.kept || queue.handed.is_some() {
                owner.keep(keeps);
            }
            (queue.kept, queue.handed) = (keeps, None);
            if !queue.turns.is_empty() && !owner.announce() {
                if let Some(turn) = queue.claim(&self.nodes) {
                    if let (true, Turn::Alone(sleep)) = (keeps, &turn) {
                        (queue.kept, queue.handed) = (false, Some(sleep.clone()));
                    }
                    turn.notify();
                }
            }
        });
        HandOff(())
    }

    #[track_caller]
    pub(crate) fn wake_all(&self) {
        self.gate.step(|queue| {
            while let Some(turn) = queue.claim(&self.nodes) {
                turn.notify();
            }
        });
    }

    pub(crate) fn spin_wait(&self, _: usize) -> SpinWait {
        SpinWait::NONE
    }

    pub(crate) fn spin<R>(&self, _: usize, _: &Deadline, _: impl FnMut(bool) -> Option<R>) -> Option<R> {
        None
    }
}
