//! Which of several ready sources is taken, and who goes on when.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use lockwork::{
    AutoResetEvent, BoundedBuffer, Event, First2, Mutex, Semaphore, try_any, wait_any, wait_any_fair,
    wait_any_for,
};

use crate::support::{LIMIT, SHORT, Sleeper, cases, eventually, repeat, rounds, watchdog};

#[test]
fn first_in_order_of_those_that_are_ready_is_taken() {
    let (a, b, semaphore) = (AutoResetEvent::new(), AutoResetEvent::new(), Semaphore::new(1));
    a.set();
    b.set();
    assert!(wait_any((&a, &b, semaphore.acquiring())).index() == 0);
    assert!(!a.is_set() && b.is_set() && semaphore.available_permits() == 1);
    assert!(try_any((&a, &b, semaphore.acquiring())).unwrap().index() == 1);
    assert!(!b.is_set() && semaphore.available_permits() == 1);
    let third = wait_any_for((&a, &b, semaphore.acquiring()), Duration::ZERO).unwrap();
    assert!(third.index() == 2 && semaphore.available_permits() == 0);
}

#[test]
fn fair_form_takes_each_that_is_ready_about_as_often() {
    let events: [Event; 4] = std::array::from_fn(|_| Event::new());
    events.iter().take(3).for_each(Event::set);
    let mut taken = [0; 4];
    let calls = rounds(4000);
    for _ in 0..calls {
        let [a, b, c, d] = &events;
        taken[wait_any_fair((a, b, c, d)).index()] += 1;
        // Calls for other sets in between make no difference.
        wait_any_fair((a, b));
    }
    assert_eq!(taken[3], 0);
    if calls >= 1000 {
        assert!(taken[..3].iter().all(|&times| times > calls / 8), "{taken:?}");
    }
}

#[test]
fn same_source_twice_is_spent_once() {
    watchdog(|| {
        let (semaphore, auto, buffer) = (Semaphore::new(0), AutoResetEvent::new(), BoundedBuffer::new(4));
        let sleeper = Sleeper::new();
        thread::scope(|s| {
            s.spawn(|| {
                sleeper.until_asleep();
                semaphore.add_permits(2);
            });
            sleeper.about_to_block();
            let first = wait_any((semaphore.acquiring(), semaphore.acquiring()));
            eventually(|| semaphore.available_permits() == 1);
            drop(first);
        });
        let sleeper = Sleeper::new();
        thread::scope(|s| {
            s.spawn(|| {
                sleeper.until_asleep();
                auto.set();
                auto.set();
            });
            sleeper.about_to_block();
            wait_any((&auto, &auto, &auto));
        });
        assert!(auto.is_set(), "the second signal is kept");
        buffer.put_all([1, 2]).unwrap();
        assert_eq!(wait_any((buffer.getting(), buffer.getting())), First2::First(Ok(1)));
        assert_eq!(buffer.len(), 1);
        let event = Event::new();
        assert!(wait_any_for((&event, &event), SHORT).is_none());
    });
}

/// A selecting request at the head is not passed by a smaller one, and lets it go on when it leaves.
#[test]
fn large_request_at_the_head_is_not_passed_and_lets_others_go_on_when_it_leaves() {
    watchdog(|| {
        for _ in repeat(20) {
            for by_time_out in cases([false, true]) {
                let (semaphore, stop) = (Semaphore::new(1), Event::new());
                let (selecting, behind) = (Sleeper::new(), Sleeper::new());
                let acquired = AtomicUsize::new(0);
                thread::scope(|s| {
                    s.spawn(|| {
                        selecting.about_to_block();
                        let timeout = if by_time_out { 2 * SHORT } else { LIMIT };
                        let first = wait_any_for((&stop, semaphore.acquiring_many(2)), timeout);
                        assert_eq!(first.map(|first| first.index()), (!by_time_out).then_some(0));
                    });
                    selecting.until_asleep();
                    s.spawn(|| {
                        behind.about_to_block();
                        drop(semaphore.acquire());
                        acquired.store(1, SeqCst);
                    });
                    if !by_time_out {
                        behind.until_asleep();
                        assert!(semaphore.try_acquire().is_none());
                        assert_eq!(acquired.load(SeqCst), 0, "it is behind the larger one");
                        stop.set();
                    }
                });
                assert_eq!((acquired.load(SeqCst), semaphore.available_permits()), (1, 1));
            }
        }
    });
}

/// A thread that was beaten to an item keeps its place at the semaphore.
#[test]
fn beaten_thread_keeps_its_place_elsewhere() {
    watchdog(|| {
        for _ in repeat(50) {
            let (semaphore, buffer) = (Semaphore::new(1), BoundedBuffer::new(1));
            let (selecting, behind, order) = (Sleeper::new(), Sleeper::new(), AtomicUsize::new(0));
            thread::scope(|s| {
                s.spawn(|| {
                    selecting.about_to_block();
                    match wait_any((buffer.getting(), semaphore.acquiring_many(2))) {
                        First2::First(item) => assert_eq!(item, Ok(1)),
                        First2::Second(permit) => {
                            assert_eq!(order.fetch_add(1, SeqCst), 0, "it came first");
                            drop(permit);
                        }
                    }
                });
                let naps = selecting.until_asleep();
                s.spawn(|| {
                    behind.about_to_block();
                    let permit = semaphore.acquire();
                    order.fetch_add(1, SeqCst);
                    drop(permit);
                });
                behind.until_asleep();
                buffer.put(1).unwrap();
                if buffer.try_get().is_ok() {
                    // Beaten: it goes to sleep once more.
                    selecting.until_asleep_again(naps);
                    assert_eq!(order.load(SeqCst), 0);
                    semaphore.add_permits(1);
                }
            });
        }
    });
}

