//! lockwork on a simulated machine. `cargo sim` runs the tests, an ordinary build has nothing in it.
//! `docs/architecture.md` says how.

#[cfg(all(feature = "model", not(sim)))]
compile_error!(
    "this is a run without `--cfg sim`, which would pass with nothing in it; `cargo sim` sets it, unless the environment's \
     RUSTFLAGS take its place"
);

#[cfg(sim)]
mod all;
#[cfg(sim)]
mod bypass;
#[cfg(sim)]
mod costs;
#[cfg(sim)]
mod flows;
#[cfg(sim)]
mod goals;
#[cfg(sim)]
mod lines;
#[cfg(sim)]
mod locks;
#[cfg(sim)]
mod machines;
#[cfg(sim)]
mod priority;
#[cfg(sim)]
mod report;
#[cfg(sim)]
mod select;
#[cfg(sim)]
mod study;
#[cfg(sim)]
mod workloads;

/// Prints what `cargo sim report`, `cargo sim goals` and the like print.
#[cfg(sim)]
pub fn print(what: &str) {
    match what {
        "report" => report::run(),
        "bypass" => bypass::print(),
        "collapse" => goals::print_collapse(),
        "costs" => costs::print(),
        "flows" => flows::print(),
        "goals" => goals::print(),
        "priority" => priority::print(),
        "selecting" => select::print(),
        "study" => study::run(),
        "together" => all::print(),
        "versus" => report::compare(),
        "ranges" => report::ranges(),
        _ => (),
    }
}

#[cfg(all(test, sim))]
mod machine;
#[cfg(all(test, sim))]
mod numbers;
#[cfg(all(test, sim))]
mod truth;
