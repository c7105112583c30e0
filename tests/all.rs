//! `lock_all` and its other forms.

use std::array;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{
    Condvar, Mutex, MutexGuard, RwLock, RwLockWriteGuard, lock_all, lock_all_for, lock_all_until, poison,
    try_lock_all,
};

use crate::support::{LIMIT, PARTIES, SHORT, Sleeper, allocations_during, repeat, rounds, shown, watchdog};

fn mutexes<const N: usize>() -> [Mutex<usize>; N] {
    array::from_fn(|_| Mutex::new(0))
}

/// Runs `f`, which panics with this message.
#[track_caller]
fn assert_panics<R>(message: &str, f: impl FnOnce() -> R) {
    let Err(payload) = panic::catch_unwind(AssertUnwindSafe(f)) else {
        panic!("it should have panicked: {message}");
    };
    assert_eq!(payload.downcast_ref::<String>().map(String::as_str), Some(message));
}

#[test]
fn tuples_of_each_size_give_their_guards_by_place() {
    let [a, b, c, d, e, f, g, h] = array::from_fn(Mutex::new);
    let (x,) = lock_all((&h,));
    assert_eq!(*x, 7);
    drop(x);
    let (x, y) = lock_all((&g, &a));
    assert_eq!((*x, *y), (6, 0));
    drop((x, y));
    let (x, y, z) = lock_all((&b, &a, &c));
    assert_eq!((*x, *y, *z), (1, 0, 2));
    drop((x, y, z));
    let guards = lock_all((&d, &c, &b, &a));
    assert_eq!((*guards.0, *guards.1, *guards.2, *guards.3), (3, 2, 1, 0));
    drop(guards);
    let guards = lock_all((&d, &c, &b, &a, &e));
    assert_eq!((*guards.0, *guards.4), (3, 4));
    drop(guards);
    let guards = lock_all((&f, &d, &c, &b, &a, &e));
    assert_eq!((*guards.0, *guards.5), (5, 4));
    drop(guards);
    let guards = lock_all((&f, &d, &c, &b, &a, &e, &g));
    assert_eq!((*guards.0, *guards.6), (5, 6));
    drop(guards);
    let guards = lock_all((&h, &g, &f, &e, &d, &c, &b, &a));
    assert_eq!((*guards.0, *guards.3, *guards.7), (7, 4, 0));
    assert!([&a, &b, &c, &d, &e, &f, &g, &h].iter().all(|lock| lock.is_locked()));
    drop(guards);
    assert!([&a, &b, &c, &d, &e, &f, &g, &h].iter().all(|lock| !lock.is_locked()));
}

#[test]
fn slices_give_their_guards_in_order() {
    let locks: [Mutex<usize>; 5] = array::from_fn(Mutex::new);
    let by_reference: Vec<&Mutex<usize>> = [3, 1, 4, 0, 2].map(|place| &locks[place]).to_vec();
    let values = |guards: Vec<MutexGuard<'_, usize>>| guards.iter().map(|guard| **guard).collect::<Vec<_>>();
    assert_eq!(values(lock_all(&by_reference)), [3, 1, 4, 0, 2]);
    assert_eq!(values(lock_all(by_reference.as_slice())), [3, 1, 4, 0, 2]);
    assert_eq!(values(lock_all(&[&locks[1], &locks[0]])), [1, 0]);
    assert_eq!(values(try_lock_all(&by_reference[1..3]).unwrap()), [1, 4]);
    // The guards borrow the locks, not the slice.
    let guards = {
        let set = vec![&locks[4], &locks[2]];
        lock_all(&set)
    };
    assert_eq!(values(guards), [4, 2]);
}

#[test]
fn empty_set_is_had_at_once() {
    let none: [&Mutex<u8>; 0] = [];
    assert!(lock_all(&none).is_empty());
    assert!(lock_all(none.as_slice()).is_empty());
    assert!(lock_all_for(&none, Duration::ZERO).unwrap().is_empty());
    assert!(lock_all_until(&Vec::<&Mutex<u8>>::new(), Instant::now()).unwrap().is_empty());
    assert!(try_lock_all(&none).unwrap().is_empty());
}

#[test]
fn sets_may_mix_kinds_and_hold_unsized_values() {
    let (list, name) = (Mutex::new([1, 2, 3]), RwLock::new(String::from("ada")));
    let (list, name): (&Mutex<[i32]>, &RwLock<dyn std::fmt::Display>) = (&list, &name);
    let limit = poison::RwLock::new(3);
    let total = poison::Mutex::new(0);
    let (mut list, name, limit, total) = lock_all((list, name.reading(), limit.writing(), &total));
    list[0] = 7;
    assert_eq!(name.to_string(), "ada");
    *limit.unwrap() += 1;
    *total.unwrap() += 1;
}

