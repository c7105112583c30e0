//! A queue of waiting threads in one word, beside two bits of its owner's.
//!
//! ```text
//!   63                            4      3      2 1         0
//!  ┌───────────────────────────────┬─────────┬───────┬──────────────┐
//!  │ first waiter, or null         │ RECHECK │ owner │ QUEUE_LOCKED │
//!  └───────────────────────────────┴─────────┴───────┴──────────────┘
//! ```
//!
//! | QUEUE_LOCKED | first waiter | meaning | what may change |
//! |---|---|---|---|
//! | 0 | null | no thread waits | any thread changes the owner's bits, or takes the queue lock |
//! | 0 | set | a list of waiters, which no thread is changing | the same |
//! | 1 | null | a thread has the queue lock; the list was empty before | the holder changes the list, any thread the owner's bits |
//! | 1 | set | a thread has the queue lock; the pointer is the head of the list as it was before | the same |
//!
//! RECHECK is set only beside QUEUE_LOCKED, by a thread that delegates its work to the holder of the queue
//! lock; see invariant 5.
//!
//! Invariants:
//!
//! 1. The list changes only between the exchange that sets QUEUE_LOCKED and the one that clears it, by the
//!    thread that made both. The second publishes what the list has become.
//! 2. Every change is a compare-and-exchange of the whole word, so the owner's bits are never decided on an
//!    outdated list, nor the list on outdated bits: [`LockedQueue::unlock_as`] decides again whenever a bit
//!    has changed.
//! 3. The queue lock is held for a handful of instructions, and for a handful more for each waiter that is
//!    looked at or taken out; never while user code runs or a thread parks. No thread ever has two. Most
//!    owners look at the first only. A reader-writer lock looks for another writer when one is woken or has
//!    timed out, past the readers before that: to the end if there is none. An unlock that lets readers in
//!    looks at all up to the first writer, and so does one of an upgradable reader.
//! 4. A waiter that has been taken out ([`Dequeued`]) is woken or put in a queue again by the thread that
//!    took it out.
//! 5. Work that was delegated is done: the holder of the queue lock cannot give it back while RECHECK is set,
//!    clears that bit in an exchange of its own, and decides after that exchange.
//! 6. A waiter's stamp says since when it has been the first of its queue, but for waiters that were put
//!    before it without a stamp of their own. It is set and cleared under the queue lock, by owners that want
//!    to know ([`LockedQueue::stamp_first`]), and goes with the waiter when it is woken. Those that come back
//!    with one keep it, and stand before all others in the order of their stamps.
//!
//! Ordering: taking the queue lock is Acquire and giving it back Release, so the list's plain fields are
//! handed from holder to holder. `queue.recheck`: delegating is Release and clearing RECHECK is Acquire, so
//! the holder decides on all that was done before. The owner's exchanges name their own.
//!
//! Promised upward: first in, first out; no spurious returns; a waiter that times out is found in constant
//! time; a call that delegates does not wait for the queue lock. Limits: a thread that cannot delegate waits
//! for the queue lock by [`Backoff`], not in a queue.

use std::cell::Cell;
use std::fmt;
use std::ptr::NonNull;

use super::backoff::Backoff;
use super::list::List;
use super::policy::SpinWait;
use super::waiter::{Stamp, Waiter, Wakeup};
use super::word::Word;
use crate::facade::atomic::{
    AtomicPtr, Ordering,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use crate::facade::{AbortOnUnwind, Deadline, Moment, Unparker, const_fn, reached};

/// Where a new waiter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Front,
    Back,
}

/// The queue. See the module's page.
pub(crate) struct Queue {
    word: AtomicPtr<Waiter>,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.load().fmt(f)
    }
}

impl Queue {
    const_fn! {
        pub(crate) fn new() -> Self {
            Self { word: AtomicPtr::new(Word::EMPTY.0) }
        }
    }

