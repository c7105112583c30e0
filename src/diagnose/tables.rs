//! The lock of diagnosis' own tables.

use crate::facade::atomic::{AtomicU32, Ordering::Relaxed};
use crate::facade::{AbortOnUnwind, UnsafeCell, per_process, process};
use crate::observe::Call;
use crate::raw::mutex::RawMutex;

per_process! {
    static TABLES: RawMutex = RawMutex::new();
}
per_process! {
    /// The process that has used the tables first, or 0.
    static OWNER: AtomicU32 = AtomicU32::new(0);
}

/// The right to change the tables.
pub(super) struct Tables(());

/// Locks the tables. The lock is raw, so diagnosis does not note it. No thread comes here that reads, nor one
/// that has a queue's lock. None in a child of a `fork`, where a thread that is not there may have it locked.
pub(super) fn lock() -> Option<Tables> {
    let own = process();
    // Relaxed: the same in all threads of a process. One that comes first stores what all would.
    match OWNER.load(Relaxed) {
        0 => OWNER.store(own, Relaxed),
        owner if owner != own => return None,
        _ => {}
    }
    let abort = AbortOnUnwind;
    TABLES.lock(Call::none());
    abort.disarm();
    Some(Tables(()))
}

impl Drop for Tables {
    fn drop(&mut self) {
        // SAFETY: it was locked when this was made.
        unsafe { TABLES.unlock() };
    }
}

/// A table: a value that the lock of the tables guards.
pub(super) struct Shared<T>(UnsafeCell<T>);

// SAFETY: one thread at a time has the value, the one that has the lock.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub(super) const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// Runs `f` on the value, with the tables locked. None in a child of a `fork`.
    pub(super) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        let _tables = lock()?;
        // SAFETY: the lock is held, and `f` cannot come here again: it would wait for it.
        Some(self.0.with_mut(|value| f(unsafe { &mut *value })))
    }
}
