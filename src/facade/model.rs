//! The model's arm: the same names on loom. The table in `facade` says where they differ.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "this is what the fence fences in")]

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{Duration, Instant};

use loom::cell::{ConstPtr, MutPtr};
use loom::sync::Notify;
use loom::sync::atomic::{AtomicBool, Ordering::Relaxed};

pub(crate) mod atomic {
    pub(crate) use loom::sync::atomic::Ordering;

    use std::panic;
    use std::thread;

    /// Returns whether this thread unwinds out of a deadlock that loom has found. It has no threads to go on
    /// with then, and any operation would be a panic within a panic. A thread that unwinds for another reason
    /// goes on as usual.
    pub(in crate::facade) fn is_over() -> bool {
        thread::panicking() && panic::catch_unwind(|| drop(loom::thread::current())).is_err()
    }

    /// loom's atomics with the methods that this crate uses. They do nothing once the model [is
    /// over](is_over), so that a guard can be dropped: an exchange claims to have succeeded, and everything
    /// else finds zero.
    macro_rules! atomic {
        ($name:ident$(<$t:ident>)?, $value:ty, $zero:expr) => {
            #[derive(Debug)]
            pub(crate) struct $name$(<$t>)?(loom::sync::atomic::$name$(<$t>)?);

            #[allow(dead_code, reason = "not every type needs every operation")]
            impl$(<$t>)? $name$(<$t>)? {
                #[track_caller]
                pub(crate) fn new(value: $value) -> Self {
                    Self(loom::sync::atomic::$name::new(value))
                }

                #[track_caller]
                pub(crate) fn load(&self, order: Ordering) -> $value {
                    if is_over() { $zero } else { self.0.load(order) }
                }

                #[track_caller]
                pub(crate) fn store(&self, value: $value, order: Ordering) {
                    if !is_over() {
                        self.0.store(value, order);
                    }
                }

                #[track_caller]
                pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                    if is_over() { $zero } else { self.0.swap(value, order) }
                }

                #[track_caller]
                pub(crate) fn compare_exchange(
                    &self,
                    current: $value,
                    new: $value,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$value, $value> {
                    if is_over() { Ok(current) } else { self.0.compare_exchange(current, new, success, failure) }
                }

                #[track_caller]
                pub(crate) fn compare_exchange_weak(
                    &self,
                    current: $value,
                    new: $value,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$value, $value> {
                    self.compare_exchange(current, new, success, failure)
                }
            }
        };
    }

    macro_rules! number {
        ($name:ident, $value:ty) => {
            atomic!($name, $value, 0);

            #[allow(dead_code, reason = "not every type needs every operation")]
            impl $name {
                #[track_caller]
                pub(crate) fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                    if is_over() { 0 } else { self.0.fetch_add(value, order) }
                }

                #[track_caller]
                pub(crate) fn fetch_sub(&self, value: $value, order: Ordering) -> $value {
                    if is_over() { 0 } else { self.0.fetch_sub(value, order) }
                }
            }
        };
    }

    atomic!(AtomicPtr<T>, *mut T, std::ptr::null_mut());
    number!(AtomicU32, u32);
    number!(AtomicU64, u64);
    number!(AtomicUsize, usize);

