//! One thread in the queues of several objects, and the claim by which one of them ends its wait.
//!
//! A selecting thread has a node for each object of its set. The nodes share one [`Select`]: the claim, and
//! the place where the thread sleeps.
//!
//! | claim | meaning | left by |
//! |---|---|---|
//! | `UNCLAIMED` | any of the objects may end the wait | a waker, to its node; the thread, to `OWN` |
//! | the address of a node | the waker that took this node out ends the wait | the thread, once it is awake, to `UNCLAIMED` |
//! | `OWN` | the thread has found an object ready, or its time is up | the thread, if it was beaten, to `UNCLAIMED` |
//!
//! Invariants:
//!
//! 1. The exchange from `UNCLAIMED` is made by one party, and only that party takes or spends anything for
//!    this thread. It is *the one transition for which all wakers and the time-out compete*.
//! 2. A waker reads the claim under the lock of the queue in which it has found the node. The thread takes
//!    each node out of its queue, or finds under that queue's lock that it is out, before it returns; but not
//!    the node that was claimed, of which the outcome says that it is out.
//! 3. A waker that has taken a node out and could not claim it does not touch it again, and goes on to the
//!    next waiter.
//! 4. What a waker that has claimed touches last is the outcome, in the node [`Select::lead`].
//! 5. While the claim is not `UNCLAIMED`, nothing that becomes ready is kept for this thread. So a thread
//!    that makes it `UNCLAIMED` again looks at each object afterwards, under the lock of the queue, and
//!    queues again where its node is out.
//!
//! Ordering: `select.rearm` is Release in the thread that waits once more and Acquire in the claim, so that a
//! waker's outcome comes after the thread has put `lead` back. Otherwise the claim decides and hands nothing
//! over: that is `waiter.outcome`.
//!
//! Promised upward: at most one object is spent; the others' wakers lose nothing by the thread; at each
//! object it stands where a thread that waits for that one alone would stand, also while it tries in vain for
//! another. Limits: the thread takes one queue lock after the other, so leaving is linear in the number of
//! objects.

use std::cell::Cell;
use std::ptr::{self, NonNull};

use super::policy::SpinWait;
use super::queue::{Dequeued, LockedQueue, Place, Queue};
use super::waiter::{Waiter, Wakeup};
use crate::facade::atomic::{
    AtomicPtr,
    Ordering::{Acquire, Relaxed, Release},
};
use crate::facade::{AbortOnUnwind, Data, Deadline, Parker, reached};

const UNCLAIMED: *mut Waiter = ptr::null_mut();
const OWN: *mut Waiter = ptr::without_provenance_mut(1);

/// What the nodes of a selecting thread share.
pub(crate) struct Select {
    /// Compared, and never followed.
    claim: AtomicPtr<Waiter>,
    /// In no queue: its outcome and its parker are those of all nodes.
    lead: Waiter,
    /// In a model: whose `lead` is, so that an order that is missing is a race. The accesses to `lead` are
    /// atomic, and loom never shows an exchange an older value than the last.
    whose: Data<()>,
}

impl Select {
    fn new() -> Self {
        Self {
            claim: AtomicPtr::new(UNCLAIMED),
            lead: Waiter::selecting(ptr::null(), ptr::null(), ptr::null(), Parker::new()),
            whose: Data::new(()),
        }
    }

    /// Makes a node for the queue `home`, with what its object must know of it.
    pub(crate) fn node(&self, home: *const Queue, tag: *const ()) -> Waiter {
        Waiter::selecting(home, tag, self, self.lead.parker().stand_in())
    }

    /// Returns the node in which the outcome is stored.
    ///
    /// # Safety
    ///
    /// `select` is alive.
    pub(super) unsafe fn lead(select: *const Self) -> NonNull<Waiter> {
        // SAFETY: alive, by this function's contract.
        NonNull::from(unsafe { &(*select).lead })
    }

