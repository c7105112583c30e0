//! The buffers beside `BoundedBuffer`, and the halves of a channel, as sources.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use lockwork::channel::{RecvError, SendError, bounded, unbounded};
use lockwork::{
    Event, First1, First2, GetError, Mutex, PriorityBuffer, PutError, StackBuffer, try_any, wait_any,
    wait_any_fair, wait_any_for,
};

use super::{get_all, wait_for};
use crate::support::{SHORT, Sleeper, parties, repeat, rounds, shown, watchdog};

/// One body for both buffers.
macro_rules! each_buffer {
    ($($test:ident: |$new:ident| $body:block)+) => {
        mod priority {
            use super::*;
            $(#[test] fn $test() {
                watchdog(|| { let $new = PriorityBuffer::<usize>::new; $body });
            })+
        }
        mod stack {
            use super::*;
            $(#[test] fn $test() {
                watchdog(|| { let $new = StackBuffer::<usize>::new; $body });
            })+
        }
    };
}

each_buffer! {
    both_sides_end_a_wait: |new| {
        let buffer = new(1);
        assert_eq!(wait_for(buffer.getting(), || buffer.put(5).unwrap()), Ok(5));
        buffer.put(6).unwrap();
        let mut item = buffer.putting(7);
        assert_eq!(wait_for(&mut item, || assert_eq!(buffer.get(), Ok(6))), Ok(()));
        assert!(item.is_spent());
        let mut item = buffer.putting(8);
        assert_eq!(wait_for(&mut item, || buffer.close()), Err(PutError(8)));
        assert_eq!(buffer.get(), Ok(7));
        assert_eq!(wait_any((buffer.getting(),)), First1::First(Err(GetError)));
        let open = new(1);
        assert_eq!(wait_for(open.getting(), || open.close()), Err(GetError));
    }

    time_out_leaves_the_item_and_no_waiter: |new| {
        let buffer = new(1);
        assert_eq!(try_any((buffer.getting(),)), None);
        assert_eq!(wait_any_for((buffer.getting(),), SHORT), None);
        buffer.put(1).unwrap();
        let mut item = buffer.putting(2);
        assert_eq!(wait_any_for((&mut item,), SHORT), None);
        assert_eq!(try_any((&mut item,)), None);
        assert_eq!(item.into_item(), Some(2));
        assert_eq!(buffer.get(), Ok(1));
        let (one, two) = (new(1), new(1));
        two.put(4).unwrap();
        assert_eq!(wait_any(&[one.getting(), two.getting()]), (1, Ok(4)));
        two.put(4).unwrap();
        assert_eq!(wait_any(&mut [two.putting(5), one.putting(6)]), (1, Ok(())));
    }

    selecting_threads_keep_their_turn: |new| {
        let buffer = new(1);
        let order = Mutex::new(Vec::new());
        let never = Event::new();
        let sleepers = Sleeper::several(4);
        thread::scope(|s| {
            for (number, sleeper) in sleepers.iter().enumerate() {
                let (buffer, order, never) = (&buffer, &order, &never);
                s.spawn(move || {
                    sleeper.about_to_block();
                    let item = match wait_any((buffer.getting(), never)) {
                        First2::First(item) => item.unwrap(),
                        First2::Second(()) => panic!("it is never set"),
                    };
                    order.lock().push((number, item));
                    buffer.task_done();
                });
                sleeper.until_asleep();
            }
            for item in 0..4 {
                buffer.put(item).unwrap();
                buffer.join();
            }
        });
        assert_eq!(order.into_inner(), [(0, 0), (1, 1), (2, 2), (3, 3)]);
    }

    items_come_once_to_selecting_threads: |new| {
        for n in parties() {
            let buffers = [new(1), new(2)];
            let per_party = rounds(200);
            let seen = Mutex::new(BTreeSet::new());
            let left = AtomicUsize::new(n);
            thread::scope(|s| {
                for party in 0..n {
                    let (buffers, seen, left) = (&buffers, &seen, &left);
                    s.spawn(move || {
                        for number in 0..per_party {
                            let item = party * per_party + number;
                            if number % 2 == 0 {
                                buffers[item / 2 % 2].put(item).unwrap();
                            } else {
                                let (mut one, mut two) = (buffers[0].putting(item), buffers[1].putting(item));
                                let first = wait_any_fair((&mut one, &mut two)).index();
                                assert_eq!((one.is_spent(), two.is_spent()), (first == 0, first == 1));
                            }
                        }
                        if left.fetch_sub(1, SeqCst) == 1 {
                            buffers.iter().for_each(|buffer| buffer.close());
                        }
                    });
                    s.spawn(move || {
                        get_all(buffers, seen, || {
                            let set = (buffers[party % 2].getting(), buffers[1 - party % 2].getting());
                            if party % 3 == 2 {
                                wait_any_for(set, Duration::from_micros(50))
                            } else {
                                Some(wait_any(set))
                            }
                        });
                    });
                }
            });
            assert_eq!(seen.into_inner().len(), n * per_party);
        }
    }
}

/// An item whose comparison panics if one of the two says so.
#[derive(Debug)]
struct Fused {
    rank: u32,
    panics: bool,
}

fn item(rank: u32) -> Fused {
    Fused { rank, panics: false }
}

impl Ord for Fused {
    fn cmp(&self, other: &Self) -> Ordering {
        assert!(!self.panics && !other.panics, "the comparison panics");
        self.rank.cmp(&other.rank)
    }
}

