//! [`BoundedBuffer`], its iterators and its errors.

mod any;
mod batch;
mod error;
mod face;
pub(crate) mod locked;
mod priority;
mod ring;
mod stack;
mod tasks;
mod wait;

use std::time::{Duration, Instant};

pub use any::{Getting, Putting};
pub(crate) use any::{Offer, offers};
pub use error::{
    GetError, GetTimeoutError, PutAllError, PutError, PutTimeoutError, TaskDoneError, TryGetError,
    TryPutError,
};
pub use priority::{PriorityBuffer, PriorityBufferIter, PriorityBufferTryIter};
pub use stack::{StackBuffer, StackBufferIter, StackBufferTryIter};

use crate::facade::{TimeLimit, const_fn};
use crate::observe::{Identity, Mode};
use crate::ring::Ring;
use face::face;
use wait::Core;

/// A first-in, first-out queue of limited length between threads: putting waits while it is full, getting
/// while it is empty.
///
/// Use it to hand work from threads that make it to threads that do it, so that neither side runs away from
/// the other. Any number of threads may put and any number may get, through a reference or an
/// [`Arc`](std::sync::Arc); there are no sender and receiver halves. To guard a value that stays where it is
/// use a [`Mutex`](crate::Mutex); to signal without handing anything over, an [`Event`](crate::Event).
///
/// # Examples
///
/// One thread reads lines, another counts their words, and the first is at most two lines ahead:
///
/// ```
/// use lockwork::BoundedBuffer;
/// use std::thread;
///
/// let lines = BoundedBuffer::new(2);
/// let words = thread::scope(|s| {
///     let counter = s.spawn(|| lines.iter().map(|line: &str| line.split(' ').count()).sum::<usize>());
///     for line in ["to be", "or not", "to be that is", "the question"] {
///         lines.put(line).unwrap(); // waits while two are queued
///     }
///     lines.close(); // the counter takes what is left, and ends
///     counter.join().unwrap()
/// });
/// assert_eq!(words, 10);
/// ```
///
/// Workers that take jobs from a static buffer until it is closed and everything in it is done:
///
/// ```
/// use lockwork::{BoundedBuffer, Mutex};
/// use std::thread;
///
/// static JOBS: BoundedBuffer<u64> = BoundedBuffer::new(4);
/// static SQUARES: Mutex<Vec<u64>> = Mutex::new(Vec::new());
///
/// thread::scope(|s| {
///     for _ in 0..3 {
///         s.spawn(|| {
///             for job in &JOBS {
///                 SQUARES.lock().push(job * job);
///             }
///         });
///     }
///     JOBS.put_all(1..=20).expect("no thread has closed it yet");
///     JOBS.close();
/// });
/// assert_eq!(SQUARES.lock().iter().sum::<u64>(), 2870);
/// ```
///
/// # Blocking
///
/// A put and a get that need not wait take no lock, unless a thread sleeps that they have to wake: then they
/// take that of its queue, for as long as it takes to look at the first thread in it. Where there are no
/// 64-bit atomics each takes a spin lock. One that meets another thread in the middle of a call waits until
/// that thread has moved its item. A call that must wait for room, or for an item, spins briefly if that has
/// been of use in this buffer lately, then yields a few times, and then [parks](crate#how-a-thread-waits).
/// The time limits of the `_for` and `_until` forms are for that waiting: any call may be late by as long as
/// a thread that it met in the middle of a call is kept from its processor. [`task_done`](Self::task_done),
/// [`join`](Self::join) and [`unfinished`](Self::unfinished) lock a mutex.
///
/// The first put allocates memory for all places of a buffer of up to 1024, which is kept. A larger one
/// allocates as it fills and gives back as it empties, in segments of 128 places: up to three more than its
/// items fill, and two when it is empty. So one of [`usize::MAX`] places is one without a bound.
///
/// # Fairness
///
/// Items leave in the order in which they came in; those of one thread in the order in which it put them.
/// Among threads it is barging with bounded hand-off: of those that sleep, the one that has slept longest is
/// woken first, at the next item or place. Another thread may take it first; then the one that was woken
/// sleeps again, still before all others. Once it has been the first for a while (`docs/numbers.md` says how
/// long), the next item or place is kept for it, and other threads leave that one: until it has taken it a
/// [`try_get`](Self::try_get) does not get the last item, and a [`try_put`](Self::try_put) does not fill the
/// last place. So a timed call ends without its turn only if too little comes for those before it. A thread
/// in [`wait_any`](crate::wait_any) is woken in its turn, too, and nothing is kept for it, nor for those
/// behind it while it is the first.
///
/// One sleeper of a side is woken at a time, and wakes the next when it has taken its item or place, if there
/// is more. So one that is woken and gets no processor, such as a thread of low priority beside busy loops,
/// holds up those of its side that sleep; threads that are awake go on.
///
/// # Memory ordering
///
/// What a thread did before it put an item happens before the get that returns the item; what it did before
/// it freed room, before the put that fills it. What a thread did before [`close`](Self::close) happens
/// before whatever follows a call that found the buffer closed, and what it did before
/// [`task_done`](Self::task_done) before the return of a [`join`](Self::join) that the call released.
///
/// # Reentrancy and deadlock
///
/// None of the caller's code runs in the middle of a call: neither destructors of items nor the iterator
/// given to [`put_all`](Self::put_all). All of them may use the buffer. A thread that puts into a full buffer
/// from which it alone would get waits indefinitely; so does one that gets from an empty buffer that no
/// thread fills or closes. Buffers in buffers are dropped [as other values in
/// values](crate::guide::limits#chains-and-nests-and-the-stack): each level needs stack. That an item has
/// come out does not say that its put has returned: [who may free a primitive by raw
/// pointer](crate::guide::limits#who-may-free-a-primitive-by-raw-pointer).
///
/// # Panics
///
/// [`new`](Self::new) panics if the capacity is 0, [`task_done`](Self::task_done) if it is called more often
/// than items were put. A panic in the iterator given to [`put_all`](Self::put_all) leaves what was put
/// before in the buffer.
///
/// # Differences from `std`, crossbeam and Python
///
/// From [`std::sync::mpsc::sync_channel`] and `crossbeam_channel::bounded`: one shared object instead of two
/// halves, so it is closed by [`close`](Self::close) and not by dropping; it can live in a static; it moves
/// items in batches and counts those that are not done yet; a capacity of 0, a rendezvous, is not offered.
/// From std's alone: many consumers, and time-outs on both sides. crossbeam's take part in `select!`; here
/// [`wait_any`](crate::wait_any) takes [`getting`](Self::getting) and [`putting`](Self::putting).
///
/// From Python's `queue.Queue`: the errors of a put give the item back. `task_done` and `join` have the same
/// contract; [`close`](Self::close) is `shutdown()`, and [`close_now`](Self::close_now), which is
/// `shutdown(immediate=True)`, returns what was left. `LifoQueue` is a [`StackBuffer`], `PriorityQueue` a
/// [`PriorityBuffer`].
///
/// # Implementation notes
///
/// A ring of slots with sequence numbers; beyond 1024 places a chain of segments. Threads that sleep stand in
/// a queue for each side, and a bit of the other side's cursor says so. What was weighed is in
/// `docs/decisions/0008-a-ring-of-slots.md`.
pub struct BoundedBuffer<T> {
    core: Core<Ring<T>>,
}

