//! What tutorials promise, in one program: a directory of files worked through by a pool, with a progress bar
//! that never stops moving.
//!
//! ```text
//!                 map, in order            as_completed
//!  files ──▶ pool ── measure ──▶ outcomes ──▶ pool ── store ──▶ table
//!                      │  ▲                           │ one of three connections
//!                   [ cache: RwLock ]              [ Semaphore ]
//!                      │                              │
//!                      └────── [ BoundedBuffer ] ◀────┘──── report: a Worker, once a second
//!                                    │ try_iter, every 50 ms
//!                                  screen: the main thread
//! ```
//!
//! * The **main thread** is the user interface, as in most programs with a window: it draws a frame every 50
//!   ms and waits for nothing else. What it shows comes through a buffer.
//! * A second thread does the **work**: it gives out tasks, and waits for them.
//! * **Ctrl-C** stops it between two files: a token is looked at, and ends every pause. What was measured and
//!   stored until then is told. A second Ctrl-C ends the program at once.
//!
//! # Commands
//!
//! ```text
//! cargo run --release --example samples -- --demo
//! cargo run --release --example samples -- /usr/share/doc
//! ```
//!
//! Standard output has a line for each file: bytes, lines, words and the name. The exit code is 0 if every
//! file was measured and stored, 1 if some could not be, 2 if the command line was not understood, 130 if it
//! was interrupted.
#![allow(
    clippy::disallowed_methods,
    reason = "the fence is for the crate; a program that uses it starts threads and looks at the clock"
)]

mod cache;
mod connections;
mod options;
mod screen;
mod work;

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::{env, thread};

use clap::Parser;
use lockwork::{BoundedBuffer, StopSource, ThreadPool};

use crate::cache::{Cache, Measures};
use crate::connections::Connections;
use crate::options::Options;
use crate::screen::Frames;
use crate::work::{Outcome, Shared};

/// What a shell says of a process that Ctrl-C has ended.
const BY_CTRL_C: u8 = 130;

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(code) => code,
        Err(problem) => {
            complain(&problem.to_string());
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let stop = StopSource::new();
    let token = stop.token();
    let handler = move || {
        // `stop` returns whether it was the first.
        if !stop.stop() {
            process::exit(BY_CTRL_C.into());
        }
    };
    ctrlc::set_handler(handler).map_err(|error| format!("cannot listen for Ctrl-C: {error}"))?;

    let demo = if options.demo { Some(Demo::make()?) } else { None };
    let dir = demo.as_ref().map(|demo| demo.0.as_path()).or(options.dir.as_deref()).unwrap_or(Path::new("."));
    let files = list(dir).map_err(|error| format!("cannot list {}: {error}", dir.display()))?;
    let pool = ThreadPool::builder().threads(options.threads).name("sample").try_build();
    let pool = pool.map_err(|error| format!("cannot start a thread: {error}"))?;
    let shared = Arc::new(Shared {
        cache: Cache::default(),
        connections: Connections::new(options.connections, options.store()),
        // What comes within a frame, and more: who puts into a full one waits for the next frame.
        updates: BoundedBuffer::new(1024),
        stop: token.clone(),
    });

    let (outcomes, frames) = thread::scope(|scope| {
        let work = scope.spawn(|| {
            // Closed whichever way the work ends, or the screen would never end.
            let _closed = Closing(&shared.updates);
            work::work(&shared, &pool, &files, options.report())
        });
        let frames = screen::run(&shared.updates);
        if frames.is_err() {
            // No frame is drawn any more, so no thread shall wait for room.
            drop(shared.updates.close_now());
        }
        (work.join(), frames)
    });
    let outcomes = outcomes.map_err(|_| "the work panicked")?.map_err(|error| format!("a task {error}"))?;
    let frames = frames.map_err(|error| format!("cannot draw: {error}"))?;

    let table = table(&files, &outcomes, &mut io::stdout().lock());
    table.map_err(|error| format!("cannot write the table: {error}"))?;
    let complete = summary(&shared, &outcomes, frames);
    if token.is_stopped() {
        return Ok(ExitCode::from(BY_CTRL_C));
    }
    if let Some(demo) = demo {
        demo.check(&files, &outcomes, &shared, options)?;
    }
    Ok(if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Closes a buffer when it is dropped.
struct Closing<'a, T>(&'a BoundedBuffer<T>);

impl<T> Drop for Closing<'_, T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The files of a directory, by name.
fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.push(entry.path());
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn table(files: &[PathBuf], outcomes: &[Outcome], out: &mut impl Write) -> io::Result<()> {
    for (file, outcome) in files.iter().zip(outcomes) {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        match outcome {
            Outcome::Measured { measures: Measures { bytes, lines, words }, .. } => {
                writeln!(out, "{bytes:>10} {lines:>8} {words:>8} {name}")?;
            }
            Outcome::Failed(_) | Outcome::Skipped => {}
        }
    }
    out.flush()
}

/// Says what came of it. Returns whether everything did.
fn summary(shared: &Shared, outcomes: &[Outcome], frames: Frames) -> bool {
    let count = |what: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| what(outcome)).count();
    let measured = count(|outcome| matches!(outcome, Outcome::Measured { .. }));
    let known = count(|outcome| matches!(outcome, Outcome::Measured { known: true, .. }));
    let stored = count(|outcome| matches!(outcome, Outcome::Measured { stored: true, .. }));
    let failed = count(|outcome| matches!(outcome, Outcome::Failed(_)));
    for outcome in outcomes {
        if let Outcome::Failed(why) = outcome {
            complain(why);
        }
    }
    let (most, _) = shared.connections.totals();
    complain(&format!(
        "{measured} of {} files measured, {known} of them by the cache, {failed} failed, {stored} stored; \
         at most {most} connections at once; {} frames, {} ms between two at most",
        outcomes.len(),
        frames.count,
        frames.longest.as_millis()
    ));
    stored == outcomes.len()
}

