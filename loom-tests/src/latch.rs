//! `lockwork::Latch`.

use lockwork::Latch;

use crate::models::support::{Arc, Duration, Plain, SOON, model, model_bounded, reach, thread};

const THREE: &str = "three threads";

/// Counting down against waiting: the waiter is released, and sees what came before, whichever way it learns
/// of it.
#[test]
fn last_count_releases_and_publishes() {
    model(&["waiter parks", "waiter woken before it parks", "found open"], || {
        let shared = Arc::new((Latch::new(1), Plain::new(0)));
        let other = Arc::clone(&shared);
        let waiter = thread::spawn(move || {
            if other.0.is_open() {
                reach("found open");
                assert_eq!(other.1.get(), 1);
            }
            other.0.wait();
            assert_eq!(other.1.get(), 1);
        });
        shared.1.set(1);
        shared.0.count_down();
        assert!(shared.0.is_open());
        waiter.join().unwrap();
    });
}

/// Two count down: the thread that opens it hands over what the other did, by the count and by the event.
#[test]
fn every_count_publishes() {
    model_bounded(3, THREE, &["waiter parks", "waiter woken before it parks"], || {
        let shared = Arc::new((Latch::new(2), Plain::new(0), Plain::new(0)));
        let other = Arc::clone(&shared);
        let first = thread::spawn(move || {
            other.1.set(1);
            other.0.count_down();
        });
        let other = Arc::clone(&shared);
        let second = thread::spawn(move || {
            other.2.set(1);
            other.0.count_down();
        });
        shared.0.wait();
        assert_eq!((shared.1.get(), shared.2.get()), (1, 1));
        first.join().unwrap();
        second.join().unwrap();
    });
}

/// Time-out against the last count, in both orders.
#[test]
fn timed_wait_ends_one_way_or_the_other() {
    let states = ["open", "timed out", "waiter leaves at its deadline", "waiter is woken at its deadline"];
    model(&states, || {
        let shared = Arc::new((Latch::new(1), Plain::new(0)));
        let other = Arc::clone(&shared);
        let waiter = thread::spawn(move || {
            if other.0.wait_for(SOON) {
                assert_eq!(other.1.get(), 1);
                reach("open");
            } else {
                reach("timed out");
            }
        });
        shared.1.set(1);
        shared.0.count_down();
        waiter.join().unwrap();
        assert!(shared.0.wait_for(Duration::ZERO));
    });
}

/// Two threads that each take more than their share: it opens once, and stays open.
#[test]
fn counting_below_zero_changes_nothing() {
    model(&["latch counted down below zero"], || {
        let latch = Arc::new(Latch::new(3));
        let other = Arc::clone(&latch);
        let thread = thread::spawn(move || {
            other.count_down_by(2);
            other.count()
        });
        latch.count_down_by(2);
        assert!(latch.count() <= 1);
        assert!(thread.join().unwrap() <= 1);
        assert!(latch.is_open());
        latch.count_down();
        latch.wait();
        assert_eq!(latch.count(), 0);
    });
}

/// All count down and waits.
#[test]
fn arrivals_see_one_another() {
    model(&["waiter parks"], || {
        let shared = Arc::new((Latch::new(2), Plain::new(0), Plain::new(0)));
        let other = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            other.1.set(1);
            other.0.arrive_and_wait();
            assert_eq!(other.2.get(), 1);
        });
        shared.2.set(1);
        shared.0.arrive_and_wait();
        assert_eq!(shared.1.get(), 1);
        thread.join().unwrap();
    });
}
