#!/usr/bin/env bash
# Every model, and the specifications: `ci/models.sh [SHARD/SHARDS]`. A process for each processor, as two models in one
# process hold each other up. With an argument only every so manyth model, for a job of its own. The environment's
# RUSTFLAGS would take the place of the alias's, and with them the models.
set -euo pipefail
cd "$(dirname "$0")/.."
unset RUSTFLAGS
shard=${1:-1/1}
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
for arm in loom loom-spec; do
    cargo "$arm" --no-run
    cargo "$arm" -- --list --format terse 2>/dev/null | sed -n 's/: test$//p' |
        awk -v k="${shard%/*}" -v n="${shard#*/}" 'NR % n == k % n' >"$logs/names"
    [ -s "$logs/names" ]
    processes=$(nproc)
    pids=()
    for ((k = 0; k < processes; k++)); do
        mapfile -t names < <(awk -v k="$k" -v n="$processes" 'NR % n == k' "$logs/names")
        [ ${#names[@]} -gt 0 ] || continue
        cargo "$arm" -- --exact "${names[@]}" >"$logs/$k" 2>&1 &
        pids+=($!)
    done
    failed=0
    for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
    for ((k = 0; k < processes; k++)); do [ ! -e "$logs/$k" ] || cat "$logs/$k"; done
    rm -f "$logs"/[0-9]*
    [ "$failed" -eq 0 ]
done
