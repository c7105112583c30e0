//! Programs that are built with the feature `diagnose`: the example `watched`, `bank --naive` with its watch,
//! and any of them with `LOCKWORK_DIAGNOSE` in the environment, which then reports nothing.

use std::env;

use crate::program::{Ended, Program};
use crate::support::watchdog;

/// If the programs of these tests are watched, no report is among what one has said on standard error.
#[track_caller]
pub(crate) fn assert_no_report(stderr: &str) {
    if env::var_os("LOCKWORK_DIAGNOSE").is_some() {
        let reports: Vec<_> = stderr.lines().filter(|line| is_report(line)).collect();
        assert!(reports.is_empty(), "{reports:#?}\n{stderr}");
    }
}

/// What the first line of a report begins with or has, as the environment's session writes it.
fn is_report(line: &str) -> bool {
    let begins = ["inversion: ", "deadlock: ", "stalled: ", "stalled until a time-out "];
    let has = [" has waited ", " waits for itself: "];
    begins.iter().any(|begin| line.starts_with(begin))
        || line.starts_with("thread ") && has.iter().any(|part| line.contains(part))
}

/// Each kind of report, as `src/diagnose` writes it, is one; what else a program may say is none.
#[test]
fn reports_are_known_by_their_first_lines() {
    for line in [
        "inversion: thread \"main\" wants \"accounts\" in `Mutex::lock` at main.rs:1, and holds \"history\"",
        "deadlock: 2 threads wait for each other",
        "stalled until a time-out in 3 s: 2 threads wait for each other",
        "stalled: thread \"main\" has waited 60 s in `Event::wait` at main.rs:1",
        "thread \"main\" has waited 60 s in `Mutex::lock` at main.rs:1 for \"accounts\"",
        "thread 7 waits for itself: `Mutex::lock` at main.rs:1, which it has locked by `lock` at main.rs:2",
    ] {
        assert!(is_report(line), "{line}");
    }
    for line in ["thread 'main' panicked at main.rs:1", "kitchen: order 3 has waited for the oven", ""] {
        assert!(!is_report(line), "{line}");
    }
}

fn run(options: &'static [&'static str]) -> Ended {
    watchdog(|| Program::start("watched", options).end()).with_code(0)
}

#[test]
fn hang_is_told_with_all_three_threads() {
    let ended = run(&["hang"]);
    ended.says("deadlock: 3 threads wait for each other");
    for (thread, call, lock, holder) in [
        ("planner", "Mutex::lock", "tickets", "seller"),
        ("seller", "Mutex::lock", "chairs", "usher"),
        ("usher", "RwLock::write", "routes", "planner"),
    ] {
        let line = ended.stdout.lines().find(|line| line.starts_with(&format!("  thread \"{thread}\"")));
        let line = line.unwrap_or_else(|| panic!("{thread}: {}", ended.stdout));
        for part in [
            format!("in `{call}` at examples/watched/main.rs:"),
            format!("for \"{lock}\", held for "),
            format!("by thread \"{holder}\", locked at examples/watched/main.rs:"),
        ] {
            assert!(line.contains(&part), "{part} is not in {line}");
        }
    }
}

#[test]
fn inversion_is_told_with_all_four_places() {
    let ended = run(&["inversion"]);
    ended.says("inversion: thread \"main\" wants \"accounts\" in `Mutex::lock` at ");
    ended.says("and holds \"history\", locked at ");
    ended.says("\"accounts\" was held, locked at ");
    ended.says("and \"history\" wanted in `Mutex::lock` at ");
    assert_eq!(ended.stdout.matches("examples/watched/main.rs:").count(), 4, "{}", ended.stdout);
}

#[test]
fn slow_lock_is_charged_to_the_holder() {
    let ended = run(&["slow"]);
    let mut lines =
        ended.stdout.lines().skip_while(|line| !line.starts_with("Mutex \"words\": locked 810 times"));
    assert!(lines.next().is_some_and(|line| line.contains(" contended (")), "{}", ended.stdout);
    // Whatever else the machine does meanwhile: where the report is written others have waited for it, and
    // the call in the report stands below the one that waits.
    let causes = lines.filter_map(|line| line.split_once(", held from "));
    let mut causes = causes.map(|(waited, held)| (line_of(waited), line_of(held)));
    assert!(causes.any(|(waited, held)| held > waited), "{}", ended.stdout);
}

/// The number of the line in the program's source, of which text is the first place.
#[track_caller]
fn line_of(text: &str) -> u32 {
    let (_, rest) = text.split_once("examples/watched/main.rs:").expect("a place");
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or("");
    digits.parse().unwrap_or_else(|_| panic!("no line in {text}"))
}

/// What the environment asks for is there, and is what the other tests would see.
#[test]
fn environment_has_any_program_watched() {
    for (settings, reported) in [("order", true), ("stall=60s", false)] {
        watchdog(move || {
            let program = Program::start_after(
                &format!("export LOCKWORK_DIAGNOSE={settings}"),
                "watched",
                &["inversion"],
            );
            let ended = program.end().with_code(0);
            assert_eq!(ended.stderr.lines().any(is_report), reported, "{settings}: {}", ended.stderr);
        });
    }
}

/// The watch names a circle: each teller waits for an account that the next one holds.
#[test]
fn naive_bank_has_its_circle_named_by_the_watch() {
    let options = &["--naive", "--detect-ms", "300", "--transfers", "1000000000"];
    let ended = watchdog(|| Program::start("bank", options).end()).with_code(3);
    ended.complains("bank: the watch: stalled until a time-out in ");
    let lines = ended.stderr.lines().skip_while(|line| !line.contains("the watch: stalled until"));
    let circle: Vec<_> = lines.skip(1).take_while(|line| line.starts_with("  thread \"teller ")).collect();
    assert!(circle.len() >= 2, "{}", ended.stderr);
    let quoted = |line: &str, at: usize| line.split('"').nth(at).expect("a name in quotes").to_owned();
    for (at, line) in circle.iter().enumerate() {
        assert!(line.contains(" in `Mutex::lock` at examples/bank/naive.rs:"), "{line}");
        assert!(quoted(line, 3).starts_with("account "), "{line}");
        let next = circle[(at + 1) % circle.len()];
        assert_eq!(quoted(line, 5), quoted(next, 1), "no circle: {}", ended.stderr);
    }
}