    #[track_caller]
    pub(crate) fn exchange_in_order(word: &AtomicU32, current: u32, new: u32) -> bool {
        word.compare_exchange(current, new, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    #[track_caller]
    pub(crate) fn load_in_order(word: &AtomicU32) -> u32 {
        loom::sync::atomic::fence(Ordering::SeqCst);
        word.load(Ordering::Acquire)
    }

    #[track_caller]
    pub(crate) fn fence_in_order() {
        loom::sync::atomic::fence(Ordering::SeqCst);
    }
}

/// Two lines, by turns.
pub(crate) mod lines {
    use std::sync::atomic::{AtomicUsize, Ordering};

    pub(crate) const COUNT: usize = 2;

    loom::lazy_static! {
        /// Not the model's: threads are numbered in the order in which they first come here, which the
        /// schedule decides.
        static ref THREADS: AtomicUsize = AtomicUsize::new(0);
    }

    loom::thread_local! {
        static LINE: usize = THREADS.fetch_add(1, Ordering::Relaxed) % COUNT;
    }

    pub(crate) fn mine() -> usize {
        LINE.with(|line| *line)
    }

    pub(crate) fn used() -> usize {
        COUNT
    }
}

macro_rules! per_process {
    ($(#[$meta:meta])* static $name:ident: $type:ty = $init:expr;) => {
        loom::lazy_static! { $(#[$meta])* static ref $name: $type = $init; }
    };
}
pub(crate) use per_process;

macro_rules! array {
    ($init:expr; $n:expr) => {
        std::array::from_fn(|_| $init)
    };
}
pub(crate) use array;

macro_rules! const_fn {
    ($(#[$meta:meta])* $vis:vis fn $($rest:tt)*) => { $(#[$meta])* $vis fn $($rest)* };
}
pub(crate) use const_fn;

macro_rules! model_only {
    ($($item:item)*) => { $($item)* };
}
pub(crate) use model_only;

macro_rules! real_only {
    ($($item:item)*) => {};
}
pub(crate) use real_only;

macro_rules! reached {
    ($state:literal) => {
        $crate::facade::note($state)
    };
}
pub(crate) use reached;

std::thread_local! {
    /// loom runs all threads of a model as coroutines on the thread of its test, so this is one set for each
    /// test.
    static REACHED: RefCell<BTreeSet<&'static str>> = const { RefCell::new(BTreeSet::new()) };
}

/// Notes that the model on this thread has come to `state`.
pub(crate) fn note(state: &'static str) {
    REACHED.with_borrow_mut(|reached| reached.insert(state));
}

/// What was noted on this thread since this was asked last.
pub(crate) fn take_notes() -> BTreeSet<&'static str> {
    REACHED.take()
}

macro_rules! per_thread {
    ($(#[$meta:meta])* const $name:ident: $type:ty = $init:expr; ends by $end:path;) => {
        $(#[$meta])*
        const $name: $crate::facade::PerThread<$type> = {
            loom::thread_local! {
                static VALUE: $crate::facade::AtEnd<$type> =
                    $crate::facade::AtEnd { value: $init, armed: std::cell::Cell::new(false), end: $end };
            }
            $crate::facade::PerThread(&VALUE)
        };
    };
}
pub(crate) use per_thread;

pub(crate) struct AtEnd<T: 'static> {
    pub(crate) value: T,
    pub(crate) armed: Cell<bool>,
    pub(crate) end: fn(&T),
}

impl<T> Drop for AtEnd<T> {
    fn drop(&mut self) {
        if self.armed.get() {
            (self.end)(&self.value);
        }
    }
}

/// loom takes a thread's variables away from it before it destroys them: `with` and `arm` fail from then on.
pub(crate) struct PerThread<T: 'static>(pub(crate) &'static loom::thread::LocalKey<AtEnd<T>>);

impl<T> PerThread<T> {
    pub(crate) fn with<R>(&self, f: impl FnOnce(&T) -> R) -> Option<R> {
        self.0.try_with(|local| f(&local.value)).ok()
    }

    pub(crate) fn arm(&self) -> bool {
        self.0.try_with(|local| local.armed.set(true)).is_ok()
    }
}

/// A counter for each test, not modelled: which number a thread gets decides nothing.
pub(crate) fn unique_number() -> u64 {
    std::thread_local! {
        static LAST: Cell<u64> = const { Cell::new(0) };
    }
    LAST.set(LAST.get() + 1);
    LAST.get()
}

/// Contains nothing: a panic is how loom reports what it found.
pub(crate) fn contain(f: impl FnOnce()) {
    f();
}

/// Never changes: what is done on advice must be right whatever the advice.
#[derive(Debug)]
pub(crate) struct Advice(i8);

impl Advice {
    pub(crate) fn new(value: i8) -> Self {
        Self(value)
    }

    pub(crate) fn get(&self) -> i8 {
        self.0
    }

    pub(crate) fn set(&self, _: i8) {}
}

/// One value for all threads of a model, which are coroutines on one: it may hold advice alone.
macro_rules! thread_own {
    ($(#[$meta:meta])* static $name:ident: $type:ty = $init:expr;) => {
        std::thread_local! {
            $(#[$meta])*
            static $name: $type = const { $init };
        }
    };
}
pub(crate) use thread_own;

pub(crate) const fn budget(_real: u32, model: u32) -> u32 {
    model
}

/// What the caller supposes. A look just before the exchange would tell nothing that the exchange does not,
/// and hide those of other threads. A model that is about the looks asks for them.
pub(crate) fn guess<T>(look: impl FnOnce() -> T, supposed: T) -> T {
    if LOOKS.get() { look() } else { supposed }
}

/// See [`guess`].
pub(crate) fn set_looks(looks: bool) {
    LOOKS.set(looks);
}

pub(crate) fn known_thread() -> Option<NonZeroU64> {
    Some(this_thread())
}

/// loom's own number, which begins anew with each interleaving and is not reused in it. It stands in the id's
/// `Debug` and nowhere else.
pub(crate) fn this_thread() -> NonZeroU64 {
    let id = format!("{:?}", loom::thread::current().id());
    let digits = id.trim_start_matches("ThreadId(").trim_end_matches(')');
    let number: u64 = digits.parse().unwrap_or_else(|_| panic!("loom shows thread ids as {id}"));
    NonZeroU64::MIN.saturating_add(number)
}

/// The first, in a model.
pub(crate) const fn draw(_n: usize) -> usize {
    0
}

pub(crate) fn spin_hint() {
    unreachable!("spin budgets are zero in a model");
}

std::thread_local! {
    static ENDLESS_ROUNDS: Cell<bool> = const { Cell::new(false) };
    static TURNS: Cell<bool> = const { Cell::new(false) };
    static LOOKS: Cell<bool> = const { Cell::new(false) };
    static LIVES: Cell<u32> = const { Cell::new(1) };
}

/// As the body of the model on this thread has said, else never.
pub(crate) fn turn(_came: bool) -> bool {
    TURNS.get()
}

/// See [`turn`].
pub(crate) fn set_turns(turns: bool) {
    TURNS.set(turns);
}

/// One answer for all threads of a model, which loom runs on one thread of the system.
pub(crate) fn panicking() -> bool {
    std::thread::panicking()
}

/// Gives the others their turn, whatever the step is. Two threads that wait for a third by yielding can yield
/// to each other without end, and each number of times is an interleaving of its own. After some rounds in
/// one place the interleaving is run to its end, with the thread preferred that yielded least, and no others
/// are explored from there.
#[track_caller]
pub(crate) fn stand_by(round: u32, _step: impl FnOnce()) {
    const EXPLORED: u32 = 3;
    if round >= EXPLORED {
        loom::skip_branch();
    }
    loom::thread::yield_now();
}

/// Nothing: no step of [`stand_by`] is taken.
pub(crate) fn nap(_length: Duration) {}

/// Returns whether a thread's rounds last until it is woken, in the model on this thread.
pub(crate) fn set_endless_rounds(endless: bool) {
    ENDLESS_ROUNDS.set(endless);
}

/// How often a thread with a deadline returns from `park` in the model on this thread, until the deadline has
/// passed: it may outlive each wake-up but the last. One, unless the model's body has said more: that leaves
/// out the timed waiter that is woken, loses, and waits again, and keeps models small.
pub(crate) fn set_lives(lives: u32) {
    LIVES.set(lives);
}

/// Nothing: whatever the thread does next gives the others their turn.
pub(crate) fn yield_now() {}

#[derive(Debug)]
pub(crate) struct UnsafeCell<T>(loom::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(loom::cell::UnsafeCell::new(value))
    }

    #[track_caller]
    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        self.0.with(f)
    }

    #[track_caller]
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        self.0.with_mut(f)
    }
}

/// loom's cell takes no unsized payload, so the payload lies in std's and a loom cell beside it is accessed
/// whenever the payload may be: a missing edge between two accesses is a race on the witness.
pub(crate) struct Payload<T: ?Sized> {
    witness: loom::cell::UnsafeCell<()>,
    value: std::cell::UnsafeCell<T>,
}

impl<T: ?Sized> std::fmt::Debug for Payload<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Payload")
    }
}

impl<T> Payload<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { witness: loom::cell::UnsafeCell::new(()), value: std::cell::UnsafeCell::new(value) }
    }

    pub(crate) fn into_inner(self) -> T {
        drop(self.write());
        self.value.into_inner()
    }
}

impl<T: ?Sized> Payload<T> {
    pub(crate) const fn as_ptr(&self) -> *mut T {
        self.value.get()
    }

