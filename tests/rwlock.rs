//! `RwLock` and its eight guards.
//!
//! Readers are in by count on a lock that is written now and then, and by seat on one that has been read many times in
//! a row ([`Mode`]). Whatever is promised is promised for both, so most tests run in both.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt::{self, Debug, Display};
use std::hint::black_box;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{
    ArcRwLockReadGuard, ArcRwLockUpgradableReadGuard, ArcRwLockWriteGuard, MappedRwLockReadGuard,
    MappedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard,
};
use proptest::prelude::*;

use crate::support::{
    Counted, Drops, LIMIT, PARTIES, Sleeper, allocations_during, eventually, rounds, watchdog,
};

/// Long enough to be measured, short enough to be waited for.
const SHORT: Duration = Duration::from_millis(15);
/// Long enough for others to queue behind who waits so long, on a machine that is not too busy.
const LONGER: Duration = Duration::from_millis(30);
/// Hardly longer than it takes to queue.
const BRIEF: Duration = Duration::from_micros(50);

/// How readers are in: below the number of reads in a row from which on they sit, and well above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Counted,
    Seated,
}

const MODES: [Mode; 2] = [Mode::Counted, Mode::Seated];

impl Mode {
    fn set_up<T: ?Sized>(self, lock: &RwLock<T>) {
        match self {
            // A write ends whatever there is of a row.
            Self::Counted => drop(lock.write()),
            Self::Seated => (0..32).for_each(|_| drop(lock.read())),
        }
    }

    fn lock<T>(self, value: T) -> RwLock<T> {
        let lock = RwLock::new(value);
        self.set_up(&lock);
        lock
    }

    fn arc<T>(self, value: T) -> Arc<RwLock<T>> {
        Arc::new(self.lock(value))
    }
}

/// Two numbers that are equal whenever nobody writes.
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

/// For how long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Take {
    Lock,
    Try,
    For(Duration),
    Until(Duration),
}

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
        (false, Kind::Again, Take::Until(timeout)) => {
            lock.try_read_recursive_until(until(timeout)).map(Read)
        }
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
            Self::ArcWrite(guard) => {
                Self::ArcUpgradable(ArcRwLockWriteGuard::downgrade_to_upgradable(guard))
            }
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

/// Unwinds without a message.
fn unwind() -> ! {
    resume_unwind(Box::new("on purpose"))
}

/// Whether `body` unwinds.
fn unwinds(body: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(body)).is_err()
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

// --- Coming in and leaving -----------------------------------------------------------------------------------------

#[test]
fn guards_give_the_value_and_drop_unlocks() {
    for mode in MODES {
        let lock = mode.lock(1);
        assert!(!lock.is_locked() && !lock.is_locked_exclusive());
        let reader = lock.read();
        assert_eq!(*reader, 1);
        assert!(lock.is_locked() && !lock.is_locked_exclusive());
        drop(reader);
        assert!(!lock.is_locked());

        let upgradable = lock.upgradable_read();
        assert_eq!(*upgradable, 1);
        assert!(lock.is_locked() && !lock.is_locked_exclusive());
        drop(upgradable);
        assert!(!lock.is_locked());

        let mut writer = lock.write();
        *writer += 1;
        assert_eq!(*writer, 2);
        assert!(lock.is_locked() && lock.is_locked_exclusive());
        drop(writer);
        assert!(!lock.is_locked() && !lock.is_locked_exclusive());
        assert_eq!(lock.into_inner(), 2);
    }
}

/// What may be in at the same time.
fn get_on(held: Kind, new: Kind) -> bool {
    use Kind::{Upgradable, Write};
    held != Write && new != Write && !(held == Upgradable && new == Upgradable)
}

#[test]
fn every_kind_keeps_the_right_ones_out() {
    for mode in MODES {
        let lock = mode.arc(0);
        for (held_kind, held_arc) in KINDS.into_iter().flat_map(|kind| [(kind, false), (kind, true)]) {
            for (new, arc) in KINDS.into_iter().flat_map(|kind| [(kind, false), (kind, true)]) {
                mode.set_up(&lock);
                let held = take(&lock, held_kind, Take::Lock, held_arc).expect("it is free");
                for how in [
                    Take::Try,
                    Take::For(Duration::ZERO),
                    Take::Until(Duration::ZERO),
                    Take::For(BRIEF),
                    Take::Until(BRIEF),
                ] {
                    let got = take(&lock, new, how, arc).is_some();
                    assert_eq!(got, get_on(held_kind, new), "{mode:?} {held_kind:?} {new:?} {how:?}");
                    // From another thread as from its own.
                    let other =
                        thread::scope(|s| s.spawn(|| take(&lock, new, how, arc).is_some()).join().unwrap());
                    assert_eq!(other, got, "{mode:?} {held_kind:?} {new:?} {how:?}");
                    if cfg!(miri) {
                        break;
                    }
                }
                drop(held);
                assert!(!lock.is_locked());
            }
        }
    }
}

