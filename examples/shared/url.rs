//! Addresses of things on `http` servers, and references to them from elsewhere (RFC 3986, section 5).
//!
//! Two addresses that are equal here are the same thing: the host is in lower case, the path has no dots to
//! climb, and the fragment, which is no business of the server's, is gone.

use std::fmt;

/// The address of something that can be asked for by `http`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Url {
    host: String,
    port: u16,
    /// Path and query, as they are sent: ASCII without spaces, beginning with a slash.
    target: String,
}

impl Url {
    /// Understands an absolute address.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (scheme, rest) =
            text.split_once("://").ok_or_else(|| format!("{text:?} does not begin with http://"))?;
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(format!("{text:?}: only http is spoken here, not {scheme}"));
        }
        let rest = without_fragment(rest);
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let wrong = |what: &str| format!("{text:?} {what}");
        if authority.contains('@') {
            return Err(wrong("has a user name, which would be sent in the clear"));
        }
        let (host, port) = match authority.rsplit_once(':') {
            // A colon inside of brackets belongs to an IPv6 address.
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (authority, ""),
        };
        let port = match port {
            "" => 80,
            // A sign would be taken by `parse`.
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| wrong("has a port that is too large"))?
            }
            _ => return Err(wrong("has a port that is not a number")),
        };
        let name = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
        if name.is_empty() || !name.bytes().all(allowed) || (name.contains(':') && name == host) {
            return Err(wrong("has no usable host"));
        }
        Ok(Self { host: host.to_ascii_lowercase(), port, target: normal(target) })
    }

    /// The address that `reference` stands for on the page with this one. `None` if it is not one to be
    /// fetched by `http`: mail, a script, another protocol, or nonsense.
    pub(crate) fn join(&self, reference: &str) -> Option<Self> {
        // Browsers ignore line ends and tabs wherever they are.
        let reference: String = reference.trim().chars().filter(|c| !"\t\r\n".contains(*c)).collect();
        let reference = without_fragment(&reference);
        if let Some(rest) = reference.strip_prefix("//") {
            return Self::parse(&format!("http://{rest}")).ok();
        }
        if has_scheme(reference) {
            return Self::parse(reference).ok();
        }
        let (path, _) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let target = match reference.as_bytes().first() {
            None => self.target.clone(),
            Some(b'/') => normal(reference),
            Some(b'?') => normal(&format!("{path}{reference}")),
            Some(_) => {
                let folder = &path[..path.rfind('/').map_or(0, |at| at + 1)];
                normal(&format!("{folder}{reference}"))
            }
        };
        Some(Self { target, ..self.clone() })
    }

    /// The host, as it is to be looked up: an IPv6 address without its brackets.
    pub(crate) fn host(&self) -> &str {
        self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&self.host)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The host, with its port if that is not the usual one.
    pub(crate) fn authority(&self) -> String {
        if self.port == 80 { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }

    /// Path and query.
    pub(crate) fn target(&self) -> &str {
        &self.target
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.target)
    }
}

fn without_fragment(text: &str) -> &str {
    text.split('#').next().unwrap_or_default()
}

/// Whether a reference begins with the name of a protocol, rather than with a path that has a colon in it.
fn has_scheme(reference: &str) -> bool {
    let Some((scheme, _)) = reference.split_once(':') else { return false };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Path and query without `.` and `..`, and with everything escaped that may not be sent.
fn normal(target: &str) -> String {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let mut segments: Vec<&str> = Vec::new();
    let mut parts = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        match part {
            "." | ".." => {
                if part == ".." {
                    segments.pop();
                }
                // A folder is still a folder.
                if last {
                    segments.push("");
                }
            }
            _ => segments.push(part),
        }
    }
    let mut normal = String::with_capacity(target.len() + 1);
    for segment in &segments {
        normal.push('/');
        escape(segment, &mut normal);
    }
    if let Some(query) = query {
        normal.push('?');
        escape(query, &mut normal);
    }
    normal
}

fn escape(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}
