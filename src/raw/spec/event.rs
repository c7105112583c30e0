//! What the two events promise, as small as it can be said: see `facade::spec`.

use std::collections::VecDeque;

use crate::facade::TimeLimit;
use crate::facade::spec::{Edge, Gate, Sleep};
use crate::raw::turn::Turn;
use crate::wait::select::{Enqueued, Node, Select, Source};
use crate::wait::{Place, Waiter};

#[derive(Debug)]
struct Fields {
    set: bool,
    queue: VecDeque<Turn>,
}

/// Stays set until it is cleared.
pub(crate) type RawEvent = Signal<false>;

/// Lets one thread through for each time it is set.
pub(crate) type RawAutoResetEvent = Signal<true>;

/// Both: `wait` takes the signal of the one and leaves that of the other.
#[derive(Debug)]
pub(crate) struct Signal<const AUTO_RESET: bool> {
    gate: Gate<Fields>,
    /// event.set
    edge: Edge,
    /// The edge of [`Turn::claim`].
    nodes: Edge,
}

impl<const AUTO_RESET: bool> Signal<AUTO_RESET> {
    #[track_caller]
    pub(crate) fn new() -> Self {
        Self {
            gate: Gate::new(Fields { set: false, queue: VecDeque::new() }),
            edge: Edge::new(),
            nodes: Edge::new(),
        }
    }

    #[track_caller]
    pub(crate) fn is_set(&self) -> bool {
        self.gate.step(|fields| {
            if fields.set {
                self.edge.acquire();
            }
            fields.set
        })
    }

    #[track_caller]
    pub(crate) fn set(&self) {
        self.gate.step(|fields| {
            self.edge.release();
            let mut taken = false;
            while !(taken && AUTO_RESET) {
                let Some(turn) = fields.queue.pop_front() else { break };
                taken |= turn.hand(&self.nodes, || ());
            }
            fields.set |= !taken || !AUTO_RESET;
        });
    }

    /// Does what a wait does that finds it set; or returns that it is not.
    fn find(&self, fields: &mut Fields) -> bool {
        let found = fields.set;
        if found {
            self.edge.acquire();
            fields.set = !AUTO_RESET;
        }
        found
    }

    #[track_caller]
    fn take_back(&self) -> bool {
        self.gate.step(|fields| {
            let found = self.find(fields);
            fields.set = false;
            found
        })
    }

    #[track_caller]
    pub(crate) fn wait_until(&self, limit: TimeLimit<'_>) -> bool {
        let deadline = limit.deadline();
        let begun = self.gate.step(|fields| {
            if self.find(fields) {
                Begun::Found
            } else if deadline.has_passed() {
                Begun::TooLate
            } else {
                let own = Sleep::new();
                fields.queue.push_back(Turn::Alone(own.clone()));
                Begun::Queued(own)
            }
        });
        match begun {
            Begun::Found => true,
            Begun::TooLate => false,
            Begun::Queued(own) if deadline.is_never() => {
                own.sleep();
                true
            }
            Begun::Queued(own) => {
                let released = self.gate.step(|fields| {
                    let before = fields.queue.len();
                    fields.queue.retain(|turn| !turn.is(&own));
                    let released = fields.queue.len() == before;
                    if released {
                        own.sleep();
                    }
                    released
                });
                if !released {
                    deadline.pass();
                }
                released
            }
        }
    }
}

impl RawEvent {
    #[track_caller]
    pub(crate) fn clear(&self) {
        self.take_back();
    }

    #[track_caller]
    pub(crate) fn has_waiters_now(&self) -> bool {
        self.gate.step(|fields| !fields.queue.is_empty())
    }
}

impl RawAutoResetEvent {
    #[track_caller]
    pub(crate) fn try_wait(&self) -> bool {
        self.take_back()
    }
}

impl<const AUTO_RESET: bool> Source for Signal<AUTO_RESET> {
    fn node(&self, select: &Select) -> Waiter {
        select.node(std::ptr::null(), std::ptr::null())
    }

    fn enqueue(&self, node: Node<'_>, _: Place) -> Enqueued {
        self.gate.step(|fields| {
            if fields.set {
                return Enqueued::Ready;
            }
            if Turn::is_to_be_put(node, &fields.queue) {
                self.nodes.release();
                fields.queue.push_back(Turn::selecting(node));
            }
            Enqueued::Queued { first: false }
        })
    }

    fn leave(&self, node: Node<'_>) {
        self.gate.step(|fields| {
            self.nodes.acquire();
            fields.queue.retain(|turn| !turn.is_of(node));
        });
    }

    fn give_back(&self) {
        if AUTO_RESET {
            self.set();
        }
    }
}

enum Begun {
    Found,
    TooLate,
    Queued(Sleep),
}
