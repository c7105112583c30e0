//! What a semaphore promises, as small as it can be said: see `facade::spec`.
//!
//! Permits go to the first that waits, when there are enough for it, and to those that barge while none
//! waits. A thread that queues, or leaves at its deadline, does so in two steps. Between them it is one that
//! waits, and permits that come meanwhile are granted in its second step.
//!
//! Where there is a limit, how many permits there may be still is a word of its own: permits are taken out
//! of it in one step and added in another. Without one no thread can tell.

use std::collections::VecDeque;

use crate::facade::TimeLimit;
use crate::facade::spec::{Edge, Gate, Sleep};
use crate::observe::Call;
use crate::raw::turn::Turn;
use crate::wait::select::{Enqueued, Node, Select, Source};
use crate::wait::{Place, Waiter};

pub(crate) const MAX_PERMITS: usize = usize::MAX >> 3;

#[derive(Debug)]
pub(crate) struct RawSemaphore {
    gate: Gate<Fields>,
    /// semaphore.permits
    permits: Edge,
    /// semaphore.room
    room: Edge,
    /// The edge of [`Turn::claim`].
    nodes: Edge,
    limit: usize,
}

#[derive(Debug)]
struct Fields {
    permits: usize,
    /// How many may still be made.
    room: usize,
    queue: VecDeque<(usize, Turn)>,
    /// How many are between the two steps.
    settling: usize,
}

impl RawSemaphore {
    #[track_caller]
    pub(crate) fn new(permits: usize, limit: usize) -> Self {
        let fields = Fields { permits, room: limit - permits, queue: VecDeque::new(), settling: 0 };
        Self { gate: Gate::new(fields), permits: Edge::new(), room: Edge::new(), nodes: Edge::new(), limit }
    }

    pub(crate) const fn limit(&self) -> usize {
        self.limit
    }

    #[track_caller]
    pub(crate) fn available(&self) -> usize {
        self.gate.step(|fields| fields.permits)
    }

    /// Returns whether `n` permits are there and no thread waits. Publishes nothing: the order of
    /// the steps is what its caller needs.
    pub(crate) fn is_offered(&self, n: usize) -> bool {
        n == 0 || self.gate.step(|fields| Self::offers(fields, n))
    }

    fn offers(fields: &Fields, n: usize) -> bool {
        fields.queue.is_empty() && fields.settling == 0 && fields.permits >= n
    }

    fn take(&self, fields: &mut Fields, n: usize) -> bool {
        let offered = Self::offers(fields, n);
        if offered {
            fields.permits -= n;
            self.permits.acquire();
        }
        offered
    }

    #[track_caller]
    pub(crate) fn try_acquire(&self, n: usize) -> bool {
        n == 0 || self.gate.step(|fields| self.take(fields, n))
    }

    #[track_caller]
    pub(crate) fn acquire(&self, n: usize, name: &str, _: Call<'_>) {
        let limit = self.limit;
        assert!(n <= limit, "Semaphore::{name} of {n} permits: there are never more than {limit}");
        if let Some(sleep) = self.take_or_queue(n) {
            sleep.sleep();
        }
    }

    #[track_caller]
    fn take_or_queue(&self, n: usize) -> Option<Sleep> {
        if n == 0 {
            return None;
        }
        let own = self.gate.step(|fields| {
            let queued = !self.take(fields, n);
            queued.then(|| {
                let own = Sleep::new();
                fields.queue.push_back((n, Turn::Alone(own.clone())));
                fields.settling += 1;
                own
            })
        })?;
        self.decide();
        Some(own)
    }

    /// Takes the second step of a thread that queues or leaves.
    #[track_caller]
    fn decide(&self) {
        self.gate.step(|fields| {
            fields.settling -= 1;
            if fields.settling == 0 {
                self.grant(fields);
            }
        });
    }

    #[track_caller]
    pub(crate) fn acquire_until(&self, n: usize, limit: TimeLimit<'_>) -> bool {
        if n > self.limit {
            return false;
        }
        let deadline = limit.deadline();
        if deadline.is_never() {
            self.acquire(n, "try_acquire_many_for", Call::none());
            return true;
        }
        if deadline.has_passed() {
            return self.try_acquire(n);
        }
        let Some(own) = self.take_or_queue(n) else { return true };
        let acquired = self.gate.step(|fields| {
            let before = fields.queue.len();
            fields.queue.retain(|(_, turn)| !turn.is(&own));
            let left = fields.queue.len() < before;
            if left {
                fields.settling += 1;
            } else {
                own.sleep();
            }
            !left
        });
        if !acquired {
            self.decide();
            deadline.pass();
        }
        acquired
    }

