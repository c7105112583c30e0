//! `lockwork::RwLock`: from one role to another, and handing over to one.

use super::{biased_lock, model_with};
use crate::models::support::{Arc, SOON, model, model_bounded, reach, thread};
use lockwork::internals::rwlock_has_waiters;
use lockwork::{RwLock, RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard};

/// The upgradable reader becomes the writer when the other reader has left; no thread writes in between.
#[test]
fn upgrade_waits_for_readers() {
    for biased in [false, true] {
        model_with(biased, &["waiter parks", "read before", "read after"], move || {
            let lock = if biased { biased_lock() } else { Arc::new(RwLock::new(0)) };
            let other = Arc::clone(&lock);
            let reader = thread::spawn(move || match *other.read() {
                0 => reach("read before"),
                _ => reach("read after"),
            });
            let upgradable = lock.upgradable_read();
            assert_eq!(*upgradable, 0);
            let mut writer = upgradable.upgrade();
            *writer += 1;
            drop(writer);
            reader.join().unwrap();
            assert!(!lock.is_locked());
        });
    }
}

/// Time-out of an upgrade against the reader's leaving; the upgradable reader stays one.
#[test]
fn timed_upgrade_succeeds_or_stays() {
    for biased in [false, true] {
        model_with(biased, &["upgraded", "stayed", "rwlock upgrade withdrawn"], move || {
            let lock = if biased { biased_lock() } else { Arc::new(RwLock::new(0)) };
            let other = Arc::clone(&lock);
            let reader = thread::spawn(move || assert!(*other.read() <= 1));
            match lock.upgradable_read().try_upgrade_for(SOON) {
                Ok(mut writer) => {
                    *writer += 1;
                    reach("upgraded");
                }
                Err(upgradable) => {
                    assert_eq!(*upgradable, 0);
                    assert!(lock.try_write().is_none());
                    reach("stayed");
                }
            }
            reader.join().unwrap();
            assert!(!lock.is_locked());
            assert!(!rwlock_has_waiters(&lock));
        });
    }
}

/// The same without waiting.
#[test]
fn try_upgrade_succeeds_or_stays() {
    for biased in [false, true] {
        model_with(biased, &["upgraded", "stayed"], move || {
            let lock = if biased { biased_lock() } else { Arc::new(RwLock::new(0)) };
            let other = Arc::clone(&lock);
            let reader = thread::spawn(move || assert!(*other.read() <= 1));
            match lock.upgradable_read().try_upgrade() {
                Ok(mut writer) => {
                    *writer += 1;
                    reach("upgraded");
                }
                Err(upgradable) => {
                    assert_eq!(*upgradable, 0);
                    reach("stayed");
                }
            }
            reader.join().unwrap();
            assert!(!lock.is_locked());
            assert!(!rwlock_has_waiters(&lock));
        });
    }
}

/// Two upgradable readers exclude each other; each sees what the other wrote.
#[test]
fn two_upgraders_come_one_after_the_other() {
    model(&["waiter parks", "second"], || {
        let lock = Arc::new(RwLock::new(0));
        let other = Arc::clone(&lock);
        let upgrader = thread::spawn(move || {
            let mut writer = other.upgradable_read().upgrade();
            *writer += 1;
            if *writer == 2 {
                reach("second");
            }
        });
        *lock.upgradable_read().upgrade() += 1;
        upgrader.join().unwrap();
        assert_eq!(*lock.try_read().expect("no writer is left"), 2);
        assert!(!rwlock_has_waiters(&lock));
    });
}

/// A writer that becomes a reader lets a waiting one in, with what it wrote, and keeps the next writer out.
#[test]
fn downgrade_lets_readers_in_and_keeps_writers_out() {
    model(&["waiter parks"], || {
        let lock = Arc::new(RwLock::new(0));
        let mut writer = lock.write();
        let other = Arc::clone(&lock);
        let reader = thread::spawn(move || assert_eq!(*other.read(), 1));
        *writer += 1;
        let still = RwLockWriteGuard::downgrade(writer);
        // Gets in and out while we are in.
        reader.join().unwrap();
        assert!(lock.try_write().is_none());
        drop(still);
        assert!(!lock.is_locked());
    });
}

/// A writer that becomes the upgradable reader lets a waiting reader in, too.
#[test]
fn downgrade_to_upgradable_lets_readers_in_and_keeps_writers_out() {
    model(&["waiter parks"], || {
        let lock = Arc::new(RwLock::new(0));
        let mut writer = lock.write();
        let other = Arc::clone(&lock);
        let reader = thread::spawn(move || assert_eq!(*other.read(), 1));
        *writer += 1;
        let still = RwLockWriteGuard::downgrade_to_upgradable(writer);
        // Gets in and out while we are in.
        reader.join().unwrap();
        assert!(lock.try_write().is_none() && lock.try_upgradable_read().is_none());
        drop(still);
        assert!(!lock.is_locked());
    });
}

