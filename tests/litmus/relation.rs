//! Relations on the events of an execution, and sets of events, in the notation of the papers: `[A]; r;
//! [B]` is `r.from(a).to(b)`.

/// The events of an execution are numbered from 0; a set has a bit for each.
pub(super) type Set = u32;

/// The largest number of events in an execution.
pub(super) const MOST: usize = Set::BITS as usize;

/// For each event the set of those that it is related to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Relation(Vec<Set>);

impl Relation {
    pub(super) fn of(size: usize, related: impl Fn(usize, usize) -> bool) -> Self {
        let row = |a| (0..size).filter(|b| related(a, *b)).fold(0, |row, b| row | 1 << b);
        Self((0..size).map(row).collect())
    }

    pub(super) fn none(size: usize) -> Self {
        Self(vec![0; size])
    }

    pub(super) fn add(&mut self, a: usize, b: usize) {
        self.0[a] |= 1 << b;
    }

    pub(super) fn has(&self, a: usize, b: usize) -> bool {
        self.0[a] & (1 << b) != 0
    }

    /// `[set]; self`
    pub(super) fn from(&self, set: Set) -> Self {
        let rows = self.0.iter().enumerate();
        Self(rows.map(|(a, row)| if set & (1 << a) != 0 { *row } else { 0 }).collect())
    }

    /// `self; [set]`
    pub(super) fn to(&self, set: Set) -> Self {
        Self(self.0.iter().map(|row| row & set).collect())
    }

    /// `self; other`
    pub(super) fn then(&self, other: &Self) -> Self {
        let row = |row: &Set| {
            let (mut left, mut reached) = (*row, 0);
            while left != 0 {
                reached |= other.0[left.trailing_zeros() as usize];
                left &= left - 1;
            }
            reached
        };
        Self(self.0.iter().map(row).collect())
    }

    pub(super) fn or(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a | b).collect())
    }

    pub(super) fn and(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a & b).collect())
    }

    pub(super) fn without(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a & !b).collect())
    }

    pub(super) fn inverse(&self) -> Self {
        Self::of(self.0.len(), |a, b| self.has(b, a))
    }

    /// `self?`: or the same event.
    pub(super) fn maybe(&self) -> Self {
        Self(self.0.iter().enumerate().map(|(a, row)| row | 1 << a).collect())
    }

    /// `self+`: one step or more.
    pub(super) fn plus(&self) -> Self {
        let mut rows = self.0.clone();
        for through in 0..rows.len() {
            let further = rows[through];
            for row in &mut rows {
                if *row & (1 << through) != 0 {
                    *row |= further;
                }
            }
        }
        Self(rows)
    }

    /// `self*`: no step or more.
    pub(super) fn star(&self) -> Self {
        self.plus().maybe()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|row| *row == 0)
    }

    pub(super) fn is_irreflexive(&self) -> bool {
        self.0.iter().enumerate().all(|(a, row)| row & (1 << a) == 0)
    }

    pub(super) fn is_acyclic(&self) -> bool {
        self.plus().is_irreflexive()
    }
}

#[test]
fn relations_are_as_in_the_papers() {
    let next = Relation::of(4, |a, b| a + 1 == b);
    assert_eq!(next.then(&next), Relation::of(4, |a, b| a + 2 == b));
    assert_eq!(next.plus(), Relation::of(4, |a, b| a < b));
    assert_eq!(next.star(), Relation::of(4, |a, b| a <= b));
    assert_eq!(next.maybe(), Relation::of(4, |a, b| a == b || a + 1 == b));
    assert_eq!(next.inverse(), Relation::of(4, |a, b| a == b + 1));
    assert_eq!(next.from(0b0011).to(0b0010), Relation::of(4, |a, b| a == 0 && b == 1));
    assert!(next.is_acyclic() && next.plus().is_irreflexive() && !next.star().is_irreflexive());
    assert!(!next.or(&next.inverse()).is_acyclic() && next.and(&next.inverse()).is_empty());
    let around = Relation::of(4, |a, b| (a + 1) % 4 == b);
    assert!(around.is_irreflexive() && !around.is_acyclic());
    assert_eq!(around.without(&next), Relation::of(4, |a, b| a == 3 && b == 0));
}
