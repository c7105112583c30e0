//! Threads made of this crate's own primitives: a pool, its tasks, and workers.
//!
//! Floor 5: everything waits through [`Mutex`](crate::Mutex), [`Condvar`](crate::Condvar),
//! [`Event`](crate::Event) and [`AutoResetEvent`](crate::AutoResetEvent). The one unsafe function, in `scope`, lets tasks
//! borrow.
//!
//! Locks are taken one at a time, with two exceptions, both inside one call: a task is marked done under its own lock
//! (an [`Event`](crate::Event) is set), and a thread of the pool that goes to sleep notifies joiners under the pool's.
//! No code of the user's runs under any of them.

mod completion;
mod ending;
mod map;
mod pool;
mod queue;
mod scope;
mod task;
mod together;
mod worker;

pub use map::{Map, MapAhead};
pub use pool::{Shutdown, SubmitError, SubmitTimeoutError, ThreadPool, ThreadPoolBuilder, TrySubmitError};
pub use scope::{Scope, ScopedTask};
pub use task::{Task, TaskError, TaskId};
pub use together::{
    AsCompleted, UnfinishedError, as_completed, wait_all, wait_all_for, wait_all_until, wait_first,
    wait_first_for, wait_first_until,
};
pub use worker::Worker;
