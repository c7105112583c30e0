//! The atomics, with the operations that are used and no others. Types of their own, so that the fence tells
//! them from `std`'s.

use crate::facade::platform;
pub(crate) use crate::facade::platform::atomic::Ordering;

macro_rules! atomic {
    ($(#[$meta:meta])* $name:ident $(<$generic:ident>)?, $value:ty, { $($operations:tt)* }) => {
        $(#[$meta])*
        #[derive(Debug)]
        #[repr(transparent)]
        pub(crate) struct $name $(<$generic>)? (platform::atomic::$name $(<$generic>)?);

        impl $(<$generic>)? $name $(<$generic>)? {
            pub(crate) const fn new(value: $value) -> Self {
                Self(platform::atomic::$name::new(value))
            }

            #[inline]
            pub(crate) fn load(&self, order: Ordering) -> $value {
                self.0.load(order)
            }

            $($operations)*
        }
    };
}

atomic!(AtomicPtr<T>, *mut T, {
    #[inline]
    pub(crate) fn compare_exchange_weak(
        &self,
        current: *mut T,
        new: *mut T,
        success: Ordering,
        failure: Ordering,
    ) -> Result<*mut T, *mut T> {
        self.0.compare_exchange_weak(current, new, success, failure)
    }

    #[inline]
    pub(crate) fn compare_exchange(
        &self,
        current: *mut T,
        new: *mut T,
        success: Ordering,
        failure: Ordering,
    ) -> Result<*mut T, *mut T> {
        self.0.compare_exchange(current, new, success, failure)
    }

    #[inline]
    pub(crate) fn store(&self, value: *mut T, order: Ordering) {
        self.0.store(value, order);
    }
});

atomic!(AtomicU64, u64, {
    #[inline]
    pub(crate) fn store(&self, value: u64, order: Ordering) {
        self.0.store(value, order);
    }

    #[inline]
    pub(crate) fn compare_exchange_weak(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        self.0.compare_exchange_weak(current, new, success, failure)
    }

    #[inline]
    pub(crate) fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
        self.0.fetch_add(value, order)
    }
});

atomic!(AtomicUsize, usize, {
    #[inline]
    pub(crate) fn compare_exchange_weak(
        &self,
        current: usize,
        new: usize,
        success: Ordering,
        failure: Ordering,
    ) -> Result<usize, usize> {
        self.0.compare_exchange_weak(current, new, success, failure)
    }

    #[inline]
    pub(crate) fn fetch_add(&self, value: usize, order: Ordering) -> usize {
        self.0.fetch_add(value, order)
    }

    #[inline]
    pub(crate) fn fetch_sub(&self, value: usize, order: Ordering) -> usize {
        self.0.fetch_sub(value, order)
    }
});

atomic!(AtomicU32, u32, {
    #[inline]
    pub(crate) fn store(&self, value: u32, order: Ordering) {
        self.0.store(value, order);
    }

    #[inline]
    pub(crate) fn compare_exchange(
        &self,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        self.0.compare_exchange(current, new, success, failure)
    }

    #[inline]
    pub(crate) fn compare_exchange_weak(
        &self,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        self.0.compare_exchange_weak(current, new, success, failure)
    }

    #[inline]
    pub(crate) fn fetch_sub(&self, value: u32, order: Ordering) -> u32 {
        self.0.fetch_sub(value, order)
    }
});

/// The first half of a handshake over two words: exchanges this one. The thread that then loads the other
/// by [`load_in_order`] and the thread that changes the other and then this side of a [`fence_in_order`]
/// loads this one cannot both miss what the other did: all three stand in one total order.
#[inline]
pub(crate) fn exchange_in_order(word: &AtomicU32, current: u32, new: u32) -> bool {
    // proof: facade.exchange_in_order
    word.0.compare_exchange(current, new, Ordering::SeqCst, Ordering::Relaxed).is_ok()
}

/// The second half of the same.
#[inline]
pub(crate) fn load_in_order(word: &AtomicU32) -> u32 {
    // proof: facade.load_in_order
    word.0.load(Ordering::SeqCst)
}

/// The other side of the same: stands between the change of the one word and the load of the other.
#[inline]
pub(crate) fn fence_in_order() {
    // proof: facade.fence_in_order
    platform::atomic::fence(Ordering::SeqCst);
}
