//! What the numbers were measured on.

use serde::{Deserialize, Serialize};
use std::fs;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// What the numbers depend on. Empty where the system does not tell.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// Threads that can run at once.
    pub(crate) cores: usize,
    pub(crate) processor: String,
    /// There is a machine under the machine.
    pub(crate) is_virtual: bool,
    pub(crate) system: String,
    pub(crate) compiler: String,
    /// Threads that wanted to run in the minute before.
    pub(crate) load: String,
    /// To read the clock once, in nanoseconds.
    pub(crate) clock: f64,
    /// From the call that wakes a sleeping thread to its next step, in nanoseconds: the median.
    pub(crate) wake_up: f64,
    /// The crates that this one is compared with, and their versions.
    pub(crate) peers: Vec<(String, String)>,
}

const PEERS: [&str; 12] = [
    "parking_lot",
    "usync",
    "crossbeam-utils",
    "crossbeam-channel",
    "flume",
    "kanal",
    "rsevents",
    "hurdles",
    "tokio",
    "thread_local",
    "threadpool",
    "rayon",
];

impl Machine {
    /// This one, now.
    pub(crate) fn look() -> Self {
        let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| processors.lines().find(|line| line.starts_with(name))?.split_once(": ");
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Self {
            cores: thread::available_parallelism().map_or(1, usize::from),
            processor: field("model name").map_or_else(String::new, |(_, model)| model.trim().to_owned()),
            is_virtual: field("flags").is_some_and(|(_, flags)| flags.contains("hypervisor")),
            system: format!("{} {} {}", std::env::consts::OS, std::env::consts::ARCH, kernel.trim()),
            compiler: compiler().unwrap_or_default(),
            load: load.split(' ').next().unwrap_or_default().to_owned(),
            clock: clock(),
            wake_up: wake_up(),
            peers: PEERS.iter().filter_map(|peer| Some(((*peer).to_owned(), version(peer)?))).collect(),
        }
    }
}

fn compiler() -> Option<String> {
    let output = Command::new("rustc").arg("--version").output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// The version that this was built with.
fn version(package: &str) -> Option<String> {
    let lock = include_str!("../../Cargo.lock");
    let (_, rest) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    Some(rest.split_once('"')?.0.to_owned())
}

fn clock() -> f64 {
    const READS: u32 = 100_000;
    let started = Instant::now();
    for _ in 0..READS {
        std::hint::black_box(Instant::now());
    }
    started.elapsed().as_secs_f64() * 1e9 / f64::from(READS)
}

fn wake_up() -> f64 {
    let (woken, times) = mpsc::channel();
    let sleeper = thread::spawn(move || {
        while let Ok(()) = {
            thread::park();
            woken.send(Instant::now())
        } {}
    });
    let mut took: Vec<Duration> = (0..101)
        .filter_map(|_| {
            // Long enough for it to be asleep again.
            thread::sleep(Duration::from_millis(1));
            let called = Instant::now();
            sleeper.thread().unpark();
            Some(times.recv().ok()?.saturating_duration_since(called))
        })
        .collect();
    drop(times);
    sleeper.thread().unpark();
    took.sort();
    took.get(took.len() / 2).map_or(0.0, |time| time.as_nanos() as f64)
}
