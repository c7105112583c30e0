//! The locks without payloads and guards, under the traits of the `lock_api` crate (feature `lock_api`).
//!
//! `lock_api` keeps no memory of how a reader came in, so its readers are all counted, and none is visible in
//! a slot.

use std::num::NonZeroUsize;
use std::panic::UnwindSafe;
use std::time::{Duration, Instant};

use ::lock_api as traits;
use traits::GuardNoSend;

use crate::condvar::CondvarGuard;
use crate::condvar::sealed::{Sealed, Waiting};
use crate::facade::{AbortOnUnwind, TimeLimit};
use crate::observe::{Call, Kind, Mode};
use crate::raw::rwlock::Role;
use crate::raw::thread_id::ThreadId;
use crate::raw::{mutex, rwlock};

/// The lock of a [`Mutex`](crate::Mutex) for `lock_api::Mutex` (feature `lock_api`).
///
/// Use it where a type is generic over `lock_api`'s traits. Everywhere else [`Mutex`](crate::Mutex) is
/// simpler.
///
/// # Examples
///
/// ```
/// use std::thread;
///
/// type Mutex<T> = lock_api::Mutex<lockwork::RawMutex, T>;
///
/// static TOTAL: Mutex<u32> = Mutex::new(0);
/// thread::scope(|s| {
///     for _ in 0..2 {
///         s.spawn(|| *TOTAL.lock() += 1);
///     }
/// });
/// assert_eq!(*TOTAL.lock(), 2);
/// ```
///
/// # Blocking, fairness, memory ordering, reentrancy and deadlock, panics
///
/// Those of [`Mutex`](crate::Mutex).
#[derive(Debug)]
pub struct RawMutex(mutex::RawMutex);

/// [`RawMutex`] that always hands the lock to the thread that has waited longest (feature `lock_api`).
///
/// Use it where waiters must be served in their order, at the cost of speed: under contention each unlock
/// waits for another thread to wake up. A thread that comes while no thread waits locks at once.
///
/// # Examples
///
/// ```
/// use std::thread;
///
/// type FairMutex<T> = lock_api::Mutex<lockwork::RawFairMutex, T>;
///
/// let tickets = FairMutex::new(0);
/// thread::scope(|s| {
///     for _ in 0..2 {
///         s.spawn(|| *tickets.lock() += 1);
///     }
/// });
/// assert_eq!(tickets.into_inner(), 2);
/// ```
///
/// # Fairness
///
/// Task-fair: an unlock hands the lock to the first thread in the queue, and the lock is free only
/// if the queue is empty. A thread that spins and has not queued yet has no place in that order.
///
/// # Blocking, memory ordering, reentrancy and deadlock, panics
///
/// Those of [`Mutex`](crate::Mutex).
#[derive(Debug)]
pub struct RawFairMutex(mutex::RawMutex);

/// The lock of an [`RwLock`](crate::RwLock) for `lock_api::RwLock` (feature `lock_api`).
///
/// # Examples
///
/// ```
/// use std::thread;
///
/// type RwLock<T> = lock_api::RwLock<lockwork::RawRwLock, T>;
///
/// static NAMES: RwLock<Vec<&str>> = RwLock::new(Vec::new());
/// let writer = thread::spawn(|| NAMES.write().push("ada"));
/// assert!(NAMES.read().len() <= 1);
/// writer.join().unwrap();
/// let names = NAMES.upgradable_read();
/// assert_eq!(names.len(), NAMES.read().len());
/// ```
///
/// # Blocking, fairness, memory ordering, reentrancy and deadlock, panics
///
/// Those of [`RwLock`](crate::RwLock), with one difference. One reader more than
/// [there may be](crate::RwLock#panics) aborts the process in `lock_shared` and `lock_shared_recursive`: a
/// panic would let a guard of `lock_api` that locks again, such as that of `unlocked`, unlock what it has not
/// locked. The `try_` forms refuse, and `downgrade_upgradable` panics, as there.
///
/// # Implementation notes
///
/// `lock_api` does not tell a lock which of its readers leaves, so they all count themselves in the lock's
/// own word: many readers at a time are slower than those of [`RwLock`](crate::RwLock), which leave the word
/// alone.
#[derive(Debug)]
pub struct RawRwLock(rwlock::RawRwLock<()>);

// A panic leaves no lock half changed.
impl UnwindSafe for RawMutex {}
impl UnwindSafe for RawFairMutex {}
impl UnwindSafe for RawRwLock {}

