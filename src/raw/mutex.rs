//! A mutual exclusion lock in one word, which is its queue's word with two bits of its own.
//!
//! | LOCKED | DESIGNATED | waiters | meaning |
//! |---|---|---|---|
//! | 0 | 0 | none | free |
//! | 1 | 0 | none | held, uncontended |
//! | 1 | 0 | some | held; the holder's unlock wakes the first waiter |
//! | 0 | 1 | any | free; a designated waker comes to take it |
//! | 1 | 1 | any | held, and a designated waker comes: another thread was faster |
//! | 0 | 0 | some | only while the queue is locked: the holder of the queue lock wakes the first waiter before it is done |
//!
//! Invariants:
//!
//! 1. Whenever the queue is not locked and a thread waits, LOCKED is set or there is a designated waker: a
//!    woken thread that will lock, queue or give up, each in an exchange that leaves LOCKED set or wakes the
//!    first waiter. So the first waiter will be woken.
//! 2. DESIGNATED is set by a holder of the queue lock alone, when it takes out a waiter to wake it. It is
//!    cleared in the exchange in which a woken waiter takes the lock, queues again or gives up, and in which
//!    any thread queues. So while it is set a woken waiter has yet to come, and unlocking wakes no other
//!    thread: for each thread that goes to sleep one is woken, and no more.
//! 3. LOCKED is cleared by its holder alone, or on its behalf by a holder of the queue lock to which a fair
//!    unlock was delegated. A hand-off leaves it set: the lock passes to the waiter without ever being free.
//!
//! A waiter that is woken competes with barging threads (that is what makes a contended lock fast: the lock
//! never rests while a thread wakes up). Each time it loses it goes back to the *front* of the queue. A
//! waiter that has stood first for half a millisecond is starving: the next unlock that takes the queue lock
//! does not wake it but hands the lock over. So there is at most one hand-off for each half millisecond, and
//! a lock that is taken for long sections goes to its first waiter at each unlock.
//!
//! While there is a designated waker an unlock does not take the queue lock, except for one in `unlock_turn`
//! of each thread: a woken thread may have to wait for a processor, and the first waiter is not to wait with
//! it.
//!
//! No unlock waits for the queue lock. While another thread has it, an unlock clears LOCKED and leaves the
//! waking to that thread, whose [`unlock_and_wake`](RawMutex::unlock_and_wake) sees a free lock; a fair
//! unlock leaves LOCKED set, and delegates.
//!
//! Ordering: `mutex.unlock` is Release, taking the lock is Acquire; each exchange between two holders is a
//! read-modify-write, so it extends the release sequence of the unlock it follows.
//!
//! Promised upward: exclusion; no lost wake-up; an uncontended lock and unlock are one exchange each; nothing
//! in the word is touched after the exchange that releases it.
//!
//! Limits: a thread that has found the lock taken and has not queued has no place in any order. A fair unlock
//! that meets a thread which leaves the queue at its deadline is done by that thread, and the lock is taken
//! until then.

use std::ptr;

use crate::facade::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::facade::{Deadline, Releasing, TimeLimit, const_fn, reached};
use crate::observe::Call;
use crate::wait::{
    Collisions, Dequeued, LockedQueue, Place, Queue, SpinWait, Stamp, Waiter, WakeList, Wakeup, Woken, Word,
    is_turn, numbers, yield_at_intervals,
};

const LOCKED: usize = Word::bit(0);
const DESIGNATED: usize = Word::bit(1);

#[derive(Debug)]
pub(crate) struct RawMutex {
    queue: Queue,
}

impl RawMutex {
    const_fn! {
        pub(crate) fn new() -> Self {
            Self { queue: Queue::new() }
        }
    }

    pub(crate) fn is_locked(&self) -> bool {
        self.queue.load().has(LOCKED)
    }

    #[inline]
    pub(crate) fn try_lock(&self) -> bool {
        let mut word = Word::EMPTY;
        while !word.has(LOCKED) {
            // Acquire (mutex.unlock): what earlier holders did.
            match self.queue.try_change(word, word.with(LOCKED), Acquire) {
                Ok(()) => return true,
                Err(actual) => word = actual,
            }
        }
        false
    }

