//! A bounded queue of slots with sequence numbers (Vyukov): two cursors, and slots of a stamp and a value.
//!
//! ```text
//!   cursor   63                    4     3      2         1        0
//!           ┌───────────┬───────────┬──────┬─────────┬─────────┬────────┐
//!           │ lap       │ index     │ KEPT │ MOVING  │ WAITING │ CLOSED │
//!           └───────────┴───────────┴──────┴─────────┴─────────┴────────┘
//! ```
//!
//! A put claims positions by moving the tail, writes values into their slots, and publishes each by its
//! stamp. A get claims positions by moving the head, waits until each is published, reads the value, and
//! frees the slot by its stamp.
//!
//! | stamp of a slot, in lap `n` | meaning | who leaves it |
//! |---|---|---|
//! | `2n` | free for lap `n`, or claimed by a put that has not published yet | that put, to `2n + 1` |
//! | `2n + 1` | published, or claimed by a get that is reading it | that get, to `2n + 2`; a batch from a chain leaves it |
//!
//! | bit | on the tail | on the head |
//! |---|---|---|
//! | `CLOSED` | no more claims succeed; never cleared | never set |
//! | `WAITING` | a getter sleeps, or did lately, and no wake-up is under way | the same of a putter |
//! | `MOVING` | of a chain: the last claim reached the end of a segment, and its thread sets the pointer to the next | the same |
//! | `KEPT` | one place is for the putter that is handed its turn (`raw::sleepers`) | one item is for such a getter, until it is closed |
//!
//! Invariants:
//!
//! 1. Head ≤ tail ≤ head + capacity, in positions; both only grow. What lies between them is the length,
//!    claims included.
//! 2. A slot between two stamps belongs to the thread that claimed its position, alone.
//! 3. `WAITING` is set on the tail only while the tail is equal to the head, by an exchange of the tail; on
//!    the head only while the queue is full, by an exchange of the head. The claim that ends this state sees
//!    the bit, clears it with the same exchange, and its thread owes one wake-up. Registering and ending the
//!    wait are decided by the order of two exchanges of one word, so no fence is needed.
//! 4. Once `CLOSED` is set the tail's position does not change any more: a put and a close are decided by one
//!    exchange.
//! 5. While `KEPT` is set on the tail a put that was not handed its turn leaves one place free; so if there
//!    was one it stays. The claim of the one that was clears the bit. The same of gets and items while it is
//!    set on the head and the tail is not `CLOSED`. The exchange of the cursor decides: what its thread has
//!    seen of the other one can only have become more.
//!
//! Ordering: exchanges of a cursor are AcqRel and its loads acquire, on the edge `ring.cursor`, so the thread
//! that sees a position sees what made it possible, and the two cursors are never seen further apart than the
//! capacity. Values travel from put to get, and free slots back, by the stamp (`ring.published`,
//! `ring.freed`).
//!
//! Of a ring a thread claims only what it has seen free, or published, so that none waits while it has a
//! claim; of a batch the first slot is published, and freed, last. In a chain a get claims by count, and
//! waits for what is not published yet.
//!
//! Promised upward: items leave in the order in which they came; each put item is got once, or is left when
//! the queue is dropped; a claim that fails has changed nothing.
//!
//! Limits: no thread waits here but for another that is between two steps ([`retry_while_busy`], [`until`]).
//! A position that is claimed and not yet published, or not yet freed, is [`Refusal::Busy`]: it is never
//! taken for empty or full.

mod cursor;
mod slots;

use crate::facade::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Release},
};
use crate::facade::{const_fn, load_or_expected, reached, store_hint};
use crate::wait::{Backoff, Collisions};

use cursor::Cursor;
pub(crate) use cursor::{At, Shape};
pub(crate) use slots::{Slot, Slots};

