//! What diagnosis takes from outside: time, the thread's name, a thread of its own, the environment.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "this is what the fence fences in")]

use std::io::Write;
use std::sync::OnceLock;
#[cfg(all(target_has_atomic = "64", not(lockwork_without_atomic_u64)))]
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

#[cfg(not(all(target_has_atomic = "64", not(lockwork_without_atomic_u64))))]
use super::wide::AtomicU64;

static BASE: OnceLock<Instant> = OnceLock::new();
static TICK: AtomicU64 = AtomicU64::new(1);

fn base() -> Instant {
    // A second earlier, so that a moment before the first look has a number as well.
    *BASE.get_or_init(|| Instant::now().checked_sub(Duration::from_secs(1)).unwrap_or_else(Instant::now))
}

/// Returns a moment in nanoseconds since the process first asked; not 0.
pub(crate) fn nanos_of(instant: Instant) -> u64 {
    let since = instant.saturating_duration_since(base()).as_nanos();
    u64::try_from(since).unwrap_or(u64::MAX).max(1)
}

/// Returns the moment of which [`nanos_of`] gave the number.
pub(crate) fn instant_of(nanos: u64) -> Instant {
    base() + Duration::from_nanos(nanos)
}

/// Returns the present moment, as [`nanos_of`] tells it.
pub(crate) fn nanos() -> u64 {
    let now = nanos_of(Instant::now());
    tick(now);
    now
}

/// Returns the present moment, or one up to a tick earlier.
#[inline]
pub(crate) fn coarse_nanos() -> u64 {
    // Relaxed: about the time, and nothing else.
    TICK.load(Relaxed)
}

/// Moves the coarse clock on.
fn tick(now: u64) {
    // Relaxed: as above; two threads that race are some nanoseconds apart.
    if now > TICK.load(Relaxed) {
        TICK.store(now, Relaxed);
    }
}

/// Returns the name of the calling thread, cut to what is kept of names. Empty if it has none, or is at its
/// end.
pub(crate) fn thread_name(most: usize) -> String {
    let name = std::panic::catch_unwind(|| thread::current().name().map(str::to_owned));
    let mut name = name.ok().flatten().unwrap_or_default();
    let mut end = most.min(name.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.truncate(end);
    name
}

/// Returns what the environment has under this name. What is no text is told, and left alone.
pub(crate) fn environment(name: &str) -> Option<String> {
    let value = std::env::var_os(name)?.into_string();
    value.inspect_err(|_| print_error(&format_args!("lockwork: {name}: it is not UTF-8"))).ok()
}

/// Returns the number of this process: another one after a `fork`.
pub(crate) fn process() -> u32 {
    std::process::id()
}

/// Writes a line to the standard error stream, which may be closed. Where a stream is a number it goes past
/// the stream's lock, which may be that of a thread that hangs.
pub(crate) fn print_error(line: &dyn std::fmt::Display) {
    let line = format!("{line}\n");
    #[cfg(unix)]
    let _ = {
        use std::os::fd::FromRawFd;
        // SAFETY: the standard error stream's, which is not closed by this.
        let stream = std::mem::ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(2) });
        (&*stream).write_all(line.as_bytes())
    };
    #[cfg(not(unix))]
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// A thread that runs `step` again and again, with pauses in between that `step` gives, until it is dropped
/// or `step` gives none.
#[derive(Debug)]
pub(crate) struct Ticker {
    stop: std::sync::Arc<std::sync::atomic::AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
    process: u32,
}

impl Ticker {
    /// Starts the thread. `None` if the system has none to give.
    pub(crate) fn start(mut step: impl FnMut() -> Duration + Send + 'static) -> Option<Self> {
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let asked = std::sync::Arc::clone(&stop);
        let builder = thread::Builder::new().name("lockwork-diagnose".to_owned());
        let thread = builder.spawn(move || {
            // Relaxed: joined after it was asked.
            while !asked.load(Relaxed) {
                thread::park_timeout(step());
            }
        });
        Some(Self { stop, thread: Some(thread.ok()?), process: process() })
    }

    /// Lets it run for as long as the process.
    pub(crate) fn detach(mut self) {
        self.thread = None;
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        if process() != self.process {
            // A child of a `fork` has no such thread: to wait for its end would not end.
            std::mem::forget(thread);
            return;
        }
        // Relaxed: as above.
        self.stop.store(true, Relaxed);
        thread.thread().unpark();
        // It panics at the thread's end, and that of the watch does not come here there.
        let current = std::panic::catch_unwind(|| thread::current().id());
        if current.ok() != Some(thread.thread().id()) {
            let _ = thread.join();
        }
    }
}
