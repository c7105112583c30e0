//! State machines: what a lock, a condition variable, an event or a semaphore does with its word, without payloads and guards.

pub(crate) mod barrier;
pub(crate) mod condvar;
pub(crate) mod event;
pub(crate) mod latch;
pub(crate) mod mutex;
pub(crate) mod once;
pub(crate) mod poison;
pub(crate) mod reentrant;
pub(crate) mod rwlock;
pub(crate) mod semaphore;
pub(crate) mod slots;
pub(crate) mod thread_cell;
pub(crate) mod thread_id;
pub(crate) mod thread_local;
