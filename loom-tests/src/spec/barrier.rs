//! The barrier.

use super::two;

use lockwork::{Barrier, BarrierWaitResult, BrokenBarrier};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(1);

fn show(result: Result<BarrierWaitResult, BrokenBarrier>) -> String {
    result.map_or_else(|_| "broken".to_owned(), |met| met.index().to_string())
}

#[test]
fn two_meet_twice() {
    let allowed = ["0 0 1 1", "0 1 1 0", "1 0 0 1", "1 1 0 0"];
    let twice =
        |barrier: &Barrier| format!("{} {}", show(barrier.wait_result()), show(barrier.wait_result()));
    two(&allowed, || Barrier::new(2), twice, twice);
}

#[test]
fn one_of_two_with_a_deadline() {
    let late = |barrier: &Barrier| show(barrier.wait_for(SOON));
    two(&["0 1", "1 0", "broken broken"], || Barrier::new(2), late, late);
}

/// The thread whose time is up ends all waiting.
#[test]
fn second_round_after_a_time_out() {
    let allowed = ["0 1", "1 0", "broken broken"];
    two(
        &allowed,
        || Barrier::new(2),
        |barrier| {
            let first = show(barrier.wait_for(SOON));
            if first == "broken" {
                barrier.abort();
            }
            first
        },
        |barrier| show(barrier.wait_result()),
    );
}

#[test]
fn aborted_and_reset() {
    two(
        &["0 broken", "1 broken"],
        || Barrier::new(2),
        |barrier| {
            barrier.abort();
            barrier.reset();
            barrier.waiting().to_string()
        },
        |barrier| show(barrier.wait_for(SOON)),
    );
}

#[test]
fn reset_while_one_waits() {
    two(
        &["0 broken", "1 broken"],
        || Barrier::new(2),
        |barrier| {
            let waiting = barrier.waiting();
            barrier.reset();
            waiting.to_string()
        },
        |barrier| show(barrier.wait_for(SOON)),
    );
}

#[test]
fn abort_during_the_action() {
    let allowed = ["0 0 false", "0 0 true", "0 broken true"];
    two(
        &allowed,
        || Barrier::with_action(1, || ()),
        |barrier| {
            barrier.abort();
            barrier.waiting().to_string()
        },
        |barrier| format!("{} {}", show(barrier.wait_for(SOON)), barrier.is_broken()),
    );
}

/// A third comes while the action runs: its deadline does not break the round.
#[test]
fn action_of_one_while_the_other_comes() {
    let late = |barrier: &Barrier| show(barrier.wait_for(SOON));
    two(&["0 0", "0 broken", "broken 0"], || Barrier::with_action(1, || ()), late, late);
}
