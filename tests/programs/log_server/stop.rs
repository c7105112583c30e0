//! The stop: what has begun is finished, what was answered is in the file, and a second signal ends it at
//! once.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use super::slow::drip;
use super::{Client, LIMIT, Server, data, get, post};
use crate::support::{eventually, watchdog};

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
    // No other client is let in, and one that has nothing to say is let go.
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
        let server = Server::start(&["--workers", "1", "--queue", "1", "--connections", "3"]);
        let address = server.address();
        let text = get("/log?x");
        // As many as may be open at once; the acceptor waits for one of them to end.
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
fn stop_does_not_wait_indefinitely_for_a_slow_client() {
    watchdog(|| {
        let server = Server::start(&["--workers", "1", "--read-timeout-ms", "400"]);
        let address = server.address();
        let slow: Vec<_> =
            (0..3).map(|_| drip(address, "GET /health HTTP/1.1\r\nHost: here\r\nX: ")).collect();
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
pub(super) fn load(address: SocketAddr, client: usize, answered: &AtomicUsize) -> Vec<String> {
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

/// Begins a request, has the server told to stop, and waits until it lets in no other.
fn stop_with_half_a_request(server: &Server, address: SocketAddr) -> Client {
    let mut slow = Client::connect(address);
    slow.send("GET /log?half HTTP/1.1\r\n");
    server.signal("INT");
    eventually(|| TcpStream::connect_timeout(&address, LIMIT).is_err());
    slow
}

#[test]
fn second_interrupt_ends_the_server_at_once() {
    watchdog(|| {
        let server = Server::start(&["--read-timeout-ms", "3600000"]);
        let address = server.address();
        let _slow = stop_with_half_a_request(&server, address);
        server.signal("INT");
        server.end().with_code(130).complains("ended at once");
    });
}

#[test]
fn stop_says_what_it_waits_for() {
    watchdog(|| {
        let server = Server::start(&["--read-timeout-ms", "3600000"]);
        let address = server.address();
        let mut slow = stop_with_half_a_request(&server, address);
        // It is told on standard error, which the test reads at the end; so this waits for what is said
        // there.
        eventually(|| server.has_complained("stopping; open connections: 1 (1 sending a request)"));
        assert_eq!(slow.ask("Host: here\r\n\r\n").status, 200);
        server.end().good().counted(1);
    });
}

#[test]
fn interrupted_run_says_so_by_its_exit_code() {
    watchdog(|| {
        let server = Server::start(&["--requests", "100000000"]);
        let address = server.address();
        eventually(|| {
            let stats = Client::connect(address).ask(get("/stats")).body;
            !stats.contains("answered 0\n")
        });
        server.signal("INT");
        server.end().with_code(130);
    });
}
