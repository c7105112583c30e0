//! One waiting thread: the node on its stack, and the one transition that ends its wait.
//!
//! | state | meaning | left by |
//! |---|---|---|
//! | `WAITING` | not woken; the thread runs (it spins, or is about to park) | the thread, to `PARKED`; a waker, to an outcome |
//! | `PARKED` | not woken; the thread is in `park`, or about to be, or just back from it | a waker, to an outcome; the holder of its queue's lock, to `AHEAD` |
//! | `AHEAD` | as `PARKED`, but unparked once ahead of its turn, or about to be, to spin for it once more | a waker, to an outcome |
//! | a wake-up | woken; the waker does not touch the node again | none |
//!
//! Invariants:
//!
//! 1. Only a thread that has taken the node out of its list stores an outcome, and it does so once. Being in
//!    a list and being woken exclude each other, and the list changes under its queue's lock only: *taking
//!    the node out is the one transition for which a wake-up and a time-out compete*.
//! 2. The node outlives the store of its outcome, because its thread does not return before it has seen one
//!    or has itself taken the node out. It may not outlive it by one instruction: a waker must have copied
//!    out beforehand whatever it needs afterwards.
//! 3. While a thread waits in one queue it does not change the state of its node after `PARKED`, and others
//!    do so only with the queue's lock or after they have taken the node out. To be unparked ahead of its
//!    turn is a spurious return for the thread; who stores the outcome unparks it in any case.
//!
//! Ordering: the outcome is stored with Release and read with Acquire, so what the waker did before the
//! wake-up is visible to the woken. The node's other fields are written before it is put in a list and
//! published by that queue's lock.
//!
//! Promised upward: a wait returns for an outcome or a deadline, and for nothing else, and leaves the
//! thread's park token as it was or set. Limits: a thread that is woken at its deadline waits for the store
//! of its outcome, which is a few instructions away.

use std::fmt;
use std::ptr::{self, NonNull};

use super::list::{Links, Node};
use super::numbers;
use super::policy::SpinWait;
use super::queue::Queue;
use super::select::Select;
#[cfg(target_pointer_width = "64")]
use crate::facade::ORDINARY_SIZES;
use crate::facade::atomic::{
    AtomicU32,
    Ordering::{Acquire, Relaxed, Release},
};
use crate::facade::{Age, Deadline, Moment, Parker, Unparker, UnsafeCell, reached};
use crate::observe::Parked;

/// What a waker tells the thread it wakes. The meaning is the primitive's own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wakeup(u32);

const WAITING: u32 = 0;
const PARKED: u32 = 1;
const AHEAD: u32 = 5;

impl Wakeup {
    /// What was waited for is there; look again.
    pub(crate) const WOKEN: Self = Self(2);
    /// What was waited for is the woken thread's own: it owes no thread a further look.
    pub(crate) const HANDOFF: Self = Self(3);
    /// As [`WOKEN`](Self::WOKEN), but it is no designated waker: it barges as if it had not waited.
    pub(crate) const BARGE: Self = Self(4);
}

impl fmt::Debug for Wakeup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::WOKEN => "WOKEN",
            Self::HANDOFF => "HANDOFF",
            Self::BARGE => "BARGE",
            _ => "invalid",
        })
    }
}

/// Since when a waiter has been the first of its queue, if it is known to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    since: Option<Moment>,
    /// Whether its thread was woken since, and has come back. What stands before it then leaves it its stamp.
    comes_back: bool,
}

impl Stamp {
    pub(crate) const NONE: Self = Self { since: None, comes_back: false };
}

/// A waiting thread's node. Aligned to a line of the cache, so that it is in no more of them than it must:
/// where it lay as its frame happened to, it could be in one more, and that was a fifth of the rate of short
/// sections on 8 simulated cores. A pointer to it leaves [`Word`](super::word::Word) the four bits that it
/// needs.
#[repr(align(64))]
pub(crate) struct Waiter {
    links: Links<Waiter>,
    state: AtomicU32,
    /// The queue its thread put it in.
    queue: *const Queue,
    /// Whether it has been in that queue ever since. Read and written under that queue's lock only.
    queued: UnsafeCell<bool>,
    /// Read and written under its queue's lock, and by its thread when it is in none.
    stamp: UnsafeCell<Stamp>,
    /// Whether that is long ago, in a model.
    age: Age,
    /// What else its primitive must know of it before it can be woken.
    tag: *const (),
    /// What it and the other nodes of a selecting thread have in common. Null for a thread that waits in one
    /// queue.
    select: *const Select,
    parker: Parker,
}

