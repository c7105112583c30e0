//! Tasks that complete each other, in constant stack.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;

use lockwork::{
    Event, Mutex, ScopedTask, Shutdown, StopGuard, StopSource, Task, ThreadPool, Worker, as_completed,
    wait_all,
};

use super::occupied;
use crate::support::{Drops, LIMIT, cases, either, eventually, rounds, shown, watchdog};

/// Runs `body` on a thread with a small stack.
fn on_a_small_stack(body: impl FnOnce() + Send + 'static) {
    watchdog(|| {
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
    on_a_small_stack(|| {
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
    on_a_small_stack(|| {
        for callbacks in either("callbacks ") {
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
    on_a_small_stack(|| {
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

    on_a_small_stack(|| {
        for run_first in either("run_first ") {
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
    on_a_small_stack(|| {
        fn register(task: &Arc<Task<()>>, called: &Arc<AtomicUsize>) {
            let (own, counter) = (Arc::clone(task), Arc::clone(called));
            task.on_done(move || {
                if counter.fetch_add(1, Relaxed) + 1 < chain() {
                    register(&own, &counter);
                }
            });
        }

        let pool = shown(ThreadPool::new(1));
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

    on_a_small_stack(|| {
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

    watchdog(|| {
        let (pool, go) = occupied();
        let (other, ended) = (shown(ThreadPool::new(1)), Arc::new(AtomicUsize::new(0)));
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
    watchdog(|| {
        let (pool, go) = occupied();
        let order = shown(Mutex::new(Vec::new()));
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
    watchdog(|| {
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
    watchdog(|| {
        let (pool, go) = occupied();
        let second = shown(Mutex::new(vec![pool.submit(|| ()).unwrap()]));
        let other = Arc::clone(&second);
        let (seen, dropped) = (Arc::new(AtomicBool::new(false)), shown(Event::new()));
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

/// In a destructor, callbacks wait for the end of the outermost drop, also one for a task that is done.
#[test]
fn callbacks_brought_about_by_a_destructor_run_after_it() {
    type Order = Arc<Mutex<Vec<&'static str>>>;

    struct Brings {
        queued: Task<()>,
        done: Task<()>,
        pool: Arc<ThreadPool>,
        order: Order,
    }

    impl Drop for Brings {
        fn drop(&mut self) {
            let own = Arc::clone(&self.order);
            self.order.lock().push("begins");
            assert!(self.queued.cancel() && self.queued.is_finished());
            self.pool.shutdown(Shutdown::Cancel);
            assert!(self.done.is_finished());
            self.done.on_done(move || own.lock().push("registered"));
            self.order.lock().push("ends");
        }
    }

    watchdog(|| {
        for of_a_result in either("of a result ") {
            let ((pool, go), (other, others_go)) = (occupied(), occupied());
            let order = Order::default();
            let note = |task: &Task<()>, what| {
                let order = Arc::clone(&order);
                task.on_done(move || order.lock().push(what));
            };
            let [queued, done] = [0, 1].map(|_| pool.submit(|| ()).unwrap());
            assert!(done.cancel());
            note(&queued, "cancelled");
            let shut = other.submit(|| ()).unwrap();
            note(&shut, "shut down");
            let brings = Brings { queued, done, pool: Arc::clone(&other), order: Arc::clone(&order) };
            if of_a_result {
                let third = shown(ThreadPool::new(1));
                let task = third.submit(|| brings).unwrap();
                third.join();
                drop(task);
            } else {
                let task = pool.submit(|| drop(brings)).unwrap();
                assert!(task.cancel());
            }
            assert_eq!(*order.lock(), ["begins", "ends", "cancelled", "shut down", "registered"]);
            go.set();
            others_go.set();
        }
    });
}

/// More levels than stops are nested before they are put off.
#[test]
fn workers_dropped_in_callbacks_of_each_other_all_end() {
    fn end((worker, guard): (Worker, StopGuard), how: &str) {
        match how {
            "dropped" => drop(worker),
            "stopped and dropped" => {
                worker.stop();
                drop(worker);
            }
            "stopped and joined" => {
                worker.stop();
                worker.join().unwrap();
            }
            _ => {
                worker.stop();
                assert!(worker.join_for(LIMIT));
            }
        }
        drop(guard);
    }

    watchdog(|| {
        for by_a_source in either("by a source ") {
            for how in cases(["dropped", "stopped and dropped", "stopped and joined", "joined in time"]) {
                let mut next = None;
                for _ in 0..40 {
                    let gate = shown(Event::new());
                    let (own, source) = (Arc::clone(&gate), StopSource::new());
                    // A guard that goes before a stop that is put off would take the callback back.
                    mem::forget(source.token().on_stop(move || own.set()));
                    let own = Arc::clone(&gate);
                    let worker = Worker::spawn("level", move |_| own.wait());
                    let guard = worker.stop_token().on_stop(move || {
                        if let Some(next) = next {
                            end(next, how);
                        }
                        if by_a_source {
                            source.stop();
                        } else {
                            gate.set();
                        }
                    });
                    next = Some((worker, guard));
                }
                end(next.unwrap(), how);
            }
        }
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
    on_a_small_stack(|| {
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

/// Tasks that own the pool, and whose closures cancel others: the last reference goes in one of the pool's
/// own threads.
#[test]
fn chain_in_a_pool_that_its_own_task_drops() {
    watchdog(|| {
        let pool = Arc::new(ThreadPool::new(1));
        let (first, go) = (Arc::new(Mutex::new(Cancels(None))), Event::new());
        let (cancels, go) = (Arc::clone(&first), Arc::new(go));
        let own = Arc::clone(&go);
        drop(pool.submit(move || {
            own.wait();
            drop(cancels.replace(Cancels(None)));
        }));
        let drops = Drops::new();
        let mut next = None;
        for _ in 0..chain() {
            let owned = (Cancels(next), Arc::clone(&pool), drops.value());
            let task = pool.submit(move || {
                drop(owned);
                unreachable!("cancelled before it runs")
            });
            next = Some(task.unwrap());
        }
        first.set(Cancels(next));
        drop(pool);
        go.set();
        eventually(|| drops.count() == chain());
    });
}
