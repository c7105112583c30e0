//! Stress bodies of lockwork's larger types under shuttle's random schedules. `cargo shuttle` runs them, an
//! ordinary build has nothing in it. `SCHEDULES` in the environment sets how many schedules each body is run
//! in.

#[cfg(all(feature = "model", not(shuttle)))]
compile_error!(
    "this is a run without `--cfg shuttle`, which would pass with nothing in it; `cargo shuttle` sets it, unless the \
     environment's RUSTFLAGS take its place"
);

#[cfg(all(test, shuttle))]
mod stress;
