//! `lockwork::ReentrantMutex`. Its guards only read the payload, which two threads may do at once as far as
//! loom is concerned, so the payload is a [`Plain`] value that is written.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use lockwork::internals::reentrant_has_waiters;
use lockwork::{ArcReentrantMutexGuard, ReentrantMutex, ReentrantMutexGuard};

use crate::models::support::{Arc, Duration, Plain, SOON, model, model_bounded, reach, thread};

const THREE: &str = "three threads";
const LONG: &str = "two threads, but three critical sections and a question";

fn zero() -> Arc<ReentrantMutex<Plain>> {
    Arc::new(ReentrantMutex::new(Plain::new(0)))
}

fn add_one(value: &Plain) -> usize {
    value.set(value.get() + 1);
    value.get()
}

/// Locks twice, unlocks in the given order, and says what it made of the value.
fn nested(mutex: &ReentrantMutex<Plain>, outer_first: bool) -> usize {
    assert_eq!(mutex.hold_count(), 0);
    let outer = mutex.lock();
    assert_eq!(mutex.hold_count(), 1);
    let seen = add_one(&outer);
    let inner = mutex.lock();
    assert_eq!(mutex.hold_count(), 2);
    assert_eq!(inner.get(), seen, "no thread came between");
    let (first, second) = if outer_first { (outer, inner) } else { (inner, outer) };
    drop(first);
    assert_eq!(mutex.hold_count(), 1);
    assert_eq!(second.get(), seen, "no thread was let in by half an unlock");
    drop(second);
    assert!(!mutex.is_owned_by_current_thread());
    seen
}

/// Two threads that lock twice each: they exclude each other until both levels are unlocked, each sees what
/// the other did, and neither sleeps indefinitely.
#[test]
fn nested_lockers_exclude_each_other() {
    model(&["waiter parks", "mutex unlock left to the holder of the queue lock", "second"], || {
        let mutex = zero();
        let other = Arc::clone(&mutex);
        let locker = thread::spawn(move || {
            if nested(&other, true) == 2 {
                reach("second");
            }
        });
        nested(&mutex, false);
        locker.join().unwrap();
        assert!(!mutex.is_locked());
        let mutex = Arc::into_inner(mutex).expect("the other is gone");
        assert_eq!(mutex.into_inner().get(), 2);
    });
}

/// Three lockers: the thread that is queued gets its turn.
#[test]
fn three_nested_lockers_all_get_through() {
    model_bounded(3, THREE, &["waiter parks", "mutex lost to another after a wake-up"], || {
        let mutex = zero();
        let lockers = [(); 2].map(|()| {
            let mutex = Arc::clone(&mutex);
            thread::spawn(move || add_one(&mutex.lock()))
        });
        let outer = mutex.lock();
        add_one(&mutex.lock());
        drop(outer);
        for locker in lockers {
            locker.join().unwrap();
        }
        assert_eq!(mutex.lock().get(), 3);
    });
}

/// A thread takes itself for the owner exactly while it is, whatever older values of the owner it may read.
#[test]
fn owner_is_never_misread() {
    model(&["asked while the other had it"], || {
        let mutex = zero();
        // So that there is an old value of our own to be misread.
        drop(mutex.lock());
        let other = Arc::clone(&mutex);
        let locker = thread::spawn(move || {
            let guard = other.lock();
            assert!(other.is_owned_by_current_thread());
            add_one(&guard);
            drop(guard);
            assert_eq!(other.hold_count(), 0);
        });
        assert!(!mutex.is_owned_by_current_thread());
        if mutex.try_lock().is_none() {
            assert_eq!(mutex.hold_count(), 0);
            reach("asked while the other had it");
        }
        locker.join().unwrap();
        assert_eq!(mutex.lock().get(), 1);
    });
}

/// `try_lock` excludes and sees like `lock`, nested or not, and leaves no trace when it fails.
#[test]
fn try_lock_excludes_and_sees() {
    model(&["got it second", "did not get it"], || {
        let mutex = zero();
        let other = Arc::clone(&mutex);
        let locker = thread::spawn(move || {
            let outer = other.try_lock_for(Duration::ZERO);
            match outer {
                Some(value) => {
                    assert!(other.try_lock().is_some(), "it is ours");
                    add_one(&value);
                    true
                }
                None => false,
            }
        });
        let got_it = match mutex.try_lock() {
            Some(outer) => {
                let inner = mutex.try_lock().expect("it is ours");
                if add_one(&inner) == 2 {
                    reach("got it second");
                }
                drop(outer);
                true
            }
            None => {
                assert_eq!(mutex.hold_count(), 0);
                reach("did not get it");
                false
            }
        };
        let other_got_it = locker.join().unwrap();
        assert!(!mutex.is_locked());
        assert_eq!(mutex.lock().get(), usize::from(got_it) + usize::from(other_got_it));
    });
}

/// Time-out against the last unlock, in both orders: a timed lock succeeds or leaves nothing behind, and half
/// an unlock is none.
#[test]
fn timed_lock_succeeds_or_leaves_nothing() {
    let states = [
        "locked after a wait",
        "timed out",
        "waiter leaves at its deadline",
        "waiter is woken at its deadline",
    ];
    model(&states, || {
        let mutex = zero();
        let outer = mutex.lock();
        let inner = mutex.try_lock_for(SOON).expect("the owner never waits");
        let other = Arc::clone(&mutex);
        let timed = thread::spawn(move || match other.try_lock_for(SOON) {
            Some(value) => {
                assert_eq!(value.get(), 2, "both levels are over");
                reach("locked after a wait");
                assert!(other.try_lock_for(SOON).is_some(), "the owner never waits");
                add_one(&value);
                true
            }
            None => {
                assert_eq!(other.hold_count(), 0);
                reach("timed out");
                false
            }
        });
        add_one(&inner);
        drop(inner);
        add_one(&outer);
        drop(outer);
        let locked = timed.join().unwrap();
        assert_eq!(mutex.try_lock().expect("no thread holds it").get(), 2 + usize::from(locked));
    });
}

