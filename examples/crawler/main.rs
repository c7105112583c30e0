//! A concurrent web crawler, built on lockwork's blocking primitives alone.
//!
//! ```text
//!              one thread                 jobs, each with leave to ask its host
//!   ┌─▶ decides what to visit ── try_put ──▶ [ BoundedBuffer ] ──▶ fetchers ─┐
//!   └───────────────── get ── [ BoundedBuffer ] ◀── put: what became of it ──┘
//! ```
//!
//! * One thread, `crawl::Decider`, knows what was found, what is to be visited and how far away it is. It
//!   alone puts jobs into the **frontier** and takes what comes of them out of the **results**.
//! * A **fetcher** (`Worker`) takes a job, fetches the page, again if need be, looks for links, and puts the
//!   result.
//! * A **semaphore per host** limits how many requests a host gets at a time. The permit travels with the
//!   job: who decides takes it without waiting, and a fetcher gives it back. So no fetcher ever sleeps for a
//!   busy host while another one could be asked.
//! * An **event** stops it: fetchers finish the page at hand and give all others back, and the pauses between
//!   attempts end. A second event drops what is in progress.
//! * A **journal** thread writes the log from a third buffer, so that no fetcher waits for the disk.
//!
//! Two buffers in a circle can come to a standstill, when both are full and each side waits for room. So the
//! thread that decides never waits for room: what does not fit in the frontier stays with it.
//!
//! # Commands
//!
//! ```text
//! cargo run --release --example crawler -- --demo            a site of its own, checked
//! cargo run --release --example crawler -- http://127.0.0.1:8000/ --depth 3
//! cargo run --release --example crawler -- --serve           that site, for other clients
//! cargo run --release --example crawler -- --help            all options
//! ```
//!
//! The exit code is 0 if every page could be had (with `--demo`: if exactly what is there was found), 1 if
//! not, 2 if it did not understand its command line, and 130 if it was interrupted.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the fence is for the crate; a program that uses it looks at the clock"
)]

#[path = "../shared/client.rs"]
mod client;
mod crawl;
mod demo;
mod journal;
mod options;
mod page;
#[path = "../shared/serve.rs"]
mod serve;
#[path = "../shared/url.rs"]
mod url;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use lockwork::Event;

use crate::crawl::{Crawl, Outcome, Report, plural};
use crate::demo::Site;
use crate::journal::Journal;
use crate::options::Options;

const INTERRUPTED: u8 = 130;

/// Set if a line of output could not be written, for another reason than that its reader is gone.
static UNSAID: Event = Event::new();

