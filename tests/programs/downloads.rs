//! The example `downloads`, seen from the servers that it asks and in what it writes; and its parts.
#![cfg(all(unix, not(miri)))]
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests use std to check this crate")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "tests state what they do in prose")]

mod built;
#[allow(dead_code, reason = "what this program's tests do without")]
#[path = "../../examples/shared/client.rs"]
mod client;
#[allow(dead_code, reason = "what this program's tests do without")]
#[path = "../../examples/downloads/partial.rs"]
mod partial;
#[allow(dead_code, reason = "what this program's tests do without")]
mod running;
#[allow(dead_code, reason = "what this program's tests do without")]
#[path = "../../examples/shared/serve.rs"]
mod serve;
#[allow(dead_code, unused_imports, reason = "what these programs' tests do without")]
#[path = "../support/mod.rs"]
mod support;
#[allow(dead_code, reason = "what this program's tests do without")]
#[path = "../../examples/shared/url.rs"]
mod url;

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use lockwork::{Event, Mutex};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use crate::running::{Ended, Folder, Program};
use crate::serve::{Request, Server};
use crate::support::{LIMIT, cases, eventually, watchdog};

use partial::{Identity, Part, Partial, divide};

/// A server of one file, which is the answer to every request.
struct Origin {
    server: Server,
    state: Arc<State>,
}

struct State {
    /// The content, and the version that it has.
    content: Mutex<(Vec<u8>, &'static str)>,
    /// The ranges that were asked for, but for the first byte.
    ranges: Mutex<Vec<(usize, usize)>>,
    /// While this is not set, what goes beyond the first part of an answer is sent drop by drop, and its end
    /// is not sent.
    flow: Event,
}

/// So much of an answer is sent at once.
const GUSH: usize = 200_000;

impl Origin {
    fn start(content: Vec<u8>, flows: bool) -> Self {
        let state = Arc::new(State {
            content: Mutex::new((content, "\"one\"")),
            ranges: Mutex::default(),
            flow: Event::new(),
        });
        if flows {
            state.flow.set();
        }
        let shared = Arc::clone(&state);
        let server = Server::start(0, 32, move |request, stream| shared.answer(request, stream));
        Self { server: server.expect("a server"), state }
    }

    fn url(&self, rest: &str) -> String {
        format!("http://{}/{rest}", self.server.address())
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        // No client shall wait for what is sent drop by drop.
        self.state.flow.set();
    }
}

impl State {
    fn answer(&self, request: &Request, stream: &mut TcpStream) -> io::Result<()> {
        let (content, tag) = self.content.lock().clone();
        let fresh = request.field("if-range").is_none_or(|wanted| wanted == tag);
        let range = request.field("range").filter(|_| fresh).and_then(|range| {
            let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
            Some((first.parse::<usize>().ok()?, last.parse::<usize>().ok()?))
        });
        let version = format!("ETag: {tag}");
        let bytes = match range {
            None => {
                serve::head(stream, "200 OK", content.len(), &[&version])?;
                &content[..]
            }
            Some((first, last)) => {
                if (first, last) != (0, 0) {
                    self.ranges.lock().push((first, last));
                }
                let range = format!("Content-Range: bytes {first}-{last}/{}", content.len());
                serve::head(stream, "206 Partial Content", last + 1 - first, &[&range, &version])?;
                &content[first..=last]
            }
        };
        let (gush, rest) = bytes.split_at(bytes.len().min(GUSH));
        stream.write_all(gush)?;
        let mut pieces = rest.chunks(1000).peekable();
        while let Some(piece) = pieces.next() {
            let last = pieces.peek().is_none();
            self.flow.wait_for(if last { LIMIT } else { Duration::from_millis(2) });
            stream.write_all(piece)?;
        }
        Ok(())
    }
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n.wrapping_mul(2_654_435_761) >> 7) as u8).collect()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn download(arguments: &[&str]) -> Ended {
    Program::start("downloads", arguments).end()
}

/// What the notes beside an incomplete file say is there of each part.
fn noted(folder: &Folder, name: &str) -> Vec<Part> {
    let notes = fs::read(folder.path(&format!("{name}.part.json"))).unwrap_or_default();
    let notes: serde_json::Value = serde_json::from_slice(&notes).unwrap_or_default();
    serde_json::from_value(notes["parts"].clone()).unwrap_or_default()
}

