//! Planted inversions are found, at the first acquisition against the order and with the right places; what
//! is none is left alone.

use std::panic::{self, AssertUnwindSafe};
use std::time::{Duration, Instant};

use lockwork::diagnose::{Inversion, Order, Settings};
use lockwork::{
    Condvar, LockClass, Mutex, MutexGuard, ReentrantMutex, ReentrantMutexGuard, RwLock,
    RwLockUpgradableReadGuard, lock_all,
};

use crate::support::{Watched, in_thread};

const SOON: Duration = Duration::from_secs(10);

/// What an inversion is about: the lock that is wanted, the one that is held, and those between.
fn names(inversion: &Inversion) -> (&str, &str, Vec<(&str, &str)>) {
    let opposite = &inversion.opposite;
    (
        inversion.wanted.name.unwrap(),
        inversion.held.name.unwrap(),
        opposite.iter().map(|step| (step.held.name.unwrap(), step.wanted.name.unwrap())).collect(),
    )
}

#[test]
fn two_locks_in_both_orders_are_reported_with_all_four_places() {
    let watched = Watched::order();
    let (a, b) = (Mutex::named("a", ()), Mutex::named("b", ()));
    let line = line!();
    in_thread("first", || {
        let _a = a.lock();
        let _b = b.lock();
    });
    assert!(watched.inversions().is_empty());
    in_thread("second", || {
        let _b = b.lock();
        let _a = a.lock();
    });
    let inversion = watched.inversion();
    assert_eq!(names(&inversion), ("a", "b", vec![("a", "b")]));
    assert_eq!(inversion.thread, "second");
    let places =
        [&inversion.opposite[0].held, &inversion.opposite[0].wanted, &inversion.held, &inversion.wanted];
    assert_eq!(places.map(|at| at.place.line()), [line + 2, line + 3, line + 7, line + 8]);
    assert!(places.iter().all(|at| at.place.file().ends_with("order.rs")));
    let text = inversion.to_string();
    for part in ["\"second\"", "\"a\"", "\"b\"", "Mutex::lock", &format!("order.rs:{}", line + 8)] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    // Once.
    in_thread("third", || {
        let _b = b.lock();
        let _a = a.lock();
    });
    assert!(watched.inversions().is_empty());
}

/// A time-out that never comes ends nothing.
#[test]
fn wait_within_the_longest_time_is_no_timed_one() {
    let watched = Watched::order();
    let (a, b) = (Mutex::named("a", ()), Mutex::named("b", ()));
    drop((a.lock(), b.try_lock_for(Duration::MAX)));
    drop((b.lock(), a.try_lock_for(Duration::MAX)));
    assert!(!watched.inversion().timed);
    let (a, b) = (RwLock::named("a", ()), RwLock::named("b", ()));
    drop((a.read(), b.try_write_for(Duration::MAX)));
    drop((b.write(), a.try_read_for(Duration::MAX)));
    assert!(!watched.inversion().timed);
}

#[test]
fn thread_that_has_seen_the_order_and_lives_is_named() {
    let watched = Watched::order();
    let (a, b) = (Mutex::named("a", ()), Mutex::named("b", ()));
    in_thread("early", || {
        drop((a.lock(), b.lock()));
        in_thread("late", || drop((b.lock(), a.lock())));
    });
    assert_eq!(watched.inversion().opposite[0].thread.as_deref(), Some("early"));
}

#[test]
fn three_locks_in_a_circle_are_reported_at_the_last_edge() {
    let watched = Watched::order();
    let locks = [("a", ()), ("b", ()), ("c", ())].map(|(name, value)| Mutex::named(name, value));
    let [a, b, c] = &locks;
    in_thread("one", || drop((a.lock(), b.lock())));
    in_thread("two", || drop((b.lock(), c.lock())));
    assert!(watched.inversions().is_empty());
    in_thread("three", || drop((c.lock(), a.lock())));
    assert_eq!(names(&watched.inversion()), ("a", "c", vec![("a", "b"), ("b", "c")]));
}

