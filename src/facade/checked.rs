//! What the arms of both model checkers, loom's and shuttle's, have alike. All threads of a model are
//! coroutines on the one thread of its test in either.

use std::cell::Cell;
use std::num::NonZeroU64;
pub(crate) use std::thread_local as own_thread_local;
use std::time::{Duration, Instant};

use super::arm::{Deadline, LocalKey, this_thread};

/// A value with what is to be done with it when its thread ends.
pub(crate) struct AtEnd<T: 'static> {
    value: T,
    armed: Cell<bool>,
    end: fn(&T),
}

impl<T> AtEnd<T> {
    pub(crate) const fn new(value: T, end: fn(&T)) -> Self {
        Self { value, armed: Cell::new(false), end }
    }
}

impl<T> Drop for AtEnd<T> {
    fn drop(&mut self) {
        if self.armed.get() {
            (self.end)(&self.value);
        }
    }
}

/// A checker takes a thread's variables away from it before it destroys them: `with` and `arm` fail from then
/// on.
pub(crate) struct PerThread<T: 'static>(&'static LocalKey<AtEnd<T>>);

impl<T> PerThread<T> {
    pub(crate) const fn new(value: &'static LocalKey<AtEnd<T>>) -> Self {
        Self(value)
    }

    pub(crate) fn with<R>(&self, f: impl FnOnce(&T) -> R) -> Option<R> {
        self.0.try_with(|local| f(&local.value)).ok()
    }

    pub(crate) fn arm(&self) -> bool {
        self.0.try_with(|local| local.armed.set(true)).is_ok()
    }
}

/// Returns the next number of a counter for each test, not modelled: which number a thread gets decides
/// nothing.
pub(crate) fn unique_number() -> u64 {
    std::thread_local! {
        static LAST: Cell<u64> = const { Cell::new(0) };
    }
    LAST.set(LAST.get() + 1);
    LAST.get()
}

/// Contains nothing: a panic is how a checker reports what it found.
pub(crate) fn contain(f: impl FnOnce()) {
    f();
}

/// Never changes: what is done on advice must be right whatever the advice.
#[derive(Debug)]
pub(crate) struct Advice(i8);

impl Advice {
    pub(crate) const fn new(value: i8) -> Self {
        Self(value)
    }

    pub(crate) fn get(&self) -> i8 {
        self.0
    }

    pub(crate) fn set(&self, _: i8) {}
}

/// Returns the small number of a model, so that every transition is near.
pub(crate) const fn budget(_real: u32, model: u32) -> u32 {
    model
}

pub(crate) fn known_thread() -> Option<NonZeroU64> {
    Some(this_thread())
}

/// Returns one answer for all threads of a model.
pub(crate) fn panicking() -> bool {
    std::thread::panicking()
}

/// Does nothing: no step of `stand_by` is taken.
pub(crate) fn nap(_length: Duration) {}

/// No time at all: see `Age`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment(());

impl Moment {
    pub(crate) fn now() -> Self {
        Self(())
    }

    pub(crate) fn since(self, _earlier: Self) -> Duration {
        Duration::ZERO
    }
}

impl Deadline {
    pub(crate) const NEVER: Self = Self::Never;

    pub(crate) fn after(timeout: Duration) -> Self {
        if super::ends(timeout) { Self::finite(timeout.is_zero()) } else { Self::Never }
    }

    /// Makes a deadline that may pass while the thread is parked, whatever the instant: there is no clock.
    pub(crate) fn at(_: Instant) -> Self {
        Self::finite(false)
    }

    /// Returns the deadline as it is: no calls are noted.
    pub(crate) fn of_call(self, _call: &crate::observe::Call<'_>) -> Self {
        self
    }

    pub(crate) fn shared(&self) -> Self {
        self.clone()
    }

    pub(crate) fn without_end(&self) -> Self {
        Self::NEVER
    }

    pub(crate) fn part_of(self, _whole: &Self) -> Self {
        self
    }

    pub(crate) const fn is_never(&self) -> bool {
        matches!(self, Self::Never)
    }
}

/// Nothing: no thread of a model sleeps.
#[must_use]
pub(crate) struct Releasing(());

impl Releasing {
    pub(crate) fn begin() -> Self {
        Self(())
    }
}

/// Nothing: a panic is how a checker reports what it found.
#[derive(Debug)]
pub(crate) struct AbortOnUnwind;

impl AbortOnUnwind {
    pub(crate) fn disarm(self) {}
}

/// Threads that this crate starts.
#[cfg(feature = "threads")]
pub(crate) mod threads {
    use std::fmt;
    use std::io;

    use crate::facade::arm::PARALLELISM;
    use crate::facade::arm::thread::{self, ThreadId};

    pub(crate) type Id = ThreadId;

    pub(crate) fn current_id() -> Id {
        thread::current().id()
    }

    pub(crate) fn parallelism() -> usize {
        PARALLELISM
    }

    pub(crate) struct Handle(thread::JoinHandle<()>);

    impl fmt::Debug for Handle {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Handle")
        }
    }

    impl Handle {
        /// Starts a thread. The size of its stack is the checker's.
        pub(crate) fn spawn(
            name: String,
            _: Option<usize>,
            body: impl FnOnce() + Send + 'static,
        ) -> io::Result<Self> {
            thread::Builder::new().name(name).spawn(body).map(Self)
        }

        pub(crate) fn id(&self) -> Id {
            self.0.thread().id()
        }

        #[track_caller]
        pub(crate) fn join(self) {
            let _ = self.0.join();
        }
    }
}
