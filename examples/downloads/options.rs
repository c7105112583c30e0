//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use clap::builder::RangedU64ValueParser;

use crate::manager::Wanted;

const EXAMPLES: &str = "\
Examples:
  downloads --demo
  downloads http://127.0.0.1:8000/image.iso --dir /tmp --parts 8
  downloads --list urls.txt --connections 16 | sha256sum --check

Exit code: 0 if all files are there, 1 if some are not, 2 for a bad command line or list, 130 after Ctrl-C; the same
command goes on.";

/// A download manager.
///
/// Fetches many files at once, and a large one in several ranges at once. What was fetched before an
/// interruption, of whatever kind, is kept: the same command goes on from there. Prints the SHA-256 of each
/// file, as sha256sum does.
#[derive(Clone, Debug, Parser)]
#[command(name = "downloads", version, after_help = EXAMPLES)]
pub(crate) struct Options {
    /// What to fetch; with `#sha256=<64 digits>` behind it, only that content will do
    #[arg(value_name = "URL", value_parser = Wanted::parse, required_unless_present_any = ["demo", "list"])]
    pub(crate) urls: Vec<Wanted>,

    /// File with more of them, one on each line; empty lines and those beginning with # do not count
    #[arg(long, value_name = "PATH")]
    pub(crate) list: Option<PathBuf>,

    /// Download from a server that this program is itself, with an interruption, and check what was written
    #[arg(long, conflicts_with_all = ["urls", "list"])]
    pub(crate) demo: bool,

    /// Folder to write to, made if it does not exist [default: the current one; with --demo one that is
    /// removed]
    #[arg(long, value_name = "PATH")]
    pub(crate) dir: Option<PathBuf>,

    /// Files at a time
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = numbers(1, 256))]
    pub(crate) files: usize,

    /// Connections at a time, for all files together
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = numbers(1, 256))]
    pub(crate) connections: usize,

    /// Ranges of one file
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = numbers(1, 256))]
    pub(crate) parts: usize,

    /// Shortest range worth a connection of its own
    #[arg(long, default_value_t = 1 << 20, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) min_part: u64,

    /// Attempts in a row that bring nothing before a file is given up
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) attempts: u32,

    /// Pause after the first of these, twice as long after each further one
    #[arg(long, default_value_t = 200, value_name = "MS", value_parser = clap::value_parser!(u64).range(..=3_600_000))]
    pub(crate) backoff_ms: u64,

    /// Longest silence of a server
    #[arg(long, default_value_t = 15_000, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    pub(crate) timeout_ms: u64,

    /// What to tell the server who we are
    #[arg(long, default_value = "lockwork-downloads", value_name = "TEXT", value_parser = field_value)]
    pub(crate) user_agent: String,
}

impl Options {
    pub(crate) fn back_off(&self) -> Duration {
        Duration::from_millis(self.backoff_ms)
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

/// What may stand in a line of a request.
fn field_value(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err("it must be one line, and not empty".into());
    }
    Ok(text.to_owned())
}

fn numbers(least: u64, most: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(least..=most)
}
