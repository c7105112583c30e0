//! [`Semaphore`] and its permits.

mod permit;

use std::error::Error;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use self::permit::{ArcSemaphorePermit, SemaphorePermit};
use crate::facade::{TimeLimit, const_fn};
use crate::observe::{Call, Held, Identity, Kind, Mode as How};
use crate::raw::semaphore::{MAX_PERMITS, RawSemaphore};

/// A number of permits: a thread takes some of them to do something, and waits while there are too few.
///
/// Use it to limit how many threads do something at a time, how many requests are under way, or how much of
/// something divisible is in use. It guards no value: for one thread at a time use a [`Mutex`](crate::Mutex).
/// To hand over items, not just the right to one, use a [`BoundedBuffer`](crate::BoundedBuffer).
///
/// A permit is given back when its [`SemaphorePermit`] is dropped. Where taking and giving back are not that
/// simple, permits can be [forgotten](SemaphorePermit::forget) in one place and [added](Self::add_permits) in
/// another. For that case a semaphore can be [`bounded`](Self::bounded): it then never has more permits than
/// it began with, and giving back one too many is an error where it happens.
///
/// # Examples
///
/// Four downloads, of which two run at a time:
///
/// ```
/// use lockwork::Semaphore;
/// use std::thread;
///
/// let connections = Semaphore::new(2);
/// thread::scope(|s| {
///     for file in ["a.txt", "b.txt", "c.txt", "d.txt"] {
///         let connections = &connections;
///         s.spawn(move || {
///             let _connection = connections.acquire();
///             println!("fetches {file}");
///         });
///     }
/// });
/// assert_eq!(connections.available_permits(), 2);
/// ```
///
/// Many jobs, of which three at a time may use the disk; a big one counts for two:
///
/// ```
/// use lockwork::Semaphore;
/// use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
/// use std::thread;
///
/// static DISK: Semaphore = Semaphore::new(3);
/// static BUSY: AtomicUsize = AtomicUsize::new(0);
///
/// thread::scope(|s| {
///     for job in 0..8 {
///         s.spawn(move || {
///             let weight = 1 + job % 2;
///             let permits = DISK.acquire_many(weight);
///             let busy = BUSY.fetch_add(weight, Relaxed) + weight;
///             assert!(busy <= 3);
///             BUSY.fetch_sub(weight, Relaxed);
///             drop(permits);
///         });
///     }
/// });
/// assert_eq!(DISK.available_permits(), 3);
/// ```
///
/// # Blocking
///
/// An acquisition that finds too few permits spins briefly, then queues and
/// [parks](crate#how-a-thread-waits). It returns only when it has its permits or its time is up. Giving
/// permits back and adding them never block.
///
/// # Fairness
///
/// Task-fair: first in, first out, whatever the requests want. As long as a thread is queued, permits are
/// taken in the order of the queue only, and [`try_acquire`](Self::try_acquire) fails: a large request at the
/// head of the queue is not starved by small ones behind it, and these wait although there would be permits
/// for them. A request that gives up at its deadline lets those behind it go on at once. A request for no
/// permits at all is always granted at once.
///
/// Threads that spin and have not queued yet have no order among them. And a permit that is granted to a
/// sleeping thread is idle until that thread has woken up: where a semaphore is so contended that its users
/// sleep, this order costs more throughput than barging would.
///
/// # Memory ordering
///
/// What a thread did before it gave permits back or added them happens before the return of each acquisition
/// that takes permits afterwards. What a thread did before it forgot permits it held happens before the
/// return of the `add_permits` that makes new ones in their place where the semaphore had no room for them
/// otherwise.
///
/// # Reentrancy and deadlock
///
/// A thread that holds permits may acquire more, and waits indefinitely if they are held by threads that wait
/// for its own. Two threads that each hold some and want all wait indefinitely, too; take all that are needed
/// in one call. A permit is not tied to a thread: it may be sent to another, shared, and dropped anywhere.
///
/// # Panics
///
/// [`new`](Self::new), [`bounded`](Self::bounded), [`acquire`](Self::acquire),
/// [`acquire_many`](Self::acquire_many), [`add_permits`](Self::add_permits) and the `merge` of permits, each
/// for a number that cannot be. Nothing has changed after a panic.
///
/// # Differences from `std` and `parking_lot`
///
/// Neither has one. The names are those of tokio's, which waits in tasks; there a request that can never be
/// fulfilled waits indefinitely, here it panics if it is not timed. `bounded` is Python's `BoundedSemaphore`.
///
/// # Implementation notes
///
/// A word that counts the free permits, with a bit that says whether a thread waits; a queue of waiters on
/// their stacks; and a count of how many permits may still be made. Without contention, taking permits is one
/// atomic exchange, or two while others are taken, and giving them back one atomic addition. Code that shares
/// a semaphore by raw pointer must know [who may free
/// it](crate::guide::limits#who-may-free-a-primitive-by-raw-pointer).
pub struct Semaphore {
    raw: RawSemaphore,
    identity: Identity,
}