    #[track_caller]
    pub(crate) fn get_mut(&mut self) -> &mut T {
        drop(self.write());
        self.value.get_mut()
    }

    #[track_caller]
    pub(crate) fn write(&self) -> Writing {
        Writing(Some(self.witness.get_mut()))
    }

    #[track_caller]
    pub(crate) fn read(&self) -> Reading {
        Reading(Some(self.witness.get()))
    }
}

macro_rules! access {
    ($name:ident, $pointer:ty) => {
        pub(crate) struct $name(Option<$pointer>);

        impl $name {
            pub(crate) fn take(&mut self) -> Self {
                Self(self.0.take())
            }

            pub(crate) fn end(&mut self) {
                self.0 = None;
            }
        }

        // SAFETY: the pointer in it is to a `()` and is never dereferenced; it stands for the access alone,
        // which belongs to the guard and moves between threads only where the guard does.
        unsafe impl Send for $name {}
        // SAFETY: as above, and `end` takes `&mut`.
        unsafe impl Sync for $name {}

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    };
}

access!(Writing, MutPtr<()>);
access!(Reading, ConstPtr<()>);

#[derive(Clone, Debug)]
pub(crate) enum Deadline {
    Never,
    /// Passes at a return from `park`: at the latest at the one that is as many as it has lives, see
    /// [`set_lives`].
    Finite {
        passed: Cell<bool>,
        lives: Cell<u32>,
    },
}

impl Deadline {
    pub(crate) const NEVER: Self = Self::Never;

