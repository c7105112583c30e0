//! A blocking HTTP/1.1 client: one request, one connection. Whatever it waits for has a time limit, and ends
//! soon after an event is set.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use lockwork::Event;

use crate::url::Url;

/// How a client behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client<'a> {
    /// How long the other side may say nothing.
    pub(crate) idle: Duration,
    /// How long a whole answer may take.
    pub(crate) total: Duration,
    /// Ends every wait when it is set.
    pub(crate) stop: &'a Event,
    /// Who we say we are.
    pub(crate) agent: &'a str,
}

/// The longest status line with headers, and the most headers.
const MAX_HEAD: usize = 64 * 1024;
const MAX_HEADERS: usize = 128;

/// How often a read that waits looks at the event.
const LOOK: Duration = Duration::from_millis(50);

/// Why there is no answer, or not a whole one.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No server listens there, or the connection broke.
    Connection(io::Error),
    /// The other side took too long.
    Timeout(&'static str),
    /// The connection ended too early.
    Truncated,
    /// This is not HTTP, or more of it than we take.
    Protocol(&'static str),
    /// The event was set.
    Stopped,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(error) => write!(f, "connection: {error}"),
            Self::Timeout(what) => write!(f, "timed out: {what}"),
            Self::Truncated => f.write_str("the connection ended in the middle of the answer"),
            Self::Protocol(what) => write!(f, "not understood: {what}"),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

impl std::error::Error for Failure {}

/// The beginning of an answer; the body is still to be read.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    fields: Vec<(String, String)>,
    pub(crate) body: Body<'a>,
}

impl Answer<'_> {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

impl<'a> Client<'a> {
    /// Asks for `url`, with more header fields if there are any.
    pub(crate) fn get(&self, url: &Url, fields: &[(&str, &str)]) -> Result<Answer<'a>, Failure> {
        let start = Instant::now();
        let mut wire = Wire {
            stream: self.connect(url)?,
            idle: self.idle,
            // A limit beyond what the clock can say is none.
            deadline: start.checked_add(self.total),
            stop: self.stop,
        };
        let mut request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {}\r\nAccept-Encoding: identity\r\nConnection: close\r\n",
            url.target(),
            url.authority(),
            self.agent
        );
        for (name, value) in fields {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        wire.stream.write_all(request.as_bytes()).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Failure::Timeout("it does not take the request"),
            _ => Failure::Connection(error),
        })?;
        let mut buffered = Vec::new();
        loop {
            if let Some((status, fields, len)) = parse_head(&buffered)? {
                buffered.drain(..len);
                // One that says "go on", or "wait", is not the answer yet.
                if (100..200).contains(&status) {
                    continue;
                }
                let framing = framing(status, &fields)?;
                let body = Body { wire, buffered, taken: 0, framing };
                return Ok(Answer { status, fields, body });
            }
            if buffered.len() >= MAX_HEAD {
                return Err(Failure::Protocol("the head of the answer is too long"));
            }
            let mut chunk = [0; 4096];
            match wire.read(&mut chunk)? {
                0 => return Err(Failure::Truncated),
                n => buffered.extend_from_slice(&chunk[..n]),
            }
        }
    }

    /// Tries each address that the host has.
    fn connect(&self, url: &Url) -> Result<TcpStream, Failure> {
        let addresses = (url.host(), url.port()).to_socket_addrs().map_err(Failure::Connection)?;
        let mut failure = Failure::Connection(io::Error::new(ErrorKind::NotFound, "the host has no address"));
        for address in addresses {
            if self.stop.is_set() {
                return Err(Failure::Stopped);
            }
            match TcpStream::connect_timeout(&address, self.idle) {
                Ok(stream) => {
                    let set = stream
                        .set_nodelay(true)
                        .and_then(|()| stream.set_read_timeout(Some(LOOK)))
                        .and_then(|()| stream.set_write_timeout(Some(self.idle)));
                    return set.map(|()| stream).map_err(Failure::Connection);
                }
                Err(error) if error.kind() == ErrorKind::TimedOut => {
                    failure = Failure::Timeout("it does not answer the call");
                }
                Err(error) => failure = Failure::Connection(error),
            }
        }
        Err(failure)
    }
}

type Head = (u16, Vec<(String, String)>, usize);

fn parse_head(bytes: &[u8]) -> Result<Option<Head>, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    match answer.parse(bytes) {
        Ok(httparse::Status::Partial) => Ok(None),
        Ok(httparse::Status::Complete(len)) => {
            let text = |value: &[u8]| String::from_utf8_lossy(value).trim().to_owned();
            let fields =
                answer.headers.iter().map(|field| (field.name.to_owned(), text(field.value))).collect();
            Ok(Some((answer.code.unwrap_or_default(), fields, len)))
        }
        Err(httparse::Error::TooManyHeaders) => Err(Failure::Protocol("there are too many headers")),
        Err(_) => Err(Failure::Protocol("this is not HTTP")),
    }
}

/// How to tell where a body ends.
#[derive(Clone, Copy, Debug)]
enum Framing {
    /// After so many more bytes.
    Length(u64),
    /// After the chunk of length zero.
    Chunked(Chunk),
    /// With the connection.
    Close,
}

#[derive(Clone, Copy, Debug)]
enum Chunk {
    Size,
    Data(u64),
    /// The line end after a chunk.
    End,
    Trailer,
}

