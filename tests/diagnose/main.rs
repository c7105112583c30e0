//! Diagnosis: a binary of its own, because it needs the feature, and because its sessions watch the process.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests use std to check this crate")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "tests state what they do in prose")]

mod asserts;
mod cycles;
mod ends;
mod environment;
mod holds;
mod profile;
mod relock;
mod stalls;
#[allow(dead_code, unused_imports, reason = "of the tests of the primitives")]
#[path = "../support/mod.rs"]
mod support;
mod tasks;

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use lockwork::diagnose::{
    self, Cycle, Hold, Order, Place, Relock, Report, Session, Settings, Snapshot, Stall, ThreadState, Wait,
};
use static_assertions::{assert_impl_all, assert_not_impl_any};

assert_impl_all!(Settings: Send, Sync, Unpin, std::fmt::Debug, Default);
assert_impl_all!(Session: Send, Sync, Unpin, std::fmt::Debug);
assert_not_impl_any!(Session: Clone);
assert_impl_all!(Report: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Clone, std::fmt::Debug, std::fmt::Display);
assert_impl_all!(Cycle: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Clone, std::fmt::Debug, std::fmt::Display);
assert_impl_all!(Stall: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Clone, std::fmt::Debug, std::fmt::Display);
assert_impl_all!(Snapshot: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Clone, std::fmt::Debug, std::fmt::Display);
assert_impl_all!(ThreadState: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Clone, std::fmt::Debug);
assert_impl_all!(Hold: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Clone, std::fmt::Debug);
assert_impl_all!(Wait: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Clone, std::fmt::Debug);
assert_impl_all!(Place: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Copy, std::fmt::Debug, std::fmt::Display);

/// A session whose reports come out of the other half.
fn session(stall_after: Option<Duration>, change: impl FnOnce(&mut Settings)) -> (Session, Receiver<Report>) {
    let (found, reports) = channel();
    // All that it has: what is added to it breaks such a literal.
    let mut settings = Settings {
        stall_after,
        order: Order::Off,
        relock: Relock::Report,
        profile: None,
        sink: Box::new(move |report| drop(found.send(report.clone()))),
    };
    change(&mut settings);
    (diagnose::start(settings), reports)
}

/// The first report that is wanted. Others are of other tests.
fn find<R>(reports: &Receiver<Report>, mut wanted: impl FnMut(Report) -> Option<R>) -> R {
    loop {
        if let Some(found) = wanted(reports.recv().expect("the session runs")) {
            return found;
        }
    }
}

/// What the thread of this name holds and waits for. `None` if that is nothing.
fn state_of(name: &str) -> Option<diagnose::ThreadState> {
    let named = |thread: &diagnose::ThreadState| {
        thread.name.as_deref() == Some(name) && (thread.waits.is_some() || !thread.holds.is_empty())
    };
    diagnose::snapshot().threads.into_iter().find(named)
}

/// Spawns a thread with this name.
fn spawn<'s, R: Send + 's>(
    scope: &'s std::thread::Scope<'s, '_>,
    name: &str,
    body: impl FnOnce() -> R + Send + 's,
) -> std::thread::ScopedJoinHandle<'s, R> {
    std::thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, body).unwrap()
}

/// Waits until the thread of this name sleeps.
fn until_asleep(name: &str) {
    support::eventually(|| state_of(name).is_some_and(|thread| thread.waits.is_some()));
}
