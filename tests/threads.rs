//! `ThreadPool`, `Task`, scopes, waiting for several tasks, `Worker` and `StopToken`.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{
    Event, Mutex, Shutdown, StopToken, SubmitTimeoutError, Task, TaskError, ThreadPool, TrySubmitError,
    UnfinishedError, Worker, as_completed, wait_all, wait_all_for, wait_all_until, wait_first,
    wait_first_for, wait_first_until,
};
use proptest::prelude::*;

use crate::support::{Drops, LIMIT, Sleeper, allocations_during, eventually, rounds, watchdog};

/// Long enough to be measured, short enough to be waited for.
const SHORT: Duration = Duration::from_millis(10);
const THREADS: [usize; 4] = [1, 2, 3, 8];

/// A task that has one thread of the pool to itself until the event is set.
fn occupy(pool: &ThreadPool) -> (Arc<Event>, Task<()>) {
    let (began, go) = (Arc::new(Event::new()), Arc::new(Event::new()));
    let task = pool
        .submit({
            let (began, go) = (Arc::clone(&began), Arc::clone(&go));
            move || {
                began.set();
                go.wait();
            }
        })
        .unwrap();
    began.wait();
    (go, task)
}

/// A counter to be shared with tasks.
fn counter() -> Arc<AtomicUsize> {
    Arc::new(AtomicUsize::new(0))
}

fn add_one(counter: &Arc<AtomicUsize>) -> impl FnOnce() + Send + 'static {
    let counter = Arc::clone(counter);
    move || {
        counter.fetch_add(1, Relaxed);
    }
}

fn message(error: TaskError) -> String {
    let payload = error.into_panic().expect("a panic");
    payload.downcast_ref::<&str>().expect("a message").to_string()
}

/// How `body` ends.
fn panics<R>(body: impl FnOnce() -> R) -> Result<R, Box<dyn std::any::Any + Send>> {
    panic::catch_unwind(AssertUnwindSafe(body))
}

// --- Submitting ----------------------------------------------------------------------------------------------------

#[test]
fn submit_returns_what_the_closure_returns() {
    watchdog("submit_returns_what_the_closure_returns", || {
        for threads in THREADS {
            let pool = ThreadPool::new(threads);
            assert_eq!(pool.threads(), threads);
            let tasks: Vec<_> = (0..100).map(|n| pool.submit(move || n * 2).unwrap()).collect();
            let results: Vec<_> = tasks.into_iter().map(|task| task.join().unwrap()).collect();
            assert!(results.into_iter().eq((0..100).map(|n| n * 2)));
        }
    });
}

#[test]
fn tasks_begin_in_the_order_of_submission() {
    watchdog("tasks_begin_in_the_order_of_submission", || {
        let pool = ThreadPool::new(1);
        let order = Arc::new(Mutex::new(Vec::new()));
        for n in 0..100 {
            let order = Arc::clone(&order);
            pool.submit(move || order.lock().push(n)).unwrap();
        }
        pool.join();
        assert!(order.lock().iter().copied().eq(0..100));
    });
}

#[test]
fn submitted_tasks_publish_and_are_published() {
    watchdog("submitted_tasks_publish_and_are_published", || {
        let pool = ThreadPool::new(2);
        for n in 0..rounds(500) {
            let boxed = pool.submit(move || Box::new(n)).unwrap().join().unwrap();
            assert_eq!(pool.submit(move || *boxed).unwrap().join().unwrap(), n);
        }
    });
}

// CPython: test_run_after_shutdown.
#[test]
fn submit_after_shutdown_gives_the_closure_back() {
    watchdog("submit_after_shutdown_gives_the_closure_back", || {
        for how in [Shutdown::Drain, Shutdown::Cancel] {
            let (pool, drops) = (ThreadPool::new(1), Drops::new());
            pool.shutdown(how);
            assert!(pool.is_shutdown());
            let closure = || {
                let value = drops.value();
                move || {
                    drop(value);
                    7
                }
            };
            let error = pool.submit(closure()).unwrap_err();
            assert_eq!(error.to_string(), "the pool is shut down");
            assert_eq!(drops.count(), 0, "not dropped but given back");
            assert_eq!(error.into_inner()(), 7);
            let error = pool.try_submit(closure()).unwrap_err();
            assert!(error.is_shutdown() && !error.is_full());
            assert_eq!(error.into_inner()(), 7);
            let error = pool.submit_for(closure(), SHORT).unwrap_err();
            assert!(matches!(error, SubmitTimeoutError::Shutdown(_)));
            assert_eq!(error.into_inner()(), 7);
            let error = pool.submit_until(closure(), Instant::now()).unwrap_err();
            assert!(error.is_shutdown() && !error.is_timeout());
            assert_eq!(error.into_inner()(), 7);
            assert_eq!(drops.count(), 4);
        }
    });
}

#[test]
fn full_queue_refuses_or_makes_wait() {
    watchdog("full_queue_refuses_or_makes_wait", || {
        let pool = ThreadPool::builder().threads(1).queue_capacity(2).build();
        let (go, _busy) = occupy(&pool);
        let ran = counter();
        pool.submit(add_one(&ran)).unwrap();
        pool.try_submit(add_one(&ran)).unwrap();
        assert_eq!(pool.queued(), 2);
        let error = pool.try_submit(add_one(&ran)).unwrap_err();
        assert!(matches!(&error, TrySubmitError::Full(_)) && error.is_full());
        assert_eq!(error.to_string(), "the pool's queue is full");
        for timeout in [Duration::ZERO, SHORT] {
            let start = Instant::now();
            let error = pool.submit_for(add_one(&ran), timeout).unwrap_err();
            assert!(error.is_timeout() && start.elapsed() >= timeout);
        }
        assert!(pool.submit_until(add_one(&ran), Instant::now()).unwrap_err().is_timeout());
        let sleeper = Sleeper::new();
        thread::scope(|s| {
            let (pool, sleeper, ran) = (&pool, &sleeper, &ran);
            s.spawn(move || {
                sleeper.about_to_block();
                pool.submit(add_one(ran)).unwrap().join().unwrap();
            });
            sleeper.until_asleep();
            go.set();
        });
        pool.join();
        assert_eq!(ran.load(Relaxed), 3);
    });
}

#[test]
fn shutdown_releases_those_who_wait_for_room() {
    watchdog("shutdown_releases_those_who_wait_for_room", || {
        let pool = ThreadPool::builder().threads(1).queue_capacity(1).build();
        let (go, _busy) = occupy(&pool);
        let queued = pool.submit(|| 1).unwrap();
        let sleepers = Sleeper::several(3);
        thread::scope(|s| {
            for sleeper in &sleepers {
                let pool = &pool;
                s.spawn(move || {
                    sleeper.about_to_block();
                    let f = pool.submit(|| 2).unwrap_err().into_inner();
                    assert_eq!(f(), 2);
                });
            }
            Sleeper::until_all_asleep(&sleepers);
            pool.shutdown(Shutdown::Drain);
        });
        go.set();
        assert_eq!(queued.join().unwrap(), 1);
    });
}

#[test]
fn cancelled_task_makes_room_at_once() {
    watchdog("cancelled_task_makes_room_at_once", || {
        let pool = ThreadPool::builder().threads(1).queue_capacity(1).build();
        let (go, _busy) = occupy(&pool);
        let queued = pool.submit(|| 1).unwrap();
        let sleeper = Sleeper::new();
        thread::scope(|s| {
            let (pool, sleeper) = (&pool, &sleeper);
            let waiting = s.spawn(move || {
                sleeper.about_to_block();
                pool.submit(|| 2).unwrap()
            });
            sleeper.until_asleep();
            assert!(queued.cancel());
            let second = waiting.join().unwrap();
            assert_eq!(pool.queued(), 1);
            go.set();
            assert_eq!(second.join().unwrap(), 2);
        });
    });
}

