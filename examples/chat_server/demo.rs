//! The clients that the server brings along. They talk in rounds and believe nothing.
//!
//! Each says its line of a round when it has heard everybody's line of the round before. So nobody is ever more than two
//! rounds behind, and with those who come and go no outbox holds more than four lines for each client. If none is
//! smaller, no client is too slow, however busy the machine is, and every line must reach everybody.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{Barrier, Event};

/// How long a client waits for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// How it went.
#[derive(Debug)]
pub(crate) struct Report {
    clients: usize,
    lines: usize,
    /// Lines that somebody has heard.
    heard: u64,
    elapsed: Duration,
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
        let order = if self.good() { ", in the same order everywhere" } else { "" };
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

/// What a client has heard.
struct Heard {
    count: u64,
    /// Of who said what, in order.
    order: u64,
}

pub(crate) fn run(address: SocketAddr, clients: usize, lines: usize, stop: &Event) -> Report {
    let all_here = Barrier::new(clients);
    let start = Instant::now();
    let mut report = Report { clients, lines, heard: 0, elapsed: Duration::ZERO, problems: Vec::new() };
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for number in 0..clients {
            let all_here = &all_here;
            let thread = thread::Builder::new().name(format!("demo {number}")).stack_size(256 * 1024);
            let started = thread.spawn_scoped(scope, move || {
                let heard = talk(address, number, clients, lines, all_here);
                if heard.is_err() {
                    // Nobody waits for who will not come. The others find the connection ended.
                    all_here.abort();
                    stop.set();
                }
                heard
            });
            match started {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    report.problems.push(format!("cannot start client {number}: {error}"));
                    all_here.abort();
                    break;
                }
            }
        }
        let mut order = None;
        for (number, thread) in threads.into_iter().enumerate() {
            match thread.join() {
                Ok(Ok(heard)) => {
                    report.heard += heard.count;
                    if *order.get_or_insert(heard.order) != heard.order {
                        report.problems.push(format!("client {number} heard another order than the first"));
                    }
                }
                Ok(Err(what)) => report.problems.push(format!("client {number}: {what}")),
                Err(_) => report.problems.push(format!("client {number} panicked")),
            }
        }
    });
    report.elapsed = start.elapsed();
    report
}

fn talk(
    address: SocketAddr,
    number: usize,
    clients: usize,
    lines: usize,
    all_here: &Barrier,
) -> Result<Heard, String> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(text)?;
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
    all_here.wait_for(PATIENCE).map_err(|_| "the others have not come".to_owned())?;

    // The next round of each.
    let mut next = vec![0; clients];
    let (mut count, mut order) = (0, DefaultHasher::new());
    for round in 0..lines {
        say(format!("{round}\n"))?;
        while count < (clients * (round + 1)) as u64 {
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
            count += 1;
            (speaker, said).hash(&mut order);
        }
    }
    say("/quit\n".into())?;
    while hear(&mut from, &mut line)? != "* good-bye\n" {
        if !line.starts_with("* ") {
            return Err(format!("heard {line:?} after everything was said"));
        }
    }
    Ok(Heard { count, order: order.finish() })
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
