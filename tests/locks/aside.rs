//! What goes on beside a wait: allocations, the token of `std::thread::park`, the end of a thread.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use super::{Held, Lock, Take, assert_free, have, new, obstruct, take, visit, waiting_ways, ways};
use crate::support::{Sleeper, allocations_during, elsewhere, repeat};

const BRIEF: Duration = Duration::from_micros(50);

pub(super) fn waiting_never_allocates<L: Lock>() {
    if cfg!(feature = "diagnose") {
        // What a thread tells of its waits is allocated once.
        return;
    }
    for way in waiting_ways::<L>() {
        let (lock, sleeper) = (new::<L>(), Sleeper::new());
        thread::scope(|s| {
            let mut obstacle = obstruct::<L>(&lock);
            s.spawn(|| {
                // Whatever the thread's handle needs.
                assert!(L::take(&lock, Take::For(BRIEF), false).is_none());
                let allocations = allocations_during(|| {
                    assert!(L::take(&lock, Take::For(BRIEF), way.owned).is_none());
                });
                assert_eq!(allocations, 0, "a wait that gives up");
                sleeper.about_to_block();
                let allocations = allocations_during(|| assert!(take::<L>(&lock, way).is_some()));
                assert_eq!(allocations, 0);
            });
            sleeper.until_asleep();
            // Each way of handing over, or of waking the waiter.
            let allocations = allocations_during(|| match way.take {
                Take::Lock => drop(obstacle),
                Take::For(_) => obstacle.unlock_fair(),
                _ => {
                    obstacle.bump();
                    obstacle.unlocked(true, || ());
                }
            });
            assert_eq!(allocations, 0);
        });
        let allocations = allocations_during(|| {
            (0..40).for_each(|_| drop(have::<L>(&lock, way)));
            have::<L>(&lock, way).unlock_fair();
        });
        assert_eq!(allocations, 0, "without a wait");
    }
}

/// Whether the calling thread has its token. Takes it.
fn has_token() -> bool {
    const LONG: Duration = Duration::from_secs(20);
    let start = Instant::now();
    thread::park_timeout(LONG);
    start.elapsed() < LONG
}

/// The token belongs to the code that calls `park`: it comes before the wait, during it, or all the time.
pub(super) fn stray_tokens_end_no_wait_and_are_there_afterwards<L: Lock>() {
    for way in waiting_ways::<L>() {
        for round in repeat(3) {
            let (lock, sleeper, released) = (new::<L>(), Sleeper::new(), AtomicBool::new(false));
            thread::scope(|s| {
                let obstacle = obstruct::<L>(&lock);
                let waiter = s.spawn(|| {
                    if round % 3 == 0 {
                        thread::current().unpark();
                    }
                    sleeper.about_to_block();
                    let held = have::<L>(&lock, way);
                    assert!(released.load(Relaxed), "returned too early");
                    drop(held);
                    assert!(has_token());
                });
                sleeper.until_asleep();
                let tokens = [0, 1, 20][round % 3];
                for _ in 0..tokens {
                    waiter.thread().unpark();
                    thread::yield_now();
                }
                released.store(true, Relaxed);
                drop(obstacle);
            });
        }
    }
    for way in ways::<L, 2>([Take::For(Duration::from_millis(2)), Take::Until(Duration::from_millis(2))]) {
        let lock = new::<L>();
        let _obstacle = obstruct::<L>(&lock);
        elsewhere(|| {
            thread::current().unpark();
            let start = Instant::now();
            assert!(take::<L>(&lock, way).is_none());
            assert!(start.elapsed() >= Duration::from_millis(2), "the token has cut it short");
            assert!(has_token());
        });
    }
}

/// Runs a closure when its thread ends.
struct AtTheEnd(Option<Box<dyn FnOnce()>>);

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        if let Some(body) = self.0.take() {
            body();
        }
    }
}

thread_local! {
    static AT_THE_END: Cell<AtTheEnd> = const { Cell::new(AtTheEnd(None)) };
}

pub(super) fn lock_in_a_thread_local_destructor<L: Lock>() {
    for way in waiting_ways::<L>() {
        let (lock, sleeper, told) = (new::<L>(), Arc::new(Sleeper::new()), Arc::new(AtomicUsize::new(0)));
        let obstacle = obstruct::<L>(&lock);
        let thread = {
            let (lock, sleeper, told) = (Arc::clone(&lock), Arc::clone(&sleeper), Arc::clone(&told));
            let last = move || {
                // No assertions: nothing could catch their panic here.
                let timed_out = L::take(&lock, Take::For(BRIEF), way.owned).is_none();
                sleeper.about_to_block();
                let held = take::<L>(&lock, way);
                if let (true, Some(held)) = (timed_out, &held) {
                    visit::<L>(held);
                    told.store(1, Relaxed);
                }
            };
            thread::spawn(move || AT_THE_END.set(AtTheEnd(Some(Box::new(last)))))
        };
        sleeper.until_asleep();
        assert_eq!(obstacle.counter().get(), 0);
        drop(obstacle);
        thread.join().unwrap();
        assert_eq!(told.load(Relaxed), 1);
        assert_free::<L>(&lock);
    }
}
