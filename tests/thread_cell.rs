//! `lockwork::ThreadCell`.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Barrier, Weak, mpsc};
use std::thread;

use lockwork::{AccessError, Event, ThreadCell};
use proptest::prelude::*;

use crate::random::programs;
use crate::support::{
    Counted, Drops, PARTIES, allocations_during, blocks_during, bytes_during, cases, parties, repeat, rounds,
    shown, watchdog,
};

/// Runs `body` on a thread of its own, to its very end: destructors included.
fn on_a_thread<R: Send + 'static>(body: impl FnOnce() -> R + Send + 'static) -> R {
    thread::spawn(body).join().unwrap()
}

#[test]
fn value_is_made_once_for_each_thread() {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    static CELL: ThreadCell<usize> = ThreadCell::with_init(|| MADE.fetch_add(1, Relaxed));
    let mine = CELL.with(|&value| value);
    let other = on_a_thread(|| (CELL.with(|&value| value), CELL.with(|&value| value)));
    assert_eq!(other.0, other.1);
    assert_ne!(mine, other.0);
    assert_eq!(CELL.get(), Some(mine));
    assert_eq!(MADE.load(Relaxed), 2);
}

#[test]
fn cell_without_initializer_is_unset_until_it_is_set() {
    let cell = shown(ThreadCell::new());
    assert!(!cell.is_set());
    assert_eq!(cell.get(), None);
    assert_eq!(cell.take(), None);
    assert_eq!(cell.try_with(|_: &u8| ()), Err(AccessError));
    assert!(!cell.is_set(), "asking sets nothing");
    cell.set(1);
    assert!(cell.is_set());
    assert_eq!(cell.with(|&value| value), 1);
    assert_eq!(cell.replace(2), Some(1));
    assert_eq!(cell.take(), Some(2));
    assert!(!cell.is_set());
    assert_eq!(cell.replace(3), None);
    assert_eq!(cell.get(), Some(3));
}

#[test]
#[should_panic(expected = "ThreadCell::with: this thread has no value")]
fn with_of_an_unset_cell_panics() {
    ThreadCell::<u8>::new().with(|_| ());
}

#[test]
fn set_and_take_run_no_initializer() {
    let cell: ThreadCell<u8> = ThreadCell::with_init(|| panic!("it is not needed"));
    assert_eq!(cell.take(), None);
    assert_eq!(cell.get(), None);
    assert!(!cell.is_set());
    cell.set(1);
    assert_eq!(cell.replace(2), Some(1));
    assert_eq!(cell.with(|&value| value), 2);
}

#[test]
fn debug_shows_the_value_of_this_thread() {
    let cell = shown(ThreadCell::new());
    assert_eq!(format!("{cell:?}"), "ThreadCell { .. }");
    cell.set(7);
    assert_eq!(format!("{cell:?}"), "ThreadCell { value: 7, .. }");
    assert!(!AccessError.to_string().is_empty());
}

/// A cell that is not shared takes values that cannot be sent.
#[test]
fn value_that_cannot_be_sent_lives_in_one_thread() {
    let rc = Rc::new(());
    let cell = ThreadCell::new();
    cell.set(Rc::clone(&rc));
    assert_eq!(Rc::strong_count(&rc), 2);
    drop(cell);
    assert_eq!(Rc::strong_count(&rc), 1);
}

/// CPython: values of threads that have ended are gone, and those of threads to come are not there yet.
#[test]
fn values_die_with_their_threads() {
    for n in cases([20, 50, 100]) {
        let (cell, drops) = (shown(ThreadCell::new()), Drops::new());
        for i in 0..n {
            let (cell, value) = (Arc::clone(&cell), drops.value());
            on_a_thread(move || {
                assert!(!cell.is_set());
                cell.set(value);
            });
            assert_eq!(drops.count(), i + 1);
        }
        drop(cell);
        assert_eq!(drops.count(), n);
    }
}

