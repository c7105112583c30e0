//! Items of a buffer, and room in it, as sources of [`wait_any`](crate::wait_any).

use std::fmt;
use std::marker::PhantomData;

use super::BoundedBuffer;
use super::error::{GetError, PutError, TryGetError, TryPutError};
use super::wait::{Core, Side, Store};
use crate::any::sealed::{Handed, Misuse, Observed, Raw, Sealed, SourceSet, Waiting};
use crate::any::{AnySet, AnySource};
use crate::facade::Deadline;
use crate::observe::Mode;
use crate::ring::{Enqueued, Node, Place, Select, Source, SpinWait, Waiter};

impl<T> BoundedBuffer<T> {
    /// Returns an item of this buffer to be got, for a set of [`wait_any`](crate::wait_any). Takes nothing.
    ///
    /// ```
    /// use lockwork::{BoundedBuffer, First2, wait_any};
    ///
    /// let (urgent, other) = (BoundedBuffer::<u8>::new(4), BoundedBuffer::new(4));
    /// other.put("later").unwrap();
    /// assert_eq!(wait_any((urgent.getting(), other.getting())), First2::Second(Ok("later")));
    /// ```
    #[inline]
    pub const fn getting(&self) -> Getting<'_, T> {
        Getting::of(self)
    }

    /// Returns room in this buffer for `item`, for a set of [`wait_any`](crate::wait_any). Puts nothing.
    ///
    /// It goes into a set by `&mut`, and has the item until a call has put it: one that ends otherwise leaves
    /// it there, to be offered again.
    ///
    /// ```
    /// use lockwork::{BoundedBuffer, Event, First2, wait_any};
    ///
    /// let (buffer, stop) = (BoundedBuffer::new(1), Event::new());
    /// buffer.put("first").unwrap();
    /// stop.set();
    /// let mut second = buffer.putting("second");
    /// assert_eq!(wait_any((&mut second, &stop)), First2::Second(()));
    /// assert_eq!(second.into_item(), Some("second"));
    /// ```
    #[inline]
    pub const fn putting(&self, item: T) -> Putting<'_, T> {
        Putting::of(self, item)
    }
}

/// What has a buffer, as its sides see it.
pub(super) trait Buffer {
    type Item;
    type Store: Store<Item = Self::Item>;

    fn core(&self) -> &Core<Self::Store>;
}

/// An item of a buffer to be got, in a set of [`wait_any`](crate::wait_any): made by
/// [`BoundedBuffer::getting`], [`PriorityBuffer::getting`](crate::PriorityBuffer::getting) and
/// [`StackBuffer::getting`](crate::StackBuffer::getting).
#[must_use = "it takes nothing by itself: give it to `wait_any`"]
pub struct Getting<'a, T, B = BoundedBuffer<T>> {
    buffer: &'a B,
    item: PhantomData<fn() -> T>,
}

/// An item to be put into a buffer, in a set of [`wait_any`](crate::wait_any): made by
/// [`BoundedBuffer::putting`], [`PriorityBuffer::putting`](crate::PriorityBuffer::putting) and
/// [`StackBuffer::putting`](crate::StackBuffer::putting).
///
/// Once its item was put, or has gone out in an error, it is spent; a spent one in a set is a panic.
#[must_use = "it puts nothing by itself: give it to `wait_any` by `&mut`"]
pub struct Putting<'a, T, B = BoundedBuffer<T>> {
    buffer: &'a B,
    item: Option<T>,
}

impl<'a, T, B> Getting<'a, T, B> {
    pub(super) const fn of(buffer: &'a B) -> Self {
        Self { buffer, item: PhantomData }
    }
}

impl<'a, T, B> Putting<'a, T, B> {
    pub(super) const fn of(buffer: &'a B, item: T) -> Self {
        Self { buffer, item: Some(item) }
    }

    /// Returns the item, unless it was put or has gone out in a [`PutError`].
    #[must_use = "the item would be dropped"]
    pub fn into_item(self) -> Option<T> {
        self.item
    }

    /// Returns whether it has no item any more.
    #[must_use]
    pub const fn is_spent(&self) -> bool {
        self.item.is_none()
    }
}

/// What goes into a set by `&mut`, because it has an item until that is put.
#[allow(unnameable_types, reason = "no other crate can implement or call it")]
pub trait Offer {
    /// What an attempt fails with.
    type Error;

