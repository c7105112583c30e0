//! `condvar/…`.

use super::{Contender, Kind, Timing, Workload, at_rest};
use crate::runner::{Plan, Round, Runner};
use crate::support::condvar::{Monitor, each_condvar};
use crossbeam_utils::CachePadded;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// No thread waits for it.
fn notify_without_waiters<M: Monitor<u64>>(runner: &mut Runner, plan: Plan) -> Round {
    let monitor = CachePadded::new(M::new(0));
    runner.run(1, plan, move |worker| worker.repeat(1024, || monitor.notify_one(0))).of_equals()
}

/// Two threads pass a turn to each other; there and back is one operation.
fn ping_pong<M: Monitor<u64>>(runner: &mut Runner, plan: Plan) -> Round {
    const OVER: u64 = 2;
    let monitor = CachePadded::new(M::new(0));
    let run = runner.run(2, plan, move |worker| {
        let (mine, other) = (worker.index, 1 - worker.index);
        loop {
            let over = monitor.wait_then(
                mine,
                |turn| *turn != mine as u64 && *turn != OVER,
                |turn| {
                    // The first one says when it is over, and is not waited for any more.
                    let over = *turn == OVER || (mine == 0 && !worker.runs());
                    *turn = if over { OVER } else { other as u64 };
                    over
                },
            );
            monitor.notify_one(other);
            if over {
                break;
            }
            worker.count(1);
        }
    });
    run.in_step()
}

/// One thread wakes all the others at once, and goes on when the last of them has come; that is one
/// operation.
fn notify_all<M: Monitor<u64>>(runner: &mut Runner, plan: Plan, waiters: usize) -> Round {
    let (call, answer) = (CachePadded::new(M::new(0)), CachePadded::new(M::new(0)));
    let came = CachePadded::new(AtomicUsize::new(0));
    let last = AtomicU64::new(u64::MAX);
    let run = runner.run(waiters + 1, plan, move |worker| {
        for round in 1.. {
            if worker.index == 0 {
                if !worker.runs() {
                    last.store(round, Ordering::Relaxed);
                }
                call.with(|called| *called = round);
                call.notify_all(0);
                answer.wait_then(0, |answered| *answered != round, |_| ());
            } else {
                call.wait_then(0, |called| *called != round, |_| ());
                if (came.fetch_add(1, Ordering::Relaxed) + 1) % waiters == 0 {
                    answer.with(|answered| *answered = round);
                    answer.notify_one(0);
                }
            }
            if round == last.load(Ordering::Relaxed) {
                break;
            }
            worker.count(1);
        }
    });
    run.in_step()
}

fn rest<M: Monitor<u64>>(runner: &mut Runner, plan: Plan) -> Round {
    let monitor = Arc::new(M::new(0));
    let theirs = Arc::clone(&monitor);
    let hold = move |rest: &dyn Fn()| {
        rest();
        theirs.with(|value| *value = 1);
        theirs.notify_one(0);
    };
    at_rest(runner, plan, hold, move || monitor.wait_then(0, |value| *value == 0, |_| ()))
}

pub(super) fn workloads() -> Vec<Workload> {
    let kind = Kind::Speed(Timing::Never);
    vec![
        Workload::new(
            "condvar",
            "notify without waiters",
            kind,
            each_condvar!(M => Contender::new(M::NAME, notify_without_waiters::<M>)),
        ),
        Workload::new(
            "condvar",
            "ping-pong",
            kind,
            each_condvar!(M => Contender::new(M::NAME, ping_pong::<M>)),
        ),
        Workload::new(
            "condvar",
            "notify_all",
            kind,
            each_condvar!(M => Contender::new(M::NAME, |runner, plan| notify_all::<M>(runner, plan, 16))),
        )
        .at("waiters", 16),
        Workload::new(
            "condvar",
            "parked",
            Kind::Rest,
            each_condvar!(M => Contender::new(M::NAME, rest::<M>)),
        ),
    ]
}
