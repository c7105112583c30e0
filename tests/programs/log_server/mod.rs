//! The example `log_server`, seen from outside: a process with a command line, a socket, a log and an exit
//! code.

#[cfg(feature = "diagnose")]
mod debug;
mod log;
mod requests;
mod slow;
mod stop;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::{env, fs, process};

use crate::built::path;
use crate::program::{self, LIMIT, Program};
use crate::support::watchdog;

/// A path in the temporary directory that no other test uses.
fn fresh_path() -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Relaxed);
    env::temp_dir().join(format!("lockwork-test-{}-{number}.log", process::id()))
}

/// A running server. Killed when it is dropped, and when it runs for too long.
struct Server {
    program: Program,
    log: Log,
}

/// The log of a server.
struct Log {
    path: PathBuf,
    /// Whether it is ours to remove.
    is_own: bool,
}

/// How a server ended.
struct Ended {
    status: ExitStatus,
    stdout: String,
    stderr: String,
    log: Vec<String>,
}

impl Server {
    fn start(options: &[&str]) -> Self {
        Self::start_with_log(fresh_path(), true, options)
    }

    fn start_with_log(log: PathBuf, own_log: bool, options: &[&str]) -> Self {
        Self::spawn(Command::new(path("log_server")), log, own_log, options)
    }

    /// Starts it by a command that ends in it.
    fn spawn(mut command: Command, log: PathBuf, own_log: bool, options: &[&str]) -> Self {
        command.arg("--log").arg(&log).args(options);
        let program = Program::start_command("log_server", command);
        Self { program, log: Log { path: log, is_own: own_log } }
    }

    /// Where it listens.
    #[track_caller]
    fn address(&self) -> SocketAddr {
        let line = self.program.line();
        let address = line.strip_prefix("listening on http://").and_then(|address| address.parse().ok());
        address.unwrap_or_else(|| panic!("not an address: {line}"))
    }

    fn signal(&self, signal: &str) {
        self.program.signal(signal);
    }

    fn has_complained(&self, part: &str) -> bool {
        self.program.has_complained(part)
    }

    /// Waits for its end.
    #[track_caller]
    fn end(self) -> Ended {
        let program::Ended { status, stdout, stderr } = self.program.end();
        let log = self.log.read();
        let killed = status.code().is_none();
        assert!(killed || log.is_empty() || log.ends_with('\n'), "the last record is torn");
        Ended { status, stdout, stderr, log: log.lines().map(str::to_owned).collect() }
    }

    /// Interrupts it and waits for its end, which must be a good one.
    #[track_caller]
    fn stop(self) -> Ended {
        self.signal("INT");
        self.end().good()
    }
}

impl Log {
    fn read(&self) -> String {
        if self.is_own { fs::read_to_string(&self.path).unwrap_or_default() } else { String::new() }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if self.is_own {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Ended {
    /// It has succeeded, and the numbers of the records ascend.
    #[track_caller]
    fn good(self) -> Self {
        assert!(self.status.success(), "{}, stdout:\n{}stderr:\n{}", self.status, self.stdout, self.stderr);
        let numbers = self.numbers();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        self
    }

    /// It says so itself.
    #[track_caller]
    fn counted(self, served: usize) -> Self {
        assert_eq!(self.log.len(), served);
        let line = format!("served {served}, logged {served}, lost 0");
        assert!(self.stdout.lines().any(|said| said == line), "{line} is not in\n{}", self.stdout);
        self
    }

    #[track_caller]
    fn with_code(self, code: i32) -> Self {
        let Self { status, stdout, stderr, .. } = &self;
        assert_eq!(status.code(), Some(code), "{status}, stdout:\n{stdout}stderr:\n{stderr}");
        self
    }

    #[track_caller]
    fn complains(self, part: &str) -> Self {
        assert!(self.stderr.contains(part), "{part:?} is not in\n{}", self.stderr);
        self
    }

    fn numbers(&self) -> Vec<u64> {
        let number = |line: &String| line.split(' ').next().and_then(|number| number.parse().ok());
        self.log.iter().map(|line| number(line).expect("a number")).collect()
    }

    /// The records' fields from the method on.
    fn records(&self) -> Vec<&str> {
        self.log.iter().map(|line| line.splitn(4, ' ').nth(3).expect("a record")).collect()
    }
}

/// A client of the server, which need not speak HTTP.
struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    fn keeps_alive(&self) -> bool {
        match self.field("connection").expect("every answer says what becomes of the connection") {
            "keep-alive" => true,
            "close" => false,
            other => panic!("Connection: {other}"),
        }
    }
}

impl Client {
    #[track_caller]
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, LIMIT).expect("a connection");
        stream.set_read_timeout(Some(LIMIT)).expect("a time-out");
        stream.set_write_timeout(Some(LIMIT)).expect("a time-out");
        stream.set_nodelay(true).expect("no delay");
        Self { stream, received: Vec::new() }
    }