impl<T> BoundedBuffer<T> {
    const_fn! {
        /// Makes an empty, open buffer with room for `capacity` items.
        ///
        /// Allocates nothing yet.
        ///
        /// # Panics
        ///
        /// Panics if `capacity` is 0.
        ///
        /// ```
        /// use lockwork::BoundedBuffer;
        ///
        /// static LINES: BoundedBuffer<String> = BoundedBuffer::new(100);
        /// assert_eq!(LINES.capacity(), 100);
        /// ```
        #[must_use]
        #[track_caller]
        pub fn new(capacity: usize) -> Self {
            assert!(capacity != 0, "BoundedBuffer::new: the capacity must not be 0");
            Self { core: Core::new(Ring::new(capacity), Identity::NONE) }
        }
    }

    const_fn! {
        /// Makes an empty, open buffer with room for `capacity` items and with a name, under which
        /// [diagnosis](crate#diagnosis) shows it.
        ///
        /// # Panics
        ///
        /// Panics if `capacity` is 0.
        #[must_use]
        #[track_caller]
        pub fn named(name: &'static str, capacity: usize) -> Self {
            assert!(capacity != 0, "BoundedBuffer::named: the capacity must not be 0");
            Self { core: Core::new(Ring::new(capacity), Identity::named(name)) }
        }
    }