fn names(folder: &Folder) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(&folder.0)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name in UTF-8"))
        .collect();
    names.sort_unstable();
    names
}

// --- the program
// ----------------------------------------------------------------------------------------------------

#[test]
fn demo_gets_every_byte() {
    watchdog(|| {
        for options in cases([
            &[][..],
            &["--files", "1", "--connections", "1"],
            &["--files", "7", "--connections", "3", "--parts", "8"],
            &["--files", "30", "--connections", "30", "--parts", "16", "--min-part", "1000"],
        ]) {
            download(&[&["--demo", "--backoff-ms", "1"], options].concat()).expect(0).says("byte by byte");
        }
    });
}

#[test]
fn sums_are_printed_as_sha256sum_does() {
    watchdog(|| {
        let folder = Folder::new();
        let content = bytes(3_000_000);
        let origin = Origin::start(content.clone(), true);
        let names = ["a.bin", "b.bin", "c"];
        let urls: Vec<String> = names.iter().map(|name| origin.url(name)).collect();
        let list = folder.path("list");
        fs::write(&list, format!("# three\n\n{}\n", urls.join("\n"))).expect("a list");
        let dir = folder.path("made/for/it");
        let ended = download(&["--list", &list, "--dir", &dir]).expect(0);
        let mut lines: Vec<&str> = ended.stdout.lines().collect();
        lines.sort_unstable();
        let expected: Vec<String> =
            names.iter().map(|name| format!("{}  {dir}/{name}", sha256(&content))).collect();
        assert_eq!(lines, expected);
        for name in names {
            assert!(fs::read(Path::new(&dir).join(name)).expect("a file") == content);
        }
        // In ranges that do not overlap, and are as many as wanted.
        assert_eq!(origin.state.ranges.lock().len(), 3 * 2);
    });
}

/// The second run of a command, after the first was ended by a signal.
fn goes_on_after(signal: &'static str, code: Option<i32>) {
    watchdog(move || {
        let folder = Folder::new();
        let content = bytes(4_000_000);
        let origin = Origin::start(content.clone(), false);
        let url = origin.url(&format!("file#sha256={}", sha256(&content)));
        let dir = folder.path("");
        let arguments = [url.as_str(), "--dir", &dir, "--parts", "3"];
        let first = Program::start("downloads", &arguments);
        eventually(|| noted(&folder, "file").iter().filter(|part| part.done > 0).count() == 3);
        first.signal(signal);
        let ended = first.end();
        assert_eq!(ended.code, code, "{}", ended.stderr);
        assert_eq!(names(&folder), ["file.part", "file.part.json"]);

        let parts = noted(&folder, "file");
        let missing: Vec<_> = parts
            .iter()
            .map(|part| ((part.start + part.done) as usize, part.end.expect("an end") as usize - 1))
            .collect();
        // What was on its way to the first run may still be asked for, in vain.
        origin.state.ranges.lock().clear();
        origin.state.flow.set();
        download(&arguments).expect(0);
        assert!(fs::read(folder.path("file")).expect("the file") == content);
        assert_eq!(names(&folder), ["file"]);
        let mut asked = origin.state.ranges.lock().clone();
        asked.sort_unstable();
        assert_eq!(asked, missing);
    });
}

#[test]
fn interrupted_download_goes_on() {
    goes_on_after("INT", Some(130));
}

#[test]
fn terminated_download_goes_on() {
    goes_on_after("TERM", Some(130));
}

#[test]
fn killed_download_goes_on() {
    goes_on_after("KILL", None);
}

#[test]
fn file_that_has_changed_is_fetched_anew() {
    watchdog(|| {
        let folder = Folder::new();
        let origin = Origin::start(bytes(3_000_000), false);
        let (url, dir) = (origin.url("file"), folder.path(""));
        let first = Program::start("downloads", &[&url, "--dir", &dir]);
        eventually(|| noted(&folder, "file").iter().any(|part| part.done > 0));
        // While it is fetched: the parts have the old version.
        let new: Vec<u8> = bytes(3_000_000).iter().map(|byte| !byte).collect();
        *origin.state.content.lock() = (new.clone(), "\"two\"");
        first.signal("INT");
        first.end().expect(130);
        origin.state.flow.set();
        download(&[&url, "--dir", &dir]).expect(0);
        assert!(fs::read(folder.path("file")).expect("the file") == new, "old and new are mixed");
    });
}

