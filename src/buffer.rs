//! [`BoundedBuffer`], its iterators and its errors.

use std::cell::LazyCell;
use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::iter::FusedIterator;
use std::mem;
use std::time::{Duration, Instant};

use crate::condvar::Condvar;
use crate::facade::{Advice, Deadline, budget, const_fn, polls, reached, spin_hint};
use crate::mutex::{Mutex, MutexGuard};
use crate::wait::{Adaptive, may_yield, yield_briefly};

/// A first-in, first-out queue of limited length between threads: putting waits while it is full, getting while it
/// is empty.
///
/// Use it to hand work from threads that make it to threads that do it, so that neither side runs away from the
/// other. Any number of threads may put and any number may get, through a reference or an [`Arc`](std::sync::Arc);
/// there are no sender and receiver halves. To guard a value that stays where it is use a [`Mutex`]; to signal
/// without handing anything over, an [`Event`](crate::Event).
///
/// # Examples
///
/// ```
/// use lockwork::BoundedBuffer;
///
/// let buffer = BoundedBuffer::new(2);
/// buffer.put("first").unwrap();
/// buffer.put("second").unwrap();
/// assert!(buffer.try_put("third").is_err(), "it is full");
/// assert_eq!(buffer.get(), Ok("first"));
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
///     JOBS.put_all(1..=20).expect("nobody has closed it yet");
///     JOBS.close();
/// });
/// assert_eq!(SQUARES.lock().iter().sum::<u64>(), 2870);
/// ```
///
/// # Blocking
///
/// Putting and getting lock a [`Mutex`] each, for the few instructions in which they move items; the `try_` forms
/// wait for nothing else. A call that must wait for room, or for an item, looks again for a while: for two
/// microseconds if that has been of use in this buffer lately, then about ten times with
/// [`yield_now`](std::thread::yield_now) before each look, for a tenth of a millisecond at most. Then it parks. It
/// looks longer if a thread that was asleep on the other side has just been woken. The
/// time limits of the `_for` and `_until` forms are for all of that.
///
/// Memory for items is allocated as the buffer fills for the first time, for twice its capacity at most, and kept.
///
/// # Fairness
///
/// Items leave in the order in which they came in; those of one thread in the order in which it put them. Among
/// threads that sleep, the one that has slept longest is woken first; a thread that comes by at that moment may take
/// the item or the room before it, and then it waits again. Threads that are awake and look again come before those
/// that sleep, sixteen times in a row at most.
///
/// # Memory ordering
///
/// What a thread did before it put an item happens before the get that returns the item; what it did before it
/// freed room, before the put that fills it. What a thread did before [`close`](Self::close) happens before whatever
/// follows a call that found the buffer closed, and what it did before [`task_done`](Self::task_done) before the
/// return of a [`join`](Self::join) that the call released.
///
/// # Reentrancy and deadlock
///
/// None of the caller's code runs while the buffer is locked: neither destructors of items nor the iterator given to
/// [`put_all`](Self::put_all). All of them may use the buffer. A thread that puts into a full buffer from which it
/// alone would get waits for ever; so does one that gets from an empty buffer that nobody fills or closes.
///
/// # Panics
///
/// [`new`](Self::new) panics if the capacity is 0, [`task_done`](Self::task_done) if it is called more often than
/// items were put. A panic in the iterator given to [`put_all`](Self::put_all) leaves what was put before in the
/// buffer.
///
/// # Differences from `std`, crossbeam and Python
///
/// From [`std::sync::mpsc::sync_channel`] and `crossbeam_channel::bounded`: one shared object instead of two halves,
/// so it is closed by [`close`](Self::close) and not by dropping; it can live in a static; it moves items in batches
/// and counts those that are not done yet; a capacity of 0, a rendezvous, is not offered. From std's alone: many
/// consumers, and time-outs on both sides. crossbeam's also take part in `select!`.
///
/// From Python's `queue.Queue`: always bounded, and the errors of a put give the item back. `task_done` and `join`
/// have the same contract; [`close`](Self::close) is `shutdown()`, and [`close_now`](Self::close_now), which is
/// `shutdown(immediate=True)`, returns what was left.
///
/// # Implementation notes
///
/// Two halves, each a [`VecDeque`] behind a [`Mutex`] on cache lines of its own: putters fill one, getters empty the
/// other, and a getter that finds its own empty takes over everything from the other half, and tells it of all places
/// that became free. One thread at a time is woken for what there is; if it leaves something it wakes the next. What
/// was weighed is in `docs/decisions/0005-two-halves-of-a-buffer.md`.
pub struct BoundedBuffer<T> {
    capacity: usize,
    inlet: Inlet<T>,
    outlet: Outlet<T>,
    /// Of items in the putters' half.
    items: News,
    /// Of free places in the putters' half.
    places: News,
    /// All are notified when no item is unfinished any more. Waited for with `puts` locked.
    finished: Condvar,
}

/// The putters' half, on cache lines of its own.
///
/// An item goes in here and, when the other half has run empty, over to it together with all others. A place that
/// became free goes the other way. Whoever locks both halves locks this one first.
///
/// Invariants, whenever neither half is locked:
///
/// 1. The items in both queues and the free places of both halves are as many as the capacity.
/// 2. The items in `gets` are older than those in `puts`.
/// 3. If a getter sleeps un-notified while there is an item, a getter is awake that looks at both halves before it
///    sleeps or returns: one that was notified ([`Side::woken`]) or polls ([`Side::polling`]). The same of putters
///    and free places. When it finds more than it takes it wakes the next.
///
/// What keeps 3: the lock with which getters go to sleep is `puts`, and items come into being under `puts`; that with
/// which putters go to sleep is `gets`, and places become free under `gets`. Before it sleeps a thread has seen with
/// both locked that there is nothing, and it holds its own from then on until it is in the queue of its condition
/// variable. Whoever makes the first item or place after that wakes it with the same lock held.
#[repr(C, align(128))]
struct Inlet<T> {
    puts: Mutex<Puts<T>>,
    /// Getters sleep here, with `puts` locked.
    items: Condvar,
}

/// The getters' half, on cache lines of its own. See [`Inlet`].
#[repr(C, align(128))]
struct Outlet<T> {
    gets: Mutex<Gets<T>>,
    /// Putters sleep here, with `gets` locked.
    room: Condvar,
}

