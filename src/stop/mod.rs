//! [`StopSource`], [`StopToken`] and [`StopGuard`]: asking threads to stop, and what runs then.

mod registry;

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::any::AnySource;
use crate::any::sealed::{Handed, Observed, Raw, Sealed};
#[cfg(doc)]
use crate::event::Event;
use crate::facade::TimeLimit;
use crate::observe::{Call, Kind, Mode};
use registry::{Registered, Shared};

/// Asks any number of threads to stop, once and for good. Clones are the same source.
///
/// Use it where a thread, or code that it calls, should end before it is done: at a shutdown, when a user has
/// cancelled, when another thread has failed. Each thread is given a [`StopToken`], looks at it or waits for
/// it, and runs a callback for what would otherwise not notice ([`StopToken::on_stop`]). Where something
/// happens that is no request to stop, use an [`Event`].
///
/// # Examples
///
/// ```
/// use lockwork::StopSource;
/// use std::{thread, time::Duration};
///
/// let source = StopSource::new();
/// let poller = thread::spawn({
///     let stop = source.token();
///     move || {
///         let mut polls = 0;
///         while !stop.wait_for(Duration::from_millis(1)) {
///             polls += 1;
///         }
///         polls
///     }
/// });
/// assert!(source.stop(), "the first request");
/// println!("{} polls", poller.join().unwrap());
/// ```
///
/// A consumer of a buffer does not look at a token while it waits for an item. The callback closes the
/// buffer:
///
/// ```
/// use lockwork::{BoundedBuffer, StopSource};
/// use std::{sync::Arc, thread};
///
/// let (source, lines) = (StopSource::new(), Arc::new(BoundedBuffer::<String>::new(8)));
/// let writer = thread::spawn({
///     let (stop, lines) = (source.token(), Arc::clone(&lines));
///     move || {
///         let closed = Arc::clone(&lines);
///         let _close = stop.on_stop(move || closed.close());
///         lines.iter().count()
///     }
/// });
/// lines.put("the last line".to_owned()).unwrap();
/// source.stop();
/// assert_eq!(writer.join().unwrap(), 1, "what was put before is still written");
/// ```
///
/// [A guide](crate::guide::stopping) has the way out of each blocking call.
///
/// # Blocking
///
/// [`stop`](Self::stop) lasts as long as the callbacks that it runs, and the drop of the last handle as long
/// as the destructors of those that were not run. Nothing else of a source blocks.
///
/// # Fairness
///
/// A stop releases all threads that wait for a token together, and then runs the callbacks in the order in
/// which they were registered.
///
/// # Memory ordering
///
/// What a thread did before the [`stop`](Self::stop) that was the first happens before what follows a call
/// that found the source or a token stopped, and before the callbacks. What a callback does happens before
/// the return of the stop that runs it, and before the return of a drop of its [`StopGuard`].
///
/// # Reentrancy and deadlock
///
/// A callback may do anything to sources, tokens and guards: stop, register more, drop any guard. No lock is
/// held while it runs. It runs with whatever its thread holds that called [`stop`](Self::stop), so stop
/// without holding a lock.
///
/// Stops of other sources may be nested in callbacks. In a chain of more than 32 the rest is put off: then
/// the inner `stop` returns before its callbacks have run, which they do, in the same thread and in order,
/// before the outermost `stop` returns. So a chain of any length needs constant stack; and one of sources and
/// guards that are dropped by what callbacks have captured, too. Do not wait in a callback for what a stop
/// there is to bring about, nor for what a later callback of the same source is. The drop and the joins of a
/// `Worker` with another source may be used, as they run first what their thread has put off for that worker.
///
/// # Panics
///
/// [`stop`](Self::stop) resumes the first panic of a callback, when all others have run. When the last source
/// and token is dropped, so does that drop with panics of destructors of what registered callbacks had
/// captured.
///
/// # Differences from C++ and .NET
///
/// From C++20's `std::stop_source`: callbacks run in order, a panic of one does not end the program, tokens
/// can be waited for, and a token can stop, too. From .NET's `CancellationTokenSource`: callbacks run first
/// in first out and not last in first out, and one panic is resumed instead of all of them being collected.
#[derive(Clone, Default)]
pub struct StopSource(Arc<Shared>);

impl StopSource {
    /// Makes a source that has not been stopped.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a token of this source.
    #[must_use]
    pub fn token(&self) -> StopToken {
        StopToken(Arc::clone(&self.0))
    }

