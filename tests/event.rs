//! `Event` and `AutoResetEvent`.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{AutoResetEvent, Event, Mutex};

use crate::support::{
    LIMIT, Plain, SHORT, Sleeper, allocations_during, cases, eventually, gives_up_in_time, parties, repeat,
    rounds, shown, watchdog,
};

/// The forms of a wait that ends by a `set`.
const WAITS: [fn(&Event) -> bool; 4] = [
    |event| {
        event.wait();
        true
    },
    |event| event.wait_for(LIMIT),
    |event| event.wait_for(Duration::MAX),
    |event| event.wait_until(Instant::now() + LIMIT),
];

const AUTO_WAITS: [fn(&AutoResetEvent) -> bool; 4] = [
    |event| {
        event.wait();
        true
    },
    |event| event.wait_for(LIMIT),
    |event| event.wait_for(Duration::MAX),
    |event| event.wait_until(Instant::now() + LIMIT),
];

// --- Event
// ---------------------------------------------------------------------------------------------------------

// CPython: test_is_set.
#[test]
fn set_and_clear_are_idempotent() {
    let event = shown(Event::new());
    assert!(!event.is_set());
    event.clear();
    assert!(!event.is_set());
    event.set();
    assert!(event.is_set());
    event.set();
    assert!(event.is_set());
    event.clear();
    assert!(!event.is_set(), "set twice, cleared once");
    event.clear();
    assert!(!event.is_set());
    event.set();
    assert!(event.is_set());
}

#[test]
fn wait_of_a_set_event_returns_at_once() {
    watchdog(|| {
        let event = shown(Event::new());
        event.set();
        for _ in 0..2 {
            assert!(WAITS.iter().all(|wait| wait(&event)));
            assert!(event.wait_for(Duration::ZERO));
            assert!(event.wait_until(Instant::now()));
            assert!(event.is_set(), "it stays set");
        }
    });
}

// CPython: test_notify.
#[test]
fn set_releases_all_waiters() {
    watchdog(|| {
        for parties in parties() {
            let (event, released) = (Event::new(), AtomicUsize::new(0));
            for _ in 0..2 {
                let sleepers = Sleeper::several(parties);
                thread::scope(|s| {
                    for (sleeper, wait) in sleepers.iter().zip(WAITS.iter().cycle()) {
                        let (event, released) = (&event, &released);
                        s.spawn(move || {
                            sleeper.about_to_block();
                            assert!(wait(event));
                            assert!(event.is_set());
                            released.fetch_add(1, Relaxed);
                        });
                    }
                    Sleeper::until_all_asleep(&sleepers);
                    assert_eq!(released.load(Relaxed), 0);
                    event.set();
                });
                assert_eq!(released.swap(0, Relaxed), parties);
                event.clear();
            }
        }
    });
}

// CPython: test_timeout.
#[test]
fn timed_wait_says_whether_it_was_set() {
    watchdog(|| {
        let event = shown(Event::new());
        let past = Instant::now();
        gives_up_in_time(|timeout| event.wait_for(timeout), |deadline| event.wait_until(deadline));
        assert!(!event.is_set());

        event.set();
        assert!(event.wait_for(Duration::ZERO));
        assert!(event.wait_until(past));
        assert!(event.wait_for(SHORT));
        event.clear();
        assert!(!event.wait_for(Duration::ZERO));
    });
}

// CPython: test_set_and_clear.
#[test]
fn set_and_clear_at_once_release_all_waiters() {
    if !Sleeper::SURE {
        return;
    }
    watchdog(|| {
        for parties in parties() {
            let event = shown(Event::new());
            for _ in repeat(40) {
                let sleepers = Sleeper::several(parties);
                thread::scope(|s| {
                    for (sleeper, wait) in sleepers.iter().zip(WAITS.iter().cycle()) {
                        let event = &event;
                        s.spawn(move || {
                            sleeper.about_to_block();
                            assert!(wait(event));
                        });
                    }
                    Sleeper::until_all_asleep(&sleepers);
                    event.set();
                    event.clear();
                    // It is not set again, so all of them were released by that.
                });
                assert!(!event.is_set());
            }
        }
    });
}

