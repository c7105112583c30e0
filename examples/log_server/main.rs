//! An HTTP server that logs what it is told, built on lockwork's blocking primitives.
//!
//! ```text
//!                connections                          records
//!  acceptor ──▶ [ BoundedBuffer ] ──▶ workers ──▶ [ BoundedBuffer ] ──▶ logger ──▶ file
//!     put         ▲          get        │  put                  get_many     │
//!                 └── watch ◀── rest ───┘       ◀── on the disk (--durable) ─┘
//! ```
//!
//! * The **acceptor** takes one permit of a `Semaphore` for each connection. When there is none left it
//!   waits, and clients wait in the listener's backlog: back-pressure, not memory, is what a crowd costs.
//! * The **workers** are tasks of a `ThreadPool`, one for each of its threads, for as long as the server
//!   runs.
//! * A **worker** takes a connection and does what can be done for it now. It never waits for a client: a
//!   connection whose client says nothing, or does not read its answer, goes to the watch, and one that has
//!   had its turn while others wait goes to the end of the line.
//! * The **watch** is one thread that sleeps until some socket has changed (by `mio`, since std has no such
//!   call), or the first deadline passes. Idle connections cost nothing, and clients that are too slow get a
//!   408.
//! * A worker puts a record into the second buffer *before* it answers. It waits there if the disk is slower
//!   than the clients: for the number of records, or for a `Semaphore` of as many permits as they may have
//!   bytes.
//! * The **logger** takes as many records as there are and writes them to the file in one go. With
//!   `--durable` it then brings them to the disk, and has the answers sent that were held back until then.
//! * An `Event` stops everything; see `stop` in this file for the order in which it happens, and why nothing
//!   that was answered is ever missing from the file.
//!
//! # Commands
//!
//! ```text
//! cargo run --release --example log_server                          serves until Ctrl-C
//! cargo run --release --example log_server -- --port 8080 --log /tmp/requests.log
//! cargo run --release --example log_server -- --requests 20000      drives and checks itself, then ends
//! cargo run --release --example log_server -- --durable             answers when the record is on the disk
//! cargo run --release --example log_server -- --help                all options
//!
//! curl 'http://127.0.0.1:8080/log?hello'                            one record
//! curl -d 'two
//! lines' http://127.0.0.1:8080/log                                  one record, on one line
//! curl http://127.0.0.1:8080/stats
//! curl http://127.0.0.1:8080/metrics                                the same for Prometheus
//!
//! cargo run --release --features diagnose --example log_server -- --port 8080
//! curl http://127.0.0.1:8080/debug/locks                            which thread holds and waits for what
//! curl http://127.0.0.1:8080/debug/profile?text                     where waits for locks went
//! go tool pprof -top http://127.0.0.1:8080/debug/profile            the same
//! ```
//!
//! # What it answers
//!
//! `/log` takes GET (what follows the question mark is logged) and POST (the body is); `/`, `/health`,
//! `/stats` and `/metrics` take GET, and so do `/debug/locks` and `/debug/profile` of a server that is built
//! with the feature `diagnose`. HEAD is answered like GET, without the body. Every answer, an error too,
//! has a record of its own:
//!
//! ```text
//! 17 1767225600.042 127.0.0.1:50312 POST /log 200 "two\nlines"
//! └ number: they ascend in the file       │   └ data, escaped: a record never takes two lines
//!    └ seconds since 1970                 └ status
//! ```
//!
//! The exit code is 0 if every answered request is in the file, 1 if not or if the server could not run, 2 if
//! it did not understand its command line, 130 if it was interrupted: by a second Ctrl-C, or in a run that
//! drives itself.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the fence is for the crate; a program that uses it counts with std's atomics and looks at the clock"
)]

mod connection;
mod counts;
mod debug;
mod drive;
mod http;
mod log;
mod options;
mod server;
mod watch;

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{self, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use clap::Parser;
use lockwork::{Event, ThreadPool};

use crate::connection::Waits;
use crate::counts::Snapshot;
use crate::drive::Run;
use crate::log::Log;
use crate::options::Options;
use crate::server::Server;

/// Set by Ctrl-C, by a logger that cannot write, and by a run that drives itself when it is through.
///
/// A static, because a signal's handler must outlive everything. Set once, it stays set: each thread that
/// looks or waits, early or late, sees it.
static STOP: Event = Event::new();

/// Whether a signal has come: the next one ends the process at once.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// What a shell says of a process that Ctrl-C has ended.
const BY_CTRL_C: u8 = 130;

/// Set if a line of output could not be written, for another reason than that its reader is gone.
static UNSAID: Event = Event::new();

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(_) if UNSAID.is_set() => {
            complain(format_args!("cannot write to standard output"));
            ExitCode::FAILURE
        }
        Ok(_) if options.requests.is_some() && INTERRUPTED.load(Relaxed) => ExitCode::from(BY_CTRL_C),
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            complain(format_args!("{problem}"));
            ExitCode::FAILURE
        }
    }
}

fn on_signal() {
    if INTERRUPTED.swap(true, Relaxed) {
        complain(format_args!("ended at once: what was not written yet is lost"));
        process::exit(BY_CTRL_C.into());
    }
    STOP.set();
}

