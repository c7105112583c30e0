//! A profile says what a program measures by itself: how long it waited, and on whose account.

use std::collections::BTreeSet;
use std::num::NonZero;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Barrier, Mutex as StdMutex};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::diagnose::{self, Contention, LockNumbers, Profile, Settings, ThreadState};
use lockwork::{Event, Mutex, MutexGuard, RwLock};

use crate::support::Watched;

fn numbers(profile: &Profile, name: &str) -> LockNumbers {
    let found: Vec<_> = profile.locks().iter().filter(|lock| lock.name == Some(name)).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

fn entries<'a>(profile: &'a Profile, name: &'static str) -> impl Iterator<Item = &'a Contention> {
    profile.entries().iter().filter(move |entry| entry.name == Some(name))
}

/// Within a twentieth.
fn assert_near(profile: Duration, program: Duration) {
    let (profile, program) = (profile.as_secs_f64(), program.as_secs_f64());
    assert!((profile / program - 1.0).abs() < 0.05, "{profile} in the profile, {program} in the program");
}

/// An interval in which a thread waited for the lock, or held it by a guard of `line`.
#[derive(Clone, Copy, Debug)]
struct Span {
    line: u32,
    began: Instant,
    ended: Instant,
}

impl Span {
    fn overlap(&self, other: &Self) -> Duration {
        let ended = self.ended.min(other.ended);
        ended.saturating_duration_since(self.began.max(other.began))
    }
}

fn is_waited_for(name: &str) -> bool {
    let waits = |thread: &ThreadState| thread.waits.as_ref().is_some_and(|wait| wait.name == Some(name));
    diagnose::snapshot().threads.iter().any(waits)
}

fn long(lock: &Mutex<()>) -> (MutexGuard<'_, ()>, u32, u64) {
    (lock.lock(), line!(), 6)
}

fn short(lock: &Mutex<()>) -> (MutexGuard<'_, ()>, u32, u64) {
    (lock.lock(), line!(), 2)
}

/// Threads that hold one lock by turns, those of even numbers longer and by another line.
fn known_waits() {
    const THREADS: u32 = 4;
    const ROUNDS: u32 = 12;
    let _watched = Watched::profile();
    let lock = Mutex::named("known", ());
    let (waits, holds) = (StdMutex::new(Vec::new()), StdMutex::new(Vec::new()));
    let (start, done) = (Barrier::new(THREADS as usize), AtomicU32::new(0));
    thread::scope(|s| {
        for thread in 0..THREADS {
            let (lock, waits, holds, start, done) = (&lock, &waits, &holds, &start, &done);
            s.spawn(move || {
                start.wait();
                for _ in 0..ROUNDS {
                    let began = Instant::now();
                    let (guard, line, millis) = if thread % 2 == 0 { long(lock) } else { short(lock) };
                    let locked = Instant::now();
                    thread::sleep(Duration::from_millis(millis));
                    // However slow the machine: some other thread waits, if one will.
                    while done.load(Relaxed) < THREADS - 1 && !is_waited_for("known") {
                        thread::yield_now();
                    }
                    let ended = Instant::now();
                    // The one that waits longest is next.
                    MutexGuard::unlock_fair(guard);
                    waits.lock().unwrap().push(Span { line, began, ended: locked });
                    holds.lock().unwrap().push(Span { line, began: locked, ended });
                }
                done.fetch_add(1, Relaxed);
            });
        }
    });
    let profile = diagnose::profile();
    let (waits, mut holds) = (waits.into_inner().unwrap(), holds.into_inner().unwrap());
    // The way from one holder to the next is on the account of the one before.
    holds.sort_by_key(|hold| hold.began);
    let next: Vec<Instant> = holds.iter().skip(1).map(|hold| hold.began).collect();
    holds.iter_mut().zip(next).for_each(|(hold, next)| hold.ended = next);
    let waited: Duration = waits.iter().map(|wait| wait.ended - wait.began).sum();
    let numbers = numbers(&profile, "known");
    assert_eq!(numbers.acquisitions, u64::from(THREADS * ROUNDS));
    assert!(numbers.contended <= numbers.acquisitions && numbers.contended > u64::from(ROUNDS));
    assert_eq!(numbers.contended, numbers.spun + numbers.parked);
    assert_near(numbers.total_wait, waited);
    let longest = waits.iter().map(|wait| wait.ended - wait.began).max().unwrap();
    assert_near(numbers.longest_wait, longest);
    assert_eq!(numbers.histogram().map(|(_, waits)| waits).sum::<u64>(), numbers.contended);
    let charged: Duration = entries(&profile, "known").map(|entry| entry.total).sum();
    assert_near(charged, waited);
    assert_eq!(entries(&profile, "known").map(|entry| entry.count).sum::<u64>(), numbers.contended);
    assert!(entries(&profile, "known").all(|entry| (1..=THREADS).contains(&entry.most_waiting)));
    let lines: BTreeSet<u32> = holds.iter().map(|hold| hold.line).collect();
    assert_eq!(lines.len(), 2);
    for line in lines {
        let held = |hold: &&Span| hold.line == line;
        let program: Duration =
            waits.iter().flat_map(|wait| holds.iter().filter(held).map(|hold| wait.overlap(hold))).sum();
        let by_line = |entry: &&Contention| entry.held_at.is_some_and(|place| place.line() == line);
        let charged: Duration = entries(&profile, "known").filter(by_line).map(|entry| entry.total).sum();
        assert_near(charged, program);
    }
}

/// The program reads the clock a little earlier and later, and where other processes want the processors,
/// that is long at times: one of some attempts counts.
#[test]
fn known_waits_are_within_a_twentieth_in_sum_and_by_holder() {
    assert!((0..10).any(|_| std::panic::catch_unwind(known_waits).is_ok()), "in no attempt");
}

#[test]
fn readers_wait_on_the_writers_account() {
    let _watched = Watched::profile();
    let lock = RwLock::named("shared", ());
    let (readers, begun) = (3, Event::new());
    let line = line!() + 2;
    thread::scope(|s| {
        let writer = lock.write();
        for _ in 0..readers {
            s.spawn(|| {
                begun.set();
                drop(lock.read());
            });
        }
        begun.wait();
        thread::sleep(Duration::from_millis(30));
        drop(writer);
    });
    let profile = diagnose::profile();
    assert_eq!(numbers(&profile, "shared").acquisitions, readers + 1);
    for entry in entries(&profile, "shared") {
        assert_eq!(entry.held_at.unwrap().line(), line, "{entry:?}");
        assert_eq!(entry.mode, diagnose::Mode::Read);
    }
    assert!(entries(&profile, "shared").count() > 0);
}

#[test]
fn wait_that_times_out_counts_and_is_charged() {
    let _watched = Watched::profile();
    let lock = Mutex::named("busy", ());
    let guard = lock.lock();
    let waited = thread::scope(|s| {
        s.spawn(|| {
            let began = Instant::now();
            assert!(lock.try_lock_for(Duration::from_millis(20)).is_none());
            began.elapsed()
        })
        .join()
        .unwrap()
    });
    drop(guard);
    let profile = diagnose::profile();
    let numbers = numbers(&profile, "busy");
    assert_eq!((numbers.acquisitions, numbers.contended, numbers.timed_out), (1, 1, 1));
    assert_near(numbers.total_wait, waited);
    assert_near(entries(&profile, "busy").map(|entry| entry.total).sum(), waited);
}

#[test]
fn locks_that_are_gone_keep_their_numbers_together() {
    let _watched = Watched::profile();
    for _ in 0..10 {
        let lock = Mutex::named("brief", ());
        drop(lock.try_lock());
        drop(lock.lock());
    }
    let numbers = numbers(&diagnose::profile(), "brief");
    assert_eq!((numbers.number, numbers.acquisitions), (None, 20));
}

/// What was counted in a profile that has ended is not taken off another.
#[test]
fn wait_that_outlasts_its_profile_counts_nowhere() {
    let watched = Watched::profile();
    let (first, second) = (Mutex::named("outlasting", ()), Mutex::named("after it", ()));
    thread::scope(|s| {
        let guard = first.lock();
        let waiter = s.spawn(|| {
            drop(first.lock());
            let _session = diagnose::start(Settings { profile: NonZero::new(1), ..Settings::default() });
            // Locked at once, both.
            drop((second.lock(), first.lock()));
            let profile = diagnose::profile();
            ["outlasting", "after it"].map(|name| numbers(&profile, name))
        });
        while !is_waited_for("outlasting") {
            thread::yield_now();
        }
        let _turn = watched.end();
        drop(guard);
        for numbers in waiter.join().unwrap() {
            assert_eq!((numbers.acquisitions, numbers.contended, numbers.parked), (1, 0, 0));
        }
    });
}

#[test]
fn profile_begins_anew_with_each_watch() {
    let lock = Mutex::named("again", ());
    for _ in 0..2 {
        let watched = Watched::profile();
        drop(lock.lock());
        assert_eq!(numbers(&diagnose::profile(), "again").acquisitions, 1);
        drop(watched);
    }
}

/// Its length is that of the session, however long ago that was.
#[test]
fn profile_ends_with_its_session() {
    let watched = Watched::profile();
    drop(Mutex::new(()).lock());
    let _turn = watched.end();
    let length = || diagnose::profile().to_string();
    let at_once = length();
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(length(), at_once);
}