// Two lines: an ordinary wait is not to cost more for those in several queues.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Waiter>() <= 128 || !ORDINARY_SIZES);

// SAFETY: one field, which nothing but the list uses.
unsafe impl Node for Waiter {
    fn links(&self) -> &Links<Self> {
        &self.links
    }
}

impl Waiter {
    /// Makes a node for the calling thread, in no list.
    pub(crate) fn new(queue: &Queue, tag: *const ()) -> Self {
        Self {
            links: Links::new(),
            state: AtomicU32::new(WAITING),
            queue,
            queued: UnsafeCell::new(true),
            stamp: UnsafeCell::new(Stamp::NONE),
            age: Age::new(),
            tag,
            select: ptr::null(),
            parker: Parker::new(),
        }
    }

    /// Makes one of the nodes of a selecting thread, for `queue`, in no list. It is woken through
    /// `select`.
    pub(super) fn selecting(
        queue: *const Queue,
        tag: *const (),
        select: *const Select,
        parker: Parker,
    ) -> Self {
        Self {
            links: Links::new(),
            state: AtomicU32::new(WAITING),
            queue,
            queued: UnsafeCell::new(false),
            stamp: UnsafeCell::new(Stamp::NONE),
            age: Age::new(),
            tag,
            select,
            parker,
        }
    }

    /// Returns the thread's own, to be shared with [`selecting`](Self::selecting) nodes.
    pub(super) fn parker(&self) -> &Parker {
        &self.parker
    }

    pub(super) fn is_for(&self, queue: &Queue) -> bool {
        ptr::eq(self.queue, queue)
    }

    /// Returns whether its thread waits in this queue alone.
    pub(crate) fn waits_here_alone(&self) -> bool {
        self.select.is_null()
    }

    /// Returns the selecting thread's, or null for a thread that waits in one queue.
    pub(super) fn select(&self) -> *const Select {
        self.select
    }

    /// Lets its thread wait once more. No waker has the node.
    pub(super) fn reset(&self) {
        // Relaxed: published with the claim (select.rearm).
        // proof: waiter.reset
        self.state.store(WAITING, Relaxed);
    }

    /// Returns the same node with the stamp of an earlier one of the same thread.
    pub(crate) fn stamped(self, stamp: Stamp) -> Self {
        Self { stamp: UnsafeCell::new(stamp), ..self }
    }

    /// Returns whether it still is in the queue its thread put it in, whose lock the caller has.
    pub(super) fn is_queued(&self) -> bool {
        // SAFETY: the caller has the queue lock, so no thread writes.
        self.queued.with(|queued| unsafe { *queued })
    }

    /// Notes that it was taken out of `queue`, whose lock the caller has.
    pub(super) fn taken_out_of(&self, queue: &Queue) {
        if ptr::eq(self.queue, queue) {
            // SAFETY: the caller has the lock of its queue, so no other thread reads or writes.
            self.queued.with_mut(|queued| unsafe { *queued = false });
        }
    }

    pub(crate) fn tag(&self) -> *const () {
        self.tag
    }

    /// Stamps it with `now`, unless it has a stamp. The caller has the lock of the queue that it is in.
    pub(super) fn stamp(&self, now: impl FnOnce() -> Moment) {
        // SAFETY: the caller has the queue lock, so no other thread reads or writes.
        self.stamp.with_mut(|stamp| unsafe { &mut *stamp }.since.get_or_insert_with(now));
    }

    /// Returns its stamp. For its own thread while it is in no queue, and for one that has the lock of the
    /// queue that it is in.
    fn present_stamp(&self) -> Stamp {
        // SAFETY: by what is said above, no other thread writes.
        self.stamp.with(|stamp| unsafe { *stamp })
    }

    /// Returns whether it has a stamp. For its own thread, before it is in a queue.
    pub(super) fn is_stamped(&self) -> bool {
        self.present_stamp().since.is_some()
    }

