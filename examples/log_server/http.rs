//! The part of HTTP/1.1 (RFC 9112) that the server speaks: from bytes to a request, from a reply to bytes. No
//! sockets, no threads.

use std::fmt::Write as _;

use crate::debug::Page;

/// What a client is allowed to send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_head: usize,
    pub(crate) max_body: usize,
}

/// The most header lines of a request; more are answered 431.
const MAX_HEADERS: usize = 64;

/// A request without its body.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) method: String,
    pub(crate) target: String,
    /// Bytes that the head took, up to and with the empty line.
    pub(crate) len: usize,
    pub(crate) body_len: usize,
    /// Whether the client wants to send another request after this one.
    pub(crate) keep_alive: bool,
    /// Whether the client sends the body only after it was told to go on.
    pub(crate) expects_continue: bool,
}

/// A request that is not answered with what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) why: &'static str,
    /// The methods that would do, for a 405.
    pub(crate) allow: Option<&'static str>,
}

impl Refusal {
    pub(crate) const fn new(status: u16, why: &'static str) -> Self {
        Self { status, why, allow: None }
    }
}

/// Looks for a head at the beginning of `bytes`. `None` if there is only a part of one so far.
///
/// After a refusal nothing that follows can be trusted to be a request: the connection is answered and
/// closed.
pub(crate) fn parse_head(bytes: &[u8], limits: &Limits) -> Result<Option<Head>, Refusal> {
    const TOO_LONG: Refusal = Refusal::new(431, "the head is too long");

    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(len)) if len <= limits.max_head => {
            read_head(&request, len, limits).map(Some)
        }
        Ok(httparse::Status::Complete(_)) => Err(TOO_LONG),
        Ok(httparse::Status::Partial) if bytes.len() >= limits.max_head => Err(TOO_LONG),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(httparse::Error::TooManyHeaders) => Err(Refusal::new(431, "there are too many headers")),
        Err(httparse::Error::Version) if names_a_version(bytes) => {
            Err(Refusal::new(505, "this server speaks HTTP/1.0 and HTTP/1.1"))
        }
        Err(_) => Err(Refusal::new(400, "this is not an HTTP request")),
    }
}

/// Whether a request line whose version was not understood is one of another HTTP, rather than of nothing at
/// all.
fn names_a_version(bytes: &[u8]) -> bool {
    let line =
        bytes.split(|byte| matches!(byte, b'\r' | b'\n')).find(|line| !line.is_empty()).unwrap_or_default();
    let version = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    version.strip_prefix(b"HTTP/").is_some_and(|number| number.first().is_some_and(u8::is_ascii_digit))
}

/// The request line of what is no request, as far as there is one: what may be its method and its target, and
/// the line.
pub(crate) fn request_line(bytes: &[u8]) -> (Option<(&str, &str)>, &[u8]) {
    /// Enough to know it again.
    const MOST: usize = 256;
    let mut lines = bytes.split(|byte| matches!(byte, b'\r' | b'\n'));
    let line = lines.find(|line| !line.is_empty()).unwrap_or_default();
    let line = &line[..line.len().min(MOST)];
    let word = |word: &&[u8]| !word.is_empty() && word.iter().all(u8::is_ascii_graphic);
    let mut words =
        line.split(|byte| *byte == b' ').take_while(word).filter_map(|word| std::str::from_utf8(word).ok());
    let method = words.next().filter(|method| method.bytes().all(|byte| byte.is_ascii_alphabetic()));
    (method.zip(words.next()), line)
}

fn read_head(request: &httparse::Request<'_, '_>, len: usize, limits: &Limits) -> Result<Head, Refusal> {
    let mut length = None;
    let (mut encoded, mut expects_continue) = (false, false);
    let (mut close, mut keep) = (false, false);
    let mut hosts = 0;
    // Both are there if the head is complete.
    let modern = request.version == Some(1);
    let (method, target) = (request.method.unwrap_or_default(), request.path.unwrap_or_default());

    for header in request.headers.iter() {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if is("content-length") {
            // Two lengths, even equal ones, are how a request is smuggled past one server into another.
            if length.replace(read_length(header.value)?).is_some() {
                return Err(Refusal::new(400, "there are two Content-Lengths"));
            }
        } else if is("transfer-encoding") {
            encoded = true;
        } else if is("host") {
            hosts += 1;
        } else if is("connection") {
            for option in header.value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                close |= option.eq_ignore_ascii_case(b"close");
                keep |= option.eq_ignore_ascii_case(b"keep-alive");
            }
        } else if is("expect") && modern {
            if !header.value.eq_ignore_ascii_case(b"100-continue") {
                return Err(Refusal::new(417, "this server can only be expected to continue"));
            }
            expects_continue = true;
        }
    }

    // Two servers that disagree about who was meant are one way to reach what is not meant for all.
    if hosts > 1 || modern && hosts == 0 {
        return Err(Refusal::new(400, "a request has one Host"));
    }
    match (encoded, length) {
        (true, Some(_)) => {
            return Err(Refusal::new(400, "there are a Transfer-Encoding and a Content-Length"));
        }
        (true, None) => return Err(Refusal::new(501, "send the body with a Content-Length")),
        (false, Some(length)) if length > limits.max_body as u64 => {
            return Err(Refusal::new(413, "the body is too long"));
        }
        (false, _) => {}
    }
    Ok(Head {
        method: method.to_owned(),
        target: target.to_owned(),
        len,
        // Not longer than the limit, which is a usize.
        body_len: length.unwrap_or(0) as usize,
        keep_alive: !close && (modern || keep),
        expects_continue,
    })
}

