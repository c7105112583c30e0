//! A barrier: rounds in which a given number of threads wait for one another. One word for the round, and a
//! queue.
//!
//! The word has a generation, a count, and the bits SLEEPERS, ABORTED and BROKEN ([`state`]). The generation
//! is the number of the round. Its *members* are the threads that have arrived in it and have not left; the
//! count is how many they are. A member is *asleep* if its node is in the queue, else *in flight*: it spins,
//! is on its way to the queue or back from it, or is the last to arrive and runs the action. A thread arrives
//! by an addition of one, which nothing can make fail; if it finds that no thread may arrive just now it is a
//! *visitor*, which is counted until it has taken itself off again, or until the generation trips without it.
//!
//! | BROKEN | ABORTED | count | meaning | a thread that comes |
//! |---|---|---|---|---|
//! | 0 | 0 | less than parties | filling; at 0 no thread is inside | arrives: its index is the count |
//! | 0 | 0 | parties, or more with visitors | complete: all have arrived, the last runs the action | waits to enter, or without an action trips it |
//! | 1 | 0 | some | broken by a time-out, a panic or `reset`; members or visitors have yet to leave | waits to enter |
//! | 1 | 1 | any | aborted | learns so, and does not arrive |
//!
//! Any state but "no thread is inside" may have SLEEPERS: a thread went to sleep in it, to be released or to
//! enter. BROKEN without ABORTED and with a count of 0 does not exist: that exchange begins the next
//! generation instead.
//!
//! Invariants:
//!
//! 1. A generation ends in one exchange, which counts it up and clears all else, and in one of two ways. It
//!    *trips* out of a complete state: with an action in an exchange that the last to arrive makes when the
//!    action is done, without one in an exchange of whichever thread comes first (invariant 8). Or it was
//!    broken, and ends with the exchange in which its last member or visitor leaves, or for one that was
//!    aborted in `reset`'s after that.
//! 2. So a broken generation stays the present one for as long as it has members. A member that sees another
//!    generation therefore knows that its own has tripped; one that sees its own with BROKEN knows that it
//!    has not and will not. Whatever abort, reset or time-out follows cannot change what a member learns.
//! 3. BROKEN is set once in a generation, in one exchange that competes with the one that trips it. A
//!    time-out is such an exchange, and it competes with the last arrival: a complete generation is broken by
//!    abort, reset or a panic only, and a member whose deadline passes in one waits for the end of the action
//!    without a deadline.
//! 4. A node is queued under the queue's lock, after an exchange of the state, under the same lock, that has
//!    found the node's generation where it must wait and has set SLEEPERS. Every exchange that ends such
//!    waiting (trips, breaks, aborts, ends) sees SLEEPERS, and its maker then takes the queue lock, or leaves
//!    that to the holder of the queue lock, and takes out the nodes concerned. So no node is left behind, and
//!    with no thread asleep no thread takes the queue lock.
//! 5. Nodes stand in the order of their generations. A thread that wakes sleepers takes out all those whose
//!    wait is over by what the state says then, be it this thread that ended it or one that is not there yet.
//!    Members of an earlier generation than the present have tripped (by 2 and 6).
//! 6. The thread that takes members of a broken generation out of the queue takes them off the count before
//!    it wakes them. Each member in flight takes itself off. So a member is counted until it is known to
//!    know.
//! 7. A visitor comes to a generation that is complete or broken, and never to one that fills. So the first
//!    to come have the places below `parties`, one each, and a generation that begins has no visitors: a trip
//!    clears the count, and a broken one does not end while a visitor is counted.
//! 8. Without an action a complete generation is over, though the exchange that says so is still to come: it
//!    is never broken. Whichever thread needs a later state trips it, because the last to arrive may have
//!    been interrupted: a member that gives up spinning, one whose deadline passes, one that comes, `abort`,
//!    `reset`. Only a member that sleeps waits for one of these. So no call can tell that arriving and
//!    tripping are two steps.
//!
//! Ordering: every change is Release and is made from a state that was read with Acquire, so it hands on all
//! that was handed to it. `barrier.arrive`: from each arrival to the last one, and so to the action.
//! `barrier.trip`: from the exchange that trips to a thread that sees another generation, or is woken by one
//! that has seen it. `barrier.break`: from the exchange that breaks to a thread that sees BROKEN, or is woken
//! by one that has seen it. There are no plain stores of the state.
//!
//! Promised upward: a member that was released gets its result; a round breaks for all its members or for
//! none; an arrival is one addition, after which the last to arrive trips in an exchange. A wait of no
//! length fails only if the thread is not the last to arrive, in a round that was broken, or while an action
//! runs.
//!
//! Limits: 2^23 threads inside at a time. A thread that is stopped in flight for exactly 2^37 rounds of
//! others, which takes more threads than parties and hours at full speed, mistakes them for none. Tags of
//! sleepers tell fewer generations apart: one that is stopped after it has tripped a round and before it
//! wakes the sleepers of that, for 2^36 rounds in which none sleeps (2^30 where addresses have 32 bits),
//! mistakes them for sleepers of a later one.

