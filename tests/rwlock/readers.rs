//! Visible readers: in slots of a table that all locks share.

use std::cell::Cell;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use lockwork::RwLock;

use super::{BRIEF, MODES, Mode, open_to, until_a_writer_waits};
use crate::support::{Drops, Sleeper, cases, eventually, parties, repeat, rounds, watchdog};

#[test]
fn is_locked_tells_of_readers_in_any_number() {
    for mode in cases(MODES) {
        let lock = mode.lock(0);
        let mut readers = Vec::new();
        for n in 0..40 {
            assert_eq!(lock.is_locked(), n != 0);
            assert!(!lock.is_locked_exclusive());
            assert_eq!(lock.try_write().is_some(), n == 0);
            if n == 0 {
                mode.set_up(&lock);
            }
            readers.push(lock.read());
        }
        // First in, first out, and the other way round: one is in a slot, and the others are counted.
        while readers.len() > 20 {
            drop(readers.remove(0));
            assert!(lock.is_locked() && lock.try_write().is_none());
        }
        while readers.pop().is_some() {
            assert_eq!(lock.is_locked(), !readers.is_empty());
        }
        assert_eq!(open_to(&lock), [true; 3]);
    }
}

#[test]
fn forgotten_reader_keeps_the_lock() {
    watchdog(|| {
        for mode in cases(MODES) {
            for nested in cases([1, 3]) {
                let drops = Drops::new();
                let lock = mode.lock(drops.value());
                (0..nested).for_each(|_| mem::forget(lock.read()));
                assert!(lock.is_locked());
                assert_eq!(open_to(&lock), [true, true, false]);
                assert!(lock.try_write_for(BRIEF).is_none());
                assert!(lock.upgradable_read().try_upgrade_for(BRIEF).is_err());
                thread::scope(|s| {
                    s.spawn(|| assert_eq!(open_to(&lock), [true, true, false]));
                });
                // Moving it changes nothing.
                let mut lock = Box::new(lock);
                assert!(lock.is_locked());
                assert!(lock.try_write().is_none());
                *lock.get_mut() = drops.value();
                assert_eq!(drops.count(), 1);
                let value = lock.into_inner();
                assert_eq!(drops.count(), 1);
                drop(value);
                assert_eq!(drops.count(), 2);
            }
        }
    });
}

#[test]
fn new_lock_in_the_place_of_one_with_forgotten_readers_is_free() {
    for mode in cases(MODES) {
        let mut place = Box::new(RwLock::new(0));
        // More than there are places in the table, so that numbers meet again.
        for n in repeat(200) {
            *place = RwLock::new(n);
            mode.set_up(&place);
            assert!(!place.is_locked());
            assert_eq!(open_to(&place), [true; 3]);
            mode.set_up(&place);
            mem::forget(place.read());
            mem::forget(place.try_read_recursive());
            assert!(place.is_locked());
        }
        assert_eq!(place.into_inner(), rounds(200) - 1);
    }
}

#[test]
fn forgotten_readers_of_other_locks_take_no_place() {
    watchdog(|| {
        // These stay to the end.
        let forgotten: Vec<_> = (0..40).map(|n| Mode::Visible.lock(n)).collect();
        forgotten.iter().for_each(|lock| mem::forget(lock.read()));
        for mode in cases(MODES) {
            let lock = mode.lock(0);
            thread::scope(|s| {
                let reader = lock.read();
                s.spawn(|| *lock.write() += 1);
                until_a_writer_waits(&lock);
                drop(reader);
            });
            assert_eq!(*lock.read(), 1);
            assert_eq!(open_to(&lock), [true; 3]);
        }
        assert!(forgotten.iter().all(RwLock::is_locked));
    });
}

