//! A planted hang for each primitive and mode is reported with the right place and names.

use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::Duration;

use lockwork::diagnose::{Report, Stall, snapshot};
use lockwork::{
    AutoResetEvent, Barrier, BoundedBuffer, Condvar, Event, Latch, LazyLock, Mutex, Once, OnceLock,
    PriorityBuffer, RawMutex, RawRwLock, ReentrantMutex, RwLock, RwLockUpgradableReadGuard, Semaphore,
    StackBuffer, StopSource, WaitGroup, lock_all, lock_api, poison, wait_any, wait_any_for,
};

use crate::support::{eventually, watchdog};
use crate::{find, session, spawn, state_of, until_asleep};

/// Longer than any test.
const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const SOON: Duration = Duration::from_millis(20);

/// Has a thread run `wait`, which blocks until `release` was called, and returns the report about it.
pub(crate) fn stall(name: &'static str, wait: impl FnOnce() + Send, release: impl FnOnce()) -> Stall {
    let (_session, reports) = session(Some(SOON), |_| ());
    thread::scope(|s| {
        let thread = spawn(s, name, wait);
        let stall = find(&reports, |report| match report {
            Report::Stall(stall) if stall.thread.name.as_deref() == Some(name) => Some(stall),
            _ => None,
        });
        release();
        thread.join().unwrap();
        stall
    })
}

/// The report is about this call of the caller's file, about an object of this name.
#[track_caller]
pub(crate) fn check(stall: &Stall, call: &str, name: Option<&str>) {
    let text = stall.to_string();
    assert_eq!(stall.wait.call(), call, "{text}");
    assert_eq!(stall.wait.name, name, "{text}");
    assert_eq!(stall.wait.place.file(), Location::caller().file(), "{text}");
    assert!(stall.age >= SOON, "{text}");
    assert!(text.contains("has waited") && text.contains(&format!("in `{call}` at")), "{text}");
}

macro_rules! locks {
    ($($test:ident: $lock:expr, $name:expr, |$held:ident| $hold:expr, |$waited:ident| $wait:expr, $call:literal, $by:literal;)+) => { $(
        #[test]
        fn $test() {
            watchdog(|| {
                // A session runs before the lock is locked.
                let (_session, _reports) = session(None, |_| ());
                let lock = Arc::new($lock);
                let (locked, go) = (Event::new(), Event::new());
                thread::scope(|s| {
                    let holder = concat!(stringify!($test), " holder");
                    spawn(s, holder, || {
                        let $held = &lock;
                        let guard = $hold;
                        locked.set();
                        go.wait();
                        drop(guard);
                    });
                    locked.wait();
                    let $waited = &lock;
                    let found = stall(concat!(stringify!($test), " waiter"), || drop($wait), || _ = go.set());
                    check(&found, $call, $name);
                    let by = found.holders.first().unwrap_or_else(|| panic!("no holder: {found}"));
                    assert_eq!(by.thread.name.as_deref(), Some(holder), "{found}");
                    assert_eq!(by.hold.mode.name(), $by, "{found}");
                    assert!(by.hold.place.file().ends_with("stalls.rs"), "{found}");
                    // Both stand in one row of the table.
                    assert_eq!(by.hold.place.line(), found.wait.place.line(), "{found}");
                    assert!(by.thread.waits.as_ref().is_some_and(|wait| wait.call() == "Event::wait"), "{found}");
                    assert!(found.to_string().contains("held for"), "{found}");
                    let is_stalled = found.to_string().starts_with("stalled: ");
                    assert_eq!(is_stalled, $by == "acquire", "any thread may give permits: {found}");
                });
            });
        }
    )+ };
}

