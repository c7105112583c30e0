//! The contenders of one workload in turn, round after round, in one process, so that what the machine does meanwhile
//! hits all of them alike. Prints, as medians over the rounds: operations a second, the ratio to the best peer,
//! fairness (least over most served thread), processor time for each operation, and the longest wait for a lock.
//!
//! `cargo bench --bench versus -- [FILTER] [--rounds N] [--ms N]`
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "measures with what std has")]

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

mod support;
use support::{
    Crossbeam, Lock, Ours, OursBuffer, OursCondvar, OursEvent, ParkingLot, ParkingLotCondvar, Queue, Signal,
    Std, StdChannel, StdCondvar, Usync, iterations, work,
};

/// What one contender did in one round.
#[derive(Clone, Copy, Debug)]
struct Round {
    operations_per_second: f64,
    fairness: f64,
    cpu_nanoseconds: f64,
    longest_wait: Duration,
}

/// Processor time of this process so far, user and system.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = [11, 12].iter().filter_map(|&field| fields.get(field)?.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// Runs `threads` copies of `operation` until the time is up. Each returns how often and the longest single wait.
fn round(threads: usize, time: Duration, body: impl Fn(&AtomicBool) -> (u64, Duration) + Sync) -> Round {
    let (stop, start) = (AtomicBool::new(false), Barrier::new(threads + 1));
    thread::scope(|s| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                s.spawn(|| {
                    start.wait();
                    body(&stop)
                })
            })
            .collect();
        start.wait();
        let (cpu, started) = (cpu_time(), Instant::now());
        thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        let served: Vec<_> = workers.into_iter().map(|worker| worker.join().unwrap()).collect();
        let (elapsed, cpu) = (started.elapsed(), cpu_time() - cpu);
        let total: u64 = served.iter().map(|one| one.0).sum();
        let least = served.iter().map(|one| one.0).min().unwrap_or_default();
        let most = served.iter().map(|one| one.0).max().unwrap_or_default();
        Round {
            operations_per_second: total as f64 / elapsed.as_secs_f64(),
            fairness: least as f64 / most.max(1) as f64,
            cpu_nanoseconds: cpu.as_secs_f64() * 1e9 / total.max(1) as f64,
            longest_wait: served.iter().map(|one| one.1).max().unwrap_or_default(),
        }
    })
}

fn locking<L: Lock>(threads: usize, inside: u32, outside: u32, time: Duration) -> Round {
    let lock = L::new();
    round(threads, time, |stop| {
        let (mut served, mut longest) = (0, Duration::ZERO);
        while !stop.load(Ordering::Relaxed) {
            let section = |value: &mut u64| {
                *value += 1;
                work(inside);
            };
            // The clock costs more than a lock: it is read for one in 64.
            if served % 64 == 0 {
                let asked = Instant::now();
                lock.with(|value| {
                    longest = longest.max(asked.elapsed());
                    section(value);
                });
            } else {
                lock.with(section);
            }
            work(outside);
            served += 1;
        }
        (served, longest)
    })
}

/// Two threads wake each other in turn; one round trip is one operation.
fn ping_pong<S: Signal>(time: Duration) -> Round {
    let (ping, pong) = (S::new(), S::new());
    let (second_taken, last) = (AtomicBool::new(false), AtomicBool::new(false));
    round(2, time, |stop| {
        let second = second_taken.swap(true, Ordering::Relaxed);
        let mut trips = 0;
        loop {
            let now = trips + 1;
            if second {
                ping.wait_for(now);
                if last.load(Ordering::Relaxed) {
                    break;
                }
                pong.set(now);
            } else {
                let stopping = stop.load(Ordering::Relaxed);
                last.store(stopping, Ordering::Relaxed);
                ping.set(now);
                if stopping {
                    break;
                }
                pong.wait_for(now);
            }
            trips = now;
        }
        // Each of the two counts the same trips.
        (trips.div_ceil(2), Duration::ZERO)
    })
}

/// Producers put until the time is up; then each consumer is sent its end. One item is one operation.
fn through_queue<Q: Queue>(producers: usize, consumers: usize, capacity: usize, time: Duration) -> Round {
    let queue = Q::new(capacity);
    let stop = AtomicBool::new(false);
    thread::scope(|s| {
        let (cpu, started) = (cpu_time(), Instant::now());
        let consumers: Vec<_> = (0..consumers)
            .map(|_| {
                s.spawn(|| {
                    std::iter::repeat_with(|| queue.get()).take_while(|&item| item != 0).count() as u64
                })
            })
            .collect();
        let producers: Vec<_> = (0..producers)
            .map(|_| {
                s.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        queue.put(1);
                    }
                })
            })
            .collect();
        thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        for producer in producers {
            producer.join().unwrap();
        }
        for _ in &consumers {
            queue.put(0);
        }
        let got: Vec<u64> = consumers.into_iter().map(|consumer| consumer.join().unwrap()).collect();
        let (elapsed, cpu) = (started.elapsed(), cpu_time() - cpu);
        let total: u64 = got.iter().sum();
        let (least, most) = (got.iter().min().unwrap(), got.iter().max().unwrap());
        Round {
            operations_per_second: total as f64 / elapsed.as_secs_f64(),
            fairness: *least as f64 / (*most).max(1) as f64,
            cpu_nanoseconds: cpu.as_secs_f64() * 1e9 / total.max(1) as f64,
            longest_wait: Duration::ZERO,
        }
    })
}

