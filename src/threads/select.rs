//! Waiting for several tasks: [`as_completed`], [`wait_first`], [`wait_all`].

use std::fmt;
use std::iter::FusedIterator;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::collector::Collector;
use super::completion::Listener;
use super::error::UnfinishedError;
use super::task::Task;
use crate::facade::{Deadline, TimeLimit, ends, this_thread};
use crate::observe::{Call, Kind, Mode};

/// Has `task` notify the collector when it is done, or does so in its place if it is.
fn watch<T>(collector: &Arc<Collector>, index: usize, task: &Task<T>) {
    if let Some(Listener::Watcher(watcher)) = task.0.listen(Listener::Watcher(collector.watcher(index))) {
        watcher.notify();
    }
}

/// Returns the tasks one by one, each as soon as it is done.
///
/// Tasks that are done already come first. Each one that comes is done, so [`Task::join`] does not wait.
/// Dropping the iterator detaches the rest.
///
/// A thread of the pool that waits here for tasks of its own pool runs one that has not begun itself, to its
/// end, if it is the only one that is left, or if too few other threads are free to be sure to come to it:
/// see [`wait_first`].
///
/// ```
/// use lockwork::{ThreadPool, as_completed};
///
/// let pool = ThreadPool::new(2);
/// let tasks: Vec<_> = (0..5).map(|n| pool.submit(move || n * n).unwrap()).collect();
/// let sum: u32 = as_completed(tasks).map(|task| task.join().unwrap()).sum();
/// assert_eq!(sum, 30);
/// ```
///
/// Which input a task belongs to, also if it has panicked and there is no result that could tell, a map from
/// [`Task::id`] says, as Python's `{future: url}` does:
///
/// ```
/// use lockwork::{ThreadPool, as_completed};
/// use std::collections::HashMap;
///
/// let pool = ThreadPool::new(2);
/// let mut tasks = Vec::new();
/// let mut url_of = HashMap::new();
/// for url in ["http://a.example", "gopher://b.example"] {
///     let task = pool.submit(move || assert!(url.starts_with("http"), "no such protocol")).unwrap();
///     url_of.insert(task.id(), url);
///     tasks.push(task);
/// }
/// for task in as_completed(tasks) {
///     let url = url_of[&task.id()];
///     match task.join() {
///         Ok(()) => assert_eq!(url, "http://a.example"),
///         Err(error) => println!("{url}: {error}"),
///     }
/// }
/// ```
pub fn as_completed<T, I>(tasks: I) -> AsCompleted<T>
where
    I: IntoIterator<Item = Task<T>>,
{
    let collector = Collector::new();
    let tasks: Vec<_> = tasks.into_iter().map(Some).collect();
    for (index, task) in tasks.iter().flatten().enumerate() {
        watch(&collector, index, task);
    }
    AsCompleted { collector, left: tasks.len(), tasks, helped: 0, helper: None }
}

/// Tasks in the order in which they come to their end, see [`as_completed`].
#[must_use = "an iterator waits for nothing until it is asked to"]
pub struct AsCompleted<T> {
    collector: Arc<Collector>,
    /// By index; nothing in place of those that were returned.
    tasks: Vec<Option<Task<T>>>,
    left: usize,
    /// Those before this index have begun, or are not for this thread to run.
    helped: usize,
    /// This thread: the iterator may have been sent to it by another.
    helper: Option<NonZeroU64>,
}

/// Returns what diagnosis notes of a wait for the next task.
#[inline]
#[cfg_attr(any(feature = "diagnose", loom), track_caller)]
fn awaits() -> Call<'static> {
    Call::at(Kind::Several, Mode::Get, std::ptr::null::<()>())
}

