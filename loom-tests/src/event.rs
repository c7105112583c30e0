//! `lockwork::Event` and `lockwork::AutoResetEvent`.

use lockwork::internals::event_has_waiters;
use lockwork::{AutoResetEvent, Event};
use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::models::support::{Arc, Duration, Plain, SOON, model, model_bounded, reach, thread};

const THREE: &str = "three threads";

/// Set against wait: the waiter is released, and sees what came before the `set`, whichever way it learns of
/// it.
#[test]
fn set_releases_and_publishes() {
    model(&["waiter parks", "waiter woken before it parks", "found set"], || {
        let shared = Arc::new((Event::new(), Plain::new(0)));
        let other = Arc::clone(&shared);
        let waiter = thread::spawn(move || {
            if other.0.is_set() {
                reach("found set");
                assert_eq!(other.1.get(), 1);
            }
            other.0.wait();
            assert_eq!(other.1.get(), 1);
        });
        shared.1.set(1);
        shared.0.set();
        waiter.join().unwrap();
        assert!(shared.0.is_set());
    });
}

/// A thread that waited when it was set is released, although it is cleared at once.
#[test]
fn clear_does_not_hold_back_who_was_released() {
    model(&["released", "not there yet"], || {
        let event = Arc::new(Event::new());
        let other = Arc::clone(&event);
        let waiter = thread::spawn(move || other.wait());
        let waits = event_has_waiters(&event);
        event.set();
        event.clear();
        if waits {
            reach("released");
        } else {
            reach("not there yet");
            event.set();
        }
        waiter.join().unwrap();
    });
}

/// Time-out against `set`, in both orders.
#[test]
fn timed_wait_ends_one_way_or_the_other() {
    let states =
        ["released", "timed out", "waiter leaves at its deadline", "waiter is woken at its deadline"];
    model(&states, || {
        let shared = Arc::new((Event::new(), Plain::new(0)));
        let other = Arc::clone(&shared);
        let waiter = thread::spawn(move || {
            if other.0.wait_for(SOON) {
                assert_eq!(other.1.get(), 1);
                reach("released");
            } else {
                reach("timed out");
            }
        });
        shared.1.set(1);
        shared.0.set();
        waiter.join().unwrap();
        assert!(!event_has_waiters(&shared.0));
    });
}

/// Two waiters are released by one `set`.
#[test]
fn set_releases_all_waiters() {
    model_bounded(3, THREE, &["waiter parks"], || {
        let event = Arc::new(Event::new());
        let waiters = [(); 2].map(|()| {
            let event = Arc::clone(&event);
            thread::spawn(move || event.wait())
        });
        event.set();
        for waiter in waiters {
            waiter.join().unwrap();
        }
    });
}

/// A `set` of an event that is set already publishes as well.
#[test]
fn second_set_publishes_too() {
    model(&["after the second"], || {
        let shared = Arc::new((Event::new(), Plain::new(0), Event::new()));
        shared.0.set();
        let other = Arc::clone(&shared);
        let setter = thread::spawn(move || {
            other.1.set(1);
            other.0.set();
            other.0.clear();
        });
        // Found clear means: after the clear, hence after the second set, whose exchange the clear's follows.
        if !shared.0.is_set() {
            shared.0.set();
            shared.0.wait();
            assert_eq!(shared.1.get(), 1);
            reach("after the second");
        }
        setter.join().unwrap();
    });
}

/// A signal that comes as the only waiter leaves, and is kept, publishes as well.
#[test]
fn signal_that_meets_a_leaving_waiter_publishes() {
    model(&["in time", "kept"], || {
        let shared = Arc::new((AutoResetEvent::new(), Plain::new(0)));
        let other = Arc::clone(&shared);
        let setter = thread::spawn(move || {
            other.1.set(1);
            other.0.set();
        });
        if shared.0.wait_for(SOON) {
            reach("in time");
        } else {
            shared.0.wait();
            reach("kept");
        }
        assert_eq!(shared.1.get(), 1);
        setter.join().unwrap();
    });
}

/// Clearing and looking against changing and setting, of an event that is set: the change is seen, or the
/// event is set.
#[test]
fn clear_and_look_against_set() {
    model(&["seen", "set"], || {
        let shared = Arc::new((Event::new(), AtomicUsize::new(0)));
        shared.0.set();
        let other = Arc::clone(&shared);
        let setter = thread::spawn(move || {
            other.1.store(1, Relaxed);
            other.0.set();
        });
        shared.0.clear();
        let seen = shared.1.load(Relaxed) == 1;
        setter.join().unwrap();
        if shared.0.is_set() {
            reach("set");
        } else {
            assert!(seen);
            reach("seen");
        }
    });
}

