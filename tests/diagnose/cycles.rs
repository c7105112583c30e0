//! Cycles of threads that wait for each other.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use lockwork::diagnose::{Cycle, Report, deadlocks};
use lockwork::{Barrier, Event, Mutex, ReentrantMutex, RwLock, StopSource, Worker};

use crate::support::{eventually, watchdog};
use crate::{find, session, until_asleep};

/// The cycle in which a thread of this name is.
fn cycle_of(name: &str) -> Option<Cycle> {
    deadlocks().into_iter().find(|cycle| cycle.links.iter().any(|link| link.name.as_deref() == Some(name)))
}

/// A thread that no thread joins: a deadlock lasts until the process ends.
fn leave(name: &str, body: impl FnOnce() + Send + 'static) {
    thread::Builder::new().name(name.to_owned()).spawn(body).unwrap();
}

/// Of `n` threads each locks a lock, and then the next one's.
fn plant(n: usize, name: &'static str, timeout: Option<Duration>) -> Vec<Arc<Mutex<()>>> {
    let locks: Vec<Arc<Mutex<()>>> = (0..n).map(|_| Arc::new(Mutex::named(name, ()))).collect();
    let all = Arc::new(Barrier::new(n));
    for turn in 0..n {
        let (own, next) = (Arc::clone(&locks[turn]), Arc::clone(&locks[(turn + 1) % n]));
        let all = Arc::clone(&all);
        leave(&format!("{name} {turn}"), move || {
            let _own = own.lock();
            all.wait();
            match timeout {
                None => drop(next.lock()),
                Some(timeout) => drop(next.try_lock_for(timeout)),
            }
        });
    }
    locks
}

#[test]
fn two_and_three_threads_are_found_and_reported() {
    watchdog(|| {
        for (n, name, first) in [(2, "two", "two 0"), (3, "three", "three 0")] {
            let (_session, reports) = session(None, |_| ());
            let _locks = plant(n, name, None);
            let reported = find(&reports, |report| match report {
                Report::Deadlock(cycle) if cycle.links[0].wait.name == Some(name) => Some(cycle),
                _ => None,
            });
            let found = cycle_of(first).expect("it lasts");
            for cycle in [&reported, &found] {
                assert_eq!(cycle.links.len(), n, "{cycle}");
                assert_eq!(cycle.until, None, "{cycle}");
                for link in &cycle.links {
                    assert_eq!(link.wait.call(), "Mutex::lock", "{cycle}");
                    assert!(link.wait.place.file().ends_with("cycles.rs"), "{cycle}");
                    let hold = link.hold.as_ref().expect("it holds a mutex");
                    assert_eq!(hold.place.line() + 3, link.wait.place.line(), "{cycle}");
                }
                let text = cycle.to_string();
                assert!(text.starts_with(&format!("deadlock: {n} threads wait for each other")), "{text}");
            }
            // Once alone: the next one that is reported is another.
            let later = if n == 2 { "after two" } else { "after three" };
            let _locks = plant(2, later, None);
            let next = find(&reports, |report| match report {
                Report::Deadlock(cycle) => {
                    cycle.links[0].wait.name.filter(|found| [name, later].contains(found))
                }
                _ => None,
            });
            assert_eq!(next, later);
        }
    });
}

#[test]
fn cycle_with_a_timed_wait_says_when_it_ends() {
    watchdog(|| {
        let (_session, _reports) = session(None, |_| ());
        let _locks = plant(2, "timed two", Some(Duration::from_secs(2)));
        let mut found = None;
        eventually(|| {
            found = cycle_of("timed two 0");
            found.is_some()
        });
        let cycle = found.unwrap();
        assert!(cycle.until.is_some(), "{cycle}");
        assert!(cycle.to_string().starts_with("stalled until a time-out in "), "{cycle}");
        eventually(|| cycle_of("timed two 0").is_none());
    });
}

