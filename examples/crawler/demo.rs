//! A site to crawl: two hosts that link to each other, with what crawlers meet. It knows what is to be found
//! there, and what it was asked for.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use lockwork::Mutex;

use crate::crawl::{Outcome, Report};
use crate::options::Options;
use crate::serve::{self, Request, Server};
use crate::url::Url;

/// How a page answers.
enum Manner {
    Html,
    /// Says 503 so many times, and then answers.
    Busy(u32),
    /// Breaks the connection in the middle of the answer so many times, and then answers.
    Drops(u32),
    Redirect,
    /// Says 500, whatever one does.
    Broken,
    Image,
}

struct Page {
    manner: Manner,
    /// As they stand on the page. A path beginning with `B:` is one of the other host.
    links: Vec<String>,
}

/// What a host was asked for.
#[derive(Default)]
struct Asked {
    times: BTreeMap<String, u32>,
    now: usize,
    most: usize,
}

struct Host {
    pages: BTreeMap<String, Page>,
    asked: Mutex<Asked>,
}

/// The site while it is served.
pub(crate) struct Site {
    hosts: Vec<Arc<Host>>,
    servers: Vec<Server>,
}

/// Sections of each host, and pages of each section.
const SECTIONS: usize = 8;
const PAGES: usize = 10;

/// How long a page takes, as if it were made and sent from afar.
const LATENCY: Duration = Duration::from_millis(2);

/// Where the other host is, known as soon as both listen.
type Other = Arc<Mutex<Option<SocketAddr>>>;

impl Site {
    /// Serves on two free ports.
    pub(crate) fn start() -> io::Result<Self> {
        let hosts: Vec<Arc<Host>> =
            (0..2).map(|_| Arc::new(Host { pages: pages(), asked: Mutex::new(Asked::default()) })).collect();
        let others: Vec<Other> = (0..2).map(|_| Arc::default()).collect();
        let mut servers = Vec::new();
        for (host, other) in hosts.iter().zip(&others) {
            let (host, other) = (Arc::clone(host), Arc::clone(other));
            servers.push(Server::start(0, 32, move |request, stream| {
                let other = *other.lock();
                host.answer(request, other, stream)
            })?);
        }
        *others[0].lock() = Some(servers[1].address());
        *others[1].lock() = Some(servers[0].address());
        Ok(Self { hosts, servers })
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.servers.iter().map(Server::address).collect()
    }

    pub(crate) fn seeds(&self) -> Result<Vec<Url>, String> {
        self.addresses().iter().map(|address| Url::parse(&format!("http://{address}/"))).collect()
    }

    /// What is wrong with what a crawl that came to its end has found, and with what it did to get it.
    pub(crate) fn check(&self, options: &Options, report: &Report) -> Result<Vec<String>, String> {
        let mut wrong = Vec::new();
        let mut expected = self.expected(options)?;
        for visit in &report.visits {
            let good = !matches!(visit.outcome, Outcome::Failed(_) | Outcome::Abandoned);
            match expected.remove(&visit.url) {
                None => wrong.push(format!("{} was visited, and should not, or twice", visit.url)),
                Some((expected, depth)) => {
                    if expected != good {
                        wrong.push(format!("{} came to {:?}", visit.url, visit.outcome));
                    }
                    if depth != visit.depth {
                        wrong.push(format!("{} is {depth} links away, not {}", visit.url, visit.depth));
                    }
                }
            }
        }
        wrong.extend(expected.keys().map(|url| format!("{url} was not visited")));
        for (host, address) in self.hosts.iter().zip(self.addresses()) {
            let asked = host.asked.lock();
            if asked.most > options.per_host {
                wrong.push(format!("{address} was asked for {} things at a time", asked.most));
            }
            for visit in &report.visits {
                if visit.url.authority() != address.to_string() {
                    continue;
                }
                let times = asked.times.get(visit.url.target()).copied().unwrap_or(0);
                if times != visit.attempts {
                    wrong.push(format!("{}: asked {times} times in {} attempts", visit.url, visit.attempts));
                }
            }
        }
        Ok(wrong)
    }

    /// The most requests that a host had at a time.
    pub(crate) fn most_at_a_time(&self) -> usize {
        self.hosts.iter().map(|host| host.asked.lock().most).max().unwrap_or(0)
    }

    /// What there is to be found, by the site's own plan: whether it can be had, and how many links away it
    /// is.
    fn expected(&self, options: &Options) -> Result<BTreeMap<Url, (bool, u32)>, String> {
        let addresses = self.addresses();
        let mut expected = BTreeMap::new();
        let mut queue: VecDeque<(Url, u32)> = self.seeds()?.into_iter().map(|url| (url, 0)).collect();
        let mut seen: HashSet<Url> = HashSet::new();
        while let Some((url, depth)) = queue.pop_front() {
            let at = addresses.iter().position(|address| address.to_string() == url.authority());
            let Some(at) = at else { continue };
            if depth > options.depth || !seen.insert(url.clone()) {
                continue;
            }
            let page = self.hosts[at].pages.get(url.target());
            let good = page.is_some_and(|page| match page.manner {
                Manner::Html | Manner::Redirect | Manner::Image => true,
                Manner::Busy(times) | Manner::Drops(times) => times <= options.retries,
                Manner::Broken => false,
            });
            expected.insert(url.clone(), (good, depth));
            let Some(page) = page.filter(|_| good) else { continue };
            for link in &page.links {
                let Some(link) = url.join(&real(link, Some(addresses[1 - at]))) else { continue };
                // The target of a redirect is no further away than its source.
                match page.manner {
                    Manner::Redirect => queue.push_front((link, depth)),
                    _ => queue.push_back((link, depth + 1)),
                }
            }
        }
        Ok(expected)
    }
}

