//! A reader-writer lock in two words, its queue's and its state's, with room beside for readers that it does
//! not count.
//!
//! | WRITER | DRAINING | UPGRADABLE | readers | meaning |
//! |---|---|---|---|---|
//! | 0 | 0 | 0 | 0 | free |
//! | 0 | 0 | 0 | n | read-locked |
//! | 0 | 0 | 1 | n | read-locked, once by the upgradable reader |
//! | 1 | 0 | 0 | 0 | write-locked |
//! | 1 | 1 | 0 | n | a writer (or the upgradable reader, upgrading) waits until the readers have left; none come in, but for recursive ones |
//! | 0 | 1 | u | n | `try_write` (or, if u is 1, `try_upgrade`) looks for visible readers: no writer comes in, and a counted reader that does makes it fail |
//!
//! | bit | meaning |
//! |---|---|
//! | READER_BIASED | readers may be in that are not counted but visible (`readers`); more may publish themselves unless WRITER, DRAINING or WRITER_WAITING is set |
//! | QUEUED | a thread is in the queue |
//! | WRITER_WAITING | a writer is in the queue: new readers queue up behind it |
//! | DESIGNATED | a woken waiter, the *designated waker*, has not come in, queued again or given up yet |
//!
//! WRITER and UPGRADABLE together are the *token*: one thread at most has either. While a thread looks for
//! visible readers no other gets it.
//!
//! | file | what it has |
//! |---|---|
//! | `mod` | the lock, readers that are counted, the upgradable reader, and how a thread waits to come in |
//! | `state` | the layout of the state word, and what a role makes of it |
//! | `writer` | the writer, and how it waits for readers to leave |
//! | `plan` | what the holder of the queue lock decides, and whom it wakes |
//! | `readers` | visible readers, the table of their slots, and the reader bias |
//!
//! `lock_api` keeps no token for a reader, so its lock is this one without `readers`: all are counted. The
//! others ask `readers` one question, whether any of them is in ([`Visible`]).
//!
//! Invariants:
//!
//! 1. QUEUED and WRITER_WAITING say what the queue holds, whenever it is not locked; they are changed by
//!    holders of the queue lock alone.
//! 2. Whenever the queue is not locked and a waiter could go on (see [`plan`]), DESIGNATED is set, and the
//!    designated waker will look after the others: when it comes in, queues again or gives up; or a thread
//!    that has made a change without the queue lock is about to take that, or to leave its work to the one
//!    that has it. A thread that queues decides for itself alone: for those before it the decision was made
//!    when they queued.
//! 3. WRITER, UPGRADABLE and the count are changed by those who come and go, and by a holder of the queue
//!    lock on behalf of a waiter.
//! 4. DRAINING is cleared by the thread that set it, or, for a writer that is in the queue, under the queue
//!    lock. A thread has the lock for writing if there are no counted readers in the exchange by which that
//!    is done, after no reader was seen to be visible since it set DRAINING and passed a fence.
//! 5. A thread that leaves may touch the lock once more after the exchange by which it leaves: the lock must
//!    outlive the call.
//!
//! As in the mutex, a free lock goes to the thread that comes first, and is handed to a waiter that is
//! starving. A writer's unlock wakes one waiter. If that is a reader, it counts in all readers up to the
//! first writer in the queue when it is there, by one exchange, and wakes them in one batch, so readers that
//! queued together go in together. The thread that unlocks pays for one wake-up, the lock does not rest while
//! the first reader wakes up, and the readers pay for one pass over those that are let in. If the first of
//! them is starving, the unlock does all that.
//!
//! A designated waker may have to wait long for a processor. So every sixteenth unlock of a thread that finds
//! both it and waiters looks after the first of them, which is handed the lock if it is starving and can have
//! it. Leaving as a counted reader is counted by itself; downgrading and stepping back are unlocks, too.
//!
//! No releasing call sleeps or, but for the fair ones, waits for the queue lock: one that finds it taken
//! leaves its work to the thread that has it.
//!
//! Ordering: `rwlock.write` (a writer's release to the next holder) and `rwlock.read` (a reader's release to
//! the next writer) are Release and Acquire on the state, or on a reader slot; `rwlock.left`, from a visible
//! reader that has looked after the queue to the last counted reader, on the state. All changes of the state
//! are read-modify-writes, so each extends the release sequences of those before it.
//!
//! Promised upward: exclusion; no lost wake-up; a waiting writer stops new readers; a timed-out one lets them
//! in again; uncontended writing is one exchange each way, reading the same, or one exchange and a store.
//! Limits: [`MAX_READERS`] counted readers at a time, those included that were forgotten.

