//! Submitting tasks, and queues that are full or closed.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{Event, Mutex, Shutdown, SubmitTimeoutError, ThreadPool, TrySubmitError};

use super::{SHORT, THREADS, add_one, counter, occupy};
use crate::support::{Drops, LIMIT, Sleeper, cases, eventually, repeat, shown, watchdog};

#[test]
fn submit_returns_what_the_closure_returns() {
    watchdog(|| {
        for threads in cases(THREADS) {
            let pool = shown(ThreadPool::new(threads));
            assert_eq!(pool.threads(), threads);
            let tasks: Vec<_> = (0..100).map(|n| pool.submit(move || n * 2).unwrap()).collect();
            let results: Vec<_> = tasks.into_iter().map(|task| task.join().unwrap()).collect();
            assert!(results.into_iter().eq((0..100).map(|n| n * 2)));
        }
    });
}

#[test]
fn tasks_begin_in_the_order_of_submission() {
    watchdog(|| {
        let pool = shown(ThreadPool::new(1));
        let order = shown(Mutex::new(Vec::new()));
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
    watchdog(|| {
        let pool = shown(ThreadPool::new(2));
        for n in repeat(500) {
            let boxed = pool.submit(move || Box::new(n)).unwrap().join().unwrap();
            assert_eq!(pool.submit(move || *boxed).unwrap().join().unwrap(), n);
        }
    });
}

// CPython: test_run_after_shutdown.
#[test]
fn submit_after_shutdown_gives_the_closure_back() {
    watchdog(|| {
        for how in cases([Shutdown::Drain, Shutdown::Cancel]) {
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
    watchdog(|| {
        let pool = ThreadPool::builder().threads(1).queue_capacity(2).build();
        let (go, _busy) = occupy(&pool);
        let ran = counter();
        pool.submit(add_one(&ran)).unwrap();
        pool.try_submit(add_one(&ran)).unwrap();
        assert_eq!(pool.queued(), 2);
        let error = pool.try_submit(add_one(&ran)).unwrap_err();
        assert!(matches!(&error, TrySubmitError::Full(_)) && error.is_full());
        assert_eq!(error.to_string(), "the pool's queue is full");
        for timeout in cases([Duration::ZERO, SHORT]) {
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
    watchdog(|| {
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
    watchdog(|| {
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
    watchdog(|| {
        for threads in cases(THREADS) {
            let pool = shown(ThreadPool::builder().threads(threads).queue_capacity(1).build());
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
    watchdog(|| {
        for how in cases([Shutdown::Drain, Shutdown::Cancel]) {
            let pool = shown(ThreadPool::builder().threads(1).queue_capacity(1).build());
            let (go, ran) = (shown(Event::new()), counter());
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

/// A task that submits itself again as soon as it begins takes the place that it has left. A submitter that
/// waits for that place has it all the same.
#[test]
fn submit_succeeds_beside_a_task_that_fills_the_queue_at_once() {
    struct Again {
        pool: ThreadPool,
        over: AtomicBool,
        runs: AtomicUsize,
    }

    impl Again {
        fn run(self: Arc<Self>) {
            self.runs.fetch_add(1, Relaxed);
            if !self.over.load(Relaxed) {
                let again = Arc::clone(&self);
                drop(self.pool.submit(|| again.run()).unwrap());
                // Long enough for a thread that is woken to see that the queue is full.
                thread::sleep(Duration::from_millis(1));
            }
        }
    }

    watchdog(|| {
        for capacity in cases([1, 2]) {
            let pool = ThreadPool::builder().threads(1).queue_capacity(capacity).build();
            let again = Arc::new(Again { pool, over: AtomicBool::new(false), runs: AtomicUsize::new(0) });
            for _ in 0..capacity {
                drop(again.pool.submit({
                    let again = Arc::clone(&again);
                    || again.run()
                }));
            }
            for timed in [false, true].repeat(20) {
                let task = if timed {
                    again.pool.submit_for(|| (), LIMIT).unwrap()
                } else {
                    again.pool.submit(|| ()).unwrap()
                };
                task.join().unwrap();
            }
            let runs = again.runs.load(Relaxed);
            assert!(runs <= 40 * 15, "{runs} tasks were begun while 40 were submitted");
            again.over.store(true, Relaxed);
            assert!(again.pool.join_for(LIMIT), "tasks are left");
        }
    });
}
