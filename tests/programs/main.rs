//! The example programs, each run as a program: with a command line, signals, output and an exit code.
#![cfg(all(unix, not(miri)))]
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests use std to check this crate")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "tests state what they do in prose")]

mod bank;
mod built;
mod chat_server;
mod kitchen;
mod log_server;
mod program;
mod samples;
#[allow(dead_code, unused_imports, reason = "what these programs' tests do without")]
#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "diagnose")]
mod watched;
