//! All operations on an `RwLock` at once, in threads that see what they must not.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use lockwork::RwLock;
use proptest::prelude::*;

use super::{KINDS, Kind, MODES, Mode, Pair, count, look, open_to, take, tries};
use crate::locks::Take;
use crate::random::programs;
use crate::support::{cases, eventually, parties, repeat, rounds, shown, unwind, unwinds, watchdog};

/// What a thread with empty hands may do to a lock.
#[derive(Clone, Copy, Debug)]
enum Operation {
    Read,
    Nested,
    Write,
    Downgrade,
    DowngradeToUpgradable,
    Upgrade,
    WithUpgraded,
    Unlocked,
    Bump,
    Fair,
    Panic,
}

const OPERATIONS: [Operation; 11] = [
    Operation::Read,
    Operation::Nested,
    Operation::Write,
    Operation::Downgrade,
    Operation::DowngradeToUpgradable,
    Operation::Upgrade,
    Operation::WithUpgraded,
    Operation::Unlocked,
    Operation::Bump,
    Operation::Fair,
    Operation::Panic,
];

/// Does it, and says how often it has counted.
fn act(lock: &Arc<RwLock<Pair>>, operation: Operation, how: Take, arc: bool) -> usize {
    let kind = match operation {
        Operation::Read | Operation::Nested => Kind::Read,
        Operation::Upgrade | Operation::WithUpgraded => Kind::Upgradable,
        _ => Kind::Write,
    };
    let Some(mut held) = take(lock, kind, how, arc) else {
        assert_ne!(how, Take::Lock);
        return 0;
    };
    look(held.value());
    if let Some(pair) = held.value_mut() {
        count(pair);
    }
    let seen = held.value()[0];
    match operation {
        Operation::Read => {
            look(held.map().value());
            0
        }
        Operation::Nested => {
            let inner = lock.read_recursive();
            look(&inner);
            drop(held);
            assert_eq!(inner[0], seen);
            0
        }
        Operation::Write => 1,
        Operation::Downgrade => {
            let held = held.downgrade();
            look(held.value());
            assert_eq!(held.value()[0], seen, "a writer came in between");
            1
        }
        Operation::DowngradeToUpgradable => {
            let held = held.downgrade_to_upgradable();
            look(held.value());
            let mut held = held.upgrade(how);
            let upgraded = held.value_mut().map(count).is_some();
            assert_eq!(held.value()[0], seen + usize::from(upgraded), "a writer came in between");
            1 + usize::from(upgraded)
        }
        Operation::Upgrade => {
            let mut held = held.upgrade(how);
            let upgraded = held.value_mut().map(count).is_some();
            assert!(upgraded || how != Take::Lock);
            assert_eq!(held.value()[0], seen + usize::from(upgraded), "a writer came in between");
            usize::from(upgraded)
        }
        Operation::WithUpgraded => {
            let upgraded = held.with_upgraded(how, count).is_some();
            assert!(upgraded || how != Take::Lock);
            look(held.value());
            assert_eq!(held.value()[0], seen + usize::from(upgraded), "a writer came in between");
            usize::from(upgraded)
        }
        Operation::Unlocked => {
            held.unlocked(seen % 2 == 0, || look(&lock.read()));
            count(held.value_mut().expect("a writer again"));
            2
        }
        Operation::Bump => {
            held.bump();
            count(held.value_mut().expect("a writer again"));
            2
        }
        Operation::Fair => {
            held.unlock_fair();
            1
        }
        Operation::Panic => {
            assert!(unwinds(move || {
                let _held = held;
                unwind();
            }));
            1
        }
    }
}

