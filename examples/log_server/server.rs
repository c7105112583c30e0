//! The threads of the server: what each of them does until it is told to stop, and how it ends.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::mem;
use std::net::{SocketAddr, TcpListener};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lockwork::{BoundedBuffer, Event, Mutex, Semaphore, TryPutError};

use crate::complain;
use crate::connection::{Answer, Connection, Flushed, Next, Received, Request, Sent};
use crate::counts::{Counts, Gauges, Snapshot, count};
use crate::http::{self, CONTINUE, Limits, Refusal, Reply, Route};
use crate::log::{self, Log, Record};
use crate::options::Options;
use crate::watch::Watch;

/// How long a worker stays with a client that has much to say, while others wait.
const TURN: Duration = Duration::from_millis(2);
/// How long a worker waits for the next request of a client that it has just answered, while no connection
/// waits for a worker. It is the one wait for a client, and shorter than the way over the watch and the line:
/// without it a run that drives itself on two cores has half as many answers in a second.
const LISTEN: Duration = Duration::from_millis(4);
/// How often a connection that was answered goes through the line before it goes to the watch.
const LOOKS: u32 = 16;
/// How much is read at once.
const CHUNK: usize = 16 * 1024;
/// The most records taken at once, and the bytes after which what there is of them is written.
const BATCH: usize = 512;
const WRITE: usize = 256 * 1024;
/// How often progress is reported.
const REPORT: Duration = Duration::from_secs(1);
/// How long the acceptor leaves a system alone that has no more file descriptors, and how long it waits for a
/// place before it looks again for an idle connection that would give way.
const RECOVER: Duration = Duration::from_millis(20);
/// How many connections may wait in the listener's backlog: what the standard library asks for.
const BACKLOG: usize = 128;

/// What the threads share. They only ever wait in its buffers, on its semaphores and events, in the watch,
/// and for the file. None of them waits for a client, but for a few milliseconds.
pub(crate) struct Server {
    pub(crate) connections: BoundedBuffer<Connection>,
    pub(crate) records: BoundedBuffer<Record>,
    pub(crate) counts: Counts,
    pub(crate) watch: Watch,
    /// One permit for each connection that may be open.
    pub(crate) places: Arc<Semaphore>,
    /// One permit for each byte of the records that wait.
    room: Arc<Semaphore>,
    /// Set when the acceptor has ended.
    pub(crate) acceptor_gone: Event,
    stop: &'static Event,
    start: Instant,
    /// When the last request must be complete: some time after the stop.
    last_deadline: Mutex<Option<Instant>>,
    /// Held while a record is put, so that the numbers in the file ascend.
    next_number: Mutex<u64>,
    workers: usize,
    open_limit: usize,
    log_bytes: usize,
    durable: bool,
    limits: Limits,
    read_timeout: Duration,
}

/// What a worker does next with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Lays it aside until the client says something or reads.
    Pause,
    /// Goes on with it, unless others wait.
    Yield,
    /// Drops it.
    Over,
}

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attended {
    /// It is over.
    Over,
    /// The watch has it, or the line.
    LaidAside,
}

/// Does something when it is dropped: at the end of a function, whichever way it ends.
struct Finally<F: FnMut()>(F);

impl<F: FnMut()> Drop for Finally<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

impl Server {
    pub(crate) fn new(options: &Options, next_number: u64, stop: &'static Event) -> io::Result<Self> {
        Ok(Self {
            connections: BoundedBuffer::named("connections", options.queue),
            records: BoundedBuffer::named("records", options.log_queue),
            counts: Counts::default(),
            watch: Watch::new()?,
            places: Arc::new(Semaphore::named("places", options.connections)),
            room: Arc::new(Semaphore::named("room", options.log_bytes)),
            acceptor_gone: Event::new(),
            stop,
            start: Instant::now(),
            last_deadline: Mutex::named("last deadline", None),
            next_number: Mutex::named("next number", next_number),
            workers: options.workers,
            open_limit: options.connections,
            log_bytes: options.log_bytes,
            durable: options.durable,
            limits: options.limits(),
            read_timeout: options.read_timeout(),
        })
    }

    // --- the acceptor
    // ----------------------------------------------------------------------------------------------

