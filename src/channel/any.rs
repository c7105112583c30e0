//! Messages of a channel, and room in it, as sources of [`wait_any`](crate::wait_any).

use std::fmt;

use super::error::{RecvError, SendError};
use super::{Receiver, Sender};
use crate::any::sealed::{Handed, Misuse, Observed, Raw, Sealed};
use crate::any::{AnySet, AnySource};
use crate::buffer::{Offer, Putting, offers};
use crate::observe::Mode;

impl<T> Sealed for &Receiver<T> {}

impl<T> AnySource for &Receiver<T> {
    type Output = Result<T, RecvError>;

    fn any_raw(&self) -> Raw<'_> {
        self.channel.buffer.getters()
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn any_observed(&self) -> Observed<'_> {
        self.channel.buffer.observed(Mode::Get)
    }

    #[inline]
    fn any_is_ready(&self) -> bool {
        self.channel.buffer.getting().any_is_ready()
    }

    fn any_seems_ready(&self) -> bool {
        self.channel.buffer.getting().any_seems_ready()
    }

    #[inline]
    fn any_attempt(&mut self, handed: Handed) -> Option<Self::Output> {
        self.channel.buffer.getting().any_attempt(handed).map(|message| message.map_err(|_| RecvError))
    }
}

impl<T> Sender<T> {
    /// Returns room in this channel for `msg`, for a set of [`wait_any`](crate::wait_any). Sends nothing.
    ///
    /// It goes into a set by `&mut`, and has the message until a call has sent it: one that ends otherwise
    /// leaves it there, to be offered again.
    ///
    /// ```
    /// use lockwork::channel::bounded;
    /// use lockwork::{Event, First2, wait_any};
    ///
    /// let (sender, receiver) = bounded(1);
    /// let stop = Event::new();
    /// let mut message = sender.sending(1);
    /// assert_eq!(wait_any((&mut message, &stop)), First2::First(Ok(())));
    /// assert_eq!(wait_any((&receiver, &stop)), First2::First(Ok(1)));
    /// ```
    #[inline]
    pub fn sending(&self, msg: T) -> Sending<'_, T> {
        Sending(self.channel.buffer.putting(msg))
    }
}

/// A message to be sent, in a set of [`wait_any`](crate::wait_any): made by [`Sender::sending`].
///
/// Once its message was sent, or has gone out in an error, it is spent; a spent one in a set is a panic.
#[must_use = "it sends nothing by itself: give it to `wait_any` by `&mut`"]
pub struct Sending<'a, T>(Putting<'a, T>);

impl<T> Sending<'_, T> {
    /// Returns the message, unless it was sent or has gone out in a [`SendError`].
    #[must_use = "the message would be dropped"]
    pub fn into_inner(self) -> Option<T> {
        self.0.into_item()
    }

    /// Returns whether it has no message any more.
    #[must_use]
    pub const fn is_spent(&self) -> bool {
        self.0.is_spent()
    }
}

impl<T> Offer for Sending<'_, T> {
    type Error = SendError<T>;

    fn raw(&self) -> Raw<'_> {
        self.0.raw()
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn observed(&self) -> Observed<'_> {
        self.0.observed()
    }

    #[inline]
    fn is_ready(&self) -> bool {
        self.0.is_ready()
    }

    fn seems_ready(&self) -> bool {
        self.0.seems_ready()
    }

    #[inline]
    fn attempt(&mut self) -> Option<Result<(), SendError<T>>> {
        self.0.attempt().map(|sent| sent.map_err(|error| SendError(error.into_inner())))
    }

    #[inline]
    fn is_spent(&self) -> bool {
        self.0.is_spent()
    }
}

offers! { Sending<'a, T>, SendError<T>; 'a, T }

impl<T> fmt::Debug for Sending<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").field("is_spent", &self.is_spent()).finish_non_exhaustive()
    }
}