/// What the putters' lock guards. With the lock, what an ordinary put needs is one cache line.
#[repr(C)]
struct Puts<T> {
    queue: VecDeque<T>,
    /// Free places that putters know of. There may be others: [`Gets::freed`].
    room: usize,
    /// Items put and not yet reported done, but for those that [`Gets::unfinished`] counts.
    unfinished: u64,
    getters: Side,
    closed: bool,
    /// How often the last unfinished item was reported done. Tells a joiner that it was, even if there are new ones.
    rounds: u64,
}

/// What the getters' lock guards.
#[repr(C)]
struct Gets<T> {
    queue: VecDeque<T>,
    /// Places that became free and that putters do not know of.
    freed: usize,
    /// Items put and not yet reported done, but for those that [`Puts::unfinished`] counts. Wider than a length:
    /// whoever never reports must not overflow it.
    unfinished: u64,
    putters: Side,
}

/// Those of one side who wait for the other.
struct Side {
    /// One was notified and has not come yet. While it is on its way nobody else is notified.
    woken: bool,
    /// How many poll.
    polling: u16,
    /// How often nobody was notified because others polled.
    passed_over: u16,
}

/// What a thread was doing before it looks at both halves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Polling,
    Notified,
}

impl Side {
    const NEW: Self = Self { woken: false, polling: 0, passed_over: 0 };

    /// How often those who poll may come before those who sleep.
    const PATIENCE: u16 = budget(16, 2) as u16;

    /// Sees to it that one of this side comes, now that there is something for it.
    #[inline]
    fn wake(&mut self, condvar: &Condvar) {
        if self.woken {
            return;
        }
        if self.polling != 0 {
            self.passed_over += 1;
            if self.passed_over < Self::PATIENCE {
                return;
            }
        }
        self.passed_over = 0;
        // Under the lock, hence exact: a thread that has timed out is not in the queue any more.
        self.woken = condvar.notify_one();
    }

    /// One has come, and looks at both halves.
    fn come(&mut self, before: Before) {
        match before {
            Before::Nothing => {}
            Before::Polling => self.polling -= 1,
            Before::Notified => self.woken = false,
        }
    }
}

/// What the threads of one side look at while they spin, on a line that is written when something has changed for them, and
/// not at every item: one that looks at the lock instead takes its line from those it waits for.
///
/// It may be wrong. Told of what is gone by then, a thread locks in vain; told too late, it has spun in vain.
#[repr(C, align(128))]
struct News {
    /// Whether there is something to come for.
    told: Advice,
    /// [`Eager`] about spinning before they poll.
    eager: Advice,
}

/// One wait in which spinning was of use outweighs two in vain.
type Eager = Adaptive<2, 1, 8, 8>;

impl News {
    const_fn! {
        fn new(told: bool) -> Self {
            Self { told: Advice::new(if told { 1 } else { 0 }), eager: Advice::new(0) }
        }
    }

    #[inline]
    fn is_told(&self) -> bool {
        self.told.get() != 0
    }

    #[inline]
    fn tell(&self) {
        self.told.set(1);
    }

    #[inline]
    fn forget(&self) {
        self.told.set(0);
    }
}

impl<T> Puts<T> {
    fn has_news_for_putters(&self) -> bool {
        self.room != 0 || self.closed
    }

    fn has_news_for_getters(&self) -> bool {
        !self.queue.is_empty() || self.closed
    }

    /// Makes memory for `additional` more items, for which there is room in a buffer of `capacity`.
    #[inline]
    fn reserve(&mut self, additional: usize, capacity: usize) {
        if self.queue.capacity() - self.queue.len() < additional {
            self.grow(additional, capacity);
        }
    }

    #[cold]
    fn grow(&mut self, additional: usize, capacity: usize) {
        let (len, allocated) = (self.queue.len(), self.queue.capacity());
        let wanted = allocated.saturating_mul(2).max(len + additional).max(4).min(capacity);
        self.queue.reserve_exact(wanted - len);
    }
}

/// Both halves locked.
struct Both<'a, T> {
    puts: MutexGuard<'a, Puts<T>>,
    gets: MutexGuard<'a, Gets<T>>,
}

impl<T> Both<'_, T> {
    fn len(&self) -> usize {
        self.gets.queue.len() + self.puts.queue.len()
    }

    fn pop(&mut self) -> Option<T> {
        let item = self.gets.queue.pop_front().or_else(|| self.puts.queue.pop_front())?;
        self.gets.freed += 1;
        Some(item)
    }

    /// Takes the first `count` items, of which there are so many.
    fn pop_many(&mut self, count: usize, out: &mut Vec<T>) {
        let older = count.min(self.gets.queue.len());
        out.extend(self.gets.queue.drain(..older));
        out.extend(self.puts.queue.drain(..count - older));
        self.gets.freed += count;
    }

    /// Tells putters of all free places.
    fn harvest(&mut self) {
        self.puts.room += mem::take(&mut self.gets.freed);
    }

    /// Moves everything to where the next of either side looks first.
    fn exchange(&mut self) {
        self.harvest();
        self.gets.unfinished += mem::take(&mut self.puts.unfinished);
        if self.gets.queue.is_empty() {
            mem::swap(&mut self.gets.queue, &mut self.puts.queue);
        }
    }

    fn unfinished(&self) -> u64 {
        self.gets.unfinished + self.puts.unfinished
    }

    /// Takes `n` items off the unfinished ones, or as many as there are: some of those in the queues may have been
    /// reported done already. Says whether the last of them went.
    fn finish(&mut self, n: usize) -> bool {
        let left = self.unfinished();
        let n = left.min(n as u64);
        self.puts.unfinished = 0;
        self.gets.unfinished = left - n;
        let finished = n != 0 && left == n;
        self.puts.rounds += u64::from(finished);
        finished
    }
}

/// Why a call does not go on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Refused {
    Timeout,
    Closed,
}

