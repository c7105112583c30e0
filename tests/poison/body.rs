//! What `std::sync`'s locks promise, in terms of `locks`, which is one crate's or the other's.

use std::cell::Cell;
use std::fmt::{Debug, Display};
use std::ops::DerefMut;
use std::panic::{self, AssertUnwindSafe, RefUnwindSafe, UnwindSafe};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use static_assertions::{assert_impl_all, assert_not_impl_any};

use super::locks::{
    Condvar, LockResult, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
    TryLockError, TryLockResult, WaitTimeoutResult,
};
use crate::support::watchdog;

type SyncOnly = std::sync::MutexGuard<'static, u8>;

assert_impl_all!(Mutex<u8>: Send, Sync, Unpin, Debug, Default, From<u8>);
assert_impl_all!(Mutex<Cell<u8>>: Send, Sync, UnwindSafe, RefUnwindSafe);
assert_not_impl_any!(Mutex<SyncOnly>: Send, Sync);
assert_not_impl_any!(Mutex<Rc<u8>>: Send, Sync);
assert_impl_all!(MutexGuard<'static, u8>: Sync, UnwindSafe, RefUnwindSafe, Debug, Display, DerefMut);
assert_impl_all!(MutexGuard<'static, Cell<u8>>: UnwindSafe, RefUnwindSafe);
assert_not_impl_any!(MutexGuard<'static, u8>: Send);
assert_not_impl_any!(MutexGuard<'static, Cell<u8>>: Send, Sync);
assert_impl_all!(RwLock<u8>: Send, Sync, Unpin, Debug, Default, From<u8>);
assert_impl_all!(RwLock<Cell<u8>>: Send, UnwindSafe, RefUnwindSafe);
assert_not_impl_any!(RwLock<Cell<u8>>: Sync);
assert_not_impl_any!(RwLock<SyncOnly>: Send, Sync);
assert_impl_all!(RwLockReadGuard<'static, u8>: Sync, UnwindSafe, RefUnwindSafe, Debug, Display);
assert_not_impl_any!(RwLockReadGuard<'static, u8>: Send, DerefMut);
assert_not_impl_any!(RwLockReadGuard<'static, Cell<u8>>: Sync, UnwindSafe);
assert_impl_all!(RwLockWriteGuard<'static, u8>: Sync, UnwindSafe, RefUnwindSafe, Debug, Display, DerefMut);
assert_impl_all!(RwLockWriteGuard<'static, Cell<u8>>: UnwindSafe, RefUnwindSafe);
assert_not_impl_any!(RwLockWriteGuard<'static, u8>: Send);
assert_impl_all!(Condvar: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Debug, Default);
assert_impl_all!(WaitTimeoutResult: Send, Sync, Copy, Eq, Debug);

/// Signatures to the letter: each method as a pointer of the type that `std` documents.
#[test]
#[allow(deprecated, reason = "std has it, so have we")]
fn signatures_are_those_of_std() {
    type M = Mutex<u8>;
    type G<'a> = MutexGuard<'a, u8>;
    type R = RwLock<u8>;
    type T = WaitTimeoutResult;
    const _: M = M::new(0);
    const _: R = R::new(0);
    const _: Condvar = Condvar::new();
    let _: for<'a> fn(&'a M) -> LockResult<G<'a>> = M::lock;
    let _: for<'a> fn(&'a M) -> TryLockResult<G<'a>> = M::try_lock;
    let _: for<'a> fn(&'a M) -> bool = M::is_poisoned;
    let _: for<'a> fn(&'a M) = M::clear_poison;
    let _: fn(M) -> LockResult<u8> = M::into_inner;
    let _: for<'a> fn(&'a mut M) -> LockResult<&'a mut u8> = M::get_mut;
    let _: for<'a> fn(&'a R) -> LockResult<RwLockReadGuard<'a, u8>> = R::read;
    let _: for<'a> fn(&'a R) -> TryLockResult<RwLockReadGuard<'a, u8>> = R::try_read;
    let _: for<'a> fn(&'a R) -> LockResult<RwLockWriteGuard<'a, u8>> = R::write;
    let _: for<'a> fn(&'a R) -> TryLockResult<RwLockWriteGuard<'a, u8>> = R::try_write;
    let _: for<'a> fn(&'a R) -> bool = R::is_poisoned;
    let _: for<'a> fn(&'a R) = R::clear_poison;
    let _: fn(R) -> LockResult<u8> = R::into_inner;
    let _: for<'a> fn(&'a mut R) -> LockResult<&'a mut u8> = R::get_mut;
    let _: for<'a, 'b> fn(&'b Condvar, G<'a>) -> LockResult<G<'a>> = Condvar::wait;
    let _: for<'a, 'b> fn(&'b Condvar, G<'a>, Duration) -> LockResult<(G<'a>, T)> = Condvar::wait_timeout;
    let _: for<'a, 'b> fn(&'b Condvar, G<'a>, u32) -> LockResult<(G<'a>, bool)> = Condvar::wait_timeout_ms;
    let _: for<'a> fn(&'a Condvar) = Condvar::notify_one;
    let _: for<'a> fn(&'a Condvar) = Condvar::notify_all;
    let _: for<'a> fn(&'a T) -> bool = T::timed_out;
}

