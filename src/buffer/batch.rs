//! [`BoundedBuffer`]'s methods for many items in one call.

use std::time::{Duration, Instant};

use super::{BoundedBuffer, GetError, GetTimeoutError, PutAllError, TryGetError};
use crate::facade::TimeLimit;
use crate::observe::Mode;

impl<T> BoundedBuffer<T> {
    /// Puts all items of an iterator at the end, in order, blocking as often as there is no room. Returns how
    /// many there were.
    ///
    /// Items of other threads may come in between. If it promises more items (by the lower bound of its
    /// [`size_hint`](Iterator::size_hint)), up to 64 are taken from it and put together, at first no more
    /// than the buffer can hold, then no more than there seems to be room for. One that promises nothing,
    /// such as another buffer's [`iter`](Self::iter), has every item put before it is asked for the next. It
    /// is not asked again once it has ended.
    ///
    /// There is no timed form, as nothing bounds the time that the iterator takes: use
    /// [`put_until`](Self::put_until) in a loop. An iterator whose next item waits for an answer to an
    /// earlier one can [hang](crate::guide::limits#an-iterator-that-waits-for-an-answer-inside-put_all) in
    /// here.
    ///
    /// If the iterator panics, what was put stays in the buffer, and what was taken from it before is put as
    /// well, as far as there is room without waiting.
    ///
    /// # Errors
    ///
    /// Fails if the buffer is closed before everything was put. The error says how many items were put, and
    /// gives back those that were taken from the iterator and not put. To keep the others too, pass the
    /// iterator by reference.
    ///
    /// ```
    /// use lockwork::BoundedBuffer;
    ///
    /// let buffer = BoundedBuffer::new(10);
    /// assert_eq!(buffer.put_all(["a", "b"]), Ok(2));
    /// buffer.close();
    ///
    /// let mut more = ["c", "d"].into_iter();
    /// let error = buffer.put_all(more.by_ref()).unwrap_err();
    /// assert_eq!(error.put, 0);
    /// let unsent: Vec<_> = error.rest.into_iter().chain(more).collect();
    /// assert_eq!(unsent, ["c", "d"]);
    /// ```
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn put_all<I>(&self, items: I) -> Result<usize, PutAllError<T>>
    where
        I: IntoIterator<Item = T>,
    {
        self.core.put_all(items)
    }

    /// Blocks while the buffer is empty, then takes what is there, `max` items at most, and appends it to
    /// `out`. Returns how many items it took: at least one, unless `max` is 0, which never waits and never
    /// fails.
    ///
    /// The items are neighbours: no other thread gets one in between. Memory for them is allocated before
    /// they are taken.
    ///
    /// # Errors
    ///
    /// Fails once the buffer is closed and empty, and leaves `out` as it was.
    ///
    /// # Panics
    ///
    /// Panics, as [`Vec::reserve`] does, if `out` grew beyond `isize::MAX` bytes; the items stay in the
    /// buffer.
    ///
    /// ```
    /// use lockwork::{BoundedBuffer, GetError};
    ///
    /// let buffer = BoundedBuffer::new(10);
    /// buffer.put_all(1..=5).unwrap();
    /// buffer.close();
    ///
    /// let mut batch = Vec::new();
    /// assert_eq!(buffer.get_many(&mut batch, 3), Ok(3));
    /// assert_eq!(buffer.get_many(&mut batch, 3), Ok(2));
    /// assert_eq!(buffer.get_many(&mut batch, 3), Err(GetError));
    /// assert_eq!(batch, [1, 2, 3, 4, 5]);
    /// ```
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn get_many(&self, out: &mut Vec<T>, max: usize) -> Result<usize, GetError> {
        self.core.get_many(out, max, TimeLimit::never(self.core.call(Mode::Get))).map_err(|_| GetError)
    }

    /// Takes what is there just now, `max` items at most, and appends it to `out`. Returns how many items it
    /// took: at least one, unless `max` is 0, which never fails. See [`get_many`](Self::get_many).
    ///
    /// # Errors
    ///
    /// Fails if the buffer is empty, and says whether it is closed as well; or if it has one item left that
    /// is [kept for a thread that has waited for long](Self#fairness). Leaves `out` as it was.
    ///
    /// # Panics
    ///
    /// As [`get_many`](Self::get_many).
    ///
    /// ```
    /// use lockwork::{BoundedBuffer, TryGetError};
    ///
    /// let (buffer, mut batch) = (BoundedBuffer::new(3), Vec::new());
    /// assert_eq!(buffer.try_get_many(&mut batch, 3), Err(TryGetError::Empty));
    /// buffer.put_all(["a", "b"]).unwrap();
    /// assert_eq!(buffer.try_get_many(&mut batch, 3), Ok(2));
    /// assert_eq!(batch, ["a", "b"]);
    /// ```
    pub fn try_get_many(&self, out: &mut Vec<T>, max: usize) -> Result<usize, TryGetError> {
        self.core.try_get_many(out, max)
    }

    /// Gets items as [`get_many`](Self::get_many) does, blocking for `timeout` at most for the first.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Errors
    ///
    /// Fails if there was no item in time that was not [kept for another thread](Self#fairness), or once the
    /// buffer is closed and empty. Leaves `out` as it was.
    ///
    /// # Panics
    ///
    /// As [`get_many`](Self::get_many).
    ///
    /// ```
    /// use lockwork::BoundedBuffer;
    /// use std::time::Duration;
    ///
    /// let (buffer, mut batch) = (BoundedBuffer::new(3), Vec::new());
    /// buffer.put_all([1, 2, 3]).unwrap();
    /// assert_eq!(buffer.get_many_for(&mut batch, 10, Duration::from_millis(1)), Ok(3));
    /// assert!(buffer.get_many_for(&mut batch, 10, Duration::from_millis(1)).unwrap_err().is_timeout());
    /// ```
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn get_many_for(
        &self,
        out: &mut Vec<T>,
        max: usize,
        timeout: Duration,
    ) -> Result<usize, GetTimeoutError> {
        self.core.get_many(out, max, TimeLimit::within(timeout, self.core.call(Mode::Get)))
    }

    /// Gets items as [`get_many`](Self::get_many) does, blocking until `deadline` at most for the first.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Errors
    ///
    /// As [`get_many_for`](Self::get_many_for).
    ///
    /// # Panics
    ///
    /// As [`get_many`](Self::get_many).
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn get_many_until(
        &self,
        out: &mut Vec<T>,
        max: usize,
        deadline: Instant,
    ) -> Result<usize, GetTimeoutError> {
        self.core.get_many(out, max, TimeLimit::until(deadline, self.core.call(Mode::Get)))
    }
}
