//! Who has the lock of the specification, who waits for it, and who may go: see [`rwlock`](super).

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::mem;
use std::rc::Rc;

use crate::facade::spec::{Ages, Edge, Sleep, ThreadId, Token};

/// How a thread wants the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Read,
    /// Reads as well, and may do so already: waiting writers do not stop it.
    ReadAgain,
    Upgradable,
    Write,
    /// Is the upgradable reader, and waits until the others have left.
    Upgrade,
}

impl Role {
    pub(super) fn writes(self) -> bool {
        matches!(self, Self::Write | Self::Upgrade)
    }

    /// Returns whether a writer that waits keeps such a thread out.
    pub(super) fn is_held_back(self) -> bool {
        matches!(self, Self::Read | Self::Upgradable)
    }

    pub(super) fn reads(self) -> bool {
        matches!(self, Self::Read | Self::ReadAgain)
    }
}

/// What a thread that reads has for itself. All are there from the beginning, so that a writer that comes
/// before the thread steps at it, too.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) thread: OnceCell<ThreadId>,
    /// There while there is no writer. The thread gives it back at once, for none takes it but writers.
    pub(super) entrance: Token,
    /// From the writers to this thread, and from this thread to the writers; and where its steps have their
    /// order.
    pub(super) edge: Edge,
}

/// How many threads have slots: as many as models commonly have. Further ones read without a slot.
pub(super) const SLOTS: usize = 3;

#[derive(Debug)]
pub(super) struct Fields {
    pub(super) writer: bool,
    pub(super) upgradable: bool,
    pub(super) readers: usize,
    /// How many `try_write` look for readers, and are to fail.
    pub(super) looking: usize,
    pub(super) queue: VecDeque<Waiting>,
    /// How many tokens are at the entrance.
    pub(super) tokens: usize,
    /// How many threads are about to take one.
    pub(super) arriving: usize,
    /// The numbers of those of them that are to write.
    pub(super) arriving_writers: Vec<usize>,
    /// The last of these numbers when a writer left.
    pub(super) passed: usize,
    /// How many numbers writers have been given.
    pub(super) numbers: usize,
    /// How many threads that wanted to write have left the queue at their deadline, and are in their call.
    pub(super) leaving: usize,
    /// How many threads are about to take that of their slot.
    pub(super) arriving_readers: usize,
    /// Made with the lock, as no thread can see what another makes later, and taken one by one.
    pub(super) slots: Rc<[Slot]>,
    /// This step has touched all slots.
    pub(super) touched: bool,
}

/// How many tokens are put at the entrance beside those that threads wait for.
pub(super) const SPARE: usize = 3;

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) role: Role,
    pub(super) sleep: Sleep,
    /// Has a deadline, and does not sleep.
    pub(super) timed: bool,
    /// Of a writer.
    pub(super) number: Option<usize>,
    pub(super) may_go: bool,
}

impl Fields {
    pub(super) fn admits(&self, role: Role) -> bool {
        match role {
            Role::Read | Role::ReadAgain => !self.writer,
            Role::Upgradable => !self.writer && !self.upgradable && self.looking == 0,
            Role::Write => !self.writer && !self.upgradable && self.readers == 0 && self.looking == 0,
            Role::Upgrade => self.readers == 0,
        }
    }

    /// Returns whether a thread may come in that is not in the queue.
    pub(super) fn admits_newcomer(&self, role: Role) -> bool {
        let waits = || !self.queue.iter().any(|other| other.role.writes() && !other.may_go);
        let passes = !role.is_held_back();
        self.admits(role) && (passes || (self.leaving == 0 && waits()))
    }

    /// Returns the numbers of the writers that wait although they may go.
    pub(super) fn undecided(&self) -> Vec<usize> {
        let arriving = self.arriving_writers.iter().copied().filter(|&number| number <= self.passed);
        let queued = self.queue.iter().filter(|other| other.may_go).filter_map(|other| other.number);
        if self.writer { Vec::new() } else { arriving.chain(queued).collect() }
    }

    pub(super) fn may_go(&self, place: usize) -> bool {
        let role = self.queue[place].role;
        let mut before = self.queue.iter().take(place).map(|other| other.role);
        self.admits(role)
            && !before.any(|other| match role {
                Role::ReadAgain | Role::Upgrade => false,
                Role::Read => other.writes(),
                Role::Upgradable => other.writes() || other == Role::Upgradable,
                Role::Write => true,
            })
    }

    pub(super) fn touch_slots(&self) {
        self.slots.iter().for_each(|slot| slot.edge.touch());
    }

    /// Wakes those that may go, and lets those sleep on that may not go any more.
    pub(super) fn decide(&mut self) {
        for place in 0..self.queue.len() {
            let may_go = self.may_go(place);
            let waiting = &mut self.queue[place];
            if may_go != mem::replace(&mut waiting.may_go, may_go) && !waiting.timed {
                if may_go {
                    waiting.sleep.end();
                } else {
                    waiting.sleep.sleep();
                }
            }
        }
    }
}

/// Whether a writer that waits is between queueing and looking once more. Each has a number, and passes two:
/// when it begins and when it has looked. Made with the lock, as no thread can see what another makes later;
/// each writer has one for itself, if there are no more of them at a time.
#[derive(Debug)]
pub(super) struct Settling([Ages; 4]);

impl Settling {
    pub(super) fn new() -> Self {
        Self([(); 4].map(|()| Ages::new()))
    }

    fn of(&self, number: usize) -> &Ages {
        &self.0[number % self.0.len()]
    }

    /// Notes that a writer comes, and looks: another thread sees none of it, the one, or both.
    pub(super) fn pass(&self, number: usize) {
        self.of(number).pass(2 * number);
        self.of(number).pass(2 * number + 1);
    }

    pub(super) fn is_on(&self, number: usize) -> bool {
        self.of(number).is_at(2 * number)
    }
}
