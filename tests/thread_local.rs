//! `lockwork::ThreadLocal`.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Barrier};
use std::thread;

use lockwork::ThreadLocal;

use crate::support::{Drops, blocks_during, parties, repeat, shown, watchdog};

#[test]
fn same_thread_gets_the_same_value() {
    let made = AtomicUsize::new(0);
    let mut local = ThreadLocal::new();
    let make = || made.fetch_add(1, Relaxed);
    assert_eq!(local.get(), None);
    for _ in 0..3 {
        assert_eq!(local.get_or(make), &0);
        assert_eq!(local.get(), Some(&0));
        assert_eq!(local.get_or_try(|| Err(())), Ok(&0));
        assert_eq!(local.get_or_default(), &0);
    }
    assert_eq!(format!("{local:?}"), "ThreadLocal { local_data: Some(0) }");
    local.clear();
    assert_eq!(local.get(), None);
    assert_eq!(local.get_or(make), &1, "made anew after the clear");
}

#[test]
fn different_threads_get_different_values() {
    let (made, local) = (AtomicUsize::new(0), ThreadLocal::new());
    let make = || made.fetch_add(1, Relaxed);
    local.get_or(make);
    thread::scope(|s| {
        s.spawn(|| {
            assert_eq!(local.get(), None);
            assert_eq!(local.get_or(make), &1);
        });
    });
    assert_eq!(local.get(), Some(&0));
}

#[test]
fn error_inserts_nothing() {
    let local = shown(ThreadLocal::new());
    assert_eq!(local.get_or_try(|| Err::<u8, _>("no")), Err("no"));
    assert_eq!(local.get(), None);
    assert_eq!(local.iter().count(), 0);
    assert!(panic::catch_unwind(AssertUnwindSafe(|| local.get_or(|| panic!("no")))).is_err());
    assert_eq!(local.get(), None);
    assert_eq!(local.get_or(|| 1), &1);
}

#[test]
fn works_in_a_static() {
    static LOCAL: ThreadLocal<Cell<u8>> = ThreadLocal::new();
    LOCAL.get_or_default().set(3);
    assert_eq!(LOCAL.get().map(Cell::get), Some(3));
    assert_eq!(ThreadLocal::<u8>::with_capacity(100).iter().count(), 0);
    assert_eq!(ThreadLocal::<u8>::default().get(), None);
}

#[test]
fn iterators_give_each_value_once() {
    for parties in parties() {
        let mut local = ThreadLocal::with_capacity(parties);
        thread::scope(|s| {
            for i in 0..parties {
                let local = &local;
                s.spawn(move || local.get_or(|| Box::new(i)));
            }
        });
        let sorted = |mut values: Vec<usize>| {
            values.sort_unstable();
            values
        };
        let expected: Vec<_> = (0..parties).collect();
        assert_eq!(sorted(local.iter().map(|value| **value).collect()), expected);
        assert_eq!(sorted((&local).into_iter().map(|value| **value).collect()), expected);
        assert_eq!(local.iter_mut().len(), parties);
        for value in &mut local {
            **value += 1;
        }
        let mut values = local.into_iter();
        assert_eq!(values.len(), parties);
        let first = *values.next().unwrap();
        assert_eq!(values.size_hint(), (parties - 1, Some(parties - 1)));
        let rest = values.by_ref().map(|value| *value);
        assert_eq!(sorted(rest.chain([first]).collect()), (1..=parties).collect::<Vec<_>>());
        assert!(values.next().is_none());
    }
}

#[test]
fn values_outlive_their_threads_and_are_never_inherited() {
    let (local, drops) = (shown(ThreadLocal::new()), Drops::new());
    for i in 0..100 {
        let (local, value) = (Arc::clone(&local), drops.value());
        thread::spawn(move || {
            assert!(local.get().is_none(), "a value of a thread that is gone");
            local.get_or(|| (i, value));
        })
        .join()
        .unwrap();
    }
    assert_eq!(drops.count(), 0);
    assert_eq!(local.iter().map(|(i, _)| i).sum::<i32>(), (0..100).sum::<i32>());
    drop(local);
    assert_eq!(drops.count(), 100);
}

#[test]
fn each_way_to_go_drops_each_value_once() {
    for parties in parties() {
        for way in 0..4 {
            let (mut local, drops) = (ThreadLocal::new(), Drops::new());
            thread::scope(|s| {
                for _ in 0..parties {
                    s.spawn(|| local.get_or(|| drops.value()));
                }
            });
            assert_eq!(drops.count(), 0);
            match way {
                0 => drop(local),
                1 => local.clear(),
                2 => drop(local.into_iter()),
                _ => drop(local.into_iter().next()),
            }
            assert_eq!(drops.count(), parties);
        }
    }
}

