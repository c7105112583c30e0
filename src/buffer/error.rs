//! Why a call on a buffer did not do what it was asked for.

use std::error::Error;
use std::fmt;

/// The buffer is closed: what [`BoundedBuffer::put`](crate::BoundedBuffer::put) returns, with the item.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PutError<T>(pub T);

/// Why [`BoundedBuffer::try_put`](crate::BoundedBuffer::try_put) did not put the item, and the item.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TryPutError<T> {
    /// There was no room.
    Full(T),
    /// The buffer is closed.
    Closed(T),
}

/// Why [`BoundedBuffer::put_for`](crate::BoundedBuffer::put_for) or
/// [`BoundedBuffer::put_until`](crate::BoundedBuffer::put_until) did not put the item, and the item.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PutTimeoutError<T> {
    /// There was no room in time.
    Timeout(T),
    /// The buffer is closed.
    Closed(T),
}

/// The buffer is closed: what [`BoundedBuffer::put_all`](crate::BoundedBuffer::put_all) returns, with what it
/// could not put.
#[derive(Clone, PartialEq, Eq)]
pub struct PutAllError<T> {
    /// How many items were put.
    pub put: usize,
    /// The items that were taken from the iterator and not put, in order. At least one.
    pub rest: Vec<T>,
}

/// The buffer is closed and empty: what [`BoundedBuffer::get`](crate::BoundedBuffer::get) and
/// [`BoundedBuffer::get_many`](crate::BoundedBuffer::get_many) return.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct GetError;

/// Why [`BoundedBuffer::try_get`](crate::BoundedBuffer::try_get) got nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryGetError {
    /// There was no item.
    Empty,
    /// The buffer is closed and empty.
    Closed,
}

/// Why [`BoundedBuffer::get_for`](crate::BoundedBuffer::get_for) or
/// [`BoundedBuffer::get_until`](crate::BoundedBuffer::get_until) got nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GetTimeoutError {
    /// There was no item in time.
    Timeout,
    /// The buffer is closed and empty.
    Closed,
}

/// No item is unfinished: what [`BoundedBuffer::try_task_done`](crate::BoundedBuffer::try_task_done) returns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TaskDoneError;

impl<T> PutError<T> {
    /// Returns the item.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> TryPutError<T> {
    /// Returns the item.
    #[must_use]
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(item) | Self::Closed(item) => item,
        }
    }

    /// Returns whether there was no room.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }

    /// Returns whether the buffer is closed.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(_))
    }
}

impl<T> PutTimeoutError<T> {
    /// Returns the item.
    #[must_use]
    pub fn into_inner(self) -> T {
        match self {
            Self::Timeout(item) | Self::Closed(item) => item,
        }
    }

    /// Returns whether there was no room in time.
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout(_))
    }

    /// Returns whether the buffer is closed.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(_))
    }
}

impl<T> PutAllError<T> {
    /// Returns the items that were taken from the iterator and not put, in order.
    #[must_use]
    pub fn into_inner(self) -> Vec<T> {
        self.rest
    }
}

impl TryGetError {
    /// Returns whether there was no item.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// Returns whether the buffer is closed and empty.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }
}

impl GetTimeoutError {
    /// Returns whether there was no item in time.
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout)
    }

    /// Returns whether the buffer is closed and empty.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }
}

impl<T> From<PutError<T>> for TryPutError<T> {
    fn from(error: PutError<T>) -> Self {
        Self::Closed(error.0)
    }
}

impl<T> From<PutError<T>> for PutTimeoutError<T> {
    fn from(error: PutError<T>) -> Self {
        Self::Closed(error.0)
    }
}

impl From<GetError> for TryGetError {
    fn from(_: GetError) -> Self {
        Self::Closed
    }
}

impl From<GetError> for GetTimeoutError {
    fn from(_: GetError) -> Self {
        Self::Closed
    }
}

impl<T> fmt::Debug for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PutError({self}, ..)")
    }
}

impl<T> fmt::Debug for TryPutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Closed(_) => "Closed(..)",
        })
    }
}

impl<T> fmt::Debug for PutTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout(_) => "Timeout(..)",
            Self::Closed(_) => "Closed(..)",
        })
    }
}

impl<T> fmt::Debug for PutAllError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PutAllError")
            .field("reason", &format_args!("{CLOSED}"))
            .field("put", &self.put)
            .field("rest", &format_args!("[..; {}]", self.rest.len()))
            .finish()
    }
}

/// Shows why, for `unwrap`.
impl fmt::Debug for GetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GetError({self})")
    }
}

/// Shows why, for `unwrap`.
impl fmt::Debug for TaskDoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskDoneError({self})")
    }
}

/// What an error says, whatever its item is.
const CLOSED: &str = "the buffer is closed";
const CLOSED_AND_EMPTY: &str = "the buffer is closed and empty";

impl<T> fmt::Display for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(CLOSED)
    }
}

impl<T> fmt::Display for TryPutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the buffer is full",
            Self::Closed(_) => CLOSED,
        })
    }
}

impl<T> fmt::Display for PutTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout(_) => "timed out waiting for room in the buffer",
            Self::Closed(_) => CLOSED,
        })
    }
}

impl<T> fmt::Display for PutAllError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the buffer was closed after {} items were put", self.put)
    }
}

impl fmt::Display for GetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(CLOSED_AND_EMPTY)
    }
}

impl fmt::Display for TryGetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the buffer is empty",
            Self::Closed => CLOSED_AND_EMPTY,
        })
    }
}

impl fmt::Display for GetTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "timed out waiting for an item in the buffer",
            Self::Closed => CLOSED_AND_EMPTY,
        })
    }
}

impl fmt::Display for TaskDoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("more tasks reported done than items were put")
    }
}

impl<T> Error for PutError<T> {}
impl<T> Error for TryPutError<T> {}
impl<T> Error for PutTimeoutError<T> {}
impl<T> Error for PutAllError<T> {}
impl Error for GetError {}
impl Error for TryGetError {}
impl Error for GetTimeoutError {}
impl Error for TaskDoneError {}
