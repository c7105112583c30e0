//! What is measured: a family of locks each, under a load with a name, in virtual time.

use std::cell::{Cell, RefCell};

use lockwork::sim::atomic::{AtomicU64, Ordering::SeqCst};
use lockwork::sim::{self, Counts, Machine};

use crate::locks::{Exclusive, Line, Meeting, Permits, Queue, Shared, Signal, Turns, word};

const NS: u64 = Machine::NS;
const US: u64 = Machine::US;
const MS: u64 = Machine::MS;

/// Where and with what else a workload runs.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) machine: Machine,
    pub(crate) seed: u64,
    pub(crate) threads: usize,
    /// Busy loops of others.
    pub(crate) hogs: usize,
    /// How long it is measured, after as much as a quarter of that.
    pub(crate) time: u64,
    /// What a thread does between two operations: something between 0 and this.
    pub(crate) pause: u64,
}

impl Setting {
    /// As many threads as cores.
    pub(crate) fn new(machine: Machine) -> Self {
        Self { threads: machine.cores, machine, seed: 1, hogs: 0, time: 4 * MS, pause: 100 * NS }
    }

    fn pause(&self) {
        sim::work(sim::random(self.pause + 1));
    }
}

/// What came of a workload. Times are in picoseconds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figures {
    pub(crate) name: &'static str,
    pub(crate) time: u64,
    /// Operations of each thread.
    pub(crate) each: Vec<u64>,
    pub(crate) counts: Counts,
    /// How long operations waited, in order.
    pub(crate) waits: Vec<u64>,
    /// How many others were served while one waited, at most.
    pub(crate) longest_bypass: u64,
}

impl Figures {
    pub(crate) fn operations(&self) -> u64 {
        self.each.iter().sum()
    }

    /// In millions a second.
    pub(crate) fn rate(&self) -> f64 {
        self.operations() as f64 * 1e6 / self.time as f64
    }

    fn per_operation(&self, value: u64) -> f64 {
        value as f64 / self.operations().max(1) as f64
    }

    pub(crate) fn transfers(&self) -> f64 {
        self.per_operation(self.counts.transfers)
    }

    pub(crate) fn parks(&self) -> f64 {
        self.per_operation(self.counts.parks)
    }

    pub(crate) fn wakes(&self) -> f64 {
        self.per_operation(self.counts.wakes)
    }

    /// In nanoseconds for each operation.
    pub(crate) fn cpu(&self) -> f64 {
        self.per_operation(self.counts.cpu) / NS as f64
    }

    /// What the thread with the fewest operations has of the one with the most.
    pub(crate) fn fairness(&self) -> f64 {
        fairness(&self.each)
    }

    /// The wait that so many of a thousand are shorter than.
    pub(crate) fn wait_at(&self, thousandth: usize) -> u64 {
        let at = self.waits.len() * thousandth / 1000;
        self.waits.get(at.min(self.waits.len().saturating_sub(1))).copied().unwrap_or(0)
    }

    pub(crate) fn longest_wait(&self) -> u64 {
        self.waits.last().copied().unwrap_or(0)
    }
}

/// What the least served has of the most served.
fn fairness(each: &[u64]) -> f64 {
    let (least, most) = (each.iter().min(), each.iter().max());
    *least.unwrap_or(&0) as f64 / *most.unwrap_or(&0).max(&1) as f64
}

/// The mean over runs that begin differently: what one run's longest wait is depends on chance.
#[cfg(test)]
pub(crate) fn over_seeds(run: impl Fn(u64) -> f64) -> f64 {
    const SEEDS: u64 = 15;
    (1..=SEEDS).map(run).sum::<f64>() / SEEDS as f64
}

/// Notes what is served, without costing anything.
pub(crate) struct Observer {
    start: u64,
    end: u64,
    /// What had been done at the start, once that is over.
    before: RefCell<Option<Counts>>,
    after: RefCell<Option<Counts>>,
    each: RefCell<Vec<u64>>,
    served: Cell<u64>,
    longest_bypass: Cell<u64>,
    waits: RefCell<Vec<u64>>,
    /// Of each thread.
    pending: RefCell<Vec<Option<Pending>>>,
}

/// An operation that waits.
#[derive(Clone, Copy)]
struct Pending {
    since: u64,
    served: u64,
}

