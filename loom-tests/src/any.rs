//! `wait_any`: one thread in several queues, and the claim.

use std::cmp::Ordering;
use std::panic::{self, AssertUnwindSafe};

use lockwork::internals::{event_has_waiters, semaphore_has_waiters};
use lockwork::{
    AutoResetEvent, BoundedBuffer, Event, First2, First3, Latch, PriorityBuffer, Semaphore, StackBuffer,
    try_any, wait_any, wait_any_for,
};

use crate::models::support::{Arc, Plain, SOON, lives, model, model_bounded, patient, reach, thread};

const THREE: &str = "three threads";
const LONG: &str = "a wait in two queues, with a time-out or a second turn";

/// Two signals of one thread, one of which is consumed, with what it carries. The other is kept.
#[test]
fn one_of_two_signals_is_consumed() {
    let states = ["first", "second", "waiter parks", "found ready while queueing", "claimed by another"];
    model(&states, || {
        let shared = Arc::new((AutoResetEvent::new(), AutoResetEvent::new(), Plain::new(0), Plain::new(0)));
        let other = Arc::clone(&shared);
        let setter = thread::spawn(move || {
            other.3.set(1);
            other.1.set();
            other.2.set(1);
            other.0.set();
        });
        let first = match wait_any((&shared.0, &shared.1)) {
            First2::First(()) => {
                assert_eq!(shared.2.get(), 1);
                reach("first");
                true
            }
            First2::Second(()) => {
                assert_eq!(shared.3.get(), 1);
                reach("second");
                false
            }
        };
        setter.join().unwrap();
        assert_eq!((shared.0.is_set(), shared.1.is_set()), (!first, first));
    });
}

/// Two things of one thread become ready one after the other: the first is taken, be it that the selecting
/// thread has looked there before. Whatever the second is, to look at it says what came before.
#[test]
fn what_became_ready_first_is_taken() {
    let handed = ["waiter parks", "notified before it was handed something"];
    let notified = ["waiter parks"];
    for (second, states) in [(0, &handed[..]), (1, &handed), (2, &notified)] {
        model_bounded(3, LONG, states, move || {
            let shared =
                Arc::new((BoundedBuffer::new(1), Event::new(), Semaphore::new(0), BoundedBuffer::new(1)));
            let other = Arc::clone(&shared);
            let worker = thread::spawn(move || {
                other.0.put(1).unwrap();
                match second {
                    0 => other.1.set(),
                    1 => other.2.add_permits(1),
                    _ => other.3.put(2).unwrap(),
                }
            });
            let first = match second {
                0 => wait_any((shared.0.getting(), &shared.1)).index(),
                1 => wait_any((shared.0.getting(), shared.2.acquiring())).index(),
                _ => wait_any((shared.0.getting(), shared.3.getting())).index(),
            };
            assert_eq!(first, 0, "second {second}");
            worker.join().unwrap();
        });
    }
}

/// A call that looks at one after the other, while they become ready: it finds the first, or none.
#[test]
fn later_source_is_not_taken_before_the_first() {
    model(&["a later one was ready first", "none"], || {
        let shared = Arc::new((BoundedBuffer::new(1), Event::new()));
        let other = Arc::clone(&shared);
        let worker = thread::spawn(move || {
            other.0.put(1).unwrap();
            other.1.set();
        });
        match try_any((shared.0.getting(), &shared.1)) {
            Some(First2::First(item)) => assert_eq!(item, Ok(1)),
            Some(First2::Second(())) => panic!("the item was there before"),
            None => reach("none"),
        }
        worker.join().unwrap();
    });
}

