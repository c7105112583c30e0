//! The order in which locks were taken, as a graph: an edge from a lock that was held to the lock that was
//! wanted then. Data alone: it knows no thread, no lock and no clock.
//!
//! Nodes are numbers that are never used again, so a lock that is gone is removed and a new one at the same
//! address is another node. An edge has *links*: one for each way in which the one lock was held and the
//! other wanted. A circle of edges is a cycle only if at each node the way in which it is wanted excludes the
//! way in which it is held ([`Want::waits_for`]).
//!
//! | edge | its links | numbered | searched |
//! |---|---|---|---|
//! | ordered | some that count | `rank` of its start is below that of its end | yes |
//! | aside | some that count, and it would close a circle of edges which is no cycle | no | yes |
//! | idle | timed ones, and those that were reported | no | by searches for timed cycles alone, but for those reported |
//!
//! Invariants:
//!
//! 1. Ranks are distinct, and along each ordered edge they rise. So ordered edges have no circle.
//! 2. The links that count (neither timed nor reported) have no cycle. So while no edge is aside, an edge
//!    along which the rank rises closes none, and nothing is searched.
//! 3. A node has an edge; `into` and `out` say the same. So the graph is as large as what is in use.
//!
//! | file | what it has |
//! |---|---|
//! | `link` | in which ways a lock is held and wanted |
//! | `search` | which cycle a new edge closes, if it may close one |
//!
//! Finding out whether the edges stay free of circles is the algorithm of Pearce and Kelly ("A dynamic
//! topological sort algorithm for directed acyclic graphs", 2007): it looks at the nodes alone whose ranks
//! lie between those of the edge's ends.

mod link;
mod search;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use link::Links;
pub(super) use link::{Hold, Link, Want};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placement {
    Ordered,
    Aside,
    Idle,
}

/// An edge. `S` is what is remembered of the first time that a link was seen.
struct Edge<S> {
    links: Links,
    /// Those of them that closed a cycle, and count no more.
    reported: Links,
    /// Those that closed a cycle which a time-out ends, and are not to be reported for it again.
    reported_timed: Links,
    placement: Placement,
    first: (Links, S),
    more: Vec<(Links, S)>,
}

impl<S> Edge<S> {
    /// Returns the links that a search follows.
    fn followed(&self, timed: bool) -> Links {
        let wanted = if timed { Links::ALL.without(self.reported_timed) } else { Links::UNTIMED };
        self.links.and(wanted).without(self.reported)
    }

    fn sight(&self, link: Link) -> &S {
        let seen = self.more.iter().find(|(links, _)| *links == Links::of(link));
        &seen.unwrap_or(&self.first).1
    }
}

struct Node<S> {
    rank: i64,
    out: BTreeMap<u64, Edge<S>>,
    into: BTreeSet<u64>,
}

/// One edge of a cycle.
#[derive(Clone, Debug)]
pub(super) struct Step<S> {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) link: Link,
    /// When that link was seen first.
    pub(super) sight: S,
}

/// What an edge has added.
#[derive(Debug)]
pub(super) enum Found<S> {
    /// It closes no cycle.
    Nothing,
    /// With these, in order, from its end to its start.
    Cycle(Vec<Step<S>>),
}

/// What is to happen with an edge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Cycles that a time-out ends count, too.
    pub(super) timed: bool,
    /// An edge that closes a cycle is kept, and is not reported again. Otherwise it is as if it had not been.
    pub(super) keep: bool,
}

pub(super) struct Graph<S> {
    nodes: BTreeMap<u64, Node<S>>,
    /// Above every rank there is.
    above: i64,
    /// Below every rank there is.
    below: i64,
    /// How many edges are aside.
    aside: usize,
}

/// What becomes of an edge with a link that is new.
struct Verdict {
    placement: Placement,
    reported: bool,
    reported_timed: bool,
}

impl<S: Clone> Graph<S> {
    pub(super) const fn new() -> Self {
        Self { nodes: BTreeMap::new(), above: 0, below: -1, aside: 0 }
    }

