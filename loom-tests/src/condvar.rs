//! `lockwork::Condvar` with its mutex.

use lockwork::internals::condvar_has_waiters;
use lockwork::{Condvar, Mutex, MutexGuard};

use crate::models::support::{Arc, SOON, model, model_bounded, reach, thread};

const THREE: &str = "three threads";

type Pair = (Mutex<usize>, Condvar);

fn pair() -> Arc<Pair> {
    Arc::new((Mutex::new(0), Condvar::new()))
}

/// A change under the lock, then a notification with or without it: the waiter never misses both.
fn change_is_never_missed(notify_under_lock: bool) {
    model(&["waited", "did not wait", "waiter parks"], move || {
        let shared = pair();
        let other = Arc::clone(&shared);
        let waiter = thread::spawn(move || {
            let mut value = other.0.lock();
            if *value == 0 {
                reach("waited");
            } else {
                reach("did not wait");
            }
            while *value == 0 {
                other.1.wait(&mut value);
            }
            assert_eq!(*value, 1);
        });
        let mut value = shared.0.lock();
        *value = 1;
        if notify_under_lock {
            shared.1.notify_one();
            drop(value);
        } else {
            drop(value);
            shared.1.notify_one();
        }
        waiter.join().unwrap();
        assert!(!shared.0.is_locked());
    });
}

#[test]
fn change_notified_under_the_lock_is_never_missed() {
    change_is_never_missed(true);
}

#[test]
fn change_notified_after_unlocking_is_never_missed() {
    change_is_never_missed(false);
}

/// No return without a notification, whatever wakes the thread.
#[test]
fn wait_returns_only_when_notified() {
    model(&["notified"], || {
        let shared = pair();
        let other = Arc::clone(&shared);
        let waiter = thread::spawn(move || {
            let mut value = other.0.lock();
            if *value == 0 {
                other.1.wait(&mut value);
                assert_eq!(*value, 1, "returned before the notification");
                reach("notified");
            }
        });
        *shared.0.lock() = 1;
        shared.1.notify_all();
        waiter.join().unwrap();
    });
}

/// A notification and a time-out: the notifier was told of a waiter exactly if that waiter reports a
/// notification.
#[test]
fn timeout_and_notification_agree() {
    let states = [
        "notified",
        "timed out",
        "waiter leaves at its deadline",
        "waiter is woken at its deadline",
        "waiter parks",
    ];
    model(&states, || {
        let shared = pair();
        let other = Arc::clone(&shared);
        let waiter = thread::spawn(move || {
            let mut value = other.0.lock();
            let result = other.1.wait_for(&mut value, SOON);
            *value += 1;
            !result.timed_out()
        });
        let told = shared.1.notify_one();
        let notified = waiter.join().unwrap();
        assert_eq!(told, notified);
        assert_eq!(*shared.0.try_lock().expect("no thread holds it"), 1);
        reach(if notified { "notified" } else { "timed out" });
    });
}

/// Two waiters and two notifications, one of them timed: if it reports a time-out it has taken none of them.
#[test]
fn timed_out_waiter_takes_no_notification() {
    let states = ["timed out", "both notified", "waiter leaves at its deadline"];
    model_bounded(3, THREE, &states, || {
        let shared = pair();
        let other = Arc::clone(&shared);
        let timed = thread::spawn(move || {
            let mut value = other.0.lock();
            !other.1.wait_for(&mut value, SOON).timed_out()
        });
        let other = Arc::clone(&shared);
        let patient = thread::spawn(move || {
            let mut value = other.0.lock();
            while *value == 0 {
                other.1.wait(&mut value);
            }
        });
        *shared.0.lock() = 1;
        let told = shared.1.notify_many(2);
        let notified = timed.join().unwrap();
        patient.join().unwrap();
        assert!(told >= usize::from(notified));
        reach(if !notified {
            "timed out"
        } else if told == 2 {
            "both notified"
        } else {
            "one notified"
        });
    });
}

/// `notify_all` under the lock: both waiters are moved to the mutex and come out one after the other.
#[test]
fn notify_all_moves_all_waiters_to_the_mutex() {
    let states = ["two notified", "waiter parks"];
    model_bounded(3, THREE, &states, || {
        let shared = pair();
        let waiters = [(); 2].map(|()| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let mut value = shared.0.lock();
                while *value == 0 {
                    shared.1.wait(&mut value);
                }
                *value += 1;
            })
        });
        let mut value = shared.0.lock();
        *value = 1;
        if shared.1.notify_all() == 2 {
            reach("two notified");
        }
        drop(value);
        for waiter in waiters {
            waiter.join().unwrap();
        }
        assert_eq!(*shared.0.try_lock().expect("no thread holds it"), 3);
    });
}

