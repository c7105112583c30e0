//! `lockwork::ThreadLocal`.

use lockwork::ThreadLocal;
use loom::sync::Arc;

use crate::support::{Plain, model, model_bounded, reach, thread};

const THREE: &str = "three threads";

/// Iteration against insertion: a value that is seen is seen whole.
#[test]
fn iteration_against_insertion() {
    model(&["seen", "not yet"], || {
        let local = Arc::new(ThreadLocal::new());
        let other = Arc::clone(&local);
        let thread = thread::spawn(move || {
            let value: &Plain = other.get_or(|| {
                let value = Plain::new(0);
                value.set(1);
                value
            });
            assert_eq!(value.get(), 1);
        });
        let seen = local.iter().map(|value| assert_eq!(value.get(), 1)).count();
        assert!(seen <= 1);
        reach(if seen == 1 { "seen" } else { "not yet" });
        thread.join().unwrap();
        assert_eq!(local.iter().count(), 1);
        assert!(local.get().is_none(), "not inherited");
    });
}

/// Two insertions and an iteration: whoever sees the later one sees the earlier one, too, both whole.
#[test]
fn two_insertions_against_iteration() {
    model_bounded(3, THREE, &["pushed by two threads", "none", "one", "both"], || {
        let local = Arc::new(ThreadLocal::new());
        let threads = [1, 2].map(|i| {
            let local = Arc::clone(&local);
            thread::spawn(move || {
                local.get_or(|| {
                    let value = Plain::new(0);
                    value.set(i);
                    value
                });
                assert!(local.iter().any(|value| value.get() == i), "one's own");
            })
        });
        let seen: Vec<usize> = local.iter().map(Plain::get).collect();
        reach(match seen[..] {
            [] => "none",
            [1 | 2] => "one",
            [1, 2] | [2, 1] => "both",
            _ => panic!("{seen:?}"),
        });
        for thread in threads {
            thread.join().unwrap();
        }
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
