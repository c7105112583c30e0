//! `lockwork::RwLock`. In a model the reader bias is enabled after two reads, if no writer came in between.

mod exclusion;
mod readers;
mod roles;
mod waiting;

use crate::models::support::{Arc, model, model_bounded};
use lockwork::RwLock;

const THREE: &str = "three threads";
const VISIBLE: &str = "two threads, but a handshake over three words and a queue";

/// A model of two threads, bounded where readers are visible.
fn model_with(biased: bool, must_reach: &[&str], body: impl Fn() + Sync + Send + 'static) {
    if biased {
        model_bounded(3, VISIBLE, must_reach, body);
    } else {
        model(must_reach, body);
    }
}

/// A lock whose reader bias is enabled.
fn biased_lock() -> Arc<RwLock<usize>> {
    let lock = Arc::new(RwLock::new(0));
    for _ in 0..2 {
        assert_eq!(*lock.read(), 0);
    }
    lock
}
