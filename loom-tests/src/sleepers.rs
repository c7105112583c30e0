//! The sleepers of a buffer: one that has slept first for long is handed its turn, and nothing is lost by
//! what is kept for it. In a model a sleeper is starving or not as soon as it sleeps: both are explored.

use lockwork::{BoundedBuffer, Event, First2, GetError, PutError, StackBuffer, wait_any};

use crate::models::support::{Arc, SOON, lives, model_bounded, reach, thread};

const THREE: &str = "three threads";
const LONG: &str = "two threads, but four claims and a sleep";

/// The thread that made room takes it again, or finds it kept for the putter. Nothing is kept at the end.
#[test]
fn starving_putter_is_handed_the_place() {
    let states = ["sleeper handed its turn", "kept", "faster"];
    model_bounded(3, LONG, &states, || {
        let buffer = Arc::new(BoundedBuffer::new(1));
        buffer.put(1).unwrap();
        let other = Arc::clone(&buffer);
        let putter = thread::spawn(move || other.put(2).unwrap());
        assert_eq!(buffer.get(), Ok(1));
        if buffer.try_put(3).is_ok() {
            reach("faster");
            assert_eq!(buffer.get(), Ok(3));
        } else {
            reach("kept");
        }
        putter.join().unwrap();
        assert_eq!(buffer.try_get(), Ok(2));
        buffer.try_put(4).expect("nothing is kept any more");
    });
}

/// The same of an item and a getter.
#[test]
fn starving_getter_is_handed_the_item() {
    let states = ["sleeper handed its turn", "kept", "faster"];
    model_bounded(3, LONG, &states, || {
        let buffer = Arc::new(BoundedBuffer::new(1));
        let other = Arc::clone(&buffer);
        let getter = thread::spawn(move || other.get().unwrap());
        buffer.put(1).unwrap();
        let mine = buffer.try_get().ok();
        if mine.is_some() {
            reach("faster");
            buffer.put(1).unwrap();
        } else {
            reach("kept");
        }
        assert_eq!(getter.join().unwrap(), 1);
        buffer.put(2).unwrap();
        assert_eq!(buffer.try_get(), Ok(2));
    });
}

/// Room that is taken before it can be kept: what comes next is kept for the sleeper, which sleeps on.
#[test]
fn next_place_is_kept_for_a_sleeper_that_was_passed() {
    let states = ["kept until there is something", "sleeper handed its turn"];
    model_bounded(3, THREE, &states, || {
        let buffer = Arc::new(BoundedBuffer::new(1));
        buffer.put(0).unwrap();
        let other = Arc::clone(&buffer);
        let putter = thread::spawn(move || other.put(1).unwrap());
        let other = Arc::clone(&buffer);
        let faster = thread::spawn(move || other.try_put(2).is_ok());
        assert_eq!(buffer.get(), Ok(0));
        if faster.join().unwrap() {
            assert!(buffer.get().is_ok(), "one of the two is there");
        }
        putter.join().unwrap();
        assert_eq!(buffer.len(), 1);
        assert!(buffer.get().is_ok());
        buffer.try_put(4).expect("nothing is kept any more");
    });
}

/// A sleeper for which something is kept leaves at its deadline, or it has its turn. Either way what comes
/// after it is for any thread.
#[test]
fn sleeper_that_leaves_keeps_nothing() {
    let states = [
        "kept until there is something",
        "kept for a sleeper that has left",
        "sleeper handed its turn",
        "put",
        "timed out",
    ];
    model_bounded(3, LONG, &states, || {
        let buffer = Arc::new(BoundedBuffer::new(1));
        buffer.put(0).unwrap();
        let other = Arc::clone(&buffer);
        let putter = thread::spawn(move || other.put(1).unwrap());
        assert_eq!(buffer.get(), Ok(0));
        // Behind the other putter, whose turn ends with a look at this one.
        if buffer.put_for(2, SOON).is_ok() {
            reach("put");
            assert_eq!(buffer.get(), Ok(2));
        } else {
            reach("timed out");
        }
        putter.join().unwrap();
        assert_eq!(buffer.get(), Ok(1));
        buffer.try_put(4).expect("nothing is kept any more");
    });
}

/// A putter that finds room kept for another sleeps, and is woken when the other's turn is over.
#[test]
fn putter_that_finds_room_kept_is_not_forgotten() {
    let states = ["sleeps, as what there is is kept for another", "sleeper handed its turn"];
    model_bounded(3, LONG, &states, || {
        let buffer = Arc::new(BoundedBuffer::new(1));
        buffer.put(0).unwrap();
        let other = Arc::clone(&buffer);
        let putter = thread::spawn(move || {
            other.put(1).unwrap();
            other.get().unwrap()
        });
        assert_eq!(buffer.get(), Ok(0));
        buffer.put(2).unwrap();
        assert_eq!(buffer.get().unwrap() + putter.join().unwrap(), 3);
        buffer.try_put(4).expect("nothing is kept any more");
    });
}