impl Observer {
    fn new(setting: &Setting) -> Self {
        Self {
            start: setting.time / 4,
            end: setting.time / 4 + setting.time,
            before: RefCell::default(),
            after: RefCell::default(),
            each: RefCell::new(vec![0; setting.threads]),
            served: Cell::new(0),
            longest_bypass: Cell::new(0),
            waits: RefCell::default(),
            pending: RefCell::new(vec![None; setting.threads]),
        }
    }

    /// To be called before each operation. Returns whether there is to be none.
    fn is_over(&self) -> bool {
        let now = sim::time();
        if now >= self.start && self.before.borrow().is_none() {
            let counts = sum(&sim::all_counts());
            self.before.replace(Some(counts));
        }
        let is_over = now >= self.end;
        if is_over && self.after.borrow().is_none() {
            let counts = sum(&sim::all_counts());
            self.after.replace(Some(counts));
            sim::stop();
        }
        is_over
    }

    /// Whether what is done now counts.
    pub(crate) fn is_measuring(&self) -> bool {
        self.before.borrow().is_some() && self.after.borrow().is_none()
    }

    pub(crate) fn begins(&self, number: usize) {
        let pending = Pending { since: sim::time(), served: self.served.get() };
        self.pending.borrow_mut()[number] = Some(pending);
    }

    pub(crate) fn is_served(&self, number: usize) {
        self.is_served_with(number, 1);
    }

    /// Likewise, with so many things at once.
    fn is_served_with(&self, number: usize, items: u64) {
        let now = sim::time();
        let pending = self.pending.borrow_mut()[number].take().expect("an operation that has begun");
        if self.is_measuring() {
            self.each.borrow_mut()[number] += items;
            self.note(pending, now);
        }
        self.served.set(self.served.get() + 1);
    }

    /// Another was served, of which no more is to be known.
    fn passes(&self) {
        self.served.set(self.served.get() + 1);
    }

    fn note(&self, pending: Pending, now: u64) {
        let bypass = self.served.get() - pending.served;
        self.longest_bypass.set(self.longest_bypass.get().max(bypass));
        self.waits.borrow_mut().push(now - pending.since);
    }

    /// Those that were not served in time have waited, too.
    fn note_unserved(&self) {
        for pending in self.pending.take().into_iter().flatten() {
            self.note(pending, self.end.max(pending.since));
        }
    }
}

fn sum(counts: &[Counts]) -> Counts {
    let sum = |of: fn(&Counts) -> u64| counts.iter().map(of).sum();
    Counts {
        cpu: sum(|counts| counts.cpu),
        transfers: sum(|counts| counts.transfers),
        parks: sum(|counts| counts.parks),
        wakes: sum(|counts| counts.wakes),
        yields: sum(|counts| counts.yields),
        preemptions: sum(|counts| counts.preemptions),
        migrations: sum(|counts| counts.migrations),
    }
}

/// Runs `operation` in each thread, over and over.
pub(crate) fn measure<S>(
    name: &'static str,
    setting: &Setting,
    make: impl FnOnce() -> S,
    operation: impl Fn(&S, &Observer, usize),
) -> Figures {
    let observer = Observer::new(setting);
    let Setting { machine, seed, threads, hogs, .. } = setting;
    sim::run(machine, *seed, *threads, *hogs, make, |shared, number| {
        while !observer.is_over() {
            operation(shared, &observer, number);
        }
    });
    observer.note_unserved();
    let mut waits = observer.waits.take();
    waits.sort_unstable();
    let (before, after) = (observer.before.take().unwrap(), observer.after.take().unwrap());
    Figures {
        name,
        time: setting.time,
        each: observer.each.take(),
        counts: Counts {
            cpu: after.cpu - before.cpu,
            transfers: after.transfers - before.transfers,
            parks: after.parks - before.parks,
            wakes: after.wakes - before.wakes,
            yields: after.yields - before.yields,
            preemptions: after.preemptions - before.preemptions,
            migrations: after.migrations - before.migrations,
        },
        waits,
        longest_bypass: observer.longest_bypass.get(),
    }
}

/// What a section does: a value of its own line is changed, and so much other work done.
fn use_data(data: &Line<AtomicU64>, work: u64) {
    let value = data.0.load(SeqCst);
    sim::work(work);
    data.0.store(value + 1, SeqCst);
}

fn data() -> Line<AtomicU64> {
    Line(AtomicU64::new(0))
}

