//! A list that only grows, of members that one thread at a time has, and that others look at.
//!
//! | state | meaning | left by |
//! |---|---|---|
//! | `FREE` | no thread has it | a thread that claims it, to `TAKEN` |
//! | `TAKEN` | a thread has it | that thread, to `FREE` or `LEFT` |
//! | `LEFT` | its thread has gone and left something in it | a thread that claims it, to `TAKEN` |
//!
//! Members are never freed, so looking at them takes no lock and no care.
//!
//! Ordering: `members.list` is Release in the thread that puts a new member in and Acquire in those that go
//! through the list: the member as it was made. `members.claim` is Release in the thread that leaves a member
//! and Acquire in the one that claims it: the member as it was left.

use std::ptr;

use crate::facade::atomic::{
    AtomicPtr, AtomicU32,
    Ordering::{Acquire, Relaxed, Release},
};
use crate::facade::const_fn;

const FREE: u32 = 0;
const TAKEN: u32 = 1;
const LEFT: u32 = 2;

pub(crate) struct Members<T: 'static> {
    first: AtomicPtr<Member<T>>,
}

pub(crate) struct Member<T: 'static> {
    state: AtomicU32,
    next: AtomicPtr<Member<T>>,
    pub(crate) value: T,
}

impl<T> Members<T> {
    const_fn! {
        pub(crate) fn new() -> Self {
            Self { first: AtomicPtr::new(ptr::null_mut()) }
        }
    }

    /// Returns an iterator over all members, the newest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'static Member<T>> + Clone + use<T> {
        // Acquire (members.list): the member, and those behind it.
        // proof: members.iter
        let mut next = self.first.load(Acquire);
        std::iter::from_fn(move || {
            // SAFETY: null, or a member, which is never freed.
            let member: &'static Member<T> = unsafe { next.as_ref() }?;
            // Relaxed: written before the member was put in.
            next = member.next.load(Relaxed);
            Some(member)
        })
    }

    /// Puts in a member that the calling thread has.
    pub(crate) fn add(&self, value: T) -> &'static Member<T> {
        let member = Member { state: AtomicU32::new(TAKEN), next: AtomicPtr::new(ptr::null_mut()), value };
        let member = Box::into_raw(Box::new(member));
        // SAFETY: made just now, and never freed.
        let shared: &'static Member<T> = unsafe { &*member };
        // Relaxed: compared by the exchange.
        let mut first = self.first.load(Relaxed);
        loop {
            // Relaxed: published by the exchange.
            shared.next.store(first, Relaxed);
            // Release (members.list): the member. What it leads to was published by earlier
            // exchanges, whose release sequences this one extends. Relaxed on failure: nothing is done.
            // proof: members.add
            match self.first.compare_exchange_weak(first, member, Release, Relaxed) {
                Ok(_) => return shared,
                Err(actual) => first = actual,
            }
        }
    }
}

impl<T> Member<T> {
    /// Makes it the calling thread's if no thread has it, and if `may` says so of one in which something was
    /// left.
    pub(crate) fn claim(&self, may: impl FnOnce(&T) -> bool) -> bool {
        // Relaxed: the exchange decides.
        // proof: members.look
        let state = self.state.load(Relaxed);
        // Acquire (members.claim): what `may` looks at.
        // proof: members.may
        if state == TAKEN || state == LEFT && (self.state.load(Acquire) != LEFT || !may(&self.value)) {
            return false;
        }
        // Acquire (members.claim): what was left. Relaxed on failure: nothing is taken.
        // proof: members.claim
        self.state.compare_exchange(state, TAKEN, Acquire, Relaxed).is_ok()
    }

    /// Gives it back; with something in it or not.
    pub(crate) fn leave(&self, with_something: bool) {
        // Release (members.claim): what the thread has made of it.
        // proof: members.leave
        self.state.store(if with_something { LEFT } else { FREE }, Release);
    }

    /// Returns whether its thread has gone and left something.
    pub(crate) fn is_left(&self) -> bool {
        // Relaxed: a hint.
        self.state.load(Relaxed) == LEFT
    }
}
