//! What is compared. `benches/README.md` says what each workload is for.

use crate::runner::{Plan, Round, Runner, Worker, thread_time};
use crate::waits::Waits;
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

mod all;
mod any;
mod barrier;
mod buffer;
mod channel;
mod condvar;
mod event;
mod mutex;
mod once;
mod reentrant;
mod rwlock;
mod semaphore;
mod thread_local;
mod threads;

/// When waits are timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timing {
    /// There is nothing to wait for.
    Never,
    /// In runs of their own, because the clock costs more than what is measured.
    Apart,
    /// Always, because few operations are timed.
    Always,
}

/// What a workload is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// As many operations as can be.
    Speed(Timing),
    /// One long wait, and what it costs.
    Rest,
}

type Job = Box<dyn Fn(&mut Runner, Plan) -> Round>;

/// One of those that are compared.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) run: Job,
}

impl Contender {
    fn new(name: &'static str, run: impl Fn(&mut Runner, Plan) -> Round + 'static) -> Self {
        Self { name, run: Box::new(run) }
    }
}

/// The same for all contenders.
pub(crate) struct Workload {
    pub(crate) family: &'static str,
    pub(crate) shape: String,
    /// What varies while the shape stays, for the lines.
    pub(crate) axis: Option<(&'static str, usize)>,
    pub(crate) kind: Kind,
    /// Takes so many times the time.
    pub(crate) stretch: u32,
    pub(crate) contenders: Vec<Contender>,
}

impl Workload {
    fn new(family: &'static str, shape: impl Into<String>, kind: Kind, contenders: Vec<Contender>) -> Self {
        Self { family, shape: shape.into(), axis: None, kind, stretch: 1, contenders }
    }

    fn at(mut self, axis: &'static str, value: usize) -> Self {
        self.axis = Some((axis, value));
        // So that the scheduler takes each of many threads a few times.
        self.stretch = if axis == "threads" && value > 8 { 3 } else { 1 };
        self
    }

    /// `family/shape/axis=value`.
    pub(crate) fn name(&self) -> String {
        let Self { family, shape, .. } = self;
        match self.axis {
            Some((axis, value)) => format!("{family}/{shape}/{axis}={value}"),
            None => format!("{family}/{shape}"),
        }
    }
}

/// All of them, in the order of the documentation.
pub(crate) fn all() -> Vec<Workload> {
    let families = [
        mutex::workloads,
        rwlock::workloads,
        reentrant::workloads,
        condvar::workloads,
        event::workloads,
        once::workloads,
        semaphore::workloads,
        barrier::workloads,
        buffer::workloads,
        channel::workloads,
        any::workloads,
        all::workloads,
        thread_local::workloads,
        threads::workloads,
    ];
    families.iter().flat_map(|workloads| workloads()).collect()
}

/// A length of time in a workload's name.
fn label(time: Duration) -> String {
    match time.as_nanos() {
        nanoseconds @ ..1000 => format!("{nanoseconds}ns"),
        nanoseconds @ ..1_000_000 => format!("{}us", nanoseconds / 1000),
        nanoseconds => format!("{}ms", nanoseconds / 1_000_000),
    }
}

/// How long an operation waits for its turn.
#[derive(Default)]
struct Stopwatch {
    asked: Option<Instant>,
    served: Option<Instant>,
    waits: Waits,
}

impl Stopwatch {
    /// Its turn has come. What else there is to do waits until the lock is free again.
    #[inline]
    fn served(&mut self) {
        if self.asked.is_some() {
            self.served = Some(Instant::now());
        }
    }
}

/// Repeats the operation until the run is over, and times the wait of one in so many.
///
/// A wait that begins before the others are measured and ends after that counts: it may be the longest of
/// all.
fn time_waits(worker: &Worker<'_>, one_in: u32, mut operation: impl FnMut(&mut Stopwatch)) {
    let mut watch = Stopwatch::default();
    while worker.runs() {
        watch.asked = Some(Instant::now());
        operation(&mut watch);
        let wait = watch.asked.take().zip(watch.served.take()).map(|(asked, served)| served - asked);
        if let Some(wait) = wait.filter(|_| !worker.warms_up()) {
            watch.waits.record(wait);
        }
        worker.count(1);
        for _ in 1..one_in {
            operation(&mut watch);
            worker.count(1);
        }
    }
    worker.report(&watch.waits);
}

/// One in how many operations is timed: less often where the clock costs more than the operation.
const fn sampling(section: Duration) -> u32 {
    if section.as_nanos() < 1000 { 4 } else { 1 }
}

/// How long the victim of a hog stays away.
const NOW_AND_THEN: Duration = Duration::from_micros(100);

/// The last thread comes now and then, and what it waits is timed. The others take the lock again at once.
fn hogged(
    runner: &mut Runner,
    plan: Plan,
    hogs: usize,
    hog: impl Fn() + Send + Sync + 'static,
    victim: impl Fn(&mut Stopwatch) + Send + Sync + 'static,
) -> Round {
    let run = runner.run(hogs + 1, plan, move |worker| {
        if worker.index < hogs {
            worker.repeat(1, &hog);
        } else {
            time_waits(worker, 1, |watch| {
                // A sleep is no part of the wait: the stopwatch starts again.
                thread::sleep(NOW_AND_THEN);
                watch.asked = Some(Instant::now());
                victim(watch);
            });
        }
    });
    run.of_groups(0..hogs + 1, &[])
}

/// One thread waits for as long as the run lasts: what its processor time is.
///
/// `hold` keeps the other waiting while it rests. It may be called before the waiter is there.
fn at_rest(
    runner: &mut Runner,
    plan: Plan,
    hold: impl Fn(&dyn Fn()) + Send + Sync + 'static,
    wait: impl Fn() + Send + Sync + 'static,
) -> Round {
    let held = Barrier::new(2);
    let cost = std::sync::Arc::new(Mutex::new(None));
    let result = std::sync::Arc::clone(&cost);
    let at_once = Plan { warm_up: Duration::ZERO, time: Duration::ZERO, ..plan };
    runner.run(2, at_once, move |worker| {
        if worker.index == 0 {
            held.wait();
            let before = thread_time();
            wait();
            let after = thread_time();
            *cost.lock().unwrap() = after.zip(before).map(|(after, before)| after - before);
        } else {
            hold(&|| {
                held.wait();
                thread::sleep(plan.time);
            });
        }
    });
    let cpu = *result.lock().unwrap();
    Round { operations: 1.0, elapsed: plan.time, fairness: None, cpu, waits: Waits::default() }
}
