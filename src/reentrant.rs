//! [`ReentrantMutex`] and its guards.

use std::fmt;
use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop};
use std::ops::Deref;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::facade::{Deadline, Payload, Reading, const_fn};
use crate::mutex::{run_and_lock, show_value};
use crate::raw::reentrant::RawReentrantMutex;

/// A mutual exclusion lock that the thread which holds it may lock again.
///
/// Each lock gives a guard, and the lock is free for other threads when the holder has dropped all of its guards. As
/// several guards of one thread may be alive at once, they give shared access to the value: put a [`Cell`] or a
/// [`RefCell`] into the lock to change it.
///
/// Use it where code that holds the lock calls code that takes it as well, and the two cannot be told apart: callbacks,
/// a logger that is called while it logs, an interface whose methods call each other. Elsewhere a
/// [`Mutex`](crate::Mutex) is simpler, gives exclusive access to the value, and works with a
/// [`Condvar`](crate::Condvar).
///
/// [`Cell`]: std::cell::Cell
/// [`RefCell`]: std::cell::RefCell
///
/// # Examples
///
/// ```
/// use lockwork::ReentrantMutex;
///
/// let mutex = ReentrantMutex::new(5);
/// let outer = mutex.lock();
/// let inner = mutex.lock();
/// assert_eq!(*outer + *inner, 10);
/// assert_eq!(mutex.hold_count(), 2);
/// ```
///
/// Methods that lock and call each other. Between the two steps of a transfer no other thread sees the account:
///
/// ```
/// use lockwork::ReentrantMutex;
/// use std::{cell::Cell, thread};
///
/// #[derive(Default)]
/// struct Account {
///     balance: ReentrantMutex<Cell<i64>>,
/// }
///
/// impl Account {
///     fn add(&self, amount: i64) {
///         let balance = self.balance.lock();
///         balance.set(balance.get() + amount);
///     }
///
///     fn add_with_fee(&self, amount: i64) {
///         let _all_of_it = self.balance.lock();
///         self.add(amount);
///         self.add(-1);
///     }
/// }
///
/// let account = Account::default();
/// thread::scope(|s| {
///     for _ in 0..4 {
///         s.spawn(|| account.add_with_fee(100));
///     }
/// });
/// assert_eq!(account.balance.lock().get(), 4 * 99);
/// ```
///
/// # Blocking
///
/// The holder never waits. Another thread waits as for a [`Mutex`](crate::Mutex#blocking): it looks and yields a few
/// times, then queues and parks, and allocates nothing.
///
/// # Fairness
///
/// That of [`Mutex`](crate::Mutex#fairness), among threads. The holder locks again whatever other threads wait.
///
/// # Memory ordering
///
/// What a thread did before it unlocked for the last time happens before what the next holder does.
///
/// # Reentrancy and deadlock
///
/// Locking again in the thread that holds it always succeeds. Two threads that each hold what the other wants wait for
/// ever: lock in one order everywhere. A guard that is forgotten keeps the lock held by its thread, also when the
/// thread has ended: no later thread is taken for it.
/// Held while a task is joined, it lets the task in: [what the types cannot tell you](crate::guide::limits).
///
/// # Panics
///
/// A lock, timed or not, panics in a thread that holds the lock `u32::MAX` times, which takes forgotten guards; nothing has
/// changed then. A panic while a guard is alive unlocks what that guard has locked; there is no poisoning.
///
/// # Differences from `std` and `parking_lot`
///
/// `std` has one that is not stable, without timed forms. From `parking_lot::ReentrantMutex`:
/// [`hold_count`](Self::hold_count); threads are told apart by numbers that are never used again, where an address may
/// be; the `Arc` guards need no feature.
///
/// # Implementation notes
///
/// The word of a [`Mutex`](crate::Mutex), the number of the thread that holds it, and how often it does. A nested lock
/// compares that number with the thread's own and counts, a nested unlock counts, and neither does so atomically. The
/// argument why that is enough stands at the head of `src/raw/reentrant.rs` and in `docs/waiting.md`.
pub struct ReentrantMutex<T: ?Sized> {
    raw: RawReentrantMutex,
    value: Payload<T>,
}

