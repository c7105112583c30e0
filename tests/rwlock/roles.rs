//! From one role in an `RwLock` to another.

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;

use lockwork::{RwLock, RwLockUpgradableReadGuard, RwLockWriteGuard};

use super::{BRIEF, Held, KINDS, Kind, MODES, open_to, take, until_a_writer_waits};
use crate::locks::Take;
use crate::support::{
    LIMIT, SHORT, Sleeper, cases, either, eventually, parties, repeat, rounds, shown, unwind, unwinds,
    watchdog,
};

#[test]
fn upgrade_waits_for_the_other_readers() {
    watchdog(|| {
        for mode in cases(MODES) {
            for how in cases([Take::Lock, Take::For(LIMIT), Take::Until(LIMIT)]) {
                for (arc, with) in cases([(false, false), (true, false), (false, true), (true, true)]) {
                    let (lock, left) = (mode.arc(0), AtomicBool::new(false));
                    thread::scope(|s| {
                        let reader = lock.read();
                        s.spawn(|| {
                            let mut held =
                                take(&lock, Kind::Upgradable, Take::Lock, arc).expect("no other is");
                            if with {
                                let result = held.with_upgraded(how, |value| {
                                    assert!(left.load(Relaxed) && lock.is_locked_exclusive());
                                    *value += 1;
                                    *value
                                });
                                assert_eq!(result, Some(1));
                                assert_eq!(held.kind(), Kind::Upgradable);
                                assert!(!lock.is_locked_exclusive());
                            } else {
                                held = held.upgrade(how);
                                assert!(left.load(Relaxed) && lock.is_locked_exclusive());
                                *held.value_mut().expect("upgraded") += 1;
                            }
                        });
                        until_a_writer_waits(&lock);
                        assert_eq!(*reader, 0);
                        left.store(true, Relaxed);
                        drop(reader);
                    });
                    assert_eq!(*lock.read(), 1);
                    assert!(!lock.is_locked());
                }
            }
        }
    });
}

#[test]
fn try_upgrade_gives_the_guard_back() {
    for mode in cases(MODES) {
        for arc in either("arc ") {
            let lock = mode.arc(0);
            let reader = lock.read();
            let mut held = take(&lock, Kind::Upgradable, Take::Try, arc).expect("beside a reader");
            for how in cases([Take::Try, Take::For(BRIEF), Take::Until(BRIEF)]) {
                held = held.upgrade(how);
                assert_eq!(held.kind(), Kind::Upgradable);
                assert_eq!(held.with_upgraded(how, |_| unreachable!()), None::<()>);
                assert_eq!((*held.value(), *reader), (0, 0));
                assert_eq!(open_to(&lock), [true, false, false]);
                assert!(!lock.is_locked_exclusive());
            }
            drop(reader);
            assert_eq!(held.with_upgraded(Take::Try, |value| mem::replace(value, 5)), Some(0));
            assert_eq!(open_to(&lock), [true, false, false], "the upgradable reader again");
            held = held.upgrade(Take::Try);
            assert_eq!(held.kind(), Kind::Write);
            assert_eq!(open_to(&lock), [false; 3]);
            drop(held);
            assert_eq!(open_to(&lock), [true; 3]);
            assert_eq!(*lock.read(), 5);
        }
    }
}

#[test]
fn no_writer_comes_between_the_look_and_the_change() {
    // Each writes what it has read, plus one; a waiting writer spoils what it can.
    watchdog(|| {
        for mode in cases(MODES) {
            for parties in parties() {
                let (lock, turns) = (mode.lock(0), rounds(100));
                thread::scope(|s| {
                    for party in 0..parties {
                        let lock = &lock;
                        s.spawn(move || {
                            for turn in 0..turns {
                                match (party + turn) % 3 {
                                    0 => {
                                        let guard = lock.upgradable_read();
                                        let seen = *guard;
                                        *RwLockUpgradableReadGuard::upgrade(guard) = seen + 1;
                                    }
                                    1 => {
                                        let mut guard = lock.upgradable_read();
                                        let seen = *guard;
                                        guard.with_upgraded(|value| *value = seen + 1);
                                        assert_eq!(*guard, seen + 1);
                                    }
                                    _ => {
                                        let mut guard = lock.write();
                                        *guard += 1;
                                        let seen = *guard;
                                        assert_eq!(*RwLockWriteGuard::downgrade(guard), seen);
                                    }
                                }
                            }
                        });
                    }
                });
                assert_eq!(lock.into_inner(), parties * turns);
            }
        }
    });
}

#[test]
fn downgrades_let_readers_in() {
    watchdog(|| {
        for parties in parties() {
            for (arc, to_upgradable) in cases([(false, false), (true, false), (false, true), (true, true)]) {
                let (lock, inside) = (shown(RwLock::new(0)), AtomicUsize::new(0));
                let sleepers = Sleeper::several(parties);
                thread::scope(|s| {
                    let mut held = take(&lock, Kind::Write, Take::Lock, arc).expect("it is free");
                    for sleeper in &sleepers {
                        s.spawn(|| {
                            sleeper.about_to_block();
                            assert_eq!(*lock.read(), 1);
                            inside.fetch_add(1, Relaxed);
                        });
                    }
                    Sleeper::until_all_asleep(&sleepers);
                    *held.value_mut().expect("a writer") = 1;
                    held = if to_upgradable { held.downgrade_to_upgradable() } else { held.downgrade() };
                    eventually(|| inside.load(Relaxed) == parties);
                    assert_eq!(*held.value(), 1);
                    assert_eq!(open_to(&lock), [true, !to_upgradable, false]);
                    held = held.downgrade();
                    assert_eq!(open_to(&lock), [true, true, false]);
                    drop(held);
                });
                assert_eq!(open_to(&lock), [true; 3]);
            }
        }
    });
}

