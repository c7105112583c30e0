//! lockwork on a simulated machine. `cargo sim` runs the tests, an ordinary build has nothing in it.
//! `docs/architecture.md` says how.

#[cfg(all(feature = "model", not(sim)))]
compile_error!(
    "this is a run without `--cfg sim`, which would pass with nothing in it; `cargo sim` sets it, unless the environment's \
     RUSTFLAGS take its place"
);

#[cfg(sim)]
mod lines;
#[cfg(sim)]
pub mod machines;

#[cfg(all(test, sim))]
mod machine;