/// CPython: an initializer during which other threads run does not mix the values up.
#[test]
fn slow_initializer_sets_the_value_of_its_own_thread() {
    static CELL: ThreadCell<Cell<usize>> = ThreadCell::with_init(|| {
        thread::yield_now();
        Cell::new(usize::MAX)
    });
    for parties in parties() {
        thread::scope(|s| {
            for i in 0..parties {
                s.spawn(move || {
                    CELL.with(|value| value.set(i));
                    thread::yield_now();
                    assert_eq!(CELL.with(Cell::get), i);
                });
            }
        });
    }
}

/// CPython: another thread sees nothing while the first still has its value.
#[test]
fn other_thread_sees_nothing() {
    let cell = shown(ThreadCell::new());
    let (set, done) = (Event::new(), Event::new());
    thread::scope(|s| {
        s.spawn(|| {
            cell.set("foo");
            set.set();
            done.wait();
            assert_eq!(cell.take(), Some("foo"));
        });
        s.spawn(|| {
            set.wait();
            assert_eq!(cell.get(), None);
            assert_eq!(cell.take(), None);
            done.set();
        });
    });
}

/// CPython: a new local at the address of an old one sees nothing, in threads that had a value of the old
/// one.
#[test]
fn new_cell_at_a_reused_address_sees_nothing() {
    let (to, inbox) = mpsc::channel::<Box<ThreadCell<u32>>>();
    let (back, outbox) = mpsc::channel();
    let other = thread::spawn(move || {
        for cell in inbox {
            assert_eq!(cell.get(), None);
            cell.set(1);
            back.send(cell).unwrap();
        }
    });
    let mut addresses = std::collections::BTreeSet::new();
    let mut cell = Box::new(ThreadCell::new());
    for _ in 0..100 {
        assert_eq!(cell.get(), None);
        cell.set(2);
        addresses.insert(&raw const *cell as usize);
        to.send(cell).unwrap();
        cell = outbox.recv().unwrap();
        assert_eq!(cell.get(), Some(2));
        *cell = ThreadCell::new();
    }
    drop(to);
    other.join().unwrap();
    assert!(addresses.len() < 100, "some address was used twice");
}

#[test]
fn cell_that_goes_drops_the_values_of_threads_that_stay() {
    for parties in parties() {
        let (cell, drops) = (shown(ThreadCell::new()), Drops::new());
        let (set, done) = (shown(Barrier::new(parties + 1)), shown(Event::new()));
        let threads: Vec<_> = (0..parties)
            .map(|_| {
                let (cell, value) = (Arc::clone(&cell), drops.value());
                let (set, done) = (Arc::clone(&set), Arc::clone(&done));
                thread::spawn(move || {
                    cell.set(value);
                    drop(cell);
                    set.wait();
                    done.wait();
                })
            })
            .collect();
        cell.set(drops.value());
        set.wait();
        assert_eq!(drops.count(), 0);
        drop(cell);
        assert_eq!(drops.count(), parties + 1);
        done.set();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(drops.count(), parties + 1);
    }
}

/// Threads end while the cell is dropped, again and again: each value is dropped once.
#[test]
fn threads_end_while_the_cell_goes() {
    watchdog(|| {
        for round in repeat(200) {
            let parties = PARTIES[round % PARTIES.len()];
            let (drops, start) = (Drops::new(), shown(Barrier::new(parties + 1)));
            let cell = shown(ThreadCell::new());
            let threads: Vec<_> = (0..parties)
                .map(|_| {
                    let (cell, value, start) = (Arc::clone(&cell), drops.value(), Arc::clone(&start));
                    thread::spawn(move || {
                        cell.set(value);
                        drop(cell);
                        start.wait();
                    })
                })
                .collect();
            start.wait();
            drop(cell);
            for thread in threads {
                thread.join().unwrap();
            }
            assert_eq!(drops.count(), parties);
        }
    });
}

