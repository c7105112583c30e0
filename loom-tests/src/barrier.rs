//! `lockwork::Barrier`.
#![allow(clippy::disallowed_types, reason = "the counter of an action's runs is outside the model")]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use lockwork::Barrier;

use crate::models::support::{Arc, Duration, Plain, SOON, model, model_bounded, reach, thread};

const THREE: &str = "three threads";

/// A barrier, and something for each member to write before it arrives.
struct Meeting {
    barrier: Barrier,
    written: [Plain; 3],
}

fn meeting(barrier: Barrier) -> Arc<Meeting> {
    Arc::new(Meeting { barrier, written: [(); 3].map(|()| Plain::new(0)) })
}

impl Meeting {
    /// Member `who` of `n` writes, waits and reads what the others have written.
    fn attend(&self, who: usize, n: usize) -> lockwork::BarrierWaitResult {
        self.written[who].set(1);
        let result = self.barrier.wait_result().expect("no thread breaks it");
        for written in &self.written[..n] {
            assert_eq!(written.get(), 1);
        }
        assert_eq!(result.is_leader(), result.index() == n - 1);
        result
    }
}

/// Two meet: each sees what the other did before, whether it looks in time, sleeps or comes last.
#[test]
fn members_see_what_others_did() {
    let states = ["barrier member released in flight", "barrier releases a sleeper", "waiter parks"];
    model(&states, || {
        let meeting = meeting(Barrier::new(2));
        let other = Arc::clone(&meeting);
        let thread = thread::spawn(move || other.attend(1, 2).index());
        let mine = meeting.attend(0, 2).index();
        assert_eq!(mine + thread.join().unwrap(), 1, "one comes first and one last");
        assert_eq!(meeting.barrier.waiting(), 0);
    });
}

/// Three meet, of whom one sleeps while the other is still in flight.
#[test]
fn three_meet() {
    let states = ["barrier member released in flight", "barrier releases a sleeper", "waiter parks"];
    model_bounded(3, THREE, &states, || {
        let meeting = meeting(Barrier::new(3));
        let threads = [1, 2].map(|who| {
            let meeting = Arc::clone(&meeting);
            thread::spawn(move || meeting.attend(who, 3).index())
        });
        let mine = meeting.attend(0, 3).index();
        let mut indexes = vec![mine];
        indexes.extend(threads.map(|thread| thread.join().unwrap()));
        indexes.sort_unstable();
        assert_eq!(indexes, [0, 1, 2]);
    });
}

/// Two rounds: no thread is a round ahead of the other by more than the one that is being filled.
#[test]
fn rounds_follow_one_another() {
    model_bounded(4, "two rounds", &["waiter parks", "barrier member released in flight"], || {
        let shared = Arc::new((Barrier::new(2), Plain::new(0), Plain::new(0)));
        let other = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            other.0.wait();
            assert_eq!(other.1.get(), 1);
            other.2.set(2);
            other.0.wait();
        });
        shared.1.set(1);
        shared.0.wait();
        shared.0.wait();
        assert_eq!(shared.2.get(), 2);
        shared.1.set(3);
        thread.join().unwrap();
    });
}

/// The last arrival against a time-out, in both orders: it is both or none.
#[test]
fn timeout_and_last_arrival_agree() {
    let states = ["both", "none", "waiter leaves at its deadline", "waiter is woken at its deadline"];
    model_bounded(4, "two timed waits", &states, || {
        let meeting = meeting(Barrier::new(2));
        let other = Arc::clone(&meeting);
        let timed = thread::spawn(move || {
            other.written[1].set(1);
            let met = other.barrier.wait_for(SOON).is_ok();
            if met {
                assert_eq!(other.written[0].get(), 1);
            }
            met
        });
        meeting.written[0].set(1);
        let met = meeting.barrier.wait_for(SOON).is_ok();
        if met {
            assert_eq!(meeting.written[1].get(), 1);
        }
        assert_eq!(timed.join().unwrap(), met);
        assert_eq!(meeting.barrier.waiting(), 0);
        assert!(!meeting.barrier.is_broken());
        reach(if met { "both" } else { "none" });
    });
}

