//! The ordinary arm: `std` and nothing else, or what [`platform`] has in its place.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "this is what the fence fences in")]

use std::cell::Cell;
use std::num::NonZeroU64;
use std::panic::{self, AssertUnwindSafe};
use std::time::{Duration, Instant};

use super::platform::thread::{self, LocalKey};
use super::platform::{self, thread_local};
pub(crate) use super::platform::{draw, thread_local as own_thread_local};
use super::{ends, per_process};
use crate::observe::{Call, Subject, Waited};

pub(crate) mod atomic;
pub(crate) mod lines;
mod park;

pub(crate) use park::{Parker, Unparker};

/// See [`per_thread`](super::per_thread).
pub(crate) struct PerThread<T: 'static> {
    value: &'static LocalKey<T>,
    arm: fn() -> bool,
}

impl<T> PerThread<T> {
    pub(crate) const fn new(value: &'static LocalKey<T>, arm: fn() -> bool) -> Self {
        Self { value, arm }
    }

    /// Runs `f` on the calling thread's value. `None` where it is gone: never on platforms whose compiler
    /// knows thread-local variables, at a thread's very end on others.
    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&T) -> R) -> Option<R> {
        self.value.try_with(f).ok()
    }

    /// Has the function run at the thread's end. False if it is running or has run.
    pub(crate) fn arm(&self) -> bool {
        (self.arm)()
    }
}

/// Returns a number that no object in this process gets again. Not 0. Runs out after some centuries.
pub(crate) fn unique_number() -> u64 {
    per_process! {
        static LAST: platform::atomic::AtomicU64 = platform::atomic::AtomicU64::new(0);
    }
    number_after(&LAST)
}

/// Takes the number after the last one.
fn number_after(last: &platform::atomic::AtomicU64) -> u64 {
    // Relaxed: one number for each call is all that is asked, and nothing travels with it.
    last.fetch_add(1, atomic::Ordering::Relaxed) + 1
}

/// Runs foreign code where no caller could take its panic: the panic has been reported by then, and ends
/// here.
pub(crate) fn contain(f: impl FnOnce()) {
    let result = panic::catch_unwind(AssertUnwindSafe(f));
    // The payload's own destructor is foreign code, too; what that panics with is dropped.
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| drop(result))) {
        std::mem::forget(payload);
    }
}

/// Advice that threads leave each other in a shared place: a small number of which it matters little whether
/// and when it arrives.
#[derive(Debug)]
pub(crate) struct Advice(platform::atomic::AtomicI8);

impl Advice {
    pub(crate) const fn new(value: i8) -> Self {
        Self(platform::atomic::AtomicI8::new(value))
    }

    #[inline]
    pub(crate) fn get(&self) -> i8 {
        // Relaxed: advice only.
        self.0.load(atomic::Ordering::Relaxed)
    }

    /// Leaves the cache line alone if nothing changes.
    #[inline]
    pub(crate) fn set(&self, value: i8) {
        if self.get() != value {
            // Relaxed: advice only.
            self.0.store(value, atomic::Ordering::Relaxed);
        }
    }
}

/// Returns the first of two numbers, of which the second is a model's.
pub(crate) const fn budget(real: u32, _model: u32) -> u32 {
    real
}

/// Returns what to try an exchange from: what a look says. Right or wrong, the exchange finds out.
#[inline]
pub(crate) fn load_or_expected<T>(look: impl FnOnce() -> T, _expected: T) -> T {
    look()
}

/// Stores what other threads take as advice.
#[inline]
pub(crate) fn store_hint(store: impl FnOnce()) {
    store();
}

/// Tells the processor that this thread spins.
#[inline]
pub(crate) fn spin_hint() {
    platform::spin_loop();
}

/// Lets another thread have the processor, if one wants it.
#[inline]
pub(crate) fn yield_now() {
    thread::yield_now();
}

/// Takes a turn that has come, or not: `came` says which.
#[inline]
pub(crate) fn turn(came: bool) -> bool {
    came
}

/// Does one step of a wait for a few instructions of another thread.
#[inline]
pub(crate) fn stand_by(_round: u32, step: impl FnOnce()) {
    step();
}

/// Leaves the processor for a while. No releasing call comes here.
pub(crate) fn nap(length: Duration) {
    #[cfg(debug_assertions)]
    assert_eq!(RELEASING.get(), 0, "a releasing call is about to sleep");
    thread::sleep(length);
}

/// Returns whether the calling thread is being unwound by a panic.
#[inline]
pub(crate) fn panicking() -> bool {
    thread::panicking()
}

/// A cell whose accesses the model can see.
#[derive(Debug)]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        platform::reads(self.0.get());
        f(self.0.get())
    }

    #[inline]
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        platform::writes(self.0.get());
        f(self.0.get())
    }
}

/// What a lock guards. Sized last, so that `Lock<[T; N]>` coerces to `Lock<[T]>`.
pub(crate) struct Data<T: ?Sized>(std::cell::UnsafeCell<T>);

