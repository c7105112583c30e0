//! A bounded queue of values on the ring of slots, and the threads that sleep for it. It waits for nothing
//! but a thread that is between two steps of a put or a get.

use std::collections::VecDeque;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::{ptr, slice};

use crate::facade::const_fn;
use crate::raw::chain::{Chain, Detached, Segment};
use crate::raw::ring::{At, Claim, Cursors, Shape, Slot, Slots, retry_while_busy, until};
pub(crate) use crate::raw::ring::{Look, No};
pub(crate) use crate::raw::select::{Enqueued, Node, Select, Source};
pub(crate) use crate::raw::sleepers::{Owner, RawSleepers as Sleepers, Reason, Slept};
pub(crate) use crate::raw::{Place, SpinWait, Stamp, Waiter};

/// Whether a call owes the other side a wake-up.
#[must_use]
pub(crate) struct Wake(pub(crate) bool);

/// The queue. Up to about a thousand places it is one ring, and a chain of segments beyond that.
pub(crate) struct Ring<T> {
    cursors: Cursors,
    slots: Slots<T>,
    chain: Chain<T>,
}

// SAFETY: values move between threads, and each is accessed by the one thread that has claimed its slot.
unsafe impl<T: Send> Send for Ring<T> {}
// SAFETY: as above: no two threads have a reference to the same value.
unsafe impl<T: Send> Sync for Ring<T> {}

/// No caller's code runs between two steps of a call.
impl<T> UnwindSafe for Ring<T> {}
impl<T> RefUnwindSafe for Ring<T> {}

impl<T> Ring<T> {
    const_fn! {
        pub(crate) fn new(capacity: usize) -> Self {
            Self { cursors: Cursors::new(capacity), slots: Slots::new(), chain: Chain::new() }
        }
    }

    #[inline]
    fn shape(&self) -> &Shape {
        self.cursors.shape()
    }

    #[inline]
    pub(crate) const fn capacity(&self) -> usize {
        self.cursors.capacity()
    }

    /// Returns the slots of the one ring, made now if there are none.
    #[inline]
    fn ring(&self) -> *const Slot<T> {
        let slots = self.slots.get();
        if slots.is_null() { self.slots.begin(self.capacity()) } else { slots }
    }

    /// Returns the slots of the one ring; or, as long as no put has made them, that there is no item.
    #[inline]
    fn ring_to_get_from(&self) -> Result<*const Slot<T>, No> {
        let slots = self.slots.get();
        if !slots.is_null() {
            return Ok(slots);
        }
        if !self.is_closed() {
            return Err(No::NotNow);
        }
        // Looked for again: a put makes them before it claims, and all claims came before the close that was
        // just seen.
        let slots = self.slots.get();
        if slots.is_null() { Err(No::Closed) } else { Ok(slots) }
    }

    /// Returns one of the slots.
    #[inline]
    fn slot(&self, slots: *const Slot<T>, index: usize) -> &Slot<T> {
        debug_assert!(index < self.capacity());
        // SAFETY: as many as the capacity were made, and an index is less than that.
        let slot = unsafe { slots.add(index) };
        // SAFETY: they stay until `self` goes.
        unsafe { &*slot }
    }

    /// Puts an item, or gives it back. Here and below: what is kept is for a thread that was handed its
    /// turn.
    #[inline]
    pub(crate) fn put(&self, item: T, look: Look) -> Result<Wake, (No, T)> {
        if self.shape().chained {
            return self.put_to_chain(item, look == Look::Handed);
        }
        let slots = self.ring();
        let claim = match retry_while_busy(|| {
            self.cursors.put_free(look, |at| usize::from(self.slot(slots, at.index).is_free(at.lap)))
        }) {
            Ok(claim) => claim,
            Err(no) => return Err((no, item)),
        };
        // SAFETY: claimed, and seen free.
        unsafe { Slot::write(self.slot(slots, claim.at.index), claim.at.lap, item) };
        Ok(Wake(claim.wake))
    }

    /// Gets an item.
    #[inline]
    pub(crate) fn get(&self, look: Look) -> Result<(T, Wake), No> {
        if self.shape().chained {
            return self.get_from_chain(look == Look::Handed);
        }
        let slots = self.ring_to_get_from()?;
        let claim = retry_while_busy(|| {
            self.cursors
                .get_published(look, |at| usize::from(self.slot(slots, at.index).is_published(at.lap)))
        })?;
        // SAFETY: claimed, and seen published.
        let item = unsafe { self.slot(slots, claim.at.index).read(claim.at.lap) };
        Ok((item, Wake(claim.wake)))
    }

