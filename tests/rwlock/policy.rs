//! Who goes first at an `RwLock`.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;

use lockwork::{RwLock, RwLockWriteGuard};

use super::{BRIEF, Kind, MODES, take, until_a_writer_waits};
use crate::locks::Take;
use crate::support::{Sleeper, cases, either, eventually, parties, repeat, watchdog};

#[test]
fn waiting_writer_stops_new_readers() {
    watchdog(|| {
        for mode in cases(MODES) {
            // It waits for a reader to leave, or for the upgradable reader.
            for in_the_way in cases([Kind::Read, Kind::Upgradable]) {
                for arc in either("arc ") {
                    let lock = mode.arc(0);
                    thread::scope(|s| {
                        let held = take(&lock, in_the_way, Take::Lock, false);
                        s.spawn(|| *lock.write() += 1);
                        until_a_writer_waits(&lock);
                        for kind in cases([Kind::Read, Kind::Upgradable]) {
                            for how in cases([Take::Try, Take::For(BRIEF), Take::Until(BRIEF)]) {
                                assert!(take(&lock, kind, how, arc).is_none(), "{mode:?} {kind:?} {how:?}");
                                let lock = &lock;
                                let other = s.spawn(move || take(lock, Kind::Read, how, false).is_none());
                                assert!(other.join().unwrap());
                            }
                        }
                        assert!(!lock.is_locked_exclusive());
                        assert_eq!(format!("{lock:?}"), "RwLock { data: <locked> }");
                        drop(held);
                        if in_the_way == Kind::Read {
                            assert_eq!(*lock.read(), 1, "before a reader that came after it");
                        }
                    });
                }
            }
        }
    });
}

#[test]
fn recursive_reads_join_although_a_writer_waits() {
    watchdog(|| {
        for mode in cases(MODES) {
            for in_the_way in cases([Kind::Read, Kind::Upgradable]) {
                for arc in either("arc ") {
                    let lock = mode.arc(0);
                    thread::scope(|s| {
                        let held = take(&lock, in_the_way, Take::Lock, arc);
                        s.spawn(|| *lock.write() += 1);
                        until_a_writer_waits(&lock);
                        let mut nested = Vec::new();
                        for how in cases([Take::Lock, Take::Try, Take::For(BRIEF), Take::Until(BRIEF)]) {
                            nested.push(take(&lock, Kind::Again, how, arc).expect("it joins"));
                        }
                        s.spawn(|| assert_eq!(*lock.read_recursive(), 0)).join().unwrap();
                        assert!(lock.try_read().is_none(), "it still waits");
                        drop(held);
                        assert!(nested.iter().all(|held| *held.value() == 0), "and waits for these, too");
                        drop(nested);
                        eventually(|| lock.try_read().is_some_and(|value| *value == 1));
                    });
                }
            }
        }
    });
}

#[test]
fn waiting_upgrade_stops_new_readers() {
    watchdog(|| {
        for mode in cases(MODES) {
            let lock = mode.lock(0);
            thread::scope(|s| {
                let reader = lock.read();
                s.spawn(|| *lock.upgradable_read().upgrade() += 1);
                until_a_writer_waits(&lock);
                assert!(lock.try_read_for(BRIEF).is_none());
                assert!(lock.try_write_for(BRIEF).is_none());
                assert_eq!(lock.try_read_recursive().map(|value| *value), Some(0));
                drop(reader);
                assert_eq!(*lock.read(), 1);
            });
        }
    });
}

#[test]
fn waiting_upgradable_reader_does_not_stop_readers() {
    watchdog(|| {
        for mode in cases(MODES) {
            let (lock, sleeper, got_in) = (mode.lock(0), Sleeper::new(), AtomicBool::new(false));
            thread::scope(|s| {
                let upgradable = lock.upgradable_read();
                s.spawn(|| {
                    sleeper.about_to_block();
                    drop(lock.upgradable_read());
                    got_in.store(true, Relaxed);
                });
                sleeper.until_asleep();
                for _ in 0..20 {
                    assert!(lock.try_read().is_some());
                    drop((lock.read(), lock.read()));
                }
                s.spawn(|| drop(lock.read())).join().unwrap();
                assert!(!got_in.load(Relaxed));
                let reader = lock.read();
                drop(upgradable);
                eventually(|| got_in.load(Relaxed));
                drop(reader);
            });
        }
    });
}

