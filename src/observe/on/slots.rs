//! The slots of threads: what each waits for and holds, for all others to read.
//!
//! A thread gets a slot when it first has something to note, and gives it back at its end. Slots are never
//! freed: a later thread takes one over, so there are as many as there were threads at a time, and finding
//! them takes no lock. A thread that ends while it holds something (its guard was forgotten, or went to
//! another thread) leaves its slot behind, until that is released; of such slots there are at most
//! [`ORPHANS`], then the first of them is taken over all the same.
//!
//! Ordering: that of [`Members`], [`Record`] and [`Disturbed`].

use std::cell::Cell;
use std::panic::Location;
use std::ptr;

use super::super::members::{Member, Members};
use super::super::record::{Disturbed, Record};
use super::call::{Called, mix};
use super::label::Label;
use crate::facade::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering::Relaxed};
use crate::facade::{coarse_nanos, nanos, per_process, per_thread, process, this_thread, thread_name};

/// How many slots ended threads may leave behind.
const ORPHANS: usize = 256;

/// How many bytes of a thread's name are kept.
const NAME: usize = 48;

/// A wait: the call, since when, until when (0: without limit).
type Wait = Record<{ Called::WORDS + 2 }>;
/// Something held: the call, since when.
type HoldRecord = Record<{ Called::WORDS + 1 }>;

/// One place in the list of what a thread holds. What was released stays written in it: a thread that locks
/// the same lock in the same place again writes when, and nothing else.
pub(super) struct Entry {
    pub(super) record: HoldRecord,
    /// What it adds to the thread's chain. Read and written by the slot's thread.
    term: AtomicU64,
    slot: &'static Slot,
    /// The one behind it in its chunk, or null.
    after: AtomicPtr<Self>,
}

/// Some places of the list.
struct Chunk(&'static [Entry]);

/// How many entries are in one.
const CHUNK: usize = 16;

/// How many entries a thread has at most. What it holds beyond that is not noted.
const MOST: usize = 1024;

impl Chunk {
    fn new(slot: &'static Slot) -> Self {
        let entry = || Entry {
            record: Record::new(),
            term: AtomicU64::new(0),
            slot,
            after: AtomicPtr::new(ptr::null_mut()),
        };
        let entries: &'static [Entry] = Box::leak((0..CHUNK).map(|_| entry()).collect());
        for pair in entries.windows(2) {
            // Relaxed: published with the chunk.
            pair[0].after.store((&raw const pair[1]).cast_mut(), Relaxed);
        }
        Self(entries)
    }
}

impl Entry {
    #[inline(always)]
    fn after(&self) -> Option<&'static Self> {
        // Relaxed: written before the chunk was put in.
        // SAFETY: null, or an entry of the same chunk, which is never freed.
        unsafe { self.after.load(Relaxed).as_ref() }
    }

    /// Returns whether this is what the slot's thread, which is the caller, has written last. A number has
    /// one label, as long as it is a call in the same place of the source.
    #[inline(always)]
    fn is_of(&self, id: u64, meta: u64, place: &'static Location<'static>) -> bool {
        let word = |at| self.record.word(at);
        word(Called::ID) == id && word(Called::META) == meta && word(Called::PLACE) == Called::word_of(place)
    }

    /// Writes the words of a call. For the slot's thread, while it is empty.
    #[inline]
    fn describe(&self, id: u64, meta: u64, place: &'static Location<'static>, label: Label) {
        for (at, word) in Called::words(id, meta, place, label).into_iter().enumerate() {
            self.record.write(at, word);
        }
        // Relaxed: read by this thread.
        self.term.store(mix(id, meta), Relaxed);
    }

    /// Clears the entry, for a thread that is not the slot's, or may not be.
    pub(super) fn clear_from_outside(&self, number: u64) {
        if self.record.clear_if(number) {
            self.slot.disturbed.note();
        }
    }
}

/// What one thread shows to others.
pub(super) struct Slot {
    /// Under the thread's number: the length of its name, and the name.
    pub(super) thread: Record<{ 1 + NAME / 8 }>,
    pub(super) wait: Wait,
    /// The process in which its thread is, or was: in a child of a `fork` there are the slots of the parent,
    /// and none of its threads but one.
    process: AtomicU32,
    /// The newest first.
    holds: Members<Chunk>,
    /// The number that was published last, while no thread has the slot.
    last: AtomicU64,
    /// Whether another thread has cleared an entry.
    disturbed: Disturbed,
}

