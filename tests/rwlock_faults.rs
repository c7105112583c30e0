//! `RwLock` where it was once wrong: at the limit of readers, beside tries that fail, with writers that wait for long, and with
//! readers by the thousand.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{RwLock, RwLockUpgradableReadGuard};

use crate::support::{eventually, rounds, watchdog};

/// How many readers there may be, as the page of `RwLock` says.
const MOST_READERS: usize = 8_388_607;

/// A lock in which new readers are visible in the table instead of counted.
fn with_visible_readers<T>(value: T) -> Arc<RwLock<T>> {
    let lock = Arc::new(RwLock::new(value));
    (0..32).for_each(|_| drop(lock.read()));
    lock
}

/// What `body` panics with.
#[track_caller]
fn panic_of<R>(body: impl FnOnce() -> R) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(body()))) else { panic!("no panic") };
    *payload.downcast::<String>().expect("a message")
}

#[test]
fn reader_beyond_the_limit_is_refused_by_try_and_panics_in_read() {
    if cfg!(miri) {
        return;
    }
    watchdog("reader_beyond_the_limit_is_refused_by_try_and_panics_in_read", || {
        let lock = Arc::new(RwLock::new(0));
        drop(lock.write());
        // A visible reader is none of those that are counted.
        let first = lock.read_recursive();
        for n in 1..MOST_READERS {
            // The recursive ones stay counted: the slot of this thread is taken.
            mem::forget(lock.try_read_recursive().unwrap_or_else(|| panic!("{n} readers are no limit")));
        }
        mem::forget(first);
        while let Some(visible) = lock.try_read() {
            mem::forget(visible);
        }
        let second = Duration::from_secs(1);
        let refused = |name: &str, is_none: bool| assert!(is_none, "{name} beyond the limit");
        refused("try_read", lock.try_read().is_none());
        refused("try_read_for", lock.try_read_for(second).is_none());
        refused("try_read_until", lock.try_read_until(Instant::now() + second).is_none());
        refused("try_read_recursive", lock.try_read_recursive().is_none());
        refused("try_read_recursive_for", lock.try_read_recursive_for(second).is_none());
        refused("try_read_arc", lock.try_read_arc().is_none());
        refused("try_read_arc_for", lock.try_read_arc_for(second).is_none());
        refused("try_read_recursive_arc", lock.try_read_recursive_arc().is_none());
        assert_eq!(format!("{lock:?}"), "RwLock { data: <locked> }");

        let names_itself = |name: &str, message: String| {
            assert!(message.starts_with(&format!("{name}: ")), "{name} says «{message}»");
            assert!(message.contains(&MOST_READERS.to_string()), "«{message}» does not name the limit");
        };
        names_itself("RwLock::read", panic_of(|| lock.read()));
        names_itself("RwLock::read_recursive", panic_of(|| lock.read_recursive()));
        names_itself("RwLock::read_arc", panic_of(|| lock.read_arc()));
        let upgradable = lock.upgradable_read();
        let message = panic_of(|| RwLockUpgradableReadGuard::downgrade(upgradable));
        names_itself("RwLockUpgradableReadGuard::downgrade", message);

        // Nothing of all that is left, and nobody who did not read is affected.
        assert!(lock.try_upgradable_read().is_some());
        assert!(lock.try_write().is_none());
        assert!(lock.is_locked() && !lock.is_locked_exclusive());
    });
}

#[test]
fn reader_that_waits_behind_a_writer_is_refused_at_the_limit() {
    if cfg!(miri) {
        return;
    }
    watchdog("reader_that_waits_behind_a_writer_is_refused_at_the_limit", || {
        let lock = Arc::new(RwLock::new(0));
        let mut last = None;
        while let Some(guard) = lock.try_read_recursive() {
            mem::forget(last.replace(guard));
        }
        drop(last);
        let upgradable = lock.upgradable_read();
        thread::scope(|s| {
            // Holds back the readers that come after it.
            let writer = s.spawn(|| lock.try_write_for(Duration::from_millis(200)).is_none());
            while lock.try_read().is_some() {
                thread::yield_now();
            }
            let readers: Vec<_> = (0..3)
                .map(|_| s.spawn(|| lock.try_read_for(Duration::MAX).map(mem::forget).is_some()))
                .collect();
            assert!(writer.join().unwrap(), "a writer beside readers");
            let came_in =
                readers.into_iter().filter_map(|reader| reader.join().unwrap().then_some(())).count();
            assert_eq!(came_in, 1, "there is room for one");
        });
        drop(upgradable);
    });
}

/// How many of the `try_read`s of one thread fail, while there is a reader at every moment, and another thread makes tries
/// to write, all of which have to fail.
fn try_reads_that_fail(lock: &RwLock<usize>, tries: usize, failing: impl Fn() + Sync) -> usize {
    let (done, no_tries) = (AtomicBool::new(false), AtomicBool::new(false));
    let mut failed = 0;
    let first = lock.read_recursive();
    let started = AtomicBool::new(false);
    thread::scope(|s| {
        // Hand over hand: the next guard is there before the last is dropped. Recursive, so nothing keeps it out.
        s.spawn(|| {
            let mut guard = lock.read_recursive();
            started.store(true, Relaxed);
            while !no_tries.load(Relaxed) {
                let next = lock.read_recursive();
                drop(mem::replace(&mut guard, next));
            }
        });
        s.spawn(|| {
            while !done.load(Relaxed) {
                failing();
            }
            no_tries.store(true, Relaxed);
        });
        eventually(|| started.load(Relaxed));
        drop(first);
        for _ in 0..tries {
            match lock.try_read() {
                Some(guard) => assert_eq!(*guard, 0),
                None => failed += 1,
            }
        }
        done.store(true, Relaxed);
    });
    failed
}

#[test]
fn try_write_that_fails_keeps_no_reader_out() {
    watchdog("try_write_that_fails_keeps_no_reader_out", || {
        for lock in [Arc::new(RwLock::new(0)), with_visible_readers(0)] {
            let failing = || assert!(lock.try_write().is_none(), "a writer beside readers");
            assert_eq!(try_reads_that_fail(&lock, rounds(40_000), failing), 0);
            let failing = || assert!(lock.try_write_for(Duration::ZERO).is_none(), "a writer beside readers");
            assert_eq!(try_reads_that_fail(&lock, rounds(40_000), failing), 0);
        }
    });
}

#[test]
fn try_upgrade_that_fails_keeps_no_reader_out() {
    watchdog("try_upgrade_that_fails_keeps_no_reader_out", || {
        for lock in [Arc::new(RwLock::new(0)), with_visible_readers(0)] {
            let failing =
                || assert!(lock.upgradable_read().try_upgrade().is_err(), "a writer beside readers");
            assert_eq!(try_reads_that_fail(&lock, rounds(40_000), failing), 0);
            let failing = || {
                let guard = lock.upgradable_read().try_upgrade_for(Duration::ZERO);
                assert!(guard.is_err(), "a writer beside readers");
            };
            assert_eq!(try_reads_that_fail(&lock, rounds(40_000), failing), 0);
        }
    });
}
