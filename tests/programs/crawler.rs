//! The example `crawler`, seen from the sites that it visits; and its parts.
#![cfg(all(unix, not(miri)))]
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests use std to check this crate")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "tests state what they do in prose")]

mod built;
#[allow(dead_code, reason = "what this program's tests do without")]
#[path = "../../examples/shared/client.rs"]
mod client;
#[path = "../../examples/crawler/page.rs"]
mod page;
#[allow(dead_code, reason = "what this program's tests do without")]
mod running;
#[allow(dead_code, reason = "what this program's tests do without")]
#[path = "../../examples/shared/serve.rs"]
mod serve;
#[allow(dead_code, unused_imports, reason = "what these programs' tests do without")]
#[path = "../support/mod.rs"]
mod support;
#[allow(dead_code, reason = "what this program's tests do without")]
#[path = "../../examples/shared/url.rs"]
mod url;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use lockwork::{Condvar, Event, Mutex};

use crate::client::{Client, Failure, back_off, may_pass};
use crate::running::{Ended, Folder, Program};
use crate::serve::Server;
use crate::support::{LIMIT, eventually, parties, watchdog};
use crate::url::Url;

fn html(stream: &mut TcpStream, links: &[&str]) -> io::Result<()> {
    let body: String = links.iter().map(|link| format!("<a href='{link}'>x</a>")).collect();
    serve::head(stream, "200 OK", body.len(), &["Content-Type: text/html"])?;
    stream.write_all(body.as_bytes())
}

/// What a site was asked for.
#[derive(Default)]
struct Asked {
    times: BTreeMap<String, usize>,
    now: usize,
}

impl Asked {
    fn of(&self, target: &str) -> usize {
        self.times.get(target).copied().unwrap_or(0)
    }
}

/// A site of the test's. Its pages can wait for what was asked for.
struct Site {
    asked: Arc<(Mutex<Asked>, Condvar)>,
    server: Server,
}

impl Site {
    /// `answer` gets the target, how often it was asked for, and what else was.
    fn start<F>(answer: F) -> Self
    where
        F: Fn(&str, usize, &(Mutex<Asked>, Condvar), &mut TcpStream) -> io::Result<()>
            + Send
            + Sync
            + 'static,
    {
        let asked: Arc<(Mutex<Asked>, Condvar)> = Arc::default();
        let seen = Arc::clone(&asked);
        let server = Server::start(0, 16, move |request, stream| {
            let times = {
                let mut asked = seen.0.lock();
                asked.now += 1;
                let times = asked.times.entry(request.target.clone()).or_insert(0);
                *times += 1;
                *times
            };
            seen.1.notify_all();
            let result = answer(&request.target, times, &seen, stream);
            seen.0.lock().now -= 1;
            result
        });
        Self { asked, server: server.expect("a server") }
    }

    fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.server.address())
    }

    /// What was asked for, in order.
    fn targets(&self) -> Vec<String> {
        self.asked.0.lock().times.keys().cloned().collect()
    }
}

/// Waits until a site was asked for what is expected, or for so long that the test has failed anyway.
fn until((asked, changed): &(Mutex<Asked>, Condvar), condition: impl Fn(&Asked) -> bool) {
    let _ = changed.wait_while_for(&mut asked.lock(), |asked| !condition(asked), LIMIT);
}

fn crawl(arguments: &[&str]) -> Ended {
    Program::start("crawler", arguments).end()
}

// --- the program
// ----------------------------------------------------------------------------------------------------

#[test]
fn demo_finds_exactly_what_is_there() {
    watchdog(|| {
        for fetchers in parties() {
            let fetchers = fetchers.to_string();
            let ended = crawl(&["--demo", "--fetchers", &fetchers, "--per-host", "3"]).expect(0);
            ended.says("exactly as planned").says("depth   visits");
        }
        crawl(&["--demo", "--depth", "1", "--retries", "0", "--per-host", "1"]).expect(0);
    });
}

