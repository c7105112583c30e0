//! `lockwork::ThreadCell`. A modelled thread destroys its variables when its closure has returned, which
//! `join` does not wait for: so the end of a thread races with all that comes after its join.

use lockwork::{AccessError, ThreadCell};
use loom::sync::Arc;

use crate::models::support::{Plain, model, model_bounded, patient, reach, thread};

const THREE: &str = "three threads";

/// loom reports one that is never dropped as leaked, and panics if it is dropped twice; the plain value is
/// touched by its thread and by the thread that drops it, in that order or it is a race.
struct Value(Plain, #[expect(dead_code, reason = "loom counts it")] Arc<()>);

impl Value {
    fn new() -> Self {
        Self(Plain::new(0), Arc::new(()))
    }

    fn touch(&self) {
        self.0.set(self.0.get() + 1);
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        assert_eq!(self.0.get(), 1);
        self.touch();
    }
}

/// The end of a thread against the drop of the cell: the value is dropped once, by either.
#[test]
fn thread_end_against_cell_drop() {
    let states = ["thread ended before the cell", "thread ended after the cell"];
    model(&states, || {
        let cell = Arc::new(ThreadCell::new());
        let other = Arc::clone(&cell);
        drop(thread::spawn(move || {
            other.set(Value::new());
            other.with(Value::touch);
        }));
        drop(cell);
    });
}

/// The same with two threads that end, and a value of the thread that drops the cell.
#[test]
fn two_thread_ends_against_cell_drop() {
    let states = ["thread ended before the cell", "thread ended after the cell"];
    model_bounded(3, THREE, &states, || {
        patient();
        let cell = Arc::new(ThreadCell::with_init(Value::new));
        cell.with(Value::touch);
        for _ in 0..2 {
            let cell = Arc::clone(&cell);
            drop(thread::spawn(move || cell.with(Value::touch)));
        }
        drop(cell);
    });
}

/// Threads that insert, take back and end do not lose each other's values.
#[test]
fn insertions_and_removals_keep_the_others() {
    model_bounded(3, THREE, &["thread ended before the cell", "waiter parks"], || {
        let cell = Arc::new(ThreadCell::with_init(Value::new));
        cell.with(Value::touch);
        let first = Arc::clone(&cell);
        let first = thread::spawn(move || {
            first.with(Value::touch);
            assert!(first.take().is_some());
            assert!(!first.is_set());
        });
        let second = Arc::clone(&cell);
        let second = thread::spawn(move || second.with(Value::touch));
        first.join().unwrap();
        second.join().unwrap();
        assert!(cell.is_set());
    });
}

/// A thread never has another's value, and none before it has set one.
#[test]
fn value_belongs_to_its_thread() {
    model(&["before", "after"], || {
        let cell = Arc::new(ThreadCell::new());
        let set = Arc::new(lockwork::Event::new());
        let (other, other_set) = (Arc::clone(&cell), Arc::clone(&set));
        let thread = thread::spawn(move || {
            other.set(1);
            other_set.set();
            assert_eq!(other.replace(2), Some(1));
        });
        reach(if set.is_set() { "after" } else { "before" });
        assert_eq!(cell.try_with(|&value: &i32| value), Err(AccessError));
        assert_eq!(cell.take(), None);
        thread.join().unwrap();
    });
}

/// A value whose destructor drops another cell, of which the thread has a value as well.
#[test]
fn cell_in_a_value_goes_with_its_thread() {
    model(&["thread ended before the cell"], || {
        let cell = Arc::new(ThreadCell::new());
        let other = Arc::clone(&cell);
        drop(thread::spawn(move || {
            let inner = ThreadCell::with_init(Value::new);
            inner.with(Value::touch);
            other.set(inner);
        }));
        drop(cell);
    });
}
