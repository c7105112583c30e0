//! The first of several: one thread that waits for more than one queue or signal.

use super::buffer::{Getter, Queue};
use super::event::Signal;
use crossbeam_channel::{Receiver, Sender};
use lockwork::{AutoResetEvent, BoundedBuffer, First2, wait_any, wait_any_fair};
use std::sync::Arc;

/// Takes items from two queues. A producer puts into one of them.
macro_rules! two_queues {
    ($name:ident, $label:expr, $new:expr, $in:ty, $out:ty, |$this:ident| $get:expr) => {
        /// A contender.
        pub(crate) struct $name;

        impl Queue for $name {
            const NAME: &'static str = $label;
            type Item = u64;
            type In = $in;
            // With the other ends, so that neither queue is disconnected before both are empty.
            type Out = [($in, $out); 2];

            fn new(capacity: usize, producers: usize, consumers: usize) -> (Vec<Self::In>, Vec<Self::Out>) {
                let queues: Self::Out = [$new(capacity), $new(capacity)];
                let ins = (0..producers).map(|index| queues[index % 2].0.clone()).collect();
                (ins, vec![queues; consumers])
            }
        }

        impl Getter<u64> for [($in, $out); 2] {
            #[inline]
            fn get(&mut self) -> u64 {
                let $this = self;
                $get
            }

            fn get_many(&mut self, _: &mut Vec<u64>, _: usize) {
                unreachable!("the rows of `wait_any` get one at a time");
            }
        }
    };
}

fn buffer(capacity: usize) -> (Arc<BoundedBuffer<u64>>, Arc<BoundedBuffer<u64>>) {
    let buffer = Arc::new(BoundedBuffer::new(capacity));
    (Arc::clone(&buffer), buffer)
}

two_queues!(OursTwo, super::OURS, buffer, Arc<BoundedBuffer<u64>>, Arc<BoundedBuffer<u64>>, |this| {
    match wait_any_fair((this[0].1.getting(), this[1].1.getting())) {
        First2::First(item) | First2::Second(item) => item.unwrap(),
    }
});
two_queues!(
    CrossbeamTwo,
    "crossbeam",
    crossbeam_channel::bounded,
    Sender<u64>,
    Receiver<u64>,
    |this| crossbeam_channel::select! { recv(this[0].1) -> item => item.unwrap(), recv(this[1].1) -> item => item.unwrap() }
);

/// A queue whose getters are a set of one.
pub(crate) struct OursOne;

/// A getter that is a set of one.
#[derive(Clone)]
pub(crate) struct One<T>(T);

impl Queue for OursOne {
    const NAME: &'static str = super::OURS;
    type Item = u64;
    type In = Arc<BoundedBuffer<u64>>;
    type Out = One<Self::In>;

    fn new(capacity: usize, producers: usize, consumers: usize) -> (Vec<Self::In>, Vec<Self::Out>) {
        let (put, get) = buffer(capacity);
        (vec![put; producers], vec![One(get); consumers])
    }
}

impl Getter<u64> for One<Arc<BoundedBuffer<u64>>> {
    #[inline]
    fn get(&mut self) -> u64 {
        let lockwork::First1::First(item) = wait_any((self.0.getting(),));
        item.unwrap()
    }

    fn get_many(&mut self, _: &mut Vec<u64>, _: usize) {
        unreachable!("the rows of `wait_any` get one at a time");
    }
}

/// The same queue and a plain get.
pub(crate) struct OursPlain;

impl Queue for OursPlain {
    const NAME: &'static str = "lockwork, plain wait";
    type Item = u64;
    type In = Arc<BoundedBuffer<u64>>;
    type Out = Self::In;

    fn new(capacity: usize, producers: usize, consumers: usize) -> (Vec<Self::In>, Vec<Self::Out>) {
        let (put, get) = buffer(capacity);
        (vec![put; producers], vec![get; consumers])
    }
}

/// crossbeam's, selected among one.
pub(crate) struct CrossbeamOne;

impl Queue for CrossbeamOne {
    const NAME: &'static str = "crossbeam";
    type Item = u64;
    type In = Sender<u64>;
    type Out = One<Receiver<u64>>;

    fn new(capacity: usize, producers: usize, consumers: usize) -> (Vec<Self::In>, Vec<Self::Out>) {
        let (put, get) = crossbeam_channel::bounded(capacity);
        (vec![put; producers], vec![One(get); consumers])
    }
}

impl Getter<u64> for One<Receiver<u64>> {
    /// By `Select`: the macro makes a plain `recv` of a set of one.
    #[inline]
    fn get(&mut self) -> u64 {
        let mut select = crossbeam_channel::Select::new();
        select.recv(&self.0);
        select.select().recv(&self.0).unwrap()
    }

    fn get_many(&mut self, _: &mut Vec<u64>, _: usize) {
        unreachable!("the rows of `wait_any` get one at a time");
    }
}

/// Waits for an event as a set of one.
pub(crate) struct OursSignal(AutoResetEvent);

/// Waits for an event and for nothing else.
pub(crate) struct OursPlainSignal(AutoResetEvent);

/// A signal is a message.
pub(crate) struct CrossbeamSignal(Sender<()>, Receiver<()>);

macro_rules! signal {
    ($name:ident, $label:expr, $new:expr, |$this:ident| $set:expr, $wait:expr) => {
        impl Signal for $name {
            const NAME: &'static str = $label;

            fn new() -> Self {
                $new
            }

            #[inline]
            fn set(&self) {
                let $this = self;
                $set
            }

            fn clear(&self) {}

            #[inline]
            fn wait(&self) {
                let $this = self;
                $wait
            }
        }
    };
}

signal!(OursSignal, super::OURS, Self(AutoResetEvent::new()), |this| this.0.set(), _ = wait_any((&this.0,)));
signal!(
    OursPlainSignal,
    "lockwork, plain wait",
    Self(AutoResetEvent::new()),
    |this| this.0.set(),
    this.0.wait()
);
signal!(
    CrossbeamSignal,
    "crossbeam",
    {
        let (sender, receiver) = crossbeam_channel::bounded(1);
        Self(sender, receiver)
    },
    |this| _ = this.0.try_send(()),
    {
        let mut select = crossbeam_channel::Select::new();
        select.recv(&this.1);
        select.select().recv(&this.1).unwrap();
    }
);

/// The expression for each [`Queue`] whose getter waits for one or for two.
macro_rules! each_any {
    (one $name:ident => $make:expr) => {
        $crate::support::each!($name => $make;
            $crate::support::any::OursOne,
            $crate::support::any::OursPlain,
            $crate::support::any::CrossbeamOne,
        )
    };
    (two $name:ident => $make:expr) => {
        $crate::support::each!($name => $make;
            $crate::support::any::OursTwo,
            $crate::support::any::CrossbeamTwo,
        )
    };
    (signal $name:ident => $make:expr) => {
        $crate::support::each!($name => $make;
            $crate::support::any::OursSignal,
            $crate::support::any::OursPlainSignal,
            $crate::support::any::CrossbeamSignal,
        )
    };
}
pub(crate) use each_any;