#[test]
fn depth_is_obeyed() {
    watchdog(|| {
        let site = Site::start(|target, _, _, stream| {
            let number: u32 = target.trim_start_matches('/').parse().unwrap_or(0);
            html(stream, &[&format!("/{}", number + 1), "/"])
        });
        for depth in [0, 1, 3] {
            let ended = crawl(&[&site.url("/"), "--depth", &depth.to_string()]).expect(0);
            ended
                .says(&if depth == 0 { "1 visit in".into() } else { format!("{} visits in", depth + 1) })
                .says("not visited: 1 too deep");
        }
        assert_eq!(site.targets(), ["/", "/1", "/2", "/3"]);
    });
}

/// A page that was found by a long way first is as far away as by the short one.
#[test]
fn depth_is_that_of_the_shortest_way() {
    watchdog(|| {
        let site = Site::start(|target, _, asked, stream| match target {
            "/" => html(stream, &["/slow", "/a"]),
            "/slow" => {
                until(asked, |asked| asked.of("/target") == 1);
                html(stream, &["/target"])
            }
            "/a" => html(stream, &["/b"]),
            "/b" => html(stream, &["/target"]),
            "/target" => html(stream, &["/end"]),
            _ => html(stream, &[]),
        });
        crawl(&[&site.url("/"), "--depth", "3"]).expect(0);
        assert_eq!(site.targets(), ["/", "/a", "/b", "/end", "/slow", "/target"]);
        assert!(site.asked.0.lock().times.values().all(|times| *times == 1));
    });
}

#[test]
fn number_of_pages_is_obeyed() {
    watchdog(|| {
        let site = Site::start(|_, times, asked, stream| {
            assert_eq!(times, 1);
            let count = asked.0.lock().times.len();
            html(stream, &[&format!("/{count}/a"), &format!("/{count}/b")])
        });
        let ended = crawl(&[&site.url("/"), "--max-pages", "7", "--depth", "1000"]).expect(0);
        ended.says("7 visits in");
        assert_eq!(site.targets().len(), 7);
    });
}

#[test]
fn other_hosts_are_left_alone_unless_wanted() {
    watchdog(|| {
        let other = Site::start(|_, _, _, stream| html(stream, &[]));
        let link = other.url("/there");
        let site = Site::start(move |_, _, _, stream| html(stream, &[&link]));
        crawl(&[&site.url("/")]).expect(0).says("1 on other hosts");
        assert!(other.targets().is_empty());
        crawl(&[&site.url("/"), "--all-hosts"]).expect(0).says("2 visits in");
        assert_eq!(other.targets(), ["/there"]);
    });
}

#[test]
fn host_gets_as_many_requests_as_allowed_and_no_more() {
    watchdog(|| {
        let links: Vec<String> = (0..30).map(|number| format!("/{number}")).collect();
        // How many are asked for now, and were at any one time; until just before they are answered, because
        // the client may be back before the answer is through.
        let counts: Arc<(Mutex<(usize, usize)>, Condvar)> = Arc::default();
        let counted = Arc::clone(&counts);
        let site = Site::start(move |target, _, _, stream| {
            if target == "/" {
                return html(stream, &links.iter().map(String::as_str).collect::<Vec<_>>());
            }
            let (counts, changed) = &*counted;
            let mut counts = counts.lock();
            counts.0 += 1;
            counts.1 = counts.1.max(counts.0);
            changed.notify_all();
            // No request is answered before as many have come as may.
            let _ = changed.wait_while_for(&mut counts, |(_, most)| *most < 3, LIMIT);
            counts.0 -= 1;
            drop(counts);
            html(stream, &[])
        });
        crawl(&[&site.url("/"), "--per-host", "3", "--fetchers", "8"]).expect(0).says("31 visits in");
        assert_eq!(counts.0.lock().1, 3);
    });
}

#[test]
fn busy_host_does_not_hold_up_another() {
    watchdog(|| {
        let quick = Site::start(|_, _, _, stream| html(stream, &["/1", "/2", "/3", "/4", "/5"]));
        let seen = Arc::clone(&quick.asked);
        let busy = Site::start(move |_, _, _, stream| {
            until(&seen, |asked| asked.times.len() == 6);
            html(stream, &["/1", "/2", "/3", "/4", "/5"])
        });
        let ended = crawl(&[&busy.url("/"), &quick.url("/"), "--fetchers", "2", "--per-host", "1"]);
        ended.expect(0).says("12 visits in");
    });
}

