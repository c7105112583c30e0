//! The threads of the server: what each of them does until it is told to stop, and how it ends.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{fs::File, mem};

use lockwork::{BoundedBuffer, Event, Mutex, TryPutError};

use crate::complain;
use crate::connection::{Connection, Next, Received, Request};
use crate::http::{self, CONTINUE, Limits, Refusal, Reply, Route};
use crate::log::{self, Record};
use crate::options::Options;

/// How long a worker listens to a silent client while nobody else waits. A connection that comes in meanwhile, and
/// the stop, have to wait for as long. (A system with coarse timers makes some milliseconds more of it.)
const LISTEN: Duration = Duration::from_millis(4);
/// How long a worker stays with a client that has much to say, while others wait.
const TURN: Duration = Duration::from_millis(2);
/// How long a worker sleeps when it has found everybody silent, at first and at last. See [`Nap`].
const SHORT_NAP: Duration = Duration::from_micros(50);
const LONG_NAP: Duration = Duration::from_millis(5);
/// How much is read at once.
const CHUNK: usize = 16 * 1024;
/// The most records written at once.
const BATCH: usize = 512;
/// How often progress is reported.
const REPORT: Duration = Duration::from_secs(1);
/// How long the acceptor leaves a system alone that has no more file descriptors.
const RECOVER: Duration = Duration::from_millis(20);
/// How many connections may wait in the listener's backlog: what the standard library asks for.
const BACKLOG: usize = 128;

/// What the threads share. They only ever wait in its buffers, on its events, and for their own sockets or file.
pub(crate) struct Server {
    pub(crate) connections: BoundedBuffer<Connection>,
    pub(crate) records: BoundedBuffer<Record>,
    pub(crate) counts: Counts,
    /// Set when the acceptor has ended.
    pub(crate) acceptor_gone: Event,
    stop: &'static Event,
    start: Instant,
    /// When the last request must be complete: some time after the stop.
    last_deadline: Mutex<Option<Instant>>,
    next_number: AtomicU64,
    workers: usize,
    limits: Limits,
    read_timeout: Duration,
}

/// What has happened so far. Counters only: nothing is decided by them while threads run.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    accepted: AtomicU64,
    /// Answers that were sent and have a record.
    answered: AtomicU64,
    /// Records that were put into the buffer.
    recorded: AtomicU64,
    /// Records that were written to the file.
    logged: AtomicU64,
    /// Requests that were answered 503, because there was no log any more.
    unlogged: AtomicU64,
    /// Connections that ended in an error.
    broken: AtomicU64,
}

/// [`Counts`] at some moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) accepted: u64,
    pub(crate) answered: u64,
    pub(crate) recorded: u64,
    pub(crate) logged: u64,
    pub(crate) unlogged: u64,
    pub(crate) broken: u64,
}

