//! `channel`: what `crossbeam_channel` promises of bounded and unbounded channels, and how the ends close
//! them.

use std::error::Error;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::channel::{
    Receiver, RecvError, RecvTimeoutError, SendError, SendTimeoutError, Sender, TryRecvError, TrySendError,
    bounded, unbounded,
};

use crate::support::{
    Drops, LIMIT, SHORT, Sleeper, allocations_during, cases, either, eventually, parties, repeat, rounds,
    watchdog,
};

/// Both sorts of channel, with room for some messages.
fn both<T>() -> [(Sender<T>, Receiver<T>); 2] {
    [bounded(8), unbounded()]
}

#[test]
fn messages_come_in_order_and_are_counted() {
    for (sender, receiver) in both() {
        assert!(sender.is_empty() && receiver.is_empty() && !sender.is_full() && !receiver.is_full());
        for n in 0..8 {
            assert_eq!((sender.len(), receiver.len()), (n, n));
            sender.send(n).unwrap();
        }
        assert_eq!(receiver.is_full(), receiver.capacity() == Some(8));
        assert_eq!(sender.is_full(), sender.capacity().is_some());
        for n in 0..8 {
            assert_eq!(receiver.recv(), Ok(n));
        }
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    }
    assert_eq!(bounded::<u8>(3).0.capacity(), Some(3));
    assert_eq!(bounded::<u8>(usize::MAX).1.capacity(), Some(usize::MAX), "as large as it is, it is a bound");
    assert_eq!(unbounded::<u8>().1.capacity(), None);
}

#[test]
fn capacity_of_zero_is_refused_with_what_to_use() {
    let payload = panic::catch_unwind(|| bounded::<u8>(0)).unwrap_err();
    let message = payload.downcast_ref::<&str>().expect("a message");
    assert!(message.starts_with("channel::bounded:") && message.contains("rendezvous"), "{message}");
}

#[test]
fn send_blocks_while_the_channel_is_full() {
    watchdog(|| {
        let (sender, receiver) = bounded(2);
        let sleeper = Sleeper::new();
        thread::scope(|s| {
            s.spawn(|| {
                sender.send(1).unwrap();
                sender.send(2).unwrap();
                sleeper.about_to_block();
                sender.send(3).unwrap();
            });
            sleeper.until_asleep();
            assert_eq!(receiver.len(), 2);
            assert_eq!([(); 3].map(|()| receiver.recv()), [Ok(1), Ok(2), Ok(3)]);
        });
    });
}

#[test]
fn recv_blocks_while_the_channel_is_empty() {
    watchdog(|| {
        for (sender, receiver) in both() {
            let sleeper = Sleeper::new();
            thread::scope(|s| {
                let waiting = s.spawn(|| {
                    sleeper.about_to_block();
                    receiver.recv()
                });
                sleeper.until_asleep();
                sender.send(7).unwrap();
                assert_eq!(waiting.join().unwrap(), Ok(7));
            });
        }
    });
}

#[test]
fn timed_calls_end_in_time_or_with_a_message() {
    watchdog(|| {
        let (sender, receiver) = bounded(1);
        let start = Instant::now();
        assert_eq!(receiver.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
        assert_eq!(receiver.recv_deadline(start), Err(RecvTimeoutError::Timeout));
        assert_eq!(receiver.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout));
        assert!(start.elapsed() >= SHORT);
        sender.send_timeout(1, Duration::ZERO).unwrap();
        assert_eq!(sender.send_timeout(2, Duration::ZERO), Err(SendTimeoutError::Timeout(2)));
        assert_eq!(sender.send_deadline(2, Instant::now()), Err(SendTimeoutError::Timeout(2)));
        let start = Instant::now();
        assert_eq!(sender.send_deadline(2, start + SHORT), Err(SendTimeoutError::Timeout(2)));
        assert!(start.elapsed() >= SHORT);
        thread::scope(|s| {
            let sends = s.spawn(|| sender.send_timeout(2, Duration::MAX));
            assert_eq!(receiver.recv_timeout(Duration::MAX), Ok(1));
            assert_eq!(receiver.recv_deadline(Instant::now() + LIMIT), Ok(2));
            sends.join().unwrap().unwrap();
        });
    });
}

