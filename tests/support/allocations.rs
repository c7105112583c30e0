//! Counts what a thread allocates.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, counting by thread.
struct Counting;

thread_local! {
    /// Constant and without a destructor, so that using it allocates nothing and works in a thread's last
    /// moments.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static RELEASES: Cell<usize> = const { Cell::new(0) };
    /// Of what was allocated and not freed, modulo what a number can hold.
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

fn count_allocation(size: usize) {
    // Nothing to count for a thread that has no variables left.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
    let _ = BYTES.try_with(|bytes| bytes.set(bytes.get().wrapping_add(size)));
}

fn count_release(size: usize) {
    let _ = RELEASES.try_with(|count| count.set(count.get() + 1));
    let _ = BYTES.try_with(|bytes| bytes.set(bytes.get().wrapping_sub(size)));
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_allocation(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count_allocation(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count_allocation(size);
        count_release(layout.size());
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count_release(layout.size());
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often the calling thread allocates while it runs `body`.
pub(crate) fn allocations_during(body: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    body();
    ALLOCATIONS.get() - before
}

/// How many more blocks the calling thread has allocated than freed while it ran `body`.
pub(crate) fn blocks_during<R>(body: impl FnOnce() -> R) -> (R, isize) {
    let balance = || ALLOCATIONS.get().wrapping_sub(RELEASES.get()) as isize;
    let before = balance();
    let result = body();
    (result, balance() - before)
}

/// How many more bytes the calling thread has allocated than freed while it ran `body`.
pub(crate) fn bytes_during<R>(body: impl FnOnce() -> R) -> (R, isize) {
    let before = BYTES.get();
    let result = body();
    (result, BYTES.get().wrapping_sub(before) as isize)
}

#[test]
fn allocations_are_counted_by_thread() {
    assert_eq!(allocations_during(|| drop(std::hint::black_box(Box::new(1)))), 1);
    assert_eq!(allocations_during(|| ()), 0);
}