#[test]
fn middle_lock_that_is_let_go_or_gone_hides_no_inversion() {
    for gone in [false, true] {
        let watched = Watched::order();
        let (a, c) = (Mutex::named("a", ()), Mutex::named("c", ()));
        let b = Mutex::named("b", ());
        let held = a.lock();
        let middle = b.lock();
        if gone {
            drop(c.lock());
            drop(middle);
        } else {
            drop(middle);
            drop(c.lock());
        }
        drop(held);
        drop(b);
        assert!(watched.inversions().is_empty());
        drop((c.lock(), a.lock()));
        assert_eq!(names(&watched.inversion()), ("a", "c", vec![("a", "c")]), "gone: {gone}");
    }
}

#[test]
fn wait_at_a_condition_variable_takes_its_mutex_again() {
    let watched = Watched::order();
    let (mutex, other) = (Mutex::named("mutex", ()), Mutex::named("other", ()));
    let condvar = Condvar::new();
    let mut guard = mutex.lock();
    let line = line!();
    let _other = other.lock();
    assert!(watched.inversions().is_empty());
    // While it waits it holds `other` alone, and then wants `mutex`.
    let _ = condvar.wait_for(&mut guard, Duration::from_millis(1));
    let inversion = watched.inversion();
    assert_eq!(names(&inversion), ("mutex", "other", vec![("mutex", "other")]));
    assert_eq!(inversion.held.place.line(), line + 1);
    assert_eq!(inversion.wanted.place.line(), line + 4);
}

#[test]
fn wait_with_nothing_else_held_is_no_inversion() {
    let watched = Watched::order();
    let (first, second) = (Mutex::named("first", ()), Mutex::named("second", ()));
    let condvar = Condvar::new();
    for mutex in [&first, &second] {
        let _ = condvar.wait_for(&mut mutex.lock(), Duration::from_millis(1));
    }
    // The mutex of the wait is let go, so nothing is held when the other is taken afterwards.
    drop((first.lock(), second.lock()));
    assert!(watched.inversions().is_empty());
}

static OUTER: LockClass = LockClass::new("outer", 1);
static INNER: LockClass = LockClass::new("inner", 2);

#[test]
fn ranks_find_an_inversion_at_the_first_acquisition() {
    let watched = Watched::order();
    drop((Mutex::of(&OUTER, ()).lock(), Mutex::of(&INNER, ()).lock()));
    assert!(watched.inversions().is_empty());
    let (outer, inner) = (Mutex::of(&OUTER, ()), RwLock::of(&INNER, ()));
    // Neither was ever held with another.
    drop((inner.read(), outer.lock()));
    let inversion = watched.inversion();
    assert_eq!(names(&inversion), ("outer", "inner", vec![]));
    assert_eq!(inversion.ranks, Some((2, 1)));
    let (outer, inner) = (Mutex::of(&OUTER, ()), Mutex::of(&INNER, ()));
    drop((inner.lock(), outer.lock()));
    assert!(watched.inversions().is_empty(), "each pair of classes once");
}

#[test]
fn locks_of_one_class_are_told_apart() {
    let watched = Watched::order();
    let (a, b) = (Mutex::of(&OUTER, ()), Mutex::of(&OUTER, ()));
    drop((a.lock(), b.lock()));
    assert!(watched.inversions().is_empty());
    drop((b.lock(), a.lock()));
    let inversion = watched.inversion();
    assert_eq!(inversion.ranks, None);
    assert_eq!(inversion.opposite.len(), 1);
}

#[test]
fn readers_in_both_orders_are_an_inversion_as_a_writer_may_wait() {
    let watched = Watched::order();
    let (a, b) = (RwLock::named("a", ()), RwLock::named("b", ()));
    drop((a.read(), b.read()));
    drop((b.read(), a.read()));
    assert_eq!(names(&watched.inversion()), ("a", "b", vec![("a", "b")]));
}

#[test]
fn recursive_readers_are_one_with_writers_alone() {
    let watched = Watched::order();
    let (a, b) = (RwLock::named("a", ()), RwLock::named("b", ()));
    drop((a.read_recursive(), b.read_recursive()));
    drop((b.read_recursive(), a.read_recursive()));
    assert!(watched.inversions().is_empty());
    drop((a.write(), b.read_recursive()));
    assert!(watched.inversions().is_empty(), "`b` is never held by a writer");
    drop((b.write(), a.read_recursive()));
    assert_eq!(names(&watched.inversion()), ("a", "b", vec![("a", "b")]));
}