struct Options {
    filter: String,
    rounds: usize,
    time: Duration,
}

impl Options {
    fn from_arguments() -> Self {
        let mut options = Self { filter: String::new(), rounds: 5, time: Duration::from_millis(150) };
        let mut arguments = std::env::args().skip(1);
        let number = |name: &str, value: Option<String>| -> u64 {
            value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} takes a number"))
        };
        while let Some(argument) = arguments.next() {
            match &*argument {
                "--bench" => {}
                "--rounds" => options.rounds = number("--rounds", arguments.next()).max(1) as usize,
                "--ms" => options.time = Duration::from_millis(number("--ms", arguments.next())),
                _ => options.filter = argument,
            }
        }
        options
    }

    /// Runs one workload, if the filter wants it.
    fn compare(&self, workload: &str, contenders: &[(&str, &dyn Fn(Duration) -> Round)]) {
        if !workload.contains(&self.filter) {
            return;
        }
        let mut rounds = vec![Vec::new(); contenders.len()];
        for _ in 0..self.rounds {
            for (contender, rounds) in contenders.iter().zip(&mut rounds) {
                rounds.push(contender.1(self.time));
            }
        }
        let median = |rounds: &[Round], of: fn(&Round) -> f64| {
            let mut values: Vec<f64> = rounds.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        let speed: Vec<f64> =
            rounds.iter().map(|rounds| median(rounds, |r| r.operations_per_second)).collect();
        let best_peer = speed[1..].iter().copied().fold(0.0, f64::max);
        println!("{workload}");
        for (index, (name, _)) in contenders.iter().enumerate() {
            println!(
                "  {name:<15} {:>10.3} M/s  {:>5.2} x best peer  fairness {:.2}  {:>8.0} ns cpu  longest wait {:>7.0} us",
                speed[index] / 1e6,
                speed[index] / best_peer,
                median(&rounds[index], |r| r.fairness),
                median(&rounds[index], |r| r.cpu_nanoseconds),
                median(&rounds[index], |r| r.longest_wait.as_secs_f64() * 1e6),
            );
        }
    }
}

fn main() {
    let options = Options::from_arguments();
    for (section, nanoseconds) in [("0", 0), ("20 ns", 20), ("0.5 us", 500), ("10 us", 10_000)] {
        let spin = iterations(Duration::from_nanos(nanoseconds));
        for threads in [1, 2, 4, 8, 32] {
            options.compare(
                &format!("mutex, {threads} threads, {section} inside and outside"),
                &[
                    (Ours::NAME, &|time| locking::<Ours>(threads, spin, spin, time)),
                    (Std::NAME, &|time| locking::<Std>(threads, spin, spin, time)),
                    (ParkingLot::NAME, &|time| locking::<ParkingLot>(threads, spin, spin, time)),
                    (Usync::NAME, &|time| locking::<Usync>(threads, spin, spin, time)),
                ],
            );
        }
    }
    options.compare(
        "condvar ping-pong",
        &[
            (OursCondvar::NAME, &ping_pong::<OursCondvar>),
            (StdCondvar::NAME, &ping_pong::<StdCondvar>),
            (ParkingLotCondvar::NAME, &ping_pong::<ParkingLotCondvar>),
        ],
    );
    options.compare(
        "event ping-pong",
        &[
            (OursEvent::NAME, &ping_pong::<OursEvent>),
            (StdCondvar::NAME, &ping_pong::<StdCondvar>),
            (ParkingLotCondvar::NAME, &ping_pong::<ParkingLotCondvar>),
        ],
    );
    for (producers, consumers, capacity) in
        [(1, 1, 1), (1, 1, 64), (2, 2, 64), (4, 1, 64), (1, 4, 64), (4, 4, 64)]
    {
        options.compare(
            &format!("buffer, {producers} producers, {consumers} consumers, capacity {capacity}"),
            &[
                (OursBuffer::NAME, &|time| through_queue::<OursBuffer>(producers, consumers, capacity, time)),
                (StdChannel::NAME, &|time| through_queue::<StdChannel>(producers, consumers, capacity, time)),
                (Crossbeam::NAME, &|time| through_queue::<Crossbeam>(producers, consumers, capacity, time)),
            ],
        );
    }
}
