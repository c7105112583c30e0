//! What a profile says: data that was read, for a person or for a tool.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::super::Place;
use super::{folded, pprof, trace};
use crate::observe::{Kind, Mode};

/// Where time went that threads waited for locks, see [`profile`](super::super::profile()).
///
/// ```
/// use lockwork::{Mutex, diagnose};
/// use std::{num::NonZero, thread, time::Duration};
///
/// let session = diagnose::start(diagnose::Settings {
///     profile: NonZero::new(1),
///     ..diagnose::Settings::default()
/// });
/// let sessions = Mutex::named("sessions", ());
/// thread::scope(|s| {
///     for _ in 0..2 {
///         s.spawn(|| {
///             let _guard = sessions.lock();
///             thread::sleep(Duration::from_millis(10));
///         });
///     }
/// });
/// let profile = diagnose::profile();
/// let numbers = profile.locks().iter().find(|lock| lock.name == Some("sessions")).unwrap();
/// assert_eq!(numbers.acquisitions, 2);
/// let mut folded = Vec::new();
/// profile.write_folded(&mut folded).unwrap();
/// # drop(session);
/// ```
#[derive(Clone, Debug)]
pub struct Profile {
    pub(super) began: SystemTime,
    pub(super) length: Duration,
    pub(super) one_in: u32,
    pub(super) entries: Vec<Contention>,
    pub(super) locks: Vec<LockNumbers>,
    pub(super) waits: Vec<Arc<TimedWait>>,
}

/// Waits for one lock in one place that were made by acquisitions in one other place.
///
/// A wait is charged to all that held the lock meanwhile, to each for as long as it did. So the sum of
/// `total` over all entries is the time that was waited, and the sum of `count` is the number of waits.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Contention {
    /// What kind of lock it is.
    pub kind: Kind,
    /// Its name, or that of its class.
    pub name: Option<&'static str>,
    /// A number that no other lock has or had. `None` if the lock is gone.
    pub number: Option<u64>,
    /// Where the lock was used first.
    pub first_used: Place,
    /// How it was wanted.
    pub mode: Mode,
    /// Where it was waited for.
    pub waited_at: Place,
    /// Where the lock was taken by the threads that held it. `None` if that is not known.
    pub held_at: Option<Place>,
    /// The waits of which this was the greater part. An estimate if not all were measured.
    pub count: u64,
    /// The time. An estimate if not all waits were measured.
    pub total: Duration,
    /// The longest part of one wait.
    pub longest: Duration,
    /// How many threads waited for the lock at most, this one among them.
    pub most_waiting: u32,
}

/// What has become of all calls that lock one lock.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LockNumbers {
    /// What kind of lock it is.
    pub kind: Kind,
    /// Its name, or that of its class.
    pub name: Option<&'static str>,
    /// A number that no other lock has or had. `None` for those that are gone: they are counted together by
    /// kind, name and where they were used first.
    pub number: Option<u64>,
    /// Where it was used first.
    pub first_used: Place,
    /// How often it was locked. Each step of a guard that locks in another way counts as well: an upgrade and
    /// a downgrade, and that a lock is taken again after `unlocked`, `bump` or a condition variable's wait.
    pub acquisitions: u64,
    /// How many calls could not go on at once.
    pub contended: u64,
    /// How many of them got it without going to sleep.
    pub spun: u64,
    /// How many of them went to sleep.
    pub parked: u64,
    /// How many of them got nothing before their time-out.
    pub timed_out: u64,
    /// How long they waited in sum.
    pub total_wait: Duration,
    /// The longest wait.
    pub longest_wait: Duration,
    /// The longest time that it was held, to some milliseconds.
    pub longest_hold: Duration,
    pub(super) histogram: [u64; BUCKETS],
}

/// The numbers of waits are counted by length: shorter than a microsecond, than two, than four, and so on.
pub(super) const BUCKETS: usize = 27;

/// Returns the place in a histogram of a wait of so many nanoseconds.
pub(super) fn bucket(nanos: u64) -> usize {
    ((u64::BITS - (nanos / 1000).leading_zeros()) as usize).min(BUCKETS - 1)
}

impl LockNumbers {
    /// Counts the waits by length: each number is of those that were shorter than the length beside it, and
    /// not shorter than the one before. The last length is [`Duration::MAX`].
    pub fn histogram(&self) -> impl Iterator<Item = (Duration, u64)> {
        self.histogram.iter().enumerate().map(|(bucket, &waits)| {
            let last = bucket == BUCKETS - 1;
            (if last { Duration::MAX } else { Duration::from_micros(1 << bucket) }, waits)
        })
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.acquisitions += other.acquisitions;
        self.contended += other.contended;
        self.spun += other.spun;
        self.parked += other.parked;
        self.timed_out += other.timed_out;
        self.total_wait += other.total_wait;
        self.longest_wait = self.longest_wait.max(other.longest_wait);
        self.longest_hold = self.longest_hold.max(other.longest_hold);
        self.histogram.iter_mut().zip(&other.histogram).for_each(|(sum, waits)| *sum += waits);
    }
}

