//! `lockwork::RwLock`: readers that are visible in a slot instead of counted.

use super::{THREE, VISIBLE, biased_lock};
use crate::models::support::{Arc, endless_rounds, model_bounded, patient, reach, thread};
use lockwork::{RwLock, RwLockUpgradableReadGuard};

/// The same where readers are visible: one of the two sees the other.
#[test]
fn visible_reader_and_writer_exclude_each_other() {
    let states = [
        "reader is visible",
        "reader retracts at once",
        "writer waits for a visible reader",
        "waiter parks",
        "read before",
        "read after",
    ];
    model_bounded(4, VISIBLE, &states, || {
        let lock = biased_lock();
        let other = Arc::clone(&lock);
        let reader = thread::spawn(move || match *other.read() {
            0 => reach("read before"),
            _ => reach("read after"),
        });
        *lock.write() += 1;
        reader.join().unwrap();
        assert!(!lock.is_locked());
    });
}

/// The bias comes back after a writer, and the reader that is visible then sees what the writer did: it has
/// no other edge to it.
#[test]
fn bias_comes_back_after_a_writer() {
    model_bounded(3, VISIBLE, &["reader is visible", "read after"], || {
        let lock = Arc::new(RwLock::new(0));
        let other = Arc::clone(&lock);
        let writer = thread::spawn(move || {
            *other.write() += 1;
            for _ in 0..2 {
                assert_eq!(*other.read(), 1);
            }
        });
        if *lock.read() == 1 {
            reach("read after");
        }
        writer.join().unwrap();
    });
}

/// Two readers enable the bias at once: they agree on the number of the lock, and a writer finds those that
/// publish it.
#[test]
fn bias_enabled_by_two_readers_has_one_number() {
    let states = ["lock numbered by two readers", "reader is visible", "wrote", "did not write"];
    model_bounded(3, VISIBLE, &states, || {
        let lock = Arc::new(RwLock::new(0));
        drop(lock.read());
        let other = Arc::clone(&lock);
        let reader = thread::spawn(move || {
            drop(other.read());
            assert!(*other.read() <= 1);
        });
        drop(lock.read());
        match lock.try_write() {
            Some(mut value) => {
                *value += 1;
                reach("wrote");
            }
            None => reach("did not write"),
        }
        reader.join().unwrap();
        assert!(!lock.is_locked());
    });
}

/// A reader that retracts and knows of a writer wakes it: that one would find out by itself, but later.
#[test]
fn reader_that_retracts_wakes_the_writer() {
    let states = ["writer waits for a visible reader", "known", "not known", "waiter parks"];
    model_bounded(3, VISIBLE, &states, || {
        endless_rounds(true);
        let lock = biased_lock();
        let reader = lock.read();
        let other = Arc::clone(&lock);
        let writer = thread::spawn(move || *other.write() += 1);
        let counted = lock.try_read();
        if counted.is_none() {
            reach("known");
        } else {
            // The writer comes later, and the reader may then retract without knowing of it.
            endless_rounds(false);
            reach("not known");
        }
        drop(reader);
        drop(counted);
        writer.join().unwrap();
        assert!(!lock.is_locked());
    });
}

/// A writer that is granted the lock waits for visible readers, as any other does.
#[test]
fn granted_writer_waits_for_visible_readers() {
    model_bounded(
        3,
        VISIBLE,
        &["rwlock granted", "reader is visible", "writer waits for a visible reader"],
        || {
            let lock = biased_lock();
            let reader = lock.read();
            let upgradable = lock.upgradable_read();
            let other = Arc::clone(&lock);
            let writer = thread::spawn(move || *other.write() += 1);
            RwLockUpgradableReadGuard::unlock_fair(upgradable);
            assert_eq!(*reader, 0);
            drop(reader);
            writer.join().unwrap();
            assert_eq!(*lock.try_read().expect("no writer is left"), 1);
        },
    );
}

/// A guard that another thread drops, as a guard of `lock_api` with its feature `send_guard` may be.
struct Sent<G>(G);

// SAFETY: a visible reader leaves by a store of its slot, which any thread may make for it, and a counted one
// by an exchange of the state.
unsafe impl<G> Send for Sent<G> {}

/// The last counted reader that leaves a visible one behind leaves the writer to that, and the visible one
/// that goes first leaves it to the counted one: of the two, one wakes it.
#[test]
fn last_of_a_visible_and_a_counted_reader_wakes_the_writer() {
    let states = [
        "counted reader leaves the writer to a visible one",
        "rwlock looked after by the holder of the queue lock",
        "waiter parks",
    ];
    model_bounded(3, THREE, &states, || {
        patient();
        endless_rounds(true);
        let lock = biased_lock();
        let visible = lock.read();
        let counted = Sent(lock.read_recursive_arc());
        let other = Arc::clone(&lock);
        let writer = thread::spawn(move || *other.write() += 1);
        // Lets it begin to wait.
        thread::yield_now();
        if lock.try_read().is_some() {
            // It comes later, and the visible reader may then leave without knowing of it.
            endless_rounds(false);
            drop(counted);
            drop(visible);
        } else {
            let reader = thread::spawn(move || drop(counted));
            drop(visible);
            reader.join().unwrap();
        }
        writer.join().unwrap();
    });
}
