//! What a comparison found, as it is written to JSON and read back.

use crate::runner::Round;
use crate::support::{OURS, STATIC};
use crate::waits::{SHARES, Waits};
use crate::workloads::{Kind, Workload};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Everything.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) machine: crate::machine::Machine,
    pub(crate) rounds: usize,
    pub(crate) milliseconds: u64,
    pub(crate) workloads: Vec<Outcome>,
}

/// One workload.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    pub(crate) family: String,
    pub(crate) shape: String,
    pub(crate) axis: Option<(String, usize)>,
    /// It is about one long wait, and what counts is its processor time.
    pub(crate) rest: bool,
    pub(crate) standings: Vec<Standing>,
}

/// One contender. Medians over the rounds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Standing {
    pub(crate) name: String,
    pub(crate) operations_per_second: f64,
    /// Operations a second, over those of the best that is not ours; of processor time, the other way round.
    pub(crate) to_best_peer: Option<f64>,
    /// The same with what is made of the standard library alone.
    pub(crate) to_std: Option<f64>,
    /// Least over most served thread.
    pub(crate) fairness: Option<f64>,
    /// User and system, for each operation.
    pub(crate) cpu_nanoseconds: Option<f64>,
    pub(crate) waits: Option<Lengths>,
    /// Operations a second of each round.
    pub(crate) rounds: Vec<f64>,
}

/// How long operations waited for their turn, in nanoseconds, all rounds together.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Lengths {
    pub(crate) samples: u64,
    pub(crate) median: u64,
    pub(crate) percentile_99: u64,
    pub(crate) longest: u64,
    /// Shares of the waits, and how long the longest wait of that share was.
    pub(crate) distribution: Vec<(f64, u64)>,
}

impl Standing {
    pub(crate) fn is_ours(&self) -> bool {
        self.name.starts_with(OURS)
    }

    fn is_std(&self) -> bool {
        self.name.starts_with("std")
    }
}

impl Outcome {
    /// Of the rounds of each contender, and the waits of each.
    pub(crate) fn new(workload: &Workload, contenders: Vec<(&'static str, Vec<Round>, Waits)>) -> Self {
        let standings = contenders
            .into_iter()
            .map(|(name, rounds, waits)| {
                let speeds: Vec<f64> =
                    rounds.iter().map(|round| round.operations / round.elapsed.as_secs_f64()).collect();
                let cpu = |round: &Round| Some(round.cpu?.as_secs_f64() * 1e9 / round.operations.max(1.0));
                Standing {
                    name: name.to_owned(),
                    operations_per_second: median(speeds.iter().copied()).unwrap_or_default(),
                    to_best_peer: None,
                    to_std: None,
                    fairness: median(rounds.iter().filter_map(|round| round.fairness)),
                    cpu_nanoseconds: median(rounds.iter().filter_map(cpu)),
                    waits: Lengths::new(&waits),
                    rounds: speeds,
                }
            })
            .collect();
        let mut outcome = Self {
            name: workload.name(),
            family: workload.family.to_owned(),
            shape: workload.shape.clone(),
            axis: workload.axis.map(|(axis, value)| (axis.to_owned(), value)),
            rest: workload.kind == Kind::Rest,
            standings,
        };
        outcome.relate();
        outcome
    }

    /// What to have more of.
    fn merit(&self, standing: &Standing) -> f64 {
        if self.rest {
            standing.cpu_nanoseconds.map_or(f64::NAN, |cpu| 1.0 / cpu)
        } else {
            standing.operations_per_second
        }
    }

    pub(crate) fn best_peer(&self) -> Option<&Standing> {
        let peers = self.standings.iter().filter(|standing| !standing.is_ours() && standing.name != STATIC);
        peers.max_by(|a, b| self.merit(a).total_cmp(&self.merit(b)))
    }

    fn relate(&mut self) {
        let best = self.best_peer().map(|peer| self.merit(peer));
        let std = self.standings.iter().find(|peer| peer.is_std()).map(|peer| self.merit(peer));
        let ratio = |merit: f64, other: Option<f64>| Some(merit / other?).filter(|ratio| ratio.is_finite());
        let merits: Vec<f64> = self.standings.iter().map(|standing| self.merit(standing)).collect();
        for (standing, merit) in self.standings.iter_mut().zip(merits) {
            standing.to_best_peer = ratio(merit, best);
            standing.to_std = ratio(merit, std);
        }
    }
}

impl Lengths {
    fn new(waits: &Waits) -> Option<Self> {
        let at = |share| nanoseconds(waits.at(share));
        (waits.samples() > 0).then(|| Self {
            samples: waits.samples(),
            median: at(0.5),
            percentile_99: at(0.99),
            longest: nanoseconds(waits.longest()),
            distribution: SHARES.iter().map(|&share| (share, at(share))).collect(),
        })
    }
}

fn nanoseconds(time: Duration) -> u64 {
    time.as_nanos().try_into().unwrap_or(u64::MAX)
}

/// The middle one; of an even number, between the two.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let (lower, upper) = (values.get(values.len().checked_sub(1)? / 2)?, values.get(values.len() / 2)?);
    Some((lower + upper) / 2.0)
}
