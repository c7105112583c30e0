//! How many permits there may be, and how many can be asked for.

use std::mem;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{OverRelease, Semaphore};

use super::{ACQUIRES, MAX};
use crate::support::{LIMIT, Sleeper, cases, message_of, parties, repeat, shown, watchdog};

#[test]
fn held_permits_count_against_the_bound() {
    let semaphore = Semaphore::bounded(2);
    let held = semaphore.acquire();
    assert_eq!(semaphore.try_add_permits(1), Err(OverRelease), "it will come back");
    drop(held);
    assert_eq!(semaphore.available_permits(), 2);
    // One forgotten, one held: there is room for one.
    let held = semaphore.acquire();
    semaphore.acquire().forget();
    assert_eq!(semaphore.try_add_permits(2), Err(OverRelease));
    assert_eq!(semaphore.try_add_permits(1), Ok(()));
    assert_eq!(semaphore.try_add_permits(1), Err(OverRelease));
    drop(held);
    assert_eq!(semaphore.available_permits(), 2);
}

#[test]
fn forget_permits_makes_room() {
    let semaphore = Semaphore::bounded(3);
    assert_eq!(semaphore.forget_permits(0), 0);
    assert_eq!(semaphore.forget_permits(2), 2);
    assert_eq!(semaphore.forget_permits(5), 1);
    assert_eq!(semaphore.forget_permits(usize::MAX), 0);
    assert_eq!(semaphore.available_permits(), 0);
    semaphore.add_permits(3);
    assert_eq!(semaphore.try_add_permits(1), Err(OverRelease));
}

#[test]
fn leaked_permits_never_come_back() {
    let semaphore = Semaphore::bounded(1);
    mem::forget(semaphore.acquire());
    assert_eq!(semaphore.try_add_permits(1), Err(OverRelease));
    assert!(semaphore.try_acquire().is_none());
}

#[test]
fn plain_semaphore_is_bounded_by_the_maximum() {
    let full = Semaphore::new(MAX);
    assert!(message_of(|| full.add_permits(1)).contains("Semaphore::add_permits"));
    assert_eq!(full.available_permits(), MAX);
    let almost = Semaphore::new(MAX - 1);
    almost.add_permits(1);
    assert_eq!(almost.try_add_permits(1), Err(OverRelease));
    let empty = Semaphore::new(0);
    empty.add_permits(MAX);
    assert_eq!(empty.available_permits(), MAX);
    let all = empty.acquire_many(MAX);
    assert_eq!(empty.try_add_permits(1), Err(OverRelease), "they all come back");
    all.forget();
    assert_eq!(empty.try_add_permits(usize::MAX), Err(OverRelease));
    empty.add_permits(MAX);
    assert_eq!(empty.available_permits(), MAX);
}

#[test]
fn request_for_none_is_granted_at_once() {
    watchdog(|| {
        let semaphore = shown(Semaphore::new(0));
        let sleeper = Sleeper::new();
        thread::scope(|s| {
            s.spawn(|| {
                sleeper.about_to_block();
                semaphore.acquire_many(2).forget();
            });
            sleeper.until_asleep();
            for acquire in cases(ACQUIRES) {
                assert_eq!(acquire(&semaphore, 0).num_permits(), 0);
            }
            assert!(semaphore.try_acquire_many(0).is_some());
            assert!(semaphore.try_acquire_many_arc(0).is_some());
            assert_eq!(semaphore.acquire_many_arc(0).num_permits(), 0);
            semaphore.acquire_many(0).forget();
            assert_eq!(semaphore.available_permits(), 0);
            semaphore.add_permits(2);
        });
    });
}

#[test]
fn request_that_can_never_be_granted_fails_at_once() {
    watchdog(|| {
        for (semaphore, limit) in [(Semaphore::bounded(2), 2), (Semaphore::new(2), MAX)] {
            let semaphore = Arc::new(semaphore);
            for n in cases([limit + 1, usize::MAX / 2 + 1, usize::MAX]) {
                assert!(message_of(|| drop(semaphore.acquire_many(n))).contains("Semaphore::acquire"));
                assert!(message_of(|| drop(semaphore.acquire_many_arc(n))).contains("Semaphore::acquire"));
                assert!(semaphore.try_acquire_many(n).is_none());
                assert!(semaphore.try_acquire_many_for(n, Duration::MAX).is_none());
                assert!(semaphore.try_acquire_many_until(n, Instant::now() + LIMIT).is_none());
            }
            assert_eq!(semaphore.available_permits(), 2);
            assert!(semaphore.try_acquire_many(2).is_some());
        }
        assert!(message_of(|| drop(Semaphore::bounded(0).acquire())).contains("Semaphore::acquire"));
    });
}

#[test]
fn everything_can_be_taken_from_a_bounded_semaphore() {
    watchdog(|| {
        for parties in parties() {
            let semaphore = Semaphore::bounded(parties);
            thread::scope(|s| {
                for _ in 0..parties {
                    s.spawn(|| {
                        for _ in repeat(50) {
                            drop(semaphore.acquire());
                        }
                    });
                }
                for _ in repeat(50) {
                    let all = semaphore.acquire_many(parties);
                    assert_eq!(semaphore.available_permits(), 0);
                    drop(all);
                }
            });
        }
    });
}
