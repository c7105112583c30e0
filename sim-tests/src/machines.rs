//! The machines.

use lockwork::sim::Machine;

/// A desktop's ring.
pub fn desktop(cores: usize) -> Machine {
    Machine {
        name: "desktop",
        cores,
        cluster: 256,
        socket: 256,
        hit: Machine::NS,
        exchange: 5 * Machine::NS,
        near: 28 * Machine::NS,
        middle: 28 * Machine::NS,
        far: 28 * Machine::NS,
        serve: 5 * Machine::NS,
        pause: 40 * Machine::NS,
        system_call: 200 * Machine::NS,
        switch: 1200 * Machine::NS,
        wake: 1000 * Machine::NS,
        wake_up: 5 * Machine::US,
        timer_slack: 50 * Machine::US,
        slice: 3 * Machine::MS,
        preempt_after: Machine::MS,
        hot: Machine::MS / 2,
        balance: Machine::MS,
        limit: 100_000 * Machine::MS,
    }
}
