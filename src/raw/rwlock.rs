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
//! | DESIGNATED | a woken waiter is on its way |
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
//! 1. QUEUED and HOLD say what the queue holds, whenever it is not locked; they are changed by holders of the queue lock alone.
//! 2. Whenever the queue is not locked and a waiter could go on (see `Plan`), DESIGNATED is set, and the woken waiter on
//!    its way will look after the others: when it comes in, queues again or gives up; or a thread that has made a change
//!    without the queue lock is about to take that, or to leave its work to the one that has it. What a thread that
//!    queues brings about is decided for that thread alone: for those before it that was done.
//! 3. WRITER, UPGRADABLE and the count are changed by those who come and go, and by a holder of the queue lock on behalf of a
//!    waiter.
//! 4. PENDING is cleared by the thread that set it, or, for a writer that is in the queue, under the queue lock. A thread
//!    has the lock for writing if there are no counted readers in the exchange by which that is done, after each slot was
//!    seen empty since it set PENDING and passed a fence.
//! 5. Who leaves may touch the lock once more after the exchange by which it leaves: the lock must outlive the call.
//!
//! As in the mutex, a free lock goes to the thread that comes first, and a waiter that is starving is granted the lock. A
//! writer's unlock wakes one waiter. If that is a reader, it counts in all readers up to the first writer in the queue
//! when it is there, by one exchange, and wakes them in one batch, so readers that queued together go in together. The
//! thread that unlocks pays for one wake-up, the lock does not rest while the first reader wakes up, and the readers pay
//! for one pass over those that are let in. If the first of them is starving, the unlock does all that.
//!
//! No releasing call sleeps or, but for the fair ones, waits for the queue lock: one that finds it taken leaves its work to
//! the thread that has it.
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

use crate::facade::atomic::{
    AtomicU32,
    Ordering::{self, AcqRel, Acquire, Relaxed, Release},
    exchange_in_order, fence_in_order, load_in_order,
};
use crate::facade::{Deadline, Releasing, budget, const_fn, guess, reached};
use crate::wait::{
    LockedQueue, Place, PollInterval, Queue, SpinWait, Stamp, Waiter, WakeList, Wakeup, Woken, Word,
    yield_at_intervals,
};

/// What the lock's word says.
#[derive(Clone, Copy, PartialEq, Eq)]
struct State(u32);

