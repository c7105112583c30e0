//! A store for items that do not leave in the order in which they came: a collection behind a lock.

use std::collections::VecDeque;

use super::wait::{Side, Store};
use crate::facade::{Deadline, const_fn};
use crate::mutex::{Mutex, MutexGuard};
use crate::ring::{Enqueued, Look, No, Node, Place, Sleepers, Slept, Wake};

/// A collection that decides which item leaves next.
///
/// What may run the caller's code, and panic, changes nothing: `place` and `plan`.
pub(super) trait Collection {
    type Item;

    /// How many items of an iterator are put together.
    const CHUNK: usize;

    fn len(&self) -> usize;
    /// Returns where an item would go.
    fn place(&self, item: &Self::Item) -> usize;
    fn insert(&mut self, place: usize, item: Self::Item);
    /// Returns what [`remove`](Self::remove) is to do, of a collection that is not empty.
    fn plan(&self) -> usize;
    fn remove(&mut self, plan: usize) -> Self::Item;
    /// Takes out everything, in order. Nothing, if it panics.
    fn take_all(&mut self) -> Vec<Self::Item>;
}

pub(super) struct Locked<C> {
    capacity: usize,
    state: Mutex<State<C>>,
}

struct State<C> {
    items: C,
    /// Items put since the beginning.
    puts: u64,
    closed: bool,
    /// A getter sleeps, or did lately, and no wake-up is under way.
    getter_waits: bool,
    /// The same of a putter.
    putter_waits: bool,
}

impl<C> Locked<C> {
    const_fn! {
        pub(super) fn new(capacity: usize, items: C) -> Self {
            let state = State { items, puts: 0, closed: false, getter_waits: false, putter_waits: false };
            Self { capacity, state: Mutex::hidden(state) }
        }
    }

    pub(super) const fn capacity(&self) -> usize {
        self.capacity
    }
}

impl<C: Collection> Locked<C> {
    fn try_lock_for_put(&self) -> Result<MutexGuard<'_, State<C>>, No> {
        let state = self.state.lock();
        if state.closed {
            Err(No::Closed)
        } else if state.items.len() == self.capacity {
            Err(No::NotNow)
        } else {
            Ok(state)
        }
    }
}

impl<C: Collection> State<C> {
    fn put(&mut self, place: usize, item: C::Item) -> Wake {
        self.items.insert(place, item);
        self.puts += 1;
        Wake(std::mem::take(&mut self.getter_waits))
    }

    fn get(&mut self) -> Result<(C::Item, Wake), No> {
        if self.items.len() == 0 {
            return Err(if self.closed { No::Closed } else { No::NotNow });
        }
        let plan = self.items.plan();
        let item = self.items.remove(plan);
        Ok((item, Wake(std::mem::take(&mut self.putter_waits))))
    }

    fn announce(&mut self, side: Side, capacity: usize) -> bool {
        let (waits, flag) = match side {
            Side::Getters => (self.items.len() == 0, &mut self.getter_waits),
            Side::Putters => (self.items.len() == capacity, &mut self.putter_waits),
        };
        let waits = waits && !self.closed;
        *flag |= waits;
        waits
    }
}

impl<C: Collection> Store for Locked<C> {
    type Item = C::Item;

    const CHUNK: usize = C::CHUNK;

    fn capacity(&self) -> usize {
        self.capacity
    }

    fn look(&self) -> Option<(usize, bool)> {
        self.state.try_lock().map(|state| (state.items.len(), state.closed))
    }

    fn len(&self) -> usize {
        self.state.lock().items.len()
    }

    fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    fn close(&self) -> bool {
        !std::mem::replace(&mut self.state.lock().closed, true)
    }

    fn puts(&self) -> u64 {
        self.state.lock().puts
    }

    fn put(&self, item: C::Item, _: Look) -> Result<Wake, (No, C::Item)> {
        match self.try_lock_for_put() {
            // If this panics, the lock is released before the item is dropped.
            Ok(mut state) => {
                let place = state.items.place(&item);
                Ok(state.put(place, item))
            }
            Err(no) => Err((no, item)),
        }
    }

    fn get(&self, _: Look) -> Result<(C::Item, Wake), No> {
        self.state.lock().get()
    }

    fn put_some(&self, items: &mut VecDeque<C::Item>, wake: &mut Wake) -> Result<(usize, usize), No> {
        let Some(mut item) = items.pop_front() else { return Ok((0, 0)) };
        let mut state = match self.try_lock_for_put() {
            Ok(state) => state,
            Err(no) => {
                items.push_front(item);
                return Err(no);
            }
        };
        let mut put = 0;
        loop {
            let place = state.items.place(&item);
            wake.0 |= state.put(place, item).0;
            put += 1;
            let room = self.capacity - state.items.len();
            match items.pop_front() {
                Some(next) if room != 0 => item = next,
                Some(next) => {
                    items.push_front(next);
                    return Ok((put, 0));
                }
                None => return Ok((put, room)),
            }
        }
    }

    fn get_some(&self, out: &mut Vec<C::Item>, max: usize, wake: &mut Wake) -> Result<usize, No> {
        let mut state = self.state.lock();
        let mut got = 0;
        while got < max {
            match state.get() {
                Ok((item, woken)) => {
                    out.push(item);
                    wake.0 |= woken.0;
                    got += 1;
                }
                Err(no) if got == 0 => return Err(no),
                Err(_) => break,
            }
        }
        Ok(got)
    }

    fn take_all(&self) -> Vec<C::Item> {
        self.state.lock().items.take_all()
    }

    fn may_go_on(&self, _: Side) -> bool {
        !self.state.is_locked()
    }

    fn announce(&self, side: Side) -> bool {
        self.state.lock().announce(side, self.capacity)
    }

    fn enqueue(&self, side: Side, sleepers: &Sleepers, node: Node<'_>, place: Place) -> Enqueued {
        // The lock of the items comes before that of a queue, under which no thread waits for a lock.
        let mut state = self.state.lock();
        if !state.announce(side, self.capacity) {
            return Enqueued::Ready;
        }
        sleepers.enqueue(node, place, || true)
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn sleep(&self, side: Side, sleepers: &Sleepers, again: bool, deadline: &Deadline) -> Slept {
        let mut state = self.state.lock();
        if !state.announce(side, self.capacity) {
            return Slept::Not;
        }
        sleepers.sleep(again, || true, move || drop(state), deadline)
    }
}