    /// Returns whether a get is worth trying, as far as can be seen without the putters' line.
    #[inline]
    pub(crate) fn may_get(&self) -> bool {
        let slots = self.slots.get();
        if self.shape().chained || slots.is_null() {
            return !self.is_empty();
        }
        let at = self.cursors.head();
        self.slot(slots, at.index).is_published(at.lap)
    }

    /// Returns whether a put may go on, without a look at the getters' line.
    #[inline]
    pub(crate) fn may_put(&self) -> bool {
        let slots = self.slots.get();
        if self.shape().chained || slots.is_null() {
            return self.len() < self.capacity();
        }
        let at = self.cursors.tail();
        self.slot(slots, at.index).is_free(at.lap)
    }

    /// Puts items from the front of `items`, which has some, as far as there is room. Returns how many were
    /// put, and for how many more there was room.
    pub(crate) fn put_some(&self, items: &mut VecDeque<T>, handed: bool) -> Result<(usize, usize, Wake), No> {
        let wanted = items.len();
        if self.shape().chained {
            return self.put_some_to_chain(items, handed);
        }
        let slots = self.ring();
        let free = |at| count_while(self.parts(slots, at, wanted), Slot::is_free);
        let claim = retry_while_busy(|| self.cursors.put_free(Look::thorough(handed), free))?;
        let mut items = items.drain(..claim.count);
        let first = items.next();
        let [(here, lap), (after, next_lap)] = self.parts(slots, claim.at, claim.count);
        for (slots, lap) in [(&here[1..], lap), (after, next_lap)] {
            for (slot, item) in slots.iter().zip(&mut items) {
                // SAFETY: claimed, and seen free.
                unsafe { Slot::write(slot, lap, item) };
            }
        }
        // The first is published last: the thread that sees it there finds the others, too.
        if let Some(first) = first {
            // SAFETY: claimed, and seen free.
            unsafe { Slot::write(&raw const here[0], lap, first) };
        }
        let room = if claim.count < wanted { 0 } else { self.cursors.room(wanted) };
        Ok((claim.count, room, Wake(claim.wake)))
    }

    /// Gets items, `max` at most and at least one, and appends them to `out`, which has room for so many.
    pub(crate) fn get_some(&self, out: &mut Vec<T>, max: usize, handed: bool) -> Result<(usize, Wake), No> {
        debug_assert!(max <= out.capacity() - out.len());
        if self.shape().chained {
            return self.get_some_from_chain(out, max, handed);
        }
        let slots = self.ring_to_get_from()?;
        let published = |at| count_while(self.parts(slots, at, max), Slot::is_published);
        let claim = retry_while_busy(|| self.cursors.get_published(Look::thorough(handed), published))?;
        let [(here, lap), (after, next_lap)] = self.parts(slots, claim.at, claim.count);
        let (first, here) = (&here[0], &here[1..]);
        // SAFETY: claimed, and seen published. Read once: nothing between this and the end of the call
        // panics, as `out` has room.
        out.push(unsafe { first.peek() });
        // SAFETY: as above.
        out.extend(here.iter().map(|slot| unsafe { slot.read(lap) }));
        // SAFETY: as above.
        out.extend(after.iter().map(|slot| unsafe { slot.read(next_lap) }));
        // The first is freed last, as it is published last.
        // SAFETY: claimed, and read.
        unsafe { first.free(lap) };
        Ok((claim.count, Wake(claim.wake)))
    }

    /// Returns the slots of `count` positions of one ring, as many as it has at most: those up to its end and
    /// those after it, with the lap of each.
    #[inline]
    fn parts(&self, slots: *const Slot<T>, at: At, count: usize) -> [(&[Slot<T>], u64); 2] {
        let size = self.capacity();
        // SAFETY: as many as the capacity were made, and they stay until `self` goes.
        let slots = unsafe { slice::from_raw_parts(slots, size) };
        let count = count.min(size);
        let here = count.min(size - at.index);
        [(&slots[at.index..at.index + here], at.lap), (&slots[..count - here], at.lap + 1)]
    }

