#!/usr/bin/env bash
# Every model, and the specifications. The environment's RUSTFLAGS would take the place of the alias's, and with them the models.
set -euo pipefail
cd "$(dirname "$0")/.."
unset RUSTFLAGS
cargo loom
cargo loom-spec
