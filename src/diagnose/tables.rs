//! The lock of diagnosis' own tables.

use crate::facade::{AbortOnUnwind, per_process};
use crate::observe::Call;
use crate::raw::mutex::RawMutex;

per_process! {
    static TABLES: RawMutex = RawMutex::new();
}

/// The right to change the tables.
pub(super) struct Tables(());

/// Locks the tables. The lock is raw, so nothing is told of it. No thread comes here that reads, nor one that
/// has a queue's lock.
pub(super) fn lock() -> Tables {
    let abort = AbortOnUnwind;
    TABLES.lock(Call::none());
    abort.disarm();
    Tables(())
}

impl Drop for Tables {
    fn drop(&mut self) {
        // SAFETY: it was locked when this was made.
        unsafe { TABLES.unlock() };
    }
}
