#!/usr/bin/env bash
# The main job that README gives: 20,000 real requests, every record logged.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo run --release --locked --example log_server -- --requests 20000
