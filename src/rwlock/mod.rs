//! [`RwLock`] and its guards.

mod arc;
mod convert;
mod guards;

use std::time::{Duration, Instant};

pub use self::guards::{
    ArcRwLockReadGuard, ArcRwLockUpgradableReadGuard, ArcRwLockWriteGuard, MappedRwLockReadGuard,
    MappedRwLockWriteGuard, RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard,
};
pub(crate) use self::guards::{Reader, Writer};
use crate::facade::{Data, Deadline, TimeLimit, const_fn};
use crate::guard::{Guard, owns_value};
use crate::observe::{self, Call, Identity, Kind, Mode as How};
use crate::raw::rwlock::{self, ReadToken, Readers, Role, too_many_readers};

pub(crate) type RawRwLock = rwlock::RawRwLock<Readers>;

/// A reader-writer lock that owns the value it guards: any number of readers at a time, or one writer.
///
/// Use it where a value is read far more often than written and readers would hold a mutex in each other's
/// way. Where writes are as frequent as reads, or sections are a few instructions long and rarely contended,
/// a [`Mutex`](crate::Mutex) is smaller and simpler.
///
/// Besides readers and writers there is one *upgradable* reader at a time, which reads beside the others and
/// can become the writer without letting another writer in between.
///
/// # Examples
///
/// One thread changes the prices, the others add them up:
///
/// ```
/// use lockwork::RwLock;
/// use std::thread;
///
/// let prices = RwLock::new(vec![3, 5]);
/// thread::scope(|s| {
///     s.spawn(|| prices.write().push(7));
///     for _ in 0..2 {
///         s.spawn(|| {
///             let total: i32 = prices.read().iter().sum();
///             assert!(total == 8 || total == 15);
///         });
///     }
/// });
/// assert_eq!(prices.into_inner(), [3, 5, 7]);
/// ```
///
/// A cache in a static. A reader that misses looks again as upgradable reader, so that one thread alone
/// computes:
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
/// A thread that cannot come in spins briefly, then queues and [parks](crate#how-a-thread-waits). A writer
/// that waits for readers to leave yields for longer, then parks as well; if it waits for a visible reader
/// (see the implementation notes) it wakes up now and then to look for itself, less often each time. No call
/// that unlocks or downgrades blocks. The fair forms (`unlock_fair`, `unlocked_fair`, `bump`) spin and yield
/// while another thread has the lock of the queue, for a few instructions.
///
/// # Fairness
///
/// Writer-preferring, with [barging and bounded hand-off](crate#barging-with-bounded-hand-off), on every
/// platform:
///
/// * A writer that waits for readers to leave stops new readers at once. It does so a little later if other
///   threads wait already, or one that was woken is still on its way: then the writer yields a few times at
///   most, queues, and stops new readers from then until it is woken. So does one that waits for another
///   writer. [`read_recursive`](Self::read_recursive) alone still joins readers that are in.
/// * When a writer unlocks, the readers that queued before the next writer go in together, before that
///   writer. A writer that comes while they go in queues behind them.
/// * A writer that gives up at its deadline leaves nothing behind: the readers that it held back go in.
/// * [Barging with bounded hand-off](crate#barging-with-bounded-hand-off): a free lock goes to the thread
///   that comes first, even if others wait. Neither readers nor writers starve.
///
/// # Memory ordering
///
/// What a thread did before it unlocked, or downgraded, happens before what the next holder does, if either
/// of the two is a writer.
///
/// # Reentrancy and deadlock
///
/// A thread that holds the lock and wants it again in a way that excludes the first waits indefinitely (the
/// timed forms: until they time out). That includes [`read`](Self::read) within `read`: a writer that came in
/// between stops the second and waits for the first. Use [`read_recursive`](Self::read_recursive) where that
/// can happen. Two threads that upgrade cannot both have the upgradable lock, so they cannot wait for each
/// other.
///
/// # Panics
///
/// The lock counts up to 8,388,607 readers at a time, those whose guard was forgotten included; visible
/// readers (see the implementation notes) are not among them. One more: [`read`](Self::read),
/// [`read_recursive`](Self::read_recursive), [`get_cloned`](Self::get_cloned),
/// [`lock_all`](crate::lock_all) and a [`downgrade`](RwLockUpgradableReadGuard::downgrade) from upgradable to
/// plain reader panic; each `try_` form, timed ones too, and [`lock_all_for`](crate::lock_all_for) return
/// `None` at once. A read guard's `unlocked`, `unlocked_fair` and `bump` abort the process then, as they
/// cannot return without the lock. A panic while a guard is alive unlocks and leaves the value as it is;
/// there is no poisoning. The [panic
/// hook](crate::guide::limits#a-panic-hook-runs-before-the-guard-is-dropped) runs before the unlock.
///
/// # Differences from `std` and `parking_lot`
///
/// From [`std::sync::RwLock`]: no poisoning, so `read` and `write` return the guard itself; one policy
/// everywhere; timed, upgradable, mapped and [`Arc`](std::sync::Arc) guards; `read_recursive`. From
/// `parking_lot::RwLock`: the `Arc` guards need no feature; and there is no `force_unlock_read`, because only
/// a read guard knows how its reader came in.
///
/// # Implementation notes
///
/// Two words beside the value: the queue of waiters, whose nodes live on their stacks, and the lock's state.
/// Writing uncontended is one atomic exchange each way. When some reads have come in a row, readers stop
/// counting themselves in the state, where they would take the cache line from each other. They publish
/// themselves in slots of their own thread instead, in one table of sixteen kilobytes for the process. That
/// costs an exchange to come in and a store to leave, on a line that no other thread writes as long as no
/// more than 128 threads read. A writer looks at 128 slots at most then, and turns that off again. Code that
/// shares a lock by raw pointer must know [who may free
/// it](crate::guide::limits#who-may-free-a-primitive-by-raw-pointer).
pub struct RwLock<T: ?Sized> {
    raw: RawRwLock,
    identity: Identity,
    value: Data<T>,
}

