//! The log: what a record is, how it becomes a line, and how the lines are read back.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;
use std::{env, str};

/// What is logged of a request.
#[derive(Debug)]
pub(crate) struct Record {
    /// No other record of the server has the same. Records of different workers may reach the file in another order.
    pub(crate) number: u64,
    /// Since 1970.
    pub(crate) time: Duration,
    pub(crate) peer: SocketAddr,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) status: u16,
    pub(crate) data: Vec<u8>,
}

impl Record {
    /// Appends the record to `out`: one line, whatever the client has sent.
    pub(crate) fn write_line(&self, out: &mut String) {
        use std::fmt::Write;
        // Writing to a string does not fail.
        let (seconds, millis) = (self.time.as_secs(), self.time.subsec_millis());
        let _ = write!(out, "{} {seconds}.{millis:03} {} {} ", self.number, self.peer, self.method);
        escape(self.target.as_bytes(), out);
        let _ = write!(out, " {} \"", self.status);
        escape(&self.data, out);
        out.push_str("\"\n");
    }

    /// The number and the data of a line.
    fn parse_line(line: &str) -> Option<(u64, &str)> {
        let mut fields = line.splitn(7, ' ');
        let number = fields.next()?.parse().ok()?;
        let data = fields.nth(5)?.strip_prefix('"')?.strip_suffix('"')?;
        Some((number, data))
    }
}

/// Writes text as it is, except for what would end the line or the field, or do something to a terminal.
fn escape(bytes: &[u8], out: &mut String) {
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            // This is for a field in double quotes.
            if char == '\'' { out.push(char) } else { out.extend(char.escape_debug()) }
        }
        out.extend(chunk.invalid().escape_ascii().map(char::from));
    }
}

/// Opens the log at `path`, or a new one in the temporary directory.
pub(crate) fn open(path: Option<&Path>) -> Result<(PathBuf, File), (PathBuf, io::Error)> {
    if let Some(path) = path {
        return match File::create(path) {
            Ok(file) => Ok((path.to_owned(), file)),
            Err(error) => Err((path.to_owned(), error)),
        };
    }
    let mut attempt = 0;
    loop {
        let path = env::temp_dir().join(format!("lockwork-log-{}-{attempt}.log", process::id()));
        // Never somebody else's file, not even through a link that somebody has put there.
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => attempt += 1,
            Err(error) => return Err((path, error)),
        }
    }
}

/// Writes whole lines. If that fails, says how many were written before.
pub(crate) fn write_lines(file: &mut File, text: &str) -> Result<(), (u64, io::Error)> {
    let bytes = text.as_bytes();
    let mut written = 0;
    while written < bytes.len() {
        let error = match file.write(&bytes[written..]) {
            Ok(0) => ErrorKind::WriteZero.into(),
            Ok(n) => {
                written += n;
                continue;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => error,
        };
        let lines = bytes[..written].iter().filter(|byte| **byte == b'\n').count();
        return Err((lines as u64, error));
    }
    Ok(())
}

/// Has the system bring the file to the disk: an error that it has kept to itself so far comes out now.
pub(crate) fn sync(file: &File) -> io::Result<()> {
    match file.sync_all() {
        // A pipe or a terminal, which has no disk.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        result => result,
    }
}

/// What [`read_back`] found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) lines: u64,
    /// Requests of which there is a record.
    pub(crate) logged: u64,
    /// Records whose number another has as well.
    pub(crate) repeated_numbers: u64,
}

impl Found {
    /// Whether each of `requests` requests has one record, and nothing else is there.
    pub(crate) fn complete(&self, requests: u64) -> bool {
        self.lines == requests && self.logged == requests && self.repeated_numbers == 0
    }
}

/// The data by which a run that drives itself knows its requests again.
pub(crate) fn mark(request: u64) -> String {
    format!("request={request}")
}

/// Reads the log of a run that made requests `0..requests`.
pub(crate) fn read_back(path: &Path, requests: u64) -> io::Result<Found> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut found = Found::default();
    let (mut seen, mut numbers) = (HashSet::new(), HashSet::new());
    for line in BufReader::new(file).lines() {
        let line = line?;
        found.lines += 1;
        let Some((number, data)) = Record::parse_line(&line) else { continue };
        if !numbers.insert(number) {
            found.repeated_numbers += 1;
        }
        let request = data.strip_prefix("request=").and_then(|request| request.parse::<u64>().ok());
        if let Some(request) = request.filter(|request| *request < requests) {
            seen.insert(request);
        }
    }
    found.logged = seen.len() as u64;
    Ok(found)
}
