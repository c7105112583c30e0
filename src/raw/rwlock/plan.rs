//! What the holder of the queue lock decides: which waiters go on in a state, and what the state is then.
//!
//! Every section under the queue lock ends in [`RawRwLock::unlock_and_wake`], which makes a [`Plan`], carries
//! it out, and wakes those that go on. The invariants are those of the [module's page](super).

use std::cell::Cell;
use std::mem;
use std::ptr::{self, NonNull};

use super::state::{
    DESIGNATED, MAX_READERS, QUEUED, Role, State, TOKEN_TAKEN, UPGRADABLE, WRITER, WRITER_WAITING,
};
use super::{RawRwLock, Visible};
use crate::facade::atomic::Ordering::{AcqRel, Release};
use crate::facade::{Releasing, load_or_expected, reached};
use crate::wait::{LockedQueue, Place, Waiter, WakeList, Wakeup, Word, is_turn};

/// Why a section under the queue lock ends, beside what has become of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Some of the waiters may be able to go on now.
    Change,
    /// As `Change`; and a first waiter that is starving is handed the lock, also beside a designated waker.
    Turn,
    /// As `Change`; and the lock is handed to the first of the waiters.
    Fair,
    /// A thread has queued, which brought nothing about for the others.
    Queued(Role),
    /// A thread has left the queue at its deadline.
    Left(Role),
}

/// Which waiters go on.
///
/// * A drained writer's wait is over: it is woken.
/// * Readers go on unless a writer has the lock, up to the first writer in the queue. If the lock is
///   read-locked already, or the first of them is starving, all of them are counted in with one exchange and
///   woken as readers. If the lock is free, the first is woken to come in, and does that for the others when
///   it is there: the lock does not rest meanwhile.
/// * Recursive readers were put before all others. No writer stops them, neither one that drains nor one that
///   was woken and has lost, and was put before them after they came.
/// * An upgradable reader goes on if the token is free, and is passed by readers if it is not.
/// * A writer that comes first goes on if the token is free and no readers are counted.
///
/// While there is a designated waker no other waiter is woken, but for those that the lock is handed to.
pub(super) struct Plan {
    /// How many readers, the first in the queue, are counted in.
    readers: u32,
    /// The other waiter that goes on.
    one: Option<(NonNull<Waiter>, Role, Wakeup)>,
    /// QUEUED and WRITER_WAITING for what stays in the queue.
    bits: u32,
}

impl Plan {
    /// Returns whether there is room in this state for the readers of this plan.
    fn fits(&self, state: State) -> bool {
        self.readers <= MAX_READERS - state.readers()
    }

    /// Decides what is to be done. `is_drained` says whether the readers have left for which a writer waits.
    fn new(queue: &LockedQueue<'_>, state: State, cause: Cause, is_drained: impl Fn() -> bool) -> Self {
        let writer_waiting = match cause {
            Cause::Queued(Role::Write) => true,
            Cause::Left(Role::Write) => queue.waiters().any(|waiter| Role::of(waiter).0 == Role::Write),
            _ => state.has(WRITER_WAITING),
        };
        let concerned = match cause {
            Cause::Queued(role) => role.could_go(state),
            Cause::Left(role) => role == Role::Write,
            Cause::Change | Cause::Turn | Cause::Fair => true,
        };
        let mut walk = Walk::begin(queue, state, cause == Cause::Fair, writer_waiting);
        let may_go = walk.wakes
            || walk.draining
            || cause == Cause::Fair
            || cause == Cause::Turn && queue.first_is_starving();
        let mut waiters = queue.waiters();
        if concerned && may_go && !state.is_write_locked() {
            walk.go_along(&mut waiters, is_drained);
        }
        let queued = if walk.queued || waiters.next().is_some() { QUEUED } else { 0 };
        let writer_waiting = if walk.writer_waiting { WRITER_WAITING } else { 0 };
        Self { readers: walk.readers, one: walk.one, bits: queued | writer_waiting }
    }

    /// Returns the state when they have gone on.
    fn next(&self, state: State) -> State {
        let state = state.with_readers(self.readers).without(QUEUED | WRITER_WAITING).with(self.bits);
        match self.one {
            None => state,
            Some((_, Role::Drain, _)) => state.drained(),
            Some((_, _, Wakeup::WOKEN)) => state.with(DESIGNATED),
            Some((_, Role::Upgradable, _)) => state.with(UPGRADABLE),
            Some(_) => state.claimed_for_writing(),
        }
    }

