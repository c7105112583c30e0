//! lockwork's tests, one binary: the modules mirror `src`.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests use std to check this crate")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "tests state what they do in prose")]

mod auto_traits;
mod buffer;
mod condvar;
mod event;
mod log_server;
mod mutex;
mod park_token;
mod support;
mod thread_cell;
mod thread_local;
mod tidy;