    /// Locks. Diagnosis knows of `call` already.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn lock(&self, call: Call<'_>) {
        // Acquire (mutex.unlock): what earlier holders did.
        if let Err(word) = self.queue.try_change(Word::EMPTY, Word::of(LOCKED), Acquire) {
            self.lock_contended(word, call);
        }
    }

    #[cold]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn lock_contended(&self, word: Word, call: Call<'_>) {
        self.lock_slow(word, 0, &TimeLimit::again(call).deadline(), Stamp::NONE);
    }

    /// Locks within the limit. Returns whether it could.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn lock_until(&self, limit: TimeLimit<'_>) -> bool {
        // Acquire (mutex.unlock): what earlier holders did.
        match self.queue.try_change(Word::EMPTY, Word::of(LOCKED), Acquire) {
            Ok(()) => true,
            Err(word) => limit.ended(self.lock_slow(word, 0, &limit.deadline(), Stamp::NONE)),
        }
    }

    /// Locks on behalf of a waiter that was woken from this queue, having been requeued into it.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn lock_requeued(&self, woken: Woken, call: Call<'_>) {
        match woken.outcome {
            Wakeup::HANDOFF => {}
            Wakeup::BARGE => self.lock(call),
            _ => {
                let never = Deadline::NEVER.of_call(&call);
                self.lock_slow(Word::of(DESIGNATED), DESIGNATED, &never, woken.stamp);
            }
        }
    }

    /// Locks within the deadline, and returns whether it has. `word` is what the caller last saw, or
    /// expects. `designated` is DESIGNATED for a thread that was woken from the queue, which must clear that
    /// bit with its next exchange, and otherwise nothing. `stamp` is that of its last wait.
    #[cold]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn lock_slow(
        &self,
        mut word: Word,
        mut designated: usize,
        deadline: &Deadline,
        mut stamp: Stamp,
    ) -> bool {
        // Made when it is needed: a thread that finds the lock free has not waited and learns nothing from
        // it.
        let mut spin = (designated != 0).then_some(SpinWait::NONE);
        let mut was_woken = designated != 0;
        let mut collisions = Collisions::NONE;
        loop {
            if !word.has(LOCKED) {
                if designated == 0 && word.has(DESIGNATED) && !deadline.has_passed() {
                    yield_at_intervals();
                }
                // Acquire (mutex.unlock): what earlier holders did.
                // proof: mutex.lock
                match self.queue.try_change(word, word.without(designated).with(LOCKED), Acquire) {
                    Ok(()) => {
                        if let Some(spin) = &spin {
                            spin.succeeded();
                        }
                        return true;
                    }
                    Err(actual) => {
                        word = actual;
                        collisions.pause();
                    }
                }
                continue;
            }
            if deadline.has_passed() {
                // Invariant 1: LOCKED is set in the same exchange, so the holder's unlock wakes the next.
                // Relaxed: nothing is taken or handed over.
                if designated == 0 {
                    return false;
                }
                // proof: mutex.give_up
                match self.queue.try_change(word, word.without(designated), Relaxed) {
                    Ok(()) => {
                        reached("mutex given up by a woken waiter");
                        return false;
                    }
                    Err(actual) => word = actual,
                }
                continue;
            }
            let another_comes = designated == 0 && word.has(DESIGNATED);
            let spin_now = spin.get_or_insert_with(|| SpinWait::for_lock(deadline));
            if designated == 0 && word.has_waiters() && spin_now.leaves_to_others() {
                *spin_now = SpinWait::NONE;
            }
            let paused = if another_comes { spin_now.yield_only() } else { spin_now.spin() };
            if paused {
                word = self.queue.load();
                continue;
            }
            if was_woken {
                reached("mutex lost to another after a wake-up");
            }
            let waiter = Waiter::new(&self.queue, ptr::null()).stamped(stamp);
            let locked = match self.queue.lock_if(word, |word| word.has(LOCKED)) {
                Ok(locked) => locked,
                Err(actual) => {
                    word = actual;
                    continue;
                }
            };
            let place = if was_woken { Place::Front } else { Place::Back };
            let publish = |locked: LockedQueue<'_>| self.unlock_and_wake(locked, DESIGNATED);
            let leave = |locked: LockedQueue<'_>| self.unlock_and_wake(locked, 0);
            let awake = if was_woken { SpinWait::for_handoff() } else { SpinWait::NONE };
            match locked.wait(waiter, place, publish, deadline, awake, leave) {
                None => return false,
                Some(Woken { outcome: Wakeup::HANDOFF, .. }) => return true,
                Some(woken) => stamp = woken.stamp,
            }
            designated = DESIGNATED;
            was_woken = true;
            spin = Some(SpinWait::NONE);
            word = Word::of(DESIGNATED);
        }
    }

    /// # Safety
    ///
    /// The caller holds the lock, and gives it up.
    #[inline]
    pub(crate) unsafe fn unlock(&self) {
        // Release (mutex.unlock): what this holder did.
        if let Err(actual) = self.queue.try_change(Word::of(LOCKED), Word::EMPTY, Release) {
            self.unlock_slow(actual);
        }
    }

    #[cold]
    fn unlock_slow(&self, mut word: Word) {
        let _releasing = Releasing::begin();
        // Asked once in each unlock that finds both.
        let mut own_turn = None;
        loop {
            let is_left = !word.has_waiters()
                || word.is_queue_locked()
                || word.has(DESIGNATED) && !*own_turn.get_or_insert_with(is_turn);
            if is_left {
                // No thread to wake, or the holder of the queue lock or a designated waker will see to it
                // (invariant 1).
                // Release (mutex.unlock): what this holder did.
                // proof: mutex.unlock
                match self.queue.try_change(word, word.without(LOCKED), Release) {
                    Ok(()) => {
                        if word.is_queue_locked() {
                            reached("mutex unlock left to the holder of the queue lock");
                        }
                        return;
                    }
                    Err(actual) => word = actual,
                }
            } else {
                match self.queue.try_lock(word) {
                    Ok(locked) => return self.unlock_and_wake(locked, LOCKED),
                    Err(actual) => word = actual,
                }
            }
        }
    }

    /// Unlocks by handing the lock to the first waiter, if there is one.
    ///
    /// # Safety
    ///
    /// The caller holds the lock, and gives it up.
    pub(crate) unsafe fn unlock_fair(&self) {
        let _releasing = Releasing::begin();
        let mut word = Word::of(LOCKED);
        loop {
            let done = if word.is_queue_locked() {
                // LOCKED stays, for the holder of the queue lock to hand it over or to clear it (invariant
                // 3).
                self.queue.try_delegate(word, word)
            } else if word.has_waiters() {
                self.queue.try_lock(word).map(|locked| self.unlock_and_hand_off(locked))
            } else {
                // Release (mutex.unlock): what this holder did.
                // proof: mutex.unlock_fair
                self.queue.try_change(word, word.without(LOCKED), Release)
            };
            match done {
                Ok(()) => return,
                Err(actual) => word = actual,
            }
        }
    }

    /// Returns whether a thread waits. Advice only.
    pub(crate) fn has_waiters(&self) -> bool {
        self.queue.load().has_waiters()
    }

    /// Takes waiters of another queue into this one, where the next unlock finds them. If the lock is free,
    /// the first of them do not queue: they are woken to barge like any other thread. Behind all that queue
    /// here, they would come after many that were notified before and may be waiting for just what they are
    /// to do; and woken one by one, each on a processor that has gone to sleep by then, they would take twice
    /// as long.
    pub(crate) fn requeue(&self, mut woken: WakeList) {
        let mut batch = 0;
        // Relaxed, in `load`: a hint only. Woken in vain they queue by themselves, and queued for a free lock
        // they are found by `unlock_and_wake`. As long as `woken` has one the lock is still there, on its
        // behalf.
        while batch < numbers::WAKE_BATCH.get() && !self.queue.load().has(LOCKED) {
            if let Some(first) = woken.pop() {
                reached("mutex free for those that are moved to it");
                first.wake(Wakeup::BARGE);
                batch += 1;
            }
            if woken.tag().is_none() {
                return;
            }
        }
        let Ok(mut locked) = self.queue.lock_if_sleepless(self.queue.load(), |_| true) else {
            unreachable!()
        };
        locked.append(woken);
        self.unlock_and_wake(locked, 0);
    }

    /// Ends a section under the queue lock, clearing the `spent` bits, which are the caller's to clear.
    /// Restores invariant 1: if the lock is free then and no thread is on the way, the first waiter is woken;
    /// if it is starving, it is given the lock, whatever thread is on the way.
    fn unlock_and_wake(&self, locked: LockedQueue<'_>, spent: usize) {
        self.unlock_and_wake_as(locked, spent, false);
    }

    /// Ends a section under the queue lock in which the lock is given up, to the first waiter if there is
    /// one.
    fn unlock_and_hand_off(&self, locked: LockedQueue<'_>) {
        self.unlock_and_wake_as(locked, LOCKED, true);
    }

    /// Ends a section under the queue lock as either of the two does; a fair unlock that was delegated
    /// meanwhile is done as well.
    fn unlock_and_wake_as(&self, locked: LockedQueue<'_>, mut spent: usize, mut fair: bool) {
        let mut first: Option<(Dequeued, Wakeup)> = None;
        locked.unlock_as(|word, locked| {
            // Decided anew each time: a waiter that was to be woken for a lock which is taken by now stays in
            // the queue, or it would lose a race that it was never in.
            if let Some((waiter, _)) = first.take() {
                reached("mutex taken before the holder of the queue lock could wake a waiter for it");
                locked.put_back(waiter);
            }
            if word.is_recheck() {
                reached("mutex unlocked fairly by the holder of the queue lock");
                fair = true;
                spent |= LOCKED;
            }
            let mut word = word.without(spent);
            let hand_over = !word.has(LOCKED) && (fair || locked.first_is_starving());
            if hand_over || !word.has(LOCKED | DESIGNATED) {
                first = locked.pop().map(|waiter| {
                    if hand_over {
                        // The lock is taken for it here, or never let go of: `unlock_as` is Acquire and
                        // Release.
                        reached("mutex handed over");
                        if spent & LOCKED == 0 {
                            reached("mutex handed over by the holder of the queue lock");
                        }
                        if word.has(DESIGNATED) {
                            reached("mutex handed over past a designated waker");
                        }
                        word = word.with(LOCKED);
                        (waiter, Wakeup::HANDOFF)
                    } else {
                        word = word.with(DESIGNATED);
                        (waiter, Wakeup::WOKEN)
                    }
                });
            }
            locked.stamp_first();
            word
        });
        if let Some((waiter, outcome)) = first {
            waiter.wake(outcome);
        }
    }

    crate::facade::only! { model:
        pub(crate) fn has_waiters_now(&self) -> bool {
            self.queue.has_waiters_now()
        }
    }
}
