//! A reader-writer lock in two words: its queue's, and one with the lock's state and number of readers; and a third,
//! half as long, with the lock's own number, under which readers sit down elsewhere.
//!
//! | WRITER | PENDING | UPGRADABLE | readers | meaning |
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
//! | SEATS | readers may be in who are not counted, but sit (below); more may sit down unless WRITER or HOLD is set |
//! | QUEUED | somebody is in the queue |
//! | HOLD | a writer is in the queue: new readers queue up behind it |
//! | WAKING | a woken waiter is on its way |
//!
//! WRITER and UPGRADABLE together are the *token*: one thread at most has either. While a thread looks for visible
//! readers no other gets it.
//!
//! **Seats.** Two readers that count themselves in one word take its cache line from each other, which costs more than
//! everything else they do. So once some reads have come in a row, with no writer between them, SEATS is set, and a
//! reader does not count itself but writes the lock's number into its own thread's seat for it, in a table that all locks share
//! (`readers`). It leaves by emptying the seat. A writer sets WRITER, then waits until no seat holds its number,
//! and clears SEATS. The reader writes the seat and then looks at the state; the writer writes the state and then looks
//! at the seats; both do so in one total order, so one of them sees the other: the reader gives way.
//!
//! Invariants:
//!
//! 1. QUEUED and HOLD say what the queue holds, whenever it is not guarded; they are changed by guard's holders alone.
//! 2. Whenever the queue is not guarded and a waiter could go on (see `Plan`), WAKING is set, and the woken waiter on
//!    its way will look after the others: when it comes in, queues again or gives up; or a reader or an upgradable reader that
//!    was granted the lock is on its way, which does the same when it comes.
//! 3. WRITER, UPGRADABLE and the count are changed by those who come and go, and by a guard's holder on behalf of a
//!    waiter.
//! 4. PENDING is cleared by the thread that set it. That one has the lock for writing if there are no counted readers in
//!    the exchange by which it does so, after it has seen each slot empty since it set PENDING.
//! 5. Who leaves may touch the lock once more after the exchange by which it leaves: the lock must outlive the call.
//!
//! As in the mutex, a free lock goes to whoever comes first, and a waiter that has been woken and lost a few times is
//! granted the lock ([`PATIENCE`]). One waiter is woken at a time: a reader that comes in wakes the next reader in front
//! of the first waiting writer, so readers that queued together go in together, and the thread that unlocks pays for one
//! wake-up only.
//!
//! Ordering: `rwlock.write` (a writer's release to whoever comes next) and `rwlock.read` (a reader's release to the
//! next writer) are Release and Acquire on the state, or on the seat. All changes of the state are read-modify-writes, so
//! each extends the release sequences of those before it.
//!
//! Promised upward: exclusion; no lost wake-up; a waiting writer stops new readers; a timed-out one lets them in again;
//! uncontended writing is one exchange each way, reading the same, or one exchange and a store.

mod readers;

use std::fmt;
use std::mem;
use std::ptr::{self, NonNull};

use super::mutex::PATIENCE;
use crate::facade::atomic::{
    AtomicU32,
    Ordering::{self, AcqRel, Acquire, Relaxed, Release},
    exchange_in_order, fence_in_order, load_in_order,
};
use crate::facade::{Deadline, Rounds, budget, const_fn, reached};
use crate::wait::{Guard, Outcome, Place, Queue, Spin, Waiter, Woken, give_way_at_times};

/// What the lock's word says.
#[derive(Clone, Copy, PartialEq, Eq)]
struct State(u32);

const WRITER: u32 = 1;
const PENDING: u32 = WRITER << 1;
const UPGRADABLE: u32 = PENDING << 1;
const QUEUED: u32 = UPGRADABLE << 1;
const HOLD: u32 = QUEUED << 1;
const WAKING: u32 = HOLD << 1;
const SEATS: u32 = WAKING << 1;
/// One read without a writer since the last.
const CALM: u32 = SEATS << 1;
const CALM_MASK: u32 = READER - CALM;
/// One counted reader.
const READER: u32 = CALM << 2;
/// More readers than this are never counted: 8 388 607. Visible readers come on top.
const MOST_READERS: u32 = u32::MAX / READER;
const TOKEN: u32 = WRITER | UPGRADABLE;
/// While one of these is set no thread gets the token.
const TAKEN: u32 = TOKEN | PENDING;

/// After so many reads in a row readers sit down.
const CALM_ENOUGH: u32 = budget(3, 1);

