//! `lockwork::RwLock`: who keeps whom out, and what each sees of the others.

use super::{VISIBLE, biased_lock, model_with};
use crate::models::support::{Arc, model, model_bounded, reach, thread};
use lockwork::RwLock;

/// Two writers exclude each other, each sees what the other did, and neither sleeps indefinitely.
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

/// A try to write that fails never keeps a reader out, not even for a moment: beside a reader another comes
/// in at once.
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

/// A recursive reader that came and went while a writer was finding out whether the lock is drained is seen
/// by that writer, although the state looks as it did.
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
