//! What `cargo sim report` prints: each primitive and what it is measured against, at 1 to 128 cores. It
//! writes the same to `target/sim/MACHINE.json`, in the form of `cargo versus`, which draws it: `cargo versus
//! --from target/sim/mesh.json --svg FOLDER`.
//!
//! `cargo sim report -- mutex` is about one of them; `MACHINE=chiplets` in the environment says where,
//! `THREADS=2` how many threads each core has, else one and then four, `HOGS=2` how many busy loops run
//! beside them.

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
        workload!("latch", "latch, counted down when all have parked", broadcast:
            Blocks Line<lockwork::Latch>, Blocks futex::Event),
        workload!("once", "once, completed when all have parked", broadcast:
            Blocks Line<lockwork::Once>, Blocks futex::Event),
        room(1, "buffer, one place"),
        room(64, "buffer, 64 places"),
    ]
}

fn number(name: &str) -> Option<usize> {
    env::var(name).ok()?.parse().ok()
}

fn row(cores: &str, figures: &Figures) -> String {
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
        _ if threads > cores && cores > 8 => 8 * Machine::MS,
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
    let shares = number("THREADS").map_or(vec![1, 4], |each| vec![each]);
    let hogs = number("HOGS").unwrap_or(0);
    let machine = machines::chosen();
    let mut outcomes = Vec::new();
    for workload in all().iter().filter(|workload| workload.name.starts_with(&only)) {
        let mut text = format!("\n### {}\n\n{HEAD}\n", workload.title);
        let settings = shares.iter().flat_map(|&each| CORES.map(|cores| (each, cores)));
        for (each, cores) in settings.filter(|&(_, cores)| cores <= most) {
            let fits = |kind: Kind| kind == Blocks || (each == 1 && hogs == 0);
            let contenders = workload.contenders.iter().filter(|(kind, _)| fits(*kind));
            let found = contenders.map(|(kind, contender)| {
                let threads = cores * each;
                let time = time(*kind, cores, threads);
                contender(&Setting { threads, hogs, time, ..Setting::new(machine(cores)) })
            });
            let found: Vec<Figures> = found.collect();
            let shown = if each == 1 { cores.to_string() } else { format!("{cores} × {each}") };
            found.iter().for_each(|figures| writeln!(text, "{}", row(&shown, figures)).expect("a string"));
            if each == shares[0] {
                outcomes.push(outcome(workload, cores, &found));
            }
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

/// The workloads of `cargo versus` that the reference locks can run, on the machine that was measured: what
/// the simulation says of lockwork over each of them, for comparison with what is really so.
pub(crate) fn compare() {
    use workloads::shared as readers;
    let two = if env::var_os("MACHINE").is_some() { machines::chosen() } else { machines::measured };
    let on = |threads| Setting { threads, time: 40 * Machine::MS, pause: 0, ..Setting::new(two(2)) };
    let say = |name: String, own: Figures, peers: Vec<Figures>| {
        print!("{name}: {:.3} M/s", own.rate());
        for peer in peers {
            print!("; {:.2} x {} ({:.3})", own.rate() / peer.rate(), peer.name, peer.rate());
        }
        println!();
    };
    for (title, section) in [("0ns", 0), ("20ns", 20 * NS), ("500ns", 500 * NS), ("10us", 10_000 * NS)] {
        for threads in [2, 4, 8] {
            let on = &on(threads);
            let peers =
                vec![exclusive::<futex::Mutex>(on, section), exclusive::<barging::Mutex>(on, section)];
            let own = exclusive::<Mutex>(on, section);
            say(format!("mutex/section={title}/threads={threads}"), own, peers);
        }
    }
    for every in [0, 100, 10] {
        for threads in [2, 8] {
            let on = &on(threads);
            let peers = vec![readers::<shared::Central>(on, every), readers::<shared::Sharded>(on, every)];
            let percent = 100u64.checked_div(every).unwrap_or(0);
            say(format!("rwlock/writes={percent}%/threads={threads}"), readers::<RwLock>(on, every), peers);
        }
    }
    for (count, threads) in [(1, 2), (2, 4)] {
        let on = &on(threads);
        let peers = vec![permits::<futex::Semaphore>(on, count)];
        let own = permits::<Line<lockwork::Semaphore>>(on, count);
        say(format!("semaphore/section=500ns,permits={count}/threads={threads}"), own, peers);
    }
    say("condvar/ping-pong".into(), turns::<Condvar>(&on(2)), vec![turns::<futex::Condvar>(&on(2))]);
    let all = vec![crowd::<futex::Condvar>(&on(17))];
    say("condvar/notify_all/waiters=16".into(), crowd::<Condvar>(&on(17)), all);
    for threads in [2, 4, 8] {
        let on = &on(threads);
        let peers = vec![meetings::<meeting::Blocking>(on)];
        say(format!("barrier/meet/threads={threads}"), meetings::<Line<lockwork::Barrier>>(on), peers);
    }
    for (sides, threads) in [("1p1c", 2), ("4p4c", 8)] {
        for places in [1, 64] {
            let on = &on(threads);
            let own = queue::<Line<lockwork::BoundedBuffer<u64>>>(on, places);
            say(format!("buffer/{sides}/capacity={places}"), own, vec![queue::<ring::Ring>(on, places)]);
        }
    }
}

type Change = fn(&mut Machine, f64);

/// What is drawn from the simulation, as a ratio of two rates, with each cost of the machine halved and
/// doubled: a conclusion holds where its ratio stays on its side of 1.
pub(crate) fn ranges() {
    fn scale(time: &mut u64, factor: f64) {
        *time = (*time as f64 * factor) as u64;
    }
    let costs: [(&str, Change); 5] = [
        ("lines", |machine, factor| {
            for time in [&mut machine.near, &mut machine.middle, &mut machine.far, &mut machine.serve] {
                scale(time, factor);
            }
        }),
        ("PAUSE", |machine, factor| scale(&mut machine.pause, factor)),
        ("system calls", |machine, factor| {
            scale(&mut machine.system_call, factor);
            scale(&mut machine.switch, factor);
        }),
        ("wake-ups", |machine, factor| {
            scale(&mut machine.wake, factor);
            scale(&mut machine.wake_up, factor);
        }),
        ("time slices", |machine, factor| scale(&mut machine.slice, factor)),
    ];
    type Ratio = fn(&Setting) -> f64;
    let conclusions: [(&str, usize, usize, usize, Ratio); 7] = [
        ("mutex, 20 ns, 32 cores, over the three-state futex", 32, 32, 0, |on| {
            exclusive::<Mutex>(on, 20 * NS).rate() / exclusive::<futex::Mutex>(on, 20 * NS).rate()
        }),
        ("mutex, 500 ns, 32 cores, over the barging one", 32, 32, 0, |on| {
            exclusive::<Mutex>(on, 500 * NS).rate() / exclusive::<barging::Mutex>(on, 500 * NS).rate()
        }),
        ("rwlock, reads only, 64 cores, over the sharded one", 64, 64, 0, |on| {
            workloads::shared::<RwLock>(on, 0).rate() / workloads::shared::<shared::Sharded>(on, 0).rate()
        }),
        ("semaphore, one permit, 8 cores, over the futex one", 8, 8, 0, |on| {
            permits::<Line<lockwork::Semaphore>>(on, 1).rate() / permits::<futex::Semaphore>(on, 1).rate()
        }),
        ("condvar, pairs on 8 cores, over the futex one", 8, 8, 0, |on| {
            turns::<Condvar>(on).rate() / turns::<futex::Condvar>(on).rate()
        }),
        ("condvar, notify_all to 16 on 2 cores beside 2 busy loops, over the futex one", 2, 17, 2, |on| {
            crowd::<Condvar>(on).rate() / crowd::<futex::Condvar>(on).rate()
        }),
        ("barrier, 32 cores, over the futex one", 32, 32, 0, |on| {
            meetings::<Line<lockwork::Barrier>>(on).rate() / meetings::<meeting::Blocking>(on).rate()
        }),
    ];
    print!("| conclusion | as it is |");
    costs.iter().for_each(|(cost, _)| print!(" {cost} ½ | ×2 |"));
    println!("\n|---|--:|{}", "--:|--:|".repeat(costs.len()));
    for (name, cores, threads, hogs, ratio) in conclusions {
        let time = if hogs > 0 { 100 * Machine::MS } else { 4 * Machine::MS };
        let on = |machine| ratio(&Setting { threads, hogs, time, ..Setting::new(machine) });
        print!("| {name} | {:.2} |", on(machines::mesh(cores)));
        for (_, change) in costs {
            for factor in [0.5, 2.0] {
                let mut machine = machines::mesh(cores);
                change(&mut machine, factor);
                print!(" {:.2} |", on(machine));
            }
        }
        println!();
    }
}