/// One wait that was measured.
#[derive(Clone, Debug)]
pub(super) struct TimedWait {
    pub(super) thread: u64,
    pub(super) thread_name: String,
    pub(super) lock: String,
    pub(super) call: String,
    pub(super) waited_at: Place,
    pub(super) held_at: Option<Place>,
    /// Since the profile began.
    pub(super) since: Duration,
    pub(super) length: Duration,
    pub(super) waiting: u32,
}

/// Describes a lock.
pub(super) fn lock_in_words(
    kind: Kind,
    name: Option<&'static str>,
    number: Option<u64>,
    first_used: Place,
) -> String {
    match (name, number) {
        (Some(name), _) => format!("{} {name:?}", kind.name()),
        (None, Some(number)) => format!("{} #{number}", kind.name()),
        (None, None) => format!("{} of {first_used}", kind.name()),
    }
}

impl Contention {
    /// Describes the lock, the call that waited, and the acquisition that made it wait.
    pub(super) fn frames(&self) -> [(String, Option<Place>); 3] {
        let lock = lock_in_words(self.kind, self.name, self.number, self.first_used);
        let call = format!("{} at {}", self.kind.call(self.mode), self.waited_at);
        let held = self.held_at.map_or("held elsewhere".to_owned(), |place| format!("held from {place}"));
        [(lock, Some(self.first_used)), (call, Some(self.waited_at)), (held, self.held_at)]
    }
}

impl Profile {
    /// Returns the waits by lock, place and what made them wait, those first that cost most.
    #[must_use]
    pub fn entries(&self) -> &[Contention] {
        &self.entries
    }

    /// Returns what has become of all calls by lock, those first that were waited for longest in sum.
    #[must_use]
    pub fn locks(&self) -> &[LockNumbers] {
        &self.locks
    }

    /// Writes it for `pprof` and what else reads its format: Protocol Buffers, not compressed. A stack is a
    /// lock, the call that waited, and, innermost, the acquisition that made it wait.
    ///
    /// ```sh
    /// go tool pprof -top locks.pb
    /// ```
    ///
    /// # Errors
    ///
    /// What `out` says.
    pub fn write_pprof(&self, mut out: impl Write) -> io::Result<()> {
        out.write_all(&pprof::encode(self))
    }

    /// Writes folded stacks, of which flame graphs are made: a line for each entry, with nanoseconds.
    ///
    /// ```sh
    /// inferno-flamegraph --countname ns locks.folded > locks.svg
    /// ```
    ///
    /// # Errors
    ///
    /// What `out` says.
    pub fn write_folded(&self, out: impl Write) -> io::Result<()> {
        folded::write(self, out)
    }

    /// Writes the last waits that were measured, one by one, in Chrome's trace format, which Perfetto opens.
    ///
    /// # Errors
    ///
    /// What `out` says.
    pub fn write_trace(&self, out: impl Write) -> io::Result<()> {
        trace::write(self, out)
    }
}

/// For a person: the locks that were waited for, and below each what made threads wait.
impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total: Duration = self.locks.iter().map(|lock| lock.total_wait).sum();
        write!(f, "{:.1?} of waits in {:.1?}", total, self.length)?;
        if self.one_in > 1 {
            write!(f, ", one in {} looked at", self.one_in)?;
        }
        for lock in self.locks.iter().filter(|lock| lock.contended > 0) {
            let name = lock_in_words(lock.kind, lock.name, lock.number, lock.first_used);
            write!(f, "\n{name}: locked {} times, {} contended", lock.acquisitions, lock.contended)?;
            write!(f, " ({} spun, {} slept, {} timed out)", lock.spun, lock.parked, lock.timed_out)?;
            write!(f, ", waited {:.1?}, {:.1?} at most", lock.total_wait, lock.longest_wait)?;
            write!(f, ", held {:.1?} at most", lock.longest_hold)?;
            let own = |entry: &&Contention| {
                (entry.kind, entry.name, entry.number, entry.first_used)
                    == (lock.kind, lock.name, lock.number, lock.first_used)
            };
            for entry in self.entries.iter().filter(own) {
                let [_, (call, _), (held, _)] = entry.frames();
                write!(f, "\n  {:.1?} {call}, {held}", entry.total)?;
                write!(f, "; {} waits, {} waiting at most", entry.count, entry.most_waiting)?;
            }
        }
        Ok(())
    }
}
