//! How long a thread waits at most while others are served, on 4, 16, 64 and 128 cores of the mesh.
//! `cargo sim bypass` prints the table of `docs/scaling.md`, and its figures are held: where the length of
//! the queue says how long it takes with a tenth of slack, else with a half, as the longest of some
//! thousands of waits is chance.

use lockwork::sim::Machine;

use crate::locks::Line;
use crate::machines;
use crate::workloads::{Figures, Setting, exclusive, permits, writers};

const NS: u64 = Machine::NS;
const US: u64 = Machine::US;
const CORES: [usize; 4] = [4, 16, 64, 128];

struct Row {
    name: &'static str,
    /// For how long it is measured: several times as long as the longest waits.
    millis: u64,
    run: fn(&Setting) -> Figures,
}

type Mutex = Line<lockwork::Mutex<()>>;

const ROWS: [Row; 7] = [
    Row::of("mutex, sections of 0 ns", 10, |on| exclusive::<Mutex>(on, 0)),
    Row::of("mutex, 20 ns", 10, |on| exclusive::<Mutex>(on, 20 * NS)),
    Row::of("mutex, 500 ns", 40, |on| exclusive::<Mutex>(on, 500 * NS)),
    Row::of("mutex, 10 µs", 200, |on| exclusive::<Mutex>(on, 10 * US)),
    Row::of("semaphore, one permit", 40, |on| permits::<Line<lockwork::Semaphore>>(on, 1)),
    Row::of("rwlock, writers, one write in 10", 20, |on| writers::<Line<lockwork::RwLock<()>>>(on, 10)),
    Row::of("rwlock, writers, one write in 100", 20, |on| writers::<Line<lockwork::RwLock<()>>>(on, 100)),
];

impl Row {
    const fn of(name: &'static str, millis: u64, run: fn(&Setting) -> Figures) -> Self {
        Self { name, millis, run }
    }

    /// The most others that are served while one waits, and the longest wait in microseconds: the means of
    /// nine runs.
    fn found(&self, cores: usize) -> (f64, f64) {
        const SEEDS: u64 = 9;
        let (mut bypass, mut wait) = (0.0, 0.0);
        for seed in 1..=SEEDS {
            let setting =
                Setting { seed, time: self.millis * Machine::MS, ..Setting::new(machines::chosen()(cores)) };
            let figures = (self.run)(&setting);
            bypass += figures.longest_bypass as f64 / SEEDS as f64;
            wait += figures.longest_wait() as f64 / (SEEDS * US) as f64;
        }
        (bypass, wait)
    }
}

/// Prints the table.
pub(crate) fn print() {
    println!("| | 4 cores | µs | 16 | µs | 64 | µs | 128 | µs |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|");
    for row in ROWS {
        print!("| {} |", row.name);
        for cores in CORES {
            let (bypass, wait) = row.found(cores);
            print!(" {bypass:.0} | {wait:.0} |");
        }
        println!();
    }
}

#[cfg(test)]
mod tests {
    use super::{CORES, ROWS};
    use crate::numbers::at_most;

    /// Of each row the longest bypass on so many cores.
    const HELD: [[f64; 4]; 7] = [
        [333.0, 718.0, 2741.0, 13_303.0],
        [284.0, 881.0, 3008.0, 12_166.0],
        [1496.0, 4231.0, 12_400.0, 18_358.0],
        [135.0, 675.0, 2837.0, 5920.0],
        [3.0, 15.0, 6659.0, 11_102.0],
        [550.0, 174.0, 1422.0, 4164.0],
        [280.0, 542.0, 158.0, 3358.0],
    ];

    #[test]
    fn bypass_has_a_bound() {
        for (row, held) in ROWS.iter().zip(HELD) {
            for (cores, most) in CORES.into_iter().zip(held) {
                let (bypass, wait) = row.found(cores);
                let what = format!("{} on {cores} cores", row.name);
                println!("{what}: bypassed by {bypass:.0}, was {most}, in {wait:.0} µs");
                assert!(bypass <= 1.5 * most, "{what}: bypassed by {bypass:.0}, was {most}");
                if row.name == "mutex, 10 µs" {
                    // Half a millisecond at the front of the queue, one after the other.
                    at_most(wait, 520.0 * (cores as f64 - 1.0), &format!("longest wait in µs, {what}"));
                }
            }
        }
    }
}
