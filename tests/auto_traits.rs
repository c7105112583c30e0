//! Which public types may be sent to, shared with and unwound through by other threads: one table, checked by the
//! compiler.

use std::cell::Cell;
use std::error::Error;
use std::fmt::{Debug, Display};
use std::marker::PhantomPinned;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;

use lockwork::{
    AccessError, ArcMutexGuard, AutoResetEvent, BoundedBuffer, BufferIter, BufferTryIter, Condvar, Event,
    GetError, GetTimeoutError, MappedMutexGuard, Mutex, MutexGuard, PutAllError, PutError, PutTimeoutError,
    TaskDoneError, ThreadCell, ThreadLocal, ThreadLocalIntoIter, ThreadLocalIter, ThreadLocalIterMut,
    TryGetError, TryPutError, WaitTimeoutResult,
};
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
    BoundedBuffer<T>              => both             both      none      none;
    BufferIter<'static, T>        => both             both      none      none;
    BufferTryIter<'static, T>     => both             both      none      none;
    PutError<T>                   => both             Send      Sync      none;
    TryPutError<T>                => both             Send      Sync      none;
    PutTimeoutError<T>            => both             Send      Sync      none;
    PutAllError<T>                => both             Send      Sync      none;
    ThreadCell<T>                 => both             both      none      none;
}

// Their payload must be `Send`, or there is no such type; what they lend to other threads `Sync` as well.
assert_impl_all!(ThreadLocal<SendAndSync>: Send, Sync);
assert_impl_all!(ThreadLocal<SendOnly>: Send, Sync);
assert_impl_all!(ThreadLocalIter<'static, SendAndSync>: Send, Sync, Clone);
assert_impl_all!(ThreadLocalIterMut<'static, SendAndSync>: Send, Sync);
assert_impl_all!(ThreadLocalIterMut<'static, SendOnly>: Send, Sync);
assert_impl_all!(ThreadLocalIntoIter<SendAndSync>: Send, Sync);
assert_impl_all!(ThreadLocalIntoIter<SendOnly>: Send, Sync);

// Without a payload.
assert_impl_all!(Condvar: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
assert_impl_all!(Event: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
assert_impl_all!(AutoResetEvent: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
assert_impl_all!(WaitTimeoutResult: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Copy, Eq, Debug);
assert_impl_all!(GetError: Send, Sync, Unpin, UnwindSafe, Copy, Eq, Error);
assert_impl_all!(TryGetError: Send, Sync, Unpin, UnwindSafe, Copy, Eq, Error);
assert_impl_all!(GetTimeoutError: Send, Sync, Unpin, UnwindSafe, Copy, Eq, Error);
assert_impl_all!(TaskDoneError: Send, Sync, Unpin, UnwindSafe, Copy, Eq, Error);

assert_impl_all!(AccessError: Send, Sync, Unpin, UnwindSafe, Copy, Eq, Error);

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

// A mutex holds its value in place; a guard only points to it.
assert_impl_all!(Mutex<u8>: Unpin);
assert_not_impl_any!(Mutex<PhantomPinned>: Unpin);
assert_impl_all!(MutexGuard<'static, PhantomPinned>: Unpin);
assert_impl_all!(MappedMutexGuard<'static, PhantomPinned>: Unpin);
assert_impl_all!(ArcMutexGuard<PhantomPinned>: Unpin);

// Locks take a panic for what it is: the value stays as it was left, and whoever locks next must know.
assert_impl_all!(Mutex<Cell<u8>>: UnwindSafe, RefUnwindSafe);
assert_impl_all!(Mutex<&'static mut u8>: UnwindSafe, RefUnwindSafe);
assert_impl_all!(BoundedBuffer<Cell<u8>>: UnwindSafe, RefUnwindSafe);
assert_impl_all!(ThreadCell<Cell<u8>>: UnwindSafe, RefUnwindSafe, Unpin);
assert_impl_all!(ThreadLocal<Cell<u8>>: UnwindSafe, RefUnwindSafe, Unpin);
assert_not_impl_any!(ThreadLocal<&'static mut u8>: UnwindSafe);

// What can be shown, is.
assert_impl_all!(Mutex<u8>: Debug, Default, From<u8>);
assert_not_impl_any!(Mutex<u8>: Clone, Display);
assert_impl_all!(MutexGuard<'static, u8>: Debug, Display);
assert_impl_all!(MappedMutexGuard<'static, u8>: Debug, Display);
assert_impl_all!(ArcMutexGuard<u8>: Debug, Display);
assert_not_impl_any!(MutexGuard<'static, u8>: Clone);
assert_not_impl_any!(MappedMutexGuard<'static, u8>: Clone);
assert_not_impl_any!(ArcMutexGuard<u8>: Clone);
assert_impl_all!(ThreadCell<u8>: Debug, Default);
assert_impl_all!(ThreadLocal<u8>: Debug, Default, IntoIterator<Item = u8>);
assert_impl_all!(Condvar: Debug, Default);
assert_impl_all!(Event: Debug, Default);
assert_impl_all!(AutoResetEvent: Debug, Default);
