//! All threads' values of one object that keeps them: a list that is only ever pushed to. It is made with its
//! first value.
//!
//! | the list is | meaning |
//! |---|---|
//! | not made, or null | no thread has a value |
//! | a link | the value that was pushed last; its `next` is the one before it |
//!
//! Invariants:
//!
//! 1. A value that was pushed stays where it is, and its links as they are, until a thread borrows the object
//!    exclusively. So a thread that walks the list while others push sees all values that were pushed before
//!    it began.
//! 2. A thread pushes one value at most, and marks it with its number, which no other thread ever has.
//!
//! Ordering: `thread_local.push` is Release, `first` is Acquire. (The first value is published with the list:
//! `slots.owner`.) Every push is a read-modify-write, so a walk that begins at the last value sees what all
//! earlier ones published, too.
//!
//! Promised upward: neither side ever waits for the other. Limits: none is ever removed by itself.

use std::cell::Cell;
use std::ptr::{self, NonNull};

use crate::facade::atomic::AtomicPtr;
use crate::facade::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::facade::reached;
use crate::raw::slots::Owner;
use crate::raw::thread_id::ThreadId;

/// What a value is linked by. The value's allocation begins with it.
#[derive(Debug)]
pub(crate) struct Link {
    next: Cell<*mut Link>,
    thread: ThreadId,
}

impl Link {
    /// Makes a link for that thread.
    pub(crate) const fn new(thread: ThreadId) -> Self {
        Self { next: Cell::new(ptr::null_mut()), thread }
    }

    /// Returns the value that was pushed before this one.
    pub(crate) fn next(&self) -> Option<NonNull<Self>> {
        NonNull::new(self.next.get())
    }

    pub(crate) fn thread(&self) -> ThreadId {
        self.thread
    }
}

#[derive(Debug)]
pub(crate) struct Pushed {
    last: AtomicPtr<Link>,
}

impl Pushed {
    /// Makes a list of this one value.
    pub(crate) fn new(value: NonNull<Link>) -> Self {
        Self { last: AtomicPtr::new(value.as_ptr()) }
    }

    /// # Safety
    ///
    /// `value` is alive, stays so while it is in the list, and is in none yet.
    pub(crate) unsafe fn push(&self, value: NonNull<Link>) {
        // SAFETY: this function's contract.
        let link = unsafe { value.as_ref() };
        // A load_or_expected, put right by the first exchange: a load in front of it would be one more
        // access, and hide those of other threads from the model.
        let mut last = ptr::null_mut();
        loop {
            link.next.set(last);
            // Release (thread_local.push): the value and its link. Relaxed: an address to link to, not
            // followed here.
            match self.last.compare_exchange_weak(last, value.as_ptr(), Release, Relaxed) {
                Ok(_) => return,
                Err(other) => {
                    reached("pushed onto another's value");
                    last = other;
                }
            }
        }
    }

    /// Returns the value that was pushed last, as far as this thread knows.
    pub(crate) fn first(&self) -> Option<NonNull<Link>> {
        // Acquire (thread_local.push): the value, its link, and all before it.
        NonNull::new(self.last.load(Acquire))
    }

    /// Takes the whole list. The caller borrows the object exclusively.
    pub(crate) fn take(&self) -> Option<NonNull<Link>> {
        // Relaxed: borrowed exclusively, so whatever ordered this after the pushes shows all they published.
        let last = self.last.load(Relaxed);
        // Relaxed: the same, for the thread that has it next.
        self.last.store(ptr::null_mut(), Relaxed);
        NonNull::new(last)
    }
}

impl Owner for Pushed {
    /// Does nothing: the values outlive their threads.
    unsafe fn thread_ends(&self, _: NonNull<()>) {}
}