    /// Returns whether the edge has the link already, or one like it that is not timed.
    pub(super) fn has(&self, from: u64, to: u64, link: Link) -> bool {
        let untimed = Links::of(Link { timed: false, ..link });
        self.edge(from, to).is_some_and(|edge| edge.links.has(Links::of(link)) || edge.links.has(untimed))
    }

    /// Returns the number of nodes and of edges.
    #[cfg(test)]
    fn size(&self) -> (usize, usize) {
        (self.nodes.len(), self.nodes.values().map(|node| node.out.len()).sum())
    }

    /// Adds what was seen: `from` was held while `to`, which is another, was wanted.
    pub(super) fn insert(&mut self, from: u64, to: u64, link: Link, sight: S, rules: Rules) -> Found<S> {
        debug_assert_ne!(from, to);
        if self.has(from, to, link) {
            return Found::Nothing;
        }
        let placement = self.edge(from, to).map_or(Placement::Idle, |edge| edge.placement);
        let mut verdict = Verdict { placement, reported: false, reported_timed: false };
        let mut cycle = None;
        if !link.timed {
            let placed = if placement == Placement::Idle { self.place(from, to) } else { placement };
            // Invariant 2.
            if self.aside > 0 || placed == Placement::Aside {
                cycle = self.search(from, to, link, false);
            }
            verdict.reported = cycle.is_some();
            if !verdict.reported {
                verdict.placement = placed;
            }
        }
        if cycle.is_none() && rules.timed {
            cycle = self.search(from, to, link, true);
            verdict.reported_timed = cycle.is_some();
        }
        if cycle.is_none() || rules.keep {
            self.add(from, to, Links::of(link), sight, verdict);
        }
        cycle.map_or(Found::Nothing, Found::Cycle)
    }

    fn add(&mut self, from: u64, to: u64, links: Links, sight: S, verdict: Verdict) {
        self.node_above(to).into.insert(from);
        let was = match self.node_above(from).out.entry(to) {
            Entry::Vacant(entry) => {
                let (reported, reported_timed) = (Links::NONE, Links::NONE);
                let (placement, first, more) = (verdict.placement, (links, sight), Vec::new());
                entry.insert(Edge { links, reported, reported_timed, placement, first, more });
                Placement::Idle
            }
            Entry::Occupied(entry) => {
                let edge = entry.into_mut();
                edge.links.add(links);
                edge.more.push((links, sight));
                mem::replace(&mut edge.placement, verdict.placement)
            }
        };
        self.aside += usize::from(verdict.placement == Placement::Aside && was == Placement::Idle);
        if let Some(edge) = self.nodes.get_mut(&from).and_then(|node| node.out.get_mut(&to)) {
            edge.reported.add(if verdict.reported { links } else { Links::NONE });
            edge.reported_timed.add(if verdict.reported_timed { links } else { Links::NONE });
        }
    }

    /// Removes a lock that is gone, with all its edges.
    pub(super) fn remove(&mut self, id: u64) {
        let Some(node) = self.nodes.remove(&id) else { return };
        for (to, edge) in node.out {
            self.aside -= usize::from(edge.placement == Placement::Aside);
            self.update(to, |node| _ = node.into.remove(&id));
        }
        for from in node.into {
            let mut edge = None;
            self.update(from, |node| edge = node.out.remove(&id));
            self.aside -= usize::from(edge.is_some_and(|edge| edge.placement == Placement::Aside));
        }
    }

