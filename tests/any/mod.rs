//! `wait_any` and its other forms.

mod fairness;
mod kinds;
mod misuse;
mod queues;
mod waiting;

use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

/// Long enough to be measured, short enough to be waited for.
const SHORT: Duration = Duration::from_millis(15);

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
