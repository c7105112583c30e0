//! What all buffers have in common: waiting, closing, batches, and counting what is unfinished.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use super::error::{GetTimeoutError, PutAllError, PutTimeoutError, TaskDoneError, TryGetError, TryPutError};
use crate::condvar::Condvar;
use crate::facade::{Deadline, TimeLimit, const_fn, reached};
use crate::mutex::Mutex;
use crate::observe::{Call, Identity, Kind, Mode};
use crate::ring::{Enqueued, Look, No, Node, Place, Reason, Sleepers, Slept, Stamp, Wake};

/// What holds the items. Waits for nothing but other threads' calls that are under way.
pub(super) trait Store {
    type Item;

    /// What is noted of it.
    const KIND: Kind;
    /// The most items that `put_all` takes from its iterator before it puts them.
    const CHUNK: usize;

    fn capacity(&self) -> usize;
    fn len(&self) -> usize;
    fn is_closed(&self) -> bool;
    /// Returns the length and whether it is closed, unless that takes waiting.
    fn look(&self) -> Option<(usize, bool)> {
        Some((self.len(), self.is_closed()))
    }
    /// Closes. Returns `false` if it was closed before.
    fn close(&self) -> bool;
    /// Returns how many items were put since the beginning.
    fn puts(&self) -> u64;
    /// Puts an item, or gives it back. Here and below: what is kept is for a thread that was `handed` its
    /// turn.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn put(&self, item: Self::Item, look: Look) -> Result<Wake, (No, Self::Item)>;
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn get(&self, look: Look) -> Result<(Self::Item, Wake), No>;
    /// Puts items from the front of `items`, which has some, as far as there is room. Returns how many were
    /// put, and for how many more there was room. If it panics, `wake` says what is owed for those put
    /// before.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn put_some(
        &self,
        items: &mut VecDeque<Self::Item>,
        wake: &mut Wake,
        handed: bool,
    ) -> Result<(usize, usize), No>;
    /// Gets items, `max` at most and at least one, and appends them to `out`, which has room for so many. If
    /// it panics, `wake` says what is owed for those got before.
    fn get_some(
        &self,
        out: &mut Vec<Self::Item>,
        max: usize,
        wake: &mut Wake,
        handed: bool,
    ) -> Result<usize, No>;
    /// Takes everything out of a closed store, in the order in which gets would.
    fn take_all(&self) -> Vec<Self::Item>;
    /// Returns whether it seems that a call of this side would go on.
    fn may_go_on(&self, side: Side) -> bool;
    /// Asks for a wake-up when a call of this side could go on. False if it can now.
    fn announce(&self, side: Side) -> bool;
    /// Puts a selecting thread's node among `sleepers`, by the same step that finds nothing for this side.
    fn enqueue(&self, side: Side, sleepers: &Sleepers, node: Node<'_>, place: Place) -> Enqueued;
    /// Sleeps among `sleepers` until a call of this side may be able to go on.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn sleep(&self, side: Side, sleepers: &Sleepers, again: Option<Stamp>, deadline: &Deadline) -> Slept;
    /// Decides which of the `sleepers` goes on.
    fn hand_off(&self, side: Side, sleepers: &Sleepers, reason: Reason);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Putters,
    Getters,
}

/// Why a call does not go on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    Timeout,
    Closed,
}

/// A store, and the threads that wait for it.
pub(super) struct Core<S> {
    store: S,
    identity: Identity,
    putters: Sleepers,
    getters: Sleepers,
    done: Mutex<Done>,
    /// All are notified when no item is unfinished any more.
    finished: Condvar,
}

/// What was reported done.
struct Done {
    /// How many items. What was put beyond that is unfinished. Never more than were put.
    items: u64,
    /// How often the last unfinished item was reported done. Tells a joiner that it was, even if there are
    /// new ones.
    rounds: u64,
}

impl<S> Core<S> {
    const_fn! {
        pub(super) fn new(store: S, identity: Identity) -> Self {
            Self {
                store,
                identity,
                putters: Sleepers::new(),
                getters: Sleepers::new(),
                done: Mutex::hidden(Done { items: 0, rounds: 0 }),
                finished: Condvar::new(),
            }
        }
    }

    #[inline]
    pub(super) const fn store(&self) -> &S {
        &self.store
    }
}

