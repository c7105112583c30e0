//! The format of `pprof`: `profile.proto` of github.com/google/pprof, whose fields these are.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::super::Place;
use super::data::Profile;
use super::protobuf::Message;

/// The strings of a profile, each once; a message has their places. The first is empty.
struct Strings {
    places: BTreeMap<String, u64>,
    all: Vec<String>,
}

impl Strings {
    fn place(&mut self, string: &str) -> u64 {
        if let Some(&place) = self.places.get(string) {
            return place;
        }
        let place = self.all.len() as u64;
        self.places.insert(string.to_owned(), place);
        self.all.push(string.to_owned());
        place
    }
}

struct Writer {
    profile: Message,
    strings: Strings,
    /// The numbers of the frames that are written: of a function and a location each.
    frames: BTreeMap<(String, Option<Place>), u64>,
}

impl Writer {
    /// Makes a `ValueType`.
    fn value_type(&mut self, name: &str, unit: &str) -> Message {
        let mut message = Message::default();
        message.number(1, self.strings.place(name));
        message.number(2, self.strings.place(unit));
        message
    }

    /// Returns the number of a location, written with its function if it is new.
    fn location(&mut self, frame: (String, Option<Place>)) -> u64 {
        if let Some(&id) = self.frames.get(&frame) {
            return id;
        }
        let id = self.frames.len() as u64 + 1;
        let line = frame.1.map_or(0, |place| u64::from(place.line()));
        let mut function = Message::default();
        function.number(1, id);
        function.number(2, self.strings.place(&frame.0));
        function.number(4, self.strings.place(frame.1.map_or("", |place| place.file())));
        function.number(5, line);
        self.profile.message(5, &function);
        let mut at = Message::default();
        at.number(1, id);
        at.number(2, line);
        let mut location = Message::default();
        location.number(1, id);
        location.message(4, &at);
        self.profile.message(4, &location);
        self.frames.insert(frame, id);
        id
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Returns the whole message.
pub(super) fn encode(profile: &Profile) -> Vec<u8> {
    let strings = Strings { places: BTreeMap::from([(String::new(), 0)]), all: vec![String::new()] };
    let mut writer = Writer { profile: Message::default(), strings, frames: BTreeMap::new() };
    let types = [("contentions", "count"), ("delay", "nanoseconds")];
    for (name, unit) in types {
        let message = writer.value_type(name, unit);
        writer.profile.message(1, &message);
    }
    for entry in &profile.entries {
        // Innermost first.
        let [lock, call, held] = entry.frames();
        let stack = [held, call, lock].map(|frame| writer.location(frame));
        let mut sample = Message::default();
        sample.numbers(1, &stack);
        sample.numbers(2, &[entry.count, nanos(entry.total)]);
        self::label(&mut writer, &mut sample, "mode", entry.mode.name());
        if let Some(name) = entry.name {
            self::label(&mut writer, &mut sample, "lock", name);
        }
        writer.profile.message(2, &sample);
    }
    let began = profile.began.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    writer.profile.number(9, nanos(began));
    writer.profile.number(10, nanos(profile.length));
    let period_type = writer.value_type("contentions", "count");
    writer.profile.message(11, &period_type);
    writer.profile.number(12, u64::from(profile.one_in));
    let default = writer.strings.place("delay");
    writer.profile.number(14, default);
    for string in &writer.strings.all {
        writer.profile.bytes(6, string.as_bytes());
    }
    writer.profile.into_bytes()
}

/// Adds a `Label`, of a string.
fn label(writer: &mut Writer, sample: &mut Message, key: &str, value: &str) {
    let mut label = Message::default();
    label.number(1, writer.strings.place(key));
    label.number(2, writer.strings.place(value));
    sample.message(3, &label);
}
