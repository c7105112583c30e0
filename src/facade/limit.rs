//! How long a call may wait, before any clock is read, and which call it is.

use std::time::{Duration, Instant};

use super::Deadline;
use crate::observe::Call;

/// How long a call may wait. A call that need not wait never makes a [`Deadline`] of it, which reads the
/// clock.
#[derive(Clone, Copy)]
pub(crate) struct TimeLimit<'a> {
    bound: Bound<'a>,
    call: Call<'a>,
}

#[derive(Clone, Copy)]
enum Bound<'a> {
    Never,
    For(Duration),
    Until(Instant),
    /// A deadline that several waits share.
    Before(&'a Deadline),
}

impl<'a> TimeLimit<'a> {
    /// Makes one without an end, for a call that begins.
    #[inline]
    pub(crate) fn never(call: Call<'a>) -> Self {
        call.acquiring(false);
        Self::again(call)
    }

    /// Makes one without an end, for a call that diagnosis knows of already.
    #[inline]
    pub(crate) fn again(call: Call<'a>) -> Self {
        Self { bound: Bound::Never, call }
    }

    #[inline]
    pub(crate) fn within(timeout: Duration, call: Call<'a>) -> Self {
        call.acquiring(ends(timeout));
        Self { bound: Bound::For(timeout), call }
    }

    #[inline]
    pub(crate) fn until(instant: Instant, call: Call<'a>) -> Self {
        call.acquiring(true);
        Self { bound: Bound::Until(instant), call }
    }

    /// Makes the limit of a deadline that several waits share, of a call of its own.
    #[cfg(feature = "threads")]
    #[inline]
    pub(crate) fn before(deadline: &'a Deadline, call: Call<'a>) -> Self {
        call.acquiring(!deadline.is_never());
        Self { bound: Bound::Before(deadline), call }
    }

    /// Makes the limit of a deadline that several waits share, for a call that diagnosis knows of already.
    #[inline]
    pub(crate) fn again_before(deadline: &'a Deadline, call: Call<'a>) -> Self {
        Self { bound: Bound::Before(deadline), call }
    }

    /// Returns the call.
    #[inline]
    pub(crate) fn call(&self) -> Call<'a> {
        self.call
    }

    /// Returns the same limit for `call`.
    #[inline]
    pub(crate) fn of_call(self, call: Call<'a>) -> Self {
        call.acquiring(self.is_timed());
        Self { call, ..self }
    }

    /// Makes the limit of a deadline that several waits of one call share.
    #[cfg(feature = "threads")]
    #[inline]
    pub(crate) fn of(deadline: &'a Deadline) -> Self {
        Self { bound: Bound::Before(deadline), call: Call::none() }
    }

    /// Returns whether there is a limit: the wait ends by itself.
    #[inline]
    pub(crate) fn is_timed(&self) -> bool {
        match self.bound {
            Bound::Never => false,
            Bound::For(timeout) => ends(timeout),
            Bound::Until(_) => true,
            Bound::Before(deadline) => !deadline.is_never(),
        }
    }

    /// Returns the moment at which the limit is reached, counted from now. To be called on the slow path,
    /// once in each call.
    #[inline(always)]
    pub(crate) fn deadline(self) -> Deadline {
        match self.bound {
            Bound::Never => self.call.endless(),
            Bound::For(_) | Bound::Until(_) | Bound::Before(_) => self.finite(),
        }
    }

    #[inline]
    fn finite(self) -> Deadline {
        self.call.contended(self.is_timed());
        match self.bound {
            Bound::Never => Deadline::NEVER,
            Bound::For(timeout) => deadline_after(timeout),
            Bound::Until(instant) => Deadline::at(instant),
            Bound::Before(deadline) => deadline.shared(),
        }
        .of_call(&self.call)
    }

    /// Passes on whether a call has got on its slow path what it wanted.
    #[inline]
    pub(crate) fn ended(&self, got: bool) -> bool {
        if !got {
            self.call.gave_up();
        }
        got
    }
}

/// Returns whether a wait of this length ends by itself: no program is there after a century, and
/// [`Duration::MAX`] says that it does not.
#[inline]
pub(crate) const fn ends(timeout: Duration) -> bool {
    timeout.as_secs() < 100 * 365 * 24 * 60 * 60
}

/// Returns the deadline out of the way of the fast path, into which [`TimeLimit::deadline`] is inlined.
#[cold]
#[inline(never)]
fn deadline_after(timeout: Duration) -> Deadline {
    Deadline::after(timeout)
}
