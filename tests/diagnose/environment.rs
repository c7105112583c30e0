//! `LOCKWORK_DIAGNOSE`, in a process that knows nothing of it.

use std::env;
use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use lockwork::diagnose::{self, Settings};
use lockwork::{Condvar, Event, Mutex, RawMutex, Worker, lock_api};

use crate::support::spin_for;

const CHILD: &str = "LOCKWORK_TESTS_CHILD";
/// Which of several forms of a call it is to make.
const FORM: &str = "LOCKWORK_TESTS_FORM";

/// Does something only as a child of the tests below.
#[test]
fn child() {
    match env::var(CHILD).as_deref() {
        Ok("stall") => assert!(!Event::named("never set").wait_for(Duration::from_millis(500))),
        Ok("once") => {
            // The first call of the process that waits.
            let lock = std::sync::Arc::new(lockwork::OnceLock::new());
            let other = std::sync::Arc::clone(&lock);
            let (begun, begins) = std::sync::mpsc::channel();
            let thread = std::thread::spawn(move || {
                _ = other.get_or_init(|| {
                    begun.send(()).unwrap();
                    spin_for(Duration::from_millis(500));
                });
            });
            begins.recv().unwrap();
            lock.wait();
            thread.join().unwrap();
        }
        Ok("join") => {
            let sleeps = |millis| move |_: &_| std::thread::sleep(Duration::from_millis(millis));
            match env::var(FORM).as_deref() {
                Ok("for") => _ = Worker::spawn("worker", sleeps(500)).join_for(Duration::from_secs(60)),
                Ok("until") => {
                    let limit = Instant::now() + Duration::from_secs(60);
                    _ = Worker::spawn("worker", sleeps(500)).join_until(limit);
                }
                _ => Worker::spawn("worker", sleeps(500)).join().unwrap(),
            }
        }
        Ok("lock_api") => {
            let mutex = lock_api::Mutex::<RawMutex, _>::new(());
            let limit = Duration::from_millis(500);
            assert!(Condvar::named("never set").wait_for(&mut mutex.lock(), limit).timed_out());
        }
        Ok("relock") => {
            let mutex = Mutex::named("twice", ());
            let _guard = mutex.lock();
            drop(mutex.lock());
        }
        Ok("error stream locked") => {
            let mut stream = std::io::stderr().lock();
            assert!(!Event::named("never set").wait_for(Duration::from_millis(500)));
            writeln!(stream, "unlocked").unwrap();
        }
        Ok("profile") => {
            let lock = Mutex::named("in a file", ());
            // Where it cannot be written this is told after a second.
            let (began, limit) = (Instant::now(), Duration::from_millis(2_500));
            let setting = env::var("LOCKWORK_DIAGNOSE").unwrap();
            let path = Path::new(setting.split_once(':').unwrap().1);
            let is_over =
                || if path.parent().unwrap().exists() { path.exists() } else { began.elapsed() > limit };
            let wait = || {
                while !is_over() {
                    let _guard = lock.lock();
                    spin_for(Duration::from_millis(2));
                }
            };
            std::thread::scope(|s| {
                s.spawn(wait);
                s.spawn(wait);
            });
        }
        Ok("session first") => {
            drop(diagnose::start(Settings::default()));
            assert!(!Event::named("never set").wait_for(Duration::from_millis(500)));
        }
        Ok("hold at once") => {
            let before = Instant::now();
            let session = diagnose::start(Settings::default());
            let mutex = Mutex::named("locked at once", ());
            let guard = mutex.lock();
            let threads = diagnose::snapshot().threads;
            let hold = threads.iter().flat_map(|thread| &thread.holds).find(|hold| hold.name.is_some());
            let since = hold.expect("it is locked").since;
            assert!(since >= before, "{:?} before the session", before - since);
            drop((guard, session));
        }
        _ => {}
    }
}

fn run(what: &str, diagnose: Option<&str>) -> (Output, String) {
    run_form(what, "", diagnose.map(OsStr::new))
}

