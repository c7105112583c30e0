//! What the specifications under `raw/spec` are made of, with `loom-spec`: steps, edges, a token and a sleep.
//!
//! A specification is to allow at least what the real primitive allows, and to cost a model as little as it
//! can. loom counts interleavings of accesses to its own objects. So each call of a specification is one
//! access that loom explores, to the gate of its object. Everything else that it does belongs to the same
//! step: it changes plain fields, which no other thread sees half changed, because loom runs all threads of a
//! model on one thread of the system and switches only at accesses that it explores.
//!
//! What happens before what is not a matter of the gate, which is Relaxed and publishes nothing, but of an
//! [`Edge`] for each line of the type's page under "Memory ordering".
//!
//! | | what it is | what loom explores |
//! |---|---|---|
//! | [`Gate::step`] | one step of one object | its order among the other steps of this object |
//! | [`Edge`] | an edge of the documentation | nothing: it belongs to a step |
//! | [`Past`] | the same for one thread, of what was never there before | nothing: it belongs to a step |
//! | [`Token`] | what a lock has once, or some times: taken by one thread, given back by one | which thread takes it next; a thread that waits for it is not woken to lose |
//! | [`Sleep`] | the end of one wait without a deadline | nothing but that the thread goes on later |
//! | [`Ages`] | whether a sleep is a long one, or another thread has come so far | both answers, where one is asked for |
//!
//! A wait with a deadline does not sleep at all: between the step in which it begins and the one in which it
//! ends, as many steps of others may come as loom likes, and the second finds out whether the time was up
//! first. So time-outs cost what every other step costs.
//!
//! Differences from what is written on the pages: a wake-up hands over what the waking thread did, also
//! where the page of a type promises no more than its mutex does (loom has no wake-up that hands over
//! nothing); and a lock that is leaked while it is free is reported by loom as a leaked message.

use std::cell::RefCell;
use std::fmt;
use std::mem::ManuallyDrop;
use std::rc::Rc;

use loom::sync::atomic::{
    AtomicUsize, Ordering,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use loom::sync::mpsc::{Receiver, Sender, channel};
pub(crate) use loom::thread::ThreadId;

use super::is_over;

std::thread_local! {
    /// How many steps this thread of the system is in: one that is made of others is explored once.
    static DEPTH: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Returns whether loom is there to be asked: not in a thread that unwinds out of a deadlock, nor where no
/// model runs.
fn is_running() -> bool {
    !is_over()
}

/// Runs `f` as a part of the access before it: loom explores nothing in it.
fn atomically<R>(f: impl FnOnce() -> R) -> R {
    struct Leave;

    impl Drop for Leave {
        fn drop(&mut self) {
            DEPTH.set(DEPTH.get() - 1);
            if DEPTH.get() == 0 && is_running() {
                loom::explore();
            }
        }
    }

    if DEPTH.get() == 0 && is_running() {
        loom::stop_exploring();
    }
    DEPTH.set(DEPTH.get() + 1);
    let _leave = Leave;
    f()
}

/// Fields of a specification, which are touched in steps only.
pub(crate) struct Fields<T>(RefCell<T>);

// SAFETY: all threads of a model run on one thread of the system, and loom switches between them only where
// it explores, which it does not within a step. That `T`'s parts are shared between them is for `T`'s maker
// to see to.
unsafe impl<T> Send for Fields<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Fields<T> {}

impl<T> fmt::Debug for Fields<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fields")
    }
}

/// Returns the calling thread, if loom is there to be asked.
pub(crate) fn this_thread() -> Option<ThreadId> {
    is_running().then(|| loom::thread::current().id())
}

/// An object's own fields, and the order of the steps in which they change.
#[derive(Debug)]
pub(crate) struct Gate<T> {
    order: AtomicUsize,
    fields: Fields<T>,
}

impl<T> Gate<T> {
    pub(crate) fn new(fields: T) -> Self {
        Self { order: AtomicUsize::new(0), fields: Fields(RefCell::new(fields)) }
    }

    /// Takes one step: loom explores its place among the object's others, and `f` runs in one piece.
    #[track_caller]
    pub(crate) fn step<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        self.touch();
        atomically(|| f(&mut self.fields.0.borrow_mut()))
    }

    /// Goes on with the step that the access just before this began, which was to another object.
    #[track_caller]
    pub(crate) fn also<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        atomically(|| {
            self.touch();
            f(&mut self.fields.0.borrow_mut())
        })
    }

    /// Looks without a step of its own. For advice only.
    pub(crate) fn peek<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut self.fields.0.borrow_mut())
    }

    /// Changes the fields as a part of a step, or of what makes the object.
    #[track_caller]
    pub(crate) fn part<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        atomically(|| f(&mut self.fields.0.borrow_mut()))
    }

    #[track_caller]
    pub(crate) fn touch(&self) {
        if is_running() {
            // Relaxed: an order, and no edge. A read-modify-write, so that no two of them commute.
            self.order.fetch_add(0, Relaxed);
        }
    }
}

