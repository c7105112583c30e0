//! What a `BoundedBuffer` is made of: capacity, items, what it shows; its errors.

use std::cell::Cell;
use std::error::Error;
use std::thread;

use lockwork::{
    BoundedBuffer, GetError, GetTimeoutError, PriorityBuffer, PutAllError, PutError, PutTimeoutError,
    StackBuffer, TaskDoneError, TryGetError, TryPutError,
};

use super::TINY;
use crate::support::{PARTIES, bytes_during, cases, rounds, shown, watchdog};

#[test]
fn static_buffer_is_shared_by_threads() {
    static BUFFER: BoundedBuffer<usize> = BoundedBuffer::new(3);

    const fn doubled(capacity: usize) -> BoundedBuffer<u8> {
        BoundedBuffer::new(2 * capacity)
    }
    static DOUBLED: BoundedBuffer<u8> = doubled(5);
    assert_eq!(DOUBLED.capacity(), 10);

    watchdog(|| {
        let counted = thread::scope(|s| {
            let counters: Vec<_> = PARTIES.iter().map(|_| s.spawn(|| BUFFER.iter().count())).collect();
            let putters = PARTIES.map(|n| s.spawn(move || (0..n).try_for_each(|i| BUFFER.put(i))));
            putters.into_iter().for_each(|putter| putter.join().unwrap().unwrap());
            BUFFER.close();
            counters.into_iter().map(|counter| counter.join().unwrap()).sum::<usize>()
        });
        assert_eq!(counted, PARTIES.iter().sum::<usize>());
    });
}

#[test]
#[should_panic(expected = "BoundedBuffer::new")]
fn new_panics_on_capacity_zero() {
    let _ = shown(BoundedBuffer::<u8>::new(0));
}

#[test]
fn new_takes_any_capacity() {
    let buffer = shown(BoundedBuffer::new(usize::MAX));
    assert_eq!(buffer.capacity(), usize::MAX);
    assert_eq!(buffer.put_all(0..200), Ok(200));
    assert_eq!(buffer.len(), 200);
    let mut all = Vec::new();
    assert_eq!(buffer.get_many(&mut all, usize::MAX), Ok(200));
    assert!(all.into_iter().eq(0..200));
}

#[test]
fn storage_grows_to_the_capacity_and_no_further() {
    for capacity in cases([1, 3, 5, 70]) {
        let buffer = shown(BoundedBuffer::new(capacity));
        (0..capacity).for_each(|i| buffer.put(i).unwrap());
        assert!(buffer.close_now().capacity() <= capacity);
        let buffer = shown(BoundedBuffer::new(capacity));
        buffer.put_all(0..capacity).unwrap();
        assert!(buffer.close_now().capacity() <= capacity);
    }
}

/// One ring has a slot for each place. A chain has segments of 128: fewer than three more than its items
/// fill, and two when they have gone.
#[test]
fn memory_is_a_slot_for_each_place_or_item_and_a_few_segments() {
    /// A stamp, and an item of eight bytes.
    const SLOT: usize = 16;
    const SEGMENT: usize = 128 * SLOT + 160;

    let fill = |buffer: &BoundedBuffer<u64>, n| (0..n).for_each(|i| buffer.put(i).unwrap());
    for capacity in cases([1, 64, 1024]) {
        let buffer = shown(BoundedBuffer::new(capacity));
        let ((), bytes) = bytes_during(|| fill(&buffer, capacity as u64));
        assert_eq!(bytes.unsigned_abs(), capacity * SLOT);
    }
    for capacity in cases([1100, usize::MAX]) {
        let (buffer, mut bytes) = (BoundedBuffer::new(capacity), 0);
        let mut now = |body: &dyn Fn()| {
            bytes += bytes_during(body).1;
            bytes.unsigned_abs()
        };
        // The first of them at each place of a segment.
        for _ in 0..128 {
            assert!(now(&|| fill(&buffer, 1100)) <= (1100 / 128 + 3) * SEGMENT);
            assert!(now(&|| assert_eq!(buffer.try_iter().count(), 1100)) <= 2 * SEGMENT);
            now(&|| {
                fill(&buffer, 1);
                buffer.get().unwrap();
            });
        }
    }
}

