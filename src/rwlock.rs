//! [`RwLock`] and its guards.

use std::fmt;
use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop};
use std::ops::{Deref, DerefMut};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::facade::{Deadline, Payload, Reading, Writing, const_fn};
use crate::mutex::run_and_lock;
use crate::raw::rwlock::{self, ReadToken, Readers, Role, too_many_readers};

type RawRwLock = rwlock::RawRwLock<Readers>;

/// A reader-writer lock that owns the value it guards: any number of readers at a time, or one writer.
///
/// Use it where a value is read far more often than written and readers would hold a mutex in each other's way. Where
/// writes are as frequent as reads, or sections are a few instructions long and rarely contended, a
/// [`Mutex`](crate::Mutex) is smaller and simpler.
///
/// Besides readers and writers there is one *upgradable* reader at a time, which reads beside the others and can
/// become the writer without letting another writer in between.
///
/// # Examples
///
/// ```
/// use lockwork::RwLock;
///
/// let prices = RwLock::new(vec![3, 5]);
/// assert_eq!(prices.read().iter().sum::<i32>(), 8);
/// prices.write().push(7);
/// assert_eq!(prices.into_inner(), [3, 5, 7]);
/// ```
///
/// A cache in a static. Whoever misses looks again as upgradable reader, so that one thread alone computes:
///
/// ```
/// use lockwork::{RwLock, RwLockUpgradableReadGuard};
/// use std::{collections::BTreeMap, thread};
///
/// static SQUARES: RwLock<BTreeMap<u64, u64>> = RwLock::new(BTreeMap::new());
///
/// fn square(n: u64) -> u64 {
///     if let Some(&known) = SQUARES.read().get(&n) {
///         return known;
///     }
///     let squares = SQUARES.upgradable_read();
///     if let Some(&known) = squares.get(&n) {
///         return known;
///     }
///     let mut squares = RwLockUpgradableReadGuard::upgrade(squares);
///     *squares.entry(n).or_insert(n * n)
/// }
///
/// thread::scope(|s| {
///     for n in 0..4 {
///         s.spawn(move || assert_eq!(square(n), n * n));
///     }
/// });
/// assert_eq!(SQUARES.read().len(), 4);
/// ```
///
/// # Blocking
///
/// A thread that cannot come in looks again a few times, within half a microsecond, yields a few times, then queues and
/// parks. It allocates nothing: its place in the queue is on its stack. A writer that waits for readers to leave yields
/// for longer, some tens of microseconds at most, then parks as well; if it waits for a visible reader (see the
/// implementation notes) it wakes up now and then to look for itself, after 50 microseconds at first and then after twice
/// as long each time. No call that unlocks or downgrades blocks.
///
/// # Fairness
///
/// One policy on every platform:
///
/// * A writer that waits for readers to leave stops new readers at once; one that waits for another writer, from the
///   moment it is in the queue until it is woken. [`read_recursive`](Self::read_recursive) alone still joins readers that
///   are in.
/// * Readers that queued before the next writer go in together when a writer unlocks, before that writer: the first lets the
///   others in. A writer that comes while they go in queues behind them.
/// * A writer that gives up at its deadline leaves nothing behind: the readers that it held back go in.
/// * A free lock goes to the thread that comes first, even if others wait, because handing it to a sleeping thread would
///   leave it idle until that thread is awake. The first waiter is handed the lock once it has been the first for about half a
///   millisecond, so neither readers nor writers starve, and one that waits with a deadline gets its turn before it.
///
/// # Memory ordering
///
/// What a thread did before it unlocked, or downgraded, happens before what the next holder does, if either of the two
/// is a writer.
///
/// # Reentrancy and deadlock
///
/// A thread that holds the lock and wants it again in a way that excludes the first waits for ever (the timed forms:
/// until they time out). That includes [`read`](Self::read) within `read`: a writer that came in between stops the
/// second and waits for the first. Use [`read_recursive`](Self::read_recursive) where that can happen. Two threads that
/// upgrade cannot both have the upgradable lock, so they cannot wait for each other.
///
/// # Panics
///
/// There may be 8 388 607 readers at a time, those whose guard was forgotten included. One more: [`read`](Self::read),
/// [`read_recursive`](Self::read_recursive) and a [`downgrade`](RwLockUpgradableReadGuard::downgrade) from upgradable to
/// plain reader panic, and each `try_` form, timed ones too, returns `None` at once. A panic while a guard is alive
/// unlocks and leaves the value as it is; there is no poisoning.
///
/// # Differences from `std` and `parking_lot`
///
/// From [`std::sync::RwLock`]: no poisoning, so `read` and `write` return the guard itself; one policy everywhere; timed,
/// upgradable, mapped and [`Arc`] guards; `read_recursive`. From `parking_lot::RwLock`: the `Arc` guards need no feature; and
/// there is no `force_unlock_read`, because only a read guard knows how its reader came in.
///
/// # Implementation notes
///
/// Two words beside the value: the queue of waiters, whose nodes live on their stacks, and the lock's state. Writing
/// uncontended is one atomic exchange each way. When some reads have come in a row, readers stop counting themselves in
/// the state, where they would take the cache line from each other, and publish themselves in slots of their own thread, in one table of
/// four kilobytes for the process: an exchange to come in and a store to leave, shared with nobody. A writer looks at
/// 32 slots at most then, and turns that off again. The protocol and its proof stand in `docs/waiting.md`.
pub struct RwLock<T: ?Sized> {
    raw: RawRwLock,
    value: Payload<T>,
}

// SAFETY: whoever has the lock exclusively can take the value out, so `T: Send`; no reference is left behind.
unsafe impl<T: ?Sized + Send> Send for RwLock<T> {}
// SAFETY: readers share the value, so `T: Sync`; a writer may take it from one thread to another, so `T: Send`.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}

impl<T: ?Sized> UnwindSafe for RwLock<T> {}
impl<T: ?Sized> RefUnwindSafe for RwLock<T> {}

impl<T> RwLock<T> {
    const_fn! {
        /// Makes an unlocked lock that guards `value`.
        ///
        /// ```
        /// static LIMIT: lockwork::RwLock<u32> = lockwork::RwLock::new(10);
        /// assert_eq!(*LIMIT.read(), 10);
        /// ```
        #[must_use]
        #[inline]
        pub fn new(value: T) -> Self {
            Self { raw: RawRwLock::new(Readers::new()), value: Payload::new(value) }
        }
    }

