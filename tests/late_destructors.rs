//! What works in the thread destructors of C libraries, which run when a thread's own thread-local data are
//! gone and `std::thread::current` panics.
//!
//! A panic cannot leave such a destructor: the process would be aborted.

use std::cell::Cell;
use std::env;
use std::ffi::{c_int, c_uint, c_void};
use std::panic;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{
    AutoResetEvent, Barrier, BoundedBuffer, Condvar, Event, Latch, Mutex, RwLock, Semaphore, ThreadCell,
    ThreadPool, Worker,
};

use crate::support::{LIMIT, Sleeper, cases, watchdog};

const SHORT: Duration = Duration::from_millis(10);

unsafe extern "C" {
    fn pthread_key_create(key: *mut c_uint, destructor: Option<extern "C" fn(*mut c_void)>) -> c_int;
    fn pthread_setspecific(key: c_uint, value: *const c_void) -> c_int;
}

/// What a thread does at its very end.
struct Late {
    key: c_uint,
    round: u32,
    body: Box<dyn FnOnce() + Send>,
}

thread_local! {
    /// Gone when the thread's own data are.
    static CANARY: Cell<Option<Box<()>>> = const { Cell::new(None) };
}

fn leave_to_the_end(late: Box<Late>) {
    let key = late.key;
    assert_eq!(unsafe { pthread_setspecific(key, Box::into_raw(late).cast()) }, 0);
}

extern "C" fn end(late: *mut c_void) {
    let mut late = unsafe { Box::from_raw(late.cast::<Late>()) };
    late.round += 1;
    // A key that is set in a destructor has it called once more: `std` cleans up at the end of the first
    // round.
    if late.round < 3 {
        return leave_to_the_end(late);
    }
    assert!(CANARY.try_with(|_| ()).is_err(), "not the end yet");
    (late.body)();
}

/// Runs `body` on a thread of its own, at its very end, and waits for it. `before` runs there first.
fn at_the_end_of_a_thread(before: impl FnOnce() + Send + 'static, body: impl FnOnce() + Send + 'static) {
    let mut key = 0;
    assert_eq!(unsafe { pthread_key_create(&raw mut key, Some(end)) }, 0);
    let (ended, wait) = mpsc::channel();
    let thread = thread::spawn(move || {
        CANARY.set(Some(Box::new(())));
        before();
        let body = Box::new(move || {
            body();
            ended.send(()).unwrap();
        });
        leave_to_the_end(Box::new(Late { key, round: 0, body }));
    });
    wait.recv_timeout(LIMIT).expect("the thread to come to its end");
    thread.join().unwrap();
}

/// A wait, for which the thread needs a handle for the first time.
fn wait_once() {
    assert!(!Event::new().wait_for(Duration::from_micros(1)));
}

/// Runs `wait` at the very end of a thread, and `let_go` when that has gone to sleep in it: for a thread that
/// has waited before in its life, and for one that has not.
fn waits_at_the_end<S: Send + Sync + 'static>(
    name: &'static str,
    make: impl Fn() -> S,
    wait: impl Fn(&S) + Copy + Send + 'static,
    let_go: impl Fn(&S) + Copy + Send + 'static,
) {
    for (before, has_waited) in [(wait_once as fn(), true), (|| (), false)] {
        let shared = Arc::new((Sleeper::new(), make()));
        let (own, other) = (Arc::clone(&shared), Arc::clone(&shared));
        watchdog(move || {
            let mut cases = cases([(name, has_waited)]);
            assert!(cases.next().is_some());
            let helper = thread::spawn(move || {
                other.0.until_asleep();
                let_go(&other.1);
            });
            at_the_end_of_a_thread(before, move || {
                own.0.about_to_block();
                wait(&own.1);
            });
            helper.join().unwrap();
            drop(cases);
        });
    }
}

#[test]
fn events_are_waited_for_at_a_threads_very_end() {
    waits_at_the_end("event", Event::new, Event::wait, Event::set);
    waits_at_the_end("auto-reset event", AutoResetEvent::new, AutoResetEvent::wait, AutoResetEvent::set);
    waits_at_the_end("latch", || Latch::new(1), Latch::wait, Latch::count_down);
    waits_at_the_end(
        "barrier",
        || Barrier::new(2),
        |barrier| _ = barrier.wait(),
        |barrier| _ = barrier.wait(),
    );
    waits_at_the_end("permits", || Semaphore::new(0), |s| s.acquire().forget(), |s| s.add_permits(1));
    let get = |buffer: &BoundedBuffer<u8>| assert_eq!(buffer.get(), Ok(1));
    waits_at_the_end("buffer", || BoundedBuffer::new(1), get, |buffer| buffer.put(1).unwrap());
}

#[test]
fn condvar_is_waited_for_at_a_threads_very_end() {
    waits_at_the_end(
        "condvar",
        || (Mutex::new(false), Condvar::new()),
        |(mutex, condvar)| condvar.wait_while(&mut mutex.lock(), |done| !*done),
        |(mutex, condvar)| {
            *mutex.lock() = true;
            condvar.notify_one();
        },
    );
}

