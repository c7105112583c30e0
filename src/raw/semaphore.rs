//! Permits, taken and given back by the number: a word that counts them, and beside it the queue of those who
//! wait for more than there are.
//!
//! The state word is the number of free permits and the bit QUEUED:
//!
//! | QUEUED | free permits | queue | meaning |
//! |---|---|---|---|
//! | 0 | any | empty | an acquisition takes what it wants, if it is there |
//! | 1 | fewer than the first waiter wants | not empty | every acquisition queues |
//! | 1 | as many as it wants, or more | not empty | a release has just added them and is about to grant them |
//! | 1 | any | empty | only while the queue is locked: its holder is about to queue, or to clear QUEUED |
//!
//! Invariants:
//!
//! 1. While the queue is not locked, QUEUED is set if and only if a thread is in it. QUEUED changes only
//!    under the queue lock.
//! 2. While QUEUED is set, permits are taken only under the queue lock. So a thread that has the queue lock
//!    and sees QUEUED knows that the permits it sees will stay, and that others may come.
//! 3. A release that finds QUEUED set takes the queue lock afterwards and grants what it can ([`grant`]), or
//!    leaves that to the holder of that lock; so does a waiter that leaves, as the one behind it may want
//!    less. So whenever the queue is not locked and no release is about to take its lock, the first waiter
//!    wants more than there are.
//! 4. A waiter's tag is the number of permits that it wants, at least one. It is granted them in queue order,
//!    taken from the state by the thread that grants; its thread takes nothing when it wakes up.
//! 5. Free permits, permits held and `room` add up to `limit` at most, since a permit is counted as gone
//!    before it is counted in `room`, and out of `room` before it is free. So giving permits back cannot
//!    exceed the limit, and needs no check.
//!
//! Ordering: `semaphore.permits` is Release in whatever adds permits and Acquire in whatever takes them; each
//! change of the word is a read-modify-write, so all earlier releases are received at once. `semaphore.room`
//! is Release in the call that makes a held permit go away and Acquire in the one that makes a new one for
//! it: so they are one after the other also in the state word, and what the first did reaches the thread that
//! acquires the second.
//!
//! Promised upward: first in, first out among those who queue, whatever they want; no permit lost or made; an
//! uncontended acquisition is one exchange (a second one if other permits are held, as the first expects all
//! of them to be free), and a release one addition; no wait for permits that cannot come. Limits: a thread
//! that has found too few permits looks again for a while before it queues, and in that time those who come
//! later may be faster. A permit granted to a thread that sleeps is unused until it has woken up; so where
//! turns come soon those that come next are unparked ahead of them.
//!
//! [`grant`]: RawSemaphore::grant

use std::fmt;
use std::ptr;

use crate::facade::atomic::{
    AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};
use crate::facade::{Deadline, Releasing, TimeLimit, Unparker, const_fn, reached};
use crate::observe::Call;
use crate::wait::select::{Enqueued, Node, Select, Source};
use crate::wait::{Collisions, LockedQueue, Place, Queue, SpinWait, Waiter, WakeList, Wakeup, numbers};

/// The most permits that a semaphore can have.
pub(crate) const MAX_PERMITS: usize = usize::MAX >> 3;

/// A value of the state word.
#[derive(Clone, Copy, PartialEq, Eq)]
struct State(usize);

impl State {
    const QUEUED: usize = 1 << (usize::BITS - 1);

    const fn is_queued(self) -> bool {
        self.0 & Self::QUEUED != 0
    }

    const fn queued(self) -> Self {
        Self(self.0 | Self::QUEUED)
    }

    const fn unqueued(self) -> Self {
        Self(self.0 & !Self::QUEUED)
    }

    const fn permits(self) -> usize {
        self.unqueued().0
    }

    /// Returns whether `n` permits may be taken by a thread that does not queue.
    const fn offers(self, n: usize) -> bool {
        !self.is_queued() && self.0 >= n
    }

    /// Returns this one less `n` permits, which it has.
    const fn less(self, n: usize) -> Self {
        Self(self.0 - n)
    }
}

const _: () = assert!(MAX_PERMITS < State::QUEUED);

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("permits", &self.permits()).field("queued", &self.is_queued()).finish()
    }
}

#[derive(Debug)]
pub(crate) struct RawSemaphore {
    state: AtomicUsize,
    queue: Queue,
    /// How many permits may still be made (invariant 5).
    room: AtomicUsize,
    /// How many permits there can ever be, free and held.
    limit: usize,
    /// How many there were in the beginning: the best expectation of the state of a semaphore that no thread
    /// uses just now.
    initial: usize,
}

