//! [`PriorityBuffer`].

use std::cmp::Ordering;
use std::time::{Duration, Instant};

use super::face::face;
use super::locked::{Collection, Locked, give_back};
use super::wait::Core;
use crate::facade::{TimeLimit, const_fn};
use crate::observe::{Identity, Kind, Mode};

/// A binary heap, greatest first, first in first out among equals.
///
/// All comparisons of a change are made before its first move, so one that panics leaves everything as it
/// was.
pub(super) struct Heap<T> {
    entries: Vec<Entry<T>>,
    /// How many have been inserted.
    inserted: u64,
}

struct Entry<T> {
    item: T,
    number: u64,
}

impl<T: Ord> Entry<T> {
    /// Returns whether this one leaves before the other.
    fn precedes(&self, other: &Self) -> bool {
        match self.item.cmp(&other.item) {
            Ordering::Greater => true,
            Ordering::Equal => self.number < other.number,
            Ordering::Less => false,
        }
    }
}

const fn parent(index: usize) -> usize {
    (index - 1) / 2
}

impl<T: Ord> Collection for Heap<T> {
    type Item = T;

    const KIND: Kind = Kind::PriorityBuffer;
    /// A comparison that panics shall take no other item with it.
    const CHUNK: usize = 1;

    fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns the index to which the new item rises. It is younger than its equals.
    fn place(&self, item: &T) -> usize {
        let mut index = self.entries.len();
        while index != 0 && item.cmp(&self.entries[parent(index)].item).is_gt() {
            index = parent(index);
        }
        index
    }

    fn insert(&mut self, place: usize, item: T) {
        let mut index = self.entries.len();
        self.entries.push(Entry { item, number: self.inserted });
        self.inserted += 1;
        while index != place {
            self.entries.swap(index, parent(index));
            index = parent(index);
        }
    }

    /// Returns the index to which the last entry sinks when it takes the place of the first.
    fn plan(&self) -> usize {
        let last = self.entries.len() - 1;
        let mut index = 0;
        loop {
            let mut child = 2 * index + 1;
            if child >= last {
                return index;
            }
            if child + 1 < last && self.entries[child + 1].precedes(&self.entries[child]) {
                child += 1;
            }
            if !self.entries[child].precedes(&self.entries[last]) {
                return index;
            }
            index = child;
        }
    }

    fn remove(&mut self, plan: usize) -> T {
        let first = self.entries.swap_remove(0);
        // The way down is the way up, from its end.
        let depth = (plan + 1).ilog2();
        let mut index = 0;
        for level in (0..depth).rev() {
            let child = ((plan + 1) >> level) - 1;
            self.entries.swap(index, child);
            index = child;
        }
        give_back(&mut self.entries);
        first.item
    }

    fn take_all(&mut self) -> Vec<T> {
        let mut order: Vec<usize> = (0..self.entries.len()).collect();
        order.sort_by(|&one, &other| {
            let (one, other) = (&self.entries[one], &self.entries[other]);
            other.item.cmp(&one.item).then(one.number.cmp(&other.number))
        });
        let mut entries: Vec<Option<T>> =
            std::mem::take(&mut self.entries).into_iter().map(|entry| Some(entry.item)).collect();
        order.into_iter().filter_map(|index| entries[index].take()).collect()
    }
}

face! {
    /// A queue of limited length between threads from which the greatest item comes first: putting waits
    /// while it is full, getting while it is empty.
    ///
    /// A [`BoundedBuffer`](crate::BoundedBuffer) in the order of its items, with the same methods and the
    /// same contract: closing, time-outs, `task_done` and `join`, errors that give the item back. Among equal
    /// items the first in is the first out. To get the least first, as from Python's `PriorityQueue`, put
    /// [`Reverse`](std::cmp::Reverse)s. Under a load that never ends the least items may wait without end.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockwork::PriorityBuffer;
    /// use std::cmp::Reverse;
    /// use std::thread;
    ///
    /// let jobs = PriorityBuffer::new(10);
    /// jobs.put_all([(Reverse(2), "sweep"), (Reverse(1), "cook")]).unwrap();
    /// thread::scope(|s| {
    ///     s.spawn(|| {
    ///         assert_eq!(jobs.get(), Ok((Reverse(1), "cook")));
    ///         assert_eq!(jobs.get(), Ok((Reverse(2), "sweep")));
    ///     });
    /// });
    /// ```
    ///
    /// # Blocking
    ///
    /// As a [`BoundedBuffer`](crate::BoundedBuffer); besides, every call locks a mutex while it moves items
    /// and compares them.
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
    /// # Reentrancy and deadlock
    ///
    /// The items' [`Ord`] runs while the buffer is locked: if it uses the same buffer it waits for itself.
    ///
    /// # Panics
    ///
    /// As a [`BoundedBuffer`](crate::BoundedBuffer#panics). If the items' [`Ord`] panics, the panic comes out
    /// of the call. In a put the new item is dropped then, in a get no item is lost, and all others stay, in
    /// order.
    ///
    /// # Differences from Python
    ///
    /// `queue.PriorityQueue` gives the least first and says nothing of equal items. It may be without a
    /// limit: that is a capacity of [`usize::MAX`]. Memory follows the items in it: what a burst has needed
    /// is given back as it is drained.
    struct PriorityBuffer<T>;
    bound: Ord;
    store: Locked<Heap<T>> = Locked::new, Heap { entries: Vec::new(), inserted: 0 };
    iterators: PriorityBufferIter, PriorityBufferTryIter;
}
