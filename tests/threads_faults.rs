//! The ends of things in `threads`: of threads with slow destructors, of chains of tasks that complete each other, of
//! bursts; and what takes its items only when asked.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{
    Event, Mutex, ScopedTask, Shutdown, Task, TaskError, TaskId, ThreadPool, Worker, as_completed, wait_all,
};

use crate::support::{Drops, LIMIT, Sleeper, eventually, rounds, watchdog};

const SHORT: Duration = Duration::from_millis(10);

/// Occupies the only thread of a pool until the event is set.
fn occupied() -> (Arc<ThreadPool>, Arc<Event>) {
    let (pool, go) = (Arc::new(ThreadPool::new(1)), Arc::new(Event::new()));
    let (began, own) = (Arc::new(Event::new()), Arc::clone(&go));
    let begins = Arc::clone(&began);
    drop(pool.submit(move || {
        begins.set();
        own.wait();
    }));
    began.wait();
    (pool, go)
}

// --- Threads that take long to end ---------------------------------------------------------------------------------

/// A thread-local value whose destructor takes as long as it is told to.
#[derive(Clone, Default)]
struct Slow {
    began: Arc<Event>,
    go: Arc<Event>,
    ended: Arc<AtomicUsize>,
}

impl Drop for SlowEnd {
    fn drop(&mut self) {
        self.0.began.set();
        self.0.go.wait();
        self.0.ended.fetch_add(1, Relaxed);
    }
}

struct SlowEnd(Slow);

thread_local! {
    static SLOW: RefCell<Option<SlowEnd>> = const { RefCell::new(None) };
}

impl Slow {
    /// Has the calling thread end slowly.
    fn here(&self) {
        SLOW.set(Some(SlowEnd(self.clone())));
    }

    fn ended(&self) -> usize {
        self.ended.load(Relaxed)
    }
}

fn slow_worker() -> (Slow, Worker<u8>) {
    let slow = Slow::default();
    let own = slow.clone();
    let worker = Worker::spawn("slow", move |_| {
        own.here();
        7
    });
    slow.began.wait();
    (slow, worker)
}

fn slow_pool(threads: usize) -> (Slow, ThreadPool) {
    let slow = Slow::default();
    let own = slow.clone();
    let pool = ThreadPool::builder().threads(threads).on_start(move || own.here()).build();
    pool.shutdown(Shutdown::Drain);
    slow.began.wait();
    (slow, pool)
}

#[test]
fn timed_join_of_a_worker_keeps_its_limit_while_destructors_run() {
    watchdog("timed_join_of_a_worker_keeps_its_limit_while_destructors_run", || {
        let (slow, worker) = slow_worker();
        assert!(!worker.is_alive(), "it has nothing left to do");
        assert!(!worker.join_for(Duration::ZERO));
        assert!(!worker.join_for(SHORT));
        assert!(!worker.join_until(Instant::now() + SHORT));
        assert!(!worker.join_until(Instant::now()));
        assert_eq!(slow.ended(), 0);
        slow.go.set();
        assert!(worker.join_for(LIMIT));
        assert_eq!(slow.ended(), 1);
        assert!(worker.join_for(Duration::ZERO), "again");
        assert!(!worker.stop_token().is_stopped());
        let token = worker.stop_token().clone();
        assert_eq!(worker.join().unwrap(), 7);
        assert!(!token.is_stopped(), "a join stops nothing");
    });
}

#[test]
fn worker_that_has_ended_is_found_at_the_first_question() {
    watchdog("worker_that_has_ended_is_found_at_the_first_question", || {
        for timeout in [Duration::from_secs(1), LIMIT, Duration::MAX] {
            let worker = Worker::spawn("quick", |_| ());
            eventually(|| !worker.is_alive());
            assert!(worker.join_for(timeout));
        }
    });
}

