//! The downloads: which file, which part, again or not.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use lockwork::{Event, Semaphore, ThreadPool};
use sha2::{Digest, Sha256};

use crate::client::{Answer, Client, Failure, back_off, may_pass};
use crate::options::Options;
use crate::partial::{Identity, Part, Partial, divide, hex};
use crate::url::Url;

/// Something to fetch.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) url: Url,
    /// In lower case.
    pub(crate) sha256: Option<String>,
}

impl Wanted {
    /// Understands `URL` and `URL#sha256=DIGITS`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text)?;
        let sha256 = match text.split_once('#') {
            None | Some((_, "")) => None,
            Some((_, fragment)) => match fragment.strip_prefix("sha256=") {
                Some(digits) if digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                    Some(digits.to_ascii_lowercase())
                }
                Some(digits) => {
                    return Err(format!("{digits:?} is not a SHA-256, which has 64 hexadecimal digits"));
                }
                // Another sum, perhaps: to accept the file without a look at it would be wrong.
                None => return Err(format!("#{fragment} is not understood, only #sha256=<64 digits> is")),
            },
        };
        Ok(Self { url, sha256 })
    }

    /// The name of the file: the last part of the path.
    pub(crate) fn name(&self) -> Result<&str, String> {
        let path = self.url.target().split('?').next().unwrap_or_default();
        let name = path.rsplit('/').next().unwrap_or_default();
        // Parts of a path are already without dots; what is left may still be no name on some systems.
        if name.is_empty() || name.contains([':', '*', '\\']) {
            return Err(format!("{} does not end in the name of a file", self.url));
        }
        Ok(name)
    }
}

/// A file that is there.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) sha256: String,
    pub(crate) size: u64,
    /// How many of its bytes were there from before.
    pub(crate) resumed: u64,
}

/// Why a file is not there.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Told to stop; what has come is kept.
    Stopped,
    /// Not to be had, or not to be written.
    Failed(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("stopped; the same command goes on from here"),
            Self::Failed(what) => f.write_str(what),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// One that another attempt may get over, or not.
enum Problem {
    Passing(String),
    /// The file is another one than before.
    Changed,
    Trouble(Trouble),
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Stopped => Self::Trouble(Trouble::Stopped),
            Failure::Protocol(_) => Self::Trouble(Trouble::Failed(failure.to_string())),
            _ => Self::Passing(failure.to_string()),
        }
    }
}

impl From<Trouble> for Problem {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::Trouble(error.into())
    }
}

/// The most redirects in a row, and the most times that a file may change while it is fetched.
const MAX_HOPS: u32 = 10;
const MAX_CHANGES: u32 = 3;

/// Fetches files.
pub(crate) struct Manager<'a> {
    options: &'a Options,
    dir: &'a Path,
    stop: &'a Event,
    bars: &'a MultiProgress,
    /// A permit for each connection.
    connections: Semaphore,
    files: Arc<Semaphore>,
    received: AtomicU64,
    pool: ThreadPool,
}

impl<'a> Manager<'a> {
    pub(crate) fn new(
        options: &'a Options,
        dir: &'a Path,
        stop: &'a Event,
        bars: &'a MultiProgress,
    ) -> io::Result<Self> {
        // A thread for each file, which mostly waits for its parts, and one for each part that can be
        // fetched.
        let threads = options.files + options.connections;
        let pool = ThreadPool::builder().threads(threads).name("download").try_build()?;
        Ok(Self {
            connections: Semaphore::bounded(options.connections),
            files: Arc::new(Semaphore::bounded(options.files)),
            received: AtomicU64::new(0),
            options,
            dir,
            stop,
            bars,
            pool,
        })
    }

    /// Fetches all of them. The results are in the same order; `each` sees them as they come.
    pub(crate) fn run(
        &self,
        all: &[Wanted],
        each: impl Fn(&Wanted, &Result<Done, Trouble>) + Sync,
    ) -> Vec<Result<Done, Trouble>> {
        let each = &each;
        self.pool.scope(|scope| {
            let mut tasks = Vec::new();
            for wanted in all {
                // Taken here, so that a file begins only when another one has ended; after a stop they soon
                // do.
                let permit = self.files.acquire_arc();
                tasks.push(scope.spawn(move || {
                    let result = self.fetch(wanted);
                    each(wanted, &result);
                    drop(permit);
                    result
                }));
            }
            let results = tasks.into_iter().map(|task| {
                task.join().unwrap_or_else(|error| Err(Trouble::Failed(format!("the download {error}"))))
            });
            results.collect()
        })
    }