impl<T> BoundedBuffer<T> {
    /// The most items that `put_all` takes from its iterator before it puts them.
    const CHUNK: usize = 64;

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
            let puts = Puts {
                queue: VecDeque::new(),
                room: capacity,
                unfinished: 0,
                getters: Side::NEW,
                closed: false,
                rounds: 0,
            };
            let gets = Gets { queue: VecDeque::new(), freed: 0, unfinished: 0, putters: Side::NEW };
            Self {
                capacity,
                inlet: Inlet { puts: Mutex::new(puts), items: Condvar::new() },
                outlet: Outlet { gets: Mutex::new(gets), room: Condvar::new() },
                items: News::new(false),
                places: News::new(true),
                finished: Condvar::new(),
            }
        }
    }

    /// Puts an item at the end, waiting while the buffer is full.
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
    pub fn put(&self, item: T) -> Result<(), PutError<T>> {
        self.put_by(item, || Deadline::NEVER).map_err(|error| PutError(error.into_inner()))
    }

    /// Puts an item at the end if there is room just now.
    ///
    /// # Errors
    ///
    /// Gives the item back if the buffer is full or closed.
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
        let mut puts = self.inlet.puts.lock();
        if puts.closed {
            return Err(TryPutError::Closed(item));
        }
        if puts.room == 0 {
            puts = self.harvest(puts, 1, Before::Nothing).puts;
            if puts.room == 0 {
                return Err(TryPutError::Full(item));
            }
        }
        self.push(puts, item);
        Ok(())
    }

    /// Puts an item at the end, waiting `timeout` at most while the buffer is full. [`Duration::ZERO`] tries once,
    /// [`Duration::MAX`] waits for ever.
    ///
    /// # Errors
    ///
    /// Gives the item back if there was no room in time, or if the buffer is closed or is closed while the call
    /// waits.
    ///
    /// ```
    /// use lockwork::{BoundedBuffer, PutTimeoutError};
    /// use std::time::Duration;
    ///
    /// let buffer = BoundedBuffer::new(1);
    /// buffer.put(1).unwrap();
    /// assert_eq!(buffer.put_for(2, Duration::from_millis(1)), Err(PutTimeoutError::Timeout(2)));
    /// ```
    pub fn put_for(&self, item: T, timeout: Duration) -> Result<(), PutTimeoutError<T>> {
        self.put_by(item, || Deadline::after(timeout))
    }

    /// Puts an item at the end, waiting until `deadline` at most while the buffer is full. A deadline in the past
    /// tries once.
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
    pub fn put_until(&self, item: T, deadline: Instant) -> Result<(), PutTimeoutError<T>> {
        self.put_by(item, || Deadline::at(deadline))
    }

    /// Puts all items of an iterator at the end, in order, waiting for room as often as need be. Returns how many
    /// there were.
    ///
    /// Items of other threads may come in between. The iterator runs without the lock. If it promises more items
    /// (by the lower bound of its [`size_hint`](Iterator::size_hint)), up to 64 for which there seems to be room are
    /// taken from it and put together; one that promises nothing, such as another buffer's [`iter`](Self::iter), has
    /// every item put before it is asked for the next. It is not asked again once it has ended.
    ///
    /// There is no timed form, for nobody could bound the iterator's own time: use [`put_until`](Self::put_until) in a
    /// loop. An iterator whose next item waits for an answer to an earlier one can [hang](crate::guide::limits) in here.
    ///
    /// If the iterator panics, what was put stays in the buffer, and what was taken from it before is put as well, as
    /// far as there is room without waiting.
    ///
    /// # Errors
    ///
    /// Fails if the buffer is closed before everything was put. The error says how many items were put, and gives
    /// back those that were taken from the iterator and not put. To keep the others too, pass the iterator by
    /// reference.
    ///
    /// ```
    /// use lockwork::BoundedBuffer;
    ///
    /// let buffer = BoundedBuffer::new(10);
    /// assert_eq!(buffer.put_all(["a", "b"]), Ok(2));
    /// buffer.close();
    ///
    /// let mut more = ["c", "d"].into_iter();
    /// let error = buffer.put_all(more.by_ref()).unwrap_err();
    /// assert_eq!(error.put, 0);
    /// let unsent: Vec<_> = error.rest.into_iter().chain(more).collect();
    /// assert_eq!(unsent, ["c", "d"]);
    /// ```
    pub fn put_all<I>(&self, items: I) -> Result<usize, PutAllError<T>>
    where
        I: IntoIterator<Item = T>,
    {
        let mut items = items.into_iter();
        let mut chunk = Chunk { buffer: self, items: VecDeque::new() };
        let (mut put, mut room) = (0, self.capacity);
        loop {
            let limit = items.size_hint().0.min(room).clamp(1, Self::CHUNK);
            // One by one: what was taken before a panic is in the chunk.
            items.by_ref().take(limit).for_each(|item| chunk.items.push_back(item));
            let ended = chunk.items.len() < limit;
            while !chunk.items.is_empty() {
                match self.put_some(&mut chunk.items, || Deadline::NEVER) {
                    Ok((moved, left)) => {
                        put += moved;
                        room = left;
                    }
                    Err(_) => return Err(PutAllError { put, rest: mem::take(&mut chunk.items).into() }),
                }
            }
            if ended {
                return Ok(put);
            }
        }
    }

    /// Takes the first item, waiting while the buffer is empty.
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
    pub fn get(&self) -> Result<T, GetError> {
        self.get_by(|| Deadline::NEVER).map_err(|_| GetError)
    }

    /// Takes the first item if there is one just now.
    ///
    /// # Errors
    ///
    /// Fails if the buffer is empty, and says whether it is closed as well.
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
        if let Some(item) = self.pop() {
            return Ok(item);
        }
        let mut both = self.lock_both();
        match both.pop() {
            Some(item) => {
                self.leave(both);
                Ok(item)
            }
            None if both.puts.closed => Err(TryGetError::Closed),
            None => Err(TryGetError::Empty),
        }
    }

    /// Takes the first item, waiting `timeout` at most while the buffer is empty. [`Duration::ZERO`] tries once,
    /// [`Duration::MAX`] waits for ever.
    ///
    /// # Errors
    ///
    /// Fails if there was no item in time, or once the buffer is closed and empty.
    ///
    /// ```
    /// use lockwork::{BoundedBuffer, GetTimeoutError};
    /// use std::time::Duration;
    ///
    /// let buffer = BoundedBuffer::<i32>::new(1);
    /// assert_eq!(buffer.get_for(Duration::from_millis(1)), Err(GetTimeoutError::Timeout));
    /// ```
    pub fn get_for(&self, timeout: Duration) -> Result<T, GetTimeoutError> {
        self.get_by(|| Deadline::after(timeout))
    }

    /// Takes the first item, waiting until `deadline` at most while the buffer is empty. A deadline in the past
    /// tries once.
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
    pub fn get_until(&self, deadline: Instant) -> Result<T, GetTimeoutError> {
        self.get_by(|| Deadline::at(deadline))
    }

    /// Waits while the buffer is empty, then takes what is there, `max` items at most, and appends it to `out`.
    /// Returns how many items it took: at least one, unless `max` is 0, which never waits and never fails.
    ///
    /// The items are neighbours: no other thread gets one in between. Memory for them is allocated without the lock.
    ///
    /// # Errors
    ///
    /// Fails once the buffer is closed and empty, and leaves `out` as it was.
    ///
    /// # Panics
    ///
    /// Panics, as [`Vec::reserve`] does, if `out` grew beyond `isize::MAX` bytes; the items stay in the buffer.
    ///
    /// ```
    /// use lockwork::{BoundedBuffer, GetError};
    ///
    /// let buffer = BoundedBuffer::new(10);
    /// buffer.put_all(1..=5).unwrap();
    /// buffer.close();
    ///
    /// let mut batch = Vec::new();
    /// assert_eq!(buffer.get_many(&mut batch, 3), Ok(3));
    /// assert_eq!(buffer.get_many(&mut batch, 3), Ok(2));
    /// assert_eq!(buffer.get_many(&mut batch, 3), Err(GetError));
    /// assert_eq!(batch, [1, 2, 3, 4, 5]);
    /// ```
    pub fn get_many(&self, out: &mut Vec<T>, max: usize) -> Result<usize, GetError> {
        self.get_many_by(out, max, || Deadline::NEVER).map_err(|_| GetError)
    }

    /// Takes what is there just now, `max` items at most, and appends it to `out`. Returns how many items it took: at
    /// least one, unless `max` is 0, which never fails. See [`get_many`](Self::get_many).
    ///
    /// # Errors
    ///
    /// Fails if the buffer is empty, and says whether it is closed as well; leaves `out` as it was.
    ///
    /// # Panics
    ///
    /// As [`get_many`](Self::get_many).
    ///
    /// ```
    /// use lockwork::{BoundedBuffer, TryGetError};
    ///
    /// let (buffer, mut batch) = (BoundedBuffer::new(3), Vec::new());
    /// assert_eq!(buffer.try_get_many(&mut batch, 3), Err(TryGetError::Empty));
    /// buffer.put_all(["a", "b"]).unwrap();
    /// assert_eq!(buffer.try_get_many(&mut batch, 3), Ok(2));
    /// assert_eq!(batch, ["a", "b"]);
    /// ```
    pub fn try_get_many(&self, out: &mut Vec<T>, max: usize) -> Result<usize, TryGetError> {
        self.get_many_by(out, max, || Deadline::after(Duration::ZERO)).map_err(|error| match error {
            GetTimeoutError::Timeout => TryGetError::Empty,
            GetTimeoutError::Closed => TryGetError::Closed,
        })
    }

    /// [`get_many`](Self::get_many) that waits `timeout` at most for the first item. [`Duration::ZERO`] tries once,
    /// [`Duration::MAX`] waits for ever.
    ///
    /// # Errors
    ///
    /// Fails if there was no item in time, or once the buffer is closed and empty; leaves `out` as it was.
    ///
    /// # Panics
    ///
    /// As [`get_many`](Self::get_many).
    ///
    /// ```
    /// use lockwork::BoundedBuffer;
    /// use std::time::Duration;
    ///
    /// let (buffer, mut batch) = (BoundedBuffer::new(3), Vec::new());
    /// buffer.put_all([1, 2, 3]).unwrap();
    /// assert_eq!(buffer.get_many_for(&mut batch, 10, Duration::from_millis(1)), Ok(3));
    /// assert!(buffer.get_many_for(&mut batch, 10, Duration::from_millis(1)).unwrap_err().is_timeout());
    /// ```
    pub fn get_many_for(
        &self,
        out: &mut Vec<T>,
        max: usize,
        timeout: Duration,
    ) -> Result<usize, GetTimeoutError> {
        self.get_many_by(out, max, || Deadline::after(timeout))
    }

    /// [`get_many`](Self::get_many) that waits until `deadline` at most for the first item. A deadline in the past
    /// tries once.
    ///
    /// # Errors
    ///
    /// As [`get_many_for`](Self::get_many_for).
    ///
    /// # Panics
    ///
    /// As [`get_many`](Self::get_many).
    pub fn get_many_until(
        &self,
        out: &mut Vec<T>,
        max: usize,
        deadline: Instant,
    ) -> Result<usize, GetTimeoutError> {
        self.get_many_by(out, max, || Deadline::at(deadline))
    }

    /// Closes the buffer: no more items come in. Putting fails from now on, also for threads that wait for room;
    /// getting takes what is there and then fails.
    ///
    /// Closing it twice is closing it once; it cannot be opened again.
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
        let mut puts = self.inlet.puts.lock();
        let was_closed = mem::replace(&mut puts.closed, true);
        // A putter that has seen it open is asleep by the time we have this lock, or looks again.
        let gets = self.outlet.gets.lock();
        drop((gets, puts));
        self.closed(was_closed);
    }

    /// [Closes](Self::close) the buffer and empties it: getting fails from now on too. Returns what was in it, in
    /// order.
    ///
    /// The items returned count as done. Threads in [`join`](Self::join) are released if no others are unfinished;
    /// otherwise they wait for those that have been taken and not been reported done. May follow `close`; the second
    /// time there is nothing left to return.
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
        let mut both = self.lock_both();
        let was_closed = mem::replace(&mut both.puts.closed, true);
        both.exchange();
        let mut left = mem::take(&mut both.gets.queue);
        left.append(&mut both.puts.queue);
        both.gets.freed += left.len();
        let finished = both.finish(left.len());
        drop(both);
        self.closed(was_closed);
        if finished {
            self.finished.notify_all();
        }
        left.into()
    }

    /// Whether it was closed just now. Once closed it stays closed.
    ///
    /// ```
    /// let buffer = lockwork::BoundedBuffer::<u8>::new(1);
    /// assert!(!buffer.is_closed());
    /// buffer.close();
    /// assert!(buffer.is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inlet.puts.lock().closed
    }

    /// How many items were in it just now; it may be otherwise by the time the answer is looked at.
    ///
    /// ```
    /// let buffer = lockwork::BoundedBuffer::new(3);
    /// buffer.put('a').unwrap();
    /// assert_eq!(buffer.len(), 1);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock_both().len()
    }

    /// Whether it was empty just now; it may be otherwise by the time the answer is looked at.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it was full just now; it may be otherwise by the time the answer is looked at.
    ///
    /// ```
    /// let buffer = lockwork::BoundedBuffer::new(1);
    /// assert!(buffer.is_empty() && !buffer.is_full());
    /// buffer.put('a').unwrap();
    /// assert!(buffer.is_full() && !buffer.is_empty());
    /// ```
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.len() == self.capacity
    }

    /// How many items it has room for: what was given to [`new`](Self::new).
    #[must_use]
    #[inline]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// An iterator that takes items, waiting while the buffer is empty, and ends when it is closed and empty.
    ///
    /// `for item in &buffer` uses it. Any number of threads may iterate at the same time; each item goes to one.
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

    /// An iterator that takes items and ends, for the time being, whenever the buffer is empty. Never waits.
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

    /// Reports that the work on one item taken from the buffer is done. See [`join`](Self::join).
    ///
    /// Whoever does not use `join` need not call it.
    ///
    /// # Panics
    ///
    /// Panics if no item is unfinished: it was called more often than items were put.
    ///
    /// ```
    /// use lockwork::BoundedBuffer;
    ///
    /// let buffer = BoundedBuffer::new(1);
    /// buffer.put("work").unwrap();
    /// buffer.get().unwrap();
    /// assert_eq!(buffer.unfinished(), 1);
    /// buffer.task_done();
    /// assert_eq!(buffer.unfinished(), 0);
    /// ```
    #[track_caller]
    pub fn task_done(&self) {
        if self.try_task_done().is_err() {
            panic!("BoundedBuffer::task_done: called more often than items were put");
        }
    }

    /// [`task_done`](Self::task_done) that does not panic.
    ///
    /// # Errors
    ///
    /// Fails, and changes nothing, if no item is unfinished.
    ///
    /// ```
    /// use lockwork::{BoundedBuffer, TaskDoneError};
    ///
    /// let buffer = BoundedBuffer::<u8>::new(1);
    /// assert_eq!(buffer.try_task_done(), Err(TaskDoneError));
    /// ```
    pub fn try_task_done(&self) -> Result<(), TaskDoneError> {
        let mut gets = self.outlet.gets.lock();
        if gets.unfinished > 1 {
            gets.unfinished -= 1;
            return Ok(());
        }
        drop(gets);
        let mut both = self.lock_both();
        if both.unfinished() == 0 {
            return Err(TaskDoneError);
        }
        let finished = both.finish(1);
        drop(both);
        if finished {
            self.finished.notify_all();
        }
        Ok(())
    }

    /// How many items were put and not yet reported done, be they in the buffer or taken from it.
    ///
    /// ```
    /// let buffer = lockwork::BoundedBuffer::new(2);
    /// buffer.put_all([1, 2]).unwrap();
    /// buffer.get().unwrap();
    /// assert_eq!(buffer.unfinished(), 2);
    /// ```
    #[must_use]
    pub fn unfinished(&self) -> usize {
        usize::try_from(self.lock_both().unfinished()).unwrap_or(usize::MAX)
    }

    /// Waits until every item that was put has been reported done by [`task_done`](Self::task_done).
    ///
    /// Returns at once if none is unfinished. Otherwise returns when the number has come down to 0, even if more
    /// items are put right after. Closing the buffer does not end the wait; [`close_now`](Self::close_now) does if
    /// nobody is at work on an item that was taken before.
    ///
    /// ```
    /// use lockwork::BoundedBuffer;
    /// use std::thread;
    ///
    /// static JOBS: BoundedBuffer<u32> = BoundedBuffer::new(4);
    ///
    /// thread::spawn(|| {
    ///     for _job in &JOBS {
    ///         // work on it, then
    ///         JOBS.task_done();
    ///     }
    /// });
    /// JOBS.put_all(0..10).unwrap();
    /// JOBS.join();
    /// assert_eq!(JOBS.unfinished(), 0);
    /// ```
    pub fn join(&self) {
        self.join_by(|| Deadline::NEVER);
    }

    /// [`join`](Self::join) for `timeout` at most. Says whether everything was done. [`Duration::ZERO`] asks and does
    /// not wait, [`Duration::MAX`] waits for ever.
    ///
    /// ```
    /// use lockwork::BoundedBuffer;
    /// use std::time::Duration;
    ///
    /// let buffer = BoundedBuffer::new(1);
    /// assert!(buffer.join_for(Duration::ZERO));
    /// buffer.put(1).unwrap();
    /// assert!(!buffer.join_for(Duration::from_millis(1)));
    /// ```
    pub fn join_for(&self, timeout: Duration) -> bool {
        self.join_by(|| Deadline::after(timeout))
    }

    /// [`join`](Self::join) until `deadline` at most. Says whether everything was done. A deadline in the past asks
    /// and does not wait.
    pub fn join_until(&self, deadline: Instant) -> bool {
        self.join_by(|| Deadline::at(deadline))
    }

    fn put_by(&self, item: T, deadline: impl FnOnce() -> Deadline) -> Result<(), PutTimeoutError<T>> {
        let deadline = LazyCell::new(deadline);
        let mut puts = self.enter(&self.places, Puts::has_news_for_putters, &deadline);
        if puts.room == 0 || puts.closed {
            match self.find_room(puts, 1, &deadline) {
                Ok(with_room) => puts = with_room,
                Err(Refused::Closed) => return Err(PutTimeoutError::Closed(item)),
                Err(Refused::Timeout) => return Err(PutTimeoutError::Timeout(item)),
            }
        }
        self.push(puts, item);
        Ok(())
    }

    /// Waits for room, then moves items from the front of `chunk`, which has some, as far as there is room. Returns
    /// how many, and how much room is left.
    fn put_some(
        &self,
        chunk: &mut VecDeque<T>,
        deadline: impl FnOnce() -> Deadline,
    ) -> Result<(usize, usize), Refused> {
        let deadline = LazyCell::new(deadline);
        let mut puts = self.enter(&self.places, Puts::has_news_for_putters, &deadline);
        if puts.room < chunk.len() || puts.closed {
            puts = self.find_room(puts, chunk.len(), &deadline)?;
        }
        let moved = chunk.len().min(puts.room);
        puts.reserve(moved, self.capacity);
        puts.queue.extend(chunk.drain(..moved));
        puts.room -= moved;
        puts.unfinished += moved as u64;
        let room = puts.room;
        self.has_put(puts);
        Ok((moved, room))
    }

    fn get_by(&self, deadline: impl FnOnce() -> Deadline) -> Result<T, GetTimeoutError> {
        // The only item is never in the getters' half: whoever finds it takes it (`leave`).
        if self.capacity != 1 {
            if let Some(item) = self.pop() {
                return Ok(item);
            }
        }
        let (both, item) = self.find_items(&LazyCell::new(deadline), |both| both.pop())?;
        self.leave(both);
        Ok(item)
    }

    fn get_many_by(
        &self,
        out: &mut Vec<T>,
        max: usize,
        deadline: impl FnOnce() -> Deadline,
    ) -> Result<usize, GetTimeoutError> {
        if max == 0 {
            return Ok(0);
        }
        let mut gets = self.outlet.gets.lock();
        if max <= gets.queue.len() && max <= out.capacity() - out.len() {
            out.extend(gets.queue.drain(..max));
            gets.freed += max;
            gets.putters.wake(&self.outlet.room);
            return Ok(max);
        }
        drop(gets);
        if max > out.capacity() - out.len() {
            // Room for what is there now, or for one that will be: a call without time to wait looks once.
            out.reserve(self.len().clamp(1, max));
        }
        let deadline = LazyCell::new(deadline);
        loop {
            let (mut both, count) =
                self.find_items(&deadline, |both| Some(both.len().min(max)).filter(|&n| n != 0))?;
            let room = out.capacity() - out.len();
            let taken = if count <= room || deadline.has_passed() { count.min(room) } else { 0 };
            both.pop_many(taken, out);
            // If more have come than fit we leave them for now, and for good if the allocation panics: somebody else may
            // have them.
            self.leave(both);
            if taken != 0 {
                return Ok(taken);
            }
            out.reserve(count);
        }
    }

    fn join_by(&self, deadline: impl FnOnce() -> Deadline) -> bool {
        let Both { mut puts, gets } = self.lock_both();
        if puts.unfinished + gets.unfinished == 0 {
            return true;
        }
        drop(gets);
        let rounds = puts.rounds;
        let deadline = deadline();
        if !deadline.has_passed() {
            // Tests once more when the time is up.
            let _ = self.finished.wait_while_deadline(&mut puts, |puts| puts.rounds == rounds, &deadline);
        }
        puts.rounds != rounds
    }

    /// Puts an item for which there is room in the putters' half.
    #[inline]
    fn push(&self, mut puts: MutexGuard<'_, Puts<T>>, item: T) {
        puts.reserve(1, self.capacity);
        puts.queue.push_back(item);
        puts.room -= 1;
        puts.unfinished += 1;
        self.has_put(puts);
    }

    /// Ends a put.
    #[inline]
    fn has_put(&self, mut puts: MutexGuard<'_, Puts<T>>) {
        puts.getters.wake(&self.inlet.items);
        if puts.room == 0 {
            self.places.forget();
        }
        drop(puts);
        // Whoever sees it finds the lock free.
        self.items.tell();
    }

    /// Takes an item from the getters' half, if there is one.
    #[inline]
    fn pop(&self) -> Option<T> {
        let mut gets = self.outlet.gets.lock();
        let item = gets.queue.pop_front()?;
        gets.freed += 1;
        gets.putters.wake(&self.outlet.room);
        Some(item)
    }

    /// Looks for room in both halves. If there is more than is `wanted`, sees to it that others know.
    fn harvest<'a>(&'a self, puts: MutexGuard<'a, Puts<T>>, wanted: usize, before: Before) -> Both<'a, T> {
        let mut both = Both { puts, gets: self.outlet.gets.lock() };
        both.gets.putters.come(before);
        both.harvest();
        if both.puts.room > wanted {
            both.gets.putters.wake(&self.outlet.room);
            self.places.tell();
        }
        both
    }

    fn lock_both(&self) -> Both<'_, T> {
        let puts = self.inlet.puts.lock();
        Both { puts, gets: self.outlet.gets.lock() }
    }

    /// Ends a get that had both halves locked.
    fn leave(&self, mut both: Both<'_, T>) {
        both.exchange();
        debug_assert!(self.capacity != 1 || both.gets.queue.is_empty(), "as `get_by` supposes");
        if both.puts.room != 0 {
            both.gets.putters.wake(&self.outlet.room);
        }
        if !both.gets.queue.is_empty() {
            both.puts.getters.wake(&self.inlet.items);
        }
        let empty = both.puts.queue.is_empty();
        let has_room = both.puts.room != 0;
        drop(both);
        // Not sooner: unlocking would wait for the line.
        if empty {
            self.items.forget();
        }
        if has_room {
            self.places.tell();
        }
    }

    /// Waits until there is room, unless there is. Looks for `wanted` places.
    #[cold]
    fn find_room<'a, D>(
        &'a self,
        mut puts: MutexGuard<'a, Puts<T>>,
        wanted: usize,
        deadline: &LazyCell<Deadline, D>,
    ) -> Result<MutexGuard<'a, Puts<T>>, Refused>
    where
        D: FnOnce() -> Deadline,
    {
        let mut before = Before::Nothing;
        let mut polled = polls(YIELDS) == 0 || !may_yield();
        loop {
            let both = self.harvest(puts, wanted, before);
            if both.puts.closed {
                return Err(Refused::Closed);
            }
            if both.puts.room != 0 {
                return Ok(both.puts);
            }
            if deadline.has_passed() {
                return Err(Refused::Timeout);
            }
            let on_its_way = both.puts.getters.woken;
            let Both { puts: unneeded, mut gets } = both;
            drop(unneeded);
            before = if !polled {
                gets.putters.polling += 1;
                drop(gets);
                poll(on_its_way, deadline, || {
                    self.outlet.gets.try_lock().is_some_and(|gets| gets.freed != 0)
                        || self.inlet.puts.try_lock().is_some_and(|puts| puts.has_news_for_putters())
                });
                polled = true;
                Before::Polling
            } else {
                let notified = self.outlet.room.sleep_deadline(&mut gets, deadline);
                // Never `puts` after `gets`.
                drop(gets);
                polled = !notified || polls(YIELDS) == 0;
                if notified { Before::Notified } else { Before::Nothing }
            };
            puts = self.inlet.puts.lock();
        }
    }

    /// Waits until there are items, unless there are, and has `take` take what it wants.
    #[cold]
    fn find_items<D, R>(
        &self,
        deadline: &LazyCell<Deadline, D>,
        take: impl Fn(&mut Both<'_, T>) -> Option<R>,
    ) -> Result<(Both<'_, T>, R), Refused>
    where
        D: FnOnce() -> Deadline,
    {
        let mut before = Before::Nothing;
        let mut polled = polls(YIELDS) == 0 || !may_yield();
        let mut puts = self.enter(&self.items, Puts::has_news_for_getters, deadline);
        loop {
            puts.getters.come(before);
            let mut both = Both { puts, gets: self.outlet.gets.lock() };
            if let Some(taken) = take(&mut both) {
                return Ok((both, taken));
            }
            if both.puts.closed {
                return Err(Refused::Closed);
            }
            if deadline.has_passed() {
                return Err(Refused::Timeout);
            }
            let on_its_way = both.gets.putters.woken;
            puts = both.puts;
            drop(both.gets);
            before = if !polled {
                puts.getters.polling += 1;
                drop(puts);
                poll(on_its_way, deadline, || {
                    self.inlet.puts.try_lock().is_some_and(|puts| puts.has_news_for_getters())
                        || self.outlet.gets.try_lock().is_some_and(|gets| !gets.queue.is_empty())
                });
                puts = self.inlet.puts.lock();
                polled = true;
                Before::Polling
            } else {
                let notified = self.inlet.items.sleep_deadline(&mut puts, deadline);
                polled = !notified || polls(YIELDS) == 0;
                if notified { Before::Notified } else { Before::Nothing }
            };
        }
    }

    /// Locks the putters' half for one who waits for what it is `ready` with. Unless it is, or the deadline has passed, looks
    /// at the news for about two microseconds first, if that has been of use lately. A getter that has emptied its half tells
    /// the other of all free places, so there the news of both sides is found; what becomes free in between is left to
    /// come in one batch.
    #[inline]
    fn enter<'a, D>(
        &'a self,
        news: &News,
        ready: fn(&Puts<T>) -> bool,
        deadline: &LazyCell<Deadline, D>,
    ) -> MutexGuard<'a, Puts<T>>
    where
        D: FnOnce() -> Deadline,
    {
        if HINTS == 0 || news.is_told() {
            let puts = self.inlet.puts.lock();
            if HINTS == 0 || ready(&puts) {
                return puts;
            }
            news.forget();
        }
        if !deadline.has_passed() && Eager::wants(&news.eager) {
            self.spin(news, ready)
        } else {
            self.inlet.puts.lock()
        }
    }

    #[cold]
    fn spin(&self, news: &News, ready: fn(&Puts<T>) -> bool) -> MutexGuard<'_, Puts<T>> {
        let pause = u32::try_from(self.capacity / 4).unwrap_or(u32::MAX).clamp(1, LONGEST_PAUSE);
        let mut left = HINTS;
        while left >= pause {
            left -= pause;
            for _ in 0..pause {
                spin_hint();
            }
            if news.is_told() {
                if let Some(puts) = self.inlet.puts.try_lock() {
                    if ready(&puts) {
                        Eager::learn(&news.eager, true);
                        return puts;
                    }
                    news.forget();
                }
            }
        }
        let puts = self.inlet.puts.lock();
        let of_use = ready(&puts);
        if of_use {
            // Somebody has forgotten it too late: it was news again by then.
            news.tell();
        }
        Eager::learn(&news.eager, of_use);
        puts
    }

    /// Wakes those whose wait a closing ends, unless an earlier one did.
    fn closed(&self, before: bool) {
        if !before {
            // All of them: whoever was woken for room and finds the buffer closed leaves the room.
            self.outlet.room.notify_all();
            self.inlet.items.notify_all();
            self.places.tell();
            self.items.tell();
        }
    }
}

