//! Who waits for what, who holds what, and what cannot go on.

mod place;
mod report;
mod settings;
#[allow(dead_code, reason = "of the order and the profile")]
mod tables;

pub use self::place::Place;
pub use self::report::Report;
pub use self::settings::{Order, Relock, Settings, Sink};
pub use crate::observe::{Kind, Mode};
use crate::observe::{Called, Holding, Observer};

/// What is told of all calls comes here.
#[derive(Debug)]
pub(crate) struct Watch;

impl Observer for Watch {
    fn first(&self) {
        crate::observe::set_level(0);
    }

    fn acquiring(&self, _new: &Called, _timed: bool) {}

    fn contended(&self, _new: &Called, _timed: bool) -> u64 {
        0
    }

    fn acquired(&self, _new: &Called, _token: u64, _parked: bool) {}

    fn releasing(&self, _holding: &Holding) {}

    fn gone(&self, _id: u64) {}
}