#[test]
fn short_pulses_let_all_waiters_through() {
    // The same without knowing who waits: each gets through in the end, and never without a pulse.
    watchdog(|| {
        for parties in parties() {
            let (event, pulses, passed) = (Event::new(), AtomicUsize::new(0), AtomicUsize::new(0));
            thread::scope(|s| {
                for wait in WAITS.iter().cycle().take(parties) {
                    let (event, pulses, passed) = (&event, &pulses, &passed);
                    s.spawn(move || {
                        for _ in repeat(200) {
                            assert!(wait(event));
                            assert_ne!(pulses.load(Relaxed), 0);
                        }
                        passed.fetch_add(1, Relaxed);
                    });
                }
                while passed.load(Relaxed) < parties {
                    pulses.fetch_add(1, Relaxed);
                    event.set();
                    event.clear();
                    thread::yield_now();
                }
            });
            assert!(!event.wait_for(Duration::ZERO));
        }
    });
}

#[test]
fn wait_after_clear_waits_again() {
    watchdog(|| {
        let (event, data) = (Event::new(), AtomicUsize::new(0));
        for round in 1..=rounds(100) {
            event.clear();
            assert!(!event.wait_for(Duration::ZERO));
            assert!(!event.wait_for(Duration::from_micros(1)));
            thread::scope(|s| {
                s.spawn(|| {
                    event.wait();
                    assert_eq!(data.load(Relaxed), round);
                });
                data.store(round, Relaxed);
                event.set();
            });
        }
    });
}

#[test]
fn many_threads_may_set() {
    watchdog(|| {
        for parties in parties() {
            for _ in repeat(20) {
                let event = shown(Event::new());
                thread::scope(|s| {
                    for _ in 0..parties {
                        s.spawn(|| event.wait());
                        s.spawn(|| event.set());
                    }
                });
                assert!(event.is_set());
            }
        }
    });
}

#[test]
fn abandoned_waits_leave_nothing() {
    watchdog(|| {
        for parties in parties() {
            let (event, auto) = (Event::new(), AutoResetEvent::new());
            thread::scope(|s| {
                for party in 0..parties {
                    let (event, auto) = (&event, &auto);
                    s.spawn(move || {
                        for round in repeat(100) {
                            let timeout = Duration::from_micros(((party + round) % 7 * 10) as u64);
                            assert!(!event.wait_for(timeout));
                            assert!(!auto.wait_for(timeout));
                        }
                    });
                }
            });
            event.set();
            assert!(event.wait_for(Duration::ZERO));
            // Would be given to a waiter that is gone.
            auto.set();
            assert!(auto.is_set());
            assert!(auto.try_wait());
        }
    });
}

#[test]
fn timeouts_and_sets_race() {
    // Any of these waits may end either way. None hangs, and none leaves anything in the queue.
    watchdog(|| {
        for parties in parties() {
            let (event, began) = (Event::new(), AtomicUsize::new(0));
            thread::scope(|s| {
                for party in 0..parties {
                    let (event, began) = (&event, &began);
                    s.spawn(move || {
                        for round in repeat(200) {
                            began.fetch_add(1, Relaxed);
                            let timeout = Duration::from_micros(((party * 11 + round) % 50) as u64);
                            let _ = event.wait_for(timeout);
                        }
                    });
                }
                let all = parties * rounds(200);
                while began.load(Relaxed) < all {
                    event.set();
                    event.clear();
                    (0..100).for_each(|_| std::hint::spin_loop());
                    thread::yield_now();
                }
            });
            assert!(!event.is_set());
            assert!(!event.wait_for(Duration::ZERO));
            event.set();
            event.wait();
        }
    });
}

#[test]
fn wait_sees_what_came_before_the_set() {
    watchdog(|| {
        for parties in parties() {
            for round in repeat(50) {
                let (event, data) = (Event::new(), Plain::default());
                thread::scope(|s| {
                    for wait in WAITS.iter().cycle().skip(round).take(parties) {
                        let (event, data) = (&event, &data);
                        s.spawn(move || {
                            assert!(wait(event));
                            assert_eq!(data.read(), 7);
                        });
                    }
                    s.spawn(|| {
                        eventually(|| event.is_set());
                        assert_eq!(data.read(), 7);
                    });
                    data.write(7);
                    event.set();
                });
            }
        }
    });
}

// --- AutoResetEvent
// ------------------------------------------------------------------------------------------------