const _: () = assert!(CALM_ENOUGH * CALM <= CALM_MASK);
const _: () = assert!(MOST_READERS == 8_388_607, "the public page and the guides name the limit");

impl State {
    const fn has(self, bits: u32) -> bool {
        self.0 & bits != 0
    }

    const fn with(self, bits: u32) -> Self {
        Self(self.0 | bits)
    }

    const fn without(self, bits: u32) -> Self {
        Self(self.0 & !bits)
    }

    /// A writer has it, and waits for nobody any more.
    const fn is_written(self) -> bool {
        self.has(WRITER) && !self.has(PENDING)
    }

    /// A writer waits until the readers have left.
    const fn is_draining(self) -> bool {
        self.has(WRITER) && self.has(PENDING)
    }

    /// Whether readers may be visible instead of counted.
    const fn is_open(self) -> bool {
        self.0 & (SEATS | WRITER | PENDING | HOLD) == SEATS
    }

    /// How many readers are in, but for those who sit.
    const fn readers(self) -> u32 {
        self.0 / READER
    }

    const fn has_readers(self) -> bool {
        self.readers() != 0
    }

    const fn is_full(self) -> bool {
        self.readers() == MOST_READERS
    }

    const fn one_more(self) -> Self {
        Self(self.0 + READER)
    }

    const fn one_less(self) -> Self {
        Self(self.0 - READER)
    }

    /// A thread that had `held` of the token has it for writing.
    const fn written(self, held: u32) -> Self {
        self.without(CALM_MASK | held).with(WRITER)
    }

    /// A writer has it, or will when the readers have left.
    const fn taken_for_writing(self) -> Self {
        let pending = if self.has_readers() || self.has(SEATS) { PENDING } else { 0 };
        self.without(CALM_MASK).with(WRITER | pending)
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (WRITER, "WRITER"),
            (PENDING, "PENDING"),
            (UPGRADABLE, "UPGRADABLE"),
            (QUEUED, "QUEUED"),
            (HOLD, "HOLD"),
            (WAKING, "WAKING"),
            (SEATS, "SEATS"),
        ];
        let mut list = f.debug_list();
        for (_, name) in names.iter().filter(|(bit, _)| self.has(*bit)) {
            list.entry(&format_args!("{name}"));
        }
        list.entry(&format_args!("{} readers", self.readers())).finish()
    }
}

/// How a thread wants the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Read,
    /// Reads as well, and may do so already: waiting writers do not stop it.
    ReadAgain,
    Upgradable,
    Write,
}

impl Kind {
    /// The state after it has come in, if it may. `carried` is WAKING for a thread that was woken from the queue, which
    /// stands before whoever still waits.
    #[inline]
    const fn enter(self, state: State, carried: u32) -> Option<State> {
        let held_back = carried == 0 && state.has(HOLD);
        let next = match self {
            Self::Read if state.has(WRITER) || held_back => return None,
            Self::ReadAgain if state.is_written() => return None,
            Self::Read | Self::ReadAgain if state.is_full() => return None,
            Self::Read | Self::ReadAgain => state.one_more(),
            Self::Upgradable if state.has(TAKEN) || held_back => return None,
            Self::Upgradable => state.with(UPGRADABLE),
            Self::Write if state.has(TAKEN) => return None,
            // Those in the queue, or one on its way, may be readers that are to go in with these.
            Self::Write if carried == 0 && state.has_readers() && state.has(QUEUED | WAKING) => return None,
            Self::Write => state.taken_for_writing(),
        };
        Some(next.without(carried))
    }

    const fn reads(self) -> bool {
        matches!(self, Self::Read | Self::ReadAgain)
    }

    /// What a waiter's tag says of it.
    const fn tag(self) -> usize {
        match self {
            Self::Read => READS,
            Self::ReadAgain => READS_AGAIN,
            Self::Upgradable => UPGRADES,
            Self::Write => WRITES,
        }
    }
}

const READS: usize = 1;
const UPGRADES: usize = 2;
const WRITES: usize = 3;
const READS_AGAIN: usize = 4;
/// Has WRITER and PENDING, and waits until no reader is counted.
const DRAINS: usize = 5;
/// Has WRITER and PENDING, and waits until nobody sits.
const CLEARS: usize = 6;

/// Why a guarded section ends, beside what has become of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Change,
    /// Whoever is next is to be granted the lock, not just woken.
    Fair,
    /// A reader has left.
    Left,
}