/// The destructor wants a lock that the joiner holds.
#[test]
fn timed_join_ends_when_the_destructor_waits_for_the_joiner() {
    watchdog("timed_join_ends_when_the_destructor_waits_for_the_joiner", || {
        struct Locks(Arc<Mutex<u32>>);

        impl Drop for Locks {
            fn drop(&mut self) {
                *self.0.lock() += 1;
            }
        }

        thread_local! {
            static LOCKS: RefCell<Option<Locks>> = const { RefCell::new(None) };
        }

        let mutex = Arc::new(Mutex::new(0));
        let own = Arc::clone(&mutex);
        let guard = mutex.lock();
        let worker = Worker::spawn("locks", move |_| LOCKS.set(Some(Locks(own))));
        assert!(!worker.join_for(SHORT));
        drop(guard);
        worker.join().unwrap();
        assert_eq!(*mutex.lock(), 1);
    });
}

#[test]
fn worker_is_dropped_when_a_timed_join_has_begun_to_wait_for_its_end() {
    watchdog("worker_is_dropped_when_a_timed_join_has_begun_to_wait_for_its_end", || {
        let (slow, worker) = slow_worker();
        assert!(!worker.join_for(SHORT));
        let (sleeper, ended) = (Arc::new(Sleeper::new()), slow.clone());
        let own = Arc::clone(&sleeper);
        let dropper = thread::spawn(move || {
            own.about_to_block();
            drop(worker);
            assert_eq!(ended.ended(), 1);
        });
        sleeper.until_asleep();
        slow.go.set();
        dropper.join().unwrap();
    });
}

#[test]
fn detached_worker_ends_without_a_join() {
    watchdog("detached_worker_ends_without_a_join", || {
        let (slow, worker) = slow_worker();
        assert!(!worker.join_for(SHORT));
        let token = worker.stop_token().clone();
        worker.detach();
        assert!(!token.is_stopped());
        slow.go.set();
        eventually(|| slow.ended() == 1);
    });
}

#[test]
fn timed_join_of_a_pool_keeps_its_limit_while_destructors_run() {
    watchdog("timed_join_of_a_pool_keeps_its_limit_while_destructors_run", || {
        for threads in [1, 2, 3, 5, 8] {
            let (slow, pool) = slow_pool(threads);
            assert!(!pool.join_for(Duration::ZERO));
            assert!(!pool.join_for(SHORT));
            assert!(!pool.join_until(Instant::now() + SHORT));
            slow.go.set();
            assert!(pool.join_for(LIMIT));
            assert_eq!(slow.ended(), threads);
            assert!(pool.join_until(Instant::now()), "again");
        }
    });
}

#[test]
fn all_joiners_of_a_pool_return_when_its_threads_are_gone() {
    watchdog("all_joiners_of_a_pool_return_when_its_threads_are_gone", || {
        for first_has_a_limit in [false, true] {
            for joiners in [1, 2, 3, 5, 8] {
                let (slow, pool) = slow_pool(2);
                let sleepers = Sleeper::several(joiners);
                thread::scope(|s| {
                    for (number, sleeper) in sleepers.iter().enumerate() {
                        let (pool, slow) = (&pool, &slow);
                        s.spawn(move || {
                            sleeper.about_to_block();
                            if (number % 2 == 0) == first_has_a_limit {
                                assert!(pool.join_for(LIMIT));
                            } else {
                                pool.join();
                            }
                            assert_eq!(slow.ended(), 2, "joiner {number}");
                        });
                        sleeper.until_asleep();
                    }
                    assert!(!pool.join_for(SHORT));
                    slow.go.set();
                });
            }
        }
    });
}

#[test]
fn panic_of_on_start_is_kept_for_a_later_join() {
    watchdog("panic_of_on_start_is_kept_for_a_later_join", || {
        let slow = Slow::default();
        let own = slow.clone();
        let pool = ThreadPool::builder()
            .threads(1)
            .on_start(move || {
                own.here();
                panic!("on_start");
            })
            .build();
        slow.began.wait();
        assert!(!pool.join_for(SHORT), "not joined, so there is no panic yet");
        slow.go.set();
        let payload = panic::catch_unwind(AssertUnwindSafe(|| pool.join())).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"on_start"));
        pool.join();
    });
}

