//! `Latch`.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::Latch;
use proptest::prelude::*;

use crate::random::programs;
use crate::support::{
    LIMIT, Plain, SHORT, Sleeper, allocations_during, cases, gives_up_in_time, parties, repeat, shown,
    watchdog,
};

/// The forms of a wait whose time does not run out.
const WAITS: [fn(&Latch) -> bool; 4] = [
    |latch| {
        latch.wait();
        true
    },
    |latch| latch.wait_for(LIMIT),
    |latch| latch.wait_for(Duration::MAX),
    |latch| latch.wait_until(Instant::now() + LIMIT),
];

#[test]
fn waiters_are_released_by_the_last_count() {
    watchdog(|| {
        for parties in parties() {
            let (latch, released) = (Latch::new(parties), AtomicUsize::new(0));
            let sleepers = Sleeper::several(parties);
            thread::scope(|s| {
                for (sleeper, wait) in sleepers.iter().zip(WAITS.iter().cycle()) {
                    let (latch, released) = (&latch, &released);
                    s.spawn(move || {
                        sleeper.about_to_block();
                        assert!(wait(latch));
                        released.fetch_add(1, Relaxed);
                    });
                }
                Sleeper::until_all_asleep(&sleepers);
                for left in (0..parties).rev() {
                    assert_eq!(released.load(Relaxed), 0);
                    assert!(!latch.is_open());
                    latch.count_down();
                    assert_eq!(latch.count(), left);
                }
                assert!(latch.is_open());
            });
            assert_eq!(released.into_inner(), parties);
            assert!(WAITS.iter().all(|wait| wait(&latch)), "for good");
        }
    });
}

#[test]
fn waiters_see_what_was_done_before_each_count() {
    watchdog(|| {
        for parties in parties() {
            for _ in repeat(50) {
                let latch = shown(Latch::new(parties));
                let written: Vec<Plain> = (0..parties).map(|_| Plain::default()).collect();
                thread::scope(|s| {
                    for written in &written {
                        let latch = &latch;
                        s.spawn(move || {
                            written.write(1);
                            latch.count_down();
                        });
                    }
                    latch.wait();
                    for written in &written {
                        assert_eq!(written.read(), 1);
                    }
                });
            }
        }
    });
}

#[test]
fn latch_of_zero_is_open_from_the_start() {
    watchdog(|| {
        let latch = shown(Latch::new(0));
        assert!(latch.is_open());
        assert!(WAITS.iter().all(|wait| wait(&latch)));
        assert!(latch.wait_for(Duration::ZERO));
        assert!(latch.wait_until(Instant::now()));
        latch.count_down();
        assert_eq!(latch.count(), 0);
    });
}

#[test]
fn counting_below_zero_leaves_it_open() {
    for n in cases([3, 4, 1000, usize::MAX]) {
        let latch = shown(Latch::new(3));
        latch.count_down_by(n);
        assert!(latch.is_open());
        latch.count_down_by(n);
        latch.count_down();
        assert_eq!(latch.count(), 0);
        assert!(latch.wait_for(Duration::ZERO));
    }
    let latch = shown(Latch::new(usize::MAX));
    latch.count_down_by(0);
    assert_eq!(latch.count(), usize::MAX);
    latch.count_down_by(usize::MAX - 1);
    assert_eq!(latch.count(), 1);
    assert!(!latch.is_open());
}

#[test]
fn timed_wait_says_whether_it_is_open() {
    watchdog(|| {
        let latch = shown(Latch::new(1));
        let past = Instant::now();
        gives_up_in_time(|timeout| latch.wait_for(timeout), |deadline| latch.wait_until(deadline));
        assert_eq!(latch.count(), 1, "a wait that gives up changes nothing");
        latch.count_down();
        assert!(latch.wait_for(Duration::ZERO));
        assert!(latch.wait_until(past));
    });
}

#[test]
fn arrivals_wait_for_one_another() {
    watchdog(|| {
        for parties in parties() {
            for _ in repeat(50) {
                let (latch, arrived) = (Latch::new(parties), AtomicUsize::new(0));
                thread::scope(|s| {
                    for _ in 0..parties {
                        s.spawn(|| {
                            arrived.fetch_add(1, Relaxed);
                            latch.arrive_and_wait();
                            assert_eq!(arrived.load(Relaxed), parties);
                        });
                    }
                });
            }
        }
    });
}

#[test]
fn counts_race_with_waits_that_give_up() {
    watchdog(|| {
        for parties in parties() {
            for round in repeat(100) {
                let latch = shown(Latch::new(parties));
                thread::scope(|s| {
                    for who in 0..parties {
                        let latch = &latch;
                        s.spawn(move || {
                            latch.count_down();
                            let time = Duration::from_micros((round * who) as u64 % 50);
                            // Once it says so it stays so.
                            if latch.wait_for(time) {
                                assert!(latch.is_open());
                            }
                        });
                    }
                });
                assert!(latch.is_open());
            }
        }
    });
}

#[test]
#[cfg_attr(feature = "diagnose", ignore = "what a thread tells of its waits is allocated once")]
fn waiting_allocates_nothing() {
    watchdog(|| {
        drop(thread::current());
        let latch = shown(Latch::new(2));
        let allocations = allocations_during(|| {
            latch.count_down();
            assert!(!latch.wait_for(SHORT));
            latch.count_down();
            latch.wait();
        });
        assert_eq!(allocations, 0);
    });
}

#[test]
fn latch_lives_in_a_static_and_shows_its_count() {
    static LATCH: Latch = Latch::new(2);
    assert_eq!(format!("{LATCH:?}"), "Latch { count: 2 }");
}

proptest! {
    #![proptest_config(programs(200))]

    #[test]
    fn latch_counts_like_a_saturating_number(count in 0_usize..20, steps in prop::collection::vec(0_usize..6, 0..12)) {
        let latch = shown(Latch::new(count));
        let mut left = count;
        for step in steps {
            latch.count_down_by(step);
            left = left.saturating_sub(step);
            prop_assert_eq!(latch.count(), left);
            prop_assert_eq!(latch.is_open(), left == 0);
            prop_assert_eq!(latch.wait_for(Duration::ZERO), left == 0);
        }
    }
}
