//! A [`Snapshot`] for programs. Times are seconds, back from when it was taken, or on.

use std::time::Instant;

use ::serde::ser::{Serialize, SerializeStruct, Serializer};

use super::place::Place;
use super::view::{Hold, Snapshot, ThreadState, Wait};
use crate::observe::{Kind, Mode};

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl Serialize for Mode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// As it is displayed: `src/main.rs:12`.
impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Something of a snapshot, which was taken at that time.
struct At<'a, T>(&'a T, Instant);

impl Serialize for At<'_, Hold> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(hold, taken) = self;
        let mut shown = serializer.serialize_struct("Hold", 8)?;
        shown.serialize_field("kind", &hold.kind)?;
        shown.serialize_field("name", &hold.name)?;
        shown.serialize_field("mode", &hold.mode)?;
        shown.serialize_field("place", &hold.place)?;
        shown.serialize_field("seconds", &taken.saturating_duration_since(hold.since).as_secs_f64())?;
        shown.serialize_field("permits", &hold.permits)?;
        shown.serialize_field("shared", &hold.shared)?;
        shown.serialize_field("object", &hold.id)?;
        shown.end()
    }
}

impl Serialize for At<'_, Wait> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(wait, taken) = self;
        let left = wait.until.map(|until| until.saturating_duration_since(*taken).as_secs_f64());
        let mut shown = serializer.serialize_struct("Wait", 9)?;
        shown.serialize_field("call", &wait.call())?;
        shown.serialize_field("kind", &wait.kind)?;
        shown.serialize_field("name", &wait.name)?;
        shown.serialize_field("mode", &wait.mode)?;
        shown.serialize_field("place", &wait.place)?;
        shown.serialize_field("seconds", &taken.saturating_duration_since(wait.since).as_secs_f64())?;
        shown.serialize_field("seconds_left", &left)?;
        shown.serialize_field("count", &wait.count)?;
        shown.serialize_field("object", &wait.id)?;
        shown.end()
    }
}

impl Serialize for At<'_, ThreadState> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(thread, taken) = self;
        let mut shown = serializer.serialize_struct("ThreadState", 5)?;
        shown.serialize_field("name", &thread.name)?;
        shown.serialize_field("id", &thread.id)?;
        shown.serialize_field("gone", &thread.gone)?;
        shown.serialize_field("holds", &All(&thread.holds, *taken))?;
        shown.serialize_field("waits", &thread.waits.as_ref().map(|wait| At(wait, *taken)))?;
        shown.end()
    }
}

/// Several of them.
struct All<'a, T>(&'a [T], Instant);

impl<'a, T> Serialize for All<'a, T>
where
    At<'a, T>: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|one| At(one, self.1)))
    }
}

/// `{"threads": [{"name", "id", "gone", "holds": [{"kind", "name", "mode", "place", "seconds", ..}],
/// "waits": {"call", "place", "seconds", "seconds_left", ..}}]}`: times are seconds back from, or on from,
/// when it was taken.
impl Serialize for Snapshot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut shown = serializer.serialize_struct("Snapshot", 1)?;
        shown.serialize_field("threads", &All(&self.threads, self.taken))?;
        shown.end()
    }
}