#[test]
fn contended_locks_are_taken_at_a_threads_very_end() {
    // The main thread holds them, and lets go when the other has gone to sleep.
    for before in [wait_once as fn(), || ()] {
        watchdog(move || {
            let shared = Arc::new((Sleeper::new(), Mutex::new(0), RwLock::new(0)));
            let other = Arc::clone(&shared);
            let guards = (shared.1.lock(), shared.2.write());
            thread::scope(|s| {
                s.spawn(move || {
                    at_the_end_of_a_thread(before, move || {
                        other.0.about_to_block();
                        *other.1.lock() += 1;
                        drop(other.2.read());
                        *other.2.write() += 1;
                    });
                });
                shared.0.until_asleep();
                drop(guards);
            });
            assert_eq!((*shared.1.lock(), *shared.2.read()), (1, 1));
        });
    }
}

#[test]
fn writers_wait_for_a_reader_at_a_threads_very_end() {
    let ways: [fn(&Arc<RwLock<()>>); 6] = [
        |lock| drop(lock.write()),
        |lock| assert!(lock.try_write_for(LIMIT).is_some()),
        |lock| drop(lock.upgradable_read().upgrade()),
        |lock| lock.upgradable_read().with_upgraded(|_| ()),
        |lock| drop(lock.upgradable_read_arc().upgrade()),
        |lock| drop(lock.write_arc()),
    ];
    for way in ways {
        watchdog(move || {
            let shared = Arc::new((Sleeper::new(), Arc::new(RwLock::new(()))));
            let other = Arc::clone(&shared);
            let reader = shared.1.read();
            thread::scope(|s| {
                s.spawn(move || {
                    at_the_end_of_a_thread(wait_once, move || {
                        other.0.about_to_block();
                        way(&other.1);
                    });
                });
                shared.0.until_asleep();
                drop(reader);
            });
            assert!(!shared.1.is_locked());
        });
    }
}

#[test]
fn time_limits_are_kept_at_a_threads_very_end() {
    watchdog(|| {
        let mutex = Arc::new(Mutex::new(()));
        let other = Arc::clone(&mutex);
        let guard = mutex.lock();
        at_the_end_of_a_thread(
            || (),
            move || {
                let start = Instant::now();
                assert!(other.try_lock_for(SHORT).is_none());
                assert!(!Event::new().wait_until(Instant::now() + SHORT));
                assert!(start.elapsed() >= 2 * SHORT);
            },
        );
        drop(guard);
    });
}

#[test]
fn pool_and_worker_are_dropped_at_a_threads_very_end() {
    watchdog(|| {
        for before in [wait_once as fn(), || ()] {
            let ran = Arc::new(AtomicUsize::new(0));
            let (pool, drained) = (ThreadPool::new(2), Arc::clone(&ran));
            for _ in 0..100 {
                let ran = Arc::clone(&ran);
                pool.submit(move || ran.fetch_add(1, Relaxed)).unwrap();
            }
            let stopped = Arc::clone(&ran);
            let worker = Worker::spawn("late", move |stop| {
                stop.wait();
                stopped.fetch_add(1000, Relaxed);
            });
            at_the_end_of_a_thread(before, move || {
                let task = pool.submit(|| 1).unwrap();
                assert_eq!(task.join().unwrap(), 1);
                drop(pool);
                drop(worker);
                assert_eq!(drained.load(Relaxed), 1100);
            });
        }
    });
}

/// A whole pool, from its beginning to its end.
#[test]
fn pool_is_made_at_a_threads_very_end() {
    watchdog(|| {
        at_the_end_of_a_thread(wait_once, || {
            let pool = ThreadPool::new(2);
            assert_eq!(pool.scope(|s| s.spawn(|| 1).join().unwrap()), 1);
            let task = pool.submit(|| 2).unwrap();
            task.on_done(|| ());
            assert_eq!(task.join().unwrap(), 2);
            pool.join();
        });
    });
}

/// Says that the process is one that the tests below have started.
const CHILD: &str = "LOCKWORK_TESTS_LATE_CHILD";

/// Runs `test` alone in a process of its own. Returns whether this is not that process.
fn is_parent_of(test: &str) -> bool {
    if env::var_os(CHILD).is_some() {
        return false;
    }
    let mut child = Command::new(env::current_exe().unwrap());
    let output =
        child.args(["--exact", &format!("late_destructors::{test}")]).env(CHILD, "").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{test}: {}: {text}", output.status);
    true
}

/// That there is no handle any more is a panic of `std`'s, whose hook may wait, too.
#[test]
fn panic_hook_at_the_end_may_wait() {
    if is_parent_of("panic_hook_at_the_end_may_wait") {
        return;
    }
    panic::set_hook(Box::new(|_| wait_once()));
    at_the_end_of_a_thread(|| (), wait_once);
}

/// A thread that calls `exit` has its destructors run inside of what called it. Other threads may have been
/// lent a value of the thread.
#[test]
fn value_that_is_lent_outlives_an_exit() {
    struct Lent(Option<i32>);
    impl Drop for Lent {
        fn drop(&mut self) {
            if self.0.is_some() {
                std::process::abort();
            }
        }
    }
    static CELL: ThreadCell<Lent> = ThreadCell::with_init(|| Lent(Some(1)));
    if is_parent_of("value_that_is_lent_outlives_an_exit") {
        return;
    }
    CELL.with(|_| std::process::exit(0));
}
