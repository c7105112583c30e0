//! One thread in the queues of several objects, and the claim by which one of them ends its wait.
//!
//! A selecting thread has a node for each object of its set. The nodes share one [`Select`]: the claim, and
//! the place where the thread sleeps.
//!
//! | claim | meaning | left by |
//! |---|---|---|
//! | `UNCLAIMED` | any of the objects may end the wait | a waker, to its node, with TRYING if it has nothing to hand over; the thread, to `OWN`, with TRYING if it has found an object ready |
//! | a node or `OWN`, with TRYING | the thread was notified, or has found an object ready. It tries, or is about to be awake and try | a waker that hands something over, to its node; the thread, to `UNCLAIMED` if it was beaten, to `OWN` if it was not or its time is up |
//! | the address of a node | what is handed out at this node's object is the thread's: it takes that, or gives it back if it has taken something else | none |
//! | `OWN` | the thread has taken something, or its time is up | none |
//!
//! Invariants:
//!
//! 1. The exchange from `UNCLAIMED` is made by one party, and so is the one by which a waker hands something
//!    over. Nothing is spent on this thread but by the latter, and by the thread itself while it tries; if
//!    both come together the thread gives back what it was handed.
//! 2. A waker reads the claim under the lock of the queue in which it has found the node. The thread takes
//!    each node out of its queue, or finds under that queue's lock that it is out, before it returns; but not
//!    the node whose outcome already says that it was taken out.
//! 3. A waker wakes the thread if it has made the exchange from `UNCLAIMED`. Otherwise it does not touch the
//!    node after its last look at the claim.
//! 4. What a waker that wakes the thread touches last is the outcome, in the node [`Select::lead`].
//! 5. A node is put into its queue only if the claim is `UNCLAIMED` under that queue's lock. So a node that
//!    a waker has taken out for a wake-up stays out until the thread is awake.
//! 6. A thread that tries is notified of nothing: the notification is for the next waiter, and the node stays
//!    where it is. So a thread that makes the claim `UNCLAIMED` again looks at each object afterwards, under
//!    the lock of the queue, and queues again where its node is out: at the object where it was notified in
//!    vain, before all others.
//!
//! Ordering: `select.rearm` is Release in the thread that waits once more and Acquire in the claim, so that a
//! waker's outcome comes after the thread has put `lead` back. Otherwise the claim decides and hands nothing
//! over: that is `waiter.outcome`, and for what is handed to a thread that tries the lock of that queue,
//! which the thread takes afterwards (invariant 2).
//!
//! A thread whose set is one object has nothing to claim: it waits as one does that is in no set, where the
//! object has such a wait ([`Source::wait_alone`]).
//!
//! Promised upward: at most one object is spent when the call is over, the others' wakers lose nothing by the
//! thread, and at each object it stands where a thread that waits for that one alone would stand. What is
//! handed over at an object, a permit or a signal, reaches it also while it tries in vain for another.
//! Limits: a notification does not: it goes to the next waiter. The thread takes one queue lock after the
//! other, so leaving is linear in the number of objects.

use std::cell::Cell;
use std::ptr::{self, NonNull};

use super::policy::SpinWait;
use super::queue::{Dequeued, LockedQueue, Place, Queue, WakeList};
use super::waiter::{Waiter, Wakeup};
use crate::facade::atomic::AtomicPtr;
use crate::facade::atomic::Ordering::{self, Acquire, Relaxed, Release};
use crate::facade::{AbortOnUnwind, Data, Deadline, Parker, reached};

const UNCLAIMED: *mut Waiter = ptr::null_mut();
const OWN: *mut Waiter = ptr::without_provenance_mut(1);
/// Beside a node or `OWN`.
const TRYING: usize = 2;

const _: () = assert!(align_of::<Waiter>() > TRYING | 1);

fn trying(party: *mut Waiter) -> *mut Waiter {
    party.map_addr(|addr| addr | TRYING)
}

fn is_trying(claim: *mut Waiter) -> bool {
    claim.addr() & TRYING != 0
}

