//! What the ordinary arm stands on, from `std`.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "this is what the fence fences in")]

pub(crate) use std::hint::spin_loop;
pub(crate) use std::{thread, thread_local};

use std::time::Instant;

/// The atomics; where the target has none of 64 bits, one behind a lock.
pub(crate) mod atomic {
    #[cfg(all(target_has_atomic = "64", not(lockwork_without_atomic_u64)))]
    pub(crate) use std::sync::atomic::AtomicU64;
    pub(crate) use std::sync::atomic::{AtomicI8, AtomicPtr, AtomicU32, AtomicUsize, Ordering, fence};

    #[cfg(not(all(target_has_atomic = "64", not(lockwork_without_atomic_u64))))]
    pub(crate) use crate::facade::wide::AtomicU64;
}

#[inline]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Does nothing here: a read of what other threads may write.
#[inline]
pub(crate) fn reads<T>(_: *const T) {}

/// Does nothing here: a write of what other threads may read.
#[inline]
pub(crate) fn writes<T>(_: *const T) {}

/// Returns a number below `n`, which is at least one, drawn anew each time.
pub(crate) fn draw(n: usize) -> usize {
    use std::hash::{BuildHasher, RandomState};

    // Keys from the system, changed at each call and then mixed: `std` offers no other number that is not
    // always the same.
    let drawn = RandomState::new().hash_one(());
    (drawn % n as u64) as usize
}