/// Positions that a thread has for itself.
#[derive(Debug)]
#[must_use]
pub(crate) struct Claim {
    pub(crate) at: At,
    pub(crate) count: usize,
    /// The thread owes a wake-up to the other side (invariant 3), once it has done with the slots.
    pub(crate) wake: bool,
    /// The claim reached the end of a segment: its thread clears `MOVING`.
    pub(crate) moving: bool,
}

/// Why there is no claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Full, or empty.
    NotNow,
    /// Another thread is between claiming and publishing, or between claiming and freeing.
    Busy,
    /// Closed; of a get, and empty.
    Closed,
}

/// How far a put or a get looks before it says that it cannot go on now, and what is for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Not at the cursor of the other side, whose threads would have to fetch its line back, unless one is
    /// kept: *not now* may be *closed*, or be over by now.
    Own,
    /// At both, so that what it says was true at one moment.
    Both,
    /// At both, for a thread that was handed its turn: what is kept is for it.
    Handed,
}

impl Look {
    /// Looks at both, for a thread that was handed its turn or not.
    pub(crate) const fn thorough(handed: bool) -> Self {
        if handed { Self::Handed } else { Self::Both }
    }
}

/// Why a put or a get does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum No {
    /// It is full, or empty.
    NotNow,
    /// It is closed; of a get, and empty.
    Closed,
}

/// Asks until the answer is not that another thread is between two steps. In line and in one place, so that a
/// claim stays in registers.
#[inline(always)]
pub(crate) fn retry_while_busy<R>(mut ask: impl FnMut() -> Result<R, Refusal>) -> Result<R, No> {
    let mut backoff = Backoff::new();
    loop {
        match ask() {
            Ok(claim) => return Ok(claim),
            Err(Refusal::NotNow) => return Err(No::NotNow),
            Err(Refusal::Closed) => return Err(No::Closed),
            Err(Refusal::Busy) => {
                reached("between two steps");
                backoff.wait();
            }
        }
    }
}

/// Waits until another thread, which is between two steps, has done the second.
#[inline]
pub(crate) fn until(done: impl Fn() -> bool) {
    if !done() {
        let mut backoff = Backoff::new();
        while !done() {
            reached("step of another waited for");
            backoff.wait();
        }
    }
}

/// A cursor on cache lines of its own, with what its side last saw of the other.
#[repr(align(128))]
struct Line {
    cursor: AtomicU64,
    /// A position that the other cursor has reached: it may be further. Saves looking at the other's line.
    seen: AtomicU64,
}

impl Line {
    const_fn! {
        fn new() -> Self {
            Self { cursor: AtomicU64::new(0), seen: AtomicU64::new(0) }
        }
    }

    #[inline]
    fn load(&self) -> Cursor {
        // Acquire (ring.cursor): what made this position possible, such as a slot that was freed for it, is
        // seen.
        // proof: ring.load
        Cursor(self.cursor.load(Acquire))
    }

    #[inline]
    fn exchange(&self, current: Cursor, next: Cursor) -> Result<(), Cursor> {
        // Release (ring.cursor): the thread that sees the claim sees what made it possible. Acquire
        // (ring.cursor): on success the claims before this one, too, in whose segments and slots it goes on;
        // on failure as for a load.
        // proof: ring.exchange
        match self.cursor.compare_exchange_weak(current.0, next.0, AcqRel, Acquire) {
            Ok(_) => Ok(()),
            Err(actual) => Err(Cursor(actual)),
        }
    }

    /// Changes bits, or the answer is that `change` does not want to.
    fn update(&self, mut change: impl FnMut(Cursor) -> Option<Cursor>) -> Option<Cursor> {
        let mut current = self.load();
        loop {
            match self.exchange(current, change(current)?) {
                Ok(()) => return Some(current),
                Err(actual) => current = actual,
            }
        }
    }

    #[inline]
    fn seen(&self) -> Cursor {
        // Acquire (ring.seen): what made the position possible, such as the first segment of a chain. However
        // old, it is a lower bound.
        // proof: ring.seen
        Cursor(load_or_expected(|| self.seen.load(Acquire), 0))
    }

