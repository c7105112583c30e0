//! Every method of `parking_lot`'s locks and guards, in terms of `locks`.

use std::cell::Cell;
use std::mem;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::locks::{
    ArcMutexGuard, ArcReentrantMutexGuard, ArcRwLockReadGuard, ArcRwLockUpgradableReadGuard,
    ArcRwLockWriteGuard, MappedMutexGuard, MappedReentrantMutexGuard, MappedRwLockReadGuard,
    MappedRwLockWriteGuard, Mutex, MutexGuard, ReentrantMutex, ReentrantMutexGuard, RwLock, RwLockReadGuard,
    RwLockUpgradableReadGuard, RwLockWriteGuard, const_mutex, const_reentrant_mutex, const_rwlock,
};
use crate::support::{either, watchdog};

const SOON: Duration = Duration::from_millis(1);

fn soon() -> Instant {
    Instant::now() + SOON
}

#[test]
fn mutex_has_every_method() {
    static CONST: Mutex<u8> = const_mutex(1);
    assert_eq!(*CONST.lock(), 1);
    let mut mutex = Mutex::new(1);
    *mutex.get_mut() += 1;
    {
        let guard = mutex.lock();
        assert!(mutex.is_locked() && mutex.try_lock().is_none());
        assert!(mutex.try_lock_for(SOON).is_none() && mutex.try_lock_until(soon()).is_none());
        assert_eq!(format!("{mutex:?}"), "Mutex { data: <locked> }");
        assert_eq!(format!("{guard} {guard:?}"), "2 2");
    }
    assert_eq!(format!("{mutex:?}"), "Mutex { data: 2 }");
    assert!(mutex.try_lock().is_some() && mutex.try_lock_for(Duration::MAX).is_some());
    assert!(mutex.try_lock_until(soon()).is_some());
    for fair in either("fair ") {
        mem::forget(mutex.lock());
        if fair {
            unsafe { mutex.force_unlock_fair() };
        } else {
            unsafe { mutex.force_unlock() };
        }
        assert!(!mutex.is_locked());
    }
    mem::forget(mutex.lock());
    drop(unsafe { mutex.make_guard_unchecked() });
    assert!(!mutex.is_locked());
    assert_eq!(unsafe { *mutex.data_ptr() }, 2);
    assert_eq!(mutex.into_inner(), 2);
    assert_eq!(Mutex::<u8>::default().into_inner(), 0);
    assert_eq!(Mutex::from(3).into_inner(), 3);
}

#[test]
fn mutex_guard_has_every_method() {
    let mutex = Mutex::new((1, 2));
    let mut guard = mutex.lock();
    assert!(std::ptr::eq(MutexGuard::mutex(&guard), &mutex));
    MutexGuard::unlocked(&mut guard, || mutex.lock().0 += 1);
    MutexGuard::unlocked_fair(&mut guard, || mutex.lock().0 += 1);
    MutexGuard::bump(&mut guard);
    assert_eq!(guard.0, 3);
    MutexGuard::unlock_fair(guard);
    let guard = MutexGuard::try_map(mutex.lock(), |_| None::<&mut u8>).unwrap_err();
    let (guard, error) = MutexGuard::try_map_or_err(guard, |_| Err::<&mut u8, _>("none")).unwrap_err();
    assert_eq!(error, "none");
    let part = MutexGuard::map(guard, |pair| &mut pair.1);
    let part = MappedMutexGuard::try_map(part, |_| None::<&mut u8>).unwrap_err();
    let (part, _) = MappedMutexGuard::try_map_or_err(part, |_| Err::<&mut u8, _>("none")).unwrap_err();
    let mut part = MappedMutexGuard::map(part, |number| number);
    *part += 1;
    assert_eq!(format!("{part} {part:?}"), "3 3");
    MappedMutexGuard::unlock_fair(part);
    let leaked: &'static mut (i32, i32) = MutexGuard::leak(Box::leak(Box::new(Mutex::new((1, 2)))).lock());
    leaked.0 += 1;
}

