//! Meeting at a `Barrier`, again and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{Barrier, BarrierWaitResult, Mutex};

use super::{WAITS, run};
use crate::support::{Plain, Sleeper, cases, either, eventually, parties, rounds, shown, watchdog};

// CPython: test_barrier, test_barrier_10.
#[test]
fn no_member_goes_on_before_all_have_arrived() {
    watchdog(|| {
        for parties in parties() {
            let barrier = shown(Barrier::new(parties));
            let written: Vec<Plain> = (0..parties).map(|_| Plain::default()).collect();
            run(parties, |who| {
                for round in 1..=rounds(150) {
                    written[who].write(round);
                    WAITS[(who + round) % WAITS.len()](&barrier).expect("it is not broken");
                    assert!(written.iter().all(|written| written.read() == round));
                    WAITS[who % WAITS.len()](&barrier).expect("it is not broken");
                }
            });
            assert_eq!(barrier.waiting(), 0);
        }
    });
}

// CPython: test_wait_return.
#[test]
fn each_round_has_each_index_once_and_one_leader() {
    watchdog(|| {
        for parties in parties() {
            let rounds = rounds(100);
            let barrier = shown(Barrier::new(parties));
            let results: Vec<Mutex<Vec<BarrierWaitResult>>> =
                (0..rounds).map(|_| Mutex::new(Vec::new())).collect();
            run(parties, |_| {
                for results in &results {
                    let result = barrier.wait();
                    results.lock().push(result);
                }
            });
            for results in results {
                let mut results = results.into_inner();
                results.sort_unstable_by_key(BarrierWaitResult::index);
                assert!(results.iter().map(BarrierWaitResult::index).eq(0..parties));
                // The leader is the last to arrive.
                assert!(results.iter().all(|result| result.is_leader() == (result.index() + 1 == parties)));
            }
        }
    });
}

#[test]
fn index_is_the_order_of_arrival() {
    watchdog(|| {
        for parties in parties() {
            let barrier = shown(Barrier::new(parties));
            thread::scope(|s| {
                for who in 0..parties {
                    assert_eq!(barrier.waiting(), who);
                    let barrier = &barrier;
                    s.spawn(move || assert_eq!(barrier.wait().index(), who));
                    if who + 1 < parties {
                        eventually(|| barrier.waiting() == who + 1);
                    }
                }
            });
            assert_eq!(barrier.waiting(), 0);
        }
    });
}

// CPython: test_single_thread.
#[test]
fn one_party_is_always_alone() {
    watchdog(|| {
        for parties in cases([0, 1]) {
            let barrier = shown(Barrier::new(parties));
            assert_eq!(barrier.parties(), 1);
            for wait in cases(WAITS) {
                let result = wait(&barrier).unwrap();
                assert!(result.is_leader());
                assert_eq!(result.index(), 0);
            }
            assert!(barrier.wait_for(Duration::ZERO).is_ok());
            assert!(barrier.wait_until(Instant::now()).is_ok());
            assert_eq!(barrier.waiting(), 0);
        }
    });
}

#[test]
fn sleepers_are_released() {
    watchdog(|| {
        for parties in parties() {
            let barrier = shown(Barrier::new(parties));
            for _ in 0..3 {
                let sleepers = Sleeper::several(parties - 1);
                thread::scope(|s| {
                    for (sleeper, wait) in sleepers.iter().zip(WAITS.iter().cycle()) {
                        let barrier = &barrier;
                        s.spawn(move || {
                            sleeper.about_to_block();
                            assert!(!wait(barrier).unwrap().is_leader());
                        });
                    }
                    Sleeper::until_all_asleep(&sleepers);
                    assert!(barrier.wait_for(Duration::ZERO).unwrap().is_leader());
                });
            }
        }
    });
}

#[test]
fn more_threads_than_parties_go_through_in_rounds() {
    watchdog(|| {
        for parties in parties() {
            for action in either("action ") {
                let passes = rounds(60);
                let runs = Arc::new(AtomicUsize::new(0));
                let counted = Arc::clone(&runs);
                let barrier = if action {
                    Barrier::with_action(parties, move || {
                        counted.fetch_add(1, Relaxed);
                    })
                } else {
                    Barrier::new(parties)
                };
                // All passes together are a whole number of rounds, and each thread waits for the others'
                // help only as long as there is a thread left that has not passed.
                let (tickets, leaders) = (AtomicUsize::new(parties * passes), AtomicUsize::new(0));
                let indexes = AtomicUsize::new(0);
                run(2 * parties + 1, |_| {
                    let take = || tickets.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
                    while take().is_ok() {
                        let result = barrier.wait();
                        leaders.fetch_add(usize::from(result.is_leader()), Relaxed);
                        indexes.fetch_add(result.index(), Relaxed);
                    }
                });
                assert_eq!(leaders.into_inner(), passes);
                assert_eq!(indexes.into_inner(), passes * parties * (parties - 1) / 2);
                assert_eq!(runs.load(Relaxed), if action { passes } else { 0 });
                assert_eq!(barrier.waiting(), 0);
            }
        }
    });
}
