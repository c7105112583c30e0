//! A client's connection: its socket, what has arrived on it, and how far its present request has come.
//!
//! Everything that is known of a client is in here, not on a worker's stack, and the socket never blocks.
//! That is what lets a worker lay a connection aside in the middle of a request, or of an answer, and another
//! worker take it up.

use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use lockwork::ArcSemaphorePermit;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::http::{self, Head, Limits, Refusal};

/// How long to wait for a client to close a connection after we have said that it ends.
const LINGER: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    pub(crate) peer: SocketAddr,
    /// Its place in the [`Watch`](crate::watch::Watch).
    pub(crate) token: usize,
    /// What has arrived and belongs to no answered request.
    buffer: Vec<u8>,
    /// What is to be sent, and how much of it has been.
    out: Vec<u8>,
    sent: usize,
    phase: Phase,
    /// When patience with the present phase ends. Not moved by bytes that come in, except the first of a
    /// request, nor by bytes that go out.
    deadline: Instant,
    /// When the first byte of the present request arrived.
    pub(crate) began: Instant,
    /// Time for a request to arrive, and for an answer to be sent.
    timeout: Duration,
    /// Whether a request was answered on it.
    answered: bool,
    /// How often it was looked at in vain since then.
    looks: u32,
    /// One of the connections that may be open. The last field: the socket is closed before another may be
    /// opened.
    _place: ArcSemaphorePermit,
}

#[derive(Debug)]
enum Phase {
    /// Waiting for a head, or for the rest of one.
    Head,
    /// Waiting for the rest of the body that belongs to this head.
    Body(Head),
    /// Waiting until the record is on the disk; then this is sent.
    Committing(Answer),
    /// An answer is being sent.
    Sending(Sent),
    /// The last answer is sent. What still arrives is thrown away.
    ///
    /// Closing at once would be wrong: if the client has sent more than was read, the system answers with a
    /// reset, and a reset can destroy an answer that the client has not read yet, such as the 413 to a body
    /// that is too long.
    Lingering,
}

/// What a connection waits for, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Waits {
    Silent,
    Request,
    Disk,
    Reader,
    Close,
}

/// An answer as it goes out.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) bytes: Vec<u8>,
    pub(crate) sent: Sent,
}

/// What is to be known of an answer when it is out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) status: u16,
    pub(crate) recorded: bool,
    pub(crate) keep_alive: bool,
    pub(crate) head_only: bool,
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
    /// See whether the record is on the disk.
    Commit,
    /// Nothing, until more have arrived.
    Wait,
}

/// What came of listening to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Bytes,
    /// There is nothing now.
    Nothing,
    /// The client has closed its side.
    End,
}

/// How far the sending has come.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Flushed {
    /// Nothing is left. An answer that has just become complete is told.
    All(Option<Sent>),
    /// The client has to read first.
    Blocked,
}

impl Connection {
    /// Takes over a socket that was just accepted and is watched under `token`.
    pub(crate) fn new(
        stream: TcpStream,
        peer: SocketAddr,
        token: usize,
        timeout: Duration,
        place: ArcSemaphorePermit,
    ) -> Self {
        // Answers are written whole; to hold them back for more would only delay them.
        let _ = stream.set_nodelay(true);
        let now = Instant::now();
        Self {
            stream,
            peer,
            token,
            buffer: Vec::new(),
            out: Vec::new(),
            sent: 0,
            phase: Phase::Head,
            deadline: now + timeout,
            began: now,
            timeout,
            answered: false,
            looks: 0,
            _place: place,
        }
    }