#[test]
fn passing_failures_are_retried_and_lasting_ones_reported() {
    watchdog(|| {
        let site = Site::start(|target, times, _, stream| match (target, times) {
            ("/", _) => html(stream, &["/busy", "/drops"]),
            ("/busy", 1 | 2) => serve::head(stream, "503 Service Unavailable", 0, &[]),
            ("/drops", 1) => serve::head(stream, "200 OK", 100, &[]),
            _ => html(stream, &[]),
        });
        let folder = Folder::new();
        let log = folder.path("log");
        crawl(&[&site.url("/"), "--backoff-ms", "1", "--log", &log]).expect(0);
        let text = fs::read_to_string(&log).expect("a log");
        assert_eq!(text.lines().filter(|line| line.contains(" retry ")).count(), 3, "{text}");
        assert_eq!(text.lines().filter(|line| line.contains(" 200 http://")).count(), 3, "{text}");

        let site = Site::start(|target, _, _, stream| match target {
            "/" => html(stream, &["/gone", "/loop", "/down"]),
            "/loop" => serve::head(stream, "302 Found", 0, &["Location: /loop?x"]),
            "/down" => serve::head(stream, "500 Internal Server Error", 0, &[]),
            _ if target.starts_with("/loop?") => {
                serve::head(stream, "302 Found", 0, &[&format!("Location: {target}x")])
            }
            _ => serve::head(stream, "404 Not Found", 0, &[]),
        });
        let ended = crawl(&[&site.url("/"), "--backoff-ms", "1", "--retries", "1"]).expect(1);
        let gone = format!("failed: {}: status 404 (linked from {})", site.url("/gone"), site.url("/"));
        let ended = ended.says(&gone).says("status 500").says("too many redirects");
        // Each failure once, whichever output one looks at.
        let times = |part: &str| ended.stdout.matches(part).count() + ended.stderr.matches(part).count();
        assert_eq!(times(&site.url("/gone:")), 1, "{ended:?}");
        assert_eq!(times("status 500"), 1, "{ended:?}");
        assert_eq!(site.asked.0.lock().of("/down"), 2);
    });
}

#[test]
fn server_that_is_not_there_is_reported() {
    watchdog(|| {
        let address = {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
            listener.local_addr().expect("an address")
        };
        let url = format!("http://{address}/");
        crawl(&[&url, "--backoff-ms", "1"]).expect(1).says("connection: ");
    });
}

/// Every page that was sent is in the log, whenever the interruption comes; and a site without end comes to
/// one.
#[test]
fn interrupt_finishes_what_is_in_progress() {
    watchdog(|| {
        let site = Site::start(|target, _, _, stream| {
            let links: Vec<String> = (0..5).map(|number| format!("{target}{number}/")).collect();
            html(stream, &links.iter().map(String::as_str).collect::<Vec<_>>())
        });
        let folder = Folder::new();
        let log = folder.path("log");
        let crawler = Program::start("crawler", &[&site.url("/"), "--depth", "100000", "--log", &log]);
        until(&site.asked, |asked| asked.times.len() > 50);
        crawler.signal("INT");
        crawler.end().expect(130).says("interrupted").says("depth   visits");
        let text = fs::read_to_string(&log).expect("a log");
        let visited = text.lines().filter(|line| line.contains(" 200 http://")).count();
        assert_eq!(visited, site.targets().len());
    });
}

#[test]
fn second_interrupt_drops_what_is_in_progress() {
    watchdog(|| {
        let release = Arc::new(Event::new());
        let held = Arc::clone(&release);
        let site = Site::start(move |_, _, _, stream| {
            held.wait_for(LIMIT);
            html(stream, &[])
        });
        let crawler = Program::start("crawler", &[&site.url("/"), "--timeout-ms", "3600000"]);
        until(&site.asked, |asked| asked.now == 1);
        crawler.signal("INT");
        eventually(|| {
            crawler.has_said("stopping; pages in progress: 1, each for 3600s at most; Ctrl-C drops")
        });
        // Two that come at the same time may count as one.
        eventually(|| {
            crawler.signal("INT");
            crawler.has_ended()
        });
        crawler.end().expect(130).says("found and not visited: 1 page\n");
        release.set();
    });
}