impl<T> AsCompleted<T> {
    /// Returns the next task that is done, if there are any left, blocking for `timeout` at most.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Errors
    ///
    /// Fails if none is done in time. They are still there.
    ///
    /// ```
    /// use lockwork::{Event, ThreadPool, as_completed};
    /// use std::{sync::Arc, time::Duration};
    ///
    /// let (pool, go) = (ThreadPool::new(1), Arc::new(Event::new()));
    /// let task = pool.submit({ let go = Arc::clone(&go); move || go.wait() }).unwrap();
    /// let mut tasks = as_completed([task]);
    /// let error = tasks.next_for(Duration::from_millis(1)).unwrap_err();
    /// assert_eq!(error.to_string(), "1 of 1 tasks unfinished");
    /// go.set();
    /// assert!(tasks.next_for(Duration::MAX).unwrap().is_some());
    /// assert!(tasks.next_for(Duration::MAX).unwrap().is_none());
    /// ```
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn next_for(&mut self, timeout: Duration) -> Result<Option<Task<T>>, UnfinishedError> {
        if !ends(timeout) {
            return Ok(self.next());
        }
        self.next_by(TimeLimit::within(timeout, awaits()))
    }

    /// Returns the next task that is done, if there are any left, blocking until `deadline` at most.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Errors
    ///
    /// As [`next_for`](Self::next_for).
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn next_until(&mut self, deadline: Instant) -> Result<Option<Task<T>>, UnfinishedError> {
        self.next_by(TimeLimit::until(deadline, awaits()))
    }

    fn next_by(&mut self, limit: TimeLimit<'_>) -> Result<Option<Task<T>>, UnfinishedError> {
        if self.left == 0 {
            return Ok(None);
        }
        let deadline = limit.deadline();
        if let Some(task) =
            self.next_notified(|collector| collector.try_next().or_else(|| collector.next(&deadline)))
        {
            return Ok(Some(task));
        }
        // A task is done before it notifies.
        let finished = self.tasks.iter().position(|task| task.as_ref().is_some_and(Task::is_finished));
        match finished {
            Some(index) => Ok(self.take(index)),
            None => Err(UnfinishedError { unfinished: self.left, total: self.tasks.len() }),
        }
    }

    /// Returns the next task of those that `next` gives the indices of. It may give one that was found
    /// without its notification, and returned before.
    fn next_notified(&mut self, next: impl Fn(&Collector) -> Option<usize>) -> Option<Task<T>> {
        loop {
            let index = next(&self.collector)?;
            if let Some(task) = self.take(index) {
                return Some(task);
            }
        }
    }

    fn take(&mut self, index: usize) -> Option<Task<T>> {
        let task = self.tasks[index].take();
        self.left -= usize::from(task.is_some());
        task
    }
}

impl<T> Iterator for AsCompleted<T> {
    type Item = Task<T>;

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn next(&mut self) -> Option<Task<T>> {
        if self.left == 0 {
            return None;
        }
        let helper = Some(this_thread());
        if self.helper != helper {
            (self.helper, self.helped) = (helper, 0);
        }
        loop {
            if let Some(task) = self.next_notified(Collector::try_next) {
                return Some(task);
            }
            let Some(task) = self.tasks.get(self.helped) else { break };
            self.helped += 1;
            if let Some(task) = task {
                task.0.help_with_one_of(self.left == 1);
            }
        }
        let never = Deadline::NEVER.of_call(&awaits());
        self.next_notified(|collector| collector.next(&never))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T> ExactSizeIterator for AsCompleted<T> {}
impl<T> FusedIterator for AsCompleted<T> {}

impl<T> fmt::Debug for AsCompleted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted")
            .field("left", &self.left)
            .field("total", &self.tasks.len())
            .finish_non_exhaustive()
    }
}

/// Blocks until one of the tasks is done, and returns its index: the first of them, if several are done
/// already. Returns `None` if there are no tasks.
///
/// A thread of the pool that waits here leaves tasks of its own pool to the other threads of the pool, as far
/// as those are free: if there are as many as tasks are queued up to the one in question, that one is sure to
/// begin. Otherwise, and if it is the only task, the call runs the first that is not sure to begin itself, to
/// its end. That one must not wait for what comes after the call, as `slow` does below: if tasks do, give the
/// pool a thread for each of the tasks, and one for this call.
///
/// ```
/// use lockwork::{Event, ThreadPool, wait_first};
/// use std::sync::Arc;
///
/// let (pool, go) = (ThreadPool::new(2), Arc::new(Event::new()));
/// let slow = pool.submit({ let go = Arc::clone(&go); move || go.wait() }).unwrap();
/// let fast = pool.submit(|| ()).unwrap();
/// assert_eq!(wait_first(&[slow, fast]), Some(1));
/// go.set();
/// ```
#[cfg_attr(any(feature = "diagnose", loom), track_caller)]
pub fn wait_first<T>(tasks: &[Task<T>]) -> Option<usize> {
    // As soon as one was run here, there is one that is done.
    let help = |task: &Task<T>| task.is_finished() || task.0.help_with_one_of(tasks.len() == 1);
    if tasks.iter().any(Task::is_finished) || tasks.iter().any(help) {
        return tasks.iter().position(Task::is_finished);
    }
    wait_first_by(tasks, TimeLimit::never(call(Mode::First, tasks)))
}

