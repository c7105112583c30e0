//! Time limits. A negative time-out (CPython: `test_negative_timeout_raises_exception`) is a matter of types.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{BoundedBuffer, GetTimeoutError, PutTimeoutError};

use super::{Arrivals, SHORT, TINY, full, past};
use crate::support::{LIMIT, cases, watchdog};

#[test]
fn put_for_times_out_and_gives_the_item_back() {
    watchdog(|| {
        let buffer = full(1, String::new());
        let start = Instant::now();
        assert_eq!(buffer.put_for("back".into(), SHORT), Err(PutTimeoutError::Timeout("back".to_owned())));
        assert!(start.elapsed() >= SHORT);
        let error = buffer.put_until("too".into(), start + 2 * SHORT).unwrap_err();
        assert!(start.elapsed() >= 2 * SHORT);
        assert!(error.is_timeout());
        assert_eq!(error.into_inner(), "too");
    });
}

/// CPython: `SimpleQueueTest.test_many_threads_timeout`, of one thread.
#[test]
fn get_for_times_out() {
    watchdog(|| {
        let (buffer, mut out) = (BoundedBuffer::<u8>::new(1), vec![9]);
        let start = Instant::now();
        assert_eq!(buffer.get_for(SHORT), Err(GetTimeoutError::Timeout));
        assert!(start.elapsed() >= SHORT);
        assert_eq!(buffer.get_until(start + 2 * SHORT), Err(GetTimeoutError::Timeout));
        assert!(start.elapsed() >= 2 * SHORT);
        assert_eq!(buffer.get_many_for(&mut out, 3, SHORT), Err(GetTimeoutError::Timeout));
        assert!(start.elapsed() >= 3 * SHORT);
        assert_eq!(buffer.get_many_until(&mut out, 3, start + 4 * SHORT), Err(GetTimeoutError::Timeout));
        assert!(start.elapsed() >= 4 * SHORT);
        assert_eq!(out, [9]);
    });
}

#[test]
fn zero_time_and_past_deadlines_try_once() {
    watchdog(|| {
        let (buffer, mut out) = (BoundedBuffer::new(2), Vec::new());
        assert_eq!(buffer.put_for(1, Duration::ZERO), Ok(()));
        assert_eq!(buffer.put_until(2, past()), Ok(()));
        assert_eq!(buffer.put_for(3, Duration::ZERO), Err(PutTimeoutError::Timeout(3)));
        assert_eq!(buffer.put_until(4, past()), Err(PutTimeoutError::Timeout(4)));
        assert!(!buffer.join_for(Duration::ZERO));
        assert!(!buffer.join_until(past()));
        assert_eq!(buffer.get_for(Duration::ZERO), Ok(1));
        assert_eq!(buffer.get_until(past()), Ok(2));
        assert_eq!(buffer.get_for(Duration::ZERO), Err(GetTimeoutError::Timeout));
        assert_eq!(buffer.get_until(past()), Err(GetTimeoutError::Timeout));
        buffer.put(5).unwrap();
        assert_eq!(buffer.get_many_for(&mut out, 2, Duration::ZERO), Ok(1));
        assert_eq!(buffer.get_many_for(&mut out, 2, Duration::ZERO), Err(GetTimeoutError::Timeout));
        buffer.put(6).unwrap();
        assert_eq!(buffer.get_many_until(&mut out, 2, past()), Ok(1));
        assert_eq!(buffer.get_many_until(&mut out, 2, past()), Err(GetTimeoutError::Timeout));
        assert_eq!(out, [5, 6]);
        (0..4).for_each(|_| buffer.task_done());
        assert!(buffer.join_for(Duration::ZERO));
        assert!(buffer.join_until(past()));
    });
}