    #[inline]
    fn see(&self, other: Cursor) {
        // Release (ring.seen): what this thread has acquired with the position.
        // proof: ring.see
        store_hint(|| self.seen.store(other.0, Release));
    }
}

/// The two cursors of a queue.
pub(crate) struct Cursors {
    tail: Line,
    head: Line,
    shape: Shape,
}

impl Cursors {
    const_fn! {
        pub(crate) fn new(capacity: usize) -> Self {
            Self { tail: Line::new(), head: Line::new(), shape: Shape::new(capacity) }
        }
    }

    #[inline]
    pub(crate) const fn shape(&self) -> &Shape {
        &self.shape
    }

    #[inline]
    pub(crate) const fn capacity(&self) -> usize {
        self.shape.capacity
    }

    /// Returns where the next get claims.
    #[inline]
    pub(crate) fn head(&self) -> At {
        self.shape.at(self.head.load())
    }

    /// Returns where the next put claims.
    #[inline]
    pub(crate) fn tail(&self) -> At {
        self.shape.at(self.tail.load())
    }

    /// Returns how many places there are for putters that were not handed their turn, at a tail that keeps
    /// one.
    #[cold]
    fn places_beside_kept(&self, tail: Cursor) -> usize {
        self.shape.room(self.head.load(), tail).saturating_sub(1)
    }

    /// Returns how many items there are for getters that were not handed their turn, at a head that keeps
    /// one. None is kept once it is closed.
    #[cold]
    fn items_beside_kept(&self, head: Cursor) -> usize {
        let tail = self.tail.load();
        let len = self.shape.between(head, tail);
        if tail.is(Cursor::CLOSED) { usize::MAX } else { len.saturating_sub(1) }
    }

    /// Claims the next places of a ring, of which `free` tells how many there are.
    #[inline(always)]
    pub(crate) fn put_free(&self, look: Look, free: impl Fn(At) -> usize) -> Result<Claim, Refusal> {
        let handed = look == Look::Handed;
        let mut tail = self.tail.load();
        let mut collisions = Collisions::NONE;
        loop {
            if tail.is(Cursor::CLOSED) {
                return Err(Refusal::Closed);
            }
            let at = self.shape.at(tail);
            let mut count = free(at);
            if tail.keeps_from(handed) {
                let others = self.places_beside_kept(tail);
                if others == 0 {
                    return Err(Refusal::NotNow);
                }
                count = count.min(others);
            }
            if count != 0 {
                let next = self.shape.advance(tail, count).without(Cursor::ended_by(handed));
                match self.tail.exchange(tail, next) {
                    Ok(()) => return Ok(Claim::of(at, count, tail, next)),
                    Err(actual) => {
                        tail = actual;
                        collisions.pause();
                    }
                }
                continue;
            }
            let now = self.tail.load();
            if now != tail {
                tail = now;
                continue;
            }
            let full = || self.shape.room(self.head.load(), tail) == 0;
            return Err(if look == Look::Own || full() { Refusal::NotNow } else { Refusal::Busy });
        }
    }

    /// Claims the first items of a ring, of which `published` tells how many there are, as
    /// [`put_free`](Self::put_free) does places.
    #[inline(always)]
    pub(crate) fn get_published(
        &self,
        look: Look,
        published: impl Fn(At) -> usize,
    ) -> Result<Claim, Refusal> {
        let handed = look == Look::Handed;
        let mut head = self.head.load();
        let mut collisions = Collisions::NONE;
        loop {
            let at = self.shape.at(head);
            let mut count = published(at);
            if head.keeps_from(handed) {
                let others = self.items_beside_kept(head);
                if others == 0 {
                    return Err(Refusal::NotNow);
                }
                count = count.min(others);
            }
            if count != 0 {
                let next = self.shape.advance(head, count).without(Cursor::ended_by(handed));
                match self.head.exchange(head, next) {
                    Ok(()) => return Ok(Claim::of(at, count, head, next)),
                    Err(actual) => {
                        head = actual;
                        collisions.pause();
                    }
                }
                continue;
            }
            if look != Look::Own {
                let tail = self.tail.load();
                if self.shape.between(head, tail) == 0 {
                    return Err(if tail.is(Cursor::CLOSED) { Refusal::Closed } else { Refusal::NotNow });
                }
            }
            let now = self.head.load();
            if now == head {
                return Err(if look == Look::Own { Refusal::NotNow } else { Refusal::Busy });
            }
            head = now;
        }
    }

