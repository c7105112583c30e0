//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use clap::builder::RangedU64ValueParser;

use crate::url::Url;

const EXAMPLES: &str = "\
Examples:
  crawler --demo
  crawler http://127.0.0.1:8000/ --depth 3 --log visits.log

Exit code: 0 if all pages could be had, 1 if some could not, 2 for a bad command line, 130 after Ctrl-C.";

/// A concurrent web crawler.
///
/// Visits the addresses given and what they link to, as far as --depth, on the same hosts. Ctrl-C ends it in
/// order: no page is begun any more, those in progress are finished and counted. A second Ctrl-C drops them.
#[derive(Clone, Debug, Parser)]
#[command(name = "crawler", version, after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Where to begin; their hosts are the ones that are visited
    #[arg(value_name = "URL", value_parser = Url::parse, required_unless_present_any = ["demo", "serve"])]
    pub(crate) urls: Vec<Url>,

    /// Crawl a site that this program serves itself, and check what was found
    #[arg(long, conflicts_with_all = ["urls", "serve", "max_pages"])]
    pub(crate) demo: bool,

    /// Serve that site and do nothing else, until Ctrl-C
    #[arg(long, conflicts_with = "urls")]
    pub(crate) serve: bool,

    /// Follow so many links from where it began; 0 visits only the addresses given
    #[arg(long, default_value_t = 5, value_name = "N")]
    pub(crate) depth: u32,

    /// Visit no more pages than this
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = numbers(1, 10_000_000))]
    pub(crate) max_pages: usize,

    /// Threads that fetch pages
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = numbers(1, 1024))]
    pub(crate) fetchers: usize,

    /// Requests to one host at a time
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = numbers(1, 1024))]
    pub(crate) per_host: usize,

    /// Pause after each request before the host is asked for something else in its place
    #[arg(long, default_value_t = 0, value_name = "MS", value_parser = millis())]
    pub(crate) delay_ms: u64,

    /// Further attempts for a page that fails in a way that may pass
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u32).range(..=100))]
    pub(crate) retries: u32,

    /// Pause before the first of these, twice as long before each further one
    #[arg(long, default_value_t = 100, value_name = "MS", value_parser = millis())]
    pub(crate) backoff_ms: u64,

    /// Longest time for one attempt at a page, and for a silence in it
    #[arg(long, default_value_t = 10_000, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    pub(crate) timeout_ms: u64,

    /// Longest page; a longer one counts as failed
    #[arg(long, default_value_t = 4 << 20, value_name = "BYTES", value_parser = numbers(1, 1 << 30))]
    pub(crate) max_body: usize,

    /// Follow links to other hosts, too
    #[arg(long)]
    pub(crate) all_hosts: bool,

    /// File with a line for every visit and every retry, replaced if it exists
    #[arg(long, value_name = "PATH")]
    pub(crate) log: Option<PathBuf>,
}

impl Options {
    pub(crate) fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms)
    }

    pub(crate) fn back_off(&self) -> Duration {
        Duration::from_millis(self.backoff_ms)
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

fn numbers(least: u64, most: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(least..=most)
}

fn millis() -> RangedU64ValueParser<u64> {
    RangedU64ValueParser::new().range(..=3_600_000)
}
