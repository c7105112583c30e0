//! Planted hangs of tasks, pools and workers, and of stop guards.

use std::sync::Arc;
use std::time::Duration;

use lockwork::diagnose::Kind;
use lockwork::{
    Event, Shutdown, StopSource, Task, ThreadPool, Worker, as_completed, wait_all, wait_all_for, wait_first,
};

use crate::stalls::{check, stall};
use crate::support::{eventually, watchdog};
use crate::{session, state_of};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn joins_say_which_thread_runs() {
    watchdog(|| {
        let (_session, _reports) = session(None, |_| ());
        let go = Arc::new(Event::new());
        let pool = ThreadPool::builder().threads(1).name("tasks").build();
        let task = pool
            .submit({
                let go = Arc::clone(&go);
                move || go.wait()
            })
            .unwrap();
        let found = stall("task joiner", || task.join().unwrap(), || go.set());
        check(&found, "Task::join", None);
        assert!(
            found.holders[0].thread.name.as_deref().is_some_and(|name| name.starts_with("tasks")),
            "{found}"
        );
        go.clear();
        pool.submit({
            let go = Arc::clone(&go);
            move || go.wait()
        })
        .unwrap();
        let found = stall("pool joiner", || pool.join(), || go.set());
        check(&found, "ThreadPool::join", None);
        assert!(!found.holders.is_empty(), "{found}");
        let worker = Worker::spawn("a worker", |stop| stop.wait());
        let stop = worker.stop_token().clone();
        let found = stall("worker joiner", || worker.join().unwrap(), || _ = stop.stop());
        check(&found, "Worker::join", None);
        assert_eq!(found.holders[0].thread.name.as_deref(), Some("a worker"), "{found}");
    });
}

/// A pool of one thread whose tasks wait until the event is set.
struct Blocked {
    pool: ThreadPool,
    go: Arc<Event>,
}

impl Blocked {
    fn new(name: &str) -> Self {
        let pool = ThreadPool::builder().threads(1).queue_capacity(1).name(name).build();
        Self { pool, go: Arc::new(Event::new()) }
    }

    fn task(&self) -> impl FnOnce() + Send + use<> {
        let go = Arc::clone(&self.go);
        move || go.wait()
    }

    /// A task that runs.
    fn running(&self) -> Task<()> {
        let task = self.pool.submit(self.task()).unwrap();
        eventually(|| self.pool.queued() == 0);
        task
    }
}

#[test]
fn full_pool_is_reported() {
    watchdog(|| {
        let blocked = Blocked::new("full");
        let _tasks = (blocked.running(), blocked.pool.submit(blocked.task()).unwrap());
        let submit = || drop(blocked.pool.submit(blocked.task()).unwrap());
        let found = stall("submits", submit, || blocked.go.set());
        check(&found, "ThreadPool::submit", None);
        blocked.pool.join();
        blocked.go.clear();
        let _tasks = (blocked.running(), blocked.pool.submit(blocked.task()).unwrap());
        let submit = || _ = blocked.pool.submit_for(blocked.task(), MINUTE);
        let found = stall("submits in time", submit, || blocked.go.set());
        check(&found, "ThreadPool::submit", None);
        assert!(found.wait.until.is_some(), "{found}");
        blocked.pool.shutdown(Shutdown::Drain);
    });
}

#[test]
fn sets_of_tasks_are_reported() {
    watchdog(|| {
        let blocked = Blocked::new("awaited");
        let (pool, go) = (&blocked.pool, &blocked.go);
        let tasks = [blocked.running()];
        check(&stall("waits for all", || wait_all(&tasks), || go.set()), "Task::join", None);
        go.clear();
        let (_session, _reports) = session(None, |_| ());
        let tasks = [blocked.running()];
        let found = stall("waits for all in time", || _ = wait_all_for(&tasks, MINUTE), || go.set());
        check(&found, "Task::join", None);
        assert_eq!(found.holders.len(), 1, "of a single one: {found}");
        go.clear();
        let tasks = [blocked.running()];
        let found = stall("waits for the first", || _ = wait_first(&tasks), || go.set());
        check(&found, "wait_first", None);
        assert_eq!(found.holders.len(), 1, "of a single one: {found}");
        go.clear();
        let tasks = [blocked.running(), pool.submit(blocked.task()).unwrap()];
        let found = stall("waits for both in time", || _ = wait_all_for(&tasks, MINUTE), || go.set());
        check(&found, "wait_all", None);
        go.clear();
        let tasks = [blocked.running(), pool.submit(blocked.task()).unwrap()];
        let found = stall("waits for the first of two", || _ = wait_first(&tasks), || go.set());
        check(&found, "wait_first", None);
        pool.join();
        go.clear();
        let mut tasks = as_completed([blocked.running()]);
        let found = stall("takes as completed", || _ = tasks.next(), || go.set());
        check(&found, "AsCompleted::next", None);
        go.clear();
        let run = blocked.task();
        let mut mapped = pool.map_ahead(1, [run], |run| run());
        check(&stall("maps", || _ = mapped.next(), || go.set()), "Task::join", None);
        go.clear();
        let run = blocked.task();
        let mut mapped = pool.map_ahead(1, [run], |run| run());
        check(&stall("maps in time", || _ = mapped.next_for(MINUTE), || go.set()), "Task::join", None);
        go.clear();
        let tasks = [(); 3].map(|()| blocked.task());
        let mut mapped = pool.map_ahead(3, tasks, |run| run());
        let found = stall("maps too many ahead", || _ = mapped.next(), || go.set());
        check(&found, "ThreadPool::submit", None);
        drop(mapped);
        pool.join();
        go.clear();
        let mut mapped = pool.map([blocked.task()], |run| run());
        check(&stall("maps all in time", || _ = mapped.next_for(MINUTE), || go.set()), "Task::join", None);
        go.clear();
        let tasks = [(); 3].map(|()| blocked.task());
        check(
            &stall("maps too many", || drop(pool.map(tasks, |run| run())), || go.set()),
            "ThreadPool::submit",
            None,
        );
    });
}

