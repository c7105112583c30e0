//! An intrusive, circular, doubly linked list of nodes that live elsewhere.
//!
//! No atomics and no threads: the thread that holds a list has it alone. The list is one pointer, to its
//! first node, whose `prev` is the last; that is what lets a lock keep its whole queue in one word.
//!
//! Invariants:
//!
//! 1. A node is in at most one list.
//! 2. From any node of a list, `next` leads through all of them and back, and `prev` is its inverse.
//!
//! Limits: it does not know how many there are, nor which list a node is in: the caller that takes one out
//! answers for that.

use std::ptr::{self, NonNull};

use crate::facade::UnsafeCell;

/// A node's place in its list; meaningless while it is in none.
#[derive(Debug)]
pub(crate) struct Links<N> {
    cell: UnsafeCell<Pair<N>>,
}

#[derive(Debug)]
struct Pair<N> {
    next: *const N,
    prev: *const N,
}

impl<N> Clone for Pair<N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<N> Copy for Pair<N> {}

impl<N> Links<N> {
    pub(crate) fn new() -> Self {
        Self { cell: UnsafeCell::new(Pair { next: ptr::null(), prev: ptr::null() }) }
    }
}

/// A type that can stand in a [`List`].
///
/// # Safety
///
/// `links` returns the same field of the node every time, and nothing else uses that field.
pub(crate) unsafe trait Node: Sized {
    fn links(&self) -> &Links<Self>;
}

/// A list of nodes, oldest first.
#[derive(Debug)]
pub(crate) struct List<N: Node> {
    head: *const N,
}

/// Reads the links of a node that is in a list, or was about to be.
///
/// # Safety
///
/// `node` is alive and the thread that calls has its list (invariant 1: or it is in none, and the caller owns
/// it) alone.
unsafe fn get<N: Node>(node: *const N) -> Pair<N> {
    // SAFETY: alive, by this function's contract.
    let node = unsafe { &*node };
    // SAFETY: no other thread has the list, so no other thread writes these links.
    node.links().cell.with(|pair| unsafe { *pair })
}

/// # Safety
///
/// As for [`get`].
unsafe fn set<N: Node>(node: *const N, change: impl FnOnce(&mut Pair<N>)) {
    // SAFETY: alive, by this function's contract.
    let node = unsafe { &*node };
    // SAFETY: no other thread has the list, so no other thread reads or writes these links.
    node.links().cell.with_mut(|pair| change(unsafe { &mut *pair }));
}

impl<N: Node> List<N> {
    pub(crate) const fn new() -> Self {
        Self { head: ptr::null() }
    }

    /// Returns the list whose first node is `head`; empty if null.
    ///
    /// # Safety
    ///
    /// `head` came from [`head`](Self::head) of a list that is not used any more, and that list's nodes are
    /// as that list left them.
    pub(crate) const unsafe fn from_head(head: *const N) -> Self {
        Self { head }
    }

    /// Returns the first node, or null.
    pub(crate) const fn head(&self) -> *const N {
        self.head
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.head.is_null()
    }

    /// Adds a node behind all others.
    ///
    /// # Safety
    ///
    /// `node` is in no list, and stays alive and in place until it has been removed.
    pub(crate) unsafe fn push_back(&mut self, node: *const N) {
        let (next, prev) = if self.is_empty() {
            self.head = node;
            (node, node)
        } else {
            // SAFETY: the head is in this list, which we have alone.
            (self.head, unsafe { get(self.head) }.prev)
        };
        // SAFETY: in no list, so the caller has it alone; alive by contract.
        unsafe { set(node, |links| *links = Pair { next, prev }) };
        // SAFETY: `prev` is in this list, or is `node`.
        unsafe { set(prev, |links| links.next = node) };
        // SAFETY: `next` is in this list, or is `node`.
        unsafe { set(next, |links| links.prev = node) };
    }

    /// Adds a node before all others.
    ///
    /// # Safety
    ///
    /// As for [`push_back`](Self::push_back).
    pub(crate) unsafe fn push_front(&mut self, node: *const N) {
        // SAFETY: the same contract. In a ring, behind the last is before the first: only the head differs.
        unsafe { self.push_back(node) };
        self.head = node;
    }

