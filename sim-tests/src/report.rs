//! What `cargo sim report` prints: each primitive and what it is measured against, at 1 to 128 cores. It writes the same to
//! `target/sim/MACHINE.json`, in the form of `cargo versus`, which draws it: `cargo versus --from target/sim/mesh.json --svg
//! FOLDER`.
//!
//! `cargo sim report mutex` is about one of them; `MACHINE=chiplets` in the environment says where, `THREADS=4` how many
//! threads each core has, `HOGS=2` how many busy loops run beside them.

use std::fmt::Write;
use std::{env, fs};

use lockwork::sim::Machine;

use crate::locks::{Line, barging, futex, meeting, ring, shared, spin};
use crate::machines;
use crate::workloads::{
    self, Figures, Setting, broadcast, crowd, exclusive, meetings, permits, queue, turns,
};

const NS: u64 = Machine::NS;
const CORES: [usize; 8] = [1, 2, 4, 8, 16, 32, 64, 128];

type Mutex = Line<lockwork::Mutex<()>>;
type RwLock = Line<lockwork::RwLock<()>>;
type Condvar = Line<(lockwork::Mutex<u32>, Line<lockwork::Condvar>)>;

type Run = Box<dyn Fn(&Setting) -> Figures>;

/// A workload with all that can run it. Spinning ones are left out where threads outnumber the cores.
struct Workload {
    name: &'static str,
    title: String,
    contenders: Vec<(Kind, Run)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Blocks,
    Spins,
}
use Kind::{Blocks, Spins};

macro_rules! workload {
    ($name:literal, $title:expr, $run:ident($argument:expr): $($kind:ident $lock:ty),* $(,)?) => {{
        let argument = $argument;
        workload!(@ $name, $title, [$(($kind, Box::new(move |setting| $run::<$lock>(setting, argument)))),*])
    }};
    ($name:literal, $title:expr, $run:ident: $($kind:ident $lock:ty),* $(,)?) => {
        workload!(@ $name, $title, [$(($kind, Box::new($run::<$lock>))),*])
    };
    (@ $name:literal, $title:expr, [$($contender:expr),*]) => {
        Workload { name: $name, title: $title.to_string(), contenders: vec![$($contender),*] }
    };
}

fn all() -> Vec<Workload> {
    use workloads::shared as readers;
    let section = |time: u64, title: &str| {
        workload!("mutex", title, exclusive(time): Blocks Mutex, Blocks futex::Mutex, Blocks barging::Mutex,
            Spins spin::TestAndSet, Spins spin::Ticket, Spins spin::Mcs)
    };
    let writes = |every: u64, title: &str| workload!("rwlock", title, readers(every): Blocks RwLock, Blocks shared::Central, Blocks shared::Sharded);
    let permitted = |count: u32, title: &str| workload!("semaphore", title, permits(count): Blocks Line<lockwork::Semaphore>, Blocks futex::Semaphore);
    let room = |places: usize, title: &str| workload!("buffer", title, queue(places): Blocks Line<lockwork::BoundedBuffer<u64>>, Blocks ring::Ring);
    vec![
        section(0, "mutex, empty sections"),
        section(20 * NS, "mutex, sections of 20 ns"),
        section(500 * NS, "mutex, sections of 500 ns"),
        section(10_000 * NS, "mutex, sections of 10 µs"),
        workload!("reentrant", "reentrant, sections of 20 ns", exclusive(20 * NS):
            Blocks Line<lockwork::ReentrantMutex<()>>, Blocks futex::Mutex, Blocks barging::Mutex),
        writes(0, "rwlock, reads only"),
        writes(100, "rwlock, one write in 100"),
        writes(10, "rwlock, one write in 10"),
        permitted(1, "semaphore, one permit"),
        permitted(4, "semaphore, four permits"),
        workload!("condvar", "condvar, pairs of threads that take turns", turns: Blocks Condvar, Blocks futex::Condvar),
        workload!("condvar", "condvar, notify_all to all but one", crowd: Blocks Condvar, Blocks futex::Condvar),
        workload!("barrier", "barrier, 0.5 to 1 µs between two", meetings: Blocks Line<lockwork::Barrier>,
            Blocks meeting::Blocking, Spins meeting::SenseReversing, Spins meeting::Tree),
        workload!("event", "event, set when all have parked", broadcast:
            Blocks Line<lockwork::Event>, Blocks futex::Event),
        room(1, "buffer, one place"),
        room(64, "buffer, 64 places"),
    ]
}

fn number(name: &str) -> Option<usize> {
    env::var(name).ok()?.parse().ok()
}

