//! Which public types may be sent to, shared with and unwound through by other threads: one table, checked by
//! the compiler.

use std::cell::Cell;
use std::error::Error;
use std::fmt::{Debug, Display};
use std::marker::PhantomPinned;
use std::ops::{Deref, DerefMut};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;

use lockwork::{
    AccessError, Acquiring, ArcMutexGuard, ArcReentrantMutexGuard, ArcRwLockReadGuard,
    ArcRwLockUpgradableReadGuard, ArcRwLockWriteGuard, ArcSemaphorePermit, AsCompleted, AutoResetEvent,
    Barrier, BarrierWaitResult, BoundedBuffer, BrokenBarrier, BufferIter, BufferTryIter, Condvar, Event,
    First1, First2, First3, First4, First5, First6, First7, First8, GetError, GetTimeoutError, Getting,
    Latch, LazyLock, LockClass, Map, MapAhead, MappedMutexGuard, MappedReentrantMutexGuard,
    MappedRwLockReadGuard, MappedRwLockWriteGuard, Mutex, MutexGuard, Once, OnceLock, OnceState, OverRelease,
    PriorityBuffer, PriorityBufferIter, PriorityBufferTryIter, PutAllError, PutError, PutTimeoutError,
    Putting, Reading, ReentrantMutex, ReentrantMutexGuard, RwLock, RwLockReadGuard,
    RwLockUpgradableReadGuard, RwLockWriteGuard, Scope, ScopedTask, Semaphore, SemaphorePermit, Shutdown,
    StackBuffer, StackBufferIter, StackBufferTryIter, StopGuard, StopSource, StopToken, SubmitError,
    SubmitTimeoutError, Task, TaskDoneError, TaskError, TaskId, ThreadCell, ThreadLocal, ThreadLocalIntoIter,
    ThreadLocalIter, ThreadLocalIterMut, ThreadPool, ThreadPoolBuilder, TryGetError, TryPutError,
    TrySubmitError, UnfinishedError, WaitGroup, WaitTimeoutResult, Worker, Writing, channel, poison,
};
#[cfg(feature = "lock_api")]
use lockwork::{RawFairMutex, RawMutex, RawRwLock, RawThreadId};
use static_assertions::{assert_impl_all, assert_not_impl_any};

type SendAndSync = u8;
type SendOnly = Cell<u8>;
type SyncOnly = MutexGuard<'static, u8>;
type Neither = Rc<u8>;

assert_impl_all!(SendAndSync: Send, Sync);
assert_impl_all!(SendOnly: Send);
assert_not_impl_any!(SendOnly: Sync);
assert_impl_all!(SyncOnly: Sync);
assert_not_impl_any!(SyncOnly: Send);
assert_not_impl_any!(Neither: Send, Sync);

/// What a type with that payload is: `Send`, `Sync`, `both` or `none`.
macro_rules! is {
    ($type:ty, both) => {
        assert_impl_all!($type: Send, Sync);
    };
    ($type:ty, Send) => {
        assert_impl_all!($type: Send);
        assert_not_impl_any!($type: Sync);
    };
    ($type:ty, Sync) => {
        assert_impl_all!($type: Sync);
        assert_not_impl_any!($type: Send);
    };
    ($type:ty, none) => {
        assert_not_impl_any!($type: Send, Sync);
    };
}

macro_rules! table {
    ($($type:ty => $both:tt $send:tt $sync:tt $neither:tt;)+) => { $(
        const _: () = {
            type Of<T> = $type;
            is!(Of<SendAndSync>, $both);
            is!(Of<SendOnly>, $send);
            is!(Of<SyncOnly>, $sync);
            is!(Of<Neither>, $neither);
        };
    )+ };
}

