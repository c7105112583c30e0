//! Levels of a `ReentrantMutex`: of one thread, counted, given back one by one.

use std::cell::{Cell, RefCell};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{MappedReentrantMutexGuard, ReentrantMutex, ReentrantMutexGuard};

use super::{Level, WAYS, count_slowly, is_free, take};
use crate::support::{
    SHORT, Sleeper, cases, either, elsewhere, parties, repeat, rounds, shown, unwind, watchdog,
};

// CPython: test_acquire_release, test_reacquire.
#[test]
fn lock_again_and_again() {
    let mutex = ReentrantMutex::new(Cell::new(0));
    for _ in repeat(1000) {
        let outer = mutex.lock();
        let inner = mutex.lock();
        outer.set(inner.get() + 1);
    }
    assert_eq!(mutex.into_inner().get(), rounds(1000));
}

// CPython: test_recursion_count, by `hold_count`.
#[test]
fn hold_count_counts_levels() {
    let mutex = shown(ReentrantMutex::new(Cell::new(0)));
    let mut levels = Vec::new();
    for depth in 0..200 {
        assert_eq!(mutex.hold_count(), depth);
        assert_eq!(mutex.is_owned_by_current_thread(), depth > 0);
        assert_eq!(mutex.is_locked(), depth > 0);
        levels.push(take(&mutex, depth, SHORT).expect("it is ours"));
    }
    // The first goes first, then the last.
    for left in (0..200).rev() {
        let index = if left % 2 == 0 { levels.len() - 1 } else { 0 };
        drop(levels.remove(index));
        assert_eq!(mutex.hold_count(), left);
    }
    assert!(!mutex.is_locked());
    assert!(is_free(&mutex));
    assert_eq!(Arc::strong_count(&mutex), 1);
}

#[test]
fn every_way_locks_at_every_depth() {
    let mutex = shown(ReentrantMutex::new(Cell::new(0)));
    for outer in 0..WAYS {
        for inner in 0..WAYS {
            let first = take(&mutex, outer, SHORT).expect("free");
            let second = take(&mutex, inner, Duration::ZERO).expect("ours");
            assert_eq!(mutex.hold_count(), 2);
            assert!(ptr::eq(first.value(), second.value()));
            drop(first);
            assert!(!is_free(&mutex), "one level is left");
            second.unlock_fair();
            assert!(is_free(&mutex));
        }
    }
}

// CPython: test_different_thread, test__is_owned.
#[test]
fn other_threads_own_nothing() {
    let mutex = ReentrantMutex::new(Cell::new(0));
    let ask = || (mutex.is_locked(), mutex.is_owned_by_current_thread(), mutex.hold_count());
    assert_eq!(elsewhere(ask), (false, false, 0));
    let outer = mutex.lock();
    assert_eq!(elsewhere(ask), (true, false, 0));
    let inner = mutex.lock();
    assert_eq!(elsewhere(ask), (true, false, 0));
    assert_eq!(ask(), (true, true, 2));
    drop(outer);
    assert_eq!(elsewhere(ask), (true, false, 0));
    drop(inner);
    assert_eq!(elsewhere(ask), (false, false, 0));
    assert_eq!(ask(), (false, false, 0));
}

// CPython: test_release_unacquired is a matter of types: there is no unlock without a guard, and no guard
// leaves its thread (tests/auto_traits.rs). What is left is that a lock which another thread has can be asked
// about and not taken.
#[test]
fn only_the_owner_gets_in() {
    watchdog(|| {
        let mutex = shown(ReentrantMutex::new(Cell::new(0)));
        let guards = [mutex.lock(), mutex.lock()];
        for guard in guards {
            elsewhere(|| {
                assert!(mutex.try_lock().is_none());
                assert!(mutex.try_lock_arc().is_none());
                assert!(mutex.try_lock_for(Duration::ZERO).is_none());
                assert!(mutex.try_lock_arc_until(Instant::now()).is_none());
            });
            drop(guard);
        }
        assert!(is_free(&mutex));
    });
}

