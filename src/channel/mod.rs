//! Channels with `crossbeam_channel`'s names: a buffer whose two sides close it when they are gone.
//!
//! [`bounded`] and [`unbounded`] make a channel and return its two halves. Both can be cloned and shared: a
//! message goes to one of the receivers. When the last [`Sender`] is dropped, receivers get what is queued
//! and then an error; when the last [`Receiver`] is dropped, senders get one at once.
//!
//! Use a channel where its halves have owners, and its end follows from theirs. Where the threads share one
//! thing that is closed by a call, or need to know when all work is done, use the [`BoundedBuffer`] in it.
//!
//! ```
//! use lockwork::channel; // was: use crossbeam_channel as channel;
//! use std::thread;
//!
//! let (sender, receiver) = channel::bounded(2);
//! for worker in 0..3 {
//!     let sender = sender.clone();
//!     thread::spawn(move || {
//!         for task in 0..4 {
//!             sender.send((worker, task)).unwrap(); // blocks while two messages are queued
//!         }
//!     });
//! }
//! drop(sender);
//! let mut all: Vec<_> = receiver.iter().collect(); // ends when the three are done
//! all.sort();
//! assert_eq!(all.len(), 12);
//! assert_eq!(all[0], (0, 0));
//! ```
//!
//! # Blocking, fairness and memory ordering
//!
//! Those of [`BoundedBuffer`]: first in, first out; what a thread did before it sent a message happens before
//! its receipt.
//!
//! # Differences from `crossbeam_channel` and `std::sync::mpsc`
//!
//! From `crossbeam_channel`: instead of `select!` there is [`wait_any`](crate::wait_any), to which
//! `&receiver` and [`sender.sending(message)`](Sender::sending) can be given beside the signals, permits and
//! buffers of this crate; no rendezvous (capacity 0), and no `after`, `tick` and `never`. What is queued when
//! the last receiver goes is dropped then, in a bounded channel too, where `crossbeam_channel` keeps it until
//! the last sender has gone. While a message or a place is kept for a thread that has been the first to sleep
//! for half a millisecond, `try_recv` fails though [`len`](Receiver::len) is not zero, and `try_send` though
//! the channel [is not full](Sender::is_full). Names, signatures and messages of errors are the same
//! otherwise. From [`std::sync::mpsc`]: receivers can be cloned and shared. The guides [from
//! crossbeam](crate::guide::from_crossbeam) and [from `std`](crate::guide::from_std) have the tables.
//!
//! # Implementation notes
//!
//! Each half is an `Arc` of a [`BoundedBuffer`] and one of its side, whose drop closes the buffer. An
//! unbounded channel is a buffer whose capacity is `usize::MAX`.

mod any;
mod error;
mod iter;

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::facade::contain;
use crate::{BoundedBuffer, GetTimeoutError, PutTimeoutError, TryGetError, TryPutError};

pub use self::any::Sending;
pub use self::error::{RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError};
pub use self::iter::{IntoIter, Iter, TryIter};

/// Makes a channel in which at most `capacity` messages are queued, and returns its halves.
///
/// # Panics
///
/// If `capacity` is 0: there is no rendezvous. For a hand-over that the receiver has to acknowledge send the
/// sender of a second channel, or a [`Latch`](crate::Latch), along with the message.
///
/// ```
/// use lockwork::channel::{TrySendError, bounded};
/// use std::thread;
///
/// let (sender, receiver) = bounded(1);
/// sender.send(1).unwrap();
/// assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
/// let other = thread::spawn(move || sender.send(3).unwrap());
/// assert_eq!(receiver.recv(), Ok(1));
/// assert_eq!(receiver.recv(), Ok(3));
/// other.join().unwrap();
/// ```
#[doc(alias = "sync_channel")]
#[must_use = "dropping a half disconnects the channel"]
#[track_caller]
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(
        capacity != 0,
        "channel::bounded: a capacity of 0 would be a rendezvous, which there is not; use a capacity of 1, and send a \
         second channel or a Latch along if the sender has to wait for the receiver"
    );
    halves(Some(capacity))
}