/// What a waker that has something to hand over may do with a node.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handing {
    /// Wake its thread, which then has it.
    Wake,
    /// Nothing: the thread has it, and finds that out when it has tried elsewhere.
    Kept,
    /// Nothing: its wait is over.
    Lost,
}

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

    /// Makes a node for `queue`, with what its object must know of it.
    pub(crate) fn node(&self, queue: *const Queue, tag: *const ()) -> Waiter {
        Waiter::selecting(queue, tag, self, self.lead.parker().stand_in())
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

    /// Decides for one party (invariant 1), unless it is decided: then returns how.
    fn claim(&self, party: *mut Waiter) -> Result<(), *mut Waiter> {
        // Acquire (select.rearm): the outcome that follows comes after the thread has put `lead` back.
        // Relaxed on failure: the caller does nothing for this thread, or exchanges again.
        // proof: select.claim
        self.claim.compare_exchange(UNCLAIMED, party, Acquire, Relaxed)?;
        self.whose.read().end();
        Ok(())
    }

    /// Hands over what there is at the object of `node`, if the thread can still have it.
    fn hand(&self, node: *mut Waiter) -> Handing {
        loop {
            let Err(claim) = self.claim(node) else { return Handing::Wake };
            if !is_trying(claim) {
                reached("claimed by another");
                return Handing::Lost;
            }
            // Relaxed: the thread takes the lock of this node's queue afterwards, which the caller has, and
            // receives with it what the caller did. Relaxed on failure: tried again.
            if self.claim.compare_exchange(claim, node, Relaxed, Relaxed).is_ok() {
                reached("handed to a thread that tries");
                return Handing::Kept;
            }
        }
    }

    /// Waits once more (invariant 6), for a thread that has tried in vain. Returns the node of an object at
    /// which it was handed something meanwhile, and does not wait then.
    fn rearm(&self) -> Option<*mut Waiter> {
        self.lead.reset();
        self.whose.write().end();
        // Release (select.rearm): `lead` as it is now.
        // proof: select.rearm
        self.stop_trying(UNCLAIMED, Release)
    }

    /// Ends the wait of a thread that has tried. Returns as [`rearm`](Self::rearm).
    fn end(&self) -> Option<*mut Waiter> {
        // Relaxed: no waker has anything of it any more.
        self.stop_trying(OWN, Relaxed)
    }

    fn stop_trying(&self, next: *mut Waiter, success: Ordering) -> Option<*mut Waiter> {
        let claim = self.claimed();
        if !is_trying(claim) {
            return Some(claim);
        }
        // Ordering named by the caller. Relaxed on failure: as in `hand`.
        self.claim.compare_exchange(claim, next, success, Relaxed).err()
    }

    fn claimed(&self) -> *mut Waiter {
        // Relaxed: a hint; or read after the outcome, whose waker has made it; or the thread's own, which may
        // have changed as in `hand`.
        self.claim.load(Relaxed)
    }
}

/// A node of a selecting thread, for the object to put into its queue. Once put in, it is taken out by
/// [`Source::leave`] before it goes.
#[derive(Clone, Copy)]
pub(crate) struct Node<'a>(&'a Waiter);