/// The same against a time-out: one is consumed, or both are kept.
#[test]
fn two_signals_against_a_time_out() {
    let states = [
        "first",
        "second",
        "timed out",
        "claimed at its deadline",
        "claims itself at its deadline",
        "claimed by another",
    ];
    model_bounded(3, LONG, &states, || {
        let shared = Arc::new((AutoResetEvent::new(), AutoResetEvent::new()));
        let other = Arc::clone(&shared);
        let setter = thread::spawn(move || {
            other.1.set();
            other.0.set();
        });
        let first = wait_any_for((&shared.0, &shared.1), SOON);
        setter.join().unwrap();
        let kept = (shared.0.is_set(), shared.1.is_set());
        match first {
            Some(First2::First(())) => {
                assert_eq!(kept, (false, true));
                reach("first");
            }
            Some(First2::Second(())) => {
                assert_eq!(kept, (true, false));
                reach("second");
            }
            None => {
                assert_eq!(kept, (true, true));
                reach("timed out");
            }
        }
    });
}

/// Two objects, one selecting thread, two wakers and a time-out.
#[test]
fn two_wakers_and_a_time_out() {
    let states = ["first", "second", "timed out", "claimed at its deadline", "claimed by another"];
    model_bounded(3, THREE, &states, || {
        let shared = Arc::new((AutoResetEvent::new(), Semaphore::new(0)));
        let signal = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.0.set())
        };
        let permit = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.1.add_permits(1))
        };
        let first = wait_any_for((&shared.0, shared.1.acquiring()), SOON);
        signal.join().unwrap();
        permit.join().unwrap();
        let kept = (shared.0.is_set(), shared.1.available_permits());
        match first {
            Some(First2::First(())) => {
                assert_eq!(kept, (false, 1));
                reach("first");
            }
            Some(First2::Second(permit)) => {
                assert_eq!(kept, (true, 0));
                drop(permit);
                reach("second");
            }
            None => {
                assert_eq!(kept, (true, 1));
                reach("timed out");
            }
        }
    });
}

/// A waker whose waiter is taken goes on to the next: the permit is not lost on a thread that took the event.
#[test]
fn permit_goes_on_to_the_next_that_waits() {
    model_bounded(3, THREE, &["event", "permit", "claimed by another"], || {
        let shared = Arc::new((Event::new(), Semaphore::new(0)));
        let selecting = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || match wait_any((shared.1.acquiring(), &shared.0)) {
                First2::First(permit) => {
                    reach("permit");
                    drop(permit);
                }
                First2::Second(()) => reach("event"),
            })
        };
        let plain = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || drop(shared.1.acquire()))
        };
        shared.0.set();
        shared.1.add_permits(1);
        selecting.join().unwrap();
        plain.join().unwrap();
        assert_eq!(shared.1.available_permits(), 1);
    });
}

/// A large request at the head keeps a smaller one waiting, and lets it go on when it leaves by its deadline.
#[test]
fn request_that_leaves_lets_the_next_go_on() {
    let states = ["timed out", "acquired", "claims itself at its deadline"];
    model_bounded(3, THREE, &states, || {
        let shared = Arc::new((Semaphore::new(2), AutoResetEvent::new()));
        let permit = shared.0.acquire();
        let selecting = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let first = wait_any_for((&shared.1, shared.0.acquiring_many(2)), SOON);
                reach(if first.is_some() { "acquired" } else { "timed out" });
            })
        };
        let plain = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || drop(shared.0.acquire()))
        };
        // No other thread can let it go on.
        plain.join().unwrap();
        drop(permit);
        selecting.join().unwrap();
        assert_eq!(shared.0.available_permits(), 2);
    });
}

/// An item against a time-out, with an event in the set that is never set: it is taken or it stays.
#[test]
fn item_is_taken_or_stays() {
    let states = ["taken", "stays", "selecting sleeper announced", "claimed at its deadline"];
    model_bounded(3, LONG, &states, || {
        let shared = Arc::new((BoundedBuffer::new(1), Event::new()));
        let other = Arc::clone(&shared);
        let putter = thread::spawn(move || other.0.put(5).unwrap());
        let first = wait_any_for((&shared.1, shared.0.getting()), SOON);
        putter.join().unwrap();
        match first {
            Some(First2::First(())) => panic!("it is never set"),
            Some(First2::Second(item)) => {
                assert_eq!(item, Ok(5));
                assert!(shared.0.is_empty());
                reach("taken");
            }
            None => {
                assert_eq!(shared.0.try_get(), Ok(5));
                reach("stays");
            }
        }
        assert!(!event_has_waiters(&shared.1));
    });
}