/// The same of a thread that waits for several objects, which is never handed a turn.
#[test]
fn selecting_putter_that_finds_room_kept_is_not_forgotten() {
    let states = [
        "sleeps, as what there is is kept for another",
        "selecting sleeper announced",
        "sleeper handed its turn",
    ];
    model_bounded(3, LONG, &states, || {
        let buffer = Arc::new(BoundedBuffer::new(1));
        buffer.put(0).unwrap();
        let other = Arc::clone(&buffer);
        let putter = thread::spawn(move || {
            other.put(1).unwrap();
            other.get().unwrap()
        });
        assert_eq!(buffer.get(), Ok(0));
        wait_any((&mut buffer.putting(2), &Event::new()));
        assert_eq!(buffer.get().unwrap() + putter.join().unwrap(), 3);
        buffer.try_put(4).expect("nothing is kept any more");
    });
}

/// The selecting thread leaves by another object while the plain one has its turn, or has had it.
#[test]
fn selecting_putter_leaves_beside_a_turn() {
    let states = ["sleeps, as what there is is kept for another", "sleeper handed its turn", "put", "event"];
    model_bounded(3, LONG, &states, || {
        let shared = Arc::new((BoundedBuffer::new(1), Event::new()));
        shared.0.put(0).unwrap();
        let other = Arc::clone(&shared);
        let putter = thread::spawn(move || {
            other.0.put(1).unwrap();
            other.1.set();
        });
        assert_eq!(shared.0.get(), Ok(0));
        let mut item = shared.0.putting(2);
        wait_any((&mut item, &shared.1));
        if item.is_spent() {
            reach("put");
            assert!(shared.0.get().is_ok());
        } else {
            reach("event");
        }
        putter.join().unwrap();
        assert!(shared.0.get().is_ok());
        assert!(shared.0.is_empty());
        shared.0.try_put(4).expect("nothing is kept any more");
    });
}

/// A getter that selects and one that does not: the selecting one stands first, is notified, and may be
/// beaten by the other, or that one waits for what it puts.
#[test]
fn selecting_getter_beside_one_that_may_be_handed_its_turn() {
    let states = ["sleeper handed its turn", "selecting sleeper announced", "item", "event"];
    model_bounded(3, LONG, &states, || {
        let shared = Arc::new((BoundedBuffer::new(1), Event::new()));
        let other = Arc::clone(&shared);
        let selecting = thread::spawn(move || match wait_any((&other.1, other.0.getting())) {
            First2::First(()) => reach("event"),
            First2::Second(item) => {
                assert_eq!(item, Ok(1));
                reach("item");
                other.0.put(2).unwrap();
            }
        });
        shared.0.put(1).unwrap();
        assert!(shared.0.get().is_ok());
        shared.1.set();
        selecting.join().unwrap();
        assert!(shared.0.is_empty());
        shared.0.put(4).unwrap();
        assert_eq!(shared.0.try_get(), Ok(4), "nothing is kept any more");
    });
}

/// A close against a turn that was handed over: the item is in, or came back.
#[test]
fn close_against_a_turn_loses_nothing() {
    let states = ["sleeper handed its turn", "in", "back"];
    model_bounded(3, LONG, &states, || {
        let buffer = Arc::new(BoundedBuffer::new(1));
        buffer.put(1).unwrap();
        let other = Arc::clone(&buffer);
        let putter = thread::spawn(move || match other.put(2) {
            Ok(()) => true,
            Err(PutError(item)) => {
                assert_eq!(item, 2);
                false
            }
        });
        assert_eq!(buffer.get(), Ok(1));
        buffer.close();
        let put = putter.join().unwrap();
        assert_eq!(buffer.get(), if put { Ok(2) } else { Err(GetError) });
        reach(if put { "in" } else { "back" });
    });
}

/// The same of a getter: an item that was kept for it is got, by it or by another.
#[test]
fn item_kept_in_a_buffer_that_is_closed_is_got() {
    let states = ["sleeper handed its turn", "by the sleeper", "by another"];
    model_bounded(3, LONG, &states, || {
        let buffer = Arc::new(BoundedBuffer::new(1));
        let other = Arc::clone(&buffer);
        let getter = thread::spawn(move || other.get());
        buffer.put(1).unwrap();
        buffer.close();
        let own = buffer.get();
        let others = getter.join().unwrap();
        assert!(own.is_ok() != others.is_ok(), "{own:?} {others:?}");
        reach(if own.is_ok() { "by another" } else { "by the sleeper" });
    });
}

/// While one place is kept the others are for any thread.
#[test]
fn all_but_one_place_are_for_others() {
    let states = ["sleeper handed its turn", "kept"];
    model_bounded(3, LONG, &states, || {
        let buffer = Arc::new(BoundedBuffer::new(2));
        buffer.put_all([0, 0]).unwrap();
        let other = Arc::clone(&buffer);
        let putter = thread::spawn(move || other.put(1).unwrap());
        let mut got = Vec::with_capacity(2);
        assert_eq!(buffer.get_many(&mut got, 2), Ok(2));
        assert_eq!(buffer.try_put(2), Ok(()));
        if buffer.try_put(3).is_err() {
            if buffer.len() == 1 {
                reach("kept");
            }
        } else {
            assert!(buffer.get().is_ok());
        }
        putter.join().unwrap();
        assert_eq!(buffer.len(), 2);
        assert!(buffer.get().is_ok());
        buffer.try_put(4).expect("nothing is kept any more");
    });
}

