//! lockwork's models. `cargo loom` runs them; an ordinary build has nothing in it.
//!
//! Each model says which states it must have come to, in the crate (its `reached` notes) or in the model
//! itself (`support::reach`): one that was never contended, or never timed out, fails.

#[cfg(all(feature = "model", not(loom)))]
compile_error!(
    "this is a run of the models without `--cfg loom`, which would pass with no model in it; \
     `cargo loom` sets it, unless the environment's RUSTFLAGS take its place"
);

/// The models of the real primitives: of the specifications that can take their places `spec` has some.
#[cfg(all(test, loom, not(feature = "spec")))]
#[path = "."]
mod models {
    mod all;
    mod any;
    mod barrier;
    mod buffer;
    mod chain;
    mod channel;
    mod condvar;
    mod edges;
    mod event;
    mod latch;
    mod mutex;
    mod observe;
    mod once;
    mod poison;
    mod reentrant;
    mod ring;
    mod rwlock;
    mod semaphore;
    mod sleepers;
    mod slots;
    mod stop;
    mod support;
    mod thread_cell;
    mod thread_local;
    mod threads;
    mod timed;
    mod wait;
    mod wait_group;
}

#[cfg(all(test, loom))]
mod spec;

/// Linux on 64 bits: there the system call has the C library's arguments.
#[cfg(all(test, loom, target_os = "linux", target_pointer_width = "64"))]
mod stacks;
