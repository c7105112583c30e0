//! `/debug/locks` and `/debug/profile`, asked for as a browser or `pprof` does while the server has work.

use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use super::{Client, Server, post};
use crate::support::{eventually, watchdog};

/// Asks for a page in a connection of its own, and returns its type and its bytes.
#[track_caller]
fn page(address: std::net::SocketAddr, target: &str) -> (String, Vec<u8>) {
    let mut client = Client::connect(address);
    client.send(format!("GET {target} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"));
    let mut all = Vec::new();
    client.stream.read_to_end(&mut all).expect("an answer");
    let end = all.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let head = String::from_utf8(all[..end].to_vec()).expect("a head in UTF-8");
    assert!(head.starts_with("HTTP/1.1 200 "), "{target}: {head}");
    let kind = head.lines().find_map(|line| line.split_once("ontent-Type: ")).map_or("", |(_, kind)| kind);
    (kind.to_owned(), all[end..].to_vec())
}

#[track_caller]
fn text(address: std::net::SocketAddr, target: &str) -> String {
    String::from_utf8(page(address, target).1).expect("UTF-8")
}

#[test]
fn locks_and_profile_are_served_under_load() {
    watchdog(|| {
        // Records wait for each other: the buffer of those that are to be written has one place.
        let server = Server::start(&["--workers", "4", "--log-queue", "1"]);
        let (address, over) = (server.address(), AtomicBool::new(false));
        thread::scope(|s| {
            for client in 0..4 {
                let over = &over;
                s.spawn(move || {
                    let mut connection = Client::connect(address);
                    while !over.load(Relaxed) {
                        assert_eq!(connection.ask(post("/log", &format!("client={client}"))).status, 200);
                    }
                });
            }
            // What threads do at that moment is seen sooner or later.
            eventually(|| {
                let locks = text(address, "/debug/locks");
                // Iterators, too, tell the caller's place.
                let buffers = locks.lines().filter(|line| line.contains("waits in `BoundedBuffer::"));
                buffers.for_each(|line| assert!(line.contains(" at examples/log_server/"), "{line}"));
                ["thread \"", " (number ", "  waits in `", " at examples/log_server/", "  holds "]
                    .iter()
                    .all(|part| locks.contains(part))
            });
            eventually(|| {
                let profile = text(address, "/debug/profile?text");
                assert!(profile.contains(" of waits in "), "{profile}");
                profile.contains("Mutex \"next number\": locked ")
                    && profile.contains(", held from examples/log_server/")
            });
            let folded = text(address, "/debug/profile?folded");
            assert!(folded.lines().count() > 0);
            for line in folded.lines() {
                let (stack, nanos) = line.rsplit_once(' ').expect("a stack and a number");
                assert_eq!(stack.split(';').count(), 3, "{line}");
                nanos.parse::<u64>().expect("a number");
            }
            let trace = text(address, "/debug/profile?trace");
            assert!(trace.starts_with("{\"displayTimeUnit\"") && trace.trim_end().ends_with("]}"), "{trace}");
            let (kind, pprof) = page(address, "/debug/profile");
            assert_eq!(kind, "application/octet-stream");
            for part in ["contentions", "delay", "nanoseconds", "Mutex \"next number\""] {
                assert!(pprof.windows(part.len()).any(|bytes| bytes == part.as_bytes()), "{part} is missing");
            }
            over.store(true, Relaxed);
        });
        let ended = server.stop();
        for report in ["inversion: ", "deadlock: ", " has waited ", " waits for itself"] {
            assert!(!ended.stderr.contains(report), "{}", ended.stderr);
        }
    });
}
