//! `Task`: cancelling, joining, callbacks (the rules of CPython's futures) and ids.

use std::collections::HashSet;
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{Event, Mutex, Shutdown, Task, TaskError, TaskId, ThreadPool, as_completed, wait_all_for};

use super::{SHORT, THREADS, add_one, counter, message, occupy};
use crate::support::{Drops, LIMIT, cases, eventually, repeat, shown, watchdog};

// CPython: test_cancel, test_cancelled.
#[test]
fn cancel_tells_whether_the_task_is_cancelled() {
    watchdog(|| {
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
    watchdog(|| {
        for threads in cases(THREADS) {
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
    watchdog(|| {
        for threads in cases(THREADS) {
            let (pool, go) = (ThreadPool::new(threads), shown(Event::new()));
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
    watchdog(|| {
        let pool = shown(ThreadPool::new(1));
        let (go, mut running) = occupy(&pool);
        for timeout in cases([Duration::ZERO, SHORT]) {
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

// CPython: test_done_callback_with_result, _with_exception, _with_cancel,
// test_done_callback_already_successful and its siblings, and the order of registration.
#[test]
fn callbacks_run_in_order_or_at_once() {
    watchdog(|| {
        let pool = shown(ThreadPool::new(1));
        for ending in 0..3 {
            let (go, busy) = occupy(&pool);
            let task = pool.submit(move || assert!(ending != 1, "so")).unwrap();
            let order = shown(Mutex::new(Vec::new()));
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
    watchdog(|| {
        let pool = shown(ThreadPool::new(1));
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
    watchdog(|| {
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
    watchdog(|| {
        let pool = shown(ThreadPool::new(1));
        let (go, busy) = occupy(&pool);
        let told = shown(Event::new());
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
    watchdog(|| {
        let pool = shown(ThreadPool::new(1));
        let (go, busy) = occupy(&pool);
        let (busy, order, told) = (Arc::new(busy), shown(Mutex::new(Vec::new())), shown(Event::new()));
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
    watchdog(|| {
        for parties in cases(THREADS) {
            for _ in repeat(40) {
                let pool = shown(ThreadPool::new(1));
                let (go, busy) = occupy(&pool);
                let called = shown(Mutex::new(vec![Vec::new(); parties]));
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
                    // Those at once may overtake those that were registered before the end, which are in
                    // order.
                    calls.sort();
                    assert!(calls.iter().copied().eq(0..EACH));
                }
            }
        }
    });
}

/// No caller is told that a task was not cancelled which then is, or the other way round.
#[test]
fn cancel_keeps_its_word_against_start_shutdown_and_itself() {
    watchdog(|| {
        for threads in cases(THREADS) {
            for round in repeat(100) {
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
    watchdog(|| {
        let pool = shown(ThreadPool::new(1));
        let (go, busy) = occupy(&pool);
        assert_eq!(format!("{busy:?}"), "Task { is_finished: false, .. }");
        assert_eq!(format!("{pool:?}"), "ThreadPool { threads: 1, queued: 0, is_shutdown: false, .. }");
        go.set();
    });
}

#[test]
fn no_two_tasks_have_the_same_id() {
    watchdog(|| {
        let mut seen: HashSet<TaskId> = HashSet::new();
        for _ in 0..10 {
            let pools = [ThreadPool::new(1), ThreadPool::new(2)];
            for _ in 0..100 {
                for pool in &pools {
                    let task = pool.submit(|| ()).unwrap();
                    let id = task.id();
                    assert!(seen.insert(id), "{id:?} twice");
                    assert_eq!(task.id(), id);
                    if seen.len() % 3 == 0 {
                        task.cancel();
                    }
                }
            }
        }
    });
}

#[test]
fn task_that_panicked_is_traced_to_its_input() {
    watchdog(|| {
        let pool = shown(ThreadPool::new(3));
        let tasks: Vec<_> = (0..20)
            .map(|n| pool.submit(move || if n % 5 == 0 { panic!("{n}") } else { n }).unwrap())
            .collect();
        let inputs: Vec<_> = tasks.iter().map(Task::id).collect();
        for task in as_completed(tasks) {
            let id = task.id();
            let input = inputs.iter().position(|other| *other == id).expect("one of them");
            match task.join() {
                Ok(result) => assert_eq!(result, input),
                Err(TaskError::Panicked(payload)) => {
                    assert_eq!(payload.downcast_ref::<String>(), Some(&input.to_string()));
                }
                Err(TaskError::Cancelled) => panic!("none was cancelled"),
            }
        }
    });
}