locks! {
    mutex_is_reported: Mutex::named("a mutex", 0), Some("a mutex"), |l| l.lock(), |l| l.lock(), "Mutex::lock", "lock";
    mutex_without_name_is_reported: Mutex::new(0), None, |l| l.lock(), |l| l.lock(), "Mutex::lock", "lock";
    timed_mutex_is_reported: Mutex::named("timed", 0), Some("timed"), |l| l.lock(), |l| l.try_lock_for(MINUTE), "Mutex::lock", "lock";
    arc_mutex_is_reported: Mutex::named("shared", 0), Some("shared"), |l| l.lock_arc(), |l| l.lock_arc(), "Mutex::lock", "lock";
    reentrant_mutex_is_reported: ReentrantMutex::named("reentrant", 0), Some("reentrant"), |l| l.lock(), |l| l.lock(), "ReentrantMutex::lock", "lock";
    reader_behind_writer_is_reported: RwLock::named("r/w", 0), Some("r/w"), |l| l.write(), |l| l.read(), "RwLock::read", "write";
    recursive_reader_is_reported: RwLock::named("r/r", 0), Some("r/r"), |l| l.write(), |l| l.read_recursive(), "RwLock::read_recursive", "write";
    timed_reader_is_reported: RwLock::named("t r/w", 0), Some("t r/w"), |l| l.write(), |l| l.try_read_for(MINUTE), "RwLock::read", "write";
    timed_writer_is_reported: RwLock::named("t w/r", 0), Some("t w/r"), |l| l.read(), |l| l.try_write_for(MINUTE), "RwLock::write", "read";
    timed_upgradable_is_reported: RwLock::named("t u/w", 0), Some("t u/w"), |l| l.write(), |l| l.try_upgradable_read_for(MINUTE), "RwLock::upgradable_read", "write";
    timed_reentrant_mutex_is_reported: ReentrantMutex::named("t re", 0), Some("t re"), |l| l.lock(), |l| l.try_lock_for(MINUTE), "ReentrantMutex::lock", "lock";
    timed_permit_is_reported: Semaphore::named("t permit", 1), Some("t permit"), |l| l.acquire(), |l| l.try_acquire_for(MINUTE), "Semaphore::acquire", "acquire";
    upgradable_behind_writer_is_reported: RwLock::named("u/w", 0), Some("u/w"), |l| l.write(), |l| l.upgradable_read(), "RwLock::upgradable_read", "write";
    writer_behind_upgradable_is_reported: RwLock::named("w/u", 0), Some("w/u"), |l| l.upgradable_read(), |l| l.write(), "RwLock::write", "upgradable_read";
    arc_permit_is_reported: Semaphore::named("arc permit", 1), Some("arc permit"), |l| l.acquire_arc(), |l| l.acquire_arc(), "Semaphore::acquire", "acquire";
    arc_reentrant_mutex_is_reported: ReentrantMutex::named("arc re", 0), Some("arc re"), |l| l.lock_arc(), |l| l.lock_arc(), "ReentrantMutex::lock", "lock";
    set_of_locks_is_reported: [Mutex::named("of a set", 0), Mutex::named("also of it", 0)], Some("of a set"), |l| l[0].lock(), |l| lock_all((&l[1], &l[0])), "Mutex::lock", "lock";
    upgradable_reader_is_reported: RwLock::named("u/u", 0), Some("u/u"), |l| l.upgradable_read(), |l| l.upgradable_read(), "RwLock::upgradable_read", "upgradable_read";
    writer_behind_reader_is_reported: RwLock::named("w/r", 0), Some("w/r"), |l| l.read(), |l| l.write(), "RwLock::write", "read";
    writer_behind_writer_is_reported: RwLock::named("w/w", 0), Some("w/w"), |l| l.write_arc(), |l| l.write_arc(), "RwLock::write", "write";
    upgrade_behind_reader_is_reported: RwLock::named("up/r", 0), Some("up/r"), |l| l.read(), |l| RwLockUpgradableReadGuard::upgrade(l.upgradable_read()), "RwLockUpgradableReadGuard::upgrade", "read";
    timed_upgrade_is_reported: RwLock::named("t up/r", 0), Some("t up/r"), |l| l.read(), |l| l.upgradable_read().try_upgrade_for(MINUTE), "RwLockUpgradableReadGuard::upgrade", "read";
    upgrade_for_a_while_is_reported: RwLock::named("w up/r", 0), Some("w up/r"), |l| l.read(), |l| l.upgradable_read().with_upgraded(|n| n.to_string()), "RwLockUpgradableReadGuard::upgrade", "read";
    timed_upgrade_for_a_while_is_reported: RwLock::named("t w up/r", 0), Some("t w up/r"), |l| l.read(), |l| l.upgradable_read().try_with_upgraded_for(MINUTE, |n| n.to_string()), "RwLockUpgradableReadGuard::upgrade", "read";
    poison_mutex_is_reported: poison::Mutex::named("std's", 0), Some("std's"), |l| l.lock().unwrap(), |l| l.lock().unwrap(), "Mutex::lock", "lock";
    poison_set_is_reported: [poison::Mutex::named("of std's set", 0), poison::Mutex::named("also std's", 0)], Some("of std's set"), |l| l[0].lock().unwrap(), |l| lock_all((&l[1], &l[0])), "Mutex::lock", "lock";
    poison_rwlock_is_reported: poison::RwLock::named("std's rw", 0), Some("std's rw"), |l| l.write().unwrap(), |l| l.read().unwrap(), "RwLock::read", "write";
    poison_writer_is_reported: poison::RwLock::named("std's w", 0), Some("std's w"), |l| l.read().unwrap(), |l| l.write().unwrap(), "RwLock::write", "read";
    permits_are_reported: Semaphore::named("permits", 3), Some("permits"), |l| l.acquire_many(2), |l| l.acquire_many(3), "Semaphore::acquire", "acquire";
}

