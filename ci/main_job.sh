#!/usr/bin/env bash
# The main job that README gives, 20,000 real requests, every record logged; then the other programs, briefly, as the tests have
# built them.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo run --release --locked --example log_server -- --requests 20000
# The smaller programs check themselves, too.
cargo run --locked --example bank
# A deadlock, found and reported, is what this one is for.
code=0
cargo run --locked --example bank -- --naive || code=$?
[ "$code" -eq 3 ]
cargo run --locked --example kitchen
cargo run --locked --example chat_server -- --demo 200
cargo run --locked --example crawler -- --demo
cargo run --locked --example downloads -- --demo
cargo run --locked --example samples -- --demo >/dev/null
# What diagnosis finds in a program with something wrong.
for fault in inversion slow hang; do
    cargo run --locked --features diagnose --example watched -- "$fault"
done
