//! `lockwork::RwLock`. In a model the reader bias is enabled after two reads, if no writer came in between.

use lockwork::internals::rwlock_has_waiters;
use lockwork::{RwLock, RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard};

use crate::support::{Arc, SOON, endless_rounds, model, model_bounded, reach, thread};

const THREE: &str = "three threads";
const VISIBLE: &str = "two threads, but a handshake over three words and a queue";

/// A model of two threads, bounded where readers are visible.
fn model_with(biased: bool, must_reach: &[&str], body: impl Fn() + Sync + Send + 'static) {
    if biased {
        model_bounded(3, VISIBLE, must_reach, body);
    } else {
        model(must_reach, body);
    }
}

/// A lock whose reader bias is enabled.
fn biased_lock() -> Arc<RwLock<usize>> {
    let lock = Arc::new(RwLock::new(0));
    for _ in 0..2 {
        assert_eq!(*lock.read(), 0);
    }
    lock
}

/// Two writers exclude each other, each sees what the other did, and neither sleeps for ever.
#[test]
fn two_writers_exclude_each_other() {
    let states = ["waiter parks", "second", "rwlock looked after by the holder of the queue lock"];
    model(&states, || {
        let lock = Arc::new(RwLock::new(0));
        let other = Arc::clone(&lock);
        let writer = thread::spawn(move || {
            let mut value = other.write();
            *value += 1;
            if *value == 2 {
                reach("second");
            }
        });
        *lock.write() += 1;
        writer.join().unwrap();
        assert_eq!(*lock.read(), 2);
        assert!(!lock.is_locked());
    });
}

/// A reader and a writer exclude each other and see each other, in a lock where readers are counted.
#[test]
fn counted_reader_and_writer_exclude_each_other() {
    model(&["waiter parks", "read before", "read after"], || {
        let lock = Arc::new(RwLock::new(0));
        let other = Arc::clone(&lock);
        let reader = thread::spawn(move || match *other.read() {
            0 => reach("read before"),
            _ => reach("read after"),
        });
        *lock.write() += 1;
        reader.join().unwrap();
        assert!(!lock.is_locked());
    });
}

/// The same where readers are visible: one of the two sees the other.
#[test]
fn visible_reader_and_writer_exclude_each_other() {
    let states = [
        "reader is visible",
        "reader retracts at once",
        "writer waits for a visible reader",
        "waiter parks",
        "read before",
        "read after",
    ];
    model_bounded(4, VISIBLE, &states, || {
        let lock = biased_lock();
        let other = Arc::clone(&lock);
        let reader = thread::spawn(move || match *other.read() {
            0 => reach("read before"),
            _ => reach("read after"),
        });
        *lock.write() += 1;
        reader.join().unwrap();
        assert!(!lock.is_locked());
    });
}

/// The bias comes back after a writer, and the reader that is visible then sees what the writer did: it has no other edge
/// to it.
#[test]
fn bias_comes_back_after_a_writer() {
    model_bounded(3, VISIBLE, &["reader is visible", "read after"], || {
        let lock = Arc::new(RwLock::new(0));
        let other = Arc::clone(&lock);
        let writer = thread::spawn(move || {
            *other.write() += 1;
            for _ in 0..2 {
                assert_eq!(*other.read(), 1);
            }
        });
        if *lock.read() == 1 {
            reach("read after");
        }
        writer.join().unwrap();
    });
}

/// Two readers enable the bias at once: they agree on the number of the lock, and a writer finds those that publish it.
#[test]
fn bias_enabled_by_two_readers_has_one_number() {
    let states = ["lock numbered by two readers", "reader is visible", "wrote", "did not write"];
    model_bounded(3, VISIBLE, &states, || {
        let lock = Arc::new(RwLock::new(0));
        drop(lock.read());
        let other = Arc::clone(&lock);
        let reader = thread::spawn(move || {
            drop(other.read());
            assert!(*other.read() <= 1);
        });
        drop(lock.read());
        match lock.try_write() {
            Some(mut value) => {
                *value += 1;
                reach("wrote");
            }
            None => reach("did not write"),
        }
        reader.join().unwrap();
        assert!(!lock.is_locked());
    });
}