#[test]
fn permits_say_how_many() {
    watchdog(|| {
        let (_session, _reports) = session(None, |_| ());
        let semaphore = Semaphore::named("pool of three", 3);
        let mut permits = semaphore.acquire_many(3);
        let one = permits.split(1);
        let found = stall("wants two", || drop(semaphore.acquire_many(2)), || drop((permits, one)));
        assert_eq!(found.wait.count, 2);
        let mut held: Vec<u32> = found.holders.iter().map(|holder| holder.hold.permits).collect();
        held.sort_unstable();
        assert_eq!(held, [1, 2]);
        assert!(found.to_string().starts_with("stalled: "), "{found}");
    });
}

/// Also where another thread has locked it.
#[test]
fn upgrade_does_not_wait_for_its_own_guard() {
    watchdog(|| {
        let (_session, _reports) = session(None, |_| ());
        let lock = Arc::new(RwLock::named("upgraded elsewhere", 0));
        let (locked, go) = (Event::new(), Event::new());
        let (give, take) = std::sync::mpsc::channel();
        thread::scope(|s| {
            spawn(s, "upgradable and gone on", || {
                give.send(lock.upgradable_read_arc()).unwrap();
                locked.set();
                go.wait();
            });
            locked.wait();
            let reader = lock.read();
            let guard = take.recv().unwrap();
            let found = stall(
                "upgrades what came from elsewhere",
                || drop(lockwork::ArcRwLockUpgradableReadGuard::upgrade(guard)),
                || drop(reader),
            );
            go.set();
            let held_by: Vec<_> = found.holders.iter().map(|holder| holder.hold.mode.name()).collect();
            assert_eq!(held_by, ["read"], "{found}");
        });
    });
}

#[test]
fn condvar_is_reported_and_holds_nothing_meanwhile() {
    watchdog(|| {
        let (mutex, condvar) = (Mutex::named("state", false), Condvar::named("changed"));
        let found = stall(
            "condvar waiter",
            || condvar.wait_while(&mut mutex.lock(), |ready| !*ready),
            || {
                *mutex.lock() = true;
                condvar.notify_one();
            },
        );
        check(&found, "Condvar::wait", Some("changed"));
        assert!(found.to_string().starts_with("stalled: thread \"condvar waiter\" has waited"), "{found}");
        assert!(found.thread.holds.is_empty(), "{found}");
    });
}