/// Makes a channel in which any number of messages may be queued, and returns its halves. Its senders never
/// wait for room.
///
/// ```
/// use lockwork::channel::unbounded;
/// use std::thread;
///
/// let (sender, receiver) = unbounded();
/// thread::spawn(move || (0..1000).for_each(|n| sender.send(n).unwrap()));
/// assert_eq!(receiver.iter().sum::<u32>(), 499_500);
/// ```
#[doc(alias = "channel")]
#[must_use = "dropping a half disconnects the channel"]
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    halves(None)
}

fn halves<T>(limit: Option<usize>) -> (Sender<T>, Receiver<T>) {
    let buffer = BoundedBuffer::of_channel(limit.unwrap_or(usize::MAX));
    let channel = Arc::new(Channel { buffer, limit });
    let senders = Arc::new(Senders(Arc::clone(&channel)));
    let receivers = Arc::new(Receivers(Arc::clone(&channel)));
    (Sender { channel: Arc::clone(&channel), side: senders }, Receiver { channel, side: receivers })
}

struct Channel<T> {
    buffer: BoundedBuffer<T>,
    /// What [`bounded`] was given.
    limit: Option<usize>,
}

/// What all senders of a channel have together.
struct Senders<T>(Arc<Channel<T>>);

impl<T> Drop for Senders<T> {
    fn drop(&mut self) {
        self.0.buffer.close();
    }
}

/// What all receivers of a channel have together.
struct Receivers<T>(Arc<Channel<T>>);

impl<T> Drop for Receivers<T> {
    fn drop(&mut self) {
        let buffer = &self.0.buffer;
        buffer.close();
        // Nothing is kept for any thread any more.
        let _drop_queued = DropQueued(buffer);
        buffer.try_iter().for_each(drop);
    }
}

/// What is queued behind a message whose destructor panics: a second panic would end the process.
struct DropQueued<'a, T>(&'a BoundedBuffer<T>);

impl<T> Drop for DropQueued<'_, T> {
    fn drop(&mut self) {
        self.0.try_iter().for_each(|message| contain(|| drop(message)));
    }
}

/// The half of a channel that sends. Clones send into the same channel; the last one to be dropped
/// disconnects it.
///
/// ```
/// use lockwork::channel::bounded;
/// use std::thread;
///
/// let (sender, receiver) = bounded(4);
/// for n in 0..2 {
///     let sender = sender.clone();
///     thread::spawn(move || sender.send(n).unwrap());
/// }
/// drop(sender);
/// assert_eq!(receiver.iter().sum::<u32>(), 1);
/// ```
#[doc(alias = "SyncSender")]
pub struct Sender<T> {
    channel: Arc<Channel<T>>,
    side: Arc<Senders<T>>,
}

/// The half of a channel that receives. Clones receive from the same channel, each message once; the last one
/// to be dropped disconnects it, and drops what is queued, for which it may sleep while another thread is
/// sending. If the destructor of a message panics then, the panic comes out when all are dropped, and panics
/// of others do not.
///
/// ```
/// use lockwork::channel::unbounded;
/// use std::thread;
///
/// let (sender, receiver) = unbounded();
/// let other = receiver.clone();
/// let adds = thread::spawn(move || other.iter().sum::<u32>());
/// (0..100).for_each(|n| sender.send(n).unwrap());
/// drop(sender);
/// assert_eq!(receiver.iter().sum::<u32>() + adds.join().unwrap(), 4950);
/// ```
pub struct Receiver<T> {
    channel: Arc<Channel<T>>,
    side: Arc<Receivers<T>>,
}

