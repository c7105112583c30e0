//! A thread of low priority among those that want a lock, with a busy loop on each core. `cargo sim priority`
//! prints the table of `docs/scaling.md`, and some of its figures are held with a tenth of slack.

use std::cell::RefCell;

use lockwork::sim::{self, Machine};

use crate::locks::{Exclusive, Line, barging, futex};
use crate::machines;
use crate::workloads::{Setting, measure};

const NS: u64 = Machine::NS;
const MS: u64 = Machine::MS;

const SECTIONS: [(&str, u64); 2] = [("500 ns", 500 * NS), ("10 µs", 10_000 * NS)];

type Mutex = Line<lockwork::Mutex<()>>;

/// What becomes of the threads. Times are in milliseconds.
#[derive(Clone)]
struct Found {
    name: &'static str,
    /// In millions a second, of all.
    rate: f64,
    /// What the thread of low priority is served, in sections a millisecond.
    low: f64,
    low_wait: f64,
    other_wait: f64,
}

/// Four threads on four cores with four busy loops, for sections of so long. The first has low priority, if
/// that is said: a busy loop beside it gets 68 times the time that it gets.
fn found<L: Exclusive>(section: u64, is_low: bool) -> Found {
    const SEEDS: u64 = 15;
    const MILLIS: u64 = 400;
    let mut found = Found { name: L::NAME, rate: 0.0, low: 0.0, low_wait: 0.0, other_wait: 0.0 };
    for seed in 1..=SEEDS {
        let setting = Setting { seed, hogs: 4, time: MILLIS * MS, ..Setting::new(machines::chosen()(4)) };
        let since = RefCell::new([None; 4]);
        let longest = RefCell::new([0; 4]);
        let note = |number: usize, begun: u64, until: u64| {
            let longest = &mut longest.borrow_mut()[number];
            *longest = until.saturating_sub(begun).max(*longest);
        };
        let figures = measure(L::NAME, &setting, L::new, |lock, observer, number| {
            if number == 0 && is_low {
                sim::lower_priority();
            }
            observer.begins(number);
            since.borrow_mut()[number] = Some(sim::time());
            lock.section(|| {
                observer.is_served(number);
                let begun = since.borrow_mut()[number].take().expect("set above");
                note(number, begun, sim::time());
                sim::work(section);
            });
            sim::work(sim::random(setting.pause + 1));
        });
        for (number, begun) in since.take().into_iter().enumerate() {
            if let Some(begun) = begun {
                note(number, begun, setting.time / 4 + setting.time);
            }
        }
        let longest = longest.take();
        let share = |value: f64| value / SEEDS as f64;
        found.rate += share(figures.rate());
        found.low += share(figures.each[0] as f64 / MILLIS as f64);
        found.low_wait += share(longest[0] as f64 / MS as f64);
        found.other_wait += share(*longest[1..].iter().max().expect("three") as f64 / MS as f64);
    }
    found
}

/// Prints the table.
pub(crate) fn print() {
    println!(
        "| sections | priority of the first | | M/s | the first, in a ms | its longest wait, ms | another's |"
    );
    println!("|---|---|---|--:|--:|--:|--:|");
    for (title, section) in SECTIONS {
        for is_low in [false, true] {
            let all = [found::<Mutex>, found::<futex::Mutex>, found::<barging::Mutex>];
            let mut all = all.map(|run| run(section, is_low)).to_vec();
            let never = [("starving_after", u32::MAX)];
            let (without, _) = sim::with_numbers(&never, || found::<Mutex>(section, is_low));
            all.insert(1, Found { name: "lockwork, never handed over", ..without });
            for Found { name, rate, low, low_wait, other_wait } in all {
                let priority = if is_low { "low" } else { "as the others" };
                println!(
                    "| {title} | {priority} | {name} | {rate:.3} | {low:.2} | {low_wait:.0} | {other_wait:.0} |"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Mutex, SECTIONS, found, futex};
    use crate::numbers::at_least;

    /// Millions of sections a second of all, and those in a millisecond of the thread of low priority.
    const HELD: [[f64; 2]; 2] = [[0.229, 19.1], [0.022, 1.20]];

    /// It is served, and the others are, though it has no core for most of its sections. How many they are is
    /// chance, as a section that is interrupted takes tens of milliseconds: the means of five seeds and of
    /// fifteen differ by two fifths, so a third is the slack of the rate.
    #[test]
    fn thread_of_low_priority_is_served_beside_busy_loops() {
        for ((title, section), [rate, low]) in SECTIONS.into_iter().zip(HELD) {
            let own = found::<Mutex>(section, true);
            println!("beside one of low priority, sections of {title}: {:.3} M/s, was {rate}", own.rate);
            assert!(own.rate > 0.67 * rate, "sections of {title}: {:.3} M/s, was {rate}", own.rate);
            at_least(own.low, low, &format!("sections a ms of low priority, of {title}"));
        }
        // A futex keeps it out for longer.
        let (own, other) = (found::<Mutex>(SECTIONS[1].1, true), found::<futex::Mutex>(SECTIONS[1].1, true));
        assert!(own.low_wait < 0.5 * other.low_wait, "{} and {} ms", own.low_wait, other.low_wait);
    }
}
