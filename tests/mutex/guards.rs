//! The guards of a `Mutex`, and locking without them.

use std::mem;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use lockwork::{
    ArcMutexGuard, AutoResetEvent, Condvar, Event, MappedMutexGuard, Mutex, MutexGuard, WaitTimeoutResult,
};

use crate::support::shown;

#[test]
fn map_narrows_and_unlocks_once() {
    let mutex = Mutex::new(((1, 2), "three"));
    let pair = MutexGuard::map(mutex.lock(), |all| &mut all.0);
    assert_eq!(*pair, (1, 2));
    assert!(mutex.is_locked());
    let mut second = MappedMutexGuard::map(pair, |pair| &mut pair.1);
    assert!(mutex.is_locked());
    *second = 4;
    drop(second);
    assert!(!mutex.is_locked());
    assert_eq!(*mutex.lock(), ((1, 4), "three"));

    MappedMutexGuard::unlock_fair(MutexGuard::map(mutex.lock(), |all| &mut all.1));
    assert!(!mutex.is_locked());
}

#[test]
fn try_map_gives_the_guard_back() {
    let mutex = Mutex::new(vec![1, 2]);
    let guard = MutexGuard::try_map(mutex.lock(), |list| list.get_mut(9)).expect_err("no tenth");
    assert!(mutex.is_locked());
    assert_eq!(*guard, [1, 2]);
    let (guard, error) = MutexGuard::try_map_or_err(guard, |list| list.get_mut(9).ok_or("no tenth"))
        .expect_err("still no tenth");
    assert_eq!((guard.len(), error), (2, "no tenth"));

    let list = MutexGuard::try_map(guard, |list| Some(list.as_mut_slice())).expect("a slice");
    let list = MappedMutexGuard::try_map(list, |list| list.get_mut(9)).expect_err("no tenth");
    assert!(mutex.is_locked());
    let (list, error) =
        MappedMutexGuard::try_map_or_err(list, |list| list.get_mut(9).ok_or(9)).expect_err("still no tenth");
    assert_eq!((list.len(), error), (2, 9));
    let mut first =
        MappedMutexGuard::try_map_or_err(list, |list| list.first_mut().ok_or(())).expect("a first");
    *first = 3;
    let first = MappedMutexGuard::try_map(first, |first| Some(first)).expect("itself");
    drop(first);
    assert!(!mutex.is_locked());

    let mut last =
        MutexGuard::try_map_or_err(mutex.lock(), |list| list.last_mut().ok_or(())).expect("a last");
    *last = 4;
    drop(last);
    assert_eq!(mutex.into_inner(), [3, 4]);
}

#[test]
fn guards_know_their_mutex() {
    let mutex = shown(Mutex::new(0));
    let guard = mutex.lock();
    assert!(ptr::eq(MutexGuard::mutex(&guard), &raw const *mutex));
    drop(guard);
    let guard = mutex.lock_arc();
    assert!(Arc::ptr_eq(ArcMutexGuard::mutex(&guard), &mutex));
    assert_eq!(Arc::strong_count(&mutex), 2);
    let back = ArcMutexGuard::into_arc(guard);
    assert!(!mutex.is_locked());
    assert!(Arc::ptr_eq(&back, &mutex));
    assert_eq!(Arc::strong_count(&mutex), 2);
}

#[test]
fn leak_keeps_the_lock() {
    let mutex = Mutex::new(1);
    let value = MutexGuard::leak(mutex.lock());
    *value += 1;
    assert!(mutex.is_locked());
    assert!(mutex.try_lock_for(Duration::from_micros(10)).is_none());
    *value += 1;
    assert_eq!(mutex.into_inner(), 3);
}

#[test]
fn force_unlock_ends_a_forgotten_guard() {
    let mutex = Mutex::new(1);
    mem::forget(mutex.lock());
    assert!(mutex.is_locked());
    unsafe { mutex.force_unlock() };
    assert!(!mutex.is_locked());

    mem::forget(mutex.lock());
    unsafe { mutex.force_unlock_fair() };
    assert!(!mutex.is_locked());

    mem::forget(mutex.lock());
    let mut guard = unsafe { mutex.make_guard_unchecked() };
    *guard = 2;
    assert!(mutex.is_locked());
    drop(guard);
    assert!(!mutex.is_locked());
    assert_eq!(*mutex.lock(), 2);
}

#[test]
fn data_ptr_points_to_the_value() {
    let mut mutex = Mutex::new(1);
    *mutex.get_mut() = 2;
    let guard = mutex.lock();
    assert!(ptr::eq(mutex.data_ptr(), &raw const *guard));
    unsafe { *mutex.data_ptr() = 3 };
    assert_eq!(*guard, 3);
}

#[test]
fn guards_show_their_value() {
    let mutex = Arc::new(Mutex::new(7));
    assert_eq!(format!("{mutex:#?}"), "Mutex {\n    data: 7,\n}");
    let guard = mutex.lock();
    assert_eq!(format!("{mutex:#?}"), "Mutex {\n    data: <locked>,\n}");
    assert_eq!(format!("{guard:?} {guard}"), "7 7");
    let mapped = MutexGuard::map(guard, |value| value);
    assert_eq!(format!("{mapped:?} {mapped}"), "7 7");
    drop(mapped);
    let guard = mutex.lock_arc();
    assert_eq!(format!("{guard:?} {guard:>3}"), "7   7");
    drop(guard);

    let list: &Mutex<[u8]> = &Mutex::new([1, 2]);
    assert_eq!(format!("{list:?}"), "Mutex { data: [1, 2] }");
}

#[test]
#[cfg_attr(feature = "diagnose", ignore = "locks have names, and guards entries")]
fn sizes() {
    const WORD: usize = size_of::<usize>();
    assert!(size_of::<Mutex<()>>() <= WORD);
    assert!(size_of::<Mutex<usize>>() <= 2 * WORD);
    assert!(size_of::<Condvar>() <= WORD);
    assert!(size_of::<Event>() <= 2 * WORD);
    assert!(size_of::<AutoResetEvent>() <= 2 * WORD);
    assert!(size_of::<MutexGuard<'_, u8>>() <= WORD);
    assert!(size_of::<MappedMutexGuard<'_, u8>>() <= 2 * WORD);
    assert!(size_of::<ArcMutexGuard<u8>>() <= WORD);
    assert!(size_of::<Option<MutexGuard<'_, u8>>>() <= WORD);
    assert!(size_of::<WaitTimeoutResult>() == 1);
}
