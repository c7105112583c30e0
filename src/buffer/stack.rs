//! [`StackBuffer`].

use std::time::{Duration, Instant};

use super::face::face;
use super::locked::{Collection, Locked, give_back};
use super::wait::Core;
use crate::facade::{TimeLimit, const_fn};
use crate::observe::{Identity, Kind, Mode};

/// Items in the order in which they came; the last leaves first.
pub(super) struct Stack<T>(Vec<T>);

impl<T> Collection for Stack<T> {
    type Item = T;

    const KIND: Kind = Kind::StackBuffer;
    const CHUNK: usize = 64;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn place(&self, _: &T) -> usize {
        self.0.len()
    }

    fn insert(&mut self, _: usize, item: T) {
        self.0.push(item);
    }

    fn plan(&self) -> usize {
        self.0.len() - 1
    }

    fn remove(&mut self, plan: usize) -> T {
        let item = self.0.swap_remove(plan);
        give_back(&mut self.0);
        item
    }

    fn take_all(&mut self) -> Vec<T> {
        let mut all = std::mem::take(&mut self.0);
        all.reverse();
        all
    }
}

face! {
    /// A last-in, first-out stack of limited length between threads: putting waits while it is full, getting
    /// while it is empty.
    ///
    /// A [`BoundedBuffer`](crate::BoundedBuffer) from which the newest item comes first, with the same
    /// methods and the same contract: closing, time-outs, `task_done` and `join`, errors that give the item
    /// back. Use it where the newest work is worth most, such as what is still in a cache; under a load that
    /// never ends the oldest items wait without end.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockwork::StackBuffer;
    /// use std::thread;
    ///
    /// let pages = StackBuffer::new(10);
    /// pages.put_all(["first", "second"]).unwrap();
    /// thread::scope(|s| {
    ///     s.spawn(|| {
    ///         assert_eq!(pages.get(), Ok("second"));
    ///         assert_eq!(pages.get(), Ok("first"));
    ///     });
    /// });
    /// ```
    ///
    /// # Blocking
    ///
    /// As a [`BoundedBuffer`](crate::BoundedBuffer); besides, every call locks a mutex while it moves items.
    ///
    /// # Fairness
    ///
    /// Barging with bounded hand-off: of the threads that sleep, the one that has slept longest is woken
    /// first. Once it has been the first for a while (`docs/numbers.md` says how long) the next item, or
    /// place, is kept for it, as in a [`BoundedBuffer`](crate::BoundedBuffer#fairness).
    ///
    /// # Memory ordering
    ///
    /// What a thread did before it put an item happens before the get that returns the item.
    ///
    /// # Panics
    ///
    /// As a [`BoundedBuffer`](crate::BoundedBuffer#panics).
    ///
    /// # Differences from Python
    ///
    /// `queue.LifoQueue` may be without a limit: that is a capacity of [`usize::MAX`]. Memory follows the
    /// items in it: what a burst has needed is given back as it is drained.
    struct StackBuffer<T>;
    bound: ;
    store: Locked<Stack<T>> = Locked::new, Stack(Vec::new());
    iterators: StackBufferIter, StackBufferTryIter;
}
