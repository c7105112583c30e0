//! The recipes of the guide `diagnose`, as they stand there.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex as StdMutex};

use lockwork::Mutex;
use lockwork::diagnose::{self, Order, Report, Session, Settings};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, SharedString, Unit};
use tracing::{Level, Subscriber, span};

use crate::support::Watched;

/// The lines between `BEGIN name` and `END` in this file, without what they are indented by.
fn recipe(name: &str) -> String {
    let begin = format!("// BEGIN {name}");
    let lines = include_str!("recipes.rs").lines();
    let lines: Vec<&str> = lines.skip_while(|line| line.trim() != begin).skip(1).collect();
    let indent = lines[0].len() - lines[0].trim_start().len();
    let lines = lines.into_iter().take_while(|line| line.trim() != "// END");
    lines.map(|line| format!("{}\n", line.get(indent..).unwrap_or_default())).collect()
}

#[test]
fn recipes_are_those_of_the_guide() {
    let guide = include_str!("../../docs/guide/diagnose.md");
    for name in ["tracing", "metrics"] {
        let recipe = recipe(name);
        assert!(guide.contains(&recipe), "the guide does not have:\n{recipe}");
    }
}

/// What the guide shows was written by the program as it is: each place in it is a line with a call.
#[test]
fn places_in_the_guide_are_calls() {
    const FILE: &str = "examples/watched/main.rs:";
    let guide = include_str!("../../docs/guide/diagnose.md");
    let program: Vec<&str> = include_str!("../../examples/watched/main.rs").lines().collect();
    let mut places = 0;
    for (at, _) in guide.match_indices(FILE) {
        let digits = guide[at + FILE.len()..].split(|c: char| !c.is_ascii_digit()).next();
        let number: usize = digits.and_then(|digits| digits.parse().ok()).expect("the number of a line");
        let line = program[number - 1];
        let locks = [".lock()", ".read()", ".write()"].iter().any(|call| line.contains(call));
        assert!(locks, "line {number} of the program has no such call: {line}");
        places += 1;
    }
    assert!(places >= 10, "{places}");
}

fn to_tracing() -> Session {
    // BEGIN tracing
    let session = diagnose::start(Settings {
        order: Order::Report,
        sink: Box::new(|report| match report {
            Report::Stall(_) => tracing::warn!("{report}"),
            _ => tracing::error!("{report}"),
        }),
        ..Settings::default()
    });
    // END
    session
}

fn to_metrics() {
    // BEGIN metrics
    for lock in diagnose::profile().locks() {
        let Some(name) = lock.name else { continue };
        metrics::counter!("lock_acquisitions_total", "lock" => name).absolute(lock.acquisitions);
        metrics::counter!("lock_contended_total", "lock" => name).absolute(lock.contended);
        metrics::gauge!("lock_wait_seconds", "lock" => name).set(lock.total_wait.as_secs_f64());
    }
    // END
}

/// Counts events of a level.
struct Errors(Arc<AtomicUsize>);

impl Subscriber for Errors {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Relaxed);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[test]
fn inversion_goes_to_tracing() {
    let turn = Watched::order().end();
    let errors = Arc::new(AtomicUsize::new(0));
    let session = to_tracing();
    let (a, b) = (Mutex::named("a", ()), Mutex::named("b", ()));
    tracing::subscriber::with_default(Errors(Arc::clone(&errors)), || {
        drop((a.lock(), b.lock()));
        drop((b.lock(), a.lock()));
    });
    assert_eq!(errors.load(Relaxed), 1);
    drop((session, turn));
}

/// The keys that were registered.
#[derive(Default)]
struct Keys(StdMutex<Vec<String>>);

impl Keys {
    fn note(&self, key: &Key) {
        self.0.lock().unwrap().push(key.to_string());
    }
}

impl metrics::Recorder for Keys {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.note(key);
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.note(key);
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[test]
fn profile_goes_to_metrics() {
    let _watched = Watched::profile();
    let lock = Mutex::named("measured", ());
    drop(lock.lock());
    let keys = Keys::default();
    metrics::with_local_recorder(&keys, to_metrics);
    let keys = keys.0.into_inner().unwrap();
    let of_lock = keys.iter().filter(|key| key.contains("measured"));
    assert_eq!(of_lock.count(), 3, "{keys:?}");
}