#[test]
fn same_lock_twice_panics_in_every_form_and_locks_nothing() {
    watchdog(|| {
        let [a, b] = mutexes();
        let held = b.lock();
        let start = Instant::now();
        assert_panics("lock_all: places 0 and 2 of the set are the same lock", || lock_all((&a, &b, &a)));
        assert_panics("lock_all: places 0 and 1 of the set are the same lock", || lock_all(&[&b, &b]));
        let set = vec![&b, &a, &b];
        assert_panics("lock_all_for: places 0 and 2 of the set are the same lock", || {
            lock_all_for(&set, LIMIT)
        });
        assert_panics("lock_all_until: places 0 and 1 of the set are the same lock", || {
            lock_all_until((&a, &a), start + LIMIT)
        });
        assert_panics("try_lock_all: places 0 and 1 of the set are the same lock", || try_lock_all((&a, &a)));
        drop(held);
        assert!(!a.is_locked() && !b.is_locked());
        let lock = shown(RwLock::new(0));
        let message = "lock_all: places 0 and 1 of the set are the same lock";
        assert_panics(message, || lock_all((lock.reading(), lock.reading())));
        assert_panics(message, || lock_all((lock.reading(), lock.writing())));
        assert_panics(message, || lock_all((lock.writing(), lock.writing())));
        assert!(!lock.is_locked());
        let (mutex, lock) = (poison::Mutex::new(0), poison::RwLock::new(0));
        assert_panics("lock_all: places 0 and 1 of the set are the same lock", || lock_all((&mutex, &mutex)));
        assert_panics("lock_all: places 0 and 2 of the set are the same lock", || {
            lock_all((lock.reading(), &mutex, lock.reading()))
        });
        assert!(!mutex.is_poisoned() && !lock.is_poisoned());
    });
}

/// A lock inside the value of another may begin at the same address.
#[test]
fn lock_within_a_lock_is_another() {
    let outer = RwLock::new(Mutex::new(0));
    let guard = outer.read();
    let (_again, mut inner) = try_lock_all((outer.reading(), &*guard)).unwrap();
    *inner += 1;
}

#[test]
fn guards_are_the_ordinary_ones() {
    watchdog(|| {
        let (ready, changed, name) = (Mutex::new(false), Condvar::new(), RwLock::new(String::new()));
        thread::scope(|s| {
            s.spawn(|| {
                let (mut ready, name) = lock_all((&ready, name.writing()));
                RwLockWriteGuard::map(name, String::as_mut_str).make_ascii_uppercase();
                *ready = true;
                drop(ready);
                changed.notify_all();
            });
            let (mut guard, name) = lock_all((&ready, name.reading()));
            drop(name);
            changed.wait_while(&mut guard, |ready| !*ready);
            MutexGuard::unlock_fair(guard);
        });
    });
}

/// A thread that waits for a lock that is held long sleeps, and holds none of the others.
#[test]
fn waiting_thread_sleeps_and_holds_nothing() {
    watchdog(|| {
        for long in 0..3 {
            let locks: [Mutex<usize>; 3] = mutexes();
            let sleeper = Sleeper::new();
            let held = locks[long].lock();
            thread::scope(|s| {
                s.spawn(|| {
                    sleeper.about_to_block();
                    let _ = lock_all((&locks[2], &locks[0], &locks[1]));
                });
                let naps = sleeper.until_asleep();
                for (place, lock) in locks.iter().enumerate().filter(|&(place, _)| place != long) {
                    assert!(lock.try_lock().is_some(), "{place} is held while {long} is waited for");
                }
                drop(held);
                let _ = naps;
            });
            assert!(locks.iter().all(|lock| !lock.is_locked()));
        }
    });
}

#[test]
fn time_out_leaves_nothing_locked_and_no_waiter_queued() {
    watchdog(|| {
        let [a, b] = mutexes();
        let held = b.lock();
        assert!(try_lock_all((&a, &b)).is_none());
        assert!(lock_all_for((&a, &b), Duration::ZERO).is_none());
        assert!(lock_all_until((&a, &b), Instant::now()).is_none());
        let start = Instant::now();
        assert!(lock_all_for((&b, &a), SHORT).is_none());
        assert!(start.elapsed() >= SHORT);
        assert!(lock_all_until(&[&a, &b], Instant::now() + SHORT).is_none());
        assert!(a.try_lock().is_some());
        drop(held);
        for lock in [&a, &b] {
            assert!(!lock.is_locked());
        }
        assert!(lock_all_for((&a, &b), Duration::ZERO).is_some(), "tried once, and had");
        assert!(lock_all_for((&a, &b), Duration::MAX).is_some());
        assert!(lock_all_until((&a, &b), Instant::now()).is_some());

        let (first, second) = (RwLock::new(0), RwLock::new(0));
        let reads = second.read();
        assert!(lock_all_for((first.writing(), second.writing()), SHORT).is_none());
        assert!(lock_all_for((first.writing(), second.reading()), SHORT).is_some());
        drop(reads);
        assert!(!first.is_locked() && !second.is_locked());
    });
}

