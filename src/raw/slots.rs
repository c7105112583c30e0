//! Where a thread finds its value of an object: one table for each thread, from the object's id to the value.
//!
//! The table, which no other thread ever touches, is open-addressed:
//!
//! | slot | meaning |
//! |---|---|
//! | id 0 | empty |
//! | another id, its owner lives | the thread has a value of that object, and `value` is where it is |
//! | another id, its owner is gone | stale: the object is gone, or was cleared, and `value` may be dangling |
//!
//! | state of a table | entered | lookups | insertions |
//! |---|---|---|---|
//! | OPEN | at first | yes | yes, once the thread's end has been armed |
//! | ENDING | when the thread ends and its values are being dropped | yes | yes |
//! | CLOSED | when that is done | find nothing | fail |
//!
//! Invariants:
//!
//! 1. An id is given to one object, once, and an object has one id until it is cleared, which gives it
//!    another. So a thread that looks up an object's id finds what it has itself inserted for that very
//!    object, and a stale slot is found by none.
//! 2. `value` is dereferenced only by the thread that borrows the object, which is then not gone, or by the
//!    owner, which knows whether it still has it.
//! 3. An owner is there as long as a thread has a share of it ([`Shared`]): the object has one, and each
//!    slot. New ones are made by the thread that borrows the object only, so when it has given up its own
//!    there are never more again. A slot whose object has given up its share is stale.
//! 4. At least a quarter of the slots is empty, so each search ends. When an insertion would break this, the
//!    table is made anew without its stale slots, between a quarter and half full. When a removal or an
//!    insertion finds a table of [`SPARSE`] slots or more that is at most an eighth full, it is made anew,
//!    too: so between two of these, half of the values have gone or as many have come.
//! 5. Each insertion first lets go of stale slots, from where the last one stopped, until it has seen more
//!    slots that are not stale than it has let go of. So its work is paid for by the slots it frees; where
//!    most are stale they all go at once, and else they do not come to be more than the others. A thread that
//!    inserts nothing keeps them.
//! 6. None of the users' code runs between reading the table and writing it: owners are the crate's own, and
//!    values are dropped when the table is consistent. (Giving back a share frees memory and runs nothing.)
//!
//! At a thread's end each owner is called for its value, in the order of the objects' first uses. A value
//! that is inserted meanwhile, by another's destructor, gets its turn in the next round; after [`ROUNDS`] of
//! them the owners keep what is left, which bounds the end of a thread whose destructors insert again and
//! again.
//!
//! Ordering: `slots.owner` is the exchange by which an object gets its owner, and `slots.share` goes from
//! each share that is given back to the thread that frees the owner. An id is a number and nothing travels
//! with it; the table is one thread's.
//!
//! Promised upward: a lookup that hits its slot at once is the id, the table, and the slot: three loads that
//! depend on two addresses. Ids and thread numbers are never used twice. Limits: see invariant 4; stale slots
//! keep the memory of their owner's (few) words, not of values.

use std::cell::Cell;
use std::mem;
use std::ptr::{self, NonNull};

use crate::facade::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use crate::facade::atomic::{AtomicPtr, AtomicU64, AtomicUsize};
use crate::facade::{UnsafeCell, const_fn, contain, per_thread, reached, unique_number};

/// What lasts of an object for as long as a thread may still be telling it of that thread's end.
pub(crate) trait Owner {
    /// Tells the owner that the calling thread, which has inserted `value` for it, ends. Called once for each
    /// value that is in the table then; the object itself may be gone, or be going in another thread.
    ///
    /// # Safety
    ///
    /// `value` was inserted by the calling thread, for this owner, and not removed by it.
    unsafe fn thread_ends(&self, value: NonNull<()>);
}

/// An owner, its object's id, and how much of it is shared out.
///
/// Not an `Arc` with weak references: an object that is used and dropped by one thread then costs no exchange
/// for each reference that comes and goes.
#[derive(Debug)]
struct Shared<O: ?Sized> {
    /// [`OF_OBJECT`], unless the object is gone, and [`OF_SLOT`] for each slot.
    shares: AtomicUsize,
    id: u64,
    /// Read by the thread that gives a share back, written by the thread that frees it all. Nothing but for
    /// models, which see by it whether those are in order.
    life: UnsafeCell<()>,
    owner: O,
}

/// The object's share.
const OF_OBJECT: usize = 1;
/// A slot's.
const OF_SLOT: usize = 2;

