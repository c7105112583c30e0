//! What is to be done once: by the first thread that comes, while the others wait for it.
//!
//! One word: a queue, and two bits that together are one of four states.
//!
//! | bits | waiters | meaning |
//! |---|---|---|
//! | 00, new | none, or some that only wait | the next caller that may initialise does |
//! | 01, RUNNING | any | a thread is initialising |
//! | 10, DONE | none | done, for good |
//! | 11, POISONED | none, or some that only wait and ignore poison | an initialiser has panicked |
//!
//! A waiter has one of four kinds ([`Kind`]): it wants to initialise if need be or only waits; and it gives
//! up when an initialiser panics or ignores that.
//!
//! Invariants:
//!
//! 1. RUNNING belongs to one thread. It is set by that thread's exchange, or stays set while the thread that
//!    had it hands it to a waiter that wants to initialise.
//! 2. DONE is never left but through `&mut`, and no thread is queued then: a thread queues only if it was not
//!    done when it locked the queue, and the exchange that makes it DONE ends a section that took all waiters
//!    out, or finds none and the queue unlocked.
//! 3. No waiter that wants to initialise is queued while the word says new, and none that gives up on poison
//!    while it says poisoned: a failed initialiser hands RUNNING to the first that wants it, and a panic
//!    takes all waiters out.
//! 4. A thread that has RUNNING has a [`Frame`] in its own list from before its initialiser begins until
//!    after it has ended. So a thread that finds RUNNING set knows whether it would wait for itself.
//!
//! Ordering: `once.done`: making it DONE is Release, and seeing that is Acquire. `once.failed`: leaving
//! RUNNING otherwise is Release, and entering it Acquire, so an initialiser sees what the one before it did.
//! A waiter has both by its wake-up.
//!
//! Promised upward: done is one load; first in, first out among those that want to initialise; no spurious
//! returns. Limits: where a platform has no thread-local variables of its own, a thread whose thread-local
//! data are gone does not notice that it waits for itself.

use std::cell::Cell;
use std::ptr::{self, NonNull};

use crate::facade::atomic::Ordering::{Acquire, Release};
use crate::facade::{Deadline, Releasing, const_fn, per_thread, reached};
use crate::observe::{self, Call, HeldHere, Mode};
use crate::wait::{LockedQueue, Place, Queue, SpinWait, Waiter, Wakeup, Word};

const NEW: usize = 0;
const RUNNING: usize = Word::bit(0);
const DONE: usize = Word::bit(1);
const POISONED: usize = RUNNING | DONE;

/// Returns the same queue in another stage.
fn in_stage(word: Word, bits: usize) -> Word {
    word.without(POISONED).with(bits)
}

/// What a waiter is woken with: the right to initialise, ...
const HANDED: Wakeup = Wakeup::HANDOFF;
/// ... that there is nothing left to do, ...
const COMPLETED: Wakeup = Wakeup::WOKEN;
/// ... or that an initialiser has panicked.
const BROKEN: Wakeup = Wakeup::BARGE;

/// What the word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    New,
    Running,
    Poisoned,
    Done,
}

impl Stage {
    fn of(word: Word) -> Self {
        match (word.has(DONE), word.has(RUNNING)) {
            (false, false) => Self::New,
            (false, true) => Self::Running,
            (true, false) => Self::Done,
            (true, true) => Self::Poisoned,
        }
    }
}

/// What a caller wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind(usize);

impl Kind {
    const RUNS: usize = 1;
    const FORCED: usize = 2;

    /// Initialises if need be; gives up if an initialiser has panicked.
    pub(crate) const CALL: Self = Self(Self::RUNS);
    /// Initialises if need be, whatever has happened.
    pub(crate) const CALL_FORCE: Self = Self(Self::RUNS | Self::FORCED);
    /// Only waits; gives up if an initialiser has panicked.
    pub(crate) const WAIT: Self = Self(0);
    /// Only waits, whatever happens.
    pub(crate) const WAIT_FORCE: Self = Self(Self::FORCED);

    fn runs(self) -> bool {
        self.0 & Self::RUNS != 0
    }

    fn gives_up_on_poison(self) -> bool {
        self.0 & Self::FORCED == 0
    }

    /// Returns whether there is nothing to do but wait.
    fn waits_at(self, word: Word) -> bool {
        match Stage::of(word) {
            Stage::Done => false,
            Stage::Running => true,
            Stage::New => !self.runs(),
            Stage::Poisoned => !self.runs() && !self.gives_up_on_poison(),
        }
    }

