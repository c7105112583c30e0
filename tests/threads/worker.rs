//! `Worker` and its token.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{Event, Mutex, StopToken, Worker};

use super::{Bomb, SHORT, THREADS, message};
use crate::support::{Drops, LIMIT, Sleeper, cases, either, shown, watchdog};

#[test]
fn worker_runs_until_told_to_stop() {
    watchdog(|| {
        let worker = Worker::spawn("poller", |stop: &StopToken| {
            let mut rounds = 0;
            while !stop.wait_for(Duration::from_micros(50)) {
                rounds += 1;
            }
            assert!(stop.is_stopped());
            (rounds, thread::current().name().map(str::to_owned))
        });
        assert!(worker.is_alive());
        assert!(!worker.join_for(SHORT));
        assert!(!worker.join_until(Instant::now()));
        assert!(!worker.stop_token().is_stopped());
        worker.stop();
        worker.stop();
        assert!(worker.join_for(LIMIT));
        assert!(worker.join_until(Instant::now()), "again");
        assert!(!worker.is_alive());
        assert_eq!(worker.join().unwrap().1.unwrap(), "poller");
    });
}

#[test]
fn workers_join_returns_without_a_stop() {
    watchdog(|| {
        assert_eq!(Worker::spawn("short", |_| 3).join().unwrap(), 3);
        let worker: Worker = Worker::spawn("panics", |_| panic!("of the worker"));
        assert_eq!(message(worker.join().unwrap_err()), "of the worker");
    });
}

#[test]
fn dropped_worker_is_stopped_and_waited_for() {
    watchdog(|| {
        let drops = Drops::new();
        let value = drops.value();
        let worker = Worker::spawn("waits", move |stop| {
            stop.wait();
            value
        });
        drop(worker);
        assert_eq!(drops.count(), 1, "the result, too");
        drop(Worker::spawn("panics", |_| panic!("of the worker")));
        drop(Worker::spawn("explodes", |_| Bomb));
    });
}

#[test]
fn detached_worker_lives_on() {
    watchdog(|| {
        let stopped = shown(Event::new());
        let worker = Worker::spawn("detached", {
            let stopped = Arc::clone(&stopped);
            move |stop| {
                stop.wait();
                stopped.set();
            }
        });
        let stop = worker.stop_token().clone();
        worker.detach();
        assert!(!stop.is_stopped());
        assert!(!stopped.wait_for(SHORT));
        stop.stop();
        stopped.wait();
    });
}

#[test]
fn worker_dropped_by_its_own_thread_does_not_join_itself() {
    watchdog(|| {
        let (own, ended) = (shown(Mutex::new(None::<Worker>)), shown(Event::new()));
        let go = shown(Event::new());
        let worker = Worker::spawn("suicidal", {
            let (own, ended, go) = (Arc::clone(&own), Arc::clone(&ended), Arc::clone(&go));
            move |stop| {
                go.wait();
                let own = own.lock().take();
                drop(own);
                assert!(stop.is_stopped());
                ended.set();
            }
        });
        *own.lock() = Some(worker);
        go.set();
        ended.wait();
    });
}

#[test]
fn stop_ends_every_sleep_at_once() {
    watchdog(|| {
        for parties in cases(THREADS) {
            let (stop, sleepers) = (StopToken::new(), Sleeper::several(parties));
            thread::scope(|s| {
                for (index, sleeper) in sleepers.iter().enumerate() {
                    let stop = stop.clone();
                    s.spawn(move || {
                        sleeper.about_to_block();
                        match index % 3 {
                            0 => stop.wait(),
                            1 => assert!(stop.wait_for(Duration::MAX)),
                            _ => assert!(stop.wait_until(Instant::now() + 2 * LIMIT)),
                        }
                    });
                }
                Sleeper::until_all_asleep(&sleepers);
                stop.stop();
            });
            assert_eq!(format!("{stop:?}"), "StopToken { is_stopped: true }");
            assert!(stop.wait_for(Duration::ZERO) && stop.wait_until(Instant::now()));
        }
        let stop = StopToken::new();
        let start = Instant::now();
        assert!(!stop.wait_for(SHORT));
        assert!(start.elapsed() >= SHORT);
        assert!(!stop.wait_for(Duration::ZERO) && !stop.wait_until(Instant::now()));
    });
}

/// After its end a worker's result is the handle's, wherever that goes.
#[test]
fn result_of_a_worker_may_panic_when_dropped() {
    watchdog(|| {
        for joined in either("joined ") {
            for end in [drop, Worker::detach] {
                let worker = Worker::spawn("bomb", |_| Bomb);
                if joined {
                    assert!(worker.join_for(LIMIT));
                }
                end(worker);
            }
        }
    });
}
