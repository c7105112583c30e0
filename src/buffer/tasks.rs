//! What [`BoundedBuffer`] knows of the work on its items: Python's `task_done` and `join`.

use std::time::{Duration, Instant};

use super::{BoundedBuffer, TaskDoneError};
use crate::facade::TimeLimit;
use crate::observe::Mode;

impl<T> BoundedBuffer<T> {
    /// Reports that the work on one item taken from the buffer is done. See [`join`](Self::join).
    ///
    /// Without `join` there is no need to call it.
    ///
    /// # Panics
    ///
    /// Panics if no item is unfinished: it was called more often than items were put.
    ///
    /// ```
    /// use lockwork::BoundedBuffer;
    ///
    /// let buffer = BoundedBuffer::new(1);
    /// buffer.put("work").unwrap();
    /// buffer.get().unwrap();
    /// assert_eq!(buffer.unfinished(), 1);
    /// buffer.task_done();
    /// assert_eq!(buffer.unfinished(), 0);
    /// ```
    #[track_caller]
    pub fn task_done(&self) {
        if self.try_task_done().is_err() {
            panic!("BoundedBuffer::task_done: called more often than items were put");
        }
    }

    /// Reports an item as done, as [`task_done`](Self::task_done) does, but does not panic.
    ///
    /// # Errors
    ///
    /// Fails, and changes nothing, if no item is unfinished.
    ///
    /// ```
    /// use lockwork::{BoundedBuffer, TaskDoneError};
    ///
    /// let buffer = BoundedBuffer::<u8>::new(1);
    /// assert_eq!(buffer.try_task_done(), Err(TaskDoneError));
    /// ```
    pub fn try_task_done(&self) -> Result<(), TaskDoneError> {
        self.core.task_done()
    }

    /// Returns how many items were put and not yet reported done, be they in the buffer or taken from it.
    ///
    /// ```
    /// let buffer = lockwork::BoundedBuffer::new(2);
    /// buffer.put_all([1, 2]).unwrap();
    /// buffer.get().unwrap();
    /// assert_eq!(buffer.unfinished(), 2);
    /// ```
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.core.unfinished()
    }

    /// Blocks until every item that was put has been reported done by [`task_done`](Self::task_done).
    ///
    /// Returns at once if none is unfinished. Otherwise returns when the number has come down to 0, even if
    /// more items are put right after. Closing the buffer does not end the wait;
    /// [`close_now`](Self::close_now) does, if all items that were taken before have been reported done.
    ///
    /// ```
    /// use lockwork::BoundedBuffer;
    /// use std::thread;
    ///
    /// static JOBS: BoundedBuffer<u32> = BoundedBuffer::new(4);
    ///
    /// thread::spawn(|| {
    ///     for _job in &JOBS {
    ///         // work on it, then
    ///         JOBS.task_done();
    ///     }
    /// });
    /// JOBS.put_all(0..10).unwrap();
    /// JOBS.join();
    /// assert_eq!(JOBS.unfinished(), 0);
    /// ```
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn join(&self) {
        self.core.join(TimeLimit::never(self.core.call(Mode::Join)));
    }

    /// Blocks as [`join`](Self::join) does, for `timeout` at most. Returns whether everything was done.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// ```
    /// use lockwork::BoundedBuffer;
    /// use std::time::Duration;
    ///
    /// let buffer = BoundedBuffer::new(1);
    /// assert!(buffer.join_for(Duration::ZERO));
    /// buffer.put(1).unwrap();
    /// assert!(!buffer.join_for(Duration::from_millis(1)));
    /// ```
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn join_for(&self, timeout: Duration) -> bool {
        self.core.join(TimeLimit::within(timeout, self.core.call(Mode::Join)))
    }

    /// Blocks as [`join`](Self::join) does, until `deadline` at most. Returns whether everything was done.
    ///
    /// See [time limits](crate#time-limits).
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn join_until(&self, deadline: Instant) -> bool {
        self.core.join(TimeLimit::until(deadline, self.core.call(Mode::Join)))
    }
}
