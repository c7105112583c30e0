//! What a thread that sleeps has published: [`Parked`]; and since when its call has waited: [`Waited`].

use std::cell::Cell;
use std::time::Instant;

use super::call::Subject;
use super::slots::{Contended, Slot, with_local};
use crate::facade::{Deadline, nanos, nanos_of};

/// Since when a call has waited, which may sleep several times: it was woken in vain, or looks by itself now
/// and then. And when it gives up, where that is not the end of the sleep.
#[derive(Clone, Debug)]
pub(crate) struct Waited {
    /// In nanoseconds of [`nanos`]; 0: it has not. `None` where there is no call yet.
    since: Option<Cell<u64>>,
    /// `None`: at the end of the sleep.
    until: Option<Option<Instant>>,
}

impl Waited {
    pub(crate) const NOT_YET: Self = Self { since: None, until: None };

    /// Returns the same for a call.
    #[inline]
    pub(crate) fn of_call(self) -> Self {
        Self { since: self.since.or(Some(Cell::new(0))), ..self }
    }

    /// Begins, if it has not, and returns when it began.
    pub(crate) fn begin(&self) -> u64 {
        let Some(since) = &self.since else { return nanos() };
        if since.get() == 0 {
            since.set(nanos());
        }
        since.get()
    }

    /// Returns the same for a sleep that may end before the call gives up at `at`.
    pub(crate) fn until(self, at: Option<Instant>) -> Self {
        Self { until: self.until.or(Some(at)), ..self }
    }

    /// Returns when the call gives up whose sleep ends at `at`.
    pub(crate) fn ends(&self, at: Option<Instant>) -> Option<Instant> {
        self.until.unwrap_or(at)
    }
}

/// What a thread that sleeps has published.
#[must_use]
pub(crate) struct Parked(Option<&'static Slot>);

impl Parked {
    pub(crate) const NONE: Self = Self(None);

    /// Publishes what the calling thread is about to sleep for, unless it has already. Returns whether it
    /// did: that may have allocated, run the system's code and slept there.
    #[inline]
    pub(crate) fn begin(&mut self, deadline: &Deadline) -> bool {
        if self.0.is_some() {
            return false;
        }
        self.publish(deadline.subject(), deadline);
        self.0.is_some()
    }

    #[cold]
    fn publish(&mut self, subject: Subject, deadline: &Deadline) {
        let Some(called) = subject.0 else { return };
        with_local(|local| {
            if local.inside.get() {
                return;
            }
            let Some(slot) = local.slot().filter(|slot| slot.wait.is_empty()) else { return };
            local.contended.set(Contended { parked: true, ..local.contended.get() });
            let since = deadline.waited().begin();
            let until = deadline.call_ends().map_or(0, nanos_of);
            let [a, b, c, d, e] = called.to_words();
            slot.wait.publish(local.next_number(), [a, b, c, d, e, since, until]);
            self.0 = Some(slot);
        });
    }
}

impl Drop for Parked {
    #[inline]
    fn drop(&mut self) {
        if let Some(slot) = self.0 {
            slot.wait.clear();
        }
    }
}
