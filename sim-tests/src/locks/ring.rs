//! A channel: a ring whose slots say whose turn it is.

use lockwork::sim;
use lockwork::sim::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::SeqCst};

use super::{Line, Queue, word};

#[derive(Debug)]
struct Slot {
    /// The position of the thread that may use it next.
    turn: AtomicUsize,
    item: AtomicU64,
}

/// One end of the ring.
#[derive(Debug)]
struct End {
    position: Line<AtomicUsize>,
    /// Grows when the other end has done something while this one waits.
    sequence: Line<AtomicU32>,
    waiters: AtomicU32,
}

impl End {
    fn new() -> Self {
        Self { position: Line(AtomicUsize::new(0)), sequence: word(0), waiters: AtomicU32::new(0) }
    }

    /// Calls `attempt` until it succeeds: at once, after spinning, after yielding, after waiting.
    fn wait<R>(&self, attempt: impl Fn() -> Option<R>) -> R {
        let mut tries = 0;
        loop {
            if let Some(result) = attempt() {
                return result;
            }
            match tries {
                0..6 => (0..1 << tries).for_each(|_| sim::spin_loop()),
                6..10 => sim::yield_now(),
                _ => {
                    let seen = self.sequence.0.load(SeqCst);
                    self.waiters.fetch_add(1, SeqCst);
                    let result = attempt();
                    if result.is_none() {
                        sim::wait(&self.sequence.0, seen, None);
                    }
                    self.waiters.fetch_sub(1, SeqCst);
                    if let Some(result) = result {
                        return result;
                    }
                }
            }
            tries += 1;
        }
    }

    fn notify(&self) {
        if self.waiters.load(SeqCst) > 0 {
            self.sequence.0.fetch_add(1, SeqCst);
            sim::wake(&self.sequence.0, 1);
        }
    }
}

#[derive(Debug)]
pub(crate) struct Ring {
    slots: Vec<Slot>,
    head: End,
    tail: End,
}

impl Ring {
    /// Takes the next position of an end whose slot's turn it is, and has its slot. `lap` is how far the turn
    /// is ahead.
    fn claim(&self, end: &End, ahead: usize) -> Option<(usize, &Slot)> {
        let mut position = end.position.0.load(SeqCst);
        loop {
            let slot = &self.slots[position % self.slots.len()];
            let turn = slot.turn.load(SeqCst);
            if turn == position + ahead {
                match end.position.0.compare_exchange(position, position + 1, SeqCst, SeqCst) {
                    Ok(_) => return Some((position, slot)),
                    Err(actual) => position = actual,
                }
            } else if turn < position + ahead {
                return None;
            } else {
                position = end.position.0.load(SeqCst);
            }
        }
    }
}

impl Queue for Ring {
    const NAME: &str = "Vyukov's ring";

    /// At least two slots, or a full one and an empty one would look the same.
    fn new(capacity: usize) -> Self {
        let slot = |position| Slot { turn: AtomicUsize::new(position), item: AtomicU64::new(0) };
        Self { slots: (0..capacity.max(2)).map(slot).collect(), head: End::new(), tail: End::new() }
    }

    fn put(&self, item: u64) {
        let (position, slot) = self.tail.wait(|| self.claim(&self.tail, 0));
        slot.item.store(item, SeqCst);
        slot.turn.store(position + 1, SeqCst);
        self.head.notify();
    }

    fn take(&self) -> u64 {
        let (position, slot) = self.head.wait(|| self.claim(&self.head, 1));
        let item = slot.item.load(SeqCst);
        slot.turn.store(position + self.slots.len(), SeqCst);
        self.tail.notify();
        item
    }
}