    /// Returns for how many more there is room behind the tail: the truth at some moment, or less, if that is
    /// `enough`.
    pub(crate) fn room(&self, enough: usize) -> usize {
        let tail = self.tail.load();
        let room = self.shape.room(self.tail.seen(), tail);
        if room >= enough {
            return room;
        }
        let head = self.head.load();
        self.tail.see(head);
        self.shape.room(head, tail)
    }

    /// Claims places of a chain by count: `wanted` of them, at least 1, or as many as there are. `look` is
    /// asked between the load of the cursor and the exchange; its last answer comes with the claim.
    #[inline(always)]
    pub(crate) fn put_many<X>(
        &self,
        handed: bool,
        wanted: usize,
        mut look: impl FnMut(At, usize) -> X,
    ) -> Result<(Claim, usize, X), Refusal> {
        let mut tail = self.tail.load();
        let mut collisions = Collisions::NONE;
        loop {
            if tail.is(Cursor::CLOSED) {
                return Err(Refusal::Closed);
            }
            let kept = usize::from(tail.keeps_from(handed));
            let mut room = self.shape.room(self.tail.seen(), tail).saturating_sub(kept);
            if room < wanted {
                let head = self.head.load();
                self.tail.see(head);
                room = self.shape.room(head, tail).saturating_sub(kept);
                if room == 0 {
                    return Err(Refusal::NotNow);
                }
            }
            if tail.is(Cursor::MOVING) {
                return Err(Refusal::Busy);
            }
            let (at, count) = (self.shape.at(tail), room.min(wanted));
            let looked = look(at, count);
            let next = self.next(tail, count, handed);
            match self.tail.exchange(tail, next) {
                Ok(()) => return Ok((Claim::of(at, count, tail, next), room - count, looked)),
                Err(actual) => {
                    tail = actual;
                    collisions.pause();
                }
            }
        }
    }

    /// Claims items of a chain by count, as [`put_many`](Self::put_many) does places.
    #[inline(always)]
    pub(crate) fn get_many<X>(
        &self,
        handed: bool,
        wanted: usize,
        mut look: impl FnMut(At, usize) -> X,
    ) -> Result<(Claim, X), Refusal> {
        let mut head = self.head.load();
        let mut collisions = Collisions::NONE;
        loop {
            let kept = usize::from(head.keeps_from(handed));
            let mut len = self.shape.between(head, self.head.seen()).saturating_sub(kept);
            if len < wanted {
                let tail = self.tail.load();
                self.head.see(tail);
                len = self.shape.between(head, tail);
                if !tail.is(Cursor::CLOSED) {
                    len = len.saturating_sub(kept);
                }
                if len == 0 {
                    return Err(if tail.is(Cursor::CLOSED) { Refusal::Closed } else { Refusal::NotNow });
                }
            }
            if head.is(Cursor::MOVING) {
                return Err(Refusal::Busy);
            }
            let (at, count) = (self.shape.at(head), len.min(wanted));
            let looked = look(at, count);
            let next = self.next(head, count, handed);
            match self.head.exchange(head, next) {
                Ok(()) => return Ok((Claim::of(at, count, head, next), looked)),
                Err(actual) => {
                    head = actual;
                    collisions.pause();
                }
            }
        }
    }