    fn raw(&self) -> Raw<'_>;

    /// Returns what diagnosis notes of a wait for room.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn observed(&self) -> Observed<'_>;

    /// Returns whether there seems to be room for the item, or none ever again.
    fn is_ready(&self) -> bool;

    /// Returns whether there seems to be room for the item: advice, for a thread that looks again and again.
    fn seems_ready(&self) -> bool;

    /// Puts the item, or finds that it never can, if one of the two is so now.
    fn attempt(&mut self) -> Option<Result<(), Self::Error>>;

    /// Returns whether it has no item any more.
    fn is_spent(&self) -> bool;
}

impl<T, B: Buffer<Item = T>> Offer for Putting<'_, T, B> {
    type Error = PutError<T>;

    fn raw(&self) -> Raw<'_> {
        Raw(self)
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn observed(&self) -> Observed<'_> {
        Observed(self.buffer.core().call(Mode::Put))
    }

    #[inline]
    fn is_ready(&self) -> bool {
        self.buffer.core().is_ready(Side::Putters)
    }

    fn seems_ready(&self) -> bool {
        self.buffer.core().store().may_go_on(Side::Putters)
    }

    #[inline]
    fn attempt(&mut self) -> Option<Result<(), PutError<T>>> {
        match self.buffer.core().try_put(self.item.take()?) {
            Ok(()) => Some(Ok(())),
            Err(TryPutError::Closed(item)) => Some(Err(PutError(item))),
            Err(TryPutError::Full(item)) => {
                self.item = Some(item);
                None
            }
        }
    }

    #[inline]
    fn is_spent(&self) -> bool {
        self.item.is_none()
    }
}

impl<T, B> Clone for Getting<'_, T, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, B> Copy for Getting<'_, T, B> {}

impl<T, B: fmt::Debug> fmt::Debug for Getting<'_, T, B> {
    /// Shows the buffer, not its items. Does not block.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Getting").field("buffer", self.buffer).finish()
    }
}

impl<T, B: fmt::Debug> fmt::Debug for Putting<'_, T, B> {
    /// Shows the buffer, not its items. Does not block.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Putting").field("buffer", self.buffer).field("is_spent", &self.is_spent()).finish()
    }
}

impl<S: Store> Buffer for Core<S> {
    type Item = S::Item;
    type Store = S;

    #[inline]
    fn core(&self) -> &Self {
        self
    }
}

impl<T, B: Buffer<Item = T>> Buffer for Putting<'_, T, B> {
    type Item = T;
    type Store = B::Store;

    #[inline]
    fn core(&self) -> &Core<B::Store> {
        self.buffer.core()
    }
}

/// A side of a buffer, which is a source. It has no state of its own.
trait Sided: Buffer {
    const SIDE: Side;
}

/// The getters' side of a buffer is the buffer's own, because a receiver of a channel is a source, too.
impl<S: Store> Sided for Core<S> {
    const SIDE: Side = Side::Getters;
}

impl<T, B: Buffer<Item = T>> Sided for Putting<'_, T, B> {
    const SIDE: Side = Side::Putters;
}

impl<B: Sided> Source for B {
    fn node(&self, select: &Select) -> Waiter {
        self.core().sleepers(B::SIDE).node(select)
    }

    fn enqueue(&self, node: Node<'_>, place: Place) -> Enqueued {
        self.core().store().enqueue(B::SIDE, self.core().sleepers(B::SIDE), node, place)
    }

    fn leave(&self, node: Node<'_>) {
        self.core().sleepers(B::SIDE).leave(node);
    }

    fn hand_on(&self) {
        self.core().hand_on(B::SIDE);
    }

    fn spin(&self, _: &Deadline) -> Option<SpinWait> {
        Some(self.core().sleepers(B::SIDE).spin_wait(self.core().store().capacity()))
    }
}

impl<S: Store> Core<S> {
    /// Returns whether a call of this side would end now, with an item or with an error, or may.
    fn is_ready(&self, side: Side) -> bool {
        self.store().look().is_none_or(|(len, closed)| {
            closed
                || match side {
                    Side::Getters => len != 0,
                    Side::Putters => len < self.store().capacity(),
                }
        })
    }

