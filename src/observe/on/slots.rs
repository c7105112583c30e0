//! The slots of threads: what each waits for and holds, for all others to read.
//!
//! A thread gets a slot when it first has something to note, and gives it back at its end. Slots are never
//! freed: a later thread takes one over, so there are as many as there were threads at a time, and finding
//! them takes no lock. A thread that ends while it holds something (its guard was forgotten, or went to
//! another thread) leaves its slot behind, until that is released; of such slots there are at most
//! [`ORPHANS`], then the first of them is taken over all the same.
//!
//! Ordering: that of [`Members`] and [`Record`].

use std::cell::Cell;
use std::panic::Location;
use std::ptr;

use super::super::members::{Member, Members};
use super::super::record::Record;
use super::call::{Call, Called, Subject, Which};
use crate::facade::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use crate::facade::{
    Deadline, coarse_nanos, nanos, nanos_of, per_process, per_thread, this_thread, thread_name,
};

/// How many slots ended threads may leave behind.
const ORPHANS: usize = 256;

/// How many bytes of a thread's name are kept.
const NAME: usize = 48;

/// A wait: the call, since when, until when (0: without limit).
type Wait = Record<{ Called::WORDS + 2 }>;
/// Something held: the call, since when.
type HoldRecord = Record<{ Called::WORDS + 1 }>;

/// One place in the list of what a thread holds.
#[derive(Debug)]
pub(crate) struct Entry {
    record: HoldRecord,
    /// The address of its slot, to tell it from others.
    slot: usize,
    disturbed: &'static AtomicU32,
    /// Its number in the list.
    index: u32,
}

/// Some places of the list.
struct Chunk(Box<[Entry]>);

/// How many entries are in one.
const CHUNK: u32 = 16;

/// How many entries a thread has at most. What it holds beyond that is not noted.
const MOST: u32 = 1024;

impl Chunk {
    fn new(slot: &'static Slot, first: u32) -> Self {
        let (address, disturbed) = (ptr::from_ref(slot).addr(), &slot.disturbed);
        let entry = |index| Entry { record: Record::new(), slot: address, disturbed, index };
        Self((first..first + CHUNK).map(entry).collect())
    }
}

/// What one thread shows to others.
struct Slot {
    /// Under the thread's number: the length of its name, and the name.
    thread: Record<{ 1 + NAME / 8 }>,
    wait: Wait,
    /// The newest first.
    holds: Members<Chunk>,
    /// The number that was published last, while no thread has the slot.
    last: AtomicU64,
    /// Not 0: another thread has cleared an entry.
    disturbed: AtomicU32,
}

per_process! {
    static SLOTS: Members<Slot> = Members::new();
}

impl Slot {
    fn entries(&self) -> impl Iterator<Item = &'static Entry> + Clone + use<> {
        self.holds.iter().flat_map(|chunk| chunk.value.0.iter())
    }

    fn holds(&self) -> impl Iterator<Item = Holding> + Clone + use<> {
        self.entries().filter_map(Holding::of)
    }

    /// For its thread: one more chunk.
    #[cold]
    fn grow(&'static self) -> &'static [Entry] {
        let number = self.holds.iter().count() as u32;
        &self.holds.add(Chunk::new(self, number * CHUNK)).value.0
    }

    fn is_empty(&self) -> bool {
        self.entries().all(|entry| entry.record.is_empty())
    }
}

/// A slot that no thread has, or a new one.
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
        holds: Members::new(),
        last: AtomicU64::new(0),
        disturbed: AtomicU32::new(0),
    })
}