    /// How many bytes of files have come and were written.
    pub(crate) fn received(&self) -> u64 {
        // Relaxed: see where it is counted.
        self.received.load(Relaxed)
    }

    fn fetch(&self, wanted: &Wanted) -> Result<Done, Trouble> {
        let name = wanted.name().map_err(Trouble::Failed)?;
        let target = self.dir.join(name);
        if let (Some(expected), Ok(file)) = (&wanted.sha256, File::open(&target)) {
            let (sha256, size) = self.digest(file)?;
            if sha256 == *expected {
                return Ok(Done { sha256, size, resumed: size });
            }
            return Err(Trouble::Failed(format!("{} exists with other content", target.display())));
        }
        let mut changes = 0;
        loop {
            let (url, identity) = self.repeat(name, || self.look(&wanted.url))?;
            if let Ok(there) = fs::metadata(&target) {
                if identity.size != Some(there.len()) {
                    let what = format!("{} exists, and is not what is wanted here", target.display());
                    return Err(Trouble::Failed(what));
                }
                let (sha256, size) = self.digest(File::open(&target)?)?;
                return Ok(Done { sha256, size, resumed: size });
            }
            let parts = divide(&identity, self.options.parts, self.options.min_part);
            let partial = Partial::open(&target, &wanted.url.to_string(), &identity, parts)?;
            if partial.damaged != 0 {
                let damaged = partial.damaged;
                self.tell(format_args!("{name}: {damaged} bytes were damaged, and are fetched once more"));
            }
            let bar = self.bar(name, &identity, partial.resumed);
            let result = self.fetch_parts(name, &url, &identity, &partial, &bar);
            bar.finish_and_clear();
            if let Err(problem) = result {
                // What has come is noted; or removed, if no other run could go on from it. If that fails as
                // well, it is the first problem that is told.
                let changed = matches!(problem, Problem::Changed);
                let left = if changed || !partial.is_of_use() { partial.discard() } else { partial.save() };
                match problem {
                    Problem::Changed if changes == MAX_CHANGES => {
                        return Err(Trouble::Failed("it changes all the time".into()));
                    }
                    Problem::Changed => {
                        left?;
                        changes += 1;
                        continue;
                    }
                    Problem::Passing(what) => return Err(Trouble::Failed(what)),
                    Problem::Trouble(trouble) => return Err(trouble),
                }
            }
            partial.save()?;
            let resumed = partial.resumed;
            let (sha256, size) = self.digest(File::open(partial.data())?)?;
            match &wanted.sha256 {
                Some(expected) if sha256 != *expected => {
                    partial.discard()?;
                    // What was there from before may have been wrong, so it is worth another attempt, once.
                    if resumed == 0 || changes != 0 {
                        let what = format!("the content is wrong: its SHA-256 is {sha256}, not {expected}");
                        return Err(Trouble::Failed(what));
                    }
                    changes = MAX_CHANGES;
                }
                _ => {
                    partial.finish()?;
                    return Ok(Done { sha256, size, resumed });
                }
            }
        }
    }

    /// Says something around the bars.
    fn tell(&self, what: fmt::Arguments<'_>) {
        self.bars.suspend(|| crate::complain(what));
    }

    /// How many files are being fetched now.
    pub(crate) fn at_work(&self) -> usize {
        self.options.files - self.files.available_permits().min(self.options.files)
    }

    fn bar(&self, name: &str, identity: &Identity, resumed: u64) -> ProgressBar {
        let bar = match identity.size {
            Some(size) => self.bars.add(ProgressBar::new(size)),
            None => self.bars.add(ProgressBar::no_length()),
        };
        // Not more than the terminal is wide, and only what is known.
        let width = Term::stderr().size_checked().map_or(80, |(_, width)| width);
        let style = match (identity.size, width) {
            (Some(_), 80..) => {
                "{prefix:>16!} {wide_bar} {bytes:>10} of {total_bytes:10} {bytes_per_sec:>12} {eta:>4}"
            }
            (None, 80..) => "{prefix:>16!} {spinner} {bytes:>10} of unknown {bytes_per_sec:>12}",
            (Some(_), 30..) => "{prefix:10!} {percent:>3}% {wide_bar} {eta:>4}",
            (None, 30..) => "{prefix:10!} {spinner} {bytes:>10}",
            (Some(_), _) => "{percent:>3}%",
            (None, _) => "{bytes}",
        };
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        bar.set_prefix(name.to_owned());
        bar.set_position(resumed);
        bar.reset_eta();
        bar
    }

