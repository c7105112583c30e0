#!/usr/bin/env bash
# Makes the crate `parking_lot` of docs/guide/from-parking_lot.md, which re-exports this one, and builds and runs a program
# on it whose dependencies ask for parking_lot: tokio and prometheus. Where crates.io cannot be reached only the shim itself
# is built, and that is said.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$root/target/shim
rm -rf "$work/shim" "$work/program"
mkdir -p "$work/program/src"
ci/parking_lot-shim.sh "$work/shim"

cat > "$work/program/Cargo.toml" <<END
[package]
name = "program"
version = "0.0.0"
edition = "2024"

[dependencies]
parking_lot = "0.12"
prometheus = { version = "0.14", default-features = false }
tokio = { version = "1", features = ["full", "parking_lot"] }

[patch.crates-io]
parking_lot = { path = "../shim" }

[workspace]
END
cat > "$work/program/src/main.rs" <<'END'
use std::sync::Arc;
use std::time::Duration;

fn main() {
    let total = Arc::new(parking_lot::Mutex::new(0));
    let counter = prometheus::IntCounter::new("jobs", "jobs done").unwrap();
    prometheus::default_registry().register(Box::new(counter.clone())).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..100)
            .map(|n| {
                let (total, counter) = (Arc::clone(&total), counter.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_micros(n)).await;
                    *total.lock() += n;
                    counter.inc();
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!((*total.lock(), counter.get()), (4950, 100));
    assert!(!prometheus::default_registry().gather().is_empty());
    println!("tokio and prometheus run on the shim");
}
END
export CARGO_TARGET_DIR=$work/target
cd "$work/program"
if ! cargo fetch --quiet; then
    echo "crates.io cannot be reached: the shim itself is built, and no program on it"
    cd "$work/shim"
    cargo build --offline
    exit 0
fi
cargo tree --invert parking_lot | grep -F "$work/shim"
cargo run --quiet
