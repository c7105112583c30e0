//! The slots of a ring: see the head of [`ring`](super).

use std::mem::MaybeUninit;
use std::ptr;

use crate::facade::atomic::{
    AtomicPtr, AtomicU64,
    Ordering::{Acquire, Release},
};
use crate::facade::{UnsafeCell, const_fn};

/// A slot: a stamp, and room for a value.
pub(crate) struct Slot<T> {
    stamp: AtomicU64,
    value: UnsafeCell<MaybeUninit<T>>,
}

impl<T> Slot<T> {
    /// Makes a slot that is free for lap 0.
    pub(crate) fn new() -> Self {
        Self { stamp: AtomicU64::new(0), value: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    #[inline]
    pub(crate) fn is_free(&self, lap: u64) -> bool {
        // Acquire (ring.freed): the last get has read the value.
        // proof: ring.is_free
        self.stamp.load(Acquire) == 2 * lap
    }

    #[inline]
    pub(crate) fn is_published(&self, lap: u64) -> bool {
        // Acquire (ring.published): the value that the put wrote.
        // proof: ring.is_published
        self.stamp.load(Acquire) == 2 * lap + 1
    }

    /// Writes a value and publishes it.
    ///
    /// By a pointer: once it is published, another thread may read it and let the segment of a chain go,
    /// while this call has not returned.
    ///
    /// # Safety
    ///
    /// The caller has claimed this slot for a put in this lap, and has seen it free.
    #[inline]
    pub(crate) unsafe fn write(slot: *const Self, lap: u64, value: T) {
        // SAFETY: alive, as it was claimed and is not published.
        let Self { stamp, value: place } = unsafe { &*slot };
        // SAFETY: the caller has the slot alone (invariant 2).
        place.with_mut(|place| unsafe { place.cast::<T>().write(value) });
        // Release (ring.published): the value, to the get that claims it.
        // proof: ring.write
        stamp.store(2 * lap + 1, Release);
    }

    /// Reads the value and frees the slot.
    ///
    /// # Safety
    ///
    /// The caller has claimed this slot for a get in this lap, and has seen it published.
    #[inline]
    pub(crate) unsafe fn read(&self, lap: u64) -> T {
        // SAFETY: this function's contract.
        let value = unsafe { self.peek() };
        // SAFETY: this function's contract.
        unsafe { self.free(lap) };
        value
    }

    /// Reads the value, once.
    ///
    /// # Safety
    ///
    /// As of [`read`](Self::read).
    #[inline]
    pub(crate) unsafe fn peek(&self) -> T {
        // SAFETY: the caller has the slot alone (invariant 2), and its value was written in this lap.
        self.value.with(|place| unsafe { place.cast::<T>().read() })
    }

    /// Frees the slot.
    ///
    /// # Safety
    ///
    /// The caller has claimed this slot for a get in this lap, and has read its value.
    #[inline]
    pub(crate) unsafe fn free(&self, lap: u64) {
        // Release (ring.freed): the value has been read, and may be overwritten.
        // proof: ring.free
        self.stamp.store(2 * lap + 2, Release);
    }
}

/// The slots of one ring, which are made when they are first needed.
pub(crate) struct Slots<T> {
    first: AtomicPtr<Slot<T>>,
}

impl<T> Slots<T> {
    const_fn! {
        pub(crate) fn new() -> Self {
            Self { first: AtomicPtr::new(ptr::null_mut()) }
        }
    }

    /// Returns the first slot, or null if there are none yet.
    #[inline]
    pub(crate) fn get(&self) -> *const Slot<T> {
        // Acquire (ring.slots): the slots as they were made.
        self.first.load(Acquire)
    }

    /// Makes `size` slots, unless there are some.
    #[cold]
    pub(crate) fn begin(&self, size: usize) -> *const Slot<T> {
        let new = Box::into_raw((0..size).map(|_| Slot::new()).collect::<Box<[Slot<T>]>>());
        // Release (ring.slots): the slots as they were made. Acquire (ring.slots): those that another thread
        // has made.
        match self.first.compare_exchange(ptr::null_mut(), new.cast(), Release, Acquire) {
            Ok(_) => new.cast(),
            Err(actual) => {
                // SAFETY: made above, and not shared yet.
                drop(unsafe { Box::from_raw(new) });
                actual
            }
        }
    }

    /// Lets the `size` slots go, if there are any.
    ///
    /// # Safety
    ///
    /// `size` is what they were made with, and no thread uses them any more.
    pub(crate) unsafe fn end(&mut self, size: usize) {
        let first = self.get().cast_mut();
        if !first.is_null() {
            // SAFETY: made from a box of this length.
            drop(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(first, size)) });
        }
    }
}
