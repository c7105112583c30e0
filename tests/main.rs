//! lockwork's tests, one binary: the modules mirror `src`.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests use std to check this crate")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "tests state what they do in prose")]

mod accessors;
mod all;
mod answers;
mod any;
mod auto_traits;
mod barrier;
mod buffer;
mod channel;
mod condvar;
mod crowd;
mod event;
mod latch;
#[cfg(all(target_os = "linux", not(miri)))]
mod late_destructors;
mod litmus;
#[cfg(feature = "lock_api")]
mod lock_api;
mod locks;
mod mutex;
mod once;
mod panics;
mod park_token;
mod parking_lot;
mod poison;
mod proofs;
mod random;
mod reentrant;
mod rwlock;
mod semaphore;
#[cfg(feature = "serde")]
mod serde;
mod stop;
mod support;
mod thread_cell;
mod thread_local;
mod threads;
mod tidy;
mod wait_group;