#[test]
fn file_that_changes_during_the_download_is_fetched_anew() {
    watchdog(|| {
        let folder = Folder::new();
        let new: Vec<u8> = bytes(2_000_000).iter().map(|byte| !byte).collect();
        let (served, asked) = (new.clone(), Mutex::new(0));
        // The first request sees the old version, the connection of the second breaks, and then there is the
        // new one.
        let server = Server::start(0, 8, move |request, stream| {
            let number = {
                let mut asked = asked.lock();
                *asked += 1;
                *asked
            };
            let tag = if number <= 2 { "\"one\"" } else { "\"two\"" };
            let content = if number <= 2 { bytes(2_000_000) } else { served.clone() };
            let state =
                State { content: Mutex::new((content, tag)), ranges: Mutex::default(), flow: Event::new() };
            state.flow.set();
            if number == 2 {
                let len = content_len(request);
                let fields = [&*format!("Content-Range: bytes 0-{}/2000000", len - 1), "ETag: \"one\""];
                serve::head(stream, "206 Partial Content", len, &fields)?;
                stream.write_all(&bytes(1000))?;
                return stream.shutdown(Shutdown::Both);
            }
            state.answer(request, stream)
        });
        let server = server.expect("a server");
        let url = format!("http://{}/file#sha256={}", server.address(), sha256(&new));
        download(&[&url, "--dir", &folder.path(""), "--parts", "1", "--backoff-ms", "1"]).expect(0);
        assert!(fs::read(folder.path("file")).expect("the file") == new);
    });
}

fn content_len(request: &Request) -> usize {
    let last = request.field("range").and_then(|range| range.rsplit('-').next()?.parse::<usize>().ok());
    last.expect("a range") + 1
}

#[test]
fn wrong_content_is_not_kept() {
    watchdog(|| {
        let folder = Folder::new();
        let origin = Origin::start(bytes(1000), true);
        let url = origin.url(&format!("file#sha256={}", "0".repeat(64)));
        download(&[&url, "--dir", &folder.path("")]).expect(1).says("the content is wrong");
        assert!(names(&folder).is_empty());
    });
}

#[test]
fn file_that_is_there_is_not_fetched_again_nor_harmed() {
    watchdog(|| {
        let folder = Folder::new();
        let content = bytes(100_000);
        let origin = Origin::start(content.clone(), true);
        let (url, dir) = (origin.url("file"), folder.path(""));
        let checked = origin.url(&format!("file#sha256={}", sha256(&content)));
        download(&[&url, "--dir", &dir]).expect(0);
        assert_eq!(origin.state.ranges.lock().len(), 1);
        download(&[&url, "--dir", &dir]).expect(0).says("100000 were there before");
        download(&[&checked, "--dir", &dir]).expect(0).says("100000 were there before");
        assert_eq!(origin.state.ranges.lock().len(), 1);
        fs::write(folder.path("file"), "something else").expect("a file");
        for url in [&url, &checked] {
            download(&[url, "--dir", &dir]).expect(1).says("exists");
        }
        assert_eq!(fs::read(folder.path("file")).expect("the file"), b"something else");
    });
}

#[test]
fn one_bad_file_does_not_keep_the_others_away() {
    watchdog(|| {
        let folder = Folder::new();
        let origin = Origin::start(bytes(5000), true);
        let refusing = Server::start(0, 2, |_, stream| serve::head(stream, "403 Forbidden", 0, &[]));
        let breaking = Server::start(0, 2, |_, stream| stream.shutdown(Shutdown::Both));
        let (refusing, breaking) = (refusing.expect("a server"), breaking.expect("a server"));
        let refused = format!("http://{}/refused", refusing.address());
        let broken = format!("http://{}/broken", breaking.address());
        let arguments = [&refused, &broken, &origin.url("good"), "--dir", &folder.path("")];
        let ended = download(&[&arguments[..], &["--attempts", "3", "--backoff-ms", "1"]].concat());
        let ended = ended.expect(1).says("status 403").says("3 attempts in a row brought nothing");
        let ended = ended.says("1 of 3 files");
        // Something is said while it tries again, and what is wrong in the end is said once.
        let ended =
            ended.says("broken: the connection ended in the middle of the answer; attempt 2 of 3 in 0.0 s");
        for (url, times) in [(&refused, 1), (&broken, 1)] {
            assert_eq!(ended.stderr.matches(url.as_str()).count(), times, "{}", ended.stderr);
        }
        assert_eq!(names(&folder), ["good"]);
    });
}