#[test]
fn arc_mutex_guard_has_every_method() {
    let mutex = Arc::new(Mutex::new(1));
    let mut guard = mutex.lock_arc();
    assert!(mutex.try_lock_arc().is_none());
    assert!(mutex.try_lock_arc_for(SOON).is_none() && mutex.try_lock_arc_until(soon()).is_none());
    assert!(Arc::ptr_eq(ArcMutexGuard::mutex(&guard), &mutex));
    ArcMutexGuard::unlocked(&mut guard, || *mutex.lock() += 1);
    ArcMutexGuard::unlocked_fair(&mut guard, || *mutex.lock() += 1);
    ArcMutexGuard::bump(&mut guard);
    *guard += 1;
    assert_eq!(*guard, 4);
    ArcMutexGuard::unlock_fair(guard);
    let again = ArcMutexGuard::into_arc(mutex.try_lock_arc().unwrap());
    let again = ArcMutexGuard::into_arc_fair(again.try_lock_arc_for(SOON).unwrap());
    assert!(again.try_lock_arc_until(soon()).is_some() && Arc::ptr_eq(&again, &mutex));
    assert_eq!(Arc::strong_count(&mutex), 3);
}

#[test]
fn reentrant_mutex_has_every_method() {
    static CONST: ReentrantMutex<Cell<u8>> = const_reentrant_mutex(Cell::new(1));
    assert_eq!(CONST.lock().get(), 1);
    let mut mutex = ReentrantMutex::new(Cell::new(1));
    mutex.get_mut().set(2);
    {
        let guard = mutex.lock();
        assert!(mutex.is_locked() && mutex.is_owned_by_current_thread());
        let inner = [mutex.try_lock(), mutex.try_lock_for(SOON), mutex.try_lock_until(soon())];
        assert!(inner.iter().all(Option::is_some));
        guard.set(3);
        assert_eq!(format!("{guard:?}"), "Cell { value: 3 }");
        thread::scope(|s| {
            s.spawn(|| {
                assert!(!mutex.is_owned_by_current_thread() && mutex.try_lock().is_none());
                assert!(mutex.try_lock_for(SOON).is_none() && mutex.try_lock_until(soon()).is_none());
            });
        });
    }
    for fair in either("fair ") {
        mem::forget(mutex.lock());
        if fair {
            unsafe { mutex.force_unlock_fair() };
        } else {
            unsafe { mutex.force_unlock() };
        }
        assert!(!mutex.is_locked());
    }
    mem::forget(mutex.lock());
    drop(unsafe { mutex.make_guard_unchecked() });
    assert!(!mutex.is_owned_by_current_thread());
    assert_eq!(unsafe { (*mutex.data_ptr()).get() }, 3);
    assert_eq!(mutex.into_inner().get(), 3);
    assert_eq!(ReentrantMutex::<u8>::default().into_inner(), 0);
    assert_eq!(ReentrantMutex::from(3).into_inner(), 3);
}

#[test]
fn reentrant_mutex_guard_has_every_method() {
    let mutex = ReentrantMutex::new((Cell::new(1), 2));
    let mut guard = mutex.lock();
    assert!(std::ptr::eq(ReentrantMutexGuard::remutex(&guard), &mutex));
    ReentrantMutexGuard::unlocked(&mut guard, || mutex.lock().0.set(2));
    ReentrantMutexGuard::unlocked_fair(&mut guard, || mutex.lock().0.set(3));
    ReentrantMutexGuard::bump(&mut guard);
    assert_eq!(guard.0.get(), 3);
    ReentrantMutexGuard::unlock_fair(guard);
    let Err(guard) = ReentrantMutexGuard::try_map(mutex.lock(), |_| None::<&u8>) else { panic!("a part") };
    let Err((guard, _)) = ReentrantMutexGuard::try_map_or_err(guard, |_| Err::<&u8, _>("none")) else {
        panic!("a part")
    };
    let part = ReentrantMutexGuard::map(guard, |pair| &pair.1);
    let Err(part) = MappedReentrantMutexGuard::try_map(part, |_| None::<&u8>) else { panic!("a part") };
    let Err((part, _)) = MappedReentrantMutexGuard::try_map_or_err(part, |_| Err::<&u8, _>("none")) else {
        panic!("a part")
    };
    let part = MappedReentrantMutexGuard::map(part, |number| number);
    assert_eq!(format!("{part} {part:?}"), "2 2");
    MappedReentrantMutexGuard::unlock_fair(part);
    assert!(!mutex.is_locked());
}

