//! A lock that the thread which holds it may take again: the plain lock, its owner, and how often.
//!
//! | `mutex` | `owner` | `depth` | meaning |
//! |---|---|---|---|
//! | free | NO_OWNER | 0 | free |
//! | held | NO_OWNER | 0 | a thread has just taken it, or is about to release it |
//! | held | a thread | 0 | its owner has stored its number, and is about to write 1; or has given up its last level |
//! | held | a thread | n > 0 | held by that thread, which has to unlock n times |
//!
//! A thread that waits does so in `mutex` and nowhere else: what stands at its head holds for waiters,
//! wake-ups and time-outs.
//!
//! Invariants:
//!
//! 1. A thread's number stands in `owner` only while that thread holds `mutex`, and no other thread ever
//!    stores it there. So a thread that reads its own number holds the lock: its own later store of NO_OWNER
//!    would be read instead. And one that holds the lock reads its own number: it is the last that was
//!    stored, by itself. What any other thread reads, old or new, is not its own number, and tells it just
//!    that.
//! 2. `depth` is touched by the thread whose number stands in `owner`, and by no other thread.
//! 3. `owner` is NO_OWNER, or `depth` is the number of levels still to be unlocked, whenever code of a caller
//!    runs.
//!
//! Ordering: invariant 1 is coherence of a single word, so all accesses to `owner` are Relaxed. What travels
//! from one owner to the next, `depth` included, travels on `mutex.unlock`.
//!
//! Promised upward: exclusion of other threads; a nested lock is a read of the thread's number, a load, a
//! comparison and an increment; a nested unlock is a decrement and a test. Fairness and time-outs are those
//! of `mutex`.
//!
//! Limits: [`MAX_DEPTH`] levels, and one more panics before anything has changed. A thread that ends without
//! having unlocked leaves the lock held for good: no other thread has its number.

use crate::facade::atomic::AtomicU64;
use crate::facade::atomic::Ordering::Relaxed;
use crate::facade::{TimeLimit, UnsafeCell, const_fn};
use crate::observe::Call;
use crate::raw::mutex::RawMutex;
use crate::raw::thread_id::ThreadId;

/// No thread's number, and not 0, which stands for that of a thread without one.
const NO_OWNER: u64 = u64::MAX;

/// How often a thread may hold the lock at once.
pub(crate) const MAX_DEPTH: u32 = u32::MAX;

#[derive(Debug)]
pub(crate) struct RawReentrantMutex {
    mutex: RawMutex,
    owner: AtomicU64,
    depth: UnsafeCell<u32>,
}

// SAFETY: `depth` alone is not `Sync`, and is touched by the owner only (invariant 2), each after the one
// before (mutex.unlock).
unsafe impl Sync for RawReentrantMutex {}

#[cold]
#[inline(never)]
#[track_caller]
fn too_deep(call: &str) -> ! {
    panic!("ReentrantMutex::{call}: this thread has locked it {MAX_DEPTH} times without unlocking it")
}

impl RawReentrantMutex {
    const_fn! {
        pub(crate) fn new() -> Self {
            Self { mutex: RawMutex::new(), owner: AtomicU64::new(NO_OWNER), depth: UnsafeCell::new(0) }
        }
    }

    pub(crate) fn is_locked(&self) -> bool {
        self.mutex.is_locked()
    }

    #[inline]
    pub(crate) fn is_owned_by_current_thread(&self) -> bool {
        // A thread that has no number yet holds nothing, and 0 never stands in `owner`: no branch for it.
        let me = ThreadId::known().map_or(0, ThreadId::get);
        // Relaxed: only the thread itself makes this true or false (invariant 1).
        self.owner.load(Relaxed) == me
    }

    /// Returns how often the calling thread holds the lock.
    #[inline]
    pub(crate) fn hold_count(&self) -> u32 {
        if self.is_owned_by_current_thread() {
            // SAFETY: the calling thread is the owner (invariant 2).
            self.depth.with(|depth| unsafe { *depth })
        } else {
            0
        }
    }

    /// Locks, once more if the calling thread has locked it. `name` is what the user called, for the panic.
    #[inline]
    #[track_caller]
    pub(crate) fn lock(&self, name: &'static str, call: Call<'_>) {
        if self.is_owned_by_current_thread() {
            self.nest(name);
        } else {
            let me = ThreadId::current();
            self.mutex.lock(call);
            self.own(me);
        }
    }

