//! The profile: where time goes that threads wait for locks.
//!
//! Each lock that is used while a profile is taken has a [`Record`] of its numbers. Every wait counts there;
//! one in some, and each that is long, is also charged to the places where the lock was taken by those that
//! held it meanwhile ([`record`](mod@record)), and written down with its time.
//!
//! A thread finds a record by the lock's number in a small table of its own, so that it takes no lock but the
//! first time. A record lives as long as its lock: it is freed when the lock is gone, when no thread can be
//! in a call of that lock, and a number is never used again, so what is left in the tables of threads is
//! never followed.

mod data;
mod folded;
mod pprof;
mod protobuf;
mod record;
mod trace;

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU32;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::Place;
use super::tables::Shared;
use crate::facade::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use crate::facade::{nanos, per_process, per_thread, this_thread, thread_name};
use crate::observe::{self, Called, Holding, Kind, Mode};
use data::TimedWait;
pub use data::{Contention, LockNumbers, Profile};
use record::{Charges, Ending, HOLDERS, Record};

/// A wait of so many nanoseconds is long.
const LONG: u64 = 1_000_000;
/// So many waits are kept one by one.
const WAITS: usize = 16_384;

/// Where one was waited for, how, and where it was held.
type Site = (Place, Mode, Option<Place>);

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    count: u64,
    nanos: u64,
    longest: u64,
    most_waiting: u32,
}

/// A lock that is there.
struct Alive {
    record: NonNull<Record>,
    sites: BTreeMap<Site, Sum>,
}

// SAFETY: the record is shared, and `Sync`; it is freed when no thread has it any more.
unsafe impl Send for Alive {}

/// Locks that are gone: those of one kind and name that were used first in one place.
struct Removed {
    numbers: LockNumbers,
    sites: BTreeMap<Site, Sum>,
}