fn machine() -> fn(usize) -> Machine {
    match env::var("MACHINE").as_deref() {
        Ok("desktop") => machines::desktop,
        Ok("chiplets") => machines::chiplets,
        Ok("arm") => machines::arm,
        Ok("measured") => machines::measured,
        Ok("mesh") | Err(_) => machines::mesh,
        Ok(other) => panic!("no machine is called {other}"),
    }
}

fn row(cores: usize, figures: &Figures) -> String {
    let micros = |time: u64| time as f64 / (1000 * NS) as f64;
    format!(
        "| {cores} | {} | {:.3} | {:.2} | {:.3} | {:.3} | {:.0} | {:.2} | {} | {:.1} | {:.1} |",
        figures.name,
        figures.rate(),
        figures.transfers(),
        figures.parks(),
        figures.wakes(),
        figures.cpu(),
        figures.fairness(),
        figures.longest_bypass,
        micros(figures.wait_at(990)),
        micros(figures.longest_wait()),
    )
}

const HEAD: &str = "| cores | | M/s | transfers | parks | wake-ups | CPU ns | least/most | longest bypass | p99 µs | longest µs |
|---|---|---|---|---|---|---|---|---|---|---|";

/// Threads that only spin are as many events as pauses fit into the time; a millisecond says as much of them.
fn time(kind: Kind, cores: usize, threads: usize) -> u64 {
    match kind {
        _ if threads > cores => 40 * Machine::MS,
        Blocks => 4 * Machine::MS,
        Spins => Machine::MS,
    }
}

/// A workload at so many cores, as `cargo versus` writes it.
fn outcome(workload: &Workload, cores: usize, found: &[Figures]) -> String {
    let best = found.iter().filter(|figures| !is_own(figures)).map(Figures::rate).fold(0.0, f64::max);
    let standings = found.iter().map(|figures| {
        let (rate, ratio) = (figures.rate() * 1e6, figures.rate() / best);
        format!(
            r#"{{"name": "{}", "operations_per_second": {rate}, "to_best_peer": {ratio}, "to_std": null, "fairness": {},
             "cpu_nanoseconds": {}, "waits": null, "rounds": [{rate}]}}"#,
            figures.name,
            figures.fairness(),
            figures.cpu(),
        )
    });
    format!(
        r#"{{"name": "{title}/{cores}", "family": "{}", "shape": "{}", "axis": ["cores", {cores}], "rest": false,
             "standings": [{}]}}"#,
        workload.name,
        workload.title.split_once(", ").map_or("", |(_, shape)| shape),
        standings.collect::<Vec<_>>().join(", "),
        title = workload.title,
    )
}

fn is_own(figures: &Figures) -> bool {
    figures.name.starts_with("lockwork")
}

pub(crate) fn run() {
    let only = env::args().nth(2).unwrap_or_default();
    let most = number("CORES").unwrap_or(128);
    let each = number("THREADS").unwrap_or(1);
    let hogs = number("HOGS").unwrap_or(0);
    let machine = machine();
    let mut outcomes = Vec::new();
    for workload in all().iter().filter(|workload| workload.name.starts_with(&only)) {
        let mut text = format!("\n### {}\n\n{HEAD}\n", workload.title);
        for cores in CORES.into_iter().filter(|&cores| cores <= most) {
            let fits = |kind: Kind| kind == Blocks || (each == 1 && hogs == 0);
            let contenders = workload.contenders.iter().filter(|(kind, _)| fits(*kind));
            let found = contenders.map(|(kind, contender)| {
                let threads = cores * each;
                let time = time(*kind, cores, threads);
                contender(&Setting { threads, hogs, time, ..Setting::new(machine(cores)) })
            });
            let found: Vec<Figures> = found.collect();
            found.iter().for_each(|figures| writeln!(text, "{}", row(cores, figures)).expect("a string"));
            outcomes.push(outcome(workload, cores, &found));
        }
        println!("{text}");
    }
    let machine = machine(most);
    let path = format!("{}/../target/sim/{}.json", env!("CARGO_MANIFEST_DIR"), machine.name);
    let json = format!(
        r#"{{"machine": {{"cores": {most}, "processor": "simulated: {}", "is_virtual": true, "system": "none", "compiler":
            "none", "load": "none", "clock": 0, "wake_up": {}, "peers": []}}, "rounds": 1, "milliseconds": 4,
            "workloads": [{}]}}"#,
        machine.name,
        machine.wake_up / NS,
        outcomes.join(",\n"),
    );
    fs::write(&path, json).unwrap_or_else(|error| panic!("{path}: {error}"));
    println!("written to {path}");
}
