//! What a `Mutex` guards: values of any size, in statics, dropped once.

use std::fmt::{Debug, Display};
use std::mem;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{ArcMutexGuard, MappedMutexGuard, Mutex, MutexGuard};

use crate::support::{Animal, Dog, Drops, SHORT, shown, watchdog};

#[test]
fn unsized_payloads_behind_references() {
    let drops = Drops::new();
    let dog = Mutex::new(Dog { name: "Rex".to_owned(), _counted: drops.value() });
    let animal: &Mutex<dyn Animal> = &dog;
    animal.lock().rename("Max");
    assert_eq!(animal.try_lock().unwrap().name(), "Max");
    assert_eq!(animal.try_lock_for(SHORT).unwrap().name(), "Max");
    let mut guard: MutexGuard<'_, dyn Animal> = animal.lock();
    assert!(animal.is_locked());
    MutexGuard::bump(&mut guard);
    MutexGuard::unlocked(&mut guard, || animal.lock().rename("Leo"));
    assert_eq!(guard.name(), "Leo");
    drop(guard);
    assert!(!dog.is_locked());
    assert_eq!(drops.count(), 0);
    drop(dog);
    assert_eq!(drops.count(), 1);

    let mut boxed: Box<Mutex<[u8]>> = Box::new(Mutex::new([1, 2, 3]));
    boxed.lock()[1] = 9;
    boxed.get_mut()[0] = 8;
    assert_eq!(boxed.lock().len(), 3);
    assert_eq!(*boxed.lock(), [8, 9, 3]);
    let last = MutexGuard::try_map(boxed.lock(), |list| list.last_mut());
    assert_eq!(*last.unwrap(), 3);
    let tail = MutexGuard::map(boxed.lock(), |list| &mut list[1..]);
    assert_eq!(*tail, [9, 3]);
    assert_eq!(*MappedMutexGuard::map(tail, |tail| &mut tail[1..]), [3]);
    let text: &Mutex<dyn Display> = &Mutex::new(5);
    assert_eq!(text.lock().to_string(), "5");
}

#[test]
fn unsized_payloads_behind_arcs() {
    watchdog(|| {
        let drops = Drops::new();
        let animal: Arc<Mutex<dyn Animal>> =
            Arc::new(Mutex::new(Dog { name: "Rex".to_owned(), _counted: drops.value() }));
        let mut guard: ArcMutexGuard<dyn Animal> = animal.lock_arc();
        assert!(animal.try_lock_arc().is_none());
        assert!(animal.try_lock_arc_for(Duration::ZERO).is_none());
        guard.rename("Max");
        thread::spawn(move || guard.rename("Leo")).join().unwrap();
        assert_eq!(animal.try_lock_arc_for(SHORT).expect("free").name(), "Leo");
        assert_eq!(animal.try_lock_arc_until(Instant::now() + SHORT).expect("free").name(), "Leo");
        let mut guard = animal.lock_arc();
        ArcMutexGuard::bump(&mut guard);
        ArcMutexGuard::unlocked(&mut guard, || animal.lock().rename("Kim"));
        assert_eq!(guard.name(), "Kim");
        let animal_again = ArcMutexGuard::into_arc(guard);
        drop(animal);
        let guard = animal_again.lock_arc();
        drop(animal_again);
        assert_eq!(drops.count(), 0);
        ArcMutexGuard::unlock_fair(guard);
        assert_eq!(drops.count(), 1);

        let list: Arc<Mutex<[u64]>> = shown(Mutex::new([1, 2, 3]));
        let mut guard = list.lock_arc();
        guard.reverse();
        assert_eq!(format!("{guard:?}"), "[3, 2, 1]");
        drop(guard);
        let first = MutexGuard::map(list.lock(), |list| &mut list[0]);
        assert_eq!(*first, 3);
    });
}

#[test]
fn zero_sized_and_overaligned_payloads() {
    #[derive(Debug)]
    #[repr(align(256))]
    struct Far(u8);

    let nothing = Mutex::new(());
    *nothing.lock() = ();
    let far = shown(Mutex::new(Far(1)));
    far.lock().0 += 1;
    assert_eq!(far.data_ptr().addr() % 256, 0);
    let mapped = MutexGuard::map(far.lock(), |far| &mut far.0);
    assert_eq!(*mapped, 2);
    drop(mapped);
    assert_eq!(far.lock_arc().0, 2);
    let list: &Mutex<[Far]> = &Mutex::new([Far(1), Far(2)]);
    assert_eq!(list.lock()[1].0, 2);
}

static NUMBERS: Mutex<Vec<usize>> = Mutex::new(Vec::new());
static MANY: [Mutex<usize>; 3] = [const { Mutex::new(0) }; 3];

#[test]
fn statics_need_no_setting_up() {
    watchdog(|| {
        thread::scope(|s| {
            for i in 0..8 {
                s.spawn(move || {
                    NUMBERS.lock().push(i);
                    MANY.iter().for_each(|mutex| *mutex.lock() += 1);
                });
            }
        });
        NUMBERS.lock().sort_unstable();
        assert!(NUMBERS.lock().iter().copied().eq(0..8));
        assert!(MANY.iter().all(|mutex| *mutex.lock() == 8));
    });
}

#[test]
fn values_are_dropped_once() {
    let drops = Drops::new();
    drop(Mutex::new(drops.value()));
    assert_eq!(drops.count(), 1);

    let mutex = Mutex::new(drops.value());
    *mutex.lock() = drops.value();
    assert_eq!(drops.count(), 2, "the value that was replaced");
    let value = mutex.into_inner();
    assert_eq!(drops.count(), 2);
    drop(value);
    assert_eq!(drops.count(), 3);

    let mutex = shown(Mutex::new((drops.value(), drops.value())));
    drop(MappedMutexGuard::map(MutexGuard::map(mutex.lock(), |pair| &mut pair.0), |first| first));
    assert_eq!(drops.count(), 3, "guards drop no values");
    let guard = mutex.lock_arc();
    drop(mutex);
    assert_eq!(drops.count(), 3, "the guard keeps the mutex");
    drop(guard);
    assert_eq!(drops.count(), 5);

    let mutex = Mutex::new(drops.value());
    mem::forget(mutex.lock());
    drop(mutex);
    assert_eq!(drops.count(), 6, "locked or not");
}
