//! Waits for an `RwLock` that end by themselves, and what they leave to the others.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{RwLock, RwLockWriteGuard};

use super::{
    BRIEF, KINDS, Kind, LONGER, MODES, open_to, take, until_a_writer_waits, until_a_writer_waits_or,
};
use crate::locks::Take;
use crate::support::{
    SHORT, Sleeper, allocations_during, cases, either, eventually, parties, repeat, shown, watchdog,
};

#[test]
fn upgrade_without_time_tries_once() {
    watchdog(|| {
        for mode in cases(MODES) {
            let lock = mode.arc(0);
            let past = Instant::now();
            thread::yield_now();
            let reader = lock.read();
            let mut upgradable = lock.upgradable_read();
            upgradable = upgradable.try_upgrade_until(past).expect_err("a reader is in");
            upgradable = upgradable.try_upgrade_for(Duration::ZERO).expect_err("a reader is in");
            assert_eq!(upgradable.try_with_upgraded_until(past, |_| unreachable!()), None::<()>);
            assert_eq!(upgradable.try_with_upgraded_for(Duration::ZERO, |_| unreachable!()), None::<()>);
            assert!(lock.try_read_for(Duration::ZERO).is_some(), "nothing is left behind");
            drop(reader);
            assert_eq!(upgradable.try_with_upgraded_until(past, |value| *value), Some(0));
            assert_eq!(upgradable.try_with_upgraded_for(Duration::ZERO, |value| *value), Some(0));
            let writer = upgradable.try_upgrade_until(past).expect("alone");
            assert!(lock.try_read_until(past).is_none());
            drop(writer);
        }
    });
}

#[test]
fn upgrade_with_endless_time_waits_indefinitely() {
    watchdog(|| {
        let nearly = [Duration::MAX - Duration::from_nanos(1), Duration::from_secs(u64::MAX / 2)];
        for timeout in cases([Duration::MAX, nearly[0], nearly[1]]) {
            for mode in cases(MODES) {
                let (lock, sleeper) = (mode.arc(0), Sleeper::new());
                thread::scope(|s| {
                    let reader = lock.read();
                    s.spawn(|| {
                        let mut upgradable = lock.upgradable_read();
                        sleeper.about_to_block();
                        upgradable.try_with_upgraded_for(timeout, |value| *value += 1).expect("time enough");
                        *upgradable.try_upgrade_for(timeout).expect("alone") += 1;
                    });
                    sleeper.until_asleep();
                    drop(reader);
                });
                assert_eq!(*lock.read(), 2);
            }
        }
    });
}

#[test]
fn upgrade_takes_the_time_asked_for() {
    watchdog(|| {
        for mode in cases(MODES) {
            let lock = mode.arc(0);
            let at_least = |body: &mut dyn FnMut()| {
                let start = Instant::now();
                body();
                assert!(start.elapsed() >= SHORT);
            };
            let _reader = lock.read();
            for arc in either("arc ") {
                for how in cases([Take::For(SHORT), Take::Until(SHORT)]) {
                    let mut held = take(&lock, Kind::Upgradable, Take::Try, arc);
                    at_least(&mut || {
                        held = held.take().map(|held| held.upgrade(how));
                        assert!(held.as_ref().is_some_and(|held| held.kind() == Kind::Upgradable));
                    });
                    at_least(&mut || {
                        let held = held.as_mut().expect("it comes back");
                        assert_eq!(held.with_upgraded(how, |_| unreachable!()), None::<()>);
                    });
                    // Beside a reader it is another upgradable reader that keeps this one out.
                    at_least(&mut || assert!(take(&lock, Kind::Upgradable, how, arc).is_none()));
                }
            }
        }
    });
}

// parking_lot#465.
#[test]
fn timed_out_writer_leaves_no_trace() {
    watchdog(|| {
        for mode in cases(MODES) {
            for arc in either("arc ") {
                for how in cases([Take::For(BRIEF), Take::Until(BRIEF), Take::For(SHORT)]) {
                    let lock = mode.arc(0);
                    let reader = lock.read();
                    assert!(take(&lock, Kind::Write, how, arc).is_none());
                    assert_eq!(open_to(&lock), [true, true, false]);
                    assert!(!lock.is_locked_exclusive());
                    drop(reader);
                    assert!(!lock.is_locked());
                    assert_eq!(open_to(&lock), [true; 3]);
                    // The next waiter is woken.
                    let sleeper = Sleeper::new();
                    thread::scope(|s| {
                        let reader = lock.read();
                        s.spawn(|| {
                            sleeper.about_to_block();
                            *lock.write() += 1;
                        });
                        until_a_writer_waits(&lock);
                        sleeper.until_asleep();
                        drop(reader);
                    });
                    assert_eq!(*lock.read(), 1);
                }
            }
        }
    });
}

// parking_lot#465: readers stayed asleep behind a writer that had given up.
/// Reads, beside as many others.
fn stay_till_all_are_in(lock: &RwLock<i32>, inside: &AtomicUsize, parties: usize) {
    let _reader = lock.read();
    inside.fetch_add(1, Relaxed);
    eventually(|| inside.load(Relaxed) == parties);
}