#[test]
fn readers_behind_a_waiting_upgradable_reader_come_in_with_it() {
    watchdog(|| {
        for mode in cases(MODES) {
            for parties in parties() {
                let (lock, inside) = (mode.arc(0), AtomicUsize::new(0));
                let sleepers = Sleeper::several(parties + 1);
                thread::scope(|s| {
                    let writer = lock.write();
                    for (number, sleeper) in sleepers.iter().enumerate() {
                        let (lock, inside) = (&lock, &inside);
                        s.spawn(move || {
                            let kind = if number == parties / 2 { Kind::Upgradable } else { Kind::Read };
                            sleeper.about_to_block();
                            let _held = take(lock, kind, Take::Lock, false);
                            inside.fetch_add(1, Relaxed);
                            eventually(|| inside.load(Relaxed) == parties + 1);
                        });
                        sleeper.until_asleep();
                    }
                    drop(writer);
                });
                assert!(!lock.is_locked());
            }
        }
    });
}

/// Ends a write in one of the ways there are.
fn end_write(lock: &Arc<RwLock<usize>>, writer: RwLockWriteGuard<'_, usize>, way: usize) {
    match way % 6 {
        0 => drop(writer),
        1 => RwLockWriteGuard::unlock_fair(writer),
        2 => drop(RwLockWriteGuard::downgrade(writer)),
        3 => drop(RwLockWriteGuard::downgrade_to_upgradable(writer)),
        4 => {
            mem::forget(writer);
            unsafe { lock.force_unlock_write() };
        }
        _ => {
            mem::forget(writer);
            unsafe { lock.force_unlock_write_fair() };
        }
    }
}

#[test]
fn readers_that_queued_before_the_next_writer_go_in_together() {
    watchdog(|| {
        for mode in cases(MODES) {
            for parties in parties() {
                for way in 0..6 {
                    let (lock, inside) = (mode.arc(0), AtomicUsize::new(0));
                    let (sleepers, last) = (Sleeper::several(parties), Sleeper::new());
                    thread::scope(|s| {
                        let writer = lock.write();
                        for sleeper in &sleepers {
                            s.spawn(|| {
                                sleeper.about_to_block();
                                let reader = lock.read();
                                inside.fetch_add(1, Relaxed);
                                // In together, or this never ends.
                                eventually(|| inside.load(Relaxed) == parties);
                                assert!(!Sleeper::SURE || *reader == 0, "before the next writer");
                            });
                        }
                        Sleeper::until_all_asleep(&sleepers);
                        s.spawn(|| {
                            last.about_to_block();
                            *lock.write() = 1;
                        });
                        last.until_asleep();
                        end_write(&lock, writer, way);
                    });
                    assert_eq!(*lock.read(), 1);
                }
            }
        }
    });
}

#[test]
fn writer_that_comes_while_readers_go_in_waits_for_all_of_them() {
    // Those readers were there before it.
    watchdog(|| {
        const READERS: usize = if cfg!(miri) { 4 } else { 12 };
        for mode in cases(MODES) {
            for _ in repeat(10) {
                let (lock, inside) = (mode.lock(0), AtomicUsize::new(0));
                let sleepers = Sleeper::several(READERS);
                thread::scope(|s| {
                    let writer = lock.write();
                    for sleeper in &sleepers {
                        s.spawn(|| {
                            sleeper.about_to_block();
                            let _reader = lock.read();
                            inside.fetch_add(1, Relaxed);
                            eventually(|| inside.load(Relaxed) == READERS);
                        });
                    }
                    Sleeper::until_all_asleep(&sleepers);
                    drop(writer);
                    eventually(|| inside.load(Relaxed) > 0);
                    *lock.write() = 1;
                    assert_eq!(inside.load(Relaxed), READERS);
                });
            }
        }
    });
}

#[test]
fn recursive_read_that_queued_behind_a_writer_joins_when_readers_may() {
    watchdog(|| {
        for to_upgradable in either("to_upgradable ") {
            let (lock, sleepers) = (RwLock::new(0), [Sleeper::new(), Sleeper::new()]);
            let joined = AtomicBool::new(false);
            thread::scope(|s| {
                let writer = lock.write();
                s.spawn(|| {
                    sleepers[0].about_to_block();
                    *lock.write() += 1;
                });
                sleepers[0].until_asleep();
                s.spawn(|| {
                    sleepers[1].about_to_block();
                    assert!(!Sleeper::SURE || *lock.read_recursive() == 0);
                    joined.store(true, Relaxed);
                });
                sleepers[1].until_asleep();
                if to_upgradable {
                    let upgradable = RwLockWriteGuard::downgrade_to_upgradable(writer);
                    eventually(|| joined.load(Relaxed));
                    drop(upgradable);
                } else {
                    let reader = RwLockWriteGuard::downgrade(writer);
                    eventually(|| joined.load(Relaxed));
                    drop(reader);
                }
            });
        }
    });
}