// SAFETY: the value goes with the mutex, so `T: Send` is needed, and is enough.
unsafe impl<T: ?Sized + Send> Send for ReentrantMutex<T> {}
// SAFETY: a mutex gives its value to one thread at a time, however many guards that thread has, so `T: Send` is enough.
unsafe impl<T: ?Sized + Send> Sync for ReentrantMutex<T> {}

impl<T: ?Sized> UnwindSafe for ReentrantMutex<T> {}
impl<T: ?Sized> RefUnwindSafe for ReentrantMutex<T> {}

impl<T> ReentrantMutex<T> {
    const_fn! {
        /// Makes an unlocked mutex that guards `value`.
        ///
        /// ```
        /// use lockwork::ReentrantMutex;
        /// use std::cell::Cell;
        ///
        /// static CALLS: ReentrantMutex<Cell<u32>> = ReentrantMutex::new(Cell::new(0));
        /// assert_eq!(CALLS.lock().get(), 0);
        /// ```
        #[must_use]
        #[inline]
        pub fn new(value: T) -> Self {
            Self { raw: RawReentrantMutex::new(), value: Payload::new(value) }
        }
    }

    /// Takes the value out. No locking: the mutex is owned.
    #[must_use]
    #[inline]
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> ReentrantMutex<T> {
    /// Locks, waiting for as long as it takes; at once if this thread holds the lock already.
    ///
    /// # Panics
    ///
    /// If this thread holds the lock `u32::MAX` times already.
    ///
    /// ```
    /// let mutex = lockwork::ReentrantMutex::new("ada");
    /// let outer = mutex.lock();
    /// assert_eq!(*mutex.lock(), *outer);
    /// ```
    #[inline]
    #[track_caller]
    pub fn lock(&self) -> ReentrantMutexGuard<'_, T> {
        self.raw.lock("lock");
        self.guard()
    }

