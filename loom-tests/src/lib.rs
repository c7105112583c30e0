//! lockwork's models. `cargo loom` runs them; an ordinary build has nothing in it.
//!
//! Each model says which states it must have come to, in the crate (its `reached!` notes) or in the model itself
//! (`support::reach`): one that was never contended, or never timed out, fails.

#[cfg(all(feature = "model", not(loom)))]
compile_error!(
    "this is a run of the models without `--cfg loom`, which would pass with no model in it; \
     `cargo loom` sets it, unless the environment's RUSTFLAGS take its place"
);

#[cfg(all(test, loom, not(feature = "spec")))]
mod support;

#[cfg(all(test, loom, not(feature = "spec")))]
mod all;
#[cfg(all(test, loom, not(feature = "spec")))]
mod any;
#[cfg(all(test, loom, not(feature = "spec")))]
mod barrier;
#[cfg(all(test, loom, not(feature = "spec")))]
mod buffer;
#[cfg(all(test, loom, not(feature = "spec")))]
mod chain;
#[cfg(all(test, loom, not(feature = "spec")))]
mod channel;
#[cfg(all(test, loom, not(feature = "spec")))]
mod condvar;
#[cfg(all(test, loom, not(feature = "spec")))]
mod edges;
#[cfg(all(test, loom, not(feature = "spec")))]
mod event;
#[cfg(all(test, loom, not(feature = "spec")))]
mod latch;
#[cfg(all(test, loom, not(feature = "spec")))]
mod mutex;
#[cfg(all(test, loom, not(feature = "spec")))]
mod once;
#[cfg(all(test, loom, not(feature = "spec")))]
mod poison;
#[cfg(all(test, loom, not(feature = "spec")))]
mod reentrant;
#[cfg(all(test, loom, not(feature = "spec")))]
mod ring;
#[cfg(all(test, loom, not(feature = "spec")))]
mod rwlock;
#[cfg(all(test, loom, not(feature = "spec")))]
mod semaphore;
#[cfg(all(test, loom, not(feature = "spec")))]
mod slots;
#[cfg(all(test, loom, not(feature = "spec")))]
mod stop;
#[cfg(all(test, loom, not(feature = "spec")))]
mod thread_cell;
#[cfg(all(test, loom, not(feature = "spec")))]
mod thread_local;
#[cfg(all(test, loom, not(feature = "spec")))]
mod threads;
#[cfg(all(test, loom, not(feature = "spec")))]
mod timed;
#[cfg(all(test, loom, not(feature = "spec")))]
mod wait;
#[cfg(all(test, loom, not(feature = "spec")))]
mod wait_group;

#[cfg(all(test, loom))]
mod spec;