impl Semaphore {
    /// The most permits that a semaphore can have, free and held.
    pub const MAX_PERMITS: usize = MAX_PERMITS;

    const_fn! {
        /// Makes a semaphore with this many permits. More can be [added](Self::add_permits), up to
        /// [`MAX_PERMITS`](Self::MAX_PERMITS).
        ///
        /// # Panics
        ///
        /// If there are more than [`MAX_PERMITS`](Self::MAX_PERMITS).
        #[must_use]
        #[track_caller]
        pub fn new(permits: usize) -> Self {
            assert!(permits <= MAX_PERMITS, "Semaphore::new: more than MAX_PERMITS permits");
            Self { raw: RawSemaphore::new(permits, MAX_PERMITS), identity: Identity::NONE }
        }
    }

    const_fn! {
        /// Makes a semaphore that never has more permits than these.
        ///
        /// The bound is on all permits there are, the free ones and those held. So permits can be added only
        /// after as many were forgotten, by [`SemaphorePermit::forget`] or
        /// [`forget_permits`](Self::forget_permits). One that is held will be given back, which cannot fail;
        /// to add another in the meantime is one too many already.
        ///
        /// ```
        /// use lockwork::{OverRelease, Semaphore};
        ///
        /// let semaphore = Semaphore::bounded(1);
        /// assert_eq!(semaphore.try_add_permits(1), Err(OverRelease));
        /// let permit = semaphore.acquire();
        /// assert_eq!(semaphore.try_add_permits(1), Err(OverRelease), "it is held, and will come back");
        /// permit.forget();
        /// assert_eq!(semaphore.try_add_permits(1), Ok(()), "it would not have come back");
        /// ```
        ///
        /// # Panics
        ///
        /// If there are more than [`MAX_PERMITS`](Self::MAX_PERMITS).
        #[must_use]
        #[track_caller]
        pub fn bounded(permits: usize) -> Self {
            assert!(permits <= MAX_PERMITS, "Semaphore::bounded: more than MAX_PERMITS permits");
            Self { raw: RawSemaphore::new(permits, permits), identity: Identity::NONE }
        }
    }

    const_fn! {
        /// Makes a semaphore with this many permits and a name, under which [diagnosis](crate#diagnosis)
        /// shows it.
        ///
        /// # Panics
        ///
        /// If there are more than [`MAX_PERMITS`](Self::MAX_PERMITS).
        #[must_use]
        #[track_caller]
        pub fn named(name: &'static str, permits: usize) -> Self {
            assert!(permits <= MAX_PERMITS, "Semaphore::named: more than MAX_PERMITS permits");
            Self { raw: RawSemaphore::new(permits, MAX_PERMITS), identity: Identity::named(name) }
        }
    }

