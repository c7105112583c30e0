//! That the machine does what its page says.

use std::time::Duration;

use lockwork::sim::atomic::{AtomicU32, Ordering::SeqCst};
use lockwork::sim::{self, Counts, Machine};
use lockwork::{Event, Mutex, RwLock};

use crate::machines;

const NS: u64 = Machine::NS;
const US: u64 = Machine::US;
const MS: u64 = Machine::MS;

/// Asserts that `value` is `expected`, a tenth more or less.
#[track_caller]
fn assert_about(value: u64, expected: u64) {
    assert!(value.abs_diff(expected) <= expected / 10, "{value}, and not about {expected}");
}

/// On a line of its own.
#[derive(Default)]
#[repr(align(128))]
struct Line<T>(T);

fn words<const N: usize>() -> [Line<AtomicU32>; N] {
    std::array::from_fn(|_| Line(AtomicU32::new(0)))
}

/// Eight threads on four cores, with all that waiting is made of. Returns what happened, to the last
/// picosecond.
fn contended(seed: u64) -> (u64, Vec<u32>, Vec<Counts>) {
    let machine = machines::desktop(4);
    let make = || (Mutex::new(0), RwLock::new(0));
    let outcome = sim::run(&machine, seed, 8, 1, make, |(mutex, rwlock), number| {
        let mut done = 0;
        while sim::time() < 5 * MS {
            *mutex.lock() += 1;
            sim::work(300 * NS);
            if number == 0 && done % 8 == 0 {
                *rwlock.write() += 1;
            } else {
                sim::work(*rwlock.read() % 2 * 100 * NS);
            }
            done += 1;
        }
        done
    });
    (outcome.time, outcome.results, outcome.counts)
}

#[test]
fn one_seed_gives_the_same_numbers_to_the_last_digit() {
    let first = contended(7);
    let other = std::thread::spawn(|| contended(7)).join().unwrap();
    assert_eq!(first, other);
    assert_eq!(first, contended(7));
    assert_ne!(first, contended(8));
}

/// Another process has other addresses.
#[test]
fn another_process_has_the_same_numbers() {
    const ASKED: &str = "SIM_NUMBERS";
    let name = "machine::another_process_has_the_same_numbers";
    if std::env::var_os(ASKED).is_some() {
        println!("{:?}", contended(9));
        return;
    }
    for _ in 0..3 {
        let mut process = std::process::Command::new(std::env::current_exe().unwrap());
        let output = process.args(["--exact", name, "--nocapture"]).env(ASKED, "").output().unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        assert!(output.contains(&format!("{:?}", contended(9))), "{output}");
    }
}

#[test]
fn lines_travel_and_are_counted() {
    let machine = machines::desktop(2);
    let outcome = sim::run(&machine, 1, 2, 0, words::<1>, |[turn], number| {
        for round in 0..1000 {
            while turn.0.load(SeqCst) != 2 * round + number as u32 {}
            turn.0.store(2 * round + number as u32 + 1, SeqCst);
        }
    });
    // Each turn is the line's way to the reader, and its way back when that one writes.
    assert_about(outcome.time, 2000 * 2 * machine.near);
    for counts in outcome.counts {
        assert_about(counts.transfers, 2000);
    }
}

/// How many of all cores but one have a line at least so far from that one.
fn as_far(machine: &Machine, far: u64) -> usize {
    let make = || (0..machine.cores).map(|_| Line(AtomicU32::new(0))).collect::<Vec<_>>();
    let outcome = sim::run(machine, 1, machine.cores, 0, make, |words, number| {
        if number == 0 {
            words.iter().for_each(|word| word.0.store(1, SeqCst));
            sim::work(10 * MS);
            return 0;
        }
        // When each thread has a core.
        sim::work(5 * MS);
        let begun = sim::time();
        words[number].0.load(SeqCst);
        sim::time() - begun
    });
    outcome.results.iter().filter(|&&way| way >= far * 7 / 8).count()
}

#[test]
fn line_takes_longer_from_another_socket() {
    let (one, two, chips) = (machines::mesh(64), machines::sockets(64), machines::chiplets(128));
    assert_eq!((as_far(&one, one.near), as_far(&one, one.far)), (63, 0));
    assert_eq!((as_far(&two, two.near), as_far(&two, two.far)), (63, 32));
    assert_eq!((as_far(&chips, chips.near), as_far(&chips, chips.middle)), (127, 120));
    assert_eq!(as_far(&chips, chips.far), 64);
}