#[test]
fn last_sender_disconnects_after_what_is_queued() {
    watchdog(|| {
        for (sender, receiver) in both() {
            let another = sender.clone();
            sender.send(1).unwrap();
            drop(sender);
            another.send(2).unwrap();
            assert_eq!(receiver.recv(), Ok(1));
            drop(another);
            assert_eq!(receiver.recv(), Ok(2));
            assert_eq!(receiver.recv(), Err(RecvError));
            assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
            assert_eq!(receiver.recv_timeout(LIMIT), Err(RecvTimeoutError::Disconnected));
            assert_eq!(receiver.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Disconnected));
            assert_eq!(receiver.recv_deadline(Instant::now()), Err(RecvTimeoutError::Disconnected));
            assert_eq!(receiver.iter().next(), None);
            assert_eq!(receiver.try_iter().next(), None);
            assert_eq!(receiver.into_iter().next(), None);
        }
    });
}

/// Disconnected is told before full.
#[test]
fn last_receiver_disconnects_at_once() {
    watchdog(|| {
        for capacity in cases([1, 8, usize::MAX]) {
            let (sender, receiver) = bounded(capacity);
            let another = receiver.clone();
            sender.send(1).unwrap();
            drop(receiver);
            assert_eq!(another.try_recv(), Ok(1));
            sender.send(1).unwrap();
            drop(another);
            assert_eq!(sender.send(2), Err(SendError(2)));
            assert_eq!(sender.try_send(2), Err(TrySendError::Disconnected(2)));
            assert_eq!(sender.send_timeout(2, LIMIT), Err(SendTimeoutError::Disconnected(2)));
            assert_eq!(sender.send_timeout(2, Duration::ZERO), Err(SendTimeoutError::Disconnected(2)));
            assert_eq!(sender.send_deadline(2, Instant::now()), Err(SendTimeoutError::Disconnected(2)));
            assert_eq!(sender.len(), 0, "what was queued has gone");
        }
    });
}

#[test]
fn end_of_the_other_side_wakes_those_that_block() {
    watchdog(|| {
        for parties in parties() {
            let (sender, receiver) = bounded::<usize>(1);
            let sleepers = Sleeper::several(parties);
            thread::scope(|s| {
                for sleeper in &sleepers {
                    let receiver = receiver.clone();
                    s.spawn(move || {
                        sleeper.about_to_block();
                        assert_eq!(receiver.recv(), Err(RecvError));
                    });
                }
                Sleeper::until_all_asleep(&sleepers);
                drop(sender);
            });
            let (sender, receiver) = bounded(1);
            sender.send(0).unwrap();
            let sleepers = Sleeper::several(parties);
            thread::scope(|s| {
                for (n, sleeper) in sleepers.iter().enumerate() {
                    let sender = sender.clone();
                    s.spawn(move || {
                        sleeper.about_to_block();
                        assert_eq!(sender.send(n), Err(SendError(n)));
                    });
                }
                Sleeper::until_all_asleep(&sleepers);
                drop(receiver);
            });
        }
    });
}

/// What is queued when the last receiver goes is dropped then, while senders are still there.
#[test]
fn queued_messages_are_dropped_once() {
    watchdog(|| {
        for sort in 0..2 {
            let drops = Drops::new();
            let (sender, receiver) = both().into_iter().nth(sort).unwrap();
            (0..5).for_each(|_| sender.send(drops.value()).unwrap());
            drop(receiver.recv());
            assert_eq!(drops.count(), 1);
            drop(receiver);
            assert_eq!(drops.count(), 5);
            drop(sender.send(drops.value()));
            assert_eq!(drops.count(), 6);
            drop(sender);
            // The other way round: the receiver outlives the senders and leaves something.
            let (sender, receiver) = both().into_iter().nth(sort).unwrap();
            (0..5).for_each(|_| sender.send(drops.value()).unwrap());
            drop(sender);
            drop(receiver.try_iter().take(2).collect::<Vec<_>>());
            assert_eq!(drops.count(), 8);
            drop(receiver);
            assert_eq!(drops.count(), 11);
        }
    });
}

