//! [`Barrier`], its result and its error.

use std::error::Error;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::{Duration, Instant};

use crate::facade::{TimeLimit, const_fn};
use crate::observe::{Call, Identity, Kind, Mode};
use crate::raw::barrier::{Broken, Completed, RawBarrier};

/// A place where a given number of threads meet, round after round: no thread goes on before all have
/// arrived.
///
/// Use it where threads work in phases and each phase needs what all did in the one before. To wait for
/// threads that themselves do not wait use a [`Latch`](crate::Latch) or a [`WaitGroup`](crate::WaitGroup).
///
/// # Examples
///
/// ```
/// use lockwork::Barrier;
/// use std::thread;
///
/// let barrier = Barrier::new(3);
/// thread::scope(|s| {
///     for _ in 0..3 {
///         s.spawn(|| {
///             let result = barrier.wait();
///             if result.is_leader() {
///                 println!("all three are here");
///             }
///         });
///     }
/// });
/// ```
///
/// Workers that compute in steps. The action closes a step while all threads stand still, and a worker that
/// fails lets the others know instead of leaving them to wait indefinitely:
///
/// ```
/// use lockwork::Barrier;
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use std::thread;
///
/// let steps = Arc::new(AtomicUsize::new(0));
/// let counted = Arc::clone(&steps);
/// let barrier = Barrier::with_action(2, move || {
///     counted.fetch_add(1, Ordering::Relaxed);
/// });
///
/// thread::scope(|s| {
///     s.spawn(|| {
///         for _ in 0..10 {
///             if barrier.wait_result().is_err() {
///                 return "stopped";
///             }
///         }
///         "done"
///     });
///     s.spawn(|| {
///         for step in 0..10 {
///             if step == 5 {
///                 // Cannot go on.
///                 barrier.abort();
///                 return "failed";
///             }
///             let _ = barrier.wait_result();
///         }
///         "done"
///     });
/// });
/// assert!(barrier.is_broken());
/// assert_eq!(steps.load(Ordering::Relaxed), 5);
/// ```
///
/// # Rounds that break
///
/// A round ends in one of two ways, for all its members alike: it is released when the last has arrived (and
/// the action is done), or it breaks. What breaks a round that is not released yet:
///
/// | what | the other members | afterwards |
/// |---|---|---|
/// | the deadline of a [`wait_for`](Self::wait_for) or [`wait_until`](Self::wait_until) passes before all have arrived | [`BrokenBarrier`], like the one that was late | a new round begins |
/// | the action panics | [`BrokenBarrier`]; the panic goes on in the thread that ran the action | a new round begins |
/// | [`reset`](Self::reset) | [`BrokenBarrier`] | a new round begins |
/// | [`abort`](Self::abort) | [`BrokenBarrier`] | every wait fails until [`reset`](Self::reset) |
///
/// A round is *complete* when the last thread has arrived, also while the action still runs. No deadline
/// breaks a complete round: a timed wait that has become part of one returns when the action is done, late by
/// the length of the action at most, and succeeds unless the action panics or another thread calls `abort` or
/// `reset` meanwhile.
///
/// Each round has a state of its own: a thread that was released gets its [`BarrierWaitResult`], whatever
/// happens to the barrier before it returns. A thread that comes while an action runs, or before all threads
/// have left a broken round, waits to enter, for as long as its deadline allows. If it gives up it has not
/// arrived, and breaks nothing.
///
/// # Blocking
///
/// A thread that is not the last to arrive spins briefly if that has been of use lately, then yields its
/// processor for a while, and then [parks](crate#how-a-thread-waits). The last to arrive does not block.
///
/// # Fairness
///
/// With more threads than [`parties`](Self::parties), the first to arrive make up a round. Those that wait to
/// enter are let in together and then arrive in any order.
///
/// # Memory ordering
///
/// What each member of a round did before it arrived happens before the action, and the action before any
/// member is released. What a thread did before an [`abort`](Self::abort) or a [`reset`](Self::reset), or
/// before one of its waits that timed out, happens before the return of a wait that it broke.
///
/// # Reentrancy and deadlock
///
/// The action runs without any lock of the barrier. It may look at it, and may break its own round by `abort`
/// or `reset`: the others get [`BrokenBarrier`] at once, and the thread that runs the action gets it at the
/// action's end. A wait on the same barrier in its action waits to enter for as long as the action runs:
/// indefinitely, unless it is timed.
///
/// # Panics
///
/// [`wait`](Self::wait) panics if the round breaks; the other forms return it. Any wait goes on with the
/// panic of the action that it runs, and panics if 8,388,608 threads are in the round already.
///
/// # Differences from `std` and `parking_lot`
///
/// From [`std::sync::Barrier`]: time-outs, `abort` and `reset`, the action, and the index. As long as no
/// thread uses these, all is as there, `wait` included. `parking_lot` has no barrier. Python's
/// `threading.Barrier` has the same additions; there a time-out breaks the barrier until it is reset, and
/// `abort` can reach threads that were released.
///
/// # Implementation notes
///
/// One word with the number of the round and the count of those who have arrived, and a queue of waiters on
/// their stacks. Arriving is one atomic addition, after which the last to arrive releases those that still
/// spin by an exchange, or another thread that comes first does so for it.
/// Code that shares a barrier by raw pointer must know [who may free
/// it](crate::guide::limits#who-may-free-a-primitive-by-raw-pointer).
#[doc(alias = "CyclicBarrier")]
pub struct Barrier {
    raw: RawBarrier,
    identity: Identity,
}

