//! What a call further down the calling thread's stack has in its frame for those above it: a pointer in a
//! variable of the thread, for as long as that call lasts.
//!
//! The user's code that a call runs, a callback or a destructor, may call this crate again. The inner call
//! can leave its work to the outer one, which does it when that code has returned: in constant stack, however
//! long the chain.

use std::cell::Cell;
use std::ptr;

use super::PerThread;

/// Makes `list` the thread's current one for the duration of `f`, or none.
pub(crate) fn enter<T, R>(current: &PerThread<Cell<*const T>>, list: Option<&T>, f: impl FnOnce() -> R) -> R {
    struct Restore<'a, T: 'static>(&'a PerThread<Cell<*const T>>, *const T);

    impl<T> Drop for Restore<'_, T> {
        fn drop(&mut self) {
            self.0.with(|current| current.set(self.1));
        }
    }

    let list = list.map_or(ptr::null(), ptr::from_ref);
    // Null, too, where a model's thread has no variables any more: there nothing is put off.
    let before = current.with(|current| current.replace(list)).unwrap_or(ptr::null());
    let _restore = Restore(current, before);
    f()
}

/// Runs `f` on the thread's current list, if there is one.
pub(crate) fn with_current<T, R>(current: &PerThread<Cell<*const T>>, f: impl FnOnce(&T) -> R) -> Option<R> {
    let list = current.with(Cell::get)?;
    // SAFETY: null, or put there by a call of `enter` further down this thread's stack, which has borrowed
    // the list and takes the pointer away before it returns or unwinds.
    let list = unsafe { list.as_ref() }?;
    Some(f(list))
}
