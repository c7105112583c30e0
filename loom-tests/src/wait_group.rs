//! `lockwork::WaitGroup`.

use lockwork::WaitGroup;

use crate::models::support::{Arc, Plain, SOON, model, model_bounded, reach, thread};

const THREE: &str = "three threads";

/// A wait ends when the member is gone, and sees what it did.
#[test]
fn last_drop_releases_and_publishes() {
    model(&["waiter parks", "waiter woken before it parks"], || {
        let work = Arc::new(Plain::new(0));
        let group = WaitGroup::new();
        let (member, done) = (group.clone(), Arc::clone(&work));
        let thread = thread::spawn(move || {
            done.set(1);
            drop(member);
        });
        group.wait();
        assert_eq!(work.get(), 1);
        thread.join().unwrap();
    });
}

/// A member that makes another before it goes.
#[test]
fn member_can_add_members() {
    model_bounded(3, THREE, &["waiter parks"], || {
        let work = Arc::new((Plain::new(0), Plain::new(0)));
        let group = WaitGroup::new();
        let (member, done) = (group.clone(), Arc::clone(&work));
        let thread = thread::spawn(move || {
            let (second, also_done) = (member.clone(), Arc::clone(&done));
            let thread = thread::spawn(move || {
                also_done.1.set(1);
                drop(second);
            });
            done.0.set(1);
            drop(member);
            thread.join().unwrap();
        });
        group.wait();
        assert_eq!((work.0.get(), work.1.get()), (1, 1));
        thread.join().unwrap();
    });
}

/// Two that wait do not wait for each other.
#[test]
fn all_can_wait() {
    model(&["waiter parks"], || {
        let group = WaitGroup::new();
        let member = group.clone();
        let thread = thread::spawn(move || member.wait());
        group.wait();
        thread.join().unwrap();
    });
}

/// A timed wait that gives up is a member again: who waits for it goes on waiting, and sees what it does
/// then.
#[test]
fn timed_wait_gives_up_nothing() {
    let states = ["over", "timed out", "waiter leaves at its deadline", "waiter is woken at its deadline"];
    model_bounded(4, "two waits", &states, || {
        let work = Arc::new(Plain::new(0));
        let group = WaitGroup::new();
        let (member, done) = (group.clone(), Arc::clone(&work));
        let thread = thread::spawn(move || {
            if member.wait_for(SOON) {
                reach("over");
            } else {
                reach("timed out");
                done.set(1);
            }
            drop(member);
        });
        group.wait();
        // Over with the other waiting, or after it gave up and went: in no case while it is still at work.
        let _ = work.get();
        thread.join().unwrap();
    });
}

/// The last other member goes while a wait gives up: it is over for this handle, or this handle is still in
/// it.
#[test]
fn timed_wait_agrees_with_the_last_drop() {
    model_bounded(
        4,
        "several waits",
        &["over", "timed out", "latch open before it could be counted up"],
        || {
            let group = WaitGroup::new();
            let member = group.clone();
            let thread = thread::spawn(move || drop(member));
            reach(if group.wait_for(SOON) { "over" } else { "timed out" });
            thread.join().unwrap();
            assert!(group.wait_for(SOON), "no thread is left");
            assert!(group.clone().wait_for(SOON), "it is over for good");
        },
    );
}