    /// Decides for one party, unless it is decided (invariant 1).
    fn claim(&self, party: *mut Waiter) -> bool {
        // Acquire (select.rearm): the outcome that follows comes after the thread has put `lead` back.
        // Relaxed on failure: the caller does nothing for this thread.
        let claimed = self.claim.compare_exchange(UNCLAIMED, party, Acquire, Relaxed).is_ok();
        if claimed {
            self.whose.read().end();
        }
        claimed
    }

    /// Waits once more (invariant 5). No waker has anything of it.
    fn rearm(&self) {
        self.lead.reset();
        self.whose.write().end();
        // Release (select.rearm): `lead` as it is now.
        self.claim.store(UNCLAIMED, Release);
    }

    fn claimed(&self) -> *mut Waiter {
        // Relaxed: a hint, or read after the outcome, whose waker has made it.
        self.claim.load(Relaxed)
    }
}

/// A node of a selecting thread, for the object to put into its queue. Once put in, it is taken out by
/// [`Source::leave`] before it goes.
#[derive(Clone, Copy)]
pub(crate) struct Node<'a>(&'a Waiter);

crate::facade::spec_only! {
    impl Node<'_> {
        /// For a specification, which has no [`Queue`]: the node as its own list has it.
        pub(crate) fn queued(self) -> Dequeued {
            Dequeued(NonNull::from(self.0))
        }

        pub(crate) fn is(self, other: &Dequeued) -> bool {
            ptr::eq(self.0, other.0.as_ptr())
        }
    }
}

/// What came of [`Source::enqueue`].
pub(crate) enum Enqueued {
    /// It is in the queue, perhaps as `first` and alone.
    Queued { first: bool },
    /// There may be something to take, so it was not put in.
    Ready,
    /// There will never be anything for it.
    Never,
}

/// An object of a set, as a selecting thread deals with it. None of the caller's code runs in here; in
/// [`Sources::attempt`] the comparison of two items may.
pub(crate) trait Source {
    /// Makes a node for its queue.
    fn node(&self, select: &Select) -> Waiter;

