//! `Barrier`.

mod action;
mod breaking;
mod crowded;
mod programs;
mod rounds;

use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{Barrier, BarrierWaitResult, BrokenBarrier};

use crate::support::LIMIT;

type Waited = Result<BarrierWaitResult, BrokenBarrier>;

/// The forms of a wait whose time does not run out.
const WAITS: [fn(&Barrier) -> Waited; 5] = [
    |barrier| Ok(barrier.wait()),
    Barrier::wait_result,
    |barrier| barrier.wait_for(LIMIT),
    |barrier| barrier.wait_for(Duration::MAX),
    |barrier| barrier.wait_until(Instant::now() + LIMIT),
];

/// `n` threads that each run `body` with their number.
fn run(n: usize, body: impl Fn(usize) + Sync) {
    thread::scope(|s| {
        for who in 0..n {
            let body = &body;
            s.spawn(move || body(who));
        }
    });
}

/// A barrier whose action knows it.
fn with_action_on_itself(parties: usize, action: impl Fn(&Barrier) + Send + Sync + 'static) -> Arc<Barrier> {
    Arc::new_cyclic(|weak: &Weak<Barrier>| {
        let weak = weak.clone();
        Barrier::with_action(parties, move || action(&weak.upgrade().expect("it runs our action")))
    })
}