/// How many hints a thread lets pass before it lets others run: about two microseconds.
const HINTS: u32 = budget(96, 0);
/// How many at most before each look. As many as a quarter of the places: in that time a batch comes together, and of a
/// buffer with few places nobody waits for batches.
const LONGEST_PAUSE: u32 = 32;
/// How often a thread lets others run before it sleeps.
const YIELDS: u32 = 10;
/// The same if one of the other side was woken and has not come yet: for about as long as a wake-up takes.
const YIELDS_FOR_THE_WOKEN: u32 = 200;
/// A yield may give away a whole time slice; then it is better to sleep, and to be woken.
const LONGEST_POLL: Duration = Duration::from_micros(100);

/// Lets others run until `look` says that it is worth to look closer, but not for long.
fn poll(on_its_way: bool, deadline: &Deadline, look: impl Fn() -> bool) {
    let limit = Deadline::after(LONGEST_POLL);
    for _ in 0..polls(if on_its_way { YIELDS_FOR_THE_WOKEN } else { YIELDS }) {
        let brief = yield_briefly();
        if look() {
            reached!("buffer poll of use");
            return;
        }
        if !brief || limit.has_passed() || deadline.has_passed() {
            break;
        }
    }
    reached!("buffer poll in vain");
}

impl From<Refused> for GetTimeoutError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Timeout => Self::Timeout,
            Refused::Closed => Self::Closed,
        }
    }
}

