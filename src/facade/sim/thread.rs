//! Simulated threads, in the shape of `std::thread`.

use std::io;
use std::num::NonZero;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::atomic::{AtomicU32, Ordering::SeqCst};
pub(crate) use super::locals::LocalKey;
pub(crate) use super::machine::yield_now;
use super::{Machine, Time, machine, wait, wake};

/// What a thread's handles share: a line with their number and the park token, as in `std`.
#[repr(align(128))]
struct Shared {
    handles: AtomicU32,
    token: AtomicU32,
    ended: AtomicU32,
}

const NONE: u32 = 0;
const GIVEN: u32 = 1;
const PARKED: u32 = 2;

/// A thread's handle.
pub(crate) struct Thread(Arc<Shared>);

impl std::fmt::Debug for Thread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Thread")
    }
}

impl Thread {
    fn new() -> Self {
        let new = || AtomicU32::new(0);
        Self(Arc::new(Shared { handles: new(), token: new(), ended: new() }))
    }

    /// Returns another handle, without paying for it.
    pub(super) fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    pub(crate) fn unpark(&self) {
        if self.0.token.swap(GIVEN, SeqCst) == PARKED {
            wake(&self.0.token, 1);
        }
    }
}

impl Clone for Thread {
    fn clone(&self) -> Self {
        self.0.handles.fetch_add(1, SeqCst);
        self.share()
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.0.handles.fetch_sub(1, SeqCst);
    }
}

std::thread_local! {
    /// Of the operating system's thread, outside of a run.
    static OUTSIDE: Thread = Thread::new();
}

pub(crate) fn current() -> Thread {
    machine::own_handle().unwrap_or_else(|| OUTSIDE.with(Thread::share)).clone()
}

pub(crate) fn park() {
    park_until_given(None);
}

pub(crate) fn park_timeout(timeout: Duration) {
    park_until_given(Some(timeout));
}

fn park_until_given(timeout: Option<Duration>) {
    let own = machine::own_handle().expect("parks outside of a run, indefinitely");
    let token = &own.0.token;
    if token.compare_exchange(NONE, PARKED, SeqCst, SeqCst).is_ok() {
        while wait(token, PARKED, timeout) && timeout.is_none() && token.load(SeqCst) == PARKED {}
    }
    token.swap(NONE, SeqCst);
}

pub(crate) fn sleep(time: Duration) {
    let never = AtomicU32::new(0);
    wait(&never, 0, Some(time));
}

/// Returns whether the operating system's thread panics: one panic at a time.
pub(crate) fn panicking() -> bool {
    std::thread::panicking()
}

/// Returns the number of the machine's cores.
pub(crate) fn available_parallelism() -> io::Result<NonZero<usize>> {
    let cores = machine::with(|world| world.machine.cores).and_then(NonZero::new);
    cores.ok_or_else(|| io::ErrorKind::Unsupported.into())
}

/// A new thread. Its name and the size of its stack are the same for all.
#[derive(Default)]
pub(crate) struct Builder;

impl Builder {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(crate) fn name(self, _: String) -> Self {
        self
    }

    pub(crate) fn stack_size(self, _: usize) -> Self {
        self
    }

    pub(crate) fn spawn<R: 'static>(self, body: impl FnOnce() -> R + 'static) -> io::Result<JoinHandle<R>> {
        machine::charge(Machine::SPAWN);
        machine::sync();
        Ok(spawn(Box::new(body), false))
    }
}

/// Starts a thread. `background` if the run may end without it.
pub(super) fn spawn<R: 'static>(body: Box<dyn FnOnce() -> R>, background: bool) -> JoinHandle<R> {
    let thread = Thread::new();
    let result = Arc::new(Mutex::new(None));
    let handle = JoinHandle { thread: thread.share(), result: Arc::clone(&result) };
    machine::spawn(
        Box::new(move || {
            let value = body();
            *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        }),
        thread,
        background,
    );
    handle
}

/// Tells those that join a thread that its values are gone.
pub(super) fn ended(thread: &Thread) {
    thread.0.ended.store(1, SeqCst);
    wake(&thread.0.ended, usize::MAX);
}

/// The right to wait for a thread's end.
#[derive(Debug)]
pub(crate) struct JoinHandle<R> {
    thread: Thread,
    result: Arc<Mutex<Option<R>>>,
}

impl<R> JoinHandle<R> {
    /// Waits for the thread's end. A panic of it has ended the run.
    pub(crate) fn join(self) -> std::thread::Result<R> {
        let ended = &self.thread.0.ended;
        while ended.load(SeqCst) == 0 {
            wait(ended, 0, None);
        }
        Ok(self.result().expect("a thread that has ended"))
    }

    /// Returns what the thread returned, if it has ended.
    pub(super) fn result(&self) -> Option<R> {
        self.result.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Returns a time as the machine counts it.
pub(super) fn ticks(time: Duration) -> Time {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).saturating_mul(Machine::NS)
}
