//! `as_completed`, `wait_first`, `wait_all`.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{
    Barrier, Event, Task, TaskError, ThreadPool, UnfinishedError, as_completed, wait_all, wait_all_for,
    wait_all_until, wait_first, wait_first_for, wait_first_until,
};

use super::{SHORT, THREADS, add_one, counter, occupy};
use crate::support::{LIMIT, Sleeper, cases, rounds, shown, watchdog};

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
    watchdog(|| {
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
        for index in cases([3, 0]) {
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
    watchdog(|| {
        for threads in cases(THREADS) {
            let pool = shown(ThreadPool::new(threads));
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
    watchdog(|| {
        let (pool, ran) = (ThreadPool::new(1), counter());
        let (go, _busy) = occupy(&pool);
        let tasks: Vec<_> = (0..5).map(|_| pool.submit(add_one(&ran)).unwrap()).collect();
        drop(as_completed(tasks));
        go.set();
        pool.join();
        assert_eq!(ran.load(Relaxed), 5);
    });
}

/// A task is done before it notifies the waits for several. One whose time is up in between finds it done.
#[test]
fn time_limit_hides_no_task_that_was_done_before() {
    type Timed = fn(&[Task<usize>], Instant) -> bool;
    const JOINERS: usize = 12;

    watchdog(|| {
        for round in 0..rounds(400) {
            let (_pool, events, tasks) = told(1);
            let ready = shown(Barrier::new(JOINERS + 3));
            let deadline = Instant::now() + Duration::from_millis(5);
            let (tasks, ready) = (&tasks, &ready);
            let ended = |wait: fn(&[Task<usize>])| {
                ready.wait();
                wait(tasks);
                Instant::now()
            };
            let (done, found) = thread::scope(|s| {
                // To wake them takes the completer a while.
                let joiners: Vec<_> = (0..JOINERS).map(|_| s.spawn(|| ended(wait_all))).collect();
                let timed: [Timed; 2] =
                    [|tasks, deadline| wait_first_until(tasks, deadline).is_some(), wait_all_until];
                let timed = timed.map(|wait| {
                    s.spawn(move || {
                        ready.wait();
                        wait(tasks, deadline)
                    })
                });
                ready.wait();
                let before = Duration::from_micros(40 * (round as u64 % 16));
                while Instant::now() + before < deadline {
                    thread::yield_now();
                }
                events[0].set();
                let done = joiners.into_iter().map(|joiner| joiner.join().unwrap()).min().unwrap();
                (done, timed.map(|timed| timed.join().unwrap()))
            });
            assert!(done >= deadline || found == [true; 2], "{round}: done in time, {found:?}");
        }
    });
}

// CPython: WaitTests.
#[test]
fn wait_first_and_all_say_what_is_done() {
    watchdog(|| {
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
