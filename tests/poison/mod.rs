//! `lockwork::poison`: what `std::sync` does, by one body compiled against both, and what it does beyond
//! that.

/// The body, with `std`'s locks: what it says is what `std` does.
#[path = "."]
mod of_std {
    pub(super) use std::sync as locks;
    #[allow(clippy::duplicate_mod, reason = "this is the point")]
    #[path = "body.rs"]
    mod body;
}

/// The same with ours.
#[path = "."]
mod of_lockwork {
    pub(super) use lockwork::poison as locks;
    #[allow(clippy::duplicate_mod, reason = "this is the point")]
    #[path = "body.rs"]
    mod body;
}

use std::fmt::{Debug, Display};
use std::ops::DerefMut;
use std::panic::{self, AssertUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use lockwork::poison::{
    Condvar, MappedMutexGuard, MappedRwLockReadGuard, MappedRwLockWriteGuard, Mutex, MutexGuard, RwLock,
    RwLockReadGuard, RwLockWriteGuard, TryLockError,
};

use static_assertions::{assert_impl_all, assert_not_impl_any};

use crate::support::watchdog;

assert_impl_all!(MappedMutexGuard<'static, u8>: Sync, DerefMut, Debug, Display);
assert_not_impl_any!(MappedMutexGuard<'static, u8>: Send);
assert_impl_all!(MappedRwLockReadGuard<'static, u8>: Sync, UnwindSafe, Debug, Display);
assert_not_impl_any!(MappedRwLockReadGuard<'static, u8>: Send, DerefMut);
assert_impl_all!(MappedRwLockWriteGuard<'static, u8>: Sync, Debug, Display, DerefMut);
assert_not_impl_any!(MappedRwLockWriteGuard<'static, u8>: Send);

fn poison_mutex<T>(mutex: &Mutex<T>) {
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        let _guard = mutex.lock();
        panic!("with the lock held");
    }));
    assert!(result.is_err());
    assert!(mutex.is_poisoned());
}

fn poison_rwlock<T>(lock: &RwLock<T>) {
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        let _guard = lock.write();
        panic!("with the lock held");
    }));
    assert!(result.is_err());
    assert!(lock.is_poisoned());
}

const SHORT: Duration = Duration::from_millis(2);

#[test]
fn timed_lock_tells_held_from_poisoned_from_had() {
    let mutex = Mutex::new(1);
    let guard = mutex.lock().unwrap();
    assert!(matches!(mutex.try_lock_for(SHORT), Err(TryLockError::WouldBlock)));
    assert!(matches!(mutex.try_lock_for(Duration::ZERO), Err(TryLockError::WouldBlock)));
    assert!(matches!(mutex.try_lock_until(Instant::now() + SHORT), Err(TryLockError::WouldBlock)));
    drop(guard);
    assert_eq!(*mutex.try_lock_for(Duration::MAX).unwrap(), 1);
    assert_eq!(*mutex.try_lock_until(Instant::now()).unwrap(), 1);
    poison_mutex(&mutex);
    let Err(TryLockError::Poisoned(poisoned)) = mutex.try_lock_for(SHORT) else { panic!("not poisoned") };
    assert_eq!(*poisoned.into_inner(), 1);
    let Err(TryLockError::Poisoned(_)) = mutex.try_lock_until(Instant::now()) else { panic!("not poisoned") };
}

#[test]
fn timed_read_and_write_tell_held_from_poisoned_from_had() {
    let lock = RwLock::new(1);
    let writer = lock.write().unwrap();
    assert!(matches!(lock.try_read_for(SHORT), Err(TryLockError::WouldBlock)));
    assert!(matches!(lock.try_read_until(Instant::now() + SHORT), Err(TryLockError::WouldBlock)));
    assert!(matches!(lock.try_write_for(SHORT), Err(TryLockError::WouldBlock)));
    assert!(matches!(lock.try_write_until(Instant::now() + SHORT), Err(TryLockError::WouldBlock)));
    drop(writer);
    assert_eq!(*lock.try_read_for(Duration::MAX).unwrap(), 1);
    assert_eq!(*lock.try_read_until(Instant::now()).unwrap(), 1);
    *lock.try_write_for(Duration::MAX).unwrap() += 1;
    *lock.try_write_until(Instant::now()).unwrap() += 1;
    poison_rwlock(&lock);
    assert!(matches!(lock.try_read_for(SHORT), Err(TryLockError::Poisoned(_))));
    assert!(matches!(lock.try_read_until(Instant::now()), Err(TryLockError::Poisoned(_))));
    assert!(matches!(lock.try_write_for(SHORT), Err(TryLockError::Poisoned(_))));
    assert!(matches!(lock.try_write_until(Instant::now()), Err(TryLockError::Poisoned(_))));
}

#[test]
fn wait_until_times_out_or_is_notified() {
    watchdog(|| {
        let pair = Arc::new((Mutex::new(false), Condvar::new()));
        let (mutex, condvar) = &*pair;
        let (guard, result) = condvar.wait_until(mutex.lock().unwrap(), Instant::now() + SHORT).unwrap();
        assert!(result.timed_out());
        let other = Arc::clone(&pair);
        let notifier = thread::spawn(move || {
            *other.0.lock().unwrap() = true;
            other.1.notify_all();
        });
        let later = Instant::now() + Duration::from_secs(60);
        let (guard, result) = condvar.wait_while_until(guard, |ready| !*ready, later).unwrap();
        assert!(*guard && !result.timed_out());
        drop(guard);
        notifier.join().unwrap();
        let past = Instant::now();
        let (guard, result) = condvar.wait_while_until(mutex.lock().unwrap(), |ready| *ready, past).unwrap();
        assert!(*guard && result.timed_out());
    });
}

#[test]
fn waits_without_spurious_wake_up_are_counted_by_their_condition() {
    let (mutex, condvar) = (Mutex::new(()), Condvar::new());
    let mut tests = 0;
    let condition = |(): &mut ()| {
        tests += 1;
        true
    };
    let (_guard, result) = condvar.wait_timeout_while(mutex.lock().unwrap(), SHORT, condition).unwrap();
    assert!(result.timed_out());
    assert_eq!(tests, 2, "once before the wait and once after");
}

#[test]
fn value_accessors_refuse_a_poisoned_value() {
    let mutex = Mutex::new(String::from("one"));
    assert_eq!(mutex.get_cloned().unwrap(), "one");
    mutex.set(String::from("two")).unwrap();
    assert_eq!(mutex.replace(String::from("three")).unwrap(), "two");
    poison_mutex(&mutex);
    assert!(mutex.get_cloned().is_err());
    assert_eq!(mutex.set(String::from("four")).unwrap_err().into_inner(), "four");
    assert_eq!(mutex.replace(String::from("five")).unwrap_err().into_inner(), "five");
    assert_eq!(mutex.into_inner().unwrap_err().into_inner(), "three");

    let lock = RwLock::new(1);
    assert_eq!(lock.get_cloned().unwrap(), 1);
    lock.set(2).unwrap();
    assert_eq!(lock.replace(3).unwrap(), 2);
    poison_rwlock(&lock);
    assert!(lock.get_cloned().is_err() && lock.set(4).is_err() && lock.replace(5).is_err());
    assert_eq!(lock.into_inner().unwrap_err().into_inner(), 3);
}

#[test]
fn mapped_guards_poison_and_a_map_that_panics_does_before_it_unlocks() {
    let mutex = Mutex::new((1, "one"));
    {
        let mut part = MutexGuard::map(mutex.lock().unwrap(), |pair| &mut pair.0);
        *part += 1;
        let guard = MappedMutexGuard::filter_map(part, |_| None::<&mut u8>).unwrap_err();
        assert_eq!(format!("{guard} {guard:?}"), "2 2");
        let guard = MappedMutexGuard::try_map(guard, |_| None::<&mut u8>).unwrap_err();
        assert_eq!(*MappedMutexGuard::try_map(guard, |number| Some(number)).unwrap(), 2);
        assert_eq!(*MutexGuard::try_map(mutex.lock().unwrap(), |pair| Some(&mut pair.1)).unwrap(), "one");
    }
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        let _part = MutexGuard::map(mutex.lock().unwrap(), |pair| {
            pair.0 = 9;
            if true {
                panic!("half way");
            }
            &mut pair.1
        });
    }));
    assert!(result.is_err() && mutex.is_poisoned() && mutex.try_lock().is_err());
    mutex.clear_poison();
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        let _part = MutexGuard::map(mutex.lock().unwrap(), |pair| &mut pair.0);
        panic!("with a part");
    }));
    assert!(result.is_err() && mutex.is_poisoned());

    let lock = RwLock::new((1, "one"));
    let part = RwLockReadGuard::map(lock.read().unwrap(), |pair| &pair.1);
    let part = MappedRwLockReadGuard::filter_map(part, |name| name.get(..1)).unwrap();
    assert_eq!(&*part, "o");
    assert_eq!(&*MappedRwLockReadGuard::try_map(part, |letter| letter.get(..)).unwrap(), "o");
    assert!(RwLockReadGuard::try_map(lock.read().unwrap(), |_| None::<&u8>).is_err());
    let part = RwLockWriteGuard::try_map(lock.write().unwrap(), |pair| Some(&mut pair.0)).unwrap();
    assert_eq!(*MappedRwLockWriteGuard::try_map(part, |number| Some(number)).unwrap(), 1);
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        let part = RwLockWriteGuard::map(lock.write().unwrap(), |pair| &mut pair.0);
        let _part = MappedRwLockWriteGuard::map(part, |number| number);
        panic!("with a part");
    }));
    assert!(result.is_err() && lock.is_poisoned());
}

/// The flag costs one word more than the plain lock.
#[test]
fn flag_is_all_that_is_added() {
    let word = align_of::<u64>();
    assert_eq!(size_of::<Mutex<u64>>(), size_of::<lockwork::Mutex<u64>>() + word);
    assert_eq!(size_of::<RwLock<u64>>(), size_of::<lockwork::RwLock<u64>>() + word);
    assert_eq!(size_of::<Condvar>(), size_of::<lockwork::Condvar>());
}
