//! State machines: what a lock, a condition variable or an event does with its word, without payloads and guards.

pub(crate) mod condvar;
pub(crate) mod event;
pub(crate) mod mutex;
pub(crate) mod slots;
pub(crate) mod thread_cell;
pub(crate) mod thread_local;
