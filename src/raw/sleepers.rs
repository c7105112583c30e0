//! The threads of one side of a queue that sleep until the other side has something for them: a [`Queue`] and
//! nothing else.
//!
//! Whether any thread sleeps here is known to the owner by a bit of its own, which a sleeper sets by the same
//! step that finds nothing for it (`announce`), and which the thread that ends that state clears. So the
//! owner comes here only if it owes a wake-up: one for each time that the bit was set. While that wake-up is
//! under way a thread that comes and finds nothing sets the bit again, and then a second may be under way at
//! the same time; both find the queue in order, and one that finds it empty ends there.
//!
//! Threads that are awake may take what a sleeper was woken for before it has come. So if the first sleeper
//! [is starving](LockedQueue::is_starving) the owner *keeps* one for it: of what there is, or of what comes
//! next, the others leave one. As soon as there is something that sleeper is handed its turn. Two bits of the
//! queue's word, of which one is set at most, say so:
//!
//! | bit | meaning | left by |
//! |---|---|---|
//! | none | nothing is kept | a waker that finds the first starving, to either of the next two |
//! | `KEPT` | there is nothing, and one of what comes next is kept | the waker that this owes, to any of the others |
//! | `HANDED` | one is kept for the thread that was handed its turn, until that has taken it | that thread, to any of the three |
//!
//! Invariants:
//!
//! 1. While the queue is not empty the owner's bit is set, or a wake-up is under way: a thread has cleared
//!    the bit and is about to call [`wake_one`](RawSleepers::wake_one), or a woken thread has not handed on
//!    yet, nor gone to sleep again; or `HANDED` is set. But for nodes of selecting threads that do not sleep:
//!    they leave the queue, or announce themselves before they sleep.
//! 2. A thread that goes to sleep calls `announce` with the queue lock held. A waker that has cleared the bit
//!    takes the queue lock afterwards, so it finds the thread that has set it. A thread that hands on calls
//!    it for those that sleep already, and needs no lock.
//! 3. While `KEPT` is set the owner's bit is set, or a thread has cleared it and will [hand
//!    off](RawSleepers::hand_off). So nothing is kept for longer than there is nothing, also if the sleeper
//!    for which it was kept has left; and one that leaves at its deadline hands off itself.
//! 4. While `HANDED` is set no thread is woken but by closing. The thread that was handed its turn hands off
//!    when it is over.
//! 5. The owner begins and ends to keep one with the queue lock held, and chooses the next sleeper there; or
//!    the thread that was handed its turn ends it when it takes what was kept, and hands off afterwards. So a
//!    thread that finds under the queue lock that all there is is kept may sleep without the owner's bit.
//!
//! A node of a thread that waits for several objects goes into the same queue by the same steps. While that
//! thread tries elsewhere a wake-up passes it by: it comes here and looks when it has tried in vain. It is
//! never handed a turn, which it could not take while it tries elsewhere, and nothing is kept while it is the
//! first.
//!
//! Ordering: none of its own. The queue lock orders sections with one another, and the owner's word orders
//! what there is with the bit that asks for a wake-up.
//!
//! Promised upward: first in, first out among those that sleep; no wake-up lost, and one thread woken at a
//! time; a starving sleeper is handed its turn.
//!
//! Limits: threads that are awake take what a sleeper was woken for, until it starves. A releasing call waits
//! for the queue lock, spinning and yielding.

use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::facade::{Advice, Deadline, Releasing, const_fn, reached};
use crate::wait::numbers::SideSpins;
use crate::wait::select::{Enqueued, Node, Select};
use crate::wait::{LockedQueue, Place, Queue, SpinWait, Stamp, Waiter, WakeList, Wakeup, Woken, Word};

const KEPT: usize = Word::bit(0);
const HANDED: usize = Word::bit(1);

pub(crate) struct RawSleepers {
    queue: Queue,
    /// [`SideSpins`] about spinning before the first yield.
    eager: Advice,
}

/// No caller's code runs between two steps of a call.
impl UnwindSafe for RawSleepers {}
impl RefUnwindSafe for RawSleepers {}

