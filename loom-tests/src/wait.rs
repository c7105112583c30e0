//! The waiting core by itself, as a gate.

use lockwork::internals::{Gate, Pass};

use crate::models::support::{Arc, Plain, model, model_bounded, reach, thread};

const THREE: &str = "three threads";

/// Wake against enqueue: a thread that found the gate closed is let through by the opening, whenever it
/// comes; and what the opener did before is visible.
#[test]
fn opening_releases_each_thread_that_found_it_closed() {
    model(
        &["was open", "released", "waiter parks", "waiter woken before it parks", "queue lock waited for"],
        || {
            let shared = Arc::new((Gate::new(), Plain::new(0)));
            let other = Arc::clone(&shared);
            let waiter = thread::spawn(move || {
                match other.0.pass(0, false) {
                    Pass::Open => reach("was open"),
                    Pass::Released => reach("released"),
                    Pass::TimedOut => unreachable!("no deadline"),
                }
                assert_eq!(other.1.get(), 1);
            });
            shared.1.set(1);
            shared.0.open();
            waiter.join().unwrap();
            assert!(!shared.0.has_waiters());
        },
    );
}

/// Time-out against wake-up: exactly one of them happens, and both sides agree which.
#[test]
fn timeout_and_release_agree() {
    let states = [
        "timed out alone",
        "timed out first",
        "released",
        "waiter leaves at its deadline",
        "waiter is woken at its deadline",
    ];
    model(&states, || {
        let shared = Arc::new((Gate::new(), Plain::new(0)));
        let other = Arc::clone(&shared);
        let waiter = thread::spawn(move || {
            let pass = other.0.pass(0, true);
            if pass == Pass::Released {
                assert_eq!(other.1.get(), 1);
            }
            pass
        });
        shared.1.set(1);
        let waited = shared.0.has_waiters();
        let released = shared.0.release_one();
        let pass = waiter.join().unwrap();
        assert_eq!(released, pass == Pass::Released);
        assert!(!shared.0.has_waiters());
        reach(match (released, waited) {
            (true, _) => "released",
            (false, true) => "timed out first",
            (false, false) => "timed out alone",
        });
    });
}

/// A waiter that leaves does not take another's release with it, nor damage the list, wherever it stood.
#[test]
fn leaving_waiter_keeps_the_others_queued() {
    let states = ["first left", "last left", "both released", "waiter leaves at its deadline"];
    model_bounded(3, THREE, &states, || {
        let gate = Arc::new(Gate::new());
        let other = Arc::clone(&gate);
        let timed = thread::spawn(move || other.pass(1, true));
        let other = Arc::clone(&gate);
        let patient = thread::spawn(move || other.pass(2, false));
        let stood = gate.waiters();
        gate.open();
        let timed = timed.join().unwrap();
        assert_ne!(patient.join().unwrap(), Pass::TimedOut);
        assert!(!gate.has_waiters());
        match (&stood[..], timed) {
            ([1, 2], Pass::TimedOut) => reach("first left"),
            ([2, 1], Pass::TimedOut) => reach("last left"),
            ([1, 2], Pass::Released) => reach("both released"),
            _ => {}
        }
    });
}

/// A waiter that was taken out and put back leaves by itself at its deadline, as if nothing had happened.
#[test]
fn waiter_that_was_put_back_can_leave() {
    model(&["put back", "waiter leaves at its deadline"], || {
        let gate = Arc::new(Gate::new());
        let other = Arc::clone(&gate);
        let waiter = thread::spawn(move || other.pass(1, true));
        if gate.waiters() == [1] {
            reach("put back");
        }
        assert_eq!(waiter.join().unwrap(), Pass::TimedOut);
        assert!(!gate.has_waiters());
    });
}

/// A predicate takes waiters from the front, and stops at the first that it does not want.
#[test]
fn predicate_stops_at_the_first_it_does_not_want() {
    model_bounded(3, THREE, &["first of two", "second of two", "both in a row"], || {
        let gate = Arc::new(Gate::new());
        let other = Arc::clone(&gate);
        let one = thread::spawn(move || other.pass(1, false));
        let other = Arc::clone(&gate);
        let two = thread::spawn(move || other.pass(2, false));
        // Both wait, in an order that the marks tell.
        if gate.waiters() == [1, 2] {
            assert_eq!(gate.release_marked(2), 0, "the first is not wanted");
            assert_eq!(gate.release_marked(1), 1);
            reach("first of two");
            assert_eq!(gate.release_marked(2), 1);
            reach("both in a row");
        } else if gate.waiters() == [2, 1] {
            assert_eq!(gate.release_marked(1), 0, "the first is not wanted");
            reach("second of two");
        }
        gate.open();
        one.join().unwrap();
        two.join().unwrap();
        assert!(!gate.has_waiters());
    });
}

/// A waiter that is moved to another queue is woken from there; its deadline does not look for it there.
#[test]
fn requeued_waiter_is_woken_from_its_new_queue() {
    let states = ["moved", "not moved", "waiter is woken at its deadline", "waiter leaves at its deadline"];
    model(&states, || {
        let shared = Arc::new((Gate::new(), Gate::new(), Plain::new(0)));
        let other = Arc::clone(&shared);
        let waiter = thread::spawn(move || {
            let pass = other.0.pass(0, true);
            if pass == Pass::Released {
                assert_eq!(other.2.get(), 1);
            }
            pass
        });
        shared.0.requeue(&shared.1);
        shared.2.set(1);
        let released = shared.1.release_one();
        assert!(!shared.1.has_waiters());
        let pass = waiter.join().unwrap();
        assert_eq!(released, pass == Pass::Released);
        reach(if released { "moved" } else { "not moved" });
    });
}
