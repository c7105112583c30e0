//! Calls: what a public call is about, from its entry down to where its thread parks.

use std::fmt;
use std::panic::Location;

use super::label::{Identity, Label, LockClass};
use super::slots::Held;
use super::{Kind, Mode};

#[derive(Clone, Copy)]
pub(super) enum Which<'a> {
    Unknown,
    Object(&'a Identity),
    At(usize),
}

/// A public call: what it does with which object, and where in the caller's source. `NONE` is one of which
/// nothing is told.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    which: Which<'a>,
    kind: Kind,
    mode: Mode,
    shared: bool,
    count: u32,
    place: &'static Location<'static>,
}

impl<'a> Call<'a> {
    #[inline]
    #[track_caller]
    pub(crate) fn none() -> Self {
        Self {
            which: Which::Unknown,
            kind: Kind::Several,
            mode: Mode::Wait,
            shared: false,
            count: 1,
            place: Location::caller(),
        }
    }

    /// A call of the caller's caller.
    #[inline]
    #[track_caller]
    pub(crate) const fn new(kind: Kind, mode: Mode, identity: &'a Identity) -> Self {
        let which = if identity.is_hidden() { Which::Unknown } else { Which::Object(identity) };
        Self { which, kind, mode, shared: false, count: 1, place: Location::caller() }
    }

    /// A call about an object without an [`Identity`]: it goes by its address.
    #[inline]
    #[track_caller]
    pub(crate) fn at<T: ?Sized>(kind: Kind, mode: Mode, object: *const T) -> Self {
        let address = object.cast::<()>().addr();
        Self { which: Which::At(address), kind, mode, shared: false, count: 1, place: Location::caller() }
    }

    /// For so many permits.
    #[inline]
    pub(crate) const fn count(self, n: usize) -> Self {
        let count = if n > u32::MAX as usize { u32::MAX } else { n as u32 };
        Self { count, ..self }
    }

    /// Its guard may go to another thread.
    #[inline]
    pub(crate) const fn shared(self) -> Self {
        Self { shared: true, ..self }
    }

    /// Its guard may go to another thread, if that one may.
    #[inline]
    pub(crate) fn like(self, held: &Held) -> Self {
        Self { shared: held.is_shared(), ..self }
    }

    /// The same in another mode.
    #[inline]
    pub(crate) fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// As what goes by registers, so that no fast path writes it to memory.
    #[inline]
    pub(super) fn to_parts(self) -> (Which<'a>, u64, &'static Location<'static>) {
        let Self { which, kind, mode, shared, count, place } = self;
        let meta = kind as u64 | (mode as u64) << 8 | u64::from(shared) << 24 | u64::from(count) << 32;
        (which, meta, place)
    }

    pub(super) fn from_parts(which: Which<'a>, meta: u64, place: &'static Location<'static>) -> Self {
        let byte = |shift: u32| (meta >> shift) as u8;
        Self {
            which,
            kind: Kind::ALL[usize::from(byte(0))],
            mode: Mode::ALL[usize::from(byte(8))],
            shared: byte(24) != 0,
            count: (meta >> 32) as u32,
            place,
        }
    }

    /// Returns whether it is for a lock of which all is told. What goes by its address comes and goes untold.
    #[inline]
    pub(super) fn is_for_lock(&self) -> bool {
        self.kind.is_lock() && matches!(self.which, Which::Object(_))
    }

    #[inline]
    pub(super) fn is_unknown(&self) -> bool {
        matches!(self.which, Which::Unknown)
    }

    /// The call by itself.
    #[inline]
    pub(crate) fn subject(&self) -> Subject {
        let (id, label) = match self.which {
            Which::Unknown => return Subject::NONE,
            Which::Object(identity) => (identity.id(), identity.label()),
            Which::At(address) => (address as u64, Label::None),
        };
        let Self { kind, mode, shared, count, place, .. } = *self;
        Subject(Some(Called { id, kind, mode, count, shared, label, place }))
    }
}

/// A call by itself, or none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject(pub(super) Option<Called>);

impl Subject {
    pub(crate) const NONE: Self = Self(None);

    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0.or(other.0))
    }
}

/// What a call is about: an object by its number, or by its address if it has no [`Identity`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Called {
    pub(crate) id: u64,
    pub(crate) kind: Kind,
    pub(crate) mode: Mode,
    pub(crate) count: u32,
    /// Whether the guard may go to another thread.
    pub(crate) shared: bool,
    pub(crate) label: Label,
    pub(crate) place: &'static Location<'static>,
}

/// As "`Mutex::lock` of "sessions" at src/pool.rs:41".
impl fmt::Display for Called {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}::{}`", self.kind.name(), self.mode.name())?;
        if let Some(name) = self.name() {
            write!(f, " of \"{name}\"")?;
        }
        write!(f, " at {}:{}", self.place.file(), self.place.line())
    }
}

impl Called {
    pub(crate) const WORDS: usize = 5;

    pub(crate) fn name(&self) -> Option<&'static str> {
        self.label.name()
    }

    pub(crate) fn class(&self) -> Option<&'static LockClass> {
        self.label.class()
    }

    /// Returns whether it is about the same object.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.id == other.id && self.kind == other.kind
    }

    #[inline]
    pub(super) fn to_words(self) -> [u64; Self::WORDS] {
        let (variant, [first, second]) = self.label.to_words();
        let meta = self.kind as u64
            | (self.mode as u64) << 8
            | u64::from(variant) << 16
            | u64::from(self.shared) << 24
            | u64::from(self.count) << 32;
        [self.id, meta, first, second, (&raw const *self.place).expose_provenance() as u64]
    }

    /// # Safety
    ///
    /// The words are those of one call.
    pub(super) unsafe fn from_words([id, meta, first, second, place]: [u64; Self::WORDS]) -> Self {
        let byte = |shift: u32| (meta >> shift) as u8;
        let place = std::ptr::with_exposed_provenance::<Location<'static>>(place as usize);
        Self {
            id,
            kind: Kind::ALL[usize::from(byte(0))],
            mode: Mode::ALL[usize::from(byte(8))],
            count: (meta >> 32) as u32,
            shared: byte(24) != 0,
            // SAFETY: this function's contract.
            label: unsafe { Label::from_words(byte(16), [first, second]) },
            // SAFETY: by this function's contract the address of a location, which is `'static`.
            place: unsafe { &*place },
        }
    }
}