    /// All parts that are not complete, at once as far as there are connections.
    fn fetch_parts(
        &self,
        name: &str,
        url: &Url,
        identity: &Identity,
        partial: &Partial,
        bar: &ProgressBar,
    ) -> Result<(), Problem> {
        self.pool.scope(|scope| {
            let open = partial.parts().into_iter().enumerate().filter(|(_, part)| !part.is_complete());
            let tasks: Vec<_> = open
                .map(|(number, _)| {
                    scope.spawn(move || self.fetch_part(name, url, identity, partial, number, bar))
                })
                .collect();
            // All are waited for, and all that came is kept. The first problem is reported.
            let mut result = Ok(());
            for task in tasks {
                let one = task.join().unwrap_or_else(|error| {
                    Err(Problem::Trouble(Trouble::Failed(format!("a part of the download {error}"))))
                });
                result = result.and(one);
            }
            result
        })
    }

    fn fetch_part(
        &self,
        name: &str,
        url: &Url,
        identity: &Identity,
        partial: &Partial,
        number: usize,
        bar: &ProgressBar,
    ) -> Result<(), Problem> {
        let mut barren = 0;
        loop {
            let before = partial.parts()[number].done;
            let problem = match self.attempt(url, identity, partial, number, bar) {
                Err(Problem::Passing(what)) => what,
                result => return result,
            };
            // Only attempts that bring nothing count: a connection that breaks every minute is just slow.
            barren = if partial.parts()[number].done > before { 0 } else { barren + 1 };
            self.pause(name, barren, problem)?;
        }
    }

    /// Waits before another attempt, or says that there shall be none.
    fn pause(&self, name: &str, barren: u32, problem: String) -> Result<(), Trouble> {
        if barren >= self.options.attempts {
            return Err(Trouble::Failed(format!("{problem}; {barren} attempts in a row brought nothing")));
        }
        let pause = back_off(self.options.back_off(), barren);
        // An attempt that brought something is a matter of course; one that did not is worth a word.
        if barren != 0 {
            let next = barren + 1;
            self.tell(format_args!(
                "{name}: {problem}; attempt {next} of {} in {:.1} s",
                self.options.attempts,
                pause.as_secs_f64()
            ));
        }
        if self.stop.wait_for(pause) {
            return Err(Trouble::Stopped);
        }
        Ok(())
    }

    /// Does something until it succeeds or there is no hope.
    fn repeat<T>(&self, name: &str, mut attempt: impl FnMut() -> Result<T, Problem>) -> Result<T, Trouble> {
        let mut barren = 0;
        loop {
            match attempt() {
                Ok(result) => return Ok(result),
                Err(Problem::Trouble(trouble)) => return Err(trouble),
                Err(Problem::Passing(what)) => {
                    barren += 1;
                    self.pause(name, barren, what)?;
                }
                Err(Problem::Changed) => {
                    barren += 1;
                    self.pause(name, barren, "it changes".into())?;
                }
            }
        }
    }