    /// Locks if no other thread holds the lock just now; never waits.
    ///
    /// # Panics
    ///
    /// If this thread holds the lock `u32::MAX` times already.
    ///
    /// ```
    /// use lockwork::ReentrantMutex;
    /// use std::thread;
    ///
    /// let mutex = ReentrantMutex::new(1);
    /// let guard = mutex.lock();
    /// assert!(mutex.try_lock().is_some());
    /// thread::scope(|s| {
    ///     s.spawn(|| assert!(mutex.try_lock().is_none()));
    /// });
    /// ```
    #[inline]
    #[track_caller]
    pub fn try_lock(&self) -> Option<ReentrantMutexGuard<'_, T>> {
        self.raw.try_lock("try_lock").then(|| self.guard())
    }

    /// Locks, waiting `timeout` at most. [`Duration::ZERO`] tries once, [`Duration::MAX`] waits for ever.
    ///
    /// A call whose turn comes before the time is up succeeds, and one that gives up leaves nothing behind. The holder
    /// succeeds at once, whatever the timeout.
    ///
    /// # Panics
    ///
    /// If this thread holds the lock `u32::MAX` times already.
    ///
    /// ```
    /// use lockwork::ReentrantMutex;
    /// use std::{thread, time::Duration};
    ///
    /// let mutex = ReentrantMutex::new(1);
    /// let guard = mutex.lock();
    /// assert!(mutex.try_lock_for(Duration::ZERO).is_some());
    /// thread::scope(|s| {
    ///     s.spawn(|| assert!(mutex.try_lock_for(Duration::from_millis(1)).is_none()));
    /// });
    /// ```
    #[inline]
    #[track_caller]
    pub fn try_lock_for(&self, timeout: Duration) -> Option<ReentrantMutexGuard<'_, T>> {
        self.raw.lock_until(|| Deadline::after(timeout), "try_lock_for").then(|| self.guard())
    }

    /// Locks, waiting until `deadline` at most. A deadline in the past tries once.
    ///
    /// # Panics
    ///
    /// If this thread holds the lock `u32::MAX` times already.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// let mutex = lockwork::ReentrantMutex::new(1);
    /// assert!(mutex.try_lock_until(Instant::now() + Duration::from_secs(1)).is_some());
    /// ```
    #[inline]
    #[track_caller]
    pub fn try_lock_until(&self, deadline: Instant) -> Option<ReentrantMutexGuard<'_, T>> {
        self.raw.lock_until(|| Deadline::at(deadline), "try_lock_until").then(|| self.guard())
    }

    /// [`lock`](Self::lock) with a guard that keeps the mutex alive.
    ///
    /// # Panics
    ///
    /// If this thread holds the lock `u32::MAX` times already.
    ///
    /// ```
    /// use lockwork::ReentrantMutex;
    /// use std::sync::Arc;
    ///
    /// let mutex = Arc::new(ReentrantMutex::new(1));
    /// let guard = mutex.lock_arc();
    /// drop(mutex);
    /// assert_eq!(*guard, 1);
    /// ```
    #[inline]
    #[track_caller]
    pub fn lock_arc(self: &Arc<Self>) -> ArcReentrantMutexGuard<T> {
        self.raw.lock("lock_arc");
        self.guard_arc()
    }

    /// [`try_lock`](Self::try_lock) with a guard that keeps the mutex alive.
    ///
    /// # Panics
    ///
    /// If this thread holds the lock `u32::MAX` times already.
    #[inline]
    #[track_caller]
    pub fn try_lock_arc(self: &Arc<Self>) -> Option<ArcReentrantMutexGuard<T>> {
        self.raw.try_lock("try_lock_arc").then(|| self.guard_arc())
    }

    /// [`try_lock_for`](Self::try_lock_for) with a guard that keeps the mutex alive.
    ///
    /// # Panics
    ///
    /// If this thread holds the lock `u32::MAX` times already.
    #[inline]
    #[track_caller]
    pub fn try_lock_arc_for(self: &Arc<Self>, timeout: Duration) -> Option<ArcReentrantMutexGuard<T>> {
        self.raw.lock_until(|| Deadline::after(timeout), "try_lock_arc_for").then(|| self.guard_arc())
    }

    /// [`try_lock_until`](Self::try_lock_until) with a guard that keeps the mutex alive.
    ///
    /// # Panics
    ///
    /// If this thread holds the lock `u32::MAX` times already.
    #[inline]
    #[track_caller]
    pub fn try_lock_arc_until(self: &Arc<Self>, deadline: Instant) -> Option<ArcReentrantMutexGuard<T>> {
        self.raw.lock_until(|| Deadline::at(deadline), "try_lock_arc_until").then(|| self.guard_arc())
    }

    /// The value. No locking: the mutex is borrowed exclusively.
    #[inline]
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// Where the value lives. The thread that dereferences it answers for holding the lock, and for the guards' shared
    /// references to the value.
    #[must_use]
    #[inline]
    pub const fn data_ptr(&self) -> *mut T {
        self.value.as_ptr()
    }

    /// Returns whether a thread held the lock just now, this thread included; for others it may be otherwise by the time the
    /// answer is looked at.
    #[must_use]
    #[inline]
    pub fn is_locked(&self) -> bool {
        self.raw.is_locked()
    }

    /// Returns whether this thread holds the lock. Exact: no other thread can change that.
    ///
    /// ```
    /// let mutex = lockwork::ReentrantMutex::new(1);
    /// assert!(!mutex.is_owned_by_current_thread());
    /// let guard = mutex.lock();
    /// assert!(mutex.is_owned_by_current_thread());
    /// ```
    #[must_use]
    #[inline]
    pub fn is_owned_by_current_thread(&self) -> bool {
        self.raw.is_owned_by_current_thread()
    }

    /// How often this thread holds the lock: as many guards of it has it to drop until others may have it. 0 if it does
    /// not hold it, whatever other thread does.
    ///
    /// ```
    /// let mutex = lockwork::ReentrantMutex::new(1);
    /// assert_eq!(mutex.hold_count(), 0);
    /// let outer = mutex.lock();
    /// let inner = mutex.lock();
    /// assert_eq!(mutex.hold_count(), 2);
    /// drop(outer);
    /// assert_eq!(mutex.hold_count(), 1);
    /// ```
    #[must_use]
    #[inline]
    pub fn hold_count(&self) -> usize {
        self.raw.hold_count() as usize
    }

    /// Unlocks once without a guard, after the guard was given to [`mem::forget`].
    ///
    /// # Safety
    ///
    /// This thread holds the lock, and gives up one level of it: there is one guard fewer that will be used or dropped
    /// than [`hold_count`](Self::hold_count) says.
    pub unsafe fn force_unlock(&self) {
        // SAFETY: this function's contract.
        unsafe { self.raw.unlock() };
    }

    /// [`force_unlock`](Self::force_unlock) that, at the last level, hands the lock to the first waiter, if there is one.
    ///
    /// # Safety
    ///
    /// As for [`force_unlock`](Self::force_unlock).
    pub unsafe fn force_unlock_fair(&self) {
        // SAFETY: this function's contract.
        unsafe { self.raw.unlock_fair() };
    }

    /// A guard for a level of the lock that is held already, without one.
    ///
    /// # Safety
    ///
    /// This thread holds the lock, and there is one guard fewer that will be used or dropped than
    /// [`hold_count`](Self::hold_count) says.
    pub unsafe fn make_guard_unchecked(&self) -> ReentrantMutexGuard<'_, T> {
        self.guard()
    }

    /// [`make_guard_unchecked`](Self::make_guard_unchecked) with a guard that keeps the mutex alive.
    ///
    /// # Safety
    ///
    /// As for [`make_guard_unchecked`](Self::make_guard_unchecked).
    pub unsafe fn make_arc_guard_unchecked(self: &Arc<Self>) -> ArcReentrantMutexGuard<T> {
        self.guard_arc()
    }

    crate::facade::model_only! {
        pub(crate) fn has_waiters_now(&self) -> bool {
            self.raw.has_waiters_now()
        }
    }

    /// The guard for a level that was just taken.
    #[inline]
    fn guard(&self) -> ReentrantMutexGuard<'_, T> {
        ReentrantMutexGuard { mutex: self, access: self.value.read(), marker: PhantomData }
    }

    #[inline]
    fn guard_arc(self: &Arc<Self>) -> ArcReentrantMutexGuard<T> {
        ArcReentrantMutexGuard { access: self.value.read(), mutex: Arc::clone(self), marker: PhantomData }
    }

    /// Gives up one level, runs `f`, and takes a level again, whatever happens. `access` is that of the guard whose
    /// level it is.
    fn unlocked<R>(&self, access: &mut Reading, f: impl FnOnce() -> R) -> R {
        self.released(access, |raw| {
            // SAFETY: the guard has a level, and `released` lets us give it up for a while.
            unsafe { raw.unlock() };
            run_and_lock(|| raw.lock("unlocked"), f)
        })
    }

    /// [`unlocked`](Self::unlocked) that hands the lock over.
    fn unlocked_fair<R>(&self, access: &mut Reading, f: impl FnOnce() -> R) -> R {
        self.released(access, |raw| {
            // SAFETY: the guard has a level, and `released` lets us give it up for a while.
            unsafe { raw.unlock_fair() };
            run_and_lock(|| raw.lock("unlocked_fair"), f)
        })
    }

    /// For a guard with `access`, which has a level.
    fn bump(&self, access: &mut Reading) {
        // SAFETY: the guard has a level, and is this thread's.
        if unsafe { self.raw.keeps_others_waiting() } {
            self.unlocked_fair(access, || ());
        }
    }

    /// Runs `f` while a guard with `access` gives no access to the value. `f` may give up the guard's level, and must
    /// have taken one again when it returns or panics.
    #[inline]
    fn released<R>(&self, access: &mut Reading, f: impl FnOnce(&RawReentrantMutex) -> R) -> R {
        access.end();
        let result = f(&self.raw);
        *access = self.value.read();
        result
    }
}