struct State {
    alive: BTreeMap<u64, Alive>,
    gone: BTreeMap<(Kind, Option<&'static str>, Place), Removed>,
    waits: VecDeque<Arc<TimedWait>>,
    /// When it began, by the clock on the wall and by [`nanos`].
    began: Option<(SystemTime, u64)>,
    /// When it ended, by [`nanos`]; `None` while it is taken.
    ended: Option<u64>,
}

static STATE: Shared<State> = Shared::new(State {
    alive: BTreeMap::new(),
    gone: BTreeMap::new(),
    waits: VecDeque::new(),
    began: None,
    ended: None,
});

per_process! {
    /// One in so many waits is looked at.
    static ONE_IN: AtomicU32 = AtomicU32::new(1);
}
per_process! {
    /// The greatest number of a lock that has had a record. Locks get their numbers in turn.
    static NEWEST: AtomicU64 = AtomicU64::new(0);
}

/// Begins a profile.
pub(super) fn configure(one_in: NonZeroU32) {
    let began = (SystemTime::now(), nanos());
    STATE.with(|state| {
        // Relaxed: a wait that begins just now may be counted in one of the two and end in the other, see
        // `Record::end`.
        NUMBER.store(NUMBER.load(Relaxed).wrapping_add(1), Relaxed);
        for alive in state.alive.values_mut() {
            // SAFETY: alive, as it is in the table.
            unsafe { alive.record.as_ref() }.clear();
            alive.sites.clear();
        }
        state.gone.clear();
        state.waits.clear();
        (state.began, state.ended) = (Some(began), None);
        // Relaxed: read by threads that unlock at about that time, or later.
        BEGAN.store(began.1, Relaxed);
    });
    // Relaxed: waits are looked at from about then.
    ONE_IN.store(one_in.get(), Relaxed);
}

/// Ends the profile. It can be read until another begins.
pub(super) fn end() {
    let now = nanos();
    STATE.with(|state| state.ended = Some(now));
}

/// A thread's own table: locks' numbers, and their records.
const SETS: usize = 32;
const WAYS: usize = 4;

type Way = Cell<(u64, *const Record)>;

per_process! {
    /// The number of the profile that is taken.
    static NUMBER: AtomicU32 = AtomicU32::new(0);
}
per_process! {
    /// When it began, by [`nanos`].
    static BEGAN: AtomicU64 = AtomicU64::new(0);
}

/// A call that could not go on at once.
#[derive(Clone, Copy)]
struct Waiting {
    /// The [`NUMBER`] of the profile that has counted it.
    profile: u32,
    since: u64,
    waiting: u64,
    charges: Charges,
}

per_thread! {
    static RECORDS: [[Way; WAYS]; SETS] = [const { [const { Cell::new((0, ptr::null())) }; WAYS] }; SETS];
}

per_thread! {
    static WAITING: Cell<Waiting> =
        Cell::new(Waiting { profile: 0, since: 0, waiting: 0, charges: [0; HOLDERS + 1] });
}

per_thread! {
    static DRAWN: Cell<u32> = Cell::new(0);
}

/// Returns the record of a lock, for a thread that is in a call of it. `None` in a child of a `fork`.
#[inline]
fn record<'a>(called: &Called) -> Option<&'a Record> {
    let found = RECORDS.with(|sets| {
        let set = &sets[(called.id as usize) % SETS];
        set.iter().map(Cell::get).find(|&(id, _)| id == called.id)
    });
    let record = match found {
        Some((_, record)) => record,
        None => find(called)?.as_ptr().cast_const(),
    };
    // SAFETY: it is freed after the lock's last call, and this is one; its number is no other lock's.
    Some(unsafe { &*record })
}

#[cold]
fn find(called: &Called) -> Option<NonNull<Record>> {
    // Before the tables are locked, as it allocates.
    let new = Box::new(Record::new(called));
    let record = STATE.with(|state| {
        // Relaxed: read by the thread that drops the lock, which comes after all its calls.
        NEWEST.store(NEWEST.load(Relaxed).max(called.id), Relaxed);
        let alive = state
            .alive
            .entry(called.id)
            .or_insert_with(|| Alive { record: NonNull::from(Box::leak(new)), sites: BTreeMap::new() });
        alive.record
    })?;
    RECORDS.with(|sets| {
        let set = &sets[(called.id as usize) % SETS];
        // The last of the set goes, the others move up.
        let mut entry = (called.id, record.as_ptr().cast_const());
        set.iter().for_each(|way| entry = way.replace(entry));
    });
    Some(record)
}

/// Returns the record of an object as [`record()`] does, if it is a lock.
fn record_if_counted<'a>(called: &Called) -> Option<&'a Record> {
    if called.kind.is_lock() { record(called) } else { None }
}

/// Notes that a call cannot go on at once. Returns the number of the lock, for [`acquired`] or [`gave_up`],
/// as the thread may get there with another if what sessions note was changed meanwhile.
pub(super) fn contended(new: &Called) -> u64 {
    let Some(record) = record_if_counted(new) else { return 0 };
    let now = nanos();
    let (waiting, charges) = record.begin(now, new.mode);
    let profile = NUMBER.load(Relaxed);
    WAITING.with(|own| own.set(Waiting { profile, since: now, waiting, charges }));
    new.id
}

/// Notes that a thread has locked. `token` is what [`contended`] has returned, or 0.
pub(super) fn acquired(new: &Called, token: u64, parked: bool) {
    let Some(record) = record_if_counted(new) else { return };
    if token == new.id {
        ended(record, new, parked, true);
    }
    if new.kind == Kind::ReentrantMutex && levels(new) > 0 {
        record.locked_alone();
    } else {
        record.locked(new.place, new.mode);
    }
}

/// Notes that a call has got nothing before its time-out.
pub(super) fn gave_up(new: &Called, token: u64, parked: bool) {
    if token != new.id {
        return;
    }
    if let Some(record) = record_if_counted(new) {
        ended(record, new, parked, false);
    }
}

/// Notes that a thread is about to unlock.
pub(super) fn releasing(holding: &Holding) {
    let Called { place, mode, .. } = holding.called;
    if let Some(record) = record_if_counted(&holding.called) {
        // Relaxed: of the profile that is taken. What was held before it began counts from there.
        let since = holding.since.max(BEGAN.load(Relaxed));
        let now = nanos();
        record.was_held(now.saturating_sub(since));
        // What is locked again is no hold of its own.
        if holding.called.kind != Kind::ReentrantMutex || levels(&holding.called) == 1 {
            record.unlocking(place, mode, now);
        }
    }
}

/// Returns how many guards of this lock the calling thread has.
fn levels(of: &Called) -> usize {
    observe::own_holds().filter(|hold| hold.called.same(of)).count()
}

#[cold]
fn ended(record: &Record, new: &Called, parked: bool, locked: bool) {
    let Waiting { profile, since, waiting, charges } = WAITING.with(Cell::get);
    if profile != NUMBER.load(Relaxed) {
        return;
    }
    let now = nanos();
    let length = now.saturating_sub(since);
    record.end(now, Ending { nanos: length, parked, locked, mode: new.mode });
    let one_in = ONE_IN.load(Relaxed);
    let weight = if length >= LONG { 1 } else { one_in };
    if length < LONG && !is_drawn(one_in) {
        return;
    }
    let parts = record.divide(length, &charges);
    let thread = this_thread().get();
    let most_waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
    let mut wait = Arc::new(TimedWait {
        thread,
        thread_name: thread_name(usize::MAX),
        lock: data::lock_in_words(new.kind, new.name(), Some(new.id), Place(record.first_used)),
        call: new.kind.call(new.mode),
        waited_at: Place(new.place),
        held_at: parts.first().and_then(|&(place, _)| place).map(Place),
        since: Duration::from_nanos(since),
        length: Duration::from_nanos(length),
        waiting: most_waiting,
    });
    STATE.with(|state| {
        let Some((_, began)) = state.began else { return };
        // No other has it, so it is not copied.
        let own = Arc::make_mut(&mut wait);
        own.since = own.since.saturating_sub(Duration::from_nanos(began));
        if state.waits.len() == WAITS {
            state.waits.pop_front();
        }
        state.waits.push_back(wait);
        let Some(alive) = state.alive.get_mut(&new.id) else { return };
        for (number, &(held_at, part)) in parts.iter().enumerate() {
            let site = (Place(new.place), new.mode, held_at.map(Place));
            alive.sites.entry(site).or_default().add(&Sum {
                count: if number == 0 { u64::from(weight) } else { 0 },
                nanos: part * u64::from(weight),
                longest: part,
                most_waiting,
            });
        }
    });
}

/// Returns whether this is one in `n`, by chance: a pattern of the program's is not to meet one of ours.
fn is_drawn(n: u32) -> bool {
    let drawn = DRAWN.with(|drawn| {
        // A generator of Marsaglia's, begun with what differs from thread to thread.
        let mut x = drawn.get();
        if x == 0 {
            x = (this_thread().get() as u32).wrapping_mul(0x9e37_79b9) | 1;
        }
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        drawn.set(x);
        x
    });
    n <= 1 || (u64::from(drawn) * u64::from(n)) >> 32 == 0
}

/// Forgets a lock that is gone: its numbers are kept with those of its like.
pub(super) fn forget(id: u64) {
    // Relaxed: as where it is stored. After the last profile locks that are newer have no record, and those
    // that have are freed with their locks.
    if id > NEWEST.load(Relaxed) {
        return;
    }
    STATE.with(|state| state.forget(id));
}

impl State {
    fn forget(&mut self, id: u64) {
        let Some(Alive { record, sites }) = self.alive.remove(&id) else { return };
        // SAFETY: it was in the table, so it was not freed, and no thread is or will be in a call of this
        // lock.
        let record = unsafe { Box::from_raw(record.as_ptr()) };
        let numbers = record.numbers(None);
        let key = (numbers.kind, numbers.name, numbers.first_used);
        match self.gone.get_mut(&key) {
            Some(gone) => {
                gone.numbers.add(&numbers);
                for (site, sum) in sites {
                    gone.sites.entry(site).or_default().add(&sum);
                }
            }
            None => _ = self.gone.insert(key, Removed { numbers, sites }),
        }
    }