    /// Claims places of a chain. With the claim come how many more there was room for, the segment in which
    /// it begins, and the one behind that, if it reaches so far.
    #[inline(always)]
    fn claim_in_chain(
        &self,
        wanted: usize,
        handed: bool,
    ) -> Result<(Claim, usize, [*mut Segment<T>; 2]), No> {
        self.chain.begin();
        let mut detached = None;
        let claimed = retry_while_busy(|| {
            self.cursors.put_many(handed, wanted, |at, count| {
                if at.index + count >= Shape::SEGMENT && detached.is_none() {
                    detached = Some(self.chain.spare_or_new());
                }
                self.chain.last()
            })
        });
        let mut next = ptr::null_mut();
        if let Some(detached) = detached {
            match &claimed {
                Ok((claim, _, segment)) if claim.moving => next = self.go_on_to(*segment, detached),
                _ => self.chain.keep(detached),
            }
        }
        claimed.map(|(claim, room, segment)| (claim, room, [segment, next]))
    }

    /// Adds a segment behind the last one, whose end a claim has reached.
    #[cold]
    fn go_on_to(&self, last: *mut Segment<T>, detached: Detached<T>) -> *mut Segment<T> {
        // SAFETY: the claim has the last slot, which is not published yet.
        let next = unsafe { self.chain.append(last, detached) };
        self.cursors.tail_has_moved();
        next
    }

    #[inline]
    fn put_to_chain(&self, item: T, handed: bool) -> Result<Wake, (No, T)> {
        let (claim, _, [segment, _]) = match self.claim_in_chain(1, handed) {
            Ok(claimed) => claimed,
            Err(no) => return Err((no, item)),
        };
        // SAFETY: claimed, and not published, so not read either.
        let slots = unsafe { Chain::slots(segment) };
        // SAFETY: claimed; a slot is written once in the life of its segment, or was read before it.
        unsafe { Slot::write(&raw const slots[claim.at.index], claim.at.lap, item) };
        Ok(Wake(claim.wake))
    }

    fn put_some_to_chain(&self, items: &mut VecDeque<T>, handed: bool) -> Result<(usize, usize, Wake), No> {
        let wanted = items.len().min(Shape::SEGMENT);
        let (claim, room, [mut segment, next]) = self.claim_in_chain(wanted, handed)?;
        let (mut index, mut lap) = (claim.at.index, claim.at.lap);
        let mut items = items.drain(..claim.count);
        while items.len() != 0 {
            let end = Shape::SEGMENT.min(index + items.len());
            // SAFETY: claimed, and not published, so not read either. When the last is published the segment
            // may go, and no slot behind it is looked at.
            let slots = unsafe { Chain::slots(segment) };
            for (slot, item) in slots[index..end].iter().zip(&mut items) {
                // SAFETY: claimed; a slot is written once in the life of its segment, or was read before it.
                unsafe { Slot::write(slot, lap, item) };
            }
            (segment, index, lap) = (next, 0, lap + 1);
        }
        drop(items);
        Ok((claim.count, room, Wake(claim.wake)))
    }

    /// Claims items of a chain. With the claim comes the segment in which it begins.
    #[inline(always)]
    fn claim_from_chain(&self, max: usize, handed: bool) -> Result<(Claim, *mut Segment<T>), No> {
        let (claim, segment) =
            retry_while_busy(|| self.cursors.get_many(handed, max, |_, _| self.chain.first()))?;
        if claim.moving {
            self.go_on_from(&claim, segment);
        }
        Ok((claim, segment))
    }

    /// Makes the segment in which a claim ends the first.
    #[cold]
    fn go_on_from(&self, claim: &Claim, mut segment: *mut Segment<T>) {
        for _ in 0..(claim.at.index + claim.count) / Shape::SEGMENT {
            // SAFETY: the claim has the last slot of this segment, and it has not been read.
            segment = unsafe { Chain::next(segment) };
        }
        self.chain.go_on(segment);
        self.cursors.head_has_moved();
    }