    /// When patience with the present phase ends. The disk has all the time that it wants.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        (!self.is_committing()).then_some(self.deadline)
    }

    /// Whether it is between two requests: no client is owed an answer.
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

    /// Whether a record has to reach the disk before the answer may be sent.
    pub(crate) fn is_committing(&self) -> bool {
        matches!(self.phase, Phase::Committing(_))
    }

    pub(crate) fn waits(&self) -> Waits {
        match self.phase {
            Phase::Head if self.buffer.is_empty() => Waits::Silent,
            Phase::Head | Phase::Body(_) => Waits::Request,
            Phase::Committing(_) => Waits::Disk,
            Phase::Sending(_) => Waits::Reader,
            Phase::Lingering => Waits::Close,
        }
    }

    /// Counts a look in vain, and returns whether there have been fewer than `most` since the last answer.
    pub(crate) fn is_worth_a_look(&mut self, most: u32) -> bool {
        self.looks += 1;
        self.looks < most
    }

    /// The head of the request whose body is awaited.
    pub(crate) fn head(&self) -> Option<&Head> {
        match &self.phase {
            Phase::Body(head) => Some(head),
            _ => None,
        }
    }

    /// What has arrived and was not understood.
    pub(crate) fn received(&self) -> &[u8] {
        &self.buffer
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
                let rest = self.buffer.split_off(head.body_len);
                let body = mem::replace(&mut self.buffer, rest);
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
                if self.is_committing() { Next::Commit } else { Next::Wait }
            }
        }
    }

    /// Takes what has arrived, if anything has.
    pub(crate) fn receive(&mut self, scratch: &mut [u8]) -> io::Result<Received> {
        match self.stream.read(scratch) {
            Ok(0) => Ok(Received::End),
            Ok(_) if self.is_lingering() => Ok(Received::Bytes),
            Ok(n) => {
                if self.is_silent() {
                    // The first byte of a request: from now on it has its full time, and no more.
                    self.began = Instant::now();
                    self.deadline = self.began + self.timeout;
                }
                self.buffer.extend_from_slice(&scratch[..n]);
                Ok(Received::Bytes)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Received::Nothing),
            // A signal has come in between: there may be more.
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(Received::Bytes),
            Err(error) => Err(error),
        }
    }

    /// Waits until there is something to receive, or `patience` has passed. Where the system has no call for
    /// it this returns at once.
    #[cfg(unix)]
    pub(crate) fn listen(&self, patience: Duration) -> io::Result<()> {
        use nix::errno::Errno;
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        use std::os::fd::AsFd;
        let patience = PollTimeout::try_from(patience).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(self.stream.as_fd(), PollFlags::POLLIN)], patience) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    #[cfg(not(unix))]
    pub(crate) fn listen(&self, _: Duration) -> io::Result<()> {
        Ok(())
    }

    /// Has the system tell `registry` when it can go on: when the client has read something, if an answer is
    /// on its way, or else when it has said something. It is told at once if that is so already.
    pub(crate) fn register(&mut self, registry: &Registry) -> io::Result<()> {
        let interest = match self.phase {
            Phase::Committing(_) => return Ok(()),
            _ if self.sent < self.out.len() => Interest::WRITABLE,
            _ => Interest::READABLE,
        };
        registry.register(&mut self.stream, Token(self.token), interest)
    }

    pub(crate) fn deregister(&mut self, registry: &Registry) {
        if !self.is_committing() {
            // A socket that is not known any more is what is wanted.
            let _ = registry.deregister(&mut self.stream);
        }
    }

    /// Has an answer sent by [`flush`](Self::flush). The client has as long to read it as a request may take.
    pub(crate) fn send(&mut self, answer: Answer) {
        self.out = answer.bytes;
        self.sent = 0;
        self.phase = Phase::Sending(answer.sent);
        self.deadline = Instant::now() + self.timeout;
    }

    /// Keeps an answer until its record is on the disk.
    pub(crate) fn hold(&mut self, answer: Answer) {
        self.phase = Phase::Committing(answer);
    }

    /// The answer that was held.
    pub(crate) fn release(&mut self) -> Option<Answer> {
        match mem::replace(&mut self.phase, Phase::Head) {
            Phase::Committing(answer) => Some(answer),
            other => {
                self.phase = other;
                None
            }
        }
    }

    /// Has the client told to go on with its body.
    pub(crate) fn invite(&mut self, text: &str) {
        self.out = text.as_bytes().to_vec();
        self.sent = 0;
    }

    /// Sends as much as the client takes now.
    pub(crate) fn flush(&mut self) -> io::Result<Flushed> {
        while self.sent < self.out.len() {
            match self.stream.write(&self.out[self.sent..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => self.sent += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Flushed::Blocked),
                Err(error) => return Err(error),
            }
        }
        self.out = Vec::new();
        self.sent = 0;
        let Phase::Sending(sent) = self.phase else { return Ok(Flushed::All(None)) };
        if sent.keep_alive {
            self.phase = Phase::Head;
            self.answered = true;
            self.looks = 0;
            // Of a request that came together with the last one, this is the beginning.
            self.deadline = Instant::now() + self.timeout;
        } else {
            self.phase = Phase::Lingering;
            self.buffer = Vec::new();
            self.deadline = Instant::now() + LINGER;
            self.stream.shutdown(Shutdown::Write)?;
        }
        Ok(Flushed::All(Some(sent)))
    }

    /// Begins to count the time of a request that came together with the one before.
    pub(crate) fn begin(&mut self) {
        self.began = Instant::now();
    }
}
