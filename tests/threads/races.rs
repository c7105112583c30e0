//! Everything at once, and random graphs of tasks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use lockwork::{Shutdown, Task, TaskError, ThreadPool, as_completed};
use proptest::prelude::*;

use super::{THREADS, add_one, counter, panics};
use crate::random::programs;
use crate::support::{Drops, cases, repeat, shown, watchdog};

/// Submitters, cancellers, panics, time-outs and a shutdown at once: no closure and no result is left over.
#[test]
fn everything_at_once_leaves_nothing_behind() {
    const EACH: usize = 40;
    watchdog(|| {
        for threads in cases(THREADS) {
            for round in repeat(60) {
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
    watchdog(|| {
        for threads in cases(THREADS) {
            for round in repeat(60) {
                let pool = shown(ThreadPool::new(threads));
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
    fn note<T>(&self, result: Result<T, TaskError>) {
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
            Care::Join => children().into_iter().for_each(|task| self.note(task.join())),
            Care::Detach => drop(children()),
            Care::Cancel => {
                let tasks = children();
                let cancelled: Vec<_> = tasks.iter().map(Task::cancel).collect();
                for (task, cancelled) in tasks.into_iter().zip(cancelled) {
                    let result = task.join();
                    assert_eq!(cancelled, matches!(result, Err(TaskError::Cancelled)));
                    self.note(result);
                }
            }
            Care::AsCompleted => as_completed(children()).for_each(|task| self.note(task.join())),
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
    #![proptest_config(programs(200))]

    #[test]
    fn each_task_of_a_graph_runs_once_or_is_cancelled(
        nodes in prop::collection::vec(node(), 1..40),
        threads in prop::sample::select(THREADS.as_slice()),
        capacity in prop::option::of(1..5_usize),
        end in prop::option::of((0..2000_usize, prop::sample::select(&[Shutdown::Drain, Shutdown::Cancel][..]))),
    ) {
        watchdog(move || {
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
            graph.note(root.join());
            pool.join();
            // What a task was given goes before the task is done, and with the pool idle, all are.
            let load = |count: &AtomicUsize| count.load(Relaxed);
            assert_eq!(load(&graph.submitted), load(&graph.ran) + load(&graph.not_run));
            assert!(load(&graph.cancelled) <= load(&graph.not_run));
            assert_eq!(Arc::strong_count(&graph), 1);
        });
    }
}
