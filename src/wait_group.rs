//! [`WaitGroup`].

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::facade::TimeLimit;
use crate::latch::Latch;
use crate::mutex::Mutex;
use crate::observe::{Call, Kind, Mode};

/// A group of threads that can be waited for: each has a handle, and waiting ends when all others have
/// dropped theirs.
///
/// Use it to wait for threads whose number is not known beforehand, since each handle can be cloned. Where it
/// is known a [`Latch`] allocates nothing.
///
/// # Examples
///
/// ```
/// use lockwork::WaitGroup;
/// use std::thread;
///
/// let group = WaitGroup::new();
/// for _ in 0..4 {
///     let member = group.clone();
///     thread::spawn(move || {
///         // works, and
///         drop(member);
///     });
/// }
/// group.wait();
/// ```
///
/// A walk through a tree, in which each thread starts more of them. The handle is dropped on every way out,
/// panics included, so the wait cannot miss one:
///
/// ```
/// use lockwork::{Mutex, WaitGroup};
/// use std::sync::Arc;
/// use std::{thread, time::Duration};
///
/// fn visit(depth: usize, seen: Arc<Mutex<usize>>, member: WaitGroup) {
///     *seen.lock() += 1;
///     for _ in 0..depth {
///         let (seen, member) = (Arc::clone(&seen), member.clone());
///         thread::spawn(move || visit(depth - 1, seen, member));
///     }
/// }
///
/// let (seen, group) = (Arc::new(Mutex::new(0)), WaitGroup::new());
/// visit(3, Arc::clone(&seen), group.clone());
/// while !group.wait_for(Duration::from_secs(10)) {
///     println!("still walking, {} seen", seen.lock());
/// }
/// assert_eq!(*seen.lock(), 16);
/// ```
///
/// # Blocking
///
/// A wait spins briefly and [parks](crate#how-a-thread-waits). Making a group allocates, cloning a handle
/// does not. Dropping a handle never blocks.
///
/// # Fairness
///
/// All waiting threads are released at once, in the order in which they came.
///
/// # Memory ordering
///
/// What a thread did before it dropped its handle, or waited with it, happens before the return of a wait
/// that saw all of them gone.
///
/// # Reentrancy and deadlock
///
/// A thread that waits while it has a second handle of the same group waits for itself.
///
/// # Differences from `std` and `parking_lot`
///
/// Neither has one. From `crossbeam_utils::sync::WaitGroup`: time-outs.
///
/// # Implementation notes
///
/// A shared [`Latch`] whose count is the number of members. It is open for good when that is 0.
pub struct WaitGroup {
    latch: Arc<Latch>,
    /// How many threads wait with this handle, which is no member as long as there are any.
    absent: Mutex<usize>,
}

impl WaitGroup {
    /// Makes a group with one member, the handle that is returned.
    #[must_use]
    pub fn new() -> Self {
        Self::member_of(Arc::new(Latch::new(1)))
    }

    fn member_of(latch: Arc<Latch>) -> Self {
        Self { latch, absent: Mutex::hidden(0) }
    }

    /// Leaves the group and waits until all others have left it or wait as well.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn wait(self) {
        let latch = Arc::clone(&self.latch);
        drop(self);
        latch.wait_within(TimeLimit::never(Call::at(Kind::WaitGroup, Mode::Wait, &*latch)));
    }

    /// Blocks until all others have left the group or wait as well, for `timeout` at most. Returns whether
    /// they have.
    ///
    /// While a thread waits with it, the handle does not count as a member, so that two threads that wait do
    /// not wait for each other. If the time is up it is a member again; nothing is lost, and others who wait
    /// still wait for it. If the answer is `true` the group is over for good: further waits return at once,
    /// with this handle and with its clones.
    ///
    /// See [time limits](crate#time-limits).
    ///
    /// ```
    /// use lockwork::WaitGroup;
    /// use std::time::Duration;
    ///
    /// let group = WaitGroup::new();
    /// let member = group.clone();
    /// assert!(!group.wait_for(Duration::from_millis(1)));
    /// drop(member);
    /// assert!(group.wait_for(Duration::from_millis(1)));
    /// ```
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn wait_for(&self, timeout: Duration) -> bool {
        self.wait_without_membership(TimeLimit::within(timeout, self.call()))
    }

    /// Blocks until all others have left the group or wait as well, until `deadline` at most. See
    /// [`wait_for`](Self::wait_for).
    ///
    /// See [time limits](crate#time-limits).
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn wait_until(&self, deadline: Instant) -> bool {
        self.wait_without_membership(TimeLimit::until(deadline, self.call()))
    }

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn call(&self) -> Call<'_> {
        Call::at(Kind::WaitGroup, Mode::Wait, &*self.latch)
    }

    fn wait_without_membership(&self, limit: TimeLimit<'_>) -> bool {
        /// Becomes a member again when the wait is over, however that ends, and no other thread waits with
        /// the handle.
        struct Absent<'a>(&'a WaitGroup);

        impl Drop for Absent<'_> {
            fn drop(&mut self) {
                let mut absent = self.0.absent.lock();
                *absent -= 1;
                if *absent == 0 {
                    self.0.latch.count_up();
                }
            }
        }

        let mut absent = self.absent.lock();
        *absent += 1;
        if *absent == 1 {
            self.latch.count_down();
        }
        drop(absent);
        let absent = Absent(self);
        self.latch.wait_within(limit);
        drop(absent);
        // The last word: the group can have ended until the moment in which this handle became a member
        // again.
        self.latch.is_open()
    }
}

impl Clone for WaitGroup {
    /// Adds a member. In a group that is over it is a handle that waits for no thread.
    ///
    /// # Panics
    ///
    /// If the group has `usize::MAX` members, which takes handles that were forgotten.
    fn clone(&self) -> Self {
        let latch = Arc::clone(&self.latch);
        latch.count_up();
        Self::member_of(latch)
    }
}

impl Drop for WaitGroup {
    fn drop(&mut self) {
        self.latch.count_down();
    }
}

impl Default for WaitGroup {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for WaitGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitGroup").field("members", &self.latch.count()).finish()
    }
}
