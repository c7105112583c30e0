//! A channel: a deque under a lock, with a word to wait at for each side.

use lockwork::sim;
use lockwork::sim::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};

use super::futex::Mutex;
use super::{Exclusive, Line, Queue, word};

/// As many places as a run without a bound can fill.
const MOST: usize = 1 << 17;

/// Those that wait for the other side. Both are changed with the mutex.
#[derive(Debug)]
struct Side {
    sequence: Line<AtomicU32>,
    waiters: AtomicU32,
}

impl Side {
    fn new() -> Self {
        Self { sequence: word(0), waiters: AtomicU32::new(0) }
    }

    /// With the mutex, which is unlocked meanwhile.
    fn wait(&self, mutex: &Mutex) {
        let seen = self.sequence.0.load(SeqCst);
        self.waiters.fetch_add(1, SeqCst);
        mutex.unlock();
        sim::wait(&self.sequence.0, seen, None);
        mutex.lock();
        self.waiters.fetch_sub(1, SeqCst);
    }

    /// With the mutex. Wakes one for each of `items`, as long as there are any.
    fn notify(&self, items: usize) {
        if self.waiters.load(SeqCst) > 0 {
            self.sequence.0.fetch_add(1, SeqCst);
            sim::wake(&self.sequence.0, items);
        }
    }
}

#[derive(Debug)]
pub(crate) struct Deque {
    mutex: Mutex,
    /// How many items were put and how many taken, on one line.
    ends: Line<[AtomicU64; 2]>,
    places: u64,
    slots: Vec<AtomicU64>,
    putters: Side,
    getters: Side,
}

impl Deque {
    fn slot(&self, position: u64) -> &AtomicU64 {
        &self.slots[position as usize % self.slots.len()]
    }

    /// Puts as many of `items` as there is room for, at least one, and returns how many.
    fn put_some(&self, items: usize) -> usize {
        let [put, taken] = &self.ends.0;
        self.mutex.lock();
        let (begin, room) = loop {
            let begin = put.load(SeqCst);
            let room = self.places - (begin - taken.load(SeqCst));
            if room > 0 {
                break (begin, room);
            }
            self.putters.wait(&self.mutex);
        };
        let end = begin + room.min(items as u64);
        (begin..end).for_each(|position| self.slot(position).store(position, SeqCst));
        put.store(end, SeqCst);
        let items = (end - begin) as usize;
        self.getters.notify(items);
        self.mutex.unlock();
        items
    }
}

impl Queue for Deque {
    const NAME: &str = "deque under a futex";

    fn new(capacity: usize) -> Self {
        let places = capacity.min(MOST);
        Self {
            mutex: Mutex::new(),
            ends: Line([AtomicU64::new(0), AtomicU64::new(0)]),
            places: places as u64,
            slots: (0..places).map(|_| AtomicU64::new(0)).collect(),
            putters: Side::new(),
            getters: Side::new(),
        }
    }

    fn put(&self, _: u64) {
        self.put_some(1);
    }

    fn take(&self) -> u64 {
        self.take_many(1) as u64
    }

    fn put_many(&self, items: usize) {
        let mut left = items;
        while left > 0 {
            left -= self.put_some(left);
        }
    }

    fn take_many(&self, most: usize) -> usize {
        let [put, taken] = &self.ends.0;
        self.mutex.lock();
        let (begin, ready) = loop {
            let begin = taken.load(SeqCst);
            let ready = put.load(SeqCst) - begin;
            if ready > 0 {
                break (begin, ready);
            }
            self.getters.wait(&self.mutex);
        };
        let end = begin + ready.min(most as u64);
        (begin..end).for_each(|position| _ = self.slot(position).load(SeqCst));
        taken.store(end, SeqCst);
        let items = (end - begin) as usize;
        self.putters.notify(items);
        self.mutex.unlock();
        items
    }
}
