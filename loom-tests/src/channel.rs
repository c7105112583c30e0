//! `lockwork::channel`. That a half counts its clones is `std`'s `Arc`, which loom does not watch; what a
//! half does when it is the last is modelled here.

use lockwork::channel::{RecvError, RecvTimeoutError, bounded};

use crate::models::support::{Arc, Plain, SOON, model_bounded, reach, thread};

const OVER_A_BUFFER: &str = "two threads, over all that a buffer consists of";

/// The last sender goes while a receiver waits: it has the message, then the end.
#[test]
fn end_of_the_senders_comes_after_their_messages() {
    model_bounded(3, OVER_A_BUFFER, &["waiter parks"], || {
        let (sender, receiver) = bounded(1);
        let plain = Arc::new(Plain::new(0));
        let other = Arc::clone(&plain);
        let sends = thread::spawn(move || {
            other.set(1);
            sender.send(7).unwrap();
        });
        assert_eq!(receiver.recv(), Ok(7));
        assert_eq!(plain.get(), 1);
        assert_eq!(receiver.recv(), Err(RecvError));
        sends.join().unwrap();
    });
}

/// The last receiver goes while a sender waits or is about to: the message was received, comes back, or is
/// dropped with the channel.
#[test]
fn end_of_the_receivers_gives_the_message_back() {
    model_bounded(3, OVER_A_BUFFER, &["waiter parks", "came back", "dropped with the channel"], || {
        let (sender, receiver) = bounded(1);
        let message = Arc::new(());
        sender.send(Arc::clone(&message)).unwrap();
        let receives = thread::spawn(move || {
            assert!(receiver.recv().is_ok());
            drop(receiver);
        });
        match sender.send(Arc::clone(&message)) {
            Ok(()) => reach("dropped with the channel"),
            Err(error) => {
                assert!(Arc::ptr_eq(&error.into_inner(), &message));
                reach("came back");
            }
        }
        receives.join().unwrap();
        assert_eq!(Arc::strong_count(&message), 1);
    });
}

/// A time-out against the end of the senders.
#[test]
fn timed_receive_times_out_or_is_told_of_the_end() {
    model_bounded(3, OVER_A_BUFFER, &["time-out", "end"], || {
        let (sender, receiver) = bounded::<u8>(1);
        let sends = thread::spawn(move || drop(sender));
        match receiver.recv_timeout(SOON) {
            Err(RecvTimeoutError::Timeout) => reach("time-out"),
            Err(RecvTimeoutError::Disconnected) => reach("end"),
            Ok(_) => unreachable!("nothing was sent"),
        }
        sends.join().unwrap();
        assert_eq!(receiver.recv(), Err(RecvError));
    });
}
