//! Which cycle an edge closes: searches along the edges that count.

use std::collections::{BTreeMap, BTreeSet};

use super::{Graph, Link, Step, Want};

/// One that a search has come to: by which node's entry in the list of visits, and how it was wanted then.
pub(super) struct Visit {
    node: u64,
    link: Link,
    by: usize,
}

/// So many edges are followed at most where the shortest way crosses itself.
const STEP_LIMIT: usize = 10_000;

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
            self.walk(from, to, link, timed)?
        };
        let step = |(from, to, link)| {
            let sight = self.nodes[&from].out[&to].sight(link).clone();
            Step { from, to, link, sight }
        };
        Some(steps.into_iter().map(step).collect())
    }

    /// Visits what can be reached from `to`, breadth first, until it comes to `from`. Returns all visits, of
    /// which the first is `to` itself, and the last one's place.
    pub(super) fn visit(&self, from: u64, to: u64, link: Link, timed: bool) -> Option<(Vec<Visit>, usize)> {
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

    /// Tries the ways from `to` to `from` that come to no node twice, as many steps as [`STEP_LIMIT`] allows.
    /// Returns the first that would be a cycle with the link.
    fn walk(&self, from: u64, to: u64, link: Link, timed: bool) -> Option<Vec<(u64, u64, Link)>> {
        let onward = |at: u64| {
            let edges = self.nodes.get(&at).into_iter().flat_map(|node| &node.out);
            edges.flat_map(move |(&next, edge)| edge.followed(timed).iter().map(move |link| (next, link)))
        };
        // The way so far, the nodes on it, and of each of them what was not tried yet.
        let mut steps: Vec<(u64, u64, Link)> = Vec::new();
        let mut on_way = BTreeSet::from([to]);
        let mut untried = vec![onward(to)];
        let mut steps_left = STEP_LIMIT;
        while let Some(edges) = untried.last_mut() {
            let Some((next, link_on)) = edges.next() else {
                untried.pop();
                if let Some((_, at, _)) = steps.pop() {
                    on_way.remove(&at);
                }
                continue;
            };
            let (at, arrived) = steps.last().map_or((to, link), |&(_, at, link)| (at, link));
            if on_way.contains(&next) || !arrived.want.waits_for(link_on.hold) {
                continue;
            }
            if steps_left == 0 {
                return None;
            }
            steps_left -= 1;
            if next != from {
                steps.push((at, next, link_on));
                on_way.insert(next);
                untried.push(onward(next));
            } else if link_on.want.waits_for(link.hold) {
                steps.push((at, next, link_on));
                return Some(steps);
            }
        }
        None
    }
}