mod parts;
mod sleep;
mod state;

use std::fmt;

#[cfg(target_pointer_width = "64")]
use crate::facade::ORDINARY_SIZES;
use crate::facade::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Release},
};
use crate::facade::{Deadline, TimeLimit, const_fn, load_or_expected, reached};
use crate::observe::{Call, HeldHere, Mode};
use crate::wait::{BarrierSpin, Queue, SpinWait};
use parts::{Arrival, Cause, Left, Seldom, Slept};
use sleep::TRIPPED;
use state::{Role, State};

/// What the last to arrive runs.
pub(crate) type Action = dyn Fn() + Send + Sync;

/// Three pairs of cache lines: what changes with each arrival, what those that spin or come look at, and what
/// they have learnt.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<RawBarrier>() <= 384 || !ORDINARY_SIZES);

/// A place in a round that has tripped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Completed {
    /// How many arrived before.
    pub(crate) index: usize,
    /// Whether it was the last.
    pub(crate) last: bool,
}

/// The round did not trip for this thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Broken;

#[cold]
#[track_caller]
fn too_many(call: &str) -> ! {
    panic!("Barrier::{call}: more than {} threads in one barrier", State::MOST)
}

pub(crate) struct RawBarrier {
    state: AtomicU64,
    queue: Queue,
    seldom: Seldom,
    spinning: BarrierSpin,
}

impl fmt::Debug for RawBarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawBarrier")
            .field("state", &self.load())
            .field("queue", &self.queue)
            .field("parties", &self.seldom.parties)
            .field("spinning", &self.spinning)
            .finish_non_exhaustive()
    }
}

impl RawBarrier {
    const_fn! {
        pub(crate) fn new(parties: usize) -> Self {
            let parties = if parties == 0 { 1 } else { parties };
            Self {
                state: AtomicU64::new(State::FRESH.0),
                queue: Queue::new(),
                seldom: Seldom {
                    published: AtomicU64::new(State::FRESH.generation().0),
                    full: if parties as u64 > State::MOST { u64::MAX } else { parties as u64 },
                    parties,
                    action: None,
                },
                spinning: BarrierSpin::new(),
            }
        }
    }

    /// Makes one whose last to arrive runs `action` before any thread is released.
    pub(crate) fn with_action(parties: usize, action: Box<Action>) -> Self {
        let mut barrier = Self::new(parties);
        barrier.seldom.action = Some(action);
        barrier
    }

    #[inline]
    pub(crate) fn parties(&self) -> usize {
        self.seldom.parties
    }

    /// Returns how many are inside, of a round that is not broken.
    pub(crate) fn waiting(&self) -> usize {
        let state = self.load();
        if state.is_broken() || self.is_over(state) {
            0
        } else {
            (state.count() as usize).min(self.seldom.parties)
        }
    }

    pub(crate) fn is_aborted(&self) -> bool {
        self.load().is_aborted()
    }

    #[inline]
    fn load(&self) -> State {
        // Acquire (barrier.trip, barrier.break): the thread that learns from it how a round ended has what
        // goes with that. Acquire (barrier.arrive): one that finds all arrived and trips the round for the
        // last of them tells the members on behalf of all.
        // proof: barrier.load
        State(self.state.load(Acquire))
    }

