//! What this crate's own models need, and nothing else: the waiting core, and a few questions. Exists in the
//! model build only, and follows no version.

use std::collections::BTreeSet;
use std::ptr;
use std::time::Duration;

use crate::facade::{self, Data, Deadline, UnsafeCell, WriteAccess};
use crate::raw::mutex::RawMutex;
use crate::wait::{LockedQueue, Place, Queue, SpinWait, Waiter, Wakeup, Word};

/// Notes that a model has come to `state`.
pub fn note(state: &'static str) {
    facade::reached(state);
}

/// Returns what was noted since this was asked last, by the crate and by the model.
#[must_use]
pub fn take_notes() -> BTreeSet<&'static str> {
    facade::take_notes()
}

/// Sets whether a thread that looks for itself now and then waits to be woken instead, in the model that
/// calls this at the beginning of its body.
pub fn set_endless_rounds(endless: bool) {
    facade::set_endless_rounds(endless);
}

/// Sets whether an unlock looks after the first waiter although a designated waker is on its way, in the
/// model that calls this at the beginning of its body.
pub fn set_turns(turns: bool) {
    facade::set_turns(turns);
}

/// Sets whether a thread looks at a word before it exchanges it, in the model that calls this at the
/// beginning of its body. Otherwise it begins with what it expects.
pub fn set_looks(looks: bool) {
    facade::set_looks(looks);
}

/// Sets how many wake-ups a deadline may see, the last of which it does not outlive, in the model that
/// calls this at the beginning of its body. One otherwise.
pub fn set_lives(lives: u32) {
    facade::set_lives(lives);
}

/// Sets whether a waiter may be starving, in the model that calls this at the beginning of its body. It may
/// otherwise.
pub fn set_starves(starves: bool) {
    facade::set_starves(starves);
}

/// Returns whether this crate's `debug_assert!`s are compiled in.
#[must_use]
pub const fn asserts() -> bool {
    cfg!(debug_assertions)
}

const OPEN: usize = Word::bit(0);

/// A gate on the bare waiting core: threads wait while it is closed.
#[derive(Debug)]
pub struct Gate(Queue);

/// How a pass through a [`Gate`] went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// It was open.
    Open,
    /// A thread let this thread through.
    Released,
    /// The time was up.
    TimedOut,
}

impl Gate {
    /// Makes a closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self(Queue::new())
    }

    /// Waits while the gate is closed. `mark` is what [`release_marked`](Self::release_marked) looks at.
    pub fn pass(&self, mark: usize, timed: bool) -> Pass {
        let waiter = Waiter::new(&self.0, ptr::without_provenance(mark));
        let Ok(locked) = self.0.lock_if(Word::EMPTY, |word| !word.has(OPEN)) else {
            let word = self.0.load_acquire();
            assert!(word.has(OPEN));
            return Pass::Open;
        };
        let deadline = if timed { Deadline::after(Duration::from_secs(1)) } else { Deadline::NEVER };
        match locked.wait(
            waiter,
            Place::Back,
            LockedQueue::unlock,
            &deadline,
            SpinWait::NONE,
            LockedQueue::unlock,
        ) {
            Some(_) => Pass::Released,
            None => Pass::TimedOut,
        }
    }

    /// Opens the gate and lets all threads through.
    pub fn open(&self) {
        let mut locked = self.0.lock();
        let woken = locked.take_while(|_| true);
        locked.unlock_as(|word, _| word.with(OPEN));
        woken.wake_all(Wakeup::HANDOFF);
    }

    /// Lets the first waiter through. Returns whether there was one.
    pub fn release_one(&self) -> bool {
        let mut locked = self.0.lock();
        let waiter = locked.pop();
        locked.unlock();
        waiter.map(|waiter| waiter.wake(Wakeup::WOKEN)).is_some()
    }

    /// Lets those through at the front of the queue that have this mark.
    pub fn release_marked(&self, mark: usize) -> usize {
        let mut released = 0;
        let mut locked = self.0.lock();
        let woken = locked.take_while(|waiter| {
            let wanted = waiter.tag().addr() == mark;
            released += usize::from(wanted);
            wanted
        });
        locked.unlock();
        woken.wake_all(Wakeup::WOKEN);
        released
    }

    /// Returns the marks of those who wait, first to last.
    #[must_use]
    pub fn waiters(&self) -> Vec<usize> {
        let mut locked = self.0.lock();
        let mut all = Vec::new();
        let mut taken = Vec::new();
        while let Some(waiter) = locked.pop() {
            all.push(waiter.tag().addr());
            taken.push(waiter);
        }
        for waiter in taken.into_iter().rev() {
            locked.put_back(waiter);
        }
        locked.unlock();
        all
    }

    /// Moves all waiters behind those of another gate.
    pub fn requeue(&self, other: &Self) {
        let mut locked = self.0.lock();
        let woken = locked.take_while(|_| true);
        locked.unlock();
        let mut locked = other.0.lock();
        locked.append(woken);
        locked.unlock();
    }

    /// Returns whether a thread is in the queue.
    #[must_use]
    pub fn has_waiters(&self) -> bool {
        self.0.has_waiters_now()
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

/// The bare lock, with data that notices when two threads have it.
#[derive(Debug)]
pub struct Lock {
    raw: RawMutex,
    data: Data<()>,
}

// SAFETY: the data are accessed by the holder of the lock alone; whether that is so is what the models find
// out.
unsafe impl Sync for Lock {}

/// A [`Lock`] that is held.
#[derive(Debug)]
pub struct Held<'a> {
    lock: &'a Lock,
    access: WriteAccess,
}

