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
//! 3. LOCKED is cleared by its holder alone. A grant leaves it set: the lock passes to the waiter without ever being
//!    free.
//!
//! A waiter that is woken must compete with threads that come by (that is what makes a contended lock fast: the lock
//! never rests while a thread wakes up). Each time it loses it goes back to the *front* of the queue, and after
//! [`PATIENCE`] losses it is impatient: it is not woken again but granted the lock, by the next unlock that finds nobody
//! on the way. Only threads that were on their way when it became first can come in front of it, and each of those is
//! woken `PATIENCE + 1` times at most, so each waiter gets the lock after a bounded number of wake-ups. Counting losses
//! instead of time needs no clock and is model-checked as it is.
//!
//! An unlock never waits for the queue's guard: while another thread has it, the unlock clears LOCKED and leaves the
//! waking to that thread, whose [`settle`](RawMutex::settle) sees a free lock.
//!
//! Ordering: `mutex.unlock` is Release, taking the lock is Acquire; each exchange between two holders is a
//! read-modify-write, so it extends the release sequence of the unlock it follows.
//!
//! Promised upward: exclusion; no lost wake-up; an uncontended lock and unlock are one exchange each; nothing in the
//! word is touched after the exchange that releases it.

use std::ptr;

use crate::facade::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::facade::{Deadline, budget, const_fn, give_way_at_times, reached};
use crate::wait::{Due, Dues, Guard, Outcome, Place, Queue, Spin, Waiter, Word};

const LOCKED: usize = Word::bit(0);
const WAKING: usize = Word::bit(1);

/// How often a waiter lets others be faster. One in a model, so that a model can get there.
pub(crate) const PATIENCE: u32 = budget(2, 1);

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
            self.lock_slow(word, 0, &Deadline::NEVER, PATIENCE);
        }
    }

    /// Locks before the deadline, or says that it could not. The deadline is made only if it is needed.
    #[inline]
    pub(crate) fn lock_until(&self, deadline: impl FnOnce() -> Deadline) -> bool {
        // Acquire (mutex.unlock): what earlier holders did.
        match self.queue.try_change(Word::EMPTY, Word::of(LOCKED), Acquire) {
            Ok(()) => true,
            Err(word) => self.lock_slow(word, 0, &deadline(), PATIENCE),
        }
    }

    /// Locks on behalf of a waiter that was woken from this queue with `outcome`, having been requeued into it.
    pub(crate) fn lock_requeued(&self, outcome: Outcome) {
        match outcome {
            Outcome::GRANTED => {}
            Outcome::LOOSE => self.lock(),
            _ => {
                self.lock_slow(Word::of(WAKING), WAKING, &Deadline::NEVER, PATIENCE);
            }
        }
    }

    /// `word` is what the caller last saw, or supposes. `carried` is WAKING for a thread that was woken from the
    /// queue, which must clear that bit with its next exchange, and otherwise nothing.
    #[cold]
    fn lock_slow(&self, mut word: Word, mut carried: usize, deadline: &Deadline, patience: u32) -> bool {
        let mut losses = 0;
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
                losses += 1;
            }
            let impatient = losses >= patience;
            let waiter = Waiter::new(&self.queue, ptr::null(), impatient);
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
            let awake = if impatient { Spin::for_grant() } else { Spin::NONE };
            match guard.wait(waiter, place, publish, deadline, awake, leave) {
                None => return false,
                Some(Outcome::GRANTED) => return true,
                Some(_) => carried = WAKING,
            }
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
        loop {
            if !word.has_waiters() || word.has(WAKING) || word.is_guarded() {
                // Nobody to wake, or somebody is on the way, or the guard's holder will see to it (invariant 1).
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
        let mut word = Word::of(LOCKED);
        loop {
            if word.has_waiters() {
                match self.queue.guard_if(word, Word::has_waiters) {
                    Ok(mut guard) => {
                        let first = guard.pop();
                        // Invariant 3: LOCKED stays.
                        guard.release();
                        if let Some(first) = first {
                            first.wake(Outcome::GRANTED);
                        }
                        return;
                    }
                    Err(actual) => word = actual,
                }
                continue;
            }
            // Release (mutex.unlock): what this holder did.
            match self.queue.try_change(word, word.without(LOCKED), Release) {
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
        let mut guard = self.queue.guard();
        guard.append(dues);
        self.settle(guard, 0);
    }

    /// Ends a guarded section, clearing the `spent` bits, which are the caller's to clear. Restores invariant 1: if
    /// the lock is free then and nobody is on the way, the first waiter is woken or, if impatient, given the lock.
    fn settle(&self, guard: Guard<'_>, spent: usize) {
        let mut first: Option<Due> = None;
        let mut outcome = Outcome::WOKEN;
        guard.finish(|word, guard| {
            // Decided anew each time: a waiter that was to be woken for a lock which is taken by now stays in the
            // queue, or it would lose a race that it was never in.
            if let Some(due) = first.take() {
                reached!("mutex taken before its guard's holder could wake a waiter for it");
                guard.put_back(due);
            }
            let word = word.without(spent);
            if word.has(LOCKED | WAKING) {
                return word;
            }
            first = guard.pop();
            match &first {
                None => word,
                Some(due) if due.is_impatient() => {
                    // The lock is taken for it here, or never let go of: `finish` is Acquire and Release.
                    reached!("mutex granted");
                    if spent != LOCKED {
                        reached!("mutex granted by the guard's holder");
                    }
                    outcome = Outcome::GRANTED;
                    word.with(LOCKED)
                }
                Some(_) => {
                    outcome = Outcome::WOKEN;
                    word.with(WAKING)
                }
            }
        });
        if let Some(due) = first {
            due.wake(outcome);
        }
    }

    crate::facade::model_only! {
        pub(crate) fn has_waiters_now(&self) -> bool {
            self.queue.has_waiters_now()
        }

        /// For models: locks as a thread that has been passed over `PATIENCE` times.
        pub(crate) fn lock_impatiently(&self) {
            self.lock_slow(Word::EMPTY, 0, &Deadline::NEVER, 0);
        }
    }
}
