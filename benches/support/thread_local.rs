//! A value for each thread.

use std::cell::Cell;

/// A counter for each thread.
pub(crate) trait PerThread: Send + Sync + 'static {
    /// Whose it is.
    const NAME: &'static str;
    /// No thread has one.
    fn new() -> Self;
    /// Runs `f` with the calling thread's, which is made if it has none.
    fn with<R>(&self, f: impl FnOnce(&Cell<u64>) -> R) -> R;
}

/// This crate's, whose values stay until the object goes.
pub(crate) struct Ours(lockwork::ThreadLocal<Cell<u64>>);

impl PerThread for Ours {
    const NAME: &'static str = super::OURS;

    fn new() -> Self {
        Self(lockwork::ThreadLocal::new())
    }

    #[inline]
    fn with<R>(&self, f: impl FnOnce(&Cell<u64>) -> R) -> R {
        f(self.0.get_or(Cell::default))
    }
}

/// This crate's, whose values go with their threads.
pub(crate) struct OursCell(lockwork::ThreadCell<Cell<u64>>);

impl PerThread for OursCell {
    const NAME: &'static str = "lockwork ThreadCell";

    fn new() -> Self {
        Self(lockwork::ThreadCell::with_init(Cell::default))
    }

    #[inline]
    fn with<R>(&self, f: impl FnOnce(&Cell<u64>) -> R) -> R {
        self.0.with(f)
    }
}

/// The `thread_local` crate's.
pub(crate) struct ThreadLocalCrate(thread_local::ThreadLocal<Cell<u64>>);

impl PerThread for ThreadLocalCrate {
    const NAME: &'static str = "thread_local";

    fn new() -> Self {
        Self(thread_local::ThreadLocal::new())
    }

    #[inline]
    fn with<R>(&self, f: impl FnOnce(&Cell<u64>) -> R) -> R {
        f(self.0.get_or(Cell::default))
    }
}

/// `thread_local!`, which is one for the whole program and not for each object: not a peer, but what can be
/// had.
pub(crate) struct Std;

/// Made at the first look, as the others are, and not before.
fn first() -> Cell<u64> {
    Cell::default()
}

thread_local! {
    static COUNTER: Cell<u64> = first();
}

impl PerThread for Std {
    const NAME: &'static str = super::STATIC;

    fn new() -> Self {
        Self
    }

    #[inline]
    fn with<R>(&self, f: impl FnOnce(&Cell<u64>) -> R) -> R {
        COUNTER.with(f)
    }
}

/// The expression for each [`PerThread`] that is an object, and for the others named.
macro_rules! each_thread_local {
    ($name:ident => $make:expr $(; $other:ident)*) => {
        $crate::support::each!($name => $make;
            $crate::support::thread_local::Ours,
            $crate::support::thread_local::OursCell,
            $crate::support::thread_local::ThreadLocalCrate,
            $($crate::support::thread_local::$other,)*
        )
    };
}
pub(crate) use each_thread_local;