#[test]
fn line_that_all_write_goes_round_and_one_that_all_read_stays() {
    let machine = machines::desktop(16);
    let outcome = sim::run(&machine, 1, 16, 0, words::<1>, |[word], _| {
        for _ in 0..1000 {
            word.0.fetch_add(1, SeqCst);
        }
    });
    assert_about(outcome.time, 16_000 * machine.near);
    let outcome = sim::run(&machine, 1, 16, 0, words::<1>, |[word], _| {
        let start = sim::time();
        for _ in 0..1000 {
            word.0.load(SeqCst);
        }
        sim::time() - start
    });
    for time in outcome.results {
        assert!(time < 1000 * machine.hit + 20 * machine.near, "{time}");
    }
}

#[test]
#[should_panic(expected = "deadlock: threads [0, 1] are blocked")]
fn deadlock_is_reported() {
    sim::run(&machines::desktop(2), 1, 2, 0, Event::new, |event, _| event.wait());
}

#[test]
#[should_panic(expected = "of one thread")]
fn panic_of_a_thread_ends_the_run() {
    sim::run(&machines::desktop(2), 1, 2, 0, Event::new, |event, number| {
        assert!(number == 0, "of one thread");
        event.wait();
    });
}

#[test]
fn time_is_virtual() {
    let machine = machines::desktop(1);
    let outcome = sim::run(&machine, 1, 1, 0, Event::new, |event, _| {
        assert!(!event.wait_for(Duration::from_secs(60)));
    });
    assert_about(outcome.time, 60_000 * MS);
}

#[test]
fn threads_of_a_core_share_it() {
    let machine = machines::desktop(2);
    let body = |(): &(), _| {
        while sim::time() < 300 * MS {
            sim::work(10 * US);
        }
    };
    for (threads, hogs) in [(6, 0), (1, 5), (3, 1)] {
        let outcome = sim::run(&machine, 1, threads, hogs, || (), body);
        for counts in outcome.counts {
            assert_about(counts.cpu, 2 * 300 * MS / (threads + hogs) as u64);
        }
    }
}

#[test]
fn thread_of_low_priority_gets_what_the_others_leave() {
    let outcome = sim::run(
        &machines::desktop(1),
        1,
        2,
        0,
        || (),
        |(), number| {
            if number == 0 {
                sim::lower_priority();
            }
            while sim::time() < 5000 * MS {
                sim::work(10 * US);
            }
        },
    );
    assert_about(outcome.counts[0].cpu, 5000 * MS * 15 / (1024 + 15));
}

#[test]
fn thread_that_wakes_up_comes_before_a_busy_loop_and_one_that_yields_behind_it() {
    let machine = machines::desktop(1);
    let outcome = sim::run(&machine, 1, 1, 1, Event::new, |event, _| {
        event.wait_for(Duration::from_millis(20));
        let woken = sim::time();
        sim::yield_now();
        (woken, sim::time() - woken)
    });
    let (woken, yielded) = outcome.results[0];
    assert!(woken < 24 * MS, "{woken}");
    assert!((machine.slice..3 * machine.slice).contains(&yielded), "{yielded}");
}

#[test]
fn idle_core_takes_a_thread_that_waits_for_another() {
    let machine = machines::desktop(2);
    let outcome = sim::run(
        &machine,
        1,
        3,
        0,
        || (),
        |(), number| {
            sim::work(if number == 0 { MS } else { 50 * MS });
        },
    );
    assert!(outcome.time < 60 * MS, "{}", outcome.time);
    assert_eq!(outcome.counts.iter().map(|counts| counts.migrations).sum::<u64>(), 1);
}

#[test]
fn wait_by_address_wakes_in_order_and_loses_nothing() {
    let machine = machines::desktop(4);
    let outcome = sim::run(&machine, 1, 4, 0, words::<2>, |[word, woken], number| {
        if number == 0 {
            // When all wait.
            sim::work(MS);
            word.0.store(1, SeqCst);
            assert_eq!(sim::wake(&word.0, 2), 2);
            assert_eq!(sim::wake(&word.0, 2), 1);
            return 0;
        }
        sim::work(number as u64 * 10 * US);
        while word.0.load(SeqCst) == 0 {
            assert!(sim::wait(&word.0, 0, None));
        }
        woken.0.fetch_add(1, SeqCst) + 1
    });
    assert_eq!(outcome.results, [0, 1, 2, 3]);
    assert_eq!(outcome.counts.iter().map(|counts| counts.parks).collect::<Vec<_>>(), [0, 1, 1, 1]);
}

#[test]
fn pool_and_its_threads_run() {
    let machine = machines::desktop(4);
    let outcome = sim::run(
        &machine,
        1,
        1,
        0,
        || (),
        |(), _| {
            let pool = lockwork::ThreadPool::new(3);
            let tasks: Vec<_> =
                (0..20u64).map(|number| pool.submit(move || number * number).unwrap()).collect();
            tasks.into_iter().map(|task| task.join().unwrap()).sum::<u64>()
        },
    );
    assert_eq!(outcome.results, [2470]);
    assert_eq!(outcome.counts.len(), 4);
}
