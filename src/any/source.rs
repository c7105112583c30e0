//! [`AnySource`], and signals as sources. Buffers, channels, stop tokens and threads are sources where they
//! are declared.

use std::fmt;

use super::sealed::{Handed, Misuse, Observed, Raw, Sealed};
use crate::event::{AutoResetEvent, Event};
use crate::latch::Latch;

/// Something to wait for in a set of [`wait_any`](crate::wait_any): `&event`, `&latch`, `&auto_reset_event`,
/// `&stop_token`, `semaphore.acquiring()`, `buffer.getting()`, `&mut putting`, `&receiver`, `&mut sending`,
/// and with the feature `threads` `&task` and `&worker`. Sealed: it cannot be implemented elsewhere.
pub trait AnySource: Sealed {
    /// What a call returns that has taken this one.
    type Output;

    /// Whether [`any_help`](Self::any_help) ever does something.
    #[doc(hidden)]
    const ANY_HELPS: bool = false;

    #[doc(hidden)]
    fn any_raw(&self) -> Raw<'_>;

    /// Returns what diagnosis notes of a wait for it alone.
    #[doc(hidden)]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn any_observed(&self) -> Observed<'_>;

    /// Returns whether there seems to be something to take. If so, what was done before that came is seen.
    #[doc(hidden)]
    fn any_is_ready(&self) -> bool;

    /// Returns whether an attempt is worth its cost, for a thread that looks again and again: advice.
    #[doc(hidden)]
    fn any_seems_ready(&self) -> bool {
        self.any_is_ready()
    }

    /// Takes what there is. If it was handed to this thread, there is.
    #[doc(hidden)]
    fn any_attempt(&mut self, handed: Handed) -> Option<Self::Output>;

    /// Returns what is wrong with it, for a call that is about to wait or not.
    #[doc(hidden)]
    fn any_misuse(&self, _waits: bool) -> Option<Misuse> {
        None
    }

    /// Lets the calling thread do what it would wait for, before an indefinite wait: for this source `alone`,
    /// or for any of several. Returns whether it did something.
    #[doc(hidden)]
    fn any_help(&self, _alone: bool) -> bool {
        false
    }
}

/// A signal, the call that asks for it, and the one that takes it if it is there.
macro_rules! signals {
    ($($type:ty: $is_ready:ident, $try_take:ident;)+) => { $(
        impl Sealed for &$type {}

        impl AnySource for &$type {
            type Output = ();

            fn any_raw(&self) -> Raw<'_> {
                Raw(self.raw())
            }

            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            fn any_observed(&self) -> Observed<'_> {
                Observed(self.call())
            }

            #[inline]
            fn any_is_ready(&self) -> bool {
                self.raw().$is_ready()
            }

            #[inline]
            fn any_attempt(&mut self, handed: Handed) -> Option<()> {
                (handed.0 || self.raw().$try_take()).then_some(())
            }
        }
    )+ };
}

signals! {
    Event: is_set, is_set;
    Latch: is_open, is_open;
    AutoResetEvent: is_set, try_wait;
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spent => {
                f.write_str("its item has been put, or has been given back, so there is none to put")
            }
            Self::OverLimit { n, limit } => {
                write!(f, "it wants {n} permits, and there are never more than {limit}")
            }
        }
    }
}
