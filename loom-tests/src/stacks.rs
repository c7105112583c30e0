//! Keeps the stacks of a model's threads from one interleaving to the next.
//!
//! loom maps a stack for each thread of each interleaving and unmaps it at its end. With a page fault for
//! each page that the thread touches that was half of a model's time. `mmap` and `munmap` are defined here,
//! so what is linked into this program calls these instead of the C library's. They pass every call on, but
//! for such stacks. A stack that is used again holds what an earlier thread left in it, as any part of a
//! stack does.

use std::cell::RefCell;
use std::ffi::{c_int, c_long, c_void};

/// How many stacks a thread keeps at the most.
const KEPT: usize = 8;

thread_local! {
    static STACKS: RefCell<Stacks> = const { RefCell::new(Stacks(Vec::new())) };
}

/// The stacks that this thread has mapped.
struct Stacks(Vec<Stack>);

struct Stack {
    at: *mut c_void,
    len: usize,
    is_used: bool,
}

impl Drop for Stacks {
    fn drop(&mut self) {
        for stack in self.0.drain(..).filter(|stack| !stack.is_used) {
            // SAFETY: who used it last has asked for this.
            unsafe { libc::syscall(libc::SYS_munmap, stack.at, stack.len) };
        }
    }
}

/// Calls a function with the thread's stacks, but for a thread at its end and for a call from within another.
fn with_stacks<R>(call: impl FnOnce(&mut Vec<Stack>) -> Option<R>) -> Option<R> {
    STACKS.try_with(|stacks| call(&mut stacks.try_borrow_mut().ok()?.0)).ok()?
}

/// Maps memory, or returns a stack that was kept.
///
/// # Safety
///
/// As for the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn mmap(
    at: *mut c_void,
    len: usize,
    prot: c_int,
    flags: c_int,
    file: c_int,
    offset: c_long,
) -> *mut c_void {
    let is_stack = flags & libc::MAP_STACK != 0;
    let kept = with_stacks(|stacks| {
        let stack = stacks.iter_mut().find(|stack| is_stack && !stack.is_used && stack.len == len)?;
        stack.is_used = true;
        Some(stack.at)
    });
    if let Some(stack) = kept {
        return stack;
    }
    // SAFETY: the caller's, who asks the C library for this call.
    let mapped = unsafe {
        libc::syscall(
            libc::SYS_mmap,
            at,
            len,
            c_long::from(prot),
            c_long::from(flags),
            c_long::from(file),
            offset,
        ) as *mut c_void
    };
    if is_stack && mapped != libc::MAP_FAILED {
        with_stacks(|stacks| {
            (stacks.len() < KEPT).then(|| stacks.push(Stack { at: mapped, len, is_used: true }))
        });
    }
    mapped
}

/// Unmaps memory, or keeps it if it is a stack.
///
/// # Safety
///
/// As for the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn munmap(at: *mut c_void, len: usize) -> c_int {
    let kept = with_stacks(|stacks| {
        let stack = stacks.iter_mut().find(|stack| stack.at == at && stack.len == len)?;
        stack.is_used = false;
        Some(())
    });
    if kept.is_some() {
        return 0;
    }
    // SAFETY: the caller's, who asks the C library for this call.
    unsafe { libc::syscall(libc::SYS_munmap, at, len) as c_int }
}
