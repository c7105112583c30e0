//! `lockwork::ThreadLocal`.

use lockwork::{Mutex, ThreadLocal};
use loom::sync::Arc;

use crate::models::support::{Plain, model, model_bounded, reach, thread};

const THREE: &str = "three threads";

fn plain(value: usize) -> Plain {
    let plain = Plain::new(0);
    plain.set(value);
    plain
}

/// Iteration against insertion: a value that is seen is seen whole.
#[test]
fn iteration_against_insertion() {
    model(&["seen", "not yet"], || {
        let local = Arc::new(ThreadLocal::new());
        let other = Arc::clone(&local);
        let thread = thread::spawn(move || {
            let seen = other.iter().map(|value: &Plain| assert_eq!(value.get(), 1)).count();
            reach(if seen == 1 { "seen" } else { "not yet" });
            assert!(seen <= 1 && other.get().is_none(), "not inherited");
        });
        let made = local.get_or_try(|| Ok::<_, ()>(plain(1)));
        assert_eq!(made.map(Plain::get), Ok(1));
        thread.join().unwrap();
        assert_eq!(local.iter().count(), 1);
    });
}

/// Two insertions and an iteration: the thread that sees the later one sees the earlier one, too, both whole.
#[test]
fn two_insertions_against_iteration() {
    let states = ["pushed onto another's value", "none", "one", "both", "the other's, too"];
    model_bounded(3, THREE, &states, || {
        let local = Arc::new(ThreadLocal::new());
        let other = Arc::clone(&local);
        let inserts = thread::spawn(move || {
            other.get_or(|| plain(2));
            match other.iter().map(Plain::get).sum() {
                2 => {}
                3 => reach("the other's, too"),
                sum => panic!("{sum}: one's own is missing"),
            }
        });
        let other = Arc::clone(&local);
        let iterates = thread::spawn(move || {
            let seen: Vec<usize> = other.iter().map(Plain::get).collect();
            reach(match seen[..] {
                [] => "none",
                [1 | 2] => "one",
                [1, 2] | [2, 1] => "both",
                _ => panic!("{seen:?}"),
            });
        });
        local.get_or(|| plain(1));
        inserts.join().unwrap();
        iterates.join().unwrap();
        assert_eq!(local.iter().count(), 2);
    });
}

/// The end of a thread against the drop of the object: the value stays for the object to drop.
#[test]
fn thread_end_against_drop() {
    model(&["collected"], || {
        let local = Arc::new(ThreadLocal::new());
        let other = Arc::clone(&local);
        let thread = thread::spawn(move || {
            other.get_or(|| (Plain::new(1), Arc::new(())));
        });
        thread.join().unwrap();
        let Ok(local) = Arc::try_unwrap(local) else { return };
        for (value, _) in local {
            value.set(value.get() + 1);
            reach("collected");
        }
    });
}

/// A thread that goes on after the object was cleared finds nothing in it of what it had there.
#[test]
fn cleared_object_is_empty_for_threads_that_had_values() {
    model_bounded(
        4,
        "two threads, but three sections of a lock",
        &["cleared in between", "cleared before", "cleared after"],
        || {
            let shared = Arc::new(Mutex::new((ThreadLocal::new(), false)));
            let other = Arc::clone(&shared);
            let thread = thread::spawn(move || {
                let state = other.lock();
                let before = state.1;
                assert_eq!(*state.0.get_or(|| 1), 1);
                drop(state);
                let state = other.lock();
                assert_eq!(state.0.get().is_none(), state.1 && !before);
                reach(match (before, state.1) {
                    (true, _) => "cleared before",
                    (false, true) => "cleared in between",
                    (false, false) => "cleared after",
                });
            });
            let mut state = shared.lock();
            state.0.clear();
            state.1 = true;
            drop(state);
            thread.join().unwrap();
        },
    );
}
