//! `RwLock` and its eight guards.
//!
//! Readers are in by count on a lock that is written now and then, and by slot on one that has been read many
//! times in a row ([`Mode`]). Whatever is promised is promised for both, so most tests run in both.

mod exclusion;
mod fairness;
mod guards;
mod limits;
mod payloads;
mod policy;
mod programs;
mod readers;
mod roles;
mod stress;
mod timed;

use std::fmt::Debug;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{
    ArcRwLockReadGuard, ArcRwLockUpgradableReadGuard, ArcRwLockWriteGuard, MappedRwLockReadGuard,
    MappedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard,
};
use proptest::prelude::*;

use crate::locks::Take;
use crate::support::{eventually, shown};

/// Long enough for others to queue behind who waits so long, on a machine that is not too busy.
const LONGER: Duration = Duration::from_millis(30);
/// Hardly longer than it takes to queue.
const BRIEF: Duration = Duration::from_micros(50);

/// How the first readers are in: below the number of reads in a row from which on they use slots, and well
/// above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Counted,
    Visible,
}

const MODES: [Mode; 2] = [Mode::Counted, Mode::Visible];

impl Mode {
    fn set_up<T: ?Sized>(self, lock: &RwLock<T>) {
        match self {
            // A write ends whatever there is of a row.
            Self::Counted => drop(lock.write()),
            Self::Visible => (0..32).for_each(|_| drop(lock.read())),
        }
    }

    fn lock<T>(self, value: T) -> RwLock<T> {
        let lock = RwLock::new(value);
        self.set_up(&lock);
        lock
    }

    fn arc<T: Debug + Send + Sync + 'static>(self, value: T) -> Arc<RwLock<T>> {
        shown(self.lock(value))
    }
}

/// Two numbers that are equal whenever no thread writes.
type Pair = [usize; 2];

/// In what capacity to come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Read,
    Again,
    Upgradable,
    Write,
}

const KINDS: [Kind; 4] = [Kind::Read, Kind::Again, Kind::Upgradable, Kind::Write];

