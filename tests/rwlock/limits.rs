//! An `RwLock` at the limit of readers.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{RwLock, RwLockUpgradableReadGuard};

use crate::support::{message_of, unwinds, watchdog};

/// How many readers there may be, as the page of `RwLock` says.
const MOST_READERS: usize = 8_388_607;

#[test]
fn reader_beyond_the_limit_is_refused_by_try_and_panics_in_read() {
    if cfg!(miri) {
        return;
    }
    watchdog(|| {
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
        names_itself("RwLock::read", message_of(|| lock.read()));
        names_itself("RwLock::read_recursive", message_of(|| lock.read_recursive()));
        names_itself("RwLock::read_arc", message_of(|| lock.read_arc()));
        let upgradable = lock.upgradable_read();
        let message = message_of(|| RwLockUpgradableReadGuard::downgrade(upgradable));
        names_itself("RwLockUpgradableReadGuard::downgrade", message);

        // Nothing of all that is left, and no thread that did not read is affected.
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
    watchdog(|| {
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
            // Or it has given up before this thread saw it wait.
            while lock.try_read().is_some() && !writer.is_finished() {
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

#[test]
#[cfg_attr(feature = "diagnose", ignore = "each of eight million reads looks through what its thread holds")]
fn downgrade_beside_too_many_readers_loses_none_of_them() {
    if cfg!(miri) {
        return;
    }
    watchdog(|| {
        let lock = RwLock::new(0);
        let first = lock.read();
        // The last of these publishes itself.
        (0..32).for_each(|_| drop(lock.read()));
        let visible = lock.read();
        // As many as there may be, whatever that is.
        while !unwinds(|| mem::forget(lock.read())) {}
        let upgradable = lock.upgradable_read();
        let one_more = catch_unwind(AssertUnwindSafe(|| RwLockUpgradableReadGuard::downgrade(upgradable)));
        drop(visible);
        assert!(lock.try_write().is_none(), "a writer beside readers");
        assert!(one_more.is_err());
        assert!(lock.try_upgradable_read().is_some(), "the guard is gone");
        assert_eq!(*first, 0);
    });
}