    #[track_caller]
    fn send(&mut self, text: impl AsRef<[u8]>) {
        self.stream.write_all(text.as_ref()).expect("a server that listens");
    }

    /// Receives until `complete` says how many bytes are wanted. `None` if the connection ends before the
    /// first byte.
    #[track_caller]
    fn receive<T>(&mut self, mut complete: impl FnMut(&[u8]) -> Option<(T, usize)>) -> Option<T> {
        loop {
            if let Some((result, len)) = complete(&self.received) {
                self.received.drain(..len);
                return Some(result);
            }
            let mut chunk = [0; 4096];
            match self.stream.read(&mut chunk).expect("an answer") {
                0 if self.received.is_empty() => return None,
                0 => panic!("half an answer: {:?}", String::from_utf8_lossy(&self.received)),
                n => self.received.extend_from_slice(&chunk[..n]),
            }
        }
    }

    #[track_caller]
    fn try_answer(&mut self, with_body: bool) -> Option<Answer> {
        self.receive(|bytes| {
            let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
            let head = String::from_utf8(bytes[..end].to_vec()).expect("a head in UTF-8");
            let status =
                head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).expect("a status line");
            let mut answer =
                Answer { status: status.parse().expect("a status"), head: head.clone(), body: String::new() };
            if answer.status == 100 {
                return Some((answer, end));
            }
            let len: usize = answer.field("content-length").expect("a length").parse().expect("a number");
            let len = if with_body { len } else { 0 };
            let body = bytes.get(end..end + len)?;
            answer.body = String::from_utf8(body.to_vec()).expect("a body in UTF-8");
            Some((answer, end + len))
        })
    }

    /// Whether something has come that was not received yet.
    #[track_caller]
    fn has_something_new(&self) -> bool {
        self.stream.set_nonblocking(true).expect("a mode");
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).expect("a mode");
        matches!(peeked, Ok(1..))
    }

    #[track_caller]
    fn answer(&mut self) -> Answer {
        self.try_answer(true).expect("an answer before the end")
    }

    #[track_caller]
    fn ask(&mut self, text: impl AsRef<[u8]>) -> Answer {
        self.send(text);
        self.answer()
    }

    /// The server has closed the connection, in order, and has said nothing more.
    #[track_caller]
    fn expect_end(&mut self) {
        if let Some(answer) = self.try_answer(true) {
            panic!("one answer too many: {answer:?}");
        }
    }
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: here\r\n\r\n")
}

