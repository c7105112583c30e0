//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use clap::builder::RangedU64ValueParser;

const EXAMPLES: &str = "\
Examples:
  samples --demo
  samples /usr/share/doc --threads 8

Exit code: 0 if every file was measured and stored, 1 if some could not be, 2 for a bad command line, 130 after Ctrl-C.";

/// Works through a directory of files: measures each, stores the result over one of three connections, and
/// draws its progress meanwhile.
#[derive(Debug, Parser)]
#[command(name = "samples", version, after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Directory whose files are measured, not those of its directories
    #[arg(value_name = "DIR", required_unless_present = "demo")]
    pub(crate) dir: Option<PathBuf>,

    /// Make a directory of files, measure it, check the results, and remove it
    #[arg(long, conflicts_with = "dir")]
    pub(crate) demo: bool,

    /// Threads that measure and store
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=256))]
    pub(crate) threads: usize,

    /// Connections to the store, which there is none of: a connection is a pause
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=256))]
    pub(crate) connections: usize,

    /// How long it takes to store a result
    #[arg(long, default_value_t = 30, value_name = "MS", value_parser = clap::value_parser!(u64).range(..=60_000))]
    pub(crate) store_ms: u64,

    /// Time between two reports
    #[arg(long, default_value_t = 1000, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    pub(crate) report_ms: u64,
}

impl Options {
    pub(crate) fn store(&self) -> Duration {
        Duration::from_millis(self.store_ms)
    }

    pub(crate) fn report(&self) -> Duration {
        Duration::from_millis(self.report_ms)
    }
}
