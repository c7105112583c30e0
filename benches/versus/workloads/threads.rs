//! `threads/…`.

use super::{Contender, Kind, Timing, Workload, label};
use crate::runner::{Plan, Round, Runner, Worker};
use crate::support::threads::{Divide, Pool, each_divide, each_pool};
use crate::support::work::{iterations, work};
use crate::waits::Waits;
use crossbeam_utils::CachePadded;
use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// How long tasks are.
const TASKS: [Duration; 5] = [
    Duration::from_nanos(100),
    Duration::from_micros(1),
    Duration::from_micros(10),
    Duration::from_micros(100),
    Duration::from_millis(1),
];

/// How many threads a pool has where that does not vary.
const THREADS: usize = 2;

/// How many results are outstanding.
const OUTSTANDING: usize = 64;

/// The parts that work is divided into.
const LEAVES: usize = 256;

/// How long a pool has nothing to do before the next task comes.
const REST: Duration = Duration::from_micros(200);

/// How many detached tasks there are to a batch: fewer of long ones, so that those left at the end are soon
/// done.
fn batch(task: Duration) -> usize {
    (Duration::from_millis(1).as_nanos() / task.as_nanos()).clamp(8, 128) as usize
}

/// Tasks that are to be waited for together, by the thread that made this.
struct Batch {
    left: CachePadded<AtomicUsize>,
    submitter: Thread,
}

impl Batch {
    fn done_one(&self) {
        // Release, with Acquire below: what the tasks did.
        if self.left.fetch_sub(1, Ordering::Release) == 1 {
            self.submitter.unpark();
        }
    }

    fn wait(&self) {
        while self.left.load(Ordering::Acquire) != 0 {
            thread::park();
        }
    }
}

/// One thread submits, and forgets, but that there are never more than two batches: the next one begins when
/// the second to last is done.
fn detached<P: Pool>(runner: &mut Runner, plan: Plan, threads: usize, task: Duration) -> Round {
    let (pool, spin, size) = (P::new(threads), iterations(task), batch(task));
    let run = runner.run(1, plan, move |worker| {
        let [mut older, mut newer] = [0, 0].map(|left| {
            Arc::new(Batch { left: CachePadded::new(AtomicUsize::new(left)), submitter: thread::current() })
        });
        while worker.runs() {
            mem::swap(&mut older, &mut newer);
            newer.wait();
            newer.left.store(size, Ordering::Relaxed);
            for _ in 0..size {
                let batch = Arc::clone(&newer);
                pool.detach(move || {
                    work(spin);
                    batch.done_one();
                });
                worker.count(1);
            }
        }
        older.wait();
        newer.wait();
    });
    run.of_equals()
}

/// One thread submits, and joins what it submitted a while ago.
fn joined<P: Pool>(runner: &mut Runner, plan: Plan, task: Duration) -> Round {
    let (pool, spin) = (P::new(THREADS), iterations(task));
    let run = runner.run(1, plan, move |worker| {
        let mut outstanding = VecDeque::with_capacity(OUTSTANDING);
        while worker.runs() {
            if outstanding.len() == OUTSTANDING {
                outstanding.pop_front().map(P::join);
            }
            outstanding.push_back(pool.submit(move || work(spin)));
            worker.count(1);
        }
        outstanding.into_iter().for_each(P::join);
    });
    run.of_equals()
}

/// Repeats the operation, which says how long it took the thread that waited.
fn time_each(worker: &Worker<'_>, mut operation: impl FnMut() -> Duration) {
    let mut waits = Waits::default();
    while worker.runs() {
        let wait = operation();
        if !worker.warms_up() {
            waits.record(wait);
        }
        worker.count(1);
    }
    worker.report(&waits);
}

