//! `channel/…`.

use super::buffer::{Shape, through};
use super::{Contender, Kind, Timing, Workload};
use crate::support::buffer::{Queue, UNBOUNDED, each_channel};

fn contenders(shape: Shape) -> Vec<Contender> {
    macro_rules! contenders {
        ($($std:ident)?) => {
            each_channel!(Q of u64 => Contender::new(Q::NAME, move |runner, plan| through::<Q>(runner, plan, shape)) $(; $std)?)
        };
    }
    match (shape.consumers, shape.capacity) {
        (1, UNBOUNDED) => contenders!(StdUnbounded),
        (1, _) => contenders!(Std),
        _ => contenders!(),
    }
}

pub(super) fn workloads() -> Vec<Workload> {
    let mut workloads = Vec::new();
    for (producers, consumers) in [(1, 1), (4, 1), (4, 4)] {
        for capacity in [1, 64, UNBOUNDED] {
            let shape = Shape { producers, consumers, capacity, batched: false };
            let workload =
                |name| Workload::new("channel", name, Kind::Speed(Timing::Never), contenders(shape));
            let name = format!("{producers}p{consumers}c");
            workloads.push(if capacity == UNBOUNDED {
                workload(format!("{name}/unbounded"))
            } else {
                workload(name).at("capacity", capacity)
            });
        }
    }
    workloads
}
