//! What the paths below `/debug` say of threads and locks. They are there if the server is built with the
//! feature `diagnose`, and otherwise there is nothing here.

/// What is asked for below `/debug`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// Which thread holds and waits for what.
    Locks,
    /// Where waits went, for `pprof`.
    Profile,
    /// The same for a person.
    ProfileText,
    /// The same for a flame graph.
    ProfileFolded,
    /// The last waits one by one, for Perfetto.
    ProfileTrace,
}

impl Page {
    /// The page of a path and what follows its question mark.
    pub(crate) fn of(path: &str, query: &str) -> Option<Self> {
        let page = match (path, query) {
            ("/debug/locks", _) => Self::Locks,
            ("/debug/profile", "text") => Self::ProfileText,
            ("/debug/profile", "folded") => Self::ProfileFolded,
            ("/debug/profile", "trace") => Self::ProfileTrace,
            ("/debug/profile", _) => Self::Profile,
            _ => return None,
        };
        cfg!(feature = "diagnose").then_some(page)
    }
}

#[cfg(feature = "diagnose")]
mod watched {
    use std::num::NonZero;

    use lockwork::diagnose::{self, Order, Session, Settings};

    use super::Page;
    use crate::complain;
    use crate::http::Reply;

    /// Watches locks until it is dropped: their order, cycles of threads that wait for each other, and how
    /// long each waits. That a worker waits long for a connection is nothing to tell.
    pub(crate) fn watch() -> Session {
        diagnose::start(Settings {
            stall_after: None,
            order: Order::Report,
            profile: NonZero::new(1),
            sink: Box::new(|report| complain(format_args!("{report}"))),
            ..Settings::default()
        })
    }

    impl Page {
        pub(crate) fn reply(self) -> Reply {
            let profile = diagnose::profile();
            let mut out = Vec::new();
            // Writing to a vector does not fail.
            let _ = match self {
                Self::Locks => return Reply::ok(format!("{}\n", diagnose::snapshot())),
                Self::ProfileText => return Reply::ok(format!("{profile}\n")),
                Self::Profile => profile.write_pprof(&mut out),
                Self::ProfileFolded => profile.write_folded(&mut out),
                Self::ProfileTrace => profile.write_trace(&mut out),
            };
            match self {
                Self::Profile => Reply::bytes(out, "application/octet-stream"),
                Self::ProfileTrace => Reply::bytes(out, "application/json"),
                _ => Reply::ok(out),
            }
        }
    }
}

#[cfg(not(feature = "diagnose"))]
mod watched {
    use super::Page;
    use crate::http::Reply;

    /// Nothing is watched in this build.
    pub(crate) struct Unwatched;

    pub(crate) fn watch() -> Unwatched {
        Unwatched
    }

    impl Page {
        pub(crate) fn reply(self) -> Reply {
            unreachable!("{self:?} is no page of this server")
        }
    }
}

pub(crate) use watched::watch;