/// A wait is as old as its call, however often its thread was woken in vain.
#[test]
fn wait_that_is_woken_in_vain_is_reported() {
    watchdog(|| {
        let (mutex, condvar) = (Mutex::named("woken", false), Condvar::named("in vain"));
        let over = Event::new();
        thread::scope(|s| {
            s.spawn(|| {
                while !over.wait_for(SOON / 10) {
                    condvar.notify_all();
                }
            });
            let found = stall(
                "woken in vain",
                || condvar.wait_while(&mut mutex.lock(), |ready| !*ready),
                || {
                    *mutex.lock() = true;
                    condvar.notify_all();
                },
            );
            over.set();
            check(&found, "Condvar::wait", Some("in vain"));
        });
    });
}

/// A writer that waits for readers which are not counted looks for itself now and then: one wait all the
/// same, which does not end by itself.
#[test]
fn writer_that_looks_for_readers_is_reported() {
    watchdog(|| {
        let (_session, _reports) = session(None, |_| ());
        let lock = RwLock::named("often read", 0);
        (0..100).for_each(|_| drop(lock.read()));
        let reading = lock.read();
        let found = stall("looks for readers", || drop(lock.write()), || drop(reading));
        check(&found, "RwLock::write", Some("often read"));
        assert_eq!(found.wait.until, None, "{found}");
        assert_eq!(found.holders[0].hold.mode.name(), "read", "{found}");
    });
}

/// What holds a reader back is the writer that came before it, and what that waits for.
#[test]
fn reader_behind_a_waiting_writer_names_both() {
    watchdog(|| {
        let (_session, _reports) = session(None, |_| ());
        for upgradable in [false, true] {
            let lock = RwLock::named("queued", 0);
            let (locked, go) = (Event::new(), Event::new());
            thread::scope(|s| {
                spawn(s, "reads on", || {
                    let reading = lock.read();
                    locked.set();
                    go.wait();
                    drop(reading);
                });
                locked.wait();
                spawn(s, "writes next", || drop(lock.write()));
                until_asleep("writes next");
                let wait = || if upgradable { drop(lock.upgradable_read()) } else { drop(lock.read()) };
                let found = stall("reads next", wait, || go.set());
                let call = if upgradable { "RwLock::upgradable_read" } else { "RwLock::read" };
                check(&found, call, Some("queued"));
                assert_eq!(found.writers.len(), 1, "{found}");
                assert_eq!(found.writers[0].name.as_deref(), Some("writes next"), "{found}");
                assert_eq!(found.holders[0].thread.name.as_deref(), Some("reads on"), "{found}");
                let text = found.to_string();
                assert!(
                    text.contains("behind thread \"writes next\", which waits in `RwLock::write`"),
                    "{text}"
                );
                assert!(text.contains("held for") && text.contains("by thread \"reads on\""), "{text}");
            });
        }
    });
}

#[test]
fn signals_are_reported() {
    watchdog(|| {
        let event = Event::named("an event");
        check(&stall("event waiter", || event.wait(), || event.set()), "Event::wait", Some("an event"));
        let signal = AutoResetEvent::named("a signal");
        let found = stall("signal waiter", || signal.wait(), || signal.set());
        check(&found, "AutoResetEvent::wait", Some("a signal"));
        let latch = Latch::named("a latch", 1);
        check(&stall("latch waiter", || latch.wait(), || latch.count_down()), "Latch::wait", Some("a latch"));
        let group = WaitGroup::new();
        let member = group.clone();
        check(&stall("group waiter", || group.wait(), || drop(member)), "WaitGroup::wait", None);
        let source = StopSource::new();
        let token = source.token();
        check(&stall("stop waiter", || token.wait(), || _ = source.stop()), "StopToken::wait", None);
        let (never, later) = (Event::new(), Event::new());
        let found = stall("any waiter", || _ = wait_any((&later, &never)), || later.set());
        check(&found, "wait_any", None);
        let (event, latch) = (Event::named("an event"), Latch::named("a latch", 1));
        let found = stall("waiter for one", || _ = wait_any((&event,)), || event.set());
        check(&found, "wait_any", Some("an event"));
        let found =
            stall("waits for one in time", || _ = wait_any_for(&[&latch], MINUTE), || latch.count_down());
        check(&found, "wait_any", Some("a latch"));
        let (_session, _reports) = session(None, |_| ());
        let semaphore = Semaphore::named("any permits", 2);
        let permits = semaphore.acquire_many(2);
        let found =
            stall("permits of one", || _ = wait_any((semaphore.acquiring_many(2),)), || drop(permits));
        check(&found, "wait_any", Some("any permits"));
        assert_eq!((found.wait.count, found.holders.len()), (2, 1), "{found}");
        let buffer = BoundedBuffer::named("any items", 1);
        let found = stall("item of one", || _ = wait_any((buffer.getting(),)), || buffer.put(1).unwrap());
        check(&found, "wait_any", Some("any items"));
        buffer.put(1).unwrap();
        let mut putting = [buffer.putting(2)];
        let found = stall("room of one", || _ = wait_any(&mut putting), || _ = buffer.get());
        check(&found, "wait_any", Some("any items"));
        assert_eq!(found.wait.mode, lockwork::diagnose::Mode::Any);
    });
}

