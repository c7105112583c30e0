//! Folded stacks: a line for each, frames from the outermost, and a number.

use std::io::{self, Write};

use super::data::Profile;

/// Returns a frame without what separates frames and lines.
fn clean(frame: &str) -> String {
    frame.replace([';', '\n', '\r'], ",")
}

pub(super) fn write(profile: &Profile, mut out: impl Write) -> io::Result<()> {
    for entry in &profile.entries {
        let [lock, call, held] = entry.frames().map(|(frame, _)| clean(&frame));
        writeln!(out, "{lock};{call};{held} {}", entry.total.as_nanos())?;
    }
    Ok(())
}