    /// Returns what the word is just now: a hint, to be confirmed by an exchange.
    #[inline]
    pub(crate) fn load(&self) -> Word {
        // Relaxed: a thread that acts on it exchanges the word, which fails if it has changed.
        // proof: queue.load
        Word(self.word.load(Relaxed))
    }

    /// Returns the same with Acquire, for an owner whose bit says all there is to know.
    #[inline]
    pub(crate) fn load_acquire(&self) -> Word {
        // Acquire: pairs with whichever Release exchange of the owner's set the bit, on an edge of the
        // owner's (`event.set`).
        // proof: queue.load_acquire
        Word(self.word.load(Acquire))
    }

    crate::facade::only! { model:
        /// Returns, for models, whether a thread waits at this point of the word's history. It exchanges the
        /// word with itself, because loom forgets a load when the same thread accesses the word again, and
        /// then misses interleavings.
        pub(crate) fn has_waiters_now(&self) -> bool {
            let mut word = self.load();
            while let Err(actual) = self.try_change(word, word, Relaxed) {
                word = actual;
            }
            word.has_waiters()
        }
    }

    /// Changes the owner's bits if the word is still `current`, else says what it is. May fail for no reason:
    /// use it in a loop.
    #[inline]
    pub(crate) fn try_change(&self, current: Word, next: Word, success: Ordering) -> Result<(), Word> {
        debug_assert_eq!(current.without(Word::OWNER), next.without(Word::OWNER), "invariant 1");
        // Ordering named by the owner. Relaxed on failure: the caller decides anew and exchanges again.
        match self.word.compare_exchange_weak(current.0, next.0, success, Relaxed) {
            Ok(_) => Ok(()),
            Err(actual) => Err(Word(actual)),
        }
    }

