//! A download manager, built on lockwork's blocking primitives alone.
//!
//! ```text
//!                 permit per file           task per file              task per range
//!   command line ── Semaphore ──▶ ThreadPool::scope ──▶ ThreadPool::scope ── Semaphore ──▶ connection
//!                                        │                      │         permit per connection
//!                                  look, divide, check     write, note, again if it breaks
//! ```
//!
//! * Each file is a task of a **pool**, and each of its ranges a task inside of that task: a **scope** in a
//!   scope. The thread of a file that waits for its ranges fetches those that no thread has begun.
//! * One **semaphore** limits the files at a time: the main thread takes a permit before it submits a file,
//!   and the task gives it back. Another one limits the connections of all of them; it is held while there is
//!   a connection, and not during the pauses between attempts.
//! * What has come is written at once, and noted twice a second beside the file, under a **mutex** per file.
//!   A program that is interrupted, killed or without power goes on from there, if the server still has the
//!   same file.
//! * An **event** stops it: every wait for data or for another attempt ends, what has come is noted, and the
//!   threads are joined.
//!
//! # Commands
//!
//! ```text
//! cargo run --release --example downloads -- --demo          a server of its own, checked
//! cargo run --release --example downloads -- http://127.0.0.1:8000/a.iso --dir /tmp
//! cargo run --release --example downloads -- --list urls.txt --connections 16
//! cargo run --release --example downloads -- --help          all options
//! ```
//!
//! Standard output has a line for each file that is there, in the form that `sha256sum --check` understands.
//!
//! The exit code is 0 if all files are there (with `--demo`: if exactly those that can be), 1 if not, 2 if it
//! did not understand its command line, and 130 if it was interrupted.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the fence is for the crate; a program that uses it counts with std's atomics and looks at the clock"
)]

#[path = "../shared/client.rs"]
mod client;
mod demo;
mod manager;
mod options;
mod partial;
#[path = "../shared/serve.rs"]
mod serve;
#[path = "../shared/url.rs"]
mod url;

use std::error::Error;
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use indicatif::MultiProgress;
use lockwork::{Event, StopToken, ThreadPool};

use crate::demo::Files;
use crate::manager::{Done, Manager, Trouble, Wanted};
use crate::options::Options;

const INTERRUPTED: u8 = 130;
const NOT_UNDERSTOOD: u8 = 2;

/// Set if a line of output could not be written, for another reason than that its reader is gone.
static UNSAID: Event = Event::new();

fn main() -> ExitCode {
    let options = Options::parse();
    // The second one is for the interruption that is a part of the demonstration.
    let (stop, halt) = (Arc::new(Event::new()), Arc::new(Event::new()));
    let both = (Arc::clone(&stop), Arc::clone(&halt));
    let handler = ctrlc::set_handler(move || {
        if both.0.is_set() {
            // What is noted is true at any time.
            complain(format_args!("ended at once"));
            process::exit(INTERRUPTED.into());
        }
        both.0.set();
        both.1.set();
    });
    let result = match handler {
        Err(error) => Err(format!("cannot listen for Ctrl-C: {error}").into()),
        Ok(()) if options.demo => demonstrate(&options, &stop, &halt),
        Ok(()) => run(&options, &stop),
    };
    match result {
        Ok(_) if UNSAID.is_set() => {
            complain(format_args!("cannot write to standard output"));
            ExitCode::FAILURE
        }
        Ok(code) => code,
        Err(problem) => {
            complain(format_args!("{problem}"));
            if problem.is::<Usage>() { ExitCode::from(NOT_UNDERSTOOD) } else { ExitCode::FAILURE }
        }
    }
}

/// What is wrong with a command line, or with a list that belongs to it.
#[derive(Debug)]
struct Usage(String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; see --help", self.0)
    }
}

impl Error for Usage {}

