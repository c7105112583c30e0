//! The reader-writer lock.

use lockwork::{RwLock, RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(1);

/// Two threads with a lock.
fn two(allowed: &[&str], first: fn(&RwLock<i32>) -> String, second: fn(&RwLock<i32>) -> String) {
    super::two(allowed, || RwLock::new(0), first, second);
}

fn add(mut value: RwLockWriteGuard<'_, i32>) -> String {
    *value += 1;
    value.to_string()
}

fn show(value: RwLockReadGuard<'_, i32>) -> String {
    value.to_string()
}

/// What became of an attempt.
fn or_not<G>(guard: Option<G>, f: fn(G) -> String) -> String {
    guard.map_or_else(|| "-".to_owned(), f)
}

#[test]
fn reading_tried_beside_a_writer() {
    two(&["1 -", "1 0", "1 1"], |lock| add(lock.write()), |lock| or_not(lock.try_read(), show));
}

#[test]
fn writing_tried_beside_a_reader() {
    two(&["0 -", "0 1", "1 1"], |lock| show(lock.read()), |lock| or_not(lock.try_write(), add));
}

/// One that fails because of the reader makes the other fail.
#[test]
fn writing_tried_by_two_beside_a_reader() {
    two(
        &["- -", "- 1", "1 -", "1 2", "2 1"],
        |lock| or_not(lock.try_write(), add),
        |lock| {
            drop(lock.read());
            or_not(lock.try_write(), add)
        },
    );
}

#[test]
fn writers_with_deadlines() {
    two(
        &["- 1", "1 -", "1 2", "2 1"],
        |lock| or_not(lock.try_write_for(SOON), add),
        |lock| or_not(lock.try_write_for(SOON), add),
    );
}

#[test]
fn reader_with_a_deadline_beside_a_writer() {
    two(&["1 -", "1 0", "1 1"], |lock| add(lock.write()), |lock| or_not(lock.try_read_for(SOON), show));
}

#[test]
fn writer_with_a_deadline_beside_a_reader() {
    two(&["0 -", "0 1", "1 1"], |lock| show(lock.read()), |lock| or_not(lock.try_write_for(SOON), add));
}

/// A writer that waits stops a second reader, but for a recursive one.
#[test]
fn second_reader_behind_a_waiting_writer() {
    two(
        &["1 0 - 0", "1 0 0 0", "1 1 1 1"],
        |lock| add(lock.write()),
        |lock| {
            let first = lock.read();
            let second = or_not(lock.try_read(), show);
            let third = or_not(lock.try_read_recursive(), show);
            format!("{} {second} {third}", show(first))
        },
    );
}

/// A writer that has queued stops readers until it has looked once more, also if the lock is free by then;
/// another writer may pass it.
#[test]
fn reading_tried_by_the_writer_before() {
    two(
        &["1 - -", "1 - 2", "1 0 -", "1 0 2", "1 1 2", "2 - 1", "2 0 1"],
        |lock| add(lock.write()),
        |lock| {
            drop(lock.write());
            let read = or_not(lock.try_read(), show);
            format!("{read} {}", or_not(lock.try_write(), add))
        },
    );
}

#[test]
fn reading_tried_by_the_reader_before() {
    two(
        &["1 - -", "1 - 2", "1 0 -", "1 0 2", "1 1 2", "2 - 1", "2 0 1"],
        |lock| add(lock.write()),
        |lock| {
            drop(lock.read());
            let read = or_not(lock.try_read(), show);
            format!("{read} {}", or_not(lock.try_write(), add))
        },
    );
}

/// The same with a writer that leaves at its deadline.
#[test]
fn reading_tried_beside_a_writer_that_leaves() {
    two(
        &["- -", "- 0", "1 -", "1 0", "1 1"],
        |lock| or_not(lock.try_write_for(SOON), add),
        |lock| {
            drop(lock.read());
            or_not(lock.try_read(), show)
        },
    );
}

#[test]
fn reading_tried_beside_an_upgrade_that_leaves() {
    two(
        &["- -", "- 0", "1 -", "1 0", "1 1"],
        |lock| {
            let upgraded = RwLockUpgradableReadGuard::try_upgrade_for(lock.upgradable_read(), SOON);
            or_not(upgraded.ok(), add)
        },
        |lock| {
            drop(lock.read());
            or_not(lock.try_read(), show)
        },
    );
}

/// A writer whose time is up lets the readers in that it held back.
#[test]
fn reader_behind_a_writer_with_a_deadline() {
    two(
        &["- 0 - 0", "- 0 0 0", "1 0 - 0", "1 0 - 1", "1 0 0 0", "1 0 0 1", "1 1 1 1"],
        |lock| or_not(lock.try_write_for(SOON), add),
        |lock| {
            let first = lock.read();
            let second = or_not(lock.try_read_for(SOON), show);
            format!("{} {second} {}", show(first), show(lock.read()))
        },
    );
}

#[test]
fn upgrading_beside_a_reader() {
    two(
        &["0 1", "1 1"],
        |lock| show(lock.read()),
        |lock| add(RwLockUpgradableReadGuard::upgrade(lock.upgradable_read())),
    );
}

#[test]
fn upgrading_with_a_deadline_beside_a_reader() {
    two(
        &["0 -", "0 1", "1 1"],
        |lock| show(lock.read()),
        |lock| {
            let upgraded = RwLockUpgradableReadGuard::try_upgrade_for(lock.upgradable_read(), SOON);
            or_not(upgraded.ok(), add)
        },
    );
}

#[test]
fn reading_tried_beside_one_that_upgrades() {
    two(
        &["1 -", "1 0", "1 1"],
        |lock| add(RwLockUpgradableReadGuard::upgrade(lock.upgradable_read())),
        |lock| or_not(lock.try_read(), show),
    );
}

#[test]
fn upgradable_readers_with_deadlines() {
    two(
        &["- 0", "0 -", "0 0"],
        |lock| or_not(lock.try_upgradable_read_for(SOON), |guard| guard.to_string()),
        |lock| or_not(lock.try_upgradable_read_for(SOON), |guard| guard.to_string()),
    );
}

#[test]
fn upgradable_reader_that_becomes_a_reader() {
    two(
        &["0 -", "0 1", "1 1"],
        |lock| show(RwLockUpgradableReadGuard::downgrade(lock.upgradable_read())),
        |lock| or_not(lock.try_write(), add),
    );
}

#[test]
fn writer_that_becomes_a_reader() {
    let allowed = ["1 - -", "1 - 2", "1 0 -", "1 0 2", "1 1 -", "1 1 2", "2 0 1"];
    two(
        &allowed,
        |lock| {
            let mut guard = lock.write();
            *guard += 1;
            show(RwLockWriteGuard::downgrade(guard))
        },
        |lock| {
            let read = or_not(lock.try_read(), show);
            format!("{read} {}", or_not(lock.try_write(), add))
        },
    );
}

#[test]
fn writer_that_becomes_upgradable() {
    two(
        &["1 - -", "1 - 1", "1 0 -", "1 0 0", "1 0 1", "1 1 -", "1 1 1"],
        |lock| {
            let mut guard = lock.write();
            *guard += 1;
            RwLockWriteGuard::downgrade_to_upgradable(guard).to_string()
        },
        |lock| {
            let read = or_not(lock.try_read(), show);
            format!("{read} {}", or_not(lock.try_upgradable_read(), |guard| guard.to_string()))
        },
    );
}

#[test]
fn writer_unlocked_fairly() {
    two(
        &["1 -", "1 2", "2 1"],
        |lock| add(lock.write()),
        |lock| {
            RwLockWriteGuard::unlock_fair(lock.write());
            or_not(lock.try_write(), add)
        },
    );
}

#[test]
fn reader_unlocked_fairly() {
    two(
        &["1 -", "1 2", "2 1"],
        |lock| add(lock.write()),
        |lock| {
            RwLockReadGuard::unlock_fair(lock.read());
            or_not(lock.try_write(), add)
        },
    );
}

/// A third thread beside the two reads. In the specification readers do not see each other, and whatever the
/// third does sees both of them, wherever it comes.
#[cfg(feature = "spec")]
fn three(allowed: &[&str], first: fn(&RwLock<i32>) -> String, own: fn(&RwLock<i32>) -> String) {
    use std::sync::Arc;

    super::program(allowed, move || {
        let lock = Arc::new(RwLock::new(0));
        let other = Arc::clone(&lock);
        let first = loom::thread::spawn(move || first(&other));
        let other = Arc::clone(&lock);
        let reader = loom::thread::spawn(move || show(other.read()));
        let own = own(&lock);
        format!("{} {} {own}", first.join().unwrap(), reader.join().unwrap())
    });
}

#[test]
#[cfg(feature = "spec")]
fn writing_beside_two_readers() {
    three(&["0 0 1", "0 1 1", "1 0 1", "1 1 1"], |lock| show(lock.read()), |lock| add(lock.write()));
}

#[test]
#[cfg(feature = "spec")]
fn writing_tried_beside_two_readers() {
    three(
        &["0 0 -", "0 0 1", "0 1 1", "1 0 1", "1 1 1"],
        |lock| show(lock.read()),
        |lock| or_not(lock.try_write(), add),
    );
}

#[test]
#[cfg(feature = "spec")]
fn writing_with_a_deadline_beside_two_readers() {
    let allowed = ["- 0 -", "- 0 1", "- 1 1", "0 0 -", "0 0 1", "0 1 1", "1 0 1", "1 1 1"];
    three(
        &allowed,
        |lock| or_not(lock.try_read_for(SOON), show),
        |lock| or_not(lock.try_write_for(SOON), add),
    );
}

#[test]
#[cfg(feature = "spec")]
fn second_reader_of_two_behind_a_writer() {
    let twice = |lock: &RwLock<i32>| {
        let first = lock.read();
        let second = or_not(lock.try_read(), show);
        format!("{}{second}", show(first))
    };
    three(&["0- 0 1", "0- 1 1", "00 0 1", "00 1 1", "11 0 1", "11 1 1"], twice, |lock| add(lock.write()));
}

#[test]
#[cfg(feature = "spec")]
fn upgrading_and_unlocking_fairly_beside_two_readers() {
    let allowed = [
        "0 0 2", "0 1 -", "0 1 2", "0 2 2", "1 0 -", "1 0 2", "1 1 -", "1 1 2", "1 2 2", "2 0 2", "2 1 2",
        "2 2 2",
    ];
    let upgrade = |lock: &RwLock<i32>| {
        let mut value = RwLockUpgradableReadGuard::upgrade(lock.upgradable_read());
        *value += 1;
        RwLockWriteGuard::unlock_fair(value);
        or_not(lock.try_write(), add)
    };
    three(&allowed, |lock| show(lock.read()), upgrade);
}
