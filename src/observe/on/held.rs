//! What a guard knows of its lock's entry: [`Held`].

use std::fmt;
use std::panic::Location;

use super::super::{Kind, Mode};
use super::call::{Call, Called, Subject, Which};
use super::label::{Identity, Label};
use super::slots::{Entry, own_entries, slots, with_local};
use super::view::Holding;
use super::{HOLDS, PROFILE};

/// The entry of what a guard or a permit stands for, in the list of the thread that has locked it.
#[derive(Debug)]
pub(crate) struct Held(Option<HeldEntry>);

/// Two words, which go by registers.
#[derive(Clone, Copy)]
struct HeldEntry {
    entry: &'static Entry,
    number: u64,
}

impl fmt::Debug for HeldEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.holding().fmt(f)
    }
}

impl Held {
    pub(crate) const NONE: Self = Self(None);

    /// Enters a lock that the calling thread has just locked, if anything is noted.
    #[inline(always)]
    pub(crate) fn new(call: Call<'_>) -> Self {
        if super::level() == 0 {
            return Self::NONE;
        }
        let (which, meta, place) = call.to_parts();
        Self::enter(which, meta, place)
    }

    /// Enters a lock. For a thread that locks the lock again that it has locked last at this depth, in the
    /// same place, without a call, so no register is saved.
    #[cold]
    #[inline(never)]
    fn enter(which: Which<'_>, meta: u64, place: &'static Location<'static>) -> Self {
        if let (Which::Object(identity), HOLDS) = (which, super::level() & (HOLDS | PROFILE)) {
            let again = with_local(|local| local.push_again(identity.known(), meta, place)).flatten();
            if let Some((entry, number)) = again {
                return Self(Some(HeldEntry { entry, number }));
            }
        }
        Self::enter_anew(which, meta, place)
    }

    /// Does not ask the environment: the lock is locked, and may be the allocator's.
    #[cold]
    #[inline(never)]
    fn enter_anew(which: Which<'_>, meta: u64, place: &'static Location<'static>) -> Self {
        let level = super::level();
        if level & PROFILE != 0 {
            super::tell_acquired(which, meta, place);
        }
        if level & HOLDS == 0 {
            return Self::NONE;
        }
        match which.id() {
            Some(id) => Self::push(id, meta, place, || which.label()),
            None => Self::NONE,
        }
    }

    fn push(id: u64, meta: u64, place: &'static Location<'static>, label: impl FnOnce() -> Label) -> Self {
        let is_exact = super::level() & PROFILE != 0;
        let pushed = with_local(|local| local.push(id, meta, place, label, is_exact)).flatten();
        Self(pushed.map(|(entry, number)| HeldEntry { entry, number }))
    }

    fn push_called(called: &Called) -> Self {
        Self::push(called.id, called.meta(), called.place, || called.label)
    }

    /// Clears the entry, before the lock is given up.
    #[inline]
    pub(crate) fn release(&mut self) {
        if let Some(HeldEntry { entry, number }) = self.0.take() {
            leave(entry, number);
        }
    }

    #[inline]
    pub(crate) fn take(&mut self) -> Self {
        Self(self.0.take())
    }

    /// Notes that permits have become more or fewer.
    #[inline]
    pub(crate) fn recount(&mut self, n: usize) {
        if let Some(held) = self.0.take() {
            *self = held.recounted(n);
        }
    }
}

/// Clears an entry. Without a call, as above.
#[cold]
#[inline(never)]
fn leave(entry: &'static Entry, number: u64) {
    let popped = super::level() & PROFILE == 0 && with_local(|local| local.pop(entry, number)) == Some(true);
    if !popped {
        leave_otherwise(entry, number);
    }
}

/// Clears an entry that diagnosis notes, or that is not the calling thread's.
#[cold]
#[inline(never)]
fn leave_otherwise(entry: &'static Entry, number: u64) {
    if super::level() & PROFILE != 0 {
        if let Some(holding) = (HeldEntry { entry, number }).holding() {
            super::releasing(&holding);
        }
    }
    if with_local(|local| local.pop(entry, number)) != Some(true) {
        entry.clear_from_outside(number);
    }
}

impl HeldEntry {
    /// Returns what is there, unless the slot was taken over and the entry is another thread's.
    fn holding(self) -> Option<Holding> {
        Holding::of(self.entry).filter(|holding| holding.number == self.number)
    }

    fn recounted(self, n: usize) -> Held {
        let Some(Holding { mut called, .. }) = self.holding() else { return Held::NONE };
        called.count = u32::try_from(n).unwrap_or(u32::MAX);
        leave(self.entry, self.number);
        Held::push_called(&called)
    }
}

/// A [`Held`] of a frame.
pub(crate) struct HeldHere(Held);

impl HeldHere {
    /// Enters a call, if anything is noted.
    pub(crate) fn new(call: Call<'_>) -> Self {
        Self(Held::new(call))
    }

    /// Enters a lock, whether or not a session notes locks.
    pub(crate) fn always(subject: Subject) -> Self {
        Self(subject.0.map_or(Held::NONE, |called| Held::push_called(&called)))
    }
}

impl Drop for HeldHere {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// Clears the calling thread's entries of an object that is gone: of guards and permits that were forgotten,
/// also such as are no part of the thread's chain.
#[cold]
pub(super) fn release_gone(id: u64) {
    for entry in own_entries() {
        if let Some(number) = entry.record.number() {
            if Holding::of(entry).is_some_and(|hold| hold.called.id == id) {
                leave(entry, number);
            }
        }
    }
}

/// Clears the entry of a guard that was forgotten, and whose lock is unlocked without it, or gets another
/// guard. Readers have guards of their own.
pub(crate) fn release_forgotten(kind: Kind, identity: &Identity) {
    let id = identity.known();
    if id == 0 {
        return;
    }
    let of_it = |entry: &'static Entry| {
        let hold = Holding::of(entry)?;
        let is = hold.called.kind == kind && hold.called.id == id;
        (is && hold.called.mode.excludes(Mode::Upgradable)).then_some((entry, hold.number))
    };
    let found = own_entries().filter_map(of_it).last();
    let found = found.or_else(|| slots().flat_map(|member| member.value.entries()).find_map(of_it));
    if let Some((entry, number)) = found {
        leave(entry, number);
    }
}
