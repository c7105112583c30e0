//! The client that the server brings along: it makes requests over real connections and believes nothing.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{Event, Mutex};

use crate::log;

/// How long a client tries to have one request answered.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long it waits before it connects again.
const PAUSE: Duration = Duration::from_millis(5);

/// How a run went.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) requests: u64,
    pub(crate) clients: usize,
    /// Requests that have got the right answer.
    pub(crate) answered: u64,
    pub(crate) elapsed: Duration,
    /// The first thing that went wrong.
    pub(crate) failure: Option<String>,
}

impl Run {
    pub(crate) fn complete(&self) -> bool {
        self.answered == self.requests && self.failure.is_none()
    }

    pub(crate) fn rate(&self) -> f64 {
        if self.answered == 0 { 0.0 } else { self.answered as f64 / self.elapsed.as_secs_f64() }
    }
}

/// Makes `requests` requests with `clients` threads at most, or fewer if the event is set before.
pub(crate) fn drive(address: SocketAddr, requests: u64, clients: usize, stop: &Event) -> Run {
    // More clients than requests are of no use.
    let clients = usize::try_from(requests).unwrap_or(usize::MAX).min(clients);
    // Each client takes the next request when it is through with the last: however many there are of either,
    // they come out even.
    let (next, answered) = (AtomicU64::new(0), AtomicU64::new(0));
    let failure = Mutex::new(None);
    let fail = |what: String| {
        failure.lock().get_or_insert(what);
    };
    let work = || {
        let mut client = Client { address, stream: None, received: Vec::new() };
        while !stop.is_set() {
            let request = next.fetch_add(1, Relaxed);
            if request >= requests {
                break;
            }
            match client.make(request, stop) {
                Ok(()) => answered.fetch_add(1, Relaxed),
                Err(error) => return fail(format!("request {request} failed: {error}")),
            };
        }
    };

    let start = Instant::now();
    thread::scope(|scope| {
        for number in 0..clients {
            let client = thread::Builder::new().name(format!("client {number}")).spawn_scoped(scope, work);
            if let Err(error) = client {
                // The others make its requests.
                fail(format!("cannot start client {number}: {error}"));
                break;
            }
        }
    });
    let elapsed = start.elapsed();
    Run { requests, clients, answered: answered.into_inner(), elapsed, failure: failure.into_inner() }
}

struct Client {
    address: SocketAddr,
    stream: Option<TcpStream>,
    received: Vec<u8>,
}

/// Why an attempt got no answer.
enum Failed {
    /// The connection ended before a byte of the answer came.
    Unheard(io::Error),
    /// There is no point in another attempt.
    Finally(io::Error),
}

impl Client {
    /// Makes one request and checks the answer.
    ///
    /// A server may close a connection that it kept alive at any time, and this one does when others wait in
    /// a full line. A request that was on its way at that moment was not read: it is made again,
    /// on a new connection. If that were wrong, a record would be there twice, and the check of the log would
    /// tell.
    fn make(&mut self, request: u64, stop: &Event) -> io::Result<()> {
        let mark = log::mark(request);
        // Both ways in which the server takes something to be logged.
        let text = if request % 2 == 0 {
            format!("GET /log?{mark} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address)
        } else {
            let (address, len) = (self.address, mark.len());
            format!("POST /log HTTP/1.1\r\nHost: {address}\r\nContent-Length: {len}\r\n\r\n{mark}")
        };
        let start = Instant::now();
        loop {
            let error = match self.attempt(&text) {
                Ok(()) => return Ok(()),
                Err(Failed::Finally(error)) => return Err(error),
                Err(Failed::Unheard(error)) => error,
            };
            self.stream = None;
            if start.elapsed() >= PATIENCE || stop.wait_for(PAUSE) {
                return Err(error);
            }
        }
    }

    fn attempt(&mut self, text: &str) -> Result<(), Failed> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(connect(self.address).map_err(Failed::Unheard)?),
        };
        stream.write_all(text.as_bytes()).map_err(Failed::Unheard)?;

        self.received.clear();
        let mut chunk = [0; 1024];
        let keep_alive = loop {
            let error = match stream.read(&mut chunk) {
                Ok(0) => ErrorKind::UnexpectedEof.into(),
                Ok(n) => {
                    self.received.extend_from_slice(&chunk[..n]);
                    if let Some(keep_alive) = read_answer(&self.received).map_err(Failed::Finally)? {
                        break keep_alive;
                    }
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            let unheard = self.received.is_empty()
                && !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            return Err(if unheard { Failed::Unheard(error) } else { Failed::Finally(error) });
        };
        if !keep_alive {
            self.stream = None;
        }
        Ok(())
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Checks an answer, and says whether another request may follow on the connection. `None` if it is not
/// complete.
fn read_answer(bytes: &[u8]) -> io::Result<Option<bool>> {
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut response = httparse::Response::new(&mut headers);
    let head = match response.parse(bytes).map_err(io::Error::other)? {
        httparse::Status::Complete(head) => head,
        httparse::Status::Partial => return Ok(None),
    };
    let field = |name: &str| {
        let header = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        header.and_then(|header| std::str::from_utf8(header.value).ok())
    };
    let length = field("Content-Length").and_then(|length| length.parse::<usize>().ok());
    let length = length.ok_or_else(|| io::Error::other("an answer without its length"))?;
    if bytes.len() < head + length {
        return Ok(None);
    }
    let body = &bytes[head..];
    if response.code != Some(200) || body.len() != length || !body.starts_with(b"recorded as ") {
        return Err(io::Error::other(format!("unexpected answer {:?}", String::from_utf8_lossy(bytes))));
    }
    Ok(Some(field("Connection") == Some("keep-alive")))
}
