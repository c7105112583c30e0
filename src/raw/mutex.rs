//! A mutual exclusion lock in one word, which is its queue's word with two bits of its own.
//!
//! | LOCKED | WAKING | waiters | meaning |
//! |---|---|---|---|
//! | 0 | 0 | none | free |
//! | 1 | 0 | none | held, uncontended |
//! | 1 | 0 | some | held; the holder's unlock wakes the first waiter |
//! | 0 | 1 | any | free; a woken waiter is on its way to take it |
//! | 1 | 1 | any | held, though a woken waiter is on its way: another thread was faster |
//! | 0 | 0 | some | only while the queue is guarded: the guard's holder wakes the first waiter before it is done |
//!
//! Invariants:
//!
//! 1. Whenever the queue is not guarded and somebody waits, LOCKED is set or a woken waiter is on its way, which will
//!    lock, queue or give up, each in an exchange that leaves LOCKED set or wakes the first: somebody will wake it.
//! 2. WAKING is set by a guard's holder alone, when it takes out a waiter to wake it. It is cleared in the exchange in
//!    which a woken waiter takes the lock, queues again or gives up, and in which any thread queues. So while it is
//!    set a woken waiter has yet to come, and unlocking wakes nobody else: for each thread that goes to sleep one is
//!    woken, and no more.
//! 3. LOCKED is cleared by its holder alone, or on its behalf by a holder of the queue lock to which a fair unlock was
//!    delegated. A hand-off leaves it set: the lock passes to the waiter without ever being free.
//!
//! A waiter that is woken must compete with threads that come by (that is what makes a contended lock fast: the lock
//! never rests while a thread wakes up). Each time it loses it goes back to the *front* of the queue. A waiter that has
//! stood first for half a millisecond is starving: the next unlock that takes the queue lock does not wake it but hands
//! the lock over. So there is at most one hand-off for each half millisecond, and a lock that is taken for long sections
//! goes to its first waiter at each unlock.
//!
//! While a designated waker is on its way an unlock does not take the queue lock, except for every [`TURNS`]th of each
//! thread: a woken thread may wait for a processor for as long as others like, and the first waiter is not to wait with
//! it.
//!
//! No unlock waits for the queue lock. While another thread has it, an unlock clears LOCKED and leaves the waking to that
//! thread, whose [`settle`](RawMutex::settle) sees a free lock; a fair unlock leaves LOCKED set, and delegates.
//!
//! Ordering: `mutex.unlock` is Release, taking the lock is Acquire; each exchange between two holders is a
//! read-modify-write, so it extends the release sequence of the unlock it follows.
//!
//! Promised upward: exclusion; no lost wake-up; an uncontended lock and unlock are one exchange each; nothing in the
//! word is touched after the exchange that releases it.

use std::ptr;

use crate::facade::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::facade::{Deadline, Releasing, budget, const_fn, is_turn, reached};
use crate::wait::{
    Due, Dues, Guard, Outcome, Place, Queue, Spin, Stamp, Waiter, Woken, Word, give_way_at_times,
};

const LOCKED: usize = Word::bit(0);
const WAKING: usize = Word::bit(1);

/// Which unlocks look after the first waiter although a designated waker is on its way: of each thread one in so many.
const TURNS: u32 = 16;