    /// Changes the state if it is still `current`, else returns what it is. May fail for no reason: use it in
    /// a loop.
    #[inline]
    fn try_change(&self, current: State, next: State) -> Result<(), State> {
        // Release (barrier.arrive, barrier.trip, barrier.break): what this thread did before, and what it has
        // from others. Acquire on failure (all three): as in `load`. Not needed on success: `current` was
        // read with Acquire, made by this thread, or is the first state of all, and no state that it matters
        // for comes back.
        // proof: barrier.change
        match self.state.compare_exchange_weak(current.0, next.0, Release, Acquire) {
            Ok(_) => Ok(()),
            Err(actual) => Err(State(actual)),
        }
    }

    /// Tells members that spin, and threads that come, that the generation before this one has ended, or that
    /// this one is closed.
    #[inline]
    fn publish(&self, state: State) {
        let published = if self.is_closed(state) { Seldom::LOOK } else { state.generation().0 };
        // Release (barrier.trip): the exchange that tripped the generation before was made, or seen, by this
        // thread.
        // proof: barrier.publish
        self.seldom.published.store(published, Release);
    }

    /// Returns what was published last.
    #[inline]
    fn published(&self) -> u64 {
        // Acquire (barrier.trip): a member that learns of the trip has what goes with it.
        // proof: barrier.published
        self.seldom.published.load(Acquire)
    }