impl<T> Sender<T> {
    /// Sends a message, blocking while the channel is full.
    ///
    /// # Errors
    ///
    /// Gives the message back if there is no receiver any more, also if the last one goes during the call.
    ///
    /// ```
    /// use lockwork::channel::{SendError, bounded};
    ///
    /// let (sender, receiver) = bounded(1);
    /// assert_eq!(sender.send(1), Ok(()));
    /// drop(receiver);
    /// assert_eq!(sender.send(2), Err(SendError(2)));
    /// ```
    #[doc(alias = "put")]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn send(&self, msg: T) -> Result<(), SendError<T>> {
        self.channel.buffer.put(msg).map_err(|error| SendError(error.into_inner()))
    }

    /// Attempts to send a message, without waiting for room. A place that another thread is just emptying is
    /// waited for.
    ///
    /// # Errors
    ///
    /// Gives the message back: [`Disconnected`](TrySendError::Disconnected) if there is no receiver, else
    /// [`Full`](TrySendError::Full) if the channel is full, or has one place left that is [kept for a thread
    /// that has waited for long](crate::BoundedBuffer#fairness).
    ///
    /// ```
    /// use lockwork::channel::{TrySendError, bounded};
    ///
    /// let (sender, receiver) = bounded(1);
    /// assert_eq!(sender.try_send(1), Ok(()));
    /// assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
    /// drop(receiver);
    /// assert_eq!(sender.try_send(3), Err(TrySendError::Disconnected(3)));
    /// ```
    pub fn try_send(&self, msg: T) -> Result<(), TrySendError<T>> {
        self.channel.buffer.try_put(msg).map_err(|error| match error {
            TryPutError::Full(msg) => TrySendError::Full(msg),
            TryPutError::Closed(msg) => TrySendError::Disconnected(msg),
        })
    }

    /// Sends a message, blocking while the channel is full, for at most `timeout`.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Errors
    ///
    /// Gives the message back: [`Disconnected`](SendTimeoutError::Disconnected) if there is no receiver,
    /// [`Timeout`](SendTimeoutError::Timeout) if the time is up.
    ///
    /// ```
    /// use lockwork::channel::{SendTimeoutError, bounded};
    /// use std::time::Duration;
    ///
    /// let (sender, _receiver) = bounded(1);
    /// sender.send(1).unwrap();
    /// let late = sender.send_timeout(2, Duration::from_millis(1));
    /// assert_eq!(late, Err(SendTimeoutError::Timeout(2)));
    /// ```
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn send_timeout(&self, msg: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        self.channel.buffer.put_for(msg, timeout).map_err(send_timeout_error)
    }

    /// Sends a message, blocking while the channel is full, until `deadline` at most.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Errors
    ///
    /// As [`send_timeout`](Self::send_timeout).
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn send_deadline(&self, msg: T, deadline: Instant) -> Result<(), SendTimeoutError<T>> {
        self.channel.buffer.put_until(msg, deadline).map_err(send_timeout_error)
    }
}

fn send_timeout_error<T>(error: PutTimeoutError<T>) -> SendTimeoutError<T> {
    match error {
        PutTimeoutError::Timeout(msg) => SendTimeoutError::Timeout(msg),
        PutTimeoutError::Closed(msg) => SendTimeoutError::Disconnected(msg),
    }
}

