//! What panics, and that it does nothing else.

use std::time::{Duration, Instant};

use lockwork::{
    AutoResetEvent, BoundedBuffer, Event, First2, First3, Putting, Semaphore, try_any, wait_any,
    wait_any_fair, wait_any_for, wait_any_until,
};

use super::assert_panics;
use crate::support::{SHORT, watchdog};

#[test]
fn empty_slice_panics_without_a_time_limit_and_waits_with_one() {
    let none: [&Event; 0] = [];
    assert_panics("wait_any: the set is empty", || wait_any(&none));
    assert_panics("wait_any: the set is empty", || wait_any(none.as_slice()));
    assert_panics("wait_any: the set is empty", || wait_any(&Vec::<&Event>::new()));
    assert_panics("wait_any: the set is empty", || wait_any(&mut [][..] as &mut [Putting<'_, u8>]));
    assert_panics("wait_any_fair: the set is empty", || wait_any_fair(&none));
    assert_eq!(try_any(&none), None);
    assert_eq!(wait_any_for(&none, Duration::ZERO), None);
    let start = Instant::now();
    assert_eq!(wait_any_for(&none, SHORT), None);
    assert_eq!(wait_any_until(&none, start + 2 * SHORT), None);
    assert!(start.elapsed() >= 2 * SHORT);
}

#[test]
fn spent_item_panics_in_every_form_and_nothing_is_spent() {
    let message = |call: &str, index: usize| {
        format!(
            "{call}: the source at index {index} of the set cannot be waited for: its item has been put, or has been \
             given back, so there is none to put"
        )
    };
    let (buffer, auto) = (BoundedBuffer::new(3), AutoResetEvent::new());
    let mut spent = buffer.putting(1);
    assert!(wait_any((&mut spent,)).index() == 0);
    auto.set();
    assert_panics(&message("wait_any", 1), || wait_any((&auto, &mut spent)));
    assert_panics(&message("wait_any_fair", 1), || wait_any_fair((&auto, &mut spent)));
    assert_panics(&message("wait_any_for", 1), || wait_any_for((&auto, &mut spent), Duration::ZERO));
    assert_panics(&message("wait_any_until", 1), || wait_any_until((&auto, &mut spent), Instant::now()));
    assert_panics(&message("try_any", 1), || try_any((&auto, &mut spent)));
    let mut items = [buffer.putting(2), spent];
    assert_panics(&message("wait_any", 1), || wait_any(&mut items));
    assert!(auto.is_set());
    assert_eq!(buffer.len(), 1);
    assert!(!items[0].is_spent());
}

#[test]
fn more_permits_than_there_can_be_are_refused_when_they_would_be_waited_for() {
    watchdog(|| {
        let (semaphore, event) = (Semaphore::bounded(2), Event::new());
        let message = "wait_any: the source at index 1 of the set cannot be waited for: it wants 3 permits, and there are \
                       never more than 2";
        assert_panics(message, || wait_any((&event, semaphore.acquiring_many(3))));
        assert_panics(&message.replace("wait_any", "wait_any_for"), || {
            wait_any_for((&event, semaphore.acquiring_many(3)), Duration::MAX)
        });
        assert!(wait_any_for((&event, semaphore.acquiring_many(3)), SHORT).is_none());
        let First3::Third(permit) =
            wait_any((&event, semaphore.acquiring_many(3), semaphore.acquiring_many(2)))
        else {
            panic!("there are two permits");
        };
        drop(permit);
        event.set();
        assert!(matches!(wait_any((semaphore.acquiring_many(3), &event)), First2::Second(())));
        assert_eq!(semaphore.available_permits(), 2);
    });
}
