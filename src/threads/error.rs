//! What becomes of panics in the user's code, and why a task, a worker or a wait for them has no result.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::mem;
use std::panic::{self, AssertUnwindSafe};

/// What a panic carries.
pub(super) type Payload = Box<dyn Any + Send + 'static>;

/// Runs code of the user's where a panic has nowhere to go: its hook has reported it.
pub(super) fn contain(f: impl FnOnce()) {
    let result = panic::catch_unwind(AssertUnwindSafe(f));
    // The payload's own destructor is the user's code, too; a panic of that one is dropped without a
    // destructor.
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| drop(result))) {
        mem::forget(payload);
    }
}

/// Drops a value of the user's where a panic has nowhere to go.
pub(super) fn drop_quietly<T>(value: T) {
    contain(|| drop(value));
}

/// Why a [`Task`](crate::Task) or a [`Worker`](crate::Worker) has no result.
pub enum TaskError {
    /// It panicked, with this payload.
    Panicked(Box<dyn Any + Send + 'static>),
    /// It was cancelled before it began, and never ran.
    Cancelled,
}

impl TaskError {
    /// Returns whether it panicked.
    #[must_use]
    pub const fn is_panicked(&self) -> bool {
        matches!(self, Self::Panicked(_))
    }

    /// Returns whether it was cancelled.
    #[must_use]
    pub const fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled)
    }

    /// Returns the payload of the panic, for [`std::panic::resume_unwind`]; nothing if the task was
    /// cancelled.
    ///
    /// ```
    /// let pool = lockwork::ThreadPool::new(1);
    /// let task = pool.submit(|| panic!("no luck")).unwrap();
    /// let payload = task.join().unwrap_err().into_panic().unwrap();
    /// assert_eq!(*payload.downcast::<&str>().unwrap(), "no luck");
    /// ```
    #[must_use]
    pub fn into_panic(self) -> Option<Box<dyn Any + Send + 'static>> {
        match self {
            Self::Panicked(payload) => Some(payload),
            Self::Cancelled => None,
        }
    }

    /// Returns the message of the panic, if it was one with a message.
    fn message(&self) -> Option<&str> {
        let Self::Panicked(payload) = self else { return None };
        let text = payload.downcast_ref::<&str>().copied();
        text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
    }
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.message()) {
            (Self::Cancelled, _) => f.write_str("Cancelled"),
            (Self::Panicked(_), Some(message)) => f.debug_tuple("Panicked").field(&message).finish(),
            (Self::Panicked(_), None) => f.write_str("Panicked(..)"),
        }
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.message()) {
            (Self::Cancelled, _) => f.write_str("the task was cancelled"),
            (Self::Panicked(_), Some(message)) => write!(f, "the task panicked: {message}"),
            (Self::Panicked(_), None) => f.write_str("the task panicked"),
        }
    }
}

impl Error for TaskError {}

/// The time was up before the tasks were done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnfinishedError {
    /// The number of tasks that were not done.
    pub unfinished: usize,
    /// The number of all tasks.
    pub total: usize,
}

impl UnfinishedError {
    /// Returns the error of a wait for tasks, of each of which this says whether it is finished.
    pub(super) fn of(finished: impl IntoIterator<Item = bool>) -> Self {
        let mut error = Self { unfinished: 0, total: 0 };
        for finished in finished {
            error.unfinished += usize::from(!finished);
            error.total += 1;
        }
        error
    }
}

impl fmt::Display for UnfinishedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} tasks unfinished", self.unfinished, self.total)
    }
}

impl Error for UnfinishedError {}
