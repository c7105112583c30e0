//! `ThreadPool::map`.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use lockwork::{Event, Shutdown, ThreadPool, UnfinishedError};

use super::{SHORT, THREADS, counter, occupy, panics};
use crate::support::{Drops, LIMIT, cases, eventually, repeat, shown, watchdog};

// CPython: test_map, test_map_exception, test_map_timeout.
#[test]
fn map_yields_in_order_and_resumes_panics_in_place() {
    watchdog(|| {
        for threads in cases(THREADS) {
            let pool = shown(ThreadPool::new(threads));
            assert!(pool.map(0..200, |n| n * n).eq((0..200).map(|n| n * n)));
            assert_eq!(pool.map([0; 0], |n| n).next(), None);
            let mut map = pool.map([5, 0, 2], |n| 10 / n);
            assert_eq!(map.len(), 3);
            assert_eq!(map.next(), Some(2));
            assert!(panics(|| map.next()).is_err());
            assert_eq!(map.next(), Some(5));
            assert_eq!(map.next(), None);
        }
    });
}

#[test]
fn map_waits_no_longer_than_it_may() {
    watchdog(|| {
        let (pool, go) = (ThreadPool::new(1), shown(Event::new()));
        let wait = {
            let go = Arc::clone(&go);
            move |n: u32| {
                go.wait();
                n
            }
        };
        let mut map = pool.map(0..2, wait);
        let error = UnfinishedError { unfinished: 2, total: 2 };
        assert_eq!(map.next_for(SHORT).unwrap_err(), error);
        assert_eq!(map.next_until(Instant::now()).unwrap_err(), error);
        go.set();
        assert_eq!(map.next_for(LIMIT).unwrap().unwrap().unwrap(), 0);
        assert_eq!(map.next_until(Instant::now() + LIMIT).unwrap().unwrap().unwrap(), 1);
        assert!(map.next_for(LIMIT).unwrap().is_none());
    });
}

// CPython: test_map_submits_without_iteration.
#[test]
fn map_begins_without_being_asked() {
    watchdog(|| {
        let (pool, ran) = (ThreadPool::new(2), counter());
        let count = {
            let ran = Arc::clone(&ran);
            move |_| ran.fetch_add(1, Relaxed)
        };
        let map = pool.map(0..100, count);
        eventually(|| ran.load(Relaxed) == 100);
        drop(map);
    });
}

#[test]
fn dropped_map_cancels_the_rest() {
    watchdog(|| {
        let (pool, ran) = (ThreadPool::new(1), counter());
        let (began, go) = (shown(Event::new()), shown(Event::new()));
        let wait = {
            let (began, go, ran) = (Arc::clone(&began), Arc::clone(&go), Arc::clone(&ran));
            move |_| {
                began.set();
                go.wait();
                ran.fetch_add(1, Relaxed)
            }
        };
        let map = pool.map(0..100, wait);
        began.wait();
        drop(map);
        assert_eq!(pool.queued(), 0);
        go.set();
        pool.join();
        assert_eq!(ran.load(Relaxed), 1);
    });
}

#[test]
fn map_that_was_cut_short_says_so_once() {
    watchdog(|| {
        let pool = shown(ThreadPool::new(1));
        pool.shutdown(Shutdown::Drain);
        let mut map = pool.map(0..3, |n| n);
        assert_eq!(map.len(), 1);
        assert!(map.next_result().unwrap().unwrap_err().is_cancelled());
        assert!(map.next_result().is_none());
        let mut map = pool.map(0..3, |n| n);
        assert!(panics(|| map.next()).is_err());
    });
}

#[test]
fn panicking_items_cancel_what_was_submitted() {
    watchdog(|| {
        let (pool, ran) = (ThreadPool::new(1), counter());
        let (go, _busy) = occupy(&pool);
        let items = (0..5).inspect(|&n| assert!(n < 3, "no more"));
        let count = {
            let ran = Arc::clone(&ran);
            move |_| ran.fetch_add(1, Relaxed)
        };
        assert!(panics(|| pool.map(items, count)).is_err());
        assert_eq!(pool.queued(), 0);
        go.set();
        pool.join();
        assert_eq!(ran.load(Relaxed), 0);
    });
}

#[test]
fn map_goes_through_a_short_queue() {
    watchdog(|| {
        for threads in cases(THREADS) {
            let pool = ThreadPool::builder().threads(threads).queue_capacity(1).build();
            assert!(pool.map(0..300, |n| n + 1).eq(1..301));
        }
    });
}

#[test]
fn map_dropped_half_way_leaves_nothing() {
    watchdog(|| {
        for threads in cases(THREADS) {
            for round in repeat(40) {
                let (pool, ran, drops) = (ThreadPool::new(threads), counter(), Drops::new());
                let items: Vec<_> = (0..60).map(|_| drops.value()).collect();
                let count = Arc::clone(&ran);
                let mut map = pool.map(items, move |item| {
                    count.fetch_add(1, Relaxed);
                    item
                });
                let taken = map.by_ref().take(round % 20).count();
                drop(map);
                assert_eq!(pool.queued(), 0, "what had not begun is cancelled");
                pool.join();
                assert_eq!(drops.count(), 60);
                assert!(ran.load(Relaxed) >= taken);
            }
        }
    });
}