#[test]
fn command_line_is_checked() {
    watchdog(|| {
        let folder = Folder::new();
        download(&[]).expect(2);
        download(&["https://127.0.0.1/x"]).expect(2).says("only http");
        download(&["http://127.0.0.1/x#sha256=12"]).expect(2).says("not a SHA-256");
        for fragment in ["md5=d41d8cd98f00b204e9800998ecf8427e", "top", "SHA256=00", "sha256"] {
            let refused = download(&[&format!("http://127.0.0.1/x#{fragment}")]).expect(2);
            refused.says(&format!("#{fragment} is not understood"));
        }
        download(&["http://127.0.0.1/"]).expect(2).says("does not end in the name of a file");
        let same = download(&["http://127.0.0.1/a/x", "http://127.0.0.1/b/x?y"]);
        same.expect(2).says("two files would be written to");
        let list = folder.path("list");
        fs::write(&list, "http://127.0.0.1/x\nnonsense\n").expect("a list");
        download(&["--list", &list]).expect(2).says("line 2: ");
        download(&["--list", &folder.path("none")]).expect(1).says("No such file");
        download(&["--demo", "--dir", &folder.path("")]).expect(1).says("must be empty");
        download(&["http://127.0.0.1/x", "--dir", &list]).expect(1).says("cannot make ");
    });
}

/// Bytes that have changed since they were noted are not believed, also without a sum of the whole.
#[test]
fn damaged_part_is_fetched_once_more() {
    watchdog(|| {
        let folder = Folder::new();
        let content = bytes(4_000_000);
        let origin = Origin::start(content.clone(), false);
        let (url, dir) = (origin.url("file"), folder.path(""));
        let arguments = [url.as_str(), "--dir", &dir, "--parts", "3"];
        let first = Program::start("downloads", &arguments);
        eventually(|| noted(&folder, "file").iter().filter(|part| part.done > 0).count() == 3);
        first.signal("KILL");
        first.end();
        // One byte in the second part, of those that were noted.
        let parts = noted(&folder, "file");
        let path = folder.path("file.part");
        let mut data = fs::read(&path).expect("what there is");
        let at = parts[1].start as usize + 7;
        data[at] = !data[at];
        fs::write(&path, data).expect("written");
        origin.state.ranges.lock().clear();
        origin.state.flow.set();
        download(&arguments).expect(0).says(&format!("file: {} bytes were damaged", parts[1].done));
        assert!(fs::read(folder.path("file")).expect("the file") == content);
        // The second part from its beginning, the others from where they were.
        let mut asked: Vec<_> = origin.state.ranges.lock().iter().map(|(first, _)| *first as u64).collect();
        asked.sort_unstable();
        let from = |part: &Part| part.start + part.done;
        assert_eq!(asked, [from(&parts[0]), parts[1].start, from(&parts[2])]);
    });
}

/// Starts a program whose files may have so many kilobytes: to write more is an error, as on a full disk.
#[cfg(target_os = "linux")]
fn download_to_a_small_disk(kilobytes: u32, arguments: &[&str]) -> Ended {
    let limit = format!("trap '' XFSZ; ulimit -f {}", 2 * kilobytes);
    Program::start_after(&limit, "downloads", arguments).end()
}

/// Sums that no reader gets are a failure, although the files are there.
#[cfg(target_os = "linux")]
#[test]
fn sums_that_cannot_be_written_are_a_failure() {
    watchdog(|| {
        let folder = Folder::new();
        let origin = Origin::start(bytes(1000), true);
        let arguments = [&*origin.url("file"), "--dir", &folder.path("")];
        let ended = Program::start_after("exec >/dev/full", "downloads", &arguments).end().expect(1);
        ended.says("downloads: cannot write to standard output");
        assert_eq!(names(&folder), ["file"]);
    });
}