impl Counts {
    pub(crate) fn now(&self) -> Snapshot {
        Snapshot {
            accepted: self.accepted.load(Relaxed),
            answered: self.answered.load(Relaxed),
            recorded: self.recorded.load(Relaxed),
            logged: self.logged.load(Relaxed),
            unlogged: self.unlogged.load(Relaxed),
            broken: self.broken.load(Relaxed),
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

/// What a worker does next with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Goes on with it, unless somebody else waits.
    Pause {
        /// Whether the client has said anything.
        heard: bool,
    },
    /// Drops it.
    Over,
}

/// When a worker sleeps, and for how long.
///
/// While clients wait in line, it does not wait for any of them: it looks whether the first has said something, and if
/// not, whether the next has. Having looked at its share of the line in vain, it sleeps; the longer, the longer nobody
/// says anything. As soon as somebody does it is wide awake again. So a worker of a busy server does not sleep, one of
/// an idle server does little else, and a request that ends the silence waits a few milliseconds. (To be told who has
/// something to say, instead of looking, takes a call such as `poll`, which std does not have.)
struct Nap {
    /// Silent clients since the last sleep or sound.
    silent: usize,
    next: Duration,
}

/// Does something when it is dropped: at the end of a function, whichever way it ends.
struct Finally<F: FnMut()>(F);

impl<F: FnMut()> Drop for Finally<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

impl Server {
    pub(crate) fn new(options: &Options, stop: &'static Event) -> Self {
        Self {
            connections: BoundedBuffer::new(options.queue),
            records: BoundedBuffer::new(options.log_queue),
            counts: Counts::default(),
            acceptor_gone: Event::new(),
            stop,
            start: Instant::now(),
            last_deadline: Mutex::new(None),
            next_number: AtomicU64::new(1),
            workers: options.workers,
            limits: options.limits(),
            read_timeout: options.read_timeout(),
        }
    }

    // --- the acceptor ----------------------------------------------------------------------------------------------

    /// Accepts connections until the stop.
    pub(crate) fn accept(&self, listener: TcpListener) {
        let _gone = Finally(|| self.acceptor_gone.set());
        while !self.stop.is_set() {
            match listener.accept() {
                Ok((stream, peer)) => self.admit(stream, peer),
                // The client has thought better of it.
                Err(error)
                    if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                // No file descriptors, most likely, and the next attempt would fail as fast as this one. Waiting on
                // the event is a sleep that the stop ends.
                Err(_) => {
                    count(&self.counts.broken);
                    self.stop.wait_for(RECOVER);
                }
            }
        }
        // Clients that have connected before the stop are in the backlog, with their requests. Dropping the listener
        // would reset them. The connection that woke us up is among them, and harmless: it says nothing and ends.
        if listener.set_nonblocking(true).is_ok() {
            for (stream, peer) in (0..BACKLOG).map_while(|_| listener.accept().ok()) {
                self.admit(stream, peer);
            }
        }
    }

    fn admit(&self, stream: TcpStream, peer: SocketAddr) {
        let Ok(connection) = Connection::new(stream, peer, self.read_timeout) else {
            return count(&self.counts.broken);
        };
        count(&self.counts.accepted);
        // May wait long if the buffer is full, but not for ever, also after the stop: the workers make room as long as
        // there are connections. The buffer is closed after the acceptor has ended, so this does not fail.
        if self.connections.put(connection).is_err() {
            count(&self.counts.broken);
        }
    }

    // --- the workers -----------------------------------------------------------------------------------------------

    /// Attends to connections until there will be no more.
    pub(crate) fn work(&self) {
        let mut scratch = vec![0; CHUNK];
        let mut nap = Nap { silent: 0, next: SHORT_NAP };
        for connection in &self.connections {
            // To be reported however this ends, or `stop` would wait for ever. A connection that was put back counts
            // as a new one by then.
            let done = Finally(|| self.connections.task_done());
            // A mistake in the code that answers a request costs this connection, not the worker.
            let attended =
                panic::catch_unwind(AssertUnwindSafe(|| self.attend(connection, &mut scratch, &mut nap)));
            drop(done);
            if !matches!(attended, Ok(Ok(()))) {
                count(&self.counts.broken);
            }
            if nap.silent > self.connections.len() / self.workers {
                self.sleep(&mut nap);
            }
        }
    }

    /// Serves a connection until it is over, or until it goes back to the end of the line.
    fn attend(&self, mut connection: Connection, scratch: &mut [u8], nap: &mut Nap) -> io::Result<()> {
        loop {
            let turn = self.turn(&mut connection, scratch)?;
            if turn == (Turn::Pause { heard: false }) {
                nap.silent += 1;
            } else {
                *nap = Nap { silent: 0, next: SHORT_NAP };
            }
            if turn == Turn::Over {
                return Ok(());
            }
            if self.connections.is_empty() {
                // Nobody waits: it is listened to, so this loop sleeps well.
                continue;
            }
            match self.connections.try_put(connection) {
                // The buffer is not closed while a connection is unfinished.
                Ok(()) | Err(TryPutError::Closed(_)) => return Ok(()),
                Err(TryPutError::Full(back)) => {
                    // No place in the line. A client that is owed nothing gives way to one that has not been heard;
                    // any other one stays, with this worker, for which its deadline is the limit.
                    if back.is_idle() || back.is_lingering() {
                        return Ok(());
                    }
                    connection = back;
                    if nap.silent != 0 {
                        self.sleep(nap);
                    }
                }
            }
        }
    }

    /// A nap that the stop ends. After the stop it is none at all: then workers listen to each client in turn.
    fn sleep(&self, nap: &mut Nap) {
        self.stop.wait_for(nap.next);
        *nap = Nap { silent: 0, next: (nap.next * 2).min(LONG_NAP) };
    }

    /// Does what can be done for a connection now.
    fn turn(&self, connection: &mut Connection, scratch: &mut [u8]) -> io::Result<Turn> {
        let mut end = Instant::now() + TURN;
        let mut heard = false;
        // A deadline is looked at only after listening: the client may have met it while its connection was in line.
        let mut received = None;
        loop {
            match connection.next(&self.limits) {
                Next::Answer(request) => {
                    self.answer(connection, request)?;
                    (heard, received) = (true, None);
                }
                Next::Refuse(refusal) => self.refuse(connection, refusal)?,
                Next::Invite => match connection.head().map(http::route) {
                    Some(Err(refusal)) => self.refuse(connection, refusal)?,
                    _ => connection.send(CONTINUE)?,
                },
                Next::Wait => {
                    let stopping = self.stop.is_set();
                    match received {
                        // It wants nothing from us.
                        Some(Received::Nothing) if stopping && connection.is_silent() => {
                            return Ok(Turn::Over);
                        }
                        Some(Received::End) if connection.is_silent() || connection.is_lingering() => {
                            return Ok(Turn::Over);
                        }
                        // It has closed one side only, perhaps, and can read this.
                        Some(Received::End) => {
                            self.refuse(connection, Refusal::new(400, "the request ends early"))?
                        }
                        Some(_) if Instant::now() >= self.deadline(connection, stopping) => {
                            if connection.is_idle() || connection.is_lingering() {
                                return Ok(Turn::Over);
                            }
                            self.refuse(connection, Refusal::new(408, "the request took too long"))?;
                        }
                        Some(Received::Nothing) => return Ok(Turn::Pause { heard }),
                        Some(Received::Bytes) | None => {}
                    }
                    let patience = match stopping {
                        true if connection.is_silent() => Duration::ZERO,
                        false if !self.connections.is_empty() => Duration::ZERO,
                        _ => LISTEN,
                    };
                    let now = connection.receive(patience, scratch)?;
                    heard |= now != Received::Nothing;
                    received = Some(now);
                }
            }
            // Also in the midst of requests that were sent together, or of a body that comes in without a break.
            if heard && Instant::now() >= end {
                if !self.connections.is_empty() {
                    return Ok(Turn::Pause { heard });
                }
                end = Instant::now() + TURN;
            }
        }
    }

    /// When the present phase of a connection has to be over. After the stop all share a last deadline, lest many slow
    /// clients take one time-out after the other.
    fn deadline(&self, connection: &Connection, stopping: bool) -> Instant {
        if stopping && !connection.is_lingering() {
            let mut last = self.last_deadline.lock();
            connection.deadline.min(*last.get_or_insert_with(|| Instant::now() + self.read_timeout))
        } else {
            connection.deadline
        }
    }

    /// Answers a request.
    fn answer(&self, connection: &mut Connection, request: Request) -> io::Result<()> {
        let Request { head, body } = request;
        let number = self.number();
        let (reply, data) = match http::route(&head) {
            Ok(Route::LogQuery(query)) => (recorded(number), query.as_bytes().to_vec()),
            Ok(Route::LogBody) => (recorded(number), body),
            Ok(Route::Index) => (Reply::ok(INDEX), Vec::new()),
            Ok(Route::Health) => (Reply::ok("ok\n"), Vec::new()),
            Ok(Route::Stats) => (Reply::ok(self.stats()), Vec::new()),
            Ok(Route::Metrics) => (Reply::metrics(self.metrics()), Vec::new()),
            Err(refusal) => (Reply::from(refusal), refusal.why.into()),
        };
        // When the line is full there is no place to keep a connection, and now is the moment to tell the client.
        let keep_alive = head.keep_alive && !self.connections.is_full() && !self.stop.is_set();
        let head_only = head.method == "HEAD";
        let record = Record {
            number,
            time: now(),
            peer: connection.peer,
            method: head.method,
            target: head.target,
            status: reply.status,
            data,
        };
        self.record_and_reply(connection, record, reply, keep_alive, head_only)
    }

    /// Answers what is no acceptable request, and ends the connection.
    fn refuse(&self, connection: &mut Connection, refusal: Refusal) -> io::Result<()> {
        let head_only = connection.is_head_request();
        let (method, target) = connection.head().map_or(("-", "-"), |head| (&head.method, &head.target));
        let record = Record {
            number: self.number(),
            time: now(),
            peer: connection.peer,
            method: method.to_owned(),
            target: target.to_owned(),
            status: refusal.status,
            data: refusal.why.into(),
        };
        self.record_and_reply(connection, record, refusal.into(), false, head_only)
    }

    /// Puts a record, then sends an answer. In this order: the answer is the promise that there is a record.
    fn record_and_reply(
        &self,
        connection: &mut Connection,
        record: Record,
        mut reply: Reply,
        mut keep_alive: bool,
        head_only: bool,
    ) -> io::Result<()> {
        // Waits if the logger is behind. It closes the buffer if it can write no more, so the wait ends.
        let recorded = self.records.put(record).is_ok();
        if recorded {
            count(&self.counts.recorded);
        } else {
            reply = Refusal::new(503, "the log cannot be written").into();
            keep_alive = false;
        }
        connection.send(&reply.render(keep_alive, head_only))?;
        count(if recorded { &self.counts.answered } else { &self.counts.unlogged });
        if keep_alive {
            connection.await_next();
            Ok(())
        } else {
            connection.linger()
        }
    }

    fn number(&self) -> u64 {
        self.next_number.fetch_add(1, Relaxed)
    }

    fn stats(&self) -> String {
        let Snapshot { accepted, answered, recorded, logged, unlogged, broken } = self.counts.now();
        format!(
            "accepted {accepted}\nanswered {answered}\nrecorded {recorded}\nlogged {logged}\nunlogged {unlogged}\n\
             broken {broken}\nopen {}\nconnections waiting {} of {}\nrecords waiting {} of {}\n",
            self.connections.unfinished(),
            self.connections.len(),
            self.connections.capacity(),
            self.records.len(),
            self.records.capacity(),
        )
    }

    /// What [`stats`](Self::stats) says, in the text format of Prometheus.
    fn metrics(&self) -> String {
        let Snapshot { accepted, answered, recorded, logged, unlogged, broken } = self.counts.now();
        let gauge = |value: usize| value as u64;
        let rows = [
            ("connections_accepted_total", "counter", "Connections that were accepted", accepted),
            ("connections_broken_total", "counter", "Connections that ended in an error", broken),
            ("requests_answered_total", "counter", "Answers that were sent and have a record", answered),
            ("requests_unlogged_total", "counter", "Requests answered 503 for want of a log", unlogged),
            ("records_queued_total", "counter", "Records that were handed to the logger", recorded),
            ("records_logged_total", "counter", "Records that are in the file", logged),
            ("connections_open", "gauge", "Connections now", gauge(self.connections.unfinished())),
            (
                "connections_waiting",
                "gauge",
                "Connections that wait for a worker",
                gauge(self.connections.len()),
            ),
            ("connections_waiting_limit", "gauge", "As many may wait", gauge(self.connections.capacity())),
            ("records_waiting", "gauge", "Records that wait for the logger", gauge(self.records.len())),
            ("records_waiting_limit", "gauge", "As many may wait", gauge(self.records.capacity())),
            ("workers", "gauge", "Threads that answer requests", gauge(self.workers)),
            ("uptime_seconds", "gauge", "Since the start", self.start.elapsed().as_secs()),
        ];
        rows.map(|(name, kind, help, value)| {
            format!("# HELP log_server_{name} {help}\n# TYPE log_server_{name} {kind}\nlog_server_{name} {value}\n")
        })
        .concat()
    }

    // --- the logger ------------------------------------------------------------------------------------------------

    /// Writes records until there will be no more.
    ///
    /// If the file takes no more, the server cannot keep its promise, and stops: workers that wait to put a record
    /// are released, and answer 503.
    pub(crate) fn log(&self, mut file: File) -> io::Result<()> {
        // Also if this panics. Otherwise it has happened already.
        let _closed = Finally(|| {
            self.records.close_now();
            self.stop.set();
        });
        let mut batch = Vec::with_capacity(BATCH);
        let mut lines = String::new();
        // Waits for one record and takes all that are there: the busier the workers, the larger the batches.
        while let Ok(n) = self.records.get_many(&mut batch, BATCH) {
            lines.clear();
            batch.drain(..).for_each(|record| record.write_line(&mut lines));
            match log::write_lines(&mut file, &lines) {
                Ok(()) => self.counts.logged.fetch_add(n as u64, Relaxed),
                Err((written, error)) => {
                    self.counts.logged.fetch_add(written, Relaxed);
                    return Err(error);
                }
            };
        }
        log::sync(&file)
    }

    // --- progress --------------------------------------------------------------------------------------------------

    /// Tells on standard error how things are, until there is nothing to tell any more.
    pub(crate) fn report(&self, quiet: &Event) {
        let terminal = io::stderr().is_terminal();
        // What the server was when it was made: by the time this thread first runs, a short day may be over.
        let (mut before, mut then) = (Snapshot::default(), self.start);
        // The event is the clock and the stop in one. The last report is made at the end.
        while !quiet.wait_for(REPORT) {
            self.report_once(&mut before, &mut then, terminal);
        }
        self.report_once(&mut before, &mut then, terminal);
        if terminal {
            let _ = writeln!(io::stderr());
        }
    }

    fn report_once(&self, before: &mut Snapshot, then: &mut Instant, terminal: bool) {
        let (counts, now) = (self.counts.now(), Instant::now());
        let (old, elapsed) = (mem::replace(before, counts), now - mem::replace(then, now));
        // An idle night should leave no pages of the same line.
        let events = |counts: Snapshot| (counts.answered, counts.logged, counts.unlogged);
        if events(old) == events(counts) {
            return;
        }
        let rate = (counts.answered - old.answered) as f64 / elapsed.as_secs_f64();
        let line = format!(
            "{:.1} s: {} served, {rate:.0}/s, {} logged, {} connections open, {} waiting, {} records waiting",
            (now - self.start).as_secs_f64(),
            counts.answered,
            counts.logged,
            self.connections.unfinished(),
            self.connections.len(),
            self.records.len(),
        );
        if terminal {
            // Over the line before, and nothing of it left.
            let _ = write!(io::stderr(), "\r{line}\x1b[K");
        } else {
            complain(format_args!("{line}"));
        }
    }
}

fn recorded(number: u64) -> Reply {
    Reply::ok(format!("recorded as {number}\n"))
}

/// Time since 1970. A clock that stands before that is not worth an error.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

const INDEX: &str = "GET  /log?text  logs the text
POST /log       logs the body
GET  /health    says ok
GET  /stats     says what has happened so far
GET  /metrics   says the same in the format of Prometheus
";
