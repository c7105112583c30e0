//! The work: what is done with each file, and by which threads.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lockwork::{BoundedBuffer, StopToken, TaskError, ThreadPool, Worker, as_completed};

use crate::cache::{Cache, Measures};
use crate::connections::Connections;
use crate::screen::Update;

/// What the threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) cache: Cache,
    pub(crate) connections: Connections,
    pub(crate) updates: BoundedBuffer<Update>,
    pub(crate) stop: StopToken,
}

/// What became of a file.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// Measured; `known` if the same content had been measured before.
    Measured { measures: Measures, known: bool, stored: bool },
    /// It cannot be read.
    Failed(String),
    /// The stop came before.
    Skipped,
}

impl Shared {
    /// Has something shown. After the screen is gone this does nothing.
    pub(crate) fn show(&self, update: Update) {
        let _ = self.updates.put(update);
    }

    fn measure(&self, path: &PathBuf) -> Outcome {
        // Between two files is the place to stop.
        if self.stop.is_stopped() {
            return Outcome::Skipped;
        }
        let outcome = match fs::read(path) {
            Ok(content) => {
                let (measures, known) = self.cache.measures(content);
                Outcome::Measured { measures, known, stored: false }
            }
            Err(error) => Outcome::Failed(format!("cannot read {}: {error}", path.display())),
        };
        self.show(Update::Measured);
        outcome
    }

    fn store(&self) -> bool {
        !self.stop.is_stopped() && self.connections.lend().store(&self.stop)
    }
}

/// Works through the files, in two steps. The results are in the order of the files.
pub(crate) fn work(
    shared: &Arc<Shared>,
    pool: &ThreadPool,
    files: &[PathBuf],
    report: Duration,
) -> Result<Vec<Outcome>, TaskError> {
    shared.show(Update::Begin(files.len()));
    // Beside it all; it is told to stop and waited for when this function returns, whichever way.
    let _reporter = Worker::spawn("report", {
        let shared = Arc::clone(shared);
        move |stop| {
            // A clock and a stop in one.
            while !stop.wait_for(report) {
                let (contents, lent) = (shared.cache.len(), shared.connections.in_use());
                let text = format!("{contents} different contents so far, {lent} connections in use");
                shared.show(Update::Say(text));
            }
        }
    });

    // 1. One function and many items: the results come in the order of the items, whichever thread is through
    //    first.
    let measuring = Arc::clone(shared);
    let mut outcomes: Vec<Outcome> = pool.map(files.to_vec(), move |path| measuring.measure(&path)).collect();

    // 2. Many tasks, and whichever is done first comes first. Its id tells which it is.
    let (mut tasks, mut numbers) = (Vec::new(), HashMap::new());
    for (number, outcome) in outcomes.iter().enumerate() {
        if let Outcome::Measured { .. } = outcome {
            let storing = Arc::clone(shared);
            // Refused only by a pool that was shut down, and this one lives.
            if let Ok(task) = pool.submit(move || storing.store()) {
                numbers.insert(task.id(), number);
                tasks.push(task);
            }
        }
    }
    for task in as_completed(tasks) {
        let number = numbers[&task.id()];
        let done = task.join()?;
        if let Outcome::Measured { stored, .. } = &mut outcomes[number] {
            *stored = done;
        }
        if done {
            shared.show(Update::Stored);
        }
    }
    Ok(outcomes)
}
