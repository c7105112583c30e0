//! Requests, good and bad, and their answers.

use std::net::Shutdown;

use super::{Answer, Client, Server, data, get, post};
use crate::support::{eventually, watchdog};

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
        // By status and by time, and each answer in one bucket or another.
        for line in [
            "log_server_responses_total{status=\"200\"} 5",
            "log_server_responses_total{status=\"404\"} 1",
            "log_server_responses_total{status=\"503\"} 0",
            "log_server_request_duration_seconds_bucket{le=\"+Inf\"} 6",
            "log_server_request_duration_seconds_count 6",
        ] {
            assert!(page.body.lines().any(|found| found == line), "{line} is not in {}", page.body);
        }
        let sum =
            page.body.lines().find_map(|line| line.strip_prefix("log_server_request_duration_seconds_sum "));
        let sum: f64 = sum.expect("a sum").parse().expect("a number");
        assert!(sum > 0.0, "{}", page.body);
        // The logger is not waited for.
        let mut requests = 7;
        eventually(|| {
            let page = client.ask(get("/metrics"));
            requests += 1;
            sample(&page, "records_logged_total") >= 7
        });
        assert_eq!(
            client.ask("POST /metrics HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n").status,
            405
        );
        drop(client);
        server.stop().counted(requests + 1);
    });
}

#[test]
fn records_are_single_lines() {
    watchdog(|| {
        let server = Server::start(&[]);
        let mut client = Client::connect(server.address());
        // Long runs of plain characters between others.
        let long = format!("{0}\n\u{e9}\u{202e}{0}\"{0}", "x y".repeat(5000));
        let bodies =
            ["", "two\r\nlines", "\"quoted\" \\ \0\x1b[2J", "gr\u{fc}n \u{2028} \u{202e}", "it's", &long];
        for body in bodies {
            assert_eq!(client.ask(post("/log", body)).status, 200);
        }
        let mut bytes = b"POST /log HTTP/1.1\r\nHost: here\r\nContent-Length: 4\r\n\r\n".to_vec();
        bytes.extend_from_slice(b"a\xff\xc3b");
        assert_eq!(client.ask(bytes).status, 200);
        assert_eq!(client.ask("GET /log?\u{85}\"a\" HTTP/1.1\r\nHost: here\r\n\r\n").status, 200);
        drop(client);
        let ended = server.stop().counted(8);
        let long = format!("POST /log 200 \"{0}\\n\u{e9}\\u{{202e}}{0}\\\"{0}\"", "x y".repeat(5000));
        let expected = [
            "POST /log 200 \"\"",
            "POST /log 200 \"two\\r\\nlines\"",
            "POST /log 200 \"\\\"quoted\\\" \\\\ \\0\\u{1b}[2J\"",
            "POST /log 200 \"gr\u{fc}n \\u{2028} \\u{202e}\"",
            "POST /log 200 \"it's\"",
            &long,
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
        let long_header = format!("GET / HTTP/1.1\r\nHost: here\r\nX: {}\r\n\r\n", "x".repeat(2000));
        let many_headers = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(100));
        let cases: [(&str, u16, bool); 33] = [
            ("GET /health HTTP/1.1\r\n\r\n", 400, false),
            ("GET /health HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, false),
            ("GET /health HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400, false),
            ("nonsense\r\n\r\n", 400, false),
            ("\u{16}\u{3}\u{1}", 400, false),
            ("{\"json\": true}\r\n\r\n", 400, false),
            ("GET / FTP/1.1\r\n\r\n", 400, false),
            ("GET /\r\n\r\n", 400, false),
            ("GET / HTTP/1.1\r\nHost: here\r\nno colon\r\n\r\n", 400, false),
            ("GET / HTTP/1.1\r\nHost: here\r\nspace : x\r\n\r\n", 400, false),
            ("GET / HTTP/2.0\r\n\r\n", 505, false),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, false),
            (
                "POST /log HTTP/1.1\r\nHost: here\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
                400,
                false,
            ),
            ("POST /log HTTP/1.1\r\nHost: here\r\nContent-Length: 1, 1\r\n\r\nx", 400, false),
            ("POST /log HTTP/1.1\r\nHost: here\r\nContent-Length: +1\r\n\r\nx", 400, false),
            ("POST /log HTTP/1.1\r\nHost: here\r\nContent-Length: -1\r\n\r\nx", 400, false),
            ("POST /log HTTP/1.1\r\nHost: here\r\nContent-Length:\r\n\r\nx", 400, false),
            ("POST /log HTTP/1.1\r\nHost: here\r\nContent-Length: 101\r\n\r\n", 413, false),
            (
                "POST /log HTTP/1.1\r\nHost: here\r\nContent-Length: 99999999999999999999999\r\n\r\n",
                413,
                false,
            ),
            (
                "POST /log HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
                501,
                false,
            ),
            (
                "POST /log HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
                400,
                false,
            ),
            ("POST /log HTTP/1.1\r\nHost: here\r\nExpect: miracles\r\nContent-Length: 1\r\n\r\n", 417, false),
            (&long_header, 431, false),
            (&many_headers, 431, false),
            ("GET /nowhere HTTP/1.1\r\nHost: here\r\n\r\n", 404, true),
            ("POST /nowhere HTTP/1.1\r\nHost: here\r\nContent-Length: 3\r\n\r\nxyz", 404, true),
            ("GET /healthy HTTP/1.1\r\nHost: here\r\n\r\n", 404, true),
            ("DELETE /log HTTP/1.1\r\nHost: here\r\n\r\n", 405, true),
            ("POST /health HTTP/1.1\r\nHost: here\r\nContent-Length: 3\r\n\r\nxyz", 405, true),
            ("BREW /log HTTP/1.1\r\nHost: here\r\n\r\n", 501, true),
            ("\r\n\r\nGET /health HTTP/1.1\r\nHost: here\r\n\r\n", 200, true),
            ("GET http://elsewhere/health?now HTTP/1.1\r\nHost: here\r\n\r\n", 200, true),
            ("GET / HTTP/1.1\r\nHost: here\r\nContent-Length: 3\r\n\r\nxyz", 200, true),
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
        // Also of what was not understood there is enough to know it again.
        for record in [
            "GET /health 400 \"a request has one Host: GET /health HTTP/1.1\"",
            "GET / 400 \"this is not an HTTP request: GET / FTP/1.1\"",
            "- - 400 \"this is not an HTTP request: {\\\"json\\\": true}\"",
            "- - 400 \"this is not an HTTP request: \\u{16}\\u{3}\\u{1}\"",
            "PRI * 505 \"this server speaks HTTP/1.0 and HTTP/1.1: PRI * HTTP/2.0\"",
        ] {
            assert!(ended.records().contains(&record), "{record} is not in {:#?}", ended.records());
        }
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
        // The answer is there, and the client goes on all the same. A closed door would make its second
        // attempt fail.
        let mut client = Client::connect(address);
        client.send("POST /log HTTP/1.1\r\nHost: here\r\nContent-Length: 1000000\r\n\r\n");
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
            let start = "GET /health HTTP/1.1\r\nHost: here\r\nX: ";
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
            client.send(format!("HEAD {target} HTTP/1.1\r\nHost: here\r\n\r\n"));
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
        // No test wants the body.
        for (target, len, status) in [("/log", 11, 413), ("/nowhere", 4, 404), ("/health", 4, 405)] {
            let mut client = Client::connect(address);
            let answer = client.ask(head(target, len));
            assert_eq!((answer.status, answer.keeps_alive()), (status, false));
            client.expect_end();
        }
        server.stop().counted(7);
    });
}
