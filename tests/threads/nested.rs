//! Tasks that wait for tasks of their own pool.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use lockwork::{
    Event, First1, First2, Task, ThreadPool, as_completed, wait_all, wait_all_for, wait_any, wait_any_for,
    wait_first, wait_first_for,
};

use super::{SHORT, THREADS, occupy};
use crate::support::{Sleeper, cases, either, shown, watchdog};

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
    watchdog(|| {
        for threads in cases(THREADS) {
            let pool = shown(ThreadPool::new(threads));
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
    watchdog(|| {
        for threads in cases(THREADS) {
            let pool = shown(ThreadPool::builder().threads(threads).queue_capacity(2).build());
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

type FirstOf = fn([Task<()>; 2]) -> usize;

/// The ways to wait for the first of two tasks. Each returns which it was.
const FIRST_OF: [FirstOf; 4] = [
    |tasks| wait_first(&tasks).unwrap(),
    |tasks| wait_first_for(&tasks, Duration::MAX).unwrap(),
    |tasks| {
        let ids = [tasks[0].id(), tasks[1].id()];
        let first = as_completed(tasks).next().unwrap().id();
        ids.iter().position(|id| *id == first).unwrap()
    },
    |tasks| match wait_any((&Event::new(), &tasks[0], &tasks[1])).index() {
        0 => unreachable!("it is not set"),
        place => place - 1,
    },
];

/// One of the tasks waits for what comes after the wait: it must not lie above it on the same stack.
#[test]
fn wait_for_any_leaves_tasks_to_threads_that_are_free() {
    watchdog(|| {
        for slow_is_first in either("slow is first ") {
            for form in cases(0..FIRST_OF.len()) {
                let pool = shown(ThreadPool::new(3));
                let own = Arc::clone(&pool);
                let task = pool.submit(move || {
                    let go = shown(Event::new());
                    let until = Arc::clone(&go);
                    let slow = || own.submit(move || until.wait()).unwrap();
                    let fast = || own.submit(|| ()).unwrap();
                    let (tasks, expected) = if slow_is_first {
                        ([slow(), fast()], 1)
                    } else {
                        let fast = fast();
                        ([fast, slow()], 0)
                    };
                    let first = FIRST_OF[form](tasks);
                    go.set();
                    assert_eq!(first, expected);
                });
                task.unwrap().join().unwrap();
            }
        }
    });
}

/// Of two tasks a thread that is free is sure to begin the first, and the second is run here.
#[test]
fn wait_for_any_runs_what_free_threads_may_not_come_to() {
    watchdog(|| {
        for form in cases(0..FIRST_OF.len()) {
            let pool = shown(ThreadPool::new(2));
            let own = Arc::clone(&pool);
            let task = pool.submit(move || {
                let go = shown(Event::new());
                let until = Arc::clone(&go);
                let slow = own.submit(move || until.wait()).unwrap();
                let here = thread::current().id();
                let fast = own.submit(move || assert_eq!(thread::current().id(), here)).unwrap();
                assert_eq!(FIRST_OF[form]([slow, fast]), 1);
                go.set();
            });
            task.unwrap().join().unwrap();
        }
    });
}

/// Without a thread that is free, the first that has not begun is run here, to its end.
#[test]
fn wait_for_any_runs_the_first_where_no_thread_is_free() {
    watchdog(|| {
        for threads in cases([1, 3]) {
            for form in cases(0..FIRST_OF.len()) {
                let pool = shown(ThreadPool::new(threads));
                let busy: Vec<_> = (1..threads).map(|_| occupy(&pool)).collect();
                let own = Arc::clone(&pool);
                let task = pool.submit(move || {
                    let here = thread::current().id();
                    let make = || own.submit(move || assert_eq!(thread::current().id(), here)).unwrap();
                    assert_eq!(FIRST_OF[form]([make(), make()]), 0);
                });
                task.unwrap().join().unwrap();
                busy.iter().for_each(|(go, _)| go.set());
            }
        }
    });
}

/// A task that is the only one to be waited for is needed: it is run here, as by a join.
#[test]
fn wait_for_any_of_one_runs_it() {
    watchdog(|| {
        let pool = shown(ThreadPool::new(1));
        let own = Arc::clone(&pool);
        let task = pool.submit(move || {
            let make = || own.submit(|| ()).unwrap();
            assert_eq!(wait_first(&[make()]), Some(0));
            assert_eq!(wait_any((&make(),)), First1::First(()));
            assert_eq!(as_completed([make()]).count(), 1);
            assert_eq!(wait_any((&Event::new(), &make())), First2::Second(()));
        });
        task.unwrap().join().unwrap();
    });
}

fn tree(pool: &Arc<ThreadPool>, depth: usize, form: usize) {
    if depth > 0 {
        let make = || {
            let own = Arc::clone(pool);
            pool.submit(move || tree(&own, depth - 1, form)).unwrap()
        };
        FIRST_OF[form]([make(), make()]);
    }
}

#[test]
fn waits_for_any_nest() {
    watchdog(|| {
        for threads in cases([1, 2, 4]) {
            for form in cases(0..FIRST_OF.len()) {
                let pool = shown(ThreadPool::new(threads));
                let own = Arc::clone(&pool);
                pool.submit(move || tree(&own, 6, form)).unwrap().join().unwrap();
                pool.join();
            }
        }
    });
}

#[test]
fn waits_without_limit_are_no_timed_waits() {
    watchdog(|| {
        let pool = shown(ThreadPool::new(1));
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

/// A century or more is no limit, whether or not the clock could tell its end.
#[test]
fn waits_of_centuries_are_no_timed_waits() {
    watchdog(|| {
        for limit in [100 * 365 * 24 * 60 * 60, u64::MAX / 4, u64::MAX].map(Duration::from_secs) {
            let pool = shown(ThreadPool::new(1));
            let own = Arc::clone(&pool);
            let task = pool.submit(move || {
                let make = || [0, 1].map(|n| own.submit(move || n).unwrap());
                let [one, other] = make();
                assert_eq!(one.join_for(limit).unwrap().unwrap(), 0);
                drop(other);
                assert!(wait_first_for(&make(), limit).is_some());
                assert!(wait_all_for(&make(), limit));
                assert!(as_completed(make()).next_for(limit).unwrap().is_some());
                assert!(own.map(0..3, |n| n).next_for(limit).unwrap().is_some());
                assert!(own.map_ahead(2, 0..3, |n| n).next_for(limit).unwrap().is_some());
                let [one, other] = make();
                drop(one);
                assert_eq!(wait_any_for((&other,), limit), Some(First1::First(())));
                own.scope(|s| s.spawn(|| 1).join_for(limit).unwrap().unwrap())
            });
            assert_eq!(task.unwrap().join().unwrap(), 1);
        }
    });
}

#[test]
fn timed_waits_of_tasks_run_nothing() {
    watchdog(|| {
        let pool = shown(ThreadPool::new(1));
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
    watchdog(|| {
        let (ours, theirs) = (ThreadPool::new(1), shown(ThreadPool::builder().threads(1).name("b").build()));
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