/// A time-out of no length, in flight, against a member that is about to go to sleep.
#[test]
fn timeout_in_flight_breaks_the_round_for_the_other() {
    model_bounded(4, "two timed waits", &["both", "none", "waiter parks"], || {
        let shared = Arc::new((Barrier::new(2), Plain::new(0)));
        let other = Arc::clone(&shared);
        let thread = thread::spawn(move || other.0.wait_for(SOON).is_ok());
        let met = shared.0.wait_for(Duration::ZERO).is_ok();
        assert_eq!(thread.join().unwrap(), met);
        assert_eq!(shared.0.waiting(), 0);
        reach(if met { "both" } else { "none" });
    });
}

/// Two members of a broken round, of whom one may sleep while the other is in flight: both learn of it, and
/// the count comes out at 0, or no round could ever follow.
#[test]
fn all_members_leave_a_broken_round() {
    model_bounded(3, THREE, &["waiter parks", "waiter woken before it parks"], || {
        let shared = Arc::new((Barrier::new(3), Plain::new(0)));
        let threads = [(); 2].map(|()| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                assert!(shared.0.wait_result().is_err());
                assert_eq!(shared.1.get(), 1);
            })
        });
        shared.1.set(1);
        shared.0.abort();
        for thread in threads {
            thread.join().unwrap();
        }
        shared.0.reset();
        // Of three parties: it breaks its own round only if that is a new one.
        assert!(shared.0.wait_for(Duration::ZERO).is_err());
        assert!(!shared.0.is_broken());
    });
}

/// Whatever follows a round's end, from its other member: the one that was released gets its result.
fn released_member_keeps_its_result(then: fn(&Barrier)) {
    let states = ["waiter parks", "barrier member released in flight", "barrier releases a sleeper"];
    model_bounded(4, "several calls", &states, move || {
        let meeting = meeting(Barrier::new(2));
        let other = Arc::clone(&meeting);
        let thread = thread::spawn(move || {
            other.attend(1, 2);
        });
        meeting.attend(0, 2);
        then(&meeting.barrier);
        thread.join().unwrap();
    });
}

#[test]
fn abort_does_not_reach_who_was_released() {
    released_member_keeps_its_result(|barrier| {
        barrier.abort();
        assert!(barrier.wait_result().is_err());
    });
}

#[test]
fn reset_does_not_reach_who_was_released() {
    released_member_keeps_its_result(|barrier| {
        barrier.reset();
        barrier.abort();
        barrier.reset();
        assert!(!barrier.is_broken());
    });
}

#[test]
fn timeout_does_not_reach_who_was_released() {
    released_member_keeps_its_result(|barrier| {
        assert!(barrier.wait_for(Duration::ZERO).is_err());
        assert!(barrier.wait_for(SOON).is_err());
    });
}

/// `abort` breaks the round wherever its member is, and tells it what was before.
#[test]
fn abort_releases_and_publishes() {
    model(&["waiter parks", "waiter woken before it parks"], || {
        let shared = Arc::new((Barrier::new(2), Plain::new(0)));
        let other = Arc::clone(&shared);
        let waiter = thread::spawn(move || {
            assert!(other.0.wait_result().is_err());
            assert_eq!(other.1.get(), 1);
        });
        shared.1.set(1);
        shared.0.abort();
        assert!(shared.0.is_broken());
        waiter.join().unwrap();
        assert_eq!(shared.0.waiting(), 0);
    });
}

/// A thread that sees it broken without waiting knows, too.
#[test]
fn is_broken_publishes() {
    model(&["seen"], || {
        let shared = Arc::new((Barrier::new(2), Plain::new(0)));
        let other = Arc::clone(&shared);
        let aborter = thread::spawn(move || {
            other.1.set(1);
            other.0.abort();
        });
        if shared.0.is_broken() {
            assert_eq!(shared.1.get(), 1);
            reach("seen");
        }
        aborter.join().unwrap();
    });
}

/// `reset` with a member inside breaks its round, and the next begins only when it has left: or that one
/// would take the next round's end for its own.
#[test]
fn reset_breaks_the_round_and_the_next_can_begin() {
    let states = ["broken", "met at once", "barrier thread waits to enter", "waiter parks"];
    model_bounded(4, "three waits", &states, || {
        let shared = Arc::new((Barrier::new(2), Plain::new(0)));
        let other = Arc::clone(&shared);
        let waiter = thread::spawn(move || {
            if other.0.wait_result().is_err() {
                assert_eq!(other.1.get(), 1);
                reach("broken");
                other.0.wait();
            } else {
                reach("met at once");
            }
        });
        shared.1.set(1);
        shared.0.reset();
        shared.0.wait();
        waiter.join().unwrap();
        assert_eq!(shared.0.waiting(), 0);
    });
}

