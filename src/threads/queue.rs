//! The queue of a pool: first in, first out, and anything in it can be taken out by its ticket.
//!
//! A task that is cancelled, or run by the thread that joins it, leaves a gap. Gaps at either end go at once,
//! those in between when they are more than half: taking out costs a binary search, and memory follows what
//! is in the queue ([`give_back`]).

use std::collections::VecDeque;

use crate::buffer::locked::shrunk;

/// Gives memory back that a burst has left behind. For a list that items were taken out of.
pub(super) fn give_back<T>(list: &mut VecDeque<T>) {
    if let Some(capacity) = shrunk(list.capacity(), list.len()) {
        list.shrink_to(capacity);
    }
}

#[derive(Debug)]
pub(super) struct Queue<T> {
    /// By ascending ticket. The first and the last have an item.
    entries: VecDeque<Entry<T>>,
    /// How many entries have an item.
    len: usize,
    next: u64,
}

#[derive(Debug)]
struct Entry<T> {
    ticket: u64,
    item: Option<T>,
}

impl<T> Queue<T> {
    /// Fewer entries than this are not worth closing gaps for.
    const SMALL: usize = 32;

    pub(super) const fn new() -> Self {
        Self { entries: VecDeque::new(), len: 0, next: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Returns the first ticket whose item is here; nothing is, with a smaller one.
    pub(super) fn oldest(&self) -> u64 {
        self.entries.front().map_or(self.next, |entry| entry.ticket)
    }

    /// Returns the item's ticket.
    pub(super) fn push(&mut self, item: T) -> u64 {
        let ticket = self.next;
        self.entries.push_back(Entry { ticket, item: Some(item) });
        self.next += 1;
        self.len += 1;
        self.trim();
        ticket
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        let item = self.entries.pop_front()?.item;
        self.len -= 1;
        self.trim();
        item
    }

    /// Takes out the item with this ticket, if it is still here.
    pub(super) fn remove(&mut self, ticket: u64) -> Option<T> {
        let at = self.entries.binary_search_by_key(&ticket, |entry| entry.ticket).ok()?;
        let item = self.entries[at].item.take()?;
        self.len -= 1;
        self.trim();
        Some(item)
    }

    /// Returns whether the item with this ticket, if it is still here, is one of the first `n`.
    pub(super) fn is_among_first(&self, n: usize, ticket: u64) -> bool {
        let items = self.entries.iter().filter(|entry| entry.item.is_some());
        items.take_while(|entry| entry.ticket <= ticket).nth(n).is_none()
    }

    /// Takes out all items that are `wanted`, in order.
    pub(super) fn take_all(&mut self, wanted: impl Fn(&T) -> bool) -> Vec<T> {
        let taken: Vec<T> =
            self.entries.iter_mut().filter_map(|entry| entry.item.take_if(|item| wanted(item))).collect();
        self.len -= taken.len();
        self.trim();
        taken
    }

    fn trim(&mut self) {
        while self.entries.front().is_some_and(|entry| entry.item.is_none()) {
            self.entries.pop_front();
        }
        while self.entries.back().is_some_and(|entry| entry.item.is_none()) {
            self.entries.pop_back();
        }
        if self.entries.len() > Self::SMALL.max(2 * self.len) {
            self.entries.retain(|entry| entry.item.is_some());
        }
        give_back(&mut self.entries);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Queue;

    #[derive(Clone, Debug)]
    enum Step {
        Push,
        Pop,
        Remove(usize),
        TakeEven,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => Just(Step::Push),
            2 => Just(Step::Pop),
            3 => any::<usize>().prop_map(Step::Remove),
            1 => Just(Step::TakeEven),
        ]
    }

    proptest! {
        #[test]
        fn queue_is_a_list_with_tickets(steps in prop::collection::vec(step(), 0..400)) {
            let mut queue = Queue::new();
            let mut spec: Vec<u64> = Vec::new();
            for step in steps {
                match step {
                    Step::Push => {
                        let ticket = queue.next;
                        prop_assert_eq!(queue.push(ticket), ticket);
                        spec.push(ticket);
                    }
                    Step::Pop => {
                        let first = if spec.is_empty() { None } else { Some(spec.remove(0)) };
                        prop_assert_eq!(queue.pop(), first);
                    }
                    Step::Remove(which) => {
                        // Any ticket that was ever given.
                        let ticket = which as u64 % queue.next.max(1);
                        let at = spec.iter().position(|&other| other == ticket);
                        prop_assert_eq!(queue.remove(ticket), at.map(|at| spec.remove(at)));
                    }
                    Step::TakeEven => {
                        let taken = queue.take_all(|ticket| ticket % 2 == 0);
                        let (even, odd) = spec.iter().partition(|&ticket| ticket % 2 == 0);
                        spec = odd;
                        prop_assert_eq!(taken, even);
                    }
                }
                prop_assert_eq!(queue.len(), spec.len());
                prop_assert_eq!(queue.oldest(), *spec.first().unwrap_or(&queue.next));
                for (place, &ticket) in spec.iter().enumerate().take(8) {
                    prop_assert!(!queue.is_among_first(place, ticket) && queue.is_among_first(place + 1, ticket));
                }
                prop_assert!(queue.entries.len() <= Queue::<u64>::SMALL.max(2 * spec.len()));
                prop_assert!(queue.entries.capacity() <= 64.max(8 * spec.len()));
            }
        }
    }

    #[test]
    fn queue_gives_a_bursts_memory_back_and_does_so_rarely() {
        let mut queue = Queue::new();
        let mut capacities = Vec::new();
        let mut look = |queue: &Queue<u64>| {
            let capacity = queue.entries.capacity();
            if capacities.last() != Some(&capacity) {
                capacities.push(capacity);
            }
        };
        for item in 0..10_000 {
            queue.push(item);
            look(&queue);
        }
        while queue.pop().is_some() {
            look(&queue);
        }
        assert!(queue.entries.capacity() <= 64, "{}", queue.entries.capacity());
        // A steady flow about any length changes nothing.
        for length in [10, 100, 1000] {
            (0..length).for_each(|item| _ = queue.push(item));
            let capacity = queue.entries.capacity();
            for item in 0..10_000 {
                queue.push(item);
                queue.pop();
            }
            assert_eq!(queue.entries.capacity(), capacity);
        }
        assert!(capacities.len() < 32, "{capacities:?}");
    }
}
