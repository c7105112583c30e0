//! `semaphore/…`.

use super::{Contender, Kind, Timing, Workload, at_rest, label};
use crate::runner::{Plan, Round, Runner};
use crate::support::semaphore::{Permits, each_semaphore};
use crate::support::work::{iterations, work};
use crossbeam_utils::CachePadded;
use std::sync::Arc;
use std::time::Duration;

/// There is a permit, and no other thread that wants it.
fn uncontended<S: Permits>(runner: &mut Runner, plan: Plan) -> Round {
    let semaphore = CachePadded::new(S::new(1));
    runner.run(1, plan, move |worker| worker.repeat(64, || semaphore.with(|| ()))).of_equals()
}

/// Each thread has in turn a permit for a while and none as long.
fn contended<S: Permits>(
    runner: &mut Runner,
    plan: Plan,
    threads: usize,
    permits: usize,
    section: Duration,
) -> Round {
    let semaphore = CachePadded::new(S::new(permits));
    let spin = iterations(section);
    let run = runner.run(threads, plan, move |worker| {
        worker.repeat(1, || {
            semaphore.with(|| work(spin));
            work(spin);
        });
    });
    run.of_equals()
}

fn rest<S: Permits>(runner: &mut Runner, plan: Plan) -> Round {
    let semaphore = Arc::new(S::new(1));
    let held = Arc::clone(&semaphore);
    at_rest(runner, plan, move |rest| held.with(rest), move || semaphore.with(|| ()))
}

pub(super) fn workloads() -> Vec<Workload> {
    let kind = Kind::Speed(Timing::Never);
    let contenders = each_semaphore!(S => Contender::new(S::NAME, uncontended::<S>); Tokio);
    let mut workloads = vec![Workload::new("semaphore", "uncontended", kind, contenders)];
    for section in [0, 500].map(Duration::from_nanos) {
        for (threads, permits) in [(2, 1), (4, 2), (8, 3)] {
            let contenders = each_semaphore!(S => Contender::new(S::NAME, move |runner, plan| {
                contended::<S>(runner, plan, threads, permits, section)
            }));
            let shape = format!("section={},permits={permits}", label(section));
            workloads.push(Workload::new("semaphore", shape, kind, contenders).at("threads", threads));
        }
    }
    let contenders = each_semaphore!(S => Contender::new(S::NAME, rest::<S>));
    workloads.push(Workload::new("semaphore", "parked", Kind::Rest, contenders));
    workloads
}