/// The same of items: one of two is kept for the getter, and the other is not.
#[test]
fn all_but_one_item_are_for_others() {
    let states = ["sleeper handed its turn", "one of two"];
    model_bounded(3, LONG, &states, || {
        let buffer = Arc::new(BoundedBuffer::new(2));
        let other = Arc::clone(&buffer);
        let getter = thread::spawn(move || assert!(other.get().is_ok()));
        assert_eq!(buffer.put_all([1, 2]), Ok(2));
        let mut got = Vec::with_capacity(2);
        assert!(buffer.try_get_many(&mut got, 2).is_ok(), "one of two is for any thread");
        if got.len() == 2 {
            buffer.put(3).unwrap();
        } else if buffer.len() == 1 {
            reach("one of two");
        }
        getter.join().unwrap();
        assert!(buffer.is_empty());
        buffer.put(4).unwrap();
        assert_eq!(buffer.try_get(), Ok(4), "nothing is kept any more");
    });
}

/// The same in a chain of segments.
#[test]
fn all_but_one_place_of_a_chain_are_for_others() {
    let states = ["sleeper handed its turn", "kept"];
    model_bounded(3, LONG, &states, || {
        let buffer = Arc::new(BoundedBuffer::new(5));
        buffer.put_all([0; 5]).unwrap();
        let other = Arc::clone(&buffer);
        let putter = thread::spawn(move || other.put(1).unwrap());
        let mut got = Vec::with_capacity(2);
        assert_eq!(buffer.get_many(&mut got, 2), Ok(2));
        assert_eq!(buffer.try_put(2), Ok(()));
        if buffer.try_put(3).is_err() {
            if buffer.len() == 4 {
                reach("kept");
            }
        } else {
            assert!(buffer.get().is_ok());
        }
        putter.join().unwrap();
        assert_eq!(buffer.len(), 5);
    });
}

/// A close beside a selecting thread that finds room kept: both waits end.
#[test]
fn close_wakes_a_selecting_thread_that_finds_room_kept() {
    let states = ["sleeps, as what there is is kept for another", "sleeper handed its turn", "put", "closed"];
    model_bounded(3, LONG, &states, || {
        let buffer = Arc::new(BoundedBuffer::new(1));
        buffer.put(0).unwrap();
        let other = Arc::clone(&buffer);
        let putter = thread::spawn(move || {
            let put = other.put(1).is_ok();
            other.close();
            put
        });
        assert_eq!(buffer.get(), Ok(0));
        let own = match wait_any((&mut buffer.putting(2), &Event::new())) {
            First2::First(own) => own.is_ok(),
            First2::Second(()) => unreachable!("it is never set"),
        };
        reach(if own { "put" } else { "closed" });
        if own {
            assert!(buffer.get().is_ok());
        }
        assert!(putter.join().unwrap());
        assert!(buffer.get().is_ok());
        assert_eq!(buffer.get(), Err(GetError));
    });
}

/// A collection behind a lock, which is taken before the queue's.
#[test]
fn starving_putter_is_handed_a_place_in_a_stack() {
    let states = ["sleeper handed its turn", "kept", "faster"];
    model_bounded(3, LONG, &states, || {
        let buffer = Arc::new(StackBuffer::new(1));
        buffer.put(1).unwrap();
        let other = Arc::clone(&buffer);
        let putter = thread::spawn(move || other.put(2).unwrap());
        assert_eq!(buffer.get(), Ok(1));
        if buffer.try_put(3).is_ok() {
            reach("faster");
            assert_eq!(buffer.get(), Ok(3));
        } else {
            reach("kept");
        }
        putter.join().unwrap();
        assert_eq!(buffer.try_get(), Ok(2));
        buffer.try_put(4).expect("nothing is kept any more");
    });
}

/// A sleeper of a collection behind a lock leaves at its deadline.
#[test]
fn sleeper_that_leaves_a_stack_keeps_nothing() {
    let states = ["sleeper handed its turn", "put", "timed out"];
    model_bounded(3, LONG, &states, || {
        lives(2);
        let buffer = Arc::new(StackBuffer::new(1));
        buffer.put(1).unwrap();
        let other = Arc::clone(&buffer);
        let putter = thread::spawn(move || other.put_for(2, SOON).is_ok());
        assert_eq!(buffer.get(), Ok(1));
        let faster = buffer.try_put(3).is_ok();
        if faster {
            assert_eq!(buffer.get().map(|item| item == 3), Ok(true));
        }
        let put = putter.join().unwrap();
        reach(if put { "put" } else { "timed out" });
        assert_eq!(buffer.try_get().ok(), put.then_some(2));
        buffer.try_put(4).expect("nothing is kept any more");
    });
}
