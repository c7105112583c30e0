#!/usr/bin/env bash
# The library with its features compiles on exactly the Rust version that Cargo.toml names. Its toolchain is installed if
# CI is set; on a developer's machine without it this says so and checks nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml).0
if [ -n "${CI:-}" ]; then
    rustup toolchain install "$version" --profile minimal
elif ! rustup run "$version" rustc --version >/dev/null 2>&1; then
    echo "left out: Rust $version is not installed (rustup toolchain install $version --profile minimal)"
    exit 0
fi
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/msrv
cargo "+$version" check --package lockwork --lib --locked
cargo "+$version" check --package lockwork --lib --locked --features lock_api,serde,threads
cargo "+$version" check --package lockwork --lib --locked --features diagnose,lock_api,serde,threads