/// What a burst has needed is given back when it has been drained, and so it is as it is drained.
#[test]
fn memory_of_a_burst_is_given_back() {
    const FEW: isize = 4096;

    fn drained(name: &str, n: usize, put: impl Fn(usize), get: impl Fn() -> usize) {
        let ((), bytes) = bytes_during(|| {
            (0..n).for_each(&put);
            (0..n).for_each(|_| _ = get());
        });
        assert!(bytes < FEW, "{name}: {bytes} bytes left of {n} items");
        // What is there costs no more than a few times itself: here 16 bytes for an item and its number.
        let ((), bytes) = bytes_during(|| {
            (0..n).for_each(&put);
            (0..n - n / 100).for_each(|_| _ = get());
        });
        assert!(bytes < FEW + 4 * 16 * (n / 100) as isize, "{name}: {bytes} bytes for {} items", n / 100);
    }
    let n = rounds(100_000);
    let (heap, stack) = (PriorityBuffer::new(usize::MAX), StackBuffer::new(usize::MAX));
    drained("heap", n, |i| heap.put(i).unwrap(), || heap.get().unwrap());
    drained("stack", n, |i| stack.put(i).unwrap(), || stack.get().unwrap());
}

#[test]
fn zero_sized_items_are_counted() {
    let buffer = shown(BoundedBuffer::new(3));
    assert_eq!(buffer.put_all([(), ()]), Ok(2));
    buffer.put(()).unwrap();
    assert_eq!(buffer.try_put(()), Err(TryPutError::Full(())));
    let mut all = Vec::new();
    assert_eq!(buffer.get_many(&mut all, 2), Ok(2));
    assert_eq!(buffer.close_now(), [()]);
}

#[test]
fn items_need_not_be_sync() {
    watchdog(|| {
        let buffer = shown(BoundedBuffer::new(1));
        thread::scope(|s| {
            s.spawn(|| buffer.put(Cell::new(7)).unwrap());
            assert_eq!(buffer.get().unwrap().get(), 7);
        });
    });
}

#[test]
fn debug_shows_how_full_it_is() {
    struct Opaque;
    let buffer = shown(BoundedBuffer::new(3));
    buffer.try_put(Opaque).unwrap_or_else(|_| unreachable!());
    let shown = format!("{buffer:?}");
    assert!(
        shown.contains("len: 1") && shown.contains("capacity: 3") && shown.contains("closed: false"),
        "{shown}"
    );
    buffer.close();
    assert!(format!("{buffer:?}").contains("closed: true"));
    assert!(format!("{:?} {:?}", buffer.iter(), buffer.try_iter()).contains("len: 1"));
}

/// CPython: `SimpleQueueTest.test_reentrancy`.
#[test]
fn destructors_may_use_the_buffer() {
    static BUFFER: BoundedBuffer<Echo> = BoundedBuffer::new(3);

    /// Looks around in the buffer when it goes, and leaves a smaller one behind.
    struct Echo(u32);

    impl Drop for Echo {
        fn drop(&mut self) {
            assert!(BUFFER.len() <= BUFFER.capacity());
            if self.0 > 0 {
                let _ = BUFFER.try_put(Echo(self.0 - 1));
            }
        }
    }

    watchdog(|| {
        BUFFER.put(Echo(3)).unwrap();
        assert_eq!(BUFFER.try_iter().count(), 4);
        assert_eq!(BUFFER.put_all((0..3).map(|_| Echo(1))).unwrap(), 3);
        drop(BUFFER.try_put(Echo(1)).unwrap_err());
        drop(BUFFER.put_for(Echo(1), TINY).unwrap_err());
        let mut out = Vec::new();
        assert_eq!(BUFFER.get_many(&mut out, 2), Ok(2));
        drop(out);
        assert_eq!(BUFFER.len(), 3);
        drop(BUFFER.close_now());
        drop(BUFFER.put_all([Echo(1), Echo(1)]).unwrap_err());
        drop(BUFFER.put(Echo(1)).unwrap_err());
        assert!(BUFFER.is_empty());
    });
}

