//! `ThreadPool::scope`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use lockwork::{Event, Shutdown, ThreadPool};

use super::{SHORT, THREADS, counter, message, panics};
use crate::support::{Drops, LIMIT, cases, either, eventually, repeat, rounds, shown, watchdog};

#[test]
fn scope_lends_and_waits() {
    watchdog(|| {
        for threads in cases(THREADS) {
            let pool = shown(ThreadPool::new(threads));
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
    watchdog(|| {
        let pool = shown(ThreadPool::new(2));
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
    watchdog(|| {
        for threads in cases(THREADS) {
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
    watchdog(|| {
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
    watchdog(|| {
        for threads in cases(THREADS) {
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
    watchdog(|| {
        for threads in cases(THREADS) {
            let pool = shown(ThreadPool::new(threads));
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
    watchdog(|| {
        for threads in cases(THREADS) {
            let pool = shown(ThreadPool::new(threads));
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
fn scope_resumes_panics_of_unjoined_tasks() {
    watchdog(|| {
        let pool = shown(ThreadPool::new(2));
        for keep in either("keep ") {
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
    watchdog(|| {
        for threads in cases(THREADS) {
            let pool = shown(ThreadPool::new(threads));
            for round in repeat(200) {
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
    watchdog(|| {
        for threads in cases(THREADS) {
            let pool = shown(ThreadPool::new(threads));
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
    watchdog(|| {
        for threads in cases(THREADS) {
            for how in cases([Shutdown::Drain, Shutdown::Cancel]) {
                let pool = shown(ThreadPool::new(threads));
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

/// A thread of the pool that is idle stays as long as another may spawn what has to be run beside it.
#[test]
fn shutdown_leaves_threads_that_run_scoped_tasks_side_by_side() {
    watchdog(|| {
        for threads in cases([2, 3, 8]) {
            for how in cases([Shutdown::Drain, Shutdown::Cancel]) {
                let pool = shown(ThreadPool::new(threads));
                let (begun, closed) = (Event::new(), Event::new());
                let beside = |_: usize| {
                    let go = shown(Event::new());
                    pool.scope(|s| {
                        s.spawn(|| go.set());
                        go.wait();
                    });
                };
                std::thread::scope(|t| {
                    t.spawn(|| {
                        pool.scope(|s| {
                            s.spawn(|| {
                                begun.set();
                                closed.wait();
                                (0..1000).for_each(beside);
                            });
                        });
                    });
                    begun.wait();
                    pool.shutdown(how);
                    closed.set();
                });
                pool.join();
            }
        }
    });
}

#[test]
fn scope_of_a_task_outlives_a_shutdown() {
    watchdog(|| {
        for threads in cases(THREADS) {
            let pool = shown(ThreadPool::new(threads));
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
    watchdog(|| {
        let pool = ThreadPool::builder().threads(2).queue_capacity(1).build();
        let ran = AtomicUsize::new(0);
        pool.scope(|s| (0..500).for_each(|_| drop(s.spawn(|| ran.fetch_add(1, Relaxed)))));
        assert_eq!(ran.into_inner(), 500);
    });
}