/// The wait at a scope's end is the scope's, and those who run its tasks are what it waits for.
#[test]
fn scope_is_reported() {
    watchdog(|| {
        let (_session, _reports) = session(None, |_| ());
        let blocked = Blocked::new("scoped");
        let scope = || {
            blocked.pool.scope(|s| {
                s.spawn(blocked.task());
                eventually(|| blocked.pool.queued() == 0);
            });
        };
        let found = stall("opens a scope", scope, || blocked.go.set());
        check(&found, "ThreadPool::scope", None);
        assert_eq!(found.holders.len(), 1, "{found}");
        assert!(
            found.holders[0].thread.name.as_deref().is_some_and(|name| name.starts_with("scoped")),
            "{found}"
        );
        blocked.go.clear();
        let scope = || {
            blocked.pool.scope(|s| {
                let task = s.spawn(blocked.task());
                eventually(|| blocked.pool.queued() == 0);
                _ = task.join_for(MINUTE);
            });
        };
        check(&stall("joins in a scope", scope, || blocked.go.set()), "Task::join", None);
        blocked.go.clear();
        let scope = || {
            blocked.pool.scope(|s| {
                for _ in 0..3 {
                    s.spawn(blocked.task());
                }
            });
        };
        let found = stall("spawns too many", scope, || blocked.go.set());
        check(&found, "ThreadPool::submit", None);
    });
}

#[test]
fn dropped_stop_guard_is_reported() {
    watchdog(|| {
        let (_session, _reports) = session(None, |_| ());
        let (source, begun, go) = (StopSource::new(), Arc::new(Event::new()), Arc::new(Event::new()));
        let line = line!() + 1;
        let guard = source.token().on_stop({
            let (begun, go) = (Arc::clone(&begun), Arc::clone(&go));
            move || {
                begun.set();
                go.wait();
            }
        });
        std::thread::scope(|s| {
            crate::spawn(s, "stops", || source.stop());
            begun.wait();
            let found = stall("drops a guard", || drop(guard), || go.set());
            check(&found, "StopGuard::drop", None);
            assert_eq!(found.wait.place.line(), line, "{found}");
            assert_eq!(found.holders[0].thread.name.as_deref(), Some("stops"), "{found}");
            assert!(found.to_string().contains("run by thread \"stops\""), "{found}");
        });
    });
}

/// A wait in the drop of a worker or a pool has no place of the caller's, see the guide.
#[test]
fn dropped_worker_and_pool_are_reported() {
    watchdog(|| {
        let (_session, _reports) = session(None, |_| ());
        let go = Arc::new(Event::new());
        let worker = Worker::spawn("runs on", {
            let go = Arc::clone(&go);
            move |_| go.wait()
        });
        let found = stall("drops a worker", || drop(worker), || go.set());
        assert_eq!(found.wait.call(), "Worker::join", "{found}");
        assert!(found.wait.place.file().ends_with("worker.rs"), "{found}");
        assert_eq!(found.holders[0].thread.name.as_deref(), Some("runs on"), "{found}");

        let blocked = Blocked::new("drained");
        let task = blocked.running();
        let Blocked { pool, go } = blocked;
        let found = stall("drops a pool", || drop(pool), || go.set());
        assert_eq!(found.wait.call(), "ThreadPool::join", "{found}");
        assert!(
            found.holders[0].thread.name.as_deref().is_some_and(|name| name.starts_with("drained")),
            "{found}"
        );
        task.join().unwrap();
    });
}

/// The threads of a pool that does nothing are not told of, and wait for a task.
#[test]
fn idle_thread_waits_for_a_task() {
    watchdog(|| {
        let pool = ThreadPool::builder().threads(1).name("idles").build();
        let mut text = String::new();
        eventually(|| {
            let threads = lockwork::diagnose::snapshot().threads;
            let idle = |name: &str| name.starts_with("idles");
            let thread = threads.iter().find(|thread| thread.name.as_deref().is_some_and(idle));
            text =
                thread.and_then(|thread| thread.waits.as_ref()).map(|wait| wait.call()).unwrap_or_default();
            !text.is_empty()
        });
        assert_eq!(text, "a pool's thread, for a task");
        drop(pool);
        eventually(|| state_of("idles").is_none());
    });
}

/// What joins a task does not wait for its callbacks.
#[test]
fn task_is_over_before_its_callbacks() {
    watchdog(|| {
        let (_session, _reports) = session(None, |_| ());
        let blocked = Blocked::new("calls back");
        let task = blocked.running();
        let (found, held) = std::sync::mpsc::channel();
        task.on_done(move || {
            let own = std::thread::current();
            let holds = state_of(own.name().unwrap()).map(|thread| thread.holds).unwrap_or_default();
            found.send(holds.iter().map(|hold| hold.kind).collect::<Vec<_>>()).unwrap();
        });
        blocked.go.set();
        assert!(!held.recv().unwrap().contains(&Kind::Task));
    });
}