    #[inline]
    fn get_from_chain(&self, handed: bool) -> Result<(T, Wake), No> {
        let (claim, segment) = self.claim_from_chain(1, handed)?;
        // SAFETY: claimed, and not said to be read before it is.
        let slots = unsafe { Chain::slots(segment) };
        let slot = &slots[claim.at.index];
        until(|| slot.is_published(claim.at.lap));
        // SAFETY: claimed, and seen published.
        let item = unsafe { slot.read(claim.at.lap) };
        // SAFETY: claimed and read.
        unsafe { self.chain.has_read(segment, 1) };
        Ok((item, Wake(claim.wake)))
    }

    fn get_some_from_chain(&self, out: &mut Vec<T>, max: usize, handed: bool) -> Result<(usize, Wake), No> {
        let (claim, mut segment) = self.claim_from_chain(max, handed)?;
        let (mut index, mut lap) = (claim.at.index, claim.at.lap);
        let mut left = claim.count;
        while left != 0 {
            let here = left.min(Shape::SEGMENT - index);
            // SAFETY: claimed, and not said to be read before all of them are.
            let slots = unsafe { Chain::slots(segment) };
            out.extend(slots[index..index + here].iter().map(|slot| {
                until(|| slot.is_published(lap));
                // SAFETY: claimed, and seen published. Its stamp stays: no put of a chain looks at it.
                unsafe { slot.peek() }
            }));
            left -= here;
            // SAFETY: these slots are not said to be read before the next line.
            let next = if left == 0 { segment } else { unsafe { Chain::next(segment) } };
            // SAFETY: claimed and read.
            unsafe { self.chain.has_read(segment, here) };
            (segment, index, lap) = (next, 0, lap + 1);
        }
        Ok((claim.count, Wake(claim.wake)))
    }

    /// Closes. False if it was closed before.
    pub(crate) fn close(&self) -> bool {
        self.cursors.close()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.cursors.is_closed()
    }

    pub(crate) fn len(&self) -> usize {
        self.cursors.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how many items were put since the beginning.
    pub(crate) fn puts(&self) -> u64 {
        self.cursors.puts()
    }

    /// Asks the next put to wake a getter. False if there is an item, or if it is closed.
    pub(crate) fn announce_getter(&self) -> bool {
        self.cursors.announce_getter()
    }

    /// Asks the next get to wake a putter. False if there is room, or if it is closed.
    pub(crate) fn announce_putter(&self) -> bool {
        self.cursors.announce_putter()
    }

    /// Returns whether what there is is kept from a getter that was not handed its turn.
    pub(crate) fn keeps_item(&self) -> bool {
        self.cursors.keeps_item()
    }

    /// Returns whether a putter that was not handed its turn finds what room there is kept.
    pub(crate) fn keeps_place(&self) -> bool {
        self.cursors.keeps_place()
    }

    /// Keeps an item for a getter that is handed its turn, or no longer.
    pub(crate) fn keep_item(&self, kept: bool) {
        self.cursors.keep_item(kept);
    }

    /// Keeps a place for a putter that is handed its turn, or no longer.
    pub(crate) fn keep_place(&self, kept: bool) {
        self.cursors.keep_place(kept);
    }
}

/// Returns how many slots from the first on are as `is` says, with the lap of each.
#[inline]
fn count_while<T>(parts: [(&[Slot<T>], u64); 2], is: impl Fn(&Slot<T>, u64) -> bool) -> usize {
    let [(here, lap), (after, next_lap)] = parts;
    let count = here.iter().take_while(|slot| is(slot, lap)).count();
    if count < here.len() {
        count
    } else {
        count + after.iter().take_while(|slot| is(slot, next_lap)).count()
    }
}

impl<T> Drop for Ring<T> {
    /// Drops what is left, each item once. Where a destructor panics the others follow while that unwinds.
    fn drop(&mut self) {
        /// Drops the items that are left, then what held them.
        struct Remaining<'a, T>(&'a mut Ring<T>);

        impl<T> Remaining<'_, T> {
            fn drop_items(&self) {
                while let Ok((item, _)) = self.0.get(Look::Handed) {
                    drop(item);
                }
            }
        }

        impl<T> Drop for Remaining<'_, T> {
            fn drop(&mut self) {
                self.drop_items();
                let size = self.0.capacity();
                // SAFETY: of an exclusive reference, in a destructor; they were made with the capacity.
                unsafe { self.0.slots.end(size) };
                // SAFETY: of an exclusive reference, in a destructor.
                unsafe { self.0.chain.end() };
            }
        }

        Remaining(self).drop_items();
    }
}