/// Permits that are given back while a thread finds out that it was beaten to an item are its own, if it is
/// the first in line for them: those behind it come after it.
#[test]
fn permits_that_come_while_it_tries_elsewhere_are_its_own() {
    watchdog(|| {
        for _ in repeat(50) {
            let (semaphore, buffer) = (Semaphore::new(1), BoundedBuffer::new(1));
            let (sleepers, order) = (Sleeper::several(3), Mutex::new(Vec::new()));
            thread::scope(|s| {
                let plain = |index: usize, n: usize| {
                    let (sleeper, semaphore, order) = (&sleepers[index], &semaphore, &order);
                    move || {
                        sleeper.about_to_block();
                        let permit = semaphore.acquire_many(n);
                        order.lock().push(index);
                        drop(permit);
                    }
                };
                s.spawn(|| {
                    sleepers[0].about_to_block();
                    let first = wait_any((buffer.getting(), semaphore.acquiring_many(3)));
                    order.lock().push(0);
                    drop(first);
                });
                sleepers[0].until_asleep();
                s.spawn(plain(1, 2));
                sleepers[1].until_asleep();
                s.spawn(plain(2, 1));
                sleepers[2].until_asleep();
                buffer.put(1).unwrap();
                let beaten = buffer.try_get().is_ok();
                semaphore.add_permits(2);
                eventually(|| order.lock().len() == 3);
                assert!(!beaten || order.lock()[0] == 0, "{:?}", order.lock());
            });
            assert_eq!(semaphore.available_permits(), 3);
        }
    });
}

/// A signal that comes while a thread finds out that it was beaten to an item is its own, if it is the first
/// that waits for it.
#[test]
fn signal_that_comes_while_it_tries_elsewhere_is_its_own() {
    watchdog(|| {
        for _ in repeat(50) {
            let (signal, buffer) = (AutoResetEvent::new(), BoundedBuffer::new(1));
            let (selecting, behind) = (Sleeper::new(), Sleeper::new());
            let order = Mutex::new(Vec::new());
            thread::scope(|s| {
                s.spawn(|| {
                    selecting.about_to_block();
                    let first = wait_any((buffer.getting(), &signal)).index();
                    order.lock().push(first);
                });
                selecting.until_asleep();
                s.spawn(|| {
                    behind.about_to_block();
                    signal.wait();
                    order.lock().push(2);
                });
                behind.until_asleep();
                buffer.put(1).unwrap();
                let beaten = buffer.try_get().is_ok();
                signal.set();
                eventually(|| !order.lock().is_empty());
                if beaten {
                    assert_eq!(*order.lock(), [1], "the signal is for the first");
                    signal.set();
                }
            });
            assert!(!signal.is_set());
        }
    });
}

/// An event that is set and cleared at once while a thread finds out that it was beaten to an item ends its
/// wait.
#[test]
fn pulse_that_comes_while_it_tries_elsewhere_ends_the_wait() {
    watchdog(|| {
        for _ in repeat(50) {
            let (event, buffer, selecting) = (Event::new(), BoundedBuffer::new(1), Sleeper::new());
            let beaten = thread::scope(|s| {
                let first = s.spawn(|| {
                    selecting.about_to_block();
                    wait_any((buffer.getting(), &event)).index()
                });
                selecting.until_asleep();
                buffer.put(1).unwrap();
                let beaten = buffer.try_get().is_ok();
                event.set();
                event.clear();
                assert_eq!(first.join().unwrap(), usize::from(beaten));
                beaten
            });
            assert!(buffer.is_empty() && (beaten || !event.is_set()));
        }
    });
}

/// Plain waiters before and behind a selecting one are served in the order in which they came.
#[test]
fn plain_waiters_keep_their_order() {
    watchdog(|| {
        for _ in repeat(20) {
            let (semaphore, event, order) = (Semaphore::new(0), Event::new(), Mutex::new(Vec::new()));
            let sleepers = Sleeper::several(3);
            thread::scope(|s| {
                let plain = |index: usize| {
                    let (sleeper, semaphore, order) = (&sleepers[index], &semaphore, &order);
                    move || {
                        sleeper.about_to_block();
                        semaphore.acquire().forget();
                        order.lock().push(index);
                    }
                };
                s.spawn(plain(0));
                sleepers[0].until_asleep();
                let selecting = s.spawn(|| {
                    sleepers[1].about_to_block();
                    let First2::First(()) = wait_any((&event, semaphore.acquiring())) else {
                        panic!("the event came first");
                    };
                });
                sleepers[1].until_asleep();
                s.spawn(plain(2));
                sleepers[2].until_asleep();
                event.set();
                selecting.join().unwrap();
                semaphore.add_permits(1);
                eventually(|| !order.lock().is_empty());
                semaphore.add_permits(1);
            });
            assert_eq!(order.into_inner(), [0, 2]);
        }
    });
}
