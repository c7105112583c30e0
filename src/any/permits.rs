//! Permits of a semaphore as a source.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

use super::sealed::{Handed, Misuse, Observed, Raw, Sealed};
use super::source::AnySource;
use crate::observe;
use crate::raw::semaphore::Request;
use crate::semaphore::{Semaphore, SemaphorePermit};

/// Permits of a [`Semaphore`] to be acquired, in a set of [`wait_any`](crate::wait_any): made by
/// [`Semaphore::acquiring`] and [`Semaphore::acquiring_many`].
#[derive(Clone, Copy)]
#[must_use = "it acquires nothing by itself: give it to `wait_any`"]
pub struct Acquiring<'a> {
    semaphore: &'a Semaphore,
    request: Request<'a>,
    call: observe::Call<'a>,
}

impl Semaphore {
    /// Returns one permit to be acquired, for a set of [`wait_any`](crate::wait_any). Acquires nothing.
    ///
    /// ```
    /// use lockwork::{Event, First2, Semaphore, wait_any};
    ///
    /// let (slots, stop) = (Semaphore::new(1), Event::new());
    /// match wait_any((slots.acquiring(), &stop)) {
    ///     First2::First(permit) => assert_eq!(permit.num_permits(), 1),
    ///     First2::Second(()) => unreachable!("it is not set"),
    /// }
    /// ```
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub const fn acquiring(&self) -> Acquiring<'_> {
        self.acquiring_many(1)
    }

    /// Returns `n` permits to be acquired together, for a set of [`wait_any`](crate::wait_any). Acquires
    /// nothing.
    ///
    /// While such a call waits, requests for fewer permits that came later do not pass it. No permits at all
    /// are there at once. More than there can ever be are never there: a call without a time limit that would
    /// wait for them panics.
    ///
    /// ```
    /// use lockwork::{Event, Semaphore, try_any};
    ///
    /// let (slots, stop) = (Semaphore::new(3), Event::new());
    /// assert!(try_any((&stop, slots.acquiring_many(4))).is_none());
    /// assert_eq!(slots.available_permits(), 3);
    /// ```
    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub const fn acquiring_many(&self, n: usize) -> Acquiring<'_> {
        Acquiring { semaphore: self, request: Request { semaphore: self.raw(), n }, call: self.call(n) }
    }
}

impl Sealed for Acquiring<'_> {}

impl<'a> AnySource for Acquiring<'a> {
    type Output = SemaphorePermit<'a>;

    fn any_raw(&self) -> Raw<'_> {
        Raw(&self.request)
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn any_observed(&self) -> Observed<'_> {
        Observed(self.semaphore.call(self.request.n))
    }

    #[inline]
    fn any_is_ready(&self) -> bool {
        self.request.semaphore.is_offered(self.request.n)
    }

    #[inline]
    fn any_attempt(&mut self, handed: Handed) -> Option<SemaphorePermit<'a>> {
        let Request { semaphore, n } = self.request;
        (handed.0 || semaphore.try_acquire(n)).then(|| self.semaphore.permit(n, self.call))
    }

    fn any_misuse(&self, waits: bool) -> Option<Misuse> {
        let Request { semaphore, n } = self.request;
        let limit = semaphore.limit();
        (waits && n > limit).then_some(Misuse::OverLimit { n, limit })
    }
}

/// Whether a call was interrupted by a panic does not matter to a request.
impl UnwindSafe for Acquiring<'_> {}
impl RefUnwindSafe for Acquiring<'_> {}

impl fmt::Debug for Acquiring<'_> {
    /// Shows the semaphore. Does not block.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquiring").field("semaphore", &self.semaphore).field("n", &self.request.n).finish()
    }
}
