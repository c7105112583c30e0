//! What a task and the pool that runs it know of each other: [`Job`] and [`Executor`].

use std::mem;
use std::sync::Arc;

/// A task, as an executor's queue knows it.
pub(super) trait Job: Send + Sync {
    /// Runs it, if it was not cancelled. Returns whether it was run.
    fn run(&self) -> bool;

    /// Cancels it, if it has not begun. Returns whether it is cancelled now.
    fn cancel(self: Arc<Self>) -> bool;

    /// Drops the closure or the result, which was put off ([`deferred::put_off`](super::deferred::put_off)).
    fn finish(&self);

    /// Returns whether it belongs to a scope, which waits for it.
    fn is_scoped(&self) -> bool;
}

/// A pool, as its tasks know it.
pub(super) trait Executor: Send + Sync {
    /// Returns a number that no other executor has or had.
    fn number(&self) -> u64;

    /// Returns whether the calling thread is one of its own.
    fn is_worker(&self) -> bool;

    /// Takes a job out of the queue, if it is still there.
    fn remove(&self, ticket: u64) -> Option<Arc<dyn Job>>;

    /// Returns whether too few threads are free for one of them to be sure to take this job out of the queue,
    /// whatever the jobs before it wait for. Of no meaning for a job that is not in the queue.
    fn is_short_for(&self, ticket: u64) -> bool;

    /// Runs a job here, if it is still in the queue. Returns whether it was run.
    fn run_ahead(&self, ticket: u64) -> bool {
        self.remove(ticket).is_some_and(|job| job.run())
    }
}

/// The place of a job in an executor's queue.
pub(super) struct Place {
    pub(super) ticket: u64,
    /// Nothing is queued that has a smaller one.
    pub(super) oldest: u64,
}

/// Makes a job forget how long what it borrows will live.
///
/// # Safety
///
/// Nothing that the job borrows is used after `'scope`: it has been run or cancelled by then, and has left
/// its scope.
pub(super) unsafe fn outlive<'scope>(job: Arc<dyn Job + 'scope>) -> Arc<dyn Job> {
    // SAFETY: the two types differ in a lifetime only; this function's contract says why it may be forgotten.
    unsafe { mem::transmute::<Arc<dyn Job + 'scope>, Arc<dyn Job + 'static>>(job) }
}