impl Lock {
    /// Makes an unlocked lock.
    #[must_use]
    pub fn new() -> Self {
        Self { raw: RawMutex::new(), data: Data::new(()) }
    }

    /// Locks as any thread does.
    pub fn lock(&self) -> Held<'_> {
        self.raw.lock(crate::observe::Call::none());
        Held { lock: self, access: self.data.write() }
    }
}

impl Default for Lock {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.access.end();
        // SAFETY: this value is the right to the lock, and goes.
        unsafe { self.lock.raw.unlock() };
    }
}

/// Returns whether a thread is in the queue of a mutex.
#[must_use]
pub fn mutex_has_waiters<T: ?Sized>(mutex: &crate::Mutex<T>) -> bool {
    mutex.has_waiters_now()
}

/// Returns whether a thread is in the queue of a reentrant mutex.
#[must_use]
pub fn reentrant_has_waiters<T: ?Sized>(mutex: &crate::ReentrantMutex<T>) -> bool {
    mutex.has_waiters_now()
}

/// Returns whether a thread waits for a condition variable.
#[must_use]
pub fn condvar_has_waiters(condvar: &crate::Condvar) -> bool {
    condvar.has_waiters_now()
}

/// Returns whether a thread waits for an event.
#[must_use]
pub fn event_has_waiters(event: &crate::Event) -> bool {
    event.has_waiters_now()
}

/// Returns whether a thread waits for a `Once`.
#[must_use]
pub fn once_has_waiters(once: &crate::Once) -> bool {
    once.has_waiters_now()
}

/// Returns whether a thread waits for the value of a `OnceLock`.
#[must_use]
pub fn once_lock_has_waiters<T>(cell: &crate::OnceLock<T>) -> bool {
    cell.has_waiters_now()
}

/// Returns whether a thread is in the queue of a reader-writer lock.
#[must_use]
pub fn rwlock_has_waiters<T: ?Sized>(lock: &crate::RwLock<T>) -> bool {
    lock.has_waiters_now()
}

/// Returns whether a thread waits for permits of a semaphore.
#[must_use]
pub fn semaphore_has_waiters(semaphore: &crate::Semaphore) -> bool {
    semaphore.has_waiters_now()
}

/// A record with two words, for its models.
#[derive(Debug, Default)]
pub struct Noted(crate::observe::record::Record<2>);

impl Default for crate::observe::record::Record<2> {
    fn default() -> Self {
        Self::new()
    }
}

impl Noted {
    /// Publishes `number` in both words if it is empty. Returns whether it was.
    pub fn publish(&self, number: u64) -> bool {
        let empty = self.0.is_empty();
        if empty {
            self.0.publish(number, [number; 2]);
        }
        empty
    }

