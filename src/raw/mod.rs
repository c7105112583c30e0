//! State machines: what a lock, a condition variable, an event or a semaphore does with its word, without
//! payloads and guards.
//!
//! With `loom-spec` those that wait are what they promise, as small as it can be said, instead of how they do
//! it: `spec/`.

#[cfg_attr(all(loom, feature = "loom-spec"), path = "spec/barrier.rs")]
pub(crate) mod barrier;
pub(crate) mod chain;
#[cfg_attr(all(loom, feature = "loom-spec"), path = "spec/condvar.rs")]
pub(crate) mod condvar;
#[cfg_attr(all(loom, feature = "loom-spec"), path = "spec/event.rs")]
pub(crate) mod event;
#[cfg_attr(all(loom, feature = "loom-spec"), path = "spec/latch.rs")]
pub(crate) mod latch;
#[cfg_attr(all(loom, feature = "loom-spec"), path = "spec/mutex.rs")]
pub(crate) mod mutex;
#[cfg_attr(all(loom, feature = "loom-spec"), path = "spec/once.rs")]
pub(crate) mod once;
pub(crate) mod poison;
pub(crate) mod reentrant;
pub(crate) mod ring;
#[cfg_attr(all(loom, feature = "loom-spec"), path = "spec/rwlock/mod.rs")]
pub(crate) mod rwlock;
#[cfg_attr(all(loom, feature = "loom-spec"), path = "spec/semaphore.rs")]
pub(crate) mod semaphore;
#[cfg_attr(all(loom, feature = "loom-spec"), path = "spec/sleepers.rs")]
pub(crate) mod sleepers;
pub(crate) mod slots;
crate::facade::only! { spec:
    #[path = "spec/turn.rs"]
    pub(crate) mod turn;
}
pub(crate) mod thread_cell;
pub(crate) mod thread_id;
pub(crate) mod thread_local;

/// One thread in the queues of several objects: `wait/select.rs`, for the floor that does not reach it.
pub(crate) use crate::wait::{Place, SpinWait, Stamp, Waiter, select};