/// Tells threads apart for `lock_api::ReentrantMutex` (feature `lock_api`), by numbers that are never used
/// again.
///
/// # Examples
///
/// ```
/// use lockwork::{RawMutex, RawThreadId};
/// use std::cell::Cell;
/// use std::thread;
///
/// type ReentrantMutex<T> = lock_api::ReentrantMutex<RawMutex, RawThreadId, T>;
///
/// let visits = ReentrantMutex::new(Cell::new(0));
/// thread::scope(|s| {
///     for _ in 0..2 {
///         s.spawn(|| {
///             let outer = visits.lock();
///             let inner = visits.lock();
///             inner.set(outer.get() + 1);
///         });
///     }
/// });
/// assert_eq!(visits.lock().get(), 2);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct RawThreadId;

/// Locks. lock_api's guards do so on their own account, after `unlocked`, and go on to unlock whether or not
/// it has worked; so a panic (of a lock that has as many readers as it can count) must not get out.
#[inline]
fn or_abort<R>(lock: impl FnOnce() -> R) -> R {
    let abort = AbortOnUnwind;
    let result = lock();
    abort.disarm();
    result
}

macro_rules! raw_mutex {
    ($name:ident, $unlock:ident) => {
        // SAFETY: `raw::mutex` excludes: the thread that has locked has the lock until it unlocks.
        unsafe impl traits::RawMutex for $name {
            #[allow(clippy::declare_interior_mutable_const, reason = "how lock_api makes locks in constants")]
            const INIT: Self = Self(mutex::RawMutex::new());

            type GuardMarker = GuardNoSend;

            #[inline]
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            fn lock(&self) {
                let call = Call::at(Kind::Mutex, Mode::Lock, self);
                or_abort(|| self.0.lock(call));
            }

            #[inline]
            fn try_lock(&self) -> bool {
                self.0.try_lock()
            }

            #[inline]
            unsafe fn unlock(&self) {
                // SAFETY: this function's contract: the lock is held, and given up.
                unsafe { self.0.$unlock() };
            }

            #[inline]
            fn is_locked(&self) -> bool {
                self.0.is_locked()
            }
        }

        // SAFETY: as above.
        unsafe impl traits::RawMutexFair for $name {
            #[inline]
            unsafe fn unlock_fair(&self) {
                // SAFETY: this function's contract: the lock is held, and given up.
                unsafe { self.0.unlock_fair() };
            }

            #[inline]
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            unsafe fn bump(&self) {
                if self.0.has_waiters() {
                    // SAFETY: this function's contract: the lock is held.
                    unsafe { self.0.unlock_fair() };
                    let call = Call::at(Kind::Mutex, Mode::Lock, self);
                    or_abort(|| self.0.lock(call));
                }
            }
        }

        // SAFETY: as above.
        unsafe impl traits::RawMutexTimed for $name {
            type Duration = Duration;
            type Instant = Instant;

            #[inline]
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            fn try_lock_for(&self, timeout: Duration) -> bool {
                self.0.lock_until(TimeLimit::within(timeout, Call::at(Kind::Mutex, Mode::Lock, self)))
            }

            #[inline]
            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            fn try_lock_until(&self, deadline: Instant) -> bool {
                self.0.lock_until(TimeLimit::until(deadline, Call::at(Kind::Mutex, Mode::Lock, self)))
            }
        }
    };
}

raw_mutex!(RawMutex, unlock);
raw_mutex!(RawFairMutex, unlock_fair);

// SAFETY: numbers of threads are never used again, so no two are the same.
unsafe impl traits::GetThreadId for RawThreadId {
    const INIT: Self = Self;

    #[inline]
    fn nonzero_thread_id(&self) -> NonZeroUsize {
        let number = ThreadId::current().get();
        // Two threads must not be taken for one where addresses are short.
        let number = usize::try_from(number).expect("RawThreadId: more threads than a usize can number");
        NonZeroUsize::new(number).expect("numbers of threads begin at one")
    }
}

// SAFETY: `raw::rwlock` excludes the writer from all threads, and the upgradable reader from its like. All
// readers are counted here, so each leaves as one that was.
unsafe impl traits::RawRwLock for RawRwLock {
    #[allow(clippy::declare_interior_mutable_const, reason = "how lock_api makes locks in constants")]
    const INIT: Self = Self(rwlock::RawRwLock::new(()));

    type GuardMarker = GuardNoSend;

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn lock_shared(&self) {
        let call = Call::at(Kind::RwLock, Mode::Read, self);
        or_abort(|| {
            if !self.0.read(Role::Read, TimeLimit::never(call)) {
                rwlock::too_many_readers("RawRwLock::lock_shared");
            }
        });
    }

    #[inline]
    fn try_lock_shared(&self) -> bool {
        self.0.try_read(Role::Read)
    }

    #[inline]
    unsafe fn unlock_shared(&self) {
        // SAFETY: this function's contract: a reader is in, counted, and leaves.
        unsafe { self.0.unlock_counted() };
    }

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn lock_exclusive(&self) {
        let call = Call::at(Kind::RwLock, Mode::Write, self);
        let locked = or_abort(|| self.0.write(TimeLimit::never(call)));
        debug_assert!(locked, "a wait without a deadline ends with the lock");
    }

