//! A bounded queue with waiting at both ends.

use super::condvar::{self, Monitor};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{self, Arc};

/// A bounded queue.
pub(crate) trait Queue: 'static {
    /// Whose it is.
    const NAME: &'static str;
    /// Where items go in.
    type In: Putter;
    /// Where they come out.
    type Out: Getter;
    /// An empty one.
    fn new(capacity: usize, producers: usize, consumers: usize) -> (Vec<Self::In>, Vec<Self::Out>);
}

/// A producer's end.
pub(crate) trait Putter: Send + 'static {
    /// Waits for room.
    fn put(&mut self, item: u64);

    /// Puts all of them, waiting as often as needed.
    fn put_all(&mut self, items: Range<u64>) {
        for item in items {
            self.put(item);
        }
    }
}

/// A consumer's end.
pub(crate) trait Getter: Send + 'static {
    /// Waits for an item.
    fn get(&mut self) -> u64;

    /// Waits for an item, and takes what else is there, up to `most`.
    fn get_many(&mut self, into: &mut Vec<u64>, most: usize);
}

fn handles<I: Clone, O: Clone>(ends: (I, O), producers: usize, consumers: usize) -> (Vec<I>, Vec<O>) {
    (vec![ends.0; producers], vec![ends.1; consumers])
}

/// This crate's.
pub(crate) struct Ours;

impl Queue for Ours {
    const NAME: &'static str = super::OURS;
    type In = Arc<lockwork::BoundedBuffer<u64>>;
    type Out = Self::In;

    fn new(capacity: usize, producers: usize, consumers: usize) -> (Vec<Self::In>, Vec<Self::Out>) {
        let buffer = Arc::new(lockwork::BoundedBuffer::new(capacity));
        handles((Arc::clone(&buffer), buffer), producers, consumers)
    }
}

impl Putter for Arc<lockwork::BoundedBuffer<u64>> {
    #[inline]
    fn put(&mut self, item: u64) {
        lockwork::BoundedBuffer::put(self, item).unwrap();
    }

    fn put_all(&mut self, items: Range<u64>) {
        lockwork::BoundedBuffer::put_all(self, items).unwrap();
    }
}

impl Getter for Arc<lockwork::BoundedBuffer<u64>> {
    #[inline]
    fn get(&mut self) -> u64 {
        lockwork::BoundedBuffer::get(self).unwrap()
    }

    fn get_many(&mut self, into: &mut Vec<u64>, most: usize) {
        lockwork::BoundedBuffer::get_many(self, into, most).unwrap();
    }
}

/// Channels: `send`, and `recv` with `try_recv` for what else is there.
macro_rules! channel {
    ($name:ident, $label:literal, $channel:path, $in:ty, $out:ty, $item:pat => $found:expr) => {
        /// A contender.
        pub(crate) struct $name;

        impl Queue for $name {
            const NAME: &'static str = $label;
            type In = $in;
            type Out = $out;

            fn new(capacity: usize, producers: usize, consumers: usize) -> (Vec<Self::In>, Vec<Self::Out>) {
                handles($channel(capacity), producers, consumers)
            }
        }

        channel!($in, $out, $item => $found);
    };
    ($in:ty, $out:ty, $item:pat => $found:expr) => {
        impl Putter for $in {
            #[inline]
            fn put(&mut self, item: u64) {
                self.send(item).unwrap();
            }
        }

        impl Getter for $out {
            #[inline]
            fn get(&mut self) -> u64 {
                self.recv().unwrap()
            }

            fn get_many(&mut self, into: &mut Vec<u64>, most: usize) {
                into.push(self.recv().unwrap());
                while into.len() < most {
                    let $item = self.try_recv() else { break };
                    into.push($found);
                }
            }
        }
    };
}