/// A table that no reader gets is a failure.
#[cfg(target_os = "linux")]
#[test]
fn table_that_cannot_be_written_is_a_failure() {
    watchdog(|| {
        let ended = Program::start_after("exec >/dev/full", "crawler", &["--demo"]).end().expect(1);
        ended.says("crawler: cannot write to standard output");
    });
}

#[test]
fn command_line_is_checked() {
    watchdog(|| {
        crawl(&[]).expect(2);
        crawl(&["https://127.0.0.1/"]).expect(2).says("only http");
        crawl(&["127.0.0.1"]).expect(2).says("does not begin with http://");
        crawl(&["--demo", "--fetchers", "0"]).expect(2);
        crawl(&["--version"]).expect(0).says("crawler 0.");
        crawl(&["--help"]).expect(0).says("Example").says("crawler --demo");
        crawl(&["--demo", "--log", "/nowhere/at/all"]).expect(1).says("cannot write the log /nowhere/at/all");
    });
}

// --- its parts
// ------------------------------------------------------------------------------------------------------

fn url(text: &str) -> Url {
    Url::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn addresses_are_understood() {
    for (text, expected) in [
        ("http://Example.COM", "http://example.com/"),
        ("HTTP://a:80/b?c#d", "http://a/b?c"),
        ("http://a:8080?q", "http://a:8080/?q"),
        ("http://[::1]:81/x", "http://[::1]:81/x"),
        ("http://a/b c/ü", "http://a/b%20c/%C3%BC"),
        ("http://a/b/../../c/./d/..", "http://a/c/"),
    ] {
        assert_eq!(url(text).to_string(), expected, "{text}");
    }
    for text in [
        "",
        "a",
        "ftp://a/",
        "http://",
        "http:///x",
        "http://a:b/",
        "http://a:70000",
        "http://u@h/",
        "http://a:+1/",
        "http://a b/",
    ] {
        assert!(Url::parse(text).is_err(), "{text}");
    }
}

/// RFC 3986, section 5.4, as far as it is about `http`.
#[test]
fn references_are_resolved() {
    let base = url("http://a/b/c/d;p?q");
    for (reference, expected) in [
        ("g", "http://a/b/c/g"),
        ("./g", "http://a/b/c/g"),
        ("g/", "http://a/b/c/g/"),
        ("/g", "http://a/g"),
        ("//g", "http://g/"),
        ("?y", "http://a/b/c/d;p?y"),
        ("g?y", "http://a/b/c/g?y"),
        ("#s", "http://a/b/c/d;p?q"),
        ("g#s", "http://a/b/c/g"),
        (";x", "http://a/b/c/;x"),
        ("", "http://a/b/c/d;p?q"),
        (".", "http://a/b/c/"),
        ("./", "http://a/b/c/"),
        ("..", "http://a/b/"),
        ("../g", "http://a/b/g"),
        ("../..", "http://a/"),
        ("../../../g", "http://a/g"),
        ("/./g", "http://a/g"),
        ("/../g", "http://a/g"),
        ("g..", "http://a/b/c/g.."),
        ("./g/.", "http://a/b/c/g/"),
        ("g;x=1/../y", "http://a/b/c/y"),
        ("g?y/../x", "http://a/b/c/g?y/../x"),
        (" \n g\n", "http://a/b/c/g"),
    ] {
        assert_eq!(
            base.join(reference).map(|url| url.to_string()).as_deref(),
            Some(expected),
            "{reference:?}"
        );
    }
    for reference in ["mailto:a@b", "javascript:void(0)", "https://a/", "tel:1", "http://"] {
        assert_eq!(base.join(reference), None, "{reference}");
    }
}

#[test]
fn links_are_found_where_they_are_and_nowhere_else() {
    let html = b"<A HREF=one>x</A><a href='two?a&amp;b'>x</a><area href=\"/three\"><a name=x><iframe src=four></iframe>\
        <!-- <a href=no> --><script>'<a href=no>'</script><style><a href=no></style><title><a href=no></title>\
        <textarea><a href=no></textarea><a href=one#again><a href=mailto:x><img src=no>\xff<a href=five";
    let found: Vec<String> =
        page::links(&url("http://h/d/p"), html).iter().map(|url| url.target().to_owned()).collect();
    assert_eq!(found, ["/d/one", "/d/two?a&b", "/three", "/d/four"]);
    let based = page::links(&url("http://h/"), b"<base href=/x/><base href=/y/><a href=z>");
    assert_eq!(based, [url("http://h/x/z")]);
}

/// What a client gets from a server that sends `text` and ends.
fn fetched(text: &'static [u8]) -> Result<Vec<u8>, Failure> {
    let server = Server::start(0, 1, move |_, stream| stream.write_all(text)).expect("a server");
    let stop = Event::new();
    let client = Client { idle: LIMIT, total: LIMIT, stop: &stop, agent: "test" };
    let mut answer = client.get(&url(&format!("http://{}/", server.address())), &[])?;
    let (mut all, mut chunk) = (Vec::new(), [0; 3]);
    loop {
        match answer.body.read(&mut chunk)? {
            0 => return Ok(all),
            n => all.extend_from_slice(&chunk[..n]),
        }
    }
}

#[test]
fn bodies_end_where_they_should() {
    watchdog(|| {
        let good: [&[u8]; 5] = [
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more",
            b"HTTP/1.0 200 OK\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nhell\r\n1\r\no\r\n0\r\nA: b\r\n\r\nmore",
            b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
        ];
        for text in good {
            let body = fetched(text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(body, b"hello", "{}", String::from_utf8_lossy(text));
        }
        let truncated: [&[u8]; 5] = [
            b"",
            b"HTTP/1.1 200",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        ];
        for text in truncated {
            assert!(matches!(fetched(text), Err(Failure::Truncated)), "{}", String::from_utf8_lossy(text));
        }
        let nonsense: [&[u8]; 4] = [
            b"hello\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n",
        ];
        for text in nonsense {
            assert!(matches!(fetched(text), Err(Failure::Protocol(_))), "{}", String::from_utf8_lossy(text));
        }
    });
}

#[test]
fn silent_server_is_left_in_time_and_at_a_stop() {
    watchdog(|| {
        let (release, asked) = (Arc::new(Event::new()), Arc::new(Event::new()));
        let (held, seen) = (Arc::clone(&release), Arc::clone(&asked));
        let server = Server::start(0, 4, move |_, _| {
            seen.set();
            held.wait_for(LIMIT);
            Ok(())
        });
        let server = server.expect("a server");
        let url = url(&format!("http://{}/", server.address()));
        let stop = Event::new();
        let brief = Duration::from_millis(20);
        for (idle, total) in [(brief, LIMIT), (LIMIT, brief)] {
            let client = Client { idle, total, stop: &stop, agent: "test" };
            assert!(matches!(client.get(&url, &[]), Err(Failure::Timeout(_))));
        }
        asked.clear();
        thread::scope(|s| {
            s.spawn(|| {
                asked.wait();
                stop.set();
            });
            let client = Client { idle: LIMIT, total: Duration::MAX, stop: &stop, agent: "test" };
            assert!(matches!(client.get(&url, &[]), Err(Failure::Stopped)));
        });
        release.set();
    });
}

#[test]
fn answer_has_a_status_and_fields() {
    watchdog(|| {
        let server = Server::start(0, 1, |request, stream| {
            let agent = format!("Agent: {}", request.field("user-agent").unwrap_or_default());
            serve::head(stream, "503 Service Unavailable", 0, &[&agent])
        });
        let server = server.expect("a server");
        let stop = Event::new();
        let client = Client { idle: LIMIT, total: LIMIT, stop: &stop, agent: "test" };
        let url = url(&format!("http://{}/", server.address()));
        let answer = client.get(&url, &[]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((answer.status, answer.field("AGENT")), (503, Some("test")));
        assert!(may_pass(503) && may_pass(429) && !may_pass(404));
    });
}

#[test]
fn back_off_doubles_up_to_a_limit() {
    let first = Duration::from_millis(100);
    assert_eq!([1, 2, 3].map(|n| back_off(first, n).as_millis()), [100, 200, 400]);
    assert_eq!(back_off(first, u32::MAX), Duration::from_secs(10));
    assert_eq!(back_off(Duration::ZERO, 7), Duration::ZERO);
}
