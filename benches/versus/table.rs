//! The results as text: on the terminal, and in documents.

use crate::results::{Outcome, Results, Standing};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

/// The terminal's lines of one workload.
pub(crate) fn plain(outcome: &Outcome) -> String {
    let mut text = format!("{}\n", outcome.name);
    for standing in &outcome.standings {
        let waits = standing.waits.as_ref().map_or_else(String::new, |waits| {
            let [median, high, longest] =
                [waits.median, waits.percentile_99, waits.longest].map(|wait| time(wait as f64));
            format!("  waits {median} {high} {longest}")
        });
        let _ = writeln!(
            text,
            "  {:<25} {:>9} M/s  {:>6} x best peer  {:>7} x std  fairness {:>4}  cpu {:>8}{waits}",
            standing.name,
            speed(outcome, standing),
            ratio(standing.to_best_peer),
            ratio(standing.to_std),
            ratio(standing.fairness),
            standing.cpu_nanoseconds.map_or_else(none, time),
        );
    }
    text
}

fn none() -> String {
    "–".to_owned()
}

/// Three digits.
fn digits(value: f64) -> String {
    match value {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or_else(none, |ratio| if ratio < 10.0 { format!("{ratio:.2}") } else { digits(ratio) })
}

fn speed(outcome: &Outcome, standing: &Standing) -> String {
    if outcome.rest { none() } else { digits(standing.operations_per_second / 1e6) }
}

/// A length of time in the unit that suits it.
pub(crate) fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        1e9.. => format!("{} s", digits(nanoseconds / 1e9)),
        1e6.. => format!("{} ms", digits(nanoseconds / 1e6)),
        1e3.. => format!("{} µs", digits(nanoseconds / 1e3)),
        10.0.. => format!("{nanoseconds:.0} ns"),
        _ => format!("{} ns", digits(nanoseconds)),
    }
}

/// A number between two marks belongs to this program; the rest of the document does not.
const BEGIN: &str = "<!-- versus: ";
const END: &str = "<!-- /versus -->";

