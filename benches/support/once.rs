//! What is made once and looked at from then on.

/// Something that its first use makes.
pub(crate) trait Made: Send + Sync + 'static {
    /// Whose it is.
    const NAME: &'static str;
    /// Not made.
    fn new() -> Self;
    /// Makes it if need be, and looks at it.
    fn look(&self) -> u64;
}

macro_rules! made {
    ($name:ident, $type:ty, $label:expr, $new:expr, $look:expr) => {
        /// A contender.
        pub(crate) struct $name($type);

        impl Made for $name {
            const NAME: &'static str = $label;

            fn new() -> Self {
                Self($new)
            }

            #[inline]
            fn look(&self) -> u64 {
                $look(&self.0)
            }
        }
    };
}

made!(Ours, lockwork::OnceLock<u64>, super::OURS, lockwork::OnceLock::new(), |cell: &lockwork::OnceLock<
    u64,
>| { *cell.get_or_init(|| 7) });
made!(Std, std::sync::OnceLock<u64>, "std", std::sync::OnceLock::new(), |cell: &std::sync::OnceLock<u64>| {
    *cell.get_or_init(|| 7)
});
made!(
    OnceCell,
    once_cell::sync::OnceCell<u64>,
    "once_cell",
    once_cell::sync::OnceCell::new(),
    |cell: &once_cell::sync::OnceCell<u64>| *cell.get_or_init(|| 7)
);

made!(
    OursLazy,
    lockwork::LazyLock<u64>,
    super::OURS,
    lockwork::LazyLock::new(|| 7),
    |lazy: &lockwork::LazyLock<u64>| **lazy
);
made!(
    StdLazy,
    std::sync::LazyLock<u64>,
    "std",
    std::sync::LazyLock::new(|| 7),
    |lazy: &std::sync::LazyLock<u64>| **lazy
);
made!(
    OnceCellLazy,
    once_cell::sync::Lazy<u64>,
    "once_cell",
    once_cell::sync::Lazy::new(|| 7),
    |lazy: &once_cell::sync::Lazy<u64>| **lazy
);

made!(OursOnce, lockwork::Once, super::OURS, lockwork::Once::new(), |once: &lockwork::Once| {
    once.call_once(|| ());
    7
});
made!(StdOnce, std::sync::Once, "std", std::sync::Once::new(), |once: &std::sync::Once| {
    once.call_once(|| ());
    7
});
made!(
    ParkingLotOnce,
    parking_lot::Once,
    "parking_lot",
    parking_lot::Once::new(),
    |once: &parking_lot::Once| {
        once.call_once(|| ());
        7
    }
);

/// The expression for each [`Made`] of one sort.
macro_rules! each_once_lock {
    ($name:ident => $make:expr) => {
        $crate::support::each!($name => $make;
            $crate::support::once::Ours,
            $crate::support::once::Std,
            $crate::support::once::OnceCell,
        )
    };
}
pub(crate) use each_once_lock;

macro_rules! each_lazy_lock {
    ($name:ident => $make:expr) => {
        $crate::support::each!($name => $make;
            $crate::support::once::OursLazy,
            $crate::support::once::StdLazy,
            $crate::support::once::OnceCellLazy,
        )
    };
}
pub(crate) use each_lazy_lock;

macro_rules! each_once {
    ($name:ident => $make:expr) => {
        $crate::support::each!($name => $make;
            $crate::support::once::OursOnce,
            $crate::support::once::StdOnce,
            $crate::support::once::ParkingLotOnce,
        )
    };
}
pub(crate) use each_once;