#[test]
fn panicking_destructor_leaves_none_behind() {
    struct Value(bool, #[expect(dead_code, reason = "counts")] crate::support::Counted);
    impl Drop for Value {
        fn drop(&mut self) {
            assert!(!self.0, "a destructor in a test");
        }
    }
    let (local, drops) = (ThreadLocal::new(), Drops::new());
    thread::scope(|s| {
        for i in 0..5 {
            let (local, drops) = (&local, &drops);
            s.spawn(move || local.get_or(|| Value(i == 2, drops.value())));
        }
    });
    assert!(panic::catch_unwind(AssertUnwindSafe(|| drop(local))).is_err());
    assert_eq!(drops.count(), 5);
}

/// `get_or` in the closure of `get_or`: the inner value stays, and references to it.
#[test]
fn inner_value_stays_when_the_initializer_inserts_one() {
    let (local, drops) = (ThreadLocal::new(), Drops::new());
    let mut inner = None;
    let outer = local.get_or(|| {
        inner = Some(local.get_or(|| (1, drops.value())));
        (2, drops.value())
    });
    assert_eq!(outer.0, 1);
    assert!(std::ptr::eq(outer, inner.unwrap()));
    assert_eq!(drops.count(), 1, "the outer one");
    assert_eq!(local.iter().count(), 1);
    drop(local);
    assert_eq!(drops.count(), 2);
}

#[test]
fn iteration_sees_what_was_there_while_others_insert() {
    watchdog(|| {
        for _ in repeat(100) {
            let parties = 8;
            let (local, start) = (ThreadLocal::new(), Barrier::new(parties + 1));
            thread::scope(|s| {
                for i in 0..parties {
                    let (local, start) = (&local, &start);
                    s.spawn(move || {
                        start.wait();
                        local.get_or(|| Box::new(i));
                        assert!(local.iter().any(|value| **value == i), "one's own is there");
                    });
                }
                start.wait();
                let mut seen = 0;
                while seen < parties {
                    let values: std::collections::BTreeSet<_> = local.iter().map(|value| **value).collect();
                    assert!(values.len() >= seen && values.iter().all(|&i| i < parties));
                    seen = values.len();
                    thread::yield_now();
                }
            });
        }
    });
}

/// Values that borrow: they are dropped by the object and by nothing else.
#[test]
fn value_may_borrow() {
    struct Adds<'a>(&'a AtomicUsize);
    impl Drop for Adds<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Relaxed);
        }
    }
    let count = AtomicUsize::new(0);
    let local = ThreadLocal::new();
    thread::scope(|s| {
        s.spawn(|| local.get_or(|| Adds(&count)));
    });
    local.get_or(|| Adds(&count));
    drop(local);
    assert_eq!(count.load(Relaxed), 2);
}

/// The value of a thread is there until its very end, and no other thread's.
#[test]
fn destructors_of_thread_variables_find_the_threads_own_value() {
    static LOCAL: ThreadLocal<Cell<usize>> = ThreadLocal::new();
    static NEW: ThreadLocal<Cell<usize>> = ThreadLocal::new();
    static CHECKED: AtomicUsize = AtomicUsize::new(0);
    struct AtEnd(usize);
    impl Drop for AtEnd {
        fn drop(&mut self) {
            assert_eq!(LOCAL.get().map(Cell::get), Some(self.0));
            assert_eq!(LOCAL.get_or(|| Cell::new(99)).get(), self.0);
            let new = NEW.get_or(|| Cell::new(0));
            assert!(new.get() == 0 || new.get() == self.0);
            new.set(self.0);
            assert_eq!(NEW.get().map(Cell::get), Some(self.0));
            CHECKED.fetch_add(1, Relaxed);
        }
    }
    thread_local!(static EARLY: RefCell<Option<AtEnd>> = const { RefCell::new(None) });
    thread_local!(static LATE: RefCell<Option<AtEnd>> = const { RefCell::new(None) });
    // Not `thread_local!` with a lazy value: the order of the first uses decides that of the destructors.
    for i in 1..=10 {
        thread::spawn(move || {
            EARLY.with(|early| *early.borrow_mut() = Some(AtEnd(i)));
            LOCAL.get_or(|| Cell::new(i));
            LATE.with(|late| *late.borrow_mut() = Some(AtEnd(i)));
        })
        .join()
        .unwrap();
    }
    assert_eq!(CHECKED.load(Relaxed), 20);
}

#[test]
fn short_lived_objects_leave_nothing() {
    thread::spawn(|| {
        let keep = shown(ThreadLocal::new());
        keep.get_or(|| 0);
        let (_, balance) = blocks_during(|| {
            for i in repeat(1_000_000) {
                let local = shown(ThreadLocal::new());
                assert_eq!(local.get_or(|| i), &i);
            }
        });
        assert_eq!(balance, 0);
        assert_eq!(keep.get(), Some(&0));
    })
    .join()
    .unwrap();
}

#[test]
fn thread_that_asks_and_inserts_nothing_allocates_nothing() {
    let local = shown(ThreadLocal::<u8>::new());
    thread::scope(|s| {
        s.spawn(|| {
            assert_eq!(crate::support::allocations_during(|| assert!(local.get().is_none())), 0);
        });
    });
    local.get_or(|| 1);
    assert_eq!(crate::support::allocations_during(|| assert_eq!(local.get(), Some(&1))), 0);
}