#[test]
fn barrier_says_who_is_missing() {
    watchdog(|| {
        let barrier = Barrier::named("start", 3);
        thread::scope(|s| {
            spawn(s, "first there", || _ = barrier.wait());
            until_asleep("first there");
            let found = stall("second there", || _ = barrier.wait(), || _ = barrier.wait());
            check(&found, "Barrier::wait", Some("start"));
            assert!(found.to_string().starts_with("stalled: "), "{found}");
            assert!(found.to_string().contains("2 of 3 threads are there, 1 missing"), "{found}");
        });
    });
}

/// Those that wait for the action are shown past their deadlines, and told which thread runs it.
#[test]
fn barrier_says_which_thread_runs_its_action() {
    watchdog(|| {
        let (_session, reports) = session(Some(SOON), |_| ());
        // Its time may be over before the second comes.
        while !barrier_runs_its_action(&reports) {}
    });
}

fn barrier_runs_its_action(reports: &Receiver<Report>) -> bool {
    let (begun, go) = (Arc::new(Event::new()), Arc::new(Event::new()));
    let barrier = Barrier::with_action(2, {
        let (begun, go) = (Arc::clone(&begun), Arc::clone(&go));
        move || {
            begun.set();
            go.wait();
        }
    });
    let patience = 10 * SOON;
    thread::scope(|s| {
        let waits = spawn(s, "waits for the action", || barrier.wait_for(patience).is_ok());
        eventually(|| state_of("waits for the action").is_some() || waits.is_finished());
        let runs = spawn(s, "runs the action", || barrier.wait_result().is_ok());
        eventually(|| begun.is_set() || runs.is_finished());
        if !begun.is_set() {
            return false;
        }
        let found = find(reports, |report| match report {
            Report::Stall(stall) if stall.thread.name.as_deref() == Some("waits for the action") => {
                (!stall.holders.is_empty()).then_some(stall)
            }
            _ => None,
        });
        let text = found.to_string();
        assert!(text.contains("run by thread \"runs the action\""), "{text}");
        assert!(!text.contains("missing"), "{text}");
        assert_eq!(found.arrived, 2, "{text}");
        assert!(found.holders[0].hold.place.file().ends_with("stalls.rs"), "{text}");
        let is_endless = |wait: lockwork::diagnose::Wait| {
            wait.until.is_none() && wait.call() == "Barrier::wait" && wait.since.elapsed() >= patience
        };
        let waiting = || state_of("waits for the action").and_then(|thread| thread.waits);
        eventually(|| waiting().is_some_and(is_endless));
        go.set();
        assert!(waits.join().unwrap() && runs.join().unwrap());
        true
    })
}

