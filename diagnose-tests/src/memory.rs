//! What is kept follows what is alive, and what was seen before takes no lock.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use lockwork::Mutex;
use lockwork::diagnose::Order;

use crate::support::Watched;

/// Counts the bytes that are allocated and not freed yet.
struct Counting;

static ALIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator, with a number beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALIVE.fetch_add(layout.size(), Relaxed);
        // SAFETY: this function's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: this function's contract.
        unsafe { System.dealloc(pointer, layout) };
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Uses so many locks, one after the other, under one that stays.
fn use_locks(outer: &Mutex<()>, locks: usize) {
    for _ in 0..locks {
        let (first, second) = (Mutex::new(()), Mutex::new(()));
        let _outer = outer.lock();
        drop((first.lock(), second.lock()));
    }
}

#[test]
fn locks_that_are_gone_leave_nothing_behind() {
    let watched = Watched::by(|settings| lockwork::diagnose::Settings {
        order: Order::Report,
        profile: std::num::NonZero::new(1),
        ..settings
    });
    let outer = Mutex::named("outer", ());
    use_locks(&outer, 1_000);
    let before = ALIVE.load(Relaxed);
    use_locks(&outer, 100_000);
    // Fewer than before, perhaps.
    let more = ALIVE.load(Relaxed).saturating_sub(before);
    // What other tests' threads allocate meanwhile is counted, too.
    assert!(more < 100_000, "{more} bytes for 100000 locks");
    assert!(watched.reports().is_empty());
}
