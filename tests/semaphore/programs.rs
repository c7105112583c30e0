//! Random requests, of many threads and against a specification.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{OverRelease, Semaphore, SemaphorePermit};
use proptest::prelude::*;

use super::{ACQUIRES, MAX};
use crate::random::{Numbers, programs};
use crate::support::{Plain, allocations_during, parties, repeat, rounds, shown, watchdog};

#[test]
fn random_requests_never_exceed_the_permits() {
    const PERMITS: usize = 4;
    watchdog(|| {
        for parties in parties() {
            let semaphore = shown(Semaphore::bounded(PERMITS));
            let (held, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            thread::scope(|s| {
                for party in 0..parties {
                    let (semaphore, held, most) = (&semaphore, &held, &most);
                    s.spawn(move || {
                        let mut numbers = Numbers(party as u64);
                        for _ in repeat(1000) {
                            let n = numbers.below(PERMITS + 1);
                            let soon = Duration::from_micros(numbers.below(200) as u64);
                            let permits = match numbers.below(6) {
                                0 => semaphore.try_acquire_many(n),
                                1 => semaphore.try_acquire_many_for(n, soon),
                                2 => semaphore.try_acquire_many_until(n, Instant::now() + soon),
                                3 => semaphore.try_acquire_many_for(n, Duration::MAX),
                                _ => Some(semaphore.acquire_many(n)),
                            };
                            let Some(mut permits) = permits else { continue };
                            assert_eq!(permits.num_permits(), n);
                            let now = held.fetch_add(n, Relaxed) + n;
                            assert!(now <= PERMITS, "{now} permits of {PERMITS} are held");
                            most.fetch_max(now, Relaxed);
                            if numbers.below(4) == 0 {
                                thread::yield_now();
                            }
                            let part = permits.split(numbers.below(n + 1)).expect("at most all");
                            held.fetch_sub(part.num_permits(), Relaxed);
                            drop(part);
                            held.fetch_sub(permits.num_permits(), Relaxed);
                            if numbers.below(3) == 0 {
                                let left = permits.num_permits();
                                permits.forget();
                                semaphore.add_permits(left);
                            }
                        }
                    });
                }
            });
            assert!(most.load(Relaxed) > 0);
            assert_eq!(semaphore.available_permits(), PERMITS);
            assert_eq!(semaphore.try_add_permits(1), Err(OverRelease));
            assert!(semaphore.try_acquire_many(PERMITS).is_some());
        }
    });
}

#[test]
fn permit_hands_over_what_was_done_under_it() {
    watchdog(|| {
        for parties in parties() {
            let (semaphore, plain) = (Semaphore::bounded(1), Plain::default());
            thread::scope(|s| {
                for acquire in ACQUIRES.iter().cycle().take(parties) {
                    let (semaphore, plain) = (&semaphore, &plain);
                    s.spawn(move || {
                        for _ in repeat(500) {
                            let _permit = acquire(semaphore, 1);
                            plain.write(plain.read() + 1);
                        }
                    });
                }
            });
            assert_eq!(plain.read(), parties * rounds(500));
        }
    });
}

#[test]
#[cfg_attr(feature = "diagnose", ignore = "what a thread tells of its waits is allocated once")]
fn waiting_allocates_nothing() {
    watchdog(|| {
        let semaphore = Semaphore::new(0);
        // The handle that `std` makes once.
        drop(thread::current());
        assert_eq!(
            allocations_during(|| {
                assert!(semaphore.try_acquire_for(Duration::from_millis(1)).is_none());
                semaphore.add_permits(1);
                drop(semaphore.acquire());
            }),
            0
        );
    });
}

#[derive(Clone, Debug)]
enum Op {
    Acquire(usize),
    TryAcquire(usize),
    TimedAcquire(usize),
    Release(usize),
    Forget(usize),
    Split(usize, usize),
    Merge(usize, usize),
    Add(usize),
    ForgetFree(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let (size, which) = (0..5usize, 0..4usize);
    prop_oneof![
        size.clone().prop_map(Op::Acquire),
        size.clone().prop_map(Op::TryAcquire),
        size.clone().prop_map(Op::TimedAcquire),
        which.clone().prop_map(Op::Release),
        which.clone().prop_map(Op::Forget),
        (which.clone(), size.clone()).prop_map(|(which, n)| Op::Split(which, n)),
        (which.clone(), which).prop_map(|(one, other)| Op::Merge(one, other)),
        size.clone().prop_map(Op::Add),
        size.prop_map(Op::ForgetFree),
    ]
}

proptest! {
    #![proptest_config(programs(256))]

    #[test]
    fn permits_are_conserved(
        permits in 0..6usize,
        bounded: bool,
        ops in prop::collection::vec(op(), 0..40),
    ) {
        let semaphore = if bounded { Semaphore::bounded(permits) } else { Semaphore::new(permits) };
        let limit = if bounded { permits } else { MAX };
        let (mut free, mut held) = (permits, Vec::<usize>::new());
        let mut guards = Vec::new();
        for op in ops {
            match op {
                Op::Acquire(n) | Op::TryAcquire(n) | Op::TimedAcquire(n) => {
                    let guard = match op {
                        Op::Acquire(n) if n <= free => Some(semaphore.acquire_many(n)),
                        Op::TimedAcquire(n) => semaphore.try_acquire_many_for(n, Duration::from_nanos(1)),
                        _ => semaphore.try_acquire_many(n),
                    };
                    prop_assert_eq!(guard.is_some(), n <= free);
                    if let Some(guard) = guard {
                        free -= n;
                        held.push(n);
                        guards.push(guard);
                    }
                }
                Op::Release(i) if i < held.len() => {
                    free += held.swap_remove(i);
                    drop(guards.swap_remove(i));
                }
                Op::Forget(i) if i < held.len() => {
                    held.swap_remove(i);
                    guards.swap_remove(i).forget();
                }
                Op::Split(i, n) if i < held.len() => {
                    let part = guards[i].split(n);
                    prop_assert_eq!(part.is_some(), n <= held[i]);
                    if let Some(part) = part {
                        held[i] -= n;
                        held.push(n);
                        guards.push(part);
                    }
                }
                Op::Merge(i, j) if i < j && j < held.len() => {
                    held[i] += held.swap_remove(j);
                    let other = guards.swap_remove(j);
                    guards[i].merge(other);
                }
                Op::Release(_) | Op::Forget(_) | Op::Split(..) | Op::Merge(..) => {}
                Op::Add(n) => {
                    let fits = free + held.iter().sum::<usize>() + n <= limit;
                    prop_assert_eq!(semaphore.try_add_permits(n), if fits { Ok(()) } else { Err(OverRelease) });
                    free += if fits { n } else { 0 };
                }
                Op::ForgetFree(n) => {
                    prop_assert_eq!(semaphore.forget_permits(n), n.min(free));
                    free -= n.min(free);
                }
            }
            prop_assert_eq!(semaphore.available_permits(), free);
            prop_assert_eq!(guards.iter().map(SemaphorePermit::num_permits).collect::<Vec<_>>(), held.clone());
        }
        free += held.iter().sum::<usize>();
        drop(guards);
        prop_assert_eq!(semaphore.available_permits(), free);
    }
}