/// A body written for the one is a body for the other, results included.
#[test]
fn results_are_of_the_standard_types() {
    fn as_std<T>(result: LockResult<T>) -> std::sync::LockResult<T> {
        result
    }
    let mutex = Mutex::new(1);
    assert_eq!(*as_std(mutex.lock()).unwrap(), 1);
    let error: std::sync::PoisonError<u8> = PoisonError::new(1);
    assert_eq!(error.into_inner(), 1);
    let error: std::sync::TryLockError<u8> = TryLockError::WouldBlock;
    assert!(matches!(error, std::sync::TryLockError::WouldBlock));
}

fn panic_with<T>(hold: impl FnOnce() -> T) {
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        let _held = hold();
        panic!("with the lock held");
    }));
    assert!(result.is_err());
}

#[test]
fn mutex_is_poisoned_by_a_panic_of_its_holder() {
    let mut mutex = Mutex::new(1);
    panic_with(|| mutex.lock());
    assert!(mutex.is_poisoned());
    assert_eq!(*mutex.lock().unwrap_err().into_inner(), 1);
    match mutex.try_lock() {
        Err(TryLockError::Poisoned(poisoned)) => assert_eq!(**poisoned.get_ref(), 1),
        _ => panic!("not poisoned"),
    };
    assert_eq!(*mutex.get_mut().unwrap_err().into_inner(), 1);
    assert_eq!(mutex.into_inner().unwrap_err().into_inner(), 1);
}

#[test]
fn mutex_is_poisoned_by_a_panic_in_another_thread() {
    let mutex = Arc::new(Mutex::new(vec![1]));
    let other = Arc::clone(&mutex);
    let joined = thread::spawn(move || {
        let mut value = other.lock().unwrap();
        value.push(2);
        panic!("half way");
    })
    .join();
    assert!(joined.is_err());
    assert!(mutex.is_poisoned());
    assert_eq!(*mutex.lock().unwrap_err().into_inner(), [1, 2]);
}

#[test]
fn held_poisoned_mutex_would_block() {
    let mutex = Mutex::new(1);
    panic_with(|| mutex.lock());
    let guard = mutex.lock().unwrap_err().into_inner();
    assert!(matches!(mutex.try_lock(), Err(TryLockError::WouldBlock)));
    drop(guard);
}

#[test]
fn cleared_poison_is_gone_until_the_next_panic() {
    let mutex = Mutex::new(1);
    for _ in 0..3 {
        panic_with(|| mutex.lock());
        assert!(mutex.lock().is_err());
        mutex.clear_poison();
        assert!(!mutex.is_poisoned());
        assert!(mutex.lock().is_ok());
    }
    let lock = RwLock::new(1);
    for _ in 0..3 {
        panic_with(|| lock.write());
        assert!(lock.read().is_err());
        lock.clear_poison();
        assert!(!lock.is_poisoned());
        assert!(lock.write().is_ok());
    }
}

#[test]
fn poison_cleared_under_the_guard_stays_cleared() {
    let mutex = Mutex::new(1);
    panic_with(|| mutex.lock());
    let guard = mutex.lock().unwrap_or_else(|mut poisoned| {
        **poisoned.get_mut() = 2;
        mutex.clear_poison();
        poisoned.into_inner()
    });
    assert!(!mutex.is_poisoned());
    drop(guard);
    assert_eq!(*mutex.lock().unwrap(), 2);
}

/// A destructor that runs because of a panic and locks in an orderly way breaks nothing.
#[test]
fn lock_in_a_destructor_during_a_panic_does_not_poison() {
    struct Counts<'a>(&'a Mutex<u32>, &'a RwLock<u32>);
    impl Drop for Counts<'_> {
        fn drop(&mut self) {
            assert!(thread::panicking());
            *self.0.lock().unwrap() += 1;
            *self.1.write().unwrap() += 1;
        }
    }
    let (mutex, lock) = (Mutex::new(0), RwLock::new(0));
    panic_with(|| Counts(&mutex, &lock));
    assert_eq!(*mutex.lock().unwrap(), 1);
    assert_eq!(*lock.read().unwrap(), 1);
}