#[test]
fn errors_give_items_back_and_say_why() {
    struct Opaque;
    let source: [(Box<dyn Error>, &str, &str); 11] = [
        (Box::new(PutError(Opaque)), "the buffer is closed", "PutError(the buffer is closed, ..)"),
        (Box::new(TryPutError::Full(Opaque)), "the buffer is full", "Full(..)"),
        (Box::new(TryPutError::Closed(Opaque)), "the buffer is closed", "Closed(..)"),
        (
            Box::new(PutTimeoutError::Timeout(Opaque)),
            "timed out waiting for room in the buffer",
            "Timeout(..)",
        ),
        (Box::new(PutTimeoutError::Closed(Opaque)), "the buffer is closed", "Closed(..)"),
        (
            Box::new(PutAllError { put: 3, rest: vec![Opaque, Opaque] }),
            "the buffer was closed after 3 items were put",
            "PutAllError { reason: the buffer is closed, put: 3, rest: [..; 2] }",
        ),
        (Box::new(GetError), "the buffer is closed and empty", "GetError(the buffer is closed and empty)"),
        (Box::new(TryGetError::Empty), "the buffer is empty", "Empty"),
        (Box::new(TryGetError::Closed), "the buffer is closed and empty", "Closed"),
        (Box::new(GetTimeoutError::Timeout), "timed out waiting for an item in the buffer", "Timeout"),
        (
            Box::new(TaskDoneError),
            "more tasks reported done than items were put",
            "TaskDoneError(more tasks reported done than items were put)",
        ),
    ];
    for (error, display, debug) in source {
        assert_eq!((error.to_string(), format!("{error:?}")), (display.to_owned(), debug.to_owned()));
    }

    assert_eq!(PutError(1).into_inner(), 1);
    assert_eq!((TryPutError::Full(1).into_inner(), TryPutError::Closed(2).into_inner()), (1, 2));
    assert_eq!((PutTimeoutError::Timeout(1).into_inner(), PutTimeoutError::Closed(2).into_inner()), (1, 2));
    assert_eq!(PutAllError { put: 0, rest: vec![1, 2] }.into_inner(), [1, 2]);
}

#[test]
fn errors_can_be_told_apart() {
    assert!(TryPutError::Full(1).is_full() && !TryPutError::Full(1).is_closed());
    assert!(!TryPutError::Closed(1).is_full() && TryPutError::Closed(1).is_closed());
    assert!(PutTimeoutError::Timeout(1).is_timeout() && !PutTimeoutError::Timeout(1).is_closed());
    assert!(!PutTimeoutError::Closed(1).is_timeout() && PutTimeoutError::Closed(1).is_closed());
    assert!(TryGetError::Empty.is_empty() && !TryGetError::Empty.is_closed());
    assert!(!TryGetError::Closed.is_empty() && TryGetError::Closed.is_closed());
    assert!(GetTimeoutError::Timeout.is_timeout() && !GetTimeoutError::Timeout.is_closed());
    assert!(!GetTimeoutError::Closed.is_timeout() && GetTimeoutError::Closed.is_closed());

    assert_eq!(TryPutError::from(PutError(1)), TryPutError::Closed(1));
    assert_eq!(PutTimeoutError::from(PutError(1)), PutTimeoutError::Closed(1));
    assert_eq!(TryGetError::from(GetError), TryGetError::Closed);
    assert_eq!(GetTimeoutError::from(GetError), GetTimeoutError::Closed);
}

#[test]
fn errors_are_copied_if_their_items_can_be() {
    fn assert_copy<T: Copy>() {}
    assert_copy::<(PutError<u8>, TryPutError<u8>, PutTimeoutError<u8>)>();
    assert_copy::<(GetError, TryGetError, GetTimeoutError, TaskDoneError)>();
    let error = PutAllError { put: 1, rest: vec![String::new()] };
    assert_eq!(error.clone(), error);
}
