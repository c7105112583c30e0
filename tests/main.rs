//! lockwork's tests, one binary: the modules mirror `src`.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests use std to check this crate")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "tests state what they do in prose")]

mod auto_traits;
mod bank;
mod barrier;
mod buffer;
mod chat_server;
mod condvar;
mod event;
mod kitchen;
mod latch;
mod log_server;
mod mutex;
mod park_token;
mod reentrant;
mod rwlock;
mod semaphore;
mod support;
mod threads;
mod tidy;
mod wait_group;
