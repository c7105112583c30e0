//! `ReentrantMutex`, `ReentrantMutexGuard`, `MappedReentrantMutexGuard`, `ArcReentrantMutexGuard`: what they
//! promise beyond `tests/locks`.

mod guards;
mod levels;
mod programs;
mod threads;

use std::cell::Cell;
use std::fmt::Debug;
use std::hint::black_box;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{ArcReentrantMutexGuard, MappedReentrantMutexGuard, ReentrantMutex, ReentrantMutexGuard};

use crate::support::elsewhere;

/// One level of the lock, by a guard of any kind.
#[derive(Debug)]
enum Level<'a> {
    Whole(ReentrantMutexGuard<'a, Cell<usize>>),
    Part(MappedReentrantMutexGuard<'a, Cell<usize>>),
    Arc(ArcReentrantMutexGuard<Cell<usize>>),
}

impl Level<'_> {
    fn value(&self) -> &Cell<usize> {
        match self {
            Self::Whole(guard) => guard,
            Self::Part(guard) => guard,
            Self::Arc(guard) => guard,
        }
    }

    fn unlock_fair(self) {
        match self {
            Self::Whole(guard) => ReentrantMutexGuard::unlock_fair(guard),
            Self::Part(guard) => MappedReentrantMutexGuard::unlock_fair(guard),
            Self::Arc(guard) => ArcReentrantMutexGuard::unlock_fair(guard),
        }
    }

    fn bump(&mut self) {
        match self {
            Self::Whole(guard) => ReentrantMutexGuard::bump(guard),
            Self::Part(_) => {}
            Self::Arc(guard) => ArcReentrantMutexGuard::bump(guard),
        }
    }

    /// `None` for a guard that cannot.
    fn unlocked<R>(&mut self, fair: bool, f: impl FnOnce() -> R) -> Option<R> {
        Some(match (self, fair) {
            (Self::Whole(guard), false) => ReentrantMutexGuard::unlocked(guard, f),
            (Self::Whole(guard), true) => ReentrantMutexGuard::unlocked_fair(guard, f),
            (Self::Arc(guard), false) => ArcReentrantMutexGuard::unlocked(guard, f),
            (Self::Arc(guard), true) => ArcReentrantMutexGuard::unlocked_fair(guard, f),
            (Self::Part(_), _) => return None,
        })
    }
}

/// The ways to come to a level, by number: with and without `Arc`, at once, in time and with patience.
const WAYS: usize = 9;

fn take(mutex: &Arc<ReentrantMutex<Cell<usize>>>, way: usize, timeout: Duration) -> Option<Level<'_>> {
    match way % WAYS {
        0 => Some(Level::Whole(mutex.lock())),
        1 => mutex.try_lock().map(Level::Whole),
        2 => mutex.try_lock_for(timeout).map(Level::Whole),
        3 => mutex.try_lock_until(Instant::now() + timeout).map(Level::Whole),
        4 => Some(Level::Arc(mutex.lock_arc())),
        5 => mutex.try_lock_arc().map(Level::Arc),
        6 => mutex.try_lock_arc_for(timeout).map(Level::Arc),
        7 => mutex.try_lock_arc_until(Instant::now() + timeout).map(Level::Arc),
        _ => Some(Level::Part(ReentrantMutexGuard::map(mutex.lock(), |value| value))),
    }
}

fn is_free<T: Send>(mutex: &ReentrantMutex<T>) -> bool {
    elsewhere(|| mutex.try_lock().is_some())
}

/// Counts in a way that is wrong as soon as two threads are in the lock at once.
fn count_slowly(counter: &Cell<usize>) {
    let seen = black_box(counter.get());
    if seen % 64 == 0 {
        thread::yield_now();
    }
    counter.set(seen + 1);
}