mod plan;
mod readers;
mod state;
mod writer;

use self::plan::Cause;
pub(crate) use self::readers::{ReadToken, Readers};
pub(crate) use self::state::Role;
use self::state::{
    DESIGNATED, MAX_READERS, QUEUED, READER, State, TOKEN, TOKEN_TAKEN, UPGRADABLE, WRITER, WRITER_WAITING,
};
use crate::facade::atomic::{
    AtomicU32,
    Ordering::{self, Acquire, Relaxed, Release},
};
use crate::facade::{Deadline, Releasing, TimeLimit, const_fn, reached};
use crate::wait::{
    Collisions, LockedQueue, Place, Queue, SpinWait, Stamp, Waiter, Wakeup, Woken, is_reader_turn,
    yield_at_intervals,
};

/// Panics for a call that has found as many readers in as can be counted. The page of `RwLock` names the
/// limit.
#[cold]
#[track_caller]
pub(crate) fn too_many_readers(call: &str) -> ! {
    panic!("{call}: more than {MAX_READERS} readers at once")
}

/// The readers of a lock that are in without being counted in its state.
pub(crate) trait Visible {
    /// Returns whether there is one. If there is none, what those did that were in is done (Acquire,
    /// rwlock.read).
    fn any(&self) -> bool;
}

/// No reader: all are counted.
impl Visible for () {
    #[inline]
    fn any(&self) -> bool {
        false
    }
}

#[derive(Debug)]
pub(crate) struct RawRwLock<V> {
    queue: Queue,
    state: AtomicU32,
    visible: V,
}

impl<V> RawRwLock<V> {
    const_fn! {
        pub(crate) fn new(visible: V) -> Self {
            Self { queue: Queue::new(), state: AtomicU32::new(State::FREE.0), visible }
        }
    }

    #[inline]
    fn load(&self) -> State {
        // Relaxed: a thread that acts on it exchanges the state, and fails if it has changed.
        // proof: rwlock.load
        State(self.state.load(Relaxed))
    }

    /// Changes the state if it is `current`. May fail for no reason.
    #[inline]
    fn try_change(&self, current: State, next: State, success: Ordering) -> Result<(), State> {
        // Ordering named by the caller. Relaxed on failure: nothing has been taken.
        match self.state.compare_exchange_weak(current.0, next.0, success, Relaxed) {
            Ok(_) => Ok(()),
            Err(actual) => Err(State(actual)),
        }
    }

    /// Returns whether a writer has the lock. Advice only.
    pub(crate) fn is_write_locked(&self) -> bool {
        self.load().is_write_locked()
    }

    /// Returns whether a thread waits: in the queue, or as the writer that drains the lock, which leaves the
    /// queue to look at the readers now and then. Advice only.
    pub(crate) fn has_waiters(&self) -> bool {
        let state = self.load();
        state.has(QUEUED) || state.is_draining()
    }

    crate::facade::only! { model:
        /// Returns, for models, whether a thread is in the queue at this point of the state's history (see
        /// the queue's).
        pub(crate) fn has_waiters_now(&self) -> bool {
            let mut state = self.load();
            while let Err(actual) = self.try_change(state, state, Relaxed) {
                state = actual;
            }
            state.has(QUEUED)
        }
    }
}

impl<V: Visible> RawRwLock<V> {
    /// Returns whether a reader is in that is not counted.
    fn any_visible(&self, state: State) -> bool {
        state.is_reader_biased() && self.visible.any()
    }

    /// Returns whether a thread has the lock. Advice only.
    pub(crate) fn is_locked(&self) -> bool {
        let state = self.load();
        state.has(TOKEN) || state.has_readers() || self.any_visible(state)
    }

    // Counted readers.

    /// # Safety
    ///
    /// The caller is a counted reader, and no longer is afterwards.
    #[inline]
    pub(crate) unsafe fn unlock_counted(&self) {
        // Release (rwlock.read): that this reader is done reading.
        // proof: rwlock.uncount
        let before = State(self.state.fetch_sub(READER, Release));
        if before.has(QUEUED) && (before.readers() == 1 || before.has(DESIGNATED)) {
            self.counted_reader_left(before);
        }
    }

