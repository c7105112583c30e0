//! Accounts, each with its own lock, and the three safe ways to lock two of them.

use std::thread;
use std::time::Duration;

use lockwork::{Event, Mutex, MutexGuard, lock_all};

use crate::random::Random;

/// How long a teller waits for the second lock before it gives the first one back.
const PATIENCE: Duration = Duration::from_micros(200);
/// The longest that it steps aside after the first attempt; twice as long after each further one, up to the
/// limit.
const STEP_ASIDE: Duration = Duration::from_micros(50);
const STEP_ASIDE_MOST: Duration = Duration::from_millis(5);

pub(crate) struct Accounts(Vec<Mutex<u64>>);

/// One transfer that a customer asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transfer {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) amount: u64,
    /// Whether the teller is interrupted between the two locks.
    interrupted: bool,
}

impl Transfer {
    /// Between two different accounts.
    pub(crate) fn random(random: &mut Random, accounts: usize, interrupt: u64) -> Self {
        let from = random.below(accounts as u64) as usize;
        let step = 1 + random.below(accounts as u64 - 1) as usize;
        let (to, amount) = ((from + step) % accounts, 1 + random.below(100));
        Self { from, to, amount, interrupted: interrupt != 0 && random.below(interrupt) == 0 }
    }

    fn between_locks(self) {
        if self.interrupted {
            called_away();
        }
    }

    /// Moves the money, if there is enough of it.
    pub(crate) fn make(self, from: &mut u64, to: &mut u64) -> bool {
        if *from < self.amount {
            return false;
        }
        *from -= self.amount;
        *to += self.amount;
        true
    }
}

/// What the watch calls an account. Names last as long as the program, so there are none where none is kept.
fn name(account: usize) -> &'static str {
    if cfg!(feature = "diagnose") { format!("account {account}").leak() } else { "account" }
}

impl Accounts {
    pub(crate) fn new(number: usize, opening: u64) -> Self {
        Self((0..number).map(|account| Mutex::named(name(account), opening)).collect())
    }

    pub(crate) fn lock_of(&self, account: usize) -> &Mutex<u64> {
        &self.0[account]
    }

    /// Both by one call, which leaves the order to the library.
    pub(crate) fn all_at_once(&self, transfer: Transfer) -> bool {
        let (mut from, mut to) = lock_all((&self.0[transfer.from], &self.0[transfer.to]));
        transfer.between_locks();
        transfer.make(&mut from, &mut to)
    }

    /// The lower number first, whatever the direction.
    pub(crate) fn ordered(&self, transfer: Transfer) -> bool {
        let (low, high) = (transfer.from.min(transfer.to), transfer.from.max(transfer.to));
        let mut first = self.0[low].lock();
        transfer.between_locks();
        let mut second = self.0[high].lock();
        if transfer.from == low {
            transfer.make(&mut first, &mut second)
        } else {
            transfer.make(&mut second, &mut first)
        }
    }

    /// In the order of the transfer, with a time-out. Counts in `gave_way` how often it had to begin again.
    ///
    /// Random times are what makes it end: two tellers that step aside equally long meet again, and again.
    pub(crate) fn with_time_out(&self, transfer: Transfer, random: &mut Random, gave_way: &mut u64) -> bool {
        // It is never set: waiting for it is a sleep.
        let never = Event::new();
        let mut most = STEP_ASIDE;
        loop {
            let mut from = self.0[transfer.from].lock();
            transfer.between_locks();
            if let Some(mut to) = self.0[transfer.to].try_lock_for(PATIENCE) {
                return transfer.make(&mut from, &mut to);
            }
            drop(from);
            *gave_way += 1;
            never.wait_for(Duration::from_nanos(random.below(most.as_nanos() as u64)));
            most = (most * 2).min(STEP_ASIDE_MOST);
        }
    }

    /// All the money there is at one moment: every lock is held at once. In the order of the numbers, so that
    /// it gets on with tellers of any strategy.
    pub(crate) fn audit(&self) -> u64 {
        let all: Vec<MutexGuard<'_, u64>> = self.0.iter().map(Mutex::lock).collect();
        all.iter().map(|account| **account).sum()
    }

    pub(crate) fn into_balances(self) -> Vec<u64> {
        self.0.into_iter().map(Mutex::into_inner).collect()
    }
}

/// What a busy machine does now and then, between the first lock and the second: another thread has the
/// processor.
pub(crate) fn called_away() {
    thread::yield_now();
}