#[test]
fn attempts_add_no_edge_but_hold() {
    let watched = Watched::order();
    let (a, b) = (Mutex::named("a", ()), Mutex::named("b", ()));
    let (r, w) = (RwLock::named("r", ()), RwLock::named("w", ()));
    {
        let _a = a.lock();
        drop((b.try_lock().unwrap(), r.try_read().unwrap(), w.try_write().unwrap()));
        drop(b.try_lock_for(Duration::ZERO).unwrap());
    }
    drop((b.lock(), a.try_lock().unwrap()));
    assert!(watched.inversions().is_empty());
    {
        let _b = b.try_lock().unwrap();
        drop(a.lock());
    }
    assert!(watched.inversions().is_empty(), "`b` was only attempted while `a` was held");
    {
        let _a = a.try_lock().unwrap();
        drop(b.lock());
    }
    assert_eq!(names(&watched.inversion()), ("b", "a", vec![("b", "a")]));
}

#[test]
fn cycle_that_a_time_out_ends_is_reported_on_request_only() {
    for (order, on_request) in [(Order::Report, false), (Order::ReportTimed, true)] {
        let watched = Watched::by(|settings| Settings { order, ..settings });
        let (a, b) = (Mutex::named("a", ()), Mutex::named("b", ()));
        drop((a.lock(), b.lock()));
        drop((b.lock(), a.try_lock_for(SOON).unwrap()));
        drop((b.lock(), a.try_lock_until(Instant::now() + SOON).unwrap()));
        let found = watched.inversions();
        assert_eq!(found.len(), usize::from(on_request), "{found:?}");
        assert!(found.iter().all(|inversion| inversion.timed));
        // Without the time-out it is one.
        drop((b.lock(), a.lock()));
        assert!(!watched.inversion().timed);
    }
}

#[test]
fn upgrade_and_re_entry_are_no_inversion() {
    let watched = Watched::order();
    let (lock, mutex) = (RwLock::named("lock", ()), Mutex::named("mutex", ()));
    {
        let reader = lock.upgradable_read();
        let _mutex = mutex.lock();
        drop(RwLockUpgradableReadGuard::upgrade(reader));
    }
    let reentrant = ReentrantMutex::named("reentrant", ());
    {
        let _outer = reentrant.lock();
        let _mutex = mutex.lock();
        let _inner = reentrant.lock();
    }
    assert!(watched.inversions().is_empty());
}

#[test]
fn upgrade_waits_for_readers_that_want_what_it_holds() {
    let watched = Watched::order();
    let (lock, mutex) = (RwLock::named("lock", ()), Mutex::named("mutex", ()));
    drop((lock.read(), mutex.lock()));
    {
        let reader = lock.upgradable_read();
        let _mutex = mutex.lock();
        drop(RwLockUpgradableReadGuard::upgrade(reader));
    }
    assert_eq!(names(&watched.inversion()), ("lock", "mutex", vec![("lock", "mutex")]));
}

#[test]
fn several_at_once_have_no_order_among_themselves() {
    let watched = Watched::order();
    let (a, b, c) = (Mutex::named("a", ()), Mutex::named("b", ()), Mutex::named("c", ()));
    drop(lock_all((&a, &b)));
    drop(lock_all((&b, &a)));
    drop(lock_all([&b, &a].as_slice()));
    assert!(watched.inversions().is_empty());
    {
        // But they have one with what is held before.
        let _c = c.lock();
        drop(lock_all((&a, &b)));
    }
    {
        let _b = b.lock();
        drop(c.lock());
    }
    assert_eq!(names(&watched.inversion()), ("c", "b", vec![("c", "b")]));
    // And with what is taken afterwards.
    let _both = lock_all((&a, &b));
    let d = Mutex::named("d", ());
    drop(d.lock());
    drop(_both);
    drop((d.lock(), a.lock()));
    assert_eq!(names(&watched.inversion()), ("a", "d", vec![("a", "d")]));
}

