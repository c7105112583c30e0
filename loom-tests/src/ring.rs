//! The ring of slots, by the calls of `BoundedBuffer` that do not sleep.

use lockwork::{BoundedBuffer, TryGetError, TryPutError};

use crate::models::support::{Arc, model, model_bounded, reach, thread};

const THREE: &str = "three threads";

/// A put that has returned is there, although the one before it is between claiming and publishing.
#[test]
fn completed_put_behind_an_interrupted_one_is_there() {
    model(&["first", "second", "between two steps"], || {
        let buffer = Arc::new(BoundedBuffer::new(2));
        let other = Arc::clone(&buffer);
        let putter = thread::spawn(move || other.try_put(1).unwrap());
        buffer.try_put(2).unwrap();
        assert!((1..=2).contains(&buffer.len()));
        match buffer.try_get() {
            Ok(1) => reach("first"),
            Ok(2) => reach("second"),
            other => panic!("{other:?}, but a put has returned"),
        }
        putter.join().unwrap();
        assert_eq!(buffer.len(), 1);
    });
}

/// The same of a batch: it takes what was put, and waits for what is being published before that.
#[test]
fn batch_takes_what_is_claimed_before_it() {
    model(&["one", "both", "between two steps"], || {
        let buffer = Arc::new(BoundedBuffer::new(2));
        let other = Arc::clone(&buffer);
        let putter = thread::spawn(move || other.try_put(1).unwrap());
        buffer.try_put(2).unwrap();
        let mut out = Vec::with_capacity(2);
        match buffer.try_get_many(&mut out, 2) {
            Ok(1) => {
                assert_eq!(out, [2]);
                reach("one");
            }
            Ok(2) => reach("both"),
            other => panic!("{other:?}"),
        }
        putter.join().unwrap();
    });
}

/// A get that has returned has made room, although the one before it is between claiming and freeing.
#[test]
fn completed_get_behind_an_interrupted_one_has_made_room() {
    model(&["between two steps"], || {
        let buffer = Arc::new(BoundedBuffer::new(2));
        buffer.put_all([1, 2]).unwrap();
        let other = Arc::clone(&buffer);
        let getter = thread::spawn(move || other.try_get().unwrap());
        let mine = buffer.try_get().unwrap();
        buffer.try_put(3).unwrap();
        assert_eq!(mine + getter.join().unwrap(), 3);
        assert_eq!(buffer.try_get(), Ok(3));
    });
}

/// One place: whatever is put comes out, once, or is given back.
#[test]
fn one_place_is_full_or_empty() {
    model(&["put", "full"], || {
        let buffer = Arc::new(BoundedBuffer::new(1));
        buffer.try_put(1).unwrap();
        let other = Arc::clone(&buffer);
        let putter = thread::spawn(move || match other.try_put(2) {
            Ok(()) => true,
            Err(error) => {
                assert_eq!(error, TryPutError::Full(2));
                false
            }
        });
        assert_eq!(buffer.try_get(), Ok(1));
        let put = putter.join().unwrap();
        assert_eq!(buffer.try_get(), if put { Ok(2) } else { Err(TryGetError::Empty) });
        reach(if put { "put" } else { "full" });
    });
}

/// Puts and gets an item, and has two more put by threads of their own while this one gets.
pub(super) fn two_putters_and_a_getter(buffer: BoundedBuffer<u32>) {
    let buffer = Arc::new(buffer);
    buffer.try_put(0).unwrap();
    assert_eq!(buffer.try_get(), Ok(0));
    let putters = [1, 2].map(|item| {
        let buffer = Arc::clone(&buffer);
        thread::spawn(move || buffer.try_put(item).unwrap())
    });
    let first = buffer.get().unwrap();
    for putter in putters {
        putter.join().unwrap();
    }
    assert_eq!(first + buffer.try_get().unwrap(), 3);
}

/// Two putters and a getter, over the end of the ring.
#[test]
fn two_putters_and_a_getter_around_the_end() {
    model_bounded(3, THREE, &["sleeper woken", "between two steps"], || {
        two_putters_and_a_getter(BoundedBuffer::new(2));
    });
}

/// Two getters and a putter, over the end of the ring.
#[test]
fn two_getters_and_a_putter_around_the_end() {
    model_bounded(3, THREE, &["got", "empty", "put", "full"], || {
        let buffer = Arc::new(BoundedBuffer::new(2));
        buffer.put_all([1, 2]).unwrap();
        assert_eq!(buffer.try_get(), Ok(1));
        let getters = [(); 2].map(|()| {
            let buffer = Arc::clone(&buffer);
            thread::spawn(move || buffer.try_get().ok())
        });
        buffer.try_put(3).unwrap();
        reach(if buffer.try_put(4).is_ok() { "put" } else { "full" });
        let mut got: Vec<i32> = getters.into_iter().filter_map(|getter| getter.join().unwrap()).collect();
        reach(if got.len() == 2 { "got" } else { "empty" });
        got.extend(buffer.try_iter());
        got.sort_unstable();
        assert!(got == [2, 3] || got == [2, 3, 4], "{got:?}");
    });
}

/// A close decides about each put by one exchange: it is there, or it came back.
#[test]
fn close_against_a_put_under_way() {
    model(&["in", "back", "between two steps"], || {
        let buffer = Arc::new(BoundedBuffer::new(1));
        let other = Arc::clone(&buffer);
        let putter = thread::spawn(move || other.try_put(1).is_ok());
        let left = buffer.close_now();
        assert_eq!(buffer.try_get(), Err(TryGetError::Closed));
        let put = putter.join().unwrap();
        assert_eq!(left, if put { vec![1] } else { vec![] });
        assert_eq!((buffer.len(), buffer.unfinished()), (0, 0));
        reach(if put { "in" } else { "back" });
    });
}

/// What is left in a closed ring comes out before the answer that it is closed.
#[test]
fn closed_is_told_when_all_is_out() {
    model(&["sleeper woken by closing"], || {
        let buffer = Arc::new(BoundedBuffer::new(1));
        buffer.try_put(1).unwrap();
        let other = Arc::clone(&buffer);
        let closer = thread::spawn(move || other.close());
        assert!(buffer.iter().eq([1]));
        closer.join().unwrap();
        assert_eq!(buffer.try_get(), Err(TryGetError::Closed));
    });
}

/// A batch of puts is one claim, and its first item is published last: the thread that gets a batch has all
/// of it.
#[test]
fn batches_keep_together() {
    model(&["between two steps", "sleeper woken"], || {
        let buffer = Arc::new(BoundedBuffer::new(2));
        let other = Arc::clone(&buffer);
        let putter = thread::spawn(move || assert_eq!(other.put_all([1, 2]), Ok(2)));
        let mut out = Vec::with_capacity(2);
        assert_eq!(buffer.get_many(&mut out, 2), Ok(2));
        assert_eq!(out, [1, 2]);
        putter.join().unwrap();
    });
}
