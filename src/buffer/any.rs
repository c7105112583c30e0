//! Items of a buffer, and room in it, as sources of [`wait_any`](crate::wait_any).

use std::fmt;

use super::error::{GetError, PutError};
use super::wait::{Core, Side, Store};
use super::{BoundedBuffer, Ring};
use crate::any::sealed::{Misuse, Raw, Sealed, Waiting};
use crate::any::{AnySet, AnySource};
use crate::ring::{Enqueued, No, Node, Place, Select, Source, SpinWait, Waiter};

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
        Getting { core: &self.core }
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
        Putting { core: &self.core, item: Some(item) }
    }
}

/// An item of a [`BoundedBuffer`] to be got, in a set of [`wait_any`](crate::wait_any): made by
/// [`BoundedBuffer::getting`].
#[must_use = "it takes nothing by itself: give it to `wait_any`"]
pub struct Getting<'a, T> {
    core: &'a Core<Ring<T>>,
}

/// An item to be put into a [`BoundedBuffer`], in a set of [`wait_any`](crate::wait_any): made by
/// [`BoundedBuffer::putting`].
///
/// Once its item was put, or has gone out in an error, it is spent; a spent one in a set is a panic.
#[must_use = "it puts nothing by itself: give it to `wait_any` by `&mut`"]
pub struct Putting<'a, T> {
    core: &'a Core<Ring<T>>,
    item: Option<T>,
}

impl<T> Putting<'_, T> {
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

    fn attempt(&mut self) -> Option<Result<(), PutError<T>>> {
        let item = self.item.take()?;
        match self.core.try_put(item) {
            Ok(()) => Some(Ok(())),
            Err(super::TryPutError::Closed(item)) => Some(Err(PutError(item))),
            Err(super::TryPutError::Full(item)) => {
                self.item = Some(item);
                None
            }
        }
    }

    fn misuse(&self) -> Option<Misuse> {
        self.is_spent().then_some(Misuse::Spent)
    }
}

impl<T> Clone for Getting<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Getting<'_, T> {}

impl<T> fmt::Debug for Getting<'_, T> {
    /// Shows the buffer's length, not its items. Does not block.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Getting").field("len", &self.core.len()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Putting<'_, T> {
    /// Shows the buffer's length, not its items. Does not block.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Putting")
            .field("len", &self.core.len())
            .field("is_spent", &self.is_spent())
            .finish_non_exhaustive()
    }
}

/// One side of a buffer.
macro_rules! sides {
    ($($name:ident: $side:expr;)+) => { $(
        impl<T> Source for $name<'_, T> {
            fn node(&self, select: &Select) -> Waiter {
                self.core.sleepers($side).node(select)
            }

            fn enqueue(&self, node: Node<'_>, place: Place) -> Enqueued {
                self.core.sleepers($side).enqueue(node, place, || self.core.store().announce($side))
            }

            fn leave(&self, node: Node<'_>) {
                self.core.sleepers($side).leave(node);
            }

            fn hand_on(&self) {
                self.core.sleepers($side).hand_on(|| self.core.store().announce($side));
            }

            fn spin(&self) -> Option<SpinWait> {
                Some(self.core.sleepers($side).spin_wait(self.core.store().capacity()))
            }
        }
    )+ };
}

sides! {
    Getting: Side::Getters;
    Putting: Side::Putters;
}

impl<T> Sealed for Getting<'_, T> {}

impl<T> AnySource for Getting<'_, T> {
    type Output = Result<T, GetError>;

    fn any_raw(&self) -> Raw<'_> {
        Raw(self)
    }

    #[inline]
    fn any_attempt(&mut self, _handed: bool) -> Option<Self::Output> {
        match self.core.store().get() {
            Ok((item, wake)) => {
                self.core.wake(Side::Putters, wake);
                Some(Ok(item))
            }
            Err(No::Closed) => Some(Err(GetError)),
            Err(No::NotNow) => None,
        }
    }
}

impl<T> Sealed for &mut Putting<'_, T> {}

impl<T> AnySource for &mut Putting<'_, T> {
    type Output = Result<(), PutError<T>>;

    fn any_raw(&self) -> Raw<'_> {
        Raw(&**self)
    }

    #[inline]
    fn any_attempt(&mut self, _handed: bool) -> Option<Self::Output> {
        self.attempt()
    }

    #[inline]
    fn any_misuse(&self, _waits: bool) -> Option<Misuse> {
        self.misuse()
    }
}

/// A set of items to be put that is a slice, or derefs to one.
macro_rules! slices {
    ($([$($params:tt)*] $set:ty;)+) => { $(
        impl<$($params)*> Sealed for $set {}

        impl<$($params)*> AnySet for $set {
            type First = (usize, Result<(), PutError<T>>);

            fn any_len(&self) -> usize {
                self.len()
            }

            fn any_raw(&self, place: usize) -> Raw<'_> {
                Raw(&self[place])
            }

            fn any_attempt(&mut self, place: usize, _handed: bool) -> Option<Self::First> {
                self[place].attempt().map(|output| (place, output))
            }

            fn any_misuse(&self, place: usize, _waits: bool) -> Option<Misuse> {
                self[place].misuse()
            }

            fn any_help(&self, _place: usize) -> bool {
                false
            }

            fn any_wait(waiting: Waiting<'_, Self>) -> bool {
                waiting.of_a_slice()
            }
        }
    )+ };
}

slices! {
    [T] &mut [Putting<'_, T>];
    [T, const N: usize] &mut [Putting<'_, T>; N];
    [T] &mut Vec<Putting<'_, T>>;
}
