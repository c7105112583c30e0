//! The guards of a `ReentrantMutex`, what it guards and what it shows.

use std::cell::Cell;
use std::fmt::{self, Debug, Display};
use std::mem;
use std::panic::catch_unwind;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use lockwork::{ArcReentrantMutexGuard, MappedReentrantMutexGuard, ReentrantMutex, ReentrantMutexGuard};

use super::{count_slowly, is_free};
use crate::support::{Counted, Drops, SHORT, elsewhere, shown, unwind, watchdog};

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
#[cfg_attr(feature = "diagnose", ignore = "locks have names, and guards entries")]
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