/// One guard of any of the eight types.
#[derive(Debug)]
enum Held<'a, T: ?Sized> {
    Read(RwLockReadGuard<'a, T>),
    Upgradable(RwLockUpgradableReadGuard<'a, T>),
    Write(RwLockWriteGuard<'a, T>),
    MappedRead(MappedRwLockReadGuard<'a, T>),
    MappedWrite(MappedRwLockWriteGuard<'a, T>),
    ArcRead(ArcRwLockReadGuard<T>),
    ArcUpgradable(ArcRwLockUpgradableReadGuard<T>),
    ArcWrite(ArcRwLockWriteGuard<T>),
}

/// Calls the same associated function of the six guards that have it.
macro_rules! whole {
    ($held:expr, $function:ident($($argument:expr),*)) => {
        match $held {
            Held::Read(guard) => RwLockReadGuard::$function(guard, $($argument),*),
            Held::Upgradable(guard) => RwLockUpgradableReadGuard::$function(guard, $($argument),*),
            Held::Write(guard) => RwLockWriteGuard::$function(guard, $($argument),*),
            Held::ArcRead(guard) => ArcRwLockReadGuard::$function(guard, $($argument),*),
            Held::ArcUpgradable(guard) => ArcRwLockUpgradableReadGuard::$function(guard, $($argument),*),
            Held::ArcWrite(guard) => ArcRwLockWriteGuard::$function(guard, $($argument),*),
            Held::MappedRead(_) | Held::MappedWrite(_) => unreachable!("no guard of the whole"),
        }
    };
}

fn take<T: ?Sized>(lock: &Arc<RwLock<T>>, kind: Kind, how: Take, arc: bool) -> Option<Held<'_, T>> {
    use Held::{ArcRead, ArcUpgradable, ArcWrite, Read, Upgradable, Write};
    let until = |timeout| Instant::now() + timeout;
    match (arc, kind, how) {
        (false, Kind::Read, Take::Lock) => Some(Read(lock.read())),
        (false, Kind::Read, Take::Try) => lock.try_read().map(Read),
        (false, Kind::Read, Take::For(timeout)) => lock.try_read_for(timeout).map(Read),
        (false, Kind::Read, Take::Until(timeout)) => lock.try_read_until(until(timeout)).map(Read),
        (false, Kind::Again, Take::Lock) => Some(Read(lock.read_recursive())),
        (false, Kind::Again, Take::Try) => lock.try_read_recursive().map(Read),
        (false, Kind::Again, Take::For(timeout)) => lock.try_read_recursive_for(timeout).map(Read),
        (false, Kind::Again, Take::Until(timeout)) => lock.try_read_recursive_until(until(timeout)).map(Read),
        (false, Kind::Upgradable, Take::Lock) => Some(Upgradable(lock.upgradable_read())),
        (false, Kind::Upgradable, Take::Try) => lock.try_upgradable_read().map(Upgradable),
        (false, Kind::Upgradable, Take::For(timeout)) => {
            lock.try_upgradable_read_for(timeout).map(Upgradable)
        }
        (false, Kind::Upgradable, Take::Until(timeout)) => {
            lock.try_upgradable_read_until(until(timeout)).map(Upgradable)
        }
        (false, Kind::Write, Take::Lock) => Some(Write(lock.write())),
        (false, Kind::Write, Take::Try) => lock.try_write().map(Write),
        (false, Kind::Write, Take::For(timeout)) => lock.try_write_for(timeout).map(Write),
        (false, Kind::Write, Take::Until(timeout)) => lock.try_write_until(until(timeout)).map(Write),
        (true, Kind::Read, Take::Lock) => Some(ArcRead(lock.read_arc())),
        (true, Kind::Read, Take::Try) => lock.try_read_arc().map(ArcRead),
        (true, Kind::Read, Take::For(timeout)) => lock.try_read_arc_for(timeout).map(ArcRead),
        (true, Kind::Read, Take::Until(timeout)) => lock.try_read_arc_until(until(timeout)).map(ArcRead),
        (true, Kind::Again, Take::Lock) => Some(ArcRead(lock.read_recursive_arc())),
        (true, Kind::Again, Take::Try) => lock.try_read_recursive_arc().map(ArcRead),
        (true, Kind::Again, Take::For(timeout)) => lock.try_read_recursive_arc_for(timeout).map(ArcRead),
        (true, Kind::Again, Take::Until(timeout)) => {
            lock.try_read_recursive_arc_until(until(timeout)).map(ArcRead)
        }
        (true, Kind::Upgradable, Take::Lock) => Some(ArcUpgradable(lock.upgradable_read_arc())),
        (true, Kind::Upgradable, Take::Try) => lock.try_upgradable_read_arc().map(ArcUpgradable),
        (true, Kind::Upgradable, Take::For(timeout)) => {
            lock.try_upgradable_read_arc_for(timeout).map(ArcUpgradable)
        }
        (true, Kind::Upgradable, Take::Until(timeout)) => {
            lock.try_upgradable_read_arc_until(until(timeout)).map(ArcUpgradable)
        }
        (true, Kind::Write, Take::Lock) => Some(ArcWrite(lock.write_arc())),
        (true, Kind::Write, Take::Try) => lock.try_write_arc().map(ArcWrite),
        (true, Kind::Write, Take::For(timeout)) => lock.try_write_arc_for(timeout).map(ArcWrite),
        (true, Kind::Write, Take::Until(timeout)) => lock.try_write_arc_until(until(timeout)).map(ArcWrite),
    }
}

impl<T: ?Sized> Held<'_, T> {
    fn value(&self) -> &T {
        match self {
            Self::Read(guard) => guard,
            Self::Upgradable(guard) => guard,
            Self::Write(guard) => guard,
            Self::MappedRead(guard) => guard,
            Self::MappedWrite(guard) => guard,
            Self::ArcRead(guard) => guard,
            Self::ArcUpgradable(guard) => guard,
            Self::ArcWrite(guard) => guard,
        }
    }

    fn value_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::Write(guard) => Some(guard),
            Self::MappedWrite(guard) => Some(guard),
            Self::ArcWrite(guard) => Some(guard),
            _ => None,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Read(_) | Self::MappedRead(_) | Self::ArcRead(_) => Kind::Read,
            Self::Upgradable(_) | Self::ArcUpgradable(_) => Kind::Upgradable,
            Self::Write(_) | Self::MappedWrite(_) | Self::ArcWrite(_) => Kind::Write,
        }
    }

    fn is_part(&self) -> bool {
        matches!(self, Self::MappedRead(_) | Self::MappedWrite(_))
    }

    fn unlock_fair(self) {
        match self {
            Self::MappedRead(guard) => MappedRwLockReadGuard::unlock_fair(guard),
            Self::MappedWrite(guard) => MappedRwLockWriteGuard::unlock_fair(guard),
            held => whole!(held, unlock_fair()),
        }
    }

    /// Does nothing to a part.
    fn bump(&mut self) {
        if !self.is_part() {
            whole!(self, bump());
        }
    }

    /// Says whether it ran `body`: not for a part.
    fn unlocked(&mut self, fair: bool, body: impl FnOnce()) -> bool {
        let whole = !self.is_part();
        match (whole, fair) {
            (false, _) => {}
            (true, false) => whole!(self, unlocked(body)),
            (true, true) => whole!(self, unlocked_fair(body)),
        }
        whole
    }

    /// The guard of a part that is the whole, where there is such a guard.
    fn map(self) -> Self {
        match self {
            Self::Read(guard) => Self::MappedRead(RwLockReadGuard::map(guard, |value| value)),
            Self::Write(guard) => Self::MappedWrite(RwLockWriteGuard::map(guard, |value| value)),
            Self::MappedRead(guard) => Self::MappedRead(MappedRwLockReadGuard::map(guard, |value| value)),
            Self::MappedWrite(guard) => Self::MappedWrite(MappedRwLockWriteGuard::map(guard, |value| value)),
            held => held,
        }
    }

    /// A reader, if this is a writer or the upgradable reader.
    fn downgrade(self) -> Self {
        match self {
            Self::Upgradable(guard) => Self::Read(RwLockUpgradableReadGuard::downgrade(guard)),
            Self::ArcUpgradable(guard) => Self::ArcRead(ArcRwLockUpgradableReadGuard::downgrade(guard)),
            Self::Write(guard) => Self::Read(RwLockWriteGuard::downgrade(guard)),
            Self::ArcWrite(guard) => Self::ArcRead(ArcRwLockWriteGuard::downgrade(guard)),
            held => held,
        }
    }

    /// The upgradable reader, if this is a writer.
    fn downgrade_to_upgradable(self) -> Self {
        match self {
            Self::Write(guard) => Self::Upgradable(RwLockWriteGuard::downgrade_to_upgradable(guard)),
            Self::ArcWrite(guard) => Self::ArcUpgradable(ArcRwLockWriteGuard::downgrade_to_upgradable(guard)),
            held => held,
        }
    }

    /// A writer, if this is the upgradable reader and `how` gets there.
    fn upgrade(self, how: Take) -> Self {
        let until = |timeout| Instant::now() + timeout;
        match self {
            Self::Upgradable(guard) => {
                let result = match how {
                    Take::Lock => Ok(RwLockUpgradableReadGuard::upgrade(guard)),
                    Take::Try => RwLockUpgradableReadGuard::try_upgrade(guard),
                    Take::For(timeout) => RwLockUpgradableReadGuard::try_upgrade_for(guard, timeout),
                    Take::Until(timeout) => {
                        RwLockUpgradableReadGuard::try_upgrade_until(guard, until(timeout))
                    }
                };
                result.map_or_else(Self::Upgradable, Self::Write)
            }
            Self::ArcUpgradable(guard) => {
                let result = match how {
                    Take::Lock => Ok(ArcRwLockUpgradableReadGuard::upgrade(guard)),
                    Take::Try => ArcRwLockUpgradableReadGuard::try_upgrade(guard),
                    Take::For(timeout) => ArcRwLockUpgradableReadGuard::try_upgrade_for(guard, timeout),
                    Take::Until(timeout) => {
                        ArcRwLockUpgradableReadGuard::try_upgrade_until(guard, until(timeout))
                    }
                };
                result.map_or_else(Self::ArcUpgradable, Self::ArcWrite)
            }
            held => held,
        }
    }

    /// Runs `body` as a writer for a while, if this is the upgradable reader and `how` gets there.
    fn with_upgraded<R>(&mut self, how: Take, body: impl FnOnce(&mut T) -> R) -> Option<R> {
        let until = |timeout| Instant::now() + timeout;
        match self {
            Self::Upgradable(guard) => match how {
                Take::Lock => Some(guard.with_upgraded(body)),
                Take::Try => guard.try_with_upgraded(body),
                Take::For(timeout) => guard.try_with_upgraded_for(timeout, body),
                Take::Until(timeout) => guard.try_with_upgraded_until(until(timeout), body),
            },
            Self::ArcUpgradable(guard) => match how {
                Take::Lock => Some(guard.with_upgraded(body)),
                Take::Try => guard.try_with_upgraded(body),
                Take::For(timeout) => guard.try_with_upgraded_for(timeout, body),
                Take::Until(timeout) => guard.try_with_upgraded_until(until(timeout), body),
            },
            _ => None,
        }
    }
}

