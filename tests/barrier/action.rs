//! What a `Barrier` runs when all have arrived.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{Barrier, Event, Mutex};

use super::{WAITS, Waited, run, with_action_on_itself};
use crate::support::{LIMIT, Plain, SHORT, Sleeper, cases, eventually, parties, rounds, shown, watchdog};

// CPython: test_action.
#[test]
fn action_runs_once_in_a_round_before_any_member_leaves() {
    watchdog(|| {
        for parties in parties() {
            let runs = Arc::new(Plain::default());
            let counted = Arc::clone(&runs);
            let barrier = Barrier::with_action(parties, move || counted.write(counted.read() + 1));
            let looked = shown(Barrier::new(parties));
            run(parties, |who| {
                for round in 1..=rounds(100) {
                    WAITS[(who + round) % WAITS.len()](&barrier).expect("it is not broken");
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
            let repaired = shown(Barrier::new(parties));
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
            for aborts in cases([true, false]) {
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

/// Brings together as many threads as parties, with a time limit each that passes while the action runs, then
/// calls `then`. Returns what each thread got.
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