    /// Changes a node, and removes it if that was its last edge (invariant 3).
    fn update(&mut self, id: u64, change: impl FnOnce(&mut Node<S>)) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        change(node);
        if node.out.is_empty() && node.into.is_empty() {
            self.nodes.remove(&id);
        }
    }

    fn edge(&self, from: u64, to: u64) -> Option<&Edge<S>> {
        self.nodes.get(&from)?.out.get(&to)
    }

    /// Returns the node of that number. One that is new is ranked above all others.
    fn node_above(&mut self, id: u64) -> &mut Node<S> {
        self.nodes.entry(id).or_insert_with(|| {
            self.above += 1;
            Node { rank: self.above - 1, out: BTreeMap::new(), into: BTreeSet::new() }
        })
    }

    /// Returns the node of that number. One that is new is ranked below all others.
    fn node_below(&mut self, id: u64) -> &mut Node<S> {
        self.nodes.entry(id).or_insert_with(|| {
            self.below -= 1;
            Node { rank: self.below + 1, out: BTreeMap::new(), into: BTreeSet::new() }
        })
    }

    /// Returns where an edge belongs that is to count from now on: it is ordered, for which ranks may be
    /// dealt out anew, if it closes no circle with those that are.
    fn place(&mut self, from: u64, to: u64) -> Placement {
        // One that is new has no other edge.
        if !self.nodes.contains_key(&to) {
            self.node_above(from);
        }
        let low = self.node_above(to).rank;
        let high = self.node_below(from).rank;
        if high < low {
            return Placement::Ordered;
        }
        let after = self.reachable(to, false, |rank| rank <= high);
        if after.iter().any(|&(_, id)| id == from) {
            return Placement::Aside;
        }
        let before = self.reachable(from, true, |rank| rank >= low);
        // All that come before get the lower ones of the ranks that all these nodes have, in the order that
        // they have now.
        let mut ranks: Vec<i64> = before.iter().chain(&after).map(|&(rank, _)| rank).collect();
        ranks.sort_unstable();
        for (&(_, id), rank) in before.iter().chain(&after).zip(ranks) {
            self.node_above(id).rank = rank;
        }
        Placement::Ordered
    }

    /// Returns the nodes that ordered edges lead to, or come from, among those whose ranks are `within`, by
    /// rank.
    fn reachable(&self, first: u64, back: bool, within: impl Fn(i64) -> bool) -> Vec<(i64, u64)> {
        let mut found = BTreeSet::from([(self.nodes[&first].rank, first)]);
        let mut left = vec![first];
        while let Some(id) = left.pop() {
            let node = &self.nodes[&id];
            let mut visit = |next: u64, edge: &Edge<S>| {
                let rank = self.nodes[&next].rank;
                let ordered = edge.placement == Placement::Ordered;
                if ordered && within(rank) && found.insert((rank, next)) {
                    left.push(next);
                }
            };
            if back {
                node.into.iter().for_each(|&from| visit(from, &self.nodes[&from].out[&id]));
            } else {
                node.out.iter().for_each(|(&to, edge)| visit(to, edge));
            }
        }
        found.into_iter().collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use crate::facade::platform::thread;

    use super::{Found, Graph, Hold, Link, Placement, Rules, Step, Want};

    const NODES: u64 = 6;
    const KEEP: Rules = Rules { timed: false, keep: true };

    fn link(hold: Hold, want: Want) -> Link {
        Link { hold, want, timed: false }
    }

    const PLAIN: Link = Link { hold: Hold::Exclusive, want: Want::Queued, timed: false };

    /// What [`Graph`] says, found by trying every path.
    #[derive(Default)]
    pub(in super::super) struct Brute {
        /// Edges, whether they count, and whether they count in searches for timed cycles.
        seen: Vec<(u64, u64, Link, bool, bool)>,
    }

    impl Brute {
        fn follows(&self, timed: bool) -> impl Iterator<Item = (u64, u64, Link)> {
            let counts = move |&&(_, _, link, counts, timed_counts): &&(u64, u64, Link, bool, bool)| {
                counts && if timed { timed_counts } else { !link.timed }
            };
            self.seen.iter().filter(counts).map(|&(from, to, link, ..)| (from, to, link))
        }

        fn leads(&self, path: &mut Vec<u64>, arrived: Link, from: u64, closing: Link, timed: bool) -> bool {
            let at = *path.last().unwrap();
            for (start, next, link) in self.follows(timed) {
                if start != at || path.contains(&next) || !arrived.want.waits_for(link.hold) {
                    continue;
                }
                if next == from {
                    if link.want.waits_for(closing.hold) {
                        return true;
                    }
                    continue;
                }
                path.push(next);
                let leads = self.leads(path, link, from, closing, timed);
                path.pop();
                if leads {
                    return true;
                }
            }
            false
        }

        pub(in super::super) fn insert(&mut self, from: u64, to: u64, link: Link, rules: Rules) -> bool {
            let untimed = Link { timed: false, ..link };
            if self
                .seen
                .iter()
                .any(|seen| (seen.0, seen.1) == (from, to) && (seen.2 == link || seen.2 == untimed))
            {
                return false;
            }
            let cycle = !link.timed && self.leads(&mut vec![to], link, from, link, false);
            let timed_cycle = !cycle && rules.timed && self.leads(&mut vec![to], link, from, link, true);
            if rules.keep || !cycle && !timed_cycle {
                self.seen.push((from, to, link, !cycle, !timed_cycle));
            }
            cycle || timed_cycle
        }

        fn remove(&mut self, id: u64) {
            self.seen.retain(|&(from, to, ..)| from != id && to != id);
        }
    }

    /// Asserts invariants 1 and 3, and that edges aside are counted.
    fn check(graph: &Graph<(u64, u64)>) {
        let mut aside = 0;
        let mut ranks = Vec::new();
        for (&id, node) in &graph.nodes {
            ranks.push(node.rank);
            assert!(!node.out.is_empty() || !node.into.is_empty());
            for (&to, edge) in &node.out {
                assert!(graph.nodes[&to].into.contains(&id));
                aside += usize::from(edge.placement == Placement::Aside);
                let ordered = edge.placement == Placement::Ordered;
                assert!(!ordered || node.rank < graph.nodes[&to].rank, "{id} to {to}");
            }
            assert!(node.into.iter().all(|from| graph.nodes[from].out.contains_key(&id)));
        }
        assert_eq!(aside, graph.aside);
        let all = ranks.len();
        ranks.sort_unstable();
        ranks.dedup();
        assert_eq!(ranks.len(), all, "ranks are distinct");
    }

    /// Asserts that the steps lead from `to` to `from`, and that each waits for the one before.
    fn check_cycle(steps: &[Step<(u64, u64)>], from: u64, to: u64, closing: Link) {
        let mut at = (to, closing);
        for step in steps {
            assert_eq!((step.from, step.sight), (at.0, (step.from, step.to)));
            assert!(at.1.want.waits_for(step.link.hold), "{steps:?}");
            at = (step.to, step.link);
        }
        assert_eq!(at.0, from);
        assert!(at.1.want.waits_for(closing.hold), "{steps:?}");
    }

    #[derive(Clone, Debug)]
    enum Op {
        Insert(u64, u64, Link),
        Remove(u64),
    }

    fn op(timed: bool) -> impl Strategy<Value = Op> {
        let link = (
            prop_oneof![1 => Just(Hold::Shared), 1 => Just(Hold::Upgradable), 3 => Just(Hold::Exclusive)],
            prop_oneof![3 => Just(Want::Queued), 1 => Just(Want::Recursive), 1 => Just(Want::Upgrade)],
            prop::bool::weighted(if timed { 0.3 } else { 0.0 }),
        )
            .prop_map(|(hold, want, timed)| Link { hold, want, timed });
        prop_oneof![
            12 => (0..NODES, 1..NODES, link)
                .prop_map(|(from, by, link)| Op::Insert(from, (from + by) % NODES, link)),
            1 => (0..NODES).prop_map(Op::Remove),
        ]
    }

    fn compare(ops: &[Op], rules: Rules) -> Result<(), TestCaseError> {
        let (mut graph, mut brute) = (Graph::new(), Brute::default());
        for op in ops {
            match *op {
                Op::Insert(from, to, link) => {
                    let expected = brute.insert(from, to, link, rules);
                    let found = graph.insert(from, to, link, (from, to), rules);
                    if let Found::Cycle(steps) = &found {
                        check_cycle(steps, from, to, link);
                    }
                    prop_assert_eq!(matches!(found, Found::Cycle(_)), expected, "{:?}", op);
                }
                Op::Remove(id) => {
                    brute.remove(id);
                    graph.remove(id);
                }
            }
            check(&graph);
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: if cfg!(miri) { 4 } else { 400 },
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn cycles_are_those_that_trying_every_path_finds(
            ops in prop::collection::vec(op(false), 0..60),
            keep in any::<bool>(),
        ) {
            compare(&ops, Rules { timed: false, keep })?;
        }

        #[test]
        fn timed_cycles_are_those_that_trying_every_path_finds(
            ops in prop::collection::vec(op(true), 0..40),
            timed in any::<bool>(),
        ) {
            compare(&ops, Rules { timed, keep: true })?;
        }
    }

    #[test]
    fn cycle_of_readers_that_pass_writers_is_none() {
        let mut graph = Graph::new();
        let recursive = link(Hold::Shared, Want::Recursive);
        assert!(matches!(graph.insert(1, 2, recursive, (), KEEP), Found::Nothing));
        assert!(matches!(graph.insert(2, 1, recursive, (), KEEP), Found::Nothing));
        // But where one of the two is behind a writer, or is one, it is.
        assert!(matches!(
            graph.insert(2, 1, link(Hold::Exclusive, Want::Recursive), (), KEEP),
            Found::Nothing
        ));
        assert!(matches!(
            graph.insert(1, 2, link(Hold::Exclusive, Want::Recursive), (), KEEP),
            Found::Cycle(_)
        ));
    }

    #[test]
    fn long_cycle_is_found_at_its_last_edge() {
        let mut graph = Graph::new();
        for from in (0..1000).rev() {
            assert!(matches!(graph.insert(from, from + 1, PLAIN, (), KEEP), Found::Nothing));
        }
        match graph.insert(1000, 0, PLAIN, (), KEEP) {
            Found::Cycle(steps) => assert_eq!(steps.len(), 1000),
            Found::Nothing => panic!("no cycle"),
        }
        assert!(matches!(graph.insert(1000, 0, PLAIN, (), KEEP), Found::Nothing), "reported once");
        assert_eq!(graph.size(), (1001, 1001));
    }

    /// The stack is as deep as the way is long for no search.
    #[test]
    fn long_way_is_tried_on_a_short_stack() {
        const LENGTH: u64 = 9_000;
        let body = || {
            let mut graph = Graph::new();
            // From 0 a way without a way back, and one that goes through a node twice.
            for from in (0..LENGTH).rev() {
                graph.insert(from, from + 1, PLAIN, (), KEEP);
            }
            let (x, y, end) = (LENGTH + 1, LENGTH + 2, LENGTH + 3);
            graph.insert(0, x, link(Hold::Exclusive, Want::Upgrade), (), KEEP);
            graph.insert(x, y, link(Hold::Shared, Want::Queued), (), KEEP);
            graph.insert(y, x, link(Hold::Exclusive, Want::Recursive), (), KEEP);
            graph.insert(x, end, PLAIN, (), KEEP);
            assert!(graph.visit(end, 0, PLAIN, false).is_some());
            assert!(matches!(graph.insert(end, 0, PLAIN, (), KEEP), Found::Nothing));
        };
        thread::Builder::new().stack_size(256 << 10).spawn(body).unwrap().join().unwrap();
    }

    #[test]
    fn graph_is_empty_when_all_locks_are_gone() {
        let mut graph = Graph::new();
        for round in 0..10_000 {
            graph.insert(0, round + 1, PLAIN, (), KEEP);
            graph.insert(round + 1, round + 2, PLAIN, (), KEEP);
            graph.remove(round + 1);
            assert!(graph.size().0 <= 2);
        }
        graph.remove(10_001);
        graph.remove(0);
        assert_eq!(graph.size(), (0, 0));
    }
}
