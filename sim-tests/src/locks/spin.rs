//! Locks that spin.

use std::ptr;

use lockwork::sim;
use lockwork::sim::atomic::{AtomicPtr, AtomicU32, Ordering::SeqCst};

use super::{Exclusive, Line, spin_until, word};

#[derive(Debug)]
pub(crate) struct TestAndSet(Line<AtomicU32>);

impl Exclusive for TestAndSet {
    const NAME: &str = "test-and-test-and-set";

    fn new() -> Self {
        Self(word(0))
    }

    fn section(&self, body: impl FnOnce()) {
        let locked = &self.0.0;
        loop {
            spin_until(locked, 0);
            if locked.swap(1, SeqCst) == 0 {
                break;
            }
        }
        body();
        locked.store(0, SeqCst);
    }
}

#[derive(Debug)]
pub(crate) struct Ticket {
    next: Line<AtomicU32>,
    served: Line<AtomicU32>,
}

impl Exclusive for Ticket {
    const NAME: &str = "ticket";

    fn new() -> Self {
        Self { next: word(0), served: word(0) }
    }

    fn section(&self, body: impl FnOnce()) {
        let ticket = self.next.0.fetch_add(1, SeqCst);
        spin_until(&self.served.0, ticket);
        body();
        self.served.0.store(ticket.wrapping_add(1), SeqCst);
    }
}

#[derive(Debug)]
struct Node {
    next: AtomicPtr<Line<Node>>,
    waits: AtomicU32,
}

#[derive(Debug)]
pub(crate) struct Mcs(Line<AtomicPtr<Line<Node>>>);

impl Exclusive for Mcs {
    const NAME: &str = "MCS";

    fn new() -> Self {
        Self(Line(AtomicPtr::new(ptr::null_mut())))
    }

    fn section(&self, body: impl FnOnce()) {
        let tail = &self.0.0;
        let node = Line(Node { next: AtomicPtr::new(ptr::null_mut()), waits: AtomicU32::new(1) });
        let own = ptr::from_ref(&node).cast_mut();
        let before = tail.swap(own, SeqCst);
        // SAFETY: the one before is in the queue until it has woken this one.
        if let Some(before) = unsafe { before.as_ref() } {
            before.0.next.store(own, SeqCst);
            spin_until(&node.0.waits, 0);
        }
        body();
        let mut next = node.0.next.load(SeqCst);
        if next.is_null() && tail.compare_exchange(own, ptr::null_mut(), SeqCst, SeqCst).is_ok() {
            return;
        }
        while next.is_null() {
            sim::spin_loop();
            next = node.0.next.load(SeqCst);
        }
        // SAFETY: it spins until the store.
        unsafe { &*next }.0.waits.store(0, SeqCst);
    }
}
