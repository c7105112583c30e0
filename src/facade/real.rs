//! The ordinary arm: `std` and nothing else.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "this is what the fence fences in")]

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::thread::{self, LocalKey, Thread};
use std::time::{Duration, Instant};

/// The atomics, with the operations that are used and no others. Types of their own, so that the fence tells them
/// from `std`'s.
pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::Ordering;

    macro_rules! atomic {
        ($(#[$meta:meta])* $name:ident $(<$generic:ident>)?, $value:ty, { $($operations:tt)* }) => {
            $(#[$meta])*
            #[derive(Debug)]
            #[repr(transparent)]
            pub(crate) struct $name $(<$generic>)? (std::sync::atomic::$name $(<$generic>)?);

            impl $(<$generic>)? $name $(<$generic>)? {
                pub(crate) const fn new(value: $value) -> Self {
                    Self(std::sync::atomic::$name::new(value))
                }

                #[inline]
                pub(crate) fn load(&self, order: Ordering) -> $value {
                    self.0.load(order)
                }

                $($operations)*
            }
        };
    }

    atomic!(AtomicPtr<T>, *mut T, {
        #[inline]
        pub(crate) fn compare_exchange_weak(
            &self,
            current: *mut T,
            new: *mut T,
            success: Ordering,
            failure: Ordering,
        ) -> Result<*mut T, *mut T> {
            self.0.compare_exchange_weak(current, new, success, failure)
        }

        #[inline]
        pub(crate) fn compare_exchange(
            &self,
            current: *mut T,
            new: *mut T,
            success: Ordering,
            failure: Ordering,
        ) -> Result<*mut T, *mut T> {
            self.0.compare_exchange(current, new, success, failure)
        }

        #[inline]
        pub(crate) fn swap(&self, new: *mut T, order: Ordering) -> *mut T {
            self.0.swap(new, order)
        }
    });

    atomic!(AtomicU64, u64, {
        #[inline]
        pub(crate) fn swap(&self, value: u64, order: Ordering) -> u64 {
            self.0.swap(value, order)
        }

        #[inline]
        pub(crate) fn compare_exchange(
            &self,
            current: u64,
            new: u64,
            success: Ordering,
            failure: Ordering,
        ) -> Result<u64, u64> {
            self.0.compare_exchange(current, new, success, failure)
        }
    });

    atomic!(AtomicU32, u32, {
        #[inline]
        pub(crate) fn store(&self, value: u32, order: Ordering) {
            self.0.store(value, order);
        }

        #[inline]
        pub(crate) fn compare_exchange(
            &self,
            current: u32,
            new: u32,
            success: Ordering,
            failure: Ordering,
        ) -> Result<u32, u32> {
            self.0.compare_exchange(current, new, success, failure)
        }
    });
}

/// `const fn` here, plain `fn` in a model, where no loom type can be made in a constant.
macro_rules! const_fn {
    ($(#[$meta:meta])* $vis:vis fn $($rest:tt)*) => { $(#[$meta])* $vis const fn $($rest)* };
}
pub(crate) use const_fn;

/// Items that exist for the models only.
macro_rules! model_only {
    ($($item:item)*) => {};
}
pub(crate) use model_only;

/// Tells a model that it has come to a state that some model must have come to.
macro_rules! reached {
    ($state:literal) => {};
}
pub(crate) use reached;

/// A value of each thread, with something to do when the thread ends.
///
/// `per_thread! { const NAME: Type = constant; ends by function; }`: `Type` has no destructor, so `NAME.with` is an
/// address and nothing else, also while the thread's other variables are being destroyed and after that. Once a
/// thread has called `NAME.arm`, the function gets its value when the thread ends.
macro_rules! per_thread {
    ($(#[$meta:meta])* const $name:ident: $type:ty = $init:expr; ends by $end:path;) => {
        $(#[$meta])*
        const $name: $crate::facade::PerThread<$type> = {
            /// Its destructor is the end of a thread that has touched it.
            struct AtEnd;

            impl Drop for AtEnd {
                fn drop(&mut self) {
                    $name.with($end);
                }
            }

            std::thread_local! {
                static VALUE: $type = const { const { assert!(!std::mem::needs_drop::<$type>()) }; $init };
                static AT_END: AtEnd = const { AtEnd };
            }
            $crate::facade::PerThread::new(&VALUE, || AT_END.try_with(|_| ()).is_ok())
        };
    };
}
pub(crate) use per_thread;

/// See [`per_thread`].
pub(crate) struct PerThread<T: 'static> {
    value: &'static LocalKey<T>,
    arm: fn() -> bool,
}

impl<T> PerThread<T> {
    pub(crate) const fn new(value: &'static LocalKey<T>, arm: fn() -> bool) -> Self {
        Self { value, arm }
    }

    /// Runs `f` on the calling thread's value. `None` where it is gone: never on platforms whose compiler knows
    /// thread-local variables, at a thread's very end on others.
    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&T) -> R) -> Option<R> {
        self.value.try_with(f).ok()
    }

    /// Has the function run at the thread's end. False if it is running or has run.
    pub(crate) fn arm(&self) -> bool {
        (self.arm)()
    }
}

/// A number that nobody in this process gets again. Not 0. Runs out after some centuries.
pub(crate) fn unique_number() -> u64 {
    static LAST: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    // Relaxed: one number for each call is all that is asked, and nothing travels with it.
    LAST.fetch_add(1, atomic::Ordering::Relaxed) + 1
}

/// Runs somebody else's code where nobody could take its panic: the panic has been reported by then, and ends here.
pub(crate) fn contain(f: impl FnOnce()) {
    let result = panic::catch_unwind(AssertUnwindSafe(f));
    // The payload's own destructor is somebody else's code, too; what that panics with is nobody's any more.
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| drop(result))) {
        std::mem::forget(payload);
    }
}

