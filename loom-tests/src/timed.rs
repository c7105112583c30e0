//! Time-outs that meet the rest: timed waiters that are woken and lose, queue again, are moved to another
//! queue, or are handed what they wait for as their time ends. Where a model says `lives`, a deadline may
//! outlive wake-ups, which it does not elsewhere.

use lockwork::{
    AutoResetEvent, Barrier, BoundedBuffer, Condvar, GetTimeoutError, Mutex, MutexGuard, ReentrantMutex,
    ReentrantMutexGuard, RwLock, RwLockWriteGuard, Semaphore,
};

use crate::models::support::{Arc, SOON, lives, model, model_bounded, reach, thread};

const THREE: &str = "three threads";
const LONG: &str = "two threads, but four critical sections";

fn outcome(locked: bool) -> bool {
    reach(if locked { "locked" } else { "timed out" });
    locked
}

/// What each model of a lock below comes to: both ends of the wait, and both ways for them to meet.
const ENDS: [&str; 4] =
    ["locked", "timed out", "waiter leaves at its deadline", "waiter is woken at its deadline"];

/// The lock is handed over as the waiter's time ends: the waiter has it, or it is free.
#[test]
fn fair_unlock_against_a_timed_lock() {
    model(&ENDS, || {
        let mutex = Arc::new(Mutex::new(0));
        let guard = mutex.lock();
        let other = Arc::clone(&mutex);
        let timed = thread::spawn(move || other.try_lock_for(SOON).map(|mut value| *value += 1).is_some());
        MutexGuard::unlock_fair(guard);
        let locked = outcome(timed.join().unwrap());
        assert_eq!(*mutex.try_lock().expect("no thread holds it"), usize::from(locked));
    });
}

#[test]
fn fair_unlock_against_a_timed_reentrant_lock() {
    model(&ENDS, || {
        let mutex = Arc::new(ReentrantMutex::new(0));
        let guard = mutex.lock();
        let other = Arc::clone(&mutex);
        let timed = thread::spawn(move || other.try_lock_for(SOON).is_some());
        ReentrantMutexGuard::unlock_fair(guard);
        outcome(timed.join().unwrap());
        assert!(mutex.try_lock().is_some(), "no thread holds it");
    });
}

/// A timed waiter that has waited for long is handed the lock by an ordinary unlock: no other thread waits
/// here.
#[test]
fn impatient_timed_lock_is_handed_over() {
    model(&["mutex handed over", "locked", "timed out"], || {
        let mutex = Arc::new(Mutex::new(0));
        let guard = mutex.lock();
        let other = Arc::clone(&mutex);
        let timed = thread::spawn(move || other.try_lock_for(SOON).map(|mut value| *value += 1).is_some());
        drop(guard);
        let locked = outcome(timed.join().unwrap());
        assert_eq!(*mutex.try_lock().expect("no thread holds it"), usize::from(locked));
    });
}

#[test]
fn impatient_timed_write_is_handed_over() {
    model(&["rwlock granted", "locked", "timed out"], || {
        let lock = Arc::new(RwLock::new(0));
        let guard = lock.write();
        let other = Arc::clone(&lock);
        let timed = thread::spawn(move || other.try_write_for(SOON).map(|mut value| *value += 1).is_some());
        drop(guard);
        let locked = outcome(timed.join().unwrap());
        assert_eq!(*lock.try_write().expect("no thread holds it"), usize::from(locked));
    });
}

/// A timed waiter that is woken, loses and queues again, wants a hand-off by then. It gets one, or times out.
#[test]
fn timed_lock_that_lost_queues_again() {
    let states = ["mutex lost to another after a wake-up", "mutex handed over", "locked", "timed out"];
    model_bounded(4, LONG, &states, || {
        lives(2);
        let mutex = Arc::new(Mutex::new(0));
        let guard = mutex.lock();
        let other = Arc::clone(&mutex);
        let timed = thread::spawn(move || other.try_lock_for(SOON).map(|mut value| *value += 1).is_some());
        drop(guard);
        for _ in 0..2 {
            *mutex.lock() += 1;
        }
        let locked = outcome(timed.join().unwrap());
        assert_eq!(*mutex.try_lock().expect("no thread holds it"), 2 + usize::from(locked));
    });
}

