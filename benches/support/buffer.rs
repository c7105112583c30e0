//! A queue with waiting at both ends.

use super::Group;
use super::condvar::{self, Monitor};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{self, Arc};

/// What goes through a queue: a number, with as many bytes as the type has.
pub(crate) trait Item: Clone + Send + 'static {
    /// An item with this number.
    fn new(number: u64) -> Self;
    /// Its number.
    fn number(&self) -> u64;
}

impl Item for u64 {
    fn new(number: u64) -> Self {
        number
    }

    fn number(&self) -> u64 {
        *self
    }
}

/// 256 bytes.
pub(crate) type Large = [u64; 32];

impl Item for Large {
    fn new(number: u64) -> Self {
        [number; 32]
    }

    fn number(&self) -> u64 {
        self[0]
    }
}

/// The capacity of a queue without a bound.
pub(crate) const UNBOUNDED: usize = usize::MAX;

/// A queue.
pub(crate) trait Queue: 'static {
    /// Whose it is.
    const NAME: &'static str;
    /// What goes through.
    type Item: Item;
    /// Where items go in.
    type In: Putter<Self::Item>;
    /// Where they come out.
    type Out: Getter<Self::Item>;
    /// An empty one.
    fn new(capacity: usize, producers: usize, consumers: usize) -> (Vec<Self::In>, Vec<Self::Out>);
}

/// A producer's end.
pub(crate) trait Putter<T: Item>: Send + 'static {
    /// Waits for room.
    fn put(&mut self, item: T);

    /// Puts items with these numbers, waiting as often as needed.
    fn put_all(&mut self, numbers: Range<u64>) {
        for number in numbers {
            self.put(T::new(number));
        }
    }
}

/// A consumer's end.
pub(crate) trait Getter<T: Item>: Send + 'static {
    /// Waits for an item.
    fn get(&mut self) -> T;

    /// Waits for an item, and takes what else is there, up to `most`.
    fn get_many(&mut self, into: &mut Vec<T>, most: usize);
}

fn handles<I: Clone, O: Clone>(ends: (I, O), producers: usize, consumers: usize) -> (Vec<I>, Vec<O>) {
    (vec![ends.0; producers], vec![ends.1; consumers])
}

/// For criterion: one item in and out, on one thread.
pub(crate) fn in_and_out<Q: Queue>(group: &mut Group<'_>, capacity: usize) {
    let (mut ins, mut outs) = Q::new(capacity, 1, 1);
    group.bench_function(Q::NAME, |b| {
        b.iter(|| {
            ins[0].put(Q::Item::new(1));
            outs[0].get()
        });
    });
}

/// This crate's.
pub(crate) struct Ours<T>(T);

impl<T: Item> Queue for Ours<T> {
    const NAME: &'static str = super::OURS;
    type Item = T;
    type In = Arc<lockwork::BoundedBuffer<T>>;
    type Out = Self::In;

    fn new(capacity: usize, producers: usize, consumers: usize) -> (Vec<Self::In>, Vec<Self::Out>) {
        let buffer = Arc::new(lockwork::BoundedBuffer::new(capacity));
        handles((Arc::clone(&buffer), buffer), producers, consumers)
    }
}

impl<T: Item> Putter<T> for Arc<lockwork::BoundedBuffer<T>> {
    #[inline]
    fn put(&mut self, item: T) {
        lockwork::BoundedBuffer::put(self, item).unwrap_or_else(|_| panic!("it is open"));
    }

    fn put_all(&mut self, numbers: Range<u64>) {
        lockwork::BoundedBuffer::put_all(self, numbers.map(T::new)).unwrap_or_else(|_| panic!("it is open"));
    }
}

impl<T: Item> Getter<T> for Arc<lockwork::BoundedBuffer<T>> {
    #[inline]
    fn get(&mut self) -> T {
        lockwork::BoundedBuffer::get(self).unwrap()
    }

    fn get_many(&mut self, into: &mut Vec<T>, most: usize) {
        lockwork::BoundedBuffer::get_many(self, into, most).unwrap();
    }
}

/// Channels: `send`, and `recv` with `try_recv` for what else is there.
macro_rules! channel {
    ($name:ident, $label:expr, $bounded:expr, $unbounded:expr, $in:ident, $out:ident, $found:pat => $item:expr) => {
        /// A contender.
        pub(crate) struct $name<T>(T);

        impl<T: Item> Queue for $name<T> {
            const NAME: &'static str = $label;
            type Item = T;
            type In = $in<T>;
            type Out = $out<T>;

            fn new(capacity: usize, producers: usize, consumers: usize) -> (Vec<Self::In>, Vec<Self::Out>) {
                let ends = if capacity == UNBOUNDED { $unbounded() } else { $bounded(capacity) };
                handles(ends, producers, consumers)
            }
        }

        channel!($in, $out, $found => $item);
    };
    // One receiver.
    (std $name:ident, $new:expr, $in:ident, $out:ident) => {
        /// A contender.
        pub(crate) struct $name<T>(T);

        impl<T: Item> Queue for $name<T> {
            const NAME: &'static str = "std";
            type Item = T;
            type In = $in<T>;
            type Out = $out<T>;

            fn new(capacity: usize, producers: usize, consumers: usize) -> (Vec<Self::In>, Vec<Self::Out>) {
                assert_eq!(consumers, 1, "it has one receiver");
                let (sender, receiver): (Self::In, Self::Out) = $new(capacity);
                (vec![sender; producers], vec![receiver])
            }
        }
    };
    ($in:ident) => {
        impl<T: Item> Putter<T> for $in<T> {
            #[inline]
            fn put(&mut self, item: T) {
                self.send(item).unwrap_or_else(|_| panic!("it is open"));
            }
        }
    };
    ($in:ident, $out:ident, $found:pat => $item:expr) => {
        channel!($in);

        impl<T: Item> Getter<T> for $out<T> {
            #[inline]
            fn get(&mut self) -> T {
                self.recv().unwrap()
            }

            fn get_many(&mut self, into: &mut Vec<T>, most: usize) {
                into.push(self.recv().unwrap());
                while into.len() < most {
                    let $found = self.try_recv() else { break };
                    into.push($item);
                }
            }
        }
    };
}

