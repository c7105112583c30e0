#!/usr/bin/env bash
# Random schedules of the larger types, a bounded number of each; SCHEDULES says how many if not 5000. The environment's
# RUSTFLAGS would take the place of the alias's.
set -euo pipefail
cd "$(dirname "$0")/.."
unset RUSTFLAGS
SCHEDULES=${SCHEDULES:-5000} cargo shuttle
