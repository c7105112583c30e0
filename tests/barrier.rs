//! `Barrier`.

use std::cell::UnsafeCell;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{Barrier, BarrierWaitResult, BrokenBarrier, Event, Mutex};
use proptest::prelude::*;

use crate::support::{
    LIMIT, Sleeper, allocations_during, either, eventually, parties, repeat, rounds, shown, watchdog,
};

/// Long enough to be measured, short enough to be waited for.
const SHORT: Duration = Duration::from_millis(15);

type Waited = Result<BarrierWaitResult, BrokenBarrier>;

/// The forms of a wait whose time does not run out.
const WAITS: [fn(&Barrier) -> Waited; 5] = [
    |barrier| Ok(barrier.wait()),
    Barrier::wait_result,
    |barrier| barrier.wait_for(LIMIT),
    |barrier| barrier.wait_for(Duration::MAX),
    |barrier| barrier.wait_until(Instant::now() + LIMIT),
];

/// What one thread writes and others read, with nothing but a barrier between them.
#[derive(Debug, Default)]
struct Plain(UnsafeCell<usize>);

/// Its users are ordered by barriers: that they are is what is tested.
unsafe impl Sync for Plain {}

impl Plain {
    fn write(&self, value: usize) {
        unsafe { *self.0.get() = value };
    }

    fn read(&self) -> usize {
        unsafe { *self.0.get() }
    }
}

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

// --- Rounds --------------------------------------------------------------------------------------------------------

