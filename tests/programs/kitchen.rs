//! The example `kitchen`, seen from outside: its page is the same in every run.

use crate::program::{Ended, Program};
use crate::support::watchdog;

fn run(options: &'static [&'static str]) -> Ended {
    watchdog(|| Program::start("kitchen", options).end())
}

#[test]
fn tour_fits_on_a_page_and_is_always_the_same() {
    let ended = run(&[]).with_code(0);
    let page = "\
mutex      4 cooks put 100 plates each on one pile: 400 are there
condition  the waiter slept until 4 dishes stood on the pass, then took 4;
           a second one waited for a millisecond and went without
event      4 cooks waited for the doors to open: 0 began before, 4 after
semaphore  12 cakes in 2 ovens: all baked, never more than 2 at once
barrier    3 courses, each served when all 4 cooks had their plate ready
local      4 cooks tasted 25 times, each with a spoon that no other ever had
pool       12 orders on 4 threads: the dishes came in the order of the orders;
           one burnt, which only its guest was told; one was cancelled in time
           every station is as it should be
";
    assert_eq!(ended.stdout, page);
    assert_eq!(ended.stderr, "");
    assert!(ended.stdout.lines().count() < 24 && ended.stdout.lines().all(|line| line.len() < 80));
}

#[test]
fn any_number_of_cooks_gets_through() {
    for cooks in ["1", "2", "3", "7", "64"] {
        let ended = watchdog(|| Program::start("kitchen", &["--cooks", cooks]).end());
        let ended = ended.with_code(0);
        ended.says(&format!("{cooks} cooks put 100 plates"));
        assert_eq!(ended.stdout.lines().count(), 10, "{}", ended.stdout);
    }
}

#[test]
fn wrong_command_line_is_refused_with_its_reason() {
    for options in [&["--cooks", "0"][..], &["--cooks", "many"], &["--cooks"]] {
        let ended = run(options).with_code(2);
        assert!(ended.stderr.contains("--cooks"), "{}", ended.stderr);
    }
}
