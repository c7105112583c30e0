//! A bank with many tellers: two locks for each transfer, and four ways to take them.
//!
//! A transfer changes two accounts, so a teller needs both of their locks. If each takes the lock of the
//! account that pays first and then the other, two tellers with opposite transfers can wait for each other
//! indefinitely. This program shows three ways out, and what happens without:
//!
//! * **all-at-once**: `lock_all` takes both; it does not wait long for one while it holds the other.
//! * **ordered**: the lock of the account with the lower number is always the first. A thread that waits
//!   for a lock waits for one that holds a higher one, and there is no way round in a circle.
//! * **time-out**: the second lock is waited for no longer than a moment. When that has passed the teller
//!   gives the first one back, steps aside for a random time that grows with each attempt, and begins again.
//! * **naive** (`--naive`): neither. The tellers notice by a time-out that nothing moves, find out who waits
//!   for whom, say so, and go home. Nothing was half done, so the money is all there.
//!
//! Meanwhile an auditor locks all accounts again and again and adds up: the total never changes. In the end
//! each account is compared with what the tellers have written down on their own.
//!
//! # Commands
//!
//! ```text
//! cargo run --release --example bank
//! cargo run --release --example bank -- --strategy time-out --accounts 2 --tellers 8
//! cargo run --release --example bank -- --naive
//! cargo run --release --features diagnose --example bank -- --naive    the watch names the circle, too
//! cargo run --release --example bank -- --help
//! ```
//!
//! # Exit code
//!
//! | | |
//! |---|---|
//! | 0 | every transfer asked for was done or refused for want of money; the money is all there |
//! | 1 | money was lost or made, or the program could not run or not write its report |
//! | 2 | the command line was not understood |
//! | 3 | the tellers are in a deadlock (`--naive` only) |
//! | 130 | Ctrl-C came before the end; the money is all there |
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the fence is for the crate; a program that uses it counts with std's atomics and looks at the clock"
)]

mod accounts;
mod naive;
mod options;
mod random;
mod tellers;
mod watch;

use std::fmt;
use std::io::{self, Write};
use std::process::{self, ExitCode};

use clap::Parser;
use lockwork::Event;

use crate::options::{Options, Strategy};
use crate::tellers::{Day, Outcome};

/// Set by Ctrl-C: tellers finish the transfer they are at.
static STOP: Event = Event::new();

/// Set if a line of the report could not be written, for another reason than that its reader is gone.
static UNREPORTED: Event = Event::new();

/// What a deadlock ends with, and what a shell says of a process that Ctrl-C has ended.
const DEADLOCK: u8 = 3;
const BY_CTRL_C: u8 = 130;

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(_) if UNREPORTED.is_set() => {
            complain(format_args!("cannot write the report"));
            ExitCode::FAILURE
        }
        Ok(code) => code,
        Err(problem) => {
            complain(format_args!("{problem}"));
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let on_signal = || {
        if STOP.is_set() {
            // A deadlock of naive tellers takes a while to be noticed.
            process::exit(BY_CTRL_C.into());
        }
        STOP.set();
    };
    ctrlc::set_handler(on_signal).map_err(|error| format!("cannot listen for Ctrl-C: {error}"))?;
    say(format_args!(
        "{} tellers, {} accounts with {} each: {} in all",
        options.tellers,
        options.accounts,
        options.opening,
        options.total()
    ));
    let strategies = match (options.naive, options.strategy) {
        (true, _) => vec![Strategy::Naive],
        (false, Some(strategy)) => vec![strategy],
        (false, None) => vec![Strategy::AllAtOnce, Strategy::Ordered, Strategy::TimeOut],
    };
    let _watch = options.naive.then(watch::watch);
    let mut code = ExitCode::SUCCESS;
    for strategy in strategies {
        let day = tellers::work(options, strategy, &STOP)
            .map_err(|error| format!("cannot start a thread: {error}"))?;
        report(strategy, &day, options);
        if !day.problems.is_empty() {
            return Ok(ExitCode::FAILURE);
        }
        match day.outcome {
            Outcome::Done => {}
            Outcome::Interrupted => return Ok(ExitCode::from(BY_CTRL_C)),
            Outcome::Deadlock(_) => code = ExitCode::from(DEADLOCK),
        }
    }
    Ok(code)
}

fn report(strategy: Strategy, day: &Day, options: &Options) {
    let seconds = day.elapsed.as_secs_f64();
    let handled = day.done + day.refused;
    say(format_args!(
        "{strategy}: {} transfers, {} refused for want of money, in {seconds:.3} s: {:.0}/s",
        day.done,
        day.refused,
        if handled == 0 { 0.0 } else { handled as f64 / seconds }
    ));
    if strategy == Strategy::TimeOut {
        say(format_args!("  tellers gave way {} times", day.gave_way));
    }
    if strategy != Strategy::Naive {
        say(format_args!("  {} audits on the way", day.audits));
    }
    match &day.outcome {
        Outcome::Done => {}
        Outcome::Interrupted => say(format_args!("  interrupted")),
        Outcome::Deadlock(circle) => {
            say(format_args!("  DEADLOCK: for {:?} none could go on, because", options.detect()));
            for wait in circle {
                say(format_args!("    {wait}"));
            }
        }
    }
    for problem in &day.problems {
        complain(format_args!("{strategy}: {problem}"));
    }
    if day.problems.is_empty() {
        say(format_args!("  total {}, as before", options.total()));
    }
}

/// Writes a line to standard output. Unlike `println!` it survives a reader that has gone away.
fn say(line: fmt::Arguments<'_>) {
    match writeln!(io::stdout().lock(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => UNREPORTED.set(),
        _ => {}
    }
}

fn complain(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "bank: {line}");
}
