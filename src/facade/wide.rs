//! An atomic of 64 bits for targets that have none: its value stands behind a spin lock, one of a small table
//! that is chosen by the address. Only numbers that a caller may wait for a few instructions stand in one.
//!
//! Every operation takes the lock with Acquire and gives it back with Release, so each sees all that came
//! before it in the order of the lock: that is more than any of the orderings that it is asked for.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "this is what the fence fences in")]

use std::cell::UnsafeCell;
use std::sync::atomic::{
    AtomicBool,
    Ordering::{self, Acquire, Relaxed, Release},
};
use std::{fmt, hint, thread};

/// The locks, each on a cache line of its own.
#[repr(align(64))]
struct Lock(AtomicBool);

static LOCKS: [Lock; 64] = [const { Lock(AtomicBool::new(false)) }; 64];

impl Lock {
    /// Runs `section` with the lock held. It runs no foreign code and does not panic.
    fn with<R>(&self, section: impl FnOnce() -> R) -> R {
        let mut spins = 0;
        // Acquire: what the last holder wrote. Relaxed on failure: nothing is taken.
        while self.0.compare_exchange_weak(false, true, Acquire, Relaxed).is_err() {
            // A holder that was interrupted needs a processor to go on.
            if spins < 64 {
                spins += 1;
                hint::spin_loop();
            } else {
                thread::yield_now();
            }
        }
        let result = section();
        // Release: what this holder wrote.
        self.0.store(false, Release);
        result
    }
}

pub(crate) struct AtomicU64(UnsafeCell<u64>);

// SAFETY: every access to the value is made with the lock of its address held.
unsafe impl Sync for AtomicU64 {}

/// As all atomics: no caller sees a value in the middle of a change.
impl std::panic::RefUnwindSafe for AtomicU64 {}

impl AtomicU64 {
    pub(crate) const fn new(value: u64) -> Self {
        Self(UnsafeCell::new(value))
    }

    fn with<R>(&self, section: impl FnOnce(&mut u64) -> R) -> R {
        let address = self.0.get().addr();
        LOCKS[address / align_of::<u64>() % LOCKS.len()].with(|| {
            // SAFETY: the lock of this address is held, and all accesses are made here.
            section(unsafe { &mut *self.0.get() })
        })
    }

    pub(crate) fn load(&self, _: Ordering) -> u64 {
        self.with(|value| *value)
    }

    pub(crate) fn store(&self, new: u64, _: Ordering) {
        self.with(|value| *value = new);
    }

    pub(crate) fn fetch_add(&self, more: u64, _: Ordering) -> u64 {
        self.with(|value| {
            let before = *value;
            *value = before.wrapping_add(more);
            before
        })
    }

    pub(crate) fn compare_exchange_weak(
        &self,
        current: u64,
        new: u64,
        _: Ordering,
        _: Ordering,
    ) -> Result<u64, u64> {
        self.with(|value| {
            let before = *value;
            if before == current {
                *value = new;
                Ok(before)
            } else {
                Err(before)
            }
        })
    }
}

impl fmt::Debug for AtomicU64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.load(Relaxed).fmt(f)
    }
}
