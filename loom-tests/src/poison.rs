//! `lockwork::poison`. Panics are caught in the thread that panics, because loom takes any other for a failed
//! model.

use std::panic::{self, AssertUnwindSafe};

use lockwork::poison::{Condvar, Mutex, RwLock, TryLockError};

use crate::models::support::{Arc, SOON, model, model_bounded, reach, thread};

/// Holds what `hold` returns in a panic. Not by `panic!`, which would print a message for each interleaving.
fn panic_with<T>(hold: impl FnOnce() -> T) {
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        let _held = hold();
        panic::resume_unwind(Box::new(()));
    }));
    assert!(result.is_err());
}

/// The thread that locks after the panic is told, the thread that locks before is not, and both see the value
/// whole.
#[test]
fn panic_of_a_holder_is_seen_by_the_next() {
    model(&["before", "after"], || {
        let mutex = Arc::new(Mutex::new(0));
        let other = Arc::clone(&mutex);
        let panics = thread::spawn(move || {
            panic_with(|| {
                let mut value = other.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                *value += 1;
                value
            });
        });
        match mutex.lock() {
            Ok(value) => {
                assert_eq!(*value, 0);
                reach("before");
            }
            Err(poisoned) => {
                assert_eq!(*poisoned.into_inner(), 1);
                reach("after");
            }
        }
        panics.join().unwrap();
        assert!(mutex.is_poisoned());
        mutex.clear_poison();
        assert_eq!(*mutex.lock().unwrap(), 1);
    });
}

/// A thread that panics while it has the lock, when it has counted up.
fn writer_that_panics(lock: &Arc<RwLock<i32>>) -> thread::JoinHandle<()> {
    let lock = Arc::clone(lock);
    thread::spawn(move || {
        panic_with(|| {
            let mut value = lock.write().unwrap();
            *value += 1;
            value
        });
    })
}

/// The same of a writer against a reader.
#[test]
fn panic_of_a_writer_is_seen_by_a_reader() {
    model(&["before", "after"], || {
        let lock = Arc::new(RwLock::new(0));
        let panics = writer_that_panics(&lock);
        match lock.read() {
            Ok(value) => {
                assert_eq!(*value, 0);
                reach("before");
            }
            Err(poisoned) => {
                assert_eq!(*poisoned.into_inner(), 1);
                reach("after");
            }
        }
        panics.join().unwrap();
        assert!(lock.is_poisoned());
    });
}

/// The attempts: each says that the lock is taken, or was poisoned, or is neither.
#[test]
fn attempts_beside_a_writer_that_panics() {
    model(&["read before", "read after", "read kept out", "write kept out", "write after"], || {
        let lock = Arc::new(RwLock::new(0));
        let panics = writer_that_panics(&lock);
        match lock.try_read() {
            Ok(value) => {
                assert_eq!(*value, 0);
                reach("read before");
            }
            Err(TryLockError::Poisoned(poisoned)) => {
                assert_eq!(*poisoned.into_inner(), 1);
                reach("read after");
            }
            Err(TryLockError::WouldBlock) => reach("read kept out"),
        }
        match lock.try_write() {
            Ok(value) => assert_eq!(*value, 0),
            Err(TryLockError::Poisoned(poisoned)) => {
                assert_eq!(*poisoned.into_inner(), 1);
                reach("write after");
            }
            Err(TryLockError::WouldBlock) => reach("write kept out"),
        }
        panics.join().unwrap();
        assert!(lock.is_poisoned());
    });
}

/// A timed wait by value: notified or timed out, and locked in either case.
#[test]
fn timed_wait_gives_the_guard_back() {
    model_bounded(3, "two threads and two queues", &["notified", "timed out", "held"], || {
        let shared = Arc::new((Mutex::new(0), Condvar::new()));
        let other = Arc::clone(&shared);
        let notifier = thread::spawn(move || match other.0.try_lock() {
            Ok(mut value) => {
                *value = 1;
                other.1.notify_one();
            }
            Err(TryLockError::WouldBlock) => reach("held"),
            Err(TryLockError::Poisoned(_)) => unreachable!("no thread panics"),
        });
        let value = shared.0.lock().unwrap();
        let (value, result) = shared.1.wait_timeout_while(value, SOON, |value| *value == 0).unwrap();
        if result.timed_out() {
            assert_eq!(*value, 0);
            reach("timed out");
        } else {
            assert_eq!(*value, 1);
            reach("notified");
        }
        drop(value);
        notifier.join().unwrap();
    });
}
