//! The store of a buffer whose items leave in the order in which they came.

use std::collections::VecDeque;

use super::wait::{Side, Store};
use crate::facade::{Deadline, reached};
use crate::observe::Kind;
use crate::ring::{Enqueued, Look, No, Node, Owner, Place, Reason, Ring, Sleepers, Slept, Stamp, Wake};

impl<T> Store for Ring<T> {
    type Item = T;

    const KIND: Kind = Kind::Buffer;
    const CHUNK: usize = 64;

    #[inline]
    fn capacity(&self) -> usize {
        self.capacity()
    }

    fn len(&self) -> usize {
        self.len()
    }

    fn is_closed(&self) -> bool {
        self.is_closed()
    }

    fn close(&self) -> bool {
        self.close()
    }

    fn puts(&self) -> u64 {
        self.puts()
    }

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn put(&self, item: T, look: Look) -> Result<Wake, (No, T)> {
        self.put(item, look)
    }

    #[inline]
    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn get(&self, look: Look) -> Result<(T, Wake), No> {
        self.get(look)
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn put_some(&self, items: &mut VecDeque<T>, wake: &mut Wake, handed: bool) -> Result<(usize, usize), No> {
        let (put, room, owed) = self.put_some(items, handed)?;
        *wake = owed;
        Ok((put, room))
    }

    fn get_some(&self, out: &mut Vec<T>, max: usize, wake: &mut Wake, handed: bool) -> Result<usize, No> {
        let (got, owed) = self.get_some(out, max, handed)?;
        *wake = owed;
        Ok(got)
    }

    fn take_all(&self) -> Vec<T> {
        let mut all = Vec::new();
        // It does not become longer any more.
        all.reserve_exact(self.len());
        while all.len() < all.capacity() {
            let spare = all.capacity() - all.len();
            if self.get_some(&mut all, spare, false).is_err() {
                break;
            }
        }
        all
    }

    fn may_go_on(&self, side: Side) -> bool {
        match side {
            Side::Putters => self.may_put(),
            Side::Getters => self.may_get(),
        }
    }

    fn announce(&self, side: Side) -> bool {
        match side {
            Side::Putters => self.announce_putter(),
            Side::Getters => self.announce_getter(),
        }
    }

    fn enqueue(&self, side: Side, sleepers: &Sleepers, node: Node<'_>, place: Place) -> Enqueued {
        sleepers.enqueue(node, place, || sleeps(self, side))
    }

    #[cfg_attr(any(feature = "diagnose", loom), track_caller)]
    fn sleep(&self, side: Side, sleepers: &Sleepers, again: Option<Stamp>, deadline: &Deadline) -> Slept {
        sleepers.sleep(again, || sleeps(self, side), || (), deadline)
    }

    fn hand_off(&self, side: Side, sleepers: &Sleepers, reason: Reason) {
        sleepers.hand_off(reason, &mut RingSide(self, side)).wake();
    }
}

/// Returns whether a thread of this side goes to sleep: there is nothing, or nothing for it. With the queue
/// lock of its sleepers held, under which alone something is kept, or is no longer.
fn sleeps<T>(ring: &Ring<T>, side: Side) -> bool {
    let kept = || match side {
        Side::Putters => ring.keeps_place(),
        Side::Getters => ring.keeps_item(),
    };
    ring.announce(side) || {
        let kept = kept();
        if kept {
            reached("sleeps, as what there is is kept for another");
        }
        kept
    }
}

/// A side of a ring, as its sleepers see it.
struct RingSide<'a, T>(&'a Ring<T>, Side);

impl<T> Owner for RingSide<'_, T> {
    fn announce(&mut self) -> bool {
        Store::announce(self.0, self.1)
    }

    fn keep(&mut self, kept: bool) {
        match self.1 {
            Side::Putters => self.0.keep_place(kept),
            Side::Getters => self.0.keep_item(kept),
        }
    }
}