impl<S: Store> Core<S> {
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(super) fn call(&self, mode: Mode) -> Call<'_> {
        Call::new(self.identity.kind_or(S::KIND), mode, &self.identity)
    }

    pub(super) fn len(&self) -> usize {
        self.store.len()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.store.is_closed()
    }

    pub(super) fn sleepers(&self, side: Side) -> &Sleepers {
        match side {
            Side::Putters => &self.putters,
            Side::Getters => &self.getters,
        }
    }

    #[inline]
    pub(super) fn wake(&self, side: Side, wake: Wake) {
        if wake.0 {
            self.wake_one(side);
        }
    }

    #[cold]
    fn wake_one(&self, side: Side) {
        let sleepers = self.sleepers(side);
        if !sleepers.wake_one() {
            self.store.hand_off(side, sleepers, Reason::WakeUp);
        }
    }

    /// Sees to it that the next thread comes, now if there is something for it: for a thread that was woken
    /// and does not sleep again.
    pub(super) fn hand_on(&self, side: Side) {
        // The thread that comes into the queue meanwhile has announced itself, or has found what there is
        // kept.
        if self.sleepers(side).has_waiters() && !self.store.announce(side) {
            reached("wake-up handed on");
            self.wake_one(side);
        }
    }

    /// Returns a wake-up that is owed to a thread of this side when the call is over, even by a panic.
    fn owed(&self, side: Side) -> Owed<'_, S> {
        Owed { core: self, side, wake: Wake(false) }
    }

    #[inline]
    pub(super) fn try_put(&self, item: S::Item) -> Result<(), TryPutError<S::Item>> {
        self.put_if(item, Look::Both)
    }

    #[inline]
    fn put_if(&self, item: S::Item, look: Look) -> Result<(), TryPutError<S::Item>> {
        match self.store.put(item, look) {
            Ok(wake) => {
                self.wake(Side::Getters, wake);
                Ok(())
            }
            Err((No::NotNow, item)) => Err(TryPutError::Full(item)),
            Err((No::Closed, item)) => Err(TryPutError::Closed(item)),
        }
    }

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(super) fn put(&self, item: S::Item, limit: TimeLimit<'_>) -> Result<(), PutTimeoutError<S::Item>> {
        match self.put_if(item, Look::Own) {
            Ok(()) => Ok(()),
            Err(TryPutError::Full(item)) => self.put_slow(item, &limit.deadline()),
            Err(TryPutError::Closed(item)) => Err(PutTimeoutError::Closed(item)),
        }
    }

    #[cold]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn put_slow(&self, item: S::Item, deadline: &Deadline) -> Result<(), PutTimeoutError<S::Item>> {
        let mut left = Some(item);
        let put = self.wait(Side::Putters, deadline, |handed| {
            let item = left.take().ok_or(No::Closed)?;
            self.store.put(item, Look::thorough(handed)).map_err(|(no, item)| {
                left = Some(item);
                no
            })
        });
        match (put, left) {
            (Ok(wake), _) => {
                self.wake(Side::Getters, wake);
                Ok(())
            }
            (Err(Refused::Timeout), Some(item)) => Err(PutTimeoutError::Timeout(item)),
            (Err(Refused::Closed), Some(item)) => Err(PutTimeoutError::Closed(item)),
            (Err(_), None) => unreachable!("the item was not put"),
        }
    }

    /// Puts all items of an iterator, a chunk at a time if it promises so many.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(super) fn put_all<I>(&self, items: I) -> Result<usize, PutAllError<S::Item>>
    where
        I: IntoIterator<Item = S::Item>,
    {
        let call = self.call(Mode::Put);
        let mut items = items.into_iter();
        let mut chunk = Chunk { core: self, items: VecDeque::new() };
        let (mut put, mut room) = (0, self.store.capacity());
        loop {
            let limit = items.size_hint().0.min(room).clamp(1, S::CHUNK);
            chunk.items.reserve(limit);
            // One by one: what was taken before a panic is in the chunk.
            items.by_ref().take(limit).for_each(|item| chunk.items.push_back(item));
            let ended = chunk.items.len() < limit;
            while !chunk.items.is_empty() {
                match self.put_some(&mut chunk.items, TimeLimit::never(call)) {
                    Ok((moved, left)) => {
                        put += moved;
                        room = left;
                    }
                    Err(_) => return Err(PutAllError { put, rest: std::mem::take(&mut chunk.items).into() }),
                }
            }
            if ended {
                return Ok(put);
            }
        }
    }

    /// Waits for room, then puts items from the front of `chunk`, which has some, as far as there is room.
    /// Returns how many, and how much room is left.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn put_some(
        &self,
        chunk: &mut VecDeque<S::Item>,
        limit: TimeLimit<'_>,
    ) -> Result<(usize, usize), Refused> {
        let mut owed = self.owed(Side::Getters);
        match self.store.put_some(chunk, &mut owed.wake, false) {
            Ok(put) => Ok(put),
            Err(No::Closed) => Err(Refused::Closed),
            Err(No::NotNow) => self.wait(Side::Putters, &limit.deadline(), |handed| {
                self.store.put_some(chunk, &mut owed.wake, handed)
            }),
        }
    }

    #[inline]
    pub(super) fn try_get(&self) -> Result<S::Item, TryGetError> {
        self.get_if(Look::Both)
    }

    #[inline]
    fn get_if(&self, look: Look) -> Result<S::Item, TryGetError> {
        match self.store.get(look) {
            Ok((item, wake)) => {
                self.wake(Side::Putters, wake);
                Ok(item)
            }
            Err(No::NotNow) => Err(TryGetError::Empty),
            Err(No::Closed) => Err(TryGetError::Closed),
        }
    }

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(super) fn get(&self, limit: TimeLimit<'_>) -> Result<S::Item, GetTimeoutError> {
        match self.get_if(Look::Own) {
            Ok(item) => Ok(item),
            Err(TryGetError::Empty) => self.get_slow(&limit.deadline()),
            Err(TryGetError::Closed) => Err(GetTimeoutError::Closed),
        }
    }

    #[cold]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn get_slow(&self, deadline: &Deadline) -> Result<S::Item, GetTimeoutError> {
        let (item, wake) =
            self.wait(Side::Getters, deadline, |handed| self.store.get(Look::thorough(handed)))?;
        self.wake(Side::Putters, wake);
        Ok(item)
    }

    pub(super) fn try_get_many(&self, out: &mut Vec<S::Item>, max: usize) -> Result<usize, TryGetError> {
        self.get_many(out, max, TimeLimit::within(Duration::ZERO, Call::none())).map_err(
            |error| match error {
                GetTimeoutError::Timeout => TryGetError::Empty,
                GetTimeoutError::Closed => TryGetError::Closed,
            },
        )
    }

    /// Waits for the first item, and takes what is there, `max` items at most.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(super) fn get_many(
        &self,
        out: &mut Vec<S::Item>,
        max: usize,
        limit: TimeLimit<'_>,
    ) -> Result<usize, GetTimeoutError> {
        if max == 0 {
            return Ok(0);
        }
        let mut owed = self.owed(Side::Putters);
        let mut take = |handed| {
            // Before anything is claimed: if this panics all items stay.
            if out.capacity() - out.len() < max {
                let wanted = self.len().clamp(1, max);
                if out.capacity() - out.len() < wanted {
                    out.reserve(wanted);
                }
            }
            // What has come since then fits, or stays.
            let room = out.capacity() - out.len();
            self.store.get_some(out, max.min(room), &mut owed.wake, handed)
        };
        match take(false) {
            Ok(count) => Ok(count),
            Err(No::Closed) => Err(GetTimeoutError::Closed),
            Err(No::NotNow) => Ok(self.wait(Side::Getters, &limit.deadline(), take)?),
        }
    }

    pub(super) fn close(&self) {
        if self.store.close() {
            // All of them: the thread that was woken for room and finds the buffer closed leaves the room.
            self.putters.wake_all();
            self.getters.wake_all();
        }
    }

    pub(super) fn close_now(&self) -> Vec<S::Item> {
        self.close();
        let left = self.store.take_all();
        let mut done = self.done.lock();
        // Some of them may have been reported done already.
        let unreported = self.store.puts() - done.items;
        self.finish(&mut done, unreported.min(left.len() as u64));
        left
    }

    pub(super) fn task_done(&self) -> Result<(), TaskDoneError> {
        let mut done = self.done.lock();
        if done.items == self.store.puts() {
            return Err(TaskDoneError);
        }
        self.finish(&mut done, 1);
        Ok(())
    }

    /// Counts `items` as done, of which there are so many unfinished.
    ///
    /// With the lock held: a put that comes after the look at `puts` comes after this, as any thread sees it
    /// that asks what is unfinished.
    fn finish(&self, done: &mut Done, items: u64) {
        done.items += items;
        if items != 0 && done.items == self.store.puts() {
            done.rounds += 1;
            self.finished.notify_all();
        }
    }

    pub(super) fn unfinished(&self) -> usize {
        let done = self.done.lock();
        usize::try_from(self.store.puts() - done.items).unwrap_or(usize::MAX)
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(super) fn join(&self, limit: TimeLimit<'_>) -> bool {
        let mut done = self.done.lock();
        if done.items == self.store.puts() {
            return true;
        }
        let rounds = done.rounds;
        let deadline = limit.deadline();
        if !deadline.has_passed() {
            // Tests once more when the time is up.
            let _ = self.finished.wait_while_deadline(&mut done, |done| done.rounds == rounds, &deadline);
        }
        done.rounds != rounds
    }

    pub(super) fn show(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct(name);
        match self.store.look() {
            Some((len, closed)) => shown.field("len", &len).field("closed", &closed),
            None => shown.field("len", &format_args!("<locked>")),
        };
        shown.field("capacity", &self.store.capacity()).finish_non_exhaustive()
    }

    /// Attempts until it succeeds, the buffer is closed, or the deadline passes: looks for a while, then
    /// sleeps.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn wait<R>(
        &self,
        side: Side,
        deadline: &Deadline,
        mut attempt: impl FnMut(bool) -> Result<R, No>,
    ) -> Result<R, Refused> {
        let mut refused = Refused::Timeout;
        let mut attempt = |handed| match attempt(handed) {
            Ok(result) => Some(Ok(result)),
            Err(No::Closed) => {
                refused = Refused::Closed;
                Some(Err(No::Closed))
            }
            Err(No::NotNow) => None,
        };
        let sleepers = self.sleepers(side);
        let mut turn = Turn { core: self, side, woken: Woken::Nothing };
        let mut again = None;
        let mut look = true;
        let result = loop {
            if deadline.has_passed() {
                break attempt(false);
            }
            if std::mem::take(&mut look) {
                let places = self.store.capacity();
                let found = sleepers.spin(places, deadline, |thoroughly| {
                    if thoroughly || self.store.may_go_on(side) { attempt(false) } else { None }
                });
                if found.is_some() {
                    break found;
                }
            }
            match self.store.sleep(side, sleepers, again, deadline) {
                Slept::Not => {}
                Slept::Woken(stamp) => (turn.woken, again, look) = (Woken::ToLook, Some(stamp), true),
                Slept::Handed => {
                    turn.woken = Woken::ItsTurn;
                    let found = attempt(true);
                    debug_assert!(found.is_some(), "what was kept for it is there, or it is closed");
                    if found.is_some() {
                        break found;
                    }
                }
                Slept::TimedOut => {
                    turn.woken = Woken::Nothing;
                    if sleepers.keeps() {
                        // Perhaps for this thread, which was the first.
                        self.store.hand_off(side, sleepers, Reason::WakeUp);
                    }
                }
            }
            if let Some(found) = attempt(false) {
                break Some(found);
            }
        };
        match result {
            Some(Ok(result)) => Ok(result),
            Some(Err(_)) | None => Err(refused),
        }
    }
}

