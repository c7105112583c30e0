//! Visible readers: those of a lock that are in without being counted in its state (after Dice and Kogan's
//! BRAVO).
//!
//! Two readers that count themselves in one word take its cache line from each other, which costs more than
//! everything else they do. So after some consecutive reads, with no writer between them, the reader bias is
//! enabled: READER_BIASED is set, and a reader *publishes* the lock's number in a slot of its own thread
//! instead of counting itself. It leaves by emptying the slot (it *retracts*). A writer sets WRITER, then
//! waits until no slot holds the lock's number, and takes the bias away.
//!
//! There is one table of slots for the process, and it never grows. A thread has a line of the table, and a
//! lock has one slot in each line, found by the lock's number. Which threads have a line to themselves is the
//! facade's affair (`lines`).
//!
//! | slot | meaning |
//! |---|---|
//! | 0 | free |
//! | n | a reader of the lock with the number n is in, or has published itself and is about to look at the state |
//!
//! | number | meaning |
//! |---|---|
//! | 0 | the bias of this lock was never enabled |
//! | n | the number under which the lock's readers publish themselves |
//!
//! Invariants:
//!
//! 1. A slot goes from 0 to a lock's number by a reader's exchange, and back by a store of the reader that is
//!    in.
//! 2. A number belongs to one lock and is never used again. So what a forgotten guard leaves in its slot
//!    keeps no other lock waiting. It is assigned before READER_BIASED is set for the first time, and never
//!    changes.
//! 3. The reader changes its slot and then looks at the state; the writer changes the state and then looks at
//!    the slots. Both do so in one total order, so one of them sees the other: the reader that sees the
//!    writer retracts and is counted.
//!
//! Ordering: `rwlock.write` and `rwlock.read` of the [module's page](super), the latter as a store of the
//! slot; `rwlock.slots`, the order of invariant 3: an exchange of the slot and a load of the state, against
//! the writer's fence between its exchange of the state and its loads of the slots; `rwlock.number`, from the
//! thread that enables the bias to the writer that asks.
//!
//! Promised upward: an uncontended read is an exchange and a store of a line that no other thread wants.
//! Limits: the table has a slot for 128 threads at a time; more share their lines, and a reader that finds
//! its slot taken is counted. A reader that leaves may miss a writer that has just begun to wait: that one
//! looks again by itself.

use super::plan::Cause;
use super::state::{Role, State};
use super::{RawRwLock, Visible};
use crate::facade::atomic::{
    AtomicU32,
    Ordering::{Acquire, Relaxed, Release},
    exchange_in_order, load_in_order,
};
use crate::facade::{Deadline, Releasing, TimeLimit, array, budget, const_fn, lines, per_process, reached};

const SLOTS: usize = budget(32, 1) as usize;

/// Two cache lines, because processors fetch them in pairs.
#[repr(align(128))]
struct Line([AtomicU32; SLOTS]);

impl Line {
    const_fn! {
        fn new() -> Self {
            Self(array![AtomicU32::new(0); SLOTS])
        }
    }

    #[inline]
    #[allow(clippy::modulo_one, reason = "a line of a model has one slot")]
    fn slot(&self, number: u32) -> &AtomicU32 {
        &self.0[number as usize % SLOTS]
    }
}

per_process! {
    static TABLE: [Line; lines::COUNT] = array![Line::new(); lines::COUNT];
}

per_process! {
    /// The number of the next lock, or 0 if there are none left.
    static NEXT: AtomicU32 = AtomicU32::new(1);
}

#[inline]
fn table() -> &'static [Line; lines::COUNT] {
    &TABLE
}

/// Returns a number that no other lock has or had, or 0 if there are none left.
fn new_number() -> u32 {
    // Relaxed: the number is all that matters.
    let mut next = NEXT.load(Relaxed);
    while next != 0 {
        // Relaxed: as above.
        match NEXT.compare_exchange_weak(next, next.wrapping_add(1), Relaxed, Relaxed) {
            Ok(_) => break,
            Err(actual) => next = actual,
        }
    }
    next
}

/// The visible readers of one lock.
#[derive(Debug)]
pub(crate) struct Readers {
    /// The number under which they publish themselves.
    number: AtomicU32,
}

impl Readers {
    const_fn! {
        pub(crate) fn new() -> Self {
            Self { number: AtomicU32::new(0) }
        }
    }

    /// Assigns a number. Returns false if there are none left.
    fn assign_number(&self) -> bool {
        // Relaxed: read again by the readers that publish it, and by the writer that looks for it.
        if self.number.load(Relaxed) != 0 {
            return true;
        }
        let number = new_number();
        // Relaxed: a thread that reads READER_BIASED with Acquire after this sees the number, and a reader
        // that does not see it publishes none.
        // proof: rwlock.number.set
        if self.number.compare_exchange(0, number, Relaxed, Relaxed).is_err() {
            reached("lock numbered by two readers");
        }
        number != 0
    }

    /// Publishes a reader in the calling thread's slot, if that is free.
    #[inline]
    fn publish(&self) -> Option<&'static AtomicU32> {
        // Relaxed: the number never changes; zero if it is not visible here yet.
        // proof: rwlock.number.publish
        let number = self.number.load(Relaxed);
        if number == 0 {
            return None;
        }
        let slot = table()[lines::mine() % lines::COUNT].slot(number);
        // In order with the load of the state that follows (rwlock.slots).
        // proof: rwlock.slots.publish
        exchange_in_order(slot, 0, number).then_some(slot)
    }

    /// Returns all slots in which a reader of the lock may be. Behind a `fence_in_order`, none is left out
    /// whose reader came first.
    fn slots(number: u32) -> impl Iterator<Item = &'static AtomicU32> {
        table()[..lines::used()].iter().map(move |line| line.slot(number))
    }
}

