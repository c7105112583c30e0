//! Lines out of a socket, none of them longer than a limit.

use std::io::{self, ErrorKind, Read};
use std::net::TcpStream;
use std::time::Instant;

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Line(String),
    /// Longer than the limit.
    TooLong,
    /// The deadline has passed.
    Late,
    End,
}

/// Reads lines. Unlike `BufRead::lines` it gives up on one without an end, and on time.
pub(crate) struct Lines<'a> {
    stream: &'a TcpStream,
    buffer: Vec<u8>,
    /// How much of the buffer has no newline in it.
    searched: usize,
    /// The longest line.
    most: usize,
    deadline: Option<Instant>,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(stream: &'a TcpStream, most: usize) -> Self {
        Self { stream, buffer: Vec::new(), searched: 0, most, deadline: None }
    }

    /// Until when to wait, in all: a client that sends a byte now and then does not move it.
    pub(crate) fn set_deadline(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        self.deadline = deadline;
        self.stream.set_read_timeout(None)
    }

    /// The next line, without its end, and without what would do something to a terminal.
    pub(crate) fn next(&mut self) -> io::Result<Next> {
        loop {
            if let Some(at) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
                let end = self.searched + at;
                if end > self.most {
                    return Ok(Next::TooLong);
                }
                let line = clean(&self.buffer[..end]);
                self.buffer.drain(..=end);
                self.searched = 0;
                return Ok(Next::Line(line));
            }
            self.searched = self.buffer.len();
            if self.searched > self.most {
                return Ok(Next::TooLong);
            }
            let mut chunk = [0; 4096];
            match self.read(&mut chunk)? {
                None => return Ok(Next::Late),
                // What comes last and has no newline is no line.
                Some(0) => return Ok(Next::End),
                Some(n) => self.buffer.extend_from_slice(&chunk[..n]),
            }
        }
    }

    /// Throws away what still comes, until the client ends it or the deadline passes.
    ///
    /// Without this the system would answer a client that is still talking with a reset, which can destroy
    /// what the client has not read yet.
    pub(crate) fn discard(&mut self) {
        let mut chunk = [0; 4096];
        while matches!(self.read(&mut chunk), Ok(Some(1..))) {}
    }

    /// `None` if the deadline has passed.
    fn read(&mut self, chunk: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            if let Some(deadline) = self.deadline {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Ok(None);
                }
                self.stream.set_read_timeout(Some(left))?;
            }
            match self.stream.read(chunk) {
                Ok(n) => return Ok(Some(n)),
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut
                    ) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// What came, with everything replaced that would do something to a terminal, and everything named that would
/// change the order in which the rest is shown: `\u{202e}` instead of the character.
fn clean(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut clean = String::with_capacity(text.len());
    for char in text.trim_end_matches('\r').chars() {
        match char {
            _ if is_directional(char) => clean.extend(char.escape_unicode()),
            _ if char.is_control() => clean.push('\u{FFFD}'),
            _ => clean.push(char),
        }
    }
    clean
}

/// Marks, embeddings, overrides and isolates of the bidirectional algorithm (UAX #9), and separators of lines
/// and of paragraphs: after one of them a line may look as if another had said it.
const fn is_directional(char: char) -> bool {
    matches!(
        char,
        '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
    )
}
