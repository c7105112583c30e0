//! [`wait_any`], [`try_any`] and the timed and fair forms: the first of several things that can be done.

mod permits;
mod set;
mod source;

use std::time::{Duration, Instant};

pub use permits::Acquiring;
pub use set::{AnySet, First1, First2, First3, First4, First5, First6, First7, First8};
pub use source::AnySource;

use crate::facade::{Deadline, TimeLimit, draw};
use crate::observe;
use crate::raw::select::{self, Branch, Source, Sources};
use sealed::{Handed, Misuse, SourceSet, Waiting};

/// What stands behind the two traits, which no other crate can implement or call.
pub(crate) mod sealed {
    use super::{Call, Deadline, Source};
    use crate::facade::reached;

    /// Makes a trait one of this crate's own.
    #[allow(unnameable_types, reason = "that is what it is for")]
    pub trait Sealed {}

    /// A source as the waiting core sees it.
    #[allow(unnameable_types, reason = "as above")]
    #[allow(missing_debug_implementations, reason = "nothing outside can have one")]
    pub struct Raw<'a>(pub(crate) &'a dyn Source);

    /// What diagnosis notes of a wait for a source.
    #[allow(unnameable_types, reason = "as above")]
    #[allow(missing_debug_implementations, reason = "as above")]
    pub struct Observed<'a>(pub(crate) crate::observe::Call<'a>);

    /// Whether what is attempted was handed to this thread. Made here alone: the permits of one that says so
    /// are not taken from the semaphore any more.
    ///
    /// ```compile_fail,E0308
    /// use lockwork::{AnySource, Semaphore};
    ///
    /// let semaphore = Semaphore::new(0);
    /// _ = semaphore.acquiring().any_attempt(true);
    /// ```
    #[allow(unnameable_types, reason = "as above")]
    #[derive(Clone, Copy, Debug)]
    pub struct Handed(pub(crate) bool);

    /// What is wrong with a source.
    #[allow(unnameable_types, reason = "as above")]
    #[derive(Debug)]
    pub enum Misuse {
        /// A `Putting` without an item.
        Spent,
        /// A request for more permits than there can ever be.
        OverLimit {
            /// As many.
            n: usize,
            /// What there can be.
            limit: usize,
        },
    }

    /// A call that is about to wait.
    #[allow(unnameable_types, reason = "as above")]
    #[allow(missing_debug_implementations, reason = "as above")]
    pub struct Waiting<'a, S: SourceSet> {
        pub(super) call: &'a mut Call<S>,
        pub(super) start: usize,
        pub(super) deadline: &'a Deadline,
    }

    /// The sources of a set by place: a tuple of them, or a slice.
    #[allow(unnameable_types, reason = "as above")]
    pub trait SourceSet {
        /// What was taken, and where.
        type First;

        /// Whether [`any_help`](Self::any_help) ever does something.
        const ANY_HELPS: bool;

        fn any_len(&self) -> usize;

        fn any_raw(&self, place: usize) -> Raw<'_>;

        /// Returns what diagnosis notes of a wait for the first alone, which there is.
        #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
        fn any_observed(&self) -> Observed<'_>;

        fn any_attempt(&mut self, place: usize, handed: Handed) -> Option<Self::First>;

        fn any_is_ready(&self, place: usize) -> bool;

        /// Returns whether attempting all is worth its cost, for a thread that looks again and again: advice.
        fn any_seems_ready(&self) -> bool;

        /// Attempts all in order, from `start` on.
        #[inline]
        fn any_attempt_all(&mut self, start: usize) -> Option<Self::First> {
            let mut order = (start..self.any_len()).chain(0..start);
            order.find_map(|place| {
                let ready = place == start || self.any_is_ready(place);
                ready.then(|| self.any_attempt_through(start, place))?
            })
        }

        /// Attempts those from `start` to `end`, which seems to be ready. One that comes before it and became
        /// ready before it is found, although it was not when this thread looked there last.
        fn any_attempt_through(&mut self, start: usize, end: usize) -> Option<Self::First> {
            let mut order = (start..self.any_len()).chain(0..start);
            loop {
                let place = order.next()?;
                let first = self.any_attempt(place, Handed(false));
                if first.is_some() || place == end {
                    if first.is_some() && place != end {
                        reached("a later one was ready first");
                    }
                    return first;
                }
            }
        }

        fn any_misuse(&self, place: usize, waits: bool) -> Option<Misuse>;

        fn any_help(&self, place: usize, alone: bool) -> bool;

        /// Waits with as many branches as it needs.
        #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
        fn any_wait(waiting: Waiting<'_, Self>) -> bool
        where
            Self: Sized;
    }
}

