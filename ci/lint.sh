#!/usr/bin/env bash
# Formatting, clippy, documentation, that the crate alone has no dependency, and the subjects of commits.
set -euo pipefail
cd "$(dirname "$0")/.."
# By file: cargo fmt does not reach modules that a macro declares.
git ls-files '*.rs' | xargs rustfmt --edition 2024 --check
ci/commits.sh
cargo clippy --workspace --all-targets --locked -- -D warnings
cargo clippy --package lockwork --all-targets --all-features --locked -- -D warnings
RUSTFLAGS="--cfg loom -D warnings" cargo clippy --locked --package loom-tests --features model --all-targets \
    --target-dir target/loom
RUSTFLAGS="--cfg shuttle -D warnings" cargo clippy --locked --package shuttle-tests --features model --all-targets \
    --target-dir target/shuttle
RUSTFLAGS="--cfg sim -D warnings" cargo clippy --locked --package sim-tests --features model --all-targets \
    --target-dir target/sim
ci/await.sh
# The tests bring the crate's own features with them; this is without.
cargo clippy --package lockwork --locked -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked
RUSTDOCFLAGS="-D warnings" cargo doc --package lockwork --no-deps --document-private-items --all-features --locked
tree=$(cargo tree --locked --edges normal --prefix none --package lockwork)
if [ "$(wc -l <<<"$tree")" -ne 1 ]; then
    echo "the default build has dependencies:" >&2
    echo "$tree" >&2
    exit 1
fi
