//! Rounds that are broken: by an abort, a reset, a time-out.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{Barrier, Event, Mutex};

use super::{WAITS, run};
use crate::support::{LIMIT, SHORT, cases, eventually, parties, repeat, rounds, shown, watchdog};

// CPython: test_abort.
#[test]
fn abort_breaks_for_members_and_for_later_ones() {
    watchdog(|| {
        for parties in parties() {
            let barrier = shown(Barrier::new(parties));
            let (passed, broken) = (AtomicUsize::new(0), AtomicUsize::new(0));
            run(parties, |_| {
                if barrier.wait().index() == parties / 2 {
                    barrier.abort();
                } else if barrier.wait_result().is_err() {
                    broken.fetch_add(1, Relaxed);
                } else {
                    passed.fetch_add(1, Relaxed);
                }
            });
            assert_eq!(passed.into_inner(), 0);
            assert_eq!(broken.into_inner(), parties - 1);
            assert!(barrier.is_broken());
            assert_eq!(barrier.waiting(), 0);
            for wait in &WAITS[1..] {
                assert!(wait(&barrier).is_err());
            }
            assert!(barrier.wait_for(Duration::ZERO).is_err());
            barrier.abort();
            assert!(barrier.is_broken(), "still");
        }
    });
}

// CPython: test_reset.
#[test]
fn reset_breaks_for_members_and_leaves_a_usable_barrier() {
    watchdog(|| {
        for parties in parties() {
            let barrier = shown(Barrier::new(parties));
            let (passed, broken, after) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
            run(parties, |_| {
                for _ in repeat(20) {
                    if barrier.wait().index() == parties / 2 {
                        eventually(|| barrier.waiting() == parties - 1);
                        barrier.reset();
                    } else if barrier.wait_result().is_err() {
                        broken.fetch_add(1, Relaxed);
                    } else {
                        passed.fetch_add(1, Relaxed);
                    }
                    barrier.wait();
                    after.fetch_add(1, Relaxed);
                }
            });
            assert_eq!(passed.into_inner(), 0);
            assert_eq!(broken.into_inner(), (parties - 1) * rounds(20));
            assert_eq!(after.into_inner(), parties * rounds(20));
            assert!(!barrier.is_broken());
        }
    });
}

// CPython: test_abort_and_reset.
#[test]
fn reset_mends_what_abort_broke() {
    watchdog(|| {
        for parties in parties() {
            let (barrier, other) = (Barrier::new(parties), Barrier::new(parties));
            run(parties, |_| {
                for _ in repeat(20) {
                    if barrier.wait().index() == parties / 2 {
                        barrier.abort();
                    } else {
                        assert!(barrier.wait_result().is_err());
                    }
                    // All have left it when it is reset, and none enters it before.
                    if other.wait().index() == parties / 2 {
                        assert!(barrier.is_broken());
                        barrier.reset();
                    }
                    other.wait();
                    barrier.wait();
                }
            });
            assert!(!barrier.is_broken());
        }
    });
}

#[test]
fn reset_of_an_empty_barrier_changes_nothing() {
    let barrier = shown(Barrier::new(2));
    for _ in 0..2 {
        barrier.reset();
        assert!(!barrier.is_broken());
        assert_eq!(barrier.waiting(), 0);
    }
}

// CPython: test_timeout, test_default_timeout.
#[test]
fn timeout_breaks_the_round_for_all() {
    watchdog(|| {
        for parties in parties() {
            if parties == 1 {
                continue;
            }
            let (barrier, late) = (Barrier::new(parties), Event::new());
            run(parties, |_| {
                let index = barrier.wait().index();
                if index == 0 {
                    // Does not come before the others have given up. Then it is alone.
                    late.wait();
                    let start = Instant::now();
                    assert!(barrier.wait_for(SHORT).is_err());
                    assert!(start.elapsed() >= SHORT);
                } else if index == 1 {
                    eventually(|| barrier.waiting() == parties - 2);
                    let start = Instant::now();
                    assert!(barrier.wait_for(SHORT).is_err());
                    assert!(start.elapsed() >= SHORT);
                    assert_eq!(barrier.waiting(), 0);
                    late.set();
                } else {
                    assert!(barrier.wait_for(LIMIT).is_err(), "broken by another's time-out");
                }
            });
            assert!(!barrier.is_broken(), "for the round only");
            run(parties, |_| assert!(barrier.wait_result().is_ok()));
        }
    });
}

