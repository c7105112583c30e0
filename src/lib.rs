//! Blocking synchronization primitives for threads, with a time-out on every wait.
//!
//! | to | use |
//! |---|---|
//! | change a value from several threads, one at a time | [`Mutex`] |
//! | read a value from many threads and change it now and then | [`RwLock`] |
//! | lock in code that may have the lock already | [`ReentrantMutex`] |
//! | lock several locks at once, in whatever order others lock them | [`lock_all`] |
//! | wait until a guarded value has become something | [`Condvar`] |
//! | tell any number of threads that something has happened | [`Event`] |
//! | let one thread through for each signal | [`AutoResetEvent`] |
//! | let a number of threads meet, round after round | [`Barrier`] |
//! | wait until a number of things have happened | [`Latch`] |
//! | wait until all threads that have a handle are done | [`WaitGroup`] |
//! | let so many threads at a time do something | [`Semaphore`] |
//! | hand items from producers to consumers, with back-pressure | [`BoundedBuffer`] |
//! | the same by priority, or last in first out | [`PriorityBuffer`], [`StackBuffer`] |
//! | hand items over by halves whose drop ends it | [`channel`] |
//! | run tasks on a fixed number of threads (feature `threads`) | [`ThreadPool`], [`Task`], [`as_completed`] |
//! | run a loop on a thread that can be asked to stop (feature `threads`) | [`Worker`] |
//! | ask threads to stop, and get them out of whatever they wait for | [`StopSource`], [`StopToken`] |
//! | wait for the first of several: signals, permits, items, room, tasks | [`wait_any`] |
//! | run something once, and have the other threads wait for it | [`Once`] |
//! | make a value once, when it is first needed | [`LazyLock`], [`OnceLock`] |
//! | have a value for each thread that dies with it | [`ThreadCell`] |
//! | have a value for each thread and collect them all | [`ThreadLocal`] |
//! | go on with `std`'s signatures, poisoning and all | [`poison`] |
//!
//! ```
//! use lockwork::{Condvar, Mutex};
//! use std::{thread, time::Duration};
//!
//! static STOCK: Mutex<u32> = Mutex::new(0);
//! static DELIVERED: Condvar = Condvar::new();
//!
//! thread::spawn(|| {
//!     *STOCK.lock() += 10;
//!     DELIVERED.notify_one();
//! });
//! let mut stock = STOCK.lock();
//! let limit = Duration::from_secs(10);
//! let result = DELIVERED.wait_while_for(&mut stock, |stock| *stock == 0, limit);
//! assert!(!result.timed_out());
//! *stock -= 1;
//! ```
//!
//! # Rules for everything
//!
//! * Each wait for one thing has a form with a [time limit](#time-limits), with the exceptions named there.
//! * Mutexes and reader-writer locks never poison: a panic while a guard is alive unlocks. Those of
//!   [`poison`] do.
//! * Waits return for the reason that their documentation gives and for no other: there are no spurious
//!   wake-ups.
//! * `new` is a `const fn`, so a static can hold it, except where making it allocates: a [`Barrier`] with an
//!   action, a [`WaitGroup`], a [`StopSource`], a channel, a pool.
//! * Without the features `diagnose` and `threads` there is no background thread, and no global state but
//!   counters, two bytes by which all threads learn that yielding takes long just now, and a table of sixteen
//!   kilobytes in which readers of [`RwLock`]s are visible to writers, with a bit for each of its lines.
//!   Where there are no 64-bit atomics there is also a table of four kilobytes in their place. There is no
//!   dependency.
//! * A call that releases other threads (an unlock, a `set`, permits given back, a buffer's `close`) never
//!   sleeps. Exceptions are calls that lock a mutex to do it: those of a [`PriorityBuffer`] or a
//!   [`StackBuffer`], `close_now`, `task_done`, the end of a task, all calls for a pool's queue (`shutdown`
//!   and `cancel`, too), and [`StopSource::stop`], which runs callbacks as well; the drop of a channel's last
//!   receiver, which drops what is queued and waits for a sender that is about to queue more; and a put into
//!   or a get from a buffer or a channel, `try_put` and `try_get` too, that meets an item which another
//!   thread is about to write or to take: it looks again until that is done, and sleeps between looks if that
//!   thread has been interrupted.
//!
//! # Time limits
//!
//! Each wait for one thing has a form that ends after a [`Duration`](std::time::Duration) (`_for`) and one
//! that ends at an [`Instant`](std::time::Instant) (`_until`). The exceptions:
//!
//! * iterators, `put_all` and `ThreadPool::map`, which wait again and again;
//! * calls that run an initialiser, or wait for another thread's: [`Once::call_once`],
//!   [`OnceLock::get_or_init`], [`OnceLock::set`]. Timed are [`Once::wait_for`], [`OnceLock::wait_for`] and
//!   [`LazyLock::wait_for`], of which the last may itself run the initialiser, to its end;
//! * short forms: `get_cloned`, `set` and `replace` of a [`Mutex`] or an [`RwLock`],
//!   [`Latch::arrive_and_wait`], [`Once::wait_force`], [`wait_any_fair`];
//! * locking again: at the end of a guard's `unlocked`, `unlocked_fair` and `bump`, and of a timed wait of a
//!   [`Condvar`], which returns with the mutex locked;
//! * waits for what still runs: drops of a [`StopGuard`], a worker and a pool, the end of
//!   `ThreadPool::scope`, and [`StopSource::stop`], which runs callbacks; and `Scope::spawn`.
//!
//! The rules for all others:
//!
//! * A duration of zero, or an instant in the past, does not block: the call does what the `try_` form does,
//!   or looks once. (A [`Condvar`] unlocks and locks again then, and a timed join of a worker or a pool gives
//!   threads that are about to end some milliseconds.)
//! * `Duration::MAX`, or any time of a century or more, is no limit.
//! * Whether the time counts in which a machine was
//!   [suspended](guide::limits#time-that-a-machine-was-suspended) depends on the system.
//! * A call whose turn came before its deadline succeeds, and one that timed out leaves nothing behind,
//!   except that it breaks the round of a [`Barrier`].
//!
//! # How a thread waits
//!
//! A call that has to wait spins briefly, yields its processor a few times, and then parks: it sleeps until
//! it is woken or its time is up. A call that queues behind others parks at once. A place in a queue is on
//! the stack of the thread that waits, so waiting allocates nothing. (Two things do: a slice given to
//! [`lock_all`], or one of more than eight given to [`wait_any`]; and the handle that `std` makes once for a
//! thread it has not started.) Spinning and yielding are bounded, and their length is no part of a
//! contract; `docs/numbers.md` in the repository has each number with what it is worth, and `docs/waiting.md`
//! the protocol with the argument why no wake-up is lost.
//!
//! A thread's own [`park`](std::thread::park) token is never lost to a call of this crate. It may be found
//! set although no thread has set it, which `park` announces.
//!
//! # Barging with bounded hand-off
//!
//! This is how [`Mutex`], [`RwLock`], [`ReentrantMutex`] and the locks of [`poison`] choose the next holder.
//! A free lock goes to the thread that comes first, even if others wait, because handing it to a thread that
//! sleeps would leave it idle until that thread is awake, and soon all would sleep for it (a lock convoy). A
//! waiter that has been the first of its queue for a
//! while (`docs/numbers.md` says how long) is handed the lock by one of the next unlocks. So every waiter
//! gets its turn; a timed call gets it before its deadline if the lock is released often enough until then.
//! The `_fair` forms of unlocking, and `bump`, hand the lock over at once.
//!
//! # What the types cannot tell you
//!
//! [One page](guide::limits) has it:
//!
//! * [signal handlers](guide::limits#signal-handlers), in which nothing of this crate may be called,
//!   [`fork`](guide::limits#fork), and [a lock in a global
//!   allocator](guide::limits#a-lock-in-a-global-allocator);
//! * waits [at a thread's very end](guide::limits#at-a-threads-very-end), in destructors of C libraries;
//! * [who may free a primitive by raw pointer](guide::limits#who-may-free-a-primitive-by-raw-pointer);
//! * whether time limits count [the time that a machine was
//!   suspended](guide::limits#time-that-a-machine-was-suspended);
//! * [panic hooks](guide::limits#a-panic-hook-runs-before-the-guard-is-dropped), which run before the guard
//!   is dropped;
//! * pools: [in a static when `main` returns](guide::limits#a-process-ends-with-main), and [two that wait for
//!   each other's tasks](guide::limits#two-pools-that-wait-for-each-others-tasks);
//! * [a `ReentrantMutex` held while a task is
//!   joined](guide::limits#a-reentrantmutex-held-across-taskjoin);
//! * [what a `ThreadLocal` keeps](guide::limits#what-a-threadlocal-keeps) of threads that have ended;
//! * [an iterator that waits for an
//!   answer](guide::limits#an-iterator-that-waits-for-an-answer-inside-put_all) inside
//!   [`BoundedBuffer::put_all`];
//! * [which chains and nests need stack](guide::limits#chains-and-nests-and-the-stack) for each of their
//!   links.
//!
//! # Features
//!
//! None is on by default, and each only adds.
//!
//! | feature | adds |
//! |---|---|
//! | `lock_api` | [`RawMutex`], [`RawFairMutex`], [`RawRwLock`] and [`RawThreadId`], for the traits of `lock_api` 0.4; [`FairMutex`] |
//! | `serde` | locks serialise as the value they guard |
//! | `diagnose` | the module `diagnose`: who waits for what, who holds what, what could deadlock |
//! | `threads` | [`ThreadPool`], [`Task`], [`as_completed`], [`Worker`] and what goes with them |
//! | `loom` | together with `--cfg loom`: [models](guide::loom) of your own code |
//! | `loom-spec` | the same with small specifications in place of some primitives, for models of more threads |
//! | `shuttle` | together with `--cfg shuttle`: random schedules |
//!
//! # Guides
//!
//! * Coming from elsewhere: [`std`](guide::from_std), [`parking_lot`](guide::from_parking_lot),
//!   [crossbeam](guide::from_crossbeam), [`once_cell`](guide::from_once_cell), [tokio](guide::from_tokio),
//!   [Python](guide::from_python).
//! * [Choosing a primitive](guide::choosing), [avoiding deadlock](guide::deadlock), [stopping
//!   threads](guide::stopping), [threads and pools][threads], [what the types cannot tell
//!   you](guide::limits), [finding a hang](guide::diagnose), [models of your own](guide::loom).
//!
//! # Diagnosis
//!
//! With the feature `diagnose` a program can say which thread waits for which lock at which place, since
//! when, and which thread holds it: the module `diagnose`. A library that wants its locks to have names there
//! gives them by `named`, as [`Mutex::named`], or a [`LockClass`] by [`Mutex::of`], and states with
//! [`assert_held`] and [`assert_nothing_held`] what it relies on. All of these are there without the feature
//! as well, keep no name and do nothing.
//!
//! # Models
//!
//! With `--cfg loom` and the feature `loom`, the same types run on [loom](https://docs.rs/loom)'s atomics and
//! threads, so a crate that uses them can put its own code inside `loom::model`, locks and time-outs
//! included. There `new` is no `const fn`, a finite time-out may pass at once or when all other threads have
//! gone as far as they can, and an access to a guarded value without its lock is reported as a race. Without
//! the feature a stray `--cfg loom` changes no more than the line that a panic names.
//!
#![cfg_attr(feature = "threads", doc = " [threads]: guide::threads")]
#![cfg_attr(not(feature = "threads"), doc = " [threads]: #features")]
#![cfg_attr(not(feature = "threads"), doc = " [`ThreadPool`]: #features")]
#![cfg_attr(not(feature = "threads"), doc = " [`Task`]: #features")]
#![cfg_attr(not(feature = "threads"), doc = " [`as_completed`]: #features")]
#![cfg_attr(not(feature = "threads"), doc = " [`Worker`]: #features")]
#![cfg_attr(not(feature = "lock_api"), doc = " [`RawMutex`]: #features")]
#![cfg_attr(not(feature = "lock_api"), doc = " [`RawFairMutex`]: #features")]
#![cfg_attr(not(feature = "lock_api"), doc = " [`RawRwLock`]: #features")]
#![cfg_attr(not(feature = "lock_api"), doc = " [`RawThreadId`]: #features")]
#![cfg_attr(not(feature = "lock_api"), doc = " [`FairMutex`]: #features")]
#![cfg_attr(
    docsrs,
    feature(doc_cfg),
    doc(auto_cfg(hide(
        doc,
        doctest,
        loom,
        shuttle,
        sim,
        feature = "loom",
        feature = "shuttle",
        feature = "sim"
    )))
)]
#![cfg_attr(
    all(loom, feature = "loom-spec"),
    allow(dead_code, unused_imports, unused_macros, reason = "what a specification has no use for")
)]

