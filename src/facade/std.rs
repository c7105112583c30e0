//! What the ordinary arm stands on, from `std`.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "this is what the fence fences in")]

pub(crate) use std::hint::spin_loop;
pub(crate) use std::sync::atomic;
pub(crate) use std::{thread, thread_local};

use std::time::Instant;

#[inline]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Nothing here: a read of what other threads may write.
#[inline]
pub(crate) fn reads<T>(_: *const T) {}

/// Nothing here: a write of what other threads may read.
#[inline]
pub(crate) fn writes<T>(_: *const T) {}

/// One value for the process, or for a run of a model.
macro_rules! per_process {
    ($(#[$meta:meta])* static $name:ident: $type:ty = $init:expr;) => { $(#[$meta])* static $name: $type = $init; };
}
pub(crate) use per_process;