per_process! {
    static SLOTS: Members<Slot> = Members::new();
}

impl Slot {
    pub(super) fn entries(&self) -> impl Iterator<Item = &'static Entry> + Clone + use<> {
        self.holds.iter().flat_map(|chunk| chunk.value.0)
    }

    /// Adds one more chunk, if the slot may have one. For its thread.
    #[cold]
    fn grow(&'static self) -> Option<&'static Entry> {
        let may = self.holds.iter().count() < MOST / CHUNK;
        may.then(|| &self.holds.add(Chunk::new(self)).value.0[0])
    }

    /// Returns whether its thread is, or was, one of this process.
    pub(super) fn is_of(&self, process: u32) -> bool {
        // Relaxed: written before the thread's number, with which it is read (record.publish).
        self.process.load(Relaxed) == process
    }

    fn is_empty(&self) -> bool {
        self.entries().all(|entry| entry.record.is_empty())
    }
}

/// Takes a slot that no thread has, or makes a new one.
#[cold]
fn claim() -> &'static Member<Slot> {
    let mut orphans = 0;
    let may = |slot: &Slot| {
        // The entries of a thread that is gone are only cleared.
        let empty = slot.is_empty();
        orphans += usize::from(!empty);
        empty || orphans > ORPHANS
    };
    let mut may = may;
    if let Some(member) = SLOTS.iter().find(|member| member.claim(&mut may)) {
        let slot = &member.value;
        for entry in slot.entries() {
            if let Some(number) = entry.record.number() {
                entry.record.clear_if(number);
            }
        }
        slot.thread.clear();
        return member;
    }
    SLOTS.add(Slot {
        thread: Record::new(),
        wait: Record::new(),
        process: AtomicU32::new(0),
        holds: Members::new(),
        last: AtomicU64::new(0),
        disturbed: Disturbed::new(),
    })
}

/// What the calling thread knows of itself.
pub(super) struct Local {
    slot: Cell<Option<&'static Slot>>,
    /// The slot as a member of the list of all, to be given back.
    member: Cell<Option<&'static Member<Slot>>>,
    /// Where what it holds next is entered, if that is empty: behind what it has locked last, or what it has
    /// released last.
    next: Cell<Option<&'static Entry>>,
    /// The sum of [`mix`] over what it holds.
    chain: Cell<u64>,
    /// The number that was published last.
    last: Cell<u64>,
    /// What stands for the thread's contended call, see [`Contended`].
    pub(super) contended: Cell<Contended>,
    /// Whether the thread's locals are being destroyed.
    over: Cell<bool>,
    /// Whether the thread is in code of diagnosis.
    pub(super) inside: Cell<bool>,
}

/// A call that could not go on at once, and has not gone on yet.
#[derive(Clone, Copy)]
pub(super) struct Contended {
    pub(super) token: u64,
    pub(super) parked: bool,
}

impl Contended {
    pub(super) const NONE: Self = Self { token: 0, parked: false };
}

per_thread! {
    const LOCAL: Local = Local {
        slot: Cell::new(None),
        member: Cell::new(None),
        next: Cell::new(None),
        chain: Cell::new(0),
        last: Cell::new(0),
        contended: Cell::new(Contended::NONE),
        over: Cell::new(false),
        inside: Cell::new(false),
    };
    ends by Local::end;
}

