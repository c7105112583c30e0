//! [`Map`]: the results of one function on many items.

use std::collections::VecDeque;
use std::fmt;
use std::iter::FusedIterator;
use std::panic;
use std::time::{Duration, Instant};

use super::task::{Task, TaskError};
use super::together::UnfinishedError;

/// The results of [`ThreadPool::map`](crate::ThreadPool::map), in the order of the items.
///
/// Waits for each in turn. Dropping it cancels the calls that have not begun.
#[must_use = "dropping the results cancels the calls that have not begun"]
pub struct Map<T> {
    tasks: VecDeque<Task<T>>,
    /// The pool was shut down before everything was submitted.
    cut_short: bool,
}

impl<T> Map<T> {
    pub(super) const fn new() -> Self {
        Self { tasks: VecDeque::new(), cut_short: false }
    }

    pub(super) fn push(&mut self, task: Task<T>) {
        self.tasks.push_back(task);
    }

    pub(super) const fn cut_short(&mut self) {
        self.cut_short = true;
    }

    /// Waits for the next result, and returns it as [`Task::join`] does: a panic is a value.
    ///
    /// If the pool was shut down before everything was submitted, the last result is [`TaskError::Cancelled`], once,
    /// for all that was not.
    ///
    /// ```
    /// let pool = lockwork::ThreadPool::new(2);
    /// let mut quotients = pool.map([1, 0, 2], |n| 10 / n);
    /// assert_eq!(quotients.next_result().unwrap().unwrap(), 10);
    /// assert!(quotients.next_result().unwrap().is_err(), "a division by zero panics");
    /// assert_eq!(quotients.next_result().unwrap().unwrap(), 5);
    /// assert!(quotients.next_result().is_none());
    /// ```
    pub fn next_result(&mut self) -> Option<Result<T, TaskError>> {
        match self.tasks.pop_front() {
            Some(task) => Some(task.join()),
            None => std::mem::take(&mut self.cut_short).then_some(Err(TaskError::Cancelled)),
        }
    }

    /// [`next_result`](Self::next_result), waiting `timeout` at most.
    ///
    /// # Errors
    ///
    /// Fails if the result is not there in time. It is still the next.
    pub fn next_for(&mut self, timeout: Duration) -> Result<Option<Result<T, TaskError>>, UnfinishedError> {
        self.next_by(|task| task.0.wait_for(timeout))
    }

    /// [`next_result`](Self::next_result), waiting until `deadline` at most.
    ///
    /// # Errors
    ///
    /// As [`next_for`](Self::next_for).
    pub fn next_until(&mut self, deadline: Instant) -> Result<Option<Result<T, TaskError>>, UnfinishedError> {
        self.next_by(|task| task.0.wait_until(deadline))
    }

    fn next_by(
        &mut self,
        wait: impl FnOnce(&Task<T>) -> bool,
    ) -> Result<Option<Result<T, TaskError>>, UnfinishedError> {
        let in_time = self.tasks.front().is_none_or(wait);
        if in_time {
            return Ok(self.next_result());
        }
        Err(UnfinishedError::of(&self.tasks))
    }
}

impl<T> Iterator for Map<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        match self.next_result()? {
            Ok(value) => Some(value),
            Err(TaskError::Panicked(payload)) => panic::resume_unwind(payload),
            Err(TaskError::Cancelled) => panic!("Map::next: the pool was shut down before this call began"),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.tasks.len() + usize::from(self.cut_short);
        (left, Some(left))
    }
}

impl<T> ExactSizeIterator for Map<T> {}
impl<T> FusedIterator for Map<T> {}

impl<T> Drop for Map<T> {
    fn drop(&mut self) {
        // From the end, which the pool's threads come to last.
        for task in self.tasks.iter().rev() {
            task.cancel();
        }
    }
}

impl<T> fmt::Debug for Map<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map").field("left", &self.len()).finish_non_exhaustive()
    }
}