    /// Returns whether it was stamped before `other`. The caller has the lock of the queue that this one is
    /// in, and has the other.
    pub(super) fn was_first_before(&self, other: &Self) -> bool {
        match (self.present_stamp().since, other.present_stamp().since) {
            (Some(own), Some(others)) => !others.since(own).is_zero(),
            _ => false,
        }
    }

    /// Takes its stamp away, which is not the first any more, unless it has come back. The caller has the
    /// lock of the queue that it is in.
    pub(super) fn clear_stamp(&self) {
        // SAFETY: as for `stamp`.
        self.stamp.with_mut(|stamp| match unsafe { &mut *stamp } {
            Stamp { comes_back: true, .. } => {}
            stamp => *stamp = Stamp::NONE,
        });
    }

    /// Notes that it is about to be queued once more, before the others, or as a new one behind them. The
    /// caller has the lock of the queue that it will be in, and it is in none.
    pub(super) fn comes_back(&self, back: bool) {
        // SAFETY: as for `stamp`.
        self.stamp.with_mut(|stamp| match unsafe { &mut *stamp } {
            stamp if back => stamp.comes_back = true,
            stamp => *stamp = Stamp::NONE,
        });
    }

    /// Returns whether it was stamped so long ago that it is not to wait any longer. The caller has the lock
    /// of the queue that it is in.
    pub(super) fn is_starving(&self, now: impl FnOnce() -> Moment) -> bool {
        let since = self.present_stamp().since;
        since.is_some_and(|since| self.age.is_over(since, now(), numbers::STARVING_AFTER.micros()))
    }

    /// Returns the stamp for its thread's next node, if that has to wait once more. For its own thread, when
    /// its wait is over.
    pub(super) fn last_stamp(&self) -> Stamp {
        Stamp { comes_back: true, ..self.present_stamp() }
    }

    /// Lets the time pass in a model, where no clock does.
    pub(super) fn grow_old(&self) {
        self.age.pass();
    }

    /// Notes that it was put into `queue`, whose lock the caller has and out of which it was taken last.
    pub(super) fn put_into(&self, queue: &Queue) {
        if ptr::eq(self.queue, queue) {
            // SAFETY: the caller has the lock of its queue, so no other thread reads or writes.
            self.queued.with_mut(|queued| unsafe { *queued = true });
        }
    }

    /// Blocks until a thread has stored an outcome, or until the deadline. `None` decides nothing: the node
    /// may have been taken out already, see [`LockedQueue::wait`](super::queue::LockedQueue::wait).
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(super) fn wait(&self, deadline: &Deadline, spin: SpinWait) -> Option<Wakeup> {
        if let Some(outcome) = self.spin(deadline, spin) {
            return Some(outcome);
        }
        // Relaxed: tells wakers to unpark, and carries nothing. Relaxed on failure: `outcome` reads it again.
        // proof: waiter.park
        let _ = self.state.compare_exchange(WAITING, PARKED, Relaxed, Relaxed);
        let mut parked = Parked::NONE;
        let mut spins_ahead = true;
        loop {
            match self.outcome() {
                Ok(outcome) => return Some(outcome),
                Err(AHEAD) if spins_ahead => {
                    spins_ahead = false;
                    reached("waiter spins ahead of its turn");
                    if let Some(outcome) = self.spin(deadline, SpinWait::for_answer()) {
                        return Some(outcome);
                    }
                }
                Err(_) => {}
            }
            if deadline.has_passed() {
                return None;
            }
            reached("waiter parks");
            if parked.begin(deadline) {
                // What it has run may have slept and taken the wake-up: another look.
                continue;
            }
            self.parker.park(deadline);
        }
    }

    /// Spins for an outcome, until the deadline at most.
    fn spin(&self, deadline: &Deadline, mut spin: SpinWait) -> Option<Wakeup> {
        // The clock is read each time: where others want the processor, a yield can last longer than any
        // time-out.
        while spin.spin() {
            if let Ok(outcome) = self.outcome() {
                spin.succeeded();
                return Some(outcome);
            }
            if deadline.has_passed() {
                break;
            }
        }
        spin.exhausted();
        None
    }

