//! Why a pool does not take a task.

use std::error::Error;
use std::fmt;

/// Why a task was not taken.
pub(in crate::threads) enum Refusal {
    Full,
    Shutdown,
}

/// The pool is shut down: what [`ThreadPool::submit`](crate::ThreadPool::submit) returns, with the closure.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SubmitError<F>(pub F);

/// Why [`ThreadPool::try_submit`](crate::ThreadPool::try_submit) did not take the task, and the closure.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TrySubmitError<F> {
    /// There was no room in the queue.
    Full(F),
    /// The pool is shut down.
    Shutdown(F),
}

/// Why [`ThreadPool::submit_for`](crate::ThreadPool::submit_for) or
/// [`ThreadPool::submit_until`](crate::ThreadPool::submit_until) did not take the task, and the closure.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SubmitTimeoutError<F> {
    /// There was no room in the queue in time.
    Timeout(F),
    /// The pool is shut down.
    Shutdown(F),
}

impl<F> SubmitError<F> {
    /// Returns the closure.
    #[must_use]
    pub fn into_inner(self) -> F {
        self.0
    }
}

impl<F> TrySubmitError<F> {
    /// Returns the closure.
    #[must_use]
    pub fn into_inner(self) -> F {
        match self {
            Self::Full(f) | Self::Shutdown(f) => f,
        }
    }

    /// Returns whether there was no room.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }

    /// Returns whether the pool is shut down.
    #[must_use]
    pub const fn is_shutdown(&self) -> bool {
        matches!(self, Self::Shutdown(_))
    }
}

impl<F> SubmitTimeoutError<F> {
    pub(super) fn new((refusal, f): (Refusal, F)) -> Self {
        match refusal {
            Refusal::Full => Self::Timeout(f),
            Refusal::Shutdown => Self::Shutdown(f),
        }
    }

    /// Returns the closure.
    #[must_use]
    pub fn into_inner(self) -> F {
        match self {
            Self::Timeout(f) | Self::Shutdown(f) => f,
        }
    }

    /// Returns whether there was no room in time.
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout(_))
    }

    /// Returns whether the pool is shut down.
    #[must_use]
    pub const fn is_shutdown(&self) -> bool {
        matches!(self, Self::Shutdown(_))
    }
}

const SHUT_DOWN: &str = "the pool is shut down";

impl<F> fmt::Debug for SubmitError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubmitError({self}, ..)")
    }
}

impl<F> fmt::Debug for TrySubmitError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_full() { "Full(..)" } else { "Shutdown(..)" })
    }
}

impl<F> fmt::Debug for SubmitTimeoutError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_timeout() { "Timeout(..)" } else { "Shutdown(..)" })
    }
}

impl<F> fmt::Display for SubmitError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SHUT_DOWN)
    }
}

impl<F> fmt::Display for TrySubmitError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_full() { "the pool's queue is full" } else { SHUT_DOWN })
    }
}

impl<F> fmt::Display for SubmitTimeoutError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timeout = "timed out waiting for room in the pool's queue";
        f.write_str(if self.is_timeout() { timeout } else { SHUT_DOWN })
    }
}

impl<F> Error for SubmitError<F> {}
impl<F> Error for TrySubmitError<F> {}
impl<F> Error for SubmitTimeoutError<F> {}