#[test]
fn buffers_are_reported() {
    watchdog(|| {
        let buffer = BoundedBuffer::named("jobs", 1);
        check(
            &stall("getter", || _ = buffer.get(), || buffer.put(1).unwrap()),
            "BoundedBuffer::get",
            Some("jobs"),
        );
        let next = || assert_eq!(buffer.iter().next(), Some(1));
        check(&stall("iterator", next, || buffer.put(1).unwrap()), "BoundedBuffer::get", Some("jobs"));
        buffer.put(1).unwrap();
        let found = stall("putter", || buffer.put(2).unwrap(), || _ = buffer.get());
        check(&found, "BoundedBuffer::put", Some("jobs"));
        let found = stall(
            "joiner",
            || buffer.join(),
            || {
                while buffer.try_task_done().is_ok() {}
                buffer.get().unwrap();
                while buffer.try_task_done().is_ok() {}
            },
        );
        check(&found, "BoundedBuffer::join", Some("jobs"));
        let urgent = PriorityBuffer::named("urgent", 1);
        let found = stall("urgent getter", || _ = urgent.get(), || urgent.put(1).unwrap());
        check(&found, "PriorityBuffer::get", Some("urgent"));
        urgent.put(1).unwrap();
        let found = stall("urgent putter", || urgent.put(2).unwrap(), || _ = urgent.get());
        check(&found, "PriorityBuffer::put", Some("urgent"));
        let (sender, receiver) = lockwork::channel::bounded(1);
        let found = stall("receiver", || _ = receiver.recv(), || sender.send(1).unwrap());
        check(&found, "Receiver::recv", None);
        let found = stall("receiving", || _ = receiver.iter().next(), || sender.send(1).unwrap());
        check(&found, "Receiver::recv", None);
        sender.send(1).unwrap();
        let found = stall("sender", || sender.send(2).unwrap(), || _ = receiver.recv());
        check(&found, "Sender::send", None);
        let found =
            stall("puts all", || _ = buffer.put_all([1, 2, 3]), || while buffer.try_get() != Ok(3) {});
        check(&found, "BoundedBuffer::put", Some("jobs"));
        let mut out = Vec::new();
        let found = stall("gets many", || _ = buffer.get_many(&mut out, 2), || buffer.put(1).unwrap());
        check(&found, "BoundedBuffer::get", Some("jobs"));
        let stack = StackBuffer::named("a stack", 1);
        let found = stall("pops", || _ = stack.get(), || stack.put(1).unwrap());
        check(&found, "StackBuffer::get", Some("a stack"));
        stack.put(1).unwrap();
        let found = stall("pushes", || stack.put(2).unwrap(), || _ = stack.get());
        check(&found, "StackBuffer::put", Some("a stack"));
    });
}

#[test]
fn once_says_which_thread_initialises() {
    watchdog(|| {
        let (_session, _reports) = session(None, |_| ());
        let (once, begun, go) = (OnceLock::new(), Event::new(), Event::new());
        thread::scope(|s| {
            spawn(s, "initialiser", || {
                once.get_or_init(|| {
                    begun.set();
                    go.wait();
                });
            });
            begun.wait();
            let found = stall("uninitialised", || _ = once.get_or_init(|| ()), || go.set());
            check(&found, "OnceLock::get_or_init", None);
            assert_eq!(found.holders[0].thread.name.as_deref(), Some("initialiser"), "{found}");
        });
        let (once, begun, go) = (OnceLock::new(), Event::new(), Event::new());
        thread::scope(|s| {
            spawn(s, "initialises a value", || _ = once.get_or_init(|| (begun.set(), go.wait()).1));
            begun.wait();
            let found = stall("waits for a value", || _ = once.wait(), || go.set());
            check(&found, "OnceLock::wait", None);
            assert_eq!(found.holders[0].thread.name.as_deref(), Some("initialises a value"), "{found}");
        });
        let (once, begun, go) = (Once::new(), Event::new(), Event::new());
        thread::scope(|s| {
            spawn(s, "caller", || once.call_once(|| (begun.set(), go.wait()).1));
            begun.wait();
            let found = stall("waits for once", || once.wait(), || go.set());
            check(&found, "Once::wait", None);
            assert_eq!(found.holders[0].thread.name.as_deref(), Some("caller"), "{found}");
        });
        let (begun, go) = (Event::new(), Event::new());
        let lazy = LazyLock::new(|| (begun.set(), go.wait()).1);
        thread::scope(|s| {
            spawn(s, "forces first", || LazyLock::force(&lazy));
            begun.wait();
            let found = stall("forces second", || _ = LazyLock::force(&lazy), || go.set());
            check(&found, "LazyLock::force", None);
            assert_eq!(found.holders[0].thread.name.as_deref(), Some("forces first"), "{found}");
        });
    });
}