/// Blocks as [`wait_first`] does, for `timeout` at most. Returns `None` if no task was done in time.
///
/// See [time limits](crate#time-limits).
///
/// [`Duration::ZERO`] does not block, [`Duration::MAX`] is [`wait_first`]. Otherwise runs no tasks here, as
/// it could not stop in time.
#[cfg_attr(any(feature = "diagnose", loom), track_caller)]
pub fn wait_first_for<T>(tasks: &[Task<T>], timeout: Duration) -> Option<usize> {
    if !ends(timeout) {
        return wait_first(tasks);
    }
    wait_first_by(tasks, TimeLimit::within(timeout, call(Mode::First, tasks)))
}

/// Blocks as [`wait_first`] does, until `deadline` at most. Returns `None` if no task was done in time.
///
/// See [time limits](crate#time-limits).
#[cfg_attr(any(feature = "diagnose", loom), track_caller)]
pub fn wait_first_until<T>(tasks: &[Task<T>], deadline: Instant) -> Option<usize> {
    wait_first_by(tasks, TimeLimit::until(deadline, call(Mode::First, tasks)))
}

/// Returns what diagnosis notes of a wait for these tasks: of a single one also which it is.
#[inline]
#[cfg_attr(any(feature = "diagnose", loom), track_caller)]
fn call<T>(mode: Mode, tasks: &[Task<T>]) -> Call<'_> {
    match tasks {
        [task] => task.0.call().mode(mode),
        _ => Call::at(Kind::Several, mode, std::ptr::null::<()>()),
    }
}

fn wait_first_by<T>(tasks: &[Task<T>], limit: TimeLimit<'_>) -> Option<usize> {
    let finished = tasks.iter().position(Task::is_finished);
    if finished.is_some() || tasks.is_empty() {
        return finished;
    }
    let watched = Watched::new(tasks);
    // A task is done before it notifies.
    watched.collector.next(&limit.deadline()).or_else(|| tasks.iter().position(Task::is_finished))
}

/// Blocks until all of the tasks are done.
///
/// A thread of the pool that waits here for tasks of its own pool runs those that have not begun itself.
///
/// ```
/// use lockwork::{ThreadPool, wait_all};
///
/// let pool = ThreadPool::new(2);
/// let tasks: Vec<_> = (0..5).map(|n| pool.submit(move || n).unwrap()).collect();
/// wait_all(&tasks);
/// assert!(tasks.iter().all(|task| task.is_finished()));
/// ```
#[cfg_attr(any(feature = "diagnose", loom), track_caller)]
pub fn wait_all<T>(tasks: &[Task<T>]) {
    for task in tasks {
        task.0.wait();
    }
}

/// Blocks as [`wait_all`] does, for `timeout` at most. Returns whether all of them are done.
///
/// See [time limits](crate#time-limits).
///
/// [`Duration::ZERO`] does not block, [`Duration::MAX`] is [`wait_all`]. Otherwise runs no tasks here, as it
/// could not stop in time.
///
/// ```
/// use lockwork::{ThreadPool, wait_all_for};
/// use std::time::Duration;
///
/// let pool = ThreadPool::new(2);
/// let tasks: Vec<_> = (0..5).map(|n| pool.submit(move || n).unwrap()).collect();
/// assert!(wait_all_for(&tasks, Duration::from_secs(10)));
/// ```
#[cfg_attr(any(feature = "diagnose", loom), track_caller)]
pub fn wait_all_for<T>(tasks: &[Task<T>], timeout: Duration) -> bool {
    if !ends(timeout) {
        wait_all(tasks);
    }
    wait_all_by(tasks, TimeLimit::within(timeout, call(Mode::Join, tasks)))
}