/// How a sleep went.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Slept {
    /// Not at all: there is something.
    Not,
    /// Until it was woken: it hands on when it has looked. With the stamp of its wait, for the next.
    Woken(Stamp),
    /// Until it was handed its turn: there is something for it, unless the owner has been closed. It
    /// [hands off](RawSleepers::hand_off) when its turn is over.
    Handed,
    /// Until the deadline.
    TimedOut,
}

/// What the sleepers need of their owner. Called with the queue lock held, so it does not wait.
pub(crate) trait Owner {
    /// Asks for a wake-up when there is something. False if there is, be it kept or not, or if it is closed.
    fn announce(&mut self) -> bool;

    /// Reserves one item or place, of those that are there or the next to come, for the thread that is handed
    /// its turn; or ends the reservation.
    fn keep(&mut self, kept: bool);
}

/// The reason for choosing the next sleeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A wake-up is owed.
    WakeUp,
    /// The turn that the calling thread was handed is over.
    Turn,
}

/// Ends a section under the queue lock that leaves `KEPT` and `HANDED` as they are.
fn unlock(locked: LockedQueue<'_>) {
    locked.stamp_first();
    locked.unlock();
}

/// Returns whether the first is to be handed its turn.
fn first_is_starving(locked: &LockedQueue<'_>) -> bool {
    locked.waiters().next().is_some_and(|first| first.waits_here_alone() && locked.is_starving(first))
}

impl RawSleepers {
    const_fn! {
        pub(crate) fn new() -> Self {
            Self { queue: Queue::new(), eager: Advice::new(0) }
        }
    }