    /// Takes those out of the queue that go on. `state` is the one of which the plan was made.
    fn take_out(&self, queue: &mut LockedQueue<'_>, state: State) -> ToWake {
        // Of readers that are not recursive none beside a writer, and none behind one.
        let no_more = Cell::new(state.has(WRITER));
        if self.readers != 0 {
            reached("readers counted in");
            reached("rwlock granted");
            if state.has(DESIGNATED) && !state.is_draining() {
                reached("readers counted in past a designated waker");
                if state.has_readers() {
                    reached("readers counted in beside others past a designated waker");
                }
            }
        }
        let mut handed = queue.take_first(self.readers as usize, |waiter| match Role::of(waiter).0 {
            Role::Read => !no_more.get(),
            Role::Write => {
                no_more.set(true);
                false
            }
            role => role == Role::ReadAgain,
        });
        let mut designated = WakeList::NONE;
        match self.one {
            // SAFETY: the plan is of this queue, and counts this waiter to none of the others.
            Some((waiter, _, Wakeup::WOKEN)) => designated.push(unsafe { queue.take(waiter) }),
            Some((waiter, ..)) => {
                reached("rwlock granted");
                if state.has(DESIGNATED) {
                    reached("rwlock handed over past a designated waker");
                }
                handed.append(queue.take_first(1, |other| ptr::eq(other, waiter.as_ptr())));
            }
            None => {}
        }
        ToWake { handed, designated }
    }
}

/// What becomes of a waiter.
enum Verdict {
    /// It is a reader, and counted in.
    Enters,
    /// It goes on with this wake-up.
    Goes(Wakeup),
    /// It stays in the queue.
    Stays,
}

/// The way along the queue, from its first waiter to the last that can go on.
struct Walk<'a> {
    queue: &'a LockedQueue<'a>,
    state: State,
    /// Whether the lock is handed to the first that can have it.
    fair: bool,
    draining: bool,
    /// Whether a waiter may be woken: there is no designated waker.
    wakes: bool,
    /// Whether readers are counted in, not woken.
    lets_in: bool,
    readers: u32,
    one: Option<(NonNull<Waiter>, Role, Wakeup)>,
    /// Whether one of those passed stays in the queue.
    queued: bool,
    writer_waiting: bool,
}

impl<'a> Walk<'a> {
    fn begin(queue: &'a LockedQueue<'a>, state: State, fair: bool, writer_waiting: bool) -> Self {
        let draining = state.is_draining();
        let lets_in = fair || draining || state.is_read_locked();
        let wakes = !state.has(DESIGNATED);
        Self {
            queue,
            state,
            fair,
            draining,
            wakes,
            lets_in,
            readers: 0,
            one: None,
            queued: false,
            writer_waiting,
        }
    }

    fn go_along<'q>(
        &mut self,
        waiters: &mut impl Iterator<Item = &'q Waiter>,
        is_drained: impl Fn() -> bool,
    ) {
        while let Some(waiter) = waiters.next() {
            let (role, place) = Role::of(waiter);
            // A waiter that can go on beside a writer that drains, and that writer itself, were put before
            // all others.
            if self.draining && place == Place::Back {
                self.queued = true;
                return;
            }
            let goes = match self.verdict(waiter, role, &is_drained) {
                Verdict::Enters => {
                    self.readers += 1;
                    continue;
                }
                Verdict::Goes(wakeup) => {
                    self.one = Some((NonNull::from(waiter), role, wakeup));
                    true
                }
                Verdict::Stays => {
                    self.queued = true;
                    false
                }
            };
            match role {
                Role::Write if !self.draining => return self.go_past_writer(goes, waiters),
                Role::Drain if goes => return,
                _ if goes && !self.lets_in => return,
                _ => {}
            }
        }
    }

    fn verdict(&mut self, waiter: &Waiter, role: Role, is_drained: impl Fn() -> bool) -> Verdict {
        let first = self.readers == 0 && self.one.is_none();
        let handed = first && (self.fair || self.queue.is_starving(waiter));
        let may_take_token = !self.state.has(TOKEN_TAKEN) && (self.wakes || handed);
        let goes = match role {
            Role::Read if self.draining => false,
            Role::Read | Role::ReadAgain => {
                self.lets_in |= handed;
                if self.lets_in && self.has_room() {
                    return Verdict::Enters;
                }
                let woken = self.one.is_none() && self.wakes;
                return if woken { Verdict::Goes(Wakeup::WOKEN) } else { Verdict::Stays };
            }
            Role::Upgradable => self.one.is_none() && may_take_token,
            Role::Write => first && may_take_token && !self.state.has_readers(),
            Role::Drain if self.draining && self.readers == 0 && is_drained() => {
                return Verdict::Goes(Wakeup::HANDOFF);
            }
            Role::Drain => false,
        };
        self.lets_in |= goes && handed;
        match goes {
            true if handed => Verdict::Goes(Wakeup::HANDOFF),
            true => Verdict::Goes(Wakeup::WOKEN),
            false => Verdict::Stays,
        }
    }

    /// Goes on behind the first writer, as far as recursive readers can be, and until it is known whether a
    /// writer waits.
    fn go_past_writer<'q>(&mut self, goes: bool, waiters: &mut impl Iterator<Item = &'q Waiter>) {
        self.writer_waiting = !goes;
        for waiter in waiters {
            let (role, place) = Role::of(waiter);
            if role == Role::ReadAgain && !goes && self.lets_in && self.has_room() {
                reached("recursive reader let in past a writer that lost");
                self.readers += 1;
                continue;
            }
            self.queued = true;
            self.writer_waiting |= role == Role::Write;
            if self.writer_waiting && (goes || place == Place::Back) {
                return;
            }
        }
    }

    fn has_room(&self) -> bool {
        self.readers < MAX_READERS - self.state.readers()
    }
}

