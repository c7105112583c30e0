//! What a thread that sleeps has published: [`Parked`].

use super::call::Subject;
use super::slots::{Contended, Slot, with_local};
use crate::facade::{Deadline, nanos, nanos_of};

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
            let now = nanos();
            let until = deadline.instant().map_or(0, nanos_of);
            let [a, b, c, d, e] = called.to_words();
            slot.wait.publish(local.next_number(), [a, b, c, d, e, now, until]);
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
