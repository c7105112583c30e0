//! A server with files that are hard to get, and a check that they were got.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::sync::Arc;

use lockwork::{Event, Mutex};
use sha2::{Digest, Sha256};

use crate::manager::{Done, Trouble, Wanted};
use crate::options::Options;
use crate::partial::hex;
use crate::serve::{self, Request, Server};

/// What makes a file hard to get.
enum Manner {
    /// Nothing; ranges can be had.
    Ranges,
    /// Ranges can be had, but each connection breaks after so many bytes.
    Drops(usize),
    /// Only the whole file can be had, and the first connection breaks in the middle.
    Whole,
    /// Its length is not told.
    Chunked,
    /// The first two requests are turned away.
    Busy,
    /// It is elsewhere.
    Moved(&'static str),
}

struct Content {
    manner: Manner,
    bytes: Vec<u8>,
    sha256: String,
}

#[derive(Default)]
struct Seen {
    requests: BTreeMap<String, usize>,
    /// By what they say they are: the first pass may have left requests behind that no thread waits for any
    /// more.
    clients: BTreeMap<String, Client>,
    /// Bytes that were sent in all.
    sent: u64,
}

/// What one client has done.
#[derive(Default)]
struct Client {
    /// Requests at this time, and at any one time.
    now: usize,
    most: usize,
    /// Bytes of the large file that were asked for.
    asked: u64,
}

struct State {
    contents: BTreeMap<String, Content>,
    total: u64,
    seen: Mutex<Seen>,
    /// Set when the first pass is interrupted. Until then not more than half of everything is sent.
    halt: Arc<Event>,
}

/// The server while it runs.
pub(crate) struct Files {
    state: Arc<State>,
    server: Server,
}

const LARGE: &str = "large.bin";

/// What the second pass says it is.
pub(crate) const SECOND: &str = "second pass";

impl Files {
    /// Serves on a free port. `halt` interrupts the first of two passes.
    pub(crate) fn start(halt: Arc<Event>) -> io::Result<Self> {
        let contents = contents();
        let total = contents.values().map(|content| content.bytes.len() as u64).sum();
        let state = Arc::new(State { contents, total, seen: Mutex::default(), halt });
        let shared = Arc::clone(&state);
        // More threads than there may be connections, so that too many would be seen.
        let server = Server::start(0, 64, move |request, stream| shared.answer(request, stream))?;
        Ok(Self { state, server })
    }

    /// Everything there is, and something that cannot be right.
    pub(crate) fn wanted(&self) -> Result<Vec<Wanted>, String> {
        let address = self.server.address();
        let contents = self.state.contents.iter();
        let mut wanted: Vec<Wanted> = contents
            .map(|(name, content)| {
                let sha256 = if name == WRONG { "0".repeat(64) } else { content.sha256.clone() };
                Wanted::parse(&format!("http://{address}/{name}#sha256={sha256}"))
            })
            .collect::<Result<_, _>>()?;
        wanted.push(Wanted::parse(&format!("http://{address}/missing.bin"))?);
        Ok(wanted)
    }

    /// When to interrupt the first pass: more than all files together that could be complete by then.
    pub(crate) fn quarter(&self) -> u64 {
        self.state.total / 4
    }

    /// What is wrong with what two passes have brought.
    pub(crate) fn check(
        &self,
        options: &Options,
        dir: &Path,
        wanted: &[Wanted],
        results: &[Result<Done, Trouble>],
    ) -> Result<Vec<String>, String> {
        let mut wrong = Vec::new();
        for (wanted, result) in wanted.iter().zip(results) {
            let name = wanted.name()?;
            let path = dir.join(name);
            match (name, result) {
                (WRONG | "missing.bin", Err(Trouble::Failed(_))) => {
                    if path.exists() {
                        wrong.push(format!("{name} was written"));
                    }
                }
                (WRONG | "missing.bin", other) => wrong.push(format!("{name} came to {other:?}")),
                (_, Err(trouble)) => wrong.push(format!("{name} is not there: {trouble}")),
                (_, Ok(_)) => {
                    let written = fs::read(&path).map_err(|error| format!("{name}: {error}"))?;
                    if written != self.state.contents[name].bytes {
                        wrong.push(format!("{name} has other content"));
                    }
                }
            }
            if let (LARGE, Ok(done)) = (name, result) {
                let asked = self.state.seen.lock().clients.get(SECOND).map_or(0, |client| client.asked);
                // One byte more is what was asked for to learn the size.
                if done.resumed == 0 || asked != done.size - done.resumed + 1 {
                    let resumed = done.resumed;
                    wrong.push(format!("{name}: {resumed} bytes were there, and {asked} asked for again"));
                }
            }
        }
        let left = fs::read_dir(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        for entry in left.map_while(Result::ok) {
            if entry.file_name().to_string_lossy().contains(".part") {
                wrong.push(format!("{} was left behind", entry.path().display()));
            }
        }
        let most = self.most_at_a_time();
        if most > options.connections {
            wrong.push(format!("there were {most} connections at a time"));
        }
        Ok(wrong)
    }

    pub(crate) fn most_at_a_time(&self) -> usize {
        self.state.seen.lock().clients.values().map(|client| client.most).max().unwrap_or(0)
    }
}

impl Seen {
    fn client(&mut self, agent: &str) -> &mut Client {
        self.clients.entry(agent.to_owned()).or_default()
    }
}

/// Counts a request for as long as it is answered.
struct Counted<'a>(&'a State, String);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.seen.lock().client(&self.1).now -= 1;
    }
}