/// Items on their way from an iterator into a buffer.
struct Chunk<'a, T> {
    buffer: &'a BoundedBuffer<T>,
    items: VecDeque<T>,
}

impl<T> Drop for Chunk<'_, T> {
    /// Only an iterator that panics leaves items here. They came before the panic, and are put if they can be now.
    fn drop(&mut self) {
        if !self.items.is_empty() {
            let _ = self.buffer.put_some(&mut self.items, || Deadline::after(Duration::ZERO));
        }
    }
}

impl<'a, T> IntoIterator for &'a BoundedBuffer<T> {
    type Item = T;
    type IntoIter = BufferIter<'a, T>;

    /// [`iter`](BoundedBuffer::iter).
    fn into_iter(self) -> BufferIter<'a, T> {
        self.iter()
    }
}

impl<T> fmt::Debug for BoundedBuffer<T> {
    /// Shows how full it is, or `<locked>`: never blocks.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = self.inlet.puts.try_lock().and_then(|puts| {
            let gets = self.outlet.gets.try_lock()?;
            let both = Both { puts, gets };
            Some((both.len(), both.puts.closed))
        });
        let mut shown = f.debug_struct("BoundedBuffer");
        match seen {
            Some((len, closed)) => shown.field("len", &len).field("closed", &closed),
            None => shown.field("len", &format_args!("<locked>")),
        }
        .field("capacity", &self.capacity)
        .finish_non_exhaustive()
    }
}