    pub(crate) fn after(timeout: Duration) -> Self {
        if timeout == Duration::MAX { Self::Never } else { Self::finite(timeout.is_zero(), LIVES.get()) }
    }

    fn finite(passed: bool, lives: u32) -> Self {
        Self::Finite { passed: Cell::new(passed), lives: Cell::new(lives) }
    }

    /// Models have no clock: any instant is one that may pass while the thread is parked.
    pub(crate) fn at(_: Instant) -> Self {
        Self::finite(false, LIVES.get())
    }

    pub(crate) fn has_passed(&self) -> bool {
        matches!(self, Self::Finite { passed, .. } if passed.get())
    }

    /// Passes now.
    #[cfg(feature = "loom-spec")]
    pub(crate) fn pass(&self) {
        if let Self::Finite { passed, .. } = self {
            passed.set(true);
        }
    }

    /// Returns a deadline that may pass at once or when the others have had their turn; so does this one, in
    /// the first round. In a model that is about the wake-up alone none passes by itself.
    #[track_caller]
    pub(crate) fn or_after(&self, _length: Duration, round: u32) -> Self {
        const EXPLORED: u32 = 1;
        if ENDLESS_ROUNDS.get() {
            return Self::NEVER;
        }
        if round >= EXPLORED {
            loom::skip_branch();
            loom::thread::yield_now();
        }
        self.spend();
        Self::finite(false, 1)
    }

