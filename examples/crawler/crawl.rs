//! The crawl: one thread that decides what to visit, and many that visit.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use lockwork::{ArcSemaphorePermit, BoundedBuffer, Event, GetTimeoutError, Semaphore, Worker};

use crate::client::{Client, Failure, back_off, may_pass};
use crate::journal::Journal;
use crate::options::Options;
use crate::page;
use crate::url::Url;

/// What the threads share.
pub(crate) struct Crawl {
    options: Options,
    /// Set: no page is begun any more.
    stop: Arc<Event>,
    /// Set: those in progress are dropped.
    abort: Arc<Event>,
    frontier: BoundedBuffer<Job>,
    results: BoundedBuffer<Visit>,
    journal: Journal,
}

/// A page to fetch, and the leave to ask its host.
struct Job {
    url: Url,
    permit: ArcSemaphorePermit,
}

/// What became of a page.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) url: Url,
    pub(crate) outcome: Outcome,
    pub(crate) attempts: u32,
    pub(crate) bytes: u64,
    /// Filled in by the thread that counts.
    pub(crate) depth: u32,
    pub(crate) from: Option<Url>,
}

#[derive(Debug)]
pub(crate) enum Outcome {
    Page {
        status: u16,
        links: Vec<Url>,
    },
    Redirect {
        status: u16,
        to: Url,
    },
    Failed(String),
    /// Not fetched, or not to the end, because of a stop.
    Abandoned,
}

/// What came of it all.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) visits: Vec<Visit>,
    /// Addresses that were found and are within the limits, but were not visited because of a stop.
    pub(crate) unvisited: usize,
    /// Addresses that were not visited because of `--depth`, `--max-pages`, or because they are on another
    /// host.
    pub(crate) too_deep: usize,
    pub(crate) too_many: usize,
    pub(crate) elsewhere: usize,
    pub(crate) elapsed: Duration,
}

impl Crawl {
    pub(crate) fn new(options: Options, stop: Arc<Event>, abort: Arc<Event>, journal: Journal) -> Self {
        let room = options.fetchers.saturating_mul(2);
        Self {
            stop,
            abort,
            frontier: BoundedBuffer::new(room),
            results: BoundedBuffer::new(room),
            journal,
            options,
        }
    }

    /// Visits everything there is to visit from `seeds`, or until the stop.
    pub(crate) fn run(self: &Arc<Self>, seeds: &[Url], bar: &ProgressBar) -> io::Result<Report> {
        let mut fetchers = Vec::new();
        for number in 0..self.options.fetchers {
            let crawl = Arc::clone(self);
            let fetcher = Worker::try_spawn(format!("fetch-{number}"), move |_| crawl.fetch_all());
            match fetcher {
                Ok(fetcher) => fetchers.push(fetcher),
                Err(error) => {
                    self.frontier.close();
                    return Err(error);
                }
            }
        }
        let report = Decider::new(self, seeds).run(bar);
        self.frontier.close();
        for fetcher in fetchers {
            // It catches the panics of a fetch, so this is one in the waiting itself: a bug, not to be
            // hidden.
            fetcher.join().map_err(|error| io::Error::other(error.to_string()))?;
        }
        Ok(report)
    }

    /// The life of a fetcher.
    fn fetch_all(&self) {
        for Job { url, permit } in &self.frontier {
            let mut visit =
                Visit { url, outcome: Outcome::Abandoned, attempts: 0, bytes: 0, depth: 0, from: None };
            if !self.stop.is_set() {
                let fetched = catch_unwind(AssertUnwindSafe(|| self.fetch(&mut visit)));
                visit.outcome = fetched.unwrap_or_else(|_| Outcome::Failed("the crawler panicked".into()));
                self.stop.wait_for(self.options.delay());
            }
            // Before the result: the thread that gets that looks for hosts that can be asked again.
            drop(permit);
            if self.results.put(visit).is_err() {
                return;
            }
        }
    }

