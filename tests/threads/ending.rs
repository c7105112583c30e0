//! Threads that take long to end.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{Event, Mutex, Shutdown, ThreadPool, Worker};

use super::SHORT;
use crate::support::{LIMIT, Sleeper, cases, either, eventually, shown, watchdog};

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
    watchdog(|| {
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
    watchdog(|| {
        for timeout in cases([Duration::from_secs(1), LIMIT, Duration::MAX]) {
            let worker = Worker::spawn("quick", |_| ());
            eventually(|| !worker.is_alive());
            assert!(worker.join_for(timeout));
        }
    });
}

/// The destructor wants a lock that the joiner holds.
#[test]
fn timed_join_ends_when_the_destructor_waits_for_the_joiner() {
    watchdog(|| {
        struct Locks(Arc<Mutex<u32>>);

        impl Drop for Locks {
            fn drop(&mut self) {
                *self.0.lock() += 1;
            }
        }

        thread_local! {
            static LOCKS: RefCell<Option<Locks>> = const { RefCell::new(None) };
        }

        let mutex = shown(Mutex::new(0));
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
    watchdog(|| {
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
    watchdog(|| {
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
    watchdog(|| {
        for threads in cases([1, 2, 3, 5, 8]) {
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
    watchdog(|| {
        for first_has_a_limit in either("first_has_a_limit ") {
            for joiners in cases([1, 2, 3, 5, 8]) {
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
    watchdog(|| {
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
