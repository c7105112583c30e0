//! What a mutex promises, as small as it can be said: see `facade::spec`.
//!
//! It is locked by the thread that has the token. Any thread that waits may get it next, and any that barges,
//! unless it was unlocked fairly: then the token is for those that were waiting. A fair unlock that meets a
//! thread that is leaving at its deadline is left to that thread: until it has left, the lock is free for
//! those that block, and not for those that try.

use std::mem;

use crate::facade::TimeLimit;
use crate::facade::spec::{Gate, Sleep, Token};
use crate::observe::Call;

#[derive(Debug)]
pub(crate) struct RawMutex {
    token: Token,
    gate: Gate<Fields>,
}

#[derive(Debug)]
struct Fields {
    locked: bool,
    /// How many wait for the token.
    waiting: usize,
    /// Unlocked for those that wait: `locked`, but by none yet.
    handed_over: bool,
    /// The threads that came after the hand-over, and queue behind it.
    behind: Vec<Sleep>,
    /// How many are in a timed call that has not got the lock.
    leaving: usize,
    /// Unlocked fairly beside those: `locked`, until the last of them has left.
    delegated: bool,
}

impl RawMutex {
    #[track_caller]
    pub(crate) fn new() -> Self {
        let fields = Fields {
            locked: false,
            waiting: 0,
            handed_over: false,
            behind: Vec::new(),
            leaving: 0,
            delegated: false,
        };
        Self { token: Token::new(), gate: Gate::new(fields) }
    }

    #[track_caller]
    pub(crate) fn is_locked(&self) -> bool {
        self.gate.step(|fields| fields.locked)
    }

    #[track_caller]
    pub(crate) fn try_lock(&self) -> bool {
        self.gate.step(|fields| self.take_if_free(fields))
    }

    fn take_if_free(&self, fields: &mut Fields) -> bool {
        let free = !fields.locked;
        if free {
            self.token.take();
            fields.locked = true;
        }
        free
    }

    #[track_caller]
    pub(crate) fn lock(&self, _: Call<'_>) {
        if self.gate.peek(|fields| fields.handed_over) {
            let behind = self.gate.step(|fields| {
                fields.handed_over.then(|| {
                    fields.behind.push(Sleep::new());
                    fields.behind[fields.behind.len() - 1].clone()
                })
            });
            if let Some(behind) = behind {
                behind.sleep();
            }
        }
        let waits = self.gate.peek(|fields| {
            fields.waiting += usize::from(fields.locked);
            fields.locked
        });
        self.token.take();
        self.gate.also(|fields| {
            fields.locked = true;
            fields.waiting -= usize::from(waits);
            (fields.handed_over, fields.delegated) = (false, false);
            for sleep in mem::take(&mut fields.behind) {
                sleep.end();
            }
        });
    }

    #[track_caller]
    pub(crate) fn lock_until(&self, limit: TimeLimit<'_>) -> bool {
        let deadline = limit.deadline();
        if deadline.is_never() {
            self.lock(Call::none());
            return true;
        }
        if deadline.has_passed() {
            return self.try_lock();
        }
        let locked = self.gate.step(|fields| {
            let locked = self.take_if_free(fields);
            fields.leaving += usize::from(!locked);
            locked
        });
        if !locked {
            self.gate.step(|fields| {
                fields.leaving -= 1;
                if fields.leaving == 0 && mem::take(&mut fields.delegated) {
                    fields.locked = false;
                }
            });
            deadline.pass();
        }
        locked
    }

    /// # Safety
    ///
    /// The caller holds the lock, and gives it up.
    #[track_caller]
    pub(crate) unsafe fn unlock(&self) {
        self.token.give();
        self.gate.also(|fields| fields.locked = false);
    }

    /// # Safety
    ///
    /// The caller holds the lock, and gives it up.
    #[track_caller]
    pub(crate) unsafe fn unlock_fair(&self) {
        self.token.give();
        self.gate.also(|fields| {
            fields.handed_over = fields.waiting > 0;
            fields.delegated = !fields.handed_over && fields.leaving > 0;
            fields.locked = fields.handed_over || fields.delegated;
        });
    }

    /// Returns `true`: advice only, and that one may be about to wait is always true.
    #[allow(clippy::unused_self, reason = "the real one looks")]
    pub(crate) const fn has_waiters(&self) -> bool {
        true
    }

    #[track_caller]
    pub(crate) fn has_waiters_now(&self) -> bool {
        self.gate.step(|fields| fields.waiting > 0)
    }
}
