//! The numbers of one lock, which threads change while they use it, and by which each wait is charged to
//! those that held the lock meanwhile.
//!
//! The lock's time, as long as threads wait for it, is charged piece by piece to places in the source:
//! whenever a thread begins to wait, is about to unlock, or has waited, the time since the last such event
//! goes to the place where the lock was taken last. The upgradable reader comes before plain readers there,
//! as it keeps others waiting also by itself; while it upgrades, it is they that are charged. A thread that
//! waits remembers what each place was charged when it began, and at its end the differences say how its own
//! time is to be divided.
//!
//! Ordering: every operation of this file is Relaxed. Each number is right by itself, nothing is reached
//! through one, and two that are read at about the same time may be an event apart.

use std::panic::Location;
use std::ptr;

use super::super::Place;
use super::data::{BUCKETS, LockNumbers, bucket};
use crate::facade::array;
use crate::facade::atomic::{AtomicPtr, AtomicU64, Ordering::Relaxed};
use crate::observe::{Called, Kind, Label, Mode};

/// A place in the source.
pub(super) type At = Location<'static>;

/// The places that are kept separate as those where one lock is taken; time of others is charged to none.
pub(super) const HOLDERS: usize = 16;

/// What each place was charged, and, last, what was charged to none.
pub(super) type Charges = [u64; HOLDERS + 1];

#[derive(Debug)]
pub(super) struct Record {
    pub(super) kind: Kind,
    pub(super) label: Label,
    pub(super) first_used: &'static At,
    acquisitions: AtomicU64,
    contended: AtomicU64,
    spun: AtomicU64,
    parked: AtomicU64,
    timed_out: AtomicU64,
    total_wait: AtomicU64,
    longest_wait: AtomicU64,
    longest_hold: AtomicU64,
    histogram: [AtomicU64; BUCKETS],
    /// The calls that wait now.
    waiting: AtomicU64,
    /// Those of them that any holder keeps waiting, also a reader.
    waiting_writers: AtomicU64,
    /// Up to when time is charged.
    charged: AtomicU64,
    /// Where the lock was taken last, of those that time is charged to.
    holder: AtomicPtr<At>,
    /// Where the upgradable reader has taken it, if there is one.
    upgradable: AtomicPtr<At>,
    /// Where a reader has taken it last.
    reader: AtomicPtr<At>,
    places: [AtomicPtr<At>; HOLDERS],
    charges: [AtomicU64; HOLDERS + 1],
}

/// How a call ended that could not go on at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    pub(super) nanos: u64,
    pub(super) parked: bool,
    pub(super) locked: bool,
    pub(super) mode: Mode,
}

fn pointer(place: &'static At) -> *mut At {
    (&raw const *place).cast_mut()
}

/// Changes a number, and returns what it was.
fn change(number: &AtomicU64, to: impl Fn(u64) -> u64) -> u64 {
    let mut current = number.load(Relaxed);
    loop {
        match number.compare_exchange_weak(current, to(current), Relaxed, Relaxed) {
            Ok(before) => return before,
            Err(actual) => current = actual,
        }
    }
}

fn add(number: &AtomicU64, more: u64) -> u64 {
    change(number, |number| number.wrapping_add(more))
}

/// Raises a number to another, if it is less, and returns what it was.
fn raise(number: &AtomicU64, to: u64) -> u64 {
    let current = number.load(Relaxed);
    if current >= to { current } else { change(number, |number| number.max(to)) }
}