fn framing(status: u16, fields: &[(String, String)]) -> Result<Framing, Failure> {
    let field = |name: &str| {
        fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    };
    if matches!(status, 204 | 304) {
        return Ok(Framing::Length(0));
    }
    match (field("transfer-encoding"), field("content-length")) {
        (Some(coding), _) if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked(Chunk::Size)),
        (Some(_), _) => Err(Failure::Protocol("the transfer encoding is unknown")),
        (None, Some(length)) if length.bytes().all(|byte| byte.is_ascii_digit()) => {
            length.parse().map(Framing::Length).map_err(|_| Failure::Protocol("the length is not a number"))
        }
        (None, Some(_)) => Err(Failure::Protocol("the length is not a number")),
        (None, None) => Ok(Framing::Close),
    }
}

/// The body of an answer, as it comes in.
#[derive(Debug)]
pub(crate) struct Body<'a> {
    wire: Wire<'a>,
    /// What has been received, and how much of it has been handed out.
    buffered: Vec<u8>,
    taken: usize,
    framing: Framing,
}

impl Body<'_> {
    /// Some more of it. 0 means that this was all; a connection that ends before that is a failure.
    pub(crate) fn read(&mut self, out: &mut [u8]) -> Result<usize, Failure> {
        loop {
            let want = match self.framing {
                Framing::Close => return self.raw(out),
                Framing::Length(0) => return Ok(0),
                Framing::Length(left) | Framing::Chunked(Chunk::Data(left)) => left,
                Framing::Chunked(Chunk::Size) => {
                    let size = self.line(|line| match httparse::parse_chunk_size(line) {
                        Ok(httparse::Status::Complete((_, size))) => Ok(size),
                        _ => Err(Failure::Protocol("a chunk has no size")),
                    })?;
                    let next = if size == 0 { Chunk::Trailer } else { Chunk::Data(size) };
                    self.framing = Framing::Chunked(next);
                    continue;
                }
                Framing::Chunked(Chunk::End) => {
                    if self.line(|line| Ok(line.trim_ascii().is_empty()))? {
                        self.framing = Framing::Chunked(Chunk::Size);
                        continue;
                    }
                    return Err(Failure::Protocol("a chunk is longer than its size"));
                }
                Framing::Chunked(Chunk::Trailer) => {
                    if self.line(|line| Ok(line.trim_ascii().is_empty()))? {
                        self.framing = Framing::Length(0);
                    }
                    continue;
                }
            };
            let most = usize::try_from(want).unwrap_or(usize::MAX).min(out.len());
            let got = self.raw(&mut out[..most])?;
            if got == 0 && most != 0 {
                return Err(Failure::Truncated);
            }
            let left = want - got as u64;
            self.framing = match self.framing {
                Framing::Chunked(_) if left == 0 => Framing::Chunked(Chunk::End),
                Framing::Chunked(_) => Framing::Chunked(Chunk::Data(left)),
                _ => Framing::Length(left),
            };
            return Ok(got);
        }
    }

    /// Bytes as they come, first those that came with the head.
    fn raw(&mut self, out: &mut [u8]) -> Result<usize, Failure> {
        let rest = &self.buffered[self.taken..];
        if rest.is_empty() {
            return self.wire.read(out);
        }
        let n = rest.len().min(out.len());
        out[..n].copy_from_slice(&rest[..n]);
        self.taken += n;
        Ok(n)
    }

    /// Takes a line, its end included, and what `understand` makes of it.
    fn line<T>(&mut self, understand: impl FnOnce(&[u8]) -> Result<T, Failure>) -> Result<T, Failure> {
        loop {
            let rest = &self.buffered[self.taken..];
            if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let result = understand(&rest[..=end]);
                self.taken += end + 1;
                return result;
            }
            if rest.len() >= 4096 {
                return Err(Failure::Protocol("a line between chunks is too long"));
            }
            self.buffered.drain(..self.taken);
            self.taken = 0;
            let mut chunk = [0; 4096];
            match self.wire.read(&mut chunk)? {
                0 => return Err(Failure::Truncated),
                n => self.buffered.extend_from_slice(&chunk[..n]),
            }
        }
    }
}

/// A connection whose reads end in time.
#[derive(Debug)]
struct Wire<'a> {
    stream: TcpStream,
    idle: Duration,
    deadline: Option<Instant>,
    stop: &'a Event,
}

impl Wire<'_> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, Failure> {
        let start = Instant::now();
        loop {
            if self.stop.is_set() {
                return Err(Failure::Stopped);
            }
            if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(Failure::Timeout("the whole answer takes too long"));
            }
            match self.stream.read(out) {
                Ok(n) => return Ok(n),
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                        if start.elapsed() >= self.idle {
                            return Err(Failure::Timeout("nothing comes any more"));
                        }
                    }
                    _ => return Err(Failure::Connection(error)),
                },
            }
        }
    }
}

/// Whether another attempt may bring something else.
pub(crate) const fn may_pass(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
}

/// How long to wait before attempt number `attempt`, the first retry being 1: twice as long each time, up to
/// a limit.
pub(crate) fn back_off(first: Duration, attempt: u32) -> Duration {
    const LONGEST: Duration = Duration::from_secs(10);
    first.saturating_mul(1 << (attempt.saturating_sub(1)).min(16)).min(LONGEST)
}
