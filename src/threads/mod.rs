//! Threads made of this crate's own primitives: a pool, its tasks, and workers.
//!
//! Floor 5: everything waits through [`Mutex`](crate::Mutex), [`Condvar`](crate::Condvar),
//! [`Event`](crate::Event) and [`AutoResetEvent`](crate::AutoResetEvent). The one unsafe function, in `job`,
//! lets tasks borrow.
//!
//! | file | what stands there |
//! |---|---|
//! | `error`, `queue`, `job` | errors and contained panics; a queue with tickets; what tasks and executors know of each other |
//! | `deferred` | callbacks and drops at the end of a task, in constant stack |
//! | `collector`, `scope_latch` | what several tasks report to, for a select and for a scope |
//! | `completion`, `task` | a task from its closure to its result, and its handle |
//! | `ending`, `pool/` | the end of threads; the pool, its builder and its errors |
//! | `map`, `scope`, `select`, `worker` | what users build on these |
//!
//! Files import from one another without a circle: a test sees to that.
//!
//! Locks are taken one at a time, with two exceptions, both inside one call: a task is marked done under its
//! own lock (an [`Event`](crate::Event) is set), and a thread of the pool that goes to sleep notifies joiners
//! under the pool's. No code of the user's runs under any of them.

mod pool;

mod collector;
mod completion;
mod deferred;
mod ending;
mod error;
mod job;
mod map;
mod queue;
mod scope;
mod scope_latch;
mod select;
mod task;
mod worker;

pub use error::{TaskError, UnfinishedError};
pub use map::{Map, MapAhead};
pub use pool::{Shutdown, SubmitError, SubmitTimeoutError, ThreadPool, ThreadPoolBuilder, TrySubmitError};
pub use scope::{Scope, ScopedTask};
pub use select::{
    AsCompleted, as_completed, wait_all, wait_all_for, wait_all_until, wait_first, wait_first_for,
    wait_first_until,
};
pub use task::{Task, TaskId};
pub use worker::Worker;