    /// Publishes `number` in the second word; the first stays as it was.
    pub fn publish_second(&self, number: u64) {
        self.0.write(1, number);
        self.0.show(number);
    }

    /// Clears what no other thread clears.
    pub fn clear(&self) {
        self.0.clear();
    }

    /// Returns the number alone.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        self.0.number()
    }

    /// Clears it if it has that number.
    pub fn clear_if(&self, number: u64) -> bool {
        self.0.clear_if(number)
    }

    /// Returns the number and the words.
    #[must_use]
    pub fn read(&self) -> Option<(u64, [u64; 2])> {
        self.0.read()
    }
}

/// Two records of one owner, which other threads clear, for its models.
#[derive(Debug)]
pub struct Cleared([crate::observe::record::Record<1>; 2], crate::observe::record::Disturbed);

impl Default for Cleared {
    fn default() -> Self {
        let records = [crate::observe::record::Record::new(), crate::observe::record::Record::new()];
        records.iter().for_each(|record| record.publish(1, [1]));
        Self(records, crate::observe::record::Disturbed::new())
    }
}

impl Cleared {
    /// Clears one, for a thread that is not the owner.
    pub fn clear(&self, place: usize) {
        assert!(self.0[place].clear_if(1));
        self.1.note();
    }

    /// Returns how many the owner finds, if one was cleared since it looked last.
    pub fn look(&self) -> Option<usize> {
        self.1.take().then(|| self.0.iter().filter(|record| !record.is_empty()).count())
    }
}

/// A list of numbers that threads take over from each other, for its models.
pub struct Places(crate::observe::members::Members<UnsafeCell<u32>>);

impl std::fmt::Debug for Places {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Places")
    }
}

// SAFETY: the number is touched by the thread that has its place, and read by none before it is put in.
unsafe impl Sync for Places {}
// SAFETY: as above.
unsafe impl Send for Places {}

impl Default for Places {
    fn default() -> Self {
        Self(crate::observe::members::Members::new())
    }
}

impl Places {
    /// Takes the first place that is free, or a new one; counts one up in it, and leaves it. Returns how many
    /// had it before.
    pub fn visit(&self) -> u32 {
        let member = self.0.iter().find(|member| member.claim(|_| true));
        let member = member.unwrap_or_else(|| self.0.add(UnsafeCell::new(0)));
        // SAFETY: this thread alone has the place.
        let number = member.value.with_mut(|number| unsafe { &mut *number });
        let before = *number;
        *number += 1;
        member.leave(before != 0);
        before
    }

    /// Adds a place with a number in it, which stays taken.
    pub fn add(&self, number: u32) {
        let _ = self.0.add(UnsafeCell::new(number));
    }

    /// Returns the numbers in places that stay taken.
    pub fn numbers(&self) -> Vec<u32> {
        // SAFETY: written before it was put in, and not since.
        self.0.iter().map(|member| member.value.with(|number| unsafe { *number })).collect()
    }
}

/// Places in which ended threads leave something, for their models.
pub struct Left(crate::observe::members::Members<crate::observe::record::Record<1>>);

impl std::fmt::Debug for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Left")
    }
}

impl Default for Left {
    /// Makes a list of one place, which is taken.
    fn default() -> Self {
        let members = crate::observe::members::Members::new();
        members.add(crate::observe::record::Record::new());
        Self(members)
    }
}

impl Left {
    /// Publishes something in the place, and leaves it, as its thread.
    pub fn end(&self) {
        for member in self.0.iter() {
            member.value.publish(1, [1]);
            member.leave(true);
        }
    }

    /// Takes over a place in which nothing is left. Returns whether it looked into one, and what was left in
    /// the one that it took over.
    #[must_use]
    pub fn take_over(&self) -> (bool, Option<u64>) {
        let looked = std::cell::Cell::new(false);
        let may = |record: &crate::observe::record::Record<1>| {
            looked.set(true);
            record.is_empty()
        };
        let found = self.0.iter().find(|member| member.claim(may)).and_then(|member| member.value.number());
        (looked.get(), found)
    }
}
