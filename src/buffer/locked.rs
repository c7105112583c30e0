//! A store for items that do not leave in the order in which they came: a collection behind a lock.

use std::collections::VecDeque;

use super::wait::{Side, Store};
use crate::facade::{Deadline, const_fn};
use crate::mutex::{Mutex, MutexGuard};
use crate::observe::Kind;
use crate::ring::{Enqueued, Look, No, Node, Owner, Place, Reason, Sleepers, Slept, Stamp, Wake};

/// A collection that decides which item leaves next.
///
/// What may run the caller's code, and panic, changes nothing: `place` and `plan`.
pub(super) trait Collection {
    type Item;

    /// What is told of its buffer.
    const KIND: Kind;
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

/// Returns what a list shrinks to that items were taken out of, if it is time to give the memory back that a
/// burst has left behind.
///
/// Half of what it keeps is in use then, so it takes as many steps again as there are items before it grows
/// or gives back the next time.
pub(crate) fn shrunk(capacity: usize, len: usize) -> Option<usize> {
    /// Not worth it for fewer.
    const FEWEST: usize = 64;
    (capacity > FEWEST.max(len.saturating_mul(4))).then(|| FEWEST.max(2 * len))
}

/// Gives memory back that a burst has left behind.
pub(super) fn give_back<T>(list: &mut Vec<T>) {
    if let Some(capacity) = shrunk(list.capacity(), list.len()) {
        list.shrink_to(capacity);
    }
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
    getters: Waiting,
    putters: Waiting,
}

/// What is known of the threads that sleep on one side.
#[derive(Clone, Copy)]
struct Waiting {
    /// One sleeps, or did lately, and no wake-up is under way.
    announced: bool,
    /// One item, or place, is for the thread that is handed its turn.
    kept: bool,
}

impl Waiting {
    const NONE: Self = Self { announced: false, kept: false };
}

impl<C> Locked<C> {
    const_fn! {
        pub(super) fn new(capacity: usize, items: C) -> Self {
            let none = Waiting::NONE;
            let state = State { items, puts: 0, closed: false, getters: none, putters: none };
            Self { capacity, state: Mutex::hidden(state) }
        }
    }

    pub(super) const fn capacity(&self) -> usize {
        self.capacity
    }
}

impl<C: Collection> Locked<C> {
    fn try_lock_for_put(&self, handed: bool) -> Result<MutexGuard<'_, State<C>>, No> {
        let state = self.state.lock();
        if state.closed {
            Err(No::Closed)
        } else if state.for_putters(self.capacity, handed) == 0 {
            Err(No::NotNow)
        } else {
            Ok(state)
        }
    }
}

impl<C: Collection> State<C> {
    fn put(&mut self, place: usize, item: C::Item, handed: bool) -> Wake {
        self.items.insert(place, item);
        self.putters.kept &= !handed;
        self.puts += 1;
        Wake(std::mem::take(&mut self.getters.announced))
    }

    fn get(&mut self, handed: bool) -> Result<(C::Item, Wake), No> {
        if self.for_getters(handed) == 0 {
            return Err(if self.closed { No::Closed } else { No::NotNow });
        }
        let plan = self.items.plan();
        let item = self.items.remove(plan);
        self.getters.kept &= !handed;
        Ok((item, Wake(std::mem::take(&mut self.putters.announced))))
    }

    /// Returns how much room there is for a putter that was `handed` its turn or not.
    fn for_putters(&self, capacity: usize, handed: bool) -> usize {
        let kept = self.putters.kept && !handed;
        (capacity - self.items.len()).saturating_sub(usize::from(kept))
    }

    /// Returns the number of items for a getter that was handed its turn or not. None is kept once it is
    /// closed.
    fn for_getters(&self, handed: bool) -> usize {
        let kept = self.getters.kept && !handed && !self.closed;
        self.items.len().saturating_sub(usize::from(kept))
    }

    fn waiting(&mut self, side: Side) -> &mut Waiting {
        match side {
            Side::Getters => &mut self.getters,
            Side::Putters => &mut self.putters,
        }
    }

    /// Returns whether there is nothing for a thread of this side that was `handed` its turn or not, and may
    /// be later.
    fn waits(&self, side: Side, capacity: usize, handed: bool) -> bool {
        let there = match side {
            Side::Getters => self.for_getters(handed),
            Side::Putters => self.for_putters(capacity, handed),
        };
        there == 0 && !self.closed
    }

    fn announce(&mut self, side: Side, capacity: usize) -> bool {
        let waits = self.waits(side, capacity, true);
        self.waiting(side).announced |= waits;
        waits
    }

    /// Returns whether a thread of this side goes to sleep: there is nothing, or nothing for it.
    fn sleeps(&mut self, side: Side, capacity: usize) -> bool {
        self.announce(side, capacity) || self.waits(side, capacity, false)
    }
}

impl<C: Collection> Store for Locked<C> {
    type Item = C::Item;

    const KIND: Kind = C::KIND;
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

    fn put(&self, item: C::Item, look: Look) -> Result<Wake, (No, C::Item)> {
        let handed = look == Look::Handed;
        match self.try_lock_for_put(handed) {
            // If this panics, the lock is released before the item is dropped.
            Ok(mut state) => {
                let place = state.items.place(&item);
                Ok(state.put(place, item, handed))
            }
            Err(no) => Err((no, item)),
        }
    }

    fn get(&self, look: Look) -> Result<(C::Item, Wake), No> {
        self.state.lock().get(look == Look::Handed)
    }

    fn put_some(
        &self,
        items: &mut VecDeque<C::Item>,
        wake: &mut Wake,
        handed: bool,
    ) -> Result<(usize, usize), No> {
        let Some(mut item) = items.pop_front() else { return Ok((0, 0)) };
        let mut state = match self.try_lock_for_put(handed) {
            Ok(state) => state,
            Err(no) => {
                items.push_front(item);
                return Err(no);
            }
        };
        let mut put = 0;
        loop {
            let place = state.items.place(&item);
            wake.0 |= state.put(place, item, handed).0;
            put += 1;
            let room = state.for_putters(self.capacity, handed);
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

    fn get_some(
        &self,
        out: &mut Vec<C::Item>,
        max: usize,
        wake: &mut Wake,
        handed: bool,
    ) -> Result<usize, No> {
        let mut state = self.state.lock();
        let mut got = 0;
        while got < max {
            match state.get(handed) {
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
        if !state.sleeps(side, self.capacity) {
            return Enqueued::Ready;
        }
        sleepers.enqueue(node, place, || true)
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn sleep(&self, side: Side, sleepers: &Sleepers, again: Option<Stamp>, deadline: &Deadline) -> Slept {
        let mut state = self.state.lock();
        if !state.sleeps(side, self.capacity) {
            return Slept::Not;
        }
        sleepers.sleep(again, || true, move || drop(state), deadline)
    }
    fn hand_off(&self, side: Side, sleepers: &Sleepers, reason: Reason) {
        let mut state = self.state.lock();
        let mut owner = LockedSide { state: &mut state, side, capacity: self.capacity };
        let hand_off = sleepers.hand_off(reason, &mut owner);
        drop(state);
        hand_off.wake();
    }
}

/// A side of a locked store, as its sleepers see it.
struct LockedSide<'a, C> {
    state: &'a mut State<C>,
    side: Side,
    capacity: usize,
}

impl<C: Collection> Owner for LockedSide<'_, C> {
    fn announce(&mut self) -> bool {
        self.state.announce(self.side, self.capacity)
    }

    fn keep(&mut self, kept: bool) {
        self.state.waiting(self.side).kept = kept;
    }
}