/// `notify_all` without the lock, which is free: one waiter is woken, and its unlock wakes the other.
#[test]
fn notify_all_of_a_free_mutex_strands_no_waiter() {
    let states = ["two notified", "mutex free for those that are moved to it"];
    model_bounded(3, THREE, &states, || {
        let shared = pair();
        let waiters = [(); 2].map(|()| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let mut value = shared.0.lock();
                while *value == 0 {
                    shared.1.wait(&mut value);
                }
            })
        });
        *shared.0.lock() = 1;
        if shared.1.notify_all() == 2 {
            reach("two notified");
        }
        for waiter in waiters {
            waiter.join().unwrap();
        }
    });
}

/// A notified waiter that was moved to the mutex is handed the lock by a fair unlock: it has it and does not
/// lock again.
#[test]
fn fair_unlock_hands_over_to_a_notified_waiter() {
    let states = ["condvar waiter notified", "handed over", "did not wait", "waiter parks"];
    model(&states, || {
        let shared = pair();
        let other = Arc::clone(&shared);
        let waiter = thread::spawn(move || {
            let mut value = other.0.lock();
            if *value == 0 {
                other.1.wait(&mut value);
            } else {
                reach("did not wait");
            }
            *value += 1;
        });
        let mut value = shared.0.lock();
        *value += 1;
        let notified = shared.1.notify_one();
        MutexGuard::unlock_fair(value);
        if notified {
            match shared.0.try_lock() {
                Some(value) => assert_eq!(*value, 2, "the waiter had it first"),
                None => reach("handed over"),
            }
        }
        waiter.join().unwrap();
        assert!(!shared.0.is_locked());
    });
}

/// One condition variable, two mutexes: each waiter gets its own back.
#[test]
fn waiters_of_two_mutexes_each_get_their_own() {
    model_bounded(3, THREE, &["two notified"], || {
        let shared = Arc::new(([Mutex::new(0), Mutex::new(0)], Condvar::new()));
        let waiters = [0, 1].map(|which| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let mut value = shared.0[which].lock();
                while *value == 0 {
                    shared.1.wait(&mut value);
                }
                *value += 1;
            })
        });
        for mutex in &shared.0 {
            *mutex.lock() = 1;
        }
        if shared.1.notify_all() == 2 {
            reach("two notified");
        }
        for waiter in waiters {
            waiter.join().unwrap();
        }
        for mutex in &shared.0 {
            assert_eq!(*mutex.try_lock().expect("no thread holds it"), 2);
        }
    });
}

/// The same while one of the mutexes stays locked: that is nothing to the waiter of the other.
#[test]
fn waiter_of_another_mutex_does_not_wait_for_this_one() {
    model_bounded(3, THREE, &["two notified"], || {
        let shared = Arc::new(([Mutex::new(0), Mutex::new(0)], Condvar::new()));
        let [first, second] = [0, 1].map(|which| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let mut value = shared.0[which].lock();
                if *value == 0 {
                    shared.1.wait(&mut value);
                }
            })
        });
        let mut held = shared.0[0].lock();
        *held = 1;
        *shared.0[1].lock() = 1;
        if shared.1.notify_all() == 2 {
            reach("two notified");
        }
        second.join().unwrap();
        drop(held);
        first.join().unwrap();
    });
}

/// First in, first out: of two waiters the one that came first is notified, and it notifies the other.
#[test]
fn first_waiter_is_notified_first() {
    const OVER: usize = 9;
    model_bounded(3, THREE, &["in order"], || {
        let shared = pair();
        let waiters = [(); 2].map(|()| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let mut value = shared.0.lock();
                if *value == OVER {
                    return;
                }
                *value += 1;
                let place = *value;
                shared.1.wait(&mut value);
                if *value == OVER {
                    return;
                }
                assert_eq!(*value, place + 1, "the other came first");
                *value += 1;
                if place == 1 {
                    assert!(shared.1.notify_one());
                } else {
                    reach("in order");
                }
            })
        });
        let mut value = shared.0.lock();
        if *value == 2 {
            assert!(shared.1.notify_one());
        } else {
            *value = OVER;
            shared.1.notify_all();
        }
        drop(value);
        for waiter in waiters {
            waiter.join().unwrap();
        }
        assert!(!condvar_has_waiters(&shared.1));
    });
}

/// With no thread waiting a notification is not kept.
#[test]
fn notification_without_waiter_is_lost() {
    model(&["timed out"], || {
        let shared = pair();
        assert!(!shared.1.notify_one());
        let mut value = shared.0.lock();
        assert!(shared.1.wait_for(&mut value, SOON).timed_out());
        reach("timed out");
    });
}