/// `try_write` succeeds or leaves nothing behind, reader bias or not.
#[test]
fn try_write_excludes_and_leaves_nothing() {
    for biased in [false, true] {
        model_with(biased, &["wrote", "did not write"], move || {
            let lock = if biased { biased_lock() } else { Arc::new(RwLock::new(0)) };
            let other = Arc::clone(&lock);
            let reader = thread::spawn(move || {
                let value = other.read();
                assert_eq!(*value, *value);
            });
            match lock.try_write() {
                Some(mut value) => {
                    *value += 1;
                    reach("wrote");
                }
                None => reach("did not write"),
            }
            reader.join().unwrap();
            assert!(!lock.is_locked());
            assert!(lock.try_write().is_some());
        });
    }
}

/// A try to write that fails never keeps a reader out, not even for a moment: beside a reader another comes in at once.
#[test]
fn try_write_that_fails_keeps_no_reader_out() {
    for (biased, upgrade) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut states = vec!["read", "wrote", "did not write"];
        if biased {
            states.push("rwlock try withdrawn");
        }
        model_bounded(3, "two threads, but two readers in one of them", &states, move || {
            let lock = if biased { biased_lock() } else { Arc::new(RwLock::new(0)) };
            let other = Arc::clone(&lock);
            let writer = thread::spawn(move || {
                let wrote = if upgrade {
                    other.upgradable_read().try_upgrade().map(|mut value| *value += 1).is_ok()
                } else {
                    other.try_write().map(|mut value| *value += 1).is_some()
                };
                reach(if wrote { "wrote" } else { "did not write" });
            });
            if let Some(reader) = lock.try_read() {
                reach("read");
                let another = lock.try_read().expect("no writer is in or waits");
                assert_eq!(*reader, *another);
            }
            writer.join().unwrap();
            assert!(!lock.is_locked());
        });
    }
}

/// `try_write` after a writer sees what that one did.
#[test]
fn try_write_sees_the_last_writer() {
    model(&["wrote second", "did not write"], || {
        let lock = Arc::new(RwLock::new(0));
        let other = Arc::clone(&lock);
        let writer = thread::spawn(move || *other.write() += 1);
        match lock.try_write() {
            Some(mut value) => {
                *value += 1;
                if *value == 2 {
                    reach("wrote second");
                }
            }
            None => reach("did not write"),
        }
        writer.join().unwrap();
        assert!(!lock.is_locked());
    });
}

/// A recursive reader that came and went while a writer was finding out whether the lock is drained is seen by that writer,
/// although the state looks as it did.
#[test]
fn drained_lock_was_left_by_recursive_readers_too() {
    model_bounded(4, VISIBLE, &["wrote", "did not write"], || {
        let lock = biased_lock();
        let other = Arc::clone(&lock);
        let reader = thread::spawn(move || {
            let outer = other.read();
            let inner = other.read_recursive();
            drop(outer);
            assert_eq!(*inner, *inner);
        });
        match lock.try_write() {
            Some(mut value) => {
                *value += 1;
                reach("wrote");
            }
            None => reach("did not write"),
        }
        reader.join().unwrap();
        assert!(!lock.is_locked());
    });
}

/// `try_read` and `try_upgradable_read` against a writer.
#[test]
fn try_read_excludes_and_sees() {
    model(&["read before", "read after", "did not read"], || {
        let lock = Arc::new(RwLock::new(0));
        let other = Arc::clone(&lock);
        let writer = thread::spawn(move || *other.write() += 1);
        match lock.try_read().map(|value| *value) {
            Some(0) => reach("read before"),
            Some(_) => reach("read after"),
            None => reach("did not read"),
        }
        if let Some(value) = lock.try_upgradable_read() {
            assert!(*value <= 1);
        }
        writer.join().unwrap();
        assert!(!lock.is_locked());
    });
}

/// Time-out of a writer against the reader's leaving, in both orders.
#[test]
fn timed_write_succeeds_or_leaves_nothing() {
    for biased in [false, true] {
        let states = ["wrote", "timed out", "rwlock write withdrawn", "waiter leaves at its deadline"];
        model_with(biased, &states, move || {
            let lock = if biased { biased_lock() } else { Arc::new(RwLock::new(0)) };
            let reader = lock.read();
            let other = Arc::clone(&lock);
            let writer = thread::spawn(move || match other.try_write_for(SOON) {
                Some(mut value) => {
                    *value += 1;
                    reach("wrote");
                    1
                }
                None => {
                    reach("timed out");
                    0
                }
            });
            assert_eq!(*reader, 0);
            drop(reader);
            let written = writer.join().unwrap();
            assert_eq!(*lock.try_read().expect("no writer is left"), written);
            assert!(!rwlock_has_waiters(&lock));
            assert!(lock.try_write().is_some());
        });
    }
}