    fn tag(self) -> *const () {
        ptr::without_provenance(self.0)
    }

    fn of(waiter: &Waiter) -> Self {
        Self(waiter.tag().addr())
    }
}

/// How a call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Passed {
    /// It is done.
    Done,
    /// The caller's own initialiser has failed.
    Failed,
    /// An initialiser has panicked.
    Poisoned,
    /// The deadline has passed.
    TimedOut,
}

/// How an initialiser ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Completed,
    /// The next one tries.
    Failed,
    /// Waiters that are to learn of the panic are told.
    Poisoned,
}

/// An initialiser under way, on the stack of its thread.
#[derive(Debug)]
struct Frame {
    once: *const RawOnce,
    /// The one in which it was begun.
    outer: *const Frame,
}

per_thread! {
    /// The innermost initialiser that this thread is running.
    const INNERMOST: Cell<*const Frame> = Cell::new(ptr::null());
    ends by nothing;
}

fn nothing(_: &Cell<*const Frame>) {}

#[derive(Debug)]
pub(crate) struct RawOnce {
    queue: Queue,
}

impl RawOnce {
    const_fn! {
        pub(crate) fn new() -> Self {
            Self { queue: Queue::new() }
        }
    }

    /// Returns whether it is done.
    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        // Acquire (once.done): in `load_acquire`.
        let word = self.queue.load_acquire();
        // No thread is queued then; but one whose time is up may have the queue locked to see that it is not.
        word == Word::of(DONE) || Stage::of(word) == Stage::Done
    }

    /// Returns whether it is done, for a call that tells no more than that.
    #[inline]
    pub(crate) fn is_done_now(&self) -> bool {
        self.is_done()
    }

    pub(crate) fn stage(&self) -> Stage {
        // Acquire (once.done, once.failed): in `load_acquire`.
        Stage::of(self.queue.load_acquire())
    }

    crate::facade::only! { model:
        pub(crate) fn has_waiters_now(&self) -> bool {
            self.queue.has_waiters_now()
        }
    }

    /// Initialises by `init`, or waits for the thread that does; `kind` says what to do otherwise. `init` is
    /// told what the state was and returns whether it has succeeded; its panic leaves the state poisoned if
    /// `poisons`, else new.
    ///
    /// `call` is what the user called, for the panic.
    ///
    /// # Panics
    ///
    /// If the calling thread is running an initialiser of this very object.
    #[cold]
    #[track_caller]
    pub(crate) fn call(
        &self,
        kind: Kind,
        poisons: bool,
        deadline: &Deadline,
        call: &'static str,
        init: &mut dyn FnMut(Stage) -> bool,
    ) -> Passed {
        match self.enter(kind, deadline, call) {
            Entered::Passed(passed) => passed,
            Entered::Running(before) => self.run(poisons, before, call, init),
        }
    }

    /// Waits until it is done; `kind` is one that only waits.
    ///
    /// # Panics
    ///
    /// As [`call`](Self::call).
    #[cold]
    #[track_caller]
    pub(crate) fn wait(&self, kind: Kind, deadline: &Deadline, call: &'static str) -> Passed {
        debug_assert!(!kind.runs());
        match self.enter(kind, deadline, call) {
            Entered::Passed(passed) => passed,
            Entered::Running(_) => unreachable!("a thread that only waits is handed nothing"),
        }
    }

    #[track_caller]
    fn enter(&self, kind: Kind, deadline: &Deadline, call: &'static str) -> Entered {
        let mode = if kind.runs() { Mode::Init } else { Mode::Wait };
        let call_at = Call::at(observe::Kind::of_once(call), mode, self);
        call_at.acquiring(!deadline.is_never());
        let deadline = &deadline.clone().of_call(&call_at);
        loop {
            // Acquire (once.done): in `load_acquire`.
            let word = self.queue.load_acquire();
            let stage = Stage::of(word);
            if stage == Stage::Done {
                return Entered::Passed(Passed::Done);
            }
            if stage == Stage::Poisoned && kind.gives_up_on_poison() {
                return Entered::Passed(Passed::Poisoned);
            }
            if !kind.waits_at(word) {
                // Acquire (once.failed): what the initialiser before did. A failure looks again.
                // proof: once.begin
                if self.queue.try_change(word, in_stage(word, RUNNING), Acquire).is_ok() {
                    return Entered::Running(stage);
                }
                continue;
            }
            // Only this thread makes that true or false (invariant 4).
            assert!(
                stage != Stage::Running || !self.is_run_by_this_thread(),
                "{call}: called by the initialiser that it would wait for"
            );
            if deadline.has_passed() {
                return Entered::Passed(Passed::TimedOut);
            }
            let waiter = Waiter::new(&self.queue, kind.tag());
            let Ok(locked) = self.queue.lock_if(word, |word| kind.waits_at(word)) else { continue };
            let spin = SpinWait::for_answer();
            let woken =
                locked.wait(waiter, Place::Back, LockedQueue::unlock, deadline, spin, LockedQueue::unlock);
            match woken.map(|woken| woken.outcome) {
                None => return Entered::Passed(Passed::TimedOut),
                Some(COMPLETED) => return Entered::Passed(Passed::Done),
                Some(HANDED) => return Entered::Running(Stage::New),
                Some(_) if kind.gives_up_on_poison() => return Entered::Passed(Passed::Poisoned),
                Some(_) => {}
            }
        }
    }

    /// Runs an initialiser in the thread that has RUNNING.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn run(
        &self,
        poisons: bool,
        before: Stage,
        call: &'static str,
        init: &mut dyn FnMut(Stage) -> bool,
    ) -> Passed {
        let outer = INNERMOST.with(Cell::get).unwrap_or(ptr::null());
        let frame = Frame { once: self, outer };
        INNERMOST.with(|innermost| innermost.set(&raw const frame));
        let end = if poisons { End::Poisoned } else { End::Failed };
        let mut running = Running { once: self, outer, end };
        // Ends before the others are woken.
        let _held = HeldHere::new(Call::at(observe::Kind::of_once(call), Mode::Init, self));
        let completed = init(before);
        running.end = if completed { End::Completed } else { End::Failed };
        if completed { Passed::Done } else { Passed::Failed }
    }

    fn is_run_by_this_thread(&self) -> bool {
        let mut frame = INNERMOST.with(Cell::get).unwrap_or(ptr::null());
        // SAFETY: frames of this thread are on its stack for as long as they are in the list (invariant 4).
        while let Some(running) = unsafe { frame.as_ref() } {
            if ptr::eq(running.once, self) {
                return true;
            }
            frame = running.outer;
        }
        false
    }

    /// Gives RUNNING back.
    fn end(&self, end: End) {
        let bits = match end {
            End::Completed => DONE,
            End::Failed => NEW,
            End::Poisoned => POISONED,
        };
        let _releasing = Releasing::begin();
        let mut word = Word::of(RUNNING);
        let mut locked = loop {
            // A thread that has the queue locked may be about to queue (invariant 2).
            match self.queue.lock_if_sleepless(word, |word| word.has_waiters() || word.is_queue_locked()) {
                Ok(locked) => break locked,
                Err(actual) => word = actual,
            }
            // Release (once.done, once.failed): what the initialiser did.
            // proof: once.end
            match self.queue.try_change(word, in_stage(word, bits), Release) {
                Ok(()) => return,
                Err(actual) => word = actual,
            }
        };
        if end == End::Failed {
            let heir = locked.waiters().find(|waiter| Kind::of(waiter).runs()).map(NonNull::from);
            if let Some(heir) = heir {
                reached("initialisation handed on");
                // SAFETY: it is in this queue, out of which nothing was taken since.
                let heir = unsafe { locked.take(heir) };
                locked.unlock();
                heir.wake(HANDED);
                return;
            }
        }
        let woken = if end == End::Failed { None } else { Some(locked.take_while(|_| true)) };
        // Release (once.done, once.failed): in `finish`.
        locked.unlock_as(|word, _| in_stage(word, bits));
        if let Some(woken) = woken {
            woken.wake_all(if end == End::Completed { COMPLETED } else { BROKEN });
        }
    }
}

/// How an [`enter`](RawOnce::enter) went.
enum Entered {
    Passed(Passed),
    /// The caller has RUNNING. The state was this.
    Running(Stage),
}

/// An initialiser under way; dropped, by a panic too, when it has ended.
struct Running<'a> {
    once: &'a RawOnce,
    outer: *const Frame,
    end: End,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        INNERMOST.with(|innermost| innermost.set(self.outer));
        self.once.end(self.end);
    }
}