/// The first panic of a destructor comes out, when all that is queued was dropped.
#[test]
fn panicking_destructors_leave_nothing_behind() {
    struct Panics<'a>(&'a AtomicUsize, bool);
    impl Drop for Panics<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Relaxed);
            assert!(!self.1, "dropped");
        }
    }
    for receiver_is_last in either("receiver is last") {
        let dropped = AtomicUsize::new(0);
        let (sender, receiver) = bounded(4);
        (0..3).for_each(|n| assert!(sender.send(Panics(&dropped, n < 2)).is_ok()));
        let sender = (!receiver_is_last).then_some(sender);
        let result = panic::catch_unwind(AssertUnwindSafe(|| drop(receiver)));
        assert_eq!(result.unwrap_err().downcast_ref(), Some(&"dropped"));
        if let Some(sender) = sender {
            assert_eq!((dropped.load(Relaxed), sender.len()), (3, 0));
        }
        assert_eq!(dropped.load(Relaxed), 3);
    }
}

/// A destructor is no place to run out of memory in.
#[test]
fn last_receiver_allocates_nothing_for_what_is_queued() {
    for (sender, receiver) in [bounded(1000), unbounded()] {
        (0..1000).for_each(|n| sender.send(n).unwrap());
        assert_eq!(allocations_during(|| drop(receiver)), 0);
        assert!(sender.is_empty());
    }
}

/// Messages whose destructors use the channel that drops them.
#[test]
fn message_may_own_a_half_of_its_channel() {
    watchdog(|| {
        struct Message(Option<Sender<Message>>, Option<Receiver<Message>>);
        impl Drop for Message {
            fn drop(&mut self) {
                drop(self.1.take());
                if let Some(sender) = &self.0 {
                    assert!(sender.send(Message(None, None)).is_err(), "no receiver is left");
                }
            }
        }
        let (sender, receiver) = bounded(4);
        sender.send(Message(Some(sender.clone()), None)).unwrap();
        drop(receiver);
        let (sender, receiver) = bounded(4);
        sender.send(Message(None, Some(receiver.clone()))).unwrap();
        drop(sender);
        drop(receiver.recv());
        assert!(receiver.recv().is_err());
    });
}

#[test]
fn many_to_many_delivers_each_message_once() {
    watchdog(|| {
        for parties in parties() {
            for capacity in cases([1, 3, usize::MAX]) {
                let (sender, receiver) = bounded(capacity);
                let times = rounds(500);
                let seen: Vec<AtomicUsize> = (0..parties * times).map(|_| AtomicUsize::new(0)).collect();
                thread::scope(|s| {
                    for id in 0..parties {
                        let (sender, receiver, seen) = (sender.clone(), receiver.clone(), &seen);
                        s.spawn(move || {
                            (0..times).for_each(|n| sender.send(id * times + n).unwrap());
                        });
                        s.spawn(move || {
                            for message in receiver {
                                seen[message].fetch_add(1, Relaxed);
                            }
                        });
                    }
                    drop(sender);
                });
                assert!(seen.iter().all(|count| count.load(Relaxed) == 1));
            }
        }
    });
}

#[test]
fn iterators_end_where_they_should() {
    watchdog(|| {
        let (sender, receiver) = unbounded();
        thread::scope(|s| {
            let sends = s.spawn(move || {
                (0..100).for_each(|n| sender.send(n).unwrap());
                sender
            });
            assert_eq!(receiver.iter().take(60).sum::<u32>(), 1770);
            let sender = sends.join().unwrap();
            assert_eq!(receiver.try_iter().count(), 40);
            assert_eq!(receiver.try_iter().next(), None, "would have to block");
            sender.send(1).unwrap();
            drop(sender);
        });
        let mut all = Vec::new();
        for message in &receiver {
            all.push(message);
        }
        assert_eq!(all, [1]);
        let mut iter = receiver.into_iter();
        assert_eq!([iter.next(), iter.next()], [None, None]);
    });
}

#[test]
fn same_channel_knows_its_own_clones() {
    let (sender, receiver) = unbounded::<u8>();
    let (other_sender, other_receiver) = unbounded::<u8>();
    assert!(sender.same_channel(&sender.clone()) && receiver.same_channel(&receiver.clone()));
    assert!(!sender.same_channel(&other_sender) && !receiver.same_channel(&other_receiver));
}

