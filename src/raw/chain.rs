//! Segments of slots, linked: what a queue of many places consists of, which it seldom needs all of.
//!
//! ```text
//!   first ──┐                                      ┌── last
//!           ▼                                      ▼
//!        segment n ── next ──► segment n + 1 ── next ──► segment n + 2
//!        (head is here)                            (tail is here)
//! ```
//!
//! Invariants:
//!
//! 1. `first` is the segment of the head's position whenever the head is not `MOVING`, and `last` that of the
//!    tail's. A thread that loads the cursor, then the pointer, and then exchanges the cursor has the right
//!    one: cursors only grow.
//! 2. A segment lives until each of its slots has been read. A thread that has claimed one of them and has
//!    not yet said so ([`has_read`](Chain::has_read)) may use it, and no other thread may.
//! 3. `next` is set by the putter that claimed the segment's last slot, before it publishes that slot.
//!
//! Ordering: the first segment is handed on with its pointer, and so is one that is used again
//! (`chain.segment`); each other with the claim before which it was made (`ring.cursor`). The last reader
//! has seen all others' reads before it lets the segment go (`chain.read`). In a model `life` watches that:
//! each use of a segment reads it, and it is written where one is made, read to its end, taken into use
//! again, and freed.
//!
//! Promised upward: a thread that has claimed a position finds its segment, and the segment stays until that
//! thread has said that it has read its slot; one segment that was read to its end is kept to be used again.
//!
//! Limits: the putter that claims the last slot of a segment links the next, and those that come meanwhile
//! wait for it (`MOVING`). A getter that is stopped between its claim and its read keeps its segment, and no
//! other. Only the queue's drop frees what was never read.

use std::ptr;

