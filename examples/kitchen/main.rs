//! A tour of lockwork through a kitchen: one station for each primitive, on one page of a terminal.
//!
//! Each station does its work with real threads, checks what came out, and says it in a line or two.
//!
//! # Commands
//!
//! ```text
//! cargo run --release --example kitchen
//! cargo run --release --example kitchen -- --cooks 12
//! ```
//!
//! The exit code is 0 if every station found what it should, 1 if not or if the page could not be written, 2
//! if the command line was not understood.
#![allow(
    clippy::disallowed_methods,
    reason = "the fence is for the crate; a program that uses it starts threads"
)]

mod stations;

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use clap::builder::RangedU64ValueParser;

use crate::stations::{locks, queues, signals, threads};

const EXAMPLES: &str = "\
Example:
  kitchen --cooks 12

Exit code: 0 if every station found what it should, 1 if not or if its output could not be written, 2 for a bad command
line.";

/// A tour of lockwork through a kitchen, one station for each primitive.
#[derive(Debug, Parser)]
#[command(name = "kitchen", version, after_help = EXAMPLES)]
struct Options {
    /// Threads that work in the kitchen
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=64))]
    cooks: usize,
}

/// What a station tells, or what it found wrong.
type Told = Result<Vec<String>, String>;

/// Given the number of cooks.
type Station = fn(usize) -> Told;

/// In the order of the page.
const STATIONS: [(&str, Station); 22] = [
    ("mutex", locks::mutex),
    ("rwlock", locks::rwlock),
    ("reentrant", locks::reentrant),
    ("together", locks::together),
    ("once", locks::once),
    ("poison", locks::poison),
    ("local", locks::local),
    ("condition", signals::condition),
    ("event", signals::event),
    ("auto-reset", signals::auto_reset),
    ("latch", signals::latch),
    ("group", signals::group),
    ("semaphore", signals::semaphore),
    ("barrier", signals::barrier),
    ("stop", signals::stop),
    ("buffer", queues::buffer),
    ("first", queues::first),
    ("order", queues::order),
    ("channel", queues::channel),
    ("pool", threads::pool),
    ("completed", threads::completed),
    ("worker", threads::worker),
];

fn main() -> ExitCode {
    let Options { cooks } = Options::parse();
    match tour(cooks, &mut io::stdout().lock()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            complain(format_args!("cannot write the page: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Goes from station to station. Returns how many found something wrong.
fn tour(cooks: usize, page: &mut impl Write) -> io::Result<usize> {
    let mut wrong = 0;
    for (name, station) in STATIONS {
        match station(cooks) {
            Ok(lines) => {
                for (number, line) in lines.iter().enumerate() {
                    let name = if number == 0 { name } else { "" };
                    writeln!(page, "{name:<10} {line}")?;
                }
            }
            Err(what) => {
                wrong += 1;
                complain(format_args!("{name}: {what}"));
            }
        }
    }
    if wrong == 0 {
        writeln!(page, "{:<10} every station is as it should be", "")?;
    }
    page.flush()?;
    Ok(wrong)
}

fn complain(line: fmt::Arguments<'_>) {
    // If this cannot be written, either, the exit code still tells.
    let _ = writeln!(io::stderr().lock(), "kitchen: {line}");
}