/// A thread that was notified of an item and beaten to it waits once more, for all of its set.
#[test]
fn beaten_thread_waits_for_everything_again() {
    let states = ["notified in vain", "item", "event"];
    model_bounded(3, LONG, &states, || {
        let shared = Arc::new((BoundedBuffer::new(1), Event::new()));
        let other = Arc::clone(&shared);
        let beating = thread::spawn(move || {
            other.0.put(5).unwrap();
            let beaten = other.0.try_get().is_ok();
            other.1.set();
            beaten
        });
        let first = wait_any((shared.0.getting(), &shared.1));
        let beaten = beating.join().unwrap();
        match first {
            First2::First(item) => {
                assert_eq!((item, beaten), (Ok(5), false));
                reach("item");
            }
            First2::Second(()) => {
                assert_eq!(shared.0.is_empty(), beaten);
                reach("event");
            }
        }
    });
}

/// A deadline that outlives the first wake-up: the beaten thread waits again before its time is up.
#[test]
fn beaten_thread_keeps_its_deadline() {
    let states = ["notified in vain", "signal", "timed out"];
    model_bounded(3, LONG, &states, || {
        lives(2);
        let shared = Arc::new((BoundedBuffer::new(1), AutoResetEvent::new()));
        let other = Arc::clone(&shared);
        let beating = thread::spawn(move || {
            other.0.put(5).unwrap();
            let _ = other.0.try_get();
            other.1.set();
        });
        let first = wait_any_for((shared.0.getting(), &shared.1), SOON);
        beating.join().unwrap();
        assert_eq!(shared.1.is_set(), !matches!(first, Some(First2::Second(()))));
        match first {
            Some(First2::First(item)) => assert_eq!(item, Ok(5)),
            Some(First2::Second(())) => reach("signal"),
            None => reach("timed out"),
        }
    });
}

/// A permit that comes while the thread tries for an item is its own if it tries in vain, and goes back if it
/// does not.
#[test]
fn permit_that_comes_while_it_tries_is_its_own_or_goes_back() {
    let states = ["beaten while it waits for a permit", "handed to a thread that tries", "given back"];
    model_bounded(3, LONG, &states, || {
        let shared = Arc::new((BoundedBuffer::new(1), Semaphore::new(0)));
        let other = Arc::clone(&shared);
        let beating = thread::spawn(move || {
            let waits = semaphore_has_waiters(&other.1);
            other.0.put(5).unwrap();
            let beaten = other.0.try_get().is_ok();
            other.1.add_permits(1);
            let stolen = other.1.try_acquire().is_some();
            if waits && beaten {
                reach("beaten while it waits for a permit");
                assert!(!stolen, "the permit is for the thread that waits");
            }
            beaten
        });
        let first = wait_any((shared.0.getting(), shared.1.acquiring()));
        let beaten = beating.join().unwrap();
        match first {
            First2::First(item) => assert_eq!((item, beaten), (Ok(5), false)),
            First2::Second(permit) => {
                assert_eq!(shared.0.is_empty(), beaten);
                assert_eq!(shared.1.available_permits(), 0);
                drop(permit);
            }
        }
        assert_eq!(shared.1.available_permits(), 1);
    });
}