    #[inline]
    fn try_lock_exclusive(&self) -> bool {
        self.0.try_write()
    }

    #[inline]
    unsafe fn unlock_exclusive(&self) {
        // SAFETY: this function's contract: the writer is in, and leaves.
        unsafe { self.0.unlock_write() };
    }

    #[inline]
    fn is_locked(&self) -> bool {
        self.0.is_locked()
    }

    #[inline]
    fn is_locked_exclusive(&self) -> bool {
        self.0.is_write_locked()
    }
}

// SAFETY: as above.
unsafe impl traits::RawRwLockFair for RawRwLock {
    #[inline]
    unsafe fn unlock_shared_fair(&self) {
        // SAFETY: this function's contract: a reader is in, counted, and leaves.
        unsafe { self.0.unlock_counted_fair() };
    }

    #[inline]
    unsafe fn unlock_exclusive_fair(&self) {
        // SAFETY: this function's contract: the writer is in, and leaves.
        unsafe { self.0.unlock_write_fair() };
    }

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    unsafe fn bump_shared(&self) {
        if self.0.has_waiters() {
            // SAFETY: this function's contract: a reader is in, counted.
            unsafe { self.0.unlock_counted_fair() };
            traits::RawRwLock::lock_shared(self);
        }
    }

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    unsafe fn bump_exclusive(&self) {
        if self.0.has_waiters() {
            // SAFETY: this function's contract: the writer is in.
            unsafe { self.0.unlock_write_fair() };
            traits::RawRwLock::lock_exclusive(self);
        }
    }
}

// SAFETY: as above: the writer becomes a counted reader, with no thread in between.
unsafe impl traits::RawRwLockDowngrade for RawRwLock {
    #[inline]
    unsafe fn downgrade(&self) {
        // SAFETY: this function's contract: the writer is in.
        unsafe { self.0.downgrade() };
    }
}

// SAFETY: as above.
unsafe impl traits::RawRwLockTimed for RawRwLock {
    type Duration = Duration;
    type Instant = Instant;

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn try_lock_shared_for(&self, timeout: Duration) -> bool {
        self.0.read(Role::Read, TimeLimit::within(timeout, Call::at(Kind::RwLock, Mode::Read, self)))
    }

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn try_lock_shared_until(&self, deadline: Instant) -> bool {
        self.0.read(Role::Read, TimeLimit::until(deadline, Call::at(Kind::RwLock, Mode::Read, self)))
    }

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn try_lock_exclusive_for(&self, timeout: Duration) -> bool {
        self.0.write(TimeLimit::within(timeout, Call::at(Kind::RwLock, Mode::Write, self)))
    }

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn try_lock_exclusive_until(&self, deadline: Instant) -> bool {
        self.0.write(TimeLimit::until(deadline, Call::at(Kind::RwLock, Mode::Write, self)))
    }
}

// SAFETY: as above; a reader that is in does not keep such a reader out, whatever thread waits.
unsafe impl traits::RawRwLockRecursive for RawRwLock {
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn lock_shared_recursive(&self) {
        let call = Call::at(Kind::RwLock, Mode::ReadRecursive, self);
        or_abort(|| {
            if !self.0.read(Role::ReadAgain, TimeLimit::never(call)) {
                rwlock::too_many_readers("RawRwLock::lock_shared_recursive");
            }
        });
    }

    #[inline]
    fn try_lock_shared_recursive(&self) -> bool {
        self.0.try_read(Role::ReadAgain)
    }
}

// SAFETY: as above.
unsafe impl traits::RawRwLockRecursiveTimed for RawRwLock {
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn try_lock_shared_recursive_for(&self, timeout: Duration) -> bool {
        self.0.read(
            Role::ReadAgain,
            TimeLimit::within(timeout, Call::at(Kind::RwLock, Mode::ReadRecursive, self)),
        )
    }

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn try_lock_shared_recursive_until(&self, deadline: Instant) -> bool {
        self.0.read(
            Role::ReadAgain,
            TimeLimit::until(deadline, Call::at(Kind::RwLock, Mode::ReadRecursive, self)),
        )
    }
}

// SAFETY: as above: there is one upgradable reader at a time, and it becomes the writer with no other in
// between.
unsafe impl traits::RawRwLockUpgrade for RawRwLock {
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn lock_upgradable(&self) {
        let call = Call::at(Kind::RwLock, Mode::Upgradable, self);
        let locked = or_abort(|| self.0.upgradable(TimeLimit::never(call)));
        debug_assert!(locked, "a wait without a deadline ends with the lock");
    }

