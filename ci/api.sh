#!/usr/bin/env bash
# What has changed of the surface, and whether the version allows it: `ci/api.sh [REVISION]`. Compares with a revision of this
# repository (from a clean checkout), or without one with the last release on crates.io; before the first release there is
# none, and this counts what there is. Needs cargo-public-api with a nightly toolchain, and cargo-semver-checks. They are
# installed if CI is set; on a developer's machine this says which is missing, and does without.
set -euo pipefail
cd "$(dirname "$0")/.."
features=diagnose,lock_api,serde,threads
if [ -n "${CI:-}" ]; then
    cargo install cargo-public-api cargo-semver-checks --locked
    rustup toolchain install nightly --profile minimal
fi
has() {
    cargo "$1" --version >/dev/null 2>&1 || {
        echo "left out: cargo-$1 is not installed (cargo install cargo-$1 --locked)"
        return 1
    }
}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/api
public=(--package lockwork --features "$features" -sss)
semver=(check-release --package lockwork --only-explicit-features --features "$features")
if [ $# -ne 0 ]; then
    ! has public-api || cargo public-api "${public[@]}" diff "$1..HEAD"
    ! has semver-checks || cargo semver-checks "${semver[@]}" --baseline-rev "$1"
elif curl --fail --silent --max-time 20 --output /dev/null https://index.crates.io/lo/ck/lockwork; then
    ! has public-api || cargo public-api "${public[@]}" diff latest
    ! has semver-checks || cargo semver-checks "${semver[@]}"
else
    echo "not on crates.io yet: there is nothing to compare with"
    ! has public-api || echo "items of the surface: $(cargo public-api "${public[@]}" | wc -l)"
fi