// --- Chains --------------------------------------------------------------------------------------------------------

/// Runs `body` on a thread with a small stack.
fn on_a_small_stack(name: &'static str, body: impl FnOnce() + Send + 'static) {
    watchdog(name, || {
        thread::Builder::new().stack_size(2 << 20).spawn(body).unwrap().join().unwrap();
    });
}

fn chain() -> usize {
    rounds(100_000)
}

/// Cancels a task when it is dropped.
struct Cancels(Option<Task<()>>);

impl Drop for Cancels {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            assert!(task.cancel());
            assert!(task.is_finished());
        }
    }
}

#[test]
fn chain_of_callbacks_that_cancel_needs_no_stack() {
    on_a_small_stack("chain_of_callbacks_that_cancel_needs_no_stack", || {
        let (pool, go) = occupied();
        let tasks: Arc<[Task<()>]> = (0..chain()).map(|_| pool.submit(|| unreachable!()).unwrap()).collect();
        let called = Arc::new(AtomicUsize::new(0));
        for number in 0..tasks.len() {
            let (others, called) = (Arc::clone(&tasks), Arc::clone(&called));
            tasks[number].on_done(move || {
                assert_eq!(called.fetch_add(1, Relaxed), number);
                if let Some(next) = others.get(number + 1) {
                    assert!(next.cancel());
                }
            });
        }
        assert!(tasks[0].cancel());
        assert_eq!(called.load(Relaxed), tasks.len(), "before the outermost call returns");
        go.set();
    });
}

#[test]
fn chain_of_dropped_closures_that_cancel_needs_no_stack() {
    on_a_small_stack("chain_of_dropped_closures_that_cancel_needs_no_stack", || {
        for callbacks in [false, true] {
            let (pool, go) = occupied();
            let (drops, called) = (Drops::new(), Arc::new(AtomicUsize::new(0)));
            let mut next = None;
            for _ in 0..chain() {
                let owned = (Cancels(next), drops.value());
                let task = pool.submit(move || drop(owned)).unwrap();
                if callbacks {
                    let called = Arc::clone(&called);
                    task.on_done(move || _ = called.fetch_add(1, Relaxed));
                }
                next = Some(task);
            }
            drop(Cancels(next));
            assert_eq!(drops.count(), chain());
            assert_eq!(called.load(Relaxed), if callbacks { chain() } else { 0 });
            go.set();
        }
    });
}

/// Callbacks and closures in turn: a callback cancels a task whose closure cancels the next.
#[test]
fn chain_of_callbacks_and_closures_needs_no_stack() {
    on_a_small_stack("chain_of_callbacks_and_closures_needs_no_stack", || {
        let (pool, go) = occupied();
        let drops = Drops::new();
        let mut next = None;
        for number in 0..chain() {
            let (cancels, value) = (Cancels(next), drops.value());
            let task = if number % 2 == 0 {
                pool.submit(move || drop((cancels, value))).unwrap()
            } else {
                let task = pool.submit(move || drop(value)).unwrap();
                task.on_done(move || drop(cancels));
                task
            };
            next = Some(task);
        }
        drop(Cancels(next));
        assert_eq!(drops.count(), chain());
        go.set();
    });
}