mod all;
mod any;
mod barrier;
mod buffer;
pub mod channel;
mod condvar;
mod event;
mod facade;
mod guard;
mod held;
mod latch;
mod mutex;
mod observe;
mod once;
pub mod poison;
mod raw;
mod reentrant;
#[cfg_attr(all(loom, feature = "loom-spec"), path = "raw/spec/ring.rs")]
mod ring;
mod rwlock;
mod semaphore;
mod stop;
mod thread_cell;
mod thread_local;
#[cfg(feature = "threads")]
mod threads;
mod wait;
mod wait_group;

pub use all::{AllLock, AllSet, Reading, Writing, lock_all, lock_all_for, lock_all_until, try_lock_all};
pub use any::{
    Acquiring, AnySet, AnySource, First1, First2, First3, First4, First5, First6, First7, First8, try_any,
    wait_any, wait_any_fair, wait_any_for, wait_any_until,
};
pub use barrier::{Barrier, BarrierWaitResult, BrokenBarrier};
pub use buffer::{
    BoundedBuffer, BufferIter, BufferTryIter, GetError, GetTimeoutError, Getting, PriorityBuffer,
    PriorityBufferIter, PriorityBufferTryIter, PutAllError, PutError, PutTimeoutError, Putting, StackBuffer,
    StackBufferIter, StackBufferTryIter, TaskDoneError, TryGetError, TryPutError,
};
pub use condvar::{Condvar, CondvarGuard, WaitTimeoutResult};
pub use event::{AutoResetEvent, Event};
pub use held::{Lockable, assert_held, assert_nothing_held};
pub use latch::Latch;
pub use mutex::{ArcMutexGuard, MappedMutexGuard, Mutex, MutexGuard, const_mutex};
pub use observe::LockClass;
pub use once::{LazyLock, Once, OnceLock, OnceState};
pub use reentrant::{
    ArcReentrantMutexGuard, MappedReentrantMutexGuard, ReentrantMutex, ReentrantMutexGuard,
    const_reentrant_mutex,
};
pub use rwlock::{
    ArcRwLockReadGuard, ArcRwLockUpgradableReadGuard, ArcRwLockWriteGuard, MappedRwLockReadGuard,
    MappedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard,
    const_rwlock,
};
pub use semaphore::{ArcSemaphorePermit, OverRelease, Semaphore, SemaphorePermit};
pub use stop::{StopGuard, StopSource, StopToken};
pub use thread_cell::{AccessError, ThreadCell};
pub use thread_local::{ThreadLocal, ThreadLocalIntoIter, ThreadLocalIter, ThreadLocalIterMut};
pub use wait_group::WaitGroup;

