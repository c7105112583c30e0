//! Calls: what a public call is about, from its entry down to where its thread parks.

use std::fmt;
use std::panic::Location;

use super::label::{Identity, Label, LockClass};
use super::{Kind, Mode};

#[derive(Clone, Copy)]
pub(super) enum Which<'a> {
    Unknown,
    Object(&'a Identity),
    At(usize),
}

impl Which<'_> {
    /// Returns the object's number. `None` if diagnosis is not to know of it.
    #[inline(always)]
    pub(super) fn id(self) -> Option<u64> {
        match self {
            Self::Object(identity) => (!identity.is_hidden()).then(|| identity.id()),
            Self::At(address) => Some(address as u64),
            Self::Unknown => None,
        }
    }

    pub(super) fn label(self) -> Label {
        match self {
            Self::Object(identity) => identity.label(),
            Self::At(_) | Self::Unknown => Label::None,
        }
    }
}

/// Returns what a call does, as one word.
#[inline(always)]
const fn meta(kind: Kind, mode: Mode, shared: bool, count: u32) -> u64 {
    kind as u64 | (mode as u64) << 8 | (shared as u64) << 24 | (count as u64) << 32
}

/// Returns one term of a thread's chain: sums of such are as good as different for different sets of locks.
/// What is no lock adds nothing, nor does one that another thread may have by now.
pub(super) fn mix(id: u64, meta: u64) -> u64 {
    let Parts { kind, mode, shared, .. } = Parts::of(meta);
    if !kind.is_lock() || shared {
        return 0;
    }
    // The finishing steps of a common 64-bit hash.
    let mut x = id.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (mode as u64) << 56;
    x = (x ^ (x >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    x ^ (x >> 32)
}

/// What [`meta`] says.
pub(super) struct Parts {
    pub(super) kind: Kind,
    pub(super) mode: Mode,
    shared: bool,
    count: u32,
}

impl Parts {
    #[inline]
    pub(super) fn of(meta: u64) -> Self {
        let byte = |shift: u32| (meta >> shift) as u8;
        Self {
            kind: Kind::ALL[usize::from(byte(0))],
            mode: Mode::ALL[usize::from(byte(8))],
            shared: byte(24) != 0,
            count: (meta >> 32) as u32,
        }
    }
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

    /// Makes a call of the caller's caller.
    #[inline]
    #[track_caller]
    pub(crate) const fn new(kind: Kind, mode: Mode, identity: &'a Identity) -> Self {
        Self {
            which: Which::Object(identity),
            kind,
            mode,
            shared: false,
            count: 1,
            place: Location::caller(),
        }
    }

    /// Makes a call about an object without an [`Identity`], which goes by its address. That is even, so it
    /// is no other object's number.
    #[inline]
    #[track_caller]
    pub(crate) fn at<T: ?Sized>(kind: Kind, mode: Mode, object: *const T) -> Self {
        let address = object.cast::<()>().addr();
        debug_assert!(address % 2 == 0, "it is a number, or may be");
        Self { which: Which::At(address), kind, mode, shared: false, count: 1, place: Location::caller() }
    }

    /// Makes it a call for so many permits.
    #[inline]
    pub(crate) const fn count(self, n: usize) -> Self {
        let count = if n > u32::MAX as usize { u32::MAX } else { n as u32 };
        Self { count, ..self }
    }

    /// Makes it one whose guard may go to another thread.
    #[inline]
    pub(crate) const fn shared(self) -> Self {
        Self { shared: true, ..self }
    }

    /// Returns the same call in another mode.
    #[inline]
    pub(crate) fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// Returns the call as what goes by registers, so that no fast path writes it to memory.
    #[inline(always)]
    pub(super) fn to_parts(self) -> (Which<'a>, u64, &'static Location<'static>) {
        let Self { which, kind, mode, shared, count, place } = self;
        (which, meta(kind, mode, shared, count), place)
    }

    pub(super) fn from_parts(which: Which<'a>, meta: u64, place: &'static Location<'static>) -> Self {
        let Parts { kind, mode, shared, count } = Parts::of(meta);
        Self { which, kind, mode, shared, count, place }
    }

    /// Returns whether it is for a lock with an [`Identity`]: of others diagnosis does not learn that they
    /// are made and dropped.
    #[inline]
    pub(super) fn is_for_lock(&self) -> bool {
        self.kind.is_lock() && matches!(self.which, Which::Object(_))
    }

    #[inline]
    pub(super) fn is_unknown(&self) -> bool {
        matches!(self.which, Which::Unknown)
    }

    /// Returns the call by itself.
    #[inline]
    pub(crate) fn subject(&self) -> Subject {
        let Some(id) = self.which.id() else { return Subject::NONE };
        let label = self.which.label();
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

    /// Returns what a thread shows whose time is over, and which waits for an answer that is under way. It
    /// waits for no holder: whatever holds the object now, such an answer comes, and then the call ends. What
    /// others may end is shown on, as a condition variable's wait, whose answer comes with the mutex.
    pub(crate) fn of_answer(self) -> Self {
        Self(self.0.filter(|called| !called.kind.has_holder(called.mode)))
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
        write!(f, "`{}`", self.kind.call(self.mode))?;
        if let Some(name) = self.name() {
            write!(f, " of \"{name}\"")?;
        }
        write!(f, " at {}:{}", self.place.file(), self.place.line())
    }
}

impl Called {
    pub(crate) const WORDS: usize = 5;
    /// Which of the words is which.
    pub(super) const ID: usize = 0;
    pub(super) const META: usize = 1;
    pub(super) const PLACE: usize = 4;

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

    pub(super) fn meta(&self) -> u64 {
        meta(self.kind, self.mode, self.shared, self.count)
    }

    #[inline]
    pub(super) fn word_of(place: &'static Location<'static>) -> u64 {
        (&raw const *place).expose_provenance() as u64
    }

    #[inline]
    pub(super) fn words(
        id: u64,
        meta: u64,
        place: &'static Location<'static>,
        label: Label,
    ) -> [u64; Self::WORDS] {
        let [first, second] = label.to_words();
        [id, meta, first, second, Self::word_of(place)]
    }

    pub(super) fn to_words(self) -> [u64; Self::WORDS] {
        Self::words(self.id, self.meta(), self.place, self.label)
    }

    /// # Safety
    ///
    /// The words are those of one call.
    pub(super) unsafe fn from_words([id, meta, first, second, place]: [u64; Self::WORDS]) -> Self {
        let Parts { kind, mode, shared, count } = Parts::of(meta);
        let place = std::ptr::with_exposed_provenance::<Location<'static>>(place as usize);
        Self {
            id,
            kind,
            mode,
            count,
            shared,
            // SAFETY: this function's contract.
            label: unsafe { Label::from_words([first, second]) },
            // SAFETY: by this function's contract the address of a location, which is `'static`.
            place: unsafe { &*place },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Call, Identity};
    use crate::observe::{Kind, Mode};

    /// Where a program is loaded at low addresses, a lock that goes by its address could be taken for
    /// another.
    #[test]
    fn numbers_are_no_addresses() {
        let id = |call: Call<'_>| call.which.id().expect("it is not hidden");
        for _ in 0..4 {
            let (identity, raw) = (Identity::NONE, 0_u32);
            assert_eq!(id(Call::new(Kind::Mutex, Mode::Lock, &identity)) % 2, 1);
            assert_eq!(id(Call::at(Kind::Mutex, Mode::Lock, &raw const raw)) % 2, 0);
        }
    }
}
