//! Random programs that cannot deadlock: whatever they do, nothing is reported.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use lockwork::diagnose;
use lockwork::{Condvar, Mutex, MutexGuard, ReentrantMutex, ReentrantMutexGuard, RwLock, RwLockReadGuard};
use lockwork::{RwLockUpgradableReadGuard, RwLockWriteGuard};

use crate::support::{Watched, in_thread};

const PROGRAMS: u64 = 100;
const THREADS: u64 = 3;
const STEPS: usize = 40;
const LOCKS: usize = 7;

/// A small generator of numbers.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % n
    }
}

enum Lock {
    Mutex(Mutex<u32>),
    Shared(RwLock<u32>),
    Reentrant(ReentrantMutex<u32>),
}

#[allow(dead_code, reason = "held, and not looked at")]
enum Held<'a> {
    Mutex(MutexGuard<'a, u32>),
    Read(RwLockReadGuard<'a, u32>),
    Write(RwLockWriteGuard<'a, u32>),
    Upgradable(RwLockUpgradableReadGuard<'a, u32>),
    Reentrant(ReentrantMutexGuard<'a, u32>),
}

/// A thread that takes locks by rising numbers, in all ways, and lets them go in any order; against the order
/// it only attempts, or waits for a limited time.
fn work(locks: &[Lock], condvars: &[Condvar], numbers: &mut Numbers) {
    let moment = Duration::from_micros(200);
    let mut held: Vec<(usize, Held<'_>)> = Vec::new();
    for _ in 0..STEPS {
        let number = numbers.below(locks.len());
        let in_order = held.iter().all(|&(other, _)| other < number);
        let is_held = held.iter().any(|&(other, _)| other == number);
        let lock = &locks[number];
        let new = match (numbers.below(6), lock) {
            (0, _) if !held.is_empty() => {
                drop(held.swap_remove(numbers.below(held.len())));
                None
            }
            (1, Lock::Mutex(mutex)) if in_order => {
                let mut guard = mutex.lock();
                *guard += 1;
                if held.is_empty() {
                    // With others held it would be an inversion.
                    let _ = condvars[number].wait_for(&mut guard, moment);
                }
                condvars[number].notify_all();
                Some(Held::Mutex(guard))
            }
            (2, Lock::Shared(lock)) if in_order => {
                let guard = lock.upgradable_read();
                let guard = if numbers.below(2) == 0 {
                    Held::Write(RwLockUpgradableReadGuard::upgrade(guard))
                } else {
                    Held::Upgradable(guard)
                };
                Some(guard)
            }
            (3, Lock::Shared(lock)) if in_order => Some(match numbers.below(3) {
                0 => Held::Read(lock.read()),
                1 => Held::Read(lock.read_recursive()),
                _ => Held::Write(lock.write()),
            }),
            (4, Lock::Mutex(mutex)) if !is_held => {
                let guard = if numbers.below(2) == 0 { mutex.try_lock() } else { mutex.try_lock_for(moment) };
                guard.map(Held::Mutex)
            }
            (4, Lock::Shared(lock)) if !is_held => match numbers.below(4) {
                0 => lock.try_read().map(Held::Read),
                1 => lock.try_read_for(moment).map(Held::Read),
                2 => lock.try_write().map(Held::Write),
                _ => lock.try_upgradable_read_for(moment).map(Held::Upgradable),
            },
            (5, Lock::Reentrant(mutex)) if in_order || is_held => Some(Held::Reentrant(mutex.lock())),
            (5, Lock::Reentrant(mutex)) => mutex.try_lock().map(Held::Reentrant),
            _ => None,
        };
        if let Some(new) = new {
            held.push((number, new));
        }
        if held.len() > 3 {
            held.remove(0);
        }
    }
    // An upgrade with others held, too, but of the last lock.
    if let Some((number, Held::Upgradable(guard))) = held.pop() {
        if held.iter().all(|&(other, _)| other < number) {
            drop(RwLockUpgradableReadGuard::upgrade(guard));
        }
    }
}

fn run(seed: u64) {
    let mut numbers = Numbers(seed);
    let locks: Vec<Lock> = (0..LOCKS)
        .map(|_| match numbers.below(5) {
            0 | 1 => Lock::Mutex(Mutex::new(0)),
            2 | 3 => Lock::Shared(RwLock::new(0)),
            _ => Lock::Reentrant(ReentrantMutex::new(0)),
        })
        .collect();
    let condvars: Vec<Condvar> = (0..LOCKS).map(|_| Condvar::new()).collect();
    thread::scope(|s| {
        for thread in 0..THREADS {
            let (locks, condvars) = (&locks, &condvars);
            s.spawn(move || work(locks, condvars, &mut Numbers(seed << 8 | thread)));
        }
    });
}

/// Sets it when it is dropped, also by a panic.
struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// At no moment there is a deadlock: a time-out ends each of the cycles that there are.
#[test]
fn programs_that_cannot_deadlock_have_no_deadlock_at_any_moment() {
    let _watched = Watched::order();
    let over = AtomicBool::new(false);
    thread::scope(|s| {
        let asks = s.spawn(|| {
            let mut looks = 0;
            while !over.load(Relaxed) {
                for cycle in diagnose::deadlocks() {
                    assert!(cycle.until.is_some(), "{cycle}");
                }
                looks += 1;
            }
            looks
        });
        {
            let _over = SetAtEnd(&over);
            (PROGRAMS..10 * PROGRAMS).for_each(run);
        }
        let looks: u64 = asks.join().unwrap();
        assert!(looks > 0);
    });
}

#[test]
fn programs_that_cannot_deadlock_are_left_alone() {
    let watched = Watched::order();
    for seed in 0..PROGRAMS {
        run(seed);
        let reports = watched.reports();
        assert!(reports.is_empty(), "program {seed}: {}", reports[0]);
    }
    // The watch was there all the time.
    let (a, b) = (Mutex::named("a", ()), Mutex::named("b", ()));
    drop((a.lock(), b.lock()));
    in_thread("last", || drop((b.lock(), a.lock())));
    watched.inversion();
}
