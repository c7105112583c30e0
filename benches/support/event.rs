//! A flag to wait for.

use super::condvar::{self, Monitor};
use rsevents::{Awaitable, EventState};

/// A flag to wait for.
pub(crate) trait Signal: Send + Sync + 'static {
    /// Whose it is.
    const NAME: &'static str;
    /// Not set.
    fn new() -> Self;
    /// Sets it, and lets those who wait go on.
    fn set(&self);
    /// Takes it back, where waiting has not done so.
    fn clear(&self);
    /// Waits until it is set.
    fn wait(&self);
}

macro_rules! signal {
    ($name:ident, $type:ty, $label:expr, $new:expr, $clear:expr) => {
        /// A contender.
        pub(crate) struct $name($type);

        impl Signal for $name {
            const NAME: &'static str = $label;

            fn new() -> Self {
                Self($new)
            }

            #[inline]
            fn set(&self) {
                self.0.set();
            }

            #[inline]
            fn clear(&self) {
                $clear(&self.0);
            }

            #[inline]
            fn wait(&self) {
                self.0.wait();
            }
        }
    };
}

signal!(Ours, lockwork::Event, super::OURS, lockwork::Event::new(), lockwork::Event::clear);
signal!(
    Rsevents,
    rsevents::ManualResetEvent,
    "rsevents",
    rsevents::ManualResetEvent::new(EventState::Unset),
    rsevents::ManualResetEvent::reset
);
signal!(OursAuto, lockwork::AutoResetEvent, super::OURS, lockwork::AutoResetEvent::new(), |_| ());
signal!(
    RseventsAuto,
    rsevents::AutoResetEvent,
    "rsevents",
    rsevents::AutoResetEvent::new(EventState::Unset),
    |_| ()
);

/// Made of a mutex and a condition variable.
pub(crate) struct Composed<M>(M);

impl<M: Monitor<bool>> Signal for Composed<M> {
    const NAME: &'static str = M::COMPOSED;

    fn new() -> Self {
        Self(M::new(false))
    }

    fn set(&self) {
        self.0.with(|set| *set = true);
        self.0.notify_all(0);
    }

    fn clear(&self) {
        self.0.with(|set| *set = false);
    }

    fn wait(&self) {
        self.0.wait_then(0, |set| !*set, |_| ());
    }
}

/// Made of a mutex and a condition variable: one thread through for each set.
pub(crate) struct ComposedAuto<M>(M);

impl<M: Monitor<bool>> Signal for ComposedAuto<M> {
    const NAME: &'static str = M::COMPOSED;

    fn new() -> Self {
        Self(M::new(false))
    }

    fn set(&self) {
        self.0.with(|set| *set = true);
        self.0.notify_one(0);
    }

    fn clear(&self) {}

    fn wait(&self) {
        self.0.wait_then(0, |set| !*set, |set| *set = false);
    }
}

/// The expression for each [`Signal`] that stays set.
macro_rules! each_event {
    ($name:ident => $make:expr) => {
        $crate::support::each!($name => $make;
            $crate::support::event::Ours,
            $crate::support::event::Composed<$crate::support::condvar::Std<bool>>,
            $crate::support::event::Composed<$crate::support::condvar::ParkingLot<bool>>,
            $crate::support::event::Rsevents,
        )
    };
}
pub(crate) use each_event;

/// The expression for each [`Signal`] that lets one thread through.
macro_rules! each_auto_event {
    ($name:ident => $make:expr) => {
        $crate::support::each!($name => $make;
            $crate::support::event::OursAuto,
            $crate::support::event::ComposedAuto<$crate::support::condvar::Std<bool>>,
            $crate::support::event::ComposedAuto<$crate::support::condvar::ParkingLot<bool>>,
            $crate::support::event::RseventsAuto,
        )
    };
}
pub(crate) use each_auto_event;
