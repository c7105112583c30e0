//! Two locks at once.

use super::mutex::{self, Lock};

/// Two locks around two counters.
pub(crate) trait Two: Send + Sync + 'static {
    /// Whose it is.
    const NAME: &'static str;
    /// Unlocked.
    fn new() -> Self;
    /// Runs `f` in both, which are named in this order.
    fn with(&self, order: [usize; 2], f: impl FnOnce(&mut u64, &mut u64));
}

/// This crate's `lock_all`.
pub(crate) struct Ours([lockwork::Mutex<u64>; 2]);

impl Two for Ours {
    const NAME: &'static str = super::OURS;

    fn new() -> Self {
        Self([const { lockwork::Mutex::new(0) }; 2])
    }

    #[inline]
    fn with(&self, [first, second]: [usize; 2], f: impl FnOnce(&mut u64, &mut u64)) {
        let (mut first, mut second) = lockwork::lock_all((&self.0[first], &self.0[second]));
        f(&mut first, &mut second);
    }
}

/// One after the other, always in the order of their addresses.
pub(crate) struct Ordered<L>([L; 2]);

macro_rules! ordered {
    ($($lock:ty: $label:literal;)+) => { $(
        impl Two for Ordered<$lock> {
            const NAME: &'static str = $label;

            fn new() -> Self {
                Self([<$lock>::new(), <$lock>::new()])
            }

            #[inline]
            fn with(&self, [first, second]: [usize; 2], f: impl FnOnce(&mut u64, &mut u64)) {
                let (low, high) = (first.min(second), first.max(second));
                self.0[low].with(|low| self.0[high].with(|high| f(low, high)));
            }
        }
    )+ };
}

ordered! {
    mutex::Ours: "lockwork, in order";
    mutex::Std: "std, in order";
    mutex::ParkingLot: "parking_lot, in order";
    mutex::Usync: "usync, in order";
}

/// The expression for each [`Two`].
macro_rules! each_two {
    ($name:ident => $make:expr) => {
        $crate::support::each!($name => $make;
            $crate::support::all::Ours,
            $crate::support::all::Ordered<$crate::support::mutex::Ours>,
            $crate::support::all::Ordered<$crate::support::mutex::Std>,
            $crate::support::all::Ordered<$crate::support::mutex::ParkingLot>,
            $crate::support::all::Ordered<$crate::support::mutex::Usync>,
        )
    };
}
pub(crate) use each_two;