#[test]
fn chain_of_results_needs_no_stack() {
    struct Link(#[expect(dead_code, reason = "is dropped")] Option<Task<Link>>);

    on_a_small_stack("chain_of_results_needs_no_stack", || {
        for run_first in [false, true] {
            let (pool, go) = occupied();
            let drops = Drops::new();
            let mut last = None;
            for _ in 0..chain() {
                let value = drops.value();
                let next = Link(last);
                last = Some(
                    pool.submit(move || {
                        drop(value);
                        next
                    })
                    .unwrap(),
                );
            }
            if run_first {
                go.set();
                pool.join();
                assert_eq!(drops.count(), chain());
            }
            drop(last);
            go.set();
            pool.join();
            assert_eq!(drops.count(), chain());
        }
    });
}

#[test]
fn chain_of_registrations_needs_no_stack() {
    on_a_small_stack("chain_of_registrations_needs_no_stack", || {
        fn register(task: &Arc<Task<()>>, called: &Arc<AtomicUsize>) {
            let (own, counter) = (Arc::clone(task), Arc::clone(called));
            task.on_done(move || {
                if counter.fetch_add(1, Relaxed) + 1 < chain() {
                    register(&own, &counter);
                }
            });
        }

        let pool = ThreadPool::new(1);
        let (task, called) = (Arc::new(pool.submit(|| ()).unwrap()), Arc::new(AtomicUsize::new(0)));
        pool.join();
        register(&task, &called);
        assert_eq!(called.load(Relaxed), chain());
    });
}

#[test]
fn chain_in_a_scope_needs_no_stack_and_ends_with_it() {
    struct CancelsScoped<'scope>(Option<ScopedTask<'scope, ()>>, &'scope AtomicUsize);

    impl Drop for CancelsScoped<'_> {
        fn drop(&mut self) {
            self.1.fetch_add(1, Relaxed);
            if let Some(task) = &self.0 {
                assert!(task.cancel());
            }
        }
    }

    on_a_small_stack("chain_in_a_scope_needs_no_stack_and_ends_with_it", || {
        let (pool, go) = occupied();
        let dropped = AtomicUsize::new(0);
        pool.scope(|s| {
            let mut next = None;
            for _ in 0..chain() {
                let owned = CancelsScoped(next, &dropped);
                next = Some(s.spawn(move || drop(owned)));
            }
            drop(CancelsScoped(next, &dropped));
            // The scope ends although the pool's thread is busy.
        });
        assert_eq!(dropped.load(Relaxed), chain() + 1);
        go.set();
    });
}

/// A scope and a task that lie above a callback on the stack are outermost calls of their own.
#[test]
fn scope_in_a_callback_and_in_a_destructor_does_not_wait_for_itself() {
    struct Scopes(Arc<ThreadPool>, Arc<AtomicUsize>);

    impl Drop for Scopes {
        fn drop(&mut self) {
            let (ran, dropped) = (AtomicUsize::new(0), Drops::new());
            self.0.scope(|s| {
                let value = dropped.value();
                let task = s.spawn(move || drop(value));
                let _ = task.cancel();
                // Cancelled, unless the pool's thread was faster.
                s.spawn(|| ran.fetch_add(1, Relaxed));
            });
            assert_eq!((ran.into_inner(), dropped.count()), (1, 1));
            self.1.fetch_add(1, Relaxed);
        }
    }

    watchdog("scope_in_a_callback_and_in_a_destructor_does_not_wait_for_itself", || {
        let (pool, go) = occupied();
        let (other, ended) = (Arc::new(ThreadPool::new(1)), Arc::new(AtomicUsize::new(0)));
        let scopes = || Scopes(Arc::clone(&other), Arc::clone(&ended));
        let [in_closure, in_callback] = [scopes(), scopes()];
        let task = pool.submit(move || drop(in_closure)).unwrap();
        task.on_done(move || drop(in_callback));
        assert!(task.cancel());
        assert_eq!(ended.load(Relaxed), 2);
        go.set();
    });
}

