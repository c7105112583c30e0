//! `lockwork::ThreadPool`, its tasks and scopes, and `lockwork::Worker`.
//!
//! A pool has locks of its own and of each task, so these are bounded but for those that leave the pool out.

use lockwork::{
    Event, Shutdown, StopToken, Task, TaskError, ThreadPool, Worker, as_completed, wait_first, wait_first_for,
};

use crate::models::support::{Arc, Plain, SOON, model, model_bounded, patient, reach, thread};

const POOL: &str = "two threads, but the locks of a pool and of its tasks";

fn is_cancelled<T>(result: &Result<T, TaskError>) -> bool {
    matches!(result, Err(TaskError::Cancelled))
}

/// A task is run once, and what was done before and in it is seen.
#[test]
fn submit_and_join_hand_over() {
    model_bounded(3, POOL, &["waiter parks"], || {
        let pool = ThreadPool::new(1);
        let shared = Arc::new((Plain::new(0), Plain::new(0)));
        shared.0.set(1);
        let other = Arc::clone(&shared);
        let task = pool
            .submit(move || {
                assert_eq!(other.0.get(), 1);
                other.1.set(2);
                3
            })
            .unwrap();
        assert_eq!(task.join().unwrap(), 3);
        assert_eq!(shared.1.get(), 2);
    });
}

/// `is_finished` that says so publishes, too.
#[test]
fn is_finished_publishes() {
    model_bounded(3, POOL, &["finished"], || {
        let pool = ThreadPool::new(1);
        let shared = Arc::new(Plain::new(0));
        let other = Arc::clone(&shared);
        let task = pool.submit(move || other.set(1)).unwrap();
        if task.is_finished() {
            assert_eq!(shared.get(), 1);
            reach("finished");
        }
    });
}

/// Cancellation against the start of a task: it runs, or it is cancelled and never runs.
#[test]
fn cancelled_or_run() {
    model_bounded(3, POOL, &["cancelled", "ran"], || {
        let pool = ThreadPool::new(1);
        let ran = Arc::new(Plain::new(0));
        let other = Arc::clone(&ran);
        let task = pool.submit(move || other.set(1)).unwrap();
        let cancelled = task.cancel();
        assert_eq!(is_cancelled(&task.join()), cancelled);
        drop(pool);
        assert_eq!(ran.get(), usize::from(!cancelled));
        reach(if cancelled { "cancelled" } else { "ran" });
    });
}

/// A shutdown against the start: the same, decided by the pool.
#[test]
fn shutdown_cancels_or_lets_run() {
    model_bounded(3, POOL, &["cancelled", "ran"], || {
        let pool = ThreadPool::new(1);
        let ran = Arc::new(Plain::new(0));
        let other = Arc::clone(&ran);
        let task = pool.submit(move || other.set(1)).unwrap();
        pool.shutdown(Shutdown::Cancel);
        pool.join();
        let cancelled = is_cancelled(&task.join());
        assert_eq!(ran.get(), usize::from(!cancelled));
        reach(if cancelled { "cancelled" } else { "ran" });
    });
}

/// Submission against a shutdown by the pool's own thread: what was taken is run, what was not comes back.
#[test]
fn submit_against_shutdown_loses_nothing() {
    model_bounded(3, POOL, &["taken", "given back"], || {
        let pool = Arc::new(ThreadPool::new(1));
        let own = Arc::clone(&pool);
        drop(pool.submit(move || own.shutdown(Shutdown::Drain)));
        match pool.submit(|| 1) {
            Ok(task) => {
                assert_eq!(task.join().unwrap(), 1);
                reach("taken");
            }
            Err(error) => {
                assert_eq!(error.into_inner()(), 1);
                reach("given back");
            }
        }
    });
}

/// A full queue: the submitter waits for the room that the pool's thread makes.
#[test]
fn submitter_gets_the_room_that_is_made() {
    model_bounded(3, POOL, &["condvar waiter notified"], || {
        let pool = ThreadPool::builder().threads(1).queue_capacity(1).build();
        drop(pool.submit(|| ()).unwrap());
        drop(pool.submit(|| ()).unwrap());
    });
}

/// A task fills the queue again as soon as it begins, and the submitter is woken in vain: the next place is
/// kept for it.
#[test]
fn submitter_has_the_place_that_is_kept() {
    model_bounded(3, POOL, &["submitter has the place that was kept"], || {
        patient();
        let pool = Arc::new(ThreadPool::builder().threads(1).queue_capacity(1).build());
        let own = Arc::clone(&pool);
        drop(pool.submit(move || drop(own.submit(|| ()))));
        drop(pool.submit(|| ()).unwrap());
    });
}

