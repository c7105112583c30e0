//! Handing over, barging and how long it goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use super::{Held, Lock, Map, Take, Way, assert_free, have, new, obstruct, visit, waiting_ways, ways};
use crate::support::{LIMIT, SHORT, Sleeper, cases, elsewhere, eventually, repeat, rounds, spin_for};

/// Has several threads take the lock `turns` times each, against hogs who are in its way for `section` at a
/// time and come back at once.
fn feed_victims<L: Lock>(hogs: usize, section: Duration, turns: usize) {
    const VICTIMS: usize = 7;
    let (lock, fed, sections) = (&new::<L>(), &AtomicUsize::new(0), &AtomicUsize::new(0));
    let counted = thread::scope(|s| {
        for _ in 0..hogs {
            s.spawn(move || {
                while fed.load(Relaxed) < VICTIMS {
                    if let Some(obstacle) = L::obstruct(lock, Take::Try) {
                        sections.fetch_add(1, Relaxed);
                        spin_for(section);
                        drop(obstacle);
                    }
                }
            });
        }
        let victims: Vec<_> = (0..VICTIMS)
            .map(|_| {
                s.spawn(move || {
                    let mut counted = 0;
                    for _ in 0..turns {
                        let seen = sections.load(Relaxed);
                        eventually(|| sections.load(Relaxed) != seen);
                        counted += visit::<L>(&have::<L>(lock, Way::LOCK));
                    }
                    fed.fetch_add(1, Relaxed);
                    counted
                })
            })
            .collect();
        victims.into_iter().map(|victim| victim.join().unwrap()).sum::<usize>()
    });
    assert_free::<L>(lock);
    assert_eq!(have::<L>(lock, Way::LOCK).counter().get(), counted);
}

/// One of the hogs is always there when the other unlocks, long before a waiter has woken up.
pub(super) fn no_thread_starves_beside_hogs<L: Lock>() {
    feed_victims::<L>(2, Duration::from_millis(1), rounds(5));
}

/// Sections and pauses too short to tell apart.
pub(super) fn no_thread_starves_beside_a_busy_lock<L: Lock>() {
    feed_victims::<L>(1, Duration::ZERO, rounds(20));
}

pub(super) fn waiter_is_passed_over_a_few_times_only<L: Lock>() {
    if !Sleeper::SURE {
        return;
    }
    for way in waiting_ways::<L>() {
        for _ in repeat(5) {
            let (lock, sleeper, came) = (new::<L>(), Sleeper::new(), AtomicBool::new(false));
            thread::scope(|s| {
                let mut obstacle = obstruct::<L>(&lock);
                s.spawn(|| {
                    sleeper.about_to_block();
                    let held = have::<L>(&lock, way);
                    came.store(true, Relaxed);
                    drop(held);
                });
                let (mut naps, mut passed_over) = (sleeper.until_asleep(), 0);
                let asleep = Instant::now();
                loop {
                    drop(obstacle);
                    obstacle = match L::obstruct(&lock, Take::Try) {
                        Some(obstacle) if !came.load(Relaxed) => obstacle,
                        // It was faster, or the lock was kept for it.
                        _ => break,
                    };
                    // It wakes up, finds that we have come back, and goes to sleep again.
                    naps = sleeper.until_asleep_again(naps);
                    // Half a millisecond at the head of the queue is what it takes.
                    passed_over += u32::from(asleep.elapsed() > Duration::from_millis(2));
                    assert!(passed_over < 4, "nothing is done for it");
                }
            });
        }
    }
}

