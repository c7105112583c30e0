//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use clap::builder::RangedU64ValueParser;

use crate::http::Limits;

const EXAMPLES: &str = "\
Examples:
  log_server --port 8080 --log requests.log --durable
  curl -d 'some text' http://127.0.0.1:8080/log
  log_server --requests 20000

Exit code: 0 if every record is in the log, 1 if not or if the server could not run, 2 for a bad command line,
130 after a second Ctrl-C, or if a run with --requests was interrupted.";

/// An HTTP server on 127.0.0.1 that logs what it is told.
///
/// Serves until Ctrl-C, answers the requests in progress, writes every record, and ends. A second Ctrl-C ends
/// it at once. With --requests it is its own client and checks that nothing was lost.
#[derive(Debug, Parser)]
#[command(name = "log_server", version, after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,

    /// Threads that answer requests
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = from_one_to(1024))]
    pub(crate) workers: usize,

    /// Connections that may be open at once; more wait in the listener's backlog
    #[arg(long, default_value_t = 512, value_name = "N", value_parser = from_one_to(1 << 16))]
    pub(crate) connections: usize,

    /// Connections with something to do that may wait for a worker
    #[arg(long, default_value_t = 256, value_name = "N", value_parser = from_one_to(1 << 16))]
    pub(crate) queue: usize,

    /// Records that may wait to be written; when there are as many, the workers wait
    #[arg(long, default_value_t = 4096, value_name = "N", value_parser = from_one_to(1 << 16))]
    pub(crate) log_queue: usize,

    /// Bytes that these records may take together (one record may take more, if it is alone)
    #[arg(long, default_value_t = 16 << 20, value_name = "BYTES", value_parser = from_one_to(1 << 30))]
    pub(crate) log_bytes: usize,

    /// File for the records, appended to if it exists [default: a new file in the temporary directory]
    #[arg(long, value_name = "PATH")]
    pub(crate) log: Option<PathBuf>,

    /// Answer only when the record is on the disk, not when it waits to be written
    #[arg(long)]
    pub(crate) durable: bool,

    /// Make this many requests over real connections, check the log, and end; a log without a name is removed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=100_000_000))]
    pub(crate) requests: Option<u64>,

    /// Threads that make these requests
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = from_one_to(1024))]
    pub(crate) clients: usize,

    /// Longest request body, in bytes; a longer one is answered 413
    #[arg(long, default_value_t = 64 * 1024, value_name = "BYTES", value_parser = up_to(64 << 20))]
    pub(crate) max_body: usize,

    /// Longest request line with headers, in bytes; a longer one is answered 431
    #[arg(long, default_value_t = 8 * 1024, value_name = "BYTES", value_parser = from_one_to(1 << 20))]
    pub(crate) max_head: usize,

    /// Time for a request to arrive, from its first byte to its last, before it is answered 408, and for a
    /// client to read its answer; an idle connection is closed after the same time
    #[arg(long, default_value_t = 5000, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    pub(crate) read_timeout_ms: u64,
}

impl Options {
    pub(crate) fn limits(&self) -> Limits {
        Limits { max_head: self.max_head, max_body: self.max_body }
    }

    pub(crate) fn read_timeout(&self) -> Duration {
        Duration::from_millis(self.read_timeout_ms)
    }
}

fn from_one_to(most: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=most)
}

fn up_to(most: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(..=most)
}