#[test]
fn writer_poisons_and_reader_does_not() {
    let mut lock = RwLock::new(1);
    panic_with(|| lock.read());
    assert!(!lock.is_poisoned() && lock.read().is_ok() && lock.write().is_ok());
    panic_with(|| lock.write());
    assert!(lock.is_poisoned());
    assert_eq!(*lock.read().unwrap_err().into_inner(), 1);
    assert_eq!(*lock.write().unwrap_err().into_inner(), 1);
    assert!(matches!(lock.try_read(), Err(TryLockError::Poisoned(_))));
    assert!(matches!(lock.try_write(), Err(TryLockError::Poisoned(_))));
    let reader = lock.read();
    assert!(matches!(lock.try_write(), Err(TryLockError::WouldBlock)));
    drop(reader);
    assert_eq!(*lock.get_mut().unwrap_err().into_inner(), 1);
    assert_eq!(lock.into_inner().unwrap_err().into_inner(), 1);
}

#[test]
fn debug_tells_value_locked_and_poisoned() {
    let mutex = Mutex::new(1);
    assert_eq!(format!("{mutex:?}"), "Mutex { data: 1, poisoned: false, .. }");
    let guard = mutex.lock().unwrap();
    // Some versions of `std` quote the word.
    assert_eq!(format!("{mutex:?}").replace('"', ""), "Mutex { data: <locked>, poisoned: false, .. }");
    assert_eq!(format!("{guard:?} {guard}"), "1 1");
    drop(guard);
    panic_with(|| mutex.lock());
    assert_eq!(format!("{mutex:?}"), "Mutex { data: 1, poisoned: true, .. }");
    let _guard = mutex.lock();
    assert_eq!(format!("{mutex:?}").replace('"', ""), "Mutex { data: <locked>, poisoned: true, .. }");

    let lock = RwLock::new("a");
    assert_eq!(format!("{lock:?}"), "RwLock { data: \"a\", poisoned: false, .. }");
    let reader = lock.read().unwrap();
    assert_eq!(format!("{lock:?}"), "RwLock { data: \"a\", poisoned: false, .. }");
    assert_eq!(format!("{reader:?} {reader}"), "\"a\" a");
    drop(reader);
    panic_with(|| lock.write());
    assert_eq!(format!("{lock:?}"), "RwLock { data: \"a\", poisoned: true, .. }");
    let writer = lock.write().unwrap_err().into_inner();
    assert_eq!(format!("{lock:?}"), "RwLock { data: <locked>, poisoned: true, .. }");
    assert_eq!(format!("{writer:?} {writer}"), "\"a\" a");
    assert_eq!(format!("{:#?}", Mutex::new(1)), "Mutex {\n    data: 1,\n    poisoned: false,\n    ..\n}");

    assert_eq!(format!("{:?}", Condvar::new()), "Condvar { .. }");
}

#[test]
fn default_and_from_make_the_value() {
    assert_eq!(*Mutex::<u8>::default().lock().unwrap(), 0);
    assert_eq!(*RwLock::<u8>::default().read().unwrap(), 0);
    assert_eq!(Mutex::from(1).into_inner().unwrap(), 1);
    assert_eq!(RwLock::from(1).into_inner().unwrap(), 1);
}

#[test]
fn unsized_values_are_locked_in_place() {
    let mutex: &Mutex<[u8]> = &Mutex::new([1, 2, 3]);
    mutex.lock().unwrap()[0] = 9;
    assert_eq!(*mutex.lock().unwrap(), [9, 2, 3]);
    let lock: Arc<RwLock<dyn Debug>> = Arc::new(RwLock::new("a"));
    assert_eq!(format!("{:?}", lock.read().unwrap()), "\"a\"");
}

/// A read guard of a longer life is one of a shorter.
#[test]
fn read_guard_is_covariant() {
    fn same<'a>(_: &RwLockReadGuard<'_, &'a i32>, _: &'a i32) {}
    let long = 5;
    let lock = RwLock::new(&long);
    let guard = lock.read().unwrap();
    {
        let short = 6;
        let guard = lock.read().unwrap();
        same(&guard, &short);
    }
    assert_eq!(**guard, 5);
}

#[test]
fn statics_are_made_by_new() {
    static TOTAL: Mutex<usize> = Mutex::new(0);
    static LIMIT: RwLock<usize> = RwLock::new(8);
    static DONE: Condvar = Condvar::new();
    watchdog(|| {
        thread::scope(|s| {
            for _ in 0..*LIMIT.read().unwrap() {
                s.spawn(|| {
                    *TOTAL.lock().unwrap() += 1;
                    DONE.notify_all();
                });
            }
            let total = DONE.wait_while(TOTAL.lock().unwrap(), |total| *total < 8).unwrap();
            assert_eq!(*total, 8);
        });
    });
}