const_fn! {
    /// [`ReentrantMutex::new`] under the name that `parking_lot` has for it.
    #[must_use]
    #[inline]
    pub fn const_reentrant_mutex<T>(value: T) -> ReentrantMutex<T> {
        ReentrantMutex::new(value)
    }
}

impl<T: Default> Default for ReentrantMutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for ReentrantMutex<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for ReentrantMutex<T> {
    /// Shows the value, or `<locked>` if another thread holds the lock: never blocks.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ReentrantMutex");
        match self.try_lock() {
            Some(guard) => shown.field("data", &&*guard),
            None => shown.field("data", &format_args!("<locked>")),
        }
        .finish()
    }
}

/// The right to read the value of a [`ReentrantMutex`], given by [`ReentrantMutex::lock`] and its kin. Dropping it
/// unlocks once.
///
/// Not [`Send`]: the lock belongs to the thread. The guards of one thread may be dropped in any order. The methods are
/// associated functions, called as `ReentrantMutexGuard::map(guard, ..)`, so that they never hide one of the value's own.
/// A [`Condvar`](crate::Condvar) does not take it: another guard of the same thread could be looking at the value while
/// the wait lets others in.
///
/// ```compile_fail
/// # use lockwork::{Condvar, ReentrantMutex};
/// let mutex = ReentrantMutex::new(1);
/// Condvar::new().wait(&mut mutex.lock());
/// ```
///
/// ```no_run
/// # use lockwork::{Condvar, Mutex};
/// let mutex = Mutex::new(1);
/// Condvar::new().wait(&mut mutex.lock());
/// ```
#[must_use = "the lock is released as soon as the guard is dropped"]
#[clippy::has_significant_drop]
pub struct ReentrantMutexGuard<'a, T: ?Sized> {
    mutex: &'a ReentrantMutex<T>,
    access: Reading,
    /// Not `Send`.
    marker: PhantomData<*const ()>,
}