crate::facade::only! { spec:
    impl Node<'_> {
        /// Returns the node as the list of a specification has it, which has no [`Queue`].
        pub(crate) fn queued(self) -> Dequeued {
            Dequeued(NonNull::from(self.0))
        }

        pub(crate) fn is(self, other: &Dequeued) -> bool {
            ptr::eq(self.0, other.0.as_ptr())
        }

        /// Returns what [`Waiter::is_claimed`] does.
        pub(crate) fn is_claimed(self) -> bool {
            self.0.is_claimed()
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
    /// there, and out if its thread has been claimed.
    fn enqueue(&self, node: Node<'_>, place: Place) -> Enqueued;

    /// Takes `node` out of its queue if it is there. Ends a section under that queue's lock in any case.
    fn leave(&self, node: Node<'_>);

    /// Hands on what there was for a thread that was notified and does not queue again.
    fn hand_on(&self) {}

    /// Gives back what a thread was handed that has taken something else.
    fn give_back(&self) {}

    /// Waits for this object alone, as a thread does that is in no set and has tried in vain. Returns whether
    /// it has what there was before the deadline. `None`, and has done nothing, where such a wait would run
    /// the caller's code, as a buffer's may, or is a request for more permits than there can be.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn wait_alone(&self, _deadline: &Deadline) -> Option<bool> {
        None
    }

    /// Returns how long to spin before the first wait, which ends at the deadline.
    fn spin(&self, _deadline: &Deadline) -> Option<SpinWait> {
        None
    }
}

/// The objects of a wait, by number.
pub(crate) trait Sources {
    fn len(&self) -> usize;

    fn source(&self, place: usize) -> &dyn Source;

    /// Takes what there is of one of them. If it was `handed` to this thread, there is.
    fn attempt(&mut self, place: usize, handed: bool) -> bool;

    /// Returns whether to attempt all is worth its cost: advice.
    fn seem_ready(&self) -> bool;

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
    // Where one object alone can end the wait there is nothing to claim.
    if let Some(taken) = (len == 1).then(|| sources.source(0).wait_alone(deadline)).flatten() {
        return taken && sources.attempt(0, true);
    }
    if deadline.has_passed() {
        return false;
    }
    if let Some(mut spin) = order(start, len).find_map(|place| sources.source(place).spin(deadline)) {
        while spin.spin() {
            if (spin.is_yielding() || sources.seem_ready()) && sources.attempt_all(start) {
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
    let taken = Wait { select: &select, sources, branches, start }.run(deadline);
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
    /// The node of that object is out of its queue for sure, and no waker has that object's queue lock for
    /// this thread.
    out: bool,
}

impl Wait<'_> {
    /// Queues everywhere, waits, and leaves. Returns whether it has taken something.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn run(&mut self, deadline: &Deadline) -> bool {
        loop {
            // The nodes are reached from elsewhere: they must not be left by a panic of `park`.
            let abort = AbortOnUnwind;
            let turn = self.next_turn(deadline);
            abort.disarm();
            let Some(Turn { place, handed, out }) = turn else {
                self.leave(None, None);
                return false;
            };
            let handed_before_it_tried = handed && !out;
            let out = out.then_some(place);
            let mut before = order(self.start, self.sources.len()).take_while(|&other| other != place);
            if handed_before_it_tried && before.any(|other| self.attempt(other, false, None)) {
                reached("notified before it was handed something");
                return true;
            }
            if self.attempt(place, handed, out) {
                return true;
            }
            let late = deadline.has_passed();
            let handed = if late { self.select.end() } else { self.select.rearm() };
            if let Some(node) = handed {
                reached("tries in vain and was handed something");
                return self.attempt(self.place_of(node), true, out);
            }
            if late {
                self.leave(out, None);
                return false;
            }
            // Others come first now, so that each object is looked at again, however often it is beaten.
            self.start = (place + 1) % self.sources.len();
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
                reached("claimed before it has queued everywhere");
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
        if let Some(place) = ready.filter(|_| self.select.claim(trying(OWN)).is_ok()) {
            reached("found ready while queueing");
            return Some(Turn { place, handed: false, out: false });
        }
        let lead = &self.select.lead;
        let spin = if first { SpinWait::for_answer() } else { SpinWait::NONE };
        let mut outcome = lead.wait(deadline, spin);
        if outcome.is_none() && self.select.claim(OWN).is_err() {
            reached("claimed at its deadline");
            outcome = lead.wait(&deadline.without_end(), SpinWait::NONE);
        }
        if outcome.is_none() {
            reached("claims itself at its deadline");
        }
        let outcome = outcome?;
        let claim = self.select.claimed();
        let place = self.place_of(claim);
        if outcome == Wakeup::HANDOFF {
            return Some(Turn { place, handed: true, out: true });
        }
        if is_trying(claim) {
            if let Some(branch) = &self.branches[place] {
                branch.notified.set(true);
                branch.place.set(Place::Front);
            }
            return Some(Turn { place, handed: false, out: true });
        }
        reached("handed something before it has tried");
        // Which object has notified it is not known any more: the caller tries those that come before the one
        // at which it was handed something. Handing on does no harm to the others.
        self.branches.iter().flatten().for_each(|branch| branch.notified.set(true));
        Some(Turn { place, handed: true, out: false })
    }

    /// Returns which object's node has claimed this thread.
    fn place_of(&self, claim: *mut Waiter) -> usize {
        let node = claim.addr() & !TRYING;
        let mut branches = self.branches.iter().flatten();
        let place = branches.position(|branch| ptr::from_ref(&branch.waiter).addr() == node);
        place.unwrap_or_else(|| unreachable!("claimed by one of the nodes"))
    }

    /// Attempts to take what there is of an object, and leaves all queues if it succeeds. Also if the
    /// caller's code panics in there, as the comparison of two items may: no waker is about to touch a node,
    /// because this thread has claimed itself or has the outcome.
    fn attempt(&mut self, place: usize, handed: bool, out: Option<usize>) -> bool {
        struct Leave<'a, 'b> {
            wait: &'a mut Wait<'b>,
            handed: bool,
            out: Option<usize>,
        }

        impl Drop for Leave<'_, '_> {
            fn drop(&mut self) {
                let unwanted = if self.handed { None } else { self.wait.select.end() };
                self.wait.leave(self.out, unwanted);
            }
        }

        let leave = Leave { wait: self, handed, out };
        let taken = leave.wait.sources.attempt(place, handed);
        if !taken {
            std::mem::forget(leave);
            if out.is_some() {
                reached("notified in vain");
            }
        }
        taken
    }

    /// Takes each node out of its queue but the one that is `out` (invariant 2), hands on what this thread
    /// was notified of, and gives back what it was handed and does not want.
    fn leave(&self, out: Option<usize>, unwanted: Option<*mut Waiter>) {
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
        if let Some(node) = unwanted {
            reached("given back");
            self.sources.source(self.place_of(node)).give_back();
        }
    }
}

impl LockedQueue<'_> {
    /// Puts a selecting thread's node in, unless it is there or the thread has been claimed. Returns whether
    /// it is the first and only one.
    pub(crate) fn put(&mut self, node: Node<'_>, place: Place) -> bool {
        let waiter = node.0;
        debug_assert!(waiter.is_for(self.queue));
        if waiter.is_queued() {
            return false;
        }
        if waiter.is_claimed() {
            // Perhaps by the waker that has just taken this very node out, and is about to wake it.
            reached("claimed before it has queued again");
            return false;
        }
        let alone = !self.has_waiters();
        // For the thread that takes the queue lock: see `Word::head`.
        let _ = (&raw const *waiter).expose_provenance();
        waiter.comes_back(place == Place::Front);
        // SAFETY: in no list; in place and alive until it is out of this queue (invariant 2).
        unsafe { self.insert(waiter, place) };
        waiter.put_into(self.queue);
        alone
    }

    /// Hands what the caller has to the first waiter, if it is `wanted`, and returns its tag. It is taken
    /// out, and added to `woken` if it is to be woken. A node whose thread's wait is over is taken out and
    /// left alone (invariant 3), and then the next is the first.
    pub(crate) fn hand_to_first(
        &mut self,
        woken: &mut WakeList,
        wanted: impl Fn(&Waiter) -> bool,
    ) -> Option<*const ()> {
        loop {
            if !wanted(self.waiters().next()?) {
                return None;
            }
            let first = self.pop()?;
            let tag = first.tag();
            match first.hand() {
                Handing::Wake => woken.push(first),
                Handing::Kept => {}
                Handing::Lost => continue,
            }
            return Some(tag);
        }
    }

    /// Takes out the first `n` waiters whose threads can be notified. Those of others stay where they are
    /// (invariant 6).
    pub(crate) fn notify(&mut self, n: usize) -> WakeList {
        self.take_first(n, Waiter::notify)
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

impl Waiter {
    /// Returns whether the thread of this node is claimed. For a selecting thread's own node, with the lock
    /// of its queue: a waker that has taken the node out has claimed the thread under that lock, so that the
    /// claim is seen here.
    fn is_claimed(&self) -> bool {
        self.selecting_by().is_some_and(|(select, _)| select.claimed() != UNCLAIMED)
    }

    fn selecting_by(&self) -> Option<(&Select, *mut Self)> {
        // SAFETY: null, or alive as its nodes; and this one is, because the lock of its queue is held, or
        // what it has in its place (invariant 2), and it is not woken.
        let select = unsafe { self.select().as_ref() }?;
        Some((select, ptr::from_ref(self).cast_mut()))
    }

    /// Returns whether its thread is the caller's to notify: one that waits in this queue alone is, a
    /// selecting one if it waits.
    pub(crate) fn notify(&self) -> bool {
        self.selecting_by().is_none_or(|(select, node)| {
            select.claim(trying(node)).inspect_err(|_| reached("not to be notified")).is_ok()
        })
    }
}

crate::facade::only! { spec:
    impl Dequeued {
        /// Claims the thread as [`Waiter::notify`] does, for a specification, which has no [`Queue`].
        pub(crate) fn claim_to_notify(&self) -> bool {
            // SAFETY: alive: its thread takes it out of the specification's queue before it returns.
            unsafe { self.0.as_ref() }.notify()
        }
    }
}

impl Dequeued {
    /// Hands to its thread what the caller has for it: one that waits in this queue alone is to be woken.
    #[inline]
    pub(crate) fn hand(&self) -> Handing {
        // SAFETY: alive: its queue's lock is held, or what it has in its place (invariant 2), and it is not
        // woken.
        let waiter = unsafe { self.0.as_ref() };
        waiter.selecting_by().map_or(Handing::Wake, |(select, node)| select.hand(node))
    }
}
