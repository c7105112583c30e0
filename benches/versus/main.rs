//! The contenders of one workload in turn, round after round, in one process, so that what the machine does
//! meanwhile hits all of them alike. `cargo versus --help` says what can be chosen, and `benches/README.md`
//! what is measured.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "measures with what std has")]

use clap::Parser;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, fs};

mod draw;
mod machine;
mod results;
mod runner;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod waits;
mod workloads;

use machine::Machine;
use results::{Outcome, Results};
use runner::{Plan, Runner};
use waits::Waits;
use workloads::{Kind, Timing, Workload};

/// Compares lockwork with its peers.
#[derive(Debug, Parser)]
#[command(name = "versus", bin_name = "cargo versus")]
struct Options {
    /// Only workloads whose name contains one of these, as `mutex/section=0ns` or `threads=8`
    filter: Vec<String>,
    /// How often each contender has its turn
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// How long a turn is
    #[arg(long, default_value_t = 100)]
    millis: u64,
    /// How long a contender runs before it is measured
    #[arg(long, value_name = "MILLIS", default_value_t = 5)]
    warm_up: u64,
    /// How long the thread of a `parked` workload waits
    #[arg(long, value_name = "MILLIS", default_value_t = 1000)]
    parked: u64,
    /// 3 rounds of 20 ms, and waits of 100 ms
    #[arg(long, conflicts_with_all = ["rounds", "millis", "warm_up", "parked"])]
    quick: bool,
    /// Only these contenders
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// Does not time waits where that takes turns of their own
    #[arg(long)]
    no_waits: bool,
    /// Writes everything that was found to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draws pictures in this folder
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
    /// Writes the tables between the marks of this document, or a new one
    #[arg(long, value_name = "FILE")]
    markdown: Vec<PathBuf>,
    /// Measures nothing, and takes what `--json` wrote
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Says which workloads and contenders there are
    #[arg(long)]
    list: bool,
    /// What `cargo bench` adds. Without it (`cargo test --benches`) everything is only tried once
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    fn resolve(mut self) -> Self {
        let (rounds, millis, warm_up, parked) = match (self.bench, self.quick) {
            (false, _) => (1, 1, 0, 1),
            (true, true) => (3, 20, 2, 100),
            (true, false) => (self.rounds.max(1), self.millis.max(1), self.warm_up, self.parked),
        };
        (self.rounds, self.millis, self.warm_up, self.parked) = (rounds, millis, warm_up, parked);
        self
    }

    fn wants(&self, name: &str) -> bool {
        self.filter.is_empty() || self.filter.iter().any(|filter| name.contains(filter.as_str()))
    }

    fn workloads(&self) -> Vec<Workload> {
        let mut workloads = workloads::all();
        workloads.retain(|workload| self.wants(&workload.name()));
        for workload in &mut workloads {
            workload
                .contenders
                .retain(|one| self.only.is_empty() || self.only.iter().any(|name| name == one.name));
        }
        workloads.retain(|workload| !workload.contenders.is_empty());
        workloads
    }

    const fn plan(&self, workload: &Workload, timed_waits: bool) -> Plan {
        let millis = match workload.kind {
            Kind::Speed(_) => self.millis * workload.stretch as u64,
            Kind::Rest => self.parked,
        };
        Plan {
            warm_up: Duration::from_millis(self.warm_up),
            time: Duration::from_millis(millis),
            timed_waits,
        }
    }

    fn rounds(&self, workload: &Workload) -> usize {
        if workload.kind == Kind::Rest { 1 } else { self.rounds }
    }

    /// The plans of one round: speed, and apart from it the waits, in half the time.
    fn plans(&self, workload: &Workload) -> Vec<Plan> {
        let always = workload.kind == Kind::Speed(Timing::Always);
        let mut plans = vec![self.plan(workload, always)];
        if workload.kind == Kind::Speed(Timing::Apart) && !self.no_waits {
            let plan = self.plan(workload, true);
            plans.push(Plan { time: plan.time / 2, ..plan });
        }
        plans
    }

