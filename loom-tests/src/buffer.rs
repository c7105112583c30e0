//! `lockwork::BoundedBuffer`.

use lockwork::{BoundedBuffer, GetError, GetTimeoutError, PutError, PutTimeoutError, TryGetError};

use crate::models::support::{Arc, SOON, model, model_bounded, patient, reach, thread};

const THREE: &str = "three threads";
const TIMED: &str = "two threads, but four critical sections and a wait";

/// One place, two producers, one consumer: full and empty again and again, and every item arrives once.
#[test]
fn two_producers_and_a_consumer_through_one_place() {
    let states = ["first then second", "second then first", "sleeper woken"];
    model_bounded(3, THREE, &states, || {
        patient();
        let buffer = Arc::new(BoundedBuffer::new(1));
        let producers = [1, 2].map(|item| {
            let buffer = Arc::clone(&buffer);
            thread::spawn(move || buffer.put(item).unwrap())
        });
        let first = buffer.get();
        // Both can come to an end now: one has found the place empty, and the other waits for what was taken.
        for producer in producers {
            producer.join().unwrap();
        }
        match (first, buffer.get()) {
            (Ok(1), Ok(2)) => reach("first then second"),
            (Ok(2), Ok(1)) => reach("second then first"),
            other => panic!("lost or doubled: {other:?}"),
        }
        assert!(buffer.is_empty());
    });
}

/// The same of one producer, with both gets in the race.
#[test]
fn producer_and_consumer_through_one_place() {
    model_bounded(3, TIMED, &["sleeper woken"], || {
        let buffer = Arc::new(BoundedBuffer::new(1));
        buffer.put(1).unwrap();
        let other = Arc::clone(&buffer);
        let producer = thread::spawn(move || other.put(2).unwrap());
        assert_eq!(buffer.get(), Ok(1));
        assert_eq!(buffer.get(), Ok(2));
        producer.join().unwrap();
        assert!(buffer.is_empty());
    });
}

/// Close against a put that waits for room: the item comes back, or it is there to be got.
#[test]
fn close_against_put_loses_nothing() {
    model(&["came back", "went in"], || {
        let buffer = Arc::new(BoundedBuffer::new(1));
        let other = Arc::clone(&buffer);
        let producer = thread::spawn(move || match other.put(1) {
            Ok(()) => true,
            Err(PutError(item)) => {
                assert_eq!(item, 1);
                false
            }
        });
        buffer.close();
        let went_in = producer.join().unwrap();
        assert_eq!(buffer.get(), if went_in { Ok(1) } else { Err(GetError) });
        reach(if went_in { "went in" } else { "came back" });
    });
}

/// Close against two producers that fight for one place: whatever was accepted is there to be got, once.
#[test]
fn close_against_two_producers_keeps_what_was_accepted() {
    model_bounded(3, THREE, &["none", "one", "sleeper woken by closing"], || {
        let buffer = Arc::new(BoundedBuffer::new(1));
        let producers = [1, 2].map(|item| {
            let buffer = Arc::clone(&buffer);
            thread::spawn(move || if buffer.put(item).is_ok() { Some(item) } else { None })
        });
        buffer.close();
        let accepted: Vec<u32> =
            producers.into_iter().filter_map(|producer| producer.join().unwrap()).collect();
        assert_eq!(buffer.iter().collect::<Vec<_>>(), accepted);
        reach(if accepted.is_empty() { "none" } else { "one" });
    });
}

/// The first put of all makes the slots. A getter that has looked before, and sees the close that follows,
/// gets the item.
#[test]
fn close_after_the_first_put_leaves_its_item() {
    model(&["got at once", "got later"], || {
        let buffer = Arc::new(BoundedBuffer::new(1));
        let other = Arc::clone(&buffer);
        // The thread that gets looks once: loom forgets a look that the same thread repeats.
        let getter = thread::spawn(move || other.try_get());
        buffer.put(1).unwrap();
        buffer.close();
        match getter.join().unwrap() {
            Ok(item) => {
                assert_eq!(item, 1);
                reach("got at once");
            }
            Err(TryGetError::Empty) => {
                assert_eq!(buffer.try_get(), Ok(1));
                reach("got later");
            }
            Err(TryGetError::Closed) => panic!("the item is lost"),
        }
    });
}

