//! Two events, each in one word: a queue and the bit SET.
//!
//! | SET | waiters | meaning |
//! |---|---|---|
//! | 0 | none | not set |
//! | 0 | some | not set, waited for |
//! | 1 | none | set: a wait returns at once |
//!
//! Invariants:
//!
//! 1. No thread is queued while SET is set and the queue is not locked: a thread queues only if SET was clear
//!    when it took the queue lock.
//! 2. `set` takes out those it releases in the same section under the queue lock in which it sets SET, so a
//!    `clear` that follows at once cannot keep them. If another thread has the queue lock, `set` sets SET at
//!    once and delegates: that thread takes out all there are, itself included if it is about to queue,
//!    before it gives the queue lock back, whether SET is still set or not.
//! 3. The event that resets itself does not delegate. A signal is for one thread, which only the queue can
//!    tell; and two signals that were left with one holder of the queue lock would be one.
//!
//! Ordering: `set` is Release; a wait that returns, and a `clear` that takes the bit back, have read or
//! received that with Acquire. A `set` that finds SET set exchanges the word all the same. So a wait that
//! follows sees what came before that `set`, too. A `clear` either precedes the exchange, and then the event
//! is set again; or it follows, and then it sees the same as that wait.
//!
//! Promised upward: a wait on an event that is set is one load, and on one that resets itself one exchange;
//! `set` releases all that wait, or the first; no spurious returns, and no signal lost.
//!
//! Limits: signals of the event that resets itself do not add up. Its `set` waits for the queue lock,
//! spinning and yielding.

use std::ptr;

use crate::facade::atomic::Ordering::{Acquire, Release};
use crate::facade::{Deadline, Releasing, TimeLimit, const_fn, load_or_expected, reached};
use crate::wait::select::{Enqueued, Node, Select, Source};
use crate::wait::{LockedQueue, Place, Queue, SpinWait, Waiter, WakeList, Wakeup, Word};

const SET: usize = Word::bit(0);

/// Stays set until it is cleared.
#[derive(Debug)]
pub(crate) struct RawEvent {
    queue: Queue,
}

impl RawEvent {
    const_fn! {
        pub(crate) fn new() -> Self {
            Self { queue: Queue::new() }
        }
    }

    #[inline]
    pub(crate) fn is_set(&self) -> bool {
        // Acquire (event.set): in `load_acquire`.
        self.queue.load_acquire().has(SET)
    }

    crate::facade::only! { model:
        pub(crate) fn has_waiters_now(&self) -> bool {
            self.queue.has_waiters_now()
        }
    }

    #[inline]
    pub(crate) fn set(&self) {
        set_at_once(&self.queue).unwrap_or_else(|word| self.set_slow(word));
    }

    #[cold]
    fn set_slow(&self, mut word: Word) {
        let _releasing = Releasing::begin();
        loop {
            let done = if word.is_queue_locked() {
                // Release (event.set): what the setter did, in the exchange that delegates.
                self.queue.try_delegate(word, word.with(SET))
            } else if word.has_waiters() {
                self.queue.try_lock(word).map(|locked| {
                    release_all(locked, SET);
                })
            } else {
                // Release (event.set): what the setter did.
                // proof: event.set
                self.queue.try_change(word, word.with(SET), Release)
            };
            match done {
                Ok(()) => return,
                Err(actual) => word = actual,
            }
        }
    }

    #[inline]
    pub(crate) fn clear(&self) {
        // A load_or_expected, put right by the first exchange: it mostly is set, and a load would fetch the
        // line once more.
        let mut word = Word::of(SET);
        while word.has(SET) {
            // Acquire (event.set): what all setters did whose signals this takes back. A thread that clears
            // and then looks misses nothing.
            // proof: event.clear
            match self.queue.try_change(word, word.without(SET), Acquire) {
                Ok(()) => return,
                Err(actual) => word = actual,
            }
        }
    }

    /// Waits until it is set, within the limit.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn wait_until(&self, limit: TimeLimit<'_>) -> bool {
        self.is_set() || self.wait_slow(&limit.deadline())
    }

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn wait_slow(&self, deadline: &Deadline) -> bool {
        wait_slow(&self.queue, deadline, || self.is_set(), |locked| release_all(locked, 0))
    }
}

/// Lets one thread through for each time it is set.
#[derive(Debug)]
pub(crate) struct RawAutoResetEvent {
    queue: Queue,
}

impl RawAutoResetEvent {
    const_fn! {
        pub(crate) fn new() -> Self {
            Self { queue: Queue::new() }
        }
    }

    pub(crate) fn is_set(&self) -> bool {
        self.queue.load_acquire().has(SET)
    }

    #[inline]
    pub(crate) fn set(&self) {
        set_at_once(&self.queue).unwrap_or_else(|word| self.set_slow(word));
    }

    #[cold]
    fn set_slow(&self, word: Word) {
        let _releasing = Releasing::begin();
        if let Some(mut locked) = set_unless_waited_for(&self.queue, word) {
            let mut woken = WakeList::NONE;
            let kept = if locked.hand_to_first(&mut woken, |_| true).is_none() { SET } else { 0 };
            locked.unlock_as(|word, _| word.with(kept));
            woken.wake_all(Wakeup::HANDOFF);
        }
    }

    #[inline]
    pub(crate) fn try_wait(&self) -> bool {
        self.take(self.queue.load())
    }

    /// Takes the signal if there is one. `word` is what the caller last saw, or expects: the exchange finds
    /// out.
    #[inline]
    fn take(&self, mut word: Word) -> bool {
        while word.has(SET) {
            // Acquire (event.set): what the setter did.
            // proof: event.take
            match self.queue.try_change(word, word.without(SET), Acquire) {
                Ok(()) => return true,
                Err(actual) => word = actual,
            }
        }
        false
    }

