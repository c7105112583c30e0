//! In which ways one lock was held and another wanted.

/// How a lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Hold {
    /// With other readers.
    Shared,
    /// By the one reader that may become the writer.
    Upgradable,
    /// Alone.
    Exclusive,
}

/// How a lock is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Want {
    /// Alone, or as a reader that queues behind a waiting writer: it may have to wait for any holder.
    Queued,
    /// As a reader that passes waiting writers: it waits for a writer alone.
    Recursive,
    /// As the upgradable reader that wants to write: it waits for readers, and excludes the others already.
    Upgrade,
}

impl Hold {
    const ALL: [Self; 3] = [Self::Shared, Self::Upgradable, Self::Exclusive];
}

impl Want {
    const ALL: [Self; 3] = [Self::Queued, Self::Recursive, Self::Upgrade];

    /// Returns whether it may have to wait until a thread that holds the lock so has let it go.
    pub(in super::super) fn waits_for(self, hold: Hold) -> bool {
        match self {
            Self::Queued => true,
            Self::Recursive => hold == Hold::Exclusive,
            Self::Upgrade => hold == Hold::Shared,
        }
    }
}

/// In which way one lock was held and the other wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Link {
    pub(in super::super) hold: Hold,
    pub(in super::super) want: Want,
    /// The wait for the other would have ended by itself.
    pub(in super::super) timed: bool,
}

/// A set of links.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Links(u32);

impl Links {
    pub(super) const NONE: Self = Self(0);
    pub(super) const UNTIMED: Self = Self(0x1ff);
    pub(super) const ALL: Self = Self(0x3_ffff);

    pub(super) fn of(link: Link) -> Self {
        Self(1 << (link.hold as u32 * 3 + link.want as u32 + if link.timed { 9 } else { 0 }))
    }

    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Returns an iterator over the links, untimed ones first.
    pub(super) fn iter(self) -> impl Iterator<Item = Link> {
        [false, true]
            .into_iter()
            .flat_map(|timed| Hold::ALL.into_iter().map(move |hold| (timed, hold)))
            .flat_map(|(timed, hold)| Want::ALL.into_iter().map(move |want| Link { hold, want, timed }))
            .filter(move |&link| self.has(Self::of(link)))
    }
}