    /// Accepts connections until the stop.
    pub(crate) fn accept(&self, listener: TcpListener) {
        let _gone = Finally(|| self.acceptor_gone.set());
        while !self.stop.is_set() {
            match listener.accept() {
                Ok((stream, peer)) => self.admit(stream, peer),
                // The client has thought better of it.
                Err(error)
                    if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                // No file descriptors, most likely, and the next attempt would fail as fast as this one.
                // Waiting on the event is a sleep that the stop ends.
                Err(_) => {
                    count(&self.counts.broken);
                    self.stop.wait_for(RECOVER);
                }
            }
        }
        // Clients that have connected before the stop are in the backlog, with their requests. Dropping the
        // listener would reset them. The connection that woke us up is among them, and harmless: it says
        // nothing and ends.
        if listener.set_nonblocking(true).is_ok() {
            for (stream, peer) in (0..BACKLOG).map_while(|_| listener.accept().ok()) {
                self.admit(stream, peer);
            }
        }
    }

    fn admit(&self, stream: std::net::TcpStream, peer: SocketAddr) {
        // May wait long, but not indefinitely, also after the stop: each phase of a connection has its
        // deadline. One that is owed nothing gives way to one that has not been heard.
        let place = loop {
            match self.places.try_acquire_arc_for(RECOVER) {
                Some(place) => break place,
                None => drop(self.watch.close_an_idle_one()),
            }
        };
        if stream.set_nonblocking(true).is_err() {
            return count(&self.counts.broken);
        }
        count(&self.counts.accepted);
        let stream = mio::net::TcpStream::from_std(stream);
        self.put(Connection::new(stream, peer, self.watch.slot(), self.read_timeout, place));
    }

    /// Puts a connection into the line, of the acceptor and of the watch. It may wait for room there, which
    /// the workers make. The buffer is closed after these two have ended, so this does not fail.
    fn put(&self, connection: Connection) {
        if self.connections.put(connection).is_err() {
            count(&self.counts.broken);
        }
    }

    /// Hands connections that have something to do to the workers, until there will be no more.
    pub(crate) fn watch(&self) -> io::Result<()> {
        let watched = self.watch.run(self.stop, |connection| self.put(connection));
        if watched.is_err() {
            self.stop.set();
        }
        watched
    }

    // --- the workers
    // -----------------------------------------------------------------------------------------------

    /// Attends to connections until there will be no more.
    pub(crate) fn work(&self) {
        let mut scratch = vec![0; CHUNK];
        for connection in &self.connections {
            let token = connection.token;
            // A mistake in the code that answers a request costs this connection, not the worker.
            let attended = panic::catch_unwind(AssertUnwindSafe(|| self.attend(connection, &mut scratch)));
            if !matches!(attended, Ok(Ok(_))) {
                count(&self.counts.broken);
            }
            if !matches!(attended, Ok(Ok(Attended::LaidAside))) {
                self.watch.forget(token);
            }
        }
    }

    /// Serves a connection until it is over, or has to wait, or has had its turn while others wait.
    fn attend(&self, mut connection: Connection, scratch: &mut [u8]) -> io::Result<Attended> {
        loop {
            let stopping = self.stop.is_set();
            match self.turn(&mut connection, scratch, stopping)? {
                Turn::Over => return Ok(Attended::Over),
                Turn::Pause => {
                    let deadline = self.deadline(&connection, stopping);
                    match self.watch.rest(connection, deadline, stopping)? {
                        Some(back) => connection = back,
                        None => return Ok(Attended::LaidAside),
                    }
                }
                Turn::Yield if self.connections.is_empty() => {}
                Turn::Yield => match self.connections.try_put(connection) {
                    Ok(()) | Err(TryPutError::Closed(_)) => return Ok(Attended::LaidAside),
                    // No place in the line: it has another turn.
                    Err(TryPutError::Full(back)) => connection = back,
                },
            }
        }
    }

