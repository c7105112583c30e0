//! The log: that what was answered is in it, whatever becomes of the server, of the disk, or of another
//! server.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use super::stop::load;
use super::{Client, Server, fresh_path, get, post};
use crate::built::path;
use crate::support::{eventually, watchdog};

#[test]
fn log_that_cannot_be_opened_is_reported() {
    watchdog(|| {
        let ended = Server::start_with_log("/nonexistent/log".into(), false, &["--requests", "5"]).end();
        assert_eq!(ended.status.code(), Some(1));
        assert!(ended.stderr.contains("cannot open the log /nonexistent/log"), "{}", ended.stderr);
    });
}

/// It is said before the work, not after it.
#[test]
fn log_that_is_no_file_is_refused_at_once_if_it_must_be_one() {
    watchdog(|| {
        for options in [&["--requests", "500"][..], &["--durable"]] {
            let ended = Server::start_with_log("/dev/null".into(), false, options).end().with_code(1);
            assert_eq!(ended.stdout, "", "{options:?}");
            ended.complains("cannot use the log /dev/null: it is not a regular file");
        }
        let server = Server::start_with_log("/dev/null".into(), false, &[]);
        assert_eq!(Client::connect(server.address()).ask(get("/log?x")).status, 200);
        assert!(server.stop().stdout.contains("served 1, logged 1, lost 0"));
    });
}

/// Starts a server whose files may have so many kilobytes: to write more is an error, as it is when the disk
/// is full.
fn start_with_small_disk(kilobytes: u32, options: &[&str]) -> Server {
    let mut shell = Command::new("sh");
    let limit = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", 2 * kilobytes);
    shell.args(["-c", &limit, "sh"]).arg(path("log_server"));
    Server::spawn(shell, fresh_path(), true, options)
}

#[cfg(target_os = "linux")]
#[test]
fn full_disk_ends_a_self_driven_run_with_an_error() {
    watchdog(|| {
        let ended = start_with_small_disk(8, &["--requests", "5000"]).end().with_code(1);
        assert!(ended.stderr.contains("cannot write the log"), "{}", ended.stderr);
        assert!(!ended.stdout.contains("lost 0"), "{}", ended.stdout);
    });
}

/// Who was told that a request was recorded finds it in the file, also if the disk was full soon after.
#[cfg(target_os = "linux")]
#[test]
fn durable_answers_are_true_when_the_disk_is_full() {
    watchdog(|| {
        let server = start_with_small_disk(64, &["--durable"]);
        let address = server.address();
        let answered = Arc::new(AtomicUsize::new(0));
        let clients: Vec<_> = (0..6)
            .map(|client| {
                let answered = Arc::clone(&answered);
                thread::spawn(move || load(address, client, &answered))
            })
            .collect();
        let sent: BTreeSet<String> =
            clients.into_iter().flat_map(|client| client.join().expect("a client")).collect();
        let ended = server.end().with_code(1).complains("cannot write the log");
        let logged: BTreeSet<&str> = ended.log.iter().filter_map(|line| try_data(line)).collect();
        let lost: Vec<_> = sent.iter().filter(|sent| !logged.contains(sent.as_str())).collect();
        assert!(lost.is_empty() && !sent.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), sent.len());
    });
}

/// The data of a record that may be half of one.
fn try_data(line: &str) -> Option<&str> {
    line.split_once(" \"").and_then(|(_, data)| data.strip_suffix('"'))
}

#[cfg(target_os = "linux")]
#[test]
fn full_disk_ends_a_server_with_an_error() {
    watchdog(|| {
        let server = Server::start_with_log("/dev/full".into(), false, &[]);
        let mut client = Client::connect(server.address());
        client.send(get("/log?x"));
        // The record may be refused, or accepted and lost when it is written.
        let status = client.answer().status;
        assert!(matches!(status, 200 | 503), "{status}");
        let ended = server.end().with_code(1);
        assert!(ended.stderr.contains("cannot write the log /dev/full"), "{}", ended.stderr);
    });
}

/// Who has the answer has the record, even if the server is killed in the next moment.
#[test]
fn kill_loses_no_durable_answer() {
    watchdog(|| {
        let server = Server::start(&["--durable", "--workers", "3"]);
        let address = server.address();
        let answered = Arc::new(AtomicUsize::new(0));
        let clients: Vec<_> = (0..12)
            .map(|client| {
                let answered = Arc::clone(&answered);
                thread::spawn(move || load(address, client, &answered))
            })
            .collect();
        eventually(|| answered.load(Relaxed) >= 500);
        server.signal("KILL");
        let sent: BTreeSet<String> =
            clients.into_iter().flat_map(|client| client.join().expect("a client")).collect();
        let ended = server.end();
        assert_eq!(ended.status.code(), None);
        let logged: BTreeSet<&str> = ended.log.iter().filter_map(|line| try_data(line)).collect();
        let lost: Vec<_> = sent.iter().filter(|sent| !logged.contains(sent.as_str())).collect();
        assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), sent.len());
    });
}

