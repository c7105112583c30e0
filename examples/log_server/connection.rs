//! A client's connection: its socket, what has arrived on it, and how far its present request has come.
//!
//! Everything that is known of a client is in here, not on a worker's stack. That is what lets a worker lay a
//! connection aside in the middle of a request and another worker take it up.

use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::http::{self, Head, Limits, Refusal};

/// How long to wait for a client to close a connection after we have said that it ends.
const LINGER: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    pub(crate) peer: SocketAddr,
    /// What has arrived and belongs to no answered request.
    buffer: Vec<u8>,
    phase: Phase,
    /// When patience with the present phase ends. Not moved by bytes that come in, except the first of a request.
    pub(crate) deadline: Instant,
    /// Time for a request to arrive, and for an answer to be sent.
    timeout: Duration,
    /// The read time-out that the socket has now, zero if it does not block: to set it again is a system call.
    patience: Duration,
    /// Whether a request was answered on it.
    answered: bool,
}

#[derive(Debug)]
enum Phase {
    /// Waiting for a head, or for the rest of one.
    Head,
    /// Waiting for the rest of the body that belongs to this head.
    Body(Head),
    /// The last answer is sent. What still arrives is thrown away.
    ///
    /// Closing at once would be wrong: if the client has sent more than was read, the system answers with a reset,
    /// and a reset can destroy an answer that the client has not read yet, such as the 413 to a body that is too long.
    Lingering,
}

/// A request that has arrived completely.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
}

/// What can be done with the bytes that are there.
#[derive(Debug)]
pub(crate) enum Next {
    /// Answer this.
    Answer(Request),
    /// Answer no request: this one, or whatever it is, is not acceptable.
    Refuse(Refusal),
    /// The client waits for a word before it sends the body. Its head is [`Connection::head`].
    Invite,
    /// Nothing, until more have arrived.
    Wait,
}

/// What came of listening to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Bytes,
    /// Nothing came in time.
    Nothing,
    /// The client has closed its side.
    End,
}

impl Connection {
    /// Takes over a socket that was just accepted.
    pub(crate) fn new(stream: TcpStream, peer: SocketAddr, timeout: Duration) -> io::Result<Self> {
        // Some systems hand the listener's mode on.
        stream.set_nonblocking(false)?;
        // Answers are written whole; to hold them back for more would only delay them.
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(timeout))?;
        Ok(Self {
            stream,
            peer,
            buffer: Vec::new(),
            phase: Phase::Head,
            deadline: Instant::now() + timeout,
            timeout,
            patience: Duration::MAX,
            answered: false,
        })
    }

    /// Whether it is between two requests: nobody is owed an answer.
    pub(crate) fn is_idle(&self) -> bool {
        self.answered && self.is_silent()
    }

    /// Whether nothing of a request has arrived yet.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self.phase, Phase::Head) && self.buffer.is_empty()
    }

    /// Whether the last answer is sent.
    pub(crate) fn is_lingering(&self) -> bool {
        matches!(self.phase, Phase::Lingering)
    }

    /// The head of the request whose body is awaited.
    pub(crate) fn head(&self) -> Option<&Head> {
        match &self.phase {
            Phase::Body(head) => Some(head),
            Phase::Head | Phase::Lingering => None,
        }
    }

    /// Whether what is being refused is a HEAD, whose answer has no body.
    pub(crate) fn is_head_request(&self) -> bool {
        self.head().map_or(self.buffer.starts_with(b"HEAD "), |head| head.method == "HEAD")
    }

    /// Gets as far as the bytes reach.
    pub(crate) fn next(&mut self, limits: &Limits) -> Next {
        if let Phase::Head = self.phase {
            match http::parse_head(&self.buffer, limits) {
                Ok(Some(head)) => {
                    self.buffer.drain(..head.len);
                    self.phase = Phase::Body(head);
                }
                Ok(None) => return Next::Wait,
                Err(refusal) => return Next::Refuse(refusal),
            }
        }
        match mem::replace(&mut self.phase, Phase::Head) {
            Phase::Body(head) if self.buffer.len() >= head.body_len => {
                let body = self.buffer.drain(..head.body_len).collect();
                Next::Answer(Request { head, body })
            }
            Phase::Body(mut head) => {
                // A client that sends its body all the same does not wait.
                let invite = mem::take(&mut head.expects_continue) && self.buffer.is_empty();
                self.phase = Phase::Body(head);
                if invite { Next::Invite } else { Next::Wait }
            }
            other => {
                self.phase = other;
                Next::Wait
            }
        }
    }

    /// Waits for more bytes, for `patience` at most; if that is zero, looks whether there are any.
    pub(crate) fn receive(&mut self, patience: Duration, scratch: &mut [u8]) -> io::Result<Received> {
        self.set_patience(patience)?;
        match self.stream.read(scratch) {
            Ok(0) => Ok(Received::End),
            Ok(_) if self.is_lingering() => Ok(Received::Bytes),
            Ok(n) => {
                if self.is_silent() {
                    // The first byte of a request: from now on it has its full time, and no more.
                    self.deadline = Instant::now() + self.timeout;
                }
                self.buffer.extend_from_slice(&scratch[..n]);
                Ok(Received::Bytes)
            }
            // Nothing came in time, which systems report in two ways, or a signal did.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) =>
            {
                Ok(Received::Nothing)
            }
            Err(error) => Err(error),
        }
    }

    fn set_patience(&mut self, patience: Duration) -> io::Result<()> {
        if self.patience != patience {
            if patience.is_zero() || self.patience.is_zero() {
                self.stream.set_nonblocking(patience.is_zero())?;
            }
            if !patience.is_zero() {
                self.stream.set_read_timeout(Some(patience))?;
            }
            self.patience = patience;
        }
        Ok(())
    }

    /// Sends all of `text`. A client that does not read has as long for it as for a request.
    ///
    /// The socket's own time-out is for one write, and a client that reads a byte now and then makes many of one.
    pub(crate) fn send(&mut self, text: &str) -> io::Result<()> {
        let mut rest = text.as_bytes();
        let mut deadline = None;
        while !rest.is_empty() {
            match self.stream.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => rest = &rest[n..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // It was only looked at, so writing does not wait either.
                Err(error) if error.kind() == ErrorKind::WouldBlock && self.patience.is_zero() => {
                    self.set_patience(self.timeout)?;
                }
                Err(error) => return Err(error),
            }
            // Nearly always one write does it, and nobody looks at the clock.
            if !rest.is_empty()
                && Instant::now() > *deadline.get_or_insert_with(|| Instant::now() + self.timeout)
            {
                return Err(ErrorKind::TimedOut.into());
            }
        }
        Ok(())
    }

    /// Begins to wait for the next request, after an answer.
    pub(crate) fn await_next(&mut self) {
        self.phase = Phase::Head;
        self.answered = true;
        self.deadline = Instant::now() + self.timeout;
    }

    /// Begins to wait for the client to close the connection, after the last answer.
    pub(crate) fn linger(&mut self) -> io::Result<()> {
        self.phase = Phase::Lingering;
        self.buffer = Vec::new();
        self.deadline = Instant::now() + LINGER;
        self.stream.shutdown(Shutdown::Write)
    }
}