/// How many of those who were notified may come for a free lock at once.
const CROWD: u32 = budget(16, 1);

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

    #[inline]
    pub(crate) fn lock(&self) {
        // Acquire (mutex.unlock): what earlier holders did.
        if let Err(word) = self.queue.try_change(Word::EMPTY, Word::of(LOCKED), Acquire) {
            self.lock_slow(word, 0, &Deadline::NEVER, Stamp::NONE);
        }
    }

    /// Locks before the deadline, or says that it could not. The deadline is made only if it is needed.
    #[inline]
    pub(crate) fn lock_until(&self, deadline: impl FnOnce() -> Deadline) -> bool {
        // Acquire (mutex.unlock): what earlier holders did.
        match self.queue.try_change(Word::EMPTY, Word::of(LOCKED), Acquire) {
            Ok(()) => true,
            Err(word) => self.lock_slow(word, 0, &deadline(), Stamp::NONE),
        }
    }

    /// Locks on behalf of a waiter that was woken from this queue, having been requeued into it.
    pub(crate) fn lock_requeued(&self, woken: Woken) {
        match woken.outcome {
            Outcome::GRANTED => {}
            Outcome::LOOSE => self.lock(),
            _ => {
                self.lock_slow(Word::of(WAKING), WAKING, &Deadline::NEVER, woken.stamp);
            }
        }
    }

    /// `word` is what the caller last saw, or supposes. `carried` is WAKING for a thread that was woken from the
    /// queue, which must clear that bit with its next exchange, and otherwise nothing. `stamp` is that of its last wait.
    #[cold]
    fn lock_slow(&self, mut word: Word, mut carried: usize, deadline: &Deadline, mut stamp: Stamp) -> bool {
        // Made when it is needed: who finds the lock free has not waited and learns nothing from it.
        let mut spin = (carried != 0).then(Spin::after_wake);
        loop {
            if !word.has(LOCKED) {
                if carried == 0 && word.has(WAKING) && !deadline.has_passed() {
                    give_way_at_times();
                }
                // Acquire (mutex.unlock): what earlier holders did.
                match self.queue.try_change(word, word.without(carried).with(LOCKED), Acquire) {
                    Ok(()) => {
                        if let Some(spin) = &spin {
                            spin.learn();
                        }
                        return true;
                    }
                    Err(actual) => word = actual,
                }
                continue;
            }
            if deadline.has_passed() {
                // Invariant 1: LOCKED is set in the same exchange, so the holder's unlock wakes the next.
                // Relaxed: nothing is taken or handed over.
                if carried == 0 {
                    return false;
                }
                match self.queue.try_change(word, word.without(carried), Relaxed) {
                    Ok(()) => {
                        reached!("mutex given up by a woken waiter");
                        return false;
                    }
                    Err(actual) => word = actual,
                }
                continue;
            }
            let another_comes = carried == 0 && word.has(WAKING);
            let spin_now = spin.get_or_insert_with(Spin::for_lock);
            let paused = if another_comes { spin_now.give_way() } else { spin_now.again() };
            if paused {
                word = self.queue.load();
                continue;
            }
            if carried != 0 {
                reached!("mutex lost to another after a wake-up");
            }
            let waiter = Waiter::new(&self.queue, ptr::null()).stamped(stamp);
            let guard = match self.queue.guard_if(word, |word| word.has(LOCKED)) {
                Ok(guard) => guard,
                Err(actual) => {
                    word = actual;
                    continue;
                }
            };
            let place = if carried != 0 { Place::Front } else { Place::Back };
            let publish = |guard: Guard<'_>| self.settle(guard, WAKING);
            let leave = |guard: Guard<'_>| self.settle(guard, 0);
            let awake = if carried != 0 { Spin::for_grant() } else { Spin::NONE };
            match guard.wait(waiter, place, publish, deadline, awake, leave) {
                None => return false,
                Some(Woken { outcome: Outcome::GRANTED, .. }) => return true,
                Some(woken) => stamp = woken.stamp,
            }
            carried = WAKING;
            spin = Some(Spin::after_wake());
            word = Word::of(WAKING);
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
        let mut is_turn = None;
        loop {
            let is_left = !word.has_waiters()
                || word.is_guarded()
                || word.has(WAKING) && !*is_turn.get_or_insert_with(is_turn_of_first);
            if is_left {
                // No thread to wake, or the holder of the queue lock or a designated waker will see to it (invariant 1).
                // Release (mutex.unlock): what this holder did.
                match self.queue.try_change(word, word.without(LOCKED), Release) {
                    Ok(()) => {
                        if word.is_guarded() {
                            reached!("mutex unlock left to the guard's holder");
                        }
                        return;
                    }
                    Err(actual) => word = actual,
                }
            } else {
                match self.queue.try_guard(word) {
                    Ok(guard) => return self.settle(guard, LOCKED),
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
            let done = if word.is_guarded() {
                // LOCKED stays, for the holder of the queue lock to hand it over or to clear it (invariant 3).
                self.queue.try_delegate(word, word)
            } else if word.has_waiters() {
                self.queue.try_guard(word).map(|guard| self.unlock_guarded(guard))
            } else {
                // Release (mutex.unlock): what this holder did.
                self.queue.try_change(word, word.without(LOCKED), Release)
            };
            match done {
                Ok(()) => return,
                Err(actual) => word = actual,
            }
        }
    }

    /// Whether a thread waits. Advice only.
    pub(crate) fn has_waiters(&self) -> bool {
        self.queue.load().has_waiters()
    }

    /// Takes waiters of another queue into this one, where the next unlock finds them. If the lock is free, the first of
    /// them do not queue: they are woken to come by like any other thread. Behind all who queue here, they would come after a
    /// whole crowd that was notified before and may be waiting for just what they are to do; and woken one by one,
    /// each on a processor that has gone to sleep by then, they would take twice as long.
    pub(crate) fn requeue(&self, mut dues: Dues) {
        let mut crowd = 0;
        // Relaxed, in `load`: a hint only. Woken in vain they queue by themselves, and queued for a free lock they are
        // found by `settle`. As long as `dues` has one the lock is still there, on its behalf.
        while crowd < CROWD && !self.queue.load().has(LOCKED) {
            if let Some(first) = dues.pop() {
                reached!("mutex free for those that are moved to it");
                first.wake(Outcome::LOOSE);
                crowd += 1;
            }
            if dues.tag().is_none() {
                return;
            }
        }
        let Ok(mut guard) = self.queue.guard_if_sleepless(self.queue.load(), |_| true) else {
            unreachable!()
        };
        guard.append(dues);
        self.settle(guard, 0);
    }

    /// Ends a guarded section, clearing the `spent` bits, which are the caller's to clear. Restores invariant 1: if the
    /// lock is free then and no thread is on the way, the first waiter is woken; if it is starving, it is given the lock,
    /// whatever thread is on the way.
    fn settle(&self, guard: Guard<'_>, spent: usize) {
        self.settle_as(guard, spent, false);
    }

    /// Ends a guarded section in which the lock is given up, to the first waiter if there is one.
    fn unlock_guarded(&self, guard: Guard<'_>) {
        self.settle_as(guard, LOCKED, true);
    }

    /// The same as either, and a fair unlock that was delegated meanwhile is done as well.
    fn settle_as(&self, guard: Guard<'_>, mut spent: usize, mut fair: bool) {
        let mut first: Option<(Due, Outcome)> = None;
        guard.finish(|word, guard| {
            // Decided anew each time: a waiter that was to be woken for a lock which is taken by now stays in the
            // queue, or it would lose a race that it was never in.
            if let Some((due, _)) = first.take() {
                reached!("mutex taken before its guard's holder could wake a waiter for it");
                guard.put_back(due);
            }
            if word.is_recheck() {
                reached!("mutex unlocked fairly by the holder of the queue lock");
                fair = true;
                spent |= LOCKED;
            }
            let mut word = word.without(spent);
            let hand_over = !word.has(LOCKED) && (fair || guard.first_is_starving());
            if hand_over || !word.has(LOCKED | WAKING) {
                first = guard.pop().map(|due| {
                    if hand_over {
                        // The lock is taken for it here, or never let go of: `finish` is Acquire and Release.
                        reached!("mutex handed over");
                        if spent & LOCKED == 0 {
                            reached!("mutex handed over by the holder of the queue lock");
                        }
                        if word.has(WAKING) {
                            reached!("mutex handed over past a designated waker");
                        }
                        word = word.with(LOCKED);
                        (due, Outcome::GRANTED)
                    } else {
                        word = word.with(WAKING);
                        (due, Outcome::WOKEN)
                    }
                });
            }
            guard.stamp_first();
            word
        });
        if let Some((due, outcome)) = first {
            due.wake(outcome);
        }
    }

    crate::facade::model_only! {
        pub(crate) fn has_waiters_now(&self) -> bool {
            self.queue.has_waiters_now()
        }
    }
}

/// Returns whether it is the calling thread's turn to look after the first waiter of a lock for which a designated waker
/// is on its way.
fn is_turn_of_first() -> bool {
    is_turn(TURNS)
}