/// In order, by one client, and together by a run that drives itself.
#[test]
fn durable_server_answers_as_any_other() {
    watchdog(|| {
        let server = Server::start(&["--durable", "--workers", "1"]);
        let mut client = Client::connect(server.address());
        client.send((0..20).map(|n| post("/log", &format!("n={n}"))).collect::<String>());
        for n in 1..=20 {
            assert_eq!(client.answer().body, format!("recorded as {n}\n"));
        }
        client.send(get("/nowhere"));
        assert_eq!(client.answer().status, 404);
        server.stop().counted(21);
        let ended = Server::start(&["--durable", "--requests", "300", "--clients", "20"]).end().good();
        ended.counted(300);
    });
}

#[test]
fn log_of_an_earlier_run_is_appended_to() {
    watchdog(|| {
        let log = fresh_path();
        let run = |data: &str, own: bool| {
            let server = Server::start_with_log(log.clone(), own, &[]);
            let mut client = Client::connect(server.address());
            let answer = client.ask(get(&format!("/log?{data}")));
            assert_eq!(answer.status, 200);
            drop(client);
            (answer.body, server.stop())
        };
        assert_eq!(run("one", false).0, "recorded as 1\n");
        assert_eq!(run("two", false).0, "recorded as 2\n");
        // A server was killed while it wrote this; it has no end, and perhaps not even a whole number.
        for (torn, next) in [("3 17672", 4), ("4", 5)] {
            let before = fs::read_to_string(&log).expect("a log");
            fs::write(&log, before.clone() + torn).expect("a log");
            let (body, ended) = run("more", false);
            // The number of half a record may not be known; it is not used for a record before it.
            assert!(
                body == format!("recorded as {next}\n") || body == format!("recorded as {}\n", next - 1),
                "{body}"
            );
            assert!(ended.stderr.contains("half a record"), "{}", ended.stderr);
            let after = fs::read_to_string(&log).expect("a log");
            let rest = after.strip_prefix(&format!("{before}{torn}\n")).expect("what was there is there");
            assert!(rest.ends_with("GET /log?more 200 \"more\"\n") && rest.lines().count() == 1, "{rest}");
        }
        // A run that drives itself checks what it has added.
        let ended = Server::start_with_log(log.clone(), true, &["--requests", "40"]).end();
        assert!(ended.stdout.contains("served 40, logged 40, lost 0"), "{}{}", ended.stdout, ended.stderr);
        assert_eq!(ended.log.len(), 46);
    });
}

#[test]
fn second_server_on_the_same_log_is_refused() {
    watchdog(|| {
        let server = Server::start(&[]);
        let address = server.address();
        let ended =
            Server::start_with_log(server.log.path.clone(), false, &["--requests", "3"]).end().with_code(1);
        assert_eq!(ended.stdout, "");
        ended.complains("another process writes to it");
        assert_eq!(Client::connect(address).ask(get("/log?x")).status, 200);
        server.stop().counted(1);
    });
}

/// Memory of a process, at most, in kilobytes.
#[cfg(target_os = "linux")]
fn peak(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("procfs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// A pipe that no process reads is the slowest disk there is.
#[cfg(target_os = "linux")]
#[test]
fn records_that_wait_are_bounded_by_their_bytes() {
    const CLIENTS: usize = 400;
    watchdog(|| {
        let pipe = fresh_path();
        let made = Command::new("mkfifo").arg(&pipe).stderr(Stdio::inherit()).status();
        assert!(made.expect("mkfifo runs").success());
        // With both ends open neither side waits for the other to come.
        let mut disk = OpenOptions::new().read(true).write(true).open(&pipe).expect("a pipe");
        let server =
            Server::start_with_log(pipe.clone(), false, &["--log-bytes", "1000000", "--queue", "512"]);
        let address = server.address();
        let body = "x".repeat(60_000);
        let mut clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let mut client = Client::connect(address);
                client.send(post("/log", &body));
                client
            })
            .collect();
        // As many as there is room for have their answer; the others wait. Which they are is not said: a body
        // that comes in two pieces lets others go first.
        eventually(|| clients.iter().filter(|client| client.has_something_new()).count() >= 10);
        let reader = thread::spawn(move || {
            let (mut lines, mut chunk) = (0, vec![0; 1 << 16]);
            while lines < CLIENTS {
                let n = disk.read(&mut chunk).expect("records");
                lines += chunk[..n].iter().filter(|byte| **byte == b'\n').count();
            }
        });
        clients.iter_mut().for_each(|client| assert_eq!(client.answer().status, 200));
        reader.join().expect("a reader");
        let peak = peak(server.program.pid());
        assert!(peak < 20_000, "{peak} kB, for {} kB of records", CLIENTS * body.len() / 1000);
        server.stop();
        fs::remove_file(pipe).expect("the pipe is there");
    });
}
