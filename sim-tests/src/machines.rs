//! The machines, and where what they cost is from.
//!
//! * Lines: [core-to-core-latency](https://github.com/nviennot/core-to-core-latency), medians of a
//!   compare-and-exchange from one core to another: Core i9-9900K 21 ns; Xeon Platinum 8375C 51 ns in a
//!   socket and 108 ns across; EPYC 7R13 23 ns in a complex of eight, 107 ns between two, 197 ns across
//!   sockets; Graviton3 46 ns.
//! * `PAUSE`: 140 cycles from Skylake on (Intel's optimization manual, "Pause Latency in Skylake
//!   Microarchitecture"), which is 30 ns at 4.7 GHz and 40 ns at 3.5; a Core i7-13700H has 25 ns on one sort
//!   of cores and 77 ns on the other ([golang/go#68578](https://github.com/golang/go/issues/68578)), Zen some
//!   14. On ARM a spin hint is an `isb` of some ten nanoseconds
//!   ([rust-lang/rust#84725](https://github.com/rust-lang/rust/pull/84725)).
//! * Time slices: a base slice of 2.8 ms on eight cores (`kernel/sched/fair.c`), which ends at a timer tick,
//!   of 4 ms at 250 Hz; [`measured`] has 3.9 ms. How late timers are: `timer_slack_ns` of prctl(2), 50 µs.
//! * System calls and wake-ups: of [`measured`] the first, and of the second a third, because there waking an
//!   idle core takes an interrupt through a hypervisor.
//! * [`measured`]: what `cargo sim costs` printed on the computer of `docs/benchmarks.md`.

use std::env;

use lockwork::sim::Machine;

const NS: u64 = Machine::NS;
const US: u64 = Machine::US;
const MS: u64 = Machine::MS;

/// What a cluster or a socket is that has no end.
const ALL: usize = usize::MAX;

/// A desktop processor, whose cores share a ring.
pub(crate) fn desktop(cores: usize) -> Machine {
    Machine {
        name: "desktop",
        cores,
        cluster: ALL,
        socket: ALL,
        hit: NS,
        exchange: 5 * NS,
        near: 21 * NS,
        middle: 21 * NS,
        far: 21 * NS,
        serve: 4 * NS,
        pause: 30 * NS,
        system_call: 150 * NS,
        switch: 1500 * NS,
        wake: 1500 * NS,
        wake_up: 4 * US,
        timer_slack: 50 * US,
        slice: 4 * MS,
        preempt_after: MS,
        hot: MS / 2,
        balance: MS,
        limit: 100_000 * MS,
    }
}

/// A server of one mesh: a line takes as long from any of its cores. The scheduler keeps threads in one
/// half of them if it can.
pub(crate) fn mesh(cores: usize) -> Machine {
    Machine {
        name: "mesh",
        socket: cores.div_ceil(2).max(32),
        near: 51 * NS,
        middle: 51 * NS,
        far: 108 * NS,
        serve: 8 * NS,
        pause: 40 * NS,
        ..desktop(cores)
    }
}

/// A server with two sockets of half the cores each, at least 32, each a mesh.
pub(crate) fn sockets(cores: usize) -> Machine {
    let mesh = mesh(cores);
    Machine { name: "two sockets", cluster: mesh.socket, ..mesh }
}

/// A server of chiplets: complexes of eight cores, sockets of 64.
pub(crate) fn chiplets(cores: usize) -> Machine {
    Machine {
        name: "chiplets",
        cluster: 8,
        socket: 64,
        near: 23 * NS,
        middle: 107 * NS,
        far: 197 * NS,
        serve: 6 * NS,
        pause: 14 * NS,
        ..desktop(cores)
    }
}

/// An ARM server, one mesh. There is none with more than 128 cores of that sort.
pub(crate) fn arm(cores: usize) -> Machine {
    Machine {
        name: "ARM",
        near: 46 * NS,
        middle: 46 * NS,
        far: 46 * NS,
        serve: 8 * NS,
        pause: 10 * NS,
        ..desktop(cores)
    }
}

/// A virtual machine of two cores.
pub(crate) fn measured(cores: usize) -> Machine {
    Machine {
        name: "measured",
        hit: NS / 4,
        exchange: 5 * NS,
        near: 100 * NS,
        middle: 100 * NS,
        far: 100 * NS,
        serve: 20 * NS,
        pause: 24 * NS,
        system_call: 145 * NS,
        switch: 1520 * NS,
        wake: 8400 * NS,
        wake_up: 11_800 * NS,
        slice: 3900 * US,
        ..desktop(cores)
    }
}

/// The one that `MACHINE` in the environment names, or the mesh.
pub(crate) fn chosen() -> fn(usize) -> Machine {
    match env::var("MACHINE").as_deref() {
        Ok("desktop") => desktop,
        Ok("chiplets") => chiplets,
        Ok("arm") => arm,
        Ok("measured") => measured,
        Ok("sockets") => sockets,
        Ok("mesh") | Err(_) => mesh,
        Ok(other) => panic!("no machine is called {other}"),
    }
}