    /// Takes out a node, wherever it stands.
    ///
    /// # Safety
    ///
    /// `node` is in this list.
    pub(crate) unsafe fn remove(&mut self, node: *const N) {
        // SAFETY: in this list, by contract, hence alive.
        let Pair { next, prev } = unsafe { get(node) };
        if ptr::eq(next, node) {
            self.head = ptr::null();
        } else {
            // SAFETY: invariant 2: neighbours are in this list.
            unsafe { set(prev, |links| links.next = next) };
            // SAFETY: as above.
            unsafe { set(next, |links| links.prev = prev) };
            if ptr::eq(self.head, node) {
                self.head = next;
            }
        }
    }

    /// Takes out the first node.
    pub(crate) fn pop_front(&mut self) -> Option<NonNull<N>> {
        let head = NonNull::new(self.head.cast_mut())?;
        // SAFETY: the head is in this list.
        unsafe { self.remove(head.as_ptr()) };
        Some(head)
    }

    /// Takes out nodes from the front for as long as `wanted` says so of the next.
    pub(crate) fn take_while(&mut self, mut wanted: impl FnMut(&N) -> bool) -> Self {
        let mut taken = Self::new();
        // SAFETY: a head that is not null is in this list, hence alive.
        while let Some(head) = unsafe { self.head.as_ref() } {
            if !wanted(head) {
                break;
            }
            // SAFETY: the head is in this list.
            unsafe { self.remove(head) };
            // SAFETY: it has just been taken out, and lives until its wait ends, which being in a list
            // prevents.
            unsafe { taken.push_back(head) };
        }
        taken
    }

    /// Takes out the first `n` nodes of those that are `wanted`, wherever they stand: one pass, up to the
    /// last of them.
    pub(crate) fn take_first(&mut self, n: usize, mut wanted: impl FnMut(&N) -> bool) -> Self {
        let mut taken = Self::new();
        let (mut next, mut left) = (self.head, n);
        // SAFETY: a head that is not null is in this list.
        let last = unsafe { self.head.as_ref() }.map_or(ptr::null(), |head| unsafe { get(head) }.prev);
        while left != 0 {
            let at = next;
            // SAFETY: null, or in this list, hence alive.
            let Some(node) = (unsafe { at.as_ref() }) else { break };
            // SAFETY: in this list.
            let after = unsafe { get(node) }.next;
            next = if ptr::eq(at, last) { ptr::null() } else { after };
            if wanted(node) {
                left -= 1;
                // SAFETY: in this list.
                unsafe { self.remove(at) };
                // SAFETY: it has just been taken out, and lives until its wait ends, which being in a list
                // prevents.
                unsafe { taken.push_back(at) };
            }
        }
        taken
    }