impl<T> Data<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    pub(crate) fn into_inner(self) -> T {
        self.0.into_inner()
    }
}

impl<T: ?Sized> Data<T> {
    /// Returns where the data live. The thread that dereferences it answers for exclusion.
    #[inline]
    pub(crate) const fn as_ptr(&self) -> *mut T {
        self.0.get()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }

    /// Begins an exclusive access that lasts until the value it returns is ended or dropped.
    #[inline]
    pub(crate) fn write(&self) -> WriteAccess {
        Access
    }

    /// Begins a shared access that lasts until the value it returns is ended or dropped.
    #[inline]
    pub(crate) fn read(&self) -> ReadAccess {
        Access
    }
}

/// An access to a [`Data`] under way. Nothing in this arm.
#[derive(Debug)]
pub(crate) struct Access<const WRITES: bool>;

/// An exclusive access to a [`Data`] under way.
pub(crate) type WriteAccess = Access<true>;
/// A shared access to a [`Data`] under way.
pub(crate) type ReadAccess = Access<false>;

impl<const WRITES: bool> Access<WRITES> {
    /// Moves the access out of a guard that is being turned into another.
    #[inline]
    pub(crate) fn take(&mut self) -> Self {
        Self
    }

    /// Ends the access: to be called before the lock is released.
    #[inline]
    pub(crate) fn end(&mut self) {}
}

/// A moment after which a call no longer waits, or never; the call, and since when it has waited.
#[derive(Clone, Debug)]
pub(crate) struct Deadline {
    at: Option<Instant>,
    subject: Subject,
    waited: Waited,
}

impl Deadline {
    pub(crate) const NEVER: Self = Self { at: None, subject: Subject::NONE, waited: Waited::NOT_YET };

    /// Makes a deadline `timeout` from now. One that is too far away is never.
    pub(crate) fn after(timeout: Duration) -> Self {
        let at = if ends(timeout) { platform::now().checked_add(timeout) } else { None };
        Self { at, ..Self::NEVER }
    }

    pub(crate) fn at(instant: Instant) -> Self {
        Self { at: Some(instant), ..Self::NEVER }
    }

    /// Returns the same for `call`, unless diagnosis is not to know of that call.
    #[inline]
    pub(crate) fn of_call(self, call: &Call<'_>) -> Self {
        Self { subject: call.subject().or(self.subject), waited: self.waited.of_call(), ..self }
    }

    /// Returns the same for one of several waits of one call, which has waited since the first of them.
    pub(crate) fn shared(&self) -> Self {
        self.waited.begin();
        self.clone()
    }

    /// Returns the same for a thread that cannot give up any more.
    pub(crate) fn without_end(&self) -> Self {
        Self { at: None, subject: self.subject.of_answer(), ..self.clone() }
    }

    /// Returns the end of an interval of this length, or this deadline if that comes first.
    pub(crate) fn or_after(&self, length: Duration, _round: u32) -> Self {
        let end = platform::now().checked_add(length);
        let at = match (self.at, end) {
            (Some(at), Some(end)) => Some(at.min(end)),
            (at, end) => at.or(end),
        };
        Self { at, ..self.shared() }
    }

    /// Returns the same for an interval after which the wait goes on, until `whole` at most: what others see
    /// of it is the whole.
    pub(crate) fn part_of(self, whole: &Self) -> Self {
        Self { waited: self.waited.until(whole.at), ..self }
    }

    /// Returns whether it has passed. Reads the clock unless it never does.
    pub(crate) fn has_passed(&self) -> bool {
        self.at.is_some_and(|at| at <= platform::now())
    }

    pub(crate) const fn is_never(&self) -> bool {
        self.at.is_none()
    }
}

crate::facade::only! { observed:
    impl Deadline {
        /// Returns what the thread waits for.
        pub(crate) fn subject(&self) -> Subject {
            self.subject
        }

        /// Returns when the call gives up.
        pub(crate) fn call_ends(&self) -> Option<Instant> {
            self.waited.ends(self.at)
        }

        /// Returns since when the call has waited: from its first sleep on.
        pub(crate) fn waited(&self) -> &Waited {
            &self.waited
        }
    }
}

/// A point in time, to tell how long a thread has waited.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment(Instant);

impl Moment {
    pub(crate) fn now() -> Self {
        Self(platform::now())
    }

    /// Returns the time since `earlier`.
    #[inline]
    pub(crate) fn since(self, earlier: Self) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }
}

/// How old a waiter is: nothing here, where the clock says that.
#[derive(Debug)]
pub(crate) struct Age;

impl Age {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(crate) fn pass(&self) {}

    pub(crate) fn is_over(&self, since: Moment, now: Moment, limit: Duration) -> bool {
        now.0.saturating_duration_since(since.0) >= limit
    }
}