    /// Takes the next item if there is one, for the getters' side as a source. Fails if there will be none.
    #[inline]
    fn attempt_get(&self) -> Option<Result<S::Item, GetError>> {
        match self.try_get() {
            Ok(item) => Some(Ok(item)),
            Err(TryGetError::Closed) => Some(Err(GetError)),
            Err(TryGetError::Empty) => None,
        }
    }
}

impl<T> BoundedBuffer<T> {
    /// Returns the getters' side as a source.
    pub(crate) fn getters(&self) -> Raw<'_> {
        Raw(&self.core)
    }

    /// Returns what diagnosis notes of a wait in that mode.
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    pub(crate) fn observed(&self, mode: Mode) -> Observed<'_> {
        Observed(self.core.call(mode))
    }
}

impl<T, B> Sealed for Getting<'_, T, B> {}

impl<T, B: Buffer<Item = T>> AnySource for Getting<'_, T, B> {
    type Output = Result<T, GetError>;

    fn any_raw(&self) -> Raw<'_> {
        Raw(self.buffer.core())
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn any_observed(&self) -> Observed<'_> {
        Observed(self.buffer.core().call(Mode::Get))
    }

    #[inline]
    fn any_is_ready(&self) -> bool {
        self.buffer.core().is_ready(Side::Getters)
    }

    fn any_seems_ready(&self) -> bool {
        self.buffer.core().store().may_go_on(Side::Getters)
    }

    #[inline]
    fn any_attempt(&mut self, _handed: Handed) -> Option<Self::Output> {
        self.buffer.core().attempt_get()
    }
}

/// Makes sources, and sets that are slices of them, of what is an [`Offer`] with this error.
macro_rules! offers {
    ($offer:ty, $error:ty; $($params:tt)*) => {
        impl<$($params)*> Sealed for &mut $offer {}

        impl<$($params)*> AnySource for &mut $offer {
            type Output = Result<(), $error>;

            fn any_raw(&self) -> Raw<'_> {
                self.raw()
            }

            #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
            fn any_observed(&self) -> Observed<'_> {
                self.observed()
            }

            #[inline]
            fn any_is_ready(&self) -> bool {
                self.is_ready()
            }

            fn any_seems_ready(&self) -> bool {
                self.seems_ready()
            }

            #[inline]
            fn any_attempt(&mut self, _handed: Handed) -> Option<Self::Output> {
                self.attempt()
            }

            #[inline]
            fn any_misuse(&self, _waits: bool) -> Option<Misuse> {
                self.is_spent().then_some(Misuse::Spent)
            }
        }

        offers! { set &'set mut [$offer], $offer, $error; 'set, $($params)* }
        offers! { set &'set mut [$offer; N], $offer, $error; 'set, $($params)*, const N: usize }
        offers! { set &'set mut Vec<$offer>, $offer, $error; 'set, $($params)* }
    };
    (set $set:ty, $offer:ty, $error:ty; $($params:tt)*) => {
        impl<$($params)*> Sealed for $set {}

        impl<$($params)*> AnySet for $set {
            type First = (usize, Result<(), $error>);
            type Sources = &'set mut [$offer];

            #[inline]
            fn any_sources(self) -> Self::Sources {
                self
            }
        }
    };
}

pub(crate) use offers;

offers! { Putting<'a, T, B>, PutError<T>; 'a, T, B: Buffer<Item = T> }

impl<O: Offer> SourceSet for &mut [O] {
    type First = (usize, Result<(), O::Error>);

    const ANY_HELPS: bool = false;

    fn any_len(&self) -> usize {
        self.len()
    }

    fn any_raw(&self, place: usize) -> Raw<'_> {
        self[place].raw()
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn any_observed(&self) -> Observed<'_> {
        self[0].observed()
    }

    fn any_seems_ready(&self) -> bool {
        self.iter().any(Offer::seems_ready)
    }

    fn any_is_ready(&self, place: usize) -> bool {
        self[place].is_ready()
    }

    fn any_attempt(&mut self, place: usize, _handed: Handed) -> Option<Self::First> {
        self[place].attempt().map(|output| (place, output))
    }

    fn any_misuse(&self, place: usize, _waits: bool) -> Option<Misuse> {
        self[place].is_spent().then_some(Misuse::Spent)
    }

    fn any_help(&self, _place: usize, _alone: bool) -> bool {
        false
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn any_wait(waiting: Waiting<'_, Self>) -> bool {
        waiting.of_a_slice()
    }
}
