//! The writer of the lock, the upgradable reader that becomes it, and how both wait for readers to leave.
//!
//! A thread becomes the writer in two steps if there are readers: by the first it gets the token, which keeps
//! new readers out (WRITER and DRAINING), by the second it has the lock (DRAINING cleared, invariant 4 of the
//! [module's page](super)). A try keeps no reader out: it sets DRAINING alone while it looks for visible
//! readers, and takes it back if there are any.

use std::mem;

use super::plan::Cause;
use super::state::{DRAINING, Role, State, TOKEN_TAKEN, UPGRADABLE, WRITER};
use super::{RawRwLock, Visible};
use crate::facade::atomic::{
    Ordering::{Acquire, Release},
    fence_in_order,
};
use crate::facade::{Deadline, TimeLimit, reached};
use crate::wait::{LockedQueue, Place, PollInterval, SpinWait, Waiter};

/// Takes back what has been done for an attempt to become the writer, unless it succeeds: also if it panics,
/// as a model checker's operations do in a model that fails.
struct Withdraw<'a, V: Visible>(&'a RawRwLock<V>, fn(&RawRwLock<V>));

impl<V: Visible> Withdraw<'_, V> {
    #[inline]
    fn unless(self, done: bool) -> bool {
        if done {
            mem::forget(self);
        }
        done
    }
}

impl<V: Visible> Drop for Withdraw<'_, V> {
    fn drop(&mut self) {
        (self.1)(self.0);
    }
}

impl<V: Visible> RawRwLock<V> {
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn write(&self, limit: TimeLimit<'_>) -> bool {
        // Acquire (rwlock.write, rwlock.read): what earlier holders did.
        let Err(state) = self.try_change(State::FREE, State(WRITER), Acquire) else { return true };
        // Free as well, but there were reads since the last writer.
        if state.without_consecutive_reads() == State::FREE
            && self.try_change(state, State(WRITER), Acquire).is_ok()
        {
            return true;
        }
        limit.ended(self.write_slow(state, &limit.deadline()))
    }

