//! A simulated machine in the place of `std`: the ordinary arm, `real`, runs on it as it is.
//!
//! Its cores, caches and scheduler cost what a [`Machine`] says, in virtual time, so that what a program does
//! on 64 cores is an exact number on any computer: the same binary and seed give the same numbers to the last
//! digit. Everything is one thread of the operating system, and all memory accesses are in one order; the
//! models see to the orderings. `docs/scaling.md` explains the machine and what it leaves out.
//!
//! | of `std` | here |
//! |---|---|
//! | atomics, fences | an access to a line of [`lines`], and the operation itself; a fence waits for the stores before it |
//! | `UnsafeCell` | the access costs as one to an atomic; `Data` is charged by the test that owns it, with [`work`] or an atomic |
//! | `thread` | coroutines of [`machine`]; parking is a token and a wait by address, as on Linux |
//! | `thread_local!`, `per_process!` | one value for each simulated thread, one for each run |
//! | `Instant` | a fixed instant and the virtual time since |
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "this is what the fence fences in")]

mod lines;
mod locals;
mod machine;
mod numbers;
pub(crate) mod thread;

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use lines::Access;
pub(crate) use locals::thread_local;
pub(crate) use numbers::number;
pub use numbers::{with_numbers, with_numbers_noted};

/// Picoseconds.
pub type Time = u64;

/// What a machine's operations cost, in picoseconds but for the numbers of cores.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// What it is called.
    pub name: &'static str,
    /// How many cores it has.
    pub cores: usize,
    /// How many neighbouring cores are a cluster, which a line crosses in `near`.
    pub cluster: usize,
    /// How many neighbouring cores are a socket, which a line crosses in `middle`.
    pub socket: usize,
    /// A load or store of a line that the core has.
    pub hit: Time,
    /// A read-modify-write of one.
    pub exchange: Time,
    /// A line from a core of the same cluster.
    pub near: Time,
    /// A line from another cluster of the same socket.
    pub middle: Time,
    /// A line from another socket.
    pub far: Time,
    /// How long a line that many may read is busy with one of them.
    pub serve: Time,
    /// `std::hint::spin_loop`.
    pub pause: Time,
    /// Into the kernel and back.
    pub system_call: Time,
    /// From one thread of a core to another.
    pub switch: Time,
    /// What waking a thread costs the one that does it, besides the system call.
    pub wake: Time,
    /// Until an idle core runs a thread that is woken.
    pub wake_up: Time,
    /// How late a timer is.
    pub timer_slack: Time,
    /// How long a thread may run while others want its core.
    pub slice: Time,
    /// How far another must be behind in its share to preempt one when it wakes up.
    pub preempt_after: Time,
    /// For how long a queued thread stays at its core though another idles.
    pub hot: Time,
    /// How often queues are balanced.
    pub balance: Time,
    /// A run that takes longer is a failure.
    pub limit: Time,
}

impl Machine {
    /// A nanosecond.
    pub const NS: Time = 1000;
    /// A microsecond.
    pub const US: Time = 1000 * Self::NS;
    /// A millisecond.
    pub const MS: Time = 1000 * Self::US;

    const MOST_CORES: usize = 256;
    /// The size of a line.
    const LINE: usize = 64;
    /// The usual weight of a thread.
    const WEIGHT: u64 = 1024;
    /// A thread's stack, in bytes.
    const STACK: usize = 128 * 1024;
    /// What a new thread costs the one that makes it.
    const SPAWN: Time = 10 * Self::US;
}

/// What a thread has done. Times are in picoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Time on a core.
    pub cpu: Time,
    /// Lines that came from other cores.
    pub transfers: u64,
    /// How often it blocked.
    pub parks: u64,
    /// How many threads it woke.
    pub wakes: u64,
    /// How often it yielded.
    pub yields: u64,
    /// How often it lost its core.
    pub preemptions: u64,
    /// How often it was taken to another core that had nothing to do.
    pub migrations: u64,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome<R> {
    /// How long it took.
    pub time: Time,
    /// What the threads returned; those that did, if one of them [`stop`]ped the run.
    pub results: Vec<R>,
    /// What they did, and then what the threads did that they started.
    pub counts: Vec<Counts>,
}

