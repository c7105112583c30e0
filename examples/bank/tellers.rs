//! A day at the bank: tellers, an auditor, and the comparison of what is there with what should be.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{Event, Mutex};

use crate::accounts::{Accounts, Transfer};
use crate::complain;
use crate::naive::{Blackboard, Wait};
use crate::options::{Options, Strategy};
use crate::random::Random;

/// How often progress is told: a short day is over before.
const PROGRESS: Duration = Duration::from_secs(1);

/// Time between two audits.
const AUDIT: Duration = Duration::from_millis(2);

/// How it went.
#[derive(Debug)]
pub(crate) struct Day {
    pub(crate) outcome: Outcome,
    pub(crate) done: u64,
    pub(crate) refused: u64,
    pub(crate) gave_way: u64,
    pub(crate) audits: u64,
    pub(crate) elapsed: Duration,
    /// What is wrong with the money.
    pub(crate) problems: Vec<String>,
}

#[derive(Debug)]
pub(crate) enum Outcome {
    Done,
    Interrupted,
    Deadlock(Vec<Wait>),
}

/// What a teller has written down on its own.
struct Notes {
    done: u64,
    refused: u64,
    gave_way: u64,
    /// By account, what has come in less what has gone out.
    net: Vec<i128>,
}

/// Makes the transfers that the options ask for, or fewer if `stop` is set before.
pub(crate) fn work(options: &Options, strategy: Strategy, stop: &'static Event) -> io::Result<Day> {
    let accounts = Accounts::new(options.accounts, options.opening);
    let blackboard = Blackboard::new(options.tellers);
    // Tellers take the next transfer when they are through with the last: however many there are, they come
    // out even.
    let next = AtomicU64::new(0);
    let (books, problems) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    // Of this day: a deadlock ends it, not the program.
    let closed = Event::new();
    let audits = AtomicU64::new(0);

    let teller = |number: usize| {
        let mut random = Random::new(options.seed, number);
        let mut notes = Notes { done: 0, refused: 0, gave_way: 0, net: vec![0; options.accounts] };
        while !stop.is_set() && !closed.is_set() && next.fetch_add(1, Relaxed) < options.transfers {
            let transfer = Transfer::random(&mut random, options.accounts, options.interrupt);
            let made = match strategy {
                Strategy::AllAtOnce => accounts.all_at_once(transfer),
                Strategy::Ordered => accounts.ordered(transfer),
                Strategy::TimeOut => accounts.with_time_out(transfer, &mut random, &mut notes.gave_way),
                Strategy::Naive => {
                    match blackboard.transfer(&accounts, number, transfer, options.detect(), &closed) {
                        Ok(made) => made,
                        Err(_) => break,
                    }
                }
            };
            if made {
                notes.done += 1;
                notes.net[transfer.from] -= i128::from(transfer.amount);
                notes.net[transfer.to] += i128::from(transfer.amount);
            } else {
                notes.refused += 1;
            }
        }
        books.lock().push(notes);
    };
    let audit = || {
        while !closed.wait_for(AUDIT) {
            let found = accounts.audit();
            audits.fetch_add(1, Relaxed);
            if found != options.total() {
                problems.lock().push(format!("an audit found {found} instead of {}", options.total()));
                closed.set();
            }
        }
    };

    let start = Instant::now();
    let progress = || {
        while !closed.wait_for(PROGRESS) {
            let (begun, all) = (next.load(Relaxed).min(options.transfers), options.transfers);
            let percent = begun as f64 / all as f64 * 100.0;
            complain(format_args!("{strategy}: {begun} of {all} transfers begun ({percent:.0} %)"));
        }
    };
    let started = thread::scope(|scope| {
        thread::Builder::new().name("progress".into()).spawn_scoped(scope, progress)?;
        // It would lock in order, and so might wait in the naive tellers' deadlock indefinitely.
        let auditor = (strategy != Strategy::Naive)
            .then(|| thread::Builder::new().name("auditor".into()).spawn_scoped(scope, audit))
            .transpose()
            .inspect_err(|_| closed.set())?;
        let started: io::Result<Vec<_>> = (0..options.tellers)
            .map(|number| {
                let teller = &teller;
                thread::Builder::new()
                    .name(format!("teller {number}"))
                    .spawn_scoped(scope, move || teller(number))
            })
            .collect();
        match started {
            Ok(tellers) => {
                for teller in tellers {
                    if teller.join().is_err() {
                        problems.lock().push("a teller panicked".into());
                    }
                }
                closed.set();
            }
            Err(error) => {
                // Those who have begun go home.
                closed.set();
                return Err(error);
            }
        }
        if auditor.is_some_and(|auditor| auditor.join().is_err()) {
            problems.lock().push("the auditor panicked".into());
        }
        Ok(())
    });
    let elapsed = start.elapsed();
    started?;

    let mut problems = problems.into_inner();
    let books = books.into_inner();
    let sum = |count: fn(&Notes) -> u64| books.iter().map(count).sum::<u64>();
    let (done, refused) = (sum(|notes| notes.done), sum(|notes| notes.refused));
    let balances = accounts.into_balances();
    let total: u64 = balances.iter().sum();
    if total != options.total() {
        problems.push(format!("the total is {total} instead of {}", options.total()));
    }
    for (account, balance) in balances.iter().enumerate() {
        let net: i128 = books.iter().map(|notes| notes.net[account]).sum();
        let should_be = i128::from(options.opening) + net;
        if i128::from(*balance) != should_be {
            problems.push(format!("account {account} has {balance}, by the tellers' notes {should_be}"));
        }
    }
    let outcome = match blackboard.into_circle() {
        Some(circle) => Outcome::Deadlock(circle),
        None if done + refused < options.transfers && stop.is_set() => Outcome::Interrupted,
        None => {
            if done + refused != options.transfers && problems.is_empty() {
                problems.push(format!("{} of {} transfers were made", done + refused, options.transfers));
            }
            Outcome::Done
        }
    };
    let gave_way = sum(|notes| notes.gave_way);
    Ok(Day { outcome, done, refused, gave_way, audits: audits.into_inner(), elapsed, problems })
}
