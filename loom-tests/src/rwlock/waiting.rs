//! `lockwork::RwLock`: waits for the lock: time-outs, the queue, who goes in with whom.

use super::{THREE, biased_lock, model_with};
use crate::models::support::{Arc, SOON, model, model_bounded, reach, thread};
use lockwork::internals::rwlock_has_waiters;
use lockwork::{RwLock, RwLockWriteGuard};

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

/// A writer that gives up lets those in that it held back, although the reader it waited for stays.
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

/// A writer in the queue that gives up there lets those in that queued behind it.
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

/// A read within a read comes in although a writer waits, which comes in when both have left.
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

/// A reader that was granted the lock by a fair unlock lets the next in as well: it waits inside for that
/// one.
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
fn woken_waiter_that_gives_up_strands_no_waiter() {
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
        let passed = lock.try_write().map(|mut value| *value += 1).is_some();
        timed.join().unwrap();
        patient.join().unwrap();
        assert_eq!(*lock.try_read().expect("no writer is left"), 1 + u32::from(passed));
    });
}

/// A recursive reader that waits for a writer comes in as soon as that one steps down, past the next writer
/// in the queue.
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
