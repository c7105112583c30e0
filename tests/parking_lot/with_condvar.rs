//! Every method of `parking_lot`'s condition variable, in terms of `locks`.

use std::thread;
use std::time::{Duration, Instant};

use super::locks::{Condvar, Mutex, WaitTimeoutResult};
use crate::support::watchdog;

const SOON: Duration = Duration::from_millis(1);

#[test]
fn condvar_has_every_method() {
    static CONST: Condvar = Condvar::new();
    assert!(!CONST.notify_one());
    assert_eq!(Condvar::default().notify_all(), 0);
    assert_eq!(format!("{CONST:?}"), "Condvar { .. }");
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let mut guard = mutex.lock();
    let result: WaitTimeoutResult = condvar.wait_for(&mut guard, SOON);
    assert!(result.timed_out());
    assert!(condvar.wait_until(&mut guard, Instant::now() + SOON).timed_out());
    assert!(condvar.wait_while_for(&mut guard, |value| *value == 0, SOON).timed_out());
    assert!(condvar.wait_while_until(&mut guard, |value| *value == 0, Instant::now() + SOON).timed_out());
    condvar.wait_while(&mut guard, |value| *value == 1);
}

#[test]
fn condvar_wakes_by_every_wait() {
    watchdog(|| {
        let (mutex, condvar) = (Mutex::new((0, false)), Condvar::new());
        thread::scope(|s| {
            s.spawn(|| {
                let mut guard = mutex.lock();
                guard.0 += 1;
                condvar.wait(&mut guard);
            });
            s.spawn(|| {
                let mut guard = mutex.lock();
                guard.0 += 1;
                condvar.wait_while(&mut guard, |value| !value.1);
            });
            s.spawn(|| {
                let mut guard = mutex.lock();
                guard.0 += 1;
                assert!(!condvar.wait_for(&mut guard, Duration::from_secs(60)).timed_out());
            });
            crate::support::eventually(|| mutex.lock().0 == 3);
            mutex.lock().1 = true;
            assert_eq!(condvar.notify_all(), 3);
        });
    });
}