// SAFETY: a shared guard gives shared access to the value, and so does the mutex that `remutex` gives: the thread that locks
// that gets a `&T`, for which `T: Sync` is enough. Nothing that unlocks goes by a shared guard.
unsafe impl<T: ?Sized + Sync> Sync for ReentrantMutexGuard<'_, T> {}

impl<'a, T: ?Sized> ReentrantMutexGuard<'a, T> {
    /// The mutex that this guard has locked.
    #[must_use]
    pub fn remutex(this: &Self) -> &'a ReentrantMutex<T> {
        this.mutex
    }

    /// Narrows the guard to a part of the value.
    ///
    /// ```
    /// use lockwork::{ReentrantMutex, ReentrantMutexGuard};
    ///
    /// let pair = ReentrantMutex::new((1, "one"));
    /// let number = ReentrantMutexGuard::map(pair.lock(), |pair| &pair.0);
    /// assert_eq!(*number, 1);
    /// ```
    pub fn map<U: ?Sized, F>(this: Self, f: F) -> MappedReentrantMutexGuard<'a, U>
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
    ///
    /// ```
    /// use lockwork::{ReentrantMutex, ReentrantMutexGuard};
    ///
    /// let list = ReentrantMutex::new(vec![1, 2, 3]);
    /// let last = ReentrantMutexGuard::try_map(list.lock(), |list| list.last());
    /// assert_eq!(*last.unwrap(), 3);
    /// assert!(ReentrantMutexGuard::try_map(list.lock(), |list| list.get(9)).is_err());
    /// ```
    pub fn try_map<U: ?Sized, F>(this: Self, f: F) -> Result<MappedReentrantMutexGuard<'a, U>, Self>
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
        mut this: Self,
        f: F,
    ) -> Result<MappedReentrantMutexGuard<'a, U>, (Self, E)>
    where
        F: FnOnce(&T) -> Result<&U, E>,
    {
        // SAFETY: the guard, which we own, has the lock. If `f` panics, the guard is dropped as usual.
        match f(unsafe { &*this.mutex.value.as_ptr() }) {
            Err(error) => Err((this, error)),
            Ok(part) => {
                let part = NonNull::from(part);
                let (raw, access) = (&this.mutex.raw, this.access.take());
                mem::forget(this);
                Ok(MappedReentrantMutexGuard { raw, part, access, marker: PhantomData })
            }
        }
    }

    /// Unlocks once and, if this was the thread's last guard, hands the lock to the first thread in the queue, if there
    /// is one. See [`MutexGuard::unlock_fair`](crate::MutexGuard::unlock_fair) for what that costs.
    ///
    /// ```
    /// use lockwork::{ReentrantMutex, ReentrantMutexGuard};
    ///
    /// let mutex = ReentrantMutex::new(1);
    /// ReentrantMutexGuard::unlock_fair(mutex.lock());
    /// assert!(!mutex.is_locked());
    /// ```
    pub fn unlock_fair(mut this: Self) {
        this.access.end();
        // SAFETY: the guard has a level, and goes without its drop.
        unsafe { this.mutex.raw.unlock_fair() };
        mem::forget(this);
    }

    /// Unlocks once, runs `f`, and locks again, also if `f` panics.
    ///
    /// Other threads get in only if this is the thread's one guard: those further out keep the lock. Whether that is so
    /// [`hold_count`](ReentrantMutex::hold_count) tells beforehand.
    ///
    /// ```
    /// use lockwork::{ReentrantMutex, ReentrantMutexGuard};
    ///
    /// let mutex = ReentrantMutex::new(1);
    /// let mut outer = mutex.lock();
    /// ReentrantMutexGuard::unlocked(&mut outer, || assert!(!mutex.is_locked()));
    ///
    /// let mut inner = mutex.lock();
    /// ReentrantMutexGuard::unlocked(&mut inner, || assert_eq!(mutex.hold_count(), 1));
    /// ```
    pub fn unlocked<F, U>(this: &mut Self, f: F) -> U
    where
        F: FnOnce() -> U,
    {
        this.mutex.unlocked(&mut this.access, f)
    }

    /// [`unlocked`](Self::unlocked) that, if this is the thread's one guard, hands the lock to the first waiter, if
    /// there is one.
    pub fn unlocked_fair<F, U>(this: &mut Self, f: F) -> U
    where
        F: FnOnce() -> U,
    {
        this.mutex.unlocked_fair(&mut this.access, f)
    }

    /// Lets the first waiter have the lock and takes it again behind it. Does nothing if no thread waits, or if this is
    /// not the thread's one guard: the others keep the lock.
    ///
    /// ```
    /// use lockwork::{ReentrantMutex, ReentrantMutexGuard};
    ///
    /// let mutex = ReentrantMutex::new(vec![1, 2, 3]);
    /// let mut list = mutex.lock();
    /// for i in 0..list.len() {
    ///     println!("{}", list[i]);
    ///     ReentrantMutexGuard::bump(&mut list);
    /// }
    /// ```
    #[track_caller]
    pub fn bump(this: &mut Self) {
        this.mutex.bump(&mut this.access);
    }
}

