//! A condition variable in one word: a queue and nothing else.
//!
//! A waiter queues here while it still holds its mutex, then unlocks. A notification takes it out and moves
//! it to the queue of its mutex, whose unlock wakes it when its turn to lock comes: it runs once, not twice.
//! If the mutex is free, the first waiters are woken at once instead.
//!
//! Invariants:
//!
//! 1. A waiter that was taken out here by a notifier returns as notified, one that took itself out as timed
//!    out: which of the two is decided under the queue lock, once. A notification never goes to a waiter that
//!    reports a time-out.
//! 2. A waiter's tag is the address of its mutex, which outlives its wait: it is borrowed by the waiting
//!    call.
//!
//! Ordering: none of its own. What a notifier did before is handed over by the mutex.
//!
//! Promised upward: no spurious returns; first in, first out; a notification is for a thread that waited when
//! it was made, or for none.
//!
//! Limits: a notification waits for the queue lock, spinning and yielding, because it counts. A waiter that
//! was notified competes for the mutex with threads that barge, by the mutex's rules.

use crate::facade::{Deadline, Releasing, const_fn, reached};
use crate::observe::Call;
use crate::raw::mutex::RawMutex;
use crate::wait::{LockedQueue, Place, Queue, SpinWait, Waiter, Word};

#[derive(Debug)]
pub(crate) struct RawCondvar {
    queue: Queue,
}

impl RawCondvar {
    const_fn! {
        pub(crate) fn new() -> Self {
            Self { queue: Queue::new() }
        }
    }

    /// Unlocks `mutex`, which the caller holds, waits for a notification, and locks it again. Returns whether
    /// there was one; otherwise the deadline has passed.
    ///
    /// # Safety
    ///
    /// The caller holds `mutex`.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) unsafe fn wait(&self, mutex: &RawMutex, deadline: &Deadline, relock: Call<'_>) -> bool {
        let waiter = Waiter::new(&self.queue, (&raw const *mutex).cast());
        let publish = |locked: LockedQueue<'_>| {
            locked.unlock();
            // SAFETY: this function's contract.
            unsafe { mutex.unlock() };
        };
        let spin = SpinWait::for_answer();
        let woken = self.queue.lock().wait(waiter, Place::Back, publish, deadline, spin, LockedQueue::unlock);
        match woken {
            Some(woken) => mutex.lock_requeued(woken, relock),
            None => mutex.lock(relock),
        }
        if woken.is_some() {
            reached("condvar waiter notified");
        }
        woken.is_some()
    }

    crate::facade::only! { model:
        pub(crate) fn has_waiters_now(&self) -> bool {
            self.queue.has_waiters_now()
        }
    }

    /// Notifies the first `limit` waiters. Returns how many there were.
    #[inline]
    pub(crate) fn notify(&self, limit: usize) -> usize {
        let word = self.queue.load();
        if word.has_waiters() { self.notify_slow(word, limit) } else { 0 }
    }

    #[cold]
    fn notify_slow(&self, word: Word, limit: usize) -> usize {
        let _releasing = Releasing::begin();
        // Not delegated: how many were notified only the queue says.
        let Ok(mut locked) = self.queue.lock_if_sleepless(word, Word::has_waiters) else {
            return 0;
        };
        let mut notified = 0;
        let mut woken = locked.take_while(|_| {
            let wanted = notified < limit;
            notified += usize::from(wanted);
            wanted
        });
        locked.unlock();
        while let Some(tag) = woken.tag() {
            let same_mutex = woken.take_while(|waiter| waiter.tag() == tag);
            // SAFETY: invariant 2, and its waiters are still to be woken, so the wait is not over. The
            // waiters may return, and the mutex go, as soon as `requeue` has woken the last one or lets go of
            // its queue; it touches nothing afterwards.
            unsafe { &*tag.cast::<RawMutex>() }.requeue(same_mutex);
        }
        notified
    }
}
