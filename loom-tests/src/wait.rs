//! The waiting core by itself, as a gate.

use lockwork::internals::{Gate, Pass};

use crate::support::{Arc, Plain, model, model_bounded, reach, thread};

/// Wake against enqueue: a thread that found the gate closed is let through by the opening, whenever it comes; and
/// what the opener did before is visible.
#[test]
fn opening_releases_whoever_found_it_closed() {
    model(
        &["was open", "released", "waiter parks", "waiter woken before it parks", "guard waited for"],
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
        "waiter is due at its deadline",
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
    let why = "three threads";
    let states = ["first left", "second left", "both released", "waiter leaves at its deadline"];
    model_bounded(3, why, &states, || {
        let gate = Arc::new(Gate::new());
        let other = Arc::clone(&gate);
        let timed = thread::spawn(move || other.pass(0, true));
        let other = Arc::clone(&gate);
        let patient = thread::spawn(move || other.pass(0, false));
        let first = gate.release_one();
        gate.open();
        let timed = timed.join().unwrap();
        let patient = patient.join().unwrap();
        assert_ne!(patient, Pass::TimedOut);
        assert!(!gate.has_waiters());
        match (first, timed, patient) {
            (true, Pass::TimedOut, Pass::Released) => reach("first left"),
            (false, Pass::TimedOut, _) => reach("second left"),
            (_, Pass::Released, Pass::Released) => reach("both released"),
            _ => {}
        }
    });
}

/// A predicate takes waiters from the front only, in order.
#[test]
fn predicate_takes_from_the_front() {
    let why = "three threads";
    model_bounded(3, why, &["one of two", "two of two", "blocked by the first"], || {
        let gate = Arc::new(Gate::new());
        let other = Arc::clone(&gate);
        let first = thread::spawn(move || other.pass(1, false));
        let other = Arc::clone(&gate);
        let second = thread::spawn(move || other.pass(2, false));
        let ones = gate.release_marked(1);
        let twos = gate.release_marked(2);
        gate.open();
        assert!(ones <= 1 && twos <= 1);
        let released = usize::from(first.join().unwrap() == Pass::Released)
            + usize::from(second.join().unwrap() == Pass::Released);
        assert!(ones + twos <= released, "more were said to be released than were");
        match (ones, twos, released) {
            (0, 0, 2) => reach("blocked by the first"),
            (1, 0, _) | (0, 1, _) => reach("one of two"),
            (1, 1, 2) => reach("two of two"),
            _ => {}
        }
    });
}

/// A waiter that is moved to another queue is woken from there; its deadline does not look for it there.
#[test]
fn requeued_waiter_is_woken_from_its_new_queue() {
    let states = ["moved", "not moved", "waiter is due at its deadline", "waiter leaves at its deadline"];
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