#[test]
fn new_lock_at_an_old_address_is_another() {
    let watched = Watched::order();
    let first = Mutex::named("first", ());
    let mut place = Some(Mutex::named("second", ()));
    drop((first.lock(), place.as_ref().unwrap().lock()));
    let address = (&raw const *place.as_ref().unwrap()).addr();
    place = None;
    assert!(place.is_none());
    place = Some(Mutex::named("second", ()));
    let second = place.as_ref().unwrap();
    assert_eq!((&raw const *second).addr(), address);
    drop((second.lock(), first.lock()));
    assert!(watched.inversions().is_empty());
    drop((first.lock(), second.lock()));
    assert_eq!(names(&watched.inversion()), ("second", "first", vec![("second", "first")]));
}

#[test]
fn moved_lock_stays_the_same() {
    let watched = Watched::order();
    let (first, second) = (Mutex::named("first", ()), Mutex::named("second", ()));
    drop((first.lock(), second.lock()));
    let (first, second) = (Box::new(first), Box::new(second));
    drop((second.lock(), first.lock()));
    assert_eq!(names(&watched.inversion()), ("first", "second", vec![("first", "second")]));
}

#[test]
fn panic_comes_before_anything_is_locked_and_each_time() {
    let watched = Watched::by(|settings| Settings { order: Order::Panic, ..settings });
    let (a, b) = (Mutex::named("a", 0), Mutex::named("b", 0));
    drop((a.lock(), b.lock()));
    for _ in 0..2 {
        let wrong = panic::catch_unwind(AssertUnwindSafe(|| drop((b.lock(), a.lock()))));
        let message = wrong.unwrap_err().downcast::<String>().unwrap();
        assert!(message.contains("inversion") && message.contains("order.rs"), "{message}");
        assert!(!a.is_locked() && !b.is_locked());
    }
    drop((a.lock(), b.lock()));
    drop(watched);
}

/// A second panic would end the process.
#[test]
fn panic_in_a_panic_is_only_a_report() {
    struct Against<'a>(&'a Mutex<i32>, &'a Mutex<i32>);
    impl Drop for Against<'_> {
        fn drop(&mut self) {
            drop((self.0.lock(), self.1.lock()));
        }
    }
    let watched = Watched::by(|settings| Settings { order: Order::Panic, ..settings });
    let (a, b) = (Mutex::named("a", 0), Mutex::named("b", 0));
    drop((a.lock(), b.lock()));
    let first = panic::catch_unwind(AssertUnwindSafe(|| {
        let _against = Against(&b, &a);
        panic!("the first");
    }));
    assert_eq!(first.unwrap_err().downcast_ref::<&str>(), Some(&"the first"));
    assert_eq!(names(&watched.inversion()).0, "a");
}

#[test]
fn guard_that_goes_to_another_thread_is_held_by_none_there() {
    let watched = Watched::order();
    let (a, b) = (std::sync::Arc::new(Mutex::named("a", ())), Mutex::named("b", ()));
    let guard = a.lock_arc();
    in_thread("other", move || drop(guard));
    // This thread holds nothing any more.
    drop(b.lock());
    let guard = a.lock_arc();
    std::thread::scope(|s| {
        let (done, end) = std::sync::mpsc::channel::<()>();
        s.spawn(move || {
            let _guard = guard;
            end.recv().unwrap_err();
        });
        // While the guard is there.
        drop(b.lock());
        drop(done);
    });
    drop((b.lock(), a.lock()));
    assert!(watched.inversions().is_empty());
}

#[test]
fn thread_without_a_name_is_told_as_such() {
    let watched = Watched::order();
    let (a, b) = (Mutex::named("a", ()), Mutex::named("b", ()));
    drop((a.lock(), b.lock()));
    std::thread::scope(|s| s.spawn(|| drop((b.lock(), a.lock()))).join().unwrap());
    let text = watched.inversion().to_string();
    assert!(text.starts_with("inversion: a thread without a name wants \"a\""), "{text}");
}

#[test]
fn arc_guard_is_taken_in_the_order_as_others_are() {
    let watched = Watched::order();
    let (a, b) = (std::sync::Arc::new(Mutex::named("a", ())), Mutex::named("b", ()));
    drop((a.lock(), b.lock()));
    drop((b.lock(), a.lock_arc()));
    assert_eq!(names(&watched.inversion()), ("a", "b", vec![("a", "b")]));
}

