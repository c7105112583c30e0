//! Threads that wait for several things while others make them ready: nothing is lost, nothing is spent
//! twice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{
    AutoResetEvent, BoundedBuffer, Event, First2, First3, First4, Mutex, Semaphore, wait_any, wait_any_fair,
    wait_any_for, wait_any_until,
};

use super::get_all;
use crate::support::{LIMIT, SHORT, Sleeper, either, parties, repeat, rounds, watchdog};

#[test]
fn time_out_ends_the_wait_and_leaves_nothing() {
    watchdog(|| {
        let (auto, semaphore, buffer) = (AutoResetEvent::new(), Semaphore::new(0), BoundedBuffer::new(1));
        let start = Instant::now();
        assert!(wait_any_for((&auto, semaphore.acquiring(), buffer.getting()), SHORT).is_none());
        assert!(wait_any_until((&auto, semaphore.acquiring()), start + 2 * SHORT).is_none());
        assert!(start.elapsed() >= 2 * SHORT);
        // What comes now stays.
        auto.set();
        semaphore.add_permits(1);
        buffer.put(1).unwrap();
        assert!(auto.is_set());
        assert_eq!((semaphore.available_permits(), buffer.len()), (1, 1));
        assert!(auto.try_wait());
        assert_eq!(wait_any_for((&auto,), Duration::MAX.min(SHORT)), None);
    });
}

/// Signals against two selecting threads with time-outs: each signal goes to one, or is kept.
#[test]
fn signals_are_neither_lost_nor_doubled() {
    watchdog(|| {
        for _ in repeat(300) {
            let (left, right) = (AutoResetEvent::new(), AutoResetEvent::new());
            let taken = AtomicUsize::new(0);
            thread::scope(|s| {
                for _ in 0..2 {
                    s.spawn(|| {
                        if wait_any_for((&left, &right), Duration::from_micros(100)).is_some() {
                            taken.fetch_add(1, SeqCst);
                        }
                    });
                }
                s.spawn(|| left.set());
                s.spawn(|| right.set());
            });
            let kept = usize::from(left.is_set()) + usize::from(right.is_set());
            assert_eq!(taken.load(SeqCst) + kept, 2);
        }
    });
}

/// Many threads select among two semaphores, with time-outs and without; the permits all come back.
#[test]
fn permits_are_conserved() {
    watchdog(|| {
        for n in parties() {
            let (left, right) = (Semaphore::new(2), Semaphore::new(3));
            let stop = Event::new();
            thread::scope(|s| {
                for party in 0..n {
                    let (left, right, stop) = (&left, &right, &stop);
                    s.spawn(move || {
                        for round in 0..rounds(400) {
                            match (party + round) % 4 {
                                0 => drop(wait_any((left.acquiring_many(2), right.acquiring_many(3)))),
                                1 => drop(wait_any((stop, right.acquiring(), left.acquiring()))),
                                2 => drop(wait_any_for(
                                    (left.acquiring_many(2), right.acquiring_many(2)),
                                    Duration::from_micros(20),
                                )),
                                _ => drop(left.acquire_many(1 + round % 2)),
                            }
                        }
                    });
                }
            });
            assert_eq!((left.available_permits(), right.available_permits()), (2, 3));
        }
    });
}

/// Producers and consumers that select among buffers, beside plain ones: each item comes once.
#[test]
fn items_come_once_to_all_who_select() {
    watchdog(|| {
        for n in parties() {
            let buffers = [BoundedBuffer::new(1), BoundedBuffer::new(2)];
            let per_party = rounds(500);
            let seen = Mutex::new(BTreeSet::new());
            let left = AtomicUsize::new(n);
            thread::scope(|s| {
                for party in 0..n {
                    let (buffers, seen, left) = (&buffers, &seen, &left);
                    s.spawn(move || {
                        for number in 0..per_party {
                            let item = party * per_party + number;
                            match number % 3 {
                                0 => buffers[item % 2].put(item).unwrap(),
                                1 => {
                                    let (mut one, mut two) =
                                        (buffers[0].putting(item), buffers[1].putting(item));
                                    let first = wait_any_fair((&mut one, &mut two)).index();
                                    assert_eq!((one.is_spent(), two.is_spent()), (first == 0, first == 1));
                                }
                                _ => {
                                    let mut offered = buffers[item % 2].putting(item);
                                    while wait_any_for((&mut offered,), Duration::from_micros(30)).is_none() {
                                    }
                                }
                            }
                        }
                        if left.fetch_sub(1, SeqCst) == 1 {
                            buffers.iter().for_each(BoundedBuffer::close);
                        }
                    });
                    s.spawn(move || {
                        get_all(buffers, seen, || match party % 3 {
                            0 => Some(wait_any((buffers[0].getting(), buffers[1].getting()))),
                            1 => Some(wait_any_fair((buffers[0].getting(), buffers[1].getting()))),
                            _ => wait_any_for(
                                (buffers[1].getting(), buffers[0].getting()),
                                Duration::from_micros(50),
                            ),
                        });
                    });
                }
            });
            assert_eq!(seen.into_inner().len(), n * per_party);
        }
    });
}

