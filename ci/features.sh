#!/usr/bin/env bash
# Every combination of the crate's features compiles without a warning. `loom`, `shuttle` and `sim` change nothing without
# their compiler flag, which ci/models.sh, ci/shuttle.sh and ci/sim.sh set: that they do not is seen with all of them at once.
set -euo pipefail
cd "$(dirname "$0")/.."
features=(diagnose lock_api serde threads)
# What the manifest has and this does not know of would not be tried.
known=$(printf '%s\n' default loom loom-spec shuttle sim "${features[@]}" | sort)
named=$(sed -n '/^\[features\]$/,/^\[/s/^\([a-z_-]*\) = .*/\1/p' Cargo.toml | sort)
diff <(echo "$known") <(echo "$named") || { echo "ci/features.sh knows other features than Cargo.toml" >&2; exit 1; }
export RUSTFLAGS="-D warnings" CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/features
for ((set = 0; set < 1 << ${#features[@]}; set++)); do
    names=()
    for ((n = 0; n < ${#features[@]}; n++)); do
        ((set >> n & 1)) && names+=("${features[n]}")
    done
    list=$(IFS=,; echo "${names[*]-}")
    echo "features: ${list:-none}"
    cargo check --quiet --package lockwork --lib --locked --no-default-features --features "$list"
done
echo "features: all, without the flags of loom, shuttle and sim"
cargo check --quiet --package lockwork --lib --locked --all-features
