#!/usr/bin/env bash
# The library with its features compiles for targets that differ from a developer's machine: `ci/targets.sh [TARGET ..]`.
# Without arguments all of them. Their standard libraries are installed if CI is set; elsewhere those that are missing are
# named and left out.
set -euo pipefail
cd "$(dirname "$0")/.."
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    targets=(
        i686-unknown-linux-gnu        # 32 bits
        powerpc64-unknown-linux-gnu   # big-endian
        powerpc-unknown-linux-gnu     # both, and no 64-bit atomics
        armv5te-unknown-linux-gnueabi # no 64-bit atomics either
        aarch64-linux-android
        x86_64-unknown-freebsd
        x86_64-pc-windows-gnu
        aarch64-apple-darwin
        wasm32-wasip1-threads
    )
fi
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/targets
for target in "${targets[@]}"; do
    if [ -n "${CI:-}" ]; then
        rustup target add "$target"
    elif [ ! -d "$(rustc --print sysroot)/lib/rustlib/$target/lib" ]; then
        echo "left out: $target is not installed (rustup target add $target)"
        continue
    fi
    echo "$target"
    cargo check --package lockwork --lib --locked --features lock_api,serde,threads --target "$target"
    cargo check --package lockwork --lib --locked --features diagnose,lock_api,serde,threads --target "$target"
done
# Targets without 64-bit atomics, by hiding the host's.
RUSTFLAGS="--cfg lockwork_without_atomic_u64" cargo test --package lockwork --locked --test lockwork -- \
    barrier buffer queues reentrant thread_cell thread_local
RUSTFLAGS="--cfg lockwork_without_atomic_u64" cargo test --package lockwork --locked --features diagnose --test diagnose