/// Numbers that look as if by chance.
fn scramble(n: usize) -> usize {
    let n = (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    usize::try_from(n >> 33).expect("31 bits")
}

/// A operation for a lock of which one in `seldom` uses is not a read.
fn any_operation(n: usize, seldom: usize) -> (Operation, Take, bool) {
    let n = scramble(n);
    let operation =
        if n % seldom == 0 { OPERATIONS[n / seldom % OPERATIONS.len()] } else { OPERATIONS[n % 2] };
    let how = match n / 7 % 6 {
        0..3 => Take::Lock,
        3 => Take::Try,
        4 => Take::For(Duration::from_micros((n / 11 % 97) as u64)),
        _ => Take::Until(Duration::from_micros((n / 13 % 89) as u64)),
    };
    (operation, how, n / 17 % 3 == 0)
}

#[test]
fn stress_with_every_operation() {
    watchdog(|| {
        // From mostly writing to mostly reading, which is where slots come and go.
        for (seldom, turns) in cases([(1, 400), (4, 800), (40, 3000)]) {
            for parties in parties() {
                let (lock, counted) = (shown(RwLock::new([0; 2])), AtomicUsize::new(0));
                thread::scope(|s| {
                    for party in 0..parties {
                        let (lock, counted) = (&lock, &counted);
                        s.spawn(move || {
                            let mut mine = 0;
                            for turn in 0..rounds(turns) {
                                let (operation, how, arc) = any_operation(party * 100_003 + turn, seldom);
                                mine += act(lock, operation, how, arc);
                            }
                            counted.fetch_add(mine, Relaxed);
                        });
                    }
                });
                assert!(!lock.is_locked());
                assert_eq!(*lock.read(), [counted.into_inner(); 2], "with {parties} parties");
                assert_eq!(open_to(&lock), [true; 3]);
                assert_eq!(Arc::strong_count(&lock), 1);
            }
        }
    });
}

#[test]
fn stress_with_more_locks_than_places() {
    // Threads use slots for many locks in turn, whose numbers share places.
    watchdog(|| {
        for parties in parties() {
            let locks: Vec<_> = (0..70).map(|_| Mode::Visible.lock([0; 2])).collect();
            let turns = rounds(1500);
            thread::scope(|s| {
                for party in 0..parties {
                    let locks = &locks;
                    s.spawn(move || {
                        for turn in 0..turns {
                            let n = scramble(party * 100_003 + turn);
                            let (one, other) = (&locks[n % 70], &locks[n / 70 % 70]);
                            if turn % 50 == 0 {
                                count(&mut one.write());
                            } else {
                                let outer = one.read();
                                // Would be a deadlock by `read`: another may hold that one and want this one.
                                let inner = other.try_read();
                                look(&outer);
                                if let Some(inner) = inner {
                                    look(&inner);
                                }
                            }
                        }
                    });
                }
            });
            let counted: usize = locks.into_iter().map(|lock| lock.into_inner()[0]).sum();
            assert_eq!(counted, parties * turns.div_ceil(50));
        }
    });
}

#[test]
fn last_leaver_wakes_the_writer_by_count_and_by_slot() {
    // One writer and readers that end: no thread comes afterwards that could make up for a lost wake-up.
    watchdog(|| {
        for mode in cases(MODES) {
            for parties in parties() {
                for round in repeat(40) {
                    let (lock, begun) = (mode.arc(0), AtomicUsize::new(0));
                    thread::scope(|s| {
                        for party in 0..parties {
                            let (lock, begun) = (&lock, &begun);
                            s.spawn(move || {
                                let held = take(lock, KINDS[party % 3], Take::Lock, party % 2 == 0)
                                    .expect("it waits");
                                begun.fetch_add(1, Relaxed);
                                (0..(party + round) % 5).for_each(|_| thread::yield_now());
                                if (party + round) % 4 == 0 {
                                    held.unlock_fair();
                                } else {
                                    drop(held);
                                }
                            });
                        }
                        if round % 2 == 0 {
                            eventually(|| begun.load(Relaxed) > round % parties);
                        }
                        *lock.write() += 1;
                    });
                    assert_eq!(*lock.read(), 1);
                    assert_eq!(open_to(&lock), [true; 3]);
                }
            }
        }
    });
}

fn operations() -> impl Strategy<Value = (Operation, Take, bool)> {
    let how = prop_oneof![2 => Just(Take::Lock), 1 => tries()];
    (prop::sample::select(OPERATIONS.to_vec()), how, any::<bool>())
}

/// Every operation counts as often as it says, whatever the others do.
fn follow_at_once(mode: Mode, programs: Vec<Vec<(Operation, Take, bool)>>) {
    let (lock, counted) = (mode.arc([0; 2]), AtomicUsize::new(0));
    thread::scope(|s| {
        for program in programs {
            let (lock, counted) = (&lock, &counted);
            s.spawn(move || {
                for (operation, how, arc) in program {
                    counted.fetch_add(act(lock, operation, how, arc), Relaxed);
                }
            });
        }
    });
    assert!(!lock.is_locked());
    assert_eq!(*lock.read(), [counted.into_inner(); 2]);
    assert_eq!(Arc::strong_count(&lock), 1);
}

proptest! {
    #![proptest_config(programs(64))]

    #[test]
    fn programs_of_threads_count_right(
        visible in any::<bool>(),
        programs in prop::collection::vec(prop::collection::vec(operations(), 1..40), 2..=3),
    ) {
        let mode = if visible { Mode::Visible } else { Mode::Counted };
        watchdog(move || follow_at_once(mode, programs));
    }
}
