//! Diagnosis as a program has it: planted faults are found, programs without are left alone, and what is
//! written is what other tools read. `cargo diagnose` runs them, an ordinary build has nothing in it.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests use std to check this crate")]

#[cfg(all(test, unix, feature = "watched"))]
mod fork;
#[cfg(all(test, feature = "watched"))]
mod formats;
#[cfg(all(test, feature = "watched"))]
mod memory;
#[cfg(all(test, feature = "watched"))]
mod order;
#[cfg(all(test, feature = "watched"))]
mod profile;
#[cfg(all(test, feature = "watched"))]
mod programs;
#[cfg(all(test, feature = "watched"))]
mod recipes;
#[cfg(all(test, feature = "watched"))]
mod support;