/// A happens-before edge that the documentation promises. Used within steps.
#[derive(Debug)]
pub(crate) struct Edge(AtomicUsize);

impl Edge {
    pub(crate) fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    fn access(&self, order: Ordering) {
        if is_running() {
            // Read-modify-writes alone: each continues what those before it published, and none reads an old
            // value.
            atomically(|| self.0.fetch_add(0, order));
        }
    }

    /// Releases what this thread did until here to those who acquire.
    pub(crate) fn release(&self) {
        self.access(Release);
    }

    /// Acquires what all threads did before they released until here.
    pub(crate) fn acquire(&self) {
        self.access(Acquire);
    }

    /// Takes a step that is no edge: what steps at this one alone commutes with the other steps of the
    /// object.
    #[track_caller]
    pub(crate) fn touch(&self) {
        if is_running() {
            self.0.fetch_add(0, Relaxed);
        }
    }

    pub(crate) fn acquire_and_release(&self) {
        self.access(AcqRel);
    }
}

/// A message that is there once. The thread that takes it sees what the one before did before it gave it
/// back.
pub(crate) struct Token {
    give: Sender<()>,
    take: ManuallyDrop<Receiver<()>>,
}

// SAFETY: as for `Fields`: the channel is loom's on top of std's, and all threads of a model are one thread
// of the system.
unsafe impl Send for Token {}
// SAFETY: as above.
unsafe impl Sync for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// Makes one that has been taken.
    #[track_caller]
    pub(crate) fn taken() -> Self {
        let (give, take) = channel();
        Self { give, take: ManuallyDrop::new(take) }
    }

    /// Makes one that is there.
    #[track_caller]
    pub(crate) fn new() -> Self {
        let token = Self::taken();
        atomically(|| token.give());
        token
    }

    #[track_caller]
    pub(crate) fn give(&self) {
        if is_running() {
            let _ = self.give.send(());
        }
    }

    /// Blocks until it is there.
    #[track_caller]
    pub(crate) fn take(&self) {
        if is_running() {
            let _ = self.take.recv();
        }
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        // loom's receiver takes what is left when it is dropped, for which there must be a model.
        if is_running() {
            // SAFETY: dropped here and nowhere else.
            atomically(|| unsafe { ManuallyDrop::drop(&mut self.take) });
        }
    }
}

/// What one thread did until a point, for one thread to take.
#[derive(Debug)]
pub(crate) struct Past(Token);

impl Past {
    /// Makes the sleep of the calling thread. Within a step.
    #[track_caller]
    pub(crate) fn new() -> Self {
        Self(Token::new())
    }

    /// Has happened from now on. Within a step.
    #[track_caller]
    pub(crate) fn take(self) {
        self.0.take();
    }
}

/// The end of a wait: one thread sleeps, another ends its sleep once.
#[derive(Clone, Debug)]
pub(crate) struct Sleep(Rc<Token>);

impl Sleep {
    pub(crate) fn new() -> Self {
        Self(Rc::new(Token::taken()))
    }

    /// Blocks until [`end`](Self::end).
    #[track_caller]
    pub(crate) fn sleep(&self) {
        self.0.take();
    }

    /// Ends the sleep. Within a step.
    #[track_caller]
    pub(crate) fn end(&self) {
        atomically(|| self.0.give());
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

/// Whether threads that sleep have done so for long. They have numbers, each a larger one than those before.
#[derive(Debug)]
pub(crate) struct Ages(AtomicUsize);

impl Ages {
    pub(crate) fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// Notes, within a step, that the calling thread sleeps from now on. What it does last, as a store that
    /// another thread has to see is not one that it may miss.
    pub(crate) fn pass(&self, number: usize) {
        // Relaxed: an answer, and no edge.
        atomically(|| self.0.store(number, Relaxed));
    }

    /// Returns whether a number has passed. Not within a step: it is an access of its own.
    #[track_caller]
    pub(crate) fn is_over(&self, number: usize) -> bool {
        // Relaxed: sees the store or does not, and loom explores both.
        is_running() && self.0.load(Relaxed) >= number
    }

    /// Returns whether a number is the last that has passed. Not within a step either.
    #[track_caller]
    pub(crate) fn is_at(&self, number: usize) -> bool {
        // Relaxed: as above, and of several stores any.
        is_running() && self.0.load(Relaxed) == number
    }
}
