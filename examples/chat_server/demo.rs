//! The clients that the server brings along. They talk in rounds and believe nothing.
//!
//! Each client says its line of a round when it has heard every client's line of the round before. So no
//! client is ever more than two rounds behind, and with those who come and go no outbox holds more than four
//! lines for each client. If no outbox is smaller than that, no client is too slow, however busy the machine
//! is, and every line must reach all of them.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{Barrier, Event};

use crate::complain;
use crate::server::count;

/// How long a client waits for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often progress is told.
const PROGRESS: Duration = Duration::from_secs(1);

/// How it went.
#[derive(Debug)]
pub(crate) struct Report {
    clients: usize,
    lines: usize,
    /// Lines that a client has heard.
    heard: u64,
    elapsed: Duration,
    interrupted: bool,
    pub(crate) problems: Vec<String>,
}

impl Report {
    fn expected(&self) -> u64 {
        (self.clients * self.clients) as u64 * self.lines as u64
    }

    pub(crate) fn good(&self) -> bool {
        self.problems.is_empty() && self.heard == self.expected()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        let order = match () {
            () if self.good() => ", in the same order everywhere",
            () if self.interrupted => " before it was interrupted",
            () => "",
        };
        write!(
            f,
            "demo: {} clients said {} lines each; {} of {} reached their listeners{order}; {seconds:.3} s",
            self.clients,
            self.lines,
            self.heard,
            self.expected(),
        )
    }
}

/// What the clients share.
struct Demo<'a> {
    address: SocketAddr,
    clients: usize,
    lines: usize,
    all_here: Barrier,
    /// How far they are, for the report of progress, and for one that was interrupted.
    here: AtomicU64,
    heard: AtomicU64,
    stop: &'a Event,
    interrupted: &'a Event,
}

/// Talks until everything is said and heard, something is wrong, or the event `interrupted` is set.
pub(crate) fn run(
    address: SocketAddr,
    clients: usize,
    lines: usize,
    stop: &Event,
    interrupted: &Event,
) -> Report {
    let (here, heard) = (AtomicU64::new(0), AtomicU64::new(0));
    let all_here = Barrier::new(clients);
    let demo = Demo { address, clients, lines, all_here, here, heard, stop, interrupted };
    let over = Event::new();
    thread::scope(|scope| {
        // Without it nothing would be said for as long as it takes; without a thread for it nothing is.
        let progress = thread::Builder::new().name("progress".into());
        let _ = progress.spawn_scoped(scope, || {
            while !over.wait_for(PROGRESS) {
                demo.tell();
            }
        });
        let report = demo.run();
        over.set();
        report
    })
}

impl Demo<'_> {
    fn tell(&self) {
        let (here, heard) = (self.here.load(Relaxed), self.heard.load(Relaxed));
        let expected = (self.clients * self.clients) as u64 * self.lines as u64;
        if here < self.clients as u64 {
            complain(format_args!("{here} of {} clients are here", self.clients));
        } else {
            complain(format_args!("{heard} of {expected} lines have reached their listeners"));
        }
    }

    fn run(&self) -> Report {
        let Self { clients, lines, .. } = *self;
        let start = Instant::now();
        let mut report = Report {
            clients,
            lines,
            heard: 0,
            elapsed: Duration::ZERO,
            interrupted: false,
            problems: Vec::new(),
        };
        self.talk(&mut report);
        report.elapsed = start.elapsed();
        report.heard = self.heard.load(Relaxed);
        report.interrupted = self.interrupted.is_set();
        if report.interrupted {
            // The clients were cut off, of course.
            report.problems.clear();
        }
        report
    }

    /// Has all clients talk, and waits for them.
    fn talk(&self, report: &mut Report) {
        thread::scope(|scope| {
            let mut threads = Vec::new();
            for number in 0..self.clients {
                let thread = thread::Builder::new().name(format!("demo {number}")).stack_size(256 * 1024);
                let started = thread.spawn_scoped(scope, move || {
                    let order = self.talk_as(number);
                    if order.is_err() {
                        // No client waits for one that will not come. The others find the connection ended.
                        self.all_here.abort();
                        self.stop.set();
                    }
                    order
                });
                match started {
                    Ok(thread) => threads.push(thread),
                    Err(error) => {
                        report.problems.push(format!("cannot start client {number}: {error}"));
                        self.all_here.abort();
                        self.stop.set();
                        break;
                    }
                }
            }
            let mut first = None;
            for (number, thread) in threads.into_iter().enumerate() {
                match thread.join() {
                    Ok(Ok(order)) => {
                        if *first.get_or_insert(order) != order {
                            let what = format!("client {number} heard another order than the first");
                            report.problems.push(what);
                        }
                    }
                    Ok(Err(what)) => report.problems.push(format!("client {number}: {what}")),
                    Err(_) => report.problems.push(format!("client {number} panicked")),
                }
            }
        });
    }

    /// Talks as one client. Returns the order in which it has heard who said what, as a hash.
    fn talk_as(&self, number: usize) -> Result<u64, String> {
        let Self { clients, lines, .. } = *self;
        let stream = TcpStream::connect_timeout(&self.address, PATIENCE).map_err(text)?;
        stream.set_nodelay(true).map_err(text)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(text)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(text)?;
        let mut from = BufReader::new(&stream);
        let say = |line: String| (&stream).write_all(line.as_bytes()).map_err(text);
        let mut line = String::new();

        say(format!("client{number}\n"))?;
        let mine = format!("* client{number} is here\n");
        while hear(&mut from, &mut line)? != mine {
            if !line.starts_with("* ") {
                return Err(format!("heard {line:?} before coming in"));
            }
        }
        count(&self.here);
        self.all_here.wait_for(PATIENCE).map_err(|_| "the others have not come".to_owned())?;

        // The next round of each.
        let mut next = vec![0; clients];
        let (mut heard_so_far, mut order) = (0, DefaultHasher::new());
        for round in 0..lines {
            say(format!("{round}\n"))?;
            while heard_so_far < clients * (round + 1) {
                hear(&mut from, &mut line)?;
                // Who comes and goes.
                if line.starts_with("* ") && !line.starts_with("* the server") {
                    continue;
                }
                let heard = line.strip_prefix("<client").and_then(|rest| rest.trim_end().split_once("> "));
                let heard = heard.and_then(|(who, what)| Some((who.parse().ok()?, what.parse().ok()?)));
                let Some((speaker, said)) = heard.filter(|(speaker, _): &(usize, usize)| *speaker < clients)
                else {
                    return Err(format!("heard {line:?}"));
                };
                if said != next[speaker] {
                    return Err(format!(
                        "heard line {said} of client {speaker} instead of line {}",
                        next[speaker]
                    ));
                }
                next[speaker] += 1;
                heard_so_far += 1;
                count(&self.heard);
                (speaker, said).hash(&mut order);
            }
        }
        say("/quit\n".into())?;
        while hear(&mut from, &mut line)? != "* good-bye\n" {
            if !line.starts_with("* ") {
                return Err(format!("heard {line:?} after everything was said"));
            }
        }
        Ok(order.finish())
    }
}

/// The next line, with its end.
fn hear<'a>(from: &mut impl BufRead, line: &'a mut String) -> Result<&'a str, String> {
    line.clear();
    from.read_line(line).map_err(text)?;
    if line.ends_with('\n') { Ok(line) } else { Err("the connection ended".into()) }
}

fn text(error: std::io::Error) -> String {
    error.to_string()
}