/// What the calling thread knows of itself.
struct Local {
    slot: Cell<Option<&'static Member<Slot>>>,
    /// The first entries of what it holds.
    chunk: Cell<&'static [Entry]>,
    /// The entries from this one on are empty.
    top: Cell<u32>,
    /// The sum of [`mix`] over what it holds.
    chain: Cell<u64>,
    /// The number that was published last.
    last: Cell<u64>,
    /// What stands for the thread's contended call, see [`Contended`].
    contended: Cell<Contended>,
    /// Whether the thread's locals are being destroyed.
    over: Cell<bool>,
    /// Whether the thread is in code of diagnosis.
    inside: Cell<bool>,
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
        chunk: Cell::new(&[]),
        top: Cell::new(0),
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
    fn slot(&self) -> Option<&'static Slot> {
        match self.slot.get() {
            Some(member) => Some(&member.value),
            None => self.new_slot(),
        }
    }

    #[cold]
    fn new_slot(&self) -> Option<&'static Slot> {
        if self.over.get() || self.inside.get() {
            return None;
        }
        // The allocator may be made of locks.
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
        slot.thread.publish(this_thread().get(), words);
        let first = slot.holds.iter().last().map_or_else(|| slot.grow(), |chunk| &chunk.value.0);
        self.slot.set(Some(member));
        self.chunk.set(first);
        self.top.set(0);
        self.chain.set(0);
        slot
    }

    /// At the thread's end.
    fn end(&self) {
        self.over.set(true);
        let Some(member) = self.slot.take() else { return };
        let slot = &member.value;
        // Relaxed: handed on with the state.
        slot.last.store(self.last.get(), Relaxed);
        slot.wait.clear();
        let empty = slot.is_empty();
        if empty {
            slot.thread.clear();
        }
        member.leave(!empty);
    }

    #[inline]
    fn next_number(&self) -> u64 {
        let number = self.last.get() + 1;
        self.last.set(number);
        number
    }

    /// Enters what the thread holds from now on.
    #[inline]
    fn push(&self, called: &Called) -> Option<HeldEntry> {
        let slot = self.slot()?;
        let top = self.top.get();
        let entry = match self.chunk.get().get(top as usize) {
            Some(entry) if entry.record.is_empty() => entry,
            _ => Self::find(slot, top)?,
        };
        self.top.set(top.max(entry.index + 1));
        let number = self.next_number();
        let [a, b, c, d, e] = called.to_words();
        entry.record.publish(number, [a, b, c, d, e, coarse_nanos()]);
        let term = mix(called);
        self.chain.set(self.chain.get().wrapping_add(term));
        Some(HeldEntry { entry, number, term, shared: called.shared })
    }

    #[cold]
    fn find(slot: &'static Slot, top: u32) -> Option<&'static Entry> {
        if top >= MOST {
            return None;
        }
        let empty = slot.entries().find(|entry| entry.record.is_empty());
        Some(empty.unwrap_or_else(|| &slot.grow()[0]))
    }

    /// Clears an entry of the thread's own.
    #[inline]
    fn pop(&self, held: HeldEntry) {
        let HeldEntry { entry, number, term, .. } = held;
        // The slot may have been another thread's, which ended while it held this.
        if entry.record.number() != Some(number) {
            return;
        }
        entry.record.clear();
        self.chain.set(self.chain.get().wrapping_sub(term));
        if entry.index + 1 == self.top.get() {
            self.top.set(entry.index);
        }
    }
}

/// One term of a thread's chain: sums of such are as good as different for different sets of locks. What is
/// no lock adds nothing, nor does one that another thread may have by now.
#[inline]
fn mix(called: &Called) -> u64 {
    if !called.kind.is_lock() || called.shared {
        return 0;
    }
    // The finishing steps of a common 64-bit hash.
    let mut x = called.id.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (called.mode as u64) << 56;
    x = (x ^ (x >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    x ^ (x >> 32)
}

/// Something that a thread holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holding {
    pub(crate) called: Called,
    /// When it began, in nanoseconds of [`nanos`]; up to a tick of the clock earlier.
    pub(crate) since: u64,
    /// No other holding of the same thread has it.
    pub(crate) number: u64,
}

impl Holding {
    fn of(entry: &Entry) -> Option<Self> {
        let (number, [a, b, c, d, e, since]) = entry.record.read()?;
        // SAFETY: they were published together.
        let called = unsafe { Called::from_words([a, b, c, d, e]) };
        Some(Self { called, since, number })
    }
}

/// What a thread waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) called: Called,
    pub(crate) since: u64,
    /// `None`: without limit.
    pub(crate) until: Option<u64>,
    /// No other wait of the same thread has it.
    pub(crate) number: u64,
}

/// A thread that waits for or holds something, or did.
#[derive(Clone, Debug)]
pub(crate) struct ThreadView {
    /// No other thread of this process has or had it.
    pub(crate) number: u64,
    pub(crate) name: Option<String>,
    /// Whether it has ended.
    pub(crate) gone: bool,
    pub(crate) wait: Option<Waiting>,
    pub(crate) holds: Vec<Holding>,
}