/// Waits until a writer stands before new readers. For callers that read, or hold the upgradable lock.
fn until_a_writer_waits<T: ?Sized>(lock: &RwLock<T>) {
    eventually(|| lock.try_read().is_none());
}

/// The same for a writer that gives up some time.
fn until_a_writer_waits_or<T: ?Sized>(lock: &RwLock<T>, gave_up: &AtomicBool) {
    eventually(|| gave_up.load(Relaxed) || lock.try_read().is_none());
}

/// Whether readers, an upgradable reader and a writer could come in just now.
fn open_to<T: ?Sized>(lock: &RwLock<T>) -> [bool; 3] {
    let reader = lock.try_read().is_some();
    let upgradable = lock.try_upgradable_read().is_some();
    let writer = lock.try_write().is_some();
    [reader, upgradable, writer]
}

/// Sees that no thread writes.
fn look(pair: &Pair) {
    let one = black_box(pair)[0];
    if one % 32 == 0 {
        thread::yield_now();
    }
    assert_eq!(black_box(pair)[1], one, "a thread writes while others read");
}

/// Counts, in a way that goes wrong as soon as two are at it.
fn count(pair: &mut Pair) {
    look(pair);
    let seen = black_box(pair[0]);
    pair[0] = seen + 1;
    if seen % 32 == 0 {
        thread::yield_now();
    }
    assert_eq!(pair[1], seen, "two write at once");
    pair[1] = seen + 1;
}

/// A lock in which new readers are visible in the table instead of counted.
fn with_visible_readers<T>(value: T) -> Arc<RwLock<T>> {
    let lock = Arc::new(RwLock::new(value));
    (0..32).for_each(|_| drop(lock.read()));
    lock
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop::sample::select(KINDS.to_vec())
}

/// Ways that end whether or not the lock is to be had.
fn tries() -> impl Strategy<Value = Take> {
    let timeout = prop_oneof![Just(0), 0_u64..100].prop_map(Duration::from_micros);
    prop_oneof![
        3 => Just(Take::Try),
        1 => timeout.clone().prop_map(Take::For),
        1 => timeout.prop_map(Take::Until),
    ]
}