impl<O: ?Sized> Shared<O> {
    /// Gives back so much, and frees it if nothing is left.
    ///
    /// # Safety
    ///
    /// The caller has these shares of `this`, which came from a box. It may be gone when this returns, and
    /// already while it runs, hence a pointer.
    unsafe fn give_back(this: NonNull<Self>, given: usize) {
        // SAFETY: alive until all shares are given back.
        unsafe { &(*this.as_ptr()).life }.with(|_| ());
        // SAFETY: as above. The reference is to an atomic, which may end during its call.
        let shares = unsafe { &(*this.as_ptr()).shares };
        // Acquire (slots.share): what the others did with theirs. If there are none, there will be none
        // (invariant 3). AcqRel (slots.share): the same, and what this one did.
        // proof: slots.last_share
        if shares.load(Acquire) != given {
            // proof: slots.give_back
            if shares.fetch_sub(given, AcqRel) != given {
                return;
            }
            reached("last two shares of an owner given back at once");
        }
        // SAFETY: these were the last shares, so it is the caller's alone.
        let shared = unsafe { Box::from_raw(this.as_ptr()) };
        shared.life.with_mut(|_| ());
    }
}

/// A slot's share of its owner.
#[derive(Debug)]
pub(crate) struct Share<O: Owner + ?Sized>(NonNull<Shared<O>>);

impl<O: Owner + ?Sized> Share<O> {
    fn shared(&self) -> &Shared<O> {
        // SAFETY: there as long as this share is.
        unsafe { self.0.as_ref() }
    }

    pub(crate) fn owner(&self) -> &O {
        &self.shared().owner
    }

    /// Returns whether the object is still there. It may be going.
    fn is_live(&self) -> bool {
        // Relaxed: decides about the slot only, which is found by none once the object is gone.
        self.shared().shares.load(Relaxed) & OF_OBJECT != 0
    }

    /// Returns what is left to be given back.
    fn into_raw(self) -> NonNull<Shared<O>> {
        mem::ManuallyDrop::new(self).0
    }
}

impl<O: Owner + ?Sized> Drop for Share<O> {
    fn drop(&mut self) {
        // SAFETY: this is one slot's share, and goes.
        unsafe { Shared::give_back(self.0, OF_SLOT) };
    }
}

/// The calling thread's values are gone, or cannot be kept any more, for it is ending.
#[derive(Debug)]
pub(crate) struct NoTable;

/// The part of an object by which threads find their values of it.
#[derive(Debug)]
pub(crate) struct Slots<O: Owner + 'static> {
    /// `UNNAMED` until a thread inserts a value, then its owner's. Each thread that inserts one stores it.
    id: AtomicU64,
    /// Null until then; from then on the object's share.
    owner: AtomicPtr<Shared<O>>,
}

/// In no slot.
const UNNAMED: u64 = u64::MAX;