/// Takes items from a [`BoundedBuffer`] and waits for them, see [`BoundedBuffer::iter`].
#[must_use = "an iterator takes nothing until it is asked to"]
pub struct BufferIter<'a, T> {
    buffer: &'a BoundedBuffer<T>,
}

impl<T> Iterator for BufferIter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.buffer.get().ok()
    }
}

/// A buffer that is closed and empty stays so.
impl<T> FusedIterator for BufferIter<'_, T> {}

/// Takes items from a [`BoundedBuffer`] and does not wait for them, see [`BoundedBuffer::try_iter`].
///
/// Not a [`FusedIterator`]: it goes on when there are items again.
#[must_use = "an iterator takes nothing until it is asked to"]
pub struct BufferTryIter<'a, T> {
    buffer: &'a BoundedBuffer<T>,
}

impl<T> Iterator for BufferTryIter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.buffer.try_get().ok()
    }
}

/// Iterators are references with a purpose.
macro_rules! iterator {
    ($($name:ident),+) => { $(
        impl<T> Clone for $name<'_, T> {
            fn clone(&self) -> Self {
                Self { buffer: self.buffer }
            }
        }

        impl<T> fmt::Debug for $name<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).field("buffer", self.buffer).finish()
            }
        }
    )+ };
}

iterator!(BufferIter, BufferTryIter);