/// Counts a request for as long as it is answered.
struct Counted<'a>(&'a Host);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.asked.lock().now -= 1;
    }
}

impl Host {
    fn answer(&self, request: &Request, other: Option<SocketAddr>, stream: &mut TcpStream) -> io::Result<()> {
        let times = {
            let mut asked = self.asked.lock();
            asked.now += 1;
            asked.most = asked.most.max(asked.now);
            let times = asked.times.entry(request.target.clone()).or_insert(0);
            *times += 1;
            *times
        };
        let counted = Counted(self);
        thread::sleep(LATENCY);
        let page = self.pages.get(&request.target);
        let mut body = String::from("<!DOCTYPE html><title>A page</title>\n");
        for link in page.iter().flat_map(|page| &page.links) {
            body.push_str(&format!("<p><a href=\"{}\">there</a>\n", real(link, other)));
        }
        // What a crawler must not take for links.
        body.push_str("<!-- <a href='/comment'> --><script>'<a href=\"/script\">'</script>\n");
        let html = "Content-Type: text/html; charset=utf-8";
        // The client may come back as soon as it has the last byte, so it must not be counted any more by
        // then.
        drop(counted);
        let last = |stream: &mut TcpStream, status: &str, fields: &[&str], body: &[u8]| {
            serve::head(stream, status, body.len(), fields)?;
            stream.write_all(body)
        };
        match page.map(|page| &page.manner) {
            _ if request.field("host").is_none() => last(stream, "400 Bad Request", &[], b""),
            None => last(stream, "404 Not Found", &[html], b"<title>No</title>"),
            Some(Manner::Broken) => last(stream, "500 Internal Server Error", &[], b""),
            Some(Manner::Busy(busy)) if times <= *busy => last(stream, "503 Service Unavailable", &[], b""),
            Some(Manner::Drops(drops)) if times <= *drops => {
                serve::head(stream, "200 OK", body.len(), &[html])?;
                stream.write_all(&body.as_bytes()[..body.len() / 2])?;
                stream.shutdown(Shutdown::Both)
            }
            Some(Manner::Redirect) => {
                let target = self.pages[&request.target].links.first().map_or("/", String::as_str);
                last(stream, "301 Moved Permanently", &[&format!("Location: {target}")], b"")
            }
            Some(Manner::Image) => last(stream, "200 OK", &["Content-Type: image/png"], b"<a href='/image'>"),
            Some(_) => last(stream, "200 OK", &[html], body.as_bytes()),
        }
    }
}

fn real(link: &str, other: Option<SocketAddr>) -> String {
    match (link.strip_prefix("B:"), other) {
        (Some(path), Some(other)) => format!("http://{other}{path}"),
        _ => link.to_owned(),
    }
}

/// The pages of one host.
fn pages() -> BTreeMap<String, Page> {
    let mut pages = BTreeMap::new();
    let mut add = |path: &str, manner, links: &[&str]| {
        let links = links.iter().map(|link| (*link).to_owned()).collect();
        pages.insert(path.to_owned(), Page { manner, links });
    };
    let mut index: Vec<String> = (0..SECTIONS).map(|n| format!("section/{n}/")).collect();
    // The same thing by several names, things that are no pages, and places where we have no business.
    let more = "section/0/#top ./section/../section/1/ /section/2/?  mailto:a@b.c javascript:void(0) https://secure.invalid/ \
        http://outside.invalid/ busy dropping broken missing old picture.png deep/1 B:/ /a%20b /ü?ü=ü";
    index.extend(more.split_whitespace().map(str::to_owned));
    let index: Vec<&str> = index.iter().map(String::as_str).collect();
    add("/", Manner::Html, &index);
    for section in 0..SECTIONS {
        let links: Vec<String> = (0..PAGES).map(|page| format!("{page}")).collect();
        let mut links: Vec<&str> = links.iter().map(String::as_str).collect();
        links.push("/");
        add(&format!("/section/{section}/"), Manner::Html, &links);
        for page in 0..PAGES {
            let (next, over) = (format!("{}", page + 1), format!("B:/section/{section}/{page}"));
            let links = if page + 1 < PAGES { [&*next, "..", &*over] } else { ["/", "..", &*over] };
            add(&format!("/section/{section}/{page}"), Manner::Html, &links);
        }
    }
    add("/section/", Manner::Html, &["/"]);
    add("/section/2/?", Manner::Html, &["/section/2/0"]);
    add("/a%20b", Manner::Html, &[]);
    add("/%C3%BC?%C3%BC=%C3%BC", Manner::Html, &["?page=2"]);
    add("/%C3%BC?page=2", Manner::Html, &[]);
    add("/busy", Manner::Busy(2), &["/behind/busy"]);
    add("/dropping", Manner::Drops(1), &["/behind/dropping"]);
    add("/behind/busy", Manner::Html, &["/"]);
    add("/behind/dropping", Manner::Html, &["/"]);
    add("/broken", Manner::Broken, &[]);
    add("/old", Manner::Redirect, &["/new"]);
    add("/new", Manner::Html, &["/deep/3"]);
    add("/picture.png", Manner::Image, &[]);
    // A chain that goes deeper than a crawler wants to follow it, with a short cut.
    for step in 1..100 {
        add(&format!("/deep/{step}"), Manner::Html, &[&format!("{}", step + 1), "1"]);
    }
    pages
}
