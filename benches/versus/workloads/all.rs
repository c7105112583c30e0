//! `all/…`.

use super::{Contender, Kind, Timing, Workload};
use crate::runner::{Plan, Round, Runner};
use crate::support::all::{Two, each_two};
use crossbeam_utils::CachePadded;

/// Each thread names the two locks in its own order, and is in them for as long as two additions take.
fn opposite<L: Two>(runner: &mut Runner, plan: Plan, threads: usize) -> Round {
    let locks = CachePadded::new(L::new());
    let run = runner.run(threads, plan, move |worker| {
        let order = if worker.index % 2 == 0 { [0, 1] } else { [1, 0] };
        worker.repeat(1, || {
            locks.with(order, |first, second| {
                *first += 1;
                *second += 1;
            });
        });
    });
    run.of_equals()
}

pub(super) fn workloads() -> Vec<Workload> {
    let workload = |threads: usize| {
        let contenders =
            each_two!(L => Contender::new(L::NAME, move |runner, plan| opposite::<L>(runner, plan, threads)));
        Workload::new("all", "two mutexes, opposite orders", Kind::Speed(Timing::Never), contenders)
            .at("threads", threads)
    };
    [1, 2, 8].map(workload).into()
}
