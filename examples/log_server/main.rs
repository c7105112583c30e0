//! An HTTP server that logs what it is told, built on lockwork's blocking primitives alone.
//!
//! ```text
//!                connections                          records
//!  acceptor ──▶ [ BoundedBuffer ] ──▶ workers ──▶ [ BoundedBuffer ] ──▶ logger ──▶ file
//!     put            ▲      get          │  put                   get_many
//!                    └──── try_put ──────┘
//!              (not finished: back to the end of the line)
//! ```
//!
//! * The **acceptor** puts every connection into the first buffer. When that is full it waits there, and clients
//!   wait in the listener's backlog: back-pressure, not memory, is what a crowd costs.
//! * The **workers** are tasks of a `ThreadPool`, one for each of its threads, for as long as the server runs.
//! * A **worker** takes a connection, answers what it asks, and keeps it for as long as nobody else waits. When
//!   somebody does, a connection that has nothing to say just now, or has had its turn, goes back to the end of the
//!   line. So a few workers serve many connections that are kept alive, and a client that sends a byte a second
//!   holds up nobody: it takes a place in the line, until its request's deadline passes and it gets a 408.
//! * A worker puts a record into the second buffer *before* it answers: who has an answer has a record. If the disk
//!   is slower than the clients, the workers wait for room there.
//! * The **logger** takes as many records as there are and writes them to the file in one go.
//! * An `Event` stops everything; see `stop` in this file for the order in which it happens, and why nothing that
//!   was answered is ever missing from the file.
//!
//! # Commands
//!
//! ```text
//! cargo run --release --example log_server                          serves until Ctrl-C
//! cargo run --release --example log_server -- --port 8080 --log /tmp/requests.log
//! cargo run --release --example log_server -- --requests 20000      drives and checks itself, then ends
//! cargo run --release --example log_server -- --help                all options
//!
//! curl 'http://127.0.0.1:8080/log?hello'                            one record
//! curl -d 'two
//! lines' http://127.0.0.1:8080/log                                  one record, on one line
//! curl http://127.0.0.1:8080/stats
//! curl http://127.0.0.1:8080/metrics                                the same for Prometheus
//! ```
//!
//! # What it answers
//!
//! `/log` takes GET (what follows the question mark is logged) and POST (the body is); `/`, `/health`, `/stats`
//! and `/metrics` take GET. HEAD is answered like GET, without the body. Every answer, an error too, has a record of its own:
//!
//! ```text
//! 17 1767225600.042 127.0.0.1:50312 POST /log 200 "two\nlines"
//! └ number, unique in the file            │   └ data, escaped: a record never takes two lines
//!    └ seconds since 1970                 └ status
//! ```
//!
//! The exit code is 0 if every answered request is in the file, 1 if not or if the server could not run, 2 if it did
//! not understand its command line.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the fence is for the crate; a program that uses it counts with std's atomics and looks at the clock"
)]

mod connection;
mod drive;
mod http;
mod log;
mod options;
mod server;

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::Duration;

use clap::Parser;
use lockwork::{Event, ThreadPool};

use crate::drive::Run;
use crate::options::Options;
use crate::server::Server;

/// Set by Ctrl-C, by a logger that cannot write, and by a run that drives itself when it is through.
///
/// A static, because a signal's handler must outlive everything. Set once, it stays set: whoever looks or waits,
/// early or late, sees it.
static STOP: Event = Event::new();

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            complain(format_args!("{problem}"));
            ExitCode::FAILURE
        }
    }
}

/// Serves as the options say. Says whether everything that was answered is in the log.
fn run(options: &Options) -> Result<bool, Problem> {
    ctrlc::set_handler(|| STOP.set()).map_err(|error| Problem::new("cannot listen for Ctrl-C", error))?;

    // Only this machine can connect: the program has no business on a network.
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let listener = TcpListener::bind(address)
        .map_err(|error| Problem::new(format!("cannot listen on {address}"), error))?;
    let address = listener.local_addr().map_err(|error| Problem::new("cannot tell the port", error))?;

    let (path, file) = log::open(options.log.as_deref())
        .map_err(|(path, error)| Problem::new(format!("cannot open the log {}", path.display()), error))?;

    // Tests and scripts read the first line to learn the port.
    say(format_args!("listening on http://{address}"));
    say(format_args!("logging to {}", path.display()));

    let server = Server::new(options, &STOP);
    let (written, run) = serve(&server, options, listener, address, file)?;
    finish(&server, &path, &written, run)
}

