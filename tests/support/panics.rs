//! Panics on purpose.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Unwinds without a message.
pub(crate) fn unwind() -> ! {
    resume_unwind(Box::new("on purpose"))
}

/// Whether `body` unwinds.
pub(crate) fn unwinds(body: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(body)).is_err()
}

/// What `body` says when it panics.
#[track_caller]
pub(crate) fn message_of<R>(body: impl FnOnce() -> R) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(body()))) else { panic!("no panic") };
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&str>().expect("a text")).to_owned(),
    }
}