/// All threads want one lock, for sections of so long, with a pause between two.
pub(crate) fn exclusive<L: Exclusive>(setting: &Setting, section: u64) -> Figures {
    measure(
        L::NAME,
        setting,
        || (L::new(), data()),
        |(lock, data), observer, number| {
            observer.begins(number);
            lock.section(|| {
                observer.is_served(number);
                use_data(data, section);
            });
            setting.pause();
        },
    )
}

/// All threads read for 50 ns, with a pause between two; one of so many operations writes, if that is not 0.
pub(crate) fn shared<L: Shared>(setting: &Setting, write_every: u64) -> Figures {
    let make = || (L::new(), data());
    measure(L::NAME, setting, make, |(lock, data), observer, number| {
        observer.begins(number);
        if write_every != 0 && sim::random(write_every) == 0 {
            lock.write(|| {
                observer.is_served(number);
                use_data(data, 50 * NS);
            });
        } else {
            lock.read(number, || {
                observer.is_served(number);
                data.0.load(SeqCst);
                sim::work(50 * NS);
            });
        }
        setting.pause();
    })
}

/// The same of the writers alone: a read is one that was served before them.
pub(crate) fn writers<L: Shared>(setting: &Setting, write_every: u64) -> Figures {
    let make = || (L::new(), data());
    measure(L::NAME, setting, make, |(lock, data), observer, number| {
        if sim::random(write_every) == 0 {
            observer.begins(number);
            lock.write(|| {
                observer.is_served(number);
                use_data(data, 50 * NS);
            });
        } else {
            lock.read(number, || {
                observer.passes();
                data.0.load(SeqCst);
                sim::work(50 * NS);
            });
        }
        setting.pause();
    })
}

/// So many permits for all threads, each held for 500 ns.
pub(crate) fn permits<L: Permits>(setting: &Setting, permits: u32) -> Figures {
    measure(
        L::NAME,
        setting,
        || L::new(permits),
        |semaphore, observer, number| {
            observer.begins(number);
            semaphore.with_permit(|| {
                observer.is_served(number);
                sim::work(500 * NS);
            });
            setting.pause();
        },
    )
}

/// An even number of threads.
fn in_pairs(setting: &Setting) -> Setting {
    Setting { threads: setting.threads.div_ceil(2) * 2, ..setting.clone() }
}

/// Pairs of threads, each of which takes turns.
pub(crate) fn turns<L: Turns>(setting: &Setting) -> Figures {
    let setting = in_pairs(setting);
    let make = || (0..setting.threads / 2).map(|_| L::new()).collect::<Vec<_>>();
    measure(L::NAME, &setting, make, |pairs, observer, number| {
        let own = number as u32 % 2;
        observer.begins(number);
        pairs[number / 2].take(own, 1 - own);
        observer.is_served(number);
    })
}

/// Pairs of threads, each of which waits for the other's answer, works for so long, and answers.
pub(crate) fn answers<L: Turns>(setting: &Setting, work: u64) -> Figures {
    let setting = in_pairs(setting);
    let make = || (0..setting.threads / 2).map(|_| (L::new(), Cell::new(0))).collect::<Vec<_>>();
    measure(L::NAME, &setting, make, |pairs, observer, number| {
        let (lock, last) = &pairs[number / 2];
        observer.begins(number);
        let turn = last.get() + (number as u32 + last.get()) % 2;
        lock.wait(turn);
        sim::work(work);
        last.set(turn + 1);
        lock.begin(turn + 1);
        observer.is_served(number);
    })
}

/// One thread begins a turn for all others, which go through the mutex one after the other, and then the
/// next.
pub(crate) fn crowd<L: Turns>(setting: &Setting) -> Figures {
    let make = || (L::new(), word(0), RefCell::new(vec![0; setting.threads]));
    let others = setting.threads as u32 - 1;
    measure(L::NAME, setting, make, |(lock, came, turns), observer, number| {
        turns.borrow_mut()[number] += 1;
        let turn = turns.borrow()[number];
        observer.begins(number);
        if number == 0 {
            lock.begin(turn);
            let all = turn * others;
            let mut now = came.0.load(SeqCst);
            while now < all {
                sim::wait(&came.0, now, None);
                now = came.0.load(SeqCst);
            }
        } else {
            lock.wait(turn);
            if came.0.fetch_add(1, SeqCst) + 1 == turn * others {
                sim::wake(&came.0, 1);
            }
        }
        observer.is_served(number);
    })
}

