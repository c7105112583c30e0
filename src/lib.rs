//! Blocking synchronization primitives for threads, with a time-out on every wait.
//!
//! | to | use |
//! |---|---|
//! | change a value from several threads, one at a time | [`Mutex`] |
//! | wait until a guarded value has become something | [`Condvar`] |
//! | tell any number of threads that something has happened | [`Event`] |
//! | let one thread through for each signal | [`AutoResetEvent`] |
//! | hand items from producers to consumers, with back-pressure | [`BoundedBuffer`] |
//! | have a value for each thread that dies with it | [`ThreadCell`] |
//! | have a value for each thread and collect them all | [`ThreadLocal`] |
//!
//! ```
//! use lockwork::{Condvar, Mutex};
//! use std::{thread, time::Duration};
//!
//! static STOCK: Mutex<u32> = Mutex::new(0);
//! static DELIVERED: Condvar = Condvar::new();
//!
//! thread::spawn(|| {
//!     *STOCK.lock() += 10;
//!     DELIVERED.notify_one();
//! });
//! let mut stock = STOCK.lock();
//! let result = DELIVERED.wait_while_for(&mut stock, |stock| *stock == 0, Duration::from_secs(10));
//! assert!(!result.timed_out());
//! *stock -= 1;
//! ```
//!
//! # Rules for everything
//!
//! * Each wait for something has a form that ends after a [`Duration`](std::time::Duration) (`_for`) and one that ends at an
//!   [`Instant`](std::time::Instant) (`_until`). `Duration::MAX` means for ever, zero means "try once". A call whose
//!   turn came before its deadline succeeds, and one that timed out leaves nothing behind.
//! * Locks never poison: a panic while a guard is alive unlocks.
//! * Waiting allocates nothing (but for the handle that `std` makes once for a thread it has not made), and returns for the reason its documentation gives and for no other.
//! * A thread's own [`park`](std::thread::park) token is never lost to a call of this crate. It may be found set
//!   without anybody having set it, which `park` announces.
//! * `new` is a `const fn`, so everything can live in a static.
//! * There is no dependency, no global state but a counter of ids, and no background thread.
//!
//! # Models
//!
//! With `--cfg loom` and the feature `loom`, the same types run on [loom](https://docs.rs/loom)'s atomics and threads,
//! so a crate that uses them can put its own code inside `loom::model`, locks and time-outs included. There `new` is no
//! `const fn`, a finite time-out may pass at once or when all other threads have gone as far as they can, and an access
//! to a guarded value without its lock is reported as a race. Without the feature a stray `--cfg loom` changes nothing.

mod buffer;
mod condvar;
mod event;
mod facade;
mod mutex;
mod raw;
mod thread_cell;
mod thread_local;
mod wait;

pub use buffer::{
    BoundedBuffer, BufferIter, BufferTryIter, GetError, GetTimeoutError, PutAllError, PutError,
    PutTimeoutError, TaskDoneError, TryGetError, TryPutError,
};
pub use condvar::{Condvar, WaitTimeoutResult};
pub use event::{AutoResetEvent, Event};
pub use mutex::{ArcMutexGuard, MappedMutexGuard, Mutex, MutexGuard};
pub use thread_cell::{AccessError, ThreadCell};
pub use thread_local::{ThreadLocal, ThreadLocalIntoIter, ThreadLocalIter, ThreadLocalIterMut};

facade::model_only! {
    #[doc(hidden)]
    pub mod internals;
}

/// The README's example is run as well.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