/// The same for `abort` and then `reset`.
#[test]
fn abort_and_reset_leave_a_usable_barrier() {
    let states = ["broken", "met at once", "barrier thread waits to enter"];
    model_bounded(4, "three waits", &states, || {
        let shared = Arc::new((Barrier::new(2), Plain::new(0)));
        let other = Arc::clone(&shared);
        let waiter = thread::spawn(move || {
            let mut broken = false;
            while other.0.wait_result().is_err() {
                broken = true;
                // Until the reset every wait fails: asking again before tells nothing new.
                while other.0.is_broken() {
                    thread::yield_now();
                }
            }
            reach(if broken { "broken" } else { "met at once" });
        });
        shared.0.abort();
        shared.0.reset();
        shared.0.wait();
        waiter.join().unwrap();
        assert!(!shared.0.is_broken());
    });
}

/// Abort against the last arrival: the round trips for both or for none.
#[test]
fn abort_and_last_arrival_agree() {
    model_bounded(3, THREE, &["met", "broken"], || {
        let barrier = Arc::new(Barrier::new(2));
        let members = [(); 2].map(|()| {
            let barrier = Arc::clone(&barrier);
            thread::spawn(move || barrier.wait_result().is_ok())
        });
        barrier.abort();
        let met = members.map(|member| member.join().unwrap());
        assert_eq!(met[0], met[1]);
        reach(if met[0] { "met" } else { "broken" });
        assert!(barrier.wait_result().is_err());
    });
}

/// A member that sleeps in a round that has tripped, and whose waker is not there yet, is woken by an abort
/// of the next round. It sees what the action did all the same.
#[test]
fn abort_of_the_next_round_carries_the_last() {
    let states = ["met", "barrier member woken by who breaks the next round"];
    model_bounded(3, "four threads", &states, || {
        let log = Arc::new(Plain::new(0));
        let written = Arc::clone(&log);
        let barrier = Arc::new(Barrier::with_action(2, move || written.set(1)));
        let members = [(); 3].map(|()| {
            let (barrier, log) = (Arc::clone(&barrier), Arc::clone(&log));
            thread::spawn(move || {
                let met = barrier.wait_result().is_ok();
                if met {
                    assert_eq!(log.get(), 1);
                    reach("met");
                }
                usize::from(met)
            })
        });
        barrier.abort();
        let met: usize = members.into_iter().map(|member| member.join().unwrap()).sum();
        assert!(met == 0 || met == 2, "{met} of 2");
    });
}

/// The action sees what all members did, and all members see what it did.
#[test]
fn action_stands_between_arrivals_and_releases() {
    let states = ["waiter parks", "barrier member released in flight", "barrier releases a sleeper"];
    model(&states, || {
        let plain = Arc::new((Plain::new(0), Plain::new(0), Plain::new(0)));
        let seen = Arc::clone(&plain);
        let barrier = Arc::new(Barrier::with_action(2, move || seen.2.set(seen.0.get() + seen.1.get())));
        let other = (Arc::clone(&plain), Arc::clone(&barrier));
        let member = thread::spawn(move || {
            other.0.1.set(2);
            other.1.wait();
            assert_eq!(other.0.2.get(), 3);
        });
        plain.0.set(1);
        barrier.wait();
        assert_eq!(plain.2.get(), 3);
        member.join().unwrap();
    });
}