impl<T: ?Sized> Deref for ReentrantMutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard's thread has the lock, and all guards give shared access.
        unsafe { &*self.mutex.value.as_ptr() }
    }
}

impl<T: ?Sized> Drop for ReentrantMutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.access.end();
        // SAFETY: the guard has a level, is this thread's, and is gone now.
        unsafe { self.mutex.raw.unlock() };
    }
}

/// The right to read a part of the value of a [`ReentrantMutex`], made by [`ReentrantMutexGuard::map`]. Dropping it
/// unlocks once.
#[must_use = "the lock is released as soon as the guard is dropped"]
#[clippy::has_significant_drop]
pub struct MappedReentrantMutexGuard<'a, U: ?Sized> {
    raw: &'a RawReentrantMutex,
    part: NonNull<U>,
    access: Reading,
    /// Shared access to the part, and not `Send`: the pointer sees to the latter.
    marker: PhantomData<&'a U>,
}

// SAFETY: a shared guard gives shared access to the part and nothing else.
unsafe impl<U: ?Sized + Sync> Sync for MappedReentrantMutexGuard<'_, U> {}

impl<'a, U: ?Sized> MappedReentrantMutexGuard<'a, U> {
    /// Narrows the guard further. See [`ReentrantMutexGuard::map`].
    pub fn map<V: ?Sized, F>(this: Self, f: F) -> MappedReentrantMutexGuard<'a, V>
    where
        F: FnOnce(&U) -> &V,
    {
        match Self::try_map(this, |part| Some(f(part))) {
            Ok(mapped) => mapped,
            Err(_) => unreachable!("the part is always there"),
        }
    }

