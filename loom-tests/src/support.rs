//! How a model is run, and how it proves that it was about something.
#![allow(clippy::disallowed_types, reason = "the counter of interleavings is outside the model")]

use lockwork::internals;
pub(crate) use loom::cell::UnsafeCell;
pub(crate) use loom::thread;
pub(crate) use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
pub(crate) use std::time::Duration;

/// Any finite time-out: in a model it may pass at once, or when all others is done.
pub(crate) const SOON: Duration = Duration::from_secs(1);

/// Explores all interleavings of `body`, and checks that each state in `must_reach` was reached in one of
/// them.
pub(crate) fn model(must_reach: &[&str], body: impl Fn() + Sync + Send + 'static) {
    run(None, must_reach, body);
}

/// The same with at most `bound` preemptions in one interleaving, for a model of three threads or a long one
/// of two; `why` says which. With `UNBOUNDED` in the environment the bounds are lifted, for the thread that
/// has the time.
pub(crate) fn model_bounded(
    bound: usize,
    why: &str,
    must_reach: &[&str],
    body: impl Fn() + Sync + Send + 'static,
) {
    assert!(bound >= 3, "fewer than three preemptions have hidden a real bug before");
    assert!(!why.is_empty());
    run(Some(bound), must_reach, body);
}

/// The most preemptions that any model explores, if the environment's `BOUND` says so: a quick look, which
/// finds most of what a model finds and proves nothing. Such a model need not come to its states.
fn quick_look() -> Option<usize> {
    std::env::var("BOUND").ok().map(|bound| bound.parse().expect("BOUND is a number"))
}

fn run(bound: Option<usize>, must_reach: &[&str], body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = bound.filter(|_| std::env::var_os("UNBOUNDED").is_none());
    let quick = quick_look();
    if let Some(quick) = quick {
        builder.preemption_bound = Some(bound.map_or(quick, |bound| bound.min(quick)));
    }
    builder.max_branches = 10_000;
    // Whatever the environment says: a model that is cut short proves nothing.
    builder.max_permutations = None;
    builder.max_duration = None;
    let _ = internals::take_notes();
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        internals::set_endless_rounds(false);
        internals::set_turns(false);
        internals::set_looks(false);
        internals::set_lives(1);
        internals::set_starves(true);
        body();
    });
    eprintln!("{} interleavings", runs.load(Ordering::Relaxed));
    let reached = internals::take_notes();
    for state in must_reach {
        assert!(
            quick.is_some() || reached.contains(state),
            "the model never reached «{state}», only {reached:?}"
        );
    }
}

/// Notes that the model has come to `state`.
pub(crate) fn reach(state: &'static str) {
    internals::note(state);
}

/// A deadline may outlive so many wake-ups less one, in the model whose body begins with this: a timed waiter
/// that was woken in vain may wait again before its time is up.
pub(crate) fn lives(lives: u32) {
    internals::set_lives(lives);
}

/// No waiter is starving, in the model whose body begins with this: one of three threads that is about
/// something else.
pub(crate) fn patient() {
    internals::set_starves(false);
}

/// Whether a writer that waits for a reader slot waits until it is woken, from here on in this run of the
/// model.
pub(crate) fn endless_rounds(endless: bool) {
    internals::set_endless_rounds(endless);
}

/// A plain value that only a happens-before edge protects: loom reports any access without one as a race.
pub(crate) struct Plain(UnsafeCell<usize>);

impl Plain {
    pub(crate) fn new(value: usize) -> Self {
        Self(UnsafeCell::new(value))
    }

    pub(crate) fn get(&self) -> usize {
        // SAFETY: the model has an edge here, or loom reports that it has none.
        self.0.with(|value| unsafe { *value })
    }

    pub(crate) fn set(&self, value: usize) {
        // SAFETY: as above.
        self.0.with_mut(|old| unsafe { *old = value });
    }
}

// SAFETY: whether accesses are ordered is what the models are to find out.
unsafe impl Sync for Plain {}