    #[cold]
    fn counted_reader_left(&self, before: State) {
        if before.is_draining() {
            if before.readers() != 1 {
                return;
            }
            // The bias stays as it is while a writer drains the lock. Without it there is no visible reader.
            if before.is_reader_biased() && self.leaves_visible_readers() {
                reached("counted reader leaves the writer to a visible one");
                return;
            }
        } else if before.has(DESIGNATED) {
            return self.take_turn(before.without_reader());
        } else if before.has(TOKEN_TAKEN) {
            // No waiter can go on for it.
            return;
        }
        let _releasing = Releasing::begin();
        self.look_after_queue(before.without_reader(), Cause::Change);
    }

    /// Looks after the first waiter for a reader that has left beside a designated waker, which may not have
    /// a processor yet, if it is this thread's turn: other readers, which come and go, would pass those in
    /// the queue without end.
    fn take_turn(&self, state: State) {
        if state.has(QUEUED) && is_reader_turn() {
            let _releasing = Releasing::begin();
            self.look_after_queue(state, Cause::Turn);
        }
    }

    /// Returns, for the last counted reader that leaves while a writer waits, whether a visible one is still
    /// in, which will find that the count is zero when it looks after the queue. Recursive readers that come
    /// and go beside it would else take the queue lock each time, for nothing.
    fn leaves_visible_readers(&self) -> bool {
        // Acquire (rwlock.left): of a visible reader that looked while this one was counted, that it has
        // left.
        // proof: rwlock.left
        let state = State(self.state.load(Acquire));
        self.any_visible(state)
    }

    /// Gives up reading, in favour of the first in the queue.
    ///
    /// # Safety
    ///
    /// As for [`unlock_counted`](Self::unlock_counted).
    pub(crate) unsafe fn unlock_counted_fair(&self) {
        self.change_fairly(State::without_reader);
    }

    // The upgradable reader.

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn upgradable(&self, limit: TimeLimit<'_>) -> bool {
        // Acquire (rwlock.write): what the last writer did.
        match self.try_change(State::FREE, State(UPGRADABLE), Acquire) {
            Ok(()) => true,
            Err(state) => limit.ended(self.acquire(Role::Upgradable, state, &limit.deadline()).is_some()),
        }
    }

    pub(crate) fn try_upgradable(&self) -> bool {
        self.try_acquire(Role::Upgradable, State::FREE).is_some()
    }

    /// # Safety
    ///
    /// The caller is the upgradable reader, and no longer is afterwards.
    pub(crate) unsafe fn unlock_upgradable(&self) {
        self.change(State(UPGRADABLE), |state| state.without(UPGRADABLE));
    }

    /// # Safety
    ///
    /// As for [`unlock_upgradable`](Self::unlock_upgradable).
    pub(crate) unsafe fn unlock_upgradable_fair(&self) {
        self.change_fairly(|state| state.without(UPGRADABLE));
    }

    /// # Safety
    ///
    /// The caller is the upgradable reader, and a counted reader afterwards, unless there are too many: then
    /// the result is false, and nothing has changed.
    #[must_use]
    pub(crate) unsafe fn downgrade_upgradable(&self) -> bool {
        // Counted first, so that no writer can come in between.
        let Some(counted) = self.try_acquire(Role::ReadAgain, self.load()) else { return false };
        self.change(counted, |state| state.without(UPGRADABLE));
        true
    }

    // All of them.

    /// Tries to come in for as long as the state allows it. Returns what the state is then. `state` is what
    /// the caller last saw, or an optimistic expected value: the exchange finds out.
    #[inline]
    fn try_acquire(&self, role: Role, mut state: State) -> Option<State> {
        while let Some(next) = role.enter(state, 0) {
            // Acquire (rwlock.write, rwlock.read): what earlier holders did.
            // proof: rwlock.try_acquire
            match self.try_change(state, next, Acquire) {
                Ok(()) => return Some(next),
                Err(actual) => state = actual,
            }
        }
        None
    }