    /// Calls `sleeps`, which announces this thread or finds that all there is is kept. If it returns true,
    /// blocks until the thread is woken or the deadline passes. Before it sleeps it runs `end`, of an owner
    /// that asks with a lock held. A thread that slept here before, and found that others had taken what it
    /// was woken for, stands before all others, with its stamp `again`.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn sleep(
        &self,
        again: Option<Stamp>,
        sleeps: impl FnOnce() -> bool,
        end: impl FnOnce(),
        deadline: &Deadline,
    ) -> Slept {
        let waiter = Waiter::new(&self.queue, std::ptr::null()).stamped(again.unwrap_or(Stamp::NONE));
        let locked = self.queue.lock();
        if !sleeps() {
            locked.unlock();
            end();
            return Slept::Not;
        }
        let publish = |locked: LockedQueue<'_>| {
            unlock(locked);
            end();
        };
        let place = if again.is_some() { Place::Front } else { Place::Back };
        reached("sleeper announced");
        if again.is_some() {
            reached("sleeper woken in vain");
        }
        match locked.wait(waiter, place, publish, deadline, SpinWait::NONE, unlock) {
            Some(Woken { outcome: Wakeup::HANDOFF, .. }) => Slept::Handed,
            Some(woken) => Slept::Woken(woken.stamp),
            None => Slept::TimedOut,
        }
    }

    /// Makes a node for a thread that waits for several objects.
    pub(crate) fn node(&self, select: &Select) -> Waiter {
        select.node(&self.queue, std::ptr::null())
    }

    /// Does what [`sleep`](Self::sleep) does up to the point where the thread sleeps.
    pub(crate) fn enqueue(&self, node: Node<'_>, place: Place, sleeps: impl FnOnce() -> bool) -> Enqueued {
        let mut locked = self.queue.lock();
        let sleeps = sleeps();
        if sleeps {
            reached("selecting sleeper announced");
            locked.put(node, place);
        }
        unlock(locked);
        if sleeps { Enqueued::Queued { first: false } } else { Enqueued::Ready }
    }

    pub(crate) fn leave(&self, node: Node<'_>) {
        self.queue.leave(node, unlock);
    }

    /// Returns how long a thread spins that waits for several objects.
    pub(crate) fn spin_wait(&self, places: usize) -> SpinWait {
        SpinWait::for_other_side(places, SideSpins::is_on(&self.eager))
    }

    /// Returns whether a thread sleeps: a hint.
    pub(crate) fn has_waiters(&self) -> bool {
        self.queue.load().has_waiters()
    }

    /// Returns whether one is kept, of what comes next: a hint.
    pub(crate) fn keeps(&self) -> bool {
        self.queue.load().has(KEPT)
    }

    /// Wakes the one that has slept longest. False if that one is starving, or something is kept: then the
    /// caller [hands off](Self::hand_off).
    #[cold]
    pub(crate) fn wake_one(&self) -> bool {
        let _releasing = Releasing::begin();
        let mut locked = self.queue.lock_sleepless();
        let word = locked.word();
        if word.has(HANDED) {
            reached("wake-up left to the thread that was handed its turn");
            locked.unlock();
            return true;
        }
        if word.has(KEPT) || first_is_starving(&locked) {
            locked.unlock();
            return false;
        }
        let woken = locked.notify(1);
        unlock(locked);
        if woken.tag().is_some() {
            reached("sleeper woken");
        }
        woken.wake_all(Wakeup::WOKEN);
        true
    }

    /// Decides who goes on, and hands the first its turn if it is starving.
    #[cold]
    pub(crate) fn hand_off(&self, reason: Reason, owner: &mut impl Owner) -> HandOff {
        let releasing = Releasing::begin();
        let mut locked = self.queue.lock_sleepless();
        let word = locked.word();
        if reason == Reason::WakeUp && word.has(HANDED) {
            reached("hand-off left to the thread that was handed its turn");
            locked.unlock();
            return HandOff { woken: WakeList::NONE, outcome: Wakeup::WOKEN };
        }
        let keeps = first_is_starving(&locked);
        if keeps || word.has(KEPT | HANDED) {
            owner.keep(keeps);
        }
        // From here on what there is stays, if it is kept. If there is nothing the thread that brings
        // something owes a wake-up, and finds it kept.
        let goes = locked.has_waiters() && !owner.announce();
        let woken = if goes { locked.notify(1) } else { WakeList::NONE };
        let (bits, outcome) = match (keeps, goes) {
            (true, true) => {
                reached("sleeper handed its turn");
                (HANDED, Wakeup::HANDOFF)
            }
            (true, false) => {
                reached("kept until there is something");
                (KEPT, Wakeup::WOKEN)
            }
            (false, _) => {
                if word.has(KEPT) {
                    reached("kept for a sleeper that has left");
                }
                (0, Wakeup::WOKEN)
            }
        };
        locked.stamp_first();
        locked.unlock_as(|word, _| word.without(KEPT | HANDED).with(bits));
        drop(releasing);
        HandOff { woken, outcome }
    }

    /// Wakes all. The owner is closed: what is kept is nothing to it.
    #[cold]
    pub(crate) fn wake_all(&self) {
        let _releasing = Releasing::begin();
        let mut locked = self.queue.lock_sleepless();
        let woken = locked.notify(usize::MAX);
        unlock(locked);
        if woken.tag().is_some() {
            reached("sleeper woken by closing");
        }
        woken.wake_all(Wakeup::WOKEN);
    }

    /// Looks again for a while before a thread sleeps, with pauses in which a batch comes together in so many
    /// `places`.
    pub(crate) fn spin<R>(
        &self,
        places: usize,
        deadline: &Deadline,
        mut look: impl FnMut(bool) -> Option<R>,
    ) -> Option<R> {
        let eager = SideSpins::is_on(&self.eager);
        let mut spin = SpinWait::for_other_side(places, eager);
        let mut spun = eager;
        while spin.spin() {
            let yielding = spin.is_yielding();
            if yielding && spun {
                spun = false;
                SideSpins::learn(&self.eager, false);
            }
            if let Some(found) = look(yielding) {
                spin.succeeded();
                if spun {
                    SideSpins::learn(&self.eager, true);
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

/// A thread that goes on, if there is one.
#[must_use = "it is out of the queue, and not woken"]
pub(crate) struct HandOff {
    woken: WakeList,
    outcome: Wakeup,
}

impl HandOff {
    pub(crate) fn wake(self) {
        self.woken.wake_all(self.outcome);
    }
}