impl<O: Owner + 'static> Slots<O> {
    const_fn! {
        pub(crate) fn new() -> Self {
            Self { id: AtomicU64::new(UNNAMED), owner: AtomicPtr::new(ptr::null_mut()) }
        }
    }

    /// Returns the calling thread's value.
    #[inline]
    pub(crate) fn find(&self) -> Option<NonNull<()>> {
        // Relaxed: a thread that has inserted a value has seen the id, and no other comes after it (invariant
        // 1).
        let id = self.id.load(Relaxed);
        TABLE.with(|table| table.find(id)).flatten()
    }

    /// Returns whether the calling thread still keeps values.
    pub(crate) fn is_gone() -> bool {
        TABLE.with(|table| table.state.get() == State::Closed).unwrap_or(true)
    }

    /// Returns whether the calling thread's table is being given up, or has been: a value may be missing from
    /// it.
    pub(crate) fn is_ending() -> bool {
        TABLE.with(|table| table.state.get() != State::Open).unwrap_or(true)
    }

    pub(crate) fn owner(&self) -> Option<&O> {
        // Acquire (slots.owner): the owner as it was made.
        // proof: slots.owner
        let shared = self.owner.load(Acquire);
        // SAFETY: null, or there until the object's share goes, for which it is borrowed exclusively.
        unsafe { shared.as_ref() }.map(|shared| &shared.owner)
    }

    /// Returns a share of the owner, for the slot that [`insert`](Self::insert) makes. The owner is made now
    /// if there is none yet, and if it is this one that is used the other result is true.
    pub(crate) fn share(&self, make: impl FnOnce() -> O) -> (Share<O>, bool) {
        // Acquire (slots.owner): as in `owner`.
        let mut there = self.owner.load(Acquire);
        if there.is_null() {
            let shares = AtomicUsize::new(OF_OBJECT + OF_SLOT);
            let id = id_of(unique_number());
            let made = Box::new(Shared { shares, id, life: UnsafeCell::new(()), owner: make() });
            let made = NonNull::from(Box::leak(made));
            // Release (slots.owner): the owner as it was made. Acquire: the one that another thread has made
            // meanwhile.
            // proof: slots.made
            match self.owner.compare_exchange(ptr::null_mut(), made.as_ptr(), Release, Acquire) {
                Ok(_) => return (Share(made), true),
                Err(other) => {
                    reached("owner made by two threads");
                    // SAFETY: made above, of a box, and not shared yet.
                    drop(unsafe { Box::from_raw(made.as_ptr()) });
                    there = other;
                }
            }
        }
        // SAFETY: a thread has made it.
        let there = unsafe { NonNull::new_unchecked(there) };
        // SAFETY: as in `owner`.
        let shares = unsafe { &(*there.as_ptr()).shares };
        // Relaxed: the object's share, which is there as long as it is borrowed, keeps it alive until this
        // one does.
        shares.fetch_add(OF_SLOT, Relaxed);
        (Share(there), false)
    }

    /// Makes sure that the next [`insert`](Self::insert) of this thread, if nothing comes in between, has
    /// room.
    pub(crate) fn reserve(&self) -> Result<(), NoTable> {
        TABLE.with(Table::reserve).unwrap_or(Err(NoTable))
    }

    /// Has the calling thread find `value` from now on.
    ///
    /// The caller has [reserved](Self::reserve) the room, the share is of this object's owner, and the thread
    /// has no value of this object.
    pub(crate) fn insert(&self, value: NonNull<()>, share: Share<O>) {
        let id = share.shared().id;
        // Relaxed: read for what it is by this thread, and by others to find nothing under it. The thread
        // that stores it stores the same until the object is borrowed exclusively.
        self.id.store(id, Relaxed);
        let share = Share(share.into_raw() as NonNull<Shared<dyn Owner>>);
        let kept = TABLE.with(|table| table.insert(id, value, share));
        debug_assert!(kept.is_some(), "reserved");
    }

    /// Has the calling thread find nothing any more.
    pub(crate) fn remove(&self) -> Option<NonNull<()>> {
        self.remove_slot().map(|slot| slot.value.get())
    }

    fn remove_slot(&self) -> Option<Slot> {
        // Relaxed: as in `find`.
        let id = self.id.load(Relaxed);
        TABLE.with(|table| table.remove(id)).flatten()
    }

    /// Makes this a new object that no thread has a value of.
    pub(crate) fn reset(&mut self) {
        // So that no stale slot is left in this thread.
        let slot = self.remove_slot();
        // Relaxed: borrowed exclusively, so what orders this after all others orders the next after this.
        self.id.store(UNNAMED, Relaxed);
        // Relaxed: borrowed exclusively, see above.
        let shared = self.owner.load(Relaxed);
        // Relaxed: the same.
        self.owner.store(ptr::null_mut(), Relaxed);
        let Some(shared) = NonNull::new(shared) else { return };
        // Both at once: they are all there are if no other thread has used the object.
        let slots = slot.and_then(|slot| slot.share.take()).map_or(0, |share| {
            let _ = share.into_raw();
            OF_SLOT
        });
        // SAFETY: the object's share, which it has forgotten, and that of this thread's slot, which was taken
        // apart.
        unsafe { Shared::give_back(shared, OF_OBJECT + slots) };
    }
}

impl<O: Owner + 'static> Drop for Slots<O> {
    fn drop(&mut self) {
        self.reset();
    }
}

/// Spreads a number over the bits that choose the slot, the upper ones of the product. What differs stays
/// different.
const fn id_of(number: u64) -> u64 {
    number.wrapping_mul(SPREAD).reverse_bits().rotate_left(SLOT.trailing_zeros())
}

const fn number_of(id: u64) -> u64 {
    id.rotate_right(SLOT.trailing_zeros()).reverse_bits().wrapping_mul(UNSPREAD)
}

/// 2 to the 64th over the golden ratio, and its inverse.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
const UNSPREAD: u64 = 0xf1de_83e1_9937_733d;
const _: () = assert!(SPREAD.wrapping_mul(UNSPREAD) == 1 && number_of(id_of(12345)) == 12345);

per_thread! {
    const TABLE: Table = Table::new(); ends by Table::end;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Ending,
    Closed,
}

struct Table {
    /// `NOTHING`, or allocated here.
    slots: Cell<NonNull<Slot>>,
    /// The bytes of all slots but one, and 0 for `NOTHING`: an id is looked for at its lower bits, so far as
    /// the mask goes, without a shift or a multiplication.
    mask: Cell<usize>,
    /// Slots that are not empty.
    len: Cell<usize>,
    /// The offset of the slot that is looked at next for whether it is stale.
    hand: Cell<usize>,
    state: Cell<State>,
}

