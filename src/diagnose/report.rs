//! [`Report`].

use std::fmt;

/// Something that a session has found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Report {}

impl fmt::Display for Report {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}