#[test]
fn poison_is_told_of_each_lock_by_itself() {
    let (a, b, c) = (poison::Mutex::new(1), poison::Mutex::new(2), poison::RwLock::new(3));
    let _ = panic::catch_unwind(|| {
        let _guard = b.lock();
        panic!("with b");
    });
    let (first, second, third) = lock_all((&a, &b, c.reading()));
    assert_eq!(*first.unwrap(), 1);
    assert_eq!(*second.unwrap_err().into_inner(), 2);
    assert_eq!(*third.unwrap(), 3);
    // Backing off with it is no panic.
    let held = c.write().unwrap();
    assert!(lock_all_for((&a, c.writing(), &b), SHORT).is_none());
    assert!(try_lock_all((&a, c.reading())).is_none());
    drop(held);
    assert!(!a.is_poisoned() && !c.is_poisoned());
    let guards = lock_all((&a, &b));
    let _ = panic::catch_unwind(AssertUnwindSafe(move || {
        let _guards = guards;
        panic!("with both");
    }));
    assert!(a.is_poisoned());
}

/// Threads lock the same few locks in orders that go round, at once and one inside the other.
#[test]
fn opposite_orders_make_progress() {
    watchdog(|| {
        for parties in PARTIES.into_iter().chain([64]) {
            let locks: [Mutex<usize>; 4] = mutexes();
            let times = rounds(if parties < 64 { 500 } else { 30 });
            thread::scope(|s| {
                for id in 0..parties {
                    let set: [&Mutex<usize>; 4] = array::from_fn(|place| &locks[(id + place) % 4]);
                    s.spawn(move || {
                        for _ in 0..times {
                            match id % 3 {
                                0 => lock_all(&set).into_iter().for_each(|mut value| *value += 1),
                                1 => {
                                    let (mut a, mut b, mut c, mut d) =
                                        lock_all((set[3], set[2], set[1], set[0]));
                                    *a += 1;
                                    *b += 1;
                                    *c += 1;
                                    *d += 1;
                                }
                                _ => loop {
                                    let Some(guards) = lock_all_for(set.as_slice(), SHORT) else { continue };
                                    guards.into_iter().for_each(|mut value| *value += 1);
                                    break;
                                },
                            }
                        }
                    });
                }
                // One that nests them in an order of its own.
                s.spawn(|| {
                    for _ in 0..times {
                        let mut outer = locks[3].lock();
                        let mut inner = locks[1].lock();
                        *outer += 1;
                        *inner += 1;
                    }
                });
            });
            let values = locks.map(Mutex::into_inner);
            let both = parties * times;
            assert_eq!(values, [both, both + times, both, both + times]);
        }
    });
}

/// Threads that lock one lock each, again and again, do not keep out one that wants all.
#[test]
fn lockers_of_one_do_not_starve_a_locker_of_all() {
    watchdog(|| {
        let locks: [Mutex<usize>; 3] = mutexes();
        let (done, had) = (AtomicBool::new(false), AtomicUsize::new(0));
        thread::scope(|s| {
            for id in 0..6 {
                let (lock, done) = (&locks[id % 3], &done);
                s.spawn(move || {
                    while !done.load(Relaxed) {
                        *lock.lock() += 1;
                    }
                });
            }
            for _ in repeat(50) {
                let (a, b, c) = lock_all((&locks[2], &locks[0], &locks[1]));
                drop((a, b, c));
                had.fetch_add(1, Relaxed);
            }
            done.store(true, Relaxed);
        });
        assert_eq!(had.load(Relaxed), rounds(50));
    });
}

/// Of readers that come and go there is always one in, and no attempt would ever find the second lock free.
#[test]
fn readers_of_one_do_not_starve_a_writer_of_all() {
    watchdog(|| {
        let locks = [RwLock::new(0), RwLock::new(0)];
        let done = AtomicBool::new(false);
        thread::scope(|s| {
            for id in 0..6 {
                let (lock, done) = (&locks[id % 2], &done);
                s.spawn(move || {
                    while !done.load(Relaxed) {
                        let read = lock.read();
                        thread::yield_now();
                        drop(read);
                    }
                });
            }
            for _ in repeat(20) {
                let (mut a, mut b) = lock_all((locks[1].writing(), locks[0].writing()));
                (*a, *b) = (*a + 1, *b + 1);
            }
            done.store(true, Relaxed);
        });
        assert_eq!(locks.map(RwLock::into_inner), [rounds(20); 2]);
    });
}

#[test]
#[cfg_attr(feature = "diagnose", ignore = "what a thread tells of its waits is allocated once")]
fn tuple_allocates_nothing() {
    watchdog(|| {
        let [a, b] = mutexes();
        let lock = shown(RwLock::new(0));
        let _ = thread::current();
        let held = lock.write();
        let count = allocations_during(|| {
            assert!(lock_all_for((&a, &b, lock.reading()), SHORT).is_none());
            let _ = lock_all((&b, &a));
        });
        assert_eq!(count, 0);
        drop(held);
    });
}
