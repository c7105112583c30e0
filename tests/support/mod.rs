//! What the tests share: an end to hangs, views of other threads, and counters of drops and of allocations.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// The party sizes of every test with several threads: one, even, odd, prime, and more than most machines have cores.
pub(crate) const PARTIES: [usize; 6] = [1, 2, 3, 5, 7, 8];

/// After this a test counts as hung, and a wait of a test as lost. No test takes a hundredth of it on a machine that has
/// nothing else to do; on one whose processors others want all the time, some take forty times as long.
pub(crate) const LIMIT: Duration = Duration::from_secs(if cfg!(miri) { 1800 } else { 300 });

/// How often to repeat something: fewer times where each costs a thousand times more.
pub(crate) const fn rounds(n: usize) -> usize {
    if cfg!(miri) { n.div_ceil(100) } else { n }
}

/// Runs `body` on a thread of its own. A panic in it is the caller's, and so is a hang: as a panic after [`LIMIT`].
#[track_caller]
pub(crate) fn watchdog<R: Send + 'static>(name: &str, body: impl FnOnce() -> R + Send + 'static) -> R {
    let (finished, wait) = mpsc::channel();
    let watched = move || {
        let result = body();
        // Nobody listens any more if the limit has passed.
        let _ = finished.send(());
        result
    };
    let thread = thread::Builder::new().name(name.to_owned()).spawn(watched).expect("a thread to watch");
    match wait.recv_timeout(LIMIT) {
        Err(RecvTimeoutError::Timeout) => panic!("{name}: not finished after {LIMIT:?}, so it hangs"),
        Ok(()) | Err(RecvTimeoutError::Disconnected) => {
            thread.join().unwrap_or_else(|payload| panic::resume_unwind(payload))
        }
    }
}

/// Waits for something that other threads bring about, without blocking on anything.
#[track_caller]
pub(crate) fn eventually(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LIMIT, "waited {LIMIT:?} in vain");
        thread::yield_now();
    }
}

/// Counts the drops of the values made by [`value`](Self::value).
#[derive(Clone, Debug, Default)]
pub(crate) struct Drops(Arc<AtomicUsize>);

/// A value whose drop is counted.
#[derive(Debug)]
pub(crate) struct Counted(Arc<AtomicUsize>);

impl Drops {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn value(&self) -> Counted {
        Counted(Arc::clone(&self.0))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Relaxed)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// Lets other threads see that one has gone to sleep, as far as the system tells.
///
/// A thread that has called [`about_to_block`](Self::about_to_block) does nothing but the one call that may block.
/// So whoever sees it asleep knows that it is parked in that call.
#[derive(Debug, Default)]
pub(crate) struct Sleeper(AtomicU32);

impl Sleeper {
    /// Whether [`until_asleep`](Self::until_asleep) is sure of what it says. Elsewhere it lets some time pass, and
    /// what is tested must hold, too, if the thread was late.
    pub(crate) const SURE: bool = cfg!(all(target_os = "linux", not(miri)));

    const RUNNING: u32 = 0;
    const UNKNOWN: u32 = u32::MAX;

    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(Self::RUNNING))
    }

    pub(crate) fn several(n: usize) -> Vec<Self> {
        (0..n).map(|_| Self::new()).collect()
    }

    /// Of the thread that is to be watched: the last thing before the call that may block.
    pub(crate) fn about_to_block(&self) {
        let id = if Self::SURE {
            let link = std::fs::read_link("/proc/thread-self").expect("procfs");
            let id = link.file_name().and_then(|id| id.to_str()).and_then(|id| id.parse().ok());
            id.expect("a thread id")
        } else {
            Self::UNKNOWN
        };
        self.0.store(id, Relaxed);
    }

    /// Waits until the thread sleeps, or is gone. Returns how often it has gone to sleep in its life.
    #[track_caller]
    pub(crate) fn until_asleep(&self) -> u64 {
        self.until_asleep_again(0)
    }

    #[track_caller]
    pub(crate) fn until_all_asleep(sleepers: &[Self]) {
        for sleeper in sleepers {
            sleeper.until_asleep();
        }
    }

    /// [`until_asleep`](Self::until_asleep) of a thread that had gone to sleep `naps` times when it was woken up.
    #[track_caller]
    pub(crate) fn until_asleep_again(&self, naps: u64) -> u64 {
        eventually(|| self.0.load(Relaxed) != Self::RUNNING);
        if !Self::SURE {
            (0..100).for_each(|_| thread::yield_now());
            return naps + 1;
        }
        let status = format!("/proc/self/task/{}/status", self.0.load(Relaxed));
        let mut seen = naps;
        eventually(|| {
            let Ok(status) = std::fs::read_to_string(&status) else {
                return true;
            };
            let field =
                |name| status.lines().find_map(|line| line.strip_prefix(name)).expect("procfs").trim();
            seen = field("voluntary_ctxt_switches:").parse().expect("a number");
            field("State:").starts_with('S') && seen > naps
        });
        seen
    }
}

/// The system's allocator, counting by thread.
struct Counting;

thread_local! {
    /// Constant and without a destructor, so that using it allocates nothing and works in a thread's last moments.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static RELEASES: Cell<usize> = const { Cell::new(0) };
    /// Of what was allocated and not freed, modulo what a number can hold.
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

fn count_allocation(size: usize) {
    // Nothing to count for a thread that has no variables left.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
    let _ = BYTES.try_with(|bytes| bytes.set(bytes.get().wrapping_add(size)));
}

fn count_release(size: usize) {
    let _ = RELEASES.try_with(|count| count.set(count.get() + 1));
    let _ = BYTES.try_with(|bytes| bytes.set(bytes.get().wrapping_sub(size)));
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_allocation(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count_allocation(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count_allocation(size);
        count_release(layout.size());
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count_release(layout.size());
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often the calling thread allocates while it runs `body`.
pub(crate) fn allocations_during(body: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    body();
    ALLOCATIONS.get() - before
}

/// How many more blocks the calling thread has allocated than freed while it ran `body`.
pub(crate) fn blocks_during<R>(body: impl FnOnce() -> R) -> (R, isize) {
    let balance = || ALLOCATIONS.get().wrapping_sub(RELEASES.get()) as isize;
    let before = balance();
    let result = body();
    (result, balance() - before)
}

/// How many more bytes the calling thread has allocated than freed while it ran `body`.
pub(crate) fn bytes_during<R>(body: impl FnOnce() -> R) -> (R, isize) {
    let before = BYTES.get();
    let result = body();
    (result, BYTES.get().wrapping_sub(before) as isize)
}

#[test]
fn watchdog_returns_what_the_body_returns() {
    assert_eq!(watchdog("seven", || 7), 7);
}

#[test]
#[should_panic(expected = "of the body")]
fn watchdog_passes_panics_on() {
    watchdog("a panic", || panic!("of the body"));
}

#[test]
fn allocations_are_counted_by_thread() {
    assert_eq!(allocations_during(|| drop(std::hint::black_box(Box::new(1)))), 1);
    assert_eq!(allocations_during(|| ()), 0);
}

#[test]
fn sleeper_is_seen_asleep() {
    let (sleeper, asleep) = (Sleeper::new(), AtomicUsize::new(0));
    thread::scope(|s| {
        let parked = s.spawn(|| {
            sleeper.about_to_block();
            while asleep.load(Relaxed) == 0 {
                thread::park();
            }
        });
        sleeper.until_asleep();
        asleep.store(1, Relaxed);
        parked.thread().unpark();
    });
}
