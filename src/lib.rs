//! Blocking synchronization primitives.

mod facade;
mod raw;
mod wait;
mod buffer;
mod condvar;
mod event;
mod mutex;

pub use condvar::{Condvar, WaitTimeoutResult};
pub use event::{AutoResetEvent, Event};
pub use mutex::{ArcMutexGuard, MappedMutexGuard, Mutex, MutexGuard};

facade::model_only! {
    #[doc(hidden)]
    pub mod internals;
}