    /// Does what can be done for a connection now, without waiting for its client.
    fn turn(&self, connection: &mut Connection, scratch: &mut [u8], stopping: bool) -> io::Result<Turn> {
        let end = Instant::now() + TURN;
        // A deadline is looked at only after listening: the client may have met it while its connection was
        // in line.
        let mut received = None;
        let mut answered = false;
        loop {
            match connection.flush()? {
                Flushed::All(Some(sent)) => {
                    self.counts.sent(sent.status, sent.recorded, connection.began.elapsed());
                    connection.begin();
                    (received, answered) = (None, true);
                }
                Flushed::All(None) => {}
                // Nothing more is read from a client that does not read.
                Flushed::Blocked if self.is_late(connection, stopping) => {
                    return Err(ErrorKind::TimedOut.into());
                }
                Flushed::Blocked => return Ok(Turn::Pause),
            }
            match connection.next(&self.limits) {
                Next::Answer(request) => self.answer(connection, request),
                Next::Refuse(refusal) => self.refuse(connection, refusal),
                Next::Invite => match connection.head().map(http::route) {
                    Some(Err(refusal)) => self.refuse(connection, refusal),
                    _ => connection.invite(CONTINUE),
                },
                Next::Commit => match self.watch.outcome(connection.token) {
                    None => return Ok(Turn::Pause),
                    Some(written) => self.release(connection, written),
                },
                Next::Wait => {
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
                            self.refuse(connection, Refusal::new(400, "the request ends early"));
                            continue;
                        }
                        Some(_) if self.is_late(connection, stopping) => {
                            if connection.is_idle() || connection.is_lingering() {
                                return Ok(Turn::Over);
                            }
                            self.refuse(connection, Refusal::new(408, "the request took too long"));
                            continue;
                        }
                        // It is looked at a few times more when it comes to the head of the line.
                        Some(Received::Nothing)
                            if connection.is_idle()
                                && connection.is_worth_a_look(LOOKS)
                                && !self.connections.is_empty() =>
                        {
                            return Ok(Turn::Yield);
                        }
                        Some(Received::Nothing) => return Ok(Turn::Pause),
                        Some(Received::Bytes) | None => {}
                    }
                    // Most clients that have an answer have their next question ready at once.
                    if mem::take(&mut answered) && !stopping && self.connections.is_empty() {
                        connection.listen(LISTEN)?;
                    }
                    received = Some(connection.receive(scratch)?);
                }
            }
            // Also in the midst of requests that were sent together, or of a body that comes in without a
            // break.
            if received != Some(Received::Nothing) && Instant::now() >= end {
                return Ok(Turn::Yield);
            }
        }
    }

    /// When the present phase of a connection has to be over. After the stop all share a last deadline, lest
    /// many slow clients take one time-out after the other.
    fn deadline(&self, connection: &Connection, stopping: bool) -> Option<Instant> {
        let deadline = connection.deadline()?;
        if !stopping || connection.is_lingering() {
            return Some(deadline);
        }
        let mut last = self.last_deadline.lock();
        Some(deadline.min(*last.get_or_insert_with(|| Instant::now() + self.read_timeout)))
    }

    fn is_late(&self, connection: &Connection, stopping: bool) -> bool {
        self.deadline(connection, stopping).is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Answers a request.
    fn answer(&self, connection: &mut Connection, request: Request) {
        let Request { head, body } = request;
        let (reply, data) = match http::route(&head) {
            Ok(Route::LogQuery(query)) => (None, query.as_bytes().to_vec()),
            Ok(Route::LogBody) => (None, body),
            Ok(Route::Index) => (Some(Reply::ok(INDEX)), Vec::new()),
            Ok(Route::Health) => (Some(Reply::ok("ok\n")), Vec::new()),
            Ok(Route::Stats) => (Some(Reply::ok(self.counts.stats(self.gauges()))), Vec::new()),
            Ok(Route::Debug(page)) => (Some(page.reply()), Vec::new()),
            Ok(Route::Metrics) => (Some(Reply::metrics(self.counts.metrics(self.gauges()))), Vec::new()),
            Err(refusal) => (Some(Reply::from(refusal)), refusal.why.into()),
        };
        // When there is no place left for another client, now is the moment to tell this one.
        let keep_alive = head.keep_alive && self.places.available_permits() != 0 && !self.stop.is_set();
        let head_only = head.method == "HEAD";
        let record = self.record(connection, head.method, head.target, data);
        self.record_and_reply(connection, record, reply, keep_alive, head_only);
    }

    /// Answers what is no acceptable request, and ends the connection.
    fn refuse(&self, connection: &mut Connection, refusal: Refusal) {
        let head_only = connection.is_head_request();
        let (named, data) = match connection.head() {
            Some(head) => (Some((head.method.as_str(), head.target.as_str())), refusal.why.into()),
            None => {
                let (named, line) = http::request_line(connection.received());
                (named, [refusal.why.as_bytes(), b": ", line].concat())
            }
        };
        let (method, target) = named.unwrap_or(("-", "-"));
        let record = self.record(connection, method.to_owned(), target.to_owned(), data);
        self.record_and_reply(connection, record, Some(refusal.into()), false, head_only);
    }

    fn record(&self, connection: &Connection, method: String, target: String, data: Vec<u8>) -> Record {
        let peer = connection.peer;
        Record { number: 0, time: now(), peer, method, target, status: 0, data, token: None, room: None }
    }

    /// Puts a record, then has an answer sent: at once, or when the record is on the disk. Without a reply it
    /// is the one that says under which number the request was recorded.
    fn record_and_reply(
        &self,
        connection: &mut Connection,
        mut record: Record,
        reply: Option<Reply>,
        keep_alive: bool,
        head_only: bool,
    ) {
        record.status = reply.as_ref().map_or(200, |reply| reply.status);
        record.token = self.durable.then_some(connection.token);
        // Waits if the logger is behind by so many bytes, or records. If it can write no more it closes the
        // buffer and drops what is in it, so both waits end.
        record.room = Some(self.room.acquire_many_arc(record.size().min(self.log_bytes)));
        let mut next = self.next_number.lock();
        record.number = *next;
        let recorded = self.records.put(record).is_ok().then_some(*next);
        *next += u64::from(recorded.is_some());
        drop(next);
        if recorded.is_some() {
            count(&self.counts.recorded);
        }
        let reply = match recorded {
            Some(number) => reply.unwrap_or_else(|| Reply::ok(format!("recorded as {number}\n"))),
            None => unwritable(),
        };
        let recorded = recorded.is_some();
        let sent = Sent { status: reply.status, recorded, keep_alive: keep_alive && recorded, head_only };
        let answer = Answer { bytes: reply.render(sent.keep_alive, head_only), sent };
        if self.durable && recorded { connection.hold(answer) } else { connection.send(answer) }
    }

    /// Has the answer sent that was held until its record was on the disk, or another one if it will never
    /// be.
    fn release(&self, connection: &mut Connection, written: bool) {
        let Some(mut answer) = connection.release() else { return };
        if !written {
            let reply = unwritable();
            let Sent { head_only, .. } = answer.sent;
            answer.bytes = reply.render(false, head_only);
            answer.sent = Sent { status: reply.status, recorded: false, keep_alive: false, head_only };
        }
        connection.send(answer);
    }

    fn gauges(&self) -> Gauges {
        Gauges {
            open: self.open_limit.saturating_sub(self.places.available_permits()),
            open_limit: self.open_limit,
            waiting: self.connections.len(),
            waiting_limit: self.connections.capacity(),
            records: self.records.len(),
            records_limit: self.records.capacity(),
            bytes: self.log_bytes.saturating_sub(self.room.available_permits()),
            bytes_limit: self.log_bytes,
            workers: self.workers,
            uptime: self.start.elapsed(),
        }
    }

    // --- the logger
    // ------------------------------------------------------------------------------------------------

    /// Writes records until there will be no more.
    ///
    /// If the file takes no more, the server cannot keep its promise, and stops: workers that wait to put a
    /// record are released, and answer 503.
    pub(crate) fn log(&self, log: &mut Log) -> io::Result<()> {
        // Also if this panics. Otherwise it has happened already.
        let _closed = Finally(|| {
            // What is in it is dropped, and gives back its room.
            self.records.close_now();
            self.watch.log_failed();
            self.stop.set();
        });
        let mut batch = Vec::with_capacity(BATCH);
        let mut lines = String::new();
        // Waits for one record and takes all that are there: the busier the workers, the larger the batches,
        // and the more records come to the disk together.
        while self.records.get_many(&mut batch, BATCH).is_ok() {
            let mut unwritten = 0;
            for record in &batch {
                record.write_line(&mut lines);
                unwritten += 1;
                if lines.len() >= WRITE {
                    self.write(log, &mut lines, mem::take(&mut unwritten))?;
                }
            }
            self.write(log, &mut lines, unwritten)?;
            if self.durable {
                log::sync(&log.file)?;
                self.watch.committed(batch.iter().filter_map(|record| record.token));
            }
            batch.clear();
        }
        log::sync(&log.file)
    }

    fn write(&self, log: &mut Log, lines: &mut String, n: u64) -> io::Result<()> {
        let (written, result) = match log::write_lines(&mut log.file, log.regular, lines) {
            Ok(()) => (n, Ok(())),
            Err((written, error)) => (written, Err(error)),
        };
        self.counts.logged.fetch_add(written, Relaxed);
        lines.clear();
        // Room for one long line is not kept for all the short ones.
        lines.shrink_to(2 * WRITE);
        result
    }

    // --- progress
    // --------------------------------------------------------------------------------------------------

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
            self.gauges().open,
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

fn unwritable() -> Reply {
    Refusal::new(503, "the log cannot be written").into()
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