#[test]
fn one_set_lets_one_through() {
    let event = shown(AutoResetEvent::new());
    assert!(!event.is_set());
    assert!(!event.try_wait());
    event.set();
    assert!(event.is_set());
    assert!(event.try_wait());
    assert!(!event.is_set());
    assert!(!event.try_wait());
    for wait in cases(AUTO_WAITS) {
        event.set();
        assert!(wait(&event));
        assert!(!event.is_set());
    }
}

#[test]
fn one_set_at_most_is_kept() {
    let event = shown(AutoResetEvent::new());
    for _ in 0..3 {
        event.set();
        event.set();
        event.set();
        assert!(event.is_set());
        assert!(event.wait_for(Duration::ZERO));
        assert!(!event.wait_for(Duration::ZERO));
        assert!(!event.try_wait());
    }
}

#[test]
fn auto_reset_timed_wait_says_whether_it_got_a_signal() {
    watchdog(|| {
        let event = shown(AutoResetEvent::new());
        let past = Instant::now();
        gives_up_in_time(|timeout| event.wait_for(timeout), |deadline| event.wait_until(deadline));

        event.set();
        assert!(event.wait_until(past));
        assert!(!event.wait_until(past));
        event.set();
        assert!(event.wait_for(SHORT));
        assert!(!event.is_set());
    });
}

#[test]
fn each_set_releases_the_first_in_line() {
    if !Sleeper::SURE {
        return;
    }
    watchdog(|| {
        for parties in parties() {
            for _ in repeat(10) {
                let (event, released) = (AutoResetEvent::new(), Mutex::new(Vec::new()));
                let sleepers = Sleeper::several(parties);
                thread::scope(|s| {
                    for (number, (sleeper, wait)) in
                        sleepers.iter().zip(AUTO_WAITS.iter().cycle()).enumerate()
                    {
                        let (event, released) = (&event, &released);
                        s.spawn(move || {
                            sleeper.about_to_block();
                            assert!(wait(event));
                            released.lock().push(number);
                        });
                        sleeper.until_asleep();
                    }
                    for number in 0..parties {
                        assert_eq!(released.lock().len(), number);
                        event.set();
                        assert!(!event.is_set(), "it was given, not kept");
                        eventually(|| released.lock().len() > number);
                        assert_eq!(released.lock().last(), Some(&number));
                    }
                });
            }
        }
    });
}

#[test]
fn sets_in_a_row_release_one_waiter_each() {
    if !Sleeper::SURE {
        return;
    }
    watchdog(|| {
        for parties in parties() {
            for _ in repeat(20) {
                let (event, sleepers) = (AutoResetEvent::new(), Sleeper::several(parties));
                thread::scope(|s| {
                    for (sleeper, wait) in sleepers.iter().zip(AUTO_WAITS.iter().cycle()) {
                        let event = &event;
                        s.spawn(move || {
                            sleeper.about_to_block();
                            assert!(wait(event));
                        });
                    }
                    Sleeper::until_all_asleep(&sleepers);
                    // It is not set again: none of these may be merged with another.
                    (0..parties).for_each(|_| event.set());
                });
                assert!(!event.is_set());
            }
        }
    });
}

#[test]
fn no_signal_is_lost_or_doubled() {
    // One `set` at a time, and only while none is kept: so each of them is one signal of its own.
    watchdog(|| {
        for parties in parties() {
            let (event, setting, stop) = (AutoResetEvent::new(), Mutex::new(0), AtomicBool::new(false));
            let received = AtomicUsize::new(0);
            thread::scope(|s| {
                let setters: Vec<_> = (0..parties.min(2))
                    .map(|_| {
                        s.spawn(|| {
                            let mut left = rounds(600);
                            while left > 0 {
                                let mut accepted = setting.lock();
                                if event.is_set() {
                                    drop(accepted);
                                    thread::yield_now();
                                } else {
                                    event.set();
                                    *accepted += 1;
                                    left -= 1;
                                }
                            }
                        })
                    })
                    .collect();
                for party in 0..parties {
                    let (event, stop, received) = (&event, &stop, &received);
                    s.spawn(move || {
                        let (mut mine, mut turn) = (0, party);
                        while !stop.load(Relaxed) {
                            let timeout = Duration::from_micros((turn * 7 % 40) as u64);
                            mine += usize::from(match turn % 4 {
                                0 => event.try_wait(),
                                1 => event.wait_until(Instant::now() + timeout),
                                _ => event.wait_for(timeout),
                            });
                            turn += 1;
                        }
                        received.fetch_add(mine, Relaxed);
                    });
                }
                setters.into_iter().for_each(|setter| setter.join().unwrap());
                stop.store(true, Relaxed);
            });
            let kept = usize::from(event.try_wait());
            assert_eq!(received.into_inner() + kept, setting.into_inner(), "with {parties} parties");
            assert!(!event.try_wait());
        }
    });
}

