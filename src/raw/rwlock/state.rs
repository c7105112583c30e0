//! The state word of the reader-writer lock, and what each role makes of it.
//!
//! ```text
//!   31            9 8               7 6             5          4              3      2          1        0
//!  ┌───────────────┬─────────────────┬─────────────┬──────────┬──────────────┬──────┬──────────┬────────┬──────┐
//!  │counted readers│consecutive reads│READER_BIASED│DESIGNATED│WRITER_WAITING│QUEUED│UPGRADABLE│DRAINING│WRITER│
//!  └───────────────┴─────────────────┴─────────────┴──────────┴──────────────┴──────┴──────────┴────────┴──────┘
//! ```
//!
//! What the bits mean together stands in the table of the [module's page](super).

use std::fmt;
use std::ptr;

use crate::wait::numbers::BIAS_READS;
use crate::wait::{Place, Waiter};

pub(super) const WRITER: u32 = 1;
pub(super) const DRAINING: u32 = WRITER << 1;
pub(super) const UPGRADABLE: u32 = DRAINING << 1;
pub(super) const QUEUED: u32 = UPGRADABLE << 1;
pub(super) const WRITER_WAITING: u32 = QUEUED << 1;
pub(super) const DESIGNATED: u32 = WRITER_WAITING << 1;
pub(super) const READER_BIASED: u32 = DESIGNATED << 1;
/// The unit of reads with no writer between them.
const CONSECUTIVE_READ: u32 = READER_BIASED << 1;
const CONSECUTIVE_READS: u32 = CONSECUTIVE_READ | CONSECUTIVE_READ << 1;
/// The unit of counted readers.
pub(super) const READER: u32 = CONSECUTIVE_READ << 2;

/// The most readers that can be counted. Visible readers come on top.
pub(super) const MAX_READERS: u32 = u32::MAX / READER;
/// One thread at most has either of these.
pub(super) const TOKEN: u32 = WRITER | UPGRADABLE;
/// While one of these is set no thread gets the token.
pub(super) const TOKEN_TAKEN: u32 = TOKEN | DRAINING;
/// While one of these is set, more than reading goes on in the lock.
const BUSY: u32 = TOKEN_TAKEN | QUEUED | WRITER_WAITING | DESIGNATED;

/// After so many consecutive reads the reader bias is enabled.
const BIAS_THRESHOLD: u32 = BIAS_READS * CONSECUTIVE_READ;

const _: () =
    assert!(BUSY | READER_BIASED | CONSECUTIVE_READS == READER - 1, "the flags fill what is below the count");
const _: () =
    assert!(BUSY == READER_BIASED - 1 && BUSY & READER_BIASED == 0, "all other flags are below the bias");
const _: () = assert!(BIAS_THRESHOLD & !CONSECUTIVE_READS == 0, "the threshold can be counted to");
const _: () = assert!(MAX_READERS == 8_388_607, "the public page and the guides name the limit");

/// A value of the lock's state word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct State(pub(super) u32);

impl State {
    pub(super) const FREE: Self = Self(0);

    /// Returns whether any of these bits is set.
    pub(super) const fn has(self, bits: u32) -> bool {
        self.0 & bits != 0
    }

    pub(super) const fn with(self, bits: u32) -> Self {
        Self(self.0 | bits)
    }

    pub(super) const fn without(self, bits: u32) -> Self {
        Self(self.0 & !bits)
    }

    /// Returns whether a writer has the lock, and waits for no reader any more.
    pub(super) const fn is_write_locked(self) -> bool {
        self.has(WRITER) && !self.has(DRAINING)
    }

    /// Returns whether a writer waits until the readers have left.
    pub(super) const fn is_draining(self) -> bool {
        self.has(WRITER) && self.has(DRAINING)
    }

    /// Returns whether readers are in, or may be, and no writer has the lock or waits for them to leave.
    pub(super) const fn is_read_locked(self) -> bool {
        !self.has(WRITER) && (self.has(UPGRADABLE | READER_BIASED) || self.has_readers())
    }

    /// Returns whether readers may be in that are not counted.
    pub(super) const fn is_reader_biased(self) -> bool {
        self.has(READER_BIASED)
    }

    /// Returns whether a reader may publish itself instead of being counted.
    pub(super) const fn admits_visible_readers(self) -> bool {
        self.0 & (READER_BIASED | WRITER | DRAINING | WRITER_WAITING) == READER_BIASED
    }

    /// Returns whether the reader bias is worth enabling, and nothing stands against it.
    pub(super) const fn is_ready_for_bias(self) -> bool {
        !self.has(BUSY) && self.0 & CONSECUTIVE_READS == BIAS_THRESHOLD
    }

    pub(super) const fn with_bias(self) -> Self {
        self.without(CONSECUTIVE_READS).with(READER_BIASED)
    }

    /// Returns the number of readers that are counted.
    pub(super) const fn readers(self) -> u32 {
        self.0 / READER
    }

    pub(super) const fn has_readers(self) -> bool {
        self.readers() != 0
    }

    pub(super) const fn is_full(self) -> bool {
        self.readers() == MAX_READERS
    }

    pub(super) const fn with_readers(self, n: u32) -> Self {
        Self(self.0 + n * READER)
    }