impl RawSemaphore {
    const_fn! {
        /// Makes one with so many permits. Neither number is above [`MAX_PERMITS`], nor the first above the
        /// second.
        pub(crate) fn new(permits: usize, limit: usize) -> Self {
            Self {
                state: AtomicUsize::new(permits),
                queue: Queue::new(),
                room: AtomicUsize::new(limit - permits),
                limit,
                initial: permits,
            }
        }
    }

    pub(crate) const fn limit(&self) -> usize {
        self.limit
    }

    #[inline]
    fn load(&self) -> State {
        // Relaxed: the thread that acts on it changes the word by an exchange that fails if it has changed,
        // or has the queue lock and needs a lower bound only (invariant 2).
        // proof: semaphore.load
        State(self.state.load(Relaxed))
    }

    /// Returns how many permits are free. Advice only.
    #[inline]
    pub(crate) fn available(&self) -> usize {
        self.load().permits()
    }

    /// Returns whether `n` permits are there and no thread waits. If so, what was done before they came is
    /// seen.
    #[inline]
    pub(crate) fn is_offered(&self, n: usize) -> bool {
        // Acquire (semaphore.permits): what threads did before they gave permits back, such as another
        // object of a set that they made ready.
        n == 0 || State(self.state.load(Acquire)).offers(n)
    }

    /// Takes `n` permits if they are there and no thread waits.
    #[inline]
    pub(crate) fn try_acquire(&self, n: usize) -> bool {
        if n == 0 {
            return true;
        }
        // A load here would have to wait for the addition that gave the last permit back; an expected value
        // does not, and if it is wrong the exchange says what is right. One that offers too little would say
        // nothing.
        self.take(State(if self.initial < n { n } else { self.initial }), n)
    }

    /// Takes `n` permits if they are there, supposing at first that the state is `state`.
    #[inline]
    fn take(&self, mut state: State, n: usize) -> bool {
        let mut collisions = Collisions::NONE;
        while state.offers(n) {
            // Acquire (semaphore.permits): what threads did before they gave permits back. Relaxed on
            // failure: nothing is taken.
            // proof: semaphore.take
            match self.state.compare_exchange_weak(state.0, state.less(n).0, Acquire, Relaxed) {
                Ok(_) => return true,
                Err(actual) => {
                    state = State(actual);
                    collisions.pause();
                }
            }
        }
        false
    }

    /// Takes `n` permits, waiting for them. `name` is what the user called, for the panic.
    ///
    /// # Panics
    ///
    /// If there can never be so many.
    #[inline]
    #[track_caller]
    pub(crate) fn acquire(&self, n: usize, name: &'static str, call: Call<'_>) {
        if !self.try_acquire(n) {
            self.check_and_acquire(n, name, call);
        }
    }

    #[cold]
    #[track_caller]
    fn check_and_acquire(&self, n: usize, name: &'static str, call: Call<'_>) {
        let limit = self.limit;
        assert!(n <= limit, "Semaphore::{name} of {n} permits: there are never more than {limit}");
        self.acquire_slow(n, &TimeLimit::never(call).deadline());
    }