    /// Returns the cursor after a claim by count.
    #[inline]
    fn next(&self, cursor: Cursor, count: usize, handed: bool) -> Cursor {
        let next = self.shape.advance(cursor, count).without(Cursor::ended_by(handed));
        if self.shape.chained && self.shape.at(next).lap != self.shape.at(cursor).lap {
            next.with(Cursor::MOVING)
        } else {
            next
        }
    }

    /// Ends the state that a [`moving`](Claim::moving) claim of a place began.
    pub(crate) fn tail_has_moved(&self) {
        self.tail.update(|tail| Some(tail.without(Cursor::MOVING)));
    }

    /// Ends the state that a [`moving`](Claim::moving) claim of an item began.
    pub(crate) fn head_has_moved(&self) {
        self.head.update(|head| Some(head.without(Cursor::MOVING)));
    }

    /// Sets `WAITING` for a getter that is about to sleep. False if it should not: there is an item, or it is
    /// closed.
    pub(crate) fn announce_getter(&self) -> bool {
        self.tail
            .update(|tail| {
                let waits = !tail.is(Cursor::CLOSED) && self.shape.between(self.head.load(), tail) == 0;
                waits.then_some(tail.with(Cursor::WAITING))
            })
            .is_some()
    }

    /// Sets `WAITING` for a putter that is about to sleep. False if it should not: there is room, or it is
    /// closed.
    pub(crate) fn announce_putter(&self) -> bool {
        self.head
            .update(|head| {
                let tail = self.tail.load();
                let waits = !tail.is(Cursor::CLOSED) && self.shape.room(head, tail) == 0;
                waits.then_some(head.with(Cursor::WAITING))
            })
            .is_some()
    }

    /// Returns whether a getter that was not handed its turn finds what there is kept. With what decides of
    /// that held still.
    pub(crate) fn keeps_item(&self) -> bool {
        let head = self.head.load();
        head.is(Cursor::KEPT) && self.items_beside_kept(head) == 0
    }

    /// Returns whether a putter that was not handed its turn finds what room there is kept. With what decides
    /// of that held still.
    pub(crate) fn keeps_place(&self) -> bool {
        let tail = self.tail.load();
        tail.is(Cursor::KEPT) && !tail.is(Cursor::CLOSED) && self.places_beside_kept(tail) == 0
    }

    /// Keeps an item for a getter that is handed its turn, or no longer (invariant 5).
    pub(crate) fn keep_item(&self, kept: bool) {
        self.head.update(|head| (head.is(Cursor::KEPT) != kept).then(|| head.keeping(kept)));
    }

    /// Keeps a place for a putter that is handed its turn, or no longer (invariant 5).
    pub(crate) fn keep_place(&self, kept: bool) {
        self.tail.update(|tail| (tail.is(Cursor::KEPT) != kept).then(|| tail.keeping(kept)));
    }

    /// Closes. Returns `false` if it was closed before.
    pub(crate) fn close(&self) -> bool {
        self.tail.update(|tail| (!tail.is(Cursor::CLOSED)).then_some(tail.with(Cursor::CLOSED))).is_some()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.tail.load().is(Cursor::CLOSED)
    }

    /// Returns how many positions were claimed by puts since the beginning.
    pub(crate) fn puts(&self) -> u64 {
        self.shape.count(self.tail.load())
    }

    /// Returns the length at one moment.
    pub(crate) fn len(&self) -> usize {
        let mut tail = self.tail.load();
        loop {
            let head = self.head.load();
            let now = self.tail.load();
            if now.position() == tail.position() {
                return self.shape.between(head, tail);
            }
            tail = now;
        }
    }
}

impl Claim {
    #[inline(always)]
    fn of(at: At, count: usize, from: Cursor, to: Cursor) -> Self {
        Self { at, count, wake: from.is(Cursor::WAITING), moving: to.is(Cursor::MOVING) }
    }
}