/// Blocks until the first of several things can be done, does that one, and none of the others.
///
/// A set is a tuple of up to eight sources, and the result says which one it was: [`First2::Second`] for the
/// second of two. Or it is a slice, an array or a `Vec` of one kind by reference; the result is an index and
/// an output. The sources:
///
/// | source | is ready when | and then | output |
/// |---|---|---|---|
/// | `&`[`Event`](crate::Event), `&`[`Latch`](crate::Latch), `&`[`StopToken`](crate::StopToken) | it is set, open, stopped | stays so | `()` |
/// | `&`[`AutoResetEvent`](crate::AutoResetEvent) | it is set | the signal is consumed | `()` |
/// | [`semaphore.acquiring()`](crate::Semaphore::acquiring), [`acquiring_many(n)`](crate::Semaphore::acquiring_many) | its permits are there | they are acquired | the [`SemaphorePermit`](crate::SemaphorePermit) |
/// | [`buffer.getting()`](crate::BoundedBuffer::getting), of a [`PriorityBuffer`](crate::PriorityBuffer) or [`StackBuffer`](crate::StackBuffer), too | there is an item, or it is closed | the item is taken | as [`get`](crate::BoundedBuffer::get) |
/// | `&mut` [`buffer.putting(item)`](crate::BoundedBuffer::putting), of these, too | there is room, or it is closed | the item is put | as [`put`](crate::BoundedBuffer::put) |
/// | `&`[`Receiver`](crate::channel::Receiver) | there is a message, or no sender | the message is received | as [`recv`](crate::channel::Receiver::recv) |
/// | `&mut` [`sender.sending(message)`](crate::channel::Sender::sending) | there is room, or no receiver | the message is sent | as [`send`](crate::channel::Sender::send) |
#[cfg_attr(
    feature = "threads",
    doc = "| `&`[`Task`](crate::Task), `&`[`Worker`](crate::Worker) | its closure has returned | its result is still there | `()` |"
)]
///
/// Use it where a thread has to react to whichever of several things comes first: work or the order to stop,
/// an answer or a time limit. There are no locks in a set: a lock is not something that becomes ready and
/// stays so.
///
/// # Examples
///
/// A worker that takes jobs until another thread asks it to stop:
///
/// ```
/// use lockwork::{BoundedBuffer, First2, StopSource, wait_any};
/// use std::thread;
///
/// let (jobs, stop) = (BoundedBuffer::new(4), StopSource::new());
/// thread::scope(|s| {
///     let worker = s.spawn(|| {
///         let (token, mut done) = (stop.token(), 0);
///         loop {
///             match wait_any((jobs.getting(), &token)) {
///                 First2::First(Ok(job)) => done += job,
///                 First2::First(Err(_)) => unreachable!("no thread closes it"),
///                 First2::Second(()) => return done,
///             }
///         }
///     });
///     jobs.put(1).unwrap();
///     jobs.put(2).unwrap();
///     stop.stop();
///     // The first that is ready wins, so it takes both before it looks at the token.
///     assert_eq!(worker.join().unwrap(), 3);
/// });
/// ```
///
/// The first of many of one kind:
///
/// ```
/// use lockwork::{Latch, wait_any};
///
/// let latches: Vec<Latch> = (0..4).map(Latch::new).collect();
/// let set: Vec<&Latch> = latches.iter().rev().collect();
/// assert_eq!(wait_any(&set), (3, ()));
/// ```
///
/// # Blocking
///
/// If sources are ready when it is called, it takes the first of them in the order of the set, and does not
/// block. Otherwise the thread queues at all of them, as a thread does that waits for one, and
/// [parks](crate#how-a-thread-waits). The first source that becomes ready is the one, unless the deadline
/// came before; so of two that one thread makes ready in turn the earlier is taken, unless another thread is
/// faster. The others lose nothing: an event stays set; a signal, a permit or an item goes to the next that
/// waits for it, or stays. A tuple does not allocate, nor does a slice of up to eight.
///
/// An [`Event`](crate::Event) that is set and cleared at once ends the wait.
#[cfg_attr(
    feature = "threads",
    doc = "\n\nA thread of a pool that waits here indefinitely for a [`Task`](crate::Task) of that pool which has not begun runs it itself, \
           to its end, if nothing else is in the set, or if too few threads of the pool are free to be sure to come to it: see [`wait_first`](crate::wait_first)."
)]
///
/// # Fairness
///
/// At each source the call queues at the end, as a plain call would, and other threads keep their order.
/// While the call is the first in line for five permits, requests for one do not pass it; when it leaves,
/// they go on at once.
///
/// A call that is woken for an item, or for room, may find that a thread which did not wait was faster. Then
/// it waits on, as the first of that queue and where it was in the others. Permits or a signal that are
/// handed to the call while it tries for the item are kept for it: the call has them if it tries in vain, and
/// gives them back if not. An item or room of another buffer that comes while the call tries goes to the next
/// in that buffer's queue.
///
/// A source that is always ready keeps those after it from ever being taken: put what must not be missed
/// first, or use [`wait_any_fair`].
///
/// # Memory ordering
///
/// That of the source that was taken.
///
/// # Panics
///
/// If the set is an empty slice; if a [`Putting`](crate::Putting) has no item any more, before anything is
/// done; if the call would wait for more permits than a semaphore can ever have; and if the [`Ord`] of the
/// items of a [`PriorityBuffer`](crate::PriorityBuffer) panics. After that panic nothing was taken, and an
/// item to be put is dropped.
///
/// # Differences from `std` and `parking_lot`
///
/// Neither has it. crossbeam's `select!` and Go's `select` are the same for channels and choose at random
/// among those that are ready; [`wait_any_fair`] begins to look at a random one. Windows'
/// `WaitForMultipleObjects` is the same for its own objects.
///
/// # Implementation notes
///
/// A node on the thread's stack for each source, and one word that wakers exchange to claim the thread before
/// they spend anything on it; a signal or permits alone are waited for as by the plain call. The states stand
/// in `src/wait/select.rs`.
#[doc(alias = "select")]
#[doc(alias = "WaitForMultipleObjects")]
#[doc(alias = "wait_first")]
#[track_caller]
#[inline]
pub fn wait_any<S: AnySet>(set: S) -> S::First {
    indefinitely(set.any_sources(), |_| 0, "wait_any")
}