/// A timed join against the end of the task: the result, or the task back.
#[test]
fn timed_join_has_the_result_or_the_task() {
    model_bounded(3, POOL, &["result", "timed out"], || {
        let pool = ThreadPool::new(1);
        let task = pool.submit(|| 1).unwrap();
        match task.join_for(SOON) {
            Ok(result) => {
                assert_eq!(result.unwrap(), 1);
                reach("result");
            }
            Err(task) => {
                reach("timed out");
                drop(task);
            }
        }
    });
}

/// Dropping a handle against the end of its task: the result is dropped once.
#[test]
fn dropped_handle_leaves_no_result() {
    model_bounded(3, POOL, &["before", "after"], || {
        let pool = ThreadPool::new(1);
        let value = Arc::new(());
        let result = Arc::clone(&value);
        let task = pool.submit(move || result).unwrap();
        reach(if task.is_finished() { "after" } else { "before" });
        drop(task);
        drop(pool);
        assert_eq!(Arc::strong_count(&value), 1);
    });
}

/// A callback against the end: it is called once.
#[test]
fn callback_is_called_once() {
    model_bounded(3, POOL, &["at once", "later"], || {
        let pool = ThreadPool::new(1);
        let calls = Arc::new(lockwork::Mutex::new(0));
        let task = pool.submit(|| ()).unwrap();
        let other = Arc::clone(&calls);
        task.on_done(move || *other.lock() += 1);
        let at_once = *calls.lock() == 1;
        reach(if at_once { "at once" } else { "later" });
        drop(pool);
        assert_eq!(*calls.lock(), 1);
    });
}

/// A task that is done while a thread begins to wait for it among others is not missed.
#[test]
fn as_completed_misses_nothing() {
    model_bounded(3, POOL, &["condvar waiter notified"], || {
        let pool = ThreadPool::new(1);
        let mut tasks = as_completed([pool.submit(|| 1).unwrap()]);
        assert_eq!(tasks.next().unwrap().join().unwrap(), 1);
        assert!(tasks.next().is_none());
    });
}

/// A timed wait for the first leaves nothing behind that a task would tell.
#[test]
fn timed_wait_for_the_first_ends_one_way_or_the_other() {
    model_bounded(3, POOL, &["done", "timed out"], || {
        let pool = ThreadPool::new(1);
        let tasks = [pool.submit(|| 1).unwrap()];
        match wait_first_for(&tasks, SOON) {
            Some(index) => {
                assert_eq!(index, 0);
                assert!(tasks[0].is_finished());
                reach("done");
            }
            None => reach("timed out"),
        }
    });
}

/// The only thread of a pool joins a task of its own.
#[test]
fn join_inside_a_task_runs_what_is_joined() {
    model_bounded(3, POOL, &["waiter parks"], || {
        let pool = Arc::new(ThreadPool::new(1));
        let own = Arc::clone(&pool);
        let outer = pool.submit(move || own.submit(|| 1).unwrap().join().unwrap()).unwrap();
        assert_eq!(outer.join().unwrap(), 1);
    });
}

/// The only thread of a pool waits for the first of its own tasks.
#[test]
fn wait_for_any_inside_a_task_runs_one() {
    model_bounded(3, POOL, &["waiter parks"], || {
        let pool = Arc::new(ThreadPool::new(1));
        let own = Arc::clone(&pool);
        let outer =
            pool.submit(move || wait_first(&[own.submit(|| ()).unwrap(), own.submit(|| ()).unwrap()]));
        assert_eq!(outer.unwrap().join().unwrap(), Some(0));
    });
}

/// A pool whose last handle is in its own task: no thread joins itself, and everything is run.
#[test]
fn pool_is_dropped_by_its_own_task() {
    model_bounded(3, POOL, &["waiter parks"], || {
        let pool = Arc::new(ThreadPool::new(1));
        let (own, last) = (Arc::clone(&pool), Arc::new(Event::new()));
        let told = Arc::clone(&last);
        drop(pool.submit(move || drop(own)));
        drop(pool.submit(move || told.set()));
        drop(pool);
        last.wait();
    });
}