// CPython: test_try_acquire_contended, test_acquire_contended.
#[test]
fn held_lock_keeps_others_out_until_the_last_level() {
    watchdog(|| {
        for parties in parties() {
            let (mutex, got_in) = (ReentrantMutex::new(Cell::new(0)), AtomicUsize::new(0));
            let sleepers = Sleeper::several(parties);
            thread::scope(|s| {
                let outer = mutex.lock();
                let inner = mutex.lock();
                for sleeper in &sleepers {
                    s.spawn(|| {
                        sleeper.about_to_block();
                        let outer = mutex.lock();
                        let inner = mutex.lock();
                        outer.set(inner.get() + 1);
                        got_in.fetch_add(1, Relaxed);
                    });
                }
                Sleeper::until_all_asleep(&sleepers);
                drop(outer);
                // The holder nests though others wait.
                drop(mutex.lock());
                assert!(mutex.try_lock_for(Duration::ZERO).is_some());
                assert_eq!(got_in.load(Relaxed), 0);
                drop(inner);
            });
            assert_eq!((mutex.into_inner().get(), got_in.into_inner()), (parties, parties));
        }
    });
}

#[test]
fn recursive_calls_share_the_lock() {
    fn add_up(mutex: &ReentrantMutex<RefCell<Vec<u32>>>, n: u32) -> u32 {
        let list = mutex.lock();
        list.borrow_mut().push(n);
        if n == 0 { 0 } else { n + add_up(mutex, n - 1) }
    }

    let mutex = ReentrantMutex::new(RefCell::new(Vec::new()));
    assert_eq!(add_up(&mutex, 100), 5050);
    assert!(!mutex.is_locked());
    assert_eq!(mutex.lock().borrow().len(), 101);
}

// CPython: timed acquire works for the owner at any depth and returns False for others.
#[test]
fn timed_locks_at_any_depth() {
    watchdog(|| {
        let mutex = shown(ReentrantMutex::new(Cell::new(0)));
        let past = Instant::now();
        let mut levels = Vec::new();
        for _ in 0..10 {
            levels.push(Level::Whole(mutex.try_lock_for(Duration::MAX).expect("ours")));
            levels.push(Level::Whole(mutex.try_lock_for(Duration::ZERO).expect("ours")));
            levels.push(Level::Whole(mutex.try_lock_until(past).expect("ours")));
            levels.push(Level::Arc(mutex.try_lock_arc_for(Duration::MAX).expect("ours")));
            levels.push(Level::Arc(mutex.try_lock_arc_until(past).expect("ours")));
            elsewhere(|| {
                for way in cases([2, 3, 6, 7]) {
                    let start = Instant::now();
                    assert!(take(&mutex, way, Duration::from_millis(1)).is_none());
                    assert!(start.elapsed() >= Duration::from_millis(1));
                }
                assert_eq!(mutex.hold_count(), 0);
            });
        }
        assert_eq!(mutex.hold_count(), 50);
    });
}

// CPython: test_with.
#[test]
fn unwinding_restores_the_depth() {
    let mutex = shown(ReentrantMutex::new(Cell::new(0)));
    for way in 0..WAYS {
        let outer = take(&mutex, way, SHORT).expect("free");
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let _levels = [take(&mutex, way + 1, SHORT), take(&mutex, way + 2, SHORT)];
            assert_eq!(mutex.hold_count(), 3);
            unwind();
        }));
        assert!(unwound.is_err());
        assert_eq!(mutex.hold_count(), 1);
        assert!(!is_free(&mutex));
        drop(outer);
        assert!(is_free(&mutex), "and not poisoned");
    }
    let panicked = thread::scope(|s| {
        s.spawn(|| {
            let _levels = [mutex.lock(), mutex.lock()];
            unwind();
        })
        .join()
    });
    assert!(panicked.is_err());
    assert!(!mutex.is_locked());
}

#[test]
fn panic_while_mapping_unlocks_one_level() {
    let mutex = ReentrantMutex::new((1, 2));
    let outer = mutex.lock();
    let unwound =
        catch_unwind(AssertUnwindSafe(|| ReentrantMutexGuard::map::<i32, _>(mutex.lock(), |_| unwind())));
    assert!(unwound.is_err());
    assert_eq!(mutex.hold_count(), 1);
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let mapped = ReentrantMutexGuard::map(mutex.lock(), |pair| &pair.0);
        MappedReentrantMutexGuard::try_map::<i32, _>(mapped, |_| unwind())
    }));
    assert!(unwound.is_err());
    assert_eq!(mutex.hold_count(), 1);
    drop(outer);
    assert!(!mutex.is_locked());
}

