//! What a profile writes is read by what others have written: folded stacks by `inferno`, a trace by
//! `serde_json`. Of the format of `pprof` only the encoding is another's, `prost`'s: the messages are written
//! down below, after `profile.proto`, so a field that is misunderstood here and there is not found. The guide
//! shows what `go tool pprof` has made of such a file.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use lockwork::diagnose::{self, Profile};
use lockwork::{Event, Mutex, Semaphore};
use prost::Message;
use serde_json::Value;

use crate::support::Watched;

/// The messages of `profile.proto`, as far as they are written here.
mod proto {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Profile {
        #[prost(message, repeated, tag = "1")]
        pub(super) sample_type: Vec<ValueType>,
        #[prost(message, repeated, tag = "2")]
        pub(super) sample: Vec<Sample>,
        #[prost(message, repeated, tag = "4")]
        pub(super) location: Vec<Location>,
        #[prost(message, repeated, tag = "5")]
        pub(super) function: Vec<Function>,
        #[prost(string, repeated, tag = "6")]
        pub(super) string_table: Vec<String>,
        #[prost(int64, tag = "9")]
        pub(super) time_nanos: i64,
        #[prost(int64, tag = "10")]
        pub(super) duration_nanos: i64,
        #[prost(message, optional, tag = "11")]
        pub(super) period_type: Option<ValueType>,
        #[prost(int64, tag = "12")]
        pub(super) period: i64,
        #[prost(int64, tag = "14")]
        pub(super) default_sample_type: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct ValueType {
        #[prost(int64, tag = "1")]
        pub(super) name: i64,
        #[prost(int64, tag = "2")]
        pub(super) unit: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Sample {
        #[prost(uint64, repeated, tag = "1")]
        pub(super) location_id: Vec<u64>,
        #[prost(int64, repeated, tag = "2")]
        pub(super) value: Vec<i64>,
        #[prost(message, repeated, tag = "3")]
        pub(super) label: Vec<Label>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Label {
        #[prost(int64, tag = "1")]
        pub(super) key: i64,
        #[prost(int64, tag = "2")]
        pub(super) text: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Location {
        #[prost(uint64, tag = "1")]
        pub(super) id: u64,
        #[prost(message, repeated, tag = "4")]
        pub(super) line: Vec<Line>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Line {
        #[prost(uint64, tag = "1")]
        pub(super) function_id: u64,
        #[prost(int64, tag = "2")]
        pub(super) line: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Function {
        #[prost(uint64, tag = "1")]
        pub(super) id: u64,
        #[prost(int64, tag = "2")]
        pub(super) name: i64,
        #[prost(int64, tag = "4")]
        pub(super) filename: i64,
        #[prost(int64, tag = "5")]
        pub(super) start_line: i64,
    }
}

const AWKWARD: &str = "a \"name\"; of\\two parts";

/// A profile of a lock that was waited for, with a name that each format must escape.
fn contended() -> Profile {
    let _watched = Watched::profile();
    let lock = Mutex::named(AWKWARD, ());
    let begun = Event::new();
    thread::scope(|s| {
        for _ in 0..3 {
            let guard = lock.lock();
            let waiter = s.spawn(|| {
                begun.set();
                drop(lock.lock());
            });
            begun.wait();
            thread::sleep(Duration::from_millis(5));
            drop(guard);
            waiter.join().unwrap();
            begun.clear();
        }
        diagnose::profile()
    })
}

fn written(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out).expect("a vector takes all");
    out
}

#[test]
fn pprof_is_read_by_prost() {
    let profile = contended();
    let bytes = written(|out| profile.write_pprof(out));
    let read = proto::Profile::decode(bytes.as_slice()).expect("a profile");
    // Nothing is written that the messages above do not know.
    assert_eq!(read.encoded_len(), bytes.len());
    let string = |place: i64| read.string_table[usize::try_from(place).unwrap()].as_str();
    assert_eq!(string(0), "");
    let types: Vec<_> = read.sample_type.iter().map(|of| (string(of.name), string(of.unit))).collect();
    assert_eq!(types, [("contentions", "count"), ("delay", "nanoseconds")]);
    assert_eq!(string(read.default_sample_type), "delay");
    assert_eq!((string(read.period_type.as_ref().unwrap().name), read.period), ("contentions", 1));
    assert!(read.time_nanos > 0 && read.duration_nanos > 0);
    assert_eq!(read.sample.len(), profile.entries().len());
    let frame = |id: &u64| {
        let location = read.location.iter().find(|location| location.id == *id).expect("a location");
        let function = read.function.iter().find(|function| function.id == location.line[0].function_id);
        let function = function.expect("a function");
        assert!(function.start_line <= location.line[0].line);
        (string(function.name), string(function.filename), location.line[0].line)
    };
    for (sample, entry) in read.sample.iter().zip(profile.entries()) {
        assert_eq!(sample.value, [entry.count as i64, entry.total.as_nanos() as i64]);
        let frames: Vec<_> = sample.location_id.iter().map(frame).collect();
        assert_eq!(frames.len(), 3);
        let held = entry.held_at.expect("the holder is known");
        assert_eq!((frames[0].1, frames[0].2), (held.file(), i64::from(held.line())));
        assert_eq!((frames[1].1, frames[1].2), (entry.waited_at.file(), i64::from(entry.waited_at.line())));
        assert!(frames[2].0.starts_with("Mutex "), "{frames:?}");
        let labels: Vec<_> =
            sample.label.iter().map(|label| (string(label.key), string(label.text))).collect();
        assert!(labels.contains(&("lock", AWKWARD)), "{labels:?}");
    }
}

#[test]
fn folded_stacks_are_drawn_by_inferno() {
    let profile = contended();
    let text = String::from_utf8(written(|out| profile.write_folded(out))).expect("text");
    assert_eq!(text.lines().count(), profile.entries().len());
    let mut options = inferno::flamegraph::Options::default();
    options.count_name = "ns".to_owned();
    let mut drawn = Vec::new();
    inferno::flamegraph::from_lines(&mut options, text.lines(), &mut drawn).expect("stacks");
    let drawn = String::from_utf8(drawn).expect("text");
    let entry = &profile.entries()[0];
    for part in
        [format!("Mutex::lock at {}", entry.waited_at), format!("held from {}", entry.held_at.unwrap())]
    {
        assert!(drawn.contains(&part), "{part} is not drawn");
    }
}

#[test]
fn trace_is_read_by_serde_json() {
    let profile = contended();
    let trace: Value = serde_json::from_slice(&written(|out| profile.write_trace(out))).expect("JSON");
    let events = trace["traceEvents"].as_array().expect("an array");
    let of = |phase: &str| events.iter().filter(move |event| event["ph"] == *phase).collect::<Vec<_>>();
    let (waits, threads) = (of("X"), of("M"));
    let counted: u64 = profile.entries().iter().map(|entry| entry.count).sum();
    assert_eq!((waits.len() as u64, events.len()), (counted, waits.len() + threads.len()));
    let named: BTreeSet<u64> = threads.iter().map(|event| event["tid"].as_u64().unwrap()).collect();
    let mut length = 0.0;
    for wait in &waits {
        assert!(wait["name"].as_str().unwrap().contains("parts"), "{wait}");
        assert!(named.contains(&wait["tid"].as_u64().unwrap()));
        assert!(wait["ts"].as_f64().unwrap() >= 0.0);
        assert!(wait["args"]["waited_at"].as_str().unwrap().contains("formats.rs:"));
        assert!(wait["args"]["held_from"].as_str().unwrap().contains("formats.rs:"));
        length += wait["dur"].as_f64().unwrap();
    }
    let total: Duration = profile.entries().iter().map(|entry| entry.total).sum();
    assert!((length / 1e6 - total.as_secs_f64()).abs() < 1e-6, "{length} of {total:?}");
}

#[test]
fn snapshot_is_read_by_serde_json() {
    const NAME: &str = "shown as JSON";
    let _watched = Watched::by(|settings| settings);
    let semaphore = Semaphore::named("both wanted", 2);
    let lock = Arc::new(Mutex::named("given away", ()));
    let permits = semaphore.acquire_many(2);
    thread::scope(|s| {
        let body = || {
            let _guard = lock.lock_arc();
            drop(semaphore.acquire_many(2));
        };
        thread::Builder::new().name(NAME.to_owned()).spawn_scoped(s, body).unwrap();
        let thread = loop {
            let json = serde_json::to_value(diagnose::snapshot()).expect("JSON");
            let threads = json["threads"].as_array().expect("an array").iter();
            let sleeps = |thread: &&Value| thread["name"] == NAME && !thread["waits"].is_null();
            if let Some(thread) = { threads }.find(sleeps) {
                break thread.clone();
            }
            thread::yield_now();
        };
        let (wait, hold) = (&thread["waits"], &thread["holds"][0]);
        assert_eq!((&wait["call"], &wait["count"]), (&"Semaphore::acquire".into(), &2.into()), "{thread}");
        assert_eq!((&hold["name"], &hold["shared"]), (&"given away".into(), &true.into()), "{thread}");
        drop(permits);
    });
}
