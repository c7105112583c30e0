#!/usr/bin/env bash
# The tests that README gives, but for the models; then the stress tests on one core, where preemption is different.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo test --workspace --locked
cargo test --package lockwork --all-features --lib --test diagnose --locked
cargo diagnose --locked
# The tests themselves, watched, report nothing, but for one that leaves locks locked that another thread unlocks: without its
# reports the watch would have seen nothing of the others either.
said=$PWD/target/watched-tests.txt
LOCKWORK_DIAGNOSE=stall=60s,order cargo test --package lockwork --all-features --test lockwork --locked 2> "$said" || { cat "$said" >&2; exit 1; }
reports=$(grep -E '^(inversion|deadlock|stalled)|^thread .*( has waited | waits for itself: )' "$said" || true)
grep -q 'tests/park_token\.rs:' <<< "$reports" || { echo "the tests were not watched"; exit 1; }
! grep -v 'tests/park_token\.rs:' <<< "$reports" || { echo "the tests have come to what is reported above"; exit 1; }
# The programs as they are watched: their tests ask each whether it has reported something. Bare `--test` builds no examples.
cargo build --package lockwork-examples --features diagnose --examples --locked
LOCKWORK_DIAGNOSE=stall=60s,order cargo test --package lockwork-examples --features diagnose --test programs --locked
cargo build --package lockwork-examples --examples --locked
if command -v taskset >/dev/null; then
    # As built above, with the features that the workspace asks for.
    taskset -c 0 cargo test --workspace --locked --test lockwork -- mutex condvar event buffer park_token poison threads any:: all:: once stop channel
fi
ci/diagnose.sh