/// Blocks as [`wait_any`] does, beginning at a source that is drawn anew at each call and going on in order
/// from there: no source that is ready is kept waiting by others that always are.
///
/// # Panics
///
/// As [`wait_any`].
///
/// ```
/// use lockwork::{BoundedBuffer, First2, wait_any_fair};
/// use std::thread;
///
/// let (left, right) = (BoundedBuffer::new(4), BoundedBuffer::new(4));
/// thread::scope(|s| {
///     s.spawn(|| left.put_all(0..8).unwrap());
///     s.spawn(|| right.put_all(0..8).unwrap());
///     let mut sum = 0;
///     for _ in 0..16 {
///         let (First2::First(item) | First2::Second(item)) = wait_any_fair((left.getting(), right.getting()));
///         sum += item.unwrap();
///     }
///     assert_eq!(sum, 56);
/// });
/// ```
///
/// Neither of two that are always ready is missed:
///
/// ```
/// use lockwork::{Event, First2, wait_any_fair};
///
/// let (work, stop) = (Event::new(), Event::new());
/// work.set();
/// stop.set();
/// while wait_any_fair((&work, &stop)) == First2::First(()) {}
/// ```
#[track_caller]
#[inline]
pub fn wait_any_fair<S: AnySet>(set: S) -> S::First {
    indefinitely(set.any_sources(), draw, "wait_any_fair")
}