#[test]
fn arc_reentrant_mutex_guard_has_every_method() {
    let mutex = Arc::new(ReentrantMutex::new(1));
    let mut guard = mutex.lock_arc();
    let inner = [
        mutex.try_lock_arc().is_some(),
        mutex.try_lock_arc_for(SOON).is_some(),
        mutex.try_lock_arc_until(soon()).is_some(),
    ];
    assert_eq!(inner, [true; 3]);
    assert!(Arc::ptr_eq(ArcReentrantMutexGuard::remutex(&guard), &mutex));
    ArcReentrantMutexGuard::unlocked(&mut guard, || assert!(!mutex.is_locked()));
    ArcReentrantMutexGuard::unlocked_fair(&mut guard, || assert!(!mutex.is_locked()));
    ArcReentrantMutexGuard::bump(&mut guard);
    assert_eq!(*guard, 1);
    ArcReentrantMutexGuard::unlock_fair(guard);
    let again = ArcReentrantMutexGuard::into_arc(mutex.lock_arc());
    let again = ArcReentrantMutexGuard::into_arc_fair(again.lock_arc());
    mem::forget(again.lock_arc());
    drop(unsafe { again.make_arc_guard_unchecked() });
    assert!(!mutex.is_locked());
}

#[test]
fn rwlock_has_every_method() {
    static CONST: RwLock<u8> = const_rwlock(1);
    assert_eq!(*CONST.read(), 1);
    let mut lock = RwLock::new(1);
    *lock.get_mut() += 1;
    {
        let reader = lock.read();
        assert!(lock.is_locked() && !lock.is_locked_exclusive());
        assert!(lock.try_read().is_some() && lock.try_write().is_none());
        assert!(lock.try_read_for(SOON).is_some() && lock.try_read_until(soon()).is_some());
        assert!(lock.try_write_for(SOON).is_none() && lock.try_write_until(soon()).is_none());
        assert_eq!(*lock.read_recursive(), *reader);
        assert!(lock.try_read_recursive().is_some());
        assert!(lock.try_read_recursive_for(SOON).is_some());
        assert!(lock.try_read_recursive_until(soon()).is_some());
        assert_eq!(*lock.upgradable_read(), *reader);
        assert!(lock.try_upgradable_read().is_some());
        assert!(lock.try_upgradable_read_for(SOON).is_some());
        assert!(lock.try_upgradable_read_until(soon()).is_some());
        assert_eq!(format!("{lock:?} {reader} {reader:?}"), "RwLock { data: 2 } 2 2");
    }
    {
        let writer = lock.write();
        assert!(lock.is_locked_exclusive() && lock.try_read().is_none());
        assert!(lock.try_read_for(SOON).is_none() && lock.try_read_until(soon()).is_none());
        assert!(lock.try_read_recursive().is_none() && lock.try_upgradable_read().is_none());
        assert!(lock.try_upgradable_read_for(SOON).is_none());
        assert_eq!(format!("{lock:?} {writer} {writer:?}"), "RwLock { data: <locked> } 2 2");
    }
    assert!(lock.try_write().is_some() && lock.try_write_for(Duration::MAX).is_some());
    assert!(lock.try_write_until(soon()).is_some());
    for fair in either("fair ") {
        mem::forget(lock.write());
        if fair {
            unsafe { lock.force_unlock_write_fair() };
        } else {
            unsafe { lock.force_unlock_write() };
        }
        assert!(!lock.is_locked());
    }
    mem::forget(lock.write());
    drop(unsafe { lock.make_write_guard_unchecked() });
    mem::forget(lock.upgradable_read());
    drop(unsafe { lock.make_upgradable_guard_unchecked() });
    assert!(!lock.is_locked());
    assert_eq!(unsafe { *lock.data_ptr() }, 2);
    assert_eq!(lock.into_inner(), 2);
    assert_eq!(RwLock::<u8>::default().into_inner(), 0);
    assert_eq!(RwLock::from(3).into_inner(), 3);
}

