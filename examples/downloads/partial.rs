//! A file that is not complete yet: `NAME.part` has its bytes, `NAME.part.json` says which of them are there.
//!
//! The second is never ahead of the first: bytes are on the disk before it mentions them, and it is replaced
//! as a whole. So whenever the program ends, by whatever cause, what it says was true. It holds a sum of what
//! it promises, so that a part which has been damaged since is fetched once more.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lockwork::Mutex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How much work a crash may cost.
const SAVE_EVERY: Duration = Duration::from_millis(500);

/// What the server says of a file. If it changes, it is another file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// Unknown if the server does not say.
    pub(crate) size: Option<u64>,
    /// Whether the server sends parts of it.
    pub(crate) ranges: bool,
    /// What the server knows this version by: a strong `ETag`, or the time of the last change.
    pub(crate) version: Option<String>,
}

/// A part of a file: of the bytes from `start` up to `end`, so many are there, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) start: u64,
    /// `None`: whatever comes.
    pub(crate) end: Option<u64>,
    pub(crate) done: u64,
}

impl Part {
    pub(crate) fn is_complete(&self) -> bool {
        self.end.is_some_and(|end| self.start + self.done >= end)
    }
}

/// What is known of a file while it is written.
#[derive(Clone, Debug)]
struct State {
    url: String,
    identity: Identity,
    parts: Vec<Part>,
    /// Of the bytes that are there of each part.
    sums: Vec<Sha256>,
}

/// [`State`] as it is noted.
#[derive(Debug, Serialize, Deserialize)]
struct Notes {
    url: String,
    identity: Identity,
    parts: Vec<Noted>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Noted {
    #[serde(flatten)]
    part: Part,
    sha256: String,
}

impl State {
    fn notes(&self) -> Notes {
        let parts = self.parts.iter().zip(&self.sums);
        let noted =
            |(part, sum): (&Part, &Sha256)| Noted { part: *part, sha256: hex(&sum.clone().finalize()) };
        Notes { url: self.url.clone(), identity: self.identity.clone(), parts: parts.map(noted).collect() }
    }
}

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct Partial {
    target: PathBuf,
    data: PathBuf,
    notes: PathBuf,
    state: Mutex<State>,
    /// When the notes were last written. Who holds this writes them.
    saved: Mutex<Instant>,
    /// Bytes that were there at the beginning.
    pub(crate) resumed: u64,
    /// Bytes that were noted at the beginning, and were not what they had been.
    pub(crate) damaged: u64,
}

impl Partial {
    /// Goes on with what is there of the same file, or begins.
    pub(crate) fn open(target: &Path, url: &str, identity: &Identity, parts: Vec<Part>) -> io::Result<Self> {
        let (data, notes) = (beside(target, ".part"), beside(target, ".part.json"));
        let found = found(&data, &notes, url, identity);
        let begun = found.is_none();
        let (state, damaged) = match found {
            Some(found) => found,
            None => {
                // The notes go first: they must not speak of the new file.
                remove(&notes)?;
                let sums = vec![Sha256::new(); parts.len()];
                (State { url: url.to_owned(), identity: identity.clone(), parts, sums }, 0)
            }
        };
        let partial = Self {
            target: target.to_owned(),
            data,
            notes,
            resumed: state.parts.iter().map(|part| part.done).sum(),
            damaged,
            state: Mutex::new(state),
            saved: Mutex::new(Instant::now()),
        };
        let ready = if begun { partial.begin(identity.size) } else { Ok(()) }.and_then(|()| partial.save());
        match ready {
            Ok(()) => Ok(partial),
            // Nothing is kept of what was not even begun.
            Err(error) if begun => partial.discard().and(Err(error)),
            Err(error) => Err(error),
        }
    }

    fn begin(&self, size: Option<u64>) -> io::Result<()> {
        let file = File::create(&self.data)?;
        size.map_or(Ok(()), |size| file.set_len(size))
    }

    /// Whether another run could go on from here: only if the server sends parts.
    pub(crate) fn is_of_use(&self) -> bool {
        let State { identity, parts, .. } = &*self.state.lock();
        identity.ranges && parts.iter().any(|part| part.done != 0)
    }

    pub(crate) fn parts(&self) -> Vec<Part> {
        self.state.lock().parts.clone()
    }

    /// A handle of its own for a part, where its next byte belongs.
    pub(crate) fn writer(&self, part: usize) -> io::Result<Writer<'_>> {
        let (at, sum) = {
            let state = self.state.lock();
            (state.parts[part], state.sums[part].clone())
        };
        let mut file = OpenOptions::new().write(true).open(&self.data)?;
        file.seek(SeekFrom::Start(at.start + at.done))?;
        Ok(Writer { partial: self, part, file, sum })
    }