/// Writes the parts of a document that are results: `<!-- versus: NAME -->` to `<!-- /versus -->`, where the
/// name is `machine`, `summary`, `head` or a family. Without a document there a new one is made, with all
/// parts.
pub(crate) fn markdown(results: &Results, path: &Path, pictures: Option<&Path>) -> io::Result<()> {
    let document = match fs::read_to_string(path) {
        Ok(document) => document,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parts = ["machine", "head"].into_iter().chain(families(results));
            parts.map(|part| format!("{BEGIN}{part} -->\n{END}\n\n")).collect()
        }
        Err(error) => return Err(error),
    };
    let mut written = String::new();
    let mut rest = document.as_str();
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let broken = |what| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {what}", path.display()));
        let (part, after) = after.split_once(" -->").ok_or_else(|| broken("a mark has no end"))?;
        let (old, after) = after.split_once(END).ok_or_else(|| broken("a part has no end"))?;
        let new = match part {
            "machine" => machine(results),
            "summary" => head(results, &SUMMARY),
            "head" => head(results, &HEAD),
            family if families(results).any(|name| name == family) => table(results, family, path, pictures),
            // Not measured this time: what was found before stays.
            _ => old.trim().to_owned(),
        };
        // The empty lines make it a paragraph of its own.
        let new = if new.is_empty() { String::new() } else { format!("\n{new}\n\n") };
        let _ = write!(written, "{before}{BEGIN}{part} -->\n{new}{END}");
        rest = after;
    }
    if written.is_empty() {
        let message = format!("{}: has no `{BEGIN}NAME -->`", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    fs::write(path, written + rest)
}

fn families(results: &Results) -> impl Iterator<Item = &str> {
    let all = &results.workloads;
    let first = |at: &usize| *at == 0 || all[*at].family != all[*at - 1].family;
    (0..all.len()).filter(first).map(|at| all[at].family.as_str())
}

fn machine(results: &Results) -> String {
    let machine = &results.machine;
    let peers: Vec<String> =
        machine.peers.iter().map(|(name, version)| format!("{name} {version}")).collect();
    format!(
        "* {} cores{}: {}\n* {}, {}; load at the start {}\n* one look at the clock takes {}, waking a sleeping thread {}\n\
         * {} rounds of {} ms\n* {}",
        machine.cores,
        if machine.is_virtual { " of a virtual machine" } else { "" },
        machine.processor,
        machine.system,
        machine.compiler,
        machine.load,
        time(machine.clock),
        time(machine.wake_up),
        results.rounds,
        results.milliseconds,
        peers.join(", "),
    )
}

/// Every number of a family, with its pictures.
fn table(results: &Results, family: &str, path: &Path, pictures: Option<&Path>) -> String {
    let mut text = String::new();
    if let Some(folder) = pictures {
        for (file, title) in crate::draw::pictures(results, family) {
            let picture = folder.join(file);
            let here = path.parent().unwrap_or(Path::new(""));
            let link = picture.strip_prefix(here).unwrap_or(&picture).display().to_string();
            let _ = writeln!(text, "![{title}]({link})\n");
        }
    }
    text += "| workload | contender | M operations/s | × best peer | × std | fairness | CPU for each | wait, median | 99 % | longest |\n";
    text += "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|\n";
    for outcome in results.workloads.iter().filter(|outcome| outcome.family == family) {
        for (row, standing) in outcome.standings.iter().enumerate() {
            let name = if row == 0 { format!("`{}`", outcome.name) } else { String::new() };
            let waits = standing.waits.as_ref();
            let waits = waits.map(|waits| [waits.median, waits.percentile_99, waits.longest]);
            let [median, high, longest] =
                waits.map_or_else(|| [none(), none(), none()], |waits| waits.map(|wait| time(wait as f64)));
            let contender =
                if standing.is_ours() { format!("**{}**", standing.name) } else { standing.name.clone() };
            let _ = writeln!(
                text,
                "| {name} | {contender} | {} | {} | {} | {} | {} | {median} | {high} | {longest} |",
                speed(outcome, standing),
                ratio(standing.to_best_peer),
                ratio(standing.to_std),
                ratio(standing.fairness),
                standing.cpu_nanoseconds.map_or_else(none, time),
            );
        }
    }
    text.trim_end().to_owned()
}

/// What a newcomer asks first, and the two workloads with threads at work in which this crate is furthest
/// behind.
const SUMMARY: [&str; 6] = [
    "mutex/uncontended",
    "mutex/section=0ns/threads=32",
    "mutex/section=500ns/threads=8",
    "rwlock/writes=0%/threads=2",
    "buffer/1p1c/capacity=1",
    "threads/divided,leaf=100ns",
];

/// The workloads that say most about each family.
const HEAD: [&str; 21] = [
    "mutex/uncontended",
    "mutex/section=0ns/threads=2",
    "mutex/section=0ns/threads=32",
    "mutex/section=500ns/threads=8",
    "rwlock/writes=0%/threads=1",
    "rwlock/writes=0%/threads=2",
    "rwlock/writes=1%/threads=4",
    "rwlock/writes=50%/threads=4",
    "reentrant/nested",
    "condvar/notify without waiters",
    "condvar/ping-pong",
    "event/ping-pong",
    "semaphore/uncontended",
    "semaphore/section=0ns,permits=2/threads=4",
    "barrier/meet/threads=4",
    "buffer/1p1c/capacity=64",
    "buffer/4p4c/capacity=64",
    "thread_local/get/threads=1",
    "threads/joined,task=1us",
    "threads/round trip,task=1us",
    "threads/divided,leaf=1us",
];

/// Ours against the best of the others, one line for each.
fn head(results: &Results, names: &[&str]) -> String {
    let mut text =
        "| workload | lockwork, M operations/s | std | best peer | × best peer | CPU, × best peer's |\n"
            .to_owned();
    text += "|---|--:|--:|--:|--:|--:|\n";
    for name in names {
        let Some(outcome) = results.workloads.iter().find(|outcome| outcome.name == *name) else { continue };
        let ours = outcome.standings.iter().find(|standing| standing.is_ours());
        let (Some(ours), Some(peer)) = (ours, outcome.best_peer()) else { continue };
        let std = outcome.standings.iter().find(|standing| standing.name.starts_with("std"));
        let cpu = ours.cpu_nanoseconds.zip(peer.cpu_nanoseconds).map(|(ours, peer)| ours / peer);
        let _ = writeln!(
            text,
            "| `{name}` | {} | {} | {} ({}) | {} | {} |",
            speed(outcome, ours),
            std.map_or_else(none, |std| speed(outcome, std)),
            speed(outcome, peer),
            peer.name,
            ratio(ours.to_best_peer),
            ratio(cpu),
        );
    }
    text.trim_end().to_owned()
}