    /// Takes the queue lock if `condition` holds at that very moment. Waits for the queue lock, but only for
    /// as long as the condition holds; else returns the word for which it does not.
    ///
    /// `word` is what the caller last saw, or expects: the exchange finds out. (A load would, too, but it
    /// may be outdated again by the time of the exchange.)
    pub(crate) fn lock_if(
        &self,
        word: Word,
        condition: impl Fn(Word) -> bool,
    ) -> Result<LockedQueue<'_>, Word> {
        self.lock_if_by(word, condition, Backoff::new())
    }

    /// Takes the queue lock as [`lock_if`](Self::lock_if) does, for a releasing call, which may not sleep: it
    /// spins, then yields for as long as it takes.
    pub(crate) fn lock_if_sleepless(
        &self,
        word: Word,
        condition: impl Fn(Word) -> bool,
    ) -> Result<LockedQueue<'_>, Word> {
        self.lock_if_by(word, condition, Backoff::sleepless())
    }

    fn lock_if_by(
        &self,
        mut word: Word,
        condition: impl Fn(Word) -> bool,
        mut backoff: Backoff,
    ) -> Result<LockedQueue<'_>, Word> {
        loop {
            if !condition(word) {
                return Err(word);
            }
            if word.is_queue_locked() {
                reached("queue lock waited for");
                backoff.wait();
                word = self.load();
                continue;
            }
            match self.try_lock(word) {
                Ok(locked) => return Ok(locked),
                Err(actual) => word = actual,
            }
        }
    }

    /// Takes the queue lock; or, if another thread has it, leaves the caller's work to that thread by one
    /// exchange, and returns `None`. The other then decides once more before it gives the queue lock back:
    /// each section under the queue lock of a queue that is used in this way ends in a
    /// [`LockedQueue::unlock_as`] that does all work there may be.
    pub(crate) fn lock_or_delegate(&self, mut word: Word) -> Option<LockedQueue<'_>> {
        loop {
            let tried = if word.is_queue_locked() {
                self.try_delegate(word, word).map(|()| None)
            } else {
                self.try_lock(word).map(Some)
            };
            match tried {
                Ok(locked) => return locked,
                Err(actual) => word = actual,
            }
        }
    }

    /// Leaves work to the holder of the queue lock, changing the owner's bits to those of `next`, if the word
    /// is still `current`, which is locked; else returns what it is. May fail for no reason.
    pub(crate) fn try_delegate(&self, current: Word, next: Word) -> Result<(), Word> {
        debug_assert!(current.is_queue_locked());
        debug_assert_eq!(current.without(Word::OWNER), next.without(Word::OWNER), "invariant 1");
        let next = next.with(Word::RECHECK);
        // Release (queue.recheck): what the holder is to decide on. Also where RECHECK is set: a load would
        // come before the exchange that clears it, and hand nothing over. Relaxed on failure: the caller
        // tries again.
        // proof: queue.try_delegate
        match self.word.compare_exchange_weak(current.0, next.0, Release, Relaxed) {
            Ok(_) => {
                reached("work left to the holder of the queue lock");
                Ok(())
            }
            Err(actual) => Err(Word(actual)),
        }
    }

    /// Takes the queue lock, waiting for it if need be.
    pub(crate) fn lock(&self) -> LockedQueue<'_> {
        match self.lock_if(Word::EMPTY, |_| true) {
            Ok(locked) => locked,
            Err(_) => unreachable!("the condition always holds"),
        }
    }

    /// Takes the queue lock for a releasing call, which may not sleep.
    pub(crate) fn lock_sleepless(&self) -> LockedQueue<'_> {
        match self.lock_if_sleepless(Word::EMPTY, |_| true) {
            Ok(locked) => locked,
            Err(_) => unreachable!("the condition always holds"),
        }
    }

    /// Takes the queue lock if the word is still `current`, which is not locked, else returns what it is.
    pub(crate) fn try_lock(&self, current: Word) -> Result<LockedQueue<'_>, Word> {
        debug_assert!(!current.is_queue_locked());
        let locked = current.with(Word::QUEUE_LOCKED);
        // Acquire (queue.lock): the list as the last holder left it. Relaxed on failure: nothing is taken.
        // proof: queue.try_lock
        if let Err(actual) = self.word.compare_exchange_weak(current.0, locked.0, Acquire, Relaxed) {
            return Err(Word(actual));
        }
        // SAFETY: the last holder published this head and does not use its list any more; its nodes are in
        // the list until a holder of the queue lock, which is us alone, takes them out (invariant 1).
        let list = unsafe { List::from_head(current.head()) };
        Ok(LockedQueue { queue: self, word: locked, list, now: Cell::new(None) })
    }
}

/// The right to change a queue's list. To be given back by [`unlock_as`](Self::unlock_as) or
/// [`unlock`](Self::unlock); dropping it would leave the queue locked.
#[must_use]
pub(crate) struct LockedQueue<'a> {
    pub(super) queue: &'a Queue,
    /// The word as it was last seen.
    word: Word,
    pub(super) list: List<Waiter>,
    /// What time it is, once that was asked.
    now: Cell<Option<Moment>>,
}

impl<'a> LockedQueue<'a> {
    /// Returns the word as it was last seen: for bits that change under the queue lock alone.
    pub(crate) fn word(&self) -> Word {
        self.word
    }

    pub(crate) fn has_waiters(&self) -> bool {
        !self.list.is_empty()
    }

    /// Returns whether more than `n` wait.
    fn has_more_than(&self, n: usize) -> bool {
        // Whether there is a first the queue's word says, and no node's line is to be had for it.
        if n == 0 { self.has_waiters() } else { self.waiters().nth(n).is_some() }
    }

    /// Returns what time it is. The clock is read once in a section under the queue lock.
    fn now(&self) -> Moment {
        let now = self.now.get().unwrap_or_else(Moment::now);
        self.now.set(Some(now));
        now
    }

    /// Stamps the first waiter if it has no stamp yet. An owner that asks [`is_starving`](Self::is_starving)
    /// calls this at the end of each section under the queue lock.
    pub(crate) fn stamp_first(&self) {
        if let Some(first) = self.waiters().next() {
            first.stamp(|| self.now());
        }
    }

