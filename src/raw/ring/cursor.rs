//! The values of a ring's cursors, and how positions are numbered. What each bit means stands at the head of
//! [`ring`](super).

use crate::facade::budget;

/// A value of a cursor's word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor(pub(super) u64);

impl Cursor {
    pub(super) const CLOSED: u64 = 1;
    pub(super) const WAITING: u64 = 2;
    pub(super) const MOVING: u64 = 4;
    pub(super) const KEPT: u64 = 8;
    const SHIFT: u32 = 4;

    pub(super) fn is(self, bit: u64) -> bool {
        self.0 & bit != 0
    }

    pub(super) fn with(self, bit: u64) -> Self {
        Self(self.0 | bit)
    }

    pub(super) fn without(self, bit: u64) -> Self {
        Self(self.0 & !bit)
    }

    pub(super) fn keeping(self, kept: bool) -> Self {
        if kept { self.with(Self::KEPT) } else { self.without(Self::KEPT) }
    }

    /// Returns whether one place, or item, is not for a thread that was `handed` its turn or not.
    #[inline(always)]
    pub(super) fn keeps_from(self, handed: bool) -> bool {
        !handed && self.is(Self::KEPT)
    }

    /// Returns the bits that a claim clears, by a thread that was `handed` its turn or not.
    #[inline(always)]
    pub(super) const fn ended_by(handed: bool) -> u64 {
        if handed { Self::WAITING | Self::KEPT } else { Self::WAITING }
    }

    pub(super) fn position(self) -> u64 {
        self.0 >> Self::SHIFT
    }
}

/// Where a claim begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) lap: u64,
    pub(crate) index: usize,
}

/// How positions are numbered: `size` of them in each lap, or in each segment of a chain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) capacity: usize,
    size: u32,
    /// How many bits the index within a lap has.
    bits: u32,
    pub(crate) chained: bool,
}

impl Shape {
    /// The most places for which one ring is made; for more it is a chain of segments.
    const LARGEST_RING: usize = budget(1024, 4) as usize;
    /// Places of a segment: a power of two, and not fewer than a batch.
    pub(crate) const SEGMENT: usize = budget(128, 2) as usize;

    pub(crate) const fn new(capacity: usize) -> Self {
        let chained = capacity > Self::LARGEST_RING;
        let size = if chained { Self::SEGMENT } else { capacity };
        Self { capacity, size: size as u32, bits: size.next_power_of_two().trailing_zeros(), chained }
    }

    #[inline]
    pub(super) fn at(&self, cursor: Cursor) -> At {
        let position = cursor.position();
        At { lap: position >> self.bits, index: (position & ((1 << self.bits) - 1)) as usize }
    }

    /// Returns how many positions there were before this one, since the beginning.
    pub(super) fn count(&self, cursor: Cursor) -> u64 {
        let At { lap, index } = self.at(cursor);
        lap * u64::from(self.size) + index as u64
    }

    /// Returns the length of a queue with these cursors. Those of two moments may have passed each other:
    /// then it was empty.
    pub(super) fn between(&self, head: Cursor, tail: Cursor) -> usize {
        usize::try_from(self.count(tail).saturating_sub(self.count(head))).unwrap_or(usize::MAX)
    }

    /// Returns for how many more there is room.
    pub(super) fn room(&self, head: Cursor, tail: Cursor) -> usize {
        self.capacity.saturating_sub(self.between(head, tail))
    }

    /// Returns the cursor `n` positions further, `n` being the capacity at most if it is not a chain.
    #[inline]
    pub(super) fn advance(&self, cursor: Cursor, n: usize) -> Cursor {
        let At { lap, index } = self.at(cursor);
        let (index, size) = (index as u64 + n as u64, u64::from(self.size));
        let position = if self.chained {
            (lap << self.bits) + index
        } else if index < size {
            (lap << self.bits) | index
        } else {
            ((lap + 1) << self.bits) | (index - size)
        };
        Cursor(position << Cursor::SHIFT | cursor.0 & ((1 << Cursor::SHIFT) - 1))
    }
}
