//! [`assert_held`] and [`assert_nothing_held`].

use crate::guard::Lock;
use crate::mutex::Mutex;
use crate::observe::{Identity, Kind, assert_held_by_caller, assert_no_lock_held};
use crate::poison;
use crate::reentrant::ReentrantMutex;
use crate::rwlock::RwLock;

mod sealed {
    use super::{Identity, Kind};

    /// Makes a trait one of this crate's own.
    #[allow(unnameable_types, reason = "that is what it is for")]
    pub trait Sealed {
        #[doc(hidden)]
        fn held_as(&self) -> Asked<'_>;
    }

    /// Which lock is asked about, and whether any thread has locked it.
    #[allow(unnameable_types, reason = "as above")]
    #[derive(Debug)]
    pub struct Asked<'a> {
        pub(super) kind: Kind,
        pub(super) identity: &'a Identity,
        pub(super) is_locked: bool,
    }
}

use sealed::{Asked, Sealed};

/// A lock about which [`assert_held`] can ask. Sealed: it cannot be implemented elsewhere.
pub trait Lockable: Sealed {}

macro_rules! lockable {
    ($($lock:ty: $kind:ident;)+) => { $(
        impl<T: ?Sized> Sealed for $lock {
            #[inline]
            fn held_as(&self) -> Asked<'_> {
                Asked { kind: Kind::$kind, identity: self.identity(), is_locked: self.is_locked() }
            }
        }

        impl<T: ?Sized> Lockable for $lock {}
    )+ };
}

lockable! {
    Mutex<T>: Mutex;
    RwLock<T>: RwLock;
    ReentrantMutex<T>: ReentrantMutex;
    poison::Mutex<T>: Mutex;
    poison::RwLock<T>: RwLock;
}

/// States that the calling thread holds `lock`, in whatever mode.
///
/// For a function that relies on its caller's lock and is not given the guard. With the feature `diagnose`,
/// and while a session of diagnosis runs, it is checked; otherwise this does nothing.
///
/// # Panics
///
/// If it is checked, and the thread does not hold the lock. What cannot be known counts as held: a lock that
/// was locked before the session began, as long as any thread has it; one that others read; one whose `Arc`
/// guard is alive.
///
/// # Examples
///
/// ```
/// use lockwork::{Mutex, assert_held};
/// use std::thread;
///
/// static JOURNAL: Mutex<()> = Mutex::named("journal", ());
///
/// /// To be called with the journal locked.
/// fn append(line: &str) {
///     assert_held(&JOURNAL);
///     println!("{line}");
/// }
///
/// thread::scope(|s| {
///     for line in ["one", "two"] {
///         s.spawn(move || {
///             let _journal = JOURNAL.lock();
///             append(line);
///         });
///     }
/// });
/// ```
#[inline]
#[cfg_attr(any(feature = "diagnose", loom), track_caller)]
pub fn assert_held<L: Lockable + ?Sized>(lock: &L) {
    if crate::observe::is_checked() {
        let Asked { kind, identity, is_locked } = lock.held_as();
        assert_held_by_caller(kind, identity, is_locked);
    }
}

/// States that the calling thread holds no lock and no permit.
///
/// For a call into code of others: a callback, a join, a request over a network. With the feature `diagnose`,
/// and while a session of diagnosis runs, it is checked; otherwise this does nothing. What was locked before
/// the session began is not known.
///
/// An `Arc` guard and an [`ArcSemaphorePermit`](crate::ArcSemaphorePermit) do not count, as they may have
/// gone to another thread; but those of a `ReentrantMutex` do, as they cannot. A
/// [`SemaphorePermit`](crate::SemaphorePermit) counts for the thread that has acquired it, also where it was
/// given to a thread of a scope.
///
/// # Panics
///
/// If it is checked, and the thread holds something; the message says what, and where it was locked.
///
/// # Examples
///
/// ```
/// use lockwork::{Mutex, assert_nothing_held};
/// use std::thread;
///
/// static LISTENERS: Mutex<Vec<fn(u32)>> = Mutex::named("listeners", Vec::new());
///
/// fn notify(event: u32) {
///     let listeners = LISTENERS.get_cloned();
///     assert_nothing_held();
///     listeners.iter().for_each(|listener| listener(event));
/// }
///
/// LISTENERS.lock().push(|event| println!("{event}"));
/// thread::spawn(|| notify(1)).join().unwrap();
/// ```
#[inline]
#[cfg_attr(any(feature = "diagnose", loom), track_caller)]
pub fn assert_nothing_held() {
    if crate::observe::is_checked() {
        assert_no_lock_held();
    }
}
