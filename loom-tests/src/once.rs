//! `lockwork::Once`, `OnceLock` and `LazyLock`. Panics are caught in the thread that panics, because loom
//! takes any other for a failed model.

use std::panic::{self, AssertUnwindSafe};

use lockwork::internals::{once_has_waiters, once_lock_has_waiters};
use lockwork::{LazyLock, Once, OnceLock, OnceState};
use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::models::support::{Arc, Duration, Plain, SOON, model, model_bounded, reach, thread};

const THREE: &str = "three threads";
const TWO_LONG: &str = "two threads, of which one initialises twice";

/// Runs `f`, whose panic this is about. A panic that `f` begins is no `panic!`, which would print a message
/// for each interleaving.
fn panics<T>(f: impl FnOnce() -> T) -> bool {
    panic::catch_unwind(AssertUnwindSafe(f)).is_err()
}

fn fail() -> ! {
    panic::resume_unwind(Box::new(()))
}

/// Two callers: one closure runs, and both return after it with what it did.
#[test]
fn one_closure_runs_and_both_see_it() {
    let states = ["waiter parks", "waiter woken before it parks", "found done", "ran", "did not run"];
    model(&states, || {
        let shared = Arc::new((Once::new(), Plain::new(0)));
        let other = Arc::clone(&shared);
        let caller = thread::spawn(move || {
            if other.0.is_completed() {
                reach("found done");
                assert_eq!(other.1.get(), 1);
            }
            other.0.call_once(|| other.1.set(other.1.get() + 1));
            assert_eq!(other.1.get(), 1);
        });
        let mut ran = false;
        shared.0.call_once(|| {
            shared.1.set(shared.1.get() + 1);
            ran = true;
        });
        reach(if ran { "ran" } else { "did not run" });
        assert_eq!(shared.1.get(), 1);
        caller.join().unwrap();
        assert_eq!(shared.0.state(), OnceState::Done);
        assert!(!once_has_waiters(&shared.0));
    });
}

/// Two that wait while the closure runs, in which they are begun.
#[test]
fn completion_releases_all_that_wait() {
    model_bounded(3, THREE, &["waiter parks"], || {
        let shared = Arc::new((Once::new(), Plain::new(0)));
        let mut waiters = Vec::new();
        shared.0.call_once(|| {
            for _ in 0..2 {
                let shared = Arc::clone(&shared);
                waiters.push(thread::spawn(move || {
                    shared.0.wait();
                    assert_eq!(shared.1.get(), 1);
                }));
            }
            shared.1.set(1);
        });
        for waiter in waiters {
            waiter.join().unwrap();
        }
        assert!(!once_has_waiters(&shared.0));
    });
}

/// A thread that only waits, also from before a closure has begun.
#[test]
fn wait_ends_when_it_is_done() {
    model(&["waiter parks", "waited before it began", "found done"], || {
        let shared = Arc::new((Once::new(), Plain::new(0)));
        let other = Arc::clone(&shared);
        let waiter = thread::spawn(move || {
            if other.0.state() == OnceState::Done {
                reach("found done");
            }
            other.0.wait();
            assert_eq!(other.1.get(), 1);
        });
        if once_has_waiters(&shared.0) {
            reach("waited before it began");
        }
        shared.0.call_once(|| shared.1.set(1));
        waiter.join().unwrap();
    });
}

/// Time-out against completion, in both orders; and nothing is left behind.
#[test]
fn timed_wait_ends_one_way_or_the_other() {
    let states = ["done", "timed out", "waiter leaves at its deadline", "waiter is woken at its deadline"];
    model(&states, || {
        let shared = Arc::new((Once::new(), Plain::new(0)));
        let other = Arc::clone(&shared);
        let waiter = thread::spawn(move || {
            if other.0.wait_for(SOON) {
                assert_eq!(other.1.get(), 1);
                reach("done");
            } else {
                reach("timed out");
            }
        });
        shared.0.call_once(|| shared.1.set(1));
        waiter.join().unwrap();
        assert!(!once_has_waiters(&shared.0));
    });
}

/// A panic against a call: the call comes first and runs, or it is told.
#[test]
fn panic_is_told_to_the_other_caller() {
    model(&["ran first", "told", "told while it waited"], || {
        let once = Arc::new(Once::new());
        let other = Arc::clone(&once);
        let caller = thread::spawn(move || {
            let running = other.state() == OnceState::InProgress;
            let told = panics(|| other.call_once(|| reach("ran first")));
            if told {
                reach(if running { "told while it waited" } else { "told" });
            }
            told
        });
        let panicked = panics(|| once.call_once(|| fail()));
        let told = caller.join().unwrap();
        assert_eq!(panicked, told, "the closure that panics runs, or it finds the other done");
        assert_eq!(once.state(), if told { OnceState::Poisoned } else { OnceState::Done });
        assert!(!once_has_waiters(&once));
    });
}