/// A number that a model needs smaller: the first one here.
pub(crate) const fn budget(real: u32, _model: u32) -> u32 {
    real
}

/// Tells the processor that this thread spins.
#[inline]
pub(crate) fn spin_hint() {
    std::hint::spin_loop();
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
        f(self.0.get())
    }

    #[inline]
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}

/// What a lock guards. Sized last, so that `Lock<[T; N]>` coerces to `Lock<[T]>`.
pub(crate) struct Payload<T: ?Sized>(std::cell::UnsafeCell<T>);

impl<T> Payload<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    pub(crate) fn into_inner(self) -> T {
        self.0.into_inner()
    }
}

impl<T: ?Sized> Payload<T> {
    /// Where the payload lives. Whoever dereferences it answers for exclusion.
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
    pub(crate) fn write(&self) -> Writing {
        Writing
    }

    /// Begins a shared access that lasts until the value it returns is ended or dropped.
    #[inline]
    pub(crate) fn read(&self) -> Reading {
        Reading
    }
}

macro_rules! access {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug)]
        pub(crate) struct $name;

        impl $name {
            /// Moves the access out of a guard that is being turned into another.
            #[inline]
            pub(crate) fn take(&mut self) -> Self {
                Self
            }

            /// Ends the access: to be called before the lock is released.
            #[inline]
            pub(crate) fn end(&mut self) {}
        }
    };
}

access! {
    /// An exclusive access to a [`Payload`] under way. Nothing in this arm.
    Writing
}
access! {
    /// A shared access to a [`Payload`] under way. Nothing in this arm.
    Reading
}

/// A moment after which a call no longer waits; or never.
#[derive(Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    pub(crate) const NEVER: Self = Self(None);

    /// A deadline `timeout` from now. One too far away to be told is never.
    pub(crate) fn after(timeout: Duration) -> Self {
        Self(Instant::now().checked_add(timeout))
    }

    pub(crate) fn at(instant: Instant) -> Self {
        Self(Some(instant))
    }

    /// Whether it has passed. Reads the clock unless it never does.
    pub(crate) fn has_passed(&self) -> bool {
        self.0.is_some_and(|at| at <= Instant::now())
    }
}

/// What one thread parks on in one wait.
///
/// A thread has one park token, and its own code may be using it: whoever calls `unpark` on the thread for a purpose
/// of its own while we wait must find its token still there afterwards. Two tokens that arrive together are one, so
/// no return of `park` can be told to be ours alone; a wait that parked at all therefore leaves the token set. A
/// token too many is a spurious return, which `thread::park` announces; a token too few would be a hang.
#[derive(Debug)]
pub(crate) struct Parker {
    thread: Thread,
    parked: Cell<bool>,
}

/// `park_timeout` has overflowed on some platforms when asked for centuries; nobody notices one wake-up in a day.
const LONGEST_PARK: Duration = Duration::from_secs(24 * 60 * 60);

impl Parker {
    /// For the calling thread, which is the only one that may call [`park`](Self::park).
    pub(crate) fn new() -> Self {
        Self { thread: thread::current(), parked: Cell::new(false) }
    }

    /// Blocks until [`Unparker::unpark`], until the deadline, or until no particular reason.
    pub(crate) fn park(&self, deadline: &Deadline) {
        self.parked.set(true);
        match deadline.0 {
            None => thread::park(),
            Some(at) => {
                let left = at.saturating_duration_since(Instant::now());
                thread::park_timeout(left.min(LONGEST_PARK));
            }
        }
    }

    pub(crate) fn unparker(&self) -> Unparker {
        Unparker(self.thread.clone())
    }
}

impl Drop for Parker {
    fn drop(&mut self) {
        if self.parked.get() {
            self.thread.unpark();
        }
    }
}

/// Ends a [`Parker::park`], from another thread, whether or not the parker still exists.
pub(crate) struct Unparker(Thread);

impl Unparker {
    pub(crate) fn unpark(self) {
        self.0.unpark();
    }
}

/// Waiting for a few instructions of another thread, without a queue.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    round: u32,
}

impl Backoff {
    /// Doubling spins up to 64 hints: the other thread is most likely running, and done before the last.
    const SPINNING: u32 = 7;
    /// Then its processor may be running us: let the other in.
    const YIELDING: u32 = 16;
    /// Then we may outrank it, so that yielding does nothing: leave the processor for a while.
    const SLEEP: Duration = Duration::from_micros(50);

    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn wait(&mut self) {
        if self.round < Self::SPINNING {
            for _ in 0..1 << self.round {
                spin_hint();
            }
        } else if self.round < Self::YIELDING {
            thread::yield_now();
        } else {
            thread::sleep(Self::SLEEP);
            return;
        }
        self.round += 1;
    }
}

/// Ends the process if it is dropped by an unwinding thread: others rely on the frame it stands in, or on a lock that
/// this thread would go without.
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