#[test]
fn rwlock_guards_have_every_method() {
    let lock = RwLock::new((1, 2));
    let mut reader = lock.read();
    assert!(std::ptr::eq(RwLockReadGuard::rwlock(&reader), &lock));
    RwLockReadGuard::unlocked(&mut reader, || lock.write().0 += 1);
    RwLockReadGuard::unlocked_fair(&mut reader, || lock.write().0 += 1);
    RwLockReadGuard::bump(&mut reader);
    assert_eq!(reader.0, 3);
    RwLockReadGuard::unlock_fair(reader);
    let reader = RwLockReadGuard::try_map(lock.read(), |_| None::<&u8>).unwrap_err();
    let (reader, _) = RwLockReadGuard::try_map_or_err(reader, |_| Err::<&u8, _>("none")).unwrap_err();
    let part = RwLockReadGuard::map(reader, |pair| &pair.1);
    let part = MappedRwLockReadGuard::try_map(part, |_| None::<&u8>).unwrap_err();
    let (part, _) = MappedRwLockReadGuard::try_map_or_else(part, |_| Err::<&u8, _>("none")).unwrap_err();
    let part = MappedRwLockReadGuard::map(part, |number| number);
    assert_eq!(format!("{part} {part:?}"), "2 2");
    MappedRwLockReadGuard::unlock_fair(part);

    let mut writer = lock.write();
    assert!(std::ptr::eq(RwLockWriteGuard::rwlock(&writer), &lock));
    RwLockWriteGuard::unlocked(&mut writer, || lock.write().0 += 1);
    RwLockWriteGuard::unlocked_fair(&mut writer, || lock.write().0 += 1);
    RwLockWriteGuard::bump(&mut writer);
    assert_eq!(writer.0, 5);
    RwLockWriteGuard::unlock_fair(writer);
    let writer = RwLockWriteGuard::try_map(lock.write(), |_| None::<&mut u8>).unwrap_err();
    let (writer, _) = RwLockWriteGuard::try_map_or_err(writer, |_| Err::<&mut u8, _>("none")).unwrap_err();
    let part = RwLockWriteGuard::map(writer, |pair| &mut pair.1);
    let part = MappedRwLockWriteGuard::try_map(part, |_| None::<&mut u8>).unwrap_err();
    let (part, _) = MappedRwLockWriteGuard::try_map_or_err(part, |_| Err::<&mut u8, _>("none")).unwrap_err();
    let mut part = MappedRwLockWriteGuard::map(part, |number| number);
    *part += 1;
    assert_eq!(format!("{part} {part:?}"), "3 3");
    MappedRwLockWriteGuard::unlock_fair(part);
    let reader = RwLockWriteGuard::downgrade(lock.write());
    assert!(lock.try_read().is_some() && lock.try_write().is_none());
    drop(reader);
    let upgradable = RwLockWriteGuard::downgrade_to_upgradable(lock.write());
    assert!(lock.try_read().is_some() && lock.try_upgradable_read().is_none());
    drop(upgradable);
}