/// Blocks as [`wait_any`] does, for `timeout` at most. Returns `None` if nothing was done in time.
///
/// See [time limits](crate#time-limits).
///
/// What is ready is taken even if the time is over. [`Duration::ZERO`] does not block, [`Duration::MAX`]
/// waits indefinitely. With an empty slice it returns `None` when the time is over.
///
/// # Panics
///
/// If a [`Putting`](crate::Putting) has no item any more; then nothing was done. With [`Duration::MAX`], if
/// it would wait for more permits than its semaphore can ever have.
///
/// ```
/// use lockwork::{Event, First2, wait_any_for};
/// use std::{thread, time::Duration};
///
/// let (answered, failed) = (Event::new(), Event::new());
/// thread::scope(|s| {
///     s.spawn(|| answered.set());
///     let first = wait_any_for((&answered, &failed), Duration::from_secs(10));
///     assert_eq!(first, Some(First2::First(())));
/// });
/// ```
///
/// A limit that passes, and what is ready then:
///
/// ```
/// use lockwork::{Event, Semaphore, wait_any_for};
/// use std::time::Duration;
///
/// let (event, slots) = (Event::new(), Semaphore::new(0));
/// assert!(wait_any_for((&event, slots.acquiring()), Duration::from_millis(1)).is_none());
/// event.set();
/// assert_eq!(wait_any_for((&event, slots.acquiring()), Duration::ZERO).unwrap().index(), 0);
/// ```
#[track_caller]
#[inline]
pub fn wait_any_for<S: AnySet>(set: S, timeout: Duration) -> Option<S::First> {
    timed(set.any_sources(), TimeLimit::within(timeout, observe::Call::none()), "wait_any_for")
}

/// Blocks as [`wait_any`] does, until `deadline` at most. Returns `None` if nothing was done in time.
///
/// See [time limits](crate#time-limits).
///
/// What is ready is taken even if the deadline is in the past. With an empty slice it returns `None` at the
/// deadline.
///
/// # Panics
///
/// If a [`Putting`](crate::Putting) has no item any more; then nothing was done.
#[track_caller]
#[inline]
pub fn wait_any_until<S: AnySet>(set: S, deadline: Instant) -> Option<S::First> {
    timed(set.any_sources(), TimeLimit::until(deadline, observe::Call::none()), "wait_any_until")
}

/// Attempts [`wait_any`], without waiting for a source to become ready. Returns `None` if none is, or if the
/// set is an empty slice.
///
/// A place or an item of a buffer that another thread is just moving may be waited for.
///
/// # Panics
///
/// If a [`Putting`](crate::Putting) has no item any more; then nothing was done.
///
/// ```
/// use lockwork::{BoundedBuffer, First2, try_any};
///
/// let (full, free) = (BoundedBuffer::new(1), BoundedBuffer::new(1));
/// full.put('a').unwrap();
/// let (mut to_full, mut to_free) = (full.putting('b'), free.putting('c'));
/// assert_eq!(try_any((&mut to_full, &mut to_free)), Some(First2::Second(Ok(()))));
/// assert_eq!(to_full.into_item(), Some('b'));
/// assert!(to_free.is_spent());
/// ```
#[doc(alias = "try_select")]
#[track_caller]
#[inline]
pub fn try_any<S: AnySet>(set: S) -> Option<S::First> {
    let mut set = set.any_sources();
    check(&set, false, "try_any");
    set.any_attempt_all(0)
}