#[test]
fn downgrade_of_the_upgradable_reader_lets_the_next_be_it() {
    watchdog(|| {
        for mode in cases(MODES) {
            for arc in either("arc ") {
                let (lock, sleeper, came) = (mode.arc(0), Sleeper::new(), AtomicBool::new(false));
                thread::scope(|s| {
                    let held = take(&lock, Kind::Upgradable, Take::Lock, arc).expect("it is free");
                    s.spawn(|| {
                        sleeper.about_to_block();
                        let _held = lock.upgradable_read();
                        came.store(true, Relaxed);
                    });
                    sleeper.until_asleep();
                    let reader = held.downgrade();
                    eventually(|| came.load(Relaxed));
                    assert_eq!(*reader.value(), 0);
                });
            }
        }
    });
}

#[test]
fn downgrade_lets_no_writer_in_between() {
    watchdog(|| {
        for mode in cases(MODES) {
            for to_upgradable in either("to_upgradable ") {
                for _ in repeat(20) {
                    let (lock, sleeper) = (mode.arc(0), Sleeper::new());
                    thread::scope(|s| {
                        let mut writer = lock.write();
                        s.spawn(|| {
                            sleeper.about_to_block();
                            *lock.write() = 2;
                        });
                        sleeper.until_asleep();
                        *writer = 1;
                        let mut held = Held::Write(writer);
                        held = if to_upgradable { held.downgrade_to_upgradable() } else { held.downgrade() };
                        (0..10).for_each(|_| thread::yield_now());
                        assert_eq!(*held.value(), 1);
                    });
                    assert_eq!(*lock.read(), 2);
                }
            }
        }
    });
}

#[test]
fn panic_while_upgraded_makes_the_upgradable_reader_again() {
    for mode in cases(MODES) {
        for arc in either("arc ") {
            let lock = mode.arc(0);
            let mut held = take(&lock, Kind::Upgradable, Take::Lock, arc).expect("it is free");
            for (number, how) in
                [Take::Lock, Take::Try, Take::For(SHORT), Take::Until(SHORT)].into_iter().enumerate()
            {
                assert!(unwinds(|| {
                    held.with_upgraded(how, |value| {
                        *value += 1;
                        unwind();
                    });
                }));
                assert!(lock.is_locked() && !lock.is_locked_exclusive());
                assert_eq!(open_to(&lock), [true, false, false]);
                assert_eq!(*held.value(), number + 1);
            }
            drop(held);
            assert_eq!(open_to(&lock), [true; 3]);
        }
    }
}

#[test]
fn panic_while_upgraded_lets_waiting_readers_in() {
    watchdog(|| {
        for parties in parties() {
            let (lock, inside) = (RwLock::new(0), AtomicUsize::new(0));
            let sleepers = Sleeper::several(parties);
            thread::scope(|s| {
                let mut guard = lock.upgradable_read();
                assert!(unwinds(|| guard.with_upgraded(|value| {
                    for sleeper in &sleepers {
                        let (lock, inside) = (&lock, &inside);
                        s.spawn(move || {
                            sleeper.about_to_block();
                            assert_eq!(*lock.read(), 1);
                            inside.fetch_add(1, Relaxed);
                        });
                    }
                    Sleeper::until_all_asleep(&sleepers);
                    *value = 1;
                    unwind();
                })));
                eventually(|| inside.load(Relaxed) == parties);
            });
        }
    });
}

#[test]
fn unlocked_unlocks_and_locks_again_in_the_same_way() {
    for mode in cases(MODES) {
        for kind in cases(KINDS) {
            for arc in either("arc ") {
                for fair in either("fair ") {
                    let lock = mode.arc(0);
                    let mut held = take(&lock, kind, Take::Lock, arc).expect("it is free");
                    let before = open_to(&lock);
                    assert!(held.unlocked(fair, || {
                        assert!(!lock.is_locked());
                        *lock.try_write().expect("unlocked") += 1;
                    }));
                    assert_eq!(open_to(&lock), before);
                    assert_eq!(*held.value(), 1);
                    assert!(unwinds(|| {
                        held.unlocked(fair, || {
                            *lock.try_write().expect("unlocked") += 1;
                            unwind();
                        });
                    }));
                    assert_eq!(open_to(&lock), before);
                    assert_eq!(lock.is_locked_exclusive(), kind == Kind::Write);
                    assert_eq!(*held.value(), 2);
                    held.bump();
                    assert_eq!(open_to(&lock), before);
                    drop(held);
                    assert_eq!(open_to(&lock), [true; 3]);
                }
            }
        }
    }
}