    /// Fetches a page, as often as it takes.
    fn fetch(&self, visit: &mut Visit) -> Outcome {
        loop {
            visit.attempts += 1;
            let (problem, pause) = match self.attempt(&visit.url, &mut visit.bytes) {
                Ok(outcome) => return outcome,
                Err(Problem::Stopped) => return Outcome::Abandoned,
                Err(Problem::Final(what)) => return Outcome::Failed(what),
                Err(Problem::Passing(what, pause)) => (what, pause),
            };
            if visit.attempts > self.options.retries {
                return Outcome::Failed(problem);
            }
            self.journal.note(format_args!("retry {} of {}: {problem}", visit.attempts, visit.url));
            let pause = pause.max(back_off(self.options.back_off(), visit.attempts));
            if self.stop.wait_for(pause) {
                return Outcome::Failed(format!("{problem}; stopped before another attempt"));
            }
        }
    }

    fn attempt(&self, url: &Url, bytes: &mut u64) -> Result<Outcome, Problem> {
        let client = Client {
            idle: self.options.timeout(),
            total: self.options.timeout(),
            stop: &self.abort,
            agent: "lockwork-crawler",
        };
        let mut answer = client.get(url, &[("Accept", "text/html, */*;q=0.1")])?;
        let status = answer.status;
        match status {
            301 | 302 | 303 | 307 | 308 => {
                let target = answer.field("location").and_then(|target| url.join(target));
                return match target {
                    Some(to) => Ok(Outcome::Redirect { status, to }),
                    None => Err(Problem::Final(format!("status {status} without a usable Location"))),
                };
            }
            200..=299 => {}
            _ if may_pass(status) => {
                const LONGEST: u64 = 30;
                let seconds = answer.field("retry-after").and_then(|value| value.parse().ok()).unwrap_or(0);
                let pause = Duration::from_secs(LONGEST.min(seconds));
                return Err(Problem::Passing(format!("status {status}"), pause));
            }
            _ => return Err(Problem::Final(format!("status {status}"))),
        }
        let is_html = answer.field("content-type").is_none_or(|kind| {
            let kind = kind.split(';').next().unwrap_or_default().trim();
            kind.eq_ignore_ascii_case("text/html") || kind.eq_ignore_ascii_case("application/xhtml+xml")
        });
        if !is_html {
            // It is there, which is all there is to know of it.
            return Ok(Outcome::Page { status, links: Vec::new() });
        }
        let mut html = Vec::new();
        let mut chunk = vec![0; 16 * 1024];
        loop {
            match answer.body.read(&mut chunk)? {
                0 => break,
                n => html.extend_from_slice(&chunk[..n]),
            }
            if html.len() > self.options.max_body {
                return Err(Problem::Final(format!("it is longer than {} bytes", self.options.max_body)));
            }
        }
        *bytes = html.len() as u64;
        Ok(Outcome::Page { status, links: page::links(url, &html) })
    }
}

enum Problem {
    /// Another attempt may go better, after a while.
    Passing(String, Duration),
    Final(String),
    Stopped,
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Stopped => Self::Stopped,
            Failure::Protocol(_) => Self::Final(failure.to_string()),
            _ => Self::Passing(failure.to_string(), Duration::ZERO),
        }
    }
}

/// How often the thread that decides looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(100);

/// A number of things.
pub(crate) fn plural(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// The most redirects in a row.
const MAX_HOPS: u32 = 10;

/// What is known of an address that was found.
struct Known {
    /// The fewest links to it from where the crawl began, as far as known.
    depth: u32,
    hops: u32,
    from: Option<Url>,
    /// Whether it has been given to the fetchers, or waits for that.
    taken: bool,
    /// Where it leads, once it was visited.
    leads: Vec<(Url, u32)>,
}

struct Host {
    permits: Arc<Semaphore>,
    waiting: VecDeque<Url>,
}

/// Decides what to visit. All its data is its own: it needs no lock.
///
/// It never waits for room in the frontier. The fetchers may be waiting for room in the results at that time,
/// which only this thread can make, and everything would stand still.
struct Decider<'a> {
    crawl: &'a Crawl,
    known: HashMap<Url, Known>,
    hosts: Vec<Host>,
    host_numbers: HashMap<String, usize>,
    /// Which host is the first to be looked at, so that none is always the last.
    turn: usize,
    allowed: HashSet<String>,
    in_flight: usize,
    waiting: usize,
    taken: usize,
    failed: usize,
    elsewhere: HashSet<Url>,
    too_many: HashSet<Url>,
    report: Report,
}