/// The same with a time-out and a signal: it is consumed, or kept.
#[test]
fn signal_that_comes_while_it_tries_against_a_time_out() {
    let states = ["handed to a thread that tries", "given back", "signal", "item", "timed out"];
    model_bounded(3, LONG, &states, || {
        lives(2);
        let shared = Arc::new((BoundedBuffer::new(1), AutoResetEvent::new(), Plain::new(0)));
        let other = Arc::clone(&shared);
        let beating = thread::spawn(move || {
            other.0.put(5).unwrap();
            let _ = other.0.try_get();
            other.2.set(1);
            other.1.set();
        });
        let first = wait_any_for((shared.0.getting(), &shared.1), SOON);
        if matches!(first, Some(First2::Second(()))) {
            assert_eq!(shared.2.get(), 1);
        }
        beating.join().unwrap();
        assert_eq!(shared.1.is_set(), !matches!(first, Some(First2::Second(()))));
        shared.1.set();
        assert!(shared.1.is_set(), "no thread waits any more");
        reach(match first {
            Some(First2::First(_)) => "item",
            Some(First2::Second(())) => "signal",
            None => "timed out",
        });
    });
}

/// An event that is set and cleared at once while the thread tries in vain for an item ends its wait.
#[test]
fn pulse_ends_the_wait_of_a_thread_that_tries() {
    model_bounded(3, LONG, &["beaten while it waits for the event", "handed to a thread that tries"], || {
        let shared = Arc::new((BoundedBuffer::new(1), Event::new()));
        let other = Arc::clone(&shared);
        let beating = thread::spawn(move || {
            let waits = event_has_waiters(&other.1);
            other.0.put(5).unwrap();
            let beaten = other.0.try_get().is_ok();
            other.1.set();
            other.1.clear();
            if waits && beaten {
                reach("beaten while it waits for the event");
            } else {
                // It may have come too late for the pulse, or found the item.
                other.1.set();
            }
            beaten
        });
        let first = wait_any((shared.0.getting(), &shared.1));
        let beaten = beating.join().unwrap();
        assert!(first.index() == 1 || !beaten);
        assert!(!event_has_waiters(&shared.1));
    });
}

/// A notification that another object's claim makes of no use goes on to a plain getter.
#[test]
fn item_goes_on_to_a_plain_getter() {
    model_bounded(3, THREE, &["event", "item", "sleeper announced"], || {
        patient();
        let shared = Arc::new((BoundedBuffer::new(1), Event::new()));
        let selecting = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || match wait_any((shared.0.getting(), &shared.1)) {
                First2::First(item) => {
                    reach("item");
                    item.unwrap()
                }
                First2::Second(()) => {
                    reach("event");
                    0
                }
            })
        };
        let plain = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.1.set();
                shared.0.get().unwrap()
            })
        };
        shared.0.try_put(1).unwrap();
        let first = selecting.join().unwrap();
        if first != 0 {
            // The plain getter has one of its own to come.
            shared.0.try_put(2).unwrap();
        }
        assert_eq!(first + plain.join().unwrap(), if first == 0 { 1 } else { 3 });
        assert!(shared.0.is_empty());
    });
}

/// Room that is made while another source is ready: the item is put or comes back.
#[test]
fn item_is_put_or_comes_back() {
    model_bounded(3, LONG, &["put", "event", "selecting sleeper announced"], || {
        let shared = Arc::new((BoundedBuffer::new(1), Event::new()));
        shared.0.put(1).unwrap();
        let other = Arc::clone(&shared);
        let getter = thread::spawn(move || {
            other.1.set();
            other.0.get().unwrap()
        });
        let mut item = shared.0.putting(2);
        let first = wait_any((&mut item, &shared.1)).index();
        assert_eq!(getter.join().unwrap(), 1);
        assert_eq!(item.is_spent(), first == 0);
        assert_eq!(item.into_item(), (first == 1).then_some(2));
        assert_eq!(shared.0.len(), usize::from(first == 0));
        reach(if first == 0 { "put" } else { "event" });
    });
}

/// An item of a collection behind a lock against a time-out: it is taken or it stays.
#[test]
fn item_of_a_stack_is_taken_or_stays() {
    let states = ["taken", "stays", "selecting sleeper announced", "claimed at its deadline"];
    model_bounded(3, LONG, &states, || {
        let shared = Arc::new((StackBuffer::new(1), Event::new()));
        let other = Arc::clone(&shared);
        let putter = thread::spawn(move || other.0.put(5).unwrap());
        let first = wait_any_for((&shared.1, shared.0.getting()), SOON);
        putter.join().unwrap();
        match first {
            Some(First2::First(())) => panic!("it is never set"),
            Some(First2::Second(item)) => {
                assert_eq!(item, Ok(5));
                assert!(shared.0.is_empty());
                reach("taken");
            }
            None => {
                assert_eq!(shared.0.try_get(), Ok(5));
                reach("stays");
            }
        }
    });
}

