//! `WaitGroup`.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::WaitGroup;
use proptest::prelude::*;

use crate::random::programs;
use crate::support::{LIMIT, SHORT, Sleeper, allocations_during, parties, repeat, watchdog};

#[test]
fn wait_ends_when_all_members_are_gone() {
    watchdog(|| {
        for parties in parties() {
            for _ in repeat(50) {
                let (group, done) = (WaitGroup::new(), AtomicUsize::new(0));
                thread::scope(|s| {
                    for _ in 0..parties {
                        let (member, done) = (group.clone(), &done);
                        s.spawn(move || {
                            done.fetch_add(1, Relaxed);
                            drop(member);
                        });
                    }
                    group.wait();
                    assert_eq!(done.load(Relaxed), parties);
                });
            }
        }
    });
}

#[test]
fn all_can_wait_for_one_another() {
    watchdog(|| {
        for parties in parties() {
            let (group, arrived) = (WaitGroup::new(), AtomicUsize::new(0));
            let sleepers = Sleeper::several(parties);
            thread::scope(|s| {
                for (who, sleeper) in sleepers.iter().enumerate() {
                    let (member, arrived) = (group.clone(), &arrived);
                    s.spawn(move || {
                        sleeper.about_to_block();
                        match who % 3 {
                            0 => member.wait(),
                            1 => assert!(member.wait_for(LIMIT)),
                            _ => assert!(member.wait_until(Instant::now() + LIMIT)),
                        }
                        arrived.fetch_add(1, Relaxed);
                    });
                }
                Sleeper::until_all_asleep(&sleepers);
                assert_eq!(arrived.load(Relaxed), 0, "we have not waited yet");
                group.wait();
            });
            assert_eq!(arrived.into_inner(), parties);
        }
    });
}

#[test]
fn group_of_one_has_no_other_to_wait_for() {
    watchdog(|| {
        WaitGroup::new().wait();
        WaitGroup::default().wait();
        assert!(WaitGroup::new().wait_for(Duration::ZERO));
        assert!(WaitGroup::new().wait_until(Instant::now()));
    });
}

#[test]
fn timed_wait_that_gives_up_stays_a_member() {
    watchdog(|| {
        let group = WaitGroup::new();
        let member = group.clone();
        for _ in 0..3 {
            let start = Instant::now();
            assert!(!group.wait_for(SHORT));
            assert!(start.elapsed() >= SHORT);
            assert!(!group.wait_for(Duration::ZERO));
            assert!(!group.wait_until(start));
            assert!(!member.wait_for(Duration::ZERO));
        }
        assert_eq!(format!("{group:?}"), "WaitGroup { members: 2 }");
        drop(member);
        assert!(group.wait_for(Duration::ZERO));
    });
}

#[test]
fn group_that_is_over_stays_over() {
    watchdog(|| {
        let group = WaitGroup::new();
        assert!(group.wait_for(Duration::MAX));
        let late = group.clone();
        assert!(group.wait_for(Duration::ZERO));
        assert!(late.wait_for(Duration::ZERO));
        assert_eq!(format!("{late:?}"), "WaitGroup { members: 0 }");
        drop(group);
        late.wait();
    });
}

#[test]
fn member_that_panics_is_gone() {
    watchdog(|| {
        let group = WaitGroup::new();
        let member = group.clone();
        let result = catch_unwind(AssertUnwindSafe(|| {
            let _member = member;
            resume_unwind(Box::new(()));
        }));
        assert!(result.is_err());
        assert!(group.wait_for(Duration::ZERO));
    });
}

#[test]
fn members_can_add_members() {
    fn work(depth: usize, done: &'static AtomicUsize, member: WaitGroup) {
        for _ in 0..depth {
            let member = member.clone();
            thread::spawn(move || work(depth - 1, done, member));
        }
        done.fetch_add(1, Relaxed);
    }
    static DONE: AtomicUsize = AtomicUsize::new(0);
    watchdog(|| {
        let group = WaitGroup::new();
        work(3, &DONE, group.clone());
        group.wait();
        assert_eq!(DONE.load(Relaxed), 1 + 3 + 3 * 2 + 3 * 2);
    });
}

#[test]
fn waits_that_give_up_race_with_drops() {
    watchdog(|| {
        for parties in parties() {
            for round in repeat(100) {
                let (group, at_work) = (WaitGroup::new(), AtomicUsize::new(0));
                thread::scope(|s| {
                    for who in 0..parties {
                        let (member, at_work) = (group.clone(), &at_work);
                        s.spawn(move || {
                            let time = Duration::from_micros((round * (who + 1)) as u64 % 40);
                            if !member.wait_for(time) {
                                at_work.fetch_add(1, Relaxed);
                                at_work.fetch_sub(1, Relaxed);
                            }
                            drop(member);
                        });
                    }
                    group.wait();
                    assert_eq!(at_work.load(Relaxed), 0, "who gave up was a member until it went");
                });
            }
        }
    });
}

#[test]
#[cfg_attr(feature = "diagnose", ignore = "what a thread tells of its waits is allocated once")]
fn cloning_and_waiting_allocate_nothing() {
    watchdog(|| {
        drop(thread::current());
        let group = WaitGroup::new();
        let allocations = allocations_during(|| {
            let member = group.clone();
            assert!(!group.wait_for(SHORT));
            drop(member);
            assert!(group.wait_for(SHORT));
        });
        assert_eq!(allocations, 0);
    });
}

proptest! {
    #![proptest_config(programs(200))]

    #[test]
    fn group_is_over_when_its_handles_are_one(steps in prop::collection::vec(any::<bool>(), 0..20)) {
        let group = WaitGroup::new();
        let mut members = Vec::new();
        for add in steps {
            if add {
                members.push(group.clone());
            } else {
                members.pop();
            }
            // A group that has been seen over stays over.
            if members.is_empty() {
                break;
            }
            prop_assert!(!group.wait_for(Duration::ZERO));
        }
        members.clear();
        prop_assert!(group.wait_for(Duration::ZERO));
    }
}

/// Two threads that wait with one handle take it out of the group once, not twice.
#[test]
fn two_waits_with_one_handle_leave_the_others_in() {
    watchdog(|| {
        let group = WaitGroup::new();
        let member = group.clone();
        thread::scope(|s| {
            let waits = [(); 2].map(|()| s.spawn(|| group.wait_for(Duration::from_millis(50))));
            for wait in waits {
                assert!(!wait.join().unwrap(), "a member is still at work");
            }
        });
        assert!(!group.wait_for(Duration::ZERO));
        drop(member);
        assert!(group.wait_for(LIMIT));
    });
}