/// Close wakes all that wait, on both sides.
#[test]
fn close_wakes_those_who_wait() {
    model_bounded(3, THREE, &["sleeper woken by closing"], || {
        let full = Arc::new((BoundedBuffer::new(1), BoundedBuffer::<u32>::new(1)));
        full.0.put(0).unwrap();
        let other = Arc::clone(&full);
        let putter = thread::spawn(move || {
            assert_eq!(other.0.put(1), Err(PutError(1)));
        });
        let other = Arc::clone(&full);
        let getter = thread::spawn(move || assert_eq!(other.1.get(), Err(GetError)));
        full.0.close();
        full.1.close();
        putter.join().unwrap();
        getter.join().unwrap();
        assert_eq!(full.0.get(), Ok(0));
    });
}

/// A timed get against a put: it gets the item or the item stays.
#[test]
fn timed_get_takes_the_item_or_leaves_it() {
    model_bounded(4, TIMED, &["got", "timed out"], || {
        let buffer = Arc::new(BoundedBuffer::new(1));
        let other = Arc::clone(&buffer);
        let getter = thread::spawn(move || other.get_for(SOON));
        buffer.put(1).unwrap();
        match getter.join().unwrap() {
            Ok(item) => {
                assert_eq!(item, 1);
                assert!(buffer.is_empty());
                reach("got");
            }
            Err(error) => {
                assert_eq!(error, GetTimeoutError::Timeout);
                assert_eq!(buffer.try_get(), Ok(1));
                reach("timed out");
            }
        }
    });
}

/// A timed put against a get: it puts the item or gives it back.
#[test]
fn timed_put_puts_the_item_or_gives_it_back() {
    model_bounded(4, TIMED, &["put", "timed out"], || {
        let buffer = Arc::new(BoundedBuffer::new(1));
        buffer.put(1).unwrap();
        let other = Arc::clone(&buffer);
        let putter = thread::spawn(move || other.put_for(2, SOON));
        assert_eq!(buffer.get(), Ok(1));
        match putter.join().unwrap() {
            Ok(()) => {
                assert_eq!(buffer.try_get(), Ok(2));
                reach("put");
            }
            Err(error) => {
                assert_eq!(error, PutTimeoutError::Timeout(2));
                assert!(buffer.is_empty());
                reach("timed out");
            }
        }
    });
}

/// Two getters, one of them timed, and one item: one has it, and the other waits until its time is up or the
/// buffer is closed.
#[test]
fn one_item_goes_to_one_of_two_getters() {
    model_bounded(3, THREE, &["to the timed", "to the patient"], || {
        let buffer = Arc::new(BoundedBuffer::new(1));
        buffer.put(1).unwrap();
        let other = Arc::clone(&buffer);
        let timed = thread::spawn(move || other.get_for(SOON).ok());
        let other = Arc::clone(&buffer);
        let patient = thread::spawn(move || other.get().ok());
        let timed = timed.join().unwrap();
        if timed.is_some() {
            buffer.close();
            assert_eq!(patient.join().unwrap(), None);
            reach("to the timed");
        } else {
            assert_eq!(patient.join().unwrap(), Some(1));
            reach("to the patient");
        }
    });
}

/// Batches: what goes in together wakes those it is for, and everything comes out.
#[test]
fn batches_arrive_whole() {
    model_bounded(3, "two threads, but three rounds through one lock", &["sleeper woken"], || {
        patient();
        let buffer = Arc::new(BoundedBuffer::new(2));
        let other = Arc::clone(&buffer);
        let producer = thread::spawn(move || assert_eq!(other.put_all(0..3), Ok(3)));
        let mut got = Vec::new();
        while got.len() < 3 {
            buffer.get_many(&mut got, 2).unwrap();
        }
        producer.join().unwrap();
        assert_eq!(got, [0, 1, 2]);
    });
}