/// A wake-up that is owed when this is dropped.
struct Owed<'a, S: Store> {
    core: &'a Core<S>,
    side: Side,
    wake: Wake,
}

impl<S: Store> Drop for Owed<'_, S> {
    fn drop(&mut self) {
        if self.wake.0 {
            self.core.wake_one(self.side);
        }
    }
}

/// What a thread was woken for.
#[derive(Clone, Copy)]
enum Woken {
    /// Nothing, or it has gone to sleep again since.
    Nothing,
    ToLook,
    ItsTurn,
}

/// The turn of a thread that waits. On drop it passes a wake-up or a turn that the thread has received on to
/// the next sleeper.
struct Turn<'a, S: Store> {
    core: &'a Core<S>,
    side: Side,
    woken: Woken,
}

impl<S: Store> Drop for Turn<'_, S> {
    fn drop(&mut self) {
        let Self { core, side, woken } = *self;
        match woken {
            Woken::Nothing => {}
            Woken::ToLook => core.hand_on(side),
            Woken::ItsTurn => core.store.hand_off(side, core.sleepers(side), Reason::Turn),
        }
    }
}

impl From<Refused> for GetTimeoutError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Timeout => Self::Timeout,
            Refused::Closed => Self::Closed,
        }
    }
}

/// Items on their way from an iterator into a buffer.
struct Chunk<'a, S: Store> {
    core: &'a Core<S>,
    items: VecDeque<S::Item>,
}

impl<S: Store> Drop for Chunk<'_, S> {
    /// Puts the items that are left, if they can be put now. Only an iterator that panics leaves some, which
    /// came before the panic.
    fn drop(&mut self) {
        let now = TimeLimit::within(Duration::ZERO, Call::none());
        // Each time as many as lie beside each other in a ring.
        while !self.items.is_empty() && self.core.put_some(&mut self.items, now).is_ok() {}
    }
}