impl Visible for Readers {
    fn any(&self) -> bool {
        // Relaxed: zero only if no reader ever could publish itself (invariant 2).
        // proof: rwlock.number.scan
        let number = self.number.load(Relaxed);
        // Acquire (rwlock.read): if the slot was emptied, what its reader did is done.
        // proof: rwlock.slots.scan
        number != 0 && Self::slots(number).any(|slot| slot.load(Acquire) == number)
    }
}

impl Drop for Readers {
    /// Empties the slots of readers that were forgotten.
    fn drop(&mut self) {
        // Relaxed: no other thread has the lock any more.
        let number = self.number.load(Relaxed);
        if number == 0 {
            return;
        }
        for slot in Self::slots(number) {
            // Relaxed: carries nothing. Another lock's number stays.
            if slot.load(Relaxed) == number {
                let _ = slot.compare_exchange(number, 0, Relaxed, Relaxed);
            }
        }
    }
}

/// How a reader is in, to be given back when it leaves: its slot, or none if it is counted.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub(crate) struct ReadToken(Option<&'static AtomicU32>);

impl ReadToken {
    pub(crate) const COUNTED: Self = Self(None);
}

/// Reading with the reader bias.
impl RawRwLock<Readers> {
    /// Reads, waiting within the limit. `None` if that is over, or at once if there would be more readers
    /// than can be counted: without a limit that alone.
    // Always: of several callers in one program none is inlined otherwise, which costs a third of an
    // uncontended read.
    #[inline(always)]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn read(&self, role: Role, limit: TimeLimit<'_>) -> Option<ReadToken> {
        match self.read_at_once(role) {
            Ok(token) => Some(token),
            Err(state) => {
                let locked = limit.ended(self.read_slow(role, state, &limit.deadline()));
                locked.then_some(ReadToken::COUNTED)
            }
        }
    }

    /// Returns whether the reader is in, counted.
    #[cold]
    #[inline(never)]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn read_slow(&self, role: Role, state: State, deadline: &Deadline) -> bool {
        self.acquire(role, state, deadline).is_some_and(|state| {
            self.enable_bias(state);
            true
        })
    }

    #[inline]
    pub(crate) fn try_read(&self, role: Role) -> Option<ReadToken> {
        match self.read_at_once(role) {
            Ok(token) => Some(token),
            Err(state) => {
                self.enable_bias(self.try_acquire(role, state)?);
                Some(ReadToken::COUNTED)
            }
        }
    }

    /// Reads if that takes no more than a try, else returns what the state was.
    #[inline(always)]
    fn read_at_once(&self, role: Role) -> Result<ReadToken, State> {
        debug_assert!(role.reads());
        let state = self.load();
        if state.admits_visible_readers() {
            return self.publish(state);
        }
        // One of several reads after the last writer. With anything else going on in the lock, the slow path.
        let next = state.with_consecutive_read().ok_or(state)?;
        // Acquire (rwlock.write): what the last writer did.
        self.try_change(state, next, Acquire).map(|()| ReadToken::COUNTED)
    }

    /// Publishes the reader, if its slot is free and the lock still admits it then.
    #[inline]
    fn publish(&self, state: State) -> Result<ReadToken, State> {
        let slot = self.visible.publish().ok_or(state)?;
        // Acquire (rwlock.write): what the last writer did.
        // proof: rwlock.slots.look
        let state = State(load_in_order(&self.state));
        if !state.admits_visible_readers() {
            return Err(self.retract_at_once(slot, state));
        }
        reached("reader is visible");
        Ok(ReadToken(Some(slot)))
    }

    #[cold]
    #[inline(never)]
    fn retract_at_once(&self, slot: &AtomicU32, state: State) -> State {
        reached("reader retracts at once");
        self.retract(slot);
        state
    }

    #[inline]
    fn retract(&self, slot: &AtomicU32) {
        // Release (rwlock.read): that this reader is done reading.
        // proof: rwlock.slots.leave
        slot.store(0, Release);
        // May be older than the store: a writer that has just begun to wait would be missed, and finds out by
        // itself (`drain`). What an exchange would cost here is half of what reading costs.
        let state = self.load();
        if state.is_draining() {
            let _releasing = Releasing::begin();
            self.look_after_queue(state, Cause::Change);
        }
    }

    /// Lets readers publish themselves from now on, if there were some consecutive reads and nothing else is
    /// going on.
    fn enable_bias(&self, state: State) {
        if state.is_ready_for_bias() && self.visible.assign_number() {
            // Release (rwlock.number): the number, for the writer that will look for it. It does not matter
            // if it fails.
            // proof: rwlock.number.open
            let _ = self.try_change(state, state.with_bias(), Release);
        }
    }

    /// # Safety
    ///
    /// The caller has `token` from this lock, and is no longer in afterwards.
    #[inline]
    pub(crate) unsafe fn unlock_read(&self, token: ReadToken) {
        match token.0 {
            Some(slot) => self.retract(slot),
            // SAFETY: this function's contract: the reader is counted.
            None => unsafe { self.unlock_counted() },
        }
    }

    /// Gives up reading, in favour of the first in the queue.
    ///
    /// # Safety
    ///
    /// As for [`unlock_read`](Self::unlock_read).
    pub(crate) unsafe fn unlock_read_fair(&self, token: ReadToken) {
        match token.0 {
            Some(slot) => self.retract(slot),
            // SAFETY: this function's contract: the reader is counted.
            None => unsafe { self.unlock_counted_fair() },
        }
    }
}