fn view(member: &Member<Slot>) -> Option<ThreadView> {
    let slot = &member.value;
    let (number, [len, name @ ..]) = slot.thread.read()?;
    let bytes: Vec<u8> = name.iter().flat_map(|word| word.to_le_bytes()).take(len as usize).collect();
    let name = String::from_utf8_lossy(&bytes).into_owned();
    let wait = slot.wait.read().map(|(number, [a, b, c, d, e, since, until])| {
        // SAFETY: they were published together.
        let called = unsafe { Called::from_words([a, b, c, d, e]) };
        Waiting { called, since, until: (until != 0).then_some(until), number }
    });
    let holds: Vec<Holding> = slot.holds().collect();
    let gone = member.is_left();
    // Still the same thread.
    (slot.thread.number() == Some(number)).then_some(ThreadView {
        number,
        name: (!name.is_empty()).then_some(name),
        gone,
        wait,
        holds,
    })
}

/// All threads that have noted something.
pub(crate) fn threads() -> Vec<ThreadView> {
    SLOTS.iter().filter_map(view).collect()
}

/// What the calling thread holds.
pub(crate) fn own_holds() -> impl Iterator<Item = Holding> + Clone {
    let slot = LOCAL.with(|local| local.slot.get()).flatten();
    slot.into_iter().flat_map(|member| member.value.entries()).filter_map(Holding::of)
}

/// A sum over what the calling thread holds for certain, and how it does. 0 if that is nothing.
pub(crate) fn own_chain() -> u64 {
    let chain = LOCAL.with(|local| {
        let slot = &local.slot.get()?.value;
        // Relaxed: another thread has cleared an entry, or will have.
        if slot.disturbed.load(Relaxed) != 0 {
            slot.disturbed.store(0, Relaxed);
            let sum = |sum: u64, hold: Holding| sum.wrapping_add(mix(&hold.called));
            local.chain.set(slot.holds().fold(0, sum));
        }
        Some(local.chain.get())
    });
    chain.flatten().unwrap_or(0)
}

/// Runs `f` as code of diagnosis, during which the thread notes nothing. `None` if it is in such code
/// already, or at its end.
pub(crate) fn inside<R>(f: impl FnOnce() -> R) -> Option<R> {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            LOCAL.with(|local| local.inside.set(false));
        }
    }
    let entered = LOCAL.with(|local| !local.over.get() && !local.inside.replace(true));
    (entered == Some(true)).then(|| {
        let _leave = Leave;
        f()
    })
}

pub(super) fn set_contended(contended: Contended) {
    LOCAL.with(|local| local.contended.set(contended));
}

pub(super) fn take_contended() -> Contended {
    LOCAL.with(|local| local.contended.replace(Contended::NONE)).unwrap_or(Contended::NONE)
}

/// The entry of what a guard or a permit stands for, in the list of the thread that has locked it.
#[derive(Debug)]
pub(crate) struct Held(Option<HeldEntry>);

#[derive(Clone, Copy, Debug)]
struct HeldEntry {
    entry: &'static Entry,
    number: u64,
    /// What it adds to the thread's chain.
    term: u64,
    shared: bool,
}

impl Held {
    pub(crate) const NONE: Self = Self(None);

    /// For a thread that has just locked.
    #[inline]
    pub(crate) fn new(call: Call<'_>) -> Self {
        if super::level() == 0 {
            return Self::NONE;
        }
        let (which, meta, place) = call.to_parts();
        Self::enter(which, meta, place)
    }

    #[cold]
    #[inline(never)]
    fn enter(which: Which<'_>, meta: u64, place: &'static Location<'static>) -> Self {
        if super::level() & super::UNREAD != 0 {
            super::first();
        }
        let level = super::level();
        let Some(called) = Call::from_parts(which, meta, place).subject().0 else { return Self::NONE };
        if level & super::PROFILE != 0 {
            super::acquired(&called);
        }
        if level & super::HOLDS == 0 {
            return Self::NONE;
        }
        Self::push(&called)
    }

    fn push(called: &Called) -> Self {
        Self(LOCAL.with(|local| if local.inside.get() { None } else { local.push(called) }).flatten())
    }

    pub(super) fn is_shared(&self) -> bool {
        self.0.is_some_and(|held| held.shared)
    }

    /// Before the lock is given up.
    #[inline]
    pub(crate) fn release(&mut self) {
        if let Some(held) = self.0.take() {
            held.leave();
        }
    }

    #[inline]
    pub(crate) fn take(&mut self) -> Self {
        Self(self.0.take())
    }