const WRITER: u32 = 1;
const PENDING: u32 = WRITER << 1;
const UPGRADABLE: u32 = PENDING << 1;
const QUEUED: u32 = UPGRADABLE << 1;
const HOLD: u32 = QUEUED << 1;
const DESIGNATED: u32 = HOLD << 1;
const SEATS: u32 = DESIGNATED << 1;
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

    /// Readers are in, or may be, and no writer has it or waits for them to leave.
    const fn is_read_locked(self) -> bool {
        !self.has(WRITER) && (self.has(UPGRADABLE | SEATS) || self.has_readers())
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
            (DESIGNATED, "DESIGNATED"),
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
pub(crate) enum Role {
    Read,
    /// Reads as well, and may do so already: waiting writers do not stop it.
    ReadAgain,
    Upgradable,
    Write,
    /// Has WRITER and PENDING, and waits until the readers have left.
    Drain,
}

impl Role {
    /// The state after it has come in, if it may. `designated` is DESIGNATED for a thread that was woken from the queue, which
    /// stands before whoever still waits.
    #[inline]
    const fn enter(self, state: State, designated: u32) -> Option<State> {
        let held_back = designated == 0 && state.has(HOLD);
        let next = match self {
            Self::Read if state.has(WRITER) || held_back => return None,
            Self::ReadAgain if state.is_written() => return None,
            Self::Read | Self::ReadAgain if state.is_full() => return None,
            Self::Read | Self::ReadAgain => state.one_more(),
            Self::Upgradable if state.has(TAKEN) || held_back => return None,
            Self::Upgradable => state.with(UPGRADABLE),
            Self::Write if state.has(TAKEN) => return None,
            // Those in the queue, or one on its way, may be readers that are to go in with these.
            Self::Write if designated == 0 && state.has_readers() && state.has(QUEUED | DESIGNATED) => {
                return None;
            }
            Self::Write => state.taken_for_writing(),
            Self::Drain => return None,
        };
        Some(next.without(designated))
    }

    const fn reads(self) -> bool {
        matches!(self, Self::Read | Self::ReadAgain)
    }

    /// Whether it could go on in this state, if no waiter were before it. (A reader goes on, too, to learn that there are
    /// too many.)
    const fn could_go(self, state: State) -> bool {
        match self {
            Self::Read => !state.has(WRITER | HOLD),
            Self::ReadAgain => !state.is_written(),
            Self::Upgradable => !state.has(TAKEN | HOLD),
            Self::Write => !state.has(TAKEN) && !state.has_readers(),
            Self::Drain => true,
        }
    }

    /// A waiter's tag: how it wants the lock, and where it was put.
    const fn tag(self, place: Place) -> *const () {
        ptr::without_provenance(((self as usize) << 1) | place as usize)
    }

    fn of(waiter: &Waiter) -> (Self, Place) {
        let tag = waiter.tag().addr();
        let roles = [Self::Read, Self::ReadAgain, Self::Upgradable, Self::Write, Self::Drain];
        (roles[tag >> 1], if tag & 1 == Place::Front as usize { Place::Front } else { Place::Back })
    }
}

/// Why a section under the queue lock ends, beside what has become of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// Some who wait may be able to go on now.
    Change,
    /// The same, and the first of them is to be given the lock, not just woken.
    Fair,
    /// A thread has queued, which brought nothing about for the others.
    Queued(Role),
    /// A thread has left the queue at its deadline.
    Left(Role),
}

/// What the holder of the queue lock decides for a state and a queue: which waiters go on, and what the state is then.
///
/// * A drained writer's wait is over: it is told so.
/// * Readers go on unless a writer has the lock, up to the first writer in the queue. If the lock is read-locked already, or
///   the first of them is starving, all of them are counted in with one exchange and woken as readers. If the lock
///   is free, the first is woken to come in, and does that for the others when it is there: the lock does not rest meanwhile.
/// * Recursive readers stand before all writers in the queue, and one that drains is nothing to them.
/// * An upgradable reader goes on if the token is free, and is passed by readers if it is not.
/// * A writer that comes first goes on if the token is free and no readers are counted.
///
/// Nobody is woken while another is on its way, but for those that are given what they wait for.
struct Plan {
    /// So many readers are counted in: the first in the queue.
    readers: u32,
    /// The other waiter that goes on.
    one: Option<(NonNull<Waiter>, Role, Wakeup)>,
    /// QUEUED and HOLD for what stays in the queue.
    bits: u32,
}

impl Plan {
    /// In which states a plan holds: in all for which this is the same, if there is room for its readers.
    const fn key(state: State) -> (u32, bool) {
        (state.0 & (CALM - 1), state.has_readers())
    }

    fn fits(&self, state: State) -> bool {
        self.readers <= MOST_READERS - state.readers()
    }

