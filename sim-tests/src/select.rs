//! A crowd of threads that wait for the first of several objects. The table of `docs/scaling.md`, which
//! `cargo sim selecting` prints, and some of its numbers held with a tenth of slack.

use std::cell::Cell;

use lockwork::sim::{self, Machine};
use lockwork::{AutoResetEvent, BoundedBuffer, First3, Semaphore, wait_any, wait_any_fair};

use crate::locks::Line;
use crate::machines;
use crate::workloads::{Figures, Setting, measure};

const US: u64 = Machine::US;

/// What the crowd waits for.
struct Objects {
    permits: Line<Semaphore>,
    items: Line<BoundedBuffer<u64>>,
    signal: Line<AutoResetEvent>,
}

impl Objects {
    const COUNT: usize = 3;

    fn new(waiting: usize) -> Self {
        Self {
            permits: Line(Semaphore::new(0)),
            items: Line(BoundedBuffer::new(waiting)),
            signal: Line(AutoResetEvent::new()),
        }
    }

    /// Gives one thread of `waiting` what it waits for at an object, unless there lies enough of it.
    fn give(&self, object: u64, waiting: usize) {
        match object {
            0 if self.permits.0.available_permits() < waiting => self.permits.0.add_permits(1),
            0 => {}
            1 => _ = self.items.0.try_put(1),
            _ => self.signal.0.set(),
        }
    }
}

/// How a thread of the crowd waits, by its number.
pub(crate) struct Way {
    name: &'static str,
    wait: fn(&Objects, usize),
}

fn took(first: First3<lockwork::SemaphorePermit<'_>, Result<u64, lockwork::GetError>, ()>) {
    match first {
        First3::First(permit) => permit.forget(),
        First3::Second(item) => assert!(item.is_ok(), "no thread closes it"),
        First3::Third(()) => {}
    }
}

const FIRST: Way = Way {
    name: "wait_any",
    wait: |on, _| took(wait_any((on.permits.0.acquiring(), on.items.0.getting(), &on.signal.0))),
};
const FAIR: Way = Way {
    name: "wait_any_fair",
    wait: |on, _| took(wait_any_fair((on.permits.0.acquiring(), on.items.0.getting(), &on.signal.0))),
};
/// Each thread has one object, which is what the other ways are to be compared with.
const ALONE: Way = Way {
    name: "each for one",
    wait: |on, number| match number % Objects::COUNT {
        0 => on.permits.0.acquire().forget(),
        1 => assert!(on.items.0.get().is_ok(), "no thread closes it"),
        _ => on.signal.0.wait(),
    },
};

/// So many threads wait for a permit, an item or a signal, of which others give them one at a time, drawn by
/// chance, with a pause between two. `setting.threads` are all of them. What those others do meanwhile is not
/// counted.
fn crowd(setting: &Setting, waiting: usize, way: &Way) -> Figures {
    let paced = Cell::new(0);
    let mut figures = measure(
        way.name,
        setting,
        || Objects::new(waiting),
        |objects, observer, number| {
            if number < waiting {
                observer.begins(number);
                (way.wait)(objects, number);
                observer.is_served(number);
            } else {
                let pause = sim::random(setting.pause + 1);
                sim::work(pause);
                if observer.is_measuring() {
                    paced.set(paced.get() + pause);
                }
                objects.give(sim::random(Objects::COUNT as u64), waiting);
            }
        },
    );
    figures.each.truncate(waiting);
    figures.counts.cpu -= paced.get();
    figures
}

/// How many wait, and how many wake them.
const CROWDS: [(usize, usize); 4] = [(2, 2), (8, 4), (64, 2), (64, 16)];

/// Fifteen runs, each waker with a pause of 0 to 10 µs.
struct Runs(Vec<Figures>);

impl Runs {
    fn new(waiting: usize, waking: usize, way: &Way) -> Self {
        const SEEDS: u64 = 15;
        let machine = machines::mesh(waiting + waking);
        let on = |seed| Setting { seed, pause: 10 * US, ..Setting::new(machine.clone()) };
        Self((1..=SEEDS).map(|seed| crowd(&on(seed), waiting, way)).collect())
    }

    fn mean(&self, number: fn(&Figures) -> f64) -> f64 {
        self.0.iter().map(number).sum::<f64>() / self.0.len() as f64
    }
}