#[test]
fn worker_exceeds_its_own_full_queue_and_does_not_wait() {
    watchdog("worker_exceeds_its_own_full_queue_and_does_not_wait", || {
        for threads in THREADS {
            let pool = Arc::new(ThreadPool::builder().threads(threads).queue_capacity(1).build());
            let ran = counter();
            let submitters: Vec<_> = (0..threads)
                .map(|_| {
                    let (own, ran) = (Arc::clone(&pool), Arc::clone(&ran));
                    let submit = move || {
                        for _ in 0..50 {
                            own.submit(add_one(&ran)).unwrap();
                            own.submit_for(add_one(&ran), Duration::MAX).unwrap();
                        }
                        if threads == 1 {
                            assert!(own.try_submit(|| ()).unwrap_err().is_full(), "tries as others do");
                        }
                    };
                    pool.submit(submit).unwrap()
                })
                .collect();
            for submitter in submitters {
                submitter.join().unwrap();
            }
            pool.join();
            assert_eq!(ran.load(Relaxed), 100 * threads);
        }
    });
}

/// Every way to wait for room ends when a task shuts the pool down.
#[test]
fn shutdown_by_a_task_releases_every_kind_of_submitter() {
    watchdog("shutdown_by_a_task_releases_every_kind_of_submitter", || {
        for how in [Shutdown::Drain, Shutdown::Cancel] {
            let pool = Arc::new(ThreadPool::builder().threads(1).queue_capacity(1).build());
            let (go, ran) = (Arc::new(Event::new()), counter());
            let shut_down = {
                let (pool, go) = (Arc::downgrade(&pool), Arc::clone(&go));
                move || {
                    go.wait();
                    pool.upgrade().unwrap().shutdown(how);
                }
            };
            let last = pool.submit(shut_down).unwrap();
            eventually(|| pool.queued() == 0);
            let queued = pool.submit(add_one(&ran)).unwrap();
            let sleepers = Sleeper::several(5);
            thread::scope(|s| {
                for (kind, sleeper) in sleepers.iter().enumerate() {
                    let (pool, ran) = (&pool, &ran);
                    s.spawn(move || {
                        sleeper.about_to_block();
                        let count = add_one(ran);
                        match kind {
                            0 => pool.submit(count).unwrap_err().into_inner()(),
                            1 => pool.submit_for(count, Duration::MAX).unwrap_err().into_inner()(),
                            2 => {
                                let error = pool.submit_until(count, Instant::now() + LIMIT).unwrap_err();
                                assert!(error.is_shutdown());
                                error.into_inner()();
                            }
                            3 => {
                                let mut map = pool.map([count], |count| count());
                                assert_eq!(map.len(), 1);
                                assert!(map.next_result().unwrap().unwrap_err().is_cancelled());
                                assert!(map.next_result().is_none());
                                ran.fetch_add(1, Relaxed);
                            }
                            _ => pool.scope(|s| drop(s.spawn(count))),
                        }
                    });
                }
                Sleeper::until_all_asleep(&sleepers);
                go.set();
            });
            last.join().unwrap();
            let drained = usize::from(queued.join().is_ok());
            assert_eq!(drained == 1, how == Shutdown::Drain);
            pool.join();
            assert_eq!(ran.load(Relaxed), 5 + drained);
        }
    });
}