    /// Puts `node` into its queue, by the same step that finds nothing to take. Leaves it there if it is
    /// there.
    fn enqueue(&self, node: Node<'_>, place: Place) -> Enqueued;

    /// Takes `node` out of its queue if it is there. Ends a section under that queue's lock in any case.
    fn leave(&self, node: Node<'_>);

    /// For a thread that was notified and does not queue again.
    fn hand_on(&self) {}

    /// Returns how long to spin before the first wait.
    fn spin(&self) -> Option<SpinWait> {
        None
    }
}

/// The objects of a wait, by number.
pub(crate) trait Sources {
    fn len(&self) -> usize;

    fn source(&self, place: usize) -> &dyn Source;

    /// Takes what there is of one of them. If it was `handed` to this thread, there is.
    fn attempt(&mut self, place: usize, handed: bool) -> bool;

    /// Takes what there is of the first that has something, beginning with number `start`.
    fn attempt_all(&mut self, start: usize) -> bool;
}

/// One object's branch of the wait: the node in that object's queue, and what the waiting thread remembers of
/// the object.
pub(crate) struct Branch {
    waiter: Waiter,
    /// Whether it was notified and has not queued again since.
    notified: Cell<bool>,
    /// Where it queues: behind all others, or before them once it was notified in vain.
    place: Cell<Place>,
}

fn order(start: usize, len: usize) -> impl Iterator<Item = usize> {
    (start..len).chain(0..start)
}

/// Blocks until it has taken what there is of one of the objects, or until the deadline. `branches` has room
/// for all of them.
#[cold]
#[cfg_attr(any(feature = "diagnose", loom), track_caller)]
pub(crate) fn wait_any(
    sources: &mut dyn Sources,
    branches: &mut [Option<Branch>],
    start: usize,
    deadline: &Deadline,
) -> bool {
    let len = sources.len();
    if deadline.has_passed() {
        return false;
    }
    if let Some(mut spin) = order(start, len).find_map(|place| sources.source(place).spin()) {
        while spin.spin() {
            if sources.attempt_all(start) {
                spin.succeeded();
                return true;
            }
            if deadline.has_passed() {
                return false;
            }
        }
        spin.exhausted();
    }
    let select = Select::new();
    for (place, branch) in branches.iter_mut().take(len).enumerate() {
        let waiter = sources.source(place).node(&select);
        *branch = Some(Branch { waiter, notified: Cell::new(false), place: Cell::new(Place::Back) });
    }
    // Shared from here on: wakers reach the nodes.
    let mut wait = Wait { select: &select, sources, branches, start };
    let (taken, out) = wait.run(deadline);
    wait.leave(out);
    // The time is up, and no object had this thread any more. What has become ready is still there.
    taken || sources.attempt_all(start)
}

/// A thread that queues at its objects.
struct Wait<'a> {
    select: &'a Select,
    sources: &'a mut dyn Sources,
    branches: &'a [Option<Branch>],
    start: usize,
}

/// Which object to attempt.
struct Turn {
    place: usize,
    handed: bool,
    /// The node of that object is out of its queue for sure.
    out: bool,
}

impl Wait<'_> {
    /// Queues everywhere and waits. Returns whether it has taken something, and which node is out for sure.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn run(&mut self, deadline: &Deadline) -> (bool, Option<usize>) {
        loop {
            // The nodes are reached from elsewhere: they must not be left by a panic of `park`.
            let abort = AbortOnUnwind;
            let turn = self.next_turn(deadline);
            abort.disarm();
            let Some(Turn { place, handed, out }) = turn else { return (false, None) };
            let out = out.then_some(place);
            if self.attempt(place, handed, out) {
                return (true, out);
            }
            if deadline.has_passed() {
                return (false, None);
            }
            self.select.rearm();
        }
    }

    /// Queues everywhere and waits, until this thread is claimed, or has claimed itself for an object that it
    /// has found ready. `None` at the deadline.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn next_turn(&self, deadline: &Deadline) -> Option<Turn> {
        let mut first = false;
        let mut ready = None;
        for place in order(self.start, self.sources.len()) {
            let Some(branch) = &self.branches[place] else { unreachable!("each object has a branch") };
            if self.select.claimed() != UNCLAIMED {
                reached!("claimed before it has queued everywhere");
                break;
            }
            match self.sources.source(place).enqueue(Node(&branch.waiter), branch.place.get()) {
                Enqueued::Queued { first: alone } => {
                    first |= alone;
                    branch.notified.set(false);
                }
                Enqueued::Never => {}
                Enqueued::Ready => {
                    ready = Some(place);
                    break;
                }
            }
        }
        if let Some(place) = ready.filter(|_| self.select.claim(OWN)) {
            reached!("found ready while queueing");
            return Some(Turn { place, handed: false, out: false });
        }
        let lead = &self.select.lead;
        let spin = if first { SpinWait::for_answer() } else { SpinWait::NONE };
        let mut outcome = lead.wait(deadline, spin);
        if outcome.is_none() && !self.select.claim(OWN) {
            reached!("claimed at its deadline");
            outcome = lead.wait(&Deadline::NEVER, SpinWait::NONE);
        }
        if outcome.is_none() {
            reached!("claims itself at its deadline");
        }
        let outcome = outcome?;
        let claimed = self.select.claimed();
        let is_claimed = |branch: &Option<Branch>| {
            branch.as_ref().is_some_and(|branch| ptr::eq(&raw const branch.waiter, claimed))
        };
        let Some(place) = self.branches.iter().position(is_claimed) else {
            unreachable!("claimed by one of the nodes")
        };
        let handed = outcome == Wakeup::HANDOFF;
        if let (false, Some(branch)) = (handed, &self.branches[place]) {
            branch.notified.set(true);
            branch.place.set(Place::Front);
        }
        Some(Turn { place, handed, out: true })
    }

    /// Attempts to take what there is of an object. If the caller's code panics in there, as the comparison
    /// of two items may, the thread leaves all queues first: no waker is about to touch a node, because this
    /// thread has claimed itself or has the outcome.
    fn attempt(&mut self, place: usize, handed: bool, out: Option<usize>) -> bool {
        struct LeaveOnUnwind<'a, 'b>(&'a mut Wait<'b>, Option<usize>);

        impl Drop for LeaveOnUnwind<'_, '_> {
            fn drop(&mut self) {
                self.0.leave(self.1);
            }
        }

        let guard = LeaveOnUnwind(self, out);
        let taken = guard.0.sources.attempt(place, handed);
        std::mem::forget(guard);
        if !taken && out.is_some() {
            reached!("notified in vain");
        }
        taken
    }

    /// Takes each node out of its queue but the one that is `out` (invariant 2), and hands on what this
    /// thread was notified of.
    fn leave(&self, out: Option<usize>) {
        let abort = AbortOnUnwind;
        let branches = || self.branches.iter().flatten().enumerate();
        for (place, branch) in branches() {
            if out != Some(place) {
                self.sources.source(place).leave(Node(&branch.waiter));
            }
        }
        abort.disarm();
        for (place, branch) in branches() {
            if branch.notified.get() {
                self.sources.source(place).hand_on();
            }
        }
    }
}

