//! How the crate stands to the best reference lock on 4, 16, 64 and 128 cores of the mesh: the table of
//! `docs/scaling.md`, which `cargo sim goals` prints, and each of its ratios held with a tenth of slack.

use std::env;

use lockwork::sim::Machine;

use crate::locks::{Line, barging, futex, meeting, ring, shared, spin};
use crate::machines;
use crate::workloads::{
    Figures, Setting, broadcast, crowd, exclusive, meetings, permits, queue, shared as readers, turns,
};

const NS: u64 = Machine::NS;
const CORES: [usize; 4] = [4, 16, 64, 128];

type Condvar = Line<(lockwork::Mutex<u32>, Line<lockwork::Condvar>)>;

type Run = Box<dyn Fn(&Setting) -> Figures>;

pub(crate) struct Goal {
    name: String,
    /// What the ratios are to be.
    wanted: f64,
    own: Run,
    /// The best of which is what `own` is divided by.
    others: Vec<Run>,
    /// What the ratios are on [`CORES`].
    #[cfg_attr(not(test), allow(dead_code, reason = "held by the test"))]
    reached: [f64; 4],
}

impl Goal {
    fn new(name: &str, wanted: f64, own: Run, others: Vec<Run>, reached: [f64; 4]) -> Self {
        Self { name: name.to_string(), wanted, own, others, reached }
    }

    /// The mean of nine seeds: that of three differs by a seventh from that of three others where readers
    /// and writers take turns on many cores.
    fn ratio(&self, cores: usize) -> f64 {
        const SEEDS: u64 = 9;
        let rate = |run: &Run| {
            let on = |seed| Setting { seed, ..Setting::new(machines::mesh(cores)) };
            (1..=SEEDS).map(|seed| run(&on(seed)).rate()).sum::<f64>()
        };
        rate(&self.own) / self.others.iter().map(rate).fold(0.0, f64::max)
    }
}

fn run(run: impl Fn(&Setting) -> Figures + 'static) -> Run {
    Box::new(run)
}

/// Readers that do not meet are all alike, and many.
fn brief(on: &Setting, write_every: u64) -> Setting {
    let time = if write_every == 0 { on.time / 16 } else { on.time };
    Setting { time, ..on.clone() }
}

pub(crate) fn all() -> Vec<Goal> {
    let mut goals = Vec::new();
    for (title, section, blocking, mcs) in [
        ("0 ns", 0, [1.79, 1.07, 1.70, 1.28], [1.26, 0.53, 0.66, 0.50]),
        ("20 ns", 20 * NS, [1.66, 1.57, 1.60, 1.17], [1.21, 0.83, 0.69, 0.43]),
        ("500 ns", 500 * NS, [1.30, 1.88, 1.82, 1.73], [1.01, 1.00, 0.96, 0.92]),
        ("10 µs", 10_000 * NS, [1.05, 1.04, 1.05, 1.05], [0.90, 0.90, 0.91, 0.91]),
    ] {
        let own = || run(move |on| exclusive::<Line<lockwork::Mutex<()>>>(on, section));
        let others = vec![
            run(move |on| exclusive::<futex::Mutex>(on, section)),
            run(move |on| exclusive::<barging::Mutex>(on, section)),
        ];
        let name = format!("mutex, sections of {title}, over the best that blocks");
        goals.push(Goal::new(&name, 1.0, own(), others, blocking));
        let name = format!("mutex, sections of {title}, over MCS");
        let others = vec![run(move |on| exclusive::<spin::Mcs>(on, section))];
        goals.push(Goal::new(&name, 0.8, own(), others, mcs));
    }
    for (title, every, reached) in [
        ("reads only", 0, [1.01, 3.07, 25.0, 5.87]),
        ("one write in 100", 100, [0.62, 1.92, 1.68, 1.15]),
        ("one write in 10", 10, [0.98, 0.84, 1.05, 1.92]),
    ] {
        let own = run(move |on| readers::<Line<lockwork::RwLock<()>>>(&brief(on, every), every));
        let others = vec![
            run(move |on| readers::<shared::Central>(&brief(on, every), every)),
            run(move |on| readers::<shared::Sharded>(&brief(on, every), every)),
        ];
        goals.push(Goal::new(&format!("rwlock, {title}"), 1.0, own, others, reached));
    }
    for (count, reached) in [(1, [0.66, 0.63, 2.01, 3.39]), (4, [0.67, 1.83, 4.37, 6.57])] {
        let own = run(move |on| permits::<Line<lockwork::Semaphore>>(on, count));
        let others = vec![run(move |on| permits::<futex::Semaphore>(on, count))];
        goals.push(Goal::new(&format!("semaphore, permits: {count}"), 1.0, own, others, reached));
    }
    let others = vec![run(turns::<futex::Condvar>)];
    goals.push(Goal::new(
        "condvar, pairs that take turns",
        1.0,
        run(turns::<Condvar>),
        others,
        [10.86, 10.86, 10.86, 10.86],
    ));
    let others = vec![run(crowd::<futex::Condvar>)];
    goals.push(Goal::new(
        "condvar, `notify_all`",
        1.0,
        run(crowd::<Condvar>),
        others,
        [1.06, 2.79, 1.37, 1.23],
    ));
    let others = vec![run(meetings::<meeting::Blocking>)];
    goals.push(Goal::new(
        "barrier",
        1.0,
        run(meetings::<Line<lockwork::Barrier>>),
        others,
        [1.02, 1.01, 1.00, 26.4],
    ));
    let others = vec![run(broadcast::<futex::Event>)];
    goals.push(Goal::new(
        "event",
        1.0,
        run(broadcast::<Line<lockwork::Event>>),
        others,
        [1.00, 1.00, 1.00, 0.94],
    ));
    for (places, reached) in [(1, [1.03, 1.64, 1.54, 1.36]), (64, [2.03, 2.14, 1.79, 1.20])] {
        let own = run(move |on| queue::<Line<lockwork::BoundedBuffer<u64>>>(on, places));
        let others = vec![run(move |on| queue::<ring::Ring>(on, places))];
        goals.push(Goal::new(&format!("buffer, places: {places}"), 1.0, own, others, reached));
    }
    goals
}

/// Prints those whose name contains one of the words of the command line, or all.
pub(crate) fn print() {
    let words: Vec<String> = env::args().skip(2).collect();
    println!("| | goal | 4 cores | 16 | 64 | 128 |\n|---|--:|--:|--:|--:|--:|");
    for goal in all() {
        if !words.is_empty() && !words.iter().any(|word| goal.name.contains(word)) {
            continue;
        }
        print!("| {} | {} |", goal.name, goal.wanted);
        CORES.iter().for_each(|&cores| print!(" {:.2} |", goal.ratio(cores)));
        println!();
    }
}

#[cfg(test)]
mod tests {
    use super::{CORES, all};

    #[test]
    fn ratios_to_the_best_reference_are_what_they_were() {
        let mut worse = Vec::new();
        for goal in all() {
            for (&cores, &reached) in CORES.iter().zip(&goal.reached) {
                let found = goal.ratio(cores);
                let line = format!("{} on {cores} cores: {found:.3}, was {reached}", goal.name);
                println!("{line}");
                if found < reached / 1.1 {
                    worse.push(line);
                }
            }
        }
        assert_eq!(worse, [""; 0]);
    }
}