/// CPython's clear race: many cells come and go while another thread ends.
#[test]
fn cells_come_and_go_while_threads_end() {
    let drops = Drops::new();
    let n = rounds(1000);
    thread::scope(|s| {
        let (send, receive) = mpsc::channel::<Arc<ThreadCell<Counted>>>();
        let drops = &drops;
        s.spawn(move || {
            for cells in receive.into_iter().collect::<Vec<_>>().chunks(10) {
                s.spawn({
                    let cells = cells.to_vec();
                    move || cells.iter().for_each(|cell| cell.set(drops.value()))
                });
            }
        });
        for _ in 0..n {
            let cell = shown(ThreadCell::new());
            cell.set(drops.value());
            send.send(cell).unwrap();
        }
        drop(send);
    });
    // A scope does not wait for destructors of its threads' variables.
    crate::support::eventually(|| drops.count() == 2 * n);
}

#[test]
fn with_inside_with_is_shared() {
    let cell = ThreadCell::with_init(|| 1);
    cell.with(|outer| cell.with(|inner| assert!(std::ptr::eq(outer, inner))));
    assert_eq!(cell.with(|&value| value + cell.get().unwrap()), 2);
}

#[test]
fn removing_inside_with_panics() {
    let cell = ThreadCell::with_init(|| 1);
    let removals: [fn(&ThreadCell<i32>); 3] =
        [|cell| cell.set(2), |cell| _ = cell.replace(2), |cell| _ = cell.take()];
    for remove in removals {
        let payload = panic::catch_unwind(AssertUnwindSafe(|| cell.with(|_| remove(&cell)))).unwrap_err();
        let message = payload.downcast_ref::<String>().map(String::as_str);
        let message = message.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap();
        assert!(message.starts_with("ThreadCell::") && message.contains("in use by `with`"), "{message}");
        assert_eq!(cell.get(), Some(1), "the value is still there");
    }
    cell.set(3);
    assert_eq!(cell.take(), Some(3), "the panics have ended their uses");
}

#[test]
fn panicking_initializer_leaves_the_cell_unset() {
    thread_local!(static CALLS: Cell<u32> = const { Cell::new(0) });
    let cell = ThreadCell::with_init(|| {
        CALLS.set(CALLS.get() + 1);
        assert!(CALLS.get() > 1, "the first time");
        5
    });
    assert!(panic::catch_unwind(|| cell.with(|_| ())).is_err());
    assert!(!cell.is_set());
    assert_eq!(cell.with(|&value| value), 5);
}

/// An initializer that uses its cell: what is there when it returns stays, the rest is dropped.
#[test]
fn initializer_may_use_its_cell() {
    static SET: ThreadCell<u32> = ThreadCell::with_init(|| {
        SET.set(1);
        2
    });
    assert_eq!(SET.with(|&value| value), 1);

    thread_local!(static DEPTH: Cell<u32> = const { Cell::new(0) });
    static NESTED: ThreadCell<u32> = ThreadCell::with_init(|| {
        DEPTH.set(DEPTH.get() + 1);
        let depth = DEPTH.get();
        if depth < 3 {
            assert_eq!(NESTED.with(|&value| value), 3);
        }
        depth
    });
    assert_eq!(NESTED.with(|&value| value), 3);
    assert_eq!(DEPTH.get(), 3);
}

/// A value whose destructor runs a function.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn replaced_value_may_use_the_cell_in_its_destructor() {
    type Last = Option<OnDrop<fn()>>;
    static CELL: ThreadCell<Last> = ThreadCell::new();
    thread_local!(static DROPS: Cell<u32> = const { Cell::new(0) });
    CELL.set(Some(OnDrop(|| {
        DROPS.set(DROPS.get() + 1);
        assert!(CELL.with(Option::is_none), "the new value is there already");
        CELL.set(None);
    })));
    CELL.set(None);
    assert_eq!(DROPS.get(), 1);
}

/// Values of a thread that ends: their destructors use other cells, whatever the order.
#[test]
fn destructors_at_the_end_of_a_thread_use_other_cells() {
    static LOG: ThreadCell<RefCell<Vec<u8>>> = ThreadCell::with_init(RefCell::default);
    static A: ThreadCell<OnDrop<fn()>> = ThreadCell::new();
    static B: ThreadCell<OnDrop<fn()>> = ThreadCell::new();
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    fn entry(name: u8) {
        LOG.with(|log| log.borrow_mut().push(name));
        SEEN.fetch_add(1, Relaxed);
    }
    for log_first in cases([true, false]) {
        on_a_thread(move || {
            if log_first {
                entry(b'0');
            }
            A.set(OnDrop(|| {
                entry(b'a');
                assert!(!A.is_set(), "it is not there any more");
            }));
            B.set(OnDrop(|| entry(b'b')));
        });
    }
    assert_eq!(SEEN.load(Relaxed), 5);
}