    /// Narrows the guard further, if there is such a part. See [`ReentrantMutexGuard::try_map`].
    ///
    /// # Errors
    ///
    /// Gives the guard back if `f` returns `None`.
    pub fn try_map<V: ?Sized, F>(this: Self, f: F) -> Result<MappedReentrantMutexGuard<'a, V>, Self>
    where
        F: FnOnce(&U) -> Option<&V>,
    {
        Self::try_map_or_err(this, |part| f(part).ok_or(())).map_err(|(this, ())| this)
    }

    /// Narrows the guard further, or says why it cannot be. See [`ReentrantMutexGuard::try_map_or_err`].
    ///
    /// # Errors
    ///
    /// Gives the guard back, with what `f` returned.
    pub fn try_map_or_err<V: ?Sized, F, E>(
        mut this: Self,
        f: F,
    ) -> Result<MappedReentrantMutexGuard<'a, V>, (Self, E)>
    where
        F: FnOnce(&U) -> Result<&V, E>,
    {
        // SAFETY: the guard, which we own, has the lock. If `f` panics, the guard is dropped as usual.
        match f(unsafe { this.part.as_ref() }) {
            Err(error) => Err((this, error)),
            Ok(part) => {
                let part = NonNull::from(part);
                let (raw, access) = (this.raw, this.access.take());
                mem::forget(this);
                Ok(MappedReentrantMutexGuard { raw, part, access, marker: PhantomData })
            }
        }
    }

    /// Unlocks once and, at the last level, hands the lock over. See [`ReentrantMutexGuard::unlock_fair`].
    pub fn unlock_fair(mut this: Self) {
        this.access.end();
        // SAFETY: the guard has a level, and goes without its drop.
        unsafe { this.raw.unlock_fair() };
        mem::forget(this);
    }
}

impl<U: ?Sized> Deref for MappedReentrantMutexGuard<'_, U> {
    type Target = U;

    #[inline]
    fn deref(&self) -> &U {
        // SAFETY: the guard's thread has the lock, and all guards give shared access.
        unsafe { self.part.as_ref() }
    }
}

impl<U: ?Sized> Drop for MappedReentrantMutexGuard<'_, U> {
    #[inline]
    fn drop(&mut self) {
        self.access.end();
        // SAFETY: the guard has a level, is this thread's, and is gone now.
        unsafe { self.raw.unlock() };
    }
}

/// A guard that keeps its [`ReentrantMutex`] alive, given by [`ReentrantMutex::lock_arc`] and its kin. Dropping it
/// unlocks once.
///
/// It borrows nothing, so it can be stored; but it is not [`Send`], unlike [`ArcMutexGuard`](crate::ArcMutexGuard): the
/// lock belongs to the thread.
#[must_use = "the lock is released as soon as the guard is dropped"]
#[clippy::has_significant_drop]
pub struct ArcReentrantMutexGuard<T: ?Sized> {
    access: Reading,
    mutex: Arc<ReentrantMutex<T>>,
    /// Neither `Send` nor `Sync` by itself.
    marker: PhantomData<*const ()>,
}

// SAFETY: a shared guard gives shared access to the value, so `T: Sync`; and clones of the `Arc`, which may be the last
// to go and take the value with them, so `T: Send`.
unsafe impl<T: ?Sized + Send + Sync> Sync for ArcReentrantMutexGuard<T> {}

impl<T: ?Sized> ArcReentrantMutexGuard<T> {
    /// The mutex that this guard has locked.
    #[must_use]
    pub fn remutex(this: &Self) -> &Arc<ReentrantMutex<T>> {
        &this.mutex
    }

    /// Unlocks once and returns the mutex.
    #[must_use]
    pub fn into_arc(mut this: Self) -> Arc<ReentrantMutex<T>> {
        this.access.end();
        // SAFETY: the guard has a level, and goes without its drop.
        unsafe { this.mutex.raw.unlock() };
        this.without_drop()
    }

    /// [`unlock_fair`](Self::unlock_fair) that returns the mutex.
    #[must_use]
    pub fn into_arc_fair(mut this: Self) -> Arc<ReentrantMutex<T>> {
        this.access.end();
        // SAFETY: the guard has a level, and goes without its drop.
        unsafe { this.mutex.raw.unlock_fair() };
        this.without_drop()
    }