/// Each signal lets one thread through, and carries what came before it.
#[test]
fn signal_goes_to_one_waiter_and_publishes() {
    model(&["waiter parks", "kept"], || {
        let shared = Arc::new((AutoResetEvent::new(), Plain::new(0)));
        let other = Arc::clone(&shared);
        let waiter = thread::spawn(move || {
            if other.0.is_set() {
                reach("kept");
                assert_eq!(other.1.get(), 1);
            }
            other.0.wait();
            assert_eq!(other.1.get(), 1);
        });
        shared.1.set(1);
        shared.0.set();
        waiter.join().unwrap();
        assert!(!shared.0.is_set(), "the wait has taken it");
    });
}

/// A signal and a time-out: it is taken or it is kept, never lost.
#[test]
fn signal_is_taken_or_kept() {
    let states = ["taken", "kept", "waiter leaves at its deadline", "waiter is woken at its deadline"];
    model(&states, || {
        let event = Arc::new(AutoResetEvent::new());
        let other = Arc::clone(&event);
        let waiter = thread::spawn(move || other.wait_for(SOON));
        event.set();
        let taken = waiter.join().unwrap();
        assert_eq!(event.is_set(), !taken);
        assert_eq!(event.try_wait(), !taken);
        reach(if taken { "taken" } else { "kept" });
    });
}

/// Two signals, two waiters: both go through, whenever they come.
#[test]
fn two_signals_release_two_waiters() {
    model_bounded(3, THREE, &["waiter parks"], || {
        let event = Arc::new(AutoResetEvent::new());
        let first = {
            let event = Arc::clone(&event);
            thread::spawn(move || event.wait())
        };
        let second = {
            let event = Arc::clone(&event);
            thread::spawn(move || event.wait())
        };
        event.set();
        first_of(&event);
        first.join().unwrap();
        second.join().unwrap();
        assert!(!event.is_set());
    });
}

/// The second signal, once the first has been taken: before that it would be the same signal.
fn first_of(event: &AutoResetEvent) {
    while event.is_set() {
        thread::yield_now();
    }
    event.set();
}

/// One signal is not enough for two.
#[test]
fn one_signal_releases_one_waiter() {
    model_bounded(3, THREE, &["first", "second", "neither"], || {
        let event = Arc::new(AutoResetEvent::new());
        let waiters = [(); 2].map(|()| {
            let event = Arc::clone(&event);
            thread::spawn(move || event.wait_for(SOON))
        });
        event.set();
        let released = waiters.map(|waiter| waiter.join().unwrap());
        assert_eq!(event.try_wait(), released == [false, false]);
        reach(match released {
            [true, false] => "first",
            [false, true] => "second",
            [false, false] => "neither",
            [true, true] => panic!("one signal released two"),
        });
    });
}

/// `try_wait` takes a kept signal with all it carries.
#[test]
fn try_wait_takes_a_signal_with_what_it_carries() {
    model(&["taken", "not there"], || {
        let shared = Arc::new((AutoResetEvent::new(), Plain::new(0)));
        let other = Arc::clone(&shared);
        let setter = thread::spawn(move || {
            other.1.set(1);
            other.0.set();
        });
        if shared.0.wait_for(Duration::ZERO) {
            assert_eq!(shared.1.get(), 1);
            reach("taken");
        } else {
            reach("not there");
        }
        setter.join().unwrap();
    });
}

/// A `set` that finds the queue locked leaves its work to the thread that has it: the thread that was about
/// to queue is released, although the event is cleared at once, and sees what came before the `set`.
#[test]
fn set_is_left_to_the_queue_locks_holder() {
    let states = [
        "work left to the holder of the queue lock",
        "event set by delegation releases a waiter",
        "waiter leaves at its deadline",
        "released",
        "timed out",
    ];
    model(&states, || {
        let shared = Arc::new((Event::new(), Plain::new(0)));
        let other = Arc::clone(&shared);
        let waiter = thread::spawn(move || {
            let released = other.0.wait_for(SOON);
            if released {
                assert_eq!(other.1.get(), 1);
            }
            reach(if released { "released" } else { "timed out" });
        });
        shared.1.set(1);
        let waits = event_has_waiters(&shared.0);
        shared.0.set();
        if !waits {
            shared.0.clear();
        }
        waiter.join().unwrap();
        assert_eq!(shared.0.is_set(), waits);
        assert!(!event_has_waiters(&shared.0));
    });
}