#[test]
fn callbacks_run_in_order_and_are_not_nested() {
    watchdog("callbacks_run_in_order_and_are_not_nested", || {
        let (pool, go) = occupied();
        let order = Arc::new(Mutex::new(Vec::new()));
        let note = |what: &'static str| {
            let order = Arc::clone(&order);
            move || order.lock().push(what)
        };
        let task = || Arc::new(pool.submit(|| ()).unwrap());
        let (a, b, c) = (task(), task(), task());
        b.on_done(note("b1"));
        b.on_done({
            let (note, c) = (note("b2"), Arc::clone(&c));
            move || {
                assert!(c.cancel());
                note();
            }
        });
        b.on_done(note("b3"));
        c.on_done(note("c1"));
        a.on_done({
            let (begins, ends, late) = (note("a1 begins"), note("a1 ends"), note("b4"));
            let (b, caller) = (Arc::clone(&b), thread::current().id());
            move || {
                begins();
                assert!(b.cancel() && b.is_finished());
                b.on_done(late);
                assert_eq!(thread::current().id(), caller);
                ends();
            }
        });
        a.on_done(note("a2"));
        assert!(a.cancel());
        let seen = order.lock().clone();
        assert_eq!(seen, ["a1 begins", "a1 ends", "b1", "b2", "c1", "b3", "b4", "a2"]);
        go.set();
    });
}

#[test]
fn panic_of_a_callback_keeps_none_of_those_behind_it() {
    watchdog("panic_of_a_callback_keeps_none_of_those_behind_it", || {
        let (pool, go) = occupied();
        let (first, second) = (pool.submit(|| ()).unwrap(), Arc::new(pool.submit(|| ()).unwrap()));
        let called = Arc::new(AtomicUsize::new(0));
        let count = |called: &Arc<AtomicUsize>| {
            let called = Arc::clone(called);
            move || _ = called.fetch_add(1, Relaxed)
        };
        second.on_done(|| panic!("in the second"));
        second.on_done(count(&called));
        first.on_done({
            let second = Arc::clone(&second);
            move || {
                second.cancel();
                panic!("in the first");
            }
        });
        first.on_done(count(&called));
        assert!(first.cancel());
        assert_eq!(called.load(Relaxed), 2);
        go.set();
    });
}

/// What is cancelled in a callback is done at once, for others and for the callback itself.
#[test]
fn task_cancelled_in_a_callback_can_be_waited_for_there() {
    watchdog("task_cancelled_in_a_callback_can_be_waited_for_there", || {
        let (pool, go) = occupied();
        let second = Arc::new(Mutex::new(vec![pool.submit(|| ()).unwrap()]));
        let other = Arc::clone(&second);
        let (seen, dropped) = (Arc::new(AtomicBool::new(false)), Arc::new(Event::new()));
        let owned = SetsOnDrop(Arc::clone(&dropped));
        let third = pool.submit(move || drop(owned)).unwrap();
        let first = pool.submit(|| ()).unwrap();
        let saw = Arc::clone(&seen);
        first.on_done(move || {
            let tasks = std::mem::take(&mut *other.lock());
            tasks[0].cancel();
            wait_all(&tasks);
            assert!(as_completed(tasks).next().unwrap().join().unwrap_err().is_cancelled());
            assert!(third.cancel());
            assert!(dropped.is_set(), "a callback is no destructor: the closure is gone");
            saw.store(true, Relaxed);
        });
        assert!(first.cancel());
        assert!(seen.load(Relaxed));
        go.set();
    });
}

struct SetsOnDrop(Arc<Event>);

impl Drop for SetsOnDrop {
    fn drop(&mut self) {
        self.0.set();
    }
}

#[test]
fn shutdown_of_a_long_chain_needs_no_stack() {
    on_a_small_stack("shutdown_of_a_long_chain_needs_no_stack", || {
        let (pool, go) = occupied();
        let mut next = None;
        for _ in 0..chain() {
            let cancels = Cancels(next);
            next = Some(pool.submit(move || drop(cancels)).unwrap());
        }
        pool.shutdown(Shutdown::Cancel);
        assert!(next.unwrap().join().unwrap_err().is_cancelled());
        go.set();
    });
}

/// Tasks that own the pool, and whose callbacks cancel others: the last reference goes in one of the pool's own threads.
#[test]
fn chain_in_a_pool_that_its_own_task_drops() {
    watchdog("chain_in_a_pool_that_its_own_task_drops", || {
        let (pool, go) = occupied();
        let drops = Drops::new();
        let mut next = None;
        for _ in 0..chain() {
            let owned = (Cancels(next), Arc::clone(&pool), drops.value());
            next = Some(pool.submit(move || drop(owned)).unwrap());
        }
        let first = Cancels(next);
        drop(pool.submit(move || drop(first)));
        drop(pool);
        go.set();
        eventually(|| drops.count() == chain());
    });
}

