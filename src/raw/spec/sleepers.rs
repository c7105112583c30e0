//! The threads of one side of a queue that sleep, as small as it can be said: see `facade::spec`.
//!
//! Announcing and going to sleep are one step. Who is woken and who hands on is the owner's affair, as with
//! the real one.

use std::collections::VecDeque;
use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::facade::Deadline;
use crate::facade::spec::{Edge, Gate, Sleep};
use crate::raw::turn::Turn;
use crate::wait::select::{Enqueued, Node, Select};
use crate::wait::{Place, SpinWait, Waiter};

pub(crate) struct RawSleepers {
    gate: Gate<VecDeque<Turn>>,
    /// Of [`Turn::claim`].
    nodes: Edge,
}

impl UnwindSafe for RawSleepers {}
impl RefUnwindSafe for RawSleepers {}

/// How a sleep went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slept {
    /// Not at all: there is something.
    Not,
    /// Until it was woken: it hands on when it has looked.
    Woken,
    /// Until the deadline.
    TimedOut,
}

fn put(queue: &mut VecDeque<Turn>, turn: Turn, place: Place) {
    match place {
        Place::Front => queue.push_front(turn),
        Place::Back => queue.push_back(turn),
    }
}

impl RawSleepers {
    #[track_caller]
    pub(crate) fn new() -> Self {
        Self { gate: Gate::new(VecDeque::new()), nodes: Edge::new() }
    }

    #[track_caller]
    pub(crate) fn sleep(
        &self,
        again: bool,
        announce: impl FnOnce() -> bool,
        unlock: impl FnOnce(),
        deadline: &Deadline,
    ) -> Slept {
        let place = if again { Place::Front } else { Place::Back };
        let own = self.gate.step(|queue| {
            let own = announce().then(Sleep::new);
            if let Some(own) = &own {
                put(queue, Turn::Alone(own.clone()), place);
            }
            unlock();
            own
        });
        let Some(own) = own else { return Slept::Not };
        if deadline.is_never() {
            own.sleep();
            return Slept::Woken;
        }
        self.gate.step(|queue| {
            let before = queue.len();
            queue.retain(|turn| !turn.is(&own));
            if queue.len() == before {
                own.sleep();
                Slept::Woken
            } else {
                deadline.pass();
                Slept::TimedOut
            }
        })
    }

    pub(crate) fn node(&self, select: &Select) -> Waiter {
        select.node(std::ptr::null(), std::ptr::null())
    }

    pub(crate) fn enqueue(&self, node: Node<'_>, place: Place, announce: impl FnOnce() -> bool) -> Enqueued {
        self.gate.step(|queue| {
            if !announce() {
                return Enqueued::Ready;
            }
            if Turn::is_to_be_put(node, &*queue) {
                self.nodes.release();
                put(queue, Turn::selecting(node), place);
            }
            Enqueued::Queued { first: false }
        })
    }

    pub(crate) fn leave(&self, node: Node<'_>) {
        self.gate.step(|queue| {
            self.nodes.acquire();
            queue.retain(|turn| !turn.is_of(node));
        });
    }

    /// Wakes the first whose threads can be claimed, `limit` of them at most.
    #[track_caller]
    fn wake(&self, limit: usize) {
        self.gate.step(|queue| {
            let (mut at, mut woken) = (0, 0);
            while woken < limit && at < queue.len() {
                if !queue[at].claim(&self.nodes) {
                    // It looks for itself when it has tried elsewhere.
                    at += 1;
                } else if let Some(turn) = queue.remove(at) {
                    turn.notify();
                    woken += 1;
                }
            }
        });
    }

    #[track_caller]
    pub(crate) fn wake_one(&self) {
        self.wake(1);
    }

    #[track_caller]
    pub(crate) fn wake_all(&self) {
        self.wake(usize::MAX);
    }

    #[track_caller]
    pub(crate) fn hand_on(&self, announce: impl FnOnce() -> bool) {
        // The thread that comes into the queue meanwhile has announced itself.
        if self.gate.peek(|queue| !queue.is_empty()) && !announce() {
            self.wake_one();
        }
    }

    pub(crate) fn spin_wait(&self, _: usize) -> SpinWait {
        SpinWait::NONE
    }

    pub(crate) fn spin<R>(&self, _: usize, _: &Deadline, _: impl FnMut(bool) -> Option<R>) -> Option<R> {
        None
    }
}
