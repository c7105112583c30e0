//! [`Settings`] of a session.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use super::report::Report;
use crate::facade::print_error;

/// What to do about an acquisition against an order that was seen before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// The order is not watched.
    #[default]
    Off,
    /// It is reported, once for each pair of locks and each way to lock them; not if a time-out would end the
    /// deadlock that may come of it.
    Report,
    /// It is reported, also if a time-out would end the deadlock.
    ReportTimed,
    /// The thread panics with the report, before it waits: for tests. In a thread that panics already it is
    /// only reported.
    Panic,
}

/// What to do about a thread that locks a lock which it holds itself.
///
/// Not of a call with a time-out, which ends by itself; nor of a [`read`](crate::RwLock::read) of what the
/// thread reads already: that waits for itself only behind a writer that waits, and is reported as a deadlock
/// then ([`Report::Deadlock`]), whatever this says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Relock {
    /// It is reported at once.
    #[default]
    Report,
    /// The thread panics with the report instead of waiting for itself. The process aborts if that is in a
    /// destructor during another panic, or when [`unlocked`](crate::MutexGuard::unlocked) locks again.
    Panic,
}

/// What is done with reports: a function or a closure.
pub type Sink = Box<dyn Fn(&Report) + Send + Sync>;

/// What a session of diagnosis looks for, and what becomes of its reports.
///
/// ```
/// use lockwork::diagnose::{self, Order, Settings};
/// use std::time::Duration;
///
/// let session = diagnose::start(Settings {
///     stall_after: Some(Duration::from_secs(5)),
///     order: Order::Report,
///     sink: Box::new(|report| eprintln!("{report}")),
///     ..Settings::default()
/// });
/// drop(session);
/// ```
pub struct Settings {
    /// How long a wait lasts until it is reported; and then at twice that age, and so on. `None`: never.
    pub stall_after: Option<Duration>,
    /// What to do about the order of acquisitions.
    pub order: Order,
    /// What to do about a thread that waits for itself.
    pub relock: Relock,
    /// Of how many contended waits one is measured for the [profile](super::profile()). `None`: none is.
    pub profile: Option<NonZeroU32>,
    /// What is done with a report. It runs in the session's own thread, or, for an inversion and a lock that
    /// a thread waits for itself, in the thread concerned, with all that it holds. It may use this crate, and
    /// what it does is not watched; but a sink that locks what the program locks may wait without end for the
    /// very thread that it reports. One that only sends, writes or counts does not.
    pub sink: Sink,
}

impl Default for Settings {
    /// Waits of ten seconds and more, deadlocks and locks that a thread waits for itself are reported to the
    /// standard error stream; on Unix past the lock that `eprintln!` takes, which a thread that hangs may
    /// have.
    fn default() -> Self {
        Self {
            stall_after: Some(Duration::from_secs(10)),
            order: Order::Off,
            relock: Relock::Report,
            profile: None,
            sink: Box::new(|report| print_error(report)),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("stall_after", &self.stall_after)
            .field("order", &self.order)
            .field("relock", &self.relock)
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}
