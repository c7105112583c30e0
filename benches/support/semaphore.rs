//! A number of permits.

use super::condvar::{self, Monitor};

/// A number of permits.
pub(crate) trait Permits: Send + Sync + 'static {
    /// Whose it is.
    const NAME: &'static str;
    /// So many, all free.
    fn new(permits: usize) -> Self;
    /// Runs `f` with one of them.
    fn with<R>(&self, f: impl FnOnce() -> R) -> R;
}

/// This crate's.
pub(crate) struct Ours(lockwork::Semaphore);

impl Permits for Ours {
    const NAME: &'static str = super::OURS;

    fn new(permits: usize) -> Self {
        Self(lockwork::Semaphore::new(permits))
    }

    #[inline]
    fn with<R>(&self, f: impl FnOnce() -> R) -> R {
        let _permit = self.0.acquire();
        f()
    }
}

/// A counter under a mutex, with a condition variable.
pub(crate) struct Composed<M>(M);

impl<M: Monitor<usize>> Permits for Composed<M> {
    const NAME: &'static str = M::COMPOSED;

    fn new(permits: usize) -> Self {
        Self(M::new(permits))
    }

    #[inline]
    fn with<R>(&self, f: impl FnOnce() -> R) -> R {
        self.0.wait_then(0, |free| *free == 0, |free| *free -= 1);
        let result = f();
        self.0.with(|free| *free += 1);
        self.0.notify_one(0);
        result
    }
}

/// It waits for tasks only, so it takes part where no thread waits.
pub(crate) struct Tokio(tokio::sync::Semaphore);

impl Permits for Tokio {
    const NAME: &'static str = "tokio";

    fn new(permits: usize) -> Self {
        Self(tokio::sync::Semaphore::new(permits))
    }

    #[inline]
    fn with<R>(&self, f: impl FnOnce() -> R) -> R {
        let _permit = self.0.try_acquire().expect("no other thread is there");
        f()
    }
}

/// The expression for each [`Permits`] that threads can wait for, and for the others named.
macro_rules! each_semaphore {
    ($name:ident => $make:expr $(; $other:ident)*) => {
        $crate::support::each!($name => $make;
            $crate::support::semaphore::Ours,
            $crate::support::semaphore::Composed<$crate::support::condvar::Std<usize>>,
            $crate::support::semaphore::Composed<$crate::support::condvar::ParkingLot<usize>>,
            $($crate::support::semaphore::$other,)*
        )
    };
}
pub(crate) use each_semaphore;