/// The condition variable of `std`'s shape, and locks of `lock_api`, of which nothing but waits is known.
#[test]
fn adapters_are_reported() {
    watchdog(|| {
        let (mutex, condvar) = (poison::Mutex::new(false), poison::Condvar::new());
        let found = stall(
            "poison's waiter",
            || drop(condvar.wait_while(mutex.lock().unwrap(), |ready| !*ready)),
            || {
                *mutex.lock().unwrap() = true;
                condvar.notify_one();
            },
        );
        check(&found, "Condvar::wait", None);
        let (_session, _reports) = session(None, |_| ());
        let mutex = lock_api::Mutex::<RawMutex, _>::new(());
        let guard = mutex.lock();
        let found = stall("lock_api locks", || drop(mutex.lock()), || drop(guard));
        assert_eq!((found.wait.call().as_str(), found.holders.len()), ("Mutex::lock", 0), "{found}");
        let lock = lock_api::RwLock::<RawRwLock, _>::new(());
        let guard = lock.read();
        let found = stall("lock_api writes", || drop(lock.write()), || drop(guard));
        assert_eq!((found.wait.call().as_str(), found.holders.len()), ("RwLock::write", 0), "{found}");
        let guard = lock.write();
        let found = stall("lock_api reads", || drop(lock.try_read_for(MINUTE)), || drop(guard));
        assert_eq!((found.wait.call().as_str(), found.holders.len()), ("RwLock::read", 0), "{found}");
    });
}

#[test]
fn wait_is_reported_again_at_twice_its_age() {
    watchdog(|| {
        let event = Event::named("late");
        let (_session, reports) = session(Some(SOON), |_| ());
        thread::scope(|s| {
            spawn(s, "patient", || event.wait());
            let mut ages = Vec::new();
            while ages.len() < 3 {
                ages.push(find(&reports, |report| match report {
                    Report::Stall(stall) if stall.wait.name == Some("late") => Some(stall.age),
                    _ => None,
                }));
            }
            event.set();
            assert!(ages[0] >= SOON && ages[1] >= 2 * SOON && ages[2] >= 4 * SOON, "{ages:?}");
        });
    });
}

#[test]
fn snapshot_shows_all_of_it() {
    watchdog(|| {
        let (_session, _reports) = session(None, |_| ());
        let (outer, inner) = (Mutex::named("outer of two", ()), RwLock::named("inner of two", ()));
        let reading = inner.read();
        thread::scope(|s| {
            spawn(s, "dumped", || {
                let _outer = outer.lock();
                let _inner = inner.write();
            });
            until_asleep("dumped");
            let thread = state_of("dumped").unwrap();
            let wait = thread.waits.unwrap();
            assert_eq!(
                (wait.call().as_str(), wait.name, wait.until),
                ("RwLock::write", Some("inner of two"), None)
            );
            assert_eq!(thread.holds.len(), 1);
            assert_eq!((thread.holds[0].name, thread.holds[0].mode.name()), (Some("outer of two"), "lock"));
            assert_eq!(thread.holds[0].place.line() + 1, wait.place.line());
            let text = snapshot().to_string();
            assert!(text.contains("thread \"dumped\""), "{text}");
            assert!(text.contains("holds Mutex \"outer of two\" by lock for "), "{text}");
            assert!(text.contains("waits in `RwLock::write` at "), "{text}");
            drop(reading);
        });
        eventually(|| state_of("dumped").is_none());
    });
}