/// A holder that locks again at once after each section lets a waiter in that has been the first for half a
/// millisecond.
pub(super) fn waiter_that_has_stood_first_for_long_is_handed_the_lock<L: Lock>() {
    for way in waiting_ways::<L>() {
        for _ in repeat(5) {
            let (lock, sleeper, came) = (new::<L>(), Sleeper::new(), AtomicBool::new(false));
            thread::scope(|s| {
                let obstacle = obstruct::<L>(&lock);
                s.spawn(|| {
                    sleeper.about_to_block();
                    let _held = have::<L>(&lock, way);
                    came.store(true, Relaxed);
                });
                sleeper.until_asleep();
                thread::sleep(Duration::from_millis(1));
                drop(obstacle);
                let _obstacle = obstruct::<L>(&lock);
                // A reader comes in beside those who have been let in.
                if !L::SHARED_OBSTACLE {
                    assert!(came.load(Relaxed), "the waiter was passed over");
                }
            });
        }
    }
}

/// How to hand over. The last argument runs while another thread has the lock.
#[derive(Clone, Copy, Debug)]
enum HandOver {
    Unlock,
    Part,
    Unlocked,
}

/// The lock is never free: the waiter has it, awake or not, when the call returns.
pub(super) fn fair_unlock_hands_over<L: Lock>() {
    if !Sleeper::SURE {
        return;
    }
    for way in waiting_ways::<L>() {
        for how in cases([HandOver::Unlock, HandOver::Part, HandOver::Unlocked]) {
            for _ in repeat(3) {
                let (lock, sleeper) = (new::<L>(), Sleeper::new());
                let (came, leave) = (AtomicBool::new(false), AtomicBool::new(false));
                thread::scope(|s| {
                    let mut obstacle = obstruct::<L>(&lock);
                    s.spawn(|| {
                        sleeper.about_to_block();
                        let held = have::<L>(&lock, way);
                        came.store(true, Relaxed);
                        eventually(|| leave.load(Relaxed));
                        visit::<L>(&held);
                    });
                    sleeper.until_asleep();
                    let handed_over = || {
                        assert!(!L::is_free(&lock), "it was free");
                        assert!(L::obstruct(&lock, Take::Try).is_none(), "it was free");
                        leave.store(true, Relaxed);
                        eventually(|| came.load(Relaxed));
                    };
                    match how {
                        HandOver::Unlock => {
                            obstacle.unlock_fair();
                            handed_over();
                        }
                        HandOver::Part => {
                            obstacle.part(Map::Map, || ()).unlock_fair();
                            handed_over();
                        }
                        HandOver::Unlocked => {
                            assert!(obstacle.unlocked(true, handed_over));
                            drop(obstacle);
                        }
                    }
                });
                assert_free::<L>(&lock);
            }
        }
    }
}

/// `bump` returns when the waiter has had its turn, and with the lock.
pub(super) fn bump_lets_the_waiter_in<L: Lock>() {
    if !Sleeper::SURE {
        return;
    }
    for way in ways::<L, 2>([Take::Lock, Take::For(LIMIT)]) {
        for _ in repeat(5) {
            let (lock, sleeper, came) = (new::<L>(), Sleeper::new(), AtomicBool::new(false));
            thread::scope(|s| {
                let mut obstacle = obstruct::<L>(&lock);
                s.spawn(|| {
                    sleeper.about_to_block();
                    let held = have::<L>(&lock, way);
                    came.store(true, Relaxed);
                    visit::<L>(&held);
                });
                sleeper.until_asleep();
                obstacle.bump();
                assert!(came.load(Relaxed), "it had no turn");
                assert!(elsewhere(|| !L::is_free(&lock)));
                drop(obstacle);
            });
            assert_free::<L>(&lock);
        }
    }
}

pub(super) fn bump_keeps_the_lock_if_no_thread_waits<L: Lock>() {
    let lock = new::<L>();
    for way in ways::<L, 2>([Take::Lock, Take::For(SHORT)]) {
        let mut held = have::<L>(&lock, way);
        for _ in 0..10 {
            visit::<L>(&held);
            held.bump();
            assert!(elsewhere(|| !L::is_free(&lock)));
        }
        drop(held);
        assert_eq!(Arc::strong_count(&lock), 1);
    }
}
