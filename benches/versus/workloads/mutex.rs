//! `mutex/…`.

use super::{Contender, Kind, Timing, Workload, at_rest, hogged, label, sampling, time_waits};
use crate::runner::{Plan, Round, Runner};
use crate::support::mutex::{Lock, each_mutex};
use crate::support::work::{iterations, work};
use crossbeam_utils::CachePadded;
use std::sync::Arc;
use std::time::Duration;

/// No other thread is there.
fn uncontended<L: Lock>(runner: &mut Runner, plan: Plan) -> Round {
    let lock = CachePadded::new(L::new());
    runner.run(1, plan, move |worker| worker.repeat(64, || lock.with(|value| *value += 1))).of_equals()
}

/// Each thread is in turn a while in the lock and as long outside.
fn contended<L: Lock>(runner: &mut Runner, plan: Plan, threads: usize, section: Duration) -> Round {
    let lock = CachePadded::new(L::new());
    let spin = iterations(section);
    let run = runner.run(threads, plan, move |worker| {
        let inside = |value: &mut u64| {
            *value += 1;
            work(spin);
        };
        if worker.plan.timed_waits {
            time_waits(worker, sampling(section), |watch| {
                lock.with(|value| {
                    watch.served();
                    inside(value);
                });
                work(spin);
            });
        } else {
            worker.repeat(1, || {
                lock.with(inside);
                work(spin);
            });
        }
    });
    run.of_equals()
}

/// Hogs that unlock only to lock again, and a victim.
fn hog<L: Lock>(runner: &mut Runner, plan: Plan, hogs: usize, section: Duration) -> Round {
    let lock = Arc::new(CachePadded::new(L::new()));
    let (theirs, spin) = (Arc::clone(&lock), iterations(section));
    let hog = move || {
        theirs.with(|value| {
            *value += 1;
            work(spin);
        });
    };
    hogged(runner, plan, hogs, hog, move |watch| {
        lock.with(|value| {
            watch.served();
            *value += 1;
        });
    })
}

fn rest<L: Lock>(runner: &mut Runner, plan: Plan) -> Round {
    let lock = Arc::new(L::new());
    let held = Arc::clone(&lock);
    at_rest(runner, plan, move |rest| held.with(|_| rest()), move || lock.with(|value| *value += 1))
}

pub(super) fn workloads() -> Vec<Workload> {
    let contenders = each_mutex!(L => Contender::new(L::NAME, uncontended::<L>));
    let mut workloads = vec![Workload::new("mutex", "uncontended", Kind::Speed(Timing::Never), contenders)];
    for section in [0, 20, 500, 10_000].map(Duration::from_nanos) {
        for threads in [2, 4, 8, 32] {
            let contenders = each_mutex!(L => Contender::new(L::NAME, move |runner, plan| {
                contended::<L>(runner, plan, threads, section)
            }));
            let shape = format!("section={}", label(section));
            workloads.push(
                Workload::new("mutex", shape, Kind::Speed(Timing::Apart), contenders).at("threads", threads),
            );
        }
    }
    for section in [0, 500, 10_000].map(Duration::from_nanos) {
        for hogs in [1, 3] {
            let contenders = each_mutex!(L => Contender::new(L::NAME, move |runner, plan| {
                hog::<L>(runner, plan, hogs, section)
            }));
            let shape = format!("victim,section={}", label(section));
            workloads.push(
                Workload::new("mutex", shape, Kind::Speed(Timing::Always), contenders).at("hogs", hogs),
            );
        }
    }
    let contenders = each_mutex!(L => Contender::new(L::NAME, rest::<L>));
    workloads.push(Workload::new("mutex", "parked", Kind::Rest, contenders));
    workloads
}