/// What a task borrows outlives it: the body's frame is not left before the task has.
#[test]
fn scope_waits_for_what_it_lent() {
    model_bounded(3, POOL, &["condvar waiter notified"], || {
        let pool = ThreadPool::new(1);
        let lent = Plain::new(0);
        pool.scope(|s| drop(s.spawn(|| lent.set(1))));
        assert_eq!(lent.get(), 1);
    });
}

/// A scope on the only thread of a pool, from within a task.
#[test]
fn nested_scope_on_one_thread() {
    model_bounded(3, POOL, &["waiter parks"], || {
        let pool = Arc::new(ThreadPool::new(1));
        let own = Arc::clone(&pool);
        let outer = pool
            .submit(move || {
                let lent = Plain::new(0);
                own.scope(|s| drop(s.spawn(|| lent.set(1))));
                lent.get()
            })
            .unwrap();
        assert_eq!(outer.join().unwrap(), 1);
    });
}

/// A shutdown in the middle of a scope: the task is run all the same.
#[test]
fn scope_against_shutdown_runs_everything() {
    model_bounded(3, POOL, &["condvar waiter notified"], || {
        let pool = ThreadPool::new(1);
        let lent = Plain::new(0);
        pool.scope(|s| {
            drop(s.spawn(|| lent.set(1)));
            pool.shutdown(Shutdown::Cancel);
        });
        assert_eq!(lent.get(), 1);
    });
}

/// Joining an open pool: what was submitted before is done.
#[test]
fn join_of_the_pool_waits_for_its_tasks() {
    model_bounded(3, POOL, &["condvar waiter notified"], || {
        let pool = ThreadPool::new(1);
        let shared = Arc::new(Plain::new(0));
        let other = Arc::clone(&shared);
        let task: Task<()> = pool.submit(move || other.set(1)).unwrap();
        pool.join();
        assert!(task.is_finished());
        assert_eq!(shared.get(), 1);
    });
}

/// Stop against an interruptible sleep: it ends early, or it was over.
#[test]
fn stop_ends_a_sleep() {
    model(&["stopped", "slept"], || {
        let shared = Arc::new((StopToken::new(), Plain::new(0)));
        let other = Arc::clone(&shared);
        let sleeper = thread::spawn(move || {
            if other.0.wait_for(SOON) {
                assert_eq!(other.1.get(), 1);
                reach("stopped");
            } else {
                reach("slept");
            }
        });
        shared.1.set(1);
        shared.0.stop();
        sleeper.join().unwrap();
    });
}

/// A worker that is dropped has been told to stop, and has ended.
#[test]
fn dropped_worker_has_stopped() {
    model(&["waiter parks"], || {
        let shared = Arc::new(Plain::new(0));
        let other = Arc::clone(&shared);
        drop(Worker::spawn("worker", move |stop| {
            stop.wait();
            other.set(1);
        }));
        assert_eq!(shared.get(), 1);
    });
}

/// A timed join of a worker: it has ended with all that it did, or it is still alive for all that is known.
#[test]
fn timed_join_of_a_worker() {
    const SPACE: &str = "a helper beside the two threads";
    model_bounded(3, SPACE, &["ended", "timed out", "helper has joined"], || {
        let shared = Arc::new(Plain::new(0));
        let other = Arc::clone(&shared);
        let worker = Worker::spawn("worker", move |_| {
            other.set(1);
            2
        });
        if worker.join_for(SOON) {
            assert!(!worker.is_alive());
            assert_eq!(shared.get(), 1);
            reach("ended");
        } else {
            reach("timed out");
        }
        assert_eq!(worker.join().unwrap(), 2);
    });
}

/// A callback that completes another task, against the pool's thread, which may be about to run either: each
/// callback is called once, and after the one that brought it about.
#[test]
fn callback_that_completes_another_task() {
    model_bounded(3, POOL, &["second cancelled", "second ran"], || {
        patient();
        let pool = ThreadPool::new(1);
        let calls = Arc::new(lockwork::Mutex::new(Vec::new()));
        let (first, second) = (pool.submit(|| ()).unwrap(), pool.submit(|| ()).unwrap());
        let other = Arc::clone(&calls);
        second.on_done(move || other.lock().push(2));
        let other = Arc::clone(&calls);
        first.on_done(move || {
            let cancelled = second.cancel();
            let mut calls = other.lock();
            if cancelled {
                assert!(calls.is_empty());
            }
            calls.push(1);
            reach(if cancelled { "second cancelled" } else { "second ran" });
        });
        first.cancel();
        drop(pool);
        let mut seen = calls.lock().clone();
        seen.sort();
        assert_eq!(seen, [1, 2]);
    });
}
