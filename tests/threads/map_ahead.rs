//! `ThreadPool::map_ahead`.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use lockwork::{Event, Shutdown, ThreadPool};

use super::{SHORT, occupied};
use crate::support::{LIMIT, cases, eventually, shown, watchdog};

/// Counts what was pulled, in the thread that takes; not `Send`.
fn counted(items: impl Iterator<Item = usize>) -> (Rc<Cell<usize>>, impl Iterator<Item = usize>) {
    let pulled = Rc::new(Cell::new(0));
    let counter = Rc::clone(&pulled);
    (pulled, items.inspect(move |_| counter.set(counter.get() + 1)))
}

#[test]
fn map_ahead_pulls_no_more_than_it_may() {
    watchdog(|| {
        for threads in cases([1, 2, 3, 8]) {
            for ahead in cases([1, 2, 3, 5, 8]) {
                let pool = shown(ThreadPool::new(threads));
                let (pulled, items) = counted(0..);
                let mut results = pool.map_ahead(ahead, items, |n| n * n);
                assert_eq!(pulled.get(), 0, "lazy");
                for n in 0..50 {
                    assert_eq!(results.next(), Some(n * n));
                    assert!(pulled.get() <= n + 1 + ahead, "{} pulled, {} yielded", pulled.get(), n + 1);
                }
                let before = pulled.get();
                drop(results);
                assert_eq!(pulled.get(), before);
            }
        }
    });
}

#[test]
fn map_ahead_works_ahead() {
    watchdog(|| {
        // Three calls that wait for each other, on three threads.
        let pool = shown(ThreadPool::new(3));
        let barrier = Arc::new(lockwork::Barrier::new(3));
        let results = pool.map_ahead(3, 0..9, move |n| {
            barrier.wait();
            n
        });
        assert!(results.eq(0..9));
    });
}

#[test]
fn map_ahead_ends_with_its_items_and_asks_no_more() {
    watchdog(|| {
        let pool = shown(ThreadPool::new(2));
        for len in 0..6 {
            let mut ended = false;
            let mut left = 0..len;
            let items = std::iter::from_fn(|| {
                assert!(!ended, "asked after the end");
                let next = left.next();
                ended = next.is_none();
                next
            });
            let mut results = pool.map_ahead(3, items, |n| n);
            assert!(results.by_ref().eq(0..len));
            assert_eq!(results.next(), None);
        }
    });
}

#[test]
fn map_ahead_of_nothing_ahead_panics() {
    let pool = shown(ThreadPool::new(1));
    let payload = panic::catch_unwind(AssertUnwindSafe(|| drop(pool.map_ahead(0, 0..3, |n| n)))).unwrap_err();
    let text = payload.downcast_ref::<&str>().expect("a message");
    assert!(text.starts_with("ThreadPool::map_ahead: "), "{text}");
}

#[test]
fn map_ahead_goes_on_after_a_panic() {
    watchdog(|| {
        let pool = shown(ThreadPool::new(2));
        let mut results = pool.map_ahead(2, 0..4, |n| if n == 1 { panic!("one") } else { n });
        assert_eq!(results.next(), Some(0));
        let payload = panic::catch_unwind(AssertUnwindSafe(|| results.next())).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"one"));
        assert!(results.eq([2, 3]));
    });
}

#[test]
fn map_ahead_survives_a_panic_of_its_items() {
    watchdog(|| {
        let pool = shown(ThreadPool::new(2));
        let mut n = 0;
        let items = std::iter::from_fn(move || {
            n += 1;
            if n == 2 { panic!("no item") } else { Some(n) }
        });
        let mut results = pool.map_ahead(2, items, |n| n);
        assert!(panic::catch_unwind(AssertUnwindSafe(|| results.next())).is_err());
        assert_eq!(results.next(), Some(1));
        assert_eq!(results.next(), Some(3));
    });
}

#[test]
fn map_ahead_ends_after_a_shutdown() {
    watchdog(|| {
        let pool = shown(ThreadPool::new(2));
        let (pulled, items) = counted(0..);
        let mut results = pool.map_ahead(4, items, |n| n);
        assert_eq!(results.next(), Some(0));
        pool.shutdown(Shutdown::Drain);
        let before = pulled.get();
        assert!(results.by_ref().eq(1..before), "what was submitted is run");
        assert_eq!(pulled.get(), before, "nothing is taken for a pool that takes nothing");
        assert_eq!(results.next(), None);

        let pool = shown(ThreadPool::new(1));
        let (go, own) = (shown(Event::new()), shown(Event::new()));
        let waits = Arc::clone(&go);
        let began = Arc::clone(&own);
        let mut results = pool.map_ahead(3, 0.., move |n| {
            began.set();
            waits.wait();
            n
        });
        assert!(results.next_for(SHORT).is_err());
        own.wait();
        pool.shutdown(Shutdown::Cancel);
        go.set();
        assert_eq!(results.next(), Some(0), "ran already");
        assert_eq!(results.next(), None, "cancelled");
        assert_eq!(results.next(), None);
        drop(pool);
        assert!(results.next_result().is_none());
    });
}

#[test]
fn map_ahead_keeps_its_limit_when_there_is_no_room() {
    watchdog(|| {
        let pool = ThreadPool::builder().threads(1).queue_capacity(1).build();
        let (go, own) = (shown(Event::new()), shown(Event::new()));
        let (waits, began) = (Arc::clone(&go), Arc::clone(&own));
        drop(pool.submit(move || {
            began.set();
            waits.wait();
        }));
        own.wait();
        drop(pool.submit(|| ()).unwrap());
        let (pulled, items) = counted(0..3);
        let mut results = pool.map_ahead(2, items, |n| n);
        for _ in 0..3 {
            assert!(results.next_for(SHORT).is_err());
            assert!(results.next_until(Instant::now()).is_err());
            assert_eq!(pulled.get(), 1, "the item that was taken is kept");
        }
        go.set();
        assert_eq!(results.next_for(LIMIT).unwrap().unwrap().unwrap(), 0);
        assert!(results.eq(1..3));
    });
}

#[test]
fn map_ahead_in_a_thread_of_the_pool_needs_no_other() {
    watchdog(|| {
        let pool = shown(ThreadPool::builder().threads(1).queue_capacity(1).build());
        let own = Arc::clone(&pool);
        let sum = pool.submit(move || own.map_ahead(3, 1..=100_u32, |n| n).sum::<u32>()).unwrap();
        assert_eq!(sum.join().unwrap(), 5050);
        eventually(|| Arc::strong_count(&pool) == 1);
    });
}

#[test]
fn dropped_map_ahead_cancels_what_has_not_begun() {
    watchdog(|| {
        let (pool, go) = occupied();
        let ran = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&ran);
        let mut results = pool.map_ahead(5, 0.., move |_| counter.fetch_add(1, Relaxed));
        assert!(results.next_for(SHORT).is_err());
        assert_eq!(pool.queued(), 5);
        drop(results);
        assert_eq!(pool.queued(), 0);
        go.set();
        pool.join();
        assert_eq!(ran.load(Relaxed), 0);
    });
}