/// Time-out of a reader against the writer's leaving, in both orders.
#[test]
fn timed_read_succeeds_or_leaves_nothing() {
    let states = ["read", "timed out", "waiter leaves at its deadline", "waiter is woken at its deadline"];
    model(&states, || {
        let lock = Arc::new(RwLock::new(0));
        let mut value = lock.write();
        let other = Arc::clone(&lock);
        let reader = thread::spawn(move || match other.try_read_for(SOON) {
            Some(value) => {
                assert_eq!(*value, 1);
                reach("read");
            }
            None => reach("timed out"),
        });
        *value += 1;
        drop(value);
        reader.join().unwrap();
        assert!(!rwlock_has_waiters(&lock));
        assert!(lock.try_write().is_some());
    });
}

/// A writer that gives up lets those in whom it held back, although the reader it waited for stays.
#[test]
fn readers_held_back_by_a_writer_that_gives_up_come_in() {
    for biased in [false, true] {
        model_bounded(3, THREE, &["timed out", "waiter parks", "rwlock write withdrawn"], move || {
            let lock = if biased { biased_lock() } else { Arc::new(RwLock::new(0)) };
            let outer = lock.read();
            let other = Arc::clone(&lock);
            let writer = thread::spawn(move || {
                if other.try_write_for(SOON).is_none() {
                    reach("timed out");
                }
            });
            let other = Arc::clone(&lock);
            // Comes in at the latest when the writer has given up, which it has to: `outer` stays.
            let reader = thread::spawn(move || assert_eq!(*other.read(), 0));
            reader.join().unwrap();
            writer.join().unwrap();
            drop(outer);
        });
    }
}

/// A writer in the queue that gives up there lets those in who queued behind it.
#[test]
fn readers_queued_behind_a_writer_that_gives_up_come_in() {
    let states = ["timed out", "waiter leaves at its deadline", "queued behind"];
    model_bounded(3, THREE, &states, || {
        let lock = Arc::new(RwLock::new(0));
        let upgradable = lock.upgradable_read();
        let other = Arc::clone(&lock);
        let writer = thread::spawn(move || {
            if other.try_write_for(SOON).is_none() {
                reach("timed out");
            }
        });
        let other = Arc::clone(&lock);
        let reader = thread::spawn(move || {
            if rwlock_has_waiters(&other) {
                reach("queued behind");
            }
            assert_eq!(*other.read(), 0);
        });
        reader.join().unwrap();
        writer.join().unwrap();
        drop(upgradable);
    });
}

/// A read within a read comes in although a writer waits, who comes in when both have left.
#[test]
fn recursive_read_joins_although_a_writer_waits() {
    for biased in [false, true] {
        model_with(biased, &["waiter parks"], move || {
            let lock = if biased { biased_lock() } else { Arc::new(RwLock::new(0)) };
            let outer = lock.read();
            let other = Arc::clone(&lock);
            let writer = thread::spawn(move || *other.write() += 1);
            let inner = lock.read_recursive();
            assert_eq!(*inner, *outer);
            drop(outer);
            assert_eq!(*inner, 0);
            drop(inner);
            writer.join().unwrap();
            assert_eq!(*lock.read(), 1);
        });
    }
}

/// A writer in the queue holds new readers back, but for recursive ones.
#[test]
fn queued_writer_holds_new_readers_back() {
    for biased in [false, true] {
        model_with(biased, &["held back", "not yet", "waiter parks"], move || {
            let lock = if biased { biased_lock() } else { Arc::new(RwLock::new(0)) };
            let upgradable = lock.upgradable_read();
            let other = Arc::clone(&lock);
            let writer = thread::spawn(move || *other.write() += 1);
            if rwlock_has_waiters(&lock) {
                assert!(lock.try_read().is_none());
                assert!(lock.try_read_recursive().is_some());
                // Also where nothing but the writer in the queue keeps them out.
                let reader = upgradable.downgrade();
                assert!(lock.try_read().is_none());
                drop(reader);
                reach("held back");
            } else {
                drop(upgradable);
                reach("not yet");
            }
            writer.join().unwrap();
            assert_eq!(*lock.try_read().expect("no writer is left"), 1);
        });
    }
}

