//! The example `bank`, seen from outside: what it says, and its exit code.

use crate::program::{Ended, Program};
use crate::support::{eventually, watchdog};

fn run(options: &'static [&'static str]) -> Ended {
    watchdog(|| Program::start("bank", options).end())
}

/// The number before `what`.
#[track_caller]
fn number_before(text: &str, what: &str) -> u64 {
    let before = text.split(what).next().expect("a first part");
    before.rsplit(' ').next().and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("{what}: {text}"))
}

#[track_caller]
fn all_handled(line: &str, transfers: u64) {
    let handled = number_before(line, " transfers,") + number_before(line, " refused");
    assert_eq!(handled, transfers, "{line}");
}

#[test]
fn each_strategy_keeps_the_total() {
    let ended = run(&["--transfers", "5000", "--opening", "500"]).with_code(0);
    ended.says("8 tellers, 8 accounts with 500 each: 4000 in all");
    for strategy in ["all-at-once: ", "ordered: ", "time-out: "] {
        let line = ended.stdout.lines().find(|line| line.starts_with(strategy)).expect("a run of each");
        all_handled(line, 5000);
    }
    assert_eq!(ended.stdout.matches("total 4000, as before").count(), 3, "{}", ended.stdout);
}

#[test]
fn two_accounts_and_many_tellers_are_no_deadlock() {
    let ended = run(&["--accounts", "2", "--tellers", "7", "--transfers", "500"]).with_code(0);
    assert_eq!(ended.stdout.matches("total 2000, as before").count(), 3, "{}", ended.stdout);
    // One teller may be through with a few transfers before the next has come: then there must be more of
    // them.
    let gave_way = ["200", "2000", "20000", "200000", "2000000"].into_iter().any(|transfers| {
        let options = ["--strategy", "time-out", "--accounts", "2", "--tellers", "5", "--interrupt", "64"];
        let options = [&options[..], &["--transfers", transfers]].concat();
        let ended = watchdog(move || Program::start("bank", &options).end()).with_code(0);
        assert!(!ended.stdout.contains("ordered"), "{}", ended.stdout);
        number_before(&ended.stdout, " times") > 0
    });
    assert!(gave_way, "no teller gave way");
}

#[test]
fn bank_may_have_little_to_do_or_to_lend() {
    for options in [
        &["--transfers", "0"][..],
        &["--transfers", "1", "--tellers", "3"],
        &["--opening", "0", "--transfers", "100"],
        &["--tellers", "1", "--transfers", "100"],
    ] {
        let ended = run(options).with_code(0);
        assert_eq!(ended.stdout.matches("as before").count(), 3, "{}", ended.stdout);
    }
    let poor = run(&["--opening", "0", "--transfers", "100", "--strategy", "ordered"]).with_code(0);
    poor.says("0 transfers, 100 refused for want of money");
}

/// The circle that it reports is one: each waits for what the next one holds.
#[test]
fn naive_order_ends_in_a_deadlock_that_is_reported() {
    for options in [
        &["--naive", "--detect-ms", "50", "--transfers", "1000000000"][..],
        &["--naive", "--detect-ms", "50", "--transfers", "1000000000", "--accounts", "2", "--tellers", "2"],
    ] {
        let ended = run(options).with_code(3);
        ended.says("DEADLOCK");
        let waits: Vec<Vec<usize>> = ended
            .stdout
            .lines()
            .filter(|line| line.trim_start().starts_with("teller "))
            .map(|line| line.split(' ').filter_map(|word| word.parse().ok()).collect())
            .collect();
        assert!(waits.len() >= 2, "{}", ended.stdout);
        for (at, wait) in waits.iter().enumerate() {
            let next = &waits[(at + 1) % waits.len()];
            assert_eq!(wait[2], next[1], "not a circle: {}", ended.stdout);
        }
        let mut tellers: Vec<usize> = waits.iter().map(|wait| wait[0]).collect();
        tellers.sort_unstable();
        tellers.dedup();
        assert_eq!(tellers.len(), waits.len(), "a teller waits twice: {}", ended.stdout);
        // No teller was in the middle of moving money.
        ended.says("as before");
    }
}

#[test]
fn one_naive_teller_has_no_other_to_wait_for() {
    let ended = run(&["--naive", "--tellers", "1", "--transfers", "500"]).with_code(0);
    assert!(!ended.stdout.contains("DEADLOCK"), "{}", ended.stdout);
}

#[test]
fn interrupted_bank_closes_its_books() {
    for strategy in ["all-at-once", "ordered", "time-out"] {
        watchdog(move || {
            let bank = Program::start(
                "bank",
                &["--strategy", strategy, "--transfers", "1000000000000", "--tellers", "4"],
            );
            // It listens to signals before it says the first line.
            bank.line();
            bank.signal("INT");
            let ended = bank.end().with_code(130);
            ended.says("interrupted");
            ended.says("total 8000, as before");
        });
    }
}

#[test]
fn long_day_tells_how_far_it_is() {
    watchdog(|| {
        let bank = Program::start("bank", &["--strategy", "all-at-once", "--transfers", "1000000000000"]);
        eventually(|| bank.has_complained(" of 1000000000000 transfers begun (0 %)"));
        bank.signal("INT");
        bank.end().with_code(130).complains("all-at-once: ");
    });
}

/// A report that no reader gets is a failure; a reader that has seen enough is none.
#[cfg(target_os = "linux")]
#[test]
fn report_that_cannot_be_written_is_a_failure() {
    let options = &["--transfers", "100", "--strategy", "ordered"];
    watchdog(|| {
        let ended = Program::start_after("exec >/dev/full", "bank", options).end().with_code(1);
        ended.complains("bank: cannot write the report");
    });
}

#[test]
fn wrong_command_line_is_refused_with_its_reason() {
    for (options, reason) in [
        (&["--accounts", "1"][..], "--accounts"),
        (&["--tellers", "0"], "--tellers"),
        (&["--strategy", "naive"], "--strategy"),
        (&["--naive", "--strategy", "ordered"], "cannot be used with"),
        (&["--transfers", "many"], "--transfers"),
        (&["lunch"], "lunch"),
    ] {
        let ended = run(options).with_code(2);
        assert!(ended.stderr.contains(reason), "{options:?}: {}", ended.stderr);
        assert_eq!(ended.stdout, "");
    }
    let help = run(&["--help"]).with_code(0);
    help.says("--naive");
    help.says("Example");
    run(&["--version"]).with_code(0).says("bank 0.");
}
