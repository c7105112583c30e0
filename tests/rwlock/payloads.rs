//! What an `RwLock` guards: values of any size, in statics, dropped once.

use std::collections::HashMap;
use std::fmt::{Debug, Display};
use std::mem;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use lockwork::{
    ArcRwLockReadGuard, ArcRwLockWriteGuard, MappedRwLockWriteGuard, RwLock, RwLockReadGuard,
    RwLockUpgradableReadGuard, RwLockWriteGuard,
};

use super::{Held, KINDS, MODES, take};
use crate::locks::Take;
use crate::support::{Animal, Counted, Dog, Drops, SHORT, cases, either, shown, unwind, unwinds, watchdog};

#[test]
fn unsized_payloads_behind_references() {
    for mode in cases(MODES) {
        let drops = Drops::new();
        let dog = RwLock::new(Dog { name: "Rex".to_owned(), _counted: drops.value() });
        let animal: &RwLock<dyn Animal> = &dog;
        animal.write().rename("Max");
        mode.set_up(animal);
        let readers = (animal.read(), animal.try_read().unwrap(), animal.read_recursive());
        assert_eq!((readers.0.name(), readers.1.name(), readers.2.name()), ("Max", "Max", "Max"));
        drop(readers);
        let mut guard = animal.upgradable_read();
        guard.with_upgraded(|animal| animal.rename("Leo"));
        let mut guard: RwLockWriteGuard<'_, dyn Animal> = RwLockUpgradableReadGuard::upgrade(guard);
        RwLockWriteGuard::unlocked(&mut guard, || animal.write().rename("Kim"));
        let guard: RwLockReadGuard<'_, dyn Animal> = RwLockWriteGuard::downgrade(guard);
        assert_eq!(guard.name(), "Kim");
        assert_eq!(*RwLockReadGuard::map(guard, |animal| animal.name()), *"Kim");
        assert!(!dog.is_locked());
        assert_eq!(drops.count(), 0);
        drop(dog);
        assert_eq!(drops.count(), 1);

        let mut boxed: Box<RwLock<[u8]>> = Box::new(RwLock::new([1, 2, 3]));
        mode.set_up(&boxed);
        assert_eq!(*boxed.read(), [1, 2, 3]);
        boxed.write()[1] = 9;
        boxed.get_mut()[0] = 8;
        let tail = RwLockWriteGuard::map(boxed.write(), |list| &mut list[1..]);
        assert_eq!(*MappedRwLockWriteGuard::map(tail, |tail| &mut tail[1..]), [3]);
        assert_eq!(*RwLockReadGuard::map(boxed.read(), |list| &list[..2]), [8, 9]);
        let text: &RwLock<dyn Display + Send + Sync> = &RwLock::new(5);
        assert_eq!(text.read().to_string(), "5");
    }
}

#[test]
fn unsized_payloads_behind_arcs() {
    watchdog(|| {
        for mode in cases(MODES) {
            let drops = Drops::new();
            let animal: Arc<RwLock<dyn Animal>> =
                Arc::new(RwLock::new(Dog { name: "Rex".to_owned(), _counted: drops.value() }));
            mode.set_up(&*animal);
            let guard: ArcRwLockReadGuard<dyn Animal> = animal.read_arc();
            assert!(animal.try_write_arc().is_none());
            thread::spawn(move || assert_eq!(guard.name(), "Rex")).join().unwrap();
            let mut guard: ArcRwLockWriteGuard<dyn Animal> = animal.write_arc();
            guard.rename("Max");
            assert!(animal.try_read_arc_for(Duration::ZERO).is_none());
            let guard = ArcRwLockWriteGuard::downgrade_to_upgradable(guard);
            thread::spawn(move || guard.upgrade().rename("Leo")).join().unwrap();
            for kind in cases(KINDS) {
                for how in cases([Take::Lock, Take::Try, Take::For(SHORT), Take::Until(SHORT)]) {
                    assert_eq!(take(&animal, kind, how, true).expect("free").value().name(), "Leo");
                    assert_eq!(take(&animal, kind, how, false).expect("free").value().name(), "Leo");
                }
            }
            let guard = animal.read_arc();
            drop(animal);
            assert_eq!(drops.count(), 0);
            ArcRwLockReadGuard::unlock_fair(guard);
            assert_eq!(drops.count(), 1);

            let list: Arc<RwLock<[u64]>> = shown(RwLock::new([1, 2, 3]));
            mode.set_up(&*list);
            list.write_arc().reverse();
            assert_eq!(format!("{:?}", list.read_arc()), "[3, 2, 1]");
        }
    });
}