    /// Takes `n` permits within the limit, or returns that it could not; at once, if there can never be so
    /// many.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn acquire_until(&self, n: usize, limit: TimeLimit<'_>) -> bool {
        self.try_acquire(n) || (n <= self.limit && self.acquire_slow(n, &limit.deadline()))
    }

    #[cold]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn acquire_slow(&self, n: usize, deadline: &Deadline) -> bool {
        let mut spin = SpinWait::for_lock(deadline);
        loop {
            if deadline.has_passed() {
                // They may have been there before the deadline, while this thread had no processor.
                return self.take(self.load(), n);
            }
            if !spin.spin() {
                break;
            }
            let state = self.load();
            if state.is_queued() && numbers::QUEUE_BEHIND.get() != 0 {
                // No permit is to be had but through the queue.
                break;
            }
            if self.take(state, n) {
                spin.succeeded();
                return true;
            }
        }
        let waiter = Waiter::new(&self.queue, ptr::without_provenance(n));
        let locked = self.queue.lock();
        while let Err(state) = self.announce(n) {
            if self.take(state, n) {
                reached("semaphore permits found before queueing");
                self.grant_and_release(locked);
                return true;
            }
        }
        let end = |locked: LockedQueue<'_>| self.grant_and_release(locked);
        locked.wait(waiter, Place::Back, end, deadline, SpinWait::for_turn(), end).is_some()
    }

    /// Sets QUEUED for a thread that is about to queue for `n` permits and has the queue lock. Fails if they
    /// are offered, with the state that offers them.
    fn announce(&self, n: usize) -> Result<(), State> {
        // Most likely still empty; the exchange finds out.
        let mut state = State(0);
        while !state.is_queued() {
            if state.offers(n) {
                return Err(state);
            }
            // Relaxed: announces a waiter to releases, which then take the queue lock (invariant 3), and with
            // it what we do before we give it back. A release comes before this in the word's history, and
            // then we have seen its permits, or after it, and then it sees the bit.
            // proof: semaphore.queue
            match self.state.compare_exchange_weak(state.0, state.queued().0, Relaxed, Relaxed) {
                Ok(_) => break,
                Err(actual) => state = State(actual),
            }
        }
        Ok(())
    }

    /// Gives back `n` permits that are held, or were taken out of `room`.
    #[inline]
    pub(crate) fn release(&self, n: usize) {
        if n == 0 {
            return;
        }
        // Release (semaphore.permits): what the holder did.
        // proof: semaphore.release
        let before = State(self.state.fetch_add(n, Release));
        debug_assert!(before.permits() + n <= self.limit, "invariant 5");
        if before.is_queued() {
            self.release_slow();
        }
    }

    #[cold]
    fn release_slow(&self) {
        let _releasing = Releasing::begin();
        if let Some(locked) = self.queue.lock_or_delegate(self.queue.load()) {
            self.grant_and_release(locked);
        }
    }

    /// Ends a section under the queue lock. Grants what there is, and once more if others have delegated that
    /// meanwhile.
    fn grant_and_release(&self, locked: LockedQueue<'_>) {
        self.grant_and_forget(locked, 0);
    }

    /// Takes out those at the front of the queue for which there are permits, and takes those permits for
    /// them. Returns those to be woken, and the state that this leaves, to which permits may have been added
    /// since.
    fn grant(&self, locked: &mut LockedQueue<'_>) -> (WakeList, State) {
        // Relaxed, in `load`: a lower bound (invariant 2). It has at least what the last holder of the queue
        // lock left and what this thread has added itself; a thread that adds more sees QUEUED and comes
        // after this one.
        let mut left = self.load();
        if !left.is_queued() {
            return (WakeList::NONE, left);
        }
        let before = left;
        let mut granted = WakeList::NONE;
        while let Some(wanted) =
            locked.hand_to_first(&mut granted, |waiter| waiter.tag().addr() <= left.permits())
        {
            left = left.less(wanted.addr());
        }
        if !locked.has_waiters() {
            left = left.unqueued();
        }
        if left != before {
            // Acquire (semaphore.permits): what threads did before they gave these permits back, to be handed
            // over to the waiters with their outcome.
            // proof: semaphore.grant
            self.state.fetch_sub(before.0 - left.0, Acquire);
        }
        (granted, left)
    }

    /// Makes `n` new permits, or says that there would be too many.
    pub(crate) fn add(&self, n: usize) -> bool {
        if n == 0 {
            return true;
        }
        // Relaxed: a load_or_expected, which the exchange confirms.
        let mut room = self.room.load(Relaxed);
        while room >= n {
            // Acquire (semaphore.room): what those did whose permits these are; the release hands it on.
            // Relaxed on failure: nothing is taken.
            // proof: semaphore.add
            match self.room.compare_exchange_weak(room, room - n, Acquire, Relaxed) {
                Ok(_) => {
                    self.release(n);
                    return true;
                }
                Err(actual) => room = actual,
            }
        }
        false
    }

    /// Gives up `n` permits that are held, without giving them back: as many may be made later.
    pub(crate) fn forget(&self, n: usize) {
        // Release (semaphore.room): what the holder did, and that its permits were taken before.
        // proof: semaphore.forget
        self.room.fetch_add(n, Release);
    }

    /// Takes up to `n` free permits away: as many may be made later. Returns how many.
    pub(crate) fn forget_free(&self, n: usize) -> usize {
        let mut state = self.load();
        loop {
            if state.is_queued() {
                match self.forget_free_queued(n) {
                    Ok(taken) => return taken,
                    Err(actual) => state = actual,
                }
                continue;
            }
            let taken = n.min(state.permits());
            if taken == 0 {
                return 0;
            }
            // Relaxed: what came with these permits stays in the word's history, for the thread that takes
            // others out of it.
            // proof: semaphore.forget_free
            match self.state.compare_exchange_weak(state.0, state.less(taken).0, Relaxed, Relaxed) {
                Ok(_) => {
                    self.forget(taken);
                    return taken;
                }
                Err(actual) => state = State(actual),
            }
        }
    }

    /// Forgets free permits while a thread waits. A waiter for which there are permits already gets them
    /// first. Returns the state and has forgotten nothing if no thread waits any more.
    #[cold]
    fn forget_free_queued(&self, n: usize) -> Result<usize, State> {
        let _releasing = Releasing::begin();
        let (taken, left) = self.grant_and_forget(self.queue.lock_sleepless(), n);
        if left.is_queued() {
            reached("semaphore permits forgotten while a thread waits");
            self.forget(taken);
            Ok(taken)
        } else {
            reached("semaphore queue empty before permits could be forgotten");
            Err(left)
        }
    }

    /// Ends a section under the queue lock: grants what there is, then takes up to `n` of the permits away
    /// that are left, if a thread still waits. Returns how many, and the state that the first part has left.
    fn grant_and_forget(&self, locked: LockedQueue<'_>, n: usize) -> (usize, State) {
        let mut granted = WakeList::NONE;
        let mut ahead = [None, None];
        let mut forgotten = None;
        locked.unlock_as(|word, locked| {
            if forgotten.is_none() || word.is_recheck() {
                let (woken, left) = self.grant(locked);
                if woken.tag().is_some() && ahead[0].is_none() {
                    ahead = locked.unpark_ahead(SpinWait::kept_awake());
                }
                granted.append(woken);
                forgotten.get_or_insert_with(|| {
                    let taken = if left.is_queued() { n.min(left.permits()) } else { 0 };
                    if taken != 0 {
                        // Relaxed: as above. They are still there (invariant 2), and too few for the first
                        // waiter.
                        // proof: semaphore.forget_queued
                        self.state.fetch_sub(taken, Relaxed);
                    }
                    (taken, left)
                });
            }
            word
        });
        granted.wake_all(Wakeup::HANDOFF);
        ahead.into_iter().flatten().for_each(Unparker::unpark);
        forgotten.expect("decided once at least")
    }

    crate::facade::only! { model:
        pub(crate) fn has_waiters_now(&self) -> bool {
            self.queue.has_waiters_now()
        }
    }
}