fn post(target: &str, body: &str) -> String {
    format!("POST {target} HTTP/1.1\r\nHost: here\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// The data of records, which is what is in quotes at the end.
fn data(record: &str) -> &str {
    record.split_once(" \"").and_then(|(_, data)| data.strip_suffix('"')).expect("data in quotes")
}

// --- the server as its own client ---

#[track_caller]
fn drive_itself(requests: usize, options: &[&str]) {
    let count = requests.to_string();
    let options = [&["--requests", count.as_str()], options].concat();
    let ended = Server::start(&options).end().good().counted(requests);
    let expected: BTreeSet<String> = (0..requests).map(|request| format!("request={request}")).collect();
    let found: BTreeSet<String> = ended.records().into_iter().map(|record| data(record).to_owned()).collect();
    assert_eq!(found, expected);
    assert!(ended.stdout.contains("requests/s"), "{}", ended.stdout);
    if requests != 0 {
        assert!(ended.stderr.contains(&format!("{requests} served")), "no progress in {:?}", ended.stderr);
    }
}

#[test]
fn self_driven_run_loses_nothing() {
    watchdog(|| drive_itself(300, &["--clients", "7"]));
}

#[test]
fn self_driven_run_takes_any_number_of_requests() {
    watchdog(|| {
        drive_itself(0, &[]);
        drive_itself(1, &[]);
        drive_itself(7, &[]);
        drive_itself(101, &["--clients", "10", "--workers", "3"]);
    });
}

#[test]
fn self_driven_run_survives_tiny_queues() {
    watchdog(|| {
        drive_itself(400, &["--clients", "16", "--workers", "1", "--queue", "1", "--log-queue", "1"]);
        drive_itself(400, &["--clients", "16", "--workers", "3", "--queue", "2", "--log-queue", "1"]);
    });
}

#[test]
fn bad_command_lines_are_refused() {
    watchdog(|| {
        let bad: [&[&str]; 11] = [
            &["--workers", "0"],
            &["--queue", "0"],
            &["--log-queue", "0"],
            &["--log-bytes", "0"],
            &["--connections", "0"],
            &["--clients", "0"],
            &["--max-head", "0"],
            &["--read-timeout-ms", "0"],
            &["--port", "65536"],
            &["--requests", "many"],
            &["--unknown"],
        ];
        for options in bad {
            let ended = Server::start(options).end();
            assert_eq!(ended.status.code(), Some(2), "{options:?}");
            assert!(ended.stderr.contains(options[0]), "{options:?}: {}", ended.stderr);
        }
    });
}

#[test]
fn help_shows_an_example_and_version_a_version() {
    watchdog(|| {
        let say = |option: &str| {
            let output = Command::new(path("log_server")).arg(option).output().expect("the example runs");
            assert_eq!(output.status.code(), Some(0), "{option}");
            String::from_utf8(output.stdout).expect("UTF-8")
        };
        let help = say("--help");
        assert!(help.contains("Example") && help.contains("log_server --port 8080"), "{help}");
        assert!(help.contains("130"), "{help}");
        assert!(say("--version").starts_with("log_server 0."));
    });
}

/// A log that has no name would not be looked for.
#[test]
fn log_without_a_name_is_removed_by_a_run_and_kept_by_a_server() {
    watchdog(|| {
        let log_of = |stdout: &str| {
            PathBuf::from(stdout.lines().find_map(|line| line.strip_prefix("logging to ")).expect("a path"))
        };
        let output = Command::new(path("log_server")).args(["--requests", "3"]).output().expect("it runs");
        assert_eq!(output.status.code(), Some(0));
        let stdout = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(stdout.contains("served 3, logged 3, lost 0"), "{stdout}");
        assert!(!log_of(&stdout).exists(), "{stdout}");

        let server = Program::start("log_server", &[]);
        let listening = server.line();
        let log = log_of(&server.line());
        let address = listening.strip_prefix("listening on http://").expect("an address");
        assert_eq!(Client::connect(address.parse().expect("an address")).ask(get("/log?x")).status, 200);
        server.signal("INT");
        server.end().with_code(0);
        assert_eq!(fs::read_to_string(&log).expect("the log").lines().count(), 1);
        fs::remove_file(log).expect("the log is there");
    });
}

/// What no reader is told is a failure, although the log is complete.
#[cfg(target_os = "linux")]
#[test]
fn report_that_cannot_be_written_is_a_failure() {
    watchdog(|| {
        let run = Program::start_after("exec >/dev/full", "log_server", &["--requests", "3"]);
        run.end().with_code(1).complains("log_server: cannot write to standard output");
    });
}