/// A place of the table. As long on every platform, and in one cache line.
#[repr(align(32))]
struct Slot {
    id: Cell<u64>,
    value: Cell<NonNull<()>>,
    share: Cell<Option<Share<dyn Owner>>>,
}

/// Slots are named by the offset of their bytes, a multiple of this.
const SLOT: usize = 32;

impl Slot {
    const fn empty() -> Self {
        Self { id: Cell::new(0), value: Cell::new(NonNull::dangling()), share: Cell::new(None) }
    }
}

/// An empty slot for every thread that has none of its own: a lookup needs no test for that.
#[repr(transparent)]
struct Nothing(Slot);

// SAFETY: no thread writes to it: `insert` comes after `reserve`, which makes slots of the thread's own, and
// `remove` finds nothing here.
unsafe impl Sync for Nothing {}

static NOTHING: Nothing = Nothing(Slot::empty());

/// The fewest slots that are allocated.
const SMALLEST: usize = 8;
/// The fewest slots of a table that is made anew because it is too empty: 2 KB.
const SPARSE: usize = 64;
/// How often a thread that ends looks whether the destructors of its values have left it new ones.
const ROUNDS: usize = 8;

impl Table {
    const fn new() -> Self {
        Self {
            slots: Cell::new(Self::nothing()),
            mask: Cell::new(0),
            len: Cell::new(0),
            hand: Cell::new(0),
            state: Cell::new(State::Open),
        }
    }

    const fn nothing() -> NonNull<Slot> {
        let nothing: &'static Slot = &NOTHING.0;
        // SAFETY: a reference is not null.
        unsafe { NonNull::new_unchecked((&raw const *nothing).cast_mut()) }
    }

    #[inline]
    fn slot(&self, offset: usize) -> &Slot {
        // SAFETY: every offset is cut off by `mask`, which keeps it in the table and a multiple of a slot.
        let slot = unsafe { self.slots.get().byte_add(offset) };
        // SAFETY: allocated until the next `drain`, in `reserve` and `end`; none of them is called while a
        // slot is borrowed (invariant 6).
        unsafe { slot.as_ref() }
    }

    #[inline]
    fn first_slot(&self, id: u64) -> usize {
        id as usize & self.mask.get()
    }

    fn next(&self, offset: usize) -> usize {
        (offset + SLOT) & self.mask.get()
    }