impl<'a> Decider<'a> {
    fn new(crawl: &'a Crawl, seeds: &[Url]) -> Self {
        let mut decider = Self {
            crawl,
            known: HashMap::new(),
            hosts: Vec::new(),
            host_numbers: HashMap::new(),
            turn: 0,
            allowed: seeds.iter().map(Url::authority).collect(),
            in_flight: 0,
            waiting: 0,
            taken: 0,
            failed: 0,
            elsewhere: HashSet::new(),
            too_many: HashSet::new(),
            report: Report::default(),
        };
        for seed in seeds {
            decider.found(seed.clone(), 0, 0, None);
        }
        decider
    }

    fn run(mut self, bar: &ProgressBar) -> Report {
        let start = Instant::now();
        let (mut told, mut told_of_stop) = (start, false);
        loop {
            if !self.crawl.stop.is_set() {
                self.dispatch();
            }
            bar.set_length((self.report.visits.len() + self.in_flight + self.waiting) as u64);
            if self.in_flight == 0 {
                break;
            }
            // Every job that was given out comes back, after a stop, too. Meanwhile the stop is looked at.
            match self.crawl.results.get_for(LOOK) {
                Ok(visit) => {
                    self.in_flight -= 1;
                    self.visited(visit);
                }
                Err(GetTimeoutError::Timeout) => {}
                Err(GetTimeoutError::Closed) => break,
            }
            bar.set_position(self.report.visits.len() as u64);
            bar.set_message(format!(
                "{} failed, {} at work, {} waiting",
                self.failed, self.in_flight, self.waiting
            ));
            if self.crawl.stop.is_set() && !std::mem::replace(&mut told_of_stop, true) && self.in_flight != 0
            {
                let (pages, limit) = (self.in_flight, self.crawl.options.timeout());
                self.crawl.journal.warn(format_args!(
                    "stopping; pages in progress: {pages}, each for {limit:?} at most; Ctrl-C drops them"
                ));
            }
            if bar.is_hidden() && told.elapsed() >= Duration::from_secs(1) {
                told = Instant::now();
                let (visited, waiting) = (self.report.visits.len(), self.waiting + self.in_flight);
                self.crawl.journal.warn(format_args!("{visited} visited, {waiting} to go"));
            }
        }
        self.report.unvisited += self.waiting;
        self.report.elsewhere = self.elsewhere.len();
        self.report.too_many = self.too_many.len();
        self.report.too_deep =
            self.known.values().filter(|known| !known.taken).count() - self.report.too_many;
        self.report.elapsed = start.elapsed();
        for visit in &mut self.report.visits {
            // The way to it may have become shorter after the visit.
            if let Some(known) = self.known.get(&visit.url) {
                (visit.depth, visit.from) = (known.depth, known.from.clone());
            }
        }
        self.report
    }

    /// Gives to the fetchers what may be fetched now, one host after the other.
    fn dispatch(&mut self) {
        let count = self.hosts.len();
        for offset in 0..count {
            let at = (self.turn + offset) % count;
            let host = &mut self.hosts[at];
            while !host.waiting.is_empty() {
                let Some(permit) = host.permits.try_acquire_arc() else { break };
                let Some(url) = host.waiting.pop_front() else { break };
                match self.crawl.frontier.try_put(Job { url, permit }) {
                    Ok(()) => {
                        self.in_flight += 1;
                        self.waiting -= 1;
                    }
                    Err(refused) => {
                        // With its permit, which is given back. This host is the first next time.
                        host.waiting.push_front(refused.into_inner().url);
                        self.turn = at;
                        return;
                    }
                }
            }
        }
    }

