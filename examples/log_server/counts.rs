//! What has happened so far, as a page for people and as one for Prometheus.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Counters only: nothing is decided by them while threads run.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) accepted: AtomicU64,
    /// Answers that were sent and have a record.
    answered: AtomicU64,
    /// Records that were put into the buffer.
    pub(crate) recorded: AtomicU64,
    /// Records that were written to the file.
    pub(crate) logged: AtomicU64,
    /// Requests that were answered 503, because there was no log any more.
    unlogged: AtomicU64,
    /// Connections that ended in an error.
    pub(crate) broken: AtomicU64,
    /// Answers by status, in the order of [`STATUSES`].
    by_status: [AtomicU64; STATUSES.len()],
    /// Answers by the time that they took, in the order of [`BUCKETS`], those that took longer at the end.
    by_time: [AtomicU64; BUCKETS.len() + 1],
    micros: AtomicU64,
}

/// Every status that the server sends.
const STATUSES: [u16; 11] = [200, 400, 404, 405, 408, 413, 417, 431, 501, 503, 505];

/// Upper bounds of the times by which answers are counted.
const BUCKETS: [(Duration, &str); 9] = [
    (Duration::from_micros(100), "0.0001"),
    (Duration::from_micros(500), "0.0005"),
    (Duration::from_millis(1), "0.001"),
    (Duration::from_millis(5), "0.005"),
    (Duration::from_millis(20), "0.02"),
    (Duration::from_millis(100), "0.1"),
    (Duration::from_millis(500), "0.5"),
    (Duration::from_secs(2), "2"),
    (Duration::from_secs(10), "10"),
];

/// [`Counts`] at some moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) accepted: u64,
    pub(crate) answered: u64,
    pub(crate) recorded: u64,
    pub(crate) logged: u64,
    pub(crate) unlogged: u64,
    pub(crate) broken: u64,
}

/// What is so now: how much of what there is room for is taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gauges {
    pub(crate) open: usize,
    pub(crate) open_limit: usize,
    pub(crate) waiting: usize,
    pub(crate) waiting_limit: usize,
    pub(crate) records: usize,
    pub(crate) records_limit: usize,
    pub(crate) bytes: usize,
    pub(crate) bytes_limit: usize,
    pub(crate) workers: usize,
    pub(crate) uptime: Duration,
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

impl Counts {
    /// Counts an answer that has been sent, `time` after its request began to arrive.
    pub(crate) fn sent(&self, status: u16, recorded: bool, time: Duration) {
        count(if recorded { &self.answered } else { &self.unlogged });
        if let Some(n) = STATUSES.iter().position(|known| *known == status) {
            count(&self.by_status[n]);
        }
        let bucket = BUCKETS.iter().position(|(bound, _)| time <= *bound).unwrap_or(BUCKETS.len());
        count(&self.by_time[bucket]);
        self.micros.fetch_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    pub(crate) fn now(&self) -> Snapshot {
        Snapshot {
            accepted: self.accepted.load(Relaxed),
            answered: self.answered.load(Relaxed),
            recorded: self.recorded.load(Relaxed),
            logged: self.logged.load(Relaxed),
            unlogged: self.unlogged.load(Relaxed),
            broken: self.broken.load(Relaxed),
        }
    }

    /// For people.
    pub(crate) fn stats(&self, gauges: Gauges) -> String {
        let Snapshot { accepted, answered, recorded, logged, unlogged, broken } = self.now();
        let Gauges {
            open,
            open_limit,
            waiting,
            waiting_limit,
            records,
            records_limit,
            bytes,
            bytes_limit,
            ..
        } = gauges;
        format!(
            "accepted {accepted}\nanswered {answered}\nrecorded {recorded}\nlogged {logged}\nunlogged {unlogged}\n\
             broken {broken}\nopen {open} of {open_limit}\nconnections waiting {waiting} of {waiting_limit}\n\
             records waiting {records} of {records_limit}\nbytes waiting {bytes} of {bytes_limit}\n"
        )
    }

    /// The same in the text format of Prometheus, with the answers by status and by time.
    pub(crate) fn metrics(&self, gauges: Gauges) -> String {
        let Snapshot { accepted, answered, recorded, logged, unlogged, broken } = self.now();
        let gauge = |value: usize| value as u64;
        let rows = [
            ("connections_accepted_total", "counter", "Connections that were accepted", accepted),
            ("connections_broken_total", "counter", "Connections that ended in an error", broken),
            ("requests_answered_total", "counter", "Answers that were sent and have a record", answered),
            ("requests_unlogged_total", "counter", "Requests answered 503 for want of a log", unlogged),
            ("records_queued_total", "counter", "Records that were handed to the logger", recorded),
            ("records_logged_total", "counter", "Records that are in the file", logged),
            ("connections_open", "gauge", "Connections now", gauge(gauges.open)),
            ("connections_open_limit", "gauge", "As many may be open", gauge(gauges.open_limit)),
            ("connections_waiting", "gauge", "Connections that wait for a worker", gauge(gauges.waiting)),
            ("connections_waiting_limit", "gauge", "As many may wait", gauge(gauges.waiting_limit)),
            ("records_waiting", "gauge", "Records that wait for the logger", gauge(gauges.records)),
            ("records_waiting_limit", "gauge", "As many may wait", gauge(gauges.records_limit)),
            ("records_waiting_bytes", "gauge", "Memory of the records not yet written", gauge(gauges.bytes)),
            ("records_waiting_bytes_limit", "gauge", "As much may wait", gauge(gauges.bytes_limit)),
            ("workers", "gauge", "Threads that answer requests", gauge(gauges.workers)),
            ("uptime_seconds", "gauge", "Since the start", gauges.uptime.as_secs()),
        ];
        let mut page = String::with_capacity(4096);
        let title = |page: &mut String, name: &str, kind: &str, help: &str| {
            // Writing to a string does not fail.
            let _ = write!(page, "# HELP log_server_{name} {help}\n# TYPE log_server_{name} {kind}\n");
        };
        for (name, kind, help, value) in rows {
            title(&mut page, name, kind, help);
            let _ = writeln!(page, "log_server_{name} {value}");
        }
        title(&mut page, "responses_total", "counter", "Answers that were sent, by status");
        for (status, counter) in STATUSES.iter().zip(&self.by_status) {
            let value = counter.load(Relaxed);
            let _ = writeln!(page, "log_server_responses_total{{status=\"{status}\"}} {value}");
        }
        let name = "request_duration_seconds";
        title(&mut page, name, "histogram", "From the first byte of a request to the last of its answer");
        let mut total = 0;
        let bounds = BUCKETS.iter().map(|(_, bound)| *bound).chain(["+Inf"]);
        for (bound, counter) in bounds.zip(&self.by_time) {
            total += counter.load(Relaxed);
            let _ = writeln!(page, "log_server_{name}_bucket{{le=\"{bound}\"}} {total}");
        }
        let sum = Duration::from_micros(self.micros.load(Relaxed)).as_secs_f64();
        let _ = write!(page, "log_server_{name}_sum {sum}\nlog_server_{name}_count {total}\n");
        page
    }
}