/// A reader that retracts and knows of a writer wakes it: that one would find out by itself, but later.
#[test]
fn reader_that_retracts_wakes_the_writer() {
    let states = ["writer waits for a visible reader", "known", "not known", "waiter parks"];
    model_bounded(3, VISIBLE, &states, || {
        endless_rounds(true);
        let lock = biased_lock();
        let reader = lock.read();
        let other = Arc::clone(&lock);
        let writer = thread::spawn(move || *other.write() += 1);
        let counted = lock.try_read();
        if counted.is_none() {
            reach("known");
        } else {
            // The writer comes later, and the reader may then retract without knowing of it.
            endless_rounds(false);
            reach("not known");
        }
        drop(reader);
        drop(counted);
        writer.join().unwrap();
        assert!(!lock.is_locked());
    });
}

/// Readers that wait for a writer go in together: each waits inside for the other.
#[test]
fn waiting_readers_go_in_together() {
    let states = ["reader lets the others in", "readers counted in", "waiter parks"];
    model_bounded(3, THREE, &states, || {
        let lock = Arc::new(RwLock::new(0));
        let met = Arc::new((lockwork::Event::new(), lockwork::Event::new()));
        let mut value = lock.write();
        let (other, meeting) = (Arc::clone(&lock), Arc::clone(&met));
        let one = thread::spawn(move || {
            let value = other.read();
            meeting.0.set();
            meeting.1.wait();
            assert_eq!(*value, 1);
        });
        let (other, meeting) = (Arc::clone(&lock), Arc::clone(&met));
        let two = thread::spawn(move || {
            let value = other.read();
            meeting.1.set();
            meeting.0.wait();
            assert_eq!(*value, 1);
        });
        *value += 1;
        drop(value);
        one.join().unwrap();
        two.join().unwrap();
        assert!(lock.try_write().is_some());
    });
}

/// A reader that was granted the lock by a fair unlock lets the next in as well: it waits inside for that one.
#[test]
fn granted_reader_lets_the_next_in() {
    let states = ["waited for", "rwlock granted", "reader lets the others in"];
    model_bounded(3, THREE, &states, || {
        let lock = Arc::new(RwLock::new(0));
        let met = Arc::new(lockwork::Event::new());
        let mut guard = lock.write();
        let (other, meeting) = (Arc::clone(&lock), Arc::clone(&met));
        let one = thread::spawn(move || {
            let value = other.read();
            meeting.wait();
            assert_eq!(*value, 1);
        });
        let other = Arc::clone(&lock);
        let two = thread::spawn(move || {
            let value = other.read();
            met.set();
            assert_eq!(*value, 1);
        });
        if rwlock_has_waiters(&lock) {
            reach("waited for");
        }
        *guard += 1;
        RwLockWriteGuard::unlock_fair(guard);
        one.join().unwrap();
        two.join().unwrap();
        assert!(!lock.is_locked());
    });
}

/// Two readers and a writer, in any order.
#[test]
fn two_readers_and_a_writer_all_get_through() {
    model_bounded(3, THREE, &["waiter parks", "read before", "read after"], || {
        let lock = Arc::new(RwLock::new(0));
        let readers = [(); 2].map(|()| {
            let lock = Arc::clone(&lock);
            thread::spawn(move || match *lock.read() {
                0 => reach("read before"),
                _ => reach("read after"),
            })
        });
        *lock.write() += 1;
        for reader in readers {
            reader.join().unwrap();
        }
        assert_eq!(*lock.try_read().expect("no writer is left"), 1);
        assert!(!rwlock_has_waiters(&lock));
    });
}

/// The same with two writers and a reader, and with a queue that holds a writer before a reader or behind it.
#[test]
fn two_writers_and_a_reader_all_get_through() {
    let states = ["waiter parks", "rwlock lost to another after a wake-up"];
    model_bounded(3, THREE, &states, || {
        let lock = Arc::new(RwLock::new(0));
        let other = Arc::clone(&lock);
        let writer = thread::spawn(move || *other.write() += 1);
        let other = Arc::clone(&lock);
        let reader = thread::spawn(move || assert!(*other.read() <= 2));
        *lock.write() += 1;
        writer.join().unwrap();
        reader.join().unwrap();
        assert_eq!(*lock.try_read().expect("no writer is left"), 2);
        assert!(!rwlock_has_waiters(&lock));
    });
}