    /// Takes note of a result, and of what it leads to.
    fn visited(&mut self, mut visit: Visit) {
        let journal = &self.crawl.journal;
        let hops = self.known.get(&visit.url).map_or(0, |known| known.hops);
        if hops >= MAX_HOPS && matches!(visit.outcome, Outcome::Redirect { .. }) {
            visit.outcome = Outcome::Failed("too many redirects".into());
        }
        let (url, attempts, bytes) = (&visit.url, visit.attempts, visit.bytes);
        let from = self.known.get(url).and_then(|known| known.from.as_ref());
        let leads: Vec<(Url, u32)> = match &visit.outcome {
            Outcome::Page { status, links } => {
                let count = links.len();
                journal.note(format_args!("{status} {url} tries={attempts} bytes={bytes} links={count}"));
                links.iter().map(|link| (link.clone(), 1)).collect()
            }
            Outcome::Redirect { status, to } => {
                journal.note(format_args!("{status} {url} tries={attempts} to={to}"));
                vec![(to.clone(), 0)]
            }
            Outcome::Failed(why) => {
                // The summary tells it to people, once.
                self.failed += 1;
                let origin = from.map(|from| format!(", linked from {from}")).unwrap_or_default();
                journal.note(format_args!("failed {url} tries={attempts}: {why}{origin}"));
                Vec::new()
            }
            Outcome::Abandoned => {
                journal.note(format_args!("abandoned {url} tries={attempts}"));
                self.report.unvisited += 1;
                return;
            }
        };
        if let Some(known) = self.known.get_mut(url) {
            known.leads = leads;
        }
        let url = url.clone();
        self.report.visits.push(visit);
        self.follow(url);
    }

    /// Looks at where a visited page leads; and, if that makes the way to other visited pages shorter, at
    /// those.
    ///
    /// Which page is found by which way first is a matter of chance, with many threads. Which pages are
    /// within the depth is not.
    fn follow(&mut self, url: Url) {
        let mut pages = VecDeque::from([url]);
        while let Some(page) = pages.pop_front() {
            let Some(known) = self.known.get(&page) else { continue };
            let (depth, hops) = (known.depth, known.hops);
            for (link, cost) in known.leads.clone() {
                let hops = if cost == 0 { hops + 1 } else { 0 };
                if self.found(link.clone(), depth.saturating_add(cost), hops, Some(&page)) {
                    pages.push_back(link);
                }
            }
        }
    }

    /// An address was found, at this distance. Says whether it was visited before and is nearer than thought.
    fn found(&mut self, url: Url, depth: u32, hops: u32, from: Option<&Url>) -> bool {
        let options = &self.crawl.options;
        let authority = url.authority();
        if !options.all_hosts && !self.allowed.contains(&authority) {
            self.elsewhere.insert(url);
            return false;
        }
        let new = Known { depth: u32::MAX, hops, from: None, taken: false, leads: Vec::new() };
        let known = self.known.entry(url.clone()).or_insert(new);
        if depth >= known.depth {
            return false;
        }
        (known.depth, known.hops, known.from) = (depth, hops, from.cloned());
        if known.taken {
            return !known.leads.is_empty();
        }
        if depth > options.depth {
            return false;
        }
        if self.taken >= options.max_pages {
            self.too_many.insert(url);
            return false;
        }
        known.taken = true;
        self.taken += 1;
        self.waiting += 1;
        let number = *self.host_numbers.entry(authority).or_insert_with(|| {
            let permits = Arc::new(Semaphore::bounded(options.per_host));
            self.hosts.push(Host { permits, waiting: VecDeque::new() });
            self.hosts.len() - 1
        });
        self.hosts[number].waiting.push_back(url);
        false
    }
}
