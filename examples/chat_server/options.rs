//! The command line.

use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{Parser, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  chat_server --port 7000
  nc 127.0.0.1 7000
  chat_server --demo 200

Exit code: 0 if the server stopped in order and a demo found every line where it belongs, 1 if not, 2 for a bad command
line, 130 if a demo was interrupted, or after a second Ctrl-C.";

/// A chat server on 127.0.0.1, in which a slow client holds up only itself.
///
/// Serves until Ctrl-C, delivers what was said, and ends. With --demo it brings its own clients along and
/// checks that every line has reached every client.
#[derive(Debug, Parser)]
#[command(name = "chat_server", version, after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,

    /// Clients that may be connected at once; more are refused with a line that says so
    #[arg(long, default_value_t = 512, value_name = "N", value_parser = between(1, 4096))]
    pub(crate) max_clients: usize,

    /// Lines that may wait for a client that is slow to read
    #[arg(long, default_value_t = 1024, value_name = "N", value_parser = between(1, 1 << 20))]
    pub(crate) outbox: usize,

    /// What becomes of a client that is as many lines behind
    #[arg(long, value_enum, default_value_t = Slow::DropClient)]
    pub(crate) slow: Slow,

    /// Time that who speaks waits for a client whose outbox is more than half full; only once, until that has
    /// caught up
    #[arg(long, default_value_t = 250, value_name = "MS", value_parser = clap::value_parser!(u64).range(..=3_600_000))]
    patience_ms: u64,

    /// Longest line that a client may send, in bytes
    #[arg(long, default_value_t = 1024, value_name = "BYTES", value_parser = between(1, 1 << 20))]
    pub(crate) max_line: usize,

    /// Time for a client to say its name
    #[arg(long, default_value_t = 10_000, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    name_timeout_ms: u64,

    /// Time for the clients to take what is left for them when the server stops, and for one that leaves
    #[arg(long, default_value_t = 2000, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    grace_ms: u64,

    /// Talk to itself with this many clients, check what they heard, and end
    #[arg(long, value_name = "N", value_parser = between(1, 1024))]
    pub(crate) demo: Option<usize>,

    /// Lines that each client of the demo says
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = between(0, 100_000))]
    pub(crate) lines: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Slow {
    /// It is disconnected
    DropClient,
    /// It misses lines, and is told how many
    DropLines,
}

impl Options {
    pub(crate) fn name_timeout(&self) -> Duration {
        Duration::from_millis(self.name_timeout_ms)
    }

    pub(crate) fn patience(&self) -> Duration {
        Duration::from_millis(self.patience_ms)
    }

    pub(crate) fn grace(&self) -> Duration {
        Duration::from_millis(self.grace_ms)
    }

    /// The demo's clients must have a place, and none of them is ever further behind than this, see
    /// [`crate::demo`].
    pub(crate) fn outbox(&self) -> usize {
        self.outbox.max(self.demo.map_or(0, |clients| 4 * clients))
    }

    pub(crate) fn max_clients(&self) -> usize {
        self.max_clients.max(self.demo.unwrap_or(0))
    }

    /// How many files it may have open at once: one for each client and one for each of the demo's, and some
    /// of its own.
    pub(crate) fn files(&self) -> u64 {
        const OWN: usize = 16;
        (self.demo.map_or(self.max_clients(), |clients| 2 * clients) + OWN) as u64
    }
}

fn between(least: u64, most: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(least..=most)
}
