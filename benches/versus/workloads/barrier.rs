//! `barrier/…`.

use super::{Contender, Kind, Timing, Workload, at_rest};
use crate::runner::{Plan, Round, Runner};
use crate::support::barrier::{Party, each_barrier};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// All threads meet again and again; each time is one operation.
fn meet<P: Party>(runner: &mut Runner, plan: Plan, threads: usize) -> Round {
    let parties = Mutex::new(P::all(threads));
    let last = AtomicU64::new(u64::MAX);
    let run = runner.run(threads, plan, move |worker| {
        let mut party = parties.lock().unwrap().pop().expect("one for each thread");
        for round in 0.. {
            if worker.index == 0 && !worker.runs() {
                last.store(round, Ordering::Relaxed);
            }
            party.wait();
            // Said before this meeting or, by a thread that is ahead, of the next one.
            if round >= last.load(Ordering::Relaxed) {
                break;
            }
            worker.count(1);
        }
    });
    run.in_step()
}

fn rest<P: Party>(runner: &mut Runner, plan: Plan) -> Round {
    let mut parties = P::all(2);
    let [first, second] = [parties.remove(0), parties.remove(0)].map(Mutex::new);
    let hold = move |rest: &dyn Fn()| {
        rest();
        first.lock().unwrap().wait();
    };
    at_rest(runner, plan, hold, move || second.lock().unwrap().wait())
}

pub(super) fn workloads() -> Vec<Workload> {
    let meetings = [2, 3, 4, 8].map(|threads| {
        let contenders = each_barrier!(P => Contender::new(P::NAME, move |runner, plan| {
            meet::<P>(runner, plan, threads)
        }));
        Workload::new("barrier", "meet", Kind::Speed(Timing::Never), contenders).at("threads", threads)
    });
    let contenders = each_barrier!(P => Contender::new(P::NAME, rest::<P>));
    meetings.into_iter().chain([Workload::new("barrier", "parked", Kind::Rest, contenders)]).collect()
}