    /// Unlocks once and, at the last level, hands the lock over. See [`ReentrantMutexGuard::unlock_fair`].
    pub fn unlock_fair(this: Self) {
        drop(Self::into_arc_fair(this));
    }

    /// Unlocks once, runs `f`, and locks again, also if `f` panics. See [`ReentrantMutexGuard::unlocked`].
    pub fn unlocked<F, U>(this: &mut Self, f: F) -> U
    where
        F: FnOnce() -> U,
    {
        this.mutex.unlocked(&mut this.access, f)
    }

    /// [`unlocked`](Self::unlocked) that hands the lock over. See [`ReentrantMutexGuard::unlocked_fair`].
    pub fn unlocked_fair<F, U>(this: &mut Self, f: F) -> U
    where
        F: FnOnce() -> U,
    {
        this.mutex.unlocked_fair(&mut this.access, f)
    }

    /// Lets the first waiter have the lock and takes it again behind it. See [`ReentrantMutexGuard::bump`].
    #[track_caller]
    pub fn bump(this: &mut Self) {
        this.mutex.bump(&mut this.access);
    }

    fn without_drop(self) -> Arc<ReentrantMutex<T>> {
        let this = ManuallyDrop::new(self);
        // SAFETY: `this` is neither dropped nor used any more.
        unsafe { ptr::read(&raw const this.mutex) }
    }
}

impl<T: ?Sized> Deref for ArcReentrantMutexGuard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard's thread has the lock, and all guards give shared access.
        unsafe { &*self.mutex.value.as_ptr() }
    }
}

impl<T: ?Sized> Drop for ArcReentrantMutexGuard<T> {
    #[inline]
    fn drop(&mut self) {
        self.access.end();
        // SAFETY: the guard has a level, is this thread's, and is gone now.
        unsafe { self.mutex.raw.unlock() };
    }
}

show_value!(ReentrantMutexGuard<'_, T>, MappedReentrantMutexGuard<'_, T>, ArcReentrantMutexGuard<T>);

#[cfg(test)]
mod tests {
    use std::mem;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;
    use std::time::Duration;

    use super::ReentrantMutex;
    use crate::raw::reentrant::MAX_DEPTH;

    /// 2^32 guards are too many for a test to make: the count begins near its end here.
    #[test]
    fn one_lock_too_many_panics_and_changes_nothing() {
        let mutex = Arc::new(ReentrantMutex::new(7));
        mem::forget(mutex.lock());
        mutex.raw.set_hold_count(MAX_DEPTH - 1);
        let last = mutex.lock();
        assert_eq!(mutex.hold_count(), MAX_DEPTH as usize);

        let calls: [(&str, &dyn Fn()); 6] = [
            ("lock", &|| mem::forget(mutex.lock())),
            ("try_lock", &|| mem::forget(mutex.try_lock())),
            ("try_lock_for", &|| mem::forget(mutex.try_lock_for(Duration::MAX))),
            ("lock_arc", &|| mem::forget(mutex.lock_arc())),
            ("try_lock_arc", &|| mem::forget(mutex.try_lock_arc())),
            ("try_lock_arc_for", &|| mem::forget(mutex.try_lock_arc_for(Duration::ZERO))),
        ];
        for (name, call) in calls {
            let payload = catch_unwind(AssertUnwindSafe(call)).expect_err(name);
            let message = payload.downcast::<String>().expect("a message");
            assert!(message.starts_with(&format!("ReentrantMutex::{name}: ")), "{message}");
            assert_eq!(mutex.hold_count(), MAX_DEPTH as usize);
            assert_eq!(Arc::strong_count(&mutex), 1);
        }
        assert_eq!(*last, 7);
        drop(last);
        assert_eq!(mutex.hold_count(), MAX_DEPTH as usize - 1);
        drop(mutex.lock());
        mutex.raw.set_hold_count(1);
        // SAFETY: one level, whose guard was forgotten.
        unsafe { mutex.force_unlock() };
        assert!(!mutex.is_locked());
    }
}