#[test]
fn errors_say_what_crossbeam_says_and_give_the_message_back() {
    const TIMEOUT: &str = r#""SendTimeoutError(..)""#;
    struct Opaque;
    fn shown(error: &dyn Error) -> (String, String) {
        (format!("{error}"), format!("{error:?}"))
    }
    let says = |error: &dyn Error, text: &str, debug: &str| {
        assert_eq!(shown(error), (text.to_owned(), debug.to_owned()));
    };
    says(&SendError(Opaque), "sending on a disconnected channel", r#""SendError(..)""#);
    says(&TrySendError::Full(Opaque), "sending on a full channel", r#""Full(..)""#);
    says(&TrySendError::Disconnected(Opaque), "sending on a disconnected channel", r#""Disconnected(..)""#);
    says(&SendTimeoutError::Timeout(Opaque), "timed out waiting on send operation", TIMEOUT);
    says(&SendTimeoutError::Disconnected(Opaque), "sending on a disconnected channel", TIMEOUT);
    says(&RecvError, "receiving on an empty and disconnected channel", "RecvError");
    says(&TryRecvError::Empty, "receiving on an empty channel", "Empty");
    says(&TryRecvError::Disconnected, "receiving on an empty and disconnected channel", "Disconnected");
    says(&RecvTimeoutError::Timeout, "timed out waiting on receive operation", "Timeout");
    says(&RecvTimeoutError::Disconnected, "channel is empty and disconnected", "Disconnected");

    assert_eq!(SendError(1).into_inner(), 1);
    assert_eq!([TrySendError::Full(1), SendError(2).into()].map(TrySendError::into_inner), [1, 2]);
    assert_eq!([SendTimeoutError::Timeout(1), SendError(2).into()].map(SendTimeoutError::into_inner), [1, 2]);
    assert!(TrySendError::Full(1).is_full() && !TrySendError::Full(1).is_disconnected());
    assert!(TrySendError::from(SendError(1)).is_disconnected());
    assert!(SendTimeoutError::Timeout(1).is_timeout() && !SendTimeoutError::Timeout(1).is_disconnected());
    assert!(SendTimeoutError::from(SendError(1)).is_disconnected());
    assert!(TryRecvError::Empty.is_empty() && TryRecvError::from(RecvError).is_disconnected());
    assert!(RecvTimeoutError::Timeout.is_timeout() && RecvTimeoutError::from(RecvError).is_disconnected());
    let (sender, receiver) = unbounded::<Opaque>();
    assert_eq!(format!("{sender:?} {receiver:?}"), "Sender { .. } Receiver { .. }");
    assert_eq!(
        format!("{:?} {:?} {:?}", receiver.iter(), receiver.try_iter(), receiver.clone().into_iter()),
        "Iter { .. } TryIter { .. } IntoIter { .. }"
    );
}

/// A thread that panics drops its halves like any other.
#[test]
fn panicking_owner_disconnects() {
    watchdog(|| {
        let (sender, receiver) = bounded::<u8>(1);
        let owner = thread::spawn(move || {
            let _sender = sender;
            panic::resume_unwind(Box::new(()));
        });
        assert_eq!(receiver.recv(), Err(RecvError));
        assert!(owner.join().is_err());
        let (sender, receiver) = bounded(1);
        let result = panic::catch_unwind(AssertUnwindSafe(|| {
            let _receiver = receiver;
            panic::resume_unwind(Box::new(()));
        }));
        assert!(result.is_err());
        assert_eq!(sender.send(1), Err(SendError(1)));
    });
}

/// Ends that go while others send and receive: a message is received, comes back, or is dropped.
#[test]
fn ends_may_go_at_any_moment() {
    watchdog(|| {
        for round in repeat(300) {
            let drops = Drops::new();
            let (sender, receiver) = bounded(1 + round % 3);
            let made = AtomicUsize::new(0);
            thread::scope(|s| {
                for _ in 0..2 {
                    let (sender, drops, made) = (sender.clone(), &drops, &made);
                    s.spawn(move || {
                        for _ in 0..20 {
                            made.fetch_add(1, Relaxed);
                            if sender.send(drops.value()).is_err() {
                                break;
                            }
                        }
                    });
                }
                for _ in 0..2 {
                    let receiver = receiver.clone();
                    s.spawn(move || receiver.iter().take(round % 17).for_each(drop));
                }
                drop((sender, receiver));
            });
            eventually(|| drops.count() == made.load(Relaxed));
        }
    });
}