    fn new(lock: &RawRwLock, locked: &LockedQueue<'_>, state: State, cause: Cause) -> Self {
        let is_writer = |waiter: &Waiter| Role::of(waiter).0 == Role::Write;
        let mut hold = match cause {
            Cause::Queued(Role::Write) => true,
            Cause::Left(Role::Write) => locked.waiters().any(is_writer),
            _ => state.has(HOLD),
        };
        let (mut readers, mut one, mut queued) = (0, None, false);
        let concerned = match cause {
            Cause::Queued(role) => role.could_go(state),
            Cause::Left(role) => role == Role::Write,
            Cause::Change | Cause::Fair => true,
        };
        let draining = state.is_draining();
        let wakes = !state.has(DESIGNATED);
        let mut waiters = locked.waiters();
        if concerned && !state.is_written() && (wakes || draining || cause == Cause::Fair) {
            let room = MOST_READERS - state.readers();
            // Whether readers are counted in, not woken.
            let mut lets_in = cause == Cause::Fair || draining || state.is_read_locked();
            for waiter in waiters.by_ref() {
                let (role, place) = Role::of(waiter);
                let first = readers == 0 && one.is_none();
                let given = first && (cause == Cause::Fair || locked.is_starving(waiter));
                // Whoever can go on beside a writer that drains, and that one itself, were put before all others.
                if draining && place == Place::Back {
                    queued = true;
                    break;
                }
                let outcome = if given { Wakeup::HANDOFF } else { Wakeup::WOKEN };
                let goes = match role {
                    Role::Read if draining => false,
                    Role::Read | Role::ReadAgain => {
                        lets_in |= given;
                        if lets_in && readers < room {
                            readers += 1;
                            continue;
                        }
                        if one.is_none() && wakes {
                            one = Some((NonNull::from(waiter), role, Wakeup::WOKEN));
                            if lets_in {
                                continue;
                            }
                            break;
                        }
                        false
                    }
                    Role::Upgradable => one.is_none() && !state.has(TAKEN) && (wakes || given),
                    Role::Write => first && !state.has(TAKEN) && !state.has_readers() && (wakes || given),
                    Role::Drain if draining && readers == 0 && lock.is_left(state) => {
                        one = Some((NonNull::from(waiter), role, Wakeup::HANDOFF));
                        break;
                    }
                    Role::Drain => false,
                };
                if goes {
                    one = Some((NonNull::from(waiter), role, outcome));
                    lets_in |= given;
                } else {
                    queued = true;
                }
                if role == Role::Write && !draining {
                    hold = !goes;
                    for waiter in waiters.by_ref() {
                        queued = true;
                        hold |= is_writer(waiter);
                        if hold {
                            break;
                        }
                    }
                    break;
                }
                if goes && !lets_in {
                    break;
                }
            }
        }
        let queued = if queued || waiters.next().is_some() { QUEUED } else { 0 };
        Self { readers, one, bits: queued | if hold { HOLD } else { 0 } }
    }

    /// The state when they have gone on.
    fn next(&self, state: State) -> State {
        let state = State(state.0 + self.readers * READER).without(QUEUED | HOLD).with(self.bits);
        match self.one {
            None => state,
            Some((_, Role::Drain, _)) => state.without(PENDING | SEATS),
            Some((_, _, Wakeup::WOKEN)) => state.with(DESIGNATED),
            Some((_, Role::Upgradable, _)) => state.with(UPGRADABLE),
            Some(_) => state.taken_for_writing(),
        }
    }
}

/// Panics for a call that has found as many readers in as can be counted. The page of `RwLock` names the limit.
#[cold]
#[track_caller]
pub(crate) fn too_many_readers(call: &str) -> ! {
    panic!("{call}: more than {MOST_READERS} readers at once")
}

/// Waiters that were taken out of the queue, and are to be woken once the queue lock has been given back.
struct Going {
    granted: WakeList,
    /// One from each decision at most. A second decision of one section may add another: a designated waker from before
    /// it, beside which a thread had queued and cleared DESIGNATED, may come between the two and clear it once more.
    woken: WakeList,
}

impl Going {
    fn append(&mut self, later: Self) {
        self.granted.append(later.granted);
        self.woken.append(later.woken);
    }
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
    pub(crate) fn read(&self, role: Role, deadline: impl FnOnce() -> Deadline) -> Option<Pass> {
        match self.read_at_once(role) {
            Ok(pass) => Some(pass),
            Err(state) => self.acquire(role, state, &deadline()).then_some(Pass::COUNTED),
        }
    }