#[test]
fn one_thread_reads_many_locks_at_once() {
    watchdog(|| {
        for mode in cases(MODES) {
            let locks: Vec<_> = (0..40).map(|n| mode.lock(n)).collect();
            // Each twice, as a thread might that does not know of its own reads; no thread writes yet.
            // Each lock's two are taken one after the other: no lock is taken against an order.
            let readers: Vec<_> = locks.iter().flat_map(|lock| [lock.read(), lock.read()]).collect();
            thread::scope(|s| {
                for lock in &locks {
                    s.spawn(|| *lock.write() += 100);
                }
                locks.iter().for_each(until_a_writer_waits);
                assert!(readers.iter().enumerate().all(|(n, value)| **value == n / 2));
                let again: Vec<_> = locks.iter().map(RwLock::read_recursive).collect();
                drop(readers);
                assert!(again.iter().enumerate().all(|(n, value)| **value == n));
            });
            assert!(locks.iter().enumerate().all(|(n, lock)| *lock.read() == n + 100));
            assert!(!locks.iter().any(RwLock::is_locked));
        }
    });
}

#[test]
fn more_readers_than_slots_hold_a_writer_up() {
    watchdog(|| {
        const READERS: usize = 40;
        for mode in cases(MODES) {
            let (lock, inside, leave) = (mode.lock([0; 2]), AtomicUsize::new(0), AtomicUsize::new(0));
            thread::scope(|s| {
                for reader in 0..READERS {
                    let (lock, inside, leave) = (&lock, &inside, &leave);
                    s.spawn(move || {
                        let value = lock.read();
                        inside.fetch_add(1, Relaxed);
                        eventually(|| leave.load(Relaxed) > reader);
                        assert_eq!(*value, [0; 2]);
                    });
                }
                eventually(|| inside.load(Relaxed) == READERS);
                let writer = s.spawn(|| *lock.write() = [1; 2]);
                until_a_writer_waits(&lock);
                assert!(lock.is_locked());
                leave.store(READERS - 1, Relaxed);
                (0..10).for_each(|_| thread::yield_now());
                assert!(!writer.is_finished() && !lock.is_locked_exclusive());
                leave.store(READERS, Relaxed);
            });
            assert_eq!(*lock.read(), [1; 2]);
            assert_eq!(open_to(&lock), [true; 3]);
        }
    });
}

#[test]
fn arc_readers_are_dropped_elsewhere_while_a_writer_waits() {
    watchdog(|| {
        for mode in cases(MODES) {
            for parties in parties() {
                let lock = mode.arc(0);
                let readers: Vec<_> = (0..parties)
                    .map(|_| {
                        // Of threads that are gone by the time their guards are used.
                        let lock = Arc::clone(&lock);
                        thread::spawn(move || lock.read_arc()).join().unwrap()
                    })
                    .collect();
                thread::scope(|s| {
                    s.spawn(|| *lock.write() = 1);
                    until_a_writer_waits(&lock);
                    for reader in readers {
                        assert_eq!(*reader, 0);
                        s.spawn(move || drop(reader));
                    }
                });
                assert_eq!(*lock.read(), 1);
                assert_eq!(open_to(&lock), [true; 3]);
                assert_eq!(Arc::strong_count(&lock), 1);
            }
        }
    });
}

static LAST_WORDS: RwLock<usize> = RwLock::new(0);
static SAYING_THEM: Sleeper = Sleeper::new();

struct Speaker;

impl Drop for Speaker {
    fn drop(&mut self) {
        // No assertions: their panic could not be caught here.
        let read = (0..32).filter(|_| LAST_WORDS.try_read().is_some()).count();
        let timed_out = LAST_WORDS.try_write_for(Duration::from_micros(10)).is_none();
        SAYING_THEM.about_to_block();
        *LAST_WORDS.write() += if timed_out { read } else { 100 };
    }
}

thread_local! {
    static SPEAKER: Cell<Option<Speaker>> = const { Cell::new(None) };
}

#[test]
fn lock_in_a_thread_local_destructor() {
    watchdog(|| {
        let reader = LAST_WORDS.read();
        let thread = thread::spawn(|| SPEAKER.set(Some(Speaker)));
        SAYING_THEM.until_asleep();
        drop(reader);
        thread.join().unwrap();
        assert_eq!(*LAST_WORDS.read(), 32);
    });
}