/// The buffer is closed: what [`BoundedBuffer::put`] returns, with the item.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PutError<T>(pub T);

/// Why [`BoundedBuffer::try_put`] did not put the item, and the item.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TryPutError<T> {
    /// There was no room.
    Full(T),
    /// The buffer is closed.
    Closed(T),
}

/// Why [`BoundedBuffer::put_for`] or [`BoundedBuffer::put_until`] did not put the item, and the item.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PutTimeoutError<T> {
    /// There was no room in time.
    Timeout(T),
    /// The buffer is closed.
    Closed(T),
}

/// The buffer is closed: what [`BoundedBuffer::put_all`] returns, with what it could not put.
#[derive(Clone, PartialEq, Eq)]
pub struct PutAllError<T> {
    /// How many items were put.
    pub put: usize,
    /// The items that were taken from the iterator and not put, in order. At least one.
    pub rest: Vec<T>,
}

/// The buffer is closed and empty: what [`BoundedBuffer::get`] and [`BoundedBuffer::get_many`] return.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct GetError;

/// Why [`BoundedBuffer::try_get`] got nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryGetError {
    /// There was no item.
    Empty,
    /// The buffer is closed and empty.
    Closed,
}

/// Why [`BoundedBuffer::get_for`] or [`BoundedBuffer::get_until`] got nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GetTimeoutError {
    /// There was no item in time.
    Timeout,
    /// The buffer is closed and empty.
    Closed,
}

