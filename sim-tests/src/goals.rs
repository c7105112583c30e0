//! How the crate stands to the best reference lock on 4, 16, 64 and 128 cores of the mesh: the table of
//! `docs/scaling.md`, which `cargo sim goals` prints, and each of its ratios held with a tenth of slack.
//! `cargo sim goals -- semaphore collision_doublings=0` prints some of it with another number of the crate's,
//! and `MACHINE=chiplets cargo sim goals` those of another machine. What becomes of a mutex between 8 cores
//! and 128 `cargo sim collapse` prints.

use std::env;

use lockwork::sim::{self, Machine};

use crate::locks::{Line, barging, futex, meeting, ring, shared, spin};
use crate::workloads::{
    Figures, Setting, broadcast, crowd, exclusive, meetings, permits, queue, shared as readers, turns,
};
use crate::{machines, study};

const NS: u64 = Machine::NS;
const CORES: [usize; 4] = [4, 16, 64, 128];
const SEEDS: u64 = 9;
/// Of mutexes.
const SECTIONS: [(&str, u64); 4] =
    [("0 ns", 0), ("20 ns", 20 * NS), ("500 ns", 500 * NS), ("10 µs", 10_000 * NS)];

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
    fn ratio(&self, machine: &Machine) -> f64 {
        let rate = |run: &Run| {
            let on = |seed| Setting { seed, ..Setting::new(machine.clone()) };
            (1..=SEEDS).map(|seed| run(&on(seed)).rate()).sum::<f64>()
        };
        rate(&self.own) / self.others.iter().map(rate).fold(0.0, f64::max)
    }

    /// Whether what it is over only spins, so that what becomes of the ratio with more cores says whether the
    /// mutex collapses.
    #[cfg(test)]
    fn is_over_mcs(&self) -> bool {
        self.name.ends_with("over MCS")
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
    for ((title, section), blocking, mcs) in [
        (SECTIONS[0], [1.79, 1.38, 1.98, 1.16], [1.26, 0.69, 0.77, 0.45]),
        (SECTIONS[1], [1.59, 1.69, 1.87, 1.20], [1.16, 0.89, 0.80, 0.44]),
        (SECTIONS[2], [1.30, 1.87, 1.82, 1.74], [1.01, 0.99, 0.96, 0.92]),
        (SECTIONS[3], [1.05, 1.05, 1.05, 1.05], [0.90, 0.91, 0.90, 0.91]),
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
        ("one write in 100", 100, [0.62, 1.91, 1.73, 1.20]),
        ("one write in 10", 10, [0.98, 0.81, 1.10, 1.77]),
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
        [10.61, 10.61, 10.61, 10.61],
    ));
    let others = vec![run(crowd::<futex::Condvar>)];
    goals.push(Goal::new(
        "condvar, `notify_all`",
        1.0,
        run(crowd::<Condvar>),
        others,
        [1.06, 2.79, 1.37, 1.26],
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
    for (places, reached) in [(1, [1.04, 1.65, 1.47, 1.41]), (64, [2.03, 2.15, 1.80, 1.21])] {
        let own = run(move |on| queue::<Line<lockwork::BoundedBuffer<u64>>>(on, places));
        let others = vec![run(move |on| queue::<ring::Ring>(on, places))];
        goals.push(Goal::new(&format!("buffer, places: {places}"), 1.0, own, others, reached));
    }
    goals
}

/// Prints those whose name contains one of the words of the command line, or all; `name=value` is another
/// number of the crate's.
pub(crate) fn print() {
    let (numbers, words): (Vec<String>, Vec<String>) =
        env::args().skip(2).partition(|argument| argument.contains('='));
    let numbers: Vec<_> = numbers.into_iter().flat_map(study::parse).collect();
    let machine = machines::chosen();
    let cores: &[usize] = match machine(2).name {
        "mesh" => &CORES,
        "two sockets" => &[64, 128],
        _ => &[16, 64],
    };
    print!("| {} | goal |", machine(2).name);
    cores.iter().for_each(|cores| print!(" {cores} cores |"));
    println!("\n|---|--:|{}", "--:|".repeat(cores.len()));
    for goal in all() {
        if !words.is_empty() && !words.iter().any(|word| goal.name.contains(word)) {
            continue;
        }
        print!("| {} | {} |", goal.name, goal.wanted);
        for &cores in cores {
            let (ratio, _) = sim::with_numbers(&numbers, || goal.ratio(&machine(cores)));
            print!(" {ratio:.2} |");
        }
        println!();
    }
}

/// Prints, for each length of sections, the ratio to MCS on 8 cores and on 128, and what is left of the first
/// in the second; with empty ones also on a mesh whose wake-ups take next to no time, and with other numbers.
pub(crate) fn print_collapse() {
    type Change = fn(&mut Machine);
    let wake_ups: Change = |machine| (machine.wake, machine.wake_up) = (50 * NS, 50 * NS);
    type Cause = (&'static str, Change, &'static [(&'static str, u32)]);
    let changes: [Cause; 5] = [
        ("as it is", |_| (), &[]),
        ("wake-ups of 0.1 µs", wake_ups, &[]),
        ("collision_doublings 8", |_| (), &[("collision_doublings", 8)]),
        ("handoff_looks 0", |_| (), &[("handoff_looks", 0)]),
        ("unlock_turn never", |_| (), &[("unlock_turn", u32::MAX)]),
    ];
    println!(
        "| sections | | 8 cores | transfers | wake-ups | 128 cores | transfers | wake-ups | 128 over 8 |"
    );
    println!("|---|---|--:|--:|--:|--:|--:|--:|--:|");
    for (title, section) in SECTIONS {
        let changes = if section == 0 { &changes[..] } else { &changes[..1] };
        for &(name, change, numbers) in changes {
            let on = |cores, seed| {
                let mut machine = machines::mesh(cores);
                change(&mut machine);
                Setting { seed, ..Setting::new(machine) }
            };
            let [few, many] = [8, 128].map(|cores| {
                let mean = |run: &dyn Fn(u64) -> f64| (1..=SEEDS).map(run).sum::<f64>() / SEEDS as f64;
                let own = |seed| exclusive::<Line<lockwork::Mutex<()>>>(&on(cores, seed), section);
                let (own, _) = sim::with_numbers(numbers, || (1..=SEEDS).map(own).collect::<Vec<_>>());
                let of = |number: fn(&Figures) -> f64| own.iter().map(number).sum::<f64>() / SEEDS as f64;
                let mcs = mean(&|seed| exclusive::<spin::Mcs>(&on(cores, seed), section).rate());
                (of(Figures::rate) / mcs, of(Figures::transfers), of(Figures::wakes))
            });
            print!("| {title} | {name} |");
            for (ratio, transfers, wakes) in [few, many] {
                print!(" {ratio:.2} | {transfers:.2} | {wakes:.3} |");
            }
            println!(" {:.2} |", many.0 / few.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CORES, all};
    use crate::machines;

    /// What is left at 128 cores of the ratio to MCS at 8, by the length of sections. It was to be 0.8.
    const LEFT: [(&str, f64); 4] = [("0 ns", 0.48), ("20 ns", 0.55), ("500 ns", 0.91), ("10 µs", 1.0)];

    #[test]
    fn ratios_to_the_best_reference_are_what_they_were() {
        let mut worse = Vec::new();
        for goal in all() {
            let mut hold = |found: f64, reached: f64, where_: &str| {
                let line = format!("{} {where_}: {found:.3}, was {reached}", goal.name);
                println!("{line}");
                if found < reached / 1.1 {
                    worse.push(line);
                }
            };
            let found = CORES.map(|cores| goal.ratio(&machines::mesh(cores)));
            for ((cores, found), reached) in CORES.iter().zip(found).zip(goal.reached) {
                hold(found, reached, &format!("on {cores} cores"));
            }
            if goal.is_over_mcs() {
                let of = |(section, _): &&(&str, f64)| goal.name.contains(&format!(" of {section},"));
                let (_, left) = LEFT.iter().find(of).expect("a row for each section");
                hold(found[3] / goal.ratio(&machines::mesh(8)), *left, "on 128 cores, over that on 8");
            }
        }
        assert_eq!(worse, [""; 0]);
    }
}