#[test]
fn unlocked_gives_up_one_level_and_takes_it_again() {
    let mutex = shown(ReentrantMutex::new(Cell::new(0)));
    for way in cases([0, 4]) {
        for fair in either("fair ") {
            let mut outer = take(&mutex, way, SHORT).expect("free");
            let result = outer.unlocked(fair, || {
                assert_eq!(mutex.hold_count(), 0);
                elsewhere(|| count_slowly(&mutex.lock()));
                "result"
            });
            assert_eq!(result, Some("result"));
            assert_eq!(mutex.hold_count(), 1);
            assert!(!is_free(&mutex));

            let mut inner = take(&mutex, way, SHORT).expect("ours");
            inner.unlocked(fair, || {
                assert_eq!(mutex.hold_count(), 1);
                assert!(!is_free(&mutex), "the outer level keeps it");
            });
            assert_eq!(mutex.hold_count(), 2);

            // The outer guard may go first: then the inner one is the last.
            drop(outer);
            inner.unlocked(fair, || assert!(is_free(&mutex)));
            assert_eq!(mutex.hold_count(), 1);
        }
    }
    assert!(is_free(&mutex));
    assert_eq!(mutex.lock().get(), 4);
}

#[test]
fn unlocked_locks_again_after_a_panic() {
    let mutex = shown(ReentrantMutex::new(Cell::new(0)));
    for way in cases([0, 4]) {
        for fair in either("fair ") {
            let mut outer = take(&mutex, way, SHORT).expect("free");
            for depth in cases([1, 2]) {
                assert!(catch_unwind(AssertUnwindSafe(|| outer.unlocked(fair, || unwind()))).is_err());
                assert_eq!(mutex.hold_count(), depth);
                assert!(!is_free(&mutex));
                if depth == 1 {
                    mem::forget(mutex.lock());
                }
            }
            unsafe { mutex.force_unlock() };
            assert_eq!(outer.value().get(), 0);
            drop(outer);
            assert!(is_free(&mutex));
        }
    }
}

#[test]
fn last_level_hands_over_and_no_other() {
    if !Sleeper::SURE {
        return;
    }
    watchdog(|| {
        for bump in either("bump ") {
            for way in cases([0, 4]) {
                for _ in repeat(20) {
                    let mutex = shown(ReentrantMutex::new(Cell::new(0)));
                    let (sleeper, served) = (Sleeper::new(), AtomicUsize::new(0));
                    thread::scope(|s| {
                        let mut outer = take(&mutex, way, SHORT).expect("free");
                        s.spawn(|| {
                            sleeper.about_to_block();
                            let _guard = mutex.lock();
                            served.fetch_add(1, Relaxed);
                        });
                        sleeper.until_asleep();
                        let mut inner = take(&mutex, way, SHORT).expect("ours");
                        inner.bump();
                        inner.unlocked(true, || ());
                        inner.unlock_fair();
                        assert_eq!(served.load(Relaxed), 0, "the outer level is left");
                        if bump {
                            outer.bump();
                        } else {
                            outer.unlock_fair();
                            outer = take(&mutex, way, SHORT).unwrap_or_else(|| unreachable!());
                        }
                        assert_eq!(served.load(Relaxed), 1);
                        assert_eq!(mutex.hold_count(), 1);
                        drop(outer);
                    });
                }
            }
        }
    });
}

#[test]
fn bump_keeps_the_lock_if_no_thread_waits() {
    let mutex = shown(ReentrantMutex::new(Cell::new(0)));
    for way in cases([0, 4]) {
        let mut outer = take(&mutex, way, SHORT).expect("free");
        outer.bump();
        let mut inner = take(&mutex, way, SHORT).expect("ours");
        inner.bump();
        assert_eq!(mutex.hold_count(), 2);
    }
}
