//! The command line.

use std::fmt;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{Parser, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  bank --transfers 1000000 --strategy all-at-once
  bank --naive

Exit code: 0 if the money is all there, 1 if not or if the report could not be written, 2 for a bad command line, 3 after
a deadlock, 130 after Ctrl-C.";

/// Transfers between accounts, by many tellers at once: the total never changes.
///
/// Runs each safe strategy in turn, unless told otherwise. Exits with 3 if the tellers are in a deadlock,
/// which only --naive can bring about.
#[derive(Debug, Parser)]
#[command(name = "bank", version, after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Take the locks in the order in which the transfer names the accounts, and see what happens
    #[arg(long, conflicts_with = "strategy")]
    pub(crate) naive: bool,

    /// How a teller takes the locks of two accounts [default: one run with each]
    #[arg(long, value_enum)]
    pub(crate) strategy: Option<Strategy>,

    /// Accounts of the bank
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = between(2, 10_000))]
    pub(crate) accounts: usize,

    /// Threads that make transfers
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = between(1, 256))]
    pub(crate) tellers: usize,

    /// Transfers to make in each run
    #[arg(long, default_value_t = 50_000, value_name = "N", value_parser = clap::value_parser!(u64).range(..=1_000_000_000_000))]
    pub(crate) transfers: u64,

    /// Money on each account at the beginning
    #[arg(long, default_value_t = 1000, value_name = "MONEY", value_parser = clap::value_parser!(u64).range(..=1_000_000_000))]
    pub(crate) opening: u64,

    /// In one of so many transfers another thread gets the processor between the two locks; 0 is never. Naive
    /// tellers are interrupted every time
    #[arg(long, default_value_t = 1024, value_name = "N")]
    pub(crate) interrupt: u64,

    /// Where the random numbers begin: the same seed gives each teller the same transfers
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,

    /// How long a naive teller waits for a lock before it looks whether any teller can go on
    #[arg(long, default_value_t = 300, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub(crate) detect_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Strategy {
    /// Both accounts by one call of `lock_all`
    AllAtOnce,
    /// The lower account first
    Ordered,
    /// The second lock with a time-out; if that passes, give way and begin again
    TimeOut,
    #[value(skip)]
    Naive,
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AllAtOnce => "all-at-once",
            Self::Ordered => "ordered",
            Self::TimeOut => "time-out",
            Self::Naive => "naive",
        })
    }
}

impl Options {
    pub(crate) fn total(&self) -> u64 {
        self.opening * self.accounts as u64
    }

    pub(crate) fn detect(&self) -> Duration {
        Duration::from_millis(self.detect_ms)
    }
}

fn between(least: u64, most: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(least..=most)
}
