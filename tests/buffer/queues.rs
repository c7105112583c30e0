//! `PriorityBuffer` and `StackBuffer`: their order, and the contract that they share with `BoundedBuffer`.
//! And what a `BoundedBuffer` of more places than one ring has does.

use std::cell::Cell;
use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use lockwork::{
    BoundedBuffer, GetError, GetTimeoutError, PriorityBuffer, PutError, PutTimeoutError, StackBuffer,
    TaskDoneError, TryGetError, TryPutError,
};
use proptest::prelude::*;

use crate::random::programs;
use crate::support::{Sleeper, cases, shown, watchdog};

const SHORT: Duration = Duration::from_millis(2);

/// One body for each of the three, with its name.
macro_rules! each_buffer {
    ($($test:ident: |$new:ident, $name:ident| $body:block)+) => {
        mod fifo {
            use super::*;
            $(#[test] fn $test() {
                watchdog(|| {
                    let ($new, $name) = (BoundedBuffer::<u32>::new, "BoundedBuffer");
                    let _ = $name;
                    $body
                });
            })+
        }
        mod priority {
            use super::*;
            $(#[test] fn $test() {
                watchdog(|| {
                    let ($new, $name) = (PriorityBuffer::<u32>::new, "PriorityBuffer");
                    let _ = $name;
                    $body
                });
            })+
        }
        mod stack {
            use super::*;
            $(#[test] fn $test() {
                watchdog(|| {
                    let ($new, $name) = (StackBuffer::<u32>::new, "StackBuffer");
                    let _ = $name;
                    $body
                });
            })+
        }
    };
}

each_buffer! {
    calls_that_cannot_go_on_give_back: |new, name| {
        let buffer = new(1);
        assert_eq!(buffer.try_get(), Err(TryGetError::Empty));
        assert_eq!(buffer.get_for(SHORT), Err(GetTimeoutError::Timeout));
        assert_eq!(buffer.get_for(Duration::ZERO), Err(GetTimeoutError::Timeout));
        buffer.put(1).unwrap();
        assert_eq!(buffer.try_put(2), Err(TryPutError::Full(2)));
        assert_eq!(buffer.put_for(2, SHORT), Err(PutTimeoutError::Timeout(2)));
        assert!(buffer.is_full() && !buffer.is_empty());
        buffer.close();
        assert!(buffer.is_closed());
        assert_eq!(buffer.put(2), Err(PutError(2)));
        assert_eq!(buffer.try_put(2), Err(TryPutError::Closed(2)));
        assert_eq!(buffer.get(), Ok(1));
        assert_eq!(buffer.get(), Err(GetError));
        assert_eq!(buffer.try_get(), Err(TryGetError::Closed));
        assert!(format!("{buffer:?} {:?}", buffer.iter()).contains(name));
    }

    new_of_nothing_panics_and_names_the_call: |new, name| {
        let payload = panic::catch_unwind(|| drop(new(0))).unwrap_err();
        let message = payload.downcast_ref::<&str>().map_or_else(
            || payload.downcast_ref::<String>().unwrap().clone(),
            |message| (*message).to_owned(),
        );
        assert!(message.starts_with(&format!("{name}::new")), "{message}");
    }

    task_done_too_often_panics_and_names_the_call: |new, name| {
        let buffer = new(1);
        assert_eq!(buffer.try_task_done(), Err(TaskDoneError));
        let payload = panic::catch_unwind(AssertUnwindSafe(|| buffer.task_done())).unwrap_err();
        let message = payload.downcast_ref::<&str>().map_or_else(
            || payload.downcast_ref::<String>().unwrap().clone(),
            |message| (*message).to_owned(),
        );
        assert!(message.starts_with(&format!("{name}::task_done")), "{message}");
    }

    join_waits_for_what_was_put: |new, _name| {
        let buffer = new(4);
        buffer.put_all([1, 2, 3]).unwrap();
        assert!(!buffer.join_for(SHORT));
        thread::scope(|s| {
            s.spawn(|| {
                for _ in 0..2 {
                    buffer.get().unwrap();
                    buffer.task_done();
                }
                assert_eq!(buffer.close_now().len(), 1);
            });
            buffer.join();
        });
        assert_eq!(buffer.unfinished(), 0);
    }

    sleepers_of_both_sides_are_woken: |new, _name| {
        for parties in cases([1, 2, 3, 5, 7, 8]) {
            let buffer = new(1);
            let total = thread::scope(|s| {
                let getters: Vec<_> =
                    (0..parties).map(|_| s.spawn(|| buffer.iter().map(u64::from).sum::<u64>())).collect();
                let putters: Vec<_> =
                    (0..parties).map(|_| s.spawn(|| buffer.put_all(0..50).unwrap())).collect();
                putters.into_iter().for_each(|putter| assert_eq!(putter.join().unwrap(), 50));
                buffer.close();
                getters.into_iter().map(|getter| getter.join().unwrap()).sum::<u64>()
            });
            assert_eq!(total, parties * (0..50).sum::<u64>());
        }
    }

    close_wakes_all_waiters: |new, _name| {
        let (full, empty) = (new(1), new(1));
        full.put(0).unwrap();
        let sleepers = Sleeper::several(6);
        thread::scope(|s| {
            for (number, sleeper) in sleepers.iter().enumerate() {
                let (full, empty) = (&full, &empty);
                s.spawn(move || {
                    sleeper.about_to_block();
                    if number % 2 == 0 {
                        assert_eq!(full.put(1), Err(PutError(1)));
                    } else {
                        assert_eq!(empty.get(), Err(GetError));
                    }
                });
            }
            Sleeper::until_all_asleep(&sleepers);
            full.close();
            empty.close();
        });
        assert_eq!(full.close_now(), [0]);
    }

    iterators_take_everything: |new, _name| {
        let buffer = new(usize::MAX);
        buffer.put_all(0..300).unwrap();
        assert_eq!(buffer.try_iter().take(100).count(), 100);
        let mut some = Vec::new();
        assert_eq!(buffer.get_many(&mut some, 150), Ok(150));
        assert_eq!(buffer.len(), 50);
        buffer.close();
        assert_eq!(buffer.iter().count(), 50);
        assert_eq!((buffer.capacity(), buffer.unfinished()), (usize::MAX, 300));
    }
}

