//! The example `samples`, seen from outside: its table, its frames, and its end.

use std::fs;

use crate::program::{Ended, Program};
use crate::support::{eventually, watchdog};

fn run(options: &'static [&'static str]) -> Ended {
    watchdog(|| Program::start("samples", options).end())
}

/// The number before `what`.
#[track_caller]
fn number_before(text: &str, what: &str) -> u64 {
    let before = text.split(what).next().expect("a first part");
    let number = before.rsplit(' ').next().and_then(|word| word.parse().ok());
    number.unwrap_or_else(|| panic!("no number before {what:?} in {text}"))
}

#[test]
fn demo_measures_each_file_and_stays_responsive() {
    // The results take 60 * 30 ms on three connections: some frames, if it does not wait for any of them.
    for options in [&["--demo"][..], &["--demo", "--threads", "1"], &["--demo", "--threads", "16"]] {
        let ended = run(options).with_code(0);
        ended.complains("demo: every file was measured and stored, in the order of their names");
        ended.complains("60 of 60 files measured, ");
        assert!(number_before(&ended.stderr, " connections at once") <= 3, "{}", ended.stderr);
        assert!(number_before(&ended.stderr, " frames, ") >= 5, "{}", ended.stderr);
        let names: Vec<&str> = ended.stdout.lines().filter_map(|line| line.rsplit(' ').next()).collect();
        let expected: Vec<String> = (0..60).map(|number| format!("sample-{number:02}.txt")).collect();
        assert_eq!(names, expected);
    }
    // With one thread no other measures the same content at the same time.
    run(&["--demo", "--threads", "1", "--store-ms", "0"])
        .with_code(0)
        .complains(", 20 of them by the cache, ");
}

#[test]
fn directory_is_measured_file_by_file() {
    watchdog(|| {
        let folder = std::env::temp_dir().join(format!("lockwork-test-samples-{}", std::process::id()));
        fs::create_dir_all(folder.join("folder")).expect("a folder");
        for (name, text) in [("b", "two words\n"), ("a", ""), ("c", "x y z\n\nq")] {
            fs::write(folder.join(name), text).expect("a file");
        }
        let ended = Program::start("samples", &[folder.to_str().expect("UTF-8")]).end().with_code(0);
        fs::remove_dir_all(&folder).expect("the folder is there");
        let lines: Vec<Vec<&str>> =
            ended.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines, [["0", "0", "0", "a"], ["10", "1", "2", "b"], ["8", "2", "4", "c"]]);
    });
}

#[test]
fn interrupt_stops_it_in_order() {
    watchdog(|| {
        let program = Program::start("samples", &["--demo", "--store-ms", "60000", "--report-ms", "10"]);
        // The report goes on while every thread waits for a connection.
        eventually(|| program.has_complained("40 different contents so far, 3 connections in use"));
        program.signal("INT");
        let ended = program.end().with_code(130);
        ended.complains("60 of 60 files measured");
        ended.complains(" 0 stored; at most 3 connections at once");
        // What was measured is told.
        assert_eq!(ended.stdout.lines().count(), 60);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn table_that_cannot_be_written_is_a_failure() {
    watchdog(|| {
        let ended = Program::start_after("exec >/dev/full", "samples", &["--demo"]).end().with_code(1);
        ended.complains("samples: cannot write the table: ");
    });
}

#[test]
fn command_line_is_checked() {
    run(&[]).with_code(2);
    run(&["--demo", "/tmp"]).with_code(2);
    run(&["--demo", "--threads", "0"]).with_code(2).complains("--threads");
    run(&["/nonexistent"]).with_code(1).complains("cannot list /nonexistent: ");
    let help = run(&["--help"]).with_code(0);
    help.says("Example");
    help.says("samples --demo");
    run(&["--version"]).with_code(0).says("samples 0.");
}
