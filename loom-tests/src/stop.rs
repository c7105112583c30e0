//! `lockwork::StopSource`, its tokens and its guards.

use lockwork::{Condvar, Mutex, StopSource, StopToken};

use crate::models::support::{Arc, Plain, SOON, model, model_bounded, reach, thread};

const LOCKS: &str = "two threads, but several turns of the registry's lock";
const THREE: &str = "three threads";

/// A callback that writes what only an edge to its end lets others read.
fn writes(work: &Arc<Plain>) -> impl FnOnce() + Send + 'static {
    let work = Arc::clone(work);
    move || work.set(work.get() + 1)
}

/// Registration against the stop: the callback runs once, here or there, and sees what came before the stop.
#[test]
fn registration_against_stop_runs_the_callback_once() {
    model_bounded(4, LOCKS, &["at once", "by the stop"], || {
        let (source, work) = (StopSource::new(), Arc::new((Plain::new(0), Plain::new(0))));
        let (token, other) = (source.token(), Arc::clone(&work));
        let registrar = thread::spawn(move || {
            let (this, seen) = (thread::current().id(), Arc::clone(&other));
            let guard = token.on_stop(move || {
                assert_eq!(seen.0.get(), 1, "what was done before the stop");
                seen.1.set(seen.1.get() + 1);
                reach(if thread::current().id() == this { "at once" } else { "by the stop" });
            });
            // The callback's guard is forgotten, so it is there or has run.
            std::mem::forget(guard);
        });
        work.0.set(1);
        assert!(source.stop());
        registrar.join().unwrap();
        assert_eq!(work.1.get(), 1);
    });
}

/// A guard's drop against the stop: after it the callback has run with all that it did, or never runs.
#[test]
fn dropped_guard_is_a_barrier() {
    model_bounded(4, LOCKS, &["taken back", "ran", "condvar waiter notified"], || {
        let (source, work) = (StopSource::new(), Arc::new(Plain::new(0)));
        let guard = source.token().on_stop(writes(&work));
        let other = source.clone();
        let stopper = thread::spawn(move || assert!(other.stop()));
        drop(guard);
        let seen = work.get();
        assert_eq!(Arc::strong_count(&work), 1, "nothing is held any more");
        reach(if seen == 0 { "taken back" } else { "ran" });
        stopper.join().unwrap();
        assert_eq!(work.get(), seen);
    });
}

/// Two stops: one is the first, and has run the callback when it returns.
#[test]
fn one_of_two_stops_runs_the_callback() {
    model_bounded(4, LOCKS, &["first here", "first there"], || {
        let (source, work) = (StopSource::new(), Arc::new(Plain::new(0)));
        let _guard = source.token().on_stop(writes(&work));
        let (other, there) = (source.clone(), Arc::clone(&work));
        let stopper = thread::spawn(move || {
            let first = other.stop();
            if first {
                assert_eq!(there.get(), 1);
                reach("first there");
            }
            first
        });
        let first = source.stop();
        if first {
            assert_eq!(work.get(), 1);
            reach("first here");
        }
        assert_eq!(usize::from(first) + usize::from(stopper.join().unwrap()), 1);
        assert_eq!(work.get(), 1);
    });
}

/// A stop, another, and a guard that goes.
#[test]
fn two_stops_and_a_dropped_guard() {
    model_bounded(3, THREE, &["taken back", "ran"], || {
        let (source, work) = (StopSource::new(), Arc::new(Plain::new(0)));
        let guard = source.token().on_stop(writes(&work));
        let stoppers = [source.clone(), source].map(|source| thread::spawn(move || source.stop()));
        drop(guard);
        let seen = work.get();
        reach(if seen == 0 { "taken back" } else { "ran" });
        let firsts: usize = stoppers.into_iter().map(|stopper| usize::from(stopper.join().unwrap())).sum();
        assert_eq!((firsts, work.get()), (1, seen));
    });
}

/// The last token goes while the queue lock does: what the callback has captured is gone when the queue lock
/// is.
#[test]
fn last_token_against_its_guard() {
    struct Writes(Arc<Plain>, Mutex<()>);
    impl Drop for Writes {
        fn drop(&mut self) {
            // A turn for the other thread in the middle of the destructor.
            drop(self.1.lock());
            self.0.set(1);
        }
    }
    model_bounded(4, LOCKS, &["condvar waiter notified"], || {
        let (token, work) = (StopToken::new(), Arc::new(Plain::new(0)));
        let captured = Writes(Arc::clone(&work), Mutex::new(()));
        let guard = token.on_stop(move || drop(captured));
        let other = thread::spawn(move || drop(token));
        drop(guard);
        assert_eq!(work.get(), 1, "dropped before the queue lock's drop returns");
        other.join().unwrap();
    });
}

/// A wait for the token ends early with what came before the stop, or its time is up.
#[test]
fn wait_against_stop() {
    model(&["stopped", "slept"], || {
        let shared = Arc::new((StopSource::new(), Plain::new(0)));
        let other = Arc::clone(&shared);
        let sleeper = thread::spawn(move || {
            if other.0.token().wait_for(SOON) {
                assert_eq!(other.1.get(), 1);
                reach("stopped");
            } else {
                reach("slept");
            }
        });
        shared.1.set(1);
        shared.0.stop();
        sleeper.join().unwrap();
    });
}

/// The way out of a condition variable; `locking` is whether the callback locks the mutex before it notifies.
fn condvar_is_left(locking: bool) {
    let must_reach: &[&str] = if locking { &["waited", "did not wait"] } else { &[] };
    model_bounded(3, LOCKS, must_reach, move || {
        let (source, shared) = (StopSource::new(), Arc::new((Mutex::new(()), Condvar::new())));
        let stop = source.token();
        let waiter = thread::spawn(move || {
            let wake = Arc::clone(&shared);
            let _wake = stop.on_stop(move || {
                if locking {
                    drop(wake.0.lock());
                }
                wake.1.notify_all();
            });
            let mut guard = shared.0.lock();
            reach(if stop.is_stopped() { "did not wait" } else { "waited" });
            shared.1.wait_while(&mut guard, |()| !stop.is_stopped());
        });
        source.stop();
        waiter.join().unwrap();
    });
}

#[test]
fn condvar_is_left_at_the_stop() {
    condvar_is_left(true);
}

/// Without the lock: the notification comes between the look at the token and the queue.
#[test]
#[should_panic(expected = "deadlock")]
fn condvar_is_not_left_without_the_lock() {
    condvar_is_left(false);
}

/// A guard that is dropped with the mutex held waits for a callback that waits for the mutex.
#[test]
#[should_panic(expected = "deadlock")]
fn guard_dropped_under_the_callbacks_mutex_can_deadlock() {
    model_bounded(3, LOCKS, &[], || {
        let (source, mutex) = (StopSource::new(), Arc::new(Mutex::new(())));
        let locked = Arc::clone(&mutex);
        let guard = source.token().on_stop(move || drop(locked.lock()));
        let stopper = thread::spawn(move || source.stop());
        let held = mutex.lock();
        drop(guard);
        drop(held);
        stopper.join().unwrap();
    });
}
