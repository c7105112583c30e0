//! Which cycle an edge closes: searches along the edges that count.

use std::collections::{BTreeMap, BTreeSet};

use super::{Graph, Link, Step, Want};

/// One that a search has come to: by which node's entry in the list of visits, and how it was wanted then.
struct Visit {
    node: u64,
    link: Link,
    by: usize,
}

/// So many edges are followed at most where the shortest way crosses itself.
const PATIENCE: usize = 10_000;

impl<S: Clone> Graph<S> {
    /// Returns the shortest way from `to` to `from` that would be a cycle with the link.
    pub(super) fn search(&self, from: u64, to: u64, link: Link, timed: bool) -> Option<Vec<Step<S>>> {
        let (visits, last) = self.visit(from, to, link, timed)?;
        let mut way = Vec::new();
        let mut at = last;
        while at != 0 {
            way.push(at);
            at = visits[at].by;
        }
        way.push(0);
        way.reverse();
        let steps: Vec<(u64, u64, Link)> = way
            .windows(2)
            .map(|pair| (visits[pair[0]].node, visits[pair[1]].node, visits[pair[1]].link))
            .collect();
        let distinct: BTreeSet<u64> = steps.iter().map(|&(_, to, _)| to).collect();
        let steps = if distinct.len() == steps.len() {
            steps
        } else {
            // It crosses itself, which takes an upgrade, a recursive reader and a circle that is none: there
            // may be another.
            let (mut steps, mut patience) = (Vec::new(), PATIENCE);
            if !self.walk(from, to, link, link, timed, &mut steps, &mut patience) {
                return None;
            }
            steps
        };
        let step = |(from, to, link)| {
            let sight = self.nodes[&from].out[&to].sight(link).clone();
            Step { from, to, link, sight }
        };
        Some(steps.into_iter().map(step).collect())
    }

    /// Visits what can be reached from `to`, breadth first, until it comes to `from`. Returns all visits, of
    /// which the first is `to` itself, and the last one's place.
    fn visit(&self, from: u64, to: u64, link: Link, timed: bool) -> Option<(Vec<Visit>, usize)> {
        let mut visits = vec![Visit { node: to, link, by: 0 }];
        // How each was wanted when it was come to.
        let mut wanted: BTreeMap<u64, u8> = BTreeMap::from([(to, u8::MAX)]);
        let mut at = 0;
        while at < visits.len() {
            let (id, arrived) = (visits[at].node, visits[at].link);
            for (&next, edge) in self.nodes.get(&id).into_iter().flat_map(|node| &node.out) {
                for link_on in edge.followed(timed).iter() {
                    if !arrived.want.waits_for(link_on.hold) {
                        continue;
                    }
                    if next == from {
                        if link_on.want.waits_for(link.hold) {
                            visits.push(Visit { node: next, link: link_on, by: at });
                            let last = visits.len() - 1;
                            return Some((visits, last));
                        }
                        continue;
                    }
                    let bit = match link_on.want {
                        Want::Queued => u8::MAX,
                        want => 1 << want as u8,
                    };
                    let before = wanted.entry(next).or_default();
                    if *before | bit != *before {
                        *before |= bit;
                        visits.push(Visit { node: next, link: link_on, by: at });
                    }
                }
            }
            at += 1;
        }
        None
    }

    /// Tries all ways from `at` to `from` that come to no node twice, for as long as `patience` lasts.
    #[allow(clippy::too_many_arguments, reason = "recursive")]
    fn walk(
        &self,
        from: u64,
        at: u64,
        link: Link,
        arrived: Link,
        timed: bool,
        steps: &mut Vec<(u64, u64, Link)>,
        patience: &mut usize,
    ) -> bool {
        for (&next, edge) in self.nodes.get(&at).into_iter().flat_map(|node| &node.out) {
            for link_on in edge.followed(timed).iter() {
                let crosses = steps.iter().any(|&(from, to, _)| from == next || to == next);
                if crosses || !arrived.want.waits_for(link_on.hold) {
                    continue;
                }
                if *patience == 0 {
                    return false;
                }
                *patience -= 1;
                steps.push((at, next, link_on));
                let found = if next == from {
                    link_on.want.waits_for(link.hold)
                } else {
                    self.walk(from, next, link, link_on, timed, steps, patience)
                };
                if found {
                    return true;
                }
                steps.pop();
            }
        }
        false
    }
}