thread_local! {
    /// Constant and without a destructor: read without asking whether it is there, until the very end of the
    /// thread.
    static THREAD: Cell<Option<NonZeroU64>> = const { Cell::new(None) };
}

/// Returns the calling thread's number, if it has asked for one.
#[inline]
pub(crate) fn known_thread() -> Option<NonZeroU64> {
    THREAD.get()
}

/// Returns the calling thread's number, which no other thread has had or will have. (`std` numbers threads as
/// well, but tells the number on no stable Rust, and a thread whose thread-local data are gone cannot ask
/// it.)
#[inline]
pub(crate) fn this_thread() -> NonZeroU64 {
    known_thread().unwrap_or_else(number_thread)
}

#[cold]
fn number_thread() -> NonZeroU64 {
    let number = new_thread_number();
    THREAD.set(Some(number));
    number
}

/// Counts threads alone: where addresses are short, `RawThreadId` has no more numbers than these.
fn new_thread_number() -> NonZeroU64 {
    per_process! {
        static LAST: platform::atomic::AtomicU64 = platform::atomic::AtomicU64::new(0);
    }
    NonZeroU64::new(number_after(&LAST)).expect("fewer numbers than one each nanosecond for 584 years")
}

#[cfg(debug_assertions)]
thread_local! {
    /// How many releasing calls this thread is in.
    static RELEASING: Cell<u32> = const { Cell::new(0) };
}

/// A releasing call under way, which must not sleep: some threads may not, and the thread that it releases
/// waits for it. Checked in a build with debug assertions, and nothing in others.
#[must_use]
pub(crate) struct Releasing(());

impl Releasing {
    #[inline]
    pub(crate) fn begin() -> Self {
        #[cfg(debug_assertions)]
        RELEASING.set(RELEASING.get() + 1);
        Self(())
    }
}

#[cfg(debug_assertions)]
impl Drop for Releasing {
    fn drop(&mut self) {
        RELEASING.set(RELEASING.get() - 1);
    }
}

/// Threads that others join, and their ids.
#[cfg(feature = "threads")]
pub(crate) mod threads {
    use std::io;
    use std::num::{NonZero, NonZeroU64};

    use super::platform::thread;

    /// A thread's id, which is never given to another, even after its end. The number of
    /// [`this_thread`](super::this_thread) and not `std`'s id, which cannot be asked for at a thread's very
    /// end.
    pub(crate) type Id = NonZeroU64;

    pub(crate) fn current_id() -> Id {
        super::this_thread()
    }

    /// Returns how many threads can run at once; 1 if that is unknown.
    pub(crate) fn parallelism() -> usize {
        thread::available_parallelism().map_or(1, NonZero::get)
    }

    /// A thread that was spawned. Dropping it lets the thread run on.
    #[derive(Debug)]
    pub(crate) struct Handle {
        thread: thread::JoinHandle<()>,
        id: Id,
    }

    impl Handle {
        /// Starts a thread for `body`, which is expected not to panic.
        pub(crate) fn spawn(
            name: String,
            stack_size: Option<usize>,
            body: impl FnOnce() + Send + 'static,
        ) -> io::Result<Self> {
            let mut builder = thread::Builder::new().name(name);
            if let Some(stack_size) = stack_size {
                builder = builder.stack_size(stack_size);
            }
            let id = super::new_thread_number();
            let thread = builder.spawn(move || {
                super::THREAD.set(Some(id));
                body();
            })?;
            Ok(Self { thread, id })
        }

        pub(crate) fn id(&self) -> Id {
            self.id
        }

        /// Waits until the thread is gone, its thread-local values with it.
        pub(crate) fn join(self) {
            // A panic was reported by its hook, and its payload is of no use.
            let _ = self.thread.join();
        }
    }
}

/// Ends the process if it is dropped by an unwinding thread: others rely on the frame it stands in, or on a
/// lock that this thread would go without.
#[derive(Debug)]
pub(crate) struct AbortOnUnwind;

impl AbortOnUnwind {
    pub(crate) fn disarm(self) {
        std::mem::forget(self);
    }
}

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        eprintln!(
            "lockwork: std::thread panicked while others relied on this thread's frame or lock; aborting"
        );
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::thread;

    use super::{known_thread, this_thread};

    #[test]
    fn thread_is_known_once_it_has_asked() {
        thread::spawn(|| {
            assert_eq!(known_thread(), None);
            let id = this_thread();
            assert_eq!(known_thread(), Some(id));
            assert_eq!(this_thread(), id);
        })
        .join()
        .unwrap();
    }

    #[test]
    fn no_two_threads_have_the_same() {
        let threads = if cfg!(miri) { 20 } else { 2000 };
        let mut seen = BTreeSet::new();
        for _ in 0..threads {
            let pair = [thread::spawn(this_thread), thread::spawn(this_thread)];
            for id in pair.map(|thread| thread.join().unwrap()) {
                assert!(seen.insert(id), "{id:?} twice");
            }
        }
        assert_eq!(seen.len(), 2 * threads);
    }
}
