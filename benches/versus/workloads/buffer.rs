//! `buffer/…`.

use super::{Contender, Kind, Timing, Workload, at_rest};
use crate::runner::{Plan, Round, Runner, Worker};
use crate::support::buffer::{Getter, Item, Large, Putter, Queue, UNBOUNDED, each_buffer};
use crate::waits::Waits;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Items at a time where they go in batches.
const BATCH: usize = 32;

/// The number that tells a consumer that it is over. All others are greater.
const END: u64 = 0;

#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) producers: usize,
    pub(super) consumers: usize,
    pub(super) capacity: usize,
    pub(super) batched: bool,
}

impl Shape {
    fn produce<T: Item>(self, worker: &Worker<'_>, queue: &mut impl Putter<T>) {
        if self.batched {
            while worker.runs() {
                queue.put_all(1..BATCH as u64 + 1);
                worker.count(BATCH as u64);
            }
        } else {
            worker.repeat(1, || queue.put(T::new(1)));
        }
    }

    /// Until there is an end among the items. The ends of others go back.
    fn consume<T: Item>(self, worker: &Worker<'_>, queue: &mut impl Getter<T>, back: &mut impl Putter<T>) {
        if self.batched {
            let mut items = Vec::with_capacity(BATCH);
            loop {
                queue.get_many(&mut items, BATCH);
                let ends = items.iter().filter(|item| item.number() == END).count();
                worker.count((items.len() - ends) as u64);
                if ends > 0 {
                    (1..ends).for_each(|_| back.put(T::new(END)));
                    break;
                }
                items.clear();
            }
        } else {
            while queue.get().number() != END {
                worker.count(1);
            }
        }
    }
}

/// As fast as they can. An item that has come out is one operation.
pub(super) fn through<Q: Queue>(runner: &mut Runner, plan: Plan, shape: Shape) -> Round {
    let Shape { producers, consumers, capacity, .. } = shape;
    let (ins, outs) = Q::new(capacity, producers + consumers, consumers);
    let (ins, outs) = (Mutex::new(ins), Mutex::new(outs));
    let working = AtomicUsize::new(producers);
    let run = runner.run(producers + consumers, plan, move |worker| {
        let mut put = ins.lock().unwrap().pop().expect("one for each thread");
        if worker.index < consumers {
            let mut get = outs.lock().unwrap().pop().expect("one for each consumer");
            shape.consume(worker, &mut get, &mut put);
        } else {
            shape.produce(worker, &mut put);
            if working.fetch_sub(1, Ordering::Relaxed) == 1 {
                (0..consumers).for_each(|_| put.put(Item::new(END)));
            }
        }
    });
    run.of_groups(0..consumers, &[0..consumers, consumers..consumers + producers])
}

/// One item now and then to a consumer that sleeps: how long it takes until it is out.
fn latency<Q: Queue<Item = u64>>(runner: &mut Runner, plan: Plan) -> Round {
    /// Long enough for the consumer to park.
    const REST: Duration = Duration::from_micros(300);
    let (ins, outs) = Q::new(1, 1, 1);
    let (ins, outs) = (Mutex::new(ins), Mutex::new(outs));
    let begin = Instant::now();
    let run = runner.run(2, plan, move |worker| {
        if worker.index == 0 {
            let mut get = outs.lock().unwrap().pop().expect("one consumer");
            let mut waits = Waits::default();
            loop {
                let put = get.get();
                if put == END {
                    break;
                }
                let took = begin.elapsed().saturating_sub(Duration::from_nanos(put));
                worker.count(1);
                if !worker.warms_up() {
                    waits.record(took);
                }
            }
            worker.report(&waits);
        } else {
            let mut put = ins.lock().unwrap().pop().expect("one producer");
            while worker.runs() {
                thread::sleep(REST);
                put.put(begin.elapsed().as_nanos() as u64);
            }
            put.put(END);
        }
    });
    run.of_groups(0..1, &[])
}

/// A consumer without an item.
fn rest<Q: Queue>(runner: &mut Runner, plan: Plan) -> Round {
    let (mut ins, mut outs) = Q::new(1, 1, 1);
    let (put, get) = (Mutex::new(ins.remove(0)), Mutex::new(outs.remove(0)));
    let hold = move |rest: &dyn Fn()| {
        rest();
        put.lock().unwrap().put(Item::new(1));
    };
    at_rest(runner, plan, hold, move || _ = get.lock().unwrap().get())
}

/// The contenders of a shape, with items of one type.
macro_rules! contenders {
    ($shape:expr, $item:ty) => {{
        let shape = $shape;
        match (shape.consumers, shape.capacity) {
            (1, UNBOUNDED) => {
                each_buffer!(Q of $item => Contender::new(Q::NAME, move |runner, plan| through::<Q>(runner, plan, shape)); StdUnbounded)
            }
            (1, _) => {
                each_buffer!(Q of $item => Contender::new(Q::NAME, move |runner, plan| through::<Q>(runner, plan, shape)); Std)
            }
            _ => each_buffer!(Q of $item => Contender::new(Q::NAME, move |runner, plan| through::<Q>(runner, plan, shape))),
        }
    }};
}

pub(super) fn workloads() -> Vec<Workload> {
    let mut workloads = Vec::new();
    for large in [false, true] {
        for batched in [false, true] {
            for (producers, consumers) in [(1, 1), (2, 2), (4, 1), (1, 4), (4, 4)] {
                for capacity in [1, 2, 64, 1024, UNBOUNDED] {
                    let shape = Shape { producers, consumers, capacity, batched };
                    let contenders = if large { contenders!(shape, Large) } else { contenders!(shape, u64) };
                    let batches = if batched { ",batched" } else { "" };
                    let bytes = if large { ",256B" } else { "" };
                    let name = format!("{producers}p{consumers}c{batches}{bytes}");
                    let workload =
                        |name| Workload::new("buffer", name, Kind::Speed(Timing::Never), contenders);
                    workloads.push(if capacity == UNBOUNDED {
                        workload(format!("{name}/unbounded"))
                    } else {
                        workload(name).at("capacity", capacity)
                    });
                }
            }
        }
    }
    let contenders = each_buffer!(Q of u64 => Contender::new(Q::NAME, latency::<Q>); Std);
    workloads.push(Workload::new("buffer", "to a sleeper", Kind::Speed(Timing::Always), contenders));
    let contenders = each_buffer!(Q of u64 => Contender::new(Q::NAME, rest::<Q>); Std);
    workloads.push(Workload::new("buffer", "parked", Kind::Rest, contenders));
    workloads
}