/// All threads meet, and work for 500 ns to 1 µs between two meetings.
pub(crate) fn meetings<L: Meeting>(setting: &Setting) -> Figures {
    measure(
        L::NAME,
        setting,
        || L::new(setting.threads),
        |barrier, observer, number| {
            sim::work((500 + sim::random(500)) * NS);
            observer.begins(number);
            barrier.meet(number);
            observer.is_served(number);
        },
    )
}

/// Half of the threads put, half of them take, with room for so many, and a pause between two.
pub(crate) fn queue<L: Queue>(setting: &Setting, capacity: usize) -> Figures {
    let setting = in_pairs(setting);
    measure(
        L::NAME,
        &setting,
        || L::new(capacity),
        |queue, observer, number| {
            observer.begins(number);
            if number % 2 == 0 {
                queue.put(1);
            } else {
                queue.take();
            }
            observer.is_served(number);
            setting.pause();
        },
    )
}

/// Those at a queue, and what they put into it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sides {
    pub(crate) putters: usize,
    pub(crate) getters: usize,
    /// How many items are put at once, and taken at most.
    pub(crate) batch: usize,
    /// Of an item. What does not go into eight of them is the user's to write and to read.
    pub(crate) bytes: u64,
}

/// What came of a queue.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flow {
    /// Items that were taken, in millions a second.
    pub(crate) rate: f64,
    /// Nanoseconds of processor time for each, of both sides without the pauses.
    pub(crate) cpu: f64,
    /// Least over most served, of the side where that is less.
    pub(crate) fairness: f64,
}

/// So many threads put and so many take, through so many places, with a pause after each batch.
pub(crate) fn flow<L: Queue>(setting: &Setting, places: usize, sides: Sides) -> Flow {
    let Sides { putters, getters, batch, bytes } = sides;
    let machine = &setting.machine;
    let lines = if bytes > 8 { bytes.div_ceil(64) } else { 0 };
    let paced = Cell::new(0);
    let on = Setting { threads: putters + getters, ..setting.clone() };
    let figures = measure(
        L::NAME,
        &on,
        || L::new(places),
        |queue, observer, number| {
            observer.begins(number);
            let items = if number < putters {
                sim::work(lines * batch as u64 * machine.hit);
                if batch == 1 {
                    queue.put(1)
                } else {
                    queue.put_many(batch)
                }
                batch
            } else {
                let items = if batch == 1 {
                    queue.take();
                    1
                } else {
                    queue.take_many(batch)
                };
                sim::work(lines * items as u64 * machine.near);
                items
            };
            observer.is_served_with(number, items as u64);
            let pause = sim::random(on.pause + 1);
            sim::work(pause);
            if observer.is_measuring() {
                paced.set(paced.get() + pause);
            }
        },
    );
    let (put, taken) = figures.each.split_at(putters);
    let items: u64 = taken.iter().sum();
    Flow {
        rate: items as f64 * 1e6 / figures.time as f64,
        cpu: figures.counts.cpu.saturating_sub(paced.get()) as f64 / (items.max(1) * NS) as f64,
        fairness: fairness(put).min(fairness(taken)),
    }
}

/// One thread sets what all others wait for, each 200 µs, when they have been parked for long.
pub(crate) fn broadcast<L: Signal>(setting: &Setting) -> Figures {
    const ROUNDS: u64 = 20;
    let waits = RefCell::default();
    let Setting { machine, seed, threads, hogs, .. } = setting;
    let make = || (0..ROUNDS).map(|_| (L::new(), Cell::new(0))).collect::<Vec<_>>();
    let outcome = sim::run(machine, *seed, *threads, *hogs, make, |rounds, number| {
        for (round, (signal, set_at)) in (1..).zip(rounds) {
            if number == 0 {
                while sim::time() < round * 200 * US {
                    sim::work(US);
                }
                set_at.set(sim::time());
                signal.set();
            } else {
                signal.wait();
                let waited = sim::time() - set_at.get();
                RefCell::<Vec<u64>>::borrow_mut(&waits).push(waited);
            }
        }
        ROUNDS
    });
    let mut waits = waits.take();
    waits.sort_unstable();
    let (time, each, counts) = (outcome.time, outcome.results, sum(&outcome.counts));
    Figures { name: L::NAME, time, each, counts, waits, longest_bypass: 0 }
}