use super::ring::{Shape, Slot};
use crate::facade::atomic::{
    AtomicPtr, AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use crate::facade::{Data, const_fn, reached};
use crate::wait::Backoff;

#[repr(C)]
pub(crate) struct Segment<T> {
    next: AtomicPtr<Segment<T>>,
    slots: Box<[Slot<T>]>,
    /// Stands for the segment's memory, which loom does not see.
    life: Data<()>,
    /// Each put reads what stands above, and each get writes what stands below.
    _apart: [usize; 16],
    /// Slots that have not been read.
    left: AtomicUsize,
}

pub(crate) struct Chain<T> {
    first: AtomicPtr<Segment<T>>,
    last: AtomicPtr<Segment<T>>,
    /// A segment that was read and may be used again.
    spare: AtomicPtr<Segment<T>>,
}

/// A segment that is in no chain.
pub(crate) struct Detached<T>(Box<Segment<T>>);

impl<T> Chain<T> {
    const_fn! {
        pub(crate) fn new() -> Self {
            Self {
                first: AtomicPtr::new(ptr::null_mut()),
                last: AtomicPtr::new(ptr::null_mut()),
                spare: AtomicPtr::new(ptr::null_mut()),
            }
        }
    }

    /// Makes the first segment, unless there is one. To be called before the first place is claimed.
    #[inline]
    pub(crate) fn begin(&self) {
        // Acquire (chain.segment): the segment's slots.
        if self.last.load(Acquire).is_null() {
            self.begin_slow();
        }
    }

    #[cold]
    fn begin_slow(&self) {
        let new = Box::into_raw(self.spare_or_new().0);
        // Release (chain.segment): its slots, to the thread that loses. Acquire (chain.segment) on failure:
        // those of another's.
        let first = match self.first.compare_exchange(ptr::null_mut(), new, Release, Acquire) {
            Ok(_) => new,
            Err(actual) => {
                reached("two threads began a chain");
                // SAFETY: made above, and not shared yet.
                drop(unsafe { Box::from_raw(new) });
                actual
            }
        };
        // Release (chain.segment): to the thread that puts into it. Relaxed on failure: another has done it;
        // if it has not, no place was claimed, so `first` is still the first.
        let _ = self.last.compare_exchange(ptr::null_mut(), first, Release, Relaxed);
        self.begin();
    }

    /// Returns a segment for a claim that reaches the end of the last one.
    pub(crate) fn spare_or_new(&self) -> Detached<T> {
        // Relaxed: a load_or_expected, which the exchange decides.
        let spare = self.spare.load(Relaxed);
        if !spare.is_null()
            // Acquire (chain.segment): as its last reader left it. Relaxed on failure: another has taken it.
            && self.spare.compare_exchange(spare, ptr::null_mut(), Acquire, Relaxed).is_ok()
        {
            // SAFETY: made from a box, and the exchange gave it to us alone.
            let segment = unsafe { Box::from_raw(spare) };
            segment.life.write().end();
            reached("segment used again");
            return Detached(segment);
        }
        Detached(Box::new(Segment {
            next: AtomicPtr::new(ptr::null_mut()),
            slots: (0..Shape::SEGMENT).map(|_| Slot::new()).collect(),
            life: Data::new(()),
            _apart: [0; 16],
            left: AtomicUsize::new(Shape::SEGMENT),
        }))
    }

    /// Keeps a segment that was not needed, or lets it go if there is one already.
    pub(crate) fn keep(&self, segment: Detached<T>) {
        let segment = Box::into_raw(segment.0);
        // Release (chain.segment): all that was done with it. Relaxed on failure: nothing is taken.
        if self.spare.compare_exchange(ptr::null_mut(), segment, Release, Relaxed).is_err() {
            // SAFETY: made from a box above, and not shared yet.
            drop(unsafe { Box::from_raw(segment) });
        }
    }

    /// Returns the segment of the head's position (invariant 1).
    #[inline]
    pub(crate) fn first(&self) -> *mut Segment<T> {
        // Relaxed: its slots were seen with the tail, which their maker has moved, and an older segment is
        // ruled out by the head (`ring.cursor`).
        self.first.load(Relaxed)
    }

    /// Returns the segment of the tail's position (invariant 1).
    #[inline]
    pub(crate) fn last(&self) -> *mut Segment<T> {
        // Relaxed: its slots were seen by `begin`, or with the tail that its maker moved (`ring.cursor`).
        // proof: chain.last
        self.last.load(Relaxed)
    }

    /// Adds a segment behind `last`, and returns it.
    ///
    /// # Safety
    ///
    /// The caller has claimed the last slot of `last`, not published it, and not ended the tail's move.
    pub(crate) unsafe fn append(&self, last: *mut Segment<T>, new: Detached<T>) -> *mut Segment<T> {
        let new = Box::into_raw(new.0);
        // Relaxed: its slots go to the next putter with the tail, whose move ends after this (`ring.cursor`).
        // proof: chain.append
        self.last.store(new, Relaxed);
        // SAFETY: alive, as the caller has claimed a slot of it (invariant 2).
        let last = unsafe { &*last };
        last.life.read().end();
        // Relaxed: it was made before the claim, which each getter that uses it has seen with the tail
        // (`ring.cursor`).
        // proof: chain.link
        last.next.store(new, Relaxed);
        new
    }

    /// Makes `first` the first.
    pub(crate) fn go_on(&self, first: *mut Segment<T>) {
        // Relaxed: the next getter sees this with the head, whose move ends after it (`ring.cursor`).
        self.first.store(first, Relaxed);
    }

    /// Returns the one behind `segment`. Waits for the putter that is about to link it.
    ///
    /// # Safety
    ///
    /// The caller has claimed a slot of `segment` and not said that it has read it, and the last slot of it
    /// is claimed.
    pub(crate) unsafe fn next(segment: *mut Segment<T>) -> *mut Segment<T> {
        let mut backoff = Backoff::new();
        loop {
            // SAFETY: alive, as the caller has claimed a slot of it (invariant 2).
            let segment = unsafe { &*segment };
            segment.life.read().end();
            // Relaxed: its slots were seen with the tail, see `append`.
            // proof: chain.next
            let next = segment.next.load(Relaxed);
            if !next.is_null() {
                return next;
            }
            reached("next segment waited for");
            backoff.wait();
        }
    }

    /// Returns the slots of a segment.
    ///
    /// # Safety
    ///
    /// The caller has claimed one of them and not said that it has read it; the reference is not used
    /// afterwards.
    #[inline]
    pub(crate) unsafe fn slots<'a>(segment: *mut Segment<T>) -> &'a [Slot<T>] {
        debug_assert!(!segment.is_null(), "a claim sees the segment that it claims in");
        // SAFETY: alive by contract (invariant 2).
        let segment = unsafe { &*segment };
        segment.life.read().end();
        &segment.slots
    }

    /// Ends the caller's use of `count` slots of a segment, which it has read.
    ///
    /// # Safety
    ///
    /// The caller has claimed and read them.
    #[inline]
    pub(crate) unsafe fn has_read(&self, segment: *mut Segment<T>, count: usize) {
        // SAFETY: alive, as these slots have not been counted yet (invariant 2).
        unsafe { &*segment }.life.read().end();
        // SAFETY: as above. The reference is to an atomic, which may end during its call.
        let left = unsafe { &(*segment).left };
        // Release (chain.read): this thread's reads, to the last reader. Acquire (chain.read): those of all
        // others.
        // proof: chain.has_read
        if left.fetch_sub(count, AcqRel) == count {
            reached("segment read to its end");
            // SAFETY: made from a box, and no thread may use it any more (invariant 2).
            let mut segment = unsafe { Box::from_raw(segment) };
            segment.life.write().end();
            segment.next = AtomicPtr::new(ptr::null_mut());
            segment.left = AtomicUsize::new(Shape::SEGMENT);
            self.keep(Detached(segment));
        }
    }

    /// Lets all segments go.
    ///
    /// # Safety
    ///
    /// Nothing is done with the chain afterwards.
    pub(crate) unsafe fn end(&mut self) {
        // Relaxed: an exclusive reference has seen everything; so of the others here.
        let (mut segment, spare) = (self.first.load(Relaxed), self.spare.load(Relaxed));
        if !spare.is_null() {
            // SAFETY: made from a box, and in no chain.
            let spare = unsafe { Box::from_raw(spare) };
            spare.life.write().end();
        }
        while !segment.is_null() {
            // SAFETY: made from a box; no other thread uses the chain.
            let ended = unsafe { Box::from_raw(segment) };
            ended.life.write().end();
            // Relaxed: as above.
            segment = ended.next.load(Relaxed);
        }
    }
}