    /// Begins a part again, because the server does not send a rest.
    pub(crate) fn restart(&self, part: usize) {
        let mut state = self.state.lock();
        state.parts[part].done = 0;
        state.sums[part] = Sha256::new();
    }

    /// What has come is all there is.
    pub(crate) fn finish_part(&self, part: usize) {
        let mut state = self.state.lock();
        let part = &mut state.parts[part];
        part.end = Some(part.start + part.done);
    }

    /// Writes down what is there.
    pub(crate) fn save(&self) -> io::Result<()> {
        self.save_as(&mut self.saved.lock())
    }

    fn save_as(&self, saved: &mut Instant) -> io::Result<()> {
        // In this order: what is noted here has been written before, and is on the disk before the note.
        let state = self.state.lock().clone();
        OpenOptions::new().write(true).open(&self.data)?.sync_data()?;
        let next = beside(&self.notes, ".new");
        let replaced = (|| {
            let mut file = File::create(&next)?;
            file.write_all(&serde_json::to_vec(&state.notes())?)?;
            file.sync_data()?;
            fs::rename(&next, &self.notes)
        })();
        if replaced.is_err() {
            // The old ones still hold.
            let _ = remove(&next);
        }
        *saved = Instant::now();
        replaced
    }

    /// The bytes, to be checked.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Gives the complete file its name.
    pub(crate) fn finish(self) -> io::Result<()> {
        let size: u64 = self.parts().iter().map(|part| part.done).sum();
        let file = OpenOptions::new().write(true).open(&self.data)?;
        file.set_len(size)?;
        file.sync_all()?;
        fs::rename(&self.data, &self.target)?;
        remove(&self.notes)
    }

    /// Throws it away.
    pub(crate) fn discard(self) -> io::Result<()> {
        remove(&self.notes)?;
        remove(&self.data)
    }
}

/// Writes a part.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    partial: &'a Partial,
    part: usize,
    file: File,
    /// Of what is there of the part.
    sum: Sha256,
}

impl Writer<'_> {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.sum.update(bytes);
        let sum = self.sum.clone();
        {
            let mut state = self.partial.state.lock();
            state.parts[self.part].done += bytes.len() as u64;
            state.sums[self.part] = sum;
        }
        // If another part is saving already, it does so for all.
        match self.partial.saved.try_lock() {
            Some(mut saved) if saved.elapsed() >= SAVE_EVERY => self.partial.save_as(&mut saved),
            _ => Ok(()),
        }
    }
}

/// What is there of the same version of the same file, without what has been damaged, and how much that is.
fn found(data: &Path, notes: &Path, url: &str, identity: &Identity) -> Option<(State, u64)> {
    let Notes { url: of, identity: noted, parts } = serde_json::from_slice(&fs::read(notes).ok()?).ok()?;
    let mut file = File::open(data).ok()?;
    // Parts can only be trusted to cover the file if these notes are ours and unharmed.
    let mut at = 0;
    for Noted { part, .. } in &parts {
        let end = part.end?;
        if part.start != at || end < at || part.done > end - at {
            return None;
        }
        at = end;
    }
    let same = of == url && noted == *identity && identity.ranges;
    if !same || identity.size != Some(at) || file.metadata().ok()?.len() != at {
        return None;
    }
    let mut state = State { url: of, identity: noted, parts: Vec::new(), sums: Vec::new() };
    let mut damaged = 0;
    for Noted { mut part, sha256 } in parts {
        let mut sum = sum_of(&mut file, part).ok()?;
        if hex(&sum.clone().finalize()) != sha256 {
            damaged += part.done;
            (part.done, sum) = (0, Sha256::new());
        }
        state.parts.push(part);
        state.sums.push(sum);
    }
    Some((state, damaged))
}

/// The sum of what is there of a part.
fn sum_of(file: &mut File, part: Part) -> io::Result<Sha256> {
    file.seek(SeekFrom::Start(part.start))?;
    let (mut sum, mut left) = (Sha256::new(), part.done);
    let mut chunk = vec![0; 1 << 18];
    while left != 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
        match file.read(&mut chunk[..most])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => {
                sum.update(&chunk[..n]);
                left -= n as u64;
            }
        }
    }
    Ok(sum)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Divides a file into at most `most` parts that are not shorter than `least`, if there are several.
pub(crate) fn divide(identity: &Identity, most: usize, least: u64) -> Vec<Part> {
    let whole = |end| vec![Part { start: 0, end, done: 0 }];
    let Some(size) = identity.size else { return whole(None) };
    if !identity.ranges {
        return whole(Some(size));
    }
    let count = (size / least.max(1)).clamp(1, most as u64);
    // The first ones take a byte more each if it does not come out even.
    let (each, more) = (size / count, size % count);
    let start = |part: u64| part * each + part.min(more);
    (0..count).map(|part| Part { start: start(part), end: Some(start(part + 1)), done: 0 }).collect()
}
