//! Every allocation begins a cache line, so that which values share one does not depend on what was allocated
//! before.

use std::alloc::{GlobalAlloc, Layout, System};

struct Lines;

fn with_lines(layout: Layout) -> Layout {
    layout.align_to(128).expect("a layout that is not near the end of memory").pad_to_align()
}

// SAFETY: the system's allocator, asked for more than the caller needs.
unsafe impl GlobalAlloc for Lines {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's, and never of size 0.
        unsafe { System.alloc(with_lines(layout)) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's, and allocated with the same layout.
        unsafe { System.dealloc(pointer, with_lines(layout)) }
    }
}

#[global_allocator]
static LINES: Lines = Lines;