#[test]
fn wait_returns_the_poisoned_guard() {
    watchdog(|| {
        let pair = Arc::new((Mutex::new(1), Condvar::new()));
        let guard = pair.0.lock().unwrap();
        let other = Arc::clone(&pair);
        let notifier = thread::spawn(move || {
            let _guard = other.0.lock().unwrap();
            other.1.notify_all();
            panic!("with the lock held");
        });
        let Err(poisoned) = pair.1.wait(guard) else { panic!("not poisoned") };
        assert_eq!(*poisoned.into_inner(), 1);
        assert!(notifier.join().is_err());
        let guard = pair.0.lock().unwrap_err().into_inner();
        let Err(poisoned) = pair.1.wait_timeout(guard, Duration::from_millis(1)) else {
            panic!("not poisoned")
        };
        let (guard, result) = poisoned.into_inner();
        assert!(*guard == 1 && result.timed_out());
        let waited = pair.1.wait_timeout_while(guard, Duration::from_millis(1), |_| true);
        let (guard, result) = waited.expect_err("poisoned").into_inner();
        assert!(result.timed_out());
        // No wait, no look at the flag.
        assert!(pair.1.wait_while(guard, |_| false).is_ok());
    });
}

#[test]
fn condition_that_panics_poisons() {
    let (mutex, condvar) = (Mutex::new(1), Condvar::new());
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        let _guard = condvar.wait_while(mutex.lock().unwrap(), |_| panic!("in the condition"));
    }));
    assert!(result.is_err() && mutex.is_poisoned());
}

#[test]
#[allow(deprecated, reason = "std has it, so have we")]
fn timed_waits_time_out() {
    let (mutex, condvar) = (Mutex::new(1), Condvar::new());
    let began = Instant::now();
    let (guard, result) = condvar
        .wait_timeout_while(mutex.lock().unwrap(), Duration::from_millis(5), |value| *value == 1)
        .unwrap();
    assert!(result.timed_out() && began.elapsed() >= Duration::from_millis(5));
    assert_eq!(format!("{result:?}"), "WaitTimeoutResult(true)");
    let (guard, result) = condvar.wait_timeout_while(guard, Duration::MAX, |value| *value == 2).unwrap();
    assert!(!result.timed_out());
    let (guard, result) = condvar.wait_timeout_while(guard, Duration::ZERO, |value| *value == 1).unwrap();
    assert!(result.timed_out());
    let (guard, notified) = condvar.wait_timeout_ms(guard, 1).unwrap();
    // The one may wake for no reason.
    let _ = notified;
    drop(guard);
    assert!(mutex.try_lock().is_ok());
}

#[test]
fn timed_wait_while_is_not_prolonged_by_notifications() {
    watchdog(|| {
        let (mutex, condvar) = (Mutex::new(()), Condvar::new());
        let short = Duration::from_millis(20);
        thread::scope(|s| {
            let waiter = s.spawn(|| {
                condvar.wait_timeout_while(mutex.lock().unwrap(), short, |()| true).unwrap().1.timed_out()
            });
            while !waiter.is_finished() {
                condvar.notify_all();
                thread::yield_now();
            }
            assert!(waiter.join().unwrap());
        });
    });
}

#[test]
fn one_notification_wakes_one_and_all_wake_all() {
    watchdog(|| {
        let shared = Arc::new((Mutex::new((0, 0)), Condvar::new()));
        let threads: Vec<_> = (0..5)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    let mut value = shared.0.lock().unwrap();
                    value.0 += 1;
                    shared.1.notify_all();
                    let mut value = shared.1.wait_while(value, |value| value.1 == 0).unwrap();
                    value.1 -= 1;
                })
            })
            .collect();
        let mut value = shared.1.wait_while(shared.0.lock().unwrap(), |value| value.0 < 5).unwrap();
        value.1 = 1;
        shared.1.notify_one();
        drop(value);
        let mut value = shared.0.lock().unwrap();
        value.1 += 4;
        shared.1.notify_all();
        drop(value);
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(*shared.0.lock().unwrap(), (5, 0));
    });
}

#[test]
fn counting_under_the_lock_loses_nothing() {
    watchdog(|| {
        let (mutex, lock, seen) = (Mutex::new(0), RwLock::new(0), AtomicUsize::new(0));
        thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    for n in 0..500 {
                        *mutex.lock().unwrap() += 1;
                        if n % 8 == 0 {
                            *lock.write().unwrap() += 1;
                        } else {
                            seen.fetch_max(*lock.read().unwrap(), Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(*mutex.lock().unwrap(), 2000);
        assert_eq!(*lock.read().unwrap(), 4 * 63);
        assert!(seen.load(Relaxed) <= 4 * 63);
    });
}
