//! `lockwork::Mutex`, and the raw lock where only it can get somewhere.

use lockwork::internals::Lock;
use lockwork::{Mutex, MutexGuard};

use crate::models::support::{Arc, SOON, model, model_bounded, reach, thread};

const THREE: &str = "three threads";
const LONG: &str = "two threads, but three critical sections and a question";

/// Two lockers: they exclude each other, each sees what the other did, and neither sleeps indefinitely.
#[test]
fn two_lockers_exclude_each_other() {
    let states = ["waiter parks", "mutex unlock left to the holder of the queue lock", "second"];
    model(&states, || {
        let mutex = Arc::new(Mutex::new(0));
        let other = Arc::clone(&mutex);
        let locker = thread::spawn(move || {
            let mut value = other.lock();
            *value += 1;
            if *value == 2 {
                reach("second");
            }
        });
        *mutex.lock() += 1;
        locker.join().unwrap();
        assert_eq!(*mutex.lock(), 2);
        assert!(!mutex.is_locked());
    });
}

/// One locks three times, so that a thread it has woken may find the lock taken again; or is given the lock,
/// if it has waited for long.
#[test]
fn woken_waiter_that_lost_is_handed_the_lock() {
    let why = "two threads, but four critical sections";
    let states = ["mutex lost to another after a wake-up", "mutex handed over", "waiter parks"];
    model_bounded(4, why, &states, || {
        let mutex = Arc::new(Mutex::new(0));
        let other = Arc::clone(&mutex);
        let locker = thread::spawn(move || *other.lock() += 1);
        for _ in 0..3 {
            *mutex.lock() += 1;
        }
        locker.join().unwrap();
        assert_eq!(*mutex.lock(), 4);
    });
}

/// `try_lock` excludes and sees like `lock`, and leaves no trace when it fails.
#[test]
fn try_lock_excludes_and_sees() {
    model(&["got it second", "did not get it"], || {
        let mutex = Arc::new(Mutex::new(0));
        let other = Arc::clone(&mutex);
        let locker = thread::spawn(move || *other.lock() += 1);
        match mutex.try_lock() {
            Some(mut value) => {
                *value += 1;
                if *value == 2 {
                    reach("got it second");
                }
            }
            None => reach("did not get it"),
        }
        locker.join().unwrap();
        assert!(!mutex.is_locked());
    });
}

/// Time-out against unlock, in both orders: a timed lock succeeds or leaves nothing behind.
#[test]
fn timed_lock_succeeds_or_leaves_nothing() {
    let states = [
        "locked after a wait",
        "timed out",
        "waiter leaves at its deadline",
        "waiter is woken at its deadline",
    ];
    model(&states, || {
        let mutex = Arc::new(Mutex::new(0));
        let guard = mutex.lock();
        let other = Arc::clone(&mutex);
        let timed = thread::spawn(move || match other.try_lock_for(SOON) {
            Some(mut value) => {
                if *value == 1 {
                    reach("locked after a wait");
                }
                *value += 1;
                true
            }
            None => {
                reach("timed out");
                false
            }
        });
        let mut guard = guard;
        *guard += 1;
        drop(guard);
        let locked = timed.join().unwrap();
        assert_eq!(*mutex.try_lock().expect("no thread holds it"), 1 + usize::from(locked));
    });
}

/// A mutex that no thread holds is not refused, whatever its queue is about just then.
#[test]
fn free_mutex_is_not_refused() {
    model(&["this one", "the other", "mutex unlock left to the holder of the queue lock"], || {
        let mutex = Arc::new(Mutex::new(0));
        let guard = mutex.lock();
        let other = Arc::clone(&mutex);
        // The thread that gets it keeps it.
        let timed = thread::spawn(move || other.try_lock_for(SOON).map(MutexGuard::leak).is_some());
        drop(guard);
        let this = mutex.try_lock().map(MutexGuard::leak).is_some();
        let that = timed.join().unwrap();
        assert!(this ^ that, "it was free for one of them");
        reach(if that { "the other" } else { "this one" });
    });
}