/// A panic against a wait that minds, and a later closure that ends the wait if it was not there yet.
#[test]
fn panic_ends_a_wait_that_minds() {
    model_bounded(3, TWO_LONG, &["told", "not told", "waiter parks"], || {
        let once = Arc::new(Once::new());
        let mut minds = None;
        panics(|| {
            once.call_once(|| {
                let other = Arc::clone(&once);
                minds = Some(thread::spawn(move || panics(|| other.wait())));
                fail()
            });
        });
        once.call_once_force(|state| assert!(state.is_poisoned()));
        let told = minds.map(|minds| minds.join().unwrap());
        reach(if told == Some(true) { "told" } else { "not told" });
        assert_eq!(once.state(), OnceState::Done);
        assert!(!once_has_waiters(&once));
    });
}

/// A panic against a wait that does not mind: the later closure ends it.
#[test]
fn panic_does_not_end_a_wait_by_force() {
    model_bounded(3, TWO_LONG, &["waiter parks", "waited before the panic"], || {
        let shared = Arc::new((Once::new(), Plain::new(0)));
        let mut waiter = None;
        panics(|| {
            shared.0.call_once(|| {
                let other = Arc::clone(&shared);
                waiter = Some(thread::spawn(move || {
                    other.0.wait_force();
                    assert_eq!(other.1.get(), 1);
                }));
                if once_has_waiters(&shared.0) {
                    reach("waited before the panic");
                }
                fail()
            });
        });
        shared.0.call_once_force(|_| shared.1.set(1));
        assert!(waiter.is_some_and(|waiter| waiter.join().is_ok()));
        assert!(!once_has_waiters(&shared.0));
    });
}

/// A call by force against a panic: it runs whenever it comes, and sees what the closure that panicked did.
#[test]
fn forced_call_runs_after_the_panic_and_sees_it() {
    model(&["before", "after", "waiter parks"], || {
        let shared = Arc::new((Once::new(), Plain::new(0)));
        let other = Arc::clone(&shared);
        let forcing = thread::spawn(move || {
            other.0.call_once_force(|state| {
                assert_eq!(other.1.get(), usize::from(state.is_poisoned()));
                other.1.set(2);
                reach(if state.is_poisoned() { "after" } else { "before" });
            });
            assert_eq!(other.1.get(), 2);
        });
        panics(|| {
            shared.0.call_once(|| {
                shared.1.set(1);
                fail()
            });
        });
        forcing.join().unwrap();
        assert_eq!(shared.0.state(), OnceState::Done);
    });
}

/// A failure leaves the value to the next, who sees what the one that failed did.
#[test]
fn failed_initialisation_is_tried_by_the_next() {
    let states = ["initialisation handed on", "the other came first", "failed"];
    model(&states, || {
        let shared = Arc::new((OnceLock::new(), Plain::new(0)));
        let other = Arc::clone(&shared);
        let next = thread::spawn(move || {
            let value = other.0.get_or_init(|| {
                other.1.set(other.1.get() + 1);
                other.1.get()
            });
            assert!((1..=2).contains(value));
            *value
        });
        let first = shared.0.get_or_try_init(|| {
            shared.1.set(shared.1.get() + 1);
            Err(())
        });
        match first {
            Ok(&value) => {
                assert_eq!(value, 1);
                reach("the other came first");
            }
            Err(()) => reach("failed"),
        }
        let value = next.join().unwrap();
        assert_eq!(shared.0.get(), Some(&value));
        assert_eq!(value, shared.1.get());
        assert!(!once_lock_has_waiters(&shared.0));
    });
}

/// The same by a panic, with a thread that only waits, which may stand before the one that tries next.
#[test]
fn panic_hands_the_value_past_those_that_only_wait() {
    model_bounded(3, THREE, &["initialisation handed on", "waiter parks"], || {
        let cell = Arc::new(OnceLock::new());
        let (mut waiting, mut next) = (None, None);
        let panicked = panics(|| {
            cell.get_or_init(|| {
                let other = Arc::clone(&cell);
                waiting = Some(thread::spawn(move || *other.wait()));
                let other = Arc::clone(&cell);
                next = Some(thread::spawn(move || *other.get_or_init(|| 1)));
                fail()
            });
        });
        assert!(panicked);
        for thread in [next, waiting] {
            assert_eq!(thread.map(|thread| thread.join().unwrap()), Some(1));
        }
        assert!(!once_lock_has_waiters(&cell));
    });
}