/// A time-out against an action: a round in which all have arrived succeeds for all, and both learn what the
/// action did, wherever the member is when its deadline passes. One in which not all have arrived breaks for
/// all.
#[test]
fn timeout_during_the_action_breaks_nothing() {
    let states = [
        "both",
        "none",
        "barrier deadline passes during the action",
        "barrier releases a sleeper",
        "waiter leaves at its deadline",
    ];
    for limit in [SOON, Duration::ZERO] {
        let states = if limit == SOON { &states[..] } else { &states[..4] };
        model_bounded(4, "two timed waits", states, move || {
            let plain = Arc::new((Plain::new(0), Plain::new(0), Plain::new(0)));
            let seen = Arc::clone(&plain);
            let barrier = Arc::new(Barrier::with_action(2, move || {
                seen.2.set(seen.0.get() + seen.1.get());
                // In here the other member may run until it sleeps.
                thread::yield_now();
            }));
            let attend = move |barrier: &Barrier, plain: &(Plain, Plain, Plain)| {
                let met = barrier.wait_for(limit).is_ok();
                if met {
                    assert_eq!(plain.2.get(), 3);
                }
                met
            };
            let other = (Arc::clone(&plain), Arc::clone(&barrier));
            let member = thread::spawn(move || {
                other.0.1.set(2);
                attend(&other.1, &other.0)
            });
            plain.0.set(1);
            let met = attend(&barrier, &plain);
            assert_eq!(member.join().unwrap(), met, "a round is a success for all or for none");
            assert_eq!(plain.2.get() == 3, met, "a round whose action has run is a success");
            // All have left: a member that was not counted off would make this the last arrival of a complete
            // round.
            assert_eq!(barrier.waiting(), 0);
            reach(if met { "both" } else { "none" });
        });
    }
}

/// A member whose deadline has passed in a complete round is a member still: an abort reaches it, and the
/// next round begins when it has left.
#[test]
fn abort_reaches_a_member_whose_deadline_passed_during_the_action() {
    let states =
        ["met", "broken", "barrier deadline passes during the action", "barrier broken during the action"];
    model_bounded(3, THREE, &states, || {
        let barrier = Arc::new(Barrier::with_action(2, || {}));
        let members = [(); 2].map(|()| {
            let barrier = Arc::clone(&barrier);
            thread::spawn(move || barrier.wait_for(Duration::ZERO).is_ok())
        });
        barrier.abort();
        let met = members.map(|member| member.join().unwrap());
        assert_eq!(met[0], met[1]);
        reach(if met[0] { "met" } else { "broken" });
        barrier.reset();
        assert!(barrier.wait_for(Duration::ZERO).is_err(), "alone in a new round");
        assert_eq!(barrier.waiting(), 0);
    });
}

/// More threads than parties: one that comes while an action runs waits until it is done, and is then let in.
#[test]
fn action_is_alone() {
    model(&["barrier thread waits to enter", "waiter parks"], || {
        let runs = Arc::new(Plain::new(0));
        let counted = Arc::clone(&runs);
        let barrier = Arc::new(Barrier::with_action(1, move || counted.set(counted.get() + 1)));
        let other = Arc::clone(&barrier);
        let thread = thread::spawn(move || assert!(other.wait().is_leader()));
        assert!(barrier.wait().is_leader());
        thread.join().unwrap();
        assert_eq!(runs.get(), 2);
    });
}

/// Entering is timed: a thread that gives up has run no action, and has broken nothing.
#[test]
fn entering_can_time_out() {
    let states = ["entered", "gave up", "waiter leaves at its deadline", "waiter is woken at its deadline"];
    model(&states, || {
        let runs = Arc::new(Plain::new(0));
        let counted = Arc::clone(&runs);
        let barrier = Arc::new(Barrier::with_action(1, move || counted.set(counted.get() + 1)));
        let other = Arc::clone(&barrier);
        let thread = thread::spawn(move || other.wait_for(SOON).is_ok());
        assert!(barrier.wait_result().is_ok());
        let entered = thread.join().unwrap();
        assert_eq!(runs.get(), 1 + usize::from(entered));
        reach(if entered { "entered" } else { "gave up" });
    });
}

/// A thread that waits to enter a barrier that is aborted is told so.
#[test]
fn abort_reaches_who_waits_to_enter() {
    model(&["barrier thread waits to enter", "barrier broken during the action", "waiter parks"], || {
        let barrier = Arc::new_cyclic(|weak: &std::sync::Weak<Barrier>| {
            let weak = weak.clone();
            Barrier::with_action(1, move || weak.upgrade().expect("it runs our action").abort())
        });
        let other = Arc::clone(&barrier);
        let thread = thread::spawn(move || assert!(other.wait_result().is_err()));
        assert!(barrier.wait_result().is_err());
        thread.join().unwrap();
        assert!(barrier.is_broken());
    });
}