// --- map_ahead -----------------------------------------------------------------------------------------------------

/// Counts what was pulled, in the thread that takes; not `Send`.
fn counted(items: impl Iterator<Item = usize>) -> (Rc<Cell<usize>>, impl Iterator<Item = usize>) {
    let pulled = Rc::new(Cell::new(0));
    let counter = Rc::clone(&pulled);
    (pulled, items.inspect(move |_| counter.set(counter.get() + 1)))
}

#[test]
fn map_ahead_pulls_no_more_than_it_may() {
    watchdog("map_ahead_pulls_no_more_than_it_may", || {
        for threads in [1, 2, 3, 8] {
            for ahead in [1, 2, 3, 5, 8] {
                let pool = ThreadPool::new(threads);
                let (pulled, items) = counted(0..);
                let mut results = pool.map_ahead(ahead, items, |n| n * n);
                assert_eq!(pulled.get(), 0, "lazy");
                for n in 0..50 {
                    assert_eq!(results.next(), Some(n * n));
                    assert!(pulled.get() <= n + 1 + ahead, "{} pulled, {} yielded", pulled.get(), n + 1);
                }
                let before = pulled.get();
                drop(results);
                assert_eq!(pulled.get(), before);
            }
        }
    });
}

#[test]
fn map_ahead_works_ahead() {
    watchdog("map_ahead_works_ahead", || {
        // Three calls that wait for each other, on three threads.
        let pool = ThreadPool::new(3);
        let barrier = Arc::new(lockwork::Barrier::new(3));
        let results = pool.map_ahead(3, 0..9, move |n| {
            barrier.wait();
            n
        });
        assert!(results.eq(0..9));
    });
}

#[test]
fn map_ahead_ends_with_its_items_and_asks_no_more() {
    watchdog("map_ahead_ends_with_its_items_and_asks_no_more", || {
        let pool = ThreadPool::new(2);
        for len in 0..6 {
            let mut ended = false;
            let mut left = 0..len;
            let items = std::iter::from_fn(|| {
                assert!(!ended, "asked after the end");
                let next = left.next();
                ended = next.is_none();
                next
            });
            let mut results = pool.map_ahead(3, items, |n| n);
            assert!(results.by_ref().eq(0..len));
            assert_eq!(results.next(), None);
        }
    });
}

#[test]
fn map_ahead_of_nothing_ahead_panics() {
    let pool = ThreadPool::new(1);
    let payload = panic::catch_unwind(AssertUnwindSafe(|| drop(pool.map_ahead(0, 0..3, |n| n)))).unwrap_err();
    let text = payload.downcast_ref::<&str>().expect("a message");
    assert!(text.starts_with("ThreadPool::map_ahead: "), "{text}");
}

#[test]
fn map_ahead_goes_on_after_a_panic() {
    watchdog("map_ahead_goes_on_after_a_panic", || {
        let pool = ThreadPool::new(2);
        let mut results = pool.map_ahead(2, 0..4, |n| if n == 1 { panic!("one") } else { n });
        assert_eq!(results.next(), Some(0));
        let payload = panic::catch_unwind(AssertUnwindSafe(|| results.next())).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"one"));
        assert!(results.eq([2, 3]));
    });
}

#[test]
fn map_ahead_survives_a_panic_of_its_items() {
    watchdog("map_ahead_survives_a_panic_of_its_items", || {
        let pool = ThreadPool::new(2);
        let mut n = 0;
        let items = std::iter::from_fn(move || {
            n += 1;
            if n == 2 { panic!("no item") } else { Some(n) }
        });
        let mut results = pool.map_ahead(2, items, |n| n);
        assert!(panic::catch_unwind(AssertUnwindSafe(|| results.next())).is_err());
        assert_eq!(results.next(), Some(1));
        assert_eq!(results.next(), Some(3));
    });
}

