//! Mutexes, the condition variable, the semaphore, events, the latch, and waiting for the first of several.

use super::program;

use lockwork::{
    AutoResetEvent, Condvar, Event, First2, Latch, Mutex, MutexGuard, ReentrantMutex, Semaphore, wait_any_for,
};
use std::sync::Arc;
use std::time::Duration;

use loom::thread;

const SOON: Duration = Duration::from_secs(1);

#[test]
fn mutex_tried() {
    program(&["busy", "first", "second"], || {
        let mutex = Arc::new(Mutex::new(0));
        let other = Arc::clone(&mutex);
        let locker = thread::spawn(move || *other.lock() += 1);
        let outcome = match mutex.try_lock() {
            None => "busy",
            Some(value) if *value == 0 => "first",
            Some(_) => "second",
        };
        locker.join().unwrap();
        outcome.to_owned()
    });
}

#[test]
fn mutex_tried_by_two_with_deadlines() {
    let allowed = ["0 1", "1 0", "1 2", "2 1"];
    program(&allowed, || {
        let mutex = Arc::new(Mutex::new(0));
        let take = |mutex: &Mutex<i32>| {
            mutex.try_lock_for(SOON).map_or(0, |mut value| {
                *value += 1;
                *value
            })
        };
        let other = Arc::clone(&mutex);
        let timed = thread::spawn(move || take(&other));
        let this = take(&mutex);
        let that = timed.join().unwrap();
        assert!(mutex.try_lock().is_some());
        format!("{this} {that}")
    });
}

#[test]
fn mutex_unlocked_fairly() {
    program(&["before", "after", "busy"], || {
        let mutex = Arc::new(Mutex::new(0));
        let guard = mutex.lock();
        let other = Arc::clone(&mutex);
        let waiter = thread::spawn(move || *other.lock() += 1);
        MutexGuard::unlock_fair(guard);
        let outcome = match mutex.try_lock() {
            None => "busy",
            Some(value) if *value == 0 => "before",
            Some(_) => "after",
        };
        waiter.join().unwrap();
        outcome.to_owned()
    });
}

/// A thread that leaves at its deadline holds the queue's lock; a fair unlock beside it is left to it, and
/// the mutex counts as locked until then.
#[test]
fn mutex_unlocked_fairly_beside_one_that_leaves() {
    program(&["false false", "false true", "true false", "true true"], || {
        let mutex = Arc::new(Mutex::new(0));
        let guard = mutex.lock();
        let other = Arc::clone(&mutex);
        let timed = thread::spawn(move || other.try_lock_for(SOON).is_some());
        MutexGuard::unlock_fair(guard);
        let this = mutex.try_lock().is_some();
        let that = timed.join().unwrap();
        assert!(mutex.try_lock().is_some());
        format!("{this} {that}")
    });
}

#[test]
fn mutex_bumped() {
    program(&["0", "1"], || {
        let mutex = Arc::new(Mutex::new(0));
        let mut guard = mutex.lock();
        let other = Arc::clone(&mutex);
        let waiter = thread::spawn(move || *other.lock() += 1);
        MutexGuard::bump(&mut guard);
        let outcome = guard.to_string();
        drop(guard);
        waiter.join().unwrap();
        outcome
    });
}

#[test]
fn reentrant_mutex_tried_with_a_deadline() {
    program(&["locked", "timed out"], || {
        let mutex = Arc::new(ReentrantMutex::new(()));
        let outer = mutex.lock();
        let other = Arc::clone(&mutex);
        let timed = thread::spawn(move || other.try_lock_for(SOON).is_some());
        drop(mutex.lock());
        drop(outer);
        if timed.join().unwrap() { "locked" } else { "timed out" }.to_owned()
    });
}

#[test]
fn condvar_with_a_deadline() {
    program(&["false false", "true true"], || {
        let shared = Arc::new((Mutex::new(()), Condvar::new()));
        let other = Arc::clone(&shared);
        let timed = thread::spawn(move || {
            let mut guard = other.0.lock();
            !other.1.wait_for(&mut guard, SOON).timed_out()
        });
        let told = shared.1.notify_one();
        format!("{told} {}", timed.join().unwrap())
    });
}

#[test]
fn condvar_with_a_condition_and_a_deadline() {
    program(&["met", "timed out"], || {
        let shared = Arc::new((Mutex::new(false), Condvar::new()));
        let other = Arc::clone(&shared);
        let timed = thread::spawn(move || {
            let mut set = other.0.lock();
            other.1.wait_while_for(&mut set, |set| !*set, SOON).timed_out()
        });
        *shared.0.lock() = true;
        shared.1.notify_one();
        if timed.join().unwrap() { "timed out" } else { "met" }.to_owned()
    });
}

#[test]
fn semaphore_tried() {
    program(&["false", "true"], || {
        let semaphore = Arc::new(Semaphore::new(0));
        let other = Arc::clone(&semaphore);
        let adder = thread::spawn(move || other.add_permits(1));
        let taken = semaphore.try_acquire().is_some();
        adder.join().unwrap();
        taken.to_string()
    });
}

