//! `event/…`.

use super::{Contender, Kind, Timing, Workload, at_rest};
use crate::runner::{Plan, Round, Runner};
use crate::support::event::{Signal, each_auto_event, each_event};
use crossbeam_utils::CachePadded;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// It is set already.
fn set_again<S: Signal>(runner: &mut Runner, plan: Plan) -> Round {
    let event = CachePadded::new(S::new());
    runner.run(1, plan, move |worker| worker.repeat(256, || event.set())).of_equals()
}

/// Set, seen and taken back on one thread.
fn alone<S: Signal>(runner: &mut Runner, plan: Plan) -> Round {
    let event = CachePadded::new(S::new());
    let run = runner.run(1, plan, move |worker| {
        worker.repeat(64, || {
            event.set();
            event.wait();
            event.clear();
        });
    });
    run.of_equals()
}

/// Two threads wake each other in turn; there and back is one operation.
pub(super) fn ping_pong<S: Signal>(runner: &mut Runner, plan: Plan) -> Round {
    let (ping, pong) = (CachePadded::new(S::new()), CachePadded::new(S::new()));
    let over = AtomicBool::new(false);
    let run = runner.run(2, plan, move |worker| {
        loop {
            if worker.index == 0 {
                if !worker.runs() {
                    over.store(true, Ordering::Relaxed);
                }
                ping.set();
                pong.wait();
                pong.clear();
            } else {
                ping.wait();
                ping.clear();
            }
            // Read by the second one before it answers: the first one changes it only after that.
            let over = over.load(Ordering::Relaxed);
            if worker.index == 1 {
                pong.set();
            }
            if over {
                break;
            }
            worker.count(1);
        }
    });
    run.in_step()
}

/// One thread releases all the others, and goes on when the last of them has come; that is one operation.
fn release<S: Signal>(runner: &mut Runner, plan: Plan, waiters: usize) -> Round {
    // Two gates: one can be shut when all threads are known to stand before the other.
    let gates = [CachePadded::new(S::new()), CachePadded::new(S::new())];
    let answer = CachePadded::new(S::new());
    let came = CachePadded::new(AtomicUsize::new(0));
    let last = AtomicU64::new(u64::MAX);
    let run = runner.run(waiters + 1, plan, move |worker| {
        for round in 0.. {
            let gate = &gates[round as usize % 2];
            if worker.index == 0 {
                if !worker.runs() {
                    last.store(round, Ordering::Relaxed);
                }
                gate.set();
                answer.wait();
                answer.clear();
                gate.clear();
            } else {
                gate.wait();
                if (came.fetch_add(1, Ordering::Relaxed) + 1) % waiters == 0 {
                    answer.set();
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

fn rest<S: Signal>(runner: &mut Runner, plan: Plan) -> Round {
    let event = Arc::new(S::new());
    let theirs = Arc::clone(&event);
    let hold = move |rest: &dyn Fn()| {
        rest();
        theirs.set();
    };
    at_rest(runner, plan, hold, move || event.wait())
}

pub(super) fn workloads() -> Vec<Workload> {
    let kind = Kind::Speed(Timing::Never);
    vec![
        Workload::new("event", "set again", kind, each_event!(S => Contender::new(S::NAME, set_again::<S>))),
        Workload::new(
            "event",
            "set, wait, clear",
            kind,
            each_event!(S => Contender::new(S::NAME, alone::<S>)),
        ),
        Workload::new("event", "ping-pong", kind, each_event!(S => Contender::new(S::NAME, ping_pong::<S>))),
        Workload::new(
            "event",
            "release",
            kind,
            each_event!(S => Contender::new(S::NAME, |runner, plan| release::<S>(runner, plan, 8))),
        )
        .at("waiters", 8),
        Workload::new(
            "event",
            "auto-reset set, wait",
            kind,
            each_auto_event!(S => Contender::new(S::NAME, alone::<S>)),
        ),
        Workload::new(
            "event",
            "auto-reset ping-pong",
            kind,
            each_auto_event!(S => Contender::new(S::NAME, ping_pong::<S>)),
        ),
        Workload::new("event", "parked", Kind::Rest, each_event!(S => Contender::new(S::NAME, rest::<S>))),
    ]
}
