//! What each tuned number and each heuristic is worth. `cargo sim study` runs the workloads below with it and
//! without, at 2, 8, 32 and 128 cores, quiet and beside busy loops, with two seeds, and prints a row of
//! `docs/numbers.md` for each; `cargo sim study -- collision_doublings=8` runs one variant of your own,
//! and `cargo sim study -- wake_batch=2 condvar/all` shows what becomes of each workload with such a name.
//!
//! A mechanism stays if without it the geometric mean over all of them falls by 3 %, or one falls by a tenth
//! and none rises by a tenth, with both seeds; or if it is there for something else than speed, which the
//! tests of `numbers` hold.

use std::env;

use lockwork::sim::{self, Machine};

use crate::locks::Line;
use crate::machines;
use crate::workloads::{
    Figures, Setting, answers, crowd, exclusive, meetings, permits, queue, shared, turns,
};

const NS: u64 = Machine::NS;
const MS: u64 = Machine::MS;

type Mutex = Line<lockwork::Mutex<()>>;
type RwLock = Line<lockwork::RwLock<()>>;
type Semaphore = Line<lockwork::Semaphore>;
type Condvar = Line<(lockwork::Mutex<u32>, Line<lockwork::Condvar>)>;
type Barrier = Line<lockwork::Barrier>;
type Buffer = Line<lockwork::BoundedBuffer<u64>>;

type Run = fn(&Setting) -> Figures;

/// The fixed list.
const WORKLOADS: [(&str, Run); 15] = [
    ("mutex/0", |on| exclusive::<Mutex>(on, 0)),
    ("mutex/20ns", |on| exclusive::<Mutex>(on, 20 * NS)),
    ("mutex/500ns", |on| exclusive::<Mutex>(on, 500 * NS)),
    ("mutex/10us", |on| exclusive::<Mutex>(on, 10_000 * NS)),
    ("rwlock/0%", |on| shared::<RwLock>(on, 0)),
    ("rwlock/1%", |on| shared::<RwLock>(on, 100)),
    ("rwlock/10%", |on| shared::<RwLock>(on, 10)),
    ("semaphore/1", |on| permits::<Semaphore>(on, 1)),
    ("semaphore/4", |on| permits::<Semaphore>(on, 4)),
    ("condvar/turns", turns::<Condvar>),
    ("condvar/answers", |on| answers::<Condvar>(on, 10_000 * NS)),
    ("condvar/all", crowd::<Condvar>),
    ("barrier", meetings::<Barrier>),
    ("buffer/1", |on| queue::<Buffer>(on, 1)),
    ("buffer/64", |on| queue::<Buffer>(on, 64)),
];

/// Numbers that are others than the crate's own.
pub(crate) type Variant = Vec<(&'static str, u32)>;

/// Without a mechanism each, or with a number twice or half as large.
fn variants() -> Vec<Variant> {
    const WITHOUT: [(&str, u32); 43] = [
        ("queue_behind", 0),
        ("collision_doublings", 0),
        ("collision_doublings", 8),
        ("lock_looks", 0),
        ("lock_hints", 2),
        ("lock_hints", 8),
        ("lock_yields", 0),
        ("learn_sections", 0),
        ("long_section_looks", 20),
        ("short_section_looks", 1),
        ("short_section_looks", 6),
        ("handoff_looks", 0),
        ("handoff_looks", 60),
        ("answer_looks", 0),
        ("answer_hints", 2),
        ("answer_hints", 8),
        ("answer_yield_time", 0),
        ("permits_awake", 0),
        ("yield_rest", 0),
        ("yield_rest", 1000),
        ("yield_rest_doublings", 0),
        ("long_yield", 250),
        ("drain_looks", 0),
        ("drain_yields", 0),
        ("side_hints", 0),
        ("side_pause", 1),
        ("side_yields", 0),
        ("barrier_looks", 0),
        ("barrier_rest_doublings", 0),
        ("barrier_hints", 2),
        ("barrier_hints", 8),
        ("barrier_yields", 0),
        ("barrier_yields", 40),
        ("barging_asks", u32::MAX),
        ("barging_interval", 50),
        ("barging_interval", 800),
        ("unlock_turn", u32::MAX),
        ("starving_after", 250),
        ("starving_after", 1000),
        ("wake_batch", 1),
        ("wake_batch", 8),
        ("wake_batch", 32),
        ("wake_batch", 128),
    ];
    let together = [
        vec![("side_pause", 1), ("answer_yield_time", 0)],
        vec![("barrier_looks", 40), ("barrier_hints", 2)],
    ];
    WITHOUT.into_iter().map(|change| vec![change]).chain(together).collect()
}

/// `name=value,name=value`, of the command line.
pub(crate) fn parse(argument: String) -> Variant {
    let argument: &'static str = argument.leak();
    let change = |part: &'static str| {
        let (name, value) = part.split_once('=').unwrap_or_else(|| panic!("{part} is no name=value"));
        (name, value.parse().unwrap_or_else(|error| panic!("{part}: {error}")))
    };
    argument.split(',').map(change).collect()
}

