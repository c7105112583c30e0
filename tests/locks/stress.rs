//! All ways at once, for long.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use super::{Held, Lock, Map, Take, Way, assert_free, have, new, obstruct, visit, visit_obstacle};
use crate::support::{parties, rounds, spin_for};

/// A way of all ways, by number.
fn any_take(n: usize) -> Take {
    match n % 5 {
        0 | 1 => Take::Lock,
        2 => Take::Try,
        3 => Take::For(Duration::from_micros((n % 97) as u64)),
        _ => Take::Until(Duration::from_micros((n % 89) as u64)),
    }
}

/// Leaves in a way of all ways. Fair ones are rare: each costs a switch of threads.
fn leave_somehow(mut held: impl Held, n: usize) {
    match n % 65 {
        0 => held.unlock_fair(),
        13 => held.bump(),
        26 => _ = held.unlocked(n % 2 == 0, || ()),
        39 => held.part(Map::Map, || ()).unlock_fair(),
        n if n % 3 == 0 => drop(held.part(Map::Map, || ())),
        _ => drop(held),
    }
}

pub(super) fn stress_with_every_way<L: Lock>() {
    for parties in parties() {
        let (lock, counted) = (new::<L>(), AtomicUsize::new(0));
        thread::scope(|s| {
            for party in 0..parties {
                let (lock, counted) = (&lock, &counted);
                s.spawn(move || {
                    let mut mine = 0;
                    for round in 0..rounds(1000) {
                        let n = party * 31 + round;
                        // One in four stands in the way of the others.
                        if n % 4 == 0 {
                            if let Some(obstacle) = L::obstruct(lock, any_take(n / 4)) {
                                mine += visit_obstacle::<L>(&obstacle);
                                leave_somehow(obstacle, n / 4);
                            }
                        } else if let Some(held) = L::take(lock, any_take(n), L::OWNED && n % 3 == 0) {
                            mine += visit::<L>(&held);
                            leave_somehow(held, n);
                        } else {
                            assert_ne!(any_take(n), Take::Lock);
                        }
                    }
                    counted.fetch_add(mine, Relaxed);
                });
            }
        });
        assert_free::<L>(&lock);
        assert_eq!(have::<L>(&lock, Way::LOCK).counter().get(), counted.into_inner());
    }
}

/// A waiter either gets the lock or reports that it did not, and no other misses a turn for it.
pub(super) fn unlocks_and_timeouts_race<L: Lock>() {
    for parties in parties() {
        let (lock, counted) = (new::<L>(), AtomicUsize::new(0));
        thread::scope(|s| {
            for party in 0..parties {
                let (lock, counted) = (&lock, &counted);
                s.spawn(move || {
                    let mut mine = 0;
                    for round in 0..rounds(100) {
                        let timeout = Duration::from_micros(((party * 17 + round) % 100) as u64);
                        if let Some(held) = L::take(lock, Take::For(timeout), false) {
                            mine += visit::<L>(&held);
                            spin_for(Duration::from_micros((round % 5 * 5) as u64));
                        }
                        if let Some(obstacle) = L::obstruct(lock, Take::For(timeout)) {
                            mine += visit_obstacle::<L>(&obstacle);
                            spin_for(Duration::from_micros((round % 5 * 5) as u64));
                        }
                    }
                    // Would be left asleep if a wake-up had been lost to one that gave up.
                    mine += visit::<L>(&have::<L>(lock, Way::LOCK));
                    mine += visit_obstacle::<L>(&obstruct::<L>(lock));
                    counted.fetch_add(mine, Relaxed);
                });
            }
        });
        assert_free::<L>(&lock);
        assert_eq!(have::<L>(&lock, Way::LOCK).counter().get(), counted.into_inner());
    }
}
