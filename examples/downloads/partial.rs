//! A file that is not complete yet: `NAME.part` has its bytes, `NAME.part.json` says which of them are there.
//!
//! The second is never ahead of the first: bytes are on the disk before it mentions them, and it is replaced as a
//! whole. So whenever the program ends, by whatever cause, what it says is true.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lockwork::Mutex;
use serde::{Deserialize, Serialize};

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

#[derive(Clone, Debug, Serialize, Deserialize)]
struct State {
    url: String,
    identity: Identity,
    parts: Vec<Part>,
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
}

impl Partial {
    /// Goes on with what is there of the same file, or begins.
    pub(crate) fn open(target: &Path, url: &str, identity: &Identity, parts: Vec<Part>) -> io::Result<Self> {
        let (data, notes) = (beside(target, ".part"), beside(target, ".part.json"));
        let found = found(&data, &notes, url, identity);
        let resumed = found.as_ref().map_or(0, |state| state.parts.iter().map(|part| part.done).sum());
        let state = match found {
            Some(state) => state,
            None => {
                // The notes go first: they must not speak of the new file.
                remove(&notes)?;
                let file = File::create(&data)?;
                if let Some(size) = identity.size {
                    file.set_len(size)?;
                }
                State { url: url.to_owned(), identity: identity.clone(), parts }
            }
        };
        let partial = Self {
            target: target.to_owned(),
            data,
            notes,
            state: Mutex::new(state),
            saved: Mutex::new(Instant::now()),
            resumed,
        };
        partial.save()?;
        Ok(partial)
    }

    pub(crate) fn parts(&self) -> Vec<Part> {
        self.state.lock().parts.clone()
    }

    /// A handle of its own for a part, where its next byte belongs.
    pub(crate) fn writer(&self, part: usize) -> io::Result<Writer<'_>> {
        let at = self.state.lock().parts[part];
        let mut file = OpenOptions::new().write(true).open(&self.data)?;
        file.seek(SeekFrom::Start(at.start + at.done))?;
        Ok(Writer { partial: self, part, file })
    }

    /// Begins a part again, because the server does not send a rest.
    pub(crate) fn restart(&self, part: usize) {
        self.state.lock().parts[part].done = 0;
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
        let mut file = File::create(&next)?;
        file.write_all(&serde_json::to_vec(&state)?)?;
        file.sync_data()?;
        fs::rename(&next, &self.notes)?;
        *saved = Instant::now();
        Ok(())
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
}

impl Writer<'_> {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.partial.state.lock().parts[self.part].done += bytes.len() as u64;
        // If another part is saving already, it does so for all.
        match self.partial.saved.try_lock() {
            Some(mut saved) if saved.elapsed() >= SAVE_EVERY => self.partial.save_as(&mut saved),
            _ => Ok(()),
        }
    }
}

/// What is there of the same version of the same file.
fn found(data: &Path, notes: &Path, url: &str, identity: &Identity) -> Option<State> {
    let state: State = serde_json::from_slice(&fs::read(notes).ok()?).ok()?;
    let size = fs::metadata(data).ok()?.len();
    // Parts can only be trusted to cover the file if these notes are ours and unharmed.
    let mut at = 0;
    for part in &state.parts {
        let end = part.end?;
        if part.start != at || end < at || part.done > end - at {
            return None;
        }
        at = end;
    }
    let same = state.url == url && state.identity == *identity && identity.ranges;
    (same && identity.size == Some(at) && size == at).then_some(state)
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