    /// Asks all that have a token to stop, for good. Returns whether this call was the first to do so.
    ///
    /// The first call ends the waits for its tokens, then runs the callbacks, one after another in the order
    /// in which they were registered, and returns when the last is over. Any other call returns at once, even
    /// while they run.
    ///
    /// # Panics
    ///
    /// Resumes the first panic of a callback, when all others have run.
    ///
    /// ```
    /// use lockwork::{Mutex, StopSource};
    /// use std::sync::Arc;
    ///
    /// let (source, order) = (StopSource::new(), Arc::new(Mutex::new(Vec::new())));
    /// let guards = [1, 2, 3].map(|n| {
    ///     let order = Arc::clone(&order);
    ///     source.token().on_stop(move || order.lock().push(n))
    /// });
    /// assert!(source.stop());
    /// assert!(!source.stop());
    /// assert_eq!(*order.lock(), [1, 2, 3]);
    /// # drop(guards);
    /// ```
    pub fn stop(&self) -> bool {
        self.0.stop()
    }

    /// Returns whether [`stop`](Self::stop) was called. It may still be running callbacks.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.stopped().is_set()
    }
}

impl UnwindSafe for StopSource {}
impl RefUnwindSafe for StopSource {}

impl fmt::Debug for StopSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopSource").field("is_stopped", &self.is_stopped()).finish()
    }
}

/// Tells a thread whether to stop: what a [`StopSource`] gives out. Clones are the same token.
///
/// # Examples
///
/// Two threads with the same token, one of which stops both:
///
/// ```
/// use lockwork::StopToken;
/// use std::{thread, time::Duration};
///
/// let stop = StopToken::new();
/// assert!(!stop.wait_for(Duration::from_millis(1)), "slept, and was not asked to stop");
/// let sleeper = thread::spawn({
///     let stop = stop.clone();
///     move || stop.wait_for(Duration::MAX)
/// });
/// stop.stop();
/// assert!(sleeper.join().unwrap());
/// ```
///
/// # Blocking
///
/// Waits as an [`Event`] does. [`stop`](Self::stop) lasts as long as the callbacks that it runs, and
/// [`on_stop`](Self::on_stop) of a source that was stopped before as long as its callback.
///
/// # Fairness, memory ordering, reentrancy and deadlock
///
/// Those of a [`StopSource`].
///
/// # Panics
///
/// [`stop`](Self::stop), and [`on_stop`](Self::on_stop) of a source that was stopped before, with the panic
/// of a callback that they run. The drop of the last source and token, as for a [`StopSource`].
#[derive(Clone, Default)]
pub struct StopToken(Arc<Shared>);

impl StopToken {
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn call(&self) -> Call<'_> {
        Call::at(Kind::Stop, Mode::Wait, Arc::as_ptr(&self.0))
    }

    /// Makes a token that has not been stopped, of a source of its own.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks all that have a token of the same source to stop. The same as [`StopSource::stop`].
    ///
    /// # Panics
    ///
    /// As [`StopSource::stop`].
    pub fn stop(&self) -> bool {
        self.0.stop()
    }

    /// Runs the callbacks of a stop that the calling thread has put off, because it is deep in others. For a
    /// call that waits for what they bring about.
    #[cfg(feature = "threads")]
    pub(crate) fn catch_up(&self) {
        self.0.catch_up();
    }

    /// Returns whether the thread has been asked to stop.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.stopped().is_set()
    }

    /// Blocks until the thread is asked to stop.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn wait(&self) {
        let _ = self.0.stopped().wait_within(TimeLimit::never(self.call()));
    }

    /// Blocks until the thread is asked to stop, for `timeout` at most: a sleep that ends early. Returns
    /// whether it was.
    ///
    /// See [time limits](crate#time-limits).
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn wait_for(&self, timeout: Duration) -> bool {
        self.0.stopped().wait_within(TimeLimit::within(timeout, self.call()))
    }

    /// Blocks until the thread is asked to stop, until `deadline` at most. Returns whether it was.
    ///
    /// See [time limits](crate#time-limits).
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn wait_until(&self, deadline: Instant) -> bool {
        self.0.stopped().wait_within(TimeLimit::until(deadline, self.call()))
    }

    /// Registers a callback, which runs at the stop. If the source was stopped before, this call runs the
    /// callback and then returns: so callbacks that register others there are [nested
    /// calls](crate::guide::limits#chains-and-nests-and-the-stack).
    ///
    /// At the stop it runs in the thread that calls [`stop`](Self::stop), after those registered before it.
    /// Dropping the guard takes it back; see [`StopGuard`]. Registering allocates.
    ///
    /// The callback runs while the thread that registered it does something else. If it is to wake that
    /// thread from a wait, make sure that it cannot come between that thread's look at the token and its
    /// wait: register first, and have the callback take the lock under which the thread looks. The guide has
    /// the whole of it for [a condition variable](crate::guide::stopping#a-condition-variable).
    ///
    /// # Panics
    ///
    /// If the callback runs here and panics, so does this call.
    ///
    /// ```
    /// use lockwork::{Event, StopSource};
    /// use std::sync::Arc;
    ///
    /// let (source, cancelled) = (StopSource::new(), Arc::new(Event::new()));
    /// let _guard = source.token().on_stop({
    ///     let cancelled = Arc::clone(&cancelled);
    ///     move || cancelled.set()
    /// });
    /// source.stop();
    /// assert!(cancelled.is_set());
    /// ```
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn on_stop<F>(&self, f: F) -> StopGuard
    where
        F: FnOnce() + Send + 'static,
    {
        StopGuard(self.0.on_stop(Box::new(f)))
    }
}

