//! Waits that end by themselves, and what they leave behind.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use super::{
    Held, Lock, Map, Take, Way, assert_free, have, new, obstruct, take, visit, visit_obstacle, ways,
};
use crate::support::{
    LIMIT, SHORT, Sleeper, either, elsewhere, eventually, parties, repeat, rounds, spin_for,
};

const MILLI: Duration = Duration::from_millis(1);

pub(super) fn zero_and_past_deadlines_try_once<L: Lock>() {
    let lock = new::<L>();
    for way in ways::<L, 2>([Take::For(Duration::ZERO), Take::Until(Duration::ZERO)]) {
        L::set_up(&lock);
        assert!(take::<L>(&lock, way).is_some());
        let obstacle = obstruct::<L>(&lock);
        assert!(elsewhere(|| take::<L>(&lock, way).is_none()));
        drop(obstacle);
        assert_free::<L>(&lock);
    }
}

pub(super) fn max_waits_indefinitely<L: Lock>() {
    let endless = [Duration::MAX, Duration::MAX - Duration::from_nanos(1), Duration::from_secs(u64::MAX / 2)];
    for way in ways::<L, 3>(endless.map(Take::For)) {
        let (lock, sleeper) = (new::<L>(), Sleeper::new());
        assert!(take::<L>(&lock, way).is_some());
        L::set_up(&lock);
        thread::scope(|s| {
            let obstacle = obstruct::<L>(&lock);
            s.spawn(|| {
                sleeper.about_to_block();
                visit::<L>(&have::<L>(&lock, way));
            });
            sleeper.until_asleep();
            drop(obstacle);
        });
        assert_free::<L>(&lock);
    }
}

// CPython: test_timeout.
pub(super) fn timeout_takes_the_time_asked_for<L: Lock>() {
    let lock = new::<L>();
    let _obstacle = obstruct::<L>(&lock);
    for way in ways::<L, 4>([Take::For(MILLI), Take::Until(MILLI), Take::For(SHORT), Take::Until(SHORT)]) {
        let (Take::For(time) | Take::Until(time)) = way.take else { unreachable!("timed") };
        elsewhere(|| {
            let start = Instant::now();
            assert!(take::<L>(&lock, way).is_none());
            assert!(start.elapsed() >= time);
        });
    }
}

pub(super) fn timed_waiter_gets_the_lock_before_its_deadline<L: Lock>() {
    for way in ways::<L, 2>([Take::For(LIMIT), Take::Until(LIMIT)]) {
        for fair in either("fair ") {
            for part in either("part ") {
                let (lock, sleeper) = (new::<L>(), Sleeper::new());
                thread::scope(|s| {
                    let mut obstacle = obstruct::<L>(&lock);
                    s.spawn(|| {
                        sleeper.about_to_block();
                        visit::<L>(&have::<L>(&lock, way));
                    });
                    sleeper.until_asleep();
                    if part {
                        obstacle = obstacle.part(Map::Map, || ());
                    }
                    if fair {
                        obstacle.unlock_fair();
                    } else {
                        drop(obstacle);
                    }
                });
                assert_free::<L>(&lock);
            }
        }
    }
}

// CPython: test_state_after_timeout. parking_lot#465 is this of a writer.
pub(super) fn timeout_leaves_the_lock_usable_for_both<L: Lock>() {
    for way in ways::<L, 2>([Take::For(MILLI), Take::Until(MILLI)]) {
        let (lock, gave_up) = (new::<L>(), AtomicBool::new(false));
        let counted = thread::scope(|s| {
            let obstacle = obstruct::<L>(&lock);
            let other = s.spawn(|| {
                assert!(take::<L>(&lock, way).is_none());
                gave_up.store(true, Relaxed);
                let counted = visit::<L>(&have::<L>(&lock, Way { take: Take::Lock, ..way }));
                counted + visit::<L>(&have::<L>(&lock, Way { take: Take::For(LIMIT), ..way }))
            });
            eventually(|| gave_up.load(Relaxed));
            drop(obstacle);
            let counted = visit_obstacle::<L>(&obstruct::<L>(&lock));
            counted + other.join().unwrap()
        });
        assert_free::<L>(&lock);
        assert_eq!(have::<L>(&lock, Way::LOCK).counter().get(), counted);
    }
}