/// What a guard's holder decides for a state and a queue: who goes on, and what the state is then.
struct Plan {
    next: State,
    chosen: Option<(NonNull<Waiter>, Outcome)>,
}

impl Plan {
    /// The first waiter that can go on does, if nobody is on the way already:
    ///
    /// * a reader unless a writer has the lock, an upgradable reader if the token is free, both if no writer stands
    ///   before them in the queue, which is nothing to a recursive reader, nor is a writer that is PENDING;
    /// * a writer if the token is free and there are no counted readers;
    /// * the one writer that is PENDING if what it waits for has happened, whoever else is on the way.
    fn new(guard: &Guard<'_>, state: State, cause: Cause) -> Self {
        let mut plan = Self { next: state.without(QUEUED | HOLD), chosen: None };
        let nobody_comes = !state.has(WAKING) || cause == Cause::Fair;
        let others = !state.has(WRITER) && nobody_comes;
        let mut behind_writer = false;
        for waiter in guard.waiters() {
            let tag = waiter.tag().addr();
            let goes = plan.chosen.is_none()
                && match tag {
                    DRAINS => !state.has_readers(),
                    CLEARS => cause != Cause::Change && !state.has_readers(),
                    READS => others && !behind_writer,
                    READS_AGAIN => nobody_comes && !state.is_written(),
                    UPGRADES => others && !behind_writer && !state.has(TAKEN),
                    _ => others && !behind_writer && !state.has(TAKEN) && !state.has_readers(),
                };
            if goes {
                plan.choose(waiter, tag, cause);
                continue;
            }
            plan.next = plan.next.with(QUEUED);
            if tag == WRITES {
                plan.next = plan.next.with(HOLD);
                behind_writer = true;
            }
            if behind_writer && !state.is_draining() && (plan.chosen.is_some() || !others) {
                // Nobody else goes on, and both bits are known.
                break;
            }
        }
        plan
    }

    fn choose(&mut self, waiter: &Waiter, tag: usize, cause: Cause) {
        let granted = cause == Cause::Fair || waiter.is_impatient();
        // One reader too many is woken to find that out.
        let refused = matches!(tag, READS | READS_AGAIN) && self.next.is_full();
        let outcome = match tag {
            DRAINS | CLEARS => Outcome::WOKEN,
            _ if !granted || refused => {
                self.next = self.next.with(WAKING);
                Outcome::WOKEN
            }
            _ => {
                reached!("rwlock granted");
                self.next = match tag {
                    READS | READS_AGAIN => self.next.one_more(),
                    UPGRADES => self.next.with(UPGRADABLE),
                    _ => self.next.taken_for_writing(),
                };
                Outcome::GRANTED
            }
        };
        self.chosen = Some((NonNull::from(waiter), outcome));
    }
}

/// Panics for a call that has found as many readers in as can be counted. The page of `RwLock` names the limit.
#[cold]
#[track_caller]
pub(crate) fn too_many_readers(call: &str) -> ! {
    panic!("{call}: more than {MOST_READERS} readers at once")
}

/// How a reader is in, to be given back when it leaves.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub(crate) struct Pass(Option<&'static AtomicU32>);

impl Pass {
    /// Of a reader that has counted itself.
    pub(crate) const COUNTED: Self = Self(None);
}

#[derive(Debug)]
pub(crate) struct RawRwLock {
    queue: Queue,
    state: AtomicU32,
    /// The number under which readers sit, zero until they do. Never changed once it is set.
    number: AtomicU32,
}

impl RawRwLock {
    const_fn! {
        pub(crate) fn new() -> Self {
            Self { queue: Queue::new(), state: AtomicU32::new(0), number: AtomicU32::new(0) }
        }
    }

