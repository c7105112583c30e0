//! A bounded queue of values, as small as it can be said: see `facade::spec`.
//!
//! Putting is one step, and getting is one. An item has what its putter did; a place that was used before has
//! what the getter did that freed it.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::facade::spec::{Edge, Gate, Past};
pub(crate) use crate::raw::ring::{Look, No};
pub(crate) use crate::raw::select::{Enqueued, Node, Select, Source};
pub(crate) use crate::raw::sleepers::{Owner, RawSleepers as Sleepers, Reason, Slept};
pub(crate) use crate::raw::{Place, SpinWait, Stamp, Waiter};

/// Returns whether a call owes the other side a wake-up.
#[must_use]
pub(crate) struct Wake(pub(crate) bool);

pub(crate) struct Ring<T> {
    gate: Gate<Fields<T>>,
    /// From the thread that closes it to those that find it closed.
    closing: Edge,
    capacity: usize,
    /// It has and gives values.
    _values: PhantomData<*mut T>,
}

struct Fields<T> {
    items: VecDeque<(T, Past)>,
    /// Places that no item has been in yet.
    unused: usize,
    /// Places that items have left, and what the threads did that took the items.
    freed: VecDeque<Past>,
    puts: u64,
    closed: bool,
    getter_waits: bool,
    putter_waits: bool,
    /// One item is for the getter that is handed its turn, until it is closed.
    item_kept: bool,
    /// One place is for the putter that is handed its turn, until it is closed.
    place_kept: bool,
}

// SAFETY: values move between threads, and a get and a put are each one step.
unsafe impl<T: Send> Send for Ring<T> {}
// SAFETY: as above: no two threads have a reference to the same value.
unsafe impl<T: Send> Sync for Ring<T> {}

impl<T> UnwindSafe for Ring<T> {}
impl<T> RefUnwindSafe for Ring<T> {}

impl<T> Fields<T> {
    fn room(&self) -> usize {
        self.unused + self.freed.len()
    }

    /// Returns how much room there is for a putter that was `handed` its turn or not.
    fn for_putters(&self, handed: bool) -> usize {
        self.room().saturating_sub(usize::from(self.place_kept && !handed))
    }

    /// Returns the number of items for a getter that was handed its turn or not.
    fn for_getters(&self, handed: bool) -> usize {
        self.items.len().saturating_sub(usize::from(self.item_kept && !handed && !self.closed))
    }

    /// Puts an item. There is room.
    fn put(&mut self, item: T, handed: bool) {
        self.place_kept &= !handed;
        match self.unused.checked_sub(1) {
            Some(left) => self.unused = left,
            None => self.freed.pop_front().expect("there is room").take(),
        }
        self.items.push_back((item, Past::new()));
        self.puts += 1;
    }

    fn get(&mut self, handed: bool) -> Option<T> {
        let (item, put) = self.items.pop_front()?;
        self.item_kept &= !handed;
        put.take();
        self.freed.push_back(Past::new());
        Some(item)
    }
}

impl<T> Ring<T> {
    #[track_caller]
    pub(crate) fn new(capacity: usize) -> Self {
        let fields = Fields {
            items: VecDeque::new(),
            unused: capacity,
            freed: VecDeque::new(),
            puts: 0,
            closed: false,
            getter_waits: false,
            putter_waits: false,
            item_kept: false,
            place_kept: false,
        };
        Self { gate: Gate::new(fields), closing: Edge::new(), capacity, _values: PhantomData }
    }

    pub(crate) const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Returns why a call does not go on that has found nothing.
    fn refusal(&self, fields: &Fields<T>) -> No {
        if fields.closed {
            self.closing.acquire();
            No::Closed
        } else {
            No::NotNow
        }
    }

    /// Returns why a put does not go on, if it does not: a closed buffer refuses in any case.
    fn refuses(&self, fields: &Fields<T>, handed: bool) -> Option<No> {
        (fields.closed || fields.for_putters(handed) == 0).then(|| self.refusal(fields))
    }

