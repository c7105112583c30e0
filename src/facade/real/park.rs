//! What a thread parks on.

use std::cell::Cell;
use std::panic;
use std::time::Duration;

use super::Deadline;
use crate::facade::platform::thread::{self, Thread};
use crate::facade::platform::{self, thread_local};

/// What one thread parks on in one wait.
///
/// A thread has one park token, and its own code may be using it: the thread that calls `unpark` on the
/// thread for a purpose of its own while we wait must find its token still there afterwards. Two tokens that
/// arrive together are one, so no return of `park` can be known to be ours alone; a wait that parked at all
/// therefore leaves the token set. A token too many is a spurious return, which `thread::park` announces; a
/// token too few would be a hang.
///
/// `std` has no handle for a thread that is so far into its end that its thread-local data are gone, which is
/// where the thread destructors of C libraries run. There a parker has none either, and looks for itself: it
/// yields, then sleeps for longer and longer.
#[derive(Debug)]
pub(crate) struct Parker {
    /// None at a thread's very end.
    thread: Option<Thread>,
    parked: Cell<bool>,
    /// How often a parker without a handle has looked.
    looks: Cell<u32>,
}

/// `park_timeout` has overflowed on some platforms when asked for centuries; no thread notices one wake-up in
/// a day.
const LONGEST_PARK: Duration = Duration::from_secs(24 * 60 * 60);

impl Parker {
    /// Makes one for the calling thread, which is the only one that may call [`park`](Self::park).
    pub(crate) fn new() -> Self {
        Self { thread: own_handle(), parked: Cell::new(false), looks: Cell::new(0) }
    }

    /// Stands in another node of the same thread for the one that is parked.
    #[allow(clippy::unused_self, reason = "in a model it is of the same token")]
    pub(crate) const fn stand_in(&self) -> Self {
        Self { thread: None, parked: Cell::new(false), looks: Cell::new(0) }
    }

    /// Blocks until [`Unparker::unpark`], until the deadline, or until no particular reason.
    pub(crate) fn park(&self, deadline: &Deadline) {
        if self.thread.is_none() {
            return self.nap(deadline);
        }
        self.parked.set(true);
        match deadline.at {
            None => thread::park(),
            Some(at) => {
                let left = at.saturating_duration_since(platform::now());
                thread::park_timeout(left.min(LONGEST_PARK));
            }
        }
    }

    /// Sleeps in the place of [`park`](Self::park), for a thread without a handle.
    #[cold]
    fn nap(&self, deadline: &Deadline) {
        const YIELDS: u32 = 16;
        const SHORTEST: Duration = Duration::from_micros(50);
        /// Times `SHORTEST`, as a power of 2: 6.4 ms.
        const LONGEST: u32 = 7;
        let looks = self.looks.get();
        self.looks.set(looks.saturating_add(1));
        let Some(doublings) = looks.checked_sub(YIELDS) else {
            return thread::yield_now();
        };
        let nap = SHORTEST * (1 << doublings.min(LONGEST));
        let left = deadline.at.map(|at| at.saturating_duration_since(platform::now()));
        thread::sleep(left.map_or(nap, |left| left.min(nap)));
    }

    pub(crate) fn unparker(&self) -> Unparker {
        Unparker(self.thread.clone())
    }
}

impl Drop for Parker {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.as_ref().filter(|_| self.parked.get()) {
            thread.unpark();
        }
    }
}

/// Ends a [`Parker::park`], from another thread, whether or not the parker still exists.
pub(crate) struct Unparker(Option<Thread>);

impl Unparker {
    pub(crate) fn unpark(self) {
        if let Some(thread) = self.0 {
            thread.unpark();
        }
    }
}

thread_local! {
    /// Constant and without a destructor, as the others here: there until the very end of the thread.
    static HAS_NO_HANDLE: Cell<bool> = const { Cell::new(false) };
}

/// Returns the calling thread's handle; none if the thread is so far into its end that it has none any more.
///
/// `std` answers that question by a panic and in no other way. The panic is caught, and not provoked again by
/// the same thread. The panic hook reports it all the same. To have a destructor tell instead would cost each
/// thread an entry in the C library's list of destructors, which it allocates, and all that wait in
/// thread-local destructors their handle. In a program whose panics abort it is worth that.
fn own_handle() -> Option<Thread> {
    if HAS_NO_HANDLE.get() || cfg!(panic = "abort") && at_end() {
        return None;
    }
    // Before the panic: its hook may wait, too, and a panic inside a hook ends the process.
    HAS_NO_HANDLE.set(true);
    let handle = panic::catch_unwind(thread::current).ok();
    HAS_NO_HANDLE.set(handle.is_none());
    handle
}

/// Returns whether the calling thread's thread-local data are being destroyed, or gone. The thread that asks
/// that for the first time when they are gone is not told.
fn at_end() -> bool {
    /// Has a destructor, and so an end.
    struct Canary;

    impl Drop for Canary {
        fn drop(&mut self) {}
    }

    thread_local! {
        static CANARY: Canary = const { Canary };
    }
    CANARY.try_with(|_| ()).is_err()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::mpsc;
    use std::thread;

    use super::at_end;

    /// Asks when it is dropped, and says so.
    struct AsksAtEnd(mpsc::Sender<bool>);

    impl Drop for AsksAtEnd {
        fn drop(&mut self) {
            let _ = self.0.send(at_end());
        }
    }

    thread_local! {
        static BEFORE: Cell<Option<AsksAtEnd>> = const { Cell::new(None) };
    }

    #[test]
    fn thread_that_has_asked_in_its_life_knows_its_end() {
        let (say, said) = mpsc::channel();
        let thread = thread::spawn(move || {
            // Touched before the canary, and so dropped after it where destructors run last to first.
            BEFORE.set(Some(AsksAtEnd(say)));
            assert!(!at_end());
            assert!(!at_end());
        });
        thread.join().unwrap();
        assert!(said.recv().unwrap() || !cfg!(target_os = "linux"));
    }
}