    /// How long it will take.
    fn estimate(&self, workloads: &[Workload]) -> Duration {
        let one = |workload: &Workload| {
            let round: Duration = self.plans(workload).iter().map(|plan| plan.warm_up + plan.time).sum();
            round * (self.rounds(workload) * workload.contenders.len()) as u32
        };
        workloads.iter().map(one).sum()
    }

    fn compare(&self, runner: &mut Runner, workload: &Workload) -> Outcome {
        let contenders = &workload.contenders;
        let mut found: Vec<_> =
            contenders.iter().map(|contender| (contender.name, Vec::new(), Waits::default())).collect();
        for round in 0..self.rounds(workload) {
            for turn in 0..contenders.len() {
                // No contender always comes after the same one.
                let turn = (turn + round) % contenders.len();
                let (contender, (_, rounds, waits)) = (&contenders[turn], &mut found[turn]);
                runner.doing = format!("{}: {}", workload.name(), contender.name);
                for (pass, plan) in self.plans(workload).into_iter().enumerate() {
                    let round = (contender.run)(runner, plan);
                    waits.add(&round.waits);
                    if pass == 0 {
                        rounds.push(round);
                    }
                }
            }
        }
        Outcome::new(workload, found)
    }

    fn measure(&self) -> Result<Results, String> {
        let workloads = self.workloads();
        if workloads.is_empty() {
            return Err("no workload has such a name and contender; --list says which there are".to_owned());
        }
        eprintln!("{} workloads, about {:.0} s", workloads.len(), self.estimate(&workloads).as_secs_f64());
        let started = Instant::now();
        let machine = Machine::look();
        let mut runner = Runner::new();
        let compare = |workload: &Workload| {
            let outcome = self.compare(&mut runner, workload);
            print!("{}", table::plain(&outcome));
            outcome
        };
        let workloads = workloads.iter().map(compare).collect();
        eprintln!("took {:.0} s", started.elapsed().as_secs_f64());
        Ok(Results { machine, rounds: self.rounds, milliseconds: self.millis, workloads })
    }

    fn run(&self) -> Result<(), String> {
        if self.list {
            for workload in self.workloads() {
                let contenders: Vec<&str> =
                    workload.contenders.iter().map(|contender| contender.name).collect();
                println!("{:<50} {}", workload.name(), contenders.join(", "));
            }
            return Ok(());
        }
        let at = |path: &PathBuf, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let results = if let Some(path) = &self.from {
            let text = fs::read_to_string(path).map_err(|error| at(path, &error))?;
            let mut results: Results = serde_json::from_str(&text).map_err(|error| at(path, &error))?;
            results.workloads.retain(|outcome| self.wants(&outcome.name));
            results.workloads.iter().for_each(|outcome| print!("{}", table::plain(outcome)));
            results
        } else {
            self.measure()?
        };
        if let Some(path) = &self.json {
            let text = serde_json::to_string_pretty(&results).map_err(|error| at(path, &error))?;
            fs::write(path, text + "\n").map_err(|error| at(path, &error))?;
        }
        if let Some(folder) = &self.svg {
            draw::draw(&results, folder).map_err(|error| at(folder, &error))?;
        }
        for path in &self.markdown {
            table::markdown(&results, path, self.svg.as_deref()).map_err(|error| at(path, &error))?;
        }
        Ok(())
    }
}

/// What cargo starts works in the folder of its package; the paths on the command line are from the
/// workspace's root.
fn leave_the_package() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    if env::current_dir().is_ok_and(|folder| folder == package) {
        let root = package.parent().expect("a folder above benches");
        env::set_current_dir(root).expect("the workspace's root");
    }
}

/// The command line. The alias ends with the `--` that separates it from cargo's own, so a second one means
/// nothing.
fn arguments() -> impl Iterator<Item = OsString> {
    env::args_os()
        .enumerate()
        .filter(|(at, argument)| *at != 1 || argument != "--")
        .map(|(_, argument)| argument)
}

fn main() -> ExitCode {
    leave_the_package();
    match Options::parse_from(arguments()).resolve().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