    /// Returns whether `waiter`, which is in this queue, has been its first for so long that what it waits
    /// for should be handed over instead of offered. Reads the clock if it has a stamp.
    pub(crate) fn is_starving(&self, waiter: &Waiter) -> bool {
        waiter.is_starving(|| self.now())
    }

    /// Returns whether there is a first waiter that [is starving](Self::is_starving).
    pub(crate) fn first_is_starving(&self) -> bool {
        self.waiters().next().is_some_and(|first| self.is_starving(first))
    }

    /// Takes out the first waiter.
    pub(crate) fn pop(&mut self) -> Option<Dequeued> {
        let waiter = self.list.pop_front()?;
        // SAFETY: it was in our list, so its wait is not over, and is not before it is woken.
        unsafe { waiter.as_ref() }.taken_out_of(self.queue);
        Some(Dequeued(waiter))
    }

    /// Returns the waiters, first to last.
    pub(crate) fn waiters(&self) -> impl Iterator<Item = &Waiter> {
        self.list.iter()
    }

    /// Returns what unparks ahead of their turns up to two of the first `n` waiters, those that sleep. To be
    /// used when the queue lock is given back. Two, so that each time one more is awake until all `n` are.
    pub(crate) fn unpark_ahead(&self, n: usize) -> [Option<Unparker>; 2] {
        let mut asleep = self.waiters().take(n).filter_map(Waiter::unpark_ahead);
        [asleep.next(), asleep.next()]
    }

    /// Takes out a waiter that [`waiters`](Self::waiters) gave, after which nothing was taken out.
    ///
    /// # Safety
    ///
    /// `waiter` is in this queue.
    pub(crate) unsafe fn take(&mut self, waiter: NonNull<Waiter>) -> Dequeued {
        // SAFETY: this function's contract.
        unsafe { self.list.remove(waiter.as_ptr()) };
        // SAFETY: it was in our list, so its wait is not over, and is not before it is woken.
        unsafe { waiter.as_ref() }.taken_out_of(self.queue);
        Dequeued(waiter)
    }

    /// Puts a waiter behind all others, or before them. One that was the first when it was woken, and comes
    /// back, stands behind those that were the first before it and are back already: a thread that is slow to
    /// come passes none of them. One without a stamp has no turn of its own to wait for, and is put before
    /// all.
    ///
    /// # Safety
    ///
    /// `waiter` is in no list, and stays alive and in place until it has been taken out of this one.
    pub(super) unsafe fn insert(&mut self, waiter: *const Waiter, place: Place) {
        if place == Place::Back {
            // SAFETY: this function's contract.
            return unsafe { self.list.push_back(waiter) };
        }
        // SAFETY: alive by contract.
        let this = unsafe { &*waiter };
        let mut before = self.list.take_while(|other| other.was_first_before(this));
        if this.is_stamped() {
            self.clear_stamp_of_first();
        }
        // SAFETY: this function's contract.
        unsafe { self.list.push_front(waiter) };
        std::mem::swap(&mut self.list, &mut before);
        self.list.append(before);
    }

    /// Takes the first waiter's stamp away, which will not be the first any more.
    fn clear_stamp_of_first(&self) {
        if let Some(first) = self.waiters().next() {
            first.clear_stamp();
        }
    }

    /// Puts the waiter that was popped last back in its place: nothing has happened.
    pub(crate) fn put_back(&mut self, waiter: Dequeued) {
        self.clear_stamp_of_first();
        // SAFETY: it is in no list, and its wait is not over before it is woken, which `waiter` was the right
        // to do.
        unsafe { self.list.push_front(waiter.0.as_ptr()) };
        // SAFETY: as above.
        unsafe { waiter.0.as_ref() }.put_into(self.queue);
    }