/// No cycle: each waits for a lock that a thread outside holds.
#[test]
fn chain_is_no_cycle() {
    watchdog(|| {
        let (_session, reports) = session(None, |_| ());
        let (first, second) = (Mutex::named("chain 1", ()), Mutex::named("chain 2", ()));
        let go = Event::new();
        thread::scope(|s| {
            crate::spawn(s, "chain c", || {
                let _second = second.lock();
                go.wait();
            });
            until_asleep("chain c");
            crate::spawn(s, "chain b", || {
                let _first = first.lock();
                drop(second.lock());
            });
            until_asleep("chain b");
            crate::spawn(s, "chain a", || drop(first.lock()));
            until_asleep("chain a");
            for _ in 0..100 {
                assert!(["chain a", "chain b", "chain c"].iter().all(|name| cycle_of(name).is_none()));
            }
            go.set();
        });
        drop(reports);
    });
}

#[test]
fn join_is_an_edge() {
    watchdog(|| {
        let (_session, _reports) = session(None, |_| ());
        let lock = Arc::new(Mutex::named("held over a join", ()));
        leave("joins", move || {
            let guard = lock.lock();
            let own = Arc::clone(&lock);
            let worker = Worker::spawn("joined", move |_| drop(own.lock()));
            worker.join().unwrap();
            drop(guard);
        });
        eventually(|| cycle_of("joined").is_some());
        let cycle = cycle_of("joins").expect("it lasts");
        let mut calls: Vec<String> = cycle.links.iter().map(|link| link.wait.call()).collect();
        calls.sort();
        assert_eq!(calls, ["Mutex::lock", "Worker::join"], "{cycle}");
        assert!(cycle.to_string().contains("which thread \"joined\" runs"), "{cycle}");
    });
}

/// Reads twice, with a writer that has come in between.
#[test]
fn reader_behind_a_writer_that_waits_for_it_is_found() {
    watchdog(|| {
        let (_session, _reports) = session(None, |_| ());
        let lock = Arc::new(RwLock::named("read twice", ()));
        let own = Arc::clone(&lock);
        leave("reads twice", move || {
            let _outer = own.read();
            until_asleep("writes between");
            drop(own.read());
        });
        eventually(|| crate::state_of("reads twice").is_some());
        leave("writes between", move || drop(lock.write()));
        eventually(|| cycle_of("reads twice").is_some());
        let cycle = cycle_of("writes between").expect("it lasts");
        assert_eq!(cycle.links.len(), 2, "{cycle}");
    });
}

/// The same, as the upgradable reader.
#[test]
fn upgradable_reader_behind_a_writer_that_waits_for_it_is_found() {
    watchdog(|| {
        let (_session, reports) = session(None, |_| ());
        let lock = Arc::new(RwLock::named("read, then upgradable", ()));
        let own = Arc::clone(&lock);
        leave("reads, then upgradable", move || {
            let _outer = own.read();
            until_asleep("writes before upgradable");
            drop(own.upgradable_read());
        });
        eventually(|| crate::state_of("reads, then upgradable").is_some());
        leave("writes before upgradable", move || drop(lock.write()));
        eventually(|| cycle_of("reads, then upgradable").is_some());
        let reported = find(&reports, |report| match report {
            Report::Deadlock(cycle) if cycle.links[0].wait.name == Some("read, then upgradable") => {
                Some(cycle)
            }
            _ => None,
        });
        assert_eq!((reported.links.len(), reported.until), (2, None), "{reported}");
        assert!(reported.to_string().contains("which waits to write"), "{reported}");
    });
}

/// Two that each read one lock and write the other. Readers that are not counted are looked for now and then:
/// that is no time-out.
#[test]
fn readers_and_writers_are_edges() {
    watchdog(|| {
        let (_session, _reports) = session(None, |_| ());
        let locks = [Arc::new(RwLock::new(())), Arc::new(RwLock::new(()))];
        for lock in &locks {
            (0..100).for_each(|_| drop(lock.read()));
        }
        let both = Arc::new(Barrier::new(2));
        for (own, name) in [(0, "crossed 0"), (1, "crossed 1")] {
            let (own, other) = (Arc::clone(&locks[own]), Arc::clone(&locks[1 - own]));
            let both = Arc::clone(&both);
            leave(name, move || {
                let _own = own.read();
                both.wait();
                drop(other.write());
            });
        }
        eventually(|| cycle_of("crossed 0").is_some());
        let cycle = cycle_of("crossed 1").expect("it lasts");
        assert_eq!(cycle.until, None, "{cycle}");
    });
}

