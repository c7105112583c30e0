//! Locking, trying and unlocking a `Mutex`, where that is more than what every lock promises.

use std::thread;

use lockwork::Mutex;

use crate::support::{repeat, shown, watchdog};

// CPython: test_acquire_release, test_reacquire.
#[test]
fn lock_again_and_again() {
    let mutex = shown(Mutex::new(0));
    for i in repeat(1000) {
        *mutex.lock() += 1;
        *mutex.lock_arc() += 1;
        assert_eq!(*mutex.try_lock().unwrap(), 2 * (i + 1));
    }
}

// CPython: test_acquire_destroy.
#[test]
fn mutex_goes_right_after_its_guard() {
    let mutex = Mutex::new(Box::new(1));
    drop(mutex.lock());
    drop(mutex);

    let mutex = shown(Mutex::new(Box::new(1)));
    let guard = mutex.lock_arc();
    drop(mutex);
    assert_eq!(**guard, 1);
    drop(guard);
}

// CPython: test_try_acquire, test_try_acquire_contended.
#[test]
fn try_lock_tells_whether_the_lock_is_held() {
    let mutex = shown(Mutex::new(0));
    let guard = mutex.try_lock().expect("it is free");
    assert!(mutex.try_lock().is_none(), "not even for its holder");
    assert!(mutex.try_lock_arc().is_none());
    thread::scope(|s| {
        s.spawn(|| assert!(mutex.try_lock().is_none() && mutex.try_lock_arc().is_none()));
    });
    drop(guard);

    let guard = mutex.try_lock_arc().expect("it is free");
    assert!(mutex.try_lock().is_none());
    assert!(mutex.try_lock_arc().is_none());
    drop(guard);
    assert!(mutex.try_lock().is_some());
}

// CPython: test_different_thread.
#[test]
fn arc_guard_unlocks_on_another_thread() {
    watchdog(|| {
        let mutex = shown(Mutex::new(1));
        let mut guard = mutex.lock_arc();
        let other = thread::spawn(move || *guard += 1);
        assert_eq!(*mutex.lock(), 2);
        other.join().unwrap();
    });
}
