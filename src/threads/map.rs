//! [`Map`] and [`MapAhead`]: the results of one function on many items.

use std::collections::VecDeque;
use std::fmt;
use std::iter::FusedIterator;
use std::panic::{self, RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::{TaskError, UnfinishedError};
use super::pool::shared::{Full, Shared};
use super::pool::{Refusal, SubmitError, ThreadPool};
use super::queue::give_back;
use super::task::Task;
use crate::facade::{Deadline, TimeLimit, ends};
use crate::observe;

impl ThreadPool {
    /// Calls `f` for each item on the pool's threads, and returns the results in the order of the items.
    ///
    /// All calls are submitted before this returns, which blocks as often as there is no room; so the items
    /// must come to an end, unlike those of [`map_ahead`](Self::map_ahead). Dropping the iterator cancels the
    /// calls that have not begun.
    ///
    /// The iterator waits for each result in turn. Where `f` panicked, so does it, with the same payload, and
    /// goes on after that; [`Map::next_result`] returns the panic as a value instead.
    ///
    /// ```
    /// let pool = lockwork::ThreadPool::new(3);
    /// let squares: Vec<u32> = pool.map(1..=5, |n| n * n).collect();
    /// assert_eq!(squares, [1, 4, 9, 16, 25]);
    /// ```
    ///
    /// If the pool is shut down before everything was submitted, what was not is cancelled.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn map<I, F, T>(&self, items: I, f: F) -> Map<T>
    where
        I: IntoIterator,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> T + Send + Sync + 'static,
        T: Send + 'static,
    {
        let f = Arc::new(f);
        // From the beginning, so that a panic of the items' iterator cancels what was submitted.
        let mut map = Map::new();
        for item in items {
            let f = Arc::clone(&f);
            match self.submit(move || f(item)) {
                Ok(task) => map.push(task),
                Err(SubmitError(call)) => {
                    drop(call);
                    map.cut_short();
                    break;
                }
            }
        }
        map
    }

    /// Calls `f` for each item on the pool's threads, `n` calls ahead of the caller at most, and returns the
    /// results in the order of the items.
    ///
    /// Lazy: items are taken, in the thread that asks for results, only when it asks for one, and between two
    /// such calls at most `n` were taken whose results have not been returned. So there may be infinitely
    /// many, they may be larger than memory together, and their iterator need not be [`Send`]. Dropping the
    /// iterator cancels the calls that have not begun, and takes no more items. [`map`](Self::map) begins all
    /// calls at once.
    ///
    /// Each result is waited for in turn; submitting waits while the pool's queue is full. Where `f`
    /// panicked, so does the iterator, with the same payload, and goes on after that;
    /// [`MapAhead::next_result`] returns the panic as a value instead.
    ///
    /// ```
    /// let pool = lockwork::ThreadPool::new(3);
    /// let mut squares = pool.map_ahead(6, 1_u64.., |n| n * n);
    /// assert_eq!(squares.find(|square| square % 7 == 2), Some(9));
    /// ```
    ///
    /// After a shutdown the iterator ends: when the results are returned of what was submitted before it, or,
    /// after [`Shutdown::Cancel`](crate::Shutdown::Cancel), at the first call that was cancelled.
    ///
    /// # Panics
    ///
    /// Panics if `n` is 0.
    #[track_caller]
    pub fn map_ahead<I, F, T>(&self, n: usize, items: I, f: F) -> MapAhead<I::IntoIter, F, T>
    where
        I: IntoIterator,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> T + Send + Sync + 'static,
        T: Send + 'static,
    {
        assert!(n != 0, "ThreadPool::map_ahead: the number of calls ahead must not be 0");
        MapAhead::new(Arc::clone(self.shared()), n, items.into_iter(), f)
    }
}

/// The results of [`ThreadPool::map`](crate::ThreadPool::map), in the order of the items.
///
/// Blocks for each in turn. Dropping it cancels the calls that have not begun.
#[must_use = "dropping the results cancels the calls that have not begun"]
pub struct Map<T> {
    tasks: VecDeque<Task<T>>,
    /// The pool was shut down before everything was submitted.
    cut_short: bool,
}

impl<T> Map<T> {
    const fn new() -> Self {
        Self { tasks: VecDeque::new(), cut_short: false }
    }

    fn push(&mut self, task: Task<T>) {
        self.tasks.push_back(task);
    }

    const fn cut_short(&mut self) {
        self.cut_short = true;
    }

    /// Blocks until the next result is there, and returns it as [`Task::join`] does: a panic is a value.
    ///
    /// If the pool was shut down before everything was submitted, the last result is
    /// [`TaskError::Cancelled`], once, for all that was not.
    ///
    /// ```
    /// let pool = lockwork::ThreadPool::new(2);
    /// let mut quotients = pool.map([1, 0, 2], |n| 10 / n);
    /// assert_eq!(quotients.next_result().unwrap().unwrap(), 10);
    /// assert!(quotients.next_result().unwrap().is_err(), "a division by zero panics");
    /// assert_eq!(quotients.next_result().unwrap().unwrap(), 5);
    /// assert!(quotients.next_result().is_none());
    /// ```
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn next_result(&mut self) -> Option<Result<T, TaskError>> {
        let task = self.tasks.pop_front();
        give_back(&mut self.tasks);
        match task {
            Some(task) => Some(task.join()),
            None => std::mem::take(&mut self.cut_short).then_some(Err(TaskError::Cancelled)),
        }
    }

    /// Returns what [`next_result`](Self::next_result) does, blocking for `timeout` at most.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Errors
    ///
    /// Fails if the result is not there in time. It is still the next.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn next_for(&mut self, timeout: Duration) -> Result<Option<Result<T, TaskError>>, UnfinishedError> {
        if !ends(timeout) {
            return Ok(self.next_result());
        }
        self.next_by(&Deadline::after(timeout))
    }

    /// Returns what [`next_result`](Self::next_result) does, blocking until `deadline` at most.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Errors
    ///
    /// As [`next_for`](Self::next_for).
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn next_until(&mut self, deadline: Instant) -> Result<Option<Result<T, TaskError>>, UnfinishedError> {
        self.next_by(&Deadline::at(deadline))
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn next_by(&mut self, deadline: &Deadline) -> Result<Option<Result<T, TaskError>>, UnfinishedError> {
        let in_time = match self.tasks.front() {
            Some(task) => task.0.wait_deadline(deadline),
            None => true,
        };
        if in_time {
            return Ok(self.next_result());
        }
        Err(UnfinishedError::of(self.tasks.iter().map(Task::is_finished)))
    }
}

impl<T> Iterator for Map<T> {
    type Item = T;

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
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

#[cfg_attr(any(feature = "diagnose", loom), track_caller)]
fn submits(pool: &Arc<Shared>) -> observe::Call<'static> {
    observe::Call::at(observe::Kind::Pool, observe::Mode::Put, Arc::as_ptr(pool))
}

type Call<T> = Box<dyn FnOnce() -> T + Send>;

/// The results of [`ThreadPool::map_ahead`](crate::ThreadPool::map_ahead), in the order of the items.
///
/// Takes an item and begins a call of it only when asked for a result. Dropping it cancels the calls that
/// have not begun, and takes no more items.
#[must_use = "an iterator does nothing until it is asked to"]
pub struct MapAhead<I, F, T> {
    pool: Arc<Shared>,
    /// None when there are no more, or the pool takes no more.
    items: Option<I>,
    f: Arc<F>,
    /// How many calls may be ahead of the caller, and those that are.
    ahead: usize,
    tasks: VecDeque<Task<T>>,
    /// A call that found no room in the pool's queue in time.
    refused: Option<Call<T>>,
}

impl<I, F, T> MapAhead<I, F, T>
where
    I: Iterator,
    I::Item: Send + 'static,
    F: Fn(I::Item) -> T + Send + Sync + 'static,
    T: Send + 'static,
{
    fn new(pool: Arc<Shared>, ahead: usize, items: I, f: F) -> Self {
        Self { pool, items: Some(items), f: Arc::new(f), ahead, tasks: VecDeque::new(), refused: None }
    }

    /// Blocks until the next result is there, and returns it as [`Task::join`] does: a panic is a value, and
    /// so is a cancellation by a shutdown of the pool.
    ///
    /// ```
    /// let pool = lockwork::ThreadPool::new(2);
    /// let mut quotients = pool.map_ahead(2, [1, 0, 2], |n| 10 / n);
    /// assert_eq!(quotients.next_result().unwrap().unwrap(), 10);
    /// assert!(quotients.next_result().unwrap().is_err(), "a division by zero panics");
    /// assert_eq!(quotients.next_result().unwrap().unwrap(), 5);
    /// assert!(quotients.next_result().is_none());
    /// ```
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn next_result(&mut self) -> Option<Result<T, TaskError>> {
        let deadline = Deadline::NEVER.of_call(&submits(&self.pool));
        self.fill(&deadline);
        #[allow(clippy::manual_map, reason = "a closure would be the caller")]
        match self.pop() {
            Some(task) => Some(task.join()),
            None => None,
        }
    }

    /// Returns what [`next_result`](Self::next_result) does, blocking for `timeout` at most, for room in the
    /// pool's queue and for the result together. How long the items' iterator takes is its own affair.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Errors
    ///
    /// Fails if the result is not there in time. It is still the next. The error counts the calls that have
    /// been submitted.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn next_for(&mut self, timeout: Duration) -> Result<Option<Result<T, TaskError>>, UnfinishedError> {
        if !ends(timeout) {
            return Ok(self.next_result());
        }
        let deadline = Deadline::after(timeout).of_call(&submits(&self.pool));
        self.next_by(&deadline)
    }

    /// Returns what [`next_result`](Self::next_result) does, blocking until `deadline` at most.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Errors
    ///
    /// As [`next_for`](Self::next_for).
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn next_until(&mut self, deadline: Instant) -> Result<Option<Result<T, TaskError>>, UnfinishedError> {
        let deadline = Deadline::at(deadline).of_call(&submits(&self.pool));
        self.next_by(&deadline)
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn next_by(&mut self, deadline: &Deadline) -> Result<Option<Result<T, TaskError>>, UnfinishedError> {
        self.fill(deadline);
        let in_time = match self.tasks.front() {
            Some(task) => task.0.wait_deadline(deadline),
            // No room for a single one.
            None => self.refused.is_none(),
        };
        if in_time {
            return Ok(self.pop().map(Task::join));
        }
        Err(UnfinishedError::of(self.tasks.iter().map(Task::is_finished)))
    }

    /// Submits calls until as many are ahead as may be, or until the deadline.
    fn fill(&mut self, deadline: &Deadline) {
        while self.tasks.len() < self.ahead {
            let Some(call) = self.refused.take().or_else(|| self.take_item()) else { return };
            match self.pool.submit_by(call, Full::Wait, TimeLimit::of(deadline)) {
                Ok(task) => self.tasks.push_back(task),
                Err((Refusal::Full, call)) => {
                    self.refused = Some(call);
                    return;
                }
                Err((Refusal::Shutdown, call)) => {
                    self.items = None;
                    drop(call);
                }
            }
        }
    }

    /// Takes out the first task. As long as there are items the next call fills its place.
    fn pop(&mut self) -> Option<Task<T>> {
        let task = self.tasks.pop_front();
        give_back(&mut self.tasks);
        task
    }

    fn take_item(&mut self) -> Option<Call<T>> {
        // An item that is taken when the pool is shut down is lost.
        let item = if self.pool.is_closed() { None } else { self.items.as_mut()?.next() };
        let Some(item) = item else {
            self.items = None;
            return None;
        };
        let f = Arc::clone(&self.f);
        Some(Box::new(move || f(item)))
    }
}

impl<I, F, T> Iterator for MapAhead<I, F, T>
where
    I: Iterator,
    I::Item: Send + 'static,
    F: Fn(I::Item) -> T + Send + Sync + 'static,
    T: Send + 'static,
{
    type Item = T;

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn next(&mut self) -> Option<T> {
        match self.next_result()? {
            Ok(value) => Some(value),
            Err(TaskError::Panicked(payload)) => panic::resume_unwind(payload),
            Err(TaskError::Cancelled) => {
                // By a shutdown, which has cancelled those behind it, too.
                self.items = None;
                self.tasks.clear();
                None
            }
        }
    }
}

impl<I, F, T> FusedIterator for MapAhead<I, F, T>
where
    I: Iterator,
    I::Item: Send + 'static,
    F: Fn(I::Item) -> T + Send + Sync + 'static,
    T: Send + 'static,
{
}

impl<I, F, T> UnwindSafe for MapAhead<I, F, T> {}
impl<I, F, T> RefUnwindSafe for MapAhead<I, F, T> {}

impl<I, F, T> Drop for MapAhead<I, F, T> {
    fn drop(&mut self) {
        // From the end, which the pool's threads come to last.
        for task in self.tasks.iter().rev() {
            task.cancel();
        }
    }
}

impl<I, F, T> fmt::Debug for MapAhead<I, F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapAhead").field("ahead", &self.tasks.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::ThreadPool;

    #[test]
    fn map_ahead_gives_memory_back_when_its_items_have_ended() {
        const AHEAD: usize = 10_000;
        let pool = ThreadPool::new(1);
        let mut results = pool.map_ahead(AHEAD, 0..2 * AHEAD, |n| n);
        assert_eq!(results.next(), Some(0));
        let full = results.tasks.capacity();
        assert!(results.by_ref().take(AHEAD).eq(1..=AHEAD));
        assert_eq!(results.tasks.capacity(), full, "as many are ahead as before");
        assert!(results.by_ref().eq(AHEAD + 1..2 * AHEAD));
        assert!(results.tasks.capacity() <= 64, "{}", results.tasks.capacity());
    }
}