    #[inline]
    fn load(&self) -> State {
        // Relaxed: whoever acts on it exchanges the state and fails if it has changed.
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

    pub(crate) fn is_locked(&self) -> bool {
        let state = self.load();
        state.has(TOKEN) || state.has_readers() || (state.has(SEATS) && self.somebody_sits())
    }

    pub(crate) fn is_write_locked(&self) -> bool {
        self.load().is_written()
    }

    /// Whether a thread is in the queue. Advice only.
    pub(crate) fn has_waiters(&self) -> bool {
        self.load().has(QUEUED)
    }

    // Readers.

    /// Reads, waiting until the deadline, which is made only if it is needed. `None` if that has passed, or at once if
    /// there would be more readers than can be counted: without a deadline that alone.
    #[inline]
    pub(crate) fn read(&self, kind: Kind, deadline: impl FnOnce() -> Deadline) -> Option<Pass> {
        match self.read_at_once(kind) {
            Ok(pass) => Some(pass),
            Err(state) => self.acquire(kind, state, &deadline()).then_some(Pass::COUNTED),
        }
    }

    #[inline]
    pub(crate) fn try_read(&self, kind: Kind) -> Option<Pass> {
        match self.read_at_once(kind) {
            Ok(pass) => Some(pass),
            Err(state) => self.try_acquire(kind, state).is_some().then_some(Pass::COUNTED),
        }
    }

    /// Reads if that takes no more than a try, else says what the state was.
    #[inline]
    fn read_at_once(&self, kind: Kind) -> Result<Pass, State> {
        let state = self.load();
        if state.is_open() {
            return self.sit(state);
        }
        // Some reads after the last writer. With anything else going on in the lock, the long way.
        if state.has(SEATS - 1) || state.0 & CALM_MASK == CALM_ENOUGH * CALM || state.is_full() {
            return Err(state);
        }
        debug_assert!(kind.reads());
        // Acquire (rwlock.write): what the last writer did.
        self.try_change(state, State(state.one_more().0 + CALM), Acquire).map(|()| Pass::COUNTED)
    }

    /// Writes the lock's number into the thread's own seat, if that is empty and the lock open to readers.
    #[inline]
    fn sit(&self, state: State) -> Result<Pass, State> {
        // Relaxed: the number never changes; zero if it is not visible here yet.
        let number = self.number.load(Relaxed);
        if number == 0 {
            return Err(state);
        }
        let seat = readers::slot_of_this_thread(number);
        // In order with the load below, against `drain` (module's page: seats).
        if !exchange_in_order(seat, 0, number) {
            return Err(state);
        }
        // Acquire (rwlock.write): what the last writer did.
        let state = State(load_in_order(&self.state));
        if !state.is_open() {
            reached!("reader gives its seat up");
            self.stand_up(seat);
            return Err(state);
        }
        reached!("reader sits");
        Ok(Pass(Some(seat)))
    }

    /// # Safety
    ///
    /// The caller has `pass` from this lock, and is no longer in afterwards.
    #[inline]
    pub(crate) unsafe fn unlock_read(&self, pass: Pass) {
        match pass.0 {
            Some(seat) => self.stand_up(seat),
            None => self.uncount(),
        }
    }

    #[inline]
    fn stand_up(&self, seat: &AtomicU32) {
        // Release (rwlock.read): that this reader is done reading.
        seat.store(0, Release);
        // May be older than the store: a writer that has just begun to wait would be missed, and finds out by itself
        // (`drain`). What an exchange would cost here is half of what reading costs.
        let state = self.load();
        if state.is_draining() {
            self.settle(self.queue.guard(), state, |state| state, Cause::Left);
        }
    }

    #[inline]
    fn uncount(&self) {
        // Release (rwlock.read): that this reader is done reading.
        let before = State(self.state.fetch_sub(READER, Release));
        if before.readers() == 1 && before.has(QUEUED) {
            self.last_reader_left(before);
        }
    }

    #[cold]
    fn last_reader_left(&self, before: State) {
        // Else whoever is on the way looks after the queue (invariant 2).
        if before.is_draining() || !before.has(WAKING) {
            self.settle(self.queue.guard(), before.one_less(), |state| state, Cause::Left);
        }
    }

    /// Gives up reading, in favour of the first in the queue.
    ///
    /// # Safety
    ///
    /// As for [`unlock_read`](Self::unlock_read).
    pub(crate) unsafe fn unlock_read_fair(&self, pass: Pass) {
        if pass.0.is_none() {
            self.change_fairly(State::one_less);
        } else {
            // SAFETY: this function's contract.
            unsafe { self.unlock_read(pass) };
        }
    }

    // The upgradable reader.

    #[inline]
    pub(crate) fn upgradable(&self, deadline: impl FnOnce() -> Deadline) -> bool {
        // Acquire (rwlock.write): what the last writer did.
        match self.try_change(State(0), State(UPGRADABLE), Acquire) {
            Ok(()) => true,
            Err(state) => self.acquire(Kind::Upgradable, state, &deadline()),
        }
    }

    pub(crate) fn try_upgradable(&self) -> bool {
        self.try_acquire(Kind::Upgradable, State(0)).is_some()
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
    /// The caller is the upgradable reader, and a reader afterwards, unless there are too many: then the result is
    /// `None`, and nothing has changed.
    pub(crate) unsafe fn downgrade_upgradable(&self) -> Option<Pass> {
        // Counted first, so that nobody can come in between.
        let counted = self.try_acquire(Kind::ReadAgain, self.load())?;
        self.change(counted, |state| state.without(UPGRADABLE));
        Some(Pass::COUNTED)
    }

    /// Waits until the other readers have left, or until the deadline.
    ///
    /// # Safety
    ///
    /// The caller is the upgradable reader. If the result is true it is the writer instead.
    pub(crate) unsafe fn upgrade(&self, deadline: impl FnOnce() -> Deadline) -> bool {
        // Acquire (rwlock.read): what the readers that have left did.
        if self.try_change(State(UPGRADABLE), State(WRITER), Acquire).is_ok() {
            return true;
        }
        let deadline = deadline();
        if deadline.has_passed() {
            return self.try_take(self.load(), UPGRADABLE);
        }
        let state = self.pend_upgrade();
        self.or_withdraw(Self::withdraw_upgrade, || !state.has(PENDING) || self.drain(state, &deadline))
    }

    /// # Safety
    ///
    /// As for [`upgrade`](Self::upgrade).
    pub(crate) unsafe fn try_upgrade(&self) -> bool {
        self.try_take(self.load(), UPGRADABLE)
    }

    /// Trades UPGRADABLE for WRITER, and for PENDING if there may be readers to wait for.
    fn pend_upgrade(&self) -> State {
        let mut state = State(UPGRADABLE);
        loop {
            let next = state.without(UPGRADABLE).taken_for_writing();
            // Acquire (rwlock.read): if there are none, what the readers that have left did.
            match self.try_change(state, next, Acquire) {
                Ok(()) => return next,
                Err(actual) => state = actual,
            }
        }
    }

    fn withdraw_upgrade(&self) {
        reached!("rwlock upgrade withdrawn");
        self.change(State(WRITER | PENDING), |state| state.without(WRITER | PENDING).with(UPGRADABLE));
    }

    // The writer.

    #[inline]
    pub(crate) fn write(&self, deadline: impl FnOnce() -> Deadline) -> bool {
        // Acquire (rwlock.write, rwlock.read): what earlier holders did.
        let Err(state) = self.try_change(State(0), State(WRITER), Acquire) else { return true };
        // Free as well, but somebody has read since the last writer.
        if state.without(CALM_MASK) == State(0) && self.try_change(state, State(WRITER), Acquire).is_ok() {
            return true;
        }
        self.write_slow(state, &deadline())
    }

    #[cold]
    fn write_slow(&self, state: State, deadline: &Deadline) -> bool {
        if deadline.has_passed() {
            return self.try_take(state, 0);
        }
        if !self.acquire(Kind::Write, state, deadline) {
            return false;
        }
        let state = self.load();
        self.or_withdraw(Self::withdraw_write, || !state.has(PENDING) || self.drain(state, deadline))
    }

    pub(crate) fn try_write(&self) -> bool {
        // Acquire (rwlock.write, rwlock.read): what earlier holders did.
        match self.try_change(State(0), State(WRITER), Acquire) {
            Ok(()) => true,
            Err(state) => self.try_take(state, 0),
        }
    }

    /// Becomes the writer unless another thread has the lock. The caller has `held` of the token: UPGRADABLE, or nothing.
    /// A failure has kept no reader out.
    fn try_take(&self, mut state: State, held: u32) -> bool {
        // Found out before anything is changed.
        if state.has(SEATS) && self.somebody_sits() {
            return false;
        }
        loop {
            if state.has_readers() || state.0 & TAKEN != held {
                return false;
            }
            let next = if state.has(SEATS) { state.with(PENDING) } else { state.written(held) };
            // Acquire (rwlock.write, rwlock.read): what earlier holders did.
            match self.try_change(state, next, Acquire) {
                Ok(()) if next.has(PENDING) => return self.try_take_from_visible(next, held),
                Ok(()) => return true,
                Err(actual) => state = actual,
            }
        }
    }

    /// The same for one that has set PENDING. Until it has cleared it again readers are counted, so they need not wait to
    /// learn how this ends.
    #[cold]
    fn try_take_from_visible(&self, mut state: State, held: u32) -> bool {
        // In order after the exchange that set PENDING, against `sit` (module's page: seats).
        fence_in_order();
        if !self.somebody_sits() {
            while !state.has_readers() {
                // Acquire (rwlock.read): what the counted readers did.
                match self.try_change(state, state.without(PENDING | SEATS).written(held), Acquire) {
                    Ok(()) => return true,
                    Err(actual) => state = actual,
                }
            }
        }
        reached!("rwlock try withdrawn");
        self.change(state, |state| state.without(PENDING));
        false
    }

    /// Runs the rest of an attempt to become the writer, and takes back what has been done for it unless it succeeds:
    /// also if it panics, as waiting does in a thread that is so far into its end that it has no handle any more.
    #[inline]
    fn or_withdraw(&self, withdraw: fn(&Self), rest: impl FnOnce() -> bool) -> bool {
        struct Withdraw<'a>(&'a RawRwLock, fn(&RawRwLock));
        impl Drop for Withdraw<'_> {
            fn drop(&mut self) {
                (self.1)(self.0);
            }
        }
        let withdraw = Withdraw(self, withdraw);
        let done = rest();
        if done {
            mem::forget(withdraw);
        }
        done
    }