    /// Takes the value out. No locking: the lock is owned.
    #[must_use]
    #[inline]
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }

    /// Returns a copy of the value, made while the lock is locked for reading.
    ///
    /// ```
    /// let names = lockwork::RwLock::new(vec!["ada"]);
    /// let copy = names.get_cloned();
    /// names.write().push("grace");
    /// assert_eq!(copy, ["ada"]);
    /// ```
    ///
    /// # Panics
    ///
    /// With the panic of [`Clone::clone`], after unlocking.
    #[must_use]
    pub fn get_cloned(&self) -> T
    where
        T: Clone,
    {
        self.read().clone()
    }

    /// Puts `value` in the place of the present value, which is dropped after unlocking. So its destructor may use this
    /// lock.
    ///
    /// ```
    /// use lockwork::RwLock;
    /// use std::thread;
    ///
    /// let state = RwLock::new("starting");
    /// thread::scope(|s| {
    ///     s.spawn(|| state.set("ready"));
    /// });
    /// assert_eq!(state.get_cloned(), "ready");
    /// ```
    pub fn set(&self, value: T) {
        drop(self.replace(value));
    }

    /// Puts `value` in the place of the present value, and returns that.
    ///
    /// ```
    /// let events = lockwork::RwLock::new(vec![1, 2]);
    /// assert_eq!(events.replace(Vec::new()), [1, 2]);
    /// assert_eq!(*events.read(), []);
    /// ```
    pub fn replace(&self, value: T) -> T {
        mem::replace(&mut *self.write(), value)
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Locks for reading, waiting for as long as a writer has the lock or waits for it.
    ///
    /// # Panics
    ///
    /// If [as many readers as there may be](Self#panics) are in already.
    ///
    /// ```
    /// let lock = lockwork::RwLock::new(1);
    /// let (one, other) = (lock.read(), lock.read());
    /// assert_eq!(*one + *other, 2);
    /// ```
    #[inline]
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        let token = self.raw.read(Role::Read, || Deadline::NEVER);
        self.read_guard(token.unwrap_or_else(|| too_many_readers("RwLock::read")))
    }

    /// [`read`](Self::read) if that takes no waiting.
    ///
    /// ```
    /// let lock = lockwork::RwLock::new(1);
    /// let writer = lock.write();
    /// assert!(lock.try_read().is_none());
    /// drop(writer);
    /// assert!(lock.try_read().is_some());
    /// ```
    #[inline]
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        self.raw.try_read(Role::Read).map(|token| self.read_guard(token))
    }

    /// [`read`](Self::read), waiting `timeout` at most. [`Duration::ZERO`] tries once, [`Duration::MAX`] waits for
    /// ever. A call whose turn comes before the time is up succeeds.
    #[inline]
    pub fn try_read_for(&self, timeout: Duration) -> Option<RwLockReadGuard<'_, T>> {
        self.raw.read(Role::Read, || Deadline::after(timeout)).map(|token| self.read_guard(token))
    }

    /// [`read`](Self::read), waiting until `deadline` at most. A deadline in the past tries once.
    #[inline]
    pub fn try_read_until(&self, deadline: Instant) -> Option<RwLockReadGuard<'_, T>> {
        self.raw.read(Role::Read, || Deadline::at(deadline)).map(|token| self.read_guard(token))
    }

    /// Locks for reading, waiting only for as long as a writer has the lock: joins readers that are in although a writer
    /// waits for them to leave. Readers that never leave all at once can so keep a writer out.
    ///
    /// # Panics
    ///
    /// If [as many readers as there may be](Self#panics) are in already.
    ///
    /// ```
    /// let lock = lockwork::RwLock::new(1);
    /// let outer = lock.read();
    /// // Sure to come in, whatever other threads do.
    /// let inner = lock.read_recursive();
    /// assert_eq!(*outer, *inner);
    /// ```
    #[inline]
    pub fn read_recursive(&self) -> RwLockReadGuard<'_, T> {
        let token = self.raw.read(Role::ReadAgain, || Deadline::NEVER);
        self.read_guard(token.unwrap_or_else(|| too_many_readers("RwLock::read_recursive")))
    }

    /// [`read_recursive`](Self::read_recursive) if that takes no waiting.
    #[inline]
    pub fn try_read_recursive(&self) -> Option<RwLockReadGuard<'_, T>> {
        self.raw.try_read(Role::ReadAgain).map(|token| self.read_guard(token))
    }

    /// [`read_recursive`](Self::read_recursive), waiting `timeout` at most. [`Duration::ZERO`] tries once, [`Duration::MAX`] waits for
    /// ever. A call whose turn comes before the time is up succeeds.
    #[inline]
    pub fn try_read_recursive_for(&self, timeout: Duration) -> Option<RwLockReadGuard<'_, T>> {
        self.raw.read(Role::ReadAgain, || Deadline::after(timeout)).map(|token| self.read_guard(token))
    }

    /// [`read_recursive`](Self::read_recursive), waiting until `deadline` at most. A deadline in the past tries once.
    #[inline]
    pub fn try_read_recursive_until(&self, deadline: Instant) -> Option<RwLockReadGuard<'_, T>> {
        self.raw.read(Role::ReadAgain, || Deadline::at(deadline)).map(|token| self.read_guard(token))
    }

    /// Locks for reading beside other readers, as the one reader that can [upgrade](RwLockUpgradableReadGuard::upgrade);
    /// waits for writers and for another upgradable reader.
    ///
    /// ```
    /// use lockwork::{RwLock, RwLockUpgradableReadGuard};
    ///
    /// let lock = RwLock::new(1);
    /// let guard = lock.upgradable_read();
    /// assert_eq!(*lock.read(), 1);
    /// let mut guard = RwLockUpgradableReadGuard::upgrade(guard);
    /// *guard += 1;
    /// ```
    #[inline]
    pub fn upgradable_read(&self) -> RwLockUpgradableReadGuard<'_, T> {
        let locked = self.raw.upgradable(|| Deadline::NEVER);
        debug_assert!(locked, "a wait without a deadline ends with the lock");
        self.upgradable_guard()
    }

    /// [`upgradable_read`](Self::upgradable_read) if that takes no waiting.
    #[inline]
    pub fn try_upgradable_read(&self) -> Option<RwLockUpgradableReadGuard<'_, T>> {
        self.raw.try_upgradable().then(|| self.upgradable_guard())
    }

    /// [`upgradable_read`](Self::upgradable_read), waiting `timeout` at most. [`Duration::ZERO`] tries once, [`Duration::MAX`] waits for
    /// ever. A call whose turn comes before the time is up succeeds, and one that gives up leaves nothing behind.
    #[inline]
    pub fn try_upgradable_read_for(&self, timeout: Duration) -> Option<RwLockUpgradableReadGuard<'_, T>> {
        self.raw.upgradable(|| Deadline::after(timeout)).then(|| self.upgradable_guard())
    }

    /// [`upgradable_read`](Self::upgradable_read), waiting until `deadline` at most. A deadline in the past tries once.
    #[inline]
    pub fn try_upgradable_read_until(&self, deadline: Instant) -> Option<RwLockUpgradableReadGuard<'_, T>> {
        self.raw.upgradable(|| Deadline::at(deadline)).then(|| self.upgradable_guard())
    }

    /// Locks for writing, waiting until everybody else has left.
    ///
    /// ```
    /// let lock = lockwork::RwLock::new(1);
    /// *lock.write() += 1;
    /// assert_eq!(*lock.read(), 2);
    /// ```
    #[inline]
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        let locked = self.raw.write(|| Deadline::NEVER);
        debug_assert!(locked, "a wait without a deadline ends with the lock");
        self.write_guard()
    }

    /// [`write`](Self::write) if that takes no waiting.
    ///
    /// A failure keeps no reader out, not even for a moment. While the call looks for readers that are in without being
    /// counted in the lock (see the implementation notes), other `try_write` and `try_upgradable_read` fail.
    #[inline]
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        self.raw.try_write().then(|| self.write_guard())
    }

    /// [`write`](Self::write), waiting `timeout` at most. [`Duration::ZERO`] tries once, [`Duration::MAX`] waits for
    /// ever. A call whose turn comes before the time is up succeeds, and one that gives up leaves nothing behind.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let lock = lockwork::RwLock::new(1);
    /// let reader = lock.read();
    /// assert!(lock.try_write_for(Duration::from_millis(1)).is_none());
    /// // Nobody waits any more, so readers come in.
    /// assert!(lock.try_read().is_some());
    /// ```
    #[inline]
    pub fn try_write_for(&self, timeout: Duration) -> Option<RwLockWriteGuard<'_, T>> {
        self.raw.write(|| Deadline::after(timeout)).then(|| self.write_guard())
    }

    /// [`write`](Self::write), waiting until `deadline` at most. A deadline in the past tries once.
    #[inline]
    pub fn try_write_until(&self, deadline: Instant) -> Option<RwLockWriteGuard<'_, T>> {
        self.raw.write(|| Deadline::at(deadline)).then(|| self.write_guard())
    }

    /// [`read`](Self::read) for `lock_all`, which waits for several before one deadline.
    pub(crate) fn read_before(&self, deadline: &Deadline) -> Option<RwLockReadGuard<'_, T>> {
        self.raw.read(Role::Read, || deadline.clone()).map(|token| self.read_guard(token))
    }

    /// [`write`](Self::write) for `lock_all`.
    pub(crate) fn write_before(&self, deadline: &Deadline) -> Option<RwLockWriteGuard<'_, T>> {
        self.raw.write(|| deadline.clone()).then(|| self.write_guard())
    }

    /// What tells this lock from every other: the address of its word, which the value never shares.
    pub(crate) fn address(&self) -> usize {
        (&raw const self.raw).addr()
    }

    /// [`read`](Self::read) with a guard that keeps the lock alive.
    #[inline]
    pub fn read_arc(self: &Arc<Self>) -> ArcRwLockReadGuard<T> {
        let token = self.raw.read(Role::Read, || Deadline::NEVER);
        self.read_guard_arc(token.unwrap_or_else(|| too_many_readers("RwLock::read_arc")))
    }

    /// [`try_read`](Self::try_read) with a guard that keeps the lock alive.
    #[inline]
    pub fn try_read_arc(self: &Arc<Self>) -> Option<ArcRwLockReadGuard<T>> {
        self.raw.try_read(Role::Read).map(|token| self.read_guard_arc(token))
    }

    /// [`try_read_for`](Self::try_read_for) with a guard that keeps the lock alive.
    #[inline]
    pub fn try_read_arc_for(self: &Arc<Self>, timeout: Duration) -> Option<ArcRwLockReadGuard<T>> {
        self.raw.read(Role::Read, || Deadline::after(timeout)).map(|token| self.read_guard_arc(token))
    }

    /// [`try_read_until`](Self::try_read_until) with a guard that keeps the lock alive.
    #[inline]
    pub fn try_read_arc_until(self: &Arc<Self>, deadline: Instant) -> Option<ArcRwLockReadGuard<T>> {
        self.raw.read(Role::Read, || Deadline::at(deadline)).map(|token| self.read_guard_arc(token))
    }

    /// [`read_recursive`](Self::read_recursive) with a guard that keeps the lock alive.
    #[inline]
    pub fn read_recursive_arc(self: &Arc<Self>) -> ArcRwLockReadGuard<T> {
        let token = self.raw.read(Role::ReadAgain, || Deadline::NEVER);
        self.read_guard_arc(token.unwrap_or_else(|| too_many_readers("RwLock::read_recursive_arc")))
    }

    /// [`try_read_recursive`](Self::try_read_recursive) with a guard that keeps the lock alive.
    #[inline]
    pub fn try_read_recursive_arc(self: &Arc<Self>) -> Option<ArcRwLockReadGuard<T>> {
        self.raw.try_read(Role::ReadAgain).map(|token| self.read_guard_arc(token))
    }

    /// [`try_read_recursive_for`](Self::try_read_recursive_for) with a guard that keeps the lock alive.
    #[inline]
    pub fn try_read_recursive_arc_for(self: &Arc<Self>, timeout: Duration) -> Option<ArcRwLockReadGuard<T>> {
        self.raw.read(Role::ReadAgain, || Deadline::after(timeout)).map(|token| self.read_guard_arc(token))
    }

    /// [`try_read_recursive_until`](Self::try_read_recursive_until) with a guard that keeps the lock alive.
    #[inline]
    pub fn try_read_recursive_arc_until(
        self: &Arc<Self>,
        deadline: Instant,
    ) -> Option<ArcRwLockReadGuard<T>> {
        self.raw.read(Role::ReadAgain, || Deadline::at(deadline)).map(|token| self.read_guard_arc(token))
    }

    /// [`read_recursive_arc`](Self::read_recursive_arc) under the name that `parking_lot` has for it.
    #[inline]
    pub fn read_arc_recursive(self: &Arc<Self>) -> ArcRwLockReadGuard<T> {
        self.read_recursive_arc()
    }

    /// [`try_read_recursive_arc_for`](Self::try_read_recursive_arc_for) under the name that `parking_lot` has for it.
    #[inline]
    pub fn try_read_arc_recursive_for(self: &Arc<Self>, timeout: Duration) -> Option<ArcRwLockReadGuard<T>> {
        self.try_read_recursive_arc_for(timeout)
    }

    /// [`try_read_recursive_arc_until`](Self::try_read_recursive_arc_until) under the name that `parking_lot` has for it.
    #[inline]
    pub fn try_read_arc_recursive_until(
        self: &Arc<Self>,
        deadline: Instant,
    ) -> Option<ArcRwLockReadGuard<T>> {
        self.try_read_recursive_arc_until(deadline)
    }

    /// [`upgradable_read`](Self::upgradable_read) with a guard that keeps the lock alive.
    #[inline]
    pub fn upgradable_read_arc(self: &Arc<Self>) -> ArcRwLockUpgradableReadGuard<T> {
        let locked = self.raw.upgradable(|| Deadline::NEVER);
        debug_assert!(locked, "a wait without a deadline ends with the lock");
        self.upgradable_guard_arc()
    }

    /// [`try_upgradable_read`](Self::try_upgradable_read) with a guard that keeps the lock alive.
    #[inline]
    pub fn try_upgradable_read_arc(self: &Arc<Self>) -> Option<ArcRwLockUpgradableReadGuard<T>> {
        self.raw.try_upgradable().then(|| self.upgradable_guard_arc())
    }

    /// [`try_upgradable_read_for`](Self::try_upgradable_read_for) with a guard that keeps the lock alive.
    #[inline]
    pub fn try_upgradable_read_arc_for(
        self: &Arc<Self>,
        timeout: Duration,
    ) -> Option<ArcRwLockUpgradableReadGuard<T>> {
        self.raw.upgradable(|| Deadline::after(timeout)).then(|| self.upgradable_guard_arc())
    }

    /// [`try_upgradable_read_until`](Self::try_upgradable_read_until) with a guard that keeps the lock alive.
    #[inline]
    pub fn try_upgradable_read_arc_until(
        self: &Arc<Self>,
        deadline: Instant,
    ) -> Option<ArcRwLockUpgradableReadGuard<T>> {
        self.raw.upgradable(|| Deadline::at(deadline)).then(|| self.upgradable_guard_arc())
    }

    /// [`write`](Self::write) with a guard that keeps the lock alive.
    #[inline]
    pub fn write_arc(self: &Arc<Self>) -> ArcRwLockWriteGuard<T> {
        let locked = self.raw.write(|| Deadline::NEVER);
        debug_assert!(locked, "a wait without a deadline ends with the lock");
        self.write_guard_arc()
    }

    /// [`try_write`](Self::try_write) with a guard that keeps the lock alive.
    #[inline]
    pub fn try_write_arc(self: &Arc<Self>) -> Option<ArcRwLockWriteGuard<T>> {
        self.raw.try_write().then(|| self.write_guard_arc())
    }

    /// [`try_write_for`](Self::try_write_for) with a guard that keeps the lock alive.
    #[inline]
    pub fn try_write_arc_for(self: &Arc<Self>, timeout: Duration) -> Option<ArcRwLockWriteGuard<T>> {
        self.raw.write(|| Deadline::after(timeout)).then(|| self.write_guard_arc())
    }

    /// [`try_write_until`](Self::try_write_until) with a guard that keeps the lock alive.
    #[inline]
    pub fn try_write_arc_until(self: &Arc<Self>, deadline: Instant) -> Option<ArcRwLockWriteGuard<T>> {
        self.raw.write(|| Deadline::at(deadline)).then(|| self.write_guard_arc())
    }

    /// The value. No locking: the lock is borrowed exclusively.
    #[inline]
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// Where the value lives. Whoever dereferences it answers for holding the lock.
    #[must_use]
    #[inline]
    pub const fn data_ptr(&self) -> *mut T {
        self.value.as_ptr()
    }

    /// Whether somebody had the lock just now, in whatever way; it may be otherwise by the time the answer is looked at.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.raw.is_locked()
    }

    /// Whether a writer had the lock just now. A writer that waits for readers to leave does not have it yet.
    #[must_use]
    pub fn is_locked_exclusive(&self) -> bool {
        self.raw.is_write_locked()
    }

    /// Unlocks without a guard, after the write guard was given to [`std::mem::forget`].
    ///
    /// # Safety
    ///
    /// The lock is held by a writer, who gives it up: no guard of it is alive that will be used or dropped.
    pub unsafe fn force_unlock_write(&self) {
        // SAFETY: this function's contract.
        unsafe { self.raw.unlock_write() };
    }

    /// [`force_unlock_write`](Self::force_unlock_write) that hands the lock to the first waiter, if there is one.
    ///
    /// # Safety
    ///
    /// As for [`force_unlock_write`](Self::force_unlock_write).
    pub unsafe fn force_unlock_write_fair(&self) {
        // SAFETY: this function's contract.
        unsafe { self.raw.unlock_write_fair() };
    }

    /// A guard for a lock that is held for writing already, without one.
    ///
    /// # Safety
    ///
    /// The lock is held by a writer, no other guard of it will be used or dropped, and the guard stands in for the writer.
    pub unsafe fn make_write_guard_unchecked(&self) -> RwLockWriteGuard<'_, T> {
        self.write_guard()
    }

    /// [`make_write_guard_unchecked`](Self::make_write_guard_unchecked) with a guard that keeps the lock alive.
    ///
    /// # Safety
    ///
    /// As for [`make_write_guard_unchecked`](Self::make_write_guard_unchecked).
    pub unsafe fn make_arc_write_guard_unchecked(self: &Arc<Self>) -> ArcRwLockWriteGuard<T> {
        self.write_guard_arc()
    }

    /// A guard for a lock that is held by the upgradable reader already, without one.
    ///
    /// # Safety
    ///
    /// The upgradable reader is in, no other guard of it will be used or dropped, and the guard stands in for it.
    pub unsafe fn make_upgradable_guard_unchecked(&self) -> RwLockUpgradableReadGuard<'_, T> {
        self.upgradable_guard()
    }

    /// [`make_upgradable_guard_unchecked`](Self::make_upgradable_guard_unchecked) with a guard that keeps the lock alive.
    ///
    /// # Safety
    ///
    /// As for [`make_upgradable_guard_unchecked`](Self::make_upgradable_guard_unchecked).
    pub unsafe fn make_upgradable_arc_guard_unchecked(self: &Arc<Self>) -> ArcRwLockUpgradableReadGuard<T> {
        self.upgradable_guard_arc()
    }

    crate::facade::model_only! {
        pub(crate) fn has_waiters_now(&self) -> bool {
            self.raw.has_waiters_now()
        }
    }

    /// The guard for a lock that was just taken; so are those below.
    #[inline]
    fn read_guard(&self, token: ReadToken) -> RwLockReadGuard<'_, T> {
        RwLockReadGuard { lock: self, token, access: self.value.read(), marker: PhantomData }
    }

    #[inline]
    fn upgradable_guard(&self) -> RwLockUpgradableReadGuard<'_, T> {
        RwLockUpgradableReadGuard { lock: self, access: self.value.read(), marker: PhantomData }
    }

    #[inline]
    fn write_guard(&self) -> RwLockWriteGuard<'_, T> {
        RwLockWriteGuard { lock: self, access: self.value.write(), marker: PhantomData }
    }

    #[inline]
    fn read_guard_arc(self: &Arc<Self>, token: ReadToken) -> ArcRwLockReadGuard<T> {
        ArcRwLockReadGuard { access: self.value.read(), lock: Arc::clone(self), token, marker: PhantomData }
    }

    #[inline]
    fn upgradable_guard_arc(self: &Arc<Self>) -> ArcRwLockUpgradableReadGuard<T> {
        ArcRwLockUpgradableReadGuard {
            access: self.value.read(),
            lock: Arc::clone(self),
            marker: PhantomData,
        }
    }

    #[inline]
    fn write_guard_arc(self: &Arc<Self>) -> ArcRwLockWriteGuard<T> {
        ArcRwLockWriteGuard { access: self.value.write(), lock: Arc::clone(self), marker: PhantomData }
    }
}

