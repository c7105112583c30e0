//! [`Latch`].

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::{Duration, Instant};

use crate::facade::{TimeLimit, const_fn};
use crate::observe::{Call, Identity, Kind, Mode};
use crate::raw::latch::RawLatch;

/// A gate that opens, once and for good, when it has been counted down to zero.
///
/// Use it to wait until a known number of things have happened: workers that are ready, jobs that are done. A
/// thread that counts down need not wait, and one thread may count down several times. Where the number is
/// not known beforehand use a [`WaitGroup`](crate::WaitGroup), for rounds a [`Barrier`](crate::Barrier).
///
/// # Examples
///
/// A server whose parts start in threads of their own, and which waits until all of them are up:
///
/// ```
/// use lockwork::Latch;
/// use std::{thread, time::Duration};
///
/// let parts = ["listener", "cache", "janitor"];
/// let ready = Latch::new(parts.len());
/// thread::scope(|s| {
///     for part in parts {
///         let ready = &ready;
///         s.spawn(move || {
///             println!("the {part} is up");
///             ready.count_down();
///         });
///     }
///     if !ready.wait_for(Duration::from_secs(10)) {
///         panic!("{} parts are not up", ready.count());
///     }
/// });
/// ```
///
/// # Blocking
///
/// A wait queues, spins briefly and [parks](crate#how-a-thread-waits). It returns only when the latch is open
/// or its time is up. Counting down never blocks.
///
/// # Fairness
///
/// All waiting threads are released at once, in the order in which they came.
///
/// # Memory ordering
///
/// What a thread did before it counted down happens before the return of every wait that found the latch
/// open, and before whatever follows an [`is_open`](Self::is_open) that did.
///
/// # Differences from `std` and `parking_lot`
///
/// Neither has one. Java's `CountDownLatch` is the same; C++'s `std::latch` leaves undefined what is defined
/// here, counting below zero.
///
/// # Implementation notes
///
/// A count and an event. Counting down to zero is one atomic exchange, before that it is two: the first
/// expects to be the last. `wait` of an open latch is one load.
#[doc(alias = "CountDownLatch")]
/// Code that shares a latch by raw pointer must know [who may free
/// it](crate::guide::limits#who-may-free-a-primitive-by-raw-pointer).
pub struct Latch {
    raw: RawLatch,
    identity: Identity,
}

impl Latch {
    pub(crate) const fn raw(&self) -> &RawLatch {
        &self.raw
    }

    const_fn! {
        /// Makes a latch that is to be counted down `count` times. With 0 it is open from the start.
        #[must_use]
        #[inline]
        pub fn new(count: usize) -> Self {
            Self { raw: RawLatch::new(count), identity: Identity::NONE }
        }
    }

    const_fn! {
        /// Makes one with a name, under which [diagnosis](crate#diagnosis) shows it.
        #[must_use]
        #[inline]
        pub fn named(name: &'static str, count: usize) -> Self {
            Self { raw: RawLatch::new(count), identity: Identity::named(name) }
        }
    }

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn call(&self) -> Call<'_> {
        Call::new(Kind::Latch, Mode::Wait, &self.identity)
    }

    /// Waits on behalf of a call of another object; `limit` is that call's.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn wait_within(&self, limit: TimeLimit<'_>) -> bool {
        self.raw.wait_until(limit)
    }

    /// Takes one off the count. The thread that makes it zero opens the latch. Does nothing to an open one.
    #[inline]
    pub fn count_down(&self) {
        self.raw.count_down(1);
    }

    /// Takes `n` off the count, in one step. A larger `n` counts as the whole rest.
    ///
    /// ```
    /// let latch = lockwork::Latch::new(5);
    /// latch.count_down_by(3);
    /// assert_eq!(latch.count(), 2);
    /// latch.count_down_by(3);
    /// assert!(latch.is_open());
    /// ```
    #[inline]
    pub fn count_down_by(&self, n: usize) {
        self.raw.count_down(n);
    }

    /// Returns how much is left to be counted down.
    #[must_use]
    #[inline]
    pub fn count(&self) -> usize {
        self.raw.count()
    }

    /// Returns whether it is open. Once it is, it stays so.
    #[must_use]
    #[inline]
    pub fn is_open(&self) -> bool {
        self.raw.count() == 0
    }

    /// Blocks until the latch is open.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn wait(&self) {
        self.raw.wait_until(TimeLimit::never(self.call()));
    }

    /// Blocks until the latch is open, for `timeout` at most. Returns whether it is.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let latch = lockwork::Latch::new(1);
    /// assert!(!latch.wait_for(Duration::from_millis(1)));
    /// latch.count_down();
    /// assert!(latch.wait_for(Duration::ZERO));
    /// ```
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn wait_for(&self, timeout: Duration) -> bool {
        self.raw.wait_until(TimeLimit::within(timeout, self.call()))
    }

    /// Blocks until the latch is open, until `deadline` at most. Returns whether it is.
    ///
    /// See [time limits](crate#time-limits).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn wait_until(&self, deadline: Instant) -> bool {
        self.raw.wait_until(TimeLimit::until(deadline, self.call()))
    }

    /// Counts down by one and waits until it is open.
    ///
    /// ```
    /// use lockwork::Latch;
    /// use std::thread;
    ///
    /// let latch = Latch::new(2);
    /// thread::scope(|s| {
    ///     s.spawn(|| latch.arrive_and_wait());
    ///     s.spawn(|| latch.arrive_and_wait());
    /// });
    /// ```
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn arrive_and_wait(&self) {
        self.count_down();
        self.wait();
    }

    /// Adds one to the count, unless it is open.
    pub(crate) fn count_up(&self) {
        self.raw.count_up();
    }
}

impl UnwindSafe for Latch {}
impl RefUnwindSafe for Latch {}

impl fmt::Debug for Latch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Latch").field("count", &self.count()).finish()
    }
}