    fn withdraw_write(&self) {
        reached!("rwlock write withdrawn");
        self.change(State(WRITER | PENDING), |state| state.without(WRITER | PENDING));
    }

    /// # Safety
    ///
    /// The caller is the writer, and no longer is afterwards.
    #[inline]
    pub(crate) unsafe fn unlock_write(&self) {
        // Release (rwlock.write): what this writer did.
        if let Err(state) = self.try_change(State(WRITER), State(0), Release) {
            self.unlock_write_slow(state);
        }
    }

    #[cold]
    fn unlock_write_slow(&self, state: State) {
        self.change(state, |state| state.without(WRITER));
    }

    /// # Safety
    ///
    /// As for [`unlock_write`](Self::unlock_write).
    pub(crate) unsafe fn unlock_write_fair(&self) {
        self.change_fairly(|state| state.without(WRITER));
    }

    /// # Safety
    ///
    /// The caller is the writer, and a reader afterwards.
    pub(crate) unsafe fn downgrade(&self) -> Pass {
        self.change(State(WRITER), |state| state.without(WRITER).one_more());
        Pass::COUNTED
    }

    /// # Safety
    ///
    /// The caller is the writer, and the upgradable reader afterwards.
    pub(crate) unsafe fn downgrade_to_upgradable(&self) {
        self.change(State(WRITER), |state| state.without(WRITER).with(UPGRADABLE));
    }

