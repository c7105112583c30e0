//! The identity of a thread: a number that no other thread of the process has, had or will have.
//!
//! | number | meaning |
//! |---|---|
//! | not known | the thread has never asked; it is no owner of anything |
//! | known | the thread has asked once, and has that number until it ends |
//!
//! Invariants:
//!
//! 1. Two threads never have the same number, whether or not one has ended before the other began: what a
//!    thread that has ended left behind is taken for no other thread's.
//! 2. A thread's number never changes.
//!
//! Ordering: none. A number is made by one addition to a counter, and is kept where its thread alone can see
//! it.
//!
//! Promised upward: [`ThreadId::known`] is one read of a thread-local constant-initialised cell, without a
//! branch and without a destructor, so it works in the destructors of an ending thread as well.
//!
//! Limits: 2^64 threads; and where the platform has no native thread-local storage, none of this works in a
//! thread whose thread-local data are gone.

use std::num::NonZeroU64;

use crate::facade;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ThreadId(NonZeroU64);

impl ThreadId {
    /// Returns the calling thread's number.
    #[inline]
    pub(crate) fn current() -> Self {
        Self(facade::this_thread())
    }

    /// Returns the calling thread's number, if it has asked for [`current`](Self::current) before.
    #[inline]
    pub(crate) fn known() -> Option<Self> {
        facade::known_thread().map(Self)
    }

    #[inline]
    pub(crate) const fn get(self) -> u64 {
        self.0.get()
    }
}