const_fn! {
    /// [`RwLock::new`] under the name that `parking_lot` has for it.
    #[must_use]
    #[inline]
    pub fn const_rwlock<T>(value: T) -> RwLock<T> {
        RwLock::new(value)
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    /// Shows the value, or `<locked>` if a writer has or waits for the lock: never blocks.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("RwLock");
        match self.try_read() {
            Some(guard) => shown.field("data", &&*guard),
            None => shown.field("data", &format_args!("<locked>")),
        }
        .finish()
    }
}

/// What all guards have in common: what they show, how they end, and what they can be made into.
macro_rules! guard {
    (
        $(#[$meta:meta])*
        $name:ident [$($generics:tt)*] [$($arguments:tt)*] {
            $lock:ident: $lock_type:ty, $access:ty $(, $token:ident: $pass_type:ty)?
        }
        $unlock:ident
    ) => {
        $(#[$meta])*
        #[must_use = "the lock is released as soon as the guard is dropped"]
        #[clippy::has_significant_drop]
        pub struct $name<$($generics)*> {
            $lock: $lock_type,
            $($token: $pass_type,)?
            access: $access,
            /// Neither `Send` nor `Sync` by itself.
            marker: PhantomData<*const ()>,
        }

        impl<$($generics)*> $name<$($arguments)*> {
            /// Ends the access and unlocks by `unlock`, which is the only one to.
            #[inline]
            fn unlock_by(&mut self, unlock: impl FnOnce(&RawRwLock $(, $pass_type)?)) {
                self.access.end();
                unlock(&self.$lock.raw $(, self.$token)?);
            }
        }

        impl<$($generics)*> Deref for $name<$($arguments)*> {
            type Target = T;

            #[inline]
            fn deref(&self) -> &T {
                // SAFETY: the guard has the lock, and is borrowed shared.
                unsafe { &*self.$lock.value.as_ptr() }
            }
        }

        impl<$($generics)*> Drop for $name<$($arguments)*> {
            #[inline]
            fn drop(&mut self) {
                // SAFETY: the guard has the lock, and is gone now.
                self.unlock_by(|raw $(, $token)?| unsafe { raw.$unlock($($token)?) });
            }
        }

        show_value!([$($generics)*] $name<$($arguments)*>);
    };
}

macro_rules! show_value {
    ([$($generics:tt)*] $guard:ty) => {
        impl<$($generics)*> fmt::Debug for $guard
        where
            T: fmt::Debug,
        {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }

        impl<$($generics)*> fmt::Display for $guard
        where
            T: fmt::Display,
        {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }
    };
}

guard! {
    /// The right to read the value of a [`RwLock`] beside other readers, given by [`RwLock::read`] and its kin. Dropping
    /// it unlocks.
    ///
    /// Not [`Send`], as everywhere in the field; [`ArcRwLockReadGuard`] is. Its methods are associated functions, called
    /// as `RwLockReadGuard::map(guard, ..)`, so that they never hide one of the value's own.
    RwLockReadGuard ['a, T: ?Sized] ['a, T] { lock: &'a RwLock<T>, Reading, token: ReadToken }
    unlock_read
}

guard! {
    /// The right to read the value of a [`RwLock`] beside other readers, and to become its writer, given by
    /// [`RwLock::upgradable_read`] and its kin. Dropping it unlocks.
    RwLockUpgradableReadGuard ['a, T: ?Sized] ['a, T] { lock: &'a RwLock<T>, Reading }
    unlock_upgradable
}

guard! {
    /// The right to change the value of a [`RwLock`], given by [`RwLock::write`] and its kin. Dropping it unlocks.
    ///
    /// Not [`Send`], as everywhere in the field; [`ArcRwLockWriteGuard`] is. Its methods are associated functions, called
    /// as `RwLockWriteGuard::map(guard, ..)`, so that they never hide one of the value's own.
    RwLockWriteGuard ['a, T: ?Sized] ['a, T] { lock: &'a RwLock<T>, Writing }
    unlock_write
}

guard! {
    /// A [`RwLockReadGuard`] that keeps its lock alive, given by [`RwLock::read_arc`] and its kin. It borrows nothing,
    /// so it can be stored and, if `T: Send + Sync`, be sent to and dropped in another thread.
    ArcRwLockReadGuard [T: ?Sized] [T] { lock: Arc<RwLock<T>>, Reading, token: ReadToken }
    unlock_read
}

guard! {
    /// A [`RwLockUpgradableReadGuard`] that keeps its lock alive, given by [`RwLock::upgradable_read_arc`] and its kin.
    /// It borrows nothing, so it can be stored and, if `T: Send + Sync`, be sent to and dropped in another thread.
    ArcRwLockUpgradableReadGuard [T: ?Sized] [T] { lock: Arc<RwLock<T>>, Reading }
    unlock_upgradable
}

guard! {
    /// A [`RwLockWriteGuard`] that keeps its lock alive, given by [`RwLock::write_arc`] and its kin. It borrows nothing,
    /// so it can be stored and, if `T: Send + Sync`, be sent to and dropped in another thread.
    ArcRwLockWriteGuard [T: ?Sized] [T] { lock: Arc<RwLock<T>>, Writing }
    unlock_write
}

// SAFETY: a shared guard gives shared access to the value, and `rwlock`, which gives more, asks for `T: Send` too.
unsafe impl<T: ?Sized + Sync> Sync for RwLockReadGuard<'_, T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Sync> Sync for RwLockUpgradableReadGuard<'_, T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Sync> Sync for RwLockWriteGuard<'_, T> {}

/// Any thread may unlock. What else moves along is a clone of the lock, which needs both.
macro_rules! moves_with_its_lock {
    ($($guard:ident),+) => { $(
        // SAFETY: the reader or writer may be any thread; the guard gives access to the value, and to a lock that others
        // have clones of, so `T: Send + Sync`, as for sending the `Arc` itself.
        unsafe impl<T: ?Sized + Send + Sync> Send for $guard<T> {}
        // SAFETY: a shared guard gives shared access to the value and to the lock.
        unsafe impl<T: ?Sized + Send + Sync> Sync for $guard<T> {}

        impl<T: ?Sized> $guard<T> {
            /// The lock.
            #[must_use]
            pub fn rwlock(this: &Self) -> &Arc<RwLock<T>> {
                &this.lock
            }

            /// Unlocks and returns the lock.
            #[must_use]
            pub fn into_arc(this: Self) -> Arc<RwLock<T>> {
                let lock = Arc::clone(&this.lock);
                drop(this);
                lock
            }

            /// [`into_arc`](Self::into_arc) that hands the lock to the first waiter that can have it, if there is one.
            #[must_use]
            pub fn into_arc_fair(this: Self) -> Arc<RwLock<T>> {
                let lock = Arc::clone(&this.lock);
                Self::unlock_fair(this);
                lock
            }
        }
    )+ };
}

moves_with_its_lock!(ArcRwLockReadGuard, ArcRwLockUpgradableReadGuard, ArcRwLockWriteGuard);

macro_rules! borrows_its_lock {
    ($($guard:ident),+) => { $(
        impl<'a, T: ?Sized> $guard<'a, T> {
            /// The lock.
            #[must_use]
            pub fn rwlock(this: &Self) -> &'a RwLock<T>
            where
                T: Send,
            {
                this.lock
            }
        }
    )+ };
}

borrows_its_lock!(RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard);

/// Leaving the lock for good or for a while, for all kinds of guard.
macro_rules! leaves {
    (
        [$($generics:tt)*] $guard:ty, $unlock:ident, $unlock_fair:ident $(, $token:ident)?;
        |$this:ident| $lock_again:block
    ) => {
        impl<$($generics)*> $guard {
            /// Unlocks, handing the lock to the first thread in the queue that can have it then, if there is one.
            pub fn unlock_fair(this: Self) {
                let mut this = ManuallyDrop::new(this);
                // SAFETY: the guard has the lock, and goes without its drop.
                this.unlock_by(|raw $(, $token)?| unsafe { raw.$unlock_fair($($token)?) });
                // SAFETY: `this` is not used any more. What is dropped is an `Arc`, or nothing.
                let _lock = unsafe { ptr::read(&raw const this.lock) };
            }

            /// Unlocks, runs `f`, and locks again in the same way, also if `f` panics. A reader locks again like any new
            /// reader, behind writers that wait: not for a thread that reads by another guard as well.
            pub fn unlocked<F, U>(this: &mut Self, f: F) -> U
            where
                F: FnOnce() -> U,
            {
                // SAFETY: the guard has the lock, and takes it again below.
                this.unlock_by(|raw $(, $token)?| unsafe { raw.$unlock($($token)?) });
                this.run_and_lock(f)
            }

            /// [`unlocked`](Self::unlocked) that hands the lock to the first waiter that can have it, if there is one.
            pub fn unlocked_fair<F, U>(this: &mut Self, f: F) -> U
            where
                F: FnOnce() -> U,
            {
                // SAFETY: the guard has the lock, and takes it again below.
                this.unlock_by(|raw $(, $token)?| unsafe { raw.$unlock_fair($($token)?) });
                this.run_and_lock(f)
            }

            /// Lets the first waiter have the lock and takes it again behind it, as [`unlocked`](Self::unlocked) does. Does
            /// nothing if nobody waits.
            pub fn bump(this: &mut Self) {
                if this.lock.raw.has_waiters() {
                    Self::unlocked_fair(this, || ());
                }
            }

            fn run_and_lock<R>(&mut self, f: impl FnOnce() -> R) -> R {
                let $this = self;
                run_and_lock(|| $lock_again, f)
            }
        }
    };
}

macro_rules! leaves_reading {
    ([$($generics:tt)*] $guard:ty) => {
        leaves! {
            [$($generics)*] $guard, unlock_read, unlock_read_fair, token;
            |this| {
                let token = this.lock.raw.read(Role::Read, || Deadline::NEVER);
                this.token = token.unwrap_or_else(|| too_many_readers("RwLockReadGuard::unlocked"));
                this.access = this.lock.value.read();
            }
        }
    };
}

macro_rules! leaves_upgradable {
    ([$($generics:tt)*] $guard:ty) => {
        leaves! {
            [$($generics)*] $guard, unlock_upgradable, unlock_upgradable_fair;
            |this| {
                this.lock.raw.upgradable(|| Deadline::NEVER);
                this.access = this.lock.value.read();
            }
        }
    };
}

macro_rules! leaves_writing {
    ([$($generics:tt)*] $guard:ty) => {
        leaves! {
            [$($generics)*] $guard, unlock_write, unlock_write_fair;
            |this| {
                this.lock.raw.write(|| Deadline::NEVER);
                this.access = this.lock.value.write();
            }
        }
    };
}

leaves_reading!(['a, T: ?Sized] RwLockReadGuard<'a, T>);
leaves_reading!([T: ?Sized] ArcRwLockReadGuard<T>);
leaves_upgradable!(['a, T: ?Sized] RwLockUpgradableReadGuard<'a, T>);
leaves_upgradable!([T: ?Sized] ArcRwLockUpgradableReadGuard<T>);
leaves_writing!(['a, T: ?Sized] RwLockWriteGuard<'a, T>);
leaves_writing!([T: ?Sized] ArcRwLockWriteGuard<T>);

/// From one way of having the lock to another.
macro_rules! converts {
    ([$($generics:tt)*] $read:ident, $upgradable:ident, $write:ident, [$($arguments:tt)*]) => {
        impl<$($generics)*> $write<$($arguments)*> {
            /// Becomes a reader, without letting another writer in between. Readers that wait come in.
            ///
            /// ```
            /// use lockwork::{RwLock, RwLockWriteGuard};
            ///
            /// let lock = RwLock::new(1);
            /// let mut writer = lock.write();
            /// *writer = 2;
            /// let reader = RwLockWriteGuard::downgrade(writer);
            /// assert_eq!((*reader, *lock.read()), (2, 2));
            /// ```
            pub fn downgrade(this: Self) -> $read<$($arguments)*> {
                let mut this = ManuallyDrop::new(this);
                this.access.end();
                // SAFETY: the guard has the lock as a writer, and is not used any more.
                unsafe { this.lock.raw.downgrade() };
                // SAFETY: `this` is neither dropped nor used any more.
                let lock = unsafe { ptr::read(&raw const this.lock) };
                $read { access: lock.value.read(), lock, token: ReadToken::COUNTED, marker: PhantomData }
            }

            /// Becomes the upgradable reader, without letting another writer in between. Readers that wait come in.
            pub fn downgrade_to_upgradable(this: Self) -> $upgradable<$($arguments)*> {
                let mut this = ManuallyDrop::new(this);
                this.access.end();
                // SAFETY: the guard has the lock as a writer, and is not used any more.
                unsafe { this.lock.raw.downgrade_to_upgradable() };
                // SAFETY: `this` is neither dropped nor used any more.
                let lock = unsafe { ptr::read(&raw const this.lock) };
                $upgradable { access: lock.value.read(), lock, marker: PhantomData }
            }
        }

        impl<$($generics)*> $upgradable<$($arguments)*> {
            /// Becomes the writer, waiting for the other readers to leave. No other writer comes in between.
            pub fn upgrade(self) -> $write<$($arguments)*> {
                match self.upgrade_by(|raw| {
                    // SAFETY: the guard has the lock as the upgradable reader.
                    unsafe { raw.upgrade(|| Deadline::NEVER) }
                }) {
                    Ok(writer) => writer,
                    Err(_) => unreachable!("a wait without a deadline ends with the lock"),
                }
            }

            /// Becomes the writer if there are no other readers. A failure keeps no reader out, not even for a moment.
            ///
            /// # Errors
            ///
            /// Gives the guard back if there are.
            ///
            /// ```
            /// use lockwork::{RwLock, RwLockUpgradableReadGuard};
            ///
            /// let lock = RwLock::new(1);
            /// let reader = lock.read();
            /// let guard = lock.upgradable_read();
            /// let guard = RwLockUpgradableReadGuard::try_upgrade(guard).unwrap_err();
            /// drop(reader);
            /// *RwLockUpgradableReadGuard::try_upgrade(guard).unwrap() = 2;
            /// ```
            pub fn try_upgrade(self) -> Result<$write<$($arguments)*>, Self> {
                self.upgrade_by(|raw| {
                    // SAFETY: the guard has the lock as the upgradable reader.
                    unsafe { raw.try_upgrade() }
                })
            }

            /// Becomes the writer, waiting `timeout` at most for the other readers to leave. [`Duration::ZERO`] tries
            /// once, [`Duration::MAX`] waits for ever.
            ///
            /// # Errors
            ///
            /// Gives the guard back if they have not; those that came to read in the meantime come in then.
            pub fn try_upgrade_for(self, timeout: Duration) -> Result<$write<$($arguments)*>, Self> {
                self.upgrade_by(|raw| {
                    // SAFETY: the guard has the lock as the upgradable reader.
                    unsafe { raw.upgrade(|| Deadline::after(timeout)) }
                })
            }

            /// Becomes the writer, waiting until `deadline` at most for the other readers to leave.
            ///
            /// # Errors
            ///
            /// Gives the guard back if they have not; those that came to read in the meantime come in then.
            pub fn try_upgrade_until(self, deadline: Instant) -> Result<$write<$($arguments)*>, Self> {
                self.upgrade_by(|raw| {
                    // SAFETY: the guard has the lock as the upgradable reader.
                    unsafe { raw.upgrade(|| Deadline::at(deadline)) }
                })
            }

            fn upgrade_by(
                mut self,
                upgrade: impl FnOnce(&RawRwLock) -> bool,
            ) -> Result<$write<$($arguments)*>, Self> {
                self.access.end();
                if !upgrade(&self.lock.raw) {
                    self.access = self.lock.value.read();
                    return Err(self);
                }
                let this = ManuallyDrop::new(self);
                // SAFETY: `this` is neither dropped nor used any more.
                let lock = unsafe { ptr::read(&raw const this.lock) };
                Ok($write { access: lock.value.write(), lock, marker: PhantomData })
            }

            /// Becomes an ordinary reader. Whoever waits to be the upgradable reader, or the writer once all readers have
            /// left, can be.
            ///
            /// # Panics
            ///
            /// If [as many readers as there may be](RwLock#panics) are in already; the guard is gone then.
            pub fn downgrade(mut self) -> $read<$($arguments)*> {
                self.access.end();
                // SAFETY: the guard has the lock as the upgradable reader, and is not used any more but to be dropped if
                // it still has.
                if !unsafe { self.lock.raw.downgrade_upgradable() } {
                    too_many_readers("RwLockUpgradableReadGuard::downgrade");
                }
                let this = ManuallyDrop::new(self);
                // SAFETY: `this` is neither dropped nor used any more.
                let lock = unsafe { ptr::read(&raw const this.lock) };
                $read { access: lock.value.read(), lock, token: ReadToken::COUNTED, marker: PhantomData }
            }

            /// Upgrades, runs `f` with the value, and becomes the upgradable reader again, also if `f` panics.
            ///
            /// ```
            /// let lock = lockwork::RwLock::new(1);
            /// let mut guard = lock.upgradable_read();
            /// guard.with_upgraded(|value| *value += 1);
            /// assert_eq!(*guard, 2);
            /// ```
            pub fn with_upgraded<R, F>(&mut self, f: F) -> R
            where
                F: FnOnce(&mut T) -> R,
            {
                self.access.end();
                // SAFETY: the guard has the lock as the upgradable reader, and has it again when `write_with` returns.
                let upgraded = unsafe { self.lock.raw.upgrade(|| Deadline::NEVER) };
                debug_assert!(upgraded, "a wait without a deadline ends with the lock");
                self.write_with(f)
            }

            /// [`with_upgraded`](Self::with_upgraded) if there are no other readers, else `None`.
            pub fn try_with_upgraded<R, F>(&mut self, f: F) -> Option<R>
            where
                F: FnOnce(&mut T) -> R,
            {
                self.access.end();
                // SAFETY: the guard has the lock as the upgradable reader, and has it again when `write_with` returns.
                let upgraded = unsafe { self.lock.raw.try_upgrade() };
                self.write_if(upgraded, f)
            }

            /// [`with_upgraded`](Self::with_upgraded), waiting `timeout` at most, else `None`.
            pub fn try_with_upgraded_for<R, F>(&mut self, timeout: Duration, f: F) -> Option<R>
            where
                F: FnOnce(&mut T) -> R,
            {
                self.access.end();
                // SAFETY: the guard has the lock as the upgradable reader, and has it again when `write_with` returns.
                let upgraded = unsafe { self.lock.raw.upgrade(|| Deadline::after(timeout)) };
                self.write_if(upgraded, f)
            }

            /// [`with_upgraded`](Self::with_upgraded), waiting until `deadline` at most, else `None`.
            pub fn try_with_upgraded_until<R, F>(&mut self, deadline: Instant, f: F) -> Option<R>
            where
                F: FnOnce(&mut T) -> R,
            {
                self.access.end();
                // SAFETY: the guard has the lock as the upgradable reader, and has it again when `write_with` returns.
                let upgraded = unsafe { self.lock.raw.upgrade(|| Deadline::at(deadline)) };
                self.write_if(upgraded, f)
            }

            fn write_if<R>(&mut self, upgraded: bool, f: impl FnOnce(&mut T) -> R) -> Option<R> {
                if upgraded {
                    Some(self.write_with(f))
                } else {
                    self.access = self.lock.value.read();
                    None
                }
            }

            /// Runs `f` as the writer that this guard has become, and makes it the upgradable reader again.
            fn write_with<R>(&mut self, f: impl FnOnce(&mut T) -> R) -> R {
                let Self { lock, access, .. } = self;
                let mut writing = lock.value.write();
                let value = lock.value.as_ptr();
                run_and_lock(
                    || {
                        writing.end();
                        // SAFETY: the caller has the lock as the writer.
                        unsafe { lock.raw.downgrade_to_upgradable() };
                        *access = lock.value.read();
                    },
                    // SAFETY: as above.
                    move || f(unsafe { &mut *value }),
                )
            }
        }
    };
}

converts!(
    ['a, T: ?Sized] RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard, ['a, T]
);
converts!(
    [T: ?Sized] ArcRwLockReadGuard, ArcRwLockUpgradableReadGuard, ArcRwLockWriteGuard, [T]
);

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard has the lock as the writer, and is borrowed exclusively.
        unsafe { &mut *self.lock.value.as_ptr() }
    }
}

impl<T: ?Sized> DerefMut for ArcRwLockWriteGuard<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard has the lock as the writer, and is borrowed exclusively.
        unsafe { &mut *self.lock.value.as_ptr() }
    }
}

impl<'a, T: ?Sized> RwLockReadGuard<'a, T> {
    /// Narrows the guard to a part of the value.
    ///
    /// ```
    /// use lockwork::{RwLock, RwLockReadGuard};
    ///
    /// let pair = RwLock::new((1, "one"));
    /// let name = RwLockReadGuard::map(pair.read(), |pair| &pair.1);
    /// assert_eq!(*name, "one");
    /// ```
    pub fn map<U: ?Sized, F>(this: Self, f: F) -> MappedRwLockReadGuard<'a, U>
    where
        F: FnOnce(&T) -> &U,
    {
        match Self::try_map(this, |value| Some(f(value))) {
            Ok(mapped) => mapped,
            Err(_) => unreachable!("the part is always there"),
        }
    }

    /// Narrows the guard to a part of the value, if there is one.
    ///
    /// # Errors
    ///
    /// Gives the guard back if `f` returns `None`.
    pub fn try_map<U: ?Sized, F>(this: Self, f: F) -> Result<MappedRwLockReadGuard<'a, U>, Self>
    where
        F: FnOnce(&T) -> Option<&U>,
    {
        Self::try_map_or_err(this, |value| f(value).ok_or(())).map_err(|(this, ())| this)
    }

    /// Narrows the guard to a part of the value, or says why there is none.
    ///
    /// # Errors
    ///
    /// Gives the guard back, with what `f` returned.
    pub fn try_map_or_err<U: ?Sized, F, E>(
        this: Self,
        f: F,
    ) -> Result<MappedRwLockReadGuard<'a, U>, (Self, E)>
    where
        F: FnOnce(&T) -> Result<&U, E>,
    {
        // SAFETY: the guard, which we own, has the lock. If `f` panics, the guard is dropped as usual.
        match f(unsafe { &*this.lock.value.as_ptr() }) {
            Err(error) => Err((this, error)),
            Ok(part) => {
                let part = NonNull::from(part);
                let mut this = ManuallyDrop::new(this);
                let (raw, token, access) = (&this.lock.raw, this.token, this.access.take());
                Ok(MappedRwLockReadGuard { raw, token, part, access, marker: PhantomData })
            }
        }
    }
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// Narrows the guard to a part of the value.
    ///
    /// ```
    /// use lockwork::{RwLock, RwLockWriteGuard};
    ///
    /// let pair = RwLock::new((1, "one"));
    /// *RwLockWriteGuard::map(pair.write(), |pair| &mut pair.0) = 2;
    /// assert_eq!(*pair.read(), (2, "one"));
    /// ```
    pub fn map<U: ?Sized, F>(this: Self, f: F) -> MappedRwLockWriteGuard<'a, U>
    where
        F: FnOnce(&mut T) -> &mut U,
    {
        match Self::try_map(this, |value| Some(f(value))) {
            Ok(mapped) => mapped,
            Err(_) => unreachable!("the part is always there"),
        }
    }

    /// Narrows the guard to a part of the value, if there is one.
    ///
    /// # Errors
    ///
    /// Gives the guard back if `f` returns `None`.
    pub fn try_map<U: ?Sized, F>(this: Self, f: F) -> Result<MappedRwLockWriteGuard<'a, U>, Self>
    where
        F: FnOnce(&mut T) -> Option<&mut U>,
    {
        Self::try_map_or_err(this, |value| f(value).ok_or(())).map_err(|(this, ())| this)
    }

    /// Narrows the guard to a part of the value, or says why there is none.
    ///
    /// # Errors
    ///
    /// Gives the guard back, with what `f` returned.
    pub fn try_map_or_err<U: ?Sized, F, E>(
        this: Self,
        f: F,
    ) -> Result<MappedRwLockWriteGuard<'a, U>, (Self, E)>
    where
        F: FnOnce(&mut T) -> Result<&mut U, E>,
    {
        // SAFETY: the guard, which we own, has the lock. If `f` panics, the guard is dropped as usual.
        match f(unsafe { &mut *this.lock.value.as_ptr() }) {
            Err(error) => Err((this, error)),
            Ok(part) => {
                let part = NonNull::from(part);
                let mut this = ManuallyDrop::new(this);
                let (raw, access) = (&this.lock.raw, this.access.take());
                Ok(MappedRwLockWriteGuard { raw, part, access, marker: PhantomData })
            }
        }
    }
}

/// The right to read a part of the value of a [`RwLock`], made by [`RwLockReadGuard::map`]. Dropping it unlocks.
#[must_use = "the lock is released as soon as the guard is dropped"]
#[clippy::has_significant_drop]
pub struct MappedRwLockReadGuard<'a, T: ?Sized> {
    raw: &'a RawRwLock,
    token: ReadToken,
    part: NonNull<T>,
    access: Reading,
    /// Shared access to the part; the pointer makes it neither `Send` nor `Sync` by itself.
    marker: PhantomData<&'a T>,
}

/// The right to change a part of the value of a [`RwLock`], made by [`RwLockWriteGuard::map`]. Dropping it unlocks.
#[must_use = "the lock is released as soon as the guard is dropped"]
#[clippy::has_significant_drop]
pub struct MappedRwLockWriteGuard<'a, T: ?Sized> {
    raw: &'a RawRwLock,
    part: NonNull<T>,
    access: Writing,
    /// Exclusive access to the part; the pointer makes it neither `Send` nor `Sync` by itself.
    marker: PhantomData<&'a mut T>,
}

// SAFETY: a shared guard gives shared access to the part and nothing else.
unsafe impl<T: ?Sized + Sync> Sync for MappedRwLockReadGuard<'_, T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Sync> Sync for MappedRwLockWriteGuard<'_, T> {}

show_value!(['a, T: ?Sized] MappedRwLockReadGuard<'a, T>);
show_value!(['a, T: ?Sized] MappedRwLockWriteGuard<'a, T>);

impl<'a, T: ?Sized> MappedRwLockReadGuard<'a, T> {
    /// Narrows the guard further. See [`RwLockReadGuard::map`].
    pub fn map<U: ?Sized, F>(this: Self, f: F) -> MappedRwLockReadGuard<'a, U>
    where
        F: FnOnce(&T) -> &U,
    {
        match Self::try_map(this, |value| Some(f(value))) {
            Ok(mapped) => mapped,
            Err(_) => unreachable!("the part is always there"),
        }
    }

    /// Narrows the guard further, if there is such a part.
    ///
    /// # Errors
    ///
    /// Gives the guard back if `f` returns `None`.
    pub fn try_map<U: ?Sized, F>(this: Self, f: F) -> Result<MappedRwLockReadGuard<'a, U>, Self>
    where
        F: FnOnce(&T) -> Option<&U>,
    {
        Self::try_map_or_err(this, |part| f(part).ok_or(())).map_err(|(this, ())| this)
    }

    /// Narrows the guard further, or says why it cannot be.
    ///
    /// # Errors
    ///
    /// Gives the guard back, with what `f` returned.
    pub fn try_map_or_err<U: ?Sized, F, E>(
        this: Self,
        f: F,
    ) -> Result<MappedRwLockReadGuard<'a, U>, (Self, E)>
    where
        F: FnOnce(&T) -> Result<&U, E>,
    {
        // SAFETY: the guard, which we own, has the lock. If `f` panics, the guard is dropped as usual.
        match f(unsafe { this.part.as_ref() }) {
            Err(error) => Err((this, error)),
            Ok(part) => {
                let part = NonNull::from(part);
                let mut this = ManuallyDrop::new(this);
                let (raw, token, access) = (this.raw, this.token, this.access.take());
                Ok(MappedRwLockReadGuard { raw, token, part, access, marker: PhantomData })
            }
        }
    }

    /// [`try_map_or_err`](Self::try_map_or_err) under the name that `parking_lot` has for it.
    ///
    /// # Errors
    ///
    /// Gives the guard back, with what `f` returned.
    pub fn try_map_or_else<U: ?Sized, F, E>(
        this: Self,
        f: F,
    ) -> Result<MappedRwLockReadGuard<'a, U>, (Self, E)>
    where
        F: FnOnce(&T) -> Result<&U, E>,
    {
        Self::try_map_or_err(this, f)
    }

    /// Unlocks, handing the lock to the first waiter that can have it, if there is one.
    pub fn unlock_fair(this: Self) {
        let mut this = ManuallyDrop::new(this);
        this.access.end();
        // SAFETY: the guard has the lock, and goes without its drop.
        unsafe { this.raw.unlock_read_fair(this.token) };
    }
}

impl<'a, T: ?Sized> MappedRwLockWriteGuard<'a, T> {
    /// Narrows the guard further. See [`RwLockWriteGuard::map`].
    pub fn map<U: ?Sized, F>(this: Self, f: F) -> MappedRwLockWriteGuard<'a, U>
    where
        F: FnOnce(&mut T) -> &mut U,
    {
        match Self::try_map(this, |value| Some(f(value))) {
            Ok(mapped) => mapped,
            Err(_) => unreachable!("the part is always there"),
        }
    }

    /// Narrows the guard further, if there is such a part.
    ///
    /// # Errors
    ///
    /// Gives the guard back if `f` returns `None`.
    pub fn try_map<U: ?Sized, F>(this: Self, f: F) -> Result<MappedRwLockWriteGuard<'a, U>, Self>
    where
        F: FnOnce(&mut T) -> Option<&mut U>,
    {
        Self::try_map_or_err(this, |part| f(part).ok_or(())).map_err(|(this, ())| this)
    }

    /// Narrows the guard further, or says why it cannot be.
    ///
    /// # Errors
    ///
    /// Gives the guard back, with what `f` returned.
    pub fn try_map_or_err<U: ?Sized, F, E>(
        mut this: Self,
        f: F,
    ) -> Result<MappedRwLockWriteGuard<'a, U>, (Self, E)>
    where
        F: FnOnce(&mut T) -> Result<&mut U, E>,
    {
        // SAFETY: the guard, which we own, has the lock. If `f` panics, the guard is dropped as usual.
        match f(unsafe { this.part.as_mut() }) {
            Err(error) => Err((this, error)),
            Ok(part) => {
                let part = NonNull::from(part);
                let mut this = ManuallyDrop::new(this);
                let (raw, access) = (this.raw, this.access.take());
                Ok(MappedRwLockWriteGuard { raw, part, access, marker: PhantomData })
            }
        }
    }

    /// Unlocks, handing the lock to the first waiter that can have it, if there is one.
    pub fn unlock_fair(this: Self) {
        let mut this = ManuallyDrop::new(this);
        this.access.end();
        // SAFETY: the guard has the lock, and goes without its drop.
        unsafe { this.raw.unlock_write_fair() };
    }
}

impl<T: ?Sized> Deref for MappedRwLockReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard has the lock, and is borrowed shared.
        unsafe { self.part.as_ref() }
    }
}

impl<T: ?Sized> Deref for MappedRwLockWriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard has the lock, and is borrowed shared.
        unsafe { self.part.as_ref() }
    }
}

impl<T: ?Sized> DerefMut for MappedRwLockWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard has the lock as the writer, and is borrowed exclusively.
        unsafe { self.part.as_mut() }
    }
}

impl<T: ?Sized> Drop for MappedRwLockReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.access.end();
        // SAFETY: the guard has the lock, and is gone now.
        unsafe { self.raw.unlock_read(self.token) };
    }
}

impl<T: ?Sized> Drop for MappedRwLockWriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.access.end();
        // SAFETY: the guard has the lock, and is gone now.
        unsafe { self.raw.unlock_write() };
    }
}