/// How many permits a thread waits for, and that what it holds may be elsewhere.
#[test]
fn snapshot_shows_numbers_of_permits_and_what_may_be_elsewhere() {
    watchdog(|| {
        let (_session, _reports) = session(None, |_| ());
        let semaphore = Semaphore::named("asked for two", 2);
        let lock = Arc::new(Mutex::named("given away", ()));
        let permits = semaphore.acquire_many(2);
        thread::scope(|s| {
            spawn(s, "wants two of two", || {
                let _guard = lock.lock_arc();
                drop(semaphore.acquire_many(2));
            });
            until_asleep("wants two of two");
            let text = snapshot().to_string();
            let wait = text.lines().find(|line| line.contains("for \"asked for two\"")).expect("its wait");
            assert!(wait.contains(" (2 permits)"), "{text}");
            let hold = text.lines().find(|line| line.contains("\"given away\"")).expect("its guard");
            assert!(hold.ends_with(", and may have given it to another thread"), "{text}");
            drop(permits);
        });
    });
}

/// The raw lock tells of the call of the trait, which is in the caller's file.
#[test]
fn calls_of_the_raw_lock_are_reported() {
    use lock_api::{RawRwLock as _, RawRwLockRecursive as _, RawRwLockUpgrade as _};
    watchdog(|| {
        let raw = <RawRwLock as lock_api::RawRwLock>::INIT;
        let unlock = || unsafe { raw.unlock_exclusive() };
        raw.lock_exclusive();
        let found = stall("raw reader", || raw.lock_shared(), unlock);
        check(&found, "RwLock::read", None);
        unsafe { raw.unlock_shared() };
        raw.lock_exclusive();
        let found = stall("raw recursive reader", || raw.lock_shared_recursive(), unlock);
        check(&found, "RwLock::read_recursive", None);
        unsafe { raw.unlock_shared() };
        raw.lock_exclusive();
        let found = stall("raw upgradable reader", || raw.lock_upgradable(), unlock);
        check(&found, "RwLock::upgradable_read", None);
        unsafe { raw.unlock_upgradable() };
        raw.lock_exclusive();
        let found = stall("raw writer", || raw.lock_exclusive(), unlock);
        check(&found, "RwLock::write", None);
        unlock();
    });
}

/// The mutex is taken again where the wait stands.
#[test]
fn mutex_of_lock_api_is_taken_again_where_the_wait_stands() {
    let round = || {
        let (mutex, condvar) = (lock_api::Mutex::<RawMutex, _>::new(()), Condvar::new());
        let begun = AtomicBool::new(false);
        thread::scope(|s| {
            let line = line!() + 4;
            let waits = spawn(s, "takes again", || {
                let mut guard = mutex.lock();
                begun.store(true, Relaxed);
                let _ = condvar.wait_for(&mut guard, 5 * SOON);
            });
            eventually(|| begun.load(Relaxed));
            let guard = mutex.lock();
            let waiting = || state_of("takes again").and_then(|thread| thread.waits);
            let found = || waiting().filter(|wait| wait.call() == "Mutex::lock");
            // Its time may be over before the mutex is locked here.
            eventually(|| found().is_some() || waits.is_finished());
            let Some(wait) = found() else { return false };
            let place = wait.place;
            assert!(place.file().ends_with("stalls.rs") && place.line() == line, "{place}");
            drop(guard);
            true
        })
    };
    watchdog(move || while !round() {});
}

/// A waiter that was notified in time waits for its mutex, however long, and is shown for as long.
#[test]
fn notified_waiter_is_shown_past_its_deadline() {
    const NAME: &str = "notified in time";
    let round = || {
        let (mutex, condvar) = (Mutex::new(()), Condvar::new());
        thread::scope(|s| {
            spawn(s, NAME, || _ = condvar.wait_for(&mut mutex.lock(), 5 * SOON));
            eventually(|| state_of(NAME).is_some() || !mutex.is_locked());
            let guard = mutex.lock();
            if !condvar.notify_one() {
                return false;
            }
            let endless = |wait: lockwork::diagnose::Wait| wait.until.is_none();
            eventually(|| state_of(NAME).and_then(|thread| thread.waits).is_some_and(endless));
            drop(guard);
            true
        })
    };
    // It may come late, or its time be over first.
    watchdog(move || while !round() {});
}
