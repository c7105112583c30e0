//! Many notifications and time-outs at once.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use lockwork::{Condvar, Mutex};

use crate::support::{eventually, parties, repeat, rounds, watchdog};

#[test]
fn every_notification_is_one_return_and_every_return_one_notification() {
    // No time-outs here: a spurious wake-up is a return too many, a lost notification one too few.
    watchdog(|| {
        for parties in parties() {
            let (mutex, condvar) = (Mutex::new(false), Condvar::new());
            let (returns, finished) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let mut notified = 0;
            thread::scope(|s| {
                for _ in 0..parties {
                    s.spawn(|| {
                        let mut stop = mutex.lock();
                        while !*stop {
                            condvar.wait(&mut stop);
                            returns.fetch_add(1, Relaxed);
                        }
                        drop(stop);
                        finished.fetch_add(1, Relaxed);
                    });
                }
                for round in repeat(1000) {
                    let _held = (round % 5 == 0).then(|| mutex.lock());
                    notified += match round % 4 {
                        0 => condvar.notify_all(),
                        1 => condvar.notify_many(round % 3),
                        _ => usize::from(condvar.notify_one()),
                    };
                    if round % 7 == 0 {
                        thread::yield_now();
                    }
                }
                *mutex.lock() = true;
                // Those that were not waiting just now see the end before they wait again.
                notified += condvar.notify_all();
                eventually(|| finished.load(Relaxed) == parties);
            });
            assert_eq!(returns.into_inner(), notified);
        }
    });
}

#[test]
fn notified_and_timed_out_exclude_each_other() {
    watchdog(|| {
        for parties in parties() {
            let (mutex, condvar) = (Mutex::new(0), Condvar::new());
            let (in_time, finished) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let mut notified = 0;
            thread::scope(|s| {
                for party in 0..parties {
                    let (mutex, condvar, in_time, finished) = (&mutex, &condvar, &in_time, &finished);
                    s.spawn(move || {
                        for round in repeat(250) {
                            let timeout = Duration::from_micros(((party * 13 + round) % 60) as u64);
                            let mut guard = mutex.lock();
                            let result = condvar.wait_for(&mut guard, timeout);
                            *guard += 1;
                            in_time.fetch_add(usize::from(!result.timed_out()), Relaxed);
                        }
                        finished.fetch_add(1, Relaxed);
                    });
                }
                let mut turn = 0;
                while finished.load(Relaxed) < parties {
                    let _held = (turn % 3 == 0).then(|| mutex.lock());
                    notified += match turn % 8 {
                        0 => condvar.notify_all(),
                        1 => condvar.notify_many(2),
                        _ => usize::from(condvar.notify_one()),
                    };
                    turn += 1;
                    (0..turn % 50 * 10).for_each(|_| std::hint::spin_loop());
                    thread::yield_now();
                }
            });
            assert_eq!(in_time.into_inner(), notified, "with {parties} parties");
            assert_eq!(mutex.into_inner(), parties * rounds(250));
            assert_eq!(condvar.notify_all(), 0);
        }
    });
}

#[test]
fn producers_and_consumers() {
    watchdog(|| {
        const ROOM_FOR: usize = 3;
        for parties in parties() {
            let each = rounds(600);
            let (queue, not_empty, not_full) = (Mutex::new(VecDeque::new()), Condvar::new(), Condvar::new());
            let sum = AtomicUsize::new(0);
            thread::scope(|s| {
                for party in 0..parties {
                    let (queue, not_empty, not_full, sum) = (&queue, &not_empty, &not_full, &sum);
                    s.spawn(move || {
                        for item in 0..each {
                            let mut queue = queue.lock();
                            while queue.len() == ROOM_FOR {
                                not_full.wait(&mut queue);
                            }
                            queue.push_back(party * each + item);
                            assert!(queue.len() <= ROOM_FOR);
                            drop(queue);
                            not_empty.notify_one();
                        }
                    });
                    s.spawn(move || {
                        for _ in 0..each {
                            let mut queue = queue.lock();
                            not_empty.wait_while(&mut queue, |queue| queue.is_empty());
                            sum.fetch_add(queue.pop_front().expect("not empty"), Relaxed);
                            not_full.notify_one();
                        }
                    });
                }
            });
            let items = parties * each;
            assert_eq!(sum.into_inner(), items * (items - 1) / 2);
            assert!(queue.into_inner().is_empty());
        }
    });
}
