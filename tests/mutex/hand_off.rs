//! Who has a `Mutex` next: handing over, bumping, keeping a place.

use std::fmt::Debug;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use lockwork::{ArcMutexGuard, Condvar, MappedMutexGuard, Mutex, MutexGuard};

use crate::support::{Sleeper, cases, eventually, parties, repeat, shown, watchdog};

/// A value with threads that are certain to stand in its mutex's queue: a notification under the lock moves
/// them there from the condition variable's.
#[derive(Debug, Default)]
struct Line {
    standing: usize,
    served: Vec<usize>,
}

/// Has `n` threads stand in line for `mutex`, numbered in that order, and then runs `serve` with the lock
/// held. Each calls `turn` with the lock and its number when it has it.
fn in_line(
    mutex: &Mutex<Line>,
    n: usize,
    turn: impl Fn(MutexGuard<'_, Line>, usize) + Sync,
    serve: impl FnOnce(MutexGuard<'_, Line>),
) {
    let called = Condvar::new();
    thread::scope(|s| {
        for number in 0..n {
            let (called, turn) = (&called, &turn);
            s.spawn(move || {
                let mut line = mutex.lock();
                line.standing += 1;
                called.wait(&mut line);
                turn(line, number);
            });
            // The lock can be had again only when the thread has queued.
            eventually(|| mutex.lock().standing > number);
        }
        let line = mutex.lock();
        assert_eq!(called.notify_all(), n);
        serve(line);
    });
    let served = &mut mutex.lock().served;
    served.sort_unstable();
    assert!(served.iter().copied().eq(0..n));
}

/// Serves the whole line: each hands the lock to the next.
fn pass_on(mut line: MutexGuard<'_, Line>, number: usize) {
    line.served.push(number);
    MutexGuard::unlock_fair(line);
}

#[test]
fn unlock_fair_hands_over_in_order() {
    watchdog(|| {
        for parties in parties() {
            for _ in repeat(20) {
                let mutex = Mutex::new(Line::default());
                in_line(&mutex, parties, pass_on, |line| {
                    MutexGuard::unlock_fair(line);
                    // The lock is never free before the last of them has had it.
                    let line = mutex.lock();
                    assert!(line.served.iter().copied().eq(0..parties), "{:?}", line.served);
                });
            }
        }
    });
}

#[test]
fn fair_unlock_keeps_newcomers_out() {
    watchdog(|| {
        /// Hands over, and runs the second argument while another thread has the lock.
        type HandOver = fn(MutexGuard<'_, Line>, &mut dyn FnMut());
        let ways: [HandOver; 4] = [
            |line, meanwhile| {
                MutexGuard::unlock_fair(line);
                meanwhile();
            },
            |line, meanwhile| {
                MappedMutexGuard::unlock_fair(MutexGuard::map(line, |line| &mut line.standing));
                meanwhile();
            },
            |line, meanwhile| {
                let mutex = MutexGuard::mutex(&line);
                mem::forget(line);
                unsafe { mutex.force_unlock_fair() };
                meanwhile();
            },
            |mut line, meanwhile| MutexGuard::unlocked_fair(&mut line, meanwhile),
        ];
        for hand_over in ways {
            for _ in repeat(30) {
                let (mutex, go_on) = (Mutex::new(Line::default()), AtomicBool::new(false));
                let turn = |mut line: MutexGuard<'_, Line>, number| {
                    eventually(|| go_on.load(Relaxed));
                    line.served.push(number);
                };
                in_line(&mutex, 1, turn, |line| {
                    hand_over(line, &mut || {
                        assert!(mutex.is_locked());
                        assert!(mutex.try_lock().is_none(), "the lock was never free");
                        go_on.store(true, Relaxed);
                        assert_eq!(mutex.lock().served, [0]);
                    });
                });
            }
        }
    });
}

#[test]
fn arc_guard_hands_over() {
    watchdog(|| {
        for fair in cases([true, false]) {
            for _ in repeat(50) {
                let (mutex, called) = (shown(Mutex::new(Line::default())), Condvar::new());
                thread::scope(|s| {
                    s.spawn(|| {
                        let mut line = mutex.lock();
                        line.standing += 1;
                        called.wait(&mut line);
                        line.served.push(0);
                    });
                    eventually(|| mutex.lock().standing == 1);
                    let mut line = mutex.lock_arc();
                    assert!(called.notify_one());
                    if fair {
                        ArcMutexGuard::unlock_fair(line);
                        line = mutex.lock_arc();
                    } else {
                        ArcMutexGuard::bump(&mut line);
                    }
                    assert_eq!(line.served, [0]);
                });
            }
        }
    });
}

#[test]
fn bump_serves_the_line_first() {
    watchdog(|| {
        for parties in parties() {
            for _ in repeat(20) {
                let mutex = Mutex::new(Line::default());
                in_line(&mutex, parties, pass_on, |mut line| {
                    assert!(line.served.is_empty());
                    MutexGuard::bump(&mut line);
                    assert!(line.served.iter().copied().eq(0..parties), "{:?}", line.served);
                });

                // Each of these unlocks as usual: only the first is certain to come before the bump returns.
                let mutex = Mutex::new(Line::default());
                let turn = |mut line: MutexGuard<'_, Line>, number| line.served.push(number);
                in_line(&mutex, parties, turn, |mut line| {
                    MutexGuard::bump(&mut line);
                    assert_eq!(line.served.first(), Some(&0));
                });
            }
        }
    });
}

#[test]
fn waiter_that_is_passed_over_keeps_its_place() {
    if !Sleeper::SURE {
        return;
    }
    watchdog(|| {
        for _ in repeat(20) {
            let (mutex, sleepers) = (Mutex::new(Vec::new()), [Sleeper::new(), Sleeper::new()]);
            thread::scope(|s| {
                let guard = mutex.lock();
                let naps = [0, 1].map(|number| {
                    let (mutex, sleeper) = (&mutex, &sleepers[number]);
                    s.spawn(move || {
                        sleeper.about_to_block();
                        mutex.lock().push(number);
                    });
                    sleeper.until_asleep()
                });
                drop(guard);
                let Some(guard) = mutex.try_lock() else {
                    return;
                };
                if guard.is_empty() {
                    // The first was woken and has lost.
                    sleepers[0].until_asleep_again(naps[0]);
                    MutexGuard::unlock_fair(guard);
                }
            });
            assert_eq!(mutex.into_inner(), [0, 1]);
        }
    });
}