// CPython: test_thread_leak.
pub(super) fn abandoned_waits_leave_nothing<L: Lock>() {
    for parties in parties() {
        let lock = new::<L>();
        let mut obstacle = obstruct::<L>(&lock);
        thread::scope(|s| {
            for party in 0..parties {
                let lock = &lock;
                s.spawn(move || {
                    for wait in 0..rounds(60) {
                        let timeout = Duration::from_micros(((party + wait) % 7 * 10) as u64);
                        assert!(L::take(lock, Take::For(timeout), L::OWNED && wait % 2 == 0).is_none());
                    }
                });
            }
        });
        // No thread to hand the lock to: each of these would be lost to a waiter that is gone.
        obstacle.bump();
        obstacle.unlocked(true, || assert!(elsewhere(|| L::is_free(&lock))));
        obstacle.unlock_fair();
        assert_free::<L>(&lock);
        visit::<L>(&have::<L>(&lock, Way::LOCK));
    }
}

/// Waiters that give up stand before, between and behind ones that do not.
pub(super) fn abandoned_waits_do_not_break_the_line<L: Lock>() {
    for round in repeat(30) {
        let (lock, gave_up, came) = (new::<L>(), AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|s| {
            let obstacle = obstruct::<L>(&lock);
            for party in 0..9 {
                let (lock, gave_up, came) = (&lock, &gave_up, &came);
                s.spawn(move || {
                    if party % 3 == round % 3 {
                        visit::<L>(&have::<L>(lock, Way::LOCK));
                        came.fetch_add(1, Relaxed);
                    } else {
                        let timeout = Duration::from_micros(50 * party as u64);
                        assert!(L::take(lock, Take::For(timeout), false).is_none());
                        gave_up.fetch_add(1, Relaxed);
                    }
                });
            }
            eventually(|| gave_up.load(Relaxed) == 6);
            assert_eq!(came.load(Relaxed), 0);
            drop(obstacle);
        });
        assert_eq!(came.load(Relaxed), 3);
        assert_free::<L>(&lock);
    }
}

/// Rounds that several threads begin together, without blocking and without starting threads for each.
#[derive(Debug, Default)]
struct Rounds {
    number: AtomicUsize,
    began: AtomicUsize,
    finished: AtomicUsize,
}

impl Rounds {
    const OVER: usize = usize::MAX;

    /// For each round but the last, which only says that it is over.
    fn follow(&self, mut body: impl FnMut(usize)) {
        for number in 1.. {
            eventually(|| self.number.load(Relaxed) >= number);
            if self.number.load(Relaxed) == Self::OVER {
                return;
            }
            self.began.fetch_add(1, Relaxed);
            body(number);
            self.finished.fetch_add(1, Relaxed);
        }
    }

    /// Begins round `number` and waits until `followers` threads have done so, too.
    fn begin(&self, number: usize, followers: usize) {
        self.number.store(number, Relaxed);
        eventually(|| self.began.load(Relaxed) == number * followers);
    }

    fn finish(&self, number: usize, followers: usize) {
        eventually(|| self.finished.load(Relaxed) == number * followers);
    }
}

/// The unlock falls into the moments in which another thread queues or gives up, and no thread unlocks after
/// it but one that it wakes: a wake-up left to a thread that has just gone would be missed for good.
pub(super) fn last_unlock_wakes_a_waiter_whatever_comes_or_goes<L: Lock>() {
    let lock = new::<L>();
    // How long an attempt takes that gives up before it queues: one that takes hardly longer queues and does
    // not park.
    let attempt = {
        let _obstacle = obstruct::<L>(&lock);
        elsewhere(|| {
            let once = |_| {
                let start = Instant::now();
                assert!(L::take(&lock, Take::For(Duration::from_nanos(1)), false).is_none());
                start.elapsed()
            };
            (0..20).map(once).min().expect("twenty")
        })
    };
    let (together, unlocked) = (Rounds::default(), AtomicUsize::new(0));
    thread::scope(|s| {
        s.spawn(|| together.follow(|_| _ = visit::<L>(&have::<L>(&lock, Way::LOCK))));
        s.spawn(|| {
            together.follow(|number| {
                for longer in (0..16).cycle() {
                    let timeout = attempt + Duration::from_nanos(longer * 100);
                    let came = unlocked.load(Relaxed) == number
                        || L::take(&lock, Take::For(timeout), false).is_some();
                    if came {
                        break;
                    }
                }
            });
        });
        let start = Instant::now();
        for number in repeat(5000) {
            if start.elapsed() > Duration::from_millis(100) {
                break;
            }
            let number = number + 1;
            let obstacle = obstruct::<L>(&lock);
            together.begin(number, 2);
            spin_for(2 * attempt + Duration::from_nanos(number as u64 % 64 * 100));
            unlocked.store(number, Relaxed);
            drop(obstacle);
            together.finish(number, 2);
        }
        together.number.store(Rounds::OVER, Relaxed);
    });
    assert_free::<L>(&lock);
}
