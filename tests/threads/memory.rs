//! What a task allocates, and what a pool keeps.

use std::sync::Arc;
use std::time::Duration;

use lockwork::{Task, ThreadPool, Worker, as_completed, wait_first_for};

use super::{add_one, counter};
use crate::support::{allocations_during, shown, watchdog};

/// What the process has in memory, in kilobytes, where the system says.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().split(' ').next()?.parse().ok()
}

#[test]
#[cfg_attr(feature = "diagnose", ignore = "what a thread tells of its waits is allocated once")]
fn a_task_is_one_allocation() {
    watchdog(|| {
        let pool = shown(ThreadPool::new(1));
        // The queue has its room before.
        pool.map(0..100, |n| n).for_each(drop);
        for _ in 0..100 {
            let mut task = None;
            assert_eq!(allocations_during(|| task = Some(pool.submit(|| [1_u8; 64]).unwrap())), 1);
            assert_eq!(allocations_during(|| drop(task.take().map(Task::join))), 0);
        }
    });
}

/// In a process of its own: other tests have memory, too. The variable says how many tasks, where they are to
/// be more.
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
    watchdog(move || {
        let pool = shown(ThreadPool::builder().threads(2).queue_capacity(100).build());
        let called = counter();
        let many = |n: usize| {
            for _ in 0..n / 20 {
                // Detached, joined, cancelled, called back, watched, of a map, and of a map that is left half
                // way.
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
            // Whatever their number; of the least, five bytes for each: a word that each of a kind leaves
            // would be seen.
            assert!(grown < 1000, "{grown} kB more after {tasks} tasks");
        }
    });
}
