//! lockwork's models. `cargo loom` runs them; an ordinary build has nothing in it.
//!
//! Each model says which states it must have come to, in the crate (its `reached!` notes) or in the model itself
//! (`support::reach`): one that was never contended, or never timed out, fails.

#[cfg(all(feature = "model", not(loom)))]
compile_error!(
    "this is a run of the models without `--cfg loom`, which would pass with no model in it; \
     `cargo loom` sets it, unless the environment's RUSTFLAGS take its place"
);

#[cfg(all(test, loom))]
mod support;

#[cfg(all(test, loom))]
mod all;
#[cfg(all(test, loom))]
mod barrier;
#[cfg(all(test, loom))]
mod buffer;
#[cfg(all(test, loom))]
mod channel;
#[cfg(all(test, loom))]
mod condvar;
#[cfg(all(test, loom))]
mod event;
#[cfg(all(test, loom))]
mod latch;
#[cfg(all(test, loom))]
mod mutex;
#[cfg(all(test, loom))]
mod once;
#[cfg(all(test, loom))]
mod poison;
#[cfg(all(test, loom))]
mod reentrant;
#[cfg(all(test, loom))]
mod rwlock;
#[cfg(all(test, loom))]
mod semaphore;
#[cfg(all(test, loom))]
mod slots;
#[cfg(all(test, loom))]
mod thread_cell;
#[cfg(all(test, loom))]
mod thread_local;
#[cfg(all(test, loom))]
mod threads;
#[cfg(all(test, loom))]
mod timed;
#[cfg(all(test, loom))]
mod wait;
#[cfg(all(test, loom))]
mod wait_group;