/// Everything at once, and each of the four ends the wait now and then.
#[test]
fn four_wakers_at_the_same_moment() {
    watchdog(|| {
        for _ in repeat(300) {
            let (event, auto, semaphore, buffer) =
                (Event::new(), AutoResetEvent::new(), Semaphore::new(0), BoundedBuffer::new(1));
            thread::scope(|s| {
                let selecting = s.spawn(|| {
                    let first = wait_any((&auto, semaphore.acquiring(), buffer.getting(), &event));
                    match first {
                        First4::Second(permit) => {
                            permit.forget();
                            1
                        }
                        First4::Third(item) => {
                            assert_eq!(item, Ok(5));
                            2
                        }
                        other => other.index(),
                    }
                });
                s.spawn(|| auto.set());
                s.spawn(|| semaphore.add_permits(1));
                s.spawn(|| buffer.put(5).unwrap());
                s.spawn(|| event.set());
                let first = selecting.join().unwrap();
                let _ = first;
            });
            let left = usize::from(auto.is_set()) + semaphore.available_permits() + buffer.len();
            assert!(event.is_set());
            assert!(left == 2 || left == 3, "one is spent at most: {left} of 3 are left");
        }
    });
}

/// The primitives go as soon as the call is over, also those that fire at that very moment.
#[test]
fn primitives_may_go_as_soon_as_the_call_is_over() {
    watchdog(|| {
        for _ in repeat(300) {
            let shared = Arc::new((Semaphore::new(0), AutoResetEvent::new(), Event::new()));
            let others = [0, 1, 2].map(|which| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || match which {
                    0 => shared.0.add_permits(1),
                    1 => shared.1.set(),
                    _ => shared.2.set(),
                })
            });
            let first = match wait_any((shared.0.acquiring(), &shared.1, &shared.2)) {
                First3::First(permit) => {
                    permit.forget();
                    0
                }
                other => other.index(),
            };
            assert!(first < 3);
            drop(shared);
            others.into_iter().for_each(|other| other.join().unwrap());
        }
    });
}

/// What each party has consumed and what is left make up what was sent, on as many threads as may be.
#[test]
fn crowd_that_selects_and_gives_up_loses_no_signal() {
    watchdog(|| {
        for n in parties() {
            let (signals, over, stop) = (Semaphore::new(0), AtomicBool::new(false), Event::new());
            let taken = AtomicUsize::new(0);
            let sent = rounds(2000);
            thread::scope(|s| {
                let selecting: Vec<_> = (0..n)
                    .map(|_| {
                        s.spawn(|| {
                            while !over.load(SeqCst) {
                                match wait_any_for((signals.acquiring(), &stop), Duration::from_micros(200)) {
                                    Some(First2::First(permit)) => {
                                        permit.forget();
                                        taken.fetch_add(1, SeqCst);
                                    }
                                    Some(First2::Second(())) => break,
                                    None => {}
                                }
                            }
                        })
                    })
                    .collect();
                for _ in 0..sent {
                    signals.add_permits(1);
                }
                let start = Instant::now();
                while taken.load(SeqCst) + signals.available_permits() != sent
                    || signals.available_permits() != 0
                {
                    assert!(start.elapsed() < LIMIT, "a permit is lost, or a waiter is not woken");
                    thread::yield_now();
                }
                over.store(true, SeqCst);
                stop.set();
                selecting.into_iter().for_each(|thread| thread.join().unwrap());
            });
            assert_eq!(taken.load(SeqCst), sent);
        }
    });
}

/// A thread that is notified of an item, or of room, and takes what came next instead: the notification goes
/// on to the thread behind it.
#[test]
fn unused_notification_goes_on_to_the_next() {
    watchdog(|| {
        let unused = AtomicUsize::new(0);
        for is_putting in either("is_putting") {
            for _ in repeat(50) {
                let (event, buffer) = (Event::new(), BoundedBuffer::new(1));
                let sleepers = Sleeper::several(2);
                let get = || _ = buffer.get().unwrap();
                let put = || buffer.put(0).unwrap();
                if is_putting {
                    put();
                }
                let make_ready = || if is_putting { get() } else { put() };
                thread::scope(|s| {
                    let selecting = s.spawn(|| {
                        sleepers[0].about_to_block();
                        if is_putting {
                            wait_any((&event, &mut buffer.putting(1))).index() == 0
                        } else {
                            wait_any((&event, buffer.getting())).index() == 0
                        }
                    });
                    sleepers[0].until_asleep();
                    s.spawn(|| {
                        sleepers[1].about_to_block();
                        if is_putting { put() } else { get() }
                    });
                    sleepers[1].until_asleep();
                    make_ready();
                    event.set();
                    if selecting.join().unwrap() {
                        unused.fetch_add(1, SeqCst);
                    } else {
                        make_ready();
                    }
                });
            }
        }
        assert_ne!(unused.into_inner(), 0, "a notification was unused");
    });
}
