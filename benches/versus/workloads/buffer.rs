//! `buffer/…`.

use super::{Contender, Kind, Timing, Workload, at_rest};
use crate::crew::{Crew, Plan, Round, Worker};
use crate::support::buffer::{Getter, Putter, Queue, each_buffer};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Items at a time where they go in batches.
const BATCH: usize = 32;

/// Tells a consumer that it is over. All others are greater.
const END: u64 = 0;

#[derive(Clone, Copy)]
struct Shape {
    producers: usize,
    consumers: usize,
    capacity: usize,
    batched: bool,
}

impl Shape {
    fn produce(self, worker: &Worker<'_>, queue: &mut impl Putter) {
        if self.batched {
            while worker.runs() {
                queue.put_all(1..BATCH as u64 + 1);
                worker.count(BATCH as u64);
            }
        } else {
            worker.repeat(1, || queue.put(1));
        }
    }

    /// Until there is an end among the items. The ends of others go back.
    fn consume(self, worker: &Worker<'_>, queue: &mut impl Getter, back: &mut impl Putter) {
        if self.batched {
            let mut items = Vec::with_capacity(BATCH);
            loop {
                queue.get_many(&mut items, BATCH);
                let ends = items.iter().filter(|&&item| item == END).count();
                worker.count((items.len() - ends) as u64);
                if ends > 0 {
                    (1..ends).for_each(|_| back.put(END));
                    break;
                }
                items.clear();
            }
        } else {
            while queue.get() != END {
                worker.count(1);
            }
        }
    }
}

/// As fast as they can. An item that has come out is one operation.
fn through<Q: Queue>(crew: &mut Crew, plan: Plan, shape: Shape) -> Round {
    let Shape { producers, consumers, capacity, .. } = shape;
    let (ins, outs) = Q::new(capacity, producers + consumers, consumers);
    let (ins, outs) = (Mutex::new(ins), Mutex::new(outs));
    let working = AtomicUsize::new(producers);
    let run = crew.run(producers + consumers, plan, move |worker| {
        let mut put = ins.lock().unwrap().pop().expect("one for each thread");
        if worker.index < consumers {
            let mut get = outs.lock().unwrap().pop().expect("one for each consumer");
            shape.consume(worker, &mut get, &mut put);
        } else {
            shape.produce(worker, &mut put);
            if working.fetch_sub(1, Ordering::Relaxed) == 1 {
                (0..consumers).for_each(|_| put.put(END));
            }
        }
    });
    run.of_groups(0..consumers, &[0..consumers, consumers..consumers + producers])
}

/// A consumer without an item.
fn rest<Q: Queue>(crew: &mut Crew, plan: Plan) -> Round {
    let (mut ins, mut outs) = Q::new(1, 1, 1);
    let (put, get) = (Mutex::new(ins.remove(0)), Mutex::new(outs.remove(0)));
    let hold = move |rest: &dyn Fn()| {
        rest();
        put.lock().unwrap().put(1);
    };
    at_rest(crew, plan, hold, move || _ = get.lock().unwrap().get())
}

pub(super) fn workloads() -> Vec<Workload> {
    let mut workloads = Vec::new();
    for batched in [false, true] {
        for (producers, consumers) in [(1, 1), (2, 2), (4, 1), (1, 4), (4, 4)] {
            for capacity in [1, 64, 1024] {
                let shape = Shape { producers, consumers, capacity, batched };
                let contenders = if consumers == 1 {
                    each_buffer!(Q => Contender::new(Q::NAME, move |crew, plan| through::<Q>(crew, plan, shape)); Std)
                } else {
                    each_buffer!(Q => Contender::new(Q::NAME, move |crew, plan| through::<Q>(crew, plan, shape)))
                };
                let batches = if batched { ",batched" } else { "" };
                let name = format!("{producers}p{consumers}c{batches}");
                workloads.push(
                    Workload::new("buffer", name, Kind::Speed(Timing::Never), contenders)
                        .at("capacity", capacity),
                );
            }
        }
    }
    let contenders = each_buffer!(Q => Contender::new(Q::NAME, rest::<Q>); Std);
    workloads.push(Workload::new("buffer", "parked", Kind::Rest, contenders));
    workloads
}