/// Runs `body` in so many threads of a machine, with what `make` makes, and as many busy loops beside them as
/// `hogs` says.
///
/// # Panics
///
/// If a thread panics, if all are blocked, or if the run takes longer than the machine's limit.
pub fn run<S, R: 'static>(
    machine: &Machine,
    seed: u64,
    threads: usize,
    hogs: usize,
    make: impl FnOnce() -> S,
    body: impl Fn(&S, usize) -> R,
) -> Outcome<R> {
    assert!((1..=Machine::MOST_CORES).contains(&machine.cores), "{} cores", machine.cores);
    /// So that which values share a line does not depend on where it lives.
    #[repr(align(128))]
    struct Aligned<S>(S);
    let mut shared = None;
    let mut handles = Vec::new();
    let (time, counts) = machine::run(machine, seed, || {
        let shared: *const S = &shared.insert(Aligned(make())).0;
        let body: *const _ = &body;
        for number in 0..threads {
            let own: Box<dyn FnOnce() -> R + '_> = Box::new(move || {
                // SAFETY: it outlives the run, which this thread is of.
                let body = unsafe { &*body };
                // SAFETY: as above.
                body(unsafe { &*shared }, number)
            });
            // SAFETY: as above. When the run is over it is gone, or is not called any more.
            let own: Box<dyn FnOnce() -> R> = unsafe { std::mem::transmute(own) };
            handles.push(thread::spawn(own, false));
        }
        for _ in 0..hogs {
            thread::spawn(Box::new(hog), true);
        }
    });
    let results: Vec<R> = handles.iter().filter_map(thread::JoinHandle::result).collect();
    if results.len() < threads {
        // Those that stay where they are stay in it, too.
        std::mem::forget(shared);
    }
    Outcome { time, results, counts }
}

fn hog() {
    loop {
        work(Machine::MS);
        machine::sync();
    }
}

/// Lets the calling thread be busy for so long, with something that touches no line of others.
pub fn work(time: Time) {
    machine::charge(time);
}

/// Returns the time on the caller's core since the run began; 0 outside of one.
pub fn time() -> Time {
    machine::now()
}

/// Returns a number below `bound` that looks random, of a sequence that the seed begins.
pub fn random(bound: u64) -> u64 {
    machine::random(bound)
}

/// Returns what the calling thread has done so far.
pub fn counts() -> Counts {
    machine::counts()
}

/// Returns what each thread of the run has done so far, but for the hogs.
pub fn all_counts() -> Vec<Counts> {
    machine::all_counts()
}

/// Ends the run when the calling thread ends. The others stay where they are, and what they have on their
/// stacks is leaked.
pub fn stop() {
    machine::stop();
}

/// Gives the calling thread the lowest priority: a weight of 15, where the usual one is 1024.
pub fn lower_priority() {
    machine::set_weight(15);
}

/// Blocks until the next [`wake`] of `word`, or for so long, if `word` still is `expected`. Returns false if
/// the time is up.
pub fn wait(word: &atomic::AtomicU32, expected: u32, timeout: Option<Duration>) -> bool {
    if !machine::system_call() {
        return true;
    }
    // The kernel's look at the word, in one step with the enqueueing.
    if word.load(atomic::Ordering::SeqCst) != expected {
        return true;
    }
    machine::block(std::ptr::from_ref(word).addr(), timeout.map(thread::ticks))
}

/// Wakes up to so many threads that [`wait`] for `word`. Returns how many they were.
pub fn wake(word: &atomic::AtomicU32, most: usize) -> usize {
    machine::system_call();
    machine::wake(std::ptr::from_ref(word).addr(), most)
}

/// Pauses as in a loop that spins.
#[inline]
pub fn spin_loop() {
    machine::pause();
}

/// Puts the calling thread at the end of its core's queue.
pub fn yield_now() {
    machine::yield_now();
}

/// Returns the virtual time as an instant.
pub(crate) fn now() -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(Instant::now) + Duration::from_nanos(time() / Machine::NS)
}