    /// Takes a permit, blocking until there is one.
    ///
    /// # Panics
    ///
    /// If the semaphore is bounded to no permits at all.
    #[inline]
    #[track_caller]
    pub fn acquire(&self) -> SemaphorePermit<'_> {
        let call = self.call(1);
        self.raw.acquire(1, "acquire", call);
        self.permit(1, call)
    }

    /// Takes `n` permits at once, blocking until all of them are there.
    ///
    /// # Panics
    ///
    /// If the semaphore can never have so many: more than it is bounded to, or more than
    /// [`MAX_PERMITS`](Self::MAX_PERMITS). The call would wait indefinitely, and so would those behind it.
    ///
    /// # Examples
    ///
    /// Waiting until all others are done is taking everything:
    ///
    /// ```
    /// use lockwork::Semaphore;
    /// use std::thread;
    ///
    /// let semaphore = Semaphore::bounded(3);
    /// thread::scope(|s| {
    ///     for _ in 0..5 {
    ///         let semaphore = &semaphore;
    ///         s.spawn(move || drop(semaphore.acquire()));
    ///     }
    ///     let all = semaphore.acquire_many(3);
    ///     assert_eq!(all.num_permits(), 3);
    /// });
    /// ```
    #[inline]
    #[track_caller]
    pub fn acquire_many(&self, n: usize) -> SemaphorePermit<'_> {
        let call = self.call(n);
        self.raw.acquire(n, "acquire_many", call);
        self.permit(n, call)
    }

    /// Attempts to acquire a permit without blocking. Succeeds if one is free and no thread waits.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_acquire(&self) -> Option<SemaphorePermit<'_>> {
        self.try_acquire_many(1)
    }

    /// Attempts to acquire `n` permits without blocking. Succeeds if they are free and no thread waits.
    ///
    /// ```
    /// let semaphore = lockwork::Semaphore::new(2);
    /// assert!(semaphore.try_acquire_many(3).is_none());
    /// assert!(semaphore.try_acquire_many(2).is_some());
    /// ```
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_acquire_many(&self, n: usize) -> Option<SemaphorePermit<'_>> {
        let call = self.call(n);
        self.raw.try_acquire(n).then(|| self.permit(n, call))
    }

    /// Takes a permit, blocking for `timeout` at most.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let semaphore = lockwork::Semaphore::new(0);
    /// assert!(semaphore.try_acquire_for(Duration::from_millis(1)).is_none());
    /// ```
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_acquire_for(&self, timeout: Duration) -> Option<SemaphorePermit<'_>> {
        self.try_acquire_many_for(1, timeout)
    }

    /// Takes a permit, blocking until `deadline` at most.
    ///
    /// See [time limits](crate#time-limits).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_acquire_until(&self, deadline: Instant) -> Option<SemaphorePermit<'_>> {
        self.try_acquire_many_until(1, deadline)
    }

    /// Takes `n` permits at once, blocking for `timeout` at most.
    ///
    /// See [time limits](crate#time-limits). Returns `None` at once if the semaphore can never have so many.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_acquire_many_for(&self, n: usize, timeout: Duration) -> Option<SemaphorePermit<'_>> {
        let call = self.call(n);
        self.raw.acquire_until(n, TimeLimit::within(timeout, call)).then(|| self.permit(n, call))
    }

    /// Takes `n` permits at once, blocking until `deadline` at most. Returns `None` at once if the semaphore
    /// can never have so many.
    ///
    /// See [time limits](crate#time-limits).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_acquire_many_until(&self, n: usize, deadline: Instant) -> Option<SemaphorePermit<'_>> {
        let call = self.call(n);
        self.raw.acquire_until(n, TimeLimit::until(deadline, call)).then(|| self.permit(n, call))
    }

    /// Acquires as [`acquire`](Self::acquire) does, with a permit that keeps the semaphore alive.
    ///
    /// ```
    /// use lockwork::Semaphore;
    /// use std::{sync::Arc, thread};
    ///
    /// let semaphore = Arc::new(Semaphore::new(1));
    /// let permit = semaphore.acquire_arc();
    /// thread::spawn(move || drop(permit)).join().unwrap();
    /// assert_eq!(semaphore.available_permits(), 1);
    /// ```
    ///
    /// # Panics
    ///
    /// As [`acquire`](Self::acquire).
    #[inline]
    #[track_caller]
    #[doc(alias = "acquire_owned")]
    pub fn acquire_arc(self: &Arc<Self>) -> ArcSemaphorePermit {
        let call = self.call(1).shared();
        self.raw.acquire(1, "acquire_arc", call);
        self.permit_arc(1, call)
    }

    /// Acquires as [`acquire_many`](Self::acquire_many) does, with a permit that keeps the semaphore alive.
    ///
    /// # Panics
    ///
    /// As [`acquire_many`](Self::acquire_many).
    #[inline]
    #[track_caller]
    #[doc(alias = "acquire_many_owned")]
    pub fn acquire_many_arc(self: &Arc<Self>, n: usize) -> ArcSemaphorePermit {
        let call = self.call(n).shared();
        self.raw.acquire(n, "acquire_many_arc", call);
        self.permit_arc(n, call)
    }

    /// Attempts to acquire as [`try_acquire`](Self::try_acquire) does, with a permit that keeps the semaphore
    /// alive.
    #[inline]
    #[doc(alias = "try_acquire_owned")]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_acquire_arc(self: &Arc<Self>) -> Option<ArcSemaphorePermit> {
        self.try_acquire_many_arc(1)
    }

    /// Attempts to acquire as [`try_acquire_many`](Self::try_acquire_many) does, with a permit that keeps the
    /// semaphore alive.
    #[inline]
    #[doc(alias = "try_acquire_many_owned")]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_acquire_many_arc(self: &Arc<Self>, n: usize) -> Option<ArcSemaphorePermit> {
        let call = self.call(n).shared();
        self.raw.try_acquire(n).then(|| self.permit_arc(n, call))
    }

    /// Attempts to acquire as [`try_acquire_for`](Self::try_acquire_for) does, with a permit that keeps the
    /// semaphore alive.
    ///
    /// See [time limits](crate#time-limits).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_acquire_arc_for(self: &Arc<Self>, timeout: Duration) -> Option<ArcSemaphorePermit> {
        self.try_acquire_many_arc_for(1, timeout)
    }

    /// Attempts to acquire as [`try_acquire_until`](Self::try_acquire_until) does, with a permit that keeps
    /// the semaphore alive.
    ///
    /// See [time limits](crate#time-limits).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_acquire_arc_until(self: &Arc<Self>, deadline: Instant) -> Option<ArcSemaphorePermit> {
        self.try_acquire_many_arc_until(1, deadline)
    }

    /// Attempts to acquire as [`try_acquire_many_for`](Self::try_acquire_many_for) does, with a permit that
    /// keeps the semaphore alive.
    ///
    /// See [time limits](crate#time-limits).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_acquire_many_arc_for(
        self: &Arc<Self>,
        n: usize,
        timeout: Duration,
    ) -> Option<ArcSemaphorePermit> {
        let call = self.call(n).shared();
        self.raw.acquire_until(n, TimeLimit::within(timeout, call)).then(|| self.permit_arc(n, call))
    }

    /// Attempts to acquire as [`try_acquire_many_until`](Self::try_acquire_many_until) does, with a permit
    /// that keeps the semaphore alive.
    ///
    /// See [time limits](crate#time-limits).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_acquire_many_arc_until(
        self: &Arc<Self>,
        n: usize,
        deadline: Instant,
    ) -> Option<ArcSemaphorePermit> {
        let call = self.call(n).shared();
        self.raw.acquire_until(n, TimeLimit::until(deadline, call)).then(|| self.permit_arc(n, call))
    }

    /// Adds `n` permits, and lets those waiters through for which there are enough now. Adding none does
    /// nothing.
    ///
    /// ```
    /// let semaphore = lockwork::Semaphore::new(0);
    /// semaphore.add_permits(2);
    /// assert_eq!(semaphore.available_permits(), 2);
    /// ```
    ///
    /// # Panics
    ///
    /// If there would be too many permits, free and held: more than the semaphore is [bounded](Self::bounded)
    /// to, or more than [`MAX_PERMITS`](Self::MAX_PERMITS). None has been added then.
    #[inline]
    #[track_caller]
    #[doc(alias = "release")]
    pub fn add_permits(&self, n: usize) {
        if !self.raw.add(n) {
            self.over_released(n);
        }
    }

    #[cold]
    #[track_caller]
    fn over_released(&self, n: usize) -> ! {
        let limit = self.raw.limit();
        panic!("Semaphore::add_permits: {n} more permits, free and held, would be more than {limit}");
    }

    /// Adds `n` permits, as [`add_permits`](Self::add_permits) does, or says that there would be too many.
    ///
    /// # Errors
    ///
    /// Fails, and adds none, where `add_permits` panics.
    ///
    /// ```
    /// use lockwork::{OverRelease, Semaphore};
    ///
    /// let semaphore = Semaphore::bounded(3);
    /// semaphore.acquire().forget();
    /// assert_eq!(semaphore.try_add_permits(2), Err(OverRelease));
    /// assert_eq!(semaphore.available_permits(), 2, "not even the one that there would be room for");
    /// ```
    #[inline]
    pub fn try_add_permits(&self, n: usize) -> Result<(), OverRelease> {
        if self.raw.add(n) { Ok(()) } else { Err(OverRelease) }
    }

    /// Takes away up to `n` permits that are free, for good. Returns how many there were. Waits for no
    /// permit: it may spin and yield while another thread queues or leaves, and never sleeps.
    ///
    /// ```
    /// let semaphore = lockwork::Semaphore::new(3);
    /// assert_eq!(semaphore.forget_permits(2), 2);
    /// assert_eq!(semaphore.forget_permits(2), 1);
    /// assert_eq!(semaphore.available_permits(), 0);
    /// ```
    #[inline]
    pub fn forget_permits(&self, n: usize) -> usize {
        self.raw.forget_free(n)
    }

    /// Returns how many permits were free just now; it may be otherwise by the time the answer is looked at.
    /// They are not to be had while a thread waits for more than there are.
    #[must_use]
    #[inline]
    pub fn available_permits(&self) -> usize {
        self.raw.available()
    }

    crate::facade::only! { model:
        pub(crate) fn has_waiters_now(&self) -> bool {
            self.raw.has_waiters_now()
        }
    }

    #[inline]
    pub(crate) const fn raw(&self) -> &RawSemaphore {
        &self.raw
    }

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) const fn call(&self, permits: usize) -> Call<'_> {
        Call::new(Kind::Semaphore, How::Permits, &self.identity).count(permits)
    }

    /// Returns the permits that were just taken.
    #[inline]
    pub(crate) fn permit(&self, permits: usize, call: Call<'_>) -> SemaphorePermit<'_> {
        SemaphorePermit { semaphore: self, permits, held: Held::new(call) }
    }

    #[inline]
    fn permit_arc(self: &Arc<Self>, permits: usize, call: Call<'_>) -> ArcSemaphorePermit {
        ArcSemaphorePermit { semaphore: Arc::clone(self), permits, held: Held::new(call) }
    }
}

impl UnwindSafe for Semaphore {}
impl RefUnwindSafe for Semaphore {}

/// With one permit, as in Python.
impl Default for Semaphore {
    fn default() -> Self {
        Self::new(1)
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("available_permits", &self.available_permits())
            .finish_non_exhaustive()
    }
}

/// Adding permits to a [`Semaphore`] would have made too many: what [`Semaphore::try_add_permits`] returns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct OverRelease;

/// Shows why, for `unwrap`.
impl fmt::Debug for OverRelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OverRelease({self})")
    }
}

impl fmt::Display for OverRelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("more permits released than the semaphore has room for")
    }
}

impl Error for OverRelease {}
