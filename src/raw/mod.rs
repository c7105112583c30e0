//! State machines: what a lock, a condition variable, an event or a semaphore does with its word, without
//! payloads and guards.
//!
//! With `loom-spec` four of them are what they promise, as small as it can be said, instead of how they do
//! it: `spec/`.

pub(crate) mod barrier;
pub(crate) mod chain;
#[cfg_attr(all(loom, feature = "loom-spec"), path = "spec/condvar.rs")]
pub(crate) mod condvar;
#[cfg_attr(all(loom, feature = "loom-spec"), path = "spec/event.rs")]
pub(crate) mod event;
pub(crate) mod latch;
#[cfg_attr(all(loom, feature = "loom-spec"), path = "spec/mutex.rs")]
pub(crate) mod mutex;
pub(crate) mod once;
pub(crate) mod poison;
pub(crate) mod reentrant;
pub(crate) mod ring;
pub(crate) mod rwlock;
#[cfg_attr(all(loom, feature = "loom-spec"), path = "spec/semaphore.rs")]
pub(crate) mod semaphore;
pub(crate) mod sleepers;
pub(crate) mod slots;
crate::facade::spec_only! {
    #[path = "spec/turn.rs"]
    pub(crate) mod turn;
}
pub(crate) mod thread_cell;
pub(crate) mod thread_id;
pub(crate) mod thread_local;

/// One thread in the queues of several objects: `wait/select.rs`, for the floor that does not reach it.
pub(crate) use crate::wait::{Place, SpinWait, Waiter, select};
