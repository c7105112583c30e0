//! Chrome's trace format: an array of events in JSON, which Perfetto and `chrome://tracing` open.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::process;
use std::time::Duration;

use super::data::Profile;

/// A string of JSON.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for character in self.0.chars() {
            match character {
                '"' | '\\' => write!(f, "\\{character}")?,
                '\0'..='\u{1f}' => write!(f, "\\u{:04x}", character as u32)?,
                _ => write!(f, "{character}")?,
            }
        }
        f.write_str("\"")
    }
}

/// In microseconds, which is what the format has, with three digits more.
struct Micros(Duration);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0.as_micros(), self.0.subsec_nanos() % 1000)
    }
}

pub(super) fn write(profile: &Profile, mut out: impl Write) -> io::Result<()> {
    let process = process::id();
    write!(out, "{{\"displayTimeUnit\":\"ms\",\"traceEvents\":[")?;
    let threads: BTreeMap<u64, &str> =
        profile.waits.iter().map(|wait| (wait.thread, wait.thread_name.as_str())).collect();
    let mut separator = "\n";
    for (thread, name) in threads {
        let name = Quoted(name);
        write!(out, "{separator}{{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":{process},\"tid\":{thread}")?;
        write!(out, ",\"args\":{{\"name\":{name}}}}}")?;
        separator = ",\n";
    }
    for wait in &profile.waits {
        write!(out, "{separator}{{\"ph\":\"X\",\"cat\":\"wait\",\"name\":{}", Quoted(&wait.lock))?;
        write!(out, ",\"pid\":{process},\"tid\":{}", wait.thread)?;
        write!(out, ",\"ts\":{},\"dur\":{}", Micros(wait.since), Micros(wait.length))?;
        write!(out, ",\"args\":{{\"call\":{}", Quoted(&wait.call))?;
        write!(out, ",\"waited_at\":{}", Quoted(&wait.waited_at.to_string()))?;
        if let Some(place) = wait.held_at {
            write!(out, ",\"held_from\":{}", Quoted(&place.to_string()))?;
        }
        write!(out, ",\"waiting\":{}}}}}", wait.waiting)?;
        separator = ",\n";
    }
    writeln!(out, "\n]}}")
}
