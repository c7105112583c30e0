//! The arm for programs too large for loom: the same names on shuttle, which runs one schedule after the
//! other at random. It knows one memory ordering and finds what does not depend on others. The table in
//! `facade` says where it differs.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "this is what the fence fences in")]

use std::cell::Cell;
use std::num::NonZeroU64;
use std::ptr::NonNull;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use shuttle::rand::Rng;
use shuttle::sync::{Condvar, Mutex};
#[cfg(feature = "threads")]
pub(crate) use shuttle::thread;
pub(crate) use shuttle::thread::LocalKey;
pub(crate) use shuttle::{lazy_static, thread_local};

pub(crate) use super::checked::*;

/// As many threads as leave enough schedules to choose from.
#[cfg(feature = "threads")]
pub(crate) const PARALLELISM: usize = 3;

pub(crate) mod atomic {
    pub(crate) use shuttle::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

    pub(crate) fn exchange_in_order(word: &AtomicU32, current: u32, new: u32) -> bool {
        word.compare_exchange(current, new, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    pub(crate) fn load_in_order(word: &AtomicU32) -> u32 {
        word.load(Ordering::SeqCst)
    }

    pub(crate) fn fence_in_order() {
        shuttle::sync::atomic::fence(Ordering::SeqCst);
    }
}

/// Two lines, as in a model.
pub(crate) mod lines {
    pub(crate) const COUNT: usize = 2;

    pub(crate) fn mine() -> usize {
        super::this_thread().get() as usize % COUNT
    }

    pub(crate) fn used() -> usize {
        COUNT
    }
}

/// Returns whether a choice that has `ways` ways, each as likely as the others, went the first.
fn one_in(ways: u32) -> bool {
    // shuttle's random schedules come from a generator of the same seed. Drawn as they are, the numbers would
    // say "time is up" in certain schedules only, so they are mixed first.
    let drawn: u64 = shuttle::rand::thread_rng().r#gen();
    let mixed = (drawn ^ (drawn >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 32) % u64::from(ways) == 0
}

/// Returns a number below `n`, as random choices say.
pub(crate) fn draw(n: usize) -> usize {
    (0..n).find(|&drawn| one_in((n - drawn) as u32)).unwrap_or(0)
}

/// Returns what the caller expects, as in the model.
pub(crate) fn load_or_expected<T>(_look: impl FnOnce() -> T, expected: T) -> T {
    expected
}

/// Leaves a store out that other threads take as advice, as the model does.
pub(crate) fn store_hint(_store: impl FnOnce()) {}

/// Returns what a random choice says.
pub(crate) fn turn(_came: bool) -> bool {
    one_in(2)
}

/// Returns shuttle's own number, which begins anew with each run and is not reused in it.
pub(crate) fn this_thread() -> NonZeroU64 {
    let number = usize::from(shuttle::thread::current().id());
    NonZeroU64::MIN.saturating_add(number as u64)
}

pub(crate) fn spin_hint() {
    shuttle::hint::spin_loop();
}

/// Lets another thread run, whatever the step is.
pub(crate) fn stand_by(_round: u32, _step: impl FnOnce()) {
    shuttle::thread::yield_now();
}

pub(crate) fn yield_now() {
    shuttle::thread::yield_now();
}

#[derive(Debug)]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}

/// Data, and how many accesses to them are under way, so that two that exclude each other are noticed. All
/// threads of a run are coroutines on one, so a plain cell counts them.
pub(crate) struct Data<T: ?Sized> {
    accesses: Cell<i32>,
    value: std::cell::UnsafeCell<T>,
}

impl<T: ?Sized> std::fmt::Debug for Data<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Data")
    }
}

impl<T> Data<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { accesses: Cell::new(0), value: std::cell::UnsafeCell::new(value) }
    }

    pub(crate) fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Data<T> {
    pub(crate) const fn as_ptr(&self) -> *mut T {
        self.value.get()
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    #[track_caller]
    pub(crate) fn write(&self) -> WriteAccess {
        assert_eq!(self.accesses.get(), 0, "a guarded value is written while another thread uses it");
        self.accesses.set(-1);
        Access(Some(NonNull::from(&self.accesses)))
    }

    #[track_caller]
    pub(crate) fn read(&self) -> ReadAccess {
        assert!(self.accesses.get() >= 0, "a guarded value is read while another thread writes it");
        self.accesses.set(self.accesses.get() + 1);
        Access(Some(NonNull::from(&self.accesses)))
    }
}

/// An access under way.
#[derive(Debug)]
pub(crate) struct Access<const WRITES: bool>(Option<NonNull<Cell<i32>>>);

pub(crate) type WriteAccess = Access<true>;
pub(crate) type ReadAccess = Access<false>;

impl<const WRITES: bool> Access<WRITES> {
    pub(crate) fn take(&mut self) -> Self {
        Self(self.0.take())
    }

    pub(crate) fn end(&mut self) {
        if let Some(accesses) = self.0.take() {
            // SAFETY: a guard ends its access before it unlocks, and so before the lock can go.
            let accesses = unsafe { accesses.as_ref() };
            accesses.set(if WRITES { 0 } else { accesses.get() - 1 });
        }
    }
}

impl<const WRITES: bool> Drop for Access<WRITES> {
    fn drop(&mut self) {
        self.end();
    }
}

// SAFETY: it belongs to the guard and moves between threads only where the guard does, all of which are
// coroutines on one thread.
unsafe impl<const WRITES: bool> Send for Access<WRITES> {}
// SAFETY: as above, and `end` takes `&mut`.
unsafe impl<const WRITES: bool> Sync for Access<WRITES> {}

#[derive(Clone, Debug)]
pub(crate) enum Deadline {
    Never,
    /// Passes while its thread is parked, when a random choice says so.
    Finite {
        passed: Cell<bool>,
    },
}

impl Deadline {
    pub(super) fn finite(passed: bool) -> Self {
        Self::Finite { passed: Cell::new(passed) }
    }

    /// Returns a deadline that may pass in each round; and this one may, too.
    pub(crate) fn or_after(&self, _length: Duration, _round: u32) -> Self {
        match self {
            Self::Finite { passed } if one_in(4) => passed.set(true),
            _ => (),
        }
        Self::finite(false)
    }

    pub(crate) fn has_passed(&self) -> bool {
        matches!(self, Self::Finite { passed } if passed.get())
    }
}

/// Whether a waiter has waited for long, which a random choice says each time.
#[derive(Debug)]
pub(crate) struct Age;

impl Age {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(crate) fn pass(&self) {}

    pub(crate) fn is_over(&self, _: Moment, _: Moment, _: Duration) -> bool {
        one_in(2)
    }
}

/// A token, and a place to wait for it.
#[derive(Debug, Default)]
struct Token {
    given: Mutex<bool>,
    changed: Condvar,
}

#[derive(Debug)]
pub(crate) struct Parker(Arc<Token>);

impl Parker {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Token::default()))
    }

    /// Stands in another node of the same thread for the one that is parked.
    pub(crate) fn stand_in(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    /// Blocks until the token is given, now and then for no reason less long, or until the deadline, which
    /// passes when a random choice says so: a thread that no thread will ever wake times out.
    pub(crate) fn park(&self, deadline: &Deadline) {
        let mut given = self.0.given.lock().unwrap_or_else(PoisonError::into_inner);
        match deadline {
            Deadline::Never => {
                if !*given && one_in(8) {
                    drop(given);
                    return shuttle::thread::yield_now();
                }
                while !*given {
                    given = self.0.changed.wait(given).unwrap_or_else(PoisonError::into_inner);
                }
            }
            Deadline::Finite { passed } => {
                while !*given {
                    if one_in(4) {
                        passed.set(true);
                        break;
                    }
                    drop(given);
                    shuttle::thread::yield_now();
                    given = self.0.given.lock().unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
        *given = false;
    }

    pub(crate) fn unparker(&self) -> Unparker {
        Unparker(Arc::clone(&self.0))
    }
}

pub(crate) struct Unparker(Arc<Token>);

impl Unparker {
    pub(crate) fn unpark(self) {
        *self.0.given.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.changed.notify_one();
    }
}
