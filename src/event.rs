//! [`Event`] and [`AutoResetEvent`].

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::{Duration, Instant};

use crate::facade::{TimeLimit, const_fn};
use crate::observe::{Call, Identity, Kind, Mode};
use crate::raw::event::{RawAutoResetEvent, RawEvent};

/// A flag that threads can wait for. Once set it stays set, and lets all threads through, until it is
/// cleared: a manual-reset event.
///
/// Use it to tell any number of threads that something has happened: start, stop, ready. To let one thread
/// through for each signal use [`AutoResetEvent`]; to wait for a change of a value, a
/// [`Condvar`](crate::Condvar).
///
/// # Examples
///
/// One thread prepares what the others then use:
///
/// ```
/// use lockwork::Event;
/// use std::thread;
///
/// let ready = Event::new();
/// thread::scope(|s| {
///     for id in 0..2 {
///         let ready = &ready;
///         s.spawn(move || {
///             ready.wait();
///             println!("thread {id} starts");
///         });
///     }
///     // Prepares, and then:
///     ready.set();
/// });
/// assert!(ready.is_set());
/// ```
///
/// A worker that sleeps between two rounds of work, and stops at once when asked to:
///
/// ```
/// use lockwork::Event;
/// use std::{thread, time::Duration};
///
/// static STOP: Event = Event::new();
///
/// let worker = thread::spawn(|| {
///     let mut rounds = 0;
///     while !STOP.wait_for(Duration::from_millis(1)) {
///         rounds += 1;
///     }
///     rounds
/// });
/// STOP.set();
/// worker.join().unwrap();
/// ```
///
/// # Blocking
///
/// A wait queues, spins briefly and [parks](crate#how-a-thread-waits). It returns only when it was released
/// or its time is up. Setting and clearing never block.
///
/// # Fairness
///
/// `set` releases every thread that waits at that moment, in the order in which they came, even if
/// [`clear`](Self::clear) follows at once.
///
/// # Memory ordering
///
/// What a thread did before `set` happens before the return of a wait that it released, and before whatever
/// follows an [`is_set`](Self::is_set) or a wait that found the event set, or a [`clear`](Self::clear) that
/// took it back. So clearing it and then looking at what it was set for misses nothing.
///
/// # Differences from `std` and `parking_lot`
///
/// Neither has one. Python's `threading.Event` has the same contract. No method may be called in a [signal
/// handler](crate::guide::limits#signal-handlers), `set` included.
///
/// # Implementation notes
///
/// One word: a bit, and the queue of waiters on their stacks. With no thread waiting, `set` is one atomic
/// exchange and `wait` of a set event one load.
#[doc(alias = "ManualResetEvent")]
pub struct Event {
    raw: RawEvent,
    identity: Identity,
}

impl Event {
    pub(crate) const fn raw(&self) -> &RawEvent {
        &self.raw
    }

    const_fn! {
        /// Makes an event that is not set.
        #[must_use]
        #[inline]
        pub fn new() -> Self {
            Self { raw: RawEvent::new(), identity: Identity::NONE }
        }
    }

    const_fn! {
        /// Makes one with a name, under which [diagnosis](crate#diagnosis) shows it.
        #[must_use]
        #[inline]
        pub fn named(name: &'static str) -> Self {
            Self { raw: RawEvent::new(), identity: Identity::named(name) }
        }
    }

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn call(&self) -> Call<'_> {
        Call::new(Kind::Event, Mode::Wait, &self.identity)
    }

    /// Waits on behalf of a call of another object; `limit` is that call's.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn wait_within(&self, limit: TimeLimit<'_>) -> bool {
        self.raw.wait_until(limit)
    }

    /// Sets the event and releases every thread that waits, without blocking. Setting it twice is setting it
    /// once.
    ///
    /// ```
    /// let event = lockwork::Event::new();
    /// event.set();
    /// assert!(event.is_set());
    /// ```
    #[inline]
    pub fn set(&self) {
        self.raw.set();
    }

    /// Clears the event, so that waits block again. Does not touch threads that [`set`](Self::set) has
    /// released already.
    #[inline]
    #[doc(alias = "reset")]
    pub fn clear(&self) {
        self.raw.clear();
    }

    /// Returns whether the event is set.
    #[must_use]
    #[inline]
    pub fn is_set(&self) -> bool {
        self.raw.is_set()
    }

    crate::facade::only! { model:
        pub(crate) fn has_waiters_now(&self) -> bool {
            self.raw.has_waiters_now()
        }
    }

    /// Blocks until the event is set.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn wait(&self) {
        self.raw.wait_until(TimeLimit::never(self.call()));
    }

    /// Blocks until the event is set, for `timeout` at most. Returns whether it was set.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let event = lockwork::Event::new();
    /// assert!(!event.wait_for(Duration::from_millis(1)));
    /// event.set();
    /// assert!(event.wait_for(Duration::ZERO));
    /// ```
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn wait_for(&self, timeout: Duration) -> bool {
        self.raw.wait_until(TimeLimit::within(timeout, self.call()))
    }

    /// Blocks until the event is set, until `deadline` at most. Returns whether it was set.
    ///
    /// See [time limits](crate#time-limits).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn wait_until(&self, deadline: Instant) -> bool {
        self.raw.wait_until(TimeLimit::until(deadline, self.call()))
    }
}

impl UnwindSafe for Event {}
impl RefUnwindSafe for Event {}

