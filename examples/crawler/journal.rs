//! The log: a thread with something to say puts it into a buffer, and one thread writes it down.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::SystemTime;

use indicatif::ProgressBar;
use lockwork::{BoundedBuffer, Worker};

struct Line {
    text: String,
    /// Whether it goes to standard error, too.
    loud: bool,
}

/// A handle on the log, to be shared.
#[derive(Clone)]
pub(crate) struct Journal(Arc<BoundedBuffer<Line>>);

impl Journal {
    /// Starts the thread that writes to `file`, if there is one, and around `bar` to standard error.
    pub(crate) fn start(file: Option<File>, bar: ProgressBar) -> io::Result<(Self, Worker<io::Result<()>>)> {
        let lines = Arc::new(BoundedBuffer::new(1024));
        let journal = Self(Arc::clone(&lines));
        let writer = Worker::try_spawn("journal", move |_| {
            let result = write(&lines, file, &bar);
            // If it cannot write, no thread shall wait for it.
            drop(lines.close_now());
            result
        })?;
        Ok((journal, writer))
    }

    /// Writes a line to the file.
    pub(crate) fn note(&self, what: fmt::Arguments<'_>) {
        self.put(what, false);
    }

    /// Writes a line to the file and to standard error.
    pub(crate) fn warn(&self, what: fmt::Arguments<'_>) {
        self.put(what, true);
    }

    fn put(&self, what: fmt::Arguments<'_>, loud: bool) {
        // Refused only after the writer has failed, which is reported when it is joined.
        let _ = self.0.put(Line { text: what.to_string(), loud });
    }

    /// Lets the writer end when it has written what is there.
    pub(crate) fn close(&self) {
        self.0.close();
    }
}

fn write(lines: &BoundedBuffer<Line>, mut file: Option<File>, bar: &ProgressBar) -> io::Result<()> {
    let mut batch = Vec::new();
    while lines.get_many(&mut batch, 256).is_ok() {
        let mut text = String::new();
        for line in batch.drain(..) {
            if line.loud {
                bar.suspend(|| crate::complain(format_args!("{}", line.text)));
            }
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            text.push_str(&format!("{}.{:03} {}\n", now.as_secs(), now.subsec_millis(), line.text));
        }
        if let Some(file) = &mut file {
            file.write_all(text.as_bytes())?;
        }
    }
    Ok(())
}