/// The same beside a waiter without a deadline: whatever becomes of the timed one, the other is woken.
#[test]
fn timed_lock_that_lost_strands_no_other() {
    let states = ["mutex lost to another after a wake-up", "locked", "timed out"];
    model_bounded(3, THREE, &states, || {
        lives(2);
        let mutex = Arc::new(Mutex::new(0));
        let guard = mutex.lock();
        let other = Arc::clone(&mutex);
        let timed = thread::spawn(move || other.try_lock_for(SOON).map(|mut value| *value += 1).is_some());
        let other = Arc::clone(&mutex);
        let patient = thread::spawn(move || *other.lock() += 1);
        drop(guard);
        *mutex.lock() += 1;
        let locked = outcome(timed.join().unwrap());
        patient.join().unwrap();
        assert_eq!(*mutex.try_lock().expect("no thread holds it"), 2 + usize::from(locked));
    });
}

#[test]
fn fair_unlock_against_a_timed_write() {
    model(&ENDS, || {
        let lock = Arc::new(RwLock::new(0));
        let guard = lock.write();
        let other = Arc::clone(&lock);
        let timed = thread::spawn(move || other.try_write_for(SOON).map(|mut value| *value += 1).is_some());
        RwLockWriteGuard::unlock_fair(guard);
        let locked = outcome(timed.join().unwrap());
        assert_eq!(*lock.try_write().expect("no thread holds it"), usize::from(locked));
    });
}

#[test]
fn fair_unlock_against_a_timed_read() {
    model(&ENDS, || {
        let lock = Arc::new(RwLock::new(0));
        let guard = lock.write();
        let other = Arc::clone(&lock);
        let timed = thread::spawn(move || other.try_read_for(SOON).is_some());
        RwLockWriteGuard::unlock_fair(guard);
        outcome(timed.join().unwrap());
        assert!(lock.try_write().is_some(), "no thread holds it");
    });
}

#[test]
fn fair_unlock_against_a_timed_upgradable_read() {
    model(&ENDS, || {
        let lock = Arc::new(RwLock::new(0));
        let guard = lock.write();
        let other = Arc::clone(&lock);
        let timed = thread::spawn(move || other.try_upgradable_read_for(SOON).is_some());
        RwLockWriteGuard::unlock_fair(guard);
        outcome(timed.join().unwrap());
        assert!(lock.try_write().is_some(), "no thread holds it");
    });
}

/// An ordinary unlock against a timed write that may be woken and lose.
#[test]
fn timed_write_that_lost_queues_again() {
    let states = ["rwlock lost to another after a wake-up", "locked", "timed out"];
    model_bounded(3, LONG, &states, || {
        lives(2);
        let lock = Arc::new(RwLock::new(0));
        let guard = lock.write();
        let other = Arc::clone(&lock);
        let timed = thread::spawn(move || other.try_write_for(SOON).map(|mut value| *value += 1).is_some());
        drop(guard);
        for _ in 0..2 {
            *lock.write() += 1;
        }
        let locked = outcome(timed.join().unwrap());
        assert_eq!(*lock.try_write().expect("no thread holds it"), 2 + usize::from(locked));
    });
}

/// Permits that come in two parts, the second as the time ends: the waiter has both or both are free.
#[test]
fn timed_acquire_against_permits_in_two_parts() {
    model_bounded(4, "two threads, but two releases", &ENDS, || {
        lives(2);
        let semaphore = Arc::new(Semaphore::new(0));
        let other = Arc::clone(&semaphore);
        let timed = thread::spawn(move || {
            let permits = other.try_acquire_many_for(2, SOON);
            permits.map(lockwork::SemaphorePermit::forget).is_some()
        });
        semaphore.add_permits(1);
        semaphore.add_permits(1);
        let locked = outcome(timed.join().unwrap());
        assert_eq!(semaphore.available_permits(), if locked { 0 } else { 2 });
    });
}

/// A notification in vain, then one that is not, then the end of the time, in any order: what the wait says
/// is what the condition is under the lock.
#[test]
fn timed_wait_while_that_was_woken_in_vain_waits_again() {
    model_bounded(3, LONG, &["met", "timed out", "woken in vain"], || {
        lives(2);
        let shared = Arc::new((Mutex::new(0), Condvar::new()));
        let other = Arc::clone(&shared);
        let timed = thread::spawn(move || {
            let mut value = other.0.lock();
            let mut looks = 0;
            let result = other.1.wait_while_for(
                &mut value,
                |value| {
                    looks += 1;
                    *value < 2
                },
                SOON,
            );
            if looks > 2 {
                reach("woken in vain");
            }
            assert_eq!(result.timed_out(), *value < 2);
            reach(if result.timed_out() { "timed out" } else { "met" });
        });
        for _ in 0..2 {
            *shared.0.lock() += 1;
            shared.1.notify_one();
        }
        timed.join().unwrap();
        assert_eq!(*shared.0.try_lock().expect("no thread holds it"), 2);
    });
}

