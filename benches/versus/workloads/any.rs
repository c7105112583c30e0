//! `any/…`.

use super::buffer::{Shape, through};
use super::event::ping_pong;
use super::{Contender, Kind, Timing, Workload};
use crate::support::any::each_any;
use crate::support::buffer::Queue;
use crate::support::event::Signal;

pub(super) fn workloads() -> Vec<Workload> {
    let speed = |shape, contenders| Workload::new("any", shape, Kind::Speed(Timing::Never), contenders);
    let mut workloads = Vec::new();
    for capacity in [1, 64] {
        let shape = Shape { producers: 1, consumers: 1, capacity, batched: false };
        let contenders = each_any!(one Q => Contender::new(Q::NAME, move |runner, plan| through::<Q>(runner, plan, shape)));
        workloads.push(speed("a set of one, 1p1c", contenders).at("capacity", capacity));
    }
    for capacity in [1, 64] {
        let shape = Shape { producers: 2, consumers: 1, capacity, batched: false };
        let contenders = each_any!(two Q => Contender::new(Q::NAME, move |runner, plan| through::<Q>(runner, plan, shape)));
        workloads.push(speed("two queues, 1p each", contenders).at("capacity", capacity));
    }
    let contenders = each_any!(signal S => Contender::new(S::NAME, ping_pong::<S>));
    workloads.push(speed("a set of one, ping-pong", contenders));
    workloads
}
