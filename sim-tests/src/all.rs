//! Threads that want the same locks at once, by `lock_all`, each in its own order, beside threads that nest
//! them. `cargo sim together` prints the table of `docs/scaling.md`, and some of its numbers are held with a
//! tenth of slack.

use std::array;

use lockwork::sim::{self, Machine};
use lockwork::{Mutex, lock_all};

use crate::locks::Line;
use crate::machines;
use crate::workloads::{Figures, Setting, measure};

const NS: u64 = Machine::NS;
/// How long a thread has all locks.
const SECTION: u64 = 200 * NS;

/// By rising address.
type Locks<const N: usize> = [Line<Mutex<u64>>; N];

/// What a thread does that has all locks. Each is changed, so that its line is taken along.
fn section<'a>(guards: impl IntoIterator<Item = lockwork::MutexGuard<'a, u64>>, served: impl FnOnce()) {
    served();
    let mut guards: Vec<_> = guards.into_iter().collect();
    guards.iter_mut().for_each(|guard| **guard += 1);
    sim::work(SECTION);
}

/// `setting.threads` threads lock `N` mutexes: each begins its set with another one, and every other thread
/// names them backwards. The last `nesting` of them lock one inside the other, from the highest address down,
/// which is the order that stands against that of `lock_all`.
fn together<const N: usize>(setting: &Setting, nesting: usize) -> Figures {
    let all = setting.threads - nesting;
    measure(
        if nesting == 0 { "lock_all" } else { "lock_all beside nesting" },
        setting,
        || -> Locks<N> { array::from_fn(|_| Line(Mutex::new(0))) },
        |locks, observer, number| {
            observer.begins(number);
            let served = || observer.is_served(number);
            if number < all {
                let mut set: [&Mutex<u64>; N] = array::from_fn(|at| &locks[(at + number / 2) % N].0);
                if number % 2 == 1 {
                    set.reverse();
                }
                section(lock_all(&set), served);
            } else {
                section(locks.iter().rev().map(|lock| lock.0.lock()), served);
            }
            sim::work(sim::random(setting.pause + 1));
        },
    )
}

/// The means of some runs.
struct Found {
    rate: f64,
    /// Least over most served among those that lock all at once.
    fairness: f64,
    /// How many those that lock all at once and those that nest are served, each on average: the one over the
    /// other.
    over_nesting: f64,
    longest_bypass: f64,
    /// Whether each thread was served in each run.
    #[cfg_attr(not(test), allow(dead_code, reason = "held by the test"))]
    all_served: bool,
}

impl Found {
    fn add(&mut self, figures: &Figures, nesting: usize, share: f64) {
        let (all, nested) = figures.each.split_at(figures.each.len() - nesting);
        let mean = |each: &[u64]| each.iter().sum::<u64>() as f64 / each.len() as f64;
        let (least, most) = (all.iter().min().unwrap(), all.iter().max().unwrap());
        self.rate += share * figures.rate();
        self.fairness += share * *least as f64 / *most.max(&1) as f64;
        self.over_nesting += share * mean(all) / mean(nested);
        self.longest_bypass += share * figures.longest_bypass as f64;
        self.all_served &= figures.each.iter().all(|&served| served > 0);
    }
}

/// How many lock all at once, and how many nest.
const CROWDS: [(usize, usize); 6] = [(2, 0), (2, 1), (8, 0), (8, 2), (64, 0), (64, 2)];

fn found<const N: usize>(machine: fn(usize) -> Machine, (all, nesting): (usize, usize)) -> Found {
    // Of 64 threads a run is many operations.
    let (seeds, millis): (u32, u64) = if all > 8 { (5, 20) } else { (15, 8) };
    let setting = Setting { time: millis * Machine::MS, ..Setting::new(machine(all + nesting)) };
    let mut found =
        Found { rate: 0.0, fairness: 0.0, over_nesting: 0.0, longest_bypass: 0.0, all_served: true };
    for seed in 1..=u64::from(seeds) {
        let figures = together::<N>(&Setting { seed, ..setting.clone() }, nesting);
        found.add(&figures, nesting, 1.0 / f64::from(seeds));
    }
    found
}