impl Local {
    #[inline]
    pub(super) fn slot(&self) -> Option<&'static Slot> {
        match self.slot.get() {
            Some(slot) => Some(slot),
            None => self.new_slot(),
        }
    }

    #[cold]
    fn new_slot(&self) -> Option<&'static Slot> {
        if self.over.get() || self.inside.get() {
            return None;
        }
        // What it calls may lock, an allocator that is made of locks for one: that is not noted.
        self.inside.set(true);
        let slot = LOCAL.arm().then(|| self.take_slot());
        self.inside.set(false);
        if slot.is_none() {
            self.over.set(true);
        }
        slot
    }

    fn take_slot(&self) -> &'static Slot {
        let member = claim();
        let slot = &member.value;
        // Relaxed: read and written by the slot's thread.
        self.last.set(slot.last.load(Relaxed));
        let name = thread_name(NAME);
        let mut words = [0; 1 + NAME / 8];
        words[0] = name.len() as u64;
        for (word, bytes) in words[1..].iter_mut().zip(name.as_bytes().chunks(8)) {
            let mut eight = [0; 8];
            eight[..bytes.len()].copy_from_slice(bytes);
            *word = u64::from_le_bytes(eight);
        }
        // Relaxed: published with the number.
        slot.process.store(process(), Relaxed);
        slot.thread.publish(this_thread().get(), words);
        self.slot.set(Some(slot));
        self.member.set(Some(member));
        self.next.set(slot.holds.iter().last().map(|chunk| &chunk.value.0[0]));
        self.chain.set(0);
        slot
    }

    /// Gives the slot back at the thread's end.
    fn end(&self) {
        self.over.set(true);
        self.next.set(None);
        let (Some(slot), Some(member)) = (self.slot.take(), self.member.take()) else { return };
        // Relaxed: handed on with the state.
        slot.last.store(self.last.get(), Relaxed);
        slot.wait.clear();
        let empty = slot.is_empty();
        if empty {
            slot.thread.clear();
        }
        member.leave(!empty);
    }

    #[inline(always)]
    pub(super) fn next_number(&self) -> u64 {
        let number = self.last.get() + 1;
        self.last.set(number);
        number
    }

    /// Enters what the thread holds from now on, if it is what was there before: returns where, and under
    /// which number. No object has the number 0.
    #[inline(always)]
    pub(super) fn push_again(
        &self,
        id: u64,
        meta: u64,
        place: &'static Location<'static>,
    ) -> Option<(&'static Entry, u64)> {
        let entry =
            self.next.get().filter(|entry| entry.record.is_empty() && entry.is_of(id, meta, place))?;
        (!self.inside.get()).then(|| (entry, self.show(entry, coarse_nanos())))
    }

    /// Publishes what is written in an empty entry.
    #[inline(always)]
    fn show(&self, entry: &'static Entry, since: u64) -> u64 {
        self.next.set(entry.after());
        entry.record.write(Called::WORDS, since);
        let number = self.next_number();
        entry.record.show(number);
        // Relaxed: written by this thread.
        self.chain.set(self.chain.get().wrapping_add(entry.term.load(Relaxed)));
        number
    }

    /// Enters what the thread holds from now on. `is_exact` says whether it is to be known for how long.
    pub(super) fn push(
        &self,
        id: u64,
        meta: u64,
        place: &'static Location<'static>,
        label: impl FnOnce() -> Label,
        is_exact: bool,
    ) -> Option<(&'static Entry, u64)> {
        if self.inside.get() {
            return None;
        }
        let entry = match self.next.get() {
            Some(entry) if entry.record.is_empty() => entry,
            _ => self.find()?,
        };
        if !entry.is_of(id, meta, place) {
            entry.describe(id, meta, place, label());
        }
        Some((entry, self.show(entry, if is_exact { nanos() } else { coarse_nanos() })))
    }

    /// Finds another entry that is empty. After one call that has found none the next do not look, until one
    /// is released: `next` is the first of a chunk then, and not empty, which it is at no other time.
    #[cold]
    fn find(&self) -> Option<&'static Entry> {
        let slot = self.slot()?;
        let first = slot.entries().next();
        let is_full = |first: &Entry| {
            !first.record.is_empty() && self.next.get().is_some_and(|next| ptr::eq(next, first))
        };
        if first.is_some_and(is_full) && !self.merge_held() {
            return None;
        }
        let found = slot.entries().find(|entry| entry.record.is_empty()).or_else(|| slot.grow());
        if found.is_none() {
            self.next.set(first);
        }
        found
    }

    /// Clears an entry, if it is of the thread's own slot. Returns whether it is.
    #[inline(always)]
    pub(super) fn pop(&self, entry: &'static Entry, number: u64) -> bool {
        if !self.slot.get().is_some_and(|slot| ptr::eq(slot, entry.slot)) {
            return false;
        }
        // The slot may have been another thread's, which ended while it held this.
        if entry.record.number() == Some(number) {
            entry.record.clear();
            // Relaxed: as above.
            self.chain.set(self.chain.get().wrapping_sub(entry.term.load(Relaxed)));
            self.next.set(Some(entry));
        }
        true
    }

    /// Sums up anew if another thread has cleared an entry. Returns whether one has.
    fn merge_held(&self) -> bool {
        let Some(slot) = self.slot.get().filter(|slot| slot.disturbed.take()) else { return false };
        let held = slot.entries().filter(|entry| !entry.record.is_empty());
        // Relaxed: as above.
        let sum = held.fold(0, |sum: u64, entry| sum.wrapping_add(entry.term.load(Relaxed)));
        self.chain.set(sum);
        true
    }

    fn chain(&self) -> u64 {
        self.merge_held();
        self.chain.get()
    }
}