/// Starts every thread, serves until the stop, and ends every thread. Returns what became of the log, and how the
/// run went if the server drove itself.
fn serve(
    server: &Server,
    options: &Options,
    listener: TcpListener,
    address: SocketAddr,
    file: File,
) -> Result<(io::Result<()>, Option<Run>), Problem> {
    let quiet = Event::new();
    // A task for each connection, or for each turn of one, would be queued here instead of in the buffer. But a worker
    // has things of its own (room to read into, and how long it has heard nothing), and `stop` waits until every
    // connection was reported done; the buffer is made for that.
    let pool = ThreadPool::builder().threads(options.workers).name("worker").try_build();
    let pool = pool.map_err(|error| Problem::new("cannot start a thread", error))?;
    thread::scope(|scope| {
        pool.scope(|tasks| {
            let mut acceptor = None;
            let mut logger = None;
            let started: io::Result<()> = (|| {
                logger = Some(spawn(scope, "logger", || server.log(file))?);
                for _ in 0..options.workers {
                    // The scope waits for them, and passes on a panic.
                    drop(tasks.spawn(|| server.work()));
                }
                spawn(scope, "progress", || server.report(&quiet))?;
                acceptor = Some(spawn(scope, "acceptor", || server.accept(listener))?);
                Ok(())
            })();

            let mut run = None;
            match (&started, options.requests) {
                (Err(_), _) => {}
                (Ok(()), Some(requests)) => {
                    run = Some(drive::drive(address, requests, options.clients, &STOP))
                }
                (Ok(()), None) => STOP.wait(),
            }
            STOP.set();
            stop(server, acceptor, address);
            let written = match logger.map(ScopedJoinHandle::join) {
                Some(Ok(written)) => written,
                Some(Err(_)) => Err(io::Error::other("the logger panicked")),
                None => Ok(()),
            };
            quiet.set();
            match started {
                Ok(()) => Ok((written, run)),
                Err(error) => Err(Problem::new("cannot start a thread", error)),
            }
        })
    })
}

/// Ends the threads in the order in which the data flows, each buffer after whoever fills it.
///
/// 1. The acceptor ends. It sleeps in `accept`, where no event reaches it, so a connection of our own wakes it up.
///    (The other way, to accept without blocking and to sleep in `Event::wait_for` between two looks, needs no such
///    trick, but lets every new client wait for the next look and wakes an idle server up for nothing.)
/// 2. Every connection that was accepted is finished. Workers may still put back what they are not done with, so
///    the buffer stays open; `join` waits until each connection put into it was reported done.
/// 3. Now nobody puts a connection any more: closing the buffer ends the workers.
/// 4. Nor does anybody put a record: closing the second buffer ends the logger, after it has taken all there are.
fn stop(server: &Server, acceptor: Option<ScopedJoinHandle<'_, ()>>, address: SocketAddr) {
    if let Some(acceptor) = acceptor {
        // It fails if the acceptor is gone already, which is fine, or if we have no file descriptor left. The workers
        // are closing connections by now, so trying again will help.
        while !server.acceptor_gone.is_set() && TcpStream::connect_timeout(&address, RETRY).is_err() {
            server.acceptor_gone.wait_for(RETRY);
        }
        if acceptor.join().is_err() {
            complain(format_args!("the acceptor panicked"));
        }
    }
    server.connections.join();
    server.connections.close();
    server.records.close();
}

/// How long to wait before another attempt to wake the acceptor.
const RETRY: Duration = Duration::from_millis(50);

/// Compares what was answered with what is in the log, and says so.
fn finish(server: &Server, path: &Path, written: &io::Result<()>, run: Option<Run>) -> Result<bool, Problem> {
    if let Err(error) = written {
        complain(format_args!("cannot write the log {}: {error}", path.display()));
    }
    let run = match run {
        Some(run) if written.is_ok() => run,
        // It has served others, or there is no log to look into.
        _ => {
            let counts = server.counts.now();
            let lost = counts.recorded - counts.logged;
            say(format_args!("served {}, logged {}, lost {lost}", counts.answered, counts.logged));
            return Ok(written.is_ok() && lost == 0);
        }
    };

    // The counters could be wrong together with what they count. The file tells.
    let found = log::read_back(path, run.requests)
        .map_err(|error| Problem::new(format!("cannot read the log {} back", path.display()), error))?;
    let lost = run.answered.saturating_sub(found.logged);
    say(format_args!(
        "{} requests by {} clients in {:.3} s: {:.0} requests/s",
        run.answered,
        run.clients,
        run.elapsed.as_secs_f64(),
        run.rate()
    ));
    say(format_args!("served {}, logged {}, lost {lost}", run.answered, found.logged));
    if let Some(failure) = &run.failure {
        complain(format_args!("{failure}"));
    }
    if run.answered != run.requests {
        complain(format_args!("only {} of {} requests were answered", run.answered, run.requests));
    }
    if found.logged != run.answered || found.lines != run.answered {
        complain(format_args!(
            "the log has {} lines, with {} of {} requests in them",
            found.lines, found.logged, run.requests
        ));
    }
    if found.repeated_numbers != 0 {
        complain(format_args!("{} records have the number of another", found.repeated_numbers));
    }
    Ok(run.complete() && found.complete(run.requests))
}

/// Starts a named thread; unlike [`Scope::spawn`] it does not panic if the system has none left.
fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: impl Into<String>,
    body: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, T>> {
    thread::Builder::new().name(name.into()).spawn_scoped(scope, body)
}

/// Writes a line to standard output. Unlike `println!` it survives a reader that has gone away.
fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// Writes a line to standard error, where people look for trouble.
fn complain(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "log_server: {line}");
}

/// Why the server could not run at all.
#[derive(Debug)]
struct Problem {
    what: String,
    why: Box<dyn std::error::Error>,
}

impl Problem {
    fn new(what: impl Into<String>, why: impl Into<Box<dyn std::error::Error>>) -> Self {
        Self { what: what.into(), why: why.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}
