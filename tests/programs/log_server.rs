//! The example `log_server`, seen from outside: a process with a command line, a socket, a log and an exit code.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{env, fs, iter, process};

use lockwork::{Event, Mutex};

use crate::built::path;
use crate::support::{eventually, watchdog};

/// After this a server is killed, and whoever waits for it learns why. Less than the limit of a test.
const LIMIT: Duration = Duration::from_secs(240);

/// A path in the temporary directory that no other test uses.
fn fresh_path() -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Relaxed);
    env::temp_dir().join(format!("lockwork-test-{}-{number}.log", process::id()))
}

/// A running server. Killed when it is dropped, and when it runs for too long.
struct Server {
    child: Arc<Mutex<Child>>,
    pid: u32,
    ended: Arc<Event>,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
    lines: mpsc::Receiver<String>,
    log: PathBuf,
    /// Whether the log is ours to remove.
    own_log: bool,
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
        let mut child = Command::new(path("log_server"))
            .arg("--log")
            .arg(&log)
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the example starts");
        let (stdout, stderr) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
        let (send, lines) = mpsc::channel();
        let stdout = thread::spawn(move || {
            let mut all = String::new();
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                all.push_str(&line);
                all.push('\n');
                // Nobody listens any more once the address is known.
                let _ = send.send(line);
            }
            all
        });
        let stderr = thread::spawn(move || {
            let mut all = Vec::new();
            let _ = BufReader::new(stderr).read_to_end(&mut all);
            String::from_utf8_lossy(&all).into_owned()
        });

        let (pid, child, ended) = (child.id(), Arc::new(Mutex::new(child)), Arc::new(Event::new()));
        let (watched, over) = (Arc::clone(&child), Arc::clone(&ended));
        thread::spawn(move || {
            if !over.wait_for(LIMIT) {
                eprintln!("log_server runs for more than {LIMIT:?}, so it hangs: it is killed");
                let _ = watched.lock().kill();
            }
        });
        Self { child, pid, ended, stdout: Some(stdout), stderr: Some(stderr), lines, log, own_log }
    }

    /// Where it listens.
    #[track_caller]
    fn address(&self) -> SocketAddr {
        let line = self.lines.recv_timeout(LIMIT).expect("a server that says where it listens");
        let address = line.strip_prefix("listening on http://").and_then(|address| address.parse().ok());
        address.unwrap_or_else(|| panic!("not an address: {line}"))
    }

    /// Sends a signal, as a terminal or a service manager does.
    fn signal(&self, signal: &str) {
        let status = Command::new("kill").arg(format!("-{signal}")).arg(self.pid.to_string()).status();
        assert!(status.expect("kill runs").success());
    }

    /// Waits for its end.
    #[track_caller]
    fn end(mut self) -> Ended {
        let mut status = None;
        // The watchdog ends this if nothing else does.
        eventually(|| {
            // The lock is not held while waiting: the watchdog needs it.
            status = self.child.lock().try_wait().expect("a child that can be waited for");
            status.is_some()
        });
        self.ended.set();
        let read =
            |output: Option<JoinHandle<String>>| output.expect("read once").join().expect("it is read");
        let (stdout, stderr) = (read(self.stdout.take()), read(self.stderr.take()));
        let log =
            if self.own_log { fs::read_to_string(&self.log).unwrap_or_default() } else { String::new() };
        assert!(log.is_empty() || log.ends_with('\n'), "the last record is torn");
        let log = log.lines().map(str::to_owned).collect();
        Ended { status: status.expect("it has ended"), stdout, stderr, log }
    }

    /// Interrupts it and waits for its end, which must be a good one.
    #[track_caller]
    fn stop(self) -> Ended {
        self.signal("INT");
        self.end().good()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.set();
        // If it has ended already, there is nothing to kill.
        let mut child = self.child.lock();
        let _ = child.kill();
        let _ = child.wait();
        if self.own_log {
            let _ = fs::remove_file(&self.log);
        }
    }
}