impl State {
    fn answer(&self, request: &Request, stream: &mut TcpStream) -> io::Result<()> {
        let name = request.target.trim_start_matches('/');
        let agent = request.field("user-agent").unwrap_or_default().to_owned();
        let times = {
            let mut seen = self.seen.lock();
            let client = seen.client(&agent);
            client.now += 1;
            client.most = client.most.max(client.now);
            let times = seen.requests.entry(name.to_owned()).or_insert(0);
            *times += 1;
            *times
        };
        let mut counted = Some(Counted(self, agent));
        let Some(content) = self.contents.get(name) else {
            drop(counted);
            return serve::head(stream, "404 Not Found", 0, &[]);
        };
        let bytes = &content.bytes;
        let tag = format!("\"{}\"", &content.sha256[..16]);
        let version = format!("ETag: {tag}");
        let fresh = request.field("if-range").is_none_or(|wanted| wanted == tag);
        let range = request.field("range").and_then(range).filter(|_| fresh);
        // The large file's first byte is counted here: who only asks how long a file is leaves as soon as it
        // has the head, and may be back before this is told.
        if request.field("range") == Some("bytes=0-0") {
            if let (LARGE, Some(Counted(_, agent))) = (name, &counted) {
                self.seen.lock().client(agent).asked += 1;
            }
            counted = None;
        }
        match content.manner {
            Manner::Busy if times <= 2 => {
                drop(counted);
                serve::head(stream, "503 Service Unavailable", 0, &[])
            }
            Manner::Moved(target) => {
                drop(counted);
                serve::head(stream, "302 Found", 0, &[&format!("Location: {target}")])
            }
            Manner::Chunked => {
                stream.write_all(
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
                )?;
                for chunk in bytes.chunks(10_000) {
                    write!(stream, "{:x}\r\n", chunk.len())?;
                    stream.write_all(chunk)?;
                    stream.write_all(b"\r\n")?;
                }
                drop(counted);
                stream.write_all(b"0\r\n\r\n")
            }
            Manner::Whole => {
                serve::head(stream, "200 OK", bytes.len(), &[])?;
                // Once for the size, which takes nothing of the body.
                let most = if times == 2 { bytes.len() / 2 } else { bytes.len() };
                self.send(stream, &bytes[..most], most < bytes.len(), counted)
            }
            Manner::Ranges | Manner::Drops(_) | Manner::Busy => {
                let (start, end) = match range {
                    None => {
                        serve::head(stream, "200 OK", bytes.len(), &[&version])?;
                        (0, bytes.len())
                    }
                    Some((start, _)) if start >= bytes.len() => {
                        drop(counted);
                        let whole = format!("Content-Range: bytes */{}", bytes.len());
                        return serve::head(stream, "416 Range Not Satisfiable", 0, &[&whole]);
                    }
                    Some((start, last)) => {
                        let end = bytes.len().min(last.saturating_add(1)).max(start);
                        let part = format!("Content-Range: bytes {start}-{}/{}", end - 1, bytes.len());
                        serve::head(stream, "206 Partial Content", end - start, &[&part, &version])?;
                        (start, end)
                    }
                };
                if let (LARGE, Some(Counted(_, agent))) = (name, &counted) {
                    self.seen.lock().client(agent).asked += (end - start) as u64;
                }
                let most = match content.manner {
                    Manner::Drops(most) => end.min(start + most),
                    _ => end,
                };
                self.send(stream, &bytes[start..most], most < end, counted)
            }
        }
    }

    /// Sends, and breaks the connection if it is to be broken.
    fn send(
        &self,
        stream: &mut TcpStream,
        bytes: &[u8],
        breaks: bool,
        mut counted: Option<Counted<'_>>,
    ) -> io::Result<()> {
        let mut pieces = bytes.chunks(16 * 1024).peekable();
        while let Some(piece) = pieces.next() {
            let sent = {
                let mut seen = self.seen.lock();
                seen.sent += piece.len() as u64;
                seen.sent
            };
            if sent > self.total / 2 {
                self.halt.wait();
            }
            if pieces.peek().is_none() {
                // The client may come back as soon as it has the last byte.
                counted = None;
            }
            stream.write_all(piece)?;
        }
        drop(counted);
        if breaks { stream.shutdown(Shutdown::Both) } else { Ok(()) }
    }
}

/// `bytes=FIRST-LAST`
fn range(field: &str) -> Option<(usize, usize)> {
    let (first, last) = field.strip_prefix("bytes=")?.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?)).filter(|(first, last)| first <= last)
}

/// Has another sum than it is said to have.
const WRONG: &str = "wrong.bin";

fn contents() -> BTreeMap<String, Content> {
    let mut contents = BTreeMap::new();
    let mut add = |name: &str, len: usize, manner| {
        let bytes = noise(contents.len() as u64 + 1, len);
        let sha256 = hex(&Sha256::digest(&bytes));
        contents.insert(name.to_owned(), Content { manner, bytes, sha256 });
    };
    add(LARGE, 16 << 20, Manner::Ranges);
    add("dropping.bin", 3 << 20, Manner::Drops(300_000));
    add("whole.bin", 500_000, Manner::Whole);
    add("chunked.bin", 200_000, Manner::Chunked);
    add("busy.bin", 50_000, Manner::Busy);
    add("empty.bin", 0, Manner::Ranges);
    add("one.bin", 1, Manner::Ranges);
    for number in 0..12 {
        add(&format!("small-{number}.bin"), 1000 * number + 7, Manner::Ranges);
    }
    add(WRONG, 10_000, Manner::Ranges);
    add("target.bin", 20_000, Manner::Ranges);
    // What is found there is the other one's content, under this one's name.
    let (bytes, sha256) = (contents["target.bin"].bytes.clone(), contents["target.bin"].sha256.clone());
    contents.insert("moved.bin".into(), Content { manner: Manner::Moved("/target.bin"), bytes, sha256 });
    contents
}

/// Bytes that do not repeat, the same for the same seed (xorshift).
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