    #[inline]
    #[track_caller]
    pub(crate) fn try_lock(&self, call: &'static str) -> bool {
        if self.is_owned_by_current_thread() {
            self.nest(call);
            return true;
        }
        let me = ThreadId::current();
        let locked = self.mutex.try_lock();
        if locked {
            self.own(me);
        }
        locked
    }

    /// Locks within the limit. Returns whether it could.
    #[inline]
    #[track_caller]
    pub(crate) fn lock_until(&self, limit: TimeLimit<'_>, call: &'static str) -> bool {
        if self.is_owned_by_current_thread() {
            self.nest(call);
            return true;
        }
        let me = ThreadId::current();
        let locked = self.mutex.lock_until(limit);
        if locked {
            self.own(me);
        }
        locked
    }

    /// Adds one level, for the owner.
    #[inline]
    #[track_caller]
    fn nest(&self, call: &'static str) {
        // SAFETY: the calling thread is the owner (invariant 2).
        let depth = self.depth.with(|depth| unsafe { *depth });
        let Some(deeper) = depth.checked_add(1) else {
            too_deep(call);
        };
        // SAFETY: as above.
        self.depth.with_mut(|depth| unsafe { *depth = deeper });
    }

    /// Takes the first level, for a thread that has just locked `mutex`.
    #[inline]
    fn own(&self, me: ThreadId) {
        // Relaxed: read for what it is by this thread only (invariant 1).
        self.owner.store(me.get(), Relaxed);
        // SAFETY: the calling thread is the owner now (invariant 2).
        self.depth.with_mut(|depth| unsafe { *depth = 1 });
    }

    /// # Safety
    ///
    /// The calling thread holds the lock, and gives up one level of it.
    #[inline]
    pub(crate) unsafe fn unlock(&self) {
        // SAFETY: this function's contract.
        if unsafe { self.leave() } {
            // SAFETY: the calling thread holds `mutex`, and has given up its last level.
            unsafe { self.mutex.unlock() };
        }
    }

    /// Unlocks and, if that was the last level, hands the lock to the first waiter, if there is one.
    ///
    /// # Safety
    ///
    /// The calling thread holds the lock, and gives up one level of it.
    pub(crate) unsafe fn unlock_fair(&self) {
        // SAFETY: this function's contract.
        if unsafe { self.leave() } {
            // SAFETY: the calling thread holds `mutex`, and has given up its last level.
            unsafe { self.mutex.unlock_fair() };
        }
    }

    /// Gives up one level. Returns whether that was the last, in which case the caller must unlock `mutex`.
    ///
    /// # Safety
    ///
    /// The calling thread holds the lock, and gives up one level of it.
    #[inline]
    unsafe fn leave(&self) -> bool {
        // SAFETY: the calling thread is the owner (invariant 2).
        let left = self.depth.with(|depth| unsafe { *depth }) - 1;
        // SAFETY: as above.
        self.depth.with_mut(|depth| unsafe { *depth = left });
        if left == 0 {
            // Relaxed: this thread must not take itself for the owner any more, and is the only one to ask
            // that (invariant 1). Before the unlock: afterwards it could overwrite the next owner's number.
            self.owner.store(NO_OWNER, Relaxed);
        }
        left == 0
    }

    /// Returns whether giving up one level would let a waiter in. Advice only.
    ///
    /// # Safety
    ///
    /// The calling thread holds the lock.
    pub(crate) unsafe fn keeps_others_waiting(&self) -> bool {
        // SAFETY: the calling thread is the owner (invariant 2).
        let depth = self.depth.with(|depth| unsafe { *depth });
        depth == 1 && self.mutex.has_waiters()
    }

    crate::facade::only! { model:
        pub(crate) fn has_waiters_now(&self) -> bool {
            self.mutex.has_waiters_now()
        }
    }

    /// Makes the owner hold the lock that often.
    #[cfg(test)]
    pub(crate) fn set_hold_count(&self, depth: u32) {
        assert!(self.is_owned_by_current_thread());
        // SAFETY: the calling thread is the owner (invariant 2).
        self.depth.with_mut(|old| unsafe { *old = depth });
    }
}
