//! A mutex and condition variables: what the other families are made of where a crate does not have them.

use std::sync::{self, PoisonError};

/// A value under a mutex, and two conditions to wait for.
pub(crate) trait Monitor<T: Send>: Send + Sync + 'static {
    /// Whose it is.
    const NAME: &'static str;
    /// What something made of it is called.
    const COMPOSED: &'static str;
    /// No thread waits.
    fn new(value: T) -> Self;
    /// Runs `f` in the lock.
    fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R;
    /// Waits for the condition while `blocked`, then runs `f` without leaving the lock in between.
    fn wait_then<R>(
        &self,
        condition: usize,
        blocked: impl FnMut(&mut T) -> bool,
        f: impl FnOnce(&mut T) -> R,
    ) -> R;
    /// Wakes one.
    fn notify_one(&self, condition: usize);
    /// Wakes all.
    fn notify_all(&self, condition: usize);
}

/// For crates whose waits borrow the guard.
macro_rules! monitor {
    ($name:ident, $krate:ident, $label:expr, $composed:literal) => {
        /// A contender.
        pub(crate) struct $name<T>($krate::Mutex<T>, [$krate::Condvar; 2]);

        impl<T: Send + 'static> Monitor<T> for $name<T> {
            const NAME: &'static str = $label;
            const COMPOSED: &'static str = $composed;

            fn new(value: T) -> Self {
                Self($krate::Mutex::new(value), [$krate::Condvar::new(), $krate::Condvar::new()])
            }

            #[inline]
            fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
                f(&mut self.0.lock())
            }

            #[inline]
            fn wait_then<R>(
                &self,
                condition: usize,
                mut blocked: impl FnMut(&mut T) -> bool,
                f: impl FnOnce(&mut T) -> R,
            ) -> R {
                let mut guard = self.0.lock();
                while blocked(&mut guard) {
                    self.1[condition].wait(&mut guard);
                }
                f(&mut guard)
            }

            #[inline]
            fn notify_one(&self, condition: usize) {
                self.1[condition].notify_one();
            }

            #[inline]
            fn notify_all(&self, condition: usize) {
                self.1[condition].notify_all();
            }
        }
    };
}

monitor!(Ours, lockwork, super::OURS, "lockwork Mutex + Condvar");
monitor!(ParkingLot, parking_lot, "parking_lot", "parking_lot Mutex + Condvar");
monitor!(Usync, usync, "usync", "usync Mutex + Condvar");

/// A contender.
pub(crate) struct Std<T>(sync::Mutex<T>, [sync::Condvar; 2]);

impl<T: Send + 'static> Monitor<T> for Std<T> {
    const NAME: &'static str = "std";
    const COMPOSED: &'static str = "std Mutex + Condvar";

    fn new(value: T) -> Self {
        Self(sync::Mutex::new(value), [sync::Condvar::new(), sync::Condvar::new()])
    }

    #[inline]
    fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[inline]
    fn wait_then<R>(
        &self,
        condition: usize,
        mut blocked: impl FnMut(&mut T) -> bool,
        f: impl FnOnce(&mut T) -> R,
    ) -> R {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while blocked(&mut guard) {
            guard = self.1[condition].wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        f(&mut guard)
    }

    #[inline]
    fn notify_one(&self, condition: usize) {
        self.1[condition].notify_one();
    }

    #[inline]
    fn notify_all(&self, condition: usize) {
        self.1[condition].notify_all();
    }
}

/// The expression for each [`Monitor`] of a counter.
macro_rules! each_condvar {
    ($name:ident => $make:expr) => {
        $crate::support::each!($name => $make;
            $crate::support::condvar::Ours<u64>,
            $crate::support::condvar::Std<u64>,
            $crate::support::condvar::ParkingLot<u64>,
            $crate::support::condvar::Usync<u64>,
        )
    };
}
pub(crate) use each_condvar;