/// A reader that has been woken and lost is granted the lock by the next writer that leaves.
#[test]
fn woken_reader_that_lost_is_granted_the_lock() {
    let why = "two threads, but four critical sections";
    let states = ["rwlock lost to another after a wake-up", "rwlock granted", "waiter parks"];
    model_bounded(4, why, &states, || {
        let lock = Arc::new(RwLock::new(0));
        let other = Arc::clone(&lock);
        let reader = thread::spawn(move || assert!(*other.read() <= 3));
        for _ in 0..3 {
            *lock.write() += 1;
        }
        reader.join().unwrap();
        assert!(lock.try_write().is_some());
    });
}

/// A woken waiter that gives up strands no thread.
#[test]
fn woken_waiter_that_gives_up_strands_nobody() {
    let states = ["rwlock given up by a woken waiter", "timed out"];
    model_bounded(3, THREE, &states, || {
        let lock = Arc::new(RwLock::new(0));
        let guard = lock.write();
        let other = Arc::clone(&lock);
        let timed = thread::spawn(move || match other.try_read_for(SOON) {
            Some(value) => assert!(*value <= 2),
            None => reach("timed out"),
        });
        let other = Arc::clone(&lock);
        let patient = thread::spawn(move || *other.write() += 1);
        drop(guard);
        *lock.write() += 1;
        timed.join().unwrap();
        patient.join().unwrap();
        assert_eq!(*lock.try_read().expect("no writer is left"), 2);
    });
}

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

/// The other ways down: to the upgradable reader, and from there to a reader, which lets a waiting upgradable one in.
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

/// A reader's fair unlock hands over nothing that another thread still has: the upgradable reader's place is one.
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

/// A writer that is granted the lock waits for visible readers, as any other does.
#[test]
fn granted_writer_waits_for_visible_readers() {
    model_bounded(
        3,
        VISIBLE,
        &["rwlock granted", "reader is visible", "writer waits for a visible reader"],
        || {
            let lock = biased_lock();
            let reader = lock.read();
            let upgradable = lock.upgradable_read();
            let other = Arc::clone(&lock);
            let writer = thread::spawn(move || *other.write() += 1);
            RwLockUpgradableReadGuard::unlock_fair(upgradable);
            assert_eq!(*reader, 0);
            drop(reader);
            writer.join().unwrap();
            assert_eq!(*lock.try_read().expect("no writer is left"), 1);
        },
    );
}

/// A recursive reader and a writer exclude each other and see each other like any reader and a writer.
#[test]
fn recursive_reader_and_writer_exclude_each_other() {
    model(&["waiter parks", "read before", "read after", "not read"], || {
        let lock = Arc::new(RwLock::new(0));
        let other = Arc::clone(&lock);
        let reader = thread::spawn(move || match other.try_read_recursive().map(|value| *value) {
            Some(0) => reach("read before"),
            Some(_) => reach("read after"),
            None => {
                reach("not read");
                assert!(*other.read_recursive() <= 1);
            }
        });
        *lock.write() += 1;
        reader.join().unwrap();
        assert!(!lock.is_locked());
    });
}

/// A recursive reader that waits for a writer comes in as soon as that one steps down, past the next writer in the queue.
#[test]
fn recursive_reader_passes_a_queued_writer() {
    model_bounded(3, THREE, &["waiter parks", "both wait"], || {
        let lock = Arc::new(RwLock::new(0));
        let guard = lock.write();
        let other = Arc::clone(&lock);
        let writer = thread::spawn(move || *other.write() += 1);
        let other = Arc::clone(&lock);
        let reader = thread::spawn(move || {
            if rwlock_has_waiters(&other) {
                reach("both wait");
            }
            assert_eq!(*other.read_recursive(), 0);
        });
        let still = RwLockWriteGuard::downgrade(guard);
        // Gets in and out while we are in.
        reader.join().unwrap();
        assert_eq!(*still, 0);
        drop(still);
        writer.join().unwrap();
    });
}

#[test]
#[should_panic(expected = "deadlock")]
fn deadlock_is_a_panic_although_guards_are_dropped_by_it() {
    model(&[], || {
        let lock = Arc::new(RwLock::new(0));
        let other = Arc::clone(&lock);
        let writer = thread::spawn(move || *other.write() += 1);
        let _upgradable = lock.upgradable_read();
        let _reader = lock.read();
        // Behind the writer, which waits for the other two.
        let _again = lock.read();
        writer.join().unwrap();
    });
}