#[cfg(feature = "threads")]
pub use threads::{
    AsCompleted, Map, MapAhead, Scope, ScopedTask, Shutdown, SubmitError, SubmitTimeoutError, Task,
    TaskError, TaskId, ThreadPool, ThreadPoolBuilder, TrySubmitError, UnfinishedError, Worker, as_completed,
    wait_all, wait_all_for, wait_all_until, wait_first, wait_first_for, wait_first_until,
};
facade::only! { real:
    #[cfg(feature = "lock_api")]
    #[path = "lock_api.rs"]
    mod adapters;
    #[cfg(feature = "lock_api")]
    #[doc(no_inline)]
    pub use ::lock_api;
    #[cfg(feature = "lock_api")]
    pub use adapters::{
        FairMutex, FairMutexGuard, MappedFairMutexGuard, RawFairMutex, RawMutex, RawRwLock, RawThreadId,
    };
}

#[cfg(feature = "serde")]
mod serde;

facade::only! { observed:
    pub mod diagnose;

    /// Where diagnosis notes all calls.
    static OBSERVER: diagnose::Watch = diagnose::Watch;
}

facade::only! { model:
    #[doc(hidden)]
    pub mod internals;
}

facade::only! { sim:
    #[doc(hidden)]
    pub use facade::sim;
}