/// A workload in one of its settings, with both seeds.
struct Cell {
    name: String,
    run: Run,
    settings: [Setting; 2],
    as_it_is: [f64; 2],
    /// The numbers that it asked for.
    asked: Vec<&'static str>,
}

impl Cell {
    fn new(name: String, run: Run, settings: [Setting; 2]) -> Self {
        let rates = || settings.each_ref().map(|on| run(on).rate());
        let (as_it_is, asked) = sim::with_numbers_noted(rates);
        Self { name, run, settings, as_it_is, asked }
    }

    /// Returns the rates with other numbers over those as it is, and marks the numbers as used. A run that
    /// asks for none of them is the same without them.
    fn ratios(&self, variant: &Variant, used: &mut Vec<&'static str>) -> [f64; 2] {
        if !variant.iter().any(|(name, _)| self.asked.contains(name)) {
            return [1.0; 2];
        }
        let (rates, unused) =
            sim::with_numbers(variant, || self.settings.each_ref().map(|on| (self.run)(on).rate()));
        used.extend(variant.iter().map(|(name, _)| *name).filter(|name| !unused.contains(name)));
        [0, 1].map(|seed| rates[seed] / self.as_it_is[seed])
    }
}

/// Those of the workloads whose names contain one of the words, or of all.
fn cells(words: &[String]) -> Vec<Cell> {
    let mut cells = Vec::new();
    let is_wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    for (workload, run) in WORKLOADS.into_iter().filter(|(name, _)| is_wanted(name)) {
        for is_busy in [false, true] {
            for cores in [2, 8, 32, 128] {
                let millis = match (is_busy, cores) {
                    (false, 128) => 6,
                    (false, _) => 4,
                    (true, 2) => 60,
                    (true, 8) => 24,
                    (true, 32) => 16,
                    _ => 12,
                };
                // Readers that do not meet are all alike, and many.
                let millis = if workload == "rwlock/0%" && cores != 2 { millis / 4 } else { millis };
                let settings = [1, 2].map(|seed| Setting {
                    seed,
                    hogs: if is_busy { cores / 2 } else { 0 },
                    time: millis * MS,
                    ..Setting::new(machines::mesh(cores))
                });
                let beside = if is_busy { " busy" } else { "" };
                cells.push(Cell::new(format!("{workload} on {cores}{beside}"), run, settings));
            }
        }
    }
    cells
}

/// The rates with other numbers over those as it is, of all cells and both seeds.
fn ratios(cells: &[Cell], variant: &Variant) -> Vec<[f64; 2]> {
    let mut used = Vec::new();
    let ratios = cells.iter().map(|cell| cell.ratios(variant, &mut used)).collect();
    let unused: Vec<_> = variant.iter().filter(|(name, _)| !used.contains(name)).collect();
    assert!(unused.is_empty(), "no number was asked for that is called {unused:?}");
    ratios
}

pub(crate) fn run() {
    let (own, words): (Vec<String>, Vec<String>) =
        env::args().skip(2).partition(|argument| argument.contains('='));
    let own: Vec<Variant> = own.into_iter().map(parse).collect();
    let variants = if own.is_empty() { variants() } else { own };
    let cells = cells(&words);
    println!("| changed | mean, two seeds | workloads that change by a tenth with both |\n|---|--:|---|");
    for variant in variants {
        let ratios = ratios(&cells, &variant);
        let ratio = |at: usize, seed: usize| ratios[at][seed];
        let mean = |seed| {
            let logarithms: f64 = (0..cells.len()).map(|at| ratio(at, seed).ln()).sum();
            (logarithms / cells.len() as f64).exp()
        };
        let mut moved: Vec<usize> = (0..cells.len())
            .filter(|&at| [0, 1].iter().all(|&seed| ratio(at, seed) < 0.9))
            .chain((0..cells.len()).filter(|&at| [0, 1].iter().all(|&seed| ratio(at, seed) > 1.1)))
            .collect();
        moved.sort_by(|&one, &other| ratio(one, 0).total_cmp(&ratio(other, 0)));
        if !words.is_empty() {
            moved = (0..cells.len()).collect();
        }
        // The two that lose most, and the two that gain most.
        let is_shown = |at: usize| !words.is_empty() || at < 2 || at + 2 >= moved.len();
        let shown = moved.iter().enumerate().filter(|(at, _)| is_shown(*at));
        let shown: Vec<String> = shown
            .map(|(_, &at)| format!("{} {:.2}, {:.2}", cells[at].name, ratio(at, 0), ratio(at, 1)))
            .collect();
        let names: Vec<String> = variant.iter().map(|(name, value)| format!("`{name}` {value}")).collect();
        let names = names.join(", ");
        println!("| {names} | {:.3}, {:.3} | {} ({}) |", mean(0), mean(1), shown.join("; "), moved.len());
    }
}
