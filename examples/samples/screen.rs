//! The user interface: one thread that draws a frame every 50 ms, and waits for nothing else.
//!
//! Only this thread writes to the terminal. All others put what is to be seen into a buffer.

use std::io::{self, IsTerminal, Write};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::BoundedBuffer;

/// Time between two frames.
const FRAME: Duration = Duration::from_millis(50);

/// What is to be seen.
#[derive(Debug)]
pub(crate) enum Update {
    /// There are so many files.
    Begin(usize),
    /// A file is measured.
    Measured,
    /// What is known of a file is stored.
    Stored,
    /// Something to read.
    Say(String),
}

/// How the drawing went.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Frames {
    pub(crate) count: u32,
    /// The longest time between two of them.
    pub(crate) longest: Duration,
}

#[derive(Debug)]
struct Screen {
    all: usize,
    measured: usize,
    stored: usize,
    terminal: bool,
}

/// Draws until the buffer is closed and empty.
pub(crate) fn run(updates: &BoundedBuffer<Update>) -> io::Result<Frames> {
    let mut screen = Screen { all: 0, measured: 0, stored: 0, terminal: io::stderr().is_terminal() };
    let mut frames = Frames::default();
    let mut last = Instant::now();
    loop {
        // Before the look into the buffer: what is put before it is closed is seen.
        let over = updates.is_closed();
        // All that is there, and no wait for more.
        for update in updates.try_iter() {
            screen.show(update)?;
        }
        screen.draw()?;
        let now = Instant::now();
        frames.longest = frames.longest.max(now - last);
        frames.count += 1;
        last = now;
        if over && updates.is_empty() {
            screen.end()?;
            return Ok(frames);
        }
        thread::sleep(FRAME.saturating_sub(last.elapsed()));
    }
}

impl Screen {
    fn show(&mut self, update: Update) -> io::Result<()> {
        match update {
            Update::Begin(all) => self.all = all,
            Update::Measured => self.measured += 1,
            Update::Stored => self.stored += 1,
            Update::Say(text) => {
                self.end()?;
                writeln!(io::stderr(), "samples: {text}")?;
            }
        }
        Ok(())
    }

    /// Draws the bar over the last one: `=` for what is stored, `-` for what is measured.
    fn draw(&self) -> io::Result<()> {
        const WIDTH: usize = 30;
        if !self.terminal || self.all == 0 {
            return Ok(());
        }
        let part = |count: usize| WIDTH * count.min(self.all) / self.all;
        let (stored, measured) = (part(self.stored), part(self.measured).max(part(self.stored)));
        let (full, half, none) =
            ("=".repeat(stored), "-".repeat(measured - stored), " ".repeat(WIDTH - measured));
        let mut out = io::stderr().lock();
        write!(out, "\r[{full}{half}{none}] {} of {} stored\x1b[K", self.stored, self.all)?;
        out.flush()
    }

    /// Takes the bar away.
    fn end(&self) -> io::Result<()> {
        if self.terminal { write!(io::stderr(), "\r\x1b[K") } else { Ok(()) }
    }
}