    /// For permits that have become more or fewer.
    #[inline]
    pub(crate) fn recount(&mut self, n: usize) {
        if let Some(held) = self.0.take() {
            self.0 = held.recounted(n);
        }
    }
}

/// A [`Held`] of a frame.
pub(crate) struct HeldHere(Held);

impl HeldHere {
    /// Entered if anything is.
    pub(crate) fn new(call: Call<'_>) -> Self {
        Self(Held::new(call))
    }

    /// Entered in any case.
    pub(crate) fn always(subject: Subject) -> Self {
        Self(subject.0.map_or(Held::NONE, |called| Held::push(&called)))
    }
}

impl Drop for HeldHere {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// For a guard that was forgotten, and whose lock is unlocked without it, or gets another guard. Readers have
/// guards of their own.
pub(crate) fn release_forgotten(kind: super::Kind, identity: &super::Identity) {
    let id = identity.known();
    if id == 0 {
        return;
    }
    let of_it = |entry: &'static Entry| {
        let hold = Holding::of(entry)?;
        let is = hold.called.kind == kind && hold.called.id == id;
        (is && hold.called.mode.excludes(super::Mode::Upgradable)).then_some((entry, hold))
    };
    let own = LOCAL.with(|local| local.slot.get()).flatten();
    let found = own.and_then(|member| member.value.entries().filter_map(of_it).last());
    let found = found.or_else(|| SLOTS.iter().flat_map(|member| member.value.entries()).find_map(of_it));
    if let Some((entry, hold)) = found {
        let term = mix(&hold.called);
        HeldEntry { entry, number: hold.number, term, shared: false }.leave();
    }
}

/// Clears an entry. What it is made of goes by registers, so that no fast path writes it to memory.
#[inline(never)]
fn leave(entry: &'static Entry, number: u64, term: u64, shared: bool) {
    if super::level() & super::PROFILE != 0 {
        if let Some(holding) = Holding::of(entry).filter(|holding| holding.number == number) {
            super::releasing(&holding);
        }
    }
    let own = LOCAL.with(|local| {
        let own = local.slot.get().is_some_and(|own| ptr::from_ref(&own.value).addr() == entry.slot);
        if own {
            local.pop(HeldEntry { entry, number, term, shared });
        }
        own
    });
    if own != Some(true) && entry.record.clear_if(number) {
        // Relaxed: read by the slot's thread when it asks what it holds.
        entry.disturbed.store(1, Relaxed);
    }
}

impl HeldEntry {
    fn recounted(self, n: usize) -> Option<Self> {
        // The slot may have been taken over, and the entry be another thread's.
        let mut called = Holding::of(self.entry).filter(|hold| hold.number == self.number)?.called;
        called.count = u32::try_from(n).unwrap_or(u32::MAX);
        self.leave();
        Held::push(&called).0
    }

    #[inline]
    fn leave(self) {
        let Self { entry, number, term, shared } = self;
        leave(entry, number, term, shared);
    }
}

/// What a thread that sleeps has published.
#[must_use]
pub(crate) struct Parked(Option<&'static Slot>);

impl Parked {
    pub(crate) const NONE: Self = Self(None);

    /// Publishes what the calling thread is about to sleep for, unless it has already. Returns whether it
    /// did: that may have allocated, run the system's code and slept there.
    #[inline]
    pub(crate) fn begin(&mut self, deadline: &Deadline) -> bool {
        if self.0.is_some() {
            return false;
        }
        self.publish(deadline.subject(), deadline);
        self.0.is_some()
    }

    #[cold]
    fn publish(&mut self, subject: Subject, deadline: &Deadline) {
        let Some(called) = subject.0 else { return };
        LOCAL.with(|local| {
            if local.inside.get() {
                return;
            }
            let Some(slot) = local.slot().filter(|slot| slot.wait.is_empty()) else { return };
            local.contended.set(Contended { parked: true, ..local.contended.get() });
            let now = nanos();
            let until = deadline.instant().map_or(0, nanos_of);
            let [a, b, c, d, e] = called.to_words();
            slot.wait.publish(local.next_number(), [a, b, c, d, e, now, until]);
            self.0 = Some(slot);
        });
    }
}

impl Drop for Parked {
    #[inline]
    fn drop(&mut self) {
        if let Some(slot) = self.0 {
            slot.wait.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use super::{ORPHANS, SLOTS};
    use crate::facade::platform::thread;
    use crate::observe::{Call, HeldHere, Identity, Kind, Mode};

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