/// Two permits for one that waits for one, and one that barges: it may find the other waiting still.
#[test]
fn semaphore_tried_beside_one_that_waits() {
    program(&["false", "true"], || {
        let semaphore = Arc::new(Semaphore::new(0));
        let other = Arc::clone(&semaphore);
        let waiter = thread::spawn(move || other.acquire().forget());
        semaphore.add_permits(2);
        let taken = semaphore.try_acquire().map(lockwork::SemaphorePermit::forget).is_some();
        waiter.join().unwrap();
        assert_eq!(semaphore.available_permits(), usize::from(!taken));
        taken.to_string()
    });
}

/// What one of the two may add is promised to the first before it is there for any.
#[test]
fn semaphore_with_a_bound_added_to_by_two() {
    program(&["false true true", "true false false", "true false true"], || {
        let semaphore = Arc::new(Semaphore::bounded(1));
        semaphore.acquire().forget();
        let other = Arc::clone(&semaphore);
        let adder = thread::spawn(move || other.try_add_permits(1).is_ok());
        let this = semaphore.try_add_permits(1).is_ok();
        let taken = semaphore.try_acquire().map(std::mem::forget).is_some();
        format!("{} {this} {taken}", adder.join().unwrap())
    });
}

/// What is taken away is gone before another may be made.
#[test]
fn semaphore_with_a_bound_forgotten() {
    program(&["0 true true", "1 false false", "1 false true", "1 true true"], || {
        let semaphore = Arc::new(Semaphore::bounded(1));
        let other = Arc::clone(&semaphore);
        let forgetter = thread::spawn(move || other.forget_permits(1));
        let taken = semaphore.try_acquire().map(lockwork::SemaphorePermit::forget).is_some();
        let added = semaphore.try_add_permits(1).is_ok();
        format!("{} {taken} {added}", forgetter.join().unwrap())
    });
}

/// Two permits for one that wants both and one that barges.
#[test]
fn semaphore_with_a_deadline() {
    let allowed = ["both false 0", "none false 2", "none true 1"];
    program(&allowed, || {
        let semaphore = Arc::new(Semaphore::new(1));
        let other = Arc::clone(&semaphore);
        let timed = thread::spawn(move || {
            let permits = other.try_acquire_many_for(2, SOON);
            permits.map(lockwork::SemaphorePermit::forget).is_some()
        });
        semaphore.add_permits(1);
        let one = semaphore.try_acquire().map(lockwork::SemaphorePermit::forget).is_some();
        let both = timed.join().unwrap();
        let left = semaphore.available_permits();
        format!("{} {one} {left}", if both { "both" } else { "none" })
    });
}

#[test]
fn semaphore_forgotten() {
    program(&["false 1", "true 0"], || {
        let semaphore = Arc::new(Semaphore::new(1));
        let other = Arc::clone(&semaphore);
        let taker =
            thread::spawn(move || other.try_acquire().map(lockwork::SemaphorePermit::forget).is_some());
        let forgotten = semaphore.forget_permits(1);
        format!("{} {forgotten}", taker.join().unwrap())
    });
}

/// A selecting thread takes one of two, or its time is up; what it does not take is kept.
#[test]
fn first_of_a_signal_and_a_permit() {
    let allowed = ["permit: true 0", "signal: false 1", "time: true 1"];
    program(&allowed, || {
        let shared = Arc::new((AutoResetEvent::new(), Semaphore::new(0)));
        let other = Arc::clone(&shared);
        let waker = thread::spawn(move || {
            other.1.add_permits(1);
            other.0.set();
        });
        let first = match wait_any_for((&shared.0, shared.1.acquiring()), SOON) {
            Some(First2::First(())) => "signal",
            Some(First2::Second(permit)) => {
                permit.forget();
                "permit"
            }
            None => "time",
        };
        waker.join().unwrap();
        format!("{first}: {} {}", shared.0.is_set(), shared.1.available_permits())
    });
}

#[test]
fn event_pulsed() {
    program(&["false", "true"], || {
        let event = Arc::new(Event::new());
        let other = Arc::clone(&event);
        let timed = thread::spawn(move || other.wait_for(SOON));
        event.set();
        event.clear();
        timed.join().unwrap().to_string()
    });
}

#[test]
fn auto_reset_event_tried_by_two() {
    program(&["false true false", "true false false"], || {
        let event = Arc::new(AutoResetEvent::new());
        let other = Arc::clone(&event);
        let timed = thread::spawn(move || other.wait_for(SOON));
        event.set();
        let this = event.try_wait();
        let that = timed.join().unwrap();
        format!("{this} {that} {}", event.is_set())
    });
}

#[test]
fn latch_with_a_deadline() {
    program(&["false", "true"], || {
        let latch = Arc::new(Latch::new(1));
        let other = Arc::clone(&latch);
        let timed = thread::spawn(move || other.wait_for(SOON));
        latch.count_down();
        timed.join().unwrap().to_string()
    });
}