/// Serves as the options say. Says whether everything that was answered is in the log.
fn run(options: &Options) -> Result<bool, Problem> {
    let _watch = debug::watch();
    ctrlc::set_handler(on_signal).map_err(|error| Problem::new("cannot listen for Ctrl-C", error))?;

    // Only this machine can connect: the program has no business on a network.
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let listener = TcpListener::bind(address)
        .map_err(|error| Problem::new(format!("cannot listen on {address}"), error))?;
    let address = listener.local_addr().map_err(|error| Problem::new("cannot tell the port", error))?;

    let mut log = log::open(options.log.as_deref())
        .map_err(|(path, error)| Problem::new(format!("cannot open the log {}", path.display()), error))?;
    if !log.regular {
        // Said now, not when the work is done.
        for (wanted, why) in
            [(options.requests.is_some(), "read back what is in it"), (options.durable, "bring it to a disk")]
        {
            if wanted {
                let what = format!("cannot use the log {}", log.path.display());
                return Err(Problem::new(what, format!("it is not a regular file, and nothing can {why}")));
            }
        }
    }

    // Tests and scripts read the first line to learn the port.
    say(format_args!("listening on http://{address}"));
    say(format_args!("logging to {}", log.path.display()));
    if log.torn {
        complain(format_args!(
            "the log ended in half a record, of a run that was killed; it goes on below that"
        ));
    }

    let server = Server::new(options, log.next_number, &STOP)
        .map_err(|error| Problem::new("cannot watch connections", error))?;
    let (written, run) = serve(&server, options, listener, address, &mut log)?;
    let complete = finish(&server, &log, &written, run)?;
    if complete && options.requests.is_some() && options.log.is_none() {
        // It was the run's own, and has been checked.
        let removed = fs::remove_file(&log.path);
        removed.map_err(|error| Problem::new(format!("cannot remove {}", log.path.display()), error))?;
        say(format_args!("the log is complete, and removed (--log PATH keeps it)"));
    }
    Ok(complete)
}

/// Starts every thread, serves until the stop, and ends every thread. Returns what became of the log, and how
/// the run went if the server drove itself.
fn serve(
    server: &Server,
    options: &Options,
    listener: TcpListener,
    address: SocketAddr,
    log: &mut Log,
) -> Result<(io::Result<()>, Option<Run>), Problem> {
    let quiet = Event::new();
    // A task for each turn of a connection would be queued here instead of in the buffer, with an allocation
    // each time.
    let pool = ThreadPool::builder().threads(options.workers).name("worker").try_build();
    let pool = pool.map_err(|error| Problem::new("cannot start a thread", error))?;
    thread::scope(|scope| {
        pool.scope(|tasks| {
            let mut acceptor = None;
            let (mut logger, mut watch) = (None, None);
            let started: io::Result<()> = (|| {
                logger = Some(spawn(scope, "logger", || server.log(log))?);
                watch = Some(spawn(scope, "watch", || server.watch())?);
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
            stop(server, acceptor, address, options);
            if let Some(Ok(Err(error))) = watch.map(ScopedJoinHandle::join) {
                complain(format_args!("cannot watch connections: {error}"));
            }
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

/// Ends the threads in the order in which the data flows, each buffer after whatever fills it.
///
/// 1. The acceptor ends. It sleeps in `accept`, where no event reaches it, so a connection of our own wakes
///    it up. (The other way, to accept without blocking and to sleep in `Event::wait_for` between two looks,
///    needs no such trick, but lets every new client wait for the next look and wakes an idle server up for
///    nothing.)
/// 2. Every connection that was accepted is finished: then all permits are back.
/// 3. Now nothing puts a connection any more: the watch ends, and closing the buffer ends the workers.
/// 4. Nor does anything put a record: closing the second buffer ends the logger, after it has taken all there
///    are.
fn stop(server: &Server, acceptor: Option<ScopedJoinHandle<'_, ()>>, address: SocketAddr, options: &Options) {
    server.watch.wake();
    if let Some(acceptor) = acceptor {
        // It fails if the acceptor is gone already, which is fine, or if we have no file descriptor left. The
        // workers are closing connections by now, so trying again will help.
        while !server.acceptor_gone.is_set() && TcpStream::connect_timeout(&address, RETRY).is_err() {
            server.acceptor_gone.wait_for(RETRY);
        }
        let deadline = Instant::now() + PATIENCE;
        if !server.acceptor_gone.wait_until(deadline) {
            tell_what_is_open(server, options);
        }
        if acceptor.join().is_err() {
            complain(format_args!("the acceptor panicked"));
        }
    }
    while server.places.try_acquire_many_for(options.connections, PATIENCE).is_none() {
        tell_what_is_open(server, options);
    }
    server.watch.end();
    server.connections.close();
    server.records.close();
}

/// How long the stop may take before it is explained.
const PATIENCE: Duration = Duration::from_millis(500);

/// Says for what the stop waits.
fn tell_what_is_open(server: &Server, options: &Options) {
    let open = options.connections.saturating_sub(server.places.available_permits());
    let waits: Vec<String> = server
        .watch
        .waits()
        .into_iter()
        .map(|(waits, n)| {
            let what = match waits {
                Waits::Silent => "silent",
                Waits::Request => "sending a request",
                Waits::Disk => "waiting for the disk",
                Waits::Reader => "not reading its answer",
                Waits::Close => "closing",
            };
            format!("{n} {what}")
        })
        .collect();
    let Snapshot { recorded, logged, .. } = server.counts.now();
    complain(format_args!(
        "stopping; open connections: {open} ({}); records to write: {}; Ctrl-C ends at once",
        if waits.is_empty() { "being answered".to_owned() } else { waits.join(", ") },
        recorded.saturating_sub(logged),
    ));
}

/// How long to wait before another attempt to wake the acceptor.
const RETRY: Duration = Duration::from_millis(50);

/// Compares what was answered with what is in the log, and says so.
fn finish(server: &Server, log: &Log, written: &io::Result<()>, run: Option<Run>) -> Result<bool, Problem> {
    let path = &log.path;
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
    let found = log::read_back(path, log.start, run.requests)
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
    match writeln!(io::stdout().lock(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => UNSAID.set(),
        _ => {}
    }
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