// CPython: test_barrier, test_barrier_10.
#[test]
fn nobody_goes_on_before_all_have_arrived() {
    watchdog(|| {
        for parties in parties() {
            let barrier = Barrier::new(parties);
            let written: Vec<Plain> = (0..parties).map(|_| Plain::default()).collect();
            run(parties, |who| {
                for round in 1..=rounds(150) {
                    written[who].write(round);
                    WAITS[(who + round) % WAITS.len()](&barrier).expect("nobody breaks it");
                    assert!(written.iter().all(|written| written.read() == round));
                    WAITS[who % WAITS.len()](&barrier).expect("nobody breaks it");
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
            let barrier = Barrier::new(parties);
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
            let barrier = Barrier::new(parties);
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
        for parties in [0, 1] {
            let barrier = Barrier::new(parties);
            assert_eq!(barrier.parties(), 1);
            for wait in WAITS {
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
            let barrier = Barrier::new(parties);
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
                // All passes together are a whole number of rounds, and each thread waits for the others' help only as
                // long as there is somebody left who has not passed.
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

// --- The action ----------------------------------------------------------------------------------------------------

// CPython: test_action.
#[test]
fn action_runs_once_in_a_round_before_anyone_leaves() {
    watchdog(|| {
        for parties in parties() {
            let runs = Arc::new(Plain::default());
            let counted = Arc::clone(&runs);
            let barrier = Barrier::with_action(parties, move || counted.write(counted.read() + 1));
            let looked = Barrier::new(parties);
            run(parties, |who| {
                for round in 1..=rounds(100) {
                    WAITS[(who + round) % WAITS.len()](&barrier).expect("nobody breaks it");
                    assert_eq!(runs.read(), round);
                    // The next run is not before all have looked.
                    looked.wait();
                }
            });
        }
    });
}

#[test]
fn action_runs_in_the_leader() {
    watchdog(|| {
        for parties in parties() {
            let actor = shown(Mutex::new(None));
            let noted = Arc::clone(&actor);
            let barrier = Barrier::with_action(parties, move || *noted.lock() = Some(thread::current().id()));
            run(parties, |_| {
                let leads = barrier.wait().is_leader();
                assert_eq!(*actor.lock() == Some(thread::current().id()), leads);
            });
        }
    });
}

#[test]
fn panic_of_the_action_breaks_the_round_and_goes_on_in_the_leader() {
    watchdog(|| {
        for parties in parties() {
            let (panics, broken) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let faulty = Arc::new(AtomicBool::new(true));
            let fault = Arc::clone(&faulty);
            let barrier = Barrier::with_action(parties, move || {
                if fault.load(Relaxed) {
                    resume_unwind(Box::new("a fault"));
                }
            });
            let repaired = Barrier::new(parties);
            run(parties, |who| {
                let wait = WAITS[1..][who % (WAITS.len() - 1)];
                match catch_unwind(AssertUnwindSafe(|| wait(&barrier))) {
                    Ok(result) => {
                        assert!(result.is_err());
                        broken.fetch_add(1, Relaxed);
                    }
                    Err(payload) => {
                        assert_eq!(*payload.downcast::<&str>().unwrap(), "a fault");
                        panics.fetch_add(1, Relaxed);
                    }
                }
                if repaired.wait().is_leader() {
                    assert!(!barrier.is_broken());
                    faulty.store(false, Relaxed);
                }
                repaired.wait();
                assert!(wait(&barrier).is_ok(), "the next round is a new one");
            });
            assert_eq!(panics.into_inner(), 1);
            assert_eq!(broken.into_inner(), parties - 1);
        }
    });
}

#[test]
fn action_may_break_its_own_round() {
    watchdog(|| {
        for parties in parties() {
            for aborts in [true, false] {
                let barrier = with_action_on_itself(parties, move |barrier| {
                    assert!(!barrier.is_broken());
                    assert_eq!(barrier.waiting(), parties);
                    if aborts {
                        barrier.abort();
                    } else {
                        barrier.reset();
                    }
                    assert_eq!(barrier.is_broken(), aborts);
                    assert_eq!(barrier.waiting(), 0);
                });
                run(parties, |_| assert!(barrier.wait_result().is_err()));
                assert_eq!(barrier.is_broken(), aborts);
                barrier.reset();
                assert!(!barrier.is_broken());
            }
        }
    });
}

#[test]
fn members_do_not_wait_for_an_action_that_broke_the_round() {
    watchdog(|| {
        let released = shown(Event::new());
        let goes_on = Arc::clone(&released);
        let barrier = with_action_on_itself(2, move |barrier| {
            barrier.reset();
            assert!(goes_on.wait_for(LIMIT), "the other member waits for us");
        });
        let first = AtomicBool::new(true);
        run(2, |_| {
            assert!(barrier.wait_result().is_err());
            if first.swap(false, Relaxed) {
                released.set();
            }
        });
    });
}

#[test]
fn timed_wait_in_the_action_gives_up() {
    watchdog(|| {
        for parties in parties() {
            let barrier = with_action_on_itself(parties, |barrier| {
                assert!(barrier.wait_for(Duration::ZERO).is_err());
                assert!(barrier.wait_for(SHORT).is_err());
            });
            // That has broken nothing.
            run(parties, |_| assert!(barrier.wait_result().is_ok()));
        }
    });
}

#[test]
fn entry_while_an_action_runs_is_timed() {
    watchdog(|| {
        let (runs, goes_on) = (Arc::new(AtomicUsize::new(0)), shown(Event::new()));
        let (counted, ends) = (Arc::clone(&runs), Arc::clone(&goes_on));
        let barrier = Barrier::with_action(1, move || {
            counted.fetch_add(1, Relaxed);
            ends.wait();
        });
        thread::scope(|s| {
            s.spawn(|| barrier.wait());
            eventually(|| runs.load(Relaxed) == 1);
            let start = Instant::now();
            assert!(barrier.wait_for(SHORT).is_err());
            assert!(start.elapsed() >= SHORT);
            assert!(barrier.wait_for(Duration::ZERO).is_err());
            assert!(barrier.wait_until(start).is_err());
            let sleeper = Sleeper::new();
            thread::scope(|s| {
                s.spawn(|| {
                    sleeper.about_to_block();
                    assert!(barrier.wait().is_leader());
                });
                sleeper.until_asleep();
                assert_eq!(runs.load(Relaxed), 1);
                goes_on.set();
            });
            assert_eq!(runs.load(Relaxed), 2);
        });
    });
}

/// Brings together as many threads as parties, with a time limit each that passes while the action runs, then calls
/// `then`. Returns what each thread got.
fn complete_round_whose_time_is_up(barrier: &Barrier, then: impl FnOnce()) -> Vec<thread::Result<Waited>> {
    let parties = barrier.parties();
    let (complete, longest) = (AtomicBool::new(false), AtomicUsize::new(0));
    let member = |who: usize| {
        // Twice as long at each attempt: on a busy machine the others may not come in time.
        let mut limit = SHORT * (1 + who as u32 % 3);
        loop {
            longest.fetch_max(limit.as_millis() as usize, Relaxed);
            let start = Instant::now();
            let result =
                if who % 2 == 0 { barrier.wait_for(limit) } else { barrier.wait_until(start + limit) };
            if result.is_ok() || complete.load(Relaxed) {
                return result;
            }
            limit *= 2;
        }
    };
    thread::scope(|s| {
        let member = &member;
        let members: Vec<_> = (0..parties).map(|who| s.spawn(move || member(who))).collect();
        eventually(|| barrier.waiting() == parties);
        complete.store(true, Relaxed);
        let start = Instant::now();
        eventually(|| start.elapsed() > Duration::from_millis(longest.load(Relaxed) as u64) + SHORT);
        let waiting = barrier.waiting();
        then();
        assert_eq!(waiting, parties, "no deadline breaks a complete round");
        members.into_iter().map(thread::ScopedJoinHandle::join).collect()
    })
}

#[test]
fn deadline_that_passes_during_the_action_breaks_nothing() {
    watchdog(|| {
        for parties in parties() {
            let goes_on = shown(Event::new());
            let ends = Arc::clone(&goes_on);
            let barrier = Barrier::with_action(parties, move || ends.wait());
            let results = complete_round_whose_time_is_up(&barrier, || {
                goes_on.set();
            });
            let mut indexes: Vec<usize> =
                results.into_iter().map(|result| result.unwrap().expect("all had arrived").index()).collect();
            indexes.sort_unstable();
            assert!(indexes.into_iter().eq(0..parties), "{parties} parties");
            run(parties, |_| assert!(barrier.wait_for(LIMIT).is_ok(), "the next round is a new one"));
        }
    });
}

#[test]
fn complete_round_can_be_broken_by_all_but_a_deadline() {
    type Breaks = fn(&Barrier);
    let breakers: [(&str, Breaks); 3] =
        [("abort", Barrier::abort), ("reset", Barrier::reset), ("a panic", |_| {})];
    watchdog(move || {
        for parties in parties() {
            for (what, breaks) in breakers {
                let (goes_on, faulty) = (shown(Event::new()), Arc::new(AtomicBool::new(what == "a panic")));
                let (ends, fault) = (Arc::clone(&goes_on), Arc::clone(&faulty));
                let barrier = Barrier::with_action(parties, move || {
                    ends.wait();
                    if fault.load(Relaxed) {
                        resume_unwind(Box::new("a fault"));
                    }
                });
                let results = complete_round_whose_time_is_up(&barrier, || {
                    breaks(&barrier);
                    goes_on.set();
                });
                let panics = results.iter().filter(|result| result.is_err()).count();
                assert_eq!(panics, usize::from(what == "a panic"), "{what}, {parties} parties");
                assert!(
                    results.into_iter().flatten().all(|result| result.is_err()),
                    "{what}, {parties} parties"
                );
                assert_eq!(barrier.is_broken(), what == "abort");
                faulty.store(false, Relaxed);
                barrier.reset();
                run(parties, |_| {
                    assert!(barrier.wait_for(LIMIT).is_ok(), "{what}, {parties} parties: mended")
                });
            }
        }
    });
}

// --- Breaking ------------------------------------------------------------------------------------------------------

// CPython: test_abort.
#[test]
fn abort_breaks_for_members_and_for_whoever_comes() {
    watchdog(|| {
        for parties in parties() {
            let barrier = Barrier::new(parties);
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
            let barrier = Barrier::new(parties);
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
                    // All have left it when it is reset, and nobody enters it before.
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
fn reset_with_nobody_inside_changes_nothing() {
    let barrier = Barrier::new(2);
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
        for parties in [2, 3, 8] {
            let barrier = Barrier::new(parties);
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
    // Threads that meet, time out, reset and abort as it comes. The members of a round are told apart by the number of
    // the round, which the leader's action counts: as many returns as parties for each round, and no index twice.
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
    let barrier = Barrier::new(2);
    barrier.abort();
    barrier.wait();
}

// --- The rest ------------------------------------------------------------------------------------------------------

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
    #![proptest_config(ProptestConfig { cases: rounds(100) as u32, failure_persistence: None, ..ProptestConfig::default() })]

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