/// A failure with no thread to try next leaves the one that waits where it is, for a later `set`.
#[test]
fn wait_outlives_a_failure_and_never_initialises() {
    model_bounded(3, TWO_LONG, &["waiter parks", "waited before the failure"], || {
        let cell = Arc::new(OnceLock::new());
        let other = Arc::clone(&cell);
        let waiter = thread::spawn(move || assert_eq!(other.wait(), &1));
        let failed = cell.get_or_try_init(|| {
            if once_lock_has_waiters(&cell) {
                reach("waited before the failure");
            }
            Err(())
        });
        assert_eq!(failed, Err(()));
        assert_eq!(cell.set(1), Ok(()));
        waiter.join().unwrap();
        assert!(!once_lock_has_waiters(&cell));
    });
}

/// Of two that set one succeeds; the other has its value back and sees the first's.
#[test]
fn one_of_two_sets_succeeds() {
    model(&["first", "second", "waiter parks"], || {
        let cell = Arc::new(OnceLock::new());
        let other = Arc::clone(&cell);
        let setter = thread::spawn(move || match other.set(2) {
            Ok(()) => true,
            Err(back) => {
                assert_eq!((back, other.get()), (2, Some(&1)));
                false
            }
        });
        match cell.try_insert(1) {
            Ok(value) => {
                assert_eq!(*value, 1);
                reach("first");
            }
            Err((value, back)) => {
                assert_eq!((back, *value), (1, 2));
                reach("second");
            }
        }
        let second = setter.join().unwrap();
        assert_eq!(cell.get(), Some(if second { &2 } else { &1 }));
    });
}

/// What `get` returns was written before.
#[test]
fn get_sees_a_whole_value_or_none() {
    model(&["none", "some"], || {
        let cell = Arc::new(OnceLock::<Box<i32>>::new());
        let other = Arc::clone(&cell);
        let reader = thread::spawn(move || match other.get() {
            Some(value) => {
                assert_eq!(**value, 7);
                reach("some");
            }
            None => reach("none"),
        });
        assert_eq!(cell.set(Box::new(7)), Ok(()));
        reader.join().unwrap();
    });
}

/// The function runs in one of two threads that use the value, and both see what it made.
#[test]
fn lazy_value_is_made_once() {
    model(&["waiter parks", "waiter woken before it parks"], || {
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&runs);
        let lazy = Arc::new(LazyLock::new(move || {
            counted.fetch_add(1, Relaxed);
            Box::new(7)
        }));
        let other = Arc::clone(&lazy);
        let user = thread::spawn(move || assert_eq!(**other, Box::new(7)));
        assert_eq!(**LazyLock::force(&lazy), 7);
        user.join().unwrap();
        assert_eq!(runs.load(Relaxed), 1);
    });
}

/// A timed use runs the function itself or waits for the other's, and then for so long only.
#[test]
fn timed_use_of_a_lazy_value_makes_it_or_waits() {
    model(&["made it", "saw it", "timed out", "waiter is woken at its deadline"], || {
        let lazy = Arc::new(LazyLock::new(thread::current as fn() -> thread::Thread));
        let other = Arc::clone(&lazy);
        let user = thread::spawn(move || match LazyLock::wait_for(&other, SOON) {
            Some(thread) if thread.id() == thread::current().id() => reach("made it"),
            Some(_) => reach("saw it"),
            None => reach("timed out"),
        });
        assert!(LazyLock::wait_for(&lazy, Duration::MAX).is_some());
        user.join().unwrap();
    });
}

/// A function that panics is not run again: the other user is told.
#[test]
fn panic_of_a_lazy_value_is_told_to_the_other() {
    model(&["waiter parks", "no value"], || {
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&runs);
        let lazy = Arc::new(LazyLock::new(move || -> u8 {
            counted.fetch_add(1, Relaxed);
            fail()
        }));
        let other = Arc::clone(&lazy);
        let user = thread::spawn(move || assert!(panics(|| **other)));
        if LazyLock::get(&lazy).is_none() {
            reach("no value");
        }
        assert!(panics(|| **lazy));
        user.join().unwrap();
        assert_eq!(runs.load(Relaxed), 1);
    });
}