/// Prints the table.
pub(crate) fn print() {
    println!(
        "| machine | locks | all at once | nesting | M/s | least/most | over nesting | longest bypass |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|");
    for machine in [machines::mesh, machines::chiplets] {
        for crowd in CROWDS {
            print_row::<2>(machine, crowd);
            print_row::<4>(machine, crowd);
        }
    }
}

fn print_row<const N: usize>(machine: fn(usize) -> Machine, crowd: (usize, usize)) {
    let (all, nesting) = crowd;
    let Found { rate, fairness, over_nesting, longest_bypass, .. } = found::<N>(machine, crowd);
    let over_nesting = if nesting == 0 { "–".to_string() } else { format!("{over_nesting:.2}") };
    println!(
        "| {} | {N} | {all} | {nesting} | {rate:.3} | {fairness:.2} | {over_nesting} | {longest_bypass:.0} |",
        machine(2).name,
    );
}

#[cfg(test)]
mod tests {
    use lockwork::RwLock;

    use super::*;
    use crate::numbers::{at_least, at_most};
    use crate::workloads::over_seeds;

    /// How often in a millisecond a thread is served that writes two locks at once, of each of which three
    /// threads read, so that there is always a reader in.
    fn writer_beside_readers(section: u64) -> f64 {
        const MILLIS: u64 = 40;
        let writes = |seed| {
            let make = || -> [Line<RwLock<()>>; 2] { array::from_fn(|_| Line(RwLock::new(()))) };
            let outcome = sim::run(&machines::mesh(7), seed, 7, 0, make, |locks, number| {
                let mut writes = 0_u32;
                while sim::time() < MILLIS * Machine::MS {
                    if number == 0 {
                        drop(lock_all((locks[1].0.writing(), locks[0].0.writing())));
                        writes += 1;
                        sim::work(20_000 * NS);
                    } else {
                        let reading = locks[number % 2].0.read();
                        sim::work(section / 2 + sim::random(section));
                        drop(reading);
                    }
                }
                f64::from(writes) / MILLIS as f64
            });
            outcome.results[0]
        };
        over_seeds(writes)
    }

    // When two of three attempts from the ninth on waited for a lock while they held another, 2 threads
    // beside one that nests four locks had 0.027 M/s in place of 1.2, and not all of them were served.
    fn held<const N: usize>(
        machine: fn(usize) -> Machine,
        crowd: (usize, usize),
        [rate, fairness, bypass]: [f64; 3],
    ) {
        let found = found::<N>(machine, crowd);
        let what = |of: &str| format!("{of}, {N} locks, {} at once and {} nesting", crowd.0, crowd.1);
        at_least(found.rate, rate, &what("M/s"));
        at_least(found.fairness, fairness, &what("least over most served"));
        at_most(found.longest_bypass, bypass, &what("longest bypass"));
        assert!(found.all_served, "{}", what("a thread is not served"));
    }

    #[test]
    fn opposite_orders_make_progress() {
        held::<2>(machines::mesh, (2, 0), [2.604, 0.857, 103.6]);
        held::<4>(machines::mesh, (8, 0), [2.440, 0.71, 484.0]);
        held::<2>(machines::mesh, (64, 0), [2.612, 0.397, 2794.0]);
    }

    #[test]
    fn opposite_orders_beside_nesting_make_progress() {
        held::<4>(machines::mesh, (2, 1), [1.211, 0.872, 236.0]);
        held::<4>(machines::mesh, (8, 2), [0.885, 0.503, 732.0]);
        held::<2>(machines::mesh, (64, 2), [1.113, 0.256, 2684.0]);
        held::<4>(machines::chiplets, (8, 2), [0.742, 0.477, 607.0]);
    }

    /// Without attempts that wait with a lock held: 10.6, 2.9 and 0.03.
    #[test]
    fn readers_do_not_keep_out_one_that_writes_all() {
        for (section, rate) in [(500 * NS, 21.8), (10_000 * NS, 4.06), (100_000 * NS, 0.45)] {
            at_least(
                writer_beside_readers(section),
                rate,
                &format!("writes in a ms beside sections of {} ns", section / NS),
            );
        }
    }
}