    /// Takes out waiters from the front for as long as `wanted` says so of the next.
    pub(crate) fn take_while(&mut self, mut wanted: impl FnMut(&Waiter) -> bool) -> WakeList {
        WakeList(self.list.take_while(|waiter| {
            let taken = wanted(waiter);
            if taken {
                waiter.taken_out_of(self.queue);
            }
            taken
        }))
    }

    /// Takes out the first `n` of those waiters that are wanted, wherever they stand.
    pub(crate) fn take_first(&mut self, n: usize, wanted: impl Fn(&Waiter) -> bool) -> WakeList {
        WakeList(self.list.take_first(n, |waiter| {
            let taken = wanted(waiter);
            if taken {
                waiter.taken_out_of(self.queue);
            }
            taken
        }))
    }

    /// Takes out `waiter` if it still is in this queue, into which its own thread, the caller, put it.
    pub(super) fn remove(&mut self, waiter: &Waiter) -> bool {
        let queued = waiter.is_queued();
        if queued {
            // SAFETY: in the list of its queue, whose lock this is.
            unsafe { self.list.remove(waiter) };
        }
        queued
    }

    /// Puts waiters of another queue behind those of this one.
    pub(crate) fn append(&mut self, woken: WakeList) {
        self.list.append(woken.0);
    }

    /// Publishes the list and gives the queue lock back, with the owner's bits as `decide` wants them. It is
    /// asked again if they have changed meanwhile or work was delegated, and may take out waiters each time.
    /// That work was delegated [is shown](Word::is_recheck) to it once.
    pub(crate) fn unlock_as(mut self, mut decide: impl FnMut(Word, &mut Self) -> Word) {
        loop {
            let current = self.word.without(Word::RECHECK);
            let next = decide(self.word, &mut self).over(&self.list);
            // Release (queue.lock): publishes the list, and whatever the owner's bits announce. Acquire: a
            // decision may take what the bits offered on behalf of a waiter (`raw::mutex`, a hand-off), which
            // then gets it from this thread. Relaxed on failure: decided anew.
            // proof: queue.unlock
            let done = self.queue.word.compare_exchange_weak(current.0, next.0, AcqRel, Relaxed);
            let Err(actual) = done else { return };
            reached("owner's bits change under the queue lock");
            self.word = Word(actual);
            if self.word.is_recheck() {
                self.clear_recheck();
            }
        }
    }

    /// Takes over what was delegated. By an exchange of its own, before the decision: work that is delegated
    /// after it sets the bit again, and the exchange that would give the queue lock back fails.
    #[cold]
    fn clear_recheck(&mut self) {
        loop {
            let current = self.word;
            // Acquire (queue.recheck): what threads did before they delegated. Relaxed on failure: tried
            // again.
            // proof: queue.clear_recheck
            let cleared = self.queue.word.compare_exchange_weak(
                current.0,
                current.without(Word::RECHECK).0,
                Acquire,
                Relaxed,
            );
            match cleared {
                Ok(_) => return,
                Err(actual) => self.word = Word(actual),
            }
        }
    }

    /// Publishes the list and gives the queue lock back. For queues to which no work is delegated.
    pub(crate) fn unlock(self) {
        self.unlock_as(|word, _| {
            debug_assert!(!word.is_recheck(), "invariant 5: delegated work is done");
            word
        });
    }