/// An action that panics breaks the round for the other and goes on in its own thread. The next round is a
/// good one.
#[test]
fn panic_of_the_action_breaks_the_round() {
    struct Fault;
    let states = ["panicked here", "panicked there", "waiter parks"];
    model_bounded(4, "two rounds", &states, || {
        let runs = AtomicUsize::new(0);
        let barrier = Arc::new(Barrier::with_action(2, move || {
            if runs.fetch_add(1, Relaxed) == 0 {
                // Without a message: there are many interleavings.
                resume_unwind(Box::new(Fault));
            }
        }));
        let attend = |barrier: &Barrier| {
            let first = catch_unwind(AssertUnwindSafe(|| barrier.wait_result()));
            let panicked = match first {
                Ok(first) => {
                    assert!(first.is_err(), "the round is broken");
                    false
                }
                Err(payload) => {
                    assert!(payload.is::<Fault>());
                    true
                }
            };
            assert!(barrier.wait_result().is_ok(), "the next is not");
            panicked
        };
        let other = Arc::clone(&barrier);
        let thread = thread::spawn(move || attend(&other));
        let here = attend(&barrier);
        assert_ne!(thread.join().unwrap(), here);
        reach(if here { "panicked here" } else { "panicked there" });
    });
}

/// An action may break its own round; the other member does not wait for its end, but the next round does.
#[test]
fn action_can_reset_its_own_round() {
    let states = ["barrier broken during the action", "waiter parks", "barrier thread waits to enter"];
    model_bounded(3, "two rounds", &states, || {
        let runs = Arc::new(Plain::new(0));
        let barrier = Arc::new_cyclic(|weak: &std::sync::Weak<Barrier>| {
            let (weak, runs) = (weak.clone(), Arc::clone(&runs));
            Barrier::with_action(2, move || {
                runs.set(runs.get() + 1);
                if runs.get() == 1 {
                    weak.upgrade().expect("it runs our action").reset();
                }
                runs.set(runs.get() + 1);
            })
        });
        let other = Arc::clone(&barrier);
        let thread = thread::spawn(move || {
            assert!(other.wait_result().is_err());
            assert!(other.wait_result().is_ok());
        });
        assert!(barrier.wait_result().is_err());
        assert!(barrier.wait_result().is_ok());
        thread.join().unwrap();
        assert_eq!(runs.get(), 4);
    });
}

#[test]
#[should_panic(expected = "deadlock")]
fn deadlock_is_a_panic_although_members_leave_by_it() {
    model(&[], || {
        Barrier::new(2).wait();
    });
}

/// A last arrival, or a deadline, that finds the queue locked leaves the sleepers to the thread that has it:
/// be it the member that goes to sleep, it learns how its round ended.
#[test]
fn sleepers_are_left_to_the_queue_locks_holder() {
    let states = ["barrier sleepers left to the holder of the queue lock", "tripped", "broken"];
    model_bounded(3, THREE, &states, || {
        let barrier = Arc::new(Barrier::new(2));
        let other = Arc::clone(&barrier);
        let member = thread::spawn(move || other.wait_result().is_ok());
        let other = Arc::clone(&barrier);
        let aborting = thread::spawn(move || other.abort());
        let tripped = barrier.wait_result().is_ok();
        assert_eq!(member.join().unwrap(), tripped, "one end for both");
        aborting.join().unwrap();
        assert!(barrier.is_broken());
        reach(if tripped { "tripped" } else { "broken" });
    });
}

/// A thread that comes, or whose time is up, between the last arrival and the trip takes the round for the
/// tripped one that it is: of one party no wait fails, be it of no length, whatever is reset meanwhile.
#[test]
fn nothing_breaks_a_round_of_one() {
    let states =
        ["barrier visited while no thread may arrive", "barrier tripped for the last to arrive", "reset"];
    model(&states, || {
        let barrier = Arc::new(Barrier::new(1));
        let other = Arc::clone(&barrier);
        let thread = thread::spawn(move || {
            assert!(other.wait_for(Duration::ZERO).is_ok());
            assert!(other.wait_result().is_ok());
        });
        assert!(barrier.wait_for(Duration::ZERO).is_ok());
        barrier.reset();
        assert_eq!(barrier.waiting(), 0, "the last to arrive has tripped");
        thread.join().unwrap();
        reach("reset");
    });
}