/// All of them are told: what closes a cycle is not told again, and the chain is known afterwards.
#[test]
fn acquisition_against_several_held_locks_tells_of_each() {
    let watched = Watched::order();
    let (a, x, y) = (Mutex::named("a", ()), Mutex::named("x", ()), Mutex::named("y", ()));
    drop((a.lock(), x.lock()));
    drop((a.lock(), y.lock()));
    {
        let _x = x.lock();
        let _y = y.lock();
        drop(a.lock());
    }
    let found = watched.inversions();
    let found: Vec<_> = found.iter().map(names).collect();
    assert_eq!(found, [("a", "x", vec![("a", "x")]), ("a", "y", vec![("a", "y")])]);
    drop((y.lock(), a.lock()));
    assert!(watched.inversions().is_empty(), "each once");
}

/// The first panics, and nothing is said of the others.
#[test]
fn acquisition_against_several_held_locks_panics_with_the_first() {
    let watched = Watched::by(|settings| Settings { order: Order::Panic, ..settings });
    let (a, x, y) = (Mutex::named("a", ()), Mutex::named("x", ()), Mutex::named("y", ()));
    drop((a.lock(), x.lock()));
    drop((a.lock(), y.lock()));
    for _ in 0..2 {
        let (_x, _y) = (x.lock(), y.lock());
        let wrong = panic::catch_unwind(AssertUnwindSafe(|| drop(a.lock())));
        assert!(wrong.is_err());
        assert_eq!(names(&watched.inversion()), ("a", "x", vec![("a", "x")]));
    }
}

/// Its `Arc` guard cannot go to another thread.
#[test]
fn arc_guard_of_a_reentrant_mutex_comes_before_others() {
    let watched = Watched::order();
    let (a, b) = (std::sync::Arc::new(ReentrantMutex::named("a", ())), Mutex::named("b", ()));
    drop((a.lock_arc(), b.lock()));
    drop((b.lock(), a.lock_arc()));
    assert_eq!(names(&watched.inversion()), ("a", "b", vec![("a", "b")]));
    // A second level waits for nothing.
    let _outer = a.lock_arc();
    drop((b.lock(), a.lock_arc()));
    assert!(watched.inversions().is_empty());
}

/// What is given up for a while is held as before, and known to be, if that panics.
#[test]
fn panic_before_a_lock_is_given_up_leaves_it_held() {
    let watched = Watched::by(|settings| Settings { order: Order::Panic, ..settings });
    let (mutex, other) = (Mutex::named("given up", ()), Mutex::named("kept", ()));
    let reentrant = ReentrantMutex::named("given up, too", ());
    drop((mutex.lock(), other.lock()));
    drop((reentrant.lock(), other.lock()));
    let holds = |name| {
        lockwork::diagnose::snapshot()
            .threads
            .iter()
            .any(|thread| thread.holds.iter().any(|hold| hold.name == Some(name)))
    };
    let mut guard = mutex.lock();
    let mut level = reentrant.lock();
    let _other = other.lock();
    let condvar = Condvar::new();
    let against = |f: &mut dyn FnMut()| {
        let message = panic::catch_unwind(AssertUnwindSafe(f)).unwrap_err().downcast::<String>().unwrap();
        assert!(message.starts_with("inversion: "), "{message}");
    };
    against(&mut || _ = condvar.wait_for(&mut guard, Duration::from_millis(1)));
    assert!(mutex.is_locked() && holds("given up"));
    against(&mut || MutexGuard::unlocked(&mut guard, || unreachable!("it panics before")));
    assert!(mutex.is_locked() && holds("given up"));
    against(&mut || ReentrantMutexGuard::unlocked(&mut level, || unreachable!("it panics before")));
    assert!(reentrant.is_owned_by_current_thread() && holds("given up, too"));
    drop((guard, level));
    assert!(!mutex.is_locked() && !holds("given up") && !holds("given up, too"));
    drop(watched);
}

/// The level that is left keeps other threads out, so taking the other again waits for nothing.
#[test]
fn level_that_is_given_up_and_taken_again_is_no_inversion() {
    let watched = Watched::order();
    let (reentrant, other) = (ReentrantMutex::named("levels", ()), Mutex::named("other", ()));
    let _outer = reentrant.lock();
    let mut inner = reentrant.lock();
    let _other = other.lock();
    ReentrantMutexGuard::unlocked(&mut inner, || ());
    assert!(watched.inversions().is_empty());
}