/// Room in a stack that another thread is faster with: the beaten thread waits once more.
#[test]
fn thread_beaten_to_room_in_a_stack_waits_again() {
    let states = ["notified in vain", "put", "event"];
    model_bounded(3, LONG, &states, || {
        let shared = Arc::new((StackBuffer::new(1), Event::new()));
        shared.0.put(1).unwrap();
        let other = Arc::clone(&shared);
        let beating = thread::spawn(move || {
            assert!(other.0.get().is_ok());
            let _ = other.0.try_put(3);
            other.1.set();
        });
        let mut item = shared.0.putting(2);
        let first = wait_any((&mut item, &shared.1)).index();
        beating.join().unwrap();
        assert_eq!(item.is_spent(), first == 0);
        assert!(!shared.0.is_empty() || first == 1);
        reach(if first == 0 { "put" } else { "event" });
    });
}

/// An item whose comparisons panic if it says so.
#[derive(PartialEq, Eq)]
struct Fused(bool);

impl Ord for Fused {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.0 || other.0 {
            panic::resume_unwind(Box::new(()));
        }
        Ordering::Equal
    }
}

impl PartialOrd for Fused {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A panic of a comparison comes out of the call when the thread has left all queues.
#[test]
fn panicking_comparison_leaves_all_queues() {
    model_bounded(3, LONG, &["selecting sleeper announced", "panicked", "closed"], || {
        let shared = Arc::new((PriorityBuffer::new(2), Event::new()));
        shared.0.put(Fused(false)).unwrap();
        shared.0.put(Fused(false)).unwrap();
        let other = Arc::clone(&shared);
        let getter = thread::spawn(move || {
            assert!(other.0.get().is_ok());
            other.0.close();
        });
        let mut item = shared.0.putting(Fused(true));
        match panic::catch_unwind(AssertUnwindSafe(|| wait_any((&shared.1, &mut item)))) {
            Ok(First2::First(())) => panic!("it is never set"),
            Ok(First2::Second(put)) => {
                assert!(put.is_err());
                reach("closed");
            }
            Err(_) => reach("panicked"),
        }
        assert!(!event_has_waiters(&shared.1));
        getter.join().unwrap();
        assert_eq!(shared.0.close_now().len(), 1);
    });
}

/// Closing ends the wait of a thread that selects, and of one that does not.
#[test]
fn close_ends_the_wait() {
    model(&["closed", "sleeper woken by closing"], || {
        let shared = Arc::new((BoundedBuffer::<u8>::new(1), Event::new()));
        let other = Arc::clone(&shared);
        let closer = thread::spawn(move || other.0.close());
        let First2::Second(item) = wait_any((&shared.1, shared.0.getting())) else {
            panic!("it is never set")
        };
        assert!(item.is_err());
        reach("closed");
        closer.join().unwrap();
    });
}

/// An event that is set and cleared at once lets go who waits for it and another.
#[test]
fn pulse_lets_a_selecting_thread_go() {
    model_bounded(3, LONG, &["waits", "does not wait yet"], || {
        let shared = Arc::new((Event::new(), Latch::new(1)));
        let other = Arc::clone(&shared);
        let selecting = thread::spawn(move || wait_any((&other.1, &other.0)).index());
        let waits = event_has_waiters(&shared.0);
        shared.0.set();
        shared.0.clear();
        if waits {
            reach("waits");
            assert_eq!(selecting.join().unwrap(), 1);
        } else {
            reach("does not wait yet");
            shared.1.count_down();
            selecting.join().unwrap();
        }
        assert!(!event_has_waiters(&shared.0));
    });
}

/// The same object twice, with two wake-ups: one is spent.
#[test]
fn same_source_twice_is_spent_once() {
    model_bounded(3, LONG, &["claimed by another", "first"], || {
        let semaphore = Arc::new(Semaphore::new(0));
        let other = Arc::clone(&semaphore);
        let adder = thread::spawn(move || {
            other.add_permits(1);
            other.add_permits(1);
        });
        let first = wait_any((semaphore.acquiring(), semaphore.acquiring()));
        adder.join().unwrap();
        assert_eq!(semaphore.available_permits(), 1);
        match first {
            First2::First(permit) => {
                reach("first");
                drop(permit);
            }
            First2::Second(permit) => drop(permit),
        }
        assert_eq!(semaphore.available_permits(), 2);
    });
}

/// Two threads that select among the same two objects in opposite orders share two signals.
#[test]
fn two_selecting_threads_share_two_signals() {
    model_bounded(3, THREE, &["waiter parks"], || {
        let shared = Arc::new((AutoResetEvent::new(), AutoResetEvent::new()));
        let others = [false, true].map(|turned| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                if turned {
                    wait_any((&shared.1, &shared.0))
                } else {
                    wait_any((&shared.0, &shared.1))
                };
            })
        });
        shared.0.set();
        shared.1.set();
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(try_any((&shared.0, &shared.1)), None);
    });
}