    #[inline]
    pub(crate) fn try_read(&self, role: Role) -> Option<Pass> {
        match self.read_at_once(role) {
            Ok(pass) => Some(pass),
            Err(state) => self.try_acquire(role, state).is_some().then_some(Pass::COUNTED),
        }
    }

    /// Reads if that takes no more than a try, else says what the state was.
    #[inline]
    fn read_at_once(&self, role: Role) -> Result<Pass, State> {
        let state = self.load();
        if state.is_open() {
            return self.sit(state);
        }
        // Some reads after the last writer. With anything else going on in the lock, the long way.
        if state.has(SEATS - 1) || state.0 & CALM_MASK == CALM_ENOUGH * CALM || state.is_full() {
            return Err(state);
        }
        debug_assert!(role.reads());
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
            let _releasing = Releasing::begin();
            self.look_after_queue(state);
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
        // Else nobody can go on for it, or whoever is on the way looks after the queue (invariant 2).
        if before.is_draining() || !before.has(TAKEN | DESIGNATED) {
            let _releasing = Releasing::begin();
            self.look_after_queue(before.one_less());
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
            Err(state) => self.acquire(Role::Upgradable, state, &deadline()),
        }
    }

    pub(crate) fn try_upgradable(&self) -> bool {
        self.try_acquire(Role::Upgradable, State(0)).is_some()
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
        let counted = self.try_acquire(Role::ReadAgain, self.load())?;
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
        if !self.acquire(Role::Write, state, deadline) {
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

    /// Whether all readers have left that a writer waits for: for that writer, behind the fence that follows its setting
    /// WRITER, or for a thread that found it in the queue.
    fn is_left(&self, state: State) -> bool {
        // SEATS is not set while WRITER is, so it is as the exchange that set WRITER found it.
        !(state.has_readers() || state.has(SEATS) && self.somebody_sits())
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
        let mut spin = SpinWait::for_drain();
        let mut rounds = None;
        loop {
            if self.is_drained(state) {
                return true;
            }
            if deadline.has_passed() {
                return false;
            }
            if spin.spin() {
                state = self.load();
                continue;
            }
            // Before the queue lock is taken: this may panic.
            let waiter = Waiter::new(&self.queue, Role::Drain.tag(Place::Front));
            let locked = self.queue.lock();
            // Asked again under the queue lock: a visible reader that leaves from now on and sees PENDING finds us in the queue.
            let visible = state.has(SEATS) && self.somebody_sits();
            // One that leaves and does not see PENDING yet tells nobody, so we look for ourselves now and then.
            let round;
            let end = if visible {
                reached!("writer waits for a visible reader");
                round = rounds.get_or_insert_with(PollInterval::new).next(deadline);
                &round
            } else {
                deadline
            };
            let publish = |locked: LockedQueue<'_>| {
                self.settle(locked, state, |state| state, Cause::Queued(Role::Drain))
            };
            let leave =
                |locked: LockedQueue<'_>| self.settle(locked, state, |state| state, Cause::Left(Role::Drain));
            if locked.wait(waiter, Place::Front, publish, end, SpinWait::NONE, leave).is_some() {
                reached!("writer told that it is drained");
                return true;
            }
            state = self.load();
        }
    }

    // All of them.

    /// Tries to come in for as long as the state allows it. Says what the state is then. `state` is what the caller last
    /// saw, or supposes: the exchange finds out.
    #[cold]
    fn try_acquire(&self, role: Role, mut state: State) -> Option<State> {
        while let Some(next) = role.enter(state, 0) {
            // Acquire (rwlock.write, rwlock.read): what earlier holders did.
            match self.try_change(state, next, Acquire) {
                Ok(()) => {
                    if role.reads() {
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
    fn acquire(&self, role: Role, mut state: State, deadline: &Deadline) -> bool {
        let mut designated = 0;
        let mut stamp = Stamp::NONE;
        let mut spin = SpinWait::for_shared_lock();
        loop {
            if let Some(next) = role.enter(state, designated) {
                // Who reads takes nothing from a reader, and may have to be through before a writer can come in.
                if designated == 0 && role == Role::Write && state.has(DESIGNATED) && !deadline.has_passed() {
                    yield_at_intervals();
                }
                // Acquire (rwlock.write, rwlock.read): what earlier holders did.
                match self.try_change(state, next, Acquire) {
                    Ok(()) => {
                        self.arrive(role, designated, next);
                        return true;
                    }
                    Err(actual) => state = actual,
                }
                continue;
            }
            if deadline.has_passed() || role.reads() && state.is_full() {
                if designated != 0 {
                    reached!("rwlock given up by a woken waiter");
                    self.change(state, |state| state.without(DESIGNATED));
                }
                return false;
            }
            let another_comes = designated == 0 && state.has(DESIGNATED);
            let paused = if another_comes { spin.yield_only() } else { spin.spin() };
            if paused {
                state = self.load();
                continue;
            }
            if designated != 0 {
                reached!("rwlock lost to another after a wake-up");
            }
            // A recursive reader does not wait for those that are queued.
            let front = designated != 0 || role == Role::ReadAgain;
            let place = if front { Place::Front } else { Place::Back };
            let waiter = Waiter::new(&self.queue, role.tag(place)).stamped(stamp);
            // Queues first and looks then: if it can go on by now, the plan says so. One more asleep, one more may be
            // woken, as in the mutex; but not past readers that are on their way into a lock without a writer.
            let publish = |locked: LockedQueue<'_>| {
                let change = |state: State| {
                    let state = if role == Role::Write && designated != 0 { state.with(HOLD) } else { state };
                    if designated != 0 || state.has(WRITER) { state.without(DESIGNATED) } else { state }
                };
                // One that was on its way was to look after the others.
                let cause = if designated != 0 { Cause::Change } else { Cause::Queued(role) };
                self.settle(locked, state, change, cause);
            };
            let leave =
                |locked: LockedQueue<'_>| self.settle(locked, state, |state| state, Cause::Left(role));
            let awake = if designated != 0 { SpinWait::for_handoff() } else { SpinWait::NONE };
            match self.queue.lock().wait(waiter, place, publish, deadline, awake, leave) {
                None => return false,
                Some(Woken { outcome: Wakeup::HANDOFF, .. }) => return true,
                Some(woken) => stamp = woken.stamp,
            }
            designated = DESIGNATED;
            spin = SpinWait::after_wake();
            state = State(DESIGNATED);
        }
    }

    /// What a thread does that has just come in by the long way.
    fn arrive(&self, role: Role, designated: u32, state: State) {
        if designated != 0 && role != Role::Write && state.has(QUEUED) {
            reached!("reader lets the others in");
            self.look_after_queue(state);
        } else if role.reads() {
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

    /// Makes a change by which a thread leaves or steps back, and wakes those that can go on. `state` is what the caller
    /// last saw, or supposes.
    fn change(&self, mut state: State, change: impl Fn(State) -> State) {
        let _releasing = Releasing::begin();
        loop {
            let next = change(state);
            let concerns_queue = next.has(QUEUED) && !next.has(DESIGNATED);
            if concerns_queue {
                // At once with the decision if that can be: then a starving waiter gets the lock before any other can.
                let mut word = guess(|| self.queue.load(), Word::EMPTY);
                while !word.is_queue_locked() {
                    match self.queue.try_lock(word) {
                        Ok(locked) => return self.settle(locked, state, change, Cause::Change),
                        Err(actual) => word = actual,
                    }
                }
            }
            // Release (rwlock.write): what the leaving thread did.
            match self.try_change(state, next, Release) {
                Ok(()) if concerns_queue => return self.look_after_queue(next),
                Ok(()) => return,
                Err(actual) => state = actual,
            }
        }
    }

    /// Lets those go on that can by now, or leaves that to the thread that has the queue lock.
    fn look_after_queue(&self, state: State) {
        if let Some(locked) = self.queue.lock_or_delegate(guess(|| self.queue.load(), Word::EMPTY)) {
            self.settle(locked, state, |state| state, Cause::Change);
        }
    }

    /// The same, and grants the lock to the first that can go on then: for that it waits for the queue lock.
    fn change_fairly(&self, change: impl Fn(State) -> State) {
        let _releasing = Releasing::begin();
        let state = self.load();
        if !state.has(QUEUED) {
            return self.change(state, change);
        }
        if let Ok(locked) = self.queue.lock_if_sleepless(Word::EMPTY, |_| true) {
            self.settle(locked, state, change, Cause::Fair);
        }
    }

    /// Ends a section under the queue lock: makes a change, brings the bits up to date with the queue, and lets those go on that can
    /// (invariants 1 and 2); then does once more, for as long as work is delegated.
    fn settle(
        &self,
        mut locked: LockedQueue<'_>,
        state: State,
        change: impl Fn(State) -> State,
        cause: Cause,
    ) {
        let (mut going, mut state) = self.decide(&mut locked, state, change, cause);
        locked.unlock_as(|word, locked| {
            if word.is_recheck() {
                reached!("rwlock looked after by the holder of the queue lock");
                let (more, now) = self.decide(locked, state, |state| state, Cause::Change);
                going.append(more);
                state = now;
            }
            locked.stamp_first();
            word
        });
        going.granted.wake_all(Wakeup::HANDOFF);
        going.woken.wake_all(Wakeup::WOKEN);
    }

    /// Makes the change and what the plan says then, and takes out of the queue those that go on. Says what the state is.
    fn decide(
        &self,
        locked: &mut LockedQueue<'_>,
        mut state: State,
        change: impl Fn(State) -> State,
        cause: Cause,
    ) -> (Going, State) {
        let mut changed = change(state);
        let mut plan = Plan::new(self, locked, changed, cause);
        // Release (rwlock.write): what the leaving thread did. Acquire: the same on behalf of a waiter that is
        // granted the lock, which gets it from us.
        while let Err(actual) = self.try_change(state, plan.next(changed), AcqRel) {
            state = actual;
            let before = mem::replace(&mut changed, change(state));
            // The queue is walked again only if that may come to another end.
            if Plan::key(before) != Plan::key(changed) || !plan.fits(changed) {
                plan = Plan::new(self, locked, changed, cause);
            }
        }
        let beside_writer = changed.has(WRITER);
        if plan.readers != 0 {
            reached!("readers counted in");
            reached!("rwlock granted");
        }
        let mut granted = locked.take_first(plan.readers as usize, |waiter| match Role::of(waiter).0 {
            Role::Read => !beside_writer,
            role => role == Role::ReadAgain,
        });
        let mut woken = WakeList::NONE;
        match plan.one {
            // SAFETY: the plan is of this queue, and counts this waiter to none of the others.
            Some((waiter, _, Wakeup::WOKEN)) => woken.push(unsafe { locked.take(waiter) }),
            Some((waiter, ..)) => {
                reached!("rwlock granted");
                granted.append(locked.take_first(1, |other| ptr::eq(other, waiter.as_ptr())));
            }
            None => {}
        }
        (Going { granted, woken }, plan.next(changed))
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
    pub(crate) fn read_counted(&self, role: Role, deadline: impl FnOnce() -> Deadline) -> bool {
        let state = self.load();
        self.count(role, state) || self.acquire(role, state, &deadline())
    }

    /// The same if that takes no waiting.
    #[inline]
    pub(crate) fn try_read_counted(&self, role: Role) -> bool {
        let state = self.load();
        self.count(role, state) || self.try_acquire(role, state).is_some()
    }

    #[inline]
    fn count(&self, role: Role, state: State) -> bool {
        debug_assert!(role.reads());
        // Acquire (rwlock.write): what the last writer did.
        role.enter(state, 0).is_some_and(|next| self.try_change(state, next, Acquire).is_ok())
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