/// A destructor that sets the cell again: bounded, and what is left is the cell's.
#[test]
fn destructor_that_sets_again_ends() {
    struct Again(Weak<ThreadCell<Again>>, Arc<[AtomicUsize; 2]>);
    impl Again {
        fn new(cell: &Weak<ThreadCell<Self>>, counts: &Arc<[AtomicUsize; 2]>) -> Self {
            counts[0].fetch_add(1, Relaxed);
            Self(Weak::clone(cell), Arc::clone(counts))
        }
    }
    impl Drop for Again {
        fn drop(&mut self) {
            self.1[1].fetch_add(1, Relaxed);
            if let Some(cell) = self.0.upgrade() {
                cell.set(Self::new(&self.0, &self.1));
            }
        }
    }
    let (cell, counts) = (Arc::new(ThreadCell::new()), Arc::default());
    on_a_thread({
        let (cell, counts) = (Arc::clone(&cell), Arc::clone(&counts));
        move || cell.set(Again::new(&Arc::downgrade(&cell), &counts))
    });
    assert_eq!(counts[0].load(Relaxed), 9, "eight rounds, and the last is left");
    assert_eq!(counts[1].load(Relaxed), 8);
    assert!(!cell.is_set());
    drop(cell);
    assert_eq!(counts[0].load(Relaxed), 9);
    assert_eq!(counts[1].load(Relaxed), 9);
}