impl Record {
    pub(super) fn new(called: &Called) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            kind: called.kind,
            label: called.label,
            first_used: called.place,
            acquisitions: zero(),
            contended: zero(),
            spun: zero(),
            parked: zero(),
            timed_out: zero(),
            total_wait: zero(),
            longest_wait: zero(),
            longest_hold: zero(),
            histogram: array![AtomicU64::new(0); BUCKETS],
            waiting: zero(),
            waiting_writers: zero(),
            charged: zero(),
            holder: AtomicPtr::new(ptr::null_mut()),
            upgradable: AtomicPtr::new(ptr::null_mut()),
            reader: AtomicPtr::new(ptr::null_mut()),
            places: array![AtomicPtr::new(ptr::null_mut()); HOLDERS],
            charges: array![AtomicU64::new(0); HOLDERS + 1],
        }
    }

    /// Notes that a call cannot go on at once. Returns how many wait now, this one among them, and what was
    /// charged.
    pub(super) fn begin(&self, now: u64, mode: Mode) -> (u64, Charges) {
        add(&self.contended, 1);
        if self.waiting.load(Relaxed) == 0 {
            // No thread waited, so the time up to now is no thread's to charge.
            raise(&self.charged, now);
        } else {
            self.charge(now);
        }
        if mode == Mode::Upgrade {
            // The holder is the waiter itself: it waits for readers.
            self.holder.store(self.reader.load(Relaxed), Relaxed);
        }
        add(&self.waiting_writers, u64::from(mode.is_exclusive()));
        let waiting = add(&self.waiting, 1) + 1;
        (waiting, self.charges())
    }

    /// Notes that such a call has ended.
    pub(super) fn end(&self, now: u64, ending: Ending) {
        self.charge(now);
        let Ending { nanos, parked, locked, mode } = ending;
        if mode == Mode::Upgrade && !locked {
            // It keeps others waiting as before.
            self.holder.store(self.upgradable.load(Relaxed), Relaxed);
        }
        // Not below 0: it may have begun just before all began anew.
        change(&self.waiting, |waiting| waiting.saturating_sub(1));
        change(&self.waiting_writers, |waiting| waiting.saturating_sub(u64::from(mode.is_exclusive())));
        let counted = [(&self.parked, parked), (&self.timed_out, !locked), (&self.spun, locked && !parked)];
        for (number, _) in counted.into_iter().filter(|&(_, counts)| counts) {
            add(number, 1);
        }
        add(&self.total_wait, nanos);
        raise(&self.longest_wait, nanos);
        add(&self.histogram[bucket(nanos)], 1);
    }

    /// Notes that a thread has locked.
    #[inline]
    pub(super) fn locked(&self, at: &'static At, mode: Mode) {
        if mode.is_exclusive() {
            self.locked_alone();
            self.holder.store(pointer(at), Relaxed);
            return;
        }
        add(&self.acquisitions, 1);
        if mode == Mode::Upgradable {
            self.upgradable.store(pointer(at), Relaxed);
            self.holder.store(pointer(at), Relaxed);
            return;
        }
        if !ptr::eq(self.reader.load(Relaxed), at) {
            self.reader.store(pointer(at), Relaxed);
        }
        // Readers that wait, or are on their way still, wait for a writer.
        if self.waiting.load(Relaxed) == 0 && self.upgradable.load(Relaxed).is_null() {
            self.holder.store(pointer(at), Relaxed);
        }
    }

    /// Counts a lock by a thread that keeps all others out: it may hold it already, and then that is all.
    #[inline]
    pub(super) fn locked_alone(&self) {
        // Not an exchange: the holder alone changes it, and readers are not there.
        self.acquisitions.store(self.acquisitions.load(Relaxed) + 1, Relaxed);
    }

    /// Notes that a thread is about to unlock, or to drop one of several guards, and how long it was held.
    #[inline]
    pub(super) fn was_held(&self, held: u64) {
        if self.longest_hold.load(Relaxed) < held {
            raise(&self.longest_hold, held);
        }
    }

    /// Notes that a thread is about to unlock.
    #[inline]
    pub(super) fn unlocking(&self, at: &'static At, mode: Mode, now: u64) {
        let alone = mode == Mode::Upgradable || mode.is_exclusive();
        if mode == Mode::Upgradable {
            self.upgradable.store(ptr::null_mut(), Relaxed);
        }
        let kept = if alone { &self.waiting } else { &self.waiting_writers };
        if kept.load(Relaxed) > 0 {
            self.holder.store(pointer(at), Relaxed);
            self.charge(now);
        }
    }

    /// Charges the time since the last event to the place where the lock was taken last.
    fn charge(&self, now: u64) {
        let before = raise(&self.charged, now);
        if before < now {
            let holder = self.holder.load(Relaxed);
            add(&self.charges[self.place(holder)], now - before);
        }
    }

    /// Returns the number of a holder's place; the last if it has none.
    fn place(&self, holder: *mut At) -> usize {
        if holder.is_null() {
            return HOLDERS;
        }
        for (number, place) in self.places.iter().enumerate() {
            let mut known = place.load(Relaxed);
            if known.is_null() {
                known = match place.compare_exchange(known, holder, Relaxed, Relaxed) {
                    Ok(_) => holder,
                    Err(actual) => actual,
                };
            }
            if ptr::eq(known, holder) {
                return number;
            }
        }
        HOLDERS
    }

    fn charges(&self) -> Charges {
        self.charges.each_ref().map(|charge| charge.load(Relaxed))
    }

    /// Divides a wait of so many nanoseconds that began with these charges: by place, the greatest part
    /// first.
    pub(super) fn divide(&self, nanos: u64, before: &Charges) -> Vec<(Option<&'static At>, u64)> {
        let now = self.charges();
        let parts: Vec<(usize, u64)> = (0..=HOLDERS)
            .map(|place| (place, now[place].saturating_sub(before[place])))
            .filter(|&(_, part)| part > 0)
            .collect();
        let sum: u64 = parts.iter().map(|&(_, part)| part).sum();
        let at = |number: usize| {
            let place = self.places.get(number)?.load(Relaxed);
            // SAFETY: null, or a place in the source, which lives as long as the process.
            unsafe { place.as_ref() }
        };
        let mut divided: Vec<(Option<&'static At>, u64)> = parts
            .into_iter()
            .map(|(number, part)| {
                let share = u128::from(nanos) * u128::from(part) / u128::from(sum);
                (at(number), u64::try_from(share).unwrap_or(u64::MAX))
            })
            .collect();
        divided.sort_by_key(|&(_, part)| std::cmp::Reverse(part));
        // What rounding has left over, or all of it.
        let rest = nanos - divided.iter().map(|&(_, part)| part).sum::<u64>();
        match divided.first_mut() {
            Some((_, part)) => *part += rest,
            None => divided.push((None, nanos)),
        }
        divided
    }

    /// Begins anew. What waits now is not counted any more.
    pub(super) fn clear(&self) {
        let numbers = [
            &self.acquisitions,
            &self.contended,
            &self.spun,
            &self.parked,
            &self.timed_out,
            &self.total_wait,
            &self.longest_wait,
            &self.longest_hold,
            &self.waiting,
            &self.waiting_writers,
        ];
        numbers.into_iter().chain(&self.histogram).for_each(|number| number.store(0, Relaxed));
        // It may have unlocked while no profile was taken.
        self.upgradable.store(ptr::null_mut(), Relaxed);
    }

    pub(super) fn numbers(&self, number: Option<u64>) -> LockNumbers {
        let count = |number: &AtomicU64| number.load(Relaxed);
        let time = |number: &AtomicU64| std::time::Duration::from_nanos(number.load(Relaxed));
        LockNumbers {
            kind: self.kind,
            name: self.label.name(),
            number,
            first_used: Place(self.first_used),
            acquisitions: count(&self.acquisitions),
            contended: count(&self.contended),
            spun: count(&self.spun),
            parked: count(&self.parked),
            timed_out: count(&self.timed_out),
            total_wait: time(&self.total_wait),
            longest_wait: time(&self.longest_wait),
            longest_hold: time(&self.longest_hold),
            histogram: self.histogram.each_ref().map(count),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::Location;
    use std::time::Duration;

    use super::super::data::bucket;
    use super::{At, Ending, Record};
    use crate::observe::{Called, Kind, Label, Mode};

    #[track_caller]
    fn here() -> &'static At {
        Location::caller()
    }

    fn record() -> Record {
        let (kind, mode, label) = (Kind::Mutex, Mode::Lock, Label::None);
        Record::new(&Called { id: 1, kind, mode, count: 1, shared: false, label, place: here() })
    }

    fn slept(nanos: u64) -> Ending {
        Ending { nanos, parked: true, locked: true, mode: Mode::Lock }
    }

    #[test]
    fn wait_is_charged_to_the_holders_in_turn() {
        let (record, first, second) = (record(), here(), here());
        record.locked(first, Mode::Lock);
        let (waiting, before) = record.begin(1_000, Mode::Lock);
        assert_eq!(waiting, 1);
        record.unlocking(first, Mode::Lock, 1_300);
        record.locked(second, Mode::Lock);
        record.unlocking(second, Mode::Lock, 2_000);
        record.end(2_000, slept(1_000));
        let parts = record.divide(1_000, &before);
        assert_eq!(parts.iter().map(|&(_, part)| part).collect::<Vec<_>>(), [700, 300]);
        assert_eq!(parts.iter().map(|&(at, _)| at.unwrap().line()).collect::<Vec<_>>(), [second.line(); 2]);
        assert_eq!(parts[0].0.unwrap().column(), second.column());
        assert_eq!(parts[1].0.unwrap().column(), first.column());
    }

    #[test]
    fn each_waiter_is_charged_for_its_own_time() {
        let (record, first, second) = (record(), here(), here());
        record.locked(first, Mode::Lock);
        let (_, early) = record.begin(1_000, Mode::Lock);
        let (waiting, late) = record.begin(1_400, Mode::Lock);
        assert_eq!(waiting, 2);
        record.unlocking(first, Mode::Lock, 1_500);
        record.end(1_500, slept(500));
        record.locked(second, Mode::Lock);
        assert_eq!(record.divide(500, &early), [(Some(first), 500)]);
        record.unlocking(second, Mode::Lock, 2_500);
        record.end(2_500, slept(1_100));
        assert_eq!(record.divide(1_100, &late), [(Some(second), 1_000), (Some(first), 100)]);
    }

    #[test]
    fn readers_are_charged_for_writers_alone() {
        let (record, writer, reader) = (record(), here(), here());
        record.locked(writer, Mode::Lock);
        let (_, before) = record.begin(0, Mode::Read);
        record.unlocking(writer, Mode::Lock, 100);
        // Another reader was faster.
        record.locked(reader, Mode::Read);
        record.unlocking(reader, Mode::Read, 120);
        record.end(150, Ending { nanos: 150, parked: true, locked: true, mode: Mode::Read });
        assert_eq!(record.divide(150, &before), [(Some(writer), 150)]);
        record.locked(reader, Mode::Read);
        let (_, before) = record.begin(200, Mode::Lock);
        record.unlocking(reader, Mode::Read, 300);
        record.end(300, slept(100));
        assert_eq!(record.divide(100, &before), [(Some(reader), 100)]);
    }

    #[test]
    fn upgrade_is_charged_to_readers_and_others_to_the_upgradable_reader() {
        let (record, upgradable, reader) = (record(), here(), here());
        record.locked(upgradable, Mode::Upgradable);
        record.locked(reader, Mode::Read);
        let (_, other) = record.begin(0, Mode::Upgradable);
        let (_, own) = record.begin(100, Mode::Upgrade);
        record.end(300, Ending { nanos: 200, parked: true, locked: false, mode: Mode::Upgrade });
        assert_eq!(record.divide(200, &own), [(Some(reader), 200)]);
        record.unlocking(upgradable, Mode::Upgradable, 900);
        record.end(900, Ending { nanos: 900, parked: true, locked: true, mode: Mode::Upgradable });
        assert_eq!(record.divide(900, &other), [(Some(upgradable), 700), (Some(reader), 200)]);
    }

    #[test]
    fn time_without_waiters_is_charged_to_none() {
        let (record, at) = (record(), here());
        record.locked(at, Mode::Lock);
        record.unlocking(at, Mode::Lock, 120);
        record.locked(at, Mode::Lock);
        let (_, before) = record.begin(1_000_000, Mode::Lock);
        record.end(1_000_010, slept(10));
        assert_eq!(record.divide(10, &before), [(Some(at), 10)]);
        assert_eq!(record.divide(10, &record.charges()), [(None, 10)], "no holder is known");
    }

    #[test]
    fn numbers_say_how_calls_ended() {
        let (record, at) = (record(), here());
        for ending in [
            Ending { nanos: 500, parked: false, locked: true, mode: Mode::Lock },
            Ending { nanos: 3_000, parked: true, locked: true, mode: Mode::Lock },
            Ending { nanos: 5_000_000, parked: true, locked: false, mode: Mode::Lock },
        ] {
            record.begin(0, Mode::Lock);
            record.end(0, ending);
        }
        record.locked(at, Mode::Lock);
        record.locked(at, Mode::Read);
        record.was_held(77);
        record.unlocking(at, Mode::Lock, 0);
        let numbers = record.numbers(Some(1));
        assert_eq!((numbers.acquisitions, numbers.contended), (2, 3));
        assert_eq!((numbers.spun, numbers.parked, numbers.timed_out), (1, 2, 1));
        assert_eq!(numbers.total_wait, Duration::from_nanos(5_003_500));
        assert_eq!(numbers.longest_wait, Duration::from_millis(5));
        assert_eq!(numbers.longest_hold, Duration::from_nanos(77));
        let counted: Vec<_> = numbers.histogram().filter(|&(_, waits)| waits > 0).collect();
        let micros = Duration::from_micros;
        assert_eq!(counted, [(micros(1), 1), (micros(4), 1), (micros(8192), 1)]);
    }

    #[test]
    fn buckets_are_powers_of_two() {
        assert_eq!([0, 999, 1000, 1999, 2000, 4000].map(bucket), [0, 0, 1, 1, 2, 3]);
        assert_eq!(bucket(u64::MAX), super::BUCKETS - 1);
    }
}
