//! Blocking synchronization primitives.

mod facade;
mod wait;
mod raw;
mod buffer;
mod condvar;
mod event;
mod mutex;

pub use condvar::{Condvar, WaitTimeoutResult};
pub use event::{AutoResetEvent, Event};
pub use mutex::{ArcMutexGuard, MappedMutexGuard, Mutex, MutexGuard};