    /// Returns all that is known, at the time `now`.
    fn profile(&self, now: u64) -> Profile {
        let now = self.ended.unwrap_or(now);
        let (began, since) = self.began.unwrap_or((SystemTime::UNIX_EPOCH, now));
        let (mut entries, mut locks) = (Vec::new(), Vec::new());
        let mut add = |numbers: LockNumbers, sites: &BTreeMap<Site, Sum>| {
            for (&(waited_at, mode, held_at), sum) in sites {
                entries.push(Contention {
                    kind: numbers.kind,
                    name: numbers.name,
                    number: numbers.number,
                    first_used: numbers.first_used,
                    mode,
                    waited_at,
                    held_at,
                    count: sum.count,
                    total: Duration::from_nanos(sum.nanos),
                    longest: Duration::from_nanos(sum.longest),
                    most_waiting: sum.most_waiting,
                });
            }
            if numbers.acquisitions > 0 || numbers.contended > 0 {
                locks.push(numbers);
            }
        };
        for (&id, alive) in &self.alive {
            // SAFETY: alive, as it is in the table.
            add(unsafe { alive.record.as_ref() }.numbers(Some(id)), &alive.sites);
        }
        for gone in self.gone.values() {
            add(gone.numbers.clone(), &gone.sites);
        }
        let waits = self.waits.iter().cloned().collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.total));
        locks.sort_by_key(|lock| std::cmp::Reverse((lock.total_wait, lock.acquisitions)));
        // Relaxed: a number.
        let one_in = ONE_IN.load(Relaxed);
        Profile {
            began,
            length: Duration::from_nanos(now.saturating_sub(since)),
            one_in,
            entries,
            locks,
            waits,
        }
    }
}

impl Sum {
    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.nanos += other.nanos;
        self.longest = self.longest.max(other.longest);
        self.most_waiting = self.most_waiting.max(other.most_waiting);
    }
}

/// Returns the profile that is being taken, as it is now, or that was taken last, as it was at its end.
#[must_use]
pub fn profile() -> Profile {
    let read = || {
        let now = nanos();
        STATE.with(|state| state.profile(now))
    };
    observe::inside_anyway(read).unwrap_or_else(|| Profile {
        began: SystemTime::UNIX_EPOCH,
        length: Duration::ZERO,
        one_in: 1,
        entries: Vec::new(),
        locks: Vec::new(),
        waits: Vec::new(),
    })
}