    /// Returns the state without one counted reader.
    pub(super) const fn without_reader(self) -> Self {
        Self(self.0 - READER)
    }

    /// Returns the state after one more of several consecutive reads, if nothing but reading goes on in the
    /// lock.
    pub(super) const fn with_consecutive_read(self) -> Option<Self> {
        if self.has(BUSY) || self.0 & CONSECUTIVE_READS == BIAS_THRESHOLD || self.is_full() {
            return None;
        }
        Some(Self(self.0 + READER + CONSECUTIVE_READ))
    }

    pub(super) const fn without_consecutive_reads(self) -> Self {
        self.without(CONSECUTIVE_READS)
    }

    /// Returns the state in which a thread that had `held` of the token has the lock for writing.
    pub(super) const fn write_locked(self, held: u32) -> Self {
        self.without(CONSECUTIVE_READS | held).with(WRITER)
    }

    /// Returns the state in which a writer has the lock, or will when the readers have left.
    pub(super) const fn claimed_for_writing(self) -> Self {
        let draining = if self.has_readers() || self.is_reader_biased() { DRAINING } else { 0 };
        self.without(CONSECUTIVE_READS).with(WRITER | draining)
    }

    /// Returns the state in which the writer that was waiting for readers to leave has the lock.
    pub(super) const fn drained(self) -> Self {
        self.without(DRAINING | READER_BIASED)
    }

    /// Returns what a [`Plan`](super::plan::Plan) depends on: it holds in all states for which this is the
    /// same.
    pub(super) const fn planned_for(self) -> (u32, bool) {
        (self.0 & (BUSY | READER_BIASED), self.has_readers())
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (WRITER, "WRITER"),
            (DRAINING, "DRAINING"),
            (UPGRADABLE, "UPGRADABLE"),
            (QUEUED, "QUEUED"),
            (WRITER_WAITING, "WRITER_WAITING"),
            (DESIGNATED, "DESIGNATED"),
            (READER_BIASED, "READER_BIASED"),
        ];
        let mut list = f.debug_list();
        for (_, name) in names.iter().filter(|(bit, _)| self.has(*bit)) {
            list.entry(&format_args!("{name}"));
        }
        list.entry(&format_args!("{} readers", self.readers())).finish()
    }
}

/// How a thread wants the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Read,
    /// Reads as well, and may do so already: waiting writers do not stop it.
    ReadAgain,
    Upgradable,
    Write,
    /// Has WRITER and DRAINING, and waits until the readers have left.
    Drain,
}

impl Role {
    const ALL: [Self; 5] = [Self::Read, Self::ReadAgain, Self::Upgradable, Self::Write, Self::Drain];

    /// Returns the state after a thread of this role has come in, if it may. `designated` is DESIGNATED for
    /// the designated waker, which comes before all threads that still wait.
    #[inline]
    pub(super) const fn enter(self, state: State, designated: u32) -> Option<State> {
        let held_back = designated == 0 && state.has(WRITER_WAITING);
        let next = match self {
            Self::Read if state.has(WRITER) || held_back => return None,
            Self::ReadAgain if state.is_write_locked() => return None,
            Self::Read | Self::ReadAgain if state.is_full() => return None,
            Self::Read | Self::ReadAgain => state.with_readers(1),
            Self::Upgradable if state.has(TOKEN_TAKEN) || held_back => return None,
            Self::Upgradable => state.with(UPGRADABLE),
            Self::Write if state.has(TOKEN_TAKEN) => return None,
            // Those in the queue, or the designated waker, may be readers that are to go in with these.
            Self::Write if designated == 0 && state.has_readers() && state.has(QUEUED | DESIGNATED) => {
                return None;
            }
            Self::Write => state.claimed_for_writing(),
            Self::Drain => return None,
        };
        Some(next.without(designated))
    }

    pub(super) const fn reads(self) -> bool {
        matches!(self, Self::Read | Self::ReadAgain)
    }

    /// Returns whether a thread of this role could go on in this state, if no waiter were before it. (A
    /// reader goes on, too, to learn that there are too many.)
    pub(super) const fn could_go(self, state: State) -> bool {
        match self {
            Self::Read => !state.has(WRITER | WRITER_WAITING),
            Self::ReadAgain => !state.is_write_locked(),
            Self::Upgradable => !state.has(TOKEN_TAKEN | WRITER_WAITING),
            Self::Write => !state.has(TOKEN_TAKEN) && !state.has_readers(),
            Self::Drain => true,
        }
    }

    /// Returns the tag of a waiter of this role that is put in this place of the queue.
    pub(super) const fn tag(self, place: Place) -> *const () {
        ptr::without_provenance(((self as usize) << 1) | place as usize)
    }

    /// Returns the role of a waiter, and its place.
    pub(super) fn of(waiter: &Waiter) -> (Self, Place) {
        let tag = waiter.tag().addr();
        let place = if tag & 1 == Place::Front as usize { Place::Front } else { Place::Back };
        (Self::ALL[tag >> 1], place)
    }
}

const _: () = {
    let mut role = 0;
    while role < Role::ALL.len() {
        assert!(Role::ALL[role] as usize == role, "a tag is an index");
        role += 1;
    }
};
