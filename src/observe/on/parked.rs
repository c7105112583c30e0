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

#[cfg(test)]
mod tests {
    use super::super::{Call, Identity, threads};
    use super::{Parked, Subject};
    use crate::facade::{Deadline, this_thread};
    use crate::observe::{Kind, Mode};
    use std::time::Duration;

    /// Returns whether the calling thread is shown with an end, if it is shown, while it sleeps so.
    fn shown(deadline: &Deadline) -> Option<bool> {
        let mut parked = Parked::NONE;
        assert_eq!(parked.begin(deadline), deadline.subject().0.is_some());
        let own = threads().into_iter().find(|thread| thread.number == this_thread().get());
        own.and_then(|thread| thread.wait).map(|wait| wait.until.is_some())
    }

    /// A waiter that was taken out of its queue as its time passed, and that no thread has woken yet: another
    /// may have the lock by then, and wait for what this one holds, which is no deadlock.
    #[test]
    fn answer_that_is_under_way_is_no_wait_for_a_holder() {
        let identity = Identity::NONE;
        for (kind, mode, after) in [
            (Kind::Mutex, Mode::Lock, None),
            (Kind::RwLock, Mode::Read, None),
            (Kind::RwLock, Mode::Upgrade, None),
            (Kind::ReentrantMutex, Mode::Lock, None),
            (Kind::OnceLock, Mode::Init, None),
            (Kind::Task, Mode::Join, None),
            (Kind::Condvar, Mode::Wait, Some(false)),
            (Kind::Barrier, Mode::Wait, Some(false)),
        ] {
            let call = Call::new(kind, mode, &identity);
            let deadline = Deadline::after(Duration::from_secs(60)).of_call(&call);
            assert_eq!(shown(&deadline), Some(true), "{kind:?}");
            assert_eq!(shown(&deadline.without_end()), after, "{kind:?}");
        }
        assert!(Subject::NONE.of_answer().0.is_none());
    }
}