/// The other ways down: to the upgradable reader, and from there to a reader, which lets a waiting upgradable
/// one in.
#[test]
fn downgrades_by_steps_let_others_in() {
    model(&["waiter parks"], || {
        let lock = Arc::new(RwLock::new(0));
        let mut writer = lock.write();
        let other = Arc::clone(&lock);
        let second = thread::spawn(move || assert_eq!(*other.upgradable_read(), 1));
        *writer += 1;
        let upgradable: RwLockUpgradableReadGuard<'_, _> = RwLockWriteGuard::downgrade_to_upgradable(writer);
        let reader: RwLockReadGuard<'_, _> = upgradable.downgrade();
        second.join().unwrap();
        assert_eq!(*reader, 1);
        drop(reader);
        assert!(!lock.is_locked());
    });
}

/// A fair unlock hands the lock over: the waiter has it before any other thread can.
#[test]
fn fair_unlock_hands_over() {
    model_bounded(
        4,
        "two threads, but a question and a third lock",
        &["rwlock granted", "no thread waited"],
        || {
            let lock = Arc::new(RwLock::new(0));
            let mut guard = lock.write();
            let other = Arc::clone(&lock);
            let writer = thread::spawn(move || *other.write() += 1);
            let waits = rwlock_has_waiters(&lock);
            *guard += 1;
            RwLockWriteGuard::unlock_fair(guard);
            if waits {
                let value = lock.read();
                assert_eq!(*value, 2);
            } else {
                reach("no thread waited");
            }
            writer.join().unwrap();
            assert!(!lock.is_locked());
        },
    );
}

/// A fair unlock hands the lock to an upgradable reader as well, which has it alone but for plain readers.
#[test]
fn fair_unlock_hands_over_to_an_upgradable_reader() {
    let why = "two threads, but four critical sections and a question";
    model_bounded(3, why, &["rwlock granted", "handed over", "no thread waited"], || {
        let lock = Arc::new(RwLock::new(0));
        let mut guard = lock.write();
        let other = Arc::clone(&lock);
        let upgrader = thread::spawn(move || {
            let upgradable = other.upgradable_read();
            let before = *upgradable;
            let mut writer = upgradable.upgrade();
            assert_eq!(*writer, before);
            *writer += 1;
        });
        let waits = rwlock_has_waiters(&lock);
        *guard += 1;
        RwLockWriteGuard::unlock_fair(guard);
        let upgradable = lock.upgradable_read();
        if waits {
            assert_eq!(*upgradable, 2, "the other had it first");
            reach("handed over");
        } else {
            reach("no thread waited");
        }
        *upgradable.upgrade() += 1;
        upgrader.join().unwrap();
        assert_eq!(*lock.try_read().expect("no writer is left"), 3);
    });
}

/// The upgradable reader's fair unlock hands the lock to the writer that waits for it.
#[test]
fn fair_unlock_of_the_upgradable_reader_hands_over() {
    let why = "two threads, but a question and a third lock";
    model_bounded(4, why, &["rwlock granted", "handed over", "no thread waited"], || {
        let lock = Arc::new(RwLock::new(0));
        let upgradable = lock.upgradable_read();
        let other = Arc::clone(&lock);
        let writer = thread::spawn(move || *other.write() += 1);
        let waits = rwlock_has_waiters(&lock);
        RwLockUpgradableReadGuard::unlock_fair(upgradable);
        if waits {
            assert_eq!(*lock.read(), 1, "the writer had it first");
            reach("handed over");
        } else {
            reach("no thread waited");
        }
        writer.join().unwrap();
        assert!(!lock.is_locked());
    });
}

/// The upgradable reader that becomes a reader lets no writer in between.
#[test]
fn downgrade_of_the_upgradable_reader_keeps_writers_out() {
    model(&["waiter parks"], || {
        let lock = Arc::new(RwLock::new(0));
        let upgradable = lock.upgradable_read();
        let other = Arc::clone(&lock);
        let writer = thread::spawn(move || *other.write() += 1);
        let before = *upgradable;
        let reader = upgradable.downgrade();
        assert_eq!(*reader, before);
        drop(reader);
        writer.join().unwrap();
        assert_eq!(*lock.try_read().expect("no writer is left"), 1);
    });
}

/// A reader's fair unlock hands over nothing that another thread still has: the upgradable reader's place is
/// one.
#[test]
fn fair_unlock_of_a_reader_hands_over_no_second_token() {
    for writes in [false, true] {
        model_bounded(
            3,
            "two threads, but three locks and a question",
            &["waits", "does not wait"],
            move || {
                let lock = Arc::new(RwLock::new(0));
                let reader = lock.read();
                let upgradable = lock.upgradable_read();
                let other = Arc::clone(&lock);
                let waiter = thread::spawn(move || {
                    if writes {
                        *other.write() += 1;
                    } else {
                        assert!(*other.upgradable_read() <= 1);
                    }
                });
                reach(if rwlock_has_waiters(&lock) { "waits" } else { "does not wait" });
                RwLockReadGuard::unlock_fair(reader);
                assert_eq!(*upgradable, 0);
                *upgradable.upgrade() += 1;
                waiter.join().unwrap();
                assert_eq!(*lock.read(), 1 + usize::from(writes));
            },
        );
    }
}