#[test]
fn readers_held_back_by_a_writer_come_in_when_it_gives_up() {
    watchdog(|| {
        for mode in cases(MODES) {
            for parties in parties() {
                // A writer waits for a reader with the lock, and for the upgradable one in the queue.
                for queued in either("queued ") {
                    let (lock, inside, gave_up) = (mode.lock(0), AtomicUsize::new(0), AtomicBool::new(false));
                    thread::scope(|s| {
                        let reader = (!queued).then(|| lock.read());
                        let upgradable = queued.then(|| lock.upgradable_read());
                        let writer = s.spawn(|| {
                            assert!(lock.try_write_for(LONGER).is_none());
                            gave_up.store(true, Relaxed);
                        });
                        until_a_writer_waits_or(&lock, &gave_up);
                        (0..parties)
                            .for_each(|_| drop(s.spawn(|| stay_till_all_are_in(&lock, &inside, parties))));
                        writer.join().unwrap();
                        // The first reader is still in: nothing but the writer's giving up can have let the
                        // others in.
                        eventually(|| inside.load(Relaxed) == parties);
                        drop((reader, upgradable));
                    });
                    assert!(!lock.is_locked());
                    assert_eq!(open_to(&lock), [true; 3]);
                }
            }
        }
    });
}

#[test]
fn readers_held_back_by_an_upgrade_come_in_when_it_gives_up() {
    watchdog(|| {
        for mode in cases(MODES) {
            for with in either("with ") {
                for parties in parties() {
                    let (lock, inside, gave_up) = (mode.arc(0), AtomicUsize::new(0), AtomicBool::new(false));
                    thread::scope(|s| {
                        let reader = lock.read();
                        let upgrading = s.spawn(|| {
                            let mut held =
                                take(&lock, Kind::Upgradable, Take::Lock, with).expect("no other is");
                            if with {
                                let result = held.with_upgraded(Take::For(LONGER), |_| unreachable!());
                                assert_eq!(result, None::<()>);
                            } else {
                                held = held.upgrade(Take::For(LONGER));
                                assert_eq!(held.kind(), Kind::Upgradable);
                            }
                            gave_up.store(true, Relaxed);
                            // Still the upgradable reader, beside the others.
                            eventually(|| inside.load(Relaxed) == parties);
                            assert_eq!(*held.value(), 0);
                        });
                        until_a_writer_waits_or(&lock, &gave_up);
                        (0..parties)
                            .for_each(|_| drop(s.spawn(|| stay_till_all_are_in(&lock, &inside, parties))));
                        upgrading.join().unwrap();
                        drop(reader);
                    });
                    assert_eq!(open_to(&lock), [true; 3]);
                }
            }
        }
    });
}

#[test]
fn timed_out_reader_behind_a_writer_leaves_the_writer_its_turn() {
    watchdog(|| {
        for mode in cases(MODES) {
            let lock = mode.lock(0);
            thread::scope(|s| {
                let reader = lock.read();
                s.spawn(|| *lock.write() += 1);
                until_a_writer_waits(&lock);
                assert!(lock.try_read_for(BRIEF).is_none());
                assert!(lock.try_read_until(Instant::now() + BRIEF).is_none());
                assert!(lock.try_upgradable_read_for(BRIEF).is_none());
                drop(reader);
                eventually(|| lock.try_read().is_some_and(|value| *value == 1));
            });
            assert_eq!(open_to(&lock), [true; 3]);
        }
    });
}

#[test]
fn abandoned_waits_leave_nothing() {
    watchdog(|| {
        for held in cases([Kind::Read, Kind::Upgradable, Kind::Write]) {
            for parties in parties() {
                let lock = shown(RwLock::new(0));
                let guard = take(&lock, held, Take::Lock, false);
                thread::scope(|s| {
                    for party in 0..parties {
                        let lock = &lock;
                        s.spawn(move || {
                            for wait in repeat(60) {
                                let timeout = Duration::from_micros(((party + wait) % 7 * 10) as u64);
                                let kind = KINDS[(party + wait) % 4];
                                drop(take(lock, kind, Take::For(timeout), false));
                            }
                        });
                    }
                });
                drop(guard);
                assert!(!lock.is_locked());
                assert_eq!(open_to(&lock), [true; 3]);
                *lock.write() += 1;
                RwLockWriteGuard::unlock_fair(lock.write());
                assert_eq!(open_to(&lock), [true; 3]);
            }
        }
    });
}

#[test]
#[cfg_attr(feature = "diagnose", ignore = "what a thread tells of its waits is allocated once")]
fn waits_for_readers_that_give_up_never_allocate() {
    watchdog(|| {
        for mode in cases(MODES) {
            let lock = mode.arc(0);
            let allocations = allocations_during(|| {
                let reader = lock.read();
                assert!(lock.try_write_for(Duration::from_micros(300)).is_none());
                assert!(lock.upgradable_read().try_upgrade_for(Duration::from_micros(300)).is_err());
                drop(reader);
                drop(lock.write());
                (0..40).for_each(|_| drop((lock.read(), lock.read())));
            });
            assert_eq!(allocations, 0, "waits that give up, and slots");
        }
    });
}