#[test]
fn zero_sized_and_overaligned_payloads() {
    #[derive(Debug)]
    #[repr(align(256))]
    struct Far(u8);

    for mode in cases(MODES) {
        let nothing = mode.lock(());
        *nothing.write() = ();
        let far = mode.arc(Far(1));
        far.write().0 += 1;
        assert_eq!(far.data_ptr().addr() % 256, 0);
        assert_eq!(*RwLockReadGuard::map(far.read(), |far| &far.0), 2);
        assert_eq!(far.read_arc().0, 2);
    }
}

static SQUARES: RwLock<Option<HashMap<usize, usize>>> = RwLock::new(None);
static MANY: [RwLock<usize>; 3] = [const { RwLock::new(0) }; 3];

#[test]
fn statics_need_no_setting_up() {
    watchdog(|| {
        thread::scope(|s| {
            for n in 0..8 {
                s.spawn(move || {
                    SQUARES.write().get_or_insert_default().insert(n, n * n);
                    MANY.iter().for_each(|lock| *lock.write() += 1);
                    for _ in 0..50 {
                        assert_eq!(SQUARES.read().as_ref().expect("inserted")[&n], n * n);
                        assert!(MANY.iter().all(|lock| *lock.read() > 0));
                    }
                });
            }
        });
        assert_eq!(SQUARES.read().as_ref().map(HashMap::len), Some(8));
        assert!(MANY.iter().all(|lock| *lock.read() == 8));
    });
}

#[test]
fn values_are_dropped_once() {
    for mode in cases(MODES) {
        let drops = Drops::new();
        drop(mode.lock(drops.value()));
        assert_eq!(drops.count(), 1);
        let lock = mode.lock(drops.value());
        *lock.write() = drops.value();
        assert_eq!(drops.count(), 2, "the value that was replaced");
        let value = lock.into_inner();
        assert_eq!(drops.count(), 2);
        drop(value);
        assert_eq!(drops.count(), 3);

        let lock = mode.arc((drops.value(), drops.value()));
        for kind in cases(KINDS) {
            for arc in either("arc ") {
                drop(take(&lock, kind, Take::Lock, arc).map(|held| held.map().map()));
                take(&lock, kind, Take::Lock, arc).expect("free").unlock_fair();
                drop(take(&lock, kind, Take::Lock, arc).map(Held::downgrade));
                drop(take(&lock, kind, Take::Lock, arc).map(|held| held.upgrade(Take::Try)));
                assert!(unwinds(|| {
                    let _held = take(&lock, kind, Take::Lock, arc);
                    unwind();
                }));
            }
        }
        assert_eq!(drops.count(), 3, "guards drop no values");
        assert_eq!(Arc::strong_count(&lock), 1);
        let guard = lock.read_arc();
        drop(lock);
        assert_eq!(drops.count(), 3, "the guard keeps the lock");
        drop(guard);
        assert_eq!(drops.count(), 5);

        // Locked or not.
        let ways: [fn(&RwLock<Counted>); 2] =
            [|lock| mem::forget(lock.write()), |lock| mem::forget(lock.upgradable_read())];
        for forget in ways {
            let (lock, before) = (mode.lock(drops.value()), drops.count());
            forget(&lock);
            drop(lock);
            assert_eq!(drops.count(), before + 1);
        }
    }
}