impl LockedQueue<'_> {
    /// Puts a selecting thread's node in, unless it is there. Returns whether it is the first and only one.
    pub(crate) fn put(&mut self, node: Node<'_>, place: Place) -> bool {
        let waiter = node.0;
        debug_assert!(waiter.is_for(self.queue));
        if waiter.is_queued() {
            return false;
        }
        let alone = !self.has_waiters();
        // For the thread that takes the queue lock: see `Word::head`.
        let _ = (&raw const *waiter).expose_provenance();
        match place {
            Place::Front => {
                self.clear_stamp_of_first();
                // SAFETY: in no list; in place and alive until it is out of this queue (invariant 2).
                unsafe { self.list.push_front(waiter) };
            }
            // SAFETY: as above.
            Place::Back => unsafe { self.list.push_back(waiter) },
        }
        waiter.put_into(self.queue);
        alone
    }

    /// Takes out the first waiter if it is `wanted`, and claims its thread. A node whose thread cannot be
    /// claimed any more is taken out and left alone (invariant 3), and then the next is the first.
    pub(crate) fn claim_first(&mut self, wanted: impl Fn(&Waiter) -> bool) -> Option<Dequeued> {
        loop {
            if !wanted(self.waiters().next()?) {
                return None;
            }
            let first = self.pop()?;
            if first.claim() {
                return Some(first);
            }
            reached!("claimed by another");
        }
    }
}

impl Queue {
    /// Takes a selecting thread's node out if it is here. `end` ends the section under the queue lock.
    pub(crate) fn leave(&self, node: Node<'_>, end: impl FnOnce(LockedQueue<'_>)) {
        debug_assert!(node.0.is_for(self));
        let mut locked = self.lock();
        if locked.remove(node.0) {
            node.0.taken_out_of(self);
        }
        end(locked);
    }
}

impl Dequeued {
    /// Returns whether its thread is the caller's to wake: one that waits in this queue alone is, a selecting
    /// one if no other party has claimed it.
    #[inline]
    pub(crate) fn claim(&self) -> bool {
        // SAFETY: alive: its queue's lock is held, or what it has in its place (invariant 2), and it is not
        // woken.
        let select = unsafe { self.0.as_ref() }.select();
        // SAFETY: null, or alive as its nodes.
        unsafe { select.as_ref() }.is_none_or(|select| select.claim(self.0.as_ptr()))
    }
}
