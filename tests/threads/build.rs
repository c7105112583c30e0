//! `ThreadPoolBuilder`.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use lockwork::{Event, ThreadPool};

use super::{THREADS, counter, panics};
use crate::support::{cases, shown, watchdog};

// CPython: test_max_workers_negative.
#[test]
fn no_threads_and_no_room_are_refused() {
    let text = |result: Result<ThreadPool, Box<dyn std::any::Any + Send>>| {
        *result.unwrap_err().downcast::<&str>().unwrap()
    };
    assert!(text(panics(|| ThreadPool::new(0))).starts_with("ThreadPool::new"));
    let builder = ThreadPool::builder().threads(0);
    assert!(text(panics(|| builder.build())).starts_with("ThreadPoolBuilder::threads"));
    let builder = ThreadPool::builder().queue_capacity(0);
    assert!(text(panics(|| builder.build())).starts_with("ThreadPoolBuilder::queue_capacity"));
    let builder = ThreadPool::builder().name("a\0b");
    assert!(text(panics(|| builder.build())).starts_with("ThreadPoolBuilder::name"));
}

#[test]
fn unreasonable_stacks_are_an_error() {
    let built = ThreadPool::builder().threads(2).stack_size(usize::MAX / 2).try_build();
    assert!(built.is_err());
}

// CPython: test_thread_names_assigned, test_thread_names_default.
#[test]
fn threads_are_named_and_numbered() {
    watchdog(|| {
        let names = |pool: ThreadPool| -> BTreeSet<String> {
            let all_here = Arc::new(std::sync::Barrier::new(pool.threads()));
            let tasks: Vec<_> = (0..pool.threads())
                .map(|_| {
                    let all_here = Arc::clone(&all_here);
                    let name = move || {
                        all_here.wait();
                        thread::current().name().unwrap().to_owned()
                    };
                    pool.submit(name).unwrap()
                })
                .collect();
            tasks.into_iter().map(|task| task.join().unwrap()).collect()
        };
        let named = ThreadPool::builder().threads(3).name("disk").build();
        assert!(names(named).iter().eq(["disk-0", "disk-1", "disk-2"]));
        assert!(names(ThreadPool::new(2)).iter().eq(["pool-0", "pool-1"]));
    });
}

#[test]
fn builder_without_numbers_takes_the_machines() {
    let pool = ThreadPool::builder().build();
    assert_eq!(pool.threads(), thread::available_parallelism().map_or(1, usize::from));
}

#[test]
fn stack_size_is_what_was_asked_for() {
    fn deep(depth: usize) -> usize {
        let frame = std::hint::black_box([depth; 1000]);
        if depth == 0 { 0 } else { frame[depth % 1000].min(1) + deep(depth - 1) }
    }
    watchdog(|| {
        let pool = ThreadPool::builder().threads(1).stack_size(64 << 20).build();
        assert_eq!(pool.submit(|| deep(2000)).unwrap().join().unwrap(), 2000);
    });
}

thread_local! {
    static READY: RefCell<Option<usize>> = const { RefCell::new(None) };
}

// CPython: test_initializer.
#[test]
fn on_start_runs_once_in_each_thread_before_its_tasks() {
    watchdog(|| {
        for threads in cases(THREADS) {
            let started = counter();
            let hook = {
                let started = Arc::clone(&started);
                move || READY.set(Some(started.fetch_add(1, Relaxed)))
            };
            let pool = ThreadPool::builder().threads(threads).on_start(hook).build();
            let seen: Vec<_> = pool.map(0..100, |_| READY.with_borrow(|ready| ready.unwrap())).collect();
            assert!(seen.iter().all(|&number| number < threads));
            pool.join();
            assert_eq!(started.load(Relaxed), threads);
        }
    });
}

// CPython: FailingInitializerMixin, where the pool is broken and all pending futures fail.
#[test]
fn panicking_on_start_cancels_everything_and_is_resumed_by_join() {
    watchdog(|| {
        for threads in cases(THREADS) {
            let go = shown(Event::new());
            let hook = {
                let go = Arc::clone(&go);
                move || {
                    go.wait();
                    panic!("no database");
                }
            };
            let pool = ThreadPool::builder().threads(threads).on_start(hook).build();
            let tasks: Vec<_> = (0..10).map(|n| pool.submit(move || n).unwrap()).collect();
            go.set();
            for task in tasks {
                assert!(task.join().unwrap_err().is_cancelled());
            }
            assert!(pool.submit(|| ()).is_err());
            let payload = panics(|| pool.join()).unwrap_err();
            assert_eq!(*payload.downcast::<&str>().unwrap(), "no database");
            pool.join();
            // Scopes keep their promise all the same.
            let mut ran = false;
            pool.scope(|s| {
                s.spawn(|| ran = true);
            });
            assert!(ran);
        }
    });
}