/// A waiter whose time is up when it has been woken, but finds the lock taken, passes its wake-up on: the one
/// behind it is woken by the thread that was faster.
#[test]
fn woken_waiter_that_gives_up_strands_no_waiter() {
    let states = ["mutex given up by a woken waiter", "waiter leaves at its deadline", "timed out"];
    model_bounded(3, THREE, &states, || {
        let mutex = Arc::new(Mutex::new(0));
        let guard = mutex.lock();
        let other = Arc::clone(&mutex);
        let timed = thread::spawn(move || match other.try_lock_for(SOON) {
            Some(mut value) => *value += 1,
            None => reach("timed out"),
        });
        let other = Arc::clone(&mutex);
        let patient = thread::spawn(move || *other.lock() += 1);
        drop(guard);
        *mutex.lock() += 1;
        timed.join().unwrap();
        patient.join().unwrap();
        assert!((2..=3).contains(&*mutex.try_lock().expect("no thread holds it")));
    });
}

/// Three lockers: the thread that is queued gets its turn.
#[test]
fn three_lockers_all_get_through() {
    let states = [
        "waiter parks",
        "mutex unlock left to the holder of the queue lock",
        "mutex lost to another after a wake-up",
    ];
    model_bounded(3, THREE, &states, || {
        let mutex = Arc::new(Mutex::new(0));
        let lockers = [(); 2].map(|()| {
            let mutex = Arc::clone(&mutex);
            thread::spawn(move || *mutex.lock() += 1)
        });
        *mutex.lock() += 1;
        for locker in lockers {
            locker.join().unwrap();
        }
        assert_eq!(*mutex.lock(), 3);
    });
}

/// An unlock that leaves the waking to the holder of the queue lock: a starving waiter is handed the lock by
/// that thread, and sees what the unlocker did though the two never met.
#[test]
fn hand_off_by_the_queue_locks_holder_carries_the_unlockers_writes() {
    let states = ["mutex handed over by the holder of the queue lock"];
    model_bounded(3, THREE, &states, || {
        let lock = Arc::new(Lock::new());
        let held = lock.lock();
        let other = Arc::clone(&lock);
        let first = thread::spawn(move || drop(other.lock()));
        let other = Arc::clone(&lock);
        let queueing = thread::spawn(move || drop(other.lock()));
        drop(held);
        first.join().unwrap();
        queueing.join().unwrap();
    });
}

/// A thread that queues was about to take the lock, which has become free, when the other locked it again: it
/// stays queued, and gets the lock from that thread.
#[test]
fn waiter_whose_lock_was_taken_before_its_wake_up_stays_queued() {
    let states =
        ["mutex taken before the holder of the queue lock could wake a waiter for it", "waiter parks"];
    model_bounded(5, LONG, &states, || {
        let lock = Arc::new(Lock::new());
        let held = lock.lock();
        let other = Arc::clone(&lock);
        let queueing = thread::spawn(move || drop(other.lock()));
        drop(held);
        drop(lock.lock());
        queueing.join().unwrap();
    });
}

/// `unlock_fair` gives the lock to a waiter, never to the thread that comes back at once.
#[test]
fn fair_unlock_hands_over() {
    model_bounded(4, LONG, &["handed over", "no thread waited"], || {
        let mutex = Arc::new(Mutex::new(0));
        let guard = mutex.lock();
        let other = Arc::clone(&mutex);
        let waiter = thread::spawn(move || *other.lock() += 1);
        let waited = lockwork::internals::mutex_has_waiters(MutexGuard::mutex(&guard));
        MutexGuard::unlock_fair(guard);
        let value = *mutex.lock();
        if waited {
            assert_eq!(value, 1, "the waiter was to be first");
            reach("handed over");
        } else {
            reach("no thread waited");
        }
        waiter.join().unwrap();
    });
}

