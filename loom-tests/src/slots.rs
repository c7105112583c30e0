//! The tables of threads, below `ThreadCell` and `ThreadLocal`: how an object gets its id and its owner.

use lockwork::{ThreadCell, ThreadLocal};
use loom::sync::Arc;

use crate::models::support::{model, model_bounded, thread};

const LONG: &str = "two threads, but four sections under a lock";

/// The first use of an object by two threads at once: they agree on its id and on its owner, and each keeps
/// its value.
#[test]
fn first_use_by_two_threads_makes_one_owner() {
    model_bounded(3, LONG, &["owner made by two threads"], || {
        let cell = Arc::new(ThreadCell::new());
        let other = Arc::clone(&cell);
        let thread = thread::spawn(move || {
            other.set(1);
            assert_eq!(other.get(), Some(1));
        });
        cell.set(2);
        assert_eq!(cell.get(), Some(2));
        thread.join().unwrap();
    });
}

/// The object goes while a thread ends that has used it: the last to let go of the owner frees it, and no
/// thread touches it after that.
#[test]
fn owner_is_freed_by_the_last_to_let_go() {
    model(&["last two shares of an owner given back at once"], || {
        let local = Arc::new(ThreadLocal::new());
        let other = Arc::clone(&local);
        drop(thread::spawn(move || {
            other.get_or(|| 1);
        }));
        drop(local);
    });
}
