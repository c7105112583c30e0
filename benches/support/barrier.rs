//! Threads that go on when all of them have come.

use std::sync::{self, Arc};

/// One of the parties to a barrier.
pub(crate) trait Party: Send + 'static {
    /// Whose it is.
    const NAME: &'static str;
    /// A new barrier, as its parties.
    fn all(parties: usize) -> Vec<Self>
    where
        Self: Sized;
    /// Waits for the others.
    fn wait(&mut self);
}

macro_rules! party {
    ($name:ident, $type:ty, $label:expr) => {
        /// A contender.
        pub(crate) struct $name(Arc<$type>);

        impl Party for $name {
            const NAME: &'static str = $label;

            fn all(parties: usize) -> Vec<Self> {
                let barrier = Arc::new(<$type>::new(parties));
                (0..parties).map(|_| Self(Arc::clone(&barrier))).collect()
            }

            #[inline]
            fn wait(&mut self) {
                _ = self.0.wait();
            }
        }
    };
}

party!(Ours, lockwork::Barrier, super::OURS);
party!(Std, sync::Barrier, "std");

/// It never sleeps.
pub(crate) struct Hurdles(hurdles::Barrier);

impl Party for Hurdles {
    const NAME: &'static str = "hurdles";

    fn all(parties: usize) -> Vec<Self> {
        let barrier = hurdles::Barrier::new(parties);
        (0..parties).map(|_| Self(barrier.clone())).collect()
    }

    #[inline]
    fn wait(&mut self) {
        self.0.wait();
    }
}

/// The expression for each [`Party`].
macro_rules! each_barrier {
    ($name:ident => $make:expr) => {
        $crate::support::each!($name => $make;
            $crate::support::barrier::Ours,
            $crate::support::barrier::Std,
            $crate::support::barrier::Hurdles,
        )
    };
}
pub(crate) use each_barrier;
