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
rwlock     4 cooks read the menu at once; one read and wrote it, alone
reentrant  4 recipes, each of three made of one another, under one lock
together   4 cooks took salt and sugar, or sugar and salt: no cook got stuck
once       4 cooks wanted fire, salt and dough at once: one of each came
poison     a cook fainted with the knife: 4 others were told, and went on
local      4 cooks tasted 25 times, each with a spoon that no other ever had
condition  the waiter slept until 4 dishes stood there; another gave up in time
event      4 cooks waited for the doors to open: 0 began before, 4 after
auto-reset the bell rang 4 times, and each time one of the waiting cooks came
latch      the doors stayed shut until 4 tables were laid
group      4 cooks left when their pot was washed; the light after the last
semaphore  12 cakes in 2 ovens: all baked, never more than 2 at once
barrier    3 courses, each served when all 4 cooks had their plate ready
stop       closing time: 4 cooks went home, also those who waited for an order
buffer     80 dishes went over a pass with room for 3, and none was dropped
first      one helper took 4 orders and 4 ovens as they came, then went home
order      tickets by urgency: [9, 4, 2]; plates from the top: [4, 9, 2]
channel    4 cooks called a dish each; after the last the waiter went, too
pool       12 orders on 4 threads came in order; one burnt, one was cancelled
completed  tea and toast came when they were ready, the eggs last
worker     a timer ticked beside it all until it was told to stop
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
        assert_eq!(ended.stdout.lines().count(), 23, "{}", ended.stdout);
    }
}

/// A page that no reader gets is not as it should be.
#[cfg(target_os = "linux")]
#[test]
fn page_that_cannot_be_written_is_a_failure() {
    watchdog(|| {
        let ended = Program::start_after("exec >/dev/full", "kitchen", &[]).end().with_code(1);
        ended.complains("kitchen: cannot write the page: ");
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    });
}

#[test]
fn wrong_command_line_is_refused_with_its_reason() {
    for options in [&["--cooks", "0"][..], &["--cooks", "many"], &["--cooks"]] {
        let ended = run(options).with_code(2);
        assert!(ended.stderr.contains("--cooks"), "{}", ended.stderr);
    }
    let help = run(&["--help"]).with_code(0);
    help.says("Example");
    help.says("kitchen --cooks 12");
    run(&["--version"]).with_code(0).says("kitchen 0.");
}
