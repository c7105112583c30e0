//! The chain of segments, of two slots each in a model, by the calls of `BoundedBuffer` that do not sleep.

use lockwork::{BoundedBuffer, TryGetError};

use super::ring::two_putters_and_a_getter;
use crate::models::support::{Arc, model, model_bounded, reach, thread};

const THREE: &str = "three threads";

/// More places than a ring has in a model.
const PLACES: usize = 100;

/// Two first puts: there is one chain.
#[test]
fn two_threads_begin_one_chain() {
    model(&["two threads began a chain", "first", "second"], || {
        let buffer = Arc::new(BoundedBuffer::new(PLACES));
        let other = Arc::clone(&buffer);
        let putter = thread::spawn(move || other.try_put(1).unwrap());
        buffer.try_put(2).unwrap();
        match buffer.try_get() {
            Ok(1) => reach("first"),
            Ok(2) => reach("second"),
            other => panic!("{other:?}, but a put has returned"),
        }
        putter.join().unwrap();
        assert_eq!(buffer.len(), 1);
    });
}

/// Two puts where a segment ends: one makes the next, and the other goes on to it.
#[test]
fn two_putters_at_the_end_of_a_segment() {
    model(&["between two steps"], || {
        let buffer = Arc::new(BoundedBuffer::new(PLACES));
        buffer.try_put(0).unwrap();
        let other = Arc::clone(&buffer);
        let putter = thread::spawn(move || other.try_put(1).unwrap());
        buffer.try_put(2).unwrap();
        putter.join().unwrap();
        let all: Vec<i32> = buffer.try_iter().collect();
        assert!(all == [0, 1, 2] || all == [0, 2, 1], "{all:?}");
    });
}

/// A getter that learns of the first item from what another getter has seen sees the segment, too.
#[test]
fn getter_told_by_another_sees_the_segment() {
    model_bounded(3, THREE, &["got"], || {
        lockwork::internals::set_looks(true);
        let buffer = Arc::new(BoundedBuffer::new(PLACES));
        let getters = [0, 1].map(|_| {
            let buffer = Arc::clone(&buffer);
            thread::spawn(move || buffer.try_get())
        });
        buffer.try_put(1).unwrap();
        let got = getters.map(|getter| getter.join().unwrap().ok());
        match got {
            [Some(1), None] | [None, Some(1)] => reach("got"),
            [None, None] => assert_eq!(buffer.try_get(), Ok(1)),
            _ => panic!("{got:?}"),
        }
    });
}

/// Two gets where a segment ends: one goes on, the last lets the segment go, and no thread uses it
/// afterwards.
#[test]
fn two_getters_at_the_end_of_a_segment() {
    model(&["between two steps", "segment read to its end"], || {
        let buffer = Arc::new(BoundedBuffer::new(PLACES));
        buffer.put_all(0..4).unwrap();
        assert_eq!(buffer.try_get(), Ok(0));
        let other = Arc::clone(&buffer);
        let getter = thread::spawn(move || other.try_get().unwrap());
        let mine = buffer.try_get().unwrap();
        let theirs = getter.join().unwrap();
        assert_eq!(mine + theirs, 3);
        assert_eq!(buffer.try_get(), Ok(3));
        assert_eq!(buffer.try_get(), Err(TryGetError::Empty));
    });
}

/// A getter sleeps for an item of a chain.
#[test]
fn sleeping_getter_is_woken() {
    model(&["sleeper woken"], || {
        let buffer = Arc::new(BoundedBuffer::new(PLACES));
        let other = Arc::clone(&buffer);
        let putter = thread::spawn(move || other.try_put(1).unwrap());
        assert_eq!(buffer.get(), Ok(1));
        putter.join().unwrap();
    });
}

