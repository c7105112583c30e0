//! How long a call may wait, before any clock is read.

use std::time::{Duration, Instant};

use super::Deadline;

/// How long a call may wait. A call that need not wait never makes a [`Deadline`] of it, which reads the
/// clock.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TimeLimit<'a> {
    Never,
    For(Duration),
    Until(Instant),
    /// A deadline that several waits share.
    Before(&'a Deadline),
}

impl TimeLimit<'_> {
    /// The moment at which the limit is reached, counted from now. To be called on the slow path, once in
    /// each call.
    #[inline]
    pub(crate) fn deadline(self) -> Deadline {
        match self {
            Self::Never => Deadline::NEVER,
            Self::For(timeout) => deadline_after(timeout),
            Self::Until(instant) => Deadline::at(instant),
            Self::Before(deadline) => deadline.clone(),
        }
    }
}

/// Out of the way of the fast path, into which [`TimeLimit::deadline`] is inlined.
#[cold]
#[inline(never)]
fn deadline_after(timeout: Duration) -> Deadline {
    Deadline::after(timeout)
}
