//! lockwork's tests, one binary: the modules mirror `src`.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests use std to check this crate")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "tests state what they do in prose")]

mod auto_traits;
mod bank;
mod barrier;
mod buffer;
mod chat_server;
#[cfg(all(unix, not(miri)))]
#[path = "../examples/shared/client.rs"]
mod client;
mod condvar;
mod crawler;
mod crowd;
mod downloads;
mod event;
mod kitchen;
mod latch;
#[cfg(feature = "lock_api")]
mod lock_api;
mod log_server;
mod mutex;
mod park_token;
mod parking_lot;
mod poison;
mod reentrant;
mod rwlock;
mod semaphore;
#[cfg(feature = "serde")]
mod serde;
#[cfg(all(unix, not(miri)))]
#[path = "../examples/shared/serve.rs"]
mod serve;
mod support;
mod thread_cell;
mod thread_local;
mod threads;
mod tidy;
#[cfg(all(unix, not(miri)))]
#[path = "../examples/shared/url.rs"]
mod url;
mod wait_group;