/// Runs `f` on what the calling thread knows of itself.
#[inline(always)]
pub(super) fn with_local<R>(f: impl FnOnce(&Local) -> R) -> Option<R> {
    LOCAL.with(f)
}

/// Returns whether the calling thread may hold a lock.
#[inline]
pub(super) fn may_hold() -> bool {
    LOCAL.with(|local| local.chain.get() != 0) == Some(true)
}

/// Returns the number of this process, with the calling thread's slot as one of it: the thread may be the one
/// that has come here by a `fork`.
pub(super) fn own_process() -> u32 {
    let process = process();
    if let Some(slot) = LOCAL.with(|local| local.slot.get()).flatten() {
        // Relaxed: as that of a new slot; the thread is the same.
        slot.process.store(process, Relaxed);
    }
    process
}

/// Returns an iterator over the slots, those without a thread among them.
pub(super) fn slots() -> impl Iterator<Item = &'static Member<Slot>> {
    SLOTS.iter()
}

/// Returns a sum over what the calling thread holds for certain, and how it does. 0 if that is nothing.
pub(crate) fn own_chain() -> u64 {
    LOCAL.with(Local::chain).unwrap_or(0)
}

/// Returns an iterator over the entries of the calling thread.
pub(super) fn own_entries() -> impl Iterator<Item = &'static Entry> + Clone {
    LOCAL.with(|local| local.slot.get()).flatten().into_iter().flat_map(Slot::entries)
}

/// Code of diagnosis, during which the thread notes nothing, until this is dropped.
struct Inside(());

impl Inside {
    /// Begins it. `None` if the thread is in such code already, or at its end.
    fn enter() -> Option<Self> {
        let entered = LOCAL.with(|local| !local.over.get() && !local.inside.replace(true));
        (entered == Some(true)).then_some(Self(()))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        LOCAL.with(|local| local.inside.set(false));
    }
}

/// Runs `f` as code of diagnosis. `None` if the thread is in such code already, or at its end.
pub(crate) fn inside<R>(f: impl FnOnce() -> R) -> Option<R> {
    Inside::enter().map(|_inside| f())
}

/// Runs `f` as code of diagnosis, also in such code: a sink may ask what a session knows. At the thread's end
/// it notes nothing anyway. Not for what runs while the tables are locked.
pub(crate) fn inside_anyway<R>(f: impl FnOnce() -> R) -> R {
    let _inside = Inside::enter();
    f()
}

pub(super) fn set_contended(contended: Contended) {
    LOCAL.with(|local| local.contended.set(contended));
}

pub(super) fn take_contended() -> Contended {
    LOCAL.with(|local| local.contended.replace(Contended::NONE)).unwrap_or(Contended::NONE)
}

#[cfg(test)]
mod tests {
    use super::{ORPHANS, SLOTS};
    use crate::facade::platform::thread;
    use crate::observe::{Call, HeldHere, Identity, Kind, Mode};
    use std::sync::Arc;

    fn slots() -> usize {
        SLOTS.iter().count()
    }

    /// Notes something in a thread of its own.
    fn visit(identity: &Arc<Identity>, keep: bool) {
        let identity = Arc::clone(identity);
        let body = move || {
            let held = HeldHere::always(Call::new(Kind::Mutex, Mode::Lock, &identity).subject());
            if keep {
                std::mem::forget(held);
            }
        };
        thread::spawn(body).join().unwrap();
    }

    /// Other tests' threads have slots as well, but no test has that many at a time.
    #[test]
    fn slots_are_as_many_as_threads_at_a_time() {
        let threads = if cfg!(miri) { 50 } else { 20_000 };
        let identity = Arc::new(Identity::named("of slots"));
        for _ in 0..threads {
            visit(&identity, false);
        }
        // The other test's are among them.
        assert!(slots() <= ORPHANS + 200, "{}", slots());
    }

    /// Of what ended threads have left behind a number is kept.
    #[test]
    fn slots_of_ended_threads_are_taken_over() {
        let threads = if cfg!(miri) { 20 } else { 2_000 };
        let identity = Arc::new(Identity::named("left behind"));
        for _ in 0..threads {
            visit(&identity, true);
        }
        assert!(slots() <= ORPHANS + 200, "{}", slots());
    }
}
