//! loom's atomics.

pub(crate) use loom::sync::atomic::Ordering;

use std::cell::Cell;
use std::panic;
use std::sync::Once;
use std::thread;

std::thread_local! {
    /// Whether a panic of this thread is an answer, and nothing to report.
    static ASKING: Cell<bool> = const { Cell::new(false) };
}

/// Lets a panic that is an answer to [`is_over`] go by in silence: a hook cannot be set by a thread that
/// panics, so it is set before.
fn hush() {
    static HUSHED: Once = Once::new();
    HUSHED.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !ASKING.get() {
                report(info);
            }
        }));
    });
}

/// Returns whether this thread unwinds out of a deadlock that loom has found. It has no threads to go on
/// with then, and any operation would be a panic within a panic. A thread that unwinds for another reason
/// goes on as usual.
pub(in crate::facade) fn is_over() -> bool {
    if !thread::panicking() {
        hush();
        return false;
    }
    ASKING.set(true);
    let over = panic::catch_unwind(|| drop(loom::thread::current())).is_err();
    ASKING.set(false);
    over
}

/// loom's atomics with the methods that this crate uses. They do nothing once the model [is
/// over](is_over), so that a guard can be dropped: an exchange claims to have succeeded, and everything
/// else finds zero.
macro_rules! atomic {
    ($name:ident$(<$t:ident>)?, $value:ty, $zero:expr, $($operation:ident)*) => {
        #[derive(Debug)]
        pub(crate) struct $name$(<$t>)?(loom::sync::atomic::$name$(<$t>)?);

        #[allow(dead_code, reason = "not every type needs every operation")]
        impl$(<$t>)? $name$(<$t>)? {
            #[track_caller]
            pub(crate) fn new(value: $value) -> Self {
                Self(loom::sync::atomic::$name::new(value))
            }

            #[track_caller]
            pub(crate) fn load(&self, order: Ordering) -> $value {
                if is_over() { $zero } else { self.0.load(order) }
            }

            #[track_caller]
            pub(crate) fn store(&self, value: $value, order: Ordering) {
                if !is_over() {
                    self.0.store(value, order);
                }
            }

            #[track_caller]
            pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                if is_over() { $zero } else { self.0.swap(value, order) }
            }

            #[track_caller]
            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                if is_over() { Ok(current) } else { self.0.compare_exchange(current, new, success, failure) }
            }

            #[track_caller]
            pub(crate) fn compare_exchange_weak(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.compare_exchange(current, new, success, failure)
            }

            $(
                #[track_caller]
                pub(crate) fn $operation(&self, value: $value, order: Ordering) -> $value {
                    if is_over() { $zero } else { self.0.$operation(value, order) }
                }
            )*
        }
    };
}

atomic!(AtomicPtr<T>, *mut T, std::ptr::null_mut(),);
atomic!(AtomicU32, u32, 0, fetch_add fetch_sub);
atomic!(AtomicU64, u64, 0, fetch_add fetch_sub);
atomic!(AtomicUsize, usize, 0, fetch_add fetch_sub);

#[track_caller]
pub(crate) fn exchange_in_order(word: &AtomicU32, current: u32, new: u32) -> bool {
    word.compare_exchange(current, new, Ordering::AcqRel, Ordering::Relaxed).is_ok()
}

#[track_caller]
pub(crate) fn load_in_order(word: &AtomicU32) -> u32 {
    loom::sync::atomic::fence(Ordering::SeqCst);
    word.load(Ordering::Acquire)
}

#[track_caller]
pub(crate) fn fence_in_order() {
    loom::sync::atomic::fence(Ordering::SeqCst);
}