/// Prints the table.
pub(crate) fn print() {
    println!("| waiting | waking | | M/s | transfers | wake-ups | CPU ns | least/most | longest bypass |");
    println!("|--:|--:|---|--:|--:|--:|--:|--:|--:|");
    for (waiting, waking) in CROWDS {
        for way in [&FIRST, &FAIR, &ALONE] {
            let runs = Runs::new(waiting, waking, way);
            let of = |number: fn(&Figures) -> f64| runs.mean(number);
            println!(
                "| {waiting} | {waking} | {} | {:.3} | {:.1} | {:.2} | {:.0} | {:.2} | {:.0} |",
                way.name,
                of(Figures::rate),
                of(Figures::transfers),
                of(Figures::wakes),
                of(Figures::cpu),
                of(Figures::fairness),
                of(|figures| figures.longest_bypass as f64),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use lockwork::{AutoResetEvent, BoundedBuffer, Semaphore, wait_any};

    use super::{FIRST, Runs};
    use crate::locks::Line;
    use crate::machines;
    use crate::numbers::{at_least, at_most};
    use crate::workloads::{Figures, Setting, measure, over_seeds};

    #[test]
    fn crowd_is_served() {
        // How fair it is differs from build to build, as memory lies differently: the longest bypass of 8 was
        // 41 and 55. That of 64 is the chance of a few that find the lock of a queue taken: not held.
        for (waiting, waking, rate, wakes, cpu, fair) in [
            (2, 2, 0.347, 0.22, 4536.0, Some((0.96, 7.4))),
            (8, 4, 0.627, 0.44, 9364.0, Some((0.78, 50.0))),
            (64, 2, 0.294, 0.76, 7320.0, None),
        ] {
            let runs = Runs::new(waiting, waking, &FIRST);
            let found = |number: fn(&Figures) -> f64| runs.mean(number);
            let what = |of: &str| format!("{of} of {waiting} that wait for three objects");
            at_least(found(Figures::rate), rate, &what("M/s"));
            at_most(found(Figures::wakes), wakes, &what("wake-ups for each operation"));
            at_most(found(Figures::cpu), cpu, &what("ns of CPU for each operation"));
            if let Some((fairness, bypass)) = fair {
                at_least(found(Figures::fairness), fairness, &what("least over most served"));
                at_most(found(|figures| figures.longest_bypass as f64), bypass, &what("longest bypass"));
            }
        }
    }
    /// The rate at which two threads answer each other, each with an object of its own.
    fn answers<O>(new: fn() -> O, give: fn(&O), wait: fn(&O)) -> f64 {
        over_seeds(|seed| {
            let setting = Setting { seed, ..Setting::new(machines::mesh(2)) };
            let make = || [Line(new()), Line(new())];
            let figures = measure("answers", &setting, make, |[question, answer], observer, number| {
                observer.begins(number);
                if number == 0 {
                    give(&question.0);
                    wait(&answer.0);
                } else {
                    wait(&question.0);
                    give(&answer.0);
                }
                observer.is_served(number);
            });
            figures.rate()
        })
    }

    #[test]
    fn set_of_one_waits_like_the_plain_call() {
        fn compare<O>(what: &str, new: fn() -> O, give: fn(&O), in_a_set: fn(&O), plain: fn(&O)) {
            let (in_a_set, plain) = (answers(new, give, in_a_set), answers(new, give, plain));
            let ratio = in_a_set / plain;
            println!("{what}: {in_a_set:.3} M/s in a set of one, {plain:.3} by the plain call: {ratio:.2}");
            assert!(ratio >= 1.0 / 1.5, "{what}: {ratio:.2} of the plain call's rate");
        }

        let set = AutoResetEvent::set;
        compare("signal", AutoResetEvent::new, set, |on| _ = wait_any((on,)), AutoResetEvent::wait);
        compare(
            "permit",
            || Semaphore::new(0),
            |on| on.add_permits(1),
            |on| wait_any(&[on.acquiring()]).1.forget(),
            |on| on.acquire().forget(),
        );
        compare(
            "item",
            || BoundedBuffer::new(1),
            |on| assert!(on.put(()).is_ok(), "no thread closes it"),
            |on| _ = wait_any((on.getting(),)),
            |on| assert!(on.get().is_ok(), "no thread closes it"),
        );
    }
}
