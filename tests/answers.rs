//! The processor time of a thread that waits for another's answer.
#![cfg(all(unix, not(miri)))]

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{AutoResetEvent, Condvar, Event, Mutex, Semaphore};

use crate::support::{cases, watchdog};

fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// One signal, sent and awaited in turn.
trait Signal: Default + Sync {
    fn send(&self);
    fn receive(&self);
}

#[derive(Default)]
struct Notified {
    sent: Mutex<bool>,
    changed: Condvar,
}

impl Signal for Notified {
    fn send(&self) {
        *self.sent.lock() = true;
        self.changed.notify_one();
    }

    fn receive(&self) {
        let mut sent = self.sent.lock();
        self.changed.wait_while(&mut sent, |sent| !*sent);
        *sent = false;
    }
}

impl Signal for AutoResetEvent {
    fn send(&self) {
        self.set();
    }

    fn receive(&self) {
        self.wait();
    }
}

impl Signal for Event {
    fn send(&self) {
        self.set();
    }

    fn receive(&self) {
        self.wait();
        self.clear();
    }
}

struct Permit(Semaphore);

impl Default for Permit {
    fn default() -> Self {
        Self(Semaphore::new(0))
    }
}

impl Signal for Permit {
    fn send(&self) {
        self.0.add_permits(1);
    }

    fn receive(&self) {
        self.0.acquire().forget();
    }
}

/// What a wait costs that sleeps at once, or nearly.
#[derive(Default)]
struct Peer(parking_lot::Mutex<bool>, parking_lot::Condvar);

impl Signal for Peer {
    fn send(&self) {
        *self.0.lock() = true;
        self.1.notify_one();
    }

    fn receive(&self) {
        let mut sent = self.0.lock();
        self.1.wait_while(&mut sent, |sent| !*sent);
        *sent = false;
    }
}

/// The processor time that each of many waits takes, for answers that come after `work`.
fn wait_costs<S: Signal>(work: Duration) -> Duration {
    let (question, answer) = (S::default(), S::default());
    let over = AtomicBool::new(false);
    let rounds =
        u32::try_from(Duration::from_millis(100).as_micros() / work.as_micros()).unwrap().clamp(20, 200);
    thread::scope(|scope| {
        scope.spawn(|| {
            loop {
                question.receive();
                if over.load(Relaxed) {
                    return;
                }
                let start = Instant::now();
                while start.elapsed() < work {}
                answer.send();
            }
        });
        let before = thread_time();
        for _ in 0..rounds {
            question.send();
            answer.receive();
        }
        let spent = thread_time() - before;
        over.store(true, Relaxed);
        question.send();
        spent / rounds
    })
}

/// A wake-up takes 3 to 15 us of the woken thread's time, on an idle processor more, and on some machines
/// three times that; before waits learnt from how they ended, each of these took 50 to 150 us more.
fn awaiting_costs_little<S: Signal>(name: &'static str) {
    watchdog(move || {
        for (_, work) in cases([100, 1000, 10_000].map(|work| (name, Duration::from_micros(work)))) {
            // The least of three: what else the machine does makes a wait dearer, never cheaper.
            let spent = (0..3).map(|_| wait_costs::<S>(work)).min().unwrap();
            let limit = Duration::from_micros(if work.as_millis() < 10 { 40 } else { 70 });
            if spent < limit {
                continue;
            }
            // Where sleeping itself is dear, or much else runs: what a peer spends comes to it, twice because
            // the two are not measured at the same moment.
            let peer = (0..3).map(|_| wait_costs::<Peer>(work)).min().unwrap();
            assert!(
                spent < limit + 2 * peer,
                "{name}: a wait for an answer after {work:?} took {spent:?} of a processor, a peer's {peer:?}"
            );
        }
    });
}

#[test]
fn waiter_spins_only_for_answers_that_come_soon() {
    // One after the other: beside a busy thread a waiter yields less.
    awaiting_costs_little::<Notified>("Condvar");
    awaiting_costs_little::<AutoResetEvent>("AutoResetEvent");
    awaiting_costs_little::<Event>("Event");
    awaiting_costs_little::<Permit>("Semaphore");
}
