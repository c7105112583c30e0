//! A set of one.

use std::thread;
use std::time::{Duration, Instant};

use lockwork::{
    AnySource, AutoResetEvent, BoundedBuffer, Event, First1, Latch, Semaphore, StopSource, wait_any,
    wait_any_fair, wait_any_for, wait_any_until,
};

use crate::support::{SHORT, Sleeper, shown, watchdog};

/// Waits for the source and nothing else; `fire` runs when it sleeps.
fn wait_for<S: AnySource + Send>(source: S, fire: impl FnOnce() + Send) -> S::Output {
    let sleeper = Sleeper::new();
    thread::scope(|s| {
        s.spawn(|| {
            sleeper.until_asleep();
            fire();
        });
        sleeper.about_to_block();
        let First1::First(output) = wait_any((source,));
        output
    })
}

#[test]
fn each_kind_ends_a_wait_for_it_alone() {
    watchdog(|| {
        let (event, latch, auto, stop) =
            (Event::new(), Latch::new(1), AutoResetEvent::new(), StopSource::new());
        let token = stop.token();
        wait_for(&event, || {
            event.set();
            event.clear();
        });
        assert!(!event.is_set());
        wait_for(&latch, || latch.count_down());
        wait_for(&auto, || auto.set());
        assert!(!auto.is_set());
        wait_for(&token, || assert!(stop.stop()));
        let semaphore = shown(Semaphore::new(1));
        let permit = wait_for(semaphore.acquiring_many(3), || semaphore.add_permits(2));
        assert_eq!((permit.num_permits(), semaphore.available_permits()), (3, 0));
        drop(permit);
        assert_eq!(wait_any_fair(&[semaphore.acquiring_many(3)]).1.num_permits(), 3);
        assert_eq!(semaphore.available_permits(), 3);
        let buffer = shown(BoundedBuffer::new(1));
        assert_eq!(wait_for(buffer.getting(), || buffer.put(5).unwrap()), Ok(5));
    });
}

#[test]
fn time_out_of_a_wait_for_one_leaves_nothing() {
    watchdog(|| {
        let (event, latch, auto, semaphore) =
            (Event::new(), Latch::new(1), AutoResetEvent::new(), Semaphore::bounded(1));
        let permit = semaphore.acquire();
        for timeout in [Duration::ZERO, SHORT] {
            let start = Instant::now();
            assert!(wait_any_for((&event,), timeout).is_none());
            assert!(wait_any_for(&[&latch], timeout).is_none());
            assert!(wait_any_until((&auto,), start + 3 * timeout).is_none());
            assert!(wait_any_until((semaphore.acquiring(),), start + 4 * timeout).is_none());
            assert!(
                wait_any_for((semaphore.acquiring_many(2),), timeout).is_none(),
                "there is never a second"
            );
            assert!(start.elapsed() >= 5 * timeout);
        }
        // What comes now stays.
        event.set();
        auto.set();
        drop(permit);
        assert!(event.is_set() && auto.is_set());
        assert_eq!(semaphore.available_permits(), 1);
        // What is ready is taken although the time is over.
        assert!(wait_any_for((&event,), Duration::ZERO).is_some());
        assert!(wait_any_for((&auto,), Duration::ZERO).is_some());
        assert!(wait_any_until((semaphore.acquiring(),), Instant::now()).is_some());
        assert!(wait_any_for((&auto,), Duration::ZERO).is_none());
    });
}