// SAFETY: a thread that has the lock exclusively can take the value out, so `T: Send`; no reference is left
// behind.
unsafe impl<T: ?Sized + Send> Send for RwLock<T> {}
// SAFETY: readers share the value, so `T: Sync`; a writer may take it from one thread to another, so `T:
// Send`.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}

owns_value! {
    RwLock over RawRwLock;
    /// ```
    /// static LIMIT: lockwork::RwLock<u32> = lockwork::RwLock::new(10);
    /// assert_eq!(*LIMIT.read(), 10);
    /// ```
    new
    /// ```
    /// static PRICES: lockwork::RwLock<u32> = lockwork::RwLock::named("prices", 10);
    /// assert_eq!(*PRICES.read(), 10);
    /// ```
    named
    /// Makes an unlocked lock: [`RwLock::new`] under the name that `parking_lot` has for it.
    const_rwlock
    /// Shows the value, or `<locked>` if a writer has or waits for the lock: never blocks.
    try_read
    values read write
}

impl<T> RwLock<T> {
    const_fn! {
        #[inline]
        fn with(identity: Identity, value: T) -> Self {
            Self { raw: RawRwLock::new(Readers::new()), identity, value: Data::new(value) }
        }
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Locks for reading, blocking while a writer has the lock or waits for it.
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
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        let call = self.call(How::Read);
        let token = self.raw.read(Role::Read, TimeLimit::never(call));
        let token = token.unwrap_or_else(|| too_many_readers("RwLock::read"));
        self.read_guard(token, call)
    }