#[test]
fn upgradable_guard_has_every_method() {
    let lock = RwLock::new(1);
    let mut guard = lock.upgradable_read();
    assert!(std::ptr::eq(RwLockUpgradableReadGuard::rwlock(&guard), &lock));
    RwLockUpgradableReadGuard::unlocked(&mut guard, || *lock.write() += 1);
    RwLockUpgradableReadGuard::unlocked_fair(&mut guard, || *lock.write() += 1);
    RwLockUpgradableReadGuard::bump(&mut guard);
    assert_eq!(format!("{guard} {guard:?}"), "3 3");
    assert_eq!(RwLockUpgradableReadGuard::with_upgraded(&mut guard, |value| mem::replace(value, 4)), 3);
    assert_eq!(RwLockUpgradableReadGuard::try_with_upgraded(&mut guard, |value| *value), Some(4));
    assert_eq!(RwLockUpgradableReadGuard::try_with_upgraded_for(&mut guard, SOON, |value| *value), Some(4));
    assert_eq!(
        RwLockUpgradableReadGuard::try_with_upgraded_until(&mut guard, soon(), |value| *value),
        Some(4)
    );
    {
        let _reader = lock.read();
        assert_eq!(RwLockUpgradableReadGuard::try_with_upgraded(&mut guard, |_| ()), None);
        guard = RwLockUpgradableReadGuard::try_upgrade(guard).unwrap_err();
        guard = RwLockUpgradableReadGuard::try_upgrade_for(guard, SOON).unwrap_err();
        guard = RwLockUpgradableReadGuard::try_upgrade_until(guard, soon()).unwrap_err();
    }
    let writer = RwLockUpgradableReadGuard::upgrade(guard);
    let guard = RwLockWriteGuard::downgrade_to_upgradable(writer);
    let writer = RwLockUpgradableReadGuard::try_upgrade(guard).unwrap();
    let guard = RwLockWriteGuard::downgrade_to_upgradable(writer);
    let writer = RwLockUpgradableReadGuard::try_upgrade_for(guard, SOON).unwrap();
    let guard = RwLockWriteGuard::downgrade_to_upgradable(writer);
    let writer = RwLockUpgradableReadGuard::try_upgrade_until(guard, soon()).unwrap();
    let guard = RwLockWriteGuard::downgrade_to_upgradable(writer);
    let reader = RwLockUpgradableReadGuard::downgrade(guard);
    let guard = lock.try_upgradable_read().unwrap();
    RwLockUpgradableReadGuard::unlock_fair(guard);
    drop(reader);
    assert!(!lock.is_locked());
}

