//! The callbacks that run at a stop.
//!
//! What sources and tokens share is [`Shared`]: an event, and a [`Registry`] of callbacks, which guards
//! share, too. Under the registry's lock a callback is in one of these states:
//!
//! | state | where | next |
//! |---|---|---|
//! | registered | in `callbacks`, under its number | running; dropped by its guard |
//! | running | in `running`, with the thread that runs or drops it | over |
//! | over | nowhere | |
//!
//! 1. The event is set under the lock. A registration that found it clear under the lock is therefore in
//!    `callbacks` when the thread that has set it begins to run them; one that found it set runs its callback
//!    itself.
//! 2. The thread that takes a callback out of `callbacks` runs it or drops it, without the lock. If that
//!    thread is not the guard's, it stays in `running` until it is over, and the guard waits for that.
//! 3. One thread at a time has a callback in `running`: the one whose `stop` was the first, which borrows a
//!    source or a token for as long as it lasts, or the one that has dropped the last of them.
//! 4. Guards do not keep the callbacks: when sources and tokens are gone nothing can stop, and what is
//!    registered is dropped. So it is not lost with a guard that was forgotten.
//! 5. A callback, or the drop of what it captured, may stop or drop another source. Up to [`DEEPEST`] such
//!    calls are nested on a thread's stack. What is asked for from there is put off until the user's code of
//!    the deepest has returned, and is done by that call, in order: however long the chain, in constant
//!    stack. A source that is stopped from there is kept until then, so its callbacks run and are not
//!    dropped.
//! 6. A call that waits for what callbacks bring about ([`Shared::catch_up`]) runs those that its thread has
//!    put off: they would otherwise wait for it. What it nests is a chain of its own.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU64;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use crate::condvar::Condvar;
use crate::event::Event;
use crate::facade::{Deadline, contain, frame, per_thread, this_thread};
use crate::mutex::{Mutex, MutexGuard};
use crate::observe::{Call, HeldHere, Kind, Mode};

type Callback = Box<dyn FnOnce() + Send>;

/// How many runs or drops of callbacks are nested in each other on a thread, before they are put off.
const DEEPEST: u32 = 32;

/// What is put off until the deepest nested call is about to return.
enum PutOff {
    /// The callbacks of a source that was stopped.
    Run(Arc<Shared>),
    /// The callbacks of a registry that no source has any more.
    Drop(Arc<Registry>),
    /// A callback that was taken back.
    DropOne(Callback),
}

impl PutOff {
    fn do_now(self) {
        match self {
            Self::Run(shared) => shared.registry.consume(shared.registry.state.lock(), |callback| callback()),
            Self::Drop(registry) => registry.consume(registry.state.lock(), drop),
            Self::DropOne(callback) => drop(callback),
        }
    }
}

#[derive(Default)]
struct Deepest(RefCell<VecDeque<PutOff>>);

per_thread! {
    /// How many calls that run or drop callbacks the thread is in.
    const DEPTH: Cell<u32> = Cell::new(0); ends by nothing_to_do;
}
per_thread! {
    /// In the frame of the deepest of them.
    const PUT_OFF: Cell<*const Deepest> = Cell::new(std::ptr::null()); ends by nothing_to_do;
}

/// Runs `f`, in which nothing is put off for a call that lies below this one.
#[cfg(feature = "threads")]
fn separately(f: impl FnOnce()) {
    let depth = DEPTH.with(|depth| depth.replace(0)).unwrap_or(0);
    let mut first = FirstPanic::default();
    first.catch(|| frame::enter(&PUT_OFF, None, f));
    DEPTH.with(|current| current.set(depth));
    first.resume();
}

fn nothing_to_do<T>(_: &Cell<T>) {}

/// Puts off what `make` makes, if the thread is as deep in such calls as it may be.
fn put_off(make: impl FnOnce() -> PutOff) -> bool {
    frame::with_current(&PUT_OFF, |deepest| deepest.0.borrow_mut().push_back(make())).is_some()
}

/// The first panic of several pieces of the user's code, all of which are run.
#[derive(Default)]
struct FirstPanic(Option<Box<dyn Any + Send>>);

impl FirstPanic {
    fn catch(&mut self, f: impl FnOnce()) {
        if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(f)) {
            match self.0 {
                None => self.0 = Some(payload),
                Some(_) => contain(|| drop(payload)),
            }
        }
    }

    /// Runs `f`, one call deeper, and what it has put off.
    fn catch_nested(&mut self, f: impl FnOnce()) {
        let depth = DEPTH.with(Cell::get).unwrap_or(0);
        if depth == DEEPEST {
            // In the call that does what was put off, one by one.
            return self.catch(f);
        }
        DEPTH.with(|current| current.set(depth + 1));
        if depth + 1 == DEEPEST {
            let deepest = Deepest::default();
            frame::enter(&PUT_OFF, Some(&deepest), || {
                self.catch(f);
                loop {
                    // A statement of its own, which ends the borrow.
                    let next = deepest.0.borrow_mut().pop_front();
                    let Some(next) = next else { break };
                    self.catch(|| next.do_now());
                }
            });
        } else {
            self.catch(f);
        }
        DEPTH.with(|current| current.set(depth));
    }

    fn resume(self) {
        if let Some(payload) = self.0 {
            panic::resume_unwind(payload);
        }
    }
}

