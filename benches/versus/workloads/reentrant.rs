//! `reentrant/…`.

use super::{Contender, Kind, Timing, Workload};
use crate::runner::{Plan, Round, Runner};
use crate::support::reentrant::{Reentrant, each_reentrant};
use crossbeam_utils::CachePadded;
use std::cell::Cell;

fn count(value: &Cell<u64>) {
    value.set(value.get() + 1);
}

/// Locked and unlocked.
fn once<L: Reentrant>(runner: &mut Runner, plan: Plan) -> Round {
    let lock = CachePadded::new(L::new());
    runner.run(1, plan, move |worker| worker.repeat(64, || lock.with(count))).of_equals()
}

/// Locked twice and unlocked twice, which is one operation.
fn twice<L: Reentrant>(runner: &mut Runner, plan: Plan) -> Round {
    let lock = CachePadded::new(L::new());
    runner.run(1, plan, move |worker| worker.repeat(64, || lock.with(|_| lock.with(count)))).of_equals()
}

/// Locked and unlocked by a thread that holds the lock all the time.
fn nested<L: Reentrant>(runner: &mut Runner, plan: Plan) -> Round {
    let lock = CachePadded::new(L::new());
    runner.run(1, plan, move |worker| lock.with(|_| worker.repeat(64, || lock.with(count)))).of_equals()
}

pub(super) fn workloads() -> Vec<Workload> {
    let kind = Kind::Speed(Timing::Never);
    vec![
        Workload::new("reentrant", "depth=1", kind, each_reentrant!(L => Contender::new(L::NAME, once::<L>))),
        Workload::new(
            "reentrant",
            "depth=2",
            kind,
            each_reentrant!(L => Contender::new(L::NAME, twice::<L>)),
        ),
        Workload::new(
            "reentrant",
            "nested",
            kind,
            each_reentrant!(L => Contender::new(L::NAME, nested::<L>)),
        ),
    ]
}