/// A getter that follows a putter over the end of a segment, which is used again.
#[test]
fn getter_behind_a_putter_over_the_end() {
    model(&["segment read to its end"], || {
        let buffer = Arc::new(BoundedBuffer::new(PLACES));
        buffer.try_put(0).unwrap();
        assert_eq!(buffer.try_get(), Ok(0));
        let other = Arc::clone(&buffer);
        let putter = thread::spawn(move || {
            other.try_put(1).unwrap();
            other.try_put(2).unwrap();
        });
        // Without waiting: sleepers are the same of both sorts of ring.
        let mut items: Vec<_> = (0..2).filter_map(|_| buffer.try_get().ok()).collect();
        putter.join().unwrap();
        items.extend(buffer.try_iter());
        assert_eq!(items, [1, 2]);
        buffer.put_all([3, 4, 5]).unwrap();
        assert!(buffer.try_iter().eq([3, 4, 5]));
    });
}

/// A batch over several segments takes neighbours, with another getter in between.
#[test]
fn batch_over_segments_takes_neighbours() {
    model(&["other first", "batch first"], || {
        let buffer = Arc::new(BoundedBuffer::new(PLACES));
        buffer.put_all(0..5).unwrap();
        let other = Arc::clone(&buffer);
        let getter = thread::spawn(move || other.try_get().unwrap());
        let mut out = Vec::with_capacity(4);
        assert_eq!(buffer.try_get_many(&mut out, 4), Ok(4));
        match getter.join().unwrap() {
            0 => {
                assert_eq!(out, [1, 2, 3, 4]);
                reach("other first");
            }
            4 => {
                assert_eq!(out, [0, 1, 2, 3]);
                reach("batch first");
            }
            other => panic!("{other} from within a batch"),
        }
    });
}

/// Two putters and a getter over the end of a segment.
#[test]
fn two_putters_and_a_getter_over_the_end() {
    model_bounded(3, THREE, &["sleeper woken", "between two steps"], || {
        two_putters_and_a_getter(BoundedBuffer::new(PLACES));
    });
}

/// A getter comes to a segment behind another getter, while the putter of a batch over the end has linked it
/// and has not yet said that the tail has moved.
#[test]
fn getter_follows_another_into_a_batch() {
    model_bounded(3, THREE, &["both"], || {
        let buffer = Arc::new(BoundedBuffer::new(PLACES));
        buffer.try_put(0).unwrap();
        assert_eq!(buffer.try_get(), Ok(0));
        let getters = [0, 1].map(|_| {
            let buffer = Arc::clone(&buffer);
            thread::spawn(move || buffer.try_get().ok())
        });
        buffer.put_all([1, 2]).unwrap();
        if getters.map(|getter| getter.join().unwrap()).iter().flatten().sum::<i32>() == 3 {
            reach("both");
        }
    });
}

/// A putter takes a segment into use again that a getter has just read to its end.
#[test]
fn segment_is_used_again_by_a_putter() {
    model(&["segment read to its end", "segment used again"], || {
        let buffer = Arc::new(BoundedBuffer::new(PLACES));
        buffer.put_all(0..3).unwrap();
        let other = Arc::clone(&buffer);
        let putter = thread::spawn(move || other.try_put(3).unwrap());
        assert!(buffer.iter().take(3).eq(0..3));
        putter.join().unwrap();
        assert_eq!(buffer.try_get(), Ok(3));
    });
}

/// Both getters of a segment have read before it is taken into use again.
#[test]
fn segment_of_two_getters_is_used_again() {
    model(&["segment used again"], || {
        let buffer = Arc::new(BoundedBuffer::new(PLACES));
        buffer.put_all(0..3).unwrap();
        let other = Arc::clone(&buffer);
        let getter = thread::spawn(move || other.try_get().unwrap());
        let mine = buffer.try_get().unwrap();
        buffer.try_put(3).unwrap();
        assert_eq!(mine + getter.join().unwrap(), 1);
        assert!(buffer.try_iter().eq([2, 3]));
    });
}
