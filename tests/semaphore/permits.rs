//! Permits as values: split, merged, dropped elsewhere, shown.

use std::sync::Arc;
use std::thread;

use lockwork::{ArcSemaphorePermit, OverRelease, Semaphore};

use crate::support::{message_of, repeat, shown, watchdog};

#[test]
fn split_and_merge_move_permits() {
    let semaphore = Semaphore::bounded(5);
    let mut permits = semaphore.acquire_many(4);
    assert!(permits.split(5).is_none());
    assert_eq!(permits.num_permits(), 4, "a split that fails takes nothing");
    let three = permits.split(3).unwrap();
    let none = permits.split(0).unwrap();
    assert_eq!([permits.num_permits(), three.num_permits(), none.num_permits()], [1, 3, 0]);
    permits.merge(none);
    permits.merge(semaphore.acquire());
    assert_eq!(permits.num_permits(), 2);
    drop(three);
    assert_eq!(semaphore.available_permits(), 3);
    let both = permits.split(2).unwrap();
    drop(permits);
    assert_eq!(semaphore.available_permits(), 3, "it was empty");
    assert!(std::ptr::eq(both.semaphore(), &semaphore));
    drop(both);
    assert_eq!(semaphore.available_permits(), 5);
}

#[test]
fn arc_permits_split_and_merge_as_well() {
    let semaphore = shown(Semaphore::bounded(5));
    let mut permits = semaphore.acquire_many_arc(4);
    assert!(permits.split(5).is_none());
    let mut three = permits.split(3).unwrap();
    three.merge(semaphore.try_acquire_arc().unwrap());
    assert_eq!([permits.num_permits(), three.num_permits()], [1, 4]);
    drop(three);
    assert_eq!(semaphore.available_permits(), 4);
    permits.forget();
    assert_eq!(Arc::strong_count(&semaphore), 1, "a forgotten permit does not keep the semaphore");
    assert_eq!(semaphore.available_permits(), 4);
    semaphore.add_permits(1);
    assert_eq!(semaphore.try_add_permits(1), Err(OverRelease));
}

#[test]
fn permits_of_two_semaphores_do_not_merge() {
    let (one, two) = (shown(Semaphore::new(1)), shown(Semaphore::new(1)));
    let mut permit = one.acquire();
    assert!(message_of(|| permit.merge(two.acquire())).contains("SemaphorePermit::merge"));
    assert_eq!((permit.num_permits(), two.available_permits()), (1, 1));
    drop(permit);
    let mut permit = one.acquire_arc();
    assert!(message_of(|| permit.merge(two.acquire_arc())).contains("SemaphorePermit::merge"));
    assert_eq!((permit.num_permits(), two.available_permits()), (1, 1));
    drop(permit);
    assert_eq!(one.available_permits(), 1);
}

#[test]
fn permit_may_be_dropped_by_another_thread() {
    watchdog(|| {
        let semaphore = shown(Semaphore::bounded(1));
        for _ in repeat(100) {
            let permit = semaphore.acquire_arc();
            thread::spawn(move || drop(permit)).join().unwrap();
        }
        let permit: ArcSemaphorePermit = semaphore.acquire_arc();
        drop(permit);
        let permit = semaphore.acquire();
        thread::scope(|s| {
            s.spawn(|| assert_eq!(permit.num_permits(), 1));
            s.spawn(|| assert_eq!(permit.semaphore().available_permits(), 0));
        });
        thread::scope(|s| s.spawn(move || drop(permit)).join().unwrap());
        assert_eq!(semaphore.available_permits(), 1);
    });
}

#[test]
fn debug_tells_the_numbers() {
    let semaphore = shown(Semaphore::new(3));
    let permits = semaphore.acquire_many(2);
    assert_eq!(format!("{semaphore:?}"), "Semaphore { available_permits: 1, .. }");
    assert_eq!(format!("{permits:?}"), "SemaphorePermit { permits: 2, .. }");
    assert_eq!(format!("{:?}", semaphore.acquire_arc()), "ArcSemaphorePermit { permits: 1, .. }");
    assert!(!OverRelease.to_string().is_empty());
}