/// A directory of files that is removed with this.
struct Demo(PathBuf);

impl Demo {
    const FILES: usize = 60;

    fn make() -> Result<Self, String> {
        let dir = env::temp_dir().join(format!("lockwork-samples-{}", process::id()));
        let made = fs::create_dir(&dir).map(|()| Self(dir.clone()));
        let demo = made.map_err(|error| format!("cannot make {}: {error}", dir.display()))?;
        for number in 0..Self::FILES {
            let path = dir.join(format!("sample-{number:02}.txt"));
            let written = fs::write(&path, Self::content(number));
            written.map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        }
        Ok(demo)
    }

    /// Every third file has the content of the one before.
    fn content(number: usize) -> String {
        let number = if number % 3 == 2 { number - 1 } else { number };
        format!("sample {number}\n").repeat(number + 1)
    }

    /// Compares what came out with what was put in.
    fn check(
        &self,
        files: &[PathBuf],
        outcomes: &[Outcome],
        shared: &Shared,
        options: &Options,
    ) -> Result<(), String> {
        if files.len() != Self::FILES || outcomes.len() != Self::FILES {
            return Err(format!("demo: {} files and {} results", files.len(), outcomes.len()));
        }
        for (number, outcome) in outcomes.iter().enumerate() {
            let content = Self::content(number);
            let lines = content.lines().count() as u64;
            let should_be = Measures { bytes: content.len() as u64, lines, words: 2 * lines };
            match outcome {
                Outcome::Measured { measures, stored: true, .. } if *measures == should_be => {}
                other => return Err(format!("demo: file {number} came to {other:?}")),
            }
        }
        let (most, stored) = shared.connections.totals();
        if most > options.connections || stored != Self::FILES {
            return Err(format!("demo: {most} connections at once, {stored} results stored"));
        }
        let contents = shared.cache.len();
        if contents != Self::FILES - Self::FILES / 3 {
            return Err(format!("demo: {contents} different contents"));
        }
        complain("demo: every file was measured and stored, in the order of their names");
        Ok(())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It is in the directory for what is temporary.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Writes a line to standard error; the table goes to standard output.
fn complain(line: &str) {
    let _ = writeln!(io::stderr().lock(), "samples: {line}");
}