/// `join` waits until each item has been reported done.
#[test]
fn join_waits_for_task_done() {
    model_bounded(4, TIMED, &["condvar waiter notified"], || {
        let buffer = Arc::new((BoundedBuffer::new(1), crate::models::support::Plain::new(0)));
        buffer.0.put(1).unwrap();
        let other = Arc::clone(&buffer);
        let worker = thread::spawn(move || {
            other.0.get().unwrap();
            other.1.set(1);
            other.0.task_done();
        });
        buffer.0.join();
        assert_eq!(buffer.1.get(), 1);
        worker.join().unwrap();
    });
}

/// Two getters sleep, and two items come in one call: the thread that comes first sees to it that
/// the other comes too.
#[test]
fn getter_that_takes_one_of_two_wakes_the_other() {
    model_bounded(3, THREE, &["sleeper woken"], || {
        patient();
        let buffer = Arc::new(BoundedBuffer::new(2));
        let getters = [(); 2].map(|()| {
            let buffer = Arc::clone(&buffer);
            thread::spawn(move || buffer.get().unwrap())
        });
        assert_eq!(buffer.put_all([1, 2]), Ok(2));
        let sum: i32 = getters.into_iter().map(|getter| getter.join().unwrap()).sum();
        assert_eq!(sum, 3);
    });
}

/// Two putters wait, and two places become free in one call: the thread that comes first sees to it that the
/// other comes.
#[test]
fn putter_that_fills_one_of_two_places_wakes_the_other() {
    model_bounded(3, THREE, &["sleeper woken"], || {
        let buffer = Arc::new(BoundedBuffer::new(3));
        assert_eq!(buffer.put_all([0, 1, 2]), Ok(3));
        assert_eq!(buffer.get(), Ok(0));
        buffer.put(3).unwrap();
        let putters = [4, 5].map(|item| {
            let buffer = Arc::clone(&buffer);
            thread::spawn(move || buffer.put(item).unwrap())
        });
        let mut got = Vec::with_capacity(2);
        assert_eq!(buffer.get_many(&mut got, 2), Ok(2));
        assert_eq!(got, [1, 2]);
        for putter in putters {
            putter.join().unwrap();
        }
        assert_eq!(buffer.len(), 3);
    });
}

/// A place freed while the putter is about to sleep.
#[test]
fn place_freed_before_the_putter_sleeps_is_found() {
    model(&["sleeper woken", "put at once"], || {
        let buffer = Arc::new(BoundedBuffer::new(1));
        buffer.put(0).unwrap();
        let other = Arc::clone(&buffer);
        let putter = thread::spawn(move || {
            if other.try_put(1).is_ok() {
                reach("put at once");
            } else {
                other.put(1).unwrap();
            }
        });
        assert_eq!(buffer.get(), Ok(0));
        putter.join().unwrap();
        assert_eq!(buffer.try_get(), Ok(1));
    });
}

/// The last two items are reported done by two threads: the joiner returns.
#[test]
fn joiner_returns_when_the_last_of_two_is_done() {
    model_bounded(3, THREE, &["condvar waiter notified"], || {
        let buffer = Arc::new(BoundedBuffer::new(3));
        assert_eq!(buffer.put_all([1, 2]), Ok(2));
        assert_eq!(buffer.get(), Ok(1));
        let workers = [(); 2].map(|()| {
            let buffer = Arc::clone(&buffer);
            thread::spawn(move || buffer.task_done())
        });
        buffer.join();
        assert_eq!(buffer.unfinished(), 0);
        for worker in workers {
            worker.join().unwrap();
        }
    });
}