    fn client(&self) -> Client<'a> {
        Client {
            idle: self.options.timeout(),
            // As long as something comes, it may take as long as it likes.
            total: Duration::MAX,
            stop: self.stop,
            agent: &self.options.user_agent,
        }
    }

    /// Asks for one byte, to learn the size, and whether parts can be had. Returns where the file really is,
    /// too.
    fn look(&self, url: &Url) -> Result<(Url, Identity), Problem> {
        let _permit = self.connections.acquire();
        let mut url = url.clone();
        for _ in 0..=MAX_HOPS {
            let answer = self.client().get(&url, &[("Range", "bytes=0-0")])?;
            match answer.status {
                301 | 302 | 303 | 307 | 308 => {
                    let target = answer.field("location").and_then(|target| url.join(target));
                    url = target
                        .ok_or_else(|| Trouble::Failed("it leads to something that is not http".into()))?;
                }
                200 | 206 => return Ok((url, identity(&answer))),
                // An empty file has no first byte.
                416 if total(&answer) == Some(0) => return Ok((url, identity(&answer))),
                status => return Err(refused(status)),
            }
        }
        Err(Trouble::Failed(format!("too many redirects, the last one to {url}")).into())
    }

    /// Fetches what is missing of a part, as far as one connection goes.
    fn attempt(
        &self,
        url: &Url,
        identity: &Identity,
        partial: &Partial,
        number: usize,
        bar: &ProgressBar,
    ) -> Result<(), Problem> {
        // Held as long as there is a connection, and not while waiting for another attempt.
        let _permit = self.connections.acquire();
        if self.stop.is_set() {
            return Err(Trouble::Stopped.into());
        }
        if !identity.ranges {
            bar.set_position(0);
            partial.restart(number);
        }
        let Part { start, end, done } = partial.parts()[number];
        let range = end.map(|end| format!("bytes={}-{}", start + done, end.saturating_sub(1)));
        let mut fields = Vec::new();
        if let (Some(range), true) = (&range, identity.ranges) {
            fields.push(("Range", range.as_str()));
            fields.extend(identity.version.as_deref().map(|version| ("If-Range", version)));
        }
        let mut answer = self.client().get(url, &fields)?;
        let as_asked = match answer.status {
            206 if identity.ranges => {
                let from = answer.field("content-range").and_then(first);
                from == Some(start + done) && total(&answer) == identity.size
            }
            200 if !identity.ranges => true,
            // The whole file although a part was asked for: that is how it says that it is another one.
            200 | 206 | 412 | 416 => false,
            status => return Err(refused(status)),
        };
        if !as_asked {
            return Err(Problem::Changed);
        }
        let mut writer = partial.writer(number)?;
        let mut left = end.map(|end| end - start - done);
        let mut chunk = vec![0; 64 * 1024];
        loop {
            let n = answer.body.read(&mut chunk)?;
            if n == 0 {
                break;
            }
            if let Some(left) = &mut left {
                *left = left.checked_sub(n as u64).ok_or(Problem::Changed)?;
            }
            writer.write(&chunk[..n])?;
            // Relaxed: a statistic, that orders nothing.
            self.received.fetch_add(n as u64, Relaxed);
            bar.inc(n as u64);
        }
        match left {
            Some(0) => Ok(()),
            Some(_) => Err(Problem::Passing("less came than was asked for".into())),
            None => {
                partial.finish_part(number);
                Ok(())
            }
        }
    }

    /// The SHA-256 of a file, and its size.
    fn digest(&self, mut file: File) -> Result<(String, u64), Trouble> {
        let (mut hash, mut size) = (Sha256::new(), 0);
        let mut chunk = vec![0; 1 << 20];
        loop {
            if self.stop.is_set() {
                return Err(Trouble::Stopped);
            }
            match file.read(&mut chunk)? {
                0 => break,
                n => {
                    hash.update(&chunk[..n]);
                    size += n as u64;
                }
            }
        }
        Ok((hex(&hash.finalize()), size))
    }
}

fn refused(status: u16) -> Problem {
    let what = format!("status {status}");
    if may_pass(status) { Problem::Passing(what) } else { Problem::Trouble(Trouble::Failed(what)) }
}

/// What an answer to a request for the first byte says of the whole.
fn identity(answer: &Answer<'_>) -> Identity {
    let strong = answer.field("etag").filter(|tag| !tag.starts_with("W/"));
    let version = strong.or_else(|| answer.field("last-modified")).map(str::to_owned);
    let ranges = answer.status != 200 && total(answer).is_some();
    let size = if ranges { total(answer) } else { answer.field("content-length").and_then(number) };
    Identity { size: size.filter(|_| ranges || answer.status == 200), ranges, version }
}

/// `bytes 0-0/SIZE`, or `bytes */SIZE`.
fn total(answer: &Answer<'_>) -> Option<u64> {
    let (_, size) = answer.field("content-range")?.strip_prefix("bytes ")?.split_once('/')?;
    number(size)
}

fn first(range: &str) -> Option<u64> {
    number(range.strip_prefix("bytes ")?.split_once('-')?.0)
}

/// Digits and nothing else.
fn number(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// Where each of them is to be written; two of them must not share a file.
pub(crate) fn conflict(all: &[Wanted], dir: &Path) -> Option<PathBuf> {
    let mut names: Vec<&str> = all.iter().filter_map(|wanted| wanted.name().ok()).collect();
    names.sort_unstable();
    let same = names.windows(2).find(|pair| pair[0] == pair[1])?;
    Some(dir.join(same[0]))
}
