//! A `ReentrantMutex` and the threads it belongs to, their ends among them; and many at once.

use std::cell::Cell;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use lockwork::ReentrantMutex;

use super::{count_slowly, take};
use crate::support::{SHORT, allocations_during, either, elsewhere, parties, repeat, shown, watchdog};

#[test]
fn ended_thread_leaves_its_lock_locked() {
    watchdog(|| {
        let mutex = ReentrantMutex::new(0);
        elsewhere(|| mem::forget([mutex.lock(), mutex.lock()]));
        let theirs = ReentrantMutex::new(0);
        for _ in repeat(3000) {
            elsewhere(|| {
                // Asked before the thread has a number, and afterwards.
                assert!(!mutex.is_owned_by_current_thread());
                drop(theirs.lock());
                assert!(!mutex.is_owned_by_current_thread());
                assert_eq!(mutex.hold_count(), 0);
                assert!(mutex.try_lock().is_none());
            });
        }
        assert!(mutex.is_locked());
        assert!(mutex.try_lock_for(Duration::from_micros(100)).is_none());
    });
}

static LAST_WORDS: ReentrantMutex<Cell<usize>> = ReentrantMutex::new(Cell::new(0));

struct Speaker;

impl Drop for Speaker {
    fn drop(&mut self) {
        // No assertions: their panic could not be caught here.
        let outer = LAST_WORDS.lock();
        let inner = LAST_WORDS.try_lock();
        if inner.is_some() && LAST_WORDS.hold_count() == 2 {
            outer.set(outer.get() + 1);
        }
    }
}

thread_local! {
    static SPEAKER: Cell<Option<Speaker>> = const { Cell::new(None) };
}

#[test]
fn lock_in_a_thread_local_destructor() {
    watchdog(|| {
        for has_number in either("has_number ") {
            let thread = thread::spawn(move || {
                SPEAKER.set(Some(Speaker));
                if has_number {
                    drop(LAST_WORDS.lock());
                }
            });
            thread.join().unwrap();
        }
        assert_eq!(LAST_WORDS.lock().get(), 2);
    });
}

#[test]
fn locks_never_allocate() {
    let mutex = ReentrantMutex::new(0);
    let allocations = elsewhere(|| {
        allocations_during(|| {
            let _outer = mutex.lock();
            let _inner = mutex.try_lock_for(SHORT);
        })
    });
    assert_eq!(allocations, 0, "not even the first in a thread");
}

#[test]
fn stress_with_every_way() {
    watchdog(|| {
        for parties in parties() {
            let mutex = shown(ReentrantMutex::new(Cell::new(0)));
            let passed = AtomicUsize::new(0);
            thread::scope(|s| {
                for party in 0..parties {
                    let (mutex, passed) = (&mutex, &passed);
                    s.spawn(move || {
                        for round in repeat(1500) {
                            let n = party * 31 + round;
                            let Some(mut outer) = take(mutex, n, Duration::from_micros(n as u64 % 97)) else {
                                continue;
                            };
                            let inner = take(mutex, n / 7, Duration::ZERO).expect("ours");
                            count_slowly(inner.value());
                            passed.fetch_add(1, Relaxed);
                            match n % 29 {
                                0 => outer.unlock_fair(),
                                1 => {
                                    drop(inner);
                                    outer.bump();
                                    outer.unlocked(n % 2 == 0, || ());
                                }
                                n if n % 2 == 0 => drop(outer),
                                _ => {}
                            }
                        }
                        assert_eq!(mutex.hold_count(), 0);
                    });
                }
            });
            assert!(!mutex.is_locked());
            assert_eq!(mutex.lock().get(), passed.into_inner(), "with {parties} parties");
            assert_eq!(Arc::strong_count(&mutex), 1);
        }
    });
}
