//! The end of a thread, and what is known of threads at all.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use lockwork::diagnose::{Order, Report, snapshot};
use lockwork::{Event, Mutex};

use crate::support::{eventually, watchdog};
use crate::{find, session, spawn, state_of};

/// Locks `second` and then `first` when its thread's locals are destroyed, waits for `held`, and waits in
/// vain.
struct Late {
    first: Arc<Mutex<()>>,
    second: Arc<Mutex<()>>,
    held: Arc<Mutex<()>>,
    runs: Arc<Event>,
    /// Whether the thread is known to others then.
    is_known: Arc<AtomicBool>,
}

impl Drop for Late {
    fn drop(&mut self) {
        let _second = self.second.lock();
        let holds = state_of("ends").is_some();
        self.is_known.store(holds, Relaxed);
        drop(self.first.lock());
        assert!(self.first.try_lock_for(Duration::from_millis(1)).is_some());
        self.runs.set();
        drop(self.held.lock());
        assert!(!Event::named("late").wait_for(Duration::from_millis(50)));
    }
}

thread_local! {
    static LATE: RefCell<Option<Late>> = const { RefCell::new(None) };
}

/// A destructor of a thread's local that runs after those of this crate: its locks work, and nothing is told
/// of them.
#[test]
fn thread_whose_locals_are_gone_is_silent() {
    watchdog(|| {
        let (_session, reports) =
            session(Some(Duration::from_millis(10)), |settings| settings.order = Order::Report);
        let mut silent = 0;
        for late_first in [false, true] {
            // Names of its own: a report may come when the thread has ended.
            let names =
                if late_first { ["late 1", "late 2", "late 3"] } else { ["soon 1", "soon 2", "soon 3"] };
            let [first, second, held] = names.map(|name| Arc::new(Mutex::named(name, ())));
            let (runs, is_known) = (Arc::new(Event::new()), Arc::new(AtomicBool::new(false)));
            // The order that is to be seen.
            drop((first.lock(), second.lock()));
            let guard = held.lock();
            let thread = thread::Builder::new().name("ends".to_owned());
            let thread = thread.spawn({
                let (runs, is_known) = (Arc::clone(&runs), Arc::clone(&is_known));
                let noted = Arc::clone(&first);
                let late = Late { first, second, held: Arc::clone(&held), runs, is_known };
                move || {
                    if !late_first {
                        drop(noted.lock());
                    }
                    LATE.set(Some(late));
                    drop(noted.lock());
                }
            });
            let thread = thread.unwrap();
            runs.wait();
            let is_known = is_known.load(Relaxed);
            // What the thread does was told before that a witness waits, which begins later.
            let mut told = 0;
            let go = Event::named("witness");
            thread::scope(|s| {
                s.spawn(|| go.wait());
                find(&reports, |report| match report {
                    Report::Stall(stall) if stall.wait.name == Some("witness") => Some(()),
                    Report::Stall(stall) => {
                        told += usize::from(stall.wait.name.is_some_and(|name| names.contains(&name)));
                        None
                    }
                    Report::Inversion(inversion) => {
                        told += usize::from(inversion.wanted.name == Some(names[0]));
                        None
                    }
                    _ => None,
                });
                go.set();
            });
            assert!(state_of("ends").is_none() || is_known);
            drop(guard);
            thread.join().unwrap();
            if is_known {
                assert!(told > 0, "it is known, and what it does was told to none");
            } else {
                assert_eq!(told, 0);
                silent += 1;
            }
            assert!(state_of("ends").is_none(), "nothing stays behind");
        }
        assert!(silent > 0, "this crate's locals were the last both times");
    });
}

/// Also one that does nothing just now.
#[test]
fn all_threads_are_known() {
    watchdog(|| {
        let (_session, _reports) = session(None, |_| ());
        let (mutex, go) = (Mutex::new(()), AtomicBool::new(false));
        thread::scope(|s| {
            spawn(s, "does nothing", || {
                drop(mutex.lock());
                eventually(|| go.load(Relaxed));
            });
            let known = || {
                let threads = snapshot().threads;
                threads.into_iter().find(|thread| thread.name.as_deref() == Some("does nothing"))
            };
            eventually(|| known().is_some_and(|thread| thread.holds.is_empty()));
            let text = snapshot().to_string();
            let line = text.lines().find(|line| line.starts_with("thread \"does nothing\"")).unwrap();
            assert!(line.ends_with(", holds and waits for nothing"), "{text}");
            go.store(true, Relaxed);
        });
        eventually(|| snapshot().threads.iter().all(|thread| thread.name.as_deref() != Some("does nothing")));
    });
}

/// What panics once more when it is dropped.
struct PanicsAgain;

impl Drop for PanicsAgain {
    fn drop(&mut self) {
        panic!("planted, by what a sink has panicked with");
    }
}

/// Whatever a sink panics with, the session's thread goes on.
#[test]
fn watch_survives_what_a_sink_panics_with() {
    watchdog(|| {
        let (found, stalls) = std::sync::mpsc::channel();
        let (_session, _reports) = session(Some(Duration::from_millis(5)), |settings| {
            settings.sink = Box::new(move |report| match report {
                Report::Stall(stall) if stall.wait.name == Some("reported in vain") => {
                    let _ = found.send(());
                    std::panic::panic_any(PanicsAgain);
                }
                _ => {}
            });
        });
        let event = Event::named("reported in vain");
        thread::scope(|s| {
            s.spawn(|| event.wait());
            for _ in 0..3 {
                stalls.recv().expect("the session's thread runs");
            }
            event.set();
        });
    });
}