// --- Building ------------------------------------------------------------------------------------------------------

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
    watchdog("threads_are_named_and_numbered", || {
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
    watchdog("stack_size_is_what_was_asked_for", || {
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
    watchdog("on_start_runs_once_in_each_thread_before_its_tasks", || {
        for threads in THREADS {
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
    watchdog("panicking_on_start_cancels_everything_and_is_resumed_by_join", || {
        for threads in THREADS {
            let go = Arc::new(Event::new());
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

// --- Shutting down -------------------------------------------------------------------------------------------------

#[test]
fn drain_runs_what_is_queued() {
    watchdog("drain_runs_what_is_queued", || {
        for threads in THREADS {
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
    watchdog("cancel_spares_only_what_has_begun", || {
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
    watchdog("shutdown_may_be_repeated_and_sharpened", || {
        let pool = ThreadPool::new(1);
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
    watchdog("drop_drains_and_waits", || {
        for threads in THREADS {
            let (ran, drops) = (counter(), Drops::new());
            let pool = ThreadPool::new(threads);
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
    watchdog("join_waits_for_threads_to_be_gone", || {
        for by_drop in [true, false] {
            let pool = ThreadPool::new(1);
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
    watchdog("join_of_an_open_pool_waits_until_it_is_idle", || {
        for threads in THREADS {
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
    watchdog("join_of_the_own_pool_panics_and_does_not_hang", || {
        let pool = Arc::new(ThreadPool::new(1));
        let own = Arc::clone(&pool);
        let text = message(pool.submit(move || own.join()).unwrap().join().unwrap_err());
        assert!(text.starts_with("ThreadPool::join: called by one of the pool's own threads"), "{text}");
        // The task's own reference to the pool may be the last.
        assert!(pool.join_for(LIMIT));
    });
}

#[test]
fn pool_dropped_by_its_own_task_drains_and_ends() {
    watchdog("pool_dropped_by_its_own_task_drains_and_ends", || {
        for threads in THREADS {
            for _ in 0..rounds(20) {
                let (ran, drops) = (counter(), Drops::new());
                let pool = Arc::new(ThreadPool::new(threads));
                let (own, go) = (Arc::clone(&pool), Arc::new(Event::new()));
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
    watchdog("pool_dropped_by_a_callback_does_not_join_itself", || {
        let pool = ThreadPool::new(1);
        let (go, busy) = occupy(&pool);
        let dropped = Arc::new(Event::new());
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

// --- Panics --------------------------------------------------------------------------------------------------------

#[test]
fn panic_is_carried_to_the_joiner_and_spares_the_thread() {
    watchdog("panic_is_carried_to_the_joiner_and_spares_the_thread", || {
        for threads in THREADS {
            let pool = ThreadPool::new(threads);
            for _ in 0..2 * threads {
                let task = pool.submit(|| -> u32 { panic!("of the task") }).unwrap();
                let error = task.join().unwrap_err();
                assert!(error.is_panicked() && !error.is_cancelled());
                assert_eq!(error.to_string(), "the task panicked: of the task");
                assert_eq!(format!("{error:?}"), "Panicked(\"of the task\")");
                assert_eq!(message(error), "of the task");
            }
            let error = pool.submit(|| panic::panic_any(7_u8)).unwrap().join().unwrap_err();
            assert_eq!(error.to_string(), "the task panicked");
            assert_eq!(*error.into_panic().unwrap().downcast::<u8>().unwrap(), 7);
            assert_eq!(pool.submit(|| 1).unwrap().join().unwrap(), 1);
        }
    });
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[test]
fn panics_of_destructors_do_not_kill_threads() {
    watchdog("panics_of_destructors_do_not_kill_threads", || {
        let pool = ThreadPool::new(1);
        // A result that nobody takes, a payload that nobody takes, a closure that is cancelled, a callback's payload.
        for late in [false, true] {
            let (fine, bad) =
                (pool.submit(|| Bomb).unwrap(), pool.submit(|| panic::panic_any(Bomb)).unwrap());
            if late {
                pool.join();
            }
            drop((fine, bad));
        }
        pool.join();
        let (go, busy) = occupy(&pool);
        let bomb = Bomb;
        let cancelled = pool.submit(move || drop(bomb)).unwrap();
        assert!(cancelled.cancel());
        busy.on_done(|| panic::panic_any(Bomb));
        go.set();
        pool.join();
        assert_eq!(pool.submit(|| 1).unwrap().join().unwrap(), 1);
    });
}

#[test]
fn payloads_of_on_start_may_panic_when_dropped() {
    watchdog("payloads_of_on_start_may_panic_when_dropped", || {
        for threads in THREADS {
            let pool = ThreadPool::builder().threads(threads).on_start(|| panic::panic_any(Bomb)).build();
            // The first is for the joiner. The others are nobody's, and must not end their threads too early.
            let payload = panics(|| pool.join()).unwrap_err();
            assert!(payload.is::<Bomb>());
            std::mem::forget(payload);
            pool.join();
        }
    });
}

#[test]
fn on_start_may_panic_when_dropped() {
    watchdog("on_start_may_panic_when_dropped", || {
        for threads in THREADS {
            let (go, bomb) = (Arc::new(Event::new()), Bomb);
            let hook = {
                let go = Arc::clone(&go);
                move || {
                    let _bomb = &bomb;
                    go.wait();
                }
            };
            // Dropped by the last thread that it starts.
            let pool = ThreadPool::builder().threads(threads).on_start(hook).build();
            go.set();
            assert_eq!(pool.map(0..100, |n| n).sum::<i32>(), 4950);
            pool.join();
            pool.shutdown(Shutdown::Drain);
            pool.join();
        }
    });
}

// --- Task: CPython's future rules ----------------------------------------------------------------------------------

// CPython: test_cancel, test_cancelled.
#[test]
fn cancel_tells_whether_the_task_is_cancelled() {
    watchdog("cancel_tells_whether_the_task_is_cancelled", || {
        let (pool, drops) = (ThreadPool::new(1), Drops::new());
        let (go, running) = occupy(&pool);
        let value = drops.value();
        let pending = pool.submit(move || drop(value)).unwrap();
        assert!(!running.cancel(), "it runs");
        assert!(pending.cancel());
        assert!(pending.cancel(), "cancelled already");
        assert!(pending.is_finished());
        assert_eq!(drops.count(), 1, "the closure is gone");
        assert_eq!(pool.queued(), 0);
        assert!(matches!(pending.join(), Err(TaskError::Cancelled)));
        go.set();
        let finished = pool.submit(|| 3).unwrap();
        pool.join();
        assert!(!finished.cancel(), "it has run");
        assert!(!running.cancel());
        assert_eq!(finished.join().unwrap(), 3);
        let panicked = pool.submit(|| panic!("so")).unwrap();
        pool.join();
        assert!(!panicked.cancel(), "it has run, too");
    });
}

// CPython: test_no_stale_references, test_free_reference_yielded_future.
#[test]
fn nothing_is_kept_of_a_task_that_is_done() {
    watchdog("nothing_is_kept_of_a_task_that_is_done", || {
        for threads in THREADS {
            let (pool, drops) = (ThreadPool::new(threads), Drops::new());
            for n in 1..=50 {
                let (captured, result) = (drops.value(), drops.value());
                let task = pool.submit(move || {
                    let _captured = &captured;
                    result
                });
                let result = task.unwrap().join().unwrap();
                assert_eq!(drops.count(), 2 * n - 1, "the closure went before the join returned");
                drop(result);
            }
            let (one, two) = (drops.value(), drops.value());
            let tasks = [pool.submit(|| one).unwrap(), pool.submit(|| two).unwrap()];
            let mut completed = as_completed(tasks);
            drop(completed.next().unwrap().join().unwrap());
            assert_eq!(drops.count(), 101, "the iterator keeps nothing of what it has returned");
            drop(completed.next());
            assert_eq!(drops.count(), 102);
        }
    });
}

// CPython: test_saturation.
#[test]
fn many_more_tasks_than_threads_wait_their_turn() {
    watchdog("many_more_tasks_than_threads_wait_their_turn", || {
        for threads in THREADS {
            let (pool, go) = (ThreadPool::new(threads), Arc::new(Event::new()));
            let at_once = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
            let tasks: Vec<_> = (0..100 * threads)
                .map(|_| {
                    let (go, at_once) = (Arc::clone(&go), Arc::clone(&at_once));
                    let task = move || {
                        let now = at_once.0.fetch_add(1, Relaxed) + 1;
                        at_once.1.fetch_max(now, Relaxed);
                        go.wait();
                        at_once.0.fetch_sub(1, Relaxed);
                    };
                    pool.submit(task).unwrap()
                })
                .collect();
            eventually(|| at_once.0.load(Relaxed) == threads);
            assert_eq!(pool.queued(), 99 * threads);
            go.set();
            assert!(wait_all_for(&tasks, LIMIT));
            assert_eq!(at_once.1.load(Relaxed), threads, "all threads, and no more");
        }
    });
}

// CPython: test_result_with_timeout, test_result_with_cancel, test_exception_with_timeout.
#[test]
fn timed_join_gives_the_result_or_the_task() {
    watchdog("timed_join_gives_the_result_or_the_task", || {
        let pool = ThreadPool::new(1);
        let (go, mut running) = occupy(&pool);
        for timeout in [Duration::ZERO, SHORT] {
            let start = Instant::now();
            running = running.join_for(timeout).unwrap_err();
            assert!(start.elapsed() >= timeout);
        }
        running = running.join_until(Instant::now() - SHORT).unwrap_err();
        running = running.join_until(Instant::now() + SHORT).unwrap_err();
        let pending = pool.submit(|| ()).unwrap();
        pending.cancel();
        assert!(pending.join_for(Duration::ZERO).unwrap().unwrap_err().is_cancelled());
        go.set();
        running.join_for(Duration::MAX).unwrap().unwrap();
        let task = pool.submit(|| 5).unwrap();
        assert_eq!(task.join_until(Instant::now() + LIMIT).unwrap().unwrap(), 5);
        let task = pool.submit(|| panic!("so")).unwrap();
        assert_eq!(message(task.join_for(LIMIT).unwrap().unwrap_err()), "so");
    });
}

// CPython: test_done_callback_with_result, _with_exception, _with_cancel, test_done_callback_already_successful and
// kin, and the order of registration.
#[test]
fn callbacks_run_in_order_or_at_once() {
    watchdog("callbacks_run_in_order_or_at_once", || {
        let pool = ThreadPool::new(1);
        for ending in 0..3 {
            let (go, busy) = occupy(&pool);
            let task = pool.submit(move || assert!(ending != 1, "so")).unwrap();
            let order = Arc::new(Mutex::new(Vec::new()));
            let push = |n| {
                let order = Arc::clone(&order);
                move || order.lock().push(n)
            };
            for n in 0..5 {
                task.on_done(push(n));
            }
            assert!(order.lock().is_empty());
            if ending == 2 {
                task.cancel();
                assert!(order.lock().iter().copied().eq(0..5), "where it was cancelled");
            }
            go.set();
            busy.join().unwrap();
            pool.join();
            assert!(order.lock().iter().copied().eq(0..5));
            task.on_done(push(5));
            assert!(order.lock().iter().copied().eq(0..6), "at once");
            assert_eq!(task.join().is_ok(), ending == 0);
        }
    });
}

// CPython: test_done_callback_raises.
#[test]
fn panicking_callback_is_contained() {
    watchdog("panicking_callback_is_contained", || {
        let pool = ThreadPool::new(1);
        let (go, busy) = occupy(&pool);
        let told = counter();
        busy.on_done(add_one(&told));
        busy.on_done(|| panic!("of the callback"));
        let drops = Drops::new();
        let payload = drops.value();
        busy.on_done(|| panic::resume_unwind(Box::new(payload)));
        busy.on_done(add_one(&told));
        go.set();
        pool.join();
        assert_eq!((told.load(Relaxed), drops.count()), (2, 1));
        busy.on_done(|| panic!("of the callback, at once"));
        busy.join().unwrap();
        assert_eq!(pool.submit(|| 1).unwrap().join().unwrap(), 1);
    });
}

#[test]
fn dropped_task_runs_and_keeps_its_callbacks() {
    watchdog("dropped_task_runs_and_keeps_its_callbacks", || {
        let (pool, drops) = (ThreadPool::new(1), Drops::new());
        let (go, busy) = occupy(&pool);
        let told = counter();
        let value = drops.value();
        let task = pool.submit(move || value).unwrap();
        task.on_done(add_one(&told));
        drop(task);
        drop(busy);
        go.set();
        pool.join();
        assert_eq!((told.load(Relaxed), drops.count()), (1, 1));
        let task = pool
            .submit({
                let value = drops.value();
                move || value
            })
            .unwrap();
        pool.join();
        assert_eq!(drops.count(), 1, "kept for the handle");
        drop(task);
        assert_eq!(drops.count(), 2);
    });
}

#[test]
fn callback_may_submit_and_use_the_pool() {
    watchdog("callback_may_submit_and_use_the_pool", || {
        let pool = Arc::new(ThreadPool::new(1));
        let (go, busy) = occupy(&pool);
        let told = Arc::new(Event::new());
        busy.on_done({
            let (pool, told) = (Arc::clone(&pool), Arc::clone(&told));
            move || {
                assert_eq!(pool.submit(|| 1).unwrap().join().unwrap(), 1);
                told.set();
            }
        });
        go.set();
        told.wait();
    });
}

#[test]
fn callback_may_register_callbacks() {
    watchdog("callback_may_register_callbacks", || {
        let pool = ThreadPool::new(1);
        let (go, busy) = occupy(&pool);
        let (busy, order, told) = (Arc::new(busy), Arc::new(Mutex::new(Vec::new())), Arc::new(Event::new()));
        for n in 0..3 {
            let (task, order) = (Arc::clone(&busy), Arc::clone(&order));
            busy.on_done(move || {
                order.lock().push(n);
                let inner = Arc::clone(&order);
                // It is done, so this one does not wait for those that were registered before.
                task.on_done(move || inner.lock().push(10 + n));
                assert!(task.is_finished() && !task.cancel());
            });
        }
        busy.on_done({
            let told = Arc::clone(&told);
            move || told.set()
        });
        go.set();
        told.wait();
        assert_eq!(*order.lock(), [0, 10, 1, 11, 2, 12]);
        pool.join();
        Arc::into_inner(busy).expect("callbacks that were called are gone").join().unwrap();
    });
}

#[test]
fn callbacks_of_many_threads_are_each_called_once_and_in_order() {
    const EACH: usize = 30;
    watchdog("callbacks_of_many_threads_are_each_called_once_and_in_order", || {
        for parties in THREADS {
            for _ in 0..rounds(40) {
                let pool = ThreadPool::new(1);
                let (go, busy) = occupy(&pool);
                let called = Arc::new(Mutex::new(vec![Vec::new(); parties]));
                thread::scope(|s| {
                    for party in 0..parties {
                        let (busy, called) = (&busy, &called);
                        s.spawn(move || {
                            for n in 0..EACH {
                                let called = Arc::clone(called);
                                busy.on_done(move || called.lock()[party].push(n));
                            }
                        });
                    }
                    go.set();
                });
                pool.join();
                for calls in called.lock().iter_mut() {
                    // Those at once may overtake those that were registered before the end, which are in order.
                    calls.sort();
                    assert!(calls.iter().copied().eq(0..EACH));
                }
            }
        }
    });
}

/// Nobody is told that a task was not cancelled which then is, or the other way round.
#[test]
fn cancel_keeps_its_word_against_start_shutdown_and_itself() {
    watchdog("cancel_keeps_its_word_against_start_shutdown_and_itself", || {
        for threads in THREADS {
            for round in 0..rounds(100) {
                let (pool, ran) = (ThreadPool::new(threads), counter());
                let tasks: Vec<_> = (0..20).map(|_| pool.submit(add_one(&ran)).unwrap()).collect();
                let [one, other] = thread::scope(|s| {
                    let cancel = || tasks.iter().rev().map(Task::cancel).collect::<Vec<_>>();
                    let cancellers = [s.spawn(cancel), s.spawn(cancel)];
                    if round % 2 == 0 {
                        pool.shutdown(Shutdown::Cancel);
                    }
                    cancellers.map(|canceller| canceller.join().unwrap())
                });
                let mut count = 0;
                for ((task, one), other) in
                    tasks.into_iter().zip(one.into_iter().rev()).zip(other.into_iter().rev())
                {
                    let cancelled = matches!(task.join(), Err(TaskError::Cancelled));
                    assert_eq!((one, other), (cancelled, cancelled));
                    count += usize::from(!cancelled);
                }
                assert_eq!(ran.load(Relaxed), count);
            }
        }
    });
}

#[test]
fn a_task_shows_itself() {
    watchdog("a_task_shows_itself", || {
        let pool = ThreadPool::new(1);
        let (go, busy) = occupy(&pool);
        assert_eq!(format!("{busy:?}"), "Task { is_finished: false, .. }");
        assert_eq!(format!("{pool:?}"), "ThreadPool { threads: 1, queued: 0, is_shutdown: false, .. }");
        go.set();
    });
}

// --- map -----------------------------------------------------------------------------------------------------------

// CPython: test_map, test_map_exception, test_map_timeout.
#[test]
fn map_yields_in_order_and_resumes_panics_in_place() {
    watchdog("map_yields_in_order_and_resumes_panics_in_place", || {
        for threads in THREADS {
            let pool = ThreadPool::new(threads);
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
    watchdog("map_waits_no_longer_than_it_may", || {
        let (pool, go) = (ThreadPool::new(1), Arc::new(Event::new()));
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
    watchdog("map_begins_without_being_asked", || {
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
    watchdog("dropped_map_cancels_the_rest", || {
        let (pool, ran) = (ThreadPool::new(1), counter());
        let (began, go) = (Arc::new(Event::new()), Arc::new(Event::new()));
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
    watchdog("map_that_was_cut_short_says_so_once", || {
        let pool = ThreadPool::new(1);
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
    watchdog("panicking_items_cancel_what_was_submitted", || {
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
    watchdog("map_goes_through_a_short_queue", || {
        for threads in THREADS {
            let pool = ThreadPool::builder().threads(threads).queue_capacity(1).build();
            assert!(pool.map(0..300, |n| n + 1).eq(1..301));
        }
    });
}

#[test]
fn map_dropped_half_way_leaves_nothing() {
    watchdog("map_dropped_half_way_leaves_nothing", || {
        for threads in THREADS {
            for round in 0..rounds(40) {
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

// --- Waiting for several -------------------------------------------------------------------------------------------

/// Tasks that end when told, each by its own event, on a pool with a thread for each.
fn told(n: usize) -> (ThreadPool, Vec<Arc<Event>>, Vec<Task<usize>>) {
    let pool = ThreadPool::new(n);
    let events: Vec<_> = (0..n).map(|_| Arc::new(Event::new())).collect();
    let tasks = events
        .iter()
        .enumerate()
        .map(|(index, event)| {
            let event = Arc::clone(event);
            let task = move || {
                event.wait();
                index
            };
            pool.submit(task).unwrap()
        })
        .collect();
    (pool, events, tasks)
}

// CPython: AsCompletedTests.
#[test]
fn as_completed_yields_in_the_order_of_completion() {
    watchdog("as_completed_yields_in_the_order_of_completion", || {
        let (_pool, events, tasks) = told(4);
        events[2].set();
        wait_first(&tasks);
        let mut completed = as_completed(tasks);
        assert_eq!(completed.len(), 4);
        assert_eq!(completed.next().unwrap().join().unwrap(), 2, "done already");
        let error = completed.next_for(SHORT).unwrap_err();
        assert_eq!(error, UnfinishedError { unfinished: 3, total: 4 });
        assert_eq!(error.to_string(), "3 of 4 tasks unfinished");
        assert!(completed.next_until(Instant::now()).is_err());
        for index in [3, 0] {
            events[index].set();
            let task = completed.next().unwrap();
            assert!(task.is_finished());
            assert_eq!(task.join().unwrap(), index);
        }
        events[1].set();
        assert_eq!(completed.next_until(Instant::now() + LIMIT).unwrap().unwrap().join().unwrap(), 1);
        assert!(completed.next().is_none());
        assert!(completed.next_for(Duration::ZERO).unwrap().is_none());
    });
}

#[test]
fn as_completed_yields_every_ending() {
    watchdog("as_completed_yields_every_ending", || {
        for threads in THREADS {
            let pool = ThreadPool::new(threads);
            let tasks: Vec<_> =
                (0..60).map(|n| pool.submit(move || assert!(n % 3 != 0, "so")).unwrap()).collect();
            let cancelled = tasks.iter().skip(1).step_by(3).filter(|task| task.cancel()).count();
            let (mut fine, mut panicked, mut gone) = (0, 0, 0);
            for task in as_completed(tasks) {
                match task.join() {
                    Ok(()) => fine += 1,
                    Err(TaskError::Panicked(_)) => panicked += 1,
                    Err(TaskError::Cancelled) => gone += 1,
                }
            }
            assert_eq!((fine, panicked, gone), (40 - cancelled, 20, cancelled));
        }
    });
}

#[test]
fn dropping_as_completed_detaches() {
    watchdog("dropping_as_completed_detaches", || {
        let (pool, ran) = (ThreadPool::new(1), counter());
        let (go, _busy) = occupy(&pool);
        let tasks: Vec<_> = (0..5).map(|_| pool.submit(add_one(&ran)).unwrap()).collect();
        drop(as_completed(tasks));
        go.set();
        pool.join();
        assert_eq!(ran.load(Relaxed), 5);
    });
}

// CPython: WaitTests.
#[test]
fn wait_first_and_all_say_what_is_done() {
    watchdog("wait_first_and_all_say_what_is_done", || {
        let (_pool, events, tasks) = told(3);
        assert_eq!(wait_first::<()>(&[]), None);
        assert_eq!(wait_first_for::<()>(&[], Duration::MAX), None);
        wait_all::<()>(&[]);
        assert!(wait_all_for::<()>(&[], Duration::ZERO));
        for _ in 0..3 {
            let start = Instant::now();
            assert_eq!(wait_first_for(&tasks, SHORT), None);
            assert!(start.elapsed() >= SHORT);
            assert_eq!(wait_first_until(&tasks, Instant::now()), None);
            assert!(!wait_all_for(&tasks, SHORT));
        }
        let sleeper = Sleeper::new();
        thread::scope(|s| {
            let (sleeper, tasks) = (&sleeper, &tasks);
            let waiting = s.spawn(move || {
                sleeper.about_to_block();
                wait_first(tasks)
            });
            sleeper.until_asleep();
            events[1].set();
            assert_eq!(waiting.join().unwrap(), Some(1));
        });
        assert_eq!(wait_first(&tasks), Some(1), "done already");
        assert_eq!(wait_first_for(&tasks, Duration::ZERO), Some(1));
        events[0].set();
        assert!(!wait_all_until(&tasks, Instant::now() + SHORT));
        let sleeper = Sleeper::new();
        thread::scope(|s| {
            let (sleeper, tasks) = (&sleeper, &tasks);
            s.spawn(move || {
                sleeper.about_to_block();
                wait_all(tasks);
                assert!(tasks.iter().all(Task::is_finished));
            });
            sleeper.until_asleep();
            events[2].set();
        });
        assert!(wait_all_for(&tasks, Duration::ZERO));
        for (index, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.join().unwrap(), index);
        }
    });
}

// --- Tasks within tasks --------------------------------------------------------------------------------------------

fn fibonacci(pool: &Arc<ThreadPool>, n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let own = Arc::clone(pool);
    let left = pool.submit(move || fibonacci(&own, n - 1)).unwrap();
    fibonacci(pool, n - 2) + left.join().unwrap()
}

// CPython has no such rule: there it hangs.
#[test]
fn tasks_may_join_tasks_of_their_pool() {
    watchdog("tasks_may_join_tasks_of_their_pool", || {
        for threads in THREADS {
            let pool = Arc::new(ThreadPool::new(threads));
            let own = Arc::clone(&pool);
            let task = pool.submit(move || fibonacci(&own, 12)).unwrap();
            assert_eq!(task.join().unwrap(), 144);
            pool.join();
            assert_eq!(pool.queued(), 0, "what was run ahead left no trace");
        }
    });
}

#[test]
fn tasks_may_wait_for_several_of_their_pool() {
    watchdog("tasks_may_wait_for_several_of_their_pool", || {
        for threads in THREADS {
            let pool = Arc::new(ThreadPool::builder().threads(threads).queue_capacity(2).build());
            let make =
                |pool: &ThreadPool| -> Vec<_> { (0..10).map(|n| pool.submit(move || n).unwrap()).collect() };
            let own = Arc::clone(&pool);
            let task = pool
                .submit(move || {
                    wait_all(&make(&own));
                    let tasks = make(&own);
                    let first = wait_first(&tasks).unwrap();
                    assert!(tasks[first].is_finished());
                    let sum: i32 = as_completed(tasks).map(|task| task.join().unwrap()).sum();
                    sum + own.map(0..10, |n| n).sum::<i32>()
                })
                .unwrap();
            assert_eq!(task.join().unwrap(), 90);
        }
    });
}

#[test]
fn waits_for_ever_are_no_timed_waits() {
    watchdog("waits_for_ever_are_no_timed_waits", || {
        let pool = Arc::new(ThreadPool::new(1));
        let own = Arc::clone(&pool);
        let make = move || [0, 1].map(|n| own.submit(move || n).unwrap());
        let task = pool.submit(move || {
            let [one, other] = make();
            assert_eq!(one.join_for(Duration::MAX).unwrap().unwrap(), 0);
            drop(other);
            assert!(wait_first_for(&make(), Duration::MAX).is_some());
            assert!(wait_all_for(&make(), Duration::MAX));
            let mut completed = as_completed(make());
            while let Some(task) = completed.next_for(Duration::MAX).unwrap() {
                task.join().unwrap();
            }
        });
        task.unwrap().join().unwrap();
        let own = Arc::clone(&pool);
        let task = pool.submit(move || {
            let mut map = own.map(0..3, |n| n);
            while let Some(result) = map.next_for(Duration::MAX).unwrap() {
                result.unwrap();
            }
            own.scope(|s| s.spawn(|| 1).join_for(Duration::MAX).unwrap().unwrap())
        });
        assert_eq!(task.unwrap().join().unwrap(), 1);
    });
}

#[test]
fn timed_waits_of_tasks_run_nothing() {
    watchdog("timed_waits_of_tasks_run_nothing", || {
        let pool = Arc::new(ThreadPool::new(1));
        let own = Arc::clone(&pool);
        let task = pool
            .submit(move || {
                let tasks = [own.submit(|| ()).unwrap()];
                assert_eq!(wait_first_for(&tasks, SHORT), None);
                assert!(!wait_all_for(&tasks, SHORT));
                let [task] = tasks;
                task.join_for(SHORT).unwrap_err().join().unwrap();
            })
            .unwrap();
        task.join().unwrap();
    });
}

#[test]
fn joining_a_task_of_another_pool_only_waits() {
    watchdog("joining_a_task_of_another_pool_only_waits", || {
        let (ours, theirs) =
            (ThreadPool::new(1), Arc::new(ThreadPool::builder().threads(1).name("b").build()));
        let (go, _busy) = occupy(&theirs);
        let name = || thread::current().name().unwrap().to_owned();
        let task = theirs.submit(name).unwrap();
        let sleeper = Arc::new(Sleeper::new());
        let joiner = ours
            .submit({
                let sleeper = Arc::clone(&sleeper);
                move || {
                    sleeper.about_to_block();
                    task.join().unwrap()
                }
            })
            .unwrap();
        sleeper.until_asleep();
        go.set();
        assert_eq!(joiner.join().unwrap(), "b-0");
    });
}

// --- Scopes --------------------------------------------------------------------------------------------------------

#[test]
fn scope_lends_and_waits() {
    watchdog("scope_lends_and_waits", || {
        for threads in THREADS {
            let pool = ThreadPool::new(threads);
            let mut numbers: Vec<usize> = (0..1000).collect();
            let total = AtomicUsize::new(0);
            let returned = pool.scope(|s| {
                for chunk in numbers.chunks_mut(37) {
                    s.spawn(|| {
                        for number in chunk.iter_mut() {
                            *number += 1;
                        }
                        total.fetch_add(chunk.len(), Relaxed);
                    });
                }
                "done"
            });
            assert_eq!((returned, total.into_inner()), ("done", 1000));
            assert!(numbers.into_iter().eq(1..1001));
        }
    });
}

#[test]
fn scoped_tasks_return_borrows_and_values() {
    watchdog("scoped_tasks_return_borrows_and_values", || {
        let pool = ThreadPool::new(2);
        let words = ["a", "bcd", "ef"].map(String::from);
        let longest = pool.scope(|s| {
            let task = s.spawn(|| words.iter().max_by_key(|word| word.len()).unwrap().as_str());
            task.join().unwrap()
        });
        assert_eq!(longest, "bcd");
        pool.scope(|s| {
            let mut task = s.spawn(|| words.len());
            let len = loop {
                match task.join_for(SHORT) {
                    Ok(len) => break len.unwrap(),
                    Err(unfinished) => task = unfinished,
                }
            };
            assert_eq!(len, 3);
            assert_eq!(s.spawn(|| 1).join_until(Instant::now() + LIMIT).unwrap().unwrap(), 1);
        });
    });
}

#[test]
fn nested_scopes_need_no_second_thread() {
    fn tree(pool: &ThreadPool, depth: usize) -> usize {
        if depth == 0 {
            return 1;
        }
        let sum = AtomicUsize::new(0);
        pool.scope(|s| {
            for _ in 0..3 {
                s.spawn(|| sum.fetch_add(tree(pool, depth - 1), Relaxed));
            }
        });
        sum.into_inner()
    }
    watchdog("nested_scopes_need_no_second_thread", || {
        for threads in THREADS {
            let pool = ThreadPool::builder().threads(threads).queue_capacity(2).build();
            assert_eq!(tree(&pool, 5), 243);
            assert_eq!(pool.queued(), 0);
        }
    });
}

#[test]
fn scopes_nest_deeply_on_one_thread() {
    fn down(pool: &ThreadPool, depth: usize) -> usize {
        if depth == 0 {
            return 0;
        }
        let mut below = 0;
        pool.scope(|s| {
            s.spawn(|| below = down(pool, depth - 1));
        });
        below + 1
    }
    watchdog("scopes_nest_deeply_on_one_thread", || {
        let pool = ThreadPool::builder().threads(1).queue_capacity(1).stack_size(64 << 20).build();
        let depth = rounds(2000);
        assert_eq!(down(&pool, depth), depth);
        let begun = pool.scope(|s| s.spawn(|| down(&pool, depth)).join().unwrap());
        assert_eq!(begun, depth);
    });
}

/// A scope that goes on for long keeps nothing of the tasks that are done.
#[test]
fn scoped_tasks_leave_before_their_scope_ends() {
    watchdog("scoped_tasks_leave_before_their_scope_ends", || {
        for threads in THREADS {
            let (pool, drops) = (ThreadPool::new(threads), Drops::new());
            pool.scope(|outer| {
                outer.spawn(|| {
                    pool.scope(|s| {
                        for n in 1..=100 {
                            let value = drops.value();
                            assert!(s.spawn(move || drop(value)).join().is_ok());
                            assert_eq!(drops.count(), n);
                        }
                    });
                });
            });
        }
    });
}

#[test]
fn scoped_tasks_may_spawn_more() {
    fn spread<'scope>(s: &'scope lockwork::Scope<'scope, '_>, ran: &'scope AtomicUsize, depth: usize) {
        ran.fetch_add(1, Relaxed);
        if depth > 0 {
            for _ in 0..2 {
                s.spawn(move || spread(s, ran, depth - 1));
            }
        }
    }
    watchdog("scoped_tasks_may_spawn_more", || {
        for threads in THREADS {
            let pool = ThreadPool::new(threads);
            let ran = AtomicUsize::new(0);
            pool.scope(|s| spread(s, &ran, 6));
            assert_eq!(ran.load(Relaxed), 127);
            // By one of the pool's own threads, which helps.
            pool.scope(|outer| {
                outer.spawn(|| pool.scope(|s| spread(s, &ran, 6)));
            });
            assert_eq!(ran.load(Relaxed), 254);
        }
    });
}

#[test]
fn scope_waits_although_its_body_panics() {
    watchdog("scope_waits_although_its_body_panics", || {
        for threads in THREADS {
            let pool = ThreadPool::new(threads);
            let (ran, go) = (AtomicUsize::new(0), Event::new());
            let result = panics(|| {
                pool.scope(|s| {
                    for _ in 0..10 {
                        s.spawn(|| {
                            go.wait();
                            ran.fetch_add(1, Relaxed);
                        });
                    }
                    s.spawn(|| panic!("of a task"));
                    go.set();
                    panic!("of the body");
                })
            });
            assert_eq!(*result.unwrap_err().downcast::<&str>().unwrap(), "of the body");
            assert_eq!(ran.load(Relaxed), 10);
        }
    });
}

#[test]
fn scope_resumes_panics_that_nobody_joined() {
    watchdog("scope_resumes_panics_that_nobody_joined", || {
        let pool = ThreadPool::new(2);
        for keep in [false, true] {
            let result = panics(|| {
                pool.scope(|s| {
                    let task = s.spawn(|| panic!("of the task"));
                    if keep {
                        // Done, and dropped at the end of the body.
                        eventually(|| task.is_finished());
                    }
                })
            });
            assert_eq!(*result.unwrap_err().downcast::<&str>().unwrap(), "of the task");
        }
        pool.scope(|s| {
            assert_eq!(message(s.spawn(|| panic!("joined")).join().unwrap_err()), "joined");
            std::mem::forget(s.spawn(|| panic!("forgotten")));
        });
    });
}

/// Says where it is dropped that what it borrows is still there.
struct Borrows<'a>(&'a AtomicUsize);

impl Drop for Borrows<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[test]
fn scope_ends_after_everything_that_borrows() {
    watchdog("scope_ends_after_everything_that_borrows", || {
        for threads in THREADS {
            let pool = ThreadPool::new(threads);
            for round in 0..rounds(200) {
                // Gone after each round, so that a late drop would be a use after free.
                let dropped = Box::new(AtomicUsize::new(0));
                pool.scope(|s| {
                    for n in 0..4 {
                        let (captured, result) = (Borrows(&dropped), Borrows(&dropped));
                        let task = s.spawn(move || {
                            let _captured = captured;
                            result
                        });
                        match (round + n) % 4 {
                            0 => drop(task.join().unwrap()),
                            1 => drop(task),
                            2 => eventually(|| task.is_finished()),
                            _ => {
                                task.cancel();
                            }
                        }
                    }
                });
                assert_eq!(dropped.into_inner(), 8);
            }
        }
    });
}

#[test]
fn forgotten_handles_hold_nothing_up() {
    watchdog("forgotten_handles_hold_nothing_up", || {
        for threads in THREADS {
            let pool = ThreadPool::new(threads);
            let ran = AtomicUsize::new(0);
            pool.scope(|s| {
                for _ in 0..50 {
                    std::mem::forget(s.spawn(|| ran.fetch_add(1, Relaxed)));
                }
            });
            assert_eq!(ran.into_inner(), 50);
        }
    });
}

#[test]
fn scope_outlives_a_shutdown() {
    watchdog("scope_outlives_a_shutdown", || {
        for threads in THREADS {
            for how in [Shutdown::Drain, Shutdown::Cancel] {
                let pool = ThreadPool::new(threads);
                let ran = AtomicUsize::new(0);
                let count = || {
                    ran.fetch_add(1, Relaxed);
                };
                pool.scope(|s| {
                    (0..20).for_each(|_| drop(s.spawn(count)));
                    pool.shutdown(how);
                    (0..20).for_each(|_| drop(s.spawn(count)));
                    pool.join();
                    (0..20).for_each(|_| drop(s.spawn(count)));
                });
                assert_eq!(ran.load(Relaxed), 60);
            }
        }
    });
}

#[test]
fn scope_of_a_task_outlives_a_shutdown() {
    watchdog("scope_of_a_task_outlives_a_shutdown", || {
        for threads in THREADS {
            let pool = Arc::new(ThreadPool::new(threads));
            let ran = counter();
            let task = pool
                .submit({
                    let (pool, ran) = (Arc::clone(&pool), Arc::clone(&ran));
                    move || {
                        pool.shutdown(Shutdown::Cancel);
                        pool.scope(|s| (0..20).for_each(|_| drop(s.spawn(|| ran.fetch_add(1, Relaxed)))));
                    }
                })
                .unwrap();
            task.join().unwrap();
            assert_eq!(ran.load(Relaxed), 20);
        }
    });
}

#[test]
fn scope_waits_for_room() {
    watchdog("scope_waits_for_room", || {
        let pool = ThreadPool::builder().threads(2).queue_capacity(1).build();
        let ran = AtomicUsize::new(0);
        pool.scope(|s| (0..500).for_each(|_| drop(s.spawn(|| ran.fetch_add(1, Relaxed)))));
        assert_eq!(ran.into_inner(), 500);
    });
}

// --- Worker and StopToken ------------------------------------------------------------------------------------------

#[test]
fn worker_runs_until_told_to_stop() {
    watchdog("worker_runs_until_told_to_stop", || {
        let worker = Worker::spawn("poller", |stop: &StopToken| {
            let mut rounds = 0;
            while !stop.wait_for(Duration::from_micros(50)) {
                rounds += 1;
            }
            assert!(stop.is_stopped());
            (rounds, thread::current().name().map(str::to_owned))
        });
        assert!(worker.is_alive());
        assert!(!worker.join_for(SHORT));
        assert!(!worker.join_until(Instant::now()));
        assert!(!worker.stop_token().is_stopped());
        worker.stop();
        worker.stop();
        assert!(worker.join_for(LIMIT));
        assert!(worker.join_until(Instant::now()), "again");
        assert!(!worker.is_alive());
        assert_eq!(worker.join().unwrap().1.unwrap(), "poller");
    });
}

#[test]
fn workers_join_returns_without_a_stop() {
    watchdog("workers_join_returns_without_a_stop", || {
        assert_eq!(Worker::spawn("short", |_| 3).join().unwrap(), 3);
        let worker: Worker = Worker::spawn("panics", |_| panic!("of the worker"));
        assert_eq!(message(worker.join().unwrap_err()), "of the worker");
    });
}

#[test]
fn dropped_worker_is_stopped_and_waited_for() {
    watchdog("dropped_worker_is_stopped_and_waited_for", || {
        let drops = Drops::new();
        let value = drops.value();
        let worker = Worker::spawn("waits", move |stop| {
            stop.wait();
            value
        });
        drop(worker);
        assert_eq!(drops.count(), 1, "the result, too");
        drop(Worker::spawn("panics", |_| panic!("of the worker")));
        drop(Worker::spawn("explodes", |_| Bomb));
    });
}

#[test]
fn detached_worker_lives_on() {
    watchdog("detached_worker_lives_on", || {
        let stopped = Arc::new(Event::new());
        let worker = Worker::spawn("detached", {
            let stopped = Arc::clone(&stopped);
            move |stop| {
                stop.wait();
                stopped.set();
            }
        });
        let stop = worker.stop_token().clone();
        worker.detach();
        assert!(!stop.is_stopped());
        assert!(!stopped.wait_for(SHORT));
        stop.stop();
        stopped.wait();
    });
}

#[test]
fn worker_dropped_by_its_own_thread_does_not_join_itself() {
    watchdog("worker_dropped_by_its_own_thread_does_not_join_itself", || {
        let (own, ended) = (Arc::new(Mutex::new(None::<Worker>)), Arc::new(Event::new()));
        let go = Arc::new(Event::new());
        let worker = Worker::spawn("suicidal", {
            let (own, ended, go) = (Arc::clone(&own), Arc::clone(&ended), Arc::clone(&go));
            move |stop| {
                go.wait();
                let own = own.lock().take();
                drop(own);
                assert!(stop.is_stopped());
                ended.set();
            }
        });
        *own.lock() = Some(worker);
        go.set();
        ended.wait();
    });
}

#[test]
fn stop_ends_every_sleep_at_once() {
    watchdog("stop_ends_every_sleep_at_once", || {
        for parties in THREADS {
            let (stop, sleepers) = (StopToken::new(), Sleeper::several(parties));
            thread::scope(|s| {
                for (index, sleeper) in sleepers.iter().enumerate() {
                    let stop = stop.clone();
                    s.spawn(move || {
                        sleeper.about_to_block();
                        match index % 3 {
                            0 => stop.wait(),
                            1 => assert!(stop.wait_for(Duration::MAX)),
                            _ => assert!(stop.wait_until(Instant::now() + 2 * LIMIT)),
                        }
                    });
                }
                Sleeper::until_all_asleep(&sleepers);
                stop.stop();
            });
            assert_eq!(format!("{stop:?}"), "StopToken { is_stopped: true }");
            assert!(stop.wait_for(Duration::ZERO) && stop.wait_until(Instant::now()));
        }
        let stop = StopToken::new();
        let start = Instant::now();
        assert!(!stop.wait_for(SHORT));
        assert!(start.elapsed() >= SHORT);
        assert!(!stop.wait_for(Duration::ZERO) && !stop.wait_until(Instant::now()));
    });
}

/// After its end a worker's result is the handle's, wherever that goes.
#[test]
fn result_of_a_worker_may_panic_when_dropped() {
    watchdog("result_of_a_worker_may_panic_when_dropped", || {
        for joined in [false, true] {
            for end in [drop, Worker::detach] {
                let worker = Worker::spawn("bomb", |_| Bomb);
                if joined {
                    assert!(worker.join_for(LIMIT));
                }
                end(worker);
            }
        }
    });
}

// --- Races ---------------------------------------------------------------------------------------------------------

/// Submitters, cancellers, panics, time-outs and a shutdown at once: no closure and no result is left over.
#[test]
fn everything_at_once_leaves_nothing_behind() {
    const EACH: usize = 40;
    watchdog("everything_at_once_leaves_nothing_behind", || {
        for threads in THREADS {
            for round in 0..rounds(60) {
                let mut builder = ThreadPool::builder().threads(threads);
                if round % 2 == 0 {
                    builder = builder.queue_capacity(1 + round % 5);
                }
                let pool = builder.build();
                let (ran, refused, drops) = (counter(), AtomicUsize::new(0), Drops::new());
                thread::scope(|s| {
                    for party in 0..3 {
                        let (pool, ran, refused, drops) = (&pool, &ran, &refused, &drops);
                        s.spawn(move || {
                            for n in 0..EACH {
                                let (count, value) = (add_one(ran), drops.value());
                                let explode = (n + party) % 5 == 0;
                                let task = move || {
                                    count();
                                    assert!(!explode, "so");
                                    value
                                };
                                let Ok(task) = pool.submit(task) else {
                                    refused.fetch_add(1, Relaxed);
                                    continue;
                                };
                                match (n + round) % 4 {
                                    0 => {
                                        task.cancel();
                                    }
                                    1 => drop(task.join_for(Duration::from_micros(20))),
                                    _ => {}
                                }
                            }
                        });
                    }
                    if round % 3 != 0 {
                        let how = if round % 3 == 1 { Shutdown::Drain } else { Shutdown::Cancel };
                        (0..round * 20).for_each(|_| std::hint::spin_loop());
                        pool.shutdown(how);
                    }
                });
                drop(pool);
                let total = 3 * EACH;
                assert_eq!(drops.count(), total);
                assert!(ran.load(Relaxed) + refused.load(Relaxed) <= total);
            }
        }
    });
}

/// The same with every handle kept, so that the books can be balanced.
#[test]
fn every_task_runs_once_or_is_cancelled() {
    watchdog("every_task_runs_once_or_is_cancelled", || {
        for threads in THREADS {
            for round in 0..rounds(60) {
                let pool = ThreadPool::new(threads);
                let runs: Arc<Vec<AtomicUsize>> = Arc::new((0..120).map(|_| AtomicUsize::new(0)).collect());
                let tasks: Vec<_> = (0..120)
                    .map(|n| {
                        let runs = Arc::clone(&runs);
                        let task = move || {
                            runs[n].fetch_add(1, Relaxed);
                            assert!(n % 7 != 0, "so");
                            n
                        };
                        pool.submit(task).unwrap()
                    })
                    .collect();
                let told = counter();
                tasks.iter().for_each(|task| task.on_done(add_one(&told)));
                thread::scope(|s| {
                    s.spawn(|| tasks.iter().rev().step_by(2).filter(|task| task.cancel()).count());
                    s.spawn(|| tasks.iter().step_by(3).filter(|task| task.cancel()).count());
                    match round % 3 {
                        0 => pool.shutdown(Shutdown::Cancel),
                        1 => pool.shutdown(Shutdown::Drain),
                        _ => {}
                    }
                });
                for (n, task) in tasks.into_iter().enumerate() {
                    let ran = match task.join() {
                        Ok(result) => {
                            assert_eq!(result, n);
                            1
                        }
                        Err(TaskError::Panicked(_)) => {
                            assert_eq!(n % 7, 0);
                            1
                        }
                        Err(TaskError::Cancelled) => 0,
                    };
                    assert_eq!(runs[n].load(Relaxed), ran);
                }
                drop(pool);
                assert_eq!(told.load(Relaxed), 120, "every callback ran once");
            }
        }
    });
}

/// A task of a random graph.
#[derive(Clone, Debug)]
struct Node {
    /// How many tasks it submits.
    children: usize,
    /// What it does about each.
    care: Care,
    panics: bool,
}

#[derive(Clone, Copy, Debug)]
enum Care {
    Join,
    Detach,
    Cancel,
    AsCompleted,
    Scope,
    Map,
}

fn node() -> impl Strategy<Value = Node> {
    let care = prop_oneof![
        Just(Care::Join),
        Just(Care::Detach),
        Just(Care::Cancel),
        Just(Care::AsCompleted),
        Just(Care::Scope),
        Just(Care::Map),
    ];
    (0..4_usize, care, prop::bool::weighted(0.1)).prop_map(|(children, care, panics)| Node {
        children,
        care,
        panics,
    })
}

/// What the tasks of a graph have in common.
#[derive(Debug)]
struct Graph {
    nodes: Vec<Node>,
    next: AtomicUsize,
    submitted: AtomicUsize,
    ran: AtomicUsize,
    /// Cancelled, or given back.
    not_run: AtomicUsize,
    /// Of those, what a handle said.
    cancelled: AtomicUsize,
}

/// What becomes of one task: told when it runs, or when it goes without having run.
#[derive(Debug)]
struct Fate {
    graph: Arc<Graph>,
    ran: bool,
}

impl Fate {
    fn new(graph: &Arc<Graph>) -> Self {
        graph.submitted.fetch_add(1, Relaxed);
        Self { graph: Arc::clone(graph), ran: false }
    }

    fn run(mut self, pool: &Arc<ThreadPool>) {
        self.ran = true;
        self.graph.ran.fetch_add(1, Relaxed);
        self.graph.run(pool);
    }
}

impl Drop for Fate {
    fn drop(&mut self) {
        self.graph.not_run.fetch_add(usize::from(!self.ran), Relaxed);
    }
}

impl Graph {
    fn settle<T>(&self, result: Result<T, TaskError>) {
        if matches!(result, Err(TaskError::Cancelled)) {
            self.cancelled.fetch_add(1, Relaxed);
        }
    }

    /// Runs the next node, which may make others run.
    fn run(self: &Arc<Self>, pool: &Arc<ThreadPool>) {
        let Some(node) = self.nodes.get(self.next.fetch_add(1, Relaxed)) else { return };
        let child = || {
            let (fate, pool) = (Fate::new(self), Arc::clone(pool));
            move || fate.run(&pool)
        };
        let children =
            || -> Vec<_> { (0..node.children).filter_map(|_| pool.submit(child()).ok()).collect() };
        match node.care {
            Care::Join => children().into_iter().for_each(|task| self.settle(task.join())),
            Care::Detach => drop(children()),
            Care::Cancel => {
                let tasks = children();
                let cancelled: Vec<_> = tasks.iter().map(Task::cancel).collect();
                for (task, cancelled) in tasks.into_iter().zip(cancelled) {
                    let result = task.join();
                    assert_eq!(cancelled, matches!(result, Err(TaskError::Cancelled)));
                    self.settle(result);
                }
            }
            Care::AsCompleted => as_completed(children()).for_each(|task| self.settle(task.join())),
            Care::Scope => pool.scope(|s| {
                for _ in 0..node.children {
                    let task = child();
                    s.spawn(move || drop(panics(task)));
                }
            }),
            Care::Map => {
                let items: Vec<_> = (0..node.children).map(|_| Fate::new(self)).collect();
                let own = Arc::clone(pool);
                let mut map = pool.map(items, move |fate| fate.run(&own));
                // Half of them are not waited for, and cancelled if they have not begun.
                for _ in 0..node.children / 2 {
                    let _ = map.next_result();
                }
            }
        }
        assert!(!node.panics, "so");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 200 }))]

    #[test]
    fn each_task_of_a_graph_runs_once_or_is_cancelled(
        nodes in prop::collection::vec(node(), 1..40),
        threads in prop::sample::select(THREADS.as_slice()),
        capacity in prop::option::of(1..5_usize),
        end in prop::option::of((0..2000_usize, prop::sample::select(&[Shutdown::Drain, Shutdown::Cancel][..]))),
    ) {
        watchdog("a graph", move || {
            let mut builder = ThreadPool::builder().threads(threads);
            if let Some(capacity) = capacity {
                builder = builder.queue_capacity(capacity);
            }
            let pool = Arc::new(builder.build());
            let graph = Arc::new(Graph {
                nodes,
                next: AtomicUsize::new(0),
                submitted: AtomicUsize::new(0),
                ran: AtomicUsize::new(0),
                not_run: AtomicUsize::new(0),
                cancelled: AtomicUsize::new(0),
            });
            let root = {
                let (fate, pool) = (Fate::new(&graph), Arc::clone(&pool));
                move || fate.run(&pool)
            };
            let root = pool.submit(root).unwrap();
            if let Some((end, how)) = end {
                // Somewhere in the middle.
                (0..end).for_each(|_| std::hint::spin_loop());
                pool.shutdown(how);
            }
            graph.settle(root.join());
            pool.join();
            // What a task was given goes before the task is done, and with the pool idle, all are.
            let load = |count: &AtomicUsize| count.load(Relaxed);
            assert_eq!(load(&graph.submitted), load(&graph.ran) + load(&graph.not_run));
            assert!(load(&graph.cancelled) <= load(&graph.not_run));
            assert_eq!(Arc::strong_count(&graph), 1);
        });
    }
}

// --- Memory --------------------------------------------------------------------------------------------------------

/// What the process has in memory, in kilobytes, where the system says.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().split(' ').next()?.parse().ok()
}

#[test]
fn a_task_is_one_allocation() {
    watchdog("a_task_is_one_allocation", || {
        let pool = ThreadPool::new(1);
        // The queue has its room before.
        pool.map(0..100, |n| n).for_each(drop);
        for _ in 0..100 {
            let mut task = None;
            assert_eq!(allocations_during(|| task = Some(pool.submit(|| [1_u8; 64]).unwrap())), 1);
            assert_eq!(allocations_during(|| drop(task.take().map(Task::join))), 0);
        }
    });
}

/// In a process of its own: other tests have memory, too. The variable says how many tasks, where they are to be more.
#[test]
fn memory_is_flat_over_many_tasks() {
    const TASKS: &str = "LOCKWORK_TEST_TASKS";
    const CHILD: &str = "LOCKWORK_TEST_MEMORY";
    if std::env::var_os(CHILD).is_none() {
        if cfg!(miri) {
            return;
        }
        let name = "threads::memory_is_flat_over_many_tasks";
        let run = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        return;
    }
    let tasks = std::env::var(TASKS).map_or(200_000, |tasks| tasks.parse().expect("a number"));
    watchdog("memory_is_flat_over_many_tasks", move || {
        let pool = Arc::new(ThreadPool::builder().threads(2).queue_capacity(100).build());
        let called = counter();
        let many = |n: usize| {
            for _ in 0..n / 20 {
                // Detached, joined, cancelled, called back, watched, of a map, and of a map that is left half way.
                drop(pool.submit(|| [0_u8; 64]).unwrap());
                pool.submit(|| [0_u8; 64]).unwrap().join().unwrap();
                pool.submit(|| [0_u8; 64]).unwrap().cancel();
                pool.submit(|| [0_u8; 64]).unwrap().on_done(add_one(&called));
                let tasks = [pool.submit(|| 1).unwrap(), pool.submit(|| 2).unwrap()];
                let _ = wait_first_for(&tasks, Duration::from_micros(1));
                assert_eq!(as_completed(tasks).map(|task| task.join().unwrap()).sum::<i32>(), 3);
                assert_eq!(pool.map(0..4, |n| n).sum::<i32>(), 6);
                assert_eq!(pool.map(0..4, |n| n).next(), Some(0));
            }
            let own = Arc::clone(&pool);
            let nested = move || {
                for _ in 0..n / 20 {
                    // Run ahead by the task that waits, and of scopes that end; all within one that goes on.
                    own.submit(|| 1).unwrap().join().unwrap();
                    own.scope(|s| (0..5).for_each(|_| drop(s.spawn(|| [0_u8; 64]))));
                }
                own.scope(|s| (0..n / 20).for_each(|_| drop(s.spawn(|| [0_u8; 64]).join())));
            };
            pool.submit(nested).unwrap().join().unwrap();
            for _ in 0..n / 2000 {
                Worker::spawn("short", |_| [0_u8; 64]).join().unwrap();
                drop(ThreadPool::new(1).submit(|| [0_u8; 64]));
            }
            pool.join();
        };
        // The allocator's own share grows for a while and then stays.
        many(100_000);
        let before = resident();
        many(tasks);
        if let (Some(before), Some(after)) = (before, resident()) {
            let grown = after.saturating_sub(before);
            // Whatever their number; of the least, five bytes for each: a word that each of a kind leaves would be seen.
            assert!(grown < 1000, "{grown} kB more after {tasks} tasks");
        }
    });
}