fn run(options: &Options, stop: &Event) -> Result<ExitCode, Box<dyn Error>> {
    let mut wanted = options.urls.clone();
    if let Some(list) = &options.list {
        let text = fs::read_to_string(list).map_err(|error| format!("{}: {error}", list.display()))?;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                let wrong = |problem| Usage(format!("{}, line {}: {problem}", list.display(), number + 1));
                wanted.push(Wanted::parse(line).map_err(wrong)?);
            }
        }
    }
    let dir = options.dir.clone().unwrap_or_else(|| PathBuf::from("."));
    for wanted in &wanted {
        wanted.name().map_err(Usage)?;
    }
    if let Some(path) = manager::conflict(&wanted, &dir) {
        return Err(Usage(format!("two files would be written to {}", path.display())).into());
    }
    make(&dir)?;
    let results = fetch(options, &dir, &wanted, stop, |_| {})?;
    if results.iter().any(|result| matches!(result, Err(Trouble::Stopped))) {
        return Ok(ExitCode::from(INTERRUPTED));
    }
    Ok(if results.iter().all(Result::is_ok) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn make(dir: &Path) -> Result<(), String> {
    fs::create_dir_all(dir).map_err(|error| format!("cannot make {}: {error}", dir.display()))
}

/// Fetches everything and says what came of it. `meanwhile` runs beside it, in a thread of its own.
fn fetch(
    options: &Options,
    dir: &Path,
    wanted: &[Wanted],
    stop: &Event,
    meanwhile: impl FnOnce((&Manager<'_>, &StopToken)) + Send,
) -> Result<Vec<Result<Done, Trouble>>, Box<dyn Error>> {
    let bars = MultiProgress::new();
    let manager = Manager::new(options, dir, stop, &bars)?;
    let start = Instant::now();
    let over = StopToken::new();
    let beside = ThreadPool::builder().threads(2).name("beside").try_build()?;
    let results = beside.scope(|scope| {
        let beside = scope.spawn(|| meanwhile((&manager, &over)));
        // Where bars cannot be drawn, a line a second.
        let progress = scope.spawn(|| {
            let mut before = 0;
            while bars.is_hidden() && !over.wait_for(Duration::from_secs(1)) {
                let (now, files) = (manager.received(), manager.at_work());
                let kilobytes = (now - before) / 1000;
                before = now;
                complain(format_args!("{now} bytes received, {kilobytes} kB/s; files at work: {files}"));
            }
        });
        let results = manager.run(wanted, |wanted, result| {
            bars.suspend(|| match (result, wanted.name()) {
                (Ok(done), Ok(name)) => {
                    say(format_args!("{}  {}", done.sha256, dir.join(name).display()));
                }
                (Err(trouble), _) => complain(format_args!("{}: {trouble}", wanted.url)),
                (Ok(_), Err(problem)) => complain(format_args!("{problem}")),
            });
        });
        over.stop();
        beside.join().and_then(|()| progress.join()).map(|()| results)
    })?;
    let seconds = start.elapsed().as_secs_f64();
    let there = results.iter().filter(|result| result.is_ok()).count();
    let (received, resumed) = (
        manager.received(),
        results.iter().filter_map(|result| result.as_ref().ok()).map(|done| done.resumed).sum::<u64>(),
    );
    complain(format_args!(
        "{there} of {} files are there; {received} bytes received in {seconds:.2} s, {resumed} were there before",
        results.len()
    ));
    Ok(results)
}

/// Downloads from a server of its own: once with an interruption, and then the rest.
fn demonstrate(options: &Options, stop: &Event, halt: &Arc<Event>) -> Result<ExitCode, Box<dyn Error>> {
    let files = Files::start(Arc::clone(halt))?;
    let wanted = files.wanted()?;
    let own = options.dir.is_none();
    let dir = options
        .dir
        .clone()
        .unwrap_or_else(|| std::env::temp_dir().join(format!("lockwork-downloads-{}", std::process::id())));
    make(&dir)?;
    if fs::read_dir(&dir)?.next().is_some() {
        return Err(format!("{} must be empty for the demonstration", dir.display()).into());
    }
    let result = (|| {
        let first = fetch(options, &dir, &wanted, halt, |(manager, over)| {
            while !over.wait_for(Duration::from_millis(1)) {
                if manager.received() >= files.quarter() {
                    break;
                }
            }
            halt.set();
        })?;
        let stopped = first.iter().filter(|result| matches!(result, Err(Trouble::Stopped))).count();
        complain(format_args!("interrupted on purpose with {stopped} files to go; once more"));
        if stop.is_set() {
            return Ok(ExitCode::from(INTERRUPTED));
        }
        let second = Options { user_agent: demo::SECOND.into(), ..options.clone() };
        let results = fetch(&second, &dir, &wanted, stop, |_| {})?;
        if stop.is_set() {
            return Ok(ExitCode::from(INTERRUPTED));
        }
        let wrong = files.check(options, &dir, &wanted, &results)?;
        for problem in &wrong {
            complain(format_args!("{problem}"));
        }
        if !wrong.is_empty() {
            return Ok(ExitCode::FAILURE);
        }
        let good = results.iter().filter(|result| result.is_ok()).count();
        say(format_args!(
            "demo: {good} files are there, byte by byte, {} are not, as planned; at most {} connections at a time",
            results.len() - good,
            files.most_at_a_time()
        ));
        Ok(ExitCode::SUCCESS)
    })();
    // The server's threads must not wait for an interruption that does not come any more.
    halt.set();
    drop(files);
    if own {
        let removed = fs::remove_dir_all(&dir);
        removed.map_err(|error| format!("cannot remove {}: {error}", dir.display()))?;
    }
    result
}

/// Writes a line to standard output. Unlike `println!` it survives a reader that has gone away.
fn say(line: fmt::Arguments<'_>) {
    match writeln!(io::stdout().lock(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => UNSAID.set(),
        _ => {}
    }
}

/// Writes a line to standard error.
fn complain(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "downloads: {line}");
}