/// No item is unfinished: what [`BoundedBuffer::try_task_done`] returns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TaskDoneError;

impl<T> PutError<T> {
    /// The item.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> TryPutError<T> {
    /// The item.
    #[must_use]
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(item) | Self::Closed(item) => item,
        }
    }

    /// Whether there was no room.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }

    /// Whether the buffer is closed.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(_))
    }
}

impl<T> PutTimeoutError<T> {
    /// The item.
    #[must_use]
    pub fn into_inner(self) -> T {
        match self {
            Self::Timeout(item) | Self::Closed(item) => item,
        }
    }

    /// Whether there was no room in time.
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout(_))
    }

    /// Whether the buffer is closed.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(_))
    }
}

impl<T> PutAllError<T> {
    /// The items that were taken from the iterator and not put, in order.
    #[must_use]
    pub fn into_inner(self) -> Vec<T> {
        self.rest
    }
}

impl TryGetError {
    /// Whether there was no item.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// Whether the buffer is closed and empty.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }
}

impl GetTimeoutError {
    /// Whether there was no item in time.
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout)
    }

    /// Whether the buffer is closed and empty.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }
}

impl<T> From<PutError<T>> for TryPutError<T> {
    fn from(error: PutError<T>) -> Self {
        Self::Closed(error.0)
    }
}

impl<T> From<PutError<T>> for PutTimeoutError<T> {
    fn from(error: PutError<T>) -> Self {
        Self::Closed(error.0)
    }
}

impl From<GetError> for TryGetError {
    fn from(_: GetError) -> Self {
        Self::Closed
    }
}

impl From<GetError> for GetTimeoutError {
    fn from(_: GetError) -> Self {
        Self::Closed
    }
}

impl<T> fmt::Debug for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PutError({self}, ..)")
    }
}

impl<T> fmt::Debug for TryPutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Closed(_) => "Closed(..)",
        })
    }
}

impl<T> fmt::Debug for PutTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout(_) => "Timeout(..)",
            Self::Closed(_) => "Closed(..)",
        })
    }
}

impl<T> fmt::Debug for PutAllError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PutAllError")
            .field("reason", &format_args!("{CLOSED}"))
            .field("put", &self.put)
            .field("rest", &format_args!("[..; {}]", self.rest.len()))
            .finish()
    }
}

/// Says why, for `unwrap`.
impl fmt::Debug for GetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GetError({self})")
    }
}

/// Says why, for `unwrap`.
impl fmt::Debug for TaskDoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskDoneError({self})")
    }
}

/// What an error says, whatever its item is.
const CLOSED: &str = "the buffer is closed";
const CLOSED_AND_EMPTY: &str = "the buffer is closed and empty";

impl<T> fmt::Display for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(CLOSED)
    }
}

impl<T> fmt::Display for TryPutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the buffer is full",
            Self::Closed(_) => CLOSED,
        })
    }
}

impl<T> fmt::Display for PutTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout(_) => "timed out waiting for room in the buffer",
            Self::Closed(_) => CLOSED,
        })
    }
}

impl<T> fmt::Display for PutAllError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the buffer was closed after {} items were put", self.put)
    }
}

impl fmt::Display for GetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(CLOSED_AND_EMPTY)
    }
}

impl fmt::Display for TryGetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the buffer is empty",
            Self::Closed => CLOSED_AND_EMPTY,
        })
    }
}

impl fmt::Display for GetTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "timed out waiting for an item in the buffer",
            Self::Closed => CLOSED_AND_EMPTY,
        })
    }
}

impl fmt::Display for TaskDoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("more tasks reported done than items were put")
    }
}

impl<T> Error for PutError<T> {}
impl<T> Error for TryPutError<T> {}
impl<T> Error for PutTimeoutError<T> {}
impl<T> Error for PutAllError<T> {}
impl Error for GetError {}
impl Error for TryGetError {}
impl Error for GetTimeoutError {}
impl Error for TaskDoneError {}
