//! What the two events promise, as small as it can be said: see `facade::spec`.

use std::collections::VecDeque;

use crate::facade::TimeLimit;
use crate::facade::spec::{Edge, Gate, Sleep};

#[derive(Debug)]
struct Fields {
    set: bool,
    queue: VecDeque<Sleep>,
}

/// Both: `wait` takes the signal of the one and leaves that of the other.
#[derive(Debug)]
struct Signal {
    gate: Gate<Fields>,
    /// event.set
    edge: Edge,
    auto_reset: bool,
}

impl Signal {
    #[track_caller]
    fn new(auto_reset: bool) -> Self {
        Self { gate: Gate::new(Fields { set: false, queue: VecDeque::new() }), edge: Edge::new(), auto_reset }
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
            let released = if self.auto_reset { fields.queue.len().min(1) } else { fields.queue.len() };
            fields.set |= released == 0 || !self.auto_reset;
            for sleep in fields.queue.drain(..released) {
                sleep.end();
            }
        });
    }

    /// What a wait does that finds it set; or says that it is not.
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
                fields.queue.push_back(Sleep::new());
                Begun::Queued(fields.queue[fields.queue.len() - 1].clone())
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
                    fields.queue.retain(|other| !other.is(&own));
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
