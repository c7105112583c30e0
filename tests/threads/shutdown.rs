//! Shutting a pool down, joining and dropping it.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{Event, Shutdown, Task, TaskError, ThreadPool};

use super::{SHORT, THREADS, add_one, counter, message, occupy};
use crate::support::{Drops, LIMIT, cases, eventually, repeat, shown, watchdog};

#[test]
fn drain_runs_what_is_queued() {
    watchdog(|| {
        for threads in cases(THREADS) {
            let (pool, ran) = (ThreadPool::new(threads), counter());
            for _ in 0..200 {
                pool.submit(add_one(&ran)).unwrap();
            }
            pool.shutdown(Shutdown::Drain);
            pool.join();
            assert_eq!(ran.load(Relaxed), 200);
        }
    });
}

// CPython: test_cancel_futures.
#[test]
fn cancel_spares_only_what_has_begun() {
    watchdog(|| {
        let (pool, ran) = (ThreadPool::new(1), counter());
        let (go, busy) = occupy(&pool);
        let queued: Vec<_> = (0..50).map(|_| pool.submit(add_one(&ran)).unwrap()).collect();
        let told = counter();
        queued[7].on_done(add_one(&told));
        pool.shutdown(Shutdown::Cancel);
        assert!(queued.iter().all(Task::is_finished));
        assert_eq!(told.load(Relaxed), 1);
        assert_eq!(pool.queued(), 0);
        assert!(!busy.is_finished());
        for task in queued {
            assert!(matches!(task.join(), Err(TaskError::Cancelled)));
        }
        go.set();
        busy.join().unwrap();
        pool.join();
        assert_eq!(ran.load(Relaxed), 0);
    });
}

// CPython: test_shutdown_race_issue12456, test_del_shutdown; `shutdown` is idempotent.
#[test]
fn shutdown_may_be_repeated_and_sharpened() {
    watchdog(|| {
        let pool = shown(ThreadPool::new(1));
        let (go, busy) = occupy(&pool);
        let queued = pool.submit(|| ()).unwrap();
        pool.shutdown(Shutdown::Drain);
        pool.shutdown(Shutdown::Drain);
        assert!(!queued.is_finished());
        pool.shutdown(Shutdown::Cancel);
        assert!(queued.join().unwrap_err().is_cancelled());
        pool.shutdown(Shutdown::Cancel);
        pool.shutdown(Shutdown::Drain);
        go.set();
        busy.join().unwrap();
        pool.join();
        pool.join();
        assert!(pool.join_for(Duration::ZERO));
    });
}

// CPython: test_hang_issue12364, test_context_manager_shutdown.
#[test]
fn drop_drains_and_waits() {
    watchdog(|| {
        for threads in cases(THREADS) {
            let (ran, drops) = (counter(), Drops::new());
            let pool = shown(ThreadPool::new(threads));
            for _ in 0..200 {
                let (count, value) = (add_one(&ran), drops.value());
                pool.submit(move || {
                    count();
                    value
                })
                .unwrap();
            }
            drop(pool);
            assert_eq!((ran.load(Relaxed), drops.count()), (200, 200));
        }
    });
}

#[test]
fn join_waits_for_threads_to_be_gone() {
    struct Last(Arc<AtomicBool>);
    impl Drop for Last {
        fn drop(&mut self) {
            thread::yield_now();
            self.0.store(true, Relaxed);
        }
    }
    thread_local! {
        static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
    }
    watchdog(|| {
        for by_drop in cases([true, false]) {
            let pool = shown(ThreadPool::new(1));
            let gone = Arc::new(AtomicBool::new(false));
            let last = Last(Arc::clone(&gone));
            pool.submit(move || LAST.set(Some(last))).unwrap();
            if by_drop {
                drop(pool);
            } else {
                pool.shutdown(Shutdown::Drain);
                assert!(pool.join_until(Instant::now() + LIMIT));
            }
            assert!(gone.load(Relaxed));
        }
    });
}

#[test]
fn join_of_an_open_pool_waits_until_it_is_idle() {
    watchdog(|| {
        for threads in cases(THREADS) {
            let (pool, ran) = (ThreadPool::new(threads), counter());
            pool.join();
            for round in 1..=20 {
                for _ in 0..10 {
                    pool.submit(add_one(&ran)).unwrap();
                }
                pool.join();
                assert_eq!(ran.load(Relaxed), 10 * round);
            }
            let (go, _busy) = occupy(&pool);
            assert!(!pool.join_for(Duration::ZERO));
            assert!(!pool.join_for(SHORT));
            assert!(!pool.join_until(Instant::now() + SHORT));
            go.set();
            assert!(pool.join_for(Duration::MAX));
            assert!(!pool.is_shutdown());
        }
    });
}

#[test]
fn join_of_the_own_pool_panics_and_does_not_hang() {
    watchdog(|| {
        let pool = shown(ThreadPool::new(1));
        let own = Arc::clone(&pool);
        let text = message(pool.submit(move || own.join()).unwrap().join().unwrap_err());
        assert!(text.starts_with("ThreadPool::join: called by one of the pool's own threads"), "{text}");
        // The task's own reference to the pool may be the last.
        assert!(pool.join_for(LIMIT));
    });
}

#[test]
fn pool_dropped_by_its_own_task_drains_and_ends() {
    watchdog(|| {
        for threads in cases(THREADS) {
            for _ in repeat(20) {
                let (ran, drops) = (counter(), Drops::new());
                let pool = shown(ThreadPool::new(threads));
                let (own, go) = (Arc::clone(&pool), shown(Event::new()));
                let dropper = {
                    let go = Arc::clone(&go);
                    pool.submit(move || {
                        go.wait();
                        drop(own);
                    })
                    .unwrap()
                };
                for _ in 0..20 {
                    let (count, value) = (add_one(&ran), drops.value());
                    pool.submit(move || {
                        count();
                        drop(value);
                    })
                    .unwrap();
                }
                drop(pool);
                go.set();
                dropper.join().unwrap();
                eventually(|| ran.load(Relaxed) == 20 && drops.count() == 20);
            }
        }
    });
}

#[test]
fn pool_dropped_by_a_callback_does_not_join_itself() {
    watchdog(|| {
        let pool = shown(ThreadPool::new(1));
        let (go, busy) = occupy(&pool);
        let dropped = shown(Event::new());
        busy.on_done({
            let dropped = Arc::clone(&dropped);
            move || {
                drop(pool);
                dropped.set();
            }
        });
        go.set();
        dropped.wait();
    });
}