use crossbeam_channel::{Receiver as CrossbeamReceiver, Sender as CrossbeamSender};
use flume::{Receiver as FlumeReceiver, Sender as FlumeSender};
use kanal::{Receiver as KanalReceiver, Sender as KanalSender};
use lockwork::channel::{Receiver as OursReceiver, Sender as OursSender};
use sync::mpsc::{Receiver as StdReceiver, Sender as StdSender, SyncSender as StdSyncSender};

channel!(OursChannel, super::OURS, lockwork::channel::bounded, lockwork::channel::unbounded, OursSender, OursReceiver, Ok(item) => item);
channel!(Crossbeam, "crossbeam", crossbeam_channel::bounded, crossbeam_channel::unbounded, CrossbeamSender, CrossbeamReceiver, Ok(item) => item);
channel!(Flume, "flume", flume::bounded, flume::unbounded, FlumeSender, FlumeReceiver, Ok(item) => item);
channel!(Kanal, "kanal", kanal::bounded, kanal::unbounded, KanalSender, KanalReceiver, Ok(Some(item)) => item);
channel!(std Std, sync::mpsc::sync_channel, StdSyncSender, StdReceiver);
channel!(std StdUnbounded, |_| sync::mpsc::channel(), StdSender, StdReceiver);
channel!(StdSyncSender, StdReceiver, Ok(item) => item);
channel!(StdSender);

/// A `VecDeque` under a mutex, with a condition variable for each end.
pub(crate) struct Composed<T, M>(T, M);

/// The two ends are the same.
pub(crate) struct ComposedEnd<M>(Arc<(M, usize)>);

impl<M> Clone for ComposedEnd<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

const NOT_FULL: usize = 0;
const NOT_EMPTY: usize = 1;

impl<T: Item, M: Monitor<VecDeque<T>>> Queue for Composed<T, M> {
    const NAME: &'static str = M::COMPOSED;
    type Item = T;
    type In = ComposedEnd<M>;
    type Out = ComposedEnd<M>;

    fn new(capacity: usize, producers: usize, consumers: usize) -> (Vec<Self::In>, Vec<Self::Out>) {
        let items = VecDeque::with_capacity(if capacity == UNBOUNDED { 0 } else { capacity });
        let end = ComposedEnd(Arc::new((M::new(items), capacity)));
        handles((end.clone(), end), producers, consumers)
    }
}

impl<T: Item, M: Monitor<VecDeque<T>>> Putter<T> for ComposedEnd<M> {
    fn put(&mut self, item: T) {
        let (monitor, capacity) = &*self.0;
        monitor.wait_then(NOT_FULL, |items| items.len() == *capacity, |items| items.push_back(item));
        monitor.notify_one(NOT_EMPTY);
    }

    fn put_all(&mut self, mut numbers: Range<u64>) {
        let (monitor, capacity) = &*self.0;
        while !numbers.is_empty() {
            monitor.wait_then(
                NOT_FULL,
                |queued| queued.len() == *capacity,
                |queued| {
                    let room = capacity - queued.len();
                    queued.extend(numbers.by_ref().take(room).map(T::new));
                },
            );
            monitor.notify_all(NOT_EMPTY);
        }
    }
}

impl<T: Item, M: Monitor<VecDeque<T>>> Getter<T> for ComposedEnd<M> {
    fn get(&mut self) -> T {
        let monitor = &self.0.0;
        let item = monitor.wait_then(NOT_EMPTY, |items| items.is_empty(), VecDeque::pop_front);
        monitor.notify_one(NOT_FULL);
        item.expect("waited for it")
    }

    fn get_many(&mut self, into: &mut Vec<T>, most: usize) {
        let monitor = &self.0.0;
        monitor.wait_then(
            NOT_EMPTY,
            |items| items.is_empty(),
            |items| into.extend(items.drain(..most.min(items.len()))),
        );
        monitor.notify_all(NOT_FULL);
    }
}

/// The expression for each [`Queue`] of such items of many consumers, and for the others named.
macro_rules! each_buffer {
    ($name:ident of $item:ty => $make:expr $(; $other:ident)*) => {
        $crate::support::each!($name => $make;
            $crate::support::buffer::Ours<$item>,
            $($crate::support::buffer::$other<$item>,)*
            $crate::support::buffer::Composed<
                $item,
                $crate::support::condvar::Std<std::collections::VecDeque<$item>>,
            >,
            $crate::support::buffer::Composed<
                $item,
                $crate::support::condvar::ParkingLot<std::collections::VecDeque<$item>>,
            >,
            $crate::support::buffer::Crossbeam<$item>,
            $crate::support::buffer::Flume<$item>,
            $crate::support::buffer::Kanal<$item>,
        )
    };
}
pub(crate) use each_buffer;

/// The expression for each [`Queue`] of such items that is a channel, and for the others named.
macro_rules! each_channel {
    ($name:ident of $item:ty => $make:expr $(; $other:ident)*) => {
        $crate::support::each!($name => $make;
            $crate::support::buffer::OursChannel<$item>,
            $($crate::support::buffer::$other<$item>,)*
            $crate::support::buffer::Crossbeam<$item>,
            $crate::support::buffer::Flume<$item>,
            $crate::support::buffer::Kanal<$item>,
        )
    };
}
pub(crate) use each_channel;
