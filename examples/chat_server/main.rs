//! A chat server: every line that a client says reaches all in the room, in the same order.
//!
//! ```text
//!                       ┌──────── the room: a Mutex ────────┐
//!  reader of a client ──┤ for each member: try_put ─────────┼──▶ [ BoundedBuffer ] ──▶ writer ──▶ client
//!   one for each        │   (never waits)                   │      one for each         one for each
//!                       └───────────────────────────────────┘
//! ```
//!
//! * Each client has a **reader** thread, a **writer** thread, and between the room and the writer an outbox
//!   of limited size. To say something is to put it into every outbox under the room's lock, so all see the
//!   same order, and never to wait for one: a client that does not read fills its own outbox and nothing
//!   else.
//! * What happens then is the **policy**: the client is dropped (`--slow drop-client`), or lines are, for it
//!   alone, and it is told how many (`--slow drop-lines`).
//! * Who speaks waits a moment for a client whose outbox is more than half full, once: it may just not have
//!   had the processor. If that was in vain no line waits for that client again until it has caught up.
//! * A client that talks faster than it listens is not read for a while: of what it says only a few lines may
//!   be on the way to itself, which a `Semaphore` counts. The rest waits in its socket.
//! * A `Semaphore` limits the clients, an `Event` stops the server. Then each client gets what is in its
//!   outbox and a last line, within a time limit.
//!
//! # Commands
//!
//! ```text
//! cargo run --release --example chat_server                       serves until Ctrl-C
//! cargo run --release --example chat_server -- --port 7000        and then: nc 127.0.0.1 7000
//! cargo run --release --example chat_server -- --demo 200         talks to itself with 200 clients, and
//! checks
//! cargo run --release --example chat_server -- --help             all options
//! ```
//!
//! # The protocol
//!
//! Lines of UTF-8, ended by a newline. The first line of a client is its name: letters, digits, `-` and `_`.
//! After that each line is said to all, the client itself included, unless it is a command: `/who`,
//! `/quit`.
//!
//! | the server says | when |
//! |---|---|
//! | `* text` | news: who came, who left, who is here, that the server stops |
//! | `<name> text` | `name` has said this |
//! | `! text` | to this client alone: what was wrong, or how many lines it missed |
//!
//! The exit code is 0 if the server has stopped in order, and a demo found every line where it belongs; 1 if
//! not; 2 if the command line was not understood; 130 if a demo was interrupted, or by a second Ctrl-C.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the fence is for the crate; a program that uses it counts with std's atomics and looks at the clock"
)]

mod client;
mod demo;
mod lines;
mod options;
mod room;
mod server;

use std::fmt;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{self, ExitCode};
use std::thread;

use clap::Parser;
use lockwork::Event;

use crate::options::Options;
use crate::server::Server;

/// Set by Ctrl-C, and by a demo that is through.
static STOP: Event = Event::new();

/// Set by Ctrl-C alone. The second one ends the process.
static INTERRUPTED: Event = Event::new();

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
        Ok(_) if options.demo.is_some() && INTERRUPTED.is_set() => ExitCode::from(BY_CTRL_C),
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            complain(format_args!("{problem}"));
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<bool, String> {
    let on_signal = || {
        if INTERRUPTED.is_set() {
            complain(format_args!("ended at once"));
            process::exit(BY_CTRL_C.into());
        }
        INTERRUPTED.set();
        STOP.set();
    };
    ctrlc::set_handler(on_signal).map_err(|error| format!("cannot listen for Ctrl-C: {error}"))?;
    // Now, and not when one connection after the other fails.
    if let Some(limit) = open_files(options.files()) {
        let wanted = options.files();
        let problem = format!("this takes {wanted} open files, and {limit} are allowed (ulimit -n)");
        match options.demo {
            Some(_) => return Err(problem),
            None => complain(format_args!("{problem}; fewer clients than --max-clients will come in")),
        }
    }
    // Only this machine can connect: the program has no business on a network.
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let listener =
        TcpListener::bind(address).map_err(|error| format!("cannot listen on {address}: {error}"))?;
    let address = listener.local_addr().map_err(|error| format!("cannot tell the port: {error}"))?;
    // Tests and scripts read the first line to learn the port.
    say(format_args!("listening on {address}"));

    let server = Server::new(options, &STOP);
    let report = thread::scope(|scope| {
        let demo = options.demo.map(|clients| {
            thread::Builder::new().name("demo".into()).spawn_scoped(scope, move || {
                let report = demo::run(address, clients, options.lines, &STOP, &INTERRUPTED);
                STOP.set();
                report
            })
        });
        // If the demo has no thread there is nothing to serve.
        let demo = demo.transpose().map_err(|error| format!("cannot start the demo: {error}"))?;
        let served = server.serve(listener, address).map_err(|error| format!("cannot serve: {error}"));
        STOP.set();
        let report = demo.map(|demo| demo.join().map_err(|_| "the demo panicked".to_owned())).transpose()?;
        served.map(|()| report)
    })?;

    let counts = server.counts();
    say(format_args!(
        "{} clients, {} lines said, {} delivered, {} clients dropped, {} lines dropped, {} refused",
        counts.clients,
        counts.said,
        counts.delivered,
        counts.dropped_clients,
        counts.dropped_lines,
        counts.refused
    ));
    let Some(report) = report else {
        return Ok(true);
    };
    say(format_args!("{report}"));
    for problem in &report.problems {
        complain(format_args!("{problem}"));
    }
    Ok(report.good())
}

/// Raises the limit of open files to `wanted`, or as far as it goes. Returns the limit if that is not enough.
#[cfg(unix)]
fn open_files(wanted: u64) -> Option<u64> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    if soft >= wanted {
        return None;
    }
    let more = wanted.min(hard);
    let limit = setrlimit(Resource::RLIMIT_NOFILE, more, hard).map_or(soft, |()| more);
    (limit < wanted).then_some(limit)
}

#[cfg(not(unix))]
fn open_files(_: u64) -> Option<u64> {
    None
}

/// Writes a line to standard output. Unlike `println!` it survives a reader that has gone away.
fn say(line: fmt::Arguments<'_>) {
    match writeln!(io::stdout().lock(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => UNSAID.set(),
        _ => {}
    }
}

fn complain(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "chat_server: {line}");
}