impl Ended {
    /// It has succeeded, and every record has a number of its own.
    #[track_caller]
    fn good(self) -> Self {
        assert!(self.status.success(), "{}, stdout:\n{}stderr:\n{}", self.status, self.stdout, self.stderr);
        let numbers: BTreeSet<&str> =
            self.log.iter().map(|line| line.split(' ').next().unwrap_or("")).collect();
        assert_eq!(numbers.len(), self.log.len(), "records share a number");
        assert!(numbers.iter().all(|number| number.parse::<u64>().is_ok()), "{numbers:?}");
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

    /// The records' fields from the method on.
    fn records(&self) -> Vec<&str> {
        self.log.iter().map(|line| line.splitn(4, ' ').nth(3).expect("a record")).collect()
    }
}

/// Somebody who speaks to the server, and need not speak HTTP.
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

    /// Receives until `complete` says how many bytes are wanted. `None` if the connection ends before the first byte.
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

// --- the server as its own client ----------------------------------------------------------------------------------

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
        let bad: [&[&str]; 9] = [
            &["--workers", "0"],
            &["--queue", "0"],
            &["--log-queue", "0"],
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
fn default_log_is_a_new_file() {
    watchdog(|| {
        let output =
            Command::new(path("log_server")).args(["--requests", "3"]).output().expect("the example runs");
        let stdout = String::from_utf8(output.stdout).expect("UTF-8");
        let path = stdout.lines().find_map(|line| line.strip_prefix("logging to ")).expect("a path");
        assert_eq!(fs::read_to_string(path).expect("the log").lines().count(), 3);
        fs::remove_file(path).expect("the log is there");
    });
}

// --- trouble with the log ------------------------------------------------------------------------------------------

#[test]
fn log_that_cannot_be_opened_is_reported() {
    watchdog(|| {
        let ended = Server::start_with_log("/nonexistent/log".into(), false, &["--requests", "5"]).end();
        assert_eq!(ended.status.code(), Some(1));
        assert!(ended.stderr.contains("cannot open the log /nonexistent/log"), "{}", ended.stderr);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn full_disk_ends_a_self_driven_run_with_an_error() {
    watchdog(|| {
        let ended = Server::start_with_log("/dev/full".into(), false, &["--requests", "500"]).end();
        assert_eq!(ended.status.code(), Some(1), "{}", ended.stdout);
        assert!(ended.stderr.contains("cannot write the log /dev/full"), "{}", ended.stderr);
        assert!(ended.stdout.contains("logged 0, lost"), "{}", ended.stdout);
    });
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
        let ended = server.end();
        assert_eq!(ended.status.code(), Some(1), "{}", ended.stdout);
        assert!(ended.stderr.contains("cannot write the log /dev/full"), "{}", ended.stderr);
    });
}

// --- requests and answers ------------------------------------------------------------------------------------------

#[test]
fn connections_are_kept_alive() {
    watchdog(|| {
        let server = Server::start(&["--workers", "1"]);
        let mut client = Client::connect(server.address());
        for round in 0..20 {
            let answer = client.ask(get(&format!("/log?round={round}")));
            assert_eq!((answer.status, answer.keeps_alive()), (200, true));
        }
        drop(client);
        let ended = server.stop().counted(20);
        let expected: Vec<_> = (0..20).map(|n| format!("GET /log?round={n} 200 \"round={n}\"")).collect();
        assert_eq!(ended.records(), expected);
    });
}

#[test]
fn connections_end_when_the_client_wants() {
    watchdog(|| {
        let server = Server::start(&[]);
        let address = server.address();
        let endings = [
            "GET /health HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n",
            "GET /health HTTP/1.1\r\nHost: here\r\nconnection: x, CLOSE\r\n\r\n",
            "GET /health HTTP/1.0\r\n\r\n",
        ];
        for text in endings {
            let mut client = Client::connect(address);
            let answer = client.ask(text);
            assert_eq!(
                (answer.status, answer.keeps_alive(), answer.body.as_str()),
                (200, false, "ok\n"),
                "{text}"
            );
            client.expect_end();
        }
        // The old version with the extension of its time.
        let mut client = Client::connect(address);
        for _ in 0..2 {
            assert!(client.ask("GET /health HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keeps_alive());
        }
        // A client that has closed its side can still be answered.
        let mut client = Client::connect(address);
        client.send(get("/health"));
        client.stream.shutdown(Shutdown::Write).expect("half an end");
        assert_eq!(client.answer().status, 200);
        client.expect_end();
        server.stop().counted(6);
    });
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    watchdog(|| {
        let server = Server::start(&["--workers", "2"]);
        let mut client = Client::connect(server.address());
        let requests: String = (0..100)
            .map(|n| if n % 3 == 0 { post("/log", &format!("n={n}")) } else { get(&format!("/log?n={n}")) })
            .collect();
        client.send(requests);
        client.send(get("/nowhere"));
        // In two pieces, of which the first ends in the midst of a head.
        let (first, second) = (get("/health"), get("/stats"));
        client.send([&first, &second[..9]].concat());
        let numbers: Vec<u64> = (0..100)
            .map(|_| {
                let answer = client.answer();
                assert_eq!(answer.status, 200);
                answer.body.trim().strip_prefix("recorded as ").expect("a number").parse().expect("a number")
            })
            .collect();
        assert!(numbers.is_sorted(), "{numbers:?}");
        assert_eq!(client.answer().status, 404);
        assert_eq!(client.answer().body, "ok\n");
        let stats = client.ask(&second[9..]);
        assert!(stats.body.contains("answered 102\n"), "{}", stats.body);
        drop(client);
        let ended = server.stop().counted(103);
        let expected: Vec<_> = (0..100).map(|n| format!("n={n}")).collect();
        assert_eq!(ended.records().into_iter().take(100).map(data).collect::<Vec<_>>(), expected);
    });
}

/// Every sample of the page has a type and a help text before it, and says what has happened.
#[test]
fn metrics_are_what_has_happened() {
    watchdog(|| {
        let server = Server::start(&["--workers", "3", "--queue", "9"]);
        let mut client = Client::connect(server.address());
        for _ in 0..5 {
            assert_eq!(client.ask(get("/log?x")).status, 200);
        }
        assert_eq!(client.ask(get("/nowhere")).status, 404);
        let sample = |page: &Answer, name: &str| {
            let mut typed = (false, false);
            for line in page.body.lines() {
                if let Some(value) = line.strip_prefix(&format!("log_server_{name} ")) {
                    assert_eq!(typed, (true, true), "{name} has no help or no type: {}", page.body);
                    return value.parse::<u64>().expect("a number");
                }
                typed.0 |= line.starts_with(&format!("# HELP log_server_{name} "));
                typed.1 |= line.starts_with(&format!("# TYPE log_server_{name} "));
            }
            panic!("{name} is not in {}", page.body)
        };
        let page = client.ask(get("/metrics"));
        assert_eq!(page.status, 200);
        assert_eq!(page.field("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        for (name, value) in [
            ("requests_answered_total", 6),
            // Its own record is handed over when the page is made.
            ("records_queued_total", 6),
            ("connections_accepted_total", 1),
            ("connections_broken_total", 0),
            ("connections_open", 1),
            ("connections_waiting", 0),
            ("connections_waiting_limit", 9),
            ("requests_unlogged_total", 0),
            ("workers", 3),
        ] {
            assert_eq!(sample(&page, name), value, "{name}: {}", page.body);
        }
        // The logger is not waited for.
        let mut requests = 7;
        eventually(|| {
            let page = client.ask(get("/metrics"));
            requests += 1;
            sample(&page, "records_logged_total") >= 7
        });
        assert_eq!(client.ask("POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n").status, 405);
        drop(client);
        server.stop().counted(requests + 1);
    });
}

#[test]
fn records_are_single_lines() {
    watchdog(|| {
        let server = Server::start(&[]);
        let mut client = Client::connect(server.address());
        let bodies = ["", "two\r\nlines", "\"quoted\" \\ \0\x1b[2J", "gr\u{fc}n \u{2028} \u{202e}", "it's"];
        for body in bodies {
            assert_eq!(client.ask(post("/log", body)).status, 200);
        }
        let mut bytes = b"POST /log HTTP/1.1\r\nContent-Length: 4\r\n\r\n".to_vec();
        bytes.extend_from_slice(b"a\xff\xc3b");
        assert_eq!(client.ask(bytes).status, 200);
        assert_eq!(client.ask("GET /log?\u{85}\"a\" HTTP/1.1\r\n\r\n").status, 200);
        drop(client);
        let ended = server.stop().counted(7);
        let expected = [
            "POST /log 200 \"\"",
            "POST /log 200 \"two\\r\\nlines\"",
            "POST /log 200 \"\\\"quoted\\\" \\\\ \\0\\u{1b}[2J\"",
            "POST /log 200 \"gr\u{fc}n \\u{2028} \\u{202e}\"",
            "POST /log 200 \"it's\"",
            "POST /log 200 \"a\\xff\\xc3b\"",
            "GET /log?\\u{85}\\\"a\\\" 200 \"\\u{85}\\\"a\\\"\"",
        ];
        assert_eq!(ended.records(), expected);
    });
}

/// What is no request ends the connection; what is one, though not a good one, does not.
#[test]
fn bad_requests_are_refused() {
    watchdog(|| {
        let server = Server::start(&["--max-body", "100", "--max-head", "1000"]);
        let address = server.address();
        let long_header = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(2000));
        let many_headers = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(100));
        let cases: [(&str, u16, bool); 30] = [
            ("nonsense\r\n\r\n", 400, false),
            ("\u{16}\u{3}\u{1}", 400, false),
            ("{\"json\": true}\r\n\r\n", 400, false),
            ("GET / FTP/1.1\r\n\r\n", 400, false),
            ("GET /\r\n\r\n", 400, false),
            ("GET / HTTP/1.1\r\nno colon\r\n\r\n", 400, false),
            ("GET / HTTP/1.1\r\nspace : x\r\n\r\n", 400, false),
            ("GET / HTTP/2.0\r\n\r\n", 505, false),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, false),
            ("POST /log HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400, false),
            ("POST /log HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\nx", 400, false),
            ("POST /log HTTP/1.1\r\nContent-Length: +1\r\n\r\nx", 400, false),
            ("POST /log HTTP/1.1\r\nContent-Length: -1\r\n\r\nx", 400, false),
            ("POST /log HTTP/1.1\r\nContent-Length:\r\n\r\nx", 400, false),
            ("POST /log HTTP/1.1\r\nContent-Length: 101\r\n\r\n", 413, false),
            ("POST /log HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", 413, false),
            ("POST /log HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 501, false),
            ("POST /log HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400, false),
            ("POST /log HTTP/1.1\r\nExpect: miracles\r\nContent-Length: 1\r\n\r\n", 417, false),
            (&long_header, 431, false),
            (&many_headers, 431, false),
            ("GET /nowhere HTTP/1.1\r\n\r\n", 404, true),
            ("POST /nowhere HTTP/1.1\r\nContent-Length: 3\r\n\r\nxyz", 404, true),
            ("GET /healthy HTTP/1.1\r\n\r\n", 404, true),
            ("DELETE /log HTTP/1.1\r\n\r\n", 405, true),
            ("POST /health HTTP/1.1\r\nContent-Length: 3\r\n\r\nxyz", 405, true),
            ("BREW /log HTTP/1.1\r\n\r\n", 501, true),
            ("\r\n\r\nGET /health HTTP/1.1\r\n\r\n", 200, true),
            ("GET http://elsewhere/health?now HTTP/1.1\r\n\r\n", 200, true),
            ("GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\nxyz", 200, true),
        ];
        for (text, status, keeps_alive) in cases {
            let mut client = Client::connect(address);
            let answer = client.ask(text);
            assert_eq!((answer.status, answer.keeps_alive()), (status, keeps_alive), "{text:?}: {answer:?}");
            if keeps_alive {
                assert_eq!(client.ask(get("/health")).status, 200, "after {text:?}");
            } else {
                client.expect_end();
            }
            if status == 405 {
                assert!(answer.field("allow").is_some_and(|methods| methods.contains("GET")), "{answer:?}");
            }
        }
        let kept = cases.iter().filter(|case| case.2).count();
        let ended = server.stop().counted(cases.len() + kept);
        let statuses: Vec<_> =
            ended.records().iter().map(|record| record.split(' ').nth(2).unwrap_or("")).collect();
        for (text, status, _) in cases {
            assert!(statuses.contains(&status.to_string().as_str()), "{text:?} is not in the log");
        }
    });
}

/// An answer reaches a client that has much more to say: the server does not slam the door.
#[test]
fn refusal_of_a_long_body_can_be_read() {
    watchdog(|| {
        let server = Server::start(&["--max-body", "1000"]);
        let address = server.address();
        for _ in 0..5 {
            let mut client = Client::connect(address);
            client.send(post("/log", &"x".repeat(1 << 20)));
            assert_eq!(client.answer().status, 413);
            client.expect_end();
        }
        // The answer is there, and the client goes on all the same. A closed door would make its second attempt fail.
        let mut client = Client::connect(address);
        client.send("POST /log HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n");
        assert_eq!(client.stream.peek(&mut [0]).expect("an answer"), 1);
        for _ in 0..5 {
            client.send("x".repeat(10_000));
        }
        assert_eq!(client.answer().status, 413);
        client.expect_end();
        // The longest body there may be.
        let mut client = Client::connect(address);
        assert_eq!(client.ask(post("/log", &"y".repeat(1000))).status, 200);
        drop(client);
        server.stop().counted(7);
    });
}

#[test]
fn head_may_be_as_long_as_the_limit() {
    watchdog(|| {
        let server = Server::start(&["--max-head", "200"]);
        let address = server.address();
        for (len, status) in [(199, 200), (200, 200), (201, 431), (300, 431)] {
            let start = "GET /health HTTP/1.1\r\nX: ";
            let text = format!("{start}{}\r\n\r\n", "x".repeat(len - start.len() - 4));
            assert_eq!(Client::connect(address).ask(text).status, status, "{len}");
        }
        // Without an end in sight.
        let mut client = Client::connect(address);
        assert_eq!(client.ask(format!("GET /{}", "x".repeat(1000))).status, 431);
        client.expect_end();
        server.stop().counted(5);
    });
}

#[test]
fn head_is_answered_without_a_body() {
    watchdog(|| {
        let server = Server::start(&[]);
        let mut client = Client::connect(server.address());
        for (target, status, len) in [("/health", 200, "3"), ("/nowhere", 404, "22")] {
            client.send(format!("HEAD {target} HTTP/1.1\r\n\r\n"));
            let answer = client.try_answer(false).expect("an answer");
            assert_eq!((answer.status, answer.field("content-length")), (status, Some(len)));
        }
        // Nothing was left over from the answers before.
        assert_eq!(client.ask(get("/health")).body, "ok\n");
        drop(client);
        server.stop().counted(3);
    });
}

#[test]
fn waiting_client_is_told_to_continue() {
    watchdog(|| {
        let server = Server::start(&["--max-body", "10"]);
        let address = server.address();
        let head = |target: &str, len| {
            format!(
                "POST {target} HTTP/1.1\r\nHost: here\r\nExpect: 100-continue\r\nContent-Length: {len}\r\n\r\n"
            )
        };
        let mut client = Client::connect(address);
        for _ in 0..2 {
            assert_eq!(client.ask(head("/log", 4)).status, 100);
            assert_eq!(client.ask("body").status, 200);
        }
        // It does not wait: it needs no word.
        assert_eq!(client.ask(head("/log", 4) + "body").status, 200);
        // There is no body to wait for.
        assert_eq!(client.ask(head("/log", 0)).status, 200);
        drop(client);
        // Nobody wants the body.
        for (target, len, status) in [("/log", 11, 413), ("/nowhere", 4, 404), ("/health", 4, 405)] {
            let mut client = Client::connect(address);
            let answer = client.ask(head(target, len));
            assert_eq!((answer.status, answer.keeps_alive()), (status, false));
            client.expect_end();
        }
        server.stop().counted(7);
    });
}

// --- slow clients --------------------------------------------------------------------------------------------------

/// Sends a byte now and then until it gets an answer, and returns that.
fn drip(address: SocketAddr, text: &'static str) -> JoinHandle<Answer> {
    let mut client = Client::connect(address);
    client.send(&text[..1]);
    thread::spawn(move || {
        let step = Duration::from_millis(20);
        client.stream.set_read_timeout(Some(step)).expect("a time-out");
        for byte in text.bytes().skip(1).chain(iter::repeat(b'x')) {
            // An answer is what it waits for between two bytes.
            let mut one = [0];
            match client.stream.peek(&mut one) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                result => {
                    assert_ne!(result.expect("an answer"), 0, "the connection ends without an answer");
                    break;
                }
            }
            client.send([byte]);
        }
        client.stream.set_read_timeout(Some(LIMIT)).expect("a time-out");
        let answer = client.answer();
        client.expect_end();
        answer
    })
}

#[test]
fn slow_clients_do_not_hold_the_only_worker() {
    watchdog(|| {
        let server = Server::start(&["--workers", "1", "--read-timeout-ms", "1500"]);
        let address = server.address();
        let start = Instant::now();
        let slow = [
            drip(address, "GET /log?slowly HTTP/1.1\r\nX: "),
            drip(address, "POST /log HTTP/1.1\r\nContent-Length: 50000\r\n\r\n"),
            drip(address, "GET /health HTTP/1.1\r\nHost: here\r\nY: "),
        ];
        // One that says nothing at all, and two that were answered and say nothing more.
        let mut silent = Client::connect(address);
        let mut idle = [Client::connect(address), Client::connect(address)];
        for client in &mut idle {
            assert_eq!(client.ask(get("/health")).status, 200);
        }
        // All of them have the worker's attention, and so has everybody else.
        for _ in 0..10 {
            let mut client = Client::connect(address);
            assert_eq!(client.ask(get("/health")).status, 200);
            assert_eq!(client.ask(get("/log?quickly")).status, 200);
        }
        assert!(
            slow.iter().all(|client| !client.is_finished()),
            "served after the slow ones: {:?}",
            start.elapsed()
        );
        for client in slow {
            let answer = client.join().expect("an answer to a slow client");
            assert_eq!((answer.status, answer.keeps_alive()), (408, false));
        }
        // Each has had its full time, and not more than that, whatever it has sent meanwhile.
        let elapsed = start.elapsed();
        assert!(elapsed >= Duration::from_millis(1500), "{elapsed:?}");
        assert!(elapsed < LIMIT, "{elapsed:?}");
        assert_eq!(silent.answer().status, 408);
        silent.expect_end();
        idle.iter_mut().for_each(Client::expect_end);
        server.stop().counted(2 + 20 + 3 + 1);
    });
}

/// Also when the line is full, and clients that must wait have to be let in some time.
#[test]
fn slow_clients_do_not_hold_a_full_line_for_ever() {
    watchdog(|| {
        let server = Server::start(&["--workers", "1", "--queue", "1", "--read-timeout-ms", "300"]);
        let address = server.address();
        let slow: Vec<_> = (0..6).map(|_| drip(address, "GET /health HTTP/1.1\r\nX: ")).collect();
        assert_eq!(Client::connect(address).ask(get("/health")).status, 200);
        for client in slow {
            assert_eq!(client.join().expect("an answer").status, 408);
        }
        server.stop().counted(7);
    });
}

// --- the stop ------------------------------------------------------------------------------------------------------

#[track_caller]
fn stops_in_order(signal: &str) {
    let server = Server::start(&["--workers", "2"]);
    let address = server.address();
    let (mut idle, mut silent) = (Client::connect(address), Client::connect(address));
    assert_eq!(idle.ask(get("/health")).status, 200);
    // Two requests in progress, of which one has its body to come.
    let (first, second) = (get("/log?first"), post("/log", "second"));
    let (mut one, mut two) = (Client::connect(address), Client::connect(address));
    one.send(&first[..20]);
    two.send(&second[..second.len() - 3]);

    server.signal(signal);
    // Nobody else is let in, and who has nothing to say is let go.
    eventually(|| TcpStream::connect_timeout(&address, LIMIT).is_err());
    idle.expect_end();
    silent.expect_end();
    // What has begun is brought to an end.
    for (client, rest) in [(&mut one, &first[20..]), (&mut two, &second[second.len() - 3..])] {
        let answer = client.ask(rest);
        assert_eq!((answer.status, answer.keeps_alive()), (200, false));
        client.expect_end();
    }
    let ended = server.end().good().counted(3);
    let mut data: Vec<_> = ended.records().into_iter().map(data).collect();
    data.sort_unstable();
    assert_eq!(data, ["", "first", "second"]);
}

#[test]
fn interrupt_lets_requests_in_progress_finish() {
    watchdog(|| stops_in_order("INT"));
}

#[test]
fn termination_lets_requests_in_progress_finish() {
    watchdog(|| stops_in_order("TERM"));
}

/// Also who has connected and could not be accepted yet, because everything was full.
#[test]
fn clients_in_the_backlog_are_answered_at_the_stop() {
    watchdog(|| {
        let server = Server::start(&["--workers", "1", "--queue", "1"]);
        let address = server.address();
        let text = get("/log?x");
        // One with the worker, one in line, and one that the acceptor would like to put there.
        let mut slow: Vec<_> = (0..3).map(|_| Client::connect(address)).collect();
        slow.iter_mut().for_each(|client| client.send(&text[..9]));
        let mut late: Vec<_> = (0..5).map(|_| Client::connect(address)).collect();
        late.iter_mut().for_each(|client| client.send(&text));
        server.signal("INT");
        slow.iter_mut().for_each(|client| client.send(&text[9..]));
        for client in slow.iter_mut().chain(&mut late) {
            assert_eq!(client.answer().status, 200);
            client.expect_end();
        }
        server.end().good().counted(8);
    });
}

#[test]
fn stop_does_not_wait_for_a_slow_client_for_ever() {
    watchdog(|| {
        let server = Server::start(&["--workers", "1", "--read-timeout-ms", "400"]);
        let address = server.address();
        let slow: Vec<_> = (0..3).map(|_| drip(address, "GET /health HTTP/1.1\r\nX: ")).collect();
        server.stop().counted(3);
        for client in slow {
            assert_eq!(client.join().expect("an answer").status, 408);
        }
    });
}

/// The promise: who has an answer has a record, whenever the stop comes.
#[test]
fn every_answered_request_is_logged_when_stopped_under_load() {
    watchdog(|| {
        for queue in ["1", "64"] {
            let server = Server::start(&["--workers", "3", "--queue", queue, "--log-queue", "2"]);
            let address = server.address();
            let answered = Arc::new(AtomicUsize::new(0));
            let clients: Vec<_> = (0..6)
                .map(|client| {
                    let answered = Arc::clone(&answered);
                    thread::spawn(move || load(address, client, &answered))
                })
                .collect();
            eventually(|| answered.load(Relaxed) >= 300);
            server.signal("INT");
            let expected: BTreeSet<String> =
                clients.into_iter().flat_map(|client| client.join().expect("a client")).collect();
            let ended = server.end().good();
            let records = ended.records();
            let logged: BTreeSet<&str> = records.iter().map(|record| data(record)).collect();
            let lost: Vec<_> = expected.iter().filter(|sent| !logged.contains(sent.as_str())).collect();
            assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), expected.len());
            assert!(ended.stdout.contains("lost 0"), "{}", ended.stdout);
        }
    });
}

/// Makes requests until the server is gone. Returns the data of those that were answered.
fn load(address: SocketAddr, client: usize, answered: &AtomicUsize) -> Vec<String> {
    let mut sent = Vec::new();
    let mut received = [0; 1024];
    // A connection that ends, or cannot be made, is what this waits for; only whole answers count.
    while let Ok(mut stream) = TcpStream::connect_timeout(&address, LIMIT) {
        stream.set_read_timeout(Some(LIMIT)).expect("a time-out");
        loop {
            let data = format!("client={client},n={}", sent.len());
            if stream.write_all(post("/log", &data).as_bytes()).is_err() {
                break;
            }
            // An answer is short, and sent at once.
            match stream.read(&mut received) {
                Ok(n) if received[..n].starts_with(b"HTTP/1.1 200 ") => sent.push(data),
                _ => break,
            }
            answered.fetch_add(1, Relaxed);
            if received.windows(17).any(|part| part == b"Connection: close") {
                break;
            }
        }
    }
    sent
}