    fn somebody_sits(&self) -> bool {
        // Relaxed: zero only if nobody ever could sit, see `open_seats`.
        let number = self.number.load(Relaxed);
        // Acquire (rwlock.read): if the seat was emptied, what its reader did is done.
        number != 0 && readers::slots(number).any(|seat| seat.load(Acquire) == number)
    }

    /// For the PENDING writer: whether all readers have left. Clears PENDING then (invariant 4).
    fn is_drained(&self, mut state: State) -> bool {
        // SEATS is not set while WRITER is, so it is as the exchange that set WRITER found it.
        if state.has(SEATS) && self.somebody_sits() {
            return false;
        }
        while !state.has_readers() {
            // Acquire (rwlock.read): what the counted readers did.
            match self.try_change(state, state.without(PENDING | SEATS), Acquire) {
                Ok(()) => return true,
                Err(actual) => state = actual,
            }
        }
        false
    }

    /// For the PENDING writer: waits until all readers have left, or until the deadline.
    #[cold]
    fn drain(&self, mut state: State, deadline: &Deadline) -> bool {
        // In order after the exchange that set WRITER, against `sit` (module's page: seats).
        fence_in_order();
        let mut spin = Spin::for_drain();
        let mut rounds = None;
        loop {
            if self.is_drained(state) {
                return true;
            }
            if deadline.has_passed() {
                return false;
            }
            if spin.again() {
                state = self.load();
                continue;
            }
            // Before the guard is taken: this may panic.
            let waiter = Waiter::new(&self.queue, ptr::null(), false);
            let guard = self.queue.guard();
            // Asked again under the guard: whoever stands up from now on and sees PENDING finds us in the queue.
            let seated = state.has(SEATS) && self.somebody_sits();
            // One that stands up and does not see PENDING yet wakes nobody, so we look for ourselves now and then.
            let round;
            let (tag, end) = if seated {
                reached!("writer waits for a seat");
                round = rounds.get_or_insert_with(Rounds::new).next(deadline);
                (CLEARS, &round)
            } else {
                (DRAINS, deadline)
            };
            let waiter = waiter.tagged(ptr::without_provenance(tag));
            let settle = |guard: Guard<'_>| self.settle(guard, state, |state| state, Cause::Change);
            let _ = guard.wait(waiter, Place::Front, settle, end, Spin::NONE, settle);
            state = self.load();
        }
    }