    /// Arrives, and waits until all have, within the limit. The last to arrive runs the action before any
    /// thread is released. `call` is what the user called, for the panic.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn wait(&self, limit: TimeLimit<'_>, call: &'static str) -> Result<Completed, Broken> {
        match self.arrive(call) {
            Arrival::Last(before) => self.lead(before, limit.call()),
            Arrival::Early(before) => self.meet(before, &limit.deadline()),
            Arrival::Closed(mut state) => {
                let deadline = limit.deadline();
                loop {
                    self.enter(state, &deadline)?;
                    match self.arrive(call) {
                        Arrival::Last(before) => return self.lead(before, limit.call()),
                        Arrival::Early(before) => return self.meet(before, &deadline),
                        Arrival::Closed(actual) => state = actual,
                    }
                }
            }
        }
    }

    /// Returns whether no thread may arrive: all have, or members of a broken round have yet to leave it.
    #[inline]
    fn is_closed(&self, state: State) -> bool {
        state.is_broken() || self.is_complete(state)
    }

    /// Returns whether all have arrived in a round that is not broken.
    #[inline]
    fn is_complete(&self, state: State) -> bool {
        !state.is_broken() && state.count() >= self.seldom.full
    }

    /// Returns whether all have arrived and there is no action: any thread may trip it (invariant 8).
    #[inline]
    fn is_over(&self, state: State) -> bool {
        self.seldom.action.is_none() && self.is_complete(state)
    }

    /// Trips a complete round and releases its sleepers, if this is still the state. Returns the present one.
    #[inline]
    fn try_trip(&self, state: State) -> Result<State, State> {
        let next = state.next_generation();
        self.try_change(state, next)?;
        self.publish(next);
        if state.has_sleepers() {
            reached("barrier releases a sleeper");
            self.wake_sleepers();
        }
        Ok(next)
    }

    /// Trips for the last to arrive, which has not done so yet, if this is still the state. Returns the
    /// present one.
    #[cold]
    fn help(&self, state: State) -> State {
        match self.try_trip(state) {
            Ok(next) => {
                reached("barrier tripped for the last to arrive");
                next
            }
            Err(actual) => actual,
        }
    }

    #[inline]
    fn arrive(&self, call: &'static str) -> Arrival {
        // Where no thread may arrive for a while those that come leave the count alone, else many of them
        // could keep a broken round from its end.
        if load_or_expected(|| self.published() == Seldom::LOOK, false) {
            let state = self.load();
            if self.is_closed(state) {
                return Arrival::Closed(state);
            }
        }
        // Release (barrier.arrive): what this thread did before. Acquire (barrier.arrive, barrier.trip,
        // barrier.break): as in `try_change`.
        // proof: barrier.arrive
        let before = State(self.state.fetch_add(1, AcqRel));
        if self.is_closed(before) || before.count() >= State::MOST {
            return Arrival::Closed(self.not_arrived(before, call));
        }
        if before.count() + 1 == self.seldom.full { Arrival::Last(before) } else { Arrival::Early(before) }
    }

    /// Takes a visitor off the count again, and returns what the state is then.
    #[cold]
    fn not_arrived(&self, before: State, call: &'static str) -> State {
        reached("barrier visited while no thread may arrive");
        if self.is_closed(before) && !self.is_over(before) {
            // It was published already, unless what was published before came later. A needless LOOK costs
            // those that spin a load each, until the next round.
            self.publish(before);
        }
        self.leave(before.arrived(), 1, Cause::Visit);
        if before.count() >= State::MOST {
            too_many(call);
        }
        self.load()
    }

    /// Runs the action, trips the round and releases its sleepers: for the last to arrive.
    #[inline]
    fn lead(&self, before: State, call: Call<'_>) -> Result<Completed, Broken> {
        let mut state = before.arrived();
        let generation = state.generation();
        let inside = Inside { barrier: self, state };
        if let Some(action) = &self.seldom.action {
            self.publish(state);
            let _running = HeldHere::new(call.mode(Mode::Run));
            action();
        }
        loop {
            // Another thread trips it only without an action, and breaks it only with one (invariant 8).
            if state.generation() != generation {
                break;
            }
            if state.is_broken() {
                reached("barrier broken during the action");
                drop(inside);
                return Err(Broken);
            }
            match self.try_trip(state) {
                Ok(_) => break,
                Err(actual) => state = actual,
            }
        }
        inside.released();
        Ok(Completed { index: self.seldom.parties - 1, last: true })
    }

    /// Waits until the round trips or breaks: for a member that is not the last to arrive. This deadline
    /// breaks it unless it is complete by then.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn meet(&self, before: State, deadline: &Deadline) -> Result<Completed, Broken> {
        let generation = before.generation();
        let is_second_to_last = before.count() + 2 == self.seldom.parties as u64;
        let completed = Completed { index: before.count() as usize, last: false };
        let inside = Inside { barrier: self, state: before.arrived() };
        let mut spin = if deadline.has_passed() {
            SpinWait::NONE
        } else {
            self.spinning.spin(generation.0, is_second_to_last)
        };
        while spin.spin() {
            let published = self.published();
            let tripped = published == generation.next().0
                || published != generation.0 && {
                    let state = self.load();
                    if state.generation() == generation && state.is_broken() {
                        // Leaves, by its drop.
                        return Err(Broken);
                    }
                    state.generation() != generation
                };
            if tripped {
                reached("barrier member released in flight");
                self.spinning.learn(&spin, true, is_second_to_last);
                inside.released();
                return Ok(completed);
            }
            if deadline.has_passed() {
                break;
            }
        }
        self.spinning.learn(&spin, false, is_second_to_last);
        let mut endless = None;
        loop {
            let deadline = endless.as_ref().unwrap_or(deadline);
            if !deadline.has_passed() {
                match self.sleep(before.arrived(), Role::Member, deadline) {
                    Slept::Woken(TRIPPED) => {
                        inside.released();
                        return Ok(completed);
                    }
                    Slept::Woken(_) => {
                        // Cancelled, hence not counted any more (invariant 6).
                        inside.released();
                        return Err(Broken);
                    }
                    Slept::TimedOut | Slept::NotNow(_) => {}
                }
            }
            match self.leave(before.arrived(), 1, Cause::Deadline) {
                Left::Departed => {
                    inside.released();
                    return Err(Broken);
                }
                Left::Tripped => {
                    inside.released();
                    return Ok(completed);
                }
                Left::Complete => {
                    reached("barrier deadline passes during the action");
                    endless = Some(deadline.without_end());
                }
            }
        }
    }

    /// Waits until a thread may arrive again.
    #[cold]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn enter(&self, mut state: State, deadline: &Deadline) -> Result<(), Broken> {
        while self.is_closed(state) {
            if self.is_over(state) {
                state = self.help(state);
                continue;
            }
            if state.is_aborted() || deadline.has_passed() {
                return Err(Broken);
            }
            reached("barrier thread waits to enter");
            state = match self.sleep(state, Role::Entering, deadline) {
                Slept::Woken(_) => self.load(),
                Slept::NotNow(actual) => actual,
                Slept::TimedOut => return Err(Broken),
            };
        }
        Ok(())
    }

    /// Takes members off the count of the generation of `state`, and breaks it if it is not broken yet, or
    /// takes off a visitor, which breaks nothing. Trips it if it is over. Does nothing if it has tripped, or
    /// if it is complete and the cause does not break such a one.
    fn leave(&self, mut state: State, members: u64, cause: Cause) -> Left {
        let generation = state.generation();
        loop {
            if state.generation() != generation {
                return Left::Tripped;
            }
            if self.is_over(state) {
                state = self.help(state);
                continue;
            }
            if cause == Cause::Deadline && self.is_complete(state) {
                return Left::Complete;
            }
            let next = if cause == Cause::Visit && !state.is_broken() {
                state.without_visitor()
            } else {
                state.broken_without(members)
            };
            let changed = self.try_change(state, next);
            match changed {
                Ok(()) if next.generation() == generation && next.is_broken() == state.is_broken() => {}
                Ok(()) => {
                    if cause == Cause::Visit {
                        reached("barrier visitor ends a broken round");
                    }
                    self.publish(next);
                    if state.has_sleepers() {
                        self.wake_sleepers();
                    }
                }
                Err(actual) => {
                    state = actual;
                    continue;
                }
            }
            return Left::Departed;
        }
    }

    pub(crate) fn abort(&self) {
        let mut state = State::FRESH;
        while !state.is_aborted() {
            if self.is_over(state) {
                state = self.help(state);
                continue;
            }
            let next = state.with(State::BROKEN | State::ABORTED);
            let changed = self.try_change(state, next);
            if changed.is_ok() {
                self.publish(next);
            }
            match changed {
                Ok(()) if state.has_sleepers() => return self.wake_sleepers(),
                Ok(()) => return,
                Err(actual) => state = actual,
            }
        }
    }

    pub(crate) fn reset(&self) {
        let mut state = self.load();
        loop {
            if self.is_over(state) {
                state = self.help(state);
                continue;
            }
            let next = match (state.is_broken(), state.count()) {
                (false, 0) => return,
                (false, _) => state.with(State::BROKEN),
                // Aborted, and all have left.
                (true, 0) => state.next_generation(),
                (true, _) => state.without(State::ABORTED),
            };
            let changed = self.try_change(state, next);
            if changed.is_ok() {
                self.publish(next);
            }
            match changed {
                Ok(()) if state.has_sleepers() && !state.is_broken() => return self.wake_sleepers(),
                Ok(()) => return,
                Err(actual) => state = actual,
            }
        }
    }
}

/// A member in flight. If it is dropped, be it by a panic, the member leaves: it breaks the round if it can.
struct Inside<'a> {
    barrier: &'a RawBarrier,
    /// As it was left by the arrival.
    state: State,
}

impl Inside<'_> {
    /// Ends the membership of a thread that is not counted any more.
    fn released(self) {
        std::mem::forget(self);
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.barrier.leave(self.state, 1, Cause::Broken);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::{RawBarrier, State};
    use crate::facade::TimeLimit;
    use crate::observe::Call;

    /// 2^23 threads are too many for a test to make: the count begins at its end here.
    #[test]
    fn one_thread_too_many_panics_and_changes_nothing() {
        let barrier = RawBarrier::new(usize::MAX);
        assert!(barrier.try_change(State::FRESH, State(State::MOST)).is_ok());
        let wait = || _ = barrier.wait(TimeLimit::never(Call::none()), "wait_for").is_ok();
        let payload = catch_unwind(AssertUnwindSafe(wait)).unwrap_err();
        let message = payload.downcast::<String>().expect("a message");
        assert!(message.starts_with("Barrier::wait_for: "), "{message}");
        assert_eq!(barrier.load(), State(State::MOST));
    }
}