    /// Returns how many slots after the first the second one comes, in bytes.
    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & self.mask.get()
    }

    fn capacity(&self) -> usize {
        self.mask.get() / SLOT + 1
    }

    #[inline]
    fn find(&self, id: u64) -> Option<NonNull<()>> {
        let slot = self.slot(self.first_slot(id));
        if slot.id.get() == id { Some(slot.value.get()) } else { self.find_further(id) }
    }

    #[inline(never)]
    fn find_further(&self, id: u64) -> Option<NonNull<()>> {
        Some(self.slot(self.search(id)?).value.get())
    }

    /// Returns the offset of an id's slot.
    fn search(&self, id: u64) -> Option<usize> {
        let mut offset = self.first_slot(id);
        loop {
            match self.slot(offset).id.get() {
                0 => return None,
                other if other == id => return Some(offset),
                _ => offset = self.next(offset),
            }
        }
    }

    fn reserve(&self) -> Result<(), NoTable> {
        // Armed before the first slot is allocated, so that the last is freed.
        if self.state.get() == State::Closed
            || (self.state.get() == State::Open && self.len.get() == 0 && !TABLE.arm())
        {
            return Err(NoTable);
        }
        self.forget_stale();
        if (self.len.get() + 1) * 4 > self.capacity() * 3 || self.mask.get() == 0 || self.is_sparse() {
            self.make_anew();
        }
        Ok(())
    }

    /// Returns whether there is far more memory than slots in use (invariant 4).
    fn is_sparse(&self) -> bool {
        self.capacity() >= SPARSE && self.len.get() * 8 <= self.capacity()
    }

    /// Lets go of stale slots (invariant 5).
    fn forget_stale(&self) {
        let (mut live, mut stale, mut seen) = (0, 0, 0);
        while seen < self.capacity() && live <= stale {
            let offset = self.hand.get() & self.mask.get();
            let slot = self.slot(offset);
            if slot.id.get() != 0 && !slot.is_live() {
                reached("stale slot forgotten");
                // Another slot may move into the hole, so the hand stays.
                drop(self.remove_at(offset));
                stale += 1;
                continue;
            }
            live += usize::from(slot.id.get() != 0);
            seen += 1;
            self.hand.set(self.next(offset));
        }
    }

    /// Makes room for one more, and lets go of stale slots (invariant 4).
    #[cold]
    fn make_anew(&self) {
        let live: Vec<Slot> = self.drain().filter(Slot::is_live).collect();
        let capacity = (live.len() + 1).next_power_of_two() * 2;
        self.install((0..capacity.max(SMALLEST)).map(|_| Slot::empty()).collect());
        for slot in live {
            self.place(slot);
        }
    }

    /// Inserts a value. There is room (invariant 4).
    fn insert(&self, id: u64, value: NonNull<()>, share: Share<dyn Owner>) {
        debug_assert!(self.search(id).is_none(), "one value for an object and a thread");
        self.place(Slot { id: Cell::new(id), value: Cell::new(value), share: Cell::new(Some(share)) });
    }

    fn place(&self, slot: Slot) {
        let mut offset = self.first_slot(slot.id.get());
        while self.slot(offset).id.get() != 0 {
            offset = self.next(offset);
        }
        self.slot(offset).swap(&slot);
        self.len.set(self.len.get() + 1);
    }

    fn remove(&self, id: u64) -> Option<Slot> {
        let removed = self.remove_at(self.search(id)?);
        if self.is_sparse() {
            self.make_anew();
        }
        Some(removed)
    }

    /// Removes the slot, which is not empty, and closes the hole.
    fn remove_at(&self, mut hole: usize) -> Slot {
        let removed = Slot::empty();
        self.slot(hole).swap(&removed);
        self.len.set(self.len.get() - 1);
        // A search passes through the hole for whatever lies further from its first slot than from the hole.
        let mut offset = hole;
        loop {
            offset = self.next(offset);
            let slot = self.slot(offset);
            if slot.id.get() == 0 {
                return removed;
            }
            if self.distance(self.first_slot(slot.id.get()), offset) >= self.distance(hole, offset) {
                slot.swap(self.slot(hole));
                hole = offset;
            }
        }
    }

    /// Takes all slots away, and the memory with them.
    fn drain(&self) -> impl Iterator<Item = Slot> + use<> {
        let (slots, capacity) = (self.slots.get(), self.capacity());
        let own = self.mask.get() != 0;
        self.slots.set(Self::nothing());
        self.mask.set(0);
        self.len.set(0);
        let all = ptr::slice_from_raw_parts_mut(slots.as_ptr(), capacity);
        // SAFETY: `install` has made it from a box of that length, and the table has forgotten it.
        let all = own.then(|| unsafe { Box::from_raw(all) });
        all.into_iter().flat_map(<[Slot]>::into_vec).filter(|slot| slot.id.get() != 0)
    }

    /// Puts empty slots, a power of two and at least [`SMALLEST`] of them, in the place of none.
    fn install(&self, slots: Box<[Slot]>) {
        self.mask.set((slots.len() - 1) * SLOT);
        // The pointer of the whole slice, which is what `drain` frees.
        let slots = NonNull::from(Box::leak(slots));
        self.slots.set(slots.cast());
    }

    /// Tells all owners that the thread ends.
    fn end(&self) {
        self.state.set(State::Ending);
        for _ in 0..ROUNDS {
            let slots = (0..self.capacity()).map(|index| self.slot(index * SLOT));
            let mut ids: Vec<u64> = slots.map(|slot| slot.id.get()).filter(|&id| id != 0).collect();
            if ids.is_empty() {
                break;
            }
            ids.sort_unstable_by_key(|&id| number_of(id));
            for id in ids {
                let Some(slot) = self.remove(id) else { continue };
                let Some(share) = slot.share.take() else { continue };
                // SAFETY: this thread has inserted it, and it was in the table until now.
                contain(|| unsafe { share.owner().thread_ends(slot.value.get()) });
            }
        }
        self.state.set(State::Closed);
        self.drain().for_each(drop);
    }
}

impl Slot {
    fn is_live(&self) -> bool {
        let share = self.share.take();
        let live = share.as_ref().is_some_and(Share::is_live);
        self.share.set(share);
        live
    }

    fn swap(&self, other: &Self) {
        if !ptr::eq(self, other) {
            self.id.swap(&other.id);
            self.value.swap(&other.value);
            self.share.swap(&other.share);
        }
    }
}

const _: () = assert!(SMALLEST.is_power_of_two() && SMALLEST > 1);
const _: () = assert!(mem::size_of::<Slot>() == SLOT);