    /// Returns what unparks its thread ahead of its turn, unless it is awake or was unparked so before. The
    /// caller has the lock of the queue that it is in, and unparks when it has given that back.
    pub(super) fn unpark_ahead(&self) -> Option<Unparker> {
        // Relaxed: a thread that has not parked yet needs no help, and one that has stays so (invariant 3).
        if !self.waits_here_alone() || self.state.load(Relaxed) != PARKED {
            return None;
        }
        reached("waiter unparked ahead of its turn");
        // Relaxed: tells the thread to spin, and carries nothing. No other thread changes it now (invariant
        // 3).
        // proof: waiter.unpark_ahead
        self.state.store(AHEAD, Relaxed);
        Some(self.parker.unparker())
    }

    /// Returns the outcome, or the state if there is none yet.
    fn outcome(&self) -> Result<Wakeup, u32> {
        // Acquire (waiter.outcome): pairs with the store in `wake`.
        // proof: waiter.outcome
        match self.state.load(Acquire) {
            state @ (WAITING | PARKED | AHEAD) => Err(state),
            outcome => Ok(Wakeup(outcome)),
        }
    }

    /// Ends the wait of `waiter`.
    ///
    /// # Safety
    ///
    /// `waiter` is alive and was taken out of its list by the caller, who has not woken it yet (invariant 1),
    /// and, if it is a selecting thread's, has claimed it. The node may be gone when this returns, and
    /// already while it runs (invariant 2), hence a pointer.
    pub(super) unsafe fn wake(waiter: NonNull<Self>, outcome: Wakeup) {
        // SAFETY: alive until an outcome is stored.
        let select = unsafe { waiter.as_ref() }.select;
        let waiter = if select.is_null() {
            waiter
        } else {
            // SAFETY: claimed by the caller, which has not woken it, so the thread and its nodes are still
            // there.
            unsafe { Select::lead(select) }
        };
        // SAFETY: alive until an outcome is stored. The reference is to an atomic, which may end during its
        // call.
        let state = unsafe { &(*waiter.as_ptr()).state };
        // Release (waiter.outcome): hands over what the waker did. Relaxed on failure: the other states
        // are those of a parked thread, and the parker was published with the node.
        // proof: waiter.wake
        if state.compare_exchange(WAITING, outcome.0, Release, Relaxed).is_ok() {
            reached("waiter woken before it parks");
            return;
        }
        // SAFETY: alive, as no outcome is stored yet; copied out because after the store it is not (invariant
        // 2).
        let unparker = unsafe { &(*waiter.as_ptr()).parker }.unparker();
        // Release (waiter.outcome): as above.
        // proof: waiter.wake_parked
        state.store(outcome.0, Release);
        unparker.unpark();
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::{Queue, Waiter};
    use crate::facade::Moment;
    use crate::wait::Place;

    /// Two that were woken at the same time, both in vain, come back in either order, before a third.
    #[test]
    fn woken_in_vain_they_stand_in_their_old_order() {
        let early = Moment::now();
        let mut later = std::iter::repeat_with(Moment::now);
        let late = later.find(|now| !now.since(early).is_zero()).unwrap();
        for first_back in [0, 1] {
            let queue = Queue::new();
            let node = |n| Waiter::new(&queue, ptr::without_provenance(n));
            let mut locked = queue.lock();
            let waiters = [0, 1, 2].map(node);
            for waiter in &waiters {
                // SAFETY: in no list, and alive until all are taken out below.
                unsafe { locked.insert(waiter, Place::Back) };
            }
            for (waiter, now) in waiters.iter().zip([early, late]) {
                waiter.stamp(|| now);
                assert!(locked.pop().is_some());
            }
            locked.stamp_first();
            let again = [0, 1].map(|n| node(n).stamped(waiters[n].last_stamp()));
            for n in [first_back, 1 - first_back] {
                // SAFETY: as above.
                unsafe { locked.insert(&again[n], Place::Front) };
            }
            let order: Vec<_> = locked.waiters().map(|waiter| waiter.tag().addr()).collect();
            assert_eq!(order, [0, 1, 2], "thread {first_back} came back first");
            let stamped = locked.waiters().map(Waiter::is_stamped).collect::<Vec<_>>();
            assert_eq!(stamped, [true, true, false], "thread {first_back} came back first");
            while locked.pop().is_some() {}
            locked.unlock();
        }
    }
}