/// So many permits of a semaphore, for a selecting thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) semaphore: &'a RawSemaphore,
    pub(crate) n: usize,
}

impl Source for Request<'_> {
    fn node(&self, select: &Select) -> Waiter {
        select.node(&self.semaphore.queue, ptr::without_provenance(self.n))
    }

    fn enqueue(&self, node: Node<'_>, place: Place) -> Enqueued {
        let Self { semaphore, n } = *self;
        if n > semaphore.limit {
            return Enqueued::Never;
        }
        let mut locked = semaphore.queue.lock();
        let offered = semaphore.announce(n).is_err();
        let first = !offered && locked.put(node, place);
        semaphore.grant_and_release(locked);
        if offered { Enqueued::Ready } else { Enqueued::Queued { first } }
    }

    fn leave(&self, node: Node<'_>) {
        if self.n <= self.semaphore.limit {
            self.semaphore.queue.leave(node, |locked| self.semaphore.grant_and_release(locked));
        }
    }

    fn give_back(&self) {
        self.semaphore.release(self.n);
    }

    fn wait_alone(&self, deadline: &Deadline) -> Option<bool> {
        // What there can never be is waited for until the deadline.
        (self.n <= self.semaphore.limit).then(|| self.semaphore.acquire_slow(self.n, deadline))
    }

    fn spin(&self, deadline: &Deadline) -> Option<SpinWait> {
        Some(SpinWait::for_lock(deadline))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::RawSemaphore;
    use crate::facade::TimeLimit;
    use crate::observe::Call;

    /// Permits that came between a call's first look and its deadline are found, however late the call looks.
    #[test]
    fn permits_before_the_deadline_are_found_after_it() {
        let semaphore = RawSemaphore::new(1, 1);
        let acquire =
            || semaphore.acquire_slow(1, &TimeLimit::within(Duration::ZERO, Call::none()).deadline());
        assert!(acquire());
        assert!(!acquire());
    }
}
