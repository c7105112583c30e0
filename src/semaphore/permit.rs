//! The permits of a [`Semaphore`].

use std::fmt;
use std::mem;
use std::ptr;
use std::sync::Arc;

use super::Semaphore;
use crate::observe::Held;

/// Returns what two permits of type `of` that are to be merged become, or why they cannot.
#[track_caller]
fn merged(of: &str, same: bool, permits: usize, others: usize) -> usize {
    assert!(same, "{of}::merge: permits of two semaphores");
    match permits.checked_add(others) {
        Some(permits) => permits,
        None => panic!("{of}::merge: too many permits"),
    }
}

/// Permits of a [`Semaphore`], one or several or none, given by [`Semaphore::acquire`] and its other forms.
/// Dropping it gives them back.
///
/// One that is leaked, say by [`mem::forget`], never gives them back, and a bounded semaphore has lost them:
/// [`forget`](Self::forget) says so to the semaphore.
#[must_use = "the permits are given back as soon as this is dropped"]
#[clippy::has_significant_drop]
pub struct SemaphorePermit<'a> {
    pub(super) semaphore: &'a Semaphore,
    pub(super) permits: usize,
    pub(super) held: Held,
}

impl<'a> SemaphorePermit<'a> {
    /// Returns how many permits these are.
    #[must_use]
    #[inline]
    pub fn num_permits(&self) -> usize {
        self.permits
    }

    /// Returns the semaphore they are of.
    #[must_use]
    #[inline]
    pub fn semaphore(&self) -> &'a Semaphore {
        self.semaphore
    }

    /// Keeps the permits from being given back: the semaphore has so many fewer from now on. Whatever
    /// takes over what they stood for may [add](Semaphore::add_permits) them again.
    ///
    /// ```
    /// let semaphore = lockwork::Semaphore::bounded(2);
    /// semaphore.acquire().forget();
    /// assert_eq!(semaphore.available_permits(), 1);
    /// semaphore.add_permits(1);
    /// assert_eq!(semaphore.available_permits(), 2);
    /// ```
    #[inline]
    pub fn forget(mut self) {
        self.held.release();
        self.semaphore.raw.forget(self.permits);
        mem::forget(self);
    }

    /// Splits off `n` of the permits, or returns `None` if there are not so many.
    ///
    /// ```
    /// let semaphore = lockwork::Semaphore::new(3);
    /// let mut permits = semaphore.acquire_many(3);
    /// let one = permits.split(1).unwrap();
    /// assert_eq!((permits.num_permits(), one.num_permits()), (2, 1));
    /// assert!(permits.split(3).is_none());
    /// ```
    #[must_use = "the permits that were split off are given back as soon as they are dropped"]
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn split(&mut self, n: usize) -> Option<Self> {
        self.permits = self.permits.checked_sub(n)?;
        self.held.recount(self.permits);
        Some(self.semaphore.permit(n, self.semaphore.call(n)))
    }

    /// Adds the permits of `other` to these.
    ///
    /// ```
    /// let semaphore = lockwork::Semaphore::new(3);
    /// let mut permits = semaphore.acquire();
    /// permits.merge(semaphore.acquire_many(2));
    /// assert_eq!(permits.num_permits(), 3);
    /// ```
    ///
    /// # Panics
    ///
    /// If `other` is of another semaphore, or the sum too large for a number. Those permits are given back
    /// then, and these stay as they were.
    #[inline]
    #[track_caller]
    pub fn merge(&mut self, mut other: Self) {
        self.permits =
            merged("SemaphorePermit", ptr::eq(self.semaphore, other.semaphore), self.permits, other.permits);
        other.held.release();
        self.held.recount(self.permits);
        mem::forget(other);
    }
}

impl Drop for SemaphorePermit<'_> {
    #[inline]
    fn drop(&mut self) {
        self.held.release();
        self.semaphore.raw.release(self.permits);
    }
}

/// A [`SemaphorePermit`] that keeps its [`Semaphore`] alive, given by [`Semaphore::acquire_arc`] and its
/// other forms.
/// Dropping it gives the permits back.
///
/// It borrows nothing, so it can be stored anywhere and outlive the frame it was acquired in.
#[must_use = "the permits are given back as soon as this is dropped"]
#[clippy::has_significant_drop]
pub struct ArcSemaphorePermit {
    pub(super) semaphore: Arc<Semaphore>,
    pub(super) permits: usize,
    pub(super) held: Held,
}

impl ArcSemaphorePermit {
    /// Returns how many permits these are.
    #[must_use]
    #[inline]
    pub fn num_permits(&self) -> usize {
        self.permits
    }

    /// Returns the semaphore they are of.
    #[must_use]
    #[inline]
    pub fn semaphore(&self) -> &Arc<Semaphore> {
        &self.semaphore
    }

    /// Keeps the permits from being given back. See [`SemaphorePermit::forget`].
    #[inline]
    pub fn forget(mut self) {
        self.semaphore.raw.forget(self.permits);
        // The drop then gives back none, and lets go of the semaphore.
        self.permits = 0;
    }

    /// Splits off `n` of the permits, or returns `None` if there are not so many. See
    /// [`SemaphorePermit::split`].
    #[must_use = "the permits that were split off are given back as soon as they are dropped"]
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub fn split(&mut self, n: usize) -> Option<Self> {
        self.permits = self.permits.checked_sub(n)?;
        self.held.recount(self.permits);
        Some(self.semaphore.permit_arc(n, self.semaphore.call(n).shared()))
    }

    /// Adds the permits of `other` to these. See [`SemaphorePermit::merge`].
    ///
    /// # Panics
    ///
    /// If `other` is of another semaphore, or the sum too large for a number. Those permits are given back
    /// then, and these stay as they were.
    #[inline]
    #[track_caller]
    pub fn merge(&mut self, mut other: Self) {
        self.permits = merged(
            "ArcSemaphorePermit",
            Arc::ptr_eq(&self.semaphore, &other.semaphore),
            self.permits,
            other.permits,
        );
        other.permits = 0;
        self.held.recount(self.permits);
    }
}

impl Drop for ArcSemaphorePermit {
    #[inline]
    fn drop(&mut self) {
        self.held.release();
        self.semaphore.raw.release(self.permits);
    }
}

impl fmt::Debug for SemaphorePermit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SemaphorePermit").field("permits", &self.permits).finish_non_exhaustive()
    }
}

impl fmt::Debug for ArcSemaphorePermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArcSemaphorePermit").field("permits", &self.permits).finish_non_exhaustive()
    }
}
