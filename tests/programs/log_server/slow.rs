//! Clients that say nothing, or little, or do not read: none of them holds up another.

#[cfg(target_os = "linux")]
use std::fs;
use std::io::{ErrorKind, Write};
use std::iter;
use std::net::SocketAddr;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{Answer, Client, LIMIT, Server, get};
use crate::support::{eventually, watchdog};

/// Sends a byte now and then until it gets an answer, and returns that.
pub(super) fn drip(address: SocketAddr, text: &'static str) -> JoinHandle<Answer> {
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
            drip(address, "GET /log?slowly HTTP/1.1\r\nHost: here\r\nX: "),
            drip(address, "POST /log HTTP/1.1\r\nHost: here\r\nContent-Length: 50000\r\n\r\n"),
            drip(address, "GET /health HTTP/1.1\r\nHost: here\r\nY: "),
        ];
        // One that says nothing at all, and two that were answered and say nothing more.
        let mut silent = Client::connect(address);
        let mut idle = [Client::connect(address), Client::connect(address)];
        for client in &mut idle {
            assert_eq!(client.ask(get("/health")).status, 200);
        }
        // All of them have the worker's attention, and so has every other client.
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
fn slow_clients_do_not_hold_a_full_line_indefinitely() {
    watchdog(|| {
        let server = Server::start(&["--workers", "1", "--queue", "1", "--read-timeout-ms", "300"]);
        let address = server.address();
        let slow: Vec<_> =
            (0..6).map(|_| drip(address, "GET /health HTTP/1.1\r\nHost: here\r\nX: ")).collect();
        assert_eq!(Client::connect(address).ask(get("/health")).status, 200);
        for client in slow {
            assert_eq!(client.join().expect("an answer").status, 408);
        }
        server.stop().counted(7);
    });
}

/// Sends requests for long answers for as long as the server takes them, and reads none.
fn fill(client: &mut Client) -> usize {
    let request = get("/metrics");
    client.stream.set_nonblocking(true).expect("a mode");
    let mut sent = 0;
    loop {
        // Half a request is one that is not complete: what is sent is always the next byte of an endless row
        // of them.
        let at = client.received.len() % request.len();
        match client.stream.write(&request.as_bytes()[at..]) {
            Ok(n) => {
                client.received.resize(client.received.len() + n, 0);
                sent += n;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return sent,
            Err(error) => panic!("the connection ends: {error}"),
        }
    }
}

#[test]
fn clients_that_do_not_read_hold_no_worker() {
    watchdog(|| {
        // As many as there are workers, and more; and a time-out that none of them comes to.
        let server = Server::start(&["--workers", "4", "--read-timeout-ms", "3600000"]);
        let address = server.address();
        let mut deaf: Vec<_> = (0..8).map(|_| Client::connect(address)).collect();
        // Until the server reads no more from any of them: its answers fill the sockets' buffers.
        let mut quiet = 0;
        eventually(|| {
            let sent: usize = deaf.iter_mut().map(fill).sum();
            assert_eq!(Client::connect(address).ask(get("/health")).status, 200);
            quiet = if sent == 0 { quiet + 1 } else { 0 };
            quiet == 20
        });
        // The stop lets them go after a while, which is long here.
        drop(deaf);
        server.stop();
    });
}

#[test]
fn client_that_does_not_read_is_let_go() {
    watchdog(|| {
        let server = Server::start(&["--workers", "1", "--read-timeout-ms", "300"]);
        let address = server.address();
        let mut deaf = Client::connect(address);
        deaf.stream.set_write_timeout(Some(LIMIT)).expect("a time-out");
        // More answers than two sockets have room for: at some time the connection ends.
        let requests = get("/metrics").repeat(100);
        while deaf.stream.write_all(requests.as_bytes()).is_ok() {}
        eventually(|| Client::connect(address).ask(get("/stats")).body.contains("broken 1\n"));
        server.stop();
    });
}

#[test]
fn silent_clients_do_not_stall_the_server() {
    watchdog(|| {
        let server = Server::start(&["--workers", "2", "--queue", "4", "--read-timeout-ms", "3600000"]);
        let address = server.address();
        let mut silent: Vec<_> = (0..300).map(|_| Client::connect(address)).collect();
        for _ in 0..50 {
            let mut client = Client::connect(address);
            assert_eq!(client.ask(get("/health")).status, 200);
            assert_eq!(client.ask(get("/log?x")).status, 200);
        }
        // They have been there all the time, and are served when they say something.
        let mut client = Client::connect(address);
        let mut looks = 0;
        eventually(|| {
            looks += 1;
            client.ask(get("/metrics")).body.contains("connections_open 301\n")
        });
        for client in &mut silent {
            assert_eq!(client.ask(get("/health")).status, 200);
        }
        server.stop().counted(100 + looks + 300);
    });
}

/// When there is no place for another client, one that has its answer and says nothing gives way.
#[test]
fn idle_clients_give_way_to_new_ones() {
    watchdog(|| {
        let server = Server::start(&["--connections", "3", "--read-timeout-ms", "3600000"]);
        let address = server.address();
        let mut idle: Vec<_> = (0..2).map(|_| Client::connect(address)).collect();
        for client in &mut idle {
            assert!(client.ask(get("/health")).keeps_alive());
        }
        // With this one there is no place left, and it has not been heard yet.
        let mut silent = Client::connect(address);
        for _ in 0..5 {
            assert_eq!(Client::connect(address).ask(get("/health")).status, 200);
        }
        assert_eq!(silent.ask(get("/health")).status, 200);
        server.stop().counted(8);
    });
}

/// How often the threads of a process have gone to sleep.
#[cfg(target_os = "linux")]
fn sleeps(pid: u32) -> u64 {
    let count = |status: String| {
        let line =
            status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:").map(str::to_owned));
        line.expect("a count").trim().parse::<u64>().expect("a number")
    };
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("procfs");
    threads
        .map(|thread| fs::read_to_string(thread.expect("a thread").path().join("status")).expect("a status"))
        // Where the program is watched, the watch's thread looks fifty times a second.
        .filter(|status| !status.starts_with("Name:\tlockwork-diagno"))
        .map(count)
        .sum()
}

#[cfg(target_os = "linux")]
#[test]
fn idle_clients_cost_nothing() {
    watchdog(|| {
        let server = Server::start(&["--read-timeout-ms", "3600000"]);
        let address = server.address();
        let mut idle: Vec<_> = (0..50).map(|_| Client::connect(address)).collect();
        for client in &mut idle {
            assert!(client.ask(get("/health")).keeps_alive());
        }
        // The workers lay the connections aside a few milliseconds later; then, in a second, the report of
        // progress is all that happens. To look at each connection every five milliseconds would be 200
        // wake-ups of each worker.
        eventually(|| {
            let before = sleeps(server.program.pid());
            thread::sleep(Duration::from_secs(1));
            sleeps(server.program.pid()) - before <= 5
        });
        drop(idle);
        server.stop().counted(50);
    });
}