/// A thread reads again behind a writer that has come meanwhile, whichever of them sleeps first.
#[test]
fn reader_behind_a_writer_that_has_just_come_is_an_edge() {
    watchdog(|| {
        let (_session, _reports) = session(None, |_| ());
        for round in 0..10 {
            let name = format!("reads again {round}");
            let lock = Arc::new(RwLock::new(()));
            let other = Arc::clone(&lock);
            let reads = Arc::new(Event::new());
            let does_read = Arc::clone(&reads);
            leave(&name, move || {
                let _one = lock.read();
                reads.set();
                eventually(|| lock.try_read().is_none());
                drop(lock.read());
            });
            leave("writes meanwhile", move || {
                does_read.wait();
                drop(other.write());
            });
            eventually(|| cycle_of(&name).is_some());
        }
    });
}

/// A guard is dropped under the lock that its callback wants.
#[test]
fn callback_that_wants_what_the_dropper_holds_is_an_edge() {
    watchdog(|| {
        let (_session, _reports) = session(None, |_| ());
        let lock = Arc::new(Mutex::new(()));
        let wanted = Arc::clone(&lock);
        let begun = Arc::new(Event::new());
        let begins = Arc::clone(&begun);
        let source = StopSource::new();
        let guard = source.token().on_stop(move || {
            begins.set();
            drop(wanted.lock());
        });
        leave("drops under a lock", move || {
            let _held = lock.lock();
            leave("stops under none", move || _ = source.stop());
            begun.wait();
            drop(guard);
        });
        eventually(|| cycle_of("drops under a lock").is_some());
        let cycle = cycle_of("stops under none").expect("it lasts");
        assert_eq!((cycle.links.len(), cycle.until), (2, None), "{cycle}");
    });
}

/// The `Arc` guards of a `ReentrantMutex` stay in their thread.
#[test]
fn arc_guards_of_reentrant_mutexes_are_edges() {
    watchdog(|| {
        let (_session, _reports) = session(None, |_| ());
        let locks = [(); 2].map(|()| Arc::new(ReentrantMutex::new(())));
        let both = Arc::new(Barrier::new(2));
        for (own, name) in [(0, "crosswise 0"), (1, "crosswise 1")] {
            let (own, other) = (Arc::clone(&locks[own]), Arc::clone(&locks[1 - own]));
            let both = Arc::clone(&both);
            leave(name, move || {
                let _own = own.lock_arc();
                both.wait();
                drop(other.lock_arc());
            });
        }
        eventually(|| cycle_of("crosswise 0").is_some());
        assert_eq!(cycle_of("crosswise 1").expect("it lasts").links.len(), 2);
    });
}

/// A sink may ask what is known, though the thread it runs in is not watched.
#[test]
fn sink_may_ask_for_deadlocks_and_the_profile() {
    const NAME: &str = "seen from a sink";
    watchdog(|| {
        let (found, seen) = std::sync::mpsc::channel();
        let (_session, _reports) = session(None, |settings| {
            settings.profile = std::num::NonZero::new(1);
            settings.sink = Box::new(move |report| match report {
                Report::Deadlock(cycle) if cycle.links[0].wait.name == Some(NAME) => {
                    let locks = lockwork::diagnose::profile();
                    let is_known = locks.locks().iter().any(|lock| lock.name == Some(NAME));
                    let _ = found.send((cycle_of("seen from a sink 0").is_some(), is_known));
                }
                _ => {}
            });
        });
        let _locks = plant(2, NAME, None);
        assert_eq!(seen.recv().unwrap(), (true, true));
    });
}
