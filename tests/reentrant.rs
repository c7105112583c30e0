//! `ReentrantMutex`, `ReentrantMutexGuard`, `MappedReentrantMutexGuard`, `ArcReentrantMutexGuard`.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Debug, Display};
use std::hint::black_box;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{ArcReentrantMutexGuard, MappedReentrantMutexGuard, ReentrantMutex, ReentrantMutexGuard};
use proptest::prelude::*;

use crate::support::{
    Counted, Drops, LIMIT, Sleeper, allocations_during, either, eventually, parties, repeat, rounds, shown,
    watchdog,
};

/// Long enough to be measured, short enough to be waited for.
const SHORT: Duration = Duration::from_millis(15);

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

fn unwind() -> ! {
    resume_unwind(Box::new("on purpose"))
}

/// What another thread says.
fn elsewhere<R: Send>(body: impl FnOnce() -> R + Send) -> R {
    thread::scope(|s| s.spawn(body).join().unwrap())
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

// --- Levels --------------------------------------------------------------------------------------------------------

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

// CPython: test_release_unacquired is a matter of types: there is no unlock without a guard, and no guard leaves its
// thread (tests/auto_traits.rs). What is left is that a lock which another thread has can be asked about and not taken.
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
                // The holder nests whoever waits.
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

// --- Timed ---------------------------------------------------------------------------------------------------------

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
                for way in [2, 3, 6, 7] {
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

#[test]
fn timed_waiter_gets_the_lock_before_its_deadline() {
    watchdog(|| {
        let mutex = shown(ReentrantMutex::new(Cell::new(0)));
        for timeout in [LIMIT, Duration::MAX, Duration::from_secs(u64::MAX / 2)] {
            for arc in either("arc ") {
                let sleeper = Sleeper::new();
                thread::scope(|s| {
                    let (outer, inner) = (mutex.lock(), mutex.lock());
                    s.spawn(|| {
                        sleeper.about_to_block();
                        let level = take(&mutex, if arc { 6 } else { 2 }, timeout).expect("in time");
                        assert_eq!(mutex.hold_count(), 1);
                        level.value().set(level.value().get() + 1);
                    });
                    sleeper.until_asleep();
                    drop((outer, inner));
                });
            }
        }
        assert_eq!(mutex.lock().get(), 6);
    });
}

// CPython: test_timeout, test_state_after_timeout.
#[test]
fn timeout_leaves_the_lock_usable_for_both() {
    watchdog(|| {
        let (mutex, gave_up) = (ReentrantMutex::new(Cell::new(0)), AtomicBool::new(false));
        thread::scope(|s| {
            let (outer, inner) = (mutex.lock(), mutex.lock());
            s.spawn(|| {
                let start = Instant::now();
                assert!(mutex.try_lock_for(SHORT).is_none());
                assert!(start.elapsed() >= SHORT);
                assert!(!mutex.is_owned_by_current_thread());
                gave_up.store(true, Relaxed);
                let value = mutex.lock();
                value.set(value.get() + mutex.hold_count());
            });
            eventually(|| gave_up.load(Relaxed));
            drop((outer, inner));
            let value = mutex.lock();
            value.set(value.get() + mutex.hold_count());
        });
        assert_eq!(mutex.try_lock_for(Duration::ZERO).expect("nobody has it").get(), 2);
    });
}

// CPython: test_thread_leak.
#[test]
fn unlocks_and_timeouts_race() {
    watchdog(|| {
        for parties in parties() {
            let (mutex, got_in) = (ReentrantMutex::new(Cell::new(0)), AtomicUsize::new(0));
            thread::scope(|s| {
                for party in 0..parties {
                    let (mutex, got_in) = (&mutex, &got_in);
                    s.spawn(move || {
                        for round in repeat(200) {
                            let timeout = Duration::from_micros(((party * 17 + round) % 100) as u64);
                            if let Some(guard) = mutex.try_lock_for(timeout) {
                                count_slowly(&mutex.try_lock_for(timeout).expect("ours"));
                                got_in.fetch_add(1, Relaxed);
                                drop(guard);
                            }
                            assert_eq!(mutex.hold_count(), 0);
                        }
                        count_slowly(&mutex.lock());
                        got_in.fetch_add(1, Relaxed);
                    });
                }
            });
            assert_eq!(mutex.into_inner().get(), got_in.into_inner());
        }
    });
}

// --- Panics --------------------------------------------------------------------------------------------------------

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

// --- Unlocking for a while, handing over ---------------------------------------------------------------------------

#[test]
fn unlocked_gives_up_one_level_and_takes_it_again() {
    let mutex = shown(ReentrantMutex::new(Cell::new(0)));
    for way in [0, 4] {
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
    for way in [0, 4] {
        for fair in either("fair ") {
            let mut outer = take(&mutex, way, SHORT).expect("free");
            for depth in [1, 2] {
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
            for way in [0, 4] {
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
fn bump_keeps_the_lock_if_nobody_waits() {
    let mutex = shown(ReentrantMutex::new(Cell::new(0)));
    for way in [0, 4] {
        let mut outer = take(&mutex, way, SHORT).expect("free");
        outer.bump();
        let mut inner = take(&mutex, way, SHORT).expect("ours");
        inner.bump();
        assert_eq!(mutex.hold_count(), 2);
    }
}

// --- Guards --------------------------------------------------------------------------------------------------------

#[test]
fn map_narrows_and_unlocks_once() {
    let mutex = ReentrantMutex::new(((1, 2), "three"));
    let whole = mutex.lock();
    let pair = ReentrantMutexGuard::map(mutex.lock(), |all| &all.0);
    assert_eq!((*pair, mutex.hold_count()), ((1, 2), 2));
    let second = MappedReentrantMutexGuard::map(pair, |pair| &pair.1);
    assert_eq!((*second, whole.1, mutex.hold_count()), (2, "three", 2));
    drop(whole);
    assert!(!is_free(&mutex));
    drop(second);
    assert!(is_free(&mutex));
}

#[test]
fn try_map_gives_the_guard_back() {
    let mutex = ReentrantMutex::new(vec![1, 2]);
    let guard = ReentrantMutexGuard::try_map(mutex.lock(), |list| list.get(9)).expect_err("no tenth");
    assert_eq!(mutex.hold_count(), 1);
    let (guard, error) =
        ReentrantMutexGuard::try_map_or_err(guard, |list| list.get(9).ok_or("none")).expect_err("no tenth");
    assert_eq!((guard.len(), error), (2, "none"));
    let list = ReentrantMutexGuard::try_map(guard, |list| Some(list.as_slice())).expect("a slice");
    let list = MappedReentrantMutexGuard::try_map(list, |list| list.get(9)).expect_err("no tenth");
    let (list, error) =
        MappedReentrantMutexGuard::try_map_or_err(list, |list| list.get(9).ok_or(9)).expect_err("no tenth");
    assert_eq!((list.len(), error, mutex.hold_count()), (2, 9, 1));
    let last = MappedReentrantMutexGuard::try_map_or_err(list, |list| list.last().ok_or(())).expect("one");
    assert_eq!(*last, 2);
    MappedReentrantMutexGuard::unlock_fair(last);
    assert!(!mutex.is_locked());
}

#[test]
fn guards_know_their_mutex() {
    let mutex = shown(ReentrantMutex::new(0));
    let guard = mutex.lock();
    assert!(ptr::eq(ReentrantMutexGuard::remutex(&guard), &raw const *mutex));
    let arc = mutex.lock_arc();
    assert!(Arc::ptr_eq(ArcReentrantMutexGuard::remutex(&arc), &mutex));
    let back = ArcReentrantMutexGuard::into_arc(arc);
    assert!(Arc::ptr_eq(&back, &mutex));
    assert_eq!((mutex.hold_count(), Arc::strong_count(&mutex)), (1, 2));
    drop(guard);
    assert!(Arc::ptr_eq(&ArcReentrantMutexGuard::into_arc_fair(back.lock_arc()), &mutex));
    assert!(!mutex.is_locked());
}

#[test]
fn guard_is_shared_with_other_threads() {
    let mutex = ReentrantMutex::new(AtomicUsize::new(0));
    let guard = mutex.lock();
    let mapped = ReentrantMutexGuard::map(mutex.lock(), |value| value);
    thread::scope(|s| {
        s.spawn(|| guard.fetch_add(1, Relaxed));
        s.spawn(|| mapped.fetch_add(1, Relaxed));
        // A shared guard is no right to the lock.
        s.spawn(|| assert!(ReentrantMutexGuard::remutex(&guard).try_lock().is_none()));
    });
    assert_eq!(guard.load(Relaxed), 2);
}

#[test]
fn force_unlock_ends_one_forgotten_guard() {
    let mutex = shown(ReentrantMutex::new(1));
    mem::forget([mutex.lock(), mutex.lock(), mutex.lock()]);
    unsafe { mutex.force_unlock() };
    assert_eq!(mutex.hold_count(), 2);
    let guard = unsafe { mutex.make_guard_unchecked() };
    assert_eq!((*guard, mutex.hold_count()), (1, 2));
    drop(guard);
    assert_eq!(mutex.hold_count(), 1);
    unsafe { mutex.force_unlock_fair() };
    assert!(is_free(&mutex));

    mem::forget(mutex.lock());
    drop(unsafe { mutex.make_arc_guard_unchecked() });
    assert!(is_free(&mutex));
    assert_eq!(Arc::strong_count(&mutex), 1);
}

#[test]
fn data_ptr_points_to_the_value() {
    let mut mutex = ReentrantMutex::new(1);
    *mutex.get_mut() = 2;
    assert!(ptr::eq(mutex.data_ptr(), &raw const *mutex.lock()));
    assert_eq!(mutex.into_inner(), 2);
}

// --- Payloads and traits -------------------------------------------------------------------------------------------

#[test]
fn unsized_payloads() {
    let number = ReentrantMutex::new(5);
    let shown: &ReentrantMutex<dyn Display> = &number;
    let outer = shown.lock();
    assert_eq!(shown.try_lock().unwrap().to_string(), "5");
    drop(outer);
    let mut list: Box<ReentrantMutex<[u8]>> = Box::new(ReentrantMutex::new([1, 2, 3]));
    list.get_mut()[0] = 9;
    assert_eq!(*list.lock(), [9, 2, 3]);
    let tail = ReentrantMutexGuard::map(list.lock(), |list| &list[1..]);
    assert_eq!(*tail, [2, 3]);
    let list: Arc<ReentrantMutex<[u8]>> = Arc::new(ReentrantMutex::new([1, 2]));
    assert_eq!(list.lock_arc().len() + list.try_lock_arc_for(SHORT).unwrap().len(), 4);
}

#[test]
fn values_are_dropped_once() {
    let drops = Drops::new();
    drop(ReentrantMutex::new(drops.value()));
    assert_eq!(drops.count(), 1);
    let value: Counted = ReentrantMutex::new(drops.value()).into_inner();
    assert_eq!(drops.count(), 1);
    drop(value);
    assert_eq!(drops.count(), 2);

    let mutex = shown(ReentrantMutex::new(drops.value()));
    drop((mutex.lock(), mutex.lock()));
    drop(ReentrantMutexGuard::map(mutex.lock(), |value| value));
    let guards = [mutex.lock_arc(), mutex.lock_arc()];
    drop(mutex);
    assert_eq!(drops.count(), 2, "the guards keep the mutex");
    drop(guards);
    assert_eq!(drops.count(), 3);

    let mutex = ReentrantMutex::new(drops.value());
    mem::forget(mutex.lock());
    drop(mutex);
    assert_eq!(drops.count(), 4, "locked or not");
}

#[test]
fn debug_never_blocks() {
    watchdog(|| {
        let mutex = shown(ReentrantMutex::new(7));
        let show = || format!("{mutex:?}");
        assert_eq!(show(), "ReentrantMutex { data: 7 }");
        let guard = mutex.lock();
        assert_eq!(show(), "ReentrantMutex { data: 7 }", "its owner may look");
        assert_eq!(mutex.hold_count(), 1);
        assert_eq!(elsewhere(show), "ReentrantMutex { data: <locked> }");
        assert_eq!(format!("{guard:?} {guard}"), "7 7");
        let arc = mutex.lock_arc();
        assert_eq!(format!("{arc:?} {arc:>3}"), "7   7");
        let mapped = ReentrantMutexGuard::map(guard, |value| value);
        assert_eq!(format!("{mapped:?} {mapped}"), "7 7");
    });
}

#[test]
fn debug_releases_after_a_panic() {
    struct Shy;

    impl Debug for Shy {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            unwind()
        }
    }

    let mutex = ReentrantMutex::new(Shy);
    let _guard = mutex.lock();
    assert!(catch_unwind(|| format!("{mutex:?}")).is_err());
    assert_eq!(mutex.hold_count(), 1);
}

#[test]
fn default_and_from() {
    assert_eq!(*ReentrantMutex::<u32>::default().lock(), 0);
    let mutex: ReentrantMutex<&str> = "text".into();
    assert_eq!(mutex.into_inner(), "text");
}

#[test]
fn sizes() {
    const WORD: usize = size_of::<usize>();
    assert!(size_of::<ReentrantMutex<()>>() <= 24);
    assert!(size_of::<ReentrantMutexGuard<'_, u8>>() <= WORD);
    assert!(size_of::<MappedReentrantMutexGuard<'_, u8>>() <= 2 * WORD);
    assert!(size_of::<Option<ArcReentrantMutexGuard<u8>>>() <= WORD);
}

static CALLS: ReentrantMutex<Cell<usize>> = ReentrantMutex::new(Cell::new(0));

#[test]
fn statics_need_no_setting_up() {
    watchdog(|| {
        thread::scope(|s| {
            for _ in 0..8 {
                s.spawn(|| {
                    let _outer = CALLS.lock();
                    count_slowly(&CALLS.lock());
                });
            }
        });
        assert_eq!(CALLS.lock().get(), 8);
    });
}

// --- Threads -------------------------------------------------------------------------------------------------------

#[test]
fn ended_thread_leaves_its_lock_to_nobody() {
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
        // No assertions: nobody could catch their panic here.
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

// --- Programs ------------------------------------------------------------------------------------------------------

#[derive(Clone, Copy, Debug)]
enum Step {
    Take(usize),
    Drop(usize),
    Fair(usize),
    Bump(usize),
    Unlocked(usize, bool),
    Panic(usize),
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..WAYS).prop_map(Step::Take),
        2 => any::<usize>().prop_map(Step::Drop),
        1 => any::<usize>().prop_map(Step::Fair),
        1 => any::<usize>().prop_map(Step::Bump),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(index, fair)| Step::Unlocked(index, fair)),
        1 => (0..WAYS).prop_map(Step::Panic),
    ]
}

/// The specification: a number of levels.
fn follow(program: Vec<Step>) {
    let mutex = shown(ReentrantMutex::new(Cell::new(0)));
    let mut levels = Vec::new();
    for step in program {
        let at = |index: usize| (!levels.is_empty()).then(|| index % levels.len());
        match step {
            Step::Take(way) => levels.push(take(&mutex, way, Duration::ZERO).expect("free or ours")),
            Step::Drop(index) => drop(at(index).map(|index| levels.remove(index))),
            Step::Fair(index) => {
                if let Some(index) = at(index) {
                    levels.remove(index).unlock_fair();
                }
            }
            Step::Bump(index) => {
                if let Some(index) = at(index) {
                    levels[index].bump();
                }
            }
            Step::Unlocked(index, fair) => {
                if let Some(index) = at(index) {
                    let depth = levels.len();
                    levels[index].unlocked(fair, || assert_eq!(mutex.hold_count(), depth - 1));
                }
            }
            Step::Panic(way) => {
                let unwound = catch_unwind(AssertUnwindSafe(|| {
                    let _level = take(&mutex, way, Duration::ZERO);
                    unwind();
                }));
                assert!(unwound.is_err());
            }
        }
        assert_eq!(mutex.hold_count(), levels.len());
        assert_eq!(mutex.is_locked(), !levels.is_empty());
    }
    let free = elsewhere(|| mutex.try_lock().is_some());
    assert_eq!(free, levels.is_empty());
    drop(levels);
    assert!(!mutex.is_locked());
    Arc::into_inner(mutex).expect("guards are gone");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: rounds(200) as u32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn programs_follow_the_specification(program in prop::collection::vec(steps(), 0..40)) {
        follow(program);
    }
}
