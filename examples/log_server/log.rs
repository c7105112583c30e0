//! The log: what a record is, how it becomes a line, and how the lines are read back.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;
use std::{env, str};

use lockwork::ArcSemaphorePermit;

/// What is logged of a request.
#[derive(Debug)]
pub(crate) struct Record {
    /// One more than that of the record before it in the file, of an earlier run too.
    pub(crate) number: u64,
    /// Since 1970.
    pub(crate) time: Duration,
    pub(crate) peer: SocketAddr,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) status: u16,
    pub(crate) data: Vec<u8>,
    /// The connection that waits until this is on the disk.
    pub(crate) token: Option<usize>,
    /// The bytes that it takes of those which all records may take that wait.
    pub(crate) room: Option<ArcSemaphorePermit>,
}

impl Record {
    /// The memory that it takes, about.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>() + self.method.len() + self.target.len() + self.data.len()
    }

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

/// Whether a byte is written as it is: a printable character of ASCII that ends no field in double quotes.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

/// Writes text as it is, except for what would end the line or the field, or do something to a terminal.
fn escape(mut bytes: &[u8], out: &mut String) {
    while !bytes.is_empty() {
        // Nearly all of it, nearly always: copied in one go. No byte of a longer character is plain, so that
        // a run never ends in the midst of one.
        let plain = bytes.iter().position(|byte| !is_plain(*byte)).unwrap_or(bytes.len());
        let (run, rest) = bytes.split_at(plain);
        out.push_str(str::from_utf8(run).unwrap_or_default());
        let special = rest.iter().position(|byte| is_plain(*byte)).unwrap_or(rest.len());
        let (run, rest) = rest.split_at(special);
        for chunk in run.utf8_chunks() {
            out.extend(chunk.valid().chars().flat_map(char::escape_debug));
            out.extend(chunk.invalid().escape_ascii().map(char::from));
        }
        bytes = rest;
    }
}

/// The log, open for this process alone.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) path: PathBuf,
    pub(crate) file: File,
    /// Whether it has a beginning and an end, and can be brought to the disk and read back.
    pub(crate) regular: bool,
    /// Its length when it was opened, with the end of a line that was cut off.
    pub(crate) start: u64,
    /// The number of the first record that will be written.
    pub(crate) next_number: u64,
    /// Whether half a record was found at its end: an earlier server was killed.
    pub(crate) torn: bool,
    _lock: Lock,
}

/// Opens the log at `path` to append to it, or a new one in the temporary directory.
pub(crate) fn open(path: Option<&Path>) -> Result<Log, (PathBuf, io::Error)> {
    let Some(path) = path else {
        let (path, file) = open_new()?;
        return prepare(path.clone(), file).map_err(|error| (path, error));
    };
    let file = sharing(OpenOptions::new().append(true).create(true)).open(path);
    file.and_then(|file| prepare(path.to_owned(), file)).map_err(|error| (path.to_owned(), error))
}

fn open_new() -> Result<(PathBuf, File), (PathBuf, io::Error)> {
    let mut attempt = 0;
    loop {
        let path = env::temp_dir().join(format!("lockwork-log-{}-{attempt}.log", process::id()));
        // Never another program's file, not even through a link that stands there.
        match sharing(OpenOptions::new().append(true).create_new(true)).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => attempt += 1,
            Err(error) => return Err((path, error)),
        }
    }
}

/// Locks the file, and finds out where an earlier run has ended.
fn prepare(path: PathBuf, mut file: File) -> io::Result<Log> {
    let regular = file.metadata()?.is_file();
    if !regular {
        // A pipe or a terminal may have several writers.
        return Ok(Log {
            path,
            file,
            regular,
            start: 0,
            next_number: 1,
            torn: false,
            _lock: Lock::default(),
        });
    }
    let lock = Lock::of(&file)?;
    let mut start = file.metadata()?.len();
    let (mut next_number, mut torn) = (1, false);
    if start != 0 {
        let mut reader = File::open(&path)?;
        let (line, whole) = last_line(&mut reader, start)?;
        torn = !whole;
        let mut last = number_at(&mut reader, line)?;
        if last.is_none() && torn && line != 0 {
            let (line, _) = last_line(&mut reader, line)?;
            last = number_at(&mut reader, line)?;
        }
        next_number = last.and_then(|last| last.checked_add(1)).unwrap_or(1);
        if torn {
            // The next record begins a line of its own.
            file.write_all(b"\n")?;
            start += 1;
        }
    }
    Ok(Log { path, file, regular, start, next_number, torn, _lock: lock })
}