    /// Returns the nodes, first to last.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &N> {
        let mut next = self.head;
        std::iter::from_fn(move || {
            // SAFETY: null, or in this list, hence alive, and the list does not change while it is borrowed.
            let node = unsafe { next.as_ref() }?;
            // SAFETY: in this list.
            let after = unsafe { get(next) }.next;
            next = if ptr::eq(after, self.head) { ptr::null() } else { after };
            Some(node)
        })
    }

    /// Moves all nodes of `other` behind those of this list.
    pub(crate) fn append(&mut self, other: Self) {
        if self.is_empty() {
            self.head = other.head;
            return;
        }
        if other.is_empty() {
            return;
        }
        // SAFETY: in this list, which we have alone.
        let last = unsafe { get(self.head) }.prev;
        // SAFETY: in the other list, which we were given.
        let other_last = unsafe { get(other.head) }.prev;
        // SAFETY: `last` is in this list.
        unsafe { set(last, |links| links.next = other.head) };
        // SAFETY: the other's head is ours now.
        unsafe { set(other.head, |links| links.prev = last) };
        // SAFETY: the other's last is ours now.
        unsafe { set(other_last, |links| links.next = self.head) };
        // SAFETY: the head is in this list.
        unsafe { set(self.head, |links| links.prev = other_last) };
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::{Links, List, Node};

    struct Item {
        links: Links<Item>,
        id: usize,
    }

    // SAFETY: one field, used by the list alone.
    unsafe impl Node for Item {
        fn links(&self) -> &Links<Self> {
            &self.links
        }
    }

    #[derive(Clone, Debug)]
    enum Op {
        PushBack(usize),
        PushFront(usize),
        Remove(usize),
        PopFront,
        TakeSmaller(usize),
        TakeFirstOdd(usize),
        TakeAndAppend(usize),
    }

    const ITEMS: usize = 8;

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            (0..ITEMS).prop_map(Op::PushBack),
            (0..ITEMS).prop_map(Op::PushFront),
            (0..ITEMS).prop_map(Op::Remove),
            Just(Op::PopFront),
            (0..ITEMS).prop_map(Op::TakeSmaller),
            (0..ITEMS).prop_map(Op::TakeFirstOdd),
            (0..ITEMS).prop_map(Op::TakeAndAppend),
        ]
    }

    /// Returns the ids from the front, and the same from the back reversed: both directions must tell one
    /// story.
    fn ids(list: &List<Item>) -> Vec<usize> {
        let (mut forth, mut back) = (Vec::new(), Vec::new());
        if list.is_empty() {
            return forth;
        }
        let mut at = list.head();
        loop {
            // SAFETY: in the list, and its items outlive the test body.
            forth.push(unsafe { &*at }.id);
            // SAFETY: the test has the list alone.
            at = unsafe { super::get(at) }.next;
            if std::ptr::eq(at, list.head()) {
                break;
            }
        }
        loop {
            // SAFETY: as above.
            at = unsafe { super::get(at) }.prev;
            // SAFETY: as above.
            back.push(unsafe { &*at }.id);
            if std::ptr::eq(at, list.head()) {
                break;
            }
        }
        back.reverse();
        assert_eq!(forth, back);
        forth
    }

    proptest! {
        #[test]
        fn behaves_like_a_deque(ops in prop::collection::vec(op(), 0..64)) {
            let items: Vec<Item> = (0..ITEMS).map(|id| Item { links: Links::new(), id }).collect();
            let mut list = List::new();
            let mut spec = VecDeque::new();
            for op in ops {
                match op {
                    Op::PushBack(id) if !spec.contains(&id) => {
                        // SAFETY: in no list, by the specification; the items outlive the list.
                        unsafe { list.push_back(&items[id]) };
                        spec.push_back(id);
                    }
                    Op::PushFront(id) if !spec.contains(&id) => {
                        // SAFETY: as above.
                        unsafe { list.push_front(&items[id]) };
                        spec.push_front(id);
                    }
                    Op::Remove(id) if spec.contains(&id) => {
                        // SAFETY: in the list, by the specification.
                        unsafe { list.remove(&items[id]) };
                        spec.retain(|&other| other != id);
                    }
                    Op::PushBack(_) | Op::PushFront(_) | Op::Remove(_) => {}
                    Op::PopFront => {
                        // SAFETY: the items outlive the list.
                        let popped = list.pop_front().map(|item| unsafe { item.as_ref() }.id);
                        prop_assert_eq!(popped, spec.pop_front());
                    }
                    Op::TakeSmaller(limit) => {
                        let taken = list.take_while(|item| item.id < limit);
                        let kept = spec.iter().position(|&id| id >= limit).unwrap_or(spec.len());
                        let expected: Vec<usize> = spec.drain(..kept).collect();
                        prop_assert_eq!(ids(&taken), expected);
                        let mut taken = taken;
                        while taken.pop_front().is_some() {}
                    }
                    Op::TakeFirstOdd(n) => {
                        let mut taken = list.take_first(n, |item| item.id % 2 == 1);
                        let odd: Vec<_> = spec.iter().copied().filter(|id| id % 2 == 1).take(n).collect();
                        spec.retain(|id| !odd.contains(id));
                        prop_assert_eq!(ids(&taken), odd);
                        while taken.pop_front().is_some() {}
                    }
                    Op::TakeAndAppend(limit) => {
                        let mut left = limit;
                        let taken = list.take_while(|_| left > 0 && { left -= 1; true });
                        let split = limit.min(spec.len());
                        spec.rotate_left(split);
                        list.append(taken);
                    }
                }
                prop_assert_eq!(ids(&list), spec.iter().copied().collect::<Vec<_>>());
            }
        }
    }
}
