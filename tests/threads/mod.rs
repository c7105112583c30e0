//! `ThreadPool`, `Task`, scopes, waiting for several tasks, and `Worker`.

mod build;
mod chains;
mod ending;
mod map;
mod map_ahead;
mod memory;
mod nested;
mod panicking;
mod races;
mod scope;
mod select;
mod shutdown;
mod submit;
mod task;
mod worker;

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crate::support::shown;
use lockwork::{Event, Task, TaskError, ThreadPool};

/// Long enough to be measured, short enough to be waited for.
pub(super) const SHORT: Duration = Duration::from_millis(10);
pub(super) const THREADS: [usize; 4] = [1, 2, 3, 8];

/// A task that has one thread of the pool to itself until the event is set.
pub(super) fn occupy(pool: &ThreadPool) -> (Arc<Event>, Task<()>) {
    let (began, go) = (shown(Event::new()), shown(Event::new()));
    let task = pool
        .submit({
            let (began, go) = (Arc::clone(&began), Arc::clone(&go));
            move || {
                began.set();
                go.wait();
            }
        })
        .unwrap();
    began.wait();
    (go, task)
}

/// A counter to be shared with tasks.
pub(super) fn counter() -> Arc<AtomicUsize> {
    Arc::new(AtomicUsize::new(0))
}

pub(super) fn add_one(counter: &Arc<AtomicUsize>) -> impl FnOnce() + Send + 'static {
    let counter = Arc::clone(counter);
    move || {
        counter.fetch_add(1, Relaxed);
    }
}

pub(super) fn message(error: TaskError) -> String {
    let payload = error.into_panic().expect("a panic");
    payload.downcast_ref::<&str>().expect("a message").to_string()
}

/// How `body` ends.
pub(super) fn panics<R>(body: impl FnOnce() -> R) -> Result<R, Box<dyn std::any::Any + Send>> {
    panic::catch_unwind(AssertUnwindSafe(body))
}

/// Panics when it is dropped.
pub(super) struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

/// Occupies the only thread of a pool until the event is set.
pub(super) fn occupied() -> (Arc<ThreadPool>, Arc<Event>) {
    let (pool, go) = (shown(ThreadPool::new(1)), shown(Event::new()));
    let (began, own) = (shown(Event::new()), Arc::clone(&go));
    let begins = Arc::clone(&began);
    drop(pool.submit(move || {
        begins.set();
        own.wait();
    }));
    began.wait();
    (pool, go)
}