#[test]
fn every_way_in_goes_with_every_way_out() {
    let outs: [(&str, fn(Held<'_, usize>)); 10] = [
        ("drop", |held| drop(held)),
        ("unlock_fair", |held| held.unlock_fair()),
        ("bump", |mut held| held.bump()),
        ("unlocked", |mut held| assert!(held.unlocked(false, || ()))),
        ("unlocked_fair", |mut held| assert!(held.unlocked(true, || ()))),
        ("map", |held| drop(held.map().map())),
        ("map, unlock_fair", |held| held.map().unlock_fair()),
        ("downgrade", |held| drop(held.downgrade())),
        ("to and fro", |held| {
            let held = held.downgrade_to_upgradable().upgrade(Take::Lock).downgrade_to_upgradable();
            drop(held.upgrade(Take::Try).downgrade());
        }),
        ("panic", |held| {
            assert!(unwinds(move || {
                let _held = held;
                unwind();
            }));
        }),
    ];
    for mode in MODES {
        let (lock, mut written) = (mode.arc(0), 0);
        for kind in KINDS {
            for how in [Take::Lock, Take::Try, Take::For(SHORT), Take::Until(SHORT)] {
                for arc in [false, true] {
                    for (name, out) in outs {
                        mode.set_up(&lock);
                        let mut held = take(&lock, kind, how, arc).expect("it is free");
                        if let Some(value) = held.value_mut() {
                            *value += 1;
                            written += 1;
                        }
                        assert_eq!(*held.value(), written);
                        assert!(lock.is_locked());
                        out(held);
                        assert!(!lock.is_locked(), "{mode:?} {kind:?} {how:?} {arc} {name}");
                        assert_eq!(open_to(&lock), [true; 3], "{mode:?} {kind:?} {how:?} {arc} {name}");
                        assert_eq!(Arc::strong_count(&lock), 1, "{mode:?} {kind:?} {how:?} {arc} {name}");
                    }
                }
            }
        }
        assert_eq!(*lock.read(), written);
    }
}

#[test]
fn readers_are_in_together() {
    watchdog("readers_are_in_together", || {
        for mode in MODES {
            for parties in PARTIES {
                let (lock, inside) = (mode.lock(7), AtomicUsize::new(0));
                let upgradable = lock.upgradable_read();
                thread::scope(|s| {
                    for _ in 0..parties {
                        s.spawn(|| {
                            let reader = lock.read();
                            inside.fetch_add(1, Relaxed);
                            eventually(|| inside.load(Relaxed) == parties);
                            assert_eq!(*reader, 7);
                        });
                    }
                });
                assert_eq!(*upgradable, 7);
                drop(upgradable);
                assert!(!lock.is_locked());
            }
        }
    });
}

#[test]
fn writer_keeps_everybody_out() {
    watchdog("writer_keeps_everybody_out", || {
        for mode in MODES {
            for parties in PARTIES {
                let (lock, got_in) = (mode.arc([0; 2]), AtomicUsize::new(0));
                let sleepers = Sleeper::several(parties);
                thread::scope(|s| {
                    let writer = lock.write();
                    for (party, sleeper) in sleepers.iter().enumerate() {
                        let (lock, got_in) = (&lock, &got_in);
                        s.spawn(move || {
                            sleeper.about_to_block();
                            let held = take(lock, KINDS[party % 4], Take::Lock, party % 3 == 0);
                            got_in.fetch_add(1, Relaxed);
                            drop(held);
                        });
                    }
                    Sleeper::until_all_asleep(&sleepers);
                    assert_eq!(got_in.load(Relaxed), 0);
                    assert!(lock.is_locked_exclusive());
                    drop(writer);
                });
                assert_eq!(got_in.load(Relaxed), parties);
                assert!(!lock.is_locked());
            }
        }
    });
}

#[test]
fn readers_keep_a_writer_out_until_the_last_has_left() {
    watchdog("readers_keep_a_writer_out_until_the_last_has_left", || {
        for mode in MODES {
            for parties in PARTIES {
                let (lock, leave) = (mode.lock(0), AtomicUsize::new(0));
                let (inside, written, sleeper) =
                    (AtomicUsize::new(0), AtomicBool::new(false), Sleeper::new());
                thread::scope(|s| {
                    for party in 0..parties {
                        let (lock, leave, inside) = (&lock, &leave, &inside);
                        s.spawn(move || {
                            let reader = lock.read();
                            inside.fetch_add(1, Relaxed);
                            eventually(|| leave.load(Relaxed) > party);
                            assert_eq!(*reader, 0);
                        });
                    }
                    eventually(|| inside.load(Relaxed) == parties);
                    s.spawn(|| {
                        sleeper.about_to_block();
                        *lock.write() = 1;
                        written.store(true, Relaxed);
                    });
                    sleeper.until_asleep();
                    for leaving in 0..parties {
                        assert!(!written.load(Relaxed));
                        assert!(lock.is_locked());
                        assert!(!lock.is_locked_exclusive(), "it waits");
                        leave.store(leaving + 1, Relaxed);
                    }
                });
                assert!(written.load(Relaxed));
                assert!(!lock.is_locked());
            }
        }
    });
}

#[test]
fn arc_guards_unlock_on_another_thread() {
    watchdog("arc_guards_unlock_on_another_thread", || {
        for mode in MODES {
            for kind in KINDS {
                let lock = mode.arc(1);
                let held = take(&lock, kind, Take::Lock, true);
                let other = match held {
                    Some(Held::ArcRead(guard)) => thread::spawn(move || assert_eq!(*guard, 1)),
                    Some(Held::ArcUpgradable(guard)) => {
                        thread::spawn(move || *ArcRwLockUpgradableReadGuard::upgrade(guard) = 1)
                    }
                    Some(Held::ArcWrite(mut guard)) => thread::spawn(move || *guard = 1),
                    _ => unreachable!("owning guards"),
                };
                *lock.write() += 1;
                other.join().unwrap();
                assert!(!lock.is_locked());
                assert!([1, 2].contains(&*lock.read()));
            }
        }
    });
}

#[test]
fn lock_goes_right_after_its_guard() {
    for mode in MODES {
        let lock = mode.lock(Box::new(1));
        drop(lock.read());
        drop(lock);

        for kind in KINDS {
            let lock = mode.arc(1);
            let weak = Arc::downgrade(&lock);
            let guard = match take(&lock, kind, Take::Lock, true) {
                Some(Held::ArcRead(guard)) => Held::ArcRead(guard),
                Some(Held::ArcUpgradable(guard)) => Held::ArcUpgradable(guard),
                Some(Held::ArcWrite(guard)) => Held::ArcWrite(guard),
                _ => unreachable!("owning guards"),
            };
            drop(lock);
            assert_eq!(*guard.value(), 1);
            drop(guard);
            assert!(weak.upgrade().is_none());
        }
    }
}

// --- Timed ---------------------------------------------------------------------------------------------------------

#[test]
fn zero_and_past_deadlines_try_once() {
    watchdog("zero_and_past_deadlines_try_once", || {
        for mode in MODES {
            let lock = mode.lock(0);
            let past = Instant::now();
            thread::yield_now();
            assert!(lock.try_read_until(past).is_some());
            assert!(lock.try_read_recursive_until(past).is_some());
            assert!(lock.try_upgradable_read_until(past).is_some());
            assert!(lock.try_write_until(past).is_some());
            mode.set_up(&lock);
            assert!(lock.try_read_for(Duration::ZERO).is_some());
            assert!(lock.try_upgradable_read_for(Duration::ZERO).is_some());
            assert!(lock.try_write_for(Duration::ZERO).is_some());
            mode.set_up(&lock);

            let reader = lock.read();
            assert!(lock.try_write_until(past).is_none());
            assert!(lock.try_write_for(Duration::ZERO).is_none());
            let mut upgradable = lock.upgradable_read();
            assert!(lock.try_upgradable_read_until(past).is_none());
            upgradable = upgradable.try_upgrade_until(past).expect_err("a reader is in");
            upgradable = upgradable.try_upgrade_for(Duration::ZERO).expect_err("a reader is in");
            assert_eq!(upgradable.try_with_upgraded_until(past, |_| unreachable!()), None::<()>);
            assert_eq!(upgradable.try_with_upgraded_for(Duration::ZERO, |_| unreachable!()), None::<()>);
            assert!(lock.try_read_for(Duration::ZERO).is_some(), "nothing is left behind");
            drop(reader);
            assert_eq!(upgradable.try_with_upgraded_until(past, |value| *value), Some(0));
            assert_eq!(upgradable.try_with_upgraded_for(Duration::ZERO, |value| *value), Some(0));
            let writer = upgradable.try_upgrade_until(past).expect("alone");
            assert!(lock.try_read_until(past).is_none());
            assert!(lock.try_read_recursive_for(Duration::ZERO).is_none());
            drop(writer);
        }
    });
}

#[test]
fn max_waits_for_ever() {
    watchdog("max_waits_for_ever", || {
        let nearly = [Duration::MAX - Duration::from_nanos(1), Duration::from_secs(u64::MAX / 2)];
        for timeout in [Duration::MAX, nearly[0], nearly[1]] {
            for mode in MODES {
                let lock = mode.arc(0);
                for kind in KINDS {
                    drop(take(&lock, kind, Take::For(timeout), false).expect("it is free"));
                    mode.set_up(&lock);
                    // A reader in the way of a writer, a writer in the way of the others.
                    let in_the_way = if kind == Kind::Write { Kind::Read } else { Kind::Write };
                    let sleeper = Sleeper::new();
                    thread::scope(|s| {
                        let held = take(&lock, in_the_way, Take::Lock, false);
                        s.spawn(|| {
                            sleeper.about_to_block();
                            assert!(take(&lock, kind, Take::For(timeout), true).is_some());
                        });
                        sleeper.until_asleep();
                        drop(held);
                    });
                }
                mode.set_up(&lock);
                let sleeper = Sleeper::new();
                thread::scope(|s| {
                    let reader = lock.read();
                    s.spawn(|| {
                        let mut upgradable = lock.upgradable_read();
                        sleeper.about_to_block();
                        upgradable.try_with_upgraded_for(timeout, |value| *value += 1).expect("time enough");
                        *upgradable.try_upgrade_for(timeout).expect("alone") += 1;
                    });
                    sleeper.until_asleep();
                    drop(reader);
                });
                assert_eq!(*lock.read(), 2);
            }
        }
    });
}

#[test]
fn timeout_takes_the_time_asked_for() {
    watchdog("timeout_takes_the_time_asked_for", || {
        for mode in MODES {
            let lock = mode.arc(0);
            let at_least = |body: &mut dyn FnMut()| {
                let start = Instant::now();
                body();
                assert!(start.elapsed() >= SHORT);
            };
            let reader = lock.read();
            for arc in [false, true] {
                for how in [Take::For(SHORT), Take::Until(SHORT)] {
                    at_least(&mut || assert!(take(&lock, Kind::Write, how, arc).is_none()));
                    let mut held = take(&lock, Kind::Upgradable, Take::Try, arc);
                    at_least(&mut || {
                        held = held.take().map(|held| held.upgrade(how));
                        assert!(held.as_ref().is_some_and(|held| held.kind() == Kind::Upgradable));
                    });
                    at_least(&mut || {
                        let held = held.as_mut().expect("it comes back");
                        assert_eq!(held.with_upgraded(how, |_| unreachable!()), None::<()>);
                    });
                    at_least(&mut || assert!(take(&lock, Kind::Upgradable, how, arc).is_none()));
                }
            }
            drop(reader);
            let _writer = lock.write();
            for kind in [Kind::Read, Kind::Again] {
                for how in [Take::For(SHORT), Take::Until(SHORT)] {
                    at_least(&mut || assert!(take(&lock, kind, how, false).is_none()));
                }
            }
        }
    });
}

// parking_lot#465.
#[test]
fn timed_out_writer_leaves_no_trace() {
    watchdog("timed_out_writer_leaves_no_trace", || {
        for mode in MODES {
            for arc in [false, true] {
                for how in [Take::For(BRIEF), Take::Until(BRIEF), Take::For(SHORT)] {
                    let lock = mode.arc(0);
                    let reader = lock.read();
                    assert!(take(&lock, Kind::Write, how, arc).is_none());
                    assert_eq!(open_to(&lock), [true, true, false]);
                    assert!(!lock.is_locked_exclusive());
                    drop(reader);
                    assert!(!lock.is_locked());
                    assert_eq!(open_to(&lock), [true; 3]);
                    // Whoever waits next is woken.
                    let sleeper = Sleeper::new();
                    thread::scope(|s| {
                        let reader = lock.read();
                        s.spawn(|| {
                            sleeper.about_to_block();
                            *lock.write() += 1;
                        });
                        until_a_writer_waits(&lock);
                        sleeper.until_asleep();
                        drop(reader);
                    });
                    assert_eq!(*lock.read(), 1);
                }
            }
        }
    });
}

// parking_lot#465: readers stayed asleep behind a writer that had given up.
#[test]
fn readers_held_back_by_a_writer_come_in_when_it_gives_up() {
    watchdog("readers_held_back_by_a_writer_come_in_when_it_gives_up", || {
        for mode in MODES {
            for parties in PARTIES {
                let (lock, inside, gave_up) = (mode.lock(0), AtomicUsize::new(0), AtomicBool::new(false));
                thread::scope(|s| {
                    let reader = lock.read();
                    let writer = s.spawn(|| {
                        assert!(lock.try_write_for(LONGER).is_none());
                        gave_up.store(true, Relaxed);
                    });
                    until_a_writer_waits_or(&lock, &gave_up);
                    for _ in 0..parties {
                        s.spawn(|| {
                            let _reader = lock.read();
                            inside.fetch_add(1, Relaxed);
                            eventually(|| inside.load(Relaxed) == parties);
                        });
                    }
                    writer.join().unwrap();
                    // The first reader is still in: nothing but the writer's giving up can have let the others in.
                    eventually(|| inside.load(Relaxed) == parties);
                    drop(reader);
                });
                assert!(!lock.is_locked());
                assert_eq!(open_to(&lock), [true; 3]);
            }
        }
    });
}

#[test]
fn readers_held_back_by_an_upgrade_come_in_when_it_gives_up() {
    watchdog("readers_held_back_by_an_upgrade_come_in_when_it_gives_up", || {
        for mode in MODES {
            for with in [false, true] {
                for parties in PARTIES {
                    let (lock, inside, gave_up) = (mode.arc(0), AtomicUsize::new(0), AtomicBool::new(false));
                    thread::scope(|s| {
                        let reader = lock.read();
                        let upgrading = s.spawn(|| {
                            let mut held =
                                take(&lock, Kind::Upgradable, Take::Lock, with).expect("no other is");
                            if with {
                                let result = held.with_upgraded(Take::For(LONGER), |_| unreachable!());
                                assert_eq!(result, None::<()>);
                            } else {
                                held = held.upgrade(Take::For(LONGER));
                                assert_eq!(held.kind(), Kind::Upgradable);
                            }
                            gave_up.store(true, Relaxed);
                            // Still the upgradable reader, beside the others.
                            eventually(|| inside.load(Relaxed) == parties);
                            assert_eq!(*held.value(), 0);
                        });
                        until_a_writer_waits_or(&lock, &gave_up);
                        for _ in 0..parties {
                            s.spawn(|| {
                                let _reader = lock.read();
                                inside.fetch_add(1, Relaxed);
                                eventually(|| inside.load(Relaxed) == parties);
                            });
                        }
                        upgrading.join().unwrap();
                        drop(reader);
                    });
                    assert_eq!(open_to(&lock), [true; 3]);
                }
            }
        }
    });
}

#[test]
fn queued_writer_that_gives_up_lets_readers_in() {
    // Queued behind the upgradable reader, with readers behind it.
    watchdog("queued_writer_that_gives_up_lets_readers_in", || {
        for mode in MODES {
            for parties in PARTIES {
                let (lock, inside, gave_up) = (mode.lock(0), AtomicUsize::new(0), AtomicBool::new(false));
                thread::scope(|s| {
                    let upgradable = lock.upgradable_read();
                    let writer = s.spawn(|| {
                        assert!(lock.try_write_for(LONGER).is_none());
                        gave_up.store(true, Relaxed);
                    });
                    until_a_writer_waits_or(&lock, &gave_up);
                    for _ in 0..parties {
                        s.spawn(|| {
                            let _reader = lock.read();
                            inside.fetch_add(1, Relaxed);
                            eventually(|| inside.load(Relaxed) == parties);
                        });
                    }
                    writer.join().unwrap();
                    eventually(|| inside.load(Relaxed) == parties);
                    drop(upgradable);
                });
                assert_eq!(open_to(&lock), [true; 3]);
            }
        }
    });
}

#[test]
fn timed_out_reader_behind_a_writer_leaves_the_writer_its_turn() {
    watchdog("timed_out_reader_behind_a_writer_leaves_the_writer_its_turn", || {
        for mode in MODES {
            let lock = mode.lock(0);
            thread::scope(|s| {
                let reader = lock.read();
                s.spawn(|| *lock.write() += 1);
                until_a_writer_waits(&lock);
                assert!(lock.try_read_for(BRIEF).is_none());
                assert!(lock.try_read_until(Instant::now() + BRIEF).is_none());
                assert!(lock.try_upgradable_read_for(BRIEF).is_none());
                drop(reader);
                eventually(|| lock.try_read().is_some_and(|value| *value == 1));
            });
            assert_eq!(open_to(&lock), [true; 3]);
        }
    });
}

#[test]
fn abandoned_waits_leave_nothing() {
    watchdog("abandoned_waits_leave_nothing", || {
        for held in [Kind::Read, Kind::Upgradable, Kind::Write] {
            for parties in PARTIES {
                let lock = Arc::new(RwLock::new(0));
                let guard = take(&lock, held, Take::Lock, false);
                thread::scope(|s| {
                    for party in 0..parties {
                        let lock = &lock;
                        s.spawn(move || {
                            for wait in 0..rounds(60) {
                                let timeout = Duration::from_micros(((party + wait) % 7 * 10) as u64);
                                let kind = KINDS[(party + wait) % 4];
                                drop(take(lock, kind, Take::For(timeout), false));
                            }
                        });
                    }
                });
                drop(guard);
                assert!(!lock.is_locked());
                assert_eq!(open_to(&lock), [true; 3]);
                *lock.write() += 1;
                RwLockWriteGuard::unlock_fair(lock.write());
                assert_eq!(open_to(&lock), [true; 3]);
            }
        }
    });
}

#[test]
fn timed_waiters_get_the_lock_before_their_deadline() {
    watchdog("timed_waiters_get_the_lock_before_their_deadline", || {
        for mode in MODES {
            for kind in KINDS {
                for how in [Take::For(LIMIT), Take::Until(LIMIT)] {
                    let (lock, sleeper) = (mode.arc(0), Sleeper::new());
                    thread::scope(|s| {
                        let held =
                            take(&lock, if kind == Kind::Write { Kind::Read } else { Kind::Write }, how, false);
                        s.spawn(|| {
                            sleeper.about_to_block();
                            assert!(take(&lock, kind, how, false).is_some());
                        });
                        sleeper.until_asleep();
                        drop(held);
                    });
                    assert_eq!(open_to(&lock), [true; 3]);
                }
            }
        }
    });
}

// --- The policy ----------------------------------------------------------------------------------------------------

#[test]
fn waiting_writer_stops_new_readers() {
    watchdog("waiting_writer_stops_new_readers", || {
        for mode in MODES {
            // It waits for a reader to leave, or for the upgradable reader.
            for in_the_way in [Kind::Read, Kind::Upgradable] {
                for arc in [false, true] {
                    let lock = mode.arc(0);
                    thread::scope(|s| {
                        let held = take(&lock, in_the_way, Take::Lock, false);
                        s.spawn(|| *lock.write() += 1);
                        until_a_writer_waits(&lock);
                        for kind in [Kind::Read, Kind::Upgradable] {
                            for how in [Take::Try, Take::For(BRIEF), Take::Until(BRIEF)] {
                                assert!(take(&lock, kind, how, arc).is_none(), "{mode:?} {kind:?} {how:?}");
                                let lock = &lock;
                                let other = s.spawn(move || take(lock, Kind::Read, how, false).is_none());
                                assert!(other.join().unwrap());
                            }
                        }
                        assert!(!lock.is_locked_exclusive());
                        assert_eq!(format!("{lock:?}"), "RwLock { data: <locked> }");
                        drop(held);
                        if in_the_way == Kind::Read {
                            assert_eq!(*lock.read(), 1, "before a reader that came after it");
                        }
                    });
                }
            }
        }
    });
}

#[test]
fn recursive_reads_join_although_a_writer_waits() {
    watchdog("recursive_reads_join_although_a_writer_waits", || {
        for mode in MODES {
            for in_the_way in [Kind::Read, Kind::Upgradable] {
                for arc in [false, true] {
                    let lock = mode.arc(0);
                    thread::scope(|s| {
                        let held = take(&lock, in_the_way, Take::Lock, arc);
                        s.spawn(|| *lock.write() += 1);
                        until_a_writer_waits(&lock);
                        let mut nested = Vec::new();
                        for how in [Take::Lock, Take::Try, Take::For(BRIEF), Take::Until(BRIEF)] {
                            nested.push(take(&lock, Kind::Again, how, arc).expect("it joins"));
                        }
                        s.spawn(|| assert_eq!(*lock.read_recursive(), 0)).join().unwrap();
                        assert!(lock.try_read().is_none(), "it still waits");
                        drop(held);
                        assert!(nested.iter().all(|held| *held.value() == 0), "and waits for these, too");
                        drop(nested);
                        eventually(|| lock.try_read().is_some_and(|value| *value == 1));
                    });
                }
            }
        }
    });
}

#[test]
fn waiting_upgrade_stops_new_readers() {
    watchdog("waiting_upgrade_stops_new_readers", || {
        for mode in MODES {
            let lock = mode.lock(0);
            thread::scope(|s| {
                let reader = lock.read();
                s.spawn(|| *lock.upgradable_read().upgrade() += 1);
                until_a_writer_waits(&lock);
                assert!(lock.try_read_for(BRIEF).is_none());
                assert!(lock.try_write_for(BRIEF).is_none());
                assert_eq!(lock.try_read_recursive().map(|value| *value), Some(0));
                drop(reader);
                assert_eq!(*lock.read(), 1);
            });
        }
    });
}

#[test]
fn waiting_upgradable_reader_does_not_stop_readers() {
    watchdog("waiting_upgradable_reader_does_not_stop_readers", || {
        for mode in MODES {
            let (lock, sleeper, got_in) = (mode.lock(0), Sleeper::new(), AtomicBool::new(false));
            thread::scope(|s| {
                let upgradable = lock.upgradable_read();
                s.spawn(|| {
                    sleeper.about_to_block();
                    drop(lock.upgradable_read());
                    got_in.store(true, Relaxed);
                });
                sleeper.until_asleep();
                for _ in 0..20 {
                    assert!(lock.try_read().is_some());
                    drop((lock.read(), lock.read()));
                }
                s.spawn(|| drop(lock.read())).join().unwrap();
                assert!(!got_in.load(Relaxed));
                let reader = lock.read();
                drop(upgradable);
                eventually(|| got_in.load(Relaxed));
                drop(reader);
            });
        }
    });
}

#[test]
fn readers_behind_a_waiting_upgradable_reader_come_in_with_it() {
    watchdog("readers_behind_a_waiting_upgradable_reader_come_in_with_it", || {
        for mode in MODES {
            for parties in PARTIES {
                let (lock, inside) = (mode.arc(0), AtomicUsize::new(0));
                let sleepers = Sleeper::several(parties + 1);
                thread::scope(|s| {
                    let writer = lock.write();
                    for (number, sleeper) in sleepers.iter().enumerate() {
                        let (lock, inside) = (&lock, &inside);
                        s.spawn(move || {
                            let kind = if number == parties / 2 { Kind::Upgradable } else { Kind::Read };
                            sleeper.about_to_block();
                            let _held = take(lock, kind, Take::Lock, false);
                            inside.fetch_add(1, Relaxed);
                            eventually(|| inside.load(Relaxed) == parties + 1);
                        });
                        sleeper.until_asleep();
                    }
                    drop(writer);
                });
                assert!(!lock.is_locked());
            }
        }
    });
}

/// Ends a write in one of the ways there are.
fn end_write(lock: &Arc<RwLock<usize>>, writer: RwLockWriteGuard<'_, usize>, way: usize) {
    match way % 6 {
        0 => drop(writer),
        1 => RwLockWriteGuard::unlock_fair(writer),
        2 => drop(RwLockWriteGuard::downgrade(writer)),
        3 => drop(RwLockWriteGuard::downgrade_to_upgradable(writer)),
        4 => {
            mem::forget(writer);
            unsafe { lock.force_unlock_write() };
        }
        _ => {
            mem::forget(writer);
            unsafe { lock.force_unlock_write_fair() };
        }
    }
}

#[test]
fn readers_that_queued_before_the_next_writer_go_in_together() {
    watchdog("readers_that_queued_before_the_next_writer_go_in_together", || {
        for mode in MODES {
            for parties in PARTIES {
                for way in 0..6 {
                    let (lock, inside) = (mode.arc(0), AtomicUsize::new(0));
                    let (sleepers, last) = (Sleeper::several(parties), Sleeper::new());
                    thread::scope(|s| {
                        let writer = lock.write();
                        for sleeper in &sleepers {
                            s.spawn(|| {
                                sleeper.about_to_block();
                                let reader = lock.read();
                                inside.fetch_add(1, Relaxed);
                                // In together, or this never ends.
                                eventually(|| inside.load(Relaxed) == parties);
                                assert!(!Sleeper::SURE || *reader == 0, "before the next writer");
                            });
                        }
                        Sleeper::until_all_asleep(&sleepers);
                        s.spawn(|| {
                            last.about_to_block();
                            *lock.write() = 1;
                        });
                        last.until_asleep();
                        end_write(&lock, writer, way);
                    });
                    assert_eq!(*lock.read(), 1);
                }
            }
        }
    });
}

#[test]
fn writer_that_comes_while_readers_go_in_waits_for_all_of_them() {
    // Those readers were there before it.
    watchdog("writer_that_comes_while_readers_go_in_waits_for_all_of_them", || {
        const READERS: usize = if cfg!(miri) { 4 } else { 12 };
        for mode in MODES {
            for _ in 0..rounds(10) {
                let (lock, inside) = (mode.lock(0), AtomicUsize::new(0));
                let sleepers = Sleeper::several(READERS);
                thread::scope(|s| {
                    let writer = lock.write();
                    for sleeper in &sleepers {
                        s.spawn(|| {
                            sleeper.about_to_block();
                            let _reader = lock.read();
                            inside.fetch_add(1, Relaxed);
                            eventually(|| inside.load(Relaxed) == READERS);
                        });
                    }
                    Sleeper::until_all_asleep(&sleepers);
                    drop(writer);
                    eventually(|| inside.load(Relaxed) > 0);
                    *lock.write() = 1;
                    assert_eq!(inside.load(Relaxed), READERS);
                });
            }
        }
    });
}

#[test]
fn recursive_read_that_queued_behind_a_writer_joins_when_readers_may() {
    watchdog("recursive_read_that_queued_behind_a_writer_joins_when_readers_may", || {
        for to_upgradable in [false, true] {
            let (lock, sleepers) = (RwLock::new(0), [Sleeper::new(), Sleeper::new()]);
            let joined = AtomicBool::new(false);
            thread::scope(|s| {
                let writer = lock.write();
                s.spawn(|| {
                    sleepers[0].about_to_block();
                    *lock.write() += 1;
                });
                sleepers[0].until_asleep();
                s.spawn(|| {
                    sleepers[1].about_to_block();
                    assert!(!Sleeper::SURE || *lock.read_recursive() == 0);
                    joined.store(true, Relaxed);
                });
                sleepers[1].until_asleep();
                if to_upgradable {
                    let upgradable = RwLockWriteGuard::downgrade_to_upgradable(writer);
                    eventually(|| joined.load(Relaxed));
                    drop(upgradable);
                } else {
                    let reader = RwLockWriteGuard::downgrade(writer);
                    eventually(|| joined.load(Relaxed));
                    drop(reader);
                }
            });
        }
    });
}

/// Keeps the thread busy for `time`.
fn spin_for(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

#[test]
fn overlapping_readers_do_not_starve_writers() {
    watchdog("overlapping_readers_do_not_starve_writers", || {
        for mode in MODES {
            for upgradable in [false, true] {
                let (lock, done) = (mode.arc([0; 2]), AtomicBool::new(false));
                let turns = rounds(25);
                thread::scope(|s| {
                    for reader in 0..3 {
                        let (lock, done) = (&lock, &done);
                        s.spawn(move || {
                            // Three at a time, each of which comes back at once: the lock is hardly ever free.
                            while !done.load(Relaxed) {
                                let kind = if upgradable && reader == 0 { Kind::Upgradable } else { Kind::Read };
                                let held = take(lock, kind, Take::Lock, false).expect("it waits");
                                spin_for(Duration::from_micros(100));
                                let [one, other] = *held.value();
                                assert_eq!(one, other);
                            }
                        });
                    }
                    let writers: Vec<_> = (0..2)
                        .map(|_| {
                            s.spawn(|| {
                                for _ in 0..turns {
                                    let mut pair = lock.write();
                                    pair[0] += 1;
                                    pair[1] += 1;
                                }
                            })
                        })
                        .collect();
                    for writer in writers {
                        writer.join().unwrap();
                    }
                    done.store(true, Relaxed);
                });
                assert_eq!(*lock.read(), [2 * turns; 2]);
            }
        }
    });
}

#[test]
fn streams_of_writers_do_not_starve_readers() {
    watchdog("streams_of_writers_do_not_starve_readers", || {
        for kind in [Kind::Read, Kind::Again, Kind::Upgradable] {
            let (lock, done) = (Arc::new(RwLock::new([0; 2])), AtomicBool::new(false));
            thread::scope(|s| {
                for _ in 0..2 {
                    s.spawn(|| {
                        while !done.load(Relaxed) {
                            let mut pair = lock.write();
                            pair[0] += 1;
                            spin_for(Duration::from_micros(200));
                            pair[1] += 1;
                        }
                    });
                }
                for _ in 0..rounds(20) {
                    let held = take(&lock, kind, Take::Lock, false).expect("it waits");
                    let [one, other] = *held.value();
                    assert_eq!(one, other);
                }
                done.store(true, Relaxed);
            });
        }
    });
}

#[test]
fn waiter_is_passed_over_a_few_times_only() {
    if !Sleeper::SURE {
        return;
    }
    watchdog("waiter_is_passed_over_a_few_times_only", || {
        for kind in KINDS {
            for _ in 0..rounds(10) {
                let (lock, sleeper) = (Arc::new(RwLock::new(())), Sleeper::new());
                let came = AtomicBool::new(false);
                thread::scope(|s| {
                    let mut writer = lock.write();
                    s.spawn(|| {
                        sleeper.about_to_block();
                        let held = take(&lock, kind, Take::Lock, false);
                        came.store(true, Relaxed);
                        drop(held);
                    });
                    let (mut naps, mut passed_over) = (sleeper.until_asleep(), 0);
                    loop {
                        drop(writer);
                        writer = match lock.try_write() {
                            Some(guard) if !came.load(Relaxed) => guard,
                            _ => break,
                        };
                        naps = sleeper.until_asleep_again(naps);
                        passed_over += 1;
                        assert!(passed_over < 10, "{kind:?}: nothing is done for it");
                    }
                });
            }
        }
    });
}

#[test]
fn fair_unlock_hands_over() {
    if !Sleeper::SURE {
        return;
    }
    watchdog("fair_unlock_hands_over", || {
        for mode in MODES {
            for kind in KINDS {
                for bump in [false, true] {
                    let (lock, sleeper) = (mode.arc(0), Sleeper::new());
                    let (came, leave) = (AtomicBool::new(false), AtomicBool::new(false));
                    thread::scope(|s| {
                        let mut writer = lock.write();
                        s.spawn(|| {
                            sleeper.about_to_block();
                            let held = take(&lock, kind, Take::Lock, false);
                            came.store(true, Relaxed);
                            eventually(|| leave.load(Relaxed));
                            drop(held);
                        });
                        sleeper.until_asleep();
                        if bump {
                            leave.store(true, Relaxed);
                            RwLockWriteGuard::bump(&mut writer);
                            assert!(came.load(Relaxed), "{kind:?}");
                            return;
                        }
                        RwLockWriteGuard::unlock_fair(writer);
                        // In already, whether awake or not.
                        assert!(lock.is_locked(), "{kind:?}");
                        assert!(lock.try_write().is_none(), "{kind:?}");
                        assert_eq!(lock.is_locked_exclusive(), kind == Kind::Write);
                        leave.store(true, Relaxed);
                    });
                    assert!(!lock.is_locked());
                }
            }
        }
    });
}

#[test]
fn bump_of_a_reader_lets_the_writer_have_its_turn() {
    watchdog("bump_of_a_reader_lets_the_writer_have_its_turn", || {
        for mode in MODES {
            for (kind, arc) in [(Kind::Read, false), (Kind::Read, true), (Kind::Upgradable, false)] {
                let (lock, sleeper) = (mode.arc(0), Sleeper::new());
                thread::scope(|s| {
                    let mut held = take(&lock, kind, Take::Lock, arc).expect("it is free");
                    s.spawn(|| {
                        sleeper.about_to_block();
                        *lock.write() += 1;
                    });
                    until_a_writer_waits(&lock);
                    sleeper.until_asleep();
                    eventually(|| {
                        held.bump();
                        *held.value() == 1
                    });
                });
            }
        }
    });
}
