//! lockwork's tests, one binary: the modules mirror `src`.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests use std to check this crate")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "tests state what they do in prose")]

mod auto_traits;
mod barrier;
mod buffer;
#[cfg(all(unix, not(miri)))]
#[path = "../examples/shared/client.rs"]
mod client;
mod condvar;
mod crawler;
mod downloads;
mod event;
mod latch;
mod log_server;
mod mutex;
mod park_token;
mod reentrant;
mod rwlock;
mod semaphore;
#[cfg(all(unix, not(miri)))]
#[path = "../examples/shared/serve.rs"]
mod serve;
mod support;
mod threads;
mod tidy;
#[cfg(all(unix, not(miri)))]
#[path = "../examples/shared/url.rs"]
mod url;
mod wait_group;