    #[inline]
    fn try_lock_upgradable(&self) -> bool {
        self.0.try_upgradable()
    }

    #[inline]
    unsafe fn unlock_upgradable(&self) {
        // SAFETY: this function's contract: the upgradable reader is in, and leaves.
        unsafe { self.0.unlock_upgradable() };
    }

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    unsafe fn upgrade(&self) {
        // SAFETY: this function's contract: the upgradable reader is in.
        let upgraded =
            unsafe { self.0.upgrade(TimeLimit::never(Call::at(Kind::RwLock, Mode::Upgrade, self))) };
        debug_assert!(upgraded, "a wait without a deadline ends with the lock");
    }

    #[inline]
    unsafe fn try_upgrade(&self) -> bool {
        // SAFETY: this function's contract: the upgradable reader is in.
        unsafe { self.0.try_upgrade() }
    }
}

// SAFETY: as above.
unsafe impl traits::RawRwLockUpgradeFair for RawRwLock {
    #[inline]
    unsafe fn unlock_upgradable_fair(&self) {
        // SAFETY: this function's contract: the upgradable reader is in, and leaves.
        unsafe { self.0.unlock_upgradable_fair() };
    }

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    unsafe fn bump_upgradable(&self) {
        if self.0.has_waiters() {
            // SAFETY: this function's contract: the upgradable reader is in.
            unsafe { self.0.unlock_upgradable_fair() };
            traits::RawRwLockUpgrade::lock_upgradable(self);
        }
    }
}

// SAFETY: as above: the upgradable reader becomes a counted one, and the writer the upgradable reader.
unsafe impl traits::RawRwLockUpgradeDowngrade for RawRwLock {
    #[inline]
    unsafe fn downgrade_upgradable(&self) {
        // SAFETY: this function's contract: the upgradable reader is in.
        if !unsafe { self.0.downgrade_upgradable() } {
            // lock_api's guard still is the upgradable one's, and unlocks as such.
            rwlock::too_many_readers("RawRwLock::downgrade_upgradable");
        }
    }

    #[inline]
    unsafe fn downgrade_to_upgradable(&self) {
        // SAFETY: this function's contract: the writer is in.
        unsafe { self.0.downgrade_to_upgradable() };
    }
}

// SAFETY: as above.
unsafe impl traits::RawRwLockUpgradeTimed for RawRwLock {
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn try_lock_upgradable_for(&self, timeout: Duration) -> bool {
        self.0.upgradable(TimeLimit::within(timeout, Call::at(Kind::RwLock, Mode::Upgradable, self)))
    }

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn try_lock_upgradable_until(&self, deadline: Instant) -> bool {
        self.0.upgradable(TimeLimit::until(deadline, Call::at(Kind::RwLock, Mode::Upgradable, self)))
    }

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    unsafe fn try_upgrade_for(&self, timeout: Duration) -> bool {
        // SAFETY: this function's contract: the upgradable reader is in.
        unsafe { self.0.upgrade(TimeLimit::within(timeout, Call::at(Kind::RwLock, Mode::Upgrade, self))) }
    }

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    unsafe fn try_upgrade_until(&self, deadline: Instant) -> bool {
        // SAFETY: this function's contract: the upgradable reader is in.
        unsafe { self.0.upgrade(TimeLimit::until(deadline, Call::at(Kind::RwLock, Mode::Upgrade, self))) }
    }
}

impl<T: ?Sized> Sealed for traits::MutexGuard<'_, RawMutex, T> {}

impl<T: ?Sized> CondvarGuard for traits::MutexGuard<'_, RawMutex, T> {
    type Value = T;

    fn condvar_wait(&mut self, waiting: Waiting<'_>) -> bool {
        // SAFETY: the guard has the lock, and has it again when the wait returns.
        let raw = unsafe { traits::MutexGuard::mutex(self).raw() };
        // The guard unlocks whether or not the wait has locked again, so a panic must not get out. No
        // closure, in which the caller's line would be lost.
        let abort = AbortOnUnwind;
        // SAFETY: as above.
        let notified = unsafe { waiting.on(&raw.0) };
        abort.disarm();
        notified
    }

    fn condvar_value(&mut self) -> &mut T {
        self
    }
}

/// A mutex that always hands the lock to the thread that has waited longest (feature `lock_api`):
/// `parking_lot`'s name for a `lock_api::Mutex` on [`RawFairMutex`].
pub type FairMutex<T> = traits::Mutex<RawFairMutex, T>;

/// The guard of a [`FairMutex`].
pub type FairMutexGuard<'a, T> = traits::MutexGuard<'a, RawFairMutex, T>;

/// The guard of a part of what a [`FairMutex`] guards.
pub type MappedFairMutexGuard<'a, T> = traits::MappedMutexGuard<'a, RawFairMutex, T>;