    #[track_caller]
    pub(crate) fn put(&self, item: T, look: Look) -> Result<Wake, (No, T)> {
        let handed = look == Look::Handed;
        self.gate.step(|fields| {
            if let Some(no) = self.refuses(fields, handed) {
                return Err((no, item));
            }
            fields.put(item, handed);
            Ok(Wake(std::mem::take(&mut fields.getter_waits)))
        })
    }

    #[track_caller]
    pub(crate) fn get(&self, look: Look) -> Result<(T, Wake), No> {
        let handed = look == Look::Handed;
        self.gate.step(|fields| {
            if fields.for_getters(handed) == 0 {
                return Err(self.refusal(fields));
            }
            let item = fields.get(handed).ok_or_else(|| self.refusal(fields))?;
            Ok((item, Wake(std::mem::take(&mut fields.putter_waits))))
        })
    }

    pub(crate) fn may_get(&self) -> bool {
        self.gate.peek(|fields| !fields.items.is_empty())
    }

    pub(crate) fn may_put(&self) -> bool {
        self.gate.peek(|fields| fields.room() > 0)
    }

    #[track_caller]
    pub(crate) fn put_some(&self, items: &mut VecDeque<T>, handed: bool) -> Result<(usize, usize, Wake), No> {
        self.gate.step(|fields| {
            if let Some(no) = self.refuses(fields, handed) {
                return Err(no);
            }
            let count = items.len().min(fields.for_putters(handed));
            items.drain(..count).for_each(|item| fields.put(item, handed));
            Ok((count, fields.room(), Wake(std::mem::take(&mut fields.getter_waits))))
        })
    }

    #[track_caller]
    pub(crate) fn get_some(&self, out: &mut Vec<T>, max: usize, handed: bool) -> Result<(usize, Wake), No> {
        self.gate.step(|fields| {
            let count = max.min(fields.for_getters(handed));
            if count == 0 {
                return Err(self.refusal(fields));
            }
            out.extend((0..count).filter_map(|_| fields.get(handed)));
            Ok((count, Wake(std::mem::take(&mut fields.putter_waits))))
        })
    }

    #[track_caller]
    pub(crate) fn close(&self) -> bool {
        self.gate.step(|fields| {
            if !fields.closed {
                self.closing.release();
            }
            !std::mem::replace(&mut fields.closed, true)
        })
    }

    #[track_caller]
    pub(crate) fn is_closed(&self) -> bool {
        self.gate.step(|fields| {
            if fields.closed {
                self.closing.acquire();
            }
            fields.closed
        })
    }

    #[track_caller]
    pub(crate) fn len(&self) -> usize {
        self.gate.step(|fields| fields.items.len())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[track_caller]
    pub(crate) fn puts(&self) -> u64 {
        self.gate.step(|fields| fields.puts)
    }

    #[track_caller]
    pub(crate) fn announce_getter(&self) -> bool {
        self.gate.step(|fields| {
            let waits = fields.items.is_empty() && !fields.closed;
            fields.getter_waits |= waits;
            waits
        })
    }

    #[track_caller]
    pub(crate) fn announce_putter(&self) -> bool {
        self.gate.step(|fields| {
            let waits = fields.room() == 0 && !fields.closed;
            fields.putter_waits |= waits;
            waits
        })
    }
    pub(crate) fn keeps_item(&self) -> bool {
        self.gate.step(|fields| fields.item_kept && !fields.closed && fields.for_getters(false) == 0)
    }

    pub(crate) fn keeps_place(&self) -> bool {
        self.gate.step(|fields| fields.place_kept && !fields.closed && fields.for_putters(false) == 0)
    }

    pub(crate) fn keep_item(&self, kept: bool) {
        self.gate.step(|fields| fields.item_kept = kept);
    }

    pub(crate) fn keep_place(&self, kept: bool) {
        self.gate.step(|fields| fields.place_kept = kept);
    }
}