/// A latch of which the last count has come and the event has not: the deadline does not pass for it.
#[test]
fn open_latch_is_found_at_the_deadline() {
    model(&["open", "timed out"], || {
        let latch = Arc::new(Latch::new(1));
        let other = Arc::clone(&latch);
        let counter = thread::spawn(move || other.count_down());
        match wait_any_for((&*latch, &Event::new()), SOON) {
            Some(First2::First(())) => {
                assert!(latch.is_open());
                reach("open");
            }
            Some(First2::Second(())) => unreachable!("no thread sets it"),
            None => reach("timed out"),
        }
        counter.join().unwrap();
    });
}

/// A set of one signal against a time-out: it is consumed, with what it carries, or kept.
#[test]
fn signal_alone_is_consumed_or_kept() {
    model(&["consumed", "kept", "waiter parks"], || {
        let shared = Arc::new((AutoResetEvent::new(), Plain::new(0)));
        let other = Arc::clone(&shared);
        let setter = thread::spawn(move || {
            other.1.set(1);
            other.0.set();
        });
        let consumed = wait_any_for((&shared.0,), SOON).is_some();
        if consumed {
            assert_eq!(shared.1.get(), 1);
        }
        setter.join().unwrap();
        assert_eq!(shared.0.try_wait(), !consumed);
        reach(if consumed { "consumed" } else { "kept" });
    });
}

/// A set of one latch, without a time limit.
#[test]
fn latch_alone_ends_the_wait() {
    model(&["waiter parks"], || {
        let shared = Arc::new((Latch::new(1), Plain::new(0)));
        let other = Arc::clone(&shared);
        let counter = thread::spawn(move || {
            other.1.set(1);
            other.0.count_down();
        });
        assert_eq!(wait_any(&[&shared.0]), (0, ()));
        assert_eq!(shared.1.get(), 1);
        counter.join().unwrap();
    });
}

/// Three sources of three kinds, and the object's end as soon as the call is over.
#[test]
fn objects_may_go_when_the_call_is_over() {
    model_bounded(3, LONG, &["claimed by another", "claimed before it has queued everywhere"], || {
        let shared = Arc::new((AutoResetEvent::new(), Event::new(), Semaphore::new(0)));
        let other = Arc::clone(&shared);
        let waker = thread::spawn(move || {
            other.2.add_permits(1);
            other.1.set();
        });
        match wait_any((&shared.0, &shared.1, shared.2.acquiring())) {
            First3::First(()) => panic!("it is never set"),
            First3::Second(()) => {}
            First3::Third(permit) => permit.forget(),
        }
        drop(shared);
        waker.join().unwrap();
    });
}
