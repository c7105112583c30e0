//! `wait_any` and its other forms.

mod alone;
mod fairness;
mod kinds;
mod misuse;
mod queues;
mod waiting;

use std::panic::{self, AssertUnwindSafe};
use std::thread;

use lockwork::{AnySource, Event, First2, wait_any};

use crate::support::Sleeper;

/// Waits for the source and an event that is never set; `fire` runs when it sleeps.
fn wait_for<S: AnySource + Send>(source: S, fire: impl FnOnce() + Send) -> S::Output {
    let (never, sleeper) = (Event::new(), Sleeper::new());
    thread::scope(|s| {
        s.spawn(|| {
            sleeper.until_asleep();
            fire();
        });
        sleeper.about_to_block();
        match wait_any((&never, source)) {
            First2::First(()) => panic!("it is never set"),
            First2::Second(output) => output,
        }
    })
}

/// Runs `f`, which panics with this message.
#[track_caller]
fn assert_panics<R>(message: &str, f: impl FnOnce() -> R) {
    let Err(payload) = panic::catch_unwind(AssertUnwindSafe(f)) else {
        panic!("it should have panicked: {message}");
    };
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    assert_eq!(text, Some(message));
}