impl Default for Event {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("is_set", &self.is_set()).finish()
    }
}

/// A signal for one thread at a time: each `set` lets one wait through. Also known as an auto-reset event.
///
/// Use it to tell one of several threads that something has happened, or to wake the one thread that looks
/// after something. Signals do not add up: for that use a semaphore. To release all threads use [`Event`].
///
/// # Examples
///
/// Two threads, of which each signal lets one through:
///
/// ```
/// use lockwork::AutoResetEvent;
/// use std::thread;
///
/// let signal = AutoResetEvent::new();
/// thread::scope(|s| {
///     for id in 0..2 {
///         let signal = &signal;
///         s.spawn(move || {
///             signal.wait();
///             println!("thread {id} goes on, and lets the next through");
///             signal.set();
///         });
///     }
///     signal.set();
/// });
/// assert!(signal.try_wait(), "the last signal is kept");
/// assert!(!signal.try_wait(), "and there is no other");
/// ```
///
/// A thread that tidies up whenever there is something to tidy, however many signals came before:
///
/// ```
/// use lockwork::AutoResetEvent;
/// use std::{thread, time::Duration};
///
/// static DIRTY: AutoResetEvent = AutoResetEvent::new();
///
/// DIRTY.set();
/// DIRTY.set();
/// let tidier = thread::spawn(|| {
///     let mut rounds = 0;
///     while DIRTY.wait_for(Duration::from_millis(20)) {
///         rounds += 1;
///     }
///     rounds
/// });
/// assert_eq!(tidier.join().unwrap(), 1, "two signals, it tidied once");
/// ```
///
/// # Blocking
///
/// A wait queues, spins briefly and [parks](crate#how-a-thread-waits). It returns only when a signal was
/// given to it or its time is up. Setting never sleeps; it may spin and yield while another thread queues or
/// leaves.
///
/// # Fairness
///
/// First in, first out, by hand-off: a signal is given to the thread that has waited longest; while no thread
/// waits it is kept for the next to come, at most one.
///
/// # Memory ordering
///
/// What a thread did before `set` happens before the return of the wait that got its signal.
///
/// # Differences from `std` and `parking_lot`
///
/// Neither has one. [`std::thread::park`] is the same for one known thread; a token in it belongs to that
/// thread, a signal here to the thread that waits.
///
/// # Implementation notes
///
/// One word: a bit, and the queue of waiters on their stacks.
#[doc(alias = "Notify")]
pub struct AutoResetEvent {
    raw: RawAutoResetEvent,
    identity: Identity,
}

impl AutoResetEvent {
    pub(crate) const fn raw(&self) -> &RawAutoResetEvent {
        &self.raw
    }

    const_fn! {
        /// Makes an event without a signal.
        #[must_use]
        #[inline]
        pub fn new() -> Self {
            Self { raw: RawAutoResetEvent::new(), identity: Identity::NONE }
        }
    }

    const_fn! {
        /// Makes one with a name, under which [diagnosis](crate#diagnosis) shows it.
        #[must_use]
        #[inline]
        pub fn named(name: &'static str) -> Self {
            Self { raw: RawAutoResetEvent::new(), identity: Identity::named(name) }
        }
    }

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn call(&self) -> Call<'_> {
        Call::new(Kind::AutoResetEvent, Mode::Wait, &self.identity)
    }

    /// Waits on behalf of a call of another object; `limit` is that call's.
    #[cfg(feature = "threads")]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn wait_within(&self, limit: TimeLimit<'_>) -> bool {
        self.raw.wait_until(limit)
    }

    /// Lets one wait through: that of the thread that has waited longest, or the next one to come. A signal
    /// that is kept already stays the only one.
    ///
    /// The signal is given to a thread under the queue's lock, so this spins and yields while another thread
    /// queues or leaves. It never sleeps.
    #[inline]
    pub fn set(&self) {
        self.raw.set();
    }

    /// Returns whether a signal is kept, which the next wait would take.
    #[must_use]
    #[inline]
    pub fn is_set(&self) -> bool {
        self.raw.is_set()
    }

    /// Attempts to take a signal, without blocking: succeeds if one is kept.
    #[inline]
    pub fn try_wait(&self) -> bool {
        self.raw.try_wait()
    }

    /// Blocks until there is a signal, and takes it.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn wait(&self) {
        self.raw.wait_until(TimeLimit::never(self.call()));
    }

    /// Blocks until a signal comes, for `timeout` at most. Returns whether it got one.
    ///
    /// See [time limits](crate#time-limits). A signal is never lost to a wait that gives up.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let signal = lockwork::AutoResetEvent::new();
    /// assert!(!signal.wait_for(Duration::from_millis(1)));
    /// ```
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn wait_for(&self, timeout: Duration) -> bool {
        self.raw.wait_until(TimeLimit::within(timeout, self.call()))
    }

    /// Blocks until a signal comes, until `deadline` at most. Returns whether it got one.
    ///
    /// See [time limits](crate#time-limits).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn wait_until(&self, deadline: Instant) -> bool {
        self.raw.wait_until(TimeLimit::until(deadline, self.call()))
    }
}

impl UnwindSafe for AutoResetEvent {}
impl RefUnwindSafe for AutoResetEvent {}

impl Default for AutoResetEvent {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for AutoResetEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AutoResetEvent").field("is_set", &self.is_set()).finish()
    }
}
