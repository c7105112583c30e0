//! All threads' values of one cell: a list under a lock, from which a value is taken out by the thread that
//! ends first, its thread or the cell.
//!
//! | the value is | in the thread's table | in the list | who may touch it |
//! |---|---|---|---|
//! | being made | no | no | its thread |
//! | there | yes | yes | its thread, while it borrows the cell |
//! | taken by its thread (it ends, or takes the value back) | no | no | its thread |
//! | taken by the cell | stale, until that thread tidies its table | no | the thread that drops the cell |
//!
//! | the list is | meaning |
//! |---|---|
//! | open | the cell is there, or its drop has not come to the lock yet |
//! | closed | the cell has taken everything, and is gone or going |
//!
//! Invariants:
//!
//! 1. Links are changed, and the list is closed, under the lock. So the section in which a value leaves the
//!    list is the one transition that decides who drops it: a thread that finds the list closed has lost, and
//!    the address it has is not to be followed; a cell that closes the list finds no value whose thread was
//!    there before.
//! 2. The list outlives both: it is there as long as the cell or a slot in a table has a share of it.
//! 3. None of the users' code runs under the lock.
//!
//! Ordering: the lock's. What a thread did to its value while it borrowed the cell happens before the cell's
//! drop by whatever made that drop's exclusive access.
//!
//! Promised upward: each value is dropped once. The side that has lost does not wait for the other: a
//! destructor may still be running in a thread that ends when the cell's drop returns, and the other way
//! round.
//!
//! Limits: a thread that has a value keeps a stale slot, and the list a few words, until it tidies its table.
//! Where no value can be kept, because the thread's own data are gone, none is made.

use std::cell::Cell;
use std::ptr::{self, NonNull};

use crate::facade::{UnsafeCell, reached};
use crate::observe::Call;
use crate::raw::mutex::RawMutex;
use crate::raw::slots::Owner;

/// What a value is linked by. The value's allocation begins with it.
#[derive(Debug)]
pub(crate) struct Links {
    previous: Cell<*mut Links>,
    next: Cell<*mut Links>,
}

impl Links {
    pub(crate) const fn new() -> Self {
        Self { previous: Cell::new(ptr::null_mut()), next: Cell::new(ptr::null_mut()) }
    }
}

#[derive(Debug)]
struct List {
    first: *mut Links,
    closed: bool,
}

/// The list, which lasts until the cell is gone and no thread is being told of its end.
#[derive(Debug)]
pub(crate) struct Registry {
    lock: RawMutex,
    list: UnsafeCell<List>,
    drop_value: unsafe fn(NonNull<Links>),
}

impl Registry {
    /// # Safety
    ///
    /// `drop_value` is sound to call, once, with every address that is [linked](Self::link), in the thread
    /// that linked it or in the one that [closes](Self::close).
    pub(crate) unsafe fn new(drop_value: unsafe fn(NonNull<Links>)) -> Self {
        let list = List { first: ptr::null_mut(), closed: false };
        Self { lock: RawMutex::new(), list: UnsafeCell::new(list), drop_value }
    }

    fn locked<R>(&self, f: impl FnOnce(&mut List) -> R) -> R {
        self.lock.lock(Call::none());
        // SAFETY: the lock is held, and `f`, which is one of the functions below, cannot come here again.
        let result = self.list.with_mut(|list| f(unsafe { &mut *list }));
        // SAFETY: locked above.
        unsafe { self.lock.unlock() };
        result
    }

    /// # Safety
    ///
    /// `value` is alive, in no list, and the caller borrows the cell.
    pub(crate) unsafe fn link(&self, value: NonNull<Links>) {
        self.locked(|list| {
            debug_assert!(!list.closed, "a cell that is borrowed is not gone");
            // SAFETY: this function's contract.
            let links = unsafe { value.as_ref() };
            links.next.set(list.first);
            // SAFETY: what is in the list is alive (invariant 1).
            if let Some(first) = unsafe { list.first.as_ref() } {
                first.previous.set(value.as_ptr());
            }
            list.first = value.as_ptr();
        });
    }

    /// Takes a value out of the list. False if the cell has done so already, and the value may be gone.
    ///
    /// # Safety
    ///
    /// The calling thread has linked `value`, and has not unlinked it.
    pub(crate) unsafe fn unlink(&self, value: NonNull<Links>) -> bool {
        self.locked(|list| {
            if list.closed {
                reached("thread ended after the cell");
                return false;
            }
            // SAFETY: it was linked, this thread has not unlinked it, and the list is not closed (invariant
            // 1).
            let links = unsafe { value.as_ref() };
            let (previous, next) = (links.previous.get(), links.next.get());
            // SAFETY: what is in the list is alive.
            if let Some(next) = unsafe { next.as_ref() } {
                next.previous.set(previous);
            }
            // SAFETY: as above.
            match unsafe { previous.as_ref() } {
                Some(previous) => previous.next.set(next),
                None => list.first = next,
            }
            true
        })
    }

    /// Drops all values that are left, as the cell goes, also if some of them panic in doing so.
    pub(crate) fn close(&self) {
        let first = self.locked(|list| {
            list.closed = true;
            std::mem::replace(&mut list.first, ptr::null_mut())
        });
        drop(Remaining { next: first, drop_value: self.drop_value });
    }
}

impl Owner for Registry {
    unsafe fn thread_ends(&self, value: NonNull<()>) {
        let value = value.cast();
        // SAFETY: what is in this thread's table was linked by it, and would be gone from there if it were
        // unlinked.
        if unsafe { self.unlink(value) } {
            reached("thread ended before the cell");
            // SAFETY: taken out of the list, so it is this thread's alone; it is dropped here and nowhere
            // else.
            unsafe { (self.drop_value)(value) };
        }
    }
}

/// The values of a closed list that are still to be dropped.
struct Remaining {
    next: *mut Links,
    drop_value: unsafe fn(NonNull<Links>),
}

impl Drop for Remaining {
    fn drop(&mut self) {
        while let Some(value) = NonNull::new(self.next) {
            // SAFETY: not dropped yet, and no other thread's since the list was closed.
            let next = unsafe { value.as_ref() }.next.get();
            self.next = next;
            // If the value panics, the others are dropped as the panic leaves; a second panic ends the
            // process.
            let others = Remaining { next, drop_value: self.drop_value };
            // SAFETY: as above, and not in the chain any more.
            unsafe { (self.drop_value)(value) };
            std::mem::forget(others);
        }
    }
}