/// One thread submits a task, and waits for it. How long it takes until the task begins is what is timed.
fn round_trip<P: Pool>(runner: &mut Runner, plan: Plan, task: Duration) -> Round {
    let (pool, spin) = (P::new(THREADS), iterations(task));
    let run = runner.run(1, plan, move |worker| {
        time_each(worker, || {
            let submitted = Instant::now();
            let began = pool.run(move || {
                let began = Instant::now();
                work(spin);
                began
            });
            began.saturating_duration_since(submitted)
        });
    });
    run.of_equals()
}

/// The same for a pool that has had nothing to do for a while. From submission to result is what is timed.
fn after_a_rest<P: Pool>(runner: &mut Runner, plan: Plan) -> Round {
    let (pool, spin) = (P::new(THREADS), iterations(TASKS[0]));
    let run = runner.run(1, plan, move |worker| {
        time_each(worker, || {
            thread::sleep(REST);
            let submitted = Instant::now();
            pool.run(move || work(spin));
            submitted.elapsed()
        });
    });
    run.of_equals()
}

/// Work is halved until it cannot be any more. One part is one operation.
fn divided<D: Divide>(runner: &mut Runner, plan: Plan, leaf: Duration) -> Round {
    let (threads, spin) = (D::new(THREADS), iterations(leaf));
    let run = runner.run(1, plan, move |worker| {
        while worker.runs() {
            threads.halve(LEAVES, &|| work(spin));
            worker.count(LEAVES as u64);
        }
    });
    run.of_equals()
}

/// A pool with nothing to do: what the process costs meanwhile.
fn idle<P: Pool>(runner: &mut Runner, plan: Plan) -> Round {
    let pool = P::new(THREADS);
    (0..THREADS).map(|_| pool.submit(|| ())).for_each(P::join);
    let run = runner.run(1, plan, move |worker| {
        thread::sleep(worker.plan.warm_up + worker.plan.time);
        let _ = &pool;
    });
    Round { operations: 1.0, ..run.of_equals() }
}

pub(super) fn workloads() -> Vec<Workload> {
    const FAMILY: &str = "threads";
    let speed = Kind::Speed(Timing::Never);
    let timed = Kind::Speed(Timing::Always);
    let mut workloads = Vec::new();
    for task in TASKS {
        let varied: &[usize] = if task == TASKS[1] || task == TASKS[3] { &[1, 2, 4, 8] } else { &[THREADS] };
        for &threads in varied {
            let contenders = each_pool!(P => Contender::new(<P as Pool>::NAME, move |runner, plan| detached::<P>(runner, plan, threads, task)));
            workloads.push(
                Workload::new(FAMILY, format!("detached,task={}", label(task)), speed, contenders)
                    .at("threads", threads),
            );
        }
    }
    for task in TASKS {
        let contenders = each_pool!(P => Contender::new(<P as Pool>::NAME, move |runner, plan| joined::<P>(runner, plan, task)));
        workloads.push(Workload::new(FAMILY, format!("joined,task={}", label(task)), speed, contenders));
    }
    for task in TASKS {
        let contenders = each_pool!(P => Contender::new(<P as Pool>::NAME, move |runner, plan| round_trip::<P>(runner, plan, task)));
        workloads.push(Workload::new(FAMILY, format!("round trip,task={}", label(task)), timed, contenders));
    }
    let contenders = each_pool!(P => Contender::new(<P as Pool>::NAME, after_a_rest::<P>));
    workloads.push(Workload::new(FAMILY, "after a rest", timed, contenders));
    for leaf in &TASKS[..4] {
        let contenders = each_divide!(D => Contender::new(<D as Divide>::NAME, move |runner, plan| divided::<D>(runner, plan, *leaf)));
        workloads.push(Workload::new(FAMILY, format!("divided,leaf={}", label(*leaf)), speed, contenders));
    }
    let contenders = each_pool!(P => Contender::new(<P as Pool>::NAME, idle::<P>));
    workloads.push(Workload::new(FAMILY, "idle", Kind::Rest, contenders));
    workloads
}
