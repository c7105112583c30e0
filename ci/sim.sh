#!/usr/bin/env bash
# The numbers that tests hold on the simulated machine. The environment's RUSTFLAGS would take the place of the alias's.
set -euo pipefail
cd "$(dirname "$0")/.."
unset RUSTFLAGS
cargo sim