/// Waits without a time limit, beginning at the place that `start` gives for the number of sources.
#[track_caller]
#[inline]
fn indefinitely<S: SourceSet>(
    mut set: S,
    start: impl FnOnce(usize) -> usize,
    name: &'static str,
) -> S::First {
    check(&set, false, name);
    let len = set.any_len();
    assert!(len != 0, "{name}: the set is empty");
    let start = start(len);
    // A wait finds what there is as well, and before that leaves the lines alone that other threads need. But
    // it helps, or refuses a misuse, only where there is nothing.
    let misused = |set: &S| (0..len).any(|place| set.any_misuse(place, true).is_some());
    let attempts = S::ANY_HELPS || set.any_seems_ready() || misused(&set);
    if let Some(first) = attempts.then(|| set.any_attempt_all(start)).flatten() {
        return first;
    }
    check(&set, true, name);
    let deadline = TimeLimit::never(observed(&set)).deadline();
    let first = Call { set, first: None }.wait(start, &deadline);
    first.unwrap_or_else(|| unreachable!("an indefinite wait ends when something was done"))
}

/// Waits with a time limit.
#[track_caller]
#[inline]
fn timed<S: SourceSet>(mut set: S, limit: TimeLimit<'_>, name: &'static str) -> Option<S::First> {
    check(&set, false, name);
    // No closure, in which the caller's line would be lost.
    let first = set.any_attempt_all(0);
    if first.is_some() {
        return first;
    }
    check(&set, !limit.is_timed(), name);
    let deadline = limit.of_call(observed(&set)).deadline();
    Call { set, first: None }.wait(0, &deadline)
}

/// Returns what diagnosis notes of a wait for the set: of a single source also which it is.
#[inline]
#[cfg_attr(any(feature = "diagnose", loom), track_caller)]
fn observed<S: SourceSet>(set: &S) -> observe::Call<'_> {
    if set.any_len() == 1 {
        return set.any_observed().0.mode(observe::Mode::Any);
    }
    observe::Call::at(observe::Kind::Several, observe::Mode::Any, std::ptr::null::<()>())
}

/// Panics if something is wrong with a source.
#[track_caller]
#[inline]
fn check<S: SourceSet>(set: &S, waits: bool, name: &'static str) {
    for place in 0..set.any_len() {
        if let Some(misuse) = set.any_misuse(place, waits) {
            misused(name, place, &misuse);
        }
    }
}

/// A call that has to wait: the set, and what was done.
pub(crate) struct Call<S: SourceSet> {
    set: S,
    first: Option<S::First>,
}

impl<S: SourceSet> Call<S> {
    #[cold]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn wait(mut self, start: usize, deadline: &Deadline) -> Option<S::First> {
        if deadline.is_never() {
            // What would be waited for may be this thread's own to do.
            let len = self.set.any_len();
            while (0..len).any(|place| self.set.any_help(place, len == 1)) {
                if let Some(first) = self.set.any_attempt_all(start) {
                    return Some(first);
                }
            }
        }
        S::any_wait(Waiting { call: &mut self, start, deadline });
        self.first
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn misused(name: &str, place: usize, misuse: &Misuse) -> ! {
    panic!("{name}: the source at index {place} of the set cannot be waited for: {misuse}")
}

impl<S: SourceSet> Sources for Call<S> {
    #[inline]
    fn len(&self) -> usize {
        self.set.any_len()
    }

    fn source(&self, place: usize) -> &dyn Source {
        self.set.any_raw(place).0
    }

    #[inline]
    fn attempt(&mut self, place: usize, handed: bool) -> bool {
        self.first = self.set.any_attempt(place, Handed(handed));
        self.first.is_some()
    }

    fn seem_ready(&self) -> bool {
        self.set.any_seems_ready()
    }

    fn attempt_all(&mut self, start: usize) -> bool {
        self.first = self.set.any_attempt_all(start);
        self.first.is_some()
    }
}

impl<S: SourceSet> Waiting<'_, S> {
    /// Waits with a set of so many sources, or fewer.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn on_stack<const N: usize>(self) -> bool {
        self.with(&mut [const { None }; N])
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn of_a_slice(self) -> bool {
        match self.call.set.any_len() {
            0 | 1 => self.on_stack::<1>(),
            2..=8 => self.on_stack::<8>(),
            len => {
                let mut branches: Vec<Option<Branch>> = (0..len).map(|_| None).collect();
                self.with(&mut branches)
            }
        }
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn with(self, branches: &mut [Option<Branch>]) -> bool {
        select::wait_any(self.call, branches, self.start, self.deadline)
    }
}