    // All of them.

    /// Tries to come in for as long as the state allows it. Says what the state is then. `state` is what the caller last
    /// saw, or supposes: the exchange finds out.
    #[cold]
    fn try_acquire(&self, kind: Kind, mut state: State) -> Option<State> {
        while let Some(next) = kind.enter(state, 0) {
            // Acquire (rwlock.write, rwlock.read): what earlier holders did.
            match self.try_change(state, next, Acquire) {
                Ok(()) => {
                    if kind.reads() {
                        self.open_seats(next);
                    }
                    return Some(next);
                }
                Err(actual) => state = actual,
            }
        }
        None
    }

    /// Comes in, waiting until the deadline. A reader gives up at once if there would be too many.
    #[cold]
    fn acquire(&self, kind: Kind, mut state: State, deadline: &Deadline) -> bool {
        let mut carried = 0;
        let mut losses = 0;
        let mut spin = Spin::for_shared_lock();
        loop {
            if let Some(next) = kind.enter(state, carried) {
                // Who reads takes nothing from a reader, and may have to be through before a writer can come in.
                if carried == 0 && kind == Kind::Write && state.has(WAKING) && !deadline.has_passed() {
                    give_way_at_times();
                }
                // Acquire (rwlock.write, rwlock.read): what earlier holders did.
                match self.try_change(state, next, Acquire) {
                    Ok(()) => {
                        self.arrive(kind, carried, next);
                        return true;
                    }
                    Err(actual) => state = actual,
                }
                continue;
            }
            if deadline.has_passed() || kind.reads() && state.is_full() {
                if carried != 0 {
                    reached!("rwlock given up by a woken waiter");
                    self.change(state, |state| state.without(WAKING));
                }
                return false;
            }
            let another_comes = carried == 0 && state.has(WAKING);
            let paused = if another_comes { spin.give_way() } else { spin.again() };
            if paused {
                state = self.load();
                continue;
            }
            if carried != 0 {
                reached!("rwlock lost to another after a wake-up");
                losses += 1;
            }
            let impatient = losses >= PATIENCE;
            let waiter = Waiter::new(&self.queue, ptr::without_provenance(kind.tag()), impatient);
            let place = if carried != 0 { Place::Front } else { Place::Back };
            // Queues first and looks then: if it can go on by now, the plan says so. One more asleep, one more may be
            // woken, as in the mutex; but not past readers that are on their way into a lock without a writer.
            let publish = |guard: Guard<'_>| {
                let change = |state: State| {
                    if carried != 0 || state.has(WRITER) { state.without(WAKING) } else { state }
                };
                self.settle(guard, state, change, Cause::Change);
            };
            let leave = |guard: Guard<'_>| self.settle(guard, state, |state| state, Cause::Change);
            let awake = if impatient { Spin::for_grant() } else { Spin::NONE };
            match self.queue.guard().wait(waiter, place, publish, deadline, awake, leave) {
                None => return false,
                Some(Woken { outcome: Outcome::GRANTED, .. }) => {
                    self.arrive(kind, WAKING, self.load());
                    return true;
                }
                Some(_) => carried = WAKING,
            }
            spin = Spin::after_wake();
            state = State(WAKING);
        }
    }

    /// What a thread does that has just come in by the long way.
    fn arrive(&self, kind: Kind, carried: u32, state: State) {
        if carried != 0 && kind != Kind::Write && state.has(QUEUED) {
            reached!("reader lets the next in");
            self.settle(self.queue.guard(), state, |state| state, Cause::Change);
        } else if kind.reads() {
            self.open_seats(state);
        }
    }

    /// Lets readers sit from now on, if some reads have come in a row and nothing else is going on.
    fn open_seats(&self, state: State) {
        if state.has(SEATS - 1) || state.0 & CALM_MASK != CALM_ENOUGH * CALM {
            return;
        }
        // Relaxed: read again by whoever sits or waits for those who do.
        if self.number.load(Relaxed) == 0 {
            let number = readers::new_number();
            // Relaxed: who reads SEATS below with Acquire sees it, and who does not sits down under no number.
            if self.number.compare_exchange(0, number, Relaxed, Relaxed).is_err() {
                reached!("seats numbered by two readers");
            }
            if number == 0 {
                return;
            }
        }
        // Release (rwlock.number): the number, for the writer that will look for it. It does not matter if it fails.
        let _ = self.try_change(state, state.without(CALM_MASK).with(SEATS), Release);
    }

    /// Makes a change by which somebody leaves or steps back, and wakes who can go on. `state` is what the caller last
    /// saw, or supposes.
    fn change(&self, mut state: State, change: impl Fn(State) -> State) {
        loop {
            let next = change(state);
            if next.has(QUEUED) && !next.has(WAKING) {
                return self.settle(self.queue.guard(), state, change, Cause::Change);
            }
            // Release (rwlock.write): what the leaving thread did.
            match self.try_change(state, next, Release) {
                Ok(()) => return,
                Err(actual) => state = actual,
            }
        }
    }

    /// The same, and grants the lock to the first that can go on then.
    fn change_fairly(&self, change: impl Fn(State) -> State) {
        let state = self.load();
        if state.has(QUEUED) {
            self.settle(self.queue.guard(), state, change, Cause::Fair);
        } else {
            self.change(state, change);
        }
    }

    /// Ends a guarded section: makes a change, brings the bits up to date with the queue, and lets the first that can go
    /// on do so (invariants 1 and 2).
    fn settle(&self, mut guard: Guard<'_>, mut state: State, change: impl Fn(State) -> State, cause: Cause) {
        let plan = loop {
            let plan = Plan::new(&guard, change(state), cause);
            // Release (rwlock.write): what the leaving thread did. Acquire: the same on behalf of a waiter that is
            // granted the lock, which gets it from us.
            match self.try_change(state, plan.next, AcqRel) {
                Ok(()) => break plan,
                Err(actual) => state = actual,
            }
        };
        let due = plan.chosen.map(|(waiter, outcome)| {
            // SAFETY: the plan is of this queue, which has not changed since.
            (unsafe { guard.take(waiter) }, outcome)
        });
        guard.release();
        if let Some((due, outcome)) = due {
            due.wake(outcome);
        }
    }

    crate::facade::model_only! {
        /// For models: whether somebody is in the queue at this point of the state's history (see the queue's).
        pub(crate) fn has_waiters_now(&self) -> bool {
            let mut state = self.load();
            while let Err(actual) = self.try_change(state, state, Relaxed) {
                state = actual;
            }
            state.has(QUEUED)
        }

        /// For models: whether readers may sit.
        pub(crate) fn has_seats(&self) -> bool {
            self.load().has(SEATS)
        }
    }
}