/// What a thread has forgotten to unlock belongs to no thread after its end, the next thread least of all.
#[test]
fn guard_of_an_ended_thread_has_no_owner() {
    model(&["timed out"], || {
        let mutex = zero();
        let other = Arc::clone(&mutex);
        thread::spawn(move || mem::forget(other.lock())).join().unwrap();
        let other = Arc::clone(&mutex);
        let next = thread::spawn(move || {
            assert!(!other.is_owned_by_current_thread());
            assert_eq!(other.hold_count(), 0);
            assert!(other.try_lock_for(SOON).is_none());
            reach("timed out");
        });
        assert!(mutex.try_lock().is_none());
        next.join().unwrap();
        assert!(mutex.is_locked());
    });
}

/// A fair unlock gives the lock to a waiter, never to the thread that comes back at once; but only the last
/// one does.
#[test]
fn fair_unlock_of_the_last_level_hands_over() {
    model_bounded(4, LONG, &["handed over", "no thread waited"], || {
        let mutex = zero();
        let outer = mutex.lock();
        let inner = mutex.lock();
        let other = Arc::clone(&mutex);
        let waiter = thread::spawn(move || add_one(&other.lock()));
        ReentrantMutexGuard::unlock_fair(inner);
        assert_eq!(outer.get(), 0, "still locked");
        let waited = reentrant_has_waiters(ReentrantMutexGuard::remutex(&outer));
        ReentrantMutexGuard::unlock_fair(outer);
        let value = mutex.lock().get();
        if waited {
            assert_eq!(value, 1, "the waiter was to be first");
            reach("handed over");
        } else {
            reach("no thread waited");
        }
        waiter.join().unwrap();
    });
}

/// `bump` lets a waiter in from a single level, and from two it does not; the levels are as before.
#[test]
fn bump_lets_a_waiter_in_from_one_level() {
    model_bounded(4, LONG, &["let in", "kept out"], || {
        let mutex = zero();
        let mut outer = mutex.lock_arc();
        let other = Arc::clone(&mutex);
        let waiter = thread::spawn(move || add_one(&other.lock()));
        let mut inner = mutex.lock();
        let waited = reentrant_has_waiters(&mutex);
        ReentrantMutexGuard::bump(&mut inner);
        assert_eq!(inner.get(), 0);
        assert_eq!(mutex.hold_count(), 2);
        drop(inner);
        if waited {
            reach("kept out");
        }
        ArcReentrantMutexGuard::bump(&mut outer);
        assert_eq!(mutex.hold_count(), 1);
        if waited {
            assert_eq!(outer.get(), 1);
            reach("let in");
        }
        drop(outer);
        waiter.join().unwrap();
    });
}

/// `unlocked` gives up one level: with one it lets others in, with two it does not.
#[test]
fn unlocked_gives_up_one_level() {
    model_bounded(4, LONG, &["let in", "waiter parks"], || {
        let mutex = zero();
        let mut outer = mutex.lock();
        let other = Arc::clone(&mutex);
        let waiter = thread::spawn(move || add_one(&other.lock()));
        let mut inner = mutex.lock();
        ReentrantMutexGuard::unlocked(&mut inner, || {
            assert_eq!(mutex.hold_count(), 1);
            assert_eq!(outer.get(), 0);
        });
        assert_eq!(inner.get(), 0);
        drop(inner);
        ReentrantMutexGuard::unlocked(&mut outer, || assert_eq!(mutex.hold_count(), 0));
        if add_one(&outer) == 2 {
            reach("let in");
        }
        assert_eq!(mutex.hold_count(), 1);
        drop(outer);
        waiter.join().unwrap();
        assert_eq!(mutex.lock().get(), 2);
    });
}

/// A panic in a nested section unlocks the levels that it unwinds, and no more.
#[test]
fn panic_unlocks_the_levels_it_unwinds() {
    model(&["waiter parks", "panicked first"], || {
        let mutex = zero();
        let other = Arc::clone(&mutex);
        let panicking = thread::spawn(move || {
            let outer = other.lock();
            let result = catch_unwind(AssertUnwindSafe(|| {
                let _inner = ReentrantMutexGuard::map(other.lock(), |value| value);
                resume_unwind(Box::new("inside"));
            }));
            assert!(result.is_err());
            assert_eq!(other.hold_count(), 1);
            add_one(&outer);
        });
        if add_one(&mutex.lock()) == 2 {
            reach("panicked first");
        }
        panicking.join().unwrap();
        assert_eq!(mutex.try_lock().expect("unlocked by the panic").get(), 2);
    });
}

/// The value may be taken back exclusively as soon as the guards are gone, parts of it included.
#[test]
fn value_is_exclusive_again_after_the_guards() {
    model(&["waiter parks"], || {
        let mutex = zero();
        let other = Arc::clone(&mutex);
        let mapped = ReentrantMutexGuard::map(mutex.lock(), |value| value);
        let locker = thread::spawn(move || {
            let guard = other.lock_arc();
            drop(other);
            add_one(&guard);
        });
        add_one(&mapped);
        drop(mapped);
        locker.join().unwrap();
        let mut mutex = Arc::into_inner(mutex).expect("guards are gone");
        assert_eq!(mutex.get_mut().get(), 2);
        assert_eq!(mutex.into_inner().get(), 2);
    });
}
