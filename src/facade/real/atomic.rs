//! The atomics, with the operations that are used and no others. Types of their own, so that the fence tells
//! them from `std`'s.

use crate::facade::platform;
pub(crate) use crate::facade::platform::atomic::Ordering;

macro_rules! atomic {
    ($name:ident $(<$generic:ident>)?, $value:ty; $($store:ident)?; $($exchange:ident)*; $($operation:ident)*) => {
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

            $(
                #[inline]
                pub(crate) fn $store(&self, value: $value, order: Ordering) {
                    self.0.$store(value, order);
                }
            )?

            $(
                #[inline]
                pub(crate) fn $exchange(
                    &self,
                    current: $value,
                    new: $value,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$value, $value> {
                    self.0.$exchange(current, new, success, failure)
                }
            )*

            $(
                #[inline]
                pub(crate) fn $operation(&self, value: $value, order: Ordering) -> $value {
                    self.0.$operation(value, order)
                }
            )*
        }
    };
}

atomic!(AtomicPtr<T>, *mut T; store; compare_exchange compare_exchange_weak;);
atomic!(AtomicU32, u32; store; compare_exchange compare_exchange_weak; fetch_sub);
atomic!(AtomicU64, u64; store; compare_exchange_weak; fetch_add);
atomic!(AtomicUsize, usize;; compare_exchange_weak; fetch_add fetch_sub);

/// Exchanges one of two words: the first half of a handshake. The thread that then loads the other by
/// [`load_in_order`] and the thread that changes the other and then this side of a [`fence_in_order`] loads
/// this one cannot both miss what the other did: all three stand in one total order.
#[inline]
pub(crate) fn exchange_in_order(word: &AtomicU32, current: u32, new: u32) -> bool {
    // proof: facade.exchange_in_order
    word.0.compare_exchange(current, new, Ordering::SeqCst, Ordering::Relaxed).is_ok()
}

/// Loads the other of the two words: the second half of the same.
#[inline]
pub(crate) fn load_in_order(word: &AtomicU32) -> u32 {
    // proof: facade.load_in_order
    word.0.load(Ordering::SeqCst)
}

/// Stands between the change of the one word and the load of the other: the other side of the same.
#[inline]
pub(crate) fn fence_in_order() {
    // proof: facade.fence_in_order
    platform::atomic::fence(Ordering::SeqCst);
}