fn main() -> ExitCode {
    let options = Options::parse();
    let (stop, abort) = (Arc::new(Event::new()), Arc::new(Event::new()));
    let (first, second) = (Arc::clone(&stop), Arc::clone(&abort));
    let handler = ctrlc::set_handler(move || {
        if first.is_set() {
            second.set();
        }
        first.set();
    });
    let result = match handler {
        Ok(()) => run(options, &stop, &abort),
        Err(error) => Err(format!("cannot listen for Ctrl-C: {error}").into()),
    };
    match result {
        Ok(_) if UNSAID.is_set() => {
            complain(format_args!("cannot write to standard output"));
            ExitCode::FAILURE
        }
        Ok(code) => code,
        Err(problem) => {
            complain(format_args!("{problem}"));
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options, stop: &Arc<Event>, abort: &Arc<Event>) -> Result<ExitCode, Box<dyn Error>> {
    let site = if options.demo || options.serve {
        Some(Site::start().map_err(|error| format!("cannot serve the demonstration: {error}"))?)
    } else {
        None
    };
    if let (Some(site), true) = (&site, options.serve) {
        for address in site.addresses() {
            say(format_args!("listening on http://{address}/"));
        }
        stop.wait();
        return Ok(ExitCode::SUCCESS);
    }
    let seeds = match &site {
        Some(site) => site.seeds()?,
        None => options.urls.clone(),
    };
    let file = match &options.log {
        Some(path) => Some(
            File::create(path)
                .map_err(|error| format!("cannot write the log {}: {error}", path.display()))?,
        ),
        None => None,
    };

    let style = "{spinner} {wide_bar} {pos} of {len} pages, {msg} ({rate}, {elapsed})";
    let rate = |state: &ProgressState, out: &mut dyn fmt::Write| {
        // Writing to a terminal's line does not fail, and there is nothing to be done if it does.
        let _ = write!(out, "{:.0}/s", state.per_sec());
    };
    let style = ProgressStyle::with_template(style)?.with_key("rate", rate);
    let bar = ProgressBar::new(0).with_style(style);
    let (journal, writer) = Journal::start(file, bar.clone())?;
    let check = site.as_ref().map(|site| (site, options.clone()));
    let crawl = Arc::new(Crawl::new(options, Arc::clone(stop), Arc::clone(abort), journal.clone()));
    let report = crawl.run(&seeds, &bar);
    journal.close();
    let written = writer.join().map_err(|error| format!("the journal's thread: {error}"))?;
    bar.finish_and_clear();
    let report = report?;
    summary(&report);
    written.map_err(|error| format!("cannot write the log: {error}"))?;

    if stop.is_set() {
        let pages = plural(report.unvisited, "page");
        complain(format_args!("interrupted; found and not visited: {pages}"));
        return Ok(ExitCode::from(INTERRUPTED));
    }
    let failed = report.visits.iter().filter(|visit| matches!(visit.outcome, Outcome::Failed(_))).count();
    let Some((site, options)) = check else {
        return Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    };
    let wrong = site.check(&options, &report)?;
    for problem in &wrong {
        complain(format_args!("{problem}"));
    }
    if wrong.is_empty() {
        let (visits, most) = (report.visits.len(), site.most_at_a_time());
        say(format_args!(
            "demo: {visits} pages visited, {failed} of them fail, exactly as planned; \
             at most {most} requests at a time for a host"
        ));
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}

/// Sums of the visits at one depth.
#[derive(Default)]
struct Row {
    visits: usize,
    pages: usize,
    redirects: usize,
    failed: usize,
    retries: u32,
    bytes: u64,
    links: usize,
}

/// Prints a table, and what failed.
fn summary(report: &Report) {
    let mut rows: BTreeMap<u32, Row> = BTreeMap::new();
    let mut total = Row::default();
    for visit in &report.visits {
        for row in [rows.entry(visit.depth).or_default(), &mut total] {
            row.visits += 1;
            row.retries += visit.attempts.saturating_sub(1);
            row.bytes += visit.bytes;
            match &visit.outcome {
                Outcome::Page { links, .. } => {
                    row.pages += 1;
                    row.links += links.len();
                }
                Outcome::Redirect { .. } => row.redirects += 1,
                Outcome::Failed(_) | Outcome::Abandoned => row.failed += 1,
            }
        }
    }
    let line = |name: &str, row: &Row| {
        let Row { visits, pages, redirects, failed, retries, bytes, links } = row;
        say(format_args!(
            "{name:>5} {visits:>8} {pages:>8} {redirects:>9} {failed:>7} {retries:>8} {bytes:>12} {links:>8}"
        ));
    };
    say(format_args!("depth   visits    pages redirects  failed  retries        bytes    links"));
    for (depth, row) in &rows {
        line(&depth.to_string(), row);
    }
    line("all", &total);
    for visit in &report.visits {
        if let Outcome::Failed(why) = &visit.outcome {
            let from = visit.from.as_ref().map(|from| format!(" (linked from {from})")).unwrap_or_default();
            say(format_args!("failed: {}: {why}{from}", visit.url));
        }
    }
    let seconds = report.elapsed.as_secs_f64();
    say(format_args!(
        "{} in {seconds:.2} s, {:.0} a second; not visited: {} too deep, {} on other hosts, {} over the limit",
        plural(total.visits, "visit"),
        total.visits as f64 / seconds.max(1e-9),
        report.too_deep,
        report.elsewhere,
        report.too_many,
    ));
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
    let _ = writeln!(io::stderr().lock(), "crawler: {line}");
}