fn run_form(what: &str, form: &str, diagnose: Option<&OsStr>) -> (Output, String) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "environment::child", "--nocapture"]).env(CHILD, what).env(FORM, form);
    match diagnose {
        Some(diagnose) => command.env("LOCKWORK_DIAGNOSE", diagnose),
        None => command.env_remove("LOCKWORK_DIAGNOSE"),
    };
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, text)
}

#[test]
fn environment_starts_a_session() {
    let (output, text) = run("stall", Some("stall=50ms"));
    assert!(output.status.success(), "{text}");
    assert!(text.contains("in `Event::wait` at") && text.contains("for \"never set\""), "{text}");
    assert!(text.contains("it gives up in"), "{text}");
    let (output, text) = run("once", Some("stall=50ms"));
    assert!(output.status.success() && text.contains("in `OnceLock::wait` at"), "{text}");
    let (output, text) = run("relock", Some("relock=panic"));
    assert!(!output.status.success() && text.contains("waits for itself"), "{text}");
    let (output, text) = run("stall", None);
    assert!(output.status.success() && !text.contains("never set"), "{text}");
    let (_, text) = run("stall", Some("stall=10s,nonsense"));
    assert!(text.contains("LOCKWORK_DIAGNOSE: \"nonsense\" is not understood"), "{text}");
}

/// By each call that waits first.
#[test]
fn environment_is_asked_by_a_join() {
    for form in ["", "for", "until"] {
        let (output, text) = run_form("join", form, Some(OsStr::new("stall=50ms")));
        assert!(output.status.success() && text.contains("in `Worker::join` at"), "{form}: {text}");
    }
}

#[test]
fn environment_is_asked_by_a_condvar_with_a_lock_of_lock_api() {
    let (output, text) = run("lock_api", Some("stall=50ms"));
    assert!(output.status.success() && text.contains("in `Condvar::wait` at"), "{text}");
}

#[cfg(unix)]
#[test]
fn environment_that_is_no_text_is_told() {
    use std::os::unix::ffi::OsStrExt;
    let (output, text) = run_form("stall", "", Some(OsStr::from_bytes(b"stall=50ms,profile=1:\xff.pb")));
    assert!(output.status.success() && text.contains("LOCKWORK_DIAGNOSE: it is not UTF-8"), "{text}");
}

#[test]
fn environment_is_asked_by_a_session_too() {
    let (output, text) = run("session first", Some("stall=50ms"));
    assert!(output.status.success() && text.contains("for \"never set\""), "{text}");
    let (output, text) = run("stall", Some(""));
    assert!(output.status.success() && !text.contains("never set"), "{text}");
}

/// The thread that hangs may be about to print.
#[cfg(unix)]
#[test]
fn report_does_not_wait_for_the_error_streams_lock() {
    let (output, text) = run("error stream locked", Some("stall=50ms"));
    assert!(output.status.success(), "{text}");
    let (reported, unlocked) = (text.find("for \"never set\""), text.find("unlocked"));
    assert!(reported.is_some() && reported < unlocked, "{text}");
}

#[test]
fn hold_is_no_older_than_the_session() {
    let (output, text) = run("hold at once", None);
    assert!(output.status.success(), "{text}");
}

/// For a binary that is not to be changed.
#[test]
fn profile_is_written_to_a_file() {
    let path = env::temp_dir().join(format!("lockwork-profile-{}.pb", std::process::id()));
    let (output, text) = run("profile", Some(&format!("profile=1:{}", path.display())));
    assert!(output.status.success() && !text.contains("LOCKWORK_DIAGNOSE"), "{text}");
    let profile = std::fs::read(&path).expect("it is written");
    std::fs::remove_file(&path).unwrap();
    assert!(String::from_utf8_lossy(&profile).contains("in a file"), "{} bytes", profile.len());
    let (output, text) = run("profile", Some("profile=1:/no/such/folder/profile.pb"));
    assert!(output.status.success(), "{text}");
    assert_eq!(text.matches("LOCKWORK_DIAGNOSE: /no/such/folder/profile.pb").count(), 1, "{text}");
}