/// Waiters that were taken out of the queue, and are to be woken once the queue lock has been given back.
struct ToWake {
    /// Those that the lock was handed to.
    handed: WakeList,
    /// One from each decision at most. A second decision of one section may add another: a designated waker
    /// from before it, beside which a thread had queued and cleared DESIGNATED, may come between the two and
    /// clear it once more.
    designated: WakeList,
}

impl ToWake {
    fn append(&mut self, later: Self) {
        self.handed.append(later.handed);
        self.designated.append(later.designated);
    }

    fn wake(self) {
        self.handed.wake_all(Wakeup::HANDOFF);
        self.designated.wake_all(Wakeup::WOKEN);
    }
}

impl<V: Visible> RawRwLock<V> {
    /// Makes a change by which a thread leaves or steps back, and wakes those that can go on. `state` is what
    /// the caller last saw, or an optimistic expected value.
    pub(super) fn change(&self, mut state: State, change: impl Fn(State) -> State) {
        let _releasing = Releasing::begin();
        // Asked once in each call that finds waiters and a designated waker.
        let mut own_turn = None;
        loop {
            let next = change(state);
            let has_other = next.has(DESIGNATED) && !next.is_draining();
            let concerns_queue = next.has(QUEUED) && (!has_other || *own_turn.get_or_insert_with(is_turn));
            if concerns_queue {
                // At once with the decision if that can be: then a starving waiter gets the lock before any
                // other can.
                let mut word = load_or_expected(|| self.queue.load(), Word::EMPTY);
                while !word.is_queue_locked() {
                    match self.queue.try_lock(word) {
                        Ok(queue) => {
                            let cause = if has_other { Cause::Turn } else { Cause::Change };
                            return self.unlock_and_wake(queue, state, change, cause);
                        }
                        Err(actual) => word = actual,
                    }
                }
            }
            // Release (rwlock.write): what the leaving thread did.
            // proof: rwlock.change
            match self.try_change(state, next, Release) {
                Ok(()) if concerns_queue => {
                    return self.look_after_queue(next, if has_other { Cause::Turn } else { Cause::Change });
                }
                Ok(()) => return,
                Err(actual) => state = actual,
            }
        }
    }

    /// Changes the state likewise, and hands the lock to the first that can have it then: for that it waits
    /// for the queue lock.
    pub(super) fn change_fairly(&self, change: impl Fn(State) -> State) {
        let _releasing = Releasing::begin();
        let state = self.load();
        if !state.has(QUEUED) {
            return self.change(state, change);
        }
        if let Ok(queue) = self.queue.lock_if_sleepless(Word::EMPTY, |_| true) {
            self.unlock_and_wake(queue, state, change, Cause::Fair);
        }
    }

    /// Lets those go on that can by now, or leaves that to the thread that has the queue lock.
    pub(super) fn look_after_queue(&self, state: State, cause: Cause) {
        if let Some(queue) = self.queue.lock_or_delegate(load_or_expected(|| self.queue.load(), Word::EMPTY))
        {
            self.unlock_and_wake(queue, state, |state| state, cause);
        }
    }

    /// Ends a section under the queue lock: makes a change, brings the bits up to date with the queue, and
    /// lets those go on that can (invariants 1 and 2); then does once more, for as long as work is delegated.
    pub(super) fn unlock_and_wake(
        &self,
        mut queue: LockedQueue<'_>,
        state: State,
        change: impl Fn(State) -> State,
        cause: Cause,
    ) {
        let (mut woken, mut state) = self.decide(&mut queue, state, change, cause);
        queue.unlock_as(|word, queue| {
            if word.is_recheck() {
                reached("rwlock looked after by the holder of the queue lock");
                // It may have been a thread's turn.
                let (more, now) = self.decide(queue, state, |state| state, Cause::Turn);
                woken.append(more);
                state = now;
            }
            queue.stamp_first();
            word
        });
        woken.wake();
    }

    /// Makes the change and what the plan says then, and takes out of the queue those that go on. Returns
    /// them, and the state.
    fn decide(
        &self,
        queue: &mut LockedQueue<'_>,
        mut state: State,
        change: impl Fn(State) -> State,
        cause: Cause,
    ) -> (ToWake, State) {
        let plan_for =
            |queue: &LockedQueue<'_>, state| Plan::new(queue, state, cause, || self.has_drained(state));
        let mut changed = change(state);
        let mut plan = plan_for(queue, changed);
        // Release (rwlock.write): what the leaving thread did. Acquire: the same on behalf of a waiter that
        // the lock is handed to, which gets it from this thread.
        // proof: rwlock.decide
        while let Err(actual) = self.try_change(state, plan.next(changed), AcqRel) {
            state = actual;
            let before = mem::replace(&mut changed, change(state));
            // The queue is walked again only if that may come to another end.
            if before.planned_for() != changed.planned_for() || !plan.fits(changed) {
                plan = plan_for(queue, changed);
            }
        }
        (plan.take_out(queue, changed), plan.next(changed))
    }
}
