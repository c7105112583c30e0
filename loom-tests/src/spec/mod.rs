//! The primitives as specifications (`loom-spec`) beside the real ones: what a specification costs, that it
//! hides no race and no deadlock, and that it allows whatever the real primitive does.
//!
//! `cargo loom` runs the programs in the other files but `costs` on the real primitives, `cargo loom-spec`
//! on the specifications. Both compare with the same list of outcomes: the real ones are among it, and the
//! specifications have all of it.
#![allow(clippy::disallowed_types, reason = "what a model comes to is counted outside the model")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex as Outside, PoisonError};

mod barrier;
mod buffer;
#[cfg(feature = "spec")]
mod costs;
mod once;
mod places;
mod primitives;
mod rwlock;

/// What a small program may come to.
fn outcomes(
    bound: Option<usize>,
    body: impl Fn() -> String + Send + Sync + 'static,
) -> (usize, BTreeSet<String>) {
    let seen = Arc::new(Outside::new((0, BTreeSet::new())));
    let noted = Arc::clone(&seen);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = bound;
    builder.max_branches = 10_000;
    builder.max_permutations = None;
    builder.max_duration = None;
    builder.check(move || {
        let outcome = body();
        let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.0 += 1;
        noted.1.insert(outcome);
    });
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    eprintln!("{} interleavings", seen.0);
    seen.clone()
}

/// The real primitive's outcomes are among `allowed`; its specification's are `allowed`.
fn program(allowed: &[&str], body: impl Fn() -> String + Send + Sync + 'static) {
    let (_, seen) = outcomes(if cfg!(feature = "spec") { None } else { Some(3) }, body);
    let allowed = allowed.iter().map(ToString::to_string).collect();
    if cfg!(feature = "spec") {
        assert_eq!(seen, allowed);
    } else {
        assert!(seen.is_subset(&allowed), "not in the specification: {:?}", &seen - &allowed);
    }
}

/// One thread does `first`, the other `second`.
fn two<T: Send + Sync + 'static>(
    allowed: &[&str],
    make: fn() -> T,
    first: fn(&T) -> String,
    second: fn(&T) -> String,
) {
    program(allowed, move || {
        let shared = Arc::new(make());
        let other = Arc::clone(&shared);
        let thread = loom::thread::spawn(move || first(&other));
        let this = second(&shared);
        format!("{} {this}", thread.join().unwrap())
    });
}