impl Barrier {
    const_fn! {
        /// Makes a barrier for `parties` threads. 0 counts as 1, as in `std`.
        ///
        /// ```
        /// use lockwork::Barrier;
        ///
        /// static START: Barrier = Barrier::new(1);
        /// assert!(START.wait().is_leader());
        /// ```
        #[must_use]
        #[inline]
        pub fn new(parties: usize) -> Self {
            Self { raw: RawBarrier::new(parties), identity: Identity::NONE }
        }
    }

    const_fn! {
        /// Makes a barrier with a name, under which [diagnosis](crate#diagnosis) shows it.
        #[must_use]
        #[inline]
        pub fn named(name: &'static str, parties: usize) -> Self {
            Self { raw: RawBarrier::new(parties), identity: Identity::named(name) }
        }
    }

    /// Makes a barrier for `parties` threads that runs `action` once in each round: in the thread that
    /// arrives last, before any is released.
    ///
    /// ```
    /// use lockwork::Barrier;
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// let rounds = Arc::new(AtomicUsize::new(0));
    /// let counted = Arc::clone(&rounds);
    /// let barrier = Barrier::with_action(1, move || {
    ///     counted.fetch_add(1, Ordering::Relaxed);
    /// });
    /// barrier.wait();
    /// barrier.wait();
    /// assert_eq!(rounds.load(Ordering::Relaxed), 2);
    /// ```
    #[must_use]
    pub fn with_action<F>(parties: usize, action: F) -> Self
    where
        F: Fn() + Send + Sync + 'static,
    {
        Self { raw: RawBarrier::with_action(parties, Box::new(action)), identity: Identity::NONE }
    }

    /// Returns how many threads make up a round.
    #[must_use]
    #[inline]
    pub fn parties(&self) -> usize {
        self.raw.parties()
    }

