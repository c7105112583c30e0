//! How a thread sleeps at a barrier, and how sleepers are woken: invariants 4 to 6 of [`barrier`](super).

use super::RawBarrier;
use super::parts::{Cause, Slept};
use super::state::{Role, State, is_member};
use crate::facade::{Deadline, Releasing, reached};
use crate::wait::{LockedQueue, Place, SpinWait, Waiter, WakeList, Wakeup};

/// For a member: its round has tripped. (For a thread that waits to enter either of the two means: look
/// again.)
pub(super) const TRIPPED: Wakeup = Wakeup::HANDOFF;
/// For a member: its round was broken, and it is not counted any more.
const CANCELLED: Wakeup = Wakeup::WOKEN;

impl RawBarrier {
    /// Queues, unless the generation of `state` has ended or requires no waiting in this role any more.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(super) fn sleep(&self, mut state: State, role: Role, deadline: &Deadline) -> Slept {
        let generation = state.generation();
        let waiter = Waiter::new(&self.queue, generation.tag(role));
        let locked = self.queue.lock();
        loop {
            let must_wait = state.generation() == generation
                && !self.is_over(state)
                && match role {
                    Role::Member => !state.is_broken(),
                    Role::Entering => self.is_closed(state) && !state.is_aborted(),
                };
            if !must_wait {
                self.end_section(locked, false);
                return Slept::NotNow(state);
            }
            match self.try_change(state, state.with(State::SLEEPERS)) {
                Ok(()) => break,
                Err(actual) => state = actual,
            }
        }
        let end = |locked: LockedQueue<'_>| self.end_section(locked, false);
        match locked.wait(waiter, Place::Back, end, deadline, SpinWait::NONE, end) {
            Some(woken) => Slept::Woken(woken.outcome),
            None => Slept::TimedOut,
        }
    }

    /// Wakes the sleepers for which the wait is over by now: to be called after an exchange that ends a
    /// generation, or breaks one, and has found SLEEPERS. Leaves that to the holder of the queue lock if
    /// there is one.
    #[cold]
    pub(super) fn wake_sleepers(&self) {
        let _releasing = Releasing::begin();
        if let Some(locked) = self.queue.lock_or_delegate(self.queue.load()) {
            self.end_section(locked, true);
        }
    }

    /// Ends a section under the queue lock. If it is `due` to wake sleepers, or this was delegated meanwhile,
    /// it takes out those of earlier generations, which have ended, and if the present one is broken those of
    /// this one as well. (There are no members of an earlier one that was broken: those were taken out before
    /// it could end, by invariant 6.)
    fn end_section(&self, locked: LockedQueue<'_>, mut due: bool) {
        let (mut tripped, mut cancelled) = (WakeList::NONE, WakeList::NONE);
        let mut members = 0;
        let mut state = State::FRESH;
        locked.unlock_as(|word, locked| {
            if !due && !word.is_recheck() {
                return word;
            }
            due = false;
            if word.is_recheck() {
                reached("barrier sleepers left to the holder of the queue lock");
            }
            // If members were taken out before, it is in the same generation, which cannot end without them.
            state = self.load();
            let generation = state.generation();
            let ended = locked.take_while(|waiter| generation.is_after(waiter));
            if state.is_broken() {
                if ended.tag().is_some() {
                    reached("barrier member woken by who breaks the next round");
                }
                cancelled.append(locked.take_while(|waiter| {
                    members += u64::from(is_member(waiter));
                    true
                }));
            }
            tripped.append(ended);
            word
        });
        if members > 0 {
            self.leave(state, members, Cause::Broken);
        }
        tripped.wake_all(TRIPPED);
        cancelled.wake_all(CANCELLED);
    }
}