/// The last reference to a cell lies in a value of the cell itself.
#[test]
fn cell_dies_in_the_destructor_of_its_own_value() {
    struct Own(#[expect(dead_code, reason = "held")] Arc<ThreadCell<Own>>, #[expect(dead_code)] Counted);
    let drops = Drops::new();
    let value = drops.value();
    on_a_thread(move || {
        let cell = Arc::new(ThreadCell::new());
        cell.set(Own(Arc::clone(&cell), value));
    });
    assert_eq!(drops.count(), 1);
}

/// Cells in values of cells, dropped by the thread's end.
#[test]
fn cell_dies_in_the_destructor_of_another_cells_value() {
    static OUTER: ThreadCell<Vec<ThreadCell<Counted>>> = ThreadCell::new();
    let drops = Drops::new();
    let values: Vec<_> = (0..20).map(|_| drops.value()).collect();
    on_a_thread(move || {
        let inner: Vec<_> = values
            .into_iter()
            .map(|value| {
                let cell = ThreadCell::new();
                cell.set(value);
                cell
            })
            .collect();
        OUTER.set(inner);
    });
    assert_eq!(drops.count(), 20);
}

/// Destructors of a thread's own variables: before the cells' end everything works, after it nothing does,
/// and in neither case does another thread's value appear.
#[test]
fn destructors_of_thread_variables_get_their_own_value_or_an_error() {
    static CELL: ThreadCell<u32> = ThreadCell::with_init(|| 7);
    static WORKED: AtomicUsize = AtomicUsize::new(0);
    static FAILED: AtomicUsize = AtomicUsize::new(0);
    fn probe() {
        match CELL.try_with(|&value| value) {
            Ok(value) => {
                assert_eq!(value, 1);
                WORKED.fetch_add(1, Relaxed);
            }
            Err(AccessError) => {
                assert!(!CELL.is_set());
                assert_eq!(CELL.get(), None);
                assert_eq!(CELL.take(), None);
                assert!(panic::catch_unwind(|| CELL.set(3)).is_err());
                assert!(panic::catch_unwind(|| CELL.replace(3)).is_err());
                assert!(panic::catch_unwind(|| CELL.with(|_| ())).is_err());
                FAILED.fetch_add(1, Relaxed);
            }
        }
    }
    thread_local!(static EARLY: OnDrop<fn()> = const { OnDrop(probe) });
    thread_local!(static LATE: OnDrop<fn()> = const { OnDrop(probe) });
    on_a_thread(|| {
        EARLY.with(|_| ());
        CELL.set(1);
        LATE.with(|_| ());
    });
    assert_eq!(WORKED.load(Relaxed) + FAILED.load(Relaxed), 2);
    if cfg!(target_os = "linux") {
        assert_eq!(FAILED.load(Relaxed), 1, "variables are destroyed last first");
    }
    assert_eq!(CELL.get(), None, "nothing of it here");
}

/// A cell that is dropped where the thread has no values any more.
#[test]
fn cell_dropped_by_a_thread_without_values() {
    thread_local!(static HELD: RefCell<Option<Arc<ThreadCell<Counted>>>> = const { RefCell::new(None) });
    let drops = Drops::new();
    let cell = shown(ThreadCell::new());
    cell.set(drops.value());
    let value = drops.value();
    thread::spawn({
        let cell = Arc::clone(&cell);
        move || {
            HELD.with(|held| *held.borrow_mut() = Some(Arc::clone(&cell)));
            cell.set(value);
        }
    })
    .join()
    .unwrap();
    assert_eq!(drops.count(), 1);
    let last = thread::spawn(move || HELD.with(|held| *held.borrow_mut() = Some(cell)));
    last.join().unwrap();
    assert_eq!(drops.count(), 2, "this thread's value went with the cell");
}

/// A panic in a destructor at the end of a thread: reported, and the other values are dropped all the same.
#[test]
fn panicking_destructor_at_the_end_of_a_thread_is_contained() {
    static PANICS: ThreadCell<OnDrop<fn()>> = ThreadCell::new();
    static COUNTS: ThreadCell<Counted> = ThreadCell::new();
    let drops = Drops::new();
    let (first, second) = (drops.value(), drops.value());
    on_a_thread(move || {
        drop(first);
        PANICS.set(OnDrop(|| panic!("a destructor in a test")));
        COUNTS.set(second);
    });
    assert_eq!(drops.count(), 2);
}

/// A panic in a destructor in the drop of the cell: goes on, after the other values are dropped.
#[test]
fn panicking_destructor_in_the_drop_of_the_cell_leaves_none_behind() {
    struct Value(bool, #[expect(dead_code, reason = "counts")] Counted);
    impl Drop for Value {
        fn drop(&mut self) {
            assert!(!self.0, "a destructor in a test");
        }
    }
    let (drops, cell) = (Drops::new(), Arc::new(ThreadCell::new()));
    let (set, done) = (Arc::new(Barrier::new(6)), Arc::new(Event::new()));
    let threads: Vec<_> = (0..5)
        .map(|i| {
            let (cell, value) = (Arc::clone(&cell), Value(i == 2, drops.value()));
            let (set, done) = (Arc::clone(&set), Arc::clone(&done));
            thread::spawn(move || {
                cell.set(value);
                drop(cell);
                set.wait();
                done.wait();
            })
        })
        .collect();
    set.wait();
    assert!(panic::catch_unwind(AssertUnwindSafe(|| drop(cell))).is_err());
    assert_eq!(drops.count(), 5);
    done.set();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Millions of cells on one thread leave nothing behind, neither there nor in another thread that has used
/// them.
#[test]
fn short_lived_cells_leave_nothing() {
    on_a_thread(|| {
        let keep = shown(ThreadCell::new());
        keep.set(0);
        let (_, balance) = blocks_during(|| {
            for i in repeat(1_000_000) {
                let cell = shown(ThreadCell::new());
                cell.set(i);
                assert_eq!(cell.get(), Some(i));
            }
        });
        assert_eq!(balance, 0);
        assert_eq!(keep.get(), Some(0));
    });
}

/// Cells that another thread drops: this thread's table forgets them when it needs the room.
#[test]
fn cells_dropped_elsewhere_are_forgotten() {
    let (send, receive) = mpsc::sync_channel::<Arc<ThreadCell<Counted>>>(4);
    let drops = Drops::new();
    let n = rounds(20_000);
    let dropper = thread::spawn(move || receive.into_iter().for_each(drop));
    let values: Vec<_> = (0..n).map(|_| drops.value()).collect();
    let balance = on_a_thread(move || {
        let ((), balance) = blocks_during(|| {
            for value in values {
                let cell = shown(ThreadCell::new());
                cell.set(value);
                send.send(cell).unwrap();
            }
        });
        balance
    });
    dropper.join().unwrap();
    assert_eq!(drops.count(), n);
    // Three blocks for each cell: itself and its value, which the other thread has freed, and the list, which
    // the table here refers to until it is tidied.
    let elsewhere = 2 * n as isize;
    assert!(balance < elsewhere + n as isize / 10 + 100, "{balance} blocks for {n} cells");
}

/// The table of a thread follows the number of its cells: what a burst has needed is given back, by whatever
/// thread the cells are dropped.
#[test]
fn memory_of_a_burst_of_cells_is_given_back() {
    let n = rounds(20_000);
    let burst = move || -> Vec<ThreadCell<usize>> {
        (0..n)
            .map(|i| {
                let cell = ThreadCell::new();
                cell.set(i);
                cell
            })
            .collect()
    };
    let elsewhere = |cells: Vec<ThreadCell<usize>>| thread::spawn(move || drop(cells)).join().unwrap();
    on_a_thread(move || {
        let keep = ThreadCell::new();
        keep.set(0);
        let ((), bytes) = bytes_during(|| drop(burst()));
        assert!(bytes.abs() < 4096, "{bytes} bytes left of {n} cells dropped here");
        // In the order of their making, and in the other.
        let ((), bytes) = bytes_during(|| burst().into_iter().rev().for_each(drop));
        assert!(bytes.abs() < 4096, "{bytes} bytes left of {n} cells dropped here");

        // One in a thousand stays: eight slots of 32 bytes for each at most, its value, its list and itself.
        let (kept, bytes) = bytes_during(|| burst().into_iter().step_by(1000).collect::<Box<[_]>>());
        assert!(bytes <= kept.len() as isize * 512 + 4096, "{bytes} bytes for {} cells of {n}", kept.len());
        drop(kept);

        let before = blocks_during(|| elsewhere(burst())).1;
        let of_cells = 2 * n as isize;
        assert!(before >= of_cells, "the lists are kept as long as the table here refers to them");
        let (next, blocks) = blocks_during(|| {
            let next = ThreadCell::new();
            next.set(1);
            next
        });
        assert!(
            blocks <= 100 - n as isize,
            "{blocks}: the next insertion forgets what was dropped elsewhere"
        );
        // Half of the cells stay: the others are forgotten while as many come again.
        let mut kept = burst();
        elsewhere(kept.split_off(n / 2));
        let (_more, blocks) = blocks_during(burst);
        assert!(blocks < 3 * n as isize - (n / 2) as isize + 100, "{blocks} blocks for {n} cells");
        assert!(kept.iter().enumerate().all(|(i, cell)| cell.get() == Some(i)));
        assert_eq!((keep.get(), next.get()), (Some(0), Some(1)));
    });
}

/// A cell that comes and goes beside any number of others makes no table anew.
#[test]
fn table_is_not_made_anew_for_one_cell_that_comes_and_goes() {
    on_a_thread(|| {
        let mut cells = Vec::new();
        for n in repeat(2000) {
            cells.push(ThreadCell::new());
            cells[n].set(n);
            let cell = shown(ThreadCell::new());
            let turn = || {
                cell.set(n);
                assert_eq!(cell.take(), Some(n));
            };
            turn();
            // The list is the cell's; each turn makes a value.
            assert_eq!(allocations_during(|| (0..4).for_each(|_| turn())), 4, "beside {n} cells");
        }
    });
}

/// Tens of thousands of short-lived threads leave nothing in a long-lived cell.
#[test]
fn short_lived_threads_leave_nothing() {
    static CELL: ThreadCell<Cell<usize>> = ThreadCell::with_init(|| Cell::new(0));
    CELL.with(|value| value.set(1));
    let drops = Drops::new();
    let cell = shown(ThreadCell::new());
    let n = rounds(20_000) / 8;
    watchdog({
        let (cell, drops) = (Arc::clone(&cell), drops.clone());
        move || {
            for _ in 0..n {
                let batch = [(); 8].map(|()| {
                    let (cell, value) = (Arc::clone(&cell), drops.value());
                    thread::spawn(move || {
                        assert_eq!(CELL.with(|value| value.replace(2)), 0);
                        cell.set(value);
                    })
                });
                for thread in batch {
                    thread.join().unwrap();
                }
            }
        }
    });
    assert_eq!(drops.count(), 8 * n, "all are gone while the cell is there");
    assert_eq!(CELL.with(Cell::get), 1);
}

/// Many cells in one thread, with every other one dropped: the others are found.
#[test]
fn many_cells_are_told_apart() {
    let mut cells: Vec<_> = (0..1000_usize)
        .map(|i| {
            let cell = shown(ThreadCell::new());
            cell.set(i);
            (i, cell)
        })
        .collect();
    for modulus in cases([2, 3, 5, 7]) {
        cells.retain(|&(i, _)| i % modulus != 0);
        for (i, cell) in &cells {
            assert_eq!(cell.get(), Some(*i));
        }
        let fresh = shown(ThreadCell::<usize>::new());
        assert_eq!(fresh.get(), None);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Set(usize, u8),
    Replace(usize, u8),
    Take(usize),
    With(usize),
    Renew(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let cell = 0..12_usize;
    prop_oneof![
        (cell.clone(), any::<u8>()).prop_map(|(cell, value)| Step::Set(cell, value)),
        (cell.clone(), any::<u8>()).prop_map(|(cell, value)| Step::Replace(cell, value)),
        cell.clone().prop_map(Step::Take),
        cell.clone().prop_map(Step::With),
        cell.prop_map(Step::Renew),
    ]
}

proptest! {
    #![proptest_config(programs(256))]

    /// Random programs on a dozen cells, of which every third has an initializer, against options.
    #[test]
    fn program_does_what_options_do(steps in prop::collection::vec(step(), 0..200)) {
        let make = |i: usize| if i % 3 == 0 { ThreadCell::with_init(|| 100) } else { ThreadCell::new() };
        let mut cells: Vec<ThreadCell<u8>> = (0..12).map(make).collect();
        let mut model: Vec<Option<u8>> = vec![None; 12];
        for step in steps {
            match step {
                Step::Set(i, value) => {
                    cells[i].set(value);
                    model[i] = Some(value);
                }
                Step::Replace(i, value) => prop_assert_eq!(cells[i].replace(value), model[i].replace(value)),
                Step::Take(i) => prop_assert_eq!(cells[i].take(), model[i].take()),
                Step::With(i) => {
                    if i % 3 == 0 {
                        model[i].get_or_insert(100);
                    }
                    prop_assert_eq!(cells[i].try_with(|&value| value).ok(), model[i]);
                }
                Step::Renew(i) => {
                    cells[i] = make(i);
                    model[i] = None;
                }
            }
            for (cell, expected) in cells.iter().zip(&model) {
                prop_assert_eq!(cell.get(), *expected);
                prop_assert_eq!(cell.is_set(), expected.is_some());
            }
        }
    }
}

#[test]
fn value_dropped_by_make_may_take_the_one_that_the_initializer_set() {
    struct Takes(bool);

    thread_local! {
        static TAKEN: Cell<u32> = const { Cell::new(0) };
    }
    static CELL: ThreadCell<Takes> = ThreadCell::with_init(|| {
        CELL.set(Takes(false));
        Takes(true)
    });

    impl Drop for Takes {
        fn drop(&mut self) {
            if self.0 {
                drop(CELL.take());
                TAKEN.set(TAKEN.get() + 1);
            }
        }
    }

    assert_eq!(CELL.try_with(|_| ()), Err(AccessError), "there is none any more");
    assert_eq!(TAKEN.get(), 1);
    assert!(!CELL.is_set());
    CELL.set(Takes(false));
    assert!(CELL.try_with(|value| !value.0).unwrap());
}