/// Nothing is left of a file that another run could not go on with.
#[cfg(target_os = "linux")]
#[test]
fn full_disk_leaves_no_stray_file() {
    watchdog(|| {
        let folder = Folder::new();
        let dir = folder.path("");
        // Its size is known, so there is no room for it from the beginning.
        let origin = Origin::start(bytes(1_000_000), true);
        download_to_a_small_disk(100, &[&origin.url("known"), "--dir", &dir]).expect(1).says("too large");
        assert!(names(&folder).is_empty(), "{:?}", names(&folder));
        // How long it is is not said.
        let endless = Server::start(0, 2, |_, stream| {
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            loop {
                stream.write_all(&[7; 10_000])?;
            }
        });
        let endless = endless.expect("a server");
        let url = format!("http://{}/unknown", endless.address());
        download_to_a_small_disk(100, &[&url, "--dir", &dir]).expect(1).says("too large");
        assert!(names(&folder).is_empty(), "{:?}", names(&folder));
    });
}

#[test]
fn piped_progress_is_a_line_a_second() {
    watchdog(|| {
        let folder = Folder::new();
        let origin = Origin::start(bytes(1_000_000), false);
        let program = Program::start("downloads", &[&origin.url("file"), "--dir", &folder.path("")]);
        eventually(|| program.has_said("bytes received, ") && program.has_said("files at work: 1"));
        origin.state.flow.set();
        program.end().expect(0);
    });
}

/// Runs it with a terminal of that width as its standard error. Returns what came there.
fn in_terminal(columns: u16, arguments: &[&str]) -> String {
    use rustix::{fs as system, pty, termios};
    let terminal = pty::openpt(pty::OpenptFlags::RDWR | pty::OpenptFlags::NOCTTY).expect("a terminal");
    pty::grantpt(&terminal).and_then(|()| pty::unlockpt(&terminal)).expect("a terminal of ours");
    let name = pty::ptsname(&terminal, Vec::new()).expect("a name");
    let (read_and_write, no_mode) = (system::OFlags::RDWR | system::OFlags::NOCTTY, system::Mode::empty());
    let inside = system::open(name, read_and_write, no_mode).expect("its other side");
    let size = termios::Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    termios::tcsetwinsize(&inside, size).expect("a size");
    let mut program = Command::new(built::path("downloads"));
    program.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(inside);
    let mut child = program.spawn().expect("the example starts");
    // With the program's own the last copy of this side is gone, which ends the other.
    drop(program);
    let (mut terminal, mut text) = (fs::File::from(terminal), Vec::new());
    let mut chunk = [0; 4096];
    while let Ok(n @ 1..) = terminal.read(&mut chunk) {
        text.extend_from_slice(&chunk[..n]);
    }
    assert_eq!(child.wait().expect("its end").code(), Some(0));
    String::from_utf8_lossy(&text).into_owned()
}

/// A bar fits into the terminal, or it would be a new line each time.
#[test]
fn bars_fit_into_a_narrow_terminal() {
    watchdog(|| {
        let folder = Folder::new();
        let origin = Origin::start(bytes(5_000_000), true);
        let url = origin.url("a-long-name-of-a-file-that-takes-room");
        for columns in [12, 30, 79, 120] {
            let text = in_terminal(columns, &[&url, "--dir", &folder.path(&columns.to_string())]);
            // What moves the cursor and what colours takes no room.
            let text = text.replace('\r', "\n");
            let bars: Vec<String> =
                text.lines().map(without_escapes).filter(|line| !line.contains("files are there")).collect();
            assert!(bars.iter().any(|bar| bar.contains(['%', '░'])), "there is no bar in {text:?}");
            for bar in bars {
                assert!(bar.chars().count() <= columns.into(), "{columns}: {bar:?}");
            }
        }
    });
}

fn without_escapes(line: &str) -> String {
    let mut parts = line.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + part.split_once(|c: char| c.is_ascii_alphabetic()).map_or("", |(_, rest)| rest)
    })
}