/// Where the last line of the first `len` bytes begins, and whether it has an end.
fn last_line(file: &mut File, len: u64) -> io::Result<(u64, bool)> {
    const BLOCK: u64 = 64 * 1024;
    let mut block = Vec::new();
    let mut whole = None;
    let mut end = len;
    while end != 0 {
        let begin = end.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(begin))?;
        block.clear();
        (&*file).take(end - begin).read_to_end(&mut block)?;
        let is_whole = *whole.get_or_insert(block.last() == Some(&b'\n'));
        // The end of the last line is not what is before it.
        let text = if end == len && is_whole { &block[..block.len() - 1] } else { &block[..] };
        if let Some(at) = text.iter().rposition(|byte| *byte == b'\n') {
            return Ok((begin + at as u64 + 1, is_whole));
        }
        end = begin;
    }
    Ok((0, whole.unwrap_or(true)))
}

/// The number with which a line begins that begins there.
fn number_at(file: &mut File, at: u64) -> io::Result<Option<u64>> {
    let mut start = [0; 21];
    file.seek(SeekFrom::Start(at))?;
    let mut len = 0;
    while len < start.len() {
        match file.read(&mut start[len..])? {
            0 => break,
            n => len += n,
        }
    }
    let digits = start[..len].split(|byte| *byte == b' ').next().unwrap_or_default();
    // A number that is not followed by a blank may be half of one.
    let whole = digits.len() < len;
    Ok(str::from_utf8(digits).ok().filter(|_| whole).and_then(|digits| digits.parse().ok()))
}

/// What keeps another server from writing to the same file.
#[derive(Debug, Default)]
struct Lock {
    #[cfg(unix)]
    _held: Option<nix::fcntl::Flock<File>>,
}

impl Lock {
    #[cfg(unix)]
    fn of(file: &File) -> io::Result<Self> {
        use nix::errno::Errno;
        use nix::fcntl::{Flock, FlockArg};
        // Of the open file, whose copies share it.
        match Flock::lock(file.try_clone()?, FlockArg::LockExclusiveNonblock) {
            Ok(held) => Ok(Self { _held: Some(held) }),
            Err((_, Errno::EWOULDBLOCK)) => Err(io::Error::other("another process writes to it")),
            // A file system without locks.
            Err(_) => Ok(Self::default()),
        }
    }

    /// On Windows it is opened so that others can only read; elsewhere nothing is done.
    #[cfg(not(unix))]
    fn of(_: &File) -> io::Result<Self> {
        Ok(Self::default())
    }
}

/// Lets other processes read what is written, and where that can be said, no more.
fn sharing(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt;
        const FILE_SHARE_READ: u32 = 1;
        options.share_mode(FILE_SHARE_READ);
    }
    options
}

/// Writes whole lines. If that fails, says how many were written before; what there is of the next one is
/// taken back, if the file is `regular`.
pub(crate) fn write_lines(file: &mut File, regular: bool, text: &str) -> Result<(), (u64, io::Error)> {
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
        let whole = bytes[..written].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if regular && whole != written {
            // If it fails, the next server finds half a record.
            let len = file.metadata().map(|file| file.len());
            let _ = len.and_then(|len| file.set_len(len.saturating_sub((written - whole) as u64)));
        }
        return Err((lines as u64, error));
    }
    Ok(())
}

/// Has the system bring the file to the disk: an error that it has kept to itself so far comes out now.
pub(crate) fn sync(file: &File) -> io::Result<()> {
    match file.sync_data() {
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

/// Reads what a run that made requests `0..requests` has appended to the first `start` bytes.
pub(crate) fn read_back(path: &Path, start: u64, requests: u64) -> io::Result<Found> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(start))?;
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