    /// Comes in, waiting until the deadline. A reader gives up at once if there would be too many, and is
    /// counted if not. Returns what the state is then, or nothing of it (FREE) if the lock was handed over.
    #[cold]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn acquire(&self, role: Role, mut state: State, deadline: &Deadline) -> Option<State> {
        let mut designated = 0;
        let mut stamp = Stamp::NONE;
        let mut spin = SpinWait::for_shared_lock();
        let mut collisions = Collisions::NONE;
        loop {
            if let Some(next) = role.enter(state, designated) {
                // A reader takes nothing from a reader, and may have to be through before a writer can come
                // in.
                if designated == 0 && role == Role::Write && state.has(DESIGNATED) && !deadline.has_passed() {
                    yield_at_intervals();
                }
                // Acquire (rwlock.write, rwlock.read): what earlier holders did.
                // proof: rwlock.acquire
                match self.try_change(state, next, Acquire) {
                    Ok(()) => {
                        if designated != 0 && role != Role::Write && next.has(QUEUED) {
                            reached("reader lets the others in");
                            self.look_after_queue(next, Cause::Change);
                        }
                        return Some(next);
                    }
                    Err(actual) => {
                        state = actual;
                        collisions.pause();
                    }
                }
                continue;
            }
            if deadline.has_passed() || role.reads() && state.is_full() {
                if designated != 0 {
                    reached("rwlock given up by a woken waiter");
                    self.change(state, |state| state.without(DESIGNATED));
                }
                return None;
            }
            let another_comes = designated == 0 && state.has(DESIGNATED);
            if designated == 0 && state.has(QUEUED) && spin.leaves_to_others() {
                spin = SpinWait::NONE;
            }
            let paused = if another_comes { spin.yield_only() } else { spin.spin() };
            if paused {
                state = self.load();
                continue;
            }
            if designated != 0 {
                reached("rwlock lost to another after a wake-up");
            }
            match self.queue_up(role, designated, stamp, state, deadline) {
                None => return None,
                Some(Woken { outcome: Wakeup::HANDOFF, .. }) => return Some(State::FREE),
                Some(woken) => stamp = woken.stamp,
            }
            designated = DESIGNATED;
            spin = SpinWait::NONE;
            state = State(DESIGNATED);
        }
    }

    /// Queues, and blocks until the lock is handed to this thread, or it is woken as the designated waker, or
    /// the deadline passes. `designated` is DESIGNATED for a thread that was that, and has lost to another.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn queue_up(
        &self,
        role: Role,
        designated: u32,
        stamp: Stamp,
        state: State,
        deadline: &Deadline,
    ) -> Option<Woken> {
        // A recursive reader does not wait for those that are queued.
        let front = designated != 0 || role == Role::ReadAgain;
        let place = if front { Place::Front } else { Place::Back };
        let waiter = Waiter::new(&self.queue, role.tag(place)).stamped(stamp);
        // Queues first and looks then: if it can go on by now, the plan says so. One more asleep, one more
        // may be woken, as in the mutex; but not past readers that are on their way into a lock without a
        // writer.
        let publish = |queue: LockedQueue<'_>| {
            let change = |state: State| {
                let waits = role == Role::Write && designated != 0;
                let state = if waits { state.with(WRITER_WAITING) } else { state };
                if designated != 0 || state.has(WRITER) { state.without(DESIGNATED) } else { state }
            };
            // The designated waker was to look after the others.
            let cause = if designated != 0 { Cause::Change } else { Cause::Queued(role) };
            self.unlock_and_wake(queue, state, change, cause);
        };
        let leave = |queue: LockedQueue<'_>| {
            self.unlock_and_wake(queue, state, |state| state, Cause::Left(role));
        };
        let awake = if designated != 0 { SpinWait::for_handoff() } else { SpinWait::NONE };
        self.queue.lock().wait(waiter, place, publish, deadline, awake, leave)
    }
}

/// Reading where all readers are counted.
#[cfg_attr(not(feature = "lock_api"), allow(dead_code, reason = "the readers of lock_api"))]
impl RawRwLock<()> {
    /// Reads, waiting within the limit. Returns `false` if that is over, or at
    /// once if there would be more readers than can be counted: without a deadline that alone.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn read(&self, role: Role, limit: TimeLimit<'_>) -> bool {
        self.try_read(role) || limit.ended(self.acquire(role, self.load(), &limit.deadline()).is_some())
    }

    #[inline]
    pub(crate) fn try_read(&self, role: Role) -> bool {
        debug_assert!(role.reads());
        self.try_acquire(role, self.load()).is_some()
    }
}