/// Returns a number below `n`, which is at least one: of the virtual time, so that a run is the same each
/// time.
pub(crate) fn draw(n: usize) -> usize {
    let mixed = (time() ^ (time() >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 32) as usize % n
}

/// Reads what other threads may write.
#[inline]
pub(crate) fn reads<T>(place: *const T) {
    machine::sync();
    machine::access(place.addr(), Access::Load);
}

/// Writes what other threads may read.
#[inline]
pub(crate) fn writes<T>(place: *const T) {
    machine::sync();
    machine::access(place.addr(), Access::Store);
}

/// The atomics, whose accesses cost something.
pub mod atomic {
    pub use std::sync::atomic::Ordering;
    use std::sync::atomic::Ordering::SeqCst;

    use super::lines::Access;
    use super::machine;

    macro_rules! atomic {
        ($name:ident $(<$generic:ident>)?, $value:ty, $($operation:ident)*) => {
            /// One of `std`'s atomics on the machine.
            #[derive(Debug)]
            #[repr(transparent)]
            pub struct $name $(<$generic>)? (std::sync::atomic::$name $(<$generic>)?);

            #[allow(missing_docs, clippy::missing_errors_doc, reason = "std's")]
            impl $(<$generic>)? $name $(<$generic>)? {
                pub const fn new(value: $value) -> Self {
                    Self(std::sync::atomic::$name::new(value))
                }

                /// Pays for an operation, which takes effect once no core is behind.
                #[inline]
                fn access(&self, access: Access) -> &std::sync::atomic::$name $(<$generic>)? {
                    machine::sync();
                    machine::access(std::ptr::from_ref(self).addr(), access);
                    &self.0
                }

                #[inline]
                pub fn load(&self, _: Ordering) -> $value {
                    self.access(Access::Load).load(SeqCst)
                }

                #[inline]
                pub fn store(&self, value: $value, _: Ordering) {
                    self.access(Access::Store).store(value, SeqCst);
                }

                #[inline]
                pub fn swap(&self, value: $value, _: Ordering) -> $value {
                    self.access(Access::Exchange).swap(value, SeqCst)
                }

                #[inline]
                pub fn compare_exchange(
                    &self,
                    current: $value,
                    new: $value,
                    _: Ordering,
                    _: Ordering,
                ) -> Result<$value, $value> {
                    self.access(Access::Exchange).compare_exchange(current, new, SeqCst, SeqCst)
                }

                #[inline]
                pub fn compare_exchange_weak(
                    &self,
                    current: $value,
                    new: $value,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$value, $value> {
                    self.compare_exchange(current, new, success, failure)
                }

                #[inline]
                pub fn fetch_update(
                    &self,
                    success: Ordering,
                    failure: Ordering,
                    mut change: impl FnMut($value) -> Option<$value>,
                ) -> Result<$value, $value> {
                    let mut current = self.load(failure);
                    while let Some(new) = change(current) {
                        match self.compare_exchange(current, new, success, failure) {
                            Ok(_) => return Ok(current),
                            Err(actual) => current = actual,
                        }
                    }
                    Err(current)
                }

                $(
                    #[inline]
                    pub fn $operation(&self, value: $value, _: Ordering) -> $value {
                        self.access(Access::Exchange).$operation(value, SeqCst)
                    }
                )*
            }
        };
        ($name:ident, $value:ty) => {
            atomic!($name, $value, fetch_add fetch_sub fetch_and fetch_or fetch_max);
        };
    }

    atomic!(AtomicPtr<T>, *mut T,);
    atomic!(AtomicI8, i8);
    atomic!(AtomicU32, u32);
    atomic!(AtomicU64, u64);
    atomic!(AtomicUsize, usize);

    /// Waits until the caller's stores have arrived.
    pub fn fence(_: Ordering) {
        machine::sync();
        machine::drain();
    }
}

/// A static of which each run has its own.
pub(crate) struct PerRun<T: 'static>(fn() -> T);

impl<T> PerRun<T> {
    pub(crate) const fn new(init: fn() -> T) -> Self {
        Self(init)
    }

    fn get(&self) -> &'static T {
        std::thread_local! {
            static VALUES: RefCell<HashMap<usize, *mut ()>> = RefCell::default();
        }
        let key = std::ptr::from_ref(self).addr();
        VALUES.with(|values| {
            let mut values = values.borrow_mut();
            // One for each thread of the operating system: what runs after one another in the same place.
            let mut is_new = false;
            let value = *values.entry(key).or_insert_with(|| {
                is_new = true;
                Box::into_raw(Box::new((self.0)())).cast()
            });
            let value: *mut T = value.cast();
            let is_first = machine::with(|world| world.is_first_use(key)).unwrap_or(false);
            if is_first && !is_new {
                // SAFETY: never freed, and used by none: the run that used it is over.
                unsafe { *value = (self.0)() };
            }
            // SAFETY: never freed.
            unsafe { &*value }
        })
    }
}

impl<T> Deref for PerRun<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.get()
    }
}
