//! `once/…`.

use super::{Contender, Kind, Timing, Workload};
use crate::runner::{Plan, Round, Runner};
use crate::support::once::{Made, each_lazy_lock, each_once, each_once_lock};
use crossbeam_utils::CachePadded;
use std::hint::black_box;

/// It is made, and looked at.
fn look<M: Made>(runner: &mut Runner, plan: Plan, threads: usize) -> Round {
    let made = CachePadded::new(M::new());
    let run = runner.run(threads, plan, move |worker| {
        worker.repeat(1024, || {
            black_box(black_box(&*made).look());
        });
    });
    run.of_equals()
}

/// It is made, looked at once, and goes.
fn make<M: Made>(runner: &mut Runner, plan: Plan) -> Round {
    runner.run(1, plan, |worker| worker.repeat(16, || _ = black_box(M::new()).look())).of_equals()
}

pub(super) fn workloads() -> Vec<Workload> {
    let kind = Kind::Speed(Timing::Never);
    let looks = |shape, contenders| Workload::new("once", shape, kind, contenders);
    vec![
        looks(
            "get",
            each_once_lock!(M => Contender::new(M::NAME, |runner, plan| look::<M>(runner, plan, 1))),
        ),
        looks(
            "lazy",
            each_lazy_lock!(M => Contender::new(M::NAME, |runner, plan| look::<M>(runner, plan, 1))),
        ),
        looks(
            "call_once",
            each_once!(M => Contender::new(M::NAME, |runner, plan| look::<M>(runner, plan, 1))),
        ),
        looks(
            "get by two",
            each_once_lock!(M => Contender::new(M::NAME, |runner, plan| look::<M>(runner, plan, 2))),
        ),
        looks("make and get", each_once_lock!(M => Contender::new(M::NAME, make::<M>))),
    ]
}