#[rustfmt::skip]
table! {
    //                               T: Send + Sync   T: Send   T: Sync   neither
    Mutex<T>                      => both             both      none      none;
    MutexGuard<'static, T>        => Sync             none      Sync      none;
    MappedMutexGuard<'static, T>  => Sync             none      Sync      none;
    ArcMutexGuard<T>              => both             Send      none      none;
    RwLock<T>                     => both             Send      none      none;
    RwLockReadGuard<'static, T>   => Sync             none      Sync      none;
    RwLockUpgradableReadGuard<'static, T> => Sync     none      Sync      none;
    RwLockWriteGuard<'static, T>  => Sync             none      Sync      none;
    MappedRwLockReadGuard<'static, T>  => Sync        none      Sync      none;
    MappedRwLockWriteGuard<'static, T> => Sync        none      Sync      none;
    // They keep the lock alive and give it away, so they move as an `Arc` of it does.
    ArcRwLockReadGuard<T>         => both             none      none      none;
    ArcRwLockUpgradableReadGuard<T> => both           none      none      none;
    ArcRwLockWriteGuard<T>        => both             none      none      none;
    ReentrantMutex<T>             => both             both      none      none;
    ReentrantMutexGuard<'static, T> => Sync           none      Sync      none;
    MappedReentrantMutexGuard<'static, T> => Sync     none      Sync      none;
    ArcReentrantMutexGuard<T>     => Sync             none      none      none;
    BoundedBuffer<T>              => both             both      none      none;
    BufferIter<'static, T>        => both             both      none      none;
    BufferTryIter<'static, T>     => both             both      none      none;
    PriorityBuffer<T>             => both             both      none      none;
    PriorityBufferIter<'static, T> => both            both      none      none;
    PriorityBufferTryIter<'static, T> => both         both      none      none;
    StackBuffer<T>                => both             both      none      none;
    StackBufferIter<'static, T>   => both             both      none      none;
    StackBufferTryIter<'static, T> => both            both      none      none;
    Getting<'static, T>           => both             both      none      none;
    Putting<'static, T>           => both             Send      none      none;
    Getting<'static, T, PriorityBuffer<T>> => both    both      none      none;
    Putting<'static, T, PriorityBuffer<T>> => both    Send      none      none;
    Getting<'static, T, StackBuffer<T>> => both       both      none      none;
    Putting<'static, T, StackBuffer<T>> => both       Send      none      none;
    channel::Sending<'static, T>  => both             Send      none      none;
    First1<T>                     => both             Send      Sync      none;
    First2<T, T>                  => both             Send      Sync      none;
    First3<T, T, T>               => both             Send      Sync      none;
    First4<T, T, T, T>            => both             Send      Sync      none;
    First5<T, T, T, T, T>         => both             Send      Sync      none;
    First6<T, T, T, T, T, T>      => both             Send      Sync      none;
    First7<T, T, T, T, T, T, T>   => both             Send      Sync      none;
    First8<T, T, T, T, T, T, T, T> => both             Send      Sync      none;
    PutError<T>                   => both             Send      Sync      none;
    TryPutError<T>                => both             Send      Sync      none;
    PutTimeoutError<T>            => both             Send      Sync      none;
    PutAllError<T>                => both             Send      Sync      none;
    Worker<T>                     => both             both      none      none;
    SubmitError<T>                => both             Send      Sync      none;
    TrySubmitError<T>             => both             Send      Sync      none;
    SubmitTimeoutError<T>         => both             Send      Sync      none;
    ThreadCell<T>                 => both             both      none      none;
    OnceLock<T>                   => both             Send      none      none;
    LazyLock<T>                   => both             Send      none      none;
    // No thread gets a reference to the function.
    LazyLock<u8, T>               => both             both      none      none;
    Reading<'static, T>           => both             none      none      none;
    Writing<'static, T>           => both             none      none      none;
    poison::Reading<'static, T>   => both             none      none      none;
    poison::Writing<'static, T>   => both             none      none      none;
    channel::Sender<T>            => both             both      none      none;
    channel::Receiver<T>          => both             both      none      none;
    channel::Iter<'static, T>     => both             both      none      none;
    channel::TryIter<'static, T>  => both             both      none      none;
    channel::IntoIter<T>          => both             both      none      none;
    channel::SendError<T>         => both             Send      Sync      none;
    channel::TrySendError<T>      => both             Send      Sync      none;
    channel::SendTimeoutError<T>  => both             Send      Sync      none;
    poison::Mutex<T>              => both             both      none      none;
    poison::MutexGuard<'static, T> => Sync            none      Sync      none;
    poison::MappedMutexGuard<'static, T> => Sync      none      Sync      none;
    poison::RwLock<T>             => both             Send      none      none;
    poison::RwLockReadGuard<'static, T> => Sync       none      Sync      none;
    poison::RwLockWriteGuard<'static, T> => Sync      none      Sync      none;
    poison::MappedRwLockReadGuard<'static, T> => Sync none      Sync      none;
    poison::MappedRwLockWriteGuard<'static, T> => Sync none     Sync      none;
    Task<T>                       => both             both      both      both;
    ScopedTask<'static, T>        => both             both      both      both;
    Map<T>                        => both             both      both      both;
    AsCompleted<T>                => both             both      both      both;
}

