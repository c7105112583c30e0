//! Who gets permits first.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use lockwork::Semaphore;

use super::ACQUIRES;
use crate::support::{SHORT, Sleeper, parties, repeat, shown, watchdog};

#[test]
fn permits_are_granted_in_the_order_of_arrival() {
    watchdog(|| {
        for parties in parties() {
            let (semaphore, order) = (Semaphore::new(0), Mutex::new(Vec::new()));
            let sleepers = Sleeper::several(parties);
            thread::scope(|s| {
                for (i, sleeper) in sleepers.iter().enumerate() {
                    let (semaphore, order, acquire) = (&semaphore, &order, ACQUIRES[i % ACQUIRES.len()]);
                    s.spawn(move || {
                        sleeper.about_to_block();
                        // Sizes 1, 2, 3, 1, ..: in order whatever they want.
                        let permits = acquire(semaphore, 1 + i % 3);
                        order.lock().unwrap().push(i);
                        permits.forget();
                    });
                    sleeper.until_asleep();
                }
                for i in 0..parties {
                    for _ in 0..=i % 3 {
                        assert_eq!(order.lock().unwrap().len(), i);
                        semaphore.add_permits(1);
                    }
                    crate::support::eventually(|| order.lock().unwrap().len() == i + 1);
                }
            });
            if Sleeper::SURE {
                assert_eq!(*order.lock().unwrap(), (0..parties).collect::<Vec<_>>());
            }
            assert_eq!(semaphore.available_permits(), 0);
        }
    });
}

#[test]
fn no_request_passes_a_large_one_at_the_head() {
    if !Sleeper::SURE {
        return;
    }
    watchdog(|| {
        let semaphore = shown(Semaphore::new(0));
        let [large, small] = [Sleeper::new(), Sleeper::new()];
        let (large_done, small_done) = (AtomicBool::new(false), AtomicBool::new(false));
        thread::scope(|s| {
            s.spawn(|| {
                large.about_to_block();
                semaphore.acquire_many(3).forget();
                large_done.store(true, Relaxed);
            });
            large.until_asleep();
            s.spawn(|| {
                small.about_to_block();
                semaphore.acquire().forget();
                small_done.store(true, Relaxed);
            });
            small.until_asleep();
            semaphore.add_permits(2);
            assert_eq!(semaphore.available_permits(), 2);
            for _ in repeat(100) {
                assert!(semaphore.try_acquire().is_none());
                assert!(semaphore.try_acquire_arc().is_none());
                assert!(semaphore.try_acquire_for(Duration::ZERO).is_none());
            }
            assert!(semaphore.try_acquire_for(SHORT).is_none());
            assert!(!large_done.load(Relaxed) && !small_done.load(Relaxed));
            semaphore.add_permits(1);
            crate::support::eventually(|| large_done.load(Relaxed));
            assert!(!small_done.load(Relaxed));
            assert!(semaphore.try_acquire().is_none());
            semaphore.add_permits(2);
        });
        assert_eq!(semaphore.available_permits(), 1);
        assert!(semaphore.try_acquire().is_some());
    });
}

#[test]
fn released_permit_belongs_to_the_waiter_at_once() {
    if !Sleeper::SURE {
        return;
    }
    watchdog(|| {
        let semaphore = Semaphore::new(1);
        for _ in repeat(100) {
            let sleeper = Sleeper::new();
            let permit = semaphore.acquire();
            thread::scope(|s| {
                let waiter = s.spawn(|| {
                    sleeper.about_to_block();
                    semaphore.acquire()
                });
                sleeper.until_asleep();
                drop(permit);
                // However long it takes to wake up.
                assert!(semaphore.try_acquire().is_none());
                drop(waiter.join().unwrap());
            });
        }
    });
}

#[test]
fn large_request_that_times_out_lets_the_others_on() {
    watchdog(|| {
        for parties in parties() {
            let semaphore = Semaphore::new(parties);
            let sleepers = Sleeper::several(parties + 1);
            thread::scope(|s| {
                s.spawn(|| {
                    sleepers[parties].about_to_block();
                    assert!(semaphore.try_acquire_many_for(parties + 1, 4 * SHORT).is_none());
                });
                sleepers[parties].until_asleep();
                for (sleeper, acquire) in sleepers[..parties].iter().zip(ACQUIRES.iter().cycle()) {
                    let semaphore = &semaphore;
                    s.spawn(move || {
                        sleeper.about_to_block();
                        // No permits are added: what is there must do.
                        acquire(semaphore, 1).forget();
                    });
                }
            });
            assert_eq!(semaphore.available_permits(), 0);
            semaphore.add_permits(1);
            assert!(semaphore.try_acquire().is_some(), "the queue is empty");
        }
    });
}

#[test]
fn forget_permits_leaves_waiters_waiting() {
    watchdog(|| {
        let semaphore = Semaphore::new(1);
        let sleeper = Sleeper::new();
        thread::scope(|s| {
            s.spawn(|| {
                sleeper.about_to_block();
                semaphore.acquire_many(2).forget();
            });
            sleeper.until_asleep();
            assert_eq!(semaphore.forget_permits(5), 1);
            assert_eq!(semaphore.forget_permits(5), 0);
            semaphore.add_permits(1);
            assert_eq!(semaphore.available_permits(), 1);
            semaphore.add_permits(1);
        });
        assert_eq!(semaphore.available_permits(), 0);
    });
}