/// A timed waiter that was notified while the mutex was held is in the mutex's queue as its time ends: it is
/// not timed out, and comes back with the lock.
#[test]
fn timed_wait_that_was_moved_to_the_mutex_has_been_notified() {
    let states = ["notified", "timed out", "waiter is woken at its deadline"];
    model_bounded(4, LONG, &states, || {
        let shared = Arc::new((Mutex::new(0), Condvar::new()));
        let other = Arc::clone(&shared);
        let timed = thread::spawn(move || {
            let mut value = other.0.lock();
            let notified = !other.1.wait_for(&mut value, SOON).timed_out();
            *value += 1;
            notified
        });
        let mut value = shared.0.lock();
        *value += 1;
        let told = shared.1.notify_one();
        MutexGuard::unlock_fair(value);
        let notified = timed.join().unwrap();
        assert_eq!(told, notified);
        reach(if notified { "notified" } else { "timed out" });
        assert_eq!(*shared.0.try_lock().expect("no thread holds it"), 2);
    });
}

/// One signal and two waiters, of whom one is timed: the signal goes to one of them, or stays.
#[test]
fn signal_against_a_timed_wait_is_not_lost() {
    model_bounded(3, THREE, &["to the timed", "to the patient"], || {
        lives(2);
        let event = Arc::new(AutoResetEvent::new());
        let other = Arc::clone(&event);
        let timed = thread::spawn(move || other.wait_for(SOON));
        let other = Arc::clone(&event);
        let patient = thread::spawn(move || other.wait());
        event.set();
        if timed.join().unwrap() {
            reach("to the timed");
            event.set();
        } else {
            reach("to the patient");
        }
        patient.join().unwrap();
        assert!(!event.is_set());
    });
}

/// A deadline that outlives the wake-up by which a thread is let into a round: it goes on with the same
/// deadline.
#[test]
fn timed_entry_to_a_barrier_outlives_the_wake_up() {
    model_bounded(
        4,
        "two waits of one call",
        &["entered", "gave up", "barrier thread waits to enter"],
        || {
            lives(2);
            let barrier = Arc::new(Barrier::with_action(1, || ()));
            let other = Arc::clone(&barrier);
            let timed = thread::spawn(move || other.wait_for(SOON).is_ok());
            assert!(barrier.wait_result().is_ok());
            reach(if timed.join().unwrap() { "entered" } else { "gave up" });
            assert!(!barrier.is_broken());
            assert_eq!(barrier.waiting(), 0);
        },
    );
}

/// One item for a timed getter and one that barges: the timed one may be woken in vain, waits again, and
/// times out, or gets the second.
#[test]
fn timed_get_that_was_woken_in_vain_waits_again() {
    model_bounded(3, LONG, &["first", "second", "timed out", "sleeper woken in vain"], || {
        lives(2);
        let buffer = Arc::new(BoundedBuffer::new(1));
        let other = Arc::clone(&buffer);
        let timed = thread::spawn(move || other.get_for(SOON));
        buffer.put(1).unwrap();
        let passing = buffer.try_get().ok();
        buffer.put(2).unwrap();
        let timed = timed.join().unwrap();
        let rest = buffer.try_get().ok();
        let got = timed.as_ref().ok().copied();
        let mut all: Vec<_> = [passing, got, rest].into_iter().flatten().collect();
        all.sort_unstable();
        assert_eq!(all, [1, 2], "no item is lost, and none is there twice");
        reach(match timed {
            Ok(1) => "first",
            Ok(_) => "second",
            Err(error) => {
                assert_eq!(error, GetTimeoutError::Timeout);
                "timed out"
            }
        });
    });
}

/// A place for a timed putter that another putter takes: the timed one waits again, or gives its item back.
#[test]
fn timed_put_that_was_woken_in_vain_waits_again() {
    model_bounded(3, LONG, &["put", "timed out", "sleeper woken in vain"], || {
        lives(2);
        let buffer = Arc::new(BoundedBuffer::new(1));
        buffer.put(1).unwrap();
        let other = Arc::clone(&buffer);
        let timed = thread::spawn(move || other.put_for(3, SOON).is_ok());
        let mut out = vec![buffer.get().unwrap()];
        let passed = buffer.try_put(2).is_ok();
        out.extend(buffer.try_get());
        let put = timed.join().unwrap();
        out.extend(buffer.try_get());
        out.sort_unstable();
        let mut all = vec![1];
        all.extend(passed.then_some(2));
        all.extend(put.then_some(3));
        assert_eq!(out, all);
        reach(if put { "put" } else { "timed out" });
    });
}

/// The crate's own assertions are on in this build: what a model breaks inside, it reports.
#[test]
fn assertions_are_on() {
    assert!(lockwork::internals::asserts(), "`cargo loom` builds lockwork with `profile.model`");
}
