//! More threads than parties, with waits of no length, while others abort, reset and give up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::Barrier;

use super::{Waited, run};
use crate::support::{Plain, cases, either, parties, repeat, rounds, shown, watchdog};

/// What the waits of all threads came to.
#[derive(Default)]
struct Sum {
    met: AtomicUsize,
    leaders: AtomicUsize,
    indexes: AtomicUsize,
}

impl Sum {
    fn add(&self, waited: &Waited) {
        if let Ok(result) = waited {
            self.met.fetch_add(1, Relaxed);
            self.leaders.fetch_add(usize::from(result.is_leader()), Relaxed);
            self.indexes.fetch_add(result.index(), Relaxed);
        }
    }

    /// Each round has had all its members or none. Returns how many have tripped.
    fn check(self, parties: usize) -> usize {
        let trips = self.leaders.into_inner();
        assert_eq!(self.met.into_inner(), trips * parties);
        assert_eq!(self.indexes.into_inner(), trips * parties * (parties - 1) / 2);
        trips
    }
}

/// The waits that give up at once, or nearly so.
const BRIEF: [fn(&Barrier) -> Waited; 4] = [
    |barrier| barrier.wait_for(Duration::ZERO),
    |barrier| barrier.wait_until(Instant::now()),
    |barrier| barrier.wait_for(Duration::from_nanos(100)),
    |barrier| barrier.wait_for(Duration::from_micros(30)),
];

/// Runs `body` again and again while `n` threads run `members`.
fn beside(body: impl Fn() + Sync, n: usize, members: impl Fn(usize) + Sync) {
    let ended = AtomicBool::new(false);
    thread::scope(|s| {
        s.spawn(|| {
            while !ended.load(Relaxed) {
                body();
                thread::yield_now();
            }
        });
        run(n, members);
        ended.store(true, Relaxed);
    });
}

#[test]
fn no_wait_of_one_party_fails_unless_it_is_aborted() {
    watchdog(|| {
        for threads in parties() {
            let barrier = shown(Barrier::new(1));
            beside(
                || barrier.reset(),
                threads,
                |who| {
                    for round in 0..rounds(3000) {
                        let result = BRIEF[(who + round) % BRIEF.len()](&barrier).expect("it is alone");
                        assert!(result.is_leader() && result.index() == 0);
                        assert!(barrier.wait_result().is_ok());
                    }
                },
            );
            assert_eq!(barrier.waiting(), 0);
            assert!(!barrier.is_broken());
        }
    });
}

#[test]
fn brief_waits_of_many_trip_or_break_whole_rounds() {
    watchdog(|| {
        for parties in cases([2, 3]) {
            for action in either("action ") {
                let runs = Arc::new(Plain::default());
                let counted = Arc::clone(&runs);
                let barrier = if action {
                    Barrier::with_action(parties, move || counted.write(counted.read() + 1))
                } else {
                    Barrier::new(parties)
                };
                let sum = Sum::default();
                run(2 * parties + 1, |who| {
                    for round in 0..rounds(1000) {
                        sum.add(&BRIEF[(who + round) % BRIEF.len()](&barrier));
                    }
                });
                let trips = sum.check(parties);
                if action {
                    assert_eq!(runs.read(), trips);
                }
                assert_eq!(barrier.waiting(), 0);
                assert!(!barrier.is_broken());
            }
        }
    });
}

#[test]
fn aborts_and_resets_meanwhile_break_whole_rounds() {
    watchdog(|| {
        for parties in cases([1, 2, 3]) {
            for resets in either("resets alone ") {
                let barrier = shown(Barrier::new(parties));
                let sum = Sum::default();
                beside(
                    || {
                        if !resets {
                            barrier.abort();
                        }
                        barrier.reset();
                    },
                    2 * parties + 1,
                    |who| {
                        for round in 0..rounds(1000) {
                            sum.add(&BRIEF[(who + round) % BRIEF.len()](&barrier));
                        }
                    },
                );
                sum.check(parties);
                assert!(!barrier.is_broken());
                assert_eq!(barrier.waiting(), 0);
                run(parties, |_| assert!(barrier.wait_result().is_ok()));
            }
        }
    });
}

#[test]
fn action_of_one_party_runs_for_each_wait_that_succeeds() {
    watchdog(|| {
        for threads in parties() {
            for _ in repeat(3) {
                let runs = Arc::new(Plain::default());
                let counted = Arc::clone(&runs);
                let barrier = Barrier::with_action(1, move || counted.write(counted.read() + 1));
                let sum = Sum::default();
                beside(
                    || barrier.reset(),
                    threads,
                    |who| {
                        for round in 0..rounds(300) {
                            sum.add(&BRIEF[(who + round) % BRIEF.len()](&barrier));
                        }
                    },
                );
                // A reset while the action runs breaks a round whose action has run.
                assert!(sum.check(1) <= runs.read());
                assert_eq!(barrier.waiting(), 0);
                assert!(barrier.wait_for(Duration::ZERO).is_ok());
            }
        }
    });
}