    /// Returns how many threads have arrived in the present round: 0 if it is broken.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.raw.waiting()
    }

    /// Returns whether the barrier was aborted and not reset since. If so, a wait that begins now fails at
    /// once.
    ///
    /// A time-out breaks one round and does not show here.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.raw.is_aborted()
    }

    /// Blocks until all have arrived.
    ///
    /// # Panics
    ///
    /// If the round breaks (see [above](Self#rounds-that-break)) or the barrier is broken: never, if no
    /// thread calls `abort`, `reset` or a timed wait on it, and its action does not panic. With the panic of
    /// the action, if this thread runs it. If [more threads](Self#panics) come than the barrier counts.
    #[inline]
    #[track_caller]
    pub fn wait(&self) -> BarrierWaitResult {
        match self.wait_deadline(TimeLimit::never(self.call()), "wait") {
            Ok(result) => result,
            Err(BrokenBarrier) => panic!("Barrier::wait: the barrier is broken"),
        }
    }

    /// Blocks until all have arrived, or says that the round has broken.
    ///
    /// # Errors
    ///
    /// [`BrokenBarrier`] if the round breaks (see [above](Self#rounds-that-break)) or the barrier is broken.
    ///
    /// # Panics
    ///
    /// With the panic of the action, if this thread runs it. If [more threads](Self#panics) come than the
    /// barrier counts.
    ///
    /// ```
    /// let barrier = lockwork::Barrier::new(2);
    /// barrier.abort();
    /// assert!(barrier.wait_result().is_err());
    /// barrier.reset();
    /// assert!(!barrier.is_broken());
    /// ```
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn wait_result(&self) -> Result<BarrierWaitResult, BrokenBarrier> {
        self.wait_deadline(TimeLimit::never(self.call()), "wait_result")
    }

    /// Blocks until all have arrived, for `timeout` at most. If the time is up before that, the round breaks.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// [`Duration::ZERO`] succeeds for the last to arrive and breaks the round otherwise, [`Duration::MAX`]
    /// waits indefinitely. Once all have arrived the time limit has no effect: the wait returns when the
    /// action is done, so it may be late by the length of the action.
    ///
    /// # Errors
    ///
    /// [`BrokenBarrier`] if the time is up before all have arrived, if the round breaks in another way (see
    /// [above](Self#rounds-that-break)), or if the barrier is broken.
    ///
    /// # Panics
    ///
    /// With the panic of the action, if this thread runs it. If [more threads](Self#panics) come than the
    /// barrier counts.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let barrier = lockwork::Barrier::new(2);
    /// assert!(barrier.wait_for(Duration::from_millis(1)).is_err());
    /// assert_eq!(barrier.waiting(), 0);
    /// ```
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn wait_for(&self, timeout: Duration) -> Result<BarrierWaitResult, BrokenBarrier> {
        self.wait_deadline(TimeLimit::within(timeout, self.call()), "wait_for")
    }

    /// Blocks until all have arrived, until `deadline` at most. See [`wait_for`](Self::wait_for).
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Errors
    ///
    /// As [`wait_for`](Self::wait_for).
    ///
    /// # Panics
    ///
    /// With the panic of the action, if this thread runs it. If [more threads](Self#panics) come than the
    /// barrier counts.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn wait_until(&self, deadline: Instant) -> Result<BarrierWaitResult, BrokenBarrier> {
        self.wait_deadline(TimeLimit::until(deadline, self.call()), "wait_until")
    }

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn call(&self) -> Call<'_> {
        Call::new(Kind::Barrier, Mode::Wait, &self.identity).count(self.raw.parties())
    }

    #[inline]
    #[track_caller]
    fn wait_deadline(
        &self,
        limit: TimeLimit<'_>,
        call: &'static str,
    ) -> Result<BarrierWaitResult, BrokenBarrier> {
        match self.raw.wait(limit, call) {
            Ok(Completed { index, last }) => Ok(BarrierWaitResult { is_leader: last, index }),
            Err(Broken) => Err(BrokenBarrier),
        }
    }

    /// Breaks the barrier: all threads that wait get [`BrokenBarrier`], and so do those that come, until it
    /// is [`reset`](Self::reset). Does not touch threads that were released already.
    ///
    /// ```
    /// use lockwork::Barrier;
    /// use std::thread;
    ///
    /// let barrier = Barrier::new(2);
    /// thread::scope(|s| {
    ///     let waiter = s.spawn(|| barrier.wait_result());
    ///     barrier.abort();
    ///     assert!(waiter.join().unwrap().is_err());
    /// });
    /// ```
    pub fn abort(&self) {
        self.raw.abort();
    }

    /// Makes the barrier as good as new: all threads that wait get [`BrokenBarrier`], and the next to come
    /// begins a new round. That is not before all threads that were inside have left: until then a thread
    /// that comes waits to enter, and one that does not want to wait gets [`BrokenBarrier`]. Does nothing if
    /// no thread is inside and the barrier is not broken.
    pub fn reset(&self) {
        self.raw.reset();
    }
}

impl UnwindSafe for Barrier {}
impl RefUnwindSafe for Barrier {}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("parties", &self.parties())
            .field("waiting", &self.waiting())
            .field("is_broken", &self.is_broken())
            .finish_non_exhaustive()
    }
}

/// What a thread learns when its round is released.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BarrierWaitResult {
    is_leader: bool,
    index: usize,
}

impl BarrierWaitResult {
    /// Returns whether this thread was the last to arrive: `true` for exactly one in each round.
    #[must_use]
    pub const fn is_leader(&self) -> bool {
        self.is_leader
    }

    /// Returns the place in the order of arrival: 0 for the first thread of the round, `parties - 1` for the
    /// last.
    #[must_use]
    pub const fn index(&self) -> usize {
        self.index
    }
}

impl fmt::Debug for BarrierWaitResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BarrierWaitResult")
            .field("is_leader", &self.is_leader())
            .field("index", &self.index())
            .finish()
    }
}

/// The round was broken: by a time-out, a panic, [`reset`](Barrier::reset) or [`abort`](Barrier::abort).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenBarrier;

impl fmt::Display for BrokenBarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the barrier is broken")
    }
}

impl Error for BrokenBarrier {}