    /// Attempts to lock for reading, without blocking.
    ///
    /// ```
    /// let lock = lockwork::RwLock::new(1);
    /// let writer = lock.write();
    /// assert!(lock.try_read().is_none());
    /// drop(writer);
    /// assert!(lock.try_read().is_some());
    /// ```
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        let call = self.call(How::Read);
        self.raw.try_read(Role::Read).map(|token| self.read_guard(token, call))
    }

    /// Attempts to lock for reading, blocking for `timeout` at most.
    ///
    /// See [time limits](crate#time-limits).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_read_for(&self, timeout: Duration) -> Option<RwLockReadGuard<'_, T>> {
        let call = self.call(How::Read);
        let token = self.raw.read(Role::Read, TimeLimit::within(timeout, call));
        token.map(|token| self.read_guard(token, call))
    }

    /// Attempts to lock for reading, blocking until `deadline` at most.
    ///
    /// See [time limits](crate#time-limits).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_read_until(&self, deadline: Instant) -> Option<RwLockReadGuard<'_, T>> {
        let call = self.call(How::Read);
        let token = self.raw.read(Role::Read, TimeLimit::until(deadline, call));
        token.map(|token| self.read_guard(token, call))
    }

    /// Locks for reading, blocking only while a writer has the lock: joins readers that are in
    /// although a writer waits for them to leave. Readers that never leave all at once can so keep a writer
    /// out.
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
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn read_recursive(&self) -> RwLockReadGuard<'_, T> {
        let call = self.call(How::ReadRecursive);
        let token = self.raw.read(Role::ReadAgain, TimeLimit::never(call));
        let token = token.unwrap_or_else(|| too_many_readers("RwLock::read_recursive"));
        self.read_guard(token, call)
    }

    /// Attempts to lock for reading as [`read_recursive`](Self::read_recursive) does, without blocking.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_read_recursive(&self) -> Option<RwLockReadGuard<'_, T>> {
        let call = self.call(How::ReadRecursive);
        self.raw.try_read(Role::ReadAgain).map(|token| self.read_guard(token, call))
    }

    /// Attempts to lock for reading as [`read_recursive`](Self::read_recursive) does, blocking for `timeout`
    /// at most.
    ///
    /// See [time limits](crate#time-limits).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_read_recursive_for(&self, timeout: Duration) -> Option<RwLockReadGuard<'_, T>> {
        let call = self.call(How::ReadRecursive);
        let token = self.raw.read(Role::ReadAgain, TimeLimit::within(timeout, call));
        token.map(|token| self.read_guard(token, call))
    }

    /// Attempts to lock for reading as [`read_recursive`](Self::read_recursive) does, blocking until
    /// `deadline` at most.
    ///
    /// See [time limits](crate#time-limits).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_read_recursive_until(&self, deadline: Instant) -> Option<RwLockReadGuard<'_, T>> {
        let call = self.call(How::ReadRecursive);
        let token = self.raw.read(Role::ReadAgain, TimeLimit::until(deadline, call));
        token.map(|token| self.read_guard(token, call))
    }

    /// Locks for reading beside other readers, as the one reader that can
    /// [upgrade](RwLockUpgradableReadGuard::upgrade); waits for writers and for another upgradable reader.
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
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn upgradable_read(&self) -> RwLockUpgradableReadGuard<'_, T> {
        let call = self.call(How::Upgradable);
        let locked = self.raw.upgradable(TimeLimit::never(call));
        debug_assert!(locked, "a wait without a deadline ends with the lock");
        self.upgradable_guard(call)
    }

    /// Attempts to lock for upgradable reading, without blocking.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_upgradable_read(&self) -> Option<RwLockUpgradableReadGuard<'_, T>> {
        let call = self.call(How::Upgradable);
        self.raw.try_upgradable().then(|| self.upgradable_guard(call))
    }

    /// Attempts to lock for upgradable reading, blocking for `timeout` at most.
    ///
    /// See [time limits](crate#time-limits).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_upgradable_read_for(&self, timeout: Duration) -> Option<RwLockUpgradableReadGuard<'_, T>> {
        let call = self.call(How::Upgradable);
        self.raw.upgradable(TimeLimit::within(timeout, call)).then(|| self.upgradable_guard(call))
    }

    /// Attempts to lock for upgradable reading, blocking until `deadline` at most.
    ///
    /// See [time limits](crate#time-limits).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_upgradable_read_until(&self, deadline: Instant) -> Option<RwLockUpgradableReadGuard<'_, T>> {
        let call = self.call(How::Upgradable);
        self.raw.upgradable(TimeLimit::until(deadline, call)).then(|| self.upgradable_guard(call))
    }

    /// Locks for writing, blocking until all others have left.
    ///
    /// ```
    /// let lock = lockwork::RwLock::new(1);
    /// *lock.write() += 1;
    /// assert_eq!(*lock.read(), 2);
    /// ```
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        let call = self.call(How::Write);
        let locked = self.raw.write(TimeLimit::never(call));
        debug_assert!(locked, "a wait without a deadline ends with the lock");
        self.write_guard(call)
    }

    /// Attempts to lock for writing, without blocking.
    ///
    /// A failure keeps no reader out, not even for a moment. While the call looks for readers that are in
    /// without being counted in the lock (see the implementation notes), other `try_write` and
    /// `try_upgradable_read` fail.
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        let call = self.call(How::Write);
        self.raw.try_write().then(|| self.write_guard(call))
    }

    /// Attempts to lock for writing, blocking for `timeout` at most.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let lock = lockwork::RwLock::new(1);
    /// let reader = lock.read();
    /// assert!(lock.try_write_for(Duration::from_millis(1)).is_none());
    /// // No writer waits any more, so readers come in.
    /// assert!(lock.try_read().is_some());
    /// ```
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_write_for(&self, timeout: Duration) -> Option<RwLockWriteGuard<'_, T>> {
        let call = self.call(How::Write);
        self.raw.write(TimeLimit::within(timeout, call)).then(|| self.write_guard(call))
    }

    /// Attempts to lock for writing, blocking until `deadline` at most.
    ///
    /// See [time limits](crate#time-limits).
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn try_write_until(&self, deadline: Instant) -> Option<RwLockWriteGuard<'_, T>> {
        let call = self.call(How::Write);
        self.raw.write(TimeLimit::until(deadline, call)).then(|| self.write_guard(call))
    }

    /// Notes a call of `lock_all` that is about to read this, among others.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn announce_read(&self, timed: bool) {
        self.call(How::Read).acquiring(timed);
    }

    /// Notes a call of `lock_all` that is about to write this, among others.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn announce_write(&self, timed: bool) {
        self.call(How::Write).acquiring(timed);
    }

    /// Locks as [`read`](Self::read) does, for `lock_all`, which waits for several before one deadline.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn read_before(&self, deadline: &Deadline) -> Option<RwLockReadGuard<'_, T>> {
        let call = self.call(How::Read);
        let token = self.raw.read(Role::Read, TimeLimit::again_before(deadline, call));
        token.map(|token| self.read_guard(token, call))
    }

    /// Locks as [`write`](Self::write) does, for `lock_all`.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn write_before(&self, deadline: &Deadline) -> Option<RwLockWriteGuard<'_, T>> {
        let call = self.call(How::Write);
        self.raw.write(TimeLimit::again_before(deadline, call)).then(|| self.write_guard(call))
    }

    /// Returns what tells this lock from every other: the address of its word, which the value never shares.
    pub(crate) fn address(&self) -> usize {
        (&raw const self.raw).addr()
    }

    /// Returns whether a thread had the lock just now, for reading or for writing; the answer may be out of
    /// date when it is looked at.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.raw.is_locked()
    }

    /// Returns whether a writer had the lock just now. A writer that waits for readers to leave does not have
    /// it yet.
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
        observe::release_forgotten(Kind::RwLock, &self.identity);
        // SAFETY: this function's contract.
        unsafe { self.raw.unlock_write() };
    }

    /// Unlocks as [`force_unlock_write`](Self::force_unlock_write) does, and hands the lock to the first
    /// waiter, if there is one.
    ///
    /// # Safety
    ///
    /// As for [`force_unlock_write`](Self::force_unlock_write).
    pub unsafe fn force_unlock_write_fair(&self) {
        observe::release_forgotten(Kind::RwLock, &self.identity);
        // SAFETY: this function's contract.
        unsafe { self.raw.unlock_write_fair() };
    }

    /// Makes a guard for a lock that is held for writing already, without one.
    ///
    /// # Safety
    ///
    /// The lock is held by a writer, no other guard of it will be used or dropped, and the guard stands in
    /// for the writer.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub unsafe fn make_write_guard_unchecked(&self) -> RwLockWriteGuard<'_, T> {
        observe::release_forgotten(Kind::RwLock, &self.identity);
        self.write_guard(self.call(How::Write))
    }

    /// Makes a guard for a lock that is held by the upgradable reader already, without one.
    ///
    /// # Safety
    ///
    /// The upgradable reader is in, no other guard of it will be used or dropped, and the guard stands in for
    /// it.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub unsafe fn make_upgradable_guard_unchecked(&self) -> RwLockUpgradableReadGuard<'_, T> {
        observe::release_forgotten(Kind::RwLock, &self.identity);
        self.upgradable_guard(self.call(How::Upgradable))
    }

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn call(&self, how: How) -> Call<'_> {
        Call::new(Kind::RwLock, how, &self.identity)
    }

    /// Returns the guard for a lock that was just taken; so are those below.
    #[inline]
    fn read_guard(&self, token: ReadToken, call: Call<'_>) -> RwLockReadGuard<'_, T> {
        // SAFETY: the callers have just locked for reading.
        RwLockReadGuard { inner: unsafe { Guard::new(self, token, call) } }
    }

    #[inline]
    fn upgradable_guard(&self, call: Call<'_>) -> RwLockUpgradableReadGuard<'_, T> {
        // SAFETY: the callers have just locked as the upgradable reader, or stand for it.
        RwLockUpgradableReadGuard { inner: unsafe { Guard::new(self, (), call) } }
    }

    #[inline]
    fn write_guard(&self, call: Call<'_>) -> RwLockWriteGuard<'_, T> {
        // SAFETY: the callers have just locked for writing, or stand for the writer.
        RwLockWriteGuard { inner: unsafe { Guard::new(self, (), call) } }
    }
}
