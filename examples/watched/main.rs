//! Three small programs with something wrong, and what diagnosis says of each.
//!
//! ```text
//! cargo run --release --features diagnose --example watched -- inversion
//! cargo run --release --features diagnose --example watched -- slow
//! cargo run --release --features diagnose --example watched -- hang
//! ```
//!
//! * **inversion**: two functions take the same two locks in opposite orders. They never run at the same time
//!   here, so nothing hangs, and a test of them would pass for years.
//! * **slow**: four threads count words; one of them now and then writes a report while it holds the lock
//!   that all need. The profile says which.
//! * **hang**: three threads, each of which holds what the next one wants.
//!
//! The exit code is 0 if what is wrong was found, 1 if not, 2 for a bad command line.
#![allow(clippy::disallowed_methods, reason = "the fence is for the crate; a program may sleep")]

use std::num::NonZero;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use lockwork::diagnose::{self, Order, Settings};
use lockwork::{Barrier, Mutex, RwLock};

/// Programs with something wrong, and what diagnosis says of each.
#[derive(Debug, Parser)]
#[command(name = "watched", version, after_help = EXAMPLES)]
struct Options {
    /// What is wrong
    #[arg(value_enum)]
    fault: Fault,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Fault {
    /// Two locks are taken in both orders
    Inversion,
    /// A lock is held for too long
    Slow,
    /// Three threads wait for each other
    Hang,
}

fn main() -> ExitCode {
    let found = match Options::parse().fault {
        Fault::Inversion => inversion(),
        Fault::Slow => slow(),
        Fault::Hang => hang(),
    };
    if found { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Has everything that is found sent to this end.
fn reports(settings: Settings) -> (diagnose::Session, mpsc::Receiver<String>) {
    let (sender, reports) = mpsc::channel();
    let sink = Box::new(move |report: &diagnose::Report| _ = sender.send(report.to_string()));
    (diagnose::start(Settings { sink, ..settings }), reports)
}

static ACCOUNTS: Mutex<Vec<u64>> = Mutex::named("accounts", Vec::new());
static HISTORY: Mutex<Vec<String>> = Mutex::named("history", Vec::new());

fn deposit(amount: u64) {
    let mut accounts = ACCOUNTS.lock();
    accounts.push(amount);
    HISTORY.lock().push(format!("deposited {amount}"));
}

fn print_statement() {
    let history = HISTORY.lock();
    let accounts = ACCOUNTS.lock();
    println!("{} entries, {} in all", history.len(), accounts.iter().sum::<u64>());
}

fn inversion() -> bool {
    let (_session, reports) = reports(Settings { order: Order::Report, ..Settings::default() });
    deposit(10);
    print_statement();
    let report = reports.try_recv();
    println!("{}", report.as_deref().unwrap_or("nothing was found"));
    report.is_ok()
}

static WORDS: Mutex<u64> = Mutex::named("words", 0);

fn count() {
    *WORDS.lock() += 1;
    thread::sleep(Duration::from_micros(200));
}

fn write_report() {
    let words = WORDS.lock();
    // A slow disk, with the lock held.
    thread::sleep(Duration::from_millis(10));
    drop(words);
}

fn slow() -> bool {
    let _session = diagnose::start(Settings { profile: NonZero::new(1), ..Settings::default() });
    thread::scope(|s| {
        for thread in 0..4 {
            s.spawn(move || {
                for round in 0..200 {
                    count();
                    if thread == 0 && round % 20 == 0 {
                        write_report();
                    }
                }
            });
        }
    });
    let profile = diagnose::profile();
    println!("{profile}");
    profile.entries().iter().any(|entry| entry.name == Some("words"))
}

static ROUTES: RwLock<()> = RwLock::named("routes", ());
static TICKETS: Mutex<()> = Mutex::named("tickets", ());
static CHAIRS: Mutex<()> = Mutex::named("chairs", ());

fn hang() -> bool {
    let (_session, reports) =
        reports(Settings { stall_after: Some(Duration::from_secs(1)), ..Settings::default() });
    static ALL_HOLD: Barrier = Barrier::new(3);
    let start = |name: &str, work: fn()| thread::Builder::new().name(name.to_owned()).spawn(work);
    let started = [
        start("planner", || {
            let _routes = ROUTES.read();
            ALL_HOLD.wait();
            let _tickets = TICKETS.lock();
        }),
        start("seller", || {
            let _tickets = TICKETS.lock();
            ALL_HOLD.wait();
            let _chairs = CHAIRS.lock();
        }),
        start("usher", || {
            let _chairs = CHAIRS.lock();
            ALL_HOLD.wait();
            let _routes = ROUTES.write();
        }),
    ];
    assert!(started.iter().all(Result::is_ok), "a thread could not be started");
    let report = reports.recv_timeout(Duration::from_secs(30));
    println!("{}", report.as_deref().unwrap_or("nothing was found"));
    // The threads end with the process.
    report.is_ok()
}

const EXAMPLES: &str = "\
Example:
  watched inversion

Exit code: 0 if what is wrong was found, 1 if not, 2 for a bad command line.";
