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

/// Both: `wait` takes the signal of the one and leaves that of the other.
#[derive(Debug)]
struct Signal {
    gate: Gate<Fields>,
    /// event.set
    edge: Edge,
    /// Of [`Turn::claim`].
    nodes: Edge,
    auto_reset: bool,
}

impl Signal {
    #[track_caller]
    fn new(auto_reset: bool) -> Self {
        Self {
            gate: Gate::new(Fields { set: false, queue: VecDeque::new() }),
            edge: Edge::new(),
            nodes: Edge::new(),
            auto_reset,
        }
    }

    #[track_caller]
    fn is_set(&self) -> bool {
        self.gate.step(|fields| {
            if fields.set {
                self.edge.acquire();
            }
            fields.set
        })
    }

    #[track_caller]
    fn set(&self) {
        self.gate.step(|fields| {
            self.edge.release();
            let mut taken = false;
            while !(taken && self.auto_reset) {
                let Some(turn) = fields.queue.pop_front() else { break };
                taken |= turn.hand(&self.nodes, || ());
            }
            fields.set |= !taken || !self.auto_reset;
        });
    }

    /// Does what a wait does that finds it set; or returns that it is not.
    fn find(&self, fields: &mut Fields) -> bool {
        let found = fields.set;
        if found {
            self.edge.acquire();
            fields.set = !self.auto_reset;
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
    fn wait_until(&self, limit: TimeLimit<'_>) -> bool {
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

    fn enqueue(&self, node: Node<'_>) -> Enqueued {
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

    #[track_caller]
    fn has_waiters_now(&self) -> bool {
        self.gate.step(|fields| !fields.queue.is_empty())
    }
}

enum Begun {
    Found,
    TooLate,
    Queued(Sleep),
}

macro_rules! event {
    ($(#[$meta:meta])* $name:ident, $auto_reset:literal, { $($own:item)* }) => {
        $(#[$meta])*
        #[derive(Debug)]
        pub(crate) struct $name(Signal);

        impl $name {
            #[track_caller]
            pub(crate) fn new() -> Self {
                Self(Signal::new($auto_reset))
            }

            #[track_caller]
            pub(crate) fn is_set(&self) -> bool {
                self.0.is_set()
            }

            #[track_caller]
            pub(crate) fn set(&self) {
                self.0.set();
            }

            #[track_caller]
            pub(crate) fn wait_until(&self, limit: TimeLimit<'_>) -> bool {
                self.0.wait_until(limit)
            }
        }

        impl $name {
            $($own)*
        }

        impl Source for $name {
            fn node(&self, select: &Select) -> Waiter {
                select.node(std::ptr::null(), std::ptr::null())
            }

            fn enqueue(&self, node: Node<'_>, _: Place) -> Enqueued {
                self.0.enqueue(node)
            }

            fn leave(&self, node: Node<'_>) {
                self.0.leave(node);
            }

            fn give_back(&self) {
                if $auto_reset {
                    self.0.set();
                }
            }
        }
    };
}

event!(
    /// Stays set until it is cleared.
    RawEvent,
    false,
    {
        #[track_caller]
        pub(crate) fn clear(&self) {
            self.0.take_back();
        }

        #[track_caller]
        pub(crate) fn has_waiters_now(&self) -> bool {
            self.0.has_waiters_now()
        }
    }
);

event!(
    /// Lets one thread through for each time it is set.
    RawAutoResetEvent,
    true,
    {
        #[track_caller]
        pub(crate) fn try_wait(&self) -> bool {
            self.0.take_back()
        }
    }
);