/// Digits and nothing else: `u64::from_str` would take a sign. A number too large for 64 bits is certainly
/// too long.
fn read_length(value: &[u8]) -> Result<u64, Refusal> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Refusal::new(400, "the Content-Length is not a number"));
    }
    Ok(value
        .iter()
        .fold(0u64, |length, digit| length.saturating_mul(10).saturating_add(u64::from(digit - b'0'))))
}

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// What to do, for those who ask.
    Index,
    Health,
    Stats,
    /// The same, for programs that collect such things.
    Metrics,
    /// What threads and locks do, in a server that is built for it.
    Debug(Page),
    /// Log what follows the question mark.
    LogQuery(&'a str),
    /// Log the body.
    LogBody,
}

/// Finds what a request is about by its head alone, so that a client which waits to send its body can be told
/// that no client wants it.
pub(crate) fn route(head: &Head) -> Result<Route<'_>, Refusal> {
    let method = head.method.as_str();
    if !matches!(
        method,
        "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" | "TRACE" | "CONNECT"
    ) {
        return Err(Refusal::new(501, "this method is unknown"));
    }
    let (path, query) = path_and_query(&head.target);
    let reading = matches!(method, "GET" | "HEAD");
    let not_allowed =
        |methods| Refusal { allow: Some(methods), ..Refusal::new(405, "this path has other methods") };
    match path {
        "/log" if reading => Ok(Route::LogQuery(query)),
        "/log" if method == "POST" => Ok(Route::LogBody),
        "/log" => Err(not_allowed("GET, HEAD, POST")),
        "/" if reading => Ok(Route::Index),
        "/health" if reading => Ok(Route::Health),
        "/stats" if reading => Ok(Route::Stats),
        "/metrics" if reading => Ok(Route::Metrics),
        "/" | "/health" | "/stats" | "/metrics" => Err(not_allowed("GET, HEAD")),
        _ => match Page::of(path, query) {
            Some(page) if reading => Ok(Route::Debug(page)),
            Some(_) => Err(not_allowed("GET, HEAD")),
            None => Err(Refusal::new(404, "there is nothing here")),
        },
    }
}

/// Takes a target apart. It may name the server, as if this were a proxy; we are whatever server it names.
fn path_and_query(target: &str) -> (&str, &str) {
    let local = match target.split_once("://") {
        Some(("http" | "https", rest)) => rest.find(['/', '?']).map_or("/", |at| &rest[at..]),
        _ => target,
    };
    local.split_once('?').unwrap_or((local, ""))
}

/// What is sent back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    content_type: &'static str,
    allow: Option<&'static str>,
}

const TEXT: &str = "text/plain; charset=utf-8";
/// What Prometheus calls its text format.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

impl Reply {
    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, body: body.into(), content_type: TEXT, allow: None }
    }

    #[cfg(feature = "diagnose")]
    pub(crate) fn bytes(body: Vec<u8>, content_type: &'static str) -> Self {
        Self { content_type, ..Self::ok(body) }
    }

    pub(crate) fn metrics(body: String) -> Self {
        Self { content_type: METRICS, ..Self::ok(body) }
    }

    /// The bytes to send: without the body, though with its length, for a HEAD.
    pub(crate) fn render(&self, keep_alive: bool, head_only: bool) -> Vec<u8> {
        let connection = if keep_alive { "keep-alive" } else { "close" };
        let mut out = String::with_capacity(160 + self.body.len());
        // Writing to a string does not fail.
        let _ = write!(out, "HTTP/1.1 {} {}\r\nServer: lockwork\r\n", self.status, phrase(self.status));
        if let Some(methods) = self.allow {
            let _ = write!(out, "Allow: {methods}\r\n");
        }
        let _ = write!(
            out,
            "Content-Type: {}\r\nContent-Length: {}\r\nConnection: {connection}\r\n\r\n",
            self.content_type,
            self.body.len()
        );
        let mut out = out.into_bytes();
        if !head_only {
            out.extend_from_slice(&self.body);
        }
        out
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        Self {
            status: refusal.status,
            body: format!("{}\n", refusal.why).into_bytes(),
            content_type: TEXT,
            allow: refusal.allow,
        }
    }
}

/// What tells a client that waits to send its body.
pub(crate) const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

const fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        417 => "Expectation Failed",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Unknown",
    }
}