#[test]
fn time_without_end_waits_until_it_can() {
    watchdog(|| {
        for forever in cases([Duration::MAX, Duration::MAX - Duration::from_nanos(1)]) {
            let (buffer, arrivals) = (full(1, 0), Arrivals::default());
            thread::scope(|s| {
                s.spawn(|| {
                    arrivals.arrive();
                    assert_eq!(buffer.put_for(1, forever), Ok(()));
                });
                arrivals.wait_for(1);
                assert_eq!(buffer.get(), Ok(0));
                assert_eq!(buffer.get(), Ok(1));
                for _ in 0..2 {
                    s.spawn(|| {
                        arrivals.arrive();
                        let mut out = Vec::new();
                        assert_eq!(buffer.get_many_for(&mut out, 1, forever), Ok(1));
                        arrivals.arrive();
                        assert!(buffer.get_for(forever).is_ok());
                        arrivals.arrive();
                        assert!(buffer.join_for(forever));
                    });
                }
                arrivals.wait_for(3);
                (2..6).for_each(|i| assert_eq!(buffer.put_for(i, forever), Ok(())));
                arrivals.wait_for(7);
                (0..6).for_each(|_| buffer.task_done());
            });
        }
    });
}

#[test]
fn timed_calls_succeed_if_their_turn_comes_in_time() {
    watchdog(|| {
        let (buffer, arrivals) = (full(1, 0), Arrivals::default());
        thread::scope(|s| {
            s.spawn(|| {
                arrivals.arrive();
                assert_eq!(buffer.put_for(1, LIMIT), Ok(()));
            });
            arrivals.wait_for(1);
            assert_eq!(buffer.get_until(Instant::now() + LIMIT), Ok(0));
            assert_eq!(buffer.get_until(Instant::now() + LIMIT), Ok(1));
            s.spawn(|| {
                arrivals.arrive();
                assert_eq!(buffer.get_for(LIMIT), Ok(2));
            });
            arrivals.wait_for(2);
            assert_eq!(buffer.put_until(2, Instant::now() + LIMIT), Ok(()));
        });
    });
}

#[test]
fn timed_out_getter_swallows_no_item() {
    watchdog(|| {
        for round in 0..200 {
            let (buffer, start) = (BoundedBuffer::new(2), Barrier::new(3));
            thread::scope(|s| {
                let hasty = s.spawn(|| {
                    start.wait();
                    buffer.get_for(TINY * (round % 4))
                });
                let patient = s.spawn(|| {
                    start.wait();
                    buffer.get()
                });
                start.wait();
                buffer.put('a').unwrap();
                match hasty.join().unwrap() {
                    Ok('a') => {
                        buffer.put('b').unwrap();
                        assert_eq!(patient.join().unwrap(), Ok('b'));
                    }
                    Err(GetTimeoutError::Timeout) => assert_eq!(patient.join().unwrap(), Ok('a')),
                    other => panic!("{other:?}"),
                }
            });
            assert!(buffer.is_empty());
        }
    });
}

#[test]
fn timed_out_putter_swallows_no_room() {
    watchdog(|| {
        for round in 0..200 {
            let (buffer, start) = (full(1, 'x'), Barrier::new(3));
            thread::scope(|s| {
                let hasty = s.spawn(|| {
                    start.wait();
                    buffer.put_for('h', TINY * (round % 4))
                });
                let patient = s.spawn(|| {
                    start.wait();
                    buffer.put('p')
                });
                start.wait();
                assert_eq!(buffer.get(), Ok('x'));
                match hasty.join().unwrap() {
                    Ok(()) => {
                        let mut both = [buffer.get().unwrap(), buffer.get().unwrap()];
                        both.sort_unstable();
                        assert_eq!(both, ['h', 'p']);
                    }
                    Err(PutTimeoutError::Timeout('h')) => assert_eq!(buffer.get(), Ok('p')),
                    other => panic!("{other:?}"),
                }
                assert_eq!(patient.join().unwrap(), Ok(()));
            });
            assert!(buffer.is_empty());
        }
    });
}
