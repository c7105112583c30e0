//! `lockwork::lock_all`.

use lockwork::internals::{mutex_has_waiters, rwlock_has_waiters};
use lockwork::{Mutex, RwLock, lock_all, lock_all_for, try_lock_all};

use crate::models::support::{Arc, SOON, model, model_bounded, reach, thread};

const THREE: &str = "three threads";
const TWO_LONG: &str = "two threads, with two locks each that are taken again and again";

type Pair = Arc<(Mutex<u32>, Mutex<u32>)>;

fn pair() -> Pair {
    Arc::new((Mutex::new(0), Mutex::new(0)))
}

fn is_left_as_it_was(pair: &Pair) -> bool {
    let locks = [&pair.0, &pair.1];
    locks.iter().all(|lock| !mutex_has_waiters(lock) && lock.try_lock().is_some())
}

/// Two threads lock two locks in opposite orders, all at once.
#[test]
fn opposite_orders_all_at_once() {
    model_bounded(3, TWO_LONG, &["waiter parks"], || {
        let locks = pair();
        let other = Arc::clone(&locks);
        let thread = thread::spawn(move || {
            let (mut second, mut first) = lock_all((&other.1, &other.0));
            *first += 1;
            *second += 1;
        });
        {
            let (mut first, mut second) = lock_all((&locks.0, &locks.1));
            *first += 1;
            *second += 1;
        }
        thread.join().unwrap();
        assert_eq!((*locks.0.lock(), *locks.1.lock()), (2, 2));
        assert!(is_left_as_it_was(&locks));
    });
}

/// Against a thread that nests them, in the one order and in the other.
fn nesting(against: bool) {
    let locks = pair();
    let other = Arc::clone(&locks);
    let thread = thread::spawn(move || {
        let (outer, inner) = if against { (&other.1, &other.0) } else { (&other.0, &other.1) };
        let mut outer = outer.lock();
        let mut inner = inner.lock();
        *outer += 1;
        *inner += 1;
    });
    {
        let (mut first, mut second) = lock_all((&locks.0, &locks.1));
        *first += 1;
        *second += 1;
    }
    thread.join().unwrap();
    assert_eq!((*locks.0.lock(), *locks.1.lock()), (2, 2));
    assert!(is_left_as_it_was(&locks));
}

#[test]
fn against_a_thread_that_nests_the_one_way() {
    model(&["waiter parks"], || nesting(false));
}

/// Here an attempt finds the second taken while its holder waits for the first.
#[test]
fn against_a_thread_that_nests_the_other_way() {
    model_bounded(3, TWO_LONG, &["waiter parks", "a lock of the set is taken"], || nesting(true));
}

/// Opposite orders, and a third thread that nests: it has one of the locks when the others begin.
#[test]
fn opposite_orders_and_a_third_that_nests() {
    model_bounded(3, THREE, &["waiter parks", "a lock of the set is taken"], || {
        let locks = pair();
        let mut second = locks.1.lock();
        let threads = [false, true].map(|opposite| {
            let locks = Arc::clone(&locks);
            thread::spawn(move || {
                let set = if opposite { (&locks.1, &locks.0) } else { (&locks.0, &locks.1) };
                let (mut one, mut two) = lock_all(set);
                *one += 1;
                *two += 1;
            })
        });
        let mut first = locks.0.lock();
        *first += 1;
        *second += 1;
        drop((first, second));
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!((*locks.0.lock(), *locks.1.lock()), (3, 3));
    });
}

/// A reader and a writer of a lock that want a mutex as well, in opposite orders.
#[test]
fn reader_and_writer_in_opposite_orders() {
    model(&["waiter parks"], || {
        let locks = Arc::new((RwLock::new(0), Mutex::new(0)));
        let other = Arc::clone(&locks);
        let writer = thread::spawn(move || {
            let (mut second, mut first) = lock_all((&other.1, other.0.writing()));
            *first += 1;
            *second += 1;
        });
        {
            let (first, second) = lock_all((locks.0.reading(), &locks.1));
            assert_eq!(*first, *second);
        }
        writer.join().unwrap();
        assert!(!rwlock_has_waiters(&locks.0) && !mutex_has_waiters(&locks.1));
        assert!(try_lock_all((locks.0.writing(), &locks.1)).is_some());
    });
}

/// The time is up, or all are had: in both cases nothing is left behind.
#[test]
fn timed_call_has_all_or_none() {
    let states = ["all", "none", "waiter leaves at its deadline"];
    model_bounded(3, "two threads, and time-outs at each of two locks", &states, || {
        let locks = pair();
        let other = Arc::clone(&locks);
        let thread = thread::spawn(move || {
            let _second = other.1.lock();
            let _first = other.0.lock();
        });
        match lock_all_for((&locks.0, &locks.1), SOON) {
            Some((mut first, mut second)) => {
                *first += 1;
                *second += 1;
                reach("all");
            }
            None => reach("none"),
        }
        thread.join().unwrap();
        assert_eq!(*locks.0.lock(), *locks.1.lock());
        assert!(is_left_as_it_was(&locks));
    });
}

/// Trying has all or leaves none locked, whatever happens beside it.
#[test]
fn try_has_all_or_none() {
    model(&["all", "none"], || {
        let locks = pair();
        let other = Arc::clone(&locks);
        let thread = thread::spawn(move || *other.1.lock() += 1);
        match try_lock_all([&locks.0, &locks.1].as_slice()) {
            Some(guards) => {
                assert_eq!(guards.len(), 2);
                reach("all");
            }
            None => {
                assert!(locks.0.try_lock().is_some());
                reach("none");
            }
        }
        thread.join().unwrap();
        assert!(is_left_as_it_was(&locks));
    });
}