    /// Takes one of its lives. Without another it passes.
    fn spend(&self) {
        if let Self::Finite { passed, lives } = self {
            match lives.get() {
                0 | 1 => passed.set(true),
                more => lives.set(more - 1),
            }
        }
    }

    pub(crate) const fn is_never(&self) -> bool {
        matches!(self, Self::Never)
    }
}

/// No time at all: see [`Age`].
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

/// Whether a waiter has waited for long, which is a choice: its thread stores that it has as soon as it is
/// queued, and as nothing orders that store before a load by another thread, the load finds it or not.
#[derive(Debug)]
pub(crate) struct Age(loom::sync::atomic::AtomicU32);

impl Age {
    pub(crate) fn new() -> Self {
        Self(loom::sync::atomic::AtomicU32::new(0))
    }

    #[track_caller]
    pub(crate) fn pass(&self) {
        self.0.store(1, atomic::Ordering::Relaxed);
    }

    #[track_caller]
    pub(crate) fn is_over(&self, _: Moment, _: Moment, _: Duration) -> bool {
        self.0.load(atomic::Ordering::Relaxed) != 0
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

#[derive(Debug)]
pub(crate) struct Parker(Arc<Token>);

#[derive(Debug)]
struct Token {
    notify: Notify,
    /// Whether the wake-up was there before the deadline. In models of one life it would decide nothing.
    woken: Option<AtomicBool>,
}

impl Parker {
    pub(crate) fn new() -> Self {
        let woken = (LIVES.get() > 1).then(|| AtomicBool::new(false));
        Self(Arc::new(Token { notify: Notify::new(), woken }))
    }

    /// Stands in another node of the same thread for the one that is parked.
    pub(crate) fn stand_in(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    /// Without an end in sight: until the notification, with loom's one spurious return. With a deadline:
    /// until it passes, which is now or when the others have had their turn. The caller looks at its own
    /// state first, so a wake-up that came in that turn is found; a thread that no thread will ever wake
    /// times out and is no deadlock. A wake-up that came before the deadline passed leaves it unpassed if it
    /// has another life.
    #[track_caller]
    pub(crate) fn park(&self, deadline: &Deadline) {
        match deadline {
            Deadline::Never => self.0.notify.wait(),
            Deadline::Finite { passed, .. } => {
                // loom's only choice between two ways on: a notification that is there already is consumed at
                // once, or the return is spurious, and spurious returns yield.
                let now_or_later = Notify::new();
                now_or_later.notify();
                now_or_later.wait();
                // Relaxed: nothing orders this look against the store, so loom explores both values, one of
                // which says that the time was up before.
                match &self.0.woken {
                    Some(woken) if woken.load(Relaxed) => deadline.spend(),
                    _ => passed.set(true),
                }
            }
        }
    }

    pub(crate) fn unparker(&self) -> Unparker {
        Unparker(Arc::clone(&self.0))
    }
}

pub(crate) struct Unparker(Arc<Token>);

impl Unparker {
    #[track_caller]
    pub(crate) fn unpark(self) {
        if let Some(woken) = &self.0.woken {
            // Relaxed: see `park`.
            woken.store(true, Relaxed);
        }
        self.0.notify.notify();
    }
}

#[cfg(feature = "threads")]
pub(crate) mod threads {
    use std::io;

    use loom::thread::{self, ThreadId};

    pub(crate) type Id = ThreadId;

    pub(crate) fn current_id() -> Id {
        thread::current().id()
    }

    /// As many as a model can afford beside its main thread.
    pub(crate) fn parallelism() -> usize {
        2
    }

    #[derive(Debug)]
    pub(crate) struct Handle(thread::JoinHandle<()>);

    impl Handle {
        /// loom gives each thread a stack of its own size.
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

#[derive(Debug)]
pub(crate) struct AbortOnUnwind;

impl AbortOnUnwind {
    pub(crate) fn disarm(self) {}
}