#[test]
fn second_interrupt_ends_at_once_and_help_shows_an_example() {
    watchdog(|| {
        download(&["--version"]).expect(0).says("downloads 0.");
        download(&["--help"]).expect(0).says("Example").says("--list urls.txt");
        let folder = Folder::new();
        // Nothing comes, and nothing ends; the first signal would do, and the second must not harm.
        let origin = Origin::start(bytes(1_000_000), false);
        let arguments = [&*origin.url("file"), "--dir", &folder.path("")];
        let program = Program::start("downloads", &arguments);
        eventually(|| noted(&folder, "file").iter().any(|part| part.done > 0));
        program.signal("INT");
        program.signal("INT");
        program.end().expect(130);
        origin.state.flow.set();
        download(&arguments).expect(0);
    });
}

// --- its parts
// ------------------------------------------------------------------------------------------------------

fn file(size: u64) -> Identity {
    Identity { size: Some(size), ranges: true, version: Some("v".into()) }
}

proptest! {
    #[test]
    fn parts_cover_the_file(size in 0..10_000u64, most in 1..20usize, least in 1..3000u64) {
        let parts = divide(&file(size), most, least);
        prop_assert!((1..=most).contains(&parts.len()));
        let mut at = 0;
        for part in &parts {
            let end = part.end.expect("an end");
            prop_assert_eq!((part.start, part.done), (at, 0));
            prop_assert!(parts.len() == 1 || end - at >= least);
            at = end;
        }
        prop_assert_eq!(at, size);
    }
}

#[test]
fn parts_need_a_size_and_a_server_that_sends_them() {
    let whole = |end| [Part { start: 0, end, done: 0 }];
    let file = |size, ranges| Identity { size, ranges, version: None };
    assert_eq!(divide(&file(None, false), 8, 1), whole(None));
    assert_eq!(divide(&file(Some(100), false), 8, 1), whole(Some(100)));
    assert_eq!(divide(&file(Some(100), true), 8, 1).len(), 8);
}

/// Notes of another file, another version, or nonsense are not believed, nor are those without their data.
#[test]
fn only_what_is_known_of_the_same_file_is_kept() {
    let folder = Folder::new();
    let target = folder.0.join("file");
    let parts = |size| divide(&file(size), 4, 1);
    let begin = || {
        let partial = Partial::open(&target, "url", &file(100), parts(100)).expect("a file");
        let mut writer = partial.writer(1).expect("a writer");
        writer.write(&[7; 10]).expect("written");
        partial.save().expect("saved");
        assert!(!partial.parts()[1].is_complete());
    };
    let resumed = |url: &str, identity: &Identity| {
        let partial = Partial::open(&target, url, identity, parts(identity.size.expect("a size")));
        partial.expect("a file").resumed
    };
    begin();
    assert_eq!(resumed("url", &file(100)), 10);
    assert_eq!(resumed("url", &file(100)), 10);
    assert_eq!(resumed("other", &file(100)), 0);
    begin();
    assert_eq!(resumed("url", &file(101)), 0);
    begin();
    assert_eq!(resumed("url", &Identity { version: Some("w".into()), ..file(100) }), 0);
    begin();
    assert_eq!(resumed("url", &Identity { ranges: false, ..file(100) }), 0);
    begin();
    fs::write(folder.path("file.part.json"), "{").expect("written");
    assert_eq!(resumed("url", &file(100)), 0);
    begin();
    fs::remove_file(folder.path("file.part")).expect("removed");
    assert_eq!(resumed("url", &file(100)), 0);

    let partial = Partial::open(&target, "whole", &file(3), divide(&file(3), 1, 1)).expect("a file");
    partial.writer(0).and_then(|mut writer| writer.write(b"xyz")).expect("written");
    partial.restart(0);
    partial.writer(0).and_then(|mut writer| writer.write(b"ab")).expect("written");
    partial.finish_part(0);
    assert_eq!(fs::read(partial.data()).expect("data")[..2], *b"ab");
    partial.finish().expect("finished");
    assert_eq!(fs::read(&target).expect("the file"), b"ab");
    assert_eq!(names(&folder), ["file"]);
    Partial::open(&target, "url", &file(3), parts(3)).and_then(Partial::discard).expect("discarded");
    assert_eq!(names(&folder), ["file"]);
}
