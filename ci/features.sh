#!/usr/bin/env bash
# Every combination of the crate's features compiles without a warning, and each alone is tested by its own tests' types.
# `loom`, `shuttle` and `sim` change nothing without their compiler flag, which ci/models.sh, ci/shuttle.sh and ci/sim.sh set.
# Needs cargo-hack (`cargo install cargo-hack --locked`).
set -euo pipefail
cd "$(dirname "$0")/.."
if ! cargo hack --version >/dev/null 2>&1; then
    echo "cargo-hack is missing: cargo install cargo-hack --locked" >&2
    exit 1
fi
export RUSTFLAGS="-D warnings" CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/features
cargo hack check --package lockwork --lib --locked --feature-powerset --exclude-features loom,shuttle,sim