/// Guides: how to come here from elsewhere, what to choose, and how to keep it from hanging.
#[cfg(any(doc, doctest))]
pub mod guide {
    #[doc = include_str!("../docs/guide/choosing.md")]
    pub mod choosing {}
    #[doc = include_str!("../docs/guide/deadlock.md")]
    pub mod deadlock {}
    // Of limits, as above: here a page.
    #[doc = "[limits]: crate::guide::limits#a-lock-in-a-global-allocator"]
    #[doc = ""]
    #[doc = include_str!("../docs/guide/diagnose.md")]
    pub mod diagnose {}
    #[doc = include_str!("../docs/guide/from-crossbeam.md")]
    pub mod from_crossbeam {}
    #[doc = include_str!("../docs/guide/from-once_cell.md")]
    pub mod from_once_cell {}
    #[doc = include_str!("../docs/guide/from-parking_lot.md")]
    pub mod from_parking_lot {}
    // The first definition of a link counts: here it leads to a page, in the file to the file.
    #[doc = "[limits]: crate::guide::limits"]
    #[doc = ""]
    #[doc = include_str!("../docs/guide/from-python.md")]
    pub mod from_python {}
    #[doc = include_str!("../docs/guide/from-std.md")]
    pub mod from_std {}
    #[doc = include_str!("../docs/guide/from-tokio.md")]
    pub mod from_tokio {}
    #[doc = include_str!("../docs/guide/limits.md")]
    pub mod limits {}
    #[doc = include_str!("../docs/guide/loom.md")]
    pub mod loom {}
    #[doc = include_str!("../docs/guide/stopping.md")]
    pub mod stopping {}
    #[cfg(feature = "threads")]
    #[doc = include_str!("../docs/guide/threads.md")]
    pub mod threads {}
}

/// The README's example is run as well.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(doctest)]
mod variance;
