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
    Counted, Drops, LIMIT, Sleeper, allocations_during, cases, either, eventually, parties, repeat, rounds,
    shown, watchdog,
};

/// Long enough to be measured, short enough to be waited for.
const SHORT: Duration = Duration::from_millis(15);
/// Long enough for others to queue behind who waits so long, on a machine that is not too busy.
const LONGER: Duration = Duration::from_millis(30);
/// Hardly longer than it takes to queue.
const BRIEF: Duration = Duration::from_micros(50);

/// How the first readers are in: below the number of reads in a row from which on they sit, and well above it.
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

    fn arc<T: Debug + Send + Sync + 'static>(self, value: T) -> Arc<RwLock<T>> {
        shown(self.lock(value))
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
    for mode in cases(MODES) {
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
    for mode in cases(MODES) {
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
    type Out = fn(Held<'_, usize>);
    let outs: [(&str, Out); 10] = [
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
    for mode in cases(MODES) {
        let (lock, mut written) = (mode.arc(0), 0);
        for kind in cases(KINDS) {
            for how in [Take::Lock, Take::Try, Take::For(SHORT), Take::Until(SHORT)] {
                for arc in either("arc ") {
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
    watchdog(|| {
        for mode in cases(MODES) {
            for parties in parties() {
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
    watchdog(|| {
        for mode in cases(MODES) {
            for parties in parties() {
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
    watchdog(|| {
        for mode in cases(MODES) {
            for parties in parties() {
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
    watchdog(|| {
        for mode in cases(MODES) {
            for kind in cases(KINDS) {
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
    for mode in cases(MODES) {
        let lock = mode.lock(Box::new(1));
        drop(lock.read());
        drop(lock);

        for kind in cases(KINDS) {
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
    watchdog(|| {
        for mode in cases(MODES) {
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
    watchdog(|| {
        let nearly = [Duration::MAX - Duration::from_nanos(1), Duration::from_secs(u64::MAX / 2)];
        for timeout in [Duration::MAX, nearly[0], nearly[1]] {
            for mode in cases(MODES) {
                let lock = mode.arc(0);
                for kind in cases(KINDS) {
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
    watchdog(|| {
        for mode in cases(MODES) {
            let lock = mode.arc(0);
            let at_least = |body: &mut dyn FnMut()| {
                let start = Instant::now();
                body();
                assert!(start.elapsed() >= SHORT);
            };
            let reader = lock.read();
            for arc in either("arc ") {
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
    watchdog(|| {
        for mode in cases(MODES) {
            for arc in either("arc ") {
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
    watchdog(|| {
        for mode in cases(MODES) {
            for parties in parties() {
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
    watchdog(|| {
        for mode in cases(MODES) {
            for with in either("with ") {
                for parties in parties() {
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
    watchdog(|| {
        for mode in cases(MODES) {
            for parties in parties() {
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
    watchdog(|| {
        for mode in cases(MODES) {
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
    watchdog(|| {
        for held in [Kind::Read, Kind::Upgradable, Kind::Write] {
            for parties in parties() {
                let lock = shown(RwLock::new(0));
                let guard = take(&lock, held, Take::Lock, false);
                thread::scope(|s| {
                    for party in 0..parties {
                        let lock = &lock;
                        s.spawn(move || {
                            for wait in repeat(60) {
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
    watchdog(|| {
        for mode in cases(MODES) {
            for kind in cases(KINDS) {
                for how in [Take::For(LIMIT), Take::Until(LIMIT)] {
                    let (lock, sleeper) = (mode.arc(0), Sleeper::new());
                    thread::scope(|s| {
                        let held = take(
                            &lock,
                            if kind == Kind::Write { Kind::Read } else { Kind::Write },
                            how,
                            false,
                        );
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
    watchdog(|| {
        for mode in cases(MODES) {
            // It waits for a reader to leave, or for the upgradable reader.
            for in_the_way in [Kind::Read, Kind::Upgradable] {
                for arc in either("arc ") {
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
    watchdog(|| {
        for mode in cases(MODES) {
            for in_the_way in [Kind::Read, Kind::Upgradable] {
                for arc in either("arc ") {
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
    watchdog(|| {
        for mode in cases(MODES) {
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
    watchdog(|| {
        for mode in cases(MODES) {
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
    watchdog(|| {
        for mode in cases(MODES) {
            for parties in parties() {
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
    watchdog(|| {
        for mode in cases(MODES) {
            for parties in parties() {
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
    watchdog(|| {
        const READERS: usize = if cfg!(miri) { 4 } else { 12 };
        for mode in cases(MODES) {
            for _ in repeat(10) {
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
    watchdog(|| {
        for to_upgradable in either("to_upgradable ") {
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

#[test]
fn failed_try_write_holds_no_reader_back() {
    watchdog(|| {
        for mode in cases(MODES) {
            for upgrade in either("upgrade ") {
                let (lock, done) = (mode.lock(0), AtomicBool::new(false));
                let reader = lock.read();
                thread::scope(|s| {
                    s.spawn(|| {
                        while !done.load(Relaxed) {
                            if upgrade {
                                assert!(lock.upgradable_read().try_upgrade().is_err());
                            } else {
                                assert!(lock.try_write().is_none());
                            }
                        }
                    });
                    let start = Instant::now();
                    let disturbed = loop {
                        if lock.try_read().is_none() {
                            break true;
                        }
                        if start.elapsed() > Duration::from_millis(100) {
                            break false;
                        }
                    };
                    done.store(true, Relaxed);
                    assert!(!disturbed, "{mode:?}: nobody writes or waits to");
                });
                assert_eq!(*reader, 0);
            }
        }
    });
}

#[test]
fn downgrade_beside_too_many_readers_loses_none_of_them() {
    if cfg!(miri) {
        return;
    }
    watchdog(|| {
        let lock = RwLock::new(0);
        let first = lock.read();
        // The last of these sits.
        (0..32).for_each(|_| drop(lock.read()));
        let seated = lock.read();
        // As many as there may be, whatever that is.
        while !unwinds(|| mem::forget(lock.read())) {}
        let upgradable = lock.upgradable_read();
        let one_more = catch_unwind(AssertUnwindSafe(|| RwLockUpgradableReadGuard::downgrade(upgradable)));
        drop(seated);
        assert!(lock.try_write().is_none(), "a writer beside readers");
        assert!(one_more.is_err());
        assert!(lock.try_upgradable_read().is_some(), "the guard is gone");
        assert_eq!(*first, 0);
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
    watchdog(|| {
        for mode in cases(MODES) {
            for upgradable in either("upgradable ") {
                let (lock, done) = (mode.arc([0; 2]), AtomicBool::new(false));
                let turns = rounds(25);
                thread::scope(|s| {
                    for reader in 0..3 {
                        let (lock, done) = (&lock, &done);
                        s.spawn(move || {
                            // Three at a time, each of which comes back at once: the lock is hardly ever free.
                            while !done.load(Relaxed) {
                                let kind =
                                    if upgradable && reader == 0 { Kind::Upgradable } else { Kind::Read };
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
    watchdog(|| {
        for kind in [Kind::Read, Kind::Again, Kind::Upgradable] {
            let (lock, done) = (shown(RwLock::new([0; 2])), AtomicBool::new(false));
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
                for _ in repeat(20) {
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
    watchdog(|| {
        for kind in cases(KINDS) {
            for _ in repeat(10) {
                let (lock, sleeper) = (shown(RwLock::new(())), Sleeper::new());
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
                    let asleep = Instant::now();
                    loop {
                        drop(writer);
                        writer = match lock.try_write() {
                            Some(guard) if !came.load(Relaxed) => guard,
                            _ => break,
                        };
                        naps = sleeper.until_asleep_again(naps);
                        // Half a millisecond at the head of the queue is what it takes.
                        passed_over += u32::from(asleep.elapsed() > Duration::from_millis(2));
                        assert!(passed_over < 4, "{kind:?}: nothing is done for it");
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
    watchdog(|| {
        for mode in cases(MODES) {
            for kind in cases(KINDS) {
                for bump in either("bump ") {
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
    watchdog(|| {
        for mode in cases(MODES) {
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

// --- From one capacity to another ----------------------------------------------------------------------------------

#[test]
fn upgrade_waits_for_the_other_readers() {
    watchdog(|| {
        for mode in cases(MODES) {
            for how in [Take::Lock, Take::For(LIMIT), Take::Until(LIMIT)] {
                for (arc, with) in [(false, false), (true, false), (false, true), (true, true)] {
                    let (lock, left) = (mode.arc(0), AtomicBool::new(false));
                    thread::scope(|s| {
                        let reader = lock.read();
                        s.spawn(|| {
                            let mut held =
                                take(&lock, Kind::Upgradable, Take::Lock, arc).expect("no other is");
                            if with {
                                let result = held.with_upgraded(how, |value| {
                                    assert!(left.load(Relaxed) && lock.is_locked_exclusive());
                                    *value += 1;
                                    *value
                                });
                                assert_eq!(result, Some(1));
                                assert_eq!(held.kind(), Kind::Upgradable);
                                assert!(!lock.is_locked_exclusive());
                            } else {
                                held = held.upgrade(how);
                                assert!(left.load(Relaxed) && lock.is_locked_exclusive());
                                *held.value_mut().expect("upgraded") += 1;
                            }
                        });
                        until_a_writer_waits(&lock);
                        assert_eq!(*reader, 0);
                        left.store(true, Relaxed);
                        drop(reader);
                    });
                    assert_eq!(*lock.read(), 1);
                    assert!(!lock.is_locked());
                }
            }
        }
    });
}

#[test]
fn try_upgrade_gives_the_guard_back() {
    for mode in cases(MODES) {
        for arc in either("arc ") {
            let lock = mode.arc(0);
            let reader = lock.read();
            let mut held = take(&lock, Kind::Upgradable, Take::Try, arc).expect("beside a reader");
            for how in [Take::Try, Take::For(BRIEF), Take::Until(BRIEF)] {
                held = held.upgrade(how);
                assert_eq!(held.kind(), Kind::Upgradable);
                assert_eq!(held.with_upgraded(how, |_| unreachable!()), None::<()>);
                assert_eq!((*held.value(), *reader), (0, 0));
                assert_eq!(open_to(&lock), [true, false, false]);
                assert!(!lock.is_locked_exclusive());
            }
            drop(reader);
            assert_eq!(held.with_upgraded(Take::Try, |value| mem::replace(value, 5)), Some(0));
            assert_eq!(open_to(&lock), [true, false, false], "the upgradable reader again");
            held = held.upgrade(Take::Try);
            assert_eq!(held.kind(), Kind::Write);
            assert_eq!(open_to(&lock), [false; 3]);
            drop(held);
            assert_eq!(open_to(&lock), [true; 3]);
            assert_eq!(*lock.read(), 5);
        }
    }
}

#[test]
fn no_writer_comes_between_the_look_and_the_change() {
    // Each writes what it has read, plus one; a waiting writer spoils what it can.
    watchdog(|| {
        for mode in cases(MODES) {
            for parties in parties() {
                let (lock, turns) = (mode.lock(0), rounds(100));
                thread::scope(|s| {
                    for party in 0..parties {
                        let lock = &lock;
                        s.spawn(move || {
                            for turn in 0..turns {
                                match (party + turn) % 3 {
                                    0 => {
                                        let guard = lock.upgradable_read();
                                        let seen = *guard;
                                        *RwLockUpgradableReadGuard::upgrade(guard) = seen + 1;
                                    }
                                    1 => {
                                        let mut guard = lock.upgradable_read();
                                        let seen = *guard;
                                        guard.with_upgraded(|value| *value = seen + 1);
                                        assert_eq!(*guard, seen + 1);
                                    }
                                    _ => {
                                        let mut guard = lock.write();
                                        *guard += 1;
                                        let seen = *guard;
                                        assert_eq!(*RwLockWriteGuard::downgrade(guard), seen);
                                    }
                                }
                            }
                        });
                    }
                });
                assert_eq!(lock.into_inner(), parties * turns);
            }
        }
    });
}

#[test]
fn downgrades_let_readers_in() {
    watchdog(|| {
        for parties in parties() {
            for (arc, to_upgradable) in [(false, false), (true, false), (false, true), (true, true)] {
                let (lock, inside) = (shown(RwLock::new(0)), AtomicUsize::new(0));
                let sleepers = Sleeper::several(parties);
                thread::scope(|s| {
                    let mut held = take(&lock, Kind::Write, Take::Lock, arc).expect("it is free");
                    for sleeper in &sleepers {
                        s.spawn(|| {
                            sleeper.about_to_block();
                            assert_eq!(*lock.read(), 1);
                            inside.fetch_add(1, Relaxed);
                        });
                    }
                    Sleeper::until_all_asleep(&sleepers);
                    *held.value_mut().expect("a writer") = 1;
                    held = if to_upgradable { held.downgrade_to_upgradable() } else { held.downgrade() };
                    eventually(|| inside.load(Relaxed) == parties);
                    assert_eq!(*held.value(), 1);
                    assert_eq!(open_to(&lock), [true, !to_upgradable, false]);
                    held = held.downgrade();
                    assert_eq!(open_to(&lock), [true, true, false]);
                    drop(held);
                });
                assert_eq!(open_to(&lock), [true; 3]);
            }
        }
    });
}

#[test]
fn downgrade_of_the_upgradable_reader_lets_the_next_be_it() {
    watchdog(|| {
        for mode in cases(MODES) {
            for arc in either("arc ") {
                let (lock, sleeper, came) = (mode.arc(0), Sleeper::new(), AtomicBool::new(false));
                thread::scope(|s| {
                    let held = take(&lock, Kind::Upgradable, Take::Lock, arc).expect("it is free");
                    s.spawn(|| {
                        sleeper.about_to_block();
                        let _held = lock.upgradable_read();
                        came.store(true, Relaxed);
                    });
                    sleeper.until_asleep();
                    let reader = held.downgrade();
                    eventually(|| came.load(Relaxed));
                    assert_eq!(*reader.value(), 0);
                });
            }
        }
    });
}

#[test]
fn downgrade_lets_no_writer_in_between() {
    watchdog(|| {
        for mode in cases(MODES) {
            for to_upgradable in either("to_upgradable ") {
                for _ in repeat(20) {
                    let (lock, sleeper) = (mode.arc(0), Sleeper::new());
                    thread::scope(|s| {
                        let mut writer = lock.write();
                        s.spawn(|| {
                            sleeper.about_to_block();
                            *lock.write() = 2;
                        });
                        sleeper.until_asleep();
                        *writer = 1;
                        let mut held = Held::Write(writer);
                        held = if to_upgradable { held.downgrade_to_upgradable() } else { held.downgrade() };
                        (0..10).for_each(|_| thread::yield_now());
                        assert_eq!(*held.value(), 1);
                    });
                    assert_eq!(*lock.read(), 2);
                }
            }
        }
    });
}

// --- Panics --------------------------------------------------------------------------------------------------------

#[test]
fn panic_with_a_guard_releases_and_does_not_poison() {
    watchdog(|| {
        for mode in cases(MODES) {
            for kind in cases(KINDS) {
                for arc in either("arc ") {
                    for mapped in either("mapped ") {
                        let lock = mode.arc(0);
                        let (inside, sleeper) = (AtomicBool::new(false), Sleeper::new());
                        thread::scope(|s| {
                            s.spawn(|| {
                                assert!(unwinds(|| {
                                    let mut held = take(&lock, kind, Take::Lock, arc).expect("it is free");
                                    if mapped {
                                        held = held.map();
                                    }
                                    if let Some(value) = held.value_mut() {
                                        *value = 1;
                                    }
                                    inside.store(true, Relaxed);
                                    sleeper.until_asleep();
                                    unwind();
                                }));
                            });
                            eventually(|| inside.load(Relaxed));
                            sleeper.about_to_block();
                            let writer = lock.write();
                            assert_eq!(*writer, usize::from(kind == Kind::Write), "as it was left");
                        });
                        assert!(!lock.is_locked());
                        assert_eq!(open_to(&lock), [true; 3]);
                    }
                }
            }
        }
    });
}

#[test]
fn panic_while_mapping_releases() {
    for mode in cases(MODES) {
        let lock = mode.lock((1, 2));
        assert!(unwinds(|| drop(RwLockReadGuard::map::<i32, _>(lock.read(), |_| unwind()))));
        assert!(!lock.is_locked());
        assert!(unwinds(|| {
            let first = RwLockReadGuard::map(lock.read(), |pair| &pair.0);
            drop(MappedRwLockReadGuard::try_map::<i32, _>(first, |_| unwind()));
        }));
        assert!(!lock.is_locked());
        assert!(unwinds(|| drop(RwLockWriteGuard::map::<i32, _>(lock.write(), |_| unwind()))));
        assert!(!lock.is_locked());
        assert!(unwinds(|| {
            let first = RwLockWriteGuard::map(lock.write(), |pair| &mut pair.0);
            drop(MappedRwLockWriteGuard::try_map::<i32, _>(first, |_| unwind()));
        }));
        assert!(!lock.is_locked());
        assert_eq!(open_to(&lock), [true; 3]);
    }
}

#[test]
fn panic_while_upgraded_makes_the_upgradable_reader_again() {
    for mode in cases(MODES) {
        for arc in either("arc ") {
            let lock = mode.arc(0);
            let mut held = take(&lock, Kind::Upgradable, Take::Lock, arc).expect("it is free");
            for (number, how) in
                [Take::Lock, Take::Try, Take::For(SHORT), Take::Until(SHORT)].into_iter().enumerate()
            {
                assert!(unwinds(|| {
                    held.with_upgraded(how, |value| {
                        *value += 1;
                        unwind();
                    });
                }));
                assert!(lock.is_locked() && !lock.is_locked_exclusive());
                assert_eq!(open_to(&lock), [true, false, false]);
                assert_eq!(*held.value(), number + 1);
            }
            drop(held);
            assert_eq!(open_to(&lock), [true; 3]);
        }
    }
}

#[test]
fn panic_while_upgraded_lets_waiting_readers_in() {
    watchdog(|| {
        for parties in parties() {
            let (lock, inside) = (RwLock::new(0), AtomicUsize::new(0));
            let sleepers = Sleeper::several(parties);
            thread::scope(|s| {
                let mut guard = lock.upgradable_read();
                assert!(unwinds(|| guard.with_upgraded(|value| {
                    for sleeper in &sleepers {
                        let (lock, inside) = (&lock, &inside);
                        s.spawn(move || {
                            sleeper.about_to_block();
                            assert_eq!(*lock.read(), 1);
                            inside.fetch_add(1, Relaxed);
                        });
                    }
                    Sleeper::until_all_asleep(&sleepers);
                    *value = 1;
                    unwind();
                })));
                eventually(|| inside.load(Relaxed) == parties);
            });
        }
    });
}

// --- Unlocking for a while -----------------------------------------------------------------------------------------

#[test]
fn unlocked_unlocks_and_locks_again_in_the_same_way() {
    for mode in cases(MODES) {
        for kind in cases(KINDS) {
            for arc in either("arc ") {
                for fair in either("fair ") {
                    let lock = mode.arc(0);
                    let mut held = take(&lock, kind, Take::Lock, arc).expect("it is free");
                    let before = open_to(&lock);
                    assert!(held.unlocked(fair, || {
                        assert!(!lock.is_locked());
                        *lock.try_write().expect("unlocked") += 1;
                    }));
                    assert_eq!(open_to(&lock), before);
                    assert_eq!(*held.value(), 1);
                    assert!(unwinds(|| {
                        held.unlocked(fair, || {
                            *lock.try_write().expect("unlocked") += 1;
                            unwind();
                        });
                    }));
                    assert_eq!(open_to(&lock), before);
                    assert_eq!(lock.is_locked_exclusive(), kind == Kind::Write);
                    assert_eq!(*held.value(), 2);
                    held.bump();
                    assert_eq!(open_to(&lock), before);
                    drop(held);
                    assert_eq!(open_to(&lock), [true; 3]);
                }
            }
        }
    }
}

#[test]
fn unlocked_waits_for_the_lock_before_it_returns() {
    watchdog(|| {
        for mode in cases(MODES) {
            for kind in cases(KINDS) {
                for _ in repeat(20) {
                    let (lock, taken) = (mode.arc(0), AtomicBool::new(false));
                    thread::scope(|s| {
                        let mut held = take(&lock, kind, Take::Lock, false).expect("it is free");
                        s.spawn(|| {
                            let mut writer = lock.write();
                            taken.store(true, Relaxed);
                            thread::yield_now();
                            *writer = 1;
                        });
                        held.unlocked(false, || eventually(|| taken.load(Relaxed)));
                        assert_eq!(*held.value(), 1);
                    });
                }
            }
        }
    });
}

// --- Guards of parts, and what else guards give --------------------------------------------------------------------

#[test]
fn map_narrows_and_unlocks_once() {
    for mode in cases(MODES) {
        let lock = mode.lock(((1, 2), "three"));
        let pair = RwLockReadGuard::map(lock.read(), |all| &all.0);
        let second = MappedRwLockReadGuard::map(pair, |pair| &pair.1);
        assert_eq!(*second, 2);
        assert_eq!(open_to(&lock), [true, true, false]);
        let other = lock.read();
        drop(second);
        assert!(lock.is_locked(), "by the other");
        drop(other);
        assert!(!lock.is_locked());

        let pair = RwLockWriteGuard::map(lock.write(), |all| &mut all.0);
        let mut second = MappedRwLockWriteGuard::map(pair, |pair| &mut pair.1);
        *second = 4;
        assert_eq!(open_to(&lock), [false; 3]);
        assert!(lock.is_locked_exclusive());
        drop(second);
        assert!(!lock.is_locked());
        assert_eq!(lock.into_inner(), ((1, 4), "three"));
    }
}

#[test]
fn try_map_gives_the_guard_back() {
    for mode in cases(MODES) {
        let lock = mode.lock(vec![1, 2]);
        let guard = RwLockReadGuard::try_map(lock.read(), |list| list.get(9)).expect_err("no tenth");
        assert!(lock.is_locked());
        let (guard, error) =
            RwLockReadGuard::try_map_or_err(guard, |list| list.get(9).ok_or("no tenth")).expect_err("still");
        assert_eq!((guard.len(), error), (2, "no tenth"));
        let list =
            RwLockReadGuard::try_map_or_err(guard, |list| Ok::<_, ()>(list.as_slice())).expect("it is");
        let list = MappedRwLockReadGuard::try_map(list, |list| list.get(9)).expect_err("no tenth");
        let first = MappedRwLockReadGuard::try_map(list, |list| list.first()).expect("a first");
        assert_eq!(*first, 1);
        drop(first);
        assert!(!lock.is_locked());

        let guard = RwLockWriteGuard::try_map(lock.write(), |list| list.get_mut(9)).expect_err("no tenth");
        assert!(lock.is_locked_exclusive());
        let (guard, error) =
            RwLockWriteGuard::try_map_or_err(guard, |list| list.get_mut(9).ok_or(9)).expect_err("still");
        assert_eq!((guard.len(), error), (2, 9));
        let list =
            RwLockWriteGuard::try_map_or_err(guard, |list| Ok::<_, ()>(list.as_mut_slice())).expect("it is");
        let list = MappedRwLockWriteGuard::try_map(list, |list| list.get_mut(9)).expect_err("no tenth");
        let mut last = MappedRwLockWriteGuard::try_map(list, |list| list.last_mut()).expect("a last");
        *last = 3;
        drop(last);
        assert!(!lock.is_locked());
        assert_eq!(lock.into_inner(), [1, 3]);
    }
}

#[test]
fn guards_know_their_lock() {
    for mode in cases(MODES) {
        let lock = mode.arc(0);
        assert!(ptr::eq(RwLockReadGuard::rwlock(&lock.read()), &raw const *lock));
        assert!(ptr::eq(RwLockUpgradableReadGuard::rwlock(&lock.upgradable_read()), &raw const *lock));
        assert!(ptr::eq(RwLockWriteGuard::rwlock(&lock.write()), &raw const *lock));
        mode.set_up(&lock);
        type Lock = Arc<RwLock<i32>>;
        let backs: [fn(&Lock) -> Lock; 3] = [
            |lock| {
                let guard = lock.read_arc();
                assert!(Arc::ptr_eq(ArcRwLockReadGuard::rwlock(&guard), lock));
                ArcRwLockReadGuard::into_arc(guard)
            },
            |lock| {
                let guard = lock.upgradable_read_arc();
                assert!(Arc::ptr_eq(ArcRwLockUpgradableReadGuard::rwlock(&guard), lock));
                ArcRwLockUpgradableReadGuard::into_arc(guard)
            },
            |lock| {
                let guard = lock.write_arc();
                assert!(Arc::ptr_eq(ArcRwLockWriteGuard::rwlock(&guard), lock));
                ArcRwLockWriteGuard::into_arc(guard)
            },
        ];
        for back in backs {
            let back = back(&lock);
            assert!(!lock.is_locked());
            assert!(Arc::ptr_eq(&back, &lock));
            assert_eq!(Arc::strong_count(&lock), 2);
        }
    }
}

#[test]
fn force_unlock_ends_a_forgotten_write() {
    let lock = RwLock::new(1);
    for fair in either("fair ") {
        mem::forget(lock.write());
        assert!(lock.is_locked_exclusive());
        if fair {
            unsafe { lock.force_unlock_write_fair() };
        } else {
            unsafe { lock.force_unlock_write() };
        }
        assert!(!lock.is_locked());
    }
    mem::forget(lock.write());
    let mut guard = unsafe { lock.make_write_guard_unchecked() };
    *guard = 2;
    drop(guard);
    assert_eq!(open_to(&lock), [true; 3]);
    assert_eq!(lock.into_inner(), 2);
}

#[test]
fn data_ptr_and_get_mut_point_to_the_value() {
    for mode in cases(MODES) {
        let mut lock = mode.lock(1);
        *lock.get_mut() = 2;
        let reader = lock.read();
        assert!(ptr::eq(lock.data_ptr(), &raw const *reader));
        drop(reader);
        let writer = lock.write();
        unsafe { *lock.data_ptr() = 3 };
        assert_eq!(*writer, 3);
    }
}

// --- Seats ---------------------------------------------------------------------------------------------------------

#[test]
fn is_locked_tells_of_readers_in_any_number() {
    for mode in cases(MODES) {
        let lock = mode.lock(0);
        let mut readers = Vec::new();
        for n in 0..40 {
            assert_eq!(lock.is_locked(), n != 0);
            assert!(!lock.is_locked_exclusive());
            assert_eq!(lock.try_write().is_some(), n == 0);
            if n == 0 {
                mode.set_up(&lock);
            }
            readers.push(lock.read());
        }
        // First in, first out, and the other way round: one sits, and the others do not.
        while readers.len() > 20 {
            drop(readers.remove(0));
            assert!(lock.is_locked() && lock.try_write().is_none());
        }
        while readers.pop().is_some() {
            assert_eq!(lock.is_locked(), !readers.is_empty());
        }
        assert_eq!(open_to(&lock), [true; 3]);
    }
}

#[test]
fn forgotten_reader_keeps_the_lock() {
    watchdog(|| {
        for mode in cases(MODES) {
            for nested in [1, 3] {
                let drops = Drops::new();
                let lock = mode.lock(drops.value());
                (0..nested).for_each(|_| mem::forget(lock.read()));
                assert!(lock.is_locked());
                assert_eq!(open_to(&lock), [true, true, false]);
                assert!(lock.try_write_for(BRIEF).is_none());
                assert!(lock.upgradable_read().try_upgrade_for(BRIEF).is_err());
                thread::scope(|s| {
                    s.spawn(|| assert_eq!(open_to(&lock), [true, true, false]));
                });
                // Moving it changes nothing.
                let mut lock = Box::new(lock);
                assert!(lock.is_locked());
                assert!(lock.try_write().is_none());
                *lock.get_mut() = drops.value();
                assert_eq!(drops.count(), 1);
                let value = lock.into_inner();
                assert_eq!(drops.count(), 1);
                drop(value);
                assert_eq!(drops.count(), 2);
            }
        }
    });
}

#[test]
fn new_lock_in_the_place_of_one_with_forgotten_readers_is_free() {
    for mode in cases(MODES) {
        let mut place = Box::new(RwLock::new(0));
        // More than there are places in the table, so that numbers meet again.
        for n in repeat(200) {
            *place = RwLock::new(n);
            mode.set_up(&place);
            assert!(!place.is_locked());
            assert_eq!(open_to(&place), [true; 3]);
            mode.set_up(&place);
            mem::forget(place.read());
            mem::forget(place.try_read_recursive());
            assert!(place.is_locked());
        }
        assert_eq!(place.into_inner(), rounds(200) - 1);
    }
}

#[test]
fn forgotten_readers_of_other_locks_take_nobodys_place() {
    watchdog(|| {
        // These stay to the end.
        let forgotten: Vec<_> = (0..40).map(|n| Mode::Seated.lock(n)).collect();
        forgotten.iter().for_each(|lock| mem::forget(lock.read()));
        for mode in cases(MODES) {
            let lock = mode.lock(0);
            thread::scope(|s| {
                let reader = lock.read();
                s.spawn(|| *lock.write() += 1);
                until_a_writer_waits(&lock);
                drop(reader);
            });
            assert_eq!(*lock.read(), 1);
            assert_eq!(open_to(&lock), [true; 3]);
        }
        assert!(forgotten.iter().all(RwLock::is_locked));
    });
}

#[test]
fn one_thread_reads_many_locks_at_once() {
    watchdog(|| {
        for mode in cases(MODES) {
            let locks: Vec<_> = (0..40).map(|n| mode.lock(n)).collect();
            // Each twice, as a thread might that does not know of its own reads; nobody writes yet.
            let readers: Vec<_> = locks.iter().chain(&locks).map(RwLock::read).collect();
            thread::scope(|s| {
                for lock in &locks {
                    s.spawn(|| *lock.write() += 100);
                }
                locks.iter().for_each(until_a_writer_waits);
                assert!(readers.iter().enumerate().all(|(n, value)| **value == n % 40));
                let again: Vec<_> = locks.iter().map(RwLock::read_recursive).collect();
                drop(readers);
                assert!(again.iter().enumerate().all(|(n, value)| **value == n));
            });
            assert!(locks.iter().enumerate().all(|(n, lock)| *lock.read() == n + 100));
            assert!(!locks.iter().any(RwLock::is_locked));
        }
    });
}

#[test]
fn more_readers_than_seats_hold_a_writer_up() {
    watchdog(|| {
        const READERS: usize = 40;
        for mode in cases(MODES) {
            let (lock, inside, leave) = (mode.lock([0; 2]), AtomicUsize::new(0), AtomicUsize::new(0));
            thread::scope(|s| {
                for reader in 0..READERS {
                    let (lock, inside, leave) = (&lock, &inside, &leave);
                    s.spawn(move || {
                        let value = lock.read();
                        inside.fetch_add(1, Relaxed);
                        eventually(|| leave.load(Relaxed) > reader);
                        assert_eq!(*value, [0; 2]);
                    });
                }
                eventually(|| inside.load(Relaxed) == READERS);
                let writer = s.spawn(|| *lock.write() = [1; 2]);
                until_a_writer_waits(&lock);
                assert!(lock.is_locked());
                leave.store(READERS - 1, Relaxed);
                (0..10).for_each(|_| thread::yield_now());
                assert!(!writer.is_finished() && !lock.is_locked_exclusive());
                leave.store(READERS, Relaxed);
            });
            assert_eq!(*lock.read(), [1; 2]);
            assert_eq!(open_to(&lock), [true; 3]);
        }
    });
}

#[test]
fn arc_readers_are_dropped_elsewhere_while_a_writer_waits() {
    watchdog(|| {
        for mode in cases(MODES) {
            for parties in parties() {
                let lock = mode.arc(0);
                let readers: Vec<_> = (0..parties)
                    .map(|_| {
                        // Of threads that are gone by the time their guards are used.
                        let lock = Arc::clone(&lock);
                        thread::spawn(move || lock.read_arc()).join().unwrap()
                    })
                    .collect();
                thread::scope(|s| {
                    s.spawn(|| *lock.write() = 1);
                    until_a_writer_waits(&lock);
                    for reader in readers {
                        assert_eq!(*reader, 0);
                        s.spawn(move || drop(reader));
                    }
                });
                assert_eq!(*lock.read(), 1);
                assert_eq!(open_to(&lock), [true; 3]);
                assert_eq!(Arc::strong_count(&lock), 1);
            }
        }
    });
}

// --- Payloads ------------------------------------------------------------------------------------------------------

trait Animal: Send + Sync {
    fn name(&self) -> &str;
    fn rename(&mut self, name: &str);
}

struct Dog {
    name: String,
    _counted: Counted,
}

impl Animal for Dog {
    fn name(&self) -> &str {
        &self.name
    }

    fn rename(&mut self, name: &str) {
        self.name = name.to_owned();
    }
}

#[test]
fn unsized_payloads_behind_references() {
    for mode in cases(MODES) {
        let drops = Drops::new();
        let dog = RwLock::new(Dog { name: "Rex".to_owned(), _counted: drops.value() });
        let animal: &RwLock<dyn Animal> = &dog;
        animal.write().rename("Max");
        mode.set_up(animal);
        let readers = (animal.read(), animal.try_read().unwrap(), animal.read_recursive());
        assert_eq!((readers.0.name(), readers.1.name(), readers.2.name()), ("Max", "Max", "Max"));
        drop(readers);
        let mut guard = animal.upgradable_read();
        guard.with_upgraded(|animal| animal.rename("Leo"));
        let mut guard: RwLockWriteGuard<'_, dyn Animal> = RwLockUpgradableReadGuard::upgrade(guard);
        RwLockWriteGuard::unlocked(&mut guard, || animal.write().rename("Kim"));
        let guard: RwLockReadGuard<'_, dyn Animal> = RwLockWriteGuard::downgrade(guard);
        assert_eq!(guard.name(), "Kim");
        assert_eq!(*RwLockReadGuard::map(guard, |animal| animal.name()), *"Kim");
        assert!(!dog.is_locked());
        assert_eq!(drops.count(), 0);
        drop(dog);
        assert_eq!(drops.count(), 1);

        let mut boxed: Box<RwLock<[u8]>> = Box::new(RwLock::new([1, 2, 3]));
        mode.set_up(&boxed);
        assert_eq!(*boxed.read(), [1, 2, 3]);
        boxed.write()[1] = 9;
        boxed.get_mut()[0] = 8;
        let tail = RwLockWriteGuard::map(boxed.write(), |list| &mut list[1..]);
        assert_eq!(*MappedRwLockWriteGuard::map(tail, |tail| &mut tail[1..]), [3]);
        assert_eq!(*RwLockReadGuard::map(boxed.read(), |list| &list[..2]), [8, 9]);
        let text: &RwLock<dyn Display + Send + Sync> = &RwLock::new(5);
        assert_eq!(text.read().to_string(), "5");
    }
}

#[test]
fn unsized_payloads_behind_arcs() {
    watchdog(|| {
        for mode in cases(MODES) {
            let drops = Drops::new();
            let animal: Arc<RwLock<dyn Animal>> =
                Arc::new(RwLock::new(Dog { name: "Rex".to_owned(), _counted: drops.value() }));
            mode.set_up(&*animal);
            let guard: ArcRwLockReadGuard<dyn Animal> = animal.read_arc();
            assert!(animal.try_write_arc().is_none());
            thread::spawn(move || assert_eq!(guard.name(), "Rex")).join().unwrap();
            let mut guard: ArcRwLockWriteGuard<dyn Animal> = animal.write_arc();
            guard.rename("Max");
            assert!(animal.try_read_arc_for(Duration::ZERO).is_none());
            let guard = ArcRwLockWriteGuard::downgrade_to_upgradable(guard);
            thread::spawn(move || guard.upgrade().rename("Leo")).join().unwrap();
            for kind in cases(KINDS) {
                for how in [Take::Lock, Take::Try, Take::For(SHORT), Take::Until(SHORT)] {
                    assert_eq!(take(&animal, kind, how, true).expect("free").value().name(), "Leo");
                    assert_eq!(take(&animal, kind, how, false).expect("free").value().name(), "Leo");
                }
            }
            let guard = animal.read_arc();
            drop(animal);
            assert_eq!(drops.count(), 0);
            ArcRwLockReadGuard::unlock_fair(guard);
            assert_eq!(drops.count(), 1);

            let list: Arc<RwLock<[u64]>> = shown(RwLock::new([1, 2, 3]));
            mode.set_up(&*list);
            list.write_arc().reverse();
            assert_eq!(format!("{:?}", list.read_arc()), "[3, 2, 1]");
        }
    });
}

#[test]
fn zero_sized_and_overaligned_payloads() {
    #[derive(Debug)]
    #[repr(align(256))]
    struct Far(u8);

    for mode in cases(MODES) {
        let nothing = mode.lock(());
        *nothing.write() = ();
        let far = mode.arc(Far(1));
        far.write().0 += 1;
        assert_eq!(far.data_ptr().addr() % 256, 0);
        assert_eq!(*RwLockReadGuard::map(far.read(), |far| &far.0), 2);
        assert_eq!(far.read_arc().0, 2);
    }
}

static SQUARES: RwLock<Option<HashMap<usize, usize>>> = RwLock::new(None);
static MANY: [RwLock<usize>; 3] = [const { RwLock::new(0) }; 3];

#[test]
fn statics_need_no_setting_up() {
    watchdog(|| {
        thread::scope(|s| {
            for n in 0..8 {
                s.spawn(move || {
                    SQUARES.write().get_or_insert_default().insert(n, n * n);
                    MANY.iter().for_each(|lock| *lock.write() += 1);
                    for _ in 0..50 {
                        assert_eq!(SQUARES.read().as_ref().expect("inserted")[&n], n * n);
                        assert!(MANY.iter().all(|lock| *lock.read() > 0));
                    }
                });
            }
        });
        assert_eq!(SQUARES.read().as_ref().map(HashMap::len), Some(8));
        assert!(MANY.iter().all(|lock| *lock.read() == 8));
    });
}

#[test]
fn values_are_dropped_once() {
    for mode in cases(MODES) {
        let drops = Drops::new();
        drop(mode.lock(drops.value()));
        assert_eq!(drops.count(), 1);
        let lock = mode.lock(drops.value());
        *lock.write() = drops.value();
        assert_eq!(drops.count(), 2, "the value that was replaced");
        let value = lock.into_inner();
        assert_eq!(drops.count(), 2);
        drop(value);
        assert_eq!(drops.count(), 3);

        let lock = mode.arc((drops.value(), drops.value()));
        for kind in cases(KINDS) {
            for arc in either("arc ") {
                drop(take(&lock, kind, Take::Lock, arc).map(|held| held.map().map()));
                take(&lock, kind, Take::Lock, arc).expect("free").unlock_fair();
                drop(take(&lock, kind, Take::Lock, arc).map(Held::downgrade));
                drop(take(&lock, kind, Take::Lock, arc).map(|held| held.upgrade(Take::Try)));
                assert!(unwinds(|| {
                    let _held = take(&lock, kind, Take::Lock, arc);
                    unwind();
                }));
            }
        }
        assert_eq!(drops.count(), 3, "guards drop no values");
        assert_eq!(Arc::strong_count(&lock), 1);
        let guard = lock.read_arc();
        drop(lock);
        assert_eq!(drops.count(), 3, "the guard keeps the lock");
        drop(guard);
        assert_eq!(drops.count(), 5);

        // Locked or not.
        let ways: [fn(&RwLock<Counted>); 2] =
            [|lock| mem::forget(lock.write()), |lock| mem::forget(lock.upgradable_read())];
        for forget in ways {
            let (lock, before) = (mode.lock(drops.value()), drops.count());
            forget(&lock);
            drop(lock);
            assert_eq!(drops.count(), before + 1);
        }
    }
}

// --- Traits --------------------------------------------------------------------------------------------------------

#[test]
fn debug_never_blocks() {
    watchdog(|| {
        for mode in cases(MODES) {
            let lock = mode.arc(7);
            assert_eq!(format!("{lock:?}"), "RwLock { data: 7 }");
            assert!(!lock.is_locked());
            for kind in cases(KINDS) {
                for arc in either("arc ") {
                    let mut held = take(&lock, kind, Take::Lock, arc).expect("it is free");
                    for _ in 0..2 {
                        let shown = if kind == Kind::Write { "<locked>" } else { "7" };
                        assert_eq!(format!("{lock:?}"), format!("RwLock {{ data: {shown} }}"));
                        assert_eq!(format!("{lock:#?}"), format!("RwLock {{\n    data: {shown},\n}}"));
                        match &held {
                            Held::Read(guard) => assert_eq!(format!("{guard:?} {guard:>2}"), "7  7"),
                            Held::Upgradable(guard) => assert_eq!(format!("{guard:?} {guard:>2}"), "7  7"),
                            Held::Write(guard) => assert_eq!(format!("{guard:?} {guard:>2}"), "7  7"),
                            Held::MappedRead(guard) => assert_eq!(format!("{guard:?} {guard:>2}"), "7  7"),
                            Held::MappedWrite(guard) => assert_eq!(format!("{guard:?} {guard:>2}"), "7  7"),
                            Held::ArcRead(guard) => assert_eq!(format!("{guard:?} {guard:>2}"), "7  7"),
                            Held::ArcUpgradable(guard) => assert_eq!(format!("{guard:?} {guard:>2}"), "7  7"),
                            Held::ArcWrite(guard) => assert_eq!(format!("{guard:?} {guard:>2}"), "7  7"),
                        }
                        held = held.map();
                    }
                }
            }
            let list: &RwLock<[u8]> = &RwLock::new([1, 2]);
            mode.set_up(list);
            assert_eq!(format!("{list:?}"), "RwLock { data: [1, 2] }");
        }
    });
}

#[test]
fn debug_releases_after_a_panic() {
    struct Shy;

    impl Debug for Shy {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            unwind()
        }
    }

    for mode in cases(MODES) {
        let lock = mode.lock(Shy);
        assert!(unwinds(|| drop(format!("{lock:?}"))));
        assert!(!lock.is_locked());
    }
}

#[test]
fn default_and_from() {
    assert_eq!(*RwLock::<u32>::default().read(), 0);
    assert_eq!(*RwLock::from("text").read(), "text");
    let lock: RwLock<Vec<u8>> = vec![1].into();
    assert_eq!(lock.into_inner(), [1]);
}

#[test]
fn sizes() {
    const WORD: usize = size_of::<usize>();
    assert_eq!(size_of::<RwLock<()>>(), WORD + 8);
    assert_eq!(size_of::<RwLock<usize>>(), 2 * WORD + 8);
    assert!(size_of::<RwLockReadGuard<'_, u8>>() <= 2 * WORD);
    assert!(size_of::<RwLockUpgradableReadGuard<'_, u8>>() <= WORD);
    assert!(size_of::<RwLockWriteGuard<'_, u8>>() <= WORD);
    assert!(size_of::<Option<RwLockReadGuard<'_, u8>>>() <= 2 * WORD);
    assert!(size_of::<MappedRwLockReadGuard<'_, u8>>() <= 3 * WORD);
    assert!(size_of::<MappedRwLockWriteGuard<'_, u8>>() <= 2 * WORD);
    assert!(size_of::<ArcRwLockReadGuard<u8>>() <= 2 * WORD);
    assert!(size_of::<ArcRwLockUpgradableReadGuard<u8>>() <= WORD);
    assert!(size_of::<ArcRwLockWriteGuard<u8>>() <= WORD);
}

// --- At the edges of a thread --------------------------------------------------------------------------------------

static LAST_WORDS: RwLock<usize> = RwLock::new(0);
static SAYING_THEM: Sleeper = Sleeper::new();

struct Speaker;

impl Drop for Speaker {
    fn drop(&mut self) {
        // No assertions: nobody could catch their panic here.
        let read = (0..32).filter(|_| LAST_WORDS.try_read().is_some()).count();
        let timed_out = LAST_WORDS.try_write_for(Duration::from_micros(10)).is_none();
        SAYING_THEM.about_to_block();
        *LAST_WORDS.write() += if timed_out { read } else { 100 };
    }
}

thread_local! {
    static SPEAKER: Cell<Option<Speaker>> = const { Cell::new(None) };
}

#[test]
fn lock_in_a_thread_local_destructor() {
    watchdog(|| {
        let reader = LAST_WORDS.read();
        let thread = thread::spawn(|| SPEAKER.set(Some(Speaker)));
        SAYING_THEM.until_asleep();
        drop(reader);
        thread.join().unwrap();
        assert_eq!(*LAST_WORDS.read(), 32);
    });
}

#[test]
fn waiting_never_allocates() {
    watchdog(|| {
        for mode in cases(MODES) {
            for kind in cases(KINDS) {
                for how in [Take::Lock, Take::For(LIMIT), Take::Until(LIMIT)] {
                    let (lock, sleeper) = (mode.arc(0), Sleeper::new());
                    thread::scope(|s| {
                        let in_the_way = if kind == Kind::Write { Kind::Read } else { Kind::Write };
                        let held = take(&lock, in_the_way, Take::Lock, false);
                        s.spawn(|| {
                            // Whatever the thread's handle needs.
                            drop(take(&lock, kind, Take::For(BRIEF), false));
                            sleeper.about_to_block();
                            let allocations = allocations_during(|| {
                                assert!(take(&lock, kind, how, false).is_some());
                            });
                            assert_eq!(allocations, 0, "{kind:?} {how:?}");
                        });
                        sleeper.until_asleep();
                        assert_eq!(allocations_during(|| drop(held)), 0);
                    });
                }
            }
            let lock = mode.arc(0);
            let allocations = allocations_during(|| {
                let reader = lock.read();
                assert!(lock.try_write_for(Duration::from_micros(300)).is_none());
                assert!(lock.upgradable_read().try_upgrade_for(Duration::from_micros(300)).is_err());
                drop(reader);
                drop(lock.write());
                (0..40).for_each(|_| drop((lock.read(), lock.read())));
            });
            assert_eq!(allocations, 0, "waits that give up, and seats");
        }
    });
}

// --- Programs ------------------------------------------------------------------------------------------------------

/// Sees that nobody writes.
fn look(pair: &Pair) {
    let one = black_box(pair)[0];
    if one % 32 == 0 {
        thread::yield_now();
    }
    assert_eq!(black_box(pair)[1], one, "somebody writes while others read");
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

/// What a thread with empty hands may do to a lock.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Read,
    Nested,
    Write,
    Downgrade,
    DowngradeToUpgradable,
    Upgrade,
    WithUpgraded,
    Unlocked,
    Bump,
    Fair,
    Panic,
}

const DEEDS: [Deed; 11] = [
    Deed::Read,
    Deed::Nested,
    Deed::Write,
    Deed::Downgrade,
    Deed::DowngradeToUpgradable,
    Deed::Upgrade,
    Deed::WithUpgraded,
    Deed::Unlocked,
    Deed::Bump,
    Deed::Fair,
    Deed::Panic,
];

/// Does it, and says how often it has counted.
fn act(lock: &Arc<RwLock<Pair>>, deed: Deed, how: Take, arc: bool) -> usize {
    let kind = match deed {
        Deed::Read | Deed::Nested => Kind::Read,
        Deed::Upgrade | Deed::WithUpgraded => Kind::Upgradable,
        _ => Kind::Write,
    };
    let Some(mut held) = take(lock, kind, how, arc) else {
        assert_ne!(how, Take::Lock);
        return 0;
    };
    look(held.value());
    if let Some(pair) = held.value_mut() {
        count(pair);
    }
    let seen = held.value()[0];
    match deed {
        Deed::Read => {
            look(held.map().value());
            0
        }
        Deed::Nested => {
            let inner = lock.read_recursive();
            look(&inner);
            drop(held);
            assert_eq!(inner[0], seen);
            0
        }
        Deed::Write => 1,
        Deed::Downgrade => {
            let held = held.downgrade();
            look(held.value());
            assert_eq!(held.value()[0], seen, "a writer came in between");
            1
        }
        Deed::DowngradeToUpgradable => {
            let held = held.downgrade_to_upgradable();
            look(held.value());
            let mut held = held.upgrade(how);
            let upgraded = held.value_mut().map(count).is_some();
            assert_eq!(held.value()[0], seen + usize::from(upgraded), "a writer came in between");
            1 + usize::from(upgraded)
        }
        Deed::Upgrade => {
            let mut held = held.upgrade(how);
            let upgraded = held.value_mut().map(count).is_some();
            assert!(upgraded || how != Take::Lock);
            assert_eq!(held.value()[0], seen + usize::from(upgraded), "a writer came in between");
            usize::from(upgraded)
        }
        Deed::WithUpgraded => {
            let upgraded = held.with_upgraded(how, count).is_some();
            assert!(upgraded || how != Take::Lock);
            look(held.value());
            assert_eq!(held.value()[0], seen + usize::from(upgraded), "a writer came in between");
            usize::from(upgraded)
        }
        Deed::Unlocked => {
            held.unlocked(seen % 2 == 0, || look(&lock.read()));
            count(held.value_mut().expect("a writer again"));
            2
        }
        Deed::Bump => {
            held.bump();
            count(held.value_mut().expect("a writer again"));
            2
        }
        Deed::Fair => {
            held.unlock_fair();
            1
        }
        Deed::Panic => {
            assert!(unwinds(move || {
                let _held = held;
                unwind();
            }));
            1
        }
    }
}

/// Numbers that look as if by chance.
fn scramble(n: usize) -> usize {
    let n = (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    usize::try_from(n >> 33).expect("31 bits")
}

/// A deed for a lock of which one in `seldom` uses is not a read.
fn any_deed(n: usize, seldom: usize) -> (Deed, Take, bool) {
    let n = scramble(n);
    let deed = if n % seldom == 0 { DEEDS[n / seldom % DEEDS.len()] } else { DEEDS[n % 2] };
    let how = match n / 7 % 6 {
        0..3 => Take::Lock,
        3 => Take::Try,
        4 => Take::For(Duration::from_micros((n / 11 % 97) as u64)),
        _ => Take::Until(Duration::from_micros((n / 13 % 89) as u64)),
    };
    (deed, how, n / 17 % 3 == 0)
}

#[test]
fn stress_with_every_deed() {
    watchdog(|| {
        // From mostly writing to mostly reading, which is where seats come and go.
        for (seldom, turns) in [(1, 400), (4, 800), (40, 3000)] {
            for parties in parties() {
                let (lock, counted) = (shown(RwLock::new([0; 2])), AtomicUsize::new(0));
                thread::scope(|s| {
                    for party in 0..parties {
                        let (lock, counted) = (&lock, &counted);
                        s.spawn(move || {
                            let mut mine = 0;
                            for turn in 0..rounds(turns) {
                                let (deed, how, arc) = any_deed(party * 100_003 + turn, seldom);
                                mine += act(lock, deed, how, arc);
                            }
                            counted.fetch_add(mine, Relaxed);
                        });
                    }
                });
                assert!(!lock.is_locked());
                assert_eq!(*lock.read(), [counted.into_inner(); 2], "with {parties} parties");
                assert_eq!(open_to(&lock), [true; 3]);
                assert_eq!(Arc::strong_count(&lock), 1);
            }
        }
    });
}

#[test]
fn stress_with_more_locks_than_places() {
    // Threads sit in many locks in turn, whose numbers share places.
    watchdog(|| {
        for parties in parties() {
            let locks: Vec<_> = (0..70).map(|_| Mode::Seated.lock([0; 2])).collect();
            let turns = rounds(1500);
            thread::scope(|s| {
                for party in 0..parties {
                    let locks = &locks;
                    s.spawn(move || {
                        for turn in 0..turns {
                            let n = scramble(party * 100_003 + turn);
                            let (one, other) = (&locks[n % 70], &locks[n / 70 % 70]);
                            if turn % 50 == 0 {
                                count(&mut one.write());
                            } else {
                                let outer = one.read();
                                // Would be a deadlock by `read`: another may hold that one and want this one.
                                let inner = other.try_read();
                                look(&outer);
                                if let Some(inner) = inner {
                                    look(&inner);
                                }
                            }
                        }
                    });
                }
            });
            let counted: usize = locks.into_iter().map(|lock| lock.into_inner()[0]).sum();
            assert_eq!(counted, parties * turns.div_ceil(50));
        }
    });
}

#[test]
fn last_leaver_wakes_the_writer_by_count_and_by_seat() {
    // One writer and readers that end: nobody comes by afterwards who could make up for a lost wake-up.
    watchdog(|| {
        for mode in cases(MODES) {
            for parties in parties() {
                for round in repeat(40) {
                    let (lock, begun) = (mode.arc(0), AtomicUsize::new(0));
                    thread::scope(|s| {
                        for party in 0..parties {
                            let (lock, begun) = (&lock, &begun);
                            s.spawn(move || {
                                let held = take(lock, KINDS[party % 3], Take::Lock, party % 2 == 0)
                                    .expect("it waits");
                                begun.fetch_add(1, Relaxed);
                                (0..(party + round) % 5).for_each(|_| thread::yield_now());
                                if (party + round) % 4 == 0 {
                                    held.unlock_fair();
                                } else {
                                    drop(held);
                                }
                            });
                        }
                        if round % 2 == 0 {
                            eventually(|| begun.load(Relaxed) > round % parties);
                        }
                        *lock.write() += 1;
                    });
                    assert_eq!(*lock.read(), 1);
                    assert_eq!(open_to(&lock), [true; 3]);
                }
            }
        }
    });
}

/// What one thread may do with a lock and the guards it has.
#[derive(Clone, Copy, Debug)]
enum Step {
    Take(Kind, Take, bool),
    /// These have one of the guards, by number.
    Drop(usize),
    Fair(usize),
    Map(usize),
    Bump(usize),
    Unlocked(usize, bool),
    Downgrade(usize),
    ToUpgradable(usize),
    Upgrade(usize, Take),
    WithUpgraded(usize, Take, usize),
    Write(usize, usize),
    Forget(usize),
    /// So many reads in a row.
    Reads(usize),
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

fn kinds() -> impl Strategy<Value = Kind> {
    prop::sample::select(KINDS.to_vec())
}

fn steps() -> impl Strategy<Value = Step> {
    let which = 0..100_usize;
    prop_oneof![
        10 => (kinds(), tries(), any::<bool>()).prop_map(|(kind, how, arc)| Step::Take(kind, how, arc)),
        5 => which.clone().prop_map(Step::Drop),
        2 => which.clone().prop_map(Step::Fair),
        1 => which.clone().prop_map(Step::Map),
        1 => which.clone().prop_map(Step::Bump),
        2 => (which.clone(), any::<bool>()).prop_map(|(which, fair)| Step::Unlocked(which, fair)),
        2 => which.clone().prop_map(Step::Downgrade),
        2 => which.clone().prop_map(Step::ToUpgradable),
        3 => (which.clone(), tries()).prop_map(|(which, how)| Step::Upgrade(which, how)),
        2 => (which.clone(), tries(), 0..100_usize)
            .prop_map(|(which, how, value)| Step::WithUpgraded(which, how, value)),
        3 => (which.clone(), 0..100_usize).prop_map(|(which, value)| Step::Write(which, value)),
        1 => which.prop_map(Step::Forget),
        2 => (1..20_usize).prop_map(Step::Reads),
    ]
}

/// The specification: who is in. Nobody waits, as there is one thread only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Inside {
    readers: usize,
    upgradable: bool,
    writer: bool,
}

impl Inside {
    fn admits(self, kind: Kind) -> bool {
        match kind {
            Kind::Read | Kind::Again => !self.writer,
            Kind::Upgradable => !self.writer && !self.upgradable,
            Kind::Write => self == Self::default(),
        }
    }

    fn come(&mut self, kind: Kind) {
        match kind {
            Kind::Read | Kind::Again => self.readers += 1,
            Kind::Upgradable => self.upgradable = true,
            Kind::Write => self.writer = true,
        }
    }

    fn leave(&mut self, kind: Kind) {
        match kind {
            Kind::Read | Kind::Again => self.readers -= 1,
            Kind::Upgradable => self.upgradable = false,
            Kind::Write => self.writer = false,
        }
    }
}

/// Takes one of them out, to be put back if it goes on.
fn pick<T>(list: &mut Vec<T>, which: usize) -> Option<T> {
    if list.is_empty() { None } else { Some(list.swap_remove(which % list.len())) }
}

fn follow(program: Vec<Step>) {
    let lock = shown(RwLock::new(0));
    let (mut hands, mut inside, mut value, mut leaked) = (Vec::new(), Inside::default(), 0, 0);
    for step in program {
        match step {
            Step::Take(kind, how, arc) => {
                let held = take(&lock, kind, how, arc);
                assert_eq!(held.is_some(), inside.admits(kind), "{step:?} {inside:?}");
                if let Some(held) = held {
                    inside.come(kind);
                    hands.push(held);
                }
            }
            Step::Reads(n) => {
                for _ in 0..n {
                    assert_eq!(lock.try_read().is_some(), inside.admits(Kind::Read), "{inside:?}");
                }
            }
            Step::Drop(which)
            | Step::Fair(which)
            | Step::Map(which)
            | Step::Bump(which)
            | Step::Unlocked(which, _)
            | Step::Downgrade(which)
            | Step::ToUpgradable(which)
            | Step::Upgrade(which, _)
            | Step::WithUpgraded(which, ..)
            | Step::Write(which, _)
            | Step::Forget(which) => {
                let Some(mut held) = pick(&mut hands, which) else { continue };
                let before = held.kind();
                let kept = match step {
                    Step::Drop(_) => None,
                    Step::Fair(_) => {
                        held.unlock_fair();
                        None
                    }
                    Step::Forget(_) => {
                        leaked += usize::from(matches!(
                            held,
                            Held::ArcRead(_) | Held::ArcUpgradable(_) | Held::ArcWrite(_)
                        ));
                        mem::forget(held);
                        // It stays in for ever.
                        continue;
                    }
                    Step::Map(_) => Some(held.map()),
                    Step::Bump(_) => {
                        held.bump();
                        Some(held)
                    }
                    Step::Unlocked(_, fair) => {
                        let mut outside = inside;
                        outside.leave(before);
                        held.unlocked(fair, || {
                            assert_eq!(lock.try_write().is_some(), outside.admits(Kind::Write));
                            assert_eq!(
                                lock.try_upgradable_read().is_some(),
                                outside.admits(Kind::Upgradable)
                            );
                        });
                        Some(held)
                    }
                    Step::Downgrade(_) => Some(held.downgrade()),
                    Step::ToUpgradable(_) => Some(held.downgrade_to_upgradable()),
                    Step::Upgrade(_, how) => {
                        let held = held.upgrade(how);
                        if before == Kind::Upgradable {
                            assert_eq!(held.kind() == Kind::Write, inside.readers == 0);
                        }
                        Some(held)
                    }
                    Step::WithUpgraded(_, how, new) => {
                        let upgraded = held.with_upgraded(how, |value| *value = new).is_some();
                        assert_eq!(upgraded, before == Kind::Upgradable && inside.readers == 0);
                        if upgraded {
                            value = new;
                        }
                        Some(held)
                    }
                    _ => {
                        if let (Step::Write(_, new), Some(place)) = (step, held.value_mut()) {
                            *place = new;
                            value = new;
                        }
                        Some(held)
                    }
                };
                inside.leave(before);
                if let Some(held) = kept {
                    inside.come(held.kind());
                    hands.push(held);
                }
            }
        }
        assert!(hands.iter().all(|held| *held.value() == value));
        assert_eq!(lock.is_locked(), inside != Inside::default(), "{step:?} {inside:?}");
        assert_eq!(lock.is_locked_exclusive(), inside.writer, "{step:?} {inside:?}");
        assert_eq!(format!("{lock:?}").contains("<locked>"), inside.writer);
    }
    drop(hands);
    // Forgotten owning guards have forgotten their shares in the lock.
    let lock = Arc::into_raw(lock);
    (0..leaked).for_each(|_| unsafe { Arc::decrement_strong_count(lock) });
    let lock = Arc::into_inner(unsafe { Arc::from_raw(lock) }).expect("the last");
    assert_eq!(lock.into_inner(), value);
}

fn deeds() -> impl Strategy<Value = (Deed, Take, bool)> {
    let how = prop_oneof![2 => Just(Take::Lock), 1 => tries()];
    (prop::sample::select(DEEDS.to_vec()), how, any::<bool>())
}

/// Every deed counts as often as it says, whatever the others do.
fn follow_at_once(mode: Mode, programs: Vec<Vec<(Deed, Take, bool)>>) {
    let (lock, counted) = (mode.arc([0; 2]), AtomicUsize::new(0));
    thread::scope(|s| {
        for program in programs {
            let (lock, counted) = (&lock, &counted);
            s.spawn(move || {
                for (deed, how, arc) in program {
                    counted.fetch_add(act(lock, deed, how, arc), Relaxed);
                }
            });
        }
    });
    assert!(!lock.is_locked());
    assert_eq!(*lock.read(), [counted.into_inner(); 2]);
    assert_eq!(Arc::strong_count(&lock), 1);
}

fn settings(cases: usize) -> ProptestConfig {
    let cases = u32::try_from(rounds(cases)).expect("few");
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(settings(256))]

    #[test]
    fn programs_match_the_specification(program in prop::collection::vec(steps(), 0..80)) {
        watchdog(|| follow(program));
    }
}

proptest! {
    #![proptest_config(settings(64))]

    #[test]
    fn programs_of_threads_count_right(
        seated in any::<bool>(),
        programs in prop::collection::vec(prop::collection::vec(deeds(), 1..40), 2..=3),
    ) {
        let mode = if seated { Mode::Seated } else { Mode::Counted };
        watchdog(move || follow_at_once(mode, programs));
    }
}
