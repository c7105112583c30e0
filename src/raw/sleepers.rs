//! The threads of one side of a queue that sleep until the other side has something for them: a [`Queue`] and
//! nothing else.
//!
//! Whether any thread sleeps here is known to the owner by a bit of its own, which a sleeper sets by the same
//! step that finds nothing for it (`announce`), and which the thread that ends that state clears. So the
//! owner comes here only if it owes a wake-up: one for each time that the bit was set. While that wake-up is
//! under way a thread that comes and finds nothing sets the bit again, and then a second may be under way at
//! the same time; both find the queue in order, and one that finds it empty ends there.
//!
//! Invariants:
//!
//! 1. While the queue is not empty the owner's bit is set, or a wake-up is under way: a thread has cleared
//!    the bit and is about to call [`wake_one`](RawSleepers::wake_one), or a woken thread has not called
//!    [`hand_on`](RawSleepers::hand_on) yet, nor gone to sleep again. But for nodes of selecting threads that
//!    do not sleep: they leave the queue, or announce themselves before they sleep.
//! 2. `announce` is called with the queue lock held. A waker that has cleared the bit takes the queue lock
//!    afterwards, so it finds the thread that has set it.
//!
//! A node of a thread that waits for several objects goes into the same queue by the same steps. While that
//! thread tries elsewhere a wake-up passes it by: it comes here and looks when it has tried in vain.

use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::facade::{Advice, Deadline, Releasing, const_fn, reached};
use crate::wait::select::{Enqueued, Node, Select};
use crate::wait::{Adaptive, LockedQueue, Place, Queue, SpinWait, Waiter, Wakeup};

pub(crate) struct RawSleepers {
    queue: Queue,
    /// [`Eager`] about spinning before the first yield.
    eager: Advice,
}

/// No caller's code runs between two steps of a call.
impl UnwindSafe for RawSleepers {}
impl RefUnwindSafe for RawSleepers {}

/// One wait in which spinning was of use outweighs two in vain.
type Eager = Adaptive<2, 1, 8, 8>;

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

impl RawSleepers {
    const_fn! {
        pub(crate) fn new() -> Self {
            Self { queue: Queue::new(), eager: Advice::new(0) }
        }
    }

    /// Sleeps if `announce` agrees, until it is woken or the deadline passes. Before it sleeps it runs
    /// `unlock`, of an owner that announces with a lock held. A thread `again` here, because others took what
    /// it was woken for, stands before all others.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn sleep(
        &self,
        again: bool,
        announce: impl FnOnce() -> bool,
        unlock: impl FnOnce(),
        deadline: &Deadline,
    ) -> Slept {
        let waiter = Waiter::new(&self.queue, std::ptr::null());
        let locked = self.queue.lock();
        if !announce() {
            locked.unlock();
            unlock();
            return Slept::Not;
        }
        let publish = |locked: LockedQueue<'_>| {
            locked.unlock();
            unlock();
        };
        let place = if again { Place::Front } else { Place::Back };
        reached!("sleeper announced");
        match locked.wait(waiter, place, publish, deadline, SpinWait::NONE, LockedQueue::unlock) {
            Some(_) => Slept::Woken,
            None => Slept::TimedOut,
        }
    }

    /// Makes a node for a thread that waits for several objects.
    pub(crate) fn node(&self, select: &Select) -> Waiter {
        select.node(&self.queue, std::ptr::null())
    }

    /// [`sleep`](Self::sleep) up to the point where the thread sleeps.
    pub(crate) fn enqueue(&self, node: Node<'_>, place: Place, announce: impl FnOnce() -> bool) -> Enqueued {
        let mut locked = self.queue.lock();
        let announced = announce();
        if announced {
            reached!("selecting sleeper announced");
            locked.put(node, place);
        }
        locked.unlock();
        if announced { Enqueued::Queued { first: false } } else { Enqueued::Ready }
    }

    pub(crate) fn leave(&self, node: Node<'_>) {
        self.queue.leave(node, |locked| locked.unlock());
    }

    /// Returns how long a thread spins that waits for several objects.
    pub(crate) fn spin_wait(&self, places: usize) -> SpinWait {
        SpinWait::for_other_side(places, Eager::wants(&self.eager))
    }

    /// Wakes the one that has slept longest.
    #[cold]
    pub(crate) fn wake_one(&self) {
        let _releasing = Releasing::begin();
        if self.wake(1) {
            reached!("sleeper woken");
        }
    }

    /// Wakes all.
    #[cold]
    pub(crate) fn wake_all(&self) {
        let _releasing = Releasing::begin();
        if self.wake(usize::MAX) {
            reached!("sleeper woken by closing");
        }
    }

    /// Wakes the first `n`, and returns whether there was one.
    fn wake(&self, n: usize) -> bool {
        let mut locked = self.queue.lock_sleepless();
        let woken = locked.notify(n);
        locked.unlock();
        let any = woken.tag().is_some();
        woken.wake_all(Wakeup::WOKEN);
        any
    }

    /// For a thread that was woken and does not sleep again: sees to it that the next comes, now if
    /// `announce` says that there is something for it.
    pub(crate) fn hand_on(&self, announce: impl FnOnce() -> bool) {
        // The thread that comes into the queue meanwhile has announced itself.
        if self.queue.load().has_waiters() && !announce() {
            reached!("wake-up handed on");
            self.wake_one();
        }
    }

    /// Before a thread sleeps: looks again for a while, with pauses in which a batch comes together in so
    /// many `places`.
    pub(crate) fn spin<R>(
        &self,
        places: usize,
        deadline: &Deadline,
        mut look: impl FnMut(bool) -> Option<R>,
    ) -> Option<R> {
        let eager = Eager::wants(&self.eager);
        let mut spin = SpinWait::for_other_side(places, eager);
        let mut spun = eager;
        while spin.spin() {
            let yielding = spin.is_yielding();
            if yielding && spun {
                spun = false;
                Eager::learn(&self.eager, false);
            }
            if let Some(found) = look(yielding) {
                spin.succeeded();
                if spun {
                    Eager::learn(&self.eager, true);
                }
                return Some(found);
            }
            if deadline.has_passed() {
                return None;
            }
        }
        spin.exhausted();
        None
    }
}