#[test]
fn ping_pong() {
    watchdog(|| {
        let (ping, pong, data) = (AutoResetEvent::new(), AutoResetEvent::new(), Plain::default());
        let turns = rounds(4000);
        thread::scope(|s| {
            s.spawn(|| {
                for (turn, wait) in (0..turns).zip(AUTO_WAITS.iter().cycle()) {
                    assert!(wait(&ping));
                    assert_eq!(data.read(), 2 * turn + 1);
                    data.write(2 * turn + 2);
                    pong.set();
                }
            });
            for (turn, wait) in (0..turns).zip(AUTO_WAITS.iter().cycle()) {
                assert_eq!(data.read(), 2 * turn);
                data.write(2 * turn + 1);
                ping.set();
                assert!(wait(&pong));
            }
        });
        assert_eq!(data.read(), 2 * turns);
        assert!(!ping.is_set() && !pong.is_set());
    });
}

#[test]
fn signals_pass_data_round_a_ring() {
    watchdog(|| {
        for parties in parties() {
            let ring: Vec<_> = (0..parties).map(|_| AutoResetEvent::new()).collect();
            let (data, laps) = (Plain::default(), rounds(200));
            thread::scope(|s| {
                for place in 0..parties {
                    let (ring, data) = (&ring, &data);
                    s.spawn(move || {
                        for lap in 0..laps {
                            ring[place].wait();
                            assert_eq!(data.read(), lap * parties + place);
                            data.write(lap * parties + place + 1);
                            ring[(place + 1) % parties].set();
                        }
                    });
                }
                ring[0].set();
            });
            assert_eq!(data.read(), laps * parties);
            assert!(ring[0].try_wait(), "the last signal has come round");
        }
    });
}

// --- Both
// ----------------------------------------------------------------------------------------------------------

static EVENT: Event = Event::new();
static AUTO: AutoResetEvent = AutoResetEvent::new();

#[test]
fn statics_need_no_setting_up() {
    watchdog(|| {
        let thread = thread::spawn(|| {
            EVENT.wait();
            AUTO.set();
        });
        EVENT.set();
        AUTO.wait();
        thread.join().unwrap();
    });
}

#[test]
fn traits() {
    let (event, auto) = (Event::default(), AutoResetEvent::default());
    assert_eq!(format!("{event:?} {auto:?}"), "Event { is_set: false } AutoResetEvent { is_set: false }");
    event.set();
    auto.set();
    assert_eq!(format!("{event:?} {auto:?}"), "Event { is_set: true } AutoResetEvent { is_set: true }");
    assert!(auto.is_set(), "looking takes no signal");
}

#[test]
fn wait_and_set_never_allocate() {
    watchdog(|| {
        /// Each lets the other through by both events in turn.
        type Player = (AutoResetEvent, Event);
        let players: [Player; 2] = Default::default();
        let play = |me: &Player, other: &Player| {
            // The first time warms the thread up.
            assert!(!Event::new().wait_for(Duration::from_micros(10)));
            let allocations = allocations_during(|| {
                for (auto_wait, wait) in AUTO_WAITS.iter().zip(&WAITS).cycle().take(rounds(200)) {
                    assert!(auto_wait(&me.0));
                    other.0.set();
                    assert!(wait(&me.1));
                    me.1.clear();
                    other.1.set();
                }
            });
            assert_eq!(allocations, 0);
        };
        thread::scope(|s| {
            s.spawn(|| play(&players[0], &players[1]));
            s.spawn(|| play(&players[1], &players[0]));
            players[0].0.set();
            players[0].1.set();
        });
    });
}
