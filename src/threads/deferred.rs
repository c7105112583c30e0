//! What the end of a task has a thread do: run its callbacks and drop what is not taken, in constant stack.
//!
//! Both are the user's code, which may complete the next task, and so on. A thread that completes a task from
//! within such code puts off what that leads to, and the call further down its stack that runs the code sees
//! to it when the code returns:
//!
//! | completed from within | callbacks | closure or result |
//! |---|---|---|
//! | neither | run at once | dropped at once, before the callbacks run |
//! | a callback | run when that callback returns, before those that were to come after it | dropped at once |
//! | the drop of a closure or a result | run when the outermost drop is over | dropped when that drop returns |
//!
//! 1. What is put off is done by the same thread, before the outermost call returns that completed a task.
//! 2. A task that runs, and a scope, are outermost calls again ([`separately`]), whatever lies below them on
//!    the stack. So a scope never waits for what its own thread has put off, and what a task put off is done
//!    before the task has left its scope.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::mem;
use std::ptr;
use std::sync::Arc;

use super::error::contain;
use super::job::Job;
use crate::facade::frame::{enter, with_current};
use crate::facade::per_thread;

pub(super) type Callback = Box<dyn FnOnce() + Send>;

/// What waits for a drop to return.
#[derive(Default)]
struct Drops {
    jobs: RefCell<VecDeque<Arc<dyn Job>>>,
    /// Of the tasks that were completed meanwhile, in that order.
    callbacks: RefCell<Vec<Callback>>,
}

/// What waits for a callback to return.
#[derive(Default)]
struct Callbacks(RefCell<Vec<Callback>>);

per_thread! {
    const DROPS: Cell<*const Drops> = Cell::new(ptr::null()); ends by nothing_to_do;
}
per_thread! {
    const CALLBACKS: Cell<*const Callbacks> = Cell::new(ptr::null()); ends by nothing_to_do;
}

fn nothing_to_do<T>(_: &Cell<*const T>) {}

/// Runs `f`, in which nothing is put off for a call that lies below this one.
pub(super) fn separately<R>(f: impl FnOnce() -> R) -> R {
    enter(&DROPS, None, || enter(&CALLBACKS, None, f))
}

/// Returns whether the calling thread is in a [`drop_now`].
pub(super) fn is_dropping() -> bool {
    with_current(&DROPS, |_| ()).is_some()
}

/// Has [`Job::finish`] called when the drop that the calling thread is in returns.
pub(super) fn put_off(job: Arc<dyn Job>) {
    let mut job = Some(job);
    with_current(&DROPS, |drops| drops.jobs.borrow_mut().extend(job.take()));
    if let Some(job) = job {
        job.finish();
    }
}

/// Runs `f`, which drops something of the user's, and all drops that it puts off. Returns the callbacks of
/// the tasks that were completed by these, for [`call`].
///
/// Not to be called by a thread that [`is_dropping`].
pub(super) fn drop_now(f: impl FnOnce()) -> Vec<Callback> {
    let drops = Drops::default();
    enter(&DROPS, Some(&drops), || {
        contain(f);
        loop {
            // A statement of its own, which ends the borrow.
            let next = drops.jobs.borrow_mut().pop_front();
            let Some(job) = next else { break };
            job.finish();
        }
    });
    drops.callbacks.into_inner()
}

/// Runs callbacks, one after the other, and all that they put off; or puts them off.
pub(super) fn call(callbacks: Vec<Callback>) {
    if callbacks.is_empty() {
        return;
    }
    let mut callbacks = Some(callbacks);
    let mut add =
        |list: &RefCell<Vec<Callback>>| list.borrow_mut().extend(callbacks.take().into_iter().flatten());
    if with_current(&DROPS, |drops| add(&drops.callbacks)).is_none() {
        with_current(&CALLBACKS, |fresh| add(&fresh.0));
    }
    if let Some(callbacks) = callbacks {
        call_now(callbacks);
    }
}

fn call_now(callbacks: Vec<Callback>) {
    let fresh = Callbacks::default();
    let mut left = VecDeque::from(callbacks);
    enter(&CALLBACKS, Some(&fresh), || {
        while let Some(callback) = left.pop_front() {
            contain(callback);
            for callback in mem::take(&mut *fresh.0.borrow_mut()).into_iter().rev() {
                left.push_front(callback);
            }
        }
    });
}
