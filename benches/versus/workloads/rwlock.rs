//! `rwlock/…`.

use super::{Contender, Kind, Timing, Workload, at_rest, hogged, label, sampling, time_waits};
use crate::runner::{Plan, Round, Runner};
use crate::support::rwlock::{SharedLock, each_rwlock};
use crate::support::work::{Mix, iterations, work};
use crossbeam_utils::CachePadded;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

/// Each thread writes so many times in a thousand, and otherwise reads.
fn mixed<L: SharedLock>(runner: &mut Runner, plan: Plan, threads: usize, writes: usize) -> Round {
    let lock = CachePadded::new(L::new());
    let run = runner.run(threads, plan, move |worker| {
        let mut mix = Mix::new(writes, worker.index);
        if worker.plan.timed_waits {
            time_waits(worker, sampling(Duration::ZERO), |watch| {
                if mix.next() {
                    lock.write(|value| {
                        watch.served();
                        *value += 1;
                    });
                } else {
                    lock.read(|value| {
                        watch.served();
                        black_box(*value);
                    });
                }
            });
            return;
        }
        // Alone, the counting would be seen in the result.
        let each = if worker.threads == 1 { 64 } else { 1 };
        let read = || _ = lock.read(|value| black_box(*value));
        let write = || lock.write(|value| *value += 1);
        match writes {
            0 => worker.repeat(each, read),
            1000 => worker.repeat(each, write),
            _ => worker.repeat(each, || if mix.next() { write() } else { read() }),
        }
    });
    run.of_equals()
}

/// Readers that come again at once, and a writer now and then.
fn hogged_by_readers<L: SharedLock>(
    runner: &mut Runner,
    plan: Plan,
    hogs: usize,
    section: Duration,
) -> Round {
    let lock = Arc::new(CachePadded::new(L::new()));
    let (theirs, spin) = (Arc::clone(&lock), iterations(section));
    let hog = move || {
        theirs.read(|value| {
            black_box(*value);
            work(spin);
        });
    };
    hogged(runner, plan, hogs, hog, move |watch| {
        lock.write(|value| {
            watch.served();
            *value += 1;
        });
    })
}

/// Writers that come again at once, and a reader now and then.
fn hogged_by_writers<L: SharedLock>(
    runner: &mut Runner,
    plan: Plan,
    hogs: usize,
    section: Duration,
) -> Round {
    let lock = Arc::new(CachePadded::new(L::new()));
    let (theirs, spin) = (Arc::clone(&lock), iterations(section));
    let hog = move || {
        theirs.write(|value| {
            *value += 1;
            work(spin);
        });
    };
    hogged(runner, plan, hogs, hog, move |watch| {
        lock.read(|value| {
            watch.served();
            black_box(*value);
        });
    })
}

fn reader_at_rest<L: SharedLock>(runner: &mut Runner, plan: Plan) -> Round {
    let lock = Arc::new(L::new());
    let held = Arc::clone(&lock);
    at_rest(
        runner,
        plan,
        move |rest| held.write(|_| rest()),
        move || lock.read(|value| _ = black_box(*value)),
    )
}

fn writer_at_rest<L: SharedLock>(runner: &mut Runner, plan: Plan) -> Round {
    let lock = Arc::new(L::new());
    let held = Arc::clone(&lock);
    at_rest(runner, plan, move |rest| held.read(|_| rest()), move || lock.write(|value| *value += 1))
}

pub(super) fn workloads() -> Vec<Workload> {
    let mut workloads = Vec::new();
    for (writes, name) in [(0, "0"), (1, "0.1"), (10, "1"), (100, "10"), (500, "50"), (1000, "100")] {
        for threads in [1, 2, 4, 8] {
            let contenders = each_rwlock!(L => Contender::new(L::NAME, move |runner, plan| {
                mixed::<L>(runner, plan, threads, writes)
            }));
            // Alone there is nothing to wait for.
            let timing = if threads == 1 { Timing::Never } else { Timing::Apart };
            workloads.push(
                Workload::new("rwlock", format!("writes={name}%"), Kind::Speed(timing), contenders)
                    .at("threads", threads),
            );
        }
    }
    let section = Duration::from_nanos(500);
    for hogs in [1, 3] {
        let contenders = each_rwlock!(L => Contender::new(L::NAME, move |runner, plan| {
            hogged_by_readers::<L>(runner, plan, hogs, section)
        }));
        let shape = format!("victim writes,section={}", label(section));
        workloads
            .push(Workload::new("rwlock", shape, Kind::Speed(Timing::Always), contenders).at("hogs", hogs));
    }
    for hogs in [1, 3] {
        let contenders = each_rwlock!(L => Contender::new(L::NAME, move |runner, plan| {
            hogged_by_writers::<L>(runner, plan, hogs, section)
        }));
        let shape = format!("victim reads,section={}", label(section));
        workloads
            .push(Workload::new("rwlock", shape, Kind::Speed(Timing::Always), contenders).at("hogs", hogs));
    }
    let contenders = each_rwlock!(L => Contender::new(L::NAME, reader_at_rest::<L>));
    workloads.push(Workload::new("rwlock", "parked reader", Kind::Rest, contenders));
    let contenders = each_rwlock!(L => Contender::new(L::NAME, writer_at_rest::<L>));
    workloads.push(Workload::new("rwlock", "parked writer", Kind::Rest, contenders));
    workloads
}
