#!/usr/bin/env bash
# What has changed of the surface, and whether the version allows it: `ci/api.sh [REVISION]`. Compares with a revision of this
# repository, or without one with the last release on crates.io; before the first release there is none, which is said.
# Needs cargo-semver-checks and cargo-public-api, and the latter a nightly toolchain. They are installed if CI is set; on a
# developer's machine without them this says so and checks nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
features=diagnose,lock_api,serde,threads
if [ -n "${CI:-}" ]; then
    cargo install cargo-semver-checks cargo-public-api --locked
    rustup toolchain install nightly --profile minimal
fi
for tool in semver-checks public-api; do
    if ! cargo "$tool" --version >/dev/null 2>&1; then
        echo "left out: cargo-$tool is not installed (cargo install cargo-$tool --locked)"
        exit 0
    fi
done
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/api
if [ $# -ne 0 ]; then
    semver="--baseline-rev $1" public="$1..HEAD"
elif curl --fail --silent --output /dev/null https://index.crates.io/lo/ck/lockwork; then
    semver="" public=latest
else
    echo "not on crates.io yet: nothing to compare with; the surface has this many items:"
    cargo public-api --package lockwork --features "$features" -sss | wc -l
    exit 0
fi
cargo public-api --package lockwork --features "$features" -sss diff $public
# shellcheck disable=SC2086
cargo semver-checks check-release --package lockwork --only-explicit-features --features "$features" $semver