#[test]
fn map_ahead_ends_after_a_shutdown() {
    watchdog("map_ahead_ends_after_a_shutdown", || {
        let pool = ThreadPool::new(2);
        let (pulled, items) = counted(0..);
        let mut results = pool.map_ahead(4, items, |n| n);
        assert_eq!(results.next(), Some(0));
        pool.shutdown(Shutdown::Drain);
        let before = pulled.get();
        assert!(results.by_ref().eq(1..before), "what was submitted is run");
        assert_eq!(pulled.get(), before, "nothing is taken for a pool that takes nothing");
        assert_eq!(results.next(), None);

        let pool = ThreadPool::new(1);
        let (go, own) = (Arc::new(Event::new()), Arc::new(Event::new()));
        let waits = Arc::clone(&go);
        let began = Arc::clone(&own);
        let mut results = pool.map_ahead(3, 0.., move |n| {
            began.set();
            waits.wait();
            n
        });
        assert!(results.next_for(SHORT).is_err());
        own.wait();
        pool.shutdown(Shutdown::Cancel);
        go.set();
        assert_eq!(results.next(), Some(0), "ran already");
        assert_eq!(results.next(), None, "cancelled");
        assert_eq!(results.next(), None);
        drop(pool);
        assert!(results.next_result().is_none());
    });
}

#[test]
fn map_ahead_keeps_its_limit_when_there_is_no_room() {
    watchdog("map_ahead_keeps_its_limit_when_there_is_no_room", || {
        let pool = ThreadPool::builder().threads(1).queue_capacity(1).build();
        let (go, own) = (Arc::new(Event::new()), Arc::new(Event::new()));
        let (waits, began) = (Arc::clone(&go), Arc::clone(&own));
        drop(pool.submit(move || {
            began.set();
            waits.wait();
        }));
        own.wait();
        drop(pool.submit(|| ()).unwrap());
        let (pulled, items) = counted(0..3);
        let mut results = pool.map_ahead(2, items, |n| n);
        for _ in 0..3 {
            assert!(results.next_for(SHORT).is_err());
            assert!(results.next_until(Instant::now()).is_err());
            assert_eq!(pulled.get(), 1, "the item that was taken is kept");
        }
        go.set();
        assert_eq!(results.next_for(LIMIT).unwrap().unwrap().unwrap(), 0);
        assert!(results.eq(1..3));
    });
}

#[test]
fn map_ahead_in_a_thread_of_the_pool_needs_no_other() {
    watchdog("map_ahead_in_a_thread_of_the_pool_needs_no_other", || {
        let pool = Arc::new(ThreadPool::builder().threads(1).queue_capacity(1).build());
        let own = Arc::clone(&pool);
        let sum = pool.submit(move || own.map_ahead(3, 1..=100_u32, |n| n).sum::<u32>()).unwrap();
        assert_eq!(sum.join().unwrap(), 5050);
        eventually(|| Arc::strong_count(&pool) == 1);
    });
}

#[test]
fn dropped_map_ahead_cancels_what_has_not_begun() {
    watchdog("dropped_map_ahead_cancels_what_has_not_begun", || {
        let (pool, go) = occupied();
        let ran = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&ran);
        let mut results = pool.map_ahead(5, 0.., move |_| counter.fetch_add(1, Relaxed));
        assert!(results.next_for(SHORT).is_err());
        assert_eq!(pool.queued(), 5);
        drop(results);
        assert_eq!(pool.queued(), 0);
        go.set();
        pool.join();
        assert_eq!(ran.load(Relaxed), 0);
    });
}

// --- Ids -----------------------------------------------------------------------------------------------------------

#[test]
fn no_two_tasks_have_the_same_id() {
    watchdog("no_two_tasks_have_the_same_id", || {
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
    watchdog("task_that_panicked_is_traced_to_its_input", || {
        let pool = ThreadPool::new(3);
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