/// What sources and tokens share.
#[derive(Default)]
pub(super) struct Shared {
    stopped: Event,
    registry: Arc<Registry>,
}

/// A callback that was registered, and where.
pub(super) struct Registered {
    registry: Arc<Registry>,
    number: u64,
    call: Call<'static>,
}

impl Registered {
    /// Takes the callback back, or waits until it is over, unless the calling thread is running it.
    pub(super) fn take_back(&self) {
        self.registry.take_back(self.number, self.call);
    }
}

/// The callbacks, which guards reach, too.
struct Registry {
    state: Mutex<State>,
    /// Notified when a callback is over.
    over: Condvar,
}

impl Default for Registry {
    fn default() -> Self {
        Self { state: Mutex::hidden(State::default()), over: Condvar::new() }
    }
}

#[derive(Default)]
struct State {
    /// By number, and so in the order in which they were registered.
    callbacks: BTreeMap<u64, Callback>,
    /// The number of the next.
    next: u64,
    running: Option<Running>,
    /// The thread that has put off the callbacks of the stop, and has not come to them.
    put_off_by: Option<NonZeroU64>,
}

#[derive(Clone, Copy)]
struct Running {
    number: u64,
    thread: NonZeroU64,
}

impl State {
    /// Returns the thread that runs the callback of this number, or drops it.
    fn runner_of(&self, number: u64) -> Option<NonZeroU64> {
        self.running.filter(|running| running.number == number).map(|running| running.thread)
    }
}

impl Shared {
    /// Returns the event that the stop sets.
    #[inline]
    pub(super) fn stopped(&self) -> &Event {
        &self.stopped
    }

    /// Stops, unless it was done before, and runs the callbacks. Returns whether it was not.
    pub(super) fn stop(self: &Arc<Self>) -> bool {
        if self.stopped.is_set() {
            return false;
        }
        let mut state = self.registry.state.lock();
        if self.stopped.is_set() {
            return false;
        }
        // Invariant 1: under the lock.
        self.stopped.set();
        if put_off(|| PutOff::Run(Arc::clone(self))) {
            state.put_off_by = Some(this_thread());
        } else {
            self.registry.consume(state, |callback| callback());
        }
        true
    }

    /// Runs the callbacks of the stop if the calling thread has put them off (invariant 6).
    #[cfg(feature = "threads")]
    pub(super) fn catch_up(&self) {
        if self.stopped.is_set() {
            let state = self.registry.state.lock();
            if state.put_off_by == Some(this_thread()) {
                separately(|| self.registry.consume(state, |callback| callback()));
            }
        }
    }

    /// Registers a callback, or runs it if the stop was before.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(super) fn on_stop(&self, callback: Callback) -> Option<Registered> {
        // A drop has no place in the caller's source: this is the guard's.
        let call = Call::at(Kind::Stop, Mode::Join, Arc::as_ptr(&self.registry));
        let mut state = self.registry.state.lock();
        if self.stopped.is_set() {
            drop(state);
            callback();
            return None;
        }
        let number = state.next;
        state.next += 1;
        state.callbacks.insert(number, callback);
        drop(state);
        Some(Registered { registry: Arc::clone(&self.registry), number, call })
    }
}

impl Drop for Shared {
    /// Drops the callbacks that nothing can run any more (invariant 4).
    fn drop(&mut self) {
        let state = self.registry.state.lock();
        if !state.callbacks.is_empty() && !put_off(|| PutOff::Drop(Arc::clone(&self.registry))) {
            self.registry.consume(state, drop);
        }
    }
}

impl Registry {
    /// Runs or drops all callbacks, in order, and resumes the first panic of one after the last of them.
    fn consume<'a>(&'a self, mut state: MutexGuard<'a, State>, end: impl Fn(Callback)) {
        let mut first = FirstPanic::default();
        state.put_off_by = None;
        while let Some((number, callback)) = state.callbacks.pop_first() {
            state.running = Some(Running { number, thread: this_thread() });
            drop(state);
            let running = HeldHere::new(Call::at(Kind::Stop, Mode::Run, self));
            first.catch_nested(|| end(callback));
            drop(running);
            state = self.state.lock();
            state.running = None;
            self.over.notify_all();
        }
        drop(state);
        first.resume();
    }

    /// Takes a callback back, or waits until it is over, unless the calling thread is running it.
    /// `call` says where it was registered.
    fn take_back(&self, number: u64, call: Call<'_>) {
        let mut state = self.state.lock();
        let callback = state.callbacks.remove(&number);
        if state.runner_of(number).is_some_and(|thread| thread != this_thread()) {
            let never = Deadline::NEVER.of_call(&call);
            let _ =
                self.over.wait_while_deadline(&mut state, |state| state.runner_of(number).is_some(), &never);
        }
        drop(state);
        let Some(callback) = callback else { return };
        let mut callback = Some(callback);
        frame::with_current(&PUT_OFF, |deepest| {
            deepest.0.borrow_mut().extend(callback.take().map(PutOff::DropOne));
        });
        let mut first = FirstPanic::default();
        first.catch_nested(|| drop(callback));
        first.resume();
    }
}