/// Blocks as [`wait_all`] does, until `deadline` at most. Returns whether all of them are done.
///
/// See [time limits](crate#time-limits).
#[cfg_attr(any(feature = "diagnose", loom), track_caller)]
pub fn wait_all_until<T>(tasks: &[Task<T>], deadline: Instant) -> bool {
    wait_all_by(tasks, TimeLimit::until(deadline, call(Mode::Join, tasks)))
}

fn wait_all_by<T>(tasks: &[Task<T>], limit: TimeLimit<'_>) -> bool {
    if tasks.iter().all(Task::is_finished) {
        return true;
    }
    let watched = Watched::new(tasks);
    let deadline = limit.deadline();
    // A task is done before it notifies.
    tasks.iter().all(|_| watched.collector.next(&deadline).is_some()) || tasks.iter().all(Task::is_finished)
}

/// Tasks that notify a collector, until this is dropped.
struct Watched<'a, T> {
    tasks: &'a [Task<T>],
    collector: Arc<Collector>,
}

impl<'a, T> Watched<'a, T> {
    fn new(tasks: &'a [Task<T>]) -> Self {
        let collector = Collector::new();
        for (index, task) in tasks.iter().enumerate() {
            watch(&collector, index, task);
        }
        Self { tasks, collector }
    }
}

impl<T> Drop for Watched<'_, T> {
    fn drop(&mut self) {
        for (index, task) in self.tasks.iter().enumerate() {
            task.0.unwatch(&self.collector.watcher(index));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::as_completed;
    use crate::event::Event;
    use crate::threads::pool::ThreadPool;

    /// What a task that is done does next, and may be slow to do, does not decide whether it was in time.
    #[test]
    fn task_that_is_done_and_has_not_notified_is_found_at_the_deadline_and_once() {
        let (pool, go) = (ThreadPool::new(2), Arc::new(Event::new()));
        let until = Arc::clone(&go);
        let mut tasks =
            as_completed([pool.submit(move || until.wait()).unwrap(), pool.submit(|| ()).unwrap()]);
        assert!(tasks.next().is_some());
        let late = tasks.collector.watcher(0);
        tasks.tasks[0].as_ref().unwrap().0.unwatch(&late);
        let short = Duration::from_millis(1);
        assert_eq!(tasks.next_for(short).unwrap_err().unfinished, 1);
        go.set();
        pool.join();
        assert!(tasks.next_for(short).unwrap().is_some());
        late.notify();
        assert!(tasks.next_for(short).unwrap().is_none());
    }

    /// Of an iterator that another thread has used before, a thread of the pool runs what has not begun.
    #[test]
    fn thread_that_is_sent_the_iterator_begins_anew() {
        let (pool, (send, sent)) = (ThreadPool::new(1), std::sync::mpsc::channel::<super::AsCompleted<()>>());
        let next = pool.submit(move || sent.recv().unwrap().next().is_some()).unwrap();
        let mut tasks = as_completed([pool.submit(|| ()).unwrap()]);
        assert!(tasks.next_for(Duration::from_millis(1)).is_err());
        (tasks.helper, tasks.helped) = (Some(super::this_thread()), 1);
        send.send(tasks).unwrap();
        assert!(next.join_for(Duration::from_secs(60)).unwrap().unwrap());
    }

    #[test]
    fn late_notification_is_no_other_task() {
        for timed in [false, true] {
            let (pool, go) = (ThreadPool::new(2), Arc::new(Event::new()));
            let until = Arc::clone(&go);
            let mut tasks =
                as_completed([pool.submit(|| ()).unwrap(), pool.submit(move || until.wait()).unwrap()]);
            assert!(tasks.next().is_some());
            tasks.collector.watcher(0).notify();
            go.set();
            let limit = if timed { Duration::from_secs(60) } else { Duration::MAX };
            assert!(tasks.next_for(limit).unwrap().is_some());
            assert!(tasks.next().is_none());
        }
    }
}