#[test]
fn past_deadline_breaks_the_round_unless_all_are_there() {
    watchdog(|| {
        let past = Instant::now();
        for parties in cases([2, 3, 8]) {
            let barrier = shown(Barrier::new(parties));
            assert!(barrier.wait_for(Duration::ZERO).is_err());
            assert!(barrier.wait_until(past).is_err());
            thread::scope(|s| {
                for _ in 1..parties {
                    s.spawn(|| assert!(barrier.wait_result().is_ok()));
                }
                eventually(|| barrier.waiting() == parties - 1);
                assert!(barrier.wait_until(past).is_ok());
            });
            thread::scope(|s| {
                for _ in 2..parties {
                    s.spawn(|| assert!(barrier.wait_result().is_err()));
                }
                eventually(|| barrier.waiting() == parties - 2);
                assert!(barrier.wait_until(past).is_err());
            });
            assert_eq!(barrier.waiting(), 0);
        }
    });
}

#[test]
fn released_member_keeps_its_result() {
    // Each round is released by this thread, which then does at once what breaks the next.
    let breakers: [fn(&Barrier); 4] = [
        |barrier| {
            barrier.abort();
            barrier.reset();
        },
        Barrier::reset,
        |barrier| assert!(barrier.wait_for(Duration::ZERO).is_err()),
        |barrier| {
            barrier.abort();
            assert!(barrier.wait_result().is_err());
            barrier.reset();
        },
    ];
    watchdog(move || {
        for parties in parties() {
            if parties == 1 {
                continue;
            }
            let (barrier, after) = (Barrier::new(parties), Barrier::new(parties));
            let rounds = rounds(200);
            thread::scope(|s| {
                for _ in 1..parties {
                    s.spawn(|| {
                        for _ in 0..rounds {
                            assert!(!barrier.wait_result().expect("released").is_leader());
                            after.wait();
                        }
                    });
                }
                for round in 0..rounds {
                    eventually(|| barrier.waiting() == parties - 1);
                    assert!(barrier.wait().is_leader());
                    breakers[round % breakers.len()](&barrier);
                    after.wait();
                }
            });
        }
    });
}

#[test]
fn members_agree_whatever_breaks_their_rounds() {
    // Threads that meet, time out, reset and abort as it comes. The members of a round are told apart by the
    // number of the round, which the leader's action counts: as many returns as parties for each round, and
    // no index twice.
    watchdog(|| {
        for parties in parties() {
            let met = Mutex::new(Vec::new());
            let runs = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&runs);
            let barrier = Barrier::with_action(parties, move || {
                counted.fetch_add(1, Relaxed);
            });
            run(parties + 2, |who| {
                for turn in repeat(300) {
                    let result = match (who + turn) % 11 {
                        0 => {
                            barrier.reset();
                            continue;
                        }
                        1 if turn % 3 == 0 => {
                            barrier.abort();
                            barrier.reset();
                            continue;
                        }
                        2 => barrier.wait_for(Duration::ZERO),
                        3 => barrier.wait_for(Duration::from_micros(5)),
                        _ => barrier.wait_for(Duration::from_micros(200)),
                    };
                    if let Ok(result) = result {
                        met.lock().push(result.index());
                    }
                }
            });
            let mut indexes = vec![0; parties];
            for index in met.into_inner() {
                indexes[index] += 1;
            }
            // A round that its own action saw to the end may still have been broken: not more than were run.
            assert!(indexes.iter().all(|&times| times == indexes[0]), "{indexes:?}");
            assert!(indexes[0] <= runs.load(Relaxed));
            assert_eq!(barrier.waiting(), 0);
            run(parties, |_| assert!(barrier.wait_result().is_ok()));
        }
    });
}

#[test]
#[should_panic(expected = "Barrier::wait: the barrier is broken")]
fn wait_on_a_broken_barrier_panics() {
    let barrier = shown(Barrier::new(2));
    barrier.abort();
    barrier.wait();
}
