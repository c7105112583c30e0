//! Who waits for what, who holds what, and what cannot go on.
//!
//! For a program that hangs, or that has become slow where nothing should be: which thread waits in which
//! call of this crate, at which place in the source, since when; which thread holds what it waits for, and
//! where that was locked; which threads wait for each other. [`start`] begins to note what threads hold, and
//! reports what goes wrong; [`snapshot`] shows all threads at once, as Java's thread dump does;
//! [`deadlocks`] finds cycles of threads that wait for each other.
//!
//! Locks have the names that [`Mutex::named`](crate::Mutex::named) and its like have given them.
//!
//! # Examples
//!
//! A hang: two threads lock two locks in both orders. The session reports it at once.
//!
//! ```
//! use lockwork::diagnose::{self, Report, Settings};
//! use lockwork::{Barrier, Mutex};
//! use std::sync::{Arc, mpsc};
//! use std::thread;
//!
//! static ACCOUNTS: Mutex<i64> = Mutex::named("accounts", 0);
//! static JOURNAL: Mutex<Vec<i64>> = Mutex::named("journal", Vec::new());
//!
//! let (found, reports) = mpsc::channel();
//! let _session = diagnose::start(Settings {
//!     sink: Box::new(move |report| drop(found.send(report.clone()))),
//!     ..Settings::default()
//! });
//! let both = Arc::new(Barrier::new(2));
//! let other = Arc::clone(&both);
//! thread::spawn(move || {
//!     let accounts = ACCOUNTS.lock();
//!     both.wait();
//!     JOURNAL.lock().push(*accounts);
//! });
//! thread::spawn(move || {
//!     let journal = JOURNAL.lock();
//!     other.wait();
//!     *ACCOUNTS.lock() += journal.len() as i64;
//! });
//! let Report::Deadlock(cycle) = reports.recv().unwrap() else { panic!("nothing else is wrong") };
//! assert_eq!(cycle.links.len(), 2);
//! assert!(cycle.to_string().starts_with("deadlock: 2 threads wait for each other"));
//! println!("{cycle}");
//! ```
//!
//! # What it costs
//!
//! Without a session a thread publishes what it is about to sleep for, in a slot of its own; the fast paths
//! have one more load. In a session each lock and unlock writes some words into the thread's slot. No lock is
//! taken for that, and none for a [`snapshot`]. Each thread that waits or locks has a slot of about two
//! kilobytes, which a later thread takes over when it ends. A session that watches the order or measures
//! waits has tables, whose lock is taken for what is new to them, and where a noted lock is dropped.
//!
//! # What it cannot see
//!
//! What was locked before a session began; locks of other crates, those of `lock_api` but for their waits,
//! and locks by [`make_guard_unchecked`](crate::Mutex::make_guard_unchecked) but from then on; which thread
//! has an `Arc` guard, as it may have gone from the one that locked: what it holds is part of no deadlock and
//! comes before nothing in the order; a thread whose thread-local data are gone; in a child of a `fork`,
//! which reports nothing, the parent's threads. In models and on the simulated machine there is no such
//! module.

mod cycles;
mod order;
mod place;
mod profile;
mod report;
mod session;
mod settings;
mod tables;
mod view;

#[cfg(feature = "serde")]
mod serialise;

pub use self::cycles::{Cycle, Link, deadlocks};
pub use self::order::{Acquisition, Inversion, Opposite};
pub use self::place::Place;
pub use self::profile::{Contention, LockNumbers, Profile, profile};
pub use self::report::{Holder, RelockReport, Report, Stall};
pub use self::session::{Session, start};
pub use self::settings::{Order, Relock, Settings, Sink};
pub use self::view::{Hold, Snapshot, ThreadState, Wait, snapshot};
use crate::observe::{self, Called, Holding, Observer};
pub use crate::observe::{Kind, Mode};

/// All calls are noted here.
#[derive(Debug)]
pub(crate) struct Watch;

impl Observer for Watch {
    fn first(&self) {
        session::first();
    }

    fn is_known(&self, held: u64, wanted: u64, mode: Mode, timed: bool) -> bool {
        order::is_known(held, wanted, mode, timed)
    }

    fn acquiring(&self, new: &Called, timed: bool) {
        // Where it panics, it does so with the first.
        order::acquiring(new, timed).into_iter().map(Box::new).for_each(session::tell_inversion);
    }

    fn contended(&self, new: &Called, timed: bool) -> u64 {
        if !timed {
            session::check_relock(new);
        }
        if observe::level() & observe::PROFILE != 0 { profile::contended(new) } else { 0 }
    }

    fn acquired(&self, new: &Called, token: u64, parked: bool) {
        profile::acquired(new, token, parked);
    }

    fn gave_up(&self, new: &Called, token: u64, parked: bool) {
        profile::gave_up(new, token, parked);
    }

    fn releasing(&self, holding: &Holding) {
        profile::releasing(holding);
    }

    fn gone(&self, id: u64) {
        order::forget(id);
        profile::forget(id);
    }
}