    #[cold]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn write_slow(&self, state: State, deadline: &Deadline) -> bool {
        if deadline.has_passed() {
            return self.try_take(state, 0);
        }
        if self.acquire(Role::Write, state, deadline).is_none() {
            return false;
        }
        let state = self.load();
        let withdraw = Withdraw(self, Self::withdraw_write);
        withdraw.unless(!state.has(DRAINING) || self.drain(state, deadline))
    }

    pub(crate) fn try_write(&self) -> bool {
        // Acquire (rwlock.write, rwlock.read): what earlier holders did.
        match self.try_change(State::FREE, State(WRITER), Acquire) {
            Ok(()) => true,
            Err(state) => self.try_take(state, 0),
        }
    }

    /// # Safety
    ///
    /// The caller is the writer, and no longer is afterwards.
    #[inline]
    pub(crate) unsafe fn unlock_write(&self) {
        // Release (rwlock.write): what this writer did.
        if let Err(state) = self.try_change(State(WRITER), State::FREE, Release) {
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
    /// The caller is the writer, and a counted reader afterwards.
    pub(crate) unsafe fn downgrade(&self) {
        self.change(State(WRITER), |state| state.without(WRITER).with_readers(1));
    }

    /// # Safety
    ///
    /// The caller is the writer, and the upgradable reader afterwards.
    pub(crate) unsafe fn downgrade_to_upgradable(&self) {
        self.change(State(WRITER), |state| state.without(WRITER).with(UPGRADABLE));
    }

    /// Waits until the other readers have left, or until the deadline.
    ///
    /// # Safety
    ///
    /// The caller is the upgradable reader. If the result is true it is the writer instead.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) unsafe fn upgrade(&self, limit: TimeLimit<'_>) -> bool {
        // Acquire (rwlock.read): what the readers that have left did.
        if self.try_change(State(UPGRADABLE), State(WRITER), Acquire).is_ok() {
            return true;
        }
        let deadline = limit.deadline();
        if deadline.has_passed() {
            return limit.ended(self.try_take(self.load(), UPGRADABLE));
        }
        let state = self.claim_for_upgrade();
        let withdraw = Withdraw(self, Self::withdraw_upgrade);
        limit.ended(withdraw.unless(!state.has(DRAINING) || self.drain(state, &deadline)))
    }

    /// # Safety
    ///
    /// As for [`upgrade`](Self::upgrade).
    pub(crate) unsafe fn try_upgrade(&self) -> bool {
        self.try_take(self.load(), UPGRADABLE)
    }

    /// Trades UPGRADABLE for WRITER, and for DRAINING if there may be readers to wait for.
    fn claim_for_upgrade(&self) -> State {
        let mut state = State(UPGRADABLE);
        loop {
            let next = state.without(UPGRADABLE).claimed_for_writing();
            // Acquire (rwlock.read): if there are none, what the readers that have left did.
            // proof: rwlock.pend_upgrade
            match self.try_change(state, next, Acquire) {
                Ok(()) => return next,
                Err(actual) => state = actual,
            }
        }
    }

    /// Becomes the writer unless another thread has the lock. The caller has `held` of the token: UPGRADABLE,
    /// or nothing. A failure has kept no reader out.
    fn try_take(&self, mut state: State, held: u32) -> bool {
        // Found out before anything is changed.
        if self.any_visible(state) {
            return false;
        }
        loop {
            if state.has_readers() || state.0 & TOKEN_TAKEN != held {
                return false;
            }
            let biased = state.is_reader_biased();
            let next = if biased { state.with(DRAINING) } else { state.write_locked(held) };
            // Acquire (rwlock.write, rwlock.read): what earlier holders did.
            // proof: rwlock.try_take
            match self.try_change(state, next, Acquire) {
                Ok(()) if biased => return self.try_take_from_visible(next, held),
                Ok(()) => return true,
                Err(actual) => state = actual,
            }
        }
    }

    /// Takes the lock if no reader is left, for a thread that has set DRAINING. Until it has cleared it again
    /// readers are counted, so they need not wait to learn how this ends.
    #[cold]
    fn try_take_from_visible(&self, mut state: State, held: u32) -> bool {
        // In order after the exchange that set DRAINING, against a reader that publishes itself
        // (rwlock.slots).
        // proof: rwlock.slots.fence_try
        fence_in_order();
        if !self.any_visible(state) {
            while !state.has_readers() {
                // Acquire (rwlock.read): what the counted readers did.
                // proof: rwlock.try_take_drained
                match self.try_change(state, state.drained().write_locked(held), Acquire) {
                    Ok(()) => return true,
                    Err(actual) => state = actual,
                }
            }
        }
        reached("rwlock try withdrawn");
        self.change(state, |state| state.without(DRAINING));
        false
    }

    fn withdraw_write(&self) {
        reached("rwlock write withdrawn");
        self.change(State(WRITER | DRAINING), |state| state.without(WRITER | DRAINING));
    }

    fn withdraw_upgrade(&self) {
        reached("rwlock upgrade withdrawn");
        self.change(State(WRITER | DRAINING), |state| state.without(WRITER | DRAINING).with(UPGRADABLE));
    }

    /// Returns whether all readers have left that a writer waits for: for that writer, behind the fence that
    /// follows its setting WRITER, or for a thread that found it in the queue.
    pub(super) fn has_drained(&self, state: State) -> bool {
        // READER_BIASED is not set while WRITER is, so it is as the exchange that set WRITER found it.
        !(state.has_readers() || self.any_visible(state))
    }

    /// Clears DRAINING if all readers have left (invariant 4), and returns whether they have: for the writer
    /// that set it.
    fn try_finish_draining(&self, mut state: State) -> bool {
        // READER_BIASED is not set while WRITER is, so it is as the exchange that set WRITER found it.
        if self.any_visible(state) {
            return false;
        }
        while !state.has_readers() {
            // Acquire (rwlock.read): what the counted readers did.
            // proof: rwlock.drained
            match self.try_change(state, state.drained(), Acquire) {
                Ok(()) => return true,
                Err(actual) => state = actual,
            }
        }
        false
    }

    /// Waits until all readers have left, or until the deadline: for the writer that set DRAINING.
    #[cold]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn drain(&self, mut state: State, deadline: &Deadline) -> bool {
        // In order after the exchange that set WRITER, against a reader that publishes itself (rwlock.slots).
        // proof: rwlock.slots.fence
        fence_in_order();
        let mut spin = SpinWait::for_drain();
        let mut rounds = None;
        loop {
            if self.try_finish_draining(state) {
                return true;
            }
            if deadline.has_passed() {
                return false;
            }
            if spin.spin() {
                state = self.load();
                continue;
            }
            // Before the queue lock is taken: in a model this may panic.
            let waiter = Waiter::new(&self.queue, Role::Drain.tag(Place::Front));
            let queue = self.queue.lock();
            // Asked again under the queue lock: a visible reader that leaves from now on and sees DRAINING
            // finds this thread in the queue.
            let visible = self.any_visible(state);
            // One that leaves and does not see DRAINING yet wakes no thread, so this one looks again now and
            // then.
            let round;
            let end = if visible {
                reached("writer waits for a visible reader");
                round = rounds.get_or_insert_with(PollInterval::new).next(deadline);
                &round
            } else {
                deadline
            };
            let end_section = |queue: LockedQueue<'_>, cause: fn(Role) -> Cause| {
                self.unlock_and_wake(queue, state, |state| state, cause(Role::Drain));
            };
            let publish = |queue: LockedQueue<'_>| end_section(queue, Cause::Queued);
            let leave = |queue: LockedQueue<'_>| end_section(queue, Cause::Left);
            if queue.wait(waiter, Place::Front, publish, end, SpinWait::NONE, leave).is_some() {
                reached("writer told that it is drained");
                return true;
            }
            state = self.load();
        }
    }
}