impl UnwindSafe for StopToken {}
impl RefUnwindSafe for StopToken {}

impl fmt::Debug for StopToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopToken").field("is_stopped", &self.is_stopped()).finish()
    }
}

/// Takes a callback back when it is dropped: what [`StopToken::on_stop`] returns.
///
/// After the drop the callback neither runs nor holds anything:
///
/// | the callback | dropping the guard |
/// |---|---|
/// | has not begun | takes it back, and drops what it captured |
/// | runs in another thread | blocks until it is over |
/// | runs in this thread, which is inside of it | returns |
/// | is over | returns |
///
/// One exception is a drop in a [chain of more than 32](StopSource#reentrancy-and-deadlock) stops and drops
/// inside of callbacks: what the callback captured is dropped later then, by the same thread.
///
/// A forgotten guard ([`std::mem::forget`]) leaves the callback where it is: until the stop, or until the
/// last source and token are gone, when nothing can stop any more and what it captured is dropped. A callback
/// that captures a source or a token of its own keeps that alive, so its guard should not be forgotten.
///
/// # Examples
///
/// ```
/// use lockwork::{Event, StopSource};
/// use std::{sync::Arc, thread};
///
/// let (source, cancelled) = (StopSource::new(), Arc::new(Event::new()));
/// let request = thread::spawn({
///     let (stop, cancelled) = (source.token(), Arc::clone(&cancelled));
///     move || {
///         let guard = stop.on_stop(move || cancelled.set());
///         // The request is made here. It was not stopped, so there is nothing left to cancel:
///         drop(guard);
///     }
/// });
/// request.join().unwrap();
/// source.stop();
/// assert!(!cancelled.is_set());
/// ```
///
/// # Blocking
///
/// Dropping the guard blocks while its callback runs in another thread, without a time limit.
///
/// # Memory ordering
///
/// What the callback did happens before the return of the drop.
///
/// # Panics
///
/// A drop that takes the callback back panics if the destructor of something that the callback captured does.
///
/// # Reentrancy and deadlock
///
/// A drop that waits for the callback must not hold what the callback waits for. If the callback locks a
/// mutex, drop the guard after that mutex is unlocked: a guard that is a variable of its own, made before the
/// mutex is locked, is.
#[must_use = "the callback is taken back when the guard is dropped"]
pub struct StopGuard(Option<Registered>);

impl Drop for StopGuard {
    fn drop(&mut self) {
        if let Some(registered) = &self.0 {
            registered.take_back();
        }
    }
}

impl UnwindSafe for StopGuard {}
impl RefUnwindSafe for StopGuard {}

impl fmt::Debug for StopGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopGuard").finish_non_exhaustive()
    }
}

impl Sealed for &StopToken {}

impl AnySource for &StopToken {
    type Output = ();

    fn any_raw(&self) -> Raw<'_> {
        Raw(self.0.stopped().raw())
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn any_observed(&self) -> Observed<'_> {
        Observed(self.call())
    }

    #[inline]
    fn any_is_ready(&self) -> bool {
        self.is_stopped()
    }

    #[inline]
    fn any_attempt(&mut self, handed: Handed) -> Option<()> {
        (handed.0 || self.is_stopped()).then_some(())
    }
}
