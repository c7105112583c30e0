//! A `Barrier` against its specification, and what is made of it and shown.

use std::error::Error;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use lockwork::{Barrier, BrokenBarrier};
use proptest::prelude::*;

use super::{Waited, run};
use crate::random::programs;
use crate::support::{LIMIT, SHORT, allocations_during, eventually, repeat, watchdog};

/// A sequential program: what one thread can see of a barrier.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// One thread more arrives and stays.
    Arrive,
    /// One arrives with no time.
    Try,
    Abort,
    Reset,
}

proptest! {
    #![proptest_config(programs(100))]

    #[test]
    fn barrier_is_its_specification(
        parties in 1_usize..5,
        program in prop::collection::vec(
            prop_oneof![4 => Just(Step::Arrive), 2 => Just(Step::Try), 1 => Just(Step::Abort), 1 => Just(Step::Reset)],
            1..25,
        ),
    ) {
        watchdog(move || {
            let barrier = Barrier::new(parties);
            thread::scope(|s| {
                // The specification: who is inside, and whether it is aborted.
                let (mut inside, mut aborted) = (Vec::new(), false);
                let end = |inside: &mut Vec<thread::ScopedJoinHandle<'_, Waited>>, met: bool| {
                    for (index, member) in inside.drain(..).enumerate() {
                        let result = member.join().unwrap();
                        assert_eq!(result.map(|result| result.index()), if met { Ok(index) } else { Err(BrokenBarrier) });
                    }
                };
                for step in program.into_iter().chain([Step::Reset]) {
                    match step {
                        Step::Arrive | Step::Try if aborted => assert!(barrier.wait_result().is_err()),
                        Step::Arrive | Step::Try if inside.len() + 1 == parties => {
                            let result = barrier.wait_for(Duration::ZERO).expect("all are there");
                            assert_eq!((result.index(), result.is_leader()), (parties - 1, true));
                            end(&mut inside, true);
                        }
                        Step::Arrive => {
                            inside.push(s.spawn(|| barrier.wait_result()));
                            eventually(|| barrier.waiting() == inside.len());
                        }
                        Step::Try => {
                            assert!(barrier.wait_for(Duration::ZERO).is_err());
                            end(&mut inside, false);
                        }
                        Step::Abort => {
                            barrier.abort();
                            aborted = true;
                            end(&mut inside, false);
                        }
                        Step::Reset => {
                            barrier.reset();
                            aborted = false;
                            end(&mut inside, false);
                        }
                    }
                    assert_eq!(barrier.waiting(), inside.len());
                    assert_eq!(barrier.is_broken(), aborted);
                }
            });
        });
    }
}

#[test]
#[cfg_attr(feature = "diagnose", ignore = "what a thread tells of its waits is allocated once")]
fn waiting_allocates_nothing() {
    watchdog(|| {
        let barrier = Barrier::new(2);
        run(2, |_| {
            // What `std` makes once for a thread.
            drop(thread::current());
            let allocations = allocations_during(|| {
                for _ in repeat(100) {
                    barrier.wait();
                    assert!(barrier.wait_for(LIMIT).is_ok());
                }
            });
            assert_eq!(allocations, 0);
        });
        assert_eq!(allocations_during(|| assert!(barrier.wait_for(SHORT).is_err())), 0);
    });
}

#[test]
fn action_is_dropped_with_its_barrier() {
    let owned = Arc::new(());
    let held = Arc::clone(&owned);
    let barrier = Barrier::with_action(1, move || assert!(Arc::strong_count(&held) == 2));
    barrier.wait();
    drop(barrier);
    assert_eq!(Arc::strong_count(&owned), 1);
}

#[test]
fn debug_shows_the_state() {
    static BARRIER: Barrier = Barrier::new(3);
    assert_eq!(format!("{BARRIER:?}"), "Barrier { parties: 3, waiting: 0, is_broken: false, .. }");
    BARRIER.abort();
    assert_eq!(format!("{BARRIER:?}"), "Barrier { parties: 3, waiting: 0, is_broken: true, .. }");
    let result = Barrier::new(1).wait();
    assert_eq!(format!("{result:?}"), "BarrierWaitResult { is_leader: true, index: 0 }");
    let error: Box<dyn Error> = Box::new(BARRIER.wait_result().unwrap_err());
    assert_eq!(error.to_string(), "the barrier is broken");
}

#[test]
fn any_number_of_parties_can_be_asked_for() {
    let barrier = Barrier::new(usize::MAX);
    assert_eq!(barrier.parties(), usize::MAX);
    assert!(barrier.wait_for(Duration::ZERO).is_err());
    assert_eq!(barrier.waiting(), 0);
}