#[test]
fn arc_rwlock_guards_have_every_method() {
    let lock = Arc::new(RwLock::new(1));
    let mut reader = lock.read_arc();
    assert!(lock.try_read_arc().is_some() && lock.try_write_arc().is_none());
    assert!(lock.try_read_arc_for(SOON).is_some() && lock.try_read_arc_until(soon()).is_some());
    assert!(lock.try_write_arc_for(SOON).is_none() && lock.try_write_arc_until(soon()).is_none());
    drop(lock.read_arc_recursive());
    assert!(lock.try_read_recursive_arc().is_some());
    assert!(lock.try_read_arc_recursive_for(SOON).is_some());
    assert!(lock.try_read_arc_recursive_until(soon()).is_some());
    assert!(lock.try_upgradable_read_arc().is_some());
    assert!(lock.try_upgradable_read_arc_for(SOON).is_some());
    assert!(lock.try_upgradable_read_arc_until(soon()).is_some());
    assert!(Arc::ptr_eq(ArcRwLockReadGuard::rwlock(&reader), &lock));
    ArcRwLockReadGuard::unlocked(&mut reader, || *lock.write() += 1);
    ArcRwLockReadGuard::unlocked_fair(&mut reader, || *lock.write() += 1);
    ArcRwLockReadGuard::bump(&mut reader);
    assert_eq!(*reader, 3);
    ArcRwLockReadGuard::unlock_fair(reader);
    drop(ArcRwLockReadGuard::into_arc(lock.read_arc()));
    drop(ArcRwLockReadGuard::into_arc_fair(lock.read_arc()));

    let mut writer = lock.write_arc();
    assert!(Arc::ptr_eq(ArcRwLockWriteGuard::rwlock(&writer), &lock));
    ArcRwLockWriteGuard::unlocked(&mut writer, || *lock.write() += 1);
    ArcRwLockWriteGuard::unlocked_fair(&mut writer, || *lock.write() += 1);
    ArcRwLockWriteGuard::bump(&mut writer);
    *writer += 1;
    assert_eq!(*writer, 6);
    ArcRwLockWriteGuard::unlock_fair(writer);
    drop(ArcRwLockWriteGuard::into_arc(lock.try_write_arc().unwrap()));
    drop(ArcRwLockWriteGuard::into_arc_fair(lock.write_arc()));
    drop(ArcRwLockWriteGuard::downgrade(lock.write_arc()));
    mem::forget(lock.write_arc());
    drop(unsafe { lock.make_arc_write_guard_unchecked() });

    let mut guard = ArcRwLockWriteGuard::downgrade_to_upgradable(lock.write_arc());
    assert!(Arc::ptr_eq(ArcRwLockUpgradableReadGuard::rwlock(&guard), &lock));
    ArcRwLockUpgradableReadGuard::unlocked(&mut guard, || *lock.write() += 1);
    ArcRwLockUpgradableReadGuard::unlocked_fair(&mut guard, || *lock.write() += 1);
    ArcRwLockUpgradableReadGuard::bump(&mut guard);
    assert_eq!(*guard, 8);
    ArcRwLockUpgradableReadGuard::with_upgraded(&mut guard, |value| *value += 1);
    assert_eq!(ArcRwLockUpgradableReadGuard::try_with_upgraded(&mut guard, |value| *value), Some(9));
    assert_eq!(
        ArcRwLockUpgradableReadGuard::try_with_upgraded_for(&mut guard, SOON, |value| *value),
        Some(9)
    );
    assert_eq!(
        ArcRwLockUpgradableReadGuard::try_with_upgraded_until(&mut guard, soon(), |value| *value),
        Some(9)
    );
    let reader = lock.read();
    guard = ArcRwLockUpgradableReadGuard::try_upgrade(guard).unwrap_err();
    guard = ArcRwLockUpgradableReadGuard::try_upgrade_for(guard, SOON).unwrap_err();
    guard = ArcRwLockUpgradableReadGuard::try_upgrade_until(guard, soon()).unwrap_err();
    drop(reader);
    drop(ArcRwLockUpgradableReadGuard::upgrade(guard));
    drop(ArcRwLockUpgradableReadGuard::downgrade(lock.upgradable_read_arc()));
    ArcRwLockUpgradableReadGuard::unlock_fair(lock.upgradable_read_arc());
    drop(ArcRwLockUpgradableReadGuard::into_arc(lock.upgradable_read_arc()));
    drop(ArcRwLockUpgradableReadGuard::into_arc_fair(lock.upgradable_read_arc()));
    mem::forget(lock.upgradable_read_arc());
    drop(unsafe { lock.make_upgradable_arc_guard_unchecked() });
    assert!(!lock.is_locked());
}

/// A reader comes in beside a reader although a writer waits, and the writer after both.
#[test]
fn recursive_reader_passes_a_waiting_writer() {
    watchdog(|| {
        let lock = RwLock::new(0);
        thread::scope(|s| {
            let outer = lock.read();
            let writer = s.spawn(|| *lock.write() += 1);
            crate::support::eventually(|| lock.try_read().is_none());
            let inner = lock.read_recursive();
            assert_eq!(*outer + *inner, 0);
            drop(outer);
            drop(inner);
            writer.join().unwrap();
        });
        assert_eq!(*lock.read(), 1);
    });
}