impl PartialOrd for Fused {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Fused {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Fused {}

/// The panic comes out of the call, the thread stands in no queue any more, and the room goes to the next.
#[test]
fn panicking_comparison_in_a_put_that_waited_hands_the_room_on() {
    watchdog(|| {
        for _ in repeat(20) {
            let (buffer, never) = (PriorityBuffer::new(2), Event::new());
            buffer.put(item(1)).unwrap();
            buffer.put(item(2)).unwrap();
            let sleepers = Sleeper::several(2);
            thread::scope(|s| {
                let (buffer, never, sleepers) = (&buffer, &never, &sleepers);
                let panicking = s.spawn(move || {
                    let mut fused = buffer.putting(Fused { rank: 3, panics: true });
                    sleepers[0].about_to_block();
                    let call = AssertUnwindSafe(|| wait_any((never, &mut fused)));
                    assert!(panic::catch_unwind(call).is_err());
                    assert!(fused.is_spent());
                });
                sleepers[0].until_asleep();
                let plain = s.spawn(move || {
                    sleepers[1].about_to_block();
                    buffer.put(item(4)).unwrap();
                });
                sleepers[1].until_asleep();
                assert_eq!(buffer.get().unwrap().rank, 2);
                panicking.join().unwrap();
                plain.join().unwrap();
            });
            never.set();
            let left: Vec<_> = buffer.close_now().into_iter().map(|item| item.rank).collect();
            assert_eq!((left, buffer.unfinished()), (vec![4, 1], 1));
        }
    });
}

/// The same of a get: nothing is lost.
#[test]
fn panicking_comparison_in_a_get_loses_no_item() {
    let (buffer, never) = (PriorityBuffer::new(3), Event::new());
    [1, 3, 2].into_iter().for_each(|rank| buffer.put(item(rank)).unwrap());
    let bad = shown(PriorityBuffer::new(3));
    bad.put(Fused { rank: 1, panics: true }).unwrap();
    assert!(panic::catch_unwind(AssertUnwindSafe(|| bad.put(item(1)))).is_err());
    assert_eq!(bad.len(), 1);
    let ranks = |_| match wait_any((&never, bad.getting(), buffer.getting())) {
        lockwork::First3::First(()) => panic!("it is never set"),
        lockwork::First3::Second(got) | lockwork::First3::Third(got) => got.unwrap().rank,
    };
    assert_eq!([(); 4].map(ranks), [1, 3, 2, 1]);
}

#[test]
fn halves_of_a_channel_end_a_wait() {
    watchdog(|| {
        let (sender, receiver) = bounded(1);
        assert_eq!(wait_for(&receiver, || sender.send(1).unwrap()), Ok(1));
        sender.send(2).unwrap();
        let mut message = sender.sending(3);
        assert_eq!(wait_any_for((&mut message,), SHORT), None);
        assert!(!message.is_spent());
        assert_eq!(wait_for(&mut message, || assert_eq!(receiver.recv(), Ok(2))), Ok(()));
        assert!(message.is_spent() && message.into_inner().is_none());
        assert_eq!(sender.sending(9).into_inner(), Some(9));
        let mut message = sender.sending(4);
        assert_eq!(wait_for(&mut message, || drop(receiver)), Err(SendError(4)));
        assert!(message.is_spent());
        drop(message);

        let (sender, receiver) = unbounded::<u8>();
        assert_eq!(try_any((&receiver,)), None);
        assert_eq!(wait_for(&receiver, || drop(sender)), Err(RecvError));
        let (first, second) = (unbounded(), unbounded());
        second.0.send(5).unwrap();
        assert_eq!(wait_any(&[&first.1, &second.1]), (1, Ok(5)));
        // Messages, too, of as many channels as it happens to be.
        let [full, room] = [bounded(1), bounded(1)];
        full.0.send(6).unwrap();
        let mut messages = vec![full.0.sending(7), room.0.sending(8)];
        assert_eq!(wait_any(&mut messages), (1, Ok(())));
        assert_eq!(wait_any_for(&mut messages[..1], SHORT), None);
        messages.pop();
        let sleeper = Sleeper::new();
        thread::scope(|s| {
            s.spawn(|| {
                sleeper.until_asleep();
                assert_eq!(full.1.recv(), Ok(6));
            });
            sleeper.about_to_block();
            assert_eq!(wait_any(&mut messages), (0, Ok(())));
        });
        assert_eq!([full.1.recv(), room.1.recv()], [Ok(7), Ok(8)]);
        let mut messages = [full.0.sending(9)];
        drop(full.1);
        assert_eq!(wait_any(&mut messages), (0, Err(SendError(9))));
        let shown = format!("{:?}", first.0.sending(1));
        assert_eq!(shown, "Sending { is_spent: false, .. }");
    });
}

#[test]
fn spent_message_panics_and_names_the_call() {
    let (sender, receiver) = bounded(2);
    let mut message = sender.sending(1);
    assert_eq!(wait_any((&mut message,)), First1::First(Ok(())));
    super::assert_panics(
        "wait_any: the source at index 1 of the set cannot be waited for: its item has been put, or has been given \
         back, so there is none to put",
        || wait_any((&receiver, &mut message)),
    );
    assert_eq!(receiver.recv(), Ok(1));
}