channel!(
    Crossbeam,
    "crossbeam",
    crossbeam_channel::bounded,
    crossbeam_channel::Sender<u64>,
    crossbeam_channel::Receiver<u64>,
    Ok(item) => item
);
channel!(Flume, "flume", flume::bounded, flume::Sender<u64>, flume::Receiver<u64>, Ok(item) => item);
channel!(Kanal, "kanal", kanal::bounded, kanal::Sender<u64>, kanal::Receiver<u64>, Ok(Some(item)) => item);
channel!(sync::mpsc::SyncSender<u64>, sync::mpsc::Receiver<u64>, Ok(item) => item);

/// `sync_channel`, which has one receiver.
pub(crate) struct Std;

impl Queue for Std {
    const NAME: &'static str = "std";
    type In = sync::mpsc::SyncSender<u64>;
    type Out = sync::mpsc::Receiver<u64>;

    fn new(capacity: usize, producers: usize, consumers: usize) -> (Vec<Self::In>, Vec<Self::Out>) {
        assert_eq!(consumers, 1, "sync_channel has one receiver");
        let (sender, receiver) = sync::mpsc::sync_channel(capacity);
        (vec![sender; producers], vec![receiver])
    }
}

/// A `VecDeque` under a mutex, with a condition variable for each end.
pub(crate) struct Composed<M>(M);

/// The two ends are the same.
pub(crate) struct ComposedEnd<M>(Arc<(M, usize)>);

impl<M> Clone for ComposedEnd<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

const NOT_FULL: usize = 0;
const NOT_EMPTY: usize = 1;

impl<M: Monitor<VecDeque<u64>>> Queue for Composed<M> {
    const NAME: &'static str = M::COMPOSED;
    type In = ComposedEnd<M>;
    type Out = ComposedEnd<M>;

    fn new(capacity: usize, producers: usize, consumers: usize) -> (Vec<Self::In>, Vec<Self::Out>) {
        let end = ComposedEnd(Arc::new((M::new(VecDeque::with_capacity(capacity)), capacity)));
        handles((end.clone(), end), producers, consumers)
    }
}

impl<M: Monitor<VecDeque<u64>>> Putter for ComposedEnd<M> {
    fn put(&mut self, item: u64) {
        let (monitor, capacity) = &*self.0;
        monitor.wait_then(NOT_FULL, |items| items.len() == *capacity, |items| items.push_back(item));
        monitor.notify_one(NOT_EMPTY);
    }

    fn put_all(&mut self, mut items: Range<u64>) {
        let (monitor, capacity) = &*self.0;
        while !items.is_empty() {
            monitor.wait_then(
                NOT_FULL,
                |queued| queued.len() == *capacity,
                |queued| {
                    let room = capacity - queued.len();
                    queued.extend(items.by_ref().take(room));
                },
            );
            monitor.notify_all(NOT_EMPTY);
        }
    }
}

impl<M: Monitor<VecDeque<u64>>> Getter for ComposedEnd<M> {
    fn get(&mut self) -> u64 {
        let monitor = &self.0.0;
        let item = monitor.wait_then(NOT_EMPTY, |items| items.is_empty(), VecDeque::pop_front);
        monitor.notify_one(NOT_FULL);
        item.expect("waited for it")
    }

    fn get_many(&mut self, into: &mut Vec<u64>, most: usize) {
        let monitor = &self.0.0;
        monitor.wait_then(
            NOT_EMPTY,
            |items| items.is_empty(),
            |items| into.extend(items.drain(..most.min(items.len()))),
        );
        monitor.notify_all(NOT_FULL);
    }
}

/// The expression for each [`Queue`] of many consumers, and for the others named.
macro_rules! each_buffer {
    ($name:ident => $make:expr $(; $other:ident)*) => {
        $crate::support::each!($name => $make;
            $crate::support::buffer::Ours,
            $($crate::support::buffer::$other,)*
            $crate::support::buffer::Composed<
                $crate::support::condvar::Std<std::collections::VecDeque<u64>>,
            >,
            $crate::support::buffer::Composed<
                $crate::support::condvar::ParkingLot<std::collections::VecDeque<u64>>,
            >,
            $crate::support::buffer::Crossbeam,
            $crate::support::buffer::Flume,
            $crate::support::buffer::Kanal,
        )
    };
}
pub(crate) use each_buffer;
