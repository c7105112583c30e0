//! Names and identities of objects.

use std::fmt;

use crate::facade::atomic::{AtomicU64, Ordering::Relaxed};
use crate::facade::unique_number;
use crate::observe::Kind;

#[doc = include_str!("../../../docs/lock_class.md")]
#[derive(Debug)]
pub struct LockClass {
    name: &'static str,
    rank: u32,
}

impl LockClass {
    /// Makes a class of this name and rank.
    #[must_use]
    #[inline]
    pub const fn new(name: &'static str, rank: u32) -> Self {
        Self { name, rank }
    }

    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) const fn rank(&self) -> u32 {
        self.rank
    }
}

/// What an object is called.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Label {
    None,
    Hidden,
    /// That of a channel's buffer.
    Channel,
    Name(&'static str),
    Class(&'static LockClass),
}

impl Label {
    pub(crate) const fn name(self) -> Option<&'static str> {
        match self {
            Self::None | Self::Hidden | Self::Channel => None,
            Self::Name(name) => Some(name),
            Self::Class(class) => Some(class.name),
        }
    }

    pub(crate) const fn class(self) -> Option<&'static LockClass> {
        match self {
            Self::Class(class) => Some(class),
            _ => None,
        }
    }

    /// Returns it as two words: of a name its address, and its length and one; of a class its address, and 0.
    pub(super) fn to_words(self) -> [u64; 2] {
        match self {
            Self::None | Self::Hidden | Self::Channel => [0; 2],
            Self::Name(name) => [name.as_ptr().expose_provenance() as u64, name.len() as u64 + 1],
            Self::Class(class) => [(&raw const *class).expose_provenance() as u64, 0],
        }
    }

    /// # Safety
    ///
    /// The words are those of one label.
    pub(super) unsafe fn from_words(words: [u64; 2]) -> Self {
        match words {
            [0, _] => Self::None,
            [class, 0] => {
                let class = std::ptr::with_exposed_provenance::<LockClass>(class as usize);
                // SAFETY: by this function's contract the address of a `&'static LockClass`.
                Self::Class(unsafe { &*class })
            }
            [name, longer] => {
                let bytes = std::ptr::with_exposed_provenance::<u8>(name as usize);
                // SAFETY: by this function's contract the address and the length of a `&'static str`.
                let bytes = unsafe { std::slice::from_raw_parts(bytes, longer as usize - 1) };
                // SAFETY: as above.
                Self::Name(unsafe { std::str::from_utf8_unchecked(bytes) })
            }
        }
    }
}

/// Which object it is: its name, and a number that it gets when it is first noted, and that no other object
/// has or will have.
pub(crate) struct Identity {
    label: Label,
    id: AtomicU64,
}

impl Identity {
    #[allow(clippy::declare_interior_mutable_const, reason = "what a constructor begins with")]
    pub(crate) const NONE: Self = Self { label: Label::None, id: AtomicU64::new(0) };

    /// The identity of an object inside another, which diagnosis is not to show.
    #[allow(clippy::declare_interior_mutable_const, reason = "as above")]
    pub(crate) const HIDDEN: Self = Self { label: Label::Hidden, id: AtomicU64::new(0) };

    /// The identity of a buffer that is a channel's.
    #[allow(clippy::declare_interior_mutable_const, reason = "as above")]
    pub(crate) const CHANNEL: Self = Self { label: Label::Channel, id: AtomicU64::new(0) };

    /// Returns the kind of an object that would have this one by itself.
    #[inline]
    pub(crate) const fn kind_or(&self, kind: Kind) -> Kind {
        if matches!(self.label, Label::Channel) { Kind::Channel } else { kind }
    }

    #[inline]
    pub(super) const fn is_hidden(&self) -> bool {
        matches!(self.label, Label::Hidden)
    }

    #[inline]
    pub(crate) const fn named(name: &'static str) -> Self {
        Self { label: Label::Name(name), id: AtomicU64::new(0) }
    }

    #[inline]
    pub(crate) const fn of(class: &'static LockClass) -> Self {
        Self { label: Label::Class(class), id: AtomicU64::new(0) }
    }

    #[inline]
    pub(super) fn label(&self) -> Label {
        self.label
    }

    /// Returns its number, or 0 if it has none.
    #[inline]
    pub(crate) fn known(&self) -> u64 {
        // Relaxed: a number, with which nothing travels.
        self.id.load(Relaxed)
    }

    #[inline]
    pub(super) fn id(&self) -> u64 {
        match self.known() {
            0 => self.number(),
            id => id,
        }
    }

    #[cold]
    fn number(&self) -> u64 {
        // Odd, as no address is, see `Call::at`.
        let new = unique_number() << 1 | 1;
        loop {
            // Relaxed: as above.
            match self.id.compare_exchange_weak(0, new, Relaxed, Relaxed) {
                Ok(_) => return new,
                Err(0) => {}
                Err(id) => return id,
            }
        }
    }
}

impl Drop for Identity {
    #[inline]
    fn drop(&mut self) {
        let id = self.known();
        if id != 0 {
            super::gone(id);
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label.name().unwrap_or("unnamed"))
    }
}
