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
//! The exit code is 0 if every station found what it should, 1 if not, 2 if the command line was not understood.
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

/// A tour of lockwork through a kitchen, one station for each primitive.
#[derive(Debug, Parser)]
#[command(name = "kitchen")]
struct Options {
    /// Threads that work in the kitchen
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=64))]
    cooks: usize,
}

/// What a station tells, or what it found wrong.
type Told = Result<Vec<String>, String>;

/// Given the number of cooks.
type Station = fn(usize) -> Told;

fn main() -> ExitCode {
    let Options { cooks } = Options::parse();
    let stations: [(&str, Station); 7] = [
        ("mutex", stations::mutex),
        ("condition", stations::condition),
        ("event", stations::event),
        ("semaphore", stations::semaphore),
        ("barrier", stations::barrier),
        ("local", stations::local),
        ("pool", stations::pool),
    ];
    let mut wrong = 0;
    for (name, station) in stations {
        match station(cooks) {
            Ok(lines) => {
                for (number, line) in lines.iter().enumerate() {
                    let name = if number == 0 { name } else { "" };
                    say(format_args!("{name:<10} {line}"));
                }
            }
            Err(what) => {
                wrong += 1;
                let _ = writeln!(io::stderr().lock(), "kitchen: {name}: {what}");
            }
        }
    }
    if wrong != 0 {
        return ExitCode::FAILURE;
    }
    say(format_args!("{:<10} every station is as it should be", ""));
    ExitCode::SUCCESS
}

/// Writes a line to standard output. Unlike `println!` it survives a reader that has gone away.
fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}
