//! `thread_local/…`.

use super::{Contender, Kind, Timing, Workload};
use crate::runner::{Plan, Round, Runner};
use crate::support::thread_local::{PerThread, each_thread_local};
use crossbeam_utils::CachePadded;
use std::hint::black_box;

/// The thread has a value, and looks at it.
fn get<V: PerThread>(runner: &mut Runner, plan: Plan, threads: usize) -> Round {
    let values = CachePadded::new(V::new());
    let run = runner.run(threads, plan, move |worker| {
        worker.repeat(1024, || {
            black_box(&*values).with(|value| black_box(value.get()));
        });
    });
    run.of_equals()
}

/// An object is made, gets its first value, and goes.
fn make<V: PerThread>(runner: &mut Runner, plan: Plan) -> Round {
    runner.run(1, plan, |worker| worker.repeat(16, || V::new().with(|value| value.set(1)))).of_equals()
}

pub(super) fn workloads() -> Vec<Workload> {
    let kind = Kind::Speed(Timing::Never);
    let gets = [1, 2].map(|threads| {
        let contenders =
            each_thread_local!(V => Contender::new(V::NAME, move |runner, plan| get::<V>(runner, plan, threads)); Std);
        Workload::new("thread_local", "get", kind, contenders).at("threads", threads)
    });
    let contenders = each_thread_local!(V => Contender::new(V::NAME, make::<V>));
    gets.into_iter().chain([Workload::new("thread_local", "make and get", kind, contenders)]).collect()
}
