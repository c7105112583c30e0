#!/usr/bin/env bash
# A sample of the mutants (mutants/README.md): `ci/mutants.sh [SECONDS]`, 180 if not given, without the build. What a model
# killed when it was run last must be killed again, and so must each ordering that is new. Which ones depends on the day, or
# on SEED. All of them take hours, by hand: `cargo mutants run`.
set -euo pipefail
cd "$(dirname "$0")/.."
unset RUSTFLAGS
cargo mutants sample --seconds "${1:-180}" --jobs "$(nproc)" ${SEED:+--seed "$SEED"}