/// A fair unlock that finds the queue locked leaves its work to the thread that has it, be it one that queues
/// or one that leaves: the lock is handed over or free, and the next holder sees what the unlocker did.
#[test]
fn fair_unlock_is_left_to_the_queue_locks_holder() {
    let states = [
        "mutex unlocked fairly by the holder of the queue lock",
        "work left to the holder of the queue lock",
        "waiter leaves at its deadline",
        "locked",
        "timed out",
    ];
    model(&states, || {
        let mutex = Arc::new(Mutex::new(0));
        let guard = mutex.lock();
        let other = Arc::clone(&mutex);
        let timed = thread::spawn(move || other.try_lock_for(SOON).map(|mut value| *value += 1).is_some());
        MutexGuard::unlock_fair(guard);
        let locked = timed.join().unwrap();
        reach(if locked { "locked" } else { "timed out" });
        assert_eq!(*mutex.try_lock().expect("no thread holds it"), usize::from(locked));
    });
}

/// The lock is handed to the first waiter although a designated waker is on its way, which then waits for its
/// turn.
#[test]
fn waiter_behind_one_that_does_not_come_is_served() {
    let states = ["mutex handed over past a designated waker", "mutex lost to another after a wake-up"];
    model_bounded(3, THREE, &states, || {
        lockwork::internals::set_turns(true);
        let mutex = Arc::new(Mutex::new(0));
        let guard = mutex.lock();
        let lockers = [(); 2].map(|()| {
            let mutex = Arc::clone(&mutex);
            thread::spawn(move || *mutex.lock() += 1)
        });
        drop(guard);
        *mutex.lock() += 1;
        for locker in lockers {
            locker.join().unwrap();
        }
        assert_eq!(*mutex.try_lock().expect("no thread holds it"), 3);
    });
}

/// `bump` lets a waiter in, in the middle of a critical section.
#[test]
fn bump_lets_a_waiter_in() {
    model_bounded(4, LONG, &["let in"], || {
        let mutex = Arc::new(Mutex::new(0));
        let mut guard = mutex.lock();
        let other = Arc::clone(&mutex);
        let waiter = thread::spawn(move || *other.lock() += 1);
        let waited = lockwork::internals::mutex_has_waiters(MutexGuard::mutex(&guard));
        MutexGuard::bump(&mut guard);
        if waited {
            assert_eq!(*guard, 1);
            reach("let in");
        }
        drop(guard);
        waiter.join().unwrap();
    });
}

/// A panic in a critical section unlocks.
#[test]
fn panic_while_held_unlocks() {
    model(&["panicked first", "waiter parks"], || {
        let mutex = Arc::new(Mutex::new(0));
        let other = Arc::clone(&mutex);
        let panicking = thread::spawn(move || {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let _guard = other.lock();
                std::panic::resume_unwind(Box::new("inside"));
            }));
            assert!(result.is_err());
        });
        *mutex.lock() += 1;
        if panicking.join().is_ok() {
            reach("panicked first");
        }
        assert_eq!(*mutex.try_lock().expect("unlocked by the panic"), 1);
    });
}

/// Guards that belong to an `Arc` unlock like any other.
#[test]
fn arc_guard_locks_and_unlocks() {
    model(&["waiter parks"], || {
        let mutex = Arc::new(Mutex::new(0));
        let guard = mutex.lock_arc();
        let other = Arc::clone(&mutex);
        let waiter = thread::spawn(move || *other.lock_arc() += 1);
        drop(guard);
        waiter.join().unwrap();
        assert_eq!(*mutex.lock(), 1);
    });
}

/// The guards of the thread in which loom finds the deadlock are dropped by its panic, which must get out of
/// the model.
#[test]
#[should_panic(expected = "deadlock")]
fn deadlock_is_a_panic_although_guards_are_dropped_by_it() {
    model(&[], || {
        let locks = Arc::new((Mutex::new(0), Mutex::new(0)));
        let others = Arc::clone(&locks);
        let other = thread::spawn(move || {
            let _first = others.0.lock();
            let _second = others.1.lock();
        });
        let _second = locks.1.lock();
        let _first = locks.0.lock();
        other.join().unwrap();
    });
}

/// An unlock hands the lock to a waiter that has been the first for long.
#[test]
fn unlock_hands_over_to_a_starving_waiter() {
    model(&["mutex handed over"], || {
        let lock = Arc::new(Lock::new());
        let held = lock.lock();
        let other = Arc::clone(&lock);
        let waiter = thread::spawn(move || drop(other.lock()));
        drop(held);
        waiter.join().unwrap();
    });
}
