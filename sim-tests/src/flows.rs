//! Buffers between several threads: many to one, one to many and many to many, through few places, many and
//! without a bound, on two cores and on eight. `cargo sim flows` prints the table of `docs/scaling.md`; the
//! means of each of its rows are held with a tenth of slack, and the lowest rate with a third: of few places
//! and more threads than cores it is chance.

use lockwork::sim::Machine;

use crate::locks::{Line, deque, ring};
use crate::machines;
use crate::workloads::{Flow, Setting, Sides, flow};

const UNBOUNDED: usize = usize::MAX;
const PLACES: [usize; 5] = [1, 2, 64, 1024, UNBOUNDED];

type MakeMachine = fn(usize) -> Machine;

/// A row of the table: those at the buffer, and where.
struct Row {
    machine: MakeMachine,
    cores: usize,
    sides: Sides,
}

/// What came of one cell.
#[derive(Clone, Copy, Debug)]
struct Found {
    /// Over that of the fastest reference.
    rate: f64,
    /// Processor time of an item, over that of the thriftiest reference.
    cpu: f64,
    /// Least over most served.
    fairness: f64,
}

impl Row {
    fn name(&self) -> String {
        let Sides { putters, getters, batch, bytes } = self.sides;
        format!("{} | {putters}p{getters}c | {batch} | {bytes}", self.cores)
    }

    /// The mean of three seeds. A run on two cores is to be long enough for each thread to be on one.
    fn cell(&self, places: usize) -> Found {
        const SEEDS: u64 = 3;
        let millis = if self.cores == 2 { 24 } else { 4 };
        let mean = |run: fn(&Setting, usize, Sides) -> Flow| {
            let mut sum = Flow::default();
            for seed in 1..=SEEDS {
                let machine = (self.machine)(self.cores);
                let setting = Setting { seed, time: millis * Machine::MS, ..Setting::new(machine) };
                let flow = run(&setting, places, self.sides);
                sum.rate += flow.rate / SEEDS as f64;
                sum.cpu += flow.cpu / SEEDS as f64;
                sum.fairness += flow.fairness / SEEDS as f64;
            }
            sum
        };
        let own = mean(flow::<Line<lockwork::BoundedBuffer<u64>>>);
        let mut others = vec![mean(flow::<deque::Deque>)];
        if places != UNBOUNDED {
            others.push(mean(flow::<ring::Ring>));
        }
        Found {
            rate: own.rate / others.iter().map(|flow| flow.rate).fold(0.0, f64::max),
            cpu: own.cpu / others.iter().map(|flow| flow.cpu).fold(f64::INFINITY, f64::min),
            fairness: own.fairness,
        }
    }
}

/// The geometric means of the ratios, and the mean of the rest.
fn means(cells: &[Found]) -> Found {
    let share = 1.0 / cells.len() as f64;
    let mean = |of: fn(&Found) -> f64| (cells.iter().map(|found| of(found).ln()).sum::<f64>() * share).exp();
    Found {
        rate: mean(|found| found.rate),
        cpu: mean(|found| found.cpu),
        fairness: cells.iter().map(|found| found.fairness).sum::<f64>() * share,
    }
}

fn rows() -> Vec<Row> {
    const SIDES: [(usize, usize); 4] = [(4, 1), (1, 4), (2, 2), (4, 4)];
    let mut rows = Vec::new();
    for (machine, cores) in [(machines::measured as MakeMachine, 2), (machines::mesh, 8)] {
        for (batch, bytes) in [(1, 8), (32, 8), (1, 256)] {
            for (putters, getters) in SIDES {
                rows.push(Row { machine, cores, sides: Sides { putters, getters, batch, bytes } });
            }
        }
    }
    rows
}

/// Prints the table.
pub(crate) fn print() {
    println!("| cores | | batch | bytes | 1 place | 2 | 64 | 1024 | no bound | means |");
    println!("|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|");
    let show = |Found { rate, cpu, fairness }: Found| print!(" {rate:.2}, {cpu:.2}, {fairness:.2} |");
    for row in rows() {
        print!("| {} |", row.name());
        let cells = PLACES.map(|places| row.cell(places));
        cells.into_iter().for_each(show);
        show(means(&cells));
        println!();
    }
}

#[cfg(test)]
mod tests {
    use super::{Found, PLACES, means, rows};
    use crate::numbers::{at_least, at_most};

    /// Of each row, the means of the rate, the processor time and the fairness, and the lowest rate.
    const HELD: [[f64; 4]; 24] = [
        [2.29, 0.27, 0.15, 1.17],
        [1.05, 0.73, 0.13, 0.43],
        [3.41, 0.29, 0.67, 1.68],
        [1.63, 0.44, 0.18, 0.41],
        [1.47, 0.55, 0.15, 0.48],
        [1.61, 0.41, 0.08, 0.65],
        [3.95, 0.29, 0.55, 1.73],
        [1.94, 0.53, 0.2, 0.31],
        [0.96, 0.86, 0.28, 0.32],
        [0.71, 1.01, 0.3, 0.32],
        [0.72, 1.24, 0.67, 0.26],
        [0.63, 1.59, 0.35, 0.11],
        [2.37, 0.34, 0.53, 1.1],
        [2.11, 0.44, 0.53, 1.01],
        [1.75, 0.46, 0.6, 1.02],
        [1.88, 0.42, 0.49, 1.04],
        [2.01, 0.78, 0.68, 0.75],
        [3.29, 0.55, 0.65, 0.76],
        [1.69, 0.87, 0.68, 0.67],
        [1.88, 0.78, 0.62, 0.78],
        [3.33, 0.47, 0.52, 1.6],
        [1.41, 0.77, 0.75, 0.78],
        [1.15, 0.78, 0.53, 0.83],
        [1.29, 0.69, 0.55, 0.84],
    ];

    #[test]
    fn buffers_keep_up_with_a_ring_and_a_deque() {
        let rows = rows();
        assert_eq!(rows.len(), HELD.len());
        for (row, [rate, cpu, fairness, lowest]) in rows.iter().zip(HELD) {
            let cells = PLACES.map(|places| row.cell(places));
            let what = |of: &str| format!("{of} of {}", row.name());
            let found = means(&cells);
            at_least(found.rate, rate, &what("the mean rate"));
            at_most(found.cpu, cpu, &what("the mean processor time"));
            at_least(found.fairness, fairness, &what("least over most served"));
            let found = cells.iter().map(|Found { rate, .. }| *rate).fold(f64::INFINITY, f64::min);
            assert!(found > lowest * 0.67, "{}: {found:.3}, was {lowest}", what("the lowest rate"));
        }
    }
}