/// What a type with that payload is: `UnwindSafe`, `RefUnwindSafe`, `both` or `none`.
macro_rules! unwinds {
    ($type:ty, both) => {
        assert_impl_all!($type: UnwindSafe, RefUnwindSafe);
    };
    ($type:ty, UnwindSafe) => {
        assert_impl_all!($type: UnwindSafe);
        assert_not_impl_any!($type: RefUnwindSafe);
    };
    ($type:ty, RefUnwindSafe) => {
        assert_impl_all!($type: RefUnwindSafe);
        assert_not_impl_any!($type: UnwindSafe);
    };
    ($type:ty, none) => {
        assert_not_impl_any!($type: UnwindSafe, RefUnwindSafe);
    };
}

macro_rules! unwind_table {
    ($($type:ty => $both:tt $exclusive:tt $cell:tt;)+) => { $(
        const _: () = {
            type Of<T> = $type;
            unwinds!(Of<u8>, $both);
            unwinds!(Of<&'static mut u8>, $exclusive);
            unwinds!(Of<Cell<u8>>, $cell);
        };
    )+ };
}

// A lock takes a panic for what it is: the value stays as it was left, and the next to lock must know. What
// lends or owns a value is as safe as that is.
#[rustfmt::skip]
unwind_table! {
    //                               T: both       T: not UnwindSafe   T: not RefUnwindSafe
    Mutex<T>                      => both          both                both;
    MutexGuard<'static, T>        => both          both                both;
    MappedMutexGuard<'static, T>  => RefUnwindSafe RefUnwindSafe       none;
    ArcMutexGuard<T>              => both          both                both;
    RwLock<T>                     => both          both                both;
    RwLockReadGuard<'static, T>   => both          both                both;
    RwLockUpgradableReadGuard<'static, T> => both  both                both;
    RwLockWriteGuard<'static, T>  => both          both                both;
    MappedRwLockReadGuard<'static, T>  => both     both                none;
    MappedRwLockWriteGuard<'static, T> => RefUnwindSafe RefUnwindSafe  none;
    ArcRwLockReadGuard<T>         => both          both                both;
    ArcRwLockUpgradableReadGuard<T> => both        both                both;
    ArcRwLockWriteGuard<T>        => both          both                both;
    ReentrantMutex<T>             => both          both                both;
    ReentrantMutexGuard<'static, T> => both        both                both;
    MappedReentrantMutexGuard<'static, T> => none  none                none;
    ArcReentrantMutexGuard<T>     => both          both                both;
    OnceLock<T>                   => both          none                UnwindSafe;
    LazyLock<T>                   => both          none                UnwindSafe;
    LazyLock<u8, T>               => both          none                both;
    Reading<'static, T>           => both          both                both;
    Writing<'static, T>           => both          both                both;
    poison::Reading<'static, T>   => both          both                both;
    poison::Writing<'static, T>   => both          both                both;
    channel::Sender<T>            => both          both                both;
    channel::Receiver<T>          => both          both                both;
    channel::Iter<'static, T>     => both          both                both;
    channel::TryIter<'static, T>  => both          both                both;
    channel::IntoIter<T>          => both          both                both;
    channel::SendError<T>         => both          RefUnwindSafe       UnwindSafe;
    channel::TrySendError<T>      => both          RefUnwindSafe       UnwindSafe;
    channel::SendTimeoutError<T>  => both          RefUnwindSafe       UnwindSafe;
    poison::Mutex<T>              => both          both                both;
    poison::MutexGuard<'static, T> => both         both                both;
    poison::MappedMutexGuard<'static, T> => RefUnwindSafe RefUnwindSafe none;
    poison::RwLock<T>             => both          both                both;
    poison::RwLockReadGuard<'static, T> => both    both                none;
    poison::RwLockWriteGuard<'static, T> => both   both                both;
    poison::MappedRwLockReadGuard<'static, T> => both both             none;
    poison::MappedRwLockWriteGuard<'static, T> => RefUnwindSafe RefUnwindSafe none;
    BoundedBuffer<T>              => both          both                both;
    PriorityBuffer<T>             => both          both                both;
    StackBuffer<T>                => both          both                both;
    BufferIter<'static, T>        => both          both                both;
    BufferTryIter<'static, T>     => both          both                both;
    PriorityBufferIter<'static, T> => both both               both;
    PriorityBufferTryIter<'static, T> => both both               both;
    StackBufferIter<'static, T> => both both               both;
    StackBufferTryIter<'static, T> => both both               both;
    Getting<'static, T>           => both          both                both;
    Putting<'static, T>           => both          RefUnwindSafe       UnwindSafe;
    Getting<'static, T, PriorityBuffer<T>> => both both                both;
    Putting<'static, T, PriorityBuffer<T>> => both RefUnwindSafe       UnwindSafe;
    Getting<'static, T, StackBuffer<T>> => both    both                both;
    Putting<'static, T, StackBuffer<T>> => both    RefUnwindSafe       UnwindSafe;
    channel::Sending<'static, T>  => both          RefUnwindSafe       UnwindSafe;
    First1<T>                     => both          RefUnwindSafe       UnwindSafe;
    First2<T, T>                  => both          RefUnwindSafe       UnwindSafe;
    First3<T, T, T>               => both          RefUnwindSafe       UnwindSafe;
    First4<T, T, T, T>            => both          RefUnwindSafe       UnwindSafe;
    First5<T, T, T, T, T>         => both          RefUnwindSafe       UnwindSafe;
    First6<T, T, T, T, T, T>      => both          RefUnwindSafe       UnwindSafe;
    First7<T, T, T, T, T, T, T>   => both          RefUnwindSafe       UnwindSafe;
    First8<T, T, T, T, T, T, T, T> => both          RefUnwindSafe       UnwindSafe;
    PutError<T>                   => both          RefUnwindSafe       UnwindSafe;
    TryPutError<T>                => both          RefUnwindSafe       UnwindSafe;
    PutTimeoutError<T>            => both          RefUnwindSafe       UnwindSafe;
    PutAllError<T>                => both          RefUnwindSafe       UnwindSafe;
    Worker<T>                     => both          both                both;
    SubmitError<T>                => both          RefUnwindSafe       UnwindSafe;
    TrySubmitError<T>             => both          RefUnwindSafe       UnwindSafe;
    SubmitTimeoutError<T>         => both          RefUnwindSafe       UnwindSafe;
    Task<T>                       => both          both                both;
    ScopedTask<'static, T>        => both          both                both;
    Map<T>                        => both          both                both;
    AsCompleted<T>                => both          both                both;
    ThreadCell<T>                 => both          both                both;
    ThreadLocal<T>                => both          RefUnwindSafe       both;
    ThreadLocalIterMut<'static, T> => none         none                none;
    ThreadLocalIntoIter<T>        => none          none                none;
}
assert_not_impl_any!(ThreadLocalIter<'static, u8>: UnwindSafe, RefUnwindSafe);

// Handles of tasks, whose results are sendable or they would not have been spawned.
assert_impl_all!(Task<Neither>: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Debug);
assert_impl_all!(ScopedTask<'static, Neither>: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Debug);
assert_impl_all!(MapAhead<std::ops::RangeFrom<u8>, fn(u8) -> u8, Neither>: Send, Unpin, UnwindSafe, RefUnwindSafe, Debug);
assert_not_impl_any!(MapAhead<std::vec::IntoIter<Neither>, fn(Neither), ()>: Send);
assert_not_impl_any!(MapAhead<std::ops::RangeFrom<u8>, fn(u8) -> u8, u8>: Sync, Clone);
assert_impl_all!(TaskId: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Copy, Eq, std::hash::Hash, Debug);
assert_impl_all!(Map<Neither>: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Debug);
assert_impl_all!(AsCompleted<Neither>: Send, Sync, Unpin, UnwindSafe, Debug);
assert_not_impl_any!(Task<u8>: Clone);
assert_not_impl_any!(ScopedTask<'static, u8>: Clone);

// Their payload must be `Send`, or there is no such type; what they lend to other threads `Sync` as well.
assert_impl_all!(ThreadLocal<SendAndSync>: Send, Sync);
assert_impl_all!(ThreadLocal<SendOnly>: Send, Sync);
assert_impl_all!(ThreadLocalIter<'static, SendAndSync>: Send, Sync, Clone);
assert_impl_all!(ThreadLocalIterMut<'static, SendAndSync>: Send, Sync);
assert_impl_all!(ThreadLocalIterMut<'static, SendOnly>: Send, Sync);
assert_impl_all!(ThreadLocalIntoIter<SendAndSync>: Send, Sync);
assert_impl_all!(ThreadLocalIntoIter<SendOnly>: Send, Sync);

// Without a payload.
assert_impl_all!(ThreadPool: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Debug);
assert_impl_all!(ThreadPoolBuilder: Send, Sync, Unpin, Clone, Debug);
// It holds a hook of the user's.
assert_not_impl_any!(ThreadPoolBuilder: UnwindSafe, RefUnwindSafe);
assert_impl_all!(Scope<'static, 'static>: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Debug);
assert_impl_all!(Worker<Cell<u8>>: Unpin, UnwindSafe, RefUnwindSafe, Debug);
assert_impl_all!(StopSource: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Clone, Default, Debug);
assert_impl_all!(StopGuard: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Debug);
assert_not_impl_any!(StopGuard: Clone, Default);
assert_impl_all!(StopToken: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Clone, Default, Debug);
assert_impl_all!(Shutdown: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Copy, Eq, Debug);
assert_impl_all!(UnfinishedError: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Copy, Eq, Error);
// The payload of a panic is Send and nothing else.
assert_impl_all!(TaskError: Send, Unpin, Error);
assert_not_impl_any!(TaskError: Sync, UnwindSafe, RefUnwindSafe);
assert_impl_all!(Condvar: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
assert_impl_all!(poison::Condvar: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
#[cfg(feature = "lock_api")]
const _: () = {
    assert_impl_all!(RawMutex: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
    assert_impl_all!(RawFairMutex: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
    assert_impl_all!(RawRwLock: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
    assert_impl_all!(RawThreadId: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
};
assert_impl_all!(Event: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
assert_impl_all!(AutoResetEvent: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
assert_impl_all!(Barrier: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Debug);
assert_impl_all!(BarrierWaitResult: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Copy, Eq, Debug);
assert_impl_all!(BrokenBarrier: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Copy, Eq, Error);
assert_impl_all!(LockClass: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Debug);
assert_not_impl_any!(LockClass: Clone, Default);
assert_impl_all!(Latch: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Debug);
assert_impl_all!(WaitGroup: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Clone, Debug, Default);
assert_not_impl_any!(Barrier: Clone, Default);
assert_not_impl_any!(Latch: Clone, Default);
assert_impl_all!(Semaphore: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
assert_impl_all!(SemaphorePermit<'static>: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
assert_impl_all!(Acquiring<'static>: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Copy, Debug);
assert_impl_all!(Getting<'static, Neither>: Copy, Debug);
assert_impl_all!(Putting<'static, Neither>: Debug);
assert_not_impl_any!(Putting<'static, u8>: Clone);
assert_impl_all!(First8<u8, u8, u8, u8, u8, u8, u8, u8>: Copy, Eq, std::hash::Hash, Debug);
assert_impl_all!(ArcSemaphorePermit: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
assert_impl_all!(OverRelease: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Copy, Eq, Error);
assert_impl_all!(Once: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Default, Debug);
assert_not_impl_any!(Once: Clone);
assert_impl_all!(OnceState: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Copy, Eq, Debug);
assert_impl_all!(OnceLock<u8>: Unpin, Clone, Default, Debug, Eq, From<u8>);
assert_not_impl_any!(OnceLock<PhantomPinned>: Unpin);
assert_impl_all!(LazyLock<u8>: Unpin, Default, Debug, DerefMut);
assert_not_impl_any!(LazyLock<u8>: Clone, Display);
assert_not_impl_any!(LazyLock<PhantomPinned>: Unpin);
assert_impl_all!(Reading<'static, str>: Copy, Debug, Unpin);
assert_impl_all!(Writing<'static, str>: Copy, Debug, Unpin);
assert_impl_all!(poison::Reading<'static, str>: Copy, Debug, Unpin);
assert_impl_all!(poison::Writing<'static, str>: Copy, Debug, Unpin);
assert_impl_all!(channel::Sender<Rc<u8>>: Clone, Debug, Unpin);
assert_impl_all!(channel::Receiver<Rc<u8>>: Clone, Debug, Unpin, IntoIterator);
assert_impl_all!(channel::Iter<'static, Rc<u8>>: Debug, Unpin, Iterator, std::iter::FusedIterator);
assert_impl_all!(channel::TryIter<'static, Rc<u8>>: Debug, Unpin, Iterator);
assert_impl_all!(channel::IntoIter<Rc<u8>>: Debug, Unpin, Iterator, std::iter::FusedIterator);
assert_impl_all!(channel::SendError<u8>: Copy, Eq, Error, Unpin);
assert_impl_all!(channel::TrySendError<u8>: Copy, Eq, Error, Unpin);
assert_impl_all!(channel::SendTimeoutError<u8>: Copy, Eq, Error, Unpin);
assert_impl_all!(channel::RecvError: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Copy, Eq, Error);
assert_impl_all!(channel::TryRecvError: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Copy, Eq, Error);
assert_impl_all!(channel::RecvTimeoutError: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Copy, Eq, Error);
assert_impl_all!(WaitTimeoutResult: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Copy, Eq, Debug);
assert_impl_all!(GetError: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Copy, Eq, Error);
assert_impl_all!(TryGetError: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Copy, Eq, Error);
assert_impl_all!(GetTimeoutError: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Copy, Eq, Error);
assert_impl_all!(TaskDoneError: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Copy, Eq, Error);

assert_impl_all!(AccessError: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Copy, Eq, Error);

// Unsized payloads, by their own bounds.
trait Sendable: Send {}
assert_impl_all!(Mutex<dyn Sendable>: Send, Sync);
assert_not_impl_any!(Mutex<dyn Debug>: Send, Sync);
assert_not_impl_any!(Mutex<dyn Debug + Sync>: Send, Sync);
assert_impl_all!(Mutex<[Cell<u8>]>: Send, Sync);
assert_impl_all!(ArcMutexGuard<dyn Sendable>: Send);
assert_not_impl_any!(ArcMutexGuard<dyn Sendable>: Sync);
assert_impl_all!(ArcMutexGuard<[u8]>: Send, Sync);
assert_impl_all!(MutexGuard<'static, dyn Debug + Sync>: Sync);
assert_not_impl_any!(MutexGuard<'static, dyn Debug + Send>: Send, Sync);
assert_impl_all!(MappedMutexGuard<'static, str>: Sync);
assert_not_impl_any!(MappedMutexGuard<'static, dyn Sendable>: Send, Sync);
trait Shareable: Send + Sync {}
assert_impl_all!(RwLock<dyn Shareable>: Send, Sync);
assert_impl_all!(RwLock<dyn Sendable>: Send);
assert_not_impl_any!(RwLock<dyn Sendable>: Sync);
assert_not_impl_any!(RwLock<dyn Debug + Sync>: Send, Sync);
assert_impl_all!(RwLock<[Cell<u8>]>: Send);
assert_not_impl_any!(RwLock<[Cell<u8>]>: Sync);
assert_impl_all!(ArcRwLockReadGuard<dyn Shareable>: Send, Sync);
assert_impl_all!(ArcRwLockUpgradableReadGuard<[u8]>: Send, Sync);
assert_not_impl_any!(ArcRwLockWriteGuard<dyn Sendable>: Send, Sync);
assert_impl_all!(RwLockReadGuard<'static, dyn Debug + Sync>: Sync);
assert_not_impl_any!(RwLockReadGuard<'static, dyn Sendable>: Send, Sync);
assert_impl_all!(MappedRwLockReadGuard<'static, str>: Sync);
assert_impl_all!(MappedRwLockWriteGuard<'static, str>: Sync);
assert_not_impl_any!(MappedRwLockWriteGuard<'static, dyn Sendable>: Send, Sync);
assert_impl_all!(ReentrantMutex<dyn Sendable>: Send, Sync);
assert_not_impl_any!(ReentrantMutex<dyn Debug + Sync>: Send, Sync);
assert_not_impl_any!(ArcReentrantMutexGuard<dyn Sendable>: Send, Sync);
assert_impl_all!(ReentrantMutexGuard<'static, [u8]>: Sync);

// A mutex holds its value in place; a guard only points to it.
assert_impl_all!(Mutex<u8>: Unpin);
assert_not_impl_any!(Mutex<PhantomPinned>: Unpin);
assert_impl_all!(MutexGuard<'static, PhantomPinned>: Unpin);
assert_impl_all!(MappedMutexGuard<'static, PhantomPinned>: Unpin);
assert_impl_all!(ArcMutexGuard<PhantomPinned>: Unpin);
assert_impl_all!(RwLock<u8>: Unpin);
assert_not_impl_any!(RwLock<PhantomPinned>: Unpin);
assert_impl_all!(RwLockReadGuard<'static, PhantomPinned>: Unpin);
assert_impl_all!(RwLockUpgradableReadGuard<'static, PhantomPinned>: Unpin);
assert_impl_all!(RwLockWriteGuard<'static, PhantomPinned>: Unpin);
assert_impl_all!(MappedRwLockReadGuard<'static, PhantomPinned>: Unpin);
assert_impl_all!(MappedRwLockWriteGuard<'static, PhantomPinned>: Unpin);
assert_impl_all!(ArcRwLockReadGuard<PhantomPinned>: Unpin);
assert_impl_all!(ArcRwLockUpgradableReadGuard<PhantomPinned>: Unpin);
assert_impl_all!(ArcRwLockWriteGuard<PhantomPinned>: Unpin);

assert_impl_all!(ThreadCell<Cell<u8>>: Unpin);
assert_impl_all!(ThreadLocal<Cell<u8>>: Unpin);

// What can be shown, is.
assert_impl_all!(Mutex<u8>: Debug, Default, From<u8>);
assert_not_impl_any!(Mutex<u8>: Clone, Display);
assert_impl_all!(MutexGuard<'static, u8>: Debug, Display);
assert_impl_all!(MappedMutexGuard<'static, u8>: Debug, Display);
assert_impl_all!(ArcMutexGuard<u8>: Debug, Display);
assert_not_impl_any!(MutexGuard<'static, u8>: Clone);
assert_not_impl_any!(MappedMutexGuard<'static, u8>: Clone);
assert_not_impl_any!(ArcMutexGuard<u8>: Clone);
assert_impl_all!(RwLock<u8>: Debug, Default, From<u8>);
assert_not_impl_any!(RwLock<u8>: Clone, Display);
assert_impl_all!(RwLockReadGuard<'static, u8>: Debug, Display, Deref);
assert_impl_all!(RwLockUpgradableReadGuard<'static, u8>: Debug, Display, Deref);
assert_impl_all!(RwLockWriteGuard<'static, u8>: Debug, Display, DerefMut);
assert_impl_all!(MappedRwLockReadGuard<'static, u8>: Debug, Display, Deref);
assert_impl_all!(MappedRwLockWriteGuard<'static, u8>: Debug, Display, DerefMut);
assert_impl_all!(ArcRwLockReadGuard<u8>: Debug, Display, Deref);
assert_impl_all!(ArcRwLockUpgradableReadGuard<u8>: Debug, Display, Deref);
assert_impl_all!(ArcRwLockWriteGuard<u8>: Debug, Display, DerefMut);
assert_not_impl_any!(RwLockReadGuard<'static, u8>: Clone, DerefMut);
assert_not_impl_any!(RwLockUpgradableReadGuard<'static, u8>: Clone, DerefMut);
assert_not_impl_any!(RwLockWriteGuard<'static, u8>: Clone);
assert_not_impl_any!(MappedRwLockReadGuard<'static, u8>: Clone, DerefMut);
assert_not_impl_any!(MappedRwLockWriteGuard<'static, u8>: Clone);
assert_not_impl_any!(ArcRwLockReadGuard<u8>: Clone, DerefMut);
assert_not_impl_any!(ArcRwLockUpgradableReadGuard<u8>: Clone, DerefMut);
assert_not_impl_any!(ArcRwLockWriteGuard<u8>: Clone);
assert_impl_all!(ReentrantMutex<u8>: Debug, Default, From<u8>);
assert_impl_all!(ReentrantMutexGuard<'static, u8>: Debug, Display);
assert_impl_all!(MappedReentrantMutexGuard<'static, u8>: Debug, Display);
assert_impl_all!(ArcReentrantMutexGuard<u8>: Debug, Display);
assert_not_impl_any!(ReentrantMutexGuard<'static, u8>: Clone, std::ops::DerefMut);
assert_not_impl_any!(ArcReentrantMutexGuard<u8>: Clone, std::ops::DerefMut);
assert_impl_all!(ThreadCell<u8>: Debug, Default);
assert_impl_all!(ThreadLocal<u8>: Debug, Default, IntoIterator<Item = u8>);
assert_impl_all!(Condvar: Debug, Default);
assert_impl_all!(Event: Debug, Default);
assert_impl_all!(AutoResetEvent: Debug, Default);

assert_impl_all!(Semaphore: Debug, Default);
assert_not_impl_any!(Semaphore: Clone);
assert_impl_all!(SemaphorePermit<'static>: Debug);
assert_not_impl_any!(SemaphorePermit<'static>: Clone);
assert_impl_all!(ArcSemaphorePermit: Debug);
assert_not_impl_any!(ArcSemaphorePermit: Clone);

/// Checks by coercion what may be shortened: lives of all that borrow, and of the payload where the row says
/// so.
macro_rules! variance {
    ($($type:ty => $variance:ident;)+) => { $(
        const _: () = {
            variance!(@$variance $type);
        };
    )+ };
    (@covariant $type:ty) => {
        variance!(@invariant $type);
        #[allow(dead_code, reason = "to compile is the test")]
        fn shorten_payload<'a, 'short>(it: Of<'a, &'static str>) -> Of<'a, &'short str> {
            it
        }
    };
    (@invariant $type:ty) => {
        type Of<'a, T> = $type;
        #[allow(dead_code, reason = "to compile is the test")]
        fn shorten_life<'a>(it: Of<'static, &'static str>) -> Of<'a, &'static str> {
            it
        }
    };
    (@invariant_static $type:ty) => {};
    (@covariant_life $type:ty) => {
        type Of<'a> = $type;
        #[allow(dead_code, reason = "to compile is the test")]
        fn shorten_life<'a>(it: Of<'static>) -> Of<'a> {
            it
        }
    };
    (@invariant_life $type:ty) => {};
}

include!("variance.rs");

/// What diagnosis returns may go anywhere; a session has the user's sink in it, whose state a panic may leave
/// half changed.
#[cfg(feature = "diagnose")]
mod diagnosis {
    use super::*;
    use lockwork::diagnose;

    assert_impl_all!(diagnose::Report: Send, Sync, UnwindSafe, RefUnwindSafe);
    assert_impl_all!(diagnose::Stall: Send, Sync, UnwindSafe, RefUnwindSafe);
    assert_impl_all!(diagnose::Holder: Send, Sync, UnwindSafe, RefUnwindSafe);
    assert_impl_all!(diagnose::RelockReport: Send, Sync, UnwindSafe, RefUnwindSafe);
    assert_impl_all!(diagnose::Inversion: Send, Sync, UnwindSafe, RefUnwindSafe);
    assert_impl_all!(diagnose::Acquisition: Send, Sync, UnwindSafe, RefUnwindSafe);
    assert_impl_all!(diagnose::Opposite: Send, Sync, UnwindSafe, RefUnwindSafe);
    assert_impl_all!(diagnose::Cycle: Send, Sync, UnwindSafe, RefUnwindSafe);
    assert_impl_all!(diagnose::Link: Send, Sync, UnwindSafe, RefUnwindSafe);
    assert_impl_all!(diagnose::Snapshot: Send, Sync, UnwindSafe, RefUnwindSafe);
    assert_impl_all!(diagnose::ThreadState: Send, Sync, UnwindSafe, RefUnwindSafe);
    assert_impl_all!(diagnose::Hold: Send, Sync, UnwindSafe, RefUnwindSafe);
    assert_impl_all!(diagnose::Wait: Send, Sync, UnwindSafe, RefUnwindSafe);
    assert_impl_all!(diagnose::Place: Send, Sync, UnwindSafe, RefUnwindSafe);
    assert_impl_all!(diagnose::Profile: Send, Sync, UnwindSafe, RefUnwindSafe);
    assert_impl_all!(diagnose::Contention: Send, Sync, UnwindSafe, RefUnwindSafe);
    assert_impl_all!(diagnose::LockNumbers: Send, Sync, UnwindSafe, RefUnwindSafe);
    assert_impl_all!(diagnose::Order: Send, Sync, UnwindSafe, RefUnwindSafe);
    assert_impl_all!(diagnose::Relock: Send, Sync, UnwindSafe, RefUnwindSafe);
    assert_impl_all!(diagnose::Session: Send, Sync);
    assert_not_impl_any!(diagnose::Session: UnwindSafe, RefUnwindSafe);
    assert_impl_all!(diagnose::Settings: Send, Sync);
    assert_not_impl_any!(diagnose::Settings: UnwindSafe, RefUnwindSafe);
}