    /// Waits for its turn, within the limit.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn wait_until(&self, limit: TimeLimit<'_>) -> bool {
        self.take(Word::of(SET)) || self.wait_slow(&limit.deadline())
    }

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn wait_slow(&self, deadline: &Deadline) -> bool {
        wait_slow(&self.queue, deadline, || self.take(Word::of(SET)), |locked| locked.unlock())
    }
}

impl Source for RawEvent {
    fn node(&self, select: &Select) -> Waiter {
        select.node(&self.queue, ptr::null())
    }

    fn enqueue(&self, node: Node<'_>, place: Place) -> Enqueued {
        enqueue(&self.queue, node, place, |locked| release_all(locked, 0))
    }

    fn leave(&self, node: Node<'_>) {
        self.queue.leave(node, |locked| release_all(locked, 0));
    }

    fn wait_alone(&self, deadline: &Deadline) -> Option<bool> {
        Some(self.wait_slow(deadline))
    }
}

impl Source for RawAutoResetEvent {
    fn node(&self, select: &Select) -> Waiter {
        select.node(&self.queue, ptr::null())
    }

    fn enqueue(&self, node: Node<'_>, place: Place) -> Enqueued {
        enqueue(&self.queue, node, place, |locked| locked.unlock())
    }

    fn leave(&self, node: Node<'_>) {
        self.queue.leave(node, |locked| locked.unlock());
    }

    fn give_back(&self) {
        self.set();
    }

    fn wait_alone(&self, deadline: &Deadline) -> Option<bool> {
        Some(self.wait_slow(deadline))
    }
}

/// Queues a selecting thread while SET is clear.
fn enqueue(queue: &Queue, node: Node<'_>, place: Place, end: impl Fn(LockedQueue<'_>)) -> Enqueued {
    let Ok(mut locked) = queue.lock_if(Word::EMPTY, |word| !word.has(SET)) else {
        return Enqueued::Ready;
    };
    let first = locked.put(node, place);
    end(locked);
    Enqueued::Queued { first }
}

/// Sets SET if no thread waits and no thread has the queue lock, else returns what the word was.
///
/// It may be set already, so this looks before it exchanges: where it is, an expected value costs a second
/// exchange.
#[inline]
fn set_at_once(queue: &Queue) -> Result<(), Word> {
    let word = load_or_expected(|| queue.load(), Word::EMPTY);
    if word.without(SET) != Word::EMPTY {
        return Err(word);
    }
    // Release (event.set): what the setter did. Also where SET is set: a load would hand over nothing to a
    // thread that clears it next, and may come before what the setter did.
    // proof: event.set_at_once
    queue.try_change(word, Word::of(SET), Release)
}

/// Sets SET if no thread waits; else returns the queue lock, for the caller to decide which threads to
/// release.
fn set_unless_waited_for(queue: &Queue, mut word: Word) -> Option<LockedQueue<'_>> {
    loop {
        // The holder of the queue lock may be about to queue: whether it is to be released must be known
        // (invariant 1).
        match queue.lock_if_sleepless(word, |word| word.has_waiters() || word.is_queue_locked()) {
            Ok(locked) => return Some(locked),
            Err(actual) => word = actual,
        }
        // Release (event.set): what the setter did.
        // proof: event.set_unless_waited_for
        match queue.try_change(word, word.with(SET), Release) {
            Ok(()) => return None,
            Err(actual) => word = actual,
        }
    }
}

/// Ends a section under the queue lock with these bits set. Takes out and wakes all waiters if one is SET, or
/// if a `set` was delegated.
fn release_all(locked: LockedQueue<'_>, bits: usize) {
    let mut woken = WakeList::NONE;
    locked.unlock_as(|word, locked| {
        if bits != 0 || word.is_recheck() {
            while locked.hand_to_first(&mut woken, |_| true).is_some() {}
        }
        word.with(bits)
    });
    if woken.tag().is_some() && bits == 0 {
        reached("event set by delegation releases a waiter");
    }
    woken.wake_all(Wakeup::HANDOFF);
}

/// Queues while SET is clear, and returns whether the thread was released before the deadline. Where SET was
/// set in between, `found` does what a wait does then, and says whether it was in time. `end` ends a section
/// under the queue lock.
#[cold]
#[cfg_attr(any(feature = "diagnose", loom), track_caller)]
fn wait_slow(
    queue: &Queue,
    deadline: &Deadline,
    found: impl Fn() -> bool,
    end: impl Fn(LockedQueue<'_>),
) -> bool {
    while !deadline.has_passed() {
        let waiter = Waiter::new(queue, ptr::null());
        if let Ok(locked) = queue.lock_if(Word::EMPTY, |word| !word.has(SET)) {
            let spin = SpinWait::for_answer();
            return locked.wait(waiter, Place::Back, &end, deadline, spin, &end).is_some();
        }
        if found() {
            return true;
        }
    }
    // It may have been set before the deadline, while this thread had no processor.
    found()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{RawAutoResetEvent, RawEvent};
    use crate::facade::TimeLimit;
    use crate::observe::Call;

    /// What was set between a wait's first look and its deadline is found, however late the wait looks.
    #[test]
    fn set_before_the_deadline_is_found_after_it() {
        let passed = TimeLimit::within(Duration::ZERO, Call::none()).deadline();
        let (event, signal) = (RawEvent::new(), RawAutoResetEvent::new());
        assert!(!event.wait_slow(&passed) && !signal.wait_slow(&passed));
        event.set();
        signal.set();
        assert!(event.wait_slow(&passed) && signal.wait_slow(&passed));
        assert!(event.is_set() && !signal.is_set());
    }
}