impl<T> Receiver<T> {
    /// Receives a message, blocking while the channel is empty.
    ///
    /// # Errors
    ///
    /// If the channel is empty and there is no sender any more, also if the last one goes during the call.
    ///
    /// ```
    /// use lockwork::channel::{RecvError, unbounded};
    /// use std::thread;
    ///
    /// let (sender, receiver) = unbounded();
    /// thread::spawn(move || sender.send("hello").unwrap());
    /// assert_eq!(receiver.recv(), Ok("hello"));
    /// assert_eq!(receiver.recv(), Err(RecvError));
    /// ```
    #[doc(alias = "get")]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn recv(&self) -> Result<T, RecvError> {
        self.channel.buffer.get().map_err(|_| RecvError)
    }

    /// Attempts to receive a message, without waiting for one to be sent. A message that another thread is
    /// just sending may be waited for.
    ///
    /// # Errors
    ///
    /// [`Empty`](TryRecvError::Empty) if there is none now, or one that is [kept for a thread that has waited
    /// for long](crate::BoundedBuffer#fairness), [`Disconnected`](TryRecvError::Disconnected) if there will
    /// be none.
    ///
    /// ```
    /// use lockwork::channel::{TryRecvError, unbounded};
    ///
    /// let (sender, receiver) = unbounded();
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.send(1).unwrap();
    /// drop(sender);
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    /// ```
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.channel.buffer.try_get().map_err(|error| match error {
            TryGetError::Empty => TryRecvError::Empty,
            TryGetError::Closed => TryRecvError::Disconnected,
        })
    }

    /// Receives a message, blocking while the channel is empty, for at most `timeout`.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Errors
    ///
    /// [`Disconnected`](RecvTimeoutError::Disconnected) if the channel is empty and there is no sender,
    /// [`Timeout`](RecvTimeoutError::Timeout) if the time is up.
    ///
    /// ```
    /// use lockwork::channel::{RecvTimeoutError, unbounded};
    /// use std::time::Duration;
    ///
    /// let (_sender, receiver) = unbounded::<u8>();
    /// let late = receiver.recv_timeout(Duration::from_millis(1));
    /// assert_eq!(late, Err(RecvTimeoutError::Timeout));
    /// ```
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.channel.buffer.get_for(timeout).map_err(recv_timeout_error)
    }

    /// Receives a message, blocking while the channel is empty, until `deadline` at most.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// # Errors
    ///
    /// As [`recv_timeout`](Self::recv_timeout).
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.channel.buffer.get_until(deadline).map_err(recv_timeout_error)
    }

    /// Returns an iterator over messages that blocks for the next one, and ends when the channel is empty and
    /// disconnected.
    ///
    /// ```
    /// use lockwork::channel::unbounded;
    /// use std::thread;
    ///
    /// let (sender, receiver) = unbounded();
    /// thread::spawn(move || (0..3).for_each(|n| sender.send(n).unwrap()));
    /// assert_eq!(receiver.iter().collect::<Vec<_>>(), [0, 1, 2]);
    /// ```
    pub fn iter(&self) -> Iter<'_, T> {
        Iter::new(self)
    }

    /// Returns an iterator over the messages that are there, which ends when the channel is empty.
    ///
    /// ```
    /// use lockwork::channel::unbounded;
    ///
    /// let (sender, receiver) = unbounded();
    /// (0..3).for_each(|n| sender.send(n).unwrap());
    /// assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [0, 1, 2]);
    /// ```
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter::new(self)
    }
}

fn recv_timeout_error(error: GetTimeoutError) -> RecvTimeoutError {
    match error {
        GetTimeoutError::Timeout => RecvTimeoutError::Timeout,
        GetTimeoutError::Closed => RecvTimeoutError::Disconnected,
    }
}

/// What both halves can do.
macro_rules! half {
    ($half:ident) => {
        impl<T> $half<T> {
            /// Returns whether no message is queued just now.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.channel.buffer.is_empty()
            }

            /// Returns whether the channel is full just now. An unbounded one never is.
            #[must_use]
            pub fn is_full(&self) -> bool {
                self.channel.buffer.is_full()
            }

            /// Returns the number of messages that are queued just now.
            #[must_use]
            pub fn len(&self) -> usize {
                self.channel.buffer.len()
            }

            /// Returns the number of messages that may be queued, or `None` if there is no limit.
            #[must_use]
            pub fn capacity(&self) -> Option<usize> {
                self.channel.limit
            }

            /// Returns whether the two belong to the same channel.
            #[must_use]
            pub fn same_channel(&self, other: &Self) -> bool {
                Arc::ptr_eq(&self.channel, &other.channel)
            }
        }

        impl<T> Clone for $half<T> {
            /// Makes another of the same channel.
            fn clone(&self) -> Self {
                Self { channel: Arc::clone(&self.channel), side: Arc::clone(&self.side) }
            }
        }

        impl<T> fmt::Debug for $half<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($half)).finish_non_exhaustive()
            }
        }

        impl<T> UnwindSafe for $half<T> {}
        impl<T> RefUnwindSafe for $half<T> {}
    };
}

half!(Sender);
half!(Receiver);