    /// Makes the buffer of a channel.
    pub(crate) fn of_channel(capacity: usize) -> Self {
        Self { core: Core::new(Ring::new(capacity), Identity::CHANNEL) }
    }

    /// Puts an item at the end, blocking while the buffer is full.
    ///
    /// # Errors
    ///
    /// Gives the item back if the buffer is closed, or is closed while the call waits.
    ///
    /// ```
    /// use lockwork::{BoundedBuffer, PutError};
    ///
    /// let buffer = BoundedBuffer::new(1);
    /// buffer.put(1).unwrap();
    /// buffer.close();
    /// assert_eq!(buffer.put(2), Err(PutError(2)));
    /// ```
    #[doc(alias = "send")]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn put(&self, item: T) -> Result<(), PutError<T>> {
        self.core
            .put(item, TimeLimit::never(self.core.call(Mode::Put)))
            .map_err(|error| PutError(error.into_inner()))
    }

    /// Puts an item at the end if there is room just now.
    ///
    /// # Errors
    ///
    /// Gives the item back if the buffer is closed, or is full, or has one place left that is [kept for a
    /// thread that has waited for long](Self#fairness).
    ///
    /// ```
    /// use lockwork::{BoundedBuffer, TryPutError};
    ///
    /// let buffer = BoundedBuffer::new(1);
    /// assert_eq!(buffer.try_put(1), Ok(()));
    /// assert_eq!(buffer.try_put(2), Err(TryPutError::Full(2)));
    /// buffer.close();
    /// assert_eq!(buffer.try_put(3), Err(TryPutError::Closed(3)));
    /// ```
    pub fn try_put(&self, item: T) -> Result<(), TryPutError<T>> {
        self.core.try_put(item)
    }

    /// Puts an item at the end, blocking for `timeout` at most while the buffer is full.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Errors
    ///
    /// Gives the item back if there was no room in time that was not [kept for another
    /// thread](Self#fairness), or if the buffer is closed or is closed while the call waits.
    ///
    /// ```
    /// use lockwork::{BoundedBuffer, PutTimeoutError};
    /// use std::time::Duration;
    ///
    /// let buffer = BoundedBuffer::new(1);
    /// buffer.put(1).unwrap();
    /// assert_eq!(buffer.put_for(2, Duration::from_millis(1)), Err(PutTimeoutError::Timeout(2)));
    /// ```
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn put_for(&self, item: T, timeout: Duration) -> Result<(), PutTimeoutError<T>> {
        self.core.put(item, TimeLimit::within(timeout, self.core.call(Mode::Put)))
    }

    /// Puts an item at the end, blocking until `deadline` at most while the buffer is full.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Errors
    ///
    /// As [`put_for`](Self::put_for).
    ///
    /// ```
    /// use lockwork::BoundedBuffer;
    /// use std::time::{Duration, Instant};
    ///
    /// let (buffer, deadline) = (BoundedBuffer::new(2), Instant::now() + Duration::from_millis(5));
    /// assert!(buffer.put_until('a', deadline).is_ok());
    /// assert!(buffer.put_until('b', deadline).is_ok());
    /// assert!(buffer.put_until('c', deadline).unwrap_err().is_timeout());
    /// ```
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn put_until(&self, item: T, deadline: Instant) -> Result<(), PutTimeoutError<T>> {
        self.core.put(item, TimeLimit::until(deadline, self.core.call(Mode::Put)))
    }

    /// Takes the first item, blocking while the buffer is empty.
    ///
    /// # Errors
    ///
    /// Fails once the buffer is closed and empty.
    ///
    /// ```
    /// use lockwork::{BoundedBuffer, GetError};
    ///
    /// let buffer = BoundedBuffer::new(1);
    /// buffer.put(1).unwrap();
    /// buffer.close();
    /// assert_eq!(buffer.get(), Ok(1));
    /// assert_eq!(buffer.get(), Err(GetError));
    /// ```
    #[doc(alias = "recv")]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn get(&self) -> Result<T, GetError> {
        self.core.get(TimeLimit::never(self.core.call(Mode::Get))).map_err(|_| GetError)
    }

    /// Takes the first item if there is one just now.
    ///
    /// # Errors
    ///
    /// Fails if the buffer is empty, and says whether it is closed as well; or if it has one item left that
    /// is [kept for a thread that has waited for long](Self#fairness).
    ///
    /// ```
    /// use lockwork::{BoundedBuffer, TryGetError};
    ///
    /// let buffer = BoundedBuffer::new(1);
    /// assert_eq!(buffer.try_get(), Err(TryGetError::Empty));
    /// buffer.put(1).unwrap();
    /// buffer.close();
    /// assert_eq!(buffer.try_get(), Ok(1));
    /// assert_eq!(buffer.try_get(), Err(TryGetError::Closed));
    /// ```
    pub fn try_get(&self) -> Result<T, TryGetError> {
        self.core.try_get()
    }

    /// Takes the first item, blocking for `timeout` at most while the buffer is empty.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Errors
    ///
    /// Fails if there was no item in time that was not [kept for another thread](Self#fairness), or once the
    /// buffer is closed and empty.
    ///
    /// ```
    /// use lockwork::{BoundedBuffer, GetTimeoutError};
    /// use std::time::Duration;
    ///
    /// let buffer = BoundedBuffer::<i32>::new(1);
    /// assert_eq!(buffer.get_for(Duration::from_millis(1)), Err(GetTimeoutError::Timeout));
    /// ```
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn get_for(&self, timeout: Duration) -> Result<T, GetTimeoutError> {
        self.core.get(TimeLimit::within(timeout, self.core.call(Mode::Get)))
    }

    /// Takes the first item, blocking until `deadline` at most while the buffer is empty.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Errors
    ///
    /// As [`get_for`](Self::get_for).
    ///
    /// ```
    /// use lockwork::{BoundedBuffer, GetTimeoutError};
    /// use std::time::Instant;
    ///
    /// let buffer = BoundedBuffer::new(1);
    /// buffer.put(1).unwrap();
    /// let now = Instant::now();
    /// assert_eq!(buffer.get_until(now), Ok(1));
    /// assert_eq!(buffer.get_until(now), Err(GetTimeoutError::Timeout));
    /// ```
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn get_until(&self, deadline: Instant) -> Result<T, GetTimeoutError> {
        self.core.get(TimeLimit::until(deadline, self.core.call(Mode::Get)))
    }

    /// Closes the buffer: no more items come in. Putting fails from now on, also for threads that wait for
    /// room; getting takes what is there and then fails.
    ///
    /// A closed buffer cannot be opened again, and closing it once more does nothing. The call may spin and
    /// yield while another thread queues or leaves, and never sleeps.
    ///
    /// ```
    /// use lockwork::BoundedBuffer;
    ///
    /// let buffer = BoundedBuffer::new(2);
    /// buffer.put(1).unwrap();
    /// buffer.close();
    /// assert!(buffer.put(2).is_err());
    /// assert_eq!(buffer.get(), Ok(1));
    /// assert!(buffer.get().is_err());
    /// ```
    pub fn close(&self) {
        self.core.close();
    }

    /// Closes the buffer as [`close`](Self::close) does, and empties it: getting fails from now on too.
    /// Returns what was in it, in order.
    ///
    /// The items returned count as done. Threads in [`join`](Self::join) are released if no others are
    /// unfinished; otherwise they wait for those that have been taken and not been reported done. May follow
    /// `close`; the second time there is nothing left to return. Unlike `close` it may sleep, for calls of
    /// other threads that are putting an item or reporting one as done.
    ///
    /// ```
    /// use lockwork::BoundedBuffer;
    ///
    /// let buffer = BoundedBuffer::new(2);
    /// buffer.put_all([1, 2]).unwrap();
    /// assert_eq!(buffer.close_now(), [1, 2]);
    /// assert!(buffer.get().is_err());
    /// assert_eq!(buffer.unfinished(), 0);
    /// ```
    pub fn close_now(&self) -> Vec<T> {
        self.core.close_now()
    }

    /// Returns whether it was closed just now. Once closed it stays closed.
    ///
    /// ```
    /// let buffer = lockwork::BoundedBuffer::<u8>::new(1);
    /// assert!(!buffer.is_closed());
    /// buffer.close();
    /// assert!(buffer.is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.core.is_closed()
    }

    /// Returns how many items were in it just now; it may be otherwise by the time the answer is looked at.
    ///
    /// ```
    /// let buffer = lockwork::BoundedBuffer::new(3);
    /// buffer.put('a').unwrap();
    /// assert_eq!(buffer.len(), 1);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.core.len()
    }

    /// Returns whether it was empty just now; it may be otherwise by the time the answer is looked at.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether it was full just now; it may be otherwise by the time the answer is looked at.
    ///
    /// ```
    /// let buffer = lockwork::BoundedBuffer::new(1);
    /// assert!(buffer.is_empty() && !buffer.is_full());
    /// buffer.put('a').unwrap();
    /// assert!(buffer.is_full() && !buffer.is_empty());
    /// ```
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// Returns how many items it has room for: what was given to [`new`](Self::new).
    #[must_use]
    #[inline]
    pub const fn capacity(&self) -> usize {
        self.core.store().capacity()
    }

    /// Returns an iterator that takes items, blocking while the buffer is empty, and ends when it is closed
    /// and empty.
    ///
    /// `for item in &buffer` uses it. Any number of threads may iterate at the same time; each item goes to
    /// one.
    ///
    /// ```
    /// use lockwork::BoundedBuffer;
    ///
    /// let buffer = BoundedBuffer::new(3);
    /// buffer.put_all([1, 2, 3]).unwrap();
    /// buffer.close();
    /// assert_eq!(buffer.iter().sum::<i32>(), 6);
    /// ```
    pub fn iter(&self) -> BufferIter<'_, T> {
        BufferIter { buffer: self }
    }

    /// Returns an iterator that takes items and ends, for the time being, whenever [`try_get`](Self::try_get)
    /// fails. It does not wait for items; like every call it waits for a put or a get that another thread is
    /// in the middle of.
    ///
    /// ```
    /// use lockwork::BoundedBuffer;
    ///
    /// let buffer = BoundedBuffer::new(3);
    /// buffer.put_all([1, 2]).unwrap();
    /// assert!(buffer.try_iter().eq([1, 2]));
    /// assert!(buffer.try_iter().eq([]));
    /// ```
    pub fn try_iter(&self) -> BufferTryIter<'_, T> {
        BufferTryIter { buffer: self }
    }
}

face!(rest of BoundedBuffer: Ring<T>, BufferIter, BufferTryIter;);
