//! Nothing: what stands in the place of `on` without the feature.

use std::marker::PhantomData;
use std::time::Instant;

use super::{Kind, Mode};
use crate::facade::{Deadline, const_fn};

#[doc = include_str!("../../docs/lock_class.md")]
#[derive(Debug)]
pub struct LockClass(());

impl LockClass {
    /// Makes a class of this name and rank.
    #[must_use]
    #[inline]
    pub const fn new(_name: &'static str, _rank: u32) -> Self {
        Self(())
    }
}

/// Which object it is, and its name.
#[derive(Debug)]
pub(crate) struct Identity(());

impl Identity {
    pub(crate) const NONE: Self = Self(());
    pub(crate) const HIDDEN: Self = Self(());
    pub(crate) const CHANNEL: Self = Self(());

    #[inline]
    pub(crate) fn kind_or(&self, kind: Kind) -> Kind {
        kind
    }

    const_fn! {
        #[inline]
        pub(crate) fn named(_name: &'static str) -> Self {
            Self(())
        }
    }

    const_fn! {
        #[inline]
        pub(crate) fn of(_class: &'static LockClass) -> Self {
            Self(())
        }
    }
}

/// A public call, of which nothing is noted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a>(PhantomData<&'a ()>);

impl<'a> Call<'a> {
    #[inline]
    pub(crate) const fn none() -> Self {
        Self(PhantomData)
    }

    #[inline]
    pub(crate) const fn new(_kind: Kind, _mode: Mode, _identity: &'a Identity) -> Self {
        Self(PhantomData)
    }

    #[inline]
    pub(crate) fn at<T: ?Sized>(_kind: Kind, _mode: Mode, _object: *const T) -> Self {
        Self(PhantomData)
    }

    #[inline]
    pub(crate) const fn count(self, _n: usize) -> Self {
        self
    }

    #[inline]
    pub(crate) const fn shared(self) -> Self {
        self
    }

    #[inline]
    pub(crate) fn mode(self, _mode: Mode) -> Self {
        self
    }

    #[inline]
    pub(crate) fn subject(&self) -> Subject {
        Subject::NONE
    }

    #[inline]
    pub(crate) fn acquiring(&self, _timed: bool) {}

    #[inline]
    pub(crate) fn acquiring_again(&self) {}

    #[inline]
    pub(crate) fn contended(&self, _timed: bool) {}

    #[inline]
    pub(crate) fn gave_up(&self) {}

    #[inline]
    pub(crate) fn endless(self) -> Deadline {
        Deadline::NEVER
    }
}

/// A call by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject(());

impl Subject {
    pub(crate) const NONE: Self = Self(());

    #[inline]
    pub(crate) fn or(self, _other: Self) -> Self {
        self
    }

    #[inline]
    pub(crate) fn of_answer(self) -> Self {
        self
    }
}

/// Since when a call has waited.
#[derive(Clone, Debug)]
pub(crate) struct Waited(());

impl Waited {
    pub(crate) const NOT_YET: Self = Self(());

    #[inline]
    pub(crate) fn of_call(self) -> Self {
        self
    }

    #[inline]
    pub(crate) fn begin(&self) {}

    #[inline]
    pub(crate) fn until(self, _at: Option<Instant>) -> Self {
        self
    }
}

/// What a guard has of its lock's entry.
#[derive(Debug)]
pub(crate) struct Held(());

impl Held {
    #[inline]
    pub(crate) fn new(_call: Call<'_>) -> Self {
        Self(())
    }

    #[inline]
    pub(crate) fn release(&mut self) {}

    #[inline]
    pub(crate) fn take(&mut self) -> Self {
        Self(())
    }

    #[inline]
    pub(crate) fn recount(&mut self, _n: usize) {}
}

/// A [`Held`] of a frame.
pub(crate) struct HeldHere(());

impl HeldHere {
    #[inline]
    pub(crate) fn new(_call: Call<'_>) -> Self {
        Self(())
    }

    #[inline]
    pub(crate) fn always(_subject: Subject) -> Self {
        Self(())
    }
}

impl Drop for HeldHere {
    #[inline]
    fn drop(&mut self) {}
}

/// Does nothing for a guard that was forgotten, and whose lock is unlocked without it, or gets another guard.
#[inline]
pub(crate) fn release_forgotten(_kind: Kind, _identity: &Identity) {}

/// Returns `false`: nothing is checked.
#[inline]
pub(crate) const fn is_checked() -> bool {
    false
}

#[inline]
pub(crate) fn assert_held_by_caller(_kind: Kind, _identity: &Identity, _is_locked: bool) {}

#[inline]
pub(crate) fn assert_no_lock_held() {}

/// What a thread that sleeps has published.
#[must_use]
pub(crate) struct Parked(());

impl Parked {
    pub(crate) const NONE: Self = Self(());

    #[inline]
    pub(crate) fn begin(&mut self, _deadline: &Deadline) -> bool {
        false
    }
}

const _: () = {
    assert!(size_of::<Identity>() == 0 && size_of::<LockClass>() == 0);
    assert!(size_of::<Call<'_>>() == 0 && size_of::<Subject>() == 0);
    assert!(size_of::<Held>() == 0 && size_of::<Parked>() == 0 && size_of::<Waited>() == 0);
};