    /// Queues `waiter`, runs `publish`, which ends the section under the queue lock, and blocks until the
    /// waiter is woken or the deadline passes. Then, if it is still in the queue, it is taken out, `leave`
    /// ends that section under the queue lock, and the result is `None`: no thread has woken it and no thread
    /// will. If it is not, `leave` ends that section as well, and its wake-up, which is under way, is waited
    /// for.
    ///
    /// The waiter must still be in the same queue by then, or have been taken out of it for good: one that
    /// was moved to another queue counts as woken, and its wake-up is waited for.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn wait(
        mut self,
        waiter: Waiter,
        place: Place,
        publish: impl FnOnce(Self),
        deadline: &Deadline,
        spin: SpinWait,
        leave: impl FnOnce(Self),
    ) -> Option<Woken> {
        let queue = self.queue;
        // For the thread that takes the queue lock: see `Word::head`.
        let _ = (&raw const waiter).expose_provenance();
        // The node is reached from elsewhere until this function returns; it must not be left by a panic.
        let abort = AbortOnUnwind;
        // A waiter with others before it, or with more than a few, has no turn to expect soon.
        let is_late = place == Place::Back && self.has_more_than(spin.most_before());
        let spin = if is_late { SpinWait::NONE } else { spin };
        // SAFETY: new, hence in no list; in place and alive until it has been taken out: by a waker, whose
        // outcome we wait for, or by us below.
        unsafe { self.insert(&raw const waiter, place) };
        publish(self);
        waiter.grow_old();
        let mut outcome = waiter.wait(deadline, spin);
        if outcome.is_none() {
            let mut locked = queue.lock();
            if locked.remove(&waiter) {
                reached("waiter leaves at its deadline");
                leave(locked);
            } else {
                reached("waiter is woken at its deadline");
                // Not ours to leave, but ours to end: what was left to the holder of the queue lock is left
                // to us.
                leave(locked);
                // The thread that took it out is about to wake it, or has moved it to where a thread will.
                outcome = waiter.wait(&deadline.without_end(), SpinWait::NONE);
            }
        }
        abort.disarm();
        outcome.map(|outcome| Woken { outcome, stamp: waiter.last_stamp() })
    }
}

/// How a wait ended that did not time out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Woken {
    pub(crate) outcome: Wakeup,
    /// The stamp that the waiter had when it was woken: for its next node, if it must wait once more at the
    /// front.
    pub(crate) stamp: Stamp,
}

/// A waiter that was taken out of its queue and is yet to be woken (invariant 4).
#[must_use]
pub(crate) struct Dequeued(pub(super) NonNull<Waiter>);

impl Dequeued {
    pub(crate) fn tag(&self) -> *const () {
        // SAFETY: alive, as it is not woken before this value is consumed.
        unsafe { self.0.as_ref() }.tag()
    }

    /// Ends its wait.
    pub(crate) fn wake(self, outcome: Wakeup) {
        // SAFETY: taken out of its list, and woken once, as this consumes the right to.
        unsafe { Waiter::wake(self.0, outcome) };
    }
}

/// Waiters that were taken out of their queue, in order, and are yet to be woken or queued again (invariant
/// 4).
#[must_use]
pub(crate) struct WakeList(List<Waiter>);

impl WakeList {
    pub(crate) const NONE: Self = Self(List::new());

    /// Returns the tag of the first, if there is one.
    pub(crate) fn tag(&self) -> Option<*const ()> {
        // SAFETY: a head that is not null is in this list, whose waiters are not woken before they leave it.
        unsafe { self.0.head().as_ref() }.map(Waiter::tag)
    }

    /// Splits off waiters from the front for as long as `wanted` says so of the next.
    pub(crate) fn take_while(&mut self, wanted: impl FnMut(&Waiter) -> bool) -> Self {
        Self(self.0.take_while(wanted))
    }

    /// Splits off the first.
    pub(crate) fn pop(&mut self) -> Option<Dequeued> {
        self.0.pop_front().map(Dequeued)
    }

    /// Adds one behind these.
    pub(crate) fn push(&mut self, waiter: Dequeued) {
        // SAFETY: it was taken out of its list, and lives until it is woken, which `waiter` was the right to
        // do.
        unsafe { self.0.push_back(waiter.0.as_ptr()) };
    }

    /// Adds others behind these.
    pub(crate) fn append(&mut self, others: Self) {
        self.0.append(others.0);
    }

    /// Ends the waits of all of them, first to last.
    pub(crate) fn wake_all(mut self, outcome: Wakeup) {
        while let Some(waiter) = self.0.pop_front() {
            Dequeued(waiter).wake(outcome);
        }
    }
}