    #[track_caller]
    pub(crate) fn release(&self, n: usize) {
        if n > 0 {
            self.gate.step(|fields| self.put(fields, n));
        }
    }

    fn put(&self, fields: &mut Fields, n: usize) {
        self.permits.release();
        fields.permits += n;
        assert!(fields.permits <= self.limit, "permits given back that were not taken");
        if fields.settling == 0 {
            self.grant(fields);
        }
    }

    fn grant(&self, fields: &mut Fields) {
        while fields.queue.front().is_some_and(|(wanted, _)| *wanted <= fields.permits) {
            let Some((wanted, turn)) = fields.queue.pop_front() else { return };
            // What all did whose permits these are goes to the waiter with them.
            if turn.hand(&self.nodes, || self.permits.acquire()) {
                fields.permits -= wanted;
            }
        }
    }

    #[track_caller]
    pub(crate) fn add(&self, n: usize) -> bool {
        if n == 0 {
            return true;
        }
        let at_once = !self.is_bounded();
        let fits = self.gate.step(|fields| {
            let fits = fields.room >= n;
            if fits {
                fields.room -= n;
                self.room.acquire();
                if at_once {
                    self.put(fields, n);
                }
            }
            fits
        });
        if fits && !at_once {
            self.gate.step(|fields| self.put(fields, n));
        }
        fits
    }

    /// Returns whether a thread can tell how many permits there may be still.
    const fn is_bounded(&self) -> bool {
        self.limit < MAX_PERMITS
    }

    #[track_caller]
    pub(crate) fn forget(&self, n: usize) {
        self.gate.step(|fields| self.make_room(fields, n));
    }

    /// Takes up to `n` permits away, after those that wait have theirs: the real one has the queue's lock by
    /// then.
    #[track_caller]
    pub(crate) fn forget_free(&self, n: usize) -> usize {
        let at_once = !self.is_bounded();
        let taken = self.gate.step(|fields| {
            self.grant(fields);
            let taken = n.min(fields.permits);
            fields.permits -= taken;
            if at_once {
                self.make_room(fields, taken);
            }
            taken
        });
        if taken > 0 && !at_once {
            self.forget(taken);
        }
        taken
    }

    fn make_room(&self, fields: &mut Fields, n: usize) {
        self.room.release();
        fields.room += n;
    }

    #[track_caller]
    pub(crate) fn has_waiters_now(&self) -> bool {
        self.gate.step(|fields| !fields.queue.is_empty())
    }
}

/// What a selecting thread asks of a semaphore: `n` permits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) semaphore: &'a RawSemaphore,
    pub(crate) n: usize,
}

impl Source for Request<'_> {
    fn node(&self, select: &Select) -> Waiter {
        select.node(std::ptr::null(), std::ptr::null())
    }

    fn enqueue(&self, node: Node<'_>, _: Place) -> Enqueued {
        let Self { semaphore, n } = *self;
        if n > semaphore.limit {
            return Enqueued::Never;
        }
        let (enqueued, put) = semaphore.gate.step(|fields| {
            if RawSemaphore::offers(fields, n) {
                return (Enqueued::Ready, false);
            }
            let put = Turn::is_to_be_put(node, fields.queue.iter().map(|(_, turn)| turn));
            if put {
                semaphore.nodes.release();
                fields.queue.push_back((n, Turn::selecting(node)));
                fields.settling += 1;
            }
            (Enqueued::Queued { first: false }, put)
        });
        if put {
            semaphore.decide();
        }
        enqueued
    }

    fn leave(&self, node: Node<'_>) {
        let left = self.semaphore.gate.step(|fields| {
            self.semaphore.nodes.acquire();
            let before = fields.queue.len();
            fields.queue.retain(|(_, turn)| !turn.is_of(node));
            let left = fields.queue.len() < before;
            fields.settling += usize::from(left);
            left
        });
        if left {
            self.semaphore.decide();
        }
    }

    fn give_back(&self) {
        self.semaphore.release(self.n);
    }
}