// Readers without a pass.
#[cfg_attr(not(feature = "lock_api"), allow(dead_code, reason = "the readers of lock_api"))]
impl RawRwLock {
    /// Reads, counted whatever others do, so that it leaves with [`Pass::COUNTED`]: for callers that cannot keep a pass.
    /// A lock that is read in no other way never has SEATS set.
    #[inline]
    pub(crate) fn read_counted(&self, kind: Kind, deadline: impl FnOnce() -> Deadline) -> bool {
        let state = self.load();
        self.count(kind, state) || self.acquire(kind, state, &deadline())
    }

    /// The same if that takes no waiting.
    #[inline]
    pub(crate) fn try_read_counted(&self, kind: Kind) -> bool {
        let state = self.load();
        self.count(kind, state) || self.try_acquire(kind, state).is_some()
    }

    #[inline]
    fn count(&self, kind: Kind, state: State) -> bool {
        debug_assert!(kind.reads());
        // Acquire (rwlock.write): what the last writer did.
        kind.enter(state, 0).is_some_and(|next| self.try_change(state, next, Acquire).is_ok())
    }
}

impl Drop for RawRwLock {
    /// Empties the seats of readers that were forgotten.
    fn drop(&mut self) {
        if self.load().has(SEATS) {
            // Relaxed: nobody else has the lock any more.
            let number = self.number.load(Relaxed);
            for seat in readers::slots(number) {
                // Relaxed: carries nothing. Another lock's number stays.
                let _ = seat.compare_exchange(number, 0, Relaxed, Relaxed);
            }
        }
    }
}