#[test]
fn stack_gives_the_newest_first() {
    let stack = shown(StackBuffer::new(10));
    stack.put_all(1..=5).unwrap();
    assert_eq!(stack.get(), Ok(5));
    stack.put(6).unwrap();
    let mut out = Vec::new();
    assert_eq!(stack.get_many(&mut out, 2), Ok(2));
    assert_eq!(out, [6, 4]);
    assert_eq!(stack.close_now(), [3, 2, 1]);
}

/// Compared by `rank` alone.
#[derive(Debug)]
struct Job {
    rank: u32,
    number: usize,
    /// How many comparisons may still be made.
    fuse: Option<Arc<AtomicUsize>>,
}

impl Ord for Job {
    fn cmp(&self, other: &Self) -> Ordering {
        for fuse in self.fuse.iter().chain(&other.fuse) {
            assert_ne!(fuse.fetch_sub(1, Relaxed), 0, "no more comparisons");
        }
        self.rank.cmp(&other.rank)
    }
}

impl PartialOrd for Job {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Job {
    fn eq(&self, other: &Self) -> bool {
        self.rank == other.rank
    }
}

impl Eq for Job {}

#[test]
fn equal_items_leave_in_the_order_in_which_they_came() {
    let buffer = shown(PriorityBuffer::new(1000));
    for number in 0..500 {
        let rank = (number * 7 % 5) as u32;
        buffer.put(Job { rank, number, fuse: None }).unwrap();
    }
    let mut last = (u32::MAX, 0);
    for job in buffer.try_iter().take(250) {
        assert!(job.rank < last.0 || job.number > last.1, "{job:?} after {last:?}");
        last = (job.rank, job.number);
    }
    for job in buffer.close_now() {
        assert!(job.rank < last.0 || job.number > last.1, "{job:?} after {last:?}");
        last = (job.rank, job.number);
    }
}

/// Every comparison of every call panics once: nothing is lost and nothing is out of order.
#[test]
fn comparison_that_panics_changes_nothing() {
    for ranks in [[3, 1, 4, 1, 5, 9, 2], [9, 8, 7, 6, 5, 4, 3], [1, 2, 3, 4, 5, 6, 7]] {
        for allowed in 0..30 {
            let fuse = Arc::new(AtomicUsize::new(usize::MAX));
            let job = |number: usize| Job { rank: ranks[number], number, fuse: Some(Arc::clone(&fuse)) };
            let buffer = shown(PriorityBuffer::new(10));
            (0..6).for_each(|number| buffer.put(job(number)).unwrap());
            let (mut expected, mut out): (Vec<u32>, Vec<Job>) = (ranks[..6].to_vec(), Vec::new());

            fuse.store(allowed, Relaxed);
            let put = panic::catch_unwind(AssertUnwindSafe(|| buffer.put(job(6))));
            if put.is_ok() {
                expected.push(ranks[6]);
            }
            assert_eq!((buffer.len(), buffer.unfinished()), (expected.len(), expected.len()));
            fuse.store(allowed, Relaxed);
            let _ = panic::catch_unwind(AssertUnwindSafe(|| buffer.get_many(&mut out, 3)));
            assert_eq!(buffer.len() + out.len(), expected.len());
            fuse.store(allowed, Relaxed);
            match panic::catch_unwind(AssertUnwindSafe(|| buffer.close_now())) {
                Ok(left) => out.extend(left),
                Err(_) => {
                    fuse.store(usize::MAX, Relaxed);
                    assert_eq!(buffer.len() + out.len(), expected.len());
                    out.extend(buffer.iter());
                }
            }
            expected.sort_unstable_by_key(|&rank| Reverse(rank));
            assert!(out.iter().map(|job| job.rank).eq(expected), "{allowed}: {out:?}");
        }
    }
}

/// A get whose comparison panics has made room, and the putter that waits for it comes.
#[test]
fn panic_in_a_batch_wakes_whom_it_owes() {
    watchdog(|| {
        let fuse = Arc::new(AtomicUsize::new(usize::MAX));
        let job = |rank: u32| Job { rank, number: 0, fuse: Some(Arc::clone(&fuse)) };
        let (buffer, sleeper) = (PriorityBuffer::new(4), Sleeper::new());
        (0..4).for_each(|rank| buffer.put(job(rank)).unwrap());
        thread::scope(|s| {
            let putter = s.spawn(|| {
                sleeper.about_to_block();
                buffer.put(Job { rank: 9, number: 9, fuse: None })
            });
            sleeper.until_asleep();
            // Enough for the first of the batch, and not for the second.
            fuse.store(4, Relaxed);
            let mut out = Vec::with_capacity(4);
            let got = panic::catch_unwind(AssertUnwindSafe(|| buffer.get_many(&mut out, 4)));
            fuse.store(usize::MAX, Relaxed);
            assert!(got.is_err() && !out.is_empty());
            putter.join().unwrap().unwrap();
        });
    });
}

proptest! {
    #![proptest_config(programs(256))]

    #[test]
    fn priority_is_a_heap_with_numbers(ops in prop::collection::vec(prop::option::of(0..6u32), 0..200)) {
        let (buffer, mut spec, mut number) = (PriorityBuffer::new(1000), BinaryHeap::new(), 0);
        for op in ops {
            match op {
                Some(rank) => {
                    buffer.put(Job { rank, number, fuse: None }).unwrap();
                    spec.push((rank, Reverse(number)));
                    number += 1;
                }
                None => {
                    let got = buffer.try_get().ok().map(|job| (job.rank, Reverse(job.number)));
                    prop_assert_eq!(got, spec.pop());
                }
            }
        }
        let left: Vec<_> = buffer.close_now().into_iter().map(|job| (job.rank, Reverse(job.number))).collect();
        let mut expected = spec.into_sorted_vec();
        expected.reverse();
        prop_assert_eq!(left, expected);
    }

    /// A chain of segments behaves as a ring does.
    #[test]
    fn chain_behaves_like_a_deque(ops in prop::collection::vec((0..3u8, 0..300usize), 0..60)) {
        let (buffer, mut spec, mut next) = (BoundedBuffer::new(5000), VecDeque::new(), 0usize);
        for (op, n) in ops {
            match op {
                0 => {
                    let n = n.min(5000 - spec.len());
                    prop_assert_eq!(buffer.put_all(next..next + n), Ok(n));
                    spec.extend(next..next + n);
                    next += n;
                }
                1 => {
                    let mut out = Vec::new();
                    let got = buffer.try_get_many(&mut out, n).unwrap_or(0);
                    prop_assert_eq!(got, n.min(spec.len()));
                    prop_assert!(out.into_iter().eq(spec.drain(..got)));
                }
                _ => prop_assert_eq!(buffer.try_get().ok(), spec.pop_front()),
            }
            prop_assert_eq!(buffer.len(), spec.len());
        }
        prop_assert_eq!(spec, buffer.close_now());
    }
}

/// The bound of a chain holds.
#[test]
fn large_buffer_is_full_when_it_is() {
    let buffer = shown(BoundedBuffer::new(1500));
    assert_eq!(buffer.put_all(0..1500), Ok(1500));
    assert_eq!(buffer.try_put(1500), Err(TryPutError::Full(1500)));
    assert_eq!(buffer.get(), Ok(0));
    buffer.try_put(1500).unwrap();
    assert!(buffer.is_full());
    assert!(buffer.close_now().into_iter().eq(1..=1500));
}

/// Items of a large buffer arrive once and in the order of their producers, over many segments, with all
/// threads.
#[test]
fn large_buffer_hands_every_item_on_once() {
    for capacity in cases([1025, usize::MAX]) {
        let buffer = shown(BoundedBuffer::new(capacity));
        let items = if cfg!(miri) { 100 } else { 20_000 };
        let got = thread::scope(|s| {
            let getters: Vec<_> = (0..3)
                .map(|id| {
                    let buffer = &buffer;
                    s.spawn(move || {
                        let mut got = Vec::new();
                        while buffer.get_many(&mut got, 1 + id * 100).is_ok() {}
                        got
                    })
                })
                .collect();
            let putters: Vec<_> = (0..3)
                .map(|id| {
                    let buffer = &buffer;
                    s.spawn(move || match id {
                        0 => (0..items).for_each(|i| buffer.put((id, i)).unwrap()),
                        _ => drop(buffer.put_all((0..items).map(|i| (id, i))).unwrap()),
                    })
                })
                .collect();
            putters.into_iter().for_each(|putter| putter.join().unwrap());
            buffer.close();
            getters.into_iter().map(|getter| getter.join().unwrap()).collect::<Vec<_>>()
        });
        for id in 0..3 {
            let mut all: Vec<usize> = Vec::new();
            for mine in &got {
                let own: Vec<usize> = mine.iter().filter(|item| item.0 == id).map(|item| item.1).collect();
                assert!(own.is_sorted());
                all.extend(own);
            }
            all.sort_unstable();
            assert!(all.into_iter().eq(0..items));
        }
    }
}

/// What is left is dropped once, also if one of the destructors panics.
#[test]
fn drop_goes_on_where_a_destructor_panics() {
    struct Counted<'a>(&'a Cell<usize>, usize);

    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
            assert_ne!(self.1, 1, "the second");
        }
    }

    for capacity in cases([4, usize::MAX]) {
        let drops = Cell::new(0);
        let buffer = BoundedBuffer::new(capacity);
        (0..4).for_each(|i| assert!(buffer.try_put(Counted(&drops, i)).is_ok()));
        assert!(panic::catch_unwind(AssertUnwindSafe(|| drop(buffer))).is_err());
        assert_eq!(drops.get(), 4);
    }
}
