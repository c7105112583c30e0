//! Panics of tasks, of destructors and of `on_start`.

use std::panic;
use std::sync::Arc;

use lockwork::{Event, Shutdown, ThreadPool};

use super::{Bomb, THREADS, message, occupy, panics};
use crate::support::{cases, either, shown, watchdog};

#[test]
fn panic_is_carried_to_the_joiner_and_spares_the_thread() {
    watchdog(|| {
        for threads in cases(THREADS) {
            let pool = shown(ThreadPool::new(threads));
            for _ in 0..2 * threads {
                let task = pool.submit(|| -> u32 { panic!("of the task") }).unwrap();
                let error = task.join().unwrap_err();
                assert!(error.is_panicked() && !error.is_cancelled());
                assert_eq!(error.to_string(), "the task panicked: of the task");
                assert_eq!(format!("{error:?}"), "Panicked(\"of the task\")");
                assert_eq!(message(error), "of the task");
            }
            let error = pool.submit(|| panic::panic_any(7_u8)).unwrap().join().unwrap_err();
            assert_eq!(error.to_string(), "the task panicked");
            assert_eq!(*error.into_panic().unwrap().downcast::<u8>().unwrap(), 7);
            assert_eq!(pool.submit(|| 1).unwrap().join().unwrap(), 1);
        }
    });
}

#[test]
fn panics_of_destructors_do_not_kill_threads() {
    watchdog(|| {
        let pool = shown(ThreadPool::new(1));
        // A result that is not taken, a payload that is not taken, a closure that is cancelled, a callback's
        // payload.
        for late in either("late ") {
            let (fine, bad) =
                (pool.submit(|| Bomb).unwrap(), pool.submit(|| panic::panic_any(Bomb)).unwrap());
            if late {
                pool.join();
            }
            drop((fine, bad));
        }
        pool.join();
        let (go, busy) = occupy(&pool);
        let bomb = Bomb;
        let cancelled = pool.submit(move || drop(bomb)).unwrap();
        assert!(cancelled.cancel());
        busy.on_done(|| panic::panic_any(Bomb));
        go.set();
        pool.join();
        assert_eq!(pool.submit(|| 1).unwrap().join().unwrap(), 1);
    });
}

#[test]
fn payloads_of_on_start_may_panic_when_dropped() {
    watchdog(|| {
        for threads in cases(THREADS) {
            let pool = ThreadPool::builder().threads(threads).on_start(|| panic::panic_any(Bomb)).build();
            // The first is for the joiner. The others belong to no joiner, and must not end their threads too
            // early.
            let payload = panics(|| pool.join()).unwrap_err();
            assert!(payload.is::<Bomb>());
            std::mem::forget(payload);
            pool.join();
        }
    });
}

#[test]
fn on_start_may_panic_when_dropped() {
    watchdog(|| {
        for threads in cases(THREADS) {
            let (go, bomb) = (shown(Event::new()), Bomb);
            let hook = {
                let go = Arc::clone(&go);
                move || {
                    let _bomb = &bomb;
                    go.wait();
                }
            };
            // Dropped by the last thread that it starts.
            let pool = ThreadPool::builder().threads(threads).on_start(hook).build();
            go.set();
            assert_eq!(pool.map(0..100, |n| n).sum::<i32>(), 4950);
            pool.join();
            pool.shutdown(Shutdown::Drain);
            pool.join();
        }
    });
}
