//! Measures what this computer's operations cost, and prints a machine of two cores that cost the same.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "of the computer, and not of a simulated machine"
)]

use std::hint;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use crate::locks::Line;

/// How many measurements there are. Each is far shorter than a time slice, and the fastest of ten counts:
/// others may want the computer, too.
const ROUNDS: usize = 201;

/// The time of one of `count` operations, in nanoseconds.
fn measured(count: u32, mut run: impl FnMut() -> Duration) -> f64 {
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| run()).collect();
    times.sort_unstable();
    times[ROUNDS / 10].as_secs_f64() * 1e9 / f64::from(count)
}

fn each(count: u32, mut operation: impl FnMut()) -> f64 {
    measured(count, || {
        let start = Instant::now();
        (0..count).for_each(|_| operation());
        start.elapsed()
    })
}

/// Binds the calling thread to a core, if the system can.
fn bind(core: usize) {
    #[cfg(target_os = "linux")]
    {
        let mut cores = rustix::thread::CpuSet::new();
        cores.set(core);
        // A computer with fewer cores measures what it has.
        let _ = rustix::thread::sched_setaffinity(None, &cores);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = core;
}

/// Wakes none of those that wait at the word, which are none.
fn system_call(word: &AtomicU32) {
    #[cfg(target_os = "linux")]
    {
        use rustix::thread::futex;
        futex::wake(word, futex::Flags::PRIVATE, 1).unwrap();
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = word;
        thread::yield_now();
    }
}

/// What a yield takes beside a busy loop on the same core.
fn yield_beside_a_loop() -> f64 {
    const YIELDS: usize = 15;
    let is_over = AtomicU32::new(0);
    bind(0);
    thread::scope(|s| {
        s.spawn(|| while is_over.load(SeqCst) == 0 {});
        let mut times = [0.0; YIELDS];
        for time in &mut times {
            let start = Instant::now();
            while start.elapsed() < Duration::from_micros(100) {}
            let start = Instant::now();
            thread::yield_now();
            *time = start.elapsed().as_secs_f64() * 1e9;
        }
        is_over.store(1, SeqCst);
        times.sort_by(f64::total_cmp);
        times[YIELDS / 2]
    })
}

/// Two threads on two cores take turns by spinning; returns what a turn takes.
fn turns(count: u32) -> f64 {
    let turn = Line(AtomicU32::new(0));
    let play = |own: u32| {
        bind(own as usize);
        let mut start = Instant::now();
        for round in 0..count {
            while turn.0.load(SeqCst) != 2 * round + own {}
            turn.0.store(2 * round + own + 1, SeqCst);
            if round == count / 3 {
                // By now both run.
                start = Instant::now();
            }
        }
        start.elapsed()
    };
    measured(2 * (count - count / 3), || {
        turn.0.store(0, SeqCst);
        thread::scope(|s| {
            let other = s.spawn(|| play(1));
            s.spawn(|| play(0)).join().unwrap();
            other.join().unwrap()
        })
    })
}

/// Two threads of one core wake each other and park; returns what a turn takes.
fn handshakes(count: u32) -> f64 {
    measured(2 * count, || {
        let (turn, main) = (AtomicU32::new(0), thread::current());
        let play = |own: u32, other: &thread::Thread| {
            bind(0);
            for round in 0..count {
                while turn.load(SeqCst) != 2 * round + own {
                    thread::park();
                }
                turn.store(2 * round + own + 1, SeqCst);
                other.unpark();
            }
        };
        thread::scope(|s| {
            let other = s.spawn(|| play(1, &main));
            let start = Instant::now();
            play(0, other.thread());
            other.join().unwrap();
            start.elapsed()
        })
    })
}

/// What an unpark takes of a thread that sleeps on an idle core, and how much later that one runs.
fn wake_up() -> (f64, f64) {
    let (started, seen) = (Line(AtomicU32::new(0)), Line(AtomicU32::new(0)));
    let begin = Instant::now();
    let now = || u32::try_from(begin.elapsed().as_nanos()).expect("four seconds") | 1;
    thread::scope(|s| {
        let sleeper = s.spawn(|| {
            bind(1);
            for _ in 0..ROUNDS {
                started.0.fetch_add(1, SeqCst);
                thread::park();
                seen.0.store(now(), SeqCst);
            }
        });
        bind(0);
        let (mut calls, mut delays) = (Vec::new(), Vec::new());
        for round in 1..=ROUNDS as u32 {
            while started.0.load(SeqCst) != round {
                hint::spin_loop();
            }
            // Until it sleeps, and its core with it.
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(1) {
                hint::spin_loop();
            }
            seen.0.store(0, SeqCst);
            let before = now();
            sleeper.thread().unpark();
            let after = now();
            while seen.0.load(SeqCst) == 0 {
                hint::spin_loop();
            }
            calls.push(after - before);
            delays.push(seen.0.load(SeqCst).saturating_sub(after));
        }
        calls.sort_unstable();
        delays.sort_unstable();
        (f64::from(calls[ROUNDS / 4]), f64::from(delays[ROUNDS / 4]))
    })
}

pub(crate) fn print() {
    let word = Line(AtomicU32::new(0));
    let hit = each(5_000, || {
        hint::black_box(word.0.load(SeqCst));
    });
    let exchange = each(5_000, || {
        word.0.fetch_add(1, SeqCst);
    });
    let pause = each(2_000, hint::spin_loop);
    let system_call = each(500, || system_call(&word.0));
    // A turn is the line's way to the reader, and its way back when that one writes.
    let near = turns(300) / 2.0;
    // A turn is an unpark, a park and the way from one thread to the other.
    let switch = handshakes(50) - 2.0 * system_call;
    let slice = yield_beside_a_loop();
    let (unpark, wake_up) = wake_up();
    println!("let ns = |time: f64| (time * Machine::NS as f64) as u64;");
    println!("Machine {{");
    println!("    name: \"measured\",");
    println!("    hit: ns({hit:.1}),");
    println!("    exchange: ns({exchange:.1}),");
    println!("    near: ns({near:.0}),");
    println!("    middle: ns({near:.0}),");
    println!("    far: ns({near:.0}),");
    println!("    pause: ns({pause:.1}),");
    println!("    system_call: ns({system_call:.0}),");
    println!("    switch: ns({switch:.0}),");
    println!("    wake: ns({:.0}),", (unpark - system_call).max(0.0));
    println!("    wake_up: ns({wake_up:.0}),");
    println!("    slice: ns({slice:.0}),");
    println!("    ..desktop(2)");
    println!("}}");
}