/// The same of an abort: it breaks no round in which all have arrived.
#[test]
fn abort_breaks_no_round_in_which_all_have_arrived() {
    let states = ["barrier tripped for the last to arrive", "before", "after"];
    model(&states, || {
        let barrier = Arc::new(Barrier::new(1));
        let other = Arc::clone(&barrier);
        let thread = thread::spawn(move || other.wait_result().is_ok());
        barrier.abort();
        assert!(barrier.wait_for(Duration::ZERO).is_err());
        reach(if thread.join().unwrap() { "before" } else { "after" });
        barrier.reset();
        assert!(barrier.wait_for(Duration::ZERO).is_ok());
    });
}

/// More threads than parties: one that comes between the last arrival and the trip is the first of the next
/// round, and takes nothing from the last.
#[test]
fn third_thread_comes_before_the_trip() {
    let states = ["barrier tripped for the last to arrive", "met", "broken", "with the third"];
    model_bounded(3, THREE, &states, || {
        let barrier = Arc::new(Barrier::new(2));
        let members = [(); 2].map(|()| {
            let barrier = Arc::clone(&barrier);
            thread::spawn(move || barrier.wait_result().is_ok())
        });
        let third = barrier.wait_for(Duration::ZERO).is_ok();
        // One may be left that no other will come for.
        barrier.abort();
        match (members.map(|member| member.join().unwrap()), third) {
            ([true, true], false) => reach("met"),
            ([false, false], false) => reach("broken"),
            ([true, false] | [false, true], true) => reach("with the third"),
            (members, third) => panic!("{members:?} of the members have met, and {third} of the third"),
        }
    });
}

/// A third thread, which has nothing from the members but the count, trips the round for the last of them:
/// each member still sees what the other did.
#[test]
fn members_see_each_other_by_way_of_a_helper() {
    let states = ["barrier tripped for the last to arrive", "barrier member released in flight"];
    model_bounded(3, THREE, &states, || {
        let meeting = meeting(Barrier::new(2));
        let members = [0, 1].map(|who| {
            let meeting = Arc::clone(&meeting);
            thread::spawn(move || {
                meeting.written[who].set(1);
                if meeting.barrier.wait_result().is_ok() {
                    assert_eq!(meeting.written[1 - who].get(), 1);
                }
            })
        });
        meeting.barrier.reset();
        // One may be left that no other will come for.
        meeting.barrier.abort();
        for member in members {
            member.join().unwrap();
        }
    });
}

/// A visitor of a broken round stays on its count until it has left: if it is the last, the round ends then.
#[test]
fn visitor_can_be_the_last_of_a_broken_round() {
    let states = ["barrier visitor ends a broken round", "barrier thread waits to enter", "waiter parks"];
    model_bounded(4, "two rounds with an action", &states, || {
        let barrier = Arc::new_cyclic(|weak: &std::sync::Weak<Barrier>| {
            let (weak, runs) = (weak.clone(), AtomicUsize::new(0));
            Barrier::with_action(1, move || {
                if runs.fetch_add(1, Relaxed) == 0 {
                    weak.upgrade().expect("it runs our action").reset();
                }
            })
        });
        let other = Arc::clone(&barrier);
        let thread = thread::spawn(move || other.wait_result().is_ok());
        assert_ne!(barrier.wait_result().is_ok(), thread.join().unwrap(), "the first run breaks its round");
        assert_eq!(barrier.waiting(), 0);
    });
}

/// That no thread may arrive can be told late: a thread that is told so looks, and arrives if it may.
#[test]
fn late_word_of_a_broken_round_keeps_no_thread_out() {
    model(&["met", "broken"], || {
        lockwork::internals::set_looks(true);
        let barrier = Arc::new(Barrier::new(2));
        let other = Arc::clone(&barrier);
        let member = thread::spawn(move || other.wait_for(Duration::ZERO).is_ok());
        barrier.reset();
        let met = barrier.wait_for(Duration::ZERO).is_ok();
        assert_eq!(member.join().unwrap(), met);
        reach(if met { "met" } else { "broken" });
    });
}
